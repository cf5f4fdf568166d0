//  SPDX-License-Identifier: MIT
//
//  Three parts: the system of equations, taking fragments, the data.
//
//  Until the first coded fragment only what has come is noted. Then each
//  uncoded fragment still missing becomes a column, and every later fragment
//  an equation over the columns: a coded one its row, an uncoded one a row
//  of a single bit. Equations that say something new become matrix rows.
//  What was added to a row on its way there is not remembered: the same
//  steps are repeated with the data, once, at the end.

#include "fec_worker/kernel/fec_decode.h"

#include <stdlib.h>
#include <string.h>
#include "fec_worker/kernel/fec.h"
#include "fec_worker/kernel/xor.h"

struct fuota_fec_decode {
    uint32_t m;
    unsigned version;
    uint32_t max_losses;
    fuota_fec_state_t state;
    uint32_t received;
    uint32_t missing;                     //  Columns without a matrix row
    uint64_t seen [FUOTA_FEC_WORDS_MAX];  //  Bit N - 1: fragment N was taken

    //  From the first coded fragment on, in two pieces of memory
    uint32_t columns;
    uint32_t words;      //  Of 64 columns
    uint64_t *matrix;    //  Row p is all zero, or its first bit is p
    uint64_t *equation;  //  One more row, being reduced
    uint64_t *row;       //  The same over all M
    uint64_t *lost;      //  Bit i: source fragment i is a column
    uint16_t *column;    //  Of each source fragment that is one
    uint16_t *source;    //  Source fragment of each column
    uint16_t *used;      //  N of each equation kept, as they came
    uint16_t *pivot;     //  Matrix row it became
};

fuota_fec_decode_t *
fuota_fec_decode_new (uint32_t m, unsigned version, uint32_t max_losses)
{
    if (m < 1 || m > FUOTA_FEC_MAX_N)
        return NULL;
    fuota_fec_decode_t *self = calloc (1, sizeof *self);
    if (self) {
        self->m = m;
        self->version = version;
        self->max_losses = max_losses;
        self->missing = m;
    }
    return self;
}

void
fuota_fec_decode_destroy (fuota_fec_decode_t **self_p)
{
    fuota_fec_decode_t *self = *self_p;
    if (!self)
        return;
    free (self->matrix);
    free (self->column);
    free (self);
    *self_p = NULL;
}

//  Bits of a word from the lowest up:
//      for (uint64_t left = word; left; left &= left - 1)
//          s_lowest (left)
static uint32_t
s_lowest (uint64_t word)
{
    return (uint32_t) __builtin_ctzll (word);
}

static bool
s_has_bit (const uint64_t *bits, uint32_t i)
{
    return bits [i / 64] >> i % 64 & 1;
}

static void
s_set_bit (uint64_t *bits, uint32_t i)
{
    bits [i / 64] |= (uint64_t) 1 << i % 64;
}

//  The system of equations

//  Memory for all missing fragments as columns. Returns 0, or -1 if there is
//  none and nothing has changed.
static int
s_allocate (fuota_fec_decode_t *self)
{
    size_t columns = self->missing;
    size_t words = FUOTA_FEC_WORDS (columns);
    size_t row_words = FUOTA_FEC_WORDS (self->m);
    size_t all = (columns + 1) * words + 2 * row_words;
    uint64_t *bits = calloc (all, sizeof *bits);
    uint16_t *indexes = calloc (self->m + 3 * columns, sizeof *indexes);
    if (!bits || !indexes) {
        free (bits);
        free (indexes);
        return -1;
    }
    self->columns = (uint32_t) columns;
    self->words = (uint32_t) words;
    self->matrix = bits;
    self->equation = self->matrix + columns * words;
    self->row = self->equation + words;
    self->lost = self->row + row_words;
    self->column = indexes;
    self->source = self->column + self->m;
    self->used = self->source + columns;
    self->pivot = self->used + columns;
    return 0;
}

//  Make each fragment that is missing now a column.
static int
s_begin (fuota_fec_decode_t *self)
{
    if (self->missing > self->max_losses || s_allocate (self))
        return -1;
    uint16_t column = 0;
    for (uint16_t i = 0; i < self->m; i++) {
        if (s_has_bit (self->seen, i))
            continue;
        s_set_bit (self->lost, i);
        self->column [i] = column;
        self->source [column++] = i;
    }
    return 0;
}

//  Write fragment N as a row and as an equation. Of the row the equation
//  has what is lost, packed into columns.
static void
s_load (fuota_fec_decode_t *self, uint32_t big_n)
{
    uint32_t row_words = FUOTA_FEC_WORDS (self->m);
    if (big_n > self->m)
        fuota_fec_row (self->m, big_n - self->m, self->version, self->row);
    else {
        memset (self->row, 0, row_words * sizeof *self->row);
        s_set_bit (self->row, big_n - 1);
    }
    memset (self->equation, 0, self->words * sizeof *self->equation);
    for (uint32_t word = 0; word < row_words; word++) {
        uint64_t left = self->row [word] & self->lost [word];
        for (; left; left &= left - 1) {
            uint32_t i = word * 64 + s_lowest (left);
            s_set_bit (self->equation, self->column [i]);
        }
    }
}

static uint64_t *
s_matrix_row (const fuota_fec_decode_t *self, uint32_t p)
{
    return self->matrix + (size_t) p * self->words;
}

//  First column in the equation, none being before that word. Returns the
//  number of columns if it is empty.
static uint32_t
s_first (const fuota_fec_decode_t *self, uint32_t word)
{
    for (; word < self->words; word++)
        if (self->equation [word])
            return word * 64 + s_lowest (self->equation [word]);
    return self->columns;
}

//  Add matrix row p, which begins at p as the equation does, to it. Returns
//  the column at which the equation begins now.
static uint32_t
s_reduce (fuota_fec_decode_t *self, uint32_t p)
{
    const uint64_t *row = s_matrix_row (self, p);
    for (uint32_t word = p / 64; word < self->words; word++)
        self->equation [word] ^= row [word];
    return s_first (self, p / 64);
}

//  Taking fragments

//  Keep the equation of fragment N if it says something new.
static void
s_take_equation (fuota_fec_decode_t *self, uint32_t big_n)
{
    s_load (self, big_n);
    uint32_t p = s_first (self, 0);
    while (p < self->columns && s_has_bit (s_matrix_row (self, p), p))
        p = s_reduce (self, p);
    if (p == self->columns)
        return;
    memcpy (s_matrix_row (self, p), self->equation,
        self->words * sizeof *self->equation);
    uint32_t rank = self->columns - self->missing;
    self->used [rank] = (uint16_t) big_n;
    self->pivot [rank] = (uint16_t) p;
    self->missing--;
}

fuota_fec_state_t
fuota_fec_decode_take (fuota_fec_decode_t *self, uint32_t big_n)
{
    if (self->state != FUOTA_FEC_RECEIVING || big_n < 1 ||
        big_n > FUOTA_FEC_MAX_N || s_has_bit (self->seen, big_n - 1))
        return self->state;
    if (big_n > self->m && !self->matrix && s_begin (self)) {
        self->state = FUOTA_FEC_OVERLOADED;
        return self->state;
    }
    s_set_bit (self->seen, big_n - 1);
    self->received++;
    if (self->matrix)
        s_take_equation (self, big_n);
    else
        self->missing--;
    if (self->missing == 0)
        self->state = FUOTA_FEC_COMPLETE;
    return self->state;
}

fuota_fec_state_t
fuota_fec_decode_state (const fuota_fec_decode_t *self)
{
    return self->state;
}

uint32_t
fuota_fec_decode_received (const fuota_fec_decode_t *self)
{
    return self->received;
}

uint32_t
fuota_fec_decode_missing (const fuota_fec_decode_t *self)
{
    return self->missing;
}

//  The data

//  Where the data of column p goes.
static uint8_t *
s_place (const fuota_fec_decode_t *self, uint32_t p, uint8_t frag_size,
    uint8_t *out)
{
    return out + (size_t) self->source [p] * frag_size;
}

//  Add to the data all source fragments in the row that are no columns.
static void
s_add_known (const fuota_fec_decode_t *self, uint8_t frag_size, uint8_t *data,
    const uint8_t *out)
{
    for (uint32_t word = 0; word < FUOTA_FEC_WORDS (self->m); word++) {
        uint64_t left = self->row [word] & ~self->lost [word];
        for (; left; left &= left - 1) {
            size_t i = word * 64 + s_lowest (left);
            fuota_xor (data, out + i * frag_size, frag_size);
        }
    }
}

//  Data of the k-th equation, in the place of its pivot: what the source
//  fragments of its matrix row add up to. It meets the same matrix rows as
//  when it was taken, for a row never changes, and their data is there.
static void
s_reduce_data (fuota_fec_decode_t *self, uint32_t k, const uint8_t *fragment,
    uint8_t frag_size, uint8_t *out)
{
    uint32_t pivot = self->pivot [k];
    uint8_t *data = s_place (self, pivot, frag_size, out);
    memcpy (data, fragment, frag_size);
    s_load (self, self->used [k]);
    s_add_known (self, frag_size, data, out);
    uint32_t p = s_first (self, 0);
    while (p != pivot) {
        fuota_xor (data, s_place (self, p, frag_size, out), frag_size);
        p = s_reduce (self, p);
    }
}

//  Source fragment of column p, once those of the columns after it are there.
static void
s_substitute (const fuota_fec_decode_t *self, uint32_t p, uint8_t frag_size,
    uint8_t *out)
{
    uint8_t *data = s_place (self, p, frag_size, out);
    const uint64_t *row = s_matrix_row (self, p);
    for (uint32_t word = p / 64; word < self->words; word++)
        for (uint64_t left = row [word]; left; left &= left - 1) {
            uint32_t q = word * 64 + s_lowest (left);
            if (q != p)
                fuota_xor (data, s_place (self, q, frag_size, out), frag_size);
        }
}

int
fuota_fec_decode_block (fuota_fec_decode_t *self, uint8_t frag_size,
    fuota_fec_fetch_fn *fetch, void *arg, uint8_t *out)
{
    if (self->state != FUOTA_FEC_COMPLETE)
        return -1;
    for (uint32_t i = 0; i < self->m; i++)
        if (!self->matrix || !s_has_bit (self->lost, i))
            memcpy (out + (size_t) i * frag_size, fetch (arg, i + 1),
                frag_size);
    for (uint32_t k = 0; k < self->columns; k++)
        s_reduce_data (self, k, fetch (arg, self->used [k]), frag_size, out);
    for (uint32_t p = self->columns; p > 0; p--)
        s_substitute (self, p - 1, frag_size, out);
    return 0;
}
