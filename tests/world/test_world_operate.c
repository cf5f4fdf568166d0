//  SPDX-License-Identifier: MIT
//
//  The operator's word, quorum and deadline, windows that close, repairs by
//  unicast, sizes at their ends.

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "tests/world/world.h"

//  Run until a deployment is in that phase and has sent so many fragments.
static void
s_until (world_t *world, Phase phase, uint32_t sent)
{
    for (unsigned i = 0; i < 100000; i++) {
        fuota_group_t group;
        world_group (world, 0, &group);
        if (group.phase == phase && group.sent >= sent)
            return;
        world_run_for (world, 1000);
    }
    fail_msg ("never in phase %d", phase);
}

static uint32_t
s_ended (world_t *world, End end)
{
    fuota_group_t group;
    world_group (world, 0, &group);
    return group.ended [end];
}

static const struct {
    const char *name;
    Phase phase;
    uint32_t sent;
} s_moments [] = {
    { "preparing", FUOTA_PREPARING, 0 },
    { "setting up", FUOTA_SETTING_UP, 0 },
    { "waiting", FUOTA_WAITING, 0 },
    { "first fragment", FUOTA_SENDING, 1 },
    { "half", FUOTA_SENDING, 60 },
    { "collecting", FUOTA_COLLECTING, 0 },
};

//  While devices are set up: until some are and some are not.
static void
s_some_ready (world_t *world)
{
    fuota_group_t group;
    world_group (world, 0, &group);
    while (group.phase == FUOTA_SETTING_UP &&
           group.at_step [FUOTA_STEP_SESSION_WAIT] < 3) {
        world_run_for (world, 1000);
        world_group (world, 0, &group);
    }
}

//  Nobody listens for a while, in whatever phase: no device is taken for
//  silent, and what it said is not needed.
static void
test_world__away (void **state)
{
    static const int64_t times [] = { 10000, 3600000, 86400000 };
    (void) state;
    for (size_t i = 0; i < sizeof s_moments / sizeof *s_moments; i++)
        for (unsigned t = 0; t < 3; t++)
            for (unsigned kept = 0; kept < 2; kept++) {
                world_t world;
                world_plan_t plan = world_plan ();
                fuota_group_t before, group;
                plan.sim.loss = 50;
                plan.retries = 2;
                world_init (&world, &plan);
                s_until (&world, s_moments [i].phase, s_moments [i].sent);
                s_some_ready (&world);
                world_group (&world, 0, &before);
                world_away (&world, times [t], kept);
                world_run_for (&world, 0);
                world_group (&world, 0, &group);
                if (before.phase == FUOTA_SETTING_UP)
                    assert_true (group.setup_deadline - before.setup_deadline >=
                                 times [t]);
                if (world_run (&world, 10))
                    fail_msg ("%s: not over", s_moments [i].name);
                world_check (&world);
                if (s_ended (&world, FUOTA_END_COMPLETE) != 10)
                    fail_msg ("%s, away for %d s: not all complete",
                        s_moments [i].name, (int) (times [t] / 1000));
                world_release (&world);
            }
}

//  Paused for an hour (the window closes meanwhile) or for ten seconds: then
//  all are complete all the same.
static void
test_world__pause_and_resume (void **state)
{
    static const int64_t pauses [] = { 10000, 3600000 };
    (void) state;
    for (size_t i = 0; i < sizeof s_moments / sizeof *s_moments; i++)
        for (unsigned p = 0; p < 2; p++)
            for (uint32_t version = 1; version <= 2; version++) {
                world_t world;
                world_plan_t plan = world_plan ();
                fuota_group_t group;
                plan.sim.loss = 50;
                plan.sim.ts004 = plan.sim.ts005 = version;
                world_init (&world, &plan);
                s_until (&world, s_moments [i].phase, s_moments [i].sent);
                world_operate (&world, 0, FUOTA_OPERATE_PAUSE);
                world_operate (&world, 0, FUOTA_OPERATE_PAUSE);
                world_run_for (&world, 5000);
                world_group (&world, 0, &group);
                uint32_t sent = group.sent;
                world_run_for (&world, pauses [p]);
                world_group (&world, 0, &group);
                assert_true (group.paused);
                //  It stops after the current fragment
                assert_int_equal (group.sent, sent);
                world_operate (&world, 0, FUOTA_OPERATE_RESUME);
                if (world_run (&world, 10))
                    fail_msg ("%s: not over", s_moments [i].name);
                world_check (&world);
                if (s_ended (&world, FUOTA_END_COMPLETE) != 10)
                    fail_msg ("%s: %u complete", s_moments [i].name,
                        s_ended (&world, FUOTA_END_COMPLETE));
                world_release (&world);
            }
}

//  Cancelled at any time: nobody is left without an end, nothing is left at
//  the host, and devices forget what they were told.
static void
test_world__cancel (void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof s_moments / sizeof *s_moments; i++)
        for (unsigned paused = 0; paused < 2; paused++) {
            world_t world;
            world_plan_t plan = world_plan ();
            plan.sim.dead = 100;
            plan.sim.seed = 3;
            world_init (&world, &plan);
            s_until (&world, s_moments [i].phase, s_moments [i].sent);
            if (paused)
                world_operate (&world, 0, FUOTA_OPERATE_PAUSE);
            world_operate (&world, 0, FUOTA_OPERATE_CANCEL);
            world_operate (&world, 0, FUOTA_OPERATE_RESUME);
            if (world_run (&world, 10))
                fail_msg ("%s: not over", s_moments [i].name);
            world_check (&world);
            fuota_group_t group;
            world_group (&world, 0, &group);
            assert_true (group.cancelled);
            assert_string_equal (fuota_phase_name (&group), "cancelled");
            world_release (&world);
        }
}

//  By an engine that is late: what the host said meanwhile and the operator's
//  word are in one turn.
static void
test_world__cancel_late (void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof s_moments / sizeof *s_moments; i++)
        for (uint64_t seed = 1; seed <= 10; seed++) {
            world_t world;
            world_plan_t plan = world_plan ();
            plan.sim.seed = seed;
            plan.lag = 30000;
            plan.rough = true;
            world_init (&world, &plan);
            s_until (&world, s_moments [i].phase, s_moments [i].sent);
            world_run_for (&world, (int64_t) seed * 11000);
            world_operate (&world, 0, FUOTA_OPERATE_CANCEL);
            if (world_run (&world, 10))
                fail_msg ("%s: not over", s_moments [i].name);
            world_check (&world);
            world_release (&world);
        }
}

//  The session does not wait for the silent: quorum, or the deadline.
static void
test_world__quorum_and_deadline (void **state)
{
    (void) state;
    for (unsigned deadline = 0; deadline < 2; deadline++) {
        world_t world;
        world_plan_t plan = world_plan ();
        fuota_group_t group;
        plan.sim.dead = 300;
        plan.sim.seed = 4;
        plan.retries = 20;
        plan.quorum = deadline ? 100 : 50;
        plan.setup_window = deadline ? 600 : 0;
        world_init (&world, &plan);
        s_until (&world, FUOTA_WAITING, 0);
        //  The silent would have held it up for 20 attempts
        assert_true (world.now - world.start <= 610000);
        assert_int_equal (world_run (&world, 10), 0);
        world_check (&world);
        world_group (&world, 0, &group);
        assert_true (group.ended [FUOTA_END_TIMED_OUT] > 0);
        assert_int_equal (group.ended [FUOTA_END_COMPLETE] +
                              group.ended [FUOTA_END_TIMED_OUT],
            group.total);
        world_release (&world);
    }
}

//  A window too small for the image: further sessions go on where the last
//  one stopped.
static void
test_world__many_windows (void **state)
{
    (void) state;
    for (uint32_t group_type = 0; group_type < 2; group_type++) {
        world_t world;
        world_plan_t plan = world_plan ();
        fuota_group_t group;
        plan.time_out = group_type ? 0 : 6;  //  128 s, 64 s
        plan.group_type = group_type;
        plan.sim.loss = 50;
        world_init (&world, &plan);
        assert_int_equal (world_run (&world, 10), 0);
        world_check (&world);
        world_group (&world, 0, &group);
        assert_true (group.session > 2);
        assert_int_equal (group.ended [FUOTA_END_COMPLETE], 10);
        world_release (&world);
    }
}

//  Few devices that need few are repaired one by one.
static void
test_world__unicast_repair (void **state)
{
    unsigned alone = 0;
    (void) state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        world_t world;
        world_plan_t plan = world_plan ();
        fuota_group_t group;
        plan.sim.seed = seed;
        plan.sim.devices = 3;
        plan.sim.loss = 20;
        plan.sim.unicast_loss = 50;
        plan.redundancy = 1;
        plan.retries = 6;
        plan.repair_rounds = 8;
        world_init (&world, &plan);
        assert_int_equal (world_run (&world, 10), 0);
        world_check (&world);
        world_group (&world, 0, &group);
        assert_int_equal (group.ended [FUOTA_END_COMPLETE], 3);
        alone += group.unicast_last > 0;
        world_release (&world);
    }
    assert_true (alone > 0);
}

//  No repair wanted, or no budget for it: incomplete, with what is missing.
static void
test_world__no_repair (void **state)
{
    world_t world;
    world_plan_t plan = world_plan ();
    (void) state;
    plan.sim.loss = 400;
    plan.redundancy = 1;
    plan.repair_rounds = 0;
    world_init (&world, &plan);
    assert_int_equal (world_run (&world, 10), 0);
    world_check (&world);
    assert_int_equal (s_ended (&world, FUOTA_END_INCOMPLETE), 10);
    world_release (&world);
}

static void
test_world__sizes (void **state)
{
    static const struct {
        uint32_t size, frag_size, loss;
    } cases [] = {
        { 1, 48, 300 },  //  M = 1: coded fragments are of no use
        { 48, 48, 300 }, { 49, 48, 200 }, { 144, 48, 200 }, { 255, 1, 100 },
        { 4096, 16, 100 },                         //  M a power of two
        { 250000, 239, 50 }, { 3800000, 239, 0 },  //  M = 15900
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (uint32_t version = 1; version <= 2; version++) {
            world_t world;
            world_plan_t plan = world_plan ();
            plan.sim.devices = 3;
            plan.sim.ts004 = version;
            plan.sim.loss = cases [i].loss;
            plan.image_size = cases [i].size;
            plan.frag_size = cases [i].frag_size;
            plan.repair_rounds = 10;
            world_init (&world, &plan);
            if (world_run (&world, 30))
                fail_msg ("%u bytes: not over", cases [i].size);
            //  One fragment has no parity: it is sent again, which counts
            if (cases [i].size > cases [i].frag_size)
                world_check (&world);
            if (s_ended (&world, FUOTA_END_COMPLETE) != 3)
                fail_msg ("%u bytes, v%u: %u complete", cases [i].size, version,
                    s_ended (&world, FUOTA_END_COMPLETE));
            world_release (&world);
        }
}

//  Sessions and groups are deleted on the devices where that is wanted.
static void
test_world__clean_up (void **state)
{
    world_t world;
    world_plan_t plan = world_plan ();
    (void) state;
    plan.clean_up = true;
    world_init (&world, &plan);
    assert_int_equal (world_run (&world, 10), 0);
    world_check (&world);
    assert_int_equal (s_ended (&world, FUOTA_END_COMPLETE), 10);
    world_release (&world);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_world__away),
        cmocka_unit_test (test_world__pause_and_resume),
        cmocka_unit_test (test_world__cancel),
        cmocka_unit_test (test_world__cancel_late),
        cmocka_unit_test (test_world__quorum_and_deadline),
        cmocka_unit_test (test_world__many_windows),
        cmocka_unit_test (test_world__unicast_repair),
        cmocka_unit_test (test_world__no_repair),
        cmocka_unit_test (test_world__sizes),
        cmocka_unit_test (test_world__clean_up),
    };
    return cmocka_run_group_tests_name ("world_operate", tests, NULL, NULL);
}
