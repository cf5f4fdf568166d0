//  SPDX-License-Identifier: MIT

#include <assert.h>
#include <stdio.h>
#include "fec_worker/job.h"

#define BACK_OFF 100
#define BACK_OFF_MAX 30000

void
fuota_job_init (fuota_job_t *self, const Hello *hello)
{
    *self = (fuota_job_t){ .hello = *hello,
        .beat = FUOTA_JOB_BEAT,
        .seed = hello->instance };
    self->hello.version = FUOTA_FEC_VERSION;
    self->hello.slots = FUOTA_JOB_SLOTS;
}

void
fuota_job_connect (fuota_job_t *self, int64_t now)
{
    self->count = self->ready = self->told = 0;
    self->welcome = false;
    self->hello_due = true;
    self->seen = now;
    self->attempts++;
}

static void
s_hello (fuota_job_t *self, const Hello *hello)
{
    if (hello->again) {
        //  The pool has forgotten us, and our leases with us
        self->count = self->ready = self->told = 0;
        self->hello_due = true;
        return;
    }
    self->welcome = true;
    self->attempts = 0;
    self->beat = hello->beat ? hello->beat : FUOTA_JOB_BEAT;
}

void
fuota_job_take (fuota_job_t *self, const fuota_fec_message_t *message,
    int64_t now)
{
    self->seen = now;
    if (message->kind == FUOTA_FEC_HELLO)
        s_hello (self, &message->as.hello);
    else if (message->kind == FUOTA_FEC_DRAIN) {
        if (message->as.drain.at_once)
            self->count = self->ready = self->told = 0;
        fuota_job_drain (self, message->as.drain.words);
    }
    else if (message->kind == FUOTA_FEC_GRANT && !self->draining &&
             self->count < FUOTA_JOB_SLOTS)
        self->line [self->count++] =
            (fuota_job_lease_t){ .grant = message->as.grant };
}

const Grant *
fuota_job_work (const fuota_job_t *self, uint32_t i)
{
    return self->ready + i < self->count ? &self->line [self->ready + i].grant
                                         : NULL;
}

void
fuota_job_computed (fuota_job_t *self, DoneKind kind, uint64_t work)
{
    assert (self->ready < self->count);
    fuota_job_lease_t *lease = &self->line [self->ready++];
    lease->kind = kind;
    lease->work = work;
    if (kind == FUOTA_FEC_DONE)
        self->blocks += lease->grant.count;
}

void
fuota_job_flushed (fuota_job_t *self, bool good)
{
    for (uint32_t i = self->told; !good && i < self->ready; i++)
        self->line [i].kind = FUOTA_FEC_FAILED;
    self->told = self->ready;
}

static void
s_done (fuota_job_t *self, Done *done)
{
    const fuota_job_lease_t *lease = &self->line [0];
    *done = (Done){ .lease = lease->grant.lease,
        .has_parity = true,
        .parity = lease->grant.parity,
        .first = lease->grant.first,
        .count = lease->grant.count,
        .kind = lease->kind,
        .work = lease->work };
    self->count--;
    self->ready--;
    self->told--;
    memmove (self->line, self->line + 1, self->count * sizeof *self->line);
}

bool
fuota_job_send (fuota_job_t *self, fuota_fec_message_t *message, int64_t now)
{
    *message = (fuota_fec_message_t){ .kind = FUOTA_FEC_BEAT };
    if (self->hello_due) {
        message->kind = FUOTA_FEC_HELLO;
        message->as.hello = self->hello;
        self->hello_due = false;
    }
    else if (self->told) {
        message->kind = FUOTA_FEC_END;
        s_done (self, &message->as.done);
    }
    else if (self->draining && !self->count && !self->over) {
        message->kind = FUOTA_FEC_DRAIN;
        memcpy (message->as.drain.words, self->words, sizeof self->words);
        self->over = true;
    }
    else if (!self->over && now - self->said >= self->beat)
        message->as.beat = (Beat){ self->count, self->blocks };
    else
        return false;
    self->said = now;
    return true;
}

void
fuota_job_drain (fuota_job_t *self, const char *words)
{
    if (!self->draining)
        snprintf (self->words, sizeof self->words, "%s", words);
    self->draining = true;
}

bool
fuota_job_over (const fuota_job_t *self)
{
    return self->over;
}

bool
fuota_job_lost (const fuota_job_t *self, int64_t now)
{
    return now - self->seen >= self->beat * FUOTA_JOB_MISSED;
}

int64_t
fuota_job_back_off (fuota_job_t *self)
{
    uint32_t doubled = self->attempts < 10 ? self->attempts : 10;
    int64_t wait = (int64_t) BACK_OFF << doubled;
    if (wait > BACK_OFF_MAX)
        wait = BACK_OFF_MAX;
    self->seed = self->seed * 6364136223846793005u + 1442695040888963407u;
    return wait / 2 + (int64_t) ((self->seed >> 33) % (uint64_t) wait);
}

int64_t
fuota_job_due (const fuota_job_t *self)
{
    int64_t lost = self->seen + self->beat * FUOTA_JOB_MISSED;
    int64_t beat = self->said + self->beat;
    return beat < lost ? beat : lost;
}
