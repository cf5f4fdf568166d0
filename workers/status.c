//  SPDX-License-Identifier: MIT
//
//  status - who has the block: reports, questions, and what to repair.
//
//  Parts: what a device says at any time; a device's steps (report, status,
//  reported); the collecting phase of a group.

#include <stdio.h>
#include "workers/plan.h"
#include "workers/stage.h"

//  ---------------------------------------------------------------------
//  What a device says

//  Complete: nothing missing and no error, or what this dialect says instead.
static bool
s_complete (const fuota_command_t *answer, const fuota_env_t *env)
{
    if (answer->frag_status_ans.memory_error ||
        answer->frag_status_ans.mic_error ||
        answer->frag_status_ans.no_session ||
        !answer->frag_status_ans.has_counts ||
        !answer->frag_status_ans.received)
        return false;
    return answer->frag_status_ans.missing == 0 ||
           (env->deployment->dialect.missing_one &&
               answer->frag_status_ans.missing == 1);
}

//  Coded fragments it still needs. NbFragReceived is a hint only: believed if
//  it agrees with MissingFrag and with what was sent, so that a coded one
//  already in its decoder is not sent for again.
static uint32_t
s_need (const fuota_device_t *device, const fuota_group_t *group,
    const fuota_deployment_t *deployment)
{
    uint32_t m = deployment->nb_frag;
    uint32_t sent = group->next_n - 1;
    uint32_t missing = device->missing;
    uint32_t received = device->received;
    if (missing == 255 && received < m)
        return m - received > 255 ? m - received : 255;
    if (missing > m || received < m - missing || received > sent)
        return missing;
    uint32_t coded = received - (m - missing);
    if (coded > sent - (sent < m ? sent : m))
        return missing;
    return coded < missing ? missing - coded : 1;
}

//  Of one that lacks something: the others stopped counting when they had all.
static void
s_note_loss (const fuota_device_t *device, fuota_group_t *group)
{
    uint32_t sent = group->next_n - 1;
    if (!sent || device->received > sent)
        return;
    uint32_t loss = (sent - device->received) * 1000 / sent;
    if (loss > group->loss)
        group->loss = loss;
}

static void
s_status_answer (fuota_subject_t self, const fuota_command_t *answer,
    const fuota_env_t *env, fuota_effects_t *out)
{
    fuota_device_t *device = self.device;
    if (answer->frag_status_ans.has_counts) {
        device->received = answer->frag_status_ans.received;
        device->missing = answer->frag_status_ans.missing;
        device->reported = true;
    }
    bool complete = s_complete (answer, env);
    if (!complete && answer->frag_status_ans.has_counts)
        s_note_loss (device, self.group);
    if (complete)
        fuota_stage_end (self, FUOTA_END_COMPLETE, NULL, env, out);
    else if (device->step != FUOTA_STEP_STATUS &&
             device->step != FUOTA_STEP_REPORT)
        return;  //  A late answer: only good news counts
    else if (answer->frag_status_ans.memory_error)
        fuota_stage_end (self, FUOTA_END_REFUSED,
            "too many losses for its memory", env, out);
    else if (answer->frag_status_ans.mic_error)
        fuota_stage_end (self, FUOTA_END_REFUSED, "data block MIC is wrong",
            env, out);
    else if (answer->frag_status_ans.no_session)
        fuota_stage_end (self, FUOTA_END_REFUSED,
            "fragmentation session does not exist", env, out);
    else
        fuota_stage_enter (self, FUOTA_STEP_REPORTED, env, out);
}

static void
s_received (fuota_subject_t self, const fuota_command_t *report,
    const fuota_env_t *env, fuota_effects_t *out)
{
    fuota_device_t *device = self.device;
    fuota_command_t answer =
        fuota_ask_new (self, env, FUOTA_TS004, FUOTA_FRAG_RECEIVED_ANS);
    fuota_ask_tell (&answer, env, out);  //  Each one, the repeated ones too
    if (device->end == FUOTA_END_COMPLETE)
        return;
    if (report->frag_received_req.mic_error) {
        if (device->end == FUOTA_END_NONE)
            fuota_stage_end (self, FUOTA_END_REFUSED, "data block MIC is wrong",
                env, out);
        return;
    }
    device->reported = false;  //  It says no numbers
    fuota_stage_end (self, FUOTA_END_COMPLETE, NULL, env, out);
}

void
fuota_status_hear (fuota_subject_t self, const fuota_happening_t *happening,
    const fuota_env_t *env, fuota_effects_t *out)
{
    const fuota_command_t *command = happening->command;
    fuota_device_t *device = self.device;
    //  "No such session" need not name the index: then it is of who was asked
    bool nameless = command->id == FUOTA_FRAG_STATUS_ANS &&
                    command->frag_status_ans.no_session &&
                    !command->frag_status_ans.has_counts &&
                    device->step == FUOTA_STEP_STATUS &&
                    device->asked != FUOTA_ASKED_NOT;
    if ((command->frag_index != env->deployment->frag_index && !nameless) ||
        !device->has_group)
        return;
    //  Before a fragment was sent it speaks of an older block; once we were
    //  cancelled it is late
    if (self.group->session == 0 || device->end == FUOTA_END_CANCELLED ||
        self.group->next_n < 2)
        return;
    if (command->id == FUOTA_FRAG_RECEIVED_REQ)
        s_received (self, command, env, out);
    else if (command->id == FUOTA_FRAG_STATUS_ANS &&
             device->end != FUOTA_END_COMPLETE)
        s_status_answer (self, command, env, out);
}

//  ---------------------------------------------------------------------
//  A device's steps

//  A class C member is not asked inside its session: it would not hear us in
//  its class A windows, or leave the session for us.
static void
s_report (fuota_subject_t self, const fuota_env_t *env, fuota_effects_t *out)
{
    const fuota_deployment_t *deployment = env->deployment;
    int64_t from = self.group->session_end;
    if (deployment->dialect.ts004 >= 2)
        from += fuota_plan_ack_wait (deployment->block_ack_delay) +
                fuota_plan_patience (deployment) / 2;
    if (env->now >= from && !self.group->paused)
        fuota_stage_enter (self, FUOTA_STEP_STATUS, env, out);
    else
        self.device->wake_at = self.group->paused ? 0 : from;
}

static void
s_ask (fuota_subject_t self, const fuota_happening_t *happening,
    const fuota_env_t *env, fuota_effects_t *out)
{
    const fuota_deployment_t *deployment = env->deployment;
    if (happening->kind == FUOTA_COMMAND)
        return;  //  Heard already
    int64_t wait = fuota_plan_ack_wait (deployment->block_ack_delay) +
                   fuota_plan_patience (deployment);
    fuota_ask_t ask = fuota_ask_take (self, happening, env, wait, out);
    if (ask == FUOTA_ASK_BEGIN) {
        fuota_command_t command =
            fuota_ask_new (self, env, FUOTA_TS004, FUOTA_FRAG_STATUS_REQ);
        command.frag_status_req.participants = true;
        fuota_ask_command (self, &command, env, out);
    }
    else
        fuota_ask_failed (self, ask, happening, env, out);
}

//  Incomplete: its need counts for the repair, once; then it waits.
static void
s_reported (fuota_subject_t self, const fuota_env_t *env, fuota_effects_t *out)
{
    fuota_group_t *group = self.group;
    fuota_device_t *device = self.device;
    if (group->phase == FUOTA_WAITING && device->session != group->session)
        fuota_stage_enter (self, FUOTA_STEP_SESSION_WAIT, env, out);
    else if (group->phase == FUOTA_COLLECTING && group->unicast_last &&
             device->unicast_last < group->unicast_last) {
        device->rounds = group->round;
        device->unicast_n = group->unicast_first;
        device->unicast_last = group->unicast_last;
        fuota_stage_enter (self, FUOTA_STEP_UNICAST, env, out);
    }
    else if (group->phase == FUOTA_COLLECTING) {
        uint32_t need = s_need (device, group, env->deployment);
        if (need > group->worst)
            group->worst = need;
    }
}

static void
s_device (fuota_subject_t self, const fuota_happening_t *happening,
    const fuota_env_t *env, fuota_effects_t *out)
{
    switch (self.device->step) {
        case FUOTA_STEP_REPORT:
            s_report (self, env, out);
            break;
        case FUOTA_STEP_STATUS:
            s_ask (self, happening, env, out);
            break;
        default:
            s_reported (self, env, out);
    }
}

//  ---------------------------------------------------------------------
//  Collecting, and the next round

//  A repair alone costs an uplink of the device for each fragment; a session
//  costs its lead. So a few fragments for a few devices go by unicast.
#define UNICAST_DEVICES 4
#define UNICAST_FRAGMENTS 8

//  Coded fragments that N and the air-time budget leave.
static uint32_t
s_room (const fuota_group_t *group, const fuota_env_t *env)
{
    const fuota_deployment_t *deployment = env->deployment;
    uint32_t room = FUOTA_PLAN_MAX_N + 1 - group->next_n;
    uint64_t budget = deployment->repair_budget * 1000ull;
    uint64_t planned = (deployment->nb_frag + deployment->redundancy) *
                       (uint64_t) (deployment->air_time / 1000);
    uint64_t repairs =
        group->air_time > planned ? group->air_time - planned : 0;
    uint64_t left = budget > repairs ? budget - repairs : 0;
    uint64_t each =
        deployment->air_time / 1000 ? deployment->air_time / 1000 : 1;
    if (budget && left / each < room)
        room = (uint32_t) (left / each);
    return room;
}

static bool
s_may_repair (const fuota_group_t *group, const fuota_env_t *env)
{
    return group->round <= env->deployment->repair_rounds &&
           s_room (group, env) > 0;
}

static void
s_repair (fuota_group_t *group, const fuota_env_t *env, fuota_effects_t *out)
{
    uint32_t waiting = group->at_step [FUOTA_STEP_REPORTED];
    bool alone =
        waiting <= UNICAST_DEVICES && group->worst <= UNICAST_FRAGMENTS;
    uint32_t loss = group->loss > env->deployment->expected_loss
                        ? group->loss
                        : env->deployment->expected_loss;
    uint32_t count =
        alone ? group->worst + 2 : fuota_plan_coded (group->worst, loss);
    uint32_t room = s_room (group, env);
    char words [64];
    if (count > room)
        count = room;
    group->round++;
    snprintf (words, sizeof words, "%u coded fragments for %u devices, %s",
        (unsigned) count, (unsigned) waiting, alone ? "unicast" : "multicast");
    fuota_effects_line (out, false, "round", "repair", words);
    group->worst = 0;
    if (alone) {
        group->unicast_first = group->next_n;
        group->unicast_last = group->next_n + count - 1;
        group->next_n += count;
        group->last_n = group->next_n - 1;
        out->wake_devices = true;
        return;
    }
    group->last_n = group->next_n + count - 1;
    group->unicast_last = 0;
    fuota_stage_phase (group, FUOTA_WAITING, env, out);
    //  A session that is over: the waiting phase decides on a new one
    group->session_start = group->session_end = env->now;
}

static void
s_group (fuota_group_t *group, const fuota_happening_t *happening,
    const fuota_env_t *env, fuota_effects_t *out)
{
    (void) happening;
    group->wake_at = 0;
    uint32_t open = group->at_step [FUOTA_STEP_READY] +
                    group->at_step [FUOTA_STEP_REPORT] +
                    group->at_step [FUOTA_STEP_STATUS] +
                    group->at_step [FUOTA_STEP_UNICAST];
    uint32_t settled = group->at_step [FUOTA_STEP_REPORTED] +
                       group->at_step [FUOTA_STEP_END] +
                       group->at_step [FUOTA_STEP_CLEAN_FRAG] +
                       group->at_step [FUOTA_STEP_CLEAN_GROUP];
    //  Those at earlier steps are on their way out: see the stage's step
    if (open || settled < group->total || group->paused)
        return;
    if (group->at_step [FUOTA_STEP_REPORTED] && s_may_repair (group, env))
        s_repair (group, env, out);
    else
        fuota_stage_phase (group, FUOTA_FINISHING, env, out);
}

const fuota_stage_t fuota_stage_status = { "status", s_device, s_group };
