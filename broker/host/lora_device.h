//  SPDX-License-Identifier: MIT
//
//  lora_device - a LoRaWAN device around a simulated one: joins, class A
//  windows, MAC commands, sessions of groups in class C and B.
//
//  What it does with application payloads is sim_device.h. A state machine:
//  frames and the time go in, frames come out. It hears a frame only where
//  and when it is tuned to it. Times are UTC milliseconds; bytes from outside
//  are never asserted on. What it hears is in lora_device_hear.c, MAC commands
//  are in lora_mac.c.

#ifndef FUOTA_LORA_DEVICE_H
#define FUOTA_LORA_DEVICE_H

#include "broker/host/lora_plan.h"
#include "broker/host/lorawan.h"
#include "broker/host/sim_device.h"

#define FUOTA_LORA_CLOSED INT64_MIN  //  A window that is not open
#define FUOTA_LORA_WINDOW 30         //  How far a frame may be off its window

//  What all devices of a network share. Rates are permille.
typedef struct {
    fuota_sim_world_t world;
    const fuota_lora_plan_t *plan;
    uint64_t join_eui;
    uint32_t v11;           //  Devices that speak LoRaWAN 1.1
    uint32_t abp;           //  Devices with a session from birth
    uint8_t abp_rx1_delay;  //  Of those, seconds
    uint32_t adr;           //  1: they let the server choose their data rate
    uint8_t dr;             //  Of uplinks, until the server says otherwise
    uint8_t sub_band;       //  Fixed plans: of eight channels, 1 to 8
    uint16_t dev_nonce;     //  The first; a server takes each once only
} fuota_lora_world_t;

//  Counted by the devices of a network together.
typedef struct {
    uint64_t join_requests, joined, uplinks;
    uint64_t downlinks;  //  Understood by a class A device
    uint64_t casts;      //  Frames of groups, by a member
    uint64_t wrong_mic, replayed, malformed;
    uint64_t mac_commands;
} fuota_lora_counts_t;

//  MAC answers that wait for an uplink.
typedef struct {
    uint8_t size;
    uint8_t bytes [FUOTA_LORAWAN_OPTIONS];
} fuota_lora_options_t;

//  A frame on its way from a device
typedef struct {
    fuota_lora_radio_t radio;
    int64_t start, end;
    uint8_t channel;
    size_t size;
    uint8_t bytes [FUOTA_LORAWAN_FRAME];
} fuota_lora_uplink_t;

//  What one frame to a group was deciphered to, for the next device with the
//  same keys. All zero before the first.
typedef struct {
    bool used;
    uint8_t nwk_s_key [16], app_s_key [16];
    fuota_lorawan_data_t data;
} fuota_lora_cast_t;

typedef struct {
    const fuota_lora_world_t *world;
    fuota_lora_counts_t *counts;
    fuota_sim_device_t app;
    uint64_t chance;
    fuota_lorawan_root_t root;
    fuota_lorawan_keys_t keys;
    bool abp, joined;
    uint16_t dev_nonce;
    uint8_t tries;  //  To join
    int64_t join_at;
    int64_t join_nonce;  //  Last one, -1 = none
    uint32_t dev_addr;
    uint32_t f_cnt_up;
    int64_t f_cnt_down, a_f_cnt_down;  //  Last heard; the second is of 1.1
    uint8_t dr, channel_count;
    uint32_t channel [16];      //  Not of fixed plans
    uint32_t rx1_channel [16];  //  Hz, 0 = as the plan says
    uint8_t mask [FUOTA_LORA_CHANNELS / 8];
    uint8_t rx1_dr_offset, rx1_delay, rx2_dr;
    uint32_t rx2_frequency;
    fuota_lora_options_t once, sticky;  //  Sticky: until a downlink comes
    bool introducing;                   //  1.1: RekeyInd or ResetInd is due
    bool ack;                           //  A confirmed downlink was heard
    uint16_t acked;
    int64_t ack_at;
    int64_t send_start, send_end;  //  The last uplink
    int64_t rx1_at, rx2_at;
    fuota_lora_radio_t rx1;
    int64_t busy_until;  //  Windows, or a frame that is being received
    uint32_t receiving;  //  The network's number of it, 0 = none
} fuota_lora_device_t;

//  Begin device number i.
void fuota_lora_device_init (fuota_lora_device_t *self,
    const fuota_lora_world_t *world, fuota_lora_counts_t *counts, uint32_t i);
void fuota_lora_device_release (fuota_lora_device_t *self);

//  When it wants to send; INT64_MAX if never.
int64_t fuota_lora_device_due (const fuota_lora_device_t *self);

//  Take the frame that is due. False if none is.
bool fuota_lora_device_send (fuota_lora_device_t *self, int64_t now,
    fuota_lora_uplink_t *frame);

//  Does it listen for a frame that begins then? In a class A window, or in a
//  session of a group.
typedef enum {
    FUOTA_LORA_DEAF,
    FUOTA_LORA_CLASS_A,
    FUOTA_LORA_GROUP
} fuota_lora_tuned_t;
fuota_lora_tuned_t fuota_lora_device_tuned (const fuota_lora_device_t *self,
    const fuota_lora_radio_t *radio, int64_t start);

//  The frame it was tuned to has come, complete now.
void fuota_lora_device_hear (fuota_lora_device_t *self,
    const fuota_lora_radio_t *radio, fuota_slice_t frame, int64_t start,
    int64_t now, fuota_lora_cast_t *cast);

//  MAC commands of a downlink.
void fuota_lora_mac (fuota_lora_device_t *self, const uint8_t *bytes,
    size_t size);

#endif
