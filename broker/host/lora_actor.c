//  SPDX-License-Identifier: MIT
//
//  Parts: topics; what is said; the turn; the pipe.

#include "broker/host/lora_actor.h"

#include "broker/clock.h"
#include "broker/host/chirpstack_text.h"
#include "broker/host/host_actor.h"
#include "workers/package/mckey.h"

#define FAREWELL 3000  //  For the last words, real milliseconds

typedef struct {
    fuota_lora_args_t args;
    zsock_t *pipe;
    int mqtt_fd;
    uint64_t connects;  //  Of the link, when it was last looked at
    uint64_t unknown;   //  Messages for no gateway of ours
    bool terminated;
    bool waiting;  //  One message that the link did not take
    fuota_lora_message_t message;
} self_t;

//  ---------------------------------------------------------------------
//  Topics

static void
s_topic (const self_t *self, uint64_t eui, const char *what, char out [160])
{
    const char *prefix = self->args.topic_prefix;
    snprintf (out, 160, "%s%sgateway/%016llx/%s", prefix, *prefix ? "/" : "",
        (unsigned long long) eui, what);
}

void
fuota_lora_actor_heard (void *arg, const char *topic, fuota_slice_t body)
{
    self_t *self = arg;
    char ours [160], hex [17];
    uint64_t eui = 0;
    size_t at = strlen (self->args.topic_prefix);
    at += (at > 0) + strlen ("gateway/");
    if (strlen (topic) > at + 16) {
        snprintf (hex, sizeof hex, "%s", topic + at);
        fuota_chirpstack_uneui (hex, &eui);
    }
    uint64_t number = eui - fuota_lora_gateway_eui (self->args.core, 0);
    s_topic (self, eui, "command/down", ours);
    if (number >= fuota_lora_gateways (self->args.core) || !streq (topic, ours))
        self->unknown++;
    else
        fuota_lora_hear (self->args.core, (uint32_t) number, body,
            fuota_clock_now ());
}

void
fuota_lora_actor_published (void *arg, uint64_t tag)
{
    (void) arg;
    (void) tag;
}

//  ---------------------------------------------------------------------
//  What is said

static int
s_publish (self_t *self, const fuota_lora_message_t *message)
{
    static const char *const words [] = { "event/up", "event/ack",
        "event/stats", "state/conn" };
    char topic [160];
    uint64_t eui = fuota_lora_gateway_eui (self->args.core, message->gateway);
    s_topic (self, eui, words [message->say], topic);
    fuota_slice_t body = fuota_slice (message->body, message->size);
    if (message->say == FUOTA_LORA_SAY_CONN)
        return fuota_mqtt_link_retain (self->args.mqtt, 0, topic, body);
    return fuota_mqtt_link_publish (self->args.mqtt, 0, topic, body);
}

//  Without a connection a frame is lost, as it is to a gateway; with too many
//  on their way it waits.
static void
s_speak (self_t *self)
{
    fuota_mqtt_link_stats_t stats;
    fuota_mqtt_link_stats (self->args.mqtt, &stats);
    while (self->waiting || fuota_lora_say (self->args.core, &self->message)) {
        self->waiting =
            stats.ready && s_publish (self, &self->message) == FUOTA_EBUSY;
        if (self->waiting)
            return;
    }
}

static void
s_state (self_t *self, bool online)
{
    fuota_lora_message_t message;
    for (uint32_t i = 0; i < fuota_lora_gateways (self->args.core); i++) {
        fuota_lora_state (self->args.core, i, online, &message);
        s_publish (self, &message);
    }
}

//  ---------------------------------------------------------------------
//  The turn

static void
s_mqtt (self_t *self)
{
    fuota_mqtt_link_stats_t stats;
    fuota_mqtt_link_tick (self->args.mqtt, zclock_mono ());
    fuota_mqtt_link_stats (self->args.mqtt, &stats);
    if (stats.connects > self->connects)
        s_state (self, true);
    self->connects = stats.connects;
}

static void
s_turn (self_t *self)
{
    fuota_lora_tick (self->args.core, fuota_clock_now ());
    s_speak (self);
    s_mqtt (self);
    s_speak (self);
    s_mqtt (self);
}

static int
s_wait (const self_t *self)
{
    int64_t now = zclock_mono ();
    int64_t due = fuota_mqtt_link_due (self->args.mqtt);
    int limit = due <= now ? 0 : due - now < 60000 ? (int) (due - now) : 60000;
    return fuota_clock_wait (fuota_lora_due (self->args.core), limit);
}

//  Gateways are offline from now on; wait until the broker knows.
static void
s_farewell (self_t *self, zpoller_t *poller)
{
    fuota_mqtt_link_stats_t stats;
    int64_t until = zclock_mono () + FAREWELL;
    fuota_mqtt_link_stats (self->args.mqtt, &stats);
    uint64_t enough = stats.published + fuota_lora_gateways (self->args.core);
    if (!stats.ready)
        return;
    s_state (self, false);
    while (stats.ready && stats.published < enough && zclock_mono () < until) {
        fuota_mqtt_link_tick (self->args.mqtt, zclock_mono ());
        fuota_mqtt_link_stats (self->args.mqtt, &stats);
        if (stats.published < enough)
            zpoller_wait (poller, 100);
    }
}

//  ---------------------------------------------------------------------
//  The pipe

static void
s_handle_pipe (self_t *self)
{
    char command [FUOTA_HOST_COMMAND];
    uint64_t number;
    if (!fuota_host_actor_asked (self->pipe, command, &number,
            &self->terminated))
        return;
    if (streq (command, "VIEW")) {
        fuota_sim_view_t view;
        bool there = number < fuota_lora_count (self->args.core);
        if (there)
            fuota_lora_view (self->args.core, (uint32_t) number, &view);
        fuota_host_actor_answer (self->pipe, &view, there ? sizeof view : 0);
    }
    else {
        fuota_lora_stats_t stats;
        fuota_lora_stats (self->args.core, &stats);
        fuota_host_actor_answer (self->pipe, &stats, sizeof stats);
    }
}

void
fuota_lora_actor (zsock_t *pipe, void *args)
{
    self_t self = { .args = *(fuota_lora_args_t *) args, .pipe = pipe };
    self.mqtt_fd = fuota_mqtt_link_fd (self.args.mqtt);
    fuota_mqtt_link_bind (self.args.mqtt, &self);
    char filter [160];
    for (uint32_t i = 0; i < fuota_lora_gateways (self.args.core); i++) {
        s_topic (&self, fuota_lora_gateway_eui (self.args.core, i),
            "command/down", filter);
        fuota_mqtt_link_subscribe (self.args.mqtt, filter);
    }
    zpoller_t *poller = zpoller_new (pipe, &self.mqtt_fd, NULL);
    zpoller_t *link = zpoller_new (&self.mqtt_fd, NULL);
    assert (poller && link);
    zsock_signal (pipe, 0);
    while (!self.terminated) {
        void *which = zpoller_wait (poller, s_wait (&self));
        if (which == pipe)
            s_handle_pipe (&self);
        else if (!which && zpoller_terminated (poller))
            break;
        s_turn (&self);
    }
    s_farewell (&self, link);
    zpoller_destroy (&link);
    zpoller_destroy (&poller);
    fuota_mqtt_link_destroy (&self.args.mqtt);
    fuota_lora_destroy (&self.args.core);
    fuota_mckey_thread_end ();
}

bool
fuota_lora_actor_view (zactor_t *actor, uint32_t i, fuota_sim_view_t *view)
{
    return fuota_host_actor_ask (actor, "VIEW", i, view, sizeof *view);
}

bool
fuota_lora_actor_stats (zactor_t *actor, fuota_lora_stats_t *stats)
{
    return fuota_host_actor_ask (actor, "STATS", 0, stats, sizeof *stats);
}
