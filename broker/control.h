//  SPDX-License-Identifier: MIT
//
//  control - an operator's request in; a reply, rows to commit and a word to
//  the workers out.
//
//  It reads the database and writes nothing: the caller commits the rows
//  first, then tells the worker, then answers. It draws no chance and reads
//  no clock. Requests are hostile: what is not understood is answered with
//  FUOTA_MALFORMED. One thread at a time.
//
//  An id is 32 hex digits, a unique beginning of at least 4, or a name; a
//  name wins over a beginning. A token seen before answers with the
//  deployment it made, if the wish is the same.

#ifndef FUOTA_CONTROL_H
#define FUOTA_CONTROL_H

#include "broker/known.h"
#include "broker/wish.h"
#include "schema/db.h"
#include "schema/fec_message.h"

typedef struct fuota_control fuota_control_t;
typedef Request fuota_request_t;
typedef Reply fuota_reply_t;

#define FUOTA_CONTROL_REQUEST_MAX (8u << 20)  //  Bytes of a request

//  What a wish may name and what it means where it says nothing. Borrowed.
typedef struct {
    const fuota_profile_t *profiles;
    size_t profile_count;
    const fuota_wish_defaults_t *defaults;
    bool chooses;  //  The host has gateways, and they are to be named to it
} fuota_control_table_t;

//  What a worker is told.
typedef enum {
    FUOTA_OP_NONE = 0,
    FUOTA_OP_CREATED = 1,
    FUOTA_OP_PAUSE = 2,
    FUOTA_OP_RESUME = 3,
    FUOTA_OP_CANCEL = 4
} fuota_op_t;

//  What the pool is asked (pool_actor.h), once the rows are committed.
typedef enum {
    FUOTA_ASK_NOBODY,
    FUOTA_ASK_WORKERS,  //  From the index first on
    FUOTA_ASK_DRAIN,    //  name
    FUOTA_ASK_IMAGE     //  parity, rows
} fuota_ask_kind_t;

typedef struct {
    fuota_ask_kind_t kind;
    uint32_t first;
    char name [41];
    fuota_parity_key_t parity;
    uint32_t rows;
} fuota_ask_pool_t;

//  What a request came to. The batch is the control's own and stands until
//  its next request; NULL if there is nothing to commit.
typedef struct {
    fuota_reply_t reply;
    const fuota_batch_t *batch;
    fuota_op_t op;
    uint8_t id [FUOTA_ID_SIZE];
    fuota_ask_pool_t ask;
    bool asks;  //  The host is asked first: nothing else is filled
    fuota_question_t question;
} fuota_turn_t;

//  Database, table and version (a text, answered to FUOTA_VERSION) are
//  borrowed and outlive it. Caller owns it. NULL if there is no memory or no
//  reader slot.
fuota_control_t *fuota_control_new (fuota_db_t *db,
    const fuota_control_table_t *table, const char *version);
void fuota_control_destroy (fuota_control_t **self_p);

//  Take one request. random is FUOTA_WISH_RANDOM bytes, used once. The turn
//  is filled whatever happens; its reply says what did.
void fuota_control_take (fuota_control_t *self, fuota_slice_t request,
    int64_t now, const uint8_t *random, fuota_turn_t *turn);

//  Remove some of what ended before that time, and images as old that no
//  deployment is of. False if there is nothing such, else the turn has rows to
//  commit and this is to be asked again.
bool fuota_control_expire (fuota_control_t *self, int64_t before,
    fuota_turn_t *turn);

//  The same request again, with what the host answered: sorted, perhaps with
//  a fault. The turn does not ask any more.
void fuota_control_resume (fuota_control_t *self, fuota_slice_t request,
    const fuota_known_t *known, int64_t now, const uint8_t *random,
    fuota_turn_t *turn);

//  The rows of a turn could not be committed: turn it into a refusal.
void fuota_control_failed (fuota_turn_t *turn, const char *words);

//  Encode a reply into out. Returns its size, or 0 if there was no room:
//  Reply_size bytes are always enough.
size_t fuota_control_encode (const fuota_reply_t *reply, uint8_t *out,
    size_t size);

#endif
