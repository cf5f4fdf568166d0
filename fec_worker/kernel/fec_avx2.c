//  SPDX-License-Identifier: MIT
//
//  The kernel for AVX2. The product looks up 4 fragments at a time: vpshufb
//  is a table of 16 entries, asked for 32 rows at once.

#include "fec_worker/kernel/fec_kernel.h"

#include <immintrin.h>
#include <string.h>
#include "fec_worker/kernel/fec_zip.h"

#define S_TILE 256
#define S_PANEL 5

static bool
s_usable (void)
{
    return __builtin_cpu_supports ("avx2");
}

//  16 states from a bit on, which is a multiple of 16, modulo modulus. States
//  are 8 shifts of 4 bytes each. Quotients are got as floats, and are at most
//  one too small, for inverse is a little below 1 / modulus.
static __m256i
s_eight (const uint8_t *stream, __m256 inverse, __m256i modulus)
{
    int bits;
    memcpy (&bits, stream, sizeof bits);
    __m256i shift = _mm256_setr_epi32 (0, 1, 2, 3, 4, 5, 6, 7);
    __m256i x =
        _mm256_and_si256 (_mm256_srlv_epi32 (_mm256_set1_epi32 (bits), shift),
            _mm256_set1_epi32 (0x7fffff));
    __m256i q =
        _mm256_cvttps_epi32 (_mm256_mul_ps (_mm256_cvtepi32_ps (x), inverse));
    __m256i r = _mm256_sub_epi32 (x, _mm256_mullo_epi32 (q, modulus));
    return _mm256_min_epu32 (r, _mm256_sub_epi32 (r, modulus));
}

static void
s_remainders (const uint64_t *stream, uint32_t count, uint32_t modulus,
    uint16_t *out)
{
    const uint8_t *from = (const uint8_t *) stream;
    __m256i m = _mm256_set1_epi32 ((int) modulus);
    __m256 inverse = _mm256_set1_ps (0.9999997f / (float) modulus);
    for (uint32_t i = 0; i < count; i += 16, from += 2) {
        __m256i low = s_eight (from, inverse, m);
        __m256i high = s_eight (from + 1, inverse, m);
        __m256i both =
            _mm256_permute4x64_epi64 (_mm256_packus_epi32 (low, high), 0xd8);
        _mm256_storeu_si256 ((__m256i *) (out + i), both);
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

//  Two tables to a column: all sums of its first four bytes, and of its last
//  four. Byte k is in the entries that have bit k; an index of 128 is none.
static __m256i
s_entries_with (int k)
{
    uint8_t from [32];
    for (int i = 0; i < 32; i++)
        from [i] = (uint8_t) (i >> k & 1 ? i / 16 * 4 + k : 128);
    return _mm256_loadu_si256 ((const __m256i *) from);
}

static void
s_pack (const uint64_t *columns, uint32_t count, uint8_t *cells)
{
    __m256i with [4];
    for (int k = 0; k < 4; k++)
        with [k] = s_entries_with (k);
    for (uint32_t c = 0; c < count; c++) {
        __m256i bytes = _mm256_set1_epi64x ((long long) columns [c]);
        __m256i table = _mm256_setzero_si256 ();
        for (int k = 0; k < 4; k++)
            table ^= _mm256_shuffle_epi8 (bytes, with [k]);
        _mm256_storeu_si256 ((__m256i *) (cells + 32 * c), table);
    }
}

static void
s_turn (const uint64_t *bits, uint8_t *groups)
{
    fuota_fec_turn (bits, groups, S_TILE);
}

//  Indexes of 64 rows into the tables of a group.
typedef struct {
    __m256i low [2], high [2];
} s_index_t;

static inline s_index_t
s_index (const uint8_t *rows)
{
    s_index_t index;
    __m256i mask = _mm256_set1_epi8 (15);
    for (int v = 0; v < 2; v++) {
        __m256i bytes = _mm256_load_si256 ((const __m256i *) rows + v);
        index.low [v] = _mm256_and_si256 (bytes, mask);
        index.high [v] = _mm256_and_si256 (_mm256_srli_epi16 (bytes, 4), mask);
    }
    return index;
}

static inline __m256i
s_table (const uint8_t *cell)
{
    return _mm256_broadcastsi128_si256 (
        _mm_loadu_si128 ((const __m128i *) cell));
}

//  64 rows of a tile. Inline, with a width that is known there: so the sums
//  are in registers.
__attribute__ ((always_inline)) static inline void
s_multiply_64 (const uint8_t *rows, uint32_t groups, const uint8_t *cells,
    uint32_t width, uint8_t *sums)
{
    __m256i sum [S_PANEL][2];
    for (uint32_t c = 0; c < width; c++)
        sum [c][0] = sum [c][1] = _mm256_setzero_si256 ();
    for (uint32_t g = 0; g < groups; g++, rows += S_TILE) {
        s_index_t index = s_index (rows);
#pragma GCC unroll 5
        for (uint32_t c = 0; c < width; c++, cells += 32) {
            __m256i low = s_table (cells), high = s_table (cells + 16);
#pragma GCC unroll 2
            for (int v = 0; v < 2; v++) {
                sum [c][v] ^= _mm256_shuffle_epi8 (low, index.low [v]);
                sum [c][v] ^= _mm256_shuffle_epi8 (high, index.high [v]);
            }
        }
    }
    for (uint32_t c = 0; c < width; c++)
        for (int v = 0; v < 2; v++)
            _mm256_store_si256 ((__m256i *) (sums + c * S_TILE) + v,
                sum [c][v]);
}

static void
s_multiply (const uint8_t *rows, uint32_t count, uint32_t groups,
    const uint8_t *cells, uint32_t width, uint8_t *sums)
{
    for (uint32_t i = 0; i < count; i += 64)
        switch (width) {
            case 1:
                s_multiply_64 (rows + i, groups, cells, 1, sums + i);
                break;
            case 2:
                s_multiply_64 (rows + i, groups, cells, 2, sums + i);
                break;
            case 3:
                s_multiply_64 (rows + i, groups, cells, 3, sums + i);
                break;
            case 4:
                s_multiply_64 (rows + i, groups, cells, 4, sums + i);
                break;
            default:
                s_multiply_64 (rows + i, groups, cells, 5, sums + i);
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
    .tile = S_TILE,
    .panel = S_PANEL,
    .cell = 32,
    .pack = s_pack,
    .turn = s_turn,
    .multiply = s_multiply,
};
