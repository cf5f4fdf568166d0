//  SPDX-License-Identifier: MIT
//
//  Parts: gateways by index; who reaches a device; the choice; its faults.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "broker/choice.h"
#include "broker/radio.h"

#define PLACES (2 * FUOTA_COVER_GATEWAYS)  //  Of a hash; power of two
#define ENOUGH 90                          //  Per cent of devices heard

typedef struct {
    fuota_read_t *read;
    bool told;  //  The host has said how gateways are
    size_t count;
    uint64_t gateways [FUOTA_COVER_GATEWAYS];
    bool usable [FUOTA_COVER_GATEWAYS];
    uint16_t places [PLACES];  //  Index and 1; 0 = free
    fuota_cover_device_t *devices;
    uint32_t reach [FUOTA_COVER_GATEWAYS];
} self_t;

//  ---------------------------------------------------------------------
//  Gateways by index

//  Has the host said anything of any gateway?
static bool
s_told (fuota_read_t *read)
{
    fuota_scan_t scan;
    fuota_gateway_t gateway;
    bool told = false;
    if (fuota_scan_open (&scan, read, FUOTA_TABLE_GATEWAY, NULL, NULL))
        return false;
    while (!told && fuota_scan_next (&scan))
        told = !fuota_record_decode (Gateway_fields, &gateway, scan.value) &&
               gateway.state != FUOTA_GATEWAY_UNKNOWN;
    fuota_scan_close (&scan);
    return told;
}

static bool
s_usable (const self_t *self, uint64_t eui)
{
    fuota_gateway_t gateway;
    fuota_key_t key = fuota_key_eui (eui);
    if (!self->told)
        return true;
    return !fuota_read_record (self->read, FUOTA_TABLE_GATEWAY, &key,
               Gateway_fields, &gateway) &&
           gateway.state == FUOTA_GATEWAY_ONLINE;
}

//  Its index, FUOTA_COVER_GATEWAYS if there are too many.
static uint16_t
s_index (self_t *self, uint64_t eui)
{
    size_t at = (size_t) (eui * 0x9e3779b97f4a7c15u >> 40) % PLACES;
    for (; self->places [at]; at = (at + 1) % PLACES)
        if (self->gateways [self->places [at] - 1] == eui)
            return self->places [at] - 1;
    if (self->count == FUOTA_COVER_GATEWAYS)
        return FUOTA_COVER_GATEWAYS;
    self->gateways [self->count] = eui;
    self->usable [self->count] = s_usable (self, eui);
    self->places [at] = (uint16_t) ++self->count;
    return (uint16_t) (self->count - 1);
}

//  ---------------------------------------------------------------------
//  Who reaches a device

static void
s_name (fuota_choice_t *out, uint64_t dev_eui)
{
    if (out->named < FUOTA_CHOICE_NAMED)
        out->names [out->named++] = dev_eui;
}

static void
s_device (self_t *self, uint64_t dev_eui, fuota_cover_device_t *device)
{
    fuota_reception_t reception;
    fuota_key_t key = fuota_key_eui (dev_eui);
    if (fuota_read_record (self->read, FUOTA_TABLE_RECEPTION, &key,
            Reception_fields, &reception))
        return;
    for (pb_size_t i = 0; i < reception.heard_count; i++) {
        if (!fuota_radio_covers (&reception, reception.heard [i].count))
            continue;
        uint16_t at = s_index (self, reception.heard [i].gateway);
        if (at < FUOTA_COVER_GATEWAYS && self->usable [at])
            device->at [device->count++] = at;
    }
}

static size_t
s_devices (self_t *self, const uint64_t *euis, size_t count,
    fuota_choice_t *out)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (i && euis [i] == euis [i - 1])
            continue;
        fuota_cover_device_t *device = &self->devices [used++];
        s_device (self, euis [i], device);
        if (!device->count) {
            out->unheard++;
            s_name (out, euis [i]);
        }
    }
    out->total = (uint32_t) used;
    return used;
}

//  ---------------------------------------------------------------------
//  The choice

//  What those named reach; a gateway nobody was heard by has an index, too.
static size_t
s_named (self_t *self, const uint64_t *gateways, size_t count,
    size_t device_count, uint16_t chosen [FUOTA_COVER_MOST])
{
    size_t size = 0;
    for (size_t i = 0; i < count && size < FUOTA_COVER_MOST; i++) {
        uint16_t at = s_index (self, gateways [i]);
        if (at == FUOTA_COVER_GATEWAYS)
            continue;
        chosen [size++] = at;
        for (size_t n = 0; n < device_count; n++)
            for (unsigned k = 0; k < self->devices [n].count; k++)
                if (self->devices [n].at [k] == at)
                    self->devices [n].times++;
    }
    return size;
}

static void
s_fill (self_t *self, const uint64_t *euis, size_t count, size_t device_count,
    const uint16_t *chosen, fuota_choice_t *out)
{
    size_t n = 0;
    for (size_t i = 0; i < device_count; i++)
        for (unsigned k = 0; k < self->devices [i].count; k++)
            self->reach [self->devices [i].at [k]]++;
    for (size_t i = 0; i < out->count; i++) {
        out->gateways [i] = self->gateways [chosen [i]];
        out->devices [i] = self->reach [chosen [i]];
    }
    for (size_t i = 0; i < count; i++) {
        if (i && euis [i] == euis [i - 1])
            continue;
        const fuota_cover_device_t *device = &self->devices [n++];
        if (device->count && !device->times) {
            out->missed++;
            s_name (out, euis [i]);
        }
    }
}

void
fuota_choice_make (fuota_read_t *read, const uint64_t *devices, size_t count,
    const uint64_t *gateways, size_t gateway_count, fuota_choice_t *out)
{
    uint16_t chosen [FUOTA_COVER_MOST];
    size_t left;
    self_t *self = calloc (1, sizeof *self);
    *out = (fuota_choice_t){ .automatic = gateway_count == 0 };
    if (self)
        self->devices = calloc (count + 1, sizeof *self->devices);
    out->failed = !self || !self->devices;
    if (!out->failed) {
        self->read = read;
        self->told = s_told (read);
        size_t used = s_devices (self, devices, count, out);
        out->count = gateway_count
                         ? s_named (self, gateways, gateway_count, used, chosen)
                         : fuota_cover (self->devices, used, chosen, &left);
        s_fill (self, devices, count, used, chosen, out);
        free (self->devices);
    }
    free (self);
}

//  ---------------------------------------------------------------------
//  Its faults

static void
s_list (const fuota_choice_t *choice, char *text, size_t size)
{
    size_t at = 0;
    *text = 0;
    for (size_t i = 0; i < choice->named && i < 2; i++)
        at += (size_t) snprintf (text + at, size - at, "%s%016llx",
            i ? ", " : "", (unsigned long long) choice->names [i]);
    if (choice->unheard > 2)
        snprintf (text + at, size - at, ", ...");
}

bool
fuota_choice_wrong (const fuota_choice_t *choice, char *words, size_t size)
{
    char list [64];
    uint32_t heard = choice->total - choice->unheard;
    s_list (choice, list, sizeof list);
    if (choice->failed)
        snprintf (words, size, "a list: there is no memory to choose");
    else if (!choice->total)
        return false;  //  A fault of the devices
    else if (!heard)
        snprintf (words, size,
            "a list (--gateway), or wait for uplinks: no gateway that is "
            "online has heard any of these devices yet");
    else if ((uint64_t) heard * 100 < (uint64_t) choice->total * ENOUGH)
        snprintf (words, size,
            "a list (--gateway), or wait for uplinks: %u of %u devices not "
            "heard (%s), at most one in ten may be",
            (unsigned) choice->unheard, (unsigned) choice->total, list);
    else if (choice->missed)
        snprintf (words, size,
            "a list, or fewer devices: %u of %u are out of reach of the best "
            "%u gateways",
            (unsigned) choice->missed, (unsigned) choice->total,
            (unsigned) FUOTA_COVER_MOST);
    else
        return false;
    return true;
}
