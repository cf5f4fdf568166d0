//  SPDX-License-Identifier: MIT
//
//  The kernel for AVX2. The product looks up 4 fragments at a time: vpshufb
//  is a table of 16 entries, asked for 32 rows at once.

#include "fec_worker/kernel/fec_kernel.h"

#include <immintrin.h>
#include <string.h>
#include "fec_worker/kernel/fec_zip.h"

#define S_STRIP 64
#define S_STRIPS 16
#define S_PANEL 4
#define S_DEPTH 64

//  Draws marked in the time of a group: two to a column.
#define S_MARKS (2 * S_PANEL)

static bool
s_usable (void)
{
    return __builtin_cpu_supports ("avx2");
}

//  Eight states from a byte of the stream on, each in the low 23 bits of a
//  word, with other bits above.
static __m256i
s_states (const uint8_t *stream)
{
    int bits;
    memcpy (&bits, stream, sizeof bits);
    return _mm256_srlv_epi32 (_mm256_set1_epi32 (bits),
        _mm256_setr_epi32 (0, 1, 2, 3, 4, 5, 6, 7));
}

//  The lowest 16 bits of two times eight states, and the highest 16. Lanes
//  are in the order in which vpackusdw leaves them.
static __m256i
s_lowest (__m256i a, __m256i b)
{
    __m256i mask = _mm256_set1_epi32 (0xffff);
    return _mm256_packus_epi32 (_mm256_and_si256 (a, mask),
        _mm256_and_si256 (b, mask));
}

static __m256i
s_highest (__m256i a, __m256i b)
{
    return _mm256_packus_epi32 (_mm256_srli_epi32 (_mm256_slli_epi32 (a, 9),
                                    16),
        _mm256_srli_epi32 (_mm256_slli_epi32 (b, 9), 16));
}

//  As in fec_gfni.c: the highest 16 bits of a state are enough for the
//  quotient, or one less than that, and the lowest for the remainder.
static void
s_remainders (const uint64_t *stream, uint32_t count, uint32_t modulus,
    uint16_t *out)
{
    fuota_fec_divisor_t by = fuota_fec_divisor (modulus);
    const uint8_t *from = (const uint8_t *) stream;
    __m256i k = _mm256_set1_epi16 ((short) by.inverse);
    __m256i m = _mm256_set1_epi16 ((short) by.large);
    __m128i shift = _mm_cvtsi32_si128 ((int) by.shift);
    for (uint32_t i = 0; i < count; i += 16, from += 2) {
        __m256i a = s_states (from), b = s_states (from + 1);
        __m256i q = _mm256_mulhi_epu16 (s_highest (a, b), k);
        q = _mm256_srl_epi16 (q, shift);
        __m256i r =
            _mm256_sub_epi16 (s_lowest (a, b), _mm256_mullo_epi16 (q, m));
        for (uint32_t s = by.steps; s-- > 0;) {
            __m256i less = _mm256_set1_epi16 ((short) (modulus << s));
            r = _mm256_min_epu16 (r, _mm256_sub_epi16 (r, less));
        }
        r = _mm256_permute4x64_epi64 (r, 0xd8);
        _mm256_storeu_si256 ((__m256i *) (out + i), r);
    }
}

//  A bit for each of 32 bytes that are since or later.
static uint32_t
s_compare (const uint8_t *last, __m256i before)
{
    __m256i bytes = _mm256_load_si256 ((const __m256i *) last);
    return (uint32_t) _mm256_movemask_epi8 (_mm256_cmpgt_epi8 (bytes, before));
}

static void
s_snapshot (const uint8_t *last, uint32_t words, uint8_t since, uint64_t *bits,
    size_t stride)
{
    __m256i before = _mm256_set1_epi8 ((char) (since - 1));
    for (uint32_t w = 0; w < words; w++, last += 64)
        bits [w * stride] = s_compare (last, before) |
                            (uint64_t) s_compare (last + 32, before) << 32;
}

static uint32_t
s_population (const uint8_t *last, uint32_t words, uint8_t since)
{
    __m256i before = _mm256_set1_epi8 ((char) (since - 1));
    uint32_t population = 0;
    for (uint32_t w = 0; w < 2 * words; w++, last += 32)
        population += (uint32_t) _mm_popcnt_u32 (s_compare (last, before));
    return population;
}

//  A cell is the bytes of a column, x0 .. x7, and x0 ^ x1, x1 ^ x2 .. x7.
static void
s_pack (const uint64_t *columns, uint32_t count, uint8_t *cells)
{
    for (uint32_t c = 0; c < count; c++) {
        uint64_t cell [2] = { columns [c], columns [c] ^ columns [c] >> 8 };
        memcpy (cells + 16 * c, cell, sizeof cell);
    }
}

//  Two tables to a column: all sums of its first four bytes, and of its last
//  four. An entry is a sum of some of the first two and one of some of the
//  last two, each of which is in the cell; an index of 128 is none.
static __m256i
s_entries_with (int two)
{
    static const uint8_t sums [4] = { 128, 0, 1, 8 };
    uint8_t from [32];
    for (int i = 0; i < 32; i++)
        from [i] = (uint8_t) (sums [i >> two & 3] + i / 16 * 4 + two);
    return _mm256_loadu_si256 ((const __m256i *) from);
}

static void
s_make (const uint8_t *cells, uint32_t count, uint8_t *tables)
{
    __m256i first = s_entries_with (0), last = s_entries_with (2);
    for (uint32_t c = 0; c < count; c++) {
        __m256i cell = _mm256_broadcastsi128_si256 (
            _mm_load_si128 ((const __m128i *) cells + c));
        _mm256_store_si256 ((__m256i *) tables + c,
            _mm256_xor_si256 (_mm256_shuffle_epi8 (cell, first),
                _mm256_shuffle_epi8 (cell, last)));
    }
}

//  A group of a strip is 64 indexes into the first of its tables, and 64
//  into the second: the lower and the upper halves of bytes.
static void
s_turn (const uint64_t *bits, uint8_t *groups)
{
    uint8_t bytes [8 * S_STRIP] __attribute__ ((aligned (32)));
    fuota_fec_turn (bits, bytes, S_STRIP);
    __m256i mask = _mm256_set1_epi8 (15);
    const __m256i *from = (const __m256i *) bytes;
    __m256i *to = (__m256i *) groups;
    for (int g = 0; g < 8; g++, to += 4)
        for (int v = 0; v < 2; v++) {
            __m256i rows = _mm256_load_si256 (from++);
            __m256i high = _mm256_srli_epi16 (rows, 4);
            _mm256_store_si256 (to + v, _mm256_and_si256 (rows, mask));
            _mm256_store_si256 (to + 2 + v, _mm256_and_si256 (high, mask));
        }
}

static inline __m256i
s_table (const uint8_t *table)
{
    return _mm256_broadcastsi128_si256 (
        _mm_load_si128 ((const __m128i *) table));
}

typedef __m256i s_sums_t [S_PANEL][2];

//  A group of 64 rows, and S_MARKS draws unless draws is NULL. Inline, with a
//  width that is known there: so the sums are in registers, which are just
//  enough: 8 sums, 4 indexes, tables and what is looked up.
__attribute__ ((always_inline)) static inline void
s_multiply_one (const uint8_t *rows, const uint8_t *tables, uint32_t width,
    s_sums_t sum, const uint16_t *draws, uint8_t *last, uint8_t epoch)
{
    __m256i index [2][2];
    for (int i = 0; i < 4; i++)
        index [i / 2][i % 2] = _mm256_load_si256 ((const __m256i *) rows + i);
#pragma GCC unroll 4
    for (uint32_t c = 0; c < width; c++)
#pragma GCC unroll 2
        for (int half = 0; half < 2; half++, tables += 16) {
            __m256i table = s_table (tables);
#pragma GCC unroll 2
            for (int v = 0; v < 2; v++)
                sum [c][v] ^= _mm256_shuffle_epi8 (table, index [half][v]);
            if (draws)
                last [*draws++] = epoch;
        }
}

__attribute__ ((always_inline)) static inline void
s_load (s_sums_t sum, const uint8_t *sums, uint32_t width)
{
    for (uint32_t c = 0; c < width; c++)
        for (int v = 0; v < 2; v++)
            sum [c][v] =
                _mm256_load_si256 ((const __m256i *) (sums + c * S_STRIP) + v);
}

__attribute__ ((always_inline)) static inline void
s_store (s_sums_t sum, uint8_t *sums, uint32_t width)
{
    for (uint32_t c = 0; c < width; c++)
        for (int v = 0; v < 2; v++)
            _mm256_store_si256 ((__m256i *) (sums + c * S_STRIP) + v,
                sum [c][v]);
}

__attribute__ ((always_inline)) static inline void
s_multiply_width (const uint8_t *rows, uint32_t groups, const uint8_t *tables,
    uint32_t width, uint8_t *sums)
{
    s_sums_t sum;
    s_load (sum, sums, width);
    for (uint32_t g = 0; g < groups; g++)
        s_multiply_one (rows + g * 2 * S_STRIP, tables + 32 * g * width, width,
            sum, NULL, NULL, 0);
    s_store (sum, sums, width);
}

static uint32_t
s_multiply_marking (const uint8_t *rows, uint32_t group, uint32_t groups,
    const uint8_t *tables, uint8_t *sums, fuota_fec_marks_t *marks)
{
    s_sums_t sum;
    const uint16_t *draws = marks->draws, *end = draws + marks->count;
    s_load (sum, sums, S_PANEL);
    for (; group < groups && end - draws >= S_MARKS; group++, draws += S_MARKS)
        s_multiply_one (rows + group * 2 * S_STRIP,
            tables + 32 * group * S_PANEL, S_PANEL, sum, draws, marks->last,
            marks->epoch);
    s_store (sum, sums, S_PANEL);
    if (end - draws < S_MARKS)
        for (; draws < end; draws++)
            marks->last [*draws] = marks->epoch;
    marks->count = (uint32_t) (draws - marks->draws);
    return group;
}

#define S_CASE(w)                                                              \
    case w:                                                                    \
        s_multiply_width (rows, groups, tables, w, sums);                      \
        break

static void
s_multiply (const uint8_t *rows, uint32_t groups, const uint8_t *tables,
    uint32_t width, uint8_t *sums)
{
    switch (width) {
        S_CASE (1);
        S_CASE (2);
        S_CASE (3);
        S_CASE (4);
    }
}

const fuota_fec_kernel_t fuota_fec_avx2 = {
    .name = "avx2",
    .usable = s_usable,
    .size = fuota_fec_tile_size,
    .rows = fuota_fec_tile_rows,
    .remainders = s_remainders,
    .snapshot = s_snapshot,
    .population = s_population,
    .strip = S_STRIP,
    .index = 2,
    .strips = S_STRIPS,
    .panel = S_PANEL,
    .depth = S_DEPTH,
    .cell = 16,
    .table = 32,
    .pack = s_pack,
    .make = s_make,
    .turn = s_turn,
    .multiply = s_multiply,
    .multiply_marking = s_multiply_marking,
};
