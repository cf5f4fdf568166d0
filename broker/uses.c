//  SPDX-License-Identifier: MIT

#include <stdlib.h>
#include <string.h>
#include "broker/uses.h"
#include "schema/record.h"
#include "workers/package/mckey.h"

//  Room doubles: it is full at each power of two.
static int
s_add (fuota_uses_t *self, const fuota_use_t *use)
{
    if (!(self->count & (self->count - 1))) {
        size_t room = self->count ? 2 * self->count : 1;
        fuota_use_t *list = realloc (self->list, room * sizeof *list);
        if (!list)
            return FUOTA_EFULL;
        self->list = list;
    }
    self->list [self->count++] = *use;
    return 0;
}

static int
s_compare (const void *a, const void *b)
{
    return memcmp (a, b, sizeof (fuota_use_t));
}

int
fuota_uses_read (fuota_uses_t *self, fuota_read_t *read)
{
    fuota_scan_t scan;
    fuota_deployment_t deployment = { .nb_frag = 0 };
    *self = (fuota_uses_t){ .list = NULL };
    int rc = fuota_scan_open (&scan, read, FUOTA_TABLE_DEPLOYMENT, NULL, NULL);
    if (rc)
        return rc;
    while (!rc && fuota_scan_next (&scan)) {
        fuota_use_t use;
        rc = scan.key.size != sizeof use.deployment
                 ? FUOTA_EFORMAT
                 : fuota_record_decode (Deployment_fields, &deployment,
                       scan.value);
        if (!rc) {
            memcpy (use.image, deployment.image, sizeof use.image);
            memcpy (use.deployment, scan.key.data, sizeof use.deployment);
            rc = s_add (self, &use);
        }
        fuota_mckey_wipe (deployment.mc_key, sizeof deployment.mc_key);
    }
    fuota_scan_close (&scan);
    if (self->count)
        qsort (self->list, self->count, sizeof *self->list, s_compare);
    return rc;
}

void
fuota_uses_release (fuota_uses_t *self)
{
    free (self->list);
    *self = (fuota_uses_t){ .list = NULL };
}

const fuota_use_t *
fuota_uses_of (const fuota_uses_t *self, const uint8_t image [32],
    size_t *count)
{
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (memcmp (self->list [middle].image, image, 32) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (*count = 0; low + *count < self->count; ++*count)
        if (memcmp (self->list [low + *count].image, image, 32))
            break;
    return *count ? &self->list [low] : NULL;
}
