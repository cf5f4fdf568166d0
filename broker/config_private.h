//  SPDX-License-Identifier: MIT
//
//  config_private - the table of keys (config_table.c) and who reads a file
//  by it (config.c).

#ifndef FUOTA_CONFIG_PRIVATE_H
#define FUOTA_CONFIG_PRIVATE_H

#include "broker/config.h"

typedef enum {
    KIND_TEXT,    //  min and max are lengths
    KIND_CHOICE,  //  allowed lists the words
    KIND_REGION,  //  A region's name
    KIND_U32,
    KIND_I32,
    KIND_I64,
    KIND_BOOL,
    KIND_EUI,       //  "70b3d57ed0000001"
    KIND_ADDRESS,   //  "01000000/8" to a prefix and its bits
    KIND_ENDPOINT,  //  ipc://PATH, tcp://ADDRESS:PORT; empty if min is 0
    KIND_WORDS      //  [ "*" ]: applications
} fuota_config_kind_t;

typedef struct {
    const char *key;
    fuota_config_kind_t kind;
    size_t offset, size;  //  Of its field
    const char *preset;   //  As text, without quotes
    int64_t min, max;
    const char *allowed;
} fuota_config_row_t;

//  Ended by a row without a key
extern const fuota_config_row_t fuota_config_rows [];
extern const fuota_config_row_t fuota_config_profile_rows [];

//  A scalar of the file, or of a preset, whatever its type.
typedef struct {
    bool is_text, is_number, is_bool;
    const char *text;
    int64_t number;
} fuota_config_value_t;

//  Put a value into its row's field of the struct at base. Returns false if
//  it is not of the row's kind or outside its bounds.
bool fuota_config_set (const fuota_config_row_t *row, void *base,
    const fuota_config_value_t *value);

//  All of a table at its defaults.
void fuota_config_preset (const fuota_config_row_t *rows, void *base);

#endif
