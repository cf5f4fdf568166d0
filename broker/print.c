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

bool
fuota_print_images (void *arg, const Reply *reply)
{
    fuota_print_t *self = arg;
    for (pb_size_t i = 0; i < reply->images_count; i++) {
        const ImageLine *line = &reply->images [i];
        char created [40];
        if (self->list) {
            json_array_append_new (self->list, fuota_json_image (line));
            continue;
        }
        fuota_report_time (line->created, created, sizeof created);
        printf ("%.16s  %9u bytes  %u deployment%s  %s  %s\n", line->sha256,
            (unsigned) line->size, (unsigned) line->deployments,
            line->deployments == 1 ? " " : "s", created, line->label);
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

//  ---------------------------------------------------------------------
//  Workers

bool
fuota_print_workers (void *arg, const Reply *reply)
{
    fuota_print_t *self = arg;
    for (pb_size_t i = 0; i < reply->workers_count; i++) {
        const WorkerLine *line = &reply->workers [i];
        if (self->list) {
            json_array_append_new (self->list, fuota_json_worker (line));
            continue;
        }
        if (!self->seen++)
            printf ("%-16s %-16s %5s %-8s %6s %10s %7s %6s %6s\n", "worker",
                "host", "cores", "kernel", "leases", "blocks", "MB/s", "errors",
                "beat");
        printf ("%-16s %-16s %5u %-8s %6u %10llu %7.0f %6llu %4.1f s%s%s\n",
            line->name, line->host, (unsigned) line->cores, line->kernel,
            (unsigned) line->leases, (unsigned long long) line->blocks,
            (double) line->rate / 1e6, (unsigned long long) line->errors,
            line->seen / 1000.0, line->near ? "" : "  far",
            line->draining ? "  draining" : "");
        if (*line->why)
            printf ("  quarantined: %s; for %u min more\n", line->why,
                (unsigned) (line->left / 60000 + 1));
    }
    return true;
}

void
fuota_print_check (const Reply *reply)
{
    static const char *const levels [] = { "ok", "warning", "WRONG" };
    for (pb_size_t i = 0; i < reply->findings_count; i++) {
        const Finding *finding = &reply->findings [i];
        bool known = (unsigned) finding->level < 3;
        printf ("%-8s %-16s %s\n", levels [known ? finding->level : 2],
            finding->what, finding->words);
        if (*finding->advice)
            printf ("%-8s %-16s -> %s\n", "", "", finding->advice);
    }
    if (reply->findings_left_out)
        printf ("and more than is shown here\n");
}

void
fuota_print_pool (const PoolLine *pool)
{
    printf ("%u workers; %u jobs, %llu blocks wait, %llu done, %llu returned, "
            "%llu late, %llu wrong; %llu quarantined\n",
        (unsigned) pool->workers, (unsigned) pool->jobs,
        (unsigned long long) pool->waiting, (unsigned long long) pool->done,
        (unsigned long long) pool->returned, (unsigned long long) pool->late,
        (unsigned long long) pool->wrong,
        (unsigned long long) pool->quarantined);
    printf ("parity: %.1f of %.0f MiB, %llu wants refused for lack of room; "
            "%llu messages malformed, %llu strangers refused\n",
        (double) pool->used / 1048576, (double) pool->room / 1048576,
        (unsigned long long) pool->refused,
        (unsigned long long) pool->malformed,
        (unsigned long long) pool->strangers);
}
