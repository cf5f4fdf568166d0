//  SPDX-License-Identifier: MIT
//
//  Records at rest and messages: the first byte names the kind, the rest is
//  decoded, encoded, decoded again; what comes of it must stay the same.

#include <stdlib.h>
#include "broker/radio.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

typedef union {
    fuota_event_t event;
    fuota_downlink_t downlink;
    fuota_outcome_t outcome;
    fuota_deployment_t deployment;
    fuota_group_t group;
    fuota_device_t device;
    fuota_route_t route;
    fuota_clock_t clock;
    fuota_row_t row;
    fuota_image_t image;
    fuota_line_t line;
    fuota_reception_t reception;
    fuota_gateway_t gateway;
    fuota_fate_t fate;
    fuota_air_t air;
} record_t;

static const pb_msgdesc_t *const s_kinds [] = { Event_fields, Downlink_fields,
    Outcome_fields, Deployment_fields, Group_fields, Device_fields,
    Route_fields, Clock_fields, OutboxRow_fields, Image_fields,
    JournalLine_fields, Reception_fields, Gateway_fields, Fate_fields,
    Air_fields };

#define KINDS (sizeof s_kinds / sizeof *s_kinds)

//  Names are looked up with whatever numbers a record holds.
static void
s_use (size_t kind, const record_t *record)
{
    char text [128];
    if (s_kinds [kind] == Device_fields)
        fuota_end_text (&record->device, text, sizeof text);
    if (s_kinds [kind] == Group_fields)
        fuota_phase_name (&record->group);
    if (s_kinds [kind] == Reception_fields)
        for (pb_size_t i = 0; i < record->reception.heard_count; i++)
            fuota_radio_covers (&record->reception,
                record->reception.heard [i].count);
    if (s_kinds [kind] == Air_fields)
        fuota_radio_hour (&record->air, 1772446530250);
    if (s_kinds [kind] == Gateway_fields)
        fuota_gateway_state_name (record->gateway.state);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static record_t first, second;
    uint8_t once [2 * FUOTA_RECORD_MAX], twice [2 * FUOTA_RECORD_MAX];
    if (!size)
        return 0;
    size_t kind = data [0] % KINDS;
    if (fuota_record_decode (s_kinds [kind], &first,
            fuota_slice (data + 1, size - 1)))
        return 0;
    s_use (kind, &first);
    //  Each record that was read can be written, in the room that is given
    size_t a = fuota_record_encode (s_kinds [kind], &first, once, sizeof once);
    if (a > FUOTA_RECORD_MAX)
        abort ();
    if (fuota_record_decode (s_kinds [kind], &second, fuota_slice (once, a)))
        abort ();
    size_t b =
        fuota_record_encode (s_kinds [kind], &second, twice, sizeof twice);
    if (a != b || memcmp (once, twice, a))
        abort ();
    return 0;
}
