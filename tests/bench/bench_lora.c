//  SPDX-License-Identifier: MIT
//
//  Simulated gateways and LoRaWAN devices: an hour of their uplinks, each
//  heard by two gateways. One line each: name value unit.

#include <stdio.h>
#include <string.h>
#include <time.h>
#include "broker/host/lora.h"

#define START 1767225600000
#define HOUR 3600000

static double
s_now (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

int
main (int argc, char **argv)
{
    bool smoke = argc > 1 && strcmp (argv [1], "--smoke") == 0;
    fuota_lora_config_t config;
    fuota_sim_config_t sim;
    fuota_lora_stats_t stats;
    fuota_lora_message_t message;
    fuota_lora_defaults (&config);
    fuota_sim_defaults (&sim);
    sim.devices = smoke ? 10 : 1000;
    sim.gateways = 2;
    config.abp = 1000;
    fuota_lora_t *lora = fuota_lora_new (&config, &sim, START);
    if (!lora)
        return 1;
    double began = s_now ();
    while (fuota_lora_due (lora) < START + HOUR) {
        fuota_lora_tick (lora, fuota_lora_due (lora));
        while (fuota_lora_say (lora, &message))
            continue;
    }
    double took = s_now () - began;
    fuota_lora_stats (lora, &stats);
    printf ("lora_uplink %.2f us\n",
        took * 1e6 / (double) stats.devices.uplinks);
    printf ("lora_device_hour %.2f ms\n", took * 1e3 / sim.devices);
    fuota_lora_destroy (&lora);
    return 0;
}
