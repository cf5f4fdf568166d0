//  SPDX-License-Identifier: MIT
//
//  mqtt_connect - libmosquitto's first step of a connection, in a thread of
//  its own.
//
//  It looks the broker's name up and may block for half a minute, and with TLS
//  it must know the name, so an address cannot be looked up before. Until it
//  is done the client is the thread's and nobody else touches it. The thread
//  is detached: whoever gives up leaves it the client, to be destroyed.

#ifndef FUOTA_MQTT_CONNECT_H
#define FUOTA_MQTT_CONNECT_H

#include <mosquitto.h>
#include <stdbool.h>

typedef struct fuota_mqtt_connect fuota_mqtt_connect_t;

//  Begin: a host is connected to for the first time, NULL again. NULL if there
//  is no memory, descriptor or thread: the client is still the caller's.
fuota_mqtt_connect_t *fuota_mqtt_connect_new (struct mosquitto *client,
    const char *host, int port, int keep_alive);

//  Becomes readable when it is done.
int fuota_mqtt_connect_fd (const fuota_mqtt_connect_t *self);

//  If it is done: destroys itself, and the client is the caller's again. *rc
//  is libmosquitto's code, why its words.
bool fuota_mqtt_connect_take (fuota_mqtt_connect_t **self_p, int *rc,
    const char **why);

//  Give up: client and library (mosquitto_lib_cleanup) end with the thread.
void fuota_mqtt_connect_abandon (fuota_mqtt_connect_t **self_p);

#endif
