//  SPDX-License-Identifier: MIT
//
//  Parts: life; what happens; turns.

#include <stdlib.h>
#include "workers/package/mckey.h"
#include "workers/worker_private.h"

//  Commands of one payload we look at: a device answers what it was asked
#define COMMANDS_MAX 32

static const fuota_happening_t s_look = { .kind = FUOTA_TICK };

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
        uint32_t context = fuota_worker_context (self, scan.key.data);
        if (context == UINT32_MAX)
            rc = FUOTA_EFULL;
        else {
            //  Before any deadline that passed meanwhile
            fuota_worker_wake (self, context, 0, 0, WAKE_START);
            if (group.wake_at)
                fuota_worker_wake (self, context, 0, group.wake_at, WAKE_DUE);
            rc = fuota_worker_wake_devices (self, scan.key.data, context, true);
        }
    }
    fuota_scan_close (&scan);
    return rc;
}

static fuota_key_t
s_alive_key (void)
{
    return fuota_key_bytes ("alive", 5);
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
    key = s_alive_key ();
    if (!fuota_read_get (self->read, FUOTA_TABLE_META, &key, &value) &&
        value.size == 8 && (int64_t) fuota_be (value.data, 8) < now)
        self->away = now - (int64_t) fuota_be (value.data, 8);
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
//  What happens

//  Whose records must be there.
static uint16_t
s_group (fuota_worker_t *self, const uint8_t *id)
{
    uint16_t at = fuota_worker_group (self, id);
    self->stats.refused += at == NO_SLOT;
    return at;
}

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
    fuota_device_slot_t *device =
        fuota_worker_device (self, at, event->dev_eui);
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
        fuota_worker_step (self, slot, device, &happening);
    }
    bool joined = event->kind == FUOTA_EVENT_JOIN;
    if (device->device.asked == FUOTA_ASKED_NOT && !joined)
        return;
    happening.kind = joined ? FUOTA_JOINED : FUOTA_UPLINK_SEEN;
    happening.command = NULL;
    fuota_worker_step (self, slot, device, &happening);
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
        uint16_t group = s_group (self, scan.key.data + 8);
        if (group != NO_SLOT)
            s_uplink (self, group, event);
    }
    fuota_scan_close (&scan);
}

static void
s_outcome (fuota_worker_t *self, const fuota_outcome_t *outcome)
{
    uint16_t group = s_group (self, outcome->deployment);
    if (group == NO_SLOT)
        return;
    fuota_device_slot_t *device = NULL;
    if (outcome->dev_eui) {
        device = fuota_worker_device (self, group, outcome->dev_eui);
        if (!device)
            return;
    }
    fuota_happening_t happening = { .kind = FUOTA_OUTCOME, .outcome = outcome };
    fuota_worker_step (self, &self->groups [group], device, &happening);
}

void
fuota_worker_outcome (fuota_worker_t *self, const fuota_outcome_t *outcome)
{
    self->stats.outcomes++;
    if (self->config.owner == FUOTA_OWNER_CLOCK)
        fuota_worker_clock_outcome (self, outcome);
    else
        s_outcome (self, outcome);
    //  After the step, which may have withdrawn it: a row that came back would
    //  wait for good, and whatever is wanted of its device behind it
    fuota_worker_drop (self, outcome->row);
}

void
fuota_worker_operate (fuota_worker_t *self, fuota_operate_t operate,
    const uint8_t *id)
{
    uint16_t at = s_group (self, id);
    if (at == NO_SLOT)
        return;
    fuota_group_slot_t *slot = &self->groups [at];
    fuota_group_t before = slot->group;
    fuota_effects_t out = { .row_count = 0 };
    fuota_env_t env = fuota_worker_env (self, slot, 0);
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
    fuota_worker_write (self, slot, NULL, &out);
    fuota_worker_changed (self, slot, &before);
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

//  What is removed when it is over may have deadlines left.
static bool
s_removed (fuota_worker_t *self, const uint8_t *id)
{
    fuota_key_t key = fuota_key_id (id);
    fuota_slice_t value;
    return fuota_read_get (self->read, FUOTA_TABLE_GROUP, &key, &value) ==
           FUOTA_ENOTFOUND;
}

void
fuota_worker_tick (fuota_worker_t *self)
{
    fuota_deadline_entry_t entry;
    if (self->orders)
        s_carry_out (self);
    while (!fuota_worker_full (self) &&
           fuota_deadline_take (&self->deadlines, self->now, &entry)) {
        fuota_happening_t look = { .kind = FUOTA_TICK };
        if (entry.force == WAKE_START) {
            self->starting--;
            look = (fuota_happening_t){ .kind = FUOTA_STARTED,
                .away = self->away };
        }
        const uint8_t *id = self->contexts [entry.context];
        uint16_t at = fuota_worker_group (self, id);
        if (at == NO_SLOT) {
            self->stats.refused += !s_removed (self, id);
            continue;
        }
        fuota_group_slot_t *slot = &self->groups [at];
        fuota_device_slot_t *device =
            entry.subject ? fuota_worker_device (self, at, entry.subject)
                          : NULL;
        if (entry.subject && !device)
            continue;
        int64_t wake_at = device ? device->device.wake_at : slot->group.wake_at;
        //  Out of date: the record has another deadline by now
        if (!entry.force && (!wake_at || wake_at > self->now))
            continue;
        self->stats.deadlines++;
        fuota_worker_step (self, slot, device, &look);
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
            fuota_worker_step (self, slot, NULL, &s_look);
        }
        if (slot->wake_devices && slot->context != UINT32_MAX)
            fuota_worker_wake_devices (self, slot->id, slot->context, false);
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

static void
s_put_number (fuota_worker_t *self, fuota_key_t key, uint64_t number)
{
    uint8_t bytes [8];
    fuota_writer_t writer = fuota_writer (bytes, sizeof bytes);
    fuota_writer_be (&writer, number, 8);
    fuota_batch_put (&self->batch, FUOTA_TABLE_META, &key,
        fuota_slice (bytes, sizeof bytes));
}

const fuota_batch_t *
fuota_worker_end (fuota_worker_t *self)
{
    s_settle_groups (self);
    s_write_records (self);
    if (self->batch.rows) {
        s_put_number (self, s_sequence_key (self), self->next_row);
        //  Not before all know how long we were away
        if (self->config.owner == FUOTA_OWNER_DEPLOYMENT && !self->starting)
            s_put_number (self, s_alive_key (), (uint64_t) self->now);
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
