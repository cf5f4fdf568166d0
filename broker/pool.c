//  SPDX-License-Identifier: MIT
//
//  Parts: effects; messages; trust; life. Workers are in pool_workers.c, jobs
//  and leases in pool_jobs.c.

#include <stdio.h>
#include <stdlib.h>
#include "broker/pool_private.h"
#include "fec_worker/kernel/fec.h"

#define NONE FUOTA_POOL_NONE
#define PATIENCE 10000  //  After progress, for the next
#define SUMS 8          //  Check sums in a row that may be wrong
#define REST 1000       //  After a failure, doubled up to
#define REST_MAX 60000

//  ---------------------------------------------------------------------
//  Effects

fuota_pool_effect_t *
fuota_pool_effect (fuota_pool_t *self, fuota_pool_effect_kind_t kind)
{
    if (self->effect_count == self->effect_room) {
        self->effect_room = self->effect_room ? self->effect_room * 2 : 64;
        self->effects = fuota_pool_resize (self->effects, self->effect_room,
            sizeof *self->effects);
    }
    fuota_pool_effect_t *effect = &self->effects [self->effect_count++];
    *effect = (fuota_pool_effect_t){ .kind = kind };
    return effect;
}

bool
fuota_pool_next (fuota_pool_t *self, fuota_pool_effect_t *effect)
{
    if (self->effect_at == self->effect_count) {
        self->effect_at = self->effect_count = 0;
        return false;
    }
    *effect = self->effects [self->effect_at++];
    return true;
}

fuota_fec_message_t *
fuota_pool_send (fuota_pool_t *self, const fuota_peer_t *peer,
    fuota_fec_kind_t kind)
{
    fuota_pool_effect_t *effect = fuota_pool_effect (self, FUOTA_POOL_SEND);
    effect->peer = *peer;
    effect->message.kind = kind;
    return &effect->message;
}

//  ---------------------------------------------------------------------
//  Messages

//  It gets on: what waits behind in its line is not late either.
static void
s_progress (fuota_pool_t *self, const fuota_pool_peer_t *worker, int64_t now)
{
    for (uint32_t i = 0; i < self->lease_count; i++) {
        fuota_pool_lease_t *lease = &self->leases [i];
        if (lease->id && lease->worker == fuota_pool_index (self, worker) &&
            lease->until < now + PATIENCE)
            lease->until = now + PATIENCE;
    }
}

static bool
s_holds (const fuota_pool_t *self, const fuota_pool_peer_t *worker,
    const uint8_t *image, uint32_t *size)
{
    for (uint32_t i = 0; i < self->lease_count; i++) {
        const fuota_pool_lease_t *lease = &self->leases [i];
        if (!lease->id || lease->worker != fuota_pool_index (self, worker))
            continue;
        const fuota_parity_key_t *key = &self->jobs [lease->job].key;
        if (!memcmp (key->image, image, 32)) {
            *size = key->image_size;
            return true;
        }
    }
    return false;
}

//  Only for an image of a lease it holds; else it is told that it is gone.
static void
s_wanted (fuota_pool_t *self, fuota_pool_peer_t *worker,
    const ImageWanted *wanted, int64_t now)
{
    uint32_t size = 0;
    bool holds = s_holds (self, worker, wanted->image, &size);
    fuota_fec_message_t *message =
        fuota_pool_send (self, &worker->peer, FUOTA_FEC_PART);
    memcpy (message->as.part.image, wanted->image, 32);
    message->as.part.at = wanted->at;
    if (holds && wanted->at < size) {
        uint32_t left = size - wanted->at;
        self->effects [self->effect_count - 1].size =
            wanted->size < left ? wanted->size : left;
        s_progress (self, worker, now);
    }
}

static void
s_check (fuota_pool_t *self, const fuota_peer_t *peer, uint64_t lease,
    const fuota_parity_key_t *key, uint32_t first, uint32_t count,
    fuota_slice_t rows)
{
    self->seed = self->seed * 6364136223846793005u + 1442695040888963407u;
    fuota_pool_effect_t *effect = fuota_pool_effect (self, FUOTA_POOL_CHECK);
    effect->peer = *peer;
    effect->lease = lease;
    effect->key = *key;
    effect->first = first;
    effect->count = count;
    effect->rows = rows;
    effect->salt = self->seed >> 24;
}

static void
s_block (fuota_pool_t *self, fuota_pool_peer_t *worker,
    const fuota_fec_message_t *message, int64_t now)
{
    const Block *block = &message->as.block;
    if (fuota_fec_sum (message->data.data, message->data.size) != block->sum) {
        worker->errors++;
        self->stats.wrong++;
        if (++worker->failures >= SUMS)
            fuota_pool_quarantine (self, worker, "check sums are wrong", now);
        return;
    }
    s_progress (self, worker, now);
    s_check (self, &worker->peer, block->lease, &block->parity, block->block, 1,
        message->data);
}

//  What computing took, as far as it is believable, makes the next lease
//  longer or shorter.
static void
s_measure (fuota_pool_peer_t *worker, const Done *done)
{
    uint64_t rows = (uint64_t) done->count * FUOTA_FEC_BLOCK_ROWS;
    uint64_t cost = rows * done->parity.image_size;
    if (!done->work || done->work > 3600000000u)
        return;
    uint64_t speed = cost * 1000 / done->work + 1;
    uint64_t rate = rows * done->parity.frag_size * 1000000 / done->work;
    worker->speed = worker->speed ? (worker->speed * 3 + speed) / 4 : speed;
    worker->rate = worker->rate ? (worker->rate * 3 + rate) / 4 : rate;
}

static void
s_fail (fuota_pool_t *self, fuota_pool_peer_t *worker, const Done *done,
    int64_t now)
{
    worker->errors++;
    worker->failures += worker->failures < 16;
    int64_t rest = (int64_t) REST << (worker->failures - 1);
    worker->rest = now + (rest < REST_MAX ? rest : REST_MAX);
    if (done->kind == FUOTA_FEC_GONE)
        fuota_pool_effect (self, FUOTA_POOL_MISSING)->key = done->parity;
}

static void
s_done (fuota_pool_t *self, fuota_pool_peer_t *worker, const Done *done,
    int64_t now)
{
    uint32_t at = fuota_pool_find_lease (self, done->lease);
    bool ours = at != NONE &&
                self->leases [at].worker == fuota_pool_index (self, worker);
    if (!ours) {
        worker->lost -= worker->lost > 0;
        self->stats.late++;
    }
    s_progress (self, worker, now);
    if (done->kind != FUOTA_FEC_DONE) {
        s_fail (self, worker, done, now);
        if (ours)
            fuota_pool_end_lease (self, at);
        return;
    }
    worker->failures = 0;
    s_measure (worker, done);
    if (worker->hello.near)
        //  Its blocks are in the environment: the lease ends with the check
        s_check (self, &worker->peer, done->lease, &done->parity, done->first,
            done->count, fuota_slice (NULL, 0));
    else if (ours)
        fuota_pool_end_lease (self, at);
}

//  Of before a restart of ours, or silent for too long, or in quarantine. What
//  it may have put into the environment is looked at all the same: right, it
//  is welcome; wrong, it must not stay.
static void
s_unknown (fuota_pool_t *self, const fuota_peer_t *peer,
    const fuota_fec_message_t *message)
{
    const Done *done = &message->as.done;
    if (message->kind == FUOTA_FEC_END && done->kind == FUOTA_FEC_DONE &&
        peer->door == FUOTA_POOL_NEAR)
        s_check (self, peer, 0, &done->parity, done->first, done->count,
            fuota_slice (NULL, 0));
    fuota_pool_send (self, peer, FUOTA_FEC_HELLO)->as.hello =
        (Hello){ .version = FUOTA_FEC_VERSION, .again = true };
}

void
fuota_pool_take (fuota_pool_t *self, const fuota_peer_t *peer, const char *user,
    const fuota_fec_message_t *message, int64_t now)
{
    fuota_pool_peer_t *worker = fuota_pool_peer (self, peer);
    if (message->kind == FUOTA_FEC_HELLO)
        fuota_pool_hello (self, peer, user, &message->as.hello, now);
    else if (!worker)
        s_unknown (self, peer, message);
    else {
        worker->seen = now;
        if (message->kind == FUOTA_FEC_WANTED)
            s_wanted (self, worker, &message->as.wanted, now);
        else if (message->kind == FUOTA_FEC_BLOCK && !worker->hello.near)
            s_block (self, worker, message, now);
        else if (message->kind == FUOTA_FEC_END)
            s_done (self, worker, &message->as.done, now);
        else if (message->kind == FUOTA_FEC_DRAIN)
            fuota_pool_leave (self, worker);
    }
    fuota_pool_dispatch (self, now);
}

//  ---------------------------------------------------------------------
//  Trust

void
fuota_pool_checked (fuota_pool_t *self, const fuota_pool_effect_t *check,
    bool good, int64_t now)
{
    fuota_pool_peer_t *worker = fuota_pool_peer (self, &check->peer);
    uint32_t at = fuota_pool_find_lease (self, check->lease);
    if (at != NONE &&
        (self->leases [at].worker == NONE ||
            !fuota_parity_equal (&self->jobs [self->leases [at].job].key,
                &check->key)))
        at = NONE;
    if (good) {
        uint32_t news =
            fuota_pool_done (self, at, &check->key, check->first, check->count);
        self->stats.late += at == NONE && news;
        if (worker)
            worker->blocks += check->count;
        if (at != NONE && !check->rows.size && worker &&
            self->leases [at].worker == fuota_pool_index (self, worker))
            fuota_pool_end_lease (self, at);
    }
    else {
        self->stats.wrong++;
        if (worker) {
            worker->errors++;
            fuota_pool_quarantine (self, worker, "a block is wrong", now);
        }
        //  If it had written over what was right, that is gone as well
        if (!check->rows.size)
            fuota_pool_want (self, &check->key, check->first, check->count, 0,
                now);
    }
    fuota_pool_dispatch (self, now);
}

bool
fuota_pool_check_row (fuota_slice_t image, const fuota_parity_key_t *key,
    uint32_t block, fuota_slice_t rows, uint64_t salt, uint64_t *bits)
{
    uint32_t count = fuota_parity_block_rows (key, block);
    if (!count || image.size != key->image_size ||
        rows.size != (size_t) count * key->frag_size)
        return false;
    uint8_t row [255];
    uint32_t i = (uint32_t) ((salt ^ block * 2654435761u) % count);
    fuota_fec_block_t source = { image.data, image.size,
        (uint8_t) key->frag_size, (uint8_t) key->rule };
    uint32_t n = block * FUOTA_FEC_BLOCK_ROWS + i + 1;
    fuota_fec_fragment (&source, fuota_parity_nb_frag (key) + n, row, bits);
    return !memcmp (row, rows.data + (size_t) i * key->frag_size,
        key->frag_size);
}

//  ---------------------------------------------------------------------
//  Life

fuota_pool_t *
fuota_pool_new (uint64_t seed, uint32_t beat)
{
    fuota_pool_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->seed = seed;
    self->beat = beat ? beat : FUOTA_POOL_BEAT;
    self->job_free = NONE;
    return self;
}

void
fuota_pool_destroy (fuota_pool_t **self_p)
{
    fuota_pool_t *self = *self_p;
    if (!self)
        return;
    fuota_deadline_release (&self->queue);
    free (self->workers);
    free (self->jobs);
    free (self->buckets);
    free (self->leases);
    free (self->effects);
    free (self);
    *self_p = NULL;
}

void
fuota_pool_stats (const fuota_pool_t *self, fuota_pool_stats_t *stats)
{
    *stats = self->stats;
}
