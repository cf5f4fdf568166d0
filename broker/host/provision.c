//  SPDX-License-Identifier: MIT
//
//  Parts: what holds the devices; gateways and devices.

#include "broker/host/provision_private.h"

#include <stdio.h>
#include "broker/host/chirpstack_text.h"
#include "schema/hex.h"
#include "workers/package/mckey.h"

//  ---------------------------------------------------------------------
//  What holds the devices

//  What was made has an id; that is all there is in the answer.
static int
s_created (fuota_provision_work_t *work, const char *what, const char *name,
    char id [41])
{
    pv_Id got;
    if (work->answer.kind != FUOTA_ANSWER_GOOD)
        return fuota_provision_refused (work, what, name);
    if (fuota_record_decode (pv_Id_fields, &got, work->answer.message) ||
        !*got.id)
        return FUOTA_EFORMAT;
    memcpy (id, got.id, sizeof got.id);
    fuota_provision_say (work, what, name, "created");
    return 0;
}

static int
s_tenant (fuota_provision_work_t *work)
{
    const char *name = work->with->name;
    if (*work->with->tenant_id) {
        snprintf (work->tenant, sizeof work->tenant, "%s",
            work->with->tenant_id);
        return 0;
    }
    int rc = fuota_provision_find (work, "TenantService/List", pv_Row_fields,
        name, work->tenant);
    if (rc != FUOTA_ENOTFOUND)
        return rc;
    pv_TenantBox box = { .has_tenant = true,
        .tenant = { .can_have_gateways = true } };
    snprintf (box.tenant.name, sizeof box.tenant.name, "%s", name);
    snprintf (box.tenant.description, sizeof box.tenant.description, "%s",
        work->mark);
    fuota_provision_call (work, "TenantService/Create", pv_TenantBox_fields,
        &box);
    return s_created (work, "tenant", name, work->tenant);
}

static int
s_application (fuota_provision_work_t *work)
{
    const char *name = work->with->name;
    int rc = fuota_provision_find (work, "ApplicationService/List",
        pv_ApplicationRow_fields, name, work->application);
    if (rc != FUOTA_ENOTFOUND)
        return rc;
    pv_ApplicationBox box = { .has_application = true };
    snprintf (box.application.name, sizeof box.application.name, "%s", name);
    snprintf (box.application.description, sizeof box.application.description,
        "%s", work->mark);
    snprintf (box.application.tenant_id, sizeof box.application.tenant_id, "%s",
        work->tenant);
    fuota_provision_call (work, "ApplicationService/Create",
        pv_ApplicationBox_fields, &box);
    return s_created (work, "application", name, work->application);
}

//  No application layer of the host's own, and neither class B nor C: devices
//  are of class A outside of sessions (chirpstack-host.md 1.8, 3.3).
static int
s_profile (fuota_provision_work_t *work, bool v11, bool abp)
{
    char name [FUOTA_PROVISION_TEXT];
    char *id = work->profile [v11][abp];
    const fuota_lora_plan_t *plan = fuota_lora_plan_find (work->with->region);
    fuota_provision_profile_name (work, v11, abp, name);
    int rc = *id ? 0
                 : fuota_provision_find (work, "DeviceProfileService/List",
                       pv_Row_fields, name, id);
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
            .uplink_interval = work->with->uplink_interval,
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
    fuota_provision_call (work, "DeviceProfileService/Create",
        pv_ProfileBox_fields, &box);
    return s_created (work, "profile", name, id);
}

//  ---------------------------------------------------------------------
//  Gateways and devices

//  Returns 0 if it is there and ours, FUOTA_ENOTFOUND, or a code, said.
static int
s_there (fuota_provision_work_t *work, const char *what, const char *id,
    bool ours)
{
    if (fuota_provision_absent (work->answer.kind))
        return FUOTA_ENOTFOUND;
    if (work->answer.kind != FUOTA_ANSWER_GOOD)
        return fuota_provision_refused (work, what, id);
    if (ours)
        return 0;
    fuota_provision_say (work, what, id,
        "is there already and not ours: left alone");
    return FUOTA_EVALUE;
}

static int
s_gateway (fuota_provision_work_t *work, uint32_t i)
{
    pv_GatewayBox box;
    char id [17];
    fuota_chirpstack_eui (fuota_lora_gateway_eui (work->with->air, i), id);
    fuota_provision_ask (work, "GatewayService/Get", id);
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
    if (fuota_provision_call (work, "GatewayService/Create",
            pv_GatewayBox_fields, &box) != FUOTA_ANSWER_GOOD)
        return fuota_provision_refused (work, "gateway", id);
    work->made++;
    return 0;
}

//  The host may know other keys of it, of another seed.
static int
s_keys (fuota_provision_work_t *work, const fuota_lora_device_t *device,
    const char *id)
{
    pv_KeysBox box = { .has_device_keys = true };
    pv_Keys *keys = &box.device_keys;
    memcpy (keys->dev_eui, id, 17);
    fuota_hex (device->root.nwk_key, 16, keys->nwk_key);
    fuota_hex (device->root.app_key, 16,
        device->root.v11 ? keys->app_key : keys->gen_app_key);
    fuota_provision_call (work, "DeviceService/CreateKeys", pv_KeysBox_fields,
        &box);
    if (work->answer.kind == FUOTA_ANSWER_ALREADY)
        fuota_provision_call (work, "DeviceService/UpdateKeys",
            pv_KeysBox_fields, &box);
    fuota_mckey_wipe (&box, sizeof box);
    if (work->answer.kind != FUOTA_ANSWER_GOOD)
        return fuota_provision_refused (work, "keys of device", id);
    return 0;
}

static int
s_activate (fuota_provision_work_t *work, const fuota_lora_device_t *device,
    const char *id)
{
    pv_ActivationBox box = { .has_device_activation = true };
    pv_Activation *activation = &box.device_activation;
    memcpy (activation->dev_eui, id, 17);
    snprintf (activation->dev_addr, sizeof activation->dev_addr, "%08x",
        (unsigned) device->dev_addr);
    fuota_hex (device->keys.app_s, 16, activation->app_s_key);
    fuota_hex (device->keys.nwk_s_enc, 16, activation->nwk_s_enc_key);
    fuota_hex (device->keys.s_nwk_s_int, 16, activation->s_nwk_s_int_key);
    fuota_hex (device->keys.f_nwk_s_int, 16, activation->f_nwk_s_int_key);
    fuota_provision_call (work, "DeviceService/Activate",
        pv_ActivationBox_fields, &box);
    fuota_mckey_wipe (&box, sizeof box);
    if (work->answer.kind != FUOTA_ANSWER_GOOD)
        return fuota_provision_refused (work, "session of device", id);
    return 0;
}

static int
s_new_device (fuota_provision_work_t *work, const fuota_lora_device_t *device,
    const char *id)
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
    if (fuota_provision_call (work, "DeviceService/Create", pv_DeviceBox_fields,
            &box) != FUOTA_ANSWER_GOOD)
        return fuota_provision_refused (work, "device", id);
    work->made++;
    return 0;
}

static int
s_device (fuota_provision_work_t *work, uint32_t i)
{
    const fuota_lora_device_t *device = fuota_lora_device (work->with->air, i);
    pv_DeviceBox box;
    char id [17];
    int rc = s_profile (work, device->root.v11, device->abp);
    if (rc)
        return rc;
    fuota_chirpstack_eui (device->root.dev_eui, id);
    fuota_provision_ask (work, "DeviceService/Get", id);
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
s_count (fuota_provision_work_t *work, const char *what)
{
    char text [64];
    snprintf (text, sizeof text, "%u created, %u found", work->made,
        work->found);
    fuota_provision_say (work, what, text, "");
    work->made = work->found = 0;
}

int
fuota_provision_create (const fuota_provision_t *self)
{
    fuota_provision_work_t work;
    fuota_provision_begin (&work, self);
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
    fuota_provision_say (&work, "application", work.application, "");
    return 0;
}
