//  SPDX-License-Identifier: MIT
//
//  Parts: answers to AppTimeReq; the resync step of a deployment.

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/unit/stage_driver.h"
#include "workers/clock.h"

#define GPS 1451260818u  //  2026-01-01, reference 10.1

//  ---------------------------------------------------------------------
//  Answers

static void
test_clock__answers (void **state)
{
    (void) state;
    static const struct {
        const char *name;
        uint32_t device_time;
        bool required;
        uint32_t threshold;
        bool answered;
        int32_t correction;
    } cases [] = {
        { "right, not asked for", GPS, false, 2, false, 0 },
        { "right, asked for", GPS, true, 2, true, 0 },
        { "within the threshold", GPS + 2, false, 2, false, 0 },
        { "beyond it", GPS + 3, false, 2, true, -3 },
        { "behind", GPS - 3, false, 2, true, 3 },
        { "threshold of 0", GPS - 1, false, 0, true, 1 },
        { "no clock at all", 0, false, 2, true, (int32_t) GPS },
        { "far ahead: saturated", UINT32_MAX, false, 2, true, INT32_MIN },
        { "18 s: who forgot the leap seconds", GPS - 18, false, 2, true, 18 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fuota_clock_t clock = { 0 };
        fuota_command_t answer;
        fuota_command_t request = { .id = FUOTA_APP_TIME_REQ,
            .package = FUOTA_TS003,
            .version = 2 };
        request.app_time_req.device_time = cases [i].device_time;
        request.app_time_req.token = 13;
        request.app_time_req.ans_required = cases [i].required;
        bool answered = fuota_clock_answer (&clock, &request, DRIVER_START, 0,
            cases [i].threshold, &answer);
        if (answered != cases [i].answered)
            fail_msg ("%s", cases [i].name);
        if (!answered)
            continue;
        assert_int_equal (answer.id, FUOTA_APP_TIME_ANS);
        assert_int_equal (answer.version, 2);
        assert_int_equal (answer.app_time_ans.token, 13);
        if (answer.app_time_ans.correction != cases [i].correction)
            fail_msg ("%s: %d", cases [i].name, answer.app_time_ans.correction);
        assert_int_equal (clock.correction, cases [i].correction);
    }
}

//  A second copy of one request is not answered; the first one counts.
static void
test_clock__copies (void **state)
{
    (void) state;
    fuota_clock_t clock = { 0 };
    fuota_command_t answer;
    fuota_command_t request = { .id = FUOTA_APP_TIME_REQ };
    request.app_time_req.device_time = GPS - 10;
    request.app_time_req.ans_required = true;
    assert_true (
        fuota_clock_answer (&clock, &request, DRIVER_START, 0, 2, &answer));
    assert_false (fuota_clock_answer (&clock, &request, DRIVER_START + 5000, 0,
        2, &answer));
    assert_true (clock.received_at == DRIVER_START);
    //  Another time with the same token: it did not hear our answer
    request.app_time_req.device_time++;
    assert_true (fuota_clock_answer (&clock, &request, DRIVER_START + 1000, 0,
        2, &answer));
    assert_int_equal (answer.app_time_ans.correction, 10);
    //  The same time with another token
    request.app_time_req.token = 1;
    assert_true (fuota_clock_answer (&clock, &request, DRIVER_START + 1000, 0,
        2, &answer));
}

//  ---------------------------------------------------------------------
//  Resync

static driver_t
s_resync (void)
{
    driver_t driver;
    driver_init (&driver, 1);
    driver_at (&driver, FUOTA_STEP_RESYNC, FUOTA_WAITING);
    return driver;
}

//  AppTimeReq of a device whose clock is off by that many seconds.
static void
s_time_req (driver_t *driver, int32_t ahead)
{
    uint32_t gps = GPS + (uint32_t) ((driver->now - DRIVER_START) / 1000) +
                   (uint32_t) ahead;
    char bytes [6] = { 0x01, (char) gps, (char) (gps >> 8), (char) (gps >> 16),
        (char) (gps >> 24), 0 };
    driver_hear (driver, 202, bytes, sizeof bytes);
}

static void
test_clock__resync_is_forced (void **state)
{
    (void) state;
    driver_t driver = s_resync ();
    driver_tick (&driver);
    assert_int_equal (driver.out.rows [0].f_port, 202);
    assert_memory_equal (driver.out.rows [0].data.bytes, "\x03\x03", 2);
    assert_int_equal (driver.device.resyncs, 1);
    //  Its clock is right now: on to the session again
    driver_outcome (&driver, FUOTA_SENT);
    driver.now += 5000;
    s_time_req (&driver, 3);
    assert_int_equal (driver.device.step, FUOTA_STEP_SESSION);
    assert_int_equal (driver_cid (&driver), 0x04);
}

//  Still wrong: the clock worker's answer has to reach it first.
static void
test_clock__resync_waits_for_the_correction (void **state)
{
    (void) state;
    driver_t driver = s_resync ();
    driver_ask (&driver);
    s_time_req (&driver, 40);
    assert_int_equal (driver.device.step, FUOTA_STEP_RESYNC);
    assert_int_equal (driver.out.row_count, 0);
    //  It speaks again, with the right time
    driver.now += 10000;
    s_time_req (&driver, 0);
    assert_int_equal (driver.device.step, FUOTA_STEP_SESSION);
    //  Or it does not: the session's answer will tell
    driver = s_resync ();
    driver_ask (&driver);
    s_time_req (&driver, -40);
    driver_deadline (&driver);
    assert_int_equal (driver.device.step, FUOTA_STEP_SESSION);
}

static void
test_clock__resync_ends (void **state)
{
    (void) state;
    driver_t driver = s_resync ();
    driver.deployment.dialect.ts003 = 0;
    driver_tick (&driver);
    assert_string_equal (driver_end (&driver),
        "refused(clock is wrong and it has no TS003)");
    driver = s_resync ();
    driver.device.resyncs = 3;
    driver_tick (&driver);
    assert_string_equal (driver_end (&driver), "timed out(resync)");
    driver = s_resync ();
    driver_tick (&driver);
    driver_outcome (&driver, FUOTA_NEVER);
    assert_string_equal (driver_end (&driver), "refused(words of the host)");
    //  All attempts without a word of it
    driver = s_resync ();
    driver_tick (&driver);
    for (unsigned i = 0; i < 3; i++)
        driver_outcome (&driver, FUOTA_EXPIRED);
    assert_int_equal (driver.device.step, FUOTA_STEP_SESSION);
}

static void
test_clock__resync_hears_nothing_else (void **state)
{
    (void) state;
    driver_t driver = s_resync ();
    driver_ask (&driver);
    HEAR (&driver, 202, "\x01\x00\x00");
    assert_int_equal (driver.device.step, FUOTA_STEP_RESYNC);
    HEAR (&driver, 202, "\x02\x00\x00\x00\x00\x00");
    assert_int_equal (driver.device.step, FUOTA_STEP_RESYNC);
    HEAR (&driver, 200, "\x04\x01\x07\x07\0");
    assert_int_equal (driver.device.step, FUOTA_STEP_RESYNC);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_clock__answers),
        cmocka_unit_test (test_clock__copies),
        cmocka_unit_test (test_clock__resync_is_forced),
        cmocka_unit_test (test_clock__resync_waits_for_the_correction),
        cmocka_unit_test (test_clock__resync_ends),
        cmocka_unit_test (test_clock__resync_hears_nothing_else),
    };
    return cmocka_run_group_tests_name ("clock", tests, NULL, NULL);
}
