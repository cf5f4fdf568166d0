//  SPDX-License-Identifier: MIT
//
//  grpc_server - the other end of a gRPC connection, for tests and benches: a
//  server session of nghttp2, in memory. It reads requests whole, hands them
//  to a function, and answers as it is told, at once or later.

#ifndef FUOTA_TESTS_GRPC_SERVER_H
#define FUOTA_TESTS_GRPC_SERVER_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include "schema/bytes.h"

typedef struct grpc_server grpc_server_t;

typedef struct {
    int32_t stream;
    char method [8], path [96], te [16], type [32], timeout [16];
    char authorization [512];
    uint8_t *body;  //  With the prefix of the message
    size_t size, capacity;
} grpc_request_t;

typedef void (grpc_server_fn) (grpc_server_t *server,
    const grpc_request_t *request, void *arg);

//  max_streams and window are the server's SETTINGS, left out if negative.
grpc_server_t *grpc_server_new (int32_t max_streams, int32_t window,
    grpc_server_fn *take, void *arg);
void grpc_server_destroy (grpc_server_t **self_p);

//  Bytes of the client. Returns 0, or -1 if they end the connection.
int grpc_server_input (grpc_server_t *self, const void *data, size_t size);
size_t grpc_server_output (grpc_server_t *self, uint8_t *out, size_t size);

//  Whether anything more is to be read or written.
bool grpc_server_open (const grpc_server_t *self);

//  Headers, message, trailers.
void grpc_server_answer (grpc_server_t *self, int32_t stream,
    const char *status, const char *text, fuota_slice_t message);

//  Trailers only.
void grpc_server_refuse (grpc_server_t *self, int32_t stream,
    const char *status, const char *text);

//  For what only a test would do: RST_STREAM, GOAWAY, PING.
nghttp2_session *grpc_server_session (grpc_server_t *self);

#endif
