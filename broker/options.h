//  SPDX-License-Identifier: MIT
//
//  options - fuotactl's command line: one table of commands, one of options;
//  both drive the parsing and the help. Only the form of a value is looked at
//  here: whether it makes sense is the engine's to say, all faults at once.

#ifndef FUOTA_OPTIONS_H
#define FUOTA_OPTIONS_H

#include <stdio.h>
#include "control.pb.h"

typedef enum {
    FUOTA_DO_CHECK,
    FUOTA_DO_DEPLOY,
    FUOTA_DO_PLAN,
    FUOTA_DO_LIST,
    FUOTA_DO_SHOW,
    FUOTA_DO_WATCH,
    FUOTA_DO_PAUSE,
    FUOTA_DO_RESUME,
    FUOTA_DO_CANCEL,
    FUOTA_DO_REPORT,
    FUOTA_DO_JOURNAL,
    FUOTA_DO_GATEWAYS,
    FUOTA_DO_REMOVE,
    FUOTA_DO_WORKERS,
    FUOTA_DO_DRAIN,
    FUOTA_DO_IMAGE,
    FUOTA_DO_IMAGES,
    FUOTA_DO_IMAGE_REMOVE,
    FUOTA_DO_KEYGEN,
    FUOTA_DO_DECODE,
    FUOTA_DO_VERSION,
    FUOTA_DO_HELP
} fuota_do_t;

typedef struct {
    fuota_do_t what;
    bool help, json;
    const char
        *argument;  //  IMAGE, ID, NAME, FILE or HEX; NULL if there is none
    char control [160], events [160];
    uint32_t timeout;  //  Seconds
    //  deploy, plan
    Wish wish;
    const char *devices_file;
    uint64_t *devices;  //  Of --device; owned
    size_t device_count;
    //  show
    bool all_devices;
    //  keygen
    const char *server;  //  The broker's public key; NULL: it is the broker's
    //  decode
    uint32_t port, version;
    int direction;  //  -1 = both
    char fault [200];
} fuota_options_t;

//  Parse a command line, and FUOTA_CONTROL and FUOTA_EVENTS of the
//  environment, which are borrowed. Returns 0, or -1 with words in fault.
int fuota_options_parse (fuota_options_t *self, int argc, char **argv);
void fuota_options_release (fuota_options_t *self);

//  Help for one command, or with FUOTA_DO_HELP for all of it.
void fuota_options_help (fuota_do_t what, FILE *out);

#endif
