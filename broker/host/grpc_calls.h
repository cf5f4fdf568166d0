//  SPDX-License-Identifier: MIT
//
//  grpc_calls - the calls of one client: waiting, on a stream, answered.
//
//  Pure. A table of a fixed number of calls, so that a peer which does not
//  answer costs no more than that. A call begins waiting, is started when a
//  stream is free for it, and ends answered; nothing else becomes of it.

#ifndef FUOTA_GRPC_CALLS_H
#define FUOTA_GRPC_CALLS_H

#include "broker/host/grpc_reply.h"

#define FUOTA_GRPC_PATH 96  //  "/package.Service/Method", with its end

typedef enum {
    FUOTA_GRPC_FREE,
    FUOTA_GRPC_WAITING,
    FUOTA_GRPC_FLYING,  //  It has a stream
    FUOTA_GRPC_ANSWERED
} fuota_grpc_phase_t;

typedef struct fuota_grpc_call fuota_grpc_call_t;
struct fuota_grpc_call {
    fuota_grpc_call_t *next;  //  In the list of its phase
    fuota_grpc_phase_t phase;
    uint64_t tag;
    int64_t deadline;
    int32_t stream;
    bool unprocessed;  //  The peer cannot have acted on it
    fuota_grpc_status_t status;
    size_t size, sent;  //  Of the body: prefix and message
    uint8_t *body;
    fuota_grpc_reply_t reply;
    char path [FUOTA_GRPC_PATH];
};

typedef struct {
    fuota_grpc_call_t *first, *last;
    size_t count;
} fuota_grpc_list_t;

typedef struct {
    fuota_grpc_call_t *calls, *taken;
    size_t size, flying;
    fuota_grpc_list_t free, waiting, answered;
    int64_t due;  //  No deadline is earlier
    fuota_grpc_memory_t memory;
} fuota_grpc_calls_t;

//  Make room for size calls. Returns 0 or FUOTA_EFULL.
int fuota_grpc_calls_init (fuota_grpc_calls_t *self, size_t size,
    const fuota_grpc_memory_t *memory);

//  Forget all calls, give back all memory.
void fuota_grpc_calls_release (fuota_grpc_calls_t *self);

//  Let a call wait. Path and message are copied. Returns 0, FUOTA_EFULL if
//  there are too many, FUOTA_EVALUE if path or message is too long.
int fuota_grpc_calls_add (fuota_grpc_calls_t *self, uint64_t tag,
    const char *path, fuota_slice_t message, int64_t deadline);

//  The call that has waited longest, now flying. NULL if none waits.
fuota_grpc_call_t *fuota_grpc_calls_start (fuota_grpc_calls_t *self);

//  Back to the head of those that wait; the other end knows nothing of it.
void fuota_grpc_calls_unstart (fuota_grpc_calls_t *self,
    fuota_grpc_call_t *call);

//  A flying call is answered. What was to be sent is wiped.
void fuota_grpc_calls_finish (fuota_grpc_calls_t *self, fuota_grpc_call_t *call,
    fuota_grpc_status_t status, bool unprocessed);

//  All calls that wait and whose deadline is not after limit are answered so.
void fuota_grpc_calls_refuse (fuota_grpc_calls_t *self, int64_t limit,
    fuota_grpc_status_t status, const char *text, const char *more);

//  The next flying call, in the order of the table, whose deadline is not
//  after limit; after is the last one, NULL at first. NULL if there is none.
fuota_grpc_call_t *fuota_grpc_calls_flying (fuota_grpc_calls_t *self,
    const fuota_grpc_call_t *after, int64_t limit);

//  Find the earliest deadline again.
void fuota_grpc_calls_rearm (fuota_grpc_calls_t *self);

//  The oldest answer, NULL if there is none. It lasts until the next time.
fuota_grpc_call_t *fuota_grpc_calls_take (fuota_grpc_calls_t *self);

#endif
