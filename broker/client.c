//  SPDX-License-Identifier: MIT

#include <czmq.h>
#include "broker/client.h"
#include "schema/record.h"

#define WATCH_EVERY 1000  //  Milliseconds between looks
#define REDRAW_EVERY 100  //  At most, however many events there are

struct fuota_client {
    char control [160];
    int timeout;
    zsock_t *sock;    //  DEALER, speaking as a REQ
    zsock_t *events;  //  SUB, NULL if not wanted
};

static int
s_connect (fuota_client_t *self)
{
    zsock_destroy (&self->sock);
    self->sock = zsock_new (ZMQ_DEALER);
    assert (self->sock);
    zsock_set_linger (self->sock, 0);
    zsock_set_rcvtimeo (self->sock, self->timeout);
    zsock_set_sndtimeo (self->sock, self->timeout);
    return zsock_connect (self->sock, "%s", self->control);
}

fuota_client_t *
fuota_client_new (const char *control, const char *events, int timeout)
{
    fuota_client_t *self = zmalloc (sizeof *self);
    assert (self);
    snprintf (self->control, sizeof self->control, "%s", control);
    self->timeout = timeout;
    bool good = s_connect (self) == 0;
    if (good && events) {
        self->events = zsock_new (ZMQ_SUB);
        assert (self->events);
        zsock_set_linger (self->events, 0);
        good = zsock_connect (self->events, "%s", events) == 0;
    }
    if (!good)
        fuota_client_destroy (&self);
    return self;
}

void
fuota_client_destroy (fuota_client_t **self_p)
{
    if (!*self_p)
        return;
    zsock_destroy (&(*self_p)->sock);
    zsock_destroy (&(*self_p)->events);
    freen (*self_p);
}

int
fuota_client_call (fuota_client_t *self, const fuota_request_parts_t *parts,
    Reply *reply)
{
    size_t size;
    uint8_t *bytes = fuota_request_encode (parts, &size);
    assert (bytes);
    int rc = zsock_send (self->sock, "zb", bytes, size);
    free (bytes);
    zmsg_t *msg = rc ? NULL : zmsg_recv (self->sock);
    zframe_t *body = msg ? zmsg_last (msg) : NULL;
    rc = body && !fuota_request_reply (fuota_slice (zframe_data (body),
                                           zframe_size (body)),
                     reply)
             ? 0
             : -1;
    zmsg_destroy (&msg);
    if (rc)
        s_connect (self);  //  A late answer must not be taken for the next
    return rc;
}

int
fuota_client_ask (fuota_client_t *self, RequestCommand command, const char *id,
    Reply *reply)
{
    fuota_request_parts_t parts = { .request.command = command };
    snprintf (parts.request.id, sizeof parts.request.id, "%s", id);
    return fuota_client_call (self, &parts, reply);
}

int
fuota_client_pages (fuota_client_t *self, RequestCommand command,
    const char *id, fuota_client_page_fn *take, void *arg, Reply *reply)
{
    fuota_request_parts_t parts = { .request.command = command };
    Request *request = &parts.request;
    snprintf (request->id, sizeof request->id, "%s", id);
    do {
        if (zsys_interrupted || fuota_client_call (self, &parts, reply))
            return -1;
        if (reply->status || !take (arg, reply))
            return 0;
        request->after.size = reply->next.size;
        memcpy (request->after.bytes, reply->next.bytes, reply->next.size);
    } while (reply->next.size);
    return 0;
}

//  ---------------------------------------------------------------------
//  Watching

static void
s_subscribe (fuota_client_t *self, const char *id)
{
    char topic [80];
    snprintf (topic, sizeof topic, "deployment/%s/", id);
    if (self->events)
        zsock_set_subscribe (self->events, topic);
}

//  Notes and phases are worth a line; steps and ends of devices are in the
//  counts.
static void
s_event (fuota_client_t *self, fuota_report_t *report)
{
    zmsg_t *msg = zmsg_recv (self->events);
    zframe_t *body = msg ? zmsg_last (msg) : NULL;
    fuota_line_t line;
    if (body &&
        !fuota_record_decode (JournalLine_fields, &line,
            fuota_slice (zframe_data (body), zframe_size (body))) &&
        streq (line.what, "note")) {
        char at [40], text [256], device [24] = "";
        if (line.dev_eui)
            snprintf (device, sizeof device, "%016llx ",
                (unsigned long long) line.dev_eui);
        fuota_report_time (line.at, at, sizeof at);
        snprintf (text, sizeof text, "%s %s%s %s", at, device, line.name,
            line.words);
        fuota_report_note (report, text);
    }
    zmsg_destroy (&msg);
}

//  Until it is time to look again: at once after an event, but not more often
//  than a terminal is worth.
static void
s_wait (fuota_client_t *self, fuota_report_t *report)
{
    int64_t end = zclock_mono () + WATCH_EVERY;
    zpoller_t *poller = zpoller_new (self->events, NULL);
    assert (poller);
    int64_t now;
    while (!zsys_interrupted && (now = zclock_mono ()) < end) {
        void *which = zpoller_wait (poller, (int) (end - now));
        if (!which)
            break;
        s_event (self, report);
        if (end > now + REDRAW_EVERY)
            end = now + REDRAW_EVERY;
    }
    zpoller_destroy (&poller);
}

static bool
s_over (const Summary *summary)
{
    return streq (summary->phase, "done") ||
           streq (summary->phase, "cancelled");
}

int
fuota_client_watch (fuota_client_t *self, const char *id,
    fuota_report_t *report, Reply *reply)
{
    bool subscribed = false;
    while (!zsys_interrupted) {
        if (fuota_client_ask (self, FUOTA_SHOW, id, reply))
            return zsys_interrupted ? -2 : -1;
        if (reply->status)
            return (int) reply->status;
        const Summary *summary = &reply->summaries [0];
        if (!subscribed)
            s_subscribe (self, summary->id);
        subscribed = true;
        fuota_report_progress (report, summary);
        if (s_over (summary))
            return 0;
        if (self->events)
            s_wait (self, report);
        else
            zclock_sleep (WATCH_EVERY);
    }
    return -2;
}
