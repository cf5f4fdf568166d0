//  SPDX-License-Identifier: MIT
//
//  grpc - unary gRPC calls over one HTTP/2 connection, without the connection.
//
//  Bytes from the peer in, bytes to the peer out, calls in, answers out; no
//  socket, clock, thread or log. Belongs to one thread, never calls back. All
//  its memory, nghttp2's too, comes through one function of the caller's. It
//  outlives connections: calls that were not yet started wait for the next.
//  The only file that knows nghttp2 is grpc.c.
//
//  Every call that was taken is answered exactly once. An answer that is not
//  the peer's own says whether the peer can have acted on the call: if not
//  (unprocessed) it may be repeated, whatever it was.
//
//  Time is steady milliseconds, given by the caller.

#ifndef FUOTA_GRPC_H
#define FUOTA_GRPC_H

#include "broker/host/grpc_reply.h"

typedef struct fuota_grpc fuota_grpc_t;

typedef struct {
    void *(*resize) (void *ptr, size_t size);  //  As realloc; size 0 frees
    const char *authority;                     //  "host:port", copied
    const char *token;          //  Sent as Bearer, copied; NULL if none
    bool secure;                //  Scheme https; the TLS is the caller's
    size_t calls;               //  Taken and not answered, 1024 if 0
    size_t streams;             //  At most so many at once, 128 if 0
    size_t max_message;         //  Either way, 64 MiB if 0
    size_t max_held;            //  Of answers together, twice that if 0
    int64_t keepalive;          //  Silence until a PING, 30 s if 0
    int64_t keepalive_timeout;  //  Then until the peer is dead, 10 s if 0
} fuota_grpc_config_t;

typedef enum {
    FUOTA_GRPC_CLOSED,    //  No connection
    FUOTA_GRPC_OPENING,   //  The peer has not sent its SETTINGS yet
    FUOTA_GRPC_READY,     //  Calls are started
    FUOTA_GRPC_DRAINING,  //  Calls in flight may end, no other is started
    FUOTA_GRPC_OVER       //  Send what output has, then close it
} fuota_grpc_state_t;

typedef struct {
    uint64_t tag;
    fuota_grpc_status_t status;
    bool unprocessed;       //  The peer cannot have acted on it
    const char *text;       //  One line of UTF-8, "" if there is none
    fuota_slice_t message;  //  Empty unless the status is OK
} fuota_grpc_answer_t;

typedef struct {
    uint64_t calls, answers [FUOTA_GRPC_UNAUTHENTICATED + 1];
    uint64_t replies;  //  Answers that were the peer's own words
    uint64_t pings, goaways;
    size_t waiting, flying;  //  Now
} fuota_grpc_stats_t;

//  Create a client without a connection. Caller owns it. NULL if there is no
//  memory, or authority or token cannot stand in a header; *rc is then
//  FUOTA_EFULL or FUOTA_EVALUE.
fuota_grpc_t *fuota_grpc_new (const fuota_grpc_config_t *config, int *rc);

//  Destroy it; calls that have no answer get none. The token is wiped.
void fuota_grpc_destroy (fuota_grpc_t **self_p);

//  Take a call: path "/package.Service/Method", message, both copied; the tag
//  comes back with the answer. No deadline is INT64_MAX. Returns 0, or
//  FUOTA_EFULL, or FUOTA_EVALUE if path or message is too long.
int fuota_grpc_call (fuota_grpc_t *self, uint64_t tag, const char *path,
    fuota_slice_t message, int64_t deadline);

//  A connection is there. Returns 0 or FUOTA_EFULL.
int fuota_grpc_open (fuota_grpc_t *self, int64_t now);

//  The connection is gone: calls in flight are answered UNAVAILABLE with this
//  text. Those that wait go on waiting.
void fuota_grpc_shut (fuota_grpc_t *self, const char *why);

//  There will be no connection soon: those that wait are answered, too.
void fuota_grpc_refuse (fuota_grpc_t *self, const char *why);

//  Take bytes from the peer. If they end the connection the state is OVER
//  afterwards, or once output has been emptied.
void fuota_grpc_input (fuota_grpc_t *self, fuota_slice_t bytes, int64_t now);

//  Put up to size bytes for the peer into out. Returns how many; when they
//  are fewer than size there are no more for now.
size_t fuota_grpc_output (fuota_grpc_t *self, uint8_t *out, size_t size,
    int64_t now);

//  Whether output would have something.
bool fuota_grpc_wants_output (const fuota_grpc_t *self);

//  Time has come: end what is past its deadline, ask a silent peer for life.
void fuota_grpc_tick (fuota_grpc_t *self, int64_t now);

//  When to call tick; INT64_MAX is never. Sometimes early, never late.
int64_t fuota_grpc_due (const fuota_grpc_t *self);

//  Take the oldest answer. Its bytes last until the next time. False if there
//  is none.
bool fuota_grpc_answer (fuota_grpc_t *self, fuota_grpc_answer_t *answer);

fuota_grpc_state_t fuota_grpc_state (const fuota_grpc_t *self);

//  Why the state is OVER, in words.
const char *fuota_grpc_fault (const fuota_grpc_t *self);

void fuota_grpc_stats (const fuota_grpc_t *self, fuota_grpc_stats_t *stats);

#endif
