//  SPDX-License-Identifier: MIT
//
//  Parts: status; requests; answers; command/down. Tags: chirpstack_tags.c.

#include <ctype.h>
#include <pb_decode.h>
#include <stdio.h>
#include "broker/host/chirpstack_call.h"
#include "broker/host/chirpstack_text.h"
#include "broker/host/grpc_reply.h"
#include "chirpstack.pb.h"
#include "schema/hex.h"
#include "workers/package/mckey.h"

//  ---------------------------------------------------------------------
//  Status

//  INTERNAL is a database that is away, or text that is none of an EUI, or a
//  constraint, in PostgreSQL's words or in SQLite's.
static fuota_chirpstack_answer_t
s_internal (const char *text)
{
    static const char *const texts [] = { "Odd number of digits",
        "Invalid string length", "Invalid character", "value too long" };
    if (strstr (text, "unique constraint") ||
        strstr (text, "UNIQUE constraint"))
        return FUOTA_ANSWER_ALREADY;
    if (strstr (text, "foreign key") || strstr (text, "FOREIGN KEY"))
        return FUOTA_ANSWER_GONE;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strstr (text, texts [i]))
            return FUOTA_ANSWER_NEVER;
    return FUOTA_ANSWER_LOST;
}

fuota_chirpstack_answer_t
fuota_chirpstack_classify (int status, bool unprocessed, const char *text)
{
    if (status == FUOTA_GRPC_OK)
        return FUOTA_ANSWER_GOOD;
    if (unprocessed)
        return FUOTA_ANSWER_LATER;
    switch (status) {
        case FUOTA_GRPC_INTERNAL:
            return s_internal (text);
        case FUOTA_GRPC_NOT_FOUND:
            return FUOTA_ANSWER_GONE;
        case FUOTA_GRPC_ALREADY_EXISTS:
            return FUOTA_ANSWER_ALREADY;
        case FUOTA_GRPC_UNAUTHENTICATED:
            //  Without a text the access query found no row
            return *text ? FUOTA_ANSWER_TOKEN : FUOTA_ANSWER_UNSURE;
        case FUOTA_GRPC_PERMISSION_DENIED:
            return FUOTA_ANSWER_TOKEN;
        case FUOTA_GRPC_INVALID_ARGUMENT:
        case FUOTA_GRPC_FAILED_PRECONDITION:
        case FUOTA_GRPC_OUT_OF_RANGE:
        case FUOTA_GRPC_UNIMPLEMENTED:
            return FUOTA_ANSWER_NEVER;
        default:
            return FUOTA_ANSWER_LOST;
    }
}

//  ---------------------------------------------------------------------
//  Requests

static cs_Timestamp
s_timestamp (int64_t at)
{
    cs_Timestamp time = { at / 1000, (int32_t) (at % 1000) * 1000000 };
    return time;
}

static int64_t
s_milliseconds (cs_Timestamp time)
{
    return time.seconds * 1000 + time.nanos / 1000000;
}

size_t
fuota_chirpstack_ask (const char *id, uint8_t *out, size_t size)
{
    cs_Id ask = cs_Id_init_zero;
    snprintf (ask.id, sizeof ask.id, "%s", id);
    return fuota_record_encode (cs_Id_fields, &ask, out, size);
}

size_t
fuota_chirpstack_ask_groups (const char *name, const char *application,
    uint8_t *out, size_t size)
{
    //  Our names are long; a hundred that contain one of them are enough
    cs_ListGroupsRequest ask = { .limit = 100 };
    snprintf (ask.search, sizeof ask.search, "%s", name);
    snprintf (ask.application_id, sizeof ask.application_id, "%s", application);
    return fuota_record_encode (cs_ListGroupsRequest_fields, &ask, out, size);
}

//  common.Region. The host stores it and does not use it when sending.
static uint32_t
s_region (const char *name)
{
    static const struct {
        const char *name;
        uint32_t number;
    } regions [] = { { "EU868", 0 }, { "US915", 2 }, { "CN779", 3 },
        { "EU433", 4 }, { "AU915", 5 }, { "CN470", 6 }, { "AS923", 7 },
        { "AS923_2", 12 }, { "AS923_3", 13 }, { "AS923_4", 14 }, { "KR920", 8 },
        { "IN865", 9 }, { "RU864", 10 }, { "ISM2400", 11 } };
    char text [17];
    size_t n = 0;
    for (; n < sizeof text - 1 && name [n]; n++)
        text [n] =
            name [n] == '-' ? '_' : (char) toupper ((unsigned char) name [n]);
    text [n] = 0;
    for (size_t i = 0; i < sizeof regions / sizeof *regions; i++)
        if (strcmp (regions [i].name, text) == 0)
            return regions [i].number;
    return 0;
}

size_t
fuota_chirpstack_ask_create (const fuota_downlink_t *want, uint8_t *out,
    size_t size)
{
    cs_MulticastGroupBox box = { .has_multicast_group = true };
    cs_MulticastGroup *group = &box.multicast_group;
    uint8_t addr [4];
    for (unsigned i = 0; i < 4; i++)
        addr [i] = (uint8_t) (want->mc_addr >> (24 - 8 * i));
    snprintf (group->name, sizeof group->name, "%s", want->name);
    snprintf (group->application_id, sizeof group->application_id, "%s",
        want->application);
    group->region = s_region (want->region);
    fuota_hex (addr, 4, group->mc_addr);
    fuota_hex (want->mc_nwk_s_key, 16, group->mc_nwk_s_key);
    fuota_hex (want->mc_app_s_key, 16, group->mc_app_s_key);
    group->group_type = want->group_type;
    group->dr = want->dr;
    group->frequency = want->frequency;
    group->class_c_scheduling_type = want->scheduling;
    group->class_b_ping_slot_periodicity = want->periodicity;
    size = fuota_record_encode (cs_MulticastGroupBox_fields, &box, out, size);
    fuota_mckey_wipe (&box, sizeof box);
    return size;
}

size_t
fuota_chirpstack_ask_gateway (const char *group, uint64_t gateway, uint8_t *out,
    size_t size)
{
    cs_Member ask = cs_Member_init_zero;
    snprintf (ask.multicast_group_id, sizeof ask.multicast_group_id, "%s",
        group);
    fuota_chirpstack_eui (gateway, ask.gateway_id);
    return fuota_record_encode (cs_Member_fields, &ask, out, size);
}

size_t
fuota_chirpstack_ask_gateways (const char *group, uint8_t *out, size_t size)
{
    //  Limit 0 is only the count
    cs_ListGatewaysRequest ask = { .limit = 0 };
    snprintf (ask.multicast_group_id, sizeof ask.multicast_group_id, "%s",
        group);
    return fuota_record_encode (cs_ListGatewaysRequest_fields, &ask, out, size);
}

size_t
fuota_chirpstack_ask_fragment (const fuota_downlink_t *want, uint8_t *out,
    size_t size)
{
    cs_GroupItemBox box = { .has_queue_item = true };
    cs_GroupItem *item = &box.queue_item;
    snprintf (item->multicast_group_id, sizeof item->multicast_group_id, "%s",
        want->group);
    item->f_port = want->f_port;
    item->data.size = want->data.size;
    memcpy (item->data.bytes, want->data.bytes, want->data.size);
    item->has_expires_at = want->expires_at != 0;
    item->expires_at = s_timestamp (want->expires_at);
    return fuota_record_encode (cs_GroupItemBox_fields, &box, out, size);
}

size_t
fuota_chirpstack_ask_unicast (const fuota_downlink_t *want, uint8_t *out,
    size_t size)
{
    cs_DeviceItemBox box = { .has_queue_item = true };
    cs_DeviceItem *item = &box.queue_item;
    fuota_chirpstack_eui (want->dev_eui, item->dev_eui);
    item->f_port = want->f_port;
    item->data.size = want->data.size;
    memcpy (item->data.bytes, want->data.bytes, want->data.size);
    item->has_expires_at = want->expires_at != 0;
    item->expires_at = s_timestamp (want->expires_at);
    return fuota_record_encode (cs_DeviceItemBox_fields, &box, out, size);
}

//  ---------------------------------------------------------------------
//  Answers

typedef struct {
    const char *name;
    char *id;
    bool found;
} s_search_t;

static bool
s_group_item (pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    s_search_t *search = *arg;
    cs_ListItem item;
    (void) field;
    if (!pb_decode (stream, cs_ListItem_fields, &item))
        return pb_read (stream, NULL, stream->bytes_left);
    if (!search->found && strcmp (item.name, search->name) == 0) {
        memcpy (search->id, item.id, sizeof item.id);
        search->found = true;
    }
    return true;
}

int
fuota_chirpstack_got_groups (fuota_slice_t message, const char *name,
    char id [41])
{
    s_search_t search = { name, id, false };
    cs_ListGroupsResponse list = cs_ListGroupsResponse_init_zero;
    pb_istream_t stream = pb_istream_from_buffer (message.data, message.size);
    list.result.funcs.decode = s_group_item;
    list.result.arg = &search;
    if (!pb_decode (&stream, cs_ListGroupsResponse_fields, &list))
        return FUOTA_EFORMAT;
    return search.found ? 0 : FUOTA_ENOTFOUND;
}

int
fuota_chirpstack_got_id (fuota_slice_t message, char id [41])
{
    cs_Id got;
    if (fuota_record_decode (cs_Id_fields, &got, message) || !got.id [0])
        return FUOTA_EFORMAT;
    memcpy (id, got.id, sizeof got.id);
    return 0;
}

int
fuota_chirpstack_got_total (fuota_slice_t message, uint32_t *total)
{
    cs_Total got;
    int rc = fuota_record_decode (cs_Total_fields, &got, message);
    *total = got.total_count;
    return rc;
}

int
fuota_chirpstack_got_group (fuota_slice_t message, uint32_t *f_cnt,
    uint32_t *mc_addr)
{
    cs_MulticastGroupBox box;
    uint8_t addr [4];
    int rc = fuota_record_decode (cs_MulticastGroupBox_fields, &box, message);
    if (!rc && (!box.has_multicast_group ||
                   !fuota_unhex (box.multicast_group.mc_addr, addr, 4)))
        rc = FUOTA_EFORMAT;
    *f_cnt = box.multicast_group.f_cnt;
    *mc_addr = rc ? 0 : (uint32_t) fuota_be (addr, 4);
    fuota_mckey_wipe (&box, sizeof box);
    return rc;
}

static bool
s_waiting (pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    bool *waiting = *arg;
    (void) field;
    *waiting = true;
    return pb_read (stream, NULL, stream->bytes_left);
}

int
fuota_chirpstack_got_waiting (fuota_slice_t message, bool *waiting)
{
    cs_GroupQueue queue = cs_GroupQueue_init_zero;
    pb_istream_t stream = pb_istream_from_buffer (message.data, message.size);
    *waiting = false;
    queue.items.funcs.decode = s_waiting;
    queue.items.arg = waiting;
    return pb_decode (&stream, cs_GroupQueue_fields, &queue) ? 0
                                                             : FUOTA_EFORMAT;
}

int
fuota_chirpstack_got_counter (fuota_slice_t message, uint32_t *f_cnt)
{
    cs_Counter got;
    int rc = fuota_record_decode (cs_Counter_fields, &got, message);
    *f_cnt = got.f_cnt;
    return rc;
}

typedef struct {
    const fuota_downlink_t *want;
    char *id;
    bool found;
} s_queue_t;

static bool
s_queue_item (pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    s_queue_t *queue = *arg;
    const fuota_downlink_t *want = queue->want;
    cs_DeviceItem item;
    (void) field;
    if (!pb_decode (stream, cs_DeviceItem_fields, &item))
        return pb_read (stream, NULL, stream->bytes_left);
    //  An attempt of before has the same payload, and another end
    bool other = item.has_expires_at && want->expires_at &&
                 s_milliseconds (item.expires_at) != want->expires_at;
    if (!other && item.f_port == want->f_port &&
        item.data.size == want->data.size &&
        memcmp (item.data.bytes, want->data.bytes, want->data.size) == 0) {
        memcpy (queue->id, item.id, sizeof item.id);
        queue->found = true;
    }
    return true;
}

int
fuota_chirpstack_got_queue (fuota_slice_t message, const fuota_downlink_t *want,
    char id [41])
{
    s_queue_t queue = { want, id, false };
    cs_DeviceQueue list = cs_DeviceQueue_init_zero;
    pb_istream_t stream = pb_istream_from_buffer (message.data, message.size);
    list.result.funcs.decode = s_queue_item;
    list.result.arg = &queue;
    if (!pb_decode (&stream, cs_DeviceQueue_fields, &list))
        return FUOTA_EFORMAT;
    return queue.found ? 0 : FUOTA_ENOTFOUND;
}

int
fuota_chirpstack_got_device (fuota_slice_t message, char application [41],
    char profile [41])
{
    cs_DeviceBox box = cs_DeviceBox_init_zero;
    if (fuota_record_decode (cs_DeviceBox_fields, &box, message) ||
        !box.has_device)
        return FUOTA_EFORMAT;
    memcpy (application, box.device.application_id,
        sizeof box.device.application_id);
    memcpy (profile, box.device.device_profile_id,
        sizeof box.device.device_profile_id);
    return 0;
}

int
fuota_chirpstack_got_profile (fuota_slice_t message, bool *lorawan_1_1)
{
    enum { LORAWAN_1_1_0 = 5 };
    cs_DeviceProfileBox box = cs_DeviceProfileBox_init_zero;
    if (fuota_record_decode (cs_DeviceProfileBox_fields, &box, message) ||
        !box.has_device_profile)
        return FUOTA_EFORMAT;
    *lorawan_1_1 = box.device_profile.mac_version == LORAWAN_1_1_0;
    return 0;
}

int
fuota_chirpstack_got_keys (fuota_slice_t message, bool lorawan_1_1,
    uint8_t key [16])
{
    static const uint8_t none [16];
    cs_DeviceKeysBox box;
    int rc = fuota_record_decode (cs_DeviceKeysBox_fields, &box, message);
    const char *text =
        lorawan_1_1 ? box.device_keys.app_key : box.device_keys.gen_app_key;
    if (!rc &&
        (!*text || !fuota_unhex (text, key, 16) || !memcmp (key, none, 16)))
        rc = FUOTA_ENOTFOUND;
    fuota_mckey_wipe (&box, sizeof box);
    return rc;
}

//  ---------------------------------------------------------------------
//  command/down

static size_t
s_json (const fuota_downlink_t *want, const char *id, uint8_t *out, size_t size)
{
    char eui [17], data [4 * sizeof want->data.bytes / 3 + 5], until [32];
    char expires [64] = "";
    fuota_chirpstack_eui (want->dev_eui, eui);
    fuota_chirpstack_base64 (want->data.bytes, want->data.size, data);
    fuota_chirpstack_time (want->expires_at, until);
    if (want->expires_at)
        snprintf (expires, sizeof expires, ",\"expiresAt\":\"%s\"", until);
    int used = snprintf ((char *) out, size,
        "{\"id\":\"%s\",\"devEui\":\"%s\",\"confirmed\":false,"
        "\"fPort\":%u,\"data\":\"%s\"%s}",
        id, eui, (unsigned) want->f_port, data, expires);
    return used > 0 && (size_t) used < size ? (size_t) used : 0;
}

size_t
fuota_chirpstack_command (const fuota_downlink_t *want, const char *id,
    bool json, uint8_t *out, size_t size)
{
    cs_DownlinkCommand command = cs_DownlinkCommand_init_zero;
    if (json)
        return s_json (want, id, out, size);
    if (want->data.size > sizeof command.data.bytes)
        return 0;
    snprintf (command.id, sizeof command.id, "%s", id);
    fuota_chirpstack_eui (want->dev_eui, command.dev_eui);
    command.f_port = want->f_port;
    command.data.size = want->data.size;
    memcpy (command.data.bytes, want->data.bytes, want->data.size);
    command.has_expires_at = want->expires_at != 0;
    command.expires_at = s_timestamp (want->expires_at);
    return fuota_record_encode (cs_DownlinkCommand_fields, &command, out, size);
}
