//  SPDX-License-Identifier: MIT
//
//  outbox - what is due, for whom, how fast: from committed rows to downlinks.
//
//  It reads the outbox table and keeps an index of it in memory; it never
//  writes. A row leaves the table in the batch of the worker that learns its
//  outcome. For one device one unicast row at a time is at the host, for one
//  deployment one group row, in the order of their numbers; others wait.
//
//  Nothing is lost and no fragment is doubled: a row whose answer did not
//  come is given again, and where that is not harmless (FRAGMENT) the group's
//  frame counter at the host is read first. Every row found at start is
//  treated so. No clock, no socket: an actor and the world test run it.
//
//      begin -> wake, outcome, tick ... -> downlink ..., forward ... -> end

#ifndef FUOTA_OUTBOX_H
#define FUOTA_OUTBOX_H

#include "schema/db.h"
#include "schema/parity.h"
#include "schema/record.h"

typedef struct fuota_outbox fuota_outbox_t;

typedef struct {
    uint64_t rows, handed, retried, counters_read, expired;
    uint64_t open;              //  Rows in the index
    uint64_t shared, computed;  //  Coded fragments read, and made here
} fuota_outbox_stats_t;

//  Create an index over an open database, which is borrowed. NULL if there is
//  no memory. Caller owns it.
fuota_outbox_t *fuota_outbox_new (fuota_db_t *db, uint64_t seed);
void fuota_outbox_destroy (fuota_outbox_t **self_p);

//  Read coded fragments from there if they are there already; without it, or
//  without the block, each is computed here. Borrowed.
void fuota_outbox_share (fuota_outbox_t *self, fuota_parity_t *parity);

//  Begin a turn. Returns 0 or FUOTA_EDB.
int fuota_outbox_begin (fuota_outbox_t *self, int64_t now);

//  Rows may have been committed: look.
void fuota_outbox_wake (fuota_outbox_t *self);

//  The host said what became of a downlink.
void fuota_outbox_outcome (fuota_outbox_t *self,
    const fuota_outcome_t *outcome);

//  The host's end began anew: what it had not answered it may not know of, so
//  that is given again as if patience had ended; who was put off goes now.
void fuota_outbox_renew (fuota_outbox_t *self);

//  Next downlink for the host, while there is one and the host's window is
//  not full. Holds key material for GROUP_CREATE: wipe it after use.
bool fuota_outbox_downlink (fuota_outbox_t *self, fuota_downlink_t *downlink);

//  Next outcome for the worker that owns the row (outcome->owner). Each of
//  them settles its row, or tells of a fragment that is taken.
bool fuota_outbox_forward (fuota_outbox_t *self, fuota_outcome_t *outcome);

void fuota_outbox_end (fuota_outbox_t *self);

//  When to begin a turn although nothing came, INT64_MAX if never.
int64_t fuota_outbox_due (const fuota_outbox_t *self);

void fuota_outbox_stats (const fuota_outbox_t *self,
    fuota_outbox_stats_t *stats);

#endif
