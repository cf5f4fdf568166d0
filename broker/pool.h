//  SPDX-License-Identifier: MIT
//
//  pool - parity for everybody: jobs, leases, credit and trust of FEC workers.
//
//  A job is a run of blocks wanted of one image, rule and fragment size, and
//  when its first row will be sent. A lease gives a run of a job's blocks to
//  a worker until a time; what does not come back in time, or whose worker
//  falls silent, is given to another. Late and double answers are welcome:
//  a block is named by what it is. The nearest sending goes first, jobs of
//  the same ten seconds take turns. Memory is for jobs and leases, never for
//  blocks.
//
//  Pure: no socket, clock or database. Two times come in: now, steady
//  milliseconds for leases and beats, and due, the engine's time, which only
//  orders. What is to be done comes out as effects, to be taken after each
//  call. One thread.
//
//      want, take, gone, drain, tick -> next ..., checked -> next ...

#ifndef FUOTA_POOL_H
#define FUOTA_POOL_H

#include "schema/fec_message.h"

typedef struct fuota_pool fuota_pool_t;

#define FUOTA_POOL_BEAT 1000        //  Milliseconds, by default
#define FUOTA_POOL_LATER INT64_MAX  //  due: not for any session yet
#define FUOTA_POOL_PEER_MAX 32
#define FUOTA_POOL_WORKERS_MAX 4096

//  Where a worker is: a socket of ours, and its routing id there. Only by the
//  door NEAR come those that may write to the parity environment.
enum { FUOTA_POOL_NEAR, FUOTA_POOL_FAR, FUOTA_POOL_DOORS };

typedef struct {
    uint8_t door;
    uint8_t size;
    uint8_t id [FUOTA_POOL_PEER_MAX];
} fuota_peer_t;

typedef enum {
    FUOTA_POOL_SEND,     //  message to peer; a PART lacks its data: size bytes
                         //  of the image from message.as.part.at on
    FUOTA_POOL_CHECK,    //  Are these blocks right? Then call checked
    FUOTA_POOL_MISSING,  //  A worker did not find the image of key
    FUOTA_POOL_TELL      //  words, for the log: an operator should know
} fuota_pool_effect_kind_t;

typedef struct {
    fuota_pool_effect_kind_t kind;
    fuota_peer_t peer;
    fuota_fec_message_t message;  //  SEND
    uint32_t size;                //  SEND of a PART
    //  CHECK: rows are those of one block, borrowed from the message taken;
    //  none: they are in the parity environment, and have to leave it if they
    //  are wrong. salt is for choosing rows.
    fuota_parity_key_t key;
    uint32_t first, count;
    fuota_slice_t rows;
    uint64_t lease, salt;
    char words [160];  //  TELL
} fuota_pool_effect_t;

typedef struct {
    char name [41], host [41], kernel [41];
    char identity [41];  //  Its key, or if it needs none its name
    uint32_t cores, pid, slots, leases;
    bool near, draining;
    uint64_t blocks, errors;
    uint64_t rate;  //  Bytes of parity a second of computing, lately
    int64_t seen;   //  Milliseconds since its last message
    char why [41];  //  In quarantine: what for, or ""
    int64_t left;   //  and for how many milliseconds more
} fuota_pool_worker_t;

typedef struct {
    uint64_t workers, jobs, leases, waiting;  //  Now; waiting: blocks
    uint64_t wanted, granted, done;           //  Blocks, since the start
    uint64_t late, returned, wrong, quarantined;
} fuota_pool_stats_t;

//  Create an empty pool. The seed chooses which rows are checked. Caller owns
//  it. NULL if there is no memory.
fuota_pool_t *fuota_pool_new (uint64_t seed, uint32_t beat);
void fuota_pool_destroy (fuota_pool_t **self_p);

//  Blocks first .. first + count - 1 of key are wanted, the first to be sent
//  at due. What is wanted already is only made more urgent. Returns 0, or
//  FUOTA_EVALUE if the run is not within the parity.
int fuota_pool_want (fuota_pool_t *self, const fuota_parity_key_t *key,
    uint32_t first, uint32_t count, int64_t due, int64_t now);

//  Nobody wants that image any more: its jobs go. What is leased may come.
void fuota_pool_forget (fuota_pool_t *self, const uint8_t image [32]);

//  A message came. user is the sender's key as the transport proved it; NULL
//  or "" if the door needs none.
void fuota_pool_take (fuota_pool_t *self, const fuota_peer_t *peer,
    const char *user, const fuota_fec_message_t *message, int64_t now);

//  The answer to a CHECK.
void fuota_pool_checked (fuota_pool_t *self, const fuota_pool_effect_t *check,
    bool good, int64_t now);

//  The process of a near worker has ended: its leases return at once.
void fuota_pool_gone (fuota_pool_t *self, uint32_t pid, int64_t now);

//  Workers of that name finish what they have and go. Returns how many.
size_t fuota_pool_drain (fuota_pool_t *self, const char *name);

//  Time has come; when it comes next.
void fuota_pool_tick (fuota_pool_t *self, int64_t now);
int64_t fuota_pool_due (const fuota_pool_t *self);

//  The next effect. False if there is none.
bool fuota_pool_next (fuota_pool_t *self, fuota_pool_effect_t *effect);

//  Is anything of that image wanted or leased?
bool fuota_pool_uses (const fuota_pool_t *self, const uint8_t image [32]);

//  The i-th worker; after them those in quarantine. False past the last.
bool fuota_pool_worker (const fuota_pool_t *self, size_t i, int64_t now,
    fuota_pool_worker_t *worker);
void fuota_pool_stats (const fuota_pool_t *self, fuota_pool_stats_t *stats);

//  Does one row of a block, chosen by salt, agree with the plain oracle? bits
//  is scratch of FUOTA_FEC_WORDS_MAX words.
bool fuota_pool_check_row (fuota_slice_t image, const fuota_parity_key_t *key,
    uint32_t block, fuota_slice_t rows, uint64_t salt, uint64_t *bits);

#endif
