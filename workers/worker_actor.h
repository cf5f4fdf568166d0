//  SPDX-License-Identifier: MIT
//
//  worker_actor - the one shell that runs any worker: messages in, batches to
//  the store.
//
//  inproc://deployments, inproc://clock (PULL; anyone may push)
//      ["E"][Event]             a device spoke
//      ["O"][Outcome]           the host spoke; may hold a root key
//      ["C"][operate][id]       an operator's word: 1 byte, 16 bytes; but for
//                               CREATED a hint, the order is in the database
//
//  Pipe
//      C: STATS                 A: STATS and the fields of
//                               fuota_worker_stats_t as 8-byte numbers
//      C: $TERM
//
//  What cannot be understood is counted, and logged at most once a second.
//  It takes at most 256 messages a turn, commits, and goes on. It waits for
//  the store and for nobody else. If the store does not answer it ends.

#ifndef FUOTA_WORKER_ACTOR_H
#define FUOTA_WORKER_ACTOR_H

#include <czmq.h>
#include "workers/worker.h"

typedef struct {
    fuota_worker_t *worker;               //  Owned by the actor from now on
    const char *inbox;                    //  "inproc://deployments"
    int64_t (*now) (void);                //  Engine time
    int (*wait) (int64_t at, int limit);  //  Real milliseconds until then
    bool (*trusted) (void);  //  May sessions be decided by it? NULL = yes
    //  Commit through a REQ connected to the store: 0 once it is on disk
    int (*commit) (zsock_t *store, const fuota_batch_t *batch);
} fuota_worker_args_t;

void fuota_worker_actor (zsock_t *pipe, void *args);

#endif
