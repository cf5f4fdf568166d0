//  SPDX-License-Identifier: MIT
//
//  The packages as tables: hostile payloads first, then each row both ways,
//  then every vector. Decoded fields are compared through explain's JSON.

#include "workers/package/explain.h"
#include "workers/package/package_rows.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

//  ---------------------------------------------------------------------
//  Hostile payloads

static void
test_package__hostile (void **state)
{
    static const struct {
        const char *name;
        fuota_package_t package;
        unsigned version;
        fuota_direction_t direction;
        uint8_t bytes [12];
        size_t size;
        int rc;
        size_t count;
        fuota_command_id_t last;
    } cases [] = {
        { "empty", FUOTA_TS004, 1, FUOTA_UPLINK, { 0 }, 0, 0, 0, 0 },
        { "one byte", FUOTA_TS004, 1, FUOTA_UPLINK, { 0 }, 1, FUOTA_ESHORT, 0,
            0 },
        { "no version 0", FUOTA_TS004, 0, FUOTA_UPLINK, { 0 }, 1, FUOTA_EVALUE,
            0, 0 },
        { "no version 3", FUOTA_TS004, 3, FUOTA_UPLINK, { 0 }, 1, FUOTA_EVALUE,
            0, 0 },
        { "no TS006 v2", FUOTA_TS006, 2, FUOTA_UPLINK, { 0 }, 1, FUOTA_EVALUE,
            0, 0 },
        { "no TS007 v2", FUOTA_TS007, 2, FUOTA_UPLINK, { 0 }, 1, FUOTA_EVALUE,
            0, 0 },
        { "no package", FUOTA_PACKAGES, 1, FUOTA_UPLINK, { 0 }, 1, FUOTA_EVALUE,
            0, 0 },
        { "unknown", FUOTA_TS003, 1, FUOTA_UPLINK, { 0x7f }, 1, FUOTA_ECOMMAND,
            0, 0 },
        { "unknown after", FUOTA_TS003, 1, FUOTA_UPLINK, { 0, 1, 1, 0xff, 0 },
            5, FUOTA_ECOMMAND, 1, FUOTA_PACKAGE_VERSION_ANS },
        { "fragment upwards", FUOTA_TS004, 1, FUOTA_UPLINK, { 8, 1, 0, 9 }, 4,
            FUOTA_ECOMMAND, 0, 0 },
        { "resync upwards", FUOTA_TS003, 2, FUOTA_UPLINK, { 3, 1 }, 2,
            FUOTA_ECOMMAND, 0, 0 },
        { "0x04 in TS004 v1", FUOTA_TS004, 1, FUOTA_UPLINK, { 4, 0 }, 2,
            FUOTA_ECOMMAND, 0, 0 },
        { "0x04 in TS004 v2", FUOTA_TS004, 2, FUOTA_UPLINK, { 4, 0 }, 2, 0, 1,
            FUOTA_FRAG_RECEIVED_REQ },
        { "CRC on port 201", FUOTA_TS004, 1, FUOTA_UPLINK, { 5, 1, 2, 3, 4 }, 5,
            FUOTA_ECOMMAND, 0, 0 },
        { "two", FUOTA_TS004, 1, FUOTA_UPLINK, { 2, 0, 3, 4 }, 4, 0, 2,
            FUOTA_FRAG_DELETE_ANS },
        { "two, second cut", FUOTA_TS004, 1, FUOTA_UPLINK, { 2, 0, 3 }, 3,
            FUOTA_ESHORT, 1, FUOTA_FRAG_SETUP_ANS },
        { "fragment ends all", FUOTA_TS004, 1, FUOTA_DOWNLINK,
            { 3, 0, 8, 1, 0, 3, 0 }, 7, 0, 2, FUOTA_DATA_FRAGMENT },
        { "fragment without N", FUOTA_TS004, 2, FUOTA_DOWNLINK, { 8, 0, 0, 1 },
            4, 0, 1, FUOTA_DATA_FRAGMENT },
        { "groups cut", FUOTA_TS005, 1, FUOTA_UPLINK,
            { 1, 0x4f, 0, 1, 2, 3, 4, 1, 1, 2, 3, 4 }, 12, FUOTA_ESHORT, 0, 0 },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fuota_command_t got [4];
        size_t count = 99;
        int rc = fuota_package_decode (cases [i].package, cases [i].version,
            cases [i].direction, cases [i].bytes, cases [i].size, got, 4,
            &count);
        if (rc != cases [i].rc || count != cases [i].count)
            fail_msg ("%s: %d after %zu", cases [i].name, rc, count);
        if (count && got [count - 1].id != cases [i].last)
            fail_msg ("%s: last is %d", cases [i].name, got [count - 1].id);
    }
}

static void
test_package__as_many_as_fit (void **state)
{
    static const uint8_t payload [FUOTA_COMMANDS_MAX];
    static fuota_command_t got [FUOTA_COMMANDS_MAX];
    size_t count;
    (void) state;
    assert_int_equal (fuota_package_decode (FUOTA_TS003, 1, FUOTA_DOWNLINK,
                          payload, sizeof payload, got, FUOTA_COMMANDS_MAX,
                          &count),
        0);
    assert_int_equal (count, FUOTA_COMMANDS_MAX);
    assert_int_equal (fuota_package_decode (FUOTA_TS003, 1, FUOTA_DOWNLINK,
                          payload, sizeof payload, got, FUOTA_COMMANDS_MAX - 1,
                          &count),
        FUOTA_EFULL);
    assert_int_equal (count, FUOTA_COMMANDS_MAX - 1);
    assert_int_equal (fuota_package_decode (FUOTA_TS003, 1, FUOTA_DOWNLINK,
                          payload, 1, got, 0, &count),
        FUOTA_EFULL);
    assert_int_equal (count, 0);
    assert_int_equal (fuota_package_decode (FUOTA_TS003, 1, FUOTA_DOWNLINK,
                          NULL, 0, got, 1, &count),
        0);
}

//  ---------------------------------------------------------------------
//  Rows

//  The reference's table of lengths (2.4), CID included; 0 = there is none.
//  Answers without error, without groups, without an image.
static void
test_package__lengths (void **state)
{
    static const struct {
        fuota_package_t package;
        unsigned version;
        uint8_t cid;
        size_t downlink, uplink;
        uint8_t fill;  //  Of the body
    } cases [] = {
        { FUOTA_TS003, 1, 0x00, 1, 3, 0 },
        { FUOTA_TS005, 2, 0x00, 1, 3, 0 },
        { FUOTA_TS004, 2, 0x00, 1, 3, 0 },
        { FUOTA_TS006, 1, 0x00, 1, 3, 0 },
        { FUOTA_TS007, 1, 0x00, 1, 3, 0 },
        { FUOTA_TS003, 1, 0x01, 6, 6, 0 },
        { FUOTA_TS003, 2, 0x01, 6, 6, 0xff },
        { FUOTA_TS003, 1, 0x02, 2, 6, 0 },
        { FUOTA_TS003, 2, 0x02, 2, 6, 0xff },
        { FUOTA_TS003, 1, 0x03, 2, 0, 0 },
        { FUOTA_TS003, 2, 0x03, 2, 0, 0xff },
        { FUOTA_TS004, 1, 0x01, 2, 5, 0 },
        { FUOTA_TS004, 1, 0x01, 2, 5, 0xff },
        { FUOTA_TS004, 2, 0x01, 2, 5, 0 },
        { FUOTA_TS004, 2, 0x01, 2, 5, 0x03 },
        { FUOTA_TS004, 1, 0x02, 11, 2, 0xff },
        { FUOTA_TS004, 2, 0x02, 17, 2, 0xff },
        { FUOTA_TS004, 1, 0x03, 2, 2, 0xff },
        { FUOTA_TS004, 2, 0x03, 2, 2, 0 },
        { FUOTA_TS004, 1, 0x04, 0, 0, 0 },
        { FUOTA_TS004, 2, 0x04, 2, 2, 0xff },
        { FUOTA_TS005, 1, 0x01, 2, 2, 0 },
        { FUOTA_TS005, 1, 0x01, 2, 7, 0x01 },
        { FUOTA_TS005, 2, 0x01, 2, 12, 0x0a },
        { FUOTA_TS005, 2, 0x01, 2, 22, 0xff },
        { FUOTA_TS005, 1, 0x02, 30, 2, 0xff },
        { FUOTA_TS005, 2, 0x03, 2, 2, 0xff },
        { FUOTA_TS006, 1, 0x01, 1, 9, 0xff },
        { FUOTA_TS006, 1, 0x02, 5, 5, 0 },
        { FUOTA_TS006, 1, 0x03, 4, 4, 0xff },
        { FUOTA_TS006, 1, 0x04, 1, 2, 0 },
        { FUOTA_TS006, 1, 0x04, 1, 6, 0xff },
        { FUOTA_TS006, 1, 0x05, 5, 2, 0xff },
        { FUOTA_TS007, 1, 0x01, 1, 2, 0xf0 },
        { FUOTA_TS007, 1, 0x01, 1, 47, 0xff },
        { FUOTA_TS007, 1, 0x02, 3, 2, 0xff },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases * 2; i++) {
        fuota_direction_t direction = i % 2 ? FUOTA_UPLINK : FUOTA_DOWNLINK;
        size_t whole = i % 2 ? cases [i / 2].uplink : cases [i / 2].downlink;
        uint8_t bytes [64];
        memset (bytes, cases [i / 2].fill, sizeof bytes);
        bytes [0] = cases [i / 2].cid;
        for (size_t size = 1; size <= whole; size++) {
            fuota_command_t got [2];
            size_t count;
            int rc = fuota_package_decode (cases [i / 2].package,
                cases [i / 2].version, direction, bytes, size, got, 2, &count);
            if (rc != (size < whole ? FUOTA_ESHORT : 0) ||
                count != (size == whole))
                fail_msg ("%s v%u %02x %s: %d at %zu of %zu",
                    fuota_package_name (cases [i / 2].package),
                    cases [i / 2].version, bytes [0], i % 2 ? "up" : "down", rc,
                    size, whole);
        }
        if (!whole)
            assert_null (
                fuota_package_row (fuota_package_table (cases [i / 2].package,
                                       cases [i / 2].version),
                    direction, bytes [0]));
    }
}

//  The long form of "no session", whose counts may look like an answer: what
//  it is depends on what follows.
static bool
s_ambiguous (const fuota_command_t *command)
{
    return command->id == FUOTA_FRAG_STATUS_ANS &&
           command->frag_status_ans.no_session &&
           command->frag_status_ans.has_counts;
}

//  Decode, encode, decode: the same command, and by then the same bytes.
static bool
s_round_trip (fuota_package_t package, unsigned version,
    fuota_direction_t direction, const uint8_t *bytes, size_t size)
{
    fuota_command_t first, second;
    uint8_t again [300], third [300];
    fuota_reader_t in = fuota_reader (bytes, size);
    if (fuota_package_read (package, version, direction, &in, &first) ||
        s_ambiguous (&first))
        return false;
    fuota_writer_t out = fuota_writer (again, sizeof again);
    int rc = fuota_package_encode (&first, &out);
    if (rc) {
        assert_int_equal (rc, FUOTA_EVALUE);
        assert_int_equal (out.at, 0);
        return false;
    }
    fuota_reader_t in_again = fuota_reader (again, out.at);
    assert_int_equal (fuota_package_read (package, version, direction,
                          &in_again, &second),
        0);
    assert_int_equal (in_again.at, out.at);
    fuota_writer_t out_again = fuota_writer (third, sizeof third);
    assert_int_equal (fuota_package_encode (&second, &out_again), 0);
    assert_int_equal (out_again.at, out.at);
    assert_memory_equal (again, third, out.at);
    return true;
}

static unsigned
s_check_row (fuota_package_t package, unsigned version,
    fuota_direction_t direction, uint8_t cid)
{
    uint8_t bytes [64] = { cid };
    uint32_t seed = 1u + cid;
    unsigned done = 0;
    for (unsigned i = 0; i < 2000; i++) {
        for (size_t k = 1; k < sizeof bytes; k++) {
            seed = seed * 1664525u + 1013904223u;
            bytes [k] = (uint8_t) (seed >> 24);
            if (i % 2)
                bytes [k] &= 0x0f;  //  So that ranges are met, too
        }
        done += s_round_trip (package, version, direction, bytes,
            1 + seed % sizeof bytes);
    }
    return done;
}

static void
test_package__every_row_both_ways (void **state)
{
    unsigned rows = 0;
    bool seen [FUOTA_COMMANDS] = { false };
    (void) state;
    for (unsigned i = 0; i < FUOTA_PACKAGES * 2 * 2 * 256; i++) {
        fuota_package_t package = (fuota_package_t) (i / 1024);
        unsigned version = i / 512 % 2 + 1;
        fuota_direction_t direction = (fuota_direction_t) (i / 256 % 2);
        const fuota_package_row_t *row =
            fuota_package_row (fuota_package_table (package, version),
                direction, (uint8_t) i);
        if (!row)
            continue;
        rows++;
        seen [row->id] = true;
        assert_ptr_equal (fuota_package_row_of (fuota_package_table (package,
                                                    version),
                              row->id),
            row);
        if (!s_check_row (package, version, direction, (uint8_t) i))
            fail_msg ("%s v%u: never a round trip", row->name, version);
    }
    //  2 common rows in 8 tables, then 5, 5, 10, 10, 7, 9, 10 and 4
    assert_int_equal (rows, 76);
    for (unsigned id = 1; id < FUOTA_COMMANDS; id++)
        if (!seen [id])
            fail_msg ("command %u is in no table", id);
}

//  ---------------------------------------------------------------------
//  Encoders

static void
test_package__encode_refuses (void **state)
{
    static const struct {
        const char *name;
        fuota_command_t command;
        int rc;
    } cases [] = {
        { "no command", { .package = FUOTA_TS004, .version = 1 },
            FUOTA_ECOMMAND },
        { "no version",
            { .package = FUOTA_TS004, .id = FUOTA_PACKAGE_VERSION_REQ },
            FUOTA_EVALUE },
        { "no package",
            { .package = FUOTA_PACKAGES,
                .version = 1,
                .id = FUOTA_PACKAGE_VERSION_REQ },
            FUOTA_EVALUE },
        { "other package's",
            { .package = FUOTA_TS004, .version = 2, .id = FUOTA_APP_TIME_ANS },
            FUOTA_ECOMMAND },
        { "not in v1",
            { .package = FUOTA_TS004,
                .version = 1,
                .id = FUOTA_FRAG_RECEIVED_ANS },
            FUOTA_ECOMMAND },
        { "token",
            { .package = FUOTA_TS003,
                .version = 1,
                .id = FUOTA_APP_TIME_ANS,
                .app_time_ans = { 0, 16 } },
            FUOTA_EVALUE },
        { "period",
            { .package = FUOTA_TS003,
                .version = 1,
                .id = FUOTA_APP_TIME_PERIODICITY_REQ,
                .periodicity_req = { 16 } },
            FUOTA_EVALUE },
        { "transmissions",
            { .package = FUOTA_TS003,
                .version = 1,
                .id = FUOTA_FORCE_DEVICE_RESYNC,
                .resync = { 8 } },
            FUOTA_EVALUE },
        { "group",
            { .package = FUOTA_TS005,
                .version = 1,
                .id = FUOTA_MC_GROUP_DELETE_REQ,
                .group_id = 4 },
            FUOTA_EVALUE },
        { "counters crossed",
            { .package = FUOTA_TS005,
                .version = 1,
                .id = FUOTA_MC_GROUP_SETUP_REQ,
                .mc_setup_req = { .min_f_cnt = 2, .max_f_cnt = 1 } },
            FUOTA_EVALUE },
        { "class C without frequency",
            { .package = FUOTA_TS005,
                .version = 1,
                .id = FUOTA_MC_CLASS_C_SESSION_REQ },
            FUOTA_EVALUE },
        { "class B on the default plan",
            { .package = FUOTA_TS005,
                .version = 1,
                .id = FUOTA_MC_CLASS_B_SESSION_REQ },
            0 },
        { "frequency between steps",
            { .package = FUOTA_TS005,
                .version = 1,
                .id = FUOTA_MC_CLASS_C_SESSION_REQ,
                .session_req = { .frequency = 868100050 } },
            FUOTA_EVALUE },
        { "time-out",
            { .package = FUOTA_TS005,
                .version = 1,
                .id = FUOTA_MC_CLASS_B_SESSION_REQ,
                .session_req = { .time_out = 16 } },
            FUOTA_EVALUE },
        { "periodicity",
            { .package = FUOTA_TS005,
                .version = 1,
                .id = FUOTA_MC_CLASS_B_SESSION_REQ,
                .session_req = { .periodicity = 8 } },
            FUOTA_EVALUE },
        { "periodicity does not matter",
            { .package = FUOTA_TS005,
                .version = 1,
                .id = FUOTA_MC_CLASS_C_SESSION_REQ,
                .session_req = { .frequency = 868100000, .periodicity = 8 } },
            0 },
        { "data rate",
            { .package = FUOTA_TS005,
                .version = 1,
                .id = FUOTA_MC_CLASS_B_SESSION_REQ,
                .session_req = { .dr = 16 } },
            FUOTA_EVALUE },
        { "neither start nor error",
            { .package = FUOTA_TS005,
                .version = 1,
                .id = FUOTA_MC_CLASS_C_SESSION_ANS },
            FUOTA_EVALUE },
        { "both start and error",
            { .package = FUOTA_TS005,
                .version = 1,
                .id = FUOTA_MC_CLASS_C_SESSION_ANS,
                .session_ans = { .undefined = true,
                    .has_time_to_start = true } },
            FUOTA_EVALUE },
        { "start too far",
            { .package = FUOTA_TS005,
                .version = 1,
                .id = FUOTA_MC_CLASS_C_SESSION_ANS,
                .session_ans = { .has_time_to_start = true,
                    .time_to_start = 0x1000000 } },
            FUOTA_EVALUE },
        { "fragment 0",
            { .package = FUOTA_TS004,
                .version = 1,
                .id = FUOTA_DATA_FRAGMENT,
                .data_fragment = { 0, { (const uint8_t *) "x", 1 } } },
            FUOTA_EVALUE },
        { "fragment 16383",
            { .package = FUOTA_TS004,
                .version = 1,
                .id = FUOTA_DATA_FRAGMENT,
                .data_fragment = { 16383, { (const uint8_t *) "x", 1 } } },
            0 },
        { "fragment 16384",
            { .package = FUOTA_TS004,
                .version = 1,
                .id = FUOTA_DATA_FRAGMENT,
                .data_fragment = { 16384, { (const uint8_t *) "x", 1 } } },
            FUOTA_EVALUE },
        { "fragment of nothing",
            { .package = FUOTA_TS004,
                .version = 1,
                .id = FUOTA_DATA_FRAGMENT,
                .data_fragment = { 1, { NULL, 0 } } },
            FUOTA_EVALUE },
        { "padding as long as a fragment",
            { .package = FUOTA_TS004,
                .version = 1,
                .id = FUOTA_FRAG_SETUP_REQ,
                .frag_setup_req = { .nb_frag = 1,
                    .frag_size = 9,
                    .padding = 9 } },
            FUOTA_EVALUE },
        { "no fragments",
            { .package = FUOTA_TS004,
                .version = 1,
                .id = FUOTA_FRAG_SETUP_REQ,
                .frag_setup_req = { .frag_size = 9 } },
            FUOTA_EVALUE },
        { "fields of v2 in v1",
            { .package = FUOTA_TS004,
                .version = 1,
                .id = FUOTA_FRAG_SETUP_REQ,
                .frag_setup_req = { .nb_frag = 1,
                    .frag_size = 9,
                    .ack_reception = true,
                    .session_cnt = 1 } },
            0 },
        { "a refusal v1 cannot say",
            { .package = FUOTA_TS004,
                .version = 1,
                .id = FUOTA_FRAG_SETUP_ANS,
                .frag_setup_ans = { .replay = true } },
            FUOTA_EVALUE },
        { "no session in v1",
            { .package = FUOTA_TS004,
                .version = 1,
                .id = FUOTA_FRAG_STATUS_ANS,
                .frag_status_ans = { .no_session = true } },
            FUOTA_EVALUE },
        { "status without counts",
            { .package = FUOTA_TS004,
                .version = 2,
                .id = FUOTA_FRAG_STATUS_ANS },
            FUOTA_EVALUE },
        { "countdown",
            { .package = FUOTA_TS006,
                .version = 1,
                .id = FUOTA_DEV_REBOOT_COUNTDOWN_REQ,
                .reboot_countdown = { 0x1000000 } },
            FUOTA_EVALUE },
        { "image status",
            { .package = FUOTA_TS006,
                .version = 1,
                .id = FUOTA_DEV_UPGRADE_IMAGE_ANS,
                .upgrade_image_ans = { 4, 0 } },
            FUOTA_EVALUE },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes [300];
        fuota_writer_t out = fuota_writer (bytes, sizeof bytes);
        int rc = fuota_package_encode (&cases [i].command, &out);
        if (rc != cases [i].rc || (out.at > 0) != (rc == 0) || out.rc)
            fail_msg ("%s: %d, %zu bytes", cases [i].name, rc, out.at);
    }
}

//  A writer without room stays usable: a shorter command may still fit.
static void
test_package__encode_without_room (void **state)
{
    fuota_command_t answer = { .package = FUOTA_TS003,
        .version = 1,
        .id = FUOTA_APP_TIME_ANS };
    fuota_command_t request = { .package = FUOTA_TS003,
        .version = 1,
        .id = FUOTA_PACKAGE_VERSION_REQ };
    uint8_t bytes [8];
    (void) state;
    for (size_t size = 0; size < 6; size++) {
        fuota_writer_t out = fuota_writer (bytes, size);
        assert_int_equal (fuota_package_encode (&answer, &out), FUOTA_EFULL);
        assert_int_equal (out.at, 0);
        assert_int_equal (fuota_package_encode (&request, &out),
            size ? 0 : FUOTA_EFULL);
    }
    fuota_writer_t out = fuota_writer (bytes, 7);
    assert_int_equal (fuota_package_encode (&request, &out), 0);
    assert_int_equal (fuota_package_encode (&answer, &out), 0);
    assert_int_equal (out.at, 7);
    assert_int_equal (fuota_package_encode (&request, &out), FUOTA_EFULL);
    assert_int_equal (out.at, 7);
}

static void
test_package__names_and_ports (void **state)
{
    (void) state;
    for (unsigned i = 0; i < FUOTA_PACKAGES; i++) {
        fuota_package_t package = (fuota_package_t) i;
        uint8_t port = fuota_package_port (package);
        assert_true (port >= 200);
        assert_int_equal (fuota_package_by_port (port), package);
    }
    assert_int_equal (fuota_package_by_port (1), FUOTA_PACKAGES);
    assert_int_equal (fuota_package_port (FUOTA_PACKAGES), 0);
    assert_int_equal (fuota_package_port (FUOTA_TS005), 200);
    assert_string_equal (fuota_package_name (FUOTA_TS004), "TS004");
    assert_string_equal (fuota_package_name (FUOTA_PACKAGES), "?");
    assert_string_equal (fuota_command_name (FUOTA_FRAG_SETUP_REQ),
        "FragSessionSetupReq");
    assert_string_equal (fuota_command_name (FUOTA_FORCE_DEVICE_RESYNC),
        "ForceDeviceResyncReq");
    assert_string_equal (fuota_command_name (FUOTA_NO_COMMAND), "?");
    assert_string_equal (fuota_command_name (FUOTA_COMMANDS), "?");
}

//  ---------------------------------------------------------------------
//  Vectors

static const char *
s_string (const json_t *object, const char *key)
{
    return json_string_value (json_object_get (object, key));
}

static size_t
s_hex (const char *hex, uint8_t *out, size_t max)
{
    size_t size = strlen (hex) / 2;
    assert_true (size <= max);
    for (size_t i = 0; i < size; i++) {
        char digits [3] = { hex [2 * i], hex [2 * i + 1], 0 };
        out [i] = (uint8_t) strtoul (digits, NULL, 16);
    }
    return size;
}

static fuota_package_t
s_package (const json_t *vector)
{
    for (unsigned i = 0; i < FUOTA_PACKAGES; i++)
        if (strcmp (fuota_package_name ((fuota_package_t) i),
                s_string (vector, "package")) == 0)
            return (fuota_package_t) i;
    fail_msg ("%s: which package?", s_string (vector, "name"));
    return FUOTA_PACKAGES;
}

static unsigned
s_version (const json_t *vector)
{
    return (unsigned) (s_string (vector, "package_version") [0] - '0');
}

static fuota_direction_t
s_direction (const json_t *vector)
{
    return strcmp (s_string (vector, "direction"), "uplink") ? FUOTA_DOWNLINK
                                                             : FUOTA_UPLINK;
}

//  Names the files have and we have not.
static const char *
s_our_name (const char *name)
{
    static const char *const names [][2] = {
        { "mc_group_id", "group_id" },
        { "time", "device_time" },
        { "items", "groups" },
        { "fragmentation_matrix", "frag_algo" },
        { "not_enough_matrix_memory", "memory_error" },
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp (names [i][0], name) == 0)
            return names [i][1];
    return name;
}

//  Each field of the file is in ours with the same value; a flag that we do
//  not show is false.
static void
s_compare (const char *where, json_t *fields, const json_t *ours)
{
    const char *key;
    json_t *value;
    json_object_foreach (fields, key, value)
    {
        json_t *our = json_object_get (ours, s_our_name (key));
        if (json_is_array (value)) {
            assert_int_equal (json_array_size (our), json_array_size (value));
            for (size_t i = 0; i < json_array_size (value); i++)
                s_compare (where, json_array_get (value, i),
                    json_array_get (our, i));
        }
        else if (!our && json_is_false (value))
            continue;
        else if (!json_equal (our, value))
            fail_msg ("%s: %s", where, key);
    }
}

static void
s_check_command (const char *where, const fuota_command_t *command,
    const json_t *vector)
{
    char text [FUOTA_EXPLAIN_MAX];
    assert_int_equal (fuota_command_explain_json (command, text, sizeof text),
        0);
    json_t *ours = json_loads (text, JSON_REJECT_DUPLICATES, NULL);
    if (!ours)
        fail_msg ("%s: %s", where, text);
    const char *name = s_string (vector, "command");
    if (strcmp (s_string (ours, "command"), name))
        fail_msg ("%s: %s is not %s", where, s_string (ours, "command"), name);
    s_compare (where, json_object_get (vector, "fields"), ours);
    json_decref (ours);

    uint8_t bytes [300], again [300];
    size_t size = s_hex (s_string (vector, "hex"), bytes, sizeof bytes);
    fuota_writer_t out = fuota_writer (again, sizeof again);
    int rc = fuota_package_encode (command, &out);
    if (rc || out.at != size || memcmp (bytes, again, size))
        fail_msg ("%s: encoded otherwise (%d)", where, rc);
}

//  A frame, or a stream with its list of commands.
static size_t
s_check_frame (const json_t *vector)
{
    const char *where = s_string (vector, "name");
    json_t *list = json_object_get (vector, "commands");
    size_t expected = list ? json_array_size (list) : 1;
    uint8_t bytes [300];
    size_t size = s_hex (s_string (vector, "hex"), bytes, sizeof bytes);
    fuota_command_t got [8];
    size_t count;
    int rc = fuota_package_decode (s_package (vector), s_version (vector),
        s_direction (vector), bytes, size, got, 8, &count);
    if (rc || count != expected)
        fail_msg ("%s: %d after %zu", where, rc, count);
    for (size_t i = 0; i < count; i++)
        s_check_command (where, &got [i],
            list ? json_array_get (list, i) : vector);
    return count;
}

static json_t *
s_load (const char *name)
{
    char path [512];
    snprintf (path, sizeof path, "%s/%s.json", FUOTA_VECTORS, name);
    json_t *file = json_load_file (path, 0, NULL);
    if (!file)
        fail_msg ("%s", path);
    return file;
}

static const struct {
    const char *name;
    size_t vectors, streams, malformed;
} s_files [] = {
    { "clock-sync", 48, 2, 7 },
    { "multicast-setup", 70, 3, 8 },
    { "fragmentation", 52, 3, 8 },
    { "firmware-management", 36, 2, 4 },
};
#define S_FILES (sizeof s_files / sizeof *s_files)

static void
test_package__vectors (void **state)
{
    (void) state;
    for (size_t i = 0; i < S_FILES; i++) {
        json_t *file = s_load (s_files [i].name), *item;
        json_t *vectors = json_object_get (file, "vectors");
        json_t *streams = json_object_get (file, "streams");
        size_t k;
        assert_int_equal (json_array_size (vectors), s_files [i].vectors);
        assert_int_equal (json_array_size (streams), s_files [i].streams);
        json_array_foreach (vectors, k, item) s_check_frame (item);
        json_array_foreach (streams, k, item)
            assert_true (s_check_frame (item) > 1);
        json_decref (file);
    }
}

//  What the files say in words, in their order.
static const struct {
    const char *name;
    int rc;
    size_t count;
} s_malformed [] = {
    { "AppTimeReq one byte short", FUOTA_ESHORT, 0 },
    { "AppTimeAns one byte short", FUOTA_ESHORT, 0 },
    { "PeriodicityAns short", FUOTA_ESHORT, 0 },
    { "CID only", FUOTA_ESHORT, 0 },
    { "unknown CID after a good command", FUOTA_ECOMMAND, 1 },
    { "good command then truncated one", FUOTA_ESHORT, 1 },
    { "RFU bits set in AppTimeReq Param", 0, 1 },
    { "McGroupSetupReq short", FUOTA_ESHORT, 0 },
    { "McGroupStatusAns short", FUOTA_ESHORT, 0 },
    { "McClassCSessionReq short", FUOTA_ESHORT, 0 },
    { "McClassCSessionAns without error and without TimeToStart", 0, 1 },
    { "McClassCSessionAns reserved bit", 0, 1 },
    { "error bit with TimeToStart appended", 0, 2 },
    { "lone CID of a session answer", 0, 1 },
    { "old LoRaMac-node class C answer", FUOTA_ECOMMAND, 1 },
    { "DataFragment without data", FUOTA_ESHORT, 0 },
    { "DataFragment header cut", FUOTA_ESHORT, 0 },
    { "FragSessionSetupReq v1 short", FUOTA_ESHORT, 0 },
    { "FragSessionSetupReq v1 sent to a v2 device", FUOTA_ESHORT, 0 },
    { "FragSessionStatusAns v1 short", FUOTA_ESHORT, 0 },
    { "FragSessionStatusAns v2 truncated", FUOTA_ESHORT, 0 },
    { "FragSessionStatusAns v2 sent with the v1 layout", 0, 1 },
    { "DataFragment on an unknown session", 0, 1 },
    { "DevVersionAns short", FUOTA_ESHORT, 0 },
    { "DevRebootTimeReq short", FUOTA_ESHORT, 0 },
    { "DevUpgradeImageAns valid without version", FUOTA_ESHORT, 0 },
    { "DevDeleteImageReq short", FUOTA_ESHORT, 0 },
};
#define S_MALFORMED (sizeof s_malformed / sizeof *s_malformed)

static void
test_package__malformed_vectors (void **state)
{
    size_t row = 0;
    (void) state;
    for (size_t i = 0; i < S_FILES; i++) {
        json_t *file = s_load (s_files [i].name), *item;
        json_t *malformed = json_object_get (file, "malformed");
        size_t k;
        assert_int_equal (json_array_size (malformed), s_files [i].malformed);
        json_array_foreach (malformed, k, item)
        {
            fuota_command_t got [8];
            uint8_t bytes [300];
            size_t count;
            size_t size = s_hex (s_string (item, "hex"), bytes, sizeof bytes);
            int rc = fuota_package_decode (s_package (item), s_version (item),
                s_direction (item), bytes, size, got, 8, &count);
            assert_true (row < S_MALFORMED);
            assert_string_equal (s_string (item, "name"),
                s_malformed [row].name);
            if (rc != s_malformed [row].rc || count != s_malformed [row].count)
                fail_msg ("%s: %d after %zu", s_malformed [row].name, rc,
                    count);
            row++;
        }
        json_decref (file);
    }
    assert_int_equal (row, S_MALFORMED);
}

//  Every vector cut at every length, and read as what it is not.
static void
test_package__vectors_cut_and_turned (void **state)
{
    (void) state;
    for (size_t i = 0; i < S_FILES; i++) {
        json_t *file = s_load (s_files [i].name), *item;
        size_t k;
        json_array_foreach (json_object_get (file, "vectors"), k, item)
        {
            fuota_command_t got [300];
            uint8_t bytes [300];
            size_t count;
            size_t size = s_hex (s_string (item, "hex"), bytes, sizeof bytes);
            for (size_t cut = 0; cut <= size; cut++) {
                uint8_t *copy = malloc (cut ? cut : 1);
                assert_non_null (copy);
                memcpy (copy, bytes, cut);
                for (unsigned way = 0; way < FUOTA_PACKAGES * 4; way++) {
                    fuota_package_decode ((fuota_package_t) (way / 4),
                        way / 2 % 2 + 1, (fuota_direction_t) (way % 2), copy,
                        cut, got, 300, &count);
                    assert_true (count <= cut);
                }
                free (copy);
            }
        }
        json_decref (file);
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_package__hostile),
        cmocka_unit_test (test_package__as_many_as_fit),
        cmocka_unit_test (test_package__lengths),
        cmocka_unit_test (test_package__every_row_both_ways),
        cmocka_unit_test (test_package__encode_refuses),
        cmocka_unit_test (test_package__encode_without_room),
        cmocka_unit_test (test_package__names_and_ports),
        cmocka_unit_test (test_package__vectors),
        cmocka_unit_test (test_package__malformed_vectors),
        cmocka_unit_test (test_package__vectors_cut_and_turned),
    };
    return cmocka_run_group_tests_name ("package", tests, NULL, NULL);
}
