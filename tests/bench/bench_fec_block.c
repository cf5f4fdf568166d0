//  SPDX-License-Identifier: MIT
//
//  bench_fec_block - every kernel beside other ways:
//
//      checked     the loops of the open encoders in Go and Rust, a row and a
//                  byte at a time: fragments are slices in a list, and each
//                  index is checked
//      bytewise    the same without the checks
//      vectorised  the same for fragments in one piece, as in C: there the
//                  compiler adds many bytes at once
//      m4ri        M4RI's product with rows of fec.c, where it is installed
//
//  In one run, one after the other and again, so that what disturbs one
//  disturbs all; the best time of each counts, and only this thread's time
//  on a processor. A line is "name value unit";
//  names end in M_F_R and the parity rule. Ratios are to the times of these.
//
//      bench_fec_block [--smoke] [seconds for each case [M and F of one]]

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "fec_worker/kernel/fec_block.h"
#if FUOTA_M4RI
#include <m4ri/m4ri.h>
#endif

typedef struct {
    uint32_t m;
    uint8_t frag_size;
    uint32_t r;
} s_case_t;

//  A fragment as languages with checks have it.
typedef struct {
    uint8_t *bytes;
    size_t size;
} s_slice_t;

typedef struct {
    fuota_fec_block_t block;
    s_slice_t fragments [FUOTA_FEC_MAX_N];
    uint32_t m, r;
    uint8_t *parity;
    uint8_t *scratch;
    size_t scratch_size;
    uint8_t flags [FUOTA_FEC_MAX_N];
} s_encode_t;

static double
s_now (void)
{
    struct timespec now;
    clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now);
    return (double) now.tv_sec + (double) now.tv_nsec * 1e-9;
}

static uint8_t *
s_bytes (size_t size)
{
    uint8_t *data = malloc (size + 1);
    if (!data)
        abort ();
    for (size_t i = 0; i < size; i++)
        data [i] = (uint8_t) ((uint32_t) i * 2654435761u >> 24);
    return data;
}

//  The plain encoders: row as bytes, remainder by division. Blocks here have
//  no padding.

static void
s_plain_row (s_encode_t *self, uint32_t n)
{
    uint32_t m = self->m, x = 1 + 1001 * n;
    uint32_t modulus = m + ((m & (m - 1)) == 0);
    memset (self->flags, 0, m);
    for (uint32_t k = 0; k < m / 2;) {
        uint32_t r;
        do {
            x = fuota_fec_prbs23 (x);
            r = x % modulus;
        } while (r >= m);
        k += self->block.version == 1 || !self->flags [r];
        self->flags [r] = 1;
    }
}

static void
s_abort_unless (bool inside)
{
    if (!inside)
        abort ();
}

//  The list is looked at again for each byte, for the byte stored before
//  could have been part of it: so the compiler goes a byte at a time.
static void
s_add_checked (const s_slice_t *fragments, size_t count, size_t i,
    s_slice_t into)
{
    for (size_t k = 0; k < into.size; k++) {
        s_abort_unless (i < count && k < fragments [i].size);
        into.bytes [k] ^= fragments [i].bytes [k];
    }
}

static void
s_add_bytewise (const s_slice_t *fragments, size_t count, size_t i,
    s_slice_t into)
{
    (void) count;
    for (size_t k = 0; k < into.size; k++)
        into.bytes [k] ^= fragments [i].bytes [k];
}

static void
s_add_vectorised (const s_slice_t *fragments, size_t count, size_t i,
    s_slice_t into)
{
    const uint8_t *from = fragments [0].bytes + i * into.size;
    (void) count;
    for (size_t k = 0; k < into.size; k++)
        into.bytes [k] ^= from [k];
}

//  Inline, so that add is.
__attribute__ ((always_inline)) static inline void
s_plain (s_encode_t *self, void (*add) (const s_slice_t *fragments,
                               size_t count, size_t i, s_slice_t into))
{
    size_t size = self->block.frag_size;
    for (uint32_t n = 1; n <= self->r; n++) {
        s_slice_t out = { self->parity + (n - 1) * size, size };
        memset (out.bytes, 0, size);
        s_plain_row (self, n);
        for (uint32_t i = 0; i < self->m; i++)
            if (self->flags [i])
                add (self->fragments, self->m, i, out);
    }
}

static void
s_checked (s_encode_t *self)
{
    s_plain (self, s_add_checked);
}

static void
s_bytewise (s_encode_t *self)
{
    s_plain (self, s_add_bytewise);
}

static void
s_vectorised (s_encode_t *self)
{
    s_plain (self, s_add_vectorised);
}

//  M4RI: the rows of fec.c and the data as matrices, and their product.

#if FUOTA_M4RI
static mzd_t *
s_m4ri_rows (const s_encode_t *self)
{
    mzd_t *rows = mzd_init ((rci_t) self->r, (rci_t) self->m);
    for (uint32_t i = 0; i < self->r; i++) {
        uint64_t bits [FUOTA_FEC_WORDS_MAX];
        fuota_fec_row (self->m, i + 1, self->block.version, bits);
        memcpy (rows->rows [i], bits, FUOTA_FEC_WORDS (self->m) * sizeof *bits);
    }
    return rows;
}

static void
s_m4ri (s_encode_t *self)
{
    size_t size = self->block.frag_size;
    mzd_t *rows = s_m4ri_rows (self);
    mzd_t *data = mzd_init ((rci_t) self->m, (rci_t) size * 8);
    for (uint32_t i = 0; i < self->m; i++)
        memcpy (data->rows [i], self->block.data + i * size, size);
    mzd_t *parity = mzd_mul_m4rm (NULL, rows, data, 0);
    for (uint32_t i = 0; i < self->r; i++)
        memcpy (self->parity + i * size, parity->rows [i], size);
    mzd_free (rows);
    mzd_free (data);
    mzd_free (parity);
}
#endif

static void
s_block (s_encode_t *self)
{
    fuota_fec_block_rows (&self->block, 1, self->r, self->parity,
        self->scratch);
}

//  The encoders of a case. A kernel has a name; so has what it is beside.

#define S_MAX 8
#define S_OTHERS (3 + FUOTA_M4RI)

typedef struct {
    const char *name;
    const char *kernel;
    void (*call) (s_encode_t *self);
    double best, spent;
} s_encoder_t;

static size_t
s_encoders (s_encoder_t encoders [S_MAX])
{
    size_t count = 0;
    s_encoder_t checked = { "checked", NULL, s_checked, 1e9, 0 };
    s_encoder_t bytewise = { "bytewise", NULL, s_bytewise, 1e9, 0 };
    s_encoder_t vectorised = { "vectorised", NULL, s_vectorised, 1e9, 0 };
    encoders [count++] = checked;
    encoders [count++] = bytewise;
    encoders [count++] = vectorised;
#if FUOTA_M4RI
    s_encoder_t m4ri = { "m4ri", NULL, s_m4ri, 1e9, 0 };
    encoders [count++] = m4ri;
#endif
    const char *name;
    for (unsigned i = 0; (name = fuota_fec_kernel_list (i)); i++) {
        s_encoder_t kernel = { name, name, s_block, 1e9, 0 };
        encoders [count++] = kernel;
    }
    return count;
}

//  Short ones are timed many at once: a thread's clock is not that fine.
#define S_TICK 1e-3

//  Run one, as often as a fair share of the time allows, and compare.
static void
s_run (s_encoder_t *encoder, s_encode_t *self, const uint8_t *expected,
    double share)
{
    if (encoder->kernel)
        fuota_fec_kernel_choose (encoder->kernel);
    double begin = s_now (), end;
    do {
        double start = s_now ();
        uint32_t calls = 0;
        do {
            encoder->call (self);
            end = s_now ();
            calls++;
        } while (end - start < S_TICK);
        if ((end - start) / calls < encoder->best)
            encoder->best = (end - start) / calls;
    } while (end - begin < share);
    encoder->spent += end - begin;
    if (memcmp (self->parity, expected,
            (size_t) self->r * self->block.frag_size))
        abort ();
}

//  Turns, until the time is up; who has had more than others sits out.
static void
s_alternate (s_encoder_t *encoders, size_t count, s_encode_t *self,
    double budget)
{
    uint8_t *expected = self->parity;
    s_vectorised (self);
    self->parity = s_bytes ((size_t) self->r * self->block.frag_size);
    double share = budget / (double) count, turn = share / 40;
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < count; i++)
            if (encoders [i].spent <= share) {
                s_run (&encoders [i], self, expected, turn);
                again |= encoders [i].spent <= share && budget > 0;
            }
    }
    fuota_fec_kernel_choose (NULL);
    free (self->parity);
    self->parity = expected;
}

static size_t
s_scratch (const s_encode_t *self)
{
    size_t most = 0;
    const char *name;
    for (unsigned i = 0; (name = fuota_fec_kernel_list (i)); i++) {
        fuota_fec_kernel_choose (name);
        size_t size = fuota_fec_block_scratch (&self->block, self->r);
        if (size > most)
            most = size;
    }
    return most;
}

static void
s_bench (const s_case_t *item, uint8_t version, double budget)
{
    static s_encode_t self;
    s_encoder_t encoders [S_MAX];
    size_t count = s_encoders (encoders);
    size_t size = (size_t) item->m * item->frag_size;
    uint8_t *data = s_bytes (size);
    fuota_fec_block_t block = { data, size, item->frag_size, version };
    self.block = block;
    self.m = item->m;
    self.r = item->r;
    for (uint32_t i = 0; i < item->m; i++) {
        s_slice_t fragment = { data + i * item->frag_size, item->frag_size };
        self.fragments [i] = fragment;
    }
    self.parity = s_bytes ((size_t) item->r * item->frag_size);
    self.scratch = s_bytes (s_scratch (&self));
    s_alternate (encoders, count, &self, budget);
    for (size_t i = 0; i < count; i++) {
        char name [64];
        snprintf (name, sizeof name, "%s_%u_%u_%u_v%u", encoders [i].name,
            item->m, item->frag_size, item->r, version);
        printf ("fec_%s %.1f us\n", name, encoders [i].best * 1e6);
        for (size_t k = 0; i >= S_OTHERS && k < S_OTHERS; k++)
            printf ("fec_%s_to_%s %.1f x\n", name, encoders [k].name,
                encoders [k].best / encoders [i].best);
    }
    fflush (stdout);
    free (self.scratch);
    free (self.parity);
    free (data);
}

int
main (int argc, char **argv)
{
    static const s_case_t cases [] = {
        { 100, 50, 30 },
        { 1000, 50, 300 },
        { 1000, 200, 500 },
        { 4000, 200, 2000 },
        { 8192, 239, 8191 },
        { 10000, 239, 6000 },
    };
    bool smoke = argc > 1 && strcmp (argv [1], "--smoke") == 0;
    double budget = argc > 1 && !smoke ? atof (argv [1]) : 10;
    uint32_t m = argc > 3 ? (uint32_t) atoi (argv [2]) : 0;
    uint32_t frag_size = argc > 3 ? (uint32_t) atoi (argv [3]) : 0;
    size_t count = smoke ? 2 : sizeof cases / sizeof *cases;
    for (size_t i = 0; i < count; i++)
        for (uint8_t version = 1; version <= 2; version++)
            if (!m || (cases [i].m == m && cases [i].frag_size == frag_size))
                s_bench (&cases [i], version, smoke ? 0 : budget);
    return 0;
}
