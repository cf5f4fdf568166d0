//  SPDX-License-Identifier: MIT
//
//  What an MQTT broker may tell a simulated gateway, and what may be on air
//  for a simulated device: a first byte for the door, then the bytes. Whatever
//  they are, what comes out is well formed, and no memory is lost.
//
//      door & 3    0: command/down   1: a PHYPayload in RX1
//                  2: MAC commands of a true downlink   3: a payload of one
//      door & 4    the device speaks 1.1
//      door & 8    it has not joined yet

#include <assert.h>
#include <stdint.h>
#include <string.h>
#include "broker/host/lora.h"
#include "gateway.pb.h"
#include "schema/record.h"

#define NOW 1767225600000

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

//  Every message is one a host can read.
static void
s_drain (fuota_lora_t *lora)
{
    fuota_lora_message_t message;
    union {
        gw_UplinkFrame up;
        gw_Ack ack;
        gw_Stats stats;
    } got;
    while (fuota_lora_say (lora, &message)) {
        const pb_msgdesc_t *fields =
            message.say == FUOTA_LORA_SAY_UP    ? gw_UplinkFrame_fields
            : message.say == FUOTA_LORA_SAY_ACK ? gw_Ack_fields
                                                : gw_Stats_fields;
        assert (message.size > 0);
        assert (!fuota_record_decode (fields, &got,
            fuota_slice (message.body, message.size)));
        if (message.say == FUOTA_LORA_SAY_ACK)
            assert (got.ack.items_count > 0);
    }
}

//  Into RX1 of the device's last uplink.
static void
s_send (fuota_lora_t *lora, const uint8_t *bytes, size_t size, int64_t now)
{
    const fuota_lora_device_t *device = fuota_lora_device (lora, 0);
    uint8_t body [1024];
    gw_Frame frame = { .items_count = 1 };
    gw_FrameItem *item = &frame.items [0];
    item->phy_payload.size = (pb_size_t) size;
    memcpy (item->phy_payload.bytes, bytes, size);
    item->has_tx_info = true;
    item->tx_info.frequency = device->rx1.frequency;
    item->tx_info.has_modulation = item->tx_info.has_timing = true;
    item->tx_info.modulation.which_parameters = gw_Modulation_lora_tag;
    item->tx_info.modulation.parameters.lora =
        (gw_LoraModulationInfo){ device->rx1.bandwidth, device->rx1.sf, true,
            1 };
    gw_Timing *timing = &item->tx_info.timing;
    timing->which_parameters = gw_Timing_delay_tag;
    timing->parameters.delay.has_delay = true;
    timing->parameters.delay.delay.seconds =
        (device->rx1_at - device->send_end) / 1000;
    item->tx_info.context.size = 8;
    for (unsigned i = 0; i < 8; i++)
        item->tx_info.context.bytes [i] =
            (uint8_t) ((uint64_t) device->send_end >> 8 * i);
    size_t whole =
        fuota_record_encode (gw_Frame_fields, &frame, body, sizeof body);
    assert (whole > 0);
    fuota_lora_hear (lora, 0, fuota_slice (body, whole), now);
}

//  A downlink with a true MIC and those bytes in it.
static void
s_true (fuota_lora_t *lora, bool mac, const uint8_t *bytes, size_t size,
    int64_t now)
{
    const fuota_lora_device_t *device = fuota_lora_device (lora, 0);
    uint8_t frame [FUOTA_LORAWAN_FRAME];
    size_t whole = sizeof frame;
    fuota_lorawan_data_t data = { .type = FUOTA_LORAWAN_CONFIRMED_DOWN,
        .dev_addr = device->dev_addr,
        .f_cnt = 1,
        .f_port = mac ? 0 : 200 + (size ? bytes [0] % 3 : 0) };
    data.size = (uint8_t) (size < sizeof data.data ? size : sizeof data.data);
    memcpy (data.data, bytes, data.size);
    assert (!fuota_lorawan_write (&device->keys, &data, frame, &whole));
    s_send (lora, frame, whole, now);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    fuota_lora_config_t config;
    fuota_sim_config_t sim;
    if (size < 1)
        return 0;
    unsigned door = *data++;
    size = size - 1 < 255 || !(door & 3) ? size - 1 : 255;
    fuota_lora_defaults (&config);
    fuota_sim_defaults (&sim);
    sim.devices = 1;
    sim.loss = sim.unicast_loss = 0;
    config.v11 = door & 4 ? 1000 : 0;
    config.abp = door & 8 ? 0 : 1000;
    fuota_lora_t *lora = fuota_lora_new (&config, &sim, NOW);
    assert (lora);
    int64_t now = NOW;
    while (fuota_lora_device (lora, 0)->send_end <= 0 ||
           now < fuota_lora_device (lora, 0)->send_end) {
        now = fuota_lora_due (lora);
        fuota_lora_tick (lora, now);
        s_drain (lora);
    }
    if ((door & 3) == 0)
        fuota_lora_hear (lora, door >> 4, fuota_slice (data, size), now);
    else if ((door & 3) == 1)
        s_send (lora, data, size, now);
    else
        s_true (lora, (door & 3) == 2, data, size, now);
    for (int64_t end = now + 300000; fuota_lora_due (lora) <= end;) {
        s_drain (lora);
        fuota_lora_tick (lora, fuota_lora_due (lora));
    }
    s_drain (lora);
    fuota_lora_destroy (&lora);
    return 0;
}
