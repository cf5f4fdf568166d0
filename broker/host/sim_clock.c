//  SPDX-License-Identifier: MIT
//
//  TS003, the device's side (reference section 3).

#include "broker/host/sim_package.h"
#include "broker/host/sim_radio.h"

enum { CID_TIME = 1, CID_PERIODICITY = 2, CID_RESYNC = 3 };

#define FORCED_GAP 10000

//  Seconds of the device's clock as they are on air.
static uint32_t
s_seconds (const fuota_sim_device_t *self, int64_t now)
{
    int64_t clock = fuota_sim_device_clock (self, now);
    int64_t seconds = clock / 1000 - (clock % 1000 < 0);
    return (uint32_t) (uint64_t) seconds;
}

static int64_t
s_next (fuota_sim_device_t *self, int64_t now)
{
    return now + self->period + fuota_sim_radio_either (&self->chance, 30000);
}

//  A correction that was cut to 32 bits is followed by the rest (v2).
static void
s_time_ans (fuota_sim_device_t *self, fuota_reader_t *in,
    const fuota_sim_heard_t *heard)
{
    int32_t correction = (int32_t) fuota_reader_le32 (in);
    uint8_t token = fuota_reader_u8 (in) & 0x0f;
    if (token != self->token)
        return;
    self->ahead += (int64_t) correction * 1000;
    self->token = (uint8_t) ((self->token + 1) & 0x0f);
    self->forced = 0;
    self->synced = true;
    self->time_at = s_next (self, heard->now);
    bool cut = correction == INT32_MAX || correction == INT32_MIN;
    if (cut && self->ts003 >= 2)
        self->time_at = heard->answer_at;
}

static void
s_periodicity_req (fuota_sim_device_t *self, fuota_reader_t *in,
    const fuota_sim_heard_t *heard)
{
    unsigned period = fuota_reader_u8 (in) & 0x0f;
    uint8_t bytes [6] = { CID_PERIODICITY };
    self->period = (int64_t) 128000 << period;
    if (self->forced == 0)
        self->time_at = s_next (self, heard->now);
    fuota_sim_device_answer (self, heard, FUOTA_SIM_FILL_TIME, bytes, 6);
}

static void
s_resync (fuota_sim_device_t *self, fuota_reader_t *in,
    const fuota_sim_heard_t *heard)
{
    unsigned count = fuota_reader_u8 (in) & 0x07;
    if (count == 0)
        return;
    self->forced = (uint8_t) count;
    self->time_at = heard->answer_at;
}

static const fuota_sim_command_t s_commands [] = {
    { CID_TIME, 6, false, s_time_ans },
    { CID_PERIODICITY, 2, false, s_periodicity_req },
    { CID_RESYNC, 2, false, s_resync },
};

fuota_sim_package_t
fuota_sim_clock_package (const fuota_sim_device_t *self)
{
    fuota_sim_package_t package = { FUOTA_SIM_PORT_TS003, 1, self->ts003,
        s_commands, sizeof s_commands / sizeof *s_commands };
    return package;
}

void
fuota_sim_clock_fill (const fuota_sim_device_t *self, int64_t now,
    fuota_sim_answer_t *answer)
{
    fuota_writer_t out = fuota_writer (answer->bytes + 2, 4);
    fuota_writer_le (&out, s_seconds (self, now), 4);
}

//  An answer is required until the first correction has come; without one
//  the request is repeated at about the next uplink.
void
fuota_sim_clock_uplink (fuota_sim_device_t *self, int64_t now,
    fuota_writer_t *out)
{
    if (self->time_at > now || out->size - out->at < 6)
        return;
    fuota_writer_u8 (out, CID_TIME);
    fuota_writer_le (out, s_seconds (self, now), 4);
    fuota_writer_u8 (out, (unsigned) (self->synced ? 0 : 0x10) | self->token);
    if (self->forced > 0)
        self->forced--;
    if (self->forced > 0)
        self->time_at = now + FORCED_GAP;
    else if (self->synced)
        self->time_at = s_next (self, now);
    else
        self->time_at = now + self->world->config.uplink_interval;
}
