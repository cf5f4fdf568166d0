//  SPDX-License-Identifier: MIT
//
//  lora - simulated gateways and LoRaWAN devices for a real ChirpStack.
//
//  A core like any other: what gateways are told over MQTT and the time go
//  in, what they say comes out. It reads no clock and draws all chance from
//  its seed. Devices are heard by some gateways, with losses both ways, and
//  hear what these send where and when they are tuned to it
//  (lora_device.h, lora_gateway.h). One thread at a time; it owns its memory.

#ifndef FUOTA_LORA_H
#define FUOTA_LORA_H

#include "broker/host/lora_gateway.h"

typedef struct fuota_lora fuota_lora_t;

//  Of sim: seed, devices, first_eui, versions, uplink_interval, the losses
//  (loss of group frames, unicast_loss of uplinks and class A downlinks, for
//  each gateway by itself), dead, refusing, quirks, clocks, decoders,
//  gateways, gateway_refusal. Rates are permille.
typedef struct {
    char region [17];
    uint64_t first_gateway;  //  EUIs of gateways count up from here
    uint64_t join_eui;
    uint32_t v11;            //  Devices of LoRaWAN 1.1, the others 1.0.x
    uint32_t abp;            //  Devices that do not join
    uint32_t abp_rx1_delay;  //  Of those, seconds
    uint32_t adr;            //  0 or 1
    uint32_t dr;             //  Of uplinks, at first
    uint32_t sub_band;       //  1 to 8, in US915 and AU915
    uint32_t reach;          //  Gateways that hear a device
    uint32_t dev_nonce;      //  16 bits; another at each start, or a server
                             //  refuses to join the same device twice
} fuota_lora_config_t;

void fuota_lora_defaults (fuota_lora_config_t *config);

//  Create it. Caller owns it. NULL if the region has no plan (lora_plan.h) or
//  no such data rate, or there is no memory.
fuota_lora_t *fuota_lora_new (const fuota_lora_config_t *config,
    const fuota_sim_config_t *sim, int64_t now);
void fuota_lora_destroy (fuota_lora_t **self_p);

//  A command/down has come for that gateway.
void fuota_lora_hear (fuota_lora_t *self, uint32_t gateway, fuota_slice_t body,
    int64_t now);

//  Do what is due up to now; and when that is again, INT64_MAX if never.
void fuota_lora_tick (fuota_lora_t *self, int64_t now);
int64_t fuota_lora_due (const fuota_lora_t *self);

//  Take the next message out. False if there is none.
bool fuota_lora_say (fuota_lora_t *self, fuota_lora_message_t *message);

//  The message that says a gateway is there, or not.
void fuota_lora_state (const fuota_lora_t *self, uint32_t gateway, bool online,
    fuota_lora_message_t *message);

uint32_t fuota_lora_gateways (const fuota_lora_t *self);
uint64_t fuota_lora_gateway_eui (const fuota_lora_t *self, uint32_t gateway);

//  ---------------------------------------------------------------------
//  What an observer sees

typedef struct {
    fuota_lora_counts_t devices;
    fuota_lora_gateway_stats_t gateways;  //  All of them together
    uint64_t lost_up, lost_down;          //  By chance
    uint64_t unheard;                     //  Emissions nobody was tuned to
    uint64_t repeated;  //  Fragments of a group, to devices that had them
} fuota_lora_stats_t;

void fuota_lora_stats (const fuota_lora_t *self, fuota_lora_stats_t *stats);

uint32_t fuota_lora_count (const fuota_lora_t *self);
void fuota_lora_view (const fuota_lora_t *self, uint32_t i,
    fuota_sim_view_t *view);

//  A device as its server has to know it: keys are in it.
const fuota_lora_device_t *fuota_lora_device (const fuota_lora_t *self,
    uint32_t i);

#endif
