//  SPDX-License-Identifier: MIT
//
//  fec - parity fragments of TS004, both rules: (block, size, row) to bytes.
//
//  Terms: M = NbFrag uncoded fragments of FragSize bytes; coded fragment
//  N = M + n is the XOR of the uncoded fragments that row n selects,
//  n = 1, 2, ... The last uncoded fragment is padded with zeros; the block
//  given here is never padded by the caller. Pure: no memory, no state.
//  Source: TS004 annex; reference section 6.

#ifndef FUOTA_FEC_H
#define FUOTA_FEC_H

#include <stddef.h>
#include <stdint.h>

#define FUOTA_FEC_MAX_N 16383

//  A data block as it is cut into fragments.
typedef struct {
    const uint8_t *data;
    size_t size;        //  Bytes without padding, 1 at least
    uint8_t frag_size;  //  1..255
    uint8_t version;    //  Parity rule: 1 or 2
} fuota_fec_block_t;

//  M of a block of that size: ceil (size / frag_size). 0 if either is 0.
uint32_t fuota_fec_count (size_t size, uint8_t frag_size);

//  One step of the generator. 32 bits wide on purpose: seeds of n >= 8381
//  do not fit 23 bits.
uint32_t fuota_fec_prbs23 (uint32_t x);

//  Row n of M as a bit map, bit i % 64 of word i / 64 = source fragment i.
//  bits has (M + 63) / 64 words and is overwritten. M is 16383 at most, n is
//  1 .. 16383 - M. M = 1 selects nothing: its coded fragments are zeros.
void fuota_fec_row (uint32_t m, uint32_t n, unsigned version, uint64_t *bits);

//  Write fragment N = 1 .. 16383 (uncoded up to M, coded above) into out,
//  frag_size bytes. bits is scratch of (M + 63) / 64 words. N = 0 is not a
//  fragment and gives zeros.
void fuota_fec_fragment (const fuota_fec_block_t *block, uint32_t big_n,
    uint8_t *out, uint64_t *bits);

#define FUOTA_FEC_WORDS(m) (((m) + 63) / 64)
#define FUOTA_FEC_WORDS_MAX FUOTA_FEC_WORDS (FUOTA_FEC_MAX_N)

#endif
