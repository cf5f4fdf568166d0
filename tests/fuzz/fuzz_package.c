//  SPDX-License-Identifier: MIT
//
//  fuzz_package - a payload decoded, encoded and decoded again.
//
//  byte 0  package, or FUOTA_PACKAGES for the framing of port 225
//  byte 1  version - 1 in bit 0
//  byte 2  direction in bit 0
//  rest    the payload
//
//  A command that was encoded reads as the same command; one that was not is
//  outside its range. Its words are made, and fit.

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "workers/package/explain.h"
#include "workers/package/package_rows.h"
#include "workers/package/ts007.h"

#define S_HEADER 3
#define S_MAX_PAYLOAD 255

int LLVMFuzzerTestOneInput (const uint8_t *input, size_t size);

static void
s_require (bool holds)
{
    if (!holds)
        abort ();
}

//  Whether the long form of "no session" is one depends on what follows.
static bool
s_ambiguous (const fuota_command_t *command)
{
    return command->id == FUOTA_FRAG_STATUS_ANS &&
           command->frag_status_ans.no_session &&
           command->frag_status_ans.has_counts;
}

static void
s_check_words (const fuota_command_t *command)
{
    char text [FUOTA_EXPLAIN_MAX];
    s_require (fuota_command_explain (command, text, sizeof text) == 0);
    s_require (text [0] != '\0');
    s_require (fuota_command_explain_json (command, text, sizeof text) == 0);
    s_require (text [0] == '{' && text [strlen (text) - 1] == '}');
}

//  Same words, so same fields: slices point into different payloads.
static void
s_require_same (const fuota_command_t *a, const fuota_command_t *b)
{
    char text_a [FUOTA_EXPLAIN_MAX], text_b [FUOTA_EXPLAIN_MAX];
    s_require (fuota_command_explain_json (a, text_a, sizeof text_a) == 0);
    s_require (fuota_command_explain_json (b, text_b, sizeof text_b) == 0);
    s_require (strcmp (text_a, text_b) == 0);
}

static void
s_check_command (const fuota_command_t *command, fuota_direction_t direction)
{
    uint8_t bytes [S_MAX_PAYLOAD + 16];
    fuota_writer_t out = fuota_writer (bytes, sizeof bytes);
    s_check_words (command);
    int rc = fuota_package_encode (command, &out);
    s_require (rc == 0 || (rc == FUOTA_EVALUE && out.at == 0));
    if (rc || s_ambiguous (command))
        return;
    fuota_command_t again;
    fuota_reader_t in = fuota_reader (bytes, out.at);
    s_require (fuota_package_read (command->package, command->version,
                   direction, &in, &again) == 0);
    s_require (in.at == out.at);
    s_require_same (command, &again);
}

static void
s_check_payload (fuota_package_t package, unsigned version,
    fuota_direction_t direction, const uint8_t *payload, size_t size)
{
    static fuota_command_t got [S_MAX_PAYLOAD];
    size_t count, fewer;
    int rc = fuota_package_decode (package, version, direction, payload, size,
        got, S_MAX_PAYLOAD, &count);
    s_require (count <= size && rc != FUOTA_EFULL);
    s_require (rc == 0 || rc == FUOTA_ESHORT || rc == FUOTA_ECOMMAND ||
               (rc == FUOTA_EVALUE && count == 0));
    for (size_t i = 0; i < count; i++)
        s_check_command (&got [i], direction);
    if (count) {
        rc = fuota_package_decode (package, version, direction, payload, size,
            got, count - 1, &fewer);
        s_require (rc == FUOTA_EFULL && fewer == count - 1);
    }
}

//  All of a set is encoded at once, as the prefixes hang together.
static void
s_check_framing (unsigned version, fuota_direction_t direction,
    const uint8_t *payload, size_t size)
{
    static fuota_ts007_item_t items [S_MAX_PAYLOAD],
        items_again [S_MAX_PAYLOAD];
    uint8_t versions [FUOTA_PACKAGES], bytes [2 * S_MAX_PAYLOAD + 16];
    memset (versions, (int) version, sizeof versions);
    fuota_ts007_t got = { items, S_MAX_PAYLOAD, 0, 0 };
    int rc = fuota_ts007_decode (&got, versions, direction, payload, size);
    s_require (got.count <= size && rc != FUOTA_EFULL);
    bool ambiguous = false;
    for (size_t i = 0; i < got.count; i++) {
        s_check_command (&items [i].command, direction);
        ambiguous |= s_ambiguous (&items [i].command);
    }
    fuota_writer_t out = fuota_writer (bytes, sizeof bytes);
    if (rc || ambiguous || fuota_ts007_encode (&got, &out))
        return;
    fuota_ts007_t again = { items_again, S_MAX_PAYLOAD, 0, 0 };
    s_require (
        fuota_ts007_decode (&again, versions, direction, bytes, out.at) == 0);
    s_require (again.count == got.count && again.token == got.token);
    for (size_t i = 0; i < got.count; i++) {
        s_require (items [i].prefix == items_again [i].prefix);
        s_require_same (&items [i].command, &items_again [i].command);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *input, size_t size)
{
    if (size < S_HEADER)
        return 0;
    unsigned package = input [0] % (FUOTA_PACKAGES + 1u);
    unsigned version = (input [1] & 1u) + 1;
    fuota_direction_t direction = input [2] & 1 ? FUOTA_UPLINK : FUOTA_DOWNLINK;
    size_t left = size - S_HEADER;
    if (left > S_MAX_PAYLOAD)
        left = S_MAX_PAYLOAD;
    if (package == FUOTA_PACKAGES)
        s_check_framing (version, direction, input + S_HEADER, left);
    else
        s_check_payload ((fuota_package_t) package, version, direction,
            input + S_HEADER, left);
    return 0;
}
