//  SPDX-License-Identifier: MIT
//
//  Parts: the turn's records; one step, and what it wrote.

#include "workers/worker_private.h"

//  ---------------------------------------------------------------------
//  The turn's records

uint16_t
fuota_worker_group (fuota_worker_t *self, const uint8_t *id)
{
    for (uint16_t i = 0; i < self->group_count; i++)
        if (!memcmp (self->groups [i].id, id, FUOTA_ID_SIZE))
            return i;
    if (self->group_count == TURN_GROUPS)
        return NO_SLOT;
    fuota_group_slot_t *slot = &self->groups [self->group_count];
    fuota_key_t key = fuota_key_id (id);
    *slot = (fuota_group_slot_t){ .context = fuota_worker_context (self, id) };
    memcpy (slot->id, id, FUOTA_ID_SIZE);
    if (slot->context == UINT32_MAX ||
        fuota_read_record (self->read, FUOTA_TABLE_DEPLOYMENT, &key,
            Deployment_fields, &slot->deployment) ||
        fuota_read_record (self->read, FUOTA_TABLE_GROUP, &key, Group_fields,
            &slot->group))
        return NO_SLOT;
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

fuota_device_slot_t *
fuota_worker_device (fuota_worker_t *self, uint16_t group, uint64_t dev_eui)
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

void
fuota_worker_write (fuota_worker_t *self, fuota_group_slot_t *slot,
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
        fuota_worker_wake (self, slot->context, device->dev_eui, now->wake_at,
            WAKE_DUE);
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

fuota_env_t
fuota_worker_env (const fuota_worker_t *self, const fuota_group_slot_t *slot,
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

void
fuota_worker_changed (fuota_worker_t *self, fuota_group_slot_t *slot,
    const fuota_group_t *before)
{
    if (!memcmp (&slot->group, before, sizeof *before))
        return;
    slot->dirty = true;
    if (slot->group.wake_at && slot->group.wake_at != before->wake_at)
        fuota_worker_wake (self, slot->context, 0, slot->group.wake_at,
            WAKE_DUE);
    if (slot->group.phase == FUOTA_OVER && before->phase != FUOTA_OVER)
        s_over (self, slot);
}

void
fuota_worker_step (fuota_worker_t *self, fuota_group_slot_t *slot,
    fuota_device_slot_t *device, const fuota_happening_t *happening)
{
    fuota_group_t group = slot->group;
    fuota_device_t before;
    fuota_effects_t out = { .row_count = 0 };
    fuota_env_t env =
        fuota_worker_env (self, slot, device ? device->dev_eui : 0);
    s_surroundings (self, slot, device, &env);
    if (device)
        before = device->device;
    fuota_subject_t subject = { &slot->group, device ? &device->device : NULL };
    fuota_stage_step (subject, happening, &env, &out);
    self->stats.steps++;
    fuota_worker_write (self, slot, device, &out);
    if (device)
        s_device_changed (self, slot, device, &before);
    fuota_worker_changed (self, slot, &group);
}
