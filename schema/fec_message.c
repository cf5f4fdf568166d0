//  SPDX-License-Identifier: MIT

#include <assert.h>
#include "schema/fec_message.h"
#include "schema/record.h"

uint32_t
fuota_parity_nb_frag (const fuota_parity_key_t *key)
{
    if (!key->frag_size)
        return 0;
    return key->image_size / key->frag_size +
           (key->image_size % key->frag_size != 0);
}

uint32_t
fuota_parity_rows (const fuota_parity_key_t *key)
{
    uint32_t m = fuota_parity_nb_frag (key);
    return m < FUOTA_FEC_LAST_N ? FUOTA_FEC_LAST_N - m : 0;
}

uint32_t
fuota_parity_blocks (const fuota_parity_key_t *key)
{
    return (fuota_parity_rows (key) + FUOTA_FEC_BLOCK_ROWS - 1) /
           FUOTA_FEC_BLOCK_ROWS;
}

uint32_t
fuota_parity_block_rows (const fuota_parity_key_t *key, uint32_t block)
{
    uint32_t rows = fuota_parity_rows (key), at = block * FUOTA_FEC_BLOCK_ROWS;
    if (at >= rows)
        return 0;
    return rows - at < FUOTA_FEC_BLOCK_ROWS ? rows - at : FUOTA_FEC_BLOCK_ROWS;
}

bool
fuota_parity_valid (const fuota_parity_key_t *key)
{
    return (key->rule == 1 || key->rule == 2) && key->frag_size >= 1 &&
           key->frag_size <= 255 && key->image_size >= 1 &&
           fuota_parity_rows (key) > 0;
}

bool
fuota_parity_equal (const fuota_parity_key_t *a, const fuota_parity_key_t *b)
{
    return memcmp (a->image, b->image, sizeof a->image) == 0 &&
           a->image_size == b->image_size && a->rule == b->rule &&
           a->frag_size == b->frag_size;
}

//  ---------------------------------------------------------------------
//  Kinds

static bool
s_run (bool present, const fuota_parity_key_t *key, uint32_t first,
    uint32_t count)
{
    uint32_t blocks = present ? fuota_parity_blocks (key) : 0;
    return present && fuota_parity_valid (key) && count >= 1 &&
           first < blocks && count <= blocks - first;
}

static bool
s_hello (const fuota_fec_message_t *self)
{
    return self->as.hello.slots <= 4096 && self->as.hello.beat <= 3600000;
}

static bool
s_grant (const fuota_fec_message_t *self)
{
    const Grant *grant = &self->as.grant;
    return s_run (grant->has_parity, &grant->parity, grant->first,
        grant->count);
}

static bool
s_wanted (const fuota_fec_message_t *self)
{
    uint32_t size = self->as.wanted.size;
    return size >= 1 && size <= FUOTA_FEC_PART_MAX;
}

static bool
s_part (const fuota_fec_message_t *self)
{
    return self->data.size <= FUOTA_FEC_PART_MAX;
}

static bool
s_block (const fuota_fec_message_t *self)
{
    const Block *block = &self->as.block;
    return s_run (block->has_parity, &block->parity, block->block, 1) &&
           self->data.size ==
               (size_t) fuota_parity_block_rows (&block->parity, block->block) *
                   block->parity.frag_size;
}

static bool
s_done (const fuota_fec_message_t *self)
{
    const Done *done = &self->as.done;
    return done->kind <= FUOTA_FEC_FAILED &&
           s_run (done->has_parity, &done->parity, done->first, done->count);
}

//  kind, frames, fields, what must hold of them (NULL: anything)
static const struct {
    fuota_fec_kind_t kind;
    size_t frames;
    const pb_msgdesc_t *fields;
    bool (*valid) (const fuota_fec_message_t *self);
} s_kinds [] = {
    { FUOTA_FEC_HELLO, 2, Hello_fields, s_hello },
    { FUOTA_FEC_GRANT, 2, Grant_fields, s_grant },
    { FUOTA_FEC_WANTED, 2, ImageWanted_fields, s_wanted },
    { FUOTA_FEC_PART, 3, ImagePart_fields, s_part },
    { FUOTA_FEC_BLOCK, 3, Block_fields, s_block },
    { FUOTA_FEC_END, 2, Done_fields, s_done },
    { FUOTA_FEC_BEAT, 2, Beat_fields, NULL },
    { FUOTA_FEC_DRAIN, 2, Drain_fields, NULL },
};

static size_t
s_find (unsigned kind)
{
    size_t i = 0;
    while (i < sizeof s_kinds / sizeof *s_kinds && s_kinds [i].kind != kind)
        i++;
    return i;
}

int
fuota_fec_message_decode (const fuota_slice_t *frames, size_t count,
    fuota_fec_message_t *out)
{
    if (count < 2 || frames [0].size != 1)
        return FUOTA_EFORMAT;
    size_t i = s_find (frames [0].data [0]);
    if (i == sizeof s_kinds / sizeof *s_kinds)
        return FUOTA_ECOMMAND;
    if (count != s_kinds [i].frames)
        return FUOTA_EFORMAT;
    *out = (fuota_fec_message_t){ .kind = s_kinds [i].kind };
    if (fuota_record_decode (s_kinds [i].fields, &out->as, frames [1]))
        return FUOTA_EFORMAT;
    if (count == 3)
        out->data = frames [2];
    return !s_kinds [i].valid || s_kinds [i].valid (out) ? 0 : FUOTA_EVALUE;
}

size_t
fuota_fec_message_encode (const fuota_fec_message_t *message,
    uint8_t out [FUOTA_FEC_BODY_MAX])
{
    size_t i = s_find (message->kind);
    assert (i < sizeof s_kinds / sizeof *s_kinds);
    _Static_assert(Hello_size <= FUOTA_FEC_BODY_MAX, "largest body");
    return fuota_record_encode (s_kinds [i].fields, &message->as, out,
        FUOTA_FEC_BODY_MAX);
}

//  Eight bytes a step: a table-driven CRC would cost more than the rows.
uint64_t
fuota_fec_sum (const uint8_t *data, size_t size)
{
    uint64_t sum = 0x9e3779b97f4a7c15u ^ size;
    while (size) {
        size_t part = size < 8 ? size : 8;
        uint64_t word = 0;
        for (size_t i = 0; i < part; i++)
            word |= (uint64_t) data [i] << 8 * i;
        sum = (sum ^ word) * 0xff51afd7ed558ccdu;
        sum ^= sum >> 32;
        data += part;
        size -= part;
    }
    return sum;
}
