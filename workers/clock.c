//  SPDX-License-Identifier: MIT

#include <stdlib.h>
#include "workers/clock.h"
#include "workers/package/gpstime.h"
#include "workers/plan.h"

bool
fuota_clock_answer (fuota_clock_t *clock, const fuota_command_t *request,
    int64_t received_at, int leap_extra, uint32_t threshold,
    fuota_command_t *answer)
{
    uint32_t device_time = request->app_time_req.device_time;
    bool again = clock->received_at && clock->device_time == device_time &&
                 clock->token == request->app_time_req.token;
    if (again)
        return false;
    //  The first copy counts: later ones were received later
    clock->device_time = device_time;
    clock->token = request->app_time_req.token;
    clock->received_at = received_at;
    uint32_t gps = (uint32_t) fuota_gpstime_from_utc (received_at, leap_extra);
    int32_t correction = fuota_gpstime_correction (gps, device_time);
    if (!request->app_time_req.ans_required &&
        llabs ((long long) correction) <= (long long) threshold)
        return false;
    clock->correction = correction;
    *answer = (fuota_command_t){ .id = FUOTA_APP_TIME_ANS,
        .package = FUOTA_TS003,
        .version = request->version };
    answer->app_time_ans.correction = correction;
    answer->app_time_ans.token = request->app_time_req.token;
    return true;
}

//  ---------------------------------------------------------------------
//  The resync step of a deployment: the device's clock was wrong

//  It spoke: if its clock is right now, or will be once the correction of the
//  clock worker has reached it, the session is asked for again.
static void
s_heard (fuota_subject_t self, const fuota_happening_t *happening,
    const fuota_env_t *env, fuota_effects_t *out)
{
    uint32_t gps = (uint32_t) fuota_gpstime_from_utc (happening->received_at,
        env->leap_extra);
    int32_t correction = fuota_gpstime_correction (gps,
        happening->command->app_time_req.device_time);
    if (llabs ((long long) correction) <= (long long) env->deployment->guard)
        fuota_stage_enter (self, FUOTA_STEP_SESSION_WAIT, env, out);
    else {
        //  It needs the answer first, in a window of its own
        fuota_ask_settle (self.device, out);
        self.device->asked = FUOTA_ASKED_SENT;
        self.device->asked_at = self.device->sent_at = env->now;
        self.device->tries = env->deployment->retries;
        self.device->wake_at = env->now + fuota_plan_patience (env->deployment);
    }
}

static void
s_device (fuota_subject_t self, const fuota_happening_t *happening,
    const fuota_env_t *env, fuota_effects_t *out)
{
    const fuota_deployment_t *deployment = env->deployment;
    if (happening->kind == FUOTA_COMMAND) {
        if (happening->command->id == FUOTA_APP_TIME_REQ)
            s_heard (self, happening, env, out);
        return;
    }
    fuota_ask_t ask = fuota_ask_take (self, happening, env,
        fuota_plan_patience (deployment), out);
    if (ask == FUOTA_ASK_BEGIN) {
        if (!deployment->dialect.ts003) {
            fuota_stage_end (self, FUOTA_END_REFUSED,
                "clock is wrong and it has no TS003", env, out);
            return;
        }
        if (self.device->resyncs++ >= deployment->retries) {
            fuota_stage_end (self, FUOTA_END_TIMED_OUT, NULL, env, out);
            return;
        }
        fuota_command_t command =
            fuota_ask_new (self, env, FUOTA_TS003, FUOTA_FORCE_DEVICE_RESYNC);
        command.resync.transmissions = 3;
        fuota_ask_command (self, &command, env, out);
    }
    else if (ask == FUOTA_ASK_GAVE_UP)
        //  Ask for the session again: its answer tells whether it helped
        fuota_stage_enter (self, FUOTA_STEP_SESSION_WAIT, env, out);
    else
        fuota_ask_failed (self, ask, happening, env, out);
}

static void
s_group (fuota_group_t *group, const fuota_happening_t *happening,
    const fuota_env_t *env, fuota_effects_t *out)
{
    (void) group;
    (void) happening;
    (void) env;
    (void) out;
}

const fuota_stage_t fuota_stage_clock = { "clock", s_device, s_group };
