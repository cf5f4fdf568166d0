//  SPDX-License-Identifier: MIT
//
//  TS005 session answers as stacks send them. The rest is in test_package.c.

#include "workers/package/package.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void
test_ts005__session_ans (void **state)
{
    static const struct {
        const char *name;
        uint8_t bytes [8];
        size_t size;
        int rc;
        size_t count;
        //  In the last of them
        uint8_t group_id, status;
        bool undefined, start_missed, cut, has_time_to_start;
        uint32_t time_to_start;
    } cases [] = {
        { "lone CID", { 4 }, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0 },
        { "lone CID, class B", { 5 }, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0 },
        { "lone CID after another", { 2, 1, 4 }, 3, 0, 2, 0, 0, 0, 0, 1, 0, 0 },
        { "no start", { 4, 2 }, 2, 0, 1, 2, 0, 0, 0, 1, 0, 0 },
        { "one byte of start", { 4, 2, 9 }, 3, FUOTA_ESHORT, 0, 0, 0, 0, 0, 0,
            0, 0 },
        { "two bytes of start", { 4, 2, 9, 9 }, 4, FUOTA_ESHORT, 0, 0, 0, 0, 0,
            0, 0, 0 },
        { "accepted", { 4, 1, 0x2c, 1, 0 }, 5, 0, 1, 1, 0, 0, 0, 0, 1, 300 },
        { "accepted, class B", { 5, 3, 0, 4, 0 }, 5, 0, 1, 3, 0, 0, 0, 0, 1,
            1024 },
        { "not in sync", { 4, 0, 255, 255, 255 }, 5, 0, 1, 0, 0, 0, 0, 0, 1,
            0xffffff },
        { "start now", { 4, 0, 0, 0, 0 }, 5, 0, 1, 0, 0, 0, 0, 0, 1, 0 },
        { "data rate", { 4, 0x04 }, 2, 0, 1, 0, 0x04, 0, 0, 0, 0, 0 },
        { "frequency", { 4, 0x0b }, 2, 0, 1, 3, 0x08, 0, 0, 0, 0, 0 },
        { "undefined and all", { 4, 0x1c }, 2, 0, 1, 0, 0x1c, 1, 0, 0, 0, 0 },
        { "missed", { 4, 0x21 }, 2, 0, 1, 1, 0x20, 0, 1, 0, 0, 0 },
        { "future error", { 4, 0x40 }, 2, 0, 1, 0, 0x40, 0, 0, 0, 0, 0 },
        { "another one", { 5, 0x82 }, 2, 0, 1, 2, 0x80, 0, 0, 0, 0, 0 },
        { "refused, then accepted", { 4, 0x20, 4, 1, 7, 0, 0 }, 7, 0, 2, 1, 0,
            0, 0, 0, 1, 7 },
    };
    (void) state;
    //  Both versions say it alike: devices of v1 set bit 5, too (D3)
    for (size_t i = 0; i < sizeof cases / sizeof *cases * 2; i++) {
        const char *name = cases [i / 2].name;
        fuota_command_t got [4];
        size_t count;
        int rc = fuota_package_decode (FUOTA_TS005, i % 2 + 1, FUOTA_UPLINK,
            cases [i / 2].bytes, cases [i / 2].size, got, 4, &count);
        if (rc != cases [i / 2].rc || count != cases [i / 2].count)
            fail_msg ("%s: %d after %zu", name, rc, count);
        if (!count)
            continue;
        const fuota_command_t *last = &got [count - 1];
        if (last->group_id != cases [i / 2].group_id ||
            last->session_ans.status != cases [i / 2].status ||
            last->session_ans.undefined != cases [i / 2].undefined ||
            last->session_ans.start_missed != cases [i / 2].start_missed ||
            last->session_ans.cut != cases [i / 2].cut ||
            last->session_ans.has_time_to_start !=
                cases [i / 2].has_time_to_start ||
            last->session_ans.time_to_start != cases [i / 2].time_to_start)
            fail_msg ("%s: fields", name);
    }
}

//  A simulated device may name the error either way.
static void
test_ts005__refusal_by_flag_or_status (void **state)
{
    fuota_command_t answer = { .package = FUOTA_TS005,
        .version = 2,
        .id = FUOTA_MC_CLASS_C_SESSION_ANS,
        .group_id = 1 };
    uint8_t bytes [5];
    (void) state;
    answer.session_ans.start_missed = true;
    fuota_writer_t out = fuota_writer (bytes, sizeof bytes);
    assert_int_equal (fuota_package_encode (&answer, &out), 0);
    assert_int_equal (out.at, 2);
    assert_int_equal (bytes [1], 0x21);
    answer.session_ans.status = 0x48;
    out = fuota_writer (bytes, sizeof bytes);
    assert_int_equal (fuota_package_encode (&answer, &out), 0);
    assert_int_equal (bytes [1], 0x69);
    answer.session_ans.status = 0x01;  //  Not a status bit
    out = fuota_writer (bytes, sizeof bytes);
    assert_int_equal (fuota_package_encode (&answer, &out), FUOTA_EVALUE);
}

//  In any order, and RFU bits do not matter.
static void
test_ts005__groups_as_listed (void **state)
{
    static const uint8_t bytes [] = { 1, 0xcc, 0xff, 4, 3, 2, 1, 0xfe, 1, 2, 3,
        4, 3, 1 };
    fuota_command_t got [2];
    size_t count;
    (void) state;
    assert_int_equal (fuota_package_decode (FUOTA_TS005, 1, FUOTA_UPLINK, bytes,
                          sizeof bytes, got, 2, &count),
        0);
    assert_int_equal (count, 2);
    assert_int_equal (got->mc_status_ans.total, 4);
    assert_int_equal (got->mc_status_ans.mask, 0x0c);
    assert_int_equal (got->mc_status_ans.count, 2);
    assert_int_equal (got->mc_status_ans.groups [0].group_id, 3);
    assert_int_equal (got->mc_status_ans.groups [0].mc_addr, 0x01020304);
    assert_int_equal (got->mc_status_ans.groups [1].group_id, 2);
    assert_int_equal (got->mc_status_ans.groups [1].mc_addr, 0x04030201);
    assert_int_equal (got [1].id, FUOTA_MC_GROUP_DELETE_ANS);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_ts005__session_ans),
        cmocka_unit_test (test_ts005__refusal_by_flag_or_status),
        cmocka_unit_test (test_ts005__groups_as_listed),
    };
    return cmocka_run_group_tests_name ("ts005", tests, NULL, NULL);
}
