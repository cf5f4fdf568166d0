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

int
model_strange (model_t *self, char *text)
{
    self->judge.strange++;
    strcpy (text, "strange");
    return FUOTA_GRPC_INVALID_ARGUMENT;
}

//  There is no such thing: said by whose key it is.
int
model_missing (const model_t *self, char *text, const char *id)
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
    MODEL_READ (ListGroupsRequest, ask, message);
    //  Without an application all of the installation are listed
    if (strcmp (ask.application_id, self->config.application) != 0)
        return model_strange (self, text);
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
    MODEL_READ (MulticastGroupBox, box, message);
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
        return model_strange (self, text);
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
    MODEL_READ (Member, ask, message);
    model_group_t *group = model_group (self, ask.multicast_group_id);
    uint64_t eui;
    (void) answer;
    if (!group)
        return model_missing (self, text, ask.multicast_group_id);
    if (!fuota_chirpstack_uneui (ask.gateway_id, &eui) ||
        eui - 1 >= self->config.gateways)
        return model_strange (self, text);
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
    MODEL_READ (Id, ask, message);
    const model_group_t *group = model_group (self, ask.id);
    model_bytes_t part = { .size = 0 };
    char addr [9];
    if (!group)
        return model_missing (self, text, ask.id);
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
    MODEL_READ (Id, ask, message);
    model_group_t *group = model_group (self, ask.id);
    (void) answer;
    if (!group)
        return model_missing (self, text, ask.id);
    model_flush (self, group);
    group->deleted = true;
    return FUOTA_GRPC_OK;
}

static int
s_group_flush (model_t *self, fuota_slice_t message, char *text,
    model_bytes_t *answer)
{
    MODEL_READ (Id, ask, message);
    model_group_t *group = model_group (self, ask.id);
    (void) answer;
    if (!group)
        return model_missing (self, text, ask.id);
    model_flush (self, group);
    return FUOTA_GRPC_OK;
}

static int
s_group_enqueue (model_t *self, fuota_slice_t message, char *text,
    model_bytes_t *answer)
{
    MODEL_READ (GroupItemBox, box, message);
    const cs_GroupItem *item = &box.queue_item;
    model_group_t *group = model_group (self, item->multicast_group_id);
    if (!group)
        return model_missing (self, text, item->multicast_group_id);
    //  What has no end, or came too late to be sent, should not come
    if (!item->f_port || item->f_port > 255 || !item->has_expires_at ||
        !group->gateway_count)
        return model_strange (self, text);
    int64_t expires_at =
        item->expires_at.seconds * 1000 + item->expires_at.nanos / 1000000;
    model_uint (answer, 1,
        model_enqueue (self, group, (uint8_t) item->f_port,
            fuota_slice (item->data.bytes, item->data.size), expires_at));
    return FUOTA_GRPC_OK;
}

static int
s_group_queue (model_t *self, fuota_slice_t message, char *text,
    model_bytes_t *answer)
{
    MODEL_READ (Id, ask, message);
    const model_group_t *group = model_group (self, ask.id);
    if (!group)
        return model_missing (self, text, ask.id);
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
    MODEL_READ (ListGatewaysRequest, ask, message);
    const model_group_t *group = model_group (self, ask.multicast_group_id);
    if (!*ask.multicast_group_id && strcmp (ask.tenant_id, MODEL_TENANT) != 0)
        return model_strange (self, text);
    if (*ask.multicast_group_id) {
        if (!group)
            return model_missing (self, text, ask.multicast_group_id);
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
//  What else there is

static int
s_profile_get (model_t *self, fuota_slice_t message, char *text,
    model_bytes_t *answer)
{
    MODEL_READ (Id, ask, message);
    model_bytes_t part = { .size = 0 };
    if (strcmp (ask.id, MODEL_PROFILE) != 0)
        return model_missing (self, text, ask.id);
    model_text (&part, 3, "sensors");
    model_uint (&part, 5, 3);  //  LoRaWAN 1.0.3
    model_part (answer, 1, &part);
    return FUOTA_GRPC_OK;
}

static int
s_application_get (model_t *self, fuota_slice_t message, char *text,
    model_bytes_t *answer)
{
    MODEL_READ (Id, ask, message);
    model_bytes_t part = { .size = 0 };
    if (strcmp (ask.id, self->config.application) != 0)
        return model_missing (self, text, ask.id);
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
        model_method_t *method;
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
        { "DeviceService/Get", model_device_get },
        { "DeviceService/Update", model_device_update },
        { "DeviceService/GetKeys", model_device_keys },
        { "DeviceService/Enqueue", model_device_enqueue },
        { "DeviceService/GetQueue", model_device_queue },
        { "DeviceProfileService/Get", s_profile_get },
        { "ApplicationService/Get", s_application_get },
    };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strncmp (path, "/api.", 5) == 0 &&
            strcmp (path + 5, methods [i].path) == 0)
            return methods [i].method (self, message, text, answer);
    return model_strange (self, text);
}
