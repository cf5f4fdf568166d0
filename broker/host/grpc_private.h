//  SPDX-License-Identifier: MIT
//
//  grpc_private - what grpc.c and grpc_stream.c share, for nobody else.

#ifndef FUOTA_GRPC_PRIVATE_H
#define FUOTA_GRPC_PRIVATE_H

#include <nghttp2/nghttp2.h>
#include "broker/host/grpc.h"
#include "broker/host/grpc_calls.h"

#define FUOTA_GRPC_TOKEN_MAX 4096
#define FUOTA_GRPC_AUTHORITY_MAX 280

struct fuota_grpc {
    void *(*resize) (void *ptr, size_t size);
    nghttp2_mem nghttp2_memory;
    fuota_grpc_calls_t calls;
    nghttp2_session *session;
    fuota_slice_t chunk;  //  Of nghttp2's, when output had no room for it
    fuota_grpc_state_t state;
    bool secure, pinging;
    size_t streams;
    int64_t heard, pinged;
    int64_t keepalive, calm, keepalive_timeout;
    const char *fault;
    fuota_grpc_stats_t stats;
    char authority [FUOTA_GRPC_AUTHORITY_MAX];
    char authorization [FUOTA_GRPC_TOKEN_MAX + 8];  //  Empty if there is none
};

//  A session whose callbacks are those of grpc_stream.c. Returns 0 or
//  FUOTA_EFULL.
int fuota_grpc_session (fuota_grpc_t *self);

//  The connection is to be closed. The first fault is the cause of the others.
void fuota_grpc_over (fuota_grpc_t *self, const char *why);

//  How many calls could be started now; start as many as there are.
size_t fuota_grpc_free_streams (const fuota_grpc_t *self);
void fuota_grpc_start_calls (fuota_grpc_t *self, int64_t now);

//  A call in flight has its answer; reset: the peer may forget it, too.
void fuota_grpc_finish (fuota_grpc_t *self, fuota_grpc_call_t *call,
    fuota_grpc_status_t status, bool unprocessed, bool reset);

//  A request whose last byte has not left was understood by nobody.
bool fuota_grpc_cut (const fuota_grpc_call_t *call);

#endif
