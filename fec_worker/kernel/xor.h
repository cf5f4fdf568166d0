//  SPDX-License-Identifier: MIT
//
//  xor - add bytes to bytes over GF(2): the inner loop of the kernel.

#ifndef FUOTA_XOR_H
#define FUOTA_XOR_H

#include <stddef.h>
#include <stdint.h>

//  into [i] ^= from [i] for size bytes of any alignment. The two must not
//  overlap.
void fuota_xor (uint8_t *restrict into, const uint8_t *restrict from,
    size_t size);

#endif
