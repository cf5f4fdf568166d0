//  SPDX-License-Identifier: MIT

#include <string.h>
#include "broker/cover.h"

static bool
s_reached_by (const fuota_cover_device_t *device, uint16_t gateway)
{
    for (unsigned i = 0; i < device->count; i++)
        if (device->at [i] == gateway)
            return true;
    return false;
}

static void
s_take (fuota_cover_device_t *devices, size_t count, uint16_t gateway, int by)
{
    for (size_t i = 0; i < count; i++)
        if (s_reached_by (&devices [i], gateway))
            devices [i].times = (uint8_t) (devices [i].times + by);
}

//  Who reaches most of those that nobody chosen does, and how many that is.
static uint32_t
s_best (const fuota_cover_device_t *devices, size_t count, uint16_t *best)
{
    uint32_t reach [FUOTA_COVER_GATEWAYS] = { 0 };
    for (size_t i = 0; i < count; i++)
        for (unsigned n = 0; n < devices [i].count && !devices [i].times; n++)
            reach [devices [i].at [n]]++;
    *best = 0;
    for (uint16_t i = 1; i < FUOTA_COVER_GATEWAYS; i++)
        if (reach [i] > reach [*best])
            *best = i;
    return reach [*best];
}

//  Does each of its devices have another?
static bool
s_needless (const fuota_cover_device_t *devices, size_t count, uint16_t gateway)
{
    for (size_t i = 0; i < count; i++)
        if (devices [i].times == 1 && s_reached_by (&devices [i], gateway))
            return false;
    return true;
}

size_t
fuota_cover (fuota_cover_device_t *devices, size_t count,
    uint16_t chosen [FUOTA_COVER_MOST], size_t *left)
{
    size_t size = 0, kept = 0;
    for (size_t i = 0; i < count; i++)
        devices [i].times = 0;
    while (size < FUOTA_COVER_MOST && s_best (devices, count, &chosen [size]))
        s_take (devices, count, chosen [size++], 1);
    for (size_t i = 0; i < size; i++)
        if (s_needless (devices, count, chosen [i]))
            s_take (devices, count, chosen [i], -1);
        else
            chosen [kept++] = chosen [i];
    *left = 0;
    for (size_t i = 0; i < count; i++)
        *left += devices [i].count && !devices [i].times;
    return kept;
}
