//  SPDX-License-Identifier: MIT
//
//  zmq_link - the sockets by which a ZeroMQ back end feeds events in, for any
//  actor that has a chirpstack core; and what the core says, on to the engine.
//
//  Shell; belongs to one thread, an actor's. What is dropped is counted, and
//  logged at most once a second for each cause.

#ifndef FUOTA_ZMQ_LINK_H
#define FUOTA_ZMQ_LINK_H

#include <czmq.h>
#include "broker/host/zmq_host.h"

typedef struct {
    zsock_t *pull, *sub;  //  NULL: not used; owned
    uint64_t messages, dropped [FUOTA_ZMQ_CAUSES];
    uint64_t told [FUOTA_ZMQ_CAUSES];  //  Of the dropped
    int64_t tell_at [FUOTA_ZMQ_CAUSES];
} fuota_zmq_link_t;

//  A socket of that type for back ends: bounded messages, and the other end's
//  silence is noticed. Neither bound nor connected yet.
zsock_t *fuota_zmq_link_socket (int type);

//  Wake the poller when events come.
void fuota_zmq_link_watch (const fuota_zmq_link_t *self, zpoller_t *poller);

//  Take what has come, a bounded number, and say it to the engine: [Event] to
//  events, ["O"][Outcome] to outcomes. Waits when the engine is busy: pressure
//  reaches the back end here.
void fuota_zmq_link_take (fuota_zmq_link_t *self, fuota_chirpstack_t *core,
    zsock_t *events, zsock_t *outcomes);
void fuota_zmq_link_speak (fuota_chirpstack_t *core, zsock_t *events,
    zsock_t *outcomes);

//  A message was dropped.
void fuota_zmq_link_drop (fuota_zmq_link_t *self, fuota_zmq_cause_t cause);

void fuota_zmq_link_close (fuota_zmq_link_t *self);

#endif
