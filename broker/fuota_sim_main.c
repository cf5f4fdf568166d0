//  SPDX-License-Identifier: MIT
//
//  fuota-sim - the simulated network as a process of its own, so that the
//  engine can be killed and restarted while the world goes on.

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "broker/clock.h"
#include "broker/engine.h"
#include "broker/host/sim_actor.h"

static const char s_help [] =
    "Usage: fuota-sim -c FILE\n"
    "\n"
    "Runs the simulated network of FILE (its host section) as a process of "
    "its\n"
    "own, connected to the fuotad that has host.endpoint in the same file.\n"
    "When it ends (SIGTERM) it prints, one per line: what it counted, then\n"
    "each device with the SHA-256 of the image it rebuilt.\n";

static void
s_print_stats (const fuota_sim_stats_t *stats)
{
    printf ("taken %llu\ntaken_twice %llu\nout_of_order %llu\n"
            "wrong_counter %llu\nrefused %llu\non_air %llu\nunicast %llu\n"
            "uplinks %llu\noverlapped %llu\noutside %llu\ngroups %llu\n",
        (unsigned long long) stats->taken,
        (unsigned long long) stats->taken_twice,
        (unsigned long long) stats->out_of_order,
        (unsigned long long) stats->wrong_counter,
        (unsigned long long) stats->refused, (unsigned long long) stats->on_air,
        (unsigned long long) stats->unicast,
        (unsigned long long) stats->uplinks,
        (unsigned long long) stats->overlapped,
        (unsigned long long) stats->outside,
        (unsigned long long) stats->groups);
}

static void
s_print_device (const fuota_sim_view_t *view)
{
    char sha [65] = "-";
    for (unsigned i = 0; view->has_image && i < 32; i++)
        snprintf (sha + 2 * i, 3, "%02x", view->sha256 [i]);
    printf ("device %016llx %s %s\n", (unsigned long long) view->dev_eui,
        view->dead       ? "dead"
        : view->refusing ? "refusing"
                         : "alive",
        sha);
}

int
main (int argc, char **argv)
{
    static fuota_config_t config;
    bool help = argc == 2 && streq (argv [1], "--help");
    if (help || argc != 3 || !streq (argv [1], "-c")) {
        fputs (s_help, help ? stdout : stderr);
        return help ? FUOTA_EXIT_OK : FUOTA_EXIT_USAGE;
    }
    if (fuota_config_load (&config, argv [2], stderr))
        return FUOTA_EXIT_USAGE;
    if (!*config.host_endpoint) {
        fprintf (stderr,
            "fuota-sim: %s: host.endpoint: empty; allowed: the "
            "endpoint of a fuotad\n",
            argv [2]);
        return FUOTA_EXIT_USAGE;
    }
    sigset_t set;
    sigemptyset (&set);
    sigaddset (&set, SIGTERM);
    sigaddset (&set, SIGINT);
    pthread_sigmask (SIG_BLOCK, &set, NULL);
    zsys_handler_set (NULL);
    fuota_clock_set (config.time_scale, config.time_origin);
    zactor_t *sim = fuota_engine_sim (&config);
    if (!sim)
        return FUOTA_EXIT_ENDPOINT;
    int signal;
    sigwait (&set, &signal);
    fuota_sim_stats_t stats;
    fuota_sim_view_t view;
    if (fuota_sim_actor_stats (sim, &stats))
        s_print_stats (&stats);
    for (uint32_t i = 0; fuota_sim_actor_view (sim, i, &view); i++)
        s_print_device (&view);
    zactor_destroy (&sim);
    return FUOTA_EXIT_OK;
}
