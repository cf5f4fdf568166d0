//  SPDX-License-Identifier: MIT

#include "broker/clock.h"
#include "broker/outbox_actor.h"
#include "workers/package/mckey.h"

#define TURN 256
#define LOOK 1000  //  Real milliseconds: a wake-up of the store may be lost

typedef struct {
    fuota_outbox_args_t args;
    zsock_t *pipe, *inbox, *deployments, *clock;
    uint64_t malformed;
    uint64_t anew;  //  Hosts' words ["R"] not yet answered
    bool terminated;
} self_t;

static void
s_outcome (self_t *self, zframe_t *body)
{
    fuota_outcome_t outcome;
    if (fuota_record_decode (Outcome_fields, &outcome,
            fuota_slice (zframe_data (body), zframe_size (body))) ||
        outcome.owner < FUOTA_OWNER_DEPLOYMENT ||
        outcome.owner > FUOTA_OWNER_CLOCK)
        self->malformed++;
    else
        fuota_outbox_outcome (self->args.outbox, &outcome);
    fuota_mckey_wipe (&outcome, sizeof outcome);
    fuota_mckey_wipe (zframe_data (body), zframe_size (body));
}

static void
s_message (self_t *self)
{
    zmsg_t *msg = zmsg_recv (self->inbox);
    if (!msg)
        return;
    zframe_t *kind = zmsg_first (msg);
    zframe_t *body = zmsg_next (msg);
    if (body && zframe_streq (kind, "O"))
        s_outcome (self, body);
    else if (zframe_streq (kind, "R")) {
        fuota_outbox_renew (self->args.outbox);
        self->anew++;
    }
    else if (!zframe_streq (kind, "W"))
        self->malformed++;
    zmsg_destroy (&msg);
}

static void
s_hand_over (self_t *self)
{
    fuota_downlink_t downlink;
    uint8_t bytes [FUOTA_RECORD_MAX];
    void *host = zsock_resolve (self->args.host);
    for (; self->anew; self->anew--)
        if (zmq_send (host, "", 0, ZMQ_DONTWAIT) < 0)
            return;  //  Its inbox is full: in the next turn, with the rest
    while (fuota_outbox_downlink (self->args.outbox, &downlink)) {
        size_t size = fuota_record_encode (Downlink_fields, &downlink, bytes,
            sizeof bytes);
        //  Its inbox is full: later then
        if (zmq_send (host, bytes, size, ZMQ_DONTWAIT) < 0) {
            fuota_outcome_t later = { .kind = FUOTA_RETRY,
                .row = downlink.row,
                .owner = downlink.owner };
            fuota_outbox_outcome (self->args.outbox, &later);
        }
    }
    fuota_mckey_wipe (&downlink, sizeof downlink);
    fuota_mckey_wipe (bytes, sizeof bytes);
}

static void
s_forward (self_t *self)
{
    fuota_outcome_t outcome;
    uint8_t bytes [FUOTA_RECORD_MAX];
    while (fuota_outbox_forward (self->args.outbox, &outcome)) {
        size_t size =
            fuota_record_encode (Outcome_fields, &outcome, bytes, sizeof bytes);
        zsock_send (outcome.owner == FUOTA_OWNER_CLOCK ? self->clock
                                                       : self->deployments,
            "sb", "O", bytes, size);
    }
    fuota_mckey_wipe (&outcome, sizeof outcome);
    fuota_mckey_wipe (bytes, sizeof bytes);
}

static bool
s_begin (self_t *self)
{
    if (!fuota_outbox_begin (self->args.outbox, fuota_clock_now ()))
        return true;
    zsys_error ("outbox: cannot read the database");
    self->terminated = true;
    return false;
}

static void
s_turn (self_t *self)
{
    fuota_outbox_t *outbox = self->args.outbox;
    if (!s_begin (self))
        return;
    for (unsigned n = 0; n < TURN && zsock_events (self->inbox) & ZMQ_POLLIN;
         n++)
        s_message (self);
    //  A word of the store may have come after we began: look at what is there
    //  now, or its rows would wait until we look by ourselves
    if (!s_begin (self))
        return;
    fuota_outbox_wake (outbox);
    s_hand_over (self);
    s_forward (self);
    fuota_outbox_end (outbox);
}

static void
s_handle_pipe (self_t *self)
{
    char *command = zstr_recv (self->pipe);
    if (!command)
        return;
    if (streq (command, "STATS")) {
        fuota_outbox_stats_t stats;
        fuota_outbox_stats (self->args.outbox, &stats);
        zsock_send (self->pipe, "s88888888", "STATS", stats.rows, stats.handed,
            stats.retried, stats.counters_read, stats.expired, stats.open,
            stats.shared, stats.computed);
    }
    else if (streq (command, "$TERM"))
        self->terminated = true;
    else
        assert (false);
    zstr_free (&command);
}

void
fuota_outbox_actor (zsock_t *pipe, void *args)
{
    self_t self = { .args = *(fuota_outbox_args_t *) args, .pipe = pipe };
    self.inbox = zsock_new_pull ("@inproc://outbox");
    self.deployments = zsock_new_push (">inproc://deployments");
    self.clock = zsock_new_push (">inproc://clock");
    assert (self.inbox && self.deployments && self.clock);
    zpoller_t *poller = zpoller_new (pipe, self.inbox, NULL);
    assert (poller);
    zsock_signal (pipe, 0);
    while (!self.terminated) {
        void *which = zpoller_wait (poller,
            fuota_clock_wait (fuota_outbox_due (self.args.outbox), LOOK));
        if (which == pipe)
            s_handle_pipe (&self);
        else if (!which && zpoller_terminated (poller))
            break;
        else
            s_turn (&self);
    }
    zpoller_destroy (&poller);
    zsock_destroy (&self.inbox);
    zsock_destroy (&self.deployments);
    zsock_destroy (&self.clock);
    zsock_destroy (&self.args.host);
    fuota_outbox_destroy (&self.args.outbox);
    fuota_mckey_thread_end ();
}
