//  SPDX-License-Identifier: MIT

#include <stdlib.h>
#include "schema/error.h"
#include "workers/deadline.h"

void
fuota_deadline_release (fuota_deadline_t *self)
{
    free (self->heap);
    *self = (fuota_deadline_t){ 0 };
}

static bool
s_before (const fuota_deadline_entry_t *a, const fuota_deadline_entry_t *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

int
fuota_deadline_put (fuota_deadline_t *self, fuota_deadline_entry_t entry)
{
    if (self->count == self->room) {
        size_t room = self->room ? self->room * 2 : 64;
        void *heap = realloc (self->heap, room * sizeof *self->heap);
        if (!heap)
            return FUOTA_EFULL;
        self->heap = heap;
        self->room = room;
    }
    entry.order = self->order++;
    size_t at = self->count++;
    for (; at > 0; at = (at - 1) / 2) {
        if (!s_before (&entry, &self->heap [(at - 1) / 2]))
            break;
        self->heap [at] = self->heap [(at - 1) / 2];
    }
    self->heap [at] = entry;
    return 0;
}

bool
fuota_deadline_take (fuota_deadline_t *self, int64_t now,
    fuota_deadline_entry_t *entry)
{
    if (!self->count || self->heap [0].at > now)
        return false;
    *entry = self->heap [0];
    fuota_deadline_entry_t last = self->heap [--self->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= self->count)
            break;
        if (child + 1 < self->count &&
            s_before (&self->heap [child + 1], &self->heap [child]))
            child++;
        if (!s_before (&self->heap [child], &last))
            break;
        self->heap [at] = self->heap [child];
        at = child;
    }
    if (self->count)
        self->heap [at] = last;
    return true;
}

int64_t
fuota_deadline_due (const fuota_deadline_t *self)
{
    return self->count ? self->heap [0].at : INT64_MAX;
}
