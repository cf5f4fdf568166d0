//  SPDX-License-Identifier: MIT
//
//  A check: what the broker knows by itself, then what its host found.

#include <stdio.h>
#include <string.h>
#include "broker/control_private.h"

#define LITTLE 10  //  Per cent of the state's room that should be left

//  A line; where there is no room what is well gives way to what is not.
static void
s_put (fuota_reply_t *reply, const fuota_finding_t *finding)
{
    size_t room = sizeof reply->findings / sizeof *reply->findings;
    size_t at = reply->findings_count, least = 0;
    if (at == room) {
        reply->findings_left_out = true;
        for (size_t i = 0; i < room; i++)
            if (reply->findings [i].level <= reply->findings [least].level)
                least = i;
        if (reply->findings [least].level >= finding->level)
            return;
        memmove (&reply->findings [least], &reply->findings [least + 1],
            (--at - least) * sizeof *finding);
        reply->findings_count--;
    }
    reply->findings [reply->findings_count++] = *finding;
}

static void
s_state (const fuota_control_t *self, fuota_reply_t *reply)
{
    fuota_finding_t finding = { .what = "state" };
    fuota_db_room_t room = fuota_db_room (self->db);
    snprintf (finding.words, sizeof finding.words, "%zu MiB used, %zu MiB left",
        room.used >> 20, room.left >> 20);
    if (room.left / LITTLE < room.used / (100 - LITTLE)) {
        finding.level = FUOTA_FINDING_WARNING;
        strcpy (finding.advice, "make state.map_mib larger and restart fuotad");
    }
    s_put (reply, &finding);
}

static void
s_host (const fuota_known_t *known, fuota_reply_t *reply)
{
    fuota_finding_t finding = { .what = "host",
        .level = FUOTA_FINDING_WRONG,
        .advice = "the log of fuotad says more; see host in its "
                  "configuration" };
    for (size_t i = 0; i < known->finding_count; i++)
        s_put (reply, &known->findings [i]);
    reply->findings_left_out =
        reply->findings_left_out || known->findings_left_out;
    snprintf (finding.words, sizeof finding.words, "%s", known->fault);
    if (known->deaf) {
        //  A back end of one's own: nothing is wrong with that
        finding.level = FUOTA_FINDING_OK;
        finding.advice [0] = 0;
    }
    if (*known->fault)
        s_put (reply, &finding);
}

void
fuota_ask_check (fuota_control_t *self, fuota_turn_t *turn)
{
    const char *application = self->request.wish.application;
    if (!*application)
        application = self->table->defaults->application;
    if (!self->known) {
        turn->asks = true;
        turn->question.kind = FUOTA_QUESTION_CHECK;
        snprintf (turn->question.application, sizeof turn->question.application,
            "%s", application);
        return;
    }
    fuota_finding_t finding = { .what = "fuotad" };
    snprintf (finding.words, sizeof finding.words, "%s", self->version);
    s_put (&turn->reply, &finding);
    s_state (self, &turn->reply);
    s_host (self->known, &turn->reply);
}
