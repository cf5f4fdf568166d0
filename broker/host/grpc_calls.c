//  SPDX-License-Identifier: MIT

#include <assert.h>
#include "broker/host/grpc_calls.h"

static void
s_append (fuota_grpc_list_t *list, fuota_grpc_call_t *call)
{
    call->next = NULL;
    if (list->last)
        list->last->next = call;
    else
        list->first = call;
    list->last = call;
    list->count++;
}

static void
s_prepend (fuota_grpc_list_t *list, fuota_grpc_call_t *call)
{
    call->next = list->first;
    list->first = call;
    if (!list->last)
        list->last = call;
    list->count++;
}

static fuota_grpc_call_t *
s_pop (fuota_grpc_list_t *list)
{
    fuota_grpc_call_t *call = list->first;
    if (!call)
        return NULL;
    list->first = call->next;
    if (!list->first)
        list->last = NULL;
    list->count--;
    return call;
}

static void
s_drop_body (fuota_grpc_calls_t *self, fuota_grpc_call_t *call)
{
    if (!call->body)
        return;
    fuota_grpc_wipe (call->body, call->size);
    self->memory.resize (call->body, 0);
    call->body = NULL;
}

int
fuota_grpc_calls_init (fuota_grpc_calls_t *self, size_t size,
    const fuota_grpc_memory_t *memory)
{
    memset (self, 0, sizeof *self);
    self->memory = *memory;
    self->due = INT64_MAX;
    if (size > SIZE_MAX / sizeof *self->calls)
        return FUOTA_EFULL;
    self->calls = memory->resize (NULL, size * sizeof *self->calls);
    if (!self->calls)
        return FUOTA_EFULL;
    memset (self->calls, 0, size * sizeof *self->calls);
    self->size = size;
    for (size_t i = 0; i < size; i++) {
        fuota_grpc_reply_init (&self->calls [i].reply);
        s_append (&self->free, &self->calls [i]);
    }
    return 0;
}

void
fuota_grpc_calls_release (fuota_grpc_calls_t *self)
{
    for (size_t i = 0; i < self->size; i++) {
        s_drop_body (self, &self->calls [i]);
        fuota_grpc_reply_release (&self->calls [i].reply, &self->memory);
    }
    if (self->calls)
        self->memory.resize (self->calls, 0);
    memset (self, 0, sizeof *self);
}

int
fuota_grpc_calls_add (fuota_grpc_calls_t *self, uint64_t tag, const char *path,
    fuota_slice_t message, int64_t deadline)
{
    size_t length = strlen (path);
    if (length >= FUOTA_GRPC_PATH || message.size > self->memory.max_message)
        return FUOTA_EVALUE;
    size_t size = FUOTA_GRPC_PREFIX + message.size;
    if (!self->free.first)
        return FUOTA_EFULL;
    uint8_t *body = self->memory.resize (NULL, size);
    if (!body)
        return FUOTA_EFULL;
    fuota_writer_t out = fuota_writer (body, size);
    fuota_writer_u8 (&out, 0);  //  Not compressed
    fuota_writer_be (&out, message.size, 4);
    fuota_writer_copy (&out, message.data, message.size);
    fuota_grpc_call_t *call = s_pop (&self->free);
    call->phase = FUOTA_GRPC_WAITING;
    call->tag = tag;
    call->deadline = deadline;
    call->body = body;
    call->size = size;
    call->sent = 0;
    call->unprocessed = false;
    memcpy (call->path, path, length + 1);
    s_append (&self->waiting, call);
    if (deadline < self->due)
        self->due = deadline;
    return 0;
}

fuota_grpc_call_t *
fuota_grpc_calls_start (fuota_grpc_calls_t *self)
{
    fuota_grpc_call_t *call = s_pop (&self->waiting);
    if (!call)
        return NULL;
    call->phase = FUOTA_GRPC_FLYING;
    self->flying++;
    return call;
}

void
fuota_grpc_calls_unstart (fuota_grpc_calls_t *self, fuota_grpc_call_t *call)
{
    assert (call->phase == FUOTA_GRPC_FLYING && call->sent == 0);
    call->phase = FUOTA_GRPC_WAITING;
    self->flying--;
    s_prepend (&self->waiting, call);
}

static void
s_answered (fuota_grpc_calls_t *self, fuota_grpc_call_t *call,
    fuota_grpc_status_t status, bool unprocessed)
{
    call->phase = FUOTA_GRPC_ANSWERED;
    call->status = status;
    call->unprocessed = unprocessed;
    s_drop_body (self, call);
    s_append (&self->answered, call);
}

void
fuota_grpc_calls_finish (fuota_grpc_calls_t *self, fuota_grpc_call_t *call,
    fuota_grpc_status_t status, bool unprocessed)
{
    assert (call->phase == FUOTA_GRPC_FLYING);
    self->flying--;
    s_answered (self, call, status, unprocessed);
}

void
fuota_grpc_calls_refuse (fuota_grpc_calls_t *self, int64_t limit,
    fuota_grpc_status_t status, const char *text, const char *more)
{
    fuota_grpc_list_t waiting = self->waiting;
    memset (&self->waiting, 0, sizeof self->waiting);
    for (fuota_grpc_call_t *call; (call = s_pop (&waiting));) {
        if (call->deadline > limit)
            s_append (&self->waiting, call);
        else {
            fuota_grpc_reply_say (&call->reply, text, more);
            s_answered (self, call, status, true);
        }
    }
}

fuota_grpc_call_t *
fuota_grpc_calls_flying (fuota_grpc_calls_t *self,
    const fuota_grpc_call_t *after, int64_t limit)
{
    for (size_t i = after ? (size_t) (after - self->calls) + 1 : 0;
         i < self->size; i++) {
        fuota_grpc_call_t *call = &self->calls [i];
        if (call->phase == FUOTA_GRPC_FLYING && call->deadline <= limit)
            return call;
    }
    return NULL;
}

void
fuota_grpc_calls_rearm (fuota_grpc_calls_t *self)
{
    self->due = INT64_MAX;
    for (size_t i = 0; i < self->size; i++) {
        const fuota_grpc_call_t *call = &self->calls [i];
        bool open = call->phase == FUOTA_GRPC_WAITING ||
                    call->phase == FUOTA_GRPC_FLYING;
        if (open && call->deadline < self->due)
            self->due = call->deadline;
    }
}

//  The one taken before is only now given back, so the caller need not copy.
fuota_grpc_call_t *
fuota_grpc_calls_take (fuota_grpc_calls_t *self)
{
    if (self->taken) {
        fuota_grpc_reply_release (&self->taken->reply, &self->memory);
        self->taken->phase = FUOTA_GRPC_FREE;
        s_append (&self->free, self->taken);
    }
    self->taken = s_pop (&self->answered);
    return self->taken;
}
