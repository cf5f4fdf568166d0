//  SPDX-License-Identifier: MIT
//
//  uses - which deployments there are of an image, over or not.
//
//  Read once for a request, however many images it looks at.

#ifndef FUOTA_USES_H
#define FUOTA_USES_H

#include "schema/db.h"

typedef struct {
    uint8_t image [32], deployment [FUOTA_ID_SIZE];
} fuota_use_t;

typedef struct {
    fuota_use_t *list;  //  Sorted by image, then by deployment
    size_t count;
} fuota_uses_t;

//  Of all deployments. Release it, whatever comes back. Returns 0, FUOTA_EFULL
//  without memory, or why a record cannot be read: then nothing is known, and
//  no image may be taken for unused.
int fuota_uses_read (fuota_uses_t *self, fuota_read_t *read);
void fuota_uses_release (fuota_uses_t *self);

//  The first of an image's, and how many. NULL if there is none.
const fuota_use_t *fuota_uses_of (const fuota_uses_t *self,
    const uint8_t image [32], size_t *count);

#endif
