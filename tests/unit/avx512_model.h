//  SPDX-License-Identifier: MIT
//
//  What the instructions of fec_gfni.c do, a byte at a time, after the
//  manufacturer's descriptions: so that kernel is tested on processors that
//  do not have them. Included before it, see fec_gfni in CMakeLists.txt.

#ifndef FUOTA_AVX512_MODEL_H
#define FUOTA_AVX512_MODEL_H

#include <assert.h>
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

typedef union {
    uint8_t b [64];
    uint16_t w [32];
    uint64_t q [8];
} model_t;

//  Aligned moves fault where they are not.
static inline const void *
model_aligned (const void *p)
{
    assert ((uintptr_t) p % 64 == 0);
    return p;
}

static inline model_t
model_loadu (const void *p)
{
    model_t r;
    memcpy (&r, p, sizeof r);
    return r;
}

static inline void
model_storeu (void *p, model_t v)
{
    memcpy (p, &v, sizeof v);
}

static inline void
model_store (void *p, model_t v)
{
    model_storeu (p, v);
    model_aligned (p);
}

static inline model_t
model_setr_epi64 (uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
    uint64_t f, uint64_t g, uint64_t h)
{
    return (model_t){ .q = { a, b, c, d, e, f, g, h } };
}

static inline model_t
model_set1_epi64 (long long x)
{
    uint64_t q = (uint64_t) x;
    return model_setr_epi64 (q, q, q, q, q, q, q, q);
}

static inline model_t
model_set1_epi16 (short x)
{
    model_t r;
    for (int i = 0; i < 32; i++)
        r.w [i] = (uint16_t) x;
    return r;
}

static inline model_t
model_set1_epi8 (char x)
{
    model_t r;
    memset (&r, x, sizeof r);
    return r;
}

//  Each byte takes 8 bits of its word from where the control byte says.
static inline model_t
model_multishift (model_t at, model_t v)
{
    model_t r;
    for (int i = 0; i < 64; i++) {
        unsigned by = at.b [i] & 63;
        uint64_t x = v.q [i / 8];
        r.b [i] = (uint8_t) (by ? x >> by | x << (64 - by) : x);
    }
    return r;
}

#define MODEL_WORDS(name, value)                                               \
    static inline model_t name (model_t a, model_t b)                          \
    {                                                                          \
        model_t r;                                                             \
        for (int i = 0; i < 32; i++) {                                         \
            uint32_t x = a.w [i], y = b.w [i];                                 \
            r.w [i] = (uint16_t) (value);                                      \
        }                                                                      \
        return r;                                                              \
    }

MODEL_WORDS (model_mulhi, x *y >> 16)
MODEL_WORDS (model_mullo, x *y)
MODEL_WORDS (model_sub, x - y)
MODEL_WORDS (model_min, x < y ? x : y)

static inline model_t
model_srl (model_t v, __m128i by)
{
    long long shift = _mm_cvtsi128_si64 (by);
    for (int i = 0; i < 32; i++)
        v.w [i] = (uint16_t) (shift > 15 ? 0 : v.w [i] >> shift);
    return v;
}

static inline uint64_t
model_cmpge (model_t a, model_t b)
{
    uint64_t mask = 0;
    for (int i = 0; i < 64; i++)
        mask |= (uint64_t) (a.b [i] >= b.b [i]) << i;
    return mask;
}

//  Within each 16 bytes; an index from 128 on is zero.
static inline model_t
model_shuffle (model_t v, model_t index)
{
    model_t r;
    for (int i = 0; i < 64; i++)
        r.b [i] = index.b [i] & 128 ? 0 : v.b [i / 16 * 16 + index.b [i] % 16];
    return r;
}

static inline model_t
model_maskz_loadu (unsigned mask, const void *p)
{
    model_t r = model_set1_epi64 (0);
    for (size_t i = 0; i < 8; i++)
        if (mask >> i & 1)
            memcpy (&r.q [i], (const uint8_t *) p + 8 * i, 8);
    return r;
}

static inline void
model_mask_storeu (void *p, unsigned mask, model_t v)
{
    for (size_t i = 0; i < 8; i++)
        if (mask >> i & 1)
            memcpy ((uint8_t *) p + 8 * i, &v.q [i], 8);
}

//  Bit i of a byte is the parity of the byte and byte 7 - i of its matrix.
static inline model_t
model_affine (model_t v, model_t matrix)
{
    model_t r;
    for (int k = 0; k < 64; k++) {
        unsigned byte = 0;
        for (int i = 0; i < 8; i++) {
            unsigned row = matrix.b [k / 8 * 8 + 7 - i];
            byte |= (unsigned) __builtin_parity (row & v.b [k]) << i;
        }
        r.b [k] = (uint8_t) byte;
    }
    return r;
}

static inline model_t
model_permute_two (model_t a, model_t index, model_t b)
{
    model_t r;
    for (int i = 0; i < 8; i++)
        r.q [i] = (index.q [i] & 8 ? b : a).q [index.q [i] & 7];
    return r;
}

static inline model_t
model_permute (model_t index, model_t v)
{
    model_t r;
    for (int i = 0; i < 64; i++)
        r.b [i] = v.b [index.b [i] & 63];
    return r;
}

static inline model_t
model_xor_three (model_t a, model_t b, model_t c)
{
    for (int i = 0; i < 8; i++)
        a.q [i] ^= b.q [i] ^ c.q [i];
    return a;
}

#define __builtin_cpu_supports(name) true
#define __m512i model_t
#define _mm512_load_si512(p) model_loadu (model_aligned (p))
#define _mm512_loadu_si512 model_loadu
#define _mm512_store_si512 model_store
#define _mm512_storeu_si512 model_storeu
#define _mm512_set1_epi64 model_set1_epi64
#define _mm512_set1_epi16 model_set1_epi16
#define _mm512_set1_epi8 model_set1_epi8
#undef _mm512_setr_epi64
#define _mm512_setr_epi64 model_setr_epi64
#undef _mm512_set_epi64
#define _mm512_set_epi64(a, b, c, d, e, f, g, h)                               \
    model_setr_epi64 (h, g, f, e, d, c, b, a)
#define _mm512_multishift_epi64_epi8 model_multishift
#define _mm512_mulhi_epu16 model_mulhi
#define _mm512_mullo_epi16 model_mullo
#define _mm512_sub_epi16 model_sub
#define _mm512_min_epu16 model_min
#define _mm512_srl_epi16 model_srl
#define _mm512_cmpge_epu8_mask model_cmpge
#define _cvtmask64_u64(mask) (mask)
#define _mm_popcnt_u64 __builtin_popcountll
#define _mm512_shuffle_epi8 model_shuffle
#define _mm512_maskz_loadu_epi64 model_maskz_loadu
#define _mm512_mask_storeu_epi64 model_mask_storeu
#define _mm512_gf2p8affine_epi64_epi8(v, matrix, add) model_affine (v, matrix)
#define _mm512_permutex2var_epi64 model_permute_two
#define _mm512_permutexvar_epi8 model_permute
#define _mm512_ternarylogic_epi64(a, b, c, table)                              \
    (assert ((table) == 0x96), model_xor_three (a, b, c))

#endif
