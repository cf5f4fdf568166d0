//  SPDX-License-Identifier: MIT
//
//  What is heard: events of devices, fates of queue items, gateway topics; and
//  how long an answer to a device took.

#include <stdio.h>
#include "broker/host/chirpstack_event.h"
#include "broker/host/chirpstack_private.h"
#include "broker/host/chirpstack_text.h"
#include "schema/key.h"

static void
s_fate (fuota_chirpstack_t *self, const fuota_chirpstack_said_t *said,
    int64_t now)
{
    fuota_chirpstack_wait_t wait;
    if (!fuota_chirpstack_book_fate (&self->book, said->item, said->fate,
            &wait))
        return;
    fuota_downlink_t want = { .row = wait.row,
        .dev_eui = wait.dev_eui,
        .owner = wait.owner };
    memcpy (want.deployment, wait.deployment, sizeof want.deployment);
    fuota_outcome_t *outcome =
        fuota_chirpstack_say (self, &want, said->fate, now);
    snprintf (outcome->words, sizeof outcome->words, "%s", said->words);
}

//  The shell takes them each time something was heard: there is room.
void
fuota_chirpstack_tell (fuota_chirpstack_t *self, const fuota_event_t *event)
{
    if (self->event_count == FUOTA_CHIRPSTACK_EVENTS) {
        self->event_first++;
        self->event_count--;
    }
    self->events [(self->event_first + self->event_count++) %
                  FUOTA_CHIRPSTACK_EVENTS] = *event;
}

//  When a device's uplink came, for as long as nobody takes its place.
static fuota_chirpstack_arrival_t *
s_arrival (fuota_chirpstack_t *self, uint64_t dev_eui)
{
    uint64_t hash = dev_eui * 0x9e3779b97f4a7c15u >> 32;
    return &self->arrivals [hash % FUOTA_CHIRPSTACK_ARRIVALS];
}

static void
s_arrived (fuota_chirpstack_t *self, uint64_t dev_eui, int64_t now)
{
    *s_arrival (self, dev_eui) = (fuota_chirpstack_arrival_t){ dev_eui, now };
}

void
fuota_chirpstack_answered (fuota_chirpstack_t *self,
    const fuota_downlink_t *want, int64_t now)
{
    fuota_chirpstack_arrival_t *arrival = s_arrival (self, want->dev_eui);
    if (want->owner != FUOTA_OWNER_CLOCK || arrival->dev_eui != want->dev_eui)
        return;
    int64_t took = now - arrival->at;
    self->stats.answers++;
    self->stats.late += took > self->config.answer_limit;
    if (took > (int64_t) self->stats.slowest)
        self->stats.slowest = (uint64_t) took;
    arrival->dev_eui = 0;  //  A repeat is no answer to that uplink
}

static void
s_event (fuota_chirpstack_t *self, fuota_chirpstack_said_t *said, int64_t now)
{
    if (fuota_chirpstack_book_heard (&self->book, said->dedup)) {
        self->stats.repeated++;
        return;
    }
    fuota_chirpstack_book_place (&self->book, said->event.dev_eui,
        said->event.application);
    fuota_chirpstack_states_tenant (self, said->tenant);
    if (fuota_chirpstack_watch_event (&self->watch, said->profile, &said->event,
            now))
        fuota_chirpstack_tell (self, &said->event);
    s_arrived (self, said->event.dev_eui, now);
}

void
fuota_chirpstack_air (fuota_chirpstack_t *self, int64_t now)
{
    fuota_outcome_t outcome;
    fuota_event_t event = { .kind = FUOTA_EVENT_FRAME, .has_frame = true };
    while (fuota_chirpstack_air_outcome (&self->air, now, &outcome))
        *fuota_chirpstack_add (self) = outcome;
    while (fuota_chirpstack_air_frame (&self->air, now, &event.frame))
        fuota_chirpstack_tell (self, &event);
}

//  ".../gateway/ID/command/down" or ".../event/ack".
static bool
s_ends (const char *topic, const char *tail)
{
    size_t size = strlen (topic), end = strlen (tail);
    return size >= end && strcmp (topic + size - end, tail) == 0;
}

static int
s_gateway (fuota_chirpstack_t *self, const char *topic, fuota_slice_t body,
    int64_t now)
{
    fuota_chirpstack_down_t down;
    fuota_chirpstack_ack_t ack;
    int rc = FUOTA_ENOTFOUND;
    if (body.size > FUOTA_CHIRPSTACK_BODY)
        return FUOTA_EFORMAT;
    if (s_ends (topic, "/command/down")) {
        rc = fuota_chirpstack_gateway_down (body, &down);
        if (!rc)
            fuota_chirpstack_air_down (&self->air, &down, now);
    }
    else if (s_ends (topic, "/event/ack")) {
        rc = fuota_chirpstack_gateway_ack (body, &ack);
        if (!rc)
            fuota_chirpstack_air_ack (&self->air, &ack, now);
    }
    fuota_chirpstack_air (self, now);
    return rc;
}

int
fuota_chirpstack_heard (fuota_chirpstack_t *self, const char *topic,
    fuota_slice_t body, int64_t now)
{
    fuota_chirpstack_topic_t where;
    fuota_chirpstack_said_t said;
    int rc;
    self->stats.events++;
    if (fuota_chirpstack_match (self->config.event_topic, topic, &where)) {
        rc = fuota_chirpstack_event (where.word, body, now,
            self->config.leap_extra, &said);
        if (!rc && self->config.encoding == FUOTA_CHIRPSTACK_AUTO)
            self->json = said.json;
        if (!rc && said.kind == FUOTA_CHIRPSTACK_SAID) {
            self->event_at = now;
            self->event_time = said.event.received_at;
            s_event (self, &said, now);
        }
        else if (!rc && said.kind == FUOTA_CHIRPSTACK_FATE)
            s_fate (self, &said, now);
    }
    else
        rc = s_gateway (self, topic, body, now);
    self->stats.malformed += rc != 0;
    return rc;
}

void
fuota_chirpstack_hears (fuota_chirpstack_t *self, bool hears)
{
    fuota_chirpstack_air_hears (&self->air, hears);
}

bool
fuota_chirpstack_event_out (fuota_chirpstack_t *self, fuota_event_t *event)
{
    if (!self->event_count)
        return false;
    *event = self->events [self->event_first++ % FUOTA_CHIRPSTACK_EVENTS];
    self->event_count--;
    return true;
}
