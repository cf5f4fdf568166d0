//  SPDX-License-Identifier: MIT
//
//  rehearsal - a whole update on a simulated fleet, in one process: what
//  fuotad does without a configuration.
//
//  It starts the engine on a state of its own in a temporary folder, deploys
//  through the control socket as any client would, shows it, compares every
//  device's image by SHA-256, and leaves nothing behind.

#ifndef FUOTA_REHEARSAL_H
#define FUOTA_REHEARSAL_H

#include <getopt.h>
#include <stdint.h>
#include <stddef.h>

typedef struct {
    const char *image;  //  A file; NULL = one of its own
    uint32_t size;      //  Bytes of that
    uint32_t devices;
    uint32_t loss;            //  Per cent of multicast frames
    uint32_t parity;          //  Per cent; 0 = from the loss
    uint32_t version;         //  Of the packages
    uint32_t group_type;      //  0 class C, 1 class B
    uint32_t dead, refusing;  //  Per cent of the devices, drawn by the seed
    uint32_t scale;
    uint64_t seed;
} fuota_rehearsal_t;

//  For getopt_long: options that fuota_rehearsal_option understands.
enum {
    FUOTA_REHEARSAL_DEVICES = 512,
    FUOTA_REHEARSAL_LOSS,
    FUOTA_REHEARSAL_PARITY,
    FUOTA_REHEARSAL_VERSION,
    FUOTA_REHEARSAL_GROUP_TYPE,
    FUOTA_REHEARSAL_DEAD,
    FUOTA_REHEARSAL_REFUSING,
    FUOTA_REHEARSAL_SIZE,
    FUOTA_REHEARSAL_SCALE,
    FUOTA_REHEARSAL_SEED,
};

// clang-format off
#define FUOTA_REHEARSAL_OPTIONS \
    { "devices", required_argument, NULL, FUOTA_REHEARSAL_DEVICES }, \
    { "loss", required_argument, NULL, FUOTA_REHEARSAL_LOSS }, \
    { "parity", required_argument, NULL, FUOTA_REHEARSAL_PARITY }, \
    { "version-of", required_argument, NULL, FUOTA_REHEARSAL_VERSION }, \
    { "group-type", required_argument, NULL, FUOTA_REHEARSAL_GROUP_TYPE }, \
    { "dead", required_argument, NULL, FUOTA_REHEARSAL_DEAD }, \
    { "refusing", required_argument, NULL, FUOTA_REHEARSAL_REFUSING }, \
    { "size", required_argument, NULL, FUOTA_REHEARSAL_SIZE }, \
    { "scale", required_argument, NULL, FUOTA_REHEARSAL_SCALE }, \
    { "seed", required_argument, NULL, FUOTA_REHEARSAL_SEED }
// clang-format on

void fuota_rehearsal_defaults (fuota_rehearsal_t *self);

//  Take one option. Returns 0, or -1 with what is wrong and what is allowed
//  in fault.
int fuota_rehearsal_option (fuota_rehearsal_t *self, int option,
    const char *value, char *fault, size_t size);

//  Run it. Returns the exit status (engine.h).
int fuota_rehearsal_run (const fuota_rehearsal_t *self);

#endif
