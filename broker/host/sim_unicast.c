//  SPDX-License-Identifier: MIT
//
//  Devices as the network server sees them: their uplinks, and for each a
//  queue of downlinks that leave in its receive windows.

#include <stdlib.h>
#include "broker/host/sim_network.h"
#include "broker/host/sim_radio.h"

#define WINDOW 100  //  Before the queue is looked at
#define RX1 900     //  After that
#define LATE 5000   //  Most an event is held back

fuota_sim_node_t *
fuota_sim_find (fuota_sim_t *self, uint64_t dev_eui)
{
    uint64_t i = dev_eui - self->world.config.first_eui;
    return i < self->world.config.devices ? &self->node [i] : NULL;
}

//  Only the wake-up at wake_at counts; later ones that are in the heap too
//  are ignored when they come.
void
fuota_sim_wake (fuota_sim_t *self, uint32_t i)
{
    fuota_sim_node_t *node = &self->node [i];
    int64_t due = fuota_sim_device_due (&node->device);
    if (due < node->wake_at &&
        fuota_sim_heap_put (&self->heap, due, FUOTA_SIM_WAKE, i, NULL))
        node->wake_at = due;
}

//  Uplinks

//  A device is heard by one gateway always, by the next one sometimes.
static void
s_gateways (fuota_sim_t *self, fuota_sim_device_t *device, fuota_event_t *event)
{
    uint32_t gateways = self->world.config.gateways;
    uint64_t home = device->dev_eui % gateways;
    event->gateways [0] = 1 + home;
    event->gateways_count = 1;
    if (gateways > 1 && fuota_sim_radio_hits (&device->chance, 500)) {
        event->gateways [1] = 1 + (home + 1) % gateways;
        event->gateways_count = 2;
    }
}

static void
s_later (fuota_sim_t *self, const fuota_event_t *event)
{
    fuota_event_t *copy = malloc (sizeof *copy);
    int64_t at = self->now + 1 + fuota_sim_radio_below (&self->chance, LATE);
    if (!copy)
        return;
    *copy = *event;
    if (!fuota_sim_heap_put (&self->heap, at, FUOTA_SIM_LATE, 0, copy))
        free (copy);
}

//  An event is delivered now, or late; some are delivered a second time.
static void
s_deliver (fuota_sim_t *self, const fuota_event_t *event)
{
    const fuota_sim_config_t *config = &self->world.config;
    if (fuota_sim_radio_hits (&self->chance, config->reorder))
        s_later (self, event);
    else
        fuota_sim_fifo_put (&self->events, event);
    if (fuota_sim_radio_hits (&self->chance, config->duplicates))
        s_later (self, event);
}

static void
s_uplink (fuota_sim_t *self, fuota_sim_node_t *node,
    const fuota_sim_frame_t *frame)
{
    const fuota_sim_config_t *config = &self->world.config;
    fuota_sim_device_t *device = &node->device;
    fuota_event_t event = { .kind = FUOTA_EVENT_UPLINK,
        .dev_eui = device->dev_eui,
        .f_port = frame->f_port,
        .f_cnt = device->f_cnt++,
        .received_at = self->now };
    if (fuota_sim_radio_hits (&device->chance, config->unicast_loss))
        return;
    self->stats.uplinks++;
    memcpy (event.application, config->application, sizeof config->application);
    event.application [sizeof event.application - 1] = 0;
    event.data.size = frame->size;
    memcpy (event.data.bytes, frame->data, frame->size);
    s_gateways (self, device, &event);
    s_deliver (self, &event);
    uint32_t i = (uint32_t) (node - self->node);
    fuota_sim_heap_put (&self->heap, self->now + WINDOW, FUOTA_SIM_WINDOW, i,
        NULL);
}

static void
s_wake_due (fuota_sim_t *self, const fuota_sim_due_t *due)
{
    fuota_sim_node_t *node = &self->node [due->index];
    if (due->at != node->wake_at)
        return;
    fuota_sim_frame_t frame;
    node->wake_at = INT64_MAX;
    if (fuota_sim_device_uplink (&node->device, self->now, &frame))
        s_uplink (self, node, &frame);
    fuota_sim_wake (self, due->index);
}

//  Downlinks

static void
s_queue (fuota_sim_t *self, fuota_sim_node_t *node, fuota_sim_item_t *item)
{
    fuota_sim_item_t **link = &node->queue;
    while (*link)
        link = &(*link)->next;
    *link = item;
    if (item->expires_at < INT64_MAX)
        fuota_sim_heap_put (&self->heap, item->expires_at, FUOTA_SIM_EXPIRE,
            (uint32_t) (node - self->node), NULL);
}

//  Is that row in the queue? Anything else in it is an overlap.
static bool
s_queued (fuota_sim_t *self, const fuota_sim_node_t *node, uint64_t row)
{
    for (const fuota_sim_item_t *item = node->queue; item; item = item->next)
        if (item->outcome.row == row)
            return true;
    self->stats.overlapped += node->queue != NULL;
    return false;
}

//  Like ChirpStack's command with an id of its own: repeated while the first
//  one waits, it is no second one.
void
fuota_sim_unicast (fuota_sim_t *self, const fuota_downlink_t *downlink,
    fuota_outcome_t *outcome)
{
    fuota_sim_node_t *node = fuota_sim_find (self, downlink->dev_eui);
    if (!node || downlink->f_port < 1 || downlink->f_port > 255) {
        fuota_sim_never (self, outcome,
            node ? "f_port must be between 1 - 255" : "device not found");
        return;
    }
    if (!s_queued (self, node, downlink->row)) {
        fuota_sim_item_t *item = fuota_sim_item_new (downlink, outcome);
        if (!item) {
            fuota_sim_reply (self, outcome, FUOTA_RETRY);
            return;
        }
        s_queue (self, node, item);
    }
    fuota_sim_reply (self, outcome, FUOTA_TAKEN);
    if (self->world.config.blind)
        fuota_sim_reply (self, outcome, FUOTA_SENT);
}

static void
s_expire (fuota_sim_t *self, fuota_sim_node_t *node)
{
    for (fuota_sim_item_t **link = &node->queue; *link;) {
        fuota_sim_item_t *item = *link;
        if (item->expires_at > self->now) {
            link = &item->next;
            continue;
        }
        *link = item->next;
        fuota_sim_tell (self, item, FUOTA_EXPIRED);
        free (item);
    }
}

//  The oldest item leaves. It is on air even if the device will not hear it.
static void
s_window (fuota_sim_t *self, fuota_sim_node_t *node)
{
    s_expire (self, node);
    fuota_sim_item_t *item = node->queue;
    if (!item)
        return;
    node->queue = item->next;
    fuota_sim_tell (self, item, FUOTA_SENT);
    uint32_t loss = self->world.config.unicast_loss;
    uint32_t i = (uint32_t) (node - self->node);
    if (fuota_sim_radio_hits (&node->device.chance, loss) ||
        !fuota_sim_heap_put (&self->heap, self->now + RX1, FUOTA_SIM_DELIVER, i,
            item))
        free (item);
}

static void
s_hear (fuota_sim_t *self, uint32_t i, const fuota_sim_item_t *item)
{
    self->stats.unicast++;
    fuota_sim_device_hear (&self->node [i].device, item->f_port,
        fuota_slice (item->data, item->size), self->now);
    fuota_sim_air_update (self, i);
    fuota_sim_wake (self, i);
}

void
fuota_sim_unicast_due (fuota_sim_t *self, const fuota_sim_due_t *due)
{
    if (due->kind == FUOTA_SIM_WAKE)
        s_wake_due (self, due);
    else if (due->kind == FUOTA_SIM_WINDOW)
        s_window (self, &self->node [due->index]);
    else if (due->kind == FUOTA_SIM_DELIVER)
        s_hear (self, due->index, due->thing);
    else if (due->kind == FUOTA_SIM_EXPIRE)
        s_expire (self, &self->node [due->index]);
}
