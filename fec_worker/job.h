//  SPDX-License-Identifier: MIT
//
//  job - the worker's half of the protocol: messages in; work, messages and
//  a deadline out.
//
//  It holds the line of leases and knows who said what when. It computes
//  nothing by itself but what fuota_job_rows is given, and has no socket,
//  clock or memory of its own. A lease is computed, then (with others) made
//  safe, then told: a block the pool hears of is one that is there.
//
//      take ..., work -> computed ..., flushed; send ...
//
//  Time is steady milliseconds.

#ifndef FUOTA_JOB_H
#define FUOTA_JOB_H

#include "schema/fec_message.h"

#define FUOTA_JOB_SLOTS 32
#define FUOTA_JOB_BEAT 1000
#define FUOTA_JOB_MISSED 3

typedef struct {
    Grant grant;
    uint64_t work;  //  Microseconds computed
    bool failed;
    DoneKind kind;
} fuota_job_lease_t;

typedef struct {
    Hello hello;  //  What we say of ourselves
    fuota_job_lease_t line [FUOTA_JOB_SLOTS];
    uint32_t count;  //  In line; the first `ready` are computed
    uint32_t ready, told;
    bool welcome, draining;
    char words [81];  //  Why we are draining
    bool hello_due, over;
    int64_t seen, said, beat;
    uint64_t blocks;
    uint32_t attempts;  //  Connections that brought no welcome
    uint64_t seed;
} fuota_job_t;

//  A worker that has not connected yet. hello is copied; its instance seeds
//  the jitter.
void fuota_job_init (fuota_job_t *self, const Hello *hello);

//  There is a new connection: what was leased over the old one is lost.
void fuota_job_connect (fuota_job_t *self, int64_t now);

//  A message came. PART is the source's, and only a sign of life here.
void fuota_job_take (fuota_job_t *self, const fuota_fec_message_t *message,
    int64_t now);

//  The i-th lease that still is to be computed, NULL if there are fewer.
const Grant *fuota_job_work (const fuota_job_t *self, uint32_t i);

//  The first of them is computed, or with kind other than DONE given up.
void fuota_job_computed (fuota_job_t *self, DoneKind kind, uint64_t work);

//  What was computed is safe with the pool, or with good false it is not.
void fuota_job_flushed (fuota_job_t *self, bool good);

//  Next message for the pool. False if there is none.
bool fuota_job_send (fuota_job_t *self, fuota_fec_message_t *message,
    int64_t now);

//  No more is wanted of us: told to go or draining, and nothing is left.
void fuota_job_drain (fuota_job_t *self, const char *words);
bool fuota_job_over (const fuota_job_t *self);

//  The pool is silent: connect anew after that many milliseconds (doubling,
//  with jitter).
bool fuota_job_lost (const fuota_job_t *self, int64_t now);
int64_t fuota_job_back_off (fuota_job_t *self);

//  When send has something although nothing came.
int64_t fuota_job_due (const fuota_job_t *self);

#endif
