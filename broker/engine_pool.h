//  SPDX-License-Identifier: MIT
//
//  engine_pool - the part of the engine's start that is for the FEC pool:
//  parity environment, doors, keys, local workers.
//
//  What only makes the engine slower is a warning: without an environment or
//  workers the broker computes each fragment as it sends it. What an operator
//  asked for and cannot have is a fault.

#ifndef FUOTA_ENGINE_POOL_H
#define FUOTA_ENGINE_POOL_H

#include "broker/engine.h"
#include "broker/pool_actor.h"

//  Open it all. Returns 0, with args->pool NULL if there will be no pool, or
//  an exit code with a line logged; close it all the same then.
int fuota_engine_pool_open (fuota_engine_t *self, fuota_pool_args_t *args,
    const fuota_config_t *config);
void fuota_engine_pool_close (fuota_engine_t *self, fuota_pool_args_t *args);

#endif
