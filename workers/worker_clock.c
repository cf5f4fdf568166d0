//  SPDX-License-Identifier: MIT

#include "workers/clock.h"
#include "workers/worker_private.h"

static bool
s_answered (const fuota_worker_t *self, const char *application)
{
    for (size_t i = 0; i < self->config.application_count; i++)
        if (!strcmp (self->config.applications [i], "*") ||
            !strcmp (self->config.applications [i], application))
            return true;
    return false;
}

//  Port and version of TS003 on this device: as its deployments say, else the
//  usual ones. False if it has none.
static bool
s_dialect (fuota_worker_t *self, uint64_t dev_eui, uint32_t *port,
    unsigned *version)
{
    fuota_key_t prefix = fuota_key_eui (dev_eui);
    fuota_scan_t scan;
    fuota_route_t route;
    *port = self->config.port003;
    *version = 1;
    if (fuota_scan_open (&scan, self->read, FUOTA_TABLE_ROUTE, &prefix, NULL))
        return true;
    if (fuota_scan_next (&scan) &&
        !fuota_record_decode (Route_fields, &route, scan.value)) {
        *port = route.dialect.port003;
        *version = route.dialect.ts003;
    }
    fuota_scan_close (&scan);
    return *version != 0;
}

static void
s_answer (fuota_worker_t *self, const fuota_event_t *event,
    const fuota_command_t *request)
{
    fuota_key_t key = fuota_key_eui (event->dev_eui);
    fuota_device_slot_t *slot =
        fuota_worker_slot (self, 0, event->dev_eui, &key);
    fuota_command_t answer;
    if (!slot)
        return;
    slot->dirty = true;
    if (!fuota_clock_answer (&slot->clock, request, event->received_at,
            self->config.leap_extra, self->config.threshold, &answer))
        return;
    if (slot->clock.row)
        fuota_worker_drop (self, slot->clock.row);
    fuota_row_t row = { .kind = FUOTA_UNICAST,
        .dev_eui = event->dev_eui,
        .f_port = event->f_port,
        //  A difference, not a time: good for a later window too
        .expires_at = self->now + 3600000 };
    fuota_writer_t writer =
        fuota_writer (row.data.bytes, sizeof row.data.bytes);
    if (fuota_package_encode (&answer, &writer))
        return;
    row.data.size = (pb_size_t) writer.at;
    slot->clock.row = fuota_worker_row (self, &row);
}

void
fuota_worker_clock_event (fuota_worker_t *self, const fuota_event_t *event)
{
    uint32_t port;
    unsigned version;
    fuota_command_t commands [8];
    size_t count = 0;
    if (!s_answered (self, event->application) ||
        !s_dialect (self, event->dev_eui, &port, &version) ||
        event->f_port != port)
        return;
    if (fuota_package_decode (FUOTA_TS003, version, FUOTA_UPLINK,
            event->data.bytes, event->data.size, commands, 8, &count))
        self->stats.malformed++;
    for (size_t i = 0; i < count; i++) {
        self->stats.commands++;
        if (commands [i].id == FUOTA_APP_TIME_REQ)
            s_answer (self, event, &commands [i]);
    }
}

void
fuota_worker_clock_outcome (fuota_worker_t *self,
    const fuota_outcome_t *outcome)
{
    fuota_key_t key = fuota_key_eui (outcome->dev_eui);
    fuota_device_slot_t *slot =
        fuota_worker_slot (self, 0, outcome->dev_eui, &key);
    if (slot && slot->clock.row == outcome->row) {
        slot->clock.row = 0;
        slot->dirty = true;
    }
}
