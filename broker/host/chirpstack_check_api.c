//  SPDX-License-Identifier: MIT
//
//  The calls of a check, for each application: its name, its tenant's
//  applications and gateways, its devices, whether the key may write, the
//  profiles of its devices, the host's own deployments.
//
//  Parts: application and tenant; devices and key; profiles; deployments; the
//  table.

#include <stdio.h>
#include <string.h>
#include "broker/host/chirpstack_inquiry.h"
#include "broker/host/chirpstack_list.h"
#include "broker/host/chirpstack_text.h"

typedef fuota_chirpstack_inquiry_t inquiry_t;

//  ---------------------------------------------------------------------
//  Application and tenant

//  What could not be read, or was refused where that is not the question.
static void
s_odd (inquiry_t *self, const char *what, const char *text)
{
    char words [160];
    snprintf (words, sizeof words, "cannot be told: %.120s",
        *text ? text : "no access, or an answer that was not understood");
    fuota_inquiry_warn (self, what, words, "is this ChirpStack 4.12 or newer?");
}

static const char *
s_application (const inquiry_t *self)
{
    return self->applications [self->application_at];
}

static void
s_next_application (inquiry_t *self)
{
    self->profile_count = self->profile_at = self->running = 0;
    self->sample = 0;
    self->step = ++self->application_at < self->application_count
                     ? FUOTA_INQUIRE_APPLICATION
                     : FUOTA_INQUIRE_OVER;
}

static size_t
s_ask_application (inquiry_t *self, uint8_t *out, size_t size)
{
    return fuota_chirpstack_ask (s_application (self), out, size);
}

static void
s_got_application (inquiry_t *self, fuota_chirpstack_answer_t answer,
    const char *text, fuota_slice_t message)
{
    char words [160];
    cs_Application application;
    if (answer != FUOTA_ANSWER_GOOD ||
        fuota_chirpstack_got_application (message, &application)) {
        snprintf (words, sizeof words, "%s: no such application%s%s%.80s",
            s_application (self),
            answer == FUOTA_ANSWER_UNSURE ? ", or no access to it" : "",
            *text ? ": " : "", text);
        fuota_inquiry_wrong (self, "application", words,
            "its id is in the web interface; the API key has to be of its "
            "tenant, and not deleted");
        s_next_application (self);
        return;
    }
    memcpy (self->name, application.name, sizeof self->name);
    self->step = FUOTA_INQUIRE_SAMPLE;
    if (strcmp (self->tenant, application.tenant_id) == 0)
        return;
    fuota_inquiry_ok (self, "api key", "gives access");
    memcpy (self->tenant, application.tenant_id, sizeof self->tenant);
    self->offset = 0;
    memset (self->gateways, 0, sizeof self->gateways);
    self->step = FUOTA_INQUIRE_APPLICATIONS;
}

static size_t
s_ask_applications (inquiry_t *self, uint8_t *out, size_t size)
{
    return fuota_chirpstack_ask_applications (self->tenant, out, size);
}

static void
s_got_applications (inquiry_t *self, fuota_chirpstack_answer_t answer,
    const char *text, fuota_slice_t message)
{
    char words [160];
    uint32_t total;
    self->step = FUOTA_INQUIRE_GATEWAYS;
    if (answer != FUOTA_ANSWER_GOOD ||
        fuota_chirpstack_got_total (message, &total)) {
        s_odd (self, "tenant", text);
        return;
    }
    snprintf (words, sizeof words, "%s: %u applications", self->tenant,
        (unsigned) total);
    fuota_inquiry_ok (self, "tenant", words);
}

static size_t
s_ask_gateways (inquiry_t *self, uint8_t *out, size_t size)
{
    return fuota_chirpstack_ask_tenant_gateways (self->tenant, self->offset,
        out, size);
}

static void
s_say_gateways (inquiry_t *self)
{
    enum { NEVER, ONLINE, OFFLINE };
    char words [160];
    const uint32_t *count = self->gateways;
    snprintf (words, sizeof words, "%u online, %u offline, %u never seen",
        (unsigned) count [ONLINE], (unsigned) count [OFFLINE],
        (unsigned) count [NEVER]);
    if (!count [ONLINE])
        fuota_inquiry_wrong (self, "gateways", words,
            "nothing can be sent; are they connected, of this tenant, and did "
            "they send statistics?");
    else if (count [OFFLINE] || count [NEVER])
        fuota_inquiry_warn (self, "gateways", words,
            "fragments for those wait and expire: name others with --gateway");
    else
        fuota_inquiry_ok (self, "gateways", words);
}

static void
s_got_gateways (inquiry_t *self, fuota_chirpstack_answer_t answer,
    const char *text, fuota_slice_t message)
{
    uint32_t items, total;
    if (answer != FUOTA_ANSWER_GOOD ||
        fuota_chirpstack_got_tenant_gateways (message, self->gateways, &items,
            &total)) {
        s_odd (self, "gateways", text);
        self->step = FUOTA_INQUIRE_SAMPLE;
        return;
    }
    self->offset += items;
    if (items && self->offset < total)
        return;
    s_say_gateways (self);
    self->step = FUOTA_INQUIRE_SAMPLE;
}

//  ---------------------------------------------------------------------
//  Devices and key

static size_t
s_ask_sample (inquiry_t *self, uint8_t *out, size_t size)
{
    fuota_question_t question = { .select_count = 0 };
    memcpy (question.application, s_application (self),
        sizeof question.application);
    return fuota_chirpstack_ask_devices (&question, 0, 1, out, size);
}

static void
s_take_sample (void *arg, const cs_DeviceListItem *item,
    const fuota_kind_t *tags)
{
    inquiry_t *self = arg;
    (void) tags;
    if (!fuota_chirpstack_uneui (item->dev_eui, &self->sample))
        self->sample = 0;
}

static void
s_got_sample (inquiry_t *self, fuota_chirpstack_answer_t answer,
    const char *text, fuota_slice_t message)
{
    char words [160];
    uint32_t items, total;
    self->step = FUOTA_INQUIRE_PROFILES;
    if (answer != FUOTA_ANSWER_GOOD ||
        fuota_chirpstack_got_devices (message, s_take_sample, self, &items,
            &total)) {
        s_odd (self, "application", text);
        return;
    }
    snprintf (words, sizeof words, "%s: \"%.60s\", %u devices",
        s_application (self), self->name, (unsigned) total);
    if (total)
        fuota_inquiry_ok (self, "application", words);
    else
        fuota_inquiry_warn (self, "application", words, "add devices to it");
    if (self->sample && !self->written)
        self->step = FUOTA_INQUIRE_WRITE;
}

//  A command for port 0: who may write is told that there is no such port,
//  who may not is told that. A queue never sees it.
static size_t
s_ask_write (inquiry_t *self, uint8_t *out, size_t size)
{
    fuota_downlink_t nothing = { .dev_eui = self->sample };
    return fuota_chirpstack_ask_unicast (&nothing, out, size);
}

static void
s_got_write (inquiry_t *self, fuota_chirpstack_answer_t answer,
    const char *text, fuota_slice_t message)
{
    (void) message;
    self->step = FUOTA_INQUIRE_PROFILES;
    self->written = true;
    if (answer == FUOTA_ANSWER_NEVER)
        fuota_inquiry_ok (self, "api key", "may write");
    else if (answer == FUOTA_ANSWER_UNSURE)
        fuota_inquiry_wrong (self, "api key", "read-only",
            "make another that is not (Tenant, API keys)");
    else
        s_odd (self, "api key", text);
}

//  ---------------------------------------------------------------------
//  Profiles

static void
s_take_profile (void *arg, const cs_ProfileItem *item)
{
    inquiry_t *self = arg;
    if (self->profile_count == FUOTA_INQUIRY_PROFILES)
        return;
    unsigned at = self->profile_count++;
    memcpy (self->profiles [at].id, item->id, sizeof self->profiles [at].id);
    snprintf (self->profiles [at].name, sizeof self->profiles [at].name,
        "%.64s", item->name);
}

static void
s_got_profiles (inquiry_t *self, fuota_chirpstack_answer_t answer,
    const char *text, fuota_slice_t message)
{
    if (answer != FUOTA_ANSWER_GOOD ||
        fuota_chirpstack_got_profiles (message, s_take_profile, self))
        s_odd (self, "device profiles", text);
    self->step =
        self->profile_count ? FUOTA_INQUIRE_PROFILE : FUOTA_INQUIRE_BUILTIN;
}

static size_t
s_ask_profile (inquiry_t *self, uint8_t *out, size_t size)
{
    return fuota_chirpstack_ask (self->profiles [self->profile_at].id, out,
        size);
}

static void
s_say_profile (inquiry_t *self, const fuota_kind_t *kind)
{
    static const char advice [] = "set \"Application layer\" of the profile "
                                  "to \"not implemented\"";
    char words [160], who [80];
    snprintf (who, sizeof who, "\"%.32s\" (%s)",
        self->profiles [self->profile_at].name,
        self->profiles [self->profile_at].id);
    if (kind->host_ts003) {
        snprintf (words, sizeof words,
            "%s: TS003 is set: ChirpStack answers clock synchronisation", who);
        fuota_inquiry_wrong (self, "device profile", words, advice);
    }
    if (kind->host_ts004 || kind->host_ts005) {
        snprintf (words, sizeof words,
            "%s: %s set: ChirpStack reads the answers of devices too", who,
            !kind->host_ts005   ? "TS004 is"
            : !kind->host_ts004 ? "TS005 is"
                                : "TS004 and TS005 are");
        fuota_inquiry_warn (self, "device profile", words, advice);
    }
    if (*kind->fault) {
        snprintf (words, sizeof words, "%.60s: %.90s",
            self->profiles [self->profile_at].name, kind->fault);
        fuota_inquiry_wrong (self, "device profile", words, "correct the tag");
    }
    if (!self->out.findings_count)
        fuota_inquiry_ok (self, "device profile", who);
}

static void
s_got_profile (inquiry_t *self, fuota_chirpstack_answer_t answer,
    const char *text, fuota_slice_t message)
{
    fuota_kind_t kind;
    if (answer != FUOTA_ANSWER_GOOD ||
        fuota_chirpstack_got_kind (message, &kind))
        s_odd (self, "device profile", text);
    else
        s_say_profile (self, &kind);
    if (++self->profile_at >= self->profile_count)
        self->step = FUOTA_INQUIRE_BUILTIN;
}

//  ---------------------------------------------------------------------
//  The host's own deployments

static size_t
s_ask_builtin (inquiry_t *self, uint8_t *out, size_t size)
{
    return fuota_chirpstack_ask_deployments (s_application (self), 0, out,
        size);
}

static void
s_take_builtin (void *arg, const cs_DeploymentItem *item)
{
    inquiry_t *self = arg;
    if (!item->has_started_at || item->has_completed_at)
        return;
    if (!self->running++)
        snprintf (self->running_name, sizeof self->running_name, "%.64s",
            item->name);
}

static void
s_got_builtin (inquiry_t *self, fuota_chirpstack_answer_t answer,
    const char *text, fuota_slice_t message)
{
    char words [160];
    uint32_t items, total;
    if (answer != FUOTA_ANSWER_GOOD ||
        fuota_chirpstack_got_deployments (message, s_take_builtin, self, &items,
            &total))
        s_odd (self, "built-in FUOTA", text);
    else if (self->running) {
        snprintf (words, sizeof words, "%u running, the first is \"%s\"",
            self->running, self->running_name);
        fuota_inquiry_wrong (self, "built-in FUOTA", words,
            "its commands and ours would mix on a device: let it end, or "
            "delete it");
    }
    else
        fuota_inquiry_ok (self, "built-in FUOTA", "none is running");
    //  InternalService.GetVersion is not for keys
    if (answer == FUOTA_ANSWER_GOOD && !self->application_at)
        fuota_inquiry_ok (self, "version",
            "ChirpStack 4.12 or newer; an API key cannot ask which");
    s_next_application (self);
}

//  ---------------------------------------------------------------------
//  The table

#define APPLICATION "/api.ApplicationService/"
#define DEVICE "/api.DeviceService/"

const fuota_inquire_step_t fuota_inquire_steps [FUOTA_INQUIRE_STEPS] = {
    [FUOTA_INQUIRE_APPLICATION] = { APPLICATION "Get", s_ask_application,
        s_got_application },
    [FUOTA_INQUIRE_APPLICATIONS] = { APPLICATION "List", s_ask_applications,
        s_got_applications },
    [FUOTA_INQUIRE_GATEWAYS] = { "/api.GatewayService/List", s_ask_gateways,
        s_got_gateways },
    [FUOTA_INQUIRE_SAMPLE] = { DEVICE "List", s_ask_sample, s_got_sample },
    [FUOTA_INQUIRE_WRITE] = { DEVICE "Enqueue", s_ask_write, s_got_write },
    [FUOTA_INQUIRE_PROFILES] = { APPLICATION "ListDeviceProfiles",
        s_ask_application, s_got_profiles },
    [FUOTA_INQUIRE_PROFILE] = { "/api.DeviceProfileService/Get", s_ask_profile,
        s_got_profile },
    [FUOTA_INQUIRE_BUILTIN] = { "/api.FuotaService/ListDeployments",
        s_ask_builtin, s_got_builtin },
    [FUOTA_INQUIRE_DEVICES] = { DEVICE "List", fuota_inquiry_ask_page,
        fuota_inquiry_got_page },
    [FUOTA_INQUIRE_DEVICE] = { DEVICE "Get", fuota_inquiry_ask_device,
        fuota_inquiry_got_device },
    [FUOTA_INQUIRE_KIND] = { "/api.DeviceProfileService/Get",
        fuota_inquiry_ask_kind, fuota_inquiry_got_kind },
    [FUOTA_INQUIRE_RUNNING] = { "/api.FuotaService/ListDeployments",
        fuota_inquiry_ask_running, fuota_inquiry_got_running },
    [FUOTA_INQUIRE_MEMBERS] = { "/api.FuotaService/ListDevices",
        fuota_inquiry_ask_members, fuota_inquiry_got_members },
};
