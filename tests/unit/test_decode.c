//  SPDX-License-Identifier: MIT

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "broker/decode.h"

//  Readings as a text: "TS004 v1 up 1, "
static void
s_take (void *arg, const fuota_reading_t *reading)
{
    char *text = arg;
    size_t at = strlen (text);
    snprintf (text + at, 256 - at, "%s v%u %s %zu%s, ",
        fuota_package_name (reading->package), reading->version,
        reading->direction == FUOTA_UPLINK ? "up" : "down", reading->count,
        reading->rc ? "!" : "");
}

static void
test_decode__every_reading_that_fits (void **state)
{
    (void) state;
    static const struct {
        const char *name;
        uint8_t bytes [24];
        size_t size;
        unsigned port, version;
        int direction;
        const char *readings;
    } cases [] = {
        { "nothing", { 0 }, 0, 201, 0, -1, "" },
        { "alien", { 0x7f }, 1, 201, 0, -1, "" },
        { "status of both", { 1, 9, 0, 5, 0 }, 5, 201, 0, FUOTA_UPLINK,
            "TS004 v1 up 1, TS004 v2 up 1, " },
        { "status of one", { 1, 9, 0, 5, 0 }, 5, 201, 2, FUOTA_UPLINK,
            "TS004 v2 up 1, " },
        { "same in both", { 0 }, 1, 201, 0, FUOTA_DOWNLINK,
            "TS004 v0 down 1, " },
        { "whole, then cut", { 0, 1 }, 2, 201, 1, FUOTA_DOWNLINK,
            "TS004 v1 down 1!, " },
        { "port above all", { 0 }, 1, 65536, 1, FUOTA_DOWNLINK, NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text [256] = "";
        unsigned told =
            fuota_decode_run (cases [i].bytes, cases [i].size, cases [i].port,
                cases [i].version, cases [i].direction, s_take, text);
        if (cases [i].readings ? strcmp (text, cases [i].readings) : !told)
            fail_msg ("%s: %u: %s", cases [i].name, told, text);
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_decode__every_reading_that_fits),
    };
    return cmocka_run_group_tests_name ("decode", tests, NULL, NULL);
}
