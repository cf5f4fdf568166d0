//  SPDX-License-Identifier: MIT
//
//  lora_plan - a region as a device sees it: channels and data rates of
//  uplinks, and where their answers come. What is the same for downlinks of
//  all kinds is in workers/package/region.h. Pure.

#ifndef FUOTA_LORA_PLAN_H
#define FUOTA_LORA_PLAN_H

#include <stddef.h>
#include "workers/package/region.h"

#define FUOTA_LORA_CHANNELS 72

//  How a frame is on air
typedef struct {
    uint32_t frequency;  //  Hz
    uint32_t bandwidth;  //  Hz; 0 for FSK
    uint8_t sf;          //  0 for FSK
} fuota_lora_radio_t;

typedef struct fuota_lora_plan fuota_lora_plan_t;

//  Plan of a region by its name, as in region.h. NULL if there is none: CN470
//  has several, which depend on the antenna.
const fuota_lora_plan_t *fuota_lora_plan_find (const char *name);
const fuota_region_t *fuota_lora_plan_region (const fuota_lora_plan_t *self);

//  common.Region of ChirpStack's API.
unsigned fuota_lora_plan_number (const fuota_lora_plan_t *self);

//  Channels are numbered as LinkADRReq has them. In a fixed plan all exist;
//  otherwise the first few, and what the server adds.
bool fuota_lora_plan_fixed (const fuota_lora_plan_t *self);
unsigned fuota_lora_plan_channels (const fuota_lora_plan_t *self);
uint32_t fuota_lora_plan_channel (const fuota_lora_plan_t *self, unsigned i);

//  An uplink's spreading factor and bandwidth, and how much payload it holds
//  at least, by any version of the specification. False if there is no such
//  rate, or it is not LoRa.
bool fuota_lora_plan_up (const fuota_lora_plan_t *self, unsigned dr,
    fuota_lora_radio_t *radio, uint8_t *max_n);

//  RX1 after an uplink in that channel: its default frequency, and data rate.
uint32_t fuota_lora_plan_rx1 (const fuota_lora_plan_t *self, unsigned channel,
    uint32_t frequency);
uint8_t fuota_lora_plan_rx1_dr (const fuota_lora_plan_t *self, unsigned dr,
    unsigned offset);

//  A downlink's spreading factor and bandwidth. False if there is no such
//  rate.
bool fuota_lora_plan_down (const fuota_lora_plan_t *self, unsigned dr,
    fuota_lora_radio_t *radio);

//  Where a group's ping slot is if its session says no frequency (0).
uint32_t fuota_lora_plan_ping (const fuota_lora_plan_t *self, uint32_t mc_addr,
    uint32_t beacon_time);

//  Air time of a frame of that size, milliseconds.
uint32_t fuota_lora_plan_air_time (const fuota_lora_radio_t *radio,
    size_t size);

#endif
