//  SPDX-License-Identifier: MIT
//
//  choice - which gateways a deployment is sent by, from the receptions seen.
//
//  Reads the radio's records (radio.h) and changes nothing. A gateway that the
//  host calls offline or has never seen is left out; where the host has said
//  how its gateways are, so is one it did not name: it is not ours to use.

#ifndef FUOTA_CHOICE_H
#define FUOTA_CHOICE_H

#include "broker/cover.h"
#include "schema/db.h"
#include "schema/record.h"

#define FUOTA_CHOICE_NAMED 16  //  Devices named one by one

typedef struct {
    bool failed;     //  No memory
    bool automatic;  //  Chosen, not named by the wish
    uint32_t total;  //  Devices, each once
    size_t count;
    uint64_t gateways [FUOTA_COVER_MOST];
    uint32_t devices [FUOTA_COVER_MOST];  //  That each of them reaches
    uint32_t unheard;  //  By nobody, or by none that may be used
    uint32_t missed;   //  Heard, but out of reach of these
    size_t named;      //  Of both, the first ones
    uint64_t names [FUOTA_CHOICE_NAMED];
} fuota_choice_t;

//  For devices in order, perhaps with duplicates: choose, or if gateways are
//  given look what they reach.
void fuota_choice_make (fuota_read_t *read, const uint64_t *devices,
    size_t count, const uint64_t *gateways, size_t gateway_count,
    fuota_choice_t *out);

//  Why this choice cannot be used, in words for a fault ("allowed ..."), or
//  false: nobody was heard, or fewer than nine in ten, or 16 are not enough.
bool fuota_choice_wrong (const fuota_choice_t *choice, char *words,
    size_t size);

#endif
