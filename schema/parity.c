//  SPDX-License-Identifier: MIT
//
//  Parts: accounts (what an image takes, when it was used); writing; eviction.
//  Opening is in parity_open.c, reading in parity_read.c.

#include <stdlib.h>
#include "schema/parity_private.h"

#define PAGE 4096

typedef struct {
    int64_t stamp;
    uint64_t bytes;
} s_use_t;

//  ---------------------------------------------------------------------
//  Accounts

static uint64_t
s_pages (size_t size)
{
    return (size + PAGE + 15) / PAGE * PAGE;
}

static int
s_add_bytes (fuota_parity_t *self, MDB_txn *txn, uint64_t bytes)
{
    uint8_t data [8];
    fuota_writer_t writer = fuota_writer (data, sizeof data);
    fuota_writer_be (&writer, fuota_parity_bytes (self, txn) + bytes, 8);
    MDB_val key = { 5, "bytes" }, value = { 8, data };
    return mdb_put (txn, self->dbi [FUOTA_PARITY_META], &key, &value, 0);
}

static int
s_use (fuota_parity_t *self, MDB_txn *txn, const uint8_t *sha256, s_use_t *use)
{
    MDB_val key = { 32, (void *) sha256 }, value;
    int rc = mdb_get (txn, self->dbi [FUOTA_PARITY_USE], &key, &value);
    if (rc)
        return rc;
    if (value.mv_size != 16)
        return MDB_CORRUPTED;
    const uint8_t *data = value.mv_data;
    *use = (s_use_t){ (int64_t) fuota_be (data, 8), fuota_be (data + 8, 8) };
    return 0;
}

static MDB_val
s_age_key (uint8_t data [40], int64_t stamp, const uint8_t *sha256)
{
    fuota_writer_t writer = fuota_writer (data, 40);
    fuota_writer_be (&writer, (uint64_t) stamp, 8);
    fuota_writer_copy (&writer, sha256, 32);
    return (MDB_val){ 40, data };
}

//  Replace an image's account. old is NULL for a new one.
static int
s_set_use (fuota_parity_t *self, MDB_txn *txn, const uint8_t *sha256,
    const s_use_t *old, const s_use_t *use)
{
    uint8_t data [16], name [40];
    MDB_val key, value = { 0, data };
    int rc = 0;
    if (old && old->stamp != use->stamp) {
        key = s_age_key (name, old->stamp, sha256);
        rc = mdb_del (txn, self->dbi [FUOTA_PARITY_AGE], &key, NULL);
        if (rc == MDB_NOTFOUND)
            rc = 0;
    }
    if (!rc && (!old || old->stamp != use->stamp)) {
        key = s_age_key (name, use->stamp, sha256);
        rc = mdb_put (txn, self->dbi [FUOTA_PARITY_AGE], &key, &value, 0);
    }
    fuota_writer_t writer = fuota_writer (data, sizeof data);
    fuota_writer_be (&writer, (uint64_t) use->stamp, 8);
    fuota_writer_be (&writer, use->bytes, 8);
    key = (MDB_val){ 32, (void *) sha256 };
    value = (MDB_val){ 16, data };
    return rc ? rc
              : mdb_put (txn, self->dbi [FUOTA_PARITY_USE], &key, &value, 0);
}

//  ---------------------------------------------------------------------
//  Writing

//  End a transaction in which rc was the last step's.
static int
s_finish (fuota_parity_t *self, MDB_txn *txn, const char *what, int rc)
{
    if (!rc)
        rc = mdb_txn_commit (txn);
    else
        mdb_txn_abort (txn);
    return rc ? fuota_parity_fault (self, what, rc) : 0;
}

static int
s_stamp (fuota_parity_t *self, MDB_txn *txn, const uint8_t *sha256, int64_t now)
{
    s_use_t use;
    int rc = s_use (self, txn, sha256, &use);
    if (rc || use.stamp >= now)
        return rc;
    s_use_t fresh = { now, use.bytes };
    return s_set_use (self, txn, sha256, &use, &fresh);
}

int
fuota_parity_put_image (fuota_parity_t *self, const uint8_t sha256 [32],
    fuota_slice_t image, int64_t now)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin (self->env, NULL, 0, &txn);
    if (rc)
        return fuota_parity_fault (self, "begin", rc);
    rc = s_stamp (self, txn, sha256, now);
    if (rc == MDB_NOTFOUND) {
        s_use_t use = { now, s_pages (image.size) };
        MDB_val key = { 32, (void *) sha256 };
        MDB_val value = { image.size, (void *) image.data };
        rc = mdb_put (txn, self->dbi [FUOTA_PARITY_IMAGE], &key, &value, 0);
        if (!rc)
            rc = s_set_use (self, txn, sha256, NULL, &use);
        if (!rc)
            rc = s_add_bytes (self, txn, use.bytes);
    }
    return s_finish (self, txn, "image", rc);
}

int
fuota_parity_stamp (fuota_parity_t *self, const uint8_t sha256 [32],
    int64_t now)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin (self->env, NULL, 0, &txn);
    if (rc)
        return fuota_parity_fault (self, "begin", rc);
    rc = s_stamp (self, txn, sha256, now);
    return s_finish (self, txn, "stamp", rc == MDB_NOTFOUND ? 0 : rc);
}

static int
s_put_block (fuota_parity_t *self, MDB_txn *txn,
    const fuota_parity_block_t *block)
{
    uint8_t name [FUOTA_PARITY_BLOCK_KEY];
    s_use_t use;
    int rc = s_use (self, txn, block->key->image, &use);
    if (rc)
        return rc == MDB_NOTFOUND ? 0 : rc;
    MDB_val key = fuota_parity_block_key (name, block->key, block->block), old;
    MDB_val value = { block->rows.size, (void *) block->rows.data };
    rc = mdb_get (txn, self->dbi [FUOTA_PARITY_BLOCK], &key, &old);
    if (!rc && old.mv_size == value.mv_size) {
        //  One of a worker that lied and fell silent must not put another to
        //  shame
        bool same = !memcmp (old.mv_data, value.mv_data, value.mv_size);
        return same ? 0
                    : mdb_put (txn, self->dbi [FUOTA_PARITY_BLOCK], &key,
                          &value, 0);
    }
    rc = mdb_put (txn, self->dbi [FUOTA_PARITY_BLOCK], &key, &value, 0);
    if (rc)
        return rc;
    uint64_t bytes = s_pages (block->rows.size);
    s_use_t more = { use.stamp, use.bytes + bytes };
    rc = s_set_use (self, txn, block->key->image, &use, &more);
    return rc ? rc : s_add_bytes (self, txn, bytes);
}

int
fuota_parity_put (fuota_parity_t *self, const fuota_parity_block_t *blocks,
    size_t count)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin (self->env, NULL, 0, &txn);
    if (rc)
        return fuota_parity_fault (self, "begin", rc);
    for (size_t i = 0; !rc && i < count; i++)
        rc = s_put_block (self, txn, &blocks [i]);
    return s_finish (self, txn, "block", rc);
}

static int
s_drop_block (fuota_parity_t *self, MDB_txn *txn, const fuota_parity_key_t *key,
    uint32_t block, s_use_t *use)
{
    uint8_t name [FUOTA_PARITY_BLOCK_KEY];
    MDB_val at = fuota_parity_block_key (name, key, block), value;
    int rc = mdb_get (txn, self->dbi [FUOTA_PARITY_BLOCK], &at, &value);
    if (rc)
        return rc == MDB_NOTFOUND ? 0 : rc;
    use->bytes -= s_pages (value.mv_size);
    return mdb_del (txn, self->dbi [FUOTA_PARITY_BLOCK], &at, NULL);
}

int
fuota_parity_drop (fuota_parity_t *self, const fuota_parity_key_t *key,
    uint32_t first, uint32_t count)
{
    s_use_t old = { .stamp = 0 }, use;
    MDB_txn *txn;
    int rc = mdb_txn_begin (self->env, NULL, 0, &txn);
    if (rc)
        return fuota_parity_fault (self, "begin", rc);
    rc = s_use (self, txn, key->image, &old);
    if (rc == MDB_NOTFOUND) {
        mdb_txn_abort (txn);
        return 0;  //  Gone with its image
    }
    use = old;
    for (uint32_t i = first; !rc && i < first + count; i++)
        rc = s_drop_block (self, txn, key, i, &use);
    if (!rc)
        rc = s_set_use (self, txn, key->image, &old, &use);
    if (!rc)
        rc = s_add_bytes (self, txn, use.bytes - old.bytes);
    return s_finish (self, txn, "drop", rc);
}

//  ---------------------------------------------------------------------
//  Eviction

//  Remove one image, its blocks and its accounts.
static int
s_remove (fuota_parity_t *self, MDB_txn *txn, const uint8_t *sha256,
    const s_use_t *use)
{
    uint8_t name [40];
    MDB_cursor *cursor;
    int rc = mdb_cursor_open (txn, self->dbi [FUOTA_PARITY_BLOCK], &cursor);
    if (rc)
        return rc;
    MDB_val key = { 32, (void *) sha256 }, value;
    rc = mdb_cursor_get (cursor, &key, &value, MDB_SET_RANGE);
    while (!rc && key.mv_size == FUOTA_PARITY_BLOCK_KEY &&
           !memcmp (key.mv_data, sha256, 32)) {
        rc = mdb_cursor_del (cursor, 0);
        if (!rc)
            rc = mdb_cursor_get (cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close (cursor);
    if (rc && rc != MDB_NOTFOUND)
        return rc;
    key = s_age_key (name, use->stamp, sha256);
    rc = mdb_del (txn, self->dbi [FUOTA_PARITY_AGE], &key, NULL);
    key = (MDB_val){ 32, (void *) sha256 };
    if (!rc)
        rc = mdb_del (txn, self->dbi [FUOTA_PARITY_USE], &key, NULL);
    if (!rc)
        rc = mdb_del (txn, self->dbi [FUOTA_PARITY_IMAGE], &key, NULL);
    return rc ? rc : s_add_bytes (self, txn, 0 - use->bytes);
}

//  One image, the oldest. Returns 1 if one went, 0 if none may, or a code.
static int
s_evict_one (fuota_parity_t *self, uint64_t limit, int64_t keep)
{
    uint8_t sha256 [32];
    s_use_t use;
    MDB_txn *txn;
    MDB_cursor *cursor;
    int rc = mdb_txn_begin (self->env, NULL, 0, &txn);
    if (rc)
        return fuota_parity_fault (self, "begin", rc);
    MDB_val key, value;
    rc = fuota_parity_bytes (self, txn) <= limit
             ? MDB_NOTFOUND
             : mdb_cursor_open (txn, self->dbi [FUOTA_PARITY_AGE], &cursor);
    if (!rc) {
        rc = mdb_cursor_get (cursor, &key, &value, MDB_FIRST);
        if (!rc && (int64_t) fuota_be (key.mv_data, 8) >= keep)
            rc = MDB_NOTFOUND;
        if (!rc)
            memcpy (sha256, (uint8_t *) key.mv_data + 8, 32);
        mdb_cursor_close (cursor);
    }
    if (!rc)
        rc = s_use (self, txn, sha256, &use);
    if (!rc)
        rc = s_remove (self, txn, sha256, &use);
    if (rc == MDB_NOTFOUND) {
        mdb_txn_abort (txn);
        return 0;
    }
    rc = s_finish (self, txn, "evict", rc);
    return rc ? rc : 1;
}

size_t
fuota_parity_evict (fuota_parity_t *self, uint64_t limit, int64_t keep)
{
    size_t count = 0;
    while (s_evict_one (self, limit, keep) == 1)
        count++;
    return count;
}
