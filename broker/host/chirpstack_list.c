//  SPDX-License-Identifier: MIT
//
//  Parts: a page of any list; applications and gateways; devices; profiles;
//  deployments.

#include <pb_decode.h>
#include <stdio.h>
#include "broker/host/chirpstack_list.h"
#include "broker/host/device_kind.h"

#define PAGE 500  //  Items that are small

//  ---------------------------------------------------------------------
//  A page of any list

typedef struct {
    const pb_msgdesc_t *fields;
    void *item;
    void (*take) (void *page);
    uint32_t items;
    void *fn, *arg;
} s_page_t;

static bool
s_drain (pb_istream_t *stream)
{
    return pb_read (stream, NULL, stream->bytes_left);
}

static bool
s_item (pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    s_page_t *page = *arg;
    (void) field;
    page->items++;
    if (!pb_decode (stream, page->fields, page->item))
        return s_drain (stream);
    page->take (page);
    return true;
}

static int
s_read (fuota_slice_t message, s_page_t *page, uint32_t *items, uint32_t *total)
{
    cs_Page list = cs_Page_init_zero;
    pb_istream_t stream = pb_istream_from_buffer (message.data, message.size);
    list.result.funcs.decode = s_item;
    list.result.arg = page;
    if (!pb_decode (&stream, cs_Page_fields, &list))
        return FUOTA_EFORMAT;
    *items = page->items;
    *total = list.total_count;
    return 0;
}

//  ---------------------------------------------------------------------
//  Applications and gateways

int
fuota_chirpstack_got_application (fuota_slice_t message,
    cs_Application *application)
{
    cs_ApplicationBox box;
    if (fuota_record_decode (cs_ApplicationBox_fields, &box, message) ||
        !box.has_application)
        return FUOTA_EFORMAT;
    *application = box.application;
    return 0;
}

size_t
fuota_chirpstack_ask_applications (const char *tenant, uint8_t *out,
    size_t size)
{
    cs_ListApplicationsRequest ask = { .limit = 0 };
    snprintf (ask.tenant_id, sizeof ask.tenant_id, "%s", tenant);
    size = fuota_record_encode (cs_ListApplicationsRequest_fields, &ask, out,
        size);
    return size;
}

size_t
fuota_chirpstack_ask_tenant_gateways (const char *tenant, uint32_t offset,
    uint8_t *out, size_t size)
{
    cs_ListGatewaysRequest ask = { .limit = PAGE, .offset = offset };
    snprintf (ask.tenant_id, sizeof ask.tenant_id, "%s", tenant);
    return fuota_record_encode (cs_ListGatewaysRequest_fields, &ask, out, size);
}

static void
s_take_gateway (void *arg)
{
    s_page_t *page = arg;
    const cs_GatewayItem *item = page->item;
    uint32_t *count = page->arg;
    if (item->state < 3)
        count [item->state]++;
}

int
fuota_chirpstack_got_tenant_gateways (fuota_slice_t message, uint32_t count [3],
    uint32_t *items, uint32_t *total)
{
    cs_GatewayItem item;
    s_page_t page = { .fields = cs_GatewayItem_fields,
        .item = &item,
        .take = s_take_gateway,
        .arg = count };
    return s_read (message, &page, items, total);
}

//  ---------------------------------------------------------------------
//  Devices

size_t
fuota_chirpstack_ask_devices (const fuota_question_t *question, uint32_t offset,
    uint32_t limit, uint8_t *out, size_t size)
{
    enum { BY_DEV_EUI = 1 };
    cs_ListDevicesRequest ask = { .limit = limit,
        .offset = offset,
        .order_by = BY_DEV_EUI };
    snprintf (ask.application_id, sizeof ask.application_id, "%s",
        question->application);
    ask.tags_count = question->select_count;
    for (pb_size_t i = 0; i < question->select_count; i++) {
        memcpy (ask.tags [i].key, question->select [i].key,
            sizeof ask.tags [i].key);
        memcpy (ask.tags [i].value, question->select [i].value,
            sizeof ask.tags [i].value);
    }
    return fuota_record_encode (cs_ListDevicesRequest_fields, &ask, out, size);
}

//  Tags longer than any of ours are not ours.
static bool
s_tag (pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    cs_MapEntry entry;
    (void) field;
    if (!pb_decode (stream, cs_MapEntry_fields, &entry))
        return s_drain (stream);
    fuota_device_kind_tag (*arg, entry.key, entry.value);
    return true;
}

typedef struct {
    cs_DeviceListItem item;
    fuota_kind_t tags;
} s_device_t;

//  Callbacks would be cleared with the item: it is decoded by itself.
static bool
s_device (pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    s_page_t *page = *arg;
    s_device_t *device = page->item;
    fuota_chirpstack_device_fn **take = page->fn;
    (void) field;
    page->items++;
    *device = (s_device_t){ .tags = { .number = 0 } };
    device->item.tags.funcs.decode = s_tag;
    device->item.tags.arg = &device->tags;
    if (!pb_decode_ex (stream, cs_DeviceListItem_fields, &device->item,
            PB_DECODE_NOINIT))
        return s_drain (stream);
    (*take) (page->arg, &device->item, &device->tags);
    return true;
}

int
fuota_chirpstack_got_devices (fuota_slice_t message,
    fuota_chirpstack_device_fn *take, void *arg, uint32_t *items,
    uint32_t *total)
{
    s_device_t device;
    s_page_t page = { .item = &device, .fn = &take, .arg = arg };
    cs_Page list = cs_Page_init_zero;
    pb_istream_t stream = pb_istream_from_buffer (message.data, message.size);
    list.result.funcs.decode = s_device;
    list.result.arg = &page;
    if (!pb_decode (&stream, cs_Page_fields, &list))
        return FUOTA_EFORMAT;
    *items = page.items;
    *total = list.total_count;
    return 0;
}

int
fuota_chirpstack_got_tagged (fuota_slice_t message, char application [41],
    char profile [41], fuota_kind_t *tags)
{
    cs_DeviceBox box = cs_DeviceBox_init_zero;
    pb_istream_t stream = pb_istream_from_buffer (message.data, message.size);
    *tags = (fuota_kind_t){ .number = 0 };
    box.device.tags.funcs.decode = s_tag;
    box.device.tags.arg = tags;
    if (!pb_decode_ex (&stream, cs_DeviceBox_fields, &box, PB_DECODE_NOINIT) ||
        !box.has_device)
        return FUOTA_EFORMAT;
    memcpy (application, box.device.application_id,
        sizeof box.device.application_id);
    memcpy (profile, box.device.device_profile_id,
        sizeof box.device.device_profile_id);
    return 0;
}

//  ---------------------------------------------------------------------
//  Profiles

static void
s_take_profile (void *arg)
{
    s_page_t *page = arg;
    fuota_chirpstack_profile_fn **take = page->fn;
    (*take) (page->arg, page->item);
}

int
fuota_chirpstack_got_profiles (fuota_slice_t message,
    fuota_chirpstack_profile_fn *take, void *arg)
{
    cs_ProfileItem item;
    s_page_t page = { .fields = cs_ProfileItem_fields,
        .item = &item,
        .take = s_take_profile,
        .fn = &take,
        .arg = arg };
    cs_Profiles list = cs_Profiles_init_zero;
    pb_istream_t stream = pb_istream_from_buffer (message.data, message.size);
    list.result.funcs.decode = s_item;
    list.result.arg = &page;
    return pb_decode (&stream, cs_Profiles_fields, &list) ? 0 : FUOTA_EFORMAT;
}

int
fuota_chirpstack_got_kind (fuota_slice_t message, fuota_kind_t *kind)
{
    cs_DeviceProfileBox box = cs_DeviceProfileBox_init_zero;
    pb_istream_t stream = pb_istream_from_buffer (message.data, message.size);
    *kind = (fuota_kind_t){ .number = 0 };
    box.device_profile.tags.funcs.decode = s_tag;
    box.device_profile.tags.arg = kind;
    if (!pb_decode_ex (&stream, cs_DeviceProfileBox_fields, &box,
            PB_DECODE_NOINIT) ||
        !box.has_device_profile)
        return FUOTA_EFORMAT;
    snprintf (kind->profile_name, sizeof kind->profile_name, "%.64s",
        box.device_profile.name);
    const cs_AppLayerParams *own = &box.device_profile.app_layer_params;
    kind->host_ts003 = own->ts003_version;
    kind->host_ts004 = own->ts004_version;
    kind->host_ts005 = own->ts005_version;
    return 0;
}

//  ---------------------------------------------------------------------
//  Deployments

size_t
fuota_chirpstack_ask_deployments (const char *application, uint32_t offset,
    uint8_t *out, size_t size)
{
    cs_ListDeploymentsRequest ask = { .limit = PAGE, .offset = offset };
    snprintf (ask.application_id, sizeof ask.application_id, "%s", application);
    return fuota_record_encode (cs_ListDeploymentsRequest_fields, &ask, out,
        size);
}

static void
s_take_deployment (void *arg)
{
    s_page_t *page = arg;
    fuota_chirpstack_deployment_fn **take = page->fn;
    (*take) (page->arg, page->item);
}

int
fuota_chirpstack_got_deployments (fuota_slice_t message,
    fuota_chirpstack_deployment_fn *take, void *arg, uint32_t *items,
    uint32_t *total)
{
    cs_DeploymentItem item;
    s_page_t page = { .fields = cs_DeploymentItem_fields,
        .item = &item,
        .take = s_take_deployment,
        .fn = &take,
        .arg = arg };
    return s_read (message, &page, items, total);
}

size_t
fuota_chirpstack_ask_members (const char *deployment, uint32_t offset,
    uint32_t limit, uint8_t *out, size_t size)
{
    cs_ListMembersRequest ask = { .limit = limit, .offset = offset };
    snprintf (ask.fuota_deployment_id, sizeof ask.fuota_deployment_id, "%s",
        deployment);
    return fuota_record_encode (cs_ListMembersRequest_fields, &ask, out, size);
}

static void
s_take_member (void *arg)
{
    s_page_t *page = arg;
    fuota_chirpstack_member_fn **take = page->fn;
    (*take) (page->arg, page->item);
}

int
fuota_chirpstack_got_members (fuota_slice_t message,
    fuota_chirpstack_member_fn *take, void *arg, uint32_t *items,
    uint32_t *total)
{
    cs_MemberItem item;
    s_page_t page = { .fields = cs_MemberItem_fields,
        .item = &item,
        .take = s_take_member,
        .fn = &take,
        .arg = arg };
    return s_read (message, &page, items, total);
}
