//  SPDX-License-Identifier: MIT
//
//  Parts: chance, protobuf; the engine's end; connections; time; the world's
//  doors; the judgement.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "broker/host/chirpstack_private.h"
#include "broker/host/grpc_reply.h"
#include "tests/world/chirpstack_model_private.h"

#define DEADLINE 10000  //  Of a call, as in the shell
#define CUT 400         //  Then the host has seen that its caller is gone
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
//  The engine's end: calls and publications out of the core

static void
s_answer (model_t *self, int64_t at, model_message_t *message, int status,
    bool unprocessed, const char *text)
{
    message->status = status;
    message->unprocessed = unprocessed;
    snprintf (message->text, sizeof message->text, "%s", text);
    model_put (self, at, MODEL_ANSWER, 0, message);
}

//  Not carried out, for one of the reasons there are.
static void
s_refuse (model_t *self, model_message_t *message)
{
    static const struct {
        int status;
        bool unprocessed;
        const char *text;
    } reasons [] = {
        { FUOTA_GRPC_UNAVAILABLE, true, "" },
        { FUOTA_GRPC_UNAVAILABLE, false, "connection refused" },
        { FUOTA_GRPC_INTERNAL, false, "timed out waiting for connection" },
        { FUOTA_GRPC_INTERNAL, false, "" },
        { FUOTA_GRPC_RESOURCE_EXHAUSTED, false, "" },
        { FUOTA_GRPC_UNAUTHENTICATED, false, "InvalidSignature" },
    };
    unsigned i = model_below (self, sizeof reasons / sizeof *reasons);
    self->counts.refused++;
    s_answer (self, self->now + 1 + model_below (self, 200), message,
        reasons [i].status, reasons [i].unprocessed, reasons [i].text);
}

static void
s_call (model_t *self, const fuota_chirpstack_call_t *call)
{
    const model_config_t *config = &self->config;
    model_message_t *message =
        model_message (call->message.data, call->message.size);
    int64_t deadline = self->now + DEADLINE, at;
    if (getenv ("WORLD_TRACE"))
        printf ("%13lld call %s\n", (long long) (self->now % 1000000000),
            call->path);
    self->counts.calls++;
    message->tag = call->tag;
    message->path = call->path;
    message->life = self->life;
    message->host_life = self->host_life;
    message->until = call->until < deadline ? call->until : deadline;
    if (!self->up || model_hits (self, config->refused)) {
        s_refuse (self, message);
        return;
    }
    at = self->now + 1 + model_below (self, 50);
    if (model_hits (self, config->slow))
        at += model_below (self, model_below (self, 2) ? 3000 : DEADLINE);
    message->lose = model_hits (self, config->lost);
    message->garble = model_hits (self, config->garbled);
    if (at > message->until) {
        //  Nobody waits for it any more; it may be carried out yet
        model_message_t *late =
            model_message (call->message.data, call->message.size);
        *late = *message;
        memcpy (late->body, message->body, message->size);
        late->mute = true;
        int64_t most = message->until + CUT;
        model_put (self, at < most ? at : most, MODEL_CARRY, 0, late);
        at = message->until > self->now ? message->until : self->now + 1;
        s_answer (self, at, message, FUOTA_GRPC_DEADLINE_EXCEEDED, false, "");
    }
    else if (message->lose && model_below (self, 2)) {
        self->counts.lost++;
        s_answer (self, at, message, FUOTA_GRPC_UNAVAILABLE, false, "lost");
    }
    else
        model_put (self, at, MODEL_CARRY, 0, message);
}

static void
s_publish (model_t *self, const fuota_chirpstack_publication_t *publication)
{
    model_message_t *message =
        model_message (publication->body.data, publication->body.size);
    if (getenv ("WORLD_TRACE"))
        printf ("%13lld publish %s\n", (long long) (self->now % 1000000000),
            publication->topic);
    snprintf (message->topic, sizeof message->topic, "%s", publication->topic);
    message->tag = publication->tag;
    message->life = self->life;
    message->host_life = self->host_life;
    if (!self->link) {
        fuota_chirpstack_published (self->core, message->tag, false, self->now);
        free (message);
        return;
    }
    self->counts.commands++;
    int64_t at = self->now + 1 + model_below (self, self->config.jitter + 5);
    if (model_hits (self, self->config.missed))
        message->mute = true;  //  The broker has it, the host never
    model_put (self, at, MODEL_COMMAND, 0, message);
    model_message_t *word = model_message (NULL, 0);
    word->tag = message->tag;
    word->life = message->life;
    model_put (self, self->now + 1 + model_below (self, 100), MODEL_PUBLISHED,
        0, word);
}

static void
s_pump (model_t *self)
{
    fuota_chirpstack_call_t call;
    fuota_chirpstack_publication_t publication;
    char words [160];
    if (!self->core)
        return;
    fuota_chirpstack_tick (self->core, self->now);
    while (fuota_chirpstack_call (self->core, self->now, &call))
        s_call (self, &call);
    while (fuota_chirpstack_publish (self->core, self->now, &publication))
        s_publish (self, &publication);
    while (fuota_chirpstack_words (self->core, words))
        continue;
}

//  ---------------------------------------------------------------------
//  Connections

void
model_unclear (model_t *self)
{
    for (unsigned i = 0; i < MODEL_GROUPS; i++) {
        model_group_t *group = &self->groups [i];
        group->proven = false;
        if (group->used && group->f_cnt)
            group->fragments [group->f_cnt - 1].unclear = true;
    }
}

void
model_say (model_t *self, const char *topic, const model_bytes_t *body)
{
    int64_t at = self->now + 1 + model_below (self, self->config.jitter + 5);
    if (at < self->last_heard && !self->config.shuffled)
        at = self->last_heard;
    self->last_heard = at;
    for (unsigned n = model_hits (self, self->config.doubled) ? 2 : 1; n; n--) {
        model_message_t *message = model_message (body->data, body->size);
        snprintf (message->topic, sizeof message->topic, "%s", topic);
        model_put (self, at, MODEL_HEARD, 0, message);
    }
}

//  Frees the message, or keeps it for later.
static void
s_heard (model_t *self, model_message_t *message)
{
    if (self->core && self->link)
        fuota_chirpstack_heard (self->core, message->topic,
            fuota_slice (message->body, message->size), self->now);
    else if (self->config.keeps) {
        int64_t at = self->now / 1000 * 1000 + 1000;
        if (self->last_heard < at)
            self->last_heard = at;
        model_put (self, at, MODEL_HEARD, 0, message);
        return;
    }
    free (message);
}

static void
s_carry (model_t *self, model_message_t *message)
{
    model_bytes_t answer = { .size = 0 };
    char text [100] = "";
    //  What the host has begun when its caller goes it may still carry out
    if (message->life + 1 < self->life ||
        (message->life != self->life && self->now > self->left_at + CUT)) {
        free (message);
        return;
    }
    if (message->host_life != self->host_life || !self->up) {
        if (message->mute)
            free (message);
        else
            s_answer (self, self->now + 1, message, FUOTA_GRPC_UNAVAILABLE,
                false, "connection lost");
        return;
    }
    bool revoked = self->now < self->revoked_until;
    int status = revoked ? FUOTA_GRPC_UNAUTHENTICATED
                         : model_api (self, message->path,
                               fuota_slice (message->body, message->size), text,
                               &answer);
    self->counts.revoked += revoked;
    if (message->mute) {
        free (message);
        return;
    }
    if (message->garble && !status) {
        self->counts.garbled++;
        answer.data [0] = answer.data [1] = 0xff;
        answer.size = 2;
    }
    model_message_t *back = model_message (answer.data, answer.size);
    back->tag = message->tag;
    back->life = message->life;
    back->host_life = message->host_life;
    int64_t at = self->now + 1 + model_below (self, 50);
    if (model_hits (self, self->config.slow))
        at += model_below (self, 5000);
    if (at > message->until) {
        at = message->until > self->now ? message->until : self->now + 1;
        s_answer (self, at, back, FUOTA_GRPC_DEADLINE_EXCEEDED, false, "");
    }
    else if (message->lose) {
        self->counts.lost++;
        s_answer (self, at, back, FUOTA_GRPC_UNAVAILABLE, false, "lost");
    }
    else
        s_answer (self, at, back, status, false, text);
    free (message);
}

static void
s_answered (model_t *self, model_message_t *message)
{
    bool lost = message->host_life != self->host_life;
    if (getenv ("WORLD_TRACE"))
        printf ("%13lld answer %d%s, %u bytes%s %s\n",
            (long long) (self->now % 1000000000), message->status,
            message->unprocessed ? " unprocessed" : "",
            (unsigned) message->size, lost ? ", lost" : "", message->text);
    if (self->core && message->life == self->life)
        fuota_chirpstack_answer (self->core, message->tag,
            lost ? FUOTA_GRPC_UNAVAILABLE : message->status,
            !lost && message->unprocessed, lost ? "" : message->text,
            fuota_slice (message->body, lost ? 0 : message->size), self->now);
    free (message);
}

static void
s_published (model_t *self, model_message_t *message)
{
    //  Its word may be lost with the link; the core has patience
    if (self->core && self->link && message->life == self->life)
        fuota_chirpstack_published (self->core, message->tag, true, self->now);
    free (message);
}

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
            s_carry (self, due->thing);
            break;
        case MODEL_ANSWER:
            s_answered (self, due->thing);
            break;
        case MODEL_HEARD:
            s_heard (self, due->thing);
            break;
        case MODEL_COMMAND:
            model_command (self, due->thing);
            free (due->thing);
            break;
        case MODEL_PUBLISHED:
            s_published (self, due->thing);
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
    s_pump (self);
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
    model_put (self, now + 10 + model_below (self, 500), MODEL_LINK,
        self->life, NULL);
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

//  ---------------------------------------------------------------------
//  The judgement

void
model_counts (const model_t *self, model_counts_t *counts)
{
    *counts = self->counts;
}

static uint64_t
s_queued (const model_t *self)
{
    uint64_t left = 0;
    for (uint32_t i = 0; i < self->config.devices; i++)
        for (unsigned k = 0; k < self->devices [i].count; k++)
            left += self->devices [i].queue [k].expires_at > self->now;
    return left;
}

void
model_check (const model_t *self, bool overlaps)
{
    const model_judge_t *judge = &self->judge;
    fuota_chirpstack_stats_t stats;
    uint64_t groups = 0, rows = 0, fates = 0, jobs = 0;
    fuota_chirpstack_stats (self->core, &stats);
    for (unsigned i = 0; i < MODEL_GROUPS; i++)
        groups += self->groups [i].used && !self->groups [i].deleted;
    for (unsigned i = 0; i < MODEL_ROWS; i++)
        rows += self->rows [i].used;
    for (unsigned i = 0; i < FUOTA_CHIRPSTACK_FATES; i++)
        fates += self->core->air.fates [i].used;
    for (unsigned i = 0; i < FUOTA_CHIRPSTACK_JOBS; i++)
        jobs += self->core->jobs [i].used && !self->core->jobs [i].own;
    const struct {
        const char *name;
        uint64_t value;
    } nought [] = {
        { "fragments taken twice", judge->twice },
        { "fragments out of order", judge->out_of_order },
        { "fragments left out", judge->left_out },
        { "fragments crowded", judge->crowded },
        { "fragments forsaken", judge->forsaken },
        { "groups created twice", judge->groups_twice },
        { "groups not flushed", judge->unflushed },
        { "strange calls", judge->strange },
        { "commands overlapped", overlaps ? 0 : judge->overlapped },
        { "groups left", groups },
        { "rows of groups left", rows },
        { "commands left", s_queued (self) },
        { "jobs left", jobs },
        { "items waited for", stats.waiting },
        { "fates waited for", fates },
        { "messages not understood", stats.malformed },
    };
    for (unsigned i = 0; i < sizeof nought / sizeof *nought; i++)
        if (nought [i].value)
            fail_msg ("%s: %u", nought [i].name, (unsigned) nought [i].value);
}
