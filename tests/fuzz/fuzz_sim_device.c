//  SPDX-License-Identifier: MIT
//
//  fuzz_sim_device - a simulated device hears the input.
//
//  byte  0     version of its packages, and the top bit: quirks are on
//  byte  1     which quirks
//  bytes 2..   steps: kind, size, that many bytes
//      kind 0-2    downlink on port 200, 201, 202
//      kind 3      frame of group 0
//      kind 4      that many seconds pass (no bytes)
//
//  All it says must be what our own codec understands; in the end nothing is
//  left behind.

#include <stdlib.h>
#include <string.h>
#include "broker/host/sim_device.h"
#include "schema/bytes.h"
#include "workers/package/package.h"

#define START 1767225600000

int LLVMFuzzerTestOneInput (const uint8_t *input, size_t size);

typedef struct {
    fuota_sim_world_t world;
    fuota_sim_device_t device;
    int64_t now;
    uint32_t f_cnt;
} s_fuzz_t;

static void
s_require (bool holds)
{
    if (!holds)
        abort ();
}

//  Ports of packages hold whole commands and nothing else.
static void
s_check (const s_fuzz_t *self, const fuota_sim_frame_t *frame)
{
    fuota_command_t commands [32];
    size_t count;
    fuota_package_t package = fuota_package_by_port (frame->f_port);
    s_require (frame->size > 0 && frame->size <= sizeof frame->data);
    if (package == FUOTA_PACKAGES)
        return;
    int rc = fuota_package_decode (package, self->world.config.ts004,
        FUOTA_UPLINK, frame->data, frame->size, commands, 32, &count);
    s_require (rc == 0 && count > 0);
}

static void
s_pass (s_fuzz_t *self, int64_t time)
{
    fuota_sim_frame_t frame;
    int64_t end = self->now + time;
    while (fuota_sim_device_due (&self->device) <= end) {
        self->now = fuota_sim_device_due (&self->device);
        s_require (fuota_sim_device_uplink (&self->device, self->now, &frame));
        s_check (self, &frame);
    }
    self->now = end;
}

static void
s_cast (s_fuzz_t *self, fuota_slice_t data)
{
    const fuota_sim_context_t *context = self->device.context [0];
    if (!context)
        return;
    fuota_sim_cast_t cast = { .mc_addr = context->mc_addr,
        .app_s_key = context->app_s_key,
        .nwk_s_key = context->nwk_s_key,
        .type = context->type,
        .dr = context->dr,
        .frequency = context->frequency,
        .periodicity = context->periodicity,
        .f_cnt = self->f_cnt++,
        .f_port = 201,
        .data = data };
    int id = fuota_sim_device_listens (&self->device, &cast, self->now);
    fuota_sim_device_cast (&self->device, id < 0 ? 0 : id, &cast, self->now);
}

static void
s_step (s_fuzz_t *self, fuota_reader_t *in)
{
    unsigned kind = fuota_reader_u8 (in) % 5;
    size_t size = fuota_reader_u8 (in);
    if (kind == 4) {
        s_pass (self, (int64_t) size * 1000);
        return;
    }
    if (size > fuota_reader_left (in))
        size = fuota_reader_left (in);
    fuota_slice_t data = fuota_slice (fuota_reader_take (in, size), size);
    if (kind == 3)
        s_cast (self, data);
    else
        fuota_sim_device_hear (&self->device, (uint8_t) (200 + kind), data,
            self->now);
}

int
LLVMFuzzerTestOneInput (const uint8_t *input, size_t size)
{
    s_fuzz_t self = { .now = START };
    fuota_reader_t in = fuota_reader (input, size);
    unsigned how = fuota_reader_u8 (&in);
    unsigned quirks = fuota_reader_u8 (&in);
    fuota_sim_config_t *config = &self.world.config;
    config->ts003 = config->ts004 = config->ts005 = 1 + how % 2;
    config->uplink_interval = 60000;
    config->max_block = 100000;
    self.world.born = START;
    self.world.gps_minus_utc = -315964782000;
    self.world.shelf = fuota_sim_shelf_new ();
    s_require (self.world.shelf != NULL);
    fuota_sim_device_init (&self.device, &self.world, 0);
    if (how & 0x80)
        self.device.quirks = (uint16_t) (quirks | (how << 6 & 0x300));
    while (fuota_reader_left (&in) > 0)
        s_step (&self, &in);
    s_pass (&self, 100000);
    fuota_sim_device_release (&self.device);
    s_require (fuota_sim_shelf_size (self.world.shelf) == 0);
    fuota_sim_shelf_destroy (&self.world.shelf);
    return 0;
}
