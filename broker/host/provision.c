//  SPDX-License-Identifier: MIT
//
//  Parts: calls; lists; what holds the devices; gateways and devices; removal.

#include "broker/host/provision.h"

#include <pb_decode.h>
#include <stdio.h>
#include "broker/host/chirpstack_text.h"
#include "provision.pb.h"
#include "workers/package/mckey.h"

#define PAGE 100
#define TEXT 101

typedef struct {
    char id [41];
    char name [TEXT];
    char description [TEXT];
} s_row_t;

typedef struct {
    const fuota_provision_t *with;
    char mark [TEXT];
    char tenant [41], application [41];
    char profile [2][2][41];  //  1.0.x or 1.1; by OTAA or ABP
    fuota_provision_answer_t answer;
    const pb_msgdesc_t *row_fields;  //  Of the list that is being read
    s_row_t row [PAGE];
    unsigned rows;
    unsigned skipped;  //  That could not be read: not ours
    uint32_t total;
    unsigned made, found, removed;
} s_work_t;

//  ---------------------------------------------------------------------
//  Calls

static void
s_said (const s_work_t *work, const char *what, const char *name,
    const char *more)
{
    char line [512];
    snprintf (line, sizeof line, "%s %s %s", what, name, more);
    work->with->said (work->with->arg, line);
}

//  The host's own words.
static int
s_refused (const s_work_t *work, const char *what, const char *name)
{
    char more [320];
    bool token = work->answer.kind == FUOTA_ANSWER_TOKEN ||
                 work->answer.kind == FUOTA_ANSWER_UNSURE;
    snprintf (more, sizeof more, "refused: %s",
        *work->answer.text ? work->answer.text
        : token            ? "the token gives no access"
                           : "no answer");
    s_said (work, what, name, more);
    return FUOTA_EVALUE;
}

static fuota_chirpstack_answer_t
s_call (s_work_t *work, const char *path, const pb_msgdesc_t *fields,
    const void *request)
{
    uint8_t bytes [1024];
    size_t size = fuota_record_encode (fields, request, bytes, sizeof bytes);
    work->answer.message = fuota_slice (NULL, 0);
    work->with->call (work->with->arg, path, fuota_slice (bytes, size),
        &work->answer);
    fuota_mckey_wipe (bytes, sizeof bytes);
    return work->answer.kind;
}

//  A tenant's token is told "no access" of what does not exist.
static bool
s_absent (fuota_chirpstack_answer_t kind)
{
    return kind == FUOTA_ANSWER_GONE || kind == FUOTA_ANSWER_UNSURE;
}

static fuota_chirpstack_answer_t
s_ask (s_work_t *work, const char *path, const char *id)
{
    pv_Id request = pv_Id_init_zero;
    snprintf (request.id, sizeof request.id, "%s", id);
    return s_call (work, path, pv_Id_fields, &request);
}

//  ---------------------------------------------------------------------
//  Lists

//  A row whose texts are longer than ours can be is none of ours.
static bool
s_row (pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    s_work_t *work = *arg;
    union {
        pv_Row plain;
        pv_ApplicationRow application;
        pv_GatewayRow gateway;
        pv_DeviceRow device;
    } row;
    (void) field;
    if (!pb_decode (stream, work->row_fields, &row) || work->rows == PAGE) {
        work->skipped++;
        return pb_read (stream, NULL, stream->bytes_left);
    }
    //  All four begin with id and name; three have a description after them
    s_row_t *out = &work->row [work->rows++];
    *out = (s_row_t){ "", "", "" };
    memcpy (out->id, row.plain.id, sizeof row.plain.id);
    memcpy (out->name, row.plain.name, sizeof row.plain.name);
    if (work->row_fields != pv_Row_fields)
        memcpy (out->description, row.application.description,
            sizeof row.application.description);
    return true;
}

static int
s_rows (s_work_t *work, const pb_msgdesc_t *row_fields)
{
    pv_Listed listed = pv_Listed_init_zero;
    pb_istream_t stream = pb_istream_from_buffer (work->answer.message.data,
        work->answer.message.size);
    listed.result.funcs.decode = s_row;
    listed.result.arg = work;
    work->row_fields = row_fields;
    work->rows = work->skipped = 0;
    if (!pb_decode (&stream, pv_Listed_fields, &listed))
        return FUOTA_EFORMAT;
    work->total = listed.total_count;
    return 0;
}

//  One page; limit 0 asks for the count alone.
static int
s_list (s_work_t *work, const char *path, const pb_msgdesc_t *row_fields,
    const char *search, uint32_t limit, uint32_t offset)
{
    pv_List request = { .limit = limit, .offset = offset };
    snprintf (request.search, sizeof request.search, "%s", search);
    snprintf (request.tenant_id, sizeof request.tenant_id, "%s", work->tenant);
    if (s_call (work, path, pv_List_fields, &request) != FUOTA_ANSWER_GOOD)
        return s_refused (work, "list", path);
    return s_rows (work, row_fields);
}

//  By its whole name. Returns 0, FUOTA_ENOTFOUND, or what went wrong, said.
static int
s_find (s_work_t *work, const char *path, const pb_msgdesc_t *row_fields,
    const char *name, char id [41])
{
    uint32_t offset = 0;
    do {
        int rc = s_list (work, path, row_fields, name, PAGE, offset);
        if (rc)
            return rc;
        for (unsigned i = 0; i < work->rows; i++)
            if (strcmp (work->row [i].name, name) == 0) {
                memcpy (id, work->row [i].id, 41);
                return 0;
            }
        offset += PAGE;
    } while (offset < work->total);
    return FUOTA_ENOTFOUND;
}

//  ---------------------------------------------------------------------
//  What holds the devices

//  What was made has an id; that is all there is in the answer.
static int
s_created (s_work_t *work, const char *what, const char *name, char id [41])
{
    pv_Id got;
    if (work->answer.kind != FUOTA_ANSWER_GOOD)
        return s_refused (work, what, name);
    if (fuota_record_decode (pv_Id_fields, &got, work->answer.message) ||
        !*got.id)
        return FUOTA_EFORMAT;
    memcpy (id, got.id, sizeof got.id);
    s_said (work, what, name, "created");
    return 0;
}

static int
s_tenant (s_work_t *work)
{
    const char *name = work->with->name;
    if (*work->with->tenant_id) {
        snprintf (work->tenant, sizeof work->tenant, "%s",
            work->with->tenant_id);
        return 0;
    }
    int rc =
        s_find (work, "TenantService/List", pv_Row_fields, name, work->tenant);
    if (rc != FUOTA_ENOTFOUND)
        return rc;
    pv_TenantBox box = { .has_tenant = true,
        .tenant = { .can_have_gateways = true } };
    snprintf (box.tenant.name, sizeof box.tenant.name, "%s", name);
    snprintf (box.tenant.description, sizeof box.tenant.description, "%s",
        work->mark);
    s_call (work, "TenantService/Create", pv_TenantBox_fields, &box);
    return s_created (work, "tenant", name, work->tenant);
}

static int
s_application (s_work_t *work)
{
    const char *name = work->with->name;
    int rc = s_find (work, "ApplicationService/List", pv_ApplicationRow_fields,
        name, work->application);
    if (rc != FUOTA_ENOTFOUND)
        return rc;
    pv_ApplicationBox box = { .has_application = true };
    snprintf (box.application.name, sizeof box.application.name, "%s", name);
    snprintf (box.application.description, sizeof box.application.description,
        "%s", work->mark);
    snprintf (box.application.tenant_id, sizeof box.application.tenant_id, "%s",
        work->tenant);
    s_call (work, "ApplicationService/Create", pv_ApplicationBox_fields, &box);
    return s_created (work, "application", name, work->application);
}

static void
s_profile_name (const s_work_t *work, bool v11, bool abp, char name [TEXT])
{
    snprintf (name, TEXT, "%s %s %s", work->with->name, v11 ? "1.1.0" : "1.0.3",
        abp ? "ABP" : "OTAA");
}

//  No application layer of the host's own, and neither class B nor C: devices
//  are of class A outside of sessions (chirpstack-host.md 1.8, 3.3).
static int
s_profile (s_work_t *work, bool v11, bool abp)
{
    char name [TEXT];
    char *id = work->profile [v11][abp];
    const fuota_lora_plan_t *plan = fuota_lora_plan_find (work->with->region);
    s_profile_name (work, v11, abp, name);
    int rc = *id ? 0
                 : s_find (work, "DeviceProfileService/List", pv_Row_fields,
                       name, id);
    if (rc != FUOTA_ENOTFOUND)
        return rc;
    uint8_t rx2_dr;
    uint32_t rx2 = fuota_region_rx2 (fuota_lora_plan_region (plan), &rx2_dr);
    pv_ProfileBox box = { .has_device_profile = true,
        .device_profile = { .region = fuota_lora_plan_number (plan),
            .mac_version = v11 ? 5 : 3,
            .reg_params_revision = v11 ? 1 : 0,
            .adr_algorithm_id = "default",
            .flush_queue_on_activate = true,
            .uplink_interval = 3600,
            .supports_otaa = !abp,
            .abp_rx1_delay = work->with->abp_rx1_delay,
            .abp_rx2_dr = rx2_dr,
            .abp_rx2_freq = rx2 } };
    pv_Profile *profile = &box.device_profile;
    snprintf (profile->name, sizeof profile->name, "%s", name);
    snprintf (profile->description, sizeof profile->description, "%s",
        work->mark);
    snprintf (profile->tenant_id, sizeof profile->tenant_id, "%s",
        work->tenant);
    s_call (work, "DeviceProfileService/Create", pv_ProfileBox_fields, &box);
    return s_created (work, "profile", name, id);
}

//  ---------------------------------------------------------------------
//  Gateways and devices

//  Returns 0 if it is there and ours, FUOTA_ENOTFOUND, or a code, said.
static int
s_there (s_work_t *work, const char *what, const char *id, bool ours)
{
    if (s_absent (work->answer.kind))
        return FUOTA_ENOTFOUND;
    if (work->answer.kind != FUOTA_ANSWER_GOOD)
        return s_refused (work, what, id);
    if (ours)
        return 0;
    s_said (work, what, id, "is there already and not ours: left alone");
    return FUOTA_EVALUE;
}

static int
s_gateway (s_work_t *work, uint32_t i)
{
    pv_GatewayBox box;
    char id [17];
    fuota_chirpstack_eui (fuota_lora_gateway_eui (work->with->air, i), id);
    s_ask (work, "GatewayService/Get", id);
    bool ours = !fuota_record_decode (pv_GatewayBox_fields, &box,
                    work->answer.message) &&
                strcmp (box.gateway.description, work->mark) == 0 &&
                strcmp (box.gateway.tenant_id, work->tenant) == 0;
    int rc = s_there (work, "gateway", id, ours);
    work->found += rc == 0;
    if (rc != FUOTA_ENOTFOUND)
        return rc;
    box = (pv_GatewayBox){ .has_gateway = true,
        .gateway = { .has_location = true, .stats_interval = 30 } };
    pv_Gateway *gateway = &box.gateway;
    memcpy (gateway->gateway_id, id, sizeof id);
    snprintf (gateway->name, sizeof gateway->name, "%s %u", work->with->name,
        (unsigned) i + 1);
    snprintf (gateway->description, sizeof gateway->description, "%s",
        work->mark);
    snprintf (gateway->tenant_id, sizeof gateway->tenant_id, "%s",
        work->tenant);
    if (s_call (work, "GatewayService/Create", pv_GatewayBox_fields, &box) !=
        FUOTA_ANSWER_GOOD)
        return s_refused (work, "gateway", id);
    work->made++;
    return 0;
}

//  The host may know other keys of it, of another seed.
static int
s_keys (s_work_t *work, const fuota_lora_device_t *device, const char *id)
{
    pv_KeysBox box = { .has_device_keys = true };
    pv_Keys *keys = &box.device_keys;
    memcpy (keys->dev_eui, id, 17);
    fuota_chirpstack_hex (device->root.nwk_key, 16, keys->nwk_key);
    fuota_chirpstack_hex (device->root.app_key, 16,
        device->root.v11 ? keys->app_key : keys->gen_app_key);
    s_call (work, "DeviceService/CreateKeys", pv_KeysBox_fields, &box);
    if (work->answer.kind == FUOTA_ANSWER_ALREADY)
        s_call (work, "DeviceService/UpdateKeys", pv_KeysBox_fields, &box);
    fuota_mckey_wipe (&box, sizeof box);
    if (work->answer.kind != FUOTA_ANSWER_GOOD)
        return s_refused (work, "keys of device", id);
    return 0;
}

static int
s_activate (s_work_t *work, const fuota_lora_device_t *device, const char *id)
{
    pv_ActivationBox box = { .has_device_activation = true };
    pv_Activation *activation = &box.device_activation;
    memcpy (activation->dev_eui, id, 17);
    snprintf (activation->dev_addr, sizeof activation->dev_addr, "%08x",
        (unsigned) device->dev_addr);
    fuota_chirpstack_hex (device->keys.app_s, 16, activation->app_s_key);
    fuota_chirpstack_hex (device->keys.nwk_s_enc, 16,
        activation->nwk_s_enc_key);
    fuota_chirpstack_hex (device->keys.s_nwk_s_int, 16,
        activation->s_nwk_s_int_key);
    fuota_chirpstack_hex (device->keys.f_nwk_s_int, 16,
        activation->f_nwk_s_int_key);
    s_call (work, "DeviceService/Activate", pv_ActivationBox_fields, &box);
    fuota_mckey_wipe (&box, sizeof box);
    if (work->answer.kind != FUOTA_ANSWER_GOOD)
        return s_refused (work, "session of device", id);
    return 0;
}

static int
s_new_device (s_work_t *work, const fuota_lora_device_t *device, const char *id)
{
    pv_DeviceBox box = { .has_device = true,
        .device = { .skip_fcnt_check = device->abp } };
    pv_Device *out = &box.device;
    memcpy (out->dev_eui, id, 17);
    snprintf (out->name, sizeof out->name, "%s %s", work->with->name, id);
    snprintf (out->description, sizeof out->description, "%s", work->mark);
    memcpy (out->application_id, work->application, sizeof work->application);
    memcpy (out->device_profile_id,
        work->profile [device->root.v11][device->abp],
        sizeof out->device_profile_id);
    fuota_chirpstack_eui (device->root.join_eui, out->join_eui);
    if (s_call (work, "DeviceService/Create", pv_DeviceBox_fields, &box) !=
        FUOTA_ANSWER_GOOD)
        return s_refused (work, "device", id);
    work->made++;
    return 0;
}

static int
s_device (s_work_t *work, uint32_t i)
{
    const fuota_lora_device_t *device = fuota_lora_device (work->with->air, i);
    pv_DeviceBox box;
    char id [17];
    int rc = s_profile (work, device->root.v11, device->abp);
    if (rc)
        return rc;
    fuota_chirpstack_eui (device->root.dev_eui, id);
    s_ask (work, "DeviceService/Get", id);
    bool ours = !fuota_record_decode (pv_DeviceBox_fields, &box,
                    work->answer.message) &&
                strcmp (box.device.application_id, work->application) == 0 &&
                strcmp (box.device.description, work->mark) == 0;
    rc = s_there (work, "device", id, ours);
    work->found += rc == 0;
    if (rc == FUOTA_ENOTFOUND)
        rc = s_new_device (work, device, id);
    //  One of 1.0.x that has a session needs its GenAppKey, too
    if (!rc)
        rc = s_keys (work, device, id);
    if (!rc && device->abp)
        rc = s_activate (work, device, id);
    return rc;
}

static void
s_count (s_work_t *work, const char *what)
{
    char text [64];
    snprintf (text, sizeof text, "%u created, %u found", work->made,
        work->found);
    s_said (work, what, text, "");
    work->made = work->found = 0;
}

static void
s_begin (s_work_t *work, const fuota_provision_t *with)
{
    memset (work, 0, sizeof *work);
    work->with = with;
    snprintf (work->mark, sizeof work->mark, "made by fuota-sim: %s",
        with->name);
}

int
fuota_provision_create (const fuota_provision_t *self)
{
    s_work_t work;
    s_begin (&work, self);
    int rc = s_tenant (&work);
    if (!rc)
        rc = s_application (&work);
    for (uint32_t i = 0; !rc && i < fuota_lora_gateways (self->air); i++)
        rc = s_gateway (&work, i);
    if (!rc)
        s_count (&work, "gateways");
    for (uint32_t i = 0; !rc && i < fuota_lora_count (self->air); i++)
        rc = s_device (&work, i);
    if (rc)
        return rc;
    s_count (&work, "devices");
    s_said (&work, "application", work.application, "");
    return 0;
}

//  ---------------------------------------------------------------------
//  Removal

//  Delete what is marked of the rows there are; the others are passed by.
static int
s_delete_marked (s_work_t *work, const char *path, uint32_t *offset)
{
    static const char what [] = "delete";
    for (unsigned i = 0; i < work->rows; i++) {
        const s_row_t *row = &work->row [i];
        if (strcmp (row->description, work->mark) != 0) {
            (*offset)++;
            continue;
        }
        s_ask (work, path, row->id);
        if (work->answer.kind != FUOTA_ANSWER_GOOD &&
            work->answer.kind != FUOTA_ANSWER_GONE)
            return s_refused (work, what, row->id);
        work->removed++;
    }
    *offset += work->skipped;
    return 0;
}

static void
s_removed (s_work_t *work, const char *what)
{
    char text [32];
    snprintf (text, sizeof text, "%u removed", work->removed);
    s_said (work, what, text, "");
    work->removed = 0;
}

static int
s_list_devices (s_work_t *work, const char *application, const char *profile,
    uint32_t limit, uint32_t offset)
{
    pv_ListDevices request = { .limit = limit, .offset = offset };
    snprintf (request.application_id, sizeof request.application_id, "%s",
        application);
    snprintf (request.device_profile_id, sizeof request.device_profile_id, "%s",
        profile);
    if (s_call (work, "DeviceService/List", pv_ListDevices_fields, &request) !=
        FUOTA_ANSWER_GOOD)
        return s_refused (work, "list", "devices");
    return s_rows (work, pv_DeviceRow_fields);
}

static int
s_remove_devices (s_work_t *work)
{
    uint32_t offset = 0;
    int rc = s_list_devices (work, work->application, "", PAGE, offset);
    while (!rc && work->rows + work->skipped > 0) {
        rc = s_delete_marked (work, "DeviceService/Delete", &offset);
        if (!rc)
            rc = s_list_devices (work, work->application, "", PAGE, offset);
    }
    s_removed (work, "devices");
    return rc;
}

static int
s_remove_gateways (s_work_t *work)
{
    uint32_t offset = 0;
    int rc = s_list (work, "GatewayService/List", pv_GatewayRow_fields, "",
        PAGE, offset);
    while (!rc && work->rows + work->skipped > 0) {
        rc = s_delete_marked (work, "GatewayService/Delete", &offset);
        if (!rc)
            rc = s_list (work, "GatewayService/List", pv_GatewayRow_fields, "",
                PAGE, offset);
    }
    s_removed (work, "gateways");
    return rc;
}

//  One of the three that hold others. Kept if it has no mark or something in
//  it; both are said.
static int
s_remove (s_work_t *work, const char *what, const char *path, const char *id,
    const char *description, bool empty)
{
    if (strcmp (description, work->mark) != 0 || !empty) {
        s_said (work, what, id,
            empty ? "kept: it is not ours"
                  : "kept: others have put things "
                    "into it");
        return 0;
    }
    s_ask (work, path, id);
    if (work->answer.kind != FUOTA_ANSWER_GOOD &&
        work->answer.kind != FUOTA_ANSWER_GONE)
        return s_refused (work, what, id);
    s_said (work, what, id, "removed");
    return 0;
}

static int
s_remove_application (s_work_t *work)
{
    pv_ApplicationBox box;
    int rc = s_list_devices (work, work->application, "", 0, 0);
    if (rc)
        return rc;
    bool empty = work->total == 0;
    s_ask (work, "ApplicationService/Get", work->application);
    if (fuota_record_decode (pv_ApplicationBox_fields, &box,
            work->answer.message))
        box.application.description [0] = 0;
    return s_remove (work, "application", "ApplicationService/Delete",
        work->application, box.application.description, empty);
}

//  Devices of any application of the tenant go with their profile.
static int
s_profile_used (s_work_t *work, const char *profile, bool *used)
{
    uint32_t offset = 0, total;
    do {
        int rc = s_list (work, "ApplicationService/List",
            pv_ApplicationRow_fields, "", PAGE, offset);
        if (rc)
            return rc;
        total = work->total;
        unsigned rows = work->rows;
        offset += PAGE;
        //  Nothing is known of the devices in those
        *used = *used || work->skipped > 0;
        //  Counting leaves the rows as they are
        for (unsigned i = 0; i < rows; i++) {
            char id [41];
            memcpy (id, work->row [i].id, sizeof id);
            rc = s_list_devices (work, id, profile, 0, 0);
            if (rc)
                return rc;
            *used = *used || work->total > 0;
        }
    } while (offset < total);
    return 0;
}

static int
s_remove_profile (s_work_t *work, bool v11, bool abp)
{
    pv_ProfileBox box;
    char name [TEXT], id [41];
    bool used = false;
    s_profile_name (work, v11, abp, name);
    int rc =
        s_find (work, "DeviceProfileService/List", pv_Row_fields, name, id);
    if (rc == FUOTA_ENOTFOUND)
        return 0;
    if (!rc)
        rc = s_profile_used (work, id, &used);
    if (rc)
        return rc;
    s_ask (work, "DeviceProfileService/Get", id);
    if (fuota_record_decode (pv_ProfileBox_fields, &box, work->answer.message))
        box.device_profile.description [0] = 0;
    return s_remove (work, "profile", "DeviceProfileService/Delete", id,
        box.device_profile.description, !used);
}

static int
s_remove_tenant (s_work_t *work)
{
    static const char *const lists [] = { "ApplicationService/List",
        "GatewayService/List", "DeviceProfileService/List" };
    pv_TenantBox box;
    uint32_t left = 0;
    if (*work->with->tenant_id)
        return 0;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        int rc = s_list (work, lists [i], pv_Row_fields, "", 0, 0);
        if (rc)
            return rc;
        left += work->total;
    }
    s_ask (work, "TenantService/Get", work->tenant);
    if (fuota_record_decode (pv_TenantBox_fields, &box, work->answer.message))
        box.tenant.description [0] = 0;
    return s_remove (work, "tenant", "TenantService/Delete", work->tenant,
        box.tenant.description, left == 0);
}

int
fuota_provision_remove (const fuota_provision_t *self)
{
    s_work_t work;
    s_begin (&work, self);
    snprintf (work.tenant, sizeof work.tenant, "%s", self->tenant_id);
    int rc = *work.tenant ? 0
                          : s_find (&work, "TenantService/List", pv_Row_fields,
                                self->name, work.tenant);
    if (rc == FUOTA_ENOTFOUND) {
        s_said (&work, "tenant", self->name, "is not there");
        return 0;
    }
    if (!rc)
        rc = s_find (&work, "ApplicationService/List", pv_ApplicationRow_fields,
            self->name, work.application);
    if (!rc)
        rc = s_remove_devices (&work);
    if (!rc)
        rc = s_remove_application (&work);
    if (!rc || rc == FUOTA_ENOTFOUND)
        rc = s_remove_gateways (&work);
    for (unsigned i = 0; !rc && i < 4; i++)
        rc = s_remove_profile (&work, i & 1, i & 2);
    return rc ? rc : s_remove_tenant (&work);
}
