//  SPDX-License-Identifier: MIT

#include <czmq.h>
#include "broker/clock.h"
#include "broker/demand.h"
#include "broker/pool_want.h"
#include "workers/package/mckey.h"

//  Stamps are coarse, so that images in use are not written all the time
#define STAMP 600000

static int64_t
s_stamp (int64_t now)
{
    return now - now % STAMP;
}

//  The image into the shared environment. Its bytes are read in a snapshot of
//  their own: the caller may be in the middle of a scan.
static int
s_put_image (fuota_pool_want_t *self, const fuota_parity_key_t *key,
    int64_t now)
{
    fuota_slice_t image;
    fuota_key_t name = fuota_key_bytes (key->image, 32);
    fuota_read_t *read = fuota_db_read (self->db);
    int rc = read ? fuota_read_get (read, FUOTA_TABLE_BLOB, &name, &image)
                  : FUOTA_EDB;
    if (!rc && image.size != key->image_size)
        rc = FUOTA_ENOTFOUND;
    if (!rc)
        rc = fuota_parity_put_image (self->parity, key->image, image,
            s_stamp (now));
    fuota_read_end (&read);
    return rc;
}

static void
s_stamp_one (fuota_pool_want_t *self, const uint8_t *id, int64_t now)
{
    fuota_deployment_t deployment;
    fuota_group_t group;
    fuota_demand_t demand;
    fuota_key_t key = fuota_key_id (id);
    if (fuota_read_record (self->read, FUOTA_TABLE_DEPLOYMENT, &key,
            Deployment_fields, &deployment))
        return;
    if (!fuota_read_record (self->read, FUOTA_TABLE_GROUP, &key, Group_fields,
            &group) &&
        fuota_demand_make (&deployment, &group, now, &demand))
        fuota_parity_stamp (self->parity, deployment.image, s_stamp (now));
    fuota_mckey_wipe (&deployment, sizeof deployment);
}

typedef void (
    s_each_fn) (fuota_pool_want_t *self, const uint8_t *id, int64_t now);

static void
s_each (fuota_pool_want_t *self, s_each_fn *each, int64_t now)
{
    fuota_scan_t scan;
    fuota_key_t all = fuota_key_bytes ("", 0);
    if (fuota_read_renew (self->read) ||
        fuota_scan_open (&scan, self->read, FUOTA_TABLE_DEPLOYMENT, &all, NULL))
        return;
    while (fuota_scan_next (&scan))
        if (scan.key.size == FUOTA_ID_SIZE)
            each (self, scan.key.data, now);
    fuota_scan_close (&scan);
    fuota_read_reset (self->read);
}

//  Room for the image and so many blocks: the oldest that nobody uses go.
static bool
s_make_room (fuota_pool_want_t *self, const fuota_parity_key_t *key,
    uint32_t count, int64_t now)
{
    uint64_t need =
        key->image_size + 4096 +
        (uint64_t) count * (FUOTA_FEC_BLOCK_ROWS * key->frag_size + 4096);
    if (fuota_parity_used (self->parity) + need <= self->limit)
        return true;
    if (need > self->limit)
        return false;
    s_each (self, s_stamp_one, now);
    fuota_parity_evict (self->parity, self->limit - need, s_stamp (now));
    return fuota_parity_used (self->parity) + need <= self->limit;
}

int
fuota_pool_want_run (fuota_pool_want_t *self, const fuota_parity_key_t *key,
    uint32_t first, uint32_t count, int64_t due, int64_t now)
{
    count = fuota_parity_missing (self->parity, key, &first, count);
    if (!count) {
        fuota_parity_stamp (self->parity, key->image, s_stamp (now));
        return 0;
    }
    if (!s_make_room (self, key, count, now)) {
        if (!self->refused++)
            zsys_warning ("pool: no room for parity, the broker computes it "
                          "as it sends; parity.max_mib is too small");
        return FUOTA_EFULL;
    }
    int rc = s_put_image (self, key, now);
    if (rc == FUOTA_EDB || rc == FUOTA_EFULL)
        zsys_error ("pool: parity: %s", fuota_parity_error (self->parity));
    return rc ? rc
              : fuota_pool_want (self->pool, key, first, count, due,
                    zclock_mono ());
}

static void
s_want_one (fuota_pool_want_t *self, const uint8_t *id, int64_t now)
{
    fuota_deployment_t deployment;
    fuota_group_t group;
    fuota_demand_t demand;
    uint8_t name [FUOTA_ID_SIZE];
    memcpy (name, id, sizeof name);
    fuota_key_t key = fuota_key_id (name);
    if (fuota_read_record (self->read, FUOTA_TABLE_DEPLOYMENT, &key,
            Deployment_fields, &deployment))
        return;
    bool wanted = !fuota_read_record (self->read, FUOTA_TABLE_GROUP, &key,
                      Group_fields, &group) &&
                  fuota_demand_make (&deployment, &group, now, &demand);
    fuota_mckey_wipe (&deployment, sizeof deployment);
    if (wanted)
        fuota_pool_want_run (self, &demand.key, demand.first, demand.count,
            demand.due, now);
}

void
fuota_pool_want_deployment (fuota_pool_want_t *self, const uint8_t *id,
    int64_t now)
{
    if (fuota_read_renew (self->read))
        return;
    s_want_one (self, id, now);
    fuota_read_reset (self->read);
}

void
fuota_pool_want_all (fuota_pool_want_t *self, int64_t now)
{
    //  Ids first: making room scans with the same snapshot
    fuota_scan_t scan;
    fuota_key_t all = fuota_key_bytes ("", 0);
    zchunk_t *ids = zchunk_new (NULL, 64 * FUOTA_ID_SIZE);
    assert (ids);
    if (fuota_read_renew (self->read) ||
        fuota_scan_open (&scan, self->read, FUOTA_TABLE_DEPLOYMENT, &all,
            NULL)) {
        zchunk_destroy (&ids);
        return;
    }
    while (fuota_scan_next (&scan))
        if (scan.key.size == FUOTA_ID_SIZE)
            zchunk_extend (ids, scan.key.data, FUOTA_ID_SIZE);
    fuota_scan_close (&scan);
    for (size_t at = 0; at < zchunk_size (ids); at += FUOTA_ID_SIZE)
        fuota_pool_want_deployment (self, zchunk_data (ids) + at, now);
    zchunk_destroy (&ids);
}

void
fuota_pool_want_missing (fuota_pool_want_t *self, const fuota_parity_key_t *key,
    int64_t now)
{
    if (s_put_image (self, key, now))
        fuota_pool_forget (self->pool, key->image);
}
