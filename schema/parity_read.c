//  SPDX-License-Identifier: MIT

#include <stdlib.h>
#include "schema/parity_private.h"

struct fuota_view {
    fuota_parity_t *parity;
    MDB_txn *txn;
};

MDB_val
fuota_parity_block_key (uint8_t data [FUOTA_PARITY_BLOCK_KEY],
    const fuota_parity_key_t *key, uint32_t block)
{
    fuota_writer_t writer = fuota_writer (data, FUOTA_PARITY_BLOCK_KEY);
    fuota_writer_copy (&writer, key->image, 32);
    fuota_writer_u8 (&writer, key->rule);
    fuota_writer_u8 (&writer, key->frag_size);
    fuota_writer_be (&writer, fuota_parity_nb_frag (key), 2);
    fuota_writer_be (&writer, block, 2);
    return (MDB_val){ FUOTA_PARITY_BLOCK_KEY, data };
}

uint64_t
fuota_parity_bytes (fuota_parity_t *self, MDB_txn *txn)
{
    MDB_val key = { 5, "bytes" }, value;
    if (mdb_get (txn, self->dbi [FUOTA_PARITY_META], &key, &value) ||
        value.mv_size != 8)
        return 0;
    return fuota_be (value.mv_data, 8);
}

fuota_view_t *
fuota_parity_view (fuota_parity_t *self)
{
    fuota_view_t *view = calloc (1, sizeof *view);
    if (!view)
        return NULL;
    view->parity = self;
    int rc = mdb_txn_begin (self->env, NULL, MDB_RDONLY, &view->txn);
    if (!rc)
        return view;
    free (view);
    return NULL;
}

void
fuota_view_end (fuota_view_t **self_p)
{
    if (!*self_p)
        return;
    mdb_txn_abort ((*self_p)->txn);
    free (*self_p);
    *self_p = NULL;
}

static int
s_get (fuota_view_t *self, unsigned table, MDB_val *key, fuota_slice_t *out)
{
    MDB_val value;
    int rc = mdb_get (self->txn, self->parity->dbi [table], key, &value);
    if (rc)
        return rc == MDB_NOTFOUND ? FUOTA_ENOTFOUND : FUOTA_EDB;
    *out = fuota_slice (value.mv_data, value.mv_size);
    return 0;
}

int
fuota_view_image (fuota_view_t *self, const uint8_t sha256 [32],
    fuota_slice_t *image)
{
    MDB_val key = { 32, (void *) sha256 };
    return s_get (self, FUOTA_PARITY_IMAGE, &key, image);
}

int
fuota_view_block (fuota_view_t *self, const fuota_parity_key_t *key,
    uint32_t block, fuota_slice_t *rows)
{
    uint8_t name [FUOTA_PARITY_BLOCK_KEY];
    MDB_val value = fuota_parity_block_key (name, key, block);
    int rc = s_get (self, FUOTA_PARITY_BLOCK, &value, rows);
    if (!rc && rows->size != (size_t) fuota_parity_block_rows (key, block) *
                                 key->frag_size)
        return FUOTA_EFORMAT;
    return rc;
}

int
fuota_parity_row (fuota_parity_t *self, const fuota_parity_key_t *key,
    uint32_t n, uint8_t *out)
{
    fuota_slice_t rows;
    fuota_view_t *view = fuota_parity_view (self);
    if (!view)
        return FUOTA_EDB;
    int rc =
        fuota_view_block (view, key, (n - 1) / FUOTA_FEC_BLOCK_ROWS, &rows);
    size_t at = (size_t) ((n - 1) % FUOTA_FEC_BLOCK_ROWS) * key->frag_size;
    if (!rc && at + key->frag_size > rows.size)
        rc = FUOTA_ENOTFOUND;
    if (!rc)
        memcpy (out, rows.data + at, key->frag_size);
    fuota_view_end (&view);
    return rc;
}

uint32_t
fuota_parity_missing (fuota_parity_t *self, const fuota_parity_key_t *key,
    uint32_t *first, uint32_t count)
{
    uint32_t low = *first + count, high = *first;
    fuota_slice_t rows;
    fuota_view_t *view = fuota_parity_view (self);
    if (!view)
        return count;
    for (uint32_t i = *first; i < *first + count; i++)
        if (fuota_view_block (view, key, i, &rows)) {
            low = i < low ? i : low;
            high = i + 1;
        }
    fuota_view_end (&view);
    if (low >= high)
        return 0;
    *first = low;
    return high - low;
}

uint64_t
fuota_parity_used (fuota_parity_t *self)
{
    fuota_view_t *view = fuota_parity_view (self);
    uint64_t bytes = view ? fuota_parity_bytes (self, view->txn) : 0;
    fuota_view_end (&view);
    return bytes;
}
