//  SPDX-License-Identifier: MIT
//
//  fec_sweep - rows of bits, many and fast.
//
//  A row is what the generator draws in a window of its cycle. Windows
//  overlap: of 8191 rows of 8192 fragments each state is in four. So rows
//  come in the order of the cycle, not of n, and each state is drawn once:
//
//      last [r] is the epoch in which r was drawn last; each row that begins
//      begins an epoch, and when it ends it is all r of its epoch or later.
//
//  Few rows hardly overlap; they come in their own order, each from its
//  seed, and so do those whose seed is not on the cycle.

#ifndef FUOTA_FEC_SWEEP_H
#define FUOTA_FEC_SWEEP_H

#include "fec_worker/kernel/fec_kernel.h"

#define FUOTA_FEC_SWEEP_AHEAD 2048

typedef struct {
    uint32_t position;  //  On the cycle, or 0
    uint32_t n;
    uint32_t rejected;  //  Draws rejected before it began
} fuota_fec_sweep_row_t;

typedef struct {
    const fuota_fec_kernel_t *kernel;
    unsigned version;
    uint32_t m, modulus;
    uint32_t words;   //  Of a row
    uint32_t wanted;  //  Numbers drawn for a row
    uint32_t early;   //  Draws after which a row of rule 2 has not ended yet

    fuota_fec_sweep_row_t *rows;
    uint32_t count;
    uint32_t shared;      //  Rows before this one are windows of the cycle
    uint32_t head, tail;  //  Rows that end and begin next
    uint32_t base;        //  Epoch of row i is i - base + 1
    uint8_t *last;

    uint32_t now;       //  Position of the next draw
    uint32_t rejected;  //  Draws rejected so far
    uint32_t at, end;   //  Draws made and not used yet
    uint64_t stream [FUOTA_FEC_SWEEP_AHEAD / 64 + 2];
    uint16_t draws [FUOTA_FEC_SWEEP_AHEAD + 32];
} fuota_fec_sweep_t;

//  Prepare the rows of a job in a piece of scratch, which is taken from at.
//  With a NULL self it only counts.
void fuota_fec_sweep_init (fuota_fec_sweep_t *self, const fuota_fec_job_t *job,
    uintptr_t *at);

//  The next row, not more often than the job has rows:
//
//      while (fuota_fec_sweep_marks (self, &marks)) {
//          fuota_fec_mark (&marks);
//          fuota_fec_sweep_marked (self, marks.count);
//      }
//      n = fuota_fec_sweep_end (self, bits, stride);
//
//  Word w of row n is in bits [w * stride] then. Draws may be marked by any
//  other means, while other things are done, and less of them than there
//  are; some must be.
bool fuota_fec_sweep_marks (fuota_fec_sweep_t *self, fuota_fec_marks_t *marks);
void fuota_fec_mark (const fuota_fec_marks_t *marks);
void fuota_fec_sweep_marked (fuota_fec_sweep_t *self, uint32_t count);
uint32_t fuota_fec_sweep_end (fuota_fec_sweep_t *self, uint64_t *bits,
    size_t stride);

//  The same in one.
uint32_t fuota_fec_sweep_next (fuota_fec_sweep_t *self, uint64_t *bits,
    size_t stride);

#endif
