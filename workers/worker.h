//  SPDX-License-Identifier: MIT
//
//  worker - runs the stages on what the database holds, turn by turn.
//
//  A turn takes messages and deadlines, steps the records they concern, and
//  ends with one batch: everything that changed and everything that is wanted
//  of the host. The caller commits it before the next turn, so a turn always
//  reads what is on disk. No clock, no socket: the same code runs under an
//  actor and, in virtual time, in the world test.
//
//      begin -> event, outcome, operate, tick ... -> end -> commit
//
//  There are two kinds by owner: the deployments' (stages multicast,
//  fragmentation, status, and a deployment's part of clock), and the clock's,
//  which answers AppTimeReq of every device and must not wait behind others.

#ifndef FUOTA_WORKER_H
#define FUOTA_WORKER_H

#include "schema/db.h"
#include "schema/record.h"

typedef struct fuota_worker fuota_worker_t;

typedef struct {
    fuota_owner_t owner;
    int leap_extra;
    //  Clock only: seconds a clock may be off; applications that are answered
    //  ("*" = all), 0 = none; port of devices that are in no deployment
    uint32_t threshold;
    const char (*applications) [41];
    size_t application_count;
    uint32_t port003;
} fuota_worker_config_t;

typedef enum {
    FUOTA_OPERATE_CREATED = 1,
    FUOTA_OPERATE_PAUSE = 2,
    FUOTA_OPERATE_RESUME = 3,
    FUOTA_OPERATE_CANCEL = 4,
} fuota_operate_t;

typedef struct {
    uint64_t events, commands, outcomes, deadlines;
    uint64_t malformed;  //  Payloads cut short by an unknown or cut command
    uint64_t steps;
    uint64_t refused;  //  Records that could not be read, operators' words
                       //  that had no meaning
} fuota_worker_stats_t;

//  Create a worker over an open database, which is borrowed. Looks at every
//  record that may have to go on and sets its deadline to now. NULL if that
//  failed. Caller owns it.
fuota_worker_t *fuota_worker_new (fuota_db_t *db,
    const fuota_worker_config_t *config, int64_t now);
void fuota_worker_destroy (fuota_worker_t **self_p);

//  Begin a turn at a time. Returns 0 or FUOTA_EDB.
int fuota_worker_begin (fuota_worker_t *self, int64_t now);

//  May sessions be decided by our clock? True until said otherwise.
void fuota_worker_trust (fuota_worker_t *self, bool trust);

void fuota_worker_event (fuota_worker_t *self, const fuota_event_t *event);
void fuota_worker_outcome (fuota_worker_t *self,
    const fuota_outcome_t *outcome);
void fuota_worker_operate (fuota_worker_t *self, fuota_operate_t operate,
    const uint8_t *id);

//  Orders may have been committed: the next tick carries them out. At start
//  it does so anyway.
void fuota_worker_orders (fuota_worker_t *self);

//  Step what is due, as much as the turn has room for.
void fuota_worker_tick (fuota_worker_t *self);

//  No more messages should be taken in this turn.
bool fuota_worker_full (const fuota_worker_t *self);

//  End the turn. The batch to commit, empty if nothing changed; valid until
//  the next begin.
const fuota_batch_t *fuota_worker_end (fuota_worker_t *self);

//  When to begin a turn with a tick, INT64_MAX if never.
int64_t fuota_worker_due (const fuota_worker_t *self);

void fuota_worker_stats (const fuota_worker_t *self,
    fuota_worker_stats_t *stats);

#endif
