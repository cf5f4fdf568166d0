//  SPDX-License-Identifier: MIT
//
//  Parts: when a device listens; what it hears.

#include "broker/host/lora_device.h"

#include "workers/package/mckey.h"

#define ACK_DELAY 2000  //  Until an ACK goes out by itself

//  ---------------------------------------------------------------------
//  When it listens

static bool
s_same (const fuota_lora_radio_t *a, const fuota_lora_radio_t *b)
{
    return a->frequency == b->frequency && a->sf == b->sf &&
           a->bandwidth == b->bandwidth;
}

static bool
s_near (int64_t start, int64_t window)
{
    return window != FUOTA_LORA_CLOSED && start >= window - FUOTA_LORA_WINDOW &&
           start <= window + FUOTA_LORA_WINDOW;
}

//  Is it the time of one of the group's ping slots (reference 10.3)? Beacons
//  keep that time, whatever the device's clock says.
static bool
s_in_slot (const fuota_sim_context_t *context, int64_t gps, uint32_t beacon)
{
    enum { RESERVED = 2120, SLOT = 30, OFF = 10 };
    uint16_t offset;
    int64_t into = gps - (int64_t) beacon * 1000 - RESERVED;
    int64_t slot = (into + SLOT / 2) / SLOT;
    int64_t off = into - slot * SLOT;
    if (into < 0 || off > OFF || off < -OFF ||
        fuota_mckey_ping_offset (beacon, context->mc_addr, context->periodicity,
            &offset))
        return false;
    return slot >= offset &&
           (slot - offset) % (32 << context->periodicity) == 0;
}

static bool
s_group_tuned (const fuota_lora_device_t *self,
    const fuota_sim_context_t *context, const fuota_lora_radio_t *radio,
    int64_t start)
{
    int64_t clock = fuota_sim_device_clock (&self->app, start);
    if (!context || !context->session || clock < context->start ||
        clock >= context->end)
        return false;
    int64_t gps = start + self->world->world.gps_minus_utc;
    uint32_t beacon = (uint32_t) (gps / 128000 * 128);
    fuota_lora_radio_t wanted = { .frequency = context->frequency };
    if (!fuota_lora_plan_down (self->world->plan, context->dr, &wanted))
        return false;
    if (context->type == 1 && !wanted.frequency)
        wanted.frequency =
            fuota_lora_plan_ping (self->world->plan, context->mc_addr, beacon);
    return s_same (&wanted, radio) &&
           (context->type == 0 || s_in_slot (context, gps, beacon));
}

fuota_lora_tuned_t
fuota_lora_device_tuned (const fuota_lora_device_t *self,
    const fuota_lora_radio_t *radio, int64_t start)
{
    fuota_lora_radio_t rx2 = { .frequency = self->rx2_frequency };
    if (self->app.dead || (start >= self->send_start && start < self->send_end))
        return FUOTA_LORA_DEAF;
    if (s_near (start, self->rx1_at) && s_same (radio, &self->rx1))
        return FUOTA_LORA_CLASS_A;
    if (s_near (start, self->rx2_at) &&
        fuota_lora_plan_down (self->world->plan, self->rx2_dr, &rx2) &&
        s_same (radio, &rx2))
        return FUOTA_LORA_CLASS_A;
    for (size_t id = 0; id < 4; id++)
        if (s_group_tuned (self, self->app.context [id], radio, start))
            return FUOTA_LORA_GROUP;
    return FUOTA_LORA_DEAF;
}

//  ---------------------------------------------------------------------
//  What it hears

//  The CFList of a dynamic plan: five frequencies; of a fixed one: masks.
static void
s_take_channels (fuota_lora_device_t *self, const uint8_t list [16])
{
    bool fixed = fuota_lora_plan_fixed (self->world->plan);
    fuota_reader_t in = fuota_reader (list, 15);
    if (list [15] != fixed)
        return;
    if (fixed) {
        memcpy (self->mask, list, sizeof self->mask);
        return;
    }
    for (unsigned i = 0; i < 5; i++) {
        unsigned at = fuota_lora_plan_channels (self->world->plan) + i;
        self->channel [at] = fuota_reader_le24 (&in) * 100;
        if (!self->channel [at])
            continue;
        self->mask [at / 8] |= (uint8_t) (1u << at % 8);
        self->channel_count = (uint8_t) (at + 1);
    }
}

static void
s_join_accept (fuota_lora_device_t *self, fuota_slice_t frame)
{
    fuota_lorawan_accept_t accept;
    fuota_lorawan_keys_t keys;
    int rc =
        fuota_lorawan_accepted (frame, &self->root, self->dev_nonce, &accept);
    if (!rc)
        rc = fuota_lorawan_join_keys (&self->root, self->dev_nonce, &accept,
            &keys);
    if (rc) {
        //  One with another MIC is for another device that joins just now
        self->counts->malformed += rc != FUOTA_EVALUE;
        return;
    }
    if (keys.v11 && accept.join_nonce <= self->join_nonce) {
        self->counts->replayed++;
        return;
    }
    self->keys = keys;
    self->join_nonce = accept.join_nonce;
    self->dev_addr = accept.dev_addr;
    self->rx1_dr_offset = accept.rx1_dr_offset;
    self->rx2_dr = accept.rx2_dr;
    self->rx1_delay = accept.rx1_delay;
    if (accept.has_channels)
        s_take_channels (self, accept.channels);
    self->f_cnt_up = 0;
    self->f_cnt_down = self->a_f_cnt_down = -1;
    self->joined = true;
    self->introducing = keys.v11;
    self->rx1_at = self->rx2_at = FUOTA_LORA_CLOSED;
    self->counts->joined++;
    fuota_mckey_wipe (&keys, sizeof keys);
}

//  The counter that counts a frame: 1.1 has one more, for applications.
static int64_t *
s_counter (fuota_lora_device_t *self, fuota_slice_t frame)
{
    size_t at = 8 + (frame.data [5] & 15u);
    bool application = at + 4 < frame.size && frame.data [at] > 0;
    return self->keys.v11 && application ? &self->a_f_cnt_down
                                         : &self->f_cnt_down;
}

static void
s_unicast (fuota_lora_device_t *self, fuota_slice_t frame,
    fuota_lorawan_data_t *data, int64_t now)
{
    int64_t *last = s_counter (self, frame);
    data->f_cnt = fuota_lorawan_f_cnt (*last, (uint16_t) data->f_cnt);
    data->acked = (uint16_t) (self->f_cnt_up - 1);
    if (*last >= 0 && data->f_cnt == *last) {
        self->counts->replayed++;
        return;
    }
    int rc = fuota_lorawan_read (&self->keys, frame, data);
    if (rc) {
        self->counts->wrong_mic += rc == FUOTA_EVALUE;
        self->counts->malformed += rc != FUOTA_EVALUE;
        return;
    }
    *last = data->f_cnt;
    self->counts->downlinks++;
    self->rx1_at = self->rx2_at = FUOTA_LORA_CLOSED;
    self->sticky.size = 0;
    if (data->type == FUOTA_LORAWAN_CONFIRMED_DOWN) {
        self->ack = true;
        self->acked = (uint16_t) data->f_cnt;
        self->ack_at = now + ACK_DELAY;
    }
    fuota_lora_mac (self, data->options, data->options_size);
    if (data->f_port == 0)
        fuota_lora_mac (self, data->data, data->size);
    else if (data->f_port > 0)
        fuota_sim_device_hear (&self->app, (uint8_t) data->f_port,
            fuota_slice (data->data, data->size), now);
}

//  Deciphered with the group's keys. Returns 0, or a code.
static int
s_decipher (const fuota_sim_context_t *context, fuota_slice_t frame,
    uint32_t f_cnt, fuota_lora_cast_t *cast)
{
    if (cast->used && cast->data.f_cnt == f_cnt &&
        memcmp (cast->nwk_s_key, context->nwk_s_key, 16) == 0 &&
        memcmp (cast->app_s_key, context->app_s_key, 16) == 0)
        return 0;
    fuota_lorawan_keys_t keys = { .v11 = false };
    memcpy (keys.s_nwk_s_int, context->nwk_s_key, 16);
    memcpy (keys.app_s, context->app_s_key, 16);
    cast->data.f_cnt = f_cnt;
    int rc = fuota_lorawan_read (&keys, frame, &cast->data);
    cast->used = rc == 0;
    memcpy (cast->nwk_s_key, context->nwk_s_key, 16);
    memcpy (cast->app_s_key, context->app_s_key, 16);
    fuota_mckey_wipe (&keys, sizeof keys);
    return rc;
}

static void
s_group (fuota_lora_device_t *self, int id, fuota_slice_t frame, uint16_t low,
    int64_t now, fuota_lora_cast_t *cast)
{
    const fuota_sim_context_t *context = self->app.context [id];
    uint32_t f_cnt = fuota_lorawan_f_cnt (context->heard, low);
    //  Several gateways send the same frame
    if (context->heard >= 0 && f_cnt == context->heard)
        return;
    int rc = s_decipher (context, frame, f_cnt, cast);
    if (rc || cast->data.f_port <= 0) {
        self->counts->wrong_mic += rc == FUOTA_EVALUE;
        self->counts->malformed += rc != FUOTA_EVALUE;
        return;
    }
    fuota_sim_cast_t heard = { .f_cnt = f_cnt,
        .f_port = (uint8_t) cast->data.f_port,
        .data = fuota_slice (cast->data.data, cast->data.size) };
    self->counts->casts++;
    fuota_sim_device_cast (&self->app, id, &heard, now);
}

void
fuota_lora_device_hear (fuota_lora_device_t *self,
    const fuota_lora_radio_t *radio, fuota_slice_t frame, int64_t start,
    int64_t now, fuota_lora_cast_t *cast)
{
    fuota_lora_tuned_t how = fuota_lora_device_tuned (self, radio, start);
    fuota_lorawan_data_t data = { .f_port = -1 };
    if (frame.size && frame.data [0] == FUOTA_LORAWAN_JOIN_ACC << 5) {
        if (how == FUOTA_LORA_CLASS_A && !self->joined)
            s_join_accept (self, frame);
        return;
    }
    if (fuota_lorawan_peek (frame, &data) ||
        (data.type != FUOTA_LORAWAN_DOWN &&
            data.type != FUOTA_LORAWAN_CONFIRMED_DOWN)) {
        self->counts->malformed++;
        return;
    }
    if (how == FUOTA_LORA_CLASS_A && self->joined &&
        data.dev_addr == self->dev_addr) {
        s_unicast (self, frame, &data, now);
        return;
    }
    for (int id = 0; id < 4; id++)
        if (self->app.context [id] &&
            self->app.context [id]->mc_addr == data.dev_addr &&
            data.type == FUOTA_LORAWAN_DOWN &&
            s_group_tuned (self, self->app.context [id], radio, start)) {
            s_group (self, id, frame, (uint16_t) data.f_cnt, now, cast);
            return;
        }
}
