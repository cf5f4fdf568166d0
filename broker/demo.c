//  SPDX-License-Identifier: MIT

#include <czmq.h>
#include "broker/client.h"
#include "broker/demo.h"

#define FEW 20  //  Devices named one by one whatever became of them

typedef struct {
    const fuota_demo_t *options;
    fuota_client_t *client;
    fuota_report_t report;
    Reply reply;
    size_t seen;  //  Device lines looked at
    size_t shown;
    size_t verified;    //  Hold the image
    size_t excused;     //  Cannot be reached
    size_t wrong;       //  Should hold it and do not
    size_t false_ends;  //  Say complete and are not
} self_t;

static int
s_deploy (self_t *self)
{
    const fuota_demo_t *options = self->options;
    fuota_request_parts_t parts = { .request.command = FUOTA_DEPLOY,
        .request.has_wish = true,
        .devices = options->devices,
        .device_count = options->device_count,
        .image = options->image };
    parts.request.wish = *options->wish;
    if (fuota_client_call (self->client, &parts, &self->reply)) {
        fprintf (options->out, "demo: no answer from %s\n", options->control);
        return -1;
    }
    if (self->reply.status) {
        fprintf (options->out, "demo: %s\n", self->reply.words);
        fuota_report_faults (&self->report, &self->reply);
        return -1;
    }
    return 0;
}

//  Returns the words for a device's line, NULL if all is well.
static const char *
s_verify (self_t *self, const DeviceLine *line)
{
    bool complete = streq (line->end, "complete");
    bool reachable = true, same = complete;
    if (self->options->verify && self->options->verify (self->options->arg,
                                     line->dev_eui, &reachable, &same)) {
        self->wrong++;
        return "could not be looked at";
    }
    self->verified += same;
    if (complete && same)
        return NULL;
    if (complete) {
        self->wrong++;
        self->false_ends++;
        return "IMAGE DIFFERS";
    }
    if (!reachable) {
        self->excused++;
        return "cannot be reached";
    }
    self->wrong++;
    return same ? "holds the image all the same" : "has no image";
}

//  All that are not well, and the first few of the others.
static bool
s_take_page (void *arg, const Reply *reply)
{
    self_t *self = arg;
    for (pb_size_t i = 0; i < reply->devices_count; i++) {
        const DeviceLine *line = &reply->devices [i];
        const char *words = s_verify (self, line);
        if (words || self->seen < FEW) {
            fuota_report_device (&self->report, line);
            if (words)
                fprintf (self->options->out, "                  %s\n", words);
            self->shown++;
        }
        self->seen++;
    }
    return true;
}

static int
s_conclude (self_t *self, const char *id)
{
    FILE *out = self->options->out;
    fuota_report_device (&self->report, NULL);
    if (fuota_client_pages (self->client, FUOTA_DEVICES, id, s_take_page, self,
            &self->reply) ||
        self->reply.status) {
        fprintf (out, "demo: the devices could not be listed\n");
        return 1;
    }
    if (self->seen > self->shown)
        fprintf (out, "(%zu more, all complete)\n", self->seen - self->shown);
    if (self->options->verify)
        fprintf (out,
            "verified  %zu of %zu devices hold exactly this image; %zu cannot "
            "be reached, %zu differ from their report\n",
            self->verified, self->seen, self->excused, self->false_ends);
    return self->wrong || self->seen != self->options->device_count;
}

static int
s_run (self_t *self, Summary *summary)
{
    char id [sizeof summary->id];
    if (s_deploy (self))
        return 1;
    memcpy (id, self->reply.summaries [0].id, sizeof id);
    int rc = fuota_client_watch (self->client, id, &self->report, &self->reply);
    if (rc) {
        fprintf (self->options->out, "demo: %s\n",
            rc == -2 ? "interrupted" : "no answer");
        return 1;
    }
    *summary = self->reply.summaries [0];
    fuota_report_final (&self->report, summary);
    return s_conclude (self, id) || !streq (summary->phase, "done");
}

int
fuota_demo_run (const fuota_demo_t *options, Summary *summary)
{
    Summary last = { .id = "" };
    self_t *self = zmalloc (sizeof *self);
    assert (self);
    self->options = options;
    fuota_report_init (&self->report, options->out);
    self->client = fuota_client_new (options->control, options->events,
        options->timeout ? options->timeout : 10000);
    int rc = 1;
    if (self->client)
        rc = s_run (self, &last);
    else
        fprintf (options->out, "demo: %s: not an endpoint\n", options->control);
    if (summary)
        *summary = last;
    fuota_client_destroy (&self->client);
    free (self);
    return rc;
}
