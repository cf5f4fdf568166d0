//  SPDX-License-Identifier: MIT

#include <stdio.h>
#include <stdlib.h>
#include "fec_worker/source.h"
#include "schema/parity.h"

#define BLOCKS 2048  //  In one commit

typedef struct {
    fuota_source_t base;
    fuota_parity_t *parity;
    fuota_view_t *view;
    fuota_parity_block_t blocks [BLOCKS];
    fuota_parity_key_t keys [BLOCKS];  //  Of each delivery
    size_t count, key_count;
} self_t;

static int
s_image (fuota_source_t *base, const fuota_parity_key_t *key, int64_t now,
    fuota_slice_t *image)
{
    self_t *self = (self_t *) base;
    (void) now;
    for (int i = 0; i < 2; i++) {
        bool fresh = !self->view;
        if (fresh)
            self->view = fuota_parity_view (self->parity);
        if (!self->view)
            return FUOTA_EDB;
        int rc = fuota_view_image (self->view, key->image, image);
        if (!rc)
            return image->size == key->image_size ? 0 : FUOTA_ENOTFOUND;
        //  The snapshot may be older than the image
        fuota_view_end (&self->view);
        if (fresh || rc != FUOTA_ENOTFOUND)
            return rc;
    }
    return FUOTA_ENOTFOUND;
}

static int
s_deliver (fuota_source_t *base, const Grant *grant, uint32_t first,
    uint32_t count, fuota_slice_t rows)
{
    self_t *self = (self_t *) base;
    if (count > BLOCKS - self->count)
        return FUOTA_EFULL;
    fuota_parity_key_t *key = &self->keys [self->key_count++];
    *key = grant->parity;
    for (uint32_t i = first; i < first + count; i++) {
        size_t size =
            (size_t) fuota_parity_block_rows (key, i) * key->frag_size;
        self->blocks [self->count++] =
            (fuota_parity_block_t){ key, i, fuota_slice (rows.data, size) };
        rows = fuota_slice (rows.data + size, rows.size - size);
    }
    return 0;
}

static int
s_flush (fuota_source_t *base)
{
    self_t *self = (self_t *) base;
    int rc = 0;
    fuota_view_end (&self->view);
    if (self->count)
        rc = fuota_parity_put (self->parity, self->blocks, self->count);
    self->count = self->key_count = 0;
    return rc;
}

static void
s_part (fuota_source_t *base, const fuota_fec_message_t *message, int64_t now)
{
    (void) base;
    (void) message;
    (void) now;
}

static void
s_connect (fuota_source_t *base)
{
    self_t *self = (self_t *) base;
    fuota_view_end (&self->view);
    self->count = self->key_count = 0;
}

static void
s_destroy (fuota_source_t **base_p)
{
    self_t *self = (self_t *) *base_p;
    if (!self)
        return;
    fuota_view_end (&self->view);
    fuota_parity_close (&self->parity);
    free (self);
    *base_p = NULL;
}

static const char *
s_error (const fuota_source_t *base)
{
    return fuota_parity_error (((const self_t *) base)->parity);
}

fuota_source_t *
fuota_source_near (const char *folder, char *error, size_t size)
{
    self_t *self = calloc (1, sizeof *self);
    if (!self) {
        snprintf (error, size, "out of memory");
        return NULL;
    }
    int rc;
    self->base = (fuota_source_t){ s_image, s_deliver, s_flush, s_part,
        s_connect, s_destroy, s_error, true };
    self->parity = fuota_parity_open (folder, 0, &rc, error, size);
    if (self->parity)
        return &self->base;
    free (self);
    return NULL;
}
