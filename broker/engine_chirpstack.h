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
int fuota_engine_chirpstack_open (fuota_engine_chirpstack_t **self_p,
    const fuota_config_t *config);

//  Start the actor; what was opened is its own from now on.
void fuota_engine_chirpstack_start (fuota_engine_t *engine,
    fuota_engine_chirpstack_t **self_p);

//  Close what was opened and not started.
void fuota_engine_chirpstack_close (fuota_engine_chirpstack_t **self_p);

//  A file with a secret in it: its first line, in text. False with a line
//  logged if it cannot be read, is empty or too long, or if others may read it.
bool fuota_engine_secret (const char *path, char *text, size_t size);

//  Connections by the settings, not connected yet. NULL with a line logged.
//  Only in a build with FUOTA_MQTT and FUOTA_GRPC.
struct fuota_grpc_link;
struct fuota_mqtt_link;
struct fuota_grpc_link *fuota_engine_api (
    const fuota_config_chirpstack_t *config);
typedef struct {
    const char *client_id;
    bool clean;
    void (*heard) (void *arg, const char *topic, fuota_slice_t body);
    void (*published) (void *arg, uint64_t tag);
} fuota_engine_mqtt_t;
struct fuota_mqtt_link *
fuota_engine_mqtt (const fuota_config_chirpstack_t *config,
    const fuota_engine_mqtt_t *ours);

#endif
