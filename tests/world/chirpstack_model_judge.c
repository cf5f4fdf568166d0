//  SPDX-License-Identifier: MIT

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "broker/host/chirpstack_private.h"
#include "tests/world/chirpstack_model_private.h"

void
model_counts (const model_t *self, model_counts_t *counts)
{
    *counts = self->counts;
}

static uint64_t
s_queued (const model_t *self)
{
    uint64_t left = 0;
    for (uint32_t i = 0; i < self->config.devices; i++)
        for (unsigned k = 0; k < self->devices [i].count; k++)
            left += self->devices [i].queue [k].expires_at > self->now;
    return left;
}

void
model_check (const model_t *self, bool overlaps)
{
    const model_judge_t *judge = &self->judge;
    fuota_chirpstack_stats_t stats;
    uint64_t groups = 0, rows = 0, fates = 0, jobs = 0;
    fuota_chirpstack_stats (self->core, &stats);
    for (unsigned i = 0; i < MODEL_GROUPS; i++)
        groups += self->groups [i].used && !self->groups [i].deleted;
    for (unsigned i = 0; i < MODEL_ROWS; i++)
        rows += self->rows [i].used;
    for (unsigned i = 0; i < FUOTA_CHIRPSTACK_FATES; i++)
        fates += self->core->air.fates [i].used;
    for (unsigned i = 0; i < FUOTA_CHIRPSTACK_JOBS; i++)
        jobs += self->core->jobs [i].used && !self->core->jobs [i].own;
    const struct {
        const char *name;
        uint64_t value;
    } nought [] = {
        { "fragments taken twice", judge->twice },
        { "fragments out of order", judge->out_of_order },
        { "fragments left out", judge->left_out },
        { "fragments crowded", judge->crowded },
        { "fragments forsaken", judge->forsaken },
        { "groups created twice", judge->groups_twice },
        { "groups not flushed", judge->unflushed },
        { "strange calls", judge->strange },
        { "commands overlapped", overlaps ? 0 : judge->overlapped },
        { "groups left", groups },
        { "rows of groups left", rows },
        { "commands left", s_queued (self) },
        { "jobs left", jobs },
        { "items waited for", stats.waiting },
        { "fates waited for", fates },
        { "messages not understood", stats.malformed },
    };
    for (unsigned i = 0; i < sizeof nought / sizeof *nought; i++)
        if (nought [i].value)
            fail_msg ("%s: %u", nought [i].name, (unsigned) nought [i].value);
}
