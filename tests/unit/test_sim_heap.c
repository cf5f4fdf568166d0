//  SPDX-License-Identifier: MIT

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "broker/host/sim_heap.h"
#include "broker/host/sim_radio.h"

static void
test_sim_heap__empty (void **state)
{
    fuota_sim_heap_t heap = { 0 };
    fuota_sim_due_t due;
    (void) state;
    assert_false (fuota_sim_heap_take (&heap, INT64_MAX, &due));
    assert_true (fuota_sim_heap_at (&heap) == INT64_MAX);
    fuota_sim_heap_release (&heap);
}

//  Earliest first, equal times as they were put in, none before its time
static void
test_sim_heap__order (void **state)
{
    fuota_sim_heap_t heap = { 0 };
    fuota_sim_due_t due;
    uint64_t chance = 1;
    int64_t at = -1;
    uint32_t index = 0, taken = 0;
    (void) state;
    for (uint32_t i = 0; i < 1000; i++)
        assert_true (fuota_sim_heap_put (&heap,
            fuota_sim_radio_below (&chance, 100), 0, i, NULL));
    for (; fuota_sim_heap_take (&heap, 50, &due); taken++) {
        assert_true (due.at > at || (due.at == at && due.index > index));
        at = due.at;
        index = due.index;
    }
    assert_int_equal (at, 49);
    assert_int_equal (fuota_sim_heap_at (&heap), 50);
    while (fuota_sim_heap_take (&heap, 100, &due))
        taken++;
    assert_int_equal (taken, 1000);
    fuota_sim_heap_release (&heap);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_sim_heap__empty),
        cmocka_unit_test (test_sim_heap__order),
    };
    return cmocka_run_group_tests_name ("sim_heap", tests, NULL, NULL);
}
