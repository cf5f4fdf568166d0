//  SPDX-License-Identifier: MIT

#include <pb_encode.h>
#include <stdlib.h>
#include "broker/request.h"
#include "schema/record.h"

static bool
s_put_devices (pb_ostream_t *stream, const pb_field_t *field, void *const *arg)
{
    const fuota_request_parts_t *parts = *arg;
    if (!parts->device_count)
        return true;
    if (!pb_encode_tag (stream, PB_WT_STRING, field->tag) ||
        !pb_encode_varint (stream, parts->device_count * 8ull))
        return false;
    for (size_t i = 0; i < parts->device_count; i++)
        if (!pb_encode_fixed64 (stream, &parts->devices [i]))
            return false;
    return true;
}

static bool
s_put_image (pb_ostream_t *stream, const pb_field_t *field, void *const *arg)
{
    const fuota_request_parts_t *parts = *arg;
    return !parts->image.data ||
           (pb_encode_tag_for_field (stream, field) &&
               pb_encode_string (stream, parts->image.data, parts->image.size));
}

uint8_t *
fuota_request_encode (const fuota_request_parts_t *parts, size_t *size)
{
    fuota_request_parts_t copy = *parts;
    Wish *wish = &copy.request.wish;
    wish->devices.funcs.encode = s_put_devices;
    wish->image.funcs.encode = s_put_image;
    wish->devices.arg = wish->image.arg = &copy;
    if (!pb_get_encoded_size (size, Request_fields, &copy.request))
        return NULL;
    uint8_t *bytes = malloc (*size + 1);
    pb_ostream_t stream = pb_ostream_from_buffer (bytes, *size);
    if (bytes && !pb_encode (&stream, Request_fields, &copy.request)) {
        free (bytes);
        bytes = NULL;
    }
    return bytes;
}

int
fuota_request_reply (fuota_slice_t bytes, Reply *reply)
{
    return fuota_record_decode (Reply_fields, reply, bytes);
}
