//  SPDX-License-Identifier: MIT
//
//  fec_block - many parity rows of a block at once, fast.
//
//  The same bytes as fuota_fec_fragment of fec.h, which is its oracle, by
//  kernels made for kinds of processors: "gfni" (AVX-512 with GFNI), "avx2",
//  "neon", and "portable", which is C alone. The best one that the processor
//  can run is chosen at first use. Nothing else is remembered between calls:
//  any thread may call, each with its own scratch.
//
//  The work is a product, rows of bits times the block, which is packed for
//  it first. That costs as much as some hundred rows, so ask for many; fewer
//  than eight are done a row at a time. Nothing is kept from call to call,
//  not even the rows of bits, which any block of the same M could use.

#ifndef FUOTA_FEC_BLOCK_H
#define FUOTA_FEC_BLOCK_H

#include "fec_worker/kernel/fec.h"

//  Bytes of scratch for that many rows of a block of that size, by the
//  kernel chosen now: 18 MB at most, 1 MB for 500 rows of 1000 fragments of
//  200 bytes.
size_t fuota_fec_block_scratch (const fuota_fec_block_t *block, uint32_t count);

//  Write rows n = first .. first + count - 1 into out, count * frag_size
//  bytes one after another: coded fragments N = M + n. first is 1 at least,
//  and M + first + count - 1 is 16383 at most. Scratch of the size asked
//  above, by the same kernel; neither it nor out needs an alignment, and
//  what is in it before and after means nothing.
void fuota_fec_block_rows (const fuota_fec_block_t *block, uint32_t first,
    uint32_t count, uint8_t *out, void *scratch);

//  Name of the kernel chosen.
const char *fuota_fec_kernel_name (void);

//  Choose a kernel by name, NULL for the best. Returns 0, or -1 if this
//  processor has none of that name, and nothing has changed. For tests and
//  benches; not while another thread is between size and rows.
int fuota_fec_kernel_choose (const char *name);

//  Name of the i-th kernel this processor can run, best first; NULL after
//  the last.
const char *fuota_fec_kernel_list (unsigned i);

#endif
