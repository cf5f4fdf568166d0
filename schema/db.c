//  SPDX-License-Identifier: MIT
//
//  Parts: opening and the format number; applying batches; reads and scans.

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "schema/db.h"
#include "schema/record.h"

#define FORMAT "1"

struct fuota_db {
    MDB_env *env;
    MDB_dbi dbi [FUOTA_TABLES];
    int lock;  //  File descriptor that keeps a second process out
    char error [160];
};

struct fuota_read {
    fuota_db_t *db;
    MDB_txn *txn;
    bool live;  //  Holds a snapshot
};

static int
s_fault (fuota_db_t *self, const char *what, int rc)
{
    snprintf (self->error, sizeof self->error, "%s: %s", what,
        mdb_strerror (rc));
    return rc == MDB_MAP_FULL || rc == ENOSPC ? FUOTA_EFULL : FUOTA_EDB;
}

//  ---------------------------------------------------------------------
//  Opening

static int
s_lock (fuota_db_t *self, const char *folder)
{
    char path [4096];
    if (mkdir (folder, 0700) && errno != EEXIST) {
        snprintf (self->error, sizeof self->error, "%s", strerror (errno));
        return FUOTA_EDB;
    }
    snprintf (path, sizeof path, "%s/lock", folder);
    self->lock = open (path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (self->lock < 0) {
        snprintf (self->error, sizeof self->error, "%s", strerror (errno));
        return FUOTA_EDB;
    }
    if (flock (self->lock, LOCK_EX | LOCK_NB)) {
        snprintf (self->error, sizeof self->error, "in use by another process");
        return FUOTA_EBUSY;
    }
    return 0;
}

//  Open all tables and check or write the format number.
static int
s_tables (fuota_db_t *self, MDB_txn *txn)
{
    static const char *const names [FUOTA_TABLES] = { "meta", "deployment",
        "group", "device", "route", "counter", "clock", "outbox", "image",
        "blob", "journal", "token", "order", "reception", "gateway", "fate",
        "air" };
    for (unsigned i = 0; i < FUOTA_TABLES; i++) {
        int rc = mdb_dbi_open (txn, names [i], MDB_CREATE, &self->dbi [i]);
        if (rc)
            return s_fault (self, names [i], rc);
    }
    MDB_val key = { 6, "format" }, value;
    int rc = mdb_get (txn, self->dbi [FUOTA_TABLE_META], &key, &value);
    if (rc == MDB_NOTFOUND) {
        value = (MDB_val){ sizeof FORMAT - 1, FORMAT };
        rc = mdb_put (txn, self->dbi [FUOTA_TABLE_META], &key, &value, 0);
    }
    else if (rc == 0 && (value.mv_size != sizeof FORMAT - 1 ||
                            memcmp (value.mv_data, FORMAT, value.mv_size))) {
        snprintf (self->error, sizeof self->error,
            "made by another version (format %.*s, this one knows " FORMAT ")",
            (int) (value.mv_size < 16 ? value.mv_size : 16),
            (const char *) value.mv_data);
        return FUOTA_EVERSION;
    }
    return rc ? s_fault (self, "format", rc) : 0;
}

static int
s_open (fuota_db_t *self, const char *folder, size_t map_size, int flags)
{
    int rc = s_lock (self, folder);
    if (rc)
        return rc;
    rc = mdb_env_create (&self->env);
    if (rc)
        return s_fault (self, "create", rc);
    mdb_env_set_mapsize (self->env, map_size);
    mdb_env_set_maxdbs (self->env, FUOTA_TABLES);
    mdb_env_set_maxreaders (self->env, 64);
    //  NOTLS: a read belongs to its fuota_read_t, not to a thread
    unsigned mode =
        MDB_NOTLS | MDB_NORDAHEAD | (flags & FUOTA_DB_NOSYNC ? MDB_NOSYNC : 0);
    rc = mdb_env_open (self->env, folder, mode, 0600);
    if (rc)
        return s_fault (self, "open", rc);
    MDB_txn *txn;
    rc = mdb_txn_begin (self->env, NULL, 0, &txn);
    if (rc)
        return s_fault (self, "begin", rc);
    int code = s_tables (self, txn);
    if (code) {
        mdb_txn_abort (txn);
        return code;
    }
    rc = mdb_txn_commit (txn);
    return rc ? s_fault (self, "commit", rc) : 0;
}

fuota_db_t *
fuota_db_open (const char *folder, size_t map_size, int flags, int *rc,
    char *error, size_t error_size)
{
    fuota_db_t *self = calloc (1, sizeof *self);
    if (!self) {
        *rc = FUOTA_EDB;
        snprintf (error, error_size, "%s: out of memory", folder);
        return NULL;
    }
    self->lock = -1;
    *rc = s_open (self, folder, map_size, flags);
    if (*rc) {
        snprintf (error, error_size, "%s: %s", folder, self->error);
        fuota_db_close (&self);
    }
    return self;
}

void
fuota_db_close (fuota_db_t **self_p)
{
    fuota_db_t *self = *self_p;
    if (!self)
        return;
    if (self->env)
        mdb_env_close (self->env);
    if (self->lock >= 0)
        close (self->lock);
    free (self);
    *self_p = NULL;
}

const char *
fuota_db_error (const fuota_db_t *self)
{
    return self->error;
}

//  Pages that were freed and can be written again, and the longest row of
//  them. Table 0 is LMDB's own list: transaction -> count, pages, the highest
//  first. It does not touch what the last two transactions freed.
static void
s_free_pages (fuota_db_t *self, size_t last, size_t *pages, size_t *run)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_val key, value;
    *pages = *run = 0;
    if (mdb_txn_begin (self->env, NULL, MDB_RDONLY, &txn))
        return;
    if (mdb_cursor_open (txn, 0, &cursor)) {
        mdb_txn_abort (txn);
        return;
    }
    while (!mdb_cursor_get (cursor, &key, &value, MDB_NEXT)) {
        const size_t *list = value.mv_data;  //  Aligned, as its pages are
        if (*(const size_t *) key.mv_data + 1 >= last)
            break;
        *pages += list [0];
        for (size_t i = 1, row = 0; i <= list [0]; i++) {
            row = i > 1 && list [i] + 1 == list [i - 1] ? row + 1 : 1;
            *run = row > *run ? row : *run;
        }
    }
    mdb_cursor_close (cursor);
    mdb_txn_abort (txn);
}

fuota_db_room_t
fuota_db_room (fuota_db_t *self)
{
    MDB_envinfo info;
    MDB_stat stat;
    size_t freed, run;
    mdb_env_info (self->env, &info);
    mdb_env_stat (self->env, &stat);
    s_free_pages (self, info.me_last_txnid, &freed, &run);
    size_t page = stat.ms_psize, pages = info.me_last_pgno + 1;
    size_t end = info.me_mapsize / page;
    size_t fresh = end > pages ? end - pages : 0;
    return (fuota_db_room_t){ .used = (pages - freed) * page,
        .left = (fresh + freed) * page,
        .run = (fresh > run ? fresh : run) * page };
}

//  ---------------------------------------------------------------------
//  Writing

static int
s_apply_row (fuota_db_t *self, MDB_txn *txn, const fuota_batch_row_t *row)
{
    MDB_val key = { row->key.size, (void *) row->key.data };
    MDB_val value = { row->value.size, (void *) row->value.data };
    MDB_dbi dbi = self->dbi [row->table];
    int rc = row->put ? mdb_put (txn, dbi, &key, &value, 0)
                      : mdb_del (txn, dbi, &key, NULL);
    if (rc == MDB_NOTFOUND)
        rc = 0;  //  Gone already: what was wanted
    return rc ? s_fault (self, row->put ? "put" : "delete", rc) : 0;
}

static int
s_apply (fuota_db_t *self, MDB_txn *txn, fuota_slice_t batch)
{
    fuota_reader_t bytes = fuota_reader (batch.data, batch.size);
    fuota_batch_row_t row;
    for (;;) {
        int rc = fuota_batch_next (&bytes, &row);
        if (rc == 1)
            rc = s_apply_row (self, txn, &row);
        else
            return rc;
        if (rc)
            return rc;
    }
}

int
fuota_db_apply (fuota_db_t *self, const fuota_slice_t *batches, size_t count)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin (self->env, NULL, 0, &txn);
    if (rc)
        return s_fault (self, "begin", rc);
    for (size_t i = 0; i < count; i++) {
        rc = s_apply (self, txn, batches [i]);
        if (rc) {
            mdb_txn_abort (txn);
            return rc;
        }
    }
    rc = mdb_txn_commit (txn);  //  Frees txn, even when it fails
    return rc ? s_fault (self, "commit", rc) : 0;
}

//  ---------------------------------------------------------------------
//  Reading

fuota_read_t *
fuota_db_read (fuota_db_t *self)
{
    fuota_read_t *read = calloc (1, sizeof *read);
    if (!read)
        return NULL;
    read->db = self;
    if (mdb_txn_begin (self->env, NULL, MDB_RDONLY, &read->txn)) {
        free (read);
        return NULL;
    }
    read->live = true;
    return read;
}

void
fuota_read_end (fuota_read_t **self_p)
{
    if (!*self_p)
        return;
    mdb_txn_abort ((*self_p)->txn);
    free (*self_p);
    *self_p = NULL;
}

void
fuota_read_reset (fuota_read_t *self)
{
    if (self->live)
        mdb_txn_reset (self->txn);
    self->live = false;
}

int
fuota_read_renew (fuota_read_t *self)
{
    fuota_read_reset (self);
    if (mdb_txn_renew (self->txn))
        return FUOTA_EDB;
    self->live = true;
    return 0;
}

int
fuota_read_get (fuota_read_t *self, fuota_table_t table, const fuota_key_t *key,
    fuota_slice_t *value)
{
    MDB_val name = { key->size, (void *) key->data }, found;
    int rc = mdb_get (self->txn, self->db->dbi [table], &name, &found);
    if (rc)
        return rc == MDB_NOTFOUND ? FUOTA_ENOTFOUND : FUOTA_EDB;
    *value = fuota_slice (found.mv_data, found.mv_size);
    return 0;
}

int
fuota_read_record (fuota_read_t *self, fuota_table_t table,
    const fuota_key_t *key, const struct pb_msgdesc_s *fields, void *record)
{
    fuota_slice_t value;
    int rc = fuota_read_get (self, table, key, &value);
    return rc ? rc : fuota_record_decode (fields, record, value);
}

static bool
s_less (const fuota_key_t *a, const fuota_key_t *b)
{
    int order =
        memcmp (a->data, b->data, a->size < b->size ? a->size : b->size);
    return order < 0 || (order == 0 && a->size < b->size);
}

int
fuota_scan_open (fuota_scan_t *self, fuota_read_t *read, fuota_table_t table,
    const fuota_key_t *prefix, const fuota_key_t *from)
{
    MDB_cursor *cursor;
    *self = (fuota_scan_t){ .cursor = NULL };
    if (mdb_cursor_open (read->txn, read->db->dbi [table], &cursor))
        return FUOTA_EDB;
    self->cursor = cursor;
    if (prefix)
        self->prefix = *prefix;
    self->from = from && !s_less (from, &self->prefix) ? *from : self->prefix;
    return 0;
}

bool
fuota_scan_next (fuota_scan_t *self)
{
    if (!self->cursor)
        return false;
    MDB_val key = { self->from.size, self->from.data }, value;
    //  LMDB refuses an empty key as a place to start from
    MDB_cursor_op first = self->from.size ? MDB_SET_RANGE : MDB_FIRST;
    int rc = mdb_cursor_get ((MDB_cursor *) self->cursor, &key, &value,
        self->started ? MDB_NEXT : first);
    self->started = true;
    if (rc || key.mv_size < self->prefix.size ||
        memcmp (key.mv_data, self->prefix.data, self->prefix.size))
        return false;
    self->key = fuota_slice (key.mv_data, key.mv_size);
    self->value = fuota_slice (value.mv_data, value.mv_size);
    return true;
}

void
fuota_scan_close (fuota_scan_t *self)
{
    if (self->cursor)
        mdb_cursor_close ((MDB_cursor *) self->cursor);
    self->cursor = NULL;
}

int
fuota_read_last (fuota_read_t *self, fuota_table_t table,
    const fuota_key_t *prefix, fuota_key_t *key)
{
    //  The key after all of this prefix, then one step back
    fuota_key_t after = *prefix;
    memset (after.data + after.size, 0xff, FUOTA_KEY_MAX - after.size);
    after.size = FUOTA_KEY_MAX;
    MDB_cursor *cursor;
    if (mdb_cursor_open (self->txn, self->db->dbi [table], &cursor))
        return FUOTA_EDB;
    MDB_val found = { after.size, after.data }, value;
    int rc = mdb_cursor_get (cursor, &found, &value, MDB_SET_RANGE);
    rc = mdb_cursor_get (cursor, &found, &value, rc ? MDB_LAST : MDB_PREV);
    bool ours = !rc && found.mv_size >= prefix->size &&
                !memcmp (found.mv_data, prefix->data, prefix->size);
    if (ours)
        *key = fuota_key_bytes (found.mv_data, found.mv_size);
    mdb_cursor_close (cursor);
    return ours ? 0 : FUOTA_ENOTFOUND;
}
