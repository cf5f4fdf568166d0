//  SPDX-License-Identifier: MIT
//
//  The same events as JSON. Protobuf's own mapping: what is absent is zero;
//  64-bit numbers, times, bytes and enums are texts.

#include <jansson.h>
#include "broker/host/chirpstack_event.h"
#include "broker/host/chirpstack_text.h"

//  A text, NULL if it is absent or something else.
static const char *
s_text (const json_t *object, const char *key)
{
    return json_string_value (json_object_get (object, key));
}

//  A number of 32 bits, 0 if absent. False if it is something else.
static bool
s_number (const json_t *object, const char *key, uint32_t *number)
{
    json_t *value = json_object_get (object, key);
    json_int_t got = value ? json_integer_value (value) : 0;
    *number = (uint32_t) got;
    return (!value || json_is_integer (value)) && got >= 0 && got <= UINT32_MAX;
}

static void
s_rx_info (const json_t *list, fuota_chirpstack_raw_t *raw)
{
    size_t i;
    json_t *info;
    json_array_foreach (list, i, info)
    {
        const char *id = s_text (info, "gatewayId");
        const char *gps = s_text (info, "timeSinceGpsEpoch");
        uint64_t eui;
        if (gps && !raw->has_gps)
            raw->has_gps = fuota_chirpstack_unduration (gps, &raw->gps);
        if (id && raw->gateway_count < FUOTA_CHIRPSTACK_GATEWAYS &&
            fuota_chirpstack_uneui (id, &eui))
            raw->gateways [raw->gateway_count++] = eui;
    }
}

static uint32_t
s_code (const json_t *body)
{
    //  Those that tell a queue item's fate; all others are as good as unknown
    const char *code = s_text (body, "code");
    if (code && strcmp (code, "DOWNLINK_PAYLOAD_SIZE") == 0)
        return 1;
    return code && strcmp (code, "EXPIRED") == 0 ? 11 : 0;
}

static int
s_read (const char *type, const json_t *body, int64_t now, int leap_extra,
    fuota_chirpstack_said_t *out)
{
    fuota_chirpstack_raw_t raw = { .data_size = 0 };
    const json_t *device = json_object_get (body, "deviceInfo");
    const char *time = s_text (body, "time");
    const char *data = s_text (body, "data");
    raw.data_size = data ? sizeof raw.data : 0;
    if (!s_number (body, "fCnt", &raw.f_cnt) ||
        !s_number (body, "fPort", &raw.f_port) ||
        (data && !fuota_chirpstack_unbase64 (data, raw.data, &raw.data_size)))
        return FUOTA_EFORMAT;
    raw.has_time = time && fuota_chirpstack_untime (time, &raw.time);
    raw.dedup = s_text (body, "deduplicationId");
    raw.application = s_text (device, "applicationId");
    raw.profile = s_text (device, "deviceProfileId");
    raw.tenant = s_text (device, "tenantId");
    raw.dev_eui = s_text (device, "devEui");
    raw.item = s_text (body, "queueItemId");
    raw.encrypted =
        json_is_object (json_object_get (body, "joinServerContext"));
    if (strcmp (type, "log") == 0) {
        raw.code = s_code (body);
        raw.item = s_text (json_object_get (body, "context"), "queue_item_id");
    }
    s_rx_info (json_object_get (body, "rxInfo"), &raw);
    return fuota_chirpstack_said (type, &raw, now, leap_extra, out);
}

int
fuota_chirpstack_json (const char *type, fuota_slice_t body, int64_t now,
    int leap_extra, fuota_chirpstack_said_t *out)
{
    json_t *root = json_loadb ((const char *) body.data, body.size, 0, NULL);
    int rc = root ? s_read (type, root, now, leap_extra, out) : FUOTA_EFORMAT;
    json_decref (root);
    return rc;
}
