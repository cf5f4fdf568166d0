//  SPDX-License-Identifier: MIT
//
//  Gateways, as fuotactl prints them.

#include <stdio.h>
#include "broker/print.h"
#include "schema/record.h"

#define HOUR 3600000ull

//  "0016c001f1500001  roof".
static void
s_head (const GatewayLine *line)
{
    printf ("%016llx  %-20s", (unsigned long long) line->gateway, line->name);
}

//  Against the sub-band's limit, where one is known.
static void
s_band (const BandLine *band)
{
    char used [40], most [40];
    fuota_report_duration (band->used, used, sizeof used);
    if (!band->low) {
        printf ("%38s on air in the last hour, no limit known\n", used);
        return;
    }
    fuota_report_duration ((int64_t) (HOUR * band->duty / 1000), most,
        sizeof most);
    printf ("%18s%u.%02u-%u.%02u MHz: %s of %s in the last hour (%u %%)\n", "",
        (unsigned) (band->low / 1000000), (unsigned) (band->low / 10000 % 100),
        (unsigned) (band->high / 1000000),
        (unsigned) (band->high / 10000 % 100), used, most,
        (unsigned) (band->used * 100000ull / (HOUR * band->duty)));
}

static void
s_state (const GatewayLine *line)
{
    char heard [40];
    fuota_report_time (line->heard_at, heard, sizeof heard);
    s_head (line);
    printf ("  %-10s  heard %s\n", line->state, heard);
    for (pb_size_t i = 0; i < line->bands_count; i++)
        s_band (&line->bands [i]);
}

//  What the fragments it was given came to.
static void
s_fate (fuota_print_t *self, const GatewayLine *line)
{
    uint32_t given = 0, refused = 0;
    const uint32_t *words = line->by_word;
    for (pb_size_t i = 0; i < line->by_word_count; i++)
        given += words [i];
    for (pb_size_t i = FUOTA_WORD_OK + 1; i < line->by_word_count; i++)
        refused += words [i];
    if (!self->seen++)
        printf ("%-16s  %-20s %8s %8s %8s %8s\n", "gateway", "name", "given",
            "sent", "no word", "refused");
    s_head (line);
    printf (" %8u %8u %8u %8u", (unsigned) given,
        (unsigned) words [FUOTA_WORD_OK], (unsigned) words [0],
        (unsigned) refused);
    for (pb_size_t i = FUOTA_WORD_OK + 1; i < line->by_word_count; i++)
        if (words [i])
            printf ("  %s %u", fuota_word_name (i), (unsigned) words [i]);
    printf ("\n");
}

bool
fuota_print_gateways (void *arg, const Reply *reply)
{
    fuota_print_t *self = arg;
    for (pb_size_t i = 0; i < reply->gateways_count; i++) {
        const GatewayLine *line = &reply->gateways [i];
        if (self->list)
            json_array_append_new (self->list, fuota_json_gateway (line));
        else if (line->by_word_count)
            s_fate (self, line);
        else
            s_state (line);
    }
    return true;
}

void
fuota_print_chosen (const Reply *reply)
{
    if (reply->gateways_count)
        printf ("gateways  %s\n", reply->gateways_chosen
                                      ? "chosen by the uplinks they heard"
                                      : "as named");
    for (pb_size_t i = 0; i < reply->gateways_count; i++) {
        printf ("          ");
        s_head (&reply->gateways [i]);
        printf ("  hears %u of the devices  %s\n",
            (unsigned) reply->gateways [i].devices, reply->gateways [i].state);
    }
    if (!reply->unheard)
        return;
    printf ("          not heard by them: %u", (unsigned) reply->unheard);
    for (pb_size_t i = 0; i < reply->unheard_devices_count; i++)
        printf ("%s%016llx", i % 4 ? " " : "\n          ",
            (unsigned long long) reply->unheard_devices [i]);
    printf ("%s\n",
        reply->unheard > reply->unheard_devices_count ? " ..." : "");
}
