//  SPDX-License-Identifier: MIT
//
//  Parts: calls; lists.

#include "broker/host/provision_private.h"

#include <stdio.h>
#include <pb_decode.h>
#include "workers/package/mckey.h"

void
fuota_provision_begin (fuota_provision_work_t *work,
    const fuota_provision_t *with)
{
    memset (work, 0, sizeof *work);
    work->with = with;
    snprintf (work->mark, sizeof work->mark, "made by fuota-sim: %s",
        with->name);
}

void
fuota_provision_profile_name (const fuota_provision_work_t *work, bool v11,
    bool abp, char name [FUOTA_PROVISION_TEXT])
{
    snprintf (name, FUOTA_PROVISION_TEXT, "%s %s %s", work->with->name,
        v11 ? "1.1.0" : "1.0.3", abp ? "ABP" : "OTAA");
}

//  ---------------------------------------------------------------------
//  Calls

void
fuota_provision_say (const fuota_provision_work_t *work, const char *what,
    const char *name, const char *more)
{
    char line [512];
    snprintf (line, sizeof line, "%s %s%s%s", what, name, *more ? " " : "",
        more);
    work->with->said (work->with->arg, line);
}

//  The host's own words.
int
fuota_provision_refused (const fuota_provision_work_t *work, const char *what,
    const char *name)
{
    char more [320];
    bool token = work->answer.kind == FUOTA_ANSWER_TOKEN ||
                 work->answer.kind == FUOTA_ANSWER_UNSURE;
    snprintf (more, sizeof more, "refused: %s",
        *work->answer.text ? work->answer.text
        : token            ? "the token gives no access"
                           : "no answer");
    fuota_provision_say (work, what, name, more);
    return FUOTA_EVALUE;
}

fuota_chirpstack_answer_t
fuota_provision_call (fuota_provision_work_t *work, const char *path,
    const pb_msgdesc_t *fields, const void *request)
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
bool
fuota_provision_absent (fuota_chirpstack_answer_t kind)
{
    return kind == FUOTA_ANSWER_GONE || kind == FUOTA_ANSWER_UNSURE;
}

fuota_chirpstack_answer_t
fuota_provision_ask (fuota_provision_work_t *work, const char *path,
    const char *id)
{
    pv_Id request = pv_Id_init_zero;
    snprintf (request.id, sizeof request.id, "%s", id);
    return fuota_provision_call (work, path, pv_Id_fields, &request);
}

//  ---------------------------------------------------------------------
//  Lists

//  A row whose texts are longer than ours can be is none of ours.
static bool
s_row (pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    fuota_provision_work_t *work = *arg;
    union {
        pv_Row plain;
        pv_ApplicationRow application;
        pv_GatewayRow gateway;
        pv_DeviceRow device;
    } row;
    (void) field;
    if (!pb_decode (stream, work->row_fields, &row) ||
        work->rows == FUOTA_PROVISION_PAGE) {
        work->skipped++;
        return pb_read (stream, NULL, stream->bytes_left);
    }
    //  All four begin with id and name; three have a description after them
    fuota_provision_row_t *out = &work->row [work->rows++];
    *out = (fuota_provision_row_t){ "", "", "" };
    memcpy (out->id, row.plain.id, sizeof row.plain.id);
    memcpy (out->name, row.plain.name, sizeof row.plain.name);
    if (work->row_fields != pv_Row_fields)
        memcpy (out->description, row.application.description,
            sizeof row.application.description);
    return true;
}

int
fuota_provision_rows (fuota_provision_work_t *work,
    const pb_msgdesc_t *row_fields)
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
int
fuota_provision_list (fuota_provision_work_t *work, const char *path,
    const pb_msgdesc_t *row_fields, const char *search, uint32_t limit,
    uint32_t offset)
{
    pv_List request = { .limit = limit, .offset = offset };
    snprintf (request.search, sizeof request.search, "%s", search);
    snprintf (request.tenant_id, sizeof request.tenant_id, "%s", work->tenant);
    if (fuota_provision_call (work, path, pv_List_fields, &request) !=
        FUOTA_ANSWER_GOOD)
        return fuota_provision_refused (work, "list", path);
    return fuota_provision_rows (work, row_fields);
}

//  By its whole name. Returns 0, FUOTA_ENOTFOUND, or what went wrong, said.
int
fuota_provision_find (fuota_provision_work_t *work, const char *path,
    const pb_msgdesc_t *row_fields, const char *name, char id [41])
{
    uint32_t offset = 0;
    do {
        int rc = fuota_provision_list (work, path, row_fields, name,
            FUOTA_PROVISION_PAGE, offset);
        if (rc)
            return rc;
        for (unsigned i = 0; i < work->rows; i++)
            if (strcmp (work->row [i].name, name) == 0) {
                memcpy (id, work->row [i].id, 41);
                return 0;
            }
        offset += FUOTA_PROVISION_PAGE;
    } while (offset < work->total);
    return FUOTA_ENOTFOUND;
}
