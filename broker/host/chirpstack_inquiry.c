//  SPDX-License-Identifier: MIT
//
//  Parts: questions; calls and answers; what is told.

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "broker/host/chirpstack_private.h"

#define TRIES 3     //  Of a call whose answer is lost
#define CALLS 4096  //  A million devices are 2000 pages

typedef fuota_chirpstack_inquiry_t inquiry_t;

//  ---------------------------------------------------------------------
//  Questions

//  Is there something to tell?
static bool
s_ready (const inquiry_t *self)
{
    const fuota_answer_t *out = &self->out;
    return self->step == FUOTA_INQUIRE_OVER || out->findings_count ||
           out->kinds_count || out->devices_count || out->busy_count;
}

void
fuota_chirpstack_ask_host (fuota_chirpstack_t *self,
    const fuota_question_t *question, const fuota_chirpstack_links_t *links,
    int64_t now)
{
    unsigned i = 0;
    while (i < FUOTA_INQUIRIES && self->inquiries [i])
        i++;
    //  They are large and rare
    bool known = question->kind <= FUOTA_QUESTION_DEVICES;
    inquiry_t *inquiry =
        known && i < FUOTA_INQUIRIES ? calloc (1, sizeof *inquiry) : NULL;
    if (!inquiry) {
        self->busy = true;
        self->refusal =
            (fuota_answer_t){ .serial = question->serial, .last = true };
        strcpy (self->refusal.fault,
            known ? "busy with other questions"
                  : "the host does not know this question");
        return;
    }
    self->inquiries [i] = inquiry;
    inquiry->question = *question;
    inquiry->step =
        question->devices_count ? FUOTA_INQUIRE_DEVICE : FUOTA_INQUIRE_DEVICES;
    if (question->kind == FUOTA_QUESTION_CHECK)
        fuota_inquiry_check (self, inquiry, links, now);
    inquiry->ready = s_ready (inquiry);
}

//  ---------------------------------------------------------------------
//  Calls and answers

bool
fuota_chirpstack_inquiry_call (fuota_chirpstack_t *self,
    fuota_chirpstack_call_t *call)
{
    for (unsigned i = 0; i < FUOTA_INQUIRIES; i++) {
        inquiry_t *inquiry = self->inquiries [i];
        if (!inquiry || inquiry->flying || inquiry->ready)
            continue;
        const fuota_inquire_step_t *step = &fuota_inquire_steps [inquiry->step];
        size_t size = step->ask (inquiry, self->request, sizeof self->request);
        inquiry->flying = true;
        inquiry->serial = ++self->serial;
        call->tag =
            (uint64_t) inquiry->serial << 16 | (FUOTA_CHIRPSTACK_JOBS + i);
        call->path = step->path;
        call->message = fuota_slice (self->request, size);
        call->until = INT64_MAX;
        self->stats.calls++;
        return true;
    }
    return false;
}

static void
s_find (inquiry_t *self, FindingLevel level, const char *what,
    const char *words, const char *advice)
{
    size_t room = sizeof self->out.findings / sizeof *self->out.findings;
    assert (self->out.findings_count < room);
    fuota_finding_t *finding = &self->out.findings [self->out.findings_count++];
    *finding = (fuota_finding_t){ .level = level };
    snprintf (finding->what, sizeof finding->what, "%s", what);
    snprintf (finding->words, sizeof finding->words, "%s", words);
    snprintf (finding->advice, sizeof finding->advice, "%s", advice);
}

void
fuota_inquiry_ok (inquiry_t *self, const char *what, const char *words)
{
    s_find (self, FUOTA_FINDING_OK, what, words, "");
}

void
fuota_inquiry_warn (inquiry_t *self, const char *what, const char *words,
    const char *advice)
{
    s_find (self, FUOTA_FINDING_WARNING, what, words, advice);
}

void
fuota_inquiry_wrong (inquiry_t *self, const char *what, const char *words,
    const char *advice)
{
    s_find (self, FUOTA_FINDING_WRONG, what, words, advice);
}

void
fuota_inquiry_end (inquiry_t *self, const char *fault)
{
    self->step = FUOTA_INQUIRE_OVER;
    snprintf (self->out.fault, sizeof self->out.fault, "%.*s",
        (int) sizeof self->out.fault - 1, fault);
}

//  What ends it at any step: nobody there, or nobody who knows us.
static bool
s_ended (inquiry_t *self, fuota_chirpstack_answer_t answer, const char *text)
{
    if (answer == FUOTA_ANSWER_TOKEN) {
        char words [160];
        snprintf (words, sizeof words, "refused: %.120s", text);
        fuota_inquiry_wrong (self, "api key", words,
            "make another (Tenant, API keys), put it into "
            "host.chirpstack.token_file and restart fuotad");
        fuota_inquiry_end (self,
            self->question.kind == FUOTA_QUESTION_CHECK ? "" : words);
    }
    else if (answer == FUOTA_ANSWER_LATER || answer == FUOTA_ANSWER_LOST) {
        char words [128];
        snprintf (words, sizeof words, "API: %.90s", text);
        fuota_inquiry_end (self, words);
    }
    else if (++self->calls > CALLS)
        fuota_inquiry_end (self, "the host comes to no end");
    return self->step == FUOTA_INQUIRE_OVER;
}

void
fuota_chirpstack_inquiry_answer (fuota_chirpstack_t *self, unsigned i,
    uint32_t serial, fuota_chirpstack_answer_t answer, const char *text,
    fuota_slice_t message)
{
    inquiry_t *inquiry = i < FUOTA_INQUIRIES ? self->inquiries [i] : NULL;
    if (!inquiry || !inquiry->flying || inquiry->serial != serial)
        return;
    inquiry->flying = false;
    self->stats.failed += answer != FUOTA_ANSWER_GOOD;
    self->stats.lost += answer == FUOTA_ANSWER_LOST;
    bool lost = answer == FUOTA_ANSWER_LATER || answer == FUOTA_ANSWER_LOST;
    if (lost && ++inquiry->tries < TRIES)
        return;
    inquiry->tries = 0;
    if (!s_ended (inquiry, answer, text))
        fuota_inquire_steps [inquiry->step].got (inquiry, answer, text,
            message);
    inquiry->ready = s_ready (inquiry);
}

//  ---------------------------------------------------------------------
//  What is told

bool
fuota_chirpstack_told (fuota_chirpstack_t *self, fuota_answer_t *answer)
{
    if (self->busy) {
        *answer = self->refusal;
        self->busy = false;
        return true;
    }
    for (unsigned i = 0; i < FUOTA_INQUIRIES; i++) {
        inquiry_t *inquiry = self->inquiries [i];
        if (!inquiry || !inquiry->ready)
            continue;
        *answer = inquiry->out;
        answer->serial = inquiry->question.serial;
        answer->last = inquiry->step == FUOTA_INQUIRE_OVER;
        inquiry->out = (fuota_answer_t){ .serial = 0 };
        fuota_inquiry_fill (inquiry);
        inquiry->ready = s_ready (inquiry);
        if (answer->last) {
            free (inquiry);
            self->inquiries [i] = NULL;
        }
        return true;
    }
    return false;
}
