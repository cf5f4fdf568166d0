//  SPDX-License-Identifier: MIT

#include "tests/unit/sim_driver.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include "workers/package/gpstime.h"
#include "workers/package/mckey.h"

#define FREQUENCY 869525000
#define MC_ADDR 0x01020304
#define SESSION_CNT 1

static void
s_need (bool there)
{
    if (!there)
        abort ();
}

void
driver_init (driver_t *self, const fuota_sim_config_t *config, uint32_t size,
    uint8_t frag_size)
{
    memset (self, 0, sizeof *self);
    self->config = *config;
    self->now = 1767225600000;
    self->sim = fuota_sim_new (config, self->now);
    self->device = calloc (config->devices + 1, sizeof *self->device);
    uint8_t *image = malloc (size);
    s_need (self->sim && self->device && image);
    uint32_t x = (uint32_t) config->seed * 2654435761u + 1;
    for (uint32_t i = 0; i < size; i++) {
        x = x * 1664525 + 1013904223;
        image [i] = (uint8_t) (x >> 24);
    }
    for (unsigned i = 0; i < 16; i++)
        self->mc_key [i] = (uint8_t) (i + 1);
    self->block = (fuota_fec_block_t){ .data = image,
        .size = size,
        .frag_size = frag_size,
        .version = (uint8_t) (config->ts004 < 2 ? 1 : 2) };
    self->m = fuota_fec_count (size, frag_size);
}

void
driver_release (driver_t *self)
{
    fuota_sim_destroy (&self->sim);
    free ((void *) self->block.data);
    free (self->device);
}

//  Calls

fuota_outcome_t
driver_call (driver_t *self, fuota_downlink_t *downlink)
{
    fuota_outcome_t outcome, mine = { .kind = FUOTA_RETRY };
    downlink->row = ++self->row;
    fuota_sim_take (self->sim, downlink, self->now);
    while (fuota_sim_outcome (self->sim, &outcome))
        if (outcome.row == self->row)
            mine = outcome;
        else
            self->refused += outcome.kind == FUOTA_REFUSED;
    return mine;
}

fuota_outcome_t
driver_group (driver_t *self, DownlinkKind kind)
{
    fuota_downlink_t downlink = { .kind = kind };
    memcpy (downlink.group, self->group, sizeof downlink.group);
    return driver_call (self, &downlink);
}

void
driver_describe (const driver_t *self, fuota_downlink_t *downlink)
{
    downlink->mc_addr = MC_ADDR;
    downlink->group_type = self->type;
    downlink->periodicity = 4;
    downlink->frequency = FREQUENCY;
    fuota_mckey_session (self->mc_key, MC_ADDR, downlink->mc_app_s_key,
        downlink->mc_nwk_s_key);
}

static void
s_create (driver_t *self)
{
    fuota_downlink_t downlink = { .kind = FUOTA_GROUP_CREATE,
        .name = "hand-driven" };
    driver_describe (self, &downlink);
    fuota_outcome_t outcome = driver_call (self, &downlink);
    memcpy (self->group, outcome.group, sizeof self->group);
}

static void
s_keys (driver_t *self, uint32_t i)
{
    fuota_downlink_t downlink = { .kind = FUOTA_KEYS,
        .dev_eui = self->config.first_eui + i };
    fuota_outcome_t outcome = driver_call (self, &downlink);
    memcpy (self->device [i].root, outcome.root_key.bytes, 16);
}

//  Fragment N as it is on air.
static void
s_fragment (const driver_t *self, uint32_t n, fuota_downlink_t *downlink)
{
    uint64_t scratch [FUOTA_FEC_WORDS_MAX];
    downlink->f_port = 201;
    downlink->data.size = (pb_size_t) (3 + self->block.frag_size);
    downlink->data.bytes [0] = 8;
    downlink->data.bytes [1] = (uint8_t) n;
    downlink->data.bytes [2] = (uint8_t) (n >> 8);
    fuota_fec_fragment (&self->block, n, downlink->data.bytes + 3, scratch);
}

fuota_outcome_t
driver_fragment (driver_t *self, uint32_t n, int64_t expires)
{
    fuota_downlink_t downlink = { .kind = FUOTA_FRAGMENT,
        .f_cnt = self->f_cnt,
        .expires_at = expires };
    memcpy (downlink.group, self->group, sizeof downlink.group);
    s_fragment (self, n, &downlink);
    fuota_outcome_t outcome = driver_call (self, &downlink);
    if (outcome.kind == FUOTA_TAKEN)
        self->f_cnt = outcome.f_cnt + 1;
    return outcome;
}

void
driver_unicast (driver_t *self, uint32_t i, uint32_t n)
{
    fuota_downlink_t downlink = { .kind = FUOTA_UNICAST,
        .dev_eui = self->config.first_eui + i };
    s_fragment (self, n, &downlink);
    driver_call (self, &downlink);
}

//  Commands to one device

static size_t
s_group_setup (const driver_t *self, const driver_device_t *device,
    uint8_t *out)
{
    fuota_writer_t writer = fuota_writer (out, 64);
    uint8_t encrypted [16];
    fuota_mckey_wrap (FUOTA_ROOT_GEN_APP_KEY, device->root, self->mc_key,
        encrypted);
    fuota_writer_u8 (&writer, 2);
    fuota_writer_u8 (&writer, device->group_id);
    fuota_writer_le (&writer, MC_ADDR, 4);
    fuota_writer_copy (&writer, encrypted, 16);
    fuota_writer_le (&writer, 0, 4);
    fuota_writer_le (&writer, 60000, 4);
    return writer.at;
}

static size_t
s_block_setup (const driver_t *self, const driver_device_t *device,
    uint8_t *out)
{
    static const uint8_t descriptor [4] = { 1, 2, 3, 4 };
    fuota_writer_t writer = fuota_writer (out, 64);
    uint32_t all = self->m * self->block.frag_size;
    fuota_writer_u8 (&writer, 2);
    fuota_writer_u8 (&writer,
        (unsigned) device->frag_index << 4 | 1u << device->group_id);
    fuota_writer_le (&writer, self->m, 2);
    fuota_writer_u8 (&writer, self->block.frag_size);
    fuota_writer_u8 (&writer, self->config.ts004 < 2 ? 0 : 0x40);
    fuota_writer_u8 (&writer, all - (uint32_t) self->block.size);
    fuota_writer_copy (&writer, descriptor, 4);
    if (self->config.ts004 < 2)
        return writer.at;
    uint8_t key [16], mic [4];
    fuota_mckey_int_key (FUOTA_ROOT_GEN_APP_KEY, device->root, key);
    fuota_mckey_block_mic (key, SESSION_CNT, device->frag_index, descriptor,
        self->block.data, self->block.size, mic);
    fuota_writer_le (&writer, SESSION_CNT, 2);
    fuota_writer_copy (&writer, mic, 4);
    return writer.at;
}

static size_t
s_session (const driver_t *self, const driver_device_t *device, uint8_t *out)
{
    fuota_writer_t writer = fuota_writer (out, 64);
    int64_t gps = fuota_gpstime_from_utc (self->session_at, 0);
    fuota_writer_u8 (&writer, self->type ? 5 : 4);
    fuota_writer_u8 (&writer, device->group_id);
    fuota_writer_le (&writer, (uint64_t) gps, 4);
    fuota_writer_u8 (&writer, self->type ? 0x48 : 15);
    fuota_writer_le (&writer, FREQUENCY / 100, 3);
    fuota_writer_u8 (&writer, 0);
    return writer.at;
}

static size_t
s_command (const driver_t *self, const driver_device_t *device,
    fuota_downlink_t *downlink)
{
    uint8_t *out = downlink->data.bytes;
    downlink->f_port = 200;
    if (device->step == DRIVER_GROUP)
        return s_group_setup (self, device, out);
    if (device->step == DRIVER_SESSION)
        return s_session (self, device, out);
    downlink->f_port = 201;
    if (device->step == DRIVER_BLOCK)
        return s_block_setup (self, device, out);
    if (device->step != DRIVER_STATUS)
        return 0;
    out [0] = 1;
    out [1] = (uint8_t) (device->frag_index << 1 | 1);
    return 2;
}

static void
s_send (driver_t *self, uint32_t i, fuota_downlink_t *downlink)
{
    downlink->kind = FUOTA_UNICAST;
    downlink->dev_eui = self->config.first_eui + i;
    downlink->expires_at = self->now + 3600000;
    fuota_outcome_t outcome = driver_call (self, downlink);
    self->device [i].asked = outcome.kind == FUOTA_TAKEN;
}

static void
s_ask (driver_t *self, uint32_t i)
{
    fuota_downlink_t downlink = { 0 };
    downlink.data.size =
        (pb_size_t) s_command (self, &self->device [i], &downlink);
    if (downlink.data.size > 0)
        s_send (self, i, &downlink);
}

//  What devices say

static void
s_status (driver_t *self, driver_device_t *device, const uint8_t *bytes)
{
    unsigned status = self->config.ts004 < 2 ? bytes [4] : bytes [1];
    device->missing = self->config.ts004 < 2 ? bytes [3] : bytes [4];
    if (status == 0 && device->missing == 0)
        device->step = DRIVER_COMPLETE;
}

//  One answer; returns its size, 0 if there is none.
static size_t
s_answer (driver_t *self, uint32_t i, const fuota_event_t *event, size_t at)
{
    driver_device_t *device = &self->device [i];
    const uint8_t *bytes = event->data.bytes + at;
    if (event->f_port == 200 && bytes [0] == 2) {
        if (bytes [1] & 4)
            device->group_id++;
        else if (device->step == DRIVER_GROUP)
            device->step = DRIVER_BLOCK;
        return 2;
    }
    if (event->f_port == 200 && bytes [0] >= 4) {
        if (device->step == DRIVER_SESSION && bytes [1] < 4)
            device->step = DRIVER_READY;
        return bytes [1] < 4 ? 5 : 2;
    }
    if (event->f_port == 201 && bytes [0] == 2) {
        if (bytes [1] & 4)
            device->frag_index++;
        else if (bytes [1] & 0x1f)
            device->step = DRIVER_REFUSED;
        else if (device->step == DRIVER_BLOCK)
            device->step = DRIVER_SESSION;
        return 2;
    }
    if (event->f_port == 201 && bytes [0] == 1) {
        s_status (self, device, bytes);
        return 5;
    }
    if (event->f_port == 201 && bytes [0] == 4) {
        fuota_downlink_t downlink = { .f_port = 201,
            .data = { 2, { 4, bytes [1] & 3 } } };
        s_send (self, i, &downlink);
        return 2;
    }
    return 0;
}

static void
s_time_req (driver_t *self, uint32_t i, const fuota_event_t *event)
{
    const uint8_t *bytes = event->data.bytes;
    fuota_reader_t in = fuota_reader (bytes + 1, 5);
    uint32_t device_time = fuota_reader_le32 (&in);
    uint32_t gps = (uint32_t) fuota_gpstime_from_utc (event->received_at, 0);
    fuota_downlink_t downlink = { .f_port = 202 };
    fuota_writer_t out = fuota_writer (downlink.data.bytes, 6);
    fuota_writer_u8 (&out, 1);
    fuota_writer_le (&out, gps - device_time, 4);
    fuota_writer_u8 (&out, bytes [5] & 15);
    downlink.data.size = 6;
    s_send (self, i, &downlink);
}

static void
s_digest (driver_t *self, const fuota_event_t *event)
{
    uint64_t hash = self->digest ^ (uint64_t) event->received_at;
    hash = (hash ^ event->dev_eui) * 0x9e3779b97f4a7c15;
    for (size_t i = 0; i < event->data.size; i++)
        hash = (hash ^ event->data.bytes [i]) * 0x100000001b3;
    self->digest = hash ^ hash >> 29;
}

static void
s_event (driver_t *self, const fuota_event_t *event)
{
    uint32_t i = (uint32_t) (event->dev_eui - self->config.first_eui);
    size_t at = 0, step = 1;
    s_digest (self, event);
    while (step > 0 && at < event->data.size)
        at += step = s_answer (self, i, event, at);
    if (event->f_port == 202 && !self->device [i].asked)
        s_time_req (self, i, event);
    if (!self->device [i].asked)
        s_ask (self, i);
}

static void
s_outcome (driver_t *self, const fuota_outcome_t *outcome)
{
    uint64_t i = outcome->dev_eui - self->config.first_eui;
    self->refused += outcome->kind == FUOTA_REFUSED;
    if (i < self->config.devices)
        self->device [i].asked = false;
}

void
driver_run (driver_t *self, int64_t until)
{
    fuota_event_t event;
    fuota_outcome_t outcome;
    while (self->now < until) {
        int64_t due = fuota_sim_due (self->sim);
        self->now = due < until ? due : until;
        fuota_sim_tick (self->sim, self->now);
        while (fuota_sim_outcome (self->sim, &outcome))
            s_outcome (self, &outcome);
        while (fuota_sim_event (self->sim, &event))
            s_event (self, &event);
    }
}

void
driver_set_up (driver_t *self, int64_t lead)
{
    self->session_at = (self->now + lead) / 1000 * 1000;
    if (self->type) {
        int64_t gps = fuota_gpstime_from_utc (self->session_at, 0);
        self->session_at += (128 - gps % 128) * 1000;
    }
    s_create (self);
    for (uint32_t i = 0; i < self->config.devices; i++)
        s_keys (self, i);
    driver_run (self, self->session_at + 5000);
}

void
driver_send (driver_t *self, uint32_t first, uint32_t last)
{
    uint32_t refused = self->refused;
    for (uint32_t n = first; n <= last;) {
        driver_fragment (self, n, 0);
        driver_run (self, self->now + (self->type ? 30000 : 2000));
        if (self->refused == refused)
            n++;
        refused = self->refused;
    }
}

void
driver_collect (driver_t *self, int64_t time)
{
    for (uint32_t i = 0; i < self->config.devices; i++)
        if (self->device [i].step == DRIVER_READY)
            self->device [i].step = DRIVER_STATUS;
    driver_run (self, self->now + time);
}

uint32_t
driver_complete (const driver_t *self)
{
    uint8_t sha256 [32];
    uint32_t complete = 0;
    EVP_Digest (self->block.data, self->block.size, sha256, NULL, EVP_sha256 (),
        NULL);
    for (uint32_t i = 0; i < fuota_sim_count (self->sim); i++) {
        fuota_sim_view_t view;
        fuota_sim_view (self->sim, i, &view);
        complete += view.has_image && memcmp (view.sha256, sha256, 32) == 0;
    }
    return complete;
}
