//  SPDX-License-Identifier: MIT

#include "broker/clock.h"
#include "broker/radio_actor.h"
#include "broker/store.h"

#define TURN 64
#define IDLE 60000  //  Between two looks, if nothing is due

typedef struct {
    fuota_radio_t *radio;
    zsock_t *pipe, *inbox, *store;
    uint64_t events, malformed, commits;
    bool terminated;
} self_t;

//  The store answers nobody when a commit fails: the engine ends then.
static void
s_commit (self_t *self)
{
    if (fuota_store_commit (self->store, fuota_radio_rows (self->radio))) {
        zsys_error ("radio: commit: the store refused or did not answer");
        self->terminated = true;
    }
    self->commits++;
    fuota_radio_committed (self->radio);
}

static void
s_event (self_t *self, int64_t now)
{
    fuota_event_t event;
    zframe_t *body = zframe_recv (self->inbox);
    if (!body)
        return;  //  Interrupted
    if (fuota_record_decode (Event_fields, &event,
            fuota_slice (zframe_data (body), zframe_size (body))))
        self->malformed++;
    else if (fuota_radio_take (self->radio, &event, now) == FUOTA_EFULL) {
        s_commit (self);
        fuota_radio_take (self->radio, &event, now);
    }
    self->events++;
    zframe_destroy (&body);
}

static void
s_turn (self_t *self)
{
    int64_t now = fuota_clock_now ();
    for (unsigned n = 0; n < TURN && !self->terminated &&
                         zsock_events (self->inbox) & ZMQ_POLLIN;
         n++)
        s_event (self, now);
    if (!self->terminated && now >= fuota_radio_due (self->radio))
        s_commit (self);
}

static void
s_handle_pipe (self_t *self)
{
    char *command = zstr_recv (self->pipe);
    if (!command)
        return;
    if (streq (command, "STATS"))
        zsock_send (self->pipe, "s888", "STATS", self->events, self->malformed,
            self->commits);
    else if (streq (command, "$TERM"))
        self->terminated = true;
    else
        assert (false);
    zstr_free (&command);
}

void
fuota_radio_actor (zsock_t *pipe, void *args)
{
    self_t self = { .radio = args, .pipe = pipe };
    self.inbox = zsock_new_pull ("@inproc://radio");
    self.store = zsock_new_req (">inproc://store");
    assert (self.inbox && self.store);
    zsock_set_linger (self.store, 0);
    zpoller_t *poller = zpoller_new (pipe, self.inbox, NULL);
    assert (poller);
    zsock_signal (pipe, 0);
    while (!self.terminated) {
        void *which = zpoller_wait (poller,
            fuota_clock_wait (fuota_radio_due (self.radio), IDLE));
        if (which == pipe)
            s_handle_pipe (&self);
        else if (!which && zpoller_terminated (poller))
            break;
        s_turn (&self);
    }
    zpoller_destroy (&poller);
    zsock_destroy (&self.inbox);
    zsock_destroy (&self.store);
    fuota_radio_destroy (&self.radio);
}
