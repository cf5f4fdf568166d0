//  SPDX-License-Identifier: MIT

#include "broker/host/sim_fifo.h"

#include <stdlib.h>
#include <string.h>

void
fuota_sim_fifo_release (fuota_sim_fifo_t *self)
{
    free (self->data);
    self->data = NULL;
    self->room = self->first = self->count = 0;
}

static uint8_t *
s_place (const fuota_sim_fifo_t *self, size_t i)
{
    return self->data + (self->first + i) % self->room * self->size;
}

static bool
s_grow (fuota_sim_fifo_t *self)
{
    size_t room = self->room ? 2 * self->room : 16;
    uint8_t *grown = malloc (room * self->size);
    if (!grown)
        return false;
    for (size_t i = 0; i < self->count; i++)
        memcpy (grown + i * self->size, s_place (self, i), self->size);
    free (self->data);
    self->data = grown;
    self->room = room;
    self->first = 0;
    return true;
}

bool
fuota_sim_fifo_put (fuota_sim_fifo_t *self, const void *thing)
{
    if (self->count == self->room && !s_grow (self))
        return false;
    memcpy (s_place (self, self->count), thing, self->size);
    self->count++;
    return true;
}

bool
fuota_sim_fifo_take (fuota_sim_fifo_t *self, void *thing)
{
    if (self->count == 0)
        return false;
    memcpy (thing, s_place (self, 0), self->size);
    self->first = (self->first + 1) % self->room;
    self->count--;
    return true;
}
