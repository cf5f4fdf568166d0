//  SPDX-License-Identifier: MIT

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/unit/stage_driver.h"

void
driver_init (driver_t *self, unsigned version)
{
    *self = (driver_t){ .now = DRIVER_START, .next_row = 1000 };
    fuota_deployment_t *deployment = &self->deployment;
    deployment->has_dialect = true;
    deployment->dialect = (fuota_dialect_t){ .ts003 = version,
        .ts004 = version,
        .ts005 = version,
        .port003 = 202,
        .port004 = 201,
        .port005 = 200 };
    deployment->nb_frag = 10;
    deployment->redundancy = 10;
    deployment->frag_size = 48;
    deployment->quorum = 100;
    deployment->retries = 3;
    deployment->uplink_interval = 60;
    deployment->setup_window = 3600;
    deployment->guard = 3;
    deployment->period = 2000;
    deployment->air_time = 400000;
    deployment->time_out = FUOTA_PLAN_AUTO_TIME_OUT;
    deployment->repair_rounds = 3;
    deployment->frequency = 869525000;
    deployment->mc_addr = 0x01020304;
    deployment->frag_index = 2;
    self->group.phase = FUOTA_SETTING_UP;
    self->group.total = 1;
    self->group.at_step [FUOTA_STEP_GROUP] = 1;
    self->group.ended [FUOTA_END_NONE] = 1;
    self->group.setup_deadline = self->now + 3600000;
    strcpy (self->group.host_group, "group");
}

void
driver_at (driver_t *self, Step step, Phase phase)
{
    fuota_group_t *group = &self->group;
    group->at_step [self->device.step]--;
    group->at_step [step]++;
    self->device = (fuota_device_t){ .step = step,
        .group_id = 1,
        .has_group = true,
        .missing = 0 };
    group->phase = phase;
    if (phase < FUOTA_WAITING)
        return;
    //  2026-01-01 00:30:00, GPS seconds
    group->session = 1;
    group->round = 1;
    group->session_start = DRIVER_START + 1800000;
    group->session_time = 1451260818 + 1800;
    group->time_out = 9;
    group->session_end = group->session_start + 512000;
    group->next_n = phase > FUOTA_SENDING ? 21 : 1;
    group->last_n = 20;
    if (step >= FUOTA_STEP_READY)
        self->device.session = 1;
}

static fuota_env_t
s_env (const driver_t *self)
{
    fuota_env_t env = { .now = self->now,
        .deployment = &self->deployment,
        .dev_eui = DRIVER_EUI,
        .next_row = self->next_row,
        .image = self->image,
        .used_groups = self->used_groups,
        .session_cnt = self->session_cnt,
        .clock_wrong = self->clock_wrong };
    return env;
}

//  What must hold after any step of the device.
static void
s_watch (driver_t *self, size_t rows, size_t drops)
{
    for (; drops < self->out.drop_count; drops++)
        if (self->out.drops [drops] == self->queued)
            self->queued = 0;
    for (; rows < self->out.row_count; rows++) {
        const fuota_row_t *row = &self->out.rows [rows];
        uint64_t id = self->next_row + rows;
        if (row->kind != FUOTA_UNICAST)
            continue;
        assert_true (row->dev_eui == DRIVER_EUI);
        assert_true (row->expires_at > self->now);
        if (id != self->device.row)
            continue;  //  Told, not asked
        if (self->queued)
            fail_msg ("repeated while it is queued");
        self->queued = id;
        self->commands++;
    }
}

static void
s_step_device (driver_t *self, const fuota_happening_t *happening)
{
    fuota_device_t before = self->device;
    fuota_group_t group = self->group;
    fuota_env_t env = s_env (self);
    size_t rows = self->out.row_count, drops = self->out.drop_count;
    //  Effects of one uplink gather: number its rows on from the first
    env.next_row = self->next_row;
    fuota_subject_t subject = { &self->group, &self->device };
    fuota_stage_step (subject, happening, &env, &self->out);
    if (self->out.session_cnt_used)
        self->session_cnt = self->device.session_cnt + 1;
    s_watch (self, rows, drops);
    self->changed |= memcmp (&before, &self->device, sizeof before) != 0 ||
                     memcmp (&group, &self->group, sizeof group) != 0;
    self->group.at_step [before.step]--;
    self->group.at_step [self->device.step]++;
    self->group.ended [before.end]--;
    self->group.ended [self->device.end]++;
}

static void
s_begin (driver_t *self)
{
    self->next_row += self->out.row_count;
    self->out = (fuota_effects_t){ .row_count = 0 };
    self->changed = false;
}

void
driver_tick (driver_t *self)
{
    fuota_happening_t happening = { .kind = FUOTA_TICK };
    s_begin (self);
    s_step_device (self, &happening);
}

void
driver_join (driver_t *self)
{
    fuota_happening_t happening = { .kind = FUOTA_JOINED,
        .received_at = self->now };
    s_begin (self);
    s_step_device (self, &happening);
}

void
driver_ask (driver_t *self)
{
    driver_tick (self);
    if (self->device.asked == FUOTA_ASKED_KEY)
        driver_key (self);
    assert_int_equal (self->device.asked, FUOTA_ASKED_QUEUED);
    driver_outcome (self, FUOTA_SENT);
    assert_int_equal (self->device.asked, FUOTA_ASKED_SENT);
    self->now += 1000;
}

void
driver_hear (driver_t *self, unsigned port, const char *bytes, size_t size)
{
    const fuota_dialect_t *dialect = &self->deployment.dialect;
    fuota_command_t commands [16];
    size_t count = 0;
    fuota_package_t package = fuota_package_by_port ((uint8_t) port);
    fuota_happening_t happening = { .kind = FUOTA_COMMAND,
        .raw = fuota_slice (bytes, size),
        .received_at = self->now };
    s_begin (self);
    if (package != FUOTA_PACKAGES)
        happening.alien =
            fuota_package_decode (package, dialect->ts004, FUOTA_UPLINK,
                (const uint8_t *) bytes, size, commands, 16, &count) != 0;
    for (size_t i = 0; i < count; i++) {
        happening.command = &commands [i];
        s_step_device (self, &happening);
    }
    if (self->device.asked == FUOTA_ASKED_NOT)
        return;
    happening.kind = FUOTA_UPLINK_SEEN;
    happening.command = NULL;
    s_step_device (self, &happening);
}

static void
s_outcome (driver_t *self, const fuota_outcome_t *outcome)
{
    fuota_happening_t happening = { .kind = FUOTA_OUTCOME, .outcome = outcome };
    if (outcome->row == self->queued)
        self->queued = 0;
    s_begin (self);
    s_step_device (self, &happening);
}

void
driver_outcome_of (driver_t *self, OutcomeKind kind, uint64_t row)
{
    fuota_outcome_t outcome = { .kind = kind,
        .row = row,
        .words = "words of the host" };
    s_outcome (self, &outcome);
}

void
driver_outcome (driver_t *self, OutcomeKind kind)
{
    assert_true (self->device.row != 0);
    driver_outcome_of (self, kind, self->device.row);
}

void
driver_key (driver_t *self)
{
    fuota_outcome_t outcome = { .kind = FUOTA_DONE,
        .row = self->device.row,
        .root_key = { 16, { 1, 2, 3 } } };
    s_outcome (self, &outcome);
}

void
driver_deadline (driver_t *self)
{
    assert_true (self->device.wake_at > self->now);
    self->now = self->device.wake_at;
    driver_tick (self);
}

static void
s_step_group (driver_t *self, const fuota_happening_t *happening)
{
    fuota_group_t group = self->group;
    fuota_env_t env = s_env (self);
    fuota_subject_t subject = { &self->group, NULL };
    s_begin (self);
    env.next_row = self->next_row;
    fuota_stage_step (subject, happening, &env, &self->out);
    self->changed = memcmp (&group, &self->group, sizeof group) != 0;
}

void
driver_group_tick (driver_t *self)
{
    fuota_happening_t happening = { .kind = FUOTA_TICK };
    s_step_group (self, &happening);
}

void
driver_group_outcome (driver_t *self, OutcomeKind kind, uint32_t f_cnt,
    const char *name)
{
    fuota_outcome_t outcome = { .kind = kind,
        .row = self->group.row,
        .f_cnt = f_cnt,
        .words = "words of the host" };
    strcpy (outcome.group, name);
    fuota_happening_t happening = { .kind = FUOTA_OUTCOME,
        .outcome = &outcome };
    s_step_group (self, &happening);
}

void
driver_group_deadline (driver_t *self)
{
    assert_true (self->group.wake_at >= self->now);
    self->now = self->group.wake_at;
    driver_group_tick (self);
}

static const fuota_row_t *
s_unicast (const driver_t *self)
{
    const fuota_row_t *found = NULL;
    for (size_t i = 0; i < self->out.row_count; i++)
        if (self->out.rows [i].kind == FUOTA_UNICAST) {
            assert_null (found);
            found = &self->out.rows [i];
        }
    return found;
}

unsigned
driver_cid (const driver_t *self)
{
    const fuota_row_t *row = s_unicast (self);
    return row ? row->data.bytes [0] : 0;
}

size_t
driver_size (const driver_t *self)
{
    const fuota_row_t *row = s_unicast (self);
    return row ? row->data.size : 0;
}

void
driver_nothing (const driver_t *self)
{
    const fuota_effects_t *out = &self->out;
    if (self->changed || out->row_count || out->drop_count || out->line_count ||
        out->wake_devices || out->wake_group || out->session_cnt_used)
        fail_msg ("it had an effect: now %s", driver_end (self));
}

const char *
driver_end (const driver_t *self)
{
    static char text [128];
    fuota_end_text (&self->device, text, sizeof text);
    return text;
}

const char *
driver_line (const driver_t *self, const char *what, const char *name)
{
    for (size_t i = 0; i < self->out.line_count; i++)
        if (!strcmp (self->out.lines [i].what, what) &&
            !strcmp (self->out.lines [i].name, name))
            return self->out.lines [i].words;
    return NULL;
}
