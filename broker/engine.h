//  SPDX-License-Identifier: MIT
//
//  engine - all actors of one broker: started in order, stopped in reverse.
//
//  Shell. What can fail (folder, lock, endpoints) is opened first, so that
//  once the first actor runs nothing in the start can fail any more.

#ifndef FUOTA_ENGINE_H
#define FUOTA_ENGINE_H

#include <czmq.h>
#include "broker/config.h"
#include "broker/security.h"
#include "schema/db.h"
#include "schema/parity.h"

//  How a process ends, for supervisors and scripts.
enum {
    FUOTA_EXIT_OK = 0,
    FUOTA_EXIT_FAILED = 1,    //  The demo: not every image arrived
    FUOTA_EXIT_USAGE = 2,     //  Command line or configuration
    FUOTA_EXIT_LOCKED = 3,    //  Another process has this state
    FUOTA_EXIT_STATE = 4,     //  State cannot be opened
    FUOTA_EXIT_ENDPOINT = 5,  //  An endpoint cannot be bound
    FUOTA_EXIT_DISK = 6,      //  A commit failed: disk full or broken
};

typedef struct {
    fuota_db_t *db;
    fuota_parity_t *parity;  //  NULL: it could not be opened
    fuota_security_t security;
    zactor_t *pool;  //  NULL: without a parity environment
    zactor_t *store, *clock, *deployments, *radio, *router, *outbox, *control;
    zactor_t *sim;  //  NULL if the host is another, or in another process
    zactor_t *chirpstack, *zmq;  //  NULL if the host is another
} fuota_engine_t;

//  Start everything. The configuration is borrowed and outlives the engine.
//  Returns 0, or one of the codes above with a line logged and nothing left
//  running.
int fuota_engine_start (fuota_engine_t *self, const fuota_config_t *config);

//  Stop in reverse order: hosts stop taking, pipes run dry, the store commits.
void fuota_engine_stop (fuota_engine_t *self);

//  The simulated network of a configuration, connected to or bound at the
//  host endpoints, as an actor. NULL if an endpoint is wrong.
zactor_t *fuota_engine_sim (const fuota_config_t *config);

//  Coded fragments sent so far that the pool had ready, and that the outbox
//  computed by itself.
void fuota_engine_parity (fuota_engine_t *self, uint64_t *shared,
    uint64_t *computed);

//  Let a poller hear of every actor.
void fuota_engine_watch (fuota_engine_t *self, zpoller_t *poller);

//  Why the engine cannot go on, if which, as a poller gave it, is an actor
//  that ended by itself: the store's own words, or that it ended. Else NULL.
//  The caller frees them.
char *fuota_engine_fault (fuota_engine_t *self, zsock_t *which);

#endif
