//  SPDX-License-Identifier: MIT
//
//  grpc_link - a gRPC client with its connection: names, sockets, TLS.
//
//  Shell; belongs to one thread, an actor's, and never blocks it. It keeps
//  one connection open as long as it lives, and makes another when that is
//  lost, after a while that doubles. Calls may be made at any time: they wait
//  for the attempt that is under way or comes next, and if that fails they
//  are answered UNAVAILABLE, unprocessed.
//
//      zpoller over { pipe, inbox, &fd }, until fuota_grpc_link_due
//      fuota_grpc_link_tick       reads, ends what is late, writes
//      fuota_grpc_link_answer     until there is none
//
//  A turn that makes calls ticks after them, or the calls wait for the next.
//  Time is steady milliseconds, given by the caller. The token is never
//  logged, and never sent to a server whose certificate does not hold; with
//  tls off it is sent in the clear.

#ifndef FUOTA_GRPC_LINK_H
#define FUOTA_GRPC_LINK_H

#include "broker/host/grpc.h"

typedef struct fuota_grpc_link fuota_grpc_link_t;

typedef struct {
    const char *host, *port;  //  Texts are copied, but for the file's content
    bool tls;                 //  Otherwise HTTP/2 by prior knowledge
    const char *ca_file;      //  NULL: the system's
    const char *server_name;  //  In the certificate; NULL: host
    const char *token;        //  NULL: none
    size_t calls, streams, max_message;  //  As in grpc.h
    int64_t keepalive, keepalive_timeout;
    int64_t connect;       //  For an attempt, 10 s if 0
    int64_t back_off;      //  After the first failure, 500 ms if 0
    int64_t back_off_max;  //  60 s if 0
    uint64_t seed;         //  Of the jitter; 0: anything
} fuota_grpc_link_config_t;

typedef struct {
    bool ready;
    uint64_t attempts, connects, losses;
    uint64_t bytes_in, bytes_out;  //  Of the socket
    fuota_grpc_stats_t grpc;
    char fault [200];  //  Of the last attempt, "" while ready
} fuota_grpc_link_stats_t;

//  Nothing is connected before the first tick. Caller owns it. NULL if the
//  CAs cannot be read, or host or token are not what can be sent; logged.
fuota_grpc_link_t *fuota_grpc_link_new (const fuota_grpc_link_config_t *config);

//  Close the connection; calls that have no answer get none.
void fuota_grpc_link_destroy (fuota_grpc_link_t **self_p);

//  As fuota_grpc_call.
int fuota_grpc_link_call (fuota_grpc_link_t *self, uint64_t tag,
    const char *path, fuota_slice_t message, int64_t deadline);

//  One turn: do what can be done now.
void fuota_grpc_link_tick (fuota_grpc_link_t *self, int64_t now);

//  When to tick even if the descriptor is silent.
int64_t fuota_grpc_link_due (const fuota_grpc_link_t *self);

//  As fuota_grpc_answer.
bool fuota_grpc_link_answer (fuota_grpc_link_t *self,
    fuota_grpc_answer_t *answer);

//  Readable when a tick has something to do. The same for ever.
int fuota_grpc_link_fd (const fuota_grpc_link_t *self);

void fuota_grpc_link_stats (const fuota_grpc_link_t *self,
    fuota_grpc_link_stats_t *stats);

#endif
