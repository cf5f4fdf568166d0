//  SPDX-License-Identifier: MIT
//
//  fec_cycle - where rows begin on the cycle of the generator.
//
//  All states of 23 bits but zero are on one cycle, so each row whose seed
//  fits 23 bits is a window of it, and the windows overlap. The table is
//  made when the engine is built, by fec_cycle_make.c.

#ifndef FUOTA_FEC_CYCLE_H
#define FUOTA_FEC_CYCLE_H

#include <stdint.h>

#define FUOTA_FEC_CYCLE_ROWS 8380

//  Rows n = 1 .. 8380 in the order of their seeds on the cycle, and the
//  number of steps from the state 1 to each seed.
typedef struct {
    uint32_t position;
    uint32_t n;
} fuota_fec_cycle_t;

extern const fuota_fec_cycle_t fuota_fec_cycle [FUOTA_FEC_CYCLE_ROWS];

#endif
