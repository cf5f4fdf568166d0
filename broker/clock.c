//  SPDX-License-Identifier: MIT

#include <stdlib.h>
#include <sys/timex.h>
#include <time.h>
#include "broker/clock.h"

#define JUMP 2000
#define STEADY 300000

static int64_t s_scale = 1, s_origin = 0;

void
fuota_clock_set (uint32_t scale, int64_t origin)
{
    s_scale = scale ? scale : 1;
    s_origin = origin;
}

int64_t
fuota_clock_now (void)
{
    struct timespec now;
    clock_gettime (CLOCK_REALTIME, &now);
    if (s_scale == 1)
        return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
    int64_t us = (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
    return s_origin + (us - s_origin * 1000) * s_scale / 1000;
}

bool
fuota_clock_trusted (void)
{
    static int64_t offset, steady_at;
    static bool started;
    struct timespec boot;
    if (s_scale != 1)
        return true;
    clock_gettime (CLOCK_BOOTTIME, &boot);
    int64_t since = (int64_t) boot.tv_sec * 1000 + boot.tv_nsec / 1000000;
    int64_t seen = fuota_clock_now () - since;
    if (started && llabs (seen - offset) > JUMP)
        steady_at = since + STEADY;
    //  Slow steering by a time service is no jump
    offset = seen;
    started = true;
    return since >= steady_at;
}

bool
fuota_clock_synchronised (const char **words)
{
    struct timex state = { .modes = 0 };
    bool scaled = s_scale != 1;
    bool good = scaled || (adjtimex (&state) != TIME_ERROR &&
                              !(state.status & STA_UNSYNC));
    *words = scaled ? "simulated, faster than real time"
             : good ? "kept by a time service"
                    : "no time service keeps it";
    return good;
}

int
fuota_clock_wait (int64_t at, int limit)
{
    int64_t now = fuota_clock_now ();
    if (at <= now)
        return 0;
    //  Rounded up: waking early would spin until it is time
    int64_t wait = at - now > INT32_MAX * s_scale
                       ? limit
                       : (at - now + s_scale - 1) / s_scale;
    return wait < limit ? (int) wait : limit;
}
