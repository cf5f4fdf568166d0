//  SPDX-License-Identifier: MIT
//
//  The kernel in C alone: eight bytes in a word, tables of fragments.

#include "fec_worker/kernel/fec_kernel.h"

#include <string.h>

static bool
s_usable (void)
{
    return true;
}

//  Modulo by a product, exact as in fec.c.
static void
s_remainders (const uint64_t *stream, uint32_t count, uint32_t modulus,
    uint16_t *out)
{
    uint64_t inverse = ((uint64_t) 1 << 40) / modulus + 1;
    for (uint32_t word = 0; word < count / 64; word++) {
        uint64_t low = stream [word], high = stream [word + 1];
        for (int i = 0; i < 64; i++) {
            uint32_t x = low & 0x7fffff;
            uint32_t q = (uint32_t) (x * inverse >> 40);
            *out++ = (uint16_t) (x - q * modulus);
            low = low >> 1 | high << 63;
            high >>= 1;
        }
    }
}

//  Bit 7 of each byte: is it since or later? No byte borrows from the next,
//  for none is above 127.
static uint64_t
s_compare (const uint8_t *last, uint8_t since)
{
    const uint64_t ones = 0x0101010101010101, tops = ones << 7;
    uint64_t bytes = 0;
    for (int i = 0; i < 8; i++)
        bytes |= (uint64_t) last [i] << 8 * i;
    return ((bytes | tops) - ones * since) & tops;
}

static void
s_snapshot (const uint8_t *last, uint32_t words, uint8_t since, uint64_t *bits,
    size_t stride)
{
    for (uint32_t w = 0; w < words; w++) {
        uint64_t word = 0;
        for (int i = 0; i < 8; i++, last += 8) {
            //  The product moves bit 8 * k to bit 56 + k
            uint64_t ones = s_compare (last, since) >> 7;
            word |= (ones * 0x0102040810204080 >> 56) << 8 * i;
        }
        bits [w * stride] = word;
    }
}

static uint32_t
s_population (const uint8_t *last, uint32_t words, uint8_t since)
{
    uint32_t population = 0;
    for (uint32_t i = 0; i < words * 64; i++)
        population += last [i] >= since;
    return population;
}

const fuota_fec_kernel_t fuota_fec_portable = {
    .name = "portable",
    .usable = s_usable,
    .size = fuota_fec_product_size,
    .rows = fuota_fec_product_rows,
    .remainders = s_remainders,
    .snapshot = s_snapshot,
    .population = s_population,
};
