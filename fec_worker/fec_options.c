//  SPDX-License-Identifier: MIT

#include <getopt.h>
#include <libconfig.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "fec_worker/fec_options.h"

static const char s_help [] =
    "Usage: fuota-fec --broker ENDPOINT [OPTIONS]\n"
    "\n"
    "Computes coded fragments for a fuotad, on its host or another.\n"
    "\n"
    "  -c, --config FILE       read these settings from a file first\n"
    "      --broker ENDPOINT   tcp://HOST:PORT, or ipc://PATH on its host\n"
    "      --key FILE          our key, made by 'fuotactl keygen worker'\n"
    "      --server-key KEY    the broker's public key, or a file of it; not\n"
    "                          needed if our key's file names it\n"
    "      --cache FOLDER      keep images there (default: in memory only)\n"
    "      --cache-mib N       at most so much of it (default 256)\n"
    "      --name NAME         as operators call us (default HOST-PID)\n"
    "      --kernel NAME       instead of the best this processor has\n"
    "      --parity FOLDER     share the broker's parity environment\n"
    "      --parent PID        end when that process does\n"
    "      --bench             print what this machine's kernels do, and end\n"
    "      --version\n"
    "  -h, --help\n"
    "\n"
    "Exit status: 0 told to go; 1 stopped by a fault; 2 usage.\n"
    "\n"
    "Examples:\n"
    "  fuota-fec --broker tcp://broker.example:5570 --key worker7.key_secret\n"
    "  fuota-fec --bench\n";

enum { TEXT, NUMBER };

//  Option, key in the file (NULL: none), kind, field
#define AT(field)                                                              \
    offsetof (fuota_fec_options_t, field),                                     \
        sizeof (((fuota_fec_options_t *) 0)->field)
static const struct {
    const char *option, *key;
    int kind;
    size_t offset, size;
} s_rows [] = {
    { "broker", "broker", TEXT, AT (broker) },
    { "key", "key", TEXT, AT (key) },
    { "server-key", "server_key", TEXT, AT (server_key) },
    { "cache", "cache", TEXT, AT (cache) },
    { "cache-mib", "cache_mib", NUMBER, AT (cache_mib) },
    { "name", "name", TEXT, AT (name) },
    { "kernel", "kernel", TEXT, AT (kernel) },
    { "parity", NULL, TEXT, AT (parity) },
    { "parent", NULL, NUMBER, AT (parent) },
};
enum { ROWS = sizeof s_rows / sizeof *s_rows };

static int
s_set (fuota_fec_options_t *self, size_t i, const char *value)
{
    char *field = (char *) self + s_rows [i].offset;
    if (s_rows [i].kind == TEXT) {
        size_t size = strlen (value);
        if (size < s_rows [i].size) {
            memcpy (field, value, size + 1);
            return 0;
        }
    }
    else {
        char *end;
        unsigned long number = strtoul (value, &end, 10);
        uint32_t u32 = (uint32_t) number;
        if (*value >= '0' && *value <= '9' && !*end && number <= UINT32_MAX) {
            memcpy (field, &u32, sizeof u32);
            return 0;
        }
    }
    fprintf (stderr, "fuota-fec: %s: %.60s; allowed: %s\n", s_rows [i].option,
        value, s_rows [i].kind == TEXT ? "a shorter text" : "a number");
    return -1;
}

static int
s_take_setting (fuota_fec_options_t *self, const char *path,
    const config_setting_t *setting)
{
    const char *key = config_setting_name (setting);
    char number [24];
    const char *text = config_setting_get_string (setting);
    if (!text) {
        snprintf (number, sizeof number, "%lld",
            (long long) config_setting_get_int64 (setting));
        text = number;
    }
    for (size_t i = 0; i < ROWS; i++)
        if (s_rows [i].key && !strcmp (s_rows [i].key, key))
            return s_set (self, i, text);
    fprintf (stderr, "%s:%u: %s: unknown key\n", path,
        config_setting_source_line (setting), key);
    return -1;
}

static int
s_take_file (fuota_fec_options_t *self, const char *path)
{
    config_t handle;
    config_init (&handle);
    int rc = 0;
    if (config_read_file (&handle, path) != CONFIG_TRUE) {
        fprintf (stderr, "%s:%d: %s\n", path, config_error_line (&handle),
            config_error_text (&handle));
        rc = -1;
    }
    const config_setting_t *root = config_root_setting (&handle);
    for (int i = 0; !rc && i < config_setting_length (root); i++)
        rc = s_take_setting (self, path,
            config_setting_get_elem (root, (unsigned) i));
    config_destroy (&handle);
    return rc;
}

static void
s_default_name (fuota_fec_options_t *self)
{
    char host [32] = "";
    gethostname (host, sizeof host - 1);
    snprintf (self->name, sizeof self->name, "%s-%ld", host, (long) getpid ());
}

static int
s_usage (const char *what)
{
    fprintf (stderr,
        "fuota-fec: %s; allowed the options of fuota-fec --help, with their "
        "values\n"
        "Try 'fuota-fec --help'.\n",
        what);
    return -1;
}

//  What is said on the command line goes over what a file says, wherever it
//  stands: so the file is read first.
static int
s_walk (fuota_fec_options_t *self, int argc, char **argv, bool only_file)
{
    enum { BENCH = 256, VERSION, FIRST };
    struct option options [ROWS + 5] = {
        { "config", required_argument, NULL, 'c' },
        { "bench", no_argument, NULL, BENCH },
        { "version", no_argument, NULL, VERSION },
        { "help", no_argument, NULL, 'h' },
    };
    for (int i = 0; i < ROWS; i++)
        options [4 + i] = (struct option){ s_rows [i].option, required_argument,
            NULL, FIRST + i };
    optind = 1;
    opterr = 0;  //  We say it, as all programs here do
    for (int c; (c = getopt_long (argc, argv, "c:h", options, NULL)) != -1;) {
        if (c == '?')
            return s_usage (argv [optind - 1]);
        if (c == 'c' ? only_file && s_take_file (self, optarg)
                     : c >= FIRST && !only_file &&
                           s_set (self, (size_t) (c - FIRST), optarg))
            return -1;
        if (c == 'h')
            return fputs (s_help, stdout) >= 0;
        if (c == VERSION)
            return puts ("fuota-fec " FUOTA_BUILD) >= 0;
        self->bench |= c == BENCH;
    }
    if (optind == argc)
        return 0;
    return s_usage (argv [optind]);
}

int
fuota_fec_options_read (fuota_fec_options_t *self, int argc, char **argv)
{
    *self = (fuota_fec_options_t){ .cache_mib = 256 };
    s_default_name (self);
    int rc = s_walk (self, argc, argv, true);
    if (!rc)
        rc = s_walk (self, argc, argv, false);
    if (!rc && !self->bench && !*self->broker) {
        fprintf (stderr, "fuota-fec: --broker is needed\n"
                         "Try 'fuota-fec --help'.\n");
        rc = -1;
    }
    return rc;
}
