//  SPDX-License-Identifier: MIT
//
//  Parts: which deployment or image a text means; pages of deployments,
//  devices, journal lines and images. A page ends with the key it got to, and
//  the next begins after it: rows that come or go in between do no harm.

#include <stdio.h>
#include <string.h>
#include "broker/control_private.h"
#include "broker/summary.h"
#include "broker/uses.h"
#include "schema/hex.h"
#include "workers/package/mckey.h"

#define ID_DIGITS (2 * FUOTA_ID_SIZE)
#define HASH 32
#define PREFIX_MIN 4

//  ---------------------------------------------------------------------
//  Which deployment

//  Hex digits to the nibbles they are. Returns their count, 0 if the text is
//  something else or has more than most.
static size_t
s_nibbles (const char *text, uint8_t *nibbles, size_t most)
{
    size_t count = strlen (text);
    if (count > most)
        return 0;
    for (size_t i = 0; i < count; i++) {
        int nibble = fuota_hex_digit (text [i]);
        if (nibble < 0)
            return 0;
        nibbles [i] = (uint8_t) nibble;
    }
    return count;
}

static bool
s_begins (const uint8_t *id, const uint8_t *nibbles, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if ((i % 2 ? id [i / 2] & 15 : id [i / 2] >> 4) != nibbles [i])
            return false;
    return true;
}

static bool
s_has_name (fuota_slice_t value, const char *name)
{
    fuota_deployment_t deployment;
    bool same = !fuota_record_decode (Deployment_fields, &deployment, value) &&
                strcmp (deployment.name, name) == 0;
    fuota_mckey_wipe (deployment.mc_key, sizeof deployment.mc_key);
    return same;
}

typedef struct {
    unsigned count;
    uint8_t id [FUOTA_ID_SIZE];  //  The first
} found_t;

static void
s_note (found_t *found, fuota_slice_t key)
{
    if (key.size == FUOTA_ID_SIZE && found->count++ == 0)
        memcpy (found->id, key.data, FUOTA_ID_SIZE);
}

//  Look at all of them: a name wins over the beginning of an id.
static void
s_search (fuota_control_t *self, const char *text, const uint8_t *nibbles,
    size_t digits, found_t *found)
{
    found_t by_name = { 0 }, by_id = { 0 };
    fuota_scan_t scan;
    if (fuota_scan_open (&scan, self->read, FUOTA_TABLE_DEPLOYMENT, NULL, NULL))
        return;
    while (fuota_scan_next (&scan)) {
        if (s_has_name (scan.value, text))
            s_note (&by_name, scan.key);
        if (digits >= PREFIX_MIN && scan.key.size == FUOTA_ID_SIZE &&
            s_begins (scan.key.data, nibbles, digits))
            s_note (&by_id, scan.key);
    }
    fuota_scan_close (&scan);
    *found = by_name.count ? by_name : by_id;
}

static void
s_whole (fuota_control_t *self, const uint8_t *nibbles, found_t *found)
{
    for (size_t i = 0; i < FUOTA_ID_SIZE; i++)
        found->id [i] = (uint8_t) (nibbles [2 * i] << 4 | nibbles [2 * i + 1]);
    fuota_key_t key = fuota_key_id (found->id);
    fuota_slice_t value;
    found->count =
        !fuota_read_get (self->read, FUOTA_TABLE_DEPLOYMENT, &key, &value);
}

bool
fuota_find_id (fuota_control_t *self, const char *text, fuota_turn_t *turn)
{
    uint8_t nibbles [ID_DIGITS];
    size_t digits = s_nibbles (text, nibbles, ID_DIGITS);
    found_t found = { 0 };
    if (digits == ID_DIGITS)
        s_whole (self, nibbles, &found);
    if (!found.count && *text)
        s_search (self, text, nibbles, digits, &found);
    memcpy (turn->id, found.id, FUOTA_ID_SIZE);
    if (found.count == 0)
        fuota_control_say (turn, FUOTA_NOT_FOUND,
            "id: %s; allowed 32 hex digits, a unique beginning of 4 or more, "
            "or a deployment's name",
            *text ? text : "none");
    else if (found.count > 1)
        fuota_control_say (turn, FUOTA_AMBIGUOUS,
            "id: %s; means %u deployments, allowed one", text, found.count);
    return found.count == 1;
}

bool
fuota_find_image (fuota_control_t *self, const char *text, uint8_t sha256 [32],
    fuota_turn_t *turn)
{
    uint8_t nibbles [2 * HASH];
    size_t digits = s_nibbles (text, nibbles, sizeof nibbles);
    unsigned count = 0;
    fuota_scan_t scan;
    if (digits >= PREFIX_MIN &&
        !fuota_scan_open (&scan, self->read, FUOTA_TABLE_IMAGE, NULL, NULL)) {
        while (fuota_scan_next (&scan))
            if (scan.key.size == HASH &&
                s_begins (scan.key.data, nibbles, digits) && count++ == 0)
                memcpy (sha256, scan.key.data, HASH);
        fuota_scan_close (&scan);
    }
    if (count == 0)
        fuota_control_say (turn, FUOTA_NOT_FOUND,
            "image: %s; allowed the 64 hex digits of one that is stored, or a "
            "unique beginning of 4 or more",
            *text ? text : "none");
    else if (count > 1)
        fuota_control_say (turn, FUOTA_AMBIGUOUS,
            "image: %s; means %u images, allowed one", text, count);
    return count == 1;
}

//  ---------------------------------------------------------------------
//  Pages

typedef struct {
    fuota_control_t *self;
    fuota_turn_t *turn;
    fuota_table_t table;
    const fuota_key_t *prefix;
    size_t key_size, most;
    bool (*take) (void *page, const fuota_scan_t *scan);
    pb_size_t *count;    //  Of the lines taken
    fuota_uses_t *uses;  //  Of images; else NULL
} page_t;

static bool
s_good_after (const page_t *page)
{
    size_t prefix = page->prefix ? page->prefix->size : 0;
    size_t size = page->self->request.after.size;
    return size == 0 || (size == page->key_size &&
                            (!prefix || memcmp (page->self->request.after.bytes,
                                            page->prefix->data, prefix) == 0));
}

//  Rows after the last key until the page is full. A row that cannot be read
//  is left out.
static void
s_fill (page_t *page, fuota_scan_t *scan)
{
    fuota_reply_t *reply = &page->turn->reply;
    size_t after = page->self->request.after.size;
    size_t wanted = page->self->request.limit;
    size_t most = wanted && wanted < page->most ? wanted : page->most;
    uint8_t last [sizeof reply->next.bytes];
    while (fuota_scan_next (scan)) {
        if (scan->key.size != page->key_size ||
            (after && memcmp (scan->key.data, page->self->request.after.bytes,
                          after) == 0))
            continue;
        if (*page->count == most) {
            memcpy (reply->next.bytes, last, page->key_size);
            reply->next.size = (pb_size_t) page->key_size;
            return;
        }
        memcpy (last, scan->key.data, page->key_size);
        *page->count += page->take (page, scan);
    }
}

static void
s_page (page_t *page)
{
    if (!s_good_after (page)) {
        fuota_control_say (page->turn, FUOTA_MALFORMED,
            "after: %u bytes; allowed none, or `next` of the page before",
            (unsigned) page->self->request.after.size);
        return;
    }
    fuota_key_t from = fuota_key_bytes (page->self->request.after.bytes,
        page->self->request.after.size);
    fuota_scan_t scan;
    if (fuota_scan_open (&scan, page->self->read, page->table, page->prefix,
            from.size ? &from : NULL)) {
        fuota_control_say (page->turn, FUOTA_FAILED,
            "the database cannot be read");
        return;
    }
    s_fill (page, &scan);
    fuota_scan_close (&scan);
}

static bool
s_take_summary (void *arg, const fuota_scan_t *scan)
{
    page_t *page = arg;
    fuota_reply_t *reply = &page->turn->reply;
    return !fuota_control_summary (page->self, scan->key.data,
        &reply->summaries [reply->summaries_count]);
}

void
fuota_find_list (fuota_control_t *self, fuota_turn_t *turn)
{
    fuota_reply_t *reply = &turn->reply;
    page_t page = { self, turn, FUOTA_TABLE_DEPLOYMENT, NULL, FUOTA_ID_SIZE,
        sizeof reply->summaries / sizeof *reply->summaries, s_take_summary,
        &reply->summaries_count, NULL };
    s_page (&page);
}

static bool
s_take_device (void *arg, const fuota_scan_t *scan)
{
    page_t *page = arg;
    fuota_reply_t *reply = &page->turn->reply;
    fuota_device_t device;
    if (fuota_record_decode (Device_fields, &device, scan->value))
        return false;
    fuota_summary_device (fuota_be (scan->key.data + FUOTA_ID_SIZE, 8), &device,
        &reply->devices [reply->devices_count]);
    return true;
}

void
fuota_find_devices (fuota_control_t *self, fuota_turn_t *turn)
{
    fuota_reply_t *reply = &turn->reply;
    fuota_key_t prefix = fuota_key_id (turn->id);
    page_t page = { self, turn, FUOTA_TABLE_DEVICE, &prefix, FUOTA_ID_SIZE + 8,
        sizeof reply->devices / sizeof *reply->devices, s_take_device,
        &reply->devices_count, NULL };
    s_page (&page);
}

static bool
s_take_line (void *arg, const fuota_scan_t *scan)
{
    page_t *page = arg;
    fuota_reply_t *reply = &page->turn->reply;
    fuota_line_t line;
    if (fuota_record_decode (JournalLine_fields, &line, scan->value))
        return false;
    fuota_summary_line (&line, &reply->lines [reply->lines_count]);
    return true;
}

void
fuota_find_journal (fuota_control_t *self, fuota_turn_t *turn)
{
    fuota_reply_t *reply = &turn->reply;
    fuota_key_t prefix = fuota_key_id (turn->id);
    page_t page = { self, turn, FUOTA_TABLE_JOURNAL, &prefix, FUOTA_ID_SIZE + 8,
        sizeof reply->lines / sizeof *reply->lines, s_take_line,
        &reply->lines_count, NULL };
    s_page (&page);
}

static bool
s_take_gateway (void *arg, const fuota_scan_t *scan)
{
    page_t *page = arg;
    fuota_reply_t *reply = &page->turn->reply;
    GatewayLine *line = &reply->gateways [reply->gateways_count];
    fuota_fate_t fate;
    bool one = page->table == FUOTA_TABLE_FATE;
    size_t at = one ? FUOTA_ID_SIZE : 0;
    if (one && fuota_record_decode (Fate_fields, &fate, scan->value))
        return false;
    fuota_gateways_line (page->self, fuota_be (scan->key.data + at, 8), line);
    if (one) {
        line->by_word_count = FUOTA_WORDS;
        memcpy (line->by_word, fate.by_word, sizeof fate.by_word);
    }
    return true;
}

//  All of them, or with an id those a deployment's fragments were given to.
void
fuota_find_gateways (fuota_control_t *self, fuota_turn_t *turn)
{
    fuota_reply_t *reply = &turn->reply;
    bool one = *self->request.id;
    if (one && !fuota_find_id (self, self->request.id, turn))
        return;
    fuota_key_t prefix = fuota_key_id (turn->id);
    page_t page = { self, turn, one ? FUOTA_TABLE_FATE : FUOTA_TABLE_GATEWAY,
        one ? &prefix : NULL, one ? FUOTA_ID_SIZE + 8 : 8,
        sizeof reply->gateways / sizeof *reply->gateways, s_take_gateway,
        &reply->gateways_count, NULL };
    s_page (&page);
}

static bool
s_take_image (void *arg, const fuota_scan_t *scan)
{
    page_t *page = arg;
    fuota_reply_t *reply = &page->turn->reply;
    ImageLine *line = &reply->images [reply->images_count];
    fuota_image_t image;
    size_t count;
    if (fuota_record_decode (Image_fields, &image, scan->value))
        return false;
    fuota_uses_of (page->uses, scan->key.data, &count);
    *line = (ImageLine){ .size = image.size,
        .created = image.created,
        .deployments = (uint32_t) count };
    fuota_hex (scan->key.data, HASH, line->sha256);
    snprintf (line->label, sizeof line->label, "%s", image.label);
    return true;
}

void
fuota_find_images (fuota_control_t *self, fuota_turn_t *turn)
{
    fuota_reply_t *reply = &turn->reply;
    fuota_uses_t uses;
    page_t page = { self, turn, FUOTA_TABLE_IMAGE, NULL, HASH,
        sizeof reply->images / sizeof *reply->images, s_take_image,
        &reply->images_count, &uses };
    if (fuota_uses_read (&uses, self->read))
        fuota_control_failed (turn, "a deployment cannot be read");
    else
        s_page (&page);
    fuota_uses_release (&uses);
}
