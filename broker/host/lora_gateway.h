//  SPDX-License-Identifier: MIT
//
//  lora_gateway - a gateway as ChirpStack's MQTT topics see it: its messages
//  as bytes, and a transmitter that does one thing at a time.
//
//  It judges a downlink as forwarders do: the alternatives in their order, the
//  first that can be sent is queued, and what became of each is acknowledged
//  at once. It has GPS time. Pure; times are UTC milliseconds; bytes from
//  outside are never asserted on.

#ifndef FUOTA_LORA_GATEWAY_H
#define FUOTA_LORA_GATEWAY_H

#include "broker/host/lora_device.h"

#define FUOTA_LORA_SLOTS 32     //  Downlinks that may wait in a gateway
#define FUOTA_LORA_MESSAGE 512  //  Largest message of a gateway

//  gw.TxAckStatus
typedef enum {
    FUOTA_LORA_IGNORED,
    FUOTA_LORA_OK,
    FUOTA_LORA_TOO_LATE,
    FUOTA_LORA_TOO_EARLY,
    FUOTA_LORA_COLLISION,
    FUOTA_LORA_COLLISION_BEACON,
    FUOTA_LORA_TX_FREQ,
    FUOTA_LORA_TX_POWER,
    FUOTA_LORA_GPS_UNLOCKED,
    FUOTA_LORA_QUEUE_FULL,
    FUOTA_LORA_INTERNAL,
    FUOTA_LORA_DUTY_CYCLE,
    FUOTA_LORA_STATUSES
} fuota_lora_status_t;

//  What it says, and under which topic
typedef enum {
    FUOTA_LORA_SAY_UP,     //  event/up
    FUOTA_LORA_SAY_ACK,    //  event/ack
    FUOTA_LORA_SAY_STATS,  //  event/stats
    FUOTA_LORA_SAY_CONN    //  state/conn, retained
} fuota_lora_say_t;

typedef struct {
    uint32_t gateway;
    fuota_lora_say_t say;
    size_t size;
    uint8_t body [FUOTA_LORA_MESSAGE];
} fuota_lora_message_t;

//  A frame in the transmitter
typedef struct {
    fuota_lora_radio_t radio;
    int64_t start, end;
    size_t size;
    uint8_t bytes [FUOTA_LORAWAN_FRAME];
} fuota_lora_emission_t;

typedef struct {
    uint64_t received;  //  Uplinks
    uint64_t commands;  //  Downlink frames, well formed
    uint64_t emitted;
    uint64_t malformed;
    uint64_t status [FUOTA_LORA_STATUSES];  //  Of items
} fuota_lora_gateway_stats_t;

typedef struct {
    const fuota_lora_world_t *world;
    uint32_t number;
    uint64_t eui;
    uint64_t chance;
    uint32_t refusal;  //  Downlinks refused for no reason, permille
    int64_t stats_at;
    fuota_lora_gateway_stats_t stats, told;  //  Told: by the last report
    //  When the transmitter is in use; the past is kept a while, since nothing
    //  is heard while it sends
    struct {
        int64_t start, end;
    } slot [4 * FUOTA_LORA_SLOTS];
    unsigned slots;
} fuota_lora_gateway_t;

void fuota_lora_gateway_init (fuota_lora_gateway_t *self,
    const fuota_lora_world_t *world, uint32_t number, uint64_t eui);

//  A command/down has come. Returns 0 with an acknowledgement to send and,
//  if *queued, a frame that will be on air; or FUOTA_EFORMAT.
int fuota_lora_gateway_command (fuota_lora_gateway_t *self, fuota_slice_t body,
    int64_t now, fuota_lora_message_t *ack, fuota_lora_emission_t *emission,
    bool *queued);

//  A frame of a device has come whole. Returns true with a message to send;
//  false if it was sending itself.
bool fuota_lora_gateway_hear (fuota_lora_gateway_t *self,
    const fuota_lora_uplink_t *frame, fuota_lora_message_t *up);

void fuota_lora_gateway_report (fuota_lora_gateway_t *self, int64_t now,
    fuota_lora_message_t *stats);

//  What an observer of the connection is told.
void fuota_lora_gateway_state (const fuota_lora_gateway_t *self, bool online,
    fuota_lora_message_t *state);

//  "OK", "TOO_LATE", ...
const char *fuota_lora_status_name (unsigned status);

#endif
