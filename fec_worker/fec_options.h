//  SPDX-License-Identifier: MIT
//
//  fec_options - what a worker is told: command line over file over defaults.

#ifndef FUOTA_FEC_OPTIONS_H
#define FUOTA_FEC_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    char broker [256];       //  Endpoint; empty: none was given
    char parity [1024];      //  Near: the broker's folder; empty: far
    char server_key [1024];  //  A file, or the public key itself (40 letters)
    char key [1024];         //  File of our own key pair
    char cache [1024];
    uint32_t cache_mib;
    char name [41];
    char kernel [41];  //  Empty: the best
    uint32_t parent;   //  End with that process; 0: on our own
    bool bench;
} fuota_fec_options_t;

//  Read the command line, and the file it names. Returns 0; 1 if all was
//  said (--help, --version); -1 with the fault printed to stderr.
int fuota_fec_options_read (fuota_fec_options_t *self, int argc, char **argv);

#endif
