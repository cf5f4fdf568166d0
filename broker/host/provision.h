//  SPDX-License-Identifier: MIT
//
//  provision - what a rehearsal needs in a ChirpStack: tenant, application,
//  device profiles, gateways, devices with keys; created once, found again by
//  name, and removed.
//
//  What it makes has its mark in the description. It removes what is marked
//  and nothing else, and no tenant, application or profile that others have
//  put something into. Pure: calls are the caller's function, one after the
//  other.

#ifndef FUOTA_PROVISION_H
#define FUOTA_PROVISION_H

#include "broker/host/chirpstack_call.h"
#include "broker/host/lora.h"

//  An answer; the message is borrowed until the next call.
typedef struct {
    fuota_chirpstack_answer_t kind;
    char text [256];
    fuota_slice_t message;
} fuota_provision_answer_t;

typedef struct {
    //  Call "TenantService/List"; and tell the operator a line
    void (*call) (void *arg, const char *path, fuota_slice_t request,
        fuota_provision_answer_t *answer);
    void (*said) (void *arg, const char *line);
    void *arg;
    const fuota_lora_t *air;  //  The gateways and devices
    const char *region;
    uint32_t uplink_interval;  //  Of the devices, seconds
    uint32_t abp_rx1_delay;    //  Of devices that do not join, seconds
    const char *name;          //  Of tenant and application, and in the mark
    const char *tenant_id;     //  "": one is created
} fuota_provision_t;

//  Returns 0, or a code with the reason said; what was made until then stays,
//  and is found by the next attempt.
int fuota_provision_create (const fuota_provision_t *self);
int fuota_provision_remove (const fuota_provision_t *self);

#endif
