//  SPDX-License-Identifier: MIT
//
//  Parts: what both encodings say; protobuf; JSON; the doors.

#include <jansson.h>
#include <pb_decode.h>
#include "broker/host/chirpstack_gateway.h"
#include "broker/host/chirpstack_text.h"
#include "chirpstack.pb.h"
#include "workers/package/region.h"

#define OVERHEAD 13  //  Of a frame; fuota_region_air_time adds it
#define LOW_RATE 62  //  Symbols a second at most, with which it is optimised

//  ---------------------------------------------------------------------
//  What both encodings say

typedef struct {
    bool fsk;
    uint32_t bandwidth, sf;  //  LoRa
} modulation_t;

//  Microseconds; 0 where the modulation is none that we know.
static uint32_t
s_air_time (modulation_t with, size_t size)
{
    unsigned payload = size > OVERHEAD ? (unsigned) size - OVERHEAD : 0;
    bool lora = with.sf >= 5 && with.sf <= 12 && with.bandwidth >= 100000 &&
                with.bandwidth <= 2000000;
    fuota_rate_t rate = { .bandwidth = with.bandwidth };
    if (lora) {
        rate.sf = (uint8_t) with.sf;
        rate.low_rate = with.bandwidth >> with.sf <= LOW_RATE;
    }
    return lora || with.fsk ? fuota_region_air_time (&rate, payload) : 0;
}

static void
s_add (fuota_chirpstack_down_t *out, const uint8_t *phy, size_t size,
    uint32_t frequency, modulation_t with)
{
    if (out->items == FUOTA_CHIRPSTACK_ITEMS)
        return;
    if (out->items == 0) {
        memcpy (out->phy, phy, size);
        out->size = size;
    }
    out->item [out->items].frequency = frequency;
    out->item [out->items++].air_time = s_air_time (with, size);
}

//  Of several attempts one may have been good; else the last counts.
static void
s_word (fuota_chirpstack_ack_t *out, uint32_t word, unsigned item)
{
    if (out->word == FUOTA_WORD_OK || !word)
        return;
    out->word = word;
    out->item = item;
}

//  ---------------------------------------------------------------------
//  Protobuf

static bool
s_item (pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    fuota_chirpstack_down_t *out = *arg;
    cs_DownlinkFrameItem item = cs_DownlinkFrameItem_init_zero;
    const cs_Modulation *modulation = &item.tx_info.modulation;
    (void) field;
    //  One that is not understood costs only itself
    if (!pb_decode (stream, cs_DownlinkFrameItem_fields, &item))
        return pb_read (stream, NULL, stream->bytes_left);
    modulation_t with = { modulation->has_fsk, modulation->lora.bandwidth,
        modulation->lora.spreading_factor };
    s_add (out, item.phy_payload.bytes, item.phy_payload.size,
        item.tx_info.frequency, with);
    return true;
}

typedef struct {
    fuota_chirpstack_ack_t *out;
    unsigned item;
} s_acks_t;

static bool
s_ack_item (pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    s_acks_t *acks = *arg;
    cs_DownlinkTxAckItem item;
    (void) field;
    if (!pb_decode (stream, cs_DownlinkTxAckItem_fields, &item))
        return pb_read (stream, NULL, stream->bytes_left);
    s_word (acks->out, item.status, acks->item++);
    return true;
}

static int
s_protobuf_down (fuota_slice_t body, fuota_chirpstack_down_t *out)
{
    cs_DownlinkFrame frame = cs_DownlinkFrame_init_zero;
    pb_istream_t stream = pb_istream_from_buffer (body.data, body.size);
    frame.items.funcs.decode = s_item;
    frame.items.arg = out;
    if (!pb_decode (&stream, cs_DownlinkFrame_fields, &frame) ||
        !fuota_chirpstack_uneui (frame.gateway_id, &out->gateway))
        return FUOTA_EFORMAT;
    out->downlink = frame.downlink_id;
    return 0;
}

static int
s_protobuf_ack (fuota_slice_t body, fuota_chirpstack_ack_t *out)
{
    cs_DownlinkTxAck ack = cs_DownlinkTxAck_init_zero;
    pb_istream_t stream = pb_istream_from_buffer (body.data, body.size);
    s_acks_t acks = { out, 0 };
    ack.items.funcs.decode = s_ack_item;
    ack.items.arg = &acks;
    if (!pb_decode (&stream, cs_DownlinkTxAck_fields, &ack) ||
        !fuota_chirpstack_uneui (ack.gateway_id, &out->gateway))
        return FUOTA_EFORMAT;
    out->downlink = ack.downlink_id;
    return 0;
}

//  ---------------------------------------------------------------------
//  JSON

static uint32_t
s_number (const json_t *object, const char *key)
{
    json_int_t value = json_integer_value (json_object_get (object, key));
    return value > 0 && value <= UINT32_MAX ? (uint32_t) value : 0;
}

static bool
s_json_head (const json_t *root, uint64_t *gateway, uint32_t *downlink)
{
    const char *id = json_string_value (json_object_get (root, "gatewayId"));
    *downlink = s_number (root, "downlinkId");
    return id && fuota_chirpstack_uneui (id, gateway);
}

static int
s_json_down (const json_t *root, fuota_chirpstack_down_t *out)
{
    size_t i;
    json_t *item;
    json_array_foreach (json_object_get (root, "items"), i, item)
    {
        uint8_t phy [280];
        size_t size = sizeof phy;
        const char *text =
            json_string_value (json_object_get (item, "phyPayload"));
        const json_t *info = json_object_get (item, "txInfo");
        const json_t *modulation = json_object_get (info, "modulation");
        const json_t *lora = json_object_get (modulation, "lora");
        modulation_t with = { json_object_get (modulation, "fsk") != NULL,
            s_number (lora, "bandwidth"), s_number (lora, "spreadingFactor") };
        if (text && fuota_chirpstack_unbase64 (text, phy, &size))
            s_add (out, phy, size, s_number (info, "frequency"), with);
    }
    return out->items && s_json_head (root, &out->gateway, &out->downlink)
               ? 0
               : FUOTA_EFORMAT;
}

static int
s_json_ack (const json_t *root, fuota_chirpstack_ack_t *out)
{
    size_t i;
    json_t *item;
    json_array_foreach (json_object_get (root, "items"), i, item)
    {
        const char *word = json_string_value (json_object_get (item, "status"));
        uint32_t n = word && strcmp (word, "IGNORED") != 0;
        while (n && n < FUOTA_WORDS && strcmp (word, fuota_word_name (n)) != 0)
            n++;
        s_word (out, n, (unsigned) i);
    }
    return s_json_head (root, &out->gateway, &out->downlink) ? 0
                                                             : FUOTA_EFORMAT;
}

static json_t *
s_json (fuota_slice_t body)
{
    return body.size && body.data [0] == '{'
               ? json_loadb ((const char *) body.data, body.size, 0, NULL)
               : NULL;
}

//  ---------------------------------------------------------------------
//  The doors

int
fuota_chirpstack_gateway_down (fuota_slice_t body, fuota_chirpstack_down_t *out)
{
    *out = (fuota_chirpstack_down_t){ .items = 0 };
    json_t *root = s_json (body);
    int rc = root        ? s_json_down (root, out)
             : body.size ? s_protobuf_down (body, out)
                         : FUOTA_EFORMAT;
    json_decref (root);
    return rc;
}

int
fuota_chirpstack_gateway_ack (fuota_slice_t body, fuota_chirpstack_ack_t *out)
{
    *out = (fuota_chirpstack_ack_t){ .word = 0 };
    json_t *root = s_json (body);
    int rc = root        ? s_json_ack (root, out)
             : body.size ? s_protobuf_ack (body, out)
                         : FUOTA_EFORMAT;
    json_decref (root);
    return rc;
}
