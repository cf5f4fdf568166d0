//  SPDX-License-Identifier: MIT
//
//  Parts: what a device is; what it says. What it hears: lora_device_hear.c.

#include "broker/host/lora_device.h"

#include "broker/host/sim_radio.h"
#include "workers/package/mckey.h"

#define JOIN_DELAY 5000      //  JOIN_ACCEPT_DELAY1
#define RETRY 8000           //  Between two join-requests, at least
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
    if (fuota_lora_plan_fixed (plan)) {
        unsigned band = (self->world->sub_band + 7u) % 8;
        self->mask [band] = 0xff;
        self->mask [8] = (uint8_t) (1u << band);
    }
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
    self->rx1_at = self->rx2_at = FUOTA_LORA_CLOSED;
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
    bool fixed = fuota_lora_plan_fixed (plan);
    fuota_lora_plan_up (plan, self->dr, &frame->radio, &max_n);
    //  A fixed plan's wide channels are behind its narrow ones
    bool wide = fixed && frame->radio.bandwidth == 500000;
    unsigned first = wide ? 64 : 0, end = wide ? 72 : fixed ? 64 : 16;
    unsigned on = 0, at = first;
    for (unsigned i = first; i < end; i++)
        on += self->mask [i / 8] >> i % 8 & 1;
    unsigned pick = fuota_sim_radio_below (&self->chance, on);
    for (unsigned i = first; i < end; i++)
        if (self->mask [i / 8] >> i % 8 & 1 && pick-- == 0)
            at = i;
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
    //  Until it is on air: if the cipher fails, it is tried again after that
    self->busy_until = now + 1000;
    return self->joined ? s_send_data (self, now, frame)
                        : s_send_join (self, now, frame);
}
