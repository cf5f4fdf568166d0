//  SPDX-License-Identifier: MIT
//
//  DeviceService.Update replaces a device as a whole, so the request is made
//  from the answer's own bytes: what a newer host has in a device and we know
//  nothing of goes back as it came. Only entries of the map `tags` with a key
//  of ours are left out, and ours put at the end.

#include <pb_decode.h>
#include <pb_encode.h>
#include "broker/host/chirpstack_call.h"
#include "chirpstack.pb.h"

enum { DEVICE = 1, TAGS = 9 };  //  Fields

//  The next field of a message: its number, where it begins and ends, and its
//  body if it is a length-delimited one. False at the end or at nonsense.
static bool
s_next (pb_istream_t *in, fuota_slice_t message, uint32_t *number,
    fuota_slice_t *whole, fuota_slice_t *body)
{
    pb_wire_type_t type;
    bool eof;
    size_t from = message.size - in->bytes_left;
    *body = fuota_slice (NULL, 0);
    if (!pb_decode_tag (in, &type, number, &eof))
        return false;
    if (type == PB_WT_STRING) {
        uint32_t size;
        if (!pb_decode_varint32 (in, &size) || size > in->bytes_left)
            return false;
        *body =
            fuota_slice (message.data + message.size - in->bytes_left, size);
        if (!pb_read (in, NULL, size))
            return false;
    }
    else if (!pb_skip_field (in, type))
        return false;
    *whole =
        fuota_slice (message.data + from, message.size - in->bytes_left - from);
    return true;
}

static bool
s_ours (const fuota_downlink_t *want, fuota_slice_t entry)
{
    pb_istream_t in = pb_istream_from_buffer (entry.data, entry.size);
    fuota_slice_t whole, body;
    uint32_t number;
    while (s_next (&in, entry, &number, &whole, &body))
        for (pb_size_t i = 0; number == 1 && i < want->tags_count; i++)
            if (strlen (want->tags [i].key) == body.size &&
                memcmp (want->tags [i].key, body.data, body.size) == 0)
                return true;
    return false;
}

static bool
s_append (pb_ostream_t *out, const fuota_downlink_t *want)
{
    cs_MapEntry entry;
    for (pb_size_t i = 0; i < want->tags_count; i++) {
        memcpy (entry.key, want->tags [i].key, sizeof entry.key);
        memcpy (entry.value, want->tags [i].value, sizeof entry.value);
        if (!pb_encode_tag (out, PB_WT_STRING, TAGS) ||
            !pb_encode_submessage (out, cs_MapEntry_fields, &entry))
            return false;
    }
    return true;
}

static bool
s_device (pb_ostream_t *out, const fuota_downlink_t *want, fuota_slice_t device)
{
    pb_istream_t in = pb_istream_from_buffer (device.data, device.size);
    fuota_slice_t whole, body;
    uint32_t number;
    while (s_next (&in, device, &number, &whole, &body))
        if ((number != TAGS || !s_ours (want, body)) &&
            !pb_write (out, whole.data, whole.size))
            return false;
    return in.bytes_left == 0 && s_append (out, want);
}

int
fuota_chirpstack_retag (fuota_slice_t message, const fuota_downlink_t *want,
    uint8_t *out, size_t *size)
{
    pb_istream_t in = pb_istream_from_buffer (message.data, message.size);
    fuota_slice_t whole, body, device = { NULL, 0 };
    uint32_t number;
    while (s_next (&in, message, &number, &whole, &body))
        if (number == DEVICE)
            device = body;
    if (in.bytes_left || !device.data)
        return FUOTA_EFORMAT;
    //  Its size stands before it
    pb_ostream_t count = PB_OSTREAM_SIZING;
    if (!s_device (&count, want, device))
        return FUOTA_EFORMAT;
    pb_ostream_t stream = pb_ostream_from_buffer (out, *size);
    if (!pb_encode_tag (&stream, PB_WT_STRING, DEVICE) ||
        !pb_encode_varint (&stream, count.bytes_written) ||
        !s_device (&stream, want, device))
        return FUOTA_EFULL;
    *size = stream.bytes_written;
    return 0;
}
