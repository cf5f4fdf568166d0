//  SPDX-License-Identifier: MIT
//
//  package_rows - the tables behind package.h, one for each package version.
//
//  Private to this folder and its tests. A row is one command in one
//  direction and has all that is known of it. A version's table has the rows
//  that are its own; what is not found there is looked for in its base, so a
//  later version lists only what it changed.

#ifndef FUOTA_PACKAGE_ROWS_H
#define FUOTA_PACKAGE_ROWS_H

#include "workers/package/package.h"

//  Decode reads the body after the CID, which has at least size bytes, into a
//  zeroed command; whether it was cut is seen in the reader. Encode checks
//  ranges and returns 0 or FUOTA_EVALUE; whether there was room is seen in
//  the writer. Both are NULL for an empty body.
typedef struct {
    uint8_t cid;
    uint8_t size;  //  Of the body; the least, where it varies
    fuota_direction_t direction;
    fuota_command_id_t id;
    const char *name;
    void (*decode) (fuota_reader_t *in, fuota_command_t *out);
    int (*encode) (const fuota_command_t *in, fuota_writer_t *out);
} fuota_package_row_t;

typedef struct fuota_package_table fuota_package_table_t;
struct fuota_package_table {
    const fuota_package_row_t *rows;
    size_t count;
    const fuota_package_table_t *base;
};

//  What every package has: PackageVersionReq and PackageVersionAns.
extern const fuota_package_table_t fuota_package_common;

extern const fuota_package_table_t fuota_ts003_v1, fuota_ts003_v2;
extern const fuota_package_table_t fuota_ts004_v1, fuota_ts004_v2;
extern const fuota_package_table_t fuota_ts005_v1, fuota_ts005_v2;
extern const fuota_package_table_t fuota_ts006_v1;
extern const fuota_package_table_t fuota_ts007_v1;

//  Table of a package and version, NULL if there is none.
const fuota_package_table_t *fuota_package_table (fuota_package_t package,
    unsigned version);

//  Row by what is on air, and by what is meant. NULL if there is none.
const fuota_package_row_t *
fuota_package_row (const fuota_package_table_t *table,
    fuota_direction_t direction, uint8_t cid);
const fuota_package_row_t *
fuota_package_row_of (const fuota_package_table_t *table,
    fuota_command_id_t id);

//  Read one command. Returns 0, FUOTA_ESHORT, FUOTA_ECOMMAND or FUOTA_EVALUE
//  as fuota_package_decode does.
int fuota_package_read (fuota_package_t package, unsigned version,
    fuota_direction_t direction, fuota_reader_t *in, fuota_command_t *out);

static inline unsigned
fuota_package_bit (bool set, unsigned bit)
{
    return set ? 1u << bit : 0;
}

#endif
