//  SPDX-License-Identifier: MIT
//
//  gpstime - GPS seconds from and to UTC, class B periods, frequency codes.
//
//  GPS time = whole seconds since 1980-01-06 on a scale without leap seconds.
//  On air it is taken modulo 2^32. Pure.

#ifndef FUOTA_GPSTIME_H
#define FUOTA_GPSTIME_H

#include <stdbool.h>
#include <stdint.h>

//  Whole GPS seconds of a UTC time in milliseconds since 1970, with the table
//  of leap seconds (18 since 2017) plus extra (a correction by the operator,
//  usually 0). Before 1980-01-06: negative.
int64_t fuota_gpstime_from_utc (int64_t utc_ms, int extra);

//  UTC milliseconds of a GPS second. A leap second is the midnight after it.
int64_t fuota_gpstime_to_utc (int64_t gps, int extra);

//  a - b of two on-air times, modulo 2^32, as a signed number of seconds.
int32_t fuota_gpstime_diff (uint32_t a, uint32_t b);

//  Round up to a multiple of 128: the next beacon.
int64_t fuota_gpstime_beacon (int64_t gps);

//  TS003 TimeCorrection = saturate (received - device), both below 2^32.
int32_t fuota_gpstime_correction (uint32_t received, uint32_t device);

//  Frequency in Hz to its 24-bit code: units of 100 Hz, of 200 Hz from
//  2.4 GHz up. Returns false with *code untouched if it is not a multiple of
//  the step, too large, or from 1.2 GHz up but below 2.4 GHz: no code means
//  that.
bool fuota_frequency_code (uint32_t hz, uint32_t *code);
uint32_t fuota_frequency_hz (uint32_t code);

#endif
