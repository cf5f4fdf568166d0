//  SPDX-License-Identifier: MIT
//
//  outbox_actor - committed rows out to the host, its outcomes to the workers.
//
//  inproc://outbox (PULL)
//      ["W"]               from the store: rows may have changed
//      ["O"][Outcome]      from a host; may hold a root key
//      ["R"]               from a host: its other end began anew; all that is
//                          not answered is handed over again, behind []
//  host inbox (PUSH to the endpoint given)
//      [Downlink], and [] for each ["R"]
//  inproc://deployments, inproc://clock (PUSH)
//      ["O"][Outcome]      to the worker that owns the row
//
//  Pipe
//      C: STATS            A: STATS rows handed retried counters_read expired
//                          open shared computed, as 8-byte numbers
//      C: $TERM

#ifndef FUOTA_OUTBOX_ACTOR_H
#define FUOTA_OUTBOX_ACTOR_H

#include <czmq.h>
#include "broker/outbox.h"

typedef struct {
    fuota_outbox_t *outbox;  //  Owned by the actor from now on
    zsock_t *host;           //  PUSH to the host, owned too
} fuota_outbox_args_t;

void fuota_outbox_actor (zsock_t *pipe, void *args);

#endif
