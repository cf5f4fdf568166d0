//  SPDX-License-Identifier: MIT

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "broker/report.h"
#include "schema/record.h"

typedef struct {
    fuota_report_t report;
    char *text;
    size_t size;
} world_t;

static void
s_open (world_t *world)
{
    FILE *out = open_memstream (&world->text, &world->size);
    world->report = (fuota_report_t){ .out = out };
}

//  What was written; the caller frees it.
static char *
s_close (world_t *world)
{
    fclose (world->report.out);
    return world->text;
}

static Summary
s_summary (void)
{
    Summary summary = { .id = "0102030405060708090a0b0c0d0e0f10",
        .name = "spring",
        .phase = "sending",
        .image_size = 1000,
        .frag_size = 50,
        .nb_frag = 20,
        .redundancy = 10,
        .next_n = 16,
        .last_n = 30,
        .sent = 15,
        .round = 1,
        .repair_rounds = 3,
        .total = 12,
        .at_step_count = FUOTA_STEPS,
        .ended_as_count = FUOTA_ENDS,
        .period = 1000,
        .now = 1800000000000,
        .eta = 1800000015000,
        .air_time = 5200 };
    summary.at_step [FUOTA_STEP_FRAG_SETUP] = 1;
    summary.at_step [FUOTA_STEP_READY] = 9;
    summary.at_step [FUOTA_STEP_END] = 2;
    summary.ended_as [FUOTA_END_TIMED_OUT] = 2;
    return summary;
}

static void
test_report__durations (void **state)
{
    (void) state;
    static const struct {
        int64_t ms;
        const char *text;
    } cases [] = { { INT64_MIN, "0.0s" }, { -5, "0.0s" }, { 0, "0.0s" },
        { 450, "0.4s" }, { 9999, "9.9s" }, { 10000, "10s" }, { 59999, "59s" },
        { 60000, "1m 00s" }, { 3599000, "59m 59s" }, { 3600000, "1h 00m 00s" },
        { 172799000, "47h 59m 59s" }, { 172800000, "2d 00h 00m" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text [40];
        fuota_report_duration (cases [i].ms, text, sizeof text);
        assert_string_equal (text, cases [i].text);
    }
}

static void
test_report__times (void **state)
{
    (void) state;
    char text [40];
    fuota_report_time (0, text, sizeof text);
    assert_string_equal (text, "-");
    fuota_report_time (1800000000000, text, sizeof text);
    assert_string_equal (text, "2027-01-15 08:00:00");
    char few [12];
    fuota_report_time (1800000000000, few, sizeof few);
    assert_string_equal (few, "-");  //  No room
}

static void
test_report__lines_only_when_there_is_news (void **state)
{
    (void) state;
    world_t world;
    Summary summary = s_summary ();
    s_open (&world);
    fuota_report_progress (&world.report, &summary);
    fuota_report_progress (&world.report, &summary);
    summary.next_n = 17;  //  No further tenth
    fuota_report_progress (&world.report, &summary);
    char *text = s_close (&world);
    assert_string_equal (text,
        "2027-01-15 08:00:00 spring: sending, round 1, fragments 15 of 30, 1 "
        "at fragmentation set-up, 9 at reception, 0 complete, 2 failed of "
        "12\n");
    free (text);
}

static void
test_report__drawn_in_place (void **state)
{
    (void) state;
    world_t world;
    Summary summary = s_summary ();
    s_open (&world);
    world.report.live = true;
    fuota_report_progress (&world.report, &summary);
    fuota_report_progress (&world.report, &summary);
    char *text = s_close (&world);
    static const char picture [] =
        "spring  sending  round 1 of at most 4\n"
        "  group set-up                 0 waiting      10 done\n"
        "  fragmentation set-up         1 waiting       9 done\n"
        "  session                      0 waiting       9 done\n"
        "  reception                    9 waiting       0 done\n"
        "  status and repair            0 waiting       0 done\n"
        "  fragments [################................] 15 of 30 (image 20, "
        "parity 10)\n"
        "  devices   0 complete, 2 failed of 12    5.2s on air, sending ends "
        "in 15s\n";
    char twice [2 * sizeof picture + 32];
    snprintf (twice, sizeof twice, "%s\x1b[8A\r\x1b[J%s", picture, picture);
    assert_string_equal (text, twice);
    free (text);
}

//  Counters of a summary that make no sense must not break the arithmetic.
static void
test_report__hostile_summary (void **state)
{
    (void) state;
    world_t world;
    Summary summary = s_summary ();
    s_open (&world);
    world.report.live = true;
    summary.total = 0;
    summary.next_n = UINT32_MAX;
    summary.last_n = UINT32_MAX;
    summary.at_step_count = summary.ended_as_count = 0;
    summary.eta = INT64_MAX;
    fuota_report_progress (&world.report, &summary);
    summary.last_n = 0;
    fuota_report_progress (&world.report, &summary);
    fuota_report_final (&world.report, &summary);
    free (s_close (&world));
}

static void
test_report__final_counts_every_end (void **state)
{
    (void) state;
    world_t world;
    Summary summary = s_summary ();
    DeviceLine line = { .dev_eui = 0x70b3d57ed0000001,
        .end = "incomplete(missing >= 255)",
        .reported = true,
        .received = 10,
        .missing = 255,
        .rounds = 4 };
    snprintf (summary.phase, sizeof summary.phase, "done");
    summary.ended = summary.now;
    summary.started = summary.now - 3600000;
    summary.ended_as [FUOTA_END_COMPLETE] = 10;
    s_open (&world);
    fuota_report_final (&world.report, &summary);
    fuota_report_device (&world.report, &line);
    char *text = s_close (&world);
    assert_non_null (strstr (text, "devices   12: 10 complete, 0 refused, 2 "
                                   "timed out, 0 incomplete, 0 cancelled\n"));
    assert_non_null (strstr (text, "UTC, 1h 00m 00s\n"));
    assert_non_null (strstr (text, "70b3d57ed0000001  incomplete(missing >= "
                                   "255)           0       10   >=255      4"));
    free (text);
}

static void
test_report__colour_only_when_asked (void **state)
{
    (void) state;
    world_t world;
    Summary summary = s_summary ();
    for (int colour = 0; colour < 2; colour++) {
        s_open (&world);
        world.report.colour = colour;
        fuota_report_final (&world.report, &summary);
        char *text = s_close (&world);
        assert_int_equal (strchr (text, '\x1b') != NULL, colour);
        free (text);
    }
}

static void
test_report__no_terminal_no_escapes (void **state)
{
    (void) state;
    FILE *out = fopen ("/dev/null", "w");
    fuota_report_t report;
    fuota_report_init (&report, out);
    assert_false (report.live);
    assert_false (report.colour);
    fclose (out);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_report__durations),
        cmocka_unit_test (test_report__times),
        cmocka_unit_test (test_report__lines_only_when_there_is_news),
        cmocka_unit_test (test_report__drawn_in_place),
        cmocka_unit_test (test_report__hostile_summary),
        cmocka_unit_test (test_report__final_counts_every_end),
        cmocka_unit_test (test_report__colour_only_when_asked),
        cmocka_unit_test (test_report__no_terminal_no_escapes),
    };
    return cmocka_run_group_tests_name ("report", tests, NULL, NULL);
}
