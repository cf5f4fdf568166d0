//  SPDX-License-Identifier: MIT

#include <stdbool.h>
#include "workers/plan.h"

#define MARGIN 30000  //  For hosts and clocks, on top of a device's interval

uint32_t
fuota_plan_frag_size (uint32_t max_n, uint32_t limit)
{
    uint32_t size = max_n > 3 ? max_n - 3 : 0;
    return limit && limit < size ? limit : size;
}

uint32_t
fuota_plan_frag_size_for (uint32_t size, uint32_t largest, uint32_t version,
    uint32_t most)
{
    uint32_t least = fuota_plan_nb_frag (size, largest);
    uint32_t limit = least + least / 16 < most ? least + least / 16 : most;
    for (uint32_t at = largest; version >= 2 && at; at--) {
        uint32_t m = fuota_plan_nb_frag (size, at);
        if (m > limit)
            break;
        if (m / 2 % 2)
            return at;
    }
    return largest;
}

uint32_t
fuota_plan_nb_frag (uint32_t size, uint32_t frag_size)
{
    return frag_size ? (size + frag_size - 1) / frag_size : 0;
}

uint32_t
fuota_plan_padding (uint32_t size, uint32_t frag_size)
{
    return fuota_plan_nb_frag (size, frag_size) * frag_size - size;
}

static uint32_t
s_root (uint64_t value)
{
    uint64_t root = 0;
    while ((root + 1) * (root + 1) <= value)
        root++;
    return (uint32_t) root;
}

//  Those missing, three standard deviations of something, the code's overhead
//  of 8, and the loss of coded ones.
static uint32_t
s_coded (uint64_t missing, uint64_t variance, uint32_t permille)
{
    uint64_t spread = s_root (9 * variance);
    uint64_t count = (missing + spread + 8) * 1000ull / (1000 - permille) + 1;
    if (count < 10)
        count = 10;
    return count > FUOTA_PLAN_MAX_N ? FUOTA_PLAN_MAX_N : (uint32_t) count;
}

//  Beyond that no parity helps: a bound for the count
static uint32_t
s_bound (uint32_t permille)
{
    return permille > 900 ? 900 : permille;
}

uint32_t
fuota_plan_redundancy (uint32_t nb_frag, uint32_t permille)
{
    permille = s_bound (permille);
    uint64_t lost = ((uint64_t) nb_frag * permille + 999) / 1000;
    return s_coded (lost, lost, permille);
}

uint32_t
fuota_plan_coded (uint32_t missing, uint32_t permille)
{
    permille = s_bound (permille);
    return s_coded (missing,
        (uint64_t) missing * (permille ? permille : 1) / 1000, permille);
}

//  The host's queue of a group, chirpstack-host.md 3.6 and 4.8.
static bool
s_class_b (const fuota_deployment_t *deployment)
{
    return deployment->group_type == 1;
}

//  All gateways send at one time, that of a ping slot or GPS time, and the
//  margin is how far ahead the host plans it; else they take turns.
static bool
s_at_once (const fuota_deployment_t *deployment)
{
    return s_class_b (deployment) || deployment->scheduling == 1;
}

static uint32_t
s_in_turn (const fuota_deployment_t *deployment)
{
    return s_at_once (deployment) || !deployment->gateways_count
               ? 1
               : (uint32_t) deployment->gateways_count;
}

uint32_t
fuota_plan_latency (const fuota_deployment_t *deployment)
{
    uint32_t margins = s_at_once (deployment) ? 1 : s_in_turn (deployment) - 1;
    return margins * deployment->margin;
}

uint32_t
fuota_plan_stay (const fuota_deployment_t *deployment)
{
    uint32_t latency = fuota_plan_latency (deployment);
    return latency > deployment->period ? latency : deployment->period;
}

static uint32_t
s_larger (uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

uint32_t
fuota_plan_period (const fuota_deployment_t *deployment, uint32_t duty_permille)
{
    uint32_t air = (deployment->air_time + 999) / 1000;
    uint32_t margin = deployment->margin, in_turn = s_in_turn (deployment);
    uint32_t each = air + 1200;  //  The host's scheduler: up to 1 s late
    if (duty_permille && duty_permille < 1000)
        each = s_larger (each, air * 1000 / duty_permille);
    if (s_class_b (deployment)) {
        //  The first slot after the margin, if the queue was empty
        uint32_t slot = 1000u << deployment->periodicity;
        return s_larger (s_larger (each, slot), margin + slot);
    }
    if (deployment->scheduling == 1)
        each = s_larger (each, 2 * margin);
    else if (in_turn > 1)
        each = s_larger (each, margin);
    return each * in_turn;
}

uint64_t
fuota_plan_window (uint32_t group_type, uint32_t time_out)
{
    return (group_type == 1 ? 128ull : 1ull) << time_out;
}

uint64_t
fuota_plan_least (const fuota_deployment_t *deployment)
{
    return 2000ull * deployment->guard + 2000 + deployment->period +
           fuota_plan_latency (deployment) + deployment->air_time / 1000;
}

uint32_t
fuota_plan_time_out (const fuota_deployment_t *deployment, uint32_t count)
{
    if (deployment->time_out < FUOTA_PLAN_AUTO_TIME_OUT)
        return deployment->time_out;
    //  One period more than the fragments need, and a tenth for refused ones
    uint64_t need = (count + count / 10 + 2ull) * deployment->period +
                    2000ull * deployment->guard + MARGIN +
                    fuota_plan_latency (deployment);
    if (deployment->group_type == 1)
        need += 128000;  //  The beacon period in which it begins
    uint32_t time_out = 0;
    while (time_out < 15 &&
           fuota_plan_window (deployment->group_type, time_out) * 1000 < need)
        time_out++;
    return time_out;
}

int64_t
fuota_plan_patience (const fuota_deployment_t *deployment)
{
    return deployment->uplink_interval * 1500ll + MARGIN;
}

int64_t
fuota_plan_lead (const fuota_deployment_t *deployment)
{
    int64_t lead =
        fuota_plan_patience (deployment) * (int64_t) (deployment->retries + 1) +
        MARGIN;
    //  Class B devices look for the beacon for some minutes first
    return deployment->group_type == 1 ? lead + 600000 : lead;
}

uint32_t
fuota_plan_setup_window (uint32_t retries, uint32_t uplink_interval,
    uint32_t ts004)
{
    uint32_t steps = ts004 == 1 ? 3 : 2;
    uint64_t window = (uint64_t) steps * (retries + 1) *
                      (uplink_interval * 3ull / 2 + MARGIN / 1000);
    return window > UINT32_MAX ? UINT32_MAX : (uint32_t) window;
}

uint32_t
fuota_plan_ack_delay (uint32_t devices)
{
    //  About one answer in two seconds
    uint32_t delay = 0;
    while (delay < 7 && (16u << delay) * 2 < devices)
        delay++;
    return delay;
}

int64_t
fuota_plan_ack_wait (uint32_t block_ack_delay)
{
    return 16000ll << block_ack_delay;
}
