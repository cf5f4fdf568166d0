//  SPDX-License-Identifier: MIT
//
//  TS004, the device's side (reference section 5). Three parts: sessions,
//  fragments, reports.

#include <openssl/evp.h>
#include <stdlib.h>
#include "broker/host/sim_package.h"
#include "broker/host/sim_radio.h"
#include "workers/package/mckey.h"

enum {
    CID_STATUS = 1,
    CID_SETUP = 2,
    CID_DELETE = 3,
    CID_RECEIVED = 4,
    CID_FRAGMENT = 8
};

enum {
    ERROR_ALGORITHM = 1,
    ERROR_MEMORY = 2,
    ERROR_INDEX = 4,
    ERROR_DESCRIPTOR = 8,
    ERROR_REPLAY = 16
};

#define MAX_N 16383
#define REPORTS_MAX 10  //  Then the device gives up telling

//  Sessions

//  Let go of what is needed only until the block is complete.
static void
s_release (fuota_sim_device_t *self, fuota_sim_block_t *block)
{
    fuota_fec_decode_destroy (&block->decoder);
    fuota_sim_book_close (self->world->shelf, &block->book);
    while (block->leaves) {
        fuota_sim_leaf_t *leaf = block->leaves;
        block->leaves = leaf->next;
        free (leaf);
    }
}

void
fuota_sim_block_forget (fuota_sim_device_t *self, unsigned index)
{
    if (!self->block [index])
        return;
    s_release (self, self->block [index]);
    free (self->block [index]);
    self->block [index] = NULL;
}

//  All devices of a deployment have the same group and the same block.
static uint64_t
s_key (const fuota_sim_device_t *self, const fuota_sim_block_t *block)
{
    uint64_t key = fuota_be (block->descriptor, 4);
    for (unsigned id = 0; id < 4; id++)
        if (block->groups >> id & 1 && self->context [id]) {
            key |= (uint64_t) self->context [id]->mc_addr << 32;
            break;
        }
    key = fuota_sim_radio_next (&key);
    key ^= (uint64_t) block->nb_frag << 16 | (uint64_t) block->frag_size << 8;
    key += block->padding;
    return fuota_sim_radio_next (&key);
}

static unsigned
s_errors (const fuota_sim_device_t *self, unsigned index, unsigned control,
    const fuota_sim_block_t *asked)
{
    const fuota_sim_config_t *config = &self->world->config;
    uint32_t size = (uint32_t) asked->nb_frag * asked->frag_size;
    unsigned errors = 0;
    if (control >> 3 & 7)
        errors |= ERROR_ALGORITHM;
    if (self->refusing || asked->nb_frag > MAX_N ||
        (config->max_block > 0 && size > config->max_block))
        errors |= ERROR_MEMORY;
    if (index == 0 && (self->quirks & FUOTA_SIM_NO_INDEX_0))
        errors |= ERROR_INDEX;
    if (size == 0 || asked->padding >= asked->frag_size)
        errors |= ERROR_DESCRIPTOR;
    if (self->ts004 >= 2 &&
        asked->session_cnt <= self->session_cnt_prev [index])
        errors |= ERROR_REPLAY;
    return errors;
}

//  Replace the session of that index.
static void
s_begin (fuota_sim_device_t *self, unsigned index,
    const fuota_sim_block_t *asked)
{
    fuota_sim_block_forget (self, index);
    fuota_sim_block_t *block = malloc (sizeof *block);
    if (!block)
        return;
    *block = *asked;
    block->book = fuota_sim_book_open (self->world->shelf, s_key (self, block),
        block->frag_size);
    self->block [index] = block;
}

static void
s_setup_req (fuota_sim_device_t *self, fuota_reader_t *in,
    const fuota_sim_heard_t *heard)
{
    bool v2 = self->ts004 >= 2;
    fuota_sim_block_t asked = { .report_at = INT64_MAX };
    unsigned header = fuota_reader_u8 (in);
    asked.groups = header & 0x0f;
    asked.nb_frag = fuota_reader_le16 (in);
    asked.frag_size = fuota_reader_u8 (in);
    unsigned control = fuota_reader_u8 (in);
    asked.delay = control & 7;
    asked.padding = fuota_reader_u8 (in);
    fuota_reader_copy (in, asked.descriptor, 4);
    if (v2) {
        asked.ack = control & 0x40;
        asked.session_cnt = fuota_reader_le16 (in);
        fuota_reader_copy (in, asked.mic, 4);
    }
    unsigned index = header >> 4 & 3;
    unsigned errors = s_errors (self, index, control, &asked);
    if (!errors)
        s_begin (self, index, &asked);
    uint8_t bytes [2] = { CID_SETUP, (uint8_t) (index << 6 | errors) };
    fuota_sim_device_answer (self, heard, FUOTA_SIM_FILL_NONE, bytes, 2);
}

static void
s_delete_req (fuota_sim_device_t *self, fuota_reader_t *in,
    const fuota_sim_heard_t *heard)
{
    unsigned index = fuota_reader_u8 (in) & 3;
    unsigned none = self->block [index] ? 0 : 4;
    uint8_t bytes [2] = { CID_DELETE, (uint8_t) (index | none) };
    fuota_sim_block_forget (self, index);
    fuota_sim_device_answer (self, heard, FUOTA_SIM_FILL_NONE, bytes, 2);
}

//  Fragments

//  "Random delay" of the specification (5.2)
static int64_t
s_delay (fuota_sim_device_t *self, const fuota_sim_block_t *block)
{
    unsigned exponent = block ? block->delay : 0;
    return fuota_sim_radio_below (&self->chance, 16000u << exponent);
}

static const uint8_t *
s_fetch (void *arg, uint32_t n)
{
    const fuota_sim_block_t *block = arg;
    for (const fuota_sim_leaf_t *leaf = block->leaves; leaf; leaf = leaf->next)
        if (leaf->n == n)
            return leaf->data;
    return fuota_sim_book_get (block->book, n);
}

//  Keep the bytes of a fragment. False if there is no memory.
static bool
s_keep (fuota_sim_device_t *self, fuota_sim_block_t *block, uint32_t n,
    const uint8_t *data)
{
    if (block->book &&
        fuota_sim_book_put (self->world->shelf, block->book, n, data))
        return true;
    fuota_sim_leaf_t *leaf = malloc (sizeof *leaf + block->frag_size);
    if (!leaf)
        return false;
    leaf->n = n;
    leaf->next = block->leaves;
    memcpy (leaf->data, data, block->frag_size);
    block->leaves = leaf;
    return true;
}

//  Is the block what the server meant? Version 1 cannot know.
static bool
s_genuine (const fuota_sim_device_t *self, unsigned index, const uint8_t *data,
    size_t size)
{
    const fuota_sim_block_t *block = self->block [index];
    if (self->ts004 < 2)
        return true;
    uint8_t key [16], mic [4];
    int rc =
        fuota_mckey_int_key ((fuota_root_t) self->root_kind, self->root, key);
    if (rc == 0)
        rc = fuota_mckey_block_mic (key, block->session_cnt, (uint8_t) index,
            block->descriptor, data, size, mic);
    fuota_mckey_wipe (key, sizeof key);
    return rc == 0 && memcmp (mic, block->mic, sizeof mic) == 0;
}

//  All fragments are known: rebuild the block and judge it. Only its hash is
//  kept.
static void
s_complete (fuota_sim_device_t *self, unsigned index, int64_t now)
{
    fuota_sim_block_t *block = self->block [index];
    size_t size = (size_t) block->nb_frag * block->frag_size;
    uint8_t *data = malloc (size);
    block->state = FUOTA_SIM_OVERLOADED;
    if (data && fuota_fec_decode_block (block->decoder, block->frag_size,
                    s_fetch, block, data) == 0) {
        size -= block->padding;
        block->state = FUOTA_SIM_WRONG_MIC;
        if (s_genuine (self, index, data, size) &&
            EVP_Digest (data, size, self->sha256, NULL, EVP_sha256 (), NULL)) {
            block->state = FUOTA_SIM_COMPLETE;
            self->blocks++;
            self->completed_at = now;
        }
    }
    free (data);
    s_release (self, block);
    if (block->ack)
        block->report_at = now + 1000 + s_delay (self, block);
}

static bool
s_ready (const fuota_sim_device_t *self, const fuota_sim_block_t *block)
{
    bool waits = self->quirks & FUOTA_SIM_NEEDS_CODED && !block->coded;
    return !waits &&
           fuota_fec_decode_state (block->decoder) == FUOTA_FEC_COMPLETE;
}

//  Bytes are kept of fragments the decoder did not have. It cannot do without
//  them, so a device that has no memory gives up.
static void
s_take (fuota_sim_device_t *self, unsigned index, uint32_t n,
    const uint8_t *data, const fuota_sim_heard_t *heard)
{
    fuota_sim_block_t *block = self->block [index];
    block->received++;
    block->last_n = (uint16_t) n;
    block->coded = block->coded || n > block->nb_frag;
    uint32_t before = fuota_fec_decode_received (block->decoder);
    fuota_fec_state_t state = fuota_fec_decode_take (block->decoder, n);
    bool news = fuota_fec_decode_received (block->decoder) != before;
    //  Copies of a frame do not get as far as here: it was sent again
    self->repeated += !news && heard->group_id >= 0;
    if (state == FUOTA_FEC_OVERLOADED ||
        (news && !s_keep (self, block, n, data))) {
        block->state = FUOTA_SIM_OVERLOADED;
        s_release (self, block);
    }
    else if (s_ready (self, block))
        s_complete (self, index, heard->now);
}

//  The first fragment makes a session count and takes memory.
static void
s_first (fuota_sim_device_t *self, unsigned index)
{
    fuota_sim_block_t *block = self->block [index];
    uint32_t max_losses = self->world->config.max_losses;
    block->state = FUOTA_SIM_RECEIVING;
    self->session_cnt_prev [index] = block->session_cnt;
    block->decoder = fuota_fec_decode_new (block->nb_frag, self->ts004,
        max_losses ? max_losses : MAX_N);
    if (!block->decoder)
        block->state = FUOTA_SIM_OVERLOADED;
}

//  The data goes to the end of the payload.
static void
s_fragment (fuota_sim_device_t *self, fuota_reader_t *in,
    const fuota_sim_heard_t *heard)
{
    unsigned word = fuota_reader_le16 (in);
    size_t size = fuota_reader_left (in);
    const uint8_t *data = fuota_reader_take (in, size);
    unsigned index = word >> 14;
    uint32_t n = word & 0x3fff;
    fuota_sim_block_t *block = self->block [index];
    if (!block || size != block->frag_size || n == 0)
        return;
    if (heard->group_id >= 0 && !(block->groups >> heard->group_id & 1))
        return;
    if (block->state == FUOTA_SIM_EMPTY)
        s_first (self, index);
    if (block->state == FUOTA_SIM_RECEIVING)
        s_take (self, index, n, data, heard);
}

//  Reports

//  Uncoded fragments missing, as this device counts.
static uint32_t
s_missing (const fuota_sim_device_t *self, const fuota_sim_block_t *block)
{
    if (block->state == FUOTA_SIM_COMPLETE)
        return !block->coded && self->quirks & FUOTA_SIM_ONE_MISSING;
    if (block->state == FUOTA_SIM_WRONG_MIC)
        return 0;
    if (!block->decoder)
        return block->nb_frag;
    uint32_t missing = fuota_fec_decode_missing (block->decoder);
    return missing ? missing : 1;  //  It waits for a coded fragment
}

//  Those that miss nothing answer only if all are asked. An answer that still
//  waits will do for this question too.
static void
s_status_req (fuota_sim_device_t *self, fuota_reader_t *in,
    const fuota_sim_heard_t *heard)
{
    unsigned asked = fuota_reader_u8 (in);
    unsigned index = asked >> 1 & 3;
    const fuota_sim_block_t *block = self->block [index];
    if (!(asked & 1) && (!block || s_missing (self, block) == 0))
        return;
    for (size_t i = 0; i < self->answers; i++)
        if (self->answer [i].fill == FUOTA_SIM_FILL_STATUS &&
            self->answer [i].bytes [1] == index)
            return;
    fuota_sim_heard_t delayed = *heard;
    if (block)
        delayed.answer_at += s_delay (self, block);
    uint8_t bytes [5] = { CID_STATUS, (uint8_t) index };
    fuota_sim_device_answer (self, &delayed, FUOTA_SIM_FILL_STATUS, bytes, 5);
}

static void
s_received_ans (fuota_sim_device_t *self, fuota_reader_t *in,
    const fuota_sim_heard_t *heard)
{
    fuota_sim_block_t *block = self->block [fuota_reader_u8 (in) & 3];
    (void) heard;
    if (block)
        block->report_at = INT64_MAX;
}

static const fuota_sim_command_t s_v1 [] = {
    { CID_STATUS, 2, true, s_status_req },
    { CID_SETUP, 11, false, s_setup_req },
    { CID_DELETE, 2, false, s_delete_req },
    { CID_FRAGMENT, 3, true, s_fragment },
};
static const fuota_sim_command_t s_v2 [] = {
    { CID_STATUS, 2, true, s_status_req },
    { CID_SETUP, 17, false, s_setup_req },
    { CID_DELETE, 2, false, s_delete_req },
    { CID_RECEIVED, 2, false, s_received_ans },
    { CID_FRAGMENT, 3, true, s_fragment },
};

fuota_sim_package_t
fuota_sim_block_package (const fuota_sim_device_t *self)
{
    fuota_sim_package_t package = { FUOTA_SIM_PORT_TS004, 3, self->ts004, s_v1,
        sizeof s_v1 / sizeof *s_v1 };
    if (package.version >= 2) {
        package.commands = s_v2;
        package.count = sizeof s_v2 / sizeof *s_v2;
    }
    return package;
}

//  Version 2 moved the status byte to the front, and leaves out the rest of
//  a session that does not exist.
void
fuota_sim_block_fill (const fuota_sim_device_t *self,
    fuota_sim_answer_t *answer)
{
    static const fuota_sim_block_t s_none = { .state = FUOTA_SIM_COMPLETE };
    bool v2 = self->ts004 >= 2;
    unsigned index = answer->bytes [1] & 3;
    const fuota_sim_block_t *block = self->block [index];
    unsigned status = block || !v2 ? 0 : 4;
    if (!block)
        block = &s_none;
    status |= block->state == FUOTA_SIM_OVERLOADED;
    status |= block->state == FUOTA_SIM_WRONG_MIC ? 2 : 0;
    bool last = self->quirks & FUOTA_SIM_LAST_N;
    unsigned word = last ? block->last_n : block->received;
    word = (word & 0x3fff) | (status & 4 ? 0 : index << 14);
    uint32_t missing = block == &s_none ? 0 : s_missing (self, block);
    fuota_writer_t out = fuota_writer (answer->bytes + 1, 4);
    if (v2)
        fuota_writer_u8 (&out, status);
    fuota_writer_le (&out, word, 2);
    fuota_writer_u8 (&out, missing < 255 ? missing : 255);
    if (!v2)
        fuota_writer_u8 (&out, status);
    bool alone = status & 4 && !(self->quirks & FUOTA_SIM_LONG_NO_SESSION);
    answer->size = alone ? 2 : 5;
}

int64_t
fuota_sim_block_due (const fuota_sim_device_t *self)
{
    int64_t due = INT64_MAX;
    for (unsigned index = 0; index < 4; index++)
        if (self->block [index] && self->block [index]->report_at < due)
            due = self->block [index]->report_at;
    return due;
}

void
fuota_sim_block_uplink (fuota_sim_device_t *self, int64_t now,
    fuota_writer_t *out)
{
    for (unsigned index = 0; index < 4; index++) {
        fuota_sim_block_t *block = self->block [index];
        if (!block || block->report_at > now || out->size - out->at < 2)
            continue;
        bool wrong = block->state != FUOTA_SIM_COMPLETE;
        fuota_writer_u8 (out, CID_RECEIVED);
        fuota_writer_u8 (out, (wrong ? 4 : 0) | index);
        block->report_at = INT64_MAX;
        if (++block->reports < REPORTS_MAX)
            block->report_at = now + 10000 + s_delay (self, block);
    }
}
