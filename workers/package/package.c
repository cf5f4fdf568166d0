//  SPDX-License-Identifier: MIT
//
//  Parts: the list of packages; looking up rows; the common rows; decode and
//  encode; names.

#include "workers/package/package_rows.h"

static const struct {
    const char *name;
    uint8_t port;
    const fuota_package_table_t *versions [2];
} s_packages [FUOTA_PACKAGES] = {
    [FUOTA_TS007] = { "TS007", 225, { &fuota_ts007_v1, NULL } },
    [FUOTA_TS003] = { "TS003", 202, { &fuota_ts003_v1, &fuota_ts003_v2 } },
    [FUOTA_TS005] = { "TS005", 200, { &fuota_ts005_v1, &fuota_ts005_v2 } },
    [FUOTA_TS004] = { "TS004", 201, { &fuota_ts004_v1, &fuota_ts004_v2 } },
    [FUOTA_TS006] = { "TS006", 203, { &fuota_ts006_v1, NULL } },
};

//  ---------------------------------------------------------------------
//  Rows

const fuota_package_table_t *
fuota_package_table (fuota_package_t package, unsigned version)
{
    if ((unsigned) package >= FUOTA_PACKAGES || version < 1 || version > 2)
        return NULL;
    return s_packages [package].versions [version - 1];
}

const fuota_package_row_t *
fuota_package_row (const fuota_package_table_t *table,
    fuota_direction_t direction, uint8_t cid)
{
    for (; table; table = table->base)
        for (size_t i = 0; i < table->count; i++)
            if (table->rows [i].cid == cid &&
                table->rows [i].direction == direction)
                return &table->rows [i];
    return NULL;
}

const fuota_package_row_t *
fuota_package_row_of (const fuota_package_table_t *table, fuota_command_id_t id)
{
    for (; table; table = table->base)
        for (size_t i = 0; i < table->count; i++)
            if (table->rows [i].id == id)
                return &table->rows [i];
    return NULL;
}

//  ---------------------------------------------------------------------
//  Common to all packages (reference 2.2)

static void
s_read_version_ans (fuota_reader_t *in, fuota_command_t *out)
{
    out->package_version.package = fuota_reader_u8 (in);
    out->package_version.version = fuota_reader_u8 (in);
}

static int
s_write_version_ans (const fuota_command_t *in, fuota_writer_t *out)
{
    fuota_writer_u8 (out, in->package_version.package);
    fuota_writer_u8 (out, in->package_version.version);
    return 0;
}

static const fuota_package_row_t s_common [] = {
    { 0x00, 0, FUOTA_DOWNLINK, FUOTA_PACKAGE_VERSION_REQ, "PackageVersionReq",
        NULL, NULL },
    { 0x00, 2, FUOTA_UPLINK, FUOTA_PACKAGE_VERSION_ANS, "PackageVersionAns",
        s_read_version_ans, s_write_version_ans },
};
const fuota_package_table_t fuota_package_common = { s_common,
    sizeof s_common / sizeof *s_common, NULL };

//  ---------------------------------------------------------------------
//  Decode and encode

int
fuota_package_read (fuota_package_t package, unsigned version,
    fuota_direction_t direction, fuota_reader_t *in, fuota_command_t *out)
{
    const fuota_package_table_t *table = fuota_package_table (package, version);
    if (!table)
        return FUOTA_EVALUE;
    uint8_t cid = fuota_reader_u8 (in);
    if (in->rc)
        return in->rc;
    const fuota_package_row_t *row = fuota_package_row (table, direction, cid);
    if (!row)
        return FUOTA_ECOMMAND;
    if (fuota_reader_left (in) < row->size)
        return FUOTA_ESHORT;
    memset (out, 0, sizeof *out);
    out->id = row->id;
    out->package = package;
    out->version = (uint8_t) version;
    if (row->decode)
        row->decode (in, out);
    return in->rc;
}

int
fuota_package_decode (fuota_package_t package, unsigned version,
    fuota_direction_t direction, const uint8_t *payload, size_t size,
    fuota_command_t *out, size_t max, size_t *count)
{
    *count = 0;
    if (!fuota_package_table (package, version))
        return FUOTA_EVALUE;
    fuota_reader_t in = fuota_reader (payload, size);
    while (fuota_reader_left (&in)) {
        if (*count == max)
            return FUOTA_EFULL;
        int rc = fuota_package_read (package, version, direction, &in,
            &out [*count]);
        if (rc)
            return rc;
        ++*count;
    }
    return 0;
}

int
fuota_package_encode (const fuota_command_t *command, fuota_writer_t *out)
{
    const fuota_package_table_t *table =
        fuota_package_table (command->package, command->version);
    if (!table)
        return FUOTA_EVALUE;
    const fuota_package_row_t *row = fuota_package_row_of (table, command->id);
    if (!row)
        return FUOTA_ECOMMAND;
    fuota_writer_t start = *out;
    fuota_writer_u8 (out, row->cid);
    int rc = row->encode ? row->encode (command, out) : 0;
    if (!rc)
        rc = out->rc;
    if (rc)
        *out = start;
    return rc;
}

//  ---------------------------------------------------------------------
//  Names

uint8_t
fuota_package_port (fuota_package_t package)
{
    return (unsigned) package < FUOTA_PACKAGES ? s_packages [package].port : 0;
}

fuota_package_t
fuota_package_by_port (uint8_t port)
{
    unsigned i = 0;
    while (i < FUOTA_PACKAGES && s_packages [i].port != port)
        i++;
    return (fuota_package_t) i;
}

const char *
fuota_package_name (fuota_package_t package)
{
    return (unsigned) package < FUOTA_PACKAGES ? s_packages [package].name
                                               : "?";
}

const char *
fuota_command_name (fuota_command_id_t id)
{
    for (unsigned i = 0; i < 2 * FUOTA_PACKAGES; i++) {
        const fuota_package_row_t *row =
            fuota_package_row_of (s_packages [i / 2].versions [i % 2], id);
        if (row)
            return row->name;
    }
    return "?";
}
