//  SPDX-License-Identifier: MIT
//
//  Two parts: which fragments a row selects, and their XOR.

#include "fec_worker/kernel/fec.h"

#include <stdbool.h>
#include <string.h>
#include "fec_worker/kernel/xor.h"

uint32_t
fuota_fec_count (size_t size, uint8_t frag_size)
{
    if (!frag_size)
        return 0;
    return (uint32_t) (size / frag_size + (size % frag_size != 0));
}

uint32_t
fuota_fec_prbs23 (uint32_t x)
{
    uint32_t bit = (x ^ x >> 5) & 1;
    return (x >> 1) + (bit << 22);
}

//  What one row draws its members from. States of 23 bits are a window on
//  one stream, 23 bits wide, moving up a bit each step, and bit i + 23 of it
//  is bit i ^ bit i + 5: so eighteen steps are got at once.
typedef struct {
    uint64_t stream;   //  The state is its low 23 bits
    uint32_t ahead;    //  Steps left in the stream
    uint32_t m;        //  Draws are below M
    uint32_t modulus;  //  M, or M + 1 if M is a power of two: that would use
                       //  only the low bits of the state
    uint64_t inverse;  //  2^40 / modulus, rounded up
} s_draw_t;

static s_draw_t
s_draw_init (uint32_t m, uint32_t n)
{
    bool power_of_two = (m & (m - 1)) == 0;
    s_draw_t self = { 1 + 1001 * n, 0, m, m + power_of_two, 0 };
    self.inverse = ((uint64_t) 1 << 40) / self.modulus + 1;
    return self;
}

//  One step. A state above 23 bits, as large seeds are, goes alone.
static uint32_t
s_step (s_draw_t *self)
{
    if (self->ahead == 0) {
        uint64_t x = self->stream;
        if (x >> 23) {
            self->stream = fuota_fec_prbs23 ((uint32_t) x);
            return (uint32_t) self->stream;
        }
        self->stream |= ((x ^ x >> 5) & 0x3ffff) << 23;
        self->ahead = 18;
    }
    self->ahead--;
    self->stream >>= 1;
    return self->stream & 0x7fffff;
}

//  Modulo by a product, for a division costs more than the rest of a draw.
//  It is exact: states are below 2^24 and the modulus is below 2^15.
static uint32_t
s_draw (s_draw_t *self)
{
    uint32_t r;
    do {
        uint32_t x = s_step (self);
        r = x - (uint32_t) (x * self->inverse >> 40) * self->modulus;
    } while (r >= self->m);
    return r;
}

//  A number that is drawn again stays in the row. Version 1 counts it all
//  the same, version 2 draws until M / 2 different ones are found.
void
fuota_fec_row (uint32_t m, uint32_t n, unsigned version, uint64_t *bits)
{
    memset (bits, 0, FUOTA_FEC_WORDS (m) * sizeof *bits);
    s_draw_t draw = s_draw_init (m, n);
    for (uint32_t left = m / 2; left > 0;) {
        uint32_t r = s_draw (&draw);
        uint64_t bit = (uint64_t) 1 << r % 64;
        bool fresh = !(bits [r / 64] & bit);
        bits [r / 64] |= bit;
        left -= version == 1 || fresh;
    }
}

//  Add source fragment i. What the last one lacks is zeros, so it adds what
//  it has; past the end there is nothing to add.
static void
s_add_source (const fuota_fec_block_t *block, uint32_t i, uint8_t *out)
{
    size_t at = (size_t) i * block->frag_size;
    if (at >= block->size)
        return;
    size_t size = block->size - at;
    if (size > block->frag_size)
        size = block->frag_size;
    fuota_xor (out, block->data + at, size);
}

void
fuota_fec_fragment (const fuota_fec_block_t *block, uint32_t big_n,
    uint8_t *out, uint64_t *bits)
{
    uint32_t m = fuota_fec_count (block->size, block->frag_size);
    memset (out, 0, block->frag_size);
    if (big_n <= m) {
        s_add_source (block, big_n - 1, out);
        return;
    }
    fuota_fec_row (m, big_n - m, block->version, bits);
    for (uint32_t word = 0; word < FUOTA_FEC_WORDS (m); word++)
        for (uint64_t left = bits [word]; left; left &= left - 1) {
            uint32_t bit = (uint32_t) __builtin_ctzll (left);
            s_add_source (block, word * 64 + bit, out);
        }
}
