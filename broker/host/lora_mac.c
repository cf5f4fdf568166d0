//  SPDX-License-Identifier: MIT
//
//  MAC commands as a device takes them (LoRaWAN 1.0.4 section 5, 1.1 section
//  5). What a device may ignore is ignored. Parts: answers; channels; the
//  rest; the table.

#include "broker/host/lora_device.h"

#define BATTERY 200  //  Of 254
#define MARGIN 20    //  dB

//  ---------------------------------------------------------------------
//  Answers

//  One for the next uplink, or until a downlink comes. What finds no room is
//  not said: the server asks again.
static void
s_answer (fuota_lora_options_t *options, uint8_t cid, const uint8_t *bytes,
    size_t size)
{
    fuota_writer_t out = fuota_writer (options->bytes + options->size,
        sizeof options->bytes - options->size);
    fuota_writer_u8 (&out, cid);
    fuota_writer_copy (&out, bytes, size);
    if (!out.rc)
        options->size = (uint8_t) (options->size + out.at);
}

static void
s_status (fuota_lora_options_t *options, uint8_t cid, unsigned status)
{
    uint8_t byte = (uint8_t) status;
    s_answer (options, cid, &byte, 1);
}

//  ---------------------------------------------------------------------
//  Channels

static void
s_set (uint8_t *mask, unsigned channel, bool on)
{
    if (channel >= FUOTA_LORA_CHANNELS)
        return;
    uint8_t bit = (uint8_t) (1u << channel % 8);
    mask [channel / 8] =
        (uint8_t) (on ? mask [channel / 8] | bit : mask [channel / 8] & ~bit);
}

//  ChMaskCntl of a fixed plan.
static bool
s_mask_fixed (uint8_t *mask, unsigned control, unsigned bits)
{
    for (unsigned i = 0; i < 16 && control < 5; i++)
        s_set (mask, 16 * control + i, bits >> i & 1);
    for (unsigned i = 0; i < 64 && control == 5; i++)
        s_set (mask, i, bits >> i / 8 & 1);
    for (unsigned i = 0; i < 64 && (control == 6 || control == 7); i++)
        s_set (mask, i, control == 6);
    for (unsigned i = 0; i < 8 && control >= 5; i++)
        s_set (mask, 64 + i, bits >> i & 1);
    return control <= 7;
}

static bool
s_mask_dynamic (const fuota_lora_device_t *self, uint8_t *mask,
    unsigned control, unsigned bits)
{
    bool known = true;
    for (unsigned i = 0; i < 16; i++) {
        bool exists = i < self->channel_count && self->channel [i];
        bool on = control == 6 ? exists : bits >> i & 1;
        known = known && (exists || !on);
        s_set (mask, i, on);
    }
    return known && (control == 0 || control == 6);
}

static void
s_link_adr (fuota_lora_device_t *self, fuota_reader_t *in)
{
    static const uint8_t none [sizeof self->mask];
    unsigned rate = fuota_reader_u8 (in) >> 4;
    unsigned bits = fuota_reader_le16 (in);
    unsigned control = fuota_reader_u8 (in) >> 4 & 7;
    fuota_lora_radio_t radio;
    uint8_t mask [sizeof self->mask], max_n;
    memcpy (mask, self->mask, sizeof mask);
    const fuota_lora_plan_t *plan = self->world->plan;
    bool channels = fuota_lora_plan_fixed (plan)
                        ? s_mask_fixed (mask, control, bits)
                        : s_mask_dynamic (self, mask, control, bits);
    channels = channels && memcmp (mask, none, sizeof none) != 0;
    bool usable = rate == 15 || fuota_lora_plan_up (plan, rate, &radio, &max_n);
    if (channels && usable) {
        memcpy (self->mask, mask, sizeof mask);
        self->dr = rate == 15 ? self->dr : (uint8_t) rate;
    }
    s_status (&self->once, 0x03, 4u | (usable ? 2u : 0) | channels);
}

static void
s_new_channel (fuota_lora_device_t *self, fuota_reader_t *in)
{
    unsigned i = fuota_reader_u8 (in);
    uint32_t frequency = fuota_reader_le24 (in) * 100;
    fuota_reader_u8 (in);  //  Rates: all
    const fuota_lora_plan_t *plan = self->world->plan;
    if (fuota_lora_plan_fixed (plan))
        return;
    bool free = i < 16 && i >= fuota_lora_plan_channels (plan);
    bool good = frequency == 0 ||
                fuota_region_has_frequency (fuota_lora_plan_region (plan),
                    frequency, NULL, NULL);
    if (free && good) {
        self->channel [i] = frequency;
        s_set (self->mask, i, frequency != 0);
        if (i >= self->channel_count)
            self->channel_count = (uint8_t) (i + 1);
    }
    s_status (&self->once, 0x07, free && good ? 3 : free ? 2 : 0);
}

static void
s_dl_channel (fuota_lora_device_t *self, fuota_reader_t *in)
{
    unsigned i = fuota_reader_u8 (in);
    uint32_t frequency = fuota_reader_le24 (in) * 100;
    bool exists = i < self->channel_count && self->channel [i];
    if (exists)
        self->rx1_channel [i] = frequency;
    s_status (&self->sticky, 0x0a, exists ? 3 : 1);
}

//  ---------------------------------------------------------------------
//  The rest

static void
s_rx_param (fuota_lora_device_t *self, fuota_reader_t *in)
{
    uint8_t settings = fuota_reader_u8 (in);
    uint32_t frequency = fuota_reader_le24 (in) * 100;
    fuota_lora_radio_t radio;
    bool rate = fuota_lora_plan_down (self->world->plan, settings & 15, &radio);
    if (rate) {
        self->rx1_dr_offset = settings >> 4 & 7;
        self->rx2_dr = settings & 15;
        self->rx2_frequency = frequency;
    }
    s_status (&self->sticky, 0x05, rate ? 7 : 5);
}

static void
s_rx_timing (fuota_lora_device_t *self, fuota_reader_t *in)
{
    uint8_t delay = fuota_reader_u8 (in) & 15;
    self->rx1_delay = delay ? delay : 1;
    s_answer (&self->sticky, 0x08, NULL, 0);
}

static void
s_dev_status (fuota_lora_device_t *self, fuota_reader_t *in)
{
    static const uint8_t status [2] = { BATTERY, MARGIN };
    (void) in;
    s_answer (&self->once, 0x06, status, sizeof status);
}

static void
s_known (fuota_lora_device_t *self, fuota_reader_t *in)
{
    (void) in;
    self->introducing = false;
}

static void
s_duty_cycle (fuota_lora_device_t *self, fuota_reader_t *in)
{
    (void) in;
    s_answer (&self->once, 0x04, NULL, 0);
}

static void
s_tx_param (fuota_lora_device_t *self, fuota_reader_t *in)
{
    (void) in;
    unsigned region = fuota_lora_plan_number (self->world->plan);
    if (region == 5 || region == 7 || (region >= 12 && region <= 14))
        s_answer (&self->once, 0x09, NULL, 0);
}

static void
s_adr_param (fuota_lora_device_t *self, fuota_reader_t *in)
{
    (void) in;
    s_answer (&self->once, 0x0c, NULL, 0);
}

static void
s_rejoin_param (fuota_lora_device_t *self, fuota_reader_t *in)
{
    (void) in;
    s_status (&self->once, 0x0f, 1);
}

static void
s_ping_channel (fuota_lora_device_t *self, fuota_reader_t *in)
{
    (void) in;
    s_status (&self->once, 0x11, 3);
}

static void
s_beacon (fuota_lora_device_t *self, fuota_reader_t *in)
{
    (void) in;
    s_status (&self->once, 0x13, 1);
}

//  ---------------------------------------------------------------------
//  The table

typedef struct {
    uint8_t cid;
    uint8_t size;  //  Behind the CID
    void (*take) (fuota_lora_device_t *self, fuota_reader_t *in);
} s_command_t;

static const s_command_t s_commands [] = {
    { 0x01, 1, s_known },  //  ResetConf
    { 0x02, 2, NULL },     //  LinkCheckAns
    { 0x03, 4, s_link_adr }, { 0x04, 1, s_duty_cycle }, { 0x05, 4, s_rx_param },
    { 0x06, 0, s_dev_status }, { 0x07, 5, s_new_channel },
    { 0x08, 1, s_rx_timing }, { 0x09, 1, s_tx_param },
    { 0x0a, 4, s_dl_channel }, { 0x0b, 1, s_known },  //  RekeyConf
    { 0x0c, 1, s_adr_param }, { 0x0d, 5, NULL },      //  DeviceTimeAns
    { 0x0e, 2, NULL },                                //  ForceRejoinReq
    { 0x0f, 1, s_rejoin_param }, { 0x10, 0, NULL },   //  PingSlotInfoAns
    { 0x11, 4, s_ping_channel }, { 0x13, 3, s_beacon },
    { 0x20, 1, NULL },  //  DeviceModeConf
};

static const s_command_t *
s_find (uint8_t cid)
{
    for (size_t i = 0; i < sizeof s_commands / sizeof *s_commands; i++)
        if (s_commands [i].cid == cid)
            return &s_commands [i];
    return NULL;
}

//  Nothing is known of what follows an unknown command.
void
fuota_lora_mac (fuota_lora_device_t *self, const uint8_t *bytes, size_t size)
{
    fuota_reader_t in = fuota_reader (bytes, size);
    while (fuota_reader_left (&in) > 0) {
        const s_command_t *command = s_find (fuota_reader_u8 (&in));
        const uint8_t *body =
            command ? fuota_reader_take (&in, command->size) : NULL;
        if (!body) {
            self->counts->malformed++;
            return;
        }
        fuota_reader_t inner = fuota_reader (body, command->size);
        if (command->take)
            command->take (self, &inner);
        self->counts->mac_commands++;
    }
}
