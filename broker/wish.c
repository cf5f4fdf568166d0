//  SPDX-License-Identifier: MIT
//
//  Parts: defaults; plain ranges, from a table; texts and lists; the dialect.
//  The plan is in wish_plan.c, the devices in wish_devices.c.

#include <stdlib.h>
#include <string.h>
#include "broker/wish_private.h"

#define MINUTE 60000
#define START_MAX 16777215  //  TimeToStart has 24 bits: 194 days
#define LOSS_MAX 90         //  Per cent; beyond that no parity helps

//  ---------------------------------------------------------------------
//  Defaults

void
fuota_wish_defaults (fuota_wish_defaults_t *self)
{
    *self = (fuota_wish_defaults_t){ .region = "EU868",
        .dr = -1,
        .expected_loss = 10,
        .quorum = 100,
        .retries = 3,
        .uplink_interval = 3600,
        .repair_rounds = 3,
        .guard = 3,
        .mc_addr_prefix = 0x01000000,
        .mc_addr_bits = 8 };
}

void
fuota_wish_dialect (fuota_dialect_t *self)
{
    *self = (fuota_dialect_t){ .ts003 = 1,
        .ts004 = 1,
        .ts005 = 1,
        .port003 = 202,
        .port004 = 201,
        .port005 = 200 };
}

//  ---------------------------------------------------------------------
//  Plain ranges

static const struct {
    const char *field;
    size_t offset;
    uint32_t min, max;
    bool zero;  //  0 is the default
    const char *what;
} s_ranges [] = {
    { "group_type", offsetof (Wish, group_type), 0, 1, true,
        "0 (class C) or 1 (class B)" },
    { "periodicity", offsetof (Wish, periodicity), 0, 7, true,
        "0 to 7: a ping slot every 2^n seconds" },
    { "scheduling", offsetof (Wish, scheduling), 0, 1, true,
        "0 (delay) or 1 (GPS time)" },
    { "redundancy_percent", offsetof (Wish, redundancy_percent), 1, 1000, true,
        "1 to 1000 per cent, or 0 for auto" },
    { "redundancy", offsetof (Wish, redundancy), 1, FUOTA_PLAN_MAX_N - 1, true,
        "1 to 16382 coded fragments, or 0 for auto" },
    { "expected_loss", offsetof (Wish, expected_loss), 0, LOSS_MAX, true,
        "0 to 90 per cent" },
    { "quorum", offsetof (Wish, quorum), 1, 100, true,
        "1 to 100 per cent, or 0 for the default" },
    { "setup_window", offsetof (Wish, setup_window), 1, START_MAX, true,
        "1 to 16777215 seconds, or 0 for auto" },
    { "retries", offsetof (Wish, retries), 1, 20, true,
        "1 to 20 attempts, or 0 for the default" },
    { "uplink_interval", offsetof (Wish, uplink_interval), 10, 604800, true,
        "10 to 604800 seconds, or 0 for the default" },
    { "time_out", offsetof (Wish, time_out), 0, 15, true,
        "0 to 15: a window of 2^n seconds, 128 times that in class B" },
    { "repair_rounds", offsetof (Wish, repair_rounds), 0, 50, true,
        "0 to 50 rounds" },
    { "duty", offsetof (Wish, duty), 1, 1000, true,
        "1 to 1000 permille of air time, or 0 for the band's" },
    { "ts003", offsetof (Wish, ts003), 1, 2, true,
        "1 or 2, or 0 for the profile's" },
    { "ts004", offsetof (Wish, ts004), 1, 2, true,
        "1 or 2, or 0 for the profile's" },
    { "ts005", offsetof (Wish, ts005), 1, 2, true,
        "1 or 2, or 0 for the profile's" },
    { "port003", offsetof (Wish, port003), 1, 223, true,
        "1 to 223, or 0 for the profile's" },
    { "port004", offsetof (Wish, port004), 1, 223, true,
        "1 to 223, or 0 for the profile's" },
    { "port005", offsetof (Wish, port005), 1, 223, true,
        "1 to 223, or 0 for the profile's" },
};

static void
s_check_ranges (fuota_wish_check_t *self)
{
    for (size_t i = 0; i < sizeof s_ranges / sizeof *s_ranges; i++) {
        uint32_t value;
        memcpy (&value, (const char *) self->wish + s_ranges [i].offset,
            sizeof value);
        if (value == 0 && s_ranges [i].zero)
            continue;
        if (value < s_ranges [i].min || value > s_ranges [i].max)
            fuota_faults_add (self->faults, s_ranges [i].field,
                fuota_wish_number (value).text, "%s", s_ranges [i].what);
    }
}

static void
s_take_numbers (fuota_wish_check_t *self)
{
    const fuota_wish_t *wish = self->wish;
    const fuota_wish_defaults_t *defaults = self->facts->defaults;
    fuota_deployment_t *out = self->deployment;
    out->group_type = wish->group_type;
    out->periodicity = wish->periodicity;
    out->scheduling = wish->scheduling;
    out->expected_loss = wish->expected_loss * 10;
    if (!wish->has_expected_loss && !wish->expected_loss)
        out->expected_loss = defaults->expected_loss * 10;
    out->quorum = fuota_wish_or (wish->quorum, defaults->quorum);
    out->retries = fuota_wish_or (wish->retries, defaults->retries);
    out->uplink_interval =
        fuota_wish_or (wish->uplink_interval, defaults->uplink_interval);
    out->time_out = wish->has_time_out || wish->time_out
                        ? wish->time_out
                        : FUOTA_PLAN_AUTO_TIME_OUT;
    out->repair_rounds = wish->has_repair_rounds || wish->repair_rounds
                             ? wish->repair_rounds
                             : defaults->repair_rounds;
    out->repair_budget = wish->repair_budget;
    out->clean_up = wish->clean_up;
    out->guard = defaults->guard;
}

//  ---------------------------------------------------------------------
//  Texts, keys, tags, gateways, start

bool
fuota_wish_printable (const char *text)
{
    for (; *text; text++)
        if ((unsigned char) *text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

static void
s_check_text (fuota_wish_check_t *self, const char *field, const char *text)
{
    if (!fuota_wish_printable (text))
        fuota_faults_add (self->faults, field, "(control characters)",
            "text without control characters");
}

static void
s_check_names (fuota_wish_check_t *self)
{
    const fuota_wish_t *wish = self->wish;
    fuota_deployment_t *out = self->deployment;
    const uint8_t *id = self->facts->random;
    s_check_text (self, "name", wish->name);
    s_check_text (self, "token", wish->token);
    s_check_text (self, "application", wish->application);
    memcpy (out->id, id, FUOTA_ID_SIZE);
    if (*wish->name)
        memcpy (out->name, wish->name, sizeof out->name);
    else
        snprintf (out->name, sizeof out->name, "fuota-%02x%02x%02x%02x", id [0],
            id [1], id [2], id [3]);
    memcpy (out->token, wish->token, sizeof out->token);
    const char *application = *wish->application
                                  ? wish->application
                                  : self->facts->defaults->application;
    if (!*application)
        fuota_faults_add (self->faults, "application", "none",
            "the host's id of the devices' application");
    else if (self->facts->no_application)
        fuota_faults_add (self->faults, "application", application,
            "the id of an application that the host has, and its API key may "
            "see");
    snprintf (out->application, sizeof out->application, "%s", application);
}

static void
s_check_descriptor (fuota_wish_check_t *self)
{
    size_t size = self->wish->descriptor.size;
    if (size == sizeof self->deployment->descriptor)
        memcpy (self->deployment->descriptor, self->wish->descriptor.bytes,
            size);
    else if (size)
        fuota_faults_add (self->faults, "descriptor",
            fuota_wish_number ((int64_t) size).text,
            "4 bytes, or none for zeros");
}

static void
s_check_tags (fuota_wish_check_t *self)
{
    const fuota_wish_t *wish = self->wish;
    for (pb_size_t i = 0; i < wish->tags_count; i++) {
        const char *key = wish->tags [i].key;
        bool twice = false;
        for (pb_size_t k = 0; k < i; k++)
            twice = twice || strcmp (wish->tags [k].key, key) == 0;
        if (!*key || twice || !fuota_wish_printable (key) ||
            !fuota_wish_printable (wish->tags [i].value))
            fuota_faults_add (self->faults, "tags",
                !*key                        ? "(empty)"
                : fuota_wish_printable (key) ? key
                                             : "(control characters)",
                "different keys of 1 to 32 characters, values of at most 64");
        self->deployment->tags [i] = wish->tags [i];
    }
    self->deployment->tags_count = wish->tags_count;
}

void
fuota_wish_fault_eui (fuota_wish_check_t *self, const char *field, uint64_t eui,
    const char *allowed)
{
    char text [24];
    snprintf (text, sizeof text, "%016llx", (unsigned long long) eui);
    fuota_faults_add (self->faults, field, text, "%s", allowed);
}

static void
s_take_choice (fuota_wish_check_t *self, const fuota_choice_t *choice)
{
    char words [160];
    if (fuota_choice_wrong (choice, words, sizeof words))
        fuota_faults_add (self->faults, "gateways", "auto", "%s", words);
    self->deployment->gateways_count = (pb_size_t) choice->count;
    memcpy (self->deployment->gateways, choice->gateways,
        sizeof self->deployment->gateways);
}

static void
s_check_gateways (fuota_wish_check_t *self)
{
    const fuota_wish_t *wish = self->wish;
    for (pb_size_t i = 0; i < wish->gateways_count; i++) {
        bool twice = false;
        for (pb_size_t k = 0; k < i; k++)
            twice = twice || wish->gateways [k] == wish->gateways [i];
        if (!wish->gateways [i] || twice)
            fuota_wish_fault_eui (self, "gateways", wish->gateways [i],
                "different gateway ids, none zero, at most 16");
        self->deployment->gateways [i] = wish->gateways [i];
    }
    self->deployment->gateways_count = wish->gateways_count;
    if (!wish->gateways_count && self->facts->choice)
        s_take_choice (self, self->facts->choice);
}

static void
s_check_start (fuota_wish_check_t *self)
{
    int64_t at = self->wish->start_at, now = self->facts->now;
    if (at && (at < now - MINUTE || at > now + START_MAX * 1000ll))
        fuota_faults_add (self->faults, "start_at", fuota_wish_number (at).text,
            "0 for now, or UTC milliseconds from %lld (a minute ago) to %lld "
            "(194 days ahead)",
            (long long) (now - MINUTE), (long long) (now + START_MAX * 1000ll));
    self->deployment->start_at = at;
    self->deployment->created = now;
}

//  McAddr: random within the operator's prefix.
static void
s_take_keys (fuota_wish_check_t *self)
{
    const uint8_t *random = self->facts->random + FUOTA_ID_SIZE;
    const fuota_wish_defaults_t *defaults = self->facts->defaults;
    memcpy (self->deployment->mc_key, random, 16);
    uint32_t bits = defaults->mc_addr_bits;
    uint32_t mask = bits == 0 ? 0 : UINT32_MAX << (32 - bits);
    uint32_t address = (uint32_t) fuota_be (random + 16, 4);
    self->deployment->mc_addr =
        (defaults->mc_addr_prefix & mask) | (address & ~mask);
}

//  ---------------------------------------------------------------------
//  The dialect: profile, then what the wish says over it

static void
s_check_profile (fuota_wish_check_t *self)
{
    const fuota_wish_facts_t *facts = self->facts;
    const char *name = self->wish->profile;
    if (facts->dialect)
        self->deployment->dialect = *facts->dialect;
    else
        fuota_wish_dialect (&self->deployment->dialect);
    self->deployment->has_dialect = true;
    if (!*name)
        return;
    char names [128] = "";
    for (size_t i = 0; i < facts->profile_count; i++) {
        const char *known = facts->profiles [i].name;
        if (strcmp (known, name) == 0) {
            self->deployment->dialect = facts->profiles [i].dialect;
            return;
        }
        size_t at = strlen (names);
        snprintf (names + at, sizeof names - at, "%s%s", at ? ", " : "", known);
    }
    fuota_faults_add (self->faults, "profile", name,
        "a profile of the configuration: %s", *names ? names : "it has none");
}

static void
s_check_ports (fuota_wish_check_t *self)
{
    const fuota_dialect_t *dialect = &self->deployment->dialect;
    uint32_t p003 = dialect->ts003 ? dialect->port003 : 0;
    const char *field = NULL;
    if (dialect->port005 == dialect->port004 || dialect->port005 == p003)
        field = "port005";
    else if (dialect->port004 == p003)
        field = "port004";
    if (field)
        fuota_faults_add (self->faults, field,
            fuota_wish_number (
                field [6] == '5' ? dialect->port005 : dialect->port004)
                .text,
            "ports that differ: here TS003 has %u, TS004 %u, TS005 %u",
            (unsigned) p003, (unsigned) dialect->port004,
            (unsigned) dialect->port005);
}

static void
s_check_dialect (fuota_wish_check_t *self)
{
    const fuota_wish_t *wish = self->wish;
    fuota_dialect_t *dialect = &self->deployment->dialect;
    s_check_profile (self);
    dialect->ts003 = fuota_wish_or (wish->ts003, dialect->ts003);
    dialect->ts004 = fuota_wish_or (wish->ts004, dialect->ts004);
    dialect->ts005 = fuota_wish_or (wish->ts005, dialect->ts005);
    dialect->port003 = fuota_wish_or (wish->port003, dialect->port003);
    dialect->port004 = fuota_wish_or (wish->port004, dialect->port004);
    dialect->port005 = fuota_wish_or (wish->port005, dialect->port005);
    s_check_ports (self);
}

//  ---------------------------------------------------------------------

int
fuota_wish_check (const fuota_wish_t *wish, const fuota_wish_facts_t *facts,
    fuota_deployment_t *deployment, fuota_faults_t *faults)
{
    fuota_wish_check_t self = { wish, facts, deployment, faults, NULL, NULL };
    *deployment = (fuota_deployment_t){ 0 };
    faults->count = 0;
    faults->left_out = false;
    s_check_ranges (&self);
    s_take_numbers (&self);
    s_check_names (&self);
    s_check_descriptor (&self);
    s_check_tags (&self);
    s_check_gateways (&self);
    s_check_start (&self);
    s_take_keys (&self);
    s_check_dialect (&self);
    fuota_wish_plan (&self);
    fuota_wish_devices (&self);
    return faults->count ? FUOTA_EVALUE : 0;
}
