//  SPDX-License-Identifier: MIT
//
//  Parts: opening; reading and scanning; writing all or nothing; full.

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "tests/scratch.h"

#define MAP (16u << 20)

static fuota_key_t
s_key (const char *name)
{
    return fuota_key_bytes (name, strlen (name));
}

static int
s_setup (void **state)
{
    static scratch_t scratch;
    scratch_init (&scratch, MAP, FUOTA_DB_NOSYNC);
    *state = &scratch;
    return 0;
}

static int
s_teardown (void **state)
{
    scratch_release (*state);
    return 0;
}

static void
s_put (scratch_t *scratch, const char *name, const char *value)
{
    scratch_put_bytes (scratch, FUOTA_TABLE_TOKEN, s_key (name), value,
        strlen (value));
}

//  ---------------------------------------------------------------------
//  Opening

static void
test_db__second_opener_is_refused (void **state)
{
    scratch_t *scratch = *state;
    char error [160];
    int rc;
    fuota_db_t *second = fuota_db_open (scratch->folder, MAP, FUOTA_DB_NOSYNC,
        &rc, error, sizeof error);
    assert_null (second);
    assert_int_equal (rc, FUOTA_EBUSY);
    assert_non_null (strstr (error, scratch->folder));
    //  The first is unharmed, and its end frees the folder
    s_put (scratch, "a", "1");
    scratch_reopen (scratch);
    assert_int_equal (scratch_count (scratch, FUOTA_TABLE_TOKEN), 1);
}

static void
test_db__alien_folders_are_refused (void **state)
{
    scratch_t *scratch = *state;
    char path [128], error [160], noise [8192];
    int rc;
    //  A parent that does not exist
    snprintf (path, sizeof path, "%s/no/such", scratch->folder);
    assert_null (fuota_db_open (path, MAP, 0, &rc, error, sizeof error));
    assert_int_equal (rc, FUOTA_EDB);
    //  A file in its place
    snprintf (path, sizeof path, "%s/lock", scratch->folder);
    assert_null (fuota_db_open (path, MAP, 0, &rc, error, sizeof error));
    assert_int_equal (rc, FUOTA_EDB);
    //  Bytes that LMDB does not know
    fuota_db_close (&scratch->db);
    snprintf (path, sizeof path, "%s/data.mdb", scratch->folder);
    memset (noise, 0xa5, sizeof noise);
    FILE *file = fopen (path, "wb");
    assert_non_null (file);
    assert_int_equal (fwrite (noise, sizeof noise, 1, file), 1);
    fclose (file);
    assert_null (
        fuota_db_open (scratch->folder, MAP, 0, &rc, error, sizeof error));
    assert_int_equal (rc, FUOTA_EDB);
}

static void
test_db__other_formats_are_refused (void **state)
{
    scratch_t *scratch = *state;
    static const char *const formats [] = { "", "0", "2", "11",
        "a format number that is longer than any we know of" };
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        char error [160];
        int rc;
        scratch_put_bytes (scratch, FUOTA_TABLE_META, s_key ("format"),
            formats [i], strlen (formats [i]));
        fuota_db_close (&scratch->db);
        scratch->db = fuota_db_open (scratch->folder, MAP, FUOTA_DB_NOSYNC, &rc,
            error, sizeof error);
        if (scratch->db || rc != FUOTA_EVERSION)
            fail_msg ("\"%s\": %s", formats [i], fuota_error_name (rc));
        //  The next row needs an open database: a new one
        scratch_release (scratch);
        scratch_init (scratch, MAP, FUOTA_DB_NOSYNC);
    }
}

//  ---------------------------------------------------------------------
//  Reading

static void
test_db__a_read_is_a_snapshot (void **state)
{
    scratch_t *scratch = *state;
    fuota_slice_t value;
    fuota_key_t key = s_key ("a");
    fuota_read_t *read = fuota_db_read (scratch->db);
    s_put (scratch, "a", "1");
    assert_int_equal (fuota_read_get (read, FUOTA_TABLE_TOKEN, &key, &value),
        FUOTA_ENOTFOUND);
    assert_int_equal (fuota_read_renew (read), 0);
    assert_int_equal (fuota_read_get (read, FUOTA_TABLE_TOKEN, &key, &value),
        0);
    assert_int_equal (value.size, 1);
    //  Let go: asked all the same it refuses, and can be renewed
    fuota_read_reset (read);
    fuota_read_reset (read);
    assert_int_equal (fuota_read_get (read, FUOTA_TABLE_TOKEN, &key, &value),
        FUOTA_EDB);
    s_put (scratch, "a", "22");
    assert_int_equal (fuota_read_renew (read), 0);
    assert_int_equal (fuota_read_get (read, FUOTA_TABLE_TOKEN, &key, &value),
        0);
    assert_int_equal (value.size, 2);
    fuota_read_end (&read);
    fuota_read_end (&read);
}

static void
test_db__readers_are_bounded (void **state)
{
    scratch_t *scratch = *state;
    fuota_read_t *reads [65];
    size_t count = 0;
    while (count < 65 && (reads [count] = fuota_db_read (scratch->db)))
        count++;
    assert_int_equal (count, 64);
    fuota_read_end (&reads [7]);
    reads [7] = fuota_db_read (scratch->db);
    assert_non_null (reads [7]);
    while (count)
        fuota_read_end (&reads [--count]);
}

static void
test_db__record_that_cannot_be_read (void **state)
{
    scratch_t *scratch = *state;
    fuota_image_t image = { .size = 7 };
    fuota_key_t key = s_key ("image");
    assert_int_equal (scratch_get (scratch, FUOTA_TABLE_IMAGE, key,
                          Image_fields, &image),
        FUOTA_ENOTFOUND);
    scratch_put_bytes (scratch, FUOTA_TABLE_IMAGE, key, "\x0f\xff", 2);
    assert_int_equal (scratch_get (scratch, FUOTA_TABLE_IMAGE, key,
                          Image_fields, &image),
        FUOTA_EFORMAT);
    image = (fuota_image_t){ .size = 7, .label = "x" };
    scratch_put (scratch, FUOTA_TABLE_IMAGE, key, Image_fields, &image);
    memset (&image, 0xff, sizeof image);
    assert_int_equal (scratch_get (scratch, FUOTA_TABLE_IMAGE, key,
                          Image_fields, &image),
        0);
    assert_int_equal (image.size, 7);
    assert_int_equal (image.created, 0);
}

//  The keys that a scan finds, one letter or group each, joined by a comma.
static void
s_scan (fuota_read_t *read, const char *prefix, const char *from, char *found)
{
    fuota_key_t p = s_key (prefix), f = s_key (from ? from : "");
    fuota_scan_t scan;
    *found = '\0';
    assert_int_equal (fuota_scan_open (&scan, read, FUOTA_TABLE_TOKEN,
                          *prefix ? &p : NULL, from ? &f : NULL),
        0);
    while (fuota_scan_next (&scan)) {
        strncat (found, (const char *) scan.key.data, scan.key.size);
        strcat (found, ",");
        assert_int_equal (scan.value.size, 1);
    }
    fuota_scan_close (&scan);
    fuota_scan_close (&scan);
    assert_false (fuota_scan_next (&scan));
}

static void
test_db__scans (void **state)
{
    scratch_t *scratch = *state;
    static const char *const keys [] = { "b", "ab", "a", "abc", "b\xff", "abd",
        "b\xff\xff" };
    static const struct {
        const char *prefix, *from, *found;
    } cases [] = {
        { "x", NULL, "" },
        { "abcd", NULL, "" },
        { "", "c", "" },
        { "", NULL, "a,ab,abc,abd,b,b\xff,b\xff\xff," },
        { "", "", "a,ab,abc,abd,b,b\xff,b\xff\xff," },
        { "", "abcc", "abd,b,b\xff,b\xff\xff," },
        { "a", NULL, "a,ab,abc,abd," },
        { "ab", NULL, "ab,abc,abd," },
        { "ab", "abc", "abc,abd," },
        { "ab", "abca", "abd," },
        { "ab", "abe", "" },
        { "ab", "b", "" },
        { "ab", "a", "ab,abc,abd," },
        { "ab", "", "ab,abc,abd," },
        { "b", "b\xff", "b\xff,b\xff\xff," },
    };
    fuota_read_t *read = fuota_db_read (scratch->db);
    char found [64];
    s_scan (read, "", NULL, found);
    assert_string_equal (found, "");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        s_put (scratch, keys [i], "v");
    assert_int_equal (fuota_read_renew (read), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        s_scan (read, cases [i].prefix, cases [i].from, found);
        if (strcmp (found, cases [i].found))
            fail_msg ("%s from %s: %s", cases [i].prefix,
                cases [i].from ? cases [i].from : "-", found);
    }
    fuota_read_end (&read);
}

static void
test_db__last_of_a_prefix (void **state)
{
    scratch_t *scratch = *state;
    static const char *const keys [] = { "a", "ab", "abc", "b", "b\xff" };
    static const struct {
        const char *prefix, *last;
    } cases [] = {
        { "x", NULL },
        { "0", NULL },
        { "abcd", NULL },
        { "a", "abc" },
        { "abc", "abc" },
        { "b", "b\xff" },
        { "b\xff", "b\xff" },
        { "", "b\xff" },
    };
    fuota_read_t *read = fuota_db_read (scratch->db);
    fuota_key_t prefix = s_key ("a"), key;
    assert_int_equal (fuota_read_last (read, FUOTA_TABLE_TOKEN, &prefix, &key),
        FUOTA_ENOTFOUND);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        s_put (scratch, keys [i], "v");
    assert_int_equal (fuota_read_renew (read), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        prefix = s_key (cases [i].prefix);
        int rc = fuota_read_last (read, FUOTA_TABLE_TOKEN, &prefix, &key);
        bool right = cases [i].last ? !rc && key.size == strlen (cases [i].last)
                                    : rc == FUOTA_ENOTFOUND;
        if (!right ||
            (cases [i].last && memcmp (key.data, cases [i].last, key.size)))
            fail_msg ("%s: %s", cases [i].prefix, fuota_error_name (rc));
    }
    fuota_read_end (&read);
}

//  ---------------------------------------------------------------------
//  Writing

static void
test_db__a_bad_batch_spoils_its_company (void **state)
{
    scratch_t *scratch = *state;
    static const struct {
        const char *name;
        uint8_t bytes [12];
        size_t size;
    } cases [] = {
        { "one byte", { FUOTA_TABLE_TOKEN }, 1 },
        { "alien table", { FUOTA_TABLES, 1, 1, 0, 0, 0, 0, 'k' }, 8 },
        { "neither put nor delete",
            { FUOTA_TABLE_TOKEN, 2, 1, 0, 0, 0, 0, 'k' }, 8 },
        { "no key", { FUOTA_TABLE_TOKEN, 1, 0, 1, 0, 0, 0, 'v' }, 8 },
        { "key cut", { FUOTA_TABLE_TOKEN, 1, 2, 0, 0, 0, 0, 'k' }, 8 },
        { "huge value", { FUOTA_TABLE_TOKEN, 1, 1, 255, 255, 255, 255, 'k' },
            8 },
        { "one byte too many",
            { FUOTA_TABLE_TOKEN, 1, 1, 0, 0, 0, 0, 'k', FUOTA_TABLE_TOKEN },
            9 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fuota_batch_t good = { 0 };
        fuota_key_t key = s_key ("good");
        fuota_batch_put (&good, FUOTA_TABLE_TOKEN, &key, fuota_slice ("v", 1));
        fuota_slice_t batches [] = { fuota_slice (good.data, good.size),
            fuota_slice (cases [i].bytes, cases [i].size),
            fuota_slice (good.data, good.size) };
        int rc = fuota_db_apply (scratch->db, batches, 3);
        if (rc != FUOTA_EFORMAT ||
            scratch_count (scratch, FUOTA_TABLE_TOKEN) != 0)
            fail_msg ("%s: %s", cases [i].name, fuota_error_name (rc));
        fuota_batch_release (&good);
    }
    s_put (scratch, "after", "v");
    assert_int_equal (scratch_count (scratch, FUOTA_TABLE_TOKEN), 1);
}

static void
test_db__order_within_a_group (void **state)
{
    scratch_t *scratch = *state;
    fuota_batch_t first = { 0 }, second = { 0 };
    fuota_key_t key = s_key ("k"), gone = s_key ("gone");
    fuota_batch_del (&first, FUOTA_TABLE_TOKEN, &gone);  //  Never was there
    fuota_batch_put (&first, FUOTA_TABLE_TOKEN, &key, fuota_slice ("1", 1));
    fuota_batch_put (&first, FUOTA_TABLE_TOKEN, &gone, fuota_slice ("1", 1));
    fuota_batch_put (&second, FUOTA_TABLE_TOKEN, &key, fuota_slice ("22", 2));
    fuota_batch_del (&second, FUOTA_TABLE_TOKEN, &gone);
    fuota_slice_t batches [] = { fuota_slice (first.data, first.size),
        fuota_slice (NULL, 0), fuota_slice (second.data, second.size) };
    assert_int_equal (fuota_db_apply (scratch->db, batches, 3), 0);
    assert_int_equal (fuota_db_apply (scratch->db, NULL, 0), 0);
    fuota_read_t *read = fuota_db_read (scratch->db);
    fuota_slice_t value;
    assert_int_equal (fuota_read_get (read, FUOTA_TABLE_TOKEN, &key, &value),
        0);
    assert_int_equal (value.size, 2);
    assert_int_equal (fuota_read_get (read, FUOTA_TABLE_TOKEN, &gone, &value),
        FUOTA_ENOTFOUND);
    fuota_read_end (&read);
    fuota_batch_release (&first);
    fuota_batch_release (&second);
}

static void
test_db__tables_are_apart_and_last (void **state)
{
    scratch_t *scratch = *state;
    for (unsigned t = 1; t < FUOTA_TABLES; t++)
        scratch_put_bytes (scratch, (fuota_table_t) t, s_key ("k"), &t, 1);
    scratch_reopen (scratch);
    fuota_read_t *read = fuota_db_read (scratch->db);
    fuota_key_t key = s_key ("k");
    for (unsigned t = 1; t < FUOTA_TABLES; t++) {
        fuota_slice_t value;
        assert_int_equal (fuota_read_get (read, (fuota_table_t) t, &key,
                              &value),
            0);
        assert_int_equal (value.data [0], t);
    }
    fuota_read_end (&read);
}

//  ---------------------------------------------------------------------
//  Full

static void
test_db__full_map (void **state)
{
    (void) state;
    static const uint8_t page [4000];
    scratch_t scratch;
    scratch_init (&scratch, 256u << 10, FUOTA_DB_NOSYNC);
    size_t written = 0;
    int rc = 0;
    for (unsigned i = 0; i < 100 && !rc; i++) {
        fuota_batch_t batch = { 0 };
        fuota_key_t key = fuota_key_eui (i);
        //  Two rows: the first of the last batch fits, and must not stay
        fuota_batch_put (&batch, FUOTA_TABLE_TOKEN, &key, fuota_slice ("x", 1));
        fuota_batch_put (&batch, FUOTA_TABLE_BLOB, &key,
            fuota_slice (page, sizeof page));
        fuota_slice_t bytes = fuota_slice (batch.data, batch.size);
        rc = fuota_db_apply (scratch.db, &bytes, 1);
        written += !rc;
        fuota_batch_release (&batch);
    }
    assert_int_equal (rc, FUOTA_EFULL);
    assert_true (written > 10);
    assert_true (*fuota_db_error (scratch.db) != '\0');
    assert_true (fuota_db_room (scratch.db).left < 8192);
    assert_true (fuota_db_room (scratch.db).used > 200u << 10);
    //  Nothing of the refused batch is there, all else can be read
    assert_int_equal (scratch_count (&scratch, FUOTA_TABLE_TOKEN), written);
    assert_int_equal (scratch_count (&scratch, FUOTA_TABLE_BLOB), written);
    //  With a larger map it goes on
    scratch.map_size = 1u << 20;
    scratch_reopen (&scratch);
    scratch_put_bytes (&scratch, FUOTA_TABLE_BLOB, fuota_key_eui (1000), page,
        sizeof page);
    assert_int_equal (scratch_count (&scratch, FUOTA_TABLE_BLOB), written + 1);
    scratch_release (&scratch);
}

//  What was deleted is room again, once LMDB itself would write there.
static void
test_db__what_was_deleted_is_room (void **state)
{
    //  What the last transactions freed has to wait, and tables begin with
    //  a page
    enum { SIZE = 100000, LEFT = 40960 };
    (void) state;
    static const uint8_t image [SIZE];
    scratch_t scratch;
    scratch_init (&scratch, 256u << 10, FUOTA_DB_NOSYNC);
    fuota_db_room_t empty = fuota_db_room (scratch.db);
    fuota_key_t a = fuota_key_eui (1), b = fuota_key_eui (2);
    for (int turn = 0; turn < 5; turn++) {
        scratch_put_bytes (&scratch, FUOTA_TABLE_BLOB, a, image, SIZE);
        fuota_db_room_t full = fuota_db_room (scratch.db);
        assert_true (full.used >= empty.used + SIZE);
        assert_true (full.left + full.used <= 256u << 10);
        fuota_batch_t batch = { 0 };
        fuota_batch_del (&batch, FUOTA_TABLE_BLOB, &a);
        scratch_commit (&scratch, &batch);
        for (int i = 0; i < 3; i++)
            scratch_put_bytes (&scratch, FUOTA_TABLE_META, b, "x", 1);
        fuota_db_room_t room = fuota_db_room (scratch.db);
        assert_true (room.left + LEFT >= empty.left);
        assert_true (room.left + room.used <= 256u << 10);
        assert_true (room.run >= SIZE);
    }
    scratch_release (&scratch);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (test_db__second_opener_is_refused),
        TEST (test_db__alien_folders_are_refused),
        TEST (test_db__other_formats_are_refused),
        TEST (test_db__a_read_is_a_snapshot),
        TEST (test_db__readers_are_bounded),
        TEST (test_db__record_that_cannot_be_read),
        TEST (test_db__scans),
        TEST (test_db__last_of_a_prefix),
        TEST (test_db__a_bad_batch_spoils_its_company),
        TEST (test_db__order_within_a_group),
        TEST (test_db__tables_are_apart_and_last),
        cmocka_unit_test (test_db__full_map),
        cmocka_unit_test (test_db__what_was_deleted_is_room),
    };
    return cmocka_run_group_tests_name ("db", tests, NULL, NULL);
}
