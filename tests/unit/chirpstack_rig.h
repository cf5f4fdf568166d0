//  SPDX-License-Identifier: MIT
//
//  chirpstack_rig - the core of ChirpStack between a test that is the host and
//  one that is the engine. Vectors are messages as the host says them
//  (vectors/chirpstack.json).

#ifndef FUOTA_CHIRPSTACK_RIG_H
#define FUOTA_CHIRPSTACK_RIG_H

#include "broker/host/chirpstack.h"

#define NOW 1772446530250  //  2026-03-02T10:15:30.250Z
#define EUI 0x70b3d5f1c0000a01u
#define APP "0d6a4c1e-7a54-4d0c-8c8a-3f0f6c2b9d11"
#define GROUP "22222222-7a3c-4c0e-9a52-0f1e2d3c4b5a"
#define ROW 0x10002u

typedef struct {
    uint8_t data [4096];
    size_t size;
} rig_bytes_t;

//  Before and after all tests of a program, for cmocka.
int rig_load (void **state);
int rig_unload (void **state);

rig_bytes_t rig_vector (const char *name);

//  A core; what the engine may want of it, row ROW.
fuota_chirpstack_t *rig_new (bool mqtt, const char *gateway_prefix);
fuota_downlink_t rig_want (DownlinkKind kind);

//  The next call is to that method; its message is in what comes back. Then
//  its answer, with a vector or (NULL) without a message.
fuota_chirpstack_call_t rig_called (fuota_chirpstack_t *self, const char *path,
    int64_t now);
void rig_answer (fuota_chirpstack_t *self, fuota_chirpstack_call_t call,
    int status, const char *text, const char *vector, int64_t now);

//  The next outcome is of that kind. Or there is neither call nor outcome; and
//  no job either: destroyed.
fuota_outcome_t rig_outcome (fuota_chirpstack_t *self, OutcomeKind kind);
void rig_quiet (fuota_chirpstack_t *self, int64_t now);
void rig_over (fuota_chirpstack_t **self, int64_t now);

//  An event of the device EUI; of its profile, asked then, the answer is lost.
void rig_heard (fuota_chirpstack_t *self, const char *type, const char *vector);
void rig_profile_asked (fuota_chirpstack_t *self);

//  A message on a topic of gateway 0016c001f1500001, region prefix "eu868".
void rig_gateway_says (fuota_chirpstack_t *self, const char *what,
    const char *vector);

//  A fragment that was taken at that time is on air: nobody tells, but the
//  group's queue is empty.
void rig_left (fuota_chirpstack_t *self, int64_t now);

#endif
