//  SPDX-License-Identifier: MIT
//
//  print - what fuotactl prints of lists: lines for people on stdout, or
//  objects gathered in a JSON array.

#ifndef FUOTA_PRINT_H
#define FUOTA_PRINT_H

#include "broker/decode.h"
#include "broker/json.h"
#include "broker/report.h"

typedef struct {
    json_t *list;            //  NULL: lines
    size_t most;             //  Devices to name; 0 = all
    size_t seen;             //  Devices named so far
    fuota_report_t *report;  //  For the lines of devices
} fuota_print_t;

//  Take a page of a reply; arg is a fuota_print_t. False if no further page
//  is wanted.
bool fuota_print_summaries (void *arg, const Reply *reply);
bool fuota_print_devices (void *arg, const Reply *reply);
bool fuota_print_lines (void *arg, const Reply *reply);
bool fuota_print_workers (void *arg, const Reply *reply);
bool fuota_print_gateways (void *arg, const Reply *reply);
bool fuota_print_images (void *arg, const Reply *reply);

//  A check: a line for what is well, more for what is not.
void fuota_print_check (const Reply *reply);

//  The gateways that a wish is sent by, and whom they do not hear.
void fuota_print_chosen (const Reply *reply);

//  The pool as a whole, after its workers.
void fuota_print_pool (const PoolLine *pool);

//  Take a reading of a payload; arg is a fuota_print_t.
void fuota_print_reading (void *arg, const fuota_reading_t *reading);

#endif
