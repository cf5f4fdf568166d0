//  SPDX-License-Identifier: MIT
//
//  Parts: what both encodings say; protobuf.

#include <pb_decode.h>
#include "broker/host/chirpstack_event.h"
#include "broker/host/chirpstack_text.h"
#include "chirpstack.pb.h"
#include "workers/package/gpstime.h"

#define EARLIEST 1500000000000  //  2017: before it nobody had ChirpStack
#define LATEST 4102444800000    //  2100

enum { PAYLOAD_SIZE = 1, EXPIRED = 11 };  //  integration.LogCode

//  ---------------------------------------------------------------------
//  What both encodings say

static bool
s_plausible (int64_t at)
{
    return at >= EARLIEST && at < LATEST;
}

//  The end of reception at a gateway: by GNSS, as the host says, by our own
//  clock, in this order. A time that cannot be is as if it were not said.
static int64_t
s_received (const fuota_chirpstack_raw_t *raw, int64_t now, int leap_extra)
{
    int64_t gps = raw->gps / 1000;
    if (raw->has_gps && gps > 0 && gps < LATEST / 1000) {
        int64_t at = fuota_gpstime_to_utc (gps, leap_extra) + raw->gps % 1000;
        if (s_plausible (at))
            return at;
    }
    return raw->has_time && s_plausible (raw->time) ? raw->time : now;
}

static int
s_fate (const char *type, const fuota_chirpstack_raw_t *raw,
    fuota_chirpstack_said_t *out)
{
    bool log = strcmp (type, "log") == 0;
    if (log && raw->code != PAYLOAD_SIZE && raw->code != EXPIRED)
        return 0;
    if (!raw->item || !fuota_chirpstack_unuuid (raw->item, out->item))
        return FUOTA_EFORMAT;
    out->kind = FUOTA_CHIRPSTACK_FATE;
    out->fate = !log                        ? FUOTA_SENT
                : raw->code == PAYLOAD_SIZE ? FUOTA_REFUSED
                                            : FUOTA_EXPIRED;
    if (log && raw->code == PAYLOAD_SIZE)
        out->words = "too long for the data rate";
    return 0;
}

static int
s_uplink (const fuota_chirpstack_raw_t *raw, fuota_event_t *event)
{
    if (raw->data_size > sizeof event->data.bytes || raw->f_port > 255)
        return FUOTA_EFORMAT;
    event->kind = FUOTA_EVENT_UPLINK;
    event->f_port = raw->f_port;
    event->f_cnt = raw->f_cnt;
    event->data.size = (pb_size_t) raw->data_size;
    memcpy (event->data.bytes, raw->data, raw->data_size);
    event->gateways_count = (pb_size_t) raw->gateway_count;
    memcpy (event->gateways, raw->gateways, sizeof event->gateways);
    return 0;
}

int
fuota_chirpstack_said (const char *type, const fuota_chirpstack_raw_t *raw,
    int64_t now, int leap_extra, fuota_chirpstack_said_t *out)
{
    fuota_event_t *event = &out->event;
    bool up = strcmp (type, "up") == 0;
    if (!raw->dev_eui || !raw->application ||
        !fuota_chirpstack_uneui (raw->dev_eui, &event->dev_eui) ||
        strlen (raw->application) >= sizeof event->application)
        return FUOTA_EFORMAT;
    memcpy (event->application, raw->application,
        strlen (raw->application) + 1);
    if (raw->profile && strlen (raw->profile) < sizeof out->profile)
        strcpy (out->profile, raw->profile);
    if (raw->tenant && strlen (raw->tenant) < sizeof out->tenant)
        strcpy (out->tenant, raw->tenant);
    if (strcmp (type, "txack") == 0 || strcmp (type, "log") == 0)
        return s_fate (type, raw, out);
    if (!up && strcmp (type, "join") != 0)
        return 0;
    event->received_at = s_received (raw, now, leap_extra);
    event->kind = FUOTA_EVENT_JOIN;
    if (up && s_uplink (raw, event))
        return FUOTA_EFORMAT;
    if (raw->dedup && !fuota_chirpstack_unuuid (raw->dedup, out->dedup))
        memset (out->dedup, 0, sizeof out->dedup);
    //  What the host cannot decrypt has nothing to say to us
    if (!up || (raw->f_port && !raw->encrypted))
        out->kind = FUOTA_CHIRPSTACK_SAID;
    return 0;
}

//  ---------------------------------------------------------------------
//  Protobuf

static bool
s_drain (pb_istream_t *stream)
{
    return pb_read (stream, NULL, stream->bytes_left);
}

//  An entry of rx_info that is not understood costs only itself.
static bool
s_rx_info (pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    fuota_chirpstack_raw_t *raw = *arg;
    cs_RxInfo info;
    uint64_t eui;
    (void) field;
    if (!pb_decode (stream, cs_RxInfo_fields, &info))
        return s_drain (stream);
    if (info.has_time_since_gps_epoch && !raw->has_gps &&
        info.time_since_gps_epoch.seconds < LATEST / 1000) {
        raw->has_gps = true;
        raw->gps = info.time_since_gps_epoch.seconds * 1000 +
                   info.time_since_gps_epoch.nanos / 1000000;
    }
    if (raw->gateway_count < FUOTA_CHIRPSTACK_GATEWAYS &&
        fuota_chirpstack_uneui (info.gateway_id, &eui))
        raw->gateways [raw->gateway_count++] = eui;
    return true;
}

static bool
s_context (pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    char *item = *arg;
    cs_MapEntry entry;
    (void) field;
    if (!pb_decode (stream, cs_MapEntry_fields, &entry))
        return s_drain (stream);
    if (strcmp (entry.key, "queue_item_id") == 0 && strlen (entry.value) < 41)
        strcpy (item, entry.value);
    return true;
}

static void
s_time (fuota_chirpstack_raw_t *raw, bool has, const cs_Timestamp *time)
{
    if (!has || time->seconds < 0 || time->seconds > LATEST / 1000)
        return;
    raw->has_time = true;
    raw->time = time->seconds * 1000 + time->nanos / 1000000;
}

static bool
s_decode (fuota_slice_t body, const pb_msgdesc_t *fields, void *message)
{
    pb_istream_t stream = pb_istream_from_buffer (body.data, body.size);
    return pb_decode (&stream, fields, message);
}

static int
s_protobuf_up (fuota_slice_t body, fuota_chirpstack_raw_t *raw, int64_t now,
    int leap_extra, fuota_chirpstack_said_t *out)
{
    cs_UplinkEvent up = cs_UplinkEvent_init_zero;
    up.rx_info.funcs.decode = s_rx_info;
    up.rx_info.arg = raw;
    if (!s_decode (body, cs_UplinkEvent_fields, &up))
        return FUOTA_EFORMAT;
    s_time (raw, up.has_time, &up.time);
    raw->dedup = up.deduplication_id;
    raw->application = up.device_info.application_id;
    raw->tenant = up.device_info.tenant_id;
    raw->profile = up.device_info.device_profile_id;
    raw->dev_eui = up.device_info.dev_eui;
    raw->f_cnt = up.f_cnt;
    raw->f_port = up.f_port;
    raw->encrypted = up.has_join_server_context;
    raw->data_size = up.data.size;
    memcpy (raw->data, up.data.bytes, up.data.size);
    return fuota_chirpstack_said ("up", raw, now, leap_extra, out);
}

static int
s_protobuf_join (fuota_slice_t body, fuota_chirpstack_raw_t *raw, int64_t now,
    int leap_extra, fuota_chirpstack_said_t *out)
{
    cs_JoinEvent join;
    if (!s_decode (body, cs_JoinEvent_fields, &join))
        return FUOTA_EFORMAT;
    s_time (raw, join.has_time, &join.time);
    raw->dedup = join.deduplication_id;
    raw->application = join.device_info.application_id;
    raw->tenant = join.device_info.tenant_id;
    raw->dev_eui = join.device_info.dev_eui;
    return fuota_chirpstack_said ("join", raw, now, leap_extra, out);
}

static int
s_protobuf_txack (fuota_slice_t body, fuota_chirpstack_raw_t *raw, int64_t now,
    int leap_extra, fuota_chirpstack_said_t *out)
{
    cs_TxAckEvent ack;
    if (!s_decode (body, cs_TxAckEvent_fields, &ack))
        return FUOTA_EFORMAT;
    raw->application = ack.device_info.application_id;
    raw->dev_eui = ack.device_info.dev_eui;
    raw->item = ack.queue_item_id;
    return fuota_chirpstack_said ("txack", raw, now, leap_extra, out);
}

static int
s_protobuf_log (fuota_slice_t body, fuota_chirpstack_raw_t *raw, int64_t now,
    int leap_extra, fuota_chirpstack_said_t *out)
{
    cs_LogEvent log = cs_LogEvent_init_zero;
    char item [41] = "";
    log.context.funcs.decode = s_context;
    log.context.arg = item;
    if (!s_decode (body, cs_LogEvent_fields, &log))
        return FUOTA_EFORMAT;
    raw->application = log.device_info.application_id;
    raw->dev_eui = log.device_info.dev_eui;
    raw->code = log.code;
    raw->item = item;
    return fuota_chirpstack_said ("log", raw, now, leap_extra, out);
}

typedef int (s_reader_t) (fuota_slice_t body, fuota_chirpstack_raw_t *raw,
    int64_t now, int leap_extra, fuota_chirpstack_said_t *out);

int
fuota_chirpstack_event (const char *type, fuota_slice_t body, int64_t now,
    int leap_extra, fuota_chirpstack_said_t *out)
{
    static const struct {
        const char *type;
        s_reader_t *read;
    } readers [] = {
        { "up", s_protobuf_up },
        { "join", s_protobuf_join },
        { "txack", s_protobuf_txack },
        { "log", s_protobuf_log },
    };
    *out = (fuota_chirpstack_said_t){ .words = "" };
    if (!body.size || body.size > FUOTA_CHIRPSTACK_BODY)
        return FUOTA_EFORMAT;
    //  '{' cannot begin any of the host's protobuf messages
    out->json = body.data [0] == '{';
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
        fuota_chirpstack_raw_t raw = { .data_size = 0 };
        if (strcmp (type, readers [i].type) != 0)
            continue;
        return out->json
                   ? fuota_chirpstack_json (type, body, now, leap_extra, out)
                   : readers [i].read (body, &raw, now, leap_extra, out);
    }
    return 0;
}
