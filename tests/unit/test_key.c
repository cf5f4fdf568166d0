//  SPDX-License-Identifier: MIT
//
//  Byte order is key order: what LMDB compares are the numbers we mean.

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "schema/key.h"

//  As LMDB does: bytes first, then the shorter one.
static int
s_compare (const fuota_key_t *a, const fuota_key_t *b)
{
    size_t size = a->size < b->size ? a->size : b->size;
    int order = memcmp (a->data, b->data, size);
    return order ? order : (a->size > b->size) - (a->size < b->size);
}

static const uint64_t s_numbers [] = { 0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff,
    0x10000, 0xffffffff, 0x100000000, 0x7fffffffffffffff, 0x8000000000000000,
    UINT64_MAX };

static fuota_key_t
s_eui (uint64_t number)
{
    return fuota_key_eui (number);
}

static fuota_key_t
s_outbox (uint64_t number)
{
    return fuota_key_outbox (FUOTA_OWNER_DEPLOYMENT, number);
}

static const uint8_t s_id [FUOTA_ID_SIZE] = { 1, 2, 3 };

static fuota_key_t
s_device (uint64_t number)
{
    return fuota_key_device (s_id, number);
}

static fuota_key_t
s_journal (uint64_t number)
{
    return fuota_key_journal (s_id, number);
}

static fuota_key_t
s_route (uint64_t number)
{
    return fuota_key_route (number, s_id);
}

static fuota_key_t
s_counter (uint64_t number)
{
    return fuota_key_counter (number, 3);
}

static void
test_key__order_is_the_numbers (void **state)
{
    (void) state;
    static const struct {
        const char *name;
        fuota_key_t (*make) (uint64_t number);
        size_t size;
    } cases [] = {
        { "eui", s_eui, 8 },
        { "outbox", s_outbox, 9 },
        { "device", s_device, 24 },
        { "journal", s_journal, 24 },
        { "route", s_route, 24 },
        { "counter", s_counter, 9 },
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (size_t i = 0; i < sizeof s_numbers / sizeof *s_numbers; i++) {
            fuota_key_t key = cases [c].make (s_numbers [i]);
            if (key.size != cases [c].size)
                fail_msg ("%s: %zu bytes", cases [c].name, key.size);
            fuota_key_t before = cases [c].make (s_numbers [i ? i - 1 : 0]);
            if (i && s_compare (&before, &key) >= 0)
                fail_msg ("%s: number %zu", cases [c].name, i);
        }
}

//  What is looked for together lies together.
static void
test_key__owners_and_deployments_are_ranges (void **state)
{
    (void) state;
    uint8_t other [FUOTA_ID_SIZE] = { 1, 2, 4 };
    fuota_key_t a = fuota_key_outbox (FUOTA_OWNER_DEPLOYMENT, UINT64_MAX);
    fuota_key_t b = fuota_key_outbox (FUOTA_OWNER_CLOCK, 0);
    assert_true (s_compare (&a, &b) < 0);
    a = fuota_key_device (s_id, UINT64_MAX);
    b = fuota_key_device (other, 0);
    assert_true (s_compare (&a, &b) < 0);
    a = fuota_key_route (1, other);
    b = fuota_key_route (2, s_id);
    assert_true (s_compare (&a, &b) < 0);
    a = fuota_key_id (s_id);
    b = fuota_key_device (s_id, 0);
    assert_true (s_compare (&a, &b) < 0);
    assert_memory_equal (a.data, b.data, a.size);
}

static void
test_key__bytes_are_bounded (void **state)
{
    (void) state;
    uint8_t bytes [FUOTA_KEY_MAX + 1];
    memset (bytes, 7, sizeof bytes);
    static const size_t sizes [] = { 0, 1, FUOTA_KEY_MAX - 1, FUOTA_KEY_MAX,
        FUOTA_KEY_MAX + 1 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        fuota_key_t key = fuota_key_bytes (bytes, sizes [i]);
        size_t size = sizes [i] < FUOTA_KEY_MAX ? sizes [i] : FUOTA_KEY_MAX;
        assert_int_equal (key.size, size);
        assert_memory_equal (key.data, bytes, size);
    }
}

//  At rest: a number that changed would read other rows.
static void
test_key__bytes_at_rest (void **state)
{
    (void) state;
    static const uint8_t outbox [] = { 2, 1, 2, 3, 4, 5, 6, 7, 8 };
    fuota_key_t key = fuota_key_outbox (FUOTA_OWNER_CLOCK, 0x0102030405060708);
    assert_int_equal (key.size, sizeof outbox);
    assert_memory_equal (key.data, outbox, sizeof outbox);
    assert_int_equal (FUOTA_TABLE_META, 0);
    assert_int_equal (FUOTA_TABLE_OUTBOX, 7);
    assert_int_equal (FUOTA_TABLE_TOKEN, 11);
    assert_int_equal (FUOTA_TABLE_ORDER, 12);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_key__order_is_the_numbers),
        cmocka_unit_test (test_key__owners_and_deployments_are_ranges),
        cmocka_unit_test (test_key__bytes_are_bounded),
        cmocka_unit_test (test_key__bytes_at_rest),
    };
    return cmocka_run_group_tests_name ("key", tests, NULL, NULL);
}
