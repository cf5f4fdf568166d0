//  SPDX-License-Identifier: MIT
//
//  bench_world - the whole engine with its simulated network in virtual time:
//  devices brought from the start to a verified image for each second of CPU.
//
//      bench_world [devices [deployments [loss per mille]]]
//
//  Engine and network share the time; the network decodes for every device,
//  so most of it is not the engine's. Up to four deployments are for all the
//  devices, more have so many each of their own.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "tests/world/world.h"

static double
s_cpu (void)
{
    struct rusage usage;
    getrusage (RUSAGE_SELF, &usage);
    return (double) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

static long
s_peak_kib (void)
{
    struct rusage usage;
    getrusage (RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static double
s_disk_kib (const world_t *world)
{
    char path [128];
    struct stat info;
    snprintf (path, sizeof path, "%s/data.mdb", world->folder);
    return stat (path, &info) ? 0 : (double) info.st_blocks / 2;
}

static unsigned
s_number (int argc, char **argv, int at, unsigned usual)
{
    return argc > at ? (unsigned) strtoul (argv [at], NULL, 10) : usual;
}

int
main (int argc, char **argv)
{
    bool smoke = argc > 1 && !strcmp (argv [1], "--smoke");
    world_plan_t plan = world_plan ();
    world_t world;
    plan.sim.devices = smoke ? 5 : s_number (argc, argv, 1, 1000);
    plan.deployments = smoke ? 1 : s_number (argc, argv, 2, 1);
    plan.sim.loss = smoke ? 50 : s_number (argc, argv, 3, 50);
    plan.repair_rounds = 10;
    if (!plan.sim.devices || !plan.deployments)
        return 2;
    uint32_t wanted = plan.sim.devices * plan.deployments;
    if (plan.deployments > 4) {
        plan.each = plan.sim.devices;
        plan.sim.devices = wanted;
    }
    double begin = s_cpu ();
    world_init (&world, &plan);
    if (world_run (&world, 60))
        abort ();
    double took = s_cpu () - begin;
    world_check (&world);
    uint32_t complete = 0;
    for (uint32_t i = 0; i < plan.deployments; i++) {
        fuota_group_t group;
        world_group (&world, i, &group);
        complete += group.ended [FUOTA_END_COMPLETE];
    }
    fuota_worker_stats_t stats;
    fuota_worker_stats (world.worker, &stats);
    printf ("world_devices %u of %u\n", complete, wanted);
    printf ("world_rate %.0f devices/s of CPU\n", complete / took);
    printf ("world_steps %.0f per device\n", (double) stats.steps / complete);
    printf ("world_peak_memory %.1f MiB\n", (double) s_peak_kib () / 1024);
    printf ("world_disk %.1f MiB\n", s_disk_kib (&world) / 1024);
    printf ("world_cpu %.2f s\n", took);
    world_release (&world);
    return 0;
}
