//  SPDX-License-Identifier: MIT

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "broker/cli.h"

#define NONE UINT64_MAX

static void
test_cli__number (void **state)
{
    (void) state;
    static const struct {
        const char *text;
        uint64_t max, value;
    } cases [] = { { "", 9, NONE }, { "-1", 9, NONE }, { "+1", 9, NONE },
        { " 1", 9, NONE }, { "1 ", 9, NONE }, { "0x1", 99, NONE },
        { "10", 9, NONE }, { "1", 0, NONE }, { "0", 0, 0 }, { "9", 9, 9 },
        { "007", 9, 7 }, { "4294967295", UINT32_MAX, UINT32_MAX },
        { "4294967296", UINT32_MAX, NONE },
        { "99999999999999999999999", INT64_MAX, NONE } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t got = NONE;
        bool rc = fuota_cli_number (cases [i].text, cases [i].max, &got);
        if (got != cases [i].value || rc != (got != NONE))
            fail_msg ("\"%s\": %d", cases [i].text, rc);
    }
}

static void
test_cli__frequency (void **state)
{
    (void) state;
    static const struct {
        const char *text;
        uint32_t hz;  //  0 = refused
    } cases [] = { { "", 0 }, { ".", 0 }, { "MHz", 0 }, { "868,1", 0 },
        { "868.1.0", 0 }, { "-868.1MHz", 0 }, { "868.1 THz", 0 },
        { "868.1MHzz", 0 }, { "868.1M", 0 }, { "868.1000001MHz", 0 },
        { "0.5Hz", 0 }, { "4.3GHz", 0 }, { "5000000000", 0 },
        { "99999999999999999", 0 }, { "9999999999999999GHz", 0 },
        { "868.1MHz", 868100000 }, { "868.1 MHz", 868100000 },
        { "868.1mhz", 868100000 }, { "868.1", 868100000 },
        { "868100000", 868100000 }, { "868100000Hz", 868100000 },
        { "869525kHz", 869525000 }, { "869.525", 869525000 },
        { "2.403GHz", 2403000000 }, { "868MHz", 868000000 }, { "868", 868 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t hz = 0;
        bool rc = fuota_cli_frequency (cases [i].text, &hz);
        if (hz != cases [i].hz || rc != (hz != 0))
            fail_msg ("\"%s\": %d %u", cases [i].text, rc, hz);
    }
}

static void
test_cli__eui (void **state)
{
    (void) state;
    static const struct {
        const char *text;
        uint64_t eui;  //  NONE = refused
    } cases [] = { { "", NONE }, { "70b3d57ed000000", NONE },
        { "70b3d57ed00000011", NONE }, { "70b3d57ed000000g", NONE },
        { "0x70b3d57ed0000001", NONE }, { " 70b3d57ed0000001", NONE },
        { "70b3d57ed0000001 ", NONE }, { "7:0b3d57ed0000001", NONE },
        { ":70b3d57ed0000001", NONE }, { "70b3d57ed00000:", NONE },
        { "70b3d57ed0000001", 0x70b3d57ed0000001 },
        { "70B3D57ED0000001", 0x70b3d57ed0000001 },
        { "70:b3:d5:7e:d0:00:00:01", 0x70b3d57ed0000001 },
        { "70-b3-d5-7e-d0-00-00-01", 0x70b3d57ed0000001 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t eui = NONE;
        bool rc = fuota_cli_eui (cases [i].text, &eui);
        if (eui != cases [i].eui || rc != (eui != NONE))
            fail_msg ("\"%s\": %d", cases [i].text, rc);
    }
}

static void
test_cli__hex (void **state)
{
    (void) state;
    uint8_t bytes [4];
    size_t size = sizeof bytes;
    assert_true (fuota_cli_hex ("01 aB ff", bytes, &size));
    assert_int_equal (size, 3);
    assert_int_equal (bytes [1], 0xab);
    assert_true (fuota_cli_hex ("", bytes, &size));
    assert_int_equal (size, 0);
    static const char *const bad [] = { "1", "1 2", "01 2", "0g", "0102030405",
        "01:02" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size = sizeof bytes;
        if (fuota_cli_hex (bad [i], bytes, &size))
            fail_msg ("\"%s\" was taken", bad [i]);
    }
}

static void
test_cli__time (void **state)
{
    (void) state;
    static const struct {
        const char *text;
        int64_t at;  //  -1 = refused
    } cases [] = { { "", -1 }, { "soon", -1 }, { "2026-01-31", -1 },
        { "2026-01-31T12:00:00", -1 }, { "2026-01-31 12:00:00Z", -1 },
        { "2026-02-31T12:00:00Z", -1 }, { "2026-13-01T12:00:00Z", -1 },
        { "2026-01-31T24:00:00Z", -1 }, { "2026-01-31T12:60:00Z", -1 },
        { "2026-01-31T12:00:0xZ", -1 }, { "now", 0 },
        { "1800000000000", 1800000000000 },
        { "1970-01-02T00:00:01Z", 86401000 },
        { "2024-02-29T00:00:00Z", 1709164800000 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t at = -1;
        bool rc = fuota_cli_time (cases [i].text, &at);
        if (at != cases [i].at || rc != (at != -1))
            fail_msg ("\"%s\": %d %lld", cases [i].text, rc, (long long) at);
    }
}

static void
test_cli__redundancy (void **state)
{
    (void) state;
    static const struct {
        const char *text;
        uint32_t count, percent;
    } cases [] = { { "", 0, 0 }, { "%", 0, 0 }, { "0", 0, 0 }, { "0%", 0, 0 },
        { "30", 30, 0 }, { "30%", 0, 30 }, { "30%%", 0, 0 }, { "-3", 0, 0 },
        { "12345678901234567", 0, 0 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t count = 0, percent = 0;
        fuota_cli_redundancy (cases [i].text, &count, &percent);
        if (count != cases [i].count || percent != cases [i].percent)
            fail_msg ("\"%s\": %u %u", cases [i].text, count, percent);
    }
}

static void
test_cli__devices (void **state)
{
    (void) state;
    static const struct {
        const char *text;
        long count;
        size_t line;
    } cases [] = { { "", 0, 0 }, { "\n\n", 0, 0 }, { "# none\n", 0, 0 },
        { "70b3d57ed0000001", 1, 0 }, { "70b3d57ed0000001\n", 1, 0 },
        { "70b3d57ed0000001\r\n70b3d57ed0000002\r\n", 2, 0 },
        { "  70b3d57ed0000001 # attic\n", 1, 0 },
        { "70b3d57ed0000001,attic,3\n70b3d57ed0000002;x\n", 2, 0 },
        { "# a\n\n70b3d57ed0000001\nx\n", -1, 4 },
        { "70b3d57ed000000\n", -1, 1 }, { "70b3d57ed00000011\n", -1, 1 },
        { "DevEUI\n70b3d57ed0000001\n", -1, 1 },
        { "70b3d57ed0000001\n70b3", -1, 2 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t devices [3] = { 0 };
        size_t line = 0;
        long count = fuota_cli_devices (cases [i].text, devices, &line);
        if (count != cases [i].count || line != cases [i].line ||
            (count > 0 && devices [0] != 0x70b3d57ed0000001))
            fail_msg ("\"%s\": %ld, line %zu", cases [i].text, count, line);
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_cli__number),
        cmocka_unit_test (test_cli__frequency),
        cmocka_unit_test (test_cli__eui),
        cmocka_unit_test (test_cli__hex),
        cmocka_unit_test (test_cli__time),
        cmocka_unit_test (test_cli__redundancy),
        cmocka_unit_test (test_cli__devices),
    };
    return cmocka_run_group_tests_name ("cli", tests, NULL, NULL);
}
