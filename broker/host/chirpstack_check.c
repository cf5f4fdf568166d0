//  SPDX-License-Identifier: MIT
//
//  What a check can tell without a call: connections, events, times. Then its
//  first step.

#include <stdio.h>
#include <string.h>
#include "broker/host/chirpstack_private.h"

#define OFF 5000  //  Milliseconds between our clock and the events' times

typedef fuota_chirpstack_inquiry_t inquiry_t;

static void
s_check_mqtt (inquiry_t *self, const fuota_chirpstack_links_t *links)
{
    char words [160];
    if (links->mqtt_unused) {
        fuota_inquiry_ok (self, "mqtt", "not used: host.events is zmq");
        return;
    }
    if (!links->mqtt_ready) {
        snprintf (words, sizeof words, "not connected%s%.120s",
            *links->mqtt_fault ? ": " : "", links->mqtt_fault);
        fuota_inquiry_wrong (self, "mqtt", words,
            "host.chirpstack.mqtt, mqtt_user and mqtt_password_file; is the "
            "broker running?");
        return;
    }
    snprintf (words, sizeof words,
        "connected; %u of %u subscriptions granted, %u refused", links->granted,
        links->filters, links->refused);
    if (links->refused)
        fuota_inquiry_wrong (self, "mqtt", words,
            "give our user the topics of docs/chirpstack.md in the broker's "
            "access list");
    else if (links->granted < links->filters)
        fuota_inquiry_warn (self, "mqtt", words, "just connected? check again");
    else
        fuota_inquiry_ok (self, "mqtt", words);
}

static void
s_check_events (const fuota_chirpstack_t *core, inquiry_t *self, int64_t now)
{
    char words [160];
    if (core->stats.malformed) {
        snprintf (words, sizeof words, "%llu of %llu were not understood",
            (unsigned long long) core->stats.malformed,
            (unsigned long long) core->stats.events);
        fuota_inquiry_warn (self, "events", words,
            "does somebody else publish under ChirpStack's topics?");
    }
    if (!core->event_at) {
        fuota_inquiry_warn (self, "events",
            "no uplink since fuotad was started",
            "if devices do send: integration.enabled in chirpstack.toml has "
            "to name mqtt, and event_topic must be the same there and here");
        return;
    }
    snprintf (words, sizeof words,
        "%llu since the start, the last uplink "
        "%lld s ago",
        (unsigned long long) core->stats.events,
        (long long) (now - core->event_at) / 1000);
    fuota_inquiry_ok (self, "events", words);
    int64_t late = core->event_at - core->event_time;
    snprintf (words, sizeof words,
        "an uplink is here %lld ms after its reception, by the network's clock",
        (long long) late);
    if (late > OFF || late < -1000)
        fuota_inquiry_warn (self, "clock of events", words,
            "compare the clocks of this host, of ChirpStack's and of the "
            "gateways; or events are held up on their way");
    else
        fuota_inquiry_ok (self, "clock of events", words);
}

//  Those that are asked for, or that events came from.
static void
s_applications (const fuota_chirpstack_t *core, inquiry_t *self)
{
    const fuota_chirpstack_book_t *book = &core->book;
    if (*self->question.application) {
        memcpy (self->applications [0], self->question.application,
            sizeof self->applications [0]);
        self->application_count = 1;
        return;
    }
    while (self->application_count < FUOTA_INQUIRY_APPLICATIONS &&
           self->application_count < book->application_count) {
        unsigned at = self->application_count++;
        memcpy (self->applications [at], book->applications [at],
            sizeof self->applications [at]);
    }
}

void
fuota_inquiry_check (const fuota_chirpstack_t *core, inquiry_t *self,
    const fuota_chirpstack_links_t *links, int64_t now)
{
    char words [160];
    self->step = FUOTA_INQUIRE_OVER;
    s_check_mqtt (self, links);
    s_check_events (core, self, now);
    if (!links->api_ready) {
        snprintf (words, sizeof words, "not connected%s%.120s",
            *links->api_fault ? ": " : "", links->api_fault);
        fuota_inquiry_wrong (self, "api", words,
            "host.chirpstack.api; is ChirpStack running?");
        return;
    }
    fuota_inquiry_ok (self, "api", "connected");
    s_applications (core, self);
    if (self->application_count)
        self->step = FUOTA_INQUIRE_APPLICATION;
    else
        fuota_inquiry_warn (self, "api key",
            "cannot be told: no application is known yet",
            "name one: deploy.application, or fuotactl check --application ID");
}
