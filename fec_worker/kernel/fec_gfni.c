//  SPDX-License-Identifier: MIT
//
//  The kernel for AVX-512 with GFNI. The product is vgf2p8affineqb: a matrix
//  of 8 x 8 bits, a byte of 8 fragments, times a byte of each of 64 rows. One
//  starts each cycle, which leaves most other instructions free: draws of the
//  next rows are marked meanwhile.

#include "fec_worker/kernel/fec_kernel.h"

#include <immintrin.h>
#include <string.h>

#define S_STRIP 128
#define S_PANEL 12
#define S_DEPTH 2048  //  All there are: the second cache is fast enough

//  Draws marked in the time of two groups: two to a column.
#define S_MARKS (2 * S_PANEL)

static bool
s_usable (void)
{
    return __builtin_cpu_supports ("avx512bw") &&
           __builtin_cpu_supports ("avx512vl") &&
           __builtin_cpu_supports ("avx512vbmi") &&
           __builtin_cpu_supports ("gfni");
}

//  32 states are in 54 bits: all lanes have the same 64 bits of the stream,
//  and vpmultishiftqb takes two bytes of each state from where they begin.
static __m512i
s_bytes_at (int first)
{
    uint8_t at [64];
    for (int i = 0; i < 32; i++) {
        at [2 * i] = (uint8_t) (first + i);
        at [2 * i + 1] = (uint8_t) (first + i + 8);
    }
    return _mm512_loadu_si512 (at);
}

//  By 16 bits, see fuota_fec_divisor.
static void
s_remainders (const uint64_t *stream, uint32_t count, uint32_t modulus,
    uint16_t *out)
{
    fuota_fec_divisor_t by = fuota_fec_divisor (modulus);
    const uint8_t *from = (const uint8_t *) stream;
    __m512i low_at = s_bytes_at (0), high_at = s_bytes_at (7);
    __m512i k = _mm512_set1_epi16 ((short) by.inverse);
    __m512i m = _mm512_set1_epi16 ((short) by.large);
    __m128i shift = _mm_cvtsi32_si128 ((int) by.shift);
    for (uint32_t i = 0; i < count; i += 32, from += 4) {
        long long bits;
        memcpy (&bits, from, sizeof bits);
        __m512i all = _mm512_set1_epi64 (bits);
        __m512i low = _mm512_multishift_epi64_epi8 (low_at, all);
        __m512i high = _mm512_multishift_epi64_epi8 (high_at, all);
        __m512i q = _mm512_srl_epi16 (_mm512_mulhi_epu16 (high, k), shift);
        __m512i r = _mm512_sub_epi16 (low, _mm512_mullo_epi16 (q, m));
        for (uint32_t s = by.steps; s-- > 0;) {
            __m512i less = _mm512_set1_epi16 ((short) (modulus << s));
            r = _mm512_min_epu16 (r, _mm512_sub_epi16 (r, less));
        }
        _mm512_storeu_si512 (out + i, r);
    }
}

static uint64_t
s_compare (const uint8_t *last, uint8_t since)
{
    return _cvtmask64_u64 (_mm512_cmpge_epu8_mask (_mm512_load_si512 (last),
        _mm512_set1_epi8 ((char) since)));
}

static void
s_snapshot (const uint8_t *last, uint32_t words, uint8_t since, uint64_t *bits,
    size_t stride)
{
    for (uint32_t w = 0; w < words; w++)
        bits [w * stride] = s_compare (last + 64 * w, since);
}

static uint32_t
s_population (const uint8_t *last, uint32_t words, uint8_t since)
{
    uint64_t population = 0;
    for (uint32_t w = 0; w < words; w++)
        population +=
            (uint64_t) _mm_popcnt_u64 (s_compare (last + 64 * w, since));
    return (uint32_t) population;
}

//  A matrix has its rows as bytes, the first one last, and our columns are
//  bytes, the first one first. Multiplying a matrix by bytes of one bit turns
//  it over.
static void
s_pack (const uint64_t *columns, uint32_t count, uint8_t *cells)
{
    __m512i unit = _mm512_set1_epi64 (0x0102040810204080);
    __m512i backwards =
        _mm512_set_epi64 (0x08090a0b0c0d0e0f, 0x0001020304050607,
            0x08090a0b0c0d0e0f, 0x0001020304050607, 0x08090a0b0c0d0e0f,
            0x0001020304050607, 0x08090a0b0c0d0e0f, 0x0001020304050607);
    for (uint32_t c = 0; c < count; c += 8) {
        unsigned left = count - c < 8 ? count - c : 8;
        __mmask8 some = (__mmask8) (0xff >> (8 - left));
        __m512i matrix =
            _mm512_shuffle_epi8 (_mm512_maskz_loadu_epi64 (some, columns + c),
                backwards);
        _mm512_mask_storeu_epi64 (cells + c * 8, some,
            _mm512_gf2p8affine_epi64_epi8 (unit, matrix, 0));
    }
}

//  Eight words in each of eight vectors: as in fec_zip.h, interleaving turns
//  the number of a word, of 6 bits, left by one. Three times turn over all.
static inline void
s_zip_words (__m512i v [8])
{
    __m512i low = _mm512_setr_epi64 (0, 8, 1, 9, 2, 10, 3, 11);
    __m512i high = _mm512_setr_epi64 (4, 12, 5, 13, 6, 14, 7, 15);
    __m512i out [8];
    for (int i = 0; i < 4; i++) {
        out [2 * i] = _mm512_permutex2var_epi64 (v [i], low, v [i + 4]);
        out [2 * i + 1] = _mm512_permutex2var_epi64 (v [i], high, v [i + 4]);
    }
    for (int i = 0; i < 8; i++)
        v [i] = out [i];
}

//  Bytes of eight rows are turned over in a vector, then these words of
//  eight vectors.
static void
s_turn (const uint64_t *bits, uint8_t *groups)
{
    uint8_t bytes [64];
    for (int i = 0; i < 64; i++)
        bytes [i] = (uint8_t) (i % 8 * 8 + i / 8);
    __m512i order = _mm512_loadu_si512 (bytes);
    for (int i = 0; i < S_STRIP; i += 64) {
        __m512i v [8];
        for (int k = 0; k < 8; k++)
            v [k] = _mm512_permutexvar_epi8 (order,
                _mm512_load_si512 (bits + i + 8 * k));
        for (int k = 0; k < 3; k++)
            s_zip_words (v);
        for (int g = 0; g < 8; g++)
            _mm512_store_si512 (groups + g * S_STRIP + i, v [g]);
    }
}

static inline __m512i
s_matrix (const uint8_t *cells)
{
    long long cell;
    memcpy (&cell, cells, sizeof cell);
    return _mm512_set1_epi64 (cell);
}

typedef __m512i s_sums_t [S_PANEL][2];

//  Two groups of 128 rows, and S_MARKS draws unless marks is NULL. Inline,
//  with a width that is known there: so the sums are in registers.
__attribute__ ((always_inline)) static inline void
s_multiply_two (const uint8_t *rows, const uint8_t *cells, uint32_t width,
    s_sums_t sum, const fuota_fec_marks_t *marks)
{
    __m512i a [2] = { _mm512_load_si512 (rows), _mm512_load_si512 (rows + 64) };
    __m512i b [2] = { _mm512_load_si512 (rows + S_STRIP),
        _mm512_load_si512 (rows + S_STRIP + 64) };
#pragma GCC unroll 12
    for (uint32_t c = 0; c < width; c++) {
        __m512i p = s_matrix (cells + 8 * c);
        __m512i q = s_matrix (cells + 8 * (width + c));
#pragma GCC unroll 2
        for (int v = 0; v < 2; v++)
            sum [c][v] = _mm512_ternarylogic_epi64 (sum [c][v],
                _mm512_gf2p8affine_epi64_epi8 (a [v], p, 0),
                _mm512_gf2p8affine_epi64_epi8 (b [v], q, 0), 0x96);
        if (marks) {
            marks->last [marks->draws [2 * c]] = marks->epoch;
            marks->last [marks->draws [2 * c + 1]] = marks->epoch;
        }
    }
}

__attribute__ ((always_inline)) static inline void
s_load (s_sums_t sum, const uint8_t *sums, uint32_t width)
{
    for (uint32_t c = 0; c < width; c++)
        for (int v = 0; v < 2; v++)
            sum [c][v] = _mm512_load_si512 (sums + c * S_STRIP + v * 64);
}

__attribute__ ((always_inline)) static inline void
s_store (s_sums_t sum, uint8_t *sums, uint32_t width)
{
    for (uint32_t c = 0; c < width; c++)
        for (int v = 0; v < 2; v++)
            _mm512_store_si512 (sums + c * S_STRIP + v * 64, sum [c][v]);
}

__attribute__ ((always_inline)) static inline void
s_multiply_width (const uint8_t *rows, uint32_t groups, const uint8_t *cells,
    uint32_t width, uint8_t *sums)
{
    s_sums_t sum;
    s_load (sum, sums, width);
    for (uint32_t g = 0; g < groups; g += 2)
        s_multiply_two (rows + g * S_STRIP, cells + 8 * g * width, width, sum,
            NULL);
    s_store (sum, sums, width);
}

static uint32_t
s_multiply_marking (const uint8_t *rows, uint32_t group, uint32_t groups,
    const uint8_t *cells, uint8_t *sums, fuota_fec_marks_t *marks)
{
    s_sums_t sum;
    fuota_fec_marks_t next = *marks;
    const uint16_t *end = marks->draws + marks->count;
    s_load (sum, sums, S_PANEL);
    for (; group < groups && end - next.draws >= S_MARKS; group += 2) {
        s_multiply_two (rows + group * S_STRIP, cells + 8 * group * S_PANEL,
            S_PANEL, sum, &next);
        next.draws += S_MARKS;
    }
    s_store (sum, sums, S_PANEL);
    if (end - next.draws < S_MARKS)
        for (; next.draws < end; next.draws++)
            next.last [*next.draws] = next.epoch;
    marks->count = (uint32_t) (next.draws - marks->draws);
    return group;
}

#define S_CASE(w)                                                              \
    case w:                                                                    \
        s_multiply_width (rows, groups, cells, w, sums);                       \
        break

static void
s_multiply (const uint8_t *rows, uint32_t groups, const uint8_t *cells,
    uint32_t width, uint8_t *sums)
{
    switch (width) {
        S_CASE (1);
        S_CASE (2);
        S_CASE (3);
        S_CASE (4);
        S_CASE (5);
        S_CASE (6);
        S_CASE (7);
        S_CASE (8);
        S_CASE (9);
        S_CASE (10);
        S_CASE (11);
        S_CASE (12);
    }
}

const fuota_fec_kernel_t fuota_fec_gfni = {
    .name = "gfni",
    .usable = s_usable,
    .size = fuota_fec_tile_size,
    .rows = fuota_fec_tile_rows,
    .remainders = s_remainders,
    .snapshot = s_snapshot,
    .population = s_population,
    .strip = S_STRIP,
    .index = 1,
    .strips = 1,
    .panel = S_PANEL,
    .depth = S_DEPTH,
    .cell = 8,
    .pack = s_pack,
    .turn = s_turn,
    .multiply = s_multiply,
    .multiply_marking = s_multiply_marking,
};
