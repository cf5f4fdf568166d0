//  SPDX-License-Identifier: MIT
//
//  stage_driver - one device and its group, for the tests of the stages.
//
//  It plays the worker: decodes what the device says, steps the stage, counts
//  the device in its group. Time is a field. It also watches what must hold
//  in every test: one outstanding command, never repeated while the last one
//  may still be queued.

#ifndef FUOTA_STAGE_DRIVER_H
#define FUOTA_STAGE_DRIVER_H

#include "workers/plan.h"
#include "workers/stage.h"

#define DRIVER_START 1767225600000
#define DRIVER_EUI 0x0102030405060708u

typedef struct {
    fuota_deployment_t deployment;
    fuota_group_t group;
    fuota_device_t device;
    int64_t now;
    uint64_t next_row;
    unsigned used_groups;
    uint32_t session_cnt;
    bool clock_wrong;
    fuota_slice_t image;
    fuota_effects_t out;  //  Of the last step, or all of the last uplink
    uint64_t queued;      //  Row of a command that may be in the queue
    unsigned commands;    //  Commands asked for an answer so far
    bool changed;         //  The last call changed a record
} driver_t;

//  A deployment of 10 fragments and 10 coded ones; a device at its first
//  step, the group setting up.
void driver_init (driver_t *self, unsigned version);

//  The device at a step of a session that it can still join: McGroupID 1,
//  FragIndex 2. Nothing is asked.
void driver_at (driver_t *self, Step step, Phase phase);

//  Look; and let it ask, as far as "on air": key, row, SENT.
void driver_tick (driver_t *self);
void driver_join (driver_t *self);
void driver_ask (driver_t *self);

//  The device speaks on a port, received now.
void driver_hear (driver_t *self, unsigned port, const char *bytes,
    size_t size);
#define HEAR(self, port, bytes)                                                \
    driver_hear ((self), (port), (bytes), sizeof (bytes) - 1)

//  The host speaks of the row that the device waits for, or of another.
void driver_outcome (driver_t *self, OutcomeKind kind);
void driver_outcome_of (driver_t *self, OutcomeKind kind, uint64_t row);

//  The root key arrives.
void driver_key (driver_t *self);

//  To the deadline of the device, and look.
void driver_deadline (driver_t *self);

//  The same for the group.
void driver_group_tick (driver_t *self);
void driver_group_outcome (driver_t *self, OutcomeKind kind, uint32_t f_cnt,
    const char *name);
void driver_group_deadline (driver_t *self);

//  First byte and size of the only unicast row of the last call; 0 if there
//  was none.
unsigned driver_cid (const driver_t *self);
size_t driver_size (const driver_t *self);

//  Nothing was changed and nothing is wanted.
void driver_nothing (const driver_t *self);

//  The device's end in full, or its step.
const char *driver_end (const driver_t *self);

//  Words of the journal line of that kind, NULL if there is none.
const char *driver_line (const driver_t *self, const char *what,
    const char *name);

#endif
