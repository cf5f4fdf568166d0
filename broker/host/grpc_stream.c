//  SPDX-License-Identifier: MIT
//
//  In two parts: calls becoming streams, and what nghttp2 calls back with. A
//  call's slot is the user data of its stream; it is taken away when the call
//  is answered, so whatever the peer sends on that stream later finds nobody.

#include "broker/host/grpc_private.h"

void
fuota_grpc_over (fuota_grpc_t *self, const char *why)
{
    if (self->state == FUOTA_GRPC_OVER)
        return;
    self->state = FUOTA_GRPC_OVER;
    self->fault = why;
}

//  ---------------------------------------------------------------------
//  A call becomes a stream

//  "15000m"; what is longer than gRPC's eight digits is no limit worth saying.
static size_t
s_timeout (int64_t left, char *out)
{
    char digits [8];
    size_t size = 0, at = 0;
    if (left > 99999999)
        left = 99999999;
    if (left < 1)
        left = 1;
    for (; left; left /= 10)
        digits [size++] = (char) ('0' + left % 10);
    while (size)
        out [at++] = digits [--size];
    out [at++] = 'm';
    return at;
}

static ssize_t
s_read_body (nghttp2_session *session, int32_t stream, uint8_t *out,
    size_t size, uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    (void) source;
    (void) arg;
    fuota_grpc_call_t *call =
        nghttp2_session_get_stream_user_data (session, stream);
    if (!call)  //  Answered meanwhile: its RST_STREAM is on the way
        return NGHTTP2_ERR_DEFERRED;
    if (size > call->size - call->sent)
        size = call->size - call->sent;
    memcpy (out, call->body + call->sent, size);
    call->sent += size;
    if (call->sent == call->size)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t) size;
}

static nghttp2_nv
s_field (const char *name, const char *value, size_t size, uint8_t flags)
{
    nghttp2_nv nv = { (uint8_t *) name, (uint8_t *) value, strlen (name), size,
        (uint8_t) (flags | NGHTTP2_NV_FLAG_NO_COPY_NAME) };
    return nv;
}

static int32_t
s_submit (fuota_grpc_t *self, fuota_grpc_call_t *call, int64_t now)
{
    const uint8_t keep = NGHTTP2_NV_FLAG_NO_COPY_VALUE;
    char timeout [12];
    nghttp2_nv nv [9] = {
        s_field (":method", "POST", 4, keep),
        s_field (":scheme", self->secure ? "https" : "http",
            self->secure ? 5 : 4, keep),
        s_field (":path", call->path, strlen (call->path), 0),
        s_field (":authority", self->authority, strlen (self->authority), keep),
        s_field ("te", "trailers", 8, keep),
        s_field ("content-type", "application/grpc", 16, keep),
        s_field ("user-agent", "fuota", 5, keep),
    };
    size_t count = 7;
    //  nghttp2 never puts this one into a compression table
    if (self->authorization [0])
        nv [count++] = s_field ("authorization", self->authorization,
            strlen (self->authorization), keep);
    //  Each is another value, and would push better ones out of the table
    if (call->deadline != INT64_MAX)
        nv [count++] = s_field ("grpc-timeout", timeout,
            s_timeout (call->deadline - now, timeout),
            NGHTTP2_NV_FLAG_NO_INDEX);
    const nghttp2_data_provider body = { .read_callback = s_read_body };
    return nghttp2_submit_request (self->session, NULL, nv, count, &body, call);
}

size_t
fuota_grpc_free_streams (const fuota_grpc_t *self)
{
    if (self->state != FUOTA_GRPC_READY)
        return 0;
    size_t peer = nghttp2_session_get_remote_settings (self->session,
        NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    size_t limit = peer < self->streams ? peer : self->streams;
    return limit > self->calls.flying ? limit - self->calls.flying : 0;
}

//  Stream numbers are not used again: after the last one a connection drains
//  as if its peer had said GOAWAY.
void
fuota_grpc_start_calls (fuota_grpc_t *self, int64_t now)
{
    size_t left = fuota_grpc_free_streams (self);
    while (left-- && self->calls.waiting.first) {
        fuota_grpc_call_t *call = fuota_grpc_calls_start (&self->calls);
        call->stream = s_submit (self, call, now);
        if (call->stream > 0)
            continue;
        fuota_grpc_calls_unstart (&self->calls, call);
        if (call->stream == NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE)
            self->state = FUOTA_GRPC_DRAINING;
        else
            fuota_grpc_over (self, nghttp2_strerror (call->stream));
        return;
    }
}

//  The call has its answer; tell the peer to forget it where it has not.
void
fuota_grpc_finish (fuota_grpc_t *self, fuota_grpc_call_t *call,
    fuota_grpc_status_t status, bool unprocessed, bool reset)
{
    nghttp2_session_set_stream_user_data (self->session, call->stream, NULL);
    if (reset)
        nghttp2_submit_rst_stream (self->session, NGHTTP2_FLAG_NONE,
            call->stream, NGHTTP2_CANCEL);
    fuota_grpc_calls_finish (&self->calls, call, status, unprocessed);
}

bool
fuota_grpc_cut (const fuota_grpc_call_t *call)
{
    return call->sent < call->size;
}

//  ---------------------------------------------------------------------
//  What nghttp2 calls back with

static int
s_on_header (nghttp2_session *session, const nghttp2_frame *frame,
    const uint8_t *name, size_t name_size, const uint8_t *value,
    size_t value_size, uint8_t flags, void *arg)
{
    (void) flags;
    (void) arg;
    fuota_grpc_call_t *call =
        nghttp2_session_get_stream_user_data (session, frame->hd.stream_id);
    if (call)
        fuota_grpc_reply_header (&call->reply, fuota_slice (name, name_size),
            fuota_slice (value, value_size));
    return 0;
}

static int
s_on_data (nghttp2_session *session, uint8_t flags, int32_t stream,
    const uint8_t *data, size_t size, void *arg)
{
    (void) flags;
    fuota_grpc_t *self = arg;
    fuota_grpc_call_t *call =
        nghttp2_session_get_stream_user_data (session, stream);
    if (!call)
        return 0;
    int fault = fuota_grpc_reply_data (&call->reply, &self->calls.memory,
        fuota_slice (data, size));
    if (fault)
        fuota_grpc_finish (self, call, (fuota_grpc_status_t) fault, false,
            true);
    return 0;
}

//  A server that finds our PINGs too many says so; half as many from now on.
static void
s_goaway (fuota_grpc_t *self, const nghttp2_goaway *frame)
{
    self->stats.goaways++;
    if (frame->error_code == NGHTTP2_ENHANCE_YOUR_CALM &&
        self->calm < INT32_MAX)
        self->calm *= 2;
    if (self->state == FUOTA_GRPC_READY || self->state == FUOTA_GRPC_OPENING)
        self->state = FUOTA_GRPC_DRAINING;
}

static int
s_on_frame (nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    fuota_grpc_t *self = arg;
    const nghttp2_frame_hd *head = &frame->hd;
    if (head->type == NGHTTP2_SETTINGS && !(head->flags & NGHTTP2_FLAG_ACK)) {
        if (self->state == FUOTA_GRPC_OPENING)
            self->state = FUOTA_GRPC_READY;
    }
    else if (head->type == NGHTTP2_GOAWAY)
        s_goaway (self, &frame->goaway);
    bool ends = (head->type == NGHTTP2_DATA || head->type == NGHTTP2_HEADERS) &&
                head->flags & NGHTTP2_FLAG_END_STREAM;
    fuota_grpc_call_t *call =
        ends ? nghttp2_session_get_stream_user_data (session, head->stream_id)
             : NULL;
    if (!call)
        return 0;
    self->stats.replies++;
    fuota_grpc_finish (self, call, fuota_grpc_reply_end (&call->reply), false,
        fuota_grpc_cut (call));
    return 0;
}

//  gRPC's doc/PROTOCOL-HTTP2.md, "Errors"
static fuota_grpc_status_t
s_by_reset (uint32_t code)
{
    switch (code) {
        case NGHTTP2_REFUSED_STREAM:
            return FUOTA_GRPC_UNAVAILABLE;
        case NGHTTP2_CANCEL:
            return FUOTA_GRPC_CANCELLED;
        case NGHTTP2_ENHANCE_YOUR_CALM:
            return FUOTA_GRPC_RESOURCE_EXHAUSTED;
        case NGHTTP2_INADEQUATE_SECURITY:
            return FUOTA_GRPC_PERMISSION_DENIED;
        case NGHTTP2_STREAM_CLOSED:
            return FUOTA_GRPC_UNKNOWN;
        default:
            return FUOTA_GRPC_INTERNAL;
    }
}

//  Without an answer: reset, or above the last stream of a GOAWAY, which
//  nghttp2 reports as refused.
static int
s_on_close (nghttp2_session *session, int32_t stream, uint32_t code, void *arg)
{
    fuota_grpc_call_t *call =
        nghttp2_session_get_stream_user_data (session, stream);
    if (!call)
        return 0;
    fuota_grpc_reply_say (&call->reply,
        "stream closed: ", nghttp2_http2_strerror (code));
    fuota_grpc_finish (arg, call, s_by_reset (code),
        code == NGHTTP2_REFUSED_STREAM || fuota_grpc_cut (call), false);
    return 0;
}

//  A request that nghttp2 could not send, after a GOAWAY that came meanwhile
static int
s_on_not_sent (nghttp2_session *session, const nghttp2_frame *frame, int rc,
    void *arg)
{
    fuota_grpc_call_t *call =
        frame->hd.type == NGHTTP2_HEADERS
            ? nghttp2_session_get_stream_user_data (session,
                  frame->hd.stream_id)
            : NULL;
    if (!call)
        return 0;
    fuota_grpc_reply_say (&call->reply, "not sent: ", nghttp2_strerror (rc));
    fuota_grpc_finish (arg, call, FUOTA_GRPC_UNAVAILABLE, true, false);
    return 0;
}

int
fuota_grpc_session (fuota_grpc_t *self)
{
    nghttp2_session_callbacks *callbacks;
    if (nghttp2_session_callbacks_new (&callbacks))
        return FUOTA_EFULL;
    nghttp2_session_callbacks_set_on_header_callback (callbacks, s_on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback (callbacks,
        s_on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback (callbacks,
        s_on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback (callbacks,
        s_on_close);
    nghttp2_session_callbacks_set_on_frame_not_send_callback (callbacks,
        s_on_not_sent);
    int rc = nghttp2_session_client_new3 (&self->session, callbacks, self, NULL,
        &self->nghttp2_memory);
    nghttp2_session_callbacks_del (callbacks);
    return rc ? FUOTA_EFULL : 0;
}
