//  SPDX-License-Identifier: MIT
//
//  chirpstack_actor - ChirpStack as a host: MQTT in, gRPC and MQTT out; or
//  ZeroMQ in (zmq_link) and gRPC out.
//
//  The frames are those of every host (docs/wire.md).
//
//      inbox (PULL)        [Downlink]
//      events (PUSH)       [Event]
//      outcomes (PUSH)     ["O"][Outcome]
//      questions (DEALER)  [Question] in, [Answer] out, the last says so
//
//  Pipe
//      C: STATS            A: STATS and a fuota_chirpstack_stats_t
//      C: $TERM

#ifndef FUOTA_CHIRPSTACK_ACTOR_H
#define FUOTA_CHIRPSTACK_ACTOR_H

#include <czmq.h>
#include "broker/host/chirpstack.h"
#include "broker/host/grpc_link.h"
#include "broker/host/mqtt_link.h"
#include "broker/host/zmq_link.h"

typedef struct {
    fuota_chirpstack_t *core;  //  All owned by the actor from now on
    fuota_grpc_link_t *api;
    fuota_mqtt_link_t *mqtt;  //  NULL: events come by the next
    fuota_zmq_link_t link;
    zsock_t *inbox, *events, *outcomes, *questions;
} fuota_chirpstack_args_t;

void fuota_chirpstack_actor (zsock_t *pipe, void *args);

//  What MQTT hands to the actor: for the link's configuration.
void fuota_chirpstack_actor_heard (void *arg, const char *topic,
    fuota_slice_t body);
void fuota_chirpstack_actor_published (void *arg, uint64_t tag);

//  Free what args hold, where no actor was started.
void fuota_chirpstack_args_release (fuota_chirpstack_args_t *args);

//  Ask the actor for the counts.
bool fuota_chirpstack_actor_stats (zactor_t *actor,
    fuota_chirpstack_stats_t *stats);

#endif
