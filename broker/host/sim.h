//  SPDX-License-Identifier: MIT
//
//  sim - a network of simulated LoRaWAN devices and its server, as a host.
//
//  A core like any other: downlinks and time in, events and outcomes out. It
//  reads no clock and draws all chance from its seed, so a run can be
//  repeated. Devices behave as real ones do (host/sim_device.h); the server
//  has the queues, counters and gateways of chirpstack-host.md 3.2 to 3.7.
//  One thread at a time. It owns all its memory.

#ifndef FUOTA_SIM_H
#define FUOTA_SIM_H

#include <stdbool.h>
#include "schema/record.h"

typedef struct fuota_sim fuota_sim_t;

//  Rates are permille, times milliseconds unless named otherwise. All zero is
//  a perfect network of no devices; fuota_sim_defaults gives a sensible one,
//  with version 1 of all packages. Packages have their usual ports.
typedef struct {
    uint64_t seed;
    uint32_t devices;
    uint64_t first_eui;  //  DevEUIs count up from here
    char application [41];

    //  Versions of the packages of all devices; 0 = they do not have it
    uint32_t ts003;
    uint32_t ts004;
    uint32_t ts005;

    uint32_t mixed;  //  Devices that have version 2 of all they have

    uint32_t uplink_interval;  //  Of each device, with +- 10 % jitter
    uint32_t loss;             //  Of multicast frames, independent
    uint32_t burst;            //  Mean length of loss bursts in frames;
                               //  0 or 1 = independent losses
    uint32_t unicast_loss;     //  Of uplinks and of class A downlinks
    uint32_t duplicates;       //  Uplink events delivered twice
    uint32_t reorder;          //  Uplink events delivered late, out of order
    uint32_t dead;             //  Devices that never say anything
    uint32_t refusing;         //  Devices without memory: setup refused
    uint32_t quirks;           //  Devices with some deviations of section 12,
                               //  drawn from those in sim_device.h
    uint32_t clock_error;      //  Largest at start, either way
    uint32_t drift;            //  Largest, parts per million, either way
    uint32_t answer_delay;     //  Largest random delay of an answer, besides
                               //  the 1 to 10 s each takes
    uint32_t max_losses;       //  Of a device's decoder; 0 = any
    uint32_t max_block;        //  Bytes of a device's memory; 0 = any
    uint32_t gateways;         //  1 at least; their EUIs are 1, 2, ... A
                               //  device is in reach of two of them
    uint32_t gateway_refusal;  //  Of group frames, by all gateways
    uint32_t blind;            //  1: no word of what was sent. SENT comes
                               //  with TAKEN, and nothing after that
    uint32_t busy;             //  Calls answered with RETRY
    uint32_t lost_answers;     //  Calls carried out, answer lost. What
                               //  becomes of the item is still told
    uint32_t scheduler;        //  Of the host; default 1000
} fuota_sim_config_t;

void fuota_sim_defaults (fuota_sim_config_t *config);

//  Create a network. Caller owns it. NULL if there is no memory.
fuota_sim_t *fuota_sim_new (const fuota_sim_config_t *config, int64_t now);
void fuota_sim_destroy (fuota_sim_t **self_p);

//  The engine wants something. Outcomes may be ready at once or later. What
//  is due at that very time happens after it. Fragments that are flushed, or
//  go with their group, are EXPIRED. Deleting what is not there is DONE.
void fuota_sim_take (fuota_sim_t *self, const fuota_downlink_t *downlink,
    int64_t now);

//  Time has come. Do what is due up to now.
void fuota_sim_tick (fuota_sim_t *self, int64_t now);

//  When to call tick, UTC milliseconds; INT64_MAX if nothing is waiting.
int64_t fuota_sim_due (const fuota_sim_t *self);

//  Take the next thing out, in order. False if there is none.
bool fuota_sim_event (fuota_sim_t *self, fuota_event_t *event);
bool fuota_sim_outcome (fuota_sim_t *self, fuota_outcome_t *outcome);

//  A question and its answer, part by part: *at is 0 for the first. The last
//  part says so.
//
//  Its devices have the tags model ("sim-1", "sim-2" by their version) and lot
//  ("0" to "9", the last digit of their number), and their versions are those
//  that tags would say.
void fuota_sim_answer (const fuota_sim_t *self,
    const fuota_question_t *question, uint32_t *at, fuota_answer_t *answer);

//  ---------------------------------------------------------------------
//  What an observer of the world sees: for reports and tests

typedef struct {
    uint64_t dev_eui;
    bool dead, refusing;
    bool has_image;        //  A block was rebuilt completely
    uint8_t sha256 [32];   //  Of the last one, without padding
    uint32_t blocks;       //  Blocks rebuilt
    int64_t completed_at;  //  The last one
    uint32_t tags;         //  Tags set on it
} fuota_sim_view_t;

uint32_t fuota_sim_count (const fuota_sim_t *self);
void fuota_sim_view (const fuota_sim_t *self, uint32_t i,
    fuota_sim_view_t *view);

//  Counted over the life of the network. Per group and N the host took a
//  fragment exactly once or it is counted in one of the first two. A fragment
//  that never was on air (refused by all gateways, expired, flushed) and is
//  taken again is neither. A run begins when a fragment is taken after the
//  group's devices were given a new session.
typedef struct {
    uint64_t taken_twice;    //  Fragments (group, N) taken more than once
    uint64_t out_of_order;   //  Taken with an N not above the one before, or
                             //  leaving out an N within a session's run
    uint64_t wrong_counter;  //  Taken with f_cnt other than the caller expected
    uint64_t crowded;        //  Taken while gateways still had to send others
    uint64_t taken;          //  Fragments taken
    uint64_t refused;        //  By gateways
    uint64_t on_air;         //  Fragments transmitted
    uint64_t unicast;        //  Downlinks delivered to devices
    uint64_t uplinks;        //  Heard by the network
    uint64_t overlapped;     //  A command for a device that had one queued
    uint64_t outside;        //  Fragments on air when no member listened
    uint64_t groups;         //  Groups that exist now
} fuota_sim_stats_t;

void fuota_sim_stats (const fuota_sim_t *self, fuota_sim_stats_t *stats);

#endif
