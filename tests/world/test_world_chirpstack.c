//  SPDX-License-Identifier: MIT
//
//  Worlds as a seed has them, with ChirpStack between the engine and the
//  devices: what is lost, late, twice, refused or irregular on the way, and
//  crashes of the engine. What no table of test_chirpstack.c thinks of is
//  found here.
//
//      test_world_chirpstack [FIRST [LAST]]

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/world/chirpstack_model.h"
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
    plan.sim.devices = 1 + s_below (8);
    plan.sim.loss = s_some (70, 200);
    plan.sim.unicast_loss = s_some (40, 100);
    plan.sim.dead = s_some (20, 300);
    plan.sim.refusing = s_some (20, 300);
    plan.sim.clock_error = s_some (30, 60000);
    plan.deployments = 1 + s_some (30, 2);
    plan.image_size = 500 + s_below (3000);
    plan.group_type = s_below (3) == 0;
    plan.redundancy = s_below (30);
    plan.repair_rounds = s_below (6);
    plan.retries = 3 + s_below (8);
    plan.quorum = 100 - s_some (25, 70);
    plan.period = 0;
    plan.margin = 5000;
    plan.sim.gateways = plan.gateways = 1 + s_below (3);
    plan.clean_up = s_below (2);
    plan.tags = s_below (3) == 0;
    plan.lag = s_some (40, s_below (3) ? 3000 : 30000);
    if (s_below (3) == 0) {
        plan.crash_at = plan.crash_every = 3 + s_below (40);
        plan.crash_before = s_below (2);
    }
    plan.rough = true;
    return plan;
}

static model_config_t
s_model (uint64_t seed, const world_plan_t *plan)
{
    model_config_t config = { .seed = seed * 31 + 7,
        .devices = plan->sim.devices,
        .gateways = plan->sim.gateways,
        .first_eui = plan->sim.first_eui,
        .margin = plan->margin,
        .commands = s_below (3) != 0,
        .blind = s_below (5) == 0,
        .tenant = s_below (2),
        .keeps = s_below (3) == 0,
        .lost = s_some (50, 100),
        .refused = s_some (50, 100),
        .garbled = s_some (20, 30),
        .slow = s_some (40, 100),
        .refusal = s_some (50, 150),
        .silent = s_some (40, 100),
        .late = s_some (30, 100),
        .jitter = s_below (3) ? s_below (100) : s_below (800),
        .doubled = s_some (30, 300),
        .missed = s_some (30, 100),
        .too_long = s_some (20, 50),
        .not_now = s_some (30, 100),
        .offline = s_some (30, 300),
        .away = s_some (40, 120),
        .restart = s_some (30, 200),
        .revoke = s_some (10, 100),
        .shuffled = s_below (8) == 0 };
    config.clear = plan->lag == 0 && !config.shuffled;
    memcpy (config.application, plan->sim.application,
        sizeof config.application);
    return config;
}

//  Pauses, resumes and cancels, and now and then the engine is away.
static bool
s_operate (world_t *world)
{
    bool away = false;
    static const fuota_operate_t words [] = { FUOTA_OPERATE_PAUSE,
        FUOTA_OPERATE_RESUME, FUOTA_OPERATE_RESUME, FUOTA_OPERATE_CANCEL };
    for (uint32_t n = s_some (40, 4); n > 0; n--) {
        world_run_for (world, s_below (600000));
        world_operate (world, s_below (world->plan.deployments),
            words [s_below (s_below (3) ? 3 : 4)]);
        if (s_below (6) == 0) {
            world_away (world, s_below (3600000), s_below (2));
            away = true;
        }
    }
    //  A word may be lost with the commit it is in
    for (uint32_t n = 0; n < 3; n++)
        for (uint32_t i = 0; i < world->plan.deployments; i++)
            world_operate (world, i, FUOTA_OPERATE_RESUME);
    return away;
}

static void
s_counts (const model_t *model)
{
    model_counts_t c;
    model_counts (model, &c);
    print_message ("calls %u: lost %u refused %u garbled %u revoked %u; "
                   "frames %u: refused %u silent %u; fragments %u commands %u "
                   "repeated %u again %u dropped %u; away %u restarts %u\n",
        (unsigned) c.calls, (unsigned) c.lost, (unsigned) c.refused,
        (unsigned) c.garbled, (unsigned) c.revoked, (unsigned) c.frames,
        (unsigned) c.frames_refused, (unsigned) c.silent,
        (unsigned) c.fragments, (unsigned) c.commands, (unsigned) c.repeated,
        (unsigned) c.again, (unsigned) c.dropped, (unsigned) c.aways,
        (unsigned) c.restarts);
}

//  Who is complete is marked.
static void
s_check_tags (world_t *world)
{
    for (uint32_t i = 0; world->plan.tags && i < world->plan.deployments; i++)
        for (uint32_t n = 0; n < world->plan.sim.devices; n++) {
            fuota_device_t device;
            uint64_t dev_eui = world->plan.sim.first_eui + n;
            world_device (world, i, dev_eui, &device);
            if (device.end == FUOTA_END_COMPLETE &&
                !model_tagged (world->at_host, dev_eui, "fuota"))
                fail_msg ("device %u is complete and has no tag", (unsigned) n);
        }
}

//  No call fails for good that the host would have carried out.
static void
s_check_errors (world_t *world)
{
    for (uint32_t i = 0; i < world->plan.deployments; i++) {
        fuota_group_t group;
        world_group (world, i, &group);
        if (group.error [0])
            fail_msg ("deployment %u: %s", (unsigned) i, group.error);
    }
}

static void
test_world_chirpstack__ends_as_it_must (void **state)
{
    (void) state;
    for (uint64_t seed = s_first; seed <= s_last; seed++) {
        world_t world;
        s_state = seed * 7919;
        world_plan_t plan = s_plan (seed);
        model_config_t config = s_model (seed, &plan);
        plan.host = &model_host;
        plan.host_config = &config;
        print_message ("seed %u\n", (unsigned) seed);
        world_init (&world, &plan);
        bool away = s_operate (&world);
        if (world_run (&world, 60)) {
            fuota_group_t group;
            world_group (&world, 0, &group);
            fail_msg ("the first is %s, n %u of %u, pen %d",
                fuota_phase_name (&group), group.next_n, group.last_n,
                group.pen);
        }
        world_check (&world);
        if (s_first == s_last)
            s_counts (world.at_host);
        s_check_tags (&world);
        s_check_errors (&world);
        model_check (world.at_host, world.crashes || away);
        world_release (&world);
    }
}

int
main (int argc, char **argv)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_world_chirpstack__ends_as_it_must),
    };
    if (argc > 1)
        s_first = s_last = strtoull (argv [1], NULL, 10);
    if (argc > 2)
        s_last = strtoull (argv [2], NULL, 10);
    return cmocka_run_group_tests_name ("world_chirpstack", tests, NULL, NULL);
}
