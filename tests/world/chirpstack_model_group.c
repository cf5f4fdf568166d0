//  SPDX-License-Identifier: MIT
//
//  Groups at the host (chirpstack-host.md 3.6 and 3.7). Parts: what is taken,
//  and the judgement of it; the scheduler; gateways.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "broker/host/chirpstack_text.h"
#include "tests/world/chirpstack_model_private.h"

#define INTERVAL 1000
#define LOCK 2000
#define OFFLINE 60000  //  Then the host knows it
#define ALL_N 16384
#define SLOW 15000  //  A call takes less

enum { WORD_OK = 1, WORD_TOO_LATE = 2, WORD_QUEUE_FULL = 9 };

model_group_t *
model_group (model_t *self, const char *id)
{
    for (unsigned i = 0; i < MODEL_GROUPS; i++)
        if (self->groups [i].used && !self->groups [i].deleted &&
            strcmp (self->groups [i].id, id) == 0)
            return &self->groups [i];
    return NULL;
}

//  ---------------------------------------------------------------------
//  What is taken

//  What the engine should have known by now, and should not have done.
static void
s_judge (model_t *self, model_group_t *group, uint32_t n)
{
    const model_fragment_t *last =
        group->f_cnt ? &group->fragments [group->f_cnt - 1] : NULL;
    model_judge_t *judge = &self->judge;
    judge->unflushed += !group->flushed;
    judge->crowded +=
        last && last->rows && n == last->n && last->expires_at > self->now;
    judge->out_of_order += n < group->last_n;
    judge->left_out += !group->jumped && n > group->last_n + 1;
    judge->forsaken += n > group->last_n && last && !last->taken &&
                       !last->unclear && self->config.clear && group->proven;
    group->last_n = n;
    group->jumped = false;
}

static int64_t
s_slot (const model_group_t *group, int64_t at)
{
    int64_t period = 1000ll << group->air.periodicity;
    return at + period - (at + group->air.mc_addr * 7) % period;
}

//  When the rows of one more fragment are due.
static int64_t
s_base (const model_t *self, const model_group_t *group, bool *empty)
{
    int64_t base = self->now;
    *empty = true;
    for (unsigned i = 0; i < MODEL_ROWS; i++) {
        const model_row_t *row = &self->rows [i];
        if (!row->used || &self->groups [row->group] != group)
            continue;
        int64_t at = group->air.type ? row->emit_at : row->run_after;
        if (*empty || at > base)
            base = at;
        *empty = false;
    }
    return base;
}

static void
s_rows (model_t *self, model_group_t *group, uint32_t f_cnt)
{
    bool empty;
    int64_t at = s_base (self, group, &empty);
    if (group->air.type)
        at = s_slot (group, empty ? at + self->config.margin : at);
    else if (!empty)
        at += self->config.margin;
    for (unsigned i = 0, g = 0; g < group->gateway_count; g++) {
        while (i < MODEL_ROWS && self->rows [i].used)
            i++;
        assert_true (i < MODEL_ROWS);
        self->rows [i] = (model_row_t){ .used = true,
            .group = (uint32_t) (group - self->groups),
            .f_cnt = f_cnt,
            .serial = (uint32_t) ++self->serial,
            .gateway = group->gateways [g],
            .emit_at = group->air.type ? at : 0,
            .run_after = group->air.type ? at - 2 * INTERVAL : at };
        if (!group->air.type)
            at += self->config.margin;
    }
}

uint32_t
model_enqueue (model_t *self, model_group_t *group, uint8_t f_port,
    fuota_slice_t data, int64_t expires_at)
{
    uint32_t f_cnt = group->f_cnt;
    assert_true (data.size > 3 && data.data [0] == 0x08);
    uint32_t n = (data.data [1] | (uint32_t) data.data [2] << 8) & 0x3fff;
    self->counts.fragments++;
    s_judge (self, group, n);
    group->fragments =
        realloc (group->fragments, (f_cnt + 1) * sizeof *group->fragments);
    assert_non_null (group->fragments);
    if (!group->taken)
        group->taken = calloc (ALL_N, sizeof *group->taken);
    assert_non_null (group->taken);
    model_fragment_t *fragment = &group->fragments [f_cnt];
    *fragment = (model_fragment_t){ .n = n,
        .rows = group->gateway_count,
        .life = self->caller,
        .unclear = self->config.blind || !self->core || !self->link ||
                   self->now < self->unclear_at + SLOW,
        .f_port = f_port,
        .size = data.size,
        .expires_at = expires_at };
    memcpy (fragment->data, data.data, data.size);
    group->f_cnt++;
    s_rows (self, group, f_cnt);
    if (getenv ("WORLD_TRACE"))
        printf ("%13lld host takes n %u f_cnt %u%s\n",
            (long long) (self->now % 1000000000), (unsigned) n,
            (unsigned) f_cnt,
            self->judge.crowded + self->judge.forsaken ? " (!)" : "");
    model_schedule (self);
    return f_cnt;
}

static void
s_drop (model_t *self, model_row_t *row)
{
    model_fragment_t *fragment =
        &self->groups [row->group].fragments [row->f_cnt];
    row->used = false;
    self->counts.dropped += !--fragment->rows && !fragment->given;
}

void
model_flush (model_t *self, model_group_t *group)
{
    for (unsigned i = 0; i < MODEL_ROWS; i++)
        if (self->rows [i].used &&
            &self->groups [self->rows [i].group] == group)
            s_drop (self, &self->rows [i]);
    group->flushed = group->jumped = true;
}

//  ---------------------------------------------------------------------
//  The scheduler

static void
s_down (model_t *self, const model_frame_t *frame)
{
    model_group_t *group = &self->groups [frame->group];
    const model_fragment_t *fragment = &group->fragments [frame->f_cnt];
    model_bytes_t body = { .size = 0 }, item = { .size = 0 };
    model_bytes_t lora = { .size = 0 }, with = { .size = 0 };
    model_bytes_t info = { .size = 0 };
    uint8_t phy [13 + 255] = { 0x60 };
    char topic [160], eui [17];
    if (self->config.blind)
        return;
    for (unsigned i = 0; i < 4; i++)
        phy [1 + i] = (uint8_t) (group->air.mc_addr >> 8 * i);
    phy [6] = (uint8_t) frame->f_cnt;
    phy [7] = (uint8_t) (frame->f_cnt >> 8);
    phy [8] = fragment->f_port;
    memcpy (phy + 9, fragment->data, fragment->size);
    model_data (&item, 1, phy, 13 + fragment->size);
    model_uint (&info, 1, group->air.frequency);
    model_uint (&lora, 1, 125000);
    model_uint (&lora, 2, 12);
    model_part (&with, 3, &lora);
    model_part (&info, 3, &with);
    model_part (&item, 3, &info);
    model_uint (&body, 3, frame->downlink);
    model_part (&body, 5, &item);
    fuota_chirpstack_eui (frame->gateway + 1, eui);
    model_text (&body, 7, eui);
    snprintf (topic, sizeof topic, "eu868/gateway/%s/command/down", eui);
    model_say (self, topic, &body);
    group->proven |= self->core && self->link && fragment->life == self->life;
}

static void
s_hand (model_t *self, unsigned i)
{
    const model_row_t *row = &self->rows [i];
    model_frame_t *frame = calloc (1, sizeof *frame);
    assert_non_null (frame);
    *frame = (model_frame_t){ .downlink = (uint32_t) ++self->serial,
        .group = row->group,
        .f_cnt = row->f_cnt,
        .row = i,
        .serial = row->serial,
        .gateway = row->gateway,
        .emit_at = row->emit_at };
    self->counts.frames++;
    self->groups [row->group].fragments [row->f_cnt].given = true;
    s_down (self, frame);
    model_put (self, self->now + 1 + model_below (self, 100), MODEL_FRAME, 0,
        frame);
}

//  Due rows, in any order.
void
model_schedule (model_t *self)
{
    unsigned first = model_below (self, MODEL_ROWS);
    bool any = false;
    if (self->scheduled || !self->up)
        return;
    bool now = self->now % INTERVAL == 0;
    for (unsigned n = 0; n < MODEL_ROWS; n++) {
        unsigned i = (first + n) % MODEL_ROWS;
        model_row_t *row = &self->rows [i];
        if (!row->used)
            continue;
        any = true;
        if (!now || row->run_after > self->now)
            continue;
        int64_t since = self->away_since [row->gateway];
        const model_fragment_t *fragment =
            &self->groups [row->group].fragments [row->f_cnt];
        if (fragment->expires_at <= self->now)
            s_drop (self, row);
        else if (!since || self->now < since + OFFLINE) {
            row->run_after = self->now + LOCK;
            s_hand (self, i);
        }
    }
    if (!any)
        return;
    self->scheduled = true;
    model_put (self, self->now / INTERVAL * INTERVAL + INTERVAL, MODEL_SCHEDULE,
        0, NULL);
}

//  ---------------------------------------------------------------------
//  Gateways

//  A frame arrives: it is taken, refused, or nothing is heard of it.
void
model_frame (model_t *self, model_frame_t *frame)
{
    model_fragment_t *fragment =
        &self->groups [frame->group].fragments [frame->f_cnt];
    int64_t at = self->now + 10 + model_below (self, 200);
    bool there = !self->away_since [frame->gateway];
    frame->word = WORD_OK;
    frame->sends = frame->speaks = there;
    if (there && model_hits (self, self->config.silent)) {
        frame->sends = model_below (self, 2);
        frame->speaks = false;
    }
    else if (there && model_hits (self, self->config.refusal)) {
        frame->word = model_below (self, 2) ? WORD_TOO_LATE : WORD_QUEUE_FULL;
        frame->sends = false;
        self->counts.frames_refused++;
    }
    if (there && model_hits (self, self->config.late)) {
        at += model_below (self, 4000);
        fragment->unclear = true;
    }
    if (!frame->speaks) {
        fragment->unclear = true;
        self->counts.silent++;
    }
    if (frame->sends) {
        fragment->taken = true;
        model_frame_t *air = malloc (sizeof *air);
        assert_non_null (air);
        *air = *frame;
        int64_t emit = frame->emit_at > self->now ? frame->emit_at : self->now;
        model_put (self, emit, MODEL_ON_AIR, 0, air);
    }
    if (frame->speaks)
        model_put (self, at, MODEL_WORD, 0, frame);
    else
        free (frame);
}

void
model_on_air (model_t *self, const model_frame_t *frame)
{
    model_group_t *group = &self->groups [frame->group];
    model_fragment_t *fragment = &group->fragments [frame->f_cnt];
    uint32_t *taken = &group->taken [fragment->n];
    if (*taken && *taken != frame->f_cnt + 1)
        self->judge.twice++;
    if (getenv ("WORLD_TRACE"))
        printf ("%13lld on air n %u f_cnt %u by %u%s\n",
            (long long) (self->now % 1000000000), (unsigned) fragment->n,
            (unsigned) frame->f_cnt, frame->gateway,
            *taken && *taken != frame->f_cnt + 1 ? " TWICE" : "");
    *taken = frame->f_cnt + 1;
    fuota_sim_item_t *item = calloc (1, sizeof *item + fragment->size);
    assert_non_null (item);
    item->index = -1;
    item->f_cnt = frame->f_cnt;
    item->f_port = fragment->f_port;
    item->size = fragment->size;
    memcpy (item->data, fragment->data, fragment->size);
    group->air.gateways_count = 1;
    group->air.gateways [0] = frame->gateway + 1;
    fuota_sim_air_send (self->sim, &group->air, item);
    free (item);
}

//  The gateway's word: to whoever listens, and to the host.
void
model_word (model_t *self, const model_frame_t *frame)
{
    model_bytes_t body = { .size = 0 }, item = { .size = 0 };
    char topic [160], eui [17];
    model_row_t *row = &self->rows [frame->row];
    if (!self->config.blind) {
        fuota_chirpstack_eui (frame->gateway + 1, eui);
        model_uint (&item, 1, frame->word);
        model_uint (&body, 2, frame->downlink);
        model_part (&body, 5, &item);
        model_text (&body, 6, eui);
        snprintf (topic, sizeof topic, "eu868/gateway/%s/event/ack", eui);
        model_say (self, topic, &body);
    }
    if (self->up && row->used && row->serial == frame->serial)
        s_drop (self, row);
}
