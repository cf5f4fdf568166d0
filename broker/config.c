//  SPDX-License-Identifier: MIT
//
//  Walks the file by the tables of config_table.c. libconfig's handle never
//  leaves this source.

#include <ctype.h>
#include <errno.h>
#include <libconfig.h>
#include <stdlib.h>
#include <string.h>
#include "broker/config_private.h"
#include "workers/package/region.h"

typedef struct {
    fuota_config_t *config;
    const char *name;
    FILE *faults;
    unsigned count;
} self_t;

static void
s_fault (self_t *self, const config_setting_t *setting, const char *key,
    const char *value, const char *allowed)
{
    const char *file = config_setting_source_file (setting);
    fprintf (self->faults, "%s:%u: %s: %s; allowed %s\n",
        file ? file : self->name, config_setting_source_line (setting), key,
        value, allowed);
    self->count++;
}

//  A setting as a value, and as text for a fault.
static fuota_config_value_t
s_value (const config_setting_t *setting, char *text, size_t size)
{
    fuota_config_value_t value = { .is_text = false };
    switch (config_setting_type (setting)) {
        case CONFIG_TYPE_INT:
        case CONFIG_TYPE_INT64:
            value.is_number = true;
            value.number = config_setting_get_int64 (setting);
            snprintf (text, size, "%lld", (long long) value.number);
            break;
        case CONFIG_TYPE_BOOL:
            value.is_bool = true;
            value.number = config_setting_get_bool (setting);
            snprintf (text, size, "%s", value.number ? "true" : "false");
            break;
        case CONFIG_TYPE_STRING:
            value.is_text = true;
            value.text = config_setting_get_string (setting);
            snprintf (text, size, "\"%s\"", value.text);
            break;
        case CONFIG_TYPE_FLOAT:
            snprintf (text, size, "%g", config_setting_get_float (setting));
            break;
        default:
            snprintf (text, size, "(a group or list)");
    }
    return value;
}

static void
s_regions (char *text, size_t size)
{
    *text = 0;
    for (unsigned i = 0; fuota_region_name (i); i++) {
        size_t at = strlen (text);
        snprintf (text + at, size - at, "%s%s", i ? ", " : "",
            fuota_region_name (i));
    }
}

static void
s_take_words (self_t *self, const fuota_config_row_t *row,
    config_setting_t *setting)
{
    fuota_config_t *config = self->config;
    int count = config_setting_is_aggregate (setting)
                    ? config_setting_length (setting)
                    : -1;
    bool good = count >= 0 && count <= FUOTA_CONFIG_APPLICATIONS &&
                !config_setting_is_group (setting);
    config->clock_application_count = 0;
    for (int i = 0; good && i < count; i++) {
        const char *word = config_setting_get_string_elem (setting, i);
        size_t size = word ? strlen (word) : 0;
        good = size >= (size_t) row->min && size <= (size_t) row->max;
        if (good)
            memcpy (config->clock_applications
                        [config->clock_application_count++],
                word, size + 1);
    }
    if (!good)
        s_fault (self, setting, row->key, "(not such a list)", row->allowed);
}

static void
s_take_row (self_t *self, const fuota_config_row_t *row, void *base,
    const char *key, config_setting_t *setting)
{
    char text [128], regions [256];
    if (row->kind == KIND_WORDS) {
        s_take_words (self, row, setting);
        return;
    }
    fuota_config_value_t value = s_value (setting, text, sizeof text);
    if (fuota_config_set (row, base, &value))
        return;
    s_regions (regions, sizeof regions);
    s_fault (self, setting, key, text, row->allowed ? row->allowed : regions);
}

//  Keys of the table that begin with prefix, to say what would be known.
static void
s_known (const fuota_config_row_t *rows, const char *prefix, char *text,
    size_t size)
{
    snprintf (text, size, "%s", *prefix ? "" : "profiles");
    for (size_t i = 0; rows [i].key; i++) {
        if (strncmp (rows [i].key, prefix, strlen (prefix)))
            continue;
        const char *rest = rows [i].key + strlen (prefix);
        char word [48];
        snprintf (word, sizeof word, "%.*s", (int) strcspn (rest, "."), rest);
        size_t at = strlen (text), tail = strlen (word);
        if (at >= tail && strcmp (text + at - tail, word) == 0)
            continue;  //  The same group as the row before
        snprintf (text + at, size - at, "%s%s", at ? ", " : "", word);
    }
}

static void
s_fault_unknown (self_t *self, const fuota_config_row_t *rows,
    const char *prefix, const char *key, const config_setting_t *setting)
{
    char known [1024];
    s_known (rows, prefix, known, sizeof known);
    s_fault (self, setting, key, "unknown key", known);
}

static const fuota_config_row_t *
s_find (const fuota_config_row_t *rows, const char *key)
{
    for (size_t i = 0; rows [i].key; i++)
        if (strcmp (rows [i].key, key) == 0)
            return &rows [i];
    return NULL;
}

static void
s_check_profile (self_t *self, const char *key, config_setting_t *setting)
{
    fuota_config_t *config = self->config;
    fuota_profile_t *profile = &config->profiles [config->profile_count];
    const fuota_dialect_t *dialect = &profile->dialect;
    char text [128];
    if (!*profile->name)
        s_fault (self, setting, key, "without a name", "1 to 64 characters");
    for (size_t i = 0; i < config->profile_count; i++)
        if (strcmp (config->profiles [i].name, profile->name) == 0)
            s_fault (self, setting, key, profile->name, "each name once");
    if (dialect->port004 == dialect->port005 ||
        (dialect->ts003 && (dialect->port003 == dialect->port004 ||
                               dialect->port003 == dialect->port005))) {
        snprintf (text, sizeof text, "ports %u, %u, %u",
            (unsigned) dialect->port003, (unsigned) dialect->port004,
            (unsigned) dialect->port005);
        s_fault (self, setting, key, text, "ports that differ");
    }
    config->profile_count++;
}

static void
s_take_profile (self_t *self, const char *key, config_setting_t *setting)
{
    fuota_profile_t *profile =
        &self->config->profiles [self->config->profile_count];
    *profile = (fuota_profile_t){ .name = "" };
    fuota_config_preset (fuota_config_profile_rows, profile);
    for (int i = 0; i < config_setting_length (setting); i++) {
        config_setting_t *child =
            config_setting_get_elem (setting, (unsigned) i);
        const char *word = config_setting_name (child);
        char path [128];
        snprintf (path, sizeof path, "%s.%.64s", key, word);
        const fuota_config_row_t *row =
            s_find (fuota_config_profile_rows, word);
        if (row)
            s_take_row (self, row, profile, path, child);
        else
            s_fault_unknown (self, fuota_config_profile_rows, "", path, child);
    }
    s_check_profile (self, key, setting);
}

static void
s_take_profiles (self_t *self, config_setting_t *setting)
{
    int count = config_setting_length (setting);
    if (!config_setting_is_list (setting) || count > FUOTA_CONFIG_PROFILES) {
        s_fault (self, setting, "profiles", "(not such a list)",
            "( { name = ...; }, ... ), at most 64");
        return;
    }
    for (int i = 0; i < count; i++) {
        config_setting_t *child =
            config_setting_get_elem (setting, (unsigned) i);
        char key [32];
        snprintf (key, sizeof key, "profiles[%d]", i);
        if (config_setting_is_group (child))
            s_take_profile (self, key, child);
        else
            s_fault (self, child, key, "(no group)", "{ name = ...; }");
    }
}

static bool
s_is_group (const char *prefix)
{
    for (size_t i = 0; fuota_config_rows [i].key; i++)
        if (strncmp (fuota_config_rows [i].key, prefix, strlen (prefix)) == 0)
            return true;
    return false;
}

//  Every setting of a group. The table is two levels deep, so the walk is.
static void
s_take_group (self_t *self, const char *prefix, config_setting_t *group)
{
    for (int i = 0; i < config_setting_length (group); i++) {
        config_setting_t *child = config_setting_get_elem (group, (unsigned) i);
        char key [128], inner [130];
        snprintf (key, sizeof key, "%s%.64s", prefix,
            config_setting_name (child));
        snprintf (inner, sizeof inner, "%s.", key);
        const fuota_config_row_t *row = s_find (fuota_config_rows, key);
        if (row)
            s_take_row (self, row, self->config, key, child);
        else if (strcmp (key, "profiles") == 0)
            s_take_profiles (self, child);
        else if (config_setting_is_group (child) && s_is_group (inner))
            s_take_group (self, inner, child);
        else
            s_fault_unknown (self, fuota_config_rows, prefix, key, child);
    }
}

//  The simulated devices have one application: who deploys to them need not
//  repeat it. How a host spaces fragments is its own; plans must know.
static void
s_settle (fuota_config_t *config)
{
    if (strcmp (config->host_type, "sim") != 0) {
        config->deploy.margin_c = config->chirpstack.margin_c;
        config->deploy.margin_b = config->chirpstack.margin_b;
    }
    if (!*config->deploy.application && strcmp (config->host_type, "sim") == 0)
        memcpy (config->deploy.application, config->sim.application,
            sizeof config->deploy.application);
}

//  A device told to resynchronise asks; an answer that thinks it right enough
//  would leave it where it is.
static void
s_check_clocks (self_t *self, config_t *handle)
{
    const fuota_config_t *config = self->config;
    if (config->clock_threshold <= config->deploy.guard)
        return;
    config_setting_t *setting = config_lookup (handle, "clock.threshold");
    char value [16];
    snprintf (value, sizeof value, "%u", (unsigned) config->clock_threshold);
    s_fault (self, setting ? setting : config_lookup (handle, "deploy.guard"),
        "clock.threshold", value, "at most deploy.guard");
}

static void
s_fault_of (self_t *self, config_t *handle, const char *key, const char *value,
    const char *allowed)
{
    config_setting_t *setting = config_lookup (handle, key);
    s_fault (self, setting ? setting : config_lookup (handle, "host"), key,
        *value ? value : "empty", allowed);
}

//  Ways in and out that do not go together.
static void
s_check_host (self_t *self, config_t *handle)
{
    const fuota_config_t *config = self->config;
    const fuota_config_chirpstack_t *chirpstack = &config->chirpstack;
    if (strcmp (config->host_type, "sim") == 0) {
        if (strcmp (config->host_events, "auto") != 0)
            s_fault_of (self, handle, "host.events", config->host_events,
                "auto, for the simulator has its own");
        return;
    }
    if (!fuota_config_events_by (config, "zmq"))
        return;
    if (!*config->zmq.events && !*config->zmq.subscribe)
        s_fault_of (self, handle, "host.zmq.events", "",
            "an endpoint here or in host.zmq.subscribe");
    if (strcmp (config->host_type, "chirpstack") != 0)
        return;
    if (strcmp (chirpstack->unicast, "grpc") != 0)
        s_fault_of (self, handle, "host.chirpstack.unicast",
            chirpstack->unicast, "grpc where host.events is zmq");
    if (*chirpstack->gateway_prefix)
        s_fault_of (self, handle, "host.chirpstack.gateway_prefix",
            chirpstack->gateway_prefix, "empty where host.events is zmq");
}

static int
s_take (self_t *self, config_t *handle, int read)
{
    fuota_config_defaults (self->config);
    if (read == CONFIG_TRUE)
        s_take_group (self, "", config_root_setting (handle));
    else if (config_error_type (handle) == CONFIG_ERR_FILE_IO) {
        fprintf (self->faults, "%s: cannot be read\n", self->name);
        self->count++;
    }
    else {
        const char *file = config_error_file (handle);
        fprintf (self->faults, "%s:%d: %s\n", file ? file : self->name,
            config_error_line (handle), config_error_text (handle));
        self->count++;
    }
    s_settle (self->config);
    s_check_clocks (self, handle);
    s_check_host (self, handle);
    config_destroy (handle);
    return self->count ? -1 : 0;
}

//  libconfig takes a number without an L as 32 bits and cuts it silently.
static void
s_check_numbers (self_t *self, FILE *file)
{
    char line [1024];
    for (unsigned number = 1; fgets (line, sizeof line, file); number++) {
        bool quoted = false;
        for (char *at = line; *at && (quoted || !strchr ("#/", *at));) {
            quoted ^= *at == '"';
            if (quoted || !isdigit ((unsigned char) *at) ||
                (at > line && (isalnum ((unsigned char) at [-1]) ||
                                  strchr ("_.", at [-1])))) {
                at++;
                continue;
            }
            char *end;
            errno = 0;
            long long value = strtoll (at, &end, 0);
            if (*end != 'L' && (errno || value > INT32_MAX)) {
                fprintf (self->faults,
                    "%s:%u: %.*s; allowed above %d only "
                    "with an L behind it\n",
                    self->name, number, (int) (end - at), at, INT32_MAX);
                self->count++;
            }
            at = end > at ? end : at + 1;
        }
    }
}

bool
fuota_config_events_by (const fuota_config_t *self, const char *what)
{
    bool chirpstack = strcmp (self->host_type, "chirpstack") == 0;
    return strcmp (self->host_events, "auto") == 0
               ? strcmp (what, chirpstack ? "mqtt" : "zmq") == 0
               : strcmp (what, self->host_events) == 0;
}

int
fuota_config_load (fuota_config_t *self, const char *path, FILE *faults)
{
    self_t walk = { self, path, faults, 0 };
    config_t handle;
    FILE *file = fopen (path, "r");
    if (file) {
        s_check_numbers (&walk, file);
        fclose (file);
    }
    config_init (&handle);
    return s_take (&walk, &handle, config_read_file (&handle, path));
}

int
fuota_config_parse (fuota_config_t *self, const char *text, const char *name,
    FILE *faults)
{
    self_t walk = { self, name, faults, 0 };
    config_t handle;
    config_init (&handle);
    return s_take (&walk, &handle, config_read_string (&handle, text));
}
