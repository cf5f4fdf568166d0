//  SPDX-License-Identifier: MIT
//
//  grpc_tls - TLS for one connection after another, over memory: bytes of the
//  socket in and out on one side, bytes of HTTP/2 on the other.
//
//  TLS 1.2 or newer, the server's certificate checked against a CA and a
//  name, HTTP/2 agreed on by ALPN. The only file of the client that knows
//  libssl. Belongs to one thread.

#ifndef FUOTA_GRPC_TLS_H
#define FUOTA_GRPC_TLS_H

#include <stdbool.h>
#include "schema/bytes.h"

typedef struct fuota_grpc_tls fuota_grpc_tls_t;

//  For servers called name (a host name or an address), trusted by the CAs in
//  ca_file, or the system's if that is NULL. Caller owns it. NULL if it cannot
//  be, and why is in fault.
fuota_grpc_tls_t *fuota_grpc_tls_new (const char *ca_file, const char *name,
    char *fault, size_t size);
void fuota_grpc_tls_destroy (fuota_grpc_tls_t **self_p);

//  Begin a connection, forget the one before. Returns 0 or -1.
int fuota_grpc_tls_start (fuota_grpc_tls_t *self);

//  Bytes that came from the socket. Returns 0 or -1.
int fuota_grpc_tls_feed (fuota_grpc_tls_t *self, fuota_slice_t bytes);

//  Go on with the handshake. Returns 1 once it is done, 0 if it needs more
//  from the socket, -1 if it failed.
int fuota_grpc_tls_shake (fuota_grpc_tls_t *self);

//  Bytes of HTTP/2 that came. Returns how many, 0 if there are none for now,
//  -1 if there will be no more.
int fuota_grpc_tls_read (fuota_grpc_tls_t *self, uint8_t *out, size_t size);

//  Bytes of HTTP/2 to go. Returns 0 or -1.
int fuota_grpc_tls_write (fuota_grpc_tls_t *self, fuota_slice_t bytes);

//  Bytes to go to the socket; returns how many, 0 if there are none.
size_t fuota_grpc_tls_output (fuota_grpc_tls_t *self, uint8_t *out,
    size_t size);

//  Why something returned -1.
const char *fuota_grpc_tls_fault (const fuota_grpc_tls_t *self);

#endif
