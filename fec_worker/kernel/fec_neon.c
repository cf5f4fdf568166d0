//  SPDX-License-Identifier: MIT
//
//  The kernel for NEON, as that for AVX2: tables of 16 entries are looked up
//  for 16 rows at once. Tested in an emulator; nobody has measured it.

#include "fec_worker/kernel/fec_kernel.h"

#include <arm_neon.h>
#include <string.h>
#include "fec_worker/kernel/fec_zip.h"

#define S_STRIP 32
#define S_STRIPS 8
#define S_PANEL 8
#define S_DEPTH 64

//  Every processor of this architecture has it.
static bool
s_usable (void)
{
    return true;
}

//  Four states from a bit on, modulo modulus, as in fec_avx2.c.
static uint32x4_t
s_four (uint32_t bits, int32x4_t shift, float32x4_t inverse, uint32x4_t m)
{
    uint32x4_t x = vandq_u32 (vshlq_u32 (vdupq_n_u32 (bits), shift),
        vdupq_n_u32 (0x7fffff));
    uint32x4_t q = vcvtq_u32_f32 (vmulq_f32 (vcvtq_f32_u32 (x), inverse));
    uint32x4_t r = vmlsq_u32 (x, q, m);
    return vminq_u32 (r, vsubq_u32 (r, m));
}

static void
s_remainders (const uint64_t *stream, uint32_t count, uint32_t modulus,
    uint16_t *out)
{
    static const int32_t shifts [8] = { 0, -1, -2, -3, -4, -5, -6, -7 };
    const uint8_t *from = (const uint8_t *) stream;
    int32x4_t low = vld1q_s32 (shifts), high = vld1q_s32 (shifts + 4);
    uint32x4_t m = vdupq_n_u32 (modulus);
    float32x4_t inverse = vdupq_n_f32 (0.9999997f / (float) modulus);
    for (uint32_t i = 0; i < count; i += 8, from++) {
        uint32_t bits;
        memcpy (&bits, from, sizeof bits);
        vst1q_u16 (out + i,
            vcombine_u16 (vmovn_u32 (s_four (bits, low, inverse, m)),
                vmovn_u32 (s_four (bits, high, inverse, m))));
    }
}

//  A bit for each of 64 bytes that are since or later: bits in their places,
//  added up by neighbours until eight of them are a byte.
static uint64_t
s_compare (const uint8_t *last, uint8x16_t since)
{
    uint8x16_t place = vreinterpretq_u8_u64 (vdupq_n_u64 (0x8040201008040201));
    uint8x16_t v [4];
    for (int i = 0; i < 4; i++)
        v [i] = vandq_u8 (vcgeq_u8 (vld1q_u8 (last + 16 * i), since), place);
    uint8x16_t sum =
        vpaddq_u8 (vpaddq_u8 (v [0], v [1]), vpaddq_u8 (v [2], v [3]));
    return vgetq_lane_u64 (vreinterpretq_u64_u8 (vpaddq_u8 (sum, sum)), 0);
}

static void
s_snapshot (const uint8_t *last, uint32_t words, uint8_t since, uint64_t *bits,
    size_t stride)
{
    for (uint32_t w = 0; w < words; w++)
        bits [w * stride] = s_compare (last + 64 * w, vdupq_n_u8 (since));
}

static uint32_t
s_population (const uint8_t *last, uint32_t words, uint8_t since)
{
    uint32_t population = 0;
    for (uint32_t w = 0; w < words; w++)
        population += (uint32_t) __builtin_popcountll (
            s_compare (last + 64 * w, vdupq_n_u8 (since)));
    return population;
}

//  Two tables to a column: all sums of its first four bytes, and of its last
//  four. Byte k is in the entries that have bit k; an index of 128 is none.
static uint8x16_t
s_entries_with (int k, int first)
{
    uint8_t from [16];
    for (int i = 0; i < 16; i++)
        from [i] = (uint8_t) (i >> k & 1 ? first + k : 128);
    return vld1q_u8 (from);
}

static void
s_pack (const uint64_t *columns, uint32_t count, uint8_t *cells)
{
    uint8x16_t with [2][4];
    for (int k = 0; k < 8; k++)
        with [k / 4][k % 4] = s_entries_with (k % 4, k / 4 * 4);
    for (uint32_t c = 0; c < count; c++)
        for (int half = 0; half < 2; half++, cells += 16) {
            uint8x16_t bytes = vreinterpretq_u8_u64 (vdupq_n_u64 (columns [c]));
            uint8x16_t table = vdupq_n_u8 (0);
            for (int k = 0; k < 4; k++)
                table = veorq_u8 (table, vqtbl1q_u8 (bytes, with [half][k]));
            vst1q_u8 (cells, table);
        }
}

static void
s_turn (const uint64_t *bits, uint8_t *groups)
{
    fuota_fec_turn (bits, groups, S_STRIP);
}

//  Inline, with a width that is known there: so the sums are in registers.
__attribute__ ((always_inline)) static inline void
s_multiply_width (const uint8_t *rows, uint32_t groups, const uint8_t *cells,
    uint32_t width, uint8_t *sums)
{
    uint8x16_t sum [S_PANEL][2];
    for (uint32_t c = 0; c < width; c++)
        for (int v = 0; v < 2; v++)
            sum [c][v] = vld1q_u8 (sums + c * S_STRIP + 16 * v);
    for (uint32_t g = 0; g < groups; g++, rows += S_STRIP) {
        uint8x16_t low [2], high [2];
        for (int v = 0; v < 2; v++) {
            uint8x16_t bytes = vld1q_u8 (rows + 16 * v);
            low [v] = vandq_u8 (bytes, vdupq_n_u8 (15));
            high [v] = vshrq_n_u8 (bytes, 4);
        }
        for (uint32_t c = 0; c < width; c++, cells += 32)
            for (int v = 0; v < 2; v++)
                sum [c][v] = veorq_u8 (sum [c][v],
                    veorq_u8 (vqtbl1q_u8 (vld1q_u8 (cells), low [v]),
                        vqtbl1q_u8 (vld1q_u8 (cells + 16), high [v])));
    }
    for (uint32_t c = 0; c < width; c++)
        for (int v = 0; v < 2; v++)
            vst1q_u8 (sums + c * S_STRIP + 16 * v, sum [c][v]);
}

static void
s_multiply (const uint8_t *rows, uint32_t groups, const uint8_t *cells,
    uint32_t width, uint8_t *sums)
{
    if (width == S_PANEL)
        s_multiply_width (rows, groups, cells, S_PANEL, sums);
    else
        s_multiply_width (rows, groups, cells, width, sums);
}

const fuota_fec_kernel_t fuota_fec_neon = {
    .name = "neon",
    .usable = s_usable,
    .size = fuota_fec_tile_size,
    .rows = fuota_fec_tile_rows,
    .remainders = s_remainders,
    .snapshot = s_snapshot,
    .population = s_population,
    .strip = S_STRIP,
    .index = 1,
    .strips = S_STRIPS,
    .panel = S_PANEL,
    .depth = S_DEPTH,
    .cell = 32,
    .pack = s_pack,
    .turn = s_turn,
    .multiply = s_multiply,
};
