//  SPDX-License-Identifier: MIT
//
//  sim_driver - the plainest server there can be, to try the simulated
//  network by hand: one group, one block, one session, every command repeated
//  at each uplink until it is answered. Its bytes are written out here.

#ifndef FUOTA_SIM_DRIVER_H
#define FUOTA_SIM_DRIVER_H

#include "broker/host/sim.h"
#include "fec_worker/kernel/fec.h"

typedef enum {
    DRIVER_GROUP,
    DRIVER_BLOCK,
    DRIVER_SESSION,
    DRIVER_READY,
    DRIVER_STATUS,
    DRIVER_REFUSED,
    DRIVER_COMPLETE
} driver_step_t;

typedef struct {
    driver_step_t step;
    uint8_t root [16];
    uint8_t group_id;
    uint8_t frag_index;
    uint16_t missing;  //  As it said last
    bool asked;        //  A command is in its queue
} driver_device_t;

typedef struct {
    fuota_sim_t *sim;
    fuota_sim_config_t config;
    int64_t now;
    uint64_t row;
    fuota_fec_block_t block;
    uint32_t m;
    uint8_t mc_key [16];
    uint8_t type;  //  0 class C, 1 class B
    char group [41];
    uint32_t f_cnt;
    int64_t session_at;  //  UTC
    uint32_t refused;    //  Fragments the gateways refused
    uint64_t digest;     //  Of all events, in order
    driver_device_t *device;
} driver_t;

//  A network and an image of that size drawn from the seed. Fails the process
//  if there is no memory.
void driver_init (driver_t *self, const fuota_sim_config_t *config,
    uint32_t size, uint8_t frag_size);
void driver_release (driver_t *self);

//  A call, and its own answer; kind is RETRY if that was lost.
fuota_outcome_t driver_call (driver_t *self, fuota_downlink_t *downlink);

//  A call of that kind about the group.
fuota_outcome_t driver_group (driver_t *self, DownlinkKind kind);

//  Address, keys and rate of the group, for a GROUP_CREATE.
void driver_describe (const driver_t *self, fuota_downlink_t *downlink);

//  Let time pass, answering what devices say.
void driver_run (driver_t *self, int64_t until);

//  Create the group and bring all devices into the session, which begins in
//  that many milliseconds.
void driver_set_up (driver_t *self, int64_t lead);

//  Send fragments first .. last, each once it can leave.
void driver_send (driver_t *self, uint32_t first, uint32_t last);

//  Send one fragment, with whatever counter; returns the outcome.
fuota_outcome_t driver_fragment (driver_t *self, uint32_t n, int64_t expires);

//  Queue one fragment for one device.
void driver_unicast (driver_t *self, uint32_t i, uint32_t n);

//  Ask all that are not complete how far they are, for that long.
void driver_collect (driver_t *self, int64_t time);

//  Devices whose image is this one.
uint32_t driver_complete (const driver_t *self);

#endif
