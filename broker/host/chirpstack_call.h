//  SPDX-License-Identifier: MIT
//
//  chirpstack_call - requests to ChirpStack's API as bytes, its answers as
//  values, and what its status codes mean (they are irregular). Pure.
//
//  Writers return the size, 0 if there was no room. Readers return 0, or
//  FUOTA_EFORMAT, or FUOTA_ENOTFOUND if what they look for is not in it.

#ifndef FUOTA_CHIRPSTACK_CALL_H
#define FUOTA_CHIRPSTACK_CALL_H

#include <stdbool.h>
#include "schema/record.h"

typedef enum {
    FUOTA_ANSWER_GOOD,
    FUOTA_ANSWER_LATER,    //  Not carried out; may work later
    FUOTA_ANSWER_LOST,     //  May have been carried out, may work later
    FUOTA_ANSWER_ALREADY,  //  Such a thing is there, or another must be first
    FUOTA_ANSWER_GONE,     //  There is no such thing
    FUOTA_ANSWER_TOKEN,    //  The token is not good
    FUOTA_ANSWER_UNSURE,   //  The token is not good, or there is no such thing
    FUOTA_ANSWER_NEVER     //  Never as it is
} fuota_chirpstack_answer_t;

//  By the gRPC status and its text; unprocessed if the host cannot have acted.
fuota_chirpstack_answer_t fuota_chirpstack_classify (int status,
    bool unprocessed, const char *text);

//  Requests that name one thing: by UUID or DevEUI in field 1.
size_t fuota_chirpstack_ask (const char *id, uint8_t *out, size_t size);

//  List of groups by a name in an application; the group of exactly that name.
size_t fuota_chirpstack_ask_groups (const char *name, const char *application,
    uint8_t *out, size_t size);
int fuota_chirpstack_got_groups (fuota_slice_t message, const char *name,
    char id [41]);

//  A group as GROUP_CREATE wants it; the host's name of it. Its region need
//  not be known.
size_t fuota_chirpstack_ask_create (const fuota_downlink_t *want, uint8_t *out,
    size_t size);
int fuota_chirpstack_got_id (fuota_slice_t message, char id [41]);

size_t fuota_chirpstack_ask_gateway (const char *group, uint64_t gateway,
    uint8_t *out, size_t size);

//  How many gateways a group has.
size_t fuota_chirpstack_ask_gateways (const char *group, uint8_t *out,
    size_t size);
int fuota_chirpstack_got_total (fuota_slice_t message, uint32_t *total);

//  A group as it is: its next counter and its address.
int fuota_chirpstack_got_group (fuota_slice_t message, uint32_t *f_cnt,
    uint32_t *mc_addr);

//  Whether a group's queue has anything in it.
int fuota_chirpstack_got_waiting (fuota_slice_t message, bool *waiting);

//  A fragment into the group's queue; the counter it was given.
size_t fuota_chirpstack_ask_fragment (const fuota_downlink_t *want,
    uint8_t *out, size_t size);
int fuota_chirpstack_got_counter (fuota_slice_t message, uint32_t *f_cnt);

//  A command into a device's queue; and the queue item that is this command.
size_t fuota_chirpstack_ask_unicast (const fuota_downlink_t *want, uint8_t *out,
    size_t size);
int fuota_chirpstack_got_queue (fuota_slice_t message,
    const fuota_downlink_t *want, char id [41]);

//  Application and profile of a device; a profile's LoRaWAN version is 1.1.
int fuota_chirpstack_got_device (fuota_slice_t message, char application [41],
    char profile [41]);
int fuota_chirpstack_got_profile (fuota_slice_t message, bool *lorawan_1_1);

//  The key that a device derives its McRootKey from, and which it is (Outcome
//  root). FUOTA_ENOTFOUND if it has none.
int fuota_chirpstack_got_keys (fuota_slice_t message, bool lorawan_1_1,
    uint8_t key [16]);

//  UpdateDeviceRequest from a GetDeviceResponse: the device as it was, bytes
//  we do not know too, but with these tags. out holds as much as the message
//  and FUOTA_CHIRPSTACK_TAGS. *size is the room before and the size after.
#define FUOTA_CHIRPSTACK_TAGS 512
int fuota_chirpstack_retag (fuota_slice_t message, const fuota_downlink_t *want,
    uint8_t *out, size_t *size);

//  A command/down body.
size_t fuota_chirpstack_command (const fuota_downlink_t *want, const char *id,
    bool json, uint8_t *out, size_t size);

#endif
