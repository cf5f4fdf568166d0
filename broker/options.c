//  SPDX-License-Identifier: MIT
//
//  Parts: the tables; values; parsing; help.

#include <stdlib.h>
#include <string.h>
#include "broker/cli.h"
#include "broker/options.h"

#define CONTROL "ipc:///run/fuotad/control"

//  ---------------------------------------------------------------------
//  The tables

typedef enum { NO_ARGUMENT, MAY_HAVE, MUST_HAVE } need_t;

static const struct {
    const char *name, *argument;
    need_t need;
    const char *about, *example;
} s_commands [] = {
    [FUOTA_DO_DEPLOY] = { "deploy", "IMAGE", MAY_HAVE,
        "bring an image to a set of devices",
        "fuotactl deploy app.bin --devices fleet.txt --group-type c --dr 5 "
        "--frequency 868.1MHz" },
    [FUOTA_DO_PLAN] = { "plan", "IMAGE", MAY_HAVE,
        "what that would cost; nothing is stored",
        "fuotactl plan app.bin --device 70b3d57ed0000001 --dr 5 "
        "--expected-loss 20" },
    [FUOTA_DO_LIST] = { "list", NULL, NO_ARGUMENT, "all deployments",
        "fuotactl list --json | jq -r '.deployments[] | "
        "select(.phase == \"sending\") | .id'" },
    [FUOTA_DO_SHOW] = { "show", "ID", MUST_HAVE,
        "one deployment and its devices", "fuotactl show 9f3a --devices" },
    [FUOTA_DO_WATCH] = { "watch", "ID", MUST_HAVE,
        "follow a deployment until it is over",
        "fuotactl watch spring-update" },
    [FUOTA_DO_PAUSE] = { "pause", "ID", MUST_HAVE,
        "stop after the current fragment", "fuotactl pause 9f3a" },
    [FUOTA_DO_RESUME] = { "resume", "ID", MUST_HAVE, "go on after a pause",
        "fuotactl resume 9f3a" },
    [FUOTA_DO_CANCEL] = { "cancel", "ID", MUST_HAVE, "end it for all devices",
        "fuotactl cancel 9f3a" },
    [FUOTA_DO_REPORT] = { "report", "ID", MUST_HAVE,
        "what became of it, device by device",
        "fuotactl report 9f3a --json | jq '.devices[] | "
        "select(.end != \"complete\")'" },
    [FUOTA_DO_JOURNAL] = { "journal", "ID", MUST_HAVE,
        "every change of state, in order", "fuotactl journal 9f3a" },
    [FUOTA_DO_DECODE] = { "decode", "HEX", MUST_HAVE,
        "explain a package payload; asks nobody",
        "fuotactl decode --port 201 --direction up 0109000500" },
    [FUOTA_DO_VERSION] = { "version", NULL, NO_ARGUMENT,
        "of fuotactl and of the broker", "fuotactl version" },
    [FUOTA_DO_HELP] = { "help", "COMMAND", MAY_HAVE, "this text",
        "fuotactl help deploy" },
};

#define COMMANDS (sizeof s_commands / sizeof *s_commands)

typedef enum {
    FLAG,
    NUMBER,
    TEXT,
    WORD,  //  Borrowed
    FREQUENCY,
    TIME,
    REDUNDANCY,
    CHOICE,  //  The position in "a|b"
    DIGITS,  //  Hex into a nanopb bytes field of size bytes
    DEVICE,
    GATEWAY,
    TAG
} kind_t;

#define DEPLOYS (1u << FUOTA_DO_DEPLOY | 1u << FUOTA_DO_PLAN)
#define SHOWS (1u << FUOTA_DO_SHOW)
#define DECODES (1u << FUOTA_DO_DECODE)
#define ALL (~0u)
#define AT(field)                                                              \
    offsetof (fuota_options_t, field), sizeof (((fuota_options_t *) 0)->field)
#define NO_FLAG 0
#define HAS(field) offsetof (fuota_options_t, field)

typedef struct {
    const char *name;
    kind_t kind;
    unsigned commands;
    size_t offset, size;
    size_t has;  //  Of the flag that says it was given; 0 = none
    const char *value, *about;
} row_t;

static const row_t s_rows [] = {
    { "--device", DEVICE, DEPLOYS, 0, 0, NO_FLAG, "EUI",
        "a device; may be repeated" },
    { "--devices", WORD, DEPLOYS, AT (devices_file), NO_FLAG, "FILE",
        "devices, a DevEUI a line; # begins a comment" },
    { "--group-type", CHOICE, DEPLOYS, AT (wish.group_type), NO_FLAG, "c|b",
        "class of the multicast session (c)" },
    { "--dr", NUMBER, DEPLOYS, AT (wish.dr), HAS (wish.has_dr), "N",
        "data rate (that of RX2 or the ping slot)" },
    { "--frequency", FREQUENCY, DEPLOYS, AT (wish.frequency), NO_FLAG,
        "868.1MHz", "Hz, kHz or MHz (RX2, or the ping slot)" },
    { "--region", TEXT, DEPLOYS, AT (wish.region), NO_FLAG, "NAME",
        "EU868, US915, ..." },
    { "--periodicity", NUMBER, DEPLOYS, AT (wish.periodicity), NO_FLAG, "N",
        "class B: a ping slot every 2^N s, 0 to 7" },
    { "--scheduling", CHOICE, DEPLOYS, AT (wish.scheduling), NO_FLAG,
        "delay|gps", "class C: how the server times fragments (delay)" },
    { "--frag-size", NUMBER, DEPLOYS, AT (wish.frag_size), NO_FLAG, "BYTES",
        "a fragment's size (largest that fits)" },
    { "--redundancy", REDUNDANCY, DEPLOYS, 0, 0, NO_FLAG, "N|P%",
        "coded fragments, or their share (from the loss)" },
    { "--expected-loss", NUMBER, DEPLOYS, AT (wish.expected_loss),
        HAS (wish.has_expected_loss), "PERCENT", "of multicast frames (10)" },
    { "--start", TIME, DEPLOYS, AT (wish.start_at), NO_FLAG, "TIME",
        "now, or 2026-01-31T12:00:00Z" },
    { "--quorum", NUMBER, DEPLOYS, AT (wish.quorum), NO_FLAG, "PERCENT",
        "devices ready before the session is set (100)" },
    { "--setup-window", NUMBER, DEPLOYS, AT (wish.setup_window), NO_FLAG, "S",
        "and how long to wait for them (all attempts)" },
    { "--retries", NUMBER, DEPLOYS, AT (wish.retries), NO_FLAG, "N",
        "attempts of each command (3)" },
    { "--uplink-interval", NUMBER, DEPLOYS, AT (wish.uplink_interval), NO_FLAG,
        "S", "how often such a device is heard (3600)" },
    { "--time-out", NUMBER, DEPLOYS, AT (wish.time_out),
        HAS (wish.has_time_out), "N",
        "session of 2^N s (smallest that holds)" },
    { "--repair-rounds", NUMBER, DEPLOYS, AT (wish.repair_rounds),
        HAS (wish.has_repair_rounds), "N", "further rounds at most (3)" },
    { "--repair-budget", NUMBER, DEPLOYS, AT (wish.repair_budget), NO_FLAG, "S",
        "air time at most (no limit)" },
    { "--gateway", GATEWAY, DEPLOYS, 0, 0, NO_FLAG, "EUI",
        "a gateway to send by; may be repeated (chosen)" },
    { "--duty", NUMBER, DEPLOYS, AT (wish.duty), NO_FLAG, "PERMILLE",
        "share of air time (the band's)" },
    { "--profile", TEXT, DEPLOYS, AT (wish.profile), NO_FLAG, "NAME",
        "kind of device, of the configuration" },
    { "--ts003", NUMBER, DEPLOYS, AT (wish.ts003), NO_FLAG, "1|2",
        "version of clock synchronisation" },
    { "--ts004", NUMBER, DEPLOYS, AT (wish.ts004), NO_FLAG, "1|2",
        "version of fragmented data block transport" },
    { "--ts005", NUMBER, DEPLOYS, AT (wish.ts005), NO_FLAG, "1|2",
        "version of remote multicast setup" },
    { "--port003", NUMBER, DEPLOYS, AT (wish.port003), NO_FLAG, "PORT",
        "its port (202)" },
    { "--port004", NUMBER, DEPLOYS, AT (wish.port004), NO_FLAG, "PORT",
        "its port (201)" },
    { "--port005", NUMBER, DEPLOYS, AT (wish.port005), NO_FLAG, "PORT",
        "its port (200)" },
    { "--name", TEXT, DEPLOYS, AT (wish.name), NO_FLAG, "TEXT",
        "for people (fuota-ID)" },
    { "--token", TEXT, DEPLOYS, AT (wish.token), NO_FLAG, "TEXT",
        "a second deploy with the same token finds the first" },
    { "--application", TEXT, DEPLOYS, AT (wish.application), NO_FLAG, "ID",
        "the host's application" },
    { "--image-sha256", DIGITS, DEPLOYS, AT (wish.image_sha256.bytes), NO_FLAG,
        "HEX", "instead of IMAGE: one that is stored" },
    { "--descriptor", DIGITS, DEPLOYS, AT (wish.descriptor.bytes), NO_FLAG,
        "HEX", "4 bytes, told to the devices (00000000)" },
    { "--tag", TAG, DEPLOYS, 0, 0, NO_FLAG, "KEY=VALUE",
        "set on devices that are complete; may be repeated" },
    { "--clean-up", FLAG, DEPLOYS, AT (wish.clean_up), NO_FLAG, NULL,
        "delete sessions and groups on the devices" },
    { "--devices", FLAG, SHOWS, AT (all_devices), NO_FLAG, NULL,
        "all of them, not the first few" },
    { "--port", NUMBER, DECODES, AT (port), NO_FLAG, "PORT",
        "200 to 203, 225 (any)" },
    { "--version", NUMBER, DECODES, AT (version), NO_FLAG, "1|2", "(both)" },
    { "--direction", CHOICE, DECODES, AT (direction), NO_FLAG, "down|up",
        "(both)" },
    { "--endpoint", TEXT, ALL, AT (control), NO_FLAG, "ENDPOINT",
        "the broker's, else FUOTA_CONTROL, else " CONTROL },
    { "--events", TEXT, ALL, AT (events), NO_FLAG, "ENDPOINT",
        "else FUOTA_EVENTS, else .../events beside it" },
    { "--timeout", NUMBER, ALL, AT (timeout), NO_FLAG, "S",
        "for an answer (10)" },
    { "--json", FLAG, ALL, AT (json), NO_FLAG, NULL,
        "one JSON object instead of text" },
    { "--help", FLAG, ALL, AT (help), NO_FLAG, NULL, "this text" },
};

#define ROWS (sizeof s_rows / sizeof *s_rows)

//  ---------------------------------------------------------------------
//  Values

static bool
s_choice (const char *list, const char *text, uint32_t *value)
{
    size_t size = strlen (text);
    for (uint32_t i = 0; list; i++) {
        size_t word = strcspn (list, "|");
        if (word == size && strncmp (list, text, size) == 0) {
            *value = i;
            return true;
        }
        list = list [word] ? list + word + 1 : NULL;
    }
    return false;
}

//  nanopb keeps the size before the bytes.
static bool
s_digits (const row_t *row, char *field, const char *text)
{
    size_t size = row->size;
    if (!fuota_cli_hex (text, (uint8_t *) field, &size))
        return false;
    pb_size_t count = (pb_size_t) size;
    memcpy (field - offsetof (Wish_image_sha256_t, bytes), &count,
        sizeof count);
    return true;
}

static bool
s_device (fuota_options_t *self, const char *text)
{
    uint64_t eui;
    if (!fuota_cli_eui (text, &eui))
        return false;
    uint64_t *devices =
        realloc (self->devices, (self->device_count + 1) * sizeof *devices);
    if (!devices)
        return false;
    self->devices = devices;
    devices [self->device_count++] = eui;
    return true;
}

static bool
s_gateway (Wish *wish, const char *text)
{
    size_t room = sizeof wish->gateways / sizeof *wish->gateways;
    return wish->gateways_count < room &&
           fuota_cli_eui (text, &wish->gateways [wish->gateways_count]) &&
           ++wish->gateways_count;
}

static bool
s_tag (Wish *wish, const char *text)
{
    const char *equals = strchr (text, '=');
    size_t room = sizeof wish->tags / sizeof *wish->tags;
    if (!equals || wish->tags_count == room)
        return false;
    Tag *tag = &wish->tags [wish->tags_count];
    size_t key = (size_t) (equals - text), value = strlen (equals + 1);
    if (!key || key >= sizeof tag->key || value >= sizeof tag->value)
        return false;
    memcpy (tag->key, text, key);
    memcpy (tag->value, equals + 1, value + 1);
    wish->tags_count++;
    return true;
}

static bool
s_number (char *field, const char *text)
{
    uint64_t number;
    if (!fuota_cli_number (text, UINT32_MAX, &number))
        return false;
    uint32_t value = (uint32_t) number;
    memcpy (field, &value, sizeof value);
    return true;
}

static bool
s_set (fuota_options_t *self, const row_t *row, const char *text)
{
    char *field = (char *) self + row->offset;
    Wish *wish = &self->wish;
    switch (row->kind) {
        case FLAG:
            *(bool *) field = true;
            return true;
        case NUMBER:
            return s_number (field, text);
        case TEXT:
            if (strlen (text) < row->size)
                memcpy (field, text, strlen (text) + 1);
            return strlen (text) < row->size;
        case WORD:
            memcpy (field, &text, sizeof text);
            return true;
        case FREQUENCY:
            return fuota_cli_frequency (text, &wish->frequency);
        case TIME:
            return fuota_cli_time (text, &wish->start_at);
        case REDUNDANCY:
            return fuota_cli_redundancy (text, &wish->redundancy,
                &wish->redundancy_percent);
        case CHOICE:
            return s_choice (row->value, text, (uint32_t *) (void *) field);
        case DIGITS:
            return s_digits (row, field, text);
        case DEVICE:
            return s_device (self, text);
        case GATEWAY:
            return s_gateway (wish, text);
        case TAG:
            return s_tag (wish, text);
    }
    return false;
}

//  ---------------------------------------------------------------------
//  Parsing

static int
s_fault (fuota_options_t *self, const char *what, const char *value,
    const char *allowed)
{
    snprintf (self->fault, sizeof self->fault, "%.60s: %.60s; allowed %s", what,
        value, allowed);
    return -1;
}

static const row_t *
s_find (fuota_do_t what, const char *name)
{
    for (size_t i = 0; i < ROWS; i++)
        if (s_rows [i].commands >> what & 1 &&
            strcmp (s_rows [i].name, name) == 0)
            return &s_rows [i];
    return NULL;
}

//  One option at argv [*at], as "--name value" or "--name=value".
static int
s_option (fuota_options_t *self, int argc, char **argv, int *at)
{
    char name [32];
    const char *word = argv [*at], *text = strchr (word, '=');
    size_t size = text ? (size_t) (text - word) : strlen (word);
    snprintf (name, sizeof name, "%.*s", size < 31 ? (int) size : 31, word);
    const row_t *row = s_find (self->what, name);
    if (!row)
        return s_fault (self, name, "unknown option",
            "those of --help for this command");
    if (row->kind == FLAG && text)
        return s_fault (self, name, text + 1, "no value");
    text = text ? text + 1 : NULL;
    if (row->kind != FLAG && !text) {
        if (*at + 1 >= argc)
            return s_fault (self, name, "no value", row->value);
        text = argv [++*at];
    }
    if (!s_set (self, row, text))
        return s_fault (self, name, text, row->value);
    if (row->has != NO_FLAG)
        *((bool *) self + row->has) = true;
    return 0;
}

static void
s_endpoints (fuota_options_t *self)
{
    const char *control = getenv ("FUOTA_CONTROL");
    const char *events = getenv ("FUOTA_EVENTS");
    if (!*self->control)
        snprintf (self->control, sizeof self->control, "%s",
            control && *control ? control : CONTROL);
    if (!*self->events && events && *events)
        snprintf (self->events, sizeof self->events, "%s", events);
    if (*self->events)
        return;
    //  Beside it: ".../control" to ".../events"; else none, and watch polls
    size_t size = strlen (self->control), tail = strlen ("control");
    if (size > tail && strcmp (self->control + size - tail, "control") == 0)
        snprintf (self->events, sizeof self->events, "%.*sevents",
            (int) (size - tail), self->control);
}

static int
s_command (fuota_options_t *self, const char *word)
{
    bool plain = strcmp (word, "--help") == 0 || strcmp (word, "-h") == 0;
    self->what =
        strcmp (word, "--version") == 0 ? FUOTA_DO_VERSION : FUOTA_DO_HELP;
    if (plain || self->what == FUOTA_DO_VERSION)
        return 0;
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp (s_commands [i].name, word) == 0) {
            self->what = (fuota_do_t) i;
            return 0;
        }
    return s_fault (self, "command", word, "those of fuotactl --help");
}

static int
s_complete (fuota_options_t *self)
{
    need_t need = s_commands [self->what].need;
    if (self->help)
        return 0;
    if (self->argument && need == NO_ARGUMENT)
        return s_fault (self, s_commands [self->what].name, self->argument,
            "no argument");
    if (!self->argument && need == MUST_HAVE)
        return s_fault (self, s_commands [self->what].name, "no argument",
            s_commands [self->what].argument);
    if (!self->timeout || self->timeout > 86400)
        return s_fault (self, "--timeout", "out of range",
            "1 to 86400 seconds");
    return 0;
}

int
fuota_options_parse (fuota_options_t *self, int argc, char **argv)
{
    *self = (fuota_options_t){ .what = FUOTA_DO_HELP,
        .timeout = 10,
        .direction = -1 };
    if (argc < 2)
        return s_fault (self, "command", "none", "those of fuotactl --help");
    if (s_command (self, argv [1]))
        return -1;
    bool only_words = false;
    for (int i = 2; i < argc; i++) {
        if (!only_words && strcmp (argv [i], "--") == 0)
            only_words = true;
        else if (!only_words && strncmp (argv [i], "--", 2) == 0) {
            if (s_option (self, argc, argv, &i))
                return -1;
        }
        else if (self->argument)
            return s_fault (self, s_commands [self->what].name, argv [i],
                "one argument");
        else
            self->argument = argv [i];
    }
    s_endpoints (self);
    return s_complete (self);
}

void
fuota_options_release (fuota_options_t *self)
{
    free (self->devices);
    *self = (fuota_options_t){ .what = FUOTA_DO_HELP };
}

//  ---------------------------------------------------------------------
//  Help

static void
s_help_all (FILE *out)
{
    fprintf (out, "Usage: fuotactl COMMAND [ARGUMENT] [OPTIONS]\n\n"
                  "Talks to a running fuotad.\n\n");
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf (out, "  %-8s %-8s %s\n", s_commands [i].name,
            s_commands [i].argument ? s_commands [i].argument : "",
            s_commands [i].about);
    fprintf (out,
        "\nAn ID is 32 hex digits, a unique beginning of at least 4, or a "
        "name.\n\nOptions of every command:\n");
}

static void
s_help_rows (fuota_do_t what, FILE *out)
{
    for (size_t i = 0; i < ROWS; i++) {
        bool all = s_rows [i].commands == ALL;
        if (what == FUOTA_DO_HELP ? !all : !(s_rows [i].commands >> what & 1))
            continue;
        char left [40];
        snprintf (left, sizeof left, "%s %s", s_rows [i].name,
            s_rows [i].value ? s_rows [i].value : "");
        fprintf (out, "  %-26s %s\n", left, s_rows [i].about);
    }
}

void
fuota_options_help (fuota_do_t what, FILE *out)
{
    if (what == FUOTA_DO_HELP)
        s_help_all (out);
    else
        fprintf (out, "Usage: fuotactl %s %s%s[OPTIONS]\n\n%s.\n\n",
            s_commands [what].name,
            s_commands [what].argument ? s_commands [what].argument : "",
            s_commands [what].argument ? " " : "", s_commands [what].about);
    s_help_rows (what, out);
    fprintf (out,
        "\nExit status: 0 ok; 1 usage; 2 the wish was refused, with its "
        "faults; 3 no\nsuch deployment, or nothing to decode; 4 no answer; 5 "
        "not in this phase; 6 the\nbroker failed; 7 the id means several; 8 "
        "request not understood; 9 (watch,\nreport) over, but not every device "
        "is complete, or cancelled; 10 (report) not\nover yet.\n\nExamples:\n");
    for (size_t i = 0; i < COMMANDS; i++)
        if (what == FUOTA_DO_HELP || i == what)
            fprintf (out, "  %s\n", s_commands [i].example);
}
