//  SPDX-License-Identifier: MIT
//
//  Parts: which stage; the step itself; the operator's word; moving on;
//  effects.

#include <assert.h>
#include <stdio.h>
#include "workers/stage.h"

static const fuota_stage_t *const s_of_step [FUOTA_STEPS] = {
    [FUOTA_STEP_GROUP] = &fuota_stage_multicast,
    [FUOTA_STEP_FRAG_DELETE] = &fuota_stage_fragmentation,
    [FUOTA_STEP_FRAG_SETUP] = &fuota_stage_fragmentation,
    [FUOTA_STEP_SESSION_WAIT] = &fuota_stage_multicast,
    [FUOTA_STEP_SESSION] = &fuota_stage_multicast,
    [FUOTA_STEP_RESYNC] = &fuota_stage_clock,
    [FUOTA_STEP_READY] = &fuota_stage_multicast,
    [FUOTA_STEP_REPORT] = &fuota_stage_status,
    [FUOTA_STEP_STATUS] = &fuota_stage_status,
    [FUOTA_STEP_REPORTED] = &fuota_stage_status,
    [FUOTA_STEP_UNICAST] = &fuota_stage_fragmentation,
    [FUOTA_STEP_CLEAN_FRAG] = &fuota_stage_fragmentation,
    [FUOTA_STEP_CLEAN_GROUP] = &fuota_stage_multicast,
};

static const fuota_stage_t *const s_of_phase [] = {
    [FUOTA_DRAFT] = NULL,
    [FUOTA_PREPARING] = &fuota_stage_multicast,
    [FUOTA_SETTING_UP] = &fuota_stage_multicast,
    [FUOTA_WAITING] = &fuota_stage_multicast,
    [FUOTA_SENDING] = &fuota_stage_fragmentation,
    [FUOTA_COLLECTING] = &fuota_stage_status,
    [FUOTA_FINISHING] = &fuota_stage_multicast,
    [FUOTA_OVER] = NULL,
};

const fuota_stage_t *
fuota_stage_of_step (Step step)
{
    return (unsigned) step < FUOTA_STEPS ? s_of_step [step] : NULL;
}

const fuota_stage_t *
fuota_stage_of_phase (Phase phase)
{
    return (unsigned) phase <= FUOTA_OVER ? s_of_phase [phase] : NULL;
}

//  ---------------------------------------------------------------------
//  The step

static const fuota_happening_t s_look = { .kind = FUOTA_TICK };

//  Once a deployment is being finished, everyone who has no result gets one.
static void
s_finish (fuota_subject_t self, const fuota_env_t *env, fuota_effects_t *out)
{
    if (self.device->end != FUOTA_END_NONE)
        return;
    if (self.group->cancelled)
        fuota_stage_end (self, FUOTA_END_CANCELLED, NULL, env, out);
    else if (self.group->error [0])
        fuota_stage_end (self, FUOTA_END_REFUSED, self.group->error, env, out);
    else if (self.device->reported)
        fuota_stage_end (self, FUOTA_END_INCOMPLETE, NULL, env, out);
    else
        fuota_stage_end (self, FUOTA_END_TIMED_OUT, NULL, env, out);
}

//  The session starts. A device whose request was on air may be in it, though
//  its answer was lost, and one of an earlier session holds fragments: their
//  status will tell. The others are too late.
static void
s_session_starts (fuota_subject_t self, const fuota_happening_t *happening,
    const fuota_env_t *env, fuota_effects_t *out)
{
    fuota_device_t *device = self.device;
    if (device->end != FUOTA_END_NONE || device->step >= FUOTA_STEP_READY)
        return;
    bool asked = device->step == FUOTA_STEP_SESSION &&
                 (fuota_ask_on_air (device, happening) || device->tries > 1);
    if (asked || device->session) {
        device->session = self.group->session;
        fuota_stage_enter (self, FUOTA_STEP_READY, env, out);
    }
    else
        fuota_stage_end (self, FUOTA_END_TIMED_OUT, NULL, env, out);
}

//  A device that was given up answers after all, and there is time left: it
//  goes on where it stopped.
static void
s_revive (fuota_subject_t self, const fuota_command_t *command,
    const fuota_env_t *env)
{
    static const fuota_command_id_t answers [FUOTA_STEPS] = {
        [FUOTA_STEP_GROUP] = FUOTA_MC_GROUP_SETUP_ANS,
        [FUOTA_STEP_FRAG_DELETE] = FUOTA_FRAG_DELETE_ANS,
        [FUOTA_STEP_FRAG_SETUP] = FUOTA_FRAG_SETUP_ANS,
        [FUOTA_STEP_SESSION] = FUOTA_MC_CLASS_C_SESSION_ANS,
    };
    fuota_device_t *device = self.device;
    fuota_command_id_t answer = answers [device->stopped_at];
    if (answer == FUOTA_MC_CLASS_C_SESSION_ANS &&
        env->deployment->group_type == 1)
        answer = FUOTA_MC_CLASS_B_SESSION_ANS;
    if (device->end != FUOTA_END_TIMED_OUT ||
        self.group->phase > FUOTA_WAITING || answer != command->id ||
        command->id == FUOTA_NO_COMMAND)
        return;
    device->end = FUOTA_END_NONE;
    device->step = device->stopped_at;
    device->asked = FUOTA_ASKED_SENT;
    device->tries = env->deployment->retries;
    device->wake_at = env->now;  //  If it is not what was asked for
}

static void
s_device (fuota_subject_t self, const fuota_happening_t *happening,
    const fuota_env_t *env, fuota_effects_t *out)
{
    Phase phase = self.group->phase;
    if (happening->kind == FUOTA_OUTCOME &&
        happening->outcome->kind == FUOTA_NEVER &&
        self.device->end == FUOTA_END_COMPLETE &&
        happening->outcome->row != self.device->row)
        //  Nobody waits for its tags, but somebody should know
        fuota_effects_line (out, true, "note", "host",
            happening->outcome->words);
    if (phase >= FUOTA_FINISHING)
        s_finish (self, env, out);
    else if (phase == FUOTA_SENDING || phase == FUOTA_COLLECTING)
        s_session_starts (self, happening, env, out);
    if (happening->kind == FUOTA_COMMAND) {
        s_revive (self, happening->command, env);
        //  One that is being cleaned up may end anew, and begins that anew
        Step before = self.device->step;
        End end = self.device->end;
        fuota_status_hear (self, happening, env, out);
        if (self.device->step != before || self.device->end != end)
            happening = &s_look;  //  Heard: the new step begins by looking
    }
    for (unsigned i = 0; i < FUOTA_STEPS; i++) {
        Step step = self.device->step;
        const fuota_stage_t *stage = fuota_stage_of_step (step);
        if (stage)
            stage->device (self, happening, env, out);
        if (self.device->step == step)
            break;
        happening = &s_look;  //  The new step begins by looking
    }
}

//  While nobody listened no device was silent: what it had left to answer, it
//  still has. (Windows of sessions are the devices' too: they passed.) What
//  was set since is not moved.
static void
s_started (fuota_subject_t self, int64_t away, int64_t now)
{
    if (self.device) {
        fuota_ask_started (self.device, away, now);
        return;
    }
    if (self.group->phase == FUOTA_SETTING_UP &&
        self.group->started <= now - away)
        self.group->setup_deadline += away;
    fuota_pen_started (self.group, now);
}

void
fuota_stage_step (fuota_subject_t self, const fuota_happening_t *happening,
    const fuota_env_t *env, fuota_effects_t *out)
{
    if (self.group->phase == FUOTA_OVER)
        return;
    if (happening->kind == FUOTA_STARTED) {
        s_started (self, happening->away, env->now);
        happening = &s_look;
    }
    if (self.device) {
        s_device (self, happening, env, out);
        return;
    }
    for (unsigned i = 0; i < FUOTA_OVER; i++) {
        Phase phase = self.group->phase;
        const fuota_stage_t *stage = fuota_stage_of_phase (phase);
        if (!stage)
            break;
        stage->group (self.group, happening, env, out);
        if (self.group->phase == phase)
            break;
        happening = &s_look;
    }
}

//  ---------------------------------------------------------------------
//  The operator's word

int
fuota_stage_pause (fuota_group_t *group, const fuota_env_t *env,
    fuota_effects_t *out)
{
    (void) env;
    if (group->paused || group->phase >= FUOTA_FINISHING)
        return FUOTA_EBUSY;
    group->paused = true;
    fuota_effects_line (out, false, "phase", "paused", NULL);
    return 0;
}

int
fuota_stage_resume (fuota_group_t *group, const fuota_env_t *env,
    fuota_effects_t *out)
{
    if (!group->paused || group->phase >= FUOTA_FINISHING)
        return FUOTA_EBUSY;
    group->paused = false;
    fuota_pen_resumed (group, env);
    fuota_effects_line (out, false, "phase", fuota_phase_name (group),
        "resumed");
    out->wake_devices = out->wake_group = true;
    return 0;
}

int
fuota_stage_cancel (fuota_group_t *group, const fuota_env_t *env,
    fuota_effects_t *out)
{
    if (group->phase >= FUOTA_FINISHING)
        return FUOTA_EBUSY;
    group->cancelled = true;
    group->paused = false;
    //  A group that is being created must be known before it can be deleted
    if (group->phase != FUOTA_PREPARING) {
        fuota_effects_drop (out, group->row);
        group->row = 0;
    }
    if (group->host_group [0]) {
        uint64_t flush;  //  Nothing more goes out, whatever else there is to do
        fuota_row_t *row = fuota_effects_row (out, env, FUOTA_FLUSH, &flush);
        snprintf (row->group, sizeof row->group, "%s", group->host_group);
    }
    fuota_stage_phase (group, FUOTA_FINISHING, env, out);
    return 0;
}

//  ---------------------------------------------------------------------
//  Moving on

void
fuota_stage_enter (fuota_subject_t self, Step step, const fuota_env_t *env,
    fuota_effects_t *out)
{
    fuota_ask_settle (self.device, out);
    self.device->step = step;
    self.device->changed = env->now;
    out->wake_group = true;
    if (step != FUOTA_STEP_END)
        fuota_effects_line (out, true, "step", fuota_step_name (step), NULL);
}

void
fuota_stage_end (fuota_subject_t self, End end, const char *words,
    const fuota_env_t *env, fuota_effects_t *out)
{
    fuota_device_t *device = self.device;
    char text [128];
    if (device->step != FUOTA_STEP_END)
        device->stopped_at = device->step;
    device->end = end;
    snprintf (device->words, sizeof device->words, "%.96s", words ? words : "");
    fuota_end_text (device, text, sizeof text);
    fuota_effects_line (out, true, "end", fuota_end_name (end), text);
    //  Nobody is cleaned up who never heard of us
    bool known = device->has_group && device->stopped_at > FUOTA_STEP_GROUP;
    bool clean =
        known && (end == FUOTA_END_CANCELLED ||
                     (env->deployment->clean_up && end != FUOTA_END_TIMED_OUT));
    if (end == FUOTA_END_COMPLETE && env->deployment->tags_count) {
        uint64_t id;
        fuota_effects_row (out, env, FUOTA_TAGS, &id)->dev_eui = env->dev_eui;
    }
    fuota_stage_enter (self, clean ? FUOTA_STEP_CLEAN_FRAG : FUOTA_STEP_END,
        env, out);
}

void
fuota_stage_phase (fuota_group_t *group, Phase phase, const fuota_env_t *env,
    fuota_effects_t *out)
{
    fuota_group_t named = { .phase = phase,
        .round = group->round,
        .cancelled = group->cancelled };  //  "paused" is no phase
    group->phase = phase;
    group->wake_at = env->now;
    if (phase == FUOTA_OVER)
        group->ended_at = env->now;
    fuota_effects_line (out, false, "phase", fuota_phase_name (&named),
        group->error);
    out->wake_devices = out->wake_group = true;
}

//  ---------------------------------------------------------------------
//  Effects

void
fuota_effects_line (fuota_effects_t *out, bool of_device, const char *what,
    const char *name, const char *words)
{
    assert (out->line_count < FUOTA_EFFECTS_LINES);
    size_t i = out->line_count++;
    out->lines [i].of_device = of_device;
    out->lines [i].what = what;
    out->lines [i].name = name;
    snprintf (out->lines [i].words, sizeof out->lines [i].words, "%.96s",
        words ? words : "");
}

fuota_row_t *
fuota_effects_row (fuota_effects_t *out, const fuota_env_t *env,
    DownlinkKind kind, uint64_t *id)
{
    assert (out->row_count < FUOTA_EFFECTS_ROWS);
    *id = env->next_row + out->row_count;
    fuota_row_t *row = &out->rows [out->row_count++];
    *row = (fuota_row_t){ .kind = kind };
    memcpy (row->deployment, env->deployment->id, FUOTA_ID_SIZE);
    return row;
}

void
fuota_effects_drop (fuota_effects_t *out, uint64_t row)
{
    if (!row)
        return;
    assert (out->drop_count < sizeof out->drops / sizeof *out->drops);
    out->drops [out->drop_count++] = row;
}
