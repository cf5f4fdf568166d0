//  SPDX-License-Identifier: MIT
//
//  chirpstack_model - ChirpStack, its MQTT broker and its gateways in virtual
//  time, as the core's other side (broker/host/chirpstack.h) and as the host
//  of a world. Devices are those of the simulated network.
//
//  It has the queues, counters, status codes and schedulers of
//  chirpstack-host.md 2 and 3, and all that can go wrong on the way: answers
//  lost before or after the call was carried out, late, garbled, irregular;
//  publications late, twice or not at all; gateways that refuse, are silent,
//  or offline; a host that restarts. And it judges what it is asked.
//
//  Not here: class C of single devices, joins, confirmed downlinks, JSON,
//  members of groups, automatic gateways, data rates, several applications.

#ifndef FUOTA_CHIRPSTACK_MODEL_H
#define FUOTA_CHIRPSTACK_MODEL_H

#include "broker/host/chirpstack.h"
#include "tests/world/world.h"

typedef struct model model_t;

//  Rates are permille, times milliseconds; zero is a host without faults.
typedef struct {
    uint64_t seed;
    uint32_t devices, gateways;
    uint64_t first_eui;
    char application [41];
    uint32_t margin;  //  Of class C and B
    bool commands;    //  Single devices by command/down, else by Enqueue
    bool blind;       //  Gateway topics cannot be read
    bool tenant;      //  A tenant's key: what is not there is no access
    bool keeps;       //  The broker keeps messages while the engine is away
    bool clear;       //  Nobody is so late that a fate may be missed
    //  Of calls
    uint32_t lost;     //  Connection lost; carried out or not
    uint32_t refused;  //  Not carried out, for irregular reasons
    uint32_t garbled;  //  Carried out, answer not to be understood
    uint32_t slow;     //  Seconds, or longer than the engine waits
    //  Of frames for gateways
    uint32_t refusal, silent, late;
    //  Of publications
    uint32_t jitter;  //  Most that one takes
    uint32_t doubled;
    bool shuffled;    //  Those of several senders in any order
    uint32_t missed;  //  Commands that never reach the host
    //  Of single devices' items, when they are looked at
    uint32_t too_long, not_now;
    //  Mean minutes between; 0 = never
    uint32_t offline;  //  Each gateway
    uint32_t away;     //  The engine's link to the MQTT broker
    uint32_t restart;  //  The host
    uint32_t revoke;   //  The token, for a while
} model_config_t;

//  What was asked for that must not be; each has to be 0.
typedef struct {
    uint64_t twice;         //  N taken by a gateway, under another counter too
    uint64_t out_of_order;  //  N below the one before
    uint64_t left_out;      //  An N jumped over within a session
    uint64_t crowded;       //  Handed over again while it is in the queue
    uint64_t forsaken;      //  On to the next N although it is known that
                            //  nobody took this one
    uint64_t groups_twice;  //  Created under a name that was there before
    uint64_t unflushed;     //  A first fragment without a flush before
    uint64_t overlapped;    //  A command for a device that has one queued
    uint64_t strange;       //  Calls that are not to be made, or wrong
} model_judge_t;

extern const world_host_t model_host;

//  Fails the test if anything was wrong, or is left anywhere; overlaps need
//  not be nought if so said.
void model_check (const model_t *self, bool overlaps);

//  Does a device have a tag of that key?
bool model_tagged (model_t *self, uint64_t dev_eui, const char *key);

//  How much happened, for a look at whether the faults are there at all.
typedef struct {
    uint64_t calls, lost, refused, garbled, frames, frames_refused, silent;
    uint64_t aways, restarts, revoked, fragments, commands;
    uint64_t repeated;  //  Commands of a name that is in the queue
    uint64_t again;     //  Of one that was sent before
    uint64_t dropped;   //  Fragments that no gateway was given in time
} model_counts_t;

void model_counts (const model_t *self, model_counts_t *counts);

#endif
