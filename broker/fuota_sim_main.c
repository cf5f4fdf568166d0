//  SPDX-License-Identifier: MIT
//
//  fuota-sim - the simulated network as a process of its own: behind a fuotad
//  that can be killed and restarted while the world goes on, or behind a real
//  ChirpStack.

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "broker/clock.h"
#include "broker/engine.h"
#include "broker/engine_lora.h"
#include "broker/host/sim_actor.h"
#include "broker/log.h"
#include "schema/hex.h"

static const char s_help [] =
    "Usage: fuota-sim [--chirpstack | --create | --remove | --devices] -c "
    "FILE\n"
    "\n"
    "Runs the simulated network of FILE (its host section) as a process of "
    "its\n"
    "own, connected to the fuotad that has host.endpoint in the same file.\n"
    "\n"
    "  --chirpstack   be gateways and LoRaWAN devices on the MQTT broker of a\n"
    "                 ChirpStack instead: host.chirpstack and the lorawan\n"
    "                 section of FILE (docs/chirpstack.md)\n"
    "  --create       create what they need there: tenant, application,\n"
    "                 device profiles, gateways, devices with keys. What is\n"
    "                 there already is found again\n"
    "  --remove       remove what --create made, and nothing else\n"
    "  --devices      print the devices' EUIs, for fuotactl deploy --devices\n"
    "\n"
    "When it ends (SIGTERM) it prints, one per line: what it counted, then\n"
    "each device with the SHA-256 of the image it rebuilt.\n";

static void
s_print (const char *name, uint64_t value)
{
    printf ("%s %llu\n", name, (unsigned long long) value);
}

static void
s_print_stats (const fuota_sim_stats_t *stats)
{
    s_print ("taken", stats->taken);
    s_print ("taken_twice", stats->taken_twice);
    s_print ("out_of_order", stats->out_of_order);
    s_print ("wrong_counter", stats->wrong_counter);
    s_print ("refused", stats->refused);
    s_print ("on_air", stats->on_air);
    s_print ("unicast", stats->unicast);
    s_print ("uplinks", stats->uplinks);
    s_print ("overlapped", stats->overlapped);
    s_print ("outside", stats->outside);
    s_print ("groups", stats->groups);
}

static void
s_print_lora (const fuota_lora_stats_t *stats)
{
    const fuota_lora_counts_t *devices = &stats->devices;
    const fuota_lora_gateway_stats_t *gateways = &stats->gateways;
    s_print ("join_requests", devices->join_requests);
    s_print ("joined", devices->joined);
    s_print ("uplinks", devices->uplinks);
    s_print ("uplinks_lost", stats->lost_up);
    s_print ("uplinks_received", gateways->received);
    s_print ("commands", gateways->commands);
    s_print ("emitted", gateways->emitted);
    for (unsigned i = 2; i < FUOTA_LORA_STATUSES; i++)
        if (gateways->status [i]) {
            char name [40];
            snprintf (name, sizeof name, "refused_%s",
                fuota_lora_status_name (i));
            s_print (name, gateways->status [i]);
        }
    s_print ("unheard", stats->unheard);
    s_print ("fragments_repeated", stats->repeated);
    s_print ("downlinks_lost", stats->lost_down);
    s_print ("downlinks", devices->downlinks);
    s_print ("multicast", devices->casts);
    s_print ("mac_commands", devices->mac_commands);
    s_print ("wrong_mic", devices->wrong_mic);
    s_print ("replayed", devices->replayed);
    s_print ("malformed", devices->malformed + gateways->malformed);
}

static void
s_print_device (const fuota_sim_view_t *view)
{
    char sha [65] = "-";
    if (view->has_image)
        fuota_hex (view->sha256, sizeof view->sha256, sha);
    printf ("device %016llx %s %s\n", (unsigned long long) view->dev_eui,
        view->dead       ? "dead"
        : view->refusing ? "refusing"
                         : "alive",
        sha);
}

//  Until a signal ends it; then the report.
static int
s_run (zactor_t *sim, const sigset_t *set, bool lora)
{
    int signal;
    if (!sim)
        return lora ? FUOTA_EXIT_USAGE : FUOTA_EXIT_ENDPOINT;
    sigwait (set, &signal);
    fuota_sim_stats_t stats;
    fuota_lora_stats_t air;
    fuota_sim_view_t view;
    if (lora && fuota_engine_lora_stats (sim, &air))
        s_print_lora (&air);
    if (!lora && fuota_sim_actor_stats (sim, &stats))
        s_print_stats (&stats);
    for (uint32_t i = 0; lora ? fuota_engine_lora_view (sim, i, &view)
                              : fuota_sim_actor_view (sim, i, &view);
         i++)
        s_print_device (&view);
    zactor_destroy (&sim);
    return FUOTA_EXIT_OK;
}

static int
s_print_euis (const fuota_config_t *config)
{
    for (uint32_t i = 0; i < config->sim.devices; i++)
        printf ("%016llx\n", (unsigned long long) (config->sim.first_eui + i));
    return FUOTA_EXIT_OK;
}

static int
s_open (const fuota_config_t *config, const char *mode)
{
    if (streq (mode, "--devices"))
        return s_print_euis (config);
    if (streq (mode, "--create") || streq (mode, "--remove"))
        return fuota_engine_lora_provision (config, streq (mode, "--create"));
    bool lora = streq (mode, "--chirpstack");
    if (!lora && !*config->host_endpoint) {
        fprintf (stderr, "fuota-sim: host.endpoint: empty; allowed: the "
                         "endpoint of a fuotad\n");
        return FUOTA_EXIT_USAGE;
    }
    sigset_t set;
    sigemptyset (&set);
    sigaddset (&set, SIGTERM);
    sigaddset (&set, SIGINT);
    pthread_sigmask (SIG_BLOCK, &set, NULL);
    return s_run (lora ? fuota_engine_lora (config) : fuota_engine_sim (config),
        &set, lora);
}

int
main (int argc, char **argv)
{
    static fuota_config_t config;
    bool help = argc == 2 && streq (argv [1], "--help");
    const char *mode = argc == 4 ? argv [1] : "";
    bool known = !*mode || streq (mode, "--chirpstack") ||
                 streq (mode, "--create") || streq (mode, "--remove") ||
                 streq (mode, "--devices");
    if (help || argc < 3 || argc > 4 || !known ||
        !streq (argv [argc - 2], "-c")) {
        if (help)
            fputs (s_help, stdout);
        else
            fprintf (stderr,
                "fuota-sim: command line; allowed [--chirpstack | --create | "
                "--remove | --devices] -c FILE\nTry 'fuota-sim --help'.\n");
        return help ? FUOTA_EXIT_OK : FUOTA_EXIT_USAGE;
    }
    if (fuota_config_load (&config, argv [argc - 1], stderr))
        return FUOTA_EXIT_USAGE;
    zsys_handler_set (NULL);
    fuota_log_open (config.log_level);
    fuota_clock_set (config.time_scale, config.time_origin);
    return s_open (&config, mode);
}
