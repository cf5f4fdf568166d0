//  SPDX-License-Identifier: MIT
//
//  cli - what an operator types, as values: numbers with units, DevEUIs,
//  times, files of devices. Every function that fails leaves its result
//  alone. Pure.

#ifndef FUOTA_CLI_H
#define FUOTA_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

//  A decimal number of 0 to max, nothing around it.
bool fuota_cli_number (const char *text, uint64_t max, uint64_t *value);

//  "868100000", "868.1MHz", "869525 kHz", "2.4 GHz" in Hz. Without a unit:
//  Hz, or MHz if it has a point. At most 6 digits after the point, and no
//  fraction of a Hz.
bool fuota_cli_frequency (const char *text, uint32_t *hz);

//  "70b3d57ed0000001"; colons or dashes between bytes are allowed.
bool fuota_cli_eui (const char *text, uint64_t *eui);

//  Hex digits to bytes; spaces between bytes are allowed. *size is room on
//  entry.
bool fuota_cli_hex (const char *text, uint8_t *bytes, size_t *size);

//  "now" (0), "2026-01-31T12:00:00Z" or UTC milliseconds.
bool fuota_cli_time (const char *text, int64_t *utc_ms);

//  "30%" is a share, "30" a count.
bool fuota_cli_redundancy (const char *text, uint32_t *count,
    uint32_t *percent);

//  DevEUIs, one at the start of each line of a text; '#' begins a comment,
//  what follows a comma, semicolon or space is ignored. devices is NULL or
//  has room for as many as the text has lines. Returns their number, or -1
//  with the number of the first line that has none in *line.
long fuota_cli_devices (const char *text, uint64_t *devices, size_t *line);

#endif
