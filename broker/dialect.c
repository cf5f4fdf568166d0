//  SPDX-License-Identifier: MIT
//
//  Parts: of a kind; of the devices, one by one; of all.

#include <stdio.h>
#include <string.h>
#include "broker/dialect.h"

#define NAMED 8  //  Faults of one sort

typedef struct {
    const fuota_dialect_facts_t *facts;
    fuota_faults_t *faults;
    fuota_known_t *warnings;
    size_t strangers, busy;
    //  By kind: how many devices, and the first of them
    size_t count [FUOTA_KNOWN_KINDS];
    uint64_t first [FUOTA_KNOWN_KINDS];
} self_t;

//  ---------------------------------------------------------------------
//  Of a kind

static void
s_over (uint32_t *field, uint32_t value)
{
    if (value)
        *field = value;
}

void
fuota_dialect_kind (const fuota_dialect_facts_t *facts,
    const fuota_kind_t *kind, fuota_dialect_t *out)
{
    for (size_t i = 0; i < facts->profile_count; i++) {
        const fuota_profile_t *profile = &facts->profiles [i];
        if (strcmp (profile->name, kind->profile_id) == 0 ||
            strcmp (profile->name, kind->profile_name) == 0) {
            *out = profile->dialect;
            return;
        }
    }
    fuota_wish_dialect (out);
    s_over (&out->ts003, kind->ts003);
    s_over (&out->ts004, kind->ts004);
    s_over (&out->ts005, kind->ts005);
    s_over (&out->port003, kind->port003);
    s_over (&out->port004, kind->port004);
    s_over (&out->port005, kind->port005);
    s_over (&out->max_nb_frag, kind->max_nb_frag);
    s_over (&out->max_frag_size, kind->max_frag_size);
    if (kind->no_ts003)
        out->ts003 = 0;
}

//  ---------------------------------------------------------------------
//  Of the devices, one by one

static void
s_fault (self_t *self, uint64_t eui, size_t more, const char *allowed)
{
    char text [48];
    int used =
        snprintf (text, sizeof text, "%016llx", (unsigned long long) eui);
    if (more)
        snprintf (text + used, sizeof text - (size_t) used, " and %zu more",
            more);
    fuota_faults_add (self->faults, "devices", text, "%s", allowed);
}

static bool
s_is_busy (const fuota_known_t *known, uint64_t eui)
{
    for (size_t i = 0; i < known->busy_count; i++)
        if (known->busy [i] == eui)
            return true;
    return false;
}

static void
s_count (self_t *self)
{
    const fuota_dialect_facts_t *facts = self->facts;
    for (size_t i = 0; i < facts->device_count; i++) {
        uint64_t eui = facts->devices [i];
        const fuota_known_device_t *device =
            fuota_known_device (facts->known, eui);
        if (device && !self->count [device->kind]++)
            self->first [device->kind] = eui;
        if (!device && self->strangers++ < NAMED && eui)
            s_fault (self, eui, 0,
                "devices of the deployment's application; the host knows "
                "none of that EUI there");
        if (s_is_busy (facts->known, eui) && self->busy++ < NAMED)
            s_fault (self, eui, 0,
                "devices in no FUOTA deployment of the host's own: let it end, "
                "or delete it");
    }
    if (self->strangers > NAMED)
        fuota_faults_add (self->faults, "devices", "(others)",
            "as above: %zu are not in that application", self->strangers);
}

//  ---------------------------------------------------------------------
//  Of all

//  As it will be once the wish's own versions and ports are over it. Limits
//  are no language: the smaller ones hold for all.
static void
s_spoken (const fuota_wish_t *wish, fuota_dialect_t *dialect)
{
    s_over (&dialect->ts003, wish->ts003);
    s_over (&dialect->ts004, wish->ts004);
    s_over (&dialect->ts005, wish->ts005);
    s_over (&dialect->port003, wish->port003);
    s_over (&dialect->port004, wish->port004);
    s_over (&dialect->port005, wish->port005);
    if (!dialect->ts003)
        dialect->port003 = 0;
    dialect->max_nb_frag = dialect->max_frag_size = 0;
}

static bool
s_alike (const fuota_dialect_t *a, const fuota_dialect_t *b)
{
    return a->ts003 == b->ts003 && a->ts004 == b->ts004 &&
           a->ts005 == b->ts005 && a->port003 == b->port003 &&
           a->port004 == b->port004 && a->port005 == b->port005 &&
           a->missing_one == b->missing_one &&
           a->keep_session == b->keep_session;
}

static void
s_least (uint32_t *limit, uint32_t other)
{
    if (other && (!*limit || other < *limit))
        *limit = other;
}

static void
s_text (const fuota_dialect_t *a, char *text, size_t size)
{
    snprintf (text, size, "%u/%u/%u on %u/%u/%u%s%s", (unsigned) a->ts003,
        (unsigned) a->ts004, (unsigned) a->ts005, (unsigned) a->port003,
        (unsigned) a->port004, (unsigned) a->port005,
        a->missing_one ? ", missing_one" : "",
        a->keep_session ? ", keep_session" : "");
}

//  The kinds of devices that are here and are not like any before.
static void
s_compare (self_t *self, fuota_dialect_t *out)
{
    const fuota_dialect_facts_t *facts = self->facts;
    fuota_dialect_t all [FUOTA_KNOWN_KINDS], dialect;
    size_t first = FUOTA_KNOWN_KINDS, faults = 0;
    char one [64], other [64], allowed [256];
    for (size_t i = 0; i < facts->known->kind_count; i++) {
        if (!self->count [i])
            continue;
        fuota_dialect_kind (facts, &facts->known->kinds [i], &dialect);
        all [i] = dialect;
        s_spoken (facts->wish, &all [i]);
        if (first == FUOTA_KNOWN_KINDS) {
            first = i;
            *out = dialect;
            continue;
        }
        s_least (&out->max_nb_frag, dialect.max_nb_frag);
        s_least (&out->max_frag_size, dialect.max_frag_size);
        if (s_alike (&all [i], &all [first]) || faults++ >= NAMED)
            continue;
        s_text (&all [i], one, sizeof one);
        s_text (&all [first], other, sizeof other);
        snprintf (allowed, sizeof allowed,
            "devices that speak alike: here TS003/4/5 %s, %016llx %s; deploy "
            "to each by itself",
            one, (unsigned long long) self->first [first], other);
        s_fault (self, self->first [i], self->count [i] - 1, allowed);
    }
}

static void
s_warn (self_t *self)
{
    const fuota_known_t *known = self->facts->known;
    for (size_t i = 0; i < known->kind_count; i++) {
        const fuota_kind_t *kind = &known->kinds [i];
        char words [160];
        if (!self->count [i])
            continue;
        if (*kind->fault)
            s_fault (self, self->first [i], self->count [i] - 1, kind->fault);
        if (!kind->host_ts003 && !kind->host_ts004 && !kind->host_ts005)
            continue;
        snprintf (words, sizeof words,
            "\"%.60s\": the host speaks%s%s%s with its devices, too",
            kind->profile_name, kind->host_ts003 ? " TS003" : "",
            kind->host_ts004 ? " TS004" : "", kind->host_ts005 ? " TS005" : "");
        fuota_known_find (self->warnings, "device profile",
            FUOTA_FINDING_WARNING, words,
            "set \"Application layer\" of the profile to \"not implemented\"");
    }
}

void
fuota_dialect_find (const fuota_dialect_facts_t *facts, fuota_dialect_t *out,
    fuota_faults_t *faults, fuota_known_t *warnings)
{
    self_t self = { .facts = facts, .faults = faults, .warnings = warnings };
    fuota_wish_dialect (out);
    s_count (&self);
    //  A profile that the wish names says all of it
    if (!*facts->wish->profile)
        s_compare (&self, out);
    s_warn (&self);
}
