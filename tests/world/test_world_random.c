//  SPDX-License-Identifier: MIT
//
//  Plans, losses, faults and operators as a seed has them, all at once. What
//  no table thinks of is found here.
//
//      test_world_random [FIRST [LAST]]

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "tests/world/seeds.h"

static seeds_t s_seeds;

static world_plan_t
s_plan (uint64_t seed)
{
    world_plan_t plan = world_plan ();
    uint32_t version = 1 + seeds_below (2);
    plan.sim.seed = seed;
    plan.sim.ts003 = plan.sim.ts004 = plan.sim.ts005 = version;
    plan.sim.devices = 1 + seeds_below (15);
    plan.sim.loss = seeds_some (70, 300);
    plan.sim.burst = seeds_some (30, 8);
    plan.sim.unicast_loss = seeds_some (40, 150);
    plan.sim.duplicates = seeds_some (30, 300);
    plan.sim.reorder = seeds_some (30, 300);
    plan.sim.dead = seeds_some (30, 300);
    plan.sim.refusing = seeds_some (30, 300);
    plan.sim.clock_error = seeds_some (30, 60000);
    plan.sim.gateway_refusal = seeds_some (40, 100);
    plan.sim.busy = seeds_some (40, 200);
    plan.sim.lost_answers = seeds_some (40, 100);
    plan.sim.quirks = seeds_some (20, 1000);
    plan.sim.blind = seeds_below (6) == 0;
    plan.deployments = 1 + seeds_some (30, 3);
    if (plan.deployments > 1 && seeds_below (2)) {
        plan.each = plan.sim.devices;
        plan.sim.devices *= plan.deployments;
    }
    plan.image_size = 500 + seeds_below (6000);
    plan.group_type = seeds_below (3) == 0;
    plan.redundancy = seeds_below (40);
    plan.repair_rounds = seeds_below (11);
    seeds_plan_sending (&plan);
    plan.lag = seeds_some (50, seeds_below (3) ? 3000 : 30000);
    seeds_plan_faults (&plan);
    return plan;
}

static void
test_world_random__ends_as_it_must (void **state)
{
    (void) state;
    for (uint64_t seed = s_seeds.first; seed <= s_seeds.last; seed++) {
        world_t world;
        seeds_begin (seed);
        world_plan_t plan = s_plan (seed);
        print_message ("seed %u\n", (unsigned) seed);
        world_init (&world, &plan);
        seeds_operate (&world, 50);
        seeds_run (&world);
        world_release (&world);
    }
}

int
main (int argc, char **argv)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_world_random__ends_as_it_must),
    };
    s_seeds = seeds_of (argc, argv);
    return cmocka_run_group_tests_name ("world_random", tests, NULL, NULL);
}
