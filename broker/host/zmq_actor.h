//  SPDX-License-Identifier: MIT
//
//  zmq_actor - a ZeroMQ back end as a host: events in, downlinks out, and what
//  became of them back (docs/wire.md).
//
//      events (zmq_link)   [topic][body] or [Event]
//      door (ROUTER)       out [Downlink]; in [] (here I am), [Outcome]
//
//  The back end is who said last that it is here: it alone is given downlinks.
//  Without one they are put off. Whoever is connected may tell what became of
//  a row, for that is a fact. Towards the engine it is as every host:
//
//      inbox (PULL)        [Downlink], and [] for each ["R"]: what comes
//                          before is given again behind it
//      events (PUSH)       [Event]
//      outcomes (PUSH)     ["O"][Outcome], and ["R"]: another back end, or
//                          the same from the beginning
//
//  Pipe
//      C: STATS            A: STATS and a fuota_zmq_stats_t
//      C: $TERM

#ifndef FUOTA_ZMQ_ACTOR_H
#define FUOTA_ZMQ_ACTOR_H

#include "broker/host/mqtt_link.h"
#include "broker/host/zmq_link.h"

typedef struct {
    fuota_chirpstack_t *core;  //  All owned by the actor from now on
    fuota_zmq_link_t link;
    fuota_mqtt_link_t *mqtt;  //  Events by MQTT; NULL: none
    zsock_t *door;
    zsock_t *inbox, *events, *outcomes;
} fuota_zmq_args_t;

typedef struct {
    uint64_t messages;  //  Of events
    uint64_t dropped [FUOTA_ZMQ_CAUSES];
    uint64_t hellos, handed, away, outcomes;
} fuota_zmq_stats_t;

void fuota_zmq_actor (zsock_t *pipe, void *args);

//  For the link of MQTT: what it hears.
void fuota_zmq_actor_heard (void *arg, const char *topic, fuota_slice_t body);
void fuota_zmq_actor_published (void *arg, uint64_t tag);

//  Free what args hold, where no actor was started.
void fuota_zmq_args_release (fuota_zmq_args_t *args);

//  Ask the actor for the counts.
bool fuota_zmq_actor_stats (zactor_t *actor, fuota_zmq_stats_t *stats);

#endif
