//  SPDX-License-Identifier: MIT
//
//  Parts: clearing an index; setup; repair alone; the sender.

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/unit/stage_driver.h"
#include "workers/package/mckey.h"

static driver_t
s_at (unsigned version, Step step, Phase phase)
{
    driver_t driver;
    driver_init (&driver, version);
    driver_at (&driver, step, phase);
    return driver;
}

//  ---------------------------------------------------------------------
//  Clearing an index

static void
test_fragmentation__delete_answers (void **state)
{
    (void) state;
    static const struct {
        const char *name;
        unsigned port;
        const char *bytes;
        size_t size;
        bool settles;
    } cases [] = {
        { "cut", 201, "\x03", 1, false },
        { "other index", 201, "\x03\x01", 2, false },
        { "other port", 200, "\x03\x02", 2, false },
        { "other command", 201, "\x02\x80", 2, false },
        { "deleted", 201, "\x03\x02", 2, true },
        { "does not exist", 201, "\x03\x06", 2, true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        driver_t driver = s_at (1, FUOTA_STEP_FRAG_DELETE, FUOTA_SETTING_UP);
        driver_ask (&driver);
        driver_hear (&driver, cases [i].port, cases [i].bytes, cases [i].size);
        Step then =
            cases [i].settles ? FUOTA_STEP_FRAG_SETUP : FUOTA_STEP_FRAG_DELETE;
        if (driver.device.step != then)
            fail_msg ("%s: %s", cases [i].name, driver_end (&driver));
        //  At the end it goes on in any case
        driver = s_at (1, FUOTA_STEP_CLEAN_FRAG, FUOTA_FINISHING);
        driver.device.end = FUOTA_END_CANCELLED;
        driver_ask (&driver);
        driver_hear (&driver, cases [i].port, cases [i].bytes, cases [i].size);
        assert_int_equal (driver.device.step == FUOTA_STEP_CLEAN_GROUP,
            cases [i].settles);
        for (unsigned n = 0;
             n < 3 && driver.device.step == FUOTA_STEP_CLEAN_FRAG; n++)
            driver_deadline (&driver);
        assert_int_equal (driver.device.step, FUOTA_STEP_CLEAN_GROUP);
        assert_int_equal (driver.device.end, FUOTA_END_CANCELLED);
    }
}

//  ---------------------------------------------------------------------
//  Setup

static void
test_fragmentation__setup_request_v1 (void **state)
{
    (void) state;
    static const uint8_t expected [] = { 0x02, 0x22, 10, 0, 48, 3, 7, 0xde,
        0xad, 0xbe, 0xef };
    driver_t driver = s_at (1, FUOTA_STEP_FRAG_SETUP, FUOTA_SETTING_UP);
    driver.deployment.block_ack_delay = 3;
    driver.deployment.padding = 7;
    memcpy (driver.deployment.descriptor, "\xde\xad\xbe\xef", 4);
    driver_tick (&driver);
    assert_int_equal (driver.out.row_count, 1);
    assert_int_equal (driver_size (&driver), sizeof expected);
    assert_memory_equal (driver.out.rows [0].data.bytes, expected,
        sizeof expected);
    assert_false (driver.out.session_cnt_used);
}

static void
test_fragmentation__setup_request_v2 (void **state)
{
    (void) state;
    static const uint8_t root [16] = { 1, 2, 3 };
    uint8_t image [473], key [16];
    uint8_t expected [17] = { 0x02, 0x22, 10, 0, 48, 0x40, 7, 1, 2, 3, 4, 0x34,
        0x12 };
    driver_t driver = s_at (2, FUOTA_STEP_FRAG_SETUP, FUOTA_SETTING_UP);
    memset (image, 0xa7, sizeof image);
    driver.image = fuota_slice (image, sizeof image);
    driver.session_cnt = 0x1234;
    driver.deployment.padding = 7;
    memcpy (driver.deployment.descriptor, "\1\2\3\4", 4);
    fuota_mckey_int_key (FUOTA_ROOT_GEN_APP_KEY, root, key);
    fuota_mckey_block_mic (key, 0x1234, 2, driver.deployment.descriptor, image,
        sizeof image, expected + 13);
    driver_tick (&driver);
    assert_int_equal (driver.out.rows [0].kind, FUOTA_KEYS);
    driver_key (&driver);
    assert_int_equal (driver_size (&driver), sizeof expected);
    assert_memory_equal (driver.out.rows [0].data.bytes, expected,
        sizeof expected);
    assert_true (driver.out.session_cnt_used);
    assert_int_equal (driver.session_cnt, 0x1235);
    //  A repeat is the same command, with the same counter
    driver_outcome (&driver, FUOTA_EXPIRED);
    assert_memory_equal (driver.out.rows [0].data.bytes, expected,
        sizeof expected);
    assert_false (driver.out.session_cnt_used);
}

static void
test_fragmentation__setup_answers (void **state)
{
    (void) state;
    static const struct {
        const char *name;
        unsigned version;
        const char *bytes;
        size_t size;
        const char *end;
    } cases [] = {
        { "cut", 1, "\x02", 1, "frag setup" },
        { "other index", 1, "\x02\x40", 2, "frag setup" },
        { "refusal of another index", 1, "\x02\x4f", 2, "frag setup" },
        { "accepted", 1, "\x02\x80", 2, "session wait" },
        { "accepted, v2", 2, "\x02\x80", 2, "session wait" },
        { "RFU set", 1, "\x02\xa0", 2, "session wait" },
        { "no memory", 1, "\x02\x82", 2, "refused(not enough memory)" },
        { "descriptor", 1, "\x02\x88", 2, "refused(wrong descriptor)" },
        { "algorithm", 1, "\x02\x81", 2, "refused(FragAlgo not supported)" },
        { "index", 1, "\x02\x84", 2, "refused(FragIndex not supported)" },
        { "all of them", 2, "\x02\x9f", 2, "refused(not enough memory)" },
        { "twice in one payload", 1, "\x02\x80\x02\x80", 4, "session wait" },
        { "accepted, then an alien one", 1, "\x02\x80\x99", 3, "session wait" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        driver_t driver =
            s_at (cases [i].version, FUOTA_STEP_FRAG_SETUP, FUOTA_SETTING_UP);
        driver_ask (&driver);
        driver_hear (&driver, 201, cases [i].bytes, cases [i].size);
        if (strcmp (driver_end (&driver), cases [i].end))
            fail_msg ("%s: %s", cases [i].name, driver_end (&driver));
        //  Said again: no effect
        if (driver.device.step == FUOTA_STEP_FRAG_SETUP)
            continue;
        driver_hear (&driver, 201, cases [i].bytes, cases [i].size);
        driver_nothing (&driver);
    }
}

//  The key is asked for first: what comes before is an answer to nothing.
static void
test_fragmentation__setup_without_a_key (void **state)
{
    (void) state;
    driver_t driver = s_at (2, FUOTA_STEP_FRAG_SETUP, FUOTA_SETTING_UP);
    driver_tick (&driver);
    HEAR (&driver, 201, "\x02\x80");
    driver_nothing (&driver);
    HEAR (&driver, 201, "\x02\x90");
    driver_nothing (&driver);
    driver_outcome (&driver, FUOTA_DONE);
    assert_string_equal (driver_end (&driver), "refused(host has no root key)");
    driver = s_at (2, FUOTA_STEP_FRAG_SETUP, FUOTA_SETTING_UP);
    driver_tick (&driver);
    driver_outcome (&driver, FUOTA_NEVER);
    assert_string_equal (driver_end (&driver), "refused(words of the host)");
    //  The counter's end
    driver = s_at (2, FUOTA_STEP_FRAG_SETUP, FUOTA_SETTING_UP);
    driver.session_cnt = 0x10000;
    driver_tick (&driver);
    driver_key (&driver);
    assert_string_equal (driver_end (&driver), "refused(SessionCnt used up)");
}

//  "Replay": our counter was lost. Stepped forward and asked again, at once,
//  and not for ever.
static void
test_fragmentation__session_cnt_replay (void **state)
{
    (void) state;
    driver_t driver = s_at (2, FUOTA_STEP_FRAG_SETUP, FUOTA_SETTING_UP);
    static const uint8_t image [480];
    driver.image = fuota_slice (image, sizeof image);
    driver.session_cnt = 5;
    for (unsigned i = 0; i < 7; i++) {
        driver_ask (&driver);
        assert_int_equal (driver.device.session_cnt, 5 + 256 * i);
        HEAR (&driver, 201, "\x02\x90");
        if (i == 6)
            break;
        assert_int_equal (driver.device.step, FUOTA_STEP_FRAG_SETUP);
        //  It goes on by itself: nobody else will wake it
        assert_int_equal (driver.device.asked, FUOTA_ASKED_KEY);
        assert_int_equal (driver.session_cnt, 5 + 256 * (i + 1));
    }
    assert_string_equal (driver_end (&driver), "refused(SessionCnt replay)");
}

//  ---------------------------------------------------------------------
//  Repair alone

static driver_t
s_unicast (void)
{
    driver_t driver = s_at (1, FUOTA_STEP_UNICAST, FUOTA_COLLECTING);
    driver.device.unicast_n = 21;
    driver.device.unicast_last = 22;
    return driver;
}

static void
test_fragmentation__unicast_one_after_the_other (void **state)
{
    (void) state;
    driver_t driver = s_unicast ();
    driver_tick (&driver);
    assert_int_equal (driver.out.rows [0].n, 21);
    assert_int_equal (driver.out.rows [0].frag_index, 2);
    assert_int_equal (driver.out.rows [0].f_port, 201);
    driver_tick (&driver);
    driver_nothing (&driver);
    HEAR (&driver, 1, "\x01");
    driver_nothing (&driver);
    driver_outcome (&driver, FUOTA_SENT);
    assert_int_equal (driver.out.rows [0].n, 22);
    driver_outcome (&driver, FUOTA_SENT);
    assert_int_equal (driver.device.step, FUOTA_STEP_STATUS);
    assert_memory_equal (driver.out.rows [0].data.bytes, "\x01\x05", 2);
}

static void
test_fragmentation__unicast_what_did_not_go_out (void **state)
{
    (void) state;
    driver_t driver = s_unicast ();
    driver_tick (&driver);
    driver_outcome (&driver, FUOTA_EXPIRED);
    assert_int_equal (driver.out.rows [0].n, 21);
    driver_outcome (&driver, FUOTA_REFUSED);
    assert_int_equal (driver.out.rows [0].n, 21);
    driver_outcome (&driver, FUOTA_SENT);
    assert_int_equal (driver.out.rows [0].n, 22);
    //  Attempts are counted for each fragment
    for (unsigned i = 0; i < 3; i++)
        driver_outcome (&driver, FUOTA_EXPIRED);
    assert_string_equal (driver_end (&driver), "incomplete(missing 0)");
    driver = s_unicast ();
    driver_tick (&driver);
    driver_outcome (&driver, FUOTA_NEVER);
    assert_string_equal (driver_end (&driver), "refused(words of the host)");
    //  Paused: the one on its way, then none
    driver = s_unicast ();
    driver_tick (&driver);
    driver.group.paused = true;
    driver_outcome (&driver, FUOTA_SENT);
    assert_int_equal (driver.out.row_count, 0);
    driver.group.paused = false;
    driver_tick (&driver);
    assert_int_equal (driver.out.rows [0].n, 22);
    //  Complete in the middle of it
    HEAR (&driver, 201, "\x01\x0a\x80\x00\x00");
    assert_string_equal (driver_end (&driver), "complete");
    assert_int_equal (driver.out.drop_count, 1);
}

//  ---------------------------------------------------------------------
//  The sender

//  The first fragment is written.
static driver_t
s_sending (void)
{
    driver_t driver = s_at (1, FUOTA_STEP_READY, FUOTA_SENDING);
    driver.now = driver.group.session_start + 4000;
    driver.group.f_cnt = 5;
    driver_group_tick (&driver);
    assert_int_equal (driver.out.rows [0].kind, FUOTA_FLUSH);
    assert_string_equal (driver.out.rows [0].group, "group");
    driver_group_tick (&driver);
    driver_nothing (&driver);
    driver_group_outcome (&driver, FUOTA_DONE, 0, "");
    return driver;
}

static void
s_written (const driver_t *driver, uint32_t n, uint32_t f_cnt)
{
    assert_int_equal (driver->out.row_count, 1);
    const fuota_row_t *row = &driver->out.rows [0];
    assert_int_equal (row->kind, FUOTA_FRAGMENT);
    assert_int_equal (row->n, n);
    assert_int_equal (row->f_cnt, f_cnt);
    assert_int_equal (row->frag_index, 2);
    assert_true (row->expires_at > driver->now);
    assert_true (row->expires_at <= driver->group.session_end);
}

static void
test_fragmentation__all_of_them_in_order (void **state)
{
    (void) state;
    driver_t driver = s_sending ();
    for (uint32_t n = 1; n <= 20; n++) {
        int64_t written = driver.now;
        s_written (&driver, n, 4 + n);
        driver_group_tick (&driver);
        driver_nothing (&driver);
        driver.now += 300;
        driver_group_outcome (&driver, FUOTA_TAKEN, 4 + n, "");
        assert_int_equal (driver.out.row_count, 0);
        driver.now += 700;
        driver_group_outcome (&driver, FUOTA_SENT, 0, "");
        assert_int_equal (driver.out.row_count, 0);
        assert_true (driver.group.wake_at == written + 2000);
        driver_group_deadline (&driver);
    }
    assert_int_equal (driver.group.sent, 20);
    assert_int_equal (driver.group.air_time, 20 * 400);
    //  Its queue is emptied after the last one
    assert_int_equal (driver.out.rows [0].kind, FUOTA_FLUSH);
    assert_int_equal (driver.group.phase, FUOTA_SENDING);
    driver_group_outcome (&driver, FUOTA_DONE, 0, "");
    assert_int_equal (driver.group.phase, FUOTA_COLLECTING);
}

//  What the host says of the first fragment, and which is next.
static void
test_fragmentation__fates (void **state)
{
    (void) state;
    static const struct {
        const char *name;
        OutcomeKind said [4];
        size_t count;
        uint32_t n, f_cnt, resent;
        int64_t after;  //  Milliseconds from one to the next
    } cases [] = {
        { "sent", { FUOTA_TAKEN, FUOTA_SENT }, 2, 2, 6, 0, 2000 },
        { "taken, then silence", { FUOTA_TAKEN }, 1, 2, 6, 0, 12000 },
        { "taken twice", { FUOTA_TAKEN, FUOTA_TAKEN, FUOTA_SENT }, 3, 2, 6, 0,
            2000 },
        { "sent twice", { FUOTA_TAKEN, FUOTA_SENT, FUOTA_SENT }, 3, 2, 6, 0,
            2000 },
        { "refused by all gateways", { FUOTA_TAKEN, FUOTA_REFUSED }, 2, 1, 6, 1,
            2000 },
        { "refused twice", { FUOTA_TAKEN, FUOTA_REFUSED, FUOTA_REFUSED }, 3, 1,
            6, 1, 2000 },
        { "expired in the queue", { FUOTA_TAKEN, FUOTA_EXPIRED }, 2, 1, 6, 1,
            2000 },
        { "expired before it was taken", { FUOTA_EXPIRED }, 1, 1, 5, 0, 2000 },
        { "done is of a flush", { FUOTA_DONE, FUOTA_TAKEN, FUOTA_SENT }, 3, 2,
            6, 0, 2000 },
        { "done after it was taken", { FUOTA_TAKEN, FUOTA_DONE, FUOTA_REFUSED },
            3, 1, 6, 1, 2000 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        driver_t driver = s_sending ();
        int64_t written = driver.now;
        uint64_t row = driver.group.row;
        for (size_t k = 0; k < cases [i].count; k++) {
            fuota_outcome_t outcome = { .kind = cases [i].said [k],
                .row = row,
                .f_cnt = 5 };
            fuota_happening_t happening = { .kind = FUOTA_OUTCOME,
                .outcome = &outcome };
            fuota_env_t env = { .now = driver.now += 100,
                .deployment = &driver.deployment,
                .next_row = driver.next_row += 10 };
            fuota_subject_t subject = { &driver.group, NULL };
            driver.out = (fuota_effects_t){ .row_count = 0 };
            fuota_stage_step (subject, &happening, &env, &driver.out);
        }
        if (driver.group.wake_at != written + cases [i].after)
            fail_msg ("%s: wakes after %d ms", cases [i].name,
                (int) (driver.group.wake_at - written));
        driver_group_deadline (&driver);
        if (driver.out.rows [0].n != cases [i].n ||
            driver.out.rows [0].f_cnt != cases [i].f_cnt ||
            driver.group.resent != cases [i].resent)
            fail_msg ("%s: n %u, counter %u, resent %u", cases [i].name,
                driver.out.rows [0].n, driver.out.rows [0].f_cnt,
                driver.group.resent);
    }
}

static void
test_fragmentation__host_that_cannot (void **state)
{
    (void) state;
    driver_t driver = s_sending ();
    driver_group_outcome (&driver, FUOTA_NEVER, 0, "");
    assert_int_equal (driver.group.phase, FUOTA_FINISHING);
    assert_string_equal (driver.group.error, "host: words of the host");
    assert_true (driver.out.wake_devices);
    //  Of a row of earlier times: nothing
    driver = s_sending ();
    driver.group.row++;
    driver_group_outcome (&driver, FUOTA_TAKEN, 5, "");
    driver.group.row--;
    fuota_outcome_t outcome = { .kind = FUOTA_NEVER, .row = 3 };
    fuota_happening_t happening = { .kind = FUOTA_OUTCOME,
        .outcome = &outcome };
    fuota_env_t env = { .now = driver.now, .deployment = &driver.deployment };
    fuota_subject_t subject = { &driver.group, NULL };
    fuota_stage_step (subject, &happening, &env, &driver.out);
    assert_int_equal (driver.group.phase, FUOTA_SENDING);
}

static void
test_fragmentation__pause_after_the_current (void **state)
{
    (void) state;
    driver_t driver = s_sending ();
    driver.group.paused = true;
    driver_group_outcome (&driver, FUOTA_TAKEN, 5, "");
    driver_group_outcome (&driver, FUOTA_SENT, 0, "");
    driver_group_deadline (&driver);
    assert_int_equal (driver.out.row_count, 0);
    assert_int_equal (driver.group.wake_at, 0);
    driver.now += 30000;
    driver.group.paused = false;
    driver_group_tick (&driver);
    s_written (&driver, 2, 6);
}

//  The window closes before all are sent: a further session goes on where
//  this one stopped, and nothing was sent at its end.
static void
test_fragmentation__window_closes (void **state)
{
    (void) state;
    driver_t driver = s_sending ();
    driver.group.session_end = driver.now + 8000;
    uint32_t n = 1;
    for (; driver.group.pen != FUOTA_PEN_CLOSING; n++) {
        assert_true (n < 20);
        s_written (&driver, n, 4 + n);
        assert_true (driver.now + 400 <= driver.group.session_end - 3000);
        driver_group_outcome (&driver, FUOTA_TAKEN, 4 + n, "");
        driver_group_outcome (&driver, FUOTA_SENT, 0, "");
        driver_group_deadline (&driver);
    }
    assert_int_equal (n, 4);
    assert_int_equal (driver.out.rows [0].kind, FUOTA_FLUSH);
    driver_group_outcome (&driver, FUOTA_DONE, 0, "");
    assert_int_equal (driver.group.phase, FUOTA_WAITING);
    driver.now += 1;
    driver_group_tick (&driver);
    assert_int_equal (driver.group.session, 2);
    assert_int_equal (driver.group.next_n, n);
    assert_int_equal (driver.group.last_n, 20);
    assert_true (driver.group.session_start > driver.now);
}

//  Paused until the window has closed: the same.
static void
test_fragmentation__paused_over_the_window (void **state)
{
    (void) state;
    driver_t driver = s_sending ();
    driver_group_outcome (&driver, FUOTA_TAKEN, 5, "");
    driver_group_outcome (&driver, FUOTA_SENT, 0, "");
    driver.group.paused = true;
    driver_group_deadline (&driver);
    driver.now = driver.group.session_end + 60000;
    driver.group.paused = false;
    driver_group_tick (&driver);
    assert_int_equal (driver.out.rows [0].kind, FUOTA_FLUSH);
    driver_group_outcome (&driver, FUOTA_DONE, 0, "");
    driver.now += 1;
    driver_group_tick (&driver);
    assert_int_equal (driver.group.session, 2);
    assert_int_equal (driver.group.next_n, 2);
}

//  Air time is for those who listen: with nobody left it ends.
static void
test_fragmentation__nobody_is_left (void **state)
{
    (void) state;
    driver_t driver = s_sending ();
    driver_group_outcome (&driver, FUOTA_TAKEN, 5, "");
    driver_group_outcome (&driver, FUOTA_SENT, 0, "");
    driver.group.at_step [FUOTA_STEP_READY] = 0;
    driver.group.at_step [FUOTA_STEP_END] = 1;
    driver_group_deadline (&driver);
    assert_int_equal (driver.out.row_count, 1);
    assert_int_equal (driver.out.rows [0].kind, FUOTA_FLUSH);
    driver_group_outcome (&driver, FUOTA_DONE, 0, "");
    assert_int_equal (driver.group.phase, FUOTA_FINISHING);
    assert_int_equal (driver.group.sent, 1);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_fragmentation__delete_answers),
        cmocka_unit_test (test_fragmentation__setup_request_v1),
        cmocka_unit_test (test_fragmentation__setup_request_v2),
        cmocka_unit_test (test_fragmentation__setup_answers),
        cmocka_unit_test (test_fragmentation__setup_without_a_key),
        cmocka_unit_test (test_fragmentation__session_cnt_replay),
        cmocka_unit_test (test_fragmentation__unicast_one_after_the_other),
        cmocka_unit_test (test_fragmentation__unicast_what_did_not_go_out),
        cmocka_unit_test (test_fragmentation__all_of_them_in_order),
        cmocka_unit_test (test_fragmentation__fates),
        cmocka_unit_test (test_fragmentation__host_that_cannot),
        cmocka_unit_test (test_fragmentation__pause_after_the_current),
        cmocka_unit_test (test_fragmentation__window_closes),
        cmocka_unit_test (test_fragmentation__paused_over_the_window),
        cmocka_unit_test (test_fragmentation__nobody_is_left),
    };
    return cmocka_run_group_tests_name ("fragmentation", tests, NULL, NULL);
}
