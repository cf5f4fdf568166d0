//  SPDX-License-Identifier: MIT
//
//  wish_private - what the parts of the check share: wish.c looks at what the
//  wish says, wish_devices.c at whom it is for, wish_plan.c makes the plan.

#ifndef FUOTA_WISH_PRIVATE_H
#define FUOTA_WISH_PRIVATE_H

#include <stdio.h>
#include "broker/wish.h"
#include "workers/package/region.h"
#include "workers/plan.h"

typedef struct {
    const fuota_wish_t *wish;
    const fuota_wish_facts_t *facts;
    fuota_deployment_t *deployment;
    fuota_faults_t *faults;
    const fuota_region_t *region;  //  NULL: its name is wrong
    const fuota_rate_t *rate;      //  NULL: so is dr, or the region
} fuota_wish_check_t;

//  Region, rate, frequency, fragments, parity, period, window. The rest of
//  the deployment is filled already.
void fuota_wish_plan (fuota_wish_check_t *self);

//  Devices and FragIndex: what is known of each of them.
void fuota_wish_devices (fuota_wish_check_t *self);

//  Text without control characters.
bool fuota_wish_printable (const char *text);

void fuota_wish_fault_eui (fuota_wish_check_t *self, const char *field,
    uint64_t eui, const char *allowed);

//  A number as a fault's value.
typedef struct {
    char text [24];
} fuota_wish_number_t;

static inline fuota_wish_number_t
fuota_wish_number (int64_t value)
{
    fuota_wish_number_t number;
    snprintf (number.text, sizeof number.text, "%lld", (long long) value);
    return number;
}

static inline uint32_t
fuota_wish_or (uint32_t value, uint32_t otherwise)
{
    return value ? value : otherwise;
}

#endif
