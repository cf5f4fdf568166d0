//  SPDX-License-Identifier: MIT
//
//  Three parts: the network as a whole, time, calls.

#include "broker/host/sim.h"

#include <stdlib.h>
#include <string.h>
#include "broker/host/sim_network.h"
#include "broker/host/sim_radio.h"
#include "workers/package/gpstime.h"
#include "workers/package/mckey.h"

//  The network as a whole

void
fuota_sim_defaults (fuota_sim_config_t *config)
{
    *config = (fuota_sim_config_t){ .seed = 1,
        .devices = 10,
        .first_eui = 0x70b3d57ed0000001,
        .application = "00000000-0000-4000-8000-000000000001",
        .ts003 = 1,
        .ts004 = 1,
        .ts005 = 1,
        .uplink_interval = 60000,
        .loss = 50,
        .burst = 1,
        .unicast_loss = 10,
        .clock_error = 2000,
        .drift = 20,
        .answer_delay = 2000,
        .gateways = 1,
        .scheduler = 1000 };
}

//  Values nobody can work with get sensible ones.
static void
s_world_init (fuota_sim_world_t *world, const fuota_sim_config_t *config,
    int64_t now)
{
    world->config = *config;
    world->born = now;
    int64_t second = now / 1000;
    world->gps_minus_utc =
        (fuota_gpstime_from_utc (second * 1000, 0) - second) * 1000;
    if (world->config.gateways == 0)
        world->config.gateways = 1;
    if (world->config.scheduler == 0)
        world->config.scheduler = 1000;
    if (world->config.uplink_interval == 0)
        world->config.uplink_interval = 600000;
    world->shelf = fuota_sim_shelf_new ();
}

fuota_sim_t *
fuota_sim_new (const fuota_sim_config_t *config, int64_t now)
{
    fuota_sim_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    s_world_init (&self->world, config, now);
    self->chance = config->seed ^ 0x5eed;
    self->now = now;
    self->events.size = sizeof (fuota_event_t);
    self->outcomes.size = sizeof (fuota_outcome_t);
    uint32_t count = config->devices;
    self->node = calloc (count ? count : 1, sizeof *self->node);
    if (!self->world.shelf || !self->node) {
        self->world.config.devices = 0;
        fuota_sim_destroy (&self);
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        fuota_sim_device_init (&self->node [i].device, &self->world, i);
        self->node [i].wake_at = INT64_MAX;
        fuota_sim_wake (self, i);
    }
    return self;
}

static void
s_node_release (fuota_sim_node_t *node)
{
    fuota_sim_device_release (&node->device);
    while (node->queue) {
        fuota_sim_item_t *item = node->queue;
        node->queue = item->next;
        free (item);
    }
}

void
fuota_sim_destroy (fuota_sim_t **self_p)
{
    fuota_sim_t *self = *self_p;
    if (!self)
        return;
    for (uint32_t i = 0; i < self->world.config.devices; i++)
        s_node_release (&self->node [i]);
    for (uint32_t i = 0; i < self->groups; i++)
        fuota_sim_group_destroy (&self->group [i]);
    for (uint32_t i = 0; i < self->airs; i++)
        free (self->air [i].device);
    for (size_t i = 0; i < self->heap.count; i++)
        free (self->heap.due [i].thing);
    fuota_sim_heap_release (&self->heap);
    fuota_sim_fifo_release (&self->events);
    fuota_sim_fifo_release (&self->outcomes);
    fuota_sim_shelf_destroy (&self->world.shelf);
    free (self->node);
    free (self->group);
    free (self->air);
    free (self);
    *self_p = NULL;
}

uint32_t
fuota_sim_count (const fuota_sim_t *self)
{
    return self->world.config.devices;
}

void
fuota_sim_view (const fuota_sim_t *self, uint32_t i, fuota_sim_view_t *view)
{
    fuota_sim_device_view (&self->node [i].device, view);
}

void
fuota_sim_stats (const fuota_sim_t *self, fuota_sim_stats_t *stats)
{
    *stats = self->stats;
}

//  Time

//  Do what is due before that time.
static void
s_run (fuota_sim_t *self, int64_t before)
{
    fuota_sim_due_t due;
    while (fuota_sim_heap_take (&self->heap, before, &due)) {
        if (due.at > self->now)
            self->now = due.at;
        if (due.kind == FUOTA_SIM_TRANSMIT)
            fuota_sim_group_transmit (self, due.index);
        else if (due.kind == FUOTA_SIM_LATE)
            fuota_sim_fifo_put (&self->events, due.thing);
        else
            fuota_sim_unicast_due (self, &due);
        free (due.thing);
    }
}

void
fuota_sim_tick (fuota_sim_t *self, int64_t now)
{
    s_run (self, now < INT64_MAX ? now + 1 : now);
    if (now > self->now)
        self->now = now;
}

int64_t
fuota_sim_due (const fuota_sim_t *self)
{
    return fuota_sim_heap_at (&self->heap);
}

bool
fuota_sim_event (fuota_sim_t *self, fuota_event_t *event)
{
    return fuota_sim_fifo_take (&self->events, event);
}

bool
fuota_sim_outcome (fuota_sim_t *self, fuota_outcome_t *outcome)
{
    return fuota_sim_fifo_take (&self->outcomes, outcome);
}

//  Calls

void
fuota_sim_reply (fuota_sim_t *self, fuota_outcome_t *outcome, OutcomeKind kind)
{
    outcome->kind = kind;
    outcome->at = self->now;
    if (!self->mute)
        fuota_sim_fifo_put (&self->outcomes, outcome);
}

void
fuota_sim_never (fuota_sim_t *self, fuota_outcome_t *outcome, const char *words)
{
    strncpy (outcome->words, words, sizeof outcome->words - 1);
    fuota_sim_reply (self, outcome, FUOTA_NEVER);
}

void
fuota_sim_tell (fuota_sim_t *self, const fuota_sim_item_t *item,
    OutcomeKind kind)
{
    fuota_outcome_t outcome = item->outcome;
    outcome.kind = kind;
    outcome.at = self->now;
    if (!self->world.config.blind)
        fuota_sim_fifo_put (&self->outcomes, &outcome);
}

fuota_sim_item_t *
fuota_sim_item_new (const fuota_downlink_t *downlink,
    const fuota_outcome_t *outcome)
{
    size_t size = downlink->data.size;
    if (size > sizeof downlink->data.bytes)
        size = sizeof downlink->data.bytes;
    fuota_sim_item_t *self = calloc (1, sizeof *self + size);
    if (!self)
        return NULL;
    self->outcome = *outcome;
    self->expires_at =
        downlink->expires_at > 0 ? downlink->expires_at : INT64_MAX;
    self->index = -1;
    self->f_port = (uint8_t) downlink->f_port;
    self->size = size;
    memcpy (self->data, downlink->data.bytes, size);
    return self;
}

static void
s_keys (fuota_sim_t *self, const fuota_downlink_t *downlink,
    fuota_outcome_t *outcome)
{
    const fuota_sim_node_t *node = fuota_sim_find (self, downlink->dev_eui);
    if (!node) {
        fuota_sim_never (self, outcome, "device not found");
        return;
    }
    outcome->root_key.size = sizeof node->device.root;
    memcpy (outcome->root_key.bytes, node->device.root,
        sizeof node->device.root);
    fuota_sim_reply (self, outcome, FUOTA_DONE);
    fuota_mckey_wipe (outcome->root_key.bytes, sizeof node->device.root);
}

static void
s_tags (fuota_sim_t *self, const fuota_downlink_t *downlink,
    fuota_outcome_t *outcome)
{
    fuota_sim_node_t *node = fuota_sim_find (self, downlink->dev_eui);
    if (!node) {
        fuota_sim_never (self, outcome, "device not found");
        return;
    }
    node->device.tags += downlink->tags_count;
    fuota_sim_reply (self, outcome, FUOTA_DONE);
}

typedef void (s_call_fn) (fuota_sim_t *self, const fuota_downlink_t *downlink,
    fuota_outcome_t *outcome);

static s_call_fn *const s_calls [] = {
    [FUOTA_UNICAST] = fuota_sim_unicast,
    [FUOTA_FRAGMENT] = fuota_sim_group_fragment,
    [FUOTA_GROUP_CREATE] = fuota_sim_group_create,
    [FUOTA_GROUP_DELETE] = fuota_sim_group_delete,
    [FUOTA_FLUSH] = fuota_sim_group_flush,
    [FUOTA_COUNTER] = fuota_sim_group_counter,
    [FUOTA_KEYS] = s_keys,
    [FUOTA_TAGS] = s_tags,
};

//  What is due at this very moment comes after the call: an answer to an
//  uplink that is here 100 ms later is just in time.
void
fuota_sim_take (fuota_sim_t *self, const fuota_downlink_t *downlink,
    int64_t now)
{
    const fuota_sim_config_t *config = &self->world.config;
    s_run (self, now);
    if (now > self->now)
        self->now = now;
    fuota_outcome_t outcome = { .row = downlink->row,
        .dev_eui = downlink->dev_eui,
        .owner = downlink->owner };
    memcpy (outcome.deployment, downlink->deployment,
        sizeof outcome.deployment);
    self->mute = false;
    if ((unsigned) downlink->kind >= sizeof s_calls / sizeof *s_calls)
        fuota_sim_never (self, &outcome, "no such call");
    else if (fuota_sim_radio_hits (&self->chance, config->busy))
        fuota_sim_reply (self, &outcome, FUOTA_RETRY);
    else {
        self->mute = fuota_sim_radio_hits (&self->chance, config->lost_answers);
        s_calls [downlink->kind](self, downlink, &outcome);
        self->mute = false;
    }
}
