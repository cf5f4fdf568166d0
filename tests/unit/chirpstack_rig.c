//  SPDX-License-Identifier: MIT

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>
#include "broker/host/grpc_reply.h"
#include "schema/hex.h"
#include "tests/unit/chirpstack_rig.h"

static json_t *s_vectors;

int
rig_load (void **state)
{
    (void) state;
    s_vectors = json_load_file (FUOTA_VECTORS "/chirpstack.json", 0, NULL);
    return s_vectors ? 0 : -1;
}

int
rig_unload (void **state)
{
    (void) state;
    json_decref (s_vectors);
    return 0;
}

rig_bytes_t
rig_vector (const char *name)
{
    rig_bytes_t out;
    const char *hex = json_string_value (json_object_get (s_vectors, name));
    assert_non_null (hex);
    out.size = strlen (hex) / 2;
    assert_true (
        out.size <= sizeof out.data && fuota_unhex (hex, out.data, out.size));
    return out;
}

fuota_chirpstack_t *
rig_new (bool mqtt, const char *gateway_prefix)
{
    fuota_chirpstack_config_t config;
    fuota_chirpstack_defaults (&config);
    config.unicast_mqtt = mqtt;
    config.instance = 9;
    config.encoding = FUOTA_CHIRPSTACK_PROTOBUF;
    snprintf (config.gateway_prefix, sizeof config.gateway_prefix, "%s",
        gateway_prefix);
    fuota_chirpstack_t *self = fuota_chirpstack_new (&config);
    assert_non_null (self);
    return self;
}

fuota_downlink_t
rig_want (DownlinkKind kind)
{
    fuota_downlink_t want = { .kind = kind,
        .row = ROW,
        .owner = 1,
        .deployment = { 7 },
        .f_port = 201,
        .f_cnt = 7,
        .expires_at = NOW };
    strcpy (want.group, GROUP);
    if (kind == FUOTA_UNICAST || kind == FUOTA_KEYS || kind == FUOTA_TAGS)
        want.dev_eui = EUI;
    return want;
}

fuota_chirpstack_call_t
rig_called (fuota_chirpstack_t *self, const char *path, int64_t now)
{
    fuota_chirpstack_call_t call = { .tag = 0 };
    if (!fuota_chirpstack_call (self, now, &call))
        fail_msg ("no call, expected %s", path);
    if (strcmp (call.path + 5, path) != 0)
        fail_msg ("%s, expected %s", call.path, path);
    return call;
}

void
rig_answer (fuota_chirpstack_t *self, fuota_chirpstack_call_t call, int status,
    const char *text, const char *vector, int64_t now)
{
    rig_bytes_t bytes = { .size = 0 };
    if (vector)
        bytes = rig_vector (vector);
    fuota_chirpstack_answer (self, call.tag, status, false, text,
        fuota_slice (bytes.data, bytes.size), now);
}

fuota_outcome_t
rig_outcome (fuota_chirpstack_t *self, OutcomeKind kind)
{
    fuota_outcome_t outcome;
    if (!fuota_chirpstack_outcome (self, &outcome))
        fail_msg ("no outcome, expected %d", (int) kind);
    if (outcome.kind != kind)
        fail_msg ("outcome %d (%s), expected %d", (int) outcome.kind,
            outcome.words, (int) kind);
    assert_int_equal (outcome.row, ROW);
    assert_int_equal (outcome.owner, 1);
    assert_int_equal (outcome.deployment [0], 7);
    return outcome;
}

void
rig_quiet (fuota_chirpstack_t *self, int64_t now)
{
    fuota_chirpstack_call_t call;
    fuota_outcome_t outcome;
    assert_false (fuota_chirpstack_call (self, now, &call));
    assert_false (fuota_chirpstack_outcome (self, &outcome));
}

void
rig_over (fuota_chirpstack_t **self, int64_t now)
{
    fuota_chirpstack_stats_t stats;
    rig_quiet (*self, now);
    fuota_chirpstack_stats (*self, &stats);
    assert_int_equal (stats.jobs, 0);
    fuota_chirpstack_destroy (self);
}

void
rig_heard (fuota_chirpstack_t *self, const char *type, const char *vector)
{
    char topic [160];
    rig_bytes_t bytes = rig_vector (vector);
    snprintf (topic, sizeof topic,
        "application/" APP "/device/70b3d5f1c0000a01/event/%s", type);
    fuota_chirpstack_heard (self, topic, fuota_slice (bytes.data, bytes.size),
        NOW);
}

void
rig_profile_asked (fuota_chirpstack_t *self)
{
    rig_answer (self, rig_called (self, "DeviceProfileService/Get", NOW),
        FUOTA_GRPC_UNAVAILABLE, "", NULL, NOW);
}

void
rig_gateway_says (fuota_chirpstack_t *self, const char *what,
    const char *vector)
{
    char topic [160];
    rig_bytes_t bytes = rig_vector (vector);
    snprintf (topic, sizeof topic, "eu868/gateway/0016c001f1500001/%s", what);
    fuota_chirpstack_heard (self, topic, fuota_slice (bytes.data, bytes.size),
        NOW);
}

void
rig_left (fuota_chirpstack_t *self, int64_t now)
{
    rig_quiet (self, now + 999);
    fuota_chirpstack_call_t call =
        rig_called (self, "MulticastGroupService/ListQueue", now + 1000);
    rig_answer (self, call, FUOTA_GRPC_OK, "", NULL, now + 1000);
    rig_outcome (self, FUOTA_SENT);
}
