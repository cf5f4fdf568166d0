//  SPDX-License-Identifier: MIT
//
//  Parts: groups; fragments that are watched; gateway topics; fates.

#include <jansson.h>
#include <pb_decode.h>
#include <stdio.h>
#include "broker/host/chirpstack_air.h"
#include "broker/host/chirpstack_text.h"
#include "chirpstack.pb.h"

//  A frame handed over just before it expired, and its way to us. The engine
//  gives up ten seconds after the fragment's period, that is five later
#define LINGER 4000

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
    const fuota_downlink_t *want, const fuota_chirpstack_group_t *group)
{
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
//  Gateway topics: protobuf, or JSON where a gateway speaks it

static void
s_frame (fuota_chirpstack_air_t *self, const char *gateway, uint32_t downlink,
    const uint8_t *phy, size_t size)
{
    uint64_t eui;
    //  Unconfirmed data down: MHDR, DevAddr, FCtrl, FCnt, ...
    if (size < 13 || phy [0] != 0x60 || !fuota_chirpstack_uneui (gateway, &eui))
        return;
    fuota_reader_t in = fuota_reader (phy + 1, size - 1);
    uint32_t mc_addr = fuota_reader_le32 (&in);
    fuota_reader_u8 (&in);
    uint32_t f_cnt = fuota_reader_le16 (&in);
    for (unsigned i = 0; i < FUOTA_CHIRPSTACK_FATES; i++) {
        fuota_chirpstack_fate_t *fate = &self->fates [i];
        if (!fate->used || fate->mc_addr != mc_addr ||
            (fate->f_cnt & 0xffff) != f_cnt)
            continue;
        fate->seen = fate->proven = true;
        self->frame_count++;
        self->frames [self->frame_at++ % FUOTA_CHIRPSTACK_FRAMES] =
            (fuota_chirpstack_frame_t){ eui, downlink, fate->f_cnt, mc_addr };
        for (unsigned g = 0; g < FUOTA_CHIRPSTACK_GROUPS; g++)
            if (self->groups [g].mc_addr == mc_addr)
                self->groups [g].proven = true;
        return;
    }
}

//  Names of gw.TxAckStatus.
static const char *const s_words [] = { "IGNORED", "OK", "TOO_LATE",
    "TOO_EARLY", "COLLISION_PACKET", "COLLISION_BEACON", "TX_FREQ", "TX_POWER",
    "GPS_UNLOCKED", "QUEUE_FULL", "INTERNAL_ERROR", "DUTY_CYCLE_OVERFLOW" };
#define WORDS (sizeof s_words / sizeof *s_words)
#define OK 1

static void
s_word (fuota_chirpstack_air_t *self, const char *gateway, uint32_t downlink,
    uint32_t status)
{
    uint64_t eui;
    if (!fuota_chirpstack_uneui (gateway, &eui))
        return;
    for (unsigned i = 0; i < FUOTA_CHIRPSTACK_FRAMES; i++) {
        fuota_chirpstack_frame_t *frame = &self->frames [i];
        if (frame->gateway != eui || frame->downlink != downlink)
            continue;
        for (unsigned n = 0; n < FUOTA_CHIRPSTACK_FATES; n++) {
            fuota_chirpstack_fate_t *fate = &self->fates [n];
            if (!fate->used || fate->mc_addr != frame->mc_addr ||
                fate->f_cnt != frame->f_cnt)
                continue;
            self->ack_count++;
            if (status == OK)
                fate->sent = true;
            else {
                fate->refused++;
                snprintf (fate->words, sizeof fate->words, "gateway: %s",
                    status < WORDS ? s_words [status] : "?");
            }
        }
        *frame = (fuota_chirpstack_frame_t){ .gateway = 0 };
        return;
    }
}

static bool
s_first_item (pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    cs_DownlinkFrameItem *item = *arg;
    (void) field;
    //  A group's frame has one; of a unicast frame any will do
    if (!pb_decode (stream, cs_DownlinkFrameItem_fields, item))
        return pb_read (stream, NULL, stream->bytes_left);
    return true;
}

//  Of several attempts one may have been good.
static bool
s_ack_item (pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    uint32_t *status = *arg;
    cs_DownlinkTxAckItem item;
    (void) field;
    if (!pb_decode (stream, cs_DownlinkTxAckItem_fields, &item))
        return pb_read (stream, NULL, stream->bytes_left);
    if (*status != OK && item.status)
        *status = item.status;
    return true;
}

static int
s_json_down (fuota_chirpstack_air_t *self, const json_t *root)
{
    uint8_t phy [280];
    size_t size = sizeof phy;
    const json_t *item = json_array_get (json_object_get (root, "items"), 0);
    const char *text = json_string_value (json_object_get (item, "phyPayload"));
    const char *gateway =
        json_string_value (json_object_get (root, "gatewayId"));
    json_int_t id = json_integer_value (json_object_get (root, "downlinkId"));
    if (!text || !gateway || !fuota_chirpstack_unbase64 (text, phy, &size))
        return FUOTA_EFORMAT;
    s_frame (self, gateway, (uint32_t) id, phy, size);
    return 0;
}

static int
s_json_ack (fuota_chirpstack_air_t *self, const json_t *root)
{
    const char *gateway =
        json_string_value (json_object_get (root, "gatewayId"));
    json_int_t id = json_integer_value (json_object_get (root, "downlinkId"));
    uint32_t status = 0;
    size_t i;
    json_t *item;
    if (!gateway)
        return FUOTA_EFORMAT;
    json_array_foreach (json_object_get (root, "items"), i, item)
    {
        const char *word = json_string_value (json_object_get (item, "status"));
        for (uint32_t n = 1; word && status != OK && n < WORDS; n++)
            if (strcmp (word, s_words [n]) == 0)
                status = n;
    }
    s_word (self, gateway, (uint32_t) id, status);
    return 0;
}

static int
s_json (fuota_chirpstack_air_t *self, fuota_slice_t body, bool ack)
{
    json_t *root = json_loadb ((const char *) body.data, body.size, 0, NULL);
    if (!root)
        return FUOTA_EFORMAT;
    int rc = ack ? s_json_ack (self, root) : s_json_down (self, root);
    json_decref (root);
    return rc;
}

int
fuota_chirpstack_air_down (fuota_chirpstack_air_t *self, fuota_slice_t body)
{
    cs_DownlinkFrame frame = cs_DownlinkFrame_init_zero;
    cs_DownlinkFrameItem item = cs_DownlinkFrameItem_init_zero;
    if (body.size && body.data [0] == '{')
        return s_json (self, body, false);
    pb_istream_t stream = pb_istream_from_buffer (body.data, body.size);
    frame.items.funcs.decode = s_first_item;
    frame.items.arg = &item;
    if (!body.size || !pb_decode (&stream, cs_DownlinkFrame_fields, &frame))
        return FUOTA_EFORMAT;
    s_frame (self, frame.gateway_id, frame.downlink_id, item.phy_payload.bytes,
        item.phy_payload.size);
    return 0;
}

int
fuota_chirpstack_air_ack (fuota_chirpstack_air_t *self, fuota_slice_t body)
{
    cs_DownlinkTxAck ack = cs_DownlinkTxAck_init_zero;
    uint32_t status = 0;
    if (body.size && body.data [0] == '{')
        return s_json (self, body, true);
    pb_istream_t stream = pb_istream_from_buffer (body.data, body.size);
    ack.items.funcs.decode = s_ack_item;
    ack.items.arg = &status;
    if (!body.size || !pb_decode (&stream, cs_DownlinkTxAck_fields, &ack))
        return FUOTA_EFORMAT;
    s_word (self, ack.gateway_id, ack.downlink_id, status);
    return 0;
}

//  ---------------------------------------------------------------------
//  Fates

void
fuota_chirpstack_air_deaf (fuota_chirpstack_air_t *self)
{
    for (unsigned i = 0; i < FUOTA_CHIRPSTACK_FATES; i++)
        self->fates [i].proven = false;
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
    if (fate->refused &&
        (over || (fate->gateways && fate->refused >= fate->gateways)))
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
