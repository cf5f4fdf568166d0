//  SPDX-License-Identifier: MIT
//
//  Parts: opening; accounts (what an image takes, when it was used); writing;
//  eviction; reading.

#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "schema/parity.h"

#define FORMAT "1"
#define PAGE 4096
#define BLOCK_KEY 38

enum {
    META,   //  "format", "bytes" -> 8
    IMAGE,  //  SHA-256 -> its bytes
    USE,    //  SHA-256 -> stamp (8), bytes (8)
    AGE,    //  stamp (8), SHA-256 -> nothing
    BLOCK,  //  SHA-256, rule (1), frag_size (1), NbFrag (2), block (2) -> rows
    TABLES
};

struct fuota_parity {
    MDB_env *env;
    MDB_dbi dbi [TABLES];
    char boot [4096];  //  The broker's: file that says it is open
    char error [160];
};

struct fuota_view {
    fuota_parity_t *parity;
    MDB_txn *txn;
};

typedef struct {
    int64_t stamp;
    uint64_t bytes;
} s_use_t;

static int
s_fault (fuota_parity_t *self, const char *what, int rc)
{
    snprintf (self->error, sizeof self->error, "%s: %s", what,
        mdb_strerror (rc));
    return rc == MDB_MAP_FULL || rc == ENOSPC ? FUOTA_EFULL : FUOTA_EDB;
}

//  ---------------------------------------------------------------------
//  Opening

static int
s_format (fuota_parity_t *self, MDB_txn *txn)
{
    MDB_val key = { 6, "format" }, value;
    int rc = mdb_get (txn, self->dbi [META], &key, &value);
    if (rc == MDB_NOTFOUND) {
        value = (MDB_val){ sizeof FORMAT - 1, FORMAT };
        rc = mdb_put (txn, self->dbi [META], &key, &value, 0);
    }
    else if (rc == 0 && (value.mv_size != sizeof FORMAT - 1 ||
                            memcmp (value.mv_data, FORMAT, value.mv_size))) {
        snprintf (self->error, sizeof self->error, "made by another version");
        return FUOTA_EVERSION;
    }
    return rc ? s_fault (self, "format", rc) : 0;
}

static int
s_tables (fuota_parity_t *self)
{
    static const char *const names [TABLES] = { "meta", "image", "use", "age",
        "block" };
    MDB_txn *txn;
    int rc = mdb_txn_begin (self->env, NULL, 0, &txn);
    if (rc)
        return s_fault (self, "begin", rc);
    for (unsigned i = 0; !rc && i < TABLES; i++) {
        rc = mdb_dbi_open (txn, names [i], MDB_CREATE, &self->dbi [i]);
        if (rc)
            rc = s_fault (self, names [i], rc);
    }
    if (!rc)
        rc = s_format (self, txn);
    if (rc) {
        mdb_txn_abort (txn);
        return rc;
    }
    rc = mdb_txn_commit (txn);
    return rc ? s_fault (self, "commit", rc) : 0;
}

//  Which start of this machine it is: what one start wrote without a sync
//  outlives any process, but not the next start.
static void
s_boot_id (const char *path, char id [64])
{
    FILE *file = fopen (path, "r");
    *id = 0;
    if (file && !fgets (id, 64, file))
        *id = 0;
    if (file)
        fclose (file);
}

//  Wipe what was open when the machine went down, and note that it is open.
static int
s_begin_boot (fuota_parity_t *self, const char *folder)
{
    char now [64], then [64];
    s_boot_id ("/proc/sys/kernel/random/boot_id", now);
    snprintf (self->boot, sizeof self->boot, "%s/open", folder);
    bool open = !access (self->boot, F_OK);
    s_boot_id (self->boot, then);
    if (open && (!*now || strcmp (now, then)))
        fuota_parity_wipe (folder);
    FILE *file = fopen (self->boot, "w");
    if (!file || fputs (now, file) < 0 || fflush (file) ||
        fsync (fileno (file))) {
        if (file)
            fclose (file);
        return s_fault (self, "folder", errno);
    }
    fclose (file);
    return 0;
}

static int
s_open (fuota_parity_t *self, const char *folder, size_t map_size)
{
    if (map_size && mkdir (folder, 0700) && errno != EEXIST)
        return s_fault (self, "folder", errno);
    int rc = map_size ? s_begin_boot (self, folder) : 0;
    if (rc)
        return rc;
    rc = mdb_env_create (&self->env);
    if (rc)
        return s_fault (self, "create", rc);
    if (map_size)
        mdb_env_set_mapsize (self->env, map_size);
    mdb_env_set_maxdbs (self->env, TABLES);
    mdb_env_set_maxreaders (self->env, 1024);
    rc = mdb_env_open (self->env, folder,
        MDB_NOTLS | MDB_NOSYNC | MDB_NORDAHEAD, 0600);
    if (rc == MDB_VERSION_MISMATCH || rc == MDB_INVALID) {
        s_fault (self, "open", rc);
        return FUOTA_EVERSION;
    }
    return rc ? s_fault (self, "open", rc) : s_tables (self);
}

fuota_parity_t *
fuota_parity_open (const char *folder, size_t map_size, int *rc, char *error,
    size_t error_size)
{
    fuota_parity_t *self = calloc (1, sizeof *self);
    if (!self) {
        *rc = FUOTA_EDB;
        snprintf (error, error_size, "%s: out of memory", folder);
        return NULL;
    }
    *rc = s_open (self, folder, map_size);
    if (*rc) {
        snprintf (error, error_size, "%s: %s", folder, self->error);
        fuota_parity_close (&self);
    }
    return self;
}

void
fuota_parity_close (fuota_parity_t **self_p)
{
    fuota_parity_t *self = *self_p;
    if (!self)
        return;
    bool synced = self->env && *self->boot && !mdb_env_sync (self->env, 1);
    if (self->env)
        mdb_env_close (self->env);
    if (synced)
        unlink (self->boot);
    free (self);
    *self_p = NULL;
}

void
fuota_parity_wipe (const char *folder)
{
    char path [4096];
    snprintf (path, sizeof path, "%s/data.mdb", folder);
    unlink (path);
    snprintf (path, sizeof path, "%s/lock.mdb", folder);
    unlink (path);
}

const char *
fuota_parity_error (const fuota_parity_t *self)
{
    return self->error;
}

int
fuota_parity_sweep (fuota_parity_t *self)
{
    int dead = 0;
    mdb_reader_check (self->env, &dead);
    return dead;
}

//  ---------------------------------------------------------------------
//  Accounts

static uint64_t
s_pages (size_t size)
{
    return (size + PAGE + 15) / PAGE * PAGE;
}

static uint64_t
s_bytes (fuota_parity_t *self, MDB_txn *txn)
{
    MDB_val key = { 5, "bytes" }, value;
    if (mdb_get (txn, self->dbi [META], &key, &value) || value.mv_size != 8)
        return 0;
    return fuota_be (value.mv_data, 8);
}

static int
s_add_bytes (fuota_parity_t *self, MDB_txn *txn, uint64_t bytes)
{
    uint8_t data [8];
    fuota_writer_t writer = fuota_writer (data, sizeof data);
    fuota_writer_be (&writer, s_bytes (self, txn) + bytes, 8);
    MDB_val key = { 5, "bytes" }, value = { 8, data };
    return mdb_put (txn, self->dbi [META], &key, &value, 0);
}

static int
s_use (fuota_parity_t *self, MDB_txn *txn, const uint8_t *sha256, s_use_t *use)
{
    MDB_val key = { 32, (void *) sha256 }, value;
    int rc = mdb_get (txn, self->dbi [USE], &key, &value);
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
        rc = mdb_del (txn, self->dbi [AGE], &key, NULL);
        if (rc == MDB_NOTFOUND)
            rc = 0;
    }
    if (!rc && (!old || old->stamp != use->stamp)) {
        key = s_age_key (name, use->stamp, sha256);
        rc = mdb_put (txn, self->dbi [AGE], &key, &value, 0);
    }
    fuota_writer_t writer = fuota_writer (data, sizeof data);
    fuota_writer_be (&writer, (uint64_t) use->stamp, 8);
    fuota_writer_be (&writer, use->bytes, 8);
    key = (MDB_val){ 32, (void *) sha256 };
    value = (MDB_val){ 16, data };
    return rc ? rc : mdb_put (txn, self->dbi [USE], &key, &value, 0);
}

//  ---------------------------------------------------------------------
//  Writing

static MDB_val
s_block_key (uint8_t data [BLOCK_KEY], const fuota_parity_key_t *key,
    uint32_t block)
{
    fuota_writer_t writer = fuota_writer (data, BLOCK_KEY);
    fuota_writer_copy (&writer, key->image, 32);
    fuota_writer_u8 (&writer, key->rule);
    fuota_writer_u8 (&writer, key->frag_size);
    fuota_writer_be (&writer, fuota_parity_nb_frag (key), 2);
    fuota_writer_be (&writer, block, 2);
    return (MDB_val){ BLOCK_KEY, data };
}

//  End a transaction in which rc was the last step's.
static int
s_finish (fuota_parity_t *self, MDB_txn *txn, const char *what, int rc)
{
    if (!rc)
        rc = mdb_txn_commit (txn);
    else
        mdb_txn_abort (txn);
    return rc ? s_fault (self, what, rc) : 0;
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
        return s_fault (self, "begin", rc);
    rc = s_stamp (self, txn, sha256, now);
    if (rc == MDB_NOTFOUND) {
        s_use_t use = { now, s_pages (image.size) };
        MDB_val key = { 32, (void *) sha256 };
        MDB_val value = { image.size, (void *) image.data };
        rc = mdb_put (txn, self->dbi [IMAGE], &key, &value, 0);
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
        return s_fault (self, "begin", rc);
    rc = s_stamp (self, txn, sha256, now);
    return s_finish (self, txn, "stamp", rc == MDB_NOTFOUND ? 0 : rc);
}

static int
s_put_block (fuota_parity_t *self, MDB_txn *txn,
    const fuota_parity_block_t *block)
{
    uint8_t name [BLOCK_KEY];
    s_use_t use;
    int rc = s_use (self, txn, block->key->image, &use);
    if (rc)
        return rc == MDB_NOTFOUND ? 0 : rc;
    MDB_val key = s_block_key (name, block->key, block->block), old;
    MDB_val value = { block->rows.size, (void *) block->rows.data };
    rc = mdb_get (txn, self->dbi [BLOCK], &key, &old);
    if (!rc && old.mv_size == value.mv_size) {
        //  One of a worker that lied and fell silent must not put another to
        //  shame
        bool same = !memcmp (old.mv_data, value.mv_data, value.mv_size);
        return same ? 0 : mdb_put (txn, self->dbi [BLOCK], &key, &value, 0);
    }
    rc = mdb_put (txn, self->dbi [BLOCK], &key, &value, 0);
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
        return s_fault (self, "begin", rc);
    for (size_t i = 0; !rc && i < count; i++)
        rc = s_put_block (self, txn, &blocks [i]);
    return s_finish (self, txn, "block", rc);
}

static int
s_drop_block (fuota_parity_t *self, MDB_txn *txn, const fuota_parity_key_t *key,
    uint32_t block, s_use_t *use)
{
    uint8_t name [BLOCK_KEY];
    MDB_val at = s_block_key (name, key, block), value;
    int rc = mdb_get (txn, self->dbi [BLOCK], &at, &value);
    if (rc)
        return rc == MDB_NOTFOUND ? 0 : rc;
    use->bytes -= s_pages (value.mv_size);
    return mdb_del (txn, self->dbi [BLOCK], &at, NULL);
}

int
fuota_parity_drop (fuota_parity_t *self, const fuota_parity_key_t *key,
    uint32_t first, uint32_t count)
{
    s_use_t old = { .stamp = 0 }, use;
    MDB_txn *txn;
    int rc = mdb_txn_begin (self->env, NULL, 0, &txn);
    if (rc)
        return s_fault (self, "begin", rc);
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
    int rc = mdb_cursor_open (txn, self->dbi [BLOCK], &cursor);
    if (rc)
        return rc;
    MDB_val key = { 32, (void *) sha256 }, value;
    rc = mdb_cursor_get (cursor, &key, &value, MDB_SET_RANGE);
    while (
        !rc && key.mv_size == BLOCK_KEY && !memcmp (key.mv_data, sha256, 32)) {
        rc = mdb_cursor_del (cursor, 0);
        if (!rc)
            rc = mdb_cursor_get (cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close (cursor);
    if (rc && rc != MDB_NOTFOUND)
        return rc;
    key = s_age_key (name, use->stamp, sha256);
    rc = mdb_del (txn, self->dbi [AGE], &key, NULL);
    key = (MDB_val){ 32, (void *) sha256 };
    if (!rc)
        rc = mdb_del (txn, self->dbi [USE], &key, NULL);
    if (!rc)
        rc = mdb_del (txn, self->dbi [IMAGE], &key, NULL);
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
        return s_fault (self, "begin", rc);
    MDB_val key, value;
    rc = s_bytes (self, txn) <= limit
             ? MDB_NOTFOUND
             : mdb_cursor_open (txn, self->dbi [AGE], &cursor);
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

//  ---------------------------------------------------------------------
//  Reading

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
    return s_get (self, IMAGE, &key, image);
}

int
fuota_view_block (fuota_view_t *self, const fuota_parity_key_t *key,
    uint32_t block, fuota_slice_t *rows)
{
    uint8_t name [BLOCK_KEY];
    MDB_val value = s_block_key (name, key, block);
    int rc = s_get (self, BLOCK, &value, rows);
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
    uint64_t bytes = view ? s_bytes (self, view->txn) : 0;
    fuota_view_end (&view);
    return bytes;
}
