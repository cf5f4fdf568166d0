//  SPDX-License-Identifier: MIT
//
//  TS007 Multi-Package Access (reference 8). Parts: the rows of the access
//  package; the framing around all packages.

#include "workers/package/package_rows.h"
#include "workers/package/ts007.h"

#define S_PREFIX 0x80u
#define S_BUFFER 128u  //  Bytes of the ANS buffer at most

//  ---------------------------------------------------------------------
//  Package 0 (8.2)

static void
s_read_package_ans (fuota_reader_t *in, fuota_command_t *out)
{
    out->dev_package_ans.count = fuota_reader_u8 (in) & 0x0f;
    for (unsigned i = 0; i < out->dev_package_ans.count; i++) {
        out->dev_package_ans.packages [i].package = fuota_reader_u8 (in);
        out->dev_package_ans.packages [i].version = fuota_reader_u8 (in);
        out->dev_package_ans.packages [i].port = fuota_reader_u8 (in);
    }
}

static int
s_write_package_ans (const fuota_command_t *in, fuota_writer_t *out)
{
    if (in->dev_package_ans.count > 15)
        return FUOTA_EVALUE;
    fuota_writer_u8 (out, in->dev_package_ans.count);
    for (unsigned i = 0; i < in->dev_package_ans.count; i++) {
        fuota_writer_u8 (out, in->dev_package_ans.packages [i].package);
        fuota_writer_u8 (out, in->dev_package_ans.packages [i].version);
        fuota_writer_u8 (out, in->dev_package_ans.packages [i].port);
    }
    return 0;
}

static void
s_read_buffer_req (fuota_reader_t *in, fuota_command_t *out)
{
    out->buffer_req.start = fuota_reader_u8 (in);
    out->buffer_req.stop = fuota_reader_u8 (in);
}

//  A stop past the end is allowed: it means all there is
static int
s_write_buffer_req (const fuota_command_t *in, fuota_writer_t *out)
{
    if (in->buffer_req.start >= S_BUFFER ||
        in->buffer_req.stop < in->buffer_req.start)
        return FUOTA_EVALUE;
    fuota_writer_u8 (out, in->buffer_req.start);
    fuota_writer_u8 (out, in->buffer_req.stop);
    return 0;
}

//  To the end of the payload, but for the token, which is not seen here. The
//  error form ends by itself.
static void
s_read_buffer_frag (fuota_reader_t *in, fuota_command_t *out)
{
    out->buffer_frag.base = fuota_reader_u8 (in);
    out->buffer_frag.error = out->buffer_frag.base == 0xff;
    if (out->buffer_frag.error)
        return;
    size_t size = fuota_reader_left (in);
    const uint8_t *data = fuota_reader_take (in, size ? size : 1);
    out->buffer_frag.data = fuota_slice (data, size);
}

static int
s_write_buffer_frag (const fuota_command_t *in, fuota_writer_t *out)
{
    fuota_slice_t data = in->buffer_frag.data;
    if (in->buffer_frag.error) {
        fuota_writer_u8 (out, 0xff);
        return 0;
    }
    if (data.size < 1 || data.size > S_BUFFER ||
        in->buffer_frag.base + data.size > S_BUFFER)
        return FUOTA_EVALUE;
    fuota_writer_u8 (out, in->buffer_frag.base);
    fuota_writer_copy (out, data.data, data.size);
    return 0;
}

static const fuota_package_row_t s_v1 [] = {
    { 0x01, 0, FUOTA_DOWNLINK, FUOTA_DEV_PACKAGE_REQ, "DevPackageReq", NULL,
        NULL },
    { 0x01, 1, FUOTA_UPLINK, FUOTA_DEV_PACKAGE_ANS, "DevPackageAns",
        s_read_package_ans, s_write_package_ans },
    { 0x02, 2, FUOTA_DOWNLINK, FUOTA_MULTI_PACK_BUFFER_REQ,
        "MultiPackBufferReq", s_read_buffer_req, s_write_buffer_req },
    { 0x02, 1, FUOTA_UPLINK, FUOTA_MULTI_PACK_BUFFER_FRAG,
        "MultiPackBufferFrag", s_read_buffer_frag, s_write_buffer_frag },
};
const fuota_package_table_t fuota_ts007_v1 = { s_v1, sizeof s_v1 / sizeof *s_v1,
    &fuota_package_common };

//  ---------------------------------------------------------------------
//  Framing (8.1)

//  Two shapes end without a token. LBM ends the second with one (D27): then
//  it is a byte longer and not taken for it here.
static bool
s_without_token (fuota_direction_t direction, const uint8_t *payload,
    size_t size)
{
    size_t at = size && payload [0] == S_PREFIX;
    if (direction == FUOTA_DOWNLINK)
        return size == at + 3 && payload [at] == 0x02;
    return size == at + 2 && payload [at] == 0x02 && payload [at + 1] == 0xff;
}

//  Take the prefix if there is one. Returns 0, or FUOTA_ECOMMAND if nobody
//  has that PackageID.
static int
s_read_prefix (fuota_reader_t *in, fuota_ts007_item_t *item,
    fuota_package_t *package)
{
    uint8_t first = in->data [in->at];
    item->prefix = first >= S_PREFIX;
    if (!item->prefix)
        return 0;
    if (first >= S_PREFIX + FUOTA_PACKAGES)
        return FUOTA_ECOMMAND;
    *package = (fuota_package_t) (fuota_reader_u8 (in) - S_PREFIX);
    return 0;
}

static bool
s_at_request (const fuota_reader_t *in, fuota_package_t package,
    fuota_direction_t direction)
{
    return direction == FUOTA_DOWNLINK && package == FUOTA_TS007 &&
           fuota_reader_left (in) && in->data [in->at] == 0x02;
}

int
fuota_ts007_decode (fuota_ts007_t *self,
    const uint8_t versions [FUOTA_PACKAGES], fuota_direction_t direction,
    const uint8_t *payload, size_t size)
{
    self->count = 0;
    self->token = FUOTA_TS007_NO_TOKEN;
    if (!size)
        return FUOTA_ESHORT;
    bool alone = s_without_token (direction, payload, size);
    if (!alone)
        self->token = payload [--size] & 3;
    fuota_reader_t in = fuota_reader (payload, size);
    fuota_package_t package = FUOTA_TS007;
    int rc = 0;
    while (!rc && fuota_reader_left (&in)) {
        if (self->count == self->max)
            return FUOTA_EFULL;
        fuota_ts007_item_t *item = &self->items [self->count];
        rc = s_read_prefix (&in, item, &package);
        if (!rc && !alone && s_at_request (&in, package, direction)) {
            self->count = 0;
            return FUOTA_EVALUE;
        }
        unsigned version = package == FUOTA_TS007 ? 1 : versions [package];
        if (!rc)
            rc = fuota_package_read (package, version, direction, &in,
                &item->command);
        self->count += rc == 0;
    }
    return rc;
}

//  The item that goes without a token, if one does.
static const fuota_command_t *
s_tokenless (const fuota_ts007_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        const fuota_command_t *command = &self->items [i].command;
        if (command->id == FUOTA_MULTI_PACK_BUFFER_REQ ||
            (command->id == FUOTA_MULTI_PACK_BUFFER_FRAG &&
                command->buffer_frag.error))
            return command;
    }
    return NULL;
}

//  A token may follow the error form, as LBM sends it, but never a request.
static bool
s_token_fits (const fuota_ts007_t *self)
{
    const fuota_command_t *command = s_tokenless (self);
    if (self->token != FUOTA_TS007_NO_TOKEN &&
        (self->token < 0 || self->token > 3))
        return false;
    if (!command)
        return self->token != FUOTA_TS007_NO_TOKEN;
    return self->count == 1 && (command->id == FUOTA_MULTI_PACK_BUFFER_FRAG ||
                                   self->token == FUOTA_TS007_NO_TOKEN);
}

int
fuota_ts007_encode (const fuota_ts007_t *self, fuota_writer_t *out)
{
    fuota_writer_t start = *out;
    fuota_package_t package = FUOTA_TS007;
    int rc = s_token_fits (self) ? 0 : FUOTA_EVALUE;
    for (size_t i = 0; i < self->count && !rc; i++) {
        const fuota_ts007_item_t *item = &self->items [i];
        if (item->prefix || item->command.package != package)
            fuota_writer_u8 (out, S_PREFIX + item->command.package);
        package = item->command.package;
        rc = fuota_package_encode (&item->command, out);
    }
    if (!rc && self->token != FUOTA_TS007_NO_TOKEN)
        fuota_writer_u8 (out, (unsigned) self->token);
    if (!rc)
        rc = out->rc;
    if (rc)
        *out = start;
    return rc;
}
