//  SPDX-License-Identifier: MIT
//
//  chirpstack_book - what is remembered between two messages of the host:
//  whose queue item it is, which application a device is in, what was heard
//  already. Pure.
//
//  All of it is in memory only and may be lost: a queue item that is not
//  known any more is given up by the outbox when it has expired, and where a
//  device is can be asked.

#ifndef FUOTA_CHIRPSTACK_BOOK_H
#define FUOTA_CHIRPSTACK_BOOK_H

#include <stdbool.h>
#include "schema/record.h"

#define FUOTA_CHIRPSTACK_APPLICATIONS 256
#define FUOTA_CHIRPSTACK_EARLY 64
#define FUOTA_CHIRPSTACK_HEARD 1024  //  Power of two

//  A command in a device's queue at the host.
typedef struct {
    uint8_t item [16];  //  The host's name of it
    uint64_t row, dev_eui;
    uint8_t deployment [16];
    int64_t until;  //  Then it is forgotten
    uint32_t owner;
    bool used;
} fuota_chirpstack_wait_t;

typedef struct {
    uint64_t dev_eui;
    uint32_t application;  //  Index and 1; 0 = free
} fuota_chirpstack_place_t;

typedef struct {
    fuota_chirpstack_wait_t *waits;
    fuota_chirpstack_place_t *places;
    size_t wait_count, wait_room, place_count, place_room;  //  Powers of two
    char applications [FUOTA_CHIRPSTACK_APPLICATIONS][41];
    size_t application_count;
    //  Fates of items whose name we do not know yet
    struct {
        uint8_t item [16];
        OutcomeKind fate;
    } early [FUOTA_CHIRPSTACK_EARLY];
    unsigned early_at;
    uint8_t heard [FUOTA_CHIRPSTACK_HEARD][16];
} fuota_chirpstack_book_t;

void fuota_chirpstack_book_release (fuota_chirpstack_book_t *self);

//  Remember a queue item. An item of that name is replaced. If its fate was
//  told before its name, it is returned, not remembered, and true.
bool fuota_chirpstack_book_wait (fuota_chirpstack_book_t *self,
    const fuota_chirpstack_wait_t *wait, OutcomeKind *fate);

//  An item's fate was told: take it out. False if it is not known; its fate
//  is then kept for a while.
bool fuota_chirpstack_book_fate (fuota_chirpstack_book_t *self,
    const uint8_t item [16], OutcomeKind fate, fuota_chirpstack_wait_t *wait);

//  Forget the items whose time has come.
void fuota_chirpstack_book_sweep (fuota_chirpstack_book_t *self, int64_t now);

//  A device is in that application; and in which one, NULL if not known.
void fuota_chirpstack_book_place (fuota_chirpstack_book_t *self,
    uint64_t dev_eui, const char *application);
const char *fuota_chirpstack_book_where (const fuota_chirpstack_book_t *self,
    uint64_t dev_eui);

//  Was an event of that number heard already? From now on it was.
bool fuota_chirpstack_book_heard (fuota_chirpstack_book_t *self,
    const uint8_t dedup [16]);

#endif
