//  SPDX-License-Identifier: MIT
//
//  fec_cross - every kernel against the plain encoder, with nothing but the
//  C library: for processors we have only an emulator of. See fec_cross.sh.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fec_worker/kernel/fec_block.h"

typedef struct {
    uint32_t m;
    uint8_t frag_size, version;
    uint32_t first, count, missing;
} s_case_t;

static const s_case_t s_cases [] = {
    { 1, 5, 1, 1, 3, 0 },
    { 2, 1, 2, 1, 20, 0 },
    { 63, 17, 2, 9, 65, 3 },
    { 64, 16, 1, 1, 130, 15 },
    { 65, 15, 2, 1, 128, 0 },
    { 100, 50, 1, 1, 30, 1 },
    { 128, 7, 2, 5, 33, 0 },
    { 257, 255, 1, 300, 129, 254 },
    { 1000, 48, 2, 1, 300, 0 },
    { 1024, 1, 1, 1, 4000, 0 },
    { 1024, 2, 2, 1, 4000, 1 },
    { 2000, 33, 1, 1, 600, 5 },
    { 2048, 219, 2, 8000, 700, 218 },
    { 9000, 32, 1, 6800, 520, 0 },
    { 16382, 3, 2, 1, 1, 0 },
};

static int
s_check (const s_case_t *item)
{
    size_t size = (size_t) item->m * item->frag_size - item->missing;
    uint8_t *data = malloc (size);
    uint8_t *out = malloc ((size_t) item->count * item->frag_size);
    fuota_fec_block_t block = { data, size, item->frag_size, item->version };
    void *scratch = malloc (fuota_fec_block_scratch (&block, item->count));
    if (!data || !out || !scratch)
        abort ();
    for (size_t i = 0; i < size; i++)
        data [i] = (uint8_t) ((uint32_t) i * 2654435761u >> 24);
    fuota_fec_block_rows (&block, item->first, item->count, out, scratch);
    int wrong = 0;
    for (uint32_t i = 0; i < item->count; i++) {
        uint64_t bits [FUOTA_FEC_WORDS_MAX];
        uint8_t expected [UINT8_MAX];
        fuota_fec_fragment (&block, item->m + item->first + i, expected, bits);
        wrong += memcmp (out + (size_t) i * item->frag_size, expected,
                     item->frag_size) != 0;
    }
    if (wrong)
        printf ("%s: M=%u F=%u version %u: %d rows differ\n",
            fuota_fec_kernel_name (), item->m, item->frag_size, item->version,
            wrong);
    free (data);
    free (out);
    free (scratch);
    return wrong;
}

int
main (void)
{
    int wrong = 0;
    const char *name;
    for (unsigned i = 0; (name = fuota_fec_kernel_list (i)); i++) {
        fuota_fec_kernel_choose (name);
        for (size_t k = 0; k < sizeof s_cases / sizeof *s_cases; k++)
            wrong += s_check (&s_cases [k]);
        printf ("%s: checked\n", name);
    }
    return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
