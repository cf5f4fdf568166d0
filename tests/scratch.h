//  SPDX-License-Identifier: MIT
//
//  scratch - a database in a temporary folder, for one test, fuzz target or
//  bench.
//
//  The folder is made under TMPDIR, or /tmp, and removed with all that is in
//  it. A fault here is an assertion: it is the machine, not the code tested.

#ifndef FUOTA_SCRATCH_H
#define FUOTA_SCRATCH_H

#include "schema/db.h"
#include "schema/record.h"

typedef struct {
    char folder [64];
    size_t map_size;
    int flags;
    fuota_db_t *db;
} scratch_t;

//  Make the folder and open a database in it.
void scratch_init (scratch_t *self, size_t map_size, int flags);
void scratch_release (scratch_t *self);

//  Close and open it again, as a restart does.
void scratch_reopen (scratch_t *self);

//  Commit a batch, and release it.
void scratch_commit (scratch_t *self, fuota_batch_t *batch);

//  Commit one record, or bytes that are none.
void scratch_put (scratch_t *self, fuota_table_t table, fuota_key_t key,
    const pb_msgdesc_t *fields, const void *record);
void scratch_put_bytes (scratch_t *self, fuota_table_t table, fuota_key_t key,
    const void *data, size_t size);

//  Read one record as it is committed. Returns what fuota_read_record does.
int scratch_get (scratch_t *self, fuota_table_t table, fuota_key_t key,
    const pb_msgdesc_t *fields, void *record);

//  Rows of a table.
size_t scratch_count (scratch_t *self, fuota_table_t table);

#endif
