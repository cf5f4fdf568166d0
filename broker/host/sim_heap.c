//  SPDX-License-Identifier: MIT

#include "broker/host/sim_heap.h"

#include <stdlib.h>

void
fuota_sim_heap_release (fuota_sim_heap_t *self)
{
    free (self->due);
    self->due = NULL;
    self->count = self->room = 0;
}

static bool
s_before (const fuota_sim_due_t *a, const fuota_sim_due_t *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static bool
s_grow (fuota_sim_heap_t *self)
{
    size_t room = self->room ? 2 * self->room : 64;
    fuota_sim_due_t *grown = realloc (self->due, room * sizeof *grown);
    if (!grown)
        return false;
    self->due = grown;
    self->room = room;
    return true;
}

bool
fuota_sim_heap_put (fuota_sim_heap_t *self, int64_t at, uint32_t kind,
    uint32_t index, void *thing)
{
    if (self->count == self->room && !s_grow (self))
        return false;
    fuota_sim_due_t fresh = { at, self->order++, kind, index, thing };
    size_t hole = self->count++;
    while (hole > 0 && s_before (&fresh, &self->due [(hole - 1) / 2])) {
        self->due [hole] = self->due [(hole - 1) / 2];
        hole = (hole - 1) / 2;
    }
    self->due [hole] = fresh;
    return true;
}

bool
fuota_sim_heap_take (fuota_sim_heap_t *self, int64_t before,
    fuota_sim_due_t *due)
{
    if (self->count == 0 || self->due [0].at >= before)
        return false;
    *due = self->due [0];
    fuota_sim_due_t last = self->due [--self->count];
    size_t hole = 0;
    for (;;) {
        size_t child = 2 * hole + 1;
        if (child >= self->count)
            break;
        if (child + 1 < self->count &&
            s_before (&self->due [child + 1], &self->due [child]))
            child++;
        if (s_before (&last, &self->due [child]))
            break;
        self->due [hole] = self->due [child];
        hole = child;
    }
    self->due [hole] = last;
    return true;
}

int64_t
fuota_sim_heap_at (const fuota_sim_heap_t *self)
{
    return self->count > 0 ? self->due [0].at : INT64_MAX;
}
