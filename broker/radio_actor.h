//  SPDX-License-Identifier: MIT
//
//  radio_actor - what events say of gateways, gathered and committed.
//
//  inproc://radio (PULL)
//      [Event]
//  inproc://store (REQ)
//      a batch, as every committer
//
//  Pipe
//      C: STATS            A: STATS events malformed commits, 8-byte numbers
//      C: $TERM            What is not committed is lost, as in a crash

#ifndef FUOTA_RADIO_ACTOR_H
#define FUOTA_RADIO_ACTOR_H

#include <czmq.h>
#include "broker/radio.h"

//  args is a fuota_radio_t, owned by the actor from now on.
void fuota_radio_actor (zsock_t *pipe, void *args);

#endif
