//  SPDX-License-Identifier: MIT
//
//  json - what fuotactl --json prints: one object, names as in control.proto,
//  EUIs as 16 hex digits, times as UTC milliseconds. Lists that are empty are
//  there. Keys are only ever added.

#ifndef FUOTA_JSON_H
#define FUOTA_JSON_H

#include <jansson.h>
#include "control.pb.h"

//  "ok", "faults", "not found", ...
const char *fuota_json_status (ReplyStatus status);

//  An object with the status, words, and faults if it has some. Caller owns
//  it.
json_t *fuota_json_reply (const Reply *reply);

json_t *fuota_json_summary (const Summary *summary);
json_t *fuota_json_device (const DeviceLine *line);
json_t *fuota_json_line (const Line *line);
json_t *fuota_json_worker (const WorkerLine *line);
json_t *fuota_json_gateway (const GatewayLine *line);
//  Of a wish: its gateways, and the devices they do not hear, put into to.
void fuota_json_chosen (json_t *to, const Reply *reply);
json_t *fuota_json_image (const ImageLine *line);

//  Add the findings.
void fuota_json_findings (json_t *object, const Reply *reply);

json_t *fuota_json_pool (const PoolLine *pool);

//  Print an object and a line end on stdout, and let go of it.
void fuota_json_print (json_t *object);

#endif
