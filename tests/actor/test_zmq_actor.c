//  SPDX-License-Identifier: MIT
//
//  The shell of ZeroMQ back ends: the test is the back end, the outbox and the
//  router.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <czmq.h>
#include <cmocka.h>
#include "broker/clock.h"
#include "broker/host/zmq_actor.h"
#include "tests/actor/neighbour.h"

#define TOPIC "application/a/device/70b3d5f1c0000a01/event/up"
#define UP                                                                     \
    "{\"deviceInfo\":{\"applicationId\":\"a\","                                \
    "\"devEui\":\"70b3d5f1c0000a01\"},\"fPort\":202,\"data\":\"AQ==\"}"

typedef struct {
    zactor_t *actor;
    zsock_t *downlinks, *outcomes, *router;  //  The engine's ends
    zsock_t *pull, *sub;                     //  The back end's
} rig_t;

static int
s_setup (void **state)
{
    static rig_t rig;
    fuota_chirpstack_config_t config;
    fuota_chirpstack_defaults (&config);
    rig = (rig_t){ .outcomes = neighbour_new (ZMQ_PULL, "inproc://outbox") };
    rig.router = neighbour_new (ZMQ_PULL, "inproc://router");
    rig.sub = neighbour_new (ZMQ_PUB, "inproc://backend");
    //  Not of the stack: the sanitizer does not see the signal after which this
    //  memory may be used again
    static fuota_zmq_args_t args;
    args = (fuota_zmq_args_t){ .core = fuota_chirpstack_new (&config),
        .link.pull = fuota_zmq_link_socket (ZMQ_PULL),
        .link.sub = fuota_zmq_link_socket (ZMQ_SUB),
        .door = fuota_zmq_link_socket (ZMQ_ROUTER),
        .inbox = zsock_new_pull ("@inproc://host"),
        .events = zsock_new_push (">inproc://router"),
        .outcomes = zsock_new_push (">inproc://outbox") };
    assert_int_equal (zsock_bind (args.link.pull, "inproc://feed"), 0);
    assert_int_equal (zsock_connect (args.link.sub, "inproc://backend"), 0);
    zsock_set_subscribe (args.link.sub, "application/a/");
    zsock_set_router_mandatory (args.door, 1);
    assert_int_equal (zsock_bind (args.door, "inproc://door"), 0);
    rig.actor = zactor_new (fuota_zmq_actor, &args);
    rig.downlinks = neighbour_new (ZMQ_PUSH, ">inproc://host");
    rig.pull = neighbour_new (ZMQ_PUSH, ">inproc://feed");
    *state = &rig;
    return 0;
}

static int
s_teardown (void **state)
{
    rig_t *rig = *state;
    zsock_destroy (&rig->downlinks);
    zsock_destroy (&rig->pull);
    zactor_destroy (&rig->actor);
    neighbour_freed ("inproc://host");
    neighbour_freed ("inproc://feed");
    neighbour_freed ("inproc://door");
    neighbour_destroy (&rig->sub, "inproc://backend");
    neighbour_destroy (&rig->outcomes, "inproc://outbox");
    neighbour_destroy (&rig->router, "inproc://router");
    return 0;
}

static void
s_want (rig_t *rig, DownlinkKind kind, uint64_t row)
{
    uint8_t bytes [FUOTA_RECORD_MAX];
    fuota_downlink_t want = { .kind = kind,
        .row = row,
        .owner = 1,
        .dev_eui = 7,
        .deployment = { 5 } };
    size_t size =
        fuota_record_encode (Downlink_fields, &want, bytes, sizeof bytes);
    zsock_send (rig->downlinks, "b", bytes, size);
}

//  A back end as docs/wire.md wants it, known to the actor.
static zsock_t *
s_back_end (rig_t *rig)
{
    zsock_t *self = zsock_new (ZMQ_DEALER);
    assert_non_null (self);
    zsock_set_rcvtimeo (self, NEIGHBOUR_PATIENCE);
    zsock_set_immediate (self, 1);
    zsock_set_probe_router (self, 1);
    assert_int_equal (zsock_connect (self, "inproc://door"), 0);
    char *word = zstr_recv (rig->outcomes);
    assert_string_equal (word, "R");
    zstr_free (&word);
    //  The outbox has not read that word yet, and will give this one again
    s_want (rig, FUOTA_UNICAST, 100);
    zsock_send (rig->downlinks, "z");
    return self;
}

static void
s_told (rig_t *rig, OutcomeKind kind, uint64_t row)
{
    fuota_outcome_t outcome;
    zmsg_t *msg = zmsg_recv (rig->outcomes);
    assert_non_null (msg);
    assert_int_equal (zmsg_size (msg), 2);
    assert_true (zframe_streq (zmsg_first (msg), "O"));
    zframe_t *body = zmsg_next (msg);
    assert_int_equal (fuota_record_decode (Outcome_fields, &outcome,
                          fuota_slice (zframe_data (body), zframe_size (body))),
        0);
    assert_int_equal (outcome.kind, kind);
    assert_int_equal (outcome.row, row);
    assert_int_equal (outcome.deployment [0], 5);
    zmsg_destroy (&msg);
}

static void
s_get (zsock_t *back_end, uint64_t row)
{
    fuota_downlink_t want;
    zframe_t *frame = zframe_recv (back_end);
    assert_non_null (frame);
    assert_false (zframe_more (frame));
    assert_int_equal (fuota_record_decode (Downlink_fields, &want,
                          fuota_slice (zframe_data (frame),
                              zframe_size (frame))),
        0);
    assert_int_equal (want.row, row);
    zframe_destroy (&frame);
}

static void
s_say (zsock_t *back_end, OutcomeKind kind, uint64_t row)
{
    uint8_t bytes [FUOTA_RECORD_MAX];
    fuota_outcome_t outcome = { .kind = kind,
        .row = row,
        .owner = 1,
        .dev_eui = 7,
        .deployment = { 5 } };
    size_t size =
        fuota_record_encode (Outcome_fields, &outcome, bytes, sizeof bytes);
    zsock_send (back_end, "b", bytes, size);
}

static fuota_zmq_stats_t
s_stats (rig_t *rig)
{
    fuota_zmq_stats_t stats;
    assert_true (fuota_zmq_actor_stats (rig->actor, &stats));
    return stats;
}

static void
test_zmq_actor__there_and_back (void **state)
{
    rig_t *rig = *state;
    s_want (rig, FUOTA_FRAGMENT, 1);
    s_told (rig, FUOTA_RETRY, 1);  //  Nobody there
    zsock_t *back_end = s_back_end (rig);
    s_want (rig, FUOTA_FRAGMENT, 1);
    s_want (rig, FUOTA_GROUP_CREATE, 2);
    s_get (back_end, 1);
    s_get (back_end, 2);
    s_say (back_end, FUOTA_TAKEN, 1);
    s_say (back_end, FUOTA_DONE, 2);
    s_told (rig, FUOTA_TAKEN, 1);
    s_told (rig, FUOTA_DONE, 2);
    //  Gone: said at once
    zsock_destroy (&back_end);
    for (uint64_t row = 3; s_stats (rig).away < 2; row++)
        s_want (rig, FUOTA_UNICAST, row);
}

//  The last that came has the downlinks; the word of the one before still
//  counts.
static void
test_zmq_actor__one_at_a_time (void **state)
{
    rig_t *rig = *state;
    zsock_t *first = s_back_end (rig);
    s_want (rig, FUOTA_UNICAST, 1);
    s_get (first, 1);
    zsock_t *second = s_back_end (rig);
    s_want (rig, FUOTA_UNICAST, 2);
    s_get (second, 2);
    s_say (first, FUOTA_SENT, 1);
    s_told (rig, FUOTA_SENT, 1);
    zsock_send (second, "z");  //  Said again: nothing new
    s_say (second, FUOTA_TAKEN, 2);
    s_told (rig, FUOTA_TAKEN, 2);
    assert_true (neighbour_quiet (first));
    assert_int_equal (s_stats (rig).hellos, 3);
    zsock_destroy (&first);
    zsock_destroy (&second);
}

static uint64_t
s_heard (rig_t *rig)
{
    fuota_event_t event;
    zframe_t *frame = zframe_recv (rig->router);
    assert_non_null (frame);
    assert_false (zframe_more (frame));
    assert_int_equal (fuota_record_decode (Event_fields, &event,
                          fuota_slice (zframe_data (frame),
                              zframe_size (frame))),
        0);
    zframe_destroy (&frame);
    return event.dev_eui;
}

static void
test_zmq_actor__events (void **state)
{
    rig_t *rig = *state;
    uint8_t bytes [FUOTA_RECORD_MAX];
    fuota_event_t event = { .dev_eui = 9, .f_port = 200 };
    size_t size =
        fuota_record_encode (Event_fields, &event, bytes, sizeof bytes);
    zsock_send (rig->pull, "ss", TOPIC, UP);
    assert_int_equal (s_heard (rig), 0x70b3d5f1c0000a01u);
    zsock_send (rig->pull, "b", bytes, size);
    assert_int_equal (s_heard (rig), 9);
    //  Published; one of another topic's beginning never comes
    zsock_send (rig->sub, "ss", "application/b/device/1/event/up", UP);
    zsock_send (rig->sub, "ss", TOPIC, UP);
    assert_int_equal (s_heard (rig), 0x70b3d5f1c0000a01u);
    assert_true (neighbour_quiet (rig->router));
    assert_int_equal (s_stats (rig).messages, 3);
}

static void
test_zmq_actor__garbage_is_counted (void **state)
{
    rig_t *rig = *state;
    zsock_t *back_end = s_back_end (rig);
    static const uint8_t noise [40] = { 0x0f, 0xff, 0x0f };
    zsock_send (rig->pull, "z");
    zsock_send (rig->pull, "b", noise, sizeof noise);
    zsock_send (rig->pull, "sss", TOPIC, UP, "more");
    zsock_send (rig->pull, "ss", "application", UP);
    zsock_send (rig->pull, "sb", TOPIC, noise, sizeof noise);
    zsock_send (back_end, "b", noise, sizeof noise);
    zsock_send (back_end, "ss", "two", "frames");
    s_say (back_end, FUOTA_TAKEN, 0);
    s_say (back_end, FUOTA_LATE, 1);
    s_say (back_end, FUOTA_NEVER, 1);
    s_told (rig, FUOTA_NEVER, 1);
    zsock_send (rig->pull, "ss", TOPIC, UP);
    s_heard (rig);
    fuota_zmq_stats_t stats = s_stats (rig);
    assert_int_equal (stats.dropped [FUOTA_ZMQ_NO_FRAMES], 2);
    assert_int_equal (stats.dropped [FUOTA_ZMQ_NO_TOPIC], 1);
    assert_int_equal (stats.dropped [FUOTA_ZMQ_NO_EVENT], 3);
    assert_int_equal (stats.dropped [FUOTA_ZMQ_NO_OUTCOME], 3);
    assert_true (neighbour_quiet (rig->outcomes));
    zsock_destroy (&back_end);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (test_zmq_actor__there_and_back),
        TEST (test_zmq_actor__one_at_a_time),
        TEST (test_zmq_actor__events),
        TEST (test_zmq_actor__garbage_is_counted),
    };
    zsys_init ();
    zsys_set_logident ("test");
    int rc = cmocka_run_group_tests_name ("zmq_actor", tests, NULL, NULL);
    zsys_shutdown ();
    return rc;
}
