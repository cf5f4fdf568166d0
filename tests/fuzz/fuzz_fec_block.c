//  SPDX-License-Identifier: MIT
//
//  fuzz_fec_block - a run of rows by every kernel, and by the plain encoder.
//
//  bytes 0..1  M - 1, and the top bit: rule 2
//  bytes 2..3  first n - 1
//  bytes 4..5  how many rows
//  byte  6     fragment size - 1
//  byte  7     padding the block has not
//  bytes 8..   the data, again and again
//
//  Scratch is of the size asked for, at any address. Of a long run only some
//  rows are compared, for the plain encoder is slow.

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "fec_worker/kernel/fec_block.h"

#define S_HEADER 8
#define S_COMPARED 24

//  The plain encoder's time, and a little memory
#define S_MAX_SIZE (1u << 16)

int LLVMFuzzerTestOneInput (const uint8_t *input, size_t size);

static void
s_require (bool holds)
{
    if (!holds)
        abort ();
}

static uint32_t
s_number (const uint8_t *input)
{
    return input [0] + (input [1] & 0x7fu) * 256u;
}

static void
s_compare (const fuota_fec_block_t *block, uint32_t big_n, uint32_t count,
    const uint8_t *out)
{
    uint32_t step = count / S_COMPARED + 1;
    for (uint32_t i = 0; i < count; i += step) {
        uint64_t bits [FUOTA_FEC_WORDS_MAX];
        uint8_t expected [UINT8_MAX];
        fuota_fec_fragment (block, big_n + i, expected, bits);
        s_require (memcmp (out + (size_t) i * block->frag_size, expected,
                       block->frag_size) == 0);
    }
}

static void
s_check (const fuota_fec_block_t *block, uint32_t m, uint32_t first,
    uint32_t count, unsigned odd)
{
    size_t size = fuota_fec_block_scratch (block, count);
    size_t out_size = (size_t) count * block->frag_size;
    uint8_t *scratch = malloc (odd + size), *out = malloc (odd + out_size);
    s_require (scratch && out);
    memset (scratch, 0xa5, odd + size);
    fuota_fec_block_rows (block, first, count, out + odd, scratch + odd);
    s_compare (block, m + first, count, out + odd);
    free (scratch);
    free (out);
}

int
LLVMFuzzerTestOneInput (const uint8_t *input, size_t size)
{
    if (size < S_HEADER)
        return 0;
    uint32_t m = 1 + s_number (input) % (FUOTA_FEC_MAX_N - 1);
    uint32_t room = FUOTA_FEC_MAX_N - m;
    uint32_t first = 1 + s_number (input + 2) % room;
    uint32_t count = 1 + s_number (input + 4) % (room - first + 1);
    uint8_t frag_size = (uint8_t) (input [6] % UINT8_MAX + 1);
    if (m * frag_size > S_MAX_SIZE)
        m = S_MAX_SIZE / frag_size;
    size_t data_size = (size_t) m * frag_size - input [7] % frag_size;
    uint8_t *data = malloc (data_size);
    s_require (data != NULL);
    for (size_t i = 0; i < data_size; i++)
        data [i] = (uint8_t) (input [i % size] + i / size * 7);
    fuota_fec_block_t block = { data, data_size, frag_size,
        input [1] & 0x80 ? 2 : 1 };
    const char *name;
    for (unsigned i = 0; (name = fuota_fec_kernel_list (i)); i++) {
        fuota_fec_kernel_choose (name);
        s_check (&block, m, first, count, input [size - 1] % 64);
    }
    fuota_fec_kernel_choose (NULL);
    free (data);
    return 0;
}
