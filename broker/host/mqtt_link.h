//  SPDX-License-Identifier: MIT
//
//  mqtt_link - an MQTT client with its connection, on one descriptor.
//
//  Shell around libmosquitto; belongs to one thread, an actor's. Everything
//  is QoS 1, and the session is kept by the broker under our client id, unless
//  it is to be clean: what is published while we are away comes when we are
//  back, perhaps twice. A connection that is lost is made again, after a while
//  that doubles. Nothing blocks (mqtt_connect.h). Passwords are never logged.
//
//      zpoller over { ..., &fd }, until fuota_mqtt_link_due
//      fuota_mqtt_link_tick       reads (heard, published), writes
//
//  Time is steady milliseconds, given by the caller.

#ifndef FUOTA_MQTT_LINK_H
#define FUOTA_MQTT_LINK_H

#include <stdbool.h>
#include "schema/bytes.h"

typedef struct fuota_mqtt_link fuota_mqtt_link_t;

//  A message came; a publication is with the broker. Called by tick alone.
typedef void (
    fuota_mqtt_heard_t) (void *arg, const char *topic, fuota_slice_t body);
typedef void (fuota_mqtt_published_t) (void *arg, uint64_t tag);

//  Texts are copied; NULL or "" is none.
typedef struct {
    const char *host;
    int port;
    const char *client_id;
    const char *user, *password;
    bool clean;  //  The broker keeps nothing for us while we are away
    bool tls;
    const char *ca_file;               //  None: the system's
    const char *cert_file, *key_file;  //  Of ours
    fuota_mqtt_heard_t *heard;
    fuota_mqtt_published_t *published;
    void *arg;
} fuota_mqtt_link_config_t;

typedef struct {
    bool ready;
    uint64_t connects, losses, heard, published;
    unsigned filters, granted, refused;  //  Subscriptions, of this connection
    char fault [120];                    //  Of the last attempt, "" while ready
} fuota_mqtt_link_stats_t;

//  Nothing is connected before the first tick. Caller owns it. NULL if the
//  files of TLS cannot be read; logged.
fuota_mqtt_link_t *fuota_mqtt_link_new (const fuota_mqtt_link_config_t *config);
void fuota_mqtt_link_destroy (fuota_mqtt_link_t **self_p);

//  Whom functions are called with, if that is known only later.
void fuota_mqtt_link_bind (fuota_mqtt_link_t *self, void *arg);

//  Subscribe at each connection. At most 32.
void fuota_mqtt_link_subscribe (fuota_mqtt_link_t *self, const char *filter);

//  Publish. Returns 0, and published will be called unless the connection is
//  lost for long; or FUOTA_EBUSY without a connection or with too many on
//  their way; or FUOTA_EVALUE for what cannot be published.
int fuota_mqtt_link_publish (fuota_mqtt_link_t *self, uint64_t tag,
    const char *topic, fuota_slice_t body);

//  The same; the broker keeps it for those who come later.
int fuota_mqtt_link_retain (fuota_mqtt_link_t *self, uint64_t tag,
    const char *topic, fuota_slice_t body);

void fuota_mqtt_link_tick (fuota_mqtt_link_t *self, int64_t now);
int64_t fuota_mqtt_link_due (const fuota_mqtt_link_t *self);

//  Readable when a tick has something to do. The same for ever.
int fuota_mqtt_link_fd (const fuota_mqtt_link_t *self);

void fuota_mqtt_link_stats (const fuota_mqtt_link_t *self,
    fuota_mqtt_link_stats_t *stats);

#endif
