//  SPDX-License-Identifier: MIT
#include "fec_worker/kernel/fec_block.h"

#include <stdatomic.h>
#include <string.h>
#include "fec_worker/kernel/fec_kernel.h"

//  Best first.
static const fuota_fec_kernel_t *const s_kernels [] = {
#if defined __x86_64__
    &fuota_fec_gfni,
    &fuota_fec_avx2,
#elif defined __aarch64__
    &fuota_fec_neon,
#endif
    &fuota_fec_portable,
};
#define S_KERNELS (sizeof s_kernels / sizeof *s_kernels)

//  Packing the block costs as much as this many plain rows.
#define S_FEW_ROWS 8

//  Whoever finds none yet chooses, and all choose the same.
static _Atomic (const fuota_fec_kernel_t *) s_chosen;

static const fuota_fec_kernel_t *
s_usable (unsigned i)
{
    for (size_t k = 0; k < S_KERNELS; k++)
        if (s_kernels [k]->usable () && i-- == 0)
            return s_kernels [k];
    return NULL;
}

static const fuota_fec_kernel_t *
s_kernel (void)
{
    const fuota_fec_kernel_t *kernel = atomic_load (&s_chosen);
    if (!kernel) {
        kernel = s_usable (0);
        atomic_store (&s_chosen, kernel);
    }
    return kernel;
}

const char *
fuota_fec_kernel_name (void)
{
    return s_kernel ()->name;
}

const char *
fuota_fec_kernel_list (unsigned i)
{
    const fuota_fec_kernel_t *kernel = s_usable (i);
    return kernel ? kernel->name : NULL;
}

int
fuota_fec_kernel_choose (const char *name)
{
    const fuota_fec_kernel_t *kernel;
    for (unsigned i = 0; (kernel = s_usable (i)); i++)
        if (!name || strcmp (name, kernel->name) == 0) {
            atomic_store (&s_chosen, kernel);
            return 0;
        }
    return -1;
}

void
fuota_fec_eight (const fuota_fec_job_t *job, uint32_t group,
    fuota_fec_eight_t out)
{
    const fuota_fec_block_t *block = job->block;
    size_t at = (size_t) group * 8 * block->frag_size;
    for (int i = 0; i < 8; i++, at += block->frag_size) {
        size_t size = block->frag_size;
        if (at + size > block->size) {
            memset (out [i], 0, size);
            size = at < block->size ? block->size - at : 0;
        }
        if (size)
            memcpy (out [i], block->data + at, size);
    }
}

static fuota_fec_job_t
s_job (const fuota_fec_block_t *block, uint32_t first, uint32_t count)
{
    fuota_fec_job_t job = { s_kernel (), block,
        fuota_fec_count (block->size, block->frag_size), first, count, NULL };
    return job;
}

size_t
fuota_fec_block_scratch (const fuota_fec_block_t *block, uint32_t count)
{
    fuota_fec_job_t job = s_job (block, 1, count);
    return job.kernel->size (&job) + 63;
}

//  A row at a time, by fec.h.
static void
s_few_rows (const fuota_fec_job_t *job)
{
    uint64_t bits [FUOTA_FEC_WORDS_MAX];
    for (uint32_t n = job->first; n < job->first + job->count; n++)
        fuota_fec_fragment (job->block, job->m + n, fuota_fec_place (job, n),
            bits);
}

void
fuota_fec_block_rows (const fuota_fec_block_t *block, uint32_t first,
    uint32_t count, uint8_t *out, void *scratch)
{
    fuota_fec_job_t job = s_job (block, first, count);
    job.out = out;
    uintptr_t at = ((uintptr_t) scratch + 63) / 64 * 64;
    if (count < S_FEW_ROWS)
        s_few_rows (&job);
    else
        job.kernel->rows (&job, (void *) at);
}
