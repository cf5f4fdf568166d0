//  SPDX-License-Identifier: MIT
//
//  decode - every reading of a package payload that makes sense. Pure.

#ifndef FUOTA_DECODE_H
#define FUOTA_DECODE_H

#include "workers/package/package.h"

//  A reading: a package, a version (0 = both give the same), a direction, and
//  the commands it gives.
//  Called for each, with rc as fuota_package_decode gives it.
typedef struct {
    fuota_package_t package;
    unsigned version;
    fuota_direction_t direction;
    int rc;
    const fuota_command_t *commands;
    size_t count;
    int token;  //  Port 225: the command token, -1 if there is none
} fuota_reading_t;

typedef void (fuota_decode_fn) (void *arg, const fuota_reading_t *reading);

//  Read payload as each package (of that port, or all if port is 0 or not a
//  default port), version (1, 2, or 0 = both) and direction (-1 = both). Tell
//  take of those that read to the end; if there are none, of those that got at
//  least one command; two that mean the same are told once. Returns how many
//  were told.
unsigned fuota_decode_run (const uint8_t *payload, size_t size, unsigned port,
    unsigned version, int direction, fuota_decode_fn *take, void *arg);

#endif
