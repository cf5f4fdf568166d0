//  SPDX-License-Identifier: MIT
//
//  TS005, the device's side (reference section 4).

#include <stdlib.h>
#include "broker/host/sim_package.h"
#include "workers/package/mckey.h"

enum {
    CID_STATUS = 1,
    CID_SETUP = 2,
    CID_DELETE = 3,
    CID_CLASS_C = 4,
    CID_CLASS_B = 5
};

enum { ERROR_DR = 4, ERROR_FREQ = 8, ERROR_GROUP = 16, ERROR_START = 32 };

#define LATEST 0xffffff

void
fuota_sim_context_forget (fuota_sim_device_t *self, unsigned group_id)
{
    if (self->context [group_id])
        fuota_mckey_wipe (self->context [group_id],
            sizeof *self->context [group_id]);
    free (self->context [group_id]);
    self->context [group_id] = NULL;
}

static void
s_status_req (fuota_sim_device_t *self, fuota_reader_t *in,
    const fuota_sim_heard_t *heard)
{
    unsigned asked = fuota_reader_u8 (in);
    uint8_t bytes [22];
    fuota_writer_t out = fuota_writer (bytes, sizeof bytes);
    unsigned total = 0, listed = 0;
    fuota_writer_u8 (&out, CID_STATUS);
    fuota_writer_u8 (&out, 0);
    for (unsigned id = 0; id < 4; id++) {
        total += self->context [id] != NULL;
        if (!self->context [id] || !(asked >> id & 1))
            continue;
        listed |= 1u << id;
        fuota_writer_u8 (&out, id);
        fuota_writer_le (&out, self->context [id]->mc_addr, 4);
    }
    bytes [1] = (uint8_t) (total << 4 | listed);
    fuota_sim_device_answer (self, heard, FUOTA_SIM_FILL_NONE, bytes, out.at);
}

static fuota_sim_context_t *
s_context (fuota_sim_device_t *self, unsigned group_id)
{
    if (!self->context [group_id])
        self->context [group_id] = calloc (1, sizeof **self->context);
    return self->context [group_id];
}

//  Keys of a group from what was sent. Returns 0, or a code.
static int
s_keys (const fuota_sim_device_t *self, const uint8_t encrypted [16],
    fuota_sim_context_t *context)
{
    uint8_t mc_key [16];
    int rc = fuota_mckey_unwrap ((fuota_root_t) self->root_kind, self->root,
        encrypted, mc_key);
    if (rc == 0)
        rc = fuota_mckey_session (mc_key, context->mc_addr, context->app_s_key,
            context->nwk_s_key);
    fuota_mckey_wipe (mc_key, sizeof mc_key);
    return rc;
}

//  A group that is set up again begins anew: no counter heard, no session.
static void
s_setup_req (fuota_sim_device_t *self, fuota_reader_t *in,
    const fuota_sim_heard_t *heard)
{
    unsigned id = fuota_reader_u8 (in) & 3;
    fuota_sim_context_t fresh = { .heard = -1 };
    fresh.mc_addr = fuota_reader_le32 (in);
    const uint8_t *encrypted = fuota_reader_take (in, 16);
    fresh.min_f_cnt = fuota_reader_le32 (in);
    fresh.max_f_cnt = fuota_reader_le32 (in);
    bool refused = id == 0 && (self->quirks & FUOTA_SIM_NO_GROUP_0);
    uint8_t bytes [2] = { CID_SETUP, (uint8_t) (id | (refused ? 4u : 0)) };
    if (!refused) {
        if (!encrypted || s_keys (self, encrypted, &fresh))
            return;
        fuota_sim_context_t *context = s_context (self, id);
        if (!context)
            return;
        fresh.listed = context->listed && context->mc_addr == fresh.mc_addr;
        *context = fresh;
    }
    fuota_sim_device_answer (self, heard, FUOTA_SIM_FILL_NONE, bytes, 2);
}

static void
s_delete_req (fuota_sim_device_t *self, fuota_reader_t *in,
    const fuota_sim_heard_t *heard)
{
    unsigned id = fuota_reader_u8 (in) & 3;
    unsigned undefined = self->context [id] ? 0 : 4;
    uint8_t bytes [2] = { CID_DELETE, (uint8_t) (id | undefined) };
    fuota_sim_context_forget (self, id);
    fuota_sim_device_answer (self, heard, FUOTA_SIM_FILL_NONE, bytes, 2);
}

//  A session as it was asked for
typedef struct {
    uint8_t cid;
    unsigned id;
    uint32_t time;
    uint8_t window;
    uint32_t code;  //  Of the frequency
    uint8_t dr;
} s_session_t;

//  4.7: units of 100 Hz, from 2.4 GHz up of 200 Hz
static uint32_t
s_hertz (uint32_t code)
{
    return code < 12000000 ? code * 100 : code * 200;
}

static int64_t
s_start (const fuota_sim_device_t *self, uint32_t session_time, int64_t now)
{
    int64_t clock = fuota_sim_device_clock (self, now);
    int64_t seconds = clock / 1000 - (clock % 1000 < 0);
    int32_t ahead = (int32_t) (session_time - (uint32_t) (uint64_t) seconds);
    return (seconds + ahead) * 1000;
}

static unsigned
s_errors (const fuota_sim_device_t *self, const s_session_t *asked, int64_t now)
{
    bool lmn = self->quirks & FUOTA_SIM_LMN_SESSION;
    if (!self->context [asked->id])
        return lmn ? ERROR_GROUP | ERROR_FREQ | ERROR_DR : ERROR_GROUP;
    unsigned errors = 0;
    bool hopping = asked->cid == CID_CLASS_B && asked->code == 0;
    if (s_hertz (asked->code) < 100000000 && !hopping)
        errors |= ERROR_FREQ;
    if (asked->dr > 15)
        errors |= ERROR_DR;
    if (s_start (self, asked->time, now) <= fuota_sim_device_clock (self, now))
        errors |= lmn ? ERROR_GROUP : ERROR_START;
    return errors;
}

static void
s_program (fuota_sim_device_t *self, const s_session_t *asked, int64_t now)
{
    fuota_sim_context_t *context = self->context [asked->id];
    int64_t length = (int64_t) 1000 << (asked->window & 0x0f);
    context->type = asked->cid == CID_CLASS_B;
    context->start = s_start (self, asked->time, now);
    context->end = context->start + (context->type ? 128 : 1) * length;
    context->periodicity = asked->window >> 4 & 7;
    context->frequency = s_hertz (asked->code);
    context->dr = asked->dr;
    context->session = true;
}

static void
s_session (fuota_sim_device_t *self, uint8_t cid, fuota_reader_t *in,
    const fuota_sim_heard_t *heard)
{
    s_session_t asked = { .cid = cid };
    asked.id = fuota_reader_u8 (in) & 3;
    asked.time = fuota_reader_le32 (in);
    asked.window = fuota_reader_u8 (in);
    asked.code = fuota_reader_le24 (in);
    asked.dr = fuota_reader_u8 (in);
    unsigned errors = s_errors (self, &asked, heard->now);
    uint8_t bytes [5] = { cid, (uint8_t) (asked.id | errors) };
    if (errors) {
        fuota_sim_device_answer (self, heard, FUOTA_SIM_FILL_NONE, bytes, 2);
        return;
    }
    s_program (self, &asked, heard->now);
    fuota_sim_device_answer (self, heard, FUOTA_SIM_FILL_START, bytes, 5);
}

static void
s_class_c_req (fuota_sim_device_t *self, fuota_reader_t *in,
    const fuota_sim_heard_t *heard)
{
    s_session (self, CID_CLASS_C, in, heard);
}

static void
s_class_b_req (fuota_sim_device_t *self, fuota_reader_t *in,
    const fuota_sim_heard_t *heard)
{
    s_session (self, CID_CLASS_B, in, heard);
}

static const fuota_sim_command_t s_commands [] = {
    { CID_STATUS, 2, false, s_status_req },
    { CID_SETUP, 30, false, s_setup_req },
    { CID_DELETE, 2, false, s_delete_req },
    { CID_CLASS_C, 11, false, s_class_c_req },
    { CID_CLASS_B, 11, false, s_class_b_req },
};

fuota_sim_package_t
fuota_sim_context_package (const fuota_sim_device_t *self)
{
    fuota_sim_package_t package = { FUOTA_SIM_PORT_TS005, 2, self->ts005,
        s_commands, sizeof s_commands / sizeof *s_commands };
    return package;
}

//  Seconds from this uplink to the start of the session; the largest number
//  says that the clock cannot be right.
void
fuota_sim_context_fill (const fuota_sim_device_t *self, int64_t now,
    fuota_sim_answer_t *answer)
{
    const fuota_sim_context_t *context = self->context [answer->bytes [1] & 3];
    int64_t left = 0;
    if (context && context->session)
        left = context->start - fuota_sim_device_clock (self, now);
    left = left < 0 ? 0 : (left + 500) / 1000;
    fuota_writer_t out = fuota_writer (answer->bytes + 2, 3);
    fuota_writer_le (&out, (uint64_t) (left > LATEST ? LATEST : left), 3);
}

static bool
s_open (const fuota_sim_context_t *context, int64_t clock)
{
    return context->session && context->start <= clock && clock < context->end;
}

//  Does the frame come where and how the session listens?
static bool
s_tuned (const fuota_sim_context_t *context, const fuota_sim_cast_t *cast)
{
    return context->type == cast->type && context->dr == cast->dr &&
           (context->frequency == cast->frequency || context->frequency == 0) &&
           (cast->type == 0 || context->periodicity == cast->periodicity);
}

int
fuota_sim_device_listens (const fuota_sim_device_t *self,
    const fuota_sim_cast_t *cast, int64_t now)
{
    int64_t clock = fuota_sim_device_clock (self, now);
    for (int id = 0; id < 4; id++) {
        const fuota_sim_context_t *context = self->context [id];
        if (context && context->mc_addr == cast->mc_addr &&
            s_open (context, clock) && s_tuned (context, cast) &&
            memcmp (context->app_s_key, cast->app_s_key, 16) == 0 &&
            memcmp (context->nwk_s_key, cast->nwk_s_key, 16) == 0)
            return id;
    }
    return -1;
}
