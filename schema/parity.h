//  SPDX-License-Identifier: MIT
//
//  parity - the environment that the broker and the FEC workers of its host
//  share: images in place, blocks of coded fragments.
//
//  Caveats. Several processes open one folder at once, so there is no lock; a
//  process opens it once. Any thread may call: every call is a transaction of
//  its own, but for a view, which belongs to one thread at a time. All of it
//  can be computed again: it is not backed up, and nothing waits for the disk.
//  Killed processes lose nothing; an environment that was open when the
//  machine went down is wiped at the next start (a file "open" holds the boot
//  id meanwhile). What the broker says how large it may be (map size) holds
//  for all; a worker passes 0.
//
//  A block is 64 rows of one fuota_parity_key_t, rows 64 * block + 1 on. It is
//  a pure function of its name, so writing it twice is harmless; should the
//  two differ the second stands.

#ifndef FUOTA_PARITY_H
#define FUOTA_PARITY_H

#include "schema/fec_message.h"

typedef struct fuota_parity fuota_parity_t;
typedef struct fuota_view fuota_view_t;

typedef struct {
    const fuota_parity_key_t *key;
    uint32_t block;
    fuota_slice_t rows;
} fuota_parity_block_t;

//  Open, or with a map size create, the environment in folder. Caller owns
//  it. NULL if that failed, with words in error and FUOTA_EVERSION (wipe it)
//  or FUOTA_EDB in *rc.
fuota_parity_t *fuota_parity_open (const char *folder, size_t map_size, int *rc,
    char *error, size_t error_size);
void fuota_parity_close (fuota_parity_t **self_p);

//  Remove the files of an environment that nobody has open.
void fuota_parity_wipe (const char *folder);

//  Words for the last failure on this handle, for a log.
const char *fuota_parity_error (const fuota_parity_t *self);

//  Store images by their SHA-256; those there already are only stamped. now
//  is any clock that rises. Returns 0, or FUOTA_EFULL or FUOTA_EDB with
//  nothing written.
int fuota_parity_put_image (fuota_parity_t *self, const uint8_t sha256 [32],
    fuota_slice_t image, int64_t now);

//  Store blocks in one transaction. Blocks whose image is gone are left out:
//  nobody would ever remove them. Returns as above.
int fuota_parity_put (fuota_parity_t *self, const fuota_parity_block_t *blocks,
    size_t count);

//  Remove a run of blocks that turned out to be wrong. Returns 0, FUOTA_EFULL
//  or FUOTA_EDB.
int fuota_parity_drop (fuota_parity_t *self, const fuota_parity_key_t *key,
    uint32_t first, uint32_t count);

//  This image is in use. Nothing happens if it is not there.
int fuota_parity_stamp (fuota_parity_t *self, const uint8_t sha256 [32],
    int64_t now);

//  Remove images with their blocks, least recently stamped first, until at
//  most limit bytes are left; none stamped at or after keep. Returns how many
//  are gone.
size_t fuota_parity_evict (fuota_parity_t *self, uint64_t limit, int64_t keep);

//  Bytes of images and blocks, in whole pages.
uint64_t fuota_parity_used (fuota_parity_t *self);

//  Free what processes that died while reading held. Returns how many.
int fuota_parity_sweep (fuota_parity_t *self);

//  Copy row n = 1, 2, ... (a coded fragment) out, frag_size bytes. Returns 0,
//  FUOTA_ENOTFOUND or FUOTA_EDB.
int fuota_parity_row (fuota_parity_t *self, const fuota_parity_key_t *key,
    uint32_t n, uint8_t *out);

//  First block of first .. first + count - 1 that is missing, and how many
//  there are from it to the last missing one. Returns 0 if none is.
uint32_t fuota_parity_missing (fuota_parity_t *self,
    const fuota_parity_key_t *key, uint32_t *first, uint32_t count);

//  A snapshot. What it gives is LMDB's own memory and lives until its end;
//  it keeps old pages from being used again, so end it soon. NULL if that
//  failed.
fuota_view_t *fuota_parity_view (fuota_parity_t *self);
int fuota_view_image (fuota_view_t *self, const uint8_t sha256 [32],
    fuota_slice_t *image);
int fuota_view_block (fuota_view_t *self, const fuota_parity_key_t *key,
    uint32_t block, fuota_slice_t *rows);
void fuota_view_end (fuota_view_t **self_p);

#endif
