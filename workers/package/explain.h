//  SPDX-License-Identifier: MIT
//
//  explain - a command in words, for logs and for `fuotactl decode`.
//
//  The specification's name of the command in its version, then each field
//  this version and this command have:
//
//      McClassCSessionAns group_id=1 status=0x00 time_to_start=25
//
//  Text is always terminated if size is not 0. Pure.

#ifndef FUOTA_EXPLAIN_H
#define FUOTA_EXPLAIN_H

#include "workers/package/package.h"

//  Enough for any command that fits a LoRaWAN payload, in either form.
#define FUOTA_EXPLAIN_MAX 1024

//  One line without its end. Returns 0; FUOTA_EFULL with as much as fits; or
//  FUOTA_ECOMMAND and an empty text if that version has no such command.
int fuota_command_explain (const fuota_command_t *command, char *text,
    size_t size);

//  The same as one JSON object. Addresses and byte strings are hexadecimal
//  strings. On failure the text is empty.
int fuota_command_explain_json (const fuota_command_t *command, char *text,
    size_t size);

#endif
