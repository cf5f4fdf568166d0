//  SPDX-License-Identifier: MIT
//
//  Parts: requests; answers; what else an answer may be; the first step.

#include <stdio.h>
#include <stdlib.h>
#include "broker/host/chirpstack_private.h"
#include "broker/host/chirpstack_text.h"
#include "workers/package/mckey.h"

#define GRACE 1000           //  For a call whose answer is lost
#define AGAIN 2000           //  Ask again what became of it
#define LOOKING 15000        //  Then the command is put there again
#define PROFILE_TIME 300000  //  An operator may change it

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

static size_t
s_ask_device (self_t *self, job_t *job)
{
    char eui [17];
    fuota_chirpstack_eui (job->want.dev_eui, eui);
    return fuota_chirpstack_ask (eui, self->request, sizeof self->request);
}

static size_t
s_ask_profile (self_t *self, job_t *job)
{
    return fuota_chirpstack_ask (job->profile, self->request,
        sizeof self->request);
}

static size_t
s_ask_put (self_t *self, job_t *job)
{
    return fuota_chirpstack_ask_unicast (&job->want, self->request,
        sizeof self->request);
}

//  An application that the token should be able to see.
static const char *
s_application (const self_t *self, const job_t *job)
{
    const char *known =
        fuota_chirpstack_book_where (&self->book, job->want.dev_eui);
    if (job->want.application [0])
        return job->want.application;
    return known                          ? known
           : self->book.application_count ? self->book.applications [0]
                                          : NULL;
}

static size_t
s_ask_probe (self_t *self, job_t *job)
{
    return fuota_chirpstack_ask (s_application (self, job), self->request,
        sizeof self->request);
}

//  ---------------------------------------------------------------------
//  Answers. What was not understood is as good as an answer that is lost.

static void
s_go (job_t *job, fuota_chirpstack_step_t step)
{
    job->step = step;
}

static void
s_nonsense (self_t *self, job_t *job, int64_t now)
{
    fuota_chirpstack_finish (self, job, FUOTA_RETRY,
        "answer of the host was not understood", now);
}

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
        s_go (job, FUOTA_CALL_GATEWAY);
    else
        s_created (self, job, now);
}

static void
s_got_find (self_t *self, job_t *job, fuota_slice_t message, int64_t now)
{
    int rc = fuota_chirpstack_got_groups (message, job->want.name, job->id);
    if (rc == FUOTA_ENOTFOUND)
        s_go (job, FUOTA_CALL_CREATE);
    else if (rc)
        s_nonsense (self, job, now);
    else
        s_gateways (self, job, now);
}

static void
s_got_create (self_t *self, job_t *job, fuota_slice_t message, int64_t now)
{
    if (fuota_chirpstack_got_id (message, job->id))
        s_nonsense (self, job, now);
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

static void
s_got_done (self_t *self, job_t *job, fuota_slice_t message, int64_t now)
{
    (void) message;
    fuota_chirpstack_finish (self, job, FUOTA_DONE, "", now);
}

//  The host has the fragment under that counter. Where nothing more can be
//  known of it, it is on air.
static void
s_taken (self_t *self, job_t *job, uint32_t f_cnt, int64_t now)
{
    bool blind = !self->config.gateway_prefix [0];
    fuota_downlink_t want = job->want;
    job->want.f_cnt = want.f_cnt = f_cnt;
    fuota_chirpstack_air_taken (&self->air, want.row, want.owner, f_cnt);
    fuota_chirpstack_finish (self, job, FUOTA_TAKEN, "", now);
    if (blind)
        fuota_chirpstack_say (self, &want, FUOTA_SENT, now);
}

static void
s_got_counter (self_t *self, job_t *job, fuota_slice_t message, int64_t now)
{
    uint32_t f_cnt, mc_addr;
    if (fuota_chirpstack_got_group (message, &f_cnt, &mc_addr)) {
        s_nonsense (self, job, now);
        return;
    }
    //  If it tells that the fragment was taken, its frames are known as its
    fuota_downlink_t want = job->want;
    job->want.f_cnt = f_cnt;
    fuota_chirpstack_finish (self, job, FUOTA_DONE, "", now);
    if (f_cnt != want.f_cnt + 1)
        return;
    fuota_chirpstack_air_taken (&self->air, want.row, want.owner, want.f_cnt);
    if (!self->config.gateway_prefix [0])
        fuota_chirpstack_say (self, &want, FUOTA_SENT, now);
}

//  What must be known to see the fragment's frames; then the fragment.
static void
s_fragment (self_t *self, job_t *job)
{
    fuota_chirpstack_group_t *group =
        fuota_chirpstack_air_group (&self->air, job->want.group);
    if (!self->config.gateway_prefix [0])
        s_go (job, FUOTA_CALL_ENQUEUE);
    else if (!group)
        s_go (job, FUOTA_CALL_GROUP);
    else if (!group->has_gateways)
        s_go (job, FUOTA_CALL_SIZE);
    else {
        fuota_chirpstack_air_watch (&self->air, &job->want, group);
        s_go (job, FUOTA_CALL_ENQUEUE);
    }
}

static void
s_got_group (self_t *self, job_t *job, fuota_slice_t message, int64_t now)
{
    uint32_t f_cnt, mc_addr;
    if (fuota_chirpstack_got_group (message, &f_cnt, &mc_addr)) {
        s_nonsense (self, job, now);
        return;
    }
    fuota_chirpstack_air_new (&self->air, job->want.group)->mc_addr = mc_addr;
    s_fragment (self, job);
}

static void
s_got_size (self_t *self, job_t *job, fuota_slice_t message, int64_t now)
{
    uint32_t total;
    fuota_chirpstack_group_t *group =
        fuota_chirpstack_air_group (&self->air, job->want.group);
    if (!group || fuota_chirpstack_got_total (message, &total)) {
        s_nonsense (self, job, now);
        return;
    }
    group->gateways = total;
    group->has_gateways = true;
    s_fragment (self, job);
}

static void
s_got_enqueue (self_t *self, job_t *job, fuota_slice_t message, int64_t now)
{
    uint32_t f_cnt;
    if (fuota_chirpstack_got_counter (message, &f_cnt))
        s_go (job, FUOTA_CALL_CHECK);
    else
        s_taken (self, job, f_cnt, now);
}

static void
s_got_check (self_t *self, job_t *job, fuota_slice_t message, int64_t now)
{
    uint32_t f_cnt, mc_addr, expected = job->want.f_cnt;
    if (fuota_chirpstack_got_group (message, &f_cnt, &mc_addr))
        job->wake_at = now + AGAIN;
    else if (f_cnt == expected + 1)
        s_taken (self, job, expected, now);
    else if (f_cnt == expected)
        fuota_chirpstack_finish (self, job, FUOTA_RETRY, "not taken", now);
    else
        fuota_chirpstack_finish (self, job, FUOTA_NEVER,
            "frame counter of the group was changed by another", now);
}

static fuota_chirpstack_profile_t *
s_profile (self_t *self, const char *id, int64_t now)
{
    for (unsigned i = 0; i < FUOTA_CHIRPSTACK_PROFILES; i++)
        if (self->profiles [i].until > now &&
            strcmp (self->profiles [i].id, id) == 0)
            return &self->profiles [i];
    return NULL;
}

static void
s_got_device (self_t *self, job_t *job, fuota_slice_t message, int64_t now)
{
    char application [41];
    if (fuota_chirpstack_got_device (message, application, job->profile)) {
        s_nonsense (self, job, now);
        return;
    }
    fuota_chirpstack_book_place (&self->book, job->want.dev_eui, application);
    memcpy (job->want.application, application, sizeof application);
    if (job->want.kind == FUOTA_UNICAST) {
        s_go (job, FUOTA_PUBLISH);
        return;
    }
    fuota_chirpstack_profile_t *profile = s_profile (self, job->profile, now);
    job->lorawan_1_1 = profile && profile->lorawan_1_1;
    s_go (job, profile ? FUOTA_CALL_KEYS : FUOTA_CALL_PROFILE);
}

static void
s_got_profile (self_t *self, job_t *job, fuota_slice_t message, int64_t now)
{
    if (fuota_chirpstack_got_profile (message, &job->lorawan_1_1)) {
        s_nonsense (self, job, now);
        return;
    }
    fuota_chirpstack_profile_t *profile =
        &self->profiles [self->profile_at++ % FUOTA_CHIRPSTACK_PROFILES];
    memcpy (profile->id, job->profile, sizeof profile->id);
    profile->lorawan_1_1 = job->lorawan_1_1;
    profile->until = now + PROFILE_TIME;
    s_go (job, FUOTA_CALL_KEYS);
}

static void
s_got_keys (self_t *self, job_t *job, fuota_slice_t message, int64_t now)
{
    uint8_t key [16];
    bool lorawan_1_1 = job->lorawan_1_1;
    int rc = fuota_chirpstack_got_keys (message, lorawan_1_1, key);
    if (rc == FUOTA_ENOTFOUND)
        fuota_chirpstack_finish (self, job, FUOTA_NEVER,
            lorawan_1_1 ? "device has no AppKey" : "device has no GenAppKey",
            now);
    else if (rc)
        s_nonsense (self, job, now);
    else {
        fuota_outcome_t *outcome =
            fuota_chirpstack_say (self, &job->want, FUOTA_DONE, now);
        outcome->root_key.size = 16;
        memcpy (outcome->root_key.bytes, key, 16);
        outcome->root =
            lorawan_1_1 ? FUOTA_ROOT_APP_KEY : FUOTA_ROOT_GEN_APP_KEY;
        fuota_chirpstack_free (self, job);
    }
    fuota_mckey_wipe (key, sizeof key);
}

static void
s_queued (self_t *self, job_t *job, const char *id, int64_t now)
{
    fuota_downlink_t want = job->want;
    fuota_chirpstack_finish (self, job, FUOTA_TAKEN, "", now);
    fuota_chirpstack_queued (self, &want, id, now);
}

static void
s_got_put (self_t *self, job_t *job, fuota_slice_t message, int64_t now)
{
    char id [41];
    if (fuota_chirpstack_got_id (message, id))
        s_go (job, FUOTA_CALL_LOOK);
    else
        s_queued (self, job, id, now);
}

static void
s_got_look (self_t *self, job_t *job, fuota_slice_t message, int64_t now)
{
    char id [41];
    if (fuota_chirpstack_got_queue (message, &job->want, id))
        fuota_chirpstack_finish (self, job, FUOTA_RETRY, "not queued", now);
    else
        s_queued (self, job, id, now);
}

static void
s_got_tags (self_t *self, job_t *job, fuota_slice_t message, int64_t now)
{
    free (job->update);
    job->update_size = message.size + FUOTA_CHIRPSTACK_TAGS;
    job->update = malloc (job->update_size);
    if (!job->update || fuota_chirpstack_retag (message, &job->want,
                            job->update, &job->update_size))
        s_nonsense (self, job, now);
    else
        s_go (job, FUOTA_CALL_UPDATE);
}

//  ---------------------------------------------------------------------
//  The steps

#define GROUP "/api.MulticastGroupService/"
#define DEVICE "/api.DeviceService/"

static const struct {
    const char *path;
    size_t (*ask) (self_t *self, job_t *job);
    void (*got) (self_t *self, job_t *job, fuota_slice_t message, int64_t now);
    const char *gone;  //  Said if there is no such thing; NULL: as if done
} s_steps [FUOTA_CALLS] = {
    [FUOTA_CALL_FIND] = { GROUP "List", s_ask_find, s_got_find,
        "no such application" },
    [FUOTA_CALL_CREATE] = { GROUP "Create", s_ask_create, s_got_create,
        "no such application" },
    [FUOTA_CALL_GATEWAY] = { GROUP "AddGateway", s_ask_gateway, s_got_gateway,
        "gateway is not one of the tenant's" },
    [FUOTA_CALL_DELETE] = { GROUP "Delete", s_ask_group, s_got_done, NULL },
    [FUOTA_CALL_FLUSH] = { GROUP "FlushQueue", s_ask_group, s_got_done, NULL },
    [FUOTA_CALL_COUNTER] = { GROUP "Get", s_ask_group, s_got_counter,
        "multicast group is gone" },
    [FUOTA_CALL_GROUP] = { GROUP "Get", s_ask_group, s_got_group,
        "multicast group is gone" },
    [FUOTA_CALL_SIZE] = { "/api.GatewayService/List", s_ask_size, s_got_size,
        "multicast group is gone" },
    [FUOTA_CALL_ENQUEUE] = { GROUP "Enqueue", s_ask_fragment, s_got_enqueue,
        "multicast group is gone" },
    [FUOTA_CALL_CHECK] = { GROUP "Get", s_ask_group, s_got_check,
        "multicast group is gone" },
    [FUOTA_CALL_DEVICE] = { DEVICE "Get", s_ask_device, s_got_device,
        "no such device" },
    [FUOTA_CALL_PROFILE] = { "/api.DeviceProfileService/Get", s_ask_profile,
        s_got_profile, "device profile is gone" },
    [FUOTA_CALL_KEYS] = { DEVICE "GetKeys", s_ask_device, s_got_keys,
        "device has no root keys" },
    [FUOTA_CALL_PUT] = { DEVICE "Enqueue", s_ask_put, s_got_put,
        "no such device" },
    [FUOTA_CALL_LOOK] = { DEVICE "GetQueue", s_ask_device, s_got_look,
        "no such device" },
    [FUOTA_CALL_TAGS] = { DEVICE "Get", s_ask_device, s_got_tags,
        "no such device" },
    [FUOTA_CALL_UPDATE] = { DEVICE "Update", NULL, s_got_done,
        "no such device" },
    [FUOTA_CALL_PROBE] = { "/api.ApplicationService/Get", s_ask_probe, NULL,
        NULL },
};

void
fuota_chirpstack_request (fuota_chirpstack_t *self, fuota_chirpstack_job_t *job,
    fuota_chirpstack_call_t *call)
{
    call->path = s_steps [job->step].path;
    if (job->step == FUOTA_CALL_UPDATE)
        call->message = fuota_slice (job->update, job->update_size);
    else {
        size_t size = s_steps [job->step].ask (self, job);
        call->message = fuota_slice (size ? self->request : NULL, size);
    }
}

//  ---------------------------------------------------------------------
//  What else an answer may be

static void
s_gone (self_t *self, job_t *job, fuota_chirpstack_step_t step, int64_t now)
{
    const char *words = s_steps [step].gone;
    char text [64];
    if (step == FUOTA_CALL_GATEWAY) {
        char eui [17];
        fuota_chirpstack_eui (job->want.gateways [job->gateway], eui);
        snprintf (text, sizeof text, "gateway %s is not one of the tenant's",
            eui);
        words = text;
    }
    fuota_chirpstack_finish (self, job, words ? FUOTA_NEVER : FUOTA_DONE,
        words ? words : "", now);
}

//  With a tenant's key the host says the same of what does not exist and of a
//  key that was revoked. Something that must exist tells them apart: without
//  that, one deleted device would stop everything, or one revoked key end
//  every deployment.
static void
s_unsure (self_t *self, job_t *job, int64_t now)
{
    if (!s_application (self, job)) {
        fuota_chirpstack_finish (self, job, FUOTA_RETRY,
            "API: no access, or no such thing", now);
        return;
    }
    job->before = job->step;
    s_go (job, FUOTA_CALL_PROBE);
}

static void
s_probed (self_t *self, job_t *job, fuota_chirpstack_answer_t answer,
    int64_t now)
{
    if (answer == FUOTA_ANSWER_GOOD || answer == FUOTA_ANSWER_GONE)
        s_gone (self, job, job->before, now);
    else {
        self->stats.refused_token +=
            answer == FUOTA_ANSWER_TOKEN || answer == FUOTA_ANSWER_UNSURE;
        fuota_chirpstack_finish (self, job, FUOTA_RETRY, "API: no access", now);
    }
}

//  A call that may have been carried out: ask where it matters.
static void
s_lost (self_t *self, job_t *job, const char *text, int64_t now)
{
    if (job->step == FUOTA_CALL_ENQUEUE || job->step == FUOTA_CALL_PUT) {
        s_go (job,
            job->step == FUOTA_CALL_PUT ? FUOTA_CALL_LOOK : FUOTA_CALL_CHECK);
        job->wake_at = now + GRACE;
        job->give_up = now + LOOKING;
    }
    else if (job->step == FUOTA_CALL_CHECK ||
             (job->step == FUOTA_CALL_LOOK && now < job->give_up))
        job->wake_at = now + AGAIN;
    else
        fuota_chirpstack_finish (self, job, FUOTA_RETRY, text, now);
}

void
fuota_chirpstack_step (fuota_chirpstack_t *self, fuota_chirpstack_job_t *job,
    fuota_chirpstack_answer_t answer, const char *text, fuota_slice_t message,
    int64_t now)
{
    bool asking = job->step == FUOTA_CALL_CHECK || job->step == FUOTA_CALL_LOOK;
    if (job->step == FUOTA_CALL_PROBE) {
        s_probed (self, job, answer, now);
        return;
    }
    if (answer == FUOTA_ANSWER_LATER && asking)
        answer = FUOTA_ANSWER_LOST;
    switch (answer) {
        case FUOTA_ANSWER_GOOD:
            s_steps [job->step].got (self, job, message, now);
            break;
        case FUOTA_ANSWER_LOST:
            s_lost (self, job, text, now);
            break;
        case FUOTA_ANSWER_GONE:
            s_gone (self, job, job->step, now);
            break;
        case FUOTA_ANSWER_UNSURE:
            s_unsure (self, job, now);
            break;
        case FUOTA_ANSWER_TOKEN:
            self->stats.refused_token++;
            if (job->step == FUOTA_CALL_CHECK)
                job->wake_at = now + AGAIN;
            else
                fuota_chirpstack_finish (self, job, FUOTA_RETRY, text, now);
            break;
        default:
            if (answer == FUOTA_ANSWER_ALREADY &&
                job->step == FUOTA_CALL_GATEWAY)
                s_got_gateway (self, job, message, now);
            else
                fuota_chirpstack_finish (self, job,
                    answer == FUOTA_ANSWER_LATER ? FUOTA_RETRY : FUOTA_NEVER,
                    text, now);
    }
}

//  ---------------------------------------------------------------------
//  The first step

void
fuota_chirpstack_begin (fuota_chirpstack_t *self, fuota_chirpstack_job_t *job,
    int64_t now)
{
    static const fuota_chirpstack_step_t first [] = {
        [FUOTA_GROUP_CREATE] = FUOTA_CALL_FIND,
        [FUOTA_GROUP_DELETE] = FUOTA_CALL_DELETE,
        [FUOTA_FLUSH] = FUOTA_CALL_FLUSH,
        [FUOTA_COUNTER] = FUOTA_CALL_COUNTER,
        [FUOTA_KEYS] = FUOTA_CALL_DEVICE,
        [FUOTA_TAGS] = FUOTA_CALL_TAGS,
    };
    job->wake_at = now;
    job->gateway = 0;
    if (job->want.kind == FUOTA_FRAGMENT)
        s_fragment (self, job);
    else if (job->want.kind != FUOTA_UNICAST)
        s_go (job, first [job->want.kind]);
    else if (!self->config.unicast_mqtt)
        s_go (job, FUOTA_CALL_PUT);
    else if (fuota_chirpstack_book_where (&self->book, job->want.dev_eui))
        s_go (job, FUOTA_PUBLISH);
    else
        s_go (job, FUOTA_CALL_DEVICE);
}
