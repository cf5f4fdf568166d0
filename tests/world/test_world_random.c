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
#include <stdlib.h>
#include "tests/world/world.h"

static uint64_t s_first = 1, s_last = 60, s_state;

static uint32_t
s_below (uint32_t limit)
{
    s_state = s_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t) ((s_state >> 33) % limit);
}

//  Up to most in so many of a hundred worlds, else 0.
static uint32_t
s_some (uint32_t of_hundred, uint32_t most)
{
    return s_below (100) < of_hundred ? s_below (most + 1) : 0;
}

static world_plan_t
s_plan (uint64_t seed)
{
    world_plan_t plan = world_plan ();
    uint32_t version = 1 + s_below (2);
    plan.sim.seed = seed;
    plan.sim.ts003 = plan.sim.ts004 = plan.sim.ts005 = version;
    plan.sim.devices = 1 + s_below (15);
    plan.sim.loss = s_some (70, 300);
    plan.sim.burst = s_some (30, 8);
    plan.sim.unicast_loss = s_some (40, 150);
    plan.sim.duplicates = s_some (30, 300);
    plan.sim.reorder = s_some (30, 300);
    plan.sim.dead = s_some (30, 300);
    plan.sim.refusing = s_some (30, 300);
    plan.sim.clock_error = s_some (30, 60000);
    plan.sim.gateway_refusal = s_some (40, 100);
    plan.sim.busy = s_some (40, 200);
    plan.sim.lost_answers = s_some (40, 100);
    plan.sim.quirks = s_some (20, 1000);
    plan.sim.blind = s_below (6) == 0;
    plan.deployments = 1 + s_some (30, 3);
    if (plan.deployments > 1 && s_below (2)) {
        plan.each = plan.sim.devices;
        plan.sim.devices *= plan.deployments;
    }
    plan.image_size = 500 + s_below (6000);
    plan.group_type = s_below (3) == 0;
    plan.redundancy = s_below (40);
    plan.repair_rounds = s_below (11);
    plan.retries = 3 + s_below (8);
    plan.quorum = 100 - s_some (25, 70);
    plan.period = 0;
    plan.margin = 5000;
    plan.sim.gateways = plan.gateways = 1 + s_below (3);
    plan.clean_up = s_below (2);
    plan.lag = s_some (50, s_below (3) ? 3000 : 30000);
    if (s_below (3) == 0) {
        plan.crash_at = plan.crash_every = 3 + s_below (40);
        plan.crash_before = s_below (2);
    }
    plan.rough = true;
    return plan;
}

//  Pauses, resumes and cancels, and now and then the engine is away, and what is
//  said meanwhile is kept for it, or not.
static void
s_operate (world_t *world)
{
    static const fuota_operate_t words [] = { FUOTA_OPERATE_PAUSE,
        FUOTA_OPERATE_RESUME, FUOTA_OPERATE_RESUME, FUOTA_OPERATE_CANCEL };
    for (uint32_t n = s_some (50, 4); n > 0; n--) {
        world_run_for (world, s_below (600000));
        world_operate (world, s_below (world->plan.deployments),
            words [s_below (s_below (3) ? 3 : 4)]);
        if (s_below (6) == 0)
            world_away (world, s_below (3600000), s_below (2));
    }
    //  A word may be lost with the commit it is in
    for (uint32_t n = 0; n < 3; n++)
        for (uint32_t i = 0; i < world->plan.deployments; i++)
            world_operate (world, i, FUOTA_OPERATE_RESUME);
}

static void
test_world_random__ends_as_it_must (void **state)
{
    (void) state;
    for (uint64_t seed = s_first; seed <= s_last; seed++) {
        world_t world;
        s_state = seed * 7919;
        world_plan_t plan = s_plan (seed);
        print_message ("seed %u\n", (unsigned) seed);
        world_init (&world, &plan);
        s_operate (&world);
        if (world_run (&world, 60)) {
            fuota_group_t group;
            world_group (&world, 0, &group);
            fail_msg ("the first is %s, n %u of %u, pen %d",
                fuota_phase_name (&group), group.next_n, group.last_n,
                group.pen);
        }
        world_check (&world);
        world_release (&world);
    }
}

int
main (int argc, char **argv)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_world_random__ends_as_it_must),
    };
    if (argc > 1)
        s_first = s_last = strtoull (argv [1], NULL, 10);
    if (argc > 2)
        s_last = strtoull (argv [2], NULL, 10);
    return cmocka_run_group_tests_name ("world_random", tests, NULL, NULL);
}
