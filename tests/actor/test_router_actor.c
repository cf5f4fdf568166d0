//  SPDX-License-Identifier: MIT
//
//  The router's shell: the test is the host and both workers.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "broker/router_actor.h"
#include "tests/actor/neighbour.h"
#include "tests/scratch.h"

typedef struct {
    scratch_t scratch;
    zactor_t *actor;
    zsock_t *inbox, *deployments, *clock, *push;
} rig_t;

static int
s_setup (void **state)
{
    static rig_t rig;
    uint8_t id [FUOTA_ID_SIZE] = { 1 };
    fuota_route_t route = { .has_dialect = true,
        .dialect = { .ts003 = 1, .port003 = 202 } };
    rig = (rig_t){ .actor = NULL };
    scratch_init (&rig.scratch, 16u << 20, FUOTA_DB_NOSYNC);
    scratch_put (&rig.scratch, FUOTA_TABLE_ROUTE, fuota_key_route (7, id),
        Route_fields, &route);
    rig.deployments = neighbour_new (ZMQ_PULL, "inproc://deployments");
    rig.clock = neighbour_new (ZMQ_PULL, "inproc://clock");
    rig.inbox = neighbour_new (ZMQ_PULL, "inproc://router");
    //  Not on the stack, which the sanitizer sees used again
    static fuota_router_args_t args;
    args = (fuota_router_args_t){ .db = rig.scratch.db,
        .inbox = rig.inbox,
        .port003 = 202 };
    rig.actor = zactor_new (fuota_router_actor, &args);
    rig.push = neighbour_new (ZMQ_PUSH, ">inproc://router");
    *state = &rig;
    return 0;
}

static int
s_teardown (void **state)
{
    rig_t *rig = *state;
    zsock_destroy (&rig->push);
    zactor_destroy (&rig->actor);  //  Destroys its inbox
    neighbour_freed ("inproc://router");
    neighbour_destroy (&rig->deployments, "inproc://deployments");
    neighbour_destroy (&rig->clock, "inproc://clock");
    scratch_release (&rig->scratch);
    return 0;
}

static size_t
s_encode (uint64_t dev_eui, uint32_t port, uint32_t f_cnt, uint8_t *body)
{
    fuota_event_t event = { .dev_eui = dev_eui,
        .f_port = port,
        .f_cnt = f_cnt };
    return fuota_record_encode (Event_fields, &event, body, FUOTA_RECORD_MAX);
}

static void
s_send (rig_t *rig, uint64_t dev_eui, uint32_t port, uint32_t f_cnt)
{
    uint8_t body [FUOTA_RECORD_MAX];
    size_t size = s_encode (dev_eui, port, f_cnt, body);
    zsock_send (rig->push, "b", body, size);
}

//  The counter of the event that a worker got.
static uint32_t
s_got (zsock_t *worker)
{
    fuota_event_t event;
    zmsg_t *msg = zmsg_recv (worker);
    assert_non_null (msg);
    assert_int_equal (zmsg_size (msg), 2);
    assert_true (zframe_streq (zmsg_first (msg), "E"));
    zframe_t *body = zmsg_next (msg);
    assert_int_equal (fuota_record_decode (Event_fields, &event,
                          fuota_slice (zframe_data (body), zframe_size (body))),
        0);
    zmsg_destroy (&msg);
    return event.f_cnt;
}

static void
s_stats (rig_t *rig, uint64_t events, uint64_t dropped, uint64_t malformed)
{
    uint64_t got [3];
    char *word = NULL;
    zstr_send (rig->actor, "STATS");
    assert_int_equal (zsock_recv (rig->actor, "s888", &word, &got [0], &got [1],
                          &got [2]),
        0);
    zstr_free (&word);
    assert_int_equal (got [0], events);
    assert_int_equal (got [1], dropped);
    assert_int_equal (got [2], malformed);
}

static void
test_router_actor__to_the_right_inbox (void **state)
{
    rig_t *rig = *state;
    s_send (rig, 9, 1, 1);    //  Nobody's
    s_send (rig, 9, 202, 2);  //  Clock
    s_send (rig, 7, 1, 3);    //  Deployments
    s_send (rig, 7, 202, 4);  //  Both
    assert_int_equal (s_got (rig->deployments), 3);
    assert_int_equal (s_got (rig->deployments), 4);
    assert_int_equal (s_got (rig->clock), 2);
    assert_int_equal (s_got (rig->clock), 4);
    s_stats (rig, 4, 1, 0);
}

static void
test_router_actor__garbage_is_counted (void **state)
{
    rig_t *rig = *state;
    uint8_t noise [80], body [FUOTA_RECORD_MAX];
    memset (noise, 0x0f, sizeof noise);
    for (size_t size = 1; size <= sizeof noise; size++)
        zsock_send (rig->push, "b", noise, size);
    //  More frames than one, each of them good
    size_t size = s_encode (7, 1, 50, body);
    zsock_send (rig->push, "bb", body, size, body, size);
    zsock_send (rig->push, "bbb", body, size, noise, sizeof noise, body, size);
    //  Cut anywhere: an event of less, or none; never more
    for (size_t cut = 1; cut < size; cut++)
        zsock_send (rig->push, "b", body, cut);
    s_send (rig, 7, 1, 51);
    while (s_got (rig->deployments) != 51)
        continue;
    assert_true (neighbour_quiet (rig->deployments));
    assert_true (neighbour_quiet (rig->clock));
    uint64_t events, dropped, malformed;
    char *word = NULL;
    zstr_send (rig->actor, "STATS");
    zsock_recv (rig->actor, "s888", &word, &events, &dropped, &malformed);
    zstr_free (&word);
    assert_int_equal (events + malformed, sizeof noise + 2 + size - 1 + 1);
    assert_true (malformed >= sizeof noise + 2);
}

//  A route that is committed later is seen: nothing is kept in memory.
static void
test_router_actor__sees_new_routes (void **state)
{
    rig_t *rig = *state;
    uint8_t id [FUOTA_ID_SIZE] = { 1 };
    fuota_route_t route = { .has_dialect = true };
    s_send (rig, 8, 1, 1);
    s_send (rig, 7, 1, 2);
    assert_int_equal (s_got (rig->deployments), 2);
    scratch_put (&rig->scratch, FUOTA_TABLE_ROUTE, fuota_key_route (8, id),
        Route_fields, &route);
    s_send (rig, 8, 1, 3);
    assert_int_equal (s_got (rig->deployments), 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (test_router_actor__to_the_right_inbox),
        TEST (test_router_actor__garbage_is_counted),
        TEST (test_router_actor__sees_new_routes),
    };
    zsys_set_logident ("test");
    int rc = cmocka_run_group_tests_name ("router_actor", tests, NULL, NULL);
    zsys_shutdown ();
    return rc;
}
