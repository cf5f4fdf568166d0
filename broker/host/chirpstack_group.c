//  SPDX-License-Identifier: MIT
//
//  The steps that are calls about a multicast group: what each asks and what
//  its answer means. Parts: requests; making a group; fragments; the steps.

#include "broker/host/chirpstack_private.h"

#define FIRST 1000    //  The host looks at its queues each second
#define OFTEN 500     //  Ask again whether it is empty
#define LINGER 4000   //  After its fragment has expired it must be
#define LONGEST 9000  //  Margin, scheduler and an expiry of a short period
#define GROUP "/api.MulticastGroupService/"

typedef fuota_chirpstack_t self_t;
typedef fuota_chirpstack_job_t job_t;

//  ---------------------------------------------------------------------
//  Requests

static size_t
s_ask_find (self_t *self, job_t *job)
{
    return fuota_chirpstack_ask_groups (job->want.name, job->want.application,
        self->request, sizeof self->request);
}

static size_t
s_ask_create (self_t *self, job_t *job)
{
    return fuota_chirpstack_ask_create (&job->want, self->request,
        sizeof self->request);
}

static size_t
s_ask_gateway (self_t *self, job_t *job)
{
    return fuota_chirpstack_ask_gateway (job->id,
        job->want.gateways [job->gateway], self->request, sizeof self->request);
}

static size_t
s_ask_group (self_t *self, job_t *job)
{
    return fuota_chirpstack_ask (job->want.group, self->request,
        sizeof self->request);
}

static size_t
s_ask_size (self_t *self, job_t *job)
{
    return fuota_chirpstack_ask_gateways (job->want.group, self->request,
        sizeof self->request);
}

static size_t
s_ask_fragment (self_t *self, job_t *job)
{
    return fuota_chirpstack_ask_fragment (&job->want, self->request,
        sizeof self->request);
}

//  ---------------------------------------------------------------------
//  Making a group

static void
s_created (self_t *self, job_t *job, int64_t now)
{
    fuota_chirpstack_group_t *group =
        fuota_chirpstack_air_new (&self->air, job->id);
    group->mc_addr = job->want.mc_addr;
    group->gateways = job->want.gateways_count;
    group->has_gateways = job->want.gateways_count > 0;
    fuota_outcome_t *outcome =
        fuota_chirpstack_say (self, &job->want, FUOTA_DONE, now);
    memcpy (outcome->group, job->id, sizeof outcome->group);
    fuota_chirpstack_free (self, job);
}

//  The next gateway, or all are in.
static void
s_gateways (self_t *self, job_t *job, int64_t now)
{
    if (job->gateway < job->want.gateways_count)
        job->step = FUOTA_CALL_GATEWAY;
    else
        s_created (self, job, now);
}

static void
s_got_find (self_t *self, job_t *job, fuota_slice_t message, int64_t now)
{
    int rc = fuota_chirpstack_got_groups (message, job->want.name, job->id);
    if (rc == FUOTA_ENOTFOUND)
        job->step = FUOTA_CALL_CREATE;
    else if (rc)
        fuota_chirpstack_nonsense (self, job, now);
    else
        s_gateways (self, job, now);
}

static void
s_got_create (self_t *self, job_t *job, fuota_slice_t message, int64_t now)
{
    if (fuota_chirpstack_got_id (message, job->id))
        fuota_chirpstack_nonsense (self, job, now);
    else
        s_gateways (self, job, now);
}

static void
s_got_gateway (self_t *self, job_t *job, fuota_slice_t message, int64_t now)
{
    (void) message;
    job->gateway++;
    s_gateways (self, job, now);
}

//  ---------------------------------------------------------------------
//  Fragments

//  Without gateway topics its fate cannot be known, but that the queue is empty
//  can: what is put behind another waits for the host's margin, longer than we
//  do, and all that follow expire in the queue. What stays for longer is of a
//  gateway that is away, one of several: their period is long enough for that.
static void
s_watch_queue (self_t *self, job_t *job, int64_t now)
{
    if (self->config.gateway_prefix [0]) {
        fuota_chirpstack_free (self, job);
        return;
    }
    job->step = FUOTA_CALL_QUEUE;
    job->wake_at = now + FIRST;
    job->give_up = job->want.expires_at + LINGER;
    if (job->give_up > now + LONGEST)
        job->give_up = now + LONGEST;
}

void
fuota_chirpstack_queue_again (self_t *self, job_t *job, int64_t now)
{
    if (now < job->give_up)
        job->wake_at = now + OFTEN;
    else
        fuota_chirpstack_finish (self, job, FUOTA_SENT, "", now);
}

static void
s_got_queue (self_t *self, job_t *job, fuota_slice_t message, int64_t now)
{
    bool waiting;
    if (fuota_chirpstack_got_waiting (message, &waiting) || waiting)
        fuota_chirpstack_queue_again (self, job, now);
    else
        fuota_chirpstack_finish (self, job, FUOTA_SENT, "", now);
}

//  The host has the fragment under that counter.
static void
s_taken (self_t *self, job_t *job, uint32_t f_cnt, int64_t now)
{
    job->want.f_cnt = f_cnt;
    fuota_chirpstack_air_taken (&self->air, job->want.row, job->want.owner,
        f_cnt);
    fuota_chirpstack_say (self, &job->want, FUOTA_TAKEN, now);
    s_watch_queue (self, job, now);
}

static void
s_got_counter (self_t *self, job_t *job, fuota_slice_t message, int64_t now)
{
    uint32_t f_cnt, mc_addr;
    if (fuota_chirpstack_got_group (message, &f_cnt, &mc_addr)) {
        fuota_chirpstack_nonsense (self, job, now);
        return;
    }
    fuota_chirpstack_say (self, &job->want, FUOTA_DONE, now)->f_cnt = f_cnt;
    if (f_cnt != job->want.f_cnt + 1) {
        fuota_chirpstack_air_forget (&self->air, job->want.row,
            job->want.owner);
        fuota_chirpstack_free (self, job);
        return;
    }
    //  It tells that the fragment was taken: its frames are known as its
    job->want.kind = FUOTA_FRAGMENT;
    fuota_chirpstack_air_taken (&self->air, job->want.row, job->want.owner,
        job->want.f_cnt);
    s_watch_queue (self, job, now);
}

//  What must be known to see the fragment's frames; then the fragment.
void
fuota_chirpstack_fragment (self_t *self, job_t *job)
{
    fuota_chirpstack_group_t *group =
        fuota_chirpstack_air_group (&self->air, job->want.group);
    if (!self->config.gateway_prefix [0])
        job->step = FUOTA_CALL_ENQUEUE;
    else if (!group)
        job->step = FUOTA_CALL_GROUP;
    else if (!group->has_gateways)
        job->step = FUOTA_CALL_SIZE;
    else {
        fuota_chirpstack_air_watch (&self->air, &job->want, group);
        job->step = FUOTA_CALL_ENQUEUE;
    }
}

static void
s_got_group (self_t *self, job_t *job, fuota_slice_t message, int64_t now)
{
    uint32_t f_cnt, mc_addr;
    if (fuota_chirpstack_got_group (message, &f_cnt, &mc_addr)) {
        fuota_chirpstack_nonsense (self, job, now);
        return;
    }
    fuota_chirpstack_air_new (&self->air, job->want.group)->mc_addr = mc_addr;
    fuota_chirpstack_fragment (self, job);
}

static void
s_got_size (self_t *self, job_t *job, fuota_slice_t message, int64_t now)
{
    uint32_t total;
    fuota_chirpstack_group_t *group =
        fuota_chirpstack_air_group (&self->air, job->want.group);
    if (!group || fuota_chirpstack_got_total (message, &total)) {
        fuota_chirpstack_nonsense (self, job, now);
        return;
    }
    group->gateways = total;
    group->has_gateways = true;
    fuota_chirpstack_fragment (self, job);
}

static void
s_got_enqueue (self_t *self, job_t *job, fuota_slice_t message, int64_t now)
{
    uint32_t f_cnt;
    if (fuota_chirpstack_got_counter (message, &f_cnt))
        job->step = FUOTA_CALL_CHECK;
    else
        s_taken (self, job, f_cnt, now);
}

static void
s_got_check (self_t *self, job_t *job, fuota_slice_t message, int64_t now)
{
    uint32_t f_cnt, mc_addr, expected = job->want.f_cnt;
    if (fuota_chirpstack_got_group (message, &f_cnt, &mc_addr))
        job->wake_at = now + FUOTA_CHIRPSTACK_AGAIN;
    else if (f_cnt == expected + 1)
        s_taken (self, job, expected, now);
    else if (f_cnt == expected)
        fuota_chirpstack_finish (self, job, FUOTA_RETRY, "not taken", now);
    else
        fuota_chirpstack_finish (self, job, FUOTA_NEVER,
            "frame counter of the group was changed by another", now);
}

//  ---------------------------------------------------------------------
//  The steps

const fuota_chirpstack_row_t *
fuota_chirpstack_group_row (fuota_chirpstack_step_t step)
{
    static const fuota_chirpstack_row_t rows [FUOTA_CALL_STATES] = {
        [FUOTA_CALL_FIND] = { GROUP "List", s_ask_find, s_got_find,
            "no such application" },
        [FUOTA_CALL_CREATE] = { GROUP "Create", s_ask_create, s_got_create,
            "no such application" },
        [FUOTA_CALL_GATEWAY] = { GROUP "AddGateway", s_ask_gateway,
            s_got_gateway, "gateway is not one of the tenant's" },
        [FUOTA_CALL_DELETE] = { GROUP "Delete", s_ask_group,
            fuota_chirpstack_done, NULL },
        [FUOTA_CALL_FLUSH] = { GROUP "FlushQueue", s_ask_group,
            fuota_chirpstack_done, NULL },
        [FUOTA_CALL_COUNTER] = { GROUP "Get", s_ask_group, s_got_counter,
            "multicast group is gone" },
        [FUOTA_CALL_GROUP] = { GROUP "Get", s_ask_group, s_got_group,
            "multicast group is gone" },
        [FUOTA_CALL_SIZE] = { "/api.GatewayService/List", s_ask_size,
            s_got_size, "multicast group is gone" },
        [FUOTA_CALL_ENQUEUE] = { GROUP "Enqueue", s_ask_fragment, s_got_enqueue,
            "multicast group is gone" },
        [FUOTA_CALL_CHECK] = { GROUP "Get", s_ask_group, s_got_check,
            "multicast group is gone" },
        [FUOTA_CALL_QUEUE] = { GROUP "ListQueue", s_ask_group, s_got_queue,
            NULL },
    };
    return step < FUOTA_CALL_STATES ? &rows [step] : NULL;
}
