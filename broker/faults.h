//  SPDX-License-Identifier: MIT
//
//  faults - what is wrong with what an operator wrote, all of it at once:
//  the field, its value, and what would be allowed. Pure.

#ifndef FUOTA_FAULTS_H
#define FUOTA_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include "control.pb.h"

typedef Fault fuota_fault_t;

//  As many as one reply holds.
#define FUOTA_FAULTS_MAX 32

typedef struct {
    fuota_fault_t list [FUOTA_FAULTS_MAX];
    size_t count;
    bool left_out;  //  There were more
} fuota_faults_t;

//  Add a fault; allowed is a format. Texts are cut to what a Fault holds.
void fuota_faults_add (fuota_faults_t *self, const char *field,
    const char *value, const char *allowed, ...)
    __attribute__ ((format (printf, 4, 5)));

#endif
