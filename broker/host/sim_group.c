//  SPDX-License-Identifier: MIT
//
//  Multicast groups as the network server sees them. Three parts: the calls,
//  what the host was asked to take, when it leaves. Who hears it is in
//  sim_air.c.

#include <stdlib.h>
#include "broker/host/sim_network.h"
#include "broker/host/sim_radio.h"
#include "workers/package/mckey.h"

#define MARGIN 5000  //  multicast_class_c_margin and _b_margin of ChirpStack
#define SLOT 30      //  Milliseconds, class B
#define BEACON 128000
#define RESERVED 2120  //  Of a beacon period, before the first slot

//  The calls

void
fuota_sim_group_destroy (fuota_sim_group_t **group_p)
{
    fuota_sim_group_t *group = *group_p;
    if (!group)
        return;
    while (group->queue) {
        fuota_sim_item_t *item = group->queue;
        group->queue = item->next;
        free (item);
    }
    for (size_t index = 0; index < 4; index++)
        free (group->run [index]);
    free (group);
    *group_p = NULL;
}

//  The handle of group number k is "sim-k". NULL if there is none such.
static fuota_sim_group_t *
s_find (const fuota_sim_t *self, const char *handle)
{
    uint64_t number = 0;
    if (strncmp (handle, "sim-", 4) != 0 || !handle [4])
        return NULL;
    for (const char *digit = handle + 4; *digit; digit++) {
        if (*digit < '0' || *digit > '9' || number > self->groups)
            return NULL;
        number = 10 * number + (uint64_t) (*digit - '0');
    }
    return number < self->groups ? self->group [number] : NULL;
}

static void
s_handle (uint32_t number, char *handle)
{
    char digits [10];
    size_t count = 0;
    do
        digits [count++] = (char) ('0' + number % 10);
    while (number /= 10);
    memcpy (handle, "sim-", 4);
    for (size_t i = 0; i < count; i++)
        handle [4 + i] = digits [count - 1 - i];
    handle [4 + count] = 0;
}

static fuota_sim_group_t *
s_named (const fuota_sim_t *self, const char *name)
{
    for (uint32_t i = 0; i < self->groups; i++)
        if (self->group [i] && strcmp (self->group [i]->name, name) == 0)
            return self->group [i];
    return NULL;
}

//  Room for one group more. NULL if there is no memory.
static fuota_sim_group_t *
s_add (fuota_sim_t *self)
{
    if (self->groups == self->groups_room) {
        uint32_t room = self->groups_room ? 2 * self->groups_room : 16;
        fuota_sim_group_t **grown = realloc (self->group, room * sizeof *grown);
        if (!grown)
            return NULL;
        self->group = grown;
        self->groups_room = room;
    }
    fuota_sim_group_t *group = calloc (1, sizeof *group);
    if (!group)
        return NULL;
    group->number = self->groups;
    self->group [self->groups++] = group;
    self->stats.groups++;
    return group;
}

static void
s_describe (fuota_sim_group_t *group, const fuota_downlink_t *downlink)
{
    memcpy (group->name, downlink->name, sizeof group->name - 1);
    group->mc_addr = downlink->mc_addr;
    memcpy (group->app_s_key, downlink->mc_app_s_key, 16);
    memcpy (group->nwk_s_key, downlink->mc_nwk_s_key, 16);
    group->type = downlink->group_type != 0;
    group->dr = (uint8_t) downlink->dr;
    group->periodicity = downlink->periodicity & 7;
    group->frequency = downlink->frequency;
    group->gateways_count = downlink->gateways_count;
    memcpy (group->gateways, downlink->gateways, sizeof group->gateways);
}

//  Are they all gateways of this network? They are numbered from 1.
static bool
s_known (const fuota_sim_t *self, const fuota_downlink_t *downlink)
{
    for (size_t i = 0; i < downlink->gateways_count; i++)
        if (downlink->gateways [i] - 1 >= self->world.config.gateways)
            return false;
    return true;
}

void
fuota_sim_group_create (fuota_sim_t *self, const fuota_downlink_t *downlink,
    fuota_outcome_t *outcome)
{
    fuota_sim_group_t *group = s_named (self, downlink->name);
    if (!s_known (self, downlink)) {
        fuota_sim_never (self, outcome, "gateway not found");
        return;
    }
    if (!group) {
        group = s_add (self);
        if (!group) {
            fuota_sim_reply (self, outcome, FUOTA_RETRY);
            return;
        }
        s_describe (group, downlink);
    }
    s_handle (group->number, outcome->group);
    fuota_sim_reply (self, outcome, FUOTA_DONE);
}

//  What the host was asked to take

//  The run an item belongs to, NULL if it is no fragment or there is no
//  memory.
static fuota_sim_run_t *
s_run (fuota_sim_group_t *group, const fuota_sim_item_t *item)
{
    if (item->index < 0)
        return NULL;
    fuota_sim_run_t **run = &group->run [item->index];
    if (!*run)
        *run = calloc (1, sizeof **run);
    return *run;
}

//  A fragment is new, or it was taken before; its N follows the one before,
//  or may be any higher one if it is the first of a session.
static void
s_count (fuota_sim_t *self, fuota_sim_group_t *group, fuota_sim_item_t *item)
{
    fuota_sim_run_t *run = s_run (group, item);
    if (!run)
        return;
    int64_t session = fuota_sim_air_session (self, group->mc_addr);
    bool first = run->last == 0 || run->session != session;
    uint64_t bit = (uint64_t) 1 << item->n % 64;
    self->stats.taken++;
    if (run->taken [item->n / 64] & bit)
        self->stats.taken_twice++;
    else if (first ? item->n <= run->last : item->n != run->last + 1)
        self->stats.out_of_order++;
    item->before = run->last;
    run->taken [item->n / 64] |= bit;
    run->last = item->n;
    run->session = session;
}

//  It was never on air: taking it again is no second time.
static void
s_uncount (fuota_sim_group_t *group, const fuota_sim_item_t *item)
{
    fuota_sim_run_t *run = s_run (group, item);
    if (!run)
        return;
    run->taken [item->n / 64] &= ~((uint64_t) 1 << item->n % 64);
    if (run->last == item->n)
        run->last = item->before;
}

static void
s_drop (fuota_sim_t *self, fuota_sim_group_t *group, fuota_sim_item_t *item,
    OutcomeKind kind)
{
    s_uncount (group, item);
    fuota_sim_tell (self, item, kind);
    free (item);
}

//  The last goes first, so that each finds the N that was taken before it.
static void
s_flush (fuota_sim_t *self, fuota_sim_group_t *group)
{
    group->busy_until = 0;
    while (group->queue) {
        fuota_sim_item_t **link = &group->queue;
        while ((*link)->next)
            link = &(*link)->next;
        fuota_sim_item_t *item = *link;
        *link = NULL;
        s_drop (self, group, item, FUOTA_EXPIRED);
    }
}

//  What is not there is deleted already: an answer may have been lost.
void
fuota_sim_group_delete (fuota_sim_t *self, const fuota_downlink_t *downlink,
    fuota_outcome_t *outcome)
{
    fuota_sim_group_t *group = s_find (self, downlink->group);
    if (group) {
        s_flush (self, group);
        fuota_sim_group_destroy (&self->group [group->number]);
        self->stats.groups--;
    }
    fuota_sim_reply (self, outcome, FUOTA_DONE);
}

void
fuota_sim_group_flush (fuota_sim_t *self, const fuota_downlink_t *downlink,
    fuota_outcome_t *outcome)
{
    fuota_sim_group_t *group = s_find (self, downlink->group);
    if (!group) {
        fuota_sim_never (self, outcome, "group not found");
        return;
    }
    s_flush (self, group);
    fuota_sim_reply (self, outcome, FUOTA_DONE);
}

void
fuota_sim_group_counter (fuota_sim_t *self, const fuota_downlink_t *downlink,
    fuota_outcome_t *outcome)
{
    const fuota_sim_group_t *group = s_find (self, downlink->group);
    if (!group) {
        fuota_sim_never (self, outcome, "group not found");
        return;
    }
    outcome->f_cnt = group->f_cnt;
    fuota_sim_reply (self, outcome, FUOTA_DONE);
}

//  When it leaves

//  Next ping slot of the group at that time or later (reference 10.3).
static int64_t
s_ping_slot (const fuota_sim_t *self, const fuota_sim_group_t *group,
    int64_t at)
{
    int64_t gps = at + self->world.gps_minus_utc;
    int64_t beacon = gps - (gps % BEACON + BEACON) % BEACON;
    int64_t period = (int64_t) (32 << group->periodicity) * SLOT;
    for (;; beacon += BEACON) {
        uint16_t offset = 0;
        fuota_mckey_ping_offset ((uint32_t) (beacon / 1000), group->mc_addr,
            group->periodicity, &offset);
        int64_t slot = beacon + RESERVED + offset * SLOT;
        for (int n = 0; n < 128 >> group->periodicity; n++, slot += period)
            if (slot >= gps)
                return slot - self->world.gps_minus_utc;
    }
}

static int64_t
s_next_run (const fuota_sim_t *self, int64_t at)
{
    int64_t interval = self->world.config.scheduler;
    int64_t over = (at - self->world.born) % interval;
    return over == 0 ? at : at + interval - over;
}

//  Behind the last of the queue, at a distance, as ChirpStack does it.
static int64_t
s_leaves (const fuota_sim_t *self, const fuota_sim_group_t *group)
{
    int64_t distance = group->type ? 1 : MARGIN, at = self->now;
    for (const fuota_sim_item_t *item = group->queue; item; item = item->next)
        at = item->leaves_at + distance;
    if (group->busy_until > self->now && group->busy_until + distance > at)
        at = group->busy_until + distance;
    if (group->type == 0)
        return s_next_run (self, at);
    if (at < self->now + MARGIN)
        at = self->now + MARGIN;
    return s_ping_slot (self, group, at);
}

//  FragIndex and N, if that is what the payload holds.
static void
s_look (fuota_sim_item_t *item)
{
    if (item->size < 3 || item->data [0] != 0x08)
        return;
    unsigned word = item->data [1] | (unsigned) item->data [2] << 8;
    item->index = (int32_t) (word >> 14);
    item->n = word & 0x3fff;
}

//  Of several gateways one sends after the other; here they are heard with the
//  first, and the queue is busy until the last. In class B all have one slot.
static void
s_append (fuota_sim_t *self, fuota_sim_group_t *group, fuota_sim_item_t *item)
{
    int64_t more = group->type ? 0 : (int64_t) group->gateways_count - 1;
    self->stats.crowded += more > 0 && group->busy_until > self->now;
    item->leaves_at = s_leaves (self, group);
    if (more > 0)
        group->busy_until = item->leaves_at + more * MARGIN;
    item->f_cnt = group->f_cnt++;
    fuota_sim_item_t **link = &group->queue;
    while (*link)
        link = &(*link)->next;
    *link = item;
    fuota_sim_heap_put (&self->heap, item->leaves_at, FUOTA_SIM_TRANSMIT,
        group->number, NULL);
}

//  Not idempotent: the host numbers it and takes it, whatever it is.
void
fuota_sim_group_fragment (fuota_sim_t *self, const fuota_downlink_t *downlink,
    fuota_outcome_t *outcome)
{
    fuota_sim_group_t *group = s_find (self, downlink->group);
    if (!group || downlink->f_port < 1 || downlink->f_port > 255) {
        fuota_sim_never (self, outcome,
            group ? "f_port must be between 1 - 255" : "group not found");
        return;
    }
    fuota_sim_item_t *item = fuota_sim_item_new (downlink, outcome);
    if (!item) {
        fuota_sim_reply (self, outcome, FUOTA_RETRY);
        return;
    }
    s_look (item);
    s_count (self, group, item);
    s_append (self, group, item);
    self->stats.wrong_counter += item->f_cnt != downlink->f_cnt;
    item->outcome.f_cnt = outcome->f_cnt = item->f_cnt;
    fuota_sim_reply (self, outcome, FUOTA_TAKEN);
    if (self->world.config.blind)
        fuota_sim_reply (self, outcome, FUOTA_SENT);
}

static void
s_send (fuota_sim_t *self, fuota_sim_group_t *group, fuota_sim_item_t *item)
{
    uint32_t refusal = self->world.config.gateway_refusal;
    if (item->expires_at <= self->now)
        s_drop (self, group, item, FUOTA_EXPIRED);
    else if (fuota_sim_radio_hits (&self->chance, refusal)) {
        self->stats.refused++;
        s_drop (self, group, item, FUOTA_REFUSED);
    }
    else {
        fuota_sim_tell (self, item, FUOTA_SENT);
        fuota_sim_air_send (self, group, item);
        free (item);
    }
}

void
fuota_sim_group_transmit (fuota_sim_t *self, uint32_t number)
{
    fuota_sim_group_t *group = self->group [number];
    while (group && group->queue && group->queue->leaves_at <= self->now) {
        fuota_sim_item_t *item = group->queue;
        group->queue = item->next;
        s_send (self, group, item);
    }
}
