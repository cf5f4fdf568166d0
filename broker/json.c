//  SPDX-License-Identifier: MIT

#include <assert.h>
#include <stdio.h>
#include "broker/json.h"
#include "schema/record.h"

#define NUMBER(name)                                                           \
    json_object_set_new (to, #name, json_integer ((json_int_t) from->name))
#define TEXT(name) json_object_set_new (to, #name, s_text (from->name))
#define BOOL(name) json_object_set_new (to, #name, json_boolean (from->name))

//  Text that is not UTF-8 is an operator's or a host's: shown as such.
static json_t *
s_text (const char *text)
{
    json_t *value = json_string (text);
    return value ? value : json_string ("(not UTF-8)");
}

static json_t *
s_eui (uint64_t eui)
{
    char text [24];
    snprintf (text, sizeof text, "%016llx", (unsigned long long) eui);
    return json_string (text);
}

const char *
fuota_json_status (ReplyStatus status)
{
    static const char *const names [] = { "ok", "faults", "not found",
        "ambiguous", "not now", "malformed", "failed" };
    return (unsigned) status < sizeof names / sizeof *names ? names [status]
                                                            : "?";
}

json_t *
fuota_json_reply (const Reply *reply)
{
    json_t *to = json_object ();
    json_object_set_new (to, "status",
        json_string (fuota_json_status (reply->status)));
    if (*reply->words)
        json_object_set_new (to, "words", s_text (reply->words));
    if (reply->status != FUOTA_FAULTS)
        return to;
    json_t *faults = json_array ();
    for (pb_size_t i = 0; i < reply->faults_count; i++) {
        json_t *fault = json_object ();
        json_object_set_new (fault, "field", s_text (reply->faults [i].field));
        json_object_set_new (fault, "value", s_text (reply->faults [i].value));
        json_object_set_new (fault, "allowed",
            s_text (reply->faults [i].allowed));
        json_array_append_new (faults, fault);
    }
    json_object_set_new (to, "faults", faults);
    json_object_set_new (to, "faults_left_out",
        json_boolean (reply->faults_left_out));
    return to;
}

static void
s_counts (json_t *to, const Summary *from)
{
    json_t *steps = json_object (), *ends = json_object ();
    for (pb_size_t i = 0; i < from->at_step_count; i++)
        json_object_set_new (steps, fuota_step_name ((Step) i),
            json_integer (from->at_step [i]));
    for (pb_size_t i = 1; i < from->ended_as_count; i++)
        json_object_set_new (ends, fuota_end_name ((End) i),
            json_integer (from->ended_as [i]));
    json_object_set_new (to, "at_step", steps);
    json_object_set_new (to, "ended_as", ends);
}

json_t *
fuota_json_summary (const Summary *from)
{
    json_t *to = json_object ();
    TEXT (id);
    TEXT (name);
    TEXT (phase);
    TEXT (error);
    BOOL (paused);
    NUMBER (created);
    NUMBER (started);
    NUMBER (ended);
    NUMBER (now);
    json_object_set_new (to, "gateway_count", json_integer (from->gateways));
    NUMBER (margin);
    TEXT (image_sha256);
    NUMBER (image_size);
    NUMBER (frag_size);
    NUMBER (nb_frag);
    NUMBER (redundancy);
    NUMBER (next_n);
    NUMBER (last_n);
    NUMBER (sent);
    NUMBER (resent);
    NUMBER (air_time);
    NUMBER (period);
    NUMBER (duty);
    NUMBER (duty_limit);
    NUMBER (round);
    NUMBER (repair_rounds);
    NUMBER (loss);
    NUMBER (total);
    s_counts (to, from);
    NUMBER (session_start);
    NUMBER (session_end);
    NUMBER (eta);
    NUMBER (devices_ts004);
    NUMBER (region_dr);
    NUMBER (frequency);
    json_object_set_new (to, "group_type",
        json_string (from->group_type ? "b" : "c"));
    return to;
}

json_t *
fuota_json_image (const ImageLine *from)
{
    json_t *to = json_object ();
    TEXT (sha256);
    TEXT (label);
    NUMBER (size);
    NUMBER (created);
    NUMBER (deployments);
    return to;
}

json_t *
fuota_json_device (const DeviceLine *from)
{
    json_t *to = json_object ();
    json_object_set_new (to, "dev_eui", s_eui (from->dev_eui));
    TEXT (step);
    TEXT (end);
    NUMBER (tries);
    BOOL (reported);
    NUMBER (received);
    NUMBER (missing);
    NUMBER (clock_error);
    NUMBER (group_id);
    NUMBER (changed);
    NUMBER (rounds);
    return to;
}

json_t *
fuota_json_line (const Line *from)
{
    json_t *to = json_object ();
    NUMBER (seq);
    NUMBER (at);
    if (from->dev_eui)
        json_object_set_new (to, "dev_eui", s_eui (from->dev_eui));
    TEXT (what);
    TEXT (name);
    TEXT (words);
    return to;
}

//  The fragments of a deployment by what the gateway said of them.
static json_t *
s_fates (const GatewayLine *from)
{
    json_t *to = json_object ();
    for (pb_size_t i = 0; i < from->by_word_count; i++)
        if (from->by_word [i])
            json_object_set_new (to, fuota_word_name (i),
                json_integer (from->by_word [i]));
    return to;
}

static json_t *
s_band (const BandLine *from)
{
    json_t *to = json_object ();
    NUMBER (low);
    NUMBER (high);
    NUMBER (duty);
    NUMBER (used);
    return to;
}

json_t *
fuota_json_gateway (const GatewayLine *from)
{
    json_t *to = json_object (), *bands = json_array ();
    json_object_set_new (to, "gateway", s_eui (from->gateway));
    TEXT (name);
    TEXT (state);
    NUMBER (heard_at);
    NUMBER (devices);
    for (pb_size_t i = 0; i < from->bands_count; i++)
        json_array_append_new (bands, s_band (&from->bands [i]));
    json_object_set_new (to, "bands", bands);
    json_object_set_new (to, "fragments", s_fates (from));
    return to;
}

void
fuota_json_chosen (json_t *to, const Reply *from)
{
    json_t *gateways = json_array (), *unheard = json_array ();
    for (pb_size_t i = 0; i < from->gateways_count; i++)
        json_array_append_new (gateways,
            fuota_json_gateway (&from->gateways [i]));
    for (pb_size_t i = 0; i < from->unheard_devices_count; i++)
        json_array_append_new (unheard, s_eui (from->unheard_devices [i]));
    json_object_set_new (to, "gateways", gateways);
    BOOL (gateways_chosen);
    NUMBER (unheard);
    json_object_set_new (to, "unheard_devices", unheard);
}

json_t *
fuota_json_worker (const WorkerLine *line)
{
    json_t *object = json_pack ("{s:s,s:s,s:s,s:s,s:b,s:b,s:b,s:s}", "name",
        line->name, "host", line->host, "kernel", line->kernel, "identity",
        line->identity, "near", line->near, "draining", line->draining,
        "quarantined", *line->why != '\0', "why", line->why);
    const struct {
        const char *name;
        uint64_t value;
    } numbers [] = {
        { "cores", line->cores },
        { "slots", line->slots },
        { "leases", line->leases },
        { "blocks", line->blocks },
        { "errors", line->errors },
        { "rate", line->rate },
        { "seen", line->seen },
        { "left", line->left },
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        json_object_set_new (object, numbers [i].name,
            json_integer ((json_int_t) numbers [i].value));
    return object;
}

//  A host's words may be cut within a character, or be none.
static json_t *
s_words (const char *text)
{
    char plain [256];
    json_t *string = json_string (text);
    if (string)
        return string;
    snprintf (plain, sizeof plain, "%s", text);
    for (char *at = plain; *at; at++)
        if (*at & 0x80)
            *at = '?';
    return json_string (plain);
}

void
fuota_json_findings (json_t *object, const Reply *reply)
{
    static const char *const levels [] = { "ok", "warning", "wrong" };
    json_t *list = json_array ();
    for (pb_size_t i = 0; i < reply->findings_count; i++) {
        const Finding *finding = &reply->findings [i];
        bool known = (unsigned) finding->level < 3;
        json_t *line = json_object ();
        json_object_set_new (line, "what", s_words (finding->what));
        json_object_set_new (line, "level",
            json_string (known ? levels [finding->level] : "wrong"));
        json_object_set_new (line, "words", s_words (finding->words));
        json_object_set_new (line, "advice", s_words (finding->advice));
        json_array_append_new (list, line);
    }
    json_object_set_new (object, "findings", list);
    json_object_set_new (object, "left_out",
        json_boolean (reply->findings_left_out));
}

json_t *
fuota_json_pool (const PoolLine *pool)
{
    json_t *object = json_object ();
    const struct {
        const char *name;
        uint64_t value;
    } numbers [] = {
        { "workers", pool->workers },
        { "jobs", pool->jobs },
        { "leases", pool->leases },
        { "waiting", pool->waiting },
        { "wanted", pool->wanted },
        { "done", pool->done },
        { "late", pool->late },
        { "returned", pool->returned },
        { "wrong", pool->wrong },
        { "quarantined", pool->quarantined },
        { "malformed", pool->malformed },
        { "strangers", pool->strangers },
        { "used", pool->used },
        { "room", pool->room },
        { "refused", pool->refused },
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        json_object_set_new (object, numbers [i].name,
            json_integer ((json_int_t) numbers [i].value));
    return object;
}

void
fuota_json_print (json_t *object)
{
    assert (object);
    json_dumpf (object, stdout, JSON_INDENT (2));
    putchar ('\n');
    json_decref (object);
}
