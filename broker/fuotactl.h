//  SPDX-License-Identifier: MIT
//
//  fuotactl - what its sources share: fuotactl_main.c has the commands,
//  fuotactl_deploy.c those that bring an image, fuotactl_ask.c how a request
//  is sent and how a command ends.

#ifndef FUOTA_FUOTACTL_H
#define FUOTA_FUOTACTL_H

#include "broker/client.h"
#include "broker/options.h"
#include "broker/print.h"

//  Stable: scripts rely on them (options.c prints them)
enum {
    EXIT_OK,
    EXIT_USAGE,
    EXIT_FAULTS,
    EXIT_NOT_FOUND,
    EXIT_NO_ANSWER,
    EXIT_NOT_NOW,
    EXIT_FAILED,
    EXIT_AMBIGUOUS,
    EXIT_MALFORMED,
    EXIT_INCOMPLETE,
    EXIT_NOT_OVER,
    EXIT_WRONG
};

typedef struct {
    fuota_options_t options;
    fuota_client_t *client;
    fuota_report_t report;
    Reply reply;
    fuota_print_t print;
} fuotactl_t;

//  Each ends a command: it prints, and returns the exit status.
int fuotactl_no_answer (fuotactl_t *self);
int fuotactl_refused (fuotactl_t *self);  //  self->reply is a refusal
int fuotactl_usage (const char *words);

//  A reply with one summary as an object. Caller owns it.
json_t *fuotactl_summary_object (fuotactl_t *self);

//  Send a command about the argument. Returns EXIT_OK with the reply.
int fuotactl_ask (fuotactl_t *self, RequestCommand command);

//  All pages of a command: as lines, or gathered in self->print.list. If that
//  failed the list is gone and the exit status is returned.
int fuotactl_gather (fuotactl_t *self, RequestCommand command,
    fuota_client_page_fn *take);

//  The same, and with --json printed, as an array called name. object, which
//  is taken over, gets it; NULL for one of the reply.
int fuotactl_pages (fuotactl_t *self, RequestCommand command, const char *name,
    fuota_client_page_fn *take, json_t *object);

//  deploy and plan; image add.
int fuotactl_deploy (fuotactl_t *self);
int fuotactl_image (fuotactl_t *self);

#endif
