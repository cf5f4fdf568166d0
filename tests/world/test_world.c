//  SPDX-License-Identifier: MIT
//
//  Seeds, losses, plans and faults: every device ends in one state, nothing
//  is sent twice, nothing committed stays unsent, complete means the image.

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "tests/world/world.h"

static void
s_run (world_t *world, const world_plan_t *plan, const char *name)
{
    world_init (world, plan);
    if (world_run (world, 40)) {
        fuota_group_t group;
        world_group (world, 0, &group);
        for (unsigned i = 0; i < FUOTA_STEPS; i++)
            if (group.at_step [i])
                print_error ("%u at %s\n", group.at_step [i],
                    fuota_step_name ((Step) i));
        fail_msg ("%s: still %s, n %u of %u, pen %d", name,
            fuota_phase_name (&group), group.next_n, group.last_n, group.pen);
    }
    print_message ("%s\n", name);
    world_check (world);
}

//  Devices that can be reached are complete, dead and refusing ones are not.
static void
s_check_reachable (world_t *world, const char *name)
{
    for (uint32_t d = 0; d < world->plan.deployments; d++)
        for (uint32_t n = 0; n < world->plan.sim.devices; n++) {
            fuota_sim_view_t view;
            fuota_device_t device;
            char text [128];
            fuota_sim_view (world->sim, n, &view);
            world_device (world, d, view.dev_eui, &device);
            fuota_end_text (&device, text, sizeof text);
            End end = view.dead       ? FUOTA_END_TIMED_OUT
                      : view.refusing ? FUOTA_END_REFUSED
                                      : FUOTA_END_COMPLETE;
            if (device.end != end)
                fail_msg ("%s: device %u is %s, clock error %d", name, n, text,
                    device.clock_error);
        }
}

typedef struct {
    const char *name;
    uint32_t loss, burst, unicast_loss, duplicates, reorder, dead, refusing;
    uint32_t clock_error, gateway_refusal, busy, lost_answers, quirks;
    uint32_t group_type, deployments, blind, lag;
} case_t;

static const case_t s_cases [] = {
    { .name = "perfect" },
    { .name = "loss", .loss = 100 },
    { .name = "heavy loss", .loss = 350 },
    { .name = "bursts", .loss = 100, .burst = 8 },
    { .name = "lossy commands", .unicast_loss = 150 },
    { .name = "duplicates", .duplicates = 300, .reorder = 200 },
    { .name = "dead and refusing", .dead = 200, .refusing = 200 },
    { .name = "wrong clocks", .clock_error = 120000 },
    { .name = "gateways refuse", .gateway_refusal = 100, .loss = 50 },
    { .name = "host busy", .busy = 200 },
    { .name = "answers lost", .lost_answers = 100 },
    { .name = "class B", .group_type = 1, .loss = 100 },
    { .name = "four at once", .deployments = 4, .loss = 50 },
    { .name = "blind host", .blind = 1, .loss = 50 },
    { .name = "quirks", .quirks = 1000, .loss = 20 },
    { .name = "late", .lag = 2000, .loss = 50, .deployments = 2 },
    { .name = "all of it",
        .loss = 150,
        .burst = 4,
        .unicast_loss = 50,
        .duplicates = 100,
        .reorder = 100,
        .clock_error = 20000,
        .gateway_refusal = 50,
        .busy = 50,
        .lost_answers = 50 },
};

static world_plan_t
s_plan (const case_t *row, uint32_t version, uint64_t seed)
{
    world_plan_t plan = world_plan ();
    plan.sim.seed = seed;
    plan.sim.ts003 = plan.sim.ts004 = plan.sim.ts005 = version;
    plan.sim.loss = row->loss;
    plan.sim.burst = row->burst;
    plan.sim.unicast_loss = row->unicast_loss;
    plan.sim.duplicates = row->duplicates;
    plan.sim.reorder = row->reorder;
    plan.sim.dead = row->dead;
    plan.sim.refusing = row->refusing;
    plan.sim.clock_error = row->clock_error;
    plan.sim.gateway_refusal = row->gateway_refusal;
    plan.sim.busy = row->busy;
    plan.sim.lost_answers = row->lost_answers;
    plan.sim.quirks = row->quirks;
    plan.sim.blind = row->blind;
    plan.lag = row->lag;
    plan.rough = row->lag > 0;
    plan.group_type = row->group_type;
    plan.deployments = row->deployments ? row->deployments : 1;
    plan.retries =
        row->unicast_loss || row->lost_answers || row->clock_error ? 8 : 3;
    plan.repair_rounds = 10;
    return plan;
}

static void
test_world__seeds_losses_plans (void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof s_cases / sizeof *s_cases; i++)
        for (uint32_t version = 1; version <= 2; version++)
            for (uint64_t seed = 1; seed <= 3; seed++) {
                char name [64];
                world_t world;
                world_plan_t plan = s_plan (&s_cases [i], version, seed);
                snprintf (name, sizeof name, "%s, v%u, seed %u",
                    s_cases [i].name, version, (unsigned) seed);
                s_run (&world, &plan, name);
                if (!s_cases [i].quirks)
                    s_check_reachable (&world, name);
                world_release (&world);
            }
}

//  Thrown away after each commit in turn, with the commit and without it: the
//  ends are the same, and the network saw each fragment once.
static void
test_world__crash_at_every_commit (void **state)
{
    (void) state;
    static const case_t row = { .name = "crash",
        .loss = 100,
        .dead = 200,
        .refusing = 200 };
    for (uint32_t version = 1; version <= 2; version++)
        for (unsigned before = 0; before <= 1; before++)
            for (uint64_t k = 1;; k++) {
                char name [64];
                world_t world;
                world_plan_t plan = s_plan (&row, version, 5);
                plan.image_size = 700;
                plan.redundancy = 10;
                plan.sim.devices = 5;
                plan.crash_at = k;
                plan.crash_before = before;
                snprintf (name, sizeof name, "crash %s commit %u, v%u",
                    before ? "before" : "after", (unsigned) k, version);
                s_run (&world, &plan, name);
                s_check_reachable (&world, name);
                bool crashed = world.crashes > 0;
                world_release (&world);
                if (!crashed)
                    break;  //  Past the last commit
            }
}

//  Again and again.
static void
test_world__crashes_all_the_time (void **state)
{
    (void) state;
    static const case_t row = { .name = "crashes",
        .loss = 100,
        .lost_answers = 50 };
    for (uint64_t every = 2; every <= 11; every += 3) {
        world_t world;
        world_plan_t plan = s_plan (&row, 2, every);
        //  106 fragments, 53 of them in each row: of an even number nobody
        //  can make all who joined too late for any uncoded one (reference 6)
        plan.image_size = 5080;
        plan.crash_at = every;
        plan.crash_every = every;
        plan.crash_before = every & 1;
        s_run (&world, &plan, "crashes");
        assert_true (world.crashes > 10);
        s_check_reachable (&world, "crashes");
        world_release (&world);
    }
}

//  The host sends a fragment by one gateway after the other. A plan that knows
//  its margin never comes while it still does, and its session holds them all;
//  one that does not know it falls behind.
static void
test_world__several_gateways (void **state)
{
    (void) state;
    static const struct {
        const char *name;
        uint32_t gateways, margin, group_type, blind;
        bool crowded;
    } cases [] = {
        { "two", 2, 5000, 0, 0, false },
        { "five", 5, 5000, 0, 0, false },
        { "five, blind", 5, 5000, 0, 1, false },
        { "class B, three", 3, 5000, 1, 0, false },
        { "class B, three, blind", 3, 5000, 1, 1, false },
        { "five, margin not known", 5, 0, 0, 1, true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const case_t row = { .name = cases [i].name,
            .group_type = cases [i].group_type,
            .blind = cases [i].blind };
        world_t world;
        fuota_group_t group;
        fuota_sim_stats_t stats;
        world_plan_t plan = s_plan (&row, 2, 1);
        plan.sim.gateways = plan.gateways = cases [i].gateways;
        plan.period = 0;
        plan.margin = cases [i].margin;
        world_init (&world, &plan);
        assert_int_equal (world_run (&world, 10), 0);
        fuota_sim_stats (world.sim, &stats);
        if ((stats.crowded > 0) != cases [i].crowded)
            fail_msg ("%s: crowded %u", cases [i].name,
                (unsigned) stats.crowded);
        if (!cases [i].crowded) {
            world_check (&world);
            world_group (&world, 0, &group);
            assert_int_equal (group.session, 1);
            assert_int_equal (group.resent, 0);
            assert_int_equal (group.ended [FUOTA_END_COMPLETE], group.total);
        }
        world_release (&world);
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_world__seeds_losses_plans),
        cmocka_unit_test (test_world__crash_at_every_commit),
        cmocka_unit_test (test_world__crashes_all_the_time),
        cmocka_unit_test (test_world__several_gateways),
    };
    return cmocka_run_group_tests_name ("world", tests, NULL, NULL);
}
