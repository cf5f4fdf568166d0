//  SPDX-License-Identifier: MIT

#include <stdio.h>
#include "broker/demand.h"
#include "broker/outbox_private.h"
#include "schema/hex.h"
#include "workers/package/mckey.h"
#include "workers/package/package.h"

//  A coded fragment that the pool has made.
static bool
s_shared (fuota_outbox_t *self, const fuota_deployment_t *deployment,
    uint32_t n, uint8_t *data)
{
    if (!self->parity || n <= deployment->nb_frag)
        return false;
    fuota_parity_key_t key = fuota_demand_key (deployment);
    return !fuota_parity_row (self->parity, &key, n - deployment->nb_frag,
        data);
}

//  The data of fragment n, made here if it is not there.
static int
s_fragment_data (fuota_outbox_t *self, const fuota_deployment_t *deployment,
    uint32_t n, uint8_t *data)
{
    fuota_slice_t image;
    if (s_shared (self, deployment, n, data)) {
        self->stats.shared++;
        return 0;
    }
    fuota_key_t key = fuota_key_bytes (deployment->image, 32);
    if (fuota_read_get (self->read, FUOTA_TABLE_BLOB, &key, &image))
        return FUOTA_EFORMAT;
    fuota_fec_block_t block = { image.data, image.size,
        (uint8_t) deployment->frag_size, (uint8_t) deployment->dialect.ts004 };
    fuota_fec_fragment (&block, n, data, self->bits);
    self->stats.computed += n > deployment->nb_frag;
    return 0;
}

static int
s_fragment (fuota_outbox_t *self, const fuota_deployment_t *deployment,
    const fuota_row_t *row, fuota_downlink_t *out)
{
    uint8_t data [255];
    //  The parity of a single fragment is zero: it is sent again instead
    uint32_t n = deployment->nb_frag == 1 ? 1 : row->n;
    int rc = s_fragment_data (self, deployment, n, data);
    if (rc)
        return rc;
    fuota_command_t command = { .id = FUOTA_DATA_FRAGMENT,
        .package = FUOTA_TS004,
        .version = (uint8_t) deployment->dialect.ts004,
        .frag_index = (uint8_t) row->frag_index };
    command.data_fragment.n = (uint16_t) n;
    command.data_fragment.data = fuota_slice (data, deployment->frag_size);
    fuota_writer_t writer =
        fuota_writer (out->data.bytes, sizeof out->data.bytes);
    rc = fuota_package_encode (&command, &writer);
    out->data.size = (pb_size_t) writer.at;
    return rc;
}

static int
s_create (const fuota_deployment_t *deployment, fuota_downlink_t *out)
{
    strcpy (out->name, "fuota-");
    fuota_hex (deployment->id, FUOTA_ID_SIZE, out->name + strlen (out->name));
    memcpy (out->application, deployment->application, sizeof out->application);
    memcpy (out->region, deployment->region, sizeof out->region);
    out->mc_addr = deployment->mc_addr;
    out->group_type = deployment->group_type;
    out->dr = deployment->dr;
    out->frequency = deployment->frequency;
    out->periodicity = deployment->periodicity;
    out->scheduling = deployment->scheduling;
    out->gateways_count = deployment->gateways_count;
    memcpy (out->gateways, deployment->gateways, sizeof out->gateways);
    return fuota_mckey_session (deployment->mc_key, deployment->mc_addr,
        out->mc_app_s_key, out->mc_nwk_s_key);
}

//  A row with what it only names. FUOTA_ENOTFOUND if it is gone, FUOTA_EBUSY
//  if it was withdrawn.
int
fuota_outbox_build (fuota_outbox_t *self, const fuota_outbox_entry_t *entry,
    fuota_downlink_t *out)
{
    fuota_row_t row;
    fuota_deployment_t deployment;
    fuota_key_t key =
        fuota_key_outbox ((fuota_owner_t) entry->owner, entry->row);
    *out = (fuota_downlink_t){ .row = entry->row, .owner = entry->owner };
    int rc = fuota_read_record (self->read, FUOTA_TABLE_OUTBOX, &key,
        OutboxRow_fields, &row);
    if (rc)
        return rc;
    if (row.withdrawn)
        return FUOTA_EBUSY;
    out->kind = entry->counting ? FUOTA_COUNTER : row.kind;
    memcpy (out->deployment, row.deployment, FUOTA_ID_SIZE);
    memcpy (out->group, row.group, sizeof out->group);
    out->dev_eui = row.dev_eui;
    out->perhaps = entry->perhaps && (row.kind == FUOTA_UNICAST ||
                                         row.kind == FUOTA_GROUP_CREATE);
    out->f_port = row.f_port;
    out->expires_at = row.expires_at;
    out->n = row.n;
    out->f_cnt = row.f_cnt;
    out->data.size = row.data.size;
    memcpy (out->data.bytes, row.data.bytes, row.data.size);
    bool plain = (row.kind == FUOTA_UNICAST && !row.n) ||
                 row.kind == FUOTA_KEYS || row.kind == FUOTA_FLUSH ||
                 row.kind == FUOTA_GROUP_DELETE || entry->counting;
    if (plain)
        return 0;
    key = fuota_key_id (row.deployment);
    if (fuota_read_record (self->read, FUOTA_TABLE_DEPLOYMENT, &key,
            Deployment_fields, &deployment))
        return FUOTA_EFORMAT;  //  The row is there and cannot be carried out
    if (row.kind == FUOTA_GROUP_CREATE)
        rc = s_create (&deployment, out);
    else if (row.kind == FUOTA_TAGS) {
        out->tags_count = deployment.tags_count;
        memcpy (out->tags, deployment.tags, sizeof out->tags);
    }
    else
        rc = s_fragment (self, &deployment, &row, out);
    fuota_mckey_wipe (deployment.mc_key, sizeof deployment.mc_key);
    return rc;
}
