//  SPDX-License-Identifier: MIT
//
//  mckey - key derivations and MICs of TS005 and TS004 v2.
//
//  All keys are 16 bytes, byte 0 first. Every function returns 0, or
//  FUOTA_ECRYPTO with nothing written. AES and CMAC are OpenSSL's; callers
//  wipe keys they no longer need with OPENSSL_cleanse or fuota_mckey_wipe.
//  An output may be the same memory as an input.

#ifndef FUOTA_MCKEY_H
#define FUOTA_MCKEY_H

#include <stddef.h>
#include <stdint.h>

//  Which root key a device has: GenAppKey by LoRaWAN 1.0.x rules, or AppKey
//  by LoRaWAN 1.1 rules (reference 9.1).
typedef enum { FUOTA_ROOT_GEN_APP_KEY, FUOTA_ROOT_APP_KEY } fuota_root_t;

//  One AES-128 block, in place allowed.
int fuota_mckey_aes (const uint8_t key [16], const uint8_t in [16],
    uint8_t out [16]);
int fuota_mckey_aes_inverse (const uint8_t key [16], const uint8_t in [16],
    uint8_t out [16]);

//  AES-CMAC over head and then body; either may be empty.
int fuota_mckey_cmac (const uint8_t key [16], const uint8_t *head,
    size_t head_size, const uint8_t *body, size_t size, uint8_t out [16]);

//  McKEKey of a device from its root key.
int fuota_mckey_root (fuota_root_t kind, const uint8_t root [16],
    uint8_t mc_root_key [16]);
int fuota_mckey_kek (const uint8_t mc_root_key [16], uint8_t mc_ke_key [16]);

//  McKey_encrypted as sent in McGroupSetupReq, and the device's inverse.
int fuota_mckey_wrap (fuota_root_t kind, const uint8_t root [16],
    const uint8_t mc_key [16], uint8_t encrypted [16]);
int fuota_mckey_unwrap (fuota_root_t kind, const uint8_t root [16],
    const uint8_t encrypted [16], uint8_t mc_key [16]);

//  McAppSKey and McNwkSKey of a group.
int fuota_mckey_session (const uint8_t mc_key [16], uint32_t mc_addr,
    uint8_t mc_app_s_key [16], uint8_t mc_nwk_s_key [16]);

//  DataBlockIntKey (reference 9.2).
int fuota_mckey_int_key (fuota_root_t kind, const uint8_t root [16],
    uint8_t int_key [16]);

//  MIC of a data block without its padding, 4 bytes in on-air order
//  (reference 9.3). FUOTA_EVALUE if size does not fit its 32 bits.
int fuota_mckey_block_mic (const uint8_t int_key [16], uint16_t session_cnt,
    uint8_t frag_index, const uint8_t descriptor [4], const uint8_t *block,
    size_t size, uint8_t mic [4]);

//  Ping offset of a class B group in slots of 30 ms (reference 10.3).
//  FUOTA_EVALUE if periodicity is above 7.
int fuota_mckey_ping_offset (uint32_t beacon_time, uint32_t mc_addr,
    unsigned periodicity, uint16_t *offset);

//  What the cipher library keeps for this thread is freed: an actor's last
//  act, since nobody waits for its thread to end.
void fuota_mckey_thread_end (void);

//  Overwrite a key so that the compiler cannot leave it out.
void fuota_mckey_wipe (void *key, size_t size);

#endif
