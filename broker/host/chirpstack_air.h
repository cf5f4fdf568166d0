//  SPDX-License-Identifier: MIT
//
//  chirpstack_air - what becomes of fragments, as the gateway topics tell it.
//  Pure.
//
//  The host says nothing of a group's items. But it hands each frame to its
//  gateways under a downlink id, and they acknowledge or refuse that id. A
//  frame is one of ours if it has the group's McAddr and a counter we know.
//  SENT: a gateway took it. REFUSED: each gateway of the group refused it, and
//  each time: the host hands a frame over again if it hears no word of it. A
//  word as late as that may overtake the news of it.
//
//  Each frame, anybody's, is also told once on its own, with its gateway's
//  word or after half a minute without one.

#ifndef FUOTA_CHIRPSTACK_AIR_H
#define FUOTA_CHIRPSTACK_AIR_H

#include <stdbool.h>
#include "broker/host/chirpstack_gateway.h"

#define FUOTA_CHIRPSTACK_FATES 256
#define FUOTA_CHIRPSTACK_FRAMES 1024
#define FUOTA_CHIRPSTACK_GROUPS 64
#define FUOTA_CHIRPSTACK_TOLD 256
#define FUOTA_CHIRPSTACK_BY 16

//  What we know of a group at the host.
typedef struct {
    char id [41];             //  The host's; "" = free
    uint8_t deployment [16];  //  Known once a fragment is watched
    uint32_t mc_addr, gateways;
    bool has_gateways;  //  Their number is known
    bool proven;        //  A frame of it was seen: the topics can be read
    uint64_t used;
} fuota_chirpstack_group_t;

typedef struct {
    bool used, taken;  //  Taken: the host has given it its counter
    uint64_t row;
    uint32_t owner;
    uint8_t deployment [16];
    uint32_t mc_addr, f_cnt;
    uint32_t gateways;                  //  0: not known
    uint32_t seen, refused;             //  Frames
    uint64_t by [FUOTA_CHIRPSTACK_BY];  //  The gateways that were given it
    unsigned by_count;
    bool sent;
    bool deaf;  //  What was said of it may have been missed
    bool slow;  //  After such a word the host may have handed it over again
    bool proven;
    int64_t until;  //  The host has dropped it by then
    char words [32];
} fuota_chirpstack_fate_t;

//  A frame without its gateway's word yet.
typedef struct {
    uint64_t gateway;  //  0 = free
    uint32_t downlink;
    uint32_t f_cnt, mc_addr;  //  Of a fragment; f_cnt as it was expected
    uint8_t deployment [16];  //  Zeros: not ours
    int64_t at;
    unsigned items;
    struct {
        uint32_t frequency, air_time;
    } item [FUOTA_CHIRPSTACK_ITEMS];
} fuota_chirpstack_frame_t;

typedef struct {
    fuota_chirpstack_group_t groups [FUOTA_CHIRPSTACK_GROUPS];
    fuota_chirpstack_fate_t fates [FUOTA_CHIRPSTACK_FATES];
    fuota_chirpstack_frame_t frames [FUOTA_CHIRPSTACK_FRAMES];
    unsigned frame_at, waiting;
    fuota_frame_t told [FUOTA_CHIRPSTACK_TOLD];
    unsigned told_first, told_count;
    int64_t swept_at;
    uint64_t uses, frame_count, ack_count;
    bool deaf;  //  Nothing can be heard now
} fuota_chirpstack_air_t;

//  A group by the host's name: NULL if it is not known; a new one, with the
//  one that was not used for longest forgotten.
fuota_chirpstack_group_t *
fuota_chirpstack_air_group (fuota_chirpstack_air_t *self, const char *id);
fuota_chirpstack_group_t *
fuota_chirpstack_air_new (fuota_chirpstack_air_t *self, const char *id);

//  A fragment will be handed over: watch for its frames. Of a row that is
//  watched already only the expectation changes. False if there are too many.
bool fuota_chirpstack_air_watch (fuota_chirpstack_air_t *self,
    const fuota_downlink_t *want, fuota_chirpstack_group_t *group);

//  The host took it and gave it that counter; or it did not.
void fuota_chirpstack_air_taken (fuota_chirpstack_air_t *self, uint64_t row,
    uint32_t owner, uint32_t f_cnt);
void fuota_chirpstack_air_forget (fuota_chirpstack_air_t *self, uint64_t row,
    uint32_t owner);

//  A frame for a gateway, or a gateway's word on one.
void fuota_chirpstack_air_down (fuota_chirpstack_air_t *self,
    const fuota_chirpstack_down_t *down, int64_t now);
void fuota_chirpstack_air_ack (fuota_chirpstack_air_t *self,
    const fuota_chirpstack_ack_t *ack, int64_t now);

//  The next frame whose fate is known by now. False if there is none.
bool fuota_chirpstack_air_frame (fuota_chirpstack_air_t *self, int64_t now,
    fuota_frame_t *frame);

//  Whether the topics are heard from now on. Of what was not on air by then
//  silence says nothing, nor do refusals: the host may have handed it over
//  before.
void fuota_chirpstack_air_hears (fuota_chirpstack_air_t *self, bool hears);

//  The next fate that is known by now. False if there is none.
bool fuota_chirpstack_air_outcome (fuota_chirpstack_air_t *self, int64_t now,
    fuota_outcome_t *outcome);

//  When there may be one although nothing was heard.
int64_t fuota_chirpstack_air_due (const fuota_chirpstack_air_t *self);

#endif
