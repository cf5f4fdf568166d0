//  SPDX-License-Identifier: MIT

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "broker/demand.h"

static void
test_demand__by_phase (void **state)
{
    static const struct {
        const char *name;
        uint32_t nb_frag, redundancy;
        fuota_group_t group;
        bool wanted;
        uint32_t first, count;
        int64_t due;
    } cases [] = {
        { "first round", 100, 65, { .phase = FUOTA_PREPARING }, true, 0, 2,
            601000 },
        { "session is set", 100, 64,
            { .phase = FUOTA_WAITING, .session_start = 7000 }, true, 0, 1,
            7000 },
        { "uncoded go first", 100, 64,
            { .phase = FUOTA_SENDING, .next_n = 50, .last_n = 164 }, true, 0, 1,
            1000 },
        { "half sent", 100, 200,
            { .phase = FUOTA_SENDING, .next_n = 230, .last_n = 300 }, true, 2,
            2, 1000 },
        { "all sent", 100, 64,
            { .phase = FUOTA_COLLECTING, .next_n = 165, .last_n = 164 }, false,
            0, 0, 0 },
        { "repair", 100, 64,
            { .phase = FUOTA_WAITING,
                .next_n = 165,
                .last_n = 180,
                .session_start = 5000 },
            true, 1, 1, 5000 },
        { "repair alone", 100, 64,
            { .phase = FUOTA_COLLECTING,
                .next_n = 165,
                .last_n = 164,
                .unicast_first = 165,
                .unicast_last = 170 },
            true, 1, 1, 1000 },
        { "over", 100, 64, { .phase = FUOTA_OVER }, false, 0, 0, 0 },
        { "cancelled", 100, 64, { .phase = FUOTA_SENDING, .cancelled = true },
            false, 0, 0, 0 },
        { "single fragment", 1, 10, { .phase = FUOTA_PREPARING }, false, 0, 0,
            0 },
        { "none planned", 100, 0, { .phase = FUOTA_PREPARING }, false, 0, 0,
            0 },
        { "to the last N", 100, 16384, { .phase = FUOTA_PREPARING }, true, 0,
            255, 601000 },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fuota_deployment_t deployment = { .nb_frag = cases [i].nb_frag,
            .image_size = cases [i].nb_frag * 10,
            .frag_size = 10,
            .redundancy = cases [i].redundancy,
            .dialect = { .ts004 = 2 } };
        fuota_demand_t demand;
        bool wanted =
            fuota_demand_make (&deployment, &cases [i].group, 1000, &demand);
        if (wanted != cases [i].wanted ||
            (wanted &&
                (demand.first != cases [i].first ||
                    demand.count != cases [i].count ||
                    demand.due != cases [i].due || demand.key.rule != 2)))
            fail_msg ("%s: %d first %u count %u due %lld", cases [i].name,
                wanted, demand.first, demand.count, (long long) demand.due);
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_demand__by_phase),
    };
    return cmocka_run_group_tests_name ("demand", tests, NULL, NULL);
}
