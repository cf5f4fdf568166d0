//  SPDX-License-Identifier: MIT
//
//  grpc_reply - the answer to one unary gRPC call, gathered piece by piece.
//
//  Pure: header fields and body bytes in, a status, a text and a message out.
//  Everything that comes in is the peer's and may be anything; whatever it
//  is, there is a status at the end. Memory comes through a function of the
//  caller's, is bounded, and is wiped before it is given back: an answer can
//  hold a device's root keys.

#ifndef FUOTA_GRPC_REPLY_H
#define FUOTA_GRPC_REPLY_H

#include <stdbool.h>
#include "schema/bytes.h"

#define FUOTA_GRPC_TEXT                                                        \
    256  //  A status text, with its end; longer ones are cut
#define FUOTA_GRPC_PREFIX 5  //  Bytes before a message: flag, size

//  https://grpc.github.io/grpc/core/md_doc_statuscodes.html
typedef enum {
    FUOTA_GRPC_OK = 0,
    FUOTA_GRPC_CANCELLED = 1,
    FUOTA_GRPC_UNKNOWN = 2,
    FUOTA_GRPC_INVALID_ARGUMENT = 3,
    FUOTA_GRPC_DEADLINE_EXCEEDED = 4,
    FUOTA_GRPC_NOT_FOUND = 5,
    FUOTA_GRPC_ALREADY_EXISTS = 6,
    FUOTA_GRPC_PERMISSION_DENIED = 7,
    FUOTA_GRPC_RESOURCE_EXHAUSTED = 8,
    FUOTA_GRPC_FAILED_PRECONDITION = 9,
    FUOTA_GRPC_ABORTED = 10,
    FUOTA_GRPC_OUT_OF_RANGE = 11,
    FUOTA_GRPC_UNIMPLEMENTED = 12,
    FUOTA_GRPC_INTERNAL = 13,
    FUOTA_GRPC_UNAVAILABLE = 14,
    FUOTA_GRPC_DATA_LOSS = 15,
    FUOTA_GRPC_UNAUTHENTICATED = 16
} fuota_grpc_status_t;

//  Where memory comes from, and how much of it the peer can make us take.
typedef struct {
    void *(*resize) (void *ptr, size_t size);  //  As realloc; size 0 frees
    size_t max_message;                        //  Of one answer
    size_t max_held;                           //  Of all that are not taken yet
    size_t held;
} fuota_grpc_memory_t;

typedef struct {
    unsigned http;       //  :status, 0 before the first header
    bool is_grpc;        //  By its content type
    int status;          //  grpc-status, -1 if it was not said
    int fault;           //  What we found wrong ourselves, 0 if nothing
    size_t prefix_size;  //  Of which we have so many
    uint8_t prefix [FUOTA_GRPC_PREFIX];
    uint8_t *data;
    size_t size, expected, capacity;
    char text [FUOTA_GRPC_TEXT];
} fuota_grpc_reply_t;

//  Begin; there is nothing in it yet.
void fuota_grpc_reply_init (fuota_grpc_reply_t *self);

//  Wipe and give back its memory.
void fuota_grpc_reply_release (fuota_grpc_reply_t *self,
    fuota_grpc_memory_t *memory);

//  One header or trailer field.
void fuota_grpc_reply_header (fuota_grpc_reply_t *self, fuota_slice_t name,
    fuota_slice_t value);

//  Some bytes of the body. Returns 0, or the status of a fault after which
//  nothing more need be read.
int fuota_grpc_reply_data (fuota_grpc_reply_t *self,
    fuota_grpc_memory_t *memory, fuota_slice_t bytes);

//  The peer has said all. Returns the status; the message is in data and size
//  if it is OK.
fuota_grpc_status_t fuota_grpc_reply_end (fuota_grpc_reply_t *self);

//  Put two texts of our own behind each other as the status text.
void fuota_grpc_reply_say (fuota_grpc_reply_t *self, const char *text,
    const char *more);

//  Name of a status, such as "UNAVAILABLE".
const char *fuota_grpc_status_name (fuota_grpc_status_t status);

//  Forget what was in memory, also where a compiler sees no use in it.
void fuota_grpc_wipe (void *data, size_t size);

#endif
