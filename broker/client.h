//  SPDX-License-Identifier: MIT
//
//  client - a connection to a broker's control and events sockets, for
//  fuotactl and the demo. Shell; one thread at a time.

#ifndef FUOTA_CLIENT_H
#define FUOTA_CLIENT_H

#include "broker/report.h"
#include "broker/request.h"

typedef struct fuota_client fuota_client_t;

//  Connect, which needs nobody at the other end yet. events may be NULL. An
//  answer is waited for as long as timeout, milliseconds. Caller owns it. NULL
//  if an endpoint is none.
fuota_client_t *fuota_client_new (const char *control, const char *events,
    int timeout);
void fuota_client_destroy (fuota_client_t **self_p);

//  Send a request and wait. Returns 0 with the reply, or -1 if there was no
//  answer, or none that could be read.
int fuota_client_call (fuota_client_t *self, const fuota_request_parts_t *parts,
    Reply *reply);

//  A command with an id and nothing else.
int fuota_client_ask (fuota_client_t *self, RequestCommand command,
    const char *id, Reply *reply);

//  Call take with each page of a command's replies until there is no next, or
//  take returns false. Returns 0, or -1 as fuota_client_call; a reply that is
//  a refusal is the last, and in *reply.
typedef bool (fuota_client_page_fn) (void *arg, const Reply *reply);
int fuota_client_pages (fuota_client_t *self, RequestCommand command,
    const char *id, fuota_client_page_fn *take, void *arg, Reply *reply);

//  Show the progress of a deployment until it is over: once a second, and at
//  each of its events; notes are the events worth a line. Returns 0 with its
//  last summary; the status of a reply that was a refusal; -1 if there was no
//  answer, -2 if we were interrupted.
int fuota_client_watch (fuota_client_t *self, const char *id,
    fuota_report_t *report, Reply *reply);

#endif
