//  SPDX-License-Identifier: MIT
//
//  Rows times data by tables ("four Russians"): of some fragments all sums
//  are made once; then a few bits of a row say which of them to add. Tables
//  of 8 fragments pay from some hundred rows on, of 4 before.

#include "fec_worker/kernel/fec_kernel.h"

#include <string.h>
#include "fec_worker/kernel/fec_sweep.h"

//  Rows kept at a time: tables are made again for each batch.
#define S_BATCH 4096
#define S_MANY_ROWS 300

//  Tables looked up at once: more have to be kept in the cache, fewer mean
//  more loads and stores of the sums.
#define S_TABLES 8

typedef uint8_t s_vector_t __attribute__ ((vector_size (16)));

typedef struct {
    const fuota_fec_job_t *job;
    fuota_fec_sweep_t *sweep;
    uint32_t batch;
    size_t stride;       //  Words of a batch that belong together
    uint64_t *bits;      //  [words][stride]
    uint32_t *n;         //  Of each row in the batch
    uint32_t vectors;    //  In a fragment
    s_vector_t *sums;    //  [batch][vectors]
    unsigned width;      //  Bits that are looked up in one table: 4 or 8
    s_vector_t *tables;  //  [S_TABLES][1 << width][vectors]
} s_product_t;

static size_t
s_layout (s_product_t *self, const fuota_fec_job_t *job, uintptr_t at)
{
    uintptr_t begin = at;
    memset (self, 0, sizeof *self);
    self->job = job;
    self->sweep = fuota_fec_piece (&at, sizeof *self->sweep);
    fuota_fec_sweep_init (begin ? self->sweep : NULL, job, &at);
    self->batch = job->count < S_BATCH ? job->count : S_BATCH;
    self->stride = self->batch | 1;  //  Odd, for the cache's sake
    self->vectors = (job->block->frag_size + 15u) / 16;
    self->width = job->count < S_MANY_ROWS ? 4 : 8;
    size_t fragment = self->vectors * sizeof (s_vector_t);
    self->bits = fuota_fec_piece (&at,
        FUOTA_FEC_WORDS (job->m) * self->stride * sizeof *self->bits);
    self->n = fuota_fec_piece (&at, self->batch * sizeof *self->n);
    self->sums = fuota_fec_piece (&at, self->batch * fragment);
    self->tables = fuota_fec_piece (&at, (S_TABLES * fragment) << self->width);
    return at - begin;
}

//  All sums of some fragments: entry i adds those whose bits are in i.
static void
s_make_table (const s_product_t *self, s_vector_t *table,
    const s_vector_t *fragments)
{
    uint32_t vectors = self->vectors;
    memset (table, 0, vectors * sizeof *table);
    for (uint32_t i = 1; i < 1u << self->width; i++) {
        const s_vector_t *less = table + (i & (i - 1)) * vectors;
        const s_vector_t *one =
            fragments + (uint32_t) __builtin_ctz (i) * vectors;
        for (uint32_t k = 0; k < vectors; k++)
            table [i * vectors + k] = less [k] ^ one [k];
    }
}

static void
s_make_tables (const s_product_t *self, uint32_t fragment)
{
    size_t size = (size_t) self->vectors << self->width;
    fuota_fec_eight_t eight = { { 0 } };
    s_vector_t fragments [8 * 16];
    for (uint32_t t = 0; t < S_TABLES; t++) {
        uint32_t first = fragment + t * self->width;
        if (first % 8 == 0) {
            fuota_fec_eight (self->job, first / 8, eight);
            for (uint32_t i = 0; i < 8; i++)
                memcpy (fragments + i * self->vectors, eight [i],
                    self->vectors * sizeof *fragments);
        }
        s_make_table (self, self->tables + t * size,
            fragments + first % 8 * self->vectors);
    }
}

//  Add to the sums of a row what its bits say of the tables.
static void
s_look_up (const s_product_t *self, uint64_t bits, s_vector_t *sums)
{
    uint32_t vectors = self->vectors;
    const s_vector_t *entry [S_TABLES];
    for (uint32_t t = 0; t < S_TABLES; t++) {
        uint32_t i = (uint32_t) bits & ((1u << self->width) - 1);
        entry [t] = self->tables + ((t << self->width) + i) * vectors;
        bits >>= self->width;
    }
    for (uint32_t k = 0; k < vectors; k++)
        sums [k] ^= entry [0][k] ^ entry [1][k] ^ entry [2][k] ^ entry [3][k] ^
                    entry [4][k] ^ entry [5][k] ^ entry [6][k] ^ entry [7][k];
}

static void
s_multiply (const s_product_t *self, uint32_t rows)
{
    memset (self->sums, 0, rows * self->vectors * sizeof *self->sums);
    uint32_t step = S_TABLES * self->width;
    for (uint32_t fragment = 0; fragment < self->job->m; fragment += step) {
        s_make_tables (self, fragment);
        const uint64_t *bits = self->bits + fragment / 64 * self->stride;
        for (uint32_t i = 0; i < rows; i++)
            s_look_up (self, bits [i] >> fragment % 64,
                self->sums + i * self->vectors);
    }
}

size_t
fuota_fec_product_size (const fuota_fec_job_t *job)
{
    s_product_t self;
    return s_layout (&self, job, 0);
}

void
fuota_fec_product_rows (const fuota_fec_job_t *job, void *scratch)
{
    s_product_t self;
    s_layout (&self, job, (uintptr_t) scratch);
    for (uint32_t done = 0, rows; done < job->count; done += rows) {
        rows = job->count - done;
        if (rows > self.batch)
            rows = self.batch;
        for (uint32_t i = 0; i < rows; i++)
            self.n [i] =
                fuota_fec_sweep_next (self.sweep, self.bits + i, self.stride);
        s_multiply (&self, rows);
        for (uint32_t i = 0; i < rows; i++)
            memcpy (fuota_fec_place (job, self.n [i]),
                self.sums + i * self.vectors, job->block->frag_size);
    }
}
