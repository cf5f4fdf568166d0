//  SPDX-License-Identifier: MIT

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include "tests/grpc_server.h"

typedef struct s_stream s_stream_t;
struct s_stream {
    s_stream_t *next, **link;
    grpc_request_t request;
    uint8_t *answer;
    size_t size, sent;
    char status [8], text [128];
};

struct grpc_server {
    nghttp2_session *session;
    s_stream_t *streams;
    grpc_server_fn *take;
    void *arg;
    const uint8_t *chunk;
    size_t chunk_size;
};

static int
s_on_begin (nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    grpc_server_t *self = arg;
    if (frame->hd.type != NGHTTP2_HEADERS ||
        frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    s_stream_t *stream = calloc (1, sizeof *stream);
    assert (stream);
    stream->request.stream = frame->hd.stream_id;
    stream->next = self->streams;
    stream->link = &self->streams;
    if (stream->next)
        stream->next->link = &stream->next;
    self->streams = stream;
    nghttp2_session_set_stream_user_data (session, frame->hd.stream_id, stream);
    return 0;
}

static int
s_on_header (nghttp2_session *session, const nghttp2_frame *frame,
    const uint8_t *name, size_t name_size, const uint8_t *value, size_t size,
    uint8_t flags, void *arg)
{
    (void) flags;
    (void) arg;
    (void) size;
    s_stream_t *stream =
        nghttp2_session_get_stream_user_data (session, frame->hd.stream_id);
    if (!stream)
        return 0;
    grpc_request_t *request = &stream->request;
    const struct {
        const char *name;
        char *out;
        size_t size;
    } fields [] = {
        { ":method", request->method, sizeof request->method },
        { ":path", request->path, sizeof request->path },
        { "te", request->te, sizeof request->te },
        { "content-type", request->type, sizeof request->type },
        { "grpc-timeout", request->timeout, sizeof request->timeout },
        { "authorization", request->authorization,
            sizeof request->authorization },
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strlen (fields [i].name) == name_size &&
            !memcmp (fields [i].name, name, name_size))
            snprintf (fields [i].out, fields [i].size, "%s",
                (const char *) value);
    return 0;
}

static int
s_on_data (nghttp2_session *session, uint8_t flags, int32_t id,
    const uint8_t *data, size_t size, void *arg)
{
    (void) flags;
    (void) arg;
    s_stream_t *stream = nghttp2_session_get_stream_user_data (session, id);
    if (!stream || !size)
        return 0;
    grpc_request_t *request = &stream->request;
    if (request->size + size > request->capacity) {
        request->capacity = (request->size + size) * 2;
        request->body = realloc (request->body, request->capacity);
        assert (request->body);
    }
    memcpy (request->body + request->size, data, size);
    request->size += size;
    return 0;
}

static int
s_on_frame (nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    grpc_server_t *self = arg;
    bool ends = frame->hd.type == NGHTTP2_DATA || frame->hd.type == 1;
    if (!ends || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    s_stream_t *stream =
        nghttp2_session_get_stream_user_data (session, frame->hd.stream_id);
    if (stream && self->take)
        self->take (self, &stream->request, self->arg);
    return 0;
}

static void
s_drop (s_stream_t *stream)
{
    *stream->link = stream->next;
    if (stream->next)
        stream->next->link = stream->link;
    free (stream->request.body);
    free (stream->answer);
    free (stream);
}

static int
s_on_close (nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
    (void) code;
    (void) arg;
    s_stream_t *stream = nghttp2_session_get_stream_user_data (session, id);
    if (stream)
        s_drop (stream);
    return 0;
}

static nghttp2_nv
s_field (const char *name, const char *value)
{
    nghttp2_nv nv = { (uint8_t *) name, (uint8_t *) value, strlen (name),
        strlen (value), NGHTTP2_NV_FLAG_NONE };
    return nv;
}

static ssize_t
s_read (nghttp2_session *session, int32_t id, uint8_t *out, size_t size,
    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    (void) arg;
    s_stream_t *stream = source->ptr;
    if (size > stream->size - stream->sent)
        size = stream->size - stream->sent;
    memcpy (out, stream->answer + stream->sent, size);
    stream->sent += size;
    if (stream->sent < stream->size)
        return (ssize_t) size;
    const nghttp2_nv trailer [] = { s_field ("grpc-status", stream->status),
        s_field ("grpc-message", stream->text) };
    nghttp2_submit_trailer (session, id, trailer, *stream->text ? 2 : 1);
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return (ssize_t) size;
}

grpc_server_t *
grpc_server_new (int32_t max_streams, int32_t window, grpc_server_fn *take,
    void *arg)
{
    grpc_server_t *self = calloc (1, sizeof *self);
    nghttp2_session_callbacks *callbacks;
    assert (self && !nghttp2_session_callbacks_new (&callbacks));
    self->take = take;
    self->arg = arg;
    nghttp2_session_callbacks_set_on_begin_headers_callback (callbacks,
        s_on_begin);
    nghttp2_session_callbacks_set_on_header_callback (callbacks, s_on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback (callbacks,
        s_on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback (callbacks,
        s_on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback (callbacks,
        s_on_close);
    //  libcurl, in the bench, resets more streams than a server lets pass
    nghttp2_option *option;
    int rc = nghttp2_option_new (&option);
    assert (rc == 0);
    nghttp2_option_set_stream_reset_rate_limit (option, 1u << 30, 1u << 30);
    rc = nghttp2_session_server_new2 (&self->session, callbacks, self, option);
    assert (rc == 0);
    nghttp2_option_del (option);
    nghttp2_session_callbacks_del (callbacks);
    nghttp2_settings_entry entries [2];
    size_t count = 0;
    if (max_streams >= 0)
        entries [count++] =
            (nghttp2_settings_entry){ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
                (uint32_t) max_streams };
    if (window >= 0)
        entries [count++] =
            (nghttp2_settings_entry){ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
                (uint32_t) window };
    nghttp2_submit_settings (self->session, 0, entries, count);
    return self;
}

void
grpc_server_destroy (grpc_server_t **self_p)
{
    grpc_server_t *self = *self_p;
    if (!self)
        return;
    while (self->streams)
        s_drop (self->streams);
    nghttp2_session_del (self->session);
    free (self);
    *self_p = NULL;
}

int
grpc_server_input (grpc_server_t *self, const void *data, size_t size)
{
    return nghttp2_session_mem_recv (self->session, data, size) ==
                   (ssize_t) size
               ? 0
               : -1;
}

size_t
grpc_server_output (grpc_server_t *self, uint8_t *out, size_t size)
{
    size_t at = 0;
    while (at < size) {
        if (!self->chunk_size) {
            ssize_t made =
                nghttp2_session_mem_send (self->session, &self->chunk);
            if (made <= 0)
                break;
            self->chunk_size = (size_t) made;
        }
        size_t count =
            self->chunk_size < size - at ? self->chunk_size : size - at;
        memcpy (out + at, self->chunk, count);
        self->chunk += count;
        self->chunk_size -= count;
        at += count;
    }
    return at;
}

bool
grpc_server_open (const grpc_server_t *self)
{
    return self->chunk_size || nghttp2_session_want_read (self->session) ||
           nghttp2_session_want_write (self->session);
}

void
grpc_server_answer (grpc_server_t *self, int32_t id, const char *status,
    const char *text, fuota_slice_t message)
{
    s_stream_t *stream =
        nghttp2_session_get_stream_user_data (self->session, id);
    if (!stream)
        return;  //  Reset meanwhile
    stream->size = 5 + message.size;
    stream->answer = malloc (stream->size);
    assert (stream->answer);
    fuota_writer_t out = fuota_writer (stream->answer, stream->size);
    fuota_writer_u8 (&out, 0);
    fuota_writer_be (&out, message.size, 4);
    fuota_writer_copy (&out, message.data, message.size);
    snprintf (stream->status, sizeof stream->status, "%s", status);
    snprintf (stream->text, sizeof stream->text, "%s", text);
    const nghttp2_nv header [] = { s_field (":status", "200"),
        s_field ("content-type", "application/grpc") };
    nghttp2_data_provider body = { { .ptr = stream }, s_read };
    nghttp2_submit_response (self->session, id, header, 2, &body);
}

void
grpc_server_refuse (grpc_server_t *self, int32_t id, const char *status,
    const char *text)
{
    const nghttp2_nv header [] = { s_field (":status", "200"),
        s_field ("content-type", "application/grpc"),
        s_field ("grpc-status", status), s_field ("grpc-message", text) };
    nghttp2_submit_headers (self->session, NGHTTP2_FLAG_END_STREAM, id, NULL,
        header, 4, NULL);
}

nghttp2_session *
grpc_server_session (grpc_server_t *self)
{
    return self->session;
}
