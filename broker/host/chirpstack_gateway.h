//  SPDX-License-Identifier: MIT
//
//  chirpstack_gateway - what ChirpStack and its gateways say to each other, as
//  our values. Pure.
//
//  Protobuf, or JSON where a gateway speaks it; the first byte tells.

#ifndef FUOTA_CHIRPSTACK_GATEWAY_H
#define FUOTA_CHIRPSTACK_GATEWAY_H

#include <stdbool.h>
#include "schema/record.h"

#define FUOTA_CHIRPSTACK_ITEMS 2  //  RX1 and RX2

//  A frame a gateway is to send: the first of its items that it can.
typedef struct {
    uint64_t gateway;
    uint32_t downlink;
    uint8_t phy [280];  //  Of the first item
    size_t size;
    unsigned items;  //  0: none of them was understood
    struct {
        uint32_t frequency;  //  Hz
        uint32_t air_time;   //  Microseconds
    } item [FUOTA_CHIRPSTACK_ITEMS];
} fuota_chirpstack_down_t;

//  Its word on that, a gw.TxAckStatus, and the item that it sent.
typedef struct {
    uint64_t gateway;
    uint32_t downlink;
    uint32_t word;
    unsigned item;
} fuota_chirpstack_ack_t;

//  Read a body. Returns 0 or FUOTA_EFORMAT.
int fuota_chirpstack_gateway_down (fuota_slice_t body,
    fuota_chirpstack_down_t *out);
int fuota_chirpstack_gateway_ack (fuota_slice_t body,
    fuota_chirpstack_ack_t *out);

#endif
