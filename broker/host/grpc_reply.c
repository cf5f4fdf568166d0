//  SPDX-License-Identifier: MIT
//
//  In three parts: header fields, body, verdict.

#include "broker/host/grpc_reply.h"

#define FIRST_CAPACITY 65536  //  Taken on the peer's word alone

//  Called through a pointer that a compiler must read, so it cannot know that
//  nobody looks at the memory again.
static void *(*const volatile s_set) (void *, int, size_t) = memset;

void
fuota_grpc_wipe (void *data, size_t size)
{
    if (size)
        s_set (data, 0, size);
}

void
fuota_grpc_reply_init (fuota_grpc_reply_t *self)
{
    memset (self, 0, sizeof *self);
    self->status = -1;
}

void
fuota_grpc_reply_release (fuota_grpc_reply_t *self, fuota_grpc_memory_t *memory)
{
    if (self->data) {
        fuota_grpc_wipe (self->data, self->size);
        memory->resize (self->data, 0);
        memory->held -= self->capacity;
    }
    fuota_grpc_reply_init (self);
}

void
fuota_grpc_reply_say (fuota_grpc_reply_t *self, const char *text,
    const char *more)
{
    size_t at = 0;
    for (; *text && at + 1 < sizeof self->text; text++)
        self->text [at++] = *text;
    for (; *more && at + 1 < sizeof self->text; more++)
        self->text [at++] = *more;
    self->text [at] = 0;
}

const char *
fuota_grpc_status_name (fuota_grpc_status_t status)
{
    static const char *const names [] = { "OK", "CANCELLED", "UNKNOWN",
        "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
        "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
        "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE",
        "DATA_LOSS", "UNAUTHENTICATED" };
    return (size_t) status < sizeof names / sizeof *names ? names [status]
                                                          : "UNKNOWN";
}

//  ---------------------------------------------------------------------
//  Header fields

static bool
s_is (fuota_slice_t slice, const char *text)
{
    size_t size = strlen (text);
    return slice.size == size && !memcmp (slice.data, text, size);
}

//  A decimal number up to max, or -1.
static int
s_number (fuota_slice_t text, int max)
{
    int value = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data [i] < '0' || text.data [i] > '9')
            return -1;
        value = value * 10 + (text.data [i] - '0');
        if (value > max)
            return -1;
    }
    return text.size ? value : -1;
}

static int
s_hex (uint8_t digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

//  Length of the UTF-8 character at the start of text, 0 if it is none.
static size_t
s_utf8 (const uint8_t *text, size_t size)
{
    uint8_t first = text [0];
    if (first < 0x80)
        return 1;
    size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || length > size)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((text [i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (first == 0xe0 && text [1] < 0xa0) ||
                    (first == 0xf0 && text [1] < 0x90);
    bool outside = (first == 0xed && text [1] > 0x9f) ||
                   (first == 0xf4 && text [1] > 0x8f);
    return overlong || outside ? 0 : length;
}

//  It will be logged, stored in a record, printed at a terminal: one line of
//  valid UTF-8 without control characters, whatever the peer sent.
static void
s_clean (char *text, size_t *size)
{
    size_t at = 0;
    while (at < *size) {
        size_t left = *size - at;
        uint8_t *here = (uint8_t *) text + at;
        size_t length = s_utf8 (here, left);
        bool c1 = length == 2 && here [0] == 0xc2 && here [1] < 0xa0;
        if (!length || here [0] < 0x20 || here [0] == 0x7f)
            *here = '?';
        else if (c1)
            here [0] = here [1] = '?';
        at += length ? length : 1;
    }
}

//  grpc-message is percent-encoded; what is not well encoded stands as it is.
static void
s_text (fuota_grpc_reply_t *self, fuota_slice_t value)
{
    size_t size = 0;
    for (size_t i = 0; i < value.size && size + 1 < sizeof self->text; i++) {
        uint8_t byte = value.data [i];
        if (byte == '%' && value.size - i > 2) {
            int high = s_hex (value.data [i + 1]);
            int low = s_hex (value.data [i + 2]);
            if (high >= 0 && low >= 0) {
                byte = (uint8_t) (high << 4 | low);
                i += 2;
            }
        }
        self->text [size++] = (char) byte;
    }
    s_clean (self->text, &size);
    self->text [size] = 0;
}

//  application/grpc, with a "+proto" or parameters behind it
static bool
s_is_grpc (fuota_slice_t value)
{
    static const char type [] = "application/grpc";
    size_t size = sizeof type - 1;
    if (value.size < size || memcmp (value.data, type, size))
        return false;
    return value.size == size || value.data [size] == '+' ||
           value.data [size] == ';';
}

void
fuota_grpc_reply_header (fuota_grpc_reply_t *self, fuota_slice_t name,
    fuota_slice_t value)
{
    if (s_is (name, ":status")) {
        //  A later one follows an interim answer, of which nothing counts
        int http = s_number (value, 999);
        self->http = http < 0 ? 0 : (unsigned) http;
        self->status = -1;
        self->is_grpc = false;
        self->text [0] = 0;
    }
    else if (s_is (name, "content-type"))
        self->is_grpc = s_is_grpc (value);
    else if (s_is (name, "grpc-status")) {
        int status = s_number (value, FUOTA_GRPC_UNAUTHENTICATED);
        self->status = status < 0 ? FUOTA_GRPC_UNKNOWN : status;
    }
    else if (s_is (name, "grpc-message"))
        s_text (self, value);
}

//  ---------------------------------------------------------------------
//  Body

static int
s_fault (fuota_grpc_reply_t *self, fuota_grpc_status_t status, const char *text)
{
    self->fault = (int) status;
    fuota_grpc_reply_say (self, text, "");
    return self->fault;
}

//  Room for size bytes. Copied by hand, for realloc leaves the old bytes
//  behind where nobody can wipe them.
static bool
s_reserve (fuota_grpc_reply_t *self, fuota_grpc_memory_t *memory, size_t size)
{
    if (size <= self->capacity)
        return true;
    size_t capacity = self->capacity ? self->capacity * 2 : FIRST_CAPACITY;
    if (capacity < size)
        capacity = size;
    if (capacity > self->expected)
        capacity = self->expected;
    size_t others = memory->held - self->capacity;
    if (capacity > memory->max_held - others)
        return false;
    uint8_t *data = memory->resize (NULL, capacity);
    if (!data)
        return false;
    if (self->data) {
        memcpy (data, self->data, self->size);
        fuota_grpc_wipe (self->data, self->size);
        memory->resize (self->data, 0);
    }
    memory->held = others + capacity;
    self->data = data;
    self->capacity = capacity;
    return true;
}

static int
s_prefix (fuota_grpc_reply_t *self, const fuota_grpc_memory_t *memory,
    uint8_t byte)
{
    self->prefix [self->prefix_size++] = byte;
    if (self->prefix_size < FUOTA_GRPC_PREFIX)
        return 0;
    self->expected = (size_t) fuota_be (self->prefix + 1, 4);
    //  We announce no compression, so a peer has no leave to use it
    if (self->prefix [0])
        return s_fault (self, FUOTA_GRPC_INTERNAL, "compressed message");
    if (self->expected > memory->max_message)
        return s_fault (self, FUOTA_GRPC_RESOURCE_EXHAUSTED,
            "message larger than our limit");
    return 0;
}

static int
s_message (fuota_grpc_reply_t *self, fuota_grpc_memory_t *memory,
    fuota_slice_t bytes)
{
    if (bytes.size > self->expected - self->size)
        return s_fault (self, FUOTA_GRPC_INTERNAL, "more than one message");
    if (!s_reserve (self, memory, self->size + bytes.size))
        return s_fault (self, FUOTA_GRPC_RESOURCE_EXHAUSTED,
            "no memory for the message");
    memcpy (self->data + self->size, bytes.data, bytes.size);
    self->size += bytes.size;
    return 0;
}

int
fuota_grpc_reply_data (fuota_grpc_reply_t *self, fuota_grpc_memory_t *memory,
    fuota_slice_t bytes)
{
    //  A page of a proxy's; its status says enough
    if (!self->is_grpc || self->http != 200)
        return 0;
    size_t at = 0;
    while (!self->fault && at < bytes.size &&
           self->prefix_size < FUOTA_GRPC_PREFIX)
        s_prefix (self, memory, bytes.data [at++]);
    if (!self->fault && at < bytes.size)
        s_message (self, memory,
            fuota_slice (bytes.data + at, bytes.size - at));
    return self->fault;
}

//  ---------------------------------------------------------------------
//  Verdict

//  gRPC's doc/http-grpc-status-mapping.md: what a status of HTTP means when
//  there is none of gRPC.
static fuota_grpc_status_t
s_by_http (unsigned http)
{
    switch (http) {
        case 400:
            return FUOTA_GRPC_INTERNAL;
        case 401:
            return FUOTA_GRPC_UNAUTHENTICATED;
        case 403:
            return FUOTA_GRPC_PERMISSION_DENIED;
        case 404:
            return FUOTA_GRPC_UNIMPLEMENTED;
        case 429:
        case 502:
        case 503:
        case 504:
            return FUOTA_GRPC_UNAVAILABLE;
        default:
            return FUOTA_GRPC_UNKNOWN;
    }
}

static fuota_grpc_status_t
s_not_grpc (fuota_grpc_reply_t *self)
{
    char digits [4] = { (char) ('0' + self->http / 100 % 10),
        (char) ('0' + self->http / 10 % 10), (char) ('0' + self->http % 10),
        0 };
    if (self->http == 200)
        fuota_grpc_reply_say (self,
            self->is_grpc ? "no status in the answer" : "not a gRPC answer",
            "");
    else
        fuota_grpc_reply_say (self, "HTTP status ", digits);
    return s_by_http (self->http);
}

fuota_grpc_status_t
fuota_grpc_reply_end (fuota_grpc_reply_t *self)
{
    if (self->fault)
        return (fuota_grpc_status_t) self->fault;
    if (!self->is_grpc || self->status < 0)
        return s_not_grpc (self);
    if (self->status != FUOTA_GRPC_OK)
        return (fuota_grpc_status_t) self->status;
    bool whole =
        self->prefix_size == FUOTA_GRPC_PREFIX && self->size == self->expected;
    if (whole)
        return FUOTA_GRPC_OK;
    s_fault (self, FUOTA_GRPC_INTERNAL,
        self->prefix_size ? "message cut short" : "no message in the answer");
    return FUOTA_GRPC_INTERNAL;
}
