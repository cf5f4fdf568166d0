//  SPDX-License-Identifier: MIT
//
//  control_host - requests that wait for what the host answers.
//
//  Shell, part of the control actor. Nobody waits but the client that asked:
//  its request is kept here, others are answered meanwhile. What a client
//  sends after it is held, so that its replies come in order.
//
//      host (DEALER)
//          control: [Question]
//          host:    [Answer], one or several
//
//  Times are real milliseconds of zclock_mono.

#ifndef FUOTA_CONTROL_HOST_H
#define FUOTA_CONTROL_HOST_H

#include <czmq.h>
#include "broker/control.h"

#define FUOTA_CONTROL_HOST_PATIENCE 8000  //  Less than a client's
#define FUOTA_CONTROL_HOST_ABSENCE 2000   //  Of a host that may just start
#define FUOTA_CONTROL_HOST_WAITING 16     //  Requests kept, of all clients

typedef struct fuota_control_host fuota_control_host_t;

//  A request that was kept. held: it was not looked at yet; else what the host
//  answered is in known, over and sorted.
typedef struct {
    zframe_t *peer, *body;
    bool req;  //  Of a REQ: an empty frame before the reply
    bool held;
    bool unsent;  //  The host was not there: once more
    uint64_t serial;
    int64_t until;
    fuota_question_t question;
    fuota_known_t known;
} fuota_control_wait_t;

//  Takes the socket; NULL if the host has no door for questions. Caller owns
//  what is returned.
fuota_control_host_t *fuota_control_host_new (zsock_t *host);
void fuota_control_host_destroy (fuota_control_host_t **self_p);

//  The socket to poll, NULL if there is none.
zsock_t *fuota_control_host_sock (fuota_control_host_t *self);

//  A request of that client is kept: what it sends now is held.
bool fuota_control_host_holds (fuota_control_host_t *self, zframe_t *peer);

//  Keep a request. NULL with nothing taken if too many are kept.
fuota_control_wait_t *fuota_control_host_keep (fuota_control_host_t *self,
    zframe_t **peer_p, zframe_t **body_p, bool req);

//  Ask the host on behalf of a request that is kept.
void fuota_control_host_ask (fuota_control_host_t *self,
    fuota_control_wait_t *wait, const fuota_question_t *question);

//  Take one part of an answer, counting what is none. False if there is none.
bool fuota_control_host_hear (fuota_control_host_t *self, unsigned *malformed);

//  The next request to go on with, what our own clock is like among its
//  findings; NULL if there is none. Ask for it again, or
//  be done with it.
fuota_control_wait_t *fuota_control_host_next (fuota_control_host_t *self);
void fuota_control_host_done (fuota_control_host_t *self,
    fuota_control_wait_t *wait);

//  How long to wait for the socket, -1 for ever.
int fuota_control_host_wait (fuota_control_host_t *self);

#endif
