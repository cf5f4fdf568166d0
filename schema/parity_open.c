//  SPDX-License-Identifier: MIT

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "schema/parity_private.h"

#define FORMAT "1"

int
fuota_parity_fault (fuota_parity_t *self, const char *what, int rc)
{
    snprintf (self->error, sizeof self->error, "%s: %s", what,
        mdb_strerror (rc));
    return rc == MDB_MAP_FULL || rc == ENOSPC ? FUOTA_EFULL : FUOTA_EDB;
}

static int
s_format (fuota_parity_t *self, MDB_txn *txn)
{
    MDB_val key = { 6, "format" }, value;
    int rc = mdb_get (txn, self->dbi [FUOTA_PARITY_META], &key, &value);
    if (rc == MDB_NOTFOUND) {
        value = (MDB_val){ sizeof FORMAT - 1, FORMAT };
        rc = mdb_put (txn, self->dbi [FUOTA_PARITY_META], &key, &value, 0);
    }
    else if (rc == 0 && (value.mv_size != sizeof FORMAT - 1 ||
                            memcmp (value.mv_data, FORMAT, value.mv_size))) {
        snprintf (self->error, sizeof self->error, "made by another version");
        return FUOTA_EVERSION;
    }
    return rc ? fuota_parity_fault (self, "format", rc) : 0;
}

static int
s_tables (fuota_parity_t *self)
{
    static const char *const names [FUOTA_PARITY_TABLES] = { "meta", "image",
        "use", "age", "block" };
    MDB_txn *txn;
    int rc = mdb_txn_begin (self->env, NULL, 0, &txn);
    if (rc)
        return fuota_parity_fault (self, "begin", rc);
    for (unsigned i = 0; !rc && i < FUOTA_PARITY_TABLES; i++) {
        rc = mdb_dbi_open (txn, names [i], MDB_CREATE, &self->dbi [i]);
        if (rc)
            rc = fuota_parity_fault (self, names [i], rc);
    }
    if (!rc)
        rc = s_format (self, txn);
    if (rc) {
        mdb_txn_abort (txn);
        return rc;
    }
    rc = mdb_txn_commit (txn);
    return rc ? fuota_parity_fault (self, "commit", rc) : 0;
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
        return fuota_parity_fault (self, "folder", errno);
    }
    fclose (file);
    return 0;
}

static int
s_open (fuota_parity_t *self, const char *folder, size_t map_size)
{
    if (map_size && mkdir (folder, 0700) && errno != EEXIST)
        return fuota_parity_fault (self, "folder", errno);
    int rc = map_size ? s_begin_boot (self, folder) : 0;
    if (rc)
        return rc;
    rc = mdb_env_create (&self->env);
    if (rc)
        return fuota_parity_fault (self, "create", rc);
    if (map_size)
        mdb_env_set_mapsize (self->env, map_size);
    mdb_env_set_maxdbs (self->env, FUOTA_PARITY_TABLES);
    mdb_env_set_maxreaders (self->env, 1024);
    rc = mdb_env_open (self->env, folder,
        MDB_NOTLS | MDB_NOSYNC | MDB_NORDAHEAD, 0600);
    if (rc == MDB_VERSION_MISMATCH || rc == MDB_INVALID) {
        fuota_parity_fault (self, "open", rc);
        return FUOTA_EVERSION;
    }
    return rc ? fuota_parity_fault (self, "open", rc) : s_tables (self);
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
