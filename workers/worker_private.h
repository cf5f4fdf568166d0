//  SPDX-License-Identifier: MIT
//
//  worker_private - what the two kinds of worker share.

#ifndef FUOTA_WORKER_PRIVATE_H
#define FUOTA_WORKER_PRIVATE_H

#include "workers/deadline.h"
#include "workers/stage.h"
#include "workers/worker.h"

#define TURN_DEVICES 1024
#define TURN_GROUPS 256
#define NO_SLOT 0xffff

//  Why a deadline wakes.
enum {
    WAKE_DUE,   //  If its record says so
    WAKE_LOOK,  //  Something around it changed
    WAKE_START  //  The engine has started
};

//  A record in this turn, as it was read or as it is by now.
typedef struct {
    uint8_t id [FUOTA_ID_SIZE];
    uint32_t context;  //  Of its deadlines
    bool dirty, wake, wake_devices;
    fuota_deployment_t deployment;
    fuota_group_t group;
} fuota_group_slot_t;

typedef struct {
    uint16_t group;  //  Slot of its group
    uint16_t next;   //  In the same bucket
    uint64_t dev_eui;
    bool dirty;
    union {
        fuota_device_t device;
        fuota_clock_t clock;
    };
} fuota_device_slot_t;

struct fuota_worker {
    fuota_db_t *db;
    fuota_read_t *read;
    fuota_worker_config_t config;
    fuota_worker_stats_t stats;
    int64_t now;
    uint64_t next_row;
    bool clock_wrong;
    bool orders;      //  There may be some in the table
    int64_t away;     //  At the start: milliseconds since the last commit
    size_t starting;  //  WAKE_START still to come
    fuota_batch_t batch;
    fuota_deadline_t deadlines;

    //  Deployments by the number their deadlines carry
    uint8_t (*contexts) [FUOTA_ID_SIZE];
    uint32_t *buckets;  //  Number + 1, by hash of id
    uint32_t context_count, context_room;

    uint16_t group_count, device_count;
    uint16_t device_buckets [2048];
    fuota_group_slot_t groups [TURN_GROUPS];
    fuota_device_slot_t devices [TURN_DEVICES];
};

//  The number of a deployment that deadlines carry, given when it is first
//  seen. UINT32_MAX if there is no memory.
uint32_t fuota_worker_context (fuota_worker_t *self, const uint8_t *id);

//  Wake a device (0: the group) at a time.
void fuota_worker_wake (fuota_worker_t *self, uint32_t context,
    uint64_t dev_eui, int64_t at, uint8_t why);

//  Every device of a deployment that has something before it is looked at; at
//  start its own deadline is set too. Returns 0 or FUOTA_EDB.
int fuota_worker_wake_devices (fuota_worker_t *self, const uint8_t *id,
    uint32_t context, bool start);

//  Slots of this turn: of a deployment with its group, NO_SLOT if it cannot be
//  read; of a device in it, NULL.
uint16_t fuota_worker_group (fuota_worker_t *self, const uint8_t *id);
fuota_device_slot_t *fuota_worker_device (fuota_worker_t *self, uint16_t group,
    uint64_t dev_eui);

//  Let something happen to a device (NULL: to the group), and write what came
//  of it into the batch.
void fuota_worker_step (fuota_worker_t *self, fuota_group_slot_t *slot,
    fuota_device_slot_t *device, const fuota_happening_t *happening);

//  The parts of a step, for an operator's order that is none.
fuota_env_t fuota_worker_env (const fuota_worker_t *self,
    const fuota_group_slot_t *slot, uint64_t dev_eui);
void fuota_worker_write (fuota_worker_t *self, fuota_group_slot_t *slot,
    const fuota_device_slot_t *device, const fuota_effects_t *out);
void fuota_worker_changed (fuota_worker_t *self, fuota_group_slot_t *slot,
    const fuota_group_t *before);

//  The device's slot in this turn, read with fields into record the first
//  time. NULL if there is no such record, or no room.
fuota_device_slot_t *fuota_worker_slot (fuota_worker_t *self, uint16_t group,
    uint64_t dev_eui, const fuota_key_t *key);

//  Add a row of this worker to the batch; its number.
uint64_t fuota_worker_row (fuota_worker_t *self, const fuota_row_t *row);
void fuota_worker_drop (fuota_worker_t *self, uint64_t row);

void fuota_worker_clock_event (fuota_worker_t *self,
    const fuota_event_t *event);
void fuota_worker_clock_outcome (fuota_worker_t *self,
    const fuota_outcome_t *outcome);

#endif
