//  SPDX-License-Identifier: MIT

#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include "fec_worker/fec_bench.h"
#include "fec_worker/rows.h"

//  M, F, R of the cases that the kernels' own bench has too
static const struct {
    uint32_t m, frag_size, rows;
} s_cases [] = {
    { 100, 50, 30 },
    { 1000, 50, 300 },
    { 1000, 200, 500 },
    { 4000, 200, 2000 },
    { 8192, 239, 8191 },
    { 10000, 239, 6000 },
};

static double
s_now (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

//  Seconds of the best of some runs.
static double
s_best (const fuota_parity_key_t *key, uint32_t blocks, fuota_slice_t image,
    uint8_t *out, void *scratch)
{
    double best = 1e9, start = s_now ();
    do {
        double before = s_now ();
        fuota_rows (image, key, 0, blocks, out, scratch);
        double time = s_now () - before;
        best = time < best ? time : best;
    } while (s_now () - start < 0.25);
    return best;
}

static int
s_case (FILE *out, size_t i, uint32_t rule)
{
    uint32_t m = s_cases [i].m, size = m * s_cases [i].frag_size;
    uint32_t blocks =
        (s_cases [i].rows + FUOTA_FEC_BLOCK_ROWS - 1) / FUOTA_FEC_BLOCK_ROWS;
    fuota_parity_key_t key = { .image_size = size,
        .rule = rule,
        .frag_size = s_cases [i].frag_size };
    uint8_t *image = malloc (size);
    uint8_t *rows = malloc ((size_t) blocks * FUOTA_FEC_BLOCK_MAX);
    void *scratch = malloc (fuota_rows_scratch (&key, blocks));
    int rc = image && rows && scratch ? 0 : -1;
    if (!rc) {
        for (uint32_t at = 0; at < size; at++)
            image [at] = (uint8_t) (at * 2654435761u >> 24);
        double time =
            s_best (&key, blocks, fuota_slice (image, size), rows, scratch);
        double made = (double) blocks * FUOTA_FEC_BLOCK_ROWS;
        fprintf (out, "fec_%s_v%u_%u_%u_%u %.3f ms  %.0f rows/s\n",
            fuota_rows_kernel (), (unsigned) rule, (unsigned) m,
            (unsigned) s_cases [i].frag_size, (unsigned) s_cases [i].rows,
            time * 1e3, made / time);
    }
    free (image);
    free (rows);
    free (scratch);
    return rc;
}

int
fuota_fec_bench (FILE *out)
{
    int rc = 0;
    for (uint32_t rule = 1; !rc && rule <= 2; rule++)
        for (size_t i = 0; !rc && i < sizeof s_cases / sizeof *s_cases; i++)
            rc = s_case (out, i, rule);
    return rc;
}
