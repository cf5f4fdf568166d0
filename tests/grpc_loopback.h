//  SPDX-License-Identifier: MIT
//
//  grpc_loopback - a gRPC server in a thread of its own, on a port of the
//  loopback interface; plain, or with TLS by a CA made for the occasion.
//
//      /t/Echo     the message back
//      /t/Hold     the message back, but not before grpc_loopback_release
//      any other   UNIMPLEMENTED

#ifndef FUOTA_TESTS_GRPC_LOOPBACK_H
#define FUOTA_TESTS_GRPC_LOOPBACK_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

//  A key and its certificate
typedef struct {
    EVP_PKEY *key;
    X509 *certificate;
} grpc_identity_t;

//  A CA if by is NULL; else a server whose name is a DNS name or, with an
//  "IP:" before it, an address.
grpc_identity_t grpc_identity (const char *name, const grpc_identity_t *by);
void grpc_identity_release (grpc_identity_t *self);

//  Write the certificate to a new file, whose path is written to path.
void grpc_identity_save (const grpc_identity_t *self, char path [32]);

typedef enum {
    GRPC_LOOPBACK_GOOD,
    GRPC_LOOPBACK_SILENT,   //  Accepts, then says nothing
    GRPC_LOOPBACK_HTTP1,    //  Answers as if HTTP/2 were unknown
    GRPC_LOOPBACK_NO_ALPN,  //  TLS without agreeing on a protocol
    GRPC_LOOPBACK_SHORT     //  GOAWAY after the first request
} grpc_loopback_mood_t;

typedef struct grpc_loopback grpc_loopback_t;

//  Listen at port, at any that is free if it is 0.
grpc_loopback_t *grpc_loopback_new (uint16_t port,
    const grpc_identity_t *identity, grpc_loopback_mood_t mood);

//  Close all connections and join the thread.
void grpc_loopback_destroy (grpc_loopback_t **self_p);

uint16_t grpc_loopback_port (const grpc_loopback_t *self);

//  Answer what was held, and hold no more.
void grpc_loopback_release (grpc_loopback_t *self);

//  Connections that were accepted, requests that came whole.
unsigned grpc_loopback_accepted (grpc_loopback_t *self);
unsigned grpc_loopback_requests (grpc_loopback_t *self);

#endif
