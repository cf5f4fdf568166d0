//  SPDX-License-Identifier: MIT

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "broker/known.h"

static fuota_known_t s_known;

//  An answer of devices 1, 2, ... of kinds 0 to kinds - 1, the last part.
static fuota_answer_t
s_answer (uint32_t first_kind, unsigned kinds, unsigned devices, uint32_t kind)
{
    fuota_answer_t answer = { .last = true };
    for (unsigned i = 0; i < kinds; i++)
        answer.kinds [answer.kinds_count++].number = first_kind + i;
    for (unsigned i = 0; i < devices; i++) {
        answer.devices [answer.devices_count++] = i + 1;
        answer.kind_of [answer.kind_of_count++] = kind;
    }
    return answer;
}

static void
test_known__parts_that_do_not_fit (void **state)
{
    fuota_answer_t uneven = s_answer (0, 1, 2, 0),
                   fault = s_answer (0, 1, 1, 0);
    uneven.kind_of_count = 1;
    strcpy (fault.fault, "no such\napplication");
    const struct {
        const char *name;
        fuota_answer_t answer;
        size_t devices;
        const char *fault;
    } cases [] = {
        { "nothing", s_answer (0, 0, 0, 0), 0, "" },
        { "kinds alone", s_answer (0, 8, 0, 0), 0, "" },
        { "devices", s_answer (0, 2, 128, 1), 128, "" },
        { "no kinds", s_answer (0, 0, 1, 0), 0,
            "a device of a kind that was not told" },
        { "kind too high", s_answer (0, 2, 1, 2), 0,
            "a device of a kind that was not told" },
        { "kinds from 1", s_answer (1, 1, 1, 0), 0,
            "kinds of devices out of order" },
        { "uneven", uneven, 0, "devices without a kind" },
        { "a fault", fault, 1, "no such?application" },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fuota_known_take (&s_known, &cases [i].answer);
        if (!s_known.over || s_known.device_count != cases [i].devices ||
            strcmp (s_known.fault, cases [i].fault) != 0)
            fail_msg ("%s: %zu devices, \"%s\"", cases [i].name,
                s_known.device_count, s_known.fault);
        fuota_known_release (&s_known);
    }
}

static void
test_known__too_much (void **state)
{
    (void) state;
    for (unsigned i = 0; i < 8; i++) {
        fuota_answer_t kinds = s_answer (i * 8, 8, 0, 0);
        kinds.last = false;
        fuota_known_take (&s_known, &kinds);
        assert_false (s_known.over);
    }
    fuota_answer_t more = s_answer (64, 1, 0, 0);
    fuota_known_take (&s_known, &more);
    assert_string_equal (s_known.fault, "more than 64 kinds of devices");
    //  Nothing after that
    fuota_answer_t late = s_answer (0, 0, 3, 0);
    fuota_known_take (&s_known, &late);
    assert_int_equal (s_known.device_count, 0);
    fuota_known_release (&s_known);
    for (int i = 0; i < FUOTA_KNOWN_FINDINGS; i++)
        fuota_known_find (&s_known, "a", FUOTA_FINDING_OK, "b", "c");
    assert_false (s_known.findings_left_out);
    fuota_known_find (&s_known, "a", FUOTA_FINDING_OK, "b", "c");
    assert_true (s_known.findings_left_out);
    assert_int_equal (s_known.finding_count, FUOTA_KNOWN_FINDINGS);
    fuota_known_release (&s_known);
    fuota_answer_t busy = { .busy_count = 128 };
    for (int i = 0; i < FUOTA_KNOWN_BUSY / 128; i++)
        fuota_known_take (&s_known, &busy);
    assert_int_equal (s_known.busy_count, FUOTA_KNOWN_BUSY);
    fuota_known_take (&s_known, &busy);
    assert_true (s_known.over && *s_known.fault);
    fuota_known_release (&s_known);
}

static void
test_known__words_of_a_host_are_plain (void **state)
{
    fuota_answer_t answer = { .findings_count = 1 };
    (void) state;
    answer.findings [0].level = FUOTA_FINDING_WRONG;
    strcpy (answer.findings [0].what, "a\x1b[2J");
    strcpy (answer.findings [0].words, "b\nok fuotad");
    strcpy (answer.findings [0].advice, "c\x7f");
    fuota_known_take (&s_known, &answer);
    assert_string_equal (s_known.findings [0].what, "a?[2J");
    assert_string_equal (s_known.findings [0].words, "b?ok fuotad");
    assert_string_equal (s_known.findings [0].advice, "c?");
    assert_int_equal (s_known.findings [0].level, FUOTA_FINDING_WRONG);
    assert_false (s_known.over);
    fuota_known_release (&s_known);
}

static void
test_known__sorted_and_found (void **state)
{
    static const uint64_t told [] = { 9, 3, 7, 3, 1 };
    fuota_answer_t answer = s_answer (0, 2, 0, 0);
    (void) state;
    for (uint32_t i = 0; i < 5; i++) {
        answer.devices [answer.devices_count++] = told [i];
        answer.kind_of [answer.kind_of_count++] = i == 2;
    }
    assert_null (fuota_known_device (&s_known, 3));
    fuota_known_take (&s_known, &answer);
    fuota_known_sort (&s_known);
    assert_int_equal (s_known.device_count, 4);
    assert_int_equal (fuota_known_device (&s_known, 1)->dev_eui, 1);
    assert_int_equal (fuota_known_device (&s_known, 7)->kind, 1);
    assert_int_equal (fuota_known_device (&s_known, 9)->kind, 0);
    for (uint64_t eui = 0; eui < 12; eui++)
        assert_int_equal (fuota_known_device (&s_known, eui) != NULL,
            eui == 1 || eui == 3 || eui == 7 || eui == 9);
    fuota_known_release (&s_known);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_known__parts_that_do_not_fit),
        cmocka_unit_test (test_known__too_much),
        cmocka_unit_test (test_known__words_of_a_host_are_plain),
        cmocka_unit_test (test_known__sorted_and_found),
    };
    return cmocka_run_group_tests_name ("known", tests, NULL, NULL);
}
