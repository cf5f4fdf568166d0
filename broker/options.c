//  SPDX-License-Identifier: MIT
//
//  Parts: values; parsing; help. The tables are in options_table.c.

#include <stdlib.h>
#include <string.h>
#include "broker/cli.h"
#include "broker/options_private.h"

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
s_digits (const fuota_options_row_t *row, char *field, const char *text)
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

//  One more in a list of nanopb's, whose count stands at row->has.
static bool
s_tag (const fuota_options_row_t *row, Tag *list, pb_size_t *count,
    const char *text)
{
    const char *equals = strchr (text, '=');
    if (!equals || *count == row->size / sizeof *list)
        return false;
    Tag *tag = &list [*count];
    size_t key = (size_t) (equals - text), value = strlen (equals + 1);
    if (!key || key >= sizeof tag->key || value >= sizeof tag->value)
        return false;
    memcpy (tag->key, text, key);
    memcpy (tag->value, equals + 1, value + 1);
    ++*count;
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
s_set (fuota_options_t *self, const fuota_options_row_t *row, const char *text)
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
            return s_tag (row, (Tag *) (void *) field,
                (pb_size_t *) (void *) ((char *) self + row->has), text);
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

//  What a value of that option may be. words is room for what is no constant.
static const char *
s_allowed (const fuota_options_row_t *row, char *words, size_t room)
{
    const Wish *wish = NULL;
    switch (row->kind) {
        case NUMBER:
            return strchr (row->value, '|') ? row->value
                                            : "a whole number below 2^32";
        case TEXT:
            snprintf (words, room, "at most %zu characters", row->size - 1);
            return words;
        case FREQUENCY:
            return "as 868.1MHz, 868100kHz or 868100000";
        case TIME:
            return "now, or as 2026-01-31T12:00:00Z";
        case REDUNDANCY:
            return "a number of fragments, or a share as 30%";
        case DIGITS:
            snprintf (words, room, "at most %zu hex digits", 2 * row->size);
            return words;
        case DEVICE:
            return "16 hex digits";
        case GATEWAY:
            snprintf (words, room, "16 hex digits, for at most %zu gateways",
                sizeof wish->gateways / sizeof *wish->gateways);
            return words;
        case TAG:
            snprintf (words, room,
                "KEY=VALUE of at most %zu and %zu characters, %zu times",
                sizeof wish->tags->key - 1, sizeof wish->tags->value - 1,
                row->size / sizeof *wish->tags);
            return words;
        default:
            return row->value;
    }
}

static const fuota_options_row_t *
s_find (fuota_do_t what, const char *name)
{
    for (size_t i = 0; fuota_options_rows [i].name; i++)
        if (fuota_options_rows [i].commands >> what & 1 &&
            strcmp (fuota_options_rows [i].name, name) == 0)
            return &fuota_options_rows [i];
    return NULL;
}

//  One option at argv [*at], as "--name value" or "--name=value".
static int
s_option (fuota_options_t *self, int argc, char **argv, int *at)
{
    char name [32], words [80];
    const char *word = argv [*at], *text = strchr (word, '=');
    size_t size = text ? (size_t) (text - word) : strlen (word);
    snprintf (name, sizeof name, "%.*s", size < 31 ? (int) size : 31, word);
    const fuota_options_row_t *row = s_find (self->what, name);
    if (!row)
        return s_fault (self, name, "unknown option",
            self->what == FUOTA_DO_HELP ? "those of every command before it"
                                        : "those of --help for this command");
    if (row->kind == FLAG && text)
        return s_fault (self, name, text + 1, "no value");
    text = text ? text + 1 : NULL;
    if (row->kind != FLAG && !text) {
        if (*at + 1 >= argc)
            return s_fault (self, name, "no value",
                s_allowed (row, words, sizeof words));
        text = argv [++*at];
    }
    if (!s_set (self, row, text))
        return s_fault (self, name, text, s_allowed (row, words, sizeof words));
    if (row->has != 0 && row->kind != TAG)
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
            control && *control ? control : FUOTA_OPTIONS_CONTROL);
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

//  An option before the command; those of every command may stand there.
static bool
s_is_early (const char *word)
{
    return strncmp (word, "--", 2) == 0 && strcmp (word, "--help") &&
           strcmp (word, "--version");
}

//  A command of two words, if it is one.
static bool
s_two_words (fuota_options_t *self, const char *first, const char *second)
{
    char words [64];
    snprintf (words, sizeof words, "%s %s", first, second ? second : "");
    for (size_t i = 0; second && i <= FUOTA_DO_HELP; i++)
        if (strcmp (fuota_options_commands [i].name, words) == 0) {
            self->what = (fuota_do_t) i;
            return true;
        }
    return false;
}

static int
s_command (fuota_options_t *self, const char *word)
{
    bool plain = strcmp (word, "--help") == 0 || strcmp (word, "-h") == 0;
    self->what =
        strcmp (word, "--version") == 0 ? FUOTA_DO_VERSION : FUOTA_DO_HELP;
    if (plain || self->what == FUOTA_DO_VERSION)
        return 0;
    for (size_t i = 0; i <= FUOTA_DO_HELP; i++)
        if (strcmp (fuota_options_commands [i].name, word) == 0) {
            self->what = (fuota_do_t) i;
            return 0;
        }
    return s_fault (self, "command", word, "those of fuotactl --help");
}

static int
s_complete (fuota_options_t *self)
{
    fuota_options_need_t need = fuota_options_commands [self->what].need;
    if (self->help)
        return 0;
    if (self->argument && need == NO_ARGUMENT)
        return s_fault (self, fuota_options_commands [self->what].name,
            self->argument, "no argument");
    if (!self->argument && need == MUST_HAVE)
        return s_fault (self, fuota_options_commands [self->what].name,
            "no argument", fuota_options_commands [self->what].argument);
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
    int at = 1;
    for (; at < argc && s_is_early (argv [at]); at++)
        if (s_option (self, argc, argv, &at))
            return -1;
    if (at >= argc)
        return s_fault (self, "command", "none", "those of fuotactl --help");
    bool two = s_two_words (self, argv [at], argv [at + 1]);
    if (!two && s_command (self, argv [at]))
        return -1;
    bool only_words = false;
    for (int i = at + 1 + two; i < argc; i++) {
        if (!only_words && strcmp (argv [i], "--") == 0)
            only_words = true;
        else if (!only_words && strncmp (argv [i], "--", 2) == 0) {
            if (s_option (self, argc, argv, &i))
                return -1;
        }
        else if (self->argument)
            return s_fault (self, fuota_options_commands [self->what].name,
                argv [i], "one argument");
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
    for (size_t i = 0; i <= FUOTA_DO_HELP; i++)
        fprintf (out, "  %-13s %-8s %s\n", fuota_options_commands [i].name,
            fuota_options_commands [i].argument
                ? fuota_options_commands [i].argument
                : "",
            fuota_options_commands [i].about);
    fprintf (out,
        "\nAn ID is 32 hex digits, a unique beginning of at least 4, or a "
        "name.\n\nOptions of every command, also before it:\n");
}

static void
s_help_rows (fuota_do_t what, FILE *out)
{
    for (size_t i = 0; fuota_options_rows [i].name; i++) {
        bool all = fuota_options_rows [i].commands == FUOTA_OPTIONS_ALL;
        if (what == FUOTA_DO_HELP
                ? !all
                : !(fuota_options_rows [i].commands >> what & 1))
            continue;
        char left [40];
        snprintf (left, sizeof left, "%s %s", fuota_options_rows [i].name,
            fuota_options_rows [i].value ? fuota_options_rows [i].value : "");
        fprintf (out, "  %-26s %s\n", left, fuota_options_rows [i].about);
    }
}

void
fuota_options_help (fuota_do_t what, FILE *out)
{
    if (what == FUOTA_DO_HELP)
        s_help_all (out);
    else
        fprintf (out, "Usage: fuotactl %s %s%s[OPTIONS]\n\n%s.\n\n",
            fuota_options_commands [what].name,
            fuota_options_commands [what].argument
                ? fuota_options_commands [what].argument
                : "",
            fuota_options_commands [what].argument ? " " : "",
            fuota_options_commands [what].about);
    s_help_rows (what, out);
    fprintf (out,
        "\nExit status: 0 ok; 1 usage; 2 the wish was refused, with its "
        "faults; 3 no\nsuch deployment, or nothing to decode; 4 no answer; 5 "
        "not in this phase; 6 the\nbroker failed; 7 the id means several; 8 "
        "request not understood; 9 (watch,\nreport) over, but not every device "
        "is complete, or cancelled; 10 (report) not\nover yet; 11 (check) "
        "something is wrong.\n\nExamples:\n");
    for (size_t i = 0; i <= FUOTA_DO_HELP; i++)
        if (what == FUOTA_DO_HELP || i == what)
            fprintf (out, "  %s\n", fuota_options_commands [i].example);
}
