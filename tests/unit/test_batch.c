//  SPDX-License-Identifier: MIT

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "schema/batch.h"
#include "schema/record.h"

//  Rows read, or the code of what stopped it.
static int
s_walk (const uint8_t *data, size_t size)
{
    fuota_reader_t bytes = fuota_reader (data, size);
    fuota_batch_row_t row;
    int rc, rows = 0;
    while ((rc = fuota_batch_next (&bytes, &row)) == 1)
        rows++;
    return rc ? rc : rows;
}

static void
test_batch__rows_come_back (void **state)
{
    (void) state;
    static uint8_t large [70000];
    static const struct {
        fuota_table_t table;
        bool put;
        size_t key, value;
    } rows [] = {
        { FUOTA_TABLE_META, true, 1, 0 },
        { FUOTA_TABLE_TOKEN, true, FUOTA_KEY_MAX, 1 },
        { FUOTA_TABLE_OUTBOX, false, 9, 0 },
        { FUOTA_TABLE_BLOB, true, 32, sizeof large },
        { FUOTA_TABLE_DEVICE, true, 24, 300 },
    };
    fuota_batch_t batch = { 0 };
    for (size_t i = 0; i < sizeof large; i++)
        large [i] = (uint8_t) (i * 7);
    for (unsigned turn = 0; turn < 2; turn++) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            fuota_key_t key = fuota_key_bytes (large + i, rows [i].key);
            if (rows [i].put)
                fuota_batch_put (&batch, rows [i].table, &key,
                    fuota_slice (large, rows [i].value));
            else
                fuota_batch_del (&batch, rows [i].table, &key);
        }
        assert_int_equal (batch.rows, sizeof rows / sizeof *rows);
        fuota_reader_t bytes = fuota_reader (batch.data, batch.size);
        fuota_batch_row_t row;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            assert_int_equal (fuota_batch_next (&bytes, &row), 1);
            assert_int_equal (row.table, rows [i].table);
            assert_int_equal (row.put, rows [i].put);
            assert_int_equal (row.key.size, rows [i].key);
            assert_memory_equal (row.key.data, large + i, row.key.size);
            assert_int_equal (row.value.size, rows [i].value);
            if (row.value.size)
                assert_memory_equal (row.value.data, large, row.value.size);
        }
        assert_int_equal (fuota_batch_next (&bytes, &row), 0);
        fuota_batch_clear (&batch);
        assert_int_equal (s_walk (batch.data, batch.size), 0);
    }
    fuota_batch_release (&batch);
    fuota_batch_release (&batch);
    assert_null (batch.data);
}

//  Cut anywhere it is no batch, but for the borders of its rows.
static void
test_batch__cut_at_every_length (void **state)
{
    (void) state;
    fuota_batch_t batch = { 0 };
    size_t border [4] = { 0 };
    for (unsigned i = 1; i < 4; i++) {
        fuota_key_t key = fuota_key_eui (i);
        fuota_batch_put (&batch, FUOTA_TABLE_TOKEN, &key,
            fuota_slice ("value", i));
        border [i] = batch.size;
    }
    for (size_t size = 0, rows = 0; size <= batch.size; size++) {
        uint8_t *copy = malloc (size ? size : 1);
        assert_non_null (copy);
        memcpy (copy, batch.data, size);
        rows += rows < 3 && size == border [rows + 1];
        int rc = s_walk (copy, size);
        if (rc != (size == border [rows] ? (int) rows : FUOTA_EFORMAT))
            fail_msg ("%zu bytes: %d", size, rc);
        free (copy);
    }
    fuota_batch_release (&batch);
}

static void
test_batch__alien_bytes (void **state)
{
    (void) state;
    static const struct {
        const char *name;
        uint8_t bytes [10];
        size_t size;
        int rc;
    } cases [] = {
        { "empty", { 0 }, 0, 0 },
        { "zeros", { 0 }, 10, FUOTA_EFORMAT },
        { "table past the last", { FUOTA_TABLES, 1, 1, 0, 0, 0, 0, 1 }, 8,
            FUOTA_EFORMAT },
        { "put is 2", { 0, 2, 1, 0, 0, 0, 0, 1 }, 8, FUOTA_EFORMAT },
        { "key of 65", { 0, 1, FUOTA_KEY_MAX + 1, 0, 0, 0, 0, 1 }, 8,
            FUOTA_EFORMAT },
        { "value of 4 GiB", { 0, 1, 1, 255, 255, 255, 255, 1 }, 8,
            FUOTA_EFORMAT },
        { "least", { 0, 1, 1, 0, 0, 0, 0, 1 }, 8, 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (s_walk (cases [i].bytes, cases [i].size) != cases [i].rc)
            fail_msg ("%s", cases [i].name);
}

static void
test_batch__record_is_encoded (void **state)
{
    (void) state;
    fuota_batch_t batch = { 0 };
    fuota_key_t key = fuota_key_eui (1);
    fuota_clock_t clock = { .device_time = 5, .correction = -7 }, got;
    fuota_batch_record (&batch, FUOTA_TABLE_CLOCK, &key, Clock_fields, &clock);
    fuota_reader_t bytes = fuota_reader (batch.data, batch.size);
    fuota_batch_row_t row;
    assert_int_equal (fuota_batch_next (&bytes, &row), 1);
    assert_int_equal (fuota_record_decode (Clock_fields, &got, row.value), 0);
    assert_int_equal (got.correction, -7);
    fuota_batch_release (&batch);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_batch__rows_come_back),
        cmocka_unit_test (test_batch__cut_at_every_length),
        cmocka_unit_test (test_batch__alien_bytes),
        cmocka_unit_test (test_batch__record_is_encoded),
    };
    return cmocka_run_group_tests_name ("batch", tests, NULL, NULL);
}
