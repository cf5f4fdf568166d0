//  SPDX-License-Identifier: MIT
//
//  control_pool - ask the pool for the control actor, and wait: it answers
//  from memory. Shell, on the control's thread.

#ifndef FUOTA_CONTROL_POOL_H
#define FUOTA_CONTROL_POOL_H

#include "broker/control.h"

//  Ask what the turn says, and complete its reply. Nothing if it asks nobody.
void fuota_control_pool_ask (fuota_turn_t *turn);

#endif
