//  SPDX-License-Identifier: MIT
//
//  device_kind - what tags of a device, or of its profile, say of its
//  packages. Pure.
//
//      fuota_ts003, fuota_ts004, fuota_ts005         1, 1.0.0, 2, 2.0.0;
//                                                    fuota_ts003 also "none"
//      fuota_port003, fuota_port004, fuota_port005   1 to 223
//      fuota_max_nb_frag                             1 to 16382
//      fuota_max_frag_size                           1 to 255
//
//  Other tags are not ours. One of these with another value is a fault of the
//  kind, for who tags wants it to count.

#ifndef FUOTA_DEVICE_KIND_H
#define FUOTA_DEVICE_KIND_H

#include "schema/record.h"

//  Take a tag into a kind.
void fuota_device_kind_tag (fuota_kind_t *self, const char *key,
    const char *value);

//  What the profile says, where the device itself says nothing.
void fuota_device_kind_inherit (fuota_kind_t *self,
    const fuota_kind_t *profile);

//  Do tags say the same of both? Profiles are not compared.
bool fuota_device_kind_same (const fuota_kind_t *a, const fuota_kind_t *b);

#endif
