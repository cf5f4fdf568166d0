//  SPDX-License-Identifier: MIT
//
//  Parts: chance, protobuf; links and lives; time; the world's doors.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/world/chirpstack_model_private.h"

#define MINUTE 60000
#define TURNS 20000  //  At one time: more is a loop without an end

uint32_t
model_below (model_t *self, uint32_t limit)
{
    return fuota_sim_radio_below (&self->chance, limit);
}

bool
model_hits (model_t *self, uint32_t permille)
{
    return fuota_sim_radio_hits (&self->chance, permille);
}

void
model_put (model_t *self, int64_t at, uint32_t kind, uint32_t index,
    void *thing)
{
    assert_true (fuota_sim_heap_put (&self->heap, at, kind, index, thing));
}

model_message_t *
model_message (const uint8_t *body, size_t size)
{
    model_message_t *message = calloc (1, sizeof *message + size);
    assert_non_null (message);
    message->size = size;
    if (size)
        memcpy (message->body, body, size);
    return message;
}

void
model_uuid (model_t *self, char text [37])
{
    snprintf (text, 37, "00000000-0000-4000-9000-%012llx",
        (unsigned long long) ++self->serial & 0xffffffffffff);
}

static void
s_varint (model_bytes_t *out, uint64_t value)
{
    assert_true (out->size + 10 < sizeof out->data);
    for (; value > 127; value >>= 7)
        out->data [out->size++] = (uint8_t) (value | 128);
    out->data [out->size++] = (uint8_t) value;
}

void
model_uint (model_bytes_t *out, unsigned field, uint64_t value)
{
    if (!value)
        return;
    s_varint (out, field << 3);
    s_varint (out, value);
}

void
model_data (model_bytes_t *out, unsigned field, const void *data, size_t size)
{
    s_varint (out, field << 3 | 2);
    s_varint (out, size);
    assert_true (out->size + size < sizeof out->data);
    memcpy (out->data + out->size, data, size);
    out->size += size;
}

void
model_text (model_bytes_t *out, unsigned field, const char *text)
{
    model_data (out, field, text, strlen (text));
}

void
model_part (model_bytes_t *out, unsigned field, const model_bytes_t *part)
{
    model_data (out, field, part->data, part->size);
}

//  ---------------------------------------------------------------------
//  Links and lives

static int64_t
s_about (model_t *self, uint32_t minutes)
{
    return self->now + 1000 + model_below (self, 2 * minutes * MINUTE);
}

static void
s_link (model_t *self)
{
    if (!self->core)
        return;  //  It is begun with the engine
    self->link = !self->link;
    fuota_chirpstack_hears (self->core, self->link);
    model_unclear (self);
    if (!self->link) {
        self->counts.aways++;
        model_put (self, self->now + 500 + model_below (self, 2 * MINUTE),
            MODEL_LINK, self->life, NULL);
    }
    else if (self->config.away)
        model_put (self, s_about (self, self->config.away), MODEL_LINK,
            self->life, NULL);
}

static void
s_restart (model_t *self)
{
    self->up = !self->up;
    self->host_life++;
    model_unclear (self);
    self->counts.restarts += !self->up;
    model_put (self,
        self->up ? s_about (self, self->config.restart)
                 : self->now + 500 + model_below (self, MINUTE),
        MODEL_RESTART, 0, NULL);
    if (self->up)
        model_schedule (self);
}

static void
s_gateway (model_t *self, unsigned i)
{
    bool back = self->away_since [i] != 0;
    self->away_since [i] = back ? 0 : self->now;
    model_put (self,
        back ? s_about (self, self->config.offline)
             : self->now + 1000 + model_below (self, 10 * MINUTE),
        MODEL_GATEWAY, i, NULL);
}

//  ---------------------------------------------------------------------
//  Time

static void
s_happens (model_t *self, const fuota_sim_due_t *due)
{
    switch (due->kind) {
        case MODEL_CARRY:
            model_carry (self, due->thing);
            break;
        case MODEL_ANSWER:
            model_answered (self, due->thing);
            break;
        case MODEL_HEARD:
            model_heard (self, due->thing);
            break;
        case MODEL_COMMAND:
            model_command (self, due->thing);
            free (due->thing);
            break;
        case MODEL_PUBLISHED:
            model_published (self, due->thing);
            break;
        case MODEL_WINDOW:
            model_window (self, &self->devices [due->index]);
            break;
        case MODEL_SCHEDULE:
            self->scheduled = false;
            model_schedule (self);
            break;
        case MODEL_FRAME:
            model_frame (self, due->thing);
            break;
        case MODEL_ON_AIR:
            model_on_air (self, due->thing);
            free (due->thing);
            break;
        case MODEL_WORD:
            model_word (self, due->thing);
            free (due->thing);
            break;
        case MODEL_LINK:
            if (due->index == self->life)
                s_link (self);
            break;
        case MODEL_RESTART:
            s_restart (self);
            break;
        case MODEL_REVOKE:
            self->revoked_until = self->now + 1000 + model_below (self, MINUTE);
            model_put (self, s_about (self, self->config.revoke), MODEL_REVOKE,
                0, NULL);
            break;
        default:
            s_gateway (self, due->index);
    }
}

static void
s_tick (void *host, int64_t now)
{
    model_t *self = host;
    fuota_sim_due_t due;
    fuota_event_t event;
    fuota_outcome_t outcome;
    self->turns = now == self->turned ? self->turns + 1 : 0;
    self->turned = self->now = now;
    if (self->turns > TURNS)
        fail_msg ("time does not go on");
    while (fuota_sim_heap_take (&self->heap, now + 1, &due))
        s_happens (self, &due);
    fuota_sim_tick (self->sim, now);
    while (fuota_sim_event (self->sim, &event))
        if (self->up)
            model_uplink (self, &event);
    while (fuota_sim_outcome (self->sim, &outcome))
        continue;
    model_pump (self);
}

static int64_t
s_due (const void *host)
{
    const model_t *self = host;
    int64_t due = fuota_sim_heap_at (&self->heap);
    int64_t others [] = { fuota_sim_due (self->sim),
        self->core ? fuota_chirpstack_due (self->core) : INT64_MAX };
    for (unsigned i = 0; i < 2; i++)
        if (others [i] < due)
            due = others [i];
    return due;
}

//  ---------------------------------------------------------------------
//  The world's doors

static void *
s_new (const void *config, fuota_sim_t *sim, int64_t now)
{
    model_t *self = calloc (1, sizeof *self);
    assert_non_null (self);
    self->config = *(const model_config_t *) config;
    self->sim = sim;
    self->chance = self->config.seed;
    self->now = now;
    self->up = true;
    self->devices = calloc (self->config.devices, sizeof *self->devices);
    assert_non_null (self->devices);
    for (uint32_t i = 0; i < self->config.devices; i++)
        self->devices [i].dev_eui = self->config.first_eui + i;
    if (self->config.restart)
        model_put (self, s_about (self, self->config.restart), MODEL_RESTART, 0,
            NULL);
    if (self->config.revoke)
        model_put (self, s_about (self, self->config.revoke), MODEL_REVOKE, 0,
            NULL);
    for (unsigned i = 0; self->config.offline && i < self->config.gateways; i++)
        model_put (self, s_about (self, self->config.offline), MODEL_GATEWAY, i,
            NULL);
    return self;
}

static void
s_leave (void *host)
{
    model_t *self = host;
    fuota_chirpstack_destroy (&self->core);
    self->life++;
    self->left_at = self->now;
    self->link = false;
    model_unclear (self);
}

static void
s_begin (void *host, int64_t now)
{
    model_t *self = host;
    fuota_chirpstack_config_t config;
    fuota_chirpstack_defaults (&config);
    self->now = now;
    config.unicast_mqtt = self->config.commands;
    config.encoding = FUOTA_CHIRPSTACK_PROTOBUF;
    config.instance = 7;
    if (!self->config.blind)
        strcpy (config.gateway_prefix, "eu868");
    self->core = fuota_chirpstack_new (&config);
    assert_non_null (self->core);
    fuota_chirpstack_hears (self->core, false);
    model_put (self, now + 10 + model_below (self, 500), MODEL_LINK, self->life,
        NULL);
}

static void
s_destroy (void *host)
{
    model_t *self = host;
    fuota_sim_due_t due;
    while (fuota_sim_heap_take (&self->heap, INT64_MAX, &due))
        free (due.thing);
    fuota_sim_heap_release (&self->heap);
    for (unsigned i = 0; i < MODEL_GROUPS; i++) {
        free (self->groups [i].fragments);
        free (self->groups [i].taken);
    }
    free (self->devices);
    free (self);
}

static void
s_take (void *host, const fuota_downlink_t *downlink, int64_t now)
{
    model_t *self = host;
    fuota_chirpstack_take (self->core, downlink, now);
}

static bool
s_event (void *host, fuota_event_t *event)
{
    model_t *self = host;
    return self->core && fuota_chirpstack_event_out (self->core, event);
}

static bool
s_outcome (void *host, fuota_outcome_t *outcome)
{
    model_t *self = host;
    return self->core && fuota_chirpstack_outcome (self->core, outcome);
}

const world_host_t model_host = { s_new, s_destroy, s_begin, s_leave, s_take,
    s_tick, s_due, s_event, s_outcome };
