//  SPDX-License-Identifier: MIT
//
//  multicast - groups and sessions on devices (TS005), and a deployment's way
//  from its first step to the start of a session, and out at the end.
//
//  Parts: a device's steps (group setup, session wait, session, ready, clean
//  group); a group's phases (preparing, setting up, waiting, finishing).

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include "workers/package/gpstime.h"
#include "workers/package/mckey.h"
#include "workers/plan.h"
#include "workers/stage.h"

//  Never more: on air there are 16 bits, and some devices take the upper ones
//  of a first frame as 0 (reference 4.2)
#define MAX_F_CNT 0xffff

//  ---------------------------------------------------------------------
//  Group setup

static unsigned
s_lowest_free (unsigned taken)
{
    unsigned id = 0;
    while (id < 4 && taken & 1u << id)
        id++;
    return id;
}

//  Choose a McGroupID that no other deployment has on this device and that it
//  did not refuse. False if there is none left.
static bool
s_choose_group (fuota_device_t *device, const fuota_env_t *env)
{
    unsigned group = s_lowest_free (env->used_groups | device->refused_groups);
    if (group > 3)
        return false;
    device->group_id = group;
    device->has_group = true;
    return true;
}

static void
s_group_request (fuota_subject_t self, const fuota_outcome_t *outcome,
    const fuota_env_t *env, fuota_effects_t *out)
{
    fuota_command_t command =
        fuota_ask_new (self, env, FUOTA_TS005, FUOTA_MC_GROUP_SETUP_REQ);
    command.mc_setup_req.mc_addr = env->deployment->mc_addr;
    command.mc_setup_req.min_f_cnt = self.group->f_cnt;
    command.mc_setup_req.max_f_cnt = MAX_F_CNT;
    if (outcome->root_key.size != 16 ||
        fuota_mckey_wrap ((fuota_root_t) outcome->root, outcome->root_key.bytes,
            env->deployment->mc_key, command.mc_setup_req.mc_key_encrypted)) {
        fuota_stage_end (self, FUOTA_END_REFUSED, "host has no root key", env,
            out);
        return;
    }
    fuota_ask_settle (self.device, out);
    fuota_ask_command (self, &command, env, out);
}

static void
s_group_answer (fuota_subject_t self, const fuota_command_t *command,
    const fuota_env_t *env, fuota_effects_t *out)
{
    fuota_device_t *device = self.device;
    if (command->id != FUOTA_MC_GROUP_SETUP_ANS ||
        command->group_id != device->group_id ||
        device->asked == FUOTA_ASKED_NOT || device->asked == FUOTA_ASKED_KEY)
        return;
    if (command->mc_setup_ans.id_error) {
        device->refused_groups |= 1u << device->group_id;
        fuota_ask_settle (device, out);
        if (s_choose_group (device, env))
            fuota_ask_key (self, env, out);
        else
            fuota_stage_end (self, FUOTA_END_REFUSED, "no McGroupID left", env,
                out);
        return;
    }
    bool clear = env->deployment->dialect.ts004 == 1 &&
                 !env->deployment->dialect.keep_session;
    fuota_stage_enter (self,
        clear ? FUOTA_STEP_FRAG_DELETE : FUOTA_STEP_FRAG_SETUP, env, out);
}

static void
s_group_setup (fuota_subject_t self, const fuota_happening_t *happening,
    const fuota_env_t *env, fuota_effects_t *out)
{
    if (self.group->phase < FUOTA_SETTING_UP)
        return;  //  The group does not exist at the host yet
    if (happening->kind == FUOTA_COMMAND) {
        s_group_answer (self, happening->command, env, out);
        return;
    }
    fuota_ask_t ask = fuota_ask_take (self, happening, env,
        fuota_plan_patience (env->deployment), out);
    if (ask == FUOTA_ASK_BEGIN) {
        if (self.device->has_group || s_choose_group (self.device, env))
            fuota_ask_key (self, env, out);
        else
            fuota_stage_end (self, FUOTA_END_REFUSED, "no McGroupID left", env,
                out);
    }
    else if (ask == FUOTA_ASK_KEY)
        s_group_request (self, happening->outcome, env, out);
    else
        fuota_ask_failed (self, ask, happening, env, out);
}

//  ---------------------------------------------------------------------
//  Session

//  Is there time for a device to take part in the session that is decided?
static bool
s_in_time (const fuota_group_t *group, const fuota_env_t *env)
{
    return group->phase == FUOTA_WAITING &&
           env->now <
               group->session_start - (int64_t) env->deployment->guard * 1000;
}

static void
s_session_request (fuota_subject_t self, const fuota_env_t *env,
    fuota_effects_t *out)
{
    const fuota_deployment_t *deployment = env->deployment;
    bool class_b = deployment->group_type == 1;
    fuota_command_t command = fuota_ask_new (self, env, FUOTA_TS005,
        class_b ? FUOTA_MC_CLASS_B_SESSION_REQ : FUOTA_MC_CLASS_C_SESSION_REQ);
    command.session_req.session_time = self.group->session_time;
    command.session_req.time_out = (uint8_t) self.group->time_out;
    command.session_req.periodicity = (uint8_t) deployment->periodicity;
    command.session_req.frequency = deployment->frequency;
    command.session_req.dr = (uint8_t) deployment->dr;
    fuota_ask_command (self, &command, env, out);
}

static void
s_refused_session (fuota_subject_t self, const fuota_command_t *command,
    const fuota_env_t *env, fuota_effects_t *out)
{
    const char *words = "session refused";
    if (command->session_ans.undefined) {
        //  It lost the group, or never had it: from the beginning. Bounded by
        //  the count of its clock repairs, so that two machines cannot talk
        //  in circles.
        if (self.device->resyncs++ < env->deployment->retries) {
            fuota_stage_enter (self, FUOTA_STEP_GROUP, env, out);
            return;
        }
        words = "McGroupUndefined";
    }
    else if (command->session_ans.freq_error)
        words = "FreqError";
    else if (command->session_ans.dr_error)
        words = "DRError";
    else if (command->session_ans.start_missed) {
        fuota_stage_enter (self, FUOTA_STEP_RESYNC, env, out);
        return;
    }
    fuota_stage_end (self, FUOTA_END_REFUSED, words, env, out);
}

//  TimeToStart against ours: the difference is the device's clock error.
static void
s_check_clock (fuota_subject_t self, const fuota_happening_t *happening,
    uint32_t time_to_start, const fuota_env_t *env, fuota_effects_t *out)
{
    int64_t received =
        fuota_gpstime_from_utc (happening->received_at, env->leap_extra);
    int64_t expected = (int64_t) fuota_gpstime_diff (self.group->session_time,
        (uint32_t) received);
    int64_t error = expected - (int64_t) time_to_start;
    self.device->clock_error =
        time_to_start == 0xffffff ? INT32_MAX : (int32_t) error;
    if (time_to_start == 0xffffff ||
        llabs (error) > (int64_t) env->deployment->guard) {
        fuota_stage_enter (self, FUOTA_STEP_RESYNC, env, out);
        return;
    }
    self.device->session = self.group->session;
    self.device->rounds = self.group->round;
    fuota_stage_enter (self, FUOTA_STEP_READY, env, out);
}

//  LoRaMac-node of 2019 answered a session request with CID 0x02, the group
//  and TimeToStart, which reads as a setup answer and something alien
//  (reference 12).
static bool
s_old_answer (const fuota_happening_t *happening, uint32_t *time_to_start)
{
    fuota_reader_t in = fuota_reader (happening->raw.data, happening->raw.size);
    if (happening->command->id != FUOTA_MC_GROUP_SETUP_ANS ||
        happening->raw.size != 5 || !happening->alien)
        return false;
    fuota_reader_le16 (&in);
    *time_to_start = fuota_reader_le24 (&in);
    return in.rc == 0;
}

static void
s_session_answer (fuota_subject_t self, const fuota_happening_t *happening,
    const fuota_env_t *env, fuota_effects_t *out)
{
    const fuota_command_t *command = happening->command;
    bool class_b = env->deployment->group_type == 1;
    uint32_t old;
    if (self.device->asked == FUOTA_ASKED_NOT)
        return;
    if (s_old_answer (happening, &old) &&
        command->group_id == self.device->group_id)
        s_check_clock (self, happening, old, env, out);
    if (command->id !=
        (class_b ? FUOTA_MC_CLASS_B_SESSION_ANS : FUOTA_MC_CLASS_C_SESSION_ANS))
        return;
    //  A lone CID names no group: it can only be ours
    if (command->group_id != self.device->group_id && !command->session_ans.cut)
        return;
    if (command->session_ans.has_time_to_start)
        s_check_clock (self, happening, command->session_ans.time_to_start, env,
            out);
    else
        s_refused_session (self, command, env, out);
}

//  The session it was asked for was postponed: its answer would be measured
//  against another start, and the command must not be repeated.
static bool
s_postponed (fuota_subject_t self)
{
    const fuota_device_t *device = self.device;
    fuota_reader_t in =
        fuota_reader (device->command.bytes, device->command.size);
    fuota_reader_le16 (&in);
    uint32_t asked = fuota_reader_le32 (&in);
    return self.group->phase == FUOTA_WAITING && !self.group->paused &&
           device->asked != FUOTA_ASKED_NOT && !in.rc &&
           asked != self.group->session_time;
}

static void
s_session (fuota_subject_t self, const fuota_happening_t *happening,
    const fuota_env_t *env, fuota_effects_t *out)
{
    if (s_postponed (self))
        fuota_ask_settle (self.device, out);
    if (happening->kind == FUOTA_COMMAND) {
        s_session_answer (self, happening, env, out);
        return;
    }
    fuota_ask_t ask = fuota_ask_take (self, happening, env,
        fuota_plan_patience (env->deployment), out);
    if (ask == FUOTA_ASK_BEGIN && s_in_time (self.group, env))
        s_session_request (self, env, out);
    else
        fuota_ask_failed (self, ask, happening, env, out);
}

static void
s_clean_group (fuota_subject_t self, const fuota_happening_t *happening,
    const fuota_env_t *env, fuota_effects_t *out)
{
    if (happening->kind == FUOTA_COMMAND) {
        if (happening->command->id == FUOTA_MC_GROUP_DELETE_ANS &&
            happening->command->group_id == self.device->group_id)
            fuota_stage_enter (self, FUOTA_STEP_END, env, out);
        return;
    }
    fuota_ask_t ask = fuota_ask_take (self, happening, env,
        fuota_plan_patience (env->deployment), out);
    if (ask == FUOTA_ASK_BEGIN) {
        fuota_command_t command =
            fuota_ask_new (self, env, FUOTA_TS005, FUOTA_MC_GROUP_DELETE_REQ);
        fuota_ask_command (self, &command, env, out);
    }
    else if (ask != FUOTA_ASK_WAIT)
        fuota_stage_enter (self, FUOTA_STEP_END, env, out);
}

static void
s_device (fuota_subject_t self, const fuota_happening_t *happening,
    const fuota_env_t *env, fuota_effects_t *out)
{
    switch (self.device->step) {
        case FUOTA_STEP_GROUP:
            s_group_setup (self, happening, env, out);
            break;
        case FUOTA_STEP_SESSION_WAIT:
            if (s_in_time (self.group, env) && !self.group->paused)
                fuota_stage_enter (self, FUOTA_STEP_SESSION, env, out);
            break;
        case FUOTA_STEP_SESSION:
            s_session (self, happening, env, out);
            break;
        case FUOTA_STEP_READY:
            //  A further session is decided, or the one it was in is over
            if (self.group->phase == FUOTA_WAITING &&
                self.device->session != self.group->session)
                fuota_stage_enter (self, FUOTA_STEP_SESSION_WAIT, env, out);
            //  It may have lost its group: the session's answer will tell
            else if (happening->kind == FUOTA_JOINED &&
                     s_in_time (self.group, env))
                fuota_stage_enter (self, FUOTA_STEP_SESSION, env, out);
            else if (self.group->phase == FUOTA_COLLECTING)
                fuota_stage_enter (self, FUOTA_STEP_REPORT, env, out);
            break;
        default:
            s_clean_group (self, happening, env, out);
    }
}

//  ---------------------------------------------------------------------
//  A group's phases

static uint32_t
s_ended (const fuota_group_t *group)
{
    return group->at_step [FUOTA_STEP_END];
}

//  Is this the outcome of the row the group waits for?
static bool
s_settled (const fuota_group_t *group, const fuota_happening_t *happening)
{
    return happening->kind == FUOTA_OUTCOME && group->row &&
           happening->outcome->row == group->row;
}

static void
s_preparing (fuota_group_t *group, const fuota_happening_t *happening,
    const fuota_env_t *env, fuota_effects_t *out)
{
    if (s_settled (group, happening)) {
        const fuota_outcome_t *outcome = happening->outcome;
        group->row = 0;
        if (outcome->kind == FUOTA_NEVER || !outcome->group [0]) {
            snprintf (group->error, sizeof group->error, "host: %.88s",
                outcome->words [0] ? outcome->words : "names no group");
            fuota_stage_phase (group, FUOTA_FINISHING, env, out);
            return;
        }
        snprintf (group->host_group, sizeof group->host_group, "%s",
            outcome->group);
        group->f_cnt = outcome->f_cnt;
        group->wake_at = env->deployment->start_at;
    }
    if (group->paused || group->row)
        return;
    if (!group->host_group [0]) {
        fuota_effects_row (out, env, FUOTA_GROUP_CREATE, &group->row);
        group->wake_at = 0;
    }
    else if (env->now >= env->deployment->start_at) {
        group->started = env->now;
        group->setup_deadline =
            env->now + env->deployment->setup_window * 1000ll;
        fuota_stage_phase (group, FUOTA_SETTING_UP, env, out);
    }
    else
        group->wake_at = env->deployment->start_at;
}

//  When the first fragment goes out: every clock within the guard has begun.
static int64_t
s_begin (const fuota_group_t *group, const fuota_env_t *env)
{
    return group->session_start + env->deployment->guard * 1000ll + 1000;
}

//  Decide when the next session is, and how long. It sends from next_n on; if
//  it cannot hold all, a further session will go on.
static void
s_decide (fuota_group_t *group, const fuota_env_t *env, fuota_effects_t *out)
{
    const fuota_deployment_t *deployment = env->deployment;
    if (env->clock_wrong) {
        fuota_effects_line (out, false, "note", "clock",
            "our clock has jumped; the session waits until it is steady");
        group->wake_at = env->now + 60000;
        return;
    }
    int64_t start = env->now + fuota_plan_lead (deployment);
    int64_t gps = fuota_gpstime_from_utc (start + 999, env->leap_extra);
    if (deployment->group_type == 1)
        gps = fuota_gpstime_beacon (gps);
    if (!group->round) {
        group->round = 1;
        group->next_n = 1;
        group->last_n = deployment->nb_frag + deployment->redundancy;
    }
    group->session++;
    group->session_time = (uint32_t) gps;
    group->time_out =
        fuota_plan_time_out (deployment, group->last_n - group->next_n + 1);
    group->session_start = fuota_gpstime_to_utc (gps, env->leap_extra);
    group->session_end =
        group->session_start +
        (int64_t) fuota_plan_window (deployment->group_type, group->time_out) *
            1000;
    fuota_stage_phase (group, FUOTA_WAITING, env, out);
    group->wake_at = s_begin (group, env);
}

static void
s_setting_up (fuota_group_t *group, const fuota_env_t *env,
    fuota_effects_t *out)
{
    uint32_t ready = group->at_step [FUOTA_STEP_SESSION_WAIT];
    uint32_t pending = group->at_step [FUOTA_STEP_GROUP] +
                       group->at_step [FUOTA_STEP_FRAG_DELETE] +
                       group->at_step [FUOTA_STEP_FRAG_SETUP];
    if (s_ended (group) == group->total)
        fuota_stage_phase (group, FUOTA_FINISHING, env, out);
    if (group->paused || group->phase != FUOTA_SETTING_UP)
        return;
    bool quorum = (uint64_t) ready * 100 >=
                  (uint64_t) (ready + pending) * env->deployment->quorum;
    bool late = env->now >= group->setup_deadline;
    group->wake_at = late ? 0 : group->setup_deadline;
    if (ready && (quorum || late))
        s_decide (group, env, out);
}

static void
s_waiting (fuota_group_t *group, const fuota_env_t *env, fuota_effects_t *out)
{
    if (s_ended (group) == group->total) {
        fuota_stage_phase (group, FUOTA_FINISHING, env, out);
        return;
    }
    if (group->paused)
        return;
    //  It is over, or nothing more fits: ask for another one
    if (env->now > group->session_end - (int64_t) env->deployment->period) {
        s_decide (group, env, out);
        return;
    }
    if (env->now < s_begin (group, env)) {
        group->wake_at = s_begin (group, env);
        return;
    }
    group->pen = FUOTA_PEN_IDLE;
    fuota_stage_phase (group, FUOTA_SENDING, env, out);
}

static void
s_finishing (fuota_group_t *group, const fuota_happening_t *happening,
    const fuota_env_t *env, fuota_effects_t *out)
{
    if (s_settled (group, happening)) {
        const fuota_outcome_t *outcome = happening->outcome;
        group->row = 0;
        if (outcome->kind == FUOTA_NEVER && !group->error [0])
            snprintf (group->error, sizeof group->error, "host: %.88s",
                outcome->words);
        //  Deleted; or created only now, when we were cancelled already
        snprintf (group->host_group, sizeof group->host_group, "%s",
            outcome->group);
    }
    if (group->row || s_ended (group) < group->total)
        return;
    group->wake_at = 0;
    //  Deleting the group empties its queue too; nothing of ours is in it by
    //  now unless we were cancelled.
    if (group->host_group [0]) {
        snprintf (fuota_effects_row (out, env, FUOTA_GROUP_DELETE, &group->row)
                      ->group,
            sizeof group->host_group, "%s", group->host_group);
    }
    else
        fuota_stage_phase (group, FUOTA_OVER, env, out);
}

static void
s_group (fuota_group_t *group, const fuota_happening_t *happening,
    const fuota_env_t *env, fuota_effects_t *out)
{
    switch (group->phase) {
        case FUOTA_PREPARING:
            s_preparing (group, happening, env, out);
            break;
        case FUOTA_SETTING_UP:
            s_setting_up (group, env, out);
            break;
        case FUOTA_WAITING:
            s_waiting (group, env, out);
            break;
        default:
            s_finishing (group, happening, env, out);
    }
}

const fuota_stage_t fuota_stage_multicast = { "multicast", s_device, s_group };
