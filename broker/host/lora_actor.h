//  SPDX-License-Identifier: MIT
//
//  lora_actor - simulated gateways and LoRaWAN devices on ChirpStack's MQTT
//  broker. Shell around lora.h and mqtt_link.h.
//
//  Pipe protocol (C: caller, A: actor)
//      C: VIEW number      A: VIEW view       empty past the last device
//      C: STATS            A: STATS stats
//      C: $TERM            gateways say that they are offline

#ifndef FUOTA_LORA_ACTOR_H
#define FUOTA_LORA_ACTOR_H

#include <czmq.h>
#include "broker/host/lora.h"
#include "broker/host/mqtt_link.h"

//  The actor takes core and link, and destroys them.
typedef struct {
    fuota_lora_t *core;
    fuota_mqtt_link_t *mqtt;
    char topic_prefix [64];  //  Of gateway topics, "" for none
} fuota_lora_args_t;

void fuota_lora_actor (zsock_t *pipe, void *args);

//  What the link is made with.
void fuota_lora_actor_heard (void *arg, const char *topic, fuota_slice_t body);
void fuota_lora_actor_published (void *arg, uint64_t tag);

//  Ask it. False past the last device, or if it has ended.
bool fuota_lora_actor_view (zactor_t *actor, uint32_t i,
    fuota_sim_view_t *view);
bool fuota_lora_actor_stats (zactor_t *actor, fuota_lora_stats_t *stats);

#endif
