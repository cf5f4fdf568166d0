//  SPDX-License-Identifier: MIT
//
//  sim_radio - chance for the simulated network, and what the air loses.
//
//  A source of chance is eight bytes. Each device has its own, so what one
//  device meets does not depend on how many others there are.

#ifndef FUOTA_SIM_RADIO_H
#define FUOTA_SIM_RADIO_H

#include <stdbool.h>
#include <stdint.h>
#include "broker/host/sim.h"

//  Next 64 bits.
uint64_t fuota_sim_radio_next (uint64_t *chance);

//  A number below limit; 0 if limit is 0, and then no chance is used.
uint32_t fuota_sim_radio_below (uint64_t *chance, uint32_t limit);

//  A number from -limit to limit.
int32_t fuota_sim_radio_either (uint64_t *chance, uint32_t limit);

//  True in rate of 1000 cases.
bool fuota_sim_radio_hits (uint64_t *chance, uint32_t rate);

//  Does a device lose the next multicast frame? Independent losses, or those
//  of a channel with two states (Gilbert and Elliott) that loses everything
//  while it fades; fading is the device's state.
bool fuota_sim_radio_loses (const fuota_sim_config_t *config, uint64_t *chance,
    bool *fading);

#endif
