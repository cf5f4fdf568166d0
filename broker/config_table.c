//  SPDX-License-Identifier: MIT
//
//  Parts: the tables; a value into its field; defaults.

#include <stdlib.h>
#include <string.h>
#include "broker/config_private.h"
#include "schema/hex.h"
#include "workers/package/region.h"

//  ---------------------------------------------------------------------
//  The tables

#define AT(field)                                                              \
    offsetof (fuota_config_t, field), sizeof (((fuota_config_t *) 0)->field)
#define AT_PROFILE(field)                                                      \
    offsetof (fuota_profile_t, field), sizeof (((fuota_profile_t *) 0)->field)
#define RATE 0, 1000, "0 to 1000 permille"
#define VERSION 1, 2, "1 or 2"
#define PORT 1, 223, "1 to 223"

const fuota_config_row_t fuota_config_rows [] = {
    { "state.folder", KIND_TEXT, AT (state_folder), "/var/lib/fuotad", 1, 255,
        "a folder's path" },
    { "state.map_mib", KIND_U32, AT (state_map_mib), "16384", 16, 16777216,
        "16 to 16777216 MiB of address space" },
    { "state.keep_days", KIND_U32, AT (state_keep_days), "0", 0, 36500,
        "0 (for ever) to 36500 days" },
    { "parity.folder", KIND_TEXT, AT (parity_folder), "", 0, 255,
        "a folder's path; empty: parity in that of the state" },
    { "parity.max_mib", KIND_U32, AT (parity_max_mib), "4096", 16, 16777216,
        "16 to 16777216 MiB" },
    { "pool.workers", KIND_I32, AT (pool_workers), "-1", -1, 1024,
        "-1 (cores less one) to 1024" },
    { "pool.program", KIND_TEXT, AT (pool_program), "", 0, 255,
        "a path; empty: fuota-fec beside fuotad" },
    { "pool.endpoint", KIND_TEXT, AT (pool_endpoint), "", 0, 107,
        "ipc://PATH; empty: in the parity folder" },
    { "pool.far", KIND_TEXT, AT (pool_far), "", 0, 127,
        "tcp://ADDRESS:PORT; empty: no workers of other hosts" },
    { "pool.server_key", KIND_TEXT, AT (pool_server_key),
        "/etc/fuota/curve/server_secret", 1, 255, "a file, mode 0600" },
    { "pool.admitted", KIND_TEXT, AT (pool_admitted),
        "/etc/fuota/curve/workers", 1, 255, "a folder" },
    { "control.endpoint", KIND_TEXT, AT (control_endpoint),
        "ipc:///run/fuotad/control", 6, 127, "ipc://PATH" },
    { "control.events", KIND_TEXT, AT (events_endpoint),
        "ipc:///run/fuotad/events", 6, 127, "ipc://PATH" },
    { "time.scale", KIND_U32, AT (time_scale), "1", 1, 100000,
        "1 to 100000 times real time; 1 but in a simulation" },
    { "time.origin", KIND_I64, AT (time_origin), "0", 0, 4102444800000,
        "0 to 4102444800000, UTC milliseconds" },
    { "host.type", KIND_CHOICE, AT (host_type), "sim", 0, 0,
        "sim, chirpstack, zmq" },
    { "host.events", KIND_CHOICE, AT (host_events), "auto", 0, 0,
        "auto, mqtt, zmq" },
    { "host.endpoint", KIND_TEXT, AT (host_endpoint), "", 0, 127,
        "empty for the simulator inside, or ipc://PATH of one outside" },
    { "host.sim.seed", KIND_I64, AT (sim.seed), "1", 0, INT64_MAX, "0 and up" },
    { "host.sim.devices", KIND_U32, AT (sim.devices), "10", 0, 1000000,
        "0 to 1000000" },
    { "host.sim.first_eui", KIND_EUI, AT (sim.first_eui), "70b3d57ed0000001", 0,
        0, "16 hex digits in quotes" },
    { "host.sim.application", KIND_TEXT, AT (sim.application),
        "00000000-0000-4000-8000-000000000001", 1, 40, "1 to 40 characters" },
    { "host.sim.ts003", KIND_U32, AT (sim.ts003), "1", VERSION },
    { "host.sim.ts004", KIND_U32, AT (sim.ts004), "1", VERSION },
    { "host.sim.ts005", KIND_U32, AT (sim.ts005), "1", VERSION },
    { "host.sim.mixed", KIND_U32, AT (sim.mixed), "0", RATE },
    { "host.sim.uplink_interval", KIND_U32, AT (sim.uplink_interval), "60000",
        1000, 604800000, "1000 to 604800000 ms" },
    { "host.sim.loss", KIND_U32, AT (sim.loss), "50", RATE },
    { "host.sim.burst", KIND_U32, AT (sim.burst), "1", 0, 10000,
        "0 to 10000 frames" },
    { "host.sim.unicast_loss", KIND_U32, AT (sim.unicast_loss), "10", RATE },
    { "host.sim.duplicates", KIND_U32, AT (sim.duplicates), "0", RATE },
    { "host.sim.reorder", KIND_U32, AT (sim.reorder), "0", RATE },
    { "host.sim.dead", KIND_U32, AT (sim.dead), "0", RATE },
    { "host.sim.refusing", KIND_U32, AT (sim.refusing), "0", RATE },
    { "host.sim.quirks", KIND_U32, AT (sim.quirks), "0", RATE },
    { "host.sim.clock_error", KIND_U32, AT (sim.clock_error), "2000", 0,
        86400000, "0 to 86400000 ms" },
    { "host.sim.drift", KIND_U32, AT (sim.drift), "20", 0, 10000,
        "0 to 10000 parts per million" },
    { "host.sim.answer_delay", KIND_U32, AT (sim.answer_delay), "2000", 0,
        3600000, "0 to 3600000 ms" },
    { "host.sim.max_losses", KIND_U32, AT (sim.max_losses), "0", 0, 16383,
        "0 (any) to 16383 fragments" },
    { "host.sim.max_block", KIND_U32, AT (sim.max_block), "0", 0, 16777216,
        "0 (any) to 16777216 bytes" },
    { "host.sim.gateways", KIND_U32, AT (sim.gateways), "1", 1, 16, "1 to 16" },
    { "host.sim.gateway_refusal", KIND_U32, AT (sim.gateway_refusal), "0",
        RATE },
    { "host.sim.blind", KIND_U32, AT (sim.blind), "0", 0, 1, "0 or 1" },
    { "host.sim.busy", KIND_U32, AT (sim.busy), "0", RATE },
    { "host.sim.lost_answers", KIND_U32, AT (sim.lost_answers), "0", RATE },
    { "host.sim.scheduler", KIND_U32, AT (sim.scheduler), "1000", 1, 60000,
        "1 to 60000 ms" },
    { "host.chirpstack.mqtt", KIND_TEXT, AT (chirpstack.mqtt),
        "tcp://127.0.0.1:1883", 7, 127, "tcp://HOST:PORT or ssl://HOST:PORT" },
    { "host.chirpstack.mqtt_ca", KIND_TEXT, AT (chirpstack.mqtt_ca), "", 0, 255,
        "a file; empty: the system's" },
    { "host.chirpstack.mqtt_cert", KIND_TEXT, AT (chirpstack.mqtt_cert), "", 0,
        255, "a file; empty: none" },
    { "host.chirpstack.mqtt_key", KIND_TEXT, AT (chirpstack.mqtt_key), "", 0,
        255, "a file; empty: none" },
    { "host.chirpstack.mqtt_user", KIND_TEXT, AT (chirpstack.mqtt_user), "", 0,
        63, "at most 63 characters; empty: none" },
    { "host.chirpstack.mqtt_password_file", KIND_TEXT,
        AT (chirpstack.mqtt_password_file), "", 0, 255,
        "a file, mode 0600; empty: none" },
    { "host.chirpstack.client_id", KIND_TEXT, AT (chirpstack.client_id),
        "fuotad", 1, 63, "1 to 63 characters" },
    { "host.chirpstack.share", KIND_TEXT, AT (chirpstack.share), "", 0, 63,
        "the name of a group of engines; empty: alone" },
    { "host.chirpstack.event_topic", KIND_TEXT, AT (chirpstack.event_topic),
        "application/{{application_id}}/device/{{dev_eui}}/event/{{event}}", 1,
        159, "ChirpStack's event_topic" },
    { "host.chirpstack.command_topic", KIND_TEXT, AT (chirpstack.command_topic),
        "application/{{application_id}}/device/{{dev_eui}}/command/{{command}}",
        1, 159, "ChirpStack's command_topic" },
    { "host.chirpstack.gateway_prefix", KIND_TEXT,
        AT (chirpstack.gateway_prefix), "", 0, 63,
        "topic_prefix of a region, or +; empty: not readable" },
    { "host.chirpstack.encoding", KIND_CHOICE, AT (chirpstack.encoding), "auto",
        0, 0, "auto, json, protobuf" },
    { "host.chirpstack.unicast", KIND_CHOICE, AT (chirpstack.unicast), "mqtt",
        0, 0, "mqtt, grpc" },
    { "host.chirpstack.api", KIND_TEXT, AT (chirpstack.api),
        "http://127.0.0.1:8080", 8, 127,
        "http://HOST:PORT or https://HOST:PORT" },
    { "host.chirpstack.api_ca", KIND_TEXT, AT (chirpstack.api_ca), "", 0, 255,
        "a file; empty: the system's" },
    { "host.chirpstack.token_file", KIND_TEXT, AT (chirpstack.token_file),
        "/etc/fuota/chirpstack-token", 1, 255, "a file, mode 0600" },
    { "host.chirpstack.multicast_class_c_margin", KIND_U32,
        AT (chirpstack.margin_c), "5000", 0, 600000, "0 to 600000 ms" },
    { "host.chirpstack.multicast_class_b_margin", KIND_U32,
        AT (chirpstack.margin_b), "5000", 0, 600000, "0 to 600000 ms" },
    { "host.zmq.events", KIND_ENDPOINT, AT (zmq.events),
        "ipc:///run/fuotad/host.events", 0, 127,
        "ipc://PATH or tcp://ADDRESS:PORT, with > before it to connect; "
        "empty: none" },
    { "host.zmq.subscribe", KIND_ENDPOINT, AT (zmq.subscribe), "", 0, 127,
        "ipc://PATH or tcp://ADDRESS:PORT; empty: none" },
    { "host.zmq.topic", KIND_TEXT, AT (zmq.topic), "", 0, 159,
        "what topics begin with; empty: all" },
    { "host.zmq.downlinks", KIND_ENDPOINT, AT (zmq.downlinks),
        "ipc:///run/fuotad/host.downlinks", 1, 127,
        "ipc://PATH or tcp://ADDRESS:PORT" },
    { "host.zmq.admitted", KIND_TEXT, AT (zmq.admitted),
        "/etc/fuota/curve/hosts", 1, 255, "a folder" },
    { "host.zmq.peer_key", KIND_TEXT, AT (zmq.peer_key),
        "/etc/fuota/curve/host", 1, 255, "a file" },
    { "lorawan.topic_prefix", KIND_TEXT, AT (lorawan.topic_prefix), "eu868", 0,
        63, "the region's topic_prefix; empty: none" },
    { "lorawan.region", KIND_REGION, AT (lorawan.air.region), "EU868", 1, 16,
        NULL },
    { "lorawan.first_gateway", KIND_EUI, AT (lorawan.air.first_gateway),
        "0016c001f1500001", 0, 0, "16 hex digits in quotes" },
    { "lorawan.join_eui", KIND_EUI, AT (lorawan.air.join_eui),
        "0000000000000000", 0, 0, "16 hex digits in quotes" },
    { "lorawan.v11", KIND_U32, AT (lorawan.air.v11), "500", RATE },
    { "lorawan.abp", KIND_U32, AT (lorawan.air.abp), "0", RATE },
    { "lorawan.abp_rx1_delay", KIND_U32, AT (lorawan.air.abp_rx1_delay), "1", 1,
        15, "1 to 15 seconds" },
    { "lorawan.adr", KIND_U32, AT (lorawan.air.adr), "1", 0, 1, "0 or 1" },
    { "lorawan.dr", KIND_U32, AT (lorawan.air.dr), "5", 0, 7, "0 to 7" },
    { "lorawan.sub_band", KIND_U32, AT (lorawan.air.sub_band), "2", 1, 8,
        "1 to 8" },
    { "lorawan.reach", KIND_U32, AT (lorawan.air.reach), "2", 1, 16,
        "1 to 16" },
    { "lorawan.name", KIND_TEXT, AT (lorawan.name), "fuota-sim", 1, 64,
        "1 to 64 characters" },
    { "lorawan.tenant_id", KIND_TEXT, AT (lorawan.tenant_id), "", 0, 40,
        "a tenant's id; empty: one is created" },
    { "deploy.application", KIND_TEXT, AT (deploy.application), "", 0, 40,
        "at most 40 characters; empty: the simulator's, or each wish says" },
    { "deploy.region", KIND_REGION, AT (deploy.region), "EU868", 1, 16, NULL },
    { "deploy.dr", KIND_I32, AT (deploy.dr), "-1", -1, 15,
        "-1 (that of RX2 or the ping slot) to 15" },
    { "deploy.expected_loss", KIND_U32, AT (deploy.expected_loss), "10", 0, 90,
        "0 to 90 per cent" },
    { "deploy.quorum", KIND_U32, AT (deploy.quorum), "100", 1, 100,
        "1 to 100 per cent" },
    { "deploy.retries", KIND_U32, AT (deploy.retries), "3", 1, 20,
        "1 to 20 attempts" },
    { "deploy.uplink_interval", KIND_U32, AT (deploy.uplink_interval), "3600",
        10, 604800, "10 to 604800 seconds" },
    { "deploy.repair_rounds", KIND_U32, AT (deploy.repair_rounds), "3", 0, 50,
        "0 to 50 rounds" },
    { "deploy.guard", KIND_U32, AT (deploy.guard), "3", 1, 60,
        "1 to 60 seconds" },
    { "deploy.mc_addr", KIND_ADDRESS, AT (deploy.mc_addr_prefix), "01000000/8",
        0, 0, "8 hex digits / 0 to 24 bits, in quotes" },
    { "clock.applications", KIND_WORDS, AT (clock_applications), "*", 1, 40,
        "a list of at most 32 application ids, or [ \"*\" ]" },
    { "clock.threshold", KIND_U32, AT (clock_threshold), "2", 0, 3600,
        "0 to 3600 seconds" },
    { "clock.leap_extra", KIND_I32, AT (clock_leap_extra), "0", -5, 5,
        "-5 to 5 seconds" },
    { "log.level", KIND_CHOICE, AT (log_level), "info", 0, 0,
        "error, warning, info, debug" },
    { .key = NULL },
};

//  Of each group in the list `profiles`
const fuota_config_row_t fuota_config_profile_rows [] = {
    { "name", KIND_TEXT, AT_PROFILE (name), "", 1, 64, "1 to 64 characters" },
    { "ts003", KIND_U32, AT_PROFILE (dialect.ts003), "1", 0, 2,
        "0 (none), 1 or 2" },
    { "ts004", KIND_U32, AT_PROFILE (dialect.ts004), "1", VERSION },
    { "ts005", KIND_U32, AT_PROFILE (dialect.ts005), "1", VERSION },
    { "port003", KIND_U32, AT_PROFILE (dialect.port003), "202", PORT },
    { "port004", KIND_U32, AT_PROFILE (dialect.port004), "201", PORT },
    { "port005", KIND_U32, AT_PROFILE (dialect.port005), "200", PORT },
    { "max_nb_frag", KIND_U32, AT_PROFILE (dialect.max_nb_frag), "0", 0, 16382,
        "0 (not known) to 16382" },
    { "max_frag_size", KIND_U32, AT_PROFILE (dialect.max_frag_size), "0", 0,
        255, "0 (not known) to 255 bytes" },
    { "missing_one", KIND_BOOL, AT_PROFILE (dialect.missing_one), "false", 0, 0,
        "true or false" },
    { "keep_session", KIND_BOOL, AT_PROFILE (dialect.keep_session), "false", 0,
        0, "true or false" },
    { .key = NULL },
};

//  ---------------------------------------------------------------------
//  A value into its field

static bool
s_word_of (const char *list, const char *word)
{
    size_t size = strlen (word);
    for (const char *at = list; size && (at = strstr (at, word)); at += size)
        if ((at == list || at [-1] == ' ') &&
            (at [size] == 0 || at [size] == ','))
            return true;
    return false;
}

//  Hex digits up to end into *value.
static bool
s_hex (const char *text, size_t digits, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < digits; i++) {
        int digit = fuota_hex_digit (text [i]);
        if (digit < 0)
            return false;
        *value = *value << 4 | (uint64_t) digit;
    }
    return true;
}

static bool
s_set_address (void *field, const char *text)
{
    uint64_t prefix;
    char *end;
    if (!s_hex (text, 8, &prefix) || text [8] != '/' || text [9] < '0' ||
        text [9] > '9')
        return false;
    unsigned long bits = strtoul (text + 9, &end, 10);
    if (*end || bits > 24)
        return false;
    fuota_wish_defaults_t *deploy =
        (fuota_wish_defaults_t *) (void *) ((char *) field -
                                            offsetof (fuota_wish_defaults_t,
                                                mc_addr_prefix));
    deploy->mc_addr_prefix = (uint32_t) prefix;
    deploy->mc_addr_bits = (uint32_t) bits;
    return true;
}

static bool
s_is_endpoint (const fuota_config_row_t *row, const char *text)
{
    if (*text == '>' && strchr (row->allowed, '>'))
        text++;
    if (strncmp (text, "ipc://", 6) == 0)
        return text [6] != 0;
    const char *port = strrchr (text, ':');
    return strncmp (text, "tcp://", 6) == 0 && port > text + 6 && port [1] &&
           (strspn (port + 1, "0123456789") == strlen (port + 1));
}

static bool
s_set_text (const fuota_config_row_t *row, char *field, const char *text)
{
    size_t size = strlen (text);
    bool good = size < row->size;
    uint64_t eui;
    switch (row->kind) {
        case KIND_CHOICE:
            good = good && s_word_of (row->allowed, text);
            break;
        case KIND_REGION:
            good = good && fuota_region_find (text);
            break;
        case KIND_ENDPOINT:
            good = good && (*text ? s_is_endpoint (row, text) : row->min == 0);
            break;
        case KIND_EUI:
            good = size == 16 && s_hex (text, 16, &eui);
            if (good)
                memcpy (field, &eui, sizeof eui);
            return good;
        case KIND_ADDRESS:
            return s_set_address (field, text);
        default:
            good =
                good && size >= (size_t) row->min && size <= (size_t) row->max;
    }
    if (good)
        memcpy (field, text, size + 1);
    return good;
}

static bool
s_set_number (const fuota_config_row_t *row, char *field, int64_t number)
{
    if (number < row->min || number > row->max)
        return false;
    uint32_t u32 = (uint32_t) number;
    int32_t i32 = (int32_t) number;
    if (row->kind == KIND_U32)
        memcpy (field, &u32, sizeof u32);
    else if (row->kind == KIND_I32)
        memcpy (field, &i32, sizeof i32);
    else
        memcpy (field, &number, sizeof number);
    return true;
}

bool
fuota_config_set (const fuota_config_row_t *row, void *base,
    const fuota_config_value_t *value)
{
    char *field = (char *) base + row->offset;
    bool flag = value->number != 0;
    switch (row->kind) {
        case KIND_U32:
        case KIND_I32:
        case KIND_I64:
            return value->is_number && s_set_number (row, field, value->number);
        case KIND_BOOL:
            if (value->is_bool)
                memcpy (field, &flag, sizeof flag);
            return value->is_bool;
        case KIND_WORDS:
            return false;  //  A list; see s_take_words
        default:
            return value->is_text && s_set_text (row, field, value->text);
    }
}

//  ---------------------------------------------------------------------
//  Defaults

static fuota_config_value_t
s_preset (const fuota_config_row_t *row)
{
    fuota_config_value_t value = { .is_text = true, .text = row->preset };
    if (row->kind >= KIND_U32 && row->kind <= KIND_I64) {
        value.is_number = true;
        value.number = strtoll (row->preset, NULL, 10);
    }
    value.is_bool = row->kind == KIND_BOOL;  //  All of them false
    return value;
}

void
fuota_config_preset (const fuota_config_row_t *rows, void *base)
{
    for (size_t i = 0; rows [i].key; i++) {
        fuota_config_value_t value = s_preset (&rows [i]);
        fuota_config_set (&rows [i], base, &value);
    }
}

void
fuota_config_defaults (fuota_config_t *self)
{
    *self = (fuota_config_t){ .clock_application_count = 1 };
    fuota_config_preset (fuota_config_rows, self);
    memcpy (self->clock_applications [0], "*", 2);
}

bool
fuota_config_key (size_t i, const char **key, char *preset, size_t size,
    const char **allowed)
{
    const fuota_config_row_t *row = &fuota_config_rows [i];
    if (!row->key)
        return false;
    bool bare = row->kind >= KIND_U32 && row->kind <= KIND_BOOL;
    *key = row->key;
    *allowed = row->allowed ? row->allowed : "a region's name";
    const char *open = row->kind == KIND_WORDS ? "[ \"" : bare ? "" : "\"";
    const char *close = row->kind == KIND_WORDS ? "\" ]" : bare ? "" : "\"";
    snprintf (preset, size, "%s%s%s", open, row->preset, close);
    return true;
}
