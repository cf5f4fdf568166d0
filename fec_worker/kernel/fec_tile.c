//  SPDX-License-Identifier: MIT
//
//  Rows times data in tiles, for instructions that multiply a byte of each
//  of many rows, that is 8 fragments, by a column of bytes of these.
//
//  A tile is some rows with their bytes turned over: those of a group of 8
//  fragments are neighbours, and so are those of a column of the result.
//
//  Three parts: the data, the rows, the result.

#include "fec_worker/kernel/fec_kernel.h"

#include <string.h>
#include "fec_worker/kernel/fec_sweep.h"
#include "fec_worker/kernel/fec_zip.h"

typedef struct {
    const fuota_fec_job_t *job;
    const fuota_fec_kernel_t *kernel;
    fuota_fec_sweep_t *sweep;
    uint32_t words;    //  Of a row
    uint32_t groups;   //  An even number
    uint32_t columns;  //  Bytes of a fragment

    uint8_t *data;  //  [panel][group][column of panel][cell]

    //  The tile, and the next one, which is drawn meanwhile
    uint32_t count;       //  Rows in the tile
    uint32_t *n;          //  Of each of them
    uint8_t *rows;        //  [group][tile]
    uint8_t *sums;        //  [column][tile]
    uint32_t left;        //  Rows of the job not drawn yet
    uint32_t next_count;  //  Rows of the next tile, drawn so far
    uint32_t *next_n;
    uint64_t *bits;  //  [word][stride]
    size_t stride;
} s_tile_t;

static size_t
s_layout (s_tile_t *self, const fuota_fec_job_t *job, uintptr_t at)
{
    uintptr_t begin = at;
    const fuota_fec_kernel_t *kernel = job->kernel;
    memset (self, 0, sizeof *self);
    self->job = job;
    self->kernel = kernel;
    self->sweep = fuota_fec_piece (&at, sizeof *self->sweep);
    fuota_fec_sweep_init (begin ? self->sweep : NULL, job, &at);
    self->words = FUOTA_FEC_WORDS (job->m);
    self->groups = (job->m + 15) / 16 * 2;
    self->columns = job->block->frag_size;
    self->left = job->count;
    self->stride = kernel->tile + 8;  //  No power of two, for the cache's sake
    size_t row_numbers = kernel->tile * sizeof *self->n;
    self->data = fuota_fec_piece (&at,
        (size_t) self->groups * self->columns * kernel->cell);
    self->n = fuota_fec_piece (&at, row_numbers);
    self->rows = fuota_fec_piece (&at, self->words * 8 * kernel->tile);
    self->sums = fuota_fec_piece (&at, self->columns * kernel->tile);
    self->next_n = fuota_fec_piece (&at, row_numbers);
    self->bits =
        fuota_fec_piece (&at, self->words * self->stride * sizeof *self->bits);
    return at - begin;
}

//  Columns of the panel that begins there: the last one has what is left.
static uint32_t
s_width (const s_tile_t *self, uint32_t column)
{
    uint32_t left = self->columns - column;
    return left < self->kernel->panel ? left : self->kernel->panel;
}

//  The data

static uint8_t *
s_cells (const s_tile_t *self, uint32_t column)
{
    return self->data + (size_t) column * self->groups * self->kernel->cell;
}

//  Write eight fragments as columns of eight bytes.
static void
s_turn_eight (fuota_fec_eight_t eight, uint32_t count, uint64_t *columns)
{
    for (uint32_t c = 0; c < count; c += 16) {
        fuota_fec_v16_t v [8];
        for (int i = 0; i < 8; i++)
            memcpy (&v [i], eight [i] + c, sizeof v [i]);
        fuota_fec_zip_8_rows (v);
        memcpy (columns + c, v, sizeof v);
    }
}

static void
s_pack (const s_tile_t *self)
{
    fuota_fec_eight_t eight = { { 0 } };
    uint64_t columns [UINT8_MAX + 33] = { 0 };
    for (uint32_t group = 0; group < self->groups; group++) {
        fuota_fec_eight (self->job, group, eight);
        s_turn_eight (eight, self->columns, columns);
        for (uint32_t c = 0, width; c < self->columns; c += width) {
            width = s_width (self, c);
            self->kernel->pack (columns + c, width,
                s_cells (self, c) + group * width * self->kernel->cell);
        }
    }
}

//  The rows

//  Let the sweep go on with the next tile up to draws to be marked. Returns
//  false if the tile is complete.
static bool
s_next_marks (s_tile_t *self, fuota_fec_marks_t *marks)
{
    while (self->left && self->next_count < self->kernel->tile) {
        if (fuota_fec_sweep_marks (self->sweep, marks))
            return true;
        self->next_n [self->next_count] = fuota_fec_sweep_end (self->sweep,
            self->bits + self->next_count, self->stride);
        self->next_count++;
        self->left--;
    }
    return false;
}

//  Draw what is left to draw of the next tile, and go on to it. Returns its
//  rows.
static uint32_t
s_next (s_tile_t *self)
{
    fuota_fec_marks_t marks;
    while (s_next_marks (self, &marks)) {
        fuota_fec_mark (&marks);
        fuota_fec_sweep_marked (self->sweep, marks.count);
    }
    for (uint32_t w = 0; w < self->words; w++)
        self->kernel->turn (self->bits + w * self->stride,
            self->rows + (size_t) w * 8 * self->kernel->tile);
    memcpy (self->n, self->next_n, self->next_count * sizeof *self->n);
    self->count = self->next_count;
    self->next_count = 0;
    return self->count;
}

//  The result

//  A product for a panel of full width, and meanwhile marks for the next
//  tile.
static void
s_multiply_marking (s_tile_t *self, const uint8_t *cells, uint8_t *sums)
{
    memset (sums, 0, self->kernel->panel * self->kernel->tile);
    for (uint32_t group = 0; group < self->groups;) {
        fuota_fec_marks_t marks = { NULL, self->sweep->draws, 0, 0 };
        bool more = s_next_marks (self, &marks);
        group = self->kernel->multiply_marking (self->rows, group, self->groups,
            cells, sums, &marks);
        if (more)
            fuota_fec_sweep_marked (self->sweep, marks.count);
    }
}

static void
s_multiply (s_tile_t *self)
{
    const fuota_fec_kernel_t *kernel = self->kernel;
    for (uint32_t c = 0, width; c < self->columns; c += width) {
        const uint8_t *cells = s_cells (self, c);
        uint8_t *sums = self->sums + c * kernel->tile;
        width = s_width (self, c);
        if (kernel->multiply_marking && width == kernel->panel)
            s_multiply_marking (self, cells, sums);
        else
            kernel->multiply (self->rows, self->count, self->groups, cells,
                width, sums);
    }
}

//  Turn columns of 16 rows, eight at a time; for those that are not there
//  others do.
static void
s_turn_sums (const s_tile_t *self, const uint8_t *sums,
    uint8_t out [16][UINT8_MAX + 1])
{
    for (uint32_t c = 0; c < self->columns; c += 8) {
        fuota_fec_v16_t v [8];
        uint64_t words [16];
        for (uint32_t i = 0; i < 8; i++) {
            uint32_t k = c + i < self->columns ? c + i : c;
            memcpy (&v [i], sums + k * self->kernel->tile, sizeof v [i]);
        }
        fuota_fec_zip_8_rows (v);
        memcpy (words, v, sizeof words);
        for (uint32_t i = 0; i < 16; i++)
            memcpy (out [i] + c, &words [i], sizeof words [i]);
    }
}

static void
s_write (const s_tile_t *self)
{
    uint8_t out [16][UINT8_MAX + 1];
    for (uint32_t i = 0; i < self->count; i++) {
        if (i % 16 == 0)
            s_turn_sums (self, self->sums + i, out);
        memcpy (fuota_fec_place (self->job, self->n [i]), out [i % 16],
            self->columns);
    }
}

size_t
fuota_fec_tile_size (const fuota_fec_job_t *job)
{
    s_tile_t self;
    return s_layout (&self, job, 0);
}

void
fuota_fec_tile_rows (const fuota_fec_job_t *job, void *scratch)
{
    s_tile_t self;
    s_layout (&self, job, (uintptr_t) scratch);
    //  Rows that are not there do not matter, but are looked at
    memset (self.bits, 0, self.words * self.stride * sizeof *self.bits);
    s_pack (&self);
    while (s_next (&self)) {
        s_multiply (&self);
        s_write (&self);
    }
}
