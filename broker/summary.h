//  SPDX-License-Identifier: MIT
//
//  summary - records as an operator is shown them. No key leaves here: a
//  Summary has no field for one. Pure.

#ifndef FUOTA_SUMMARY_H
#define FUOTA_SUMMARY_H

#include "control.pb.h"
#include "schema/key.h"
#include "schema/record.h"

typedef Summary fuota_summary_t;
typedef DeviceLine fuota_device_line_t;
typedef Line fuota_journal_line_t;

//  A deployment as it stands.
void fuota_summary_make (const fuota_deployment_t *deployment,
    const fuota_group_t *group, int64_t now, fuota_summary_t *out);

//  A deployment that is only planned, for total devices: last_n, air_time,
//  session_start, session_end and eta are those of the first round if every
//  device answers at its last chance.
void fuota_summary_plan (const fuota_deployment_t *deployment, uint32_t total,
    int64_t now, fuota_summary_t *out);

void fuota_summary_device (uint64_t dev_eui, const fuota_device_t *device,
    fuota_device_line_t *out);

void fuota_summary_line (const fuota_line_t *line, fuota_journal_line_t *out);

#endif
