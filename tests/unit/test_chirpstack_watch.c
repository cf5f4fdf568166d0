//  SPDX-License-Identifier: MIT
//
//  Who answers AppTimeReq, by what is known of a device's profile.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "broker/host/chirpstack_text.h"
#include "broker/host/chirpstack_watch.h"
#include "tests/unit/chirpstack_rig.h"

#define MINUTE 60000

static fuota_chirpstack_watch_t s_watch;
static uint32_t s_serial;

static fuota_event_t
s_event (uint32_t f_port)
{
    fuota_event_t event = { .f_port = f_port, .dev_eui = 7 };
    return event;
}

//  Answer the call for a profile with a vector, NULL: it failed.
static void
s_answer (const char *id, const char *vector, int64_t now)
{
    const char *called;
    unsigned number;
    rig_bytes_t bytes = { .size = 0 };
    if (!fuota_chirpstack_watch_call (&s_watch, now, ++s_serial, &number,
            &called))
        fail_msg ("nothing is asked, expected %s", id);
    assert_string_equal (called, id);
    if (vector)
        bytes = rig_vector (vector);
    //  Of another, and once too often
    fuota_chirpstack_watch_answer (&s_watch, number, s_serial + 1, true,
        fuota_slice (bytes.data, bytes.size), now);
    fuota_chirpstack_watch_answer (&s_watch, 9999, s_serial, true,
        fuota_slice (bytes.data, bytes.size), now);
    for (int i = 0; i < 2; i++)
        fuota_chirpstack_watch_answer (&s_watch, number, s_serial,
            vector != NULL, fuota_slice (bytes.data, bytes.size), now);
}

static void
s_quiet (int64_t now)
{
    const char *id;
    unsigned number;
    assert_false (fuota_chirpstack_watch_call (&s_watch, now, 1, &number, &id));
}

static void
test_watch__by_profile (void **state)
{
    static const struct {
        const char *name, *vector;
        bool host_clock, words;
    } cases [] = {
        { "plain", "profile_plain", false, false },
        { "TS003", "profile_own", true, true },
        { "cannot be had", NULL, true, false },
        { "nonsense", "ask_devices", true, false },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fuota_event_t asked = s_event (202), other = s_event (2), event;
        char words [160];
        s_watch = (fuota_chirpstack_watch_t){ .held_count = 0 };
        //  AppTimeReq waits for its answer, others do not
        assert_false (
            fuota_chirpstack_watch_event (&s_watch, "p", &asked, NOW));
        assert_true (fuota_chirpstack_watch_event (&s_watch, "p", &other, NOW));
        assert_true (other.host_clock);
        assert_false (fuota_chirpstack_watch_release (&s_watch, &event));
        s_answer ("p", cases [i].vector, NOW);
        assert_true (fuota_chirpstack_watch_release (&s_watch, &event));
        assert_int_equal (event.f_port, 202);
        if (event.host_clock != cases [i].host_clock)
            fail_msg ("%s: %d", cases [i].name, event.host_clock);
        assert_false (fuota_chirpstack_watch_release (&s_watch, &event));
        assert_int_equal (fuota_chirpstack_watch_words (&s_watch, words),
            cases [i].words);
        assert_false (fuota_chirpstack_watch_words (&s_watch, words));
        //  The next one goes through
        assert_true (
            fuota_chirpstack_watch_event (&s_watch, "p", &asked, NOW + 1));
        assert_int_equal (asked.host_clock, cases [i].host_clock);
        s_quiet (NOW + 1);
    }
}

//  A profile that was changed is found out; while it is asked again, and if
//  that fails, what was known holds.
static void
test_watch__changed (void **state)
{
    fuota_event_t event = s_event (202);
    char words [160];
    (void) state;
    s_watch = (fuota_chirpstack_watch_t){ .held_count = 0 };
    assert_false (fuota_chirpstack_watch_event (&s_watch, "p", &event, NOW));
    s_answer ("p", "profile_plain", NOW);
    assert_true (fuota_chirpstack_watch_release (&s_watch, &event));
    for (int64_t now = NOW; now < NOW + 5 * MINUTE; now += MINUTE) {
        assert_true (fuota_chirpstack_watch_event (&s_watch, "p", &event, now));
        s_quiet (now);
    }
    int64_t now = NOW + 6 * MINUTE;
    assert_true (fuota_chirpstack_watch_event (&s_watch, "p", &event, now));
    assert_false (event.host_clock);
    s_answer ("p", NULL, now);
    assert_true (fuota_chirpstack_watch_event (&s_watch, "p", &event, now));
    assert_false (event.host_clock);
    now += MINUTE;
    assert_true (fuota_chirpstack_watch_event (&s_watch, "p", &event, now));
    s_answer ("p", "profile_own", now);
    assert_true (fuota_chirpstack_watch_event (&s_watch, "p", &event, now));
    assert_true (event.host_clock);
    assert_true (fuota_chirpstack_watch_words (&s_watch, words));
    assert_non_null (strstr (words, "meter-eu868-a"));
}

//  A host that names no profile, more profiles and events than there is room
//  for, events that are none of a device.
static void
test_watch__bounds (void **state)
{
    fuota_event_t event = s_event (202), join = { .kind = FUOTA_EVENT_JOIN };
    char id [8];
    unsigned number, held = 0;
    const char *called;
    (void) state;
    s_watch = (fuota_chirpstack_watch_t){ .held_count = 0 };
    assert_true (fuota_chirpstack_watch_event (&s_watch, "", &event, NOW));
    assert_false (event.host_clock);
    assert_true (fuota_chirpstack_watch_event (&s_watch, "p", &join, NOW));
    s_quiet (NOW);
    for (unsigned i = 0; i < 3 * FUOTA_WATCH_PROFILES; i++) {
        snprintf (id, sizeof id, "%u", i);
        held += !fuota_chirpstack_watch_event (&s_watch, id, &event, NOW);
    }
    assert_int_equal (held, FUOTA_WATCH_HELD);
    for (unsigned i = 0; i < FUOTA_WATCH_PROFILES; i++) {
        assert_true (
            fuota_chirpstack_watch_call (&s_watch, NOW, 5, &number, &called));
        fuota_chirpstack_watch_answer (&s_watch, number, 5, false,
            fuota_slice (NULL, 0), NOW);
    }
    s_quiet (NOW);
    for (; fuota_chirpstack_watch_release (&s_watch, &event); held--)
        assert_true (event.host_clock);
    assert_int_equal (held, 0);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_watch__by_profile),
        cmocka_unit_test (test_watch__changed),
        cmocka_unit_test (test_watch__bounds),
    };
    return cmocka_run_group_tests_name ("watch", tests, rig_load, rig_unload);
}
