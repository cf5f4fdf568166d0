//  SPDX-License-Identifier: MIT
//
//  fragmentation - sessions on devices (TS004), and the sender: one fragment
//  after the other, each written before it is handed over.
//
//  Parts: a device's steps (frag delete, frag setup, unicast repair, clean
//  frag); the sending phase of a group.

#include <stdio.h>
#include "workers/package/mckey.h"
#include "workers/plan.h"
#include "workers/stage.h"

//  ---------------------------------------------------------------------
//  A device's steps

static bool
s_ours (fuota_subject_t self, const fuota_command_t *command,
    fuota_command_id_t id, const fuota_env_t *env)
{
    return command->id == id && self.device->asked != FUOTA_ASKED_NOT &&
           command->frag_index == env->deployment->frag_index;
}

//  v1: an index has to be free before it is set up; "does not exist" is fine.
static void
s_delete (fuota_subject_t self, const fuota_happening_t *happening, Step next,
    const fuota_env_t *env, fuota_effects_t *out)
{
    if (happening->kind == FUOTA_COMMAND) {
        if (s_ours (self, happening->command, FUOTA_FRAG_DELETE_ANS, env))
            fuota_stage_enter (self, next, env, out);
        return;
    }
    fuota_ask_t ask = fuota_ask_take (self, happening, env,
        fuota_plan_patience (env->deployment), out);
    if (ask == FUOTA_ASK_BEGIN) {
        fuota_command_t command =
            fuota_ask_new (self, env, FUOTA_TS004, FUOTA_FRAG_DELETE_REQ);
        fuota_ask_command (self, &command, env, out);
    }
    else if (ask != FUOTA_ASK_WAIT && next == FUOTA_STEP_CLEAN_GROUP)
        fuota_stage_enter (self, next, env, out);  //  Best effort
    else
        fuota_ask_failed (self, ask, happening, env, out);
}

static void
s_setup_request (fuota_subject_t self, const fuota_outcome_t *outcome,
    const fuota_env_t *env, fuota_effects_t *out)
{
    const fuota_deployment_t *deployment = env->deployment;
    fuota_device_t *device = self.device;
    fuota_command_t command =
        fuota_ask_new (self, env, FUOTA_TS004, FUOTA_FRAG_SETUP_REQ);
    command.frag_setup_req.group_mask = (uint8_t) (1u << device->group_id);
    command.frag_setup_req.nb_frag = (uint16_t) deployment->nb_frag;
    command.frag_setup_req.frag_size = (uint8_t) deployment->frag_size;
    command.frag_setup_req.block_ack_delay =
        (uint8_t) deployment->block_ack_delay;
    command.frag_setup_req.padding = (uint8_t) deployment->padding;
    memcpy (command.frag_setup_req.descriptor, deployment->descriptor, 4);
    if (deployment->dialect.ts004 >= 2) {
        uint8_t key [16];
        device->session_cnt = env->session_cnt;
        command.frag_setup_req.ack_reception = true;
        command.frag_setup_req.session_cnt = (uint16_t) device->session_cnt;
        int rc = outcome->root_key.size == 16 && device->session_cnt <= 0xffff
                     ? fuota_mckey_int_key ((fuota_root_t) outcome->root,
                           outcome->root_key.bytes, key)
                     : FUOTA_EVALUE;
        if (!rc)
            rc = fuota_mckey_block_mic (key, (uint16_t) device->session_cnt,
                (uint8_t) deployment->frag_index, deployment->descriptor,
                env->image.data, env->image.size, command.frag_setup_req.mic);
        fuota_mckey_wipe (key, sizeof key);
        if (rc) {
            fuota_stage_end (self, FUOTA_END_REFUSED,
                outcome->root_key.size == 16 ? "SessionCnt used up"
                                             : "host has no root key",
                env, out);
            return;
        }
        out->session_cnt_used = true;
    }
    fuota_ask_settle (device, out);
    fuota_ask_command (self, &command, env, out);
}

static void
s_setup_answer (fuota_subject_t self, const fuota_command_t *command,
    const fuota_env_t *env, fuota_effects_t *out)
{
    if (!s_ours (self, command, FUOTA_FRAG_SETUP_ANS, env) ||
        self.device->asked == FUOTA_ASKED_KEY)
        return;
    const char *words = NULL;
    if (command->frag_setup_ans.no_memory)
        words = "not enough memory";
    else if (command->frag_setup_ans.wrong_descriptor)
        words = "wrong descriptor";
    else if (command->frag_setup_ans.algo_unsupported)
        words = "FragAlgo not supported";
    //  One FragIndex for all: each fragment of the group bears it
    else if (command->frag_setup_ans.index_unsupported)
        words = "FragIndex not supported";
    if (words)
        fuota_stage_end (self, FUOTA_END_REFUSED, words, env, out);
    else if (command->frag_setup_ans.replay) {
        //  Our counter was lost: step forward and ask again (reference 5.4)
        self.device->session_cnt += 255;
        out->session_cnt_used = true;
        if (self.device->resyncs++ < 2 * env->deployment->retries) {
            fuota_stage_enter (self, FUOTA_STEP_FRAG_SETUP, env, out);
            //  The same step again: nobody would look at it
            if (!self.group->paused)
                fuota_ask_key (self, env, out);
        }
        else
            fuota_stage_end (self, FUOTA_END_REFUSED, "SessionCnt replay", env,
                out);
    }
    else
        fuota_stage_enter (self, FUOTA_STEP_SESSION_WAIT, env, out);
}

static void
s_setup (fuota_subject_t self, const fuota_happening_t *happening,
    const fuota_env_t *env, fuota_effects_t *out)
{
    static const fuota_outcome_t no_key = { .kind = FUOTA_DONE };
    if (happening->kind == FUOTA_COMMAND) {
        s_setup_answer (self, happening->command, env, out);
        return;
    }
    fuota_ask_t ask = fuota_ask_take (self, happening, env,
        fuota_plan_patience (env->deployment), out);
    if (ask == FUOTA_ASK_BEGIN) {
        if (env->deployment->dialect.ts004 >= 2)
            fuota_ask_key (self, env, out);
        else
            s_setup_request (self, &no_key, env, out);
    }
    else if (ask == FUOTA_ASK_KEY)
        s_setup_request (self, happening->outcome, env, out);
    else
        fuota_ask_failed (self, ask, happening, env, out);
}

//  Further coded fragments to this device alone, one after each of its
//  uplinks. N rises; what did not go out is sent again, what did never is.
static void
s_unicast (fuota_subject_t self, const fuota_happening_t *happening,
    const fuota_env_t *env, fuota_effects_t *out)
{
    fuota_device_t *device = self.device;
    if (device->asked != FUOTA_ASKED_NOT && happening->kind == FUOTA_OUTCOME &&
        happening->outcome->row == device->row) {
        OutcomeKind kind = happening->outcome->kind;
        if (kind == FUOTA_SENT) {
            device->unicast_n++;
            device->tries = 0;
            self.group->sent++;
            self.group->air_time += env->deployment->air_time / 1000;
        }
        if (kind == FUOTA_LATE && device->tries)
            device->tries--;  //  The host never had it
        if (kind == FUOTA_NEVER) {
            fuota_ask_failed (self, FUOTA_ASK_NEVER, happening, env, out);
            return;
        }
        device->asked = FUOTA_ASKED_NOT;
        device->row = 0;
    }
    if (self.group->paused || device->asked != FUOTA_ASKED_NOT)
        return;
    if (device->unicast_n > device->unicast_last) {
        fuota_stage_enter (self, FUOTA_STEP_STATUS, env, out);
        return;
    }
    if (device->tries++ >= env->deployment->retries) {
        fuota_stage_end (self, FUOTA_END_INCOMPLETE, NULL, env, out);
        return;
    }
    fuota_row_t *row =
        fuota_effects_row (out, env, FUOTA_UNICAST, &device->row);
    row->dev_eui = env->dev_eui;
    row->f_port = env->deployment->dialect.port004;
    row->n = device->unicast_n;
    row->frag_index = env->deployment->frag_index;
    row->expires_at = env->now + fuota_plan_patience (env->deployment);
    device->asked = FUOTA_ASKED_QUEUED;
    device->asked_at = env->now;
}

static void
s_device (fuota_subject_t self, const fuota_happening_t *happening,
    const fuota_env_t *env, fuota_effects_t *out)
{
    switch (self.device->step) {
        case FUOTA_STEP_FRAG_DELETE:
            s_delete (self, happening, FUOTA_STEP_FRAG_SETUP, env, out);
            break;
        case FUOTA_STEP_FRAG_SETUP:
            s_setup (self, happening, env, out);
            break;
        case FUOTA_STEP_UNICAST:
            s_unicast (self, happening, env, out);
            break;
        default:
            s_delete (self, happening, FUOTA_STEP_CLEAN_GROUP, env, out);
    }
}

//  ---------------------------------------------------------------------
//  The sender
//
//  pen: idle -> flushing -> up <-> written -> taken -> up ... -> closing
//
//  A fragment is written (its row is committed) before it is handed over, and
//  N moves on when its fate is known. The row names the frame counter it must
//  get; after a crash the outbox reads the host's counter to learn whether it
//  was taken. So none is skipped and none is sent twice.

static void
s_flush (fuota_group_t *group, Pen pen, const fuota_env_t *env,
    fuota_effects_t *out)
{
    fuota_row_t *row = fuota_effects_row (out, env, FUOTA_FLUSH, &group->row);
    snprintf (row->group, sizeof row->group, "%s", group->host_group);
    group->pen = pen;
    group->wake_at = 0;
}

static void
s_write (fuota_group_t *group, const fuota_env_t *env, fuota_effects_t *out)
{
    const fuota_deployment_t *deployment = env->deployment;
    fuota_row_t *row =
        fuota_effects_row (out, env, FUOTA_FRAGMENT, &group->row);
    snprintf (row->group, sizeof row->group, "%s", group->host_group);
    row->n = group->next_n;
    row->frag_index = deployment->frag_index;
    row->f_cnt = group->f_cnt;
    row->f_port = deployment->dialect.port004;
    //  The host's scheduler is up to a second late; a queue of an absent
    //  gateway must not leave as a burst later
    int64_t limit = env->now + fuota_plan_stay (deployment) + 5000;
    row->expires_at = limit < group->session_end ? limit : group->session_end;
    group->pen = FUOTA_PEN_WRITTEN;
    group->pen_at = env->now;
    group->wake_at = 0;
}

void
fuota_pen_started (fuota_group_t *group, int64_t now)
{
    //  What became of a fragment meanwhile is about to be said
    if (group->pen == FUOTA_PEN_TAKEN &&
        group->wake_at < now + FUOTA_STAGE_BEHIND)
        group->wake_at = now + FUOTA_STAGE_BEHIND;
}

void
fuota_pen_resumed (fuota_group_t *group, const fuota_env_t *env)
{
    //  A fragment on its way keeps its deadline, the next one its place
    if (group->pen != FUOTA_PEN_TAKEN && group->pen != FUOTA_PEN_WRITTEN)
        group->wake_at = group->pen == FUOTA_PEN_UP
                             ? group->pen_at + env->deployment->period
                             : env->now;
}

//  The fragment is on air, or was taken and nothing more is known of it.
static void
s_sent (fuota_group_t *group, const fuota_env_t *env)
{
    group->sent++;
    group->air_time += env->deployment->air_time / 1000;
    group->next_n++;
    group->row = 0;
    group->pen = FUOTA_PEN_UP;
    group->wake_at = group->pen_at + env->deployment->period;
}

static void
s_again (fuota_group_t *group, const fuota_env_t *env)
{
    if (group->pen == FUOTA_PEN_TAKEN)
        group->resent++;  //  Else it never got as far as the host's queue
    group->row = 0;
    group->pen = FUOTA_PEN_UP;
    group->wake_at = group->pen_at + env->deployment->period;
}

static void
s_failed (fuota_group_t *group, const fuota_outcome_t *outcome,
    const fuota_env_t *env, fuota_effects_t *out)
{
    group->row = 0;
    snprintf (group->error, sizeof group->error, "host: %.88s", outcome->words);
    fuota_stage_phase (group, FUOTA_FINISHING, env, out);
}

static void
s_outcome (fuota_group_t *group, const fuota_outcome_t *outcome,
    const fuota_env_t *env, fuota_effects_t *out)
{
    if (!group->row || outcome->row != group->row)
        return;
    switch (outcome->kind) {
        case FUOTA_DONE:  //  A flush; of a fragment it says nothing
            if (group->pen != FUOTA_PEN_FLUSHING &&
                group->pen != FUOTA_PEN_CLOSING)
                break;
            group->row = 0;
            if (group->pen == FUOTA_PEN_FLUSHING)
                group->pen = FUOTA_PEN_UP;
            group->wake_at = env->now;
            break;
        case FUOTA_TAKEN:
            if (group->pen != FUOTA_PEN_WRITTEN)
                break;
            group->f_cnt = outcome->f_cnt + 1;
            group->pen = FUOTA_PEN_TAKEN;
            //  If no word of it comes: it expired long ago, or was sent. Where
            //  we are late ourselves the word may be right behind
            group->wake_at =
                group->pen_at + fuota_plan_stay (env->deployment) + 10000;
            if (group->wake_at < env->now + FUOTA_STAGE_BEHIND)
                group->wake_at = env->now + FUOTA_STAGE_BEHIND;
            break;
        case FUOTA_SENT:
            if (group->pen == FUOTA_PEN_WRITTEN) {
                group->f_cnt++;  //  What is on air was taken
                group->pen = FUOTA_PEN_TAKEN;
            }
            if (group->pen == FUOTA_PEN_TAKEN)
                s_sent (group, env);
            break;
        case FUOTA_REFUSED:
        case FUOTA_EXPIRED:
        case FUOTA_LATE:
            if (group->pen == FUOTA_PEN_TAKEN ||
                group->pen == FUOTA_PEN_WRITTEN)
                s_again (group, env);
            break;
        case FUOTA_NEVER:
            s_failed (group, outcome, env, out);
            break;
        default:
            break;
    }
}

//  Every device has its result: whatever is sent now nobody listens to.
static bool
s_nobody (const fuota_group_t *group)
{
    return group->at_step [FUOTA_STEP_END] +
               group->at_step [FUOTA_STEP_CLEAN_FRAG] +
               group->at_step [FUOTA_STEP_CLEAN_GROUP] ==
           group->total;
}

//  All of this round are sent, or the window closes before they are.
static void
s_close (fuota_group_t *group, const fuota_env_t *env, fuota_effects_t *out)
{
    if (group->pen != FUOTA_PEN_CLOSING) {
        s_flush (group, FUOTA_PEN_CLOSING, env, out);
        return;
    }
    if (group->row)
        return;
    group->pen = FUOTA_PEN_IDLE;
    if (group->next_n > group->last_n || s_nobody (group))
        fuota_stage_phase (group, FUOTA_COLLECTING, env, out);
    else {
        //  Go on in a further session; the waiting phase decides on it when
        //  this one's end has passed
        fuota_stage_phase (group, FUOTA_WAITING, env, out);
        group->session_start = env->now;
        group->session_end = env->now;
    }
}

static void
s_group (fuota_group_t *group, const fuota_happening_t *happening,
    const fuota_env_t *env, fuota_effects_t *out)
{
    if (happening->kind == FUOTA_OUTCOME)
        s_outcome (group, happening->outcome, env, out);
    if (group->phase != FUOTA_SENDING)
        return;
    if (group->pen == FUOTA_PEN_TAKEN && env->now >= group->wake_at)
        s_sent (group, env);
    if (group->pen == FUOTA_PEN_IDLE && !group->row)
        s_flush (group, FUOTA_PEN_FLUSHING, env, out);
    //  What is handed over now must be out of every gateway by then
    bool closes = env->now + (int64_t) env->deployment->guard * 1000 +
                      env->deployment->air_time / 1000 +
                      fuota_plan_latency (env->deployment) >=
                  group->session_end;
    bool done = group->next_n > group->last_n || closes || s_nobody (group);
    if (group->pen == FUOTA_PEN_CLOSING)
        s_close (group, env, out);
    else if (group->pen == FUOTA_PEN_UP && env->now >= group->wake_at) {
        if (done)
            s_close (group, env, out);
        else if (group->paused)
            group->wake_at = 0;
        else
            s_write (group, env, out);
    }
}

const fuota_stage_t fuota_stage_fragmentation = { "fragmentation", s_device,
    s_group };
