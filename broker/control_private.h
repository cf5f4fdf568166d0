//  SPDX-License-Identifier: MIT
//
//  control_private - what the parts of the control share: control.c reads
//  requests and answers, create.c makes deployments, find.c looks them up.

#ifndef FUOTA_CONTROL_PRIVATE_H
#define FUOTA_CONTROL_PRIVATE_H

#include "broker/control.h"

struct fuota_control {
    fuota_db_t *db;
    fuota_read_t *read;  //  Its own; a new snapshot each request
    const fuota_control_table_t *table;
    const char *version;
    int64_t now;  //  Of this request
    const uint8_t *random;
    const fuota_known_t *known;  //  NULL: the host was not asked yet
    fuota_batch_t batch;
    //  Of the wish being read
    fuota_request_t request;
    fuota_slice_t image;  //  In the request's own bytes
    bool has_image;
    uint64_t *devices;
    size_t device_count, device_room;
    fuota_choice_t choice;  //  Where the table says so
};

//  Answer with a status and words.
void fuota_control_say (fuota_turn_t *turn, ReplyStatus status,
    const char *words, ...) __attribute__ ((format (printf, 3, 4)));

//  Deployment and group of an id, as a summary. Returns 0 or a code.
int fuota_control_summary (fuota_control_t *self, const uint8_t *id,
    Summary *out);

//  DEPLOY and PLAN: check the wish in self->request, then create or only plan.
void fuota_create_take (fuota_control_t *self, bool store, fuota_turn_t *turn);

//  Is the host to be asked which devices a wish is for, and what they speak?
bool fuota_select_asks (fuota_control_t *self, fuota_question_t *question);

//  What it answered, into the facts: devices, and their dialect, which stands
//  in *dialect. What is wrong with them is in faults. False with the turn
//  answered if nothing can be said.
bool fuota_select_take (fuota_control_t *self, fuota_wish_facts_t *facts,
    fuota_dialect_t *dialect, fuota_faults_t *faults, fuota_turn_t *turn);

//  The deployment a text means, in turn->id. False with the turn answered if
//  it is none or several.
bool fuota_find_id (fuota_control_t *self, const char *text,
    fuota_turn_t *turn);

//  The image a text means: 64 hex digits or a unique beginning of them. Its
//  hash in sha256, or false with the turn answered.
bool fuota_find_image (fuota_control_t *self, const char *text,
    uint8_t sha256 [32], fuota_turn_t *turn);

//  REMOVE, IMAGE_REMOVE, and the same for what is older than before (remove.c).
void fuota_remove_deployment (fuota_control_t *self, fuota_turn_t *turn);
void fuota_remove_image (fuota_control_t *self, fuota_turn_t *turn);
void fuota_remove_older (fuota_control_t *self, int64_t before,
    fuota_turn_t *turn);

//  WORKERS, DRAIN, IMAGE: what is asked of the pool.
void fuota_ask_workers (fuota_control_t *self, fuota_turn_t *turn);
void fuota_ask_drain (fuota_control_t *self, fuota_turn_t *turn);
void fuota_ask_image (fuota_control_t *self, fuota_turn_t *turn);

//  CHECK: what is asked of the host, and what comes of it.
void fuota_ask_check (fuota_control_t *self, fuota_turn_t *turn);

//  A gateway as it is known, with its air time (gateways.c).
void fuota_gateways_line (fuota_control_t *self, uint64_t gateway,
    GatewayLine *line);

//  DEPLOY and PLAN: those the deployment is sent by, and whom they do not reach.
void fuota_gateways_chosen (fuota_control_t *self, fuota_turn_t *turn);

//  LIST, DEVICES, JOURNAL, GATEWAYS: a page after the key self->request.after.
void fuota_find_list (fuota_control_t *self, fuota_turn_t *turn);
void fuota_find_devices (fuota_control_t *self, fuota_turn_t *turn);
void fuota_find_journal (fuota_control_t *self, fuota_turn_t *turn);
void fuota_find_gateways (fuota_control_t *self, fuota_turn_t *turn);
void fuota_find_images (fuota_control_t *self, fuota_turn_t *turn);

#endif
