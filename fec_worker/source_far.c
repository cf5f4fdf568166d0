//  SPDX-License-Identifier: MIT
//
//  Parts: the cache folder; images in memory; fetching; the source.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "fec_worker/source.h"
#include "schema/hex.h"

#define IMAGES 16  //  In memory; more are in the folder
#define WINDOW 8   //  Parts asked for and not yet here
#define PART (128u << 10)
#define PATIENCE 5000  //  For a part, before all is asked for again

typedef struct {
    bool used;
    uint8_t sha256 [32];
    uint8_t *data;
    uint32_t size;
    uint32_t have;   //  Bytes here, from the first on
    uint32_t asked;  //  Bytes asked for
    int64_t since;   //  The last part, or question
    uint64_t turn;   //  Of its last use
    bool whole, gone;
} s_image_t;

typedef struct {
    fuota_source_t base;
    char folder [3072];
    uint64_t limit;
    fuota_source_send_fn *send;
    void *arg;
    s_image_t images [IMAGES];
    uint64_t turn;
    char error [160];
} self_t;

//  ---------------------------------------------------------------------
//  The cache folder

static void
s_path (const self_t *self, const uint8_t *sha256, char *path, size_t size)
{
    char name [65];
    fuota_hex (sha256, 32, name);
    snprintf (path, size, "%s/%s", self->folder, name);
}

static bool
s_is_image (const char *name)
{
    return strlen (name) == 64 && strspn (name, "0123456789abcdef") == 64;
}

//  Bytes in the folder, and the file that was used longest ago.
static uint64_t
s_survey (const self_t *self, char *oldest, size_t size)
{
    uint64_t bytes = 0;
    struct timespec first = { 0, 0 };
    struct dirent *entry;
    DIR *dir = opendir (self->folder);
    *oldest = 0;
    while (dir && (entry = readdir (dir))) {
        char path [4096];
        struct stat stat_;
        if (!s_is_image (entry->d_name))
            continue;
        snprintf (path, sizeof path, "%s/%s", self->folder, entry->d_name);
        if (stat (path, &stat_))
            continue;
        bytes += (uint64_t) stat_.st_size;
        struct timespec used = stat_.st_mtim;
        if (!*oldest || used.tv_sec < first.tv_sec ||
            (used.tv_sec == first.tv_sec && used.tv_nsec < first.tv_nsec)) {
            first = used;
            snprintf (oldest, size, "%s", path);
        }
    }
    if (dir)
        closedir (dir);
    return bytes;
}

//  What cannot be kept is fetched again: no fault here is worth a word.
static void
s_keep (const self_t *self, const s_image_t *image)
{
    char path [4096], part [4096], oldest [4096];
    if (!*self->folder || image->size > self->limit)
        return;
    while (s_survey (self, oldest, sizeof oldest) + image->size > self->limit &&
           *oldest && !unlink (oldest))
        continue;
    s_path (self, image->sha256, path, sizeof path);
    snprintf (part, sizeof part, "%s/part-%ld", self->folder, (long) getpid ());
    FILE *file = fopen (part, "wb");
    if (!file)
        return;
    bool good = fwrite (image->data, 1, image->size, file) == image->size;
    good = !fclose (file) && good;
    if (!good || rename (part, path))
        unlink (part);
}

static bool
s_right (const s_image_t *image)
{
    uint8_t sha256 [32];
    return EVP_Digest (image->data, image->size, sha256, NULL, EVP_sha256 (),
               NULL) == 1 &&
           !memcmp (sha256, image->sha256, 32);
}

static bool
s_load (const self_t *self, s_image_t *image)
{
    char path [4096];
    if (!*self->folder)
        return false;
    s_path (self, image->sha256, path, sizeof path);
    FILE *file = fopen (path, "rb");
    if (!file)
        return false;
    bool good = fread (image->data, 1, image->size, file) == image->size;
    fclose (file);
    if (good && s_right (image)) {
        utimensat (AT_FDCWD, path, NULL, 0);  //  Used now
        return true;
    }
    unlink (path);
    return false;
}

//  ---------------------------------------------------------------------
//  Images in memory

static void
s_drop (s_image_t *image)
{
    free (image->data);
    *image = (s_image_t){ .used = false };
}

static s_image_t *
s_find (self_t *self, const uint8_t *sha256)
{
    for (size_t i = 0; i < IMAGES; i++)
        if (self->images [i].used &&
            !memcmp (self->images [i].sha256, sha256, 32))
            return &self->images [i];
    return NULL;
}

//  A place for an image: a free one, or that of the one used longest ago.
static s_image_t *
s_new (self_t *self, const fuota_parity_key_t *key)
{
    s_image_t *image = &self->images [0];
    for (size_t i = 0; i < IMAGES; i++)
        if (!self->images [i].used ||
            (image->used && self->images [i].turn < image->turn))
            image = &self->images [i];
    s_drop (image);
    uint8_t *data = malloc (key->image_size);
    if (!data)
        return NULL;
    *image = (s_image_t){ .used = true, .data = data, .size = key->image_size };
    memcpy (image->sha256, key->image, 32);
    image->whole = s_load (self, image);
    return image;
}

//  ---------------------------------------------------------------------
//  Fetching

static void
s_ask (self_t *self, s_image_t *image, int64_t now)
{
    if (image->asked > image->have && now - image->since >= PATIENCE)
        image->asked = image->have;  //  It was lost on the way
    while (image->asked < image->size &&
           image->asked < image->have + WINDOW * PART) {
        uint32_t left = image->size - image->asked;
        fuota_fec_message_t message = { .kind = FUOTA_FEC_WANTED };
        memcpy (message.as.wanted.image, image->sha256, 32);
        message.as.wanted.at = image->asked;
        message.as.wanted.size = left < PART ? left : PART;
        if (self->send (self->arg, &message))
            return;
        image->asked += message.as.wanted.size;
        image->since = now;
    }
}

static void
s_part (fuota_source_t *base, const fuota_fec_message_t *message, int64_t now)
{
    self_t *self = (self_t *) base;
    const ImagePart *part = &message->as.part;
    s_image_t *image = s_find (self, part->image);
    if (!image || image->whole || part->at != image->have)
        return;
    if (!message->data.size) {
        image->gone = true;
        return;
    }
    if (message->data.size > image->size - image->have)
        return;
    memcpy (image->data + image->have, message->data.data, message->data.size);
    image->have += (uint32_t) message->data.size;
    image->since = now;
    if (image->have < image->size) {
        s_ask (self, image, now);
        return;
    }
    image->whole = s_right (image);
    image->gone = !image->whole;
    if (image->whole)
        s_keep (self, image);
}

//  ---------------------------------------------------------------------
//  The source

static int
s_image (fuota_source_t *base, const fuota_parity_key_t *key, int64_t now,
    fuota_slice_t *out)
{
    self_t *self = (self_t *) base;
    s_image_t *image = s_find (self, key->image);
    if (image && image->size != key->image_size)
        s_drop (image);
    if (!image || !image->used)
        image = s_new (self, key);
    if (!image)
        return FUOTA_EDB;
    image->turn = ++self->turn;
    if (image->gone) {
        s_drop (image);
        return FUOTA_ENOTFOUND;
    }
    *out = fuota_slice (image->data, image->size);
    if (image->whole)
        return 0;
    s_ask (self, image, now);
    return FUOTA_EBUSY;
}

static int
s_deliver (fuota_source_t *base, const Grant *grant, uint32_t first,
    uint32_t count, fuota_slice_t rows)
{
    self_t *self = (self_t *) base;
    for (uint32_t i = first; i < first + count; i++) {
        size_t size = (size_t) fuota_parity_block_rows (&grant->parity, i) *
                      grant->parity.frag_size;
        fuota_fec_message_t message = { .kind = FUOTA_FEC_BLOCK,
            .data = fuota_slice (rows.data, size) };
        message.as.block = (Block){ .lease = grant->lease,
            .has_parity = true,
            .parity = grant->parity,
            .block = i,
            .sum = fuota_fec_sum (rows.data, size) };
        if (self->send (self->arg, &message)) {
            snprintf (self->error, sizeof self->error, "pool does not take");
            return FUOTA_EDB;
        }
        rows = fuota_slice (rows.data + size, rows.size - size);
    }
    return 0;
}

static int
s_flush (fuota_source_t *base)
{
    (void) base;  //  The transport is in order: blocks are before "done"
    return 0;
}

static void
s_connect (fuota_source_t *base)
{
    self_t *self = (self_t *) base;
    for (size_t i = 0; i < IMAGES; i++)
        self->images [i].asked = self->images [i].have;
}

static void
s_destroy (fuota_source_t **base_p)
{
    self_t *self = (self_t *) *base_p;
    if (!self)
        return;
    for (size_t i = 0; i < IMAGES; i++)
        s_drop (&self->images [i]);
    free (self);
    *base_p = NULL;
}

static const char *
s_error (const fuota_source_t *base)
{
    return ((const self_t *) base)->error;
}

fuota_source_t *
fuota_source_far (const char *folder, uint64_t limit,
    fuota_source_send_fn *send, void *arg, char *error, size_t size)
{
    if (*folder && mkdir (folder, 0700) && errno != EEXIST) {
        snprintf (error, size, "%s: %s", folder, strerror (errno));
        return NULL;
    }
    self_t *self = calloc (1, sizeof *self);
    if (!self) {
        snprintf (error, size, "out of memory");
        return NULL;
    }
    self->base = (fuota_source_t){ s_image, s_deliver, s_flush, s_part,
        s_connect, s_destroy, s_error, false };
    snprintf (self->folder, sizeof self->folder, "%s", folder);
    self->limit = limit;
    self->send = send;
    self->arg = arg;
    return &self->base;
}
