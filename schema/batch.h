//  SPDX-License-Identifier: MIT
//
//  batch - the rows one turn writes, all of them or none.
//
//  A run of puts and deletes as bytes: what is handed to the store is what
//  was gathered, without another encoding. It owns its memory, copies what is
//  put in it, and does no I/O.

#ifndef FUOTA_BATCH_H
#define FUOTA_BATCH_H

#include <stdbool.h>
#include "schema/key.h"

typedef struct {
    uint8_t *data;
    size_t size, room;
    size_t rows;
    bool failed;  //  No memory once: the batch must not be committed
} fuota_batch_t;

//  An empty batch is all zero. Release its memory; it is empty again.
void fuota_batch_release (fuota_batch_t *self);

//  Forget the rows, keep the memory.
void fuota_batch_clear (fuota_batch_t *self);

//  Add one row. Key and value are copied. Failing for lack of memory marks
//  the batch as failed.
void fuota_batch_put (fuota_batch_t *self, fuota_table_t table,
    const fuota_key_t *key, fuota_slice_t value);
void fuota_batch_del (fuota_batch_t *self, fuota_table_t table,
    const fuota_key_t *key);

//  Add a record of schema/record.h, encoded.
struct pb_msgdesc_s;
void fuota_batch_record (fuota_batch_t *self, fuota_table_t table,
    const fuota_key_t *key, const struct pb_msgdesc_s *fields,
    const void *record);

typedef struct {
    fuota_table_t table;
    bool put;
    fuota_slice_t key, value;
} fuota_batch_row_t;

//  Read the next row of a batch's bytes. Returns 1, 0 at the end, or
//  FUOTA_EFORMAT if they are not a batch.
int fuota_batch_next (fuota_reader_t *bytes, fuota_batch_row_t *row);

#endif
