//  SPDX-License-Identifier: MIT
//
//  known - what a host answered to a question, put together from its parts.
//
//  A host tells piece by piece; here it becomes one list of findings, or one
//  of devices, each with its kind. Answers are not ours to trust: a part that
//  does not fit the others makes the whole a fault. It owns its lists. Pure.

#ifndef FUOTA_KNOWN_H
#define FUOTA_KNOWN_H

#include <stdbool.h>
#include "schema/record.h"

#define FUOTA_KNOWN_FINDINGS 64
#define FUOTA_KNOWN_KINDS 64
#define FUOTA_KNOWN_DEVICES 1000000
#define FUOTA_KNOWN_BUSY 4096

typedef struct {
    uint64_t dev_eui;
    uint32_t kind;  //  Index
} fuota_known_device_t;

typedef struct {
    bool deaf;            //  This host is not asked: nothing is known
    bool no_application;  //  There is none of the id that was asked for
    bool over;            //  The last part has come
    char fault [sizeof ((Answer *) 0)->fault];  //  "" = there is none
    fuota_finding_t findings [FUOTA_KNOWN_FINDINGS];
    size_t finding_count;
    bool findings_left_out;
    fuota_kind_t kinds [FUOTA_KNOWN_KINDS];
    size_t kind_count;
    fuota_known_device_t *devices;  //  As the host told them, not in order
    size_t device_count, device_room;
    uint64_t *busy;  //  In a FUOTA deployment of the host's own
    size_t busy_count;
} fuota_known_t;

void fuota_known_release (fuota_known_t *self);

//  Add a part. What follows the last one, or a fault, changes nothing.
void fuota_known_take (fuota_known_t *self, const fuota_answer_t *answer);

//  There will be no more, for that reason. The first reason stands.
void fuota_known_end (fuota_known_t *self, const char *words);

//  A line of our own.
void fuota_known_find (fuota_known_t *self, const char *what,
    FindingLevel level, const char *words, const char *advice);

//  Devices in order of their DevEUI, each once. Call it once all are there.
void fuota_known_sort (fuota_known_t *self);

//  The device in sorted devices, NULL if the host does not know it.
const fuota_known_device_t *fuota_known_device (const fuota_known_t *self,
    uint64_t dev_eui);

#endif
