//  SPDX-License-Identifier: MIT

#include "broker/router.h"
#include "broker/router_actor.h"

#define TURN 64
#define WARN_EVERY 1000  //  At most one line in so many milliseconds

typedef struct {
    fuota_router_args_t args;
    fuota_read_t *read;
    zsock_t *pipe, *deployments, *clock, *radio;
    uint64_t events, dropped, malformed, uncounted;
    int64_t warn_at;
    bool terminated;
} self_t;

//  Statistics: they hold up nobody.
static void
s_radio (self_t *self, zframe_t *body)
{
    if (!zframe_send (&body, self->radio, ZFRAME_REUSE | ZFRAME_DONTWAIT))
        return;
    self->uncounted++;
    if (zclock_mono () < self->warn_at)
        return;
    zsys_warning ("router: radio is busy: events not counted there=%llu",
        (unsigned long long) self->uncounted);
    self->warn_at = zclock_mono () + WARN_EVERY;
}

static void
s_event (self_t *self, zframe_t *body)
{
    fuota_event_t event;
    if (fuota_record_decode (Event_fields, &event,
            fuota_slice (zframe_data (body), zframe_size (body)))) {
        self->malformed++;
        return;
    }
    unsigned mask = fuota_router_take (self->read, &event, self->args.port003);
    self->events++;
    self->dropped += mask == 0;
    if (mask & FUOTA_TO_CLOCK)
        zsock_send (self->clock, "sf", "E", body);
    if (mask & FUOTA_TO_DEPLOYMENTS)
        zsock_send (self->deployments, "sf", "E", body);
    if (mask & FUOTA_TO_RADIO)
        s_radio (self, body);
}

//  Take what is waiting. More frames than one are not an event.
static size_t
s_take (self_t *self, zframe_t **bodies)
{
    size_t count = 0;
    for (unsigned n = 0;
         n < TURN && zsock_events (self->args.inbox) & ZMQ_POLLIN; n++) {
        zframe_t *body = zframe_recv (self->args.inbox);
        if (body && zframe_more (body)) {
            self->malformed++;
            zframe_destroy (&body);
            zsock_flush (self->args.inbox);
        }
        if (body)
            bodies [count++] = body;
    }
    return count;
}

//  The snapshot is taken after the events: it knows every route that was there
//  when they came.
static void
s_turn (self_t *self)
{
    zframe_t *bodies [TURN];
    size_t count = s_take (self, bodies);
    bool live = fuota_read_renew (self->read) == 0;
    if (!live) {
        zsys_error ("router: cannot read the database");
        self->terminated = true;
    }
    for (size_t i = 0; i < count; i++) {
        if (live)
            s_event (self, bodies [i]);
        zframe_destroy (&bodies [i]);
    }
    fuota_read_reset (self->read);
}

static void
s_handle_pipe (self_t *self)
{
    char *command = zstr_recv (self->pipe);
    if (!command)
        return;
    if (streq (command, "STATS"))
        zsock_send (self->pipe, "s888", "STATS", self->events, self->dropped,
            self->malformed);
    else if (streq (command, "$TERM"))
        self->terminated = true;
    else
        assert (false);
    zstr_free (&command);
}

void
fuota_router_actor (zsock_t *pipe, void *args)
{
    self_t self = { .args = *(fuota_router_args_t *) args, .pipe = pipe };
    self.read = fuota_db_read (self.args.db);
    self.deployments = zsock_new_push (">inproc://deployments");
    self.clock = zsock_new_push (">inproc://clock");
    self.radio = zsock_new_push (">inproc://radio");
    assert (self.read && self.deployments && self.clock && self.radio);
    fuota_read_reset (self.read);
    zpoller_t *poller = zpoller_new (pipe, self.args.inbox, NULL);
    assert (poller);
    zsock_signal (pipe, 0);
    while (!self.terminated) {
        void *which = zpoller_wait (poller, -1);
        if (which == pipe)
            s_handle_pipe (&self);
        else if (!which)
            break;  //  Interrupted
        else
            s_turn (&self);
    }
    zpoller_destroy (&poller);
    zsock_destroy (&self.deployments);
    zsock_destroy (&self.clock);
    zsock_destroy (&self.radio);
    zsock_destroy (&self.args.inbox);
    fuota_read_end (&self.read);
}
