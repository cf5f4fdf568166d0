//  SPDX-License-Identifier: MIT
//
//  One simulated device: bytes in, bytes out. Hostile rows first.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>
#include <openssl/evp.h>
#include "broker/host/sim_device.h"

#define START 1767225600000  //  2026-01-01
#define GPS 1451260818       //  The same in GPS seconds
#define TEXT 400

typedef struct {
    fuota_sim_world_t world;
    fuota_sim_device_t device;
    int64_t now;
} one_t;

static void
s_init (one_t *one, uint32_t version, unsigned quirks)
{
    memset (one, 0, sizeof *one);
    one->now = START;
    one->world.born = START;
    one->world.gps_minus_utc = (int64_t) GPS * 1000 - START;
    one->world.shelf = fuota_sim_shelf_new ();
    one->world.config.uplink_interval = 86400000;
    one->world.config.ts003 = version;
    one->world.config.ts004 = version;
    one->world.config.ts005 = version;
    fuota_sim_device_init (&one->device, &one->world, 0);
    one->device.quirks = (uint16_t) quirks;
    one->device.time_at = one->device.uplink_at = INT64_MAX;
    for (unsigned i = 0; i < 16; i++)
        one->device.root [i] = (uint8_t) i;
}

static void
s_release (one_t *one)
{
    fuota_sim_device_release (&one->device);
    assert_int_equal (fuota_sim_shelf_size (one->world.shelf), 0);
    fuota_sim_shelf_destroy (&one->world.shelf);
}

static size_t
s_bytes (const char *hex, uint8_t *out)
{
    size_t size = 0;
    unsigned value;
    for (; sscanf (hex, "%2x", &value) == 1 && hex [1]; hex += 2)
        out [size++] = (uint8_t) value;
    return size;
}

static void
s_hear (one_t *one, unsigned f_port, const char *hex)
{
    uint8_t bytes [300];
    size_t size = s_bytes (hex, bytes);
    fuota_sim_device_hear (&one->device, (uint8_t) f_port,
        fuota_slice (bytes, size), one->now);
}

//  All it says within an hour, frames parted by blanks.
static const char *
s_said (one_t *one, char *text)
{
    fuota_sim_frame_t frame;
    size_t at = 0;
    int64_t end = one->now + 3600000;
    text [0] = 0;
    while (fuota_sim_device_due (&one->device) <= end) {
        one->now = fuota_sim_device_due (&one->device);
        if (!fuota_sim_device_uplink (&one->device, one->now, &frame))
            fail_msg ("due, and says nothing");
        if (at > 0)
            text [at++] = ' ';
        for (size_t i = 0; i < frame.size && at < TEXT - 4; i++, at += 2)
            snprintf (text + at, 3, "%02x", frame.data [i]);
    }
    text [at] = 0;
    return text;
}

//  Feed payloads "hex hex ..." to a port; what it says in the end.
static const char *
s_talk (one_t *one, unsigned f_port, const char *in, char *text)
{
    char copy [TEXT * 2], *rest = copy;
    snprintf (copy, sizeof copy, "%s", in);
    for (char *word; (word = strtok_r (rest, " ", &rest));)
        s_hear (one, f_port, word);
    return s_said (one, text);
}

typedef struct {
    const char *name;
    uint32_t version;
    unsigned quirks;
    unsigned f_port;
    const char *in;
    const char *out;
} row_t;

static void
s_rows (const row_t *rows, size_t count)
{
    char text [TEXT];
    for (const row_t *row = rows; row < rows + count; row++) {
        one_t one;
        s_init (&one, row->version, row->quirks);
        s_talk (&one, row->f_port, row->in, text);
        if (strcmp (text, row->out) != 0)
            fail_msg ("%s: %s, not %s", row->name, text, row->out);
        s_release (&one);
    }
}

#define ROWS(rows) s_rows (rows, sizeof (rows) / sizeof *(rows))

#define SETUP_V1 "0201e8033203110a0b0c0d"
#define SETUP_V2 "0231000480404001020304800001020304"
#define GROUP "0200ffffff01015e85f4b99dc0b944066cd07498330b00000000ff000000"

static void
test_sim_device__hostile (void **state)
{
    static const row_t rows [] = {
        { "nothing", 1, 0, 201, "", "" },
        { "no such port", 1, 0, 77, "00", "" },
        { "not the package", 0, 0, 201, "00", "" },
        { "alien", 1, 0, 201, "7f", "" },
        { "alien after a good one", 1, 0, 201, "007f00", "000301" },
        { "cut after a good one", 1, 0, 200, "000402", "000201" },
        { "own direction", 1, 0, 202, "010004", "" },
        { "all or none", 1, FUOTA_SIM_ALL_OR_NONE, 201, "007f00", "" },
        { "v2 setup at v1", 1, 0, 201, SETUP_V2, "02c0" },
        { "the same, LBM", 1, FUOTA_SIM_ALL_OR_NONE, 201, SETUP_V2, "" },
        { "v1 setup at v2", 2, 0, 201, SETUP_V1, "" },
        { "received ans at v1", 1, 0, 201, "040000", "" },
        { "M 0", 1, 0, 201, "0201000032030000000000", "0208" },
        { "M too large", 1, 0, 201, "0201004032030000000000", "0202" },
        { "FragSize 0", 1, 0, 201, "0201e80300030000000000", "0208" },
        { "padding too large", 1, 0, 201, "0201e80332033200000000", "0208" },
        { "algorithm", 1, 0, 201, "0201e80332083100000000", "0201" },
        { "fragment without session", 1, 0, 201, "08010000", "" },
        { "header of a fragment", 1, 0, 201, "0801", "" },
    };
    (void) state;
    ROWS (rows);
}

static void
test_sim_device__cut_at_every_length (void **state)
{
    static const row_t rows [] = {
        { "setup v1", 1, 0, 201, SETUP_V1, "" },
        { "setup v2", 2, 0, 201, SETUP_V2, "" },
        { "group", 1, 0, 200, GROUP, "" },
        { "class C", 1, 0, 200, "0402000400000f28768405", "" },
        { "class B", 2, 0, 200, "0503000400004f28768405", "" },
        { "time", 2, 0, 202, "010004000000", "" },
    };
    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t cut = 2; cut < strlen (rows [i].in); cut += 2) {
            char in [TEXT];
            row_t row = rows [i];
            snprintf (in, sizeof in, "%.*s", (int) cut, rows [i].in);
            row.in = in;
            s_rows (&row, 1);
        }
}

static void
test_sim_device__answers (void **state)
{
    static const row_t rows [] = {
        { "versions v1", 1, 0, 201, "00", "000301" },
        { "versions v2", 2, 0, 200, "00", "000202" },
        { "clock v2", 2, 0, 202, "00", "000102" },
        { "stream", 1, 0, 201, "0003000201e8033203110a0b0c0d",
            "00030103040200" },
        { "two payloads", 1, FUOTA_SIM_SEPARATE, 201, "000300", "000301 0304" },
        { "no session v1", 1, 0, 201, "0105",
            "010080"
            "0000" },
        { "no session v2", 2, 0, 201, "0105", "0104" },
        { "no session, LBM", 2, FUOTA_SIM_LONG_NO_SESSION, 201, "0105",
            "0104000000" },
        { "not asked", 1, 0, 201, "0104", "" },
        { "asked and missing", 1, 0, 201, SETUP_V1 " 0100", "0200 010000ff00" },
        { "asked twice", 1, 0, 201, SETUP_V1 " 0101 0101", "0200 010000ff00" },
        { "setup, delete, delete", 1, 0, 201, SETUP_V1 "03000300",
            "020003000304" },
        { "index 0", 1, FUOTA_SIM_NO_INDEX_0, 201, SETUP_V1, "0204" },
        { "group", 1, 0, 200, GROUP, "0200" },
        { "group 0", 1, FUOTA_SIM_NO_GROUP_0, 200, GROUP, "0204" },
        { "group 0 stays unknown", 1, FUOTA_SIM_NO_GROUP_0, 200, GROUP "010f",
            "02040100" },
        { "groups", 1, 0, 200, GROUP "010f", "0200011100ffffff01" },
        { "another asked", 1, 0, 200, GROUP "010e", "02000110" },
        { "delete", 1, 0, 200, GROUP "03000300", "020003000304" },
        { "class C, no group", 1, 0, 200, "0403010204080828768404", "0413" },
        { "class B, no group", 2, 0, 200, "0503010204084828768405", "0513" },
        { "no group, LMN", 1, FUOTA_SIM_LMN_SESSION, 200,
            "0403010204080828768404", "041f" },
        { "missed", 2, 0, 200, GROUP "04008cff614907d2ad8400", "02000420" },
        { "missed, LMN", 1, FUOTA_SIM_LMN_SESSION, 200,
            GROUP "04008cff614907d2ad8400", "02000410" },
        { "frequency 0", 2, 0, 200,
            GROUP "0400ffff807607000000"
                  "00",
            "02000408" },
        { "rate", 2, 0, 200, GROUP "0400ffff80760728768410", "02000404" },
        { "forced 0", 2, 0, 202, "0300", "" },
    };
    (void) state;
    ROWS (rows);
}

//  Two fragments of nine bytes, one of padding: the small case of 9.3.
#define SMALL                                                                  \
    "023f0200094001"                                                           \
    "0a0b0c0d"                                                                 \
    "0102"                                                                     \
    "ef5d956e"
#define FIRST                                                                  \
    "0801c0"                                                                   \
    "000102030405060708"
#define SECOND                                                                 \
    "0802c0"                                                                   \
    "090a0b0c0d0e0f1000"
#define CODED                                                                  \
    "0803c0"                                                                   \
    "090a0b0c0d0e0f1000"

static void
test_sim_device__blocks (void **state)
{
    static const struct {
        const char *name;
        uint32_t version;
        unsigned quirks;
        const char *in;
        fuota_sim_state_t end;
        const char *status;  //  What it says to 0107 then
    } cases [] = {
        { "nothing yet", 2, 0, SMALL, FUOTA_SIM_EMPTY, "010000c002" },
        { "one", 2, 0, SMALL " " FIRST, FUOTA_SIM_RECEIVING, "010001c001" },
        { "twice the same", 2, 0, SMALL " " FIRST " " FIRST,
            FUOTA_SIM_RECEIVING, "010002c001" },
        { "last N", 2, FUOTA_SIM_LAST_N, SMALL " " SECOND, FUOTA_SIM_RECEIVING,
            "010002c001" },
        { "N 0", 2, 0, SMALL " 0800c0000000000000000000", FUOTA_SIM_EMPTY,
            "010000c002" },
        { "short", 2, 0, SMALL " 0801c00001020304050607", FUOTA_SIM_EMPTY,
            "010000c002" },
        { "long", 2, 0, SMALL " " FIRST "00", FUOTA_SIM_EMPTY, "010000c002" },
        { "whole", 2, 0, SMALL " " FIRST " " SECOND, FUOTA_SIM_COMPLETE,
            "010002c000" },
        { "late", 2, 0, SMALL " " FIRST " " SECOND " " CODED,
            FUOTA_SIM_COMPLETE, "010002c000" },
        { "repaired", 2, 0, SMALL " " FIRST " " CODED, FUOTA_SIM_COMPLETE,
            "010002c000" },
        { "LBM", 2, FUOTA_SIM_ONE_MISSING, SMALL " " FIRST " " SECOND,
            FUOTA_SIM_COMPLETE, "010002c001" },
        { "LBM, repaired", 2, FUOTA_SIM_ONE_MISSING, SMALL " " FIRST " " CODED,
            FUOTA_SIM_COMPLETE, "010002c000" },
        { "wants a coded one", 2, FUOTA_SIM_NEEDS_CODED,
            SMALL " " FIRST " " SECOND, FUOTA_SIM_RECEIVING, "010002c001" },
        { "has a coded one", 2, FUOTA_SIM_NEEDS_CODED,
            SMALL " " FIRST " " SECOND " " CODED, FUOTA_SIM_COMPLETE,
            "010003c000" },
        { "wrong byte", 2, 0, SMALL " " FIRST " 0802c0090a0b0c0d0e0f1100",
            FUOTA_SIM_WRONG_MIC, "010202c000" },
        { "wrong MIC", 2, 0,
            "023f02000940010a0b0c0d0102ef5d956f " FIRST " " SECOND,
            FUOTA_SIM_WRONG_MIC, "010202c000" },
        { "v1 cannot know", 1, 0,
            "023f02000940010a0b0c0d " FIRST " 0802c0090a0b0c0d0e0f1100",
            FUOTA_SIM_COMPLETE, "0102c00000" },
    };
    char text [TEXT];
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        one_t one;
        s_init (&one, cases [i].version, cases [i].quirks);
        s_talk (&one, 201, cases [i].in, text);
        const fuota_sim_block_t *block = one.device.block [3];
        if (!block || block->state != cases [i].end)
            fail_msg ("%s: %d", cases [i].name,
                block ? (int) block->state : -1);
        s_hear (&one, 201, "0403");
        if (strcmp (s_talk (&one, 201, "0107", text), cases [i].status) != 0)
            fail_msg ("%s: status %s", cases [i].name, text);
        s_release (&one);
    }
}

static void
test_sim_device__image (void **state)
{
    uint8_t block [17], sha256 [32];
    char text [TEXT];
    one_t one;
    (void) state;
    for (unsigned i = 0; i < sizeof block; i++)
        block [i] = (uint8_t) i;
    EVP_Digest (block, sizeof block, sha256, NULL, EVP_sha256 (), NULL);
    s_init (&one, 2, 0);
    s_talk (&one, 201, SMALL " " FIRST " " CODED, text);
    assert_int_equal (one.device.blocks, 1);
    assert_memory_equal (one.device.sha256, sha256, 32);
    assert_null (one.device.block [3]->decoder);
    s_release (&one);
}

//  FragDataBlockReceivedReq is repeated until the answer has come.
static void
test_sim_device__reports (void **state)
{
    char text [TEXT];
    one_t one;
    fuota_sim_frame_t frame;
    (void) state;
    s_init (&one, 2, 0);
    s_talk (&one, 201, SMALL, text);
    s_hear (&one, 201, FIRST);
    s_hear (&one, 201, SECOND);
    for (int i = 0; i < 3; i++) {
        one.now = fuota_sim_device_due (&one.device);
        assert_true (fuota_sim_device_uplink (&one.device, one.now, &frame));
        assert_int_equal (frame.f_port, 201);
        assert_int_equal (frame.size, 2);
        assert_int_equal (frame.data [0], 4);
        assert_int_equal (frame.data [1], 3);
    }
    s_hear (&one, 201, "0402");
    assert_true (fuota_sim_device_due (&one.device) < INT64_MAX);
    s_hear (&one, 201, "0403");
    assert_true (fuota_sim_device_due (&one.device) == INT64_MAX);
    s_release (&one);
}

//  A coded fragment for which it has no room for losses ends it.
static void
test_sim_device__limits (void **state)
{
    char text [TEXT];
    one_t one;
    (void) state;
    s_init (&one, 1, 0);
    one.world.config.max_block = 999;
    assert_string_equal (s_talk (&one, 201, SETUP_V1, text), "0202");
    one.world.config.max_block = 50000;
    one.world.config.max_losses = 1;
    s_talk (&one, 201, "023f03000100000000000000", text);
    s_talk (&one, 201, "0804c0aa", text);
    assert_int_equal (one.device.block [3]->state, FUOTA_SIM_OVERLOADED);
    assert_string_equal (s_talk (&one, 201, "0107", text), "0101c00301");
    s_release (&one);
    s_init (&one, 1, 0);
    one.device.refusing = true;
    assert_string_equal (s_talk (&one, 201, SETUP_V1, text), "0202");
    s_release (&one);
}

static void
test_sim_device__session_cnt (void **state)
{
    json_t *file =
        json_load_file (FUOTA_VECTORS "/fragmentation.json", 0, NULL);
    json_t *rules = json_object_get (file, "session_cnt_rules"), *rule;
    size_t i;
    (void) state;
    assert_non_null (rules);
    json_array_foreach (json_object_get (rules, "cases"), i, rule)
    {
        char in [TEXT], text [TEXT];
        one_t one;
        unsigned count = (unsigned) json_integer_value (
            json_object_get (rule, "session_cnt"));
        s_init (&one, 2, 0);
        one.device.session_cnt_prev [3] = (int32_t) json_integer_value (
            json_object_get (rule, "session_cnt_prev"));
        snprintf (in, sizeof in, "0231000480404001020304%02x%02x01020304",
            count & 255, count >> 8);
        s_talk (&one, 201, in, text);
        bool accepted = json_is_true (json_object_get (rule, "accepted"));
        if (strcmp (text, accepted ? "02c0" : "02d0") != 0)
            fail_msg ("SessionCnt rule %zu: %s", i, text);
        s_release (&one);
    }
    json_decref (file);
}

//  The counter is used up by the first fragment, not by the setup.
static void
test_sim_device__setup_may_be_repeated (void **state)
{
    static const row_t rows [] = {
        { "before", 2, 0, 201, SMALL SMALL, "02c002c0" },
        { "after", 2, 0, 201, SMALL " " FIRST " " SMALL, "02c002d0" },
        { "deleted", 2, 0, 201, SMALL " " FIRST " 0303" SMALL, "02c0030302d0" },
    };
    char text [TEXT];
    (void) state;
    s_rows (rows, 1);
    for (size_t i = 1; i < sizeof rows / sizeof *rows; i++) {
        one_t one;
        s_init (&one, 2, 0);
        s_talk (&one, 201, rows [i].in, text);
        size_t at = 0;
        for (const char *c = text; *c; c++)
            if (*c != ' ')
                text [at++] = *c;
        text [at] = 0;
        if (strlen (text) != strlen (rows [i].out) || !strstr (text, "02d0"))
            fail_msg ("%s: %s", rows [i].name, text);
        s_release (&one);
    }
}

//  Clock synchronisation

static void
test_sim_device__clock_correction (void **state)
{
    json_t *file = json_load_file (FUOTA_VECTORS "/clock-sync.json", 0, NULL);
    json_t *list =
        json_object_get (json_object_get (file, "time_correction_cases"),
            "cases");
    json_t *row;
    size_t i;
    (void) state;
    assert_non_null (list);
    json_array_foreach (list, i, row)
    {
        char in [TEXT];
        one_t one;
        s_init (&one, 2, 0);
        int64_t device =
            json_integer_value (json_object_get (row, "device_time"));
        int64_t after =
            json_integer_value (json_object_get (row, "device_time_after"));
        uint32_t change = (uint32_t) json_integer_value (
            json_object_get (row, "time_correction"));
        one.device.ahead = device * 1000 - START;
        snprintf (in, sizeof in, "01%02x%02x%02x%02x00", change & 255,
            change >> 8 & 255, change >> 16 & 255, change >> 24);
        s_hear (&one, 202, in);
        int64_t clock = fuota_sim_device_clock (&one.device, one.now) / 1000;
        if ((uint32_t) clock != (uint32_t) after)
            fail_msg ("correction %zu: %lld", i, (long long) clock);
        assert_int_equal (one.device.token, 1);
        bool cut = json_is_true (json_object_get (row, "saturated"));
        assert_int_equal (fuota_sim_device_due (&one.device) < one.now + 60000,
            cut);
        s_release (&one);
    }
    json_decref (file);
}

static void
test_sim_device__token_and_resync (void **state)
{
    char text [TEXT];
    one_t one;
    (void) state;
    s_init (&one, 1, 0);
    one.device.ahead = -START;
    one.device.synced = true;
    one.device.token = 15;
    s_talk (&one, 202, "0303", text);
    assert_int_equal (strlen (text), 3 * 12 + 2);
    assert_string_equal (text + 10 + 13 + 13, "0f");
    s_hear (&one, 202, "01050000000e");
    assert_int_equal (one.device.ahead, -START);
    s_hear (&one, 202, "0105000000ff");
    assert_int_equal (one.device.ahead, 5000 - START);
    assert_int_equal (one.device.token, 0);
    s_hear (&one, 202, "0303");
    one.now = fuota_sim_device_due (&one.device);
    s_hear (&one, 202, "010000000000");
    assert_true (fuota_sim_device_due (&one.device) > one.now + 86000000);
    s_release (&one);
}

static void
test_sim_device__periodicity (void **state)
{
    char text [TEXT];
    one_t one;
    (void) state;
    s_init (&one, 2, 0);
    s_hear (&one, 202, "02f0");
    int64_t due = one.device.time_at - one.now;
    assert_true (due >= 98000 && due <= 158000);
    one.device.time_at = INT64_MAX;
    one.device.ahead = -one.now;
    one.device.ahead += 0x01020380LL * 1000;
    s_said (&one, text);
    assert_int_equal (strlen (text), 12);
    assert_int_equal (strncmp (text, "0200", 4), 0);
    assert_string_equal (text + 6, "030201");
    s_release (&one);
}

//  Multicast

static const uint8_t app_s_key [16] = { 0xc3, 0xf6, 0xc3, 0x9b, 0x6b, 0x64,
    0x96, 0xc2, 0x96, 0x29, 0xf7, 0xe7, 0xe9, 0xb0, 0xcd, 0x29 };
static const uint8_t nwk_s_key [16] = { 0xbb, 0x75, 0xc3, 0x62, 0x58, 0x8f,
    0x5d, 0x65, 0xfc, 0xc6, 0x1c, 0x08, 0x0b, 0x76, 0xdb, 0xa3 };

static fuota_sim_cast_t
s_cast (const uint8_t *data, size_t size)
{
    fuota_sim_cast_t cast = { .mc_addr = 0x01ffffff,
        .app_s_key = app_s_key,
        .nwk_s_key = nwk_s_key,
        .dr = 5,
        .frequency = 868100000,
        .f_port = 201,
        .data = { data, size } };
    return cast;
}

//  A session of 16 s that begins 100 s from now.
static void
s_open (one_t *one)
{
    char in [TEXT], text [TEXT];
    uint32_t at = GPS + (uint32_t) ((one->now - START) / 1000) + 100;
    int64_t now = one->now;
    snprintf (in, sizeof in, GROUP "0400%02x%02x%02x%02x0428768405", at & 255,
        at >> 8 & 255, at >> 16 & 255, at >> 24);
    s_talk (one, 200, in, text);
    assert_int_equal (strncmp (text, "02000400", 8), 0);
    long left = strtol (text + 8, NULL, 16) >> 16;
    assert_in_range (left, 89, 99);
    one->now = now + 100000;
}

static void
test_sim_device__session_window (void **state)
{
    uint8_t other [16] = { 0 };
    one_t one;
    (void) state;
    s_init (&one, 2, 0);
    s_open (&one);
    fuota_sim_cast_t cast = s_cast (NULL, 0);
    fuota_sim_device_t *device = &one.device;
    assert_int_equal (fuota_sim_device_listens (device, &cast, one.now), 0);
    assert_int_equal (fuota_sim_device_listens (device, &cast, one.now - 1),
        -1);
    assert_int_equal (fuota_sim_device_listens (device, &cast, one.now + 15999),
        0);
    assert_int_equal (fuota_sim_device_listens (device, &cast, one.now + 16000),
        -1);
    fuota_sim_cast_t odd [6];
    for (size_t i = 0; i < 6; i++)
        odd [i] = cast;
    odd [0].mc_addr++;
    odd [1].app_s_key = other;
    odd [2].nwk_s_key = other;
    odd [3].dr++;
    odd [4].frequency += 200000;
    odd [5].type = 1;
    for (size_t i = 0; i < 6; i++)
        if (fuota_sim_device_listens (device, &odd [i], one.now) != -1)
            fail_msg ("listens to odd frame %zu", i);
    device->ahead -= 20000;
    assert_int_equal (fuota_sim_device_listens (device, &cast, one.now), -1);
    assert_int_equal (fuota_sim_device_listens (device, &cast, one.now + 20000),
        0);
    s_release (&one);
}

static void
test_sim_device__group_counter (void **state)
{
    static const struct {
        const char *name;
        int64_t heard;
        uint32_t f_cnt;
        int64_t then;
    } cases [] = {
        { "first", -1, 0, 0 },
        { "first, later", -1, 200, 200 },
        { "first above 16 bits", -1, 65536 + 5, -1 },
        { "next", 5, 6, 6 },
        { "the same", 5, 5, 5 },
        { "older", 5, 4, 5 },
        { "the maximum", 5, 255, 5 },
        { "too large a step", 5, 65536 + 6, 5 },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        one_t one;
        fuota_sim_cast_t cast = s_cast ((const uint8_t *) "\x01\x01", 2);
        s_init (&one, 1, 0);
        s_hear (&one, 200, GROUP);
        one.device.context [0]->heard = cases [i].heard;
        cast.f_cnt = cases [i].f_cnt;
        uint16_t before = one.device.answers;
        fuota_sim_device_cast (&one.device, 0, &cast, one.now);
        if (one.device.context [0]->heard != cases [i].then ||
            (one.device.answers > before) !=
                (cases [i].then != cases [i].heard))
            fail_msg ("%s", cases [i].name);
        s_release (&one);
    }
}

//  A copy of a frame is none of its business; the fragment in another frame it
//  had already. What is sent to it alone is not counted.
static void
test_sim_device__fragment_again (void **state)
{
    static const uint32_t f_cnt [] = { 0, 0, 1 };
    static const uint32_t repeated [] = { 0, 0, 1 };
    (void) state;
    one_t one;
    fuota_sim_cast_t cast = s_cast ((const uint8_t *) "\x08\x01\x00\xaa", 4);
    s_init (&one, 1, 0);
    s_hear (&one, 200, GROUP);
    s_hear (&one, 201, "0201020001000000000000");
    for (size_t i = 0; i < sizeof f_cnt / sizeof *f_cnt; i++) {
        cast.f_cnt = f_cnt [i];
        fuota_sim_device_cast (&one.device, 0, &cast, one.now);
        assert_int_equal (one.device.repeated, repeated [i]);
    }
    s_hear (&one, 201, "080100aa");
    assert_int_equal (one.device.repeated, 1);
    s_release (&one);
}

//  Only fragments and status requests may come by multicast, and fragments
//  only for sessions that name the group.
static void
test_sim_device__multicast_commands (void **state)
{
    static const struct {
        const char *name;
        const char *setup;
        const char *in;
        unsigned received;
        unsigned answers;
    } cases [] = {
        { "in the mask", "0201020001000000000000", "080100aa", 1, 0 },
        { "not in the mask", "020e020001000000000000", "080100aa", 0, 0 },
        { "setup", "0201020001000000000000", "0201020001000000000000", 0, 0 },
        { "version", "0201020001000000000000", "00", 0, 0 },
        { "status", "0201020001000000000000", "0101", 0, 1 },
        { "status after delete", "0201020001000000000000", "03000101", 0, 1 },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        one_t one;
        uint8_t bytes [32];
        size_t size = s_bytes (cases [i].in, bytes);
        fuota_sim_cast_t cast = s_cast (bytes, size);
        s_init (&one, 1, 0);
        s_hear (&one, 200, GROUP);
        s_hear (&one, 201, cases [i].setup);
        unsigned before = one.device.answers;
        fuota_sim_device_cast (&one.device, 0, &cast, one.now);
        const fuota_sim_block_t *block = one.device.block [0];
        if (!block || block->received != cases [i].received ||
            one.device.answers - before != cases [i].answers)
            fail_msg ("%s", cases [i].name);
        s_release (&one);
    }
}

static void
test_sim_device__group_keys (void **state)
{
    one_t one;
    (void) state;
    s_init (&one, 1, 0);
    s_hear (&one, 200, GROUP);
    const fuota_sim_context_t *context = one.device.context [0];
    assert_int_equal (context->mc_addr, 0x01ffffff);
    assert_memory_equal (context->app_s_key, app_s_key, 16);
    assert_memory_equal (context->nwk_s_key, nwk_s_key, 16);
    assert_int_equal (context->max_f_cnt, 255);
    s_release (&one);
}

//  Two devices that heard different bytes rebuild different blocks.
static void
test_sim_device__own_bytes (void **state)
{
    one_t one;
    fuota_sim_device_t other;
    uint8_t bytes [] = { 8, 1, 0, 0xbb }, sha256 [32];
    (void) state;
    s_init (&one, 1, 0);
    fuota_sim_device_init (&other, &one.world, 1);
    uint8_t setup [] = { 2, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0 };
    s_hear (&one, 201, "0200010001000000000000");
    fuota_sim_device_hear (&other, 201, fuota_slice (setup, 11), START);
    other.quirks = one.device.quirks = FUOTA_SIM_NEEDS_CODED;
    s_hear (&one, 201, "080100aa");
    fuota_sim_device_hear (&other, 201, fuota_slice (bytes, 4), START);
    s_hear (&one, 201, "08020000");
    bytes [1] = 2;
    fuota_sim_device_hear (&other, 201, fuota_slice (bytes, 4), START);
    EVP_Digest ("\xaa", 1, sha256, NULL, EVP_sha256 (), NULL);
    assert_memory_equal (one.device.sha256, sha256, 32);
    EVP_Digest ("\xbb", 1, sha256, NULL, EVP_sha256 (), NULL);
    assert_memory_equal (other.sha256, sha256, 32);
    fuota_sim_device_release (&other);
    s_release (&one);
}

//  Every downlink of the vectors is understood: it is answered with its own
//  CID, or has no answer.
static void
s_vector (const json_t *vector, unsigned version)
{
    const char *name = json_string_value (json_object_get (vector, "name"));
    const char *hex = json_string_value (json_object_get (vector, "hex"));
    unsigned f_port =
        (unsigned) json_integer_value (json_object_get (vector, "fport"));
    char text [TEXT];
    one_t one;
    s_init (&one, version, 0);
    s_talk (&one, f_port, hex, text);
    bool silent = strstr (name, "DataFragment") ||
                  strstr (name, "AppTimeAns") ||
                  strstr (name, "missing only") || strstr (name, "ReceivedAns");
    bool asks = strstr (name, "ForceDeviceResync") ||
                strstr (name, "saturated");  //  It sends AppTimeReq then
    if (!asks && (silent ? text [0] != 0 : strncmp (text, hex, 2) != 0))
        fail_msg ("%s: %s", name, text);
    s_release (&one);
}

static void
test_sim_device__vectors (void **state)
{
    static const char *const files [] = { "clock-sync", "multicast-setup",
        "fragmentation" };
    (void) state;
    for (size_t k = 0; k < sizeof files / sizeof *files; k++) {
        char path [200];
        json_t *vector;
        size_t i;
        snprintf (path, sizeof path, FUOTA_VECTORS "/%s.json", files [k]);
        json_t *file = json_load_file (path, 0, NULL);
        assert_non_null (file);
        json_array_foreach (json_object_get (file, "vectors"), i, vector)
        {
            const char *direction =
                json_string_value (json_object_get (vector, "direction"));
            const char *version =
                json_string_value (json_object_get (vector, "package_version"));
            if (strcmp (direction, "downlink") == 0)
                s_vector (vector, version [0] == '2' ? 2 : 1);
        }
        json_decref (file);
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_sim_device__hostile),
        cmocka_unit_test (test_sim_device__cut_at_every_length),
        cmocka_unit_test (test_sim_device__answers),
        cmocka_unit_test (test_sim_device__blocks),
        cmocka_unit_test (test_sim_device__image),
        cmocka_unit_test (test_sim_device__reports),
        cmocka_unit_test (test_sim_device__limits),
        cmocka_unit_test (test_sim_device__session_cnt),
        cmocka_unit_test (test_sim_device__setup_may_be_repeated),
        cmocka_unit_test (test_sim_device__clock_correction),
        cmocka_unit_test (test_sim_device__token_and_resync),
        cmocka_unit_test (test_sim_device__periodicity),
        cmocka_unit_test (test_sim_device__session_window),
        cmocka_unit_test (test_sim_device__group_counter),
        cmocka_unit_test (test_sim_device__multicast_commands),
        cmocka_unit_test (test_sim_device__fragment_again),
        cmocka_unit_test (test_sim_device__group_keys),
        cmocka_unit_test (test_sim_device__own_bytes),
        cmocka_unit_test (test_sim_device__vectors),
    };
    return cmocka_run_group_tests_name ("sim_device", tests, NULL, NULL);
}
