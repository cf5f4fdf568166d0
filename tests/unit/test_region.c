//  SPDX-License-Identifier: MIT
//
//  The regions against regions.json, row by row and both ways: what the file
//  has we have, and no more.

#include "workers/package/region.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static json_int_t
s_number (const json_t *object, const char *key)
{
    return json_integer_value (json_object_get (object, key));
}

//  N of a data rate; plain N if the region has no such variant. -1 if the
//  rate is not one for multicast.
static json_int_t
s_max_n (const json_t *region, const char *variant, const char *dr)
{
    json_t *variants = json_object_get (region, "multicast_max_n");
    json_t *table = json_object_get (variants, variant);
    if (!table)
        table = json_object_get (variants, "std");
    json_t *n = json_object_get (table, dr);
    return n ? json_integer_value (n) : -1;
}

//  The file writes FSK as a bit rate, and ldro only where it is on.
static void
s_check_rate (const char *name, const json_t *region, unsigned dr)
{
    char key [8];
    snprintf (key, sizeof key, "%u", dr);
    const fuota_rate_t *rate = fuota_region_rate (fuota_region_find (name), dr);
    if ((rate != NULL) != (s_max_n (region, "std", key) >= 0))
        fail_msg ("%s DR%u: %s", name, dr, rate ? "too many" : "missing");
    if (!rate)
        return;
    json_t *row = json_object_get (json_object_get (region, "dr"), key);
    const char *dir = json_string_value (json_object_get (row, "dir"));
    bool fsk = json_object_get (row, "fsk_bps") != NULL;
    if (fsk && s_number (row, "fsk_bps") != 50000)
        fail_msg ("%s DR%u: FSK", name, dr);
    if (rate->dr != dr || !rate->downlink || !strchr (dir, 'd') ||
        rate->sf != s_number (row, "sf") ||
        rate->bandwidth != s_number (row, "bw") ||
        rate->low_rate != (s_number (row, "ldro") != 0))
        fail_msg ("%s DR%u: modulation", name, dr);
    if (rate->max_n != s_max_n (region, "std", key) ||
        rate->max_n_repeater != s_max_n (region, "repeater", key) ||
        rate->max_n_dwell != s_max_n (region, "dwell", key))
        fail_msg ("%s DR%u: N", name, dr);
    //  So says the header, and there is no field for it
    json_int_t both = s_max_n (region, "repeater+dwell", key);
    json_t *variants = json_object_get (region, "multicast_max_n");
    json_int_t least = rate->max_n_repeater < rate->max_n_dwell
                           ? rate->max_n_repeater
                           : rate->max_n_dwell;
    if (json_object_get (variants, "repeater+dwell") && both != least)
        fail_msg ("%s DR%u: N with both", name, dr);
}

static void
s_check_frequencies (const char *name, const json_t *region)
{
    const fuota_region_t *self = fuota_region_find (name);
    uint8_t dr = 99;
    json_t *rx2 = json_object_get (region, "rx2_default");
    assert_int_equal (fuota_region_rx2 (self, &dr), s_number (rx2, "freq_hz"));
    assert_int_equal (dr, s_number (rx2, "dr"));
    assert_true (fuota_region_has_frequency (self,
        fuota_region_rx2 (self, NULL), NULL, NULL));

    json_t *class_b = json_object_get (region, "class_b");
    json_t *ping = json_object_get (class_b, "ping_freq_hz");
    json_int_t first = json_integer_value (json_array_get (ping, 0));
    bool hops = json_array_size (ping) > 1;
    assert_int_equal (fuota_region_ping (self, &dr), hops ? 0 : first);
    assert_int_equal (dr, s_number (class_b, "ping_dr_sample_toml"));
    for (size_t i = 0; i < json_array_size (ping); i++)
        assert_true (fuota_region_has_frequency (self,
            (uint32_t) json_integer_value (json_array_get (ping, i)), NULL,
            NULL));
}

static void
test_region__every_row (void **state)
{
    json_t *regions = json_object_get (*state, "regions");
    unsigned count = 0;
    const char *name;
    for (; (name = fuota_region_name (count)) != NULL; count++) {
        json_t *region = json_object_get (regions, name);
        if (!region)
            fail_msg ("%s is not in the file", name);
        for (unsigned dr = 0; dr < 20; dr++)
            s_check_rate (name, region, dr);
        s_check_frequencies (name, region);
    }
    assert_int_equal (count, json_object_size (regions));
    assert_null (fuota_region_name (count));
    assert_null (fuota_region_name (UINT32_MAX));
}

static void
test_region__duty_cycle (void **state)
{
    const fuota_region_t *eu868 = fuota_region_find ("EU868");
    json_t *list = json_object_get (*state, "duty_cycle_eu868");
    for (size_t i = 0; i < json_array_size (list); i++) {
        json_t *band = json_array_get (list, i);
        json_t *hz = json_object_get (band, "hz");
        json_int_t low = json_integer_value (json_array_get (hz, 0));
        json_int_t high = json_integer_value (json_array_get (hz, 1));
        json_int_t permille = s_number (band, "permille");
        assert_int_equal (fuota_region_duty (eu868, (uint32_t) low + 1),
            permille);
        assert_int_equal (fuota_region_duty (eu868, (uint32_t) high), permille);
        assert_int_equal (fuota_region_duty (eu868,
                              (uint32_t) (low + high) / 2),
            permille);
    }
}

static void
test_region__duty_cycle_bounds (void **state)
{
    static const struct {
        const char *name;
        uint32_t hz;
        unsigned permille;
    } cases [] = {
        { "EU868", 0, 1000 },
        { "EU868", 862999999, 1000 },
        { "EU868", 863000000, 1 },
        { "EU868", 865000000, 1 },  //  Two sub-bands: the lower limit
        { "EU868", 865000001, 10 },
        { "EU868", 868600001, 1000 },  //  Between sub-bands
        { "EU868", 869300000, 1000 },
        { "EU868", 869400000, 100 },
        { "EU868", 869525000, 100 },
        { "EU868", 870000001, 1000 },
        { "EU868", UINT32_MAX, 1000 },
        { "US915", 923300000, 1000 },
        { "IN865", 866550000, 1000 },
        { "AS923", 923200000, 1000 },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const fuota_region_t *region = fuota_region_find (cases [i].name);
        unsigned permille = fuota_region_duty (region, cases [i].hz);
        if (permille != cases [i].permille)
            fail_msg ("%s %u: %u", cases [i].name, cases [i].hz, permille);
    }
}

static void
test_region__names (void **state)
{
    static const struct {
        const char *given;
        const char *found;  //  NULL: none
    } cases [] = {
        { "EU868", "EU868" },
        { "eu868", "EU868" },
        { "As923", "AS923" },
        { "AS923_2", "AS923_2" },
        { "AS923-2", "AS923_2" },
        { "as923-4", "AS923_4" },
        { "ISM2400", "ISM2400" },
        { "", NULL },
        { "E", NULL },
        { "EU86", NULL },
        { "EU8688", NULL },
        { "EU868 ", NULL },
        { "EU_868", NULL },
        { "AS923_", NULL },
        { "AS923_5", NULL },
        { "AS923_22", NULL },
        { "\xff\xfe", NULL },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (fuota_region_find (cases [i].given) !=
            (cases [i].found ? fuota_region_find (cases [i].found) : NULL))
            fail_msg ("'%s'", cases [i].given);
}

static void
test_region__band_bounds (void **state)
{
    (void) state;
    for (unsigned i = 0; fuota_region_name (i); i++) {
        const fuota_region_t *region =
            fuota_region_find (fuota_region_name (i));
        uint32_t low = 0, high = 0;
        assert_false (fuota_region_has_frequency (region, 0, &low, &high));
        assert_true (low > 0 && low < high);
        assert_true (fuota_region_has_frequency (region, low, NULL, NULL));
        assert_true (fuota_region_has_frequency (region, high, NULL, NULL));
        assert_false (fuota_region_has_frequency (region, low - 1, NULL, NULL));
        assert_false (
            fuota_region_has_frequency (region, high + 1, NULL, NULL));
        assert_false (
            fuota_region_has_frequency (region, UINT32_MAX, NULL, NULL));
    }
}

//  Channels of the field that have to pass, and neighbours that have not.
static void
test_region__frequencies (void **state)
{
    static const struct {
        const char *name;
        uint32_t hz;
        bool inside;
    } cases [] = {
        { "EU868", 868100000, true },
        { "EU868", 869525000, true },
        { "EU868", 433175000, false },
        { "EU433", 433175000, true },
        { "US915", 902300000, true },
        { "US915", 927500000, true },
        { "AU915", 915200000, true },
        { "AU915", 914999999, false },
        { "KR920", 922100000, true },
        { "IN865", 865062500, true },
        { "IN865", 869525000, false },
        { "RU864", 868900000, true },
        { "AS923_4", 917300000, true },
        { "AS923_4", 923200000, false },
        { "CN470", 505300000, true },
        { "ISM2400", 2479000000u, true },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const fuota_region_t *region = fuota_region_find (cases [i].name);
        if (fuota_region_has_frequency (region, cases [i].hz, NULL, NULL) !=
            cases [i].inside)
            fail_msg ("%s %u", cases [i].name, cases [i].hz);
    }
}

//  Full frames, from the radio planning table: milliseconds to one decimal.
static void
test_region__air_time_of_full_frames (void **state)
{
    static const struct {
        const char *name;
        unsigned dr, tenths;
    } cases [] = {
        { "EU868", 0, 27935 },
        { "EU868", 1, 14787 },
        { "EU868", 2, 6984 },
        { "EU868", 3, 6769 },
        { "EU868", 4, 6456 },
        { "EU868", 5, 3945 },
        { "EU868", 6, 1972 },
        { "EU868", 7, 426 },
        { "EU868", 12, 2310 },
        { "EU868", 13, 1373 },
        { "US915", 0, 343 },
        { "US915", 8, 6164 },
        { "US915", 9, 6154 },
        { "US915", 10, 5637 },
        { "US915", 11, 3126 },
        { "AU915", 12, 1742 },
        { "AU915", 13, 986 },
        { "AU915", 14, 578 },
        { "CN779", 4, 6968 },
        { "KR920", 4, 6968 },
        { "CN470", 1, 9871 },
        { "CN470", 2, 9851 },
        { "CN470", 3, 9841 },
        { "CN470", 6, 986 },
        { "AS923", 2, 12308 },
        { "AS923_3", 2, 12308 },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const fuota_rate_t *rate =
            fuota_region_rate (fuota_region_find (cases [i].name),
                cases [i].dr);
        assert_non_null (rate);
        uint32_t us = fuota_region_air_time (rate, rate->max_n);
        //  Within half a unit of the last digit, either way
        if (us + 50 < cases [i].tenths * 100 ||
            us > cases [i].tenths * 100 + 50)
            fail_msg ("%s DR%u: %u us", cases [i].name, cases [i].dr, us);
    }
}

//  To the microsecond, by hand: symbols of 32.768 ms and 1.024 ms; an empty
//  frame has 13 bytes. At 2.4 GHz only that longer and slower cost more.
static void
test_region__air_time_exactly (void **state)
{
    (void) state;
    const fuota_region_t *eu868 = fuota_region_find ("EU868");
    assert_int_equal (fuota_region_air_time (fuota_region_rate (eu868, 0), 51),
        2793472);
    assert_int_equal (fuota_region_air_time (fuota_region_rate (eu868, 5), 0),
        41216);
    assert_int_equal (fuota_region_air_time (fuota_region_rate (eu868, 7), 0),
        3840);

    const fuota_region_t *ism = fuota_region_find ("ISM2400");
    for (unsigned dr = 0; dr < 7; dr++) {
        const fuota_rate_t *slow = fuota_region_rate (ism, dr);
        const fuota_rate_t *fast = fuota_region_rate (ism, dr + 1);
        assert_true (fuota_region_air_time (slow, 51) >
                     fuota_region_air_time (fast, 51));
        assert_true (fuota_region_air_time (slow, 51) >
                     fuota_region_air_time (slow, 20));
    }
}

static int
s_setup (void **state)
{
    json_error_t error;
    *state = json_load_file (FUOTA_VECTORS "/regions.json", 0, &error);
    if (!*state)
        print_error ("%s: %s\n", error.source, error.text);
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
        cmocka_unit_test (test_region__every_row),
        cmocka_unit_test (test_region__duty_cycle),
        cmocka_unit_test (test_region__duty_cycle_bounds),
        cmocka_unit_test (test_region__names),
        cmocka_unit_test (test_region__band_bounds),
        cmocka_unit_test (test_region__frequencies),
        cmocka_unit_test (test_region__air_time_of_full_frames),
        cmocka_unit_test (test_region__air_time_exactly),
    };
    return cmocka_run_group_tests_name ("region", tests, s_setup, s_teardown);
}
