//  SPDX-License-Identifier: MIT
//
//  The model's end of the engine. Parts: calls and publications out of the
//  core; what comes back.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "broker/host/grpc_reply.h"
#include "tests/world/chirpstack_model_private.h"

#define DEADLINE 10000  //  Of a call, as in the shell
#define CUT 400         //  Then the host has seen that its caller is gone

//  ---------------------------------------------------------------------
//  Calls and publications out of the core

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

void
model_pump (model_t *self)
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
//  What comes back

void
model_unclear (model_t *self)
{
    self->unclear_at = self->now;
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
void
model_heard (model_t *self, model_message_t *message)
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

void
model_carry (model_t *self, model_message_t *message)
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
    self->caller = message->life;
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

void
model_answered (model_t *self, model_message_t *message)
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

void
model_published (model_t *self, model_message_t *message)
{
    //  Its word may be lost with the link; the core has patience
    if (self->core && self->link && message->life == self->life)
        fuota_chirpstack_published (self->core, message->tag, true, self->now);
    free (message);
}
