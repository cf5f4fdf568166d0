//  SPDX-License-Identifier: MIT
//
//  grpc_link_private - what grpc_link.c and grpc_link_wire.c share, for nobody
//  else.

#ifndef FUOTA_GRPC_LINK_PRIVATE_H
#define FUOTA_GRPC_LINK_PRIVATE_H

#include <czmq.h>
#include <sys/epoll.h>
#include "broker/host/grpc_link.h"
#include "broker/host/grpc_resolve.h"
#include "broker/host/grpc_tls.h"

#define FUOTA_LINK_BUFFER 65536
#define FUOTA_LINK_PLAIN 16384  //  What one record of TLS holds

typedef enum {
    FUOTA_LINK_IDLE,  //  Until due
    FUOTA_LINK_RESOLVING,
    FUOTA_LINK_CONNECTING,
    FUOTA_LINK_SECURING,
    FUOTA_LINK_OPEN
} fuota_grpc_link_phase_t;

struct fuota_grpc_link {
    fuota_grpc_t *grpc;
    fuota_grpc_tls_t *tls;  //  NULL: none
    fuota_grpc_resolve_t *resolve;
    const struct addrinfo *next;  //  Of resolve's, not tried yet
    fuota_grpc_link_phase_t phase;
    int epoll, sock;
    bool ready, blocked, watched;
    int64_t due;          //  End of idleness, or of the attempt
    int64_t address_due;  //  End of what this address gets of it
    int64_t ready_at, connect, back_off, back_off_max;
    uint32_t failures;
    uint64_t random, replies;  //  Replies there were before this connection
    size_t out_at, out_size;
    fuota_grpc_link_stats_t stats;
    char host [256], port [16], logged [200];
    uint8_t in [FUOTA_LINK_BUFFER / 2], plain [FUOTA_LINK_PLAIN],
        out [FUOTA_LINK_BUFFER];
};

//  The attempt or the connection is over, because of what and why; idle until
//  the next. Calls that wait are answered only if the attempt was made for
//  them.
void fuota_grpc_link_lost (fuota_grpc_link_t *self, int64_t now,
    const char *what, const char *why);

//  Begin an attempt; go on when the name is resolved, when an address failed
//  or took too long, when the socket is connected.
void fuota_grpc_link_begin (fuota_grpc_link_t *self, int64_t now);
void fuota_grpc_link_resolved (fuota_grpc_link_t *self, int64_t now);
void fuota_grpc_link_try_next (fuota_grpc_link_t *self, int64_t now, int error);
void fuota_grpc_link_connected (fuota_grpc_link_t *self, int64_t now);

//  Pass on what came, what is to go, as far as that goes now.
void fuota_grpc_link_read (fuota_grpc_link_t *self, int64_t now);
void fuota_grpc_link_write (fuota_grpc_link_t *self, int64_t now);

#endif
