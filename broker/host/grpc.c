//  SPDX-License-Identifier: MIT
//
//  In two parts: memory and life, and the verbs. What happens on a stream is
//  in grpc_stream.c.

#include <assert.h>
#include "broker/host/grpc_private.h"

#define WINDOW (1 << 20)             //  Of one stream
#define CONNECTION_WINDOW (4 << 20)  //  Of all of them
#define HEADER_LIST 16384            //  What we let the peer know we read

//  ---------------------------------------------------------------------
//  Memory and life

static void *
s_malloc (size_t size, void *arg)
{
    return ((fuota_grpc_t *) arg)->resize (NULL, size ? size : 1);
}

static void
s_free (void *ptr, void *arg)
{
    if (ptr)
        ((fuota_grpc_t *) arg)->resize (ptr, 0);
}

static void *
s_calloc (size_t count, size_t size, void *arg)
{
    if (size && count > SIZE_MAX / size)
        return NULL;
    void *ptr = s_malloc (count * size, arg);
    if (ptr)
        memset (ptr, 0, count * size);
    return ptr;
}

static void *
s_realloc (void *ptr, size_t size, void *arg)
{
    return ((fuota_grpc_t *) arg)->resize (ptr, size ? size : 1);
}

//  Copy a text that can stand in a header; a line end in it would forge
//  another header.
static bool
s_copy (char *out, size_t size, const char *text)
{
    size_t length = strlen (text);
    if (!length || length >= size)
        return false;
    for (size_t i = 0; i < length; i++)
        if (text [i] <= ' ' || text [i] > '~')
            return false;
    memcpy (out, text, length + 1);
    return true;
}

static bool
s_configure (fuota_grpc_t *self, const fuota_grpc_config_t *config)
{
    self->resize = config->resize;
    self->secure = config->secure;
    self->streams = config->streams ? config->streams : 128;
    self->keepalive = config->keepalive ? config->keepalive : 30000;
    self->keepalive_timeout =
        config->keepalive_timeout ? config->keepalive_timeout : 10000;
    self->calm = self->keepalive;
    self->fault = "";
    self->nghttp2_memory =
        (nghttp2_mem){ self, s_malloc, s_free, s_calloc, s_realloc };
    if (!s_copy (self->authority, sizeof self->authority, config->authority))
        return false;
    memcpy (self->authorization, "Bearer ", 7);
    if (config->token)
        return s_copy (self->authorization + 7, FUOTA_GRPC_TOKEN_MAX,
            config->token);
    self->authorization [0] = 0;
    return true;
}

fuota_grpc_t *
fuota_grpc_new (const fuota_grpc_config_t *config, int *rc)
{
    fuota_grpc_t *self = config->resize (NULL, sizeof *self);
    *rc = FUOTA_EFULL;
    if (!self)
        return NULL;
    memset (self, 0, sizeof *self);
    fuota_grpc_memory_t memory = { .resize = config->resize,
        .max_message = config->max_message ? config->max_message : 64 << 20 };
    memory.max_held =
        config->max_held ? config->max_held : memory.max_message * 2;
    if (!s_configure (self, config))
        *rc = FUOTA_EVALUE;
    else
        *rc = fuota_grpc_calls_init (&self->calls,
            config->calls ? config->calls : 1024, &memory);
    if (*rc)
        fuota_grpc_destroy (&self);
    return self;
}

void
fuota_grpc_destroy (fuota_grpc_t **self_p)
{
    fuota_grpc_t *self = *self_p;
    if (!self)
        return;
    nghttp2_session_del (self->session);
    if (self->calls.calls)
        fuota_grpc_calls_release (&self->calls);
    void *(*resize) (void *, size_t) = self->resize;
    fuota_grpc_wipe (self, sizeof *self);
    resize (self, 0);
    *self_p = NULL;
}

//  ---------------------------------------------------------------------
//  The verbs

int
fuota_grpc_call (fuota_grpc_t *self, uint64_t tag, const char *path,
    fuota_slice_t message, int64_t deadline)
{
    int rc = fuota_grpc_calls_add (&self->calls, tag, path, message, deadline);
    if (!rc)
        self->stats.calls++;
    return rc;
}

int
fuota_grpc_open (fuota_grpc_t *self, int64_t now)
{
    static const nghttp2_settings_entry settings [] = {
        { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADER_LIST },
    };
    assert (!self->session);
    self->fault = "";
    if (fuota_grpc_session (self))
        return FUOTA_EFULL;
    int rc = nghttp2_submit_settings (self->session, NGHTTP2_FLAG_NONE,
        settings, sizeof settings / sizeof *settings);
    if (!rc)
        rc = nghttp2_session_set_local_window_size (self->session,
            NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
    if (rc) {
        fuota_grpc_shut (self, "");
        return FUOTA_EFULL;
    }
    self->state = FUOTA_GRPC_OPENING;
    self->heard = now;
    self->pinging = false;
    return 0;
}

void
fuota_grpc_shut (fuota_grpc_t *self, const char *why)
{
    fuota_grpc_call_t *call = NULL;
    while ((call = fuota_grpc_calls_flying (&self->calls, call, INT64_MAX))) {
        fuota_grpc_reply_say (&call->reply, why, "");
        fuota_grpc_calls_finish (&self->calls, call, FUOTA_GRPC_UNAVAILABLE,
            fuota_grpc_cut (call));
    }
    nghttp2_session_del (self->session);
    self->session = NULL;
    self->chunk = fuota_slice (NULL, 0);
    self->state = FUOTA_GRPC_CLOSED;
}

void
fuota_grpc_refuse (fuota_grpc_t *self, const char *why)
{
    fuota_grpc_calls_refuse (&self->calls, INT64_MAX, FUOTA_GRPC_UNAVAILABLE,
        why, "");
}

//  nghttp2 ends a session by wanting nothing: after an error of the peer's,
//  or when the last stream after a GOAWAY is done.
static void
s_look (fuota_grpc_t *self)
{
    if (self->state == FUOTA_GRPC_DRAINING && !self->calls.flying)
        fuota_grpc_over (self, "drained");
    else if (!nghttp2_session_want_read (self->session))
        fuota_grpc_over (self, self->state == FUOTA_GRPC_OPENING
                                   ? "the peer does not speak HTTP/2"
                                   : "the peer broke the rules of HTTP/2");
}

void
fuota_grpc_input (fuota_grpc_t *self, fuota_slice_t bytes, int64_t now)
{
    assert (self->session);
    self->heard = now;
    self->pinging = false;
    ssize_t rc =
        nghttp2_session_mem_recv (self->session, bytes.data, bytes.size);
    if (rc < 0)
        fuota_grpc_over (self, nghttp2_strerror ((int) rc));
    s_look (self);
}

static bool
s_next_chunk (fuota_grpc_t *self)
{
    const uint8_t *data;
    ssize_t size = nghttp2_session_mem_send (self->session, &data);
    if (size < 0)
        fuota_grpc_over (self, nghttp2_strerror ((int) size));
    self->chunk = fuota_slice (data, size > 0 ? (size_t) size : 0);
    return self->chunk.size > 0;
}

size_t
fuota_grpc_output (fuota_grpc_t *self, uint8_t *out, size_t size, int64_t now)
{
    if (!self->session)
        return 0;
    fuota_grpc_start_calls (self, now);
    size_t at = 0;
    while (at < size && (self->chunk.size || s_next_chunk (self))) {
        size_t count =
            self->chunk.size < size - at ? self->chunk.size : size - at;
        memcpy (out + at, self->chunk.data, count);
        self->chunk.data += count;
        self->chunk.size -= count;
        at += count;
    }
    if (at < size)
        s_look (self);
    return at;
}

bool
fuota_grpc_wants_output (const fuota_grpc_t *self)
{
    return self->session &&
           (self->chunk.size || nghttp2_session_want_write (self->session) ||
               (self->calls.waiting.first && fuota_grpc_free_streams (self)));
}

static void
s_expire (fuota_grpc_t *self, int64_t now)
{
    fuota_grpc_call_t *call = NULL;
    while ((call = fuota_grpc_calls_flying (&self->calls, call, now))) {
        fuota_grpc_reply_say (&call->reply, "no answer in time", "");
        fuota_grpc_finish (self, call, FUOTA_GRPC_DEADLINE_EXCEEDED,
            fuota_grpc_cut (call), true);
    }
    fuota_grpc_calls_refuse (&self->calls, now, FUOTA_GRPC_DEADLINE_EXCEEDED,
        "not sent in time", "");
    fuota_grpc_calls_rearm (&self->calls);
}

static int64_t
s_life_due (const fuota_grpc_t *self)
{
    if (!self->session || self->state == FUOTA_GRPC_OVER)
        return INT64_MAX;
    return self->pinging ? self->pinged + self->keepalive_timeout
                         : self->heard + self->calm;
}

void
fuota_grpc_tick (fuota_grpc_t *self, int64_t now)
{
    if (now >= self->calls.due)
        s_expire (self, now);
    if (now < s_life_due (self))
        return;
    if (self->pinging) {
        fuota_grpc_over (self, "no sign of life");
        return;
    }
    self->pinging = true;
    self->pinged = now;
    self->stats.pings++;
    int rc = nghttp2_submit_ping (self->session, NGHTTP2_FLAG_NONE, NULL);
    if (rc)
        fuota_grpc_over (self, nghttp2_strerror (rc));
}

int64_t
fuota_grpc_due (const fuota_grpc_t *self)
{
    int64_t life = s_life_due (self);
    return self->calls.due < life ? self->calls.due : life;
}

bool
fuota_grpc_answer (fuota_grpc_t *self, fuota_grpc_answer_t *answer)
{
    const fuota_grpc_call_t *call = fuota_grpc_calls_take (&self->calls);
    if (!call)
        return false;
    const fuota_grpc_reply_t *reply = &call->reply;
    bool good = call->status == FUOTA_GRPC_OK;
    *answer = (fuota_grpc_answer_t){ call->tag, call->status, call->unprocessed,
        reply->text,
        good ? fuota_slice (reply->data, reply->size) : fuota_slice (NULL, 0) };
    self->stats.answers [call->status]++;
    return true;
}

fuota_grpc_state_t
fuota_grpc_state (const fuota_grpc_t *self)
{
    return self->state;
}

const char *
fuota_grpc_fault (const fuota_grpc_t *self)
{
    return self->fault;
}

void
fuota_grpc_stats (const fuota_grpc_t *self, fuota_grpc_stats_t *stats)
{
    *stats = self->stats;
    stats->waiting = self->calls.waiting.count;
    stats->flying = self->calls.flying;
}
