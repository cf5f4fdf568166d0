//  SPDX-License-Identifier: MIT

#include "lora_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "schema/record.h"
#include "workers/package/gpstime.h"
#include "workers/package/mckey.h"

static void s_take (server_t *self);

void
server_again (server_t *self, uint32_t gateway)
{
    uint8_t body [1024];
    size_t size =
        fuota_record_encode (gw_Frame_fields, &self->frame, body, sizeof body);
    assert_true (size > 0);
    fuota_lora_hear (self->lora, gateway, fuota_slice (body, size), self->now);
    s_take (self);
}

static gw_FrameItem *
s_item (server_t *self, const uint8_t *bytes, size_t size, unsigned sf,
    uint32_t frequency)
{
    self->frame = (gw_Frame) gw_Frame_init_zero;
    self->frame.downlink_id = ++self->downlink_id;
    self->frame.items_count = 1;
    gw_FrameItem *item = &self->frame.items [0];
    item->phy_payload.size = (pb_size_t) size;
    memcpy (item->phy_payload.bytes, bytes, size);
    item->has_tx_info = true;
    gw_DownlinkTxInfo *info = &item->tx_info;
    info->frequency = frequency;
    info->has_modulation = info->has_timing = true;
    info->modulation.which_parameters = gw_Modulation_lora_tag;
    info->modulation.parameters.lora =
        (gw_LoraModulationInfo){ 125000, sf, true, 1 };
    info->timing.which_parameters = gw_Timing_immediately_tag;
    return item;
}

void
server_send (server_t *self, uint32_t gateway, const uint8_t *bytes,
    size_t size, unsigned sf, int64_t at)
{
    gw_FrameItem *item = s_item (self, bytes, size, sf, 869525000);
    if (at) {
        int64_t gps = at + self->gps_minus_utc;
        gw_Timing *timing = &item->tx_info.timing;
        timing->which_parameters = gw_Timing_gps_epoch_tag;
        timing->parameters.gps_epoch.has_time_since_gps_epoch = true;
        timing->parameters.gps_epoch.time_since_gps_epoch =
            (gw_Duration){ gps / 1000, (int32_t) (gps % 1000 * 1000000) };
    }
    server_again (self, gateway);
}

void
server_cast (server_t *self, unsigned f_port, const uint8_t *data, size_t size,
    unsigned sf, int64_t at)
{
    uint8_t bytes [FUOTA_LORAWAN_FRAME];
    size_t whole = sizeof bytes;
    fuota_lorawan_data_t frame = { .type = FUOTA_LORAWAN_DOWN,
        .dev_addr = MC_ADDRESS,
        .f_cnt = self->mc_f_cnt++,
        .f_port = (int) f_port,
        .size = (uint8_t) size };
    memcpy (frame.data, data, size);
    assert_int_equal (fuota_lorawan_write (&self->mc_keys, &frame, bytes,
                          &whole),
        0);
    for (uint32_t g = 0; g < fuota_lora_gateways (self->lora); g++)
        server_send (self, g, bytes, whole, sf, at);
}

//  Its plan: RX1 by the uplink's channel, all downlinks 500 kHz wide.
static void
s_us915 (server_t *self, const gw_UplinkFrame *up)
{
    uint32_t frequency = up->tx_info.frequency;
    bool wide = up->tx_info.modulation.parameters.lora.bandwidth == 500000;
    uint32_t channel = wide ? (frequency - 903000000) / 1600000
                            : (frequency - 902300000) / 200000;
    for (unsigned i = 0; i < 2; i++) {
        gw_DownlinkTxInfo *info = &self->frame.items [i].tx_info;
        bool second = self->rx2 || i == 1;
        info->frequency =
            second ? 923300000 : 923300000 + 600000 * (channel % 8);
        info->modulation.parameters.lora.bandwidth = 500000;
        //  DR0 to DR3 are answered with DR10 to DR13, DR4 with DR13
        if (wide && !second)
            info->modulation.parameters.lora.spreading_factor = 7;
    }
}

//  In RX1 of an uplink, and again in RX2 as a second choice.
static void
s_answer (server_t *self, const gw_UplinkFrame *up, const uint8_t *bytes,
    size_t size, unsigned delay)
{
    gw_FrameItem *item = s_item (self, bytes, size,
        up->tx_info.modulation.parameters.lora.spreading_factor,
        up->tx_info.frequency);
    gw_Timing *timing = &item->tx_info.timing;
    timing->which_parameters = gw_Timing_delay_tag;
    timing->parameters.delay.has_delay = true;
    timing->parameters.delay.delay.seconds = delay;
    item->tx_info.context.size = up->rx_info.context.size;
    memcpy (item->tx_info.context.bytes, up->rx_info.context.bytes,
        up->rx_info.context.size);
    self->frame.items_count = self->rx2 ? 1 : 2;
    self->frame.items [1] = *item;
    item = &self->frame.items [!self->rx2];
    item->tx_info.frequency = 869525000;
    item->tx_info.modulation.parameters.lora.spreading_factor = 12;
    item->tx_info.timing.parameters.delay.delay.seconds = delay + 1;
    if (up->tx_info.frequency > 900000000)
        s_us915 (self, up);
    server_again (self, (uint32_t) (up->rx_info.gateway_id [15] - '1'));
}

static void
s_join (server_t *self, const gw_UplinkFrame *up)
{
    uint8_t bytes [FUOTA_LORAWAN_JOIN_ACCEPT];
    size_t size = sizeof bytes;
    uint16_t nonce;
    for (unsigned i = 0; i < self->count; i++) {
        peer_t *peer = &self->peer [i];
        if (fuota_lorawan_asked (fuota_slice (up->phy_payload.bytes,
                                     up->phy_payload.size),
                &peer->root, &nonce))
            continue;
        if (peer->joined && nonce == peer->nonce)
            return;  //  By another gateway
        fuota_lorawan_accept_t accept = { .join_nonce = ++self->joins,
            .dev_addr = 0x01000000 + i,
            .opt_neg = peer->root.v11,
            .rx2_dr = up->tx_info.frequency > 900000000 ? 8 : 0,
            .rx1_delay = 1 };
        peer->dev_addr = accept.dev_addr;
        peer->joined = true;
        peer->nonce = nonce;
        peer->f_cnt_up = -1;
        peer->n_down = peer->a_down = 0;
        assert_int_equal (fuota_lorawan_accept (&peer->root, nonce, &accept,
                              bytes, &size),
            0);
        assert_int_equal (fuota_lorawan_join_keys (&peer->root, nonce, &accept,
                              &peer->keys),
            0);
        s_answer (self, up, bytes, size, 5);
        return;
    }
    self->wrong++;
}

static void
s_reply (server_t *self, unsigned i, const gw_UplinkFrame *up)
{
    peer_t *peer = &self->peer [i];
    uint8_t bytes [FUOTA_LORAWAN_FRAME];
    size_t size = sizeof bytes;
    fuota_lorawan_data_t down = { .type = FUOTA_LORAWAN_DOWN, .f_port = -1 };
    if (!self->turn || !self->turn (self, i, &peer->last, &down))
        return;
    down.dev_addr = peer->dev_addr;
    down.f_cnt =
        peer->keys.v11 && down.f_port > 0 ? peer->a_down++ : peer->n_down++;
    assert_int_equal (fuota_lorawan_write (&peer->keys, &down, bytes, &size),
        0);
    bytes [size - 1] ^= self->tamper;
    s_answer (self, up, bytes, size, 1);
}

static void
s_data (server_t *self, const gw_UplinkFrame *up)
{
    fuota_slice_t frame =
        fuota_slice (up->phy_payload.bytes, up->phy_payload.size);
    fuota_lorawan_data_t data = { .dr = 5,
        .channel = (uint8_t) up->rx_info.channel };
    assert_int_equal (fuota_lorawan_peek (frame, &data), 0);
    unsigned i = data.dev_addr & 0xffffff;
    assert_true (i < self->count);
    peer_t *peer = &self->peer [i];
    data.f_cnt = fuota_lorawan_f_cnt (peer->f_cnt_up, (uint16_t) data.f_cnt);
    if (data.f_cnt == peer->f_cnt_up)
        return;  //  By another gateway
    if (peer->keys.v11)
        data.acked = (uint16_t) (peer->n_down - 1);
    if (fuota_lorawan_read (&peer->keys, frame, &data)) {
        self->wrong++;
        return;
    }
    peer->f_cnt_up = data.f_cnt;
    peer->heard++;
    peer->last = data;
    s_reply (self, i, up);
}

static void
s_up (server_t *self, const fuota_lora_message_t *message)
{
    gw_UplinkFrame up;
    self->ups++;
    assert_int_equal (fuota_record_decode (gw_UplinkFrame_fields, &up,
                          fuota_slice (message->body, message->size)),
        0);
    if (up.phy_payload.bytes [0] == 0)
        s_join (self, &up);
    else
        s_data (self, &up);
}

static void
s_take (server_t *self)
{
    fuota_lora_message_t message;
    while (fuota_lora_say (self->lora, &message)) {
        gw_Ack ack;
        assert_true (message.size > 0);
        if (message.say == FUOTA_LORA_SAY_UP)
            s_up (self, &message);
        else if (message.say == FUOTA_LORA_SAY_STATS)
            self->stats++;
        else if (message.say == FUOTA_LORA_SAY_ACK) {
            self->acks++;
            assert_int_equal (fuota_record_decode (gw_Ack_fields, &ack,
                                  fuota_slice (message.body, message.size)),
                0);
            for (pb_size_t i = 0; i < ack.items_count; i++)
                self->acked [ack.items [i].status]++;
        }
    }
}

void
server_run (server_t *self, int64_t until)
{
    while (fuota_lora_due (self->lora) <= until) {
        self->now = fuota_lora_due (self->lora);
        fuota_lora_tick (self->lora, self->now);
        s_take (self);
    }
    self->now = until;
}

void
server_init (server_t *self, const fuota_lora_config_t *config,
    const fuota_sim_config_t *sim)
{
    memset (self, 0, sizeof *self);
    self->now = START;
    self->lora = fuota_lora_new (config, sim, START);
    assert_non_null (self->lora);
    self->count = fuota_lora_count (self->lora);
    for (unsigned i = 0; i < self->count; i++)
        self->peer [i].root = fuota_lora_device (self->lora, i)->root;
    for (unsigned i = 0; i < 16; i++)
        self->mc_key [i] = (uint8_t) (i * 7);
    assert_int_equal (fuota_mckey_session (self->mc_key, MC_ADDRESS,
                          self->mc_keys.app_s, self->mc_keys.s_nwk_s_int),
        0);
    self->gps_minus_utc = fuota_gpstime_from_utc (START, 0) * 1000 - START;
}

void
server_release (server_t *self)
{
    fuota_lora_destroy (&self->lora);
}
