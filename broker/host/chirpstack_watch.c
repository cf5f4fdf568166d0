//  SPDX-License-Identifier: MIT
//
//  Parts: profiles and events; words; calls of the core.

#include <stdio.h>
#include <string.h>
#include "broker/host/chirpstack_list.h"
#include "broker/host/chirpstack_private.h"

#define AGAIN 300000  //  A profile may be changed
#define SOON 10000    //  It could not be had
#define CLOCK 202     //  The usual port of TS003

typedef fuota_chirpstack_watch_t self_t;

static unsigned
s_profile (self_t *self, const char *id)
{
    for (unsigned i = 0; i < FUOTA_WATCH_PROFILES; i++)
        if (strcmp (self->profiles [i].id, id) == 0)
            return i;
    unsigned i = self->profile_at++ % FUOTA_WATCH_PROFILES;
    memset (&self->profiles [i], 0, sizeof self->profiles [i]);
    //  Of what it was nothing will be known
    for (unsigned k = 0; k < self->held_count; k++)
        if (self->held [k].profile == i)
            self->held [k].profile = FUOTA_WATCH_PROFILES;
    snprintf (self->profiles [i].id, sizeof self->profiles [i].id, "%s", id);
    return i;
}

bool
fuota_chirpstack_watch_event (self_t *self, const char *profile,
    fuota_event_t *event, int64_t now)
{
    if (!*profile || event->kind != FUOTA_EVENT_UPLINK)
        return true;
    unsigned i = s_profile (self, profile);
    if (!self->profiles [i].flying && now >= self->profiles [i].ask_at)
        self->profiles [i].wanted = true;
    bool known = self->profiles [i].known;
    event->host_clock = !known || self->profiles [i].ts003;
    if (known || event->f_port != CLOCK ||
        !(self->profiles [i].wanted || self->profiles [i].flying) ||
        self->held_count == FUOTA_WATCH_HELD)
        return true;
    self->held [self->held_count].profile = i;
    self->held [self->held_count++].event = *event;
    return false;
}

bool
fuota_chirpstack_watch_call (self_t *self, int64_t now, uint32_t serial,
    unsigned *number, const char **id)
{
    for (unsigned i = 0; i < FUOTA_WATCH_PROFILES; i++) {
        if (!self->profiles [i].wanted)
            continue;
        self->profiles [i].wanted = false;
        self->profiles [i].flying = true;
        self->profiles [i].serial = serial;
        self->profiles [i].ask_at = now + SOON;
        *number = i;
        *id = self->profiles [i].id;
        return true;
    }
    return false;
}

void
fuota_chirpstack_watch_answer (self_t *self, unsigned number, uint32_t serial,
    bool good, fuota_slice_t message, int64_t now)
{
    fuota_kind_t kind;
    if (number >= FUOTA_WATCH_PROFILES || !self->profiles [number].flying ||
        self->profiles [number].serial != serial)
        return;
    self->profiles [number].flying = false;
    if (!good || fuota_chirpstack_got_kind (message, &kind))
        return;
    bool ts003 = kind.host_ts003 != 0;
    self->profiles [number].tell = ts003 && !self->profiles [number].ts003;
    self->profiles [number].known = true;
    self->profiles [number].ts003 = ts003;
    self->profiles [number].ask_at = now + AGAIN;
    memcpy (self->profiles [number].name, kind.profile_name,
        sizeof self->profiles [number].name);
}

//  Those whose profile is on its way no more.
bool
fuota_chirpstack_watch_release (self_t *self, fuota_event_t *event)
{
    for (unsigned i = 0; i < self->held_count; i++) {
        unsigned at = self->held [i].profile;
        bool lost = at == FUOTA_WATCH_PROFILES;
        if (!lost && (self->profiles [at].wanted || self->profiles [at].flying))
            continue;
        *event = self->held [i].event;
        event->host_clock =
            lost || !self->profiles [at].known || self->profiles [at].ts003;
        memmove (&self->held [i], &self->held [i + 1],
            (--self->held_count - i) * sizeof self->held [0]);
        return true;
    }
    return false;
}

//  ---------------------------------------------------------------------
//  Words

bool
fuota_chirpstack_watch_words (self_t *self, char text [160])
{
    for (unsigned i = 0; i < FUOTA_WATCH_PROFILES; i++) {
        if (!self->profiles [i].tell)
            continue;
        self->profiles [i].tell = false;
        snprintf (text, 160,
            "device profile \"%.40s\" has TS003 set: ChirpStack answers clock "
            "synchronisation, and nobody here",
            self->profiles [i].name);
        return true;
    }
    return false;
}

bool
fuota_chirpstack_words (fuota_chirpstack_t *self, char text [160])
{
    return fuota_chirpstack_watch_words (&self->watch, text);
}

//  ---------------------------------------------------------------------
//  Calls of the core

bool
fuota_chirpstack_watched_call (fuota_chirpstack_t *self, int64_t now,
    fuota_chirpstack_call_t *call)
{
    unsigned number;
    const char *id;
    if (!fuota_chirpstack_watch_call (&self->watch, now, self->serial + 1,
            &number, &id))
        return false;
    size_t size =
        fuota_chirpstack_ask (id, self->request, sizeof self->request);
    call->tag =
        (uint64_t) ++self->serial << 16 | (FUOTA_CHIRPSTACK_WATCHED + number);
    call->path = "/api.DeviceProfileService/Get";
    call->message = fuota_slice (self->request, size);
    call->until = INT64_MAX;
    self->stats.calls++;
    return true;
}

void
fuota_chirpstack_watched_answer (fuota_chirpstack_t *self, uint64_t tag,
    fuota_chirpstack_answer_t answer, fuota_slice_t message, int64_t now)
{
    fuota_event_t event;
    fuota_chirpstack_watch_answer (&self->watch,
        (unsigned) (tag & 0xffff) - FUOTA_CHIRPSTACK_WATCHED,
        (uint32_t) (tag >> 16), answer == FUOTA_ANSWER_GOOD, message, now);
    while (fuota_chirpstack_watch_release (&self->watch, &event))
        fuota_chirpstack_tell (self, &event);
}
