//  SPDX-License-Identifier: MIT

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "broker/host/sim_fifo.h"

//  In one end and out the other, while it grows and wraps
static void
test_sim_fifo__order (void **state)
{
    fuota_sim_fifo_t fifo = { .size = sizeof (unsigned) };
    unsigned in = 0, out = 0, thing;
    (void) state;
    assert_false (fuota_sim_fifo_take (&fifo, &thing));
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 7; i++, in++)
            assert_true (fuota_sim_fifo_put (&fifo, &in));
        for (int i = 0; i < 5; i++, out++) {
            assert_true (fuota_sim_fifo_take (&fifo, &thing));
            assert_int_equal (thing, out);
        }
    }
    for (; fuota_sim_fifo_take (&fifo, &thing); out++)
        assert_int_equal (thing, out);
    assert_int_equal (out, in);
    fuota_sim_fifo_release (&fifo);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_sim_fifo__order),
    };
    return cmocka_run_group_tests_name ("sim_fifo", tests, NULL, NULL);
}
