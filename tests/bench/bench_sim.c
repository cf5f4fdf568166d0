//  SPDX-License-Identifier: MIT
//
//  bench_sim - what a simulated network costs: idle devices for an hour, and
//  a whole session of many devices, driven by tests/unit/sim_driver.h.
//
//  bench_sim [--smoke | devices fragments]

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include "tests/unit/sim_driver.h"

#define START 1767225600000
#define HOUR 3600000

static double
s_now (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec * 1e-9;
}

//  Most memory this process ever had, in MB.
static double
s_memory (void)
{
    struct rusage usage;
    getrusage (RUSAGE_SELF, &usage);
    return (double) usage.ru_maxrss / 1024;
}

static void
s_idle (uint32_t devices)
{
    fuota_sim_config_t config;
    fuota_event_t event;
    fuota_sim_defaults (&config);
    config.devices = devices;
    config.uplink_interval = 600000;
    double begin = s_now ();
    fuota_sim_t *sim = fuota_sim_new (&config, START);
    unsigned long events = 0;
    while (sim && fuota_sim_due (sim) < START + HOUR) {
        fuota_sim_tick (sim, fuota_sim_due (sim));
        for (; fuota_sim_event (sim, &event); events++)
            ;
    }
    fuota_sim_destroy (&sim);
    double time = s_now () - begin;
    printf ("sim_idle_%u_memory %.1f MB\n", devices, s_memory ());
    printf ("sim_idle_%u_hour %.3f s\n", devices, time);
    printf ("sim_idle_%u_event %.0f ns\n", devices,
        time * 1e9 / (double) (events + 1));
}

//  A tenth of all frames is lost; every device needs the coded ones.
static void
s_session (uint32_t devices, uint32_t m)
{
    fuota_sim_config_t config;
    driver_t driver;
    fuota_sim_defaults (&config);
    config.devices = devices;
    config.ts003 = config.ts004 = config.ts005 = 2;
    config.loss = 100;
    double begin = s_now ();
    driver_init (&driver, &config, m * 48 - 3, 48);
    driver_set_up (&driver, 2 * HOUR);
    driver_send (&driver, 1, m + m / 4 + 20);
    uint32_t complete = driver_complete (&driver);
    driver_release (&driver);
    double time = s_now () - begin;
    printf ("sim_session_%u_%u_memory %.1f MB\n", devices, m, s_memory ());
    printf ("sim_session_%u_%u_time %.3f s\n", devices, m, time);
    printf ("sim_session_%u_%u_complete %u devices\n", devices, m, complete);
}

int
main (int argc, char **argv)
{
    if (argc == 2 && strcmp (argv [1], "--smoke") == 0) {
        s_idle (100);
        s_session (10, 20);
    }
    else if (argc == 3)
        s_session ((uint32_t) atoi (argv [1]), (uint32_t) atoi (argv [2]));
    else {
        s_idle (100000);
        s_session (1000, 1000);
    }
    return 0;
}
