//  SPDX-License-Identifier: MIT
//
//  Removal: of what has the mark, from the devices outwards.

#include "broker/host/provision_private.h"

#include <stdio.h>

//  Delete what is marked of the rows there are; the others are passed by.
static int
s_delete_marked (fuota_provision_work_t *work, const char *path,
    uint32_t *offset)
{
    static const char what [] = "delete";
    for (unsigned i = 0; i < work->rows; i++) {
        const fuota_provision_row_t *row = &work->row [i];
        if (strcmp (row->description, work->mark) != 0) {
            (*offset)++;
            continue;
        }
        fuota_provision_ask (work, path, row->id);
        if (work->answer.kind != FUOTA_ANSWER_GOOD &&
            work->answer.kind != FUOTA_ANSWER_GONE)
            return fuota_provision_refused (work, what, row->id);
        work->removed++;
    }
    *offset += work->skipped;
    return 0;
}

static void
s_removed (fuota_provision_work_t *work, const char *what)
{
    char text [32];
    snprintf (text, sizeof text, "%u removed", work->removed);
    fuota_provision_say (work, what, text, "");
    work->removed = 0;
}

static int
s_list_devices (fuota_provision_work_t *work, const char *application,
    const char *profile, uint32_t limit, uint32_t offset)
{
    pv_ListDevices request = { .limit = limit, .offset = offset };
    snprintf (request.application_id, sizeof request.application_id, "%s",
        application);
    snprintf (request.device_profile_id, sizeof request.device_profile_id, "%s",
        profile);
    if (fuota_provision_call (work, "DeviceService/List", pv_ListDevices_fields,
            &request) != FUOTA_ANSWER_GOOD)
        return fuota_provision_refused (work, "list", "devices");
    return fuota_provision_rows (work, pv_DeviceRow_fields);
}

static int
s_remove_devices (fuota_provision_work_t *work)
{
    uint32_t offset = 0;
    int rc = s_list_devices (work, work->application, "", FUOTA_PROVISION_PAGE,
        offset);
    while (!rc && work->rows + work->skipped > 0) {
        rc = s_delete_marked (work, "DeviceService/Delete", &offset);
        if (!rc)
            rc = s_list_devices (work, work->application, "",
                FUOTA_PROVISION_PAGE, offset);
    }
    s_removed (work, "devices");
    return rc;
}

static int
s_remove_gateways (fuota_provision_work_t *work)
{
    uint32_t offset = 0;
    int rc = fuota_provision_list (work, "GatewayService/List",
        pv_GatewayRow_fields, "", FUOTA_PROVISION_PAGE, offset);
    while (!rc && work->rows + work->skipped > 0) {
        rc = s_delete_marked (work, "GatewayService/Delete", &offset);
        if (!rc)
            rc = fuota_provision_list (work, "GatewayService/List",
                pv_GatewayRow_fields, "", FUOTA_PROVISION_PAGE, offset);
    }
    s_removed (work, "gateways");
    return rc;
}

//  One of the three that hold others. Kept if it has no mark or something in
//  it; both are said.
static int
s_remove (fuota_provision_work_t *work, const char *what, const char *path,
    const char *id, const char *description, bool empty)
{
    if (strcmp (description, work->mark) != 0 || !empty) {
        fuota_provision_say (work, what, id,
            empty ? "kept: it is not ours"
                  : "kept: others have put things "
                    "into it");
        return 0;
    }
    fuota_provision_ask (work, path, id);
    if (work->answer.kind != FUOTA_ANSWER_GOOD &&
        work->answer.kind != FUOTA_ANSWER_GONE)
        return fuota_provision_refused (work, what, id);
    fuota_provision_say (work, what, id, "removed");
    return 0;
}

static int
s_remove_application (fuota_provision_work_t *work)
{
    pv_ApplicationBox box;
    int rc = s_list_devices (work, work->application, "", 0, 0);
    if (rc)
        return rc;
    bool empty = work->total == 0;
    fuota_provision_ask (work, "ApplicationService/Get", work->application);
    if (fuota_record_decode (pv_ApplicationBox_fields, &box,
            work->answer.message))
        box.application.description [0] = 0;
    return s_remove (work, "application", "ApplicationService/Delete",
        work->application, box.application.description, empty);
}

//  Devices of any application of the tenant go with their profile.
static int
s_profile_used (fuota_provision_work_t *work, const char *profile, bool *used)
{
    uint32_t offset = 0, total;
    do {
        int rc = fuota_provision_list (work, "ApplicationService/List",
            pv_ApplicationRow_fields, "", FUOTA_PROVISION_PAGE, offset);
        if (rc)
            return rc;
        total = work->total;
        unsigned rows = work->rows;
        offset += FUOTA_PROVISION_PAGE;
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
s_remove_profile (fuota_provision_work_t *work, bool v11, bool abp)
{
    pv_ProfileBox box;
    char name [FUOTA_PROVISION_TEXT], id [41];
    bool used = false;
    fuota_provision_profile_name (work, v11, abp, name);
    int rc = fuota_provision_find (work, "DeviceProfileService/List",
        pv_Row_fields, name, id);
    if (rc == FUOTA_ENOTFOUND)
        return 0;
    if (!rc)
        rc = s_profile_used (work, id, &used);
    if (rc)
        return rc;
    fuota_provision_ask (work, "DeviceProfileService/Get", id);
    if (fuota_record_decode (pv_ProfileBox_fields, &box, work->answer.message))
        box.device_profile.description [0] = 0;
    return s_remove (work, "profile", "DeviceProfileService/Delete", id,
        box.device_profile.description, !used);
}

static int
s_remove_tenant (fuota_provision_work_t *work)
{
    static const char *const lists [] = { "ApplicationService/List",
        "GatewayService/List", "DeviceProfileService/List" };
    pv_TenantBox box;
    uint32_t left = 0;
    if (*work->with->tenant_id)
        return 0;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        int rc =
            fuota_provision_list (work, lists [i], pv_Row_fields, "", 0, 0);
        if (rc)
            return rc;
        left += work->total;
    }
    fuota_provision_ask (work, "TenantService/Get", work->tenant);
    if (fuota_record_decode (pv_TenantBox_fields, &box, work->answer.message))
        box.tenant.description [0] = 0;
    return s_remove (work, "tenant", "TenantService/Delete", work->tenant,
        box.tenant.description, left == 0);
}

int
fuota_provision_remove (const fuota_provision_t *self)
{
    fuota_provision_work_t work;
    fuota_provision_begin (&work, self);
    snprintf (work.tenant, sizeof work.tenant, "%s", self->tenant_id);
    int rc = *work.tenant ? 0
                          : fuota_provision_find (&work, "TenantService/List",
                                pv_Row_fields, self->name, work.tenant);
    if (rc == FUOTA_ENOTFOUND) {
        fuota_provision_say (&work, "tenant", self->name, "is not there");
        return 0;
    }
    if (!rc)
        rc = fuota_provision_find (&work, "ApplicationService/List",
            pv_ApplicationRow_fields, self->name, work.application);
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
