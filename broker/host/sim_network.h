//  SPDX-License-Identifier: MIT
//
//  sim_network - the inside of the simulated network, for its sources:
//  sim.c (time, calls, answers), sim_unicast.c (devices and their queues),
//  sim_group.c (groups and their queues) and sim_air.c (who hears it).

#ifndef FUOTA_SIM_NETWORK_H
#define FUOTA_SIM_NETWORK_H

#include "broker/host/sim_device.h"
#include "broker/host/sim_fifo.h"
#include "broker/host/sim_heap.h"

//  What can be due
enum {
    FUOTA_SIM_WAKE,     //  A device wants to send
    FUOTA_SIM_WINDOW,   //  Its queue is looked at for RX1
    FUOTA_SIM_DELIVER,  //  A downlink reaches it; thing = item
    FUOTA_SIM_EXPIRE,   //  Something in its queue may have expired
    FUOTA_SIM_LATE,     //  An event is delivered; thing = event
    FUOTA_SIM_TRANSMIT  //  A group's queue is looked at
};

//  Something queued for a device or a group. What is echoed is in outcome.
typedef struct fuota_sim_item {
    struct fuota_sim_item *next;
    fuota_outcome_t outcome;
    int64_t leaves_at;   //  Group: by the scheduler
    int64_t expires_at;  //  INT64_MAX = never
    int32_t index;       //  Group: FragIndex, -1 = no fragment
    uint32_t n;
    uint32_t before;  //  N taken before it
    uint32_t f_cnt;
    uint8_t f_port;
    size_t size;
    uint8_t data [];
} fuota_sim_item_t;

typedef struct {
    fuota_sim_device_t device;
    fuota_sim_item_t *queue;
    int64_t wake_at;  //  The wake-up that counts; INT64_MAX = none
} fuota_sim_node_t;

//  Fragments the host took for one group and FragIndex
typedef struct {
    uint64_t taken [256];  //  Bit N
    uint32_t last;
    int64_t session;  //  In which the last was taken
} fuota_sim_run_t;

//  All devices that know a group address
typedef struct {
    uint32_t mc_addr;
    int64_t session;  //  Start of the session programmed last
    uint32_t count;
    uint32_t room;
    uint32_t *device;
} fuota_sim_air_t;

typedef struct {
    uint32_t number;
    char name [sizeof ((fuota_downlink_t *) 0)->name];
    uint32_t mc_addr;
    uint8_t app_s_key [16];
    uint8_t nwk_s_key [16];
    uint8_t type;
    uint8_t dr;
    uint8_t periodicity;
    uint32_t frequency;
    uint32_t f_cnt;
    size_t gateways_count;
    uint64_t gateways [16];
    fuota_sim_item_t *queue;
    int64_t busy_until;  //  The last gateway has the last item
    fuota_sim_run_t *run [4];
} fuota_sim_group_t;

struct fuota_sim {
    fuota_sim_world_t world;
    uint64_t chance;
    int64_t now;
    bool mute;  //  The answer to this call is lost
    fuota_sim_heap_t heap;
    fuota_sim_fifo_t events;
    fuota_sim_fifo_t outcomes;
    fuota_sim_stats_t stats;
    fuota_sim_node_t *node;
    fuota_sim_group_t **group;  //  Number k is "sim-k"; NULL: deleted
    uint32_t groups;
    uint32_t groups_room;
    fuota_sim_air_t *air;  //  By address
    uint32_t airs;
    uint32_t airs_room;
};

//  Answer a call: the outcome is lost if the call is one of those.
void fuota_sim_reply (fuota_sim_t *self, fuota_outcome_t *outcome,
    OutcomeKind kind);
void fuota_sim_never (fuota_sim_t *self, fuota_outcome_t *outcome,
    const char *words);

//  Say what became of an item later on; not if the host is blind.
void fuota_sim_tell (fuota_sim_t *self, const fuota_sim_item_t *item,
    OutcomeKind kind);

//  A copy of a downlink for a queue. NULL if there is no memory.
fuota_sim_item_t *fuota_sim_item_new (const fuota_downlink_t *downlink,
    const fuota_outcome_t *outcome);

//  Devices
fuota_sim_node_t *fuota_sim_find (fuota_sim_t *self, uint64_t dev_eui);
void fuota_sim_wake (fuota_sim_t *self, uint32_t i);
void fuota_sim_unicast (fuota_sim_t *self, const fuota_downlink_t *downlink,
    fuota_outcome_t *outcome);
void fuota_sim_unicast_due (fuota_sim_t *self, const fuota_sim_due_t *due);

//  Groups
void fuota_sim_group_create (fuota_sim_t *self,
    const fuota_downlink_t *downlink, fuota_outcome_t *outcome);
void fuota_sim_group_delete (fuota_sim_t *self,
    const fuota_downlink_t *downlink, fuota_outcome_t *outcome);
void fuota_sim_group_flush (fuota_sim_t *self, const fuota_downlink_t *downlink,
    fuota_outcome_t *outcome);
void fuota_sim_group_counter (fuota_sim_t *self,
    const fuota_downlink_t *downlink, fuota_outcome_t *outcome);
void fuota_sim_group_fragment (fuota_sim_t *self,
    const fuota_downlink_t *downlink, fuota_outcome_t *outcome);
void fuota_sim_group_transmit (fuota_sim_t *self, uint32_t number);
void fuota_sim_group_destroy (fuota_sim_group_t **group_p);

//  A device may have joined a group or been given a session.
void fuota_sim_air_update (fuota_sim_t *self, uint32_t i);

//  Start of the session that was programmed last for a group address.
int64_t fuota_sim_air_session (const fuota_sim_t *self, uint32_t mc_addr);

//  An item of a group is on air now.
void fuota_sim_air_send (fuota_sim_t *self, const fuota_sim_group_t *group,
    const fuota_sim_item_t *item);

#endif
