//  SPDX-License-Identifier: MIT
//
//  engine_host - what hosts of several kinds are made of, from settings.
//  Shell.

#ifndef FUOTA_ENGINE_HOST_H
#define FUOTA_ENGINE_HOST_H

#include "broker/engine.h"
#include "broker/host/chirpstack.h"
#include "broker/host/mqtt_link.h"

#define FUOTA_ENGINE_SECRET 4096

//  A file with a secret in it: its first line, in text. False with a line
//  logged if it cannot be read, is empty or too long, or if others may read it.
bool fuota_engine_secret (const char *path, char *text, size_t size);

//  Our keys, loaded once for all doors. Returns 0, or -1 with a line logged
//  that names the endpoint that must have them.
int fuota_engine_keys (fuota_engine_t *engine, const fuota_config_t *config,
    const char *endpoint);

//  "tcp://HOST:PORT" or "ssl://[HOST]:PORT" by its two schemes. False if it is
//  none of them.
bool fuota_engine_address (const char *text, const char *plain,
    const char *secure, char *host, size_t size, char port [6], bool *tls);

//  The core that reads the host's events. Caller owns it.
fuota_chirpstack_t *fuota_engine_core (const fuota_config_t *config);

//  A connection to the broker of MQTT by the settings, in builds that have it;
//  not connected yet. NULL with a line logged. Caller owns it.
typedef struct {
    const char *client_id;
    bool clean;
    fuota_mqtt_heard_t *heard;
    fuota_mqtt_published_t *published;
} fuota_engine_mqtt_t;
fuota_mqtt_link_t *fuota_engine_mqtt (const fuota_config_chirpstack_t *config,
    const fuota_engine_mqtt_t *ours);

#endif
