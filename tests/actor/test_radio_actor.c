//  SPDX-License-Identifier: MIT
//
//  The radio's shell: the test is the router and the store.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "broker/clock.h"
#include "broker/radio_actor.h"
#include "tests/actor/neighbour.h"
#include "tests/scratch.h"

#define START 1767225600000

typedef struct {
    scratch_t scratch;
    zactor_t *actor;
    zsock_t *store, *push;
} rig_t;

static int
s_setup (void **state)
{
    static rig_t rig;
    rig = (rig_t){ .actor = NULL };
    scratch_init (&rig.scratch, 16u << 20, FUOTA_DB_NOSYNC);
    rig.store = neighbour_new (ZMQ_REP, "inproc://store");
    rig.actor = zactor_new (fuota_radio_actor,
        fuota_radio_new (rig.scratch.db, fuota_region_find ("EU868")));
    rig.push = neighbour_new (ZMQ_PUSH, ">inproc://radio");
    *state = &rig;
    return 0;
}

static int
s_teardown (void **state)
{
    rig_t *rig = *state;
    zsock_destroy (&rig->push);
    zactor_destroy (&rig->actor);
    neighbour_freed ("inproc://radio");
    neighbour_destroy (&rig->store, "inproc://store");
    scratch_release (&rig->scratch);
    return 0;
}

static void
s_send (rig_t *rig, uint64_t dev_eui)
{
    uint8_t body [FUOTA_RECORD_MAX];
    fuota_event_t event = { .dev_eui = dev_eui,
        .gateways_count = 1,
        .gateways = { 5 } };
    size_t size = fuota_record_encode (Event_fields, &event, body, sizeof body);
    zsock_send (rig->push, "b", body, size);
}

//  Be the store once. Rows of the batch.
static size_t
s_commit (rig_t *rig)
{
    zframe_t *batch = zframe_recv (rig->store);
    assert_non_null (batch);
    fuota_slice_t bytes =
        fuota_slice (zframe_data (batch), zframe_size (batch));
    fuota_reader_t in = fuota_reader (bytes.data, bytes.size);
    fuota_batch_row_t row;
    size_t rows = 0;
    while (fuota_batch_next (&in, &row) == 1)
        rows++;
    assert_int_equal (fuota_db_apply (rig->scratch.db, &bytes, 1), 0);
    zframe_destroy (&batch);
    zsock_send (rig->store, "b", "\0", (size_t) 1);
    return rows;
}

//  What comes is gathered for some seconds and committed at once; garbage is
//  counted; the next gathering goes on from the rows.
static void
test_radio_actor__gathers_and_commits (void **state)
{
    rig_t *rig = *state;
    uint64_t events, malformed, commits;
    char *name;
    s_send (rig, 1);
    s_send (rig, 2);
    zsock_send (rig->push, "b", "\x0f", (size_t) 1);
    zsock_send (rig->push, "b", "", (size_t) 0);
    size_t rows = s_commit (rig);
    while (scratch_count (&rig->scratch, FUOTA_TABLE_RECEPTION) < 2)
        rows += s_commit (rig);
    assert_in_range (rows, 3, 4);
    s_send (rig, 1);
    assert_int_equal (s_commit (rig), 1);
    fuota_reception_t reception;
    assert_int_equal (scratch_get (&rig->scratch, FUOTA_TABLE_RECEPTION,
                          fuota_key_eui (1), Reception_fields, &reception),
        0);
    assert_int_equal (reception.uplinks, 2);
    zstr_send (rig->actor, "STATS");
    zsock_recv (rig->actor, "s888", &name, &events, &malformed, &commits);
    assert_int_equal (events, 5);
    assert_int_equal (malformed, 1);
    assert_in_range (commits, 2, 3);
    zstr_free (&name);
}

//  A full table is committed before it is time, and nothing is lost.
static void
test_radio_actor__full (void **state)
{
    rig_t *rig = *state;
    for (uint64_t eui = 1; eui <= 900; eui++)
        s_send (rig, eui);
    while (scratch_count (&rig->scratch, FUOTA_TABLE_RECEPTION) < 900)
        s_commit (rig);
}

//  It does not go on without its store.
static void
test_radio_actor__store_refuses (void **state)
{
    rig_t *rig = *state;
    s_send (rig, 1);
    zframe_t *batch = zframe_recv (rig->store);
    assert_non_null (batch);
    zframe_destroy (&batch);
    zsock_send (rig->store, "b", "\1", (size_t) 1);
    assert_true (neighbour_ended (rig->actor));
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (test_radio_actor__gathers_and_commits,
            s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_radio_actor__full, s_setup,
            s_teardown),
        cmocka_unit_test_setup_teardown (test_radio_actor__store_refuses,
            s_setup, s_teardown),
    };
    fuota_clock_set (100, START);
    zsys_set_logstream (NULL);
    return cmocka_run_group_tests_name ("radio_actor", tests, NULL, NULL);
}
