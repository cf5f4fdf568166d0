//  SPDX-License-Identifier: MIT
//
//  Parts: downlinks out; the back end's words in; MQTT; the actor.

#include "broker/clock.h"
#include "broker/host/host_actor.h"
#include "broker/host/zmq_actor.h"
#include "workers/package/mckey.h"

#define TURN 256

typedef struct {
    fuota_zmq_args_t args;
    zsock_t *pipe;
    fuota_zmq_stats_t stats;
    uint8_t peer [256];  //  Who gets the downlinks, as the ROUTER names it
    size_t peer_size;    //  0: nobody
    unsigned anew;       //  ["R"] that the outbox has not answered
    int mqtt_fd;
    bool terminated;
} self_t;

//  ---------------------------------------------------------------------
//  Downlinks out

//  Not now: to a back end that is not there, or does not read.
static void
s_put_off (self_t *self, zframe_t *body)
{
    fuota_downlink_t want;
    uint8_t bytes [FUOTA_RECORD_MAX];
    self->stats.away++;
    if (fuota_record_decode (Downlink_fields, &want,
            fuota_slice (zframe_data (body), zframe_size (body))))
        return;
    fuota_outcome_t outcome = { .kind = FUOTA_RETRY,
        .row = want.row,
        .owner = want.owner,
        .dev_eui = want.dev_eui,
        .at = fuota_clock_now (),
        .words = "back end away" };
    memcpy (outcome.deployment, want.deployment, sizeof outcome.deployment);
    size_t size =
        fuota_record_encode (Outcome_fields, &outcome, bytes, sizeof bytes);
    zsock_send (self->args.outcomes, "sb", "O", bytes, size);
    fuota_mckey_wipe (&want, sizeof want);
}

static void
s_downlink (self_t *self)
{
    void *door = zsock_resolve (self->args.door);
    zframe_t *body = zframe_recv (self->args.inbox);
    if (!body)
        return;
    //  Until the outbox begins anew, what it gives comes once more behind that.
    //  The ROUTER says whether it knows the peer and has room for it
    if (self->anew)
        self->anew -= !zframe_size (body);
    else if (self->peer_size && zmq_send (door, self->peer, self->peer_size,
                                    ZMQ_DONTWAIT | ZMQ_SNDMORE) >= 0) {
        int rc = zmq_send (door, zframe_data (body), zframe_size (body),
            ZMQ_DONTWAIT);
        assert (rc >= 0);
        self->stats.handed++;
    }
    else
        s_put_off (self, body);
    //  GROUP_CREATE holds the group's keys
    fuota_mckey_wipe (zframe_data (body), zframe_size (body));
    zframe_destroy (&body);
}

//  ---------------------------------------------------------------------
//  The back end's words in

//  What an earlier one had not answered it never will.
static void
s_hello (self_t *self, zframe_t *peer)
{
    size_t size = zframe_size (peer);
    self->stats.hellos++;
    if (size == self->peer_size &&
        !memcmp (self->peer, zframe_data (peer), size))
        return;
    assert (size <= sizeof self->peer);
    zsys_info ("zmq: %s back end is here", self->peer_size ? "another" : "a");
    memcpy (self->peer, zframe_data (peer), size);
    self->peer_size = size;
    zstr_send (self->args.outcomes, "R");
    self->anew++;
}

static fuota_zmq_cause_t
s_outcome (self_t *self, zframe_t *body)
{
    fuota_outcome_t outcome;
    uint8_t bytes [FUOTA_RECORD_MAX];
    fuota_zmq_cause_t cause = fuota_zmq_host_outcome (self->args.core,
        fuota_slice (zframe_data (body), zframe_size (body)),
        fuota_clock_now (), &outcome);
    if (!cause) {
        size_t size =
            fuota_record_encode (Outcome_fields, &outcome, bytes, sizeof bytes);
        zsock_send (self->args.outcomes, "sb", "O", bytes, size);
        self->stats.outcomes++;
    }
    fuota_mckey_wipe (&outcome, sizeof outcome);
    fuota_mckey_wipe (bytes, sizeof bytes);
    fuota_mckey_wipe (zframe_data (body), zframe_size (body));
    return cause;
}

static void
s_word (self_t *self)
{
    zmsg_t *msg = zmsg_recv (self->args.door);
    if (!msg)
        return;
    fuota_zmq_cause_t cause = FUOTA_ZMQ_GOOD;
    zframe_t *peer = zmsg_first (msg);
    zframe_t *body = zmsg_next (msg);
    if (zmsg_size (msg) != 2)
        cause = FUOTA_ZMQ_NO_FRAMES;
    else if (!zframe_size (body))
        s_hello (self, peer);
    else
        cause = s_outcome (self, body);
    if (cause)
        fuota_zmq_link_drop (&self->args.link, cause);
    zmsg_destroy (&msg);
}

//  ---------------------------------------------------------------------
//  MQTT, where events come by it

#if FUOTA_MQTT
void
fuota_zmq_actor_heard (void *arg, const char *topic, fuota_slice_t body)
{
    self_t *self = arg;
    int rc = fuota_chirpstack_heard (self->args.core, topic, body,
        fuota_clock_now ());
    if (rc)
        fuota_zmq_link_drop (&self->args.link,
            rc == FUOTA_ENOTFOUND ? FUOTA_ZMQ_NO_TOPIC : FUOTA_ZMQ_NO_EVENT);
    fuota_zmq_link_speak (self->args.core, self->args.events,
        self->args.outcomes);
}

//  Nothing is published here
void
fuota_zmq_actor_published (void *arg, uint64_t tag)
{
    (void) arg;
    (void) tag;
}

static void
s_mqtt_open (self_t *self, zpoller_t *poller)
{
    char filter [256];
    if (!self->args.mqtt)
        return;
    self->mqtt_fd = fuota_mqtt_link_fd (self->args.mqtt);
    fuota_mqtt_link_bind (self->args.mqtt, self);
    if (fuota_chirpstack_subscription (self->args.core, 0, filter,
            sizeof filter))
        fuota_mqtt_link_subscribe (self->args.mqtt, filter);
    zpoller_add (poller, &self->mqtt_fd);
}

static void
s_mqtt_tick (self_t *self)
{
    if (self->args.mqtt)
        fuota_mqtt_link_tick (self->args.mqtt, zclock_mono ());
}

static int
s_mqtt_wait (const self_t *self, int limit)
{
    if (!self->args.mqtt)
        return limit;
    int64_t wait = fuota_mqtt_link_due (self->args.mqtt) - zclock_mono ();
    return wait <= 0 ? 0 : wait < limit ? (int) wait : limit;
}

static void
s_mqtt_close (fuota_zmq_args_t *args)
{
    fuota_mqtt_link_destroy (&args->mqtt);
}
#else
static void
s_mqtt_open (self_t *self, zpoller_t *poller)
{
    (void) poller;
    assert (!self->args.mqtt);
}

static void
s_mqtt_tick (self_t *self)
{
    (void) self;
}

static int
s_mqtt_wait (const self_t *self, int limit)
{
    (void) self;
    return limit;
}

static void
s_mqtt_close (fuota_zmq_args_t *args)
{
    (void) args;
}
#endif

//  ---------------------------------------------------------------------
//  The actor

static void
s_turn (self_t *self)
{
    fuota_zmq_args_t *args = &self->args;
    for (unsigned n = 0; n < TURN && zsock_events (args->door) & ZMQ_POLLIN;
         n++)
        s_word (self);
    for (unsigned n = 0; n < TURN && zsock_events (args->inbox) & ZMQ_POLLIN;
         n++)
        s_downlink (self);
    s_mqtt_tick (self);
    fuota_zmq_link_take (&args->link, args->core, args->events, args->outcomes);
    fuota_chirpstack_tick (args->core, fuota_clock_now ());
    fuota_zmq_link_speak (args->core, args->events, args->outcomes);
}

static void
s_handle_pipe (self_t *self)
{
    char command [FUOTA_HOST_COMMAND];
    uint64_t number;
    if (!fuota_host_actor_asked (self->pipe, command, &number,
            &self->terminated))
        return;
    assert (streq (command, "STATS"));
    self->stats.messages = self->args.link.messages;
    memcpy (self->stats.dropped, self->args.link.dropped,
        sizeof self->stats.dropped);
    fuota_host_actor_answer (self->pipe, &self->stats, sizeof self->stats);
}

void
fuota_zmq_args_release (fuota_zmq_args_t *args)
{
    s_mqtt_close (args);
    fuota_zmq_link_close (&args->link);
    zsock_destroy (&args->door);
    zsock_destroy (&args->inbox);
    zsock_destroy (&args->events);
    zsock_destroy (&args->outcomes);
    fuota_chirpstack_destroy (&args->core);
}

void
fuota_zmq_actor (zsock_t *pipe, void *args)
{
    self_t self = { .args = *(fuota_zmq_args_t *) args, .pipe = pipe };
    zpoller_t *poller =
        zpoller_new (pipe, self.args.inbox, self.args.door, NULL);
    assert (poller);
    fuota_zmq_link_watch (&self.args.link, poller);
    s_mqtt_open (&self, poller);
    zsock_signal (pipe, 0);
    while (!self.terminated) {
        int wait =
            fuota_clock_wait (fuota_chirpstack_due (self.args.core), 60000);
        void *which = zpoller_wait (poller, s_mqtt_wait (&self, wait));
        if (which == pipe)
            s_handle_pipe (&self);
        else if (!which && zpoller_terminated (poller))
            break;
        s_turn (&self);
    }
    zpoller_destroy (&poller);
    fuota_zmq_args_release (&self.args);
    fuota_mckey_thread_end ();
}

bool
fuota_zmq_actor_stats (zactor_t *actor, fuota_zmq_stats_t *stats)
{
    return fuota_host_actor_ask (actor, "STATS", 0, stats, sizeof *stats);
}
