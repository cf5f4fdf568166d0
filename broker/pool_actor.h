//  SPDX-License-Identifier: MIT
//
//  pool_actor - parity before it is needed: deployments' wants to FEC workers
//  and their blocks to the parity environment.
//
//  Outside (docs/wire.md)
//      near (ROUTER on ipc://) and far (ROUTER on tcp:// with CURVE)
//
//  inproc://pool (ROUTER; clients are REQ)
//      client: ["WORKERS"]
//      actor:  [PoolLine] [WorkerLine] ...
//      client: ["DRAIN"] [name]
//      actor:  [count]             text: workers of that name
//      client: ["IMAGE"] [SHA-256] [frag_size] [rule] [rows]   numbers as text
//      actor:  [words]             "" if it is wanted now
//  inproc://journal (SUB)
//      a line of a phase or a round: look at that deployment again
//
//  Pipe
//      C: STATS                    A: STATS [PoolLine]
//      C: $TERM
//
//  Malformed messages, whoever sends them, are counted and dropped; a
//  connection that is not admitted is logged at most once a second.

#ifndef FUOTA_POOL_ACTOR_H
#define FUOTA_POOL_ACTOR_H

#include <czmq.h>
#include "broker/pool.h"
#include "broker/spawn.h"
#include "schema/db.h"
#include "schema/parity.h"

//  Ready-made by main, for they may fail. The sockets, pool and spawn become
//  the actor's; databases are borrowed.
typedef struct {
    fuota_pool_t *pool;
    fuota_db_t *db;
    fuota_parity_t *parity;
    uint64_t limit;        //  Bytes the parity environment may hold
    zsock_t *near, *far;   //  NULL: no such door
    fuota_spawn_t *spawn;  //  NULL: no local workers
} fuota_pool_args_t;

void fuota_pool_actor (zsock_t *pipe, void *args);

//  A socket for workers, limits set and not yet bound.
zsock_t *fuota_pool_door (void);

#endif
