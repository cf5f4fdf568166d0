//  SPDX-License-Identifier: MIT
//
//  The steps that are calls about a device: what each asks and what its answer
//  means. Parts: requests; answers; the steps.

#include <stdlib.h>
#include "broker/host/chirpstack_private.h"
#include "broker/host/chirpstack_text.h"
#include "workers/package/mckey.h"

#define PROFILE_TIME 300000  //  An operator may change it
#define LOOKING 15000        //  At least; then the command is put there again
#define DEVICE "/api.DeviceService/"

typedef fuota_chirpstack_t self_t;
typedef fuota_chirpstack_job_t job_t;

//  ---------------------------------------------------------------------
//  Requests

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

//  ---------------------------------------------------------------------
//  Answers

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
        fuota_chirpstack_nonsense (self, job, now);
        return;
    }
    fuota_chirpstack_book_place (&self->book, job->want.dev_eui, application);
    memcpy (job->want.application, application, sizeof application);
    if (job->want.kind == FUOTA_UNICAST) {
        job->step = FUOTA_PUBLISH;
        return;
    }
    fuota_chirpstack_profile_t *profile = s_profile (self, job->profile, now);
    job->lorawan_1_1 = profile && profile->lorawan_1_1;
    job->step = profile ? FUOTA_CALL_KEYS : FUOTA_CALL_PROFILE;
}

static void
s_got_profile (self_t *self, job_t *job, fuota_slice_t message, int64_t now)
{
    if (fuota_chirpstack_got_profile (message, &job->lorawan_1_1)) {
        fuota_chirpstack_nonsense (self, job, now);
        return;
    }
    fuota_chirpstack_profile_t *profile =
        &self->profiles [self->profile_at++ % FUOTA_CHIRPSTACK_PROFILES];
    memcpy (profile->id, job->profile, sizeof profile->id);
    profile->lorawan_1_1 = job->lorawan_1_1;
    profile->until = now + PROFILE_TIME;
    job->step = FUOTA_CALL_KEYS;
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
        fuota_chirpstack_nonsense (self, job, now);
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

void
fuota_chirpstack_look (job_t *job, int64_t now)
{
    job->step = FUOTA_CALL_LOOK;
    job->wake_at = now + FUOTA_CHIRPSTACK_GRACE;
    job->give_up = job->wake_at + LOOKING;
    if (job->give_up < job->want.expires_at)
        job->give_up = job->want.expires_at;
}

//  What an earlier life has put there, or is just putting, is known by its
//  payload only.
void
fuota_chirpstack_put (job_t *job, int64_t now)
{
    if (job->want.perhaps)
        fuota_chirpstack_look (job, now);
    else
        job->step = FUOTA_CALL_PUT;
}

static void
s_got_put (self_t *self, job_t *job, fuota_slice_t message, int64_t now)
{
    char id [41];
    if (fuota_chirpstack_got_id (message, id))
        fuota_chirpstack_lost (self, job, "", now);
    else
        s_queued (self, job, id, now);
}

//  What cannot be read does not say that the command is not there.
static void
s_got_look (self_t *self, job_t *job, fuota_slice_t message, int64_t now)
{
    char id [41];
    int rc = fuota_chirpstack_got_queue (message, &job->want, id);
    if (rc == FUOTA_ENOTFOUND && job->want.perhaps) {
        job->want.perhaps = false;
        job->step = FUOTA_CALL_PUT;
    }
    else if (rc == FUOTA_ENOTFOUND)
        fuota_chirpstack_finish (self, job, FUOTA_RETRY, "not queued", now);
    else if (rc)
        fuota_chirpstack_lost (self, job,
            "answer of the host was not understood", now);
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
        fuota_chirpstack_nonsense (self, job, now);
    else
        job->step = FUOTA_CALL_UPDATE;
}

//  ---------------------------------------------------------------------
//  The steps

const fuota_chirpstack_row_t *
fuota_chirpstack_device_row (fuota_chirpstack_step_t step)
{
    static const fuota_chirpstack_row_t rows [FUOTA_CALL_PROBE] = {
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
        [FUOTA_CALL_UPDATE] = { DEVICE "Update", NULL, fuota_chirpstack_done,
            "no such device" },
    };
    return step < FUOTA_CALL_PROBE && rows [step].path ? &rows [step] : NULL;
}
