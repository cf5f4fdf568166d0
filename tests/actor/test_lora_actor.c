//  SPDX-License-Identifier: MIT
//
//  The shell without a broker at the other end: gateways and devices live on,
//  it answers, and it ends. With a broker it is tested by
//  tests/system/test_rehearse.py.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <czmq.h>
#include <cmocka.h>
#include "broker/clock.h"
#include "broker/host/lora_actor.h"

#define DEVICES 3

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

static zactor_t *
s_start (void)
{
    fuota_lora_config_t config;
    fuota_sim_config_t sim;
    fuota_lora_defaults (&config);
    fuota_sim_defaults (&sim);
    sim.devices = DEVICES;
    sim.uplink_interval = 1000;
    fuota_mqtt_link_config_t mqtt = { .host = "127.0.0.1",
        .port = s_nobody (),
        .client_id = "test",
        .clean = true,
        .heard = fuota_lora_actor_heard,
        .published = fuota_lora_actor_published };
    static fuota_lora_args_t args;
    args = (fuota_lora_args_t){ .topic_prefix = "eu868" };
    args.core = fuota_lora_new (&config, &sim, fuota_clock_now ());
    args.mqtt = fuota_mqtt_link_new (&mqtt);
    assert_true (args.core && args.mqtt);
    zactor_t *actor = zactor_new (fuota_lora_actor, &args);
    assert_non_null (actor);
    return actor;
}

static void
test_lora_actor__lives_without_a_broker (void **state)
{
    fuota_lora_stats_t stats = { .unheard = 0 };
    fuota_sim_view_t view;
    zactor_t *actor = s_start ();
    (void) state;
    //  Each asking is a turn, and time passes
    while (stats.devices.join_requests < DEVICES)
        assert_true (fuota_lora_actor_stats (actor, &stats));
    assert_int_equal (stats.devices.joined, 0);
    for (uint32_t i = 0; i < DEVICES; i++) {
        assert_true (fuota_lora_actor_view (actor, i, &view));
        assert_false (view.has_image);
    }
    assert_false (fuota_lora_actor_view (actor, DEVICES, &view));
    zactor_destroy (&actor);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_lora_actor__lives_without_a_broker),
    };
    zsys_handler_set (NULL);
    fuota_clock_set (100, zclock_time ());
    return cmocka_run_group_tests_name ("lora_actor", tests, NULL, NULL);
}
