//  SPDX-License-Identifier: MIT

#include <assert.h>
#include <stdlib.h>
#include "broker/outbox_private.h"

static uint32_t
s_mix (uint64_t value)
{
    value *= 0x9e3779b97f4a7c15u;
    return (uint32_t) (value >> 32);
}

//  Memory for the index is the engine's own: without it rows would be
//  forgotten until a restart, so stop here.
void *
fuota_outbox_resize (void *memory, size_t count, size_t size)
{
    memory = realloc (memory, count * size);
    assert (memory);
    return memory;
}

static uint32_t *
s_buckets (uint32_t *old, uint32_t room)
{
    free (old);
    uint32_t *buckets = fuota_outbox_resize (NULL, room, sizeof *buckets);
    memset (buckets, 0xff, room * sizeof *buckets);
    return buckets;
}

static void
s_grow_entries (fuota_outbox_t *self)
{
    uint32_t room = self->entry_room ? self->entry_room * 2 : 256;
    self->entries =
        fuota_outbox_resize (self->entries, room, sizeof *self->entries);
    self->entry_room = room;
    self->entry_buckets = s_buckets (self->entry_buckets, room);
    self->entry_mask = room - 1;
    for (uint32_t i = 0; i < self->entry_count; i++)
        if (self->entries [i].state != FUOTA_OUTBOX_FREE) {
            uint32_t at = s_mix (self->entries [i].row) & self->entry_mask;
            self->entries [i].bucket = self->entry_buckets [at];
            self->entry_buckets [at] = i;
        }
}

static void
s_grow_targets (fuota_outbox_t *self)
{
    uint32_t room = self->target_room ? self->target_room * 2 : 256;
    self->targets =
        fuota_outbox_resize (self->targets, room, sizeof *self->targets);
    self->target_room = room;
    self->target_buckets = s_buckets (self->target_buckets, room);
    self->target_mask = room - 1;
    for (uint32_t i = 0; i < self->target_count; i++)
        if (self->targets [i].head != FUOTA_OUTBOX_NONE) {
            uint32_t at = s_mix (self->targets [i].key) & self->target_mask;
            self->targets [i].bucket = self->target_buckets [at];
            self->target_buckets [at] = i;
        }
}

uint32_t
fuota_outbox_find (const fuota_outbox_t *self, unsigned owner, uint64_t row)
{
    if (!self->entry_room)
        return FUOTA_OUTBOX_NONE;
    uint32_t at = self->entry_buckets [s_mix (row) & self->entry_mask];
    while (at != FUOTA_OUTBOX_NONE &&
           (self->entries [at].row != row || self->entries [at].owner != owner))
        at = self->entries [at].bucket;
    return at;
}

uint32_t
fuota_outbox_target (const fuota_outbox_t *self, uint64_t key)
{
    if (!self->target_room)
        return FUOTA_OUTBOX_NONE;
    uint32_t at = self->target_buckets [s_mix (key) & self->target_mask];
    while (at != FUOTA_OUTBOX_NONE && self->targets [at].key != key)
        at = self->targets [at].bucket;
    return at;
}

static uint32_t
s_new_target (fuota_outbox_t *self, uint64_t key)
{
    uint32_t at = self->target_free;
    if (at != FUOTA_OUTBOX_NONE)
        self->target_free = self->targets [at].tail;
    else {
        if (self->target_count == self->target_room)
            s_grow_targets (self);
        at = self->target_count++;
    }
    uint32_t bucket = s_mix (key) & self->target_mask;
    self->targets [at] = (fuota_outbox_target_t){ .key = key,
        .head = FUOTA_OUTBOX_NONE,
        .tail = FUOTA_OUTBOX_NONE,
        .bucket = self->target_buckets [bucket] };
    self->target_buckets [bucket] = at;
    return at;
}

static void
s_free_target (fuota_outbox_t *self, uint32_t at)
{
    uint32_t *link = &self->target_buckets [s_mix (self->targets [at].key) &
                                            self->target_mask];
    while (*link != at)
        link = &self->targets [*link].bucket;
    *link = self->targets [at].bucket;
    self->targets [at].tail = self->target_free;
    self->target_free = at;
}

void
fuota_outbox_wake_at (fuota_outbox_t *self, uint32_t at, int64_t due)
{
    fuota_deadline_entry_t entry = { .at = due,
        .subject = self->entries [at].row,
        .context = at };
    self->entries [at].due = due;
    int rc = fuota_deadline_put (&self->deadlines, entry);
    assert (rc == 0);
    (void) rc;
}

//  In its target's line. Rows of two owners found at start go by their time:
//  the first may be at the host already, the others are not.
static void
s_line_up (fuota_outbox_t *self, uint32_t at)
{
    fuota_outbox_entry_t *entry = &self->entries [at];
    uint32_t place = fuota_outbox_target (self, entry->target);
    if (place == FUOTA_OUTBOX_NONE)
        place = s_new_target (self, entry->target);
    fuota_outbox_target_t *target = &self->targets [place];
    uint32_t *link = &target->head;
    if (self->started && *link != FUOTA_OUTBOX_NONE)
        link = &self->entries [target->tail].next;
    while (*link != FUOTA_OUTBOX_NONE &&
           self->entries [*link].created <= entry->created)
        link = &self->entries [*link].next;
    entry->next = *link;
    *link = at;
    if (entry->next == FUOTA_OUTBOX_NONE)
        target->tail = at;
    if (target->head == at)
        fuota_outbox_wake_at (self, at,
            self->now + (entry->uncertain ? FUOTA_OUTBOX_GRACE : 0));
}

//  Where a row waits in line. Calls that transmit nothing have a line each.
static uint64_t
s_target_of (const fuota_row_t *row, unsigned owner, uint64_t number)
{
    if (row->kind == FUOTA_UNICAST)
        return row->dev_eui;
    if (row->kind == FUOTA_KEYS || row->kind == FUOTA_TAGS)
        return number << 2 | owner | 1ull << 63;
    uint64_t key =
        fuota_be (row->deployment, 8) ^ fuota_be (row->deployment + 8, 8);
    return key | 3ull << 62;
}

void
fuota_outbox_add (fuota_outbox_t *self, unsigned owner, uint64_t number,
    const fuota_row_t *row)
{
    uint32_t at = self->entry_free;
    if (at != FUOTA_OUTBOX_NONE)
        self->entry_free = self->entries [at].next;
    else {
        if (self->entry_count == self->entry_room)
            s_grow_entries (self);
        at = self->entry_count++;
    }
    uint32_t bucket = s_mix (number) & self->entry_mask;
    self->entries [at] = (fuota_outbox_entry_t){ .row = number,
        .target = s_target_of (row, owner, number),
        .created = row->created,
        .expires_at = row->expires_at,
        .next = FUOTA_OUTBOX_NONE,
        .bucket = self->entry_buckets [bucket],
        .owner = (uint8_t) owner,
        .kind = (uint8_t) row->kind,
        //  Withdrawn in an earlier life: it may be in the device's queue
        .state = row->withdrawn ? FUOTA_OUTBOX_TAKEN : FUOTA_OUTBOX_WAITING,
        .perhaps = !self->started,
        .uncertain = !self->started && row->kind == FUOTA_FRAGMENT };
    self->entry_buckets [bucket] = at;
    self->stats.rows++;
    self->stats.open++;
    s_line_up (self, at);
}

//  The entry is done with; the next in its line may go.
void
fuota_outbox_remove (fuota_outbox_t *self, uint32_t at)
{
    fuota_outbox_entry_t *entry = &self->entries [at];
    uint32_t place = fuota_outbox_target (self, entry->target);
    fuota_outbox_target_t *target = &self->targets [place];
    uint32_t before = FUOTA_OUTBOX_NONE;
    for (uint32_t i = target->head; i != at; i = self->entries [i].next)
        before = i;
    if (before == FUOTA_OUTBOX_NONE)
        target->head = entry->next;
    else
        self->entries [before].next = entry->next;
    if (target->tail == at)
        target->tail = before;
    if (target->head == FUOTA_OUTBOX_NONE)
        s_free_target (self, place);
    else if (before == FUOTA_OUTBOX_NONE)
        fuota_outbox_wake_at (self, target->head, self->now);
    uint32_t *link =
        &self->entry_buckets [s_mix (entry->row) & self->entry_mask];
    while (*link != at)
        link = &self->entries [*link].bucket;
    *link = entry->bucket;
    if (entry->state == FUOTA_OUTBOX_HANDED)
        self->in_flight--;
    entry->state = FUOTA_OUTBOX_FREE;
    entry->next = self->entry_free;
    self->entry_free = at;
    self->stats.open--;
}
