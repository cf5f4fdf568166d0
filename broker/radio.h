//  SPDX-License-Identifier: MIT
//
//  radio - what is known of gateways: which hear a device, how they are, what
//  became of the fragments they were given, how much they sent.
//
//  A core over the database. Events go in; rows come out, a few seconds of
//  them at a time, so that a busy network costs a commit now and then. What
//  was not committed is lost in a crash: these are statistics, and nothing
//  stands on the last seconds of them. Bounded: a row for a device, a gateway,
//  a gateway and deployment, a gateway and sub-band. One thread at a time.

#ifndef FUOTA_RADIO_H
#define FUOTA_RADIO_H

#include "schema/db.h"
#include "schema/record.h"
#include "workers/package/region.h"

typedef struct fuota_radio fuota_radio_t;

//  Database and region (whose sub-bands are told apart) are borrowed. Caller
//  owns it. NULL if there is no memory or no reader slot.
fuota_radio_t *fuota_radio_new (fuota_db_t *db, const fuota_region_t *region);
void fuota_radio_destroy (fuota_radio_t **self_p);

//  An event. Those that say nothing of a gateway are ignored. Returns 0, or
//  FUOTA_EFULL: not taken, the rows must be committed first.
int fuota_radio_take (fuota_radio_t *self, const fuota_event_t *event,
    int64_t now);

//  When rows are to be committed: INT64_MAX if there are none.
int64_t fuota_radio_due (const fuota_radio_t *self);

//  The rows, the radio's own, until the next call; once they are committed
//  say so: they are read from the database again.
const fuota_batch_t *fuota_radio_rows (fuota_radio_t *self);
void fuota_radio_committed (fuota_radio_t *self);

//  Does a gateway with that count cover the device: did it hear one half of
//  what was counted, or more than any other?
bool fuota_radio_covers (const fuota_reception_t *reception, uint32_t count);

//  Milliseconds sent in the hour before now.
uint32_t fuota_radio_hour (const fuota_air_t *air, int64_t now);

#endif
