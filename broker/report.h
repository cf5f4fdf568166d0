//  SPDX-License-Identifier: MIT
//
//  report - a deployment on a terminal: live progress, and the report at its
//  end.
//
//  On a terminal the progress is drawn over itself; elsewhere a line is
//  written when something worth a line has happened. Colour only where the
//  style says so. Writes to the stream it is given, reads nothing.

#ifndef FUOTA_REPORT_H
#define FUOTA_REPORT_H

#include <stdbool.h>
#include <stdio.h>
#include "control.pb.h"

typedef struct {
    FILE *out;
    bool live;    //  A terminal: draw in place
    bool colour;  //  A terminal, and NO_COLOR is not set
    //  Its own
    unsigned drawn;   //  Lines to go back over
    char phase [17];  //  Of the last plain line
    uint32_t round, tenth, ended;
} fuota_report_t;

//  A report on a stream: looks whether it is a terminal and at NO_COLOR.
void fuota_report_init (fuota_report_t *self, FILE *out);

//  Show how far a deployment is.
void fuota_report_progress (fuota_report_t *self, const Summary *summary);

//  Put a line above the progress, as for an event.
void fuota_report_note (fuota_report_t *self, const char *line);

//  The end: what was done, and per end state how many.
void fuota_report_final (fuota_report_t *self, const Summary *summary);

//  A device in the table below; the first call of a table with line NULL
//  writes its head.
void fuota_report_device (fuota_report_t *self, const DeviceLine *line);

//  A plan: what a deployment would cost.
void fuota_report_plan (fuota_report_t *self, const Summary *summary);

//  Refusals, one fault a line.
void fuota_report_faults (fuota_report_t *self, const Reply *reply);

//  "1h 02m 03s", "59s", "0.4s".
void fuota_report_duration (int64_t ms, char *text, size_t size);

//  "2026-01-31 12:00:00" in UTC; "-" for 0.
void fuota_report_time (int64_t utc_ms, char *text, size_t size);

#endif
