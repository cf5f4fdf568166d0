//  SPDX-License-Identifier: MIT
//
//  TS004 where versions and stacks differ. The rest is in test_package.c.

#include "workers/package/package.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void
test_ts004__status_ans_by_version (void **state)
{
    static const struct {
        const char *name;
        unsigned version;
        uint8_t bytes [12];
        size_t size;
        int rc;
        size_t count;
        //  In the first of them
        bool memory_error, mic_error, no_session, has_counts;
        uint16_t received;
        uint8_t missing, frag_index;
    } cases [] = {
        { "empty", 1, { 0 }, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 },
        { "one byte", 2, { 1 }, 1, FUOTA_ESHORT, 0, 0, 0, 0, 0, 0, 0, 0 },
        { "v1", 1, { 1, 100, 0x40, 10, 0 }, 5, 0, 1, 0, 0, 0, 1, 100, 10, 1 },
        { "v1, memory", 1, { 1, 0, 0xc0, 1, 1 }, 5, 0, 1, 1, 0, 0, 1, 0, 1, 3 },
        { "v1, RFU", 1, { 1, 0, 0, 1, 0xfe }, 5, 0, 1, 0, 0, 0, 1, 0, 1, 0 },
        { "v1, cut", 1, { 1, 4, 0, 10 }, 4, FUOTA_ESHORT, 0, 0, 0, 0, 0, 0, 0,
            0 },
        { "v2", 2, { 1, 0, 100, 0x40, 10 }, 5, 0, 1, 0, 0, 0, 1, 100, 10, 1 },
        { "v2, memory", 2, { 1, 1, 9, 0, 2 }, 5, 0, 1, 1, 0, 0, 1, 9, 2, 0 },
        { "v2, MIC", 2, { 1, 2, 9, 0, 0 }, 5, 0, 1, 0, 1, 0, 1, 9, 0, 0 },
        { "v2, cut", 2, { 1, 2, 9, 0 }, 4, FUOTA_ESHORT, 0, 0, 0, 0, 0, 0, 0,
            0 },
        { "two", 2, { 1, 0, 1, 0, 0, 1, 0, 2, 0, 0 }, 10, 0, 2, 0, 0, 0, 1, 1,
            0, 0 },
        { "two, cut", 2, { 1, 0, 1, 0, 0, 1, 0 }, 7, FUOTA_ESHORT, 1, 0, 0, 0,
            1, 1, 0, 0 },
        //  No session: two bytes, or five
        { "short", 2, { 1, 4 }, 2, 0, 1, 0, 0, 1, 0, 0, 0, 0 },
        { "long", 2, { 1, 4, 0, 0, 0 }, 5, 0, 1, 0, 0, 1, 1, 0, 0, 0 },
        { "long, stale", 2, { 1, 4, 150, 0, 3 }, 5, 0, 1, 0, 0, 1, 1, 150, 3,
            0 },
        { "long, then delete", 2, { 1, 4, 0, 0, 0, 3, 4 }, 7, 0, 2, 0, 0, 1, 1,
            0, 0, 0 },
        { "short, then received", 2, { 1, 4, 4, 0 }, 4, 0, 2, 0, 0, 1, 0, 0, 0,
            0 },
        { "short, then two", 2, { 1, 4, 3, 4, 2, 0 }, 6, 0, 3, 0, 0, 1, 0, 0, 0,
            0 },
        { "short, then status", 2, { 1, 4, 1, 0, 9, 0x40, 0 }, 7, 0, 2, 0, 0, 1,
            0, 0, 0, 0 },
        { "short, then v1 in v2", 2, { 1, 4, 1, 0x0d, 2, 1, 5 }, 7, 0, 2, 0, 0,
            1, 0, 0, 0, 0 },
        { "short, then version", 2, { 1, 4, 0, 3, 2 }, 5, 0, 2, 0, 0, 1, 0, 0,
            0, 0 },
        { "short, then one cut", 2, { 1, 4, 3 }, 3, FUOTA_ESHORT, 1, 0, 0, 1, 0,
            0, 0, 0 },
        //  The layout of v1 in v2: the low byte of a count stands first
        { "v1 in v2", 2, { 1, 26, 0, 0, 0 }, 5, 0, 1, 0, 0, 0, 1, 26, 0, 0 },
        { "v1 in v2, memory", 2, { 1, 0xf8, 0xff, 7, 1 }, 5, 0, 1, 1, 0, 0, 1,
            0x3ff8, 7, 3 },
        { "v1 in v2, cut", 2, { 1, 26, 0, 0 }, 4, FUOTA_ESHORT, 0, 0, 0, 0, 0,
            0, 0, 0 },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fuota_command_t got [4];
        size_t count;
        memset (got, 0, sizeof got);
        int rc = fuota_package_decode (FUOTA_TS004, cases [i].version,
            FUOTA_UPLINK, cases [i].bytes, cases [i].size, got, 4, &count);
        if (rc != cases [i].rc || count != cases [i].count)
            fail_msg ("%s: %d after %zu", cases [i].name, rc, count);
        if (!count)
            continue;
        if (got->version != cases [i].version ||
            got->frag_index != cases [i].frag_index ||
            got->frag_status_ans.memory_error != cases [i].memory_error ||
            got->frag_status_ans.mic_error != cases [i].mic_error ||
            got->frag_status_ans.no_session != cases [i].no_session ||
            got->frag_status_ans.has_counts != cases [i].has_counts ||
            got->frag_status_ans.received != cases [i].received ||
            got->frag_status_ans.missing != cases [i].missing)
            fail_msg ("%s: fields", cases [i].name);
    }
}

static void
test_ts004__setup_req_by_version (void **state)
{
    static const uint8_t bytes [17] = { 2, 0x31, 0, 4, 128, 0x4d, 64, 1, 2, 3,
        4, 128, 1, 9, 8, 7, 6 };
    static const uint8_t mic [4] = { 9, 8, 7, 6 };
    fuota_command_t got;
    size_t count;
    (void) state;
    assert_int_equal (fuota_package_decode (FUOTA_TS004, 2, FUOTA_DOWNLINK,
                          bytes, 17, &got, 1, &count),
        0);
    assert_int_equal (got.frag_index, 3);
    assert_int_equal (got.frag_setup_req.group_mask, 1);
    assert_int_equal (got.frag_setup_req.nb_frag, 1024);
    assert_int_equal (got.frag_setup_req.algo, 1);
    assert_int_equal (got.frag_setup_req.block_ack_delay, 5);
    assert_true (got.frag_setup_req.ack_reception);
    assert_int_equal (got.frag_setup_req.session_cnt, 0x180);
    assert_memory_equal (got.frag_setup_req.mic, mic, 4);
    //  To v1 bit 6 is RFU, and what follows another command
    assert_int_equal (fuota_package_decode (FUOTA_TS004, 1, FUOTA_DOWNLINK,
                          bytes, 11, &got, 1, &count),
        0);
    assert_false (got.frag_setup_req.ack_reception);
    assert_int_equal (got.frag_setup_req.session_cnt, 0);
    assert_int_equal (fuota_package_decode (FUOTA_TS004, 1, FUOTA_DOWNLINK,
                          bytes, 17, &got, 1, &count),
        FUOTA_EFULL);
    assert_int_equal (count, 1);
}

static void
test_ts004__setup_ans_by_version (void **state)
{
    static const uint8_t bytes [2] = { 2, 0xf5 };
    fuota_command_t got;
    size_t count;
    (void) state;
    assert_int_equal (fuota_package_decode (FUOTA_TS004, 1, FUOTA_UPLINK, bytes,
                          2, &got, 1, &count),
        0);
    assert_int_equal (got.frag_index, 3);
    assert_int_equal (got.frag_setup_ans.status, 0x05);
    assert_true (got.frag_setup_ans.algo_unsupported);
    assert_true (got.frag_setup_ans.index_unsupported);
    assert_false (got.frag_setup_ans.no_memory);
    assert_false (got.frag_setup_ans.wrong_descriptor);
    assert_false (got.frag_setup_ans.replay);
    assert_int_equal (fuota_package_decode (FUOTA_TS004, 2, FUOTA_UPLINK, bytes,
                          2, &got, 1, &count),
        0);
    assert_int_equal (got.frag_setup_ans.status, 0x15);
    assert_true (got.frag_setup_ans.replay);
}

//  The index is elsewhere in a status request (D28).
static void
test_ts004__index_of_status_req (void **state)
{
    fuota_command_t command = { .package = FUOTA_TS004,
        .version = 1,
        .id = FUOTA_FRAG_STATUS_REQ,
        .frag_index = 2 };
    uint8_t bytes [2];
    (void) state;
    fuota_writer_t out = fuota_writer (bytes, sizeof bytes);
    assert_int_equal (fuota_package_encode (&command, &out), 0);
    assert_int_equal (bytes [1], 0x04);
    command.frag_status_req.participants = true;
    out = fuota_writer (bytes, sizeof bytes);
    assert_int_equal (fuota_package_encode (&command, &out), 0);
    assert_int_equal (bytes [1], 0x05);
}

static void
test_ts004__fragment_is_borrowed (void **state)
{
    static const uint8_t bytes [] = { 8, 0x00, 0x84, 1, 2, 3, 4 };
    fuota_command_t got;
    size_t count;
    (void) state;
    assert_int_equal (fuota_package_decode (FUOTA_TS004, 1, FUOTA_DOWNLINK,
                          bytes, sizeof bytes, &got, 1, &count),
        0);
    assert_int_equal (got.frag_index, 2);
    assert_int_equal (got.data_fragment.n, 1024);
    assert_ptr_equal (got.data_fragment.data.data, bytes + 3);
    assert_int_equal (got.data_fragment.data.size, 4);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_ts004__status_ans_by_version),
        cmocka_unit_test (test_ts004__setup_req_by_version),
        cmocka_unit_test (test_ts004__setup_ans_by_version),
        cmocka_unit_test (test_ts004__index_of_status_req),
        cmocka_unit_test (test_ts004__fragment_is_borrowed),
    };
    return cmocka_run_group_tests_name ("ts004", tests, NULL, NULL);
}
