//  SPDX-License-Identifier: MIT
//
//  pool_want - the wants of deployments, handed to the pool: images into the
//  parity environment, room made for what will come, blocks that are there
//  already left out.
//
//  Shell part of the pool actor, on its thread.

#ifndef FUOTA_POOL_WANT_H
#define FUOTA_POOL_WANT_H

#include "broker/pool.h"
#include "schema/db.h"
#include "schema/parity.h"

typedef struct {
    fuota_pool_t *pool;
    fuota_db_t *db;
    fuota_read_t *read;
    fuota_parity_t *parity;
    uint64_t limit;
    uint64_t refused;  //  For lack of room
} fuota_pool_want_t;

//  Blocks of a parity, by due (the engine's time). Returns 0; FUOTA_EFULL if
//  there is no room; FUOTA_ENOTFOUND if the state has no such image.
int fuota_pool_want_run (fuota_pool_want_t *self, const fuota_parity_key_t *key,
    uint32_t first, uint32_t count, int64_t due, int64_t now);

//  What one deployment wants, or all of them.
void fuota_pool_want_deployment (fuota_pool_want_t *self, const uint8_t *id,
    int64_t now);
void fuota_pool_want_all (fuota_pool_want_t *self, int64_t now);

//  A worker did not find this image: put it there again, or forget its jobs.
void fuota_pool_want_missing (fuota_pool_want_t *self,
    const fuota_parity_key_t *key, int64_t now);

#endif
