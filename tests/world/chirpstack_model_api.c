//  SPDX-License-Identifier: MIT
//
//  Calls as the host carries them out: one function a method, and a table.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "broker/host/chirpstack_text.h"
#include "broker/host/grpc_reply.h"
#include "chirpstack.pb.h"
#include "schema/hex.h"
#include "tests/world/chirpstack_model_private.h"

//  Read a request. One that cannot be read is none that should be made.
#define READ(type, name, message)                                              \
    cs_##type name = cs_##type##_init_zero;                                    \
    if (fuota_record_decode (cs_##type##_fields, &name, message))              \
        return s_strange (self, text)

static int
s_strange (model_t *self, char *text)
{
    self->judge.strange++;
    strcpy (text, "strange");
    return FUOTA_GRPC_INVALID_ARGUMENT;
}

//  There is no such thing: said by whose key it is.
static int
s_missing (const model_t *self, char *text, const char *id)
{
    if (self->config.tenant)
        return FUOTA_GRPC_UNAUTHENTICATED;
    snprintf (text, 100, "Object does not exist (id: %.40s)", id);
    return FUOTA_GRPC_NOT_FOUND;
}

//  ---------------------------------------------------------------------
//  Groups

static int
s_group_list (model_t *self, fuota_slice_t message, char *text,
    model_bytes_t *answer)
{
    READ (ListGroupsRequest, ask, message);
    //  Without an application all of the installation are listed
    if (strcmp (ask.application_id, self->config.application) != 0)
        return s_strange (self, text);
    unsigned total = 0;
    for (unsigned i = 0; i < MODEL_GROUPS; i++) {
        const model_group_t *group = &self->groups [i];
        if (!group->used || group->deleted || !strstr (group->name, ask.search))
            continue;
        model_bytes_t item = { .size = 0 };
        model_text (&item, 1, group->id);
        model_text (&item, 4, group->name);
        if (total++ < ask.limit)
            model_part (answer, 2, &item);
    }
    model_uint (answer, 1, total);
    return FUOTA_GRPC_OK;
}

static int
s_group_create (model_t *self, fuota_slice_t message, char *text,
    model_bytes_t *answer)
{
    READ (MulticastGroupBox, box, message);
    const cs_MulticastGroup *want = &box.multicast_group;
    uint8_t addr [4];
    unsigned i = 0;
    for (; i < MODEL_GROUPS && self->groups [i].used; i++)
        self->judge.groups_twice +=
            strcmp (self->groups [i].name, want->name) == 0;
    model_group_t *group = &self->groups [i];
    if (i == MODEL_GROUPS || !*want->name || want->f_cnt ||
        !fuota_unhex (want->mc_addr, addr, 4) ||
        !fuota_unhex (want->mc_app_s_key, group->air.app_s_key, 16) ||
        !fuota_unhex (want->mc_nwk_s_key, group->air.nwk_s_key, 16))
        return s_strange (self, text);
    group->used = true;
    model_uuid (self, group->id);
    strcpy (group->name, want->name);
    group->air.mc_addr = (uint32_t) fuota_be (addr, 4);
    group->air.type = want->group_type != 0;
    group->air.dr = (uint8_t) want->dr;
    group->air.frequency = want->frequency;
    group->air.periodicity = (uint8_t) want->class_b_ping_slot_periodicity;
    model_text (answer, 1, group->id);
    return FUOTA_GRPC_OK;
}

static int
s_group_gateway (model_t *self, fuota_slice_t message, char *text,
    model_bytes_t *answer)
{
    READ (Member, ask, message);
    model_group_t *group = model_group (self, ask.multicast_group_id);
    uint64_t eui;
    (void) answer;
    if (!group)
        return s_missing (self, text, ask.multicast_group_id);
    if (!fuota_chirpstack_uneui (ask.gateway_id, &eui) ||
        eui - 1 >= self->config.gateways)
        return s_strange (self, text);
    for (unsigned i = 0; i < group->gateway_count; i++)
        if (group->gateways [i] == eui - 1) {
            strcpy (text, "duplicate key value violates unique constraint "
                          "\"multicast_group_gateway_pkey\"");
            return FUOTA_GRPC_INTERNAL;
        }
    //  No fragment goes out before all are in
    self->judge.strange += group->f_cnt > 0;
    group->gateways [group->gateway_count++] = (unsigned) eui - 1;
    return FUOTA_GRPC_OK;
}

static int
s_group_get (model_t *self, fuota_slice_t message, char *text,
    model_bytes_t *answer)
{
    READ (Id, ask, message);
    const model_group_t *group = model_group (self, ask.id);
    model_bytes_t part = { .size = 0 };
    char addr [9];
    if (!group)
        return s_missing (self, text, ask.id);
    snprintf (addr, sizeof addr, "%08x", (unsigned) group->air.mc_addr);
    model_text (&part, 1, group->id);
    model_text (&part, 2, group->name);
    model_text (&part, 5, addr);
    model_uint (&part, 8, group->f_cnt);
    model_part (answer, 1, &part);
    return FUOTA_GRPC_OK;
}

static int
s_group_delete (model_t *self, fuota_slice_t message, char *text,
    model_bytes_t *answer)
{
    READ (Id, ask, message);
    model_group_t *group = model_group (self, ask.id);
    (void) answer;
    if (!group)
        return s_missing (self, text, ask.id);
    model_flush (self, group);
    group->deleted = true;
    return FUOTA_GRPC_OK;
}

static int
s_group_flush (model_t *self, fuota_slice_t message, char *text,
    model_bytes_t *answer)
{
    READ (Id, ask, message);
    model_group_t *group = model_group (self, ask.id);
    (void) answer;
    if (!group)
        return s_missing (self, text, ask.id);
    model_flush (self, group);
    return FUOTA_GRPC_OK;
}

static int
s_group_enqueue (model_t *self, fuota_slice_t message, char *text,
    model_bytes_t *answer)
{
    READ (GroupItemBox, box, message);
    const cs_GroupItem *item = &box.queue_item;
    model_group_t *group = model_group (self, item->multicast_group_id);
    if (!group)
        return s_missing (self, text, item->multicast_group_id);
    //  What has no end, or came too late to be sent, should not come
    if (!item->f_port || item->f_port > 255 || !item->has_expires_at ||
        !group->gateway_count)
        return s_strange (self, text);
    int64_t expires_at = item->expires_at.seconds * 1000 +
                         item->expires_at.nanos / 1000000;
    model_uint (answer, 1,
        model_enqueue (self, group, (uint8_t) item->f_port,
            fuota_slice (item->data.bytes, item->data.size), expires_at));
    return FUOTA_GRPC_OK;
}

static int
s_group_queue (model_t *self, fuota_slice_t message, char *text,
    model_bytes_t *answer)
{
    READ (Id, ask, message);
    const model_group_t *group = model_group (self, ask.id);
    if (!group)
        return s_missing (self, text, ask.id);
    for (uint32_t i = 0; i < group->f_cnt; i++) {
        model_bytes_t item = { .size = 0 };
        if (!group->fragments [i].rows)
            continue;
        model_text (&item, 1, group->id);
        model_uint (&item, 2, i);
        if (answer->size < sizeof answer->data / 2)
            model_part (answer, 1, &item);
    }
    return FUOTA_GRPC_OK;
}

static int
s_gateway_list (model_t *self, fuota_slice_t message, char *text,
    model_bytes_t *answer)
{
    READ (ListGatewaysRequest, ask, message);
    const model_group_t *group = model_group (self, ask.multicast_group_id);
    if (!*ask.multicast_group_id && strcmp (ask.tenant_id, MODEL_TENANT) != 0)
        return s_strange (self, text);
    if (*ask.multicast_group_id) {
        if (!group)
            return s_missing (self, text, ask.multicast_group_id);
        model_uint (answer, 1, group->gateway_count);
        return FUOTA_GRPC_OK;
    }
    model_uint (answer, 1, self->config.gateways);
    for (unsigned i = ask.offset; i < self->config.gateways; i++) {
        model_bytes_t item = { .size = 0 };
        char eui [17];
        fuota_chirpstack_eui (i + 1, eui);
        model_text (&item, 2, eui);
        model_text (&item, 3, "roof");
        model_uint (&item, 10, self->away_since [i] ? 2 : 1);
        model_part (answer, 2, &item);
    }
    return FUOTA_GRPC_OK;
}

//  ---------------------------------------------------------------------
//  Devices

//  Is that in it? Keys and values are short.
static bool
s_has (const uint8_t *data, size_t size, const char *text)
{
    size_t length = strlen (text);
    for (size_t at = 0; at + length <= size; at++)
        if (memcmp (data + at, text, length) == 0)
            return true;
    return false;
}

bool
model_tagged (model_t *self, uint64_t dev_eui, const char *key)
{
    const model_device_t *device = model_device (self, dev_eui);
    return s_has (device->stored, device->stored_size, key);
}

//  With a tag of somebody else, and a field that is newer than we are.
static void
s_store (model_t *self, model_device_t *device, const char *eui)
{
    model_bytes_t part = { .size = 0 }, tag = { .size = 0 };
    if (device->stored_size)
        return;
    model_text (&part, 1, eui);
    model_text (&part, 2, "sensor");
    model_text (&part, 4, self->config.application);
    model_text (&part, 5, MODEL_PROFILE);
    model_text (&tag, 1, "site");
    model_text (&tag, 2, "roof");
    model_part (&part, 9, &tag);
    model_text (&part, 77, "newer");
    memcpy (device->stored, part.data, part.size);
    device->stored_size = part.size;
}

//  It replaces the device as a whole: nothing may be lost, nor be there twice.
static int
s_device_update (model_t *self, fuota_slice_t message, char *text,
    model_bytes_t *answer)
{
    static const char *const kept [] = { "sensor", "site", "roof", "newer",
        MODEL_PROFILE };
    READ (DeviceBox, box, message);
    const uint8_t *part = message.data;
    uint64_t eui;
    char id [17] = "";
    (void) answer;
    (void) box;
    //  A field of less than 128 bytes, or of less than 16384
    size_t size = message.size, head = size > 2 && part [1] & 0x80 ? 3 : 2;
    if (size < head + 18 || part [0] != 0x0a)
        return s_strange (self, text);
    memcpy (id, part + head + 2, 16);
    if (!fuota_chirpstack_uneui (id, &eui) || !model_device (self, eui))
        return s_strange (self, text);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (!s_has (part, size, kept [i]))
            return s_strange (self, text);
    model_device_t *device = model_device (self, eui);
    if (size - head > sizeof device->stored / 2)
        return s_strange (self, text);
    memcpy (device->stored, part + head, size - head);
    device->stored_size = size - head;
    return FUOTA_GRPC_OK;
}

static int
s_device_get (model_t *self, fuota_slice_t message, char *text,
    model_bytes_t *answer)
{
    READ (Id, ask, message);
    uint64_t eui;
    if (!fuota_chirpstack_uneui (ask.id, &eui))
        return s_strange (self, text);
    if (!model_device (self, eui))
        return s_missing (self, text, ask.id);
    model_device_t *device = model_device (self, eui);
    s_store (self, device, ask.id);
    model_data (answer, 1, device->stored, device->stored_size);
    return FUOTA_GRPC_OK;
}

static int
s_device_keys (model_t *self, fuota_slice_t message, char *text,
    model_bytes_t *answer)
{
    READ (Id, ask, message);
    model_bytes_t part = { .size = 0 };
    fuota_outcome_t outcome;
    fuota_downlink_t want = { .kind = FUOTA_KEYS };
    char key [33];
    if (!fuota_chirpstack_uneui (ask.id, &want.dev_eui))
        return s_strange (self, text);
    if (!model_device (self, want.dev_eui))
        return s_missing (self, text, ask.id);
    while (fuota_sim_outcome (self->sim, &outcome))
        continue;
    fuota_sim_take (self->sim, &want, self->now);
    assert_true (fuota_sim_outcome (self->sim, &outcome));
    fuota_hex (outcome.root_key.bytes, 16, key);
    model_text (&part, 1, ask.id);
    model_text (&part, 4, key);
    model_part (answer, 1, &part);
    return FUOTA_GRPC_OK;
}

static int
s_device_enqueue (model_t *self, fuota_slice_t message, char *text,
    model_bytes_t *answer)
{
    READ (DeviceItemBox, box, message);
    const cs_DeviceItem *item = &box.queue_item;
    model_command_t command = { .f_port = (uint8_t) item->f_port,
        .size = item->data.size,
        .expires_at = item->expires_at.seconds * 1000 +
                      item->expires_at.nanos / 1000000 };
    uint64_t eui;
    if (!fuota_chirpstack_uneui (item->dev_eui, &eui) || !item->f_port ||
        item->f_port > 255 || !item->has_expires_at ||
        item->data.size > sizeof command.data)
        return s_strange (self, text);
    if (!model_device (self, eui))
        return s_missing (self, text, item->dev_eui);
    memcpy (command.data, item->data.bytes, item->data.size);
    model_uuid (self, command.item);
    model_queue (self, model_device (self, eui), &command);
    model_text (answer, 1, command.item);
    return FUOTA_GRPC_OK;
}

static int
s_device_queue (model_t *self, fuota_slice_t message, char *text,
    model_bytes_t *answer)
{
    READ (Id, ask, message);
    uint64_t eui;
    if (!fuota_chirpstack_uneui (ask.id, &eui))
        return s_strange (self, text);
    const model_device_t *device = model_device (self, eui);
    if (!device)
        return s_missing (self, text, ask.id);
    model_uint (answer, 1, device->count);
    //  A device that is never heard keeps all; the last are enough
    unsigned first = device->count > 8 ? device->count - 8 : 0;
    for (unsigned i = first; i < device->count; i++) {
        model_bytes_t item = { .size = 0 };
        model_text (&item, 1, device->queue [i].item);
        model_text (&item, 2, ask.id);
        model_uint (&item, 4, device->queue [i].f_port);
        model_data (&item, 5, device->queue [i].data, device->queue [i].size);
        model_bytes_t end = { .size = 0 };
        uint64_t at = (uint64_t) device->queue [i].expires_at;
        model_uint (&end, 1, at / 1000);
        model_uint (&end, 2, at % 1000 * 1000000);
        model_part (&item, 10, &end);
        model_part (answer, 2, &item);
    }
    return FUOTA_GRPC_OK;
}

static int
s_profile_get (model_t *self, fuota_slice_t message, char *text,
    model_bytes_t *answer)
{
    READ (Id, ask, message);
    model_bytes_t part = { .size = 0 };
    if (strcmp (ask.id, MODEL_PROFILE) != 0)
        return s_missing (self, text, ask.id);
    model_text (&part, 3, "sensors");
    model_uint (&part, 5, 3);  //  LoRaWAN 1.0.3
    model_part (answer, 1, &part);
    return FUOTA_GRPC_OK;
}

static int
s_application_get (model_t *self, fuota_slice_t message, char *text,
    model_bytes_t *answer)
{
    READ (Id, ask, message);
    model_bytes_t part = { .size = 0 };
    if (strcmp (ask.id, self->config.application) != 0)
        return s_missing (self, text, ask.id);
    model_text (&part, 2, "field");
    model_text (&part, 4, MODEL_TENANT);
    model_part (answer, 1, &part);
    return FUOTA_GRPC_OK;
}

//  ---------------------------------------------------------------------
//  The table

int
model_api (model_t *self, const char *path, fuota_slice_t message,
    char text [100], model_bytes_t *answer)
{
    static const struct {
        const char *path;
        int (*method) (model_t *self, fuota_slice_t message, char *text,
            model_bytes_t *answer);
    } methods [] = {
        { "MulticastGroupService/List", s_group_list },
        { "MulticastGroupService/Create", s_group_create },
        { "MulticastGroupService/AddGateway", s_group_gateway },
        { "MulticastGroupService/Get", s_group_get },
        { "MulticastGroupService/Delete", s_group_delete },
        { "MulticastGroupService/FlushQueue", s_group_flush },
        { "MulticastGroupService/Enqueue", s_group_enqueue },
        { "MulticastGroupService/ListQueue", s_group_queue },
        { "GatewayService/List", s_gateway_list },
        { "DeviceService/Get", s_device_get },
        { "DeviceService/Update", s_device_update },
        { "DeviceService/GetKeys", s_device_keys },
        { "DeviceService/Enqueue", s_device_enqueue },
        { "DeviceService/GetQueue", s_device_queue },
        { "DeviceProfileService/Get", s_profile_get },
        { "ApplicationService/Get", s_application_get },
    };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strncmp (path, "/api.", 5) == 0 &&
            strcmp (path + 5, methods [i].path) == 0)
            return methods [i].method (self, message, text, answer);
    return s_strange (self, text);
}
