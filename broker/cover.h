//  SPDX-License-Identifier: MIT
//
//  cover - few gateways that together reach every device. Pure.
//
//  The smallest set is too hard to find; this is the greedy one: always the
//  gateway that reaches most of those left, at worst a logarithm too many;
//  and in the end without those that the later ones have made needless.

#ifndef FUOTA_COVER_H
#define FUOTA_COVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FUOTA_COVER_GATEWAYS 4096  //  To choose from
#define FUOTA_COVER_MOST 16        //  To choose
#define FUOTA_COVER_EACH 8         //  That reach a device

//  A device, and who reaches it; those with nobody are passed over.
typedef struct {
    uint16_t at [FUOTA_COVER_EACH];  //  Indexes of gateways, different
    uint8_t count;
    uint8_t times;  //  Scratch: by how many that were chosen
} fuota_cover_device_t;

//  Choose at most FUOTA_COVER_MOST, by index, the one that reaches most first;
//  of two alike the lower index. Returns their number; *left is how many
//  devices with somebody are reached by none of them.
size_t fuota_cover (fuota_cover_device_t *devices, size_t count,
    uint16_t chosen [FUOTA_COVER_MOST], size_t *left);

#endif
