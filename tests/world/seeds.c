//  SPDX-License-Identifier: MIT

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "tests/world/seeds.h"

static uint64_t s_state;

seeds_t
seeds_of (int argc, char **argv)
{
    seeds_t seeds = { 1, 60 };
    if (argc > 1)
        seeds.first = seeds.last = strtoull (argv [1], NULL, 10);
    if (argc > 2)
        seeds.last = strtoull (argv [2], NULL, 10);
    return seeds;
}

void
seeds_begin (uint64_t seed)
{
    s_state = seed * 7919;
}

uint32_t
seeds_below (uint32_t limit)
{
    s_state = s_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t) ((s_state >> 33) % limit);
}

uint32_t
seeds_some (uint32_t of_hundred, uint32_t most)
{
    return seeds_below (100) < of_hundred ? seeds_below (most + 1) : 0;
}

void
seeds_plan_sending (world_plan_t *plan)
{
    plan->retries = 3 + seeds_below (8);
    plan->quorum = 100 - seeds_some (25, 70);
    plan->period = 0;
    plan->margin = 5000;
    plan->sim.gateways = plan->gateways = 1 + seeds_below (3);
    plan->clean_up = seeds_below (2);
}

void
seeds_plan_faults (world_plan_t *plan)
{
    if (seeds_below (3) == 0) {
        plan->crash_at = plan->crash_every = 3 + seeds_below (40);
        plan->crash_before = seeds_below (2);
    }
    plan->rough = true;
}

bool
seeds_operate (world_t *world, uint32_t of_hundred)
{
    static const fuota_operate_t words [] = { FUOTA_OPERATE_PAUSE,
        FUOTA_OPERATE_RESUME, FUOTA_OPERATE_RESUME, FUOTA_OPERATE_CANCEL };
    bool away = false;
    for (uint32_t n = seeds_some (of_hundred, 4); n > 0; n--) {
        world_run_for (world, seeds_below (600000));
        //  One draw after the other: C leaves open which argument is first
        fuota_operate_t word = words [seeds_below (seeds_below (3) ? 3 : 4)];
        world_operate (world, seeds_below (world->plan.deployments), word);
        if (seeds_below (6) == 0) {
            bool kept = seeds_below (2);
            world_away (world, seeds_below (3600000), kept);
            away = true;
        }
    }
    //  A word may be lost with the commit it is in
    for (uint32_t n = 0; n < 3; n++)
        for (uint32_t i = 0; i < world->plan.deployments; i++)
            world_operate (world, i, FUOTA_OPERATE_RESUME);
    return away;
}

void
seeds_run (world_t *world)
{
    if (world_run (world, 60)) {
        fuota_group_t group;
        world_group (world, 0, &group);
        fail_msg ("the first is %s, n %u of %u, pen %d",
            fuota_phase_name (&group), group.next_n, group.last_n, group.pen);
    }
    world_check (world);
}
