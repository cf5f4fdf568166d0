//  SPDX-License-Identifier: MIT
//
//  host_actor - what the actors of hosts share: the pipe and the inbox.
//
//  On the pipe are "STATS" and "VIEW" with a number, each with one answer: a
//  struct as it is, for both ends are of one process; and "$TERM".

#ifndef FUOTA_HOST_ACTOR_H
#define FUOTA_HOST_ACTOR_H

#include <czmq.h>
#include "schema/record.h"

#define FUOTA_HOST_COMMAND 8  //  Bytes of a command, with its end

//  The actor's end: what it is asked, and the number. False if nothing is to
//  be answered; after "$TERM" terminated is true.
bool fuota_host_actor_asked (zsock_t *pipe, char command [FUOTA_HOST_COMMAND],
    uint64_t *number, bool *terminated);

//  Its answer, of size 0 if there is no such thing.
void fuota_host_actor_answer (zsock_t *pipe, const void *answer, size_t size);

//  The other end: ask, and copy the answer. False if there is none.
bool fuota_host_actor_ask (zactor_t *actor, const char *command,
    uint64_t number, void *answer, size_t size);

//  The next downlink of an inbox. False if it is none, which is counted. Wipe
//  it after use: GROUP_CREATE holds the group's keys.
bool fuota_host_actor_downlink (zsock_t *inbox, fuota_downlink_t *downlink,
    uint64_t *malformed);

#endif
