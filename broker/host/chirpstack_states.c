//  SPDX-License-Identifier: MIT
//
//  How the gateways are: asked for now and then, of each tenant whose events
//  we hear, page by page. Nobody waits for it; a deployment that is to find
//  its gateways by itself must not take one that is away.

#include <pb_decode.h>
#include <stdio.h>
#include "broker/host/chirpstack_private.h"
#include "broker/host/chirpstack_text.h"
#include "chirpstack.pb.h"

#define PAGE 50  //  Gateways; fewer than the events that are kept
#define EVERY 120000

typedef fuota_chirpstack_t self_t;
typedef fuota_chirpstack_job_t job_t;

void
fuota_chirpstack_states_tenant (fuota_chirpstack_t *self, const char *tenant)
{
    if (!*tenant || self->tenant_count == FUOTA_CHIRPSTACK_TENANTS)
        return;
    for (unsigned i = 0; i < self->tenant_count; i++)
        if (strcmp (self->tenants [i], tenant) == 0)
            return;
    snprintf (self->tenants [self->tenant_count++], sizeof self->tenants [0],
        "%s", tenant);
    self->states_at = 0;
}

//  One tenant at a time; all of them in turn.
void
fuota_chirpstack_states_begin (fuota_chirpstack_t *self, int64_t now)
{
    if (!self->tenant_count || now < self->states_at)
        return;
    self->states_at = now + EVERY / self->tenant_count;
    job_t *job = fuota_chirpstack_job (self);
    if (!job)
        return;
    job->own = true;
    job->step = FUOTA_CALL_STATES;
    job->wake_at = now;
    snprintf (job->id, sizeof job->id, "%s",
        self->tenants [self->tenant_at++ % self->tenant_count]);
}

static size_t
s_ask (self_t *self, job_t *job)
{
    cs_ListGatewaysRequest ask = { .limit = PAGE, .offset = job->gateway };
    snprintf (ask.tenant_id, sizeof ask.tenant_id, "%s", job->id);
    return fuota_record_encode (cs_ListGatewaysRequest_fields, &ask,
        self->request, sizeof self->request);
}

typedef struct {
    self_t *self;
    unsigned count;
} s_page_t;

//  Names go to terminals and into JSON: no control characters, no half of one
//  that has several bytes.
static void
s_name (char *out, size_t size, const char *name)
{
    size_t end = strlen (name);
    if (end >= size)
        for (end = size - 1;
             end && ((unsigned char) name [end] & 0xc0) == 0x80;)
            end--;
    for (size_t i = 0; i < end; i++)
        out [i] = (unsigned char) name [i] < 0x20 || name [i] == 0x7f
                      ? '?'
                      : name [i];
    out [end] = 0;
}

static bool
s_gateway (pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    s_page_t *page = *arg;
    cs_GatewayItem item;
    fuota_event_t event = { .kind = FUOTA_EVENT_GATEWAY, .has_gateway = true };
    (void) field;
    if (++page->count > PAGE ||
        !pb_decode (stream, cs_GatewayItem_fields, &item))
        return pb_read (stream, NULL, stream->bytes_left);
    if (!fuota_chirpstack_uneui (item.gateway_id, &event.gateway.gateway))
        return true;
    s_name (event.gateway.name, sizeof event.gateway.name, item.name);
    event.gateway.state = item.state == 1   ? FUOTA_GATEWAY_ONLINE
                          : item.state == 2 ? FUOTA_GATEWAY_OFFLINE
                                            : FUOTA_GATEWAY_NEVER_SEEN;
    fuota_chirpstack_tell (page->self, &event);
    return true;
}

static void
s_got (self_t *self, job_t *job, fuota_slice_t message, int64_t now)
{
    cs_ListGatewaysResponse list = cs_ListGatewaysResponse_init_zero;
    pb_istream_t stream = pb_istream_from_buffer (message.data, message.size);
    s_page_t page = { self, 0 };
    list.result.funcs.decode = s_gateway;
    list.result.arg = &page;
    bool good = pb_decode (&stream, cs_ListGatewaysResponse_fields, &list);
    job->gateway += PAGE;
    if (!good || !page.count || job->gateway >= list.total_count)
        fuota_chirpstack_finish (self, job, FUOTA_DONE, "", now);
}

const fuota_chirpstack_row_t fuota_chirpstack_states_row = {
    "/api.GatewayService/List", s_ask, s_got, "no such tenant"
};
