//  SPDX-License-Identifier: MIT
//
//  The decoder against fec.json, and against a slow one written from the
//  rule alone: the state and the count of missing fragments are compared
//  after every single fragment.

#include "fec_worker/kernel/fec_decode.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "fec_worker/kernel/fec.h"

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

//  The slow decoder: rows of bytes over all M, kept in echelon form.

#define S_SLOW_M 320

typedef struct {
    uint32_t m;
    unsigned version;
    uint32_t rank;
    bool have [S_SLOW_M];  //  Row p begins at p and is there
    uint8_t row [S_SLOW_M][S_SLOW_M];
} s_slow_t;

static void
s_slow_row (uint32_t m, uint32_t n, unsigned version, uint8_t *row)
{
    uint32_t x = 1 + 1001 * n;
    for (uint32_t k = 0; k < m / 2;) {
        x = fuota_fec_prbs23 (x);
        uint32_t r = x % (m + ((m & (m - 1)) == 0));
        if (r >= m || (version == 2 && row [r]))
            continue;
        row [r] = 1;
        k++;
    }
}

static void
s_slow_take (s_slow_t *self, uint32_t n)
{
    uint8_t row [S_SLOW_M] = { 0 };
    if (n <= self->m)
        row [n - 1] = 1;
    else
        s_slow_row (self->m, n - self->m, self->version, row);
    for (uint32_t p = 0; p < self->m; p++) {
        if (row [p] && !self->have [p]) {
            memcpy (self->row [p], row, sizeof row);
            self->have [p] = true;
            self->rank++;
            return;
        }
        uint8_t add = row [p];
        for (uint32_t i = p; i < self->m; i++)
            row [i] ^= add & self->row [p][i];
    }
}

//  A block, a decoder, and what the caller of a decoder keeps. Fragments are
//  made again instead of kept; only those taken may be asked for.

typedef struct {
    fuota_fec_block_t block;
    uint32_t m;
    fuota_fec_decode_t *decoder;
    bool taken [FUOTA_FEC_MAX_N + 1];
    uint32_t distinct;
    uint8_t fragment [UINT8_MAX];
    uint64_t bits [FUOTA_FEC_WORDS_MAX];
} s_link_t;

static s_link_t s_link;

static void
s_open (uint32_t m, uint8_t frag_size, uint8_t version, uint32_t max_losses)
{
    size_t size = (size_t) m * frag_size - s_random (frag_size);
    uint8_t *data = malloc (size);
    assert_non_null (data);
    for (size_t i = 0; i < size; i++)
        data [i] = (uint8_t) s_random (256);
    memset (&s_link, 0, sizeof s_link);
    fuota_fec_block_t block = { data, size, frag_size, version };
    s_link.block = block;
    s_link.m = m;
    s_link.decoder = fuota_fec_decode_new (m, version, max_losses);
    assert_non_null (s_link.decoder);
}

static void
s_close (void)
{
    free ((void *) s_link.block.data);
    fuota_fec_decode_destroy (&s_link.decoder);
    assert_null (s_link.decoder);
    fuota_fec_decode_destroy (&s_link.decoder);
}

static fuota_fec_state_t
s_take (uint32_t n)
{
    if (!s_link.taken [n] &&
        fuota_fec_decode_state (s_link.decoder) == FUOTA_FEC_RECEIVING) {
        s_link.taken [n] = true;
        s_link.distinct++;
    }
    fuota_fec_state_t state = fuota_fec_decode_take (s_link.decoder, n);
    assert_int_equal (state, fuota_fec_decode_state (s_link.decoder));
    return state;
}

static const uint8_t *
s_fetch (void *arg, uint32_t n)
{
    s_link_t *link = arg;
    assert_true (link->taken [n]);
    fuota_fec_fragment (&link->block, n, link->fragment, link->bits);
    return link->fragment;
}

//  The block comes back whole, followed by zeros, and no byte is written
//  after it.
static void
s_check_block (void)
{
    size_t size = (size_t) s_link.m * s_link.block.frag_size;
    uint8_t *out = malloc (size + 1);
    assert_non_null (out);
    memset (out, 0xaa, size + 1);
    int rc = fuota_fec_decode_block (s_link.decoder, s_link.block.frag_size,
        s_fetch, &s_link, out);
    assert_int_equal (rc, 0);
    assert_memory_equal (out, s_link.block.data, s_link.block.size);
    for (size_t i = s_link.block.size; i < size; i++)
        assert_int_equal (out [i], 0);
    assert_int_equal (out [size], 0xaa);
    free (out);
}

static void
s_check_no_block (void)
{
    assert_int_equal (fuota_fec_decode_block (s_link.decoder,
                          s_link.block.frag_size, s_fetch, &s_link, NULL),
        -1);
}

//  Is N in the list?
static bool
s_listed (const json_t *list, uint32_t n)
{
    for (size_t i = 0; i < json_array_size (list); i++)
        if (json_integer_value (json_array_get (list, i)) == n)
            return true;
    return false;
}

static uint32_t
s_number (const json_t *object, const char *key)
{
    return (uint32_t) json_integer_value (json_object_get (object, key));
}

static void
s_check_vector (const json_t *vector)
{
    const char *name = json_string_value (json_object_get (vector, "name"));
    uint32_t m = s_number (vector, "M");
    s_open (m, (uint8_t) s_number (vector, "fragment_size"),
        (uint8_t) s_number (vector, "version"), m);
    json_t *lost = json_object_get (vector, "lost_N");
    for (uint32_t n = 1; n <= m; n++)
        if (!s_listed (lost, n))
            s_take (n);

    json_t *coded = json_object_get (vector, "coded_N_received_in_order");
    uint32_t complete_at = 0;
    for (size_t i = 0; i < json_array_size (coded); i++) {
        uint32_t n = (uint32_t) json_integer_value (json_array_get (coded, i));
        if (s_take (n) == FUOTA_FEC_COMPLETE && !complete_at)
            complete_at = n;
    }
    bool complete = json_is_true (json_object_get (vector, "complete"));
    if (complete_at != s_number (vector, "complete_at_coded_N"))
        fail_msg ("%s: complete at %u", name, complete_at);
    if (fuota_fec_decode_missing (s_link.decoder) !=
        s_number (vector, "missing_after_all"))
        fail_msg ("%s: missing", name);
    if (complete)
        s_check_block ();
    else
        s_check_no_block ();
    s_close ();
}

static void
test_fec_decode__vectors (void **state)
{
    (void) state;
    json_t *file = json_load_file (FUOTA_VECTORS "/fec.json", 0, NULL);
    json_t *list = json_object_get (file, "decode");
    assert_int_equal (json_array_size (list), 28);
    for (size_t i = 0; i < json_array_size (list); i++)
        s_check_vector (json_array_get (list, i));
    json_decref (file);
}

//  How a link loses fragments, and what else it does to them.
typedef struct {
    const char *name;
    unsigned loss;   //  Percent
    unsigned burst;  //  Fragments lost in a row, mean
    unsigned again;  //  Percent that come twice
    unsigned late;   //  Percent that come after all the others
} s_weather_t;

//  The fragments that arrive, in order of arrival. Returns their number.
static uint32_t
s_arrivals (const s_weather_t *weather, uint32_t count, uint16_t *list)
{
    uint16_t late [FUOTA_FEC_MAX_N];
    uint32_t size = 0, late_size = 0;
    bool bad = false;
    for (uint16_t n = 1; n <= count; n++) {
        //  Two states, of which the bad one lasts burst fragments on average
        if (bad)
            bad = s_random (weather->burst) != 0;
        else
            bad = s_random (100 * weather->burst) < weather->loss;
        if (bad)
            continue;
        if (s_random (100) < weather->late)
            late [late_size++] = n;
        else
            list [size++] = n;
        if (s_random (100) < weather->again)
            list [size++] = n;
    }
    for (uint32_t i = 0; i < late_size; i++) {
        uint32_t k = i + s_random (late_size - i);
        list [size++] = late [k];
        late [k] = late [i];
    }
    return size;
}

static s_slow_t s_slow;

//  One transfer, fragment by fragment beside the slow decoder.
static void
s_transfer (const s_weather_t *weather, uint32_t m, uint8_t frag_size,
    uint8_t version)
{
    uint16_t list [2 * FUOTA_FEC_MAX_N];
    uint32_t size = s_arrivals (weather, 2 * m + 40, list);
    memset (&s_slow, 0, sizeof s_slow);
    s_slow.m = m;
    s_slow.version = version;
    s_open (m, frag_size, version, m);
    for (uint32_t i = 0; i < size; i++) {
        if (s_slow.rank < m)
            s_slow_take (&s_slow, list [i]);
        bool complete = s_take (list [i]) == FUOTA_FEC_COMPLETE;
        uint32_t missing = fuota_fec_decode_missing (s_link.decoder);
        if (missing != m - s_slow.rank || complete != (missing == 0))
            fail_msg ("%s: M=%u version %u, N=%u: %u missing, not %u",
                weather->name, m, version, list [i], missing, m - s_slow.rank);
        assert_int_equal (fuota_fec_decode_received (s_link.decoder),
            s_link.distinct);
    }
    if (s_slow.rank == m)
        s_check_block ();
    else
        s_check_no_block ();
    s_close ();
}

static void
test_fec_decode__complete_when_the_rank_is_full (void **state)
{
    static const s_weather_t weathers [] = {
        { "fair", 0, 1, 0, 0 },
        { "rare", 3, 1, 0, 0 },
        { "even", 25, 1, 0, 0 },
        { "storm", 60, 1, 0, 0 },
        { "bursts", 20, 12, 0, 0 },
        { "echoes", 25, 1, 30, 0 },
        { "disorder", 25, 1, 10, 40 },
        { "bursts and disorder", 20, 8, 20, 20 },
        { "nothing in order", 10, 1, 0, 100 },
    };
    static const uint32_t sizes [] = { 1, 2, 3, 4, 5, 7, 8, 9, 16, 31, 32, 33,
        63, 64, 65, 100, 127, 128, 129, 200, 256, 300 };
    (void) state;
    s_seed = 20240229;
    for (size_t w = 0; w < sizeof weathers / sizeof *weathers; w++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (uint8_t version = 1; version <= 2; version++) {
                uint8_t frag_size = (uint8_t) (1 + s_random (60));
                s_transfer (&weathers [w], sizes [i], frag_size, version);
            }
}

//  Small blocks are where rows are equal, empty or alike in parity.
static void
test_fec_decode__every_small_block (void **state)
{
    static const s_weather_t weather = { "small", 50, 1, 20, 20 };
    (void) state;
    s_seed = 7;
    for (uint32_t m = 1; m <= 24; m++)
        for (unsigned round = 0; round < 40; round++)
            s_transfer (&weather, m, 3, (uint8_t) (1 + round % 2));
}

//  Sizes of the field, beyond what the slow decoder can do: complete with
//  some coded fragments more than were lost.
static void
test_fec_decode__large_blocks (void **state)
{
    static const struct {
        uint32_t m, lost;
        uint8_t frag_size;
    } cases [] = {
        { 900, 200, 50 },
        { 1024, 1024, 11 },  //  Nothing uncoded came
        { 4096, 64, 239 },
        { 16000, 300, 16 },
    };
    (void) state;
    s_seed = 99;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t m = cases [i].m, last = m + cases [i].lost + 30;
        s_open (m, cases [i].frag_size, 1, cases [i].lost);
        for (uint32_t n = cases [i].lost + 1; n <= m; n++)
            s_take (n);
        uint32_t n = m + 1;
        while (n <= last && s_take (n) == FUOTA_FEC_RECEIVING)
            n++;
        if (n > last)
            fail_msg ("M=%u: not complete", m);
        s_check_block ();
        s_close ();
    }
}

//  As many losses as there is room for are repaired; one more is the end,
//  at the first coded fragment, and nothing changes after it.
static void
test_fec_decode__overload (void **state)
{
    (void) state;
    s_seed = 3;
    for (uint32_t lost = 0; lost <= 70; lost += 7) {
        s_open (100, 10, 2, lost);
        for (uint32_t n = 1; n <= 100 - lost; n++)
            s_take (n);
        for (uint32_t n = 101; n <= 300; n++)
            s_take (n);
        assert_int_equal (fuota_fec_decode_state (s_link.decoder),
            FUOTA_FEC_COMPLETE);
        s_check_block ();
        s_close ();

        s_open (100, 10, 2, lost);
        for (uint32_t n = 1; n <= 99 - lost; n++)
            assert_int_equal (s_take (n), FUOTA_FEC_RECEIVING);
        for (uint32_t n = 101; n >= 99; n--)
            assert_int_equal (s_take (n), FUOTA_FEC_OVERLOADED);
        assert_int_equal (fuota_fec_decode_received (s_link.decoder),
            99 - lost);
        assert_int_equal (fuota_fec_decode_missing (s_link.decoder), lost + 1);
        s_check_no_block ();
        s_close ();
    }
}

//  An uncoded fragment that comes after coded ones counts for what it brings,
//  and for nothing if they had brought it.
static void
test_fec_decode__late_uncoded_fragments (void **state)
{
    (void) state;
    s_seed = 4;
    s_open (3, 5, 1, 3);
    s_take (5);  //  Row 2: source fragment 0
    assert_int_equal (fuota_fec_decode_missing (s_link.decoder), 2);
    s_take (1);
    assert_int_equal (fuota_fec_decode_missing (s_link.decoder), 2);
    s_take (3);
    assert_int_equal (fuota_fec_decode_missing (s_link.decoder), 1);
    s_check_no_block ();
    assert_int_equal (s_take (2), FUOTA_FEC_COMPLETE);
    assert_int_equal (fuota_fec_decode_received (s_link.decoder), 4);
    s_check_block ();
    s_close ();
}

//  Version 2 with an even floor (M / 2): coded fragments alone leave one
//  missing for ever; what the plan's choice of the fragment size is for.
static void
test_fec_decode__coded_alone (void **state)
{
    (void) state;
    s_seed = 6;
    for (uint32_t m = 40; m < 48; m++) {
        bool even = m / 2 % 2 == 0;
        s_open (m, 5, 2, m);
        for (uint32_t n = m + 1; n <= 6 * m; n++)
            s_take (n);
        assert_int_equal (fuota_fec_decode_missing (s_link.decoder), even);
        if (even)
            assert_int_equal (s_take (1 + s_random (m)), FUOTA_FEC_COMPLETE);
        s_check_block ();
        s_close ();
    }
}

static void
test_fec_decode__alien_numbers (void **state)
{
    static const uint32_t aliens [] = { 0, 16384, 65536, UINT32_MAX };
    (void) state;
    assert_null (fuota_fec_decode_new (0, 1, 10));
    assert_null (fuota_fec_decode_new (FUOTA_FEC_MAX_N + 1, 1, 10));
    s_seed = 5;
    s_open (FUOTA_FEC_MAX_N, 1, 1, FUOTA_FEC_MAX_N);
    for (size_t i = 0; i < sizeof aliens / sizeof *aliens; i++)
        assert_int_equal (fuota_fec_decode_take (s_link.decoder, aliens [i]),
            FUOTA_FEC_RECEIVING);
    assert_int_equal (fuota_fec_decode_received (s_link.decoder), 0);
    for (uint32_t n = FUOTA_FEC_MAX_N; n > 1; n--)
        assert_int_equal (s_take (n), FUOTA_FEC_RECEIVING);
    assert_int_equal (s_take (1), FUOTA_FEC_COMPLETE);
    s_check_block ();
    s_close ();
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_fec_decode__vectors),
        cmocka_unit_test (test_fec_decode__complete_when_the_rank_is_full),
        cmocka_unit_test (test_fec_decode__every_small_block),
        cmocka_unit_test (test_fec_decode__large_blocks),
        cmocka_unit_test (test_fec_decode__overload),
        cmocka_unit_test (test_fec_decode__late_uncoded_fragments),
        cmocka_unit_test (test_fec_decode__coded_alone),
        cmocka_unit_test (test_fec_decode__alien_numbers),
    };
    return cmocka_run_group_tests_name ("fec_decode", tests, NULL, NULL);
}
