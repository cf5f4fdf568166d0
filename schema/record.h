//  SPDX-License-Identifier: MIT
//
//  record - our names for the records and messages, and one way to and from
//  bytes. All are fixed-size structs without pointers, so they are copied
//  with = and cleared with { 0 }.

#ifndef FUOTA_RECORD_H
#define FUOTA_RECORD_H

#include "event.pb.h"
#include "record.pb.h"
#include "schema/bytes.h"

typedef Event fuota_event_t;
typedef Downlink fuota_downlink_t;
typedef Outcome fuota_outcome_t;
typedef Tag fuota_tag_t;
typedef Question fuota_question_t;
typedef Answer fuota_answer_t;
typedef Finding fuota_finding_t;
typedef DeviceKind fuota_kind_t;
typedef Dialect fuota_dialect_t;
typedef Deployment fuota_deployment_t;
typedef Group fuota_group_t;
typedef Device fuota_device_t;
typedef Route fuota_route_t;
typedef Clock fuota_clock_t;
typedef OutboxRow fuota_row_t;
typedef Image fuota_image_t;
typedef JournalLine fuota_line_t;
typedef Frame fuota_frame_t;
typedef Reception fuota_reception_t;
typedef Gateway fuota_gateway_t;
typedef Fate fuota_fate_t;
typedef Air fuota_air_t;

#define FUOTA_STEPS (FUOTA_STEP_END + 1)
#define FUOTA_ENDS (FUOTA_END_CANCELLED + 1)
#define FUOTA_WORDS 13  //  gw.TxAckStatus, and any other
#define FUOTA_WORD_OK 1
#define FUOTA_RECORD_MAX 1280  //  Largest of them encoded

//  Encode a record of that kind (Device_fields, ...) into out. Returns its
//  size, or 0 if there was no room.
size_t fuota_record_encode (const pb_msgdesc_t *fields, const void *record,
    uint8_t *out, size_t size);

//  Decode into a record, which is cleared first. Returns 0 or FUOTA_EFORMAT.
int fuota_record_decode (const pb_msgdesc_t *fields, void *record,
    fuota_slice_t bytes);

//  Names as operators read them: "setting up", "frag setup", "timed out".
//  A value outside its range is "?".
const char *fuota_phase_name (const fuota_group_t *group);
const char *fuota_step_name (Step step);
const char *fuota_end_name (End end);

//  A gateway's word in its own words: "TOO_LATE"; "no word", "other".
const char *fuota_word_name (unsigned word);
const char *fuota_gateway_state_name (GatewayState state);

//  A device's end in full: "refused(wrong descriptor)", "timed out(session)",
//  "incomplete(missing 12)"; its step while it has none.
void fuota_end_text (const fuota_device_t *device, char *text, size_t size);

#endif
