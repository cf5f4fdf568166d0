//  SPDX-License-Identifier: MIT
//
//  lora_server - a network server of a few lines for the tests of lora.h: it
//  joins devices, reads their uplinks, answers in RX1, and sends to a group.
//  Time is virtual. It knows the devices' root keys as ChirpStack would.

#ifndef LORA_SERVER_H
#define LORA_SERVER_H

#include "broker/host/lora.h"
#include "gateway.pb.h"

#define PEERS 16
#define START 1767225600000  //  2026-01-01
#define MC_ADDRESS 0x01b2c3d4

typedef struct {
    fuota_lorawan_root_t root;
    fuota_lorawan_keys_t keys;
    bool joined;
    uint16_t nonce;  //  Of the last join-request
    int64_t f_cnt_up;
    uint32_t n_down, a_down, dev_addr;
    unsigned heard;  //  Uplinks, each once
    fuota_lorawan_data_t last;
} peer_t;

typedef struct server server_t;

//  An uplink came; what is answered (f_port > 0 or options), if true.
typedef bool (server_turn_t) (server_t *server, unsigned i,
    const fuota_lorawan_data_t *up, fuota_lorawan_data_t *down);

struct server {
    fuota_lora_t *lora;
    int64_t now;
    server_turn_t *turn;
    peer_t peer [PEERS];
    unsigned count;
    uint8_t mc_key [16];
    fuota_lorawan_keys_t mc_keys;
    uint32_t mc_f_cnt;
    int64_t gps_minus_utc;
    unsigned ups, acks, stats, joins, wrong;
    unsigned acked [FUOTA_LORA_STATUSES];
    uint32_t downlink_id;
    bool rx2;        //  Answers in RX2 alone
    bool tamper;     //  Each downlink to a device with a wrong MIC
    gw_Frame frame;  //  The last one that was sent
};

void server_init (server_t *self, const fuota_lora_config_t *config,
    const fuota_sim_config_t *sim);
void server_release (server_t *self);

//  Until that time.
void server_run (server_t *self, int64_t until);

//  A frame for a gateway: at once, or, with until set, at that time.
void server_send (server_t *self, uint32_t gateway, const uint8_t *bytes,
    size_t size, unsigned sf, int64_t at);

//  A payload to the group, by all gateways, one after the other.
void server_cast (server_t *self, unsigned f_port, const uint8_t *data,
    size_t size, unsigned sf, int64_t at);

//  Send the last frame again, to that gateway.
void server_again (server_t *self, uint32_t gateway);

#endif
