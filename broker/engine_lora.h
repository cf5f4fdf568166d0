//  SPDX-License-Identifier: MIT
//
//  engine_lora - simulated gateways and LoRaWAN devices for a ChirpStack: from
//  settings to a running actor. Shell.

#ifndef FUOTA_ENGINE_LORA_H
#define FUOTA_ENGINE_LORA_H

#include "broker/engine.h"

//  Gateways and devices of a configuration, as an actor. NULL with a line
//  logged: a file or an address is wrong, or this build has no MQTT.
zactor_t *fuota_engine_lora (const fuota_config_t *config);

//  Ask it. False past the last device.
bool fuota_engine_lora_view (zactor_t *actor, uint32_t i,
    fuota_sim_view_t *view);
bool fuota_engine_lora_stats (zactor_t *actor, fuota_lora_stats_t *stats);

//  Create what they need in the ChirpStack, or remove it; lines are printed.
//  Returns 0 or the process's exit code.
int fuota_engine_lora_provision (const fuota_config_t *config, bool create);

#endif
