//  SPDX-License-Identifier: MIT
//
//  provision_private - what creation and removal share: calls, and lists.

#ifndef FUOTA_PROVISION_PRIVATE_H
#define FUOTA_PROVISION_PRIVATE_H

#include "broker/host/provision.h"
#include "provision.pb.h"

#define FUOTA_PROVISION_PAGE 100
#define FUOTA_PROVISION_TEXT 101

typedef struct {
    char id [41];
    char name [FUOTA_PROVISION_TEXT];
    char description [FUOTA_PROVISION_TEXT];
} fuota_provision_row_t;

typedef struct {
    const fuota_provision_t *with;
    char mark [FUOTA_PROVISION_TEXT];
    char tenant [41], application [41];
    char profile [2][2][41];  //  1.0.x or 1.1; by OTAA or ABP
    fuota_provision_answer_t answer;
    const pb_msgdesc_t *row_fields;  //  Of the list that is being read
    fuota_provision_row_t row [FUOTA_PROVISION_PAGE];
    unsigned rows;
    unsigned skipped;  //  That could not be read: not ours
    uint32_t total;
    unsigned made, found, removed;
} fuota_provision_work_t;

void fuota_provision_begin (fuota_provision_work_t *work,
    const fuota_provision_t *with);

//  A line for the operator; and the host's own words, as a code.
void fuota_provision_say (const fuota_provision_work_t *work, const char *what,
    const char *name, const char *more);
int fuota_provision_refused (const fuota_provision_work_t *work,
    const char *what, const char *name);

//  Make a call; its answer is in the work. ask: of what is named by one id.
fuota_chirpstack_answer_t fuota_provision_call (fuota_provision_work_t *work,
    const char *path, const pb_msgdesc_t *fields, const void *request);
fuota_chirpstack_answer_t fuota_provision_ask (fuota_provision_work_t *work,
    const char *path, const char *id);
bool fuota_provision_absent (fuota_chirpstack_answer_t kind);

//  Read the answer to a List; or ask for one page of the tenant's, limit 0
//  for the count alone; or find a thing by its whole name: 0, FUOTA_ENOTFOUND,
//  or what went wrong, said.
int fuota_provision_rows (fuota_provision_work_t *work,
    const pb_msgdesc_t *row_fields);
int fuota_provision_list (fuota_provision_work_t *work, const char *path,
    const pb_msgdesc_t *row_fields, const char *search, uint32_t limit,
    uint32_t offset);
int fuota_provision_find (fuota_provision_work_t *work, const char *path,
    const pb_msgdesc_t *row_fields, const char *name, char id [41]);

void fuota_provision_profile_name (const fuota_provision_work_t *work, bool v11,
    bool abp, char name [FUOTA_PROVISION_TEXT]);

#endif
