//  SPDX-License-Identifier: MIT

#include "fec_worker/kernel/fec_block.h"
#include "fec_worker/rows.h"

const char *
fuota_rows_kernel (void)
{
    return fuota_fec_kernel_name ();
}

int
fuota_rows_choose (const char *kernel)
{
    return fuota_fec_kernel_choose (kernel);
}

static fuota_fec_block_t
s_source (const fuota_parity_key_t *key, const uint8_t *image)
{
    fuota_fec_block_t block = { image, key->image_size,
        (uint8_t) key->frag_size, (uint8_t) key->rule };
    return block;
}

size_t
fuota_rows_scratch (const fuota_parity_key_t *key, uint32_t count)
{
    fuota_fec_block_t block = s_source (key, NULL);
    return fuota_fec_block_scratch (&block, count * FUOTA_FEC_BLOCK_ROWS);
}

size_t
fuota_rows (fuota_slice_t image, const fuota_parity_key_t *key, uint32_t first,
    uint32_t count, uint8_t *out, void *scratch)
{
    fuota_fec_block_t block = s_source (key, image.data);
    uint32_t rows = 0;
    for (uint32_t i = first; i < first + count; i++)
        rows += fuota_parity_block_rows (key, i);
    fuota_fec_block_rows (&block, first * FUOTA_FEC_BLOCK_ROWS + 1, rows, out,
        scratch);
    return (size_t) rows * key->frag_size;
}
