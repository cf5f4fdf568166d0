//  SPDX-License-Identifier: MIT
//
//  Rows times data in tiles, for instructions that multiply a byte of each
//  of many rows, that is 8 fragments, by a column of bytes of these.
//
//  A strip is some rows with their bytes turned over: those of a group of 8
//  fragments are neighbours, and so are those of a column of the result. A
//  tile is some strips. What is multiplied at once is in the innermost cache:
//  a strip, some groups of it (a block), and some columns (a panel).
//
//  Three parts: the data, the rows, the result.

#include "fec_worker/kernel/fec_kernel.h"

#include <string.h>
#include "fec_worker/kernel/fec_sweep.h"
#include "fec_worker/kernel/fec_zip.h"

//  Rows of a tile as they are drawn.
typedef struct {
    uint32_t count;
    uint32_t *n;     //  Of each of them
    uint64_t *bits;  //  [strip][word][S_STRIDE of strip]
} s_rows_t;

//  Words from one to the next of a row: no power of two, for the cache's sake
#define S_STRIDE(strip) ((strip) + 8)

typedef struct {
    const fuota_fec_job_t *job;
    const fuota_fec_kernel_t *kernel;
    fuota_fec_sweep_t *sweep;
    uint32_t words;    //  Of a row
    uint32_t groups;   //  An even number
    uint32_t columns;  //  Bytes of a fragment

    uint8_t *data;    //  [block][panel][group of block][column of panel][cell]
    uint8_t *tables;  //  [group of block][column of panel][table]

    //  The tile, and the next one, which is drawn meanwhile
    uint32_t tile;  //  Rows of a tile at most
    uint32_t left;  //  Rows of the job not drawn yet
    s_rows_t now, next;
    uint8_t *rows;  //  [strip][group of block][row of strip][index]
    uint8_t *sums;  //  [strip][column][row of strip]
    size_t bits_of_strip, rows_of_strip, sums_of_strip;
} s_tile_t;

static uint32_t
s_least (uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

//  A tile is small if there are few rows, for nothing is multiplied while the
//  first one is drawn.
static uint32_t
s_strips (const fuota_fec_job_t *job)
{
    uint32_t strip = job->kernel->strip, few = (job->count / 2 + strip) / strip;
    return s_least (few, job->kernel->strips);
}

static void
s_rows_layout (s_rows_t *rows, const s_tile_t *self, uintptr_t *at)
{
    rows->n = fuota_fec_piece (at, self->tile * sizeof *rows->n);
    rows->bits =
        fuota_fec_piece (at, self->tile / self->kernel->strip *
                                 self->bits_of_strip * sizeof *rows->bits);
}

static size_t
s_layout (s_tile_t *self, const fuota_fec_job_t *job, uintptr_t at)
{
    uintptr_t begin = at;
    const fuota_fec_kernel_t *kernel = job->kernel;
    uint32_t strips = s_strips (job);
    memset (self, 0, sizeof *self);
    self->job = job;
    self->kernel = kernel;
    self->sweep = fuota_fec_piece (&at, sizeof *self->sweep);
    fuota_fec_sweep_init (begin ? self->sweep : NULL, job, &at);
    self->words = FUOTA_FEC_WORDS (job->m);
    self->groups = (job->m + 15) / 16 * 2;
    self->columns = job->block->frag_size;
    self->left = job->count;
    self->tile = strips * kernel->strip;
    self->bits_of_strip = self->words * S_STRIDE (kernel->strip);
    self->rows_of_strip = s_least (kernel->depth, self->words * 8) *
                          kernel->strip * kernel->index;
    self->sums_of_strip = self->columns * kernel->strip;
    self->data = fuota_fec_piece (&at,
        (size_t) self->groups * self->columns * kernel->cell);
    self->tables = fuota_fec_piece (&at,
        (size_t) kernel->depth * kernel->panel * kernel->table);
    s_rows_layout (&self->now, self, &at);
    s_rows_layout (&self->next, self, &at);
    self->rows = fuota_fec_piece (&at, strips * self->rows_of_strip);
    self->sums = fuota_fec_piece (&at, strips * self->sums_of_strip);
    return at - begin;
}

//  Groups of the block that begins there: the last one has what is left.
static uint32_t
s_depth (const s_tile_t *self, uint32_t group)
{
    return s_least (self->kernel->depth, self->groups - group);
}

//  Columns of the panel that begins there, likewise.
static uint32_t
s_width (const s_tile_t *self, uint32_t column)
{
    return s_least (self->kernel->panel, self->columns - column);
}

//  The data

//  Where the panel begins in the block.
static uint8_t *
s_cells (const s_tile_t *self, uint32_t block, uint32_t column)
{
    size_t before = (size_t) block * self->columns +
                    (size_t) column * s_depth (self, block);
    return self->data + before * self->kernel->cell;
}

//  Write eight fragments as columns of eight bytes. Vectors are read past
//  their ends.
static void
s_turn_eight (const uint8_t *from, size_t stride, uint32_t count,
    uint64_t *columns)
{
    for (uint32_t c = 0; c < count; c += 16) {
        fuota_fec_v16_t v [8];
        for (uint32_t i = 0; i < 8; i++)
            memcpy (&v [i], from + i * stride + c, sizeof v [i]);
        fuota_fec_zip_8_rows (v);
        memcpy (columns + c, v, sizeof v);
    }
}

//  The columns of a group. The last ones are copied, for there is nothing
//  behind them.
static void
s_group (const s_tile_t *self, uint32_t group, uint64_t *columns)
{
    const fuota_fec_block_t *block = self->job->block;
    size_t eight_size = 8 * (size_t) self->columns;
    if ((group + 1) * eight_size + 16 <= block->size) {
        s_turn_eight (block->data + group * eight_size, self->columns,
            self->columns, columns);
        return;
    }
    fuota_fec_eight_t eight = { { 0 } };
    fuota_fec_eight (self->job, group, eight);
    s_turn_eight (eight [0], sizeof eight [0], self->columns, columns);
}

static void
s_pack (const s_tile_t *self)
{
    const fuota_fec_kernel_t *kernel = self->kernel;
    uint64_t columns [UINT8_MAX + 33] = { 0 };
    for (uint32_t group = 0; group < self->groups; group++) {
        s_group (self, group, columns);
        uint32_t in = group % kernel->depth, block = group - in;
        for (uint32_t c = 0, width; c < self->columns; c += width) {
            width = s_width (self, c);
            kernel->pack (columns + c, width,
                s_cells (self, block, c) + in * width * kernel->cell);
        }
    }
}

//  What a panel of a block is multiplied by.
static const uint8_t *
s_tables (const s_tile_t *self, uint32_t block, uint32_t column)
{
    const uint8_t *cells = s_cells (self, block, column);
    if (!self->kernel->make)
        return cells;
    self->kernel->make (cells, s_depth (self, block) * s_width (self, column),
        self->tables);
    return self->tables;
}

//  The rows

//  Let the sweep go on with the next tile up to draws to be marked. Returns
//  false if the tile is complete.
static bool
s_next_marks (s_tile_t *self, fuota_fec_marks_t *marks)
{
    uint32_t strip = self->kernel->strip;
    s_rows_t *next = &self->next;
    while (self->left && next->count < self->tile) {
        if (fuota_fec_sweep_marks (self->sweep, marks))
            return true;
        uint32_t i = next->count++;
        next->n [i] = fuota_fec_sweep_end (self->sweep,
            next->bits + i / strip * self->bits_of_strip + i % strip,
            S_STRIDE (strip));
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
    s_rows_t now = self->now;
    self->now = self->next;
    self->next = now;
    self->next.count = 0;
    return self->now.count;
}

//  Turn over a block of all strips.
static void
s_turn (const s_tile_t *self, uint32_t block)
{
    const fuota_fec_kernel_t *kernel = self->kernel;
    size_t word_size = (size_t) 8 * kernel->strip * kernel->index;
    uint32_t words = (s_depth (self, block) + 7) / 8;
    const uint64_t *bits =
        self->now.bits + block / 8 * S_STRIDE (kernel->strip);
    uint8_t *rows = self->rows;
    for (uint32_t i = 0; i < self->now.count; i += kernel->strip) {
        for (uint32_t w = 0; w < words; w++)
            kernel->turn (bits + w * S_STRIDE (kernel->strip),
                rows + w * word_size);
        bits += self->bits_of_strip;
        rows += self->rows_of_strip;
    }
}

//  The result

//  A product for a panel of full width, and meanwhile marks for the next
//  tile as long as there are any.
static uint32_t
s_multiply_marking (s_tile_t *self, const uint8_t *rows, uint32_t groups,
    const uint8_t *cells, uint8_t *sums)
{
    uint32_t group = 0;
    fuota_fec_marks_t marks;
    while (group < groups && s_next_marks (self, &marks)) {
        group = self->kernel->multiply_marking (rows, group, groups, cells,
            sums, &marks);
        fuota_fec_sweep_marked (self->sweep, marks.count);
    }
    return group;
}

//  A panel of a block for all strips.
static void
s_multiply_panel (s_tile_t *self, uint32_t block, uint32_t column)
{
    const fuota_fec_kernel_t *kernel = self->kernel;
    uint32_t groups = s_depth (self, block), width = s_width (self, column);
    const uint8_t *cells = s_tables (self, block, column);
    uint32_t strip_group = kernel->strip * kernel->index;
    uint32_t cell_group = width * (kernel->make ? kernel->table : kernel->cell);
    const uint8_t *rows = self->rows;
    uint8_t *sums = self->sums + column * kernel->strip;
    for (uint32_t i = 0; i < self->now.count; i += kernel->strip) {
        uint32_t g = 0;
        if (kernel->multiply_marking && width == kernel->panel)
            g = s_multiply_marking (self, rows, groups, cells, sums);
        if (g < groups)
            kernel->multiply (rows + g * strip_group, groups - g,
                cells + g * cell_group, width, sums);
        rows += self->rows_of_strip;
        sums += self->sums_of_strip;
    }
}

static void
s_multiply (s_tile_t *self)
{
    const fuota_fec_kernel_t *kernel = self->kernel;
    memset (self->sums, 0, self->tile / kernel->strip * self->sums_of_strip);
    for (uint32_t g = 0; g < self->groups; g += kernel->depth) {
        s_turn (self, g);
        for (uint32_t c = 0; c < self->columns; c += kernel->panel)
            s_multiply_panel (self, g, c);
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
            memcpy (&v [i], sums + k * self->kernel->strip, sizeof v [i]);
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
    uint32_t strip = self->kernel->strip;
    for (uint32_t i = 0; i < self->now.count; i++) {
        if (i % 16 == 0)
            s_turn_sums (self,
                self->sums + i / strip * self->sums_of_strip + i % strip, out);
        memcpy (fuota_fec_place (self->job, self->now.n [i]), out [i % 16],
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
    size_t bits_size = self.tile / self.kernel->strip * self.bits_of_strip *
                       sizeof *self.now.bits;
    memset (self.now.bits, 0, bits_size);
    memset (self.next.bits, 0, bits_size);
    s_pack (&self);
    while (s_next (&self)) {
        s_multiply (&self);
        s_write (&self);
    }
}
