//  SPDX-License-Identifier: MIT
//
//  Parts: the table; channels; rates; slots and air time. Regional parameters
//  RP002-1.0.4; the API's numbers are those of chirpstack-host.md A.3.

#include "broker/host/lora_plan.h"

#include <string.h>

#define OVERHEAD 13  //  That region.h adds to an application payload

struct fuota_lora_plan {
    const char *name;
    uint8_t number;  //  common.Region
    uint8_t first_sf;
    uint8_t rates;     //  Of uplinks, from DR0 on, LoRa at that bandwidth
    uint8_t rx1_base;  //  RX1 rate of DR0 (fixed plans)
    bool fixed;
    uint32_t bandwidth;
    uint32_t channel [3];  //  Fixed: the first, and the first of 500 kHz
    const uint8_t *max_n;
};

static const uint8_t s_usual [] = { 51, 51, 51, 115, 222, 222, 222 };
static const uint8_t s_us [] = { 11, 53, 125, 222, 222 };
static const uint8_t s_ism [] = { 51, 115, 220, 220, 220, 220, 220, 220 };

#define DYNAMIC(name, number, a, b, c)                                         \
    {                                                                          \
        name, number, 12, 6, 0, false, 125000, { a, b, c }, s_usual            \
    }

static const fuota_lora_plan_t s_plans [] = {
    DYNAMIC ("EU868", 0, 868100000, 868300000, 868500000),
    { "US915", 2, 10, 5, 10, true, 125000, { 902300000, 903000000 }, s_us },
    DYNAMIC ("CN779", 3, 779500000, 779700000, 779900000),
    DYNAMIC ("EU433", 4, 433175000, 433375000, 433575000),
    { "AU915", 5, 12, 7, 8, true, 125000, { 915200000, 915900000 }, s_usual },
    DYNAMIC ("AS923", 7, 923200000, 923400000, 0),
    DYNAMIC ("AS923_2", 12, 921400000, 921600000, 0),
    DYNAMIC ("AS923_3", 13, 916600000, 916800000, 0),
    DYNAMIC ("AS923_4", 14, 917300000, 917500000, 0),
    DYNAMIC ("KR920", 8, 922100000, 922300000, 922500000),
    DYNAMIC ("IN865", 9, 865062500, 865402500, 865985000),
    DYNAMIC ("RU864", 10, 868900000, 869100000, 0),
    { "ISM2400", 11, 12, 8, 0, false, 812000,
        { 2403000000, 2425000000, 2479000000 }, s_ism },
};

const fuota_lora_plan_t *
fuota_lora_plan_find (const char *name)
{
    const fuota_region_t *region = fuota_region_find (name);
    for (size_t i = 0; region && i < sizeof s_plans / sizeof *s_plans; i++)
        if (fuota_region_find (s_plans [i].name) == region)
            return &s_plans [i];
    return NULL;
}

const fuota_region_t *
fuota_lora_plan_region (const fuota_lora_plan_t *self)
{
    return fuota_region_find (self->name);
}

unsigned
fuota_lora_plan_number (const fuota_lora_plan_t *self)
{
    return self->number;
}

//  ---------------------------------------------------------------------
//  Channels

bool
fuota_lora_plan_fixed (const fuota_lora_plan_t *self)
{
    return self->fixed;
}

unsigned
fuota_lora_plan_channels (const fuota_lora_plan_t *self)
{
    if (self->fixed)
        return FUOTA_LORA_CHANNELS;
    return self->channel [2] ? 3 : 2;
}

uint32_t
fuota_lora_plan_channel (const fuota_lora_plan_t *self, unsigned i)
{
    if (i >= fuota_lora_plan_channels (self))
        return 0;
    if (!self->fixed)
        return self->channel [i];
    return i < 64 ? self->channel [0] + 200000 * i
                  : self->channel [1] + 1600000 * (i - 64);
}

//  ---------------------------------------------------------------------
//  Rates

bool
fuota_lora_plan_up (const fuota_lora_plan_t *self, unsigned dr,
    fuota_lora_radio_t *radio, uint8_t *max_n)
{
    if (dr >= self->rates)
        return false;
    //  The last rate of a fixed plan is that of its wide channels
    bool wide = self->fixed && dr == self->rates - 1u;
    radio->sf = wide ? 8 : (uint8_t) (self->first_sf - dr);
    radio->bandwidth = wide ? 500000 : self->bandwidth;
    *max_n = self->max_n [dr];
    return true;
}

uint32_t
fuota_lora_plan_rx1 (const fuota_lora_plan_t *self, unsigned channel,
    uint32_t frequency)
{
    return self->fixed ? 923300000 + 600000 * (channel % 8) : frequency;
}

uint8_t
fuota_lora_plan_rx1_dr (const fuota_lora_plan_t *self, unsigned dr,
    unsigned offset)
{
    int rate = (int) (dr + self->rx1_base) - (int) offset;
    int least = self->fixed ? 8 : 0, most = self->fixed ? 13 : 7;
    //  AS923 and IN865: offsets 6 and 7 raise the rate
    bool raises = strncmp (self->name, "AS923", 5) == 0 ||
                  strcmp (self->name, "IN865") == 0;
    if (raises && offset > 5) {
        rate = (int) (dr + offset) - 5;
        most = 5;
    }
    return (uint8_t) (rate < least ? least : rate > most ? most : rate);
}

bool
fuota_lora_plan_down (const fuota_lora_plan_t *self, unsigned dr,
    fuota_lora_radio_t *radio)
{
    const fuota_rate_t *rate =
        fuota_region_rate (fuota_lora_plan_region (self), dr);
    if (!rate)
        return false;
    radio->sf = rate->sf;
    radio->bandwidth = rate->bandwidth;
    return true;
}

//  ---------------------------------------------------------------------
//  Slots and air time

uint32_t
fuota_lora_plan_ping (const fuota_lora_plan_t *self, uint32_t mc_addr,
    uint32_t beacon_time)
{
    uint32_t ping = fuota_region_ping (fuota_lora_plan_region (self), NULL);
    if (ping)
        return ping;
    return 923300000 + 600000 * ((mc_addr + beacon_time / 128) % 8);
}

uint32_t
fuota_lora_plan_air_time (const fuota_lora_radio_t *radio, size_t size)
{
    //  Low-data-rate optimisation where a symbol takes more than 16 ms
    fuota_rate_t rate = { .sf = radio->sf,
        .bandwidth = radio->bandwidth,
        .low_rate = radio->sf &&
                    (1000u << radio->sf) > 16 * (uint64_t) radio->bandwidth };
    size_t payload = size > OVERHEAD ? size - OVERHEAD : 0;
    return (fuota_region_air_time (&rate, (unsigned) payload) + 999) / 1000;
}
