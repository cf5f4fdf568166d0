//  SPDX-License-Identifier: MIT
//
//  ask - one outstanding command per device: sent, repeated, settled.

#include <assert.h>
#include <stdio.h>
#include "workers/plan.h"
#include "workers/stage.h"

#define GRACE 12000  //  An answer may need another uplink of its own

static uint32_t
s_port (const fuota_dialect_t *dialect, fuota_package_t package)
{
    switch (package) {
        case FUOTA_TS003:
            return dialect->port003;
        case FUOTA_TS004:
            return dialect->port004;
        default:
            return dialect->port005;
    }
}

fuota_command_t
fuota_ask_new (fuota_subject_t self, const fuota_env_t *env,
    fuota_package_t package, fuota_command_id_t id)
{
    const fuota_dialect_t *dialect = &env->deployment->dialect;
    uint32_t version = package == FUOTA_TS003   ? dialect->ts003
                       : package == FUOTA_TS004 ? dialect->ts004
                                                : dialect->ts005;
    fuota_command_t command = { .id = id,
        .package = package,
        .version = (uint8_t) version,
        .group_id = (uint8_t) self.device->group_id,
        .frag_index = (uint8_t) env->deployment->frag_index };
    return command;
}

//  Write what is in device->command as a row; attempt number tries.
static void
s_send (fuota_device_t *device, const fuota_env_t *env, fuota_effects_t *out)
{
    fuota_row_t *row =
        fuota_effects_row (out, env, FUOTA_UNICAST, &device->row);
    int64_t patience = fuota_plan_patience (env->deployment);
    row->dev_eui = env->dev_eui;
    row->f_port = device->port;
    row->expires_at = env->now + patience;
    row->data.size = device->command.size;
    memcpy (row->data.bytes, device->command.bytes, device->command.size);
    device->asked = FUOTA_ASKED_QUEUED;
    device->asked_at = env->now;
    device->sent_at = 0;
    //  The host says what became of it; this is for one that never does
    device->wake_at = env->now + 2 * patience;
}

static size_t
s_encode (const fuota_command_t *command, uint8_t *data, size_t size)
{
    fuota_writer_t writer = fuota_writer (data, size);
    int rc = fuota_package_encode (command, &writer);
    assert (rc == 0);  //  Values were checked when the wish was
    (void) rc;
    return writer.at;
}

void
fuota_ask_command (fuota_subject_t self, const fuota_command_t *command,
    const fuota_env_t *env, fuota_effects_t *out)
{
    fuota_device_t *device = self.device;
    device->command.size = (pb_size_t) s_encode (command, device->command.bytes,
        sizeof device->command.bytes);
    device->port = s_port (&env->deployment->dialect, command->package);
    device->tries = 1;
    s_send (device, env, out);
}

void
fuota_ask_tell (const fuota_command_t *command, const fuota_env_t *env,
    fuota_effects_t *out)
{
    uint64_t id;
    fuota_row_t *row = fuota_effects_row (out, env, FUOTA_UNICAST, &id);
    row->dev_eui = env->dev_eui;
    row->f_port = s_port (&env->deployment->dialect, command->package);
    row->expires_at = env->now + fuota_plan_patience (env->deployment);
    row->data.size =
        (pb_size_t) s_encode (command, row->data.bytes, sizeof row->data.bytes);
}

void
fuota_ask_key (fuota_subject_t self, const fuota_env_t *env,
    fuota_effects_t *out)
{
    fuota_row_t *row =
        fuota_effects_row (out, env, FUOTA_KEYS, &self.device->row);
    row->dev_eui = env->dev_eui;
    self.device->asked = FUOTA_ASKED_KEY;
    self.device->asked_at = env->now;
    self.device->wake_at = 0;  //  The outbox does not give up
}

void
fuota_ask_settle (fuota_device_t *device, fuota_effects_t *out)
{
    //  Once it was on air the row is gone
    if (device->asked == FUOTA_ASKED_QUEUED || device->asked == FUOTA_ASKED_KEY)
        fuota_effects_drop (out, device->row);
    device->asked = FUOTA_ASKED_NOT;
    device->tries = 0;
    device->row = 0;
    device->wake_at = 0;
    device->command.size = 0;
}

//  An outcome of what is asked: not of an earlier attempt, or of row 0 once
//  ours is settled.
static bool
s_is_ours (const fuota_device_t *device, const fuota_happening_t *happening)
{
    return happening->kind == FUOTA_OUTCOME &&
           device->asked != FUOTA_ASKED_NOT && device->row &&
           happening->outcome->row == device->row;
}

bool
fuota_ask_on_air (const fuota_device_t *device,
    const fuota_happening_t *happening)
{
    return device->asked == FUOTA_ASKED_SENT ||
           (s_is_ours (device, happening) &&
               happening->outcome->kind == FUOTA_SENT);
}

void
fuota_ask_started (fuota_device_t *device, int64_t away, int64_t now)
{
    if (device->wake_at && device->asked > FUOTA_ASKED_KEY &&
        device->asked_at <= now - away && device->sent_at <= now - away)
        device->wake_at += away;
}

//  Another attempt, if there is one left.
static fuota_ask_t
s_again (fuota_subject_t self, const fuota_env_t *env, fuota_effects_t *out)
{
    if (self.group->paused) {
        self.device->wake_at = 0;  //  Resume looks at everyone
        return FUOTA_ASK_WAIT;
    }
    if (self.device->tries >= env->deployment->retries)
        return FUOTA_ASK_GAVE_UP;
    if (self.device->asked == FUOTA_ASKED_QUEUED)
        fuota_effects_drop (out, self.device->row);
    self.device->tries++;
    s_send (self.device, env, out);
    return FUOTA_ASK_WAIT;
}

static fuota_ask_t
s_outcome (fuota_subject_t self, const fuota_outcome_t *outcome,
    const fuota_env_t *env, int64_t wait, fuota_effects_t *out)
{
    fuota_device_t *device = self.device;
    device->row = 0;  //  Settled: it leaves the outbox with this batch
    if (outcome->kind == FUOTA_NEVER)
        return FUOTA_ASK_NEVER;
    if (device->asked == FUOTA_ASKED_KEY)
        return outcome->kind == FUOTA_DONE ? FUOTA_ASK_KEY : FUOTA_ASK_WAIT;
    if (outcome->kind == FUOTA_SENT && device->asked == FUOTA_ASKED_QUEUED) {
        device->asked = FUOTA_ASKED_SENT;
        device->sent_at = env->now;
        device->wake_at = env->now + wait;
    }
    else if (outcome->kind == FUOTA_LATE) {
        device->tries--;  //  The host never had it: that was no attempt
        return s_again (self, env, out);
    }
    else if (outcome->kind == FUOTA_EXPIRED || outcome->kind == FUOTA_REFUSED)
        return s_again (self, env, out);
    return FUOTA_ASK_WAIT;
}

fuota_ask_t
fuota_ask_take (fuota_subject_t self, const fuota_happening_t *happening,
    const fuota_env_t *env, int64_t wait, fuota_effects_t *out)
{
    fuota_device_t *device = self.device;
    if (happening->kind == FUOTA_OUTCOME)
        return s_is_ours (device, happening)
                   ? s_outcome (self, happening->outcome, env, wait, out)
                   : FUOTA_ASK_WAIT;
    if (device->asked == FUOTA_ASKED_NOT)
        return self.group->paused ? FUOTA_ASK_WAIT : FUOTA_ASK_BEGIN;
    if (device->asked == FUOTA_ASKED_KEY)
        return FUOTA_ASK_WAIT;
    //  It was on air, and the device spoke of something else since: it had its
    //  chance. Its answer may still come in an uplink of its own.
    if (happening->kind == FUOTA_UPLINK_SEEN &&
        device->asked == FUOTA_ASKED_SENT &&
        happening->received_at > device->sent_at) {
        int64_t chance =
            device->sent_at + wait - fuota_plan_patience (env->deployment);
        int64_t grace = (chance > env->now ? chance : env->now) + GRACE;
        if (grace < device->wake_at)
            device->wake_at = grace;
    }
    if (happening->kind == FUOTA_TICK && device->wake_at <= env->now)
        return s_again (self, env, out);
    return FUOTA_ASK_WAIT;
}

void
fuota_ask_failed (fuota_subject_t self, fuota_ask_t ask,
    const fuota_happening_t *happening, const fuota_env_t *env,
    fuota_effects_t *out)
{
    if (ask == FUOTA_ASK_NEVER)
        fuota_stage_end (self, FUOTA_END_REFUSED, happening->outcome->words,
            env, out);
    else if (ask == FUOTA_ASK_GAVE_UP)
        fuota_stage_end (self, FUOTA_END_TIMED_OUT, NULL, env, out);
}
