//  SPDX-License-Identifier: MIT
//
//  The shell without anybody at the other end: it starts, says "not now" to
//  what is wanted, counts, and ends. With both ends there it is tested by
//  tests/system/test_chirpstack.py.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <czmq.h>
#include <cmocka.h>
#include "broker/host/chirpstack_actor.h"

typedef struct {
    zactor_t *actor;
    zsock_t *downlinks, *outcomes;
} one_t;

//  A port that nobody listens at: bound, and closed again.
static int
s_nobody (void)
{
    zsock_t *sock = zsock_new (ZMQ_PULL);
    int port = zsock_bind (sock, "tcp://127.0.0.1:*");
    assert_true (port > 0);
    zsock_destroy (&sock);
    return port;
}

static void
s_start (one_t *self)
{
    char port [8];
    fuota_chirpstack_config_t config;
    fuota_chirpstack_defaults (&config);
    snprintf (port, sizeof port, "%d", s_nobody ());
    fuota_grpc_link_config_t api = { .host = "127.0.0.1",
        .port = port,
        .token = "a.b.c" };
    fuota_mqtt_link_config_t mqtt = { .host = "127.0.0.1",
        .port = s_nobody (),
        .client_id = "test",
        .heard = fuota_chirpstack_actor_heard,
        .published = fuota_chirpstack_actor_published };
    static fuota_chirpstack_args_t args;
    args = (fuota_chirpstack_args_t){ .core = fuota_chirpstack_new (&config),
        .api = fuota_grpc_link_new (&api),
        .mqtt = fuota_mqtt_link_new (&mqtt),
        .inbox = zsock_new_pull ("@inproc://test-host"),
        .events = zsock_new_push (">inproc://test-router"),
        .outcomes = zsock_new_push (">inproc://test-outbox"),
        .questions = zsock_new_dealer ("@inproc://test-questions") };
    self->outcomes = zsock_new_pull ("@inproc://test-outbox");
    self->downlinks = zsock_new_push (">inproc://test-host");
    zsock_set_rcvtimeo (self->outcomes, 20000);
    self->actor = zactor_new (fuota_chirpstack_actor, &args);
    assert_non_null (self->actor);
}

static void
s_stop (one_t *self)
{
    zactor_destroy (&self->actor);
    zsock_destroy (&self->downlinks);
    zsock_destroy (&self->outcomes);
}

static void
test_chirpstack_actor__nobody_there (void **state)
{
    static const DownlinkKind kinds [] = { FUOTA_UNICAST, FUOTA_FRAGMENT,
        FUOTA_GROUP_CREATE, FUOTA_KEYS };
    uint8_t bytes [FUOTA_RECORD_MAX];
    one_t self;
    (void) state;
    s_start (&self);
    zsock_send (self.downlinks, "b", "nonsense", (size_t) 8);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        fuota_downlink_t want = { .kind = kinds [i],
            .row = i + 1,
            .owner = 1,
            .dev_eui = 1 };
        size_t size =
            fuota_record_encode (Downlink_fields, &want, bytes, sizeof bytes);
        zsock_send (self.downlinks, "b", bytes, size);
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        fuota_outcome_t outcome;
        zmsg_t *msg = zmsg_recv (self.outcomes);
        assert_non_null (msg);
        assert_true (zframe_streq (zmsg_first (msg), "O"));
        zframe_t *body = zmsg_last (msg);
        assert_int_equal (fuota_record_decode (Outcome_fields, &outcome,
                              fuota_slice (zframe_data (body),
                                  zframe_size (body))),
            0);
        assert_int_equal (outcome.kind, FUOTA_RETRY);
        assert_in_range (outcome.row, 1, 4);
        zmsg_destroy (&msg);
    }
    fuota_chirpstack_stats_t stats;
    assert_true (fuota_chirpstack_actor_stats (self.actor, &stats));
    assert_int_equal (stats.jobs, 0);
    assert_int_equal (stats.calls, 4);
    assert_int_equal (stats.lost, 0);
    s_stop (&self);
}

//  Events by ZeroMQ and no MQTT at all: an uplink reaches the router, and what
//  is wanted goes to the API.
static void
test_chirpstack_actor__events_by_zmq (void **state)
{
    char port [8];
    uint8_t bytes [FUOTA_RECORD_MAX];
    fuota_chirpstack_config_t config;
    fuota_chirpstack_stats_t stats;
    (void) state;
    fuota_chirpstack_defaults (&config);
    config.unicast_mqtt = false;
    snprintf (port, sizeof port, "%d", s_nobody ());
    fuota_grpc_link_config_t api = { .host = "127.0.0.1",
        .port = port,
        .token = "a.b.c" };
    static fuota_chirpstack_args_t args;
    args = (fuota_chirpstack_args_t){ .core = fuota_chirpstack_new (&config),
        .api = fuota_grpc_link_new (&api),
        .link.pull = fuota_zmq_link_socket (ZMQ_PULL),
        .inbox = zsock_new_pull ("@inproc://mix-host"),
        .events = zsock_new_push (">inproc://mix-router"),
        .outcomes = zsock_new_push (">inproc://mix-outbox"),
        .questions = zsock_new_dealer ("@inproc://mix-questions") };
    assert_int_equal (zsock_bind (args.link.pull, "inproc://mix-feed"), 0);
    zsock_t *router = zsock_new_pull ("@inproc://mix-router");
    zsock_t *outbox = zsock_new_pull ("@inproc://mix-outbox");
    zsock_t *feed = zsock_new_push (">inproc://mix-feed");
    zsock_t *downlinks = zsock_new_push (">inproc://mix-host");
    zsock_set_rcvtimeo (router, 20000);
    zsock_set_rcvtimeo (outbox, 20000);
    zactor_t *actor = zactor_new (fuota_chirpstack_actor, &args);
    zsock_send (feed, "ss", "nonsense", "{}");
    zsock_send (feed, "ss", "application/a/device/70b3d5f1c0000a01/event/up",
        "{\"deviceInfo\":{\"applicationId\":\"a\","
        "\"devEui\":\"70b3d5f1c0000a01\"},\"fPort\":202}");
    zframe_t *frame = zframe_recv (router);
    assert_non_null (frame);
    zframe_destroy (&frame);
    fuota_downlink_t want = { .kind = FUOTA_UNICAST,
        .row = 1,
        .owner = 1,
        .dev_eui = 1 };
    size_t size =
        fuota_record_encode (Downlink_fields, &want, bytes, sizeof bytes);
    zsock_send (downlinks, "b", bytes, size);
    zmsg_t *msg = zmsg_recv (outbox);
    assert_non_null (msg);
    zmsg_destroy (&msg);
    assert_true (fuota_chirpstack_actor_stats (actor, &stats));
    assert_int_equal (stats.events, 2);
    assert_int_equal (stats.malformed, 1);
    assert_true (stats.calls > 0);
    zactor_destroy (&actor);
    zsock_destroy (&feed);
    zsock_destroy (&downlinks);
    zsock_destroy (&router);
    zsock_destroy (&outbox);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_chirpstack_actor__nobody_there),
        cmocka_unit_test (test_chirpstack_actor__events_by_zmq),
    };
    zsys_init ();
    return cmocka_run_group_tests_name ("chirpstack_actor", tests, NULL, NULL);
}
