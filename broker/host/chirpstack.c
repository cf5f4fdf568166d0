//  SPDX-License-Identifier: MIT
//
//  Parts: outcomes; jobs; calls and publications; time. What is heard:
//  chirpstack_heard.c.

#include <stdio.h>
#include <stdlib.h>
#include "broker/host/chirpstack_private.h"
#include "broker/host/chirpstack_text.h"
#include "workers/package/mckey.h"

#define PATIENCE 20000  //  For the broker's word on a publication
#define SWEEP 60000
#define LINGER 120000  //  Txack of an item, after it has expired

void
fuota_chirpstack_defaults (fuota_chirpstack_config_t *config)
{
    *config = (fuota_chirpstack_config_t){ .unicast_mqtt = true,
        .answer_limit = 100 };
    strcpy (config->event_topic,
        "application/{{application_id}}/device/{{dev_eui}}/event/{{event}}");
    strcpy (config->command_topic,
        "application/{{application_id}}/device/{{dev_eui}}/command/"
        "{{command}}");
}

fuota_chirpstack_t *
fuota_chirpstack_new (const fuota_chirpstack_config_t *config)
{
    fuota_chirpstack_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->config = *config;
    self->json = config->encoding != FUOTA_CHIRPSTACK_PROTOBUF;
    return self;
}

void
fuota_chirpstack_destroy (fuota_chirpstack_t **self_p)
{
    fuota_chirpstack_t *self = *self_p;
    if (!self)
        return;
    for (unsigned i = 0; i < FUOTA_CHIRPSTACK_JOBS; i++)
        free (self->jobs [i].update);
    for (unsigned i = 0; i < FUOTA_INQUIRIES; i++)
        free (self->inquiries [i]);
    fuota_chirpstack_book_release (&self->book);
    fuota_mckey_wipe (self, sizeof *self);
    free (self);
    *self_p = NULL;
}

bool
fuota_chirpstack_subscription (const fuota_chirpstack_t *self, unsigned i,
    char *filter, size_t size)
{
    static const char *const tails [] = { "command/down", "event/ack" };
    const char *share = self->config.share;
    if (i == 0) {
        int at = snprintf (filter, size, "%s%s%s", *share ? "$share/" : "",
            share, *share ? "/" : "");
        return at >= 0 && (size_t) at < size &&
               fuota_chirpstack_filter (self->config.event_topic, filter + at,
                   size - (size_t) at);
    }
    if (i > 2 || !self->config.gateway_prefix [0])
        return false;
    int used = snprintf (filter, size, "%s/gateway/+/%s",
        self->config.gateway_prefix, tails [i - 1]);
    return used > 0 && (size_t) used < size;
}

//  ---------------------------------------------------------------------
//  Outcomes

fuota_outcome_t *
fuota_chirpstack_add (fuota_chirpstack_t *self)
{
    //  The shell takes them each turn, and a turn makes fewer. Should it not,
    //  the oldest is lost, and its row is asked for again
    if (self->outcome_count == FUOTA_CHIRPSTACK_OUTCOMES) {
        self->outcome_first++;
        self->outcome_count--;
    }
    return &self->outcomes [(self->outcome_first + self->outcome_count++) %
                            FUOTA_CHIRPSTACK_OUTCOMES];
}

fuota_outcome_t *
fuota_chirpstack_say (fuota_chirpstack_t *self, const fuota_downlink_t *want,
    OutcomeKind kind, int64_t now)
{
    fuota_outcome_t *outcome = fuota_chirpstack_add (self);
    *outcome = (fuota_outcome_t){ .kind = kind,
        .row = want->row,
        .dev_eui = want->dev_eui,
        .owner = want->owner,
        .f_cnt = want->f_cnt,
        .at = now };
    memcpy (outcome->deployment, want->deployment, sizeof outcome->deployment);
    return outcome;
}

bool
fuota_chirpstack_outcome (fuota_chirpstack_t *self, fuota_outcome_t *outcome)
{
    if (!self->outcome_count)
        return false;
    fuota_outcome_t *first =
        &self->outcomes [self->outcome_first++ % FUOTA_CHIRPSTACK_OUTCOMES];
    self->outcome_count--;
    *outcome = *first;
    fuota_mckey_wipe (first, sizeof *first);
    return true;
}

//  ---------------------------------------------------------------------
//  Jobs

static fuota_chirpstack_job_t *
s_job (fuota_chirpstack_t *self, uint64_t row, uint32_t owner)
{
    for (unsigned i = 0; i < FUOTA_CHIRPSTACK_JOBS; i++)
        if (self->jobs [i].used && !self->jobs [i].own &&
            self->jobs [i].want.row == row &&
            self->jobs [i].want.owner == owner)
            return &self->jobs [i];
    return NULL;
}

fuota_chirpstack_job_t *
fuota_chirpstack_job (fuota_chirpstack_t *self)
{
    for (unsigned i = 0; i < FUOTA_CHIRPSTACK_JOBS; i++) {
        fuota_chirpstack_job_t *job = &self->jobs [i];
        if (job->used)
            continue;
        *job =
            (fuota_chirpstack_job_t){ .used = true, .serial = ++self->serial };
        self->stats.jobs++;
        return job;
    }
    return NULL;
}

void
fuota_chirpstack_take (fuota_chirpstack_t *self,
    const fuota_downlink_t *downlink, int64_t now)
{
    fuota_chirpstack_job_t *job = s_job (self, downlink->row, downlink->owner);
    if (job) {
        if (job->want.kind == downlink->kind)
            return;  //  It is being worked on
        job->want = *downlink;
        job->changed = job->flying;
        if (!job->flying)
            fuota_chirpstack_begin (self, job, now);
        return;
    }
    bool known = (unsigned) downlink->kind <= FUOTA_TAGS;
    job = known ? fuota_chirpstack_job (self) : NULL;
    if (!job) {
        fuota_chirpstack_say (self, downlink, known ? FUOTA_RETRY : FUOTA_NEVER,
            now);
        return;
    }
    job->want = *downlink;
    fuota_chirpstack_begin (self, job, now);
}

void
fuota_chirpstack_free (fuota_chirpstack_t *self, fuota_chirpstack_job_t *job)
{
    free (job->update);
    fuota_mckey_wipe (job, sizeof *job);
    self->stats.jobs--;
}

void
fuota_chirpstack_finish (fuota_chirpstack_t *self, fuota_chirpstack_job_t *job,
    OutcomeKind kind, const char *words, int64_t now)
{
    if (job->own) {
        fuota_chirpstack_free (self, job);
        return;
    }
    fuota_outcome_t *outcome =
        fuota_chirpstack_say (self, &job->want, kind, now);
    snprintf (outcome->words, sizeof outcome->words, "%.*s",
        (int) sizeof outcome->words - 1, words);
    if (job->want.kind == FUOTA_FRAGMENT && kind != FUOTA_TAKEN)
        fuota_chirpstack_air_forget (&self->air, job->want.row,
            job->want.owner);
    fuota_chirpstack_free (self, job);
}

bool
fuota_chirpstack_queued (fuota_chirpstack_t *self, const fuota_downlink_t *want,
    const char *item, int64_t now)
{
    OutcomeKind fate;
    int64_t until = want->expires_at > now ? want->expires_at : now;
    fuota_chirpstack_wait_t wait = { .row = want->row,
        .dev_eui = want->dev_eui,
        .owner = want->owner,
        .until = until + LINGER };
    memcpy (wait.deployment, want->deployment, sizeof wait.deployment);
    if (!fuota_chirpstack_unuuid (item, wait.item))
        return false;  //  It cannot be known; the outbox gives it up in time
    if (!fuota_chirpstack_book_wait (&self->book, &wait, &fate))
        return false;
    fuota_chirpstack_say (self, want, fate, now);
    return true;
}

//  ---------------------------------------------------------------------
//  Calls and publications

//  The next job with something to ask or, if publish, to publish.
static fuota_chirpstack_job_t *
s_ready (fuota_chirpstack_t *self, bool publish, int64_t now)
{
    if (!self->stats.jobs)
        return NULL;
    for (unsigned i = 0; i < FUOTA_CHIRPSTACK_JOBS; i++) {
        unsigned at = (self->job_at + i) % FUOTA_CHIRPSTACK_JOBS;
        fuota_chirpstack_job_t *job = &self->jobs [at];
        if (job->used && !job->flying && job->wake_at <= now &&
            (job->step == FUOTA_PUBLISH) == publish) {
            self->job_at = at + 1;
            return job;
        }
    }
    return NULL;
}

static uint64_t
s_tag (const fuota_chirpstack_t *self, const fuota_chirpstack_job_t *job)
{
    return (uint64_t) job->serial << 16 | (uint64_t) (job - self->jobs);
}

static fuota_chirpstack_job_t *
s_tagged (fuota_chirpstack_t *self, uint64_t tag)
{
    uint64_t at = tag & 0xffff;
    if (at >= FUOTA_CHIRPSTACK_JOBS)
        return NULL;
    fuota_chirpstack_job_t *job = &self->jobs [at];
    return job->used && job->flying && job->serial == tag >> 16 ? job : NULL;
}

bool
fuota_chirpstack_call (fuota_chirpstack_t *self, int64_t now,
    fuota_chirpstack_call_t *call)
{
    fuota_mckey_wipe (self->request, sizeof self->request);
    for (;;) {
        fuota_chirpstack_job_t *job = s_ready (self, false, now);
        if (!job)
            return fuota_chirpstack_watched_call (self, now, call) ||
                   fuota_chirpstack_inquiry_call (self, call);
        fuota_chirpstack_request (self, job, call);
        if (!call->message.data) {
            fuota_chirpstack_finish (self, job, FUOTA_NEVER,
                "request cannot be written", now);
            continue;
        }
        //  A fragment that waits for a connection must not come too late, for
        //  the host takes it, numbers it and drops it without a word
        call->until = job->step == FUOTA_CALL_ENQUEUE && job->want.expires_at
                          ? job->want.expires_at
                          : INT64_MAX;
        job->flying = true;
        job->serial = ++self->serial;
        call->tag = s_tag (self, job);
        self->stats.calls++;
        if (job->step == FUOTA_CALL_PUT)
            fuota_chirpstack_answered (self, &job->want, now);
        return true;
    }
}

void
fuota_chirpstack_answer (fuota_chirpstack_t *self, uint64_t tag, int status,
    bool unprocessed, const char *text, fuota_slice_t message, int64_t now)
{
    fuota_chirpstack_answer_t answer =
        fuota_chirpstack_classify (status, unprocessed, text);
    uint64_t at = tag & 0xffff;
    if (at >= FUOTA_CHIRPSTACK_WATCHED) {
        fuota_chirpstack_watched_answer (self, tag, answer, message, now);
        return;
    }
    if (at >= FUOTA_CHIRPSTACK_JOBS) {
        fuota_chirpstack_inquiry_answer (self,
            (unsigned) at - FUOTA_CHIRPSTACK_JOBS, (uint32_t) (tag >> 16),
            answer, text, message);
        return;
    }
    fuota_chirpstack_job_t *job = s_tagged (self, tag);
    if (!job)
        return;
    self->stats.failed += answer != FUOTA_ANSWER_GOOD;
    self->stats.lost += answer == FUOTA_ANSWER_LOST;
    job->flying = false;
    job->wake_at = now;
    if (job->changed) {
        job->changed = false;
        fuota_chirpstack_begin (self, job, now);
    }
    else
        fuota_chirpstack_step (self, job, answer, text, message, now);
}

//  The UUID of a row: version 8, so nobody else's. A repeat has the same.
static void
s_item (const fuota_chirpstack_t *self, const fuota_downlink_t *want,
    char item [37])
{
    uint8_t bytes [16];
    fuota_writer_t writer = fuota_writer (bytes, sizeof bytes);
    fuota_writer_be (&writer, want->row >> 16, 6);
    fuota_writer_u8 (&writer, 0x80 | (want->owner & 15));
    fuota_writer_u8 (&writer, 'f');
    fuota_writer_u8 (&writer, 0x80 | ('u' & 0x3f));
    fuota_writer_u8 (&writer, 'o');
    fuota_writer_be (&writer, want->row & 0xffff, 2);
    fuota_writer_be (&writer, self->config.instance, 4);
    fuota_chirpstack_uuid (bytes, item);
}

bool
fuota_chirpstack_publish (fuota_chirpstack_t *self, int64_t now,
    fuota_chirpstack_publication_t *publication)
{
    fuota_chirpstack_job_t *job = s_ready (self, true, now);
    if (!job)
        return false;
    const fuota_downlink_t *want = &job->want;
    fuota_chirpstack_topic_t topic = { .word = "down" };
    const char *application =
        fuota_chirpstack_book_where (&self->book, want->dev_eui);
    snprintf (topic.application, sizeof topic.application, "%s",
        application ? application : want->application);
    fuota_chirpstack_eui (want->dev_eui, topic.dev_eui);
    s_item (self, want, job->item);
    size_t size = fuota_chirpstack_command (want, job->item, self->json,
        self->request, sizeof self->request);
    if (!size || !fuota_chirpstack_fill (self->config.command_topic, &topic,
                     self->topic, sizeof self->topic)) {
        fuota_chirpstack_finish (self, job, FUOTA_NEVER,
            "command cannot be written", now);
        return fuota_chirpstack_publish (self, now, publication);
    }
    //  Its txack may overtake the broker's word. One that is there already is
    //  of an earlier life of the engine, in which it was published
    if (fuota_chirpstack_queued (self, want, job->item, now)) {
        fuota_chirpstack_free (self, job);
        return fuota_chirpstack_publish (self, now, publication);
    }
    fuota_chirpstack_answered (self, want, now);
    job->flying = true;
    job->serial = ++self->serial;
    job->wake_at = now + PATIENCE;
    publication->tag = s_tag (self, job);
    publication->topic = self->topic;
    publication->body = fuota_slice (self->request, size);
    return true;
}

void
fuota_chirpstack_published (fuota_chirpstack_t *self, uint64_t tag, bool done,
    int64_t now)
{
    fuota_chirpstack_job_t *job = s_tagged (self, tag);
    if (!job || job->step != FUOTA_PUBLISH)
        return;
    fuota_chirpstack_finish (self, job, done ? FUOTA_TAKEN : FUOTA_RETRY,
        done ? "" : "MQTT broker away", now);
}

//  ---------------------------------------------------------------------
//  Time

void
fuota_chirpstack_tick (fuota_chirpstack_t *self, int64_t now)
{
    for (unsigned i = 0; self->stats.jobs && i < FUOTA_CHIRPSTACK_JOBS; i++) {
        fuota_chirpstack_job_t *job = &self->jobs [i];
        if (job->used && job->flying && job->step == FUOTA_PUBLISH &&
            job->wake_at <= now)
            fuota_chirpstack_finish (self, job, FUOTA_RETRY,
                "no word of the MQTT broker", now);
    }
    fuota_chirpstack_air (self, now);
    fuota_chirpstack_states_begin (self, now);
    if (now >= self->sweep_at) {
        fuota_chirpstack_book_sweep (&self->book, now);
        self->sweep_at = now + SWEEP;
    }
}

int64_t
fuota_chirpstack_due (const fuota_chirpstack_t *self)
{
    int64_t due = fuota_chirpstack_air_due (&self->air);
    if (self->tenant_count && self->states_at < due)
        due = self->states_at;
    if (self->book.wait_count && self->sweep_at < due)
        due = self->sweep_at;
    for (unsigned i = 0; self->stats.jobs && i < FUOTA_CHIRPSTACK_JOBS; i++) {
        const fuota_chirpstack_job_t *job = &self->jobs [i];
        if (job->used && (!job->flying || job->step == FUOTA_PUBLISH) &&
            job->wake_at < due)
            due = job->wake_at;
    }
    return due;
}

void
fuota_chirpstack_stats (const fuota_chirpstack_t *self,
    fuota_chirpstack_stats_t *stats)
{
    *stats = self->stats;
    stats->waiting = self->book.wait_count;
    stats->frames = self->air.frame_count;
    stats->acks = self->air.ack_count;
}
