//  SPDX-License-Identifier: MIT
//
//  chirpstack_watch - profiles with which ChirpStack answers clock
//  synchronisation by itself (TS003 set). Inside the core (chirpstack.h).
//
//  A device must not get two answers: one that applies corrections blindly is
//  then off by as much the other way. So an uplink of such a device is marked,
//  and nobody here answers it. A profile is asked for when the first of its
//  devices is heard, and every five minutes, for an operator may change it.
//  Until it is known its devices' AppTimeReq are held for a moment; where it
//  cannot be known they are not answered: a device asks again.

#ifndef FUOTA_CHIRPSTACK_WATCH_H
#define FUOTA_CHIRPSTACK_WATCH_H

#include "broker/host/chirpstack.h"
#include "broker/host/chirpstack_call.h"

#define FUOTA_WATCH_PROFILES 64
#define FUOTA_WATCH_HELD 32

typedef struct {
    struct {
        char id [41];
        bool known, ts003;
        bool wanted, flying;
        bool tell;       //  Somebody should be told of it
        char name [65];  //  For that
        uint32_t serial;
        int64_t ask_at;  //  Not before
    } profiles [FUOTA_WATCH_PROFILES];
    unsigned profile_at;
    struct {
        unsigned profile;
        fuota_event_t event;
    } held [FUOTA_WATCH_HELD];
    unsigned held_count;
} fuota_chirpstack_watch_t;

//  An event of a device with that profile: marked if the host answers it.
//  False if it is held.
bool fuota_chirpstack_watch_event (fuota_chirpstack_watch_t *self,
    const char *profile, fuota_event_t *event, int64_t now);

//  The next profile to ask for, as a number of it; false if there is none.
bool fuota_chirpstack_watch_call (fuota_chirpstack_watch_t *self, int64_t now,
    uint32_t serial, unsigned *number, const char **id);

//  Its answer. Events that were held are to be taken.
void fuota_chirpstack_watch_answer (fuota_chirpstack_watch_t *self,
    unsigned number, uint32_t serial, bool good, fuota_slice_t message,
    int64_t now);
bool fuota_chirpstack_watch_release (fuota_chirpstack_watch_t *self,
    fuota_event_t *event);

//  Words on a profile of which they were not said yet. False if there are
//  none.
bool fuota_chirpstack_watch_words (fuota_chirpstack_watch_t *self,
    char text [160]);

#endif
