//  SPDX-License-Identifier: MIT
//
//  outbox_private - what the parts of the outbox share: outbox_index.c keeps
//  entries and lines, outbox_build.c makes downlinks of rows, outbox.c
//  decides.

#ifndef FUOTA_OUTBOX_PRIVATE_H
#define FUOTA_OUTBOX_PRIVATE_H

#include "broker/outbox.h"
#include "fec_worker/kernel/fec.h"
#include "workers/deadline.h"

#define FUOTA_OUTBOX_GRACE 2000  //  For what an earlier life had on its way
#define FUOTA_OUTBOX_NONE UINT32_MAX

typedef enum {
    FUOTA_OUTBOX_FREE,
    FUOTA_OUTBOX_WAITING,  //  For its turn, or for its time
    FUOTA_OUTBOX_HANDED,   //  The host has not said anything yet
    FUOTA_OUTBOX_TAKEN,    //  UNICAST: in the device's queue at the host
    FUOTA_OUTBOX_SETTLED,  //  Its worker was told; the row is still in the table
} fuota_outbox_state_t;

typedef struct {
    uint64_t row;
    uint64_t target;
    int64_t due;  //  HANDED, TAKEN: patience ends
    int64_t created, expires_at;
    uint32_t next;    //  In the target's line, or in the free list
    uint32_t bucket;  //  Next with the same hash of its number
    uint8_t owner, kind, state;
    uint8_t tries;
    bool uncertain;  //  FRAGMENT: may have been taken; read the counter
    bool counting;   //  The counter is being read
    bool perhaps;    //  An earlier life, or turn, may have handed it over
} fuota_outbox_entry_t;

//  A line of rows for one device or one deployment.
typedef struct {
    uint64_t key;
    uint32_t head, tail;
    uint32_t bucket;
} fuota_outbox_target_t;

typedef struct {
    fuota_outcome_t *list;
    size_t count, room, at;
} fuota_outbox_forward_t;

struct fuota_outbox {
    fuota_db_t *db;
    fuota_parity_t *parity;  //  NULL: none
    fuota_read_t *read;
    int64_t now;
    uint64_t seed;
    uint64_t last [FUOTA_OWNER_CLOCK + 1];  //  Rows seen, by owner
    bool started;  //  Rows found from now on were never handed over
    fuota_outbox_stats_t stats;
    uint32_t in_flight;

    fuota_outbox_entry_t *entries;
    uint32_t entry_count, entry_room, entry_free;
    fuota_outbox_target_t *targets;
    uint32_t target_count, target_room, target_free;
    uint32_t *entry_buckets, *target_buckets;  //  Power of two each
    uint32_t entry_mask, target_mask;

    fuota_deadline_t deadlines;  //  Entries: subject = row, context = index
    fuota_outbox_forward_t forward;
    uint32_t *settled;  //  Entries in that state
    size_t settled_count, settled_room;
    uint64_t bits [FUOTA_FEC_WORDS_MAX];
};

//  The entry of a row, the line of a target; FUOTA_OUTBOX_NONE if there is
//  none.
uint32_t fuota_outbox_find (const fuota_outbox_t *self, unsigned owner,
    uint64_t row);
uint32_t fuota_outbox_target (const fuota_outbox_t *self, uint64_t key);

//  A row of the table into the index and its line; out of both, so that the
//  next in the line may go.
void fuota_outbox_add (fuota_outbox_t *self, unsigned owner, uint64_t number,
    const fuota_row_t *row);
void fuota_outbox_remove (fuota_outbox_t *self, uint32_t at);

//  Look at an entry at that time, and at no other.
void fuota_outbox_wake_at (fuota_outbox_t *self, uint32_t at, int64_t due);

//  realloc that does not fail: without memory rows would be forgotten until a
//  restart.
void *fuota_outbox_resize (void *memory, size_t count, size_t size);

//  A row with what it only names. FUOTA_ENOTFOUND if it is gone, FUOTA_EBUSY
//  if it was withdrawn.
int fuota_outbox_build (fuota_outbox_t *self, const fuota_outbox_entry_t *entry,
    fuota_downlink_t *out);

#endif
