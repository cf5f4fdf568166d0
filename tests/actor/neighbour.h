//  SPDX-License-Identifier: MIT
//
//  neighbour - the sockets of an actor's neighbours, played by its test.
//
//  They wait for a message as long as it takes, and fail the test instead of
//  hanging if it never comes.

#ifndef FUOTA_NEIGHBOUR_H
#define FUOTA_NEIGHBOUR_H

#include <sched.h>
#include <czmq.h>

#define NEIGHBOUR_PATIENCE 10000

//  A socket of that type, bound to an endpoint or connected (">inproc://x").
static inline zsock_t *
neighbour_new (int type, const char *endpoint)
{
    zsock_t *sock = zsock_new (type);
    assert (sock);
    zsock_set_rcvtimeo (sock, NEIGHBOUR_PATIENCE);
    zsock_set_sndtimeo (sock, NEIGHBOUR_PATIENCE);
    zsock_set_linger (sock, 0);
    int rc = zsock_attach (sock, endpoint, true);
    assert (rc == 0);
    (void) rc;
    return sock;
}

//  Closing alone frees an inproc name some time later: the next test might
//  come too early.
static inline void
neighbour_destroy (zsock_t **self_p, const char *endpoint)
{
    if (*self_p && *endpoint != '>')
        zsock_unbind (*self_p, "%s", endpoint);
    zsock_destroy (self_p);
}

//  The same for a name that the actor itself had bound: its test goes on once
//  it is free.
static inline void
neighbour_freed (const char *endpoint)
{
    zsock_t *sock = zsock_new (ZMQ_PULL);
    assert (sock);
    while (zsock_bind (sock, "%s", endpoint) < 0)
        sched_yield ();
    neighbour_destroy (&sock, endpoint);
}

//  The actor has ended by itself. Its last signal is left to who destroys it.
static inline bool
neighbour_ended (zactor_t *actor)
{
    zpoller_t *poller = zpoller_new (actor, NULL);
    assert (poller);
    bool ended = zpoller_wait (poller, NEIGHBOUR_PATIENCE) == actor;
    zpoller_destroy (&poller);
    return ended;
}

//  Nothing has come.
static inline bool
neighbour_quiet (zsock_t *self)
{
    return !(zsock_events (self) & ZMQ_POLLIN);
}

#endif
