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
    bool orders;  //  There may be some in the table
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
