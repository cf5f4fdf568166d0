//  SPDX-License-Identifier: MIT
//
//  Three parts: making draws, marking them, beginning and ending rows.

#include "fec_worker/kernel/fec_sweep.h"

#include <assert.h>
#include <string.h>
#include "fec_worker/kernel/fec_cycle.h"

//  Epochs fit a byte, and a kernel may compare them as if they had a sign.
//  Rows that overlap are 19 at most.
#define S_EPOCHS 127

//  Below this a row is some draws, the plain way is as good. From here on a
//  draw of M is past the last word: it is M only if that is a power of two.
#define S_SMALL_M 64

//  Below this many draws rows come in their own order.
#define S_FEW_DRAWS (1u << 20)

//  Making draws
//
//  A stream's bit i + 23 is bit i ^ bit i + 5, and, squaring, bit i + 46 is
//  bit i ^ bit i + 10, bit i + 92 is bit i ^ bit i + 20.

static void
s_stream_begin (uint64_t stream [2], uint32_t state)
{
    uint64_t x = state;
    x |= ((x ^ x >> 5) & 0x3ffff) << 23;
    x |= ((x >> 18 ^ x >> 23) & 0x3ffff) << 41;
    x |= (x >> 36 ^ x >> 41) << 59;
    uint64_t y = (x >> 18 ^ x >> 28) & 0xfffffffff;
    y |= ((x >> 54 | y << 10) ^ y) << 36;
    stream [0] = x;
    stream [1] = y;
}

//  The words after the first two.
static void
s_stream_extend (uint64_t *stream, uint32_t words)
{
    uint64_t x = stream [0], y = stream [1];
    for (uint32_t i = 2; i < words; i++) {
        uint64_t next = (x >> 36 | y << 28) ^ (x >> 56 | y << 8);
        x = y;
        y = next;
        stream [i] = next;
    }
}

//  Make draws from a seed. States above 23 bits are few and go one by one.
static void
s_seek (fuota_fec_sweep_t *self, const fuota_fec_sweep_row_t *row)
{
    self->now = row->position;
    self->at = self->end = 0;
    uint32_t x = fuota_fec_prbs23 (1 + 1001 * row->n);
    for (; x >> 23; x = fuota_fec_prbs23 (x))
        self->draws [self->end++] = (uint16_t) (x % self->modulus);
    s_stream_begin (self->stream, x);
}

//  Make about as many draws as are said to be wanted.
static void
s_refill (fuota_fec_sweep_t *self, uint32_t wanted)
{
    uint32_t count = (wanted + 63) / 64 * 64;
    if (count > FUOTA_FEC_SWEEP_AHEAD)
        count = FUOTA_FEC_SWEEP_AHEAD;
    uint32_t words = count / 64;
    s_stream_extend (self->stream, words + 2);
    self->kernel->remainders (self->stream, count, self->modulus, self->draws);
    self->stream [0] = self->stream [words];
    self->stream [1] = self->stream [words + 1];
    self->at = 0;
    self->end = count;
}

//  Marking draws

static uint8_t
s_epoch (const fuota_fec_sweep_t *self, uint32_t row)
{
    return (uint8_t) (row - self->base + 1);
}

void
fuota_fec_mark (const fuota_fec_marks_t *marks)
{
    uint8_t *last = marks->last, epoch = marks->epoch;
    const uint16_t *draws = marks->draws;
    uint32_t count = marks->count;
#pragma GCC unroll 8
    for (uint32_t i = 0; i < count; i++)
        last [draws [i]] = epoch;
}

//  Where the next row begins, if that is before a position.
static uint32_t
s_stop (const fuota_fec_sweep_t *self, uint32_t until)
{
    if (self->tail < self->shared && self->rows [self->tail].position < until)
        return self->rows [self->tail].position;
    return until;
}

//  Forget the epochs of rows that have ended.
static void
s_rebase (fuota_fec_sweep_t *self)
{
    uint8_t dead = (uint8_t) (self->head - self->base);
    uint8_t *last = self->last;
    uint32_t size = self->words * 64;
    assert (dead > 0);
    for (uint32_t i = 0; i < size; i++)
        last [i] = (uint8_t) (last [i] > dead ? last [i] - dead : 0);
    self->base = self->head;
}

static void
s_begin_row (fuota_fec_sweep_t *self)
{
    if (self->tail - self->base == S_EPOCHS)
        s_rebase (self);
    self->rows [self->tail++].rejected = self->rejected;
}

//  Be ready to draw: begin the row that begins here, have a draw.
static void
s_ready (fuota_fec_sweep_t *self, uint32_t wanted)
{
    if (s_stop (self, self->now + 1) == self->now)
        s_begin_row (self);
    if (self->at == self->end)
        s_refill (self, self->shared ? FUOTA_FEC_SWEEP_AHEAD : wanted);
}

//  Draws that can be marked in one go before a position.
static uint32_t
s_run (const fuota_fec_sweep_t *self, uint32_t until)
{
    uint32_t run = s_stop (self, until) - self->now;
    uint32_t have = self->end - self->at;
    return run < have ? run : have;
}

//  Mark draws until so many were new to a row.
static void
s_mark_new (fuota_fec_sweep_t *self, uint32_t row, uint32_t left)
{
    while (left) {
        s_ready (self, 2 * left);
        uint32_t run = s_run (self, UINT32_MAX);
        uint8_t since = s_epoch (self, row);
        uint8_t epoch = s_epoch (self, self->tail - 1);
        const uint16_t *draws = self->draws + self->at;
        uint32_t i = 0;
        for (; i < run && left; i++) {
            uint16_t r = draws [i];
            left -= (self->last [r] < since) & (r < self->m);
            self->last [r] = epoch;
        }
        self->at += i;
        self->now += i;
    }
}

//  Ending rows

//  A row by the plain way.
static void
s_plain (const fuota_fec_sweep_t *self, uint32_t n, uint64_t *bits,
    size_t stride)
{
    uint64_t row [FUOTA_FEC_WORDS_MAX];
    fuota_fec_row (self->m, n, self->version, row);
    for (uint32_t w = 0; w < self->words; w++)
        bits [w * stride] = row [w];
}

//  Position up to which the draws of a row are simply marked. By rule 1 it
//  is the end: as many draws as are wanted, not counting rejected ones. By
//  rule 2 the end comes some draws later.
static uint32_t
s_simple_end (const fuota_fec_sweep_t *self, const fuota_fec_sweep_row_t *row)
{
    if (self->version != 1)
        return row->position + self->early;
    return row->position + self->wanted + self->rejected - row->rejected;
}

//  M is drawn only if it is a power of two, and then is in no word: its mark
//  tells whether it was among the draws marked last, which is rare.
bool
fuota_fec_sweep_marks (fuota_fec_sweep_t *self, fuota_fec_marks_t *marks)
{
    const fuota_fec_sweep_row_t *row = &self->rows [self->head];
    if (self->m < S_SMALL_M)
        return false;
    if (self->head == self->tail) {
        s_seek (self, row);
        s_begin_row (self);
    }
    uint32_t end = s_simple_end (self, row);
    if (self->now >= end)
        return false;
    s_ready (self, end - self->now);
    marks->last = self->last;
    marks->draws = self->draws + self->at;
    marks->count = s_run (self, end);
    marks->epoch = s_epoch (self, self->tail - 1);
    if (self->modulus != self->m)
        self->last [self->m] = 0;
    return true;
}

void
fuota_fec_sweep_marked (fuota_fec_sweep_t *self, uint32_t count)
{
    const uint16_t *draws = self->draws + self->at;
    self->at += count;
    self->now += count;
    if (self->modulus == self->m || !self->last [self->m])
        return;
    for (uint32_t i = 0; i < count; i++)
        self->rejected += draws [i] == self->m;
}

//  By rule 2 a row ends with the draw that is the last one wanted new to it.
//  Returns false if that was before.
static bool
s_find_end (fuota_fec_sweep_t *self)
{
    if (self->version == 1)
        return true;
    uint32_t have = self->kernel->population (self->last, self->words,
        s_epoch (self, self->head));
    if (have > self->wanted)
        return false;
    s_mark_new (self, self->head, self->wanted - have);
    return true;
}

uint32_t
fuota_fec_sweep_end (fuota_fec_sweep_t *self, uint64_t *bits, size_t stride)
{
    uint32_t n = self->rows [self->head].n;
    if (self->m >= S_SMALL_M && s_find_end (self))
        self->kernel->snapshot (self->last, self->words,
            s_epoch (self, self->head), bits, stride);
    else
        s_plain (self, n, bits, stride);
    self->head++;
    return n;
}

uint32_t
fuota_fec_sweep_next (fuota_fec_sweep_t *self, uint64_t *bits, size_t stride)
{
    fuota_fec_marks_t marks;
    while (fuota_fec_sweep_marks (self, &marks)) {
        fuota_fec_mark (&marks);
        fuota_fec_sweep_marked (self, marks.count);
    }
    return fuota_fec_sweep_end (self, bits, stride);
}

//  Beginning

//  List the rows, and return how many of them share draws.
static uint32_t
s_list (fuota_fec_sweep_row_t *rows, uint32_t first, uint32_t count,
    uint32_t draws)
{
    uint32_t shared = 0, end = first + count;
    if (count * (uint64_t) draws >= S_FEW_DRAWS)
        for (uint32_t i = 0; i < FUOTA_FEC_CYCLE_ROWS; i++) {
            const fuota_fec_cycle_t *item = &fuota_fec_cycle [i];
            if (item->n >= first && item->n < end) {
                fuota_fec_sweep_row_t row = { item->position, item->n, 0 };
                rows [shared++] = row;
            }
        }
    if (shared && first < FUOTA_FEC_WIDE_N)
        first = end < FUOTA_FEC_WIDE_N ? end : FUOTA_FEC_WIDE_N;
    for (uint32_t i = shared; i < count; i++, first++) {
        fuota_fec_sweep_row_t row = { 0, first, 0 };
        rows [i] = row;
    }
    return shared;
}

//  Half of the numbers are new after M * log 2 draws, give or take half the
//  square root of M. This is four times that earlier.
static uint32_t
s_early (uint32_t m)
{
    uint32_t mean = m * 709 / 1024, margin = 0;
    while (margin * margin < 5 * m)
        margin++;
    return mean > margin + m / 2 ? mean - margin : m / 2;
}

void
fuota_fec_sweep_init (fuota_fec_sweep_t *self, const fuota_fec_job_t *job,
    uintptr_t *at)
{
    uint32_t m = job->m, words = FUOTA_FEC_WORDS (m);
    fuota_fec_sweep_row_t *rows =
        fuota_fec_piece (at, job->count * sizeof *rows);
    //  M itself may be drawn, past the last word
    uint8_t *last = fuota_fec_piece (at, (words + 1) * 64);
    if (!self)
        return;
    memset (self, 0, sizeof *self);
    memset (last, 0, (words + 1) * 64);
    self->kernel = job->kernel;
    self->version = job->block->version;
    self->m = m;
    self->modulus = m + ((m & (m - 1)) == 0);
    self->words = words;
    self->wanted = m / 2;
    self->early = s_early (m);
    self->rows = rows;
    self->count = job->count;
    self->last = last;
    self->shared = s_list (rows, job->first, job->count, m / 2);
}
