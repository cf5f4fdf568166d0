//  SPDX-License-Identifier: MIT
//
//  Which devices a wish is for, and what they speak: what is asked of the host
//  for it, and what its answer means.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "broker/control_private.h"
#include "broker/dialect.h"

static bool
s_selects (const fuota_wish_t *wish)
{
    return wish->select_count || wish->all_devices;
}

static const char *
s_application (const fuota_control_t *self)
{
    const char *application = self->request.wish.application;
    return *application ? application : self->table->defaults->application;
}

//  Where nothing good can come of it, the faults are told without it.
bool
fuota_select_asks (fuota_control_t *self, fuota_question_t *question)
{
    const fuota_wish_t *wish = &self->request.wish;
    if (self->known || !*s_application (self) ||
        s_selects (wish) == (self->device_count > 0) ||
        (wish->select_count && wish->all_devices))
        return false;
    *question = (fuota_question_t){ .kind = FUOTA_QUESTION_DEVICES,
        .select_count = wish->select_count };
    snprintf (question->application, sizeof question->application, "%s",
        s_application (self));
    memcpy (question->select, wish->select, sizeof question->select);
    //  Few are asked for by name: the application may have a million
    size_t few = sizeof question->devices / sizeof *question->devices;
    if (self->device_count && self->device_count <= few) {
        question->devices_count = (pb_size_t) self->device_count;
        memcpy (question->devices, self->devices,
            self->device_count * sizeof *self->devices);
    }
    return true;
}

//  The host's devices are the wish's: they are in order already.
static bool
s_take_devices (fuota_control_t *self)
{
    size_t count = self->known->device_count;
    if (count > self->device_room) {
        uint64_t *devices = realloc (self->devices, count * sizeof *devices);
        if (!devices)
            return false;
        self->devices = devices;
        self->device_room = count;
    }
    for (size_t i = 0; i < count; i++)
        self->devices [i] = self->known->devices [i].dev_eui;
    self->device_count = count;
    return true;
}

//  Can the host's silence be borne? Where it is never asked, or where the wish
//  says all it would have been asked for.
static bool
s_bears (const fuota_control_t *self)
{
    const fuota_wish_t *wish = &self->request.wish;
    return !s_selects (wish) &&
           (self->known->deaf || *wish->profile ||
               (wish->ts003 && wish->ts004 && wish->ts005));
}

static void
s_put_warnings (const fuota_known_t *warnings, fuota_reply_t *reply)
{
    size_t room = sizeof reply->findings / sizeof *reply->findings;
    for (size_t i = 0; i < warnings->finding_count && i < room; i++)
        reply->findings [reply->findings_count++] = warnings->findings [i];
    reply->findings_left_out = warnings->finding_count > room;
}

bool
fuota_select_take (fuota_control_t *self, fuota_wish_facts_t *facts,
    fuota_dialect_t *dialect, fuota_faults_t *faults, fuota_turn_t *turn)
{
    const fuota_known_t *known = self->known;
    const fuota_wish_t *wish = &self->request.wish;
    faults->count = 0;
    facts->listed = self->device_count > 0;
    if (!known)
        return true;
    if (*known->fault && s_bears (self))
        return true;
    if (*known->fault) {
        fuota_control_say (turn, FUOTA_FAILED, "devices: %s%s", known->fault,
            s_selects (wish) ? ""
                             : "; or say what they speak: profile, or ts003, "
                               "ts004 and ts005");
        return false;
    }
    if (s_selects (wish) && !s_take_devices (self)) {
        fuota_control_failed (turn, "out of memory");
        return false;
    }
    facts->no_application = known->no_application;
    facts->devices = self->devices;
    facts->device_count = self->device_count;
    if (known->no_application)
        return true;
    fuota_dialect_facts_t all = { .wish = wish,
        .profiles = self->table->profiles,
        .profile_count = self->table->profile_count,
        .known = known,
        .devices = self->devices,
        .device_count = self->device_count };
    fuota_known_t warnings = { .over = true };
    fuota_dialect_find (&all, dialect, faults, &warnings);
    facts->dialect = dialect;
    s_put_warnings (&warnings, &turn->reply);
    return true;
}
