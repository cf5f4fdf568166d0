//  SPDX-License-Identifier: MIT
//
//  sim_fifo - a queue of equal things, copied in and out; it grows as needed.

#ifndef FUOTA_SIM_FIFO_H
#define FUOTA_SIM_FIFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    size_t size;  //  Of one thing
    uint8_t *data;
    size_t room;
    size_t first;
    size_t count;
} fuota_sim_fifo_t;

void fuota_sim_fifo_release (fuota_sim_fifo_t *self);

//  False if there is no memory; nothing has changed then.
bool fuota_sim_fifo_put (fuota_sim_fifo_t *self, const void *thing);

//  False if there is nothing.
bool fuota_sim_fifo_take (fuota_sim_fifo_t *self, void *thing);

#endif
