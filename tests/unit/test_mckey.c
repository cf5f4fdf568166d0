//  SPDX-License-Identifier: MIT
//
//  Keys and MICs against keys.json, ping offsets against timing.json.

#include "schema/error.h"
#include "workers/package/mckey.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static size_t
s_hex (const char *hex, uint8_t *out, size_t max)
{
    size_t size = hex ? strlen (hex) / 2 : 0;
    assert_true (size <= max);
    for (size_t i = 0; i < size; i++) {
        char digits [3] = { hex [2 * i], hex [2 * i + 1], 0 };
        out [i] = (uint8_t) strtoul (digits, NULL, 16);
    }
    return size;
}

//  Bytes of a hexadecimal string in an object; false if it has none.
static bool
s_get (const json_t *object, const char *key, uint8_t *out, size_t size)
{
    json_t *value = json_object_get (object, key);
    if (!value)
        return false;
    assert_int_equal (s_hex (json_string_value (value), out, size), size);
    return true;
}

static uint32_t
s_addr (const char *hex)
{
    return (uint32_t) strtoul (hex, NULL, 16);
}

//  Compare with an output if the vector has it.
static unsigned
s_expect (const json_t *vector, const char *key, const uint8_t *got,
    size_t size)
{
    uint8_t expected [16];
    json_t *outputs = json_object_get (vector, "outputs");
    if (!s_get (outputs, key, expected, size))
        return 0;
    if (memcmp (expected, got, size))
        fail_msg ("%s: %s",
            json_string_value (json_object_get (vector, "name")), key);
    return 1;
}

//  From a root key down as far as the vector goes.
static unsigned
s_chain (const json_t *vector, const json_t *inputs, fuota_root_t kind,
    const uint8_t root [16])
{
    uint8_t got [16], mc_key [16], back [16];
    unsigned checks = 0;
    assert_int_equal (fuota_mckey_int_key (kind, root, got), 0);
    checks += s_expect (vector, "data_block_int_key", got, 16);
    assert_int_equal (fuota_mckey_root (kind, root, got), 0);
    checks += s_expect (vector, "mc_root_key", got, 16);
    assert_int_equal (fuota_mckey_kek (got, got), 0);
    checks += s_expect (vector, "mc_ke_key", got, 16);
    if (!s_get (inputs, "mc_key", mc_key, 16))
        return checks;
    assert_int_equal (fuota_mckey_wrap (kind, root, mc_key, got), 0);
    checks += s_expect (vector, "mc_key_encrypted", got, 16);
    assert_int_equal (fuota_mckey_unwrap (kind, root, got, back), 0);
    assert_memory_equal (back, mc_key, 16);
    return checks;
}

static unsigned
s_group (const json_t *vector, const json_t *inputs)
{
    uint8_t mc_key [16], app [16], nwk [16], key [16];
    json_t *addr = json_object_get (inputs, "mc_addr");
    unsigned checks = 0;
    if (addr && s_get (inputs, "mc_key", mc_key, 16)) {
        assert_int_equal (fuota_mckey_session (mc_key,
                              s_addr (json_string_value (addr)), app, nwk),
            0);
        checks += s_expect (vector, "mc_app_s_key", app, 16);
        checks += s_expect (vector, "mc_nwk_s_key", nwk, 16);
    }
    if (s_get (inputs, "mc_root_key", key, 16)) {
        assert_int_equal (fuota_mckey_kek (key, key), 0);
        checks += s_expect (vector, "mc_ke_key", key, 16);
    }
    if (s_get (inputs, "mc_ke_key", key, 16)) {
        s_get (inputs, "mc_key", mc_key, 16);
        assert_int_equal (fuota_mckey_aes_inverse (key, mc_key, app), 0);
        checks += s_expect (vector, "mc_key_encrypted", app, 16);
        assert_int_equal (fuota_mckey_aes (key, app, app), 0);
        assert_memory_equal (app, mc_key, 16);
    }
    return checks;
}

//  The uncoded fragments of the captured session in fec.json.
static void
s_captured (uint8_t *block, size_t size)
{
    json_t *file = json_load_file (FUOTA_VECTORS "/fec.json", 0, NULL);
    json_t *session = json_object_get (file, "captured_session");
    json_t *fragments = json_object_get (session, "fragments");
    size_t at = 0;
    for (size_t i = 0; i < json_array_size (fragments) && at < size; i++) {
        json_t *data = json_object_get (json_array_get (fragments, i), "data");
        uint8_t bytes [255];
        size_t length = s_hex (json_string_value (data), bytes, sizeof bytes);
        if (length > size - at)
            length = size - at;
        memcpy (block + at, bytes, length);
        at += length;
    }
    assert_int_equal (at, size);
    json_decref (file);
}

static void
s_block (const json_t *inputs, uint8_t *block, size_t size)
{
    const char *rule =
        json_string_value (json_object_get (inputs, "block_rule"));
    const char *hex = json_string_value (json_object_get (inputs, "block_hex"));
    if (hex)
        assert_int_equal (s_hex (hex, block, size), size);
    else if (!rule)
        s_captured (block, size);
    else
        for (size_t i = 0; i < size; i++)
            block [i] = strstr (rule, "2654435761")
                            ? (uint8_t) ((uint32_t) i * 2654435761u >> 24)
                            : (uint8_t) i;
}

static unsigned
s_mic (const json_t *vector, const json_t *inputs)
{
    uint8_t key [16], descriptor [4], mic [4];
    if (!s_get (inputs, "data_block_int_key", key, 16))
        return 0;
    s_get (inputs, "descriptor", descriptor, 4);
    size_t size =
        (size_t) json_integer_value (json_object_get (inputs, "block_length"));
    uint8_t *block = malloc (size);
    assert_non_null (block);
    s_block (inputs, block, size);
    assert_int_equal (fuota_mckey_block_mic (key,
                          (uint16_t) json_integer_value (
                              json_object_get (inputs, "session_cnt")),
                          (uint8_t) json_integer_value (
                              json_object_get (inputs, "frag_index")),
                          descriptor, block, size, mic),
        0);
    free (block);
    return s_expect (vector, "mic", mic, 4);
}

//  Each vector checks something, and each of its outputs but the steps inside
//  a MIC is checked.
static void
test_mckey__vectors (void **state)
{
    json_t *file = json_load_file (FUOTA_VECTORS "/keys.json", 0, NULL);
    json_t *vectors = json_object_get (file, "vectors");
    (void) state;
    assert_int_equal (json_array_size (vectors), 18);
    for (size_t i = 0; i < json_array_size (vectors); i++) {
        json_t *vector = json_array_get (vectors, i);
        json_t *inputs = json_object_get (vector, "inputs");
        json_t *outputs = json_object_get (vector, "outputs");
        uint8_t root [16];
        unsigned checks = s_group (vector, inputs) + s_mic (vector, inputs);
        if (s_get (inputs, "gen_app_key", root, 16))
            checks += s_chain (vector, inputs, FUOTA_ROOT_GEN_APP_KEY, root);
        if (s_get (inputs, "app_key", root, 16))
            checks += s_chain (vector, inputs, FUOTA_ROOT_APP_KEY, root);
        size_t expected = json_object_size (outputs);
        if (json_object_get (outputs, "b0"))
            expected -= 2;
        assert_int_equal (checks, expected);
    }
    json_decref (file);
}

//  Padding counts or it does not: an empty block still has a MIC.
static void
test_mckey__mic_of_nothing (void **state)
{
    static const uint8_t key [16], descriptor [4];
    uint8_t mic [4] = { 0 }, other [4] = { 0 };
    (void) state;
    assert_int_equal (fuota_mckey_block_mic (key, 0, 0, descriptor, NULL, 0,
                          mic),
        0);
    assert_int_equal (fuota_mckey_block_mic (key, 0, 1, descriptor, NULL, 0,
                          other),
        0);
    assert_memory_not_equal (mic, other, 4);
}

static void
test_mckey__in_place (void **state)
{
    uint8_t key [16] = { 1, 2, 3 }, other [16];
    (void) state;
    assert_int_equal (fuota_mckey_wrap (FUOTA_ROOT_APP_KEY, key, key, other),
        0);
    assert_int_equal (fuota_mckey_wrap (FUOTA_ROOT_APP_KEY, key, key, key), 0);
    assert_memory_equal (key, other, 16);
    fuota_mckey_wipe (key, sizeof key);
    for (size_t i = 0; i < sizeof key; i++)
        assert_int_equal (key [i], 0);
}

static unsigned
s_periodicity (const json_t *row)
{
    json_int_t ping_nb = json_integer_value (json_object_get (row, "ping_nb"));
    unsigned periodicity = 0;
    while (128 >> periodicity > ping_nb)
        periodicity++;
    return periodicity;
}

static void
test_mckey__ping_offsets (void **state)
{
    json_t *file = json_load_file (FUOTA_VECTORS "/timing.json", 0, NULL);
    json_t *slots = json_object_get (file, "ping_slots"), *row;
    size_t i;
    (void) state;
    assert_int_equal (json_array_size (json_object_get (slots, "offsets")), 6);
    json_array_foreach (json_object_get (slots, "offsets"), i, row)
    {
        uint16_t offset = 0xffff;
        assert_int_equal (fuota_mckey_ping_offset ((uint32_t)
                                                       json_integer_value (
                                                           json_object_get (row,
                                                               "beacon_time")),
                              s_addr (json_string_value (
                                  json_object_get (row, "mc_addr"))),
                              s_periodicity (row), &offset),
            0);
        assert_int_equal (offset,
            json_integer_value (json_object_get (row, "ping_offset_slots")));
    }
    json_decref (file);
}

//  First slot of a group after a moment, as a simulator finds it.
static int64_t
s_next_slot (int64_t after_ms, uint32_t mc_addr, unsigned periodicity)
{
    for (int64_t beacon = after_ms / 128000 * 128;; beacon += 128) {
        uint16_t offset;
        assert_int_equal (fuota_mckey_ping_offset ((uint32_t) beacon, mc_addr,
                              periodicity, &offset),
            0);
        for (unsigned n = 0; n < 128u >> periodicity; n++) {
            unsigned slot = offset + n * (32u << periodicity);
            int64_t start = beacon * 1000 + 2120 + 30 * (int64_t) slot;
            if (start > after_ms)
                return start;
        }
    }
}

static void
test_mckey__next_slots (void **state)
{
    json_t *file = json_load_file (FUOTA_VECTORS "/timing.json", 0, NULL);
    json_t *slots = json_object_get (file, "ping_slots"), *row;
    size_t i;
    (void) state;
    assert_int_equal (json_array_size (json_object_get (slots, "next_slot")),
        9);
    json_array_foreach (json_object_get (slots, "next_slot"), i, row)
    {
        int64_t next =
            s_next_slot (json_integer_value (json_object_get (row, "after_ms")),
                s_addr (json_string_value (json_object_get (row, "mc_addr"))),
                s_periodicity (row));
        if (next != json_integer_value (json_object_get (row, "next_slot_ms")))
            fail_msg ("row %zu: %lld", i, (long long) next);
    }
    json_decref (file);
}

static void
test_mckey__ping_offset_bounds (void **state)
{
    (void) state;
    for (unsigned periodicity = 0; periodicity < 10; periodicity++) {
        uint16_t offset = 0xffff;
        int rc =
            fuota_mckey_ping_offset (128, 0x01020304, periodicity, &offset);
        if (periodicity > 7) {
            assert_int_equal (rc, FUOTA_EVALUE);
            assert_int_equal (offset, 0xffff);
        }
        else
            assert_true (rc == 0 && offset < 32u << periodicity);
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_mckey__vectors),
        cmocka_unit_test (test_mckey__mic_of_nothing),
        cmocka_unit_test (test_mckey__in_place),
        cmocka_unit_test (test_mckey__ping_offsets),
        cmocka_unit_test (test_mckey__next_slots),
        cmocka_unit_test (test_mckey__ping_offset_bounds),
    };
    return cmocka_run_group_tests_name ("mckey", tests, NULL, NULL);
}
