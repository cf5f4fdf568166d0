//  SPDX-License-Identifier: MIT

#include "broker/host/sim_book.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 64    //  Fragments for which memory is taken at once
#define PAGES 256  //  16384 fragments
#define BUCKETS 512

struct fuota_sim_book {
    fuota_sim_book_t *next;  //  In the same bucket
    uint64_t key;
    uint8_t frag_size;
    uint32_t readers;
    struct {
        uint64_t written;  //  Bit n % 64: fragment N is there
        uint8_t *data;
    } page [PAGES];
};

struct fuota_sim_shelf {
    size_t size;
    fuota_sim_book_t *bucket [BUCKETS];
};

fuota_sim_shelf_t *
fuota_sim_shelf_new (void)
{
    return calloc (1, sizeof (fuota_sim_shelf_t));
}

static void
s_destroy (fuota_sim_shelf_t *shelf, fuota_sim_book_t *book)
{
    for (size_t i = 0; i < PAGES; i++)
        if (book->page [i].data) {
            shelf->size -= (size_t) PAGE * book->frag_size;
            free (book->page [i].data);
        }
    free (book);
}

void
fuota_sim_shelf_destroy (fuota_sim_shelf_t **self_p)
{
    fuota_sim_shelf_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        while (self->bucket [i]) {
            fuota_sim_book_t *book = self->bucket [i];
            self->bucket [i] = book->next;
            s_destroy (self, book);
        }
    free (self);
    *self_p = NULL;
}

size_t
fuota_sim_shelf_size (const fuota_sim_shelf_t *self)
{
    return self->size;
}

fuota_sim_book_t *
fuota_sim_book_open (fuota_sim_shelf_t *shelf, uint64_t key, uint8_t frag_size)
{
    fuota_sim_book_t **bucket = &shelf->bucket [key % BUCKETS];
    fuota_sim_book_t *self = *bucket;
    while (self && (self->key != key || self->frag_size != frag_size))
        self = self->next;
    if (!self) {
        self = calloc (1, sizeof *self);
        if (!self)
            return NULL;
        self->key = key;
        self->frag_size = frag_size;
        self->next = *bucket;
        *bucket = self;
    }
    self->readers++;
    return self;
}

void
fuota_sim_book_close (fuota_sim_shelf_t *shelf, fuota_sim_book_t **book_p)
{
    fuota_sim_book_t *self = *book_p;
    *book_p = NULL;
    if (!self || --self->readers > 0)
        return;
    fuota_sim_book_t **link = &shelf->bucket [self->key % BUCKETS];
    while (*link != self)
        link = &(*link)->next;
    *link = self->next;
    s_destroy (shelf, self);
}

bool
fuota_sim_book_put (fuota_sim_shelf_t *shelf, fuota_sim_book_t *self,
    uint32_t n, const uint8_t *data)
{
    const uint8_t *old = fuota_sim_book_get (self, n);
    if (old)
        return memcmp (old, data, self->frag_size) == 0;
    if (n >= PAGE * PAGES)
        return false;
    size_t page = n / PAGE;
    if (!self->page [page].data) {
        size_t size = (size_t) PAGE * self->frag_size;
        self->page [page].data = malloc (size);
        if (!self->page [page].data)
            return false;
        shelf->size += size;
    }
    memcpy (self->page [page].data + n % PAGE * self->frag_size, data,
        self->frag_size);
    self->page [page].written |= (uint64_t) 1 << n % PAGE;
    return true;
}

const uint8_t *
fuota_sim_book_get (const fuota_sim_book_t *self, uint32_t n)
{
    size_t page = n / PAGE;
    if (page >= PAGES || !(self->page [page].written >> n % PAGE & 1))
        return NULL;
    return self->page [page].data + n % PAGE * self->frag_size;
}
