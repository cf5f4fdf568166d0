//  SPDX-License-Identifier: MIT

#include <stdio.h>
#include <string.h>
#include "broker/summary.h"
#include "schema/hex.h"
#include "workers/package/region.h"
#include "workers/plan.h"

#define TEXT(out, text) snprintf (out, sizeof (out), "%s", text)

//  What does not move once the deployment is created.
static void
s_fixed (const fuota_deployment_t *deployment, int64_t now,
    fuota_summary_t *out)
{
    *out = (fuota_summary_t){ 0 };
    fuota_hex (deployment->id, FUOTA_ID_SIZE, out->id);
    TEXT (out->name, deployment->name);
    out->created = deployment->created;
    fuota_hex (deployment->image, sizeof deployment->image, out->image_sha256);
    out->image_size = deployment->image_size;
    out->frag_size = deployment->frag_size;
    out->nb_frag = deployment->nb_frag;
    out->redundancy = deployment->redundancy;
    out->repair_rounds = deployment->repair_rounds;
    out->period = deployment->period;
    out->devices_ts004 = deployment->dialect.ts004;
    out->region_dr = deployment->dr;
    out->frequency = deployment->frequency;
    out->group_type = deployment->group_type;
    out->gateways = (uint32_t) deployment->gateways_count;
    out->margin = deployment->margin;
    out->now = now;
    const fuota_region_t *region = fuota_region_find (deployment->region);
    unsigned limit = region && deployment->frequency
                         ? fuota_region_duty (region, deployment->frequency)
                         : 1000;
    out->duty_limit = limit < 1000 ? limit : 0;
    //  Microseconds by milliseconds: that is permille
    out->duty =
        deployment->period ? deployment->air_time / deployment->period : 0;
}

//  End of sending as it looks now; 0 while nothing is known of a session.
static int64_t
s_eta (const fuota_deployment_t *deployment, const fuota_group_t *group,
    int64_t now)
{
    if (group->paused || group->next_n > group->last_n)
        return 0;
    int64_t left = (int64_t) (group->last_n + 1 - group->next_n);
    if (group->phase == FUOTA_SENDING)
        return now + left * deployment->period;
    if (group->phase == FUOTA_WAITING && group->session_start)
        return group->session_start + left * deployment->period;
    return 0;
}

void
fuota_summary_make (const fuota_deployment_t *deployment,
    const fuota_group_t *group, int64_t now, fuota_summary_t *out)
{
    s_fixed (deployment, now, out);
    TEXT (out->phase, fuota_phase_name (group));
    TEXT (out->error, group->error);
    out->started = group->started;
    out->ended = group->ended_at;
    out->next_n = group->next_n;
    out->last_n = group->last_n;
    out->sent = group->sent;
    out->resent = group->resent;
    out->air_time = group->air_time;
    out->round = group->round;
    out->loss = group->loss;
    out->total = group->total;
    out->at_step_count = FUOTA_STEPS;
    memcpy (out->at_step, group->at_step, sizeof group->at_step);
    out->ended_as_count = FUOTA_ENDS;
    memcpy (out->ended_as, group->ended, sizeof group->ended);
    out->session_start = group->session_start;
    out->session_end = group->session_end;
    out->eta = s_eta (deployment, group, now);
    out->paused = group->paused;
}

void
fuota_summary_plan (const fuota_deployment_t *deployment, uint32_t total,
    int64_t now, fuota_summary_t *out)
{
    s_fixed (deployment, now, out);
    TEXT (out->phase, "planned");
    uint32_t count = deployment->nb_frag + deployment->redundancy;
    uint32_t time_out = fuota_plan_time_out (deployment, count);
    out->last_n = count;
    out->total = total;
    out->air_time = (uint64_t) deployment->air_time * count / 1000;
    out->started = deployment->start_at ? deployment->start_at : now;
    out->session_start = out->started + deployment->setup_window * 1000ll +
                         fuota_plan_lead (deployment);
    out->session_end =
        out->session_start +
        (int64_t) fuota_plan_window (deployment->group_type, time_out) * 1000;
    out->eta = out->session_start + (int64_t) count * deployment->period;
}

void
fuota_summary_device (uint64_t dev_eui, const fuota_device_t *device,
    fuota_device_line_t *out)
{
    *out = (fuota_device_line_t){ .dev_eui = dev_eui,
        .tries = device->tries,
        .received = device->received,
        .missing = device->missing,
        .reported = device->reported,
        .clock_error = device->clock_error,
        .group_id = device->group_id,
        .changed = device->changed,
        .rounds = device->rounds };
    TEXT (out->step, fuota_step_name (device->step));
    if (device->end != FUOTA_END_NONE)
        fuota_end_text (device, out->end, sizeof out->end);
}

void
fuota_summary_line (const fuota_line_t *line, fuota_journal_line_t *out)
{
    *out = (fuota_journal_line_t){ .seq = line->seq,
        .at = line->at,
        .dev_eui = line->dev_eui };
    TEXT (out->what, line->what);
    TEXT (out->name, line->name);
    TEXT (out->words, line->words);
}
