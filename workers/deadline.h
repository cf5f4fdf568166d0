//  SPDX-License-Identifier: MIT
//
//  deadline - a heap of wake times; equal times keep their order.
//
//  Times only wake: what is due is decided by the record. So an entry is
//  never searched or removed; one that is out of date is dropped when its
//  time comes and the record says otherwise.

#ifndef FUOTA_DEADLINE_H
#define FUOTA_DEADLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    int64_t at;        //  UTC milliseconds
    uint64_t order;    //  Set by put
    uint64_t subject;  //  What to wake: its owner knows
    uint32_t context;
    uint8_t force;  //  Not 0: wake it whatever its record says; why, its owner
                    //  knows
} fuota_deadline_entry_t;

typedef struct {
    fuota_deadline_entry_t *heap;
    size_t count, room;
    uint64_t order;
} fuota_deadline_t;

//  An empty heap is all zero. Release its memory; it is empty again.
void fuota_deadline_release (fuota_deadline_t *self);

//  Add an entry. Returns 0, or FUOTA_EFULL if there is no memory.
int fuota_deadline_put (fuota_deadline_t *self, fuota_deadline_entry_t entry);

//  Take the first entry if its time is now or before. False if none is.
bool fuota_deadline_take (fuota_deadline_t *self, int64_t now,
    fuota_deadline_entry_t *entry);

//  Time of the first entry, INT64_MAX if there is none.
int64_t fuota_deadline_due (const fuota_deadline_t *self);

#endif
