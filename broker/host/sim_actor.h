//  SPDX-License-Identifier: MIT
//
//  sim_actor - the simulated network as a host, on the engine's clock.
//
//  In fuotad its sockets are inproc. In fuota-sim they lead to another process,
//  as those of any ZeroMQ back end (docs/wire.md): there inbox is a DEALER on
//  which outcomes go back, and outcomes is NULL.
//
//      inbox (PULL)        [Downlink]
//      events (PUSH)       [Event]
//      outcomes (PUSH)     ["O"][Outcome]
//      inbox (DEALER)      in [Downlink], out [Outcome]
//      questions (DEALER)  [Question] in, [Answer] out, the last says so
//
//  Pipe
//      C: VIEW number      A: VIEW and a fuota_sim_view_t; empty past the end
//      C: STATS            A: STATS and a fuota_sim_stats_t
//      C: $TERM

#ifndef FUOTA_SIM_ACTOR_H
#define FUOTA_SIM_ACTOR_H

#include <czmq.h>
#include "broker/host/sim.h"

typedef struct {
    fuota_sim_t *sim;  //  All owned by the actor from now on
    zsock_t *inbox, *events, *outcomes, *questions;
} fuota_sim_args_t;

void fuota_sim_actor (zsock_t *pipe, void *args);

//  Ask the actor for a device, for the counts. False if there is none.
bool fuota_sim_actor_view (zactor_t *actor, uint32_t i, fuota_sim_view_t *view);
bool fuota_sim_actor_stats (zactor_t *actor, fuota_sim_stats_t *stats);

#endif
