//  SPDX-License-Identifier: MIT
//
//  Rows times data in tiles, for instructions that multiply a byte of each
//  of many rows, that is 8 fragments, by a column of bytes of these.
//
//  A tile is some rows with their bytes turned over: those of a group of 8
//  fragments are neighbours, and so are those of a column of the result.
//
//  Large products are done by the scheme of Strassen and Winograd: rows,
//  fragments and columns are halved, and seven products of quarters do for
//  eight. A batch is then two tiles, the upper and the lower half.
//
//  Three parts: the data, the rows, the result.

#include "fec_worker/kernel/fec_kernel.h"

#include <string.h>
#include "fec_worker/kernel/fec_sweep.h"
#include "fec_worker/kernel/fec_zip.h"

//  Seven products pay from about here: sums of quarters have their price.
#define S_HALVE_M 1500
#define S_HALVE_FRAG_SIZE 32
#define S_HALVE_ROWS 512

//  The quarters of the rows are 0 .. 3, [half of rows][half of fragments];
//  those of the data [fragments][columns], those of the result
//  [rows][columns]. These are more of them, all sums, in their order: the
//  item is those at the other two added.
enum { S_R4 = 4, S_R5, S_R6, S_R7, S_D4 = 4, S_D5, S_D6, S_D7 };

typedef struct {
    uint8_t sum, a, b;
} s_sum_t;

static const s_sum_t s_row_sums [] = {
    { S_R4, 2, 3 },
    { S_R5, S_R4, 0 },
    { S_R6, 0, 2 },
    { S_R7, 1, S_R5 },
};
static const s_sum_t s_data_sums [] = {
    { S_D4, 1, 0 },
    { S_D5, 3, S_D4 },
    { S_D6, 3, 1 },
    { S_D7, S_D5, 2 },
};

//  Factors of a product, and a bit for each quarter it is added to.
typedef struct {
    uint8_t rows, data, into;
} s_step_t;

static const s_step_t s_whole [] = {
    { 0, 0, 1 },
};
static const s_step_t s_halves [] = {
    { 0, 0, 15 },
    { 1, 2, 1 },
    { S_R7, 3, 2 },
    { 3, S_D7, 4 },
    { S_R4, S_D4, 10 },
    { S_R5, S_D5, 14 },
    { S_R6, S_D6, 12 },
};

typedef struct {
    const fuota_fec_job_t *job;
    const fuota_fec_kernel_t *kernel;
    fuota_fec_sweep_t *sweep;
    uint32_t halves;   //  1, or 2: each way
    uint32_t words;    //  Of a row, in a half
    uint32_t groups;   //  In a half: eight to a word, an even number
    uint32_t columns;  //  In a half
    size_t rows_size, data_size, sums_size;  //  Of a quarter
    uint32_t batch;                          //  Rows: tiles, as many as halves
    size_t stride;     //  Words of a batch that belong together
    uint64_t *bits;    //  [words][stride]
    uint32_t *n;       //  Of each row in the batch
    uint32_t *next_n;  //  And of each in the next one, whose bits they are
    uint32_t left;     //  Rows of the job not drawn yet
    uint32_t drawn;    //  Rows of the next batch drawn
    uint8_t *data;     //  [quarter][panel][group][column of panel][cell]
    uint8_t *rows;     //  [quarter][group][tile]
    uint8_t *sums;     //  [quarter][column][tile]
    uint8_t *panel;    //  [column of panel][tile]
} s_tile_t;

static bool
s_is_large (const fuota_fec_job_t *job)
{
    return job->m >= S_HALVE_M && job->count >= S_HALVE_ROWS &&
           job->block->frag_size >= S_HALVE_FRAG_SIZE;
}

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
    uint32_t halves = self->halves = s_is_large (job) ? 2 : 1;
    uint32_t quarters = halves == 2 ? 8 : 1, words = FUOTA_FEC_WORDS (job->m);
    self->words = (words + halves - 1) / halves;
    self->groups = halves == 1 ? (job->m + 15) / 16 * 2 : self->words * 8;
    self->columns = (job->block->frag_size + halves - 1) / halves;
    self->rows_size = (size_t) self->words * 8 * kernel->tile;
    self->data_size = (size_t) self->groups * self->columns * kernel->cell;
    self->data_size = (self->data_size + 63) / 64 * 64;
    self->sums_size = (size_t) self->columns * kernel->tile;
    self->batch = kernel->tile * halves;
    self->stride = self->batch + 8;  //  No power of two, for the cache's sake
    self->bits =
        fuota_fec_piece (&at, words * self->stride * sizeof *self->bits);
    self->n = fuota_fec_piece (&at, self->batch * sizeof *self->n);
    self->next_n = fuota_fec_piece (&at, self->batch * sizeof *self->n);
    self->left = job->count;
    self->data = fuota_fec_piece (&at, quarters * self->data_size);
    self->rows = fuota_fec_piece (&at, quarters * self->rows_size);
    self->sums = fuota_fec_piece (&at, halves * halves * self->sums_size);
    self->panel = fuota_fec_piece (&at, (size_t) kernel->panel * kernel->tile);
    return at - begin;
}

//  Make the quarters that are sums of others. They are of one size.
static void
s_add_quarters (const s_tile_t *self, const s_sum_t sums [4], uint8_t *quarters,
    size_t size)
{
    for (int i = 0; i < 4; i++)
        self->kernel->add (quarters + sums [i].sum * size,
            quarters + sums [i].a * size, quarters + sums [i].b * size, size);
}

//  The data

//  Columns of all panels but the last, which has what is left.
static uint32_t
s_panel_width (const s_tile_t *self, uint32_t column)
{
    uint32_t left = self->columns - column;
    return left < self->kernel->panel ? left : self->kernel->panel;
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

//  Pack columns of a group to where they belong in a quarter.
static void
s_pack_columns (const s_tile_t *self, uint8_t *quarter, uint32_t group,
    const uint64_t *columns)
{
    for (uint32_t c = 0, width; c < self->columns; c += width) {
        width = s_panel_width (self, c);
        size_t to = (size_t) c * self->groups + (size_t) group * width;
        self->kernel->pack (columns + c, width,
            quarter + to * self->kernel->cell);
    }
}

static void
s_pack (const s_tile_t *self)
{
    fuota_fec_eight_t eight = { { 0 } };
    uint64_t columns [UINT8_MAX + 33] = { 0 };
    uint32_t groups = self->groups * self->halves;
    for (uint32_t group = 0; group < groups; group++) {
        fuota_fec_eight (self->job, group, eight);
        s_turn_eight (eight, self->columns * self->halves, columns);
        uint32_t half = group / self->groups * self->halves;
        for (uint32_t k = 0; k < self->halves; k++)
            s_pack_columns (self, self->data + (half + k) * self->data_size,
                group % self->groups, columns + k * self->columns);
    }
    if (self->halves == 2)
        s_add_quarters (self, s_data_sums, self->data, self->data_size);
}

//  The rows

//  Rows of the next batch.
static uint32_t
s_next_rows (const s_tile_t *self)
{
    uint32_t left = self->left + self->drawn;
    return left < self->batch ? left : self->batch;
}

//  Draw what is left to draw of the next batch, and make it the batch.
//  Returns its rows.
static uint32_t
s_draw_rows (s_tile_t *self)
{
    uint32_t rows = s_next_rows (self);
    for (; self->drawn < rows; self->drawn++, self->left--)
        self->next_n [self->drawn] = fuota_fec_sweep_next (self->sweep,
            self->bits + self->drawn, self->stride);
    memcpy (self->n, self->next_n, rows * sizeof *self->n);
    self->drawn = 0;
    return rows;
}

static void
s_turn_rows (const s_tile_t *self)
{
    for (uint32_t k = 0; k < self->halves; k++)
        for (uint32_t w = 0; w < FUOTA_FEC_WORDS (self->job->m); w++)
            self->kernel->turn (self->bits + w * self->stride +
                                    k * self->kernel->tile,
                self->rows +
                    (k * self->halves + w / self->words) * self->rows_size +
                    (size_t) (w % self->words) * 8 * self->kernel->tile);
    if (self->halves == 2)
        s_add_quarters (self, s_row_sums, self->rows, self->rows_size);
}

//  The result

//  Let the sweep go on with the next batch up to draws to be marked. Returns
//  false if the batch is complete.
static bool
s_next_marks (s_tile_t *self, fuota_fec_marks_t *marks)
{
    while (self->drawn < s_next_rows (self)) {
        if (fuota_fec_sweep_marks (self->sweep, marks))
            return true;
        self->next_n [self->drawn] = fuota_fec_sweep_end (self->sweep,
            self->bits + self->drawn, self->stride);
        self->drawn++;
        self->left--;
    }
    return false;
}

//  A product for a panel, and meanwhile marks for the next batch.
static void
s_multiply_marking (s_tile_t *self, const uint8_t *rows, const uint8_t *cells)
{
    memset (self->panel, 0, (size_t) self->kernel->panel * self->kernel->tile);
    for (uint32_t group = 0; group < self->groups;) {
        fuota_fec_marks_t marks = { NULL, self->sweep->draws, 0, 0 };
        bool more = s_next_marks (self, &marks);
        group = self->kernel->multiply_marking (rows, group, self->groups,
            cells, self->panel, &marks);
        if (more)
            fuota_fec_sweep_marked (self->sweep, marks.count);
    }
}

static void
s_multiply_panel (s_tile_t *self, const uint8_t *rows, const uint8_t *cells,
    uint32_t width)
{
    if (self->kernel->multiply_marking && width == self->kernel->panel)
        s_multiply_marking (self, rows, cells);
    else
        self->kernel->multiply (rows, self->groups, cells, width, self->panel);
}

static void
s_multiply_step (s_tile_t *self, const s_step_t *step)
{
    const uint8_t *rows = self->rows + step->rows * self->rows_size;
    const uint8_t *data = self->data + step->data * self->data_size;
    for (uint32_t c = 0, width; c < self->columns; c += width) {
        width = s_panel_width (self, c);
        s_multiply_panel (self, rows,
            data + (size_t) c * self->groups * self->kernel->cell, width);
        size_t at = (size_t) c * self->kernel->tile;
        for (uint32_t k = 0; k < 4; k++)
            if (step->into >> k & 1) {
                uint8_t *sums = self->sums + k * self->sums_size + at;
                self->kernel->add (sums, sums, self->panel,
                    (size_t) width * self->kernel->tile);
            }
    }
}

static void
s_multiply (s_tile_t *self)
{
    memset (self->sums, 0, self->halves * self->halves * self->sums_size);
    const s_step_t *steps = self->halves == 2 ? s_halves : s_whole;
    size_t count = self->halves == 2 ? sizeof s_halves / sizeof *s_halves : 1;
    for (size_t i = 0; i < count; i++)
        s_multiply_step (self, &steps [i]);
}

//  Turn columns of 16 rows, eight at a time; those that are not there are
//  some others.
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

//  Write rows of a tile that are in a quarter: its columns from that on.
static void
s_write_quarter (const s_tile_t *self, const uint8_t *sums, uint32_t rows,
    const uint32_t *n, uint32_t column)
{
    uint8_t out [16][UINT8_MAX + 1];
    uint32_t columns = self->job->block->frag_size - column;
    if (columns > self->columns)
        columns = self->columns;
    for (uint32_t i = 0; i < rows; i++) {
        if (i % 16 == 0)
            s_turn_sums (self, sums + i, out);
        memcpy (fuota_fec_place (self->job, n [i]) + column, out [i % 16],
            columns);
    }
}

static void
s_write (const s_tile_t *self, uint32_t rows)
{
    for (uint32_t i = 0; i < rows; i += self->kernel->tile)
        for (uint32_t k = 0; k < self->halves; k++)
            s_write_quarter (self,
                self->sums + (i / self->kernel->tile * self->halves + k) *
                                 self->sums_size,
                rows - i < self->kernel->tile ? rows - i : self->kernel->tile,
                self->n + i, k * self->columns);
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
    //  Rows and groups that are not there are zeros or do not matter
    memset (self.bits, 0,
        FUOTA_FEC_WORDS (job->m) * self.stride * sizeof *self.bits);
    memset (self.rows, 0, self.rows_size * self.halves * self.halves);
    s_pack (&self);
    for (uint32_t rows; (rows = s_draw_rows (&self));) {
        s_turn_rows (&self);
        s_multiply (&self);
        s_write (&self, rows);
    }
}
