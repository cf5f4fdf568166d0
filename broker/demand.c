//  SPDX-License-Identifier: MIT

#include <string.h>
#include "broker/demand.h"

#define SETUP 600000  //  Milliseconds until a session nobody has set yet

fuota_parity_key_t
fuota_demand_key (const fuota_deployment_t *deployment)
{
    fuota_parity_key_t key = { .image_size = deployment->image_size,
        .rule = deployment->dialect.ts004,
        .frag_size = deployment->frag_size };
    memcpy (key.image, deployment->image, sizeof key.image);
    return key;
}

static int64_t
s_due (const fuota_deployment_t *deployment, const fuota_group_t *group,
    int64_t now)
{
    if (group->phase == FUOTA_SENDING || group->unicast_last)
        return now;
    if (group->session_start > now)
        return group->session_start;
    int64_t start = deployment->start_at > now ? deployment->start_at : now;
    int64_t setup = (int64_t) deployment->setup_window * 1000;
    return start + (setup ? setup : SETUP);
}

bool
fuota_demand_make (const fuota_deployment_t *deployment,
    const fuota_group_t *group, int64_t now, fuota_demand_t *demand)
{
    uint32_t m = deployment->nb_frag, last = m + deployment->redundancy;
    *demand = (fuota_demand_t){ .key = fuota_demand_key (deployment) };
    //  Of a single fragment all parity is zero, and never sent
    if (m == 1 || group->phase >= FUOTA_FINISHING || group->cancelled ||
        !fuota_parity_valid (&demand->key) ||
        fuota_parity_nb_frag (&demand->key) != m)
        return false;
    if (group->last_n > last)
        last = group->last_n;
    if (group->unicast_last > last)
        last = group->unicast_last;
    if (last > FUOTA_FEC_LAST_N)
        last = FUOTA_FEC_LAST_N;
    uint32_t next = group->next_n > m ? group->next_n : m + 1;
    if (group->unicast_first > m && group->unicast_first < next)
        next = group->unicast_first;
    if (next > last)
        return false;
    demand->first = (next - m - 1) / FUOTA_FEC_BLOCK_ROWS;
    demand->count = (last - m - 1) / FUOTA_FEC_BLOCK_ROWS - demand->first + 1;
    demand->due = s_due (deployment, group, now);
    return true;
}
