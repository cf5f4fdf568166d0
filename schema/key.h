//  SPDX-License-Identifier: MIT
//
//  key - the tables of the database and their keys.
//
//  Integers are big-endian, so LMDB's byte order is the order we scan in.
//  A table's number is at rest: never reused, only added to.

#ifndef FUOTA_KEY_H
#define FUOTA_KEY_H

#include "schema/bytes.h"

typedef enum {
    FUOTA_TABLE_META,        //  name -> bytes
    FUOTA_TABLE_DEPLOYMENT,  //  deployment -> Deployment
    FUOTA_TABLE_GROUP,       //  deployment -> Group
    FUOTA_TABLE_DEVICE,      //  deployment, DevEUI -> Device
    FUOTA_TABLE_ROUTE,       //  DevEUI, deployment -> Route
    FUOTA_TABLE_COUNTER,     //  DevEUI, FragIndex (1) -> next SessionCnt (4)
    FUOTA_TABLE_CLOCK,       //  DevEUI -> Clock
    FUOTA_TABLE_OUTBOX,      //  owner (1), sequence (8) -> OutboxRow
    FUOTA_TABLE_IMAGE,       //  SHA-256 -> Image
    FUOTA_TABLE_BLOB,        //  SHA-256 -> the image's bytes, in one piece
    FUOTA_TABLE_JOURNAL,     //  deployment, sequence (8) -> JournalLine
    FUOTA_TABLE_TOKEN,       //  client token -> deployment
    FUOTA_TABLE_ORDER,       //  sequence (8) -> operate (1), deployment
    FUOTA_TABLE_RECEPTION,   //  DevEUI -> Reception
    FUOTA_TABLE_GATEWAY,     //  gateway -> Gateway
    FUOTA_TABLE_FATE,        //  deployment, gateway -> Fate
    FUOTA_TABLE_AIR,         //  gateway, sub-band's lower bound (4) -> Air
    FUOTA_TABLES
} fuota_table_t;

//  Who owns an outbox row: the first byte of its key.
typedef enum {
    FUOTA_OWNER_DEPLOYMENT = 1,
    FUOTA_OWNER_CLOCK = 2
} fuota_owner_t;

#define FUOTA_ID_SIZE 16
#define FUOTA_KEY_MAX 64

typedef struct {
    uint8_t data [FUOTA_KEY_MAX];
    size_t size;
} fuota_key_t;

//  id is FUOTA_ID_SIZE bytes throughout.
fuota_key_t fuota_key_id (const uint8_t *id);
fuota_key_t fuota_key_device (const uint8_t *id, uint64_t dev_eui);
fuota_key_t fuota_key_route (uint64_t dev_eui, const uint8_t *id);
fuota_key_t fuota_key_eui (uint64_t dev_eui);
fuota_key_t fuota_key_counter (uint64_t dev_eui, unsigned frag_index);
fuota_key_t fuota_key_outbox (fuota_owner_t owner, uint64_t row);
//  Of an operator's order, until the worker has carried it out.
fuota_key_t fuota_key_order (uint64_t seq);
fuota_key_t fuota_key_journal (const uint8_t *id, uint64_t seq);
//  A gateway's in a sub-band; low is its bound in Hz, 0 if it is in none.
fuota_key_t fuota_key_air (uint64_t gateway, uint32_t low);
fuota_key_t fuota_key_bytes (const void *data, size_t size);

static inline fuota_slice_t
fuota_key_slice (const fuota_key_t *key)
{
    return fuota_slice (key->data, key->size);
}

#endif
