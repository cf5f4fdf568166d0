//  SPDX-License-Identifier: MIT
//
//  GPS time, beacons and frequency codes against timing.json; corrections
//  against clock-sync.json.

#include "workers/package/gpstime.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static int64_t
s_number (const json_t *object, const char *key)
{
    return json_integer_value (json_object_get (object, key));
}

//  List of the file, with at least one row.
static json_t *
s_rows (const json_t *file, const char *key)
{
    json_t *rows = json_object_get (file, key);
    assert_true (json_array_size (rows) > 0);
    return rows;
}

static void
test_gpstime__vectors (void **state)
{
    json_t *row;
    size_t i;
    json_array_foreach (s_rows (*state, "gps_utc"), i, row)
    {
        int64_t utc = s_number (row, "unix") * 1000;
        int64_t gps = s_number (row, "gps");
        assert_int_equal (fuota_gpstime_from_utc (utc, 0), gps);
        assert_int_equal (fuota_gpstime_from_utc (utc + 999, 0), gps);
        assert_int_equal (fuota_gpstime_from_utc (utc, 1), gps + 1);
        assert_int_equal (fuota_gpstime_to_utc (gps, 0), utc);
        assert_int_equal (fuota_gpstime_to_utc (gps + 1, 1), utc);
        assert_int_equal (fuota_gpstime_to_utc (gps - 1, -1), utc);
    }
}

//  Days since 1970 of "YYYY-MM-DD", for months 01 and 07.
static int64_t
s_days (const char *date)
{
    int64_t year = (date [0] - '0') * 1000 + (date [1] - '0') * 100 +
                   (date [2] - '0') * 10 + (date [3] - '0');
    int64_t leap_days = (year - 1) / 4 - 1969 / 4;
    int64_t first_half = year % 4 == 0 ? 182 : 181;
    return (year - 1970) * 365 + leap_days + (date [6] == '7' ? first_half : 0);
}

//  The second before midnight, the leap second, midnight.
static void
test_gpstime__each_leap_second (void **state)
{
    json_t *leaps = json_object_get (*state, "leap_seconds"), *day;
    json_t *days = s_rows (leaps, "first_day_with_one_more_second");
    size_t i;
    assert_int_equal (json_array_size (days), 18);
    json_array_foreach (days, i, day)
    {
        int64_t utc = s_days (json_string_value (day)) * 86400;
        int64_t gps =
            utc - s_number (leaps, "unix_of_gps_epoch") + (int64_t) i + 1;
        assert_int_equal (fuota_gpstime_from_utc (utc * 1000, 0), gps);
        assert_int_equal (fuota_gpstime_from_utc (utc * 1000 - 1, 0), gps - 2);
        assert_int_equal (fuota_gpstime_to_utc (gps, 0), utc * 1000);
        assert_int_equal (fuota_gpstime_to_utc (gps - 1, 0), utc * 1000);
        assert_int_equal (fuota_gpstime_to_utc (gps - 2, 0), utc * 1000 - 1000);
    }
}

static void
test_gpstime__before_its_epoch (void **state)
{
    (void) state;
    assert_int_equal (fuota_gpstime_from_utc (315964799999, 0), -1);
    assert_int_equal (fuota_gpstime_from_utc (-1, 0), -315964801);
    assert_int_equal (fuota_gpstime_from_utc (-1000, 0), -315964801);
    assert_int_equal (fuota_gpstime_from_utc (-1001, 0), -315964802);
    assert_int_equal (fuota_gpstime_to_utc (-315964801, 0), -1000);
}

static void
test_gpstime__beacons (void **state)
{
    json_t *row;
    size_t i;
    json_array_foreach (s_rows (*state, "class_b_alignment"), i, row)
        assert_int_equal (fuota_gpstime_beacon (s_number (row, "gps")),
            s_number (row, "aligned_up"));
    assert_int_equal (fuota_gpstime_beacon (-1), 0);
    assert_int_equal (fuota_gpstime_beacon (-128), -128);
    assert_int_equal (fuota_gpstime_beacon (-129), -128);
}

//  What a server makes of TimeToStart.
static void
test_gpstime__time_to_start (void **state)
{
    json_t *row;
    size_t i;
    json_array_foreach (s_rows (*state, "time_to_start"), i, row)
    {
        int32_t expected =
            fuota_gpstime_diff ((uint32_t) s_number (row, "session_time"),
                (uint32_t) s_number (row, "answer_rx_gps"));
        assert_int_equal (expected, s_number (row, "expected"));
        if (!json_is_true (json_object_get (row, "not_in_sync_marker")))
            assert_int_equal (expected - s_number (row, "time_to_start"),
                s_number (row, "device_clock_ahead_s"));
    }
}

static void
test_gpstime__differences (void **state)
{
    (void) state;
    assert_int_equal (fuota_gpstime_diff (5, 3), 2);
    assert_int_equal (fuota_gpstime_diff (3, 5), -2);
    assert_int_equal (fuota_gpstime_diff (3, UINT32_MAX), 4);
    assert_int_equal (fuota_gpstime_diff (UINT32_MAX, 3), -4);
    assert_int_equal (fuota_gpstime_diff (0x7fffffff, 0), INT32_MAX);
    assert_int_equal (fuota_gpstime_diff (0x80000000, 0), INT32_MIN);
}

static void
test_gpstime__corrections (void **state)
{
    json_t *file = json_load_file (FUOTA_VECTORS "/clock-sync.json", 0, NULL);
    json_t *cases = s_rows (json_object_get (file, "time_correction_cases"),
               "cases"),
           *row;
    size_t i;
    (void) state;
    json_array_foreach (cases, i, row)
    {
        uint32_t received = (uint32_t) s_number (row, "uplink_rx_gps_s");
        uint32_t device = (uint32_t) s_number (row, "device_time");
        int32_t correction = fuota_gpstime_correction (received, device);
        assert_int_equal (correction, s_number (row, "time_correction"));
        device += (uint32_t) correction;
        assert_int_equal (device, s_number (row, "device_time_after"));
        if (json_is_true (json_object_get (row, "saturated")))
            assert_int_equal (fuota_gpstime_correction (received, device),
                s_number (row, "second_time_correction"));
    }
    json_decref (file);
    assert_int_equal (fuota_gpstime_correction (0, UINT32_MAX), INT32_MIN);
    assert_int_equal (fuota_gpstime_correction (UINT32_MAX, 0), INT32_MAX);
}

static void
test_gpstime__frequencies (void **state)
{
    json_t *row;
    size_t i;
    json_array_foreach (s_rows (*state, "frequencies"), i, row)
    {
        uint32_t code = 0, hz = (uint32_t) s_number (row, "hz");
        assert_true (fuota_frequency_code (hz, &code));
        assert_int_equal (code, s_number (row, "raw"));
        assert_int_equal (fuota_frequency_hz (code), hz);
    }
}

static void
test_gpstime__frequency_bounds (void **state)
{
    static const struct {
        uint32_t hz;
        bool has;
        uint32_t code;
    } cases [] = {
        { 1, false, 0 },
        { 99, false, 0 },
        { 100, true, 1 },
        { 868100001, false, 0 },
        { 1199999900, true, 11999999 },
        { 1200000000, false, 0 },
        { 2399999900u, false, 0 },
        { 2400000000u, true, 12000000 },
        { 2400000100u, false, 0 },
        { 2400000200u, true, 12000001 },
        { 3355443000u, true, 0xffffff },
        { 3355443200u, false, 0 },
        { UINT32_MAX, false, 0 },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t code = 0;
        bool has = fuota_frequency_code (cases [i].hz, &code);
        if (has != cases [i].has || code != cases [i].code)
            fail_msg ("%u: %u", cases [i].hz, code);
    }
    for (uint32_t code = 0; code <= 0xffffff; code += 251) {
        uint32_t again;
        assert_true (fuota_frequency_code (fuota_frequency_hz (code), &again));
        assert_int_equal (again, code);
    }
}

static int
s_setup (void **state)
{
    *state = json_load_file (FUOTA_VECTORS "/timing.json", 0, NULL);
    return *state ? 0 : -1;
}

static int
s_teardown (void **state)
{
    json_decref (*state);
    return 0;
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_gpstime__vectors),
        cmocka_unit_test (test_gpstime__each_leap_second),
        cmocka_unit_test (test_gpstime__before_its_epoch),
        cmocka_unit_test (test_gpstime__beacons),
        cmocka_unit_test (test_gpstime__time_to_start),
        cmocka_unit_test (test_gpstime__differences),
        cmocka_unit_test (test_gpstime__corrections),
        cmocka_unit_test (test_gpstime__frequencies),
        cmocka_unit_test (test_gpstime__frequency_bounds),
    };
    return cmocka_run_group_tests_name ("gpstime", tests, s_setup, s_teardown);
}
