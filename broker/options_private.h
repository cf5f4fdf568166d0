//  SPDX-License-Identifier: MIT
//
//  options_private - the tables of fuotactl's command line (options_table.c),
//  and who parses by them (options.c).

#ifndef FUOTA_OPTIONS_PRIVATE_H
#define FUOTA_OPTIONS_PRIVATE_H

#include "broker/options.h"

#define FUOTA_OPTIONS_CONTROL "ipc:///run/fuotad/control"

typedef enum { NO_ARGUMENT, MAY_HAVE, MUST_HAVE } fuota_options_need_t;

typedef struct {
    const char *name, *argument;
    fuota_options_need_t need;
    const char *about, *example;
} fuota_options_command_t;

typedef enum {
    FLAG,
    NUMBER,
    TEXT,
    WORD,  //  Borrowed
    FREQUENCY,
    TIME,
    REDUNDANCY,
    CHOICE,  //  The position in "a|b"
    DIGITS,  //  Hex into a nanopb bytes field of size bytes
    DEVICE,
    GATEWAY,
    TAG
} fuota_options_kind_t;

//  Valid in every command
#define FUOTA_OPTIONS_ALL (~0u)

typedef struct {
    const char *name;
    fuota_options_kind_t kind;
    unsigned commands;
    size_t offset, size;
    size_t has;  //  Of the flag that says it was given; TAG: of the count;
                 //  0 = none
    const char *value, *about;
} fuota_options_row_t;

//  By fuota_do_t, FUOTA_DO_HELP the last
extern const fuota_options_command_t fuota_options_commands [];

//  Ended by a row without a name
extern const fuota_options_row_t fuota_options_rows [];

#endif
