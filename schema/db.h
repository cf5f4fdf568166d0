//  SPDX-License-Identifier: MIT
//
//  db - the one door to LMDB: open, read, scan, write batches.
//
//  One process opens a folder once; a second opener is refused by a lock.
//  Any thread may read, each with a fuota_read_t of its own; only the store
//  writes. Bytes that a read gives are LMDB's own memory and live until the
//  read is ended or renewed: decode them at once.

#ifndef FUOTA_DB_H
#define FUOTA_DB_H

#include <stdbool.h>
#include "schema/batch.h"

typedef struct fuota_db fuota_db_t;
typedef struct fuota_read fuota_read_t;
struct pb_msgdesc_s;

enum { FUOTA_DB_NOSYNC = 1 };  //  For tests: a power cut may lose commits

//  Open or create the database in folder (made if missing, mode 0700). Map
//  size in bytes is address space, not disk. Caller owns it. NULL if that
//  failed, with the reason in error; FUOTA_EBUSY, FUOTA_EVERSION or FUOTA_EDB
//  in *rc.
fuota_db_t *fuota_db_open (const char *folder, size_t map_size, int flags,
    int *rc, char *error, size_t error_size);
void fuota_db_close (fuota_db_t **self_p);

//  Write count batches in one transaction, synced when it returns 0. Each is
//  the bytes of a fuota_batch_t. Else nothing is written: FUOTA_EFULL if the
//  map or the disk is full, FUOTA_EFORMAT if a batch is none, FUOTA_EDB.
int fuota_db_apply (fuota_db_t *self, const fuota_slice_t *batches,
    size_t count);

//  Words for the last failure of open or apply on this handle.
const char *fuota_db_error (const fuota_db_t *self);

//  Bytes of address space that pages use, and that are left. Pages of what
//  was deleted are left. A value of more than a page needs a run: the longest
//  one there is.
typedef struct {
    size_t used, left, run;
} fuota_db_room_t;

fuota_db_room_t fuota_db_room (fuota_db_t *self);

//  Begin a read: a snapshot. Caller owns it. NULL if LMDB has no reader slot.
fuota_read_t *fuota_db_read (fuota_db_t *self);
void fuota_read_end (fuota_read_t **self_p);

//  Let go of the snapshot and take the newest. Slices given before are dead.
//  Returns 0 or FUOTA_EDB.
int fuota_read_renew (fuota_read_t *self);

//  Let go of the snapshot until the next renew, so that old pages can be
//  reused while its owner waits.
void fuota_read_reset (fuota_read_t *self);

//  Value of key. Returns 0, FUOTA_ENOTFOUND or FUOTA_EDB.
int fuota_read_get (fuota_read_t *self, fuota_table_t table,
    const fuota_key_t *key, fuota_slice_t *value);

//  The same, decoded into a record. FUOTA_EFORMAT if it cannot be.
int fuota_read_record (fuota_read_t *self, fuota_table_t table,
    const fuota_key_t *key, const struct pb_msgdesc_s *fields, void *record);

//  A scan over the keys that begin with prefix, from the first key >= from
//  (NULL: from the prefix). Close it before the read is renewed.
typedef struct {
    void *cursor;
    fuota_key_t prefix, from;
    bool started;
    fuota_slice_t key, value;  //  Of the row found by the last next
} fuota_scan_t;

int fuota_scan_open (fuota_scan_t *self, fuota_read_t *read,
    fuota_table_t table, const fuota_key_t *prefix, const fuota_key_t *from);
bool fuota_scan_next (fuota_scan_t *self);
void fuota_scan_close (fuota_scan_t *self);

//  Last key of that prefix into *key. Returns 0 or FUOTA_ENOTFOUND.
int fuota_read_last (fuota_read_t *self, fuota_table_t table,
    const fuota_key_t *prefix, fuota_key_t *key);

#endif
