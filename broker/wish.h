//  SPDX-License-Identifier: MIT
//
//  wish - what an operator asks for, checked at once and made into a plan.
//
//  All faults are found in one pass, each with the field, its value, and what
//  would be allowed. What the check must know of the world is handed in, so
//  it reads no clock, no database and draws no chance. It copies the key it
//  is given into the deployment and nowhere else. Pure.

#ifndef FUOTA_WISH_H
#define FUOTA_WISH_H

#include "broker/choice.h"
#include "broker/faults.h"
#include "control.pb.h"
#include "schema/key.h"
#include "schema/record.h"

typedef Wish fuota_wish_t;

//  A profile section of the configuration: what a kind of device can do.
typedef struct {
    char name [65];
    fuota_dialect_t dialect;
} fuota_profile_t;

//  What a wish means where it says nothing (zero or empty).
typedef struct {
    char application [41];
    char region [17];
    int32_t dr;  //  -1 = that of RX2 (class C) or of the ping slot (class B)
    uint32_t expected_loss;  //  Per cent
    uint32_t quorum;         //  Per cent
    uint32_t retries;
    uint32_t uplink_interval;  //  Seconds
    uint32_t repair_rounds;
    uint32_t guard;           //  Largest clock error accepted, seconds
    uint32_t mc_addr_prefix;  //  First mc_addr_bits bits of every McAddr; as
    uint32_t mc_addr_bits;    //  reference, a network's own address space
    uint32_t margin_c;        //  Of the host's multicast queue, by class,
    uint32_t margin_b;        //  milliseconds; 0 = it has none
} fuota_wish_defaults_t;

//  The defaults of the defaults: EU868, 10 %, 100 %, 3, 3600 s, 3, 3 s,
//  01000000/8, no application.
void fuota_wish_defaults (fuota_wish_defaults_t *self);

//  The dialect where no profile says otherwise: v1 on the default ports.
void fuota_wish_dialect (fuota_dialect_t *self);

//  What other unfinished deployments have to do with a device.
typedef struct {
    unsigned count;    //  How many it is in
    bool conflicting;  //  One of them has other versions or ports
    unsigned indexes;  //  Mask of the FragIndexes they have
} fuota_wish_device_t;

typedef void (fuota_wish_device_fn) (void *arg, uint64_t dev_eui,
    const fuota_dialect_t *dialect, fuota_wish_device_t *out);

//  At most this many unfinished deployments hold one device: it has four
//  multicast groups and four fragmentation sessions.
#define FUOTA_WISH_DEVICE_MAX 4

//  Random bytes for the id, McKey and McAddr.
#define FUOTA_WISH_RANDOM (FUOTA_ID_SIZE + 16 + 4)

//  The world, as far as a wish depends on it. All of it is borrowed.
typedef struct {
    int64_t now;
    const uint8_t *random;    //  FUOTA_WISH_RANDOM bytes
    const uint64_t *devices;  //  Sorted upwards, duplicates kept
    size_t device_count;
    bool has_image;       //  Its bytes came with the wish,
    bool image_known;     //  or image_sha256 names one that is stored
    size_t image_size;    //  Of either
    uint8_t sha256 [32];  //  Of the bytes, if they came
    const fuota_profile_t *profiles;
    size_t profile_count;
    const fuota_wish_defaults_t *defaults;
    const fuota_choice_t *choice;    //  NULL: the host finds gateways by itself
    const fuota_dialect_t *dialect;  //  What the devices are known to speak;
                                     //  NULL: nothing is known
    bool listed;                     //  The wish itself named devices
    bool no_application;             //  The host has none of that id
    fuota_wish_device_fn *device;    //  NULL: nobody is in a deployment
    void *arg;
} fuota_wish_facts_t;

//  Check a wish and fill the deployment it becomes. Returns 0, or FUOTA_EVALUE
//  with every fault in faults and the deployment not to be used.
int fuota_wish_check (const fuota_wish_t *wish, const fuota_wish_facts_t *facts,
    fuota_deployment_t *deployment, fuota_faults_t *faults);

//  Put DevEUIs into the order the check wants.
void fuota_wish_sort (uint64_t *devices, size_t count);

#endif
