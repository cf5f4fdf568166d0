//  SPDX-License-Identifier: MIT
//
//  Hostile messages at both doors: of the pool (workers) and of a worker (a
//  pool). Input: runs of [door] [frames] { [size 2] bytes }; what can be
//  decoded is given to a pool and a job that live as long as the input, and is
//  encoded again.

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "broker/pool.h"
#include "fec_worker/job.h"
#include "fec_worker/kernel/fec.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

//  What it says again has to mean the same.
static void
s_again (const fuota_fec_message_t *message, size_t count)
{
    uint8_t body [FUOTA_FEC_BODY_MAX], kind = (uint8_t) message->kind;
    fuota_fec_message_t second;
    size_t size = fuota_fec_message_encode (message, body);
    fuota_slice_t frames [3] = { fuota_slice (&kind, 1),
        fuota_slice (body, size), message->data };
    assert (!fuota_fec_message_decode (frames, count, &second));
    assert (second.kind == message->kind);
}

static void
s_effects (fuota_pool_t *pool, uint8_t chance, int64_t now)
{
    fuota_pool_effect_t effect;
    unsigned checks = 0;
    while (fuota_pool_next (pool, &effect))
        if (effect.kind == FUOTA_POOL_CHECK) {
            assert (effect.count >= 1 && effect.first + effect.count <=
                                             fuota_parity_blocks (&effect.key));
            //  A pool whose every block is wrong wants them for ever
            fuota_pool_checked (pool, &effect, chance & 1 || ++checks > 4, now);
        }
        else if (effect.kind == FUOTA_POOL_SEND)
            assert (effect.size <= FUOTA_FEC_PART_MAX);
}

static void
s_job (fuota_job_t *job, const fuota_fec_message_t *message, uint8_t chance,
    int64_t now)
{
    fuota_fec_message_t out;
    fuota_job_take (job, message, now);
    if (fuota_job_work (job, 0) && chance & 2)
        fuota_job_computed (job, chance & 4 ? FUOTA_FEC_DONE : FUOTA_FEC_GONE,
            chance);
    if (chance & 8)
        fuota_job_flushed (job, chance & 16);
    while (fuota_job_send (job, &out, now))
        s_again (&out, 2);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    fuota_reader_t in = fuota_reader (data, size);
    fuota_pool_t *pool = fuota_pool_new (1, 1000);
    fuota_job_t job;
    Hello hello = { .instance = 1 };
    fuota_parity_key_t key = { .image_size = 1000, .rule = 1, .frag_size = 10 };
    assert (pool);
    fuota_job_init (&job, &hello);
    fuota_job_connect (&job, 0);
    int64_t now = 0;
    fuota_pool_want (pool, &key, 0, 20, 0, now);
    while (fuota_reader_left (&in) > 1) {
        uint8_t chance = fuota_reader_u8 (&in);
        size_t count = fuota_reader_u8 (&in) % 5;
        fuota_slice_t frames [5];
        for (size_t i = 0; i < count; i++) {
            size_t length = fuota_reader_le16 (&in);
            size_t left = fuota_reader_left (&in);
            length = length < left ? length : left;
            frames [i] = fuota_slice (fuota_reader_take (&in, length), length);
        }
        fuota_fec_message_t message;
        now += chance * 16;
        if (!fuota_fec_message_decode (frames, count, &message)) {
            fuota_peer_t peer = { .door = chance >> 7,
                .size = 1,
                .id = { chance >> 5 & 3 } };
            s_again (&message, count);
            fuota_pool_take (pool, &peer, chance & 64 ? "key" : NULL, &message,
                now);
            s_effects (pool, chance, now);
            s_job (&job, &message, chance, now);
        }
        fuota_pool_tick (pool, now);
        s_effects (pool, chance, now);
    }
    fuota_pool_destroy (&pool);
    return 0;
}
