//  SPDX-License-Identifier: MIT
//
//  A fleet of which half has version 1 of the packages, half version 2.

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "broker/dialect.h"
#include "tests/world/world.h"

//  What the network says of its devices with that tag, and what the engine
//  makes of it.
static size_t
s_select (const fuota_sim_t *sim, const char *model, fuota_dialect_t *dialect)
{
    static fuota_known_t known, warnings;
    static const fuota_wish_t wish = { .dr = 0 };
    fuota_question_t question = { .kind = FUOTA_QUESTION_DEVICES,
        .application = "00000000-0000-4000-8000-000000000001",
        .select_count = *model != 0,
        .select = { { .key = "model" } } };
    fuota_answer_t answer;
    fuota_faults_t faults = { .count = 0 };
    uint64_t devices [200];
    uint32_t at = 0;
    snprintf (question.select [0].value, sizeof question.select [0].value, "%s",
        model);
    while (!known.over) {
        fuota_sim_answer (sim, &question, &at, &answer);
        fuota_known_take (&known, &answer);
    }
    fuota_known_sort (&known);
    assert_string_equal (known.fault, "");
    assert_in_range (known.device_count, 1, 200);
    for (size_t i = 0; i < known.device_count; i++)
        devices [i] = known.devices [i].dev_eui;
    fuota_dialect_facts_t facts = { .wish = &wish,
        .known = &known,
        .devices = devices,
        .device_count = known.device_count };
    fuota_dialect_find (&facts, dialect, &faults, &warnings);
    size_t count = faults.count ? 0 : known.device_count;
    fuota_known_release (&known);
    fuota_known_release (&warnings);
    return count;
}

//  All together are refused; each half by itself is found by a tag, and gets
//  its image while the other half gets it too.
static void
test_world__mixed_fleet (void **state)
{
    (void) state;
    for (uint32_t seed = 1; seed <= 3; seed++) {
        world_plan_t plan = world_plan ();
        plan.sim.seed = seed;
        plan.sim.devices = 200;
        plan.sim.mixed = 500;
        plan.sim.loss = 100;
        plan.sim.unicast_loss = 50;
        plan.mixed = true;
        plan.deployments = 2;
        world_t world;
        fuota_dialect_t dialect;
        world_init (&world, &plan);
        assert_int_equal (s_select (world.sim, "", &dialect), 0);
        assert_int_equal (s_select (world.sim, "sim-1", &dialect), 100);
        assert_int_equal (dialect.ts004, 1);
        assert_int_equal (s_select (world.sim, "sim-2", &dialect), 100);
        assert_int_equal (dialect.ts003, 2);
        assert_int_equal (dialect.ts004, 2);
        assert_int_equal (dialect.ts005, 2);
        assert_int_equal (world_run (&world, 5), 0);
        world_check (&world);
        for (uint32_t i = 0; i < 2; i++) {
            fuota_group_t group;
            world_group (&world, i, &group);
            assert_in_range (group.ended [FUOTA_END_COMPLETE], 90, 100);
        }
        world_release (&world);
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_world__mixed_fleet),
    };
    return cmocka_run_group_tests_name ("world_mixed", tests, NULL, NULL);
}
