//  SPDX-License-Identifier: MIT
//
//  source - where a worker's images come from and its blocks go to. That is
//  all in which near and far differ.
//
//  near: the parity environment of this host. The image is read in place, the
//  blocks are committed there; nothing but grants and "done" cross the socket.
//  far: the image is fetched once, in parts, and kept by its hash in a bounded
//  folder; blocks go out as messages.
//
//  Shell: one thread. Time is steady milliseconds.

#ifndef FUOTA_SOURCE_H
#define FUOTA_SOURCE_H

#include "schema/fec_message.h"

typedef struct fuota_source fuota_source_t;

typedef int (
    fuota_source_send_fn) (void *arg, const fuota_fec_message_t *message);

struct fuota_source {
    //  The image of a parity, until the next flush. Returns 0; FUOTA_EBUSY:
    //  being fetched, ask again; FUOTA_ENOTFOUND: it cannot be had; FUOTA_EDB.
    int (*image) (fuota_source_t *self, const fuota_parity_key_t *key,
        int64_t now, fuota_slice_t *image);
    //  Take the rows of a grant's blocks first .. first + count - 1. They are
    //  borrowed until the flush. Returns 0, FUOTA_EFULL (flush first) or
    //  FUOTA_EDB.
    int (*deliver) (fuota_source_t *self, const Grant *grant, uint32_t first,
        uint32_t count, fuota_slice_t rows);
    //  Make what was delivered safe. Returns 0 or FUOTA_EDB.
    int (*flush) (fuota_source_t *self);
    //  A part of an image came.
    void (*part) (fuota_source_t *self, const fuota_fec_message_t *message,
        int64_t now);
    //  Forget what was asked for over an old connection.
    void (*connect) (fuota_source_t *self);
    void (*destroy) (fuota_source_t **self_p);
    const char *(*error) (const fuota_source_t *self);
    bool near;
};

//  Open the environment that a broker of this host has made. NULL if that
//  failed, with words in error.
fuota_source_t *fuota_source_near (const char *folder, char *error,
    size_t size);

//  Fetch through send, keep images in folder ("": in memory only), at most
//  limit bytes of them there.
fuota_source_t *fuota_source_far (const char *folder, uint64_t limit,
    fuota_source_send_fn *send, void *arg, char *error, size_t size);

#endif
