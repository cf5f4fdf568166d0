//  SPDX-License-Identifier: MIT
//
//  control_actor - the operator's door: requests, replies, events.
//
//  Outside (docs/wire.md)
//      control (ROUTER; clients are REQ or DEALER)
//          client: [Request]
//          actor:  [Reply]
//      events (PUB)
//          actor:  ["deployment/ID/phase"] [JournalLine]
//                  and .../step, .../end, .../note: each line once committed
//
//  Inside
//      inproc://store          REQ   batches, waited for
//      inproc://deployments    PUSH  ["C"] [op] [deployment], once committed
//      inproc://pool           REQ   pool_actor.h; answers at once, or in five
//                                    seconds counts as not there
//      inproc://journal        SUB   [JournalLine]
//      host                    DEALER  [Question], [Answer]: control_host.h
//
//  Pipe
//      C: STATS                A: STATS requests malformed events
//      C: $TERM
//
//  What a client sends is counted and answered, never fatal. If the store
//  does not answer in half a minute the client is told so, and whether the
//  deployment exists is to be asked with its token.

#ifndef FUOTA_CONTROL_ACTOR_H
#define FUOTA_CONTROL_ACTOR_H

#include <czmq.h>
#include "broker/control.h"

//  Ready-made by main, for they may fail: the sockets are bound, and with the
//  control become the actor's. The struct itself is copied.
typedef struct {
    fuota_control_t *control;
    zsock_t *requests;  //  ROUTER, from fuota_control_bind
    zsock_t *events;    //  PUB
    int64_t keep;       //  Milliseconds; what is over longer goes; 0 = none
    zsock_t *host;      //  DEALER; NULL: this host is not asked
} fuota_control_args_t;

void fuota_control_actor (zsock_t *pipe, void *args);

//  Bind the two outer sockets, limits set. Returns 0, or -1 with nothing left
//  open and the endpoint at fault logged.
int fuota_control_bind (fuota_control_args_t *args, const char *control,
    const char *events);

#endif
