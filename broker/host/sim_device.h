//  SPDX-License-Identifier: MIT
//
//  sim_device - one simulated device: the other side of the packages.
//
//  It decodes what we send by its own code, written from the specifications
//  and not from workers/package, so that one mistake cannot hide in both
//  halves. TS003 is in sim_clock.c, TS005 in sim_context.c, TS004 in
//  sim_block.c. A state machine: what it hears and the time go in, uplinks
//  come out. Bytes from outside are never asserted on. A device that says
//  nothing is small; group contexts, sessions and answers take memory only
//  while they exist.

#ifndef FUOTA_SIM_DEVICE_H
#define FUOTA_SIM_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include "broker/host/sim.h"
#include "broker/host/sim_book.h"
#include "fec_worker/kernel/fec_decode.h"

#define FUOTA_SIM_UPLINK_MAX 51  //  Payload at the lowest EU868 rates

//  Deviations of real devices (reference section 12)
enum {
    FUOTA_SIM_ONE_MISSING = 1,      //  LBM: MissingFrag 1 after no loss
    FUOTA_SIM_LONG_NO_SESSION = 2,  //  LBM: 5 bytes, not 2
    FUOTA_SIM_ALL_OR_NONE = 4,      //  LBM: a bad payload has no answers
    FUOTA_SIM_SLOW = 8,             //  LBM: answers 0-3 s later
    FUOTA_SIM_LMN_SESSION = 16,     //  LMN: its error bits of session answers
    FUOTA_SIM_LAST_N = 32,          //  LMN: NbFragReceived is the last N
    FUOTA_SIM_SEPARATE = 64,        //  An uplink for each answer
    FUOTA_SIM_NO_GROUP_0 = 128,     //  McGroupID 0 gives IDerror
    FUOTA_SIM_NO_INDEX_0 = 256,     //  FragIndex 0 is not supported; so it
                                    //  hears nothing if others have that one
    FUOTA_SIM_NEEDS_CODED = 512,    //  LMN before 2022: ends at a coded one
                                    //  and misses 1 until then
    FUOTA_SIM_QUIRKS = 1023         //  All of them
};

//  What all devices of a network share. Owned by the network.
typedef struct {
    fuota_sim_config_t config;
    fuota_sim_shelf_t *shelf;
    int64_t born;           //  UTC when it began
    int64_t gps_minus_utc;  //  Milliseconds
} fuota_sim_world_t;

//  An answer that waits for its time
typedef struct {
    int64_t at;
    uint8_t f_port;
    uint8_t fill;  //  What is written only when it is sent: sim_package.h
    uint8_t size;
    uint8_t bytes [24];
} fuota_sim_answer_t;

//  TS005: one multicast group and its session
typedef struct {
    uint32_t mc_addr;
    uint8_t app_s_key [16];
    uint8_t nwk_s_key [16];
    uint32_t min_f_cnt;
    uint32_t max_f_cnt;
    int64_t heard;  //  Last counter, -1 = none
    bool listed;    //  The network's: among those it reaches
    bool session;
    uint8_t type;  //  0 class C, 1 class B
    uint8_t dr;
    uint8_t periodicity;
    uint32_t frequency;
    int64_t start;  //  By the device's clock, GPS milliseconds
    int64_t end;
} fuota_sim_context_t;

//  A fragment whose bytes are not those of the book
typedef struct fuota_sim_leaf {
    struct fuota_sim_leaf *next;
    uint32_t n;
    uint8_t data [];
} fuota_sim_leaf_t;

typedef enum {
    FUOTA_SIM_EMPTY,
    FUOTA_SIM_RECEIVING,
    FUOTA_SIM_COMPLETE,
    FUOTA_SIM_WRONG_MIC,
    FUOTA_SIM_OVERLOADED
} fuota_sim_state_t;

//  TS004: one fragmentation session
typedef struct {
    fuota_sim_state_t state;
    uint16_t nb_frag;
    uint8_t frag_size;
    uint8_t padding;
    uint8_t groups;  //  McGroupBitMask
    uint8_t delay;   //  BlockAckDelay
    bool ack;        //  AckReception
    bool coded;      //  A coded fragment was heard
    uint8_t descriptor [4];
    uint16_t session_cnt;
    uint8_t mic [4];
    uint16_t received;  //  Repeated ones too
    uint16_t last_n;
    uint8_t reports;    //  FragDataBlockReceivedReq sent
    int64_t report_at;  //  INT64_MAX = none
    fuota_fec_decode_t *decoder;
    fuota_sim_book_t *book;
    fuota_sim_leaf_t *leaves;
} fuota_sim_block_t;

typedef struct {
    const fuota_sim_world_t *world;
    uint64_t dev_eui;
    uint64_t chance;
    uint8_t root [16];  //  GenAppKey, or AppKey by root_kind
    uint8_t root_kind;  //  fuota_root_t
    uint16_t quirks;
    uint8_t ts003;  //  Versions; 0 = it does not have it
    uint8_t ts004;
    uint8_t ts005;
    bool dead;
    bool refusing;
    bool fading;  //  See sim_radio.h
    bool synced;  //  A correction was applied
    uint8_t token;
    uint8_t forced;       //  AppTimeReq still to send
    int32_t drift;        //  Parts per million
    int64_t ahead;        //  Of its clock to UTC, milliseconds
    int64_t period;       //  Of AppTimeReq, milliseconds
    int64_t time_at;      //  Next AppTimeReq; INT64_MAX = none
    int64_t uplink_at;    //  Next uplink of the application
    int64_t quiet_until;  //  The one before is still under way
    uint32_t f_cnt;
    uint16_t answers;
    uint16_t answers_max;
    fuota_sim_answer_t *answer;
    fuota_sim_context_t *context [4];
    fuota_sim_block_t *block [4];
    int32_t session_cnt_prev [4];
    uint8_t sha256 [32];
    uint32_t blocks;
    uint32_t repeated;  //  Fragments of a group that it had already
    int64_t completed_at;
    uint32_t tags;
} fuota_sim_device_t;

typedef struct {
    uint8_t f_port;
    uint8_t size;
    uint8_t data [FUOTA_SIM_UPLINK_MAX];
} fuota_sim_frame_t;

//  A frame to a group as it is on air. Borrowed.
typedef struct {
    uint32_t mc_addr;
    const uint8_t *app_s_key;
    const uint8_t *nwk_s_key;
    uint8_t type;
    uint8_t dr;
    uint8_t periodicity;
    uint32_t frequency;
    uint32_t f_cnt;
    uint8_t f_port;
    fuota_slice_t data;
} fuota_sim_cast_t;

//  Begin device number i of the world, its nature drawn from the seed.
void fuota_sim_device_init (fuota_sim_device_t *self,
    const fuota_sim_world_t *world, uint32_t i);
void fuota_sim_device_release (fuota_sim_device_t *self);

//  When it wants to send; INT64_MAX if never.
int64_t fuota_sim_device_due (const fuota_sim_device_t *self);

//  Take the uplink that is due. False if none is.
bool fuota_sim_device_uplink (fuota_sim_device_t *self, int64_t now,
    fuota_sim_frame_t *frame);

//  A class A downlink has come.
void fuota_sim_device_hear (fuota_sim_device_t *self, uint8_t f_port,
    fuota_slice_t data, int64_t now);

//  McGroupID by which the device would receive that frame now, -1 if it does
//  not listen or has other keys.
int fuota_sim_device_listens (const fuota_sim_device_t *self,
    const fuota_sim_cast_t *cast, int64_t now);

//  The frame has come, for the McGroupID that listens.
void fuota_sim_device_cast (fuota_sim_device_t *self, int group_id,
    const fuota_sim_cast_t *cast, int64_t now);

//  What an observer sees of it.
void fuota_sim_device_view (const fuota_sim_device_t *self,
    fuota_sim_view_t *view);

//  Its clock: GPS milliseconds as it believes.
int64_t fuota_sim_device_clock (const fuota_sim_device_t *self, int64_t now);

#endif
