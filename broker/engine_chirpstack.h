//  SPDX-License-Identifier: MIT
//
//  engine_chirpstack - ChirpStack as the engine's host: from settings to a
//  running actor. Shell.

#ifndef FUOTA_ENGINE_CHIRPSTACK_H
#define FUOTA_ENGINE_CHIRPSTACK_H

#include "broker/engine.h"

typedef struct fuota_engine_chirpstack fuota_engine_chirpstack_t;

//  Everything that can fail: addresses, files, secrets. Nothing is connected
//  yet. Returns 0, or the process's exit code with a line logged.
int fuota_engine_chirpstack_open (fuota_engine_t *engine,
    fuota_engine_chirpstack_t **self_p, const fuota_config_t *config);

//  Start the actor; what was opened is its own from now on.
void fuota_engine_chirpstack_start (fuota_engine_t *engine,
    fuota_engine_chirpstack_t **self_p);

//  Close what was opened and not started.
void fuota_engine_chirpstack_close (fuota_engine_chirpstack_t **self_p);

//  The connection of gRPC by the settings, not connected yet. NULL with a line
//  logged. Only in a build with FUOTA_MQTT and FUOTA_GRPC.
struct fuota_grpc_link;
struct fuota_grpc_link *fuota_engine_api (
    const fuota_config_chirpstack_t *config);

#endif
