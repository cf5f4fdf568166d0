//  SPDX-License-Identifier: MIT
//
//  Parts: groups; fragments that are watched; frames; fates.

#include <stdio.h>
#include "broker/host/chirpstack_air.h"

//  A frame handed over just before it expired, and its way to us. The engine
//  gives up ten seconds after the fragment's period, that is five later
#define LINGER 4000
#define SILENCE 30000  //  So long the host itself remembers a frame
#define AGAIN 1500     //  The host hands it over again after two seconds
#define STALE 600000   //  The outbox gave up a row that was never taken

//  ---------------------------------------------------------------------
//  Groups

fuota_chirpstack_group_t *
fuota_chirpstack_air_group (fuota_chirpstack_air_t *self, const char *id)
{
    for (unsigned i = 0; i < FUOTA_CHIRPSTACK_GROUPS; i++)
        if (*id && strcmp (self->groups [i].id, id) == 0) {
            self->groups [i].used = ++self->uses;
            return &self->groups [i];
        }
    return NULL;
}

fuota_chirpstack_group_t *
fuota_chirpstack_air_new (fuota_chirpstack_air_t *self, const char *id)
{
    fuota_chirpstack_group_t *group = fuota_chirpstack_air_group (self, id);
    if (!group) {
        group = self->groups;
        for (unsigned i = 1; i < FUOTA_CHIRPSTACK_GROUPS; i++)
            if (self->groups [i].used < group->used)
                group = &self->groups [i];
    }
    *group = (fuota_chirpstack_group_t){ .used = ++self->uses };
    snprintf (group->id, sizeof group->id, "%s", id);
    return group;
}

//  ---------------------------------------------------------------------
//  Fragments that are watched

static fuota_chirpstack_fate_t *
s_fate (fuota_chirpstack_air_t *self, uint64_t row, uint32_t owner)
{
    for (unsigned i = 0; i < FUOTA_CHIRPSTACK_FATES; i++)
        if (self->fates [i].used && self->fates [i].row == row &&
            self->fates [i].owner == owner)
            return &self->fates [i];
    return NULL;
}

bool
fuota_chirpstack_air_watch (fuota_chirpstack_air_t *self,
    const fuota_downlink_t *want, fuota_chirpstack_group_t *group)
{
    memcpy (group->deployment, want->deployment, sizeof group->deployment);
    fuota_chirpstack_fate_t *fate = s_fate (self, want->row, want->owner);
    for (unsigned i = 0; !fate && i < FUOTA_CHIRPSTACK_FATES; i++)
        if (!self->fates [i].used)
            fate = &self->fates [i];
    if (!fate)
        return false;
    *fate = (fuota_chirpstack_fate_t){ .used = true,
        .row = want->row,
        .owner = want->owner,
        .mc_addr = group->mc_addr,
        .f_cnt = want->f_cnt,
        .gateways = group->has_gateways ? group->gateways : 0,
        .proven = group->proven,
        .deaf = self->deaf,
        .until = want->expires_at + LINGER };
    memcpy (fate->deployment, want->deployment, sizeof fate->deployment);
    return true;
}

void
fuota_chirpstack_air_taken (fuota_chirpstack_air_t *self, uint64_t row,
    uint32_t owner, uint32_t f_cnt)
{
    fuota_chirpstack_fate_t *fate = s_fate (self, row, owner);
    if (!fate)
        return;
    fate->taken = true;
    fate->f_cnt = f_cnt;
}

void
fuota_chirpstack_air_forget (fuota_chirpstack_air_t *self, uint64_t row,
    uint32_t owner)
{
    fuota_chirpstack_fate_t *fate = s_fate (self, row, owner);
    if (fate)
        fate->used = false;
}

//  ---------------------------------------------------------------------
//  Frames, and what is told of them

//  What nobody takes out in time is lost, the oldest first.
static void
s_tell (fuota_chirpstack_air_t *self, fuota_chirpstack_frame_t *frame,
    uint32_t word, unsigned item)
{
    if (item >= frame->items)
        item = 0;
    if (self->told_count == FUOTA_CHIRPSTACK_TOLD) {
        self->told_first++;
        self->told_count--;
    }
    fuota_frame_t *told = &self->told [(self->told_first + self->told_count++) %
                                       FUOTA_CHIRPSTACK_TOLD];
    *told = (fuota_frame_t){ .gateway = frame->gateway,
        .frequency = frame->item [item].frequency,
        .air_time = frame->item [item].air_time,
        .word = word };
    memcpy (told->deployment, frame->deployment, sizeof told->deployment);
    *frame = (fuota_chirpstack_frame_t){ .gateway = 0 };
    self->waiting--;
}

static fuota_chirpstack_frame_t *
s_frame (fuota_chirpstack_air_t *self, const fuota_chirpstack_down_t *down,
    int64_t now)
{
    fuota_chirpstack_frame_t *frame =
        &self->frames [self->frame_at++ % FUOTA_CHIRPSTACK_FRAMES];
    if (frame->gateway)
        s_tell (self, frame, 0, 0);
    *frame = (fuota_chirpstack_frame_t){ .gateway = down->gateway,
        .downlink = down->downlink,
        .at = now,
        .items = down->items };
    for (unsigned i = 0; i < down->items; i++) {
        frame->item [i].frequency = down->item [i].frequency;
        frame->item [i].air_time = down->item [i].air_time;
    }
    self->waiting++;
    return frame;
}

//  The host may give a gateway the same frame twice.
static void
s_seen (fuota_chirpstack_fate_t *fate, uint64_t gateway)
{
    unsigned i = 0;
    fate->seen++;
    while (i < fate->by_count && fate->by [i] != gateway)
        i++;
    if (i == fate->by_count && i < FUOTA_CHIRPSTACK_BY)
        fate->by [fate->by_count++] = gateway;
}

//  A frame to the address of a group of ours, watched or not any more.
static void
s_fragment (fuota_chirpstack_air_t *self, fuota_chirpstack_frame_t *frame,
    uint32_t mc_addr, uint32_t f_cnt)
{
    for (unsigned g = 0; g < FUOTA_CHIRPSTACK_GROUPS; g++)
        if (self->groups [g].id [0] && self->groups [g].mc_addr == mc_addr)
            memcpy (frame->deployment, self->groups [g].deployment,
                sizeof frame->deployment);
    for (unsigned i = 0; i < FUOTA_CHIRPSTACK_FATES; i++) {
        fuota_chirpstack_fate_t *fate = &self->fates [i];
        if (!fate->used || fate->mc_addr != mc_addr ||
            (fate->f_cnt & 0xffff) != f_cnt)
            continue;
        s_seen (fate, frame->gateway);
        fate->proven = true;
        self->frame_count++;
        frame->f_cnt = fate->f_cnt;
        frame->mc_addr = mc_addr;
        for (unsigned g = 0; g < FUOTA_CHIRPSTACK_GROUPS; g++)
            if (self->groups [g].mc_addr == mc_addr)
                self->groups [g].proven = true;
        return;
    }
}

//  A broker may deliver a message twice. It is one frame, and gets one word.
static bool
s_repeated (const fuota_chirpstack_air_t *self,
    const fuota_chirpstack_down_t *down)
{
    for (unsigned i = 0; self->waiting && i < FUOTA_CHIRPSTACK_FRAMES; i++)
        if (self->frames [i].gateway == down->gateway &&
            self->frames [i].downlink == down->downlink)
            return true;
    return false;
}

void
fuota_chirpstack_air_down (fuota_chirpstack_air_t *self,
    const fuota_chirpstack_down_t *down, int64_t now)
{
    if (!down->gateway || s_repeated (self, down))
        return;
    fuota_chirpstack_frame_t *frame = s_frame (self, down, now);
    //  Unconfirmed data down: MHDR, DevAddr, FCtrl, FCnt, ...
    if (down->size < 13 || down->phy [0] != 0x60)
        return;
    fuota_reader_t in = fuota_reader (down->phy + 1, down->size - 1);
    uint32_t mc_addr = fuota_reader_le32 (&in);
    fuota_reader_u8 (&in);
    s_fragment (self, frame, mc_addr, fuota_reader_le16 (&in));
}

static void
s_word (fuota_chirpstack_air_t *self, const fuota_chirpstack_frame_t *frame,
    uint32_t word, int64_t now)
{
    for (unsigned n = 0; n < FUOTA_CHIRPSTACK_FATES; n++) {
        fuota_chirpstack_fate_t *fate = &self->fates [n];
        if (!fate->used || !frame->mc_addr || fate->mc_addr != frame->mc_addr ||
            fate->f_cnt != frame->f_cnt)
            continue;
        self->ack_count++;
        if (word == FUOTA_WORD_OK)
            fate->sent = true;
        else {
            fate->refused++;
            fate->slow |= now >= frame->at + AGAIN;
            snprintf (fate->words, sizeof fate->words, "gateway: %s",
                fuota_word_name (word));
        }
    }
}

void
fuota_chirpstack_air_ack (fuota_chirpstack_air_t *self,
    const fuota_chirpstack_ack_t *ack, int64_t now)
{
    for (unsigned i = 0; i < FUOTA_CHIRPSTACK_FRAMES && ack->gateway; i++) {
        fuota_chirpstack_frame_t *frame = &self->frames [i];
        if (frame->gateway != ack->gateway || frame->downlink != ack->downlink)
            continue;
        s_word (self, frame, ack->word, now);
        s_tell (self, frame, ack->word, ack->item);
        return;
    }
}

bool
fuota_chirpstack_air_frame (fuota_chirpstack_air_t *self, int64_t now,
    fuota_frame_t *frame)
{
    if (self->waiting && now >= self->swept_at + SILENCE / 10) {
        self->swept_at = now;
        for (unsigned i = 0; i < FUOTA_CHIRPSTACK_FRAMES; i++)
            if (self->frames [i].gateway &&
                now >= self->frames [i].at + SILENCE)
                s_tell (self, &self->frames [i], 0, 0);
    }
    if (!self->told_count)
        return false;
    *frame = self->told [self->told_first++ % FUOTA_CHIRPSTACK_TOLD];
    self->told_count--;
    return true;
}

//  ---------------------------------------------------------------------
//  Fates

void
fuota_chirpstack_air_hears (fuota_chirpstack_air_t *self, bool hears)
{
    self->deaf = !hears;
    if (hears)
        return;
    for (unsigned i = 0; i < FUOTA_CHIRPSTACK_FATES; i++) {
        self->fates [i].proven = false;
        self->fates [i].deaf = true;
    }
    for (unsigned i = 0; i < FUOTA_CHIRPSTACK_GROUPS; i++)
        self->groups [i].proven = false;
}

//  TAKEN if there is nothing to be said yet.
static OutcomeKind
s_decide (const fuota_chirpstack_fate_t *fate, int64_t now)
{
    bool over = now >= fate->until;
    if (!fate->taken)
        return FUOTA_TAKEN;
    if (fate->sent)
        return FUOTA_SENT;
    bool all =
        fate->gateways && fate->by_count >= fate->gateways && !fate->slow;
    if (fate->seen && fate->refused == fate->seen && !fate->deaf &&
        (over || all))
        return FUOTA_REFUSED;
    if (!over)
        return FUOTA_TAKEN;
    //  No gateway got it, where we would have seen that: it was dropped. A
    //  frame without a word, or topics that we cannot read: it may be on air
    return fate->proven && !fate->seen ? FUOTA_EXPIRED : FUOTA_SENT;
}

bool
fuota_chirpstack_air_outcome (fuota_chirpstack_air_t *self, int64_t now,
    fuota_outcome_t *outcome)
{
    for (unsigned i = 0; i < FUOTA_CHIRPSTACK_FATES; i++) {
        fuota_chirpstack_fate_t *fate = &self->fates [i];
        //  A row may expire, or be withdrawn, while it is not known to be taken
        if (fate->used && !fate->taken && now >= fate->until + STALE)
            fate->used = false;
        if (!fate->used)
            continue;
        OutcomeKind kind = s_decide (fate, now);
        if (kind == FUOTA_TAKEN)
            continue;
        *outcome = (fuota_outcome_t){ .kind = kind,
            .row = fate->row,
            .owner = fate->owner,
            .f_cnt = fate->f_cnt,
            .at = now };
        memcpy (outcome->deployment, fate->deployment,
            sizeof outcome->deployment);
        if (kind == FUOTA_REFUSED)
            snprintf (outcome->words, sizeof outcome->words, "%s", fate->words);
        fate->used = false;
        return true;
    }
    return false;
}

int64_t
fuota_chirpstack_air_due (const fuota_chirpstack_air_t *self)
{
    int64_t due = INT64_MAX;
    for (unsigned i = 0; i < FUOTA_CHIRPSTACK_FATES; i++)
        if (self->fates [i].used && self->fates [i].taken &&
            self->fates [i].until < due)
            due = self->fates [i].until;
    return due;
}
