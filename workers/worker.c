//  SPDX-License-Identifier: MIT
//
//  Parts: life; deadlines; the turn's records; one step; what happens;
//  turns.

#include <assert.h>
#include <stdlib.h>
#include "workers/package/mckey.h"
#include "workers/worker_private.h"

//  Commands of one payload we look at: a device answers what it was asked
#define COMMANDS_MAX 32

static const fuota_happening_t s_look = { .kind = FUOTA_TICK };

//  ---------------------------------------------------------------------
//  Deadlines

static uint32_t
s_hash (const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes [i]) * 16777619u;
    return hash ^ hash >> 15;
}

static void
s_bucket (fuota_worker_t *self, uint32_t context)
{
    uint32_t mask = self->context_room * 2 - 1;
    uint32_t at = s_hash (self->contexts [context], FUOTA_ID_SIZE) & mask;
    while (self->buckets [at])
        at = (at + 1) & mask;
    self->buckets [at] = context + 1;
}

//  The number of a deployment, given when it is first seen. UINT32_MAX if
//  there is no memory.
static uint32_t
s_context (fuota_worker_t *self, const uint8_t *id)
{
    if (self->context_room) {
        uint32_t mask = self->context_room * 2 - 1;
        uint32_t at = s_hash (id, FUOTA_ID_SIZE) & mask;
        for (; self->buckets [at]; at = (at + 1) & mask)
            if (!memcmp (self->contexts [self->buckets [at] - 1], id,
                    FUOTA_ID_SIZE))
                return self->buckets [at] - 1;
    }
    if (self->context_count == self->context_room) {
        uint32_t room = self->context_room ? self->context_room * 2 : 64;
        void *contexts =
            realloc (self->contexts, room * sizeof *self->contexts);
        if (contexts)
            self->contexts = contexts;
        uint32_t *buckets = calloc (room * 2, sizeof *buckets);
        if (!contexts || !buckets) {
            free (buckets);
            return UINT32_MAX;
        }
        free (self->buckets);
        self->buckets = buckets;
        self->context_room = room;
        for (uint32_t i = 0; i < self->context_count; i++)
            s_bucket (self, i);
    }
    memcpy (self->contexts [self->context_count], id, FUOTA_ID_SIZE);
    s_bucket (self, self->context_count);
    return self->context_count++;
}

static void
s_wake (fuota_worker_t *self, uint32_t context, uint64_t dev_eui, int64_t at,
    bool force)
{
    fuota_deadline_entry_t entry = { .at = at,
        .subject = dev_eui,
        .context = context,
        .force = force };
    //  Without memory for a deadline the engine would stall unnoticed
    int rc = fuota_deadline_put (&self->deadlines, entry);
    assert (rc == 0);
    (void) rc;
}

//  Every device of a deployment that has something before it is looked at; at
//  start its own deadline is set too.
static int
s_wake_devices (fuota_worker_t *self, const uint8_t *id, uint32_t context,
    bool start)
{
    fuota_key_t prefix = fuota_key_id (id);
    fuota_scan_t scan;
    fuota_device_t device;
    if (fuota_scan_open (&scan, self->read, FUOTA_TABLE_DEVICE, &prefix, NULL))
        return FUOTA_EDB;
    while (fuota_scan_next (&scan)) {
        uint64_t dev_eui = fuota_be (scan.key.data + FUOTA_ID_SIZE, 8);
        if (fuota_record_decode (Device_fields, &device, scan.value) ||
            device.step == FUOTA_STEP_END)
            continue;
        s_wake (self, context, dev_eui, self->now, true);
        if (start && device.wake_at)
            s_wake (self, context, dev_eui, device.wake_at, false);
    }
    fuota_scan_close (&scan);
    return 0;
}

//  ---------------------------------------------------------------------
//  Life

//  At start everybody is looked at once: no wake-up that was lost in a crash
//  can be missed.
static int
s_start (fuota_worker_t *self)
{
    fuota_scan_t scan;
    fuota_group_t group;
    if (fuota_scan_open (&scan, self->read, FUOTA_TABLE_GROUP, NULL, NULL))
        return FUOTA_EDB;
    int rc = 0;
    while (!rc && fuota_scan_next (&scan)) {
        if (fuota_record_decode (Group_fields, &group, scan.value) ||
            scan.key.size != FUOTA_ID_SIZE) {
            self->stats.refused++;
            continue;
        }
        if (group.phase == FUOTA_OVER)
            continue;
        uint32_t context = s_context (self, scan.key.data);
        if (context == UINT32_MAX)
            rc = FUOTA_EFULL;
        else {
            s_wake (self, context, 0, self->now, true);
            if (group.wake_at)
                s_wake (self, context, 0, group.wake_at, false);
            rc = s_wake_devices (self, scan.key.data, context, true);
        }
    }
    fuota_scan_close (&scan);
    return rc;
}

static fuota_key_t
s_sequence_key (const fuota_worker_t *self)
{
    return self->config.owner == FUOTA_OWNER_CLOCK
               ? fuota_key_bytes ("sequence-clock", 14)
               : fuota_key_bytes ("sequence", 8);
}

fuota_worker_t *
fuota_worker_new (fuota_db_t *db, const fuota_worker_config_t *config,
    int64_t now)
{
    fuota_worker_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->db = db;
    self->config = *config;
    self->now = now;
    self->read = fuota_db_read (db);
    if (!self->read) {
        free (self);
        return NULL;
    }
    //  Numbers never come back, not even in a new database: a host may still
    //  hold an item that bears one
    fuota_key_t key = s_sequence_key (self);
    fuota_slice_t value;
    self->next_row = (uint64_t) now * 1000;
    if (!fuota_read_get (self->read, FUOTA_TABLE_META, &key, &value) &&
        value.size == 8 && fuota_be (value.data, 8) > self->next_row)
        self->next_row = fuota_be (value.data, 8);
    fuota_key_t any = { .size = 0 };
    self->orders = config->owner == FUOTA_OWNER_DEPLOYMENT &&
                   !fuota_read_last (self->read, FUOTA_TABLE_ORDER, &any, &key);
    if (config->owner == FUOTA_OWNER_DEPLOYMENT && s_start (self))
        fuota_worker_destroy (&self);
    else
        fuota_read_reset (self->read);
    return self;
}

void
fuota_worker_destroy (fuota_worker_t **self_p)
{
    fuota_worker_t *self = *self_p;
    if (!self)
        return;
    fuota_read_end (&self->read);
    fuota_batch_release (&self->batch);
    fuota_deadline_release (&self->deadlines);
    free (self->contexts);
    free (self->buckets);
    free (self);
    *self_p = NULL;
}

//  ---------------------------------------------------------------------
//  The turn's records

static uint16_t
s_group_slot (fuota_worker_t *self, const uint8_t *id)
{
    for (uint16_t i = 0; i < self->group_count; i++)
        if (!memcmp (self->groups [i].id, id, FUOTA_ID_SIZE))
            return i;
    if (self->group_count == TURN_GROUPS)
        return NO_SLOT;
    fuota_group_slot_t *slot = &self->groups [self->group_count];
    fuota_key_t key = fuota_key_id (id);
    *slot = (fuota_group_slot_t){ .context = s_context (self, id) };
    memcpy (slot->id, id, FUOTA_ID_SIZE);
    if (slot->context == UINT32_MAX ||
        fuota_read_record (self->read, FUOTA_TABLE_DEPLOYMENT, &key,
            Deployment_fields, &slot->deployment) ||
        fuota_read_record (self->read, FUOTA_TABLE_GROUP, &key, Group_fields,
            &slot->group)) {
        self->stats.refused++;
        return NO_SLOT;
    }
    return self->group_count++;
}

fuota_device_slot_t *
fuota_worker_slot (fuota_worker_t *self, uint16_t group, uint64_t dev_eui,
    const fuota_key_t *key)
{
    uint32_t mask = sizeof self->device_buckets / sizeof (uint16_t) - 1;
    uint32_t bucket = (uint32_t) (dev_eui ^ dev_eui >> 16) & mask;
    uint16_t at = self->device_buckets [bucket];
    for (; at != NO_SLOT; at = self->devices [at].next)
        if (self->devices [at].dev_eui == dev_eui &&
            self->devices [at].group == group)
            return &self->devices [at];
    if (self->device_count == TURN_DEVICES)
        return NULL;
    bool clock = self->config.owner == FUOTA_OWNER_CLOCK;
    fuota_device_slot_t *slot = &self->devices [self->device_count];
    *slot = (fuota_device_slot_t){ .group = group,
        .next = self->device_buckets [bucket],
        .dev_eui = dev_eui };
    int rc = fuota_read_record (self->read,
        clock ? FUOTA_TABLE_CLOCK : FUOTA_TABLE_DEVICE, key,
        clock ? Clock_fields : Device_fields,
        clock ? (void *) &slot->clock : (void *) &slot->device);
    if (rc && !clock) {
        self->stats.refused++;
        return NULL;
    }
    self->device_buckets [bucket] = self->device_count++;
    return slot;
}

static fuota_device_slot_t *
s_device_slot (fuota_worker_t *self, uint16_t group, uint64_t dev_eui)
{
    fuota_key_t key = fuota_key_device (self->groups [group].id, dev_eui);
    return fuota_worker_slot (self, group, dev_eui, &key);
}

uint64_t
fuota_worker_row (fuota_worker_t *self, const fuota_row_t *row)
{
    fuota_key_t key = fuota_key_outbox (self->config.owner, self->next_row);
    fuota_row_t dated = *row;
    dated.created = self->now;
    fuota_batch_record (&self->batch, FUOTA_TABLE_OUTBOX, &key,
        OutboxRow_fields, &dated);
    return self->next_row++;
}

//  A command that may be in a device's queue at the host still occupies it, so
//  its row stays, marked, until the host says what became of it.
static void
s_withdraw (fuota_worker_t *self, uint64_t number)
{
    fuota_key_t key = fuota_key_outbox (self->config.owner, number);
    fuota_row_t row;
    if (fuota_read_record (self->read, FUOTA_TABLE_OUTBOX, &key,
            OutboxRow_fields, &row) ||
        row.kind != FUOTA_UNICAST) {
        fuota_worker_drop (self, number);
        return;
    }
    row.withdrawn = true;
    fuota_batch_record (&self->batch, FUOTA_TABLE_OUTBOX, &key,
        OutboxRow_fields, &row);
}

void
fuota_worker_drop (fuota_worker_t *self, uint64_t row)
{
    fuota_key_t key = fuota_key_outbox (self->config.owner, row);
    fuota_batch_del (&self->batch, FUOTA_TABLE_OUTBOX, &key);
}

//  ---------------------------------------------------------------------
//  One step

//  McGroupIDs that other deployments have on this device.
static void
s_used_groups (fuota_worker_t *self, const fuota_group_slot_t *slot,
    fuota_env_t *env)
{
    fuota_key_t prefix = fuota_key_eui (env->dev_eui);
    fuota_scan_t scan;
    fuota_route_t route;
    if (fuota_scan_open (&scan, self->read, FUOTA_TABLE_ROUTE, &prefix, NULL))
        return;
    while (fuota_scan_next (&scan)) {
        const uint8_t *id = scan.key.data + 8;
        if (!memcmp (id, slot->id, FUOTA_ID_SIZE) ||
            fuota_record_decode (Route_fields, &route, scan.value))
            continue;
        //  Chosen in this turn: not in the table yet
        for (uint16_t i = 0; i < self->device_count; i++) {
            fuota_device_slot_t *other = &self->devices [i];
            if (other->dev_eui == env->dev_eui &&
                !memcmp (self->groups [other->group].id, id, FUOTA_ID_SIZE)) {
                route.has_group = other->device.has_group;
                route.group_id = other->device.group_id;
            }
        }
        if (route.has_group)
            env->used_groups |= 1u << route.group_id;
    }
    fuota_scan_close (&scan);
}

//  What a step may want to look at, read only where it may.
static void
s_surroundings (fuota_worker_t *self, const fuota_group_slot_t *slot,
    const fuota_device_slot_t *device, fuota_env_t *env)
{
    if (!device || device->device.step > FUOTA_STEP_FRAG_SETUP)
        return;
    s_used_groups (self, slot, env);
    if (device->device.step != FUOTA_STEP_FRAG_SETUP ||
        slot->deployment.dialect.ts004 < 2)
        return;
    fuota_slice_t value;
    fuota_key_t key =
        fuota_key_counter (env->dev_eui, slot->deployment.frag_index);
    if (!fuota_read_get (self->read, FUOTA_TABLE_COUNTER, &key, &value) &&
        value.size == 4)
        env->session_cnt = (uint32_t) fuota_be (value.data, 4);
    key = fuota_key_bytes (slot->deployment.image, 32);
    fuota_read_get (self->read, FUOTA_TABLE_BLOB, &key, &env->image);
}

static void
s_write_line (fuota_worker_t *self, const fuota_group_slot_t *slot,
    uint64_t dev_eui, const fuota_effects_t *out, size_t i)
{
    fuota_line_t line = { .seq = self->next_row++, .at = self->now };
    memcpy (line.deployment, slot->id, FUOTA_ID_SIZE);
    line.dev_eui = out->lines [i].of_device ? dev_eui : 0;
    //  Bounded by their options; names of ours are shorter
    strncpy (line.what, out->lines [i].what, sizeof line.what - 1);
    strncpy (line.name, out->lines [i].name, sizeof line.name - 1);
    memcpy (line.words, out->lines [i].words, sizeof line.words);
    fuota_key_t key = fuota_key_journal (slot->id, line.seq);
    fuota_batch_record (&self->batch, FUOTA_TABLE_JOURNAL, &key,
        JournalLine_fields, &line);
}

static void
s_write_effects (fuota_worker_t *self, fuota_group_slot_t *slot,
    const fuota_device_slot_t *device, const fuota_effects_t *out)
{
    uint64_t dev_eui = device ? device->dev_eui : 0;
    for (size_t i = 0; i < out->drop_count; i++)
        s_withdraw (self, out->drops [i]);
    for (size_t i = 0; i < out->row_count; i++)
        fuota_worker_row (self, &out->rows [i]);
    for (size_t i = 0; i < out->line_count; i++)
        s_write_line (self, slot, dev_eui, out, i);
    if (device && out->session_cnt_used) {
        fuota_key_t key =
            fuota_key_counter (dev_eui, slot->deployment.frag_index);
        uint8_t bytes [4];
        fuota_writer_t writer = fuota_writer (bytes, sizeof bytes);
        fuota_writer_be (&writer, device->device.session_cnt + 1, 4);
        fuota_batch_put (&self->batch, FUOTA_TABLE_COUNTER, &key,
            fuota_slice (bytes, sizeof bytes));
    }
    slot->wake |= out->wake_group;
    slot->wake_devices |= out->wake_devices;
}

static void
s_write_route (fuota_worker_t *self, const fuota_group_slot_t *slot,
    const fuota_device_slot_t *device)
{
    fuota_key_t key = fuota_key_route (device->dev_eui, slot->id);
    fuota_route_t route = { .has_dialect = true,
        .dialect = slot->deployment.dialect,
        .group_id = device->device.group_id,
        .frag_index = slot->deployment.frag_index,
        .has_group = device->device.has_group };
    fuota_batch_record (&self->batch, FUOTA_TABLE_ROUTE, &key, Route_fields,
        &route);
}

static void
s_device_changed (fuota_worker_t *self, fuota_group_slot_t *slot,
    fuota_device_slot_t *device, const fuota_device_t *before)
{
    fuota_device_t *now = &device->device;
    if (!memcmp (now, before, sizeof *now))
        return;
    device->dirty = true;
    if (now->wake_at && now->wake_at != before->wake_at)
        s_wake (self, slot->context, device->dev_eui, now->wake_at, false);
    if (now->has_group != before->has_group ||
        now->group_id != before->group_id)
        s_write_route (self, slot, device);
    slot->group.at_step [before->step]--;
    slot->group.at_step [now->step]++;
    slot->group.ended [before->end]--;
    slot->group.ended [now->end]++;
}

//  Once a deployment is over its devices' uplinks are no longer ours.
static void
s_over (fuota_worker_t *self, const fuota_group_slot_t *slot)
{
    fuota_key_t prefix = fuota_key_id (slot->id);
    fuota_scan_t scan;
    if (fuota_scan_open (&scan, self->read, FUOTA_TABLE_DEVICE, &prefix, NULL))
        return;
    while (fuota_scan_next (&scan)) {
        uint64_t dev_eui = fuota_be (scan.key.data + FUOTA_ID_SIZE, 8);
        fuota_key_t key = fuota_key_route (dev_eui, slot->id);
        fuota_batch_del (&self->batch, FUOTA_TABLE_ROUTE, &key);
    }
    fuota_scan_close (&scan);
}

static fuota_env_t
s_env (const fuota_worker_t *self, const fuota_group_slot_t *slot,
    uint64_t dev_eui)
{
    fuota_env_t env = { .now = self->now,
        .leap_extra = self->config.leap_extra,
        .clock_wrong = self->clock_wrong,
        .deployment = &slot->deployment,
        .dev_eui = dev_eui,
        .next_row = self->next_row };
    return env;
}

static void
s_group_changed (fuota_worker_t *self, fuota_group_slot_t *slot,
    const fuota_group_t *before)
{
    if (!memcmp (&slot->group, before, sizeof *before))
        return;
    slot->dirty = true;
    if (slot->group.wake_at && slot->group.wake_at != before->wake_at)
        s_wake (self, slot->context, 0, slot->group.wake_at, false);
    if (slot->group.phase == FUOTA_OVER && before->phase != FUOTA_OVER)
        s_over (self, slot);
}

static void
s_step (fuota_worker_t *self, fuota_group_slot_t *slot,
    fuota_device_slot_t *device, const fuota_happening_t *happening)
{
    fuota_group_t group = slot->group;
    fuota_device_t before;
    fuota_effects_t out = { .row_count = 0 };
    fuota_env_t env = s_env (self, slot, device ? device->dev_eui : 0);
    s_surroundings (self, slot, device, &env);
    if (device)
        before = device->device;
    fuota_subject_t subject = { &slot->group, device ? &device->device : NULL };
    fuota_stage_step (subject, happening, &env, &out);
    self->stats.steps++;
    s_write_effects (self, slot, device, &out);
    if (device)
        s_device_changed (self, slot, device, &before);
    s_group_changed (self, slot, &group);
}

//  ---------------------------------------------------------------------
//  What happens

//  Package and version that a port has in a dialect; false if it has none.
static bool
s_package_of (const fuota_dialect_t *dialect, uint32_t port,
    fuota_package_t *package, unsigned *version)
{
    if (port == dialect->port004) {
        *package = FUOTA_TS004;
        *version = dialect->ts004;
    }
    else if (port == dialect->port005) {
        *package = FUOTA_TS005;
        *version = dialect->ts005;
    }
    else if (port == dialect->port003) {
        *package = FUOTA_TS003;
        *version = dialect->ts003;
    }
    else
        return false;
    return *version != 0;
}

static void
s_uplink (fuota_worker_t *self, uint16_t at, const fuota_event_t *event)
{
    fuota_group_slot_t *slot = &self->groups [at];
    fuota_device_slot_t *device = s_device_slot (self, at, event->dev_eui);
    fuota_command_t commands [COMMANDS_MAX];
    size_t count = 0;
    fuota_package_t package;
    unsigned version;
    if (!device || slot->group.phase == FUOTA_OVER)
        return;
    int rc = 0;
    if (s_package_of (&slot->deployment.dialect, event->f_port, &package,
            &version))
        rc = fuota_package_decode (package, version, FUOTA_UPLINK,
            event->data.bytes, event->data.size, commands, COMMANDS_MAX,
            &count);
    self->stats.malformed += rc != 0;
    fuota_happening_t happening = { .kind = FUOTA_COMMAND,
        .raw = fuota_slice (event->data.bytes, event->data.size),
        .alien = rc != 0,
        .received_at = event->received_at };
    for (size_t i = 0; i < count; i++) {
        happening.command = &commands [i];
        self->stats.commands++;
        s_step (self, slot, device, &happening);
    }
    bool joined = event->kind == FUOTA_EVENT_JOIN;
    if (device->device.asked == FUOTA_ASKED_NOT && !joined)
        return;
    happening.kind = joined ? FUOTA_JOINED : FUOTA_UPLINK_SEEN;
    happening.command = NULL;
    s_step (self, slot, device, &happening);
}

void
fuota_worker_event (fuota_worker_t *self, const fuota_event_t *event)
{
    self->stats.events++;
    if (self->config.owner == FUOTA_OWNER_CLOCK) {
        fuota_worker_clock_event (self, event);
        return;
    }
    fuota_key_t prefix = fuota_key_eui (event->dev_eui);
    fuota_scan_t scan;
    if (fuota_scan_open (&scan, self->read, FUOTA_TABLE_ROUTE, &prefix, NULL))
        return;
    while (fuota_scan_next (&scan)) {
        uint16_t group = s_group_slot (self, scan.key.data + 8);
        if (group != NO_SLOT)
            s_uplink (self, group, event);
    }
    fuota_scan_close (&scan);
}

void
fuota_worker_outcome (fuota_worker_t *self, const fuota_outcome_t *outcome)
{
    self->stats.outcomes++;
    fuota_worker_drop (self, outcome->row);
    if (self->config.owner == FUOTA_OWNER_CLOCK) {
        fuota_worker_clock_outcome (self, outcome);
        return;
    }
    uint16_t group = s_group_slot (self, outcome->deployment);
    if (group == NO_SLOT)
        return;
    fuota_device_slot_t *device = NULL;
    if (outcome->dev_eui) {
        device = s_device_slot (self, group, outcome->dev_eui);
        if (!device)
            return;
    }
    fuota_happening_t happening = { .kind = FUOTA_OUTCOME, .outcome = outcome };
    s_step (self, &self->groups [group], device, &happening);
}

void
fuota_worker_operate (fuota_worker_t *self, fuota_operate_t operate,
    const uint8_t *id)
{
    uint16_t at = s_group_slot (self, id);
    if (at == NO_SLOT)
        return;
    fuota_group_slot_t *slot = &self->groups [at];
    fuota_group_t before = slot->group;
    fuota_effects_t out = { .row_count = 0 };
    fuota_env_t env = s_env (self, slot, 0);
    int rc = 0;
    switch (operate) {
        case FUOTA_OPERATE_CREATED:
            slot->wake = true;
            break;
        case FUOTA_OPERATE_PAUSE:
            rc = fuota_stage_pause (&slot->group, &env, &out);
            break;
        case FUOTA_OPERATE_RESUME:
            rc = fuota_stage_resume (&slot->group, &env, &out);
            break;
        case FUOTA_OPERATE_CANCEL:
            rc = fuota_stage_cancel (&slot->group, &env, &out);
            break;
        default:
            rc = FUOTA_EVALUE;
    }
    if (rc)
        self->stats.refused++;
    s_write_effects (self, slot, NULL, &out);
    s_group_changed (self, slot, &before);
}

void
fuota_worker_trust (fuota_worker_t *self, bool trust)
{
    self->clock_wrong = !trust;
}

void
fuota_worker_orders (fuota_worker_t *self)
{
    self->orders = true;
}

static void
s_carry_out (fuota_worker_t *self)
{
    fuota_scan_t scan;
    self->orders = false;
    if (fuota_scan_open (&scan, self->read, FUOTA_TABLE_ORDER, NULL, NULL))
        return;
    while (fuota_scan_next (&scan)) {
        fuota_key_t key = fuota_key_bytes (scan.key.data, scan.key.size);
        if (fuota_worker_full (self)) {
            self->orders = true;  //  The rest in the next turn
            break;
        }
        if (scan.value.size == 1 + FUOTA_ID_SIZE)
            fuota_worker_operate (self, (fuota_operate_t) scan.value.data [0],
                scan.value.data + 1);
        fuota_batch_del (&self->batch, FUOTA_TABLE_ORDER, &key);
    }
    fuota_scan_close (&scan);
}

//  ---------------------------------------------------------------------
//  Turns

bool
fuota_worker_full (const fuota_worker_t *self)
{
    //  An uplink can concern four deployments
    return self->device_count > TURN_DEVICES - 8 ||
           self->group_count > TURN_GROUPS - 8;
}

int
fuota_worker_begin (fuota_worker_t *self, int64_t now)
{
    fuota_batch_clear (&self->batch);
    self->now = now;
    self->group_count = self->device_count = 0;
    memset (self->device_buckets, 0xff, sizeof self->device_buckets);
    return fuota_read_renew (self->read);
}

void
fuota_worker_tick (fuota_worker_t *self)
{
    fuota_deadline_entry_t entry;
    if (self->orders)
        s_carry_out (self);
    while (!fuota_worker_full (self) &&
           fuota_deadline_take (&self->deadlines, self->now, &entry)) {
        uint16_t at = s_group_slot (self, self->contexts [entry.context]);
        if (at == NO_SLOT)
            continue;
        fuota_group_slot_t *slot = &self->groups [at];
        fuota_device_slot_t *device =
            entry.subject ? s_device_slot (self, at, entry.subject) : NULL;
        if (entry.subject && !device)
            continue;
        int64_t wake_at = device ? device->device.wake_at : slot->group.wake_at;
        //  Out of date: the record has another deadline by now
        if (!entry.force && (!wake_at || wake_at > self->now))
            continue;
        self->stats.deadlines++;
        s_step (self, slot, device, &s_look);
    }
}

//  Groups that devices have told something, until nothing moves any more.
static void
s_settle_groups (fuota_worker_t *self)
{
    for (uint16_t i = 0; i < self->group_count; i++) {
        fuota_group_slot_t *slot = &self->groups [i];
        //  A phase can open the next one; there are not more of them
        for (unsigned n = 0; slot->wake && n < FUOTA_OVER; n++) {
            slot->wake = false;
            s_step (self, slot, NULL, &s_look);
        }
        if (slot->wake_devices && slot->context != UINT32_MAX)
            s_wake_devices (self, slot->id, slot->context, false);
        slot->wake_devices = false;
    }
}

static void
s_write_records (fuota_worker_t *self)
{
    for (uint16_t i = 0; i < self->group_count; i++) {
        fuota_group_slot_t *slot = &self->groups [i];
        fuota_key_t key = fuota_key_id (slot->id);
        if (slot->dirty)
            fuota_batch_record (&self->batch, FUOTA_TABLE_GROUP, &key,
                Group_fields, &slot->group);
    }
    bool clock = self->config.owner == FUOTA_OWNER_CLOCK;
    for (uint16_t i = 0; i < self->device_count; i++) {
        fuota_device_slot_t *slot = &self->devices [i];
        if (!slot->dirty)
            continue;
        fuota_key_t key = clock
                              ? fuota_key_eui (slot->dev_eui)
                              : fuota_key_device (self->groups [slot->group].id,
                                    slot->dev_eui);
        fuota_batch_record (&self->batch,
            clock ? FUOTA_TABLE_CLOCK : FUOTA_TABLE_DEVICE, &key,
            clock ? Clock_fields : Device_fields,
            clock ? (void *) &slot->clock : (void *) &slot->device);
    }
}

const fuota_batch_t *
fuota_worker_end (fuota_worker_t *self)
{
    s_settle_groups (self);
    s_write_records (self);
    if (self->batch.rows) {
        uint8_t bytes [8];
        fuota_writer_t writer = fuota_writer (bytes, sizeof bytes);
        fuota_key_t key = s_sequence_key (self);
        fuota_writer_be (&writer, self->next_row, 8);
        fuota_batch_put (&self->batch, FUOTA_TABLE_META, &key,
            fuota_slice (bytes, sizeof bytes));
    }
    fuota_read_reset (self->read);
    return &self->batch;
}

int64_t
fuota_worker_due (const fuota_worker_t *self)
{
    return self->orders ? 0 : fuota_deadline_due (&self->deadlines);
}

void
fuota_worker_stats (const fuota_worker_t *self, fuota_worker_stats_t *stats)
{
    *stats = self->stats;
}
