//  SPDX-License-Identifier: MIT
//
//  Parts: what a device says at any time; asking; what is missing; repairs.

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/unit/stage_driver.h"

static driver_t
s_at (unsigned version, Step step, Phase phase)
{
    driver_t driver;
    driver_init (&driver, version);
    driver_at (&driver, step, phase);
    driver.now = driver.group.session_end + 600000;
    return driver;
}

//  FragSessionStatusReq is on air.
static driver_t
s_asked (unsigned version)
{
    driver_t driver = s_at (version, FUOTA_STEP_STATUS, FUOTA_COLLECTING);
    driver_ask (&driver);
    return driver;
}

//  ---------------------------------------------------------------------
//  What a device says

static void
test_status__answers (void **state)
{
    (void) state;
    static const struct {
        const char *name;
        unsigned version;
        const char *bytes;
        size_t size;
        const char *end;
    } cases [] = {
        { "cut", 1, "\x01\x0a\x80\x00", 4, "status" },
        { "other index", 1, "\x01\x0a\x40\x00\x00", 5, "status" },
        { "complete", 1, "\x01\x0a\x80\x00\x00", 5, "complete" },
        { "complete, v2", 2, "\x01\x00\x0a\x80\x00", 5, "complete" },
        { "nothing received, nothing missing", 1, "\x01\x00\x80\x00\x00", 5,
            "reported" },
        { "one missing", 1, "\x01\x09\x80\x01\x00", 5, "reported" },
        { "many missing", 2, "\x01\x00\x01\x80\xff", 5, "reported" },
        { "memory error", 1, "\x01\x0a\x80\x00\x01", 5,
            "refused(too many losses for its memory)" },
        { "memory error, v2", 2, "\x01\x01\x0a\x80\x03", 5,
            "refused(too many losses for its memory)" },
        { "MIC error", 2, "\x01\x02\x0a\x80\x00", 5,
            "refused(data block MIC is wrong)" },
        { "no session, LBM's five bytes", 2, "\x01\x04\x00\x80\x00", 5,
            "refused(fragmentation session does not exist)" },
        { "no session, no index either", 2, "\x01\x04", 2,
            "refused(fragmentation session does not exist)" },
        { "complete, then alien bytes", 1, "\x01\x0a\x80\x00\x00\x77", 6,
            "complete" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        driver_t driver = s_asked (cases [i].version);
        driver_hear (&driver, 201, cases [i].bytes, cases [i].size);
        if (strcmp (driver_end (&driver), cases [i].end))
            fail_msg ("%s: %s", cases [i].name, driver_end (&driver));
        if (driver.device.step == FUOTA_STEP_STATUS)
            continue;
        //  Again: no effect but on what is known of a report
        driver_hear (&driver, 201, cases [i].bytes, cases [i].size);
        assert_string_equal (driver_end (&driver), cases [i].end);
        assert_int_equal (driver.out.row_count, 0);
        assert_int_equal (driver.out.line_count, 0);
    }
}

//  Numbers of an answer are kept, errors too.
static void
test_status__numbers (void **state)
{
    (void) state;
    driver_t driver = s_asked (1);
    HEAR (&driver, 201, "\x01\x07\x80\x05\x00");
    assert_true (driver.device.reported);
    assert_int_equal (driver.device.received, 7);
    assert_int_equal (driver.device.missing, 5);
    //  7 of 20: 65 per cent are lost
    assert_int_equal (driver.group.loss, 650);
    //  More received than were sent: an old counter, not a loss
    driver = s_asked (1);
    HEAR (&driver, 201, "\x01\x15\x80\x05\x00");
    assert_int_equal (driver.group.loss, 0);
    //  Complete: it did not count what came after
    driver = s_asked (1);
    HEAR (&driver, 201, "\x01\x0a\x80\x00\x00");
    assert_string_equal (driver_end (&driver), "complete");
    assert_int_equal (driver.group.loss, 0);
}

static void
test_status__dialect_that_says_one (void **state)
{
    (void) state;
    driver_t driver = s_asked (1);
    driver.deployment.dialect.missing_one = true;
    HEAR (&driver, 201, "\x01\x0a\x80\x02\x00");
    assert_string_equal (driver_end (&driver), "reported");
    HEAR (&driver, 201, "\x01\x0a\x80\x01\x00");
    assert_string_equal (driver_end (&driver), "complete");
}

//  Good news counts at any time, bad news only when it was asked for.
static void
test_status__late_success_clears_an_earlier_error (void **state)
{
    (void) state;
    static const struct {
        const char *name;
        Step step;
        End end;
        Phase phase;
        bool good;  //  Good news is heard
    } cases [] = {
        { "ready", FUOTA_STEP_READY, FUOTA_END_NONE, FUOTA_SENDING, true },
        { "reported", FUOTA_STEP_REPORTED, FUOTA_END_NONE, FUOTA_COLLECTING,
            true },
        { "waits for a repair", FUOTA_STEP_SESSION_WAIT, FUOTA_END_NONE,
            FUOTA_WAITING, true },
        { "timed out", FUOTA_STEP_END, FUOTA_END_TIMED_OUT, FUOTA_COLLECTING,
            true },
        { "refused", FUOTA_STEP_END, FUOTA_END_REFUSED, FUOTA_COLLECTING,
            true },
        { "incomplete", FUOTA_STEP_END, FUOTA_END_INCOMPLETE, FUOTA_FINISHING,
            true },
        { "cancelled", FUOTA_STEP_END, FUOTA_END_CANCELLED, FUOTA_FINISHING,
            false },
        { "over", FUOTA_STEP_END, FUOTA_END_TIMED_OUT, FUOTA_OVER, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (unsigned good = 0; good < 2; good++) {
            driver_t driver = s_at (2, cases [i].step, cases [i].phase);
            driver.group.next_n = 21;
            driver.group.session_end = driver.now + 600000;
            driver.group.session_start = driver.now + 500000;
            driver.device.end = cases [i].end;
            driver.device.session = 1;
            driver.group.cancelled = cases [i].end == FUOTA_END_CANCELLED;
            if (good)
                HEAR (&driver, 201, "\x01\x00\x0a\x80\x00");
            else
                HEAR (&driver, 201, "\x01\x03\x0a\x80\x00");
            End end =
                good && cases [i].good ? FUOTA_END_COMPLETE : cases [i].end;
            if (driver.device.end != end)
                fail_msg ("%s, %s news: %s", cases [i].name,
                    good ? "good" : "bad", driver_end (&driver));
        }
}

//  What is heard before it can be true.
static void
test_status__too_early (void **state)
{
    (void) state;
    static const struct {
        const char *name;
        uint32_t session, next_n;
        bool has_group;
    } cases [] = {
        { "no session", 0, 21, true },
        { "no fragment was sent", 1, 1, true },
        { "no group", 1, 21, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        driver_t driver = s_at (2, FUOTA_STEP_READY, FUOTA_SENDING);
        driver.group.session = cases [i].session;
        driver.group.next_n = cases [i].next_n;
        driver.device.has_group = cases [i].has_group;
        driver.device.session = cases [i].session;
        HEAR (&driver, 201, "\x01\x00\x0a\x80\x00");
        driver_nothing (&driver);
        HEAR (&driver, 201, "\x04\x02");
        driver_nothing (&driver);
    }
}

//  v2: it says so by itself; each report is answered, the repeated ones too.
static void
test_status__reports_are_answered (void **state)
{
    (void) state;
    driver_t driver = s_at (2, FUOTA_STEP_READY, FUOTA_SENDING);
    driver.group.next_n = 12;
    for (unsigned i = 0; i < 3; i++) {
        HEAR (&driver, 201, "\x04\x02");
        assert_string_equal (driver_end (&driver), "complete");
        assert_int_equal (driver.out.row_count, 1);
        assert_int_equal (driver.out.rows [0].f_port, 201);
        assert_memory_equal (driver.out.rows [0].data.bytes, "\x04\x02", 2);
        assert_int_equal (driver.out.line_count, i == 0);
    }
    //  Complete: a late error of an older block changes nothing
    HEAR (&driver, 201, "\x04\x06");
    assert_string_equal (driver_end (&driver), "complete");
    //  Another index is another deployment's
    driver = s_at (2, FUOTA_STEP_READY, FUOTA_SENDING);
    driver.group.next_n = 12;
    HEAR (&driver, 201, "\x04\x01");
    driver_nothing (&driver);
    HEAR (&driver, 201, "\x04\x06");
    assert_string_equal (driver_end (&driver),
        "refused(data block MIC is wrong)");
    assert_int_equal (driver.out.row_count, 1);
    //  Sent once more, with a better key perhaps
    HEAR (&driver, 201, "\x04\x02");
    assert_string_equal (driver_end (&driver), "complete");
}

//  Good news while it is cleaned up: that begins anew, and goes on.
static void
test_status__success_while_cleaning_up (void **state)
{
    (void) state;
    driver_t driver = s_at (2, FUOTA_STEP_CLEAN_FRAG, FUOTA_FINISHING);
    driver.deployment.clean_up = true;
    driver.group.next_n = 21;
    driver.group.session = driver.device.session = 1;
    driver.device.end = FUOTA_END_INCOMPLETE;
    driver.device.stopped_at = FUOTA_STEP_STATUS;
    driver_ask (&driver);
    HEAR (&driver, 201, "\x01\x00\x0a\x80\x00");
    assert_int_equal (driver.device.end, FUOTA_END_COMPLETE);
    assert_int_equal (driver.device.step, FUOTA_STEP_CLEAN_FRAG);
    assert_int_equal (driver_cid (&driver), 3);
}

//  Who is complete gets its tags, and is cleaned up if that is wanted.
static void
test_status__complete_with_tags_and_clean_up (void **state)
{
    (void) state;
    driver_t driver = s_asked (1);
    driver.deployment.tags_count = 1;
    driver.deployment.clean_up = true;
    HEAR (&driver, 201, "\x01\x0a\x80\x00\x00");
    assert_int_equal (driver.device.end, FUOTA_END_COMPLETE);
    assert_int_equal (driver.device.step, FUOTA_STEP_CLEAN_FRAG);
    assert_int_equal (driver.out.row_count, 2);
    assert_int_equal (driver.out.rows [0].kind, FUOTA_TAGS);
    assert_true (driver.out.rows [0].dev_eui == DRIVER_EUI);
    assert_memory_equal (driver.out.rows [1].data.bytes, "\x03\x02", 2);
}

//  ---------------------------------------------------------------------
//  Asking

//  Not inside its session; a v2 device has time to say it by itself.
static void
test_status__when_it_is_asked (void **state)
{
    (void) state;
    for (unsigned version = 1; version <= 2; version++) {
        driver_t driver = s_at (version, FUOTA_STEP_REPORT, FUOTA_COLLECTING);
        int64_t end = driver.group.session_end;
        driver.now = end - 60000;
        driver_tick (&driver);
        assert_int_equal (driver.out.row_count, 0);
        assert_true (driver.device.wake_at ==
                     (version == 1 ? end : end + 16000 + 60000));
        driver.group.paused = true;
        driver_tick (&driver);
        assert_int_equal (driver.device.wake_at, 0);
        driver.group.paused = false;
        driver_tick (&driver);
        driver_deadline (&driver);
        assert_int_equal (driver.device.step, FUOTA_STEP_STATUS);
        assert_memory_equal (driver.out.rows [0].data.bytes, "\x01\x05", 2);
    }
}

//  The answer may be delayed at random: the wait holds that.
static void
test_status__waits_for_delayed_answers (void **state)
{
    (void) state;
    for (uint32_t delay = 0; delay < 8; delay++) {
        driver_t driver = s_at (1, FUOTA_STEP_STATUS, FUOTA_COLLECTING);
        driver.deployment.block_ack_delay = delay;
        driver_tick (&driver);
        driver_outcome (&driver, FUOTA_SENT);
        assert_true (
            driver.device.wake_at >= driver.now + (16000ll << delay) + 60000);
        //  Speaking of something else is no sign: the answer may be to come
        driver.now += 1000;
        HEAR (&driver, 1, "\x01");
        assert_true (driver.device.wake_at >=
                     driver.device.sent_at + (16000ll << delay));
    }
}

static void
test_status__no_answer (void **state)
{
    (void) state;
    driver_t driver = s_at (1, FUOTA_STEP_STATUS, FUOTA_COLLECTING);
    driver_tick (&driver);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal (driver_cid (&driver), 0x01);
        driver_outcome (&driver, FUOTA_SENT);
        driver_deadline (&driver);
    }
    assert_string_equal (driver_end (&driver), "timed out(status)");
}

//  ---------------------------------------------------------------------
//  What is missing, and repairs

//  M = 10, 20 were sent.
static void
test_status__need (void **state)
{
    (void) state;
    static const struct {
        const char *name;
        uint32_t received, missing, need;
    } cases [] = {
        { "received more than was sent", 21, 4, 4 },
        { "missing more than there are", 5, 12, 12 },
        { "fewer than are not missing", 5, 4, 4 },
        { "uncoded ones only", 6, 4, 4 },
        { "two coded ones are in its decoder", 8, 4, 2 },
        { "as many as are missing, and dependent", 10, 4, 1 },
        { "more coded ones than missing", 16, 4, 1 },
        { "more coded ones than were sent", 18, 4, 4 },
        { "nearly nothing arrived", 2, 8, 8 },
        { "MissingFrag is at its end", 2, 255, 255 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        driver_t driver = s_at (1, FUOTA_STEP_REPORTED, FUOTA_COLLECTING);
        driver.device.reported = true;
        driver.device.received = cases [i].received;
        driver.device.missing = cases [i].missing;
        driver_tick (&driver);
        if (driver.group.worst != cases [i].need)
            fail_msg ("%s: %u", cases [i].name, driver.group.worst);
        //  Looked at again it is not counted again
        driver_tick (&driver);
        assert_int_equal (driver.group.worst, cases [i].need);
    }
    //  255 or more: then the other number tells
    driver_t driver = s_at (1, FUOTA_STEP_REPORTED, FUOTA_COLLECTING);
    driver.deployment.nb_frag = 1000;
    driver.group.next_n = 1201;
    driver.device.received = 300;
    driver.device.missing = 255;
    driver_tick (&driver);
    assert_int_equal (driver.group.worst, 700);
}

typedef struct {
    const char *name;
    uint32_t reported, open, worst, round, rounds, next_n, budget;
    uint64_t air_time;
    Phase phase;
    uint32_t first, last;  //  Alone
    uint32_t last_n;       //  By multicast
} repair_t;

static void
test_status__repairs (void **state)
{
    (void) state;
    static const repair_t cases [] = {
        { .name = "somebody is still asked",
            .reported = 3,
            .open = 1,
            .worst = 2,
            .round = 1,
            .rounds = 3,
            .next_n = 21,
            .phase = FUOTA_COLLECTING },
        { .name = "nobody is incomplete",
            .round = 1,
            .rounds = 3,
            .next_n = 21,
            .phase = FUOTA_FINISHING },
        { .name = "no repairs wanted",
            .reported = 1,
            .worst = 1,
            .round = 1,
            .next_n = 21,
            .phase = FUOTA_FINISHING },
        { .name = "rounds used up",
            .reported = 1,
            .worst = 1,
            .round = 4,
            .rounds = 3,
            .next_n = 21,
            .phase = FUOTA_FINISHING },
        { .name = "N used up",
            .reported = 1,
            .worst = 1,
            .round = 1,
            .rounds = 3,
            .next_n = 16384,
            .phase = FUOTA_FINISHING },
        { .name = "budget used up",
            .reported = 1,
            .worst = 1,
            .round = 2,
            .rounds = 3,
            .next_n = 31,
            .budget = 4,
            .air_time = 12000,
            .phase = FUOTA_FINISHING },
        { .name = "within the budget",
            .reported = 1,
            .worst = 1,
            .round = 2,
            .rounds = 3,
            .next_n = 31,
            .budget = 4,
            .air_time = 10800,  //  Three fragments are left
            .phase = FUOTA_COLLECTING,
            .first = 31,
            .last = 33 },
        { .name = "few for few go alone",
            .reported = 4,
            .worst = 8,
            .round = 1,
            .rounds = 3,
            .next_n = 21,
            .phase = FUOTA_COLLECTING,
            .first = 21,
            .last = 30 },
        { .name = "one more device: multicast",
            .reported = 5,
            .worst = 8,
            .round = 1,
            .rounds = 3,
            .next_n = 21,
            .phase = FUOTA_WAITING,
            .last_n = 37 },
        { .name = "one more fragment: multicast",
            .reported = 1,
            .worst = 9,
            .round = 1,
            .rounds = 3,
            .next_n = 21,
            .phase = FUOTA_WAITING,
            .last_n = 38 },
        { .name = "the last few N",
            .reported = 5,
            .worst = 100,
            .round = 1,
            .rounds = 3,
            .next_n = 16380,
            .phase = FUOTA_WAITING,
            .last_n = 16383 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const repair_t *row = &cases [i];
        driver_t driver = s_at (1, FUOTA_STEP_END, FUOTA_COLLECTING);
        fuota_group_t *group = &driver.group;
        driver.deployment.repair_rounds = row->rounds;
        driver.deployment.repair_budget = row->budget;
        group->total = 10;
        group->at_step [FUOTA_STEP_REPORTED] = row->reported;
        group->at_step [FUOTA_STEP_STATUS] = row->open;
        group->at_step [FUOTA_STEP_END] = 10 - row->reported - row->open;
        group->worst = row->worst;
        group->round = row->round;
        group->next_n = row->next_n;
        group->air_time = row->air_time;
        driver_group_tick (&driver);
        Phase phase = group->phase;
        if (phase != row->phase || group->unicast_first != row->first ||
            group->unicast_last != row->last ||
            (row->last_n && group->last_n != row->last_n))
            fail_msg ("%s: %s, alone %u to %u, last %u", row->name,
                fuota_phase_name (group), group->unicast_first,
                group->unicast_last, group->last_n);
        if (row->last || row->last_n) {
            assert_int_equal (group->round, row->round + 1);
            assert_non_null (driver_line (&driver, "round", "repair"));
            assert_true (driver.out.wake_devices);
        }
    }
}

//  Who reported joins the repair once, alone or in the next session.
static void
test_status__reported_goes_on (void **state)
{
    (void) state;
    driver_t driver = s_at (1, FUOTA_STEP_REPORTED, FUOTA_COLLECTING);
    driver.group.unicast_first = 21;
    driver.group.unicast_last = 23;
    driver_tick (&driver);
    assert_int_equal (driver.device.step, FUOTA_STEP_UNICAST);
    assert_int_equal (driver.out.rows [0].n, 21);
    for (unsigned i = 0; i < 3; i++)
        driver_outcome (&driver, FUOTA_SENT);
    assert_int_equal (driver.device.step, FUOTA_STEP_STATUS);
    driver_outcome (&driver, FUOTA_SENT);
    HEAR (&driver, 201, "\x01\x08\x80\x02\x00");
    assert_string_equal (driver_end (&driver), "reported");
    assert_int_equal (driver.out.row_count, 0);
    driver.group.phase = FUOTA_WAITING;
    driver_tick (&driver);
    driver_nothing (&driver);
    driver.group.session = 2;
    driver.group.session_start = driver.now + 600000;
    driver_tick (&driver);
    assert_int_equal (driver.device.step, FUOTA_STEP_SESSION);
}

static void
test_status__paused_collecting (void **state)
{
    (void) state;
    driver_t driver = s_at (1, FUOTA_STEP_REPORTED, FUOTA_COLLECTING);
    driver.group.worst = 3;
    driver.group.paused = true;
    driver_group_tick (&driver);
    assert_int_equal (driver.group.round, 1);
    assert_int_equal (driver.group.phase, FUOTA_COLLECTING);
    driver.group.paused = false;
    driver_group_tick (&driver);
    assert_int_equal (driver.group.round, 2);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_status__answers),
        cmocka_unit_test (test_status__numbers),
        cmocka_unit_test (test_status__dialect_that_says_one),
        cmocka_unit_test (test_status__late_success_clears_an_earlier_error),
        cmocka_unit_test (test_status__too_early),
        cmocka_unit_test (test_status__reports_are_answered),
        cmocka_unit_test (test_status__success_while_cleaning_up),
        cmocka_unit_test (test_status__complete_with_tags_and_clean_up),
        cmocka_unit_test (test_status__when_it_is_asked),
        cmocka_unit_test (test_status__waits_for_delayed_answers),
        cmocka_unit_test (test_status__no_answer),
        cmocka_unit_test (test_status__need),
        cmocka_unit_test (test_status__repairs),
        cmocka_unit_test (test_status__reported_goes_on),
        cmocka_unit_test (test_status__paused_collecting),
    };
    return cmocka_run_group_tests_name ("status", tests, NULL, NULL);
}
