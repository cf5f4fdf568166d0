//  SPDX-License-Identifier: MIT
//
//  chirpstack_text - what ChirpStack writes as text: EUIs, keys, UUIDs, times,
//  base64, MQTT topics. Pure.
//
//  Texts come from outside and may be anything: a reader returns false with
//  its output not to be used.

#ifndef FUOTA_CHIRPSTACK_TEXT_H
#define FUOTA_CHIRPSTACK_TEXT_H

#include <stdbool.h>
#include "schema/bytes.h"

//  An EUI as 16 lower-case digits, and back.
void fuota_chirpstack_eui (uint64_t eui, char out [17]);
bool fuota_chirpstack_uneui (const char *text, uint64_t *eui);

//  A UUID with hyphens, and back.
void fuota_chirpstack_uuid (const uint8_t bytes [16], char out [37]);
bool fuota_chirpstack_unuuid (const char *text, uint8_t bytes [16]);

//  RFC 3339 to and from UTC milliseconds; written with Z and milliseconds.
void fuota_chirpstack_time (int64_t at, char out [32]);
bool fuota_chirpstack_untime (const char *text, int64_t *at);

//  "1456481748.250s" to milliseconds.
bool fuota_chirpstack_unduration (const char *text, int64_t *ms);

//  Base64, either alphabet, with or without padding. *size is the room before
//  and the bytes after. Written with padding: out holds 4 for each 3, and 1.
bool fuota_chirpstack_unbase64 (const char *text, uint8_t *bytes, size_t *size);
void fuota_chirpstack_base64 (const uint8_t *bytes, size_t size, char *out);

//  ---------------------------------------------------------------------
//  Topics: templates with {{application_id}}, {{dev_eui}}, {{event}} or
//  {{command}}, at most one of them in a level

typedef struct {
    char application [41];
    char dev_eui [17];
    char word [17];  //  {{event}} or {{command}}
} fuota_chirpstack_topic_t;

//  Subscription filter of a pattern: levels with a placeholder become "+".
//  False if it does not fit.
bool fuota_chirpstack_filter (const char *pattern, char *out, size_t size);

//  Read a topic by the pattern's levels. False if it is not of that form.
bool fuota_chirpstack_match (const char *pattern, const char *topic,
    fuota_chirpstack_topic_t *out);

//  Fill in a pattern. False if it does not fit.
bool fuota_chirpstack_fill (const char *pattern,
    const fuota_chirpstack_topic_t *values, char *out, size_t size);

#endif
