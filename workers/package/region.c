//  SPDX-License-Identifier: MIT
//
//  Two parts: the tables, and what is asked of them. Regions whose rates are
//  equal share a table and differ in the mask of the rates they have.

#include "workers/package/region.h"

#include <stddef.h>

//  dr, downlink, sf, bandwidth, low rate; N: plain, repeater, dwell time.
//  Rates of uplinks alone are left out.

static const fuota_rate_t s_eu868 [] = {
    { 0, true, 12, 125000, true, 51, 51, 51 },
    { 1, true, 11, 125000, true, 51, 51, 51 },
    { 2, true, 10, 125000, false, 51, 51, 51 },
    { 3, true, 9, 125000, false, 115, 115, 115 },
    { 4, true, 8, 125000, false, 222, 222, 222 },
    { 5, true, 7, 125000, false, 242, 222, 242 },
    { 6, true, 7, 250000, false, 242, 222, 242 },
    { 7, true, 0, 0, false, 242, 222, 242 },
    { 12, true, 6, 125000, false, 242, 222, 242 },
    { 13, true, 5, 125000, false, 242, 222, 242 },
};

//  EU433, RU864; some of them CN779, KR920, IN865
static const fuota_rate_t s_common [] = {
    { 0, true, 12, 125000, true, 51, 51, 51 },
    { 1, true, 11, 125000, true, 51, 51, 51 },
    { 2, true, 10, 125000, false, 51, 51, 51 },
    { 3, true, 9, 125000, false, 115, 115, 115 },
    { 4, true, 8, 125000, false, 242, 222, 242 },
    { 5, true, 7, 125000, false, 242, 222, 242 },
    { 6, true, 7, 250000, false, 242, 222, 242 },
    { 7, true, 0, 0, false, 242, 222, 242 },
    { 12, true, 6, 125000, false, 242, 222, 242 },
    { 13, true, 5, 125000, false, 242, 222, 242 },
};

static const fuota_rate_t s_as923 [] = {
    { 0, true, 12, 125000, true, 51, 51, 0 },
    { 1, true, 11, 125000, true, 51, 51, 0 },
    { 2, true, 10, 125000, false, 115, 115, 11 },
    { 3, true, 9, 125000, false, 115, 115, 53 },
    { 4, true, 8, 125000, false, 242, 222, 125 },
    { 5, true, 7, 125000, false, 242, 222, 242 },
    { 6, true, 7, 250000, false, 242, 222, 242 },
    { 7, true, 0, 0, false, 242, 222, 242 },
    { 12, true, 6, 125000, false, 242, 222, 242 },
    { 13, true, 5, 125000, false, 242, 222, 242 },
};

static const fuota_rate_t s_cn470 [] = {
    { 0, true, 12, 125000, true, 0, 0, 0 },
    { 1, true, 11, 125000, true, 23, 23, 23 },
    { 2, true, 10, 125000, false, 86, 86, 86 },
    { 3, true, 9, 125000, false, 184, 184, 184 },
    { 4, true, 8, 125000, false, 242, 222, 242 },
    { 5, true, 7, 125000, false, 242, 222, 242 },
    { 6, true, 7, 500000, false, 242, 222, 242 },
    { 7, true, 0, 0, false, 242, 222, 242 },
};

//  US915 and AU915
static const fuota_rate_t s_us915 [] = {
    { 0, true, 5, 500000, false, 242, 222, 242 },
    { 8, true, 12, 500000, false, 53, 53, 53 },
    { 9, true, 11, 500000, false, 129, 129, 129 },
    { 10, true, 10, 500000, false, 242, 222, 242 },
    { 11, true, 9, 500000, false, 242, 222, 242 },
    { 12, true, 8, 500000, false, 242, 222, 242 },
    { 13, true, 7, 500000, false, 242, 222, 242 },
    { 14, true, 6, 500000, false, 242, 222, 242 },
};

static const fuota_rate_t s_ism2400 [] = {
    { 0, true, 12, 812000, false, 51, 51, 51 },
    { 1, true, 11, 812000, false, 115, 115, 115 },
    { 2, true, 10, 812000, false, 240, 220, 240 },
    { 3, true, 9, 812000, false, 240, 220, 240 },
    { 4, true, 8, 812000, false, 240, 220, 240 },
    { 5, true, 7, 812000, false, 240, 220, 240 },
    { 6, true, 6, 812000, false, 240, 220, 240 },
    { 7, true, 5, 812000, false, 240, 220, 240 },
};

//  Sub-bands with a limit; between them none is known. At a bound that two
//  share the first, stricter one holds.
typedef struct {
    uint32_t low, high;  //  Hz
    unsigned permille;
} s_duty_t;

static const s_duty_t s_eu868_duty [] = {
    { 863000000, 865000000, 1 },
    { 865000000, 868000000, 10 },
    { 868000000, 868600000, 10 },
    { 868700000, 869200000, 1 },
    { 869400000, 869650000, 100 },
    { 869700000, 870000000, 10 },
};

struct fuota_region {
    const char *name;
    uint32_t low, high;  //  Band, Hz
    uint32_t rx2;
    uint8_t rx2_dr;
    uint32_t ping;  //  0: it hops
    uint8_t ping_dr;
    uint16_t mask;  //  Bit DR: the region has it
    size_t rate_count;
    const fuota_rate_t *rates;
    size_t duty_count;
    const s_duty_t *duty;
};

#define S_TABLE(table) sizeof (table) / sizeof *(table), (table)
#define S_NO_DUTY 0, NULL

//  name, band, RX2 and its data rate, ping slot and its data rate, rates,
//  duty cycle. The bands are the published ones, on the wide side: a national
//  rule inside them is the operator's to know.
static const fuota_region_t s_regions [] = {
    { "EU868", 863000000, 870000000, 869525000, 0, 869525000, 3, 0x30ff,
        S_TABLE (s_eu868), S_TABLE (s_eu868_duty) },
    { "US915", 902000000, 928000000, 923300000, 8, 0, 8, 0x7f01,
        S_TABLE (s_us915), S_NO_DUTY },
    { "CN779", 779000000, 787000000, 786000000, 0, 785000000, 3, 0x00ff,
        S_TABLE (s_common), S_NO_DUTY },
    { "EU433", 433050000, 434790000, 434665000, 0, 434665000, 3, 0x30ff,
        S_TABLE (s_common), S_NO_DUTY },
    { "AU915", 915000000, 928000000, 923300000, 8, 0, 8, 0x7f01,
        S_TABLE (s_us915), S_NO_DUTY },
    { "CN470", 470000000, 510000000, 505300000, 0, 0, 2, 0x00ff,
        S_TABLE (s_cn470), S_NO_DUTY },
    { "AS923", 915000000, 928000000, 923200000, 2, 923400000, 3, 0x30ff,
        S_TABLE (s_as923), S_NO_DUTY },
    { "AS923_2", 915000000, 928000000, 921400000, 2, 921600000, 3, 0x30ff,
        S_TABLE (s_as923), S_NO_DUTY },
    { "AS923_3", 915000000, 928000000, 916600000, 2, 916800000, 3, 0x30ff,
        S_TABLE (s_as923), S_NO_DUTY },
    { "AS923_4", 917000000, 920000000, 917300000, 2, 917500000, 3, 0x30ff,
        S_TABLE (s_as923), S_NO_DUTY },
    { "KR920", 920000000, 925000000, 921900000, 0, 923100000, 3, 0x003f,
        S_TABLE (s_common), S_NO_DUTY },
    { "IN865", 865000000, 868000000, 866550000, 2, 866550000, 4, 0x30bf,
        S_TABLE (s_common), S_NO_DUTY },
    { "RU864", 864000000, 870000000, 869100000, 0, 868900000, 3, 0x30ff,
        S_TABLE (s_common), S_NO_DUTY },
    { "ISM2400", 2400000000, 2480000000, 2423000000, 0, 2424000000, 0, 0x00ff,
        S_TABLE (s_ism2400), S_NO_DUTY },
};

#define S_REGIONS (sizeof s_regions / sizeof *s_regions)

//  As the tables write it: capital letters, underscores. Not toupper, which
//  asks the locale.
static char
s_fold (char c)
{
    if (c == '-')
        return '_';
    return c >= 'a' && c <= 'z' ? (char) (c - 'a' + 'A') : c;
}

static bool
s_same_name (const char *ours, const char *given)
{
    while (*ours && *ours == s_fold (*given)) {
        ours++;
        given++;
    }
    return !*ours && !*given;
}

const fuota_region_t *
fuota_region_find (const char *name)
{
    for (size_t i = 0; i < S_REGIONS; i++)
        if (s_same_name (s_regions [i].name, name))
            return &s_regions [i];
    return NULL;
}

const char *
fuota_region_name (unsigned i)
{
    return i < S_REGIONS ? s_regions [i].name : NULL;
}

const fuota_rate_t *
fuota_region_rate (const fuota_region_t *self, unsigned dr)
{
    if (dr > 15 || !(self->mask >> dr & 1))
        return NULL;
    for (size_t i = 0; i < self->rate_count; i++)
        if (self->rates [i].dr == dr)
            return &self->rates [i];
    return NULL;
}

bool
fuota_region_has_frequency (const fuota_region_t *self, uint32_t hz,
    uint32_t *low, uint32_t *high)
{
    if (low)
        *low = self->low;
    if (high)
        *high = self->high;
    return hz >= self->low && hz <= self->high;
}

uint32_t
fuota_region_rx2 (const fuota_region_t *self, uint8_t *dr)
{
    if (dr)
        *dr = self->rx2_dr;
    return self->rx2;
}

uint32_t
fuota_region_ping (const fuota_region_t *self, uint8_t *dr)
{
    if (dr)
        *dr = self->ping_dr;
    return self->ping;
}

static const s_duty_t *
s_duty (const fuota_region_t *self, uint32_t hz)
{
    for (size_t i = 0; i < self->duty_count; i++)
        if (hz >= self->duty [i].low && hz <= self->duty [i].high)
            return &self->duty [i];
    return NULL;
}

unsigned
fuota_region_duty (const fuota_region_t *self, uint32_t hz)
{
    const s_duty_t *duty = s_duty (self, hz);
    return duty ? duty->permille : 1000;
}

bool
fuota_region_band (const fuota_region_t *self, uint32_t hz, uint32_t *low,
    uint32_t *high)
{
    const s_duty_t *duty = s_duty (self, hz);
    *low = duty ? duty->low : 0;
    *high = duty ? duty->high : 0;
    return duty != NULL;
}

//  MHDR, DevAddr, FCtrl, FCnt, FPort, MIC
#define S_OVERHEAD 13

//  A downlink has an explicit header and no CRC; its preamble takes 8 symbols
//  and 4.25 more, 12 and 6.25 at SF5 and SF6, so quarters are counted. The
//  coding rate is 4/5, and 4/8 at 2.4 GHz, where this is an approximation:
//  long interleaving has a formula of its own.
static uint32_t
s_lora (const fuota_rate_t *rate, uint32_t size)
{
    bool fast = rate->sf < 7;
    uint32_t bits = 8 * size - 4u * rate->sf + (fast ? 20 : 28);
    uint32_t block = 4u * (rate->sf - (rate->low_rate ? 2u : 0u));
    uint32_t coded = rate->bandwidth == 812000 ? 8 : 5;
    uint32_t symbols = 8 + (bits + block - 1) / block * coded;
    uint32_t quarters = 4 * symbols + (fast ? 4 * 12 + 25 : 4 * 8 + 17);
    uint64_t us = ((uint64_t) quarters << rate->sf) * 1000000;
    uint64_t divisor = (uint64_t) 4 * rate->bandwidth;
    return (uint32_t) ((us + divisor - 1) / divisor);
}

//  FSK at 50 kbit/s: preamble 5, sync word 3, length 1, CRC 2 bytes.
uint32_t
fuota_region_air_time (const fuota_rate_t *rate, unsigned payload)
{
    uint32_t size = payload + S_OVERHEAD;
    if (rate->sf == 0)
        return (5 + 3 + 1 + size + 2) * 160;
    return s_lora (rate, size);
}
