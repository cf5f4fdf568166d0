//  SPDX-License-Identifier: MIT
//
//  chirpstack_list - the API's lists: requests as bytes, and items of a page.
//  Pure.
//
//  Writers return the size, 0 if there was no room. Readers call take with
//  each item that can be read, leave out what cannot, and return 0 or
//  FUOTA_EFORMAT. total is how many there are, in all pages.

#ifndef FUOTA_CHIRPSTACK_LIST_H
#define FUOTA_CHIRPSTACK_LIST_H

#include <stdbool.h>
#include "chirpstack.pb.h"
#include "schema/record.h"

//  Name and tenant of an application.
int fuota_chirpstack_got_application (fuota_slice_t message,
    cs_Application *application);

//  How many applications a tenant has.
size_t fuota_chirpstack_ask_applications (const char *tenant, uint8_t *out,
    size_t size);

//  A tenant's gateways, counted by their state.
size_t fuota_chirpstack_ask_tenant_gateways (const char *tenant,
    uint32_t offset, uint8_t *out, size_t size);
int fuota_chirpstack_got_tenant_gateways (fuota_slice_t message,
    uint32_t count [3], uint32_t *items, uint32_t *total);

//  Devices of an application that have all of these tags, by DevEUI.
typedef void (fuota_chirpstack_device_fn) (void *arg,
    const cs_DeviceListItem *item, const fuota_kind_t *tags);
size_t fuota_chirpstack_ask_devices (const fuota_question_t *question,
    uint32_t offset, uint32_t limit, uint8_t *out, size_t size);
int fuota_chirpstack_got_devices (fuota_slice_t message,
    fuota_chirpstack_device_fn *take, void *arg, uint32_t *items,
    uint32_t *total);

//  Application, profile and tags of one device (asked for by its DevEUI).
int fuota_chirpstack_got_tagged (fuota_slice_t message, char application [41],
    char profile [41], fuota_kind_t *tags);

//  Profiles of the devices of an application (asked for by its id).
typedef void (
    fuota_chirpstack_profile_fn) (void *arg, const cs_ProfileItem *item);
int fuota_chirpstack_got_profiles (fuota_slice_t message,
    fuota_chirpstack_profile_fn *take, void *arg);

//  What the host itself speaks with devices of a profile, and what its tags
//  say of them.
int fuota_chirpstack_got_kind (fuota_slice_t message, fuota_kind_t *kind);

//  The host's own FUOTA deployments, and the devices of one.
typedef void (
    fuota_chirpstack_deployment_fn) (void *arg, const cs_DeploymentItem *item);
size_t fuota_chirpstack_ask_deployments (const char *application,
    uint32_t offset, uint8_t *out, size_t size);
int fuota_chirpstack_got_deployments (fuota_slice_t message,
    fuota_chirpstack_deployment_fn *take, void *arg, uint32_t *items,
    uint32_t *total);
typedef void (
    fuota_chirpstack_member_fn) (void *arg, const cs_MemberItem *item);
size_t fuota_chirpstack_ask_members (const char *deployment, uint32_t offset,
    uint32_t limit, uint8_t *out, size_t size);
int fuota_chirpstack_got_members (fuota_slice_t message,
    fuota_chirpstack_member_fn *take, void *arg, uint32_t *items,
    uint32_t *total);

#endif
