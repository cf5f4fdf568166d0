//  SPDX-License-Identifier: MIT
//
//  Parts: region, rate and frequency; fragments and parity; period and
//  window. What lacks its ground is left out: one wrong field is one fault.

#include <string.h>
#include "broker/wish_private.h"
#include "workers/package/gpstime.h"

#define LEAD_MAX 16777215000ll  //  TimeToStart has 24 bits: 194 days

//  Was a field of the table found wrong? Then nothing is built on it.
static bool
s_wrong (const fuota_wish_check_t *self, const char *field)
{
    for (size_t i = 0; i < self->faults->count; i++)
        if (strcmp (self->faults->list [i].field, field) == 0)
            return true;
    return false;
}

//  ---------------------------------------------------------------------
//  Region, rate, frequency

static void
s_check_region (fuota_wish_check_t *self)
{
    const char *name = self->wish->region;
    if (!*name)
        name = self->facts->defaults->region;
    snprintf (self->deployment->region, sizeof self->deployment->region, "%s",
        name);
    self->region = fuota_region_find (name);
    if (self->region)
        return;
    char names [160] = "";
    for (unsigned i = 0; fuota_region_name (i); i++) {
        size_t at = strlen (names);
        snprintf (names + at, sizeof names - at, "%s%s", at ? ", " : "",
            fuota_region_name (i));
    }
    fuota_faults_add (self->faults, "region", name, "%s", names);
}

static const fuota_rate_t *
s_rate (const fuota_region_t *region, unsigned dr)
{
    const fuota_rate_t *rate = fuota_region_rate (region, dr);
    return rate && rate->max_n > 3 ? rate : NULL;
}

static void
s_check_rate (fuota_wish_check_t *self)
{
    const fuota_wish_t *wish = self->wish;
    bool class_b = wish->group_type == 1;
    uint8_t usual = 0;
    if (class_b)
        fuota_region_ping (self->region, &usual);
    else
        fuota_region_rx2 (self->region, &usual);
    int32_t standing = self->facts->defaults->dr;
    uint32_t dr = standing < 0 ? usual : (uint32_t) standing;
    if (wish->has_dr || wish->dr)
        dr = wish->dr;
    self->deployment->dr = dr;
    self->rate = s_rate (self->region, dr);
    if (self->rate)
        return;
    char rates [64] = "";
    for (unsigned i = 0; i < 16; i++) {
        size_t at = strlen (rates);
        if (s_rate (self->region, i))
            snprintf (rates + at, sizeof rates - at, "%s%u", at ? ", " : "", i);
    }
    fuota_faults_add (self->faults, "dr", fuota_wish_number (dr).text,
        "downlink rates of %s: %s", self->deployment->region, rates);
}

//  A class B group without a frequency follows the region's hopping, if it
//  has one: 0 then stays.
static void
s_check_frequency (fuota_wish_check_t *self)
{
    uint32_t hz = self->wish->frequency, low, high, code;
    if (!hz)
        hz = self->wish->group_type == 1
                 ? fuota_region_ping (self->region, NULL)
                 : fuota_region_rx2 (self->region, NULL);
    self->deployment->frequency = hz;
    if (!hz)
        return;
    uint32_t unit = hz >= 2400000000u ? 200 : 100;
    bool inside = fuota_region_has_frequency (self->region, hz, &low, &high);
    if (!inside || !fuota_frequency_code (hz, &code))
        fuota_faults_add (self->faults, "frequency",
            fuota_wish_number (hz).text,
            "%u to %u Hz (%s), a multiple of %u Hz", (unsigned) low,
            (unsigned) high, self->deployment->region, (unsigned) unit);
}

//  ---------------------------------------------------------------------
//  The plan

static bool
s_check_frag_size (fuota_wish_check_t *self)
{
    fuota_deployment_t *out = self->deployment;
    uint32_t limit = out->dialect.max_frag_size;
    uint32_t largest = fuota_plan_frag_size (self->rate->max_n, limit);
    uint32_t size = fuota_wish_or (self->wish->frag_size, largest);
    out->frag_size = size;
    if (size <= largest)
        return true;
    fuota_faults_add (self->faults, "frag_size", fuota_wish_number (size).text,
        "1 to %u bytes (DR%u of %s carries %u%s), or 0 for auto",
        (unsigned) largest, (unsigned) out->dr, out->region,
        (unsigned) self->rate->max_n - 3,
        limit ? ", the profile has a limit" : "");
    return false;
}

//  Coded fragments of the first round, never none: some devices finish only
//  on one.
static uint32_t
s_redundancy (const fuota_wish_check_t *self, uint32_t nb_frag)
{
    const fuota_wish_t *wish = self->wish;
    uint32_t loss = self->deployment->expected_loss;
    if (wish->redundancy)
        return wish->redundancy;
    if (wish->redundancy_percent)
        return (
            uint32_t) (((uint64_t) nb_frag * wish->redundancy_percent + 99) /
                       100);
    return fuota_plan_redundancy (nb_frag, loss);
}

//  Most fragments an image may have, so that it and its parity fit.
static uint32_t
s_most_frags (const fuota_wish_check_t *self)
{
    uint32_t limit = self->deployment->dialect.max_nb_frag;
    uint32_t most = FUOTA_PLAN_MAX_N - 1;
    if (limit && limit < most)
        most = limit;
    while (most > 0 && most + s_redundancy (self, most) > FUOTA_PLAN_MAX_N)
        most--;
    return most;
}

static void
s_fault_image (fuota_wish_check_t *self)
{
    uint32_t most = s_most_frags (self);
    fuota_faults_add (self->faults, "image",
        fuota_wish_number ((int64_t) self->facts->image_size).text,
        "1 to %llu bytes: %u fragments of %u with their parity%s",
        (unsigned long long) most * self->deployment->frag_size,
        (unsigned) most, (unsigned) self->deployment->frag_size,
        self->deployment->dialect.max_nb_frag ? ", by the profile's limit"
                                              : "");
}

//  Image and parity against N's 14 bits. A redundancy that was asked for is
//  at fault where the image alone would fit.
static bool
s_check_size (fuota_wish_check_t *self)
{
    fuota_deployment_t *out = self->deployment;
    size_t size = self->facts->image_size;
    uint32_t limit =
        fuota_wish_or (out->dialect.max_nb_frag, FUOTA_PLAN_MAX_N - 1);
    if (size > (size_t) FUOTA_PLAN_MAX_N * 255) {
        s_fault_image (self);
        return false;
    }
    out->image_size = (uint32_t) size;
    if (!self->wish->frag_size)
        out->frag_size = fuota_plan_frag_size_for (out->image_size,
            out->frag_size, out->dialect.ts004, s_most_frags (self));
    out->nb_frag = fuota_plan_nb_frag (out->image_size, out->frag_size);
    out->padding = fuota_plan_padding (out->image_size, out->frag_size);
    out->redundancy = s_redundancy (self, out->nb_frag);
    bool fits = out->nb_frag + out->redundancy <= FUOTA_PLAN_MAX_N;
    if (out->nb_frag <= limit && fits)
        return true;
    const fuota_wish_t *wish = self->wish;
    if (out->nb_frag > limit || out->nb_frag >= FUOTA_PLAN_MAX_N ||
        !(wish->redundancy || wish->redundancy_percent))
        s_fault_image (self);
    else if (wish->redundancy)
        fuota_faults_add (self->faults, "redundancy",
            fuota_wish_number (wish->redundancy).text,
            "1 to %u coded fragments after %u of the image",
            (unsigned) (FUOTA_PLAN_MAX_N - out->nb_frag),
            (unsigned) out->nb_frag);
    else
        fuota_faults_add (self->faults, "redundancy_percent",
            fuota_wish_number (wish->redundancy_percent).text,
            "1 to %u per cent of %u fragments",
            (unsigned) ((FUOTA_PLAN_MAX_N - out->nb_frag) * 100 / out->nb_frag),
            (unsigned) out->nb_frag);
    return false;
}

static bool
s_check_image (fuota_wish_check_t *self)
{
    const fuota_wish_t *wish = self->wish;
    const fuota_wish_facts_t *facts = self->facts;
    size_t named = wish->image_sha256.size;
    if (named && named != 32)
        fuota_faults_add (self->faults, "image_sha256",
            fuota_wish_number ((int64_t) named).text, "32 bytes, or none");
    else if (facts->has_image && named &&
             memcmp (wish->image_sha256.bytes, facts->sha256, 32))
        fuota_faults_add (self->faults, "image_sha256", "(another)",
            "the hash of the image's bytes, or none");
    else if (facts->has_image && !facts->image_size)
        fuota_faults_add (self->faults, "image", "0", "1 byte at least");
    else if (!facts->has_image && named && !facts->image_known)
        fuota_faults_add (self->faults, "image_sha256", "(not stored)",
            "the hash of an image that is stored; else send its bytes");
    else if (!facts->has_image && !named)
        fuota_faults_add (self->faults, "image", "none",
            "its bytes, or image_sha256 of one that is stored");
    else {
        memcpy (self->deployment->image,
            facts->has_image ? facts->sha256 : wish->image_sha256.bytes, 32);
        return true;
    }
    return false;
}

static void
s_check_period (fuota_wish_check_t *self)
{
    fuota_deployment_t *out = self->deployment;
    uint32_t duty = self->wish->duty;
    if (!duty)
        duty = out->frequency ? fuota_region_duty (self->region, out->frequency)
                              : 1000;
    out->air_time = fuota_region_air_time (self->rate, out->frag_size + 3);
    const fuota_wish_defaults_t *defaults = self->facts->defaults;
    out->margin =
        out->group_type == 1 ? defaults->margin_b : defaults->margin_c;
    out->period = fuota_plan_period (out, duty);
}

static void
s_check_window (fuota_wish_check_t *self)
{
    fuota_deployment_t *out = self->deployment;
    out->setup_window = fuota_wish_or (self->wish->setup_window,
        fuota_plan_setup_window (out->retries, out->uplink_interval,
            out->dialect.ts004));
    if (!s_wrong (self, "uplink_interval") && !s_wrong (self, "retries") &&
        fuota_plan_lead (out) > LEAD_MAX)
        fuota_faults_add (self->faults, "uplink_interval",
            fuota_wish_number (out->uplink_interval).text,
            "an interval with which %u attempts take less than 194 days",
            (unsigned) out->retries);
    if (s_wrong (self, "time_out") || s_wrong (self, "duty"))
        return;
    uint32_t least = 0;
    while (fuota_plan_window (out->group_type, least) * 1000 <
           fuota_plan_least (out))
        least++;
    if (least > 15)
        fuota_faults_add (self->faults, "duty",
            fuota_wish_number (self->wish->duty).text,
            "a share, and gateways, with which a fragment takes less than "
            "32768 s; here %u ms",
            (unsigned) out->period);
    else if (out->time_out < least)
        fuota_faults_add (self->faults, "time_out",
            fuota_wish_number (out->time_out).text,
            "%u to 15: a fragment takes %u ms here", (unsigned) least,
            (unsigned) out->period);
}

void
fuota_wish_plan (fuota_wish_check_t *self)
{
    s_check_region (self);
    bool image = s_check_image (self);
    if (!s_wrong (self, "region")) {
        s_check_rate (self);
        s_check_frequency (self);
    }
    if (!self->rate || s_wrong (self, "periodicity") ||
        !s_check_frag_size (self))
        return;
    if (image && !s_wrong (self, "redundancy") &&
        !s_wrong (self, "redundancy_percent") &&
        !s_wrong (self, "expected_loss"))
        s_check_size (self);
    if (s_wrong (self, "frequency"))
        return;
    s_check_period (self);
    s_check_window (self);
}
