//  SPDX-License-Identifier: MIT

#include "broker/clock.h"
#include "broker/control_host.h"
#include "schema/record.h"

#define AGAIN 50  //  Until an unsent question is tried again

struct fuota_control_host {
    zsock_t *sock;
    fuota_control_wait_t *waiting [FUOTA_CONTROL_HOST_WAITING];
    size_t count;  //  In the order of their requests
    uint64_t serial;
};

typedef fuota_control_wait_t wait_t;

fuota_control_host_t *
fuota_control_host_new (zsock_t *host)
{
    fuota_control_host_t *self = zmalloc (sizeof *self);
    assert (self);
    self->sock = host;
    //  What is answered to an earlier life is nobody's
    self->serial = (uint64_t) zclock_usecs ();
    return self;
}

static void
s_free (wait_t *wait)
{
    zframe_destroy (&wait->peer);
    zframe_destroy (&wait->body);
    fuota_known_release (&wait->known);
    free (wait);
}

void
fuota_control_host_destroy (fuota_control_host_t **self_p)
{
    fuota_control_host_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++)
        s_free (self->waiting [i]);
    zsock_destroy (&self->sock);
    freen (*self_p);
}

zsock_t *
fuota_control_host_sock (fuota_control_host_t *self)
{
    return self->sock;
}

//  ---------------------------------------------------------------------
//  Requests

//  The first request of that client, count if there is none.
static size_t
s_first (const fuota_control_host_t *self, zframe_t *peer)
{
    size_t i = 0;
    while (i < self->count && !zframe_eq (self->waiting [i]->peer, peer))
        i++;
    return i;
}

bool
fuota_control_host_holds (fuota_control_host_t *self, zframe_t *peer)
{
    return s_first (self, peer) < self->count;
}

fuota_control_wait_t *
fuota_control_host_keep (fuota_control_host_t *self, zframe_t **peer_p,
    zframe_t **body_p, bool req)
{
    if (self->count == FUOTA_CONTROL_HOST_WAITING)
        return NULL;
    wait_t *wait = zmalloc (sizeof *wait);
    assert (wait);
    wait->peer = *peer_p;
    wait->body = *body_p;
    wait->req = req;
    wait->held = true;
    *peer_p = *body_p = NULL;
    self->waiting [self->count++] = wait;
    return wait;
}

static void
s_send (fuota_control_host_t *self, wait_t *wait)
{
    uint8_t bytes [Question_size];
    size_t size = fuota_record_encode (Question_fields, &wait->question, bytes,
        sizeof bytes);
    wait->unsent =
        zmq_send (zsock_resolve (self->sock), bytes, size, ZMQ_DONTWAIT) < 0;
    if (!wait->unsent)
        wait->until = zclock_mono () + FUOTA_CONTROL_HOST_PATIENCE;
}

void
fuota_control_host_ask (fuota_control_host_t *self, fuota_control_wait_t *wait,
    const fuota_question_t *question)
{
    wait->held = false;
    wait->question = *question;
    wait->serial = wait->question.serial = ++self->serial;
    wait->until = zclock_mono () + FUOTA_CONTROL_HOST_ABSENCE;
    wait->known.deaf = !self->sock;
    if (self->sock)
        s_send (self, wait);
    else
        fuota_known_end (&wait->known, "a host of this type is not asked");
}

//  Our own clock, as far as a process can tell.
static void
s_find_clock (fuota_known_t *known)
{
    const char *words;
    bool good = fuota_clock_synchronised (&words);
    fuota_known_find (known, "clock",
        good ? FUOTA_FINDING_OK : FUOTA_FINDING_WARNING, words,
        good ? ""
             : "run a time service (systemd-timesyncd, chrony): sessions "
               "begin by this clock");
}

fuota_control_wait_t *
fuota_control_host_next (fuota_control_host_t *self)
{
    int64_t now = zclock_mono ();
    for (size_t i = 0; i < self->count; i++) {
        wait_t *wait = self->waiting [i];
        if (wait->held && s_first (self, wait->peer) == i)
            return wait;
        if (wait->held)
            continue;
        if (wait->unsent)
            s_send (self, wait);
        if (now >= wait->until)
            fuota_known_end (&wait->known,
                wait->unsent ? "the host is not there"
                             : "the host did not answer in 8 s");
        if (wait->known.over) {
            fuota_known_sort (&wait->known);
            s_find_clock (&wait->known);
            return wait;
        }
    }
    return NULL;
}

void
fuota_control_host_done (fuota_control_host_t *self, fuota_control_wait_t *wait)
{
    size_t i = 0;
    while (self->waiting [i] != wait)
        i++;
    memmove (&self->waiting [i], &self->waiting [i + 1],
        (--self->count - i) * sizeof wait);
    s_free (wait);
}

//  ---------------------------------------------------------------------
//  Answers

static void
s_take (fuota_control_host_t *self, const fuota_answer_t *answer)
{
    for (size_t i = 0; i < self->count; i++)
        if (!self->waiting [i]->held &&
            self->waiting [i]->serial == answer->serial) {
            fuota_known_take (&self->waiting [i]->known, answer);
            //  A long list comes page by page
            if (answer->devices_count)
                self->waiting [i]->until =
                    zclock_mono () + FUOTA_CONTROL_HOST_PATIENCE;
        }
    //  Or nobody waits for it any more
}

bool
fuota_control_host_hear (fuota_control_host_t *self, unsigned *malformed)
{
    fuota_answer_t answer;
    if (!self->sock || !(zsock_events (self->sock) & ZMQ_POLLIN))
        return false;
    zframe_t *frame = zframe_recv (self->sock);
    if (!frame)
        return false;
    bool more = zframe_more (frame);
    if (more)
        zsock_flush (self->sock);
    if (more || fuota_record_decode (Answer_fields, &answer,
                    fuota_slice (zframe_data (frame), zframe_size (frame))))
        ++*malformed;
    else
        s_take (self, &answer);
    zframe_destroy (&frame);
    return true;
}

int
fuota_control_host_wait (fuota_control_host_t *self)
{
    int64_t now = zclock_mono (), least = -1;
    for (size_t i = 0; i < self->count; i++) {
        int64_t until = self->waiting [i]->until;
        int64_t left = until > now ? until - now : 0;
        if (self->waiting [i]->unsent && left > AGAIN)
            left = AGAIN;
        if (!self->waiting [i]->held && (least < 0 || left < least))
            least = left;
    }
    return (int) least;
}
