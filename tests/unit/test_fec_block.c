//  SPDX-License-Identifier: MIT
//
//  Every kernel this processor can run, against the plain encoder, which is
//  tested in test_fec.c, and against the vectors themselves.

#include "fec_worker/kernel/fec_block.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

//  Repeatable dice (xorshift).
static uint32_t s_seed;

static uint32_t
s_random (uint32_t below)
{
    s_seed ^= s_seed << 13;
    s_seed ^= s_seed >> 17;
    s_seed ^= s_seed << 5;
    return s_seed % below;
}

typedef struct {
    uint32_t m;
    uint8_t frag_size;
    uint8_t version;
    uint32_t first, count;
    uint32_t missing;  //  Bytes of padding the block has not
} s_case_t;

static void
s_print (const s_case_t *item, const char *what)
{
    fail_msg ("%s: M=%u F=%u version %u n=%u+%u, %u missing: %s",
        fuota_fec_kernel_name (), item->m, item->frag_size, item->version,
        item->first, item->count, item->missing, what);
}

//  Memory of its own size at an odd address, so that a sanitizer sees every
//  byte too many and no alignment is taken for granted.
static uint8_t *
s_odd (size_t size, uint8_t **free_p)
{
    *free_p = malloc (size + 1);
    assert_non_null (*free_p);
    memset (*free_p, 0xa5, size + 1);
    return *free_p + 1;
}

//  Rows to compare: some, among them the first and the last. The plain
//  encoder is slow, so each is asked for once, for all kernels.
static uint32_t
s_next_row (const s_case_t *item, uint32_t i, uint32_t checks)
{
    uint32_t step = item->count / checks + 1;
    bool beyond = i + 1 < item->count && i + step >= item->count;
    return beyond ? item->count - 1 : i + step;
}

static uint8_t *
s_expected (const s_case_t *item, const fuota_fec_block_t *block,
    uint32_t checks)
{
    uint64_t bits [FUOTA_FEC_WORDS_MAX];
    uint8_t *expected = malloc ((size_t) item->count * item->frag_size);
    assert_non_null (expected);
    for (uint32_t i = 0; i < item->count; i = s_next_row (item, i, checks))
        fuota_fec_fragment (block, item->m + item->first + i,
            expected + (size_t) i * item->frag_size, bits);
    return expected;
}

static void
s_check_kernel (const s_case_t *item, const fuota_fec_block_t *block,
    const uint8_t *expected, uint32_t checks)
{
    uint8_t *free_out, *free_scratch;
    size_t size = item->frag_size;
    uint8_t *out = s_odd (item->count * size, &free_out);
    uint8_t *scratch =
        s_odd (fuota_fec_block_scratch (block, item->count), &free_scratch);
    fuota_fec_block_rows (block, item->first, item->count, out, scratch);
    for (uint32_t i = 0; i < item->count; i = s_next_row (item, i, checks))
        if (memcmp (out + i * size, expected + i * size, size))
            s_print (item, "differs");
    free (free_scratch);
    free (free_out);
}

//  Call check for every kernel; the best one is chosen again at the end.
static void
s_each_kernel (void (*check) (void *arg), void *arg)
{
    const char *name;
    for (unsigned i = 0; (name = fuota_fec_kernel_list (i)); i++) {
        assert_int_equal (fuota_fec_kernel_choose (name), 0);
        assert_string_equal (fuota_fec_kernel_name (), name);
        check (arg);
    }
    fuota_fec_kernel_choose (NULL);
}

static void
s_check (const s_case_t *item, uint32_t checks)
{
    uint8_t *free_data;
    size_t size = (size_t) item->m * item->frag_size - item->missing;
    uint8_t *data = s_odd (size, &free_data);
    for (size_t i = 0; i < size; i++)
        data [i] = (uint8_t) s_random (256);
    fuota_fec_block_t block = { data, size, item->frag_size, item->version };
    uint8_t *expected = s_expected (item, &block, checks);
    const char *name;
    for (unsigned i = 0; (name = fuota_fec_kernel_list (i)); i++) {
        fuota_fec_kernel_choose (name);
        s_check_kernel (item, &block, expected, checks);
    }
    fuota_fec_kernel_choose (NULL);
    free (expected);
    free (free_data);
}

static void
test_fec_block__choice (void **state)
{
    (void) state;
    const char *best = fuota_fec_kernel_name ();
    assert_string_equal (best, fuota_fec_kernel_list (0));
    assert_int_equal (fuota_fec_kernel_choose ("portable"), 0);
    assert_string_equal (fuota_fec_kernel_name (), "portable");
    assert_int_equal (fuota_fec_kernel_choose ("abacus"), -1);
    assert_string_equal (fuota_fec_kernel_name (), "portable");
    assert_int_equal (fuota_fec_kernel_choose (NULL), 0);
    assert_string_equal (fuota_fec_kernel_name (), best);
    print_message ("kernels:");
    for (unsigned i = 0; fuota_fec_kernel_list (i); i++)
        print_message (" %s", fuota_fec_kernel_list (i));
    print_message ("\n");
}

//  Sizes beside every limit: of words, of vectors, of panels, of tiles.

static const uint16_t s_ms [] = { 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 63,
    64, 65, 127, 128, 129, 255, 256, 257, 511, 512, 1000, 1024, 2048, 4096,
    8192, 10000, 16382 };
static const uint8_t s_sizes [] = { 1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 48,
    50, 63, 64, 65, 112, 127, 128, 200, 219, 239, 255 };
static const uint16_t s_counts [] = { 1, 2, 15, 16, 17, 63, 64, 65, 127, 128,
    129, 255, 256, 257, 300, 511, 512, 513, 700 };

#define S_COUNT(list) (sizeof (list) / sizeof *(list))

static void
test_fec_block__sizes (void **state)
{
    (void) state;
    s_seed = 2463534242u;
    for (size_t i = 0; i < S_COUNT (s_ms); i++)
        for (size_t k = 0; k < S_COUNT (s_sizes); k++) {
            uint32_t m = s_ms [i], room = FUOTA_FEC_MAX_N - m;
            //  Large blocks take their time: not with every size
            if (m > 2048 && (i + k) % 4)
                continue;
            uint32_t count = s_counts [s_random (S_COUNT (s_counts))];
            if (count > room)
                count = room;
            s_case_t item = { m, s_sizes [k], (uint8_t) (1 + s_random (2)),
                1 + s_random (room - count + 1), count, 0 };
            if (s_random (2))
                item.missing = s_random (item.frag_size);
            s_check (&item, 12);
        }
}

static void
test_fec_block__random (void **state)
{
    (void) state;
    s_seed = 88172645u;
    for (int i = 0; i < 300; i++) {
        uint32_t m = 1 + s_random (i % 8 ? 700 : FUOTA_FEC_MAX_N - 1);
        uint32_t room = FUOTA_FEC_MAX_N - m;
        uint32_t count = 1 + s_random (room < 400 ? room : 400);
        s_case_t item = { m, (uint8_t) (1 + s_random (255)),
            (uint8_t) (1 + s_random (2)), 1 + s_random (room - count + 1),
            count, 0 };
        item.missing = s_random (item.frag_size);
        s_check (&item, 8);
    }
}

//  Runs long enough for the sweep of the cycle, many of their rows compared.
static void
test_fec_block__sweep (void **state)
{
    static const s_case_t cases [] = {
        { 300, 1, 1, 1, 16083, 0 },
        { 300, 1, 2, 1, 16083, 0 },
        { 256, 2, 1, 5000, 11000, 1 },
        { 256, 2, 2, 5000, 11000, 1 },
        { 1024, 1, 1, 1, 4000, 0 },
        { 1024, 1, 2, 1, 4000, 0 },
        { 2000, 33, 1, 7600, 1500, 5 },
        { 2000, 33, 2, 7600, 1500, 5 },
        { 4096, 3, 1, 8380, 600, 0 },
        { 4096, 3, 2, 8381, 600, 0 },
        { 8000, 1, 2, 7583, 800, 0 },
    };
    (void) state;
    s_seed = 521288629u;
    for (size_t i = 0; i < S_COUNT (cases); i++)
        s_check (&cases [i], 3000);
}

//  Whole blocks of the largest kinds, some of their rows compared.
static void
test_fec_block__large (void **state)
{
    static const s_case_t cases [] = {
        { 8192, 239, 1, 1, 8191, 238 },
        { 8192, 239, 2, 1, 8191, 0 },
        { 10000, 255, 1, 383, 6000, 0 },
        { 10000, 255, 2, 383, 6000, 254 },
        { 5000, 64, 1, 1, 11383, 1 },
        { 5000, 64, 2, 1, 11383, 1 },
        { 16000, 200, 1, 1, 383, 0 },
        { 16382, 32, 2, 1, 1, 0 },
    };
    (void) state;
    for (size_t i = 0; i < S_COUNT (cases); i++)
        s_check (&cases [i], 60);
}

//  A run in pieces gives the rows of the run in one.
static void
s_check_pieces (void *arg)
{
    (void) arg;
    enum { m = 777, f = 51, r = 900 };
    static uint8_t data [m * f], whole [r * f], pieces [r * f];
    for (size_t i = 0; i < sizeof data; i++)
        data [i] = (uint8_t) (i * i >> 3);
    fuota_fec_block_t block = { data, sizeof data - 3, f, 2 };
    void *scratch = malloc (fuota_fec_block_scratch (&block, r));
    assert_non_null (scratch);
    fuota_fec_block_rows (&block, 1, r, whole, scratch);
    for (uint32_t first = 1, count = 1; first <= r; first += count) {
        count = first + 2 * count > r ? r + 1 - first : 2 * count;
        fuota_fec_block_rows (&block, first, count, pieces + (first - 1) * f,
            scratch);
    }
    fuota_fec_block_rows (&block, 1, 0, NULL, scratch);
    assert_memory_equal (whole, pieces, sizeof whole);
    free (scratch);
}

static void
test_fec_block__pieces (void **state)
{
    (void) state;
    s_each_kernel (s_check_pieces, NULL);
}

//  The vectors of independent encoders

static uint32_t
s_number (const json_t *object, const char *key)
{
    return (uint32_t) json_integer_value (json_object_get (object, key));
}

static void
s_check_hash (const json_t *vector, const uint8_t *parity, size_t size)
{
    uint8_t digest [32];
    char hash [2 * sizeof digest + 1];
    int rc = EVP_Digest (parity, size, digest, NULL, EVP_sha256 (), NULL);
    assert_int_equal (rc, 1);
    for (size_t i = 0; i < sizeof digest; i++)
        sprintf (hash + 2 * i, "%02x", digest [i]);
    const char *expected =
        json_string_value (json_object_get (vector, "sha256_parity_only"));
    if (strcmp (hash, expected))
        fail_msg ("%s by %s",
            json_string_value (json_object_get (vector, "name")),
            fuota_fec_kernel_name ());
}

static void
s_check_vector (const json_t *vector)
{
    uint8_t f = (uint8_t) s_number (vector, "fragment_size");
    uint32_t r = s_number (vector, "redundancy");
    size_t size = (size_t) s_number (vector, "M") * f;
    const char *rule =
        json_string_value (json_object_get (vector, "payload_rule"));
    uint8_t *data = malloc (size), *parity = malloc ((size_t) r * f);
    assert_non_null (data);
    assert_non_null (parity);
    for (size_t i = 0; i < size; i++)
        data [i] = (uint8_t) (strcmp (rule, "mul_hash") == 0
                                  ? (uint32_t) i * 2654435761u >> 24
                                  : i);
    fuota_fec_block_t block = { data, size, f,
        (uint8_t) s_number (vector, "version") };
    void *scratch = malloc (fuota_fec_block_scratch (&block, r));
    assert_non_null (scratch);
    fuota_fec_block_rows (&block, 1, r, parity, scratch);
    s_check_hash (vector, parity, (size_t) r * f);
    free (scratch);
    free (parity);
    free (data);
}

static void
s_check_vectors (void *arg)
{
    for (size_t i = 0; i < json_array_size (arg); i++)
        s_check_vector (json_array_get (arg, i));
}

static void
test_fec_block__vectors (void **state)
{
    (void) state;
    json_error_t error;
    json_t *file = json_load_file (FUOTA_VECTORS "/fec.json", 0, &error);
    assert_non_null (file);
    json_t *list = json_object_get (file, "encode");
    if (json_is_object (list))
        list = json_object_get (list, "vectors");
    assert_int_equal (json_array_size (list), 42);
    s_each_kernel (s_check_vectors, list);
    json_decref (file);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_fec_block__choice),
        cmocka_unit_test (test_fec_block__sizes),
        cmocka_unit_test (test_fec_block__random),
        cmocka_unit_test (test_fec_block__sweep),
        cmocka_unit_test (test_fec_block__large),
        cmocka_unit_test (test_fec_block__pieces),
        cmocka_unit_test (test_fec_block__vectors),
    };
    return cmocka_run_group_tests_name ("fec_block", tests, NULL, NULL);
}
