//  SPDX-License-Identifier: MIT
//
//  Bytes of a peer that no library of ours made: frames written out by hand,
//  one script a row. A script is lines of
//      S           SETTINGS
//      H id a=b|…  HEADERS       E id a=b|…  the same, ending the stream
//      D id hex    DATA          F id hex    the same, ending the stream
//      R id code   RST_STREAM    G last code GOAWAY
//      X hex       bytes as they are
//  What a well-behaved server does is in test_grpc_server.c.

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "broker/host/grpc.h"

#define DEADLINE 5000

static size_t s_blocks;  //  Allocated now

static void *
s_resize (void *ptr, size_t size)
{
    if (ptr && !size) {
        free (ptr);
        s_blocks--;
        return NULL;
    }
    s_blocks += ptr == NULL;
    return realloc (ptr, size);
}

static fuota_grpc_t *
s_client (void)
{
    const fuota_grpc_config_t config = { .resize = s_resize,
        .authority = "host:8080",
        .token = "secret",
        .calls = 4,
        .max_message = 1000 };
    int rc;
    fuota_grpc_t *client = fuota_grpc_new (&config, &rc);
    assert_non_null (client);
    return client;
}

//  ---------------------------------------------------------------------
//  Scripts

static void
s_hex (fuota_writer_t *out, const char *text)
{
    unsigned byte;
    int used;
    while (sscanf (text, " %2x%n", &byte, &used) == 1) {
        fuota_writer_u8 (out, byte);
        text += used;
    }
}

//  "name=value|name=value", each literal and kept out of the table
static void
s_fields (fuota_writer_t *out, const char *text)
{
    while (*text) {
        size_t name = strcspn (text + 1, "=") + 1;
        const char *value = text + name + 1;
        size_t size = strcspn (value, "|");
        fuota_writer_u8 (out, 0);
        fuota_writer_u8 (out, (unsigned) name);
        fuota_writer_copy (out, text, name);
        fuota_writer_u8 (out, (unsigned) size);
        fuota_writer_copy (out, value, size);
        text = value + size + (value [size] == '|');
    }
}

static void
s_frame (fuota_writer_t *out, unsigned type, unsigned flags, unsigned stream,
    const uint8_t *body, size_t size)
{
    fuota_writer_be (out, size, 3);
    fuota_writer_u8 (out, type);
    fuota_writer_u8 (out, flags);
    fuota_writer_be (out, stream, 4);
    fuota_writer_copy (out, body, size);
}

static void
s_line (fuota_writer_t *out, const char *line)
{
    uint8_t bytes [1024];
    fuota_writer_t body = fuota_writer (bytes, sizeof bytes);
    unsigned id = 0;
    int used = 0;
    if (*line != 'X' && *line != 'S')
        sscanf (line + 1, "%u%n", &id, &used);
    const char *rest = line + 1 + used + (line [1 + used] == ' ');
    switch (*line) {
        case 'S':
            s_frame (out, 4, 0, 0, NULL, 0);
            break;
        case 'H':
        case 'E':
            s_fields (&body, rest);
            s_frame (out, 1, *line == 'E' ? 5 : 4, id, bytes, body.at);
            break;
        case 'D':
        case 'F':
            s_hex (&body, rest);
            s_frame (out, 0, *line == 'F' ? 1 : 0, id, bytes, body.at);
            break;
        case 'R':
            fuota_writer_be (&body, (uint64_t) atoi (rest), 4);
            s_frame (out, 3, 0, id, bytes, body.at);
            break;
        case 'G':
            fuota_writer_be (&body, id, 4);
            fuota_writer_be (&body, (uint64_t) atoi (rest), 4);
            s_frame (out, 7, 0, 0, bytes, body.at);
            break;
        case 'X':
            s_hex (out, rest);
            break;
        default:
            fail_msg ("script: %s", line);
    }
}

static size_t
s_script (const char *script, uint8_t *bytes, size_t size)
{
    fuota_writer_t out = fuota_writer (bytes, size);
    while (*script) {
        char line [400];
        size_t length = strcspn (script, "\n");
        snprintf (line, sizeof line, "%.*s", (int) length, script);
        s_line (&out, line);
        script += length + (script [length] == '\n');
    }
    assert_int_equal (out.rc, 0);
    return out.at;
}

static void
s_drain (fuota_grpc_t *client)
{
    uint8_t out [4096];
    while (fuota_grpc_output (client, out, sizeof out, 0) == sizeof out)
        ;
}

//  ---------------------------------------------------------------------
//  Rows

#define GOOD "H1 :status=200|content-type=application/grpc\n"
#define OK "E1 grpc-status=0\n"
#define BROKE "the peer broke the rules of HTTP/2"

static const struct {
    const char *name, *script;
    fuota_grpc_status_t status;
    const char *text, *message;
    bool unprocessed, over;
} s_rows [] = {
    { "nothing", "", FUOTA_GRPC_UNAVAILABLE, "gone", "", false, false },
    { "whole", GOOD "D1 0000000003616263\n" OK, FUOTA_GRPC_OK, "", "abc", false,
        false },
    { "in pieces", GOOD "D1 00\nD1 00000003\nD1 61\nD1 6263\nD1\n" OK,
        FUOTA_GRPC_OK, "", "abc", false, false },
    { "empty message", GOOD "D1 0000000000\n" OK, FUOTA_GRPC_OK, "", "", false,
        false },
    { "interim answer", "H1 :status=103\n" GOOD "D1 000000000161\n" OK,
        FUOTA_GRPC_OK, "", "a", false, false },
    { "trailers only",
        "E1 :status=200|content-type=application/grpc|grpc-status=16|"
        "grpc-message=no%20way\n",
        FUOTA_GRPC_UNAUTHENTICATED, "no way", "", false, false },
    { "trailers only, OK",
        "E1 :status=200|content-type=application/grpc|grpc-status=0\n",
        FUOTA_GRPC_INTERNAL, "no message in the answer", "", false, false },
    { "error after a message",
        GOOD "D1 000000000161\nE1 grpc-status=13|grpc-message=late\n",
        FUOTA_GRPC_INTERNAL, "late", "", false, false },
    { "no trailers", GOOD "F1 000000000161\n", FUOTA_GRPC_UNKNOWN,
        "no status in the answer", "", false, false },
    { "cut short", GOOD "D1 0000000003616\n" OK, FUOTA_GRPC_INTERNAL,
        "message cut short", "", false, false },
    { "two messages", GOOD "D1 0000000001610000000000\n" OK,
        FUOTA_GRPC_INTERNAL, "more than one message", "", false, false },
    { "compressed", GOOD "D1 010000000161\n" OK, FUOTA_GRPC_INTERNAL,
        "compressed message", "", false, false },
    { "too large", GOOD "D1 00000003e961\n" OK, FUOTA_GRPC_RESOURCE_EXHAUSTED,
        "message larger than our limit", "", false, false },
    { "a page", "H1 :status=200|content-type=text/html\nF1 3c68\n",
        FUOTA_GRPC_UNKNOWN, "not a gRPC answer", "", false, false },
    { "a proxy", "E1 :status=503|content-type=text/html\n",
        FUOTA_GRPC_UNAVAILABLE, "HTTP status 503", "", false, false },
    { "no :status", "E1 content-type=application/grpc|grpc-status=0\n",
        FUOTA_GRPC_INTERNAL, "stream closed: PROTOCOL_ERROR", "", false,
        false },
    { "an upper-case name", "E1 :status=200|GRPC-status=0\n",
        FUOTA_GRPC_INTERNAL, "stream closed: PROTOCOL_ERROR", "", false,
        false },
    { "content-length lies",
        "H1 :status=200|content-type=application/grpc|content-length=3\n"
        "D1 000000000161\n" OK,
        FUOTA_GRPC_INTERNAL, "stream closed: PROTOCOL_ERROR", "", false,
        false },
    { "data first", "D1 0000000000\n" OK, FUOTA_GRPC_UNAVAILABLE, "gone", "",
        false, true },
    { "reset: refused", "R1 7\n", FUOTA_GRPC_UNAVAILABLE,
        "stream closed: REFUSED_STREAM", "", true, false },
    { "reset: no error", "R1 0\n", FUOTA_GRPC_INTERNAL,
        "stream closed: NO_ERROR", "", false, false },
    { "reset: cancel", GOOD "R1 8\n", FUOTA_GRPC_CANCELLED,
        "stream closed: CANCEL", "", false, false },
    { "reset: calm", "R1 11\n", FUOTA_GRPC_RESOURCE_EXHAUSTED,
        "stream closed: ENHANCE_YOUR_CALM", "", false, false },
    { "reset: security", "R1 12\n", FUOTA_GRPC_PERMISSION_DENIED,
        "stream closed: INADEQUATE_SECURITY", "", false, false },
    { "reset: closed", "R1 5\n", FUOTA_GRPC_UNKNOWN,
        "stream closed: STREAM_CLOSED", "", false, false },
    { "reset: alien", "R1 4711\n", FUOTA_GRPC_INTERNAL,
        "stream closed: unknown", "", false, false },
    { "reset after the end", GOOD "D1 000000000161\n" OK "R1 0\n",
        FUOTA_GRPC_OK, "", "a", false, false },
    { "goaway before us", "G0 0\n", FUOTA_GRPC_UNAVAILABLE,
        "stream closed: REFUSED_STREAM", "", true, true },
    { "goaway, then the answer", "G1 0\n" GOOD "D1 000000000161\n" OK,
        FUOTA_GRPC_OK, "", "a", false, true },
    { "goaway twice", "G2147483647 0\nG1 0\n" GOOD "D1 000000000161\n" OK,
        FUOTA_GRPC_OK, "", "a", false, true },
    { "goaway, then silence", "G1 2\n", FUOTA_GRPC_UNAVAILABLE, "gone", "",
        false, false },
    { "settings again", "S\nS\nS\n" GOOD "D1 000000000161\n" OK, FUOTA_GRPC_OK,
        "", "a", false, false },
    { "alien frame",
        "X 000003 63 00 00000001 616263\n" GOOD "D1 000000000161\n" OK,
        FUOTA_GRPC_OK, "", "a", false, false },
    { "data of nobody", "D99 00\n", FUOTA_GRPC_UNAVAILABLE, "gone", "", false,
        true },
    { "headers on 0", "H0 :status=200\n", FUOTA_GRPC_UNAVAILABLE, "gone", "",
        false, true },
    { "pushed stream",
        "X 000000 04 01 00000000\nX 000005 05 04 00000001 00000002 88\n",
        FUOTA_GRPC_UNAVAILABLE, "gone", "", false, true },
    { "bad compression", "X 000002 01 04 00000001 ffff\n",
        FUOTA_GRPC_UNAVAILABLE, "gone", "", false, true },
    { "frame too large", "X ffffff 00 00 00000001\n", FUOTA_GRPC_UNAVAILABLE,
        "gone", "", false, true },
    { "window overflow", "X 000004 08 00 00000000 7fffffff\n",
        FUOTA_GRPC_UNAVAILABLE, "gone", "", false, true },
    { "bad ping", "X 000003 06 00 00000000 000000\n", FUOTA_GRPC_UNAVAILABLE,
        "gone", "", false, true },
    { "continuation alone", "X 000001 09 04 00000001 88\n",
        FUOTA_GRPC_UNAVAILABLE, "gone", "", false, true },
};

static void
s_check (size_t row, const char *how, const fuota_grpc_answer_t *answer)
{
    size_t size = strlen (s_rows [row].message);
    bool same =
        answer->tag == 77 && answer->status == s_rows [row].status &&
        !strcmp (answer->text, s_rows [row].text) &&
        answer->unprocessed == s_rows [row].unprocessed &&
        answer->message.size == size &&
        (!size || !memcmp (answer->message.data, s_rows [row].message, size));
    if (!same)
        fail_msg ("%s, %s: tag %d %s \"%s\" unprocessed %d, %zu bytes",
            s_rows [row].name, how, (int) answer->tag,
            fuota_grpc_status_name (answer->status), answer->text,
            answer->unprocessed, answer->message.size);
}

//  A client with one call on stream 1, sent whole
static fuota_grpc_t *
s_calling (void)
{
    uint8_t bytes [64];
    fuota_grpc_t *client = s_client ();
    assert_int_equal (fuota_grpc_open (client, 0), 0);
    size_t size = s_script ("S\n", bytes, sizeof bytes);
    fuota_grpc_input (client, fuota_slice (bytes, size), 0);
    fuota_grpc_call (client, 77, "/api.T/M", fuota_slice ("hello", 5),
        DEADLINE);
    s_drain (client);
    return client;
}

static void
s_feed (fuota_grpc_t *client, const uint8_t *bytes, size_t size, size_t step)
{
    for (size_t at = 0; at < size; at += step) {
        size_t count = size - at < step ? size - at : step;
        //  A copy of its own size, so that a sanitizer sees every over-read
        uint8_t *copy = malloc (count);
        assert_non_null (copy);
        memcpy (copy, bytes + at, count);
        fuota_grpc_input (client, fuota_slice (copy, count), 0);
        free (copy);
        s_drain (client);
    }
}

static void
test_grpc__hostile_rows (void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof s_rows / sizeof *s_rows; i++)
        for (size_t step = 1; step <= 17; step++) {
            uint8_t bytes [2048];
            char how [32];
            snprintf (how, sizeof how, "by %zu", step);
            size_t size = s_script (s_rows [i].script, bytes, sizeof bytes);
            fuota_grpc_t *client = s_calling ();
            s_feed (client, bytes, size, step < 17 ? step : sizeof bytes);
            if (s_rows [i].over !=
                (fuota_grpc_state (client) == FUOTA_GRPC_OVER))
                fail_msg ("%s, %s: state %d \"%s\"", s_rows [i].name, how,
                    (int) fuota_grpc_state (client), fuota_grpc_fault (client));
            fuota_grpc_shut (client, "gone");
            fuota_grpc_answer_t answer;
            assert_true (fuota_grpc_answer (client, &answer));
            s_check (i, how, &answer);
            assert_false (fuota_grpc_answer (client, &answer));
            fuota_grpc_destroy (&client);
        }
    assert_int_equal (s_blocks, 0);
}

//  Cut anywhere, or with a bit turned over: one answer, and never an OK that
//  was not said.
static void
test_grpc__cut_and_flipped (void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof s_rows / sizeof *s_rows; i++) {
        uint8_t bytes [2048];
        size_t size = s_script (s_rows [i].script, bytes, sizeof bytes);
        for (size_t at = 0; at < size * 9; at++) {
            fuota_grpc_t *client = s_calling ();
            fuota_grpc_answer_t answer;
            uint8_t bit = (uint8_t) (at < size ? 0u : 1u << (at / size - 1));
            bytes [at % size] ^= bit;
            s_feed (client, bytes, bit ? size : at, 2048);
            bytes [at % size] ^= bit;
            fuota_grpc_shut (client, "gone");
            assert_true (fuota_grpc_answer (client, &answer));
            assert_int_equal (answer.tag, 77);
            if (!bit && answer.status == FUOTA_GRPC_OK)
                s_check (i, "cut", &answer);
            assert_false (fuota_grpc_answer (client, &answer));
            fuota_grpc_destroy (&client);
        }
    }
    assert_int_equal (s_blocks, 0);
}

//  Until SETTINGS come nobody knows what is at the other end
static void
test_grpc__not_http2 (void **state)
{
    static const struct {
        const char *name, *script;
    } cases [] = {
        { "HTTP/1.1", "X 485454502f312e3120343030204261640d0a0d0a\n" },
        { "TLS alert", "X 15030300020246150303000202461503030002\n" },
        { "zeros", "X 0000000000000000000000000000000000000000\n" },
        { "ping first", "X 000008 06 00 00000000 0000000000000000\n" },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes [64];
        size_t size = s_script (cases [i].script, bytes, sizeof bytes);
        fuota_grpc_t *client = s_client ();
        assert_int_equal (fuota_grpc_open (client, 0), 0);
        fuota_grpc_call (client, 77, "/api.T/M", fuota_slice (NULL, 0), 9);
        s_drain (client);
        fuota_grpc_input (client, fuota_slice (bytes, size), 0);
        s_drain (client);
        if (fuota_grpc_state (client) != FUOTA_GRPC_OVER ||
            strcmp (fuota_grpc_fault (client),
                "the peer does not speak HTTP/2"))
            fail_msg ("%s: %d \"%s\"", cases [i].name,
                (int) fuota_grpc_state (client), fuota_grpc_fault (client));
        fuota_grpc_answer_t answer;
        fuota_grpc_shut (client, "gone");
        assert_false (fuota_grpc_answer (client, &answer));  //  It never left
        fuota_grpc_refuse (client, "no server");
        assert_true (fuota_grpc_answer (client, &answer));
        assert_true (answer.unprocessed);
        assert_string_equal (answer.text, "no server");
        fuota_grpc_destroy (&client);
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_grpc__hostile_rows),
        cmocka_unit_test (test_grpc__cut_and_flipped),
        cmocka_unit_test (test_grpc__not_http2),
    };
    return cmocka_run_group_tests_name ("grpc", tests, NULL, NULL);
}
