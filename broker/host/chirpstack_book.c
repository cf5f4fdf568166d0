//  SPDX-License-Identifier: MIT
//
//  Parts: queue items, applications of devices, events heard. Two hash tables
//  with open addressing, at most half full; without memory for more they
//  forget, which costs time and nothing else.

#include <stdlib.h>
#include "broker/host/chirpstack_book.h"

static size_t
s_hash (uint64_t value, size_t room)
{
    return (size_t) (value * 0x9e3779b97f4a7c15u >> 20) & (room - 1);
}

void
fuota_chirpstack_book_release (fuota_chirpstack_book_t *self)
{
    free (self->waits);
    free (self->places);
    self->waits = NULL;
    self->places = NULL;
}

//  ---------------------------------------------------------------------
//  Queue items

//  Where the item is, or where it would be put.
static fuota_chirpstack_wait_t *
s_wait (fuota_chirpstack_wait_t *waits, size_t room, const uint8_t *item)
{
    size_t at = s_hash (fuota_be (item, 8) ^ fuota_be (item + 8, 8), room);
    while (waits [at].used && memcmp (waits [at].item, item, 16))
        at = (at + 1) & (room - 1);
    return &waits [at];
}

//  All of them that are to be kept, in a table of that size. False if there
//  is no memory; nothing has changed then.
static bool
s_wait_resize (fuota_chirpstack_book_t *self, size_t room, int64_t now)
{
    fuota_chirpstack_wait_t *waits = calloc (room, sizeof *waits);
    if (!waits)
        return false;
    self->wait_count = 0;
    for (size_t i = 0; i < self->wait_room; i++)
        if (self->waits [i].used && self->waits [i].until > now) {
            *s_wait (waits, room, self->waits [i].item) = self->waits [i];
            self->wait_count++;
        }
    free (self->waits);
    self->waits = waits;
    self->wait_room = room;
    return true;
}

bool
fuota_chirpstack_book_wait (fuota_chirpstack_book_t *self,
    const fuota_chirpstack_wait_t *wait, OutcomeKind *fate)
{
    for (unsigned i = 0; i < FUOTA_CHIRPSTACK_EARLY; i++)
        if (self->early [i].fate &&
            !memcmp (self->early [i].item, wait->item, 16)) {
            *fate = self->early [i].fate;
            self->early [i].fate = FUOTA_TAKEN;
            return true;
        }
    if (2 * (self->wait_count + 1) > self->wait_room &&
        !s_wait_resize (self, self->wait_room ? 2 * self->wait_room : 256,
            INT64_MIN))
        return false;
    fuota_chirpstack_wait_t *place =
        s_wait (self->waits, self->wait_room, wait->item);
    self->wait_count += !place->used;
    *place = *wait;
    place->used = true;
    return false;
}

//  Those behind it may have been put there because it was in the way.
static void
s_wait_remove (fuota_chirpstack_book_t *self, fuota_chirpstack_wait_t *place)
{
    size_t mask = self->wait_room - 1;
    size_t at = (size_t) (place - self->waits);
    place->used = false;
    self->wait_count--;
    for (at = (at + 1) & mask; self->waits [at].used; at = (at + 1) & mask) {
        fuota_chirpstack_wait_t moved = self->waits [at];
        self->waits [at].used = false;
        *s_wait (self->waits, self->wait_room, moved.item) = moved;
    }
}

bool
fuota_chirpstack_book_fate (fuota_chirpstack_book_t *self,
    const uint8_t item [16], OutcomeKind fate, fuota_chirpstack_wait_t *wait)
{
    if (self->wait_room) {
        fuota_chirpstack_wait_t *place =
            s_wait (self->waits, self->wait_room, item);
        if (place->used) {
            *wait = *place;
            s_wait_remove (self, place);
            return true;
        }
    }
    unsigned at = self->early_at++ % FUOTA_CHIRPSTACK_EARLY;
    memcpy (self->early [at].item, item, 16);
    self->early [at].fate = fate;
    return false;
}

void
fuota_chirpstack_book_sweep (fuota_chirpstack_book_t *self, int64_t now)
{
    if (self->wait_count)
        s_wait_resize (self, self->wait_room, now);
}

//  ---------------------------------------------------------------------
//  Applications of devices

static fuota_chirpstack_place_t *
s_place (fuota_chirpstack_place_t *places, size_t room, uint64_t dev_eui)
{
    size_t at = s_hash (dev_eui, room);
    while (places [at].application && places [at].dev_eui != dev_eui)
        at = (at + 1) & (room - 1);
    return &places [at];
}

static bool
s_place_grow (fuota_chirpstack_book_t *self)
{
    size_t room = self->place_room ? 2 * self->place_room : 256;
    fuota_chirpstack_place_t *places = calloc (room, sizeof *places);
    if (!places)
        return false;
    for (size_t i = 0; i < self->place_room; i++)
        if (self->places [i].application)
            *s_place (places, room, self->places [i].dev_eui) =
                self->places [i];
    free (self->places);
    self->places = places;
    self->place_room = room;
    return true;
}

static uint32_t
s_application (fuota_chirpstack_book_t *self, const char *application)
{
    uint32_t i = 0;
    while (i < self->application_count &&
           strcmp (self->applications [i], application) != 0)
        i++;
    if (i == self->application_count) {
        if (i == FUOTA_CHIRPSTACK_APPLICATIONS || strlen (application) > 40)
            return 0;
        strcpy (self->applications [self->application_count++], application);
    }
    return i + 1;
}

void
fuota_chirpstack_book_place (fuota_chirpstack_book_t *self, uint64_t dev_eui,
    const char *application)
{
    uint32_t number = s_application (self, application);
    if (!number || (2 * (self->place_count + 1) > self->place_room &&
                       !s_place_grow (self)))
        return;
    fuota_chirpstack_place_t *place =
        s_place (self->places, self->place_room, dev_eui);
    self->place_count += !place->application;
    *place = (fuota_chirpstack_place_t){ dev_eui, number };
}

const char *
fuota_chirpstack_book_where (const fuota_chirpstack_book_t *self,
    uint64_t dev_eui)
{
    if (!self->place_room)
        return NULL;
    const fuota_chirpstack_place_t *place =
        s_place (self->places, self->place_room, dev_eui);
    return place->application ? self->applications [place->application - 1]
                              : NULL;
}

//  ---------------------------------------------------------------------
//  Events heard

bool
fuota_chirpstack_book_heard (fuota_chirpstack_book_t *self,
    const uint8_t dedup [16])
{
    static const uint8_t none [16];
    if (!memcmp (dedup, none, 16))
        return false;
    uint64_t mixed = fuota_be (dedup, 8) ^ fuota_be (dedup + 8, 8);
    uint8_t *place = self->heard [s_hash (mixed, FUOTA_CHIRPSTACK_HEARD)];
    bool known = !memcmp (place, dedup, 16);
    memcpy (place, dedup, 16);
    return known;
}
