//  SPDX-License-Identifier: MIT

#include "workers/package/gpstime.h"

#define S_EPOCH 315964800  //  1980-01-06 in seconds since 1970
#define S_DAY 86400

//  First days with one more second, in days since 1970 (reference 10.1).
static const int32_t s_leaps [] = {
    4199,   //  1981-07-01
    4564,   //  1982-07-01
    4929,   //  1983-07-01
    5660,   //  1985-07-01
    6574,   //  1988-01-01
    7305,   //  1990-01-01
    7670,   //  1991-01-01
    8217,   //  1992-07-01
    8582,   //  1993-07-01
    8947,   //  1994-07-01
    9496,   //  1996-01-01
    10043,  //  1997-07-01
    10592,  //  1999-01-01
    13149,  //  2006-01-01
    14245,  //  2009-01-01
    15522,  //  2012-07-01
    16617,  //  2015-07-01
    17167,  //  2017-01-01
};
#define S_LEAPS (int) (sizeof s_leaps / sizeof *s_leaps)

int64_t
fuota_gpstime_from_utc (int64_t utc_ms, int extra)
{
    int64_t unix_s = utc_ms / 1000 - (utc_ms % 1000 < 0);
    int leaps = 0;
    while (leaps < S_LEAPS && unix_s >= (int64_t) s_leaps [leaps] * S_DAY)
        leaps++;
    return unix_s - S_EPOCH + leaps + extra;
}

int64_t
fuota_gpstime_to_utc (int64_t gps, int extra)
{
    int64_t unix_s = gps - extra + S_EPOCH - S_LEAPS;
    int leaps = S_LEAPS;
    while (leaps > 0 && unix_s < (int64_t) s_leaps [leaps - 1] * S_DAY) {
        leaps--;
        unix_s++;
    }
    return unix_s * 1000;
}

int32_t
fuota_gpstime_diff (uint32_t a, uint32_t b)
{
    return (int32_t) (a - b);
}

int64_t
fuota_gpstime_beacon (int64_t gps)
{
    int64_t past = gps % 128;
    return past > 0 ? gps - past + 128 : gps - past;
}

//  v2 prescribes that this saturates and does not wrap (D24)
int32_t
fuota_gpstime_correction (uint32_t received, uint32_t device)
{
    int64_t correction = (int64_t) received - device;
    if (correction > INT32_MAX)
        return INT32_MAX;
    if (correction < INT32_MIN)
        return INT32_MIN;
    return (int32_t) correction;
}

//  From this code on, and so from 2.4 GHz, the unit is 200 Hz.
#define S_CODE_200 12000000u

bool
fuota_frequency_code (uint32_t hz, uint32_t *code)
{
    uint32_t step = hz >= S_CODE_200 * 200 ? 200 : 100;
    uint32_t value = hz / step;
    if (hz % step || value > 0xffffff)
        return false;
    if (step == 100 && value >= S_CODE_200)
        return false;  //  Would be read as twice as much
    *code = value;
    return true;
}

uint32_t
fuota_frequency_hz (uint32_t code)
{
    return code * (code >= S_CODE_200 ? 200u : 100u);
}
