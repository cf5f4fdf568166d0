//  SPDX-License-Identifier: MIT
//
//  One update from end to end: read this first.

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "tests/world/world.h"

//  One device, a perfect link: group, session, fragments, status, the end.
static void
test_world__one_device (void **state)
{
    (void) state;
    for (uint32_t version = 1; version <= 2; version++) {
        world_plan_t plan = world_plan ();
        plan.sim.devices = 1;
        plan.sim.ts003 = plan.sim.ts004 = plan.sim.ts005 = version;
        world_t world;
        world_init (&world, &plan);
        assert_int_equal (world_run (&world, 2), 0);
        fuota_device_t device;
        world_device (&world, 0, plan.sim.first_eui, &device);
        assert_int_equal (device.end, FUOTA_END_COMPLETE);
        world_check (&world);
        world_release (&world);
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_world__one_device),
    };
    return cmocka_run_group_tests_name ("world_one_device", tests, NULL, NULL);
}
