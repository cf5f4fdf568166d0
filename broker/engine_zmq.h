//  SPDX-License-Identifier: MIT
//
//  engine_zmq - a ZeroMQ back end, or the simulated network of another
//  process, as the engine's host: from settings to a running actor. Shell.

#ifndef FUOTA_ENGINE_ZMQ_H
#define FUOTA_ENGINE_ZMQ_H

#include "broker/engine.h"
#include "broker/host/zmq_actor.h"

//  Is the host behind ZeroMQ sockets?
bool fuota_engine_zmq_wanted (const fuota_config_t *config);

//  Everything that can fail. Returns 0, or the process's exit code with a line
//  logged; release args in both cases, unless they are started.
int fuota_engine_zmq_open (fuota_engine_t *engine, fuota_zmq_args_t *args,
    const fuota_config_t *config);

//  The socket by which control asks the host; NULL: it has none, or, with a
//  line logged, it cannot be bound.
zsock_t *fuota_engine_zmq_questions (fuota_engine_t *engine,
    const fuota_config_t *config);

//  Only the sockets that feed events in, for another kind of host.
int fuota_engine_zmq_events (fuota_engine_t *engine, fuota_zmq_link_t *link,
    const fuota_config_t *config);

#endif
