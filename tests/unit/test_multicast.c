//  SPDX-License-Identifier: MIT
//
//  Parts: group setup; session; ready and clean up; phases of a group.

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/unit/stage_driver.h"
#include "workers/package/mckey.h"

//  ---------------------------------------------------------------------
//  Group setup

static driver_t
s_new (void)
{
    driver_t driver;
    driver_init (&driver, 1);
    return driver;
}

//  McGroupSetupReq is on air.
static driver_t
s_group_asked (void)
{
    driver_t driver = s_new ();
    driver_ask (&driver);
    return driver;
}

static void
test_multicast__nothing_before_the_host_has_the_group (void **state)
{
    (void) state;
    driver_t driver = s_new ();
    driver.group.phase = FUOTA_PREPARING;
    driver_tick (&driver);
    driver_nothing (&driver);
    HEAR (&driver, 200, "\x02\x00");
    driver_nothing (&driver);
}

static void
test_multicast__setup_request (void **state)
{
    (void) state;
    driver_t driver = s_new ();
    static const uint8_t root [16] = { 1, 2, 3 };
    uint8_t expected [30] = { 0x02, 0, 4, 3, 2, 1 };
    driver.group.f_cnt = 7;
    driver_tick (&driver);
    assert_int_equal (driver.out.rows [0].kind, FUOTA_KEYS);
    assert_int_equal (driver.device.asked, FUOTA_ASKED_KEY);
    assert_int_equal (driver.device.wake_at, 0);
    driver_tick (&driver);
    driver_nothing (&driver);
    //  An answer to what was not asked yet
    HEAR (&driver, 200, "\x02\x00");
    driver_nothing (&driver);
    driver_key (&driver);
    assert_int_equal (fuota_mckey_wrap (FUOTA_ROOT_GEN_APP_KEY, root,
                          driver.deployment.mc_key, expected + 6),
        0);
    expected [22] = 7;
    expected [26] = expected [27] = 0xff;
    assert_int_equal (driver_size (&driver), sizeof expected);
    assert_memory_equal (driver.out.rows [0].data.bytes, expected,
        sizeof expected);
}

static void
test_multicast__no_key_no_group (void **state)
{
    (void) state;
    static const size_t sizes [] = { 0, 1, 15 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        driver_t driver = s_new ();
        driver_tick (&driver);
        fuota_outcome_t outcome = { .kind = FUOTA_DONE,
            .row = driver.device.row,
            .root_key = { (pb_size_t) sizes [i], { 1 } } };
        fuota_happening_t happening = { .kind = FUOTA_OUTCOME,
            .outcome = &outcome };
        fuota_env_t env = { .now = driver.now,
            .deployment = &driver.deployment };
        fuota_effects_t out = { .row_count = 0 };
        fuota_subject_t subject = { &driver.group, &driver.device };
        fuota_stage_step (subject, &happening, &env, &out);
        assert_string_equal (driver_end (&driver),
            "refused(host has no root key)");
        assert_int_equal (out.row_count, 0);
    }
    driver_t driver = s_new ();
    driver_tick (&driver);
    driver_outcome (&driver, FUOTA_NEVER);
    assert_string_equal (driver_end (&driver), "refused(words of the host)");
}

//  The lowest id that no other deployment has and that was not refused.
static void
test_multicast__choice_of_the_group_id (void **state)
{
    (void) state;
    static const struct {
        unsigned used, refused;
        int id;
    } cases [] = { { 15, 0, -1 }, { 0, 15, -1 }, { 5, 10, -1 }, { 0, 0, 0 },
        { 1, 0, 1 }, { 1, 2, 2 }, { 7, 0, 3 }, { 2, 0, 0 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        driver_t driver = s_new ();
        driver.used_groups = cases [i].used;
        driver.device.refused_groups = cases [i].refused;
        driver_tick (&driver);
        if (cases [i].id < 0)
            assert_string_equal (driver_end (&driver),
                "refused(no McGroupID left)");
        else {
            assert_true (driver.device.has_group);
            assert_int_equal (driver.device.group_id, cases [i].id);
        }
    }
}

static void
test_multicast__id_error_tries_the_next (void **state)
{
    (void) state;
    driver_t driver = s_new ();
    driver.used_groups = 2;
    static const unsigned ids [] = { 0, 2, 3 };
    for (size_t i = 0; i < 3; i++) {
        driver_ask (&driver);
        assert_int_equal (driver.device.group_id, ids [i]);
        assert_int_equal (driver.device.tries, 1);
        char answer [2] = { 0x02, (char) (4 | ids [i]) };
        driver_hear (&driver, 200, answer, 2);
    }
    assert_string_equal (driver_end (&driver), "refused(no McGroupID left)");
}

static void
test_multicast__group_answers (void **state)
{
    (void) state;
    static const struct {
        const char *name;
        unsigned version, port;
        const char *bytes;
        size_t size;
        Step step;
    } cases [] = {
        { "other group", 1, 200, "\x02\x01", 2, FUOTA_STEP_GROUP },
        { "error of another group", 1, 200, "\x02\x05", 2, FUOTA_STEP_GROUP },
        { "cut", 1, 200, "\x02", 1, FUOTA_STEP_GROUP },
        { "other port", 1, 201, "\x02\x00", 2, FUOTA_STEP_GROUP },
        { "other command", 1, 200, "\x03\x00", 2, FUOTA_STEP_GROUP },
        { "v1 goes on to clear the index", 1, 200, "\x02\x00", 2,
            FUOTA_STEP_FRAG_DELETE },
        { "after another command", 1, 200, "\x00\x02\x01\x02\x00", 5,
            FUOTA_STEP_FRAG_DELETE },
        { "before an alien one", 1, 200, "\x02\x00\x7f", 3,
            FUOTA_STEP_FRAG_DELETE },
        { "v2 need not", 2, 200, "\x02\x00", 2, FUOTA_STEP_FRAG_SETUP },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        driver_t driver;
        driver_init (&driver, cases [i].version);
        driver_ask (&driver);
        driver_hear (&driver, cases [i].port, cases [i].bytes, cases [i].size);
        if (driver.device.step != cases [i].step)
            fail_msg ("%s: %s", cases [i].name, driver_end (&driver));
    }
    //  Said twice: the second has no effect
    driver_t driver = s_group_asked ();
    HEAR (&driver, 200, "\x02\x00");
    uint64_t row = driver.device.row;
    HEAR (&driver, 200, "\x02\x00");
    assert_true (driver.device.row == row);
    assert_int_equal (driver.out.row_count, 0);
    //  A dialect that keeps its session needs no clearing
    driver = s_new ();
    driver.deployment.dialect.keep_session = true;
    driver_ask (&driver);
    HEAR (&driver, 200, "\x02\x00");
    assert_int_equal (driver.device.step, FUOTA_STEP_FRAG_SETUP);
}

//  ---------------------------------------------------------------------
//  Session

static driver_t
s_session (unsigned version)
{
    driver_t driver;
    driver_init (&driver, version);
    driver_at (&driver, FUOTA_STEP_SESSION_WAIT, FUOTA_WAITING);
    return driver;
}

static void
test_multicast__session_requests (void **state)
{
    (void) state;
    //  869.525 MHz is 0x84add2 * 100 Hz
    static const uint8_t c [] = { 0x04, 1, 0x5a, 0x2a, 0x80, 0x56, 9, 0xd2,
        0xad, 0x84, 3 };
    static const uint8_t b [] = { 0x05, 1, 0x5a, 0x2a, 0x80, 0x56, 0x29, 0xd2,
        0xad, 0x84, 3 };
    for (unsigned class_b = 0; class_b < 2; class_b++) {
        driver_t driver = s_session (1);
        driver.deployment.group_type = class_b;
        driver.deployment.periodicity = 2;
        driver.deployment.dr = 3;
        driver.group.session_time = 0x56802a5a;
        driver_tick (&driver);
        assert_int_equal (driver.device.step, FUOTA_STEP_SESSION);
        assert_int_equal (driver_size (&driver), sizeof c);
        assert_memory_equal (driver.out.rows [0].data.bytes, class_b ? b : c,
            sizeof c);
    }
}

static void
test_multicast__session_is_asked_in_time_only (void **state)
{
    (void) state;
    static const struct {
        const char *name;
        Phase phase;
        bool paused;
        int64_t before;  //  Milliseconds before the start
        bool asks;
    } cases [] = {
        { "no session yet", FUOTA_SETTING_UP, false, 60000, false },
        { "paused", FUOTA_WAITING, true, 60000, false },
        { "begun", FUOTA_WAITING, false, -1, false },
        { "within the guard", FUOTA_WAITING, false, 3000, false },
        { "just in time", FUOTA_WAITING, false, 3001, true },
        { "early", FUOTA_WAITING, false, 1800000, true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        driver_t driver = s_session (1);
        driver.group.phase = cases [i].phase;
        driver.group.paused = cases [i].paused;
        driver.now = driver.group.session_start - cases [i].before;
        driver_tick (&driver);
        if ((driver_cid (&driver) == 0x04) != cases [i].asks)
            fail_msg ("%s", cases [i].name);
    }
}

//  TimeToStart against ours. At the answer 1799 seconds are left.
static void
test_multicast__session_answers (void **state)
{
    (void) state;
    static const struct {
        const char *name;
        unsigned version;
        const char *bytes;
        size_t size;
        Step step;
        const char *end;
        int32_t error;
    } cases [] = {
        { "alien group", 1, "\x04\x02\x07\x07\0", 5, FUOTA_STEP_SESSION, NULL,
            0 },
        { "class B's answer", 1, "\x05\x01\x07\x07\0", 5, FUOTA_STEP_SESSION,
            NULL, 0 },
        { "cut in its time", 1, "\x04\x01\x07\x07", 4, FUOTA_STEP_SESSION, NULL,
            0 },
        { "in time", 1, "\x04\x01\x07\x07\0", 5, FUOTA_STEP_READY, NULL, 0 },
        { "3 s ahead: within the guard", 1, "\x04\x01\x04\x07\0", 5,
            FUOTA_STEP_READY, NULL, 3 },
        { "3 s behind", 2, "\x04\x01\x0a\x07\0", 5, FUOTA_STEP_READY, NULL,
            -3 },
        { "4 s ahead", 1, "\x04\x01\x03\x07\0", 5, FUOTA_STEP_RESYNC, NULL, 4 },
        { "4 s behind", 1, "\x04\x01\x0b\x07\0", 5, FUOTA_STEP_RESYNC, NULL,
            -4 },
        { "not in sync", 2, "\x04\x01\xff\xff\xff", 5, FUOTA_STEP_RESYNC, NULL,
            INT32_MAX },
        { "StartMissed", 2, "\x04\x21", 2, FUOTA_STEP_RESYNC, NULL, 0 },
        { "StartMissed of v1 stacks", 1, "\x04\x21", 2, FUOTA_STEP_RESYNC, NULL,
            0 },
        { "McGroupUndefined", 1, "\x04\x11", 2, FUOTA_STEP_GROUP, NULL, 0 },
        { "undefined, all bits of LMN", 1, "\x04\x1d", 2, FUOTA_STEP_GROUP,
            NULL, 0 },
        { "FreqError", 1, "\x04\x09", 2, FUOTA_STEP_END, "refused(FreqError)",
            0 },
        { "DRError", 1, "\x04\x05", 2, FUOTA_STEP_END, "refused(DRError)", 0 },
        { "errors to come", 2, "\x04\x41", 2, FUOTA_STEP_END,
            "refused(session refused)", 0 },
        { "ZEPHYR's lone CID", 1, "\x04", 1, FUOTA_STEP_END,
            "refused(session refused)", 0 },
        { "LMN of 2019", 1, "\x02\x01\x07\x07\0", 5, FUOTA_STEP_READY, NULL,
            0 },
        { "LMN of 2019, wrong clock", 1, "\x02\x01\x19\0\0", 5,
            FUOTA_STEP_RESYNC, NULL, 1774 },
        { "LMN of 2019, alien group", 1, "\x02\x02\x07\x07\0", 5,
            FUOTA_STEP_SESSION, NULL, 0 },
        { "a late group answer", 1, "\x02\x01", 2, FUOTA_STEP_SESSION, NULL,
            0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        driver_t driver = s_session (cases [i].version);
        driver_ask (&driver);
        driver_hear (&driver, 200, cases [i].bytes, cases [i].size);
        if (driver.device.step != cases [i].step ||
            driver.device.clock_error != cases [i].error ||
            (cases [i].end && strcmp (driver_end (&driver), cases [i].end)))
            fail_msg ("%s: %s, error %d", cases [i].name, driver_end (&driver),
                driver.device.clock_error);
        if (driver.device.step == FUOTA_STEP_READY)
            assert_int_equal (driver.device.session, 1);
    }
}

//  Only what is asked for can be answered.
static void
test_multicast__session_answers_unasked (void **state)
{
    (void) state;
    driver_t driver = s_session (1);
    HEAR (&driver, 200, "\x04\x01\x07\x07\0");
    assert_int_equal (driver.device.step, FUOTA_STEP_SESSION);
    assert_int_equal (driver.device.asked, FUOTA_ASKED_QUEUED);
    driver_outcome (&driver, FUOTA_SENT);
    HEAR (&driver, 200, "\x04\x01\x07\x07\0");
    assert_int_equal (driver.device.step, FUOTA_STEP_READY);
    //  Twice, late, of another kind: nothing
    HEAR (&driver, 200, "\x04\x01\x07\x07\0");
    driver_nothing (&driver);
    HEAR (&driver, 200, "\x04\x11");
    driver_nothing (&driver);
    HEAR (&driver, 200, "\x02\x05");
    driver_nothing (&driver);
}

//  A device that forgets its group each time does not go round for ever.
static void
test_multicast__undefined_is_bounded (void **state)
{
    (void) state;
    driver_t driver = s_session (2);
    unsigned rounds = 0;
    for (; driver.device.step != FUOTA_STEP_END; rounds++) {
        assert_true (rounds < 20);
        driver_ask (&driver);
        HEAR (&driver, 200, "\x04\x11");
        if (driver.device.step == FUOTA_STEP_END)
            break;
        assert_int_equal (driver.device.step, FUOTA_STEP_GROUP);
        uint32_t resyncs = driver.device.resyncs;
        driver_at (&driver, FUOTA_STEP_SESSION_WAIT, FUOTA_WAITING);
        driver.device.resyncs = resyncs;
    }
    assert_int_equal (rounds, 3);
    assert_string_equal (driver_end (&driver), "refused(McGroupUndefined)");
}

//  Paused over the session, resumed: a new one is decided. Who was asked for
//  the old one is asked for the new one.
static void
test_multicast__postponed_session_is_asked_anew (void **state)
{
    (void) state;
    driver_t driver = s_session (1);
    driver_ask (&driver);
    driver.group.paused = true;
    driver_deadline (&driver);
    assert_int_equal (driver.out.row_count, 0);
    driver.now = driver.group.session_end + 1000;
    driver_group_tick (&driver);
    driver_nothing (&driver);
    driver.group.paused = false;
    driver_group_tick (&driver);
    assert_int_equal (driver.group.session, 2);
    assert_true (driver.out.wake_devices);
    driver_tick (&driver);
    const fuota_row_t *row = &driver.out.rows [0];
    uint32_t asked = 0;
    for (unsigned i = 0; i < 4; i++)
        asked |= (uint32_t) row->data.bytes [2 + i] << 8 * i;
    assert_int_equal (asked, driver.group.session_time);
    assert_int_equal (driver.device.tries, 1);
}

//  ---------------------------------------------------------------------
//  When the session starts; ready; clean up

static void
test_multicast__who_is_in_the_session (void **state)
{
    (void) state;
    static const struct {
        const char *name;
        Step step;
        Asked asked;
        uint32_t tries, session;
        OutcomeKind word;  //  Of the host, as it starts; TAKEN: none
        const char *end;
    } cases [] = {
        { "set up too late", FUOTA_STEP_FRAG_SETUP, FUOTA_ASKED_SENT, 1, 0,
            FUOTA_TAKEN, "timed out(frag setup)" },
        { "not asked", FUOTA_STEP_SESSION_WAIT, FUOTA_ASKED_NOT, 0, 0,
            FUOTA_TAKEN, "timed out(session wait)" },
        { "request never on air", FUOTA_STEP_SESSION, FUOTA_ASKED_QUEUED, 1, 0,
            FUOTA_TAKEN, "timed out(session)" },
        { "request expires", FUOTA_STEP_SESSION, FUOTA_ASKED_QUEUED, 1, 0,
            FUOTA_EXPIRED, "timed out(session)" },
        { "request is on air now", FUOTA_STEP_SESSION, FUOTA_ASKED_QUEUED, 1, 0,
            FUOTA_SENT, "ready" },
        { "its clock", FUOTA_STEP_RESYNC, FUOTA_ASKED_SENT, 1, 0, FUOTA_TAKEN,
            "timed out(resync)" },
        { "request on air", FUOTA_STEP_SESSION, FUOTA_ASKED_SENT, 1, 0,
            FUOTA_TAKEN, "ready" },
        { "an earlier one was", FUOTA_STEP_SESSION, FUOTA_ASKED_QUEUED, 2, 0,
            FUOTA_TAKEN, "ready" },
        { "holds fragments", FUOTA_STEP_SESSION_WAIT, FUOTA_ASKED_NOT, 0, 1,
            FUOTA_TAKEN, "ready" },
        { "ready", FUOTA_STEP_READY, FUOTA_ASKED_NOT, 0, 2, FUOTA_TAKEN,
            "ready" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        driver_t driver;
        driver_init (&driver, 1);
        driver_at (&driver, cases [i].step, FUOTA_SENDING);
        driver.group.session = 2;
        driver.device.asked = cases [i].asked;
        driver.device.tries = cases [i].tries;
        driver.device.session = cases [i].session;
        driver.device.row = cases [i].asked == FUOTA_ASKED_QUEUED ? 77 : 0;
        driver.device.wake_at = driver.now + 1000000;
        if (cases [i].word)
            driver_outcome (&driver, cases [i].word);
        else
            driver_tick (&driver);
        if (strcmp (driver_end (&driver), cases [i].end))
            fail_msg ("%s: %s", cases [i].name, driver_end (&driver));
        if (cases [i].asked == FUOTA_ASKED_QUEUED)
            assert_true (driver.out.drops [0] == 77);
        if (driver.device.end == FUOTA_END_NONE)
            assert_int_equal (driver.device.session, 2);
    }
}

static void
test_multicast__ready_goes_on (void **state)
{
    (void) state;
    static const struct {
        Phase phase;
        uint32_t session;
        Step step;
    } cases [] = {
        { FUOTA_WAITING, 1, FUOTA_STEP_READY },
        { FUOTA_SENDING, 1, FUOTA_STEP_READY },
        { FUOTA_WAITING, 2, FUOTA_STEP_SESSION },
        { FUOTA_COLLECTING, 1, FUOTA_STEP_REPORT },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        driver_t driver;
        driver_init (&driver, 1);
        driver_at (&driver, FUOTA_STEP_READY, cases [i].phase);
        driver.group.session = cases [i].session;
        driver_tick (&driver);
        assert_int_equal (driver.device.step, cases [i].step);
    }
}

//  It may have lost its group: the session is asked for again, in time only.
static void
test_multicast__joined_again (void **state)
{
    (void) state;
    for (unsigned late = 0; late < 2; late++) {
        driver_t driver;
        driver_init (&driver, 1);
        driver_at (&driver, FUOTA_STEP_READY, FUOTA_WAITING);
        driver.device.session = driver.group.session;
        if (late)
            driver.now = driver.group.session_start;
        driver_join (&driver);
        assert_int_equal (driver.device.step,
            late ? FUOTA_STEP_READY : FUOTA_STEP_SESSION);
        assert_int_equal (driver_cid (&driver), late ? 0 : 4);
    }
}

//  Best effort: an answer of any kind, silence or the host's no, it ends.
static void
test_multicast__clean_group (void **state)
{
    (void) state;
    for (unsigned i = 0; i < 4; i++) {
        driver_t driver;
        driver_init (&driver, 1);
        driver_at (&driver, FUOTA_STEP_CLEAN_GROUP, FUOTA_FINISHING);
        driver.device.end = FUOTA_END_COMPLETE;
        driver_tick (&driver);
        assert_memory_equal (driver.out.rows [0].data.bytes, "\x03\x01", 2);
        HEAR (&driver, 200, "\x03\x02");
        assert_int_equal (driver.device.step, FUOTA_STEP_CLEAN_GROUP);
        if (i == 0)
            HEAR (&driver, 200, "\x03\x01");
        else if (i == 1)
            HEAR (&driver, 200, "\x03\x05");
        else if (i == 2)
            driver_outcome (&driver, FUOTA_NEVER);
        else
            for (unsigned n = 0; n < 3; n++)
                driver_outcome (&driver, FUOTA_EXPIRED);
        assert_int_equal (driver.device.step, FUOTA_STEP_END);
        assert_int_equal (driver.device.end, FUOTA_END_COMPLETE);
    }
}

//  Given up, and then it answers: it goes on where it stopped.
static void
test_multicast__late_answers_revive (void **state)
{
    (void) state;
    static const struct {
        const char *name;
        Step step;
        uint32_t class_b;
        unsigned port;
        const char *bytes;
        size_t size;
        Phase phase;
        Step then;
    } cases [] = {
        { "group", FUOTA_STEP_GROUP, 0, 200, "\x02\x01", 2, FUOTA_SETTING_UP,
            FUOTA_STEP_FRAG_DELETE },
        { "index", FUOTA_STEP_FRAG_DELETE, 0, 201, "\x03\x02", 2,
            FUOTA_SETTING_UP, FUOTA_STEP_FRAG_SETUP },
        { "setup", FUOTA_STEP_FRAG_SETUP, 0, 201, "\x02\x80", 2,
            FUOTA_SETTING_UP, FUOTA_STEP_SESSION_WAIT },
        { "session", FUOTA_STEP_SESSION, 0, 200, "\x04\x01\x08\x07\0", 5,
            FUOTA_WAITING, FUOTA_STEP_READY },
        { "session, class B", FUOTA_STEP_SESSION, 1, 200, "\x05\x01\x08\x07\0",
            5, FUOTA_WAITING, FUOTA_STEP_READY },
        { "other question", FUOTA_STEP_GROUP, 0, 201, "\x03\x02", 2,
            FUOTA_SETTING_UP, FUOTA_STEP_END },
        { "class C's answer in class B", FUOTA_STEP_SESSION, 1, 200,
            "\x04\x01\x08\x07\0", 5, FUOTA_WAITING, FUOTA_STEP_END },
        { "too late", FUOTA_STEP_SESSION, 0, 200, "\x04\x01\x08\x07\0", 5,
            FUOTA_SENDING, FUOTA_STEP_END },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        driver_t driver;
        driver_init (&driver, 1);
        driver.deployment.group_type = cases [i].class_b;
        driver_at (&driver, FUOTA_STEP_END, cases [i].phase);
        driver.device.session = 0;
        driver.device.end = FUOTA_END_TIMED_OUT;
        driver.device.stopped_at = cases [i].step;
        driver_hear (&driver, cases [i].port, cases [i].bytes, cases [i].size);
        if (driver.device.step != cases [i].then)
            fail_msg ("%s: %s", cases [i].name, driver_end (&driver));
        bool alive = cases [i].then != FUOTA_STEP_END;
        assert_int_equal (driver.device.end == FUOTA_END_NONE, alive);
        if (!alive)
            driver_nothing (&driver);
    }
    //  Who was refused stays so
    driver_t driver;
    driver_init (&driver, 1);
    driver_at (&driver, FUOTA_STEP_END, FUOTA_SETTING_UP);
    driver.device.end = FUOTA_END_REFUSED;
    driver.device.stopped_at = FUOTA_STEP_GROUP;
    HEAR (&driver, 200, "\x02\x01");
    driver_nothing (&driver);
}

//  ---------------------------------------------------------------------
//  Phases of a group

static driver_t
s_preparing (void)
{
    driver_t driver = s_new ();
    driver.group.phase = FUOTA_PREPARING;
    driver.group.host_group [0] = '\0';
    return driver;
}

static void
test_multicast__preparing (void **state)
{
    (void) state;
    driver_t driver = s_preparing ();
    driver.group.paused = true;
    driver_group_tick (&driver);
    driver_nothing (&driver);
    driver.group.paused = false;
    driver.deployment.start_at = driver.now + 5000;
    driver_group_tick (&driver);
    assert_int_equal (driver.out.rows [0].kind, FUOTA_GROUP_CREATE);
    driver_group_tick (&driver);
    driver_nothing (&driver);
    driver_group_outcome (&driver, FUOTA_DONE, 3, "name at the host");
    assert_string_equal (driver.group.host_group, "name at the host");
    assert_int_equal (driver.group.f_cnt, 3);
    assert_int_equal (driver.group.phase, FUOTA_PREPARING);
    driver_group_deadline (&driver);
    assert_int_equal (driver.group.phase, FUOTA_SETTING_UP);
    assert_true (driver.out.wake_devices);
    assert_true (driver.group.setup_deadline > driver.now);
}

static void
test_multicast__host_without_a_group (void **state)
{
    (void) state;
    driver_t driver = s_preparing ();
    driver_group_tick (&driver);
    driver_group_outcome (&driver, FUOTA_NEVER, 0, "");
    assert_int_equal (driver.group.phase, FUOTA_FINISHING);
    assert_string_equal (driver.group.error, "host: words of the host");
    driver_tick (&driver);
    assert_string_equal (driver_end (&driver),
        "refused(host: words of the host)");
    driver_group_tick (&driver);
    assert_int_equal (driver.group.phase, FUOTA_OVER);
    //  Carried out, and no name: asked again it would be so for ever
    driver = s_preparing ();
    driver_group_tick (&driver);
    driver_group_outcome (&driver, FUOTA_DONE, 0, "");
    assert_int_equal (driver.out.row_count, 0);
    assert_int_equal (driver.group.phase, FUOTA_FINISHING);
    assert_true (driver.group.error [0] != '\0');
}

static void
test_multicast__quorum_and_deadline (void **state)
{
    (void) state;
    static const struct {
        const char *name;
        uint32_t quorum, ready, pending, ended;
        bool late;
        Phase phase;
    } cases [] = {
        { "nobody yet", 100, 0, 10, 0, false, FUOTA_SETTING_UP },
        { "nobody, late", 100, 0, 10, 0, true, FUOTA_SETTING_UP },
        { "all but one", 100, 9, 1, 0, false, FUOTA_SETTING_UP },
        { "below the quorum", 80, 7, 3, 0, false, FUOTA_SETTING_UP },
        { "at the quorum", 80, 8, 2, 0, false, FUOTA_WAITING },
        { "of those still with us", 80, 4, 1, 5, false, FUOTA_WAITING },
        { "one is enough when late", 100, 1, 9, 0, true, FUOTA_WAITING },
        { "all", 100, 10, 0, 0, false, FUOTA_WAITING },
        { "all refused", 100, 0, 0, 10, false, FUOTA_FINISHING },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        driver_t driver = s_new ();
        fuota_group_t *group = &driver.group;
        driver.deployment.quorum = cases [i].quorum;
        group->total = 10;
        group->at_step [FUOTA_STEP_GROUP] = 0;
        group->at_step [FUOTA_STEP_SESSION_WAIT] = cases [i].ready;
        group->at_step [FUOTA_STEP_FRAG_SETUP] = cases [i].pending;
        group->at_step [FUOTA_STEP_END] = cases [i].ended;
        group->host_group [0] = '\0';
        if (cases [i].late)
            driver.now = group->setup_deadline;
        driver_group_tick (&driver);
        Phase phase =
            group->phase == FUOTA_OVER ? FUOTA_FINISHING : group->phase;
        if (phase != cases [i].phase)
            fail_msg ("%s: %s", cases [i].name, fuota_phase_name (group));
        if (phase == FUOTA_SETTING_UP)
            assert_true (
                group->wake_at == (cases [i].late ? 0 : group->setup_deadline));
    }
}

//  Far enough ahead, on the second, class B on a beacon; the window holds it.
static void
test_multicast__session_time (void **state)
{
    (void) state;
    for (uint32_t class_b = 0; class_b < 2; class_b++)
        for (int64_t ms = 0; ms < 3000; ms += 777) {
            driver_t driver = s_new ();
            fuota_group_t *group = &driver.group;
            driver.deployment.group_type = class_b;
            group->at_step [FUOTA_STEP_GROUP] = 0;
            group->at_step [FUOTA_STEP_SESSION_WAIT] = 1;
            driver.now += ms;
            driver_group_tick (&driver);
            int64_t lead = fuota_plan_lead (&driver.deployment);
            assert_int_equal (group->phase, FUOTA_WAITING);
            assert_true (group->session_start >= driver.now + lead);
            assert_true (group->session_start <
                         driver.now + lead + (class_b ? 129000 : 2000));
            assert_true (
                group->session_start ==
                ((int64_t) group->session_time + 315964800 - 18) * 1000);
            if (class_b)
                assert_int_equal (group->session_time % 128, 0);
            assert_true (group->session_end - group->session_start >=
                         20 * 2000 + 2 * 3000);
            assert_int_equal (group->round, 1);
            assert_int_equal (group->next_n, 1);
            assert_int_equal (group->last_n, 20);
            //  Nothing until every clock within the guard has begun
            assert_true (group->wake_at == group->session_start + 4000);
            //  Paused and resumed before: it still does
            group->paused = true;
            driver_group_tick (&driver);
            fuota_env_t env = { .now = driver.now += 1000,
                .deployment = &driver.deployment };
            assert_int_equal (fuota_stage_resume (group, &env, &driver.out), 0);
            driver_group_tick (&driver);
            assert_true (group->wake_at == group->session_start + 4000);
            driver_group_deadline (&driver);
            assert_int_equal (group->phase, FUOTA_SENDING);
        }
}

//  No session is told to devices by a clock that has jumped.
static void
test_multicast__our_clock_has_jumped (void **state)
{
    (void) state;
    driver_t driver = s_new ();
    driver.group.at_step [FUOTA_STEP_GROUP] = 0;
    driver.group.at_step [FUOTA_STEP_SESSION_WAIT] = 1;
    driver.clock_wrong = true;
    for (unsigned i = 0; i < 3; i++) {
        driver_group_tick (&driver);
        assert_int_equal (driver.group.phase, FUOTA_SETTING_UP);
        assert_int_equal (driver.group.session, 0);
        assert_true (driver.group.wake_at > driver.now);
        driver.now = driver.group.wake_at;
    }
    driver.clock_wrong = false;
    driver_group_tick (&driver);
    assert_int_equal (driver.group.phase, FUOTA_WAITING);
}

static void
test_multicast__finishing (void **state)
{
    (void) state;
    for (unsigned cancelled = 0; cancelled < 2; cancelled++) {
        driver_t driver = s_new ();
        fuota_group_t *group = &driver.group;
        group->phase = FUOTA_FINISHING;
        group->cancelled = cancelled;
        driver_group_tick (&driver);
        assert_int_equal (driver.out.row_count, 0);  //  A device is left
        driver_tick (&driver);
        assert_string_equal (driver_end (&driver),
            cancelled ? "cancelled" : "timed out(group setup)");
        driver_group_tick (&driver);
        assert_int_equal (driver.out.row_count, 1);
        assert_int_equal (driver.out.rows [0].kind, FUOTA_GROUP_DELETE);
        assert_string_equal (driver.out.rows [0].group, "group");
        driver_group_outcome (&driver, FUOTA_DONE, 0, "");
        assert_int_equal (group->phase, FUOTA_OVER);
        assert_true (group->ended_at == driver.now);
        //  Over is over
        driver_group_tick (&driver);
        driver_nothing (&driver);
        HEAR (&driver, 201, "\x01\x0a\x80\x00\x00");
        driver_nothing (&driver);
    }
}

static void
test_multicast__operators_words (void **state)
{
    (void) state;
    typedef int word_t (fuota_group_t *, const fuota_env_t *,
        fuota_effects_t *);
    static const struct {
        const char *name;
        word_t *word;
        Phase phase;
        bool paused;
        int rc;
        Phase then;
    } cases [] = {
        { "pause when over", fuota_stage_pause, FUOTA_OVER, false, FUOTA_EBUSY,
            FUOTA_OVER },
        { "pause when finishing", fuota_stage_pause, FUOTA_FINISHING, false,
            FUOTA_EBUSY, FUOTA_FINISHING },
        { "pause twice", fuota_stage_pause, FUOTA_SENDING, true, FUOTA_EBUSY,
            FUOTA_SENDING },
        { "resume what runs", fuota_stage_resume, FUOTA_SENDING, false,
            FUOTA_EBUSY, FUOTA_SENDING },
        { "cancel twice", fuota_stage_cancel, FUOTA_FINISHING, false,
            FUOTA_EBUSY, FUOTA_FINISHING },
        { "pause", fuota_stage_pause, FUOTA_SENDING, false, 0, FUOTA_SENDING },
        { "resume", fuota_stage_resume, FUOTA_SENDING, true, 0, FUOTA_SENDING },
        { "cancel", fuota_stage_cancel, FUOTA_SENDING, true, 0,
            FUOTA_FINISHING },
        { "cancel early", fuota_stage_cancel, FUOTA_PREPARING, false, 0,
            FUOTA_FINISHING },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        driver_t driver = s_new ();
        fuota_env_t env = { .now = driver.now,
            .deployment = &driver.deployment };
        fuota_effects_t out = { .row_count = 0 };
        fuota_group_t *group = &driver.group;
        group->phase = cases [i].phase;
        group->paused = cases [i].paused;
        group->row = 55;
        fuota_group_t before = *group;
        int rc = cases [i].word (group, &env, &out);
        if (rc != cases [i].rc || group->phase != cases [i].then)
            fail_msg ("%s: %d", cases [i].name, rc);
        if (rc)
            assert_memory_equal (group, &before, sizeof before);
        //  Nothing more goes out once it is cancelled
        if (!rc && cases [i].then == FUOTA_FINISHING)
            assert_int_equal (out.row_count, *group->host_group != 0);
        //  A group that is being created must be known to be deleted
        if (!rc && cases [i].then == FUOTA_FINISHING)
            assert_int_equal (out.drop_count,
                cases [i].phase != FUOTA_PREPARING);
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (
            test_multicast__nothing_before_the_host_has_the_group),
        cmocka_unit_test (test_multicast__setup_request),
        cmocka_unit_test (test_multicast__no_key_no_group),
        cmocka_unit_test (test_multicast__choice_of_the_group_id),
        cmocka_unit_test (test_multicast__id_error_tries_the_next),
        cmocka_unit_test (test_multicast__group_answers),
        cmocka_unit_test (test_multicast__session_requests),
        cmocka_unit_test (test_multicast__session_is_asked_in_time_only),
        cmocka_unit_test (test_multicast__session_answers),
        cmocka_unit_test (test_multicast__session_answers_unasked),
        cmocka_unit_test (test_multicast__undefined_is_bounded),
        cmocka_unit_test (test_multicast__postponed_session_is_asked_anew),
        cmocka_unit_test (test_multicast__who_is_in_the_session),
        cmocka_unit_test (test_multicast__ready_goes_on),
        cmocka_unit_test (test_multicast__joined_again),
        cmocka_unit_test (test_multicast__clean_group),
        cmocka_unit_test (test_multicast__late_answers_revive),
        cmocka_unit_test (test_multicast__preparing),
        cmocka_unit_test (test_multicast__host_without_a_group),
        cmocka_unit_test (test_multicast__quorum_and_deadline),
        cmocka_unit_test (test_multicast__session_time),
        cmocka_unit_test (test_multicast__our_clock_has_jumped),
        cmocka_unit_test (test_multicast__finishing),
        cmocka_unit_test (test_multicast__operators_words),
    };
    return cmocka_run_group_tests_name ("multicast", tests, NULL, NULL);
}
