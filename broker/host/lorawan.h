//  SPDX-License-Identifier: MIT
//
//  lorawan - LoRaWAN 1.0.x and 1.1 frames as bytes: join, data, MIC, keys,
//  frame counters.
//
//  For the simulated devices and the tests that play their server, so both
//  directions are here. Pure but for the cipher. Bytes from outside are never
//  asserted on. Keys are 16 bytes, byte 0 first; EUIs and DevAddr are numbers
//  and go on air with the least byte first. Functions return 0, or
//  FUOTA_ESHORT (cut), FUOTA_EFORMAT (not such a frame), FUOTA_EFULL (no
//  room), FUOTA_EVALUE (wrong MIC), FUOTA_ECRYPTO, with nothing to be used.

#ifndef FUOTA_LORAWAN_H
#define FUOTA_LORAWAN_H

#include <stdbool.h>
#include "schema/bytes.h"

#define FUOTA_LORAWAN_FRAME 255    //  Largest PHYPayload
#define FUOTA_LORAWAN_PAYLOAD 242  //  Largest FRMPayload
#define FUOTA_LORAWAN_OPTIONS 15   //  Largest FOpts
#define FUOTA_LORAWAN_JOIN_REQUEST 23
#define FUOTA_LORAWAN_JOIN_ACCEPT 33  //  With a CFList; 17 without

typedef enum {
    FUOTA_LORAWAN_JOIN_REQ,
    FUOTA_LORAWAN_JOIN_ACC,
    FUOTA_LORAWAN_UP,
    FUOTA_LORAWAN_DOWN,
    FUOTA_LORAWAN_CONFIRMED_UP,
    FUOTA_LORAWAN_CONFIRMED_DOWN
} fuota_lorawan_type_t;

//  FCtrl
enum {
    FUOTA_LORAWAN_ADR = 0x80,
    FUOTA_LORAWAN_ACK = 0x20,
    FUOTA_LORAWAN_PENDING = 0x10  //  Of a downlink
};

//  What a device is born with. LoRaWAN 1.0.x has one key for the network, its
//  AppKey: it is in nwk_key, as ChirpStack has it.
typedef struct {
    bool v11;
    uint64_t dev_eui, join_eui;
    uint8_t nwk_key [16];
    uint8_t app_key [16];  //  1.1 alone
} fuota_lorawan_root_t;

//  A session. 1.0.x: NwkSKey is in the first three.
typedef struct {
    bool v11;
    uint8_t f_nwk_s_int [16], s_nwk_s_int [16], nwk_s_enc [16], app_s [16];
} fuota_lorawan_keys_t;

typedef struct {
    uint32_t join_nonce, net_id;  //  24 bits
    uint32_t dev_addr;
    bool opt_neg;  //  The server speaks 1.1
    uint8_t rx1_dr_offset, rx2_dr;
    uint8_t rx1_delay;      //  Seconds, 1 at least
    uint8_t channels [16];  //  CFList, its type last
    bool has_channels;
} fuota_lorawan_accept_t;

typedef struct {
    fuota_lorawan_type_t type;
    uint32_t dev_addr;
    uint8_t f_ctrl;  //  Without the length of FOpts
    uint32_t f_cnt;  //  All 32 bits
    uint8_t options_size;
    uint8_t options [FUOTA_LORAWAN_OPTIONS];
    int f_port;  //  -1: there is none
    uint8_t size;
    uint8_t data [FUOTA_LORAWAN_PAYLOAD];
    //  For the MIC of 1.1: counter of the frame that is acknowledged, and of
    //  an uplink its data rate and channel
    uint16_t acked;
    uint8_t dr, channel;
} fuota_lorawan_data_t;

//  ---------------------------------------------------------------------
//  Join

int fuota_lorawan_ask (const fuota_lorawan_root_t *root, uint16_t dev_nonce,
    uint8_t out [FUOTA_LORAWAN_JOIN_REQUEST]);

//  The server's reading of it: whose, and its nonce.
int fuota_lorawan_asked (fuota_slice_t frame, const fuota_lorawan_root_t *root,
    uint16_t *dev_nonce);

//  What a server answers; *size is the room before and the bytes after.
int fuota_lorawan_accept (const fuota_lorawan_root_t *root, uint16_t dev_nonce,
    const fuota_lorawan_accept_t *accept, uint8_t *out, size_t *size);
int fuota_lorawan_accepted (fuota_slice_t frame,
    const fuota_lorawan_root_t *root, uint16_t dev_nonce,
    fuota_lorawan_accept_t *accept);

//  Session keys of both sides. A 1.1 device gets those of 1.0 from a server
//  that does not speak 1.1.
int fuota_lorawan_join_keys (const fuota_lorawan_root_t *root,
    uint16_t dev_nonce, const fuota_lorawan_accept_t *accept,
    fuota_lorawan_keys_t *keys);

//  ---------------------------------------------------------------------
//  Data

//  Address, type and the 16 bits of the counter, before any key is known.
int fuota_lorawan_peek (fuota_slice_t frame, fuota_lorawan_data_t *data);

//  The whole counter by its low bits and the last one heard (-1: none). That
//  of a repeated frame is the last one again.
uint32_t fuota_lorawan_f_cnt (int64_t last, uint16_t low);

//  Encrypt, and *size as above.
int fuota_lorawan_write (const fuota_lorawan_keys_t *keys,
    const fuota_lorawan_data_t *data, uint8_t *out, size_t *size);

//  Check the MIC and decrypt. data has f_cnt, acked, dr and channel as the
//  reader knows them; all else is from the frame.
int fuota_lorawan_read (const fuota_lorawan_keys_t *keys, fuota_slice_t frame,
    fuota_lorawan_data_t *data);

#endif
