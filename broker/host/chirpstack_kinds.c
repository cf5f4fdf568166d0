//  SPDX-License-Identifier: MIT
//
//  Which devices an application has, and of what kinds they are: page by page,
//  each profile once; then those in deployments of the host's own.
//
//  Parts: kinds; pages; what is told of them; the host's own deployments.

#include <stdio.h>
#include <string.h>
#include "broker/host/chirpstack_inquiry.h"
#include "broker/host/chirpstack_list.h"
#include "broker/host/chirpstack_text.h"
#include "broker/host/device_kind.h"

typedef fuota_chirpstack_inquiry_t inquiry_t;

//  ---------------------------------------------------------------------
//  Kinds

//  The profile of that id, from now on; its number, or that of none.
static unsigned
s_profile (inquiry_t *self, const char *id, const char *name)
{
    unsigned i = 0;
    while (i < self->profile_count && strcmp (self->profiles [i].id, id) != 0)
        i++;
    if (i == self->profile_count && i < FUOTA_INQUIRY_PROFILES) {
        snprintf (self->profiles [i].id, sizeof self->profiles [i].id, "%s",
            id);
        snprintf (self->profiles [i].name, sizeof self->profiles [i].name,
            "%.64s", name);
        self->profile_count++;
    }
    return i;
}

static unsigned
s_kind (inquiry_t *self, unsigned profile, const fuota_kind_t *tags)
{
    unsigned i = 0;
    while (i < self->kind_count &&
           (self->kinds [i].profile != profile ||
               !fuota_device_kind_same (&self->kinds [i].tags, tags)))
        i++;
    if (i == self->kind_count && i < FUOTA_INQUIRY_KINDS) {
        self->kinds [i].profile = profile;
        self->kinds [i].tags = *tags;
        self->kind_count++;
    }
    return i;
}

//  ---------------------------------------------------------------------
//  Pages

size_t
fuota_inquiry_ask_page (inquiry_t *self, uint8_t *out, size_t size)
{
    return fuota_chirpstack_ask_devices (&self->question, self->offset,
        FUOTA_INQUIRY_PAGE, out, size);
}

static void
s_put (inquiry_t *self, uint64_t eui, unsigned profile,
    const fuota_kind_t *tags)
{
    unsigned kind = profile < FUOTA_INQUIRY_PROFILES
                        ? s_kind (self, profile, tags)
                        : FUOTA_INQUIRY_KINDS;
    self->crowded = self->crowded || kind == FUOTA_INQUIRY_KINDS;
    self->page [self->page_count].dev_eui = eui;
    self->page [self->page_count++].kind = (uint8_t) kind;
}

static void
s_take_device (void *arg, const cs_DeviceListItem *item,
    const fuota_kind_t *tags)
{
    inquiry_t *self = arg;
    uint64_t eui;
    if (self->page_count < FUOTA_INQUIRY_PAGE &&
        fuota_chirpstack_uneui (item->dev_eui, &eui))
        s_put (self, eui,
            s_profile (self, item->device_profile_id,
                item->device_profile_name),
            tags);
}

//  A profile that is not known yet, or the next page; or that was the last.
static void
s_go_on (inquiry_t *self)
{
    while (self->profile_at < self->profile_count &&
           self->profiles [self->profile_at].known)
        self->profile_at++;
    if (self->profile_at < self->profile_count) {
        self->step = FUOTA_INQUIRE_KIND;
        return;
    }
    self->step = !self->more                    ? FUOTA_INQUIRE_RUNNING
                 : self->question.devices_count ? FUOTA_INQUIRE_DEVICE
                                                : FUOTA_INQUIRE_DEVICES;
    fuota_inquiry_fill (self);
}

void
fuota_inquiry_got_page (inquiry_t *self, fuota_chirpstack_answer_t answer,
    const char *text, fuota_slice_t message)
{
    uint32_t items = 0, total = 0;
    self->page_count = self->page_at = 0;
    if (answer == FUOTA_ANSWER_UNSURE || answer == FUOTA_ANSWER_GONE) {
        self->out.no_application = true;
        self->step = FUOTA_INQUIRE_OVER;
    }
    else if (answer != FUOTA_ANSWER_GOOD)
        fuota_inquiry_end (self, text);
    else if (fuota_chirpstack_got_devices (message, s_take_device, self, &items,
                 &total))
        fuota_inquiry_end (self, "answer of the host was not understood");
    else if (self->crowded)
        fuota_inquiry_end (self, "more than 64 kinds of devices");
    else {
        self->offset += items;
        self->more = items && self->offset < total;
        s_go_on (self);
    }
}

size_t
fuota_inquiry_ask_device (inquiry_t *self, uint8_t *out, size_t size)
{
    char eui [17];
    fuota_chirpstack_eui (self->question.devices [self->offset], eui);
    return fuota_chirpstack_ask (eui, out, size);
}

//  Who is not there, or in another application, is not told.
void
fuota_inquiry_got_device (inquiry_t *self, fuota_chirpstack_answer_t answer,
    const char *text, fuota_slice_t message)
{
    char application [41], profile [41];
    fuota_kind_t tags;
    uint64_t eui = self->question.devices [self->offset++];
    self->more = self->offset < self->question.devices_count;
    self->page_count = self->page_at = 0;
    if (answer == FUOTA_ANSWER_NEVER || answer == FUOTA_ANSWER_ALREADY)
        fuota_inquiry_end (self, text);
    else if (answer == FUOTA_ANSWER_GOOD &&
             fuota_chirpstack_got_tagged (message, application, profile, &tags))
        fuota_inquiry_end (self, "answer of the host was not understood");
    else {
        if (answer == FUOTA_ANSWER_GOOD &&
            strcmp (application, self->question.application) == 0)
            s_put (self, eui, s_profile (self, profile, ""), &tags);
        s_go_on (self);
    }
}

size_t
fuota_inquiry_ask_kind (inquiry_t *self, uint8_t *out, size_t size)
{
    return fuota_chirpstack_ask (self->profiles [self->profile_at].id, out,
        size);
}

void
fuota_inquiry_got_kind (inquiry_t *self, fuota_chirpstack_answer_t answer,
    const char *text, fuota_slice_t message)
{
    fuota_kind_t kind;
    if (answer != FUOTA_ANSWER_GOOD ||
        fuota_chirpstack_got_kind (message, &kind)) {
        fuota_inquiry_end (self, *text ? text : "a device profile is gone");
        return;
    }
    if (!*self->profiles [self->profile_at].name)
        memcpy (self->profiles [self->profile_at].name, kind.profile_name,
            sizeof kind.profile_name);
    self->profiles [self->profile_at].tags = kind;
    self->profiles [self->profile_at].known = true;
    s_go_on (self);
}

//  ---------------------------------------------------------------------
//  What is told of them

void
fuota_inquiry_fill (inquiry_t *self)
{
    fuota_answer_t *out = &self->out;
    const size_t kinds = sizeof out->kinds / sizeof *out->kinds;
    const size_t devices = sizeof out->devices / sizeof *out->devices;
    while (self->kind_at < self->kind_count && out->kinds_count < kinds) {
        unsigned profile = self->kinds [self->kind_at].profile;
        fuota_kind_t *kind = &out->kinds [out->kinds_count++];
        *kind = self->kinds [self->kind_at].tags;
        fuota_device_kind_inherit (kind, &self->profiles [profile].tags);
        kind->number = self->kind_at++;
        memcpy (kind->profile_id, self->profiles [profile].id,
            sizeof kind->profile_id);
        memcpy (kind->profile_name, self->profiles [profile].name,
            sizeof kind->profile_name);
    }
    //  Each after its kind
    while (self->kind_at == self->kind_count &&
           self->page_at < self->page_count && out->devices_count < devices) {
        out->devices [out->devices_count++] =
            self->page [self->page_at].dev_eui;
        out->kind_of [out->kind_of_count++] = self->page [self->page_at++].kind;
    }
}

//  ---------------------------------------------------------------------
//  The host's own deployments

size_t
fuota_inquiry_ask_running (inquiry_t *self, uint8_t *out, size_t size)
{
    return fuota_chirpstack_ask_deployments (self->question.application, 0, out,
        size);
}

static void
s_take_running (void *arg, const cs_DeploymentItem *item)
{
    inquiry_t *self = arg;
    if (!item->has_started_at || item->has_completed_at)
        return;
    if (self->running == FUOTA_INQUIRY_RUNNING)
        self->crowded = true;
    else
        memcpy (self->deployments [self->running++], item->id,
            sizeof self->deployments [0]);
}

static void
s_next_members (inquiry_t *self)
{
    self->step = self->running_at < self->running ? FUOTA_INQUIRE_MEMBERS
                                                  : FUOTA_INQUIRE_OVER;
    self->offset = 0;
}

//  Hosts before 4.12 have none.
void
fuota_inquiry_got_running (inquiry_t *self, fuota_chirpstack_answer_t answer,
    const char *text, fuota_slice_t message)
{
    uint32_t items, total;
    (void) text;
    if (answer == FUOTA_ANSWER_GOOD &&
        fuota_chirpstack_got_deployments (message, s_take_running, self, &items,
            &total))
        fuota_inquiry_end (self, "answer of the host was not understood");
    else if (self->crowded)
        fuota_inquiry_end (self, "too many FUOTA deployments of its own run");
    else
        s_next_members (self);
}

size_t
fuota_inquiry_ask_members (inquiry_t *self, uint8_t *out, size_t size)
{
    return fuota_chirpstack_ask_members (self->deployments [self->running_at],
        self->offset, sizeof self->out.busy / sizeof *self->out.busy, out,
        size);
}

static void
s_take_member (void *arg, const cs_MemberItem *item)
{
    inquiry_t *self = arg;
    fuota_answer_t *out = &self->out;
    uint64_t eui;
    if (!item->has_completed_at &&
        out->busy_count < sizeof out->busy / sizeof *out->busy &&
        fuota_chirpstack_uneui (item->dev_eui, &eui))
        out->busy [out->busy_count++] = eui;
}

//  A deployment that is gone meanwhile has no devices.
void
fuota_inquiry_got_members (inquiry_t *self, fuota_chirpstack_answer_t answer,
    const char *text, fuota_slice_t message)
{
    uint32_t items = 0, total = 0;
    (void) text;
    if (answer == FUOTA_ANSWER_GOOD &&
        fuota_chirpstack_got_members (message, s_take_member, self, &items,
            &total)) {
        fuota_inquiry_end (self, "answer of the host was not understood");
        return;
    }
    self->offset += items;
    if (items && self->offset < total)
        return;
    self->running_at++;
    s_next_members (self);
}
