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
#include <string.h>
#include "tests/world/chirpstack_model.h"
#include "tests/world/seeds.h"

static seeds_t s_seeds;

static world_plan_t
s_plan (uint64_t seed)
{
    world_plan_t plan = world_plan ();
    uint32_t version = 1 + seeds_below (2);
    plan.sim.seed = seed;
    plan.sim.ts003 = plan.sim.ts004 = plan.sim.ts005 = version;
    plan.sim.devices = 1 + seeds_below (8);
    plan.sim.loss = seeds_some (70, 200);
    plan.sim.unicast_loss = seeds_some (40, 100);
    plan.sim.dead = seeds_some (20, 300);
    plan.sim.refusing = seeds_some (20, 300);
    plan.sim.clock_error = seeds_some (30, 60000);
    plan.deployments = 1 + seeds_some (30, 2);
    plan.image_size = 500 + seeds_below (3000);
    plan.group_type = seeds_below (3) == 0;
    plan.redundancy = seeds_below (30);
    plan.repair_rounds = seeds_below (6);
    seeds_plan_sending (&plan);
    plan.tags = seeds_below (3) == 0;
    plan.lag = seeds_some (40, seeds_below (3) ? 3000 : 30000);
    seeds_plan_faults (&plan);
    return plan;
}

static model_config_t
s_model (uint64_t seed, const world_plan_t *plan)
{
    model_config_t config = { .seed = seed * 31 + 7,
        .devices = plan->sim.devices,
        .gateways = plan->sim.gateways,
        .first_eui = plan->sim.first_eui,
        .margin = plan->margin };
    //  One draw after the other: C leaves open which initializer is first
    config.commands = seeds_below (3) != 0;
    config.blind = seeds_below (5) == 0;
    config.tenant = seeds_below (2);
    config.keeps = seeds_below (3) == 0;
    config.lost = seeds_some (50, 100);
    config.refused = seeds_some (50, 100);
    config.garbled = seeds_some (20, 30);
    config.slow = seeds_some (40, 100);
    config.refusal = seeds_some (50, 150);
    config.silent = seeds_some (40, 100);
    config.late = seeds_some (30, 100);
    config.jitter = seeds_below (3) ? seeds_below (100) : seeds_below (800);
    config.doubled = seeds_some (30, 300);
    config.missed = seeds_some (30, 100);
    config.too_long = seeds_some (20, 50);
    config.not_now = seeds_some (30, 100);
    config.offline = seeds_some (30, 300);
    config.away = seeds_some (40, 120);
    config.restart = seeds_some (30, 200);
    config.revoke = seeds_some (10, 100);
    config.shuffled = seeds_below (8) == 0;
    config.clear = plan->lag == 0 && !config.shuffled;
    memcpy (config.application, plan->sim.application,
        sizeof config.application);
    return config;
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
    for (uint64_t seed = s_seeds.first; seed <= s_seeds.last; seed++) {
        world_t world;
        seeds_begin (seed);
        world_plan_t plan = s_plan (seed);
        model_config_t config = s_model (seed, &plan);
        plan.host = &model_host;
        plan.host_config = &config;
        print_message ("seed %u\n", (unsigned) seed);
        world_init (&world, &plan);
        bool away = seeds_operate (&world, 40);
        seeds_run (&world);
        if (s_seeds.first == s_seeds.last)
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
    s_seeds = seeds_of (argc, argv);
    return cmocka_run_group_tests_name ("world_chirpstack", tests, NULL, NULL);
}
