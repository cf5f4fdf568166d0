//  SPDX-License-Identifier: MIT
//
//  Deadlines of a worker, and the numbers of deployments they carry.

#include <assert.h>
#include <stdlib.h>
#include "workers/worker_private.h"

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
uint32_t
fuota_worker_context (fuota_worker_t *self, const uint8_t *id)
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

void
fuota_worker_wake (fuota_worker_t *self, uint32_t context, uint64_t dev_eui,
    int64_t at, uint8_t why)
{
    fuota_deadline_entry_t entry = { .at = at,
        .subject = dev_eui,
        .context = context,
        .force = why };
    self->starting += why == WAKE_START;
    //  Without memory for a deadline the engine would stall unnoticed
    int rc = fuota_deadline_put (&self->deadlines, entry);
    assert (rc == 0);
    (void) rc;
}

//  Every device of a deployment that has something before it is looked at; at
//  start its own deadline is set too.
int
fuota_worker_wake_devices (fuota_worker_t *self, const uint8_t *id,
    uint32_t context, bool start)
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
        fuota_worker_wake (self, context, dev_eui, start ? 0 : self->now,
            start ? WAKE_START : WAKE_LOOK);
        if (start && device.wake_at)
            fuota_worker_wake (self, context, dev_eui, device.wake_at,
                WAKE_DUE);
    }
    fuota_scan_close (&scan);
    return 0;
}
