//  SPDX-License-Identifier: MIT
//
//  Parts: what a device is; what it says; when it listens; what it hears.

#include "broker/host/lora_device.h"

#include "broker/host/sim_radio.h"
#include "workers/package/mckey.h"

#define CLOSED INT64_MIN
#define JOIN_DELAY 5000      //  JOIN_ACCEPT_DELAY1
#define RETRY 8000           //  Between two join-requests, at least
#define ACK_DELAY 2000       //  Until an ACK goes out by itself
#define RX2_MARGIN 100       //  After which nothing has begun in RX2
#define ADDRESSES 0x1ffffff  //  Of NetID 0

//  ---------------------------------------------------------------------
//  What a device is

static void
s_key (uint64_t *chance, uint8_t key [16])
{
    uint64_t random [2] = { fuota_sim_radio_next (chance),
        fuota_sim_radio_next (chance) };
    memcpy (key, random, 16);
}

//  Channels and windows as the region has them, before a server says more.
static void
s_reset_radio (fuota_lora_device_t *self)
{
    const fuota_lora_plan_t *plan = self->world->plan;
    memset (self->mask, 0, sizeof self->mask);
    memset (self->channel, 0, sizeof self->channel);
    memset (self->rx1_channel, 0, sizeof self->rx1_channel);
    self->channel_count = 0;
    if (fuota_lora_plan_fixed (plan))
        self->mask [(self->world->sub_band + 7u) % 8] = 0xff;
    else {
        self->channel_count = (uint8_t) fuota_lora_plan_channels (plan);
        self->mask [0] = (uint8_t) ((1u << self->channel_count) - 1);
        for (unsigned i = 0; i < self->channel_count; i++)
            self->channel [i] = fuota_lora_plan_channel (plan, i);
    }
    self->dr = self->world->dr;
    self->rx1_dr_offset = 0;
    self->rx1_delay = 1;
    self->rx2_frequency =
        fuota_region_rx2 (fuota_lora_plan_region (plan), &self->rx2_dr);
    self->once.size = self->sticky.size = 0;
}

//  A session that both sides were given.
static void
s_activate (fuota_lora_device_t *self)
{
    self->keys.v11 = self->root.v11;
    s_key (&self->chance, self->keys.f_nwk_s_int);
    memcpy (self->keys.s_nwk_s_int, self->keys.f_nwk_s_int, 16);
    memcpy (self->keys.nwk_s_enc, self->keys.f_nwk_s_int, 16);
    if (self->root.v11) {
        s_key (&self->chance, self->keys.s_nwk_s_int);
        s_key (&self->chance, self->keys.nwk_s_enc);
    }
    s_key (&self->chance, self->keys.app_s);
    self->dev_addr = (uint32_t) (self->root.dev_eui & ADDRESSES);
    self->rx1_delay = self->world->abp_rx1_delay;
    self->joined = true;
    self->introducing = self->root.v11;
}

void
fuota_lora_device_init (fuota_lora_device_t *self,
    const fuota_lora_world_t *world, fuota_lora_counts_t *counts, uint32_t i)
{
    memset (self, 0, sizeof *self);
    self->world = world;
    self->counts = counts;
    fuota_sim_device_init (&self->app, &world->world, i);
    const fuota_sim_config_t *config = &world->world.config;
    self->root.dev_eui = self->app.dev_eui;
    self->root.join_eui = world->join_eui;
    self->chance = config->seed ^ self->app.dev_eui * 0x9fb21c651e98df25;
    self->root.v11 = fuota_sim_radio_hits (&self->chance, world->v11);
    self->abp = fuota_sim_radio_hits (&self->chance, world->abp);
    s_key (&self->chance, self->root.nwk_key);
    //  1.0.x: the simulated device's key is the GenAppKey, beside the AppKey
    memcpy (self->root.app_key, self->app.root, 16);
    self->app.root_kind =
        self->root.v11 ? FUOTA_ROOT_APP_KEY : FUOTA_ROOT_GEN_APP_KEY;
    self->dev_nonce = world->dev_nonce;
    self->join_nonce = self->f_cnt_down = self->a_f_cnt_down = -1;
    self->ack_at = INT64_MAX;
    self->rx1_at = self->rx2_at = CLOSED;
    self->join_at = world->world.born + fuota_sim_radio_below (&self->chance,
                                            config->uplink_interval / 4 + 1);
    s_reset_radio (self);
    if (self->abp)
        s_activate (self);
}

void
fuota_lora_device_release (fuota_lora_device_t *self)
{
    fuota_sim_device_release (&self->app);
    fuota_mckey_wipe (&self->root, sizeof self->root);
    fuota_mckey_wipe (&self->keys, sizeof self->keys);
}

//  ---------------------------------------------------------------------
//  What it says

int64_t
fuota_lora_device_due (const fuota_lora_device_t *self)
{
    if (self->app.dead)
        return INT64_MAX;
    int64_t due = self->join_at;
    if (self->joined) {
        due = fuota_sim_device_due (&self->app);
        if (self->ack_at < due)
            due = self->ack_at;
    }
    return due < self->busy_until ? self->busy_until : due;
}

//  One of the channels that are on, and how the frame is sent there.
static void
s_tune (fuota_lora_device_t *self, fuota_lora_uplink_t *frame)
{
    const fuota_lora_plan_t *plan = self->world->plan;
    uint8_t max_n;
    unsigned on = 0, at = 0;
    bool fixed = fuota_lora_plan_fixed (plan);
    unsigned count = fixed ? 64 : 16;
    for (unsigned i = 0; i < count; i++)
        on += self->mask [i / 8] >> i % 8 & 1;
    unsigned pick = fuota_sim_radio_below (&self->chance, on);
    for (unsigned i = 0; i < count; i++)
        if (self->mask [i / 8] >> i % 8 & 1 && pick-- == 0)
            at = i;
    fuota_lora_plan_up (plan, self->dr, &frame->radio, &max_n);
    frame->channel = (uint8_t) at;
    frame->radio.frequency =
        fixed ? fuota_lora_plan_channel (plan, at) : self->channel [at];
}

//  It is on air from now on; windows open a while after.
static void
s_transmit (fuota_lora_device_t *self, int64_t now, int64_t rx1_delay,
    fuota_lora_uplink_t *frame)
{
    const fuota_lora_plan_t *plan = self->world->plan;
    unsigned channel = frame->channel;
    frame->start = now;
    frame->end = now + fuota_lora_plan_air_time (&frame->radio, frame->size);
    self->send_start = frame->start;
    self->send_end = frame->end;
    self->receiving = 0;
    self->rx1_at = frame->end + rx1_delay;
    self->rx2_at = self->rx1_at + 1000;
    self->busy_until = self->rx2_at + RX2_MARGIN;
    fuota_lora_plan_down (plan,
        fuota_lora_plan_rx1_dr (plan, self->dr, self->rx1_dr_offset),
        &self->rx1);
    self->rx1.frequency =
        channel < 16 && self->rx1_channel [channel]
            ? self->rx1_channel [channel]
            : fuota_lora_plan_rx1 (plan, channel, frame->radio.frequency);
}

static bool
s_send_join (fuota_lora_device_t *self, int64_t now, fuota_lora_uplink_t *frame)
{
    s_reset_radio (self);
    s_tune (self, frame);
    self->dev_nonce++;
    frame->size = FUOTA_LORAWAN_JOIN_REQUEST;
    if (fuota_lorawan_ask (&self->root, self->dev_nonce, frame->bytes))
        return false;
    s_transmit (self, now, JOIN_DELAY, frame);
    if (self->tries < 6)
        self->tries++;
    self->join_at = frame->end + RETRY +
                    fuota_sim_radio_below (&self->chance, 2000u << self->tries);
    self->counts->join_requests++;
    return true;
}

static void
s_options (const fuota_lora_options_t *from, fuota_lorawan_data_t *data)
{
    if (data->options_size + from->size > FUOTA_LORAWAN_OPTIONS)
        return;
    memcpy (data->options + data->options_size, from->bytes, from->size);
    data->options_size = (uint8_t) (data->options_size + from->size);
}

//  FOpts, unless the payload leaves no room at this data rate.
static void
s_add_options (fuota_lora_device_t *self, fuota_lorawan_data_t *data)
{
    fuota_lora_radio_t radio;
    uint8_t max_n = 0;
    fuota_lora_options_t intro = { 2,
        { self->abp ? 0x01 : 0x0b, 0x01 } };  //  ResetInd, RekeyInd: 1.1
    fuota_lora_plan_up (self->world->plan, self->dr, &radio, &max_n);
    if (data->size > max_n) {
        data->size = 0;  //  As stacks do: FOpts alone
        data->f_port = -1;
    }
    if (self->introducing)
        s_options (&intro, data);
    s_options (&self->sticky, data);
    s_options (&self->once, data);
    if (data->size + data->options_size > max_n) {
        data->options_size = 0;
        return;
    }
    self->once.size = 0;
}

static bool
s_send_data (fuota_lora_device_t *self, int64_t now, fuota_lora_uplink_t *frame)
{
    fuota_sim_frame_t app;
    fuota_lorawan_data_t data = { .type = FUOTA_LORAWAN_UP, .f_port = -1 };
    self->app.f_cnt = self->f_cnt_up;
    if (fuota_sim_device_uplink (&self->app, now, &app)) {
        data.f_port = app.f_port;
        data.size = app.size;
        memcpy (data.data, app.data, app.size);
    }
    s_tune (self, frame);
    s_add_options (self, &data);
    data.dev_addr = self->dev_addr;
    data.f_ctrl = (uint8_t) ((self->world->adr ? FUOTA_LORAWAN_ADR : 0) |
                             (self->ack ? FUOTA_LORAWAN_ACK : 0));
    data.acked = self->acked;
    data.f_cnt = self->f_cnt_up++;
    data.dr = self->dr;
    data.channel = frame->channel;
    self->ack = false;
    self->ack_at = INT64_MAX;
    frame->size = sizeof frame->bytes;
    if (fuota_lorawan_write (&self->keys, &data, frame->bytes, &frame->size))
        return false;
    s_transmit (self, now, 1000 * self->rx1_delay, frame);
    self->counts->uplinks++;
    return true;
}

bool
fuota_lora_device_send (fuota_lora_device_t *self, int64_t now,
    fuota_lora_uplink_t *frame)
{
    if (fuota_lora_device_due (self) > now)
        return false;
    return self->joined ? s_send_data (self, now, frame)
                        : s_send_join (self, now, frame);
}

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
    return window != CLOSED && start >= window - FUOTA_LORA_WINDOW &&
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
        self->counts->wrong_mic += rc == FUOTA_EVALUE;
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
    self->rx1_at = self->rx2_at = CLOSED;
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
    self->rx1_at = self->rx2_at = CLOSED;
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
