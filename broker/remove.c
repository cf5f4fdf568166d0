//  SPDX-License-Identifier: MIT
//
//  What is over is forgotten: by order, or because it is old.
//
//  A deployment can have a million rows, and its rows go in pieces, so that no
//  commit takes long: devices and journal first, the deployment last. Until
//  then it is there, and whoever was cut off in between asks again.

#include <string.h>
#include "broker/control_private.h"
#include "broker/summary.h"
#include "broker/uses.h"
#include "schema/hex.h"
#include "workers/package/mckey.h"

#define PIECE 4000  //  Rows of a commit
#define HASH 32

//  Delete a deployment's rows in a table, as long as there is room.
static void
s_rows (fuota_control_t *self, fuota_table_t table, const uint8_t *id)
{
    fuota_key_t prefix = fuota_key_id (id);
    fuota_scan_t scan;
    if (fuota_scan_open (&scan, self->read, table, &prefix, NULL))
        return;
    while (self->batch.rows < PIECE && fuota_scan_next (&scan)) {
        fuota_key_t key = fuota_key_bytes (scan.key.data, scan.key.size);
        fuota_batch_del (&self->batch, table, &key);
    }
    fuota_scan_close (&scan);
}

//  The token, if it is still this deployment's.
static void
s_token (fuota_control_t *self, const uint8_t *id)
{
    fuota_deployment_t deployment;
    fuota_key_t key = fuota_key_id (id);
    fuota_slice_t value;
    if (!fuota_read_record (self->read, FUOTA_TABLE_DEPLOYMENT, &key,
            Deployment_fields, &deployment) &&
        *deployment.token) {
        key = fuota_key_bytes (deployment.token, strlen (deployment.token));
        if (!fuota_read_get (self->read, FUOTA_TABLE_TOKEN, &key, &value) &&
            value.size >= FUOTA_ID_SIZE &&
            !memcmp (value.data, id, FUOTA_ID_SIZE))
            fuota_batch_del (&self->batch, FUOTA_TABLE_TOKEN, &key);
    }
    fuota_mckey_wipe (deployment.mc_key, sizeof deployment.mc_key);
}

//  Rows of a deployment that is over, or some of them. True if it is gone with
//  them.
static bool
s_remove (fuota_control_t *self, const uint8_t *id, fuota_turn_t *turn)
{
    fuota_key_t key = fuota_key_id (id);
    s_rows (self, FUOTA_TABLE_DEVICE, id);
    s_rows (self, FUOTA_TABLE_JOURNAL, id);
    s_rows (self, FUOTA_TABLE_FATE, id);
    bool all = self->batch.rows < PIECE;
    if (all) {
        s_token (self, id);
        fuota_batch_del (&self->batch, FUOTA_TABLE_GROUP, &key);
        fuota_batch_del (&self->batch, FUOTA_TABLE_DEPLOYMENT, &key);
    }
    turn->batch = &self->batch;
    return all;
}

//  A downlink that was withdrawn is kept until the host has let go of it.
static bool
s_has_downlinks (fuota_control_t *self, const uint8_t *id)
{
    fuota_scan_t scan;
    fuota_row_t row;
    bool has = false;
    if (fuota_scan_open (&scan, self->read, FUOTA_TABLE_OUTBOX, NULL, NULL))
        return true;
    while (!has && fuota_scan_next (&scan))
        has = !fuota_record_decode (OutboxRow_fields, &row, scan.value) &&
              !memcmp (row.deployment, id, FUOTA_ID_SIZE);
    fuota_scan_close (&scan);
    return has;
}

void
fuota_remove_deployment (fuota_control_t *self, fuota_turn_t *turn)
{
    fuota_group_t group;
    fuota_key_t key = fuota_key_id (turn->id);
    int rc = fuota_read_record (self->read, FUOTA_TABLE_GROUP, &key,
        Group_fields, &group);
    if (rc)
        fuota_control_say (turn, FUOTA_FAILED, "record: %s",
            fuota_error_name (rc));
    else if (group.phase != FUOTA_OVER)
        fuota_control_say (turn, FUOTA_NOT_NOW,
            "the deployment is %s; allowed when it is over",
            fuota_phase_name (&group));
    else if (s_has_downlinks (self, turn->id))
        fuota_control_say (turn, FUOTA_NOT_NOW,
            "the host may still hold downlinks of it; try again later");
    else if (!s_remove (self, turn->id, turn)) {
        memcpy (turn->reply.next.bytes, turn->id, FUOTA_ID_SIZE);
        turn->reply.next.size = FUOTA_ID_SIZE;
    }
}

//  ---------------------------------------------------------------------
//  Images

static void
s_drop_image (fuota_control_t *self, const uint8_t *sha256, fuota_turn_t *turn)
{
    fuota_key_t key = fuota_key_bytes (sha256, HASH);
    fuota_batch_del (&self->batch, FUOTA_TABLE_IMAGE, &key);
    fuota_batch_del (&self->batch, FUOTA_TABLE_BLOB, &key);
    turn->batch = &self->batch;
}

void
fuota_remove_image (fuota_control_t *self, fuota_turn_t *turn)
{
    uint8_t sha256 [HASH];
    char id [2 * FUOTA_ID_SIZE + 1];
    size_t count;
    fuota_uses_t uses;
    if (!fuota_find_image (self, self->request.id, sha256, turn))
        return;
    int rc = fuota_uses_read (&uses, self->read);
    const fuota_use_t *use = fuota_uses_of (&uses, sha256, &count);
    if (rc)
        fuota_control_say (turn, FUOTA_FAILED, "record: %s",
            fuota_error_name (rc));
    else if (use) {
        fuota_hex (use->deployment, FUOTA_ID_SIZE, id);
        fuota_control_say (turn, FUOTA_NOT_NOW,
            "deployment %s%s is of this image; remove that first", id,
            count > 1 ? " and others" : "");
    }
    else
        s_drop_image (self, sha256, turn);
    fuota_uses_release (&uses);
}

//  ---------------------------------------------------------------------
//  What is old

static bool
s_old_deployment (fuota_control_t *self, int64_t before, uint8_t *id)
{
    fuota_scan_t scan;
    fuota_group_t group;
    bool found = false;
    if (fuota_scan_open (&scan, self->read, FUOTA_TABLE_GROUP, NULL, NULL))
        return false;
    while (!found && fuota_scan_next (&scan))
        if (!fuota_record_decode (Group_fields, &group, scan.value) &&
            scan.key.size == FUOTA_ID_SIZE && group.phase == FUOTA_OVER &&
            group.ended_at < before) {
            memcpy (id, scan.key.data, FUOTA_ID_SIZE);
            found = !s_has_downlinks (self, id);
        }
    fuota_scan_close (&scan);
    return found;
}

//  Where the deployments cannot all be read nothing is old.
static bool
s_old_image (fuota_control_t *self, int64_t before, uint8_t *sha256)
{
    fuota_scan_t scan;
    fuota_image_t image;
    fuota_uses_t uses;
    size_t count;
    bool found = false;
    if (!fuota_uses_read (&uses, self->read) &&
        !fuota_scan_open (&scan, self->read, FUOTA_TABLE_IMAGE, NULL, NULL)) {
        while (!found && fuota_scan_next (&scan)) {
            found = !fuota_record_decode (Image_fields, &image, scan.value) &&
                    scan.key.size == HASH && image.created < before &&
                    !fuota_uses_of (&uses, scan.key.data, &count);
            if (found)
                memcpy (sha256, scan.key.data, HASH);
        }
        fuota_scan_close (&scan);
    }
    fuota_uses_release (&uses);
    return found;
}

void
fuota_remove_older (fuota_control_t *self, int64_t before, fuota_turn_t *turn)
{
    uint8_t sha256 [HASH];
    if (s_old_deployment (self, before, turn->id))
        s_remove (self, turn->id, turn);
    else if (s_old_image (self, before, sha256))
        s_drop_image (self, sha256, turn);
}
