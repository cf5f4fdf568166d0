//  SPDX-License-Identifier: MIT
//
//  bytes - bounded reader and writer over borrowed memory.
//
//  The first failure sticks: later reads give 0, later writes do nothing, and
//  the caller looks at .rc once, at the end. Nothing is copied by a reader;
//  its slices live as long as the memory it was given.

#ifndef FUOTA_BYTES_H
#define FUOTA_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "schema/error.h"

//  Borrowed bytes: for the length of a call, never kept.
typedef struct {
    const uint8_t *data;
    size_t size;
} fuota_slice_t;

typedef struct {
    const uint8_t *data;
    size_t size;
    size_t at;  //  Bytes read so far
    int rc;     //  0, or FUOTA_ESHORT once a read went past the end
} fuota_reader_t;

typedef struct {
    uint8_t *data;
    size_t size;
    size_t at;  //  Bytes written so far
    int rc;     //  0, or FUOTA_EFULL once a write found no room
} fuota_writer_t;

static inline fuota_slice_t
fuota_slice (const void *data, size_t size)
{
    fuota_slice_t slice = { (const uint8_t *) data, size };
    return slice;
}

static inline fuota_reader_t
fuota_reader (const void *data, size_t size)
{
    fuota_reader_t self = { (const uint8_t *) data, size, 0, 0 };
    return self;
}

static inline size_t
fuota_reader_left (const fuota_reader_t *self)
{
    return self->rc ? 0 : self->size - self->at;
}

//  Next size bytes in place, NULL if there are fewer.
static inline const uint8_t *
fuota_reader_take (fuota_reader_t *self, size_t size)
{
    if (self->rc || self->size - self->at < size) {
        self->rc = FUOTA_ESHORT;
        return NULL;
    }
    const uint8_t *data = self->data + self->at;
    self->at += size;
    return data;
}

//  Little-endian number of 1 to 8 bytes.
static inline uint64_t
fuota_reader_le (fuota_reader_t *self, size_t size)
{
    const uint8_t *data = fuota_reader_take (self, size);
    uint64_t value = 0;
    for (size_t i = size; data && i > 0; i--)
        value = value << 8 | data [i - 1];
    return value;
}

static inline uint8_t
fuota_reader_u8 (fuota_reader_t *self)
{
    return (uint8_t) fuota_reader_le (self, 1);
}

static inline uint16_t
fuota_reader_le16 (fuota_reader_t *self)
{
    return (uint16_t) fuota_reader_le (self, 2);
}

static inline uint32_t
fuota_reader_le24 (fuota_reader_t *self)
{
    return (uint32_t) fuota_reader_le (self, 3);
}

static inline uint32_t
fuota_reader_le32 (fuota_reader_t *self)
{
    return (uint32_t) fuota_reader_le (self, 4);
}

//  Copy size bytes out; zeros if there are fewer.
static inline void
fuota_reader_copy (fuota_reader_t *self, void *out, size_t size)
{
    const uint8_t *data = fuota_reader_take (self, size);
    if (data)
        memcpy (out, data, size);
    else
        memset (out, 0, size);
}

static inline fuota_writer_t
fuota_writer (void *data, size_t size)
{
    fuota_writer_t self = { (uint8_t *) data, size, 0, 0 };
    return self;
}

static inline void
fuota_writer_copy (fuota_writer_t *self, const void *data, size_t size)
{
    if (self->rc || self->size - self->at < size) {
        self->rc = FUOTA_EFULL;
        return;
    }
    if (size)
        memcpy (self->data + self->at, data, size);
    self->at += size;
}

static inline void
fuota_writer_le (fuota_writer_t *self, uint64_t value, size_t size)
{
    uint8_t bytes [8];
    for (size_t i = 0; i < size; i++)
        bytes [i] = (uint8_t) (value >> 8 * i);
    fuota_writer_copy (self, bytes, size);
}

static inline void
fuota_writer_u8 (fuota_writer_t *self, unsigned value)
{
    fuota_writer_le (self, value, 1);
}

//  Big-endian, for keys: byte order is then key order.
static inline void
fuota_writer_be (fuota_writer_t *self, uint64_t value, size_t size)
{
    for (size_t i = size; i > 0; i--)
        fuota_writer_u8 (self, (uint8_t) (value >> 8 * (i - 1)));
}

static inline uint64_t
fuota_be (const uint8_t *data, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | data [i];
    return value;
}

#endif
