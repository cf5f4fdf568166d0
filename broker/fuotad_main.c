//  SPDX-License-Identifier: MIT
//
//  fuotad - the daemon. With a configuration it runs until it is told to end;
//  without one it updates a simulated fleet while you watch (demo.h).

#include <getopt.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "broker/clock.h"
#include "broker/engine.h"
#include "broker/log.h"
#include "broker/rehearsal.h"

static const char s_help [] =
    "Usage: fuotad -c FILE | --check-config FILE | [IMAGE] [OPTIONS]\n"
    "\n"
    "Updates LoRaWAN devices over the air.\n"
    "\n"
    "  -c, --config FILE        run as a daemon with this configuration\n"
    "      --check-config FILE  say what is wrong with it, and end\n"
    "      --version            print the version\n"
    "  -h, --help               print this\n"
    "\n"
    "Without a configuration: update a simulated fleet with IMAGE (or one of\n"
    "its own), watch it, compare every device's image, report.\n"
    "\n"
    "      --devices N          size of the fleet (default 10)\n"
    "      --loss PERCENT       multicast frames lost (default 10)\n"
    "      --parity PERCENT     planned coded fragments (default: from loss)\n"
    "      --version-of 1|2     package versions of the devices (default 2)\n"
    "      --group-type b|c     class of the session (default c)\n"
    "      --dead PERCENT       devices that never answer (default 10)\n"
    "      --refusing PERCENT   devices without memory (default 10)\n"
    "      --size BYTES         of the image of its own (default 20000)\n"
    "      --scale N            times faster than real time (default 100)\n"
    "      --seed N             another seed, another fleet (default 1)\n"
    "\n"
    "Exit status: 0 all well; 1 an image is missing or differs; 2 usage or\n"
    "configuration; 3 the state is in use by another process; 4 it cannot be\n"
    "opened; 5 an endpoint cannot be bound; 6 a commit failed.\n"
    "\n"
    "Examples:\n"
    "  fuotad\n"
    "  fuotad firmware.bin --devices 1000 --loss 20 --parity 10\n"
    "  fuotad -c /etc/fuota/fuotad.cfg\n";

//  Wait for a signal to end, or for an actor that cannot go on.
static int
s_wait (fuota_engine_t *engine, int signals)
{
    zpoller_t *poller = zpoller_new (&signals, NULL);
    assert (poller);
    fuota_engine_watch (engine, poller);
    int rc = FUOTA_EXIT_OK;
    for (;;) {
        zsock_t *which = zpoller_wait (poller, -1);
        char *words = fuota_engine_fault (engine, which);
        if (words) {
            //  State is on disk up to the last commit. Nothing else may be
            //  written or sent from here on, so there is nothing to stop.
            zsys_error ("fuotad: cannot go on: %s", words);
            _exit (FUOTA_EXIT_DISK);
        }
        if ((void *) which == (void *) &signals)
            break;
    }
    zpoller_destroy (&poller);
    return rc;
}

static int
s_daemon (const fuota_config_t *config)
{
    //  Before the first thread, so that all inherit it and one place hears it
    sigset_t set;
    sigemptyset (&set);
    sigaddset (&set, SIGTERM);
    sigaddset (&set, SIGINT);
    sigaddset (&set, SIGHUP);
    pthread_sigmask (SIG_BLOCK, &set, NULL);
    int signals = signalfd (-1, &set, SFD_CLOEXEC);
    assert (signals >= 0);
    fuota_engine_t engine;
    fuota_log_open (config->log_level);
    fuota_clock_set (config->time_scale, config->time_origin);
    int rc = fuota_engine_start (&engine, config);
    if (rc) {
        close (signals);
        return rc;
    }
    zsys_info ("fuotad: running version=" FUOTA_BUILD
               " state=%s control=%s events=%s host=%s%s%s",
        config->state_folder, config->control_endpoint, config->events_endpoint,
        config->host_type, *config->host_endpoint ? " at " : "",
        config->host_endpoint);
    rc = s_wait (&engine, signals);
    zsys_info ("fuotad: stopping");
    fuota_engine_stop (&engine);
    close (signals);
    return rc;
}

static int
s_configured (const char *path, bool only_check)
{
    static fuota_config_t config;
    if (fuota_config_load (&config, path, stderr))
        return FUOTA_EXIT_USAGE;
    if (!only_check)
        return s_daemon (&config);
    printf ("%s: ok\n", path);
    return FUOTA_EXIT_OK;
}

static int
s_usage (const char *what)
{
    fprintf (stderr, "fuotad: %s\nTry 'fuotad --help'.\n", what);
    return FUOTA_EXIT_USAGE;
}

int
main (int argc, char **argv)
{
    enum { CHECK = 256, VERSION };
    static const struct option options [] = {
        { "config", required_argument, NULL, 'c' },
        { "check-config", required_argument, NULL, CHECK },
        { "version", no_argument, NULL, VERSION },
        { "help", no_argument, NULL, 'h' },
        FUOTA_REHEARSAL_OPTIONS,
        { NULL, 0, NULL, 0 },
    };
    const char *config = NULL;
    bool only_check = false;
    fuota_rehearsal_t rehearsal;
    char fault [160];
    fuota_rehearsal_defaults (&rehearsal);
    //  The handler that czmq sets would end the actors in no order
    zsys_handler_set (NULL);
    zsys_set_logident ("fuotad");
    opterr = 0;  //  We say it, as all programs here do
    for (int c; (c = getopt_long (argc, argv, "c:h", options, NULL)) != -1;) {
        if (c == 'c' || c == CHECK) {
            config = optarg;
            only_check = c == CHECK;
        }
        else if (c == VERSION)
            return puts ("fuotad " FUOTA_BUILD) < 0;
        else if (c == 'h')
            return fputs (s_help, stdout) < 0;
        else if (c == '?') {
            snprintf (fault, sizeof fault,
                "%s; allowed the options of fuotad --help, with their values",
                argv [optind - 1]);
            return s_usage (fault);
        }
        else if (fuota_rehearsal_option (&rehearsal, c, optarg, fault,
                     sizeof fault))
            return s_usage (fault);
    }
    if (config)
        return optind < argc ? s_usage ("a daemon takes no image; use fuotactl")
                             : s_configured (config, only_check);
    if (argc - optind > 1)
        return s_usage ("one image at most");
    rehearsal.image = argv [optind];
    return fuota_rehearsal_run (&rehearsal);
}
