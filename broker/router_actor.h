//  SPDX-License-Identifier: MIT
//
//  router_actor - events of hosts in, to the workers they concern.
//
//  inproc://router (PULL), and the endpoint given for a host in another
//  process
//      [Event]
//  inproc://deployments, inproc://clock (PUSH; waits when they are full, so
//  that pressure reaches the host's connection and stops there)
//      ["E"][Event]
//  inproc://radio (PUSH; what is too much for it is dropped)
//      [Event]
//
//  Pipe
//      C: STATS            A: STATS events dropped malformed, 8-byte numbers
//      C: $TERM

#ifndef FUOTA_ROUTER_ACTOR_H
#define FUOTA_ROUTER_ACTOR_H

#include <czmq.h>
#include "schema/db.h"

typedef struct {
    fuota_db_t *db;  //  Borrowed
    zsock_t *inbox;  //  PULL, bound; owned
    uint32_t port003;
} fuota_router_args_t;

void fuota_router_actor (zsock_t *pipe, void *args);

#endif
