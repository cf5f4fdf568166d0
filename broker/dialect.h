//  SPDX-License-Identifier: MIT
//
//  dialect - what the devices of a deployment speak: one dialect for all.
//
//  From, in this order: the wish; the configuration's profile section that is
//  called as the device's profile at the host, by its name or id; tags; else
//  version 1 on the usual ports. Devices of one deployment share a multicast
//  group, and coded fragments differ by version: devices that do not speak
//  alike are a fault that names them. Pure.

#ifndef FUOTA_DIALECT_H
#define FUOTA_DIALECT_H

#include "broker/faults.h"
#include "broker/known.h"
#include "broker/wish.h"

//  Where a dialect comes from. All borrowed.
typedef struct {
    const fuota_wish_t *wish;
    const fuota_profile_t *profiles;
    size_t profile_count;
    const fuota_known_t *known;  //  Sorted
    const uint64_t *devices;     //  Sorted upwards
    size_t device_count;
} fuota_dialect_facts_t;

//  Of one kind of device, without the wish.
void fuota_dialect_kind (const fuota_dialect_facts_t *facts,
    const fuota_kind_t *kind, fuota_dialect_t *out);

//  Of all devices, without the wish's own versions and ports, which go over
//  it. Adds a fault for each set of devices that speaks otherwise than the
//  first, for devices the host does not know, that are in a FUOTA deployment
//  of its own, or whose tags were not understood. Of those that share a
//  package with the host itself there is a finding in warnings.
void fuota_dialect_find (const fuota_dialect_facts_t *facts,
    fuota_dialect_t *out, fuota_faults_t *faults, fuota_known_t *warnings);

#endif
