//  SPDX-License-Identifier: MIT
//
//  fec_kernel - what a kernel is, and the parts kernels are put together of.
//  For the files of the encoder only; its users read fec_block.h.
//
//      fec_block.c     choice of the kernel, the way in
//      fec_sweep.c     which fragments a row selects, for many rows
//      fec_product.c   rows times data by tables of whole fragments
//      fec_tile.c      rows times data in tiles, for vector instructions
//      fec_avx2.c ...  the instructions: what differs between processors
//
//  "Row" is a row of bits, one for each source fragment.

#ifndef FUOTA_FEC_KERNEL_H
#define FUOTA_FEC_KERNEL_H

#include "fec_worker/kernel/fec.h"
#include <stdbool.h>

typedef struct fuota_fec_kernel fuota_fec_kernel_t;

//  What is asked for.
typedef struct {
    const fuota_fec_kernel_t *kernel;
    const fuota_fec_block_t *block;
    uint32_t m;
    uint32_t first, count;
    uint8_t *out;
} fuota_fec_job_t;

//  Draws to be marked: last [draws [i]] = epoch for count of them.
typedef struct {
    uint8_t *last;
    const uint16_t *draws;
    uint32_t count;
    uint8_t epoch;
} fuota_fec_marks_t;

//  Lowest n of a seed that does not fit 23 bits.
#define FUOTA_FEC_WIDE_N 8381

//  The stream is the bits the generator shifts through, lowest first: state
//  k is its bits k .. k + 22.
struct fuota_fec_kernel {
    const char *name;
    bool (*usable) (void);

    //  Both ways of the job: bytes of scratch it needs, and doing it with
    //  scratch aligned to 64.
    size_t (*size) (const fuota_fec_job_t *job);
    void (*rows) (const fuota_fec_job_t *job, void *scratch);

    //  States 0 .. count - 1 of the stream, modulo modulus. count is a
    //  multiple of 64; the stream has two words more than count bits.
    void (*remainders) (const uint64_t *stream, uint32_t count,
        uint32_t modulus, uint16_t *out);

    //  Bit i of word w is last [64 * w + i] >= since; word w goes to
    //  bits [w * stride]. Values are 127 at most. last is aligned to 64.
    void (*snapshot) (const uint8_t *last, uint32_t words, uint8_t since,
        uint64_t *bits, size_t stride);

    //  How many bits of those are set.
    uint32_t (*population) (const uint8_t *last, uint32_t words, uint8_t since);

    //  The rest is for kernels whose product is in tiles (fec_tile.c)
    uint32_t strip;   //  Rows multiplied at once, a multiple of 16
    uint32_t index;   //  Bytes that say of a row what a byte of it says
    uint32_t strips;  //  Of a tile, at most
    uint32_t panel;   //  Columns multiplied at once
    uint32_t depth;   //  Groups multiplied at once, an even number
    uint32_t cell;    //  Bytes of packed data for a byte of 8 fragments
    uint32_t table;   //  Bytes to multiply by made of a cell, or 0

    //  Pack columns: byte j of a column is that of the j-th fragment.
    void (*pack) (const uint64_t *columns, uint32_t count, uint8_t *cells);

    //  Make tables of cells. NULL if cells are what is multiplied by.
    void (*make) (const uint8_t *cells, uint32_t count, uint8_t *tables);

    //  Turn over a word of each row in a strip: groups [8][strip * index]
    void (*turn) (const uint64_t *bits, uint8_t *groups);

    //  sums [width][strip] += rows [groups][strip * index] times
    //  cells [groups][width], or their tables. A group is 8 fragments: a byte
    //  of a row. groups is even and depth at most, width is panel at most;
    //  all but cells are aligned to 64.
    void (*multiply) (const uint8_t *rows, uint32_t groups,
        const uint8_t *cells, uint32_t width, uint8_t *sums);

    //  The same in full width, and draws marked meanwhile. It goes on from
    //  a group, until the groups or the marks are through. Returns the group
    //  after the last one, and in count how many were marked. NULL if it does
    //  not pay.
    uint32_t (*multiply_marking) (const uint8_t *rows, uint32_t group,
        uint32_t groups, const uint8_t *cells, uint8_t *sums,
        fuota_fec_marks_t *marks);
};

extern const fuota_fec_kernel_t fuota_fec_portable;
extern const fuota_fec_kernel_t fuota_fec_avx2;
extern const fuota_fec_kernel_t fuota_fec_gfni;
extern const fuota_fec_kernel_t fuota_fec_neon;

//  Scratch is handed out piece by piece. The same steps with at = 0 tell how
//  much that will be.
static inline void *
fuota_fec_piece (uintptr_t *at, size_t size)
{
    uintptr_t piece = *at;
    *at += (size + 63) / 64 * 64;
    return (void *) piece;
}

//  Remainders by 16 bits. The lowest 16 bits of a state are enough for its
//  remainder, which fits them, and the highest 16 bits times inverse, less
//  its 16 bits and shift, for the quotient, or one less than that: with a
//  modulus of 257 at least its error is below a half for the 7 bits it does
//  not see and a half for the inverse. A smaller modulus is doubled until it
//  is that, and then subtracted in steps.
typedef struct {
    uint32_t large, steps;  //  modulus << steps - 1
    uint32_t inverse, shift;
} fuota_fec_divisor_t;

static inline fuota_fec_divisor_t
fuota_fec_divisor (uint32_t modulus)
{
    fuota_fec_divisor_t self = { modulus, 1, 0, 0 };
    for (; self.large < 257; self.large *= 2)
        self.steps++;
    while ((((uint64_t) 1 << (24 + self.shift)) / self.large) < 1 << 16)
        self.shift++;
    self.inverse =
        (uint32_t) (((uint64_t) 1 << (23 + self.shift)) / self.large);
    return self;
}

//  Products, as size and rows above.
size_t fuota_fec_product_size (const fuota_fec_job_t *job);
void fuota_fec_product_rows (const fuota_fec_job_t *job, void *scratch);
size_t fuota_fec_tile_size (const fuota_fec_job_t *job);
void fuota_fec_tile_rows (const fuota_fec_job_t *job, void *scratch);

//  Copy source fragments 8 * group .. 8 * group + 7, or zeros where there
//  are none. There is room for vectors to read past their ends.
typedef uint8_t fuota_fec_eight_t [8][UINT8_MAX + 33];
void fuota_fec_eight (const fuota_fec_job_t *job, uint32_t group,
    fuota_fec_eight_t out);

//  Where row n of the job goes.
static inline uint8_t *
fuota_fec_place (const fuota_fec_job_t *job, uint32_t n)
{
    return job->out + (size_t) (n - job->first) * job->block->frag_size;
}

#endif
