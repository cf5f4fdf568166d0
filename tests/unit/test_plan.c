//  SPDX-License-Identifier: MIT
//
//  The arithmetic of a plan. Numbers are those of the reference, or computed
//  by hand from its formulas: sections named beside the rows.

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "workers/plan.h"

//  TS004: 3 bytes of CID and Index&N.
static void
test_plan__frag_size (void **state)
{
    (void) state;
    static const struct {
        uint32_t max_n, limit, size;
    } cases [] = { { 0, 0, 0 }, { 3, 0, 0 }, { 4, 0, 1 }, { 51, 0, 48 },
        { 115, 0, 112 }, { 242, 0, 239 }, { 222, 0, 219 }, { 242, 50, 50 },
        { 242, 239, 239 }, { 51, 232, 48 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal (fuota_plan_frag_size (cases [i].max_n,
                              cases [i].limit),
            cases [i].size);
}

//  Version 2: floor (M / 2) odd where a few bytes less do it.
static void
test_plan__frag_size_for_a_block (void **state)
{
    (void) state;
    static const struct {
        uint32_t size, largest, version, most, frag_size;
    } cases [] = { { 0, 239, 2, 16382, 239 }, { 1, 0, 2, 16382, 0 },
        //  M = 43 is odd by itself, as is any with version 1
        { 10240, 239, 2, 16382, 239 }, { 10240, 239, 1, 16382, 239 },
        //  M = 41; 42 with a byte less, if there may be as many
        { 9799, 239, 1, 16382, 239 }, { 9799, 239, 2, 16382, 238 },
        { 9799, 239, 2, 42, 238 }, { 9799, 239, 2, 41, 239 },
        //  M = 16: 17 does not help and 18 is too much more. 32: 34
        { 768, 48, 2, 16382, 48 }, { 1536, 48, 2, 16382, 46 },
        //  M = 1000: 1011. 8192: 8227
        { 100000, 100, 2, 16382, 99 }, { 8192 * 239, 239, 2, 16382, 238 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal (fuota_plan_frag_size_for (cases [i].size,
                              cases [i].largest, cases [i].version,
                              cases [i].most),
            cases [i].frag_size);
}

//  M = ceil (L / S), padding = M * S - L.
static void
test_plan__fragments_and_padding (void **state)
{
    (void) state;
    static const struct {
        uint32_t size, frag_size, m, padding;
    } cases [] = { { 0, 48, 0, 0 }, { 1, 48, 1, 47 }, { 48, 48, 1, 0 },
        { 49, 48, 2, 47 }, { 100000, 239, 419, 141 }, { 100000, 48, 2084, 32 },
        { 255 * 16383, 255, 16383, 0 }, { 255 * 16383 + 1, 255, 16384, 254 },
        { 5000, 0, 0, 0 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal (fuota_plan_nb_frag (cases [i].size,
                              cases [i].frag_size),
            cases [i].m);
        if (cases [i].frag_size)
            assert_int_equal (fuota_plan_padding (cases [i].size,
                                  cases [i].frag_size),
                cases [i].padding);
    }
}

//  6.5: the code's overhead and the loss of coded ones; 10 at least.
static void
test_plan__coded (void **state)
{
    (void) state;
    static const struct {
        uint32_t missing, permille, least, most;
    } cases [] = {
        { 0, 0, 10, 10 },
        { 0, 1000, 10, 90 },
        { 1, 0, 10, 10 },
        { 10, 100, 22, 26 },     //  (10 + 3 + 8) / 0.9
        { 100, 100, 130, 132 },  //  (100 + 9 + 8) / 0.9
        { 100, 500, 257, 263 },
        { 255, 350, 440, 450 },
        { 16383, 900, 16383, 16383 },
        { 16383, 5000, 16383, 16383 },
        { UINT32_MAX, 100, 16383, 16383 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t count =
            fuota_plan_coded (cases [i].missing, cases [i].permille);
        if (count < cases [i].least || count > cases [i].most)
            fail_msg ("%u missing at %u: %u", cases [i].missing,
                cases [i].permille, count);
    }
    //  More losses never need fewer
    for (uint32_t loss = 0; loss < 1000; loss += 10)
        assert_true (
            fuota_plan_coded (50, loss) <= fuota_plan_coded (50, loss + 10));
    for (uint32_t missing = 0; missing < 2000; missing++)
        assert_true (fuota_plan_coded (missing, 200) <=
                     fuota_plan_coded (missing + 1, 200));
}

//  4.8 of the host: the larger of air time + 1.2 s and air time / duty, and
//  the host's margin where several gateways send one after the other, times
//  their number. 3.6: with GPS time they send at once, twice the margin apart;
//  class B takes a slot for each, the first after its margin.
static void
test_plan__period (void **state)
{
    (void) state;
    static const struct {
        const char *name;
        uint32_t air_us, duty, gateways, margin, group_type, setting;
        uint32_t period, latency;
    } cases [] = {
        { "DR5 of the reference, 10 %", 394500, 100, 1, 5000, 0, 0, 3950, 0 },
        { "DR0 of the reference, 10 %", 2793472, 100, 1, 5000, 0, 0, 27940, 0 },
        { "no duty cycle", 394500, 0, 1, 0, 0, 0, 1595, 0 },
        { "all of the time", 394500, 1000, 1, 0, 0, 0, 1595, 0 },
        { "half of it", 394500, 500, 1, 0, 0, 0, 1595, 0 },
        { "one in a thousand", 100000, 1, 1, 0, 0, 0, 100000, 0 },
        { "three gateways", 394500, 100, 3, 0, 0, 0, 11850, 0 },
        { "none named", 394500, 100, 0, 5000, 0, 0, 3950, 0 },
        { "less than a millisecond", 1, 0, 1, 0, 0, 0, 1201, 0 },
        { "two, the margin is longer", 394500, 100, 2, 5000, 0, 0, 10000,
            5000 },
        { "three, the duty is longer", 2793472, 100, 3, 5000, 0, 0, 83820,
            10000 },
        { "two, a short margin", 394500, 0, 2, 700, 0, 0, 3190, 700 },
        { "sixteen, the longest margin", 394500, 0, 16, 600000, 0, 0, 9600000,
            9000000 },
        { "GPS time, one", 394500, 100, 1, 5000, 0, 1, 10000, 5000 },
        { "GPS time, three at once", 394500, 100, 3, 5000, 0, 1, 10000, 5000 },
        { "GPS time, no margin", 394500, 100, 3, 0, 0, 1, 3950, 0 },
        { "class B, each second", 394500, 0, 1, 0, 1, 0, 1595, 0 },
        { "class B, each 128 s", 394500, 100, 1, 0, 1, 7, 128000, 0 },
        { "class B, each 2 s", 394500, 100, 1, 0, 1, 1, 3950, 0 },
        { "class B, the margin and a slot", 394500, 0, 1, 5000, 1, 1, 7000,
            5000 },
        { "class B, three in one slot", 394500, 0, 3, 5000, 1, 3, 13000, 5000 },
        { "class B, three, duty", 394500, 10, 3, 5000, 1, 0, 39500, 5000 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool class_b = cases [i].group_type == 1;
        fuota_deployment_t deployment = { .air_time = cases [i].air_us,
            .gateways_count = (pb_size_t) cases [i].gateways,
            .margin = cases [i].margin,
            .group_type = cases [i].group_type,
            .periodicity = class_b ? cases [i].setting : 7,
            .scheduling = class_b ? 1 : cases [i].setting };
        uint32_t period = fuota_plan_period (&deployment, cases [i].duty);
        uint32_t latency = fuota_plan_latency (&deployment);
        if (period != cases [i].period || latency != cases [i].latency)
            fail_msg ("%s: %u, %u", cases [i].name, period, latency);
        deployment.period = period;
        assert_int_equal (fuota_plan_stay (&deployment),
            latency > period ? latency : period);
    }
}

//  Whatever the gateways and the margin: the host's queue of the group has
//  run empty when the next fragment comes, so that delays do not add up, and
//  the window holds the fragments with what the host makes of them.
static void
test_plan__the_host_keeps_up (void **state)
{
    (void) state;
    for (uint32_t bits = 0; bits < 16 * 8 * 4 * 3; bits++) {
        uint32_t kind = bits / (16 * 8 * 4);
        fuota_deployment_t deployment = { .air_time = 394500,
            .gateways_count = (pb_size_t) (bits % 16 + 1),
            .margin = bits / 16 % 8 * 3000,
            .group_type = kind == 2,
            .scheduling = kind == 1,
            .periodicity = bits / 128 % 4,
            .guard = 3,
            .time_out = FUOTA_PLAN_AUTO_TIME_OUT };
        deployment.period = fuota_plan_period (&deployment, 1000);
        uint32_t latency = fuota_plan_latency (&deployment);
        assert_true (deployment.period >= latency);
        uint32_t t = fuota_plan_time_out (&deployment, 10);
        assert_true (fuota_plan_window (deployment.group_type, t) * 1000 >=
                     10ull * deployment.period + latency + 6000);
        assert_true (fuota_plan_least (&deployment) >=
                     6000ull + deployment.period + latency);
    }
}

static void
test_plan__window (void **state)
{
    (void) state;
    assert_int_equal (fuota_plan_window (0, 0), 1);
    assert_int_equal (fuota_plan_window (0, 15), 32768);
    assert_int_equal (fuota_plan_window (1, 0), 128);
    assert_int_equal (fuota_plan_window (1, 15), 4194304);
}

//  10.2: 2^t >= count * interval + 2 * guard. 4.8 of the host for class B:
//  2^t beacon periods >= ceil (count / pingNb) + 1.
static void
test_plan__time_out_holds_the_plan (void **state)
{
    (void) state;
    static const uint32_t counts [] = { 1, 10, 128, 129, 500, 2084, 16383 };
    for (uint32_t class_b = 0; class_b < 2; class_b++)
        for (uint32_t periodicity = 0; periodicity < 8; periodicity++)
            for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
                fuota_deployment_t deployment = { .guard = 3,
                    .time_out = FUOTA_PLAN_AUTO_TIME_OUT,
                    .group_type = class_b,
                    .periodicity = periodicity,
                    .air_time = 50000 };
                deployment.period = fuota_plan_period (&deployment, 100);
                uint32_t t = fuota_plan_time_out (&deployment, counts [i]);
                uint32_t ping_nb = 128u >> periodicity;
                uint64_t need =
                    class_b
                        ? ((counts [i] + ping_nb - 1) / ping_nb + 1) * 128ull
                        : counts [i] * (uint64_t) deployment.period / 1000 + 6;
                assert_true (t <= 15);
                if (t < 15 && fuota_plan_window (class_b, t) < need)
                    fail_msg ("class %c, %u fragments, periodicity %u: %u",
                        class_b ? 'B' : 'C', counts [i], periodicity, t);
                //  And not four times as long as it need be
                if (t > 2 && counts [i] > 100 &&
                    fuota_plan_window (class_b, t - 2) >= need)
                    fail_msg ("class %c, %u fragments: %u is too long",
                        class_b ? 'B' : 'C', counts [i], t);
            }
    fuota_deployment_t deployment = { .time_out = 4, .period = 2000 };
    assert_int_equal (fuota_plan_time_out (&deployment, 16383), 4);
}

//  The reference's own: 100 kB at DR5 take half an hour, at DR0 more than one
//  session.
static void
test_plan__examples (void **state)
{
    (void) state;
    fuota_deployment_t deployment = { .guard = 3,
        .time_out = FUOTA_PLAN_AUTO_TIME_OUT,
        .period = 3950 };
    assert_int_equal (fuota_plan_time_out (&deployment, 419), 11);
    deployment.period = 27940;
    assert_int_equal (fuota_plan_time_out (&deployment, 2084), 15);
}

//  5.2: up to 2^(d+4) seconds.
static void
test_plan__ack_delay (void **state)
{
    (void) state;
    static const struct {
        uint32_t devices, delay;
    } cases [] = { { 0, 0 }, { 1, 0 }, { 32, 0 }, { 33, 1 }, { 64, 1 },
        { 65, 2 }, { 4096, 7 }, { 100000, 7 }, { UINT32_MAX, 7 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal (fuota_plan_ack_delay (cases [i].devices),
            cases [i].delay);
    assert_int_equal (fuota_plan_ack_wait (0), 16000);
    assert_int_equal (fuota_plan_ack_wait (7), 2048000);
}

//  Time for every attempt of every step.
static void
test_plan__windows_hold_all_attempts (void **state)
{
    (void) state;
    fuota_deployment_t deployment = { .uplink_interval = 60, .retries = 3 };
    assert_int_equal (fuota_plan_patience (&deployment), 120000);
    int64_t lead = fuota_plan_lead (&deployment);
    assert_true (lead >= 3 * fuota_plan_patience (&deployment));
    deployment.group_type = 1;
    //  Ten minutes to find the beacon, reference 10.3
    assert_true (fuota_plan_lead (&deployment) == lead + 600000);
    assert_int_equal (fuota_plan_setup_window (3, 60, 2), 2 * 4 * 120);
    assert_int_equal (fuota_plan_setup_window (3, 60, 1), 3 * 4 * 120);
    assert_int_equal (fuota_plan_setup_window (1000, UINT32_MAX, 1),
        UINT32_MAX);
    deployment.uplink_interval = UINT32_MAX;
    assert_true (fuota_plan_patience (&deployment) > 0);
    assert_true (fuota_plan_lead (&deployment) > 0);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_plan__frag_size),
        cmocka_unit_test (test_plan__frag_size_for_a_block),
        cmocka_unit_test (test_plan__fragments_and_padding),
        cmocka_unit_test (test_plan__coded),
        cmocka_unit_test (test_plan__period),
        cmocka_unit_test (test_plan__the_host_keeps_up),
        cmocka_unit_test (test_plan__window),
        cmocka_unit_test (test_plan__time_out_holds_the_plan),
        cmocka_unit_test (test_plan__examples),
        cmocka_unit_test (test_plan__ack_delay),
        cmocka_unit_test (test_plan__windows_hold_all_attempts),
    };
    return cmocka_run_group_tests_name ("plan", tests, NULL, NULL);
}
