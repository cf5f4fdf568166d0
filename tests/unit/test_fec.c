//  SPDX-License-Identifier: MIT
//
//  The kernel against fec.json: bytes of independent encoders, and of a
//  session captured on air.

#include "fec_worker/kernel/fec.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define S_HEX (2 * 32 + 1)

static uint32_t
s_number (const json_t *object, const char *key)
{
    json_t *value = json_object_get (object, key);
    assert_true (json_is_integer (value));
    return (uint32_t) json_integer_value (value);
}

static json_int_t
s_item (const json_t *list, size_t i)
{
    return json_integer_value (json_array_get (list, i));
}

static const char *
s_text (const json_t *object, const char *key)
{
    return json_string_value (json_object_get (object, key));
}

//  Check all vectors below a key of the file, which has some of them one
//  deeper.
static void
s_each (void **state, const char *key, void (*check) (const json_t *vector))
{
    json_t *list = json_object_get (*state, key);
    if (json_is_object (list))
        list = json_object_get (list, "vectors");
    assert_true (json_is_array (list) && json_array_size (list) > 0);
    for (size_t i = 0; i < json_array_size (list); i++)
        check (json_array_get (list, i));
}

static void
s_hex (const uint8_t *data, size_t size, char *out)
{
    for (size_t i = 0; i < size; i++)
        sprintf (out + 2 * i, "%02x", data [i]);
}

static void
s_sha256 (const void *data, size_t size, char out [S_HEX])
{
    uint8_t digest [32];
    int rc = EVP_Digest (data, size, digest, NULL, EVP_sha256 (), NULL);
    assert_int_equal (rc, 1);
    s_hex (digest, sizeof digest, out);
}

static bool
s_has_bit (const uint64_t *bits, uint32_t i)
{
    return bits [i / 64] >> i % 64 & 1;
}

//  Row n is exactly the list of indexes.
static void
s_check_row (uint32_t m, uint32_t n, unsigned version, const json_t *list)
{
    uint64_t bits [FUOTA_FEC_WORDS_MAX];
    uint64_t expected [FUOTA_FEC_WORDS_MAX] = { 0 };
    for (size_t k = 0; k < json_array_size (list); k++) {
        json_int_t i = s_item (list, k);
        expected [i / 64] |= (uint64_t) 1 << i % 64;
    }
    memset (bits, 0xff, sizeof bits);
    fuota_fec_row (m, n, version, bits);
    if (memcmp (bits, expected, FUOTA_FEC_WORDS (m) * sizeof *bits))
        fail_msg ("M=%u n=%u version %u", m, n, version);
}

static void
s_check_prbs23 (const json_t *vector)
{
    uint32_t x = s_number (vector, "start");
    json_t *next = json_object_get (vector, "next_states");
    for (size_t k = 0; k < json_array_size (next); k++) {
        x = fuota_fec_prbs23 (x);
        assert_int_equal (x, s_item (next, k));
    }
}

static void
test_fec__prbs23 (void **state)
{
    s_each (state, "prbs23", s_check_prbs23);
}

static void
s_check_rows (const json_t *vector)
{
    json_t *rows = json_object_get (vector, "rows");
    uint32_t n = s_number (vector, "first_n");
    for (size_t k = 0; k < json_array_size (rows); k++, n++)
        s_check_row (s_number (vector, "M"), n, s_number (vector, "version"),
            json_array_get (rows, k));
}

static void
test_fec__rows (void **state)
{
    s_each (state, "rows", s_check_rows);
}

static void
s_check_rows_high_n (const json_t *vector)
{
    json_t *rows = json_object_get (vector, "rows");
    for (size_t k = 0; k < json_array_size (rows); k++) {
        json_t *row = json_array_get (rows, k);
        s_check_row (s_number (vector, "M"), s_number (row, "n"),
            s_number (vector, "version"), json_object_get (row, "row"));
    }
}

static void
test_fec__rows_of_seeds_above_23_bits (void **state)
{
    s_each (state, "rows_high_n", s_check_rows_high_n);
}

//  The draws are inside the kernel; seen from here, prbs23 gives them and the
//  row is made of them.
static void
s_check_draws (const json_t *vector, unsigned version, const char *key)
{
    uint32_t m = s_number (vector, "M");
    uint32_t modulus = m + ((m & (m - 1)) == 0);
    uint32_t x = s_number (vector, "seed");
    json_t *list = json_object_get (vector, key);
    for (size_t k = 0; k < json_array_size (list); k++) {
        do
            x = fuota_fec_prbs23 (x);
        while (x % modulus >= m);
        assert_int_equal (x % modulus, s_item (list, k));
    }
    uint64_t bits [FUOTA_FEC_WORDS_MAX];
    fuota_fec_row (m, s_number (vector, "n"), version, bits);
    for (size_t k = 0; k < json_array_size (list); k++)
        assert_true (s_has_bit (bits, (uint32_t) s_item (list, k)));
    if (!json_is_true (json_object_get (vector, "truncated_to_20")))
        s_check_row (m, s_number (vector, "n"), version, list);
}

static void
s_check_both_draws (const json_t *vector)
{
    s_check_draws (vector, 1, "draws_version_1");
    s_check_draws (vector, 2, "draws_version_2");
}

static void
test_fec__draws (void **state)
{
    s_each (state, "draws", s_check_both_draws);
}

static void
s_check_row_hash (const json_t *vector)
{
    uint32_t m = s_number (vector, "M"), rows = s_number (vector, "R");
    json_t *weights = json_object_get (vector, "row_weights_first_8");
    char hash [S_HEX], *text = malloc ((size_t) m * rows), *at = text;
    assert_non_null (text);
    for (uint32_t n = 1; n <= rows; n++) {
        uint64_t bits [FUOTA_FEC_WORDS_MAX];
        json_int_t weight = 0;
        fuota_fec_row (m, n, s_number (vector, "version"), bits);
        for (uint32_t i = 0; i < m; i++) {
            *at++ = s_has_bit (bits, i) ? '1' : '0';
            weight += s_has_bit (bits, i);
        }
        if (n <= json_array_size (weights))
            assert_int_equal (weight, s_item (weights, n - 1));
    }
    s_sha256 (text, (size_t) m * rows, hash);
    free (text);
    assert_string_equal (hash, s_text (vector, "sha256_of_ascii_bits"));
}

static void
test_fec__row_hashes (void **state)
{
    s_each (state, "row_hashes", s_check_row_hash);
}

//  A block by one of the rules that fec.json names. Caller frees it.
static uint8_t *
s_payload (const char *rule, size_t size)
{
    uint8_t *data = malloc (size);
    assert_non_null (data);
    bool hash = strcmp (rule, "mul_hash") == 0;
    assert_true (hash || strcmp (rule, "i_mod_256") == 0);
    for (size_t i = 0; i < size; i++)
        data [i] = (uint8_t) (hash ? (uint32_t) i * 2654435761u >> 24 : i);
    return data;
}

//  Is the fragment the hexadecimal text? NULL is not asked about.
static void
s_check_hex (const char *name, const uint8_t *fragment, size_t size,
    const char *expected)
{
    char hex [2 * UINT8_MAX + 1] = "";
    s_hex (fragment, size, hex);
    if (expected && strcmp (hex, expected))
        fail_msg ("%s: %s is not %s", name, hex, expected);
}

static void
s_check_hash (const char *name, const uint8_t *data, size_t size,
    const char *expected)
{
    char hash [S_HEX];
    s_sha256 (data, size, hash);
    if (strcmp (hash, expected))
        fail_msg ("%s: sha256", name);
}

static void
s_check_encode (const json_t *vector)
{
    const char *name = s_text (vector, "name");
    uint32_t m = s_number (vector, "M"), r = s_number (vector, "redundancy");
    uint8_t size = (uint8_t) s_number (vector, "fragment_size");
    size_t block_size = (size_t) m * size;
    uint8_t *data = s_payload (s_text (vector, "payload_rule"), block_size);
    uint8_t *all = malloc ((size_t) (m + r) * size);
    assert_non_null (all);
    fuota_fec_block_t block = { data, block_size, size,
        (uint8_t) s_number (vector, "version") };
    uint64_t bits [FUOTA_FEC_WORDS_MAX];
    for (uint32_t n = 1; n <= m + r; n++)
        fuota_fec_fragment (&block, n, all + (size_t) (n - 1) * size, bits);

    s_check_hash (name, data, block_size, s_text (vector, "sha256_payload"));
    s_check_hash (name, all, (size_t) (m + r) * size,
        s_text (vector, "sha256_all_fragments"));
    const uint8_t *parity = all + block_size;
    s_check_hash (name, parity, (size_t) r * size,
        s_text (vector, "sha256_parity_only"));
    json_t *list = json_object_get (vector, "parity_hex");
    for (size_t k = 0; k < json_array_size (list); k++)
        s_check_hex (name, parity + k * size, size,
            json_string_value (json_array_get (list, k)));
    s_check_hex (name, parity, size, s_text (vector, "first_parity_hex"));
    s_check_hex (name, parity + (size_t) (r - 1) * size, size,
        s_text (vector, "last_parity_hex"));
    free (all);
    free (data);
}

static void
test_fec__encode (void **state)
{
    assert_int_equal (json_array_size (json_object_get (*state, "encode")), 42);
    s_each (state, "encode", s_check_encode);
}

//  The block is what its uncoded fragments say, less the padding; from it
//  all fragments that were on air come again.
static void
test_fec__captured_session (void **state)
{
    json_t *session = json_object_get (*state, "captured_session");
    json_t *list = json_object_get (session, "fragments");
    uint8_t size = (uint8_t) s_number (session, "fragment_size");
    uint32_t m = s_number (session, "M");
    fuota_fec_block_t block = { NULL, s_number (session, "block_length"), size,
        (uint8_t) s_number (session, "version") };
    assert_int_equal (fuota_fec_count (block.size, size), m);

    uint8_t data [2048];
    for (uint32_t i = 0; i < block.size; i++) {
        const char *hex = s_text (json_array_get (list, i / size), "data");
        assert_int_equal (sscanf (hex + i % size * 2, "%2hhx", &data [i]), 1);
    }
    //  Of its own size, so that a sanitizer sees a read of the padding
    uint8_t *exact = malloc (block.size);
    assert_non_null (exact);
    memcpy (exact, data, block.size);
    block.data = exact;
    s_check_hash ("captured", exact, block.size,
        s_text (session, "sha256_of_block_without_padding"));

    for (size_t i = 0; i < json_array_size (list); i++) {
        json_t *fragment = json_array_get (list, i);
        uint8_t out [UINT8_MAX];
        uint64_t bits [FUOTA_FEC_WORDS_MAX];
        fuota_fec_fragment (&block, s_number (fragment, "N"), out, bits);
        s_check_hex ("captured", out, size, s_text (fragment, "data"));
    }
    free (exact);
}

static void
test_fec__count (void **state)
{
    static const struct {
        size_t size;
        uint8_t frag_size;
        uint32_t count;
    } cases [] = {
        { 0, 50, 0 },
        { 1, 0, 0 },
        { 1, 1, 1 },
        { 1, 50, 1 },
        { 49, 50, 1 },
        { 50, 50, 1 },
        { 51, 50, 2 },
        { 255, 255, 1 },
        { 256, 255, 2 },
        { 995, 48, 21 },
        { 10000, 50, 200 },
        { 131072, 242, 542 },
        { 50000, 51, 981 },
        { 262144, 200, 1311 },
        { 3964686, 242, 16383 },
        { 3964687, 242, 16384 },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t count = fuota_fec_count (cases [i].size, cases [i].frag_size);
        if (count != cases [i].count)
            fail_msg ("%zu by %u: %u", cases [i].size, cases [i].frag_size,
                count);
    }
}

//  A block cut anywhere gives the fragments of the block that its owner
//  padded with zeros; N = 0 gives zeros and reads nothing.
static void
test_fec__padding_is_zeros (void **state)
{
    (void) state;
    for (size_t size = 1; size <= 60; size++) {
        uint8_t padded [64] = { 0 }, got [8], expected [8], zeros [8] = { 0 };
        uint8_t *data = malloc (size);
        assert_non_null (data);
        for (size_t i = 0; i < size; i++)
            padded [i] = data [i] = (uint8_t) (i * 37 + size);
        uint8_t frag_size = (uint8_t) (1 + size % 7);
        uint32_t m = fuota_fec_count (size, frag_size);
        fuota_fec_block_t block = { data, size, frag_size, 1 };
        fuota_fec_block_t whole = { padded, m * frag_size, frag_size, 1 };
        for (uint32_t n = 1; n <= m + 40; n++) {
            uint64_t bits [FUOTA_FEC_WORDS (64)];
            memset (got, 0xaa, sizeof got);
            fuota_fec_fragment (&block, n, got, bits);
            fuota_fec_fragment (&whole, n, expected, bits);
            assert_memory_equal (got, expected, frag_size);
            assert_int_equal (got [frag_size], 0xaa);
        }
        fuota_fec_fragment (&block, 0, got, NULL);
        assert_memory_equal (got, zeros, frag_size);
        free (data);
    }
}

static int
s_setup (void **state)
{
    json_error_t error;
    *state = json_load_file (FUOTA_VECTORS "/fec.json", 0, &error);
    if (!*state)
        print_error ("%s: %s\n", error.source, error.text);
    return *state ? 0 : -1;
}

static int
s_teardown (void **state)
{
    json_decref (*state);
    return 0;
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_fec__prbs23),
        cmocka_unit_test (test_fec__rows),
        cmocka_unit_test (test_fec__rows_of_seeds_above_23_bits),
        cmocka_unit_test (test_fec__draws),
        cmocka_unit_test (test_fec__row_hashes),
        cmocka_unit_test (test_fec__encode),
        cmocka_unit_test (test_fec__captured_session),
        cmocka_unit_test (test_fec__count),
        cmocka_unit_test (test_fec__padding_is_zeros),
    };
    return cmocka_run_group_tests_name ("fec", tests, s_setup, s_teardown);
}
