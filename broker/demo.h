//  SPDX-License-Identifier: MIT
//
//  demo - deploy an image as any client would, watch it, and check each
//  device in the end. Shell.

#ifndef FUOTA_DEMO_H
#define FUOTA_DEMO_H

#include <stdbool.h>
#include <stdio.h>
#include "control.pb.h"
#include "schema/bytes.h"

//  All borrowed.
typedef struct {
    const char *control, *events;  //  Endpoints of a running broker
    const Wish *wish;              //  What is asked for, less these two:
    const uint64_t *devices;
    size_t device_count;
    fuota_slice_t image;
    FILE *out;    //  Progress and report
    int timeout;  //  Of one answer, milliseconds; 0 = 10 s
    //  Does a device hold exactly this image? Asked of each after the end, if
    //  not NULL. Returns 0 if it could be answered. A device that cannot be
    //  reached (dead, without memory) need not hold it.
    int (*verify) (void *arg, uint64_t dev_eui, bool *reachable, bool *same);
    void *arg;
} fuota_demo_t;

//  Run it. Returns 0 if the deployment is done and every device is complete
//  and holds the image, but for those that cannot be reached; 1 if not, or if
//  it was refused or interrupted. The last summary is in *summary if that is
//  not NULL.
int fuota_demo_run (const fuota_demo_t *options, Summary *summary);

#endif
