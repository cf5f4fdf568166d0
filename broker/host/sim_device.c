//  SPDX-License-Identifier: MIT
//
//  Three parts: what a device is, what it says, what it hears.

#include "broker/host/sim_device.h"

#include <stdlib.h>
#include "broker/host/sim_package.h"
#include "broker/host/sim_radio.h"

#define PORT_APPLICATION 2
#define ANSWERS_MAX 16
#define QUIET 3000  //  An uplink, RX1 and RX2 take that long
#define DAY 86400000

//  What a device is

static void
s_draw (fuota_sim_device_t *self, const fuota_sim_config_t *config)
{
    uint64_t *chance = &self->chance;
    uint64_t root [2] = { fuota_sim_radio_next (chance),
        fuota_sim_radio_next (chance) };
    memcpy (self->root, root, sizeof self->root);
    self->dead = fuota_sim_radio_hits (chance, config->dead);
    self->refusing = fuota_sim_radio_hits (chance, config->refusing);
    self->fading = fuota_sim_radio_hits (chance, config->loss);
    if (fuota_sim_radio_hits (chance, config->quirks))
        self->quirks =
            (uint16_t) (1 + fuota_sim_radio_below (chance, FUOTA_SIM_QUIRKS));
    self->ahead = self->world->gps_minus_utc +
                  fuota_sim_radio_either (chance, config->clock_error);
    self->drift = fuota_sim_radio_either (chance, config->drift);
}

//  Those of version 2 are spread evenly, and draw no chance: the others are as
//  they would be without them.
static void
s_versions (fuota_sim_device_t *self, const fuota_sim_config_t *config,
    uint32_t i)
{
    uint64_t before = (uint64_t) i * config->mixed / 1000;
    bool two = (uint64_t) (i + 1) * config->mixed / 1000 > before;
    self->ts003 = (uint8_t) (two && config->ts003 ? 2 : config->ts003);
    self->ts004 = (uint8_t) (two && config->ts004 ? 2 : config->ts004);
    self->ts005 = (uint8_t) (two && config->ts005 ? 2 : config->ts005);
}

void
fuota_sim_device_init (fuota_sim_device_t *self, const fuota_sim_world_t *world,
    uint32_t i)
{
    const fuota_sim_config_t *config = &world->config;
    memset (self, 0, sizeof *self);
    self->world = world;
    self->dev_eui = config->first_eui + i;
    self->chance = config->seed ^ self->dev_eui * 0xd1342543de82ef95;
    self->period = DAY;
    self->time_at = INT64_MAX;
    for (size_t index = 0; index < 4; index++)
        self->session_cnt_prev [index] = -1;
    s_draw (self, config);
    s_versions (self, config, i);
    uint32_t interval = config->uplink_interval;
    if (self->ts003)
        self->time_at =
            world->born + fuota_sim_radio_below (&self->chance, interval);
    self->uplink_at =
        world->born + 1 + fuota_sim_radio_below (&self->chance, interval);
}

void
fuota_sim_device_release (fuota_sim_device_t *self)
{
    for (unsigned i = 0; i < 4; i++) {
        fuota_sim_context_forget (self, i);
        fuota_sim_block_forget (self, i);
    }
    free (self->answer);
    self->answer = NULL;
    self->answers = self->answers_max = 0;
}

int64_t
fuota_sim_device_clock (const fuota_sim_device_t *self, int64_t now)
{
    int64_t age = now - self->world->born;
    return now + self->ahead + age / 1000 * self->drift / 1000;
}

void
fuota_sim_device_view (const fuota_sim_device_t *self, fuota_sim_view_t *view)
{
    *view = (fuota_sim_view_t){ .dev_eui = self->dev_eui,
        .dead = self->dead,
        .refusing = self->refusing,
        .has_image = self->blocks > 0,
        .blocks = self->blocks,
        .completed_at = self->completed_at,
        .tags = self->tags };
    memcpy (view->sha256, self->sha256, sizeof view->sha256);
}

//  What it says

static int64_t
s_least (int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t
fuota_sim_device_due (const fuota_sim_device_t *self)
{
    if (self->dead)
        return INT64_MAX;
    int64_t due = s_least (self->uplink_at, self->time_at);
    due = s_least (due, fuota_sim_block_due (self));
    for (size_t i = 0; i < self->answers; i++)
        due = s_least (due, self->answer [i].at);
    return due < self->quiet_until ? self->quiet_until : due;
}

static void
s_fill (const fuota_sim_device_t *self, int64_t now, fuota_sim_answer_t *answer)
{
    if (answer->fill == FUOTA_SIM_FILL_TIME)
        fuota_sim_clock_fill (self, now, answer);
    if (answer->fill == FUOTA_SIM_FILL_START)
        fuota_sim_context_fill (self, now, answer);
    if (answer->fill == FUOTA_SIM_FILL_STATUS)
        fuota_sim_block_fill (self, answer);
}

//  Move the answers that are due on that port, as many as there is room for;
//  only one if the device is of that kind.
static void
s_answers (fuota_sim_device_t *self, int64_t now, uint8_t f_port,
    fuota_writer_t *out)
{
    bool one = self->quirks & FUOTA_SIM_SEPARATE;
    uint16_t kept = 0;
    for (uint16_t i = 0; i < self->answers; i++) {
        fuota_sim_answer_t *answer = &self->answer [i];
        bool due = answer->at <= now && answer->f_port == f_port;
        if (due && out->size - out->at >= answer->size &&
            (!one || out->at == 0)) {
            s_fill (self, now, answer);
            fuota_writer_copy (out, answer->bytes, answer->size);
        }
        else
            self->answer [kept++] = *answer;
    }
    self->answers = kept;
    if (kept == 0) {
        free (self->answer);
        self->answer = NULL;
        self->answers_max = 0;
    }
}

//  Port of the next uplink, that of the application if it is only that.
static uint8_t
s_port (const fuota_sim_device_t *self, int64_t now)
{
    for (size_t i = 0; i < self->answers; i++)
        if (self->answer [i].at <= now)
            return self->answer [i].f_port;
    if (fuota_sim_block_due (self) <= now)
        return FUOTA_SIM_PORT_TS004;
    if (self->time_at <= now)
        return FUOTA_SIM_PORT_TS003;
    return PORT_APPLICATION;
}

static void
s_application (fuota_sim_device_t *self, int64_t now, fuota_writer_t *out)
{
    uint32_t interval = self->world->config.uplink_interval;
    int32_t jitter = fuota_sim_radio_either (&self->chance, interval / 10);
    self->uplink_at = now + interval + jitter;
    fuota_writer_le (out, self->f_cnt, 2);
    fuota_writer_u8 (out, fuota_sim_radio_below (&self->chance, 255));
}

bool
fuota_sim_device_uplink (fuota_sim_device_t *self, int64_t now,
    fuota_sim_frame_t *frame)
{
    if (fuota_sim_device_due (self) > now)
        return false;
    fuota_writer_t out = fuota_writer (frame->data, sizeof frame->data);
    frame->f_port = s_port (self, now);
    s_answers (self, now, frame->f_port, &out);
    if (frame->f_port == FUOTA_SIM_PORT_TS004)
        fuota_sim_block_uplink (self, now, &out);
    else if (frame->f_port == FUOTA_SIM_PORT_TS003)
        fuota_sim_clock_uplink (self, now, &out);
    else if (frame->f_port == PORT_APPLICATION)
        s_application (self, now, &out);
    frame->size = (uint8_t) out.at;
    self->quiet_until = now + QUIET;
    return true;
}

//  Room for one answer more. False if too many wait or there is no memory.
static bool
s_room (fuota_sim_device_t *self)
{
    if (self->answers < self->answers_max)
        return true;
    if (self->answers == ANSWERS_MAX)
        return false;
    uint16_t room = self->answers_max ? ANSWERS_MAX : 2;
    fuota_sim_answer_t *grown = realloc (self->answer, room * sizeof *grown);
    if (!grown)
        return false;
    self->answer = grown;
    self->answers_max = room;
    return true;
}

void
fuota_sim_device_answer (fuota_sim_device_t *self,
    const fuota_sim_heard_t *heard, unsigned fill, const uint8_t *bytes,
    size_t size)
{
    if (!s_room (self))
        return;
    fuota_sim_answer_t *answer = &self->answer [self->answers++];
    *answer = (fuota_sim_answer_t){ .at = heard->answer_at,
        .f_port = heard->f_port,
        .fill = (uint8_t) fill,
        .size = (uint8_t) size };
    memcpy (answer->bytes, bytes, size);
}

//  What it hears

static fuota_sim_package_t
s_package (const fuota_sim_device_t *self, uint8_t f_port)
{
    fuota_sim_package_t none = { 0 };
    if (f_port == FUOTA_SIM_PORT_TS003)
        return fuota_sim_clock_package (self);
    if (f_port == FUOTA_SIM_PORT_TS004)
        return fuota_sim_block_package (self);
    if (f_port == FUOTA_SIM_PORT_TS005)
        return fuota_sim_context_package (self);
    return none;
}

static const fuota_sim_command_t *
s_find (const fuota_sim_package_t *package, uint8_t cid)
{
    for (size_t i = 0; i < package->count; i++)
        if (package->commands [i].cid == cid)
            return &package->commands [i];
    return NULL;
}

static void
s_version (fuota_sim_device_t *self, const fuota_sim_package_t *package,
    const fuota_sim_heard_t *heard)
{
    uint8_t bytes [3] = { 0, package->id, (uint8_t) package->version };
    if (heard->group_id < 0)
        fuota_sim_device_answer (self, heard, FUOTA_SIM_FILL_NONE, bytes, 3);
}

//  One command. Returns false if it is unknown or cut, which ends a payload.
static bool
s_command (fuota_sim_device_t *self, const fuota_sim_package_t *package,
    fuota_reader_t *in, const fuota_sim_heard_t *heard)
{
    uint8_t cid = fuota_reader_u8 (in);
    if (cid == 0) {
        s_version (self, package, heard);
        return true;
    }
    const fuota_sim_command_t *command = s_find (package, cid);
    if (!command || fuota_reader_left (in) + 1 < command->size)
        return false;
    if (heard->group_id < 0 || command->multicast)
        command->take (self, in, heard);
    else
        fuota_reader_take (in, (size_t) command->size - 1);
    return true;
}

static void
s_payload (fuota_sim_device_t *self, fuota_slice_t data,
    const fuota_sim_heard_t *heard)
{
    fuota_sim_package_t package = s_package (self, heard->f_port);
    if (package.version == 0)
        return;
    uint16_t before = self->answers;
    bool whole = true;
    fuota_reader_t in = fuota_reader (data.data, data.size);
    while (whole && fuota_reader_left (&in) > 0)
        whole = s_command (self, &package, &in, heard);
    if (!whole && (self->quirks & FUOTA_SIM_ALL_OR_NONE) &&
        self->answers > before)
        self->answers = before;
}

//  Answers come 1 to 10 s later, as duty cycle and the stack allow.
static fuota_sim_heard_t
s_heard (fuota_sim_device_t *self, uint8_t f_port, int group_id, int64_t now)
{
    uint32_t slow = self->quirks & FUOTA_SIM_SLOW ? 3000 : 0;
    uint32_t delay =
        1000 + fuota_sim_radio_below (&self->chance, 9000) +
        fuota_sim_radio_below (&self->chance, slow) +
        fuota_sim_radio_below (&self->chance, self->world->config.answer_delay);
    fuota_sim_heard_t heard = { now, now + delay, f_port, group_id };
    return heard;
}

void
fuota_sim_device_hear (fuota_sim_device_t *self, uint8_t f_port,
    fuota_slice_t data, int64_t now)
{
    fuota_sim_heard_t heard = s_heard (self, f_port, -1, now);
    s_payload (self, data, &heard);
}

void
fuota_sim_device_cast (fuota_sim_device_t *self, int group_id,
    const fuota_sim_cast_t *cast, int64_t now)
{
    fuota_sim_context_t *context = self->context [group_id];
    if (!context)
        return;
    //  Only 16 bits are on air; the others follow from the last counter, and
    //  with a wrong guess the frame's MIC does not fit
    int64_t heard = context->heard;
    int64_t guess = cast->f_cnt & 0xffff;
    if (heard >= 0)
        guess = heard + (uint16_t) (guess - heard);
    if (guess != cast->f_cnt || guess == heard || guess < context->min_f_cnt ||
        guess >= context->max_f_cnt)
        return;
    context->heard = guess;
    fuota_sim_heard_t how = s_heard (self, cast->f_port, group_id, now);
    s_payload (self, cast->data, &how);
}
