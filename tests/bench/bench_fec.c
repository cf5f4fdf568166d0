//  SPDX-License-Identifier: MIT
//
//  bench_fec - the kernel beside a byte-wise encoder as the open ones are,
//  and one decoder of the simulator's usual size. Best of several runs.
//
//  Names end in M_F_R and the parity rule; "ratio" is naive to ours. The naive
//  one has the optimiser's best (-O3), for so the open ones are built.

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "fec_worker/kernel/fec.h"
#include "fec_worker/kernel/fec_decode.h"

typedef struct {
    uint32_t m;
    uint8_t frag_size;
    uint32_t r;
} s_case_t;

static double s_budget = 0.3;  //  Seconds for each measurement, about

static double
s_now (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec * 1e-9;
}

//  Best time of one call in seconds.
static double
s_best (void (*call) (void *arg), void *arg)
{
    double best = 1e9, begin = s_now (), end = begin;
    do {
        double start = end;
        call (arg);
        end = s_now ();
        if (end - start < best)
            best = end - start;
    } while (end - begin < s_budget);
    return best;
}

typedef struct {
    fuota_fec_block_t block;
    uint32_t m, r;
    uint8_t *parity;
    uint64_t bits [FUOTA_FEC_WORDS_MAX];
    uint8_t flags [FUOTA_FEC_MAX_N];
} s_encode_t;

static void
s_kernel (void *arg)
{
    s_encode_t *self = arg;
    for (uint32_t n = 1; n <= self->r; n++)
        fuota_fec_fragment (&self->block, self->m + n,
            self->parity + (size_t) (n - 1) * self->block.frag_size,
            self->bits);
}

//  Row as bytes, remainder by division, data byte by byte. Blocks here have
//  no padding.
static void
s_naive_row (s_encode_t *self, uint32_t n)
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
s_naive_xor (uint8_t *into, const uint8_t *from, uint8_t size)
{
    for (unsigned k = 0; k < size; k++)
        into [k] ^= from [k];
}

static void
s_naive (void *arg)
{
    s_encode_t *self = arg;
    uint8_t size = self->block.frag_size;
    for (uint32_t n = 1; n <= self->r; n++) {
        uint8_t *out = self->parity + (size_t) (n - 1) * size;
        memset (out, 0, size);
        s_naive_row (self, n);
        const uint8_t *from = self->block.data;
        for (uint32_t i = 0; i < self->m; i++, from += size)
            if (self->flags [i])
                s_naive_xor (out, from, size);
    }
}

static uint8_t *
s_bytes (size_t size)
{
    uint8_t *data = malloc (size);
    if (!data)
        abort ();
    for (size_t i = 0; i < size; i++)
        data [i] = (uint8_t) ((uint32_t) i * 2654435761u >> 24);
    return data;
}

static void
s_bench_encode (const s_case_t *item, uint8_t version)
{
    static s_encode_t self;
    size_t size = (size_t) item->m * item->frag_size;
    size_t parity_size = (size_t) item->r * item->frag_size;
    uint8_t *data = s_bytes (size), *other = s_bytes (parity_size);
    uint8_t *parity = s_bytes (parity_size);
    fuota_fec_block_t block = { data, size, item->frag_size, version };
    self.block = block;
    self.m = item->m;
    self.r = item->r;

    char name [64];
    snprintf (name, sizeof name, "%u_%u_%u_v%u", item->m, item->frag_size,
        item->r, version);
    self.parity = parity;
    double ours = s_best (s_kernel, &self);
    self.parity = other;
    double naive = s_best (s_naive, &self);
    if (memcmp (parity, other, parity_size))
        abort ();
    printf ("fec_encode_%s %.1f us\n", name, ours * 1e6);
    printf ("fec_naive_%s %.1f us\n", name, naive * 1e6);
    printf ("fec_ratio_%s %.2f x\n", name, naive / ours);
    free (parity);
    free (other);
    free (data);
}

//  A device that loses every lost_one_in-th fragment, coded ones too.

typedef struct {
    uint32_t m, lost_one_in;
    uint32_t coded;  //  Of the last run
    uint8_t frag_size;
    fuota_fec_decode_t *decoder;
    uint8_t *data, *parity, *out;
} s_decode_t;

static void
s_uncoded (s_decode_t *self)
{
    self->decoder = fuota_fec_decode_new (self->m, 1, self->m);
    if (!self->decoder)
        abort ();
    for (uint32_t n = 1; n <= self->m; n++)
        if (n % self->lost_one_in)
            fuota_fec_decode_take (self->decoder, n);
}

static void
s_take_all (void *arg)
{
    s_decode_t *self = arg;
    fuota_fec_decode_destroy (&self->decoder);
    s_uncoded (self);
    self->coded = 0;
    for (uint32_t n = self->m + 1; n <= 2 * self->m; n++) {
        if (n % self->lost_one_in == 0)
            continue;
        self->coded++;
        if (fuota_fec_decode_take (self->decoder, n) == FUOTA_FEC_COMPLETE)
            return;
    }
    abort ();
}

static const uint8_t *
s_fetch (void *arg, uint32_t n)
{
    s_decode_t *self = arg;
    if (n <= self->m)
        return self->data + (size_t) (n - 1) * self->frag_size;
    return self->parity + (size_t) (n - self->m - 1) * self->frag_size;
}

static void
s_rebuild (void *arg)
{
    s_decode_t *self = arg;
    if (fuota_fec_decode_block (self->decoder, self->frag_size, s_fetch, self,
            self->out))
        abort ();
}

static void
s_bench_decode (uint32_t m, uint8_t frag_size, uint32_t lost_one_in)
{
    static s_encode_t encode;
    size_t size = (size_t) m * frag_size;
    s_decode_t self = { m, lost_one_in, 0, frag_size, NULL, s_bytes (size),
        s_bytes (size), s_bytes (size) };
    fuota_fec_block_t block = { self.data, size, frag_size, 1 };
    encode.block = block;
    encode.m = encode.r = m;
    encode.parity = self.parity;
    s_kernel (&encode);
    memset (self.out, 0, size);

    double take = s_best (s_take_all, &self);
    double rebuild = s_best (s_rebuild, &self);
    if (memcmp (self.out, self.data, size))
        abort ();
    char name [64];
    snprintf (name, sizeof name, "%u_%u_lost_%u", m, frag_size,
        m / lost_one_in);
    printf ("fec_take_all_%s %.1f us\n", name, take * 1e6);
    printf ("fec_take_each_%s %.3f us\n", name, take * 1e6 / self.coded);
    printf ("fec_block_%s %.1f us\n", name, rebuild * 1e6);
    fuota_fec_decode_destroy (&self.decoder);
    free (self.data);
    free (self.parity);
    free (self.out);
}

int
main (int argc, char **argv)
{
    static const s_case_t cases [] = {
        { 100, 50, 30 },
        { 1000, 200, 500 },
        { 4000, 200, 2000 },
    };
    bool smoke = argc > 1 && strcmp (argv [1], "--smoke") == 0;
    if (smoke)
        s_budget = 0;
    size_t count = smoke ? 1 : sizeof cases / sizeof *cases;
    for (size_t i = 0; i < count; i++)
        for (uint8_t version = 1; version <= 2; version++)
            s_bench_encode (&cases [i], version);
    if (smoke)
        s_bench_decode (90, 10, 5);
    else
        s_bench_decode (900, 200, 5);
    return 0;
}
