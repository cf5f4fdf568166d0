//  SPDX-License-Identifier: MIT
//
//  Who hears what is sent to a group. For each group address the devices that
//  know it are listed, so that a frame costs no more than its hearers.

#include <stdlib.h>
#include "broker/host/sim_network.h"
#include "broker/host/sim_radio.h"

//  Place of an address among the sorted ones.
static uint32_t
s_place (const fuota_sim_t *self, uint32_t mc_addr)
{
    uint32_t low = 0, high = self->airs;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (self->air [middle].mc_addr < mc_addr)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static fuota_sim_air_t *
s_find (const fuota_sim_t *self, uint32_t mc_addr)
{
    uint32_t place = s_place (self, mc_addr);
    bool found = place < self->airs && self->air [place].mc_addr == mc_addr;
    return found ? &self->air [place] : NULL;
}

static fuota_sim_air_t *
s_add (fuota_sim_t *self, uint32_t mc_addr)
{
    if (self->airs == self->airs_room) {
        uint32_t room = self->airs_room ? 2 * self->airs_room : 16;
        fuota_sim_air_t *grown = realloc (self->air, room * sizeof *grown);
        if (!grown)
            return NULL;
        self->air = grown;
        self->airs_room = room;
    }
    uint32_t place = s_place (self, mc_addr);
    fuota_sim_air_t *air = &self->air [place];
    memmove (air + 1, air, (self->airs - place) * sizeof *air);
    self->airs++;
    *air = (fuota_sim_air_t){ .mc_addr = mc_addr };
    return air;
}

//  False if there is no memory; the device hears nothing then.
static bool
s_list (fuota_sim_air_t *air, uint32_t i)
{
    for (uint32_t k = 0; k < air->count; k++)
        if (air->device [k] == i)
            return true;
    if (air->count == air->room) {
        uint32_t room = air->room ? 2 * air->room : 4;
        uint32_t *grown = realloc (air->device, room * sizeof *grown);
        if (!grown)
            return false;
        air->device = grown;
        air->room = room;
    }
    air->device [air->count++] = i;
    return true;
}

void
fuota_sim_air_update (fuota_sim_t *self, uint32_t i)
{
    for (size_t id = 0; id < 4; id++) {
        fuota_sim_context_t *context = self->node [i].device.context [id];
        if (!context)
            continue;
        fuota_sim_air_t *air = s_find (self, context->mc_addr);
        if (!air)
            air = s_add (self, context->mc_addr);
        if (air && !context->listed)
            context->listed = s_list (air, i);
        if (air && context->session && context->start > air->session)
            air->session = context->start;
    }
}

int64_t
fuota_sim_air_session (const fuota_sim_t *self, uint32_t mc_addr)
{
    const fuota_sim_air_t *air = s_find (self, mc_addr);
    return air ? air->session : 0;
}

static bool
s_knows (const fuota_sim_device_t *device, uint32_t mc_addr)
{
    for (size_t id = 0; id < 4; id++)
        if (device->context [id] && device->context [id]->mc_addr == mc_addr)
            return true;
    return false;
}

//  Devices are in reach of two neighbouring gateways (see s_gateways in
//  sim_unicast.c). A group without gateways has those the host finds: all.
static bool
s_reached (const fuota_sim_t *self, const fuota_sim_group_t *group,
    const fuota_sim_device_t *device)
{
    uint32_t gateways = self->world.config.gateways;
    uint64_t home = device->dev_eui % gateways;
    for (size_t i = 0; i < group->gateways_count; i++)
        if (group->gateways [i] == 1 + home ||
            group->gateways [i] == 1 + (home + 1) % gateways)
            return true;
    return group->gateways_count == 0;
}

//  Returns whether the device listened, if it heard the frame or not.
static bool
s_hear (fuota_sim_t *self, uint32_t i, const fuota_sim_group_t *group,
    const fuota_sim_cast_t *cast)
{
    fuota_sim_device_t *device = &self->node [i].device;
    int id = fuota_sim_device_listens (device, cast, self->now);
    if (device->dead || id < 0 || !s_reached (self, group, device))
        return false;
    if (!fuota_sim_radio_loses (&self->world.config, &device->chance,
            &device->fading)) {
        fuota_sim_device_cast (device, id, cast, self->now);
        fuota_sim_wake (self, i);
    }
    return true;
}

void
fuota_sim_air_send (fuota_sim_t *self, const fuota_sim_group_t *group,
    const fuota_sim_item_t *item)
{
    fuota_sim_cast_t cast = { .mc_addr = group->mc_addr,
        .app_s_key = group->app_s_key,
        .nwk_s_key = group->nwk_s_key,
        .type = group->type,
        .dr = group->dr,
        .periodicity = group->periodicity,
        .frequency = group->frequency,
        .f_cnt = item->f_cnt,
        .f_port = item->f_port,
        .data = { item->data, item->size } };
    fuota_sim_air_t *air = s_find (self, group->mc_addr);
    uint32_t listened = 0, kept = 0;
    for (uint32_t k = 0; air && k < air->count; k++) {
        uint32_t i = air->device [k];
        if (!s_knows (&self->node [i].device, group->mc_addr))
            continue;
        air->device [kept++] = i;
        listened += s_hear (self, i, group, &cast);
    }
    if (air)
        air->count = kept;
    if (item->index >= 0) {
        self->stats.on_air++;
        self->stats.outside += listened == 0;
    }
}
