//  SPDX-License-Identifier: MIT

#include <stdio.h>
#include <string.h>
#include "broker/print.h"
#include "workers/package/explain.h"

bool
fuota_print_summaries (void *arg, const Reply *reply)
{
    fuota_print_t *self = arg;
    for (pb_size_t i = 0; i < reply->summaries_count; i++) {
        const Summary *from = &reply->summaries [i];
        char created [40];
        if (self->list) {
            json_array_append_new (self->list, fuota_json_summary (from));
            continue;
        }
        fuota_report_time (from->created, created, sizeof created);
        uint32_t complete = from->ended_as_count > 1 ? from->ended_as [1] : 0;
        printf ("%.8s  %-24s %-12s %7u of %u complete  %s\n", from->id,
            from->name, from->phase, (unsigned) complete,
            (unsigned) from->total, created);
    }
    return true;
}

bool
fuota_print_devices (void *arg, const Reply *reply)
{
    fuota_print_t *self = arg;
    for (pb_size_t i = 0; i < reply->devices_count; i++) {
        const DeviceLine *line = &reply->devices [i];
        bool few = self->most && self->seen >= self->most;
        if (few && !self->list)
            printf ("(more; all with --devices)\n");
        if (few)
            return false;
        self->seen++;
        if (self->list)
            json_array_append_new (self->list, fuota_json_device (line));
        else
            fuota_report_device (self->report, line);
    }
    return true;
}

bool
fuota_print_lines (void *arg, const Reply *reply)
{
    fuota_print_t *self = arg;
    for (pb_size_t i = 0; i < reply->lines_count; i++) {
        const Line *line = &reply->lines [i];
        char at [40], device [24] = "-";
        if (self->list) {
            json_array_append_new (self->list, fuota_json_line (line));
            continue;
        }
        fuota_report_time (line->at, at, sizeof at);
        if (line->dev_eui)
            snprintf (device, sizeof device, "%016llx",
                (unsigned long long) line->dev_eui);
        printf ("%s.%03d  %-16s  %-5s  %s%s%s\n", at, (int) (line->at % 1000),
            device, line->what, line->name, *line->words ? ": " : "",
            line->words);
    }
    return true;
}

static const char *
s_ending (int rc)
{
    return rc == 0                ? ""
           : rc == FUOTA_ESHORT   ? "then cut short"
           : rc == FUOTA_ECOMMAND ? "then an unknown command"
                                  : "then not understood";
}

void
fuota_print_reading (void *arg, const fuota_reading_t *reading)
{
    fuota_print_t *self = arg;
    const char *way = reading->direction == FUOTA_UPLINK ? "up" : "down";
    json_t *commands = json_array ();
    char text [FUOTA_EXPLAIN_MAX];
    if (!self->list)
        printf ("%s %s, %s:\n", fuota_package_name (reading->package),
            reading->version == 0   ? "version 1 or 2"
            : reading->version == 1 ? "version 1"
                                    : "version 2",
            way);
    for (size_t i = 0; i < reading->count; i++) {
        if (self->list) {
            fuota_command_explain_json (&reading->commands [i], text,
                sizeof text);
            json_array_append_new (commands, json_loads (text, 0, NULL));
        }
        else if (fuota_command_explain (&reading->commands [i], text,
                     sizeof text) != FUOTA_ECOMMAND)
            printf ("  %s\n", text);
    }
    if (self->list)
        json_array_append_new (self->list,
            json_pack ("{s:s,s:i,s:s,s:o,s:s}", "package",
                fuota_package_name (reading->package), "version",
                (int) reading->version, "direction", way, "commands", commands,
                "rest", s_ending (reading->rc)));
    else {
        json_decref (commands);
        if (reading->token >= 0)
            printf ("  CommandToken %d\n", reading->token);
        if (reading->rc)
            printf ("  %s\n", s_ending (reading->rc));
    }
}
