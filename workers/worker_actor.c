//  SPDX-License-Identifier: MIT

#include "workers/package/mckey.h"
#include "workers/worker_actor.h"

#define TURN 256

typedef struct {
    fuota_worker_args_t args;
    const char *name;
    zsock_t *pipe, *inbox, *store;
    zmsg_t *messages [TURN];  //  Taken, not handled yet from at on
    size_t count, at;
    uint64_t malformed, warned;
    int64_t warned_at;
    bool terminated;
} self_t;

static void
s_event (self_t *self, zframe_t *body)
{
    fuota_event_t event;
    if (fuota_record_decode (Event_fields, &event,
            fuota_slice (zframe_data (body), zframe_size (body))))
        self->malformed++;
    else
        fuota_worker_event (self->args.worker, &event);
}

static void
s_outcome (self_t *self, zframe_t *body)
{
    fuota_outcome_t outcome;
    if (fuota_record_decode (Outcome_fields, &outcome,
            fuota_slice (zframe_data (body), zframe_size (body))))
        self->malformed++;
    else
        fuota_worker_outcome (self->args.worker, &outcome);
    //  It may hold a root key
    fuota_mckey_wipe (&outcome, sizeof outcome);
    fuota_mckey_wipe (zframe_data (body), zframe_size (body));
}

static void
s_operate (self_t *self, zframe_t *word, zframe_t *id)
{
    if (!id || zframe_size (word) != 1 || zframe_size (id) != FUOTA_ID_SIZE)
        self->malformed++;
    else if (zframe_data (word) [0] == FUOTA_OPERATE_CREATED)
        fuota_worker_operate (self->args.worker, FUOTA_OPERATE_CREATED,
            zframe_data (id));
    else
        fuota_worker_orders (self->args.worker);
}

static void
s_message (self_t *self, zmsg_t *msg)
{
    zframe_t *kind = zmsg_first (msg);
    zframe_t *body = zmsg_next (msg);
    if (!body || zframe_size (kind) != 1)
        self->malformed++;
    else
        switch (zframe_data (kind) [0]) {
            case 'E':
                s_event (self, body);
                break;
            case 'O':
                s_outcome (self, body);
                break;
            case 'C':
                s_operate (self, body, zmsg_next (msg));
                break;
            default:
                self->malformed++;
        }
}

static void
s_take (self_t *self)
{
    if (self->at < self->count)
        return;  //  A turn was full before they were handled
    self->at = self->count = 0;
    while (self->count < TURN && zsock_events (self->inbox) & ZMQ_POLLIN) {
        zmsg_t *msg = zmsg_recv (self->inbox);
        if (!msg)
            break;
        self->messages [self->count++] = msg;
    }
}

//  The outside misbehaved: one line a second at most.
static void
s_warn (self_t *self)
{
    fuota_worker_stats_t stats;
    fuota_worker_stats (self->args.worker, &stats);
    uint64_t count = self->malformed + stats.malformed + stats.refused;
    int64_t now = zclock_mono ();
    if (count == self->warned || now - self->warned_at < 1000)
        return;
    zsys_warning ("%s: malformed=%llu refused=%llu", self->name,
        (unsigned long long) (self->malformed + stats.malformed),
        (unsigned long long) stats.refused);
    self->warned = count;
    self->warned_at = now;
}

//  A turn: what is waiting and what is due, then one commit. The snapshot is
//  taken after the messages: what they speak of was committed before they were
//  sent, and must be seen.
static void
s_turn (self_t *self)
{
    fuota_worker_t *worker = self->args.worker;
    s_take (self);
    if (fuota_worker_begin (worker, self->args.now ())) {
        zsys_error ("%s: cannot read the database", self->name);
        self->terminated = true;
        return;
    }
    if (self->args.trusted)
        fuota_worker_trust (worker, self->args.trusted ());
    for (; self->at < self->count && !fuota_worker_full (worker); self->at++) {
        s_message (self, self->messages [self->at]);
        zmsg_destroy (&self->messages [self->at]);
    }
    fuota_worker_tick (worker);
    const fuota_batch_t *batch = fuota_worker_end (worker);
    if (batch->rows && self->args.commit (self->store, batch))
        self->terminated = true;  //  The store is gone, and says why
    s_warn (self);
}

static void
s_handle_pipe (self_t *self)
{
    char *command = zstr_recv (self->pipe);
    if (!command)
        return;
    if (streq (command, "STATS")) {
        fuota_worker_stats_t stats;
        fuota_worker_stats (self->args.worker, &stats);
        stats.malformed += self->malformed;
        zsock_send (self->pipe, "s88888888", "STATS", stats.events,
            stats.commands, stats.outcomes, stats.deadlines, stats.malformed,
            stats.steps, stats.refused, (uint64_t) 0);
    }
    else if (streq (command, "$TERM"))
        self->terminated = true;
    else
        assert (false);
    zstr_free (&command);
}

void
fuota_worker_actor (zsock_t *pipe, void *args)
{
    self_t self = { .args = *(fuota_worker_args_t *) args, .pipe = pipe };
    self.name = strchr (self.args.inbox, '/') + 2;
    self.inbox = zsock_new (ZMQ_PULL);
    self.store = zsock_new (ZMQ_REQ);
    assert (self.inbox && self.store);
    int rc = zsock_bind (self.inbox, "%s", self.args.inbox);
    assert (rc >= 0);
    rc = zsock_connect (self.store, "inproc://store");
    assert (rc == 0);
    zpoller_t *poller = zpoller_new (pipe, self.inbox, NULL);
    assert (poller);
    zsock_signal (pipe, 0);
    while (!self.terminated) {
        bool more = self.at < self.count;
        void *which = zpoller_wait (poller,
            more ? 0
                 : self.args.wait (fuota_worker_due (self.args.worker), 60000));
        if (which == pipe)
            s_handle_pipe (&self);
        else if (!which && zpoller_terminated (poller))
            break;
        else
            s_turn (&self);
    }
    for (; self.at < self.count; self.at++)
        zmsg_destroy (&self.messages [self.at]);
    zpoller_destroy (&poller);
    zsock_destroy (&self.inbox);
    zsock_destroy (&self.store);
    fuota_worker_destroy (&self.args.worker);
    fuota_mckey_thread_end ();
}
