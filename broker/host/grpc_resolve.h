//  SPDX-License-Identifier: MIT
//
//  grpc_resolve - the addresses of a name, asked for in a thread of its own.
//
//  getaddrinfo can block for half a minute, and an actor that waited so long
//  would not be one. The thread is detached: whoever asked may give up, and
//  the last of the two cleans up. An address written as numbers needs none.

#ifndef FUOTA_GRPC_RESOLVE_H
#define FUOTA_GRPC_RESOLVE_H

#include <netdb.h>
#include <stdbool.h>

typedef struct fuota_grpc_resolve fuota_grpc_resolve_t;

//  Begin to ask. NULL if there is no memory, descriptor or thread.
fuota_grpc_resolve_t *fuota_grpc_resolve_new (const char *host,
    const char *port);

//  Give up asking; addresses that were taken are gone.
void fuota_grpc_resolve_destroy (fuota_grpc_resolve_t **self_p);

//  Becomes readable when there is an answer.
int fuota_grpc_resolve_fd (const fuota_grpc_resolve_t *self);

//  Whether there is an answer: 0 and its addresses, or a code of getaddrinfo.
bool fuota_grpc_resolve_take (fuota_grpc_resolve_t *self, int *rc,
    const struct addrinfo **addresses);

#endif
