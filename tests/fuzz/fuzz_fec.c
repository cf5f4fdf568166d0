//  SPDX-License-Identifier: MIT
//
//  fuzz_fec - a block cut, sent, lost and rebuilt, all by the input's bytes.
//
//  bytes 0..1  M - 1, and the top bit: rule 2
//  byte  2     fragment size - 1
//  byte  3     padding of the last fragment
//  byte  4     losses the decoder has room for
//  bytes 5..   one step each, see s_step
//
//  Fragments are compared with those of a byte-wise encoder, the state of
//  the decoder with what it says of itself, the block with the original.

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "fec_worker/kernel/fec.h"
#include "fec_worker/kernel/fec_decode.h"

#define S_MAX_M 400
#define S_HEADER 5

typedef struct {
    fuota_fec_block_t block;
    uint32_t m;
    uint32_t next;  //  N after the highest so far
    fuota_fec_decode_t *decoder;
    bool taken [FUOTA_FEC_MAX_N + 1];
    uint8_t fragment [UINT8_MAX];
    uint8_t data [S_MAX_M * UINT8_MAX];
    uint8_t out [S_MAX_M * UINT8_MAX];
} s_fuzz_t;

int LLVMFuzzerTestOneInput (const uint8_t *input, size_t size);

static void
s_require (bool holds)
{
    if (!holds)
        abort ();
}

//  What the specification's pseudo-code gives.
static void
s_expected (const s_fuzz_t *self, uint32_t big_n, uint8_t *out)
{
    bool member [S_MAX_M] = { false };
    uint32_t m = self->m, x = 1 + 1001 * (big_n - m);
    if (big_n <= m)
        member [big_n - 1] = true;
    for (uint32_t k = 0; big_n > m && k < m / 2;) {
        x = fuota_fec_prbs23 (x);
        uint32_t r = x % ((m & (m - 1)) == 0 ? m + 1 : m);
        if (r >= m || (self->block.version == 2 && member [r]))
            continue;
        member [r] = true;
        k++;
    }
    memset (out, 0, self->block.frag_size);
    for (size_t i = 0; i < self->block.size; i++)
        if (member [i / self->block.frag_size])
            out [i % self->block.frag_size] ^= self->data [i];
}

static const uint8_t *
s_fetch (void *arg, uint32_t big_n)
{
    s_fuzz_t *self = arg;
    uint64_t bits [FUOTA_FEC_WORDS (S_MAX_M)];
    s_require (self->taken [big_n]);
    fuota_fec_fragment (&self->block, big_n, self->fragment, bits);
    return self->fragment;
}

static void
s_take (s_fuzz_t *self, uint32_t big_n)
{
    bool open = fuota_fec_decode_state (self->decoder) == FUOTA_FEC_RECEIVING;
    uint32_t missing = fuota_fec_decode_missing (self->decoder);
    uint32_t received = fuota_fec_decode_received (self->decoder);
    fuota_fec_state_t state = fuota_fec_decode_take (self->decoder, big_n);
    uint32_t left = fuota_fec_decode_missing (self->decoder);
    bool number = big_n >= 1 && big_n <= FUOTA_FEC_MAX_N;
    bool fresh =
        open && state != FUOTA_FEC_OVERLOADED && number && !self->taken [big_n];
    if (fresh)
        self->taken [big_n] = true;
    s_require (fuota_fec_decode_received (self->decoder) == received + fresh);
    s_require (left == missing || (fresh && left == missing - 1));
    s_require ((state == FUOTA_FEC_COMPLETE) == (left == 0));
}

//  Lose some, take the next, or take any number at all.
static void
s_step (s_fuzz_t *self, uint8_t step)
{
    if (step < 0x40)
        self->next += step;
    else if (step < 0xc0) {
        for (unsigned i = 0; i < step % 16u + 1; i++)
            s_take (self, self->next++);
    }
    else if (step < 0xe0)
        s_take (self, self->next - step % 32u);
    else
        s_take (self, (uint32_t) step * step * step % (FUOTA_FEC_MAX_N + 2));
}

static void
s_check_fragments (s_fuzz_t *self, uint8_t which)
{
    const uint32_t numbers [] = { 1, self->m, self->m + 1, self->m + 1 + which,
        FUOTA_FEC_MAX_N - which };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        uint8_t expected [UINT8_MAX];
        self->taken [numbers [i]] = true;
        s_expected (self, numbers [i], expected);
        s_require (memcmp (s_fetch (self, numbers [i]), expected,
                       self->block.frag_size) == 0);
        self->taken [numbers [i]] = false;
    }
}

static void
s_check_block (s_fuzz_t *self)
{
    size_t size = (size_t) self->m * self->block.frag_size;
    bool complete =
        fuota_fec_decode_state (self->decoder) == FUOTA_FEC_COMPLETE;
    int rc = fuota_fec_decode_block (self->decoder, self->block.frag_size,
        s_fetch, self, self->out);
    s_require ((rc == 0) == complete);
    if (!complete)
        return;
    s_require (memcmp (self->out, self->data, self->block.size) == 0);
    for (size_t i = self->block.size; i < size; i++)
        s_require (self->out [i] == 0);
}

int
LLVMFuzzerTestOneInput (const uint8_t *input, size_t size)
{
    static s_fuzz_t self;
    if (size < S_HEADER)
        return 0;
    memset (self.taken, 0, sizeof self.taken);
    self.m = 1 + (input [0] + (input [1] & 0x7fu) * 256u) % S_MAX_M;
    self.next = 1;
    uint8_t frag_size = (uint8_t) (input [2] % UINT8_MAX + 1);
    size_t whole = (size_t) self.m * frag_size;
    fuota_fec_block_t block = { self.data, whole - input [3] % frag_size,
        frag_size, input [1] & 0x80 ? 2 : 1 };
    self.block = block;
    for (size_t i = 0; i < whole; i++)
        self.data [i] = (uint8_t) (input [i % size] + i / size * 7);
    s_check_fragments (&self, input [size - 1]);

    self.decoder = fuota_fec_decode_new (self.m, block.version, input [4]);
    s_require (self.decoder != NULL);
    for (size_t i = S_HEADER; i < size; i++)
        s_step (&self, input [i]);
    s_check_block (&self);
    fuota_fec_decode_destroy (&self.decoder);
    return 0;
}
