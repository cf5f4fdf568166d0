//  SPDX-License-Identifier: MIT

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "broker/host/sim_radio.h"

#define FRAMES 200000

static void
test_sim_radio__limits (void **state)
{
    uint64_t chance = 0;
    (void) state;
    assert_int_equal (fuota_sim_radio_below (&chance, 0), 0);
    assert_false (fuota_sim_radio_hits (&chance, 0));
    assert_int_equal (fuota_sim_radio_either (&chance, 0), 0);
    for (int i = 0; i < 1000; i++) {
        assert_true (fuota_sim_radio_below (&chance, 3) < 3);
        assert_true (fuota_sim_radio_hits (&chance, 1000));
        int32_t either = fuota_sim_radio_either (&chance, 5);
        assert_true (either >= -5 && either <= 5);
        fuota_sim_radio_either (&chance, UINT32_MAX);
    }
}

//  Share of the frames lost, and how long losses last on the average
static void
test_sim_radio__loss_and_bursts (void **state)
{
    static const struct {
        const char *name;
        uint32_t loss, burst;
        double share, length;  //  Per cent, frames
    } cases [] = {
        { "none", 0, 0, 0, 0 },
        { "none, in bursts", 0, 5, 0, 0 },
        { "all", 1000, 4, 100, FRAMES },
        { "independent", 100, 1, 10, 1.11 },
        { "half", 500, 0, 50, 2 },
        { "bursts of 4", 100, 4, 10, 4 },
        { "long and rare", 20, 10, 2, 10 },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fuota_sim_config_t config = { .loss = cases [i].loss,
            .burst = cases [i].burst };
        uint64_t chance = 42;
        bool fading = false, before = false;
        unsigned lost = 0, bursts = 0;
        for (int frame = 0; frame < FRAMES; frame++) {
            bool now = fuota_sim_radio_loses (&config, &chance, &fading);
            lost += now;
            bursts += now && !before;
            before = now;
        }
        double share = 100.0 * lost / FRAMES;
        double length = bursts ? (double) lost / bursts : 0;
        if (share < 0.9 * cases [i].share || share > 1.1 * cases [i].share ||
            length < 0.9 * cases [i].length || length > 1.1 * cases [i].length)
            fail_msg ("%s: %.2f %%, %.2f frames", cases [i].name, share,
                length);
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_sim_radio__limits),
        cmocka_unit_test (test_sim_radio__loss_and_bursts),
    };
    return cmocka_run_group_tests_name ("sim_radio", tests, NULL, NULL);
}
