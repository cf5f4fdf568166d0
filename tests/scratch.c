//  SPDX-License-Identifier: MIT

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "tests/scratch.h"

void
scratch_init (scratch_t *self, size_t map_size, int flags)
{
    const char *base = getenv ("TMPDIR");
    *self = (scratch_t){ .map_size = map_size, .flags = flags };
    snprintf (self->folder, sizeof self->folder, "%s/fuota-XXXXXX",
        base && strlen (base) < 40 ? base : "/tmp");
    char *made = mkdtemp (self->folder);
    assert (made);
    (void) made;
    scratch_reopen (self);
}

void
scratch_reopen (scratch_t *self)
{
    char error [160];
    int rc;
    fuota_db_close (&self->db);
    self->db = fuota_db_open (self->folder, self->map_size, self->flags, &rc,
        error, sizeof error);
    if (!self->db)
        fprintf (stderr, "%s\n", error);
    assert (self->db);
}

void
scratch_release (scratch_t *self)
{
    static const char *const files [] = { "data.mdb", "lock.mdb", "lock" };
    char path [128];
    fuota_db_close (&self->db);
    for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf (path, sizeof path, "%s/%s", self->folder, files [i]);
        unlink (path);
    }
    rmdir (self->folder);
}

void
scratch_commit (scratch_t *self, fuota_batch_t *batch)
{
    fuota_slice_t bytes = fuota_slice (batch->data, batch->size);
    assert (!batch->failed);
    int rc = fuota_db_apply (self->db, &bytes, 1);
    assert (rc == 0);
    (void) rc;
    fuota_batch_release (batch);
}

void
scratch_put (scratch_t *self, fuota_table_t table, fuota_key_t key,
    const pb_msgdesc_t *fields, const void *record)
{
    fuota_batch_t batch = { 0 };
    fuota_batch_record (&batch, table, &key, fields, record);
    scratch_commit (self, &batch);
}

void
scratch_put_bytes (scratch_t *self, fuota_table_t table, fuota_key_t key,
    const void *data, size_t size)
{
    fuota_batch_t batch = { 0 };
    fuota_batch_put (&batch, table, &key, fuota_slice (data, size));
    scratch_commit (self, &batch);
}

int
scratch_get (scratch_t *self, fuota_table_t table, fuota_key_t key,
    const pb_msgdesc_t *fields, void *record)
{
    fuota_read_t *read = fuota_db_read (self->db);
    assert (read);
    int rc = fuota_read_record (read, table, &key, fields, record);
    fuota_read_end (&read);
    return rc;
}

size_t
scratch_count (scratch_t *self, fuota_table_t table)
{
    fuota_read_t *read = fuota_db_read (self->db);
    fuota_scan_t scan;
    size_t count = 0;
    assert (read);
    int rc = fuota_scan_open (&scan, read, table, NULL, NULL);
    assert (rc == 0);
    (void) rc;
    while (fuota_scan_next (&scan))
        count++;
    fuota_scan_close (&scan);
    fuota_read_end (&read);
    return count;
}
