//  SPDX-License-Identifier: MIT

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "broker/options.h"

#define WORDS 12

static fuota_options_t s_options;

//  Parse words as a command line; the fault, or "" if there is none.
static const char *
s_parse (const char *const *words)
{
    char *argv [WORDS + 2] = { (char *) "fuotactl" };
    int argc = 1;
    for (; words [argc - 1]; argc++)
        argv [argc] = (char *) words [argc - 1];
    fuota_options_release (&s_options);
    return fuota_options_parse (&s_options, argc, argv) ? s_options.fault : "";
}

static void
test_options__faults_name_what_is_allowed (void **state)
{
    (void) state;
    static const struct {
        const char *words [WORDS];
        const char *fault;
    } cases [] = {
        { { NULL }, "command: none; allowed those of fuotactl --help" },
        { { "" }, "command: ; allowed those of fuotactl --help" },
        { { "deplo" }, "command: deplo; allowed those of fuotactl --help" },
        { { "show" }, "show: no argument; allowed ID" },
        { { "show", "a", "b" }, "show: b; allowed one argument" },
        { { "list", "a" }, "list: a; allowed no argument" },
        { { "list", "--dr", "5" },
            "--dr: unknown option; allowed those of --help for this command" },
        { { "--dr", "5", "deploy", "f" },
            "--dr: unknown option; allowed those of every command before it" },
        { { "--json" }, "command: none; allowed those of fuotactl --help" },
        { { "--timeout", "list" },
            "--timeout: list; allowed a whole number below 2^32" },
        { { "list", "--json=1" }, "--json: 1; allowed no value" },
        { { "list", "--timeout" },
            "--timeout: no value; allowed a whole number below 2^32" },
        { { "list", "--timeout", "0" },
            "--timeout: out of range; allowed 1 to 86400 seconds" },
        { { "list", "--timeout", "-1" },
            "--timeout: -1; allowed a whole number below 2^32" },
        { { "plan", "f", "--group-type", "a" },
            "--group-type: a; allowed c|b" },
        { { "plan", "f", "--group-type", "" }, "--group-type: ; allowed c|b" },
        { { "plan", "f", "--dr", "4294967296" },
            "--dr: 4294967296; allowed a whole number below 2^32" },
        { { "plan", "f", "--frequency", "868.1XHz" },
            "--frequency: 868.1XHz; allowed as 868.1MHz, 868100kHz or "
            "868100000" },
        { { "plan", "f", "--device", "70b3" },
            "--device: 70b3; allowed 16 hex digits" },
        { { "plan", "f", "--descriptor", "0102030405" },
            "--descriptor: 0102030405; allowed at most 8 hex digits" },
        { { "plan", "f", "--set-tag", "=v" },
            "--set-tag: =v; allowed KEY=VALUE of at most 32 and 64 "
            "characters, 4 times" },
        { { "plan", "f", "--select", "k" },
            "--select: k; allowed KEY=VALUE of at most 32 and 64 "
            "characters, 4 times" },
        { { "plan", "f", "--region", "a-name-of-17-chars" },
            "--region: a-name-of-17-chars; allowed at most 16 characters" },
        { { "decode", "01", "--direction", "left" },
            "--direction: left; allowed down|up" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *fault = s_parse (cases [i].words);
        if (strcmp (fault, cases [i].fault))
            fail_msg ("case %zu: \"%s\"", i, fault);
    }
}

static void
test_options__a_wish (void **state)
{
    (void) state;
    static const char *const one [] = { "deploy", "app.bin", "--device",
        "70b3d57ed0000001", "--device=70b3d57ed0000002", "--group-type", "b",
        "--dr=0", "--frequency", "868.1MHz", "--clean-up", NULL };
    assert_string_equal (s_parse (one), "");
    assert_int_equal (s_options.what, FUOTA_DO_DEPLOY);
    assert_string_equal (s_options.argument, "app.bin");
    assert_int_equal (s_options.device_count, 2);
    assert_int_equal (s_options.devices [1], 0x70b3d57ed0000002);
    assert_int_equal (s_options.wish.group_type, 1);
    assert_true (s_options.wish.has_dr);
    assert_int_equal (s_options.wish.frequency, 868100000);
    assert_true (s_options.wish.clean_up);
    assert_false (s_options.wish.has_time_out);
    static const char *const two [] = { "plan", "--image-sha256",
        "0101010101010101010101010101010101010101010101010101010101010101",
        "--descriptor", "0a0b0c0d", "--redundancy", "30%", "--set-tag", "a=b=c",
        "--select", "model=x", "--gateway", "0016c001ff10a235", NULL };
    assert_string_equal (s_parse (two), "");
    assert_int_equal (s_options.wish.image_sha256.size, 32);
    assert_int_equal (s_options.wish.image_sha256.bytes [31], 1);
    assert_int_equal (s_options.wish.descriptor.size, 4);
    assert_int_equal (s_options.wish.descriptor.bytes [0], 10);
    assert_int_equal (s_options.wish.redundancy_percent, 30);
    assert_int_equal (s_options.wish.tags_count, 1);
    assert_string_equal (s_options.wish.tags [0].value, "b=c");
    assert_int_equal (s_options.wish.select_count, 1);
    assert_string_equal (s_options.wish.select [0].key, "model");
    assert_int_equal (s_options.wish.gateways_count, 1);
}

static void
test_options__lists_are_bounded (void **state)
{
    (void) state;
    char *argv [2 + 2 * 17 + 1] = { (char *) "fuotactl", (char *) "plan" };
    int argc = 2;
    for (int i = 0; i < 17; i++) {
        argv [argc++] = (char *) "--gateway";
        argv [argc++] = (char *) "0016c001ff10a235";
    }
    assert_int_equal (fuota_options_parse (&s_options, argc, argv), -1);
    assert_int_equal (s_options.wish.gateways_count, 16);
}

static void
test_options__endpoints (void **state)
{
    (void) state;
    static const char *const list [] = { "list", NULL };
    static const char *const other [] = { "list", "--endpoint", "ipc://x",
        NULL };
    static const char *const beside [] = { "list", "--endpoint",
        "ipc:///a/control", NULL };
    static const char *const before [] = { "--json",
        "--endpoint=ipc:///c/control", "list", NULL };
    unsetenv ("FUOTA_CONTROL");
    unsetenv ("FUOTA_EVENTS");
    s_parse (list);
    assert_string_equal (s_options.control, "ipc:///run/fuotad/control");
    assert_string_equal (s_options.events, "ipc:///run/fuotad/events");
    s_parse (other);
    assert_string_equal (s_options.events, "");
    s_parse (beside);
    assert_string_equal (s_options.events, "ipc:///a/events");
    s_parse (before);
    assert_int_equal (s_options.what, FUOTA_DO_LIST);
    assert_true (s_options.json);
    assert_string_equal (s_options.events, "ipc:///c/events");
    setenv ("FUOTA_CONTROL", "ipc:///b/control", 1);
    setenv ("FUOTA_EVENTS", "ipc:///b/told", 1);
    s_parse (list);
    assert_string_equal (s_options.control, "ipc:///b/control");
    assert_string_equal (s_options.events, "ipc:///b/told");
    unsetenv ("FUOTA_CONTROL");
    unsetenv ("FUOTA_EVENTS");
}

static void
test_options__devices_is_a_file_or_a_flag (void **state)
{
    (void) state;
    static const char *const file [] = { "deploy", "f", "--devices", "list",
        NULL };
    static const char *const flag [] = { "show", "f", "--devices", NULL };
    assert_string_equal (s_parse (file), "");
    assert_string_equal (s_options.devices_file, "list");
    assert_string_equal (s_parse (flag), "");
    assert_true (s_options.all_devices);
}

//  Every command has help with an example and the exit codes.
static void
test_options__help (void **state)
{
    (void) state;
    for (int what = 0; what <= (int) FUOTA_DO_HELP; what++) {
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream (&text, &size);
        fuota_options_help ((fuota_do_t) what, out);
        fclose (out);
        assert_non_null (strstr (text, "Usage: fuotactl"));
        assert_non_null (strstr (text, "Exit status"));
        assert_non_null (strstr (text, "Examples:\n  fuotactl "));
        assert_non_null (strstr (text, "--json"));
        free (text);
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_options__faults_name_what_is_allowed),
        cmocka_unit_test (test_options__a_wish),
        cmocka_unit_test (test_options__lists_are_bounded),
        cmocka_unit_test (test_options__endpoints),
        cmocka_unit_test (test_options__devices_is_a_file_or_a_flag),
        cmocka_unit_test (test_options__help),
    };
    int rc = cmocka_run_group_tests_name ("options", tests, NULL, NULL);
    fuota_options_release (&s_options);
    return rc;
}
