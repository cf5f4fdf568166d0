//  SPDX-License-Identifier: MIT
//
//  Any step of a job. Parts: which step; what any answer may be; the first
//  step. What is particular to a call is in chirpstack_group.c and
//  chirpstack_device.c.

#include <stdio.h>
#include "broker/host/chirpstack_private.h"
#include "broker/host/chirpstack_text.h"

typedef fuota_chirpstack_t self_t;
typedef fuota_chirpstack_job_t job_t;

//  ---------------------------------------------------------------------
//  Which step

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

static const fuota_chirpstack_row_t *
s_row (fuota_chirpstack_step_t step)
{
    static const fuota_chirpstack_row_t probe = { "/api.ApplicationService/Get",
        s_ask_probe, NULL, NULL };
    const fuota_chirpstack_row_t *row = fuota_chirpstack_group_row (step);
    if (step == FUOTA_CALL_STATES)
        return &fuota_chirpstack_states_row;
    if (!row)
        row = fuota_chirpstack_device_row (step);
    return row ? row : &probe;
}

void
fuota_chirpstack_request (fuota_chirpstack_t *self, fuota_chirpstack_job_t *job,
    fuota_chirpstack_call_t *call)
{
    const fuota_chirpstack_row_t *row = s_row (job->step);
    call->path = row->path;
    if (job->step == FUOTA_CALL_UPDATE)
        call->message = fuota_slice (job->update, job->update_size);
    else {
        size_t size = row->ask (self, job);
        call->message = fuota_slice (size ? self->request : NULL, size);
    }
}

//  ---------------------------------------------------------------------
//  What any answer may be. What was not understood is as good as an answer
//  that is lost.

void
fuota_chirpstack_nonsense (self_t *self, job_t *job, int64_t now)
{
    fuota_chirpstack_finish (self, job, FUOTA_RETRY,
        "answer of the host was not understood", now);
}

void
fuota_chirpstack_done (self_t *self, job_t *job, fuota_slice_t message,
    int64_t now)
{
    (void) message;
    fuota_chirpstack_finish (self, job, FUOTA_DONE, "", now);
}

static void
s_gone (self_t *self, job_t *job, fuota_chirpstack_step_t step, int64_t now)
{
    const char *words = s_row (step)->gone;
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

//  Is it asked what became of another call?
static bool
s_asking (fuota_chirpstack_step_t step)
{
    return step == FUOTA_CALL_CHECK || step == FUOTA_CALL_LOOK;
}

//  A call that may have been carried out: ask where it matters.
void
fuota_chirpstack_lost (self_t *self, job_t *job, const char *text, int64_t now)
{
    if (job->step == FUOTA_CALL_PUT)
        fuota_chirpstack_look (job, now);
    else if (job->step == FUOTA_CALL_ENQUEUE) {
        job->step = FUOTA_CALL_CHECK;
        job->wake_at = now + FUOTA_CHIRPSTACK_GRACE;
    }
    else if (job->step == FUOTA_CALL_CHECK ||
             (job->step == FUOTA_CALL_LOOK && now < job->give_up))
        job->wake_at = now + FUOTA_CHIRPSTACK_AGAIN;
    else
        fuota_chirpstack_finish (self, job, FUOTA_RETRY, text, now);
}

//  That says nothing of what may have been carried out before.
static void
s_no_access (self_t *self, job_t *job, const char *text, int64_t now)
{
    if (s_asking (job->step))
        fuota_chirpstack_lost (self, job, text, now);
    else
        fuota_chirpstack_finish (self, job, FUOTA_RETRY, text, now);
}

//  With a tenant's key the host says the same of what does not exist and of a
//  key that was revoked. Something that must exist tells them apart: without
//  that, one deleted device would stop everything, or one revoked key end
//  every deployment. Then once more, for there may be access again only now.
static void
s_unsure (self_t *self, job_t *job, int64_t now)
{
    if (job->probed)
        s_gone (self, job, job->step, now);
    else if (!s_application (self, job))
        s_no_access (self, job, "API: no access, or no such thing", now);
    else {
        job->before = job->step;
        job->step = FUOTA_CALL_PROBE;
    }
}

static void
s_probed (self_t *self, job_t *job, fuota_chirpstack_answer_t answer,
    int64_t now)
{
    job->step = job->before;
    job->probed = answer == FUOTA_ANSWER_GOOD || answer == FUOTA_ANSWER_GONE;
    if (job->probed)
        return;
    self->stats.refused_token +=
        answer == FUOTA_ANSWER_TOKEN || answer == FUOTA_ANSWER_UNSURE;
    s_no_access (self, job, "API: no access", now);
}

void
fuota_chirpstack_step (fuota_chirpstack_t *self, fuota_chirpstack_job_t *job,
    fuota_chirpstack_answer_t answer, const char *text, fuota_slice_t message,
    int64_t now)
{
    if (job->step == FUOTA_CALL_PROBE) {
        s_probed (self, job, answer, now);
        return;
    }
    if (job->step == FUOTA_CALL_QUEUE && answer != FUOTA_ANSWER_GOOD) {
        //  The fragment was taken, whatever is answered now
        if (answer == FUOTA_ANSWER_GONE)
            job->give_up = now;
        fuota_chirpstack_queue_again (self, job, now);
        return;
    }
    job->probed = job->probed && answer == FUOTA_ANSWER_UNSURE;
    if (answer == FUOTA_ANSWER_LATER && s_asking (job->step))
        answer = FUOTA_ANSWER_LOST;
    switch (answer) {
        case FUOTA_ANSWER_GOOD:
            s_row (job->step)->got (self, job, message, now);
            break;
        case FUOTA_ANSWER_LOST:
            fuota_chirpstack_lost (self, job, text, now);
            break;
        case FUOTA_ANSWER_GONE:
            s_gone (self, job, job->step, now);
            break;
        case FUOTA_ANSWER_UNSURE:
            s_unsure (self, job, now);
            break;
        case FUOTA_ANSWER_TOKEN:
            self->stats.refused_token++;
            s_no_access (self, job, text, now);
            break;
        default:
            if (answer == FUOTA_ANSWER_ALREADY &&
                job->step == FUOTA_CALL_GATEWAY)
                s_row (job->step)->got (self, job, message, now);
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
    //  An earlier life's Create may still be carried out: not looked for too
    //  early
    if (job->want.kind == FUOTA_GROUP_CREATE && job->want.perhaps)
        job->wake_at = now + FUOTA_CHIRPSTACK_GRACE;
    if (job->want.kind == FUOTA_FRAGMENT)
        fuota_chirpstack_fragment (self, job);
    else if (job->want.kind != FUOTA_UNICAST)
        job->step = first [job->want.kind];
    else if (!self->config.unicast_mqtt)
        fuota_chirpstack_put (job, now);
    else if (fuota_chirpstack_book_where (&self->book, job->want.dev_eui))
        job->step = FUOTA_PUBLISH;
    else
        job->step = FUOTA_CALL_DEVICE;
}
