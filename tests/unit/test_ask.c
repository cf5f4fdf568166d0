//  SPDX-License-Identifier: MIT
//
//  One outstanding command per device. Seen on the step "frag delete", the
//  simplest question there is: 03 02, answered 03 02.

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/unit/stage_driver.h"

#define PATIENCE 120000  //  Of an uplink interval of 60 s

static driver_t
s_driver (void)
{
    driver_t driver;
    driver_init (&driver, 1);
    driver_at (&driver, FUOTA_STEP_FRAG_DELETE, FUOTA_SETTING_UP);
    return driver;
}

static void
test_ask__asks_once (void **state)
{
    (void) state;
    driver_t driver = s_driver ();
    driver_tick (&driver);
    const fuota_row_t *row = &driver.out.rows [0];
    assert_int_equal (driver.out.row_count, 1);
    assert_int_equal (row->f_port, 201);
    assert_int_equal (row->data.size, 2);
    assert_memory_equal (row->data.bytes, "\x03\x02", 2);
    assert_true (row->expires_at == driver.now + PATIENCE);
    assert_true (driver.device.row == 1000);
    for (unsigned i = 0; i < 3; i++) {
        driver.now += PATIENCE / 2;
        driver_tick (&driver);
        driver_nothing (&driver);
    }
}

//  Whatever it says meanwhile: it cannot have heard what is still queued.
static void
test_ask__never_while_queued (void **state)
{
    (void) state;
    driver_t driver = s_driver ();
    driver_tick (&driver);
    for (unsigned i = 0; i < 10; i++) {
        driver.now += 1000;
        HEAR (&driver, 1, "\x01\x02");
        driver_nothing (&driver);
        HEAR (&driver, 201, "\x01\x00\x00\x00\x00");
        driver_nothing (&driver);
    }
}

//  A host that never says what became of it: withdrawn, and asked again.
static void
test_ask__silent_host (void **state)
{
    (void) state;
    driver_t driver = s_driver ();
    driver_tick (&driver);
    uint64_t row = driver.device.row;
    assert_true (driver.device.wake_at == driver.now + 2 * PATIENCE);
    driver_deadline (&driver);
    assert_int_equal (driver.out.drop_count, 1);
    assert_true (driver.out.drops [0] == row);
    assert_int_equal (driver_cid (&driver), 0x03);
    assert_true (driver.device.row > row);
}

//  How long it waits once the command was on air.
static void
test_ask__chances (void **state)
{
    (void) state;
    static const struct {
        const char *name;
        int64_t uplink;  //  After SENT, 0 = none
        int64_t again;
    } cases [] = {
        { "silence", 0, PATIENCE },
        { "heard before it", -1000, PATIENCE },
        { "at once", 1, 12001 },
        { "after a minute", 60000, 72000 },
        { "at the last moment", PATIENCE - 1, PATIENCE },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        driver_t driver = s_driver ();
        driver_tick (&driver);
        driver.now += 5000;
        driver_outcome (&driver, FUOTA_SENT);
        int64_t sent = driver.now;
        driver.now += cases [i].uplink;
        if (cases [i].uplink)
            HEAR (&driver, 1, "\x77");
        if (driver.now < sent)
            driver.now = sent;
        if (driver.device.wake_at != sent + cases [i].again)
            fail_msg ("%s: after %d ms", cases [i].name,
                (int) (driver.device.wake_at - sent));
        driver_deadline (&driver);
        assert_int_equal (driver_cid (&driver), 0x03);
        assert_int_equal (driver.device.tries, 2);
    }
}

//  The first uplink shortens the wait; later ones do not stretch it again.
static void
test_ask__many_uplinks_are_one_chance (void **state)
{
    (void) state;
    driver_t driver = s_driver ();
    driver_ask (&driver);
    HEAR (&driver, 1, "\x77");
    int64_t wake_at = driver.device.wake_at;
    for (unsigned i = 0; i < 10; i++) {
        driver.now += 1000;
        HEAR (&driver, 1, "\x77");
        driver_nothing (&driver);
    }
    assert_true (driver.device.wake_at == wake_at);
}

static void
test_ask__attempts_are_counted (void **state)
{
    (void) state;
    static const struct {
        const char *name;
        OutcomeKind kind;
    } cases [] = {
        { "sent, no answer", FUOTA_SENT },
        { "expired in the queue", FUOTA_EXPIRED },
        { "refused by every gateway", FUOTA_REFUSED },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        driver_t driver = s_driver ();
        uint8_t first [2];
        driver_tick (&driver);
        memcpy (first, driver.out.rows [0].data.bytes, 2);
        for (unsigned n = 1; n <= 3; n++) {
            assert_int_equal (driver.device.tries, n);
            driver_outcome (&driver, cases [i].kind);
            if (cases [i].kind == FUOTA_SENT)
                driver_deadline (&driver);
            if (n == 3)
                break;
            assert_int_equal (driver.out.row_count, 1);
            assert_memory_equal (driver.out.rows [0].data.bytes, first, 2);
            //  It has left the queue: nothing to withdraw
            assert_int_equal (driver.out.drop_count, 0);
        }
        if (driver.commands != 3)
            fail_msg ("%s: %u commands", cases [i].name, driver.commands);
        assert_string_equal (driver_end (&driver), "timed out(frag delete)");
        assert_non_null (driver_line (&driver, "end", "timed out"));
        assert_int_equal (driver.device.step, FUOTA_STEP_END);
    }
}

static void
test_ask__never_ends_it (void **state)
{
    (void) state;
    driver_t driver = s_driver ();
    driver_tick (&driver);
    driver_outcome (&driver, FUOTA_NEVER);
    assert_string_equal (driver_end (&driver), "refused(words of the host)");
    driver_tick (&driver);
    driver_nothing (&driver);
}

//  Words of rows that it does not wait for.
static void
test_ask__alien_outcomes (void **state)
{
    (void) state;
    static const OutcomeKind kinds [] = { FUOTA_TAKEN, FUOTA_SENT,
        FUOTA_REFUSED, FUOTA_EXPIRED, FUOTA_DONE, FUOTA_RETRY, FUOTA_NEVER };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        driver_t driver = s_driver ();
        driver_outcome_of (&driver, kinds [i], 7);  //  Of another life
        assert_int_equal (driver.device.tries, 0);
        driver = s_driver ();
        driver_tick (&driver);
        uint64_t row = driver.device.row;
        driver_outcome_of (&driver, kinds [i], 7);
        driver_nothing (&driver);
        driver_outcome_of (&driver, kinds [i], 0);
        driver_nothing (&driver);
        //  The same row once more, and none, after it was on air
        driver_outcome (&driver, FUOTA_SENT);
        driver_outcome_of (&driver, kinds [i], row);
        driver_nothing (&driver);
        driver_outcome_of (&driver, kinds [i], 0);
        driver_nothing (&driver);
    }
}

//  Commands on air wait on; nothing new is asked until it is resumed.
static void
test_ask__pause_and_resume (void **state)
{
    (void) state;
    driver_t driver = s_driver ();
    driver.group.paused = true;
    driver_tick (&driver);
    driver_nothing (&driver);
    driver.group.paused = false;
    driver_ask (&driver);
    driver.group.paused = true;
    driver_deadline (&driver);
    assert_int_equal (driver.out.row_count, 0);
    assert_int_equal (driver.device.tries, 1);
    driver_tick (&driver);
    driver_nothing (&driver);
    driver.group.paused = false;
    driver_tick (&driver);
    assert_int_equal (driver_cid (&driver), 0x03);
    assert_int_equal (driver.device.tries, 2);
    //  Expired while paused
    driver.group.paused = true;
    driver_outcome (&driver, FUOTA_EXPIRED);
    assert_int_equal (driver.out.row_count, 0);
    driver.group.paused = false;
    driver_tick (&driver);
    assert_int_equal (driver.device.tries, 3);
    //  An answer is taken all the same
    driver.group.paused = true;
    HEAR (&driver, 201, "\x03\x02");
    assert_int_equal (driver.device.step, FUOTA_STEP_FRAG_SETUP);
    assert_int_equal (driver.device.asked, FUOTA_ASKED_NOT);
}

//  An answer while the command still counts as queued: the row is withdrawn.
static void
test_ask__answer_overtakes_the_host (void **state)
{
    (void) state;
    driver_t driver = s_driver ();
    driver_tick (&driver);
    uint64_t row = driver.device.row;
    HEAR (&driver, 201, "\x03\x02");
    assert_int_equal (driver.device.step, FUOTA_STEP_FRAG_SETUP);
    assert_int_equal (driver.out.drop_count, 1);
    assert_true (driver.out.drops [0] == row);
    //  And its fate comes after all
    driver_outcome_of (&driver, FUOTA_SENT, row);
    driver_nothing (&driver);
}

//  The host was away and never had it: asked again as often as that happens.
static void
test_ask__late_is_no_attempt (void **state)
{
    (void) state;
    driver_t driver;
    driver_init (&driver, 1);
    driver_at (&driver, FUOTA_STEP_FRAG_DELETE, FUOTA_SETTING_UP);
    driver_tick (&driver);
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal (driver.device.asked, FUOTA_ASKED_QUEUED);
        assert_int_equal (driver.device.tries, 1);
        driver_outcome (&driver, FUOTA_LATE);
    }
    assert_int_equal (driver.device.end, FUOTA_END_NONE);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_ask__asks_once),
        cmocka_unit_test (test_ask__never_while_queued),
        cmocka_unit_test (test_ask__silent_host),
        cmocka_unit_test (test_ask__chances),
        cmocka_unit_test (test_ask__many_uplinks_are_one_chance),
        cmocka_unit_test (test_ask__attempts_are_counted),
        cmocka_unit_test (test_ask__never_ends_it),
        cmocka_unit_test (test_ask__alien_outcomes),
        cmocka_unit_test (test_ask__pause_and_resume),
        cmocka_unit_test (test_ask__answer_overtakes_the_host),
        cmocka_unit_test (test_ask__late_is_no_attempt),
    };
    return cmocka_run_group_tests_name ("ask", tests, NULL, NULL);
}
