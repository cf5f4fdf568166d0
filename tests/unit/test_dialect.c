//  SPDX-License-Identifier: MIT
//
//  What devices are known to speak, from where, and who may be together.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "broker/dialect.h"

#define ID "9c1b7e52-6f08-4a2d-b3c5-7e9f0a1d2c44"

static fuota_wish_t s_wish;
static fuota_profile_t s_profiles [2];
static fuota_known_t s_known, s_warnings;
static fuota_known_device_t s_devices [4];
static const uint64_t s_euis [] = { 1, 2, 3, 4 };
static fuota_faults_t s_faults;
static fuota_dialect_t s_dialect;

//  Devices 1 to 4: the first three of kind 0, the last of kind 1. Nothing is
//  said of them.
static void
s_start (void)
{
    s_wish = (fuota_wish_t){ .dr = 0 };
    s_warnings = (fuota_known_t){ .over = true };
    s_faults = (fuota_faults_t){ .count = 0 };
    s_known = (fuota_known_t){ .over = true,
        .kind_count = 2,
        .devices = s_devices,
        .device_count = 4 };
    for (uint32_t i = 0; i < 4; i++)
        s_devices [i] = (fuota_known_device_t){ i + 1, i == 3 };
    for (uint32_t i = 0; i < 2; i++) {
        s_known.kinds [i].number = i;
        fuota_wish_dialect (&s_profiles [i].dialect);
    }
    strcpy (s_known.kinds [0].profile_id, ID);
    strcpy (s_known.kinds [0].profile_name, "meter");
    strcpy (s_profiles [0].name, "valve");
    strcpy (s_profiles [1].name, "none");
    s_profiles [0].dialect.ts004 = 2;
    s_profiles [0].dialect.port004 = 40;
}

static void
s_find (size_t count)
{
    fuota_dialect_facts_t facts = { .wish = &s_wish,
        .profiles = s_profiles,
        .profile_count = 2,
        .known = &s_known,
        .devices = s_euis,
        .device_count = count };
    fuota_dialect_find (&facts, &s_dialect, &s_faults, &s_warnings);
}

//  Each source over the next; of one kind.
static void
test_dialect__sources_in_order (void **state)
{
    (void) state;
    s_start ();
    s_find (3);
    assert_int_equal (s_dialect.ts004, 1);
    assert_int_equal (s_dialect.port004, 201);
    s_known.kinds [0].ts004 = 2;
    s_known.kinds [0].port004 = 60;
    s_known.kinds [0].max_nb_frag = 21;
    s_known.kinds [0].no_ts003 = true;
    s_find (3);
    assert_int_equal (s_dialect.ts003, 0);
    assert_int_equal (s_dialect.ts004, 2);
    assert_int_equal (s_dialect.ts005, 1);
    assert_int_equal (s_dialect.port004, 60);
    assert_int_equal (s_dialect.max_nb_frag, 21);
    //  A section by the profile's name, or its id, says all
    static const char *const names [] = { "meter", ID };
    for (size_t i = 0; i < 2; i++) {
        strcpy (s_profiles [0].name, names [i]);
        s_find (3);
        assert_int_equal (s_dialect.ts003, 1);
        assert_int_equal (s_dialect.ts004, 2);
        assert_int_equal (s_dialect.port004, 40);
        assert_int_equal (s_dialect.max_nb_frag, 0);
    }
    assert_int_equal (s_faults.count, 0);
    assert_int_equal (s_warnings.finding_count, 0);
}

//  What makes kind 1 differ, and what is said of it.
static void
test_dialect__mixed (void **state)
{
    const fuota_kind_t plain = { .number = 1 };
    fuota_kind_t ts003 = plain, none = plain, ts004 = plain, ts005 = plain,
                 port = plain, limits = plain, fault = plain, own = plain;
    (void) state;
    ts003.ts003 = ts004.ts004 = ts005.ts005 = 2;
    none.no_ts003 = true;
    port.port005 = 77;
    limits.max_nb_frag = 30;
    limits.max_frag_size = 50;
    strcpy (fault.fault, "tag fuota_ts004: 9; allowed 1.0.0 or 2.0.0");
    own.host_ts003 = 1;
    const struct {
        const char *name;
        fuota_kind_t kind;
        fuota_wish_t wish;
        size_t faults, warnings;
        const char *allowed;  //  Begins so
    } cases [] = {
        { "alike", plain, { .dr = 0 }, 0, 0, "" },
        { "TS003", ts003, { .dr = 0 }, 1, 0,
            "devices that speak alike: here TS003/4/5 2/1/1 on 202/201/200, "
            "0000000000000001 1/1/1 on 202/201/200" },
        { "no TS003", none, { .dr = 0 }, 1, 0,
            "devices that speak alike: here TS003/4/5 0/1/1 on 0/201/200" },
        { "TS004", ts004, { .dr = 0 }, 1, 0,
            "devices that speak alike: here TS003/4/5 1/2/1 on 202/201/200" },
        { "TS005", ts005, { .dr = 0 }, 1, 0,
            "devices that speak alike: here TS003/4/5 1/1/2 on 202/201/200" },
        { "port", port, { .dr = 0 }, 1, 0,
            "devices that speak alike: here TS003/4/5 1/1/1 on 202/201/77" },
        { "TS004, the wish knows better", ts004, { .ts004 = 2 }, 0, 0, "" },
        { "port, the wish knows better", port, { .port005 = 200 }, 0, 0, "" },
        { "TS004, a profile is named", ts004, { .profile = "valve" }, 0, 0,
            "" },
        { "limits", limits, { .dr = 0 }, 0, 0, "" },
        { "a tag nobody understands", fault, { .dr = 0 }, 1, 0, "tag fuota" },
        { "the host answers, too", own, { .dr = 0 }, 0, 1, "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        s_start ();
        s_known.kinds [1] = cases [i].kind;
        s_wish = cases [i].wish;
        s_find (4);
        const char *allowed = s_faults.count ? s_faults.list [0].allowed : "";
        if (s_faults.count != cases [i].faults ||
            s_warnings.finding_count != cases [i].warnings ||
            strncmp (allowed, cases [i].allowed, strlen (cases [i].allowed)))
            fail_msg ("%s: %zu faults: %s", cases [i].name, s_faults.count,
                allowed);
        if (s_faults.count) {
            assert_string_equal (s_faults.list [0].field, "devices");
            assert_string_equal (s_faults.list [0].value, "0000000000000004");
        }
        //  Without that device all is well
        s_faults.count = 0;
        s_find (3);
        assert_int_equal (s_faults.count, 0);
    }
    //  The smaller limits hold for all
    s_start ();
    s_known.kinds [0].max_nb_frag = 21;
    s_known.kinds [1] = limits;
    s_find (4);
    assert_int_equal (s_dialect.max_nb_frag, 21);
    assert_int_equal (s_dialect.max_frag_size, 50);
}

static void
test_dialect__strangers_and_busy (void **state)
{
    uint64_t busy [] = { 2, 9 };
    uint64_t many [40];
    (void) state;
    s_start ();
    s_known.device_count = 3;
    s_known.busy = busy;
    s_known.busy_count = 2;
    s_find (4);
    assert_int_equal (s_faults.count, 2);
    assert_string_equal (s_faults.list [0].value, "0000000000000002");
    assert_non_null (strstr (s_faults.list [0].allowed, "host's own"));
    assert_string_equal (s_faults.list [1].value, "0000000000000004");
    //  Many are counted
    s_start ();
    s_known.device_count = 0;
    for (size_t i = 0; i < 40; i++)
        many [i] = i + 1;
    fuota_dialect_facts_t facts = { .wish = &s_wish,
        .known = &s_known,
        .devices = many,
        .device_count = 40 };
    fuota_dialect_find (&facts, &s_dialect, &s_faults, &s_warnings);
    assert_int_equal (s_faults.count, 9);
    assert_string_equal (s_faults.list [8].allowed,
        "as above: 40 are not in that application");
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_dialect__sources_in_order),
        cmocka_unit_test (test_dialect__mixed),
        cmocka_unit_test (test_dialect__strangers_and_busy),
    };
    return cmocka_run_group_tests_name ("dialect", tests, NULL, NULL);
}
