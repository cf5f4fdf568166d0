//  SPDX-License-Identifier: MIT

#include "broker/clock.h"
#include "broker/host/zmq_link.h"
#include "workers/package/mckey.h"

#define TURN 256
#define TELL 1000         //  Real milliseconds between two lines of a cause
#define SILENCE 5000      //  Then it is asked whether it is there
#define LARGEST 0x110000  //  A body of 1 MiB and its topic

zsock_t *
fuota_zmq_link_socket (int type)
{
    zsock_t *sock = zsock_new (type);
    assert (sock);
    zsock_set_maxmsgsize (sock, LARGEST);
    zsock_set_heartbeat_ivl (sock, SILENCE);
    zsock_set_linger (sock, 0);
    return sock;
}

void
fuota_zmq_link_watch (const fuota_zmq_link_t *self, zpoller_t *poller)
{
    if (self->pull)
        zpoller_add (poller, self->pull);
    if (self->sub)
        zpoller_add (poller, self->sub);
}

void
fuota_zmq_link_drop (fuota_zmq_link_t *self, fuota_zmq_cause_t cause)
{
    int64_t now = zclock_mono ();
    self->dropped [cause]++;
    if (now < self->tell_at [cause])
        return;
    zsys_warning ("zmq: dropped messages=%llu: %s",
        (unsigned long long) (self->dropped [cause] - self->told [cause]),
        fuota_zmq_host_words (cause));
    self->told [cause] = self->dropped [cause];
    self->tell_at [cause] = now + TELL;
}

void
fuota_zmq_link_speak (fuota_chirpstack_t *core, zsock_t *events,
    zsock_t *outcomes)
{
    fuota_event_t event;
    fuota_outcome_t outcome;
    uint8_t bytes [FUOTA_RECORD_MAX];
    while (fuota_chirpstack_outcome (core, &outcome)) {
        size_t size =
            fuota_record_encode (Outcome_fields, &outcome, bytes, sizeof bytes);
        zsock_send (outcomes, "sb", "O", bytes, size);
    }
    fuota_mckey_wipe (&outcome, sizeof outcome);
    fuota_mckey_wipe (bytes, sizeof bytes);
    while (fuota_chirpstack_event_out (core, &event)) {
        size_t size =
            fuota_record_encode (Event_fields, &event, bytes, sizeof bytes);
        zsock_send (events, "b", bytes, size);
    }
}

static void
s_message (fuota_zmq_link_t *self, zsock_t *sock, fuota_chirpstack_t *core)
{
    fuota_slice_t frames [FUOTA_ZMQ_FRAMES];
    size_t count = 0;
    zmsg_t *msg = zmsg_recv (sock);
    if (!msg)
        return;
    for (zframe_t *frame = zmsg_first (msg); frame; frame = zmsg_next (msg))
        if (count++ < FUOTA_ZMQ_FRAMES)
            frames [count - 1] =
                fuota_slice (zframe_data (frame), zframe_size (frame));
    fuota_zmq_cause_t cause =
        fuota_zmq_host_event (core, frames, count, fuota_clock_now ());
    self->messages++;
    if (cause)
        fuota_zmq_link_drop (self, cause);
    zmsg_destroy (&msg);
}

void
fuota_zmq_link_take (fuota_zmq_link_t *self, fuota_chirpstack_t *core,
    zsock_t *events, zsock_t *outcomes)
{
    zsock_t *from [] = { self->pull, self->sub };
    for (unsigned i = 0; i < 2; i++)
        for (unsigned n = 0;
             from [i] && n < TURN && zsock_events (from [i]) & ZMQ_POLLIN;
             n++) {
            s_message (self, from [i], core);
            fuota_zmq_link_speak (core, events, outcomes);
        }
}

void
fuota_zmq_link_close (fuota_zmq_link_t *self)
{
    zsock_destroy (&self->pull);
    zsock_destroy (&self->sub);
}
