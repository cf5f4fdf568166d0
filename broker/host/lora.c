//  SPDX-License-Identifier: MIT
//
//  Parts: life; what is due; uplinks; emissions; the doors.

#include "broker/host/lora.h"

#include <stdlib.h>
#include "broker/host/sim_fifo.h"
#include "broker/host/sim_heap.h"
#include "broker/host/sim_radio.h"
#include "workers/package/gpstime.h"
#include "workers/package/mckey.h"

#define FIRST_STATS 2000  //  The connection is there by then

enum { DUE_DEVICE, DUE_UPLINK, DUE_BEGIN, DUE_END, DUE_STATS };

typedef struct {
    fuota_lora_device_t device;
    uint64_t up, down;  //  Chance of losses, each way its own
    bool fading;
    uint32_t first;  //  Of the gateways in reach
    int64_t wake_at;
} s_node_t;

//  A frame of a gateway, from its first symbol to its last
typedef struct {
    fuota_lora_emission_t frame;
    uint32_t gateway;
    uint32_t number;
} s_air_t;

struct fuota_lora {
    fuota_lora_config_t config;
    fuota_lora_world_t world;
    fuota_lora_stats_t stats;
    s_node_t *node;
    fuota_lora_gateway_t *gateway;
    fuota_sim_heap_t heap;
    fuota_sim_fifo_t said;
    uint32_t frames;
    int64_t now;
};

//  ---------------------------------------------------------------------
//  Life

void
fuota_lora_defaults (fuota_lora_config_t *config)
{
    *config = (fuota_lora_config_t){ .region = "EU868",
        .first_gateway = 0x0016c001f1500001,
        .v11 = 500,
        .abp_rx1_delay = 1,
        .adr = 1,
        .dr = 5,
        .sub_band = 2,
        .reach = 2 };
}

static bool
s_world (fuota_lora_t *self, const fuota_sim_config_t *sim, int64_t now)
{
    fuota_lora_radio_t radio;
    uint8_t max_n;
    const fuota_lora_config_t *config = &self->config;
    fuota_lora_world_t *world = &self->world;
    world->world.config = *sim;
    world->world.born = now;
    int64_t second = now / 1000;
    world->world.gps_minus_utc =
        (fuota_gpstime_from_utc (second * 1000, 0) - second) * 1000;
    if (world->world.config.gateways == 0)
        world->world.config.gateways = 1;
    if (world->world.config.uplink_interval == 0)
        world->world.config.uplink_interval = 600000;
    world->world.shelf = fuota_sim_shelf_new ();
    world->plan = fuota_lora_plan_find (config->region);
    world->join_eui = config->join_eui;
    world->v11 = config->v11;
    world->abp = config->abp;
    world->abp_rx1_delay = (uint8_t) config->abp_rx1_delay;
    world->adr = config->adr;
    world->dr = (uint8_t) config->dr;
    world->sub_band = (uint8_t) config->sub_band;
    world->dev_nonce = (uint16_t) config->dev_nonce;
    return world->world.shelf && world->plan &&
           fuota_lora_plan_up (world->plan, config->dr, &radio, &max_n);
}

static void
s_wake (fuota_lora_t *self, uint32_t i)
{
    s_node_t *node = &self->node [i];
    int64_t due = fuota_lora_device_due (&node->device);
    if (due < node->wake_at &&
        fuota_sim_heap_put (&self->heap, due, DUE_DEVICE, i, NULL))
        node->wake_at = due;
}

static void
s_begin_all (fuota_lora_t *self)
{
    const fuota_sim_config_t *sim = &self->world.world.config;
    for (uint32_t i = 0; i < sim->gateways; i++) {
        fuota_lora_gateway_init (&self->gateway [i], &self->world, i,
            self->config.first_gateway + i);
        fuota_sim_heap_put (&self->heap, self->now + FIRST_STATS, DUE_STATS, i,
            NULL);
    }
    for (uint32_t i = 0; i < sim->devices; i++) {
        s_node_t *node = &self->node [i];
        fuota_lora_device_init (&node->device, &self->world,
            &self->stats.devices, i);
        node->up = node->device.chance ^ 0x75702d6c6f7373;
        node->down = node->device.chance ^ 0x646f776e6c6f7373;
        node->first = fuota_sim_radio_below (&node->up, sim->gateways);
        node->fading = node->device.app.fading;
        node->wake_at = INT64_MAX;
        s_wake (self, i);
    }
}

fuota_lora_t *
fuota_lora_new (const fuota_lora_config_t *config,
    const fuota_sim_config_t *sim, int64_t now)
{
    fuota_lora_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->config = *config;
    self->now = now;
    self->said.size = sizeof (fuota_lora_message_t);
    bool good = s_world (self, sim, now);
    const fuota_sim_config_t *world = &self->world.world.config;
    self->gateway = calloc (world->gateways, sizeof *self->gateway);
    self->node =
        calloc (world->devices ? world->devices : 1, sizeof *self->node);
    if (!good || !self->gateway || !self->node)
        fuota_lora_destroy (&self);
    else
        s_begin_all (self);
    return self;
}

void
fuota_lora_destroy (fuota_lora_t **self_p)
{
    fuota_lora_t *self = *self_p;
    if (!self)
        return;
    for (uint32_t i = 0; self->node && i < self->world.world.config.devices;
         i++)
        fuota_lora_device_release (&self->node [i].device);
    for (size_t i = 0; i < self->heap.count; i++)
        free (self->heap.due [i].thing);
    fuota_sim_heap_release (&self->heap);
    fuota_sim_fifo_release (&self->said);
    fuota_sim_shelf_destroy (&self->world.world.shelf);
    free (self->node);
    free (self->gateway);
    free (self);
    *self_p = NULL;
}

//  ---------------------------------------------------------------------
//  Uplinks

static bool
s_in_reach (const fuota_lora_t *self, const s_node_t *node, uint32_t gateway)
{
    uint32_t count = self->world.world.config.gateways;
    return (gateway + count - node->first) % count < self->config.reach;
}

//  A copy that the heap keeps until it is whole. What has no memory is lost.
static void
s_put (fuota_lora_t *self, int64_t at, uint32_t kind, uint32_t index,
    const void *thing, size_t size)
{
    void *copy = malloc (size);
    if (!copy)
        return;
    memcpy (copy, thing, size);
    if (!fuota_sim_heap_put (&self->heap, at, kind, index, copy))
        free (copy);
}

static void
s_device (fuota_lora_t *self, uint32_t i, int64_t at)
{
    s_node_t *node = &self->node [i];
    fuota_lora_uplink_t frame;
    if (at != node->wake_at)
        return;  //  One that was overtaken
    node->wake_at = INT64_MAX;
    if (fuota_lora_device_send (&node->device, at, &frame))
        s_put (self, frame.end, DUE_UPLINK, i, &frame, sizeof frame);
    s_wake (self, i);
}

static void
s_uplink (fuota_lora_t *self, uint32_t i, const fuota_lora_uplink_t *frame)
{
    s_node_t *node = &self->node [i];
    fuota_lora_message_t message;
    const fuota_sim_config_t *sim = &self->world.world.config;
    for (uint32_t g = 0; g < sim->gateways; g++) {
        if (!s_in_reach (self, node, g))
            continue;
        if (fuota_sim_radio_hits (&node->up, sim->unicast_loss))
            self->stats.lost_up++;
        else if (fuota_lora_gateway_hear (&self->gateway [g], frame, &message))
            fuota_sim_fifo_put (&self->said, &message);
    }
}

//  ---------------------------------------------------------------------
//  Emissions

static bool
s_lost (fuota_lora_t *self, s_node_t *node, fuota_lora_tuned_t how)
{
    const fuota_sim_config_t *sim = &self->world.world.config;
    bool lost = how == FUOTA_LORA_GROUP
                    ? fuota_sim_radio_loses (sim, &node->down, &node->fading)
                    : fuota_sim_radio_hits (&node->down, sim->unicast_loss);
    self->stats.lost_down += lost;
    return lost;
}

//  Who is tuned to it receives it, unless it is receiving something else; a
//  class A window has precedence over a group.
static void
s_begin (fuota_lora_t *self, s_air_t *air)
{
    const fuota_lora_emission_t *frame = &air->frame;
    uint32_t tuned = 0;
    for (uint32_t i = 0; i < self->world.world.config.devices; i++) {
        fuota_lora_device_t *device = &self->node [i].device;
        if (!s_in_reach (self, &self->node [i], air->gateway))
            continue;
        fuota_lora_tuned_t how =
            fuota_lora_device_tuned (device, &frame->radio, frame->start);
        if (how == FUOTA_LORA_DEAF)
            continue;
        tuned++;
        if ((device->receiving && how != FUOTA_LORA_CLASS_A) ||
            s_lost (self, &self->node [i], how))
            continue;
        device->receiving = air->number;
        if (device->busy_until < frame->end)
            device->busy_until = frame->end;
    }
    self->stats.unheard += tuned == 0;
    s_put (self, frame->end, DUE_END, 0, air, sizeof *air);
}

static void
s_end (fuota_lora_t *self, const s_air_t *air)
{
    fuota_lora_cast_t cast = { .used = false };
    const fuota_lora_emission_t *frame = &air->frame;
    for (uint32_t i = 0; i < self->world.world.config.devices; i++) {
        fuota_lora_device_t *device = &self->node [i].device;
        if (device->receiving != air->number)
            continue;
        device->receiving = 0;
        fuota_lora_device_hear (device, &frame->radio,
            fuota_slice (frame->bytes, frame->size), frame->start, frame->end,
            &cast);
        s_wake (self, i);
    }
    fuota_mckey_wipe (&cast, sizeof cast);
}

void
fuota_lora_hear (fuota_lora_t *self, uint32_t gateway, fuota_slice_t body,
    int64_t now)
{
    fuota_lora_message_t ack;
    s_air_t air = { .gateway = gateway };
    bool queued;
    if (gateway >= self->world.world.config.gateways ||
        fuota_lora_gateway_command (&self->gateway [gateway], body, now, &ack,
            &air.frame, &queued))
        return;
    fuota_sim_fifo_put (&self->said, &ack);
    if (!queued)
        return;
    air.number = ++self->frames ? self->frames : ++self->frames;
    s_put (self, air.frame.start, DUE_BEGIN, 0, &air, sizeof air);
}

//  ---------------------------------------------------------------------
//  What is due, and the doors

static void
s_stats (fuota_lora_t *self, uint32_t gateway, int64_t at)
{
    fuota_lora_message_t message;
    fuota_lora_gateway_report (&self->gateway [gateway], at, &message);
    fuota_sim_fifo_put (&self->said, &message);
    fuota_sim_heap_put (&self->heap, self->gateway [gateway].stats_at,
        DUE_STATS, gateway, NULL);
}

void
fuota_lora_tick (fuota_lora_t *self, int64_t now)
{
    fuota_sim_due_t due;
    while (fuota_sim_heap_take (&self->heap, now + 1, &due)) {
        if (due.at > self->now)
            self->now = due.at;
        if (due.kind == DUE_DEVICE)
            s_device (self, due.index, due.at);
        else if (due.kind == DUE_UPLINK)
            s_uplink (self, due.index, due.thing);
        else if (due.kind == DUE_BEGIN)
            s_begin (self, due.thing);
        else if (due.kind == DUE_END)
            s_end (self, due.thing);
        else
            s_stats (self, due.index, due.at);
        free (due.thing);
    }
    if (now > self->now)
        self->now = now;
}

int64_t
fuota_lora_due (const fuota_lora_t *self)
{
    return fuota_sim_heap_at (&self->heap);
}

bool
fuota_lora_say (fuota_lora_t *self, fuota_lora_message_t *message)
{
    return fuota_sim_fifo_take (&self->said, message);
}

void
fuota_lora_state (const fuota_lora_t *self, uint32_t gateway, bool online,
    fuota_lora_message_t *message)
{
    fuota_lora_gateway_state (&self->gateway [gateway], online, message);
}

uint32_t
fuota_lora_gateways (const fuota_lora_t *self)
{
    return self->world.world.config.gateways;
}

uint64_t
fuota_lora_gateway_eui (const fuota_lora_t *self, uint32_t gateway)
{
    return self->gateway [gateway].eui;
}

void
fuota_lora_stats (const fuota_lora_t *self, fuota_lora_stats_t *stats)
{
    *stats = self->stats;
    for (uint32_t g = 0; g < self->world.world.config.gateways; g++) {
        const fuota_lora_gateway_stats_t *one = &self->gateway [g].stats;
        stats->gateways.received += one->received;
        stats->gateways.commands += one->commands;
        stats->gateways.emitted += one->emitted;
        stats->gateways.malformed += one->malformed;
        for (unsigned i = 0; i < FUOTA_LORA_STATUSES; i++)
            stats->gateways.status [i] += one->status [i];
    }
    for (uint32_t i = 0; i < self->world.world.config.devices; i++)
        stats->repeated += self->node [i].device.app.repeated;
}

uint32_t
fuota_lora_count (const fuota_lora_t *self)
{
    return self->world.world.config.devices;
}

void
fuota_lora_view (const fuota_lora_t *self, uint32_t i, fuota_sim_view_t *view)
{
    fuota_sim_device_view (&self->node [i].device.app, view);
}

const fuota_lora_device_t *
fuota_lora_device (const fuota_lora_t *self, uint32_t i)
{
    return &self->node [i].device;
}
