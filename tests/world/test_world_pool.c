//  SPDX-License-Identifier: MIT
//
//  The pool and its workers in one thread and in virtual time: workers that
//  die, stall, answer late, twice, wrongly, in any order. Whatever happens,
//  every block is there in the end and is what the plain oracle says.
//
//  Parts: the store of blocks; the net; workers; the pool's side; runs.

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "broker/pool.h"
#include "fec_worker/job.h"
#include "fec_worker/rows.h"
#include "fec_worker/source.h"
#include "fec_worker/kernel/fec.h"

#define IMAGES 5
#define WORKERS 6
#define BLOCKS 24
#define STEP 20  //  Virtual milliseconds

//  What goes wrong, permille of each occasion.
typedef struct {
    const char *name;
    uint32_t late, twice, lost;  //  Messages
    uint32_t die, stall;         //  Workers, each second
    uint32_t liars;              //  So many of the workers
    uint32_t restart;            //  Of the pool, each second
} faults_t;

typedef struct {
    int64_t at;
    bool to_pool;
    uint32_t worker, life;
    uint8_t kind, body [FUOTA_FEC_BODY_MAX];
    size_t size;
    uint8_t *data;
    size_t data_size;
} message_t;

typedef struct world world_t;

typedef struct {
    world_t *world;
    uint32_t index, life;  //  life: a process, or a connection of it
    bool alive, near, liar;
    int64_t born, stalled, busy;
    fuota_job_t job;
    fuota_source_t *far;
    uint8_t *rows;  //  Of the lease being computed
    Grant grant;
    bool computing;
} worker_t;

struct world {
    uint64_t seed;
    faults_t faults;
    int64_t now;
    fuota_pool_t *pool;
    uint8_t *image [IMAGES];
    fuota_parity_key_t keys [IMAGES];
    uint32_t count [IMAGES];
    uint8_t *blocks [IMAGES][BLOCKS];  //  The parity environment
    worker_t workers [WORKERS];
    message_t *net;
    size_t net_count, net_room;
    uint64_t bits [FUOTA_FEC_WORDS_MAX];
    uint32_t deaths, restarts, wrong;
};

static uint32_t
s_random (world_t *self)
{
    self->seed = self->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t) (self->seed >> 33);
}

static bool
s_chance (world_t *self, uint32_t permille)
{
    return s_random (self) % 1000 < permille;
}

//  ---------------------------------------------------------------------
//  The store of blocks

static size_t
s_size (const fuota_parity_key_t *key, uint32_t block)
{
    return (size_t) fuota_parity_block_rows (key, block) * key->frag_size;
}

static int
s_image_of (const world_t *self, const fuota_parity_key_t *key)
{
    for (int i = 0; i < IMAGES; i++)
        if (fuota_parity_equal (&self->keys [i], key))
            return i;
    return -1;
}

static void
s_store (world_t *self, const fuota_parity_key_t *key, uint32_t block,
    const uint8_t *rows)
{
    int i = s_image_of (self, key);
    assert_in_range (i, 0, IMAGES - 1);
    if (block >= BLOCKS)
        return;
    free (self->blocks [i][block]);  //  The second stands
    self->blocks [i][block] = malloc (s_size (key, block));
    assert_non_null (self->blocks [i][block]);
    memcpy (self->blocks [i][block], rows, s_size (key, block));
}

static void
s_want (world_t *self)
{
    for (uint32_t i = 0; i < IMAGES; i++)
        for (uint32_t block = 0; block < self->count [i]; block++)
            if (!self->blocks [i][block])
                assert_int_equal (fuota_pool_want (self->pool, &self->keys [i],
                                      block, 1, (int64_t) i * 20000, self->now),
                    0);
}

//  ---------------------------------------------------------------------
//  The net

static void
s_post (world_t *self, worker_t *worker, bool to_pool,
    const fuota_fec_message_t *message)
{
    if (s_chance (self, self->faults.lost))
        return;
    unsigned copies = s_chance (self, self->faults.twice) ? 2 : 1;
    while (copies--) {
        if (self->net_count == self->net_room) {
            self->net_room = self->net_room ? self->net_room * 2 : 256;
            self->net = realloc (self->net, self->net_room * sizeof *self->net);
            assert_non_null (self->net);
        }
        message_t *post = &self->net [self->net_count++];
        *post = (message_t){ .at = self->now + 1 + s_random (self) % 30,
            .to_pool = to_pool,
            .worker = worker->index,
            .life = worker->life,
            .kind = (uint8_t) message->kind };
        if (s_chance (self, self->faults.late))
            post->at += s_random (self) % 30000;
        post->size = fuota_fec_message_encode (message, post->body);
        post->data_size = message->data.size;
        post->data = malloc (message->data.size + 1);
        assert_non_null (post->data);
        if (message->data.size)
            memcpy (post->data, message->data.data, message->data.size);
    }
}

static int
s_send (void *arg, const fuota_fec_message_t *message)
{
    worker_t *worker = arg;
    s_post (worker->world, worker, true, message);
    return 0;
}

static void s_carry_out (world_t *self);

static void
s_deliver (world_t *self, message_t *post)
{
    bool has_data =
        post->kind == FUOTA_FEC_PART || post->kind == FUOTA_FEC_BLOCK;
    fuota_slice_t frames [3] = { fuota_slice (&post->kind, 1),
        fuota_slice (post->body, post->size),
        fuota_slice (post->data, post->data_size) };
    fuota_fec_message_t message;
    worker_t *worker = &self->workers [post->worker];
    assert_int_equal (fuota_fec_message_decode (frames, has_data ? 3 : 2,
                          &message),
        0);
    if (post->to_pool) {
        fuota_peer_t peer = { .size = 8 };
        char user [16];
        memcpy (peer.id, &post->worker, 4);
        memcpy (peer.id + 4, &post->life, 4);
        snprintf (user, sizeof user, "key-%u", post->worker);
        fuota_pool_take (self->pool, &peer, user, &message, self->now);
        s_carry_out (self);
    }
    else if (worker->alive && worker->life == post->life) {
        fuota_job_take (&worker->job, &message, self->now);
        if (message.kind == FUOTA_FEC_PART && !worker->near)
            worker->far->part (worker->far, &message, self->now);
    }
}

static void
s_deliver_due (world_t *self)
{
    for (size_t i = 0; i < self->net_count;) {
        if (self->net [i].at > self->now) {
            i++;
            continue;
        }
        message_t post = self->net [i];
        self->net [i] = self->net [--self->net_count];
        s_deliver (self, &post);
        free (post.data);
    }
}

//  ---------------------------------------------------------------------
//  Workers

static void
s_birth (world_t *self, worker_t *worker)
{
    char error [80];
    Hello hello = { .near = worker->near,
        .cores = 1,
        .pid = worker->index,
        .speed = 100000,
        .instance = (uint64_t) s_random (self) << 20 | worker->index };
    snprintf (hello.name, sizeof hello.name, "w%u", worker->index);
    worker->alive = true;
    worker->born = self->now;
    worker->life++;
    worker->computing = false;
    worker->stalled = worker->busy = 0;
    fuota_job_init (&worker->job, &hello);
    fuota_job_connect (&worker->job, self->now);
    if (!worker->near) {
        worker->far = fuota_source_far ("", 0, s_send, worker, error, 80);
        assert_non_null (worker->far);
    }
}

static void
s_death (world_t *self, worker_t *worker)
{
    if (worker->far)
        worker->far->destroy (&worker->far);
    free (worker->rows);
    worker->rows = NULL;
    worker->alive = false;
    worker->born = self->now + 1000 + s_random (self) % 3000;
    self->deaths++;
    //  The one who started it sees it end; those of other hosts nobody does
    if (worker->near && s_chance (self, 500))
        fuota_pool_gone (self->pool, worker->index, self->now);
    s_carry_out (self);
}

static void
s_begin (world_t *self, worker_t *worker)
{
    const Grant *grant = fuota_job_work (&worker->job, 0);
    fuota_slice_t image;
    if (!grant)
        return;
    int i = s_image_of (self, &grant->parity);
    assert_in_range (i, 0, IMAGES - 1);
    image = fuota_slice (self->image [i], self->keys [i].image_size);
    if (!worker->near) {
        int rc =
            worker->far->image (worker->far, &grant->parity, self->now, &image);
        if (rc == FUOTA_EBUSY)
            return;
        if (rc) {
            fuota_job_computed (&worker->job, FUOTA_FEC_GONE, 0);
            fuota_job_flushed (&worker->job, true);
            return;
        }
        assert_memory_equal (image.data, self->image [i], image.size);
    }
    void *scratch = malloc (fuota_rows_scratch (&grant->parity, grant->count));
    worker->rows = malloc ((size_t) grant->count * FUOTA_FEC_BLOCK_MAX);
    assert_true (scratch && worker->rows);
    size_t size = fuota_rows (image, &grant->parity, grant->first, grant->count,
        worker->rows, scratch);
    free (scratch);
    for (size_t at = 0; worker->liar && at < size; at++)
        worker->rows [at] ^= 0x55;
    worker->grant = *grant;
    worker->computing = true;
    worker->busy = self->now + 10 + s_random (self) % 400;
}

static void
s_finish (world_t *self, worker_t *worker)
{
    const Grant *grant = fuota_job_work (&worker->job, 0);
    worker->computing = false;
    if (grant && grant->lease == worker->grant.lease) {
        size_t at = 0;
        for (uint32_t i = grant->first; i < grant->first + grant->count; i++) {
            size_t size = s_size (&grant->parity, i);
            if (worker->near)
                s_store (self, &grant->parity, i, worker->rows + at);
            else
                worker->far->deliver (worker->far, grant, i, 1,
                    fuota_slice (worker->rows + at, size));
            at += size;
        }
        fuota_job_computed (&worker->job, FUOTA_FEC_DONE, 1000);
        fuota_job_flushed (&worker->job, true);
    }
    free (worker->rows);
    worker->rows = NULL;
}

static void
s_worker (world_t *self, worker_t *worker, bool second)
{
    if (!worker->alive) {
        if (self->now >= worker->born)
            s_birth (self, worker);
        return;
    }
    if (second && s_chance (self, self->faults.die)) {
        s_death (self, worker);
        return;
    }
    if (second && s_chance (self, self->faults.stall))
        worker->stalled = self->now + s_random (self) % 40000;
    fuota_fec_message_t message;
    while (fuota_job_send (&worker->job, &message, self->now))
        s_post (self, worker, true, &message);
    if (fuota_job_over (&worker->job)) {
        s_death (self, worker);
        worker->born = self->now + 20000;
        return;
    }
    if (fuota_job_lost (&worker->job, self->now)) {
        worker->life++;
        fuota_job_connect (&worker->job, self->now);
        if (worker->far)
            worker->far->connect (worker->far);
    }
    if (self->now < worker->stalled)
        return;  //  It beats, and gets nowhere
    if (worker->computing && self->now >= worker->busy)
        s_finish (self, worker);
    if (!worker->computing)
        s_begin (self, worker);
}

//  ---------------------------------------------------------------------
//  The pool's side

static void
s_check (world_t *self, const fuota_pool_effect_t *check)
{
    int i = s_image_of (self, &check->key);
    assert_in_range (i, 0, IMAGES - 1);
    fuota_slice_t image =
        fuota_slice (self->image [i], self->keys [i].image_size);
    bool good = true;
    for (uint32_t block = check->first;
         good && block < check->first + check->count; block++) {
        fuota_slice_t rows = check->rows;
        if (!rows.size && block < BLOCKS && self->blocks [i][block])
            rows = fuota_slice (self->blocks [i][block],
                s_size (&check->key, block));
        good = fuota_pool_check_row (image, &check->key, block, rows,
            check->salt, self->bits);
    }
    if (good && check->rows.size)
        s_store (self, &check->key, check->first, check->rows.data);
    if (!good)
        self->wrong++;
    for (uint32_t block = check->first;
         !good && !check->rows.size && block < check->first + check->count;
         block++) {
        free (self->blocks [i][block]);
        self->blocks [i][block] = NULL;
    }
    fuota_pool_checked (self->pool, check, good, self->now);
}

static void
s_carry_out (world_t *self)
{
    fuota_pool_effect_t effect;
    while (fuota_pool_next (self->pool, &effect)) {
        if (effect.kind == FUOTA_POOL_CHECK)
            s_check (self, &effect);
        if (effect.kind != FUOTA_POOL_SEND)
            continue;
        uint32_t index, life;
        memcpy (&index, effect.peer.id, 4);
        memcpy (&life, effect.peer.id + 4, 4);
        worker_t *worker = &self->workers [index];
        if (worker->life != life)
            continue;  //  A connection that is no more
        if (effect.message.kind == FUOTA_FEC_PART && effect.size) {
            const ImagePart *part = &effect.message.as.part;
            for (int i = 0; i < IMAGES; i++)
                if (!memcmp (self->keys [i].image, part->image, 32))
                    effect.message.data =
                        fuota_slice (self->image [i] + part->at, effect.size);
        }
        s_post (self, worker, false, &effect.message);
    }
}

static void
s_restart (world_t *self)
{
    fuota_pool_destroy (&self->pool);
    self->pool = fuota_pool_new (s_random (self), 1000);
    assert_non_null (self->pool);
    s_want (self);
    self->restarts++;
}

//  ---------------------------------------------------------------------
//  Runs

static void
s_init (world_t *self, uint64_t seed, const faults_t *faults)
{
    *self = (world_t){ .seed = seed, .faults = *faults };
    self->pool = fuota_pool_new (seed, 1000);
    assert_non_null (self->pool);
    for (uint32_t i = 0; i < IMAGES; i++) {
        fuota_parity_key_t *key = &self->keys [i];
        key->image_size = 50 + s_random (self) % 3000;
        key->frag_size = 5 + s_random (self) % 40;
        key->rule = 1 + s_random (self) % 2;
        self->image [i] = malloc (key->image_size);
        assert_non_null (self->image [i]);
        for (uint32_t at = 0; at < key->image_size; at++)
            self->image [i][at] = (uint8_t) s_random (self);
        EVP_Digest (self->image [i], key->image_size, key->image, NULL,
            EVP_sha256 (), NULL);
        self->count [i] = 1 + s_random (self) % BLOCKS;
    }
    for (uint32_t i = 0; i < WORKERS; i++) {
        self->workers [i] = (worker_t){
            .world = self,
            .index = i,
            .near = i % 2 == 0,  //  The last, who never lies, is far
        };
        //  A near one whose word is lost, too, could not be found out
        self->workers [i].liar =
            i < faults->liars && !(i % 2 == 0 && faults->lost);
    }
    s_want (self);
}

static void
s_release (world_t *self)
{
    for (uint32_t i = 0; i < WORKERS; i++) {
        if (self->workers [i].far)
            self->workers [i].far->destroy (&self->workers [i].far);
        free (self->workers [i].rows);
    }
    for (size_t i = 0; i < self->net_count; i++)
        free (self->net [i].data);
    free (self->net);
    for (uint32_t i = 0; i < IMAGES; i++) {
        for (uint32_t block = 0; block < BLOCKS; block++)
            free (self->blocks [i][block]);
        free (self->image [i]);
    }
    fuota_pool_destroy (&self->pool);
}

static bool
s_idle (const world_t *self)
{
    fuota_pool_stats_t stats;
    fuota_pool_stats (self->pool, &stats);
    return stats.waiting == 0;
}

static void
s_verify (world_t *self, const char *name, uint64_t seed)
{
    uint8_t row [255];
    for (uint32_t i = 0; i < IMAGES; i++) {
        const fuota_parity_key_t *key = &self->keys [i];
        fuota_fec_block_t block = { self->image [i], key->image_size,
            (uint8_t) key->frag_size, (uint8_t) key->rule };
        uint32_t m = fuota_parity_nb_frag (key);
        for (uint32_t k = 0; k < self->count [i]; k++) {
            if (!self->blocks [i][k])
                fail_msg ("%s, seed %llu: image %u block %u is missing", name,
                    (unsigned long long) seed, i, k);
            for (uint32_t n = 0; n < fuota_parity_block_rows (key, k); n++) {
                fuota_fec_fragment (&block, m + k * 64 + n + 1, row,
                    self->bits);
                if (memcmp (row, self->blocks [i][k] + n * key->frag_size,
                        key->frag_size))
                    fail_msg ("%s, seed %llu: image %u block %u row %u differs",
                        name, (unsigned long long) seed, i, k, n);
            }
        }
    }
}

static void
s_run (const faults_t *faults, uint64_t seed)
{
    static world_t world;
    world_t *self = &world;
    s_init (self, seed, faults);
    int64_t second = 0;
    bool idle = false;
    while (!idle && self->now < 3600000) {
        self->now += STEP;
        bool tick = self->now >= second + 1000;
        second = tick ? self->now : second;
        s_deliver_due (self);
        for (uint32_t i = 0; i < WORKERS; i++)
            s_worker (self, &self->workers [i], tick);
        if (tick && s_chance (self, faults->restart))
            s_restart (self);
        if (self->now >= fuota_pool_due (self->pool) || tick)
            fuota_pool_tick (self->pool, self->now);
        s_carry_out (self);
        idle = s_idle (self);
    }
    if (!idle)
        fail_msg ("%s, seed %llu: not done in an hour", faults->name,
            (unsigned long long) seed);
    s_verify (self, faults->name, seed);
    s_release (self);
}

static void
test_world_pool__every_block_is_there_and_right (void **state)
{
    static const faults_t faults [] = {
        { "nothing", 0, 0, 0, 0, 0, 0, 0 },
        { "late", 200, 0, 0, 0, 0, 0, 0 },
        { "twice", 0, 500, 0, 0, 0, 0, 0 },
        { "lost", 0, 0, 100, 0, 0, 0, 0 },
        { "die", 0, 0, 0, 300, 0, 0, 0 },
        { "stall", 0, 0, 0, 0, 200, 0, 0 },
        { "lie", 0, 0, 0, 0, 0, WORKERS - 1, 0 },
        { "restart", 0, 0, 0, 0, 0, 0, 200 },
        { "all", 50, 100, 30, 100, 50, 2, 20 },
    };
    (void) state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        for (uint64_t seed = 1; seed <= 60; seed++)
            s_run (&faults [i], seed);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_world_pool__every_block_is_there_and_right),
    };
    return cmocka_run_group_tests_name ("world_pool", tests, NULL, NULL);
}
