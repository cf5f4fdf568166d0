//  SPDX-License-Identifier: MIT
//
//  Commands in words. That the JSON has the right numbers is shown with all
//  vectors in test_package.c.

#include "workers/package/explain.h"
#include "workers/package/package_rows.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void
test_explain__lines (void **state)
{
    static const struct {
        fuota_package_t package;
        unsigned version;
        fuota_direction_t direction;
        uint8_t bytes [20];
        size_t size;
        const char *text;
    } cases [] = {
        { FUOTA_TS005, 1, FUOTA_UPLINK, { 4, 1, 25, 0, 0 }, 5,
            "McClassCSessionAns group_id=1 status=0x00 time_to_start=25" },
        { FUOTA_TS005, 1, FUOTA_UPLINK, { 4, 0x1c }, 2,
            "McClassCSessionAns group_id=0 status=0x1c dr_error=true "
            "freq_error=true mc_group_undefined=true" },
        { FUOTA_TS005, 1, FUOTA_UPLINK, { 5 }, 1,
            "McClassBSessionAns group_id=0 status=0x00 cut=true" },
        { FUOTA_TS005, 1, FUOTA_UPLINK,
            { 1, 0x23, 0, 4, 3, 2, 1, 1, 4, 3, 2, 2 }, 12,
            "McGroupStatusAns nb_total_groups=2 ans_group_mask=0x03 "
            "groups=0:01020304,1:02020304" },
        { FUOTA_TS005, 2, FUOTA_UPLINK, { 1, 0 }, 2,
            "McGroupStatusAns nb_total_groups=0 ans_group_mask=0x00 groups=" },
        { FUOTA_TS003, 1, FUOTA_DOWNLINK, { 3, 5 }, 2,
            "ForceDeviceResyncReq nb_transmissions=5" },
        { FUOTA_TS003, 2, FUOTA_DOWNLINK, { 3, 5 }, 2,
            "ForceDeviceResyncCmd nb_transmissions=5" },
        { FUOTA_TS003, 1, FUOTA_DOWNLINK, { 1, 255, 255, 255, 255, 3 }, 6,
            "AppTimeAns time_correction=-1 token_ans=3" },
        { FUOTA_TS004, 1, FUOTA_UPLINK, { 1, 26, 0, 0, 1 }, 5,
            "FragSessionStatusAns frag_index=0 nb_frag_received=26 "
            "missing_frag=0 memory_error=true" },
        { FUOTA_TS004, 2, FUOTA_UPLINK, { 1, 4 }, 2,
            "FragSessionStatusAns memory_error=false mic_error=false "
            "session_does_not_exist=true" },
        { FUOTA_TS004, 1, FUOTA_DOWNLINK,
            { 2, 1, 0xe8, 3, 50, 3, 17, 10, 11, 12, 13 }, 11,
            "FragSessionSetupReq frag_index=0 mc_group_bit_mask=0x01 "
            "nb_frag=1000 frag_size=50 frag_algo=0 block_ack_delay=3 "
            "padding=17 descriptor=0a0b0c0d" },
        { FUOTA_TS004, 1, FUOTA_DOWNLINK, { 8, 0, 0x84, 1, 2 }, 5,
            "DataFragment frag_index=2 n=1024 data=0102" },
        { FUOTA_TS006, 1, FUOTA_UPLINK, { 4, 2 }, 2,
            "DevUpgradeImageAns up_image_status=2" },
        { FUOTA_TS006, 1, FUOTA_UPLINK, { 4, 3, 1, 2, 4, 0 }, 6,
            "DevUpgradeImageAns up_image_status=3 "
            "next_firmware_version=0x00040201" },
        { FUOTA_TS006, 1, FUOTA_DOWNLINK, { 1 }, 1, "DevVersionReq" },
        { FUOTA_TS007, 1, FUOTA_UPLINK, { 1, 2, 0, 1, 225, 1, 2, 202 }, 8,
            "DevPackageAns packages=0/1:225,1/2:202" },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fuota_command_t got;
        size_t count;
        char text [FUOTA_EXPLAIN_MAX];
        assert_int_equal (fuota_package_decode (cases [i].package,
                              cases [i].version, cases [i].direction,
                              cases [i].bytes, cases [i].size, &got, 1, &count),
            0);
        assert_int_equal (fuota_command_explain (&got, text, sizeof text), 0);
        assert_string_equal (text, cases [i].text);
    }
}

static void
test_explain__json (void **state)
{
    static const uint8_t bytes [] = { 4, 1, 25, 0, 0 };
    fuota_command_t got;
    size_t count;
    char text [FUOTA_EXPLAIN_MAX];
    (void) state;
    fuota_package_decode (FUOTA_TS005, 1, FUOTA_UPLINK, bytes, sizeof bytes,
        &got, 1, &count);
    assert_int_equal (fuota_command_explain_json (&got, text, sizeof text), 0);
    assert_string_equal (text,
        "{\"package\":\"TS005\",\"version\":1,"
        "\"command\":\"McClassCSessionAns\",\"group_id\":1,\"status\":0,"
        "\"time_to_start\":25}");
}

//  The longest of each kind fit, in both forms; every size below is safe.
static void
test_explain__any_size (void **state)
{
    uint8_t bytes [255];
    (void) state;
    memset (bytes, 0xff, sizeof bytes);
    for (unsigned i = 0; i < FUOTA_PACKAGES * 4 * 9; i++) {
        fuota_command_t got;
        size_t count;
        char text [FUOTA_EXPLAIN_MAX];
        bytes [0] = (uint8_t) (i % 9);
        fuota_package_decode ((fuota_package_t) (i / 36), i / 18 % 2 + 1,
            (fuota_direction_t) (i / 9 % 2), bytes, sizeof bytes, &got, 1,
            &count);
        if (!count)
            continue;
        assert_int_equal (fuota_command_explain (&got, text, sizeof text), 0);
        size_t whole = strlen (text);
        assert_int_equal (fuota_command_explain_json (&got, text, sizeof text),
            0);
        json_t *json = json_loads (text, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null (json);
        json_decref (json);
        for (size_t size = 0; size <= whole; size++) {
            char *small = malloc (size ? size : 1);
            assert_non_null (small);
            assert_int_equal (fuota_command_explain (&got, small, size),
                FUOTA_EFULL);
            if (size)
                assert_int_equal (strlen (small), size - 1);
            assert_int_equal (fuota_command_explain_json (&got, small, size),
                FUOTA_EFULL);
            if (size)
                assert_int_equal (small [0], 0);
            free (small);
        }
    }
}

static void
test_explain__no_command (void **state)
{
    fuota_command_t command = { .package = FUOTA_TS004,
        .version = 1,
        .id = FUOTA_FRAG_RECEIVED_REQ };
    char text [64] = "before";
    (void) state;
    assert_int_equal (fuota_command_explain (&command, text, sizeof text),
        FUOTA_ECOMMAND);
    assert_string_equal (text, "");
    command.version = 3;
    assert_int_equal (fuota_command_explain_json (&command, text, sizeof text),
        FUOTA_ECOMMAND);
    command.package = FUOTA_PACKAGES;
    assert_int_equal (fuota_command_explain (&command, text, sizeof text),
        FUOTA_ECOMMAND);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_explain__lines),
        cmocka_unit_test (test_explain__json),
        cmocka_unit_test (test_explain__any_size),
        cmocka_unit_test (test_explain__no_command),
    };
    return cmocka_run_group_tests_name ("explain", tests, NULL, NULL);
}
