//  SPDX-License-Identifier: MIT
//
//  router - event to workers: who of them has to see it.
//
//  Most of a network's traffic concerns nobody here, so the router looks a
//  device up once (one seek in the database) and drops what is not ours. It
//  keeps nothing in memory that could disagree with the disk.

#ifndef FUOTA_ROUTER_H
#define FUOTA_ROUTER_H

#include "schema/db.h"
#include "schema/record.h"

enum { FUOTA_TO_DEPLOYMENTS = 1, FUOTA_TO_CLOCK = 2, FUOTA_TO_RADIO = 4 };

//  Mask of the workers that an event concerns. port003 is the clock's port of
//  devices that are in no deployment. Joins concern the deployments, gateways
//  the radio.
unsigned fuota_router_take (fuota_read_t *read, const fuota_event_t *event,
    uint32_t port003);

#endif
