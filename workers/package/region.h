//  SPDX-License-Identifier: MIT
//
//  region - payload limits, data rates, air time and duty cycle by region.
//
//  Tables from ChirpStack's region modules (origin in tests/vectors/README.md;
//  a unit test compares every row with regions.json). Pure.

#ifndef FUOTA_REGION_H
#define FUOTA_REGION_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint8_t dr;
    bool downlink;       //  Usable for multicast downlinks
    uint8_t sf;          //  5..12; 0 = FSK at 50 kbit/s
    uint32_t bandwidth;  //  Hz; 0 for FSK
    bool low_rate;       //  Low-data-rate optimisation is on
    uint8_t max_n;       //  Multicast N, no repeater, no dwell time; 0 = none
    uint8_t max_n_repeater;
    uint8_t max_n_dwell;
} fuota_rate_t;

typedef struct fuota_region fuota_region_t;

//  Region by name ("EU868", "AS923_2"; "AS923-2" too), case ignored. NULL if
//  there is none.
const fuota_region_t *fuota_region_find (const char *name);

//  The i-th region's name, NULL past the last: to list what is allowed.
const char *fuota_region_name (unsigned i);

//  Downlink row of a data rate, NULL if the region has none usable for
//  multicast downlinks. A row may still have N = 0: CN470 DR0, and AS923 DR0
//  and DR1 under dwell time. With repeater and dwell time N is the lesser.
const fuota_rate_t *fuota_region_rate (const fuota_region_t *self, unsigned dr);

//  Is this frequency (Hz) inside the region's band? The bounds are returned
//  when low and high are not NULL, for the error message.
bool fuota_region_has_frequency (const fuota_region_t *self, uint32_t hz,
    uint32_t *low, uint32_t *high);

//  Default RX2 frequency and class B ping frequency (0 if it hops) in Hz, and
//  their data rate when dr is not NULL.
uint32_t fuota_region_rx2 (const fuota_region_t *self, uint8_t *dr);
uint32_t fuota_region_ping (const fuota_region_t *self, uint8_t *dr);

//  Duty-cycle limit at a frequency in permille; 1000 = none known. Where two
//  sub-bands meet, the lower limit.
unsigned fuota_region_duty (const fuota_region_t *self, uint32_t hz);

//  The sub-band with that limit, its bounds in Hz. False if none is known.
bool fuota_region_band (const fuota_region_t *self, uint32_t hz, uint32_t *low,
    uint32_t *high);

//  Air time in microseconds of a downlink frame with this much application
//  payload (13 bytes of overhead are added). ISM2400 is an approximation.
uint32_t fuota_region_air_time (const fuota_rate_t *rate, unsigned payload);

#endif
