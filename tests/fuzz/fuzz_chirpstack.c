//  SPDX-License-Identifier: MIT
//
//  What ChirpStack, its MQTT broker or its gateways may send: a first byte for
//  the door, then the bytes. Whatever they are, nothing is made of them that
//  is out of bounds, every job ends, and no memory is lost.

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "broker/host/chirpstack.h"

#define NOW 1772446530250
#define STEPS 24

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
s_drain (fuota_chirpstack_t *self)
{
    fuota_event_t event;
    fuota_outcome_t outcome;
    while (fuota_chirpstack_event_out (self, &event)) {
        assert (event.data.size <= sizeof event.data.bytes);
        assert (event.gateways_count <= 8);
        assert (strlen (event.application) < sizeof event.application);
    }
    while (fuota_chirpstack_outcome (self, &outcome)) {
        assert (outcome.kind <= FUOTA_NEVER);
        assert (strlen (outcome.words) < sizeof outcome.words);
    }
}

static void
s_hear (fuota_chirpstack_t *self, unsigned door, fuota_slice_t body)
{
    static const char *const topics [] = {
        "application/a/device/70b3d5f1c0000a01/event/up",
        "application/a/device/70b3d5f1c0000a01/event/join",
        "application/a/device/70b3d5f1c0000a01/event/txack",
        "application/a/device/70b3d5f1c0000a01/event/log",
        "eu868/gateway/0016c001f1500001/command/down",
        "eu868/gateway/0016c001f1500001/event/ack",
    };
    fuota_chirpstack_heard (self, topics [door % 6], body, NOW);
    //  The bytes as a topic
    char topic [128];
    snprintf (topic, sizeof topic, "%.*s",
        (int) (body.size < 100 ? body.size : 100), (const char *) body.data);
    fuota_chirpstack_heard (self, topic, body, NOW);
}

//  The same bytes as the answer to each call of a job.
static void
s_answer (fuota_chirpstack_t *self, unsigned door, fuota_slice_t body)
{
    fuota_downlink_t want = { .kind = (DownlinkKind) (door % 8),
        .row = 77,
        .owner = 1,
        .dev_eui = 0x70b3d5f1c0000a01u,
        .expires_at = NOW + 5000,
        .tags_count = 1,
        .tags = { { "fw", "2" } } };
    fuota_chirpstack_call_t call;
    fuota_chirpstack_publication_t publication;
    int64_t now = NOW;
    static const char heard [] =
        "{\"deviceInfo\":{\"tenantId\":\"t\",\"applicationId\":\"a\","
        "\"devEui\":\"70b3d5f1c0000a01\"},\"fPort\":1}";
    int status = door >> 3 & 15;
    strcpy (want.name, "fuota-1");
    strcpy (want.group, "22222222-7a3c-4c0e-9a52-0f1e2d3c4b5a");
    //  A tenant whose gateways are asked for
    fuota_chirpstack_heard (self,
        "application/a/device/70b3d5f1c0000a01/event/up",
        fuota_slice ((const uint8_t *) heard, sizeof heard - 1), now);
    fuota_chirpstack_tick (self, now);
    fuota_chirpstack_take (self, &want, now);
    for (unsigned i = 0; i < STEPS; i++, now += 2000) {
        while (fuota_chirpstack_publish (self, now, &publication))
            fuota_chirpstack_published (self, publication.tag, i & 1, now);
        if (fuota_chirpstack_call (self, now, &call))
            fuota_chirpstack_answer (self, call.tag, i ? 0 : status, false, "",
                body, now);
        s_drain (self);
        fuota_chirpstack_tick (self, now);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    fuota_chirpstack_config_t config;
    fuota_slice_t body = fuota_slice (data + 1, size - 1);
    fuota_chirpstack_defaults (&config);
    config.unicast_mqtt = data [0] & 64;
    strcpy (config.gateway_prefix, data [0] & 32 ? "+" : "");
    fuota_chirpstack_t *self = fuota_chirpstack_new (&config);
    assert (self);
    if (data [0] & 128)
        s_answer (self, data [0], body);
    else
        s_hear (self, data [0], body);
    s_drain (self);
    fuota_chirpstack_destroy (&self);
    return 0;
}
