//  SPDX-License-Identifier: MIT

#include "broker/host/sim_radio.h"

//  SplitMix64 of Steele, Lea and Flood: any state is a good one, zero too
uint64_t
fuota_sim_radio_next (uint64_t *chance)
{
    uint64_t x = *chance += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

uint32_t
fuota_sim_radio_below (uint64_t *chance, uint32_t limit)
{
    if (limit == 0)
        return 0;
    uint64_t draw = fuota_sim_radio_next (chance) >> 32;
    return (uint32_t) (draw * limit >> 32);
}

int32_t
fuota_sim_radio_either (uint64_t *chance, uint32_t limit)
{
    if (limit > INT32_MAX / 2)
        limit = INT32_MAX / 2;
    uint32_t draw = fuota_sim_radio_below (chance, 2 * limit + 1);
    return (int32_t) draw - (int32_t) limit;
}

bool
fuota_sim_radio_hits (uint64_t *chance, uint32_t rate)
{
    return rate > 0 && fuota_sim_radio_below (chance, 1000) < rate;
}

bool
fuota_sim_radio_loses (const fuota_sim_config_t *config, uint64_t *chance,
    bool *fading)
{
    uint32_t loss = config->loss;
    uint32_t burst = config->burst;
    if (burst <= 1 || loss == 0 || loss >= 1000)
        return fuota_sim_radio_hits (chance, loss);
    if (*fading)
        *fading = fuota_sim_radio_below (chance, burst) != 0;
    else {
        //  Entered so often that it fades for that share of the frames
        uint64_t draw = fuota_sim_radio_next (chance);
        *fading = draw % ((uint64_t) burst * (1000 - loss)) < loss;
    }
    return *fading;
}
