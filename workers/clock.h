//  SPDX-License-Identifier: MIT
//
//  clock - AppTimeReq of every device, answered by the time of its reception.
//
//  Independent of deployments; the resync step of a deployment is in the same
//  source. Source: TS003; reference section 3. Pure.

#ifndef FUOTA_CLOCK_H
#define FUOTA_CLOCK_H

#include "workers/stage.h"

//  What an AppTimeReq gets. clock is the device's record and is updated.
//  Returns true if answer is to be sent: the device asked for one in any
//  case, or it is off by more than threshold seconds. A repeated or second
//  copy of a request is not answered again. The caller drops clock->row, an
//  earlier answer that has not left, before it sends.
bool fuota_clock_answer (fuota_clock_t *clock, const fuota_command_t *request,
    int64_t received_at, int leap_extra, uint32_t threshold,
    fuota_command_t *answer);

#endif
