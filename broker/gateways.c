//  SPDX-License-Identifier: MIT
//
//  Gateways as an operator is shown them: each with its air time, with the
//  fate of a deployment's fragments, with the devices of a wish it reaches.

#include <stdio.h>
#include <string.h>
#include "broker/control_private.h"
#include "broker/radio.h"

//  Its hour in each sub-band in which it has sent.
static void
s_bands (fuota_control_t *self, uint64_t gateway, GatewayLine *line)
{
    const fuota_region_t *region =
        fuota_region_find (self->table->defaults->region);
    fuota_key_t prefix = fuota_key_eui (gateway);
    fuota_scan_t scan;
    fuota_air_t air;
    size_t most = sizeof line->bands / sizeof *line->bands;
    if (fuota_scan_open (&scan, self->read, FUOTA_TABLE_AIR, &prefix, NULL))
        return;
    while (line->bands_count < most && fuota_scan_next (&scan)) {
        BandLine band = { .duty = 1000 };
        if (scan.key.size != 12 ||
            fuota_record_decode (Air_fields, &air, scan.value))
            continue;
        uint32_t low = (uint32_t) fuota_be (scan.key.data + 8, 4);
        band.used = fuota_radio_hour (&air, self->now);
        if (low && fuota_region_band (region, low + 1, &band.low, &band.high))
            band.duty = fuota_region_duty (region, low + 1);
        if (band.used)
            line->bands [line->bands_count++] = band;
    }
    fuota_scan_close (&scan);
}

void
fuota_gateways_line (fuota_control_t *self, uint64_t gateway, GatewayLine *line)
{
    fuota_gateway_t record = { .state = FUOTA_GATEWAY_UNKNOWN };
    fuota_key_t key = fuota_key_eui (gateway);
    *line = (GatewayLine){ .gateway = gateway };
    fuota_read_record (self->read, FUOTA_TABLE_GATEWAY, &key, Gateway_fields,
        &record);
    snprintf (line->name, sizeof line->name, "%.40s", record.name);
    snprintf (line->state, sizeof line->state, "%s",
        fuota_gateway_state_name (record.state));
    line->heard_at = record.heard_at;
    s_bands (self, gateway, line);
}

void
fuota_gateways_chosen (fuota_control_t *self, fuota_turn_t *turn)
{
    const fuota_choice_t *choice = &self->choice;
    fuota_reply_t *reply = &turn->reply;
    for (size_t i = 0; i < choice->count; i++) {
        GatewayLine *line = &reply->gateways [reply->gateways_count++];
        fuota_gateways_line (self, choice->gateways [i], line);
        line->devices = choice->devices [i];
    }
    reply->gateways_chosen = choice->automatic;
    reply->unheard = choice->unheard + choice->missed;
    reply->unheard_devices_count = (pb_size_t) choice->named;
    memcpy (reply->unheard_devices, choice->names,
        sizeof reply->unheard_devices);
}
