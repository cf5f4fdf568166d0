//  SPDX-License-Identifier: MIT
//
//  chirpstack_event - ChirpStack's integration messages as our values. Pure.
//
//  The body says itself whether it is JSON or protobuf by its first byte. It
//  comes from a broker that others may write to: what is not understood is
//  refused as a whole, what is unknown is skipped.

#ifndef FUOTA_CHIRPSTACK_EVENT_H
#define FUOTA_CHIRPSTACK_EVENT_H

#include <stdbool.h>
#include "schema/record.h"

#define FUOTA_CHIRPSTACK_BODY (1u << 20)  //  Larger ones are refused
#define FUOTA_CHIRPSTACK_GATEWAYS 8       //  Of an event, as many as we keep

typedef enum {
    FUOTA_CHIRPSTACK_NOTHING,  //  Understood, and of no concern to us
    FUOTA_CHIRPSTACK_SAID,     //  UPLINK or JOIN: event
    FUOTA_CHIRPSTACK_FATE      //  Of a queue item: item, fate, words
} fuota_chirpstack_kind_t;

typedef struct {
    fuota_chirpstack_kind_t kind;
    bool json;
    fuota_event_t event;  //  Of any kind: dev_eui, application
    char tenant [41];     //  "" if it is not said
    char profile [41];    //  The same
    uint8_t dedup [16];   //  SAID: the host's number of it, zero if none
    uint8_t item [16];    //  FATE: the queue item's UUID
    OutcomeKind fate;     //  SENT, REFUSED or EXPIRED
    const char *words;    //  Why, "" if there is nothing to say
} fuota_chirpstack_said_t;

//  Read the body of an event of that type ("up", "join", "txack", "log", ...).
//  An uplink that does not say when it was received was received now. Returns
//  0 or FUOTA_EFORMAT.
int fuota_chirpstack_event (const char *type, fuota_slice_t body, int64_t now,
    int leap_extra, fuota_chirpstack_said_t *out);

//  ---------------------------------------------------------------------
//  Between chirpstack_event.c and chirpstack_json.c: what both encodings say

typedef struct {
    bool has_time, has_gps, encrypted;
    int64_t time, gps;  //  Milliseconds of UTC; since the GPS epoch
    const char *dedup, *application, *tenant, *profile, *dev_eui, *item;
    uint32_t f_cnt, f_port, code;
    uint8_t data [255];
    size_t data_size;
    uint64_t gateways [FUOTA_CHIRPSTACK_GATEWAYS];
    size_t gateway_count;
} fuota_chirpstack_raw_t;

//  Put together what was read. Returns 0 or FUOTA_EFORMAT.
int fuota_chirpstack_said (const char *type, const fuota_chirpstack_raw_t *raw,
    int64_t now, int leap_extra, fuota_chirpstack_said_t *out);

//  The same from JSON.
int fuota_chirpstack_json (const char *type, fuota_slice_t body, int64_t now,
    int leap_extra, fuota_chirpstack_said_t *out);

#endif
