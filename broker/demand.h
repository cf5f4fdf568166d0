//  SPDX-License-Identifier: MIT
//
//  demand - the parity a deployment will send, and when. Pure.

#ifndef FUOTA_DEMAND_H
#define FUOTA_DEMAND_H

#include "schema/fec_message.h"
#include "schema/record.h"

typedef struct {
    fuota_parity_key_t key;
    uint32_t first, count;  //  Blocks
    int64_t due;
} fuota_demand_t;

//  What is still to be sent of the rounds that are decided; before the first
//  one, its planned redundancy. False if that is nothing, or not to be had.
bool fuota_demand_make (const fuota_deployment_t *deployment,
    const fuota_group_t *group, int64_t now, fuota_demand_t *demand);

//  The parity of a deployment.
fuota_parity_key_t fuota_demand_key (const fuota_deployment_t *deployment);

#endif
