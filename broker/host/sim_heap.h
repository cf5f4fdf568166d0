//  SPDX-License-Identifier: MIT
//
//  sim_heap - what is due in the simulated network, earliest first; equal
//  times in the order in which they were put in.

#ifndef FUOTA_SIM_HEAP_H
#define FUOTA_SIM_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    int64_t at;
    uint64_t order;
    uint32_t kind;
    uint32_t index;
    void *thing;  //  Its meaning and its owner are the caller's affair
} fuota_sim_due_t;

typedef struct {
    fuota_sim_due_t *due;
    size_t count;
    size_t room;
    uint64_t order;
} fuota_sim_heap_t;

void fuota_sim_heap_release (fuota_sim_heap_t *self);

//  Put something in. False if there is no memory; nothing has changed then.
bool fuota_sim_heap_put (fuota_sim_heap_t *self, int64_t at, uint32_t kind,
    uint32_t index, void *thing);

//  Take the first out if it is due before that time. False if none is.
bool fuota_sim_heap_take (fuota_sim_heap_t *self, int64_t before,
    fuota_sim_due_t *due);

//  Time of the first, INT64_MAX if there is none.
int64_t fuota_sim_heap_at (const fuota_sim_heap_t *self);

#endif
