//  SPDX-License-Identifier: MIT

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "broker/host/device_kind.h"

static void
test_device_kind__by_tag (void **state)
{
    static const struct {
        const char *key, *value;
        uint32_t ts003, ts004, port, frags;
        bool none, fault;
    } cases [] = {
        { "", "", 0, 0, 0, 0, false, false },
        { "fuota_", "1", 0, 0, 0, 0, false, false },
        { "fuota", "1", 0, 0, 0, 0, false, false },
        { "FUOTA_TS004", "2", 0, 0, 0, 0, false, false },
        { "fuota_ts0040", "2", 0, 0, 0, 0, false, false },
        { "model", "2.0.0", 0, 0, 0, 0, false, false },
        { "fuota_ts004", "2.0.0", 0, 2, 0, 0, false, false },
        { "fuota_ts004", "v1.0.0", 0, 1, 0, 0, false, false },
        { "fuota_ts004", "2", 0, 2, 0, 0, false, false },
        { "fuota_ts004", "", 0, 0, 0, 0, false, true },
        { "fuota_ts004", "0", 0, 0, 0, 0, false, true },
        { "fuota_ts004", "3.0.0", 0, 0, 0, 0, false, true },
        { "fuota_ts004", "2.0.1", 0, 0, 0, 0, false, true },
        { "fuota_ts004", "2.0.0 ", 0, 0, 0, 0, false, true },
        { "fuota_ts004", "none", 0, 0, 0, 0, false, true },
        { "fuota_ts003", "1.0.0", 1, 0, 0, 0, false, false },
        { "fuota_ts003", "none", 0, 0, 0, 0, true, false },
        { "fuota_port004", "223", 0, 0, 223, 0, false, false },
        { "fuota_port004", "224", 0, 0, 0, 0, false, true },
        { "fuota_port004", "0", 0, 0, 0, 0, false, true },
        { "fuota_port004", "-1", 0, 0, 0, 0, false, true },
        { "fuota_port004", "4294967297", 0, 0, 0, 0, false, true },
        { "fuota_max_nb_frag", "16382", 0, 0, 0, 16382, false, false },
        { "fuota_max_nb_frag", "16383", 0, 0, 0, 0, false, true },
        { "fuota_max_nb_frag", "1e3", 0, 0, 0, 0, false, true },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fuota_kind_t kind = { .number = 0 };
        fuota_device_kind_tag (&kind, cases [i].key, cases [i].value);
        if (kind.ts003 != cases [i].ts003 || kind.ts004 != cases [i].ts004 ||
            kind.port004 != cases [i].port ||
            kind.max_nb_frag != cases [i].frags ||
            kind.no_ts003 != cases [i].none ||
            (*kind.fault != 0) != cases [i].fault)
            fail_msg ("%s=%s: \"%s\"", cases [i].key, cases [i].value,
                kind.fault);
    }
}

static void
test_device_kind__device_over_profile (void **state)
{
    fuota_kind_t device = { .ts004 = 2, .number = 7 };
    fuota_kind_t profile = { .ts003 = 1,
        .ts004 = 1,
        .port004 = 60,
        .host_ts003 = 1,
        .fault = "odd" };
    (void) state;
    assert_false (fuota_device_kind_same (&device, &profile));
    fuota_device_kind_inherit (&device, &profile);
    assert_int_equal (device.number, 7);
    assert_int_equal (device.ts003, 1);
    assert_int_equal (device.ts004, 2);
    assert_int_equal (device.port004, 60);
    assert_int_equal (device.host_ts003, 1);
    assert_string_equal (device.fault, "odd");
    //  It has none, whatever its profile says; and the other way round
    fuota_kind_t none = { .no_ts003 = true }, some = { .ts003 = 2 };
    fuota_device_kind_inherit (&none, &profile);
    assert_true (none.no_ts003 && !none.ts003);
    profile = (fuota_kind_t){ .no_ts003 = true };
    fuota_device_kind_inherit (&some, &profile);
    assert_true (!some.no_ts003 && some.ts003 == 2);
    assert_true (fuota_device_kind_same (&profile, &profile));
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_device_kind__by_tag),
        cmocka_unit_test (test_device_kind__device_over_profile),
    };
    return cmocka_run_group_tests_name ("device_kind", tests, NULL, NULL);
}
