//  SPDX-License-Identifier: MIT
//
//  zap_actor - who may connect: the other end of ZeroMQ's authentication
//  (RFC 27), one for a process.
//
//  It is not zauth because that has one folder for all doors: a FEC worker's
//  key would open the network's door. A door is a ZAP domain; its folder is
//  looked at anew at each connection. Who is refused is logged at most once a
//  second.
//
//  inproc://zeromq.zap.01 (REP)
//      RFC 27, CURVE; the User-Id of who is admitted is his key as text
//
//  Pipe
//      C: ADMIT domain folder      A: a signal
//      C: $TERM

#ifndef FUOTA_ZAP_ACTOR_H
#define FUOTA_ZAP_ACTOR_H

#include <czmq.h>

void fuota_zap_actor (zsock_t *pipe, void *args);

#endif
