//  SPDX-License-Identifier: MIT
//
//  Parts: jobs and their index; the queue; leases; blocks that are there.

#include <assert.h>
#include <stdlib.h>
#include "broker/pool_private.h"

#define NONE FUOTA_POOL_NONE
#define SLOT 10000   //  Milliseconds of due within which jobs take turns
#define STRETCH 200  //  Milliseconds a lease should take
#define CRUMB 32     //  Blocks: smaller leases take 7 % longer and more
#define SPEED_FIRST 20000000  //  Cost a millisecond of a worker not yet known
#define PATIENCE 10000        //  At least, for a lease

//  ---------------------------------------------------------------------
//  Jobs and their index

void *
fuota_pool_resize (void *memory, size_t count, size_t size)
{
    memory = realloc (memory, count * size);
    assert (memory);
    return memory;
}

//  Work, in a measure that all jobs share.
static uint64_t
s_cost (const fuota_parity_key_t *key, uint32_t blocks)
{
    return (uint64_t) key->image_size * FUOTA_FEC_BLOCK_ROWS * blocks;
}

//  A SHA-256 is its own hash; the rest tells apart what shares an image.
static uint32_t
s_hash (const fuota_parity_key_t *key)
{
    uint64_t value = fuota_be (key->image, 8);
    value ^= (uint64_t) key->frag_size << 8 | key->rule;
    return (uint32_t) ((value * 0x9e3779b97f4a7c15u) >> 32);
}

static void
s_grow (fuota_pool_t *self)
{
    uint32_t room = self->job_room ? self->job_room * 2 : 64;
    self->jobs = fuota_pool_resize (self->jobs, room, sizeof *self->jobs);
    self->buckets =
        fuota_pool_resize (self->buckets, room, sizeof *self->buckets);
    memset (self->buckets, 0xff, room * sizeof *self->buckets);
    self->job_room = room;
    self->bucket_mask = room - 1;
    for (uint32_t i = 0; i < self->job_count; i++)
        if (self->jobs [i].serial) {
            uint32_t at = s_hash (&self->jobs [i].key) & self->bucket_mask;
            self->jobs [i].bucket = self->buckets [at];
            self->buckets [at] = i;
        }
}

fuota_pool_job_t *
fuota_pool_find (fuota_pool_t *self, const fuota_parity_key_t *key)
{
    if (!self->job_room)
        return NULL;
    uint32_t at = self->buckets [s_hash (key) & self->bucket_mask];
    while (at != NONE && !fuota_parity_equal (&self->jobs [at].key, key))
        at = self->jobs [at].bucket;
    return at == NONE ? NULL : &self->jobs [at];
}

static fuota_pool_job_t *
s_new (fuota_pool_t *self, const fuota_parity_key_t *key, uint32_t first)
{
    uint32_t at = self->job_free;
    if (at != NONE)
        self->job_free = self->jobs [at].bucket;
    else {
        //  Growing would chain the free ones: there are none now
        if (self->job_count == self->job_room)
            s_grow (self);
        at = self->job_count++;
    }
    uint32_t *head = &self->buckets [s_hash (key) & self->bucket_mask];
    self->jobs [at] = (fuota_pool_job_t){ .key = *key,
        .serial = ++self->serial,
        .due = FUOTA_POOL_LATER,
        .next = first,
        .until = first,
        .bucket = *head };
    *head = at;
    self->stats.jobs++;
    return &self->jobs [at];
}

static void
s_free (fuota_pool_t *self, fuota_pool_job_t *job)
{
    uint32_t at = (uint32_t) (job - self->jobs);
    uint32_t *link = &self->buckets [s_hash (&job->key) & self->bucket_mask];
    while (*link != at)
        link = &self->jobs [*link].bucket;
    *link = job->bucket;
    job->serial = 0;
    job->bucket = self->job_free;
    self->job_free = at;
    self->stats.jobs--;
}

static void
s_free_if_over (fuota_pool_t *self, fuota_pool_job_t *job)
{
    if (job->next == job->until && !job->leases)
        s_free (self, job);
}

//  ---------------------------------------------------------------------
//  The queue

//  A second entry for one job is harmless: the stale one is dropped.
static void
s_queue (fuota_pool_t *self, fuota_pool_job_t *job)
{
    fuota_deadline_entry_t entry = { .at = job->due / SLOT,
        .subject = job->serial,
        .context = (uint32_t) (job - self->jobs) };
    int rc = fuota_deadline_put (&self->queue, entry);
    assert (rc == 0);
    job->queued = true;
}

//  The most urgent job with something to grant, taken out of the queue.
static fuota_pool_job_t *
s_first (fuota_pool_t *self)
{
    fuota_deadline_entry_t entry;
    while (fuota_deadline_take (&self->queue, INT64_MAX, &entry)) {
        fuota_pool_job_t *job = &self->jobs [entry.context];
        if (job->serial != entry.subject || !job->queued ||
            job->due / SLOT != entry.at)
            continue;
        job->queued = false;
        if (job->holes || job->next < job->until)
            return job;
    }
    return NULL;
}

static uint32_t
s_new_lease (fuota_pool_t *self, fuota_pool_job_t *job, uint32_t first,
    uint32_t count)
{
    uint32_t at = 0;
    while (at < self->lease_count && self->leases [at].id)
        at++;
    if (at == self->lease_room) {
        self->lease_room = self->lease_room ? self->lease_room * 2 : 64;
        self->leases = fuota_pool_resize (self->leases, self->lease_room,
            sizeof *self->leases);
    }
    if (at == self->lease_count)
        self->lease_count++;
    self->leases [at] = (fuota_pool_lease_t){ .id = ++self->serial,
        .job = (uint32_t) (job - self->jobs),
        .worker = NONE,
        .first = first,
        .count = count,
        .left = count };
    job->leases++;
    job->holes++;
    return at;
}

static bool
s_bit (const fuota_pool_lease_t *lease, uint32_t i)
{
    return lease->done [i / 64] >> (i % 64) & 1;
}

//  Is a block of a job on its way?
static bool
s_leased (const fuota_pool_t *self, const fuota_pool_job_t *job, uint32_t block)
{
    uint32_t name = (uint32_t) (job - self->jobs);
    for (uint32_t at = 0; at < self->lease_count; at++) {
        const fuota_pool_lease_t *lease = &self->leases [at];
        if (lease->id && lease->job == name && block >= lease->first &&
            block - lease->first < lease->count &&
            !s_bit (lease, block - lease->first))
            return true;
    }
    return false;
}

//  Blocks before what is granted next: those that were not wanted then, or
//  that came and are gone again, become holes.
static void
s_want_again (fuota_pool_t *self, fuota_pool_job_t *job, uint32_t first,
    uint32_t until)
{
    while (first < until) {
        uint32_t end = first;
        while (end < until && !s_leased (self, job, end))
            end++;
        if (end > first) {
            s_new_lease (self, job, first, end - first);
            self->stats.wanted += end - first;
            self->stats.waiting += end - first;
        }
        first = end + 1;
    }
}

int
fuota_pool_want (fuota_pool_t *self, const fuota_parity_key_t *key,
    uint32_t first, uint32_t count, int64_t due, int64_t now)
{
    uint32_t blocks = fuota_parity_valid (key) ? fuota_parity_blocks (key) : 0;
    if (!count || first >= blocks || count > blocks - first)
        return FUOTA_EVALUE;
    fuota_pool_job_t *job = fuota_pool_find (self, key);
    if (!job)
        job = s_new (self, key, first);
    uint32_t until = first + count;
    s_want_again (self, job, first, until < job->next ? until : job->next);
    if (until > job->until) {
        self->stats.wanted += until - job->until;
        self->stats.waiting += until - job->until;
        self->backlog += s_cost (key, until - job->until);
        job->until = until;
    }
    bool sooner = due / SLOT < job->due / SLOT;
    if (due < job->due)
        job->due = due;
    if ((sooner || !job->queued) && (job->holes || job->next < job->until))
        s_queue (self, job);
    fuota_pool_tick (self, now);
    return 0;
}

void
fuota_pool_forget (fuota_pool_t *self, const uint8_t image [32])
{
    for (uint32_t i = 0; i < self->lease_count; i++) {
        fuota_pool_lease_t *lease = &self->leases [i];
        fuota_pool_job_t *job = lease->id ? &self->jobs [lease->job] : NULL;
        if (!job || lease->worker != NONE || memcmp (job->key.image, image, 32))
            continue;
        self->stats.waiting -= lease->left;
        job->leases--;
        job->holes--;
        lease->id = 0;
    }
    for (uint32_t i = 0; i < self->job_count; i++) {
        fuota_pool_job_t *job = &self->jobs [i];
        if (!job->serial || memcmp (job->key.image, image, 32))
            continue;
        self->stats.waiting -= job->until - job->next;
        self->backlog -= s_cost (&job->key, job->until - job->next);
        job->until = job->next;
        s_free_if_over (self, job);
    }
}

bool
fuota_pool_uses (const fuota_pool_t *self, const uint8_t image [32])
{
    for (uint32_t i = 0; i < self->job_count; i++)
        if (self->jobs [i].serial &&
            !memcmp (self->jobs [i].key.image, image, 32))
            return true;
    return false;
}

//  ---------------------------------------------------------------------
//  Leases

//  Workers that take grants and have nothing to do.
static uint32_t
s_idle (const fuota_pool_t *self)
{
    uint32_t idle = 0;
    for (uint32_t i = 0; i < self->worker_count; i++)
        idle += self->workers [i].used && !self->workers [i].draining &&
                !self->workers [i].leases;
    return idle;
}

//  As many blocks as take a worker STRETCH. Of several workers the idle ones
//  share what is left; once all have something, each gets half its share, so
//  that they end at the same time, but no fewer than CRUMB.
static uint32_t
s_share (const fuota_pool_t *self, const fuota_pool_job_t *job, uint32_t worker)
{
    uint64_t block = s_cost (&job->key, 1);
    uint64_t speed = self->workers [worker].speed;
    uint64_t most = (speed ? speed : SPEED_FIRST) * STRETCH / block;
    uint32_t left = job->until - job->next;
    if (self->live > 1) {
        uint32_t idle = s_idle (self);
        uint64_t blocks = self->backlog / block;
        uint64_t part =
            idle ? (blocks + idle - 1) / idle : blocks / self->live / 2;
        if (!idle && part < CRUMB)
            part = CRUMB;
        most = part < most ? part : most;
    }
    if (most > FUOTA_POOL_LEASE_BLOCKS)
        most = FUOTA_POOL_LEASE_BLOCKS;
    if (most < 1)
        most = 1;
    return most < left ? (uint32_t) most : left;
}

//  Cut off both ends what is there already.
static void
s_trim (fuota_pool_lease_t *lease)
{
    uint32_t low = 0, high = lease->count;
    while (low < high && s_bit (lease, low))
        low++;
    while (high > low && s_bit (lease, high - 1))
        high--;
    fuota_pool_lease_t fresh = *lease;
    memset (fresh.done, 0, sizeof fresh.done);
    for (uint32_t i = low; i < high; i++)
        if (s_bit (lease, i))
            fresh.done [(i - low) / 64] |= (uint64_t) 1 << (i - low) % 64;
    fresh.first = lease->first + low;
    fresh.count = high - low;
    *lease = fresh;
}

static uint32_t
s_hole (fuota_pool_t *self, const fuota_pool_job_t *job)
{
    uint32_t at = (uint32_t) (job - self->jobs);
    for (uint32_t i = 0; i < self->lease_count; i++)
        if (self->leases [i].id && self->leases [i].job == at &&
            self->leases [i].worker == NONE)
            return i;
    assert (false);
    return NONE;
}

uint32_t
fuota_pool_lease (fuota_pool_t *self, uint32_t worker, int64_t now)
{
    fuota_pool_job_t *job = s_first (self);
    if (!job)
        return NONE;
    uint32_t at;
    if (job->holes)
        at = s_hole (self, job);
    else {
        uint32_t count = s_share (self, job, worker);
        at = s_new_lease (self, job, job->next, count);
        self->backlog -= s_cost (&job->key, count);
        job->next += count;
    }
    fuota_pool_lease_t *lease = &self->leases [at];
    s_trim (lease);
    lease->id = ++self->serial;  //  A hole's old worker may still answer
    lease->worker = worker;
    lease->cost = s_cost (&job->key, lease->count);
    uint64_t speed = self->workers [worker].speed;
    uint64_t wait = lease->cost / (speed ? speed : SPEED_FIRST) * 8;
    lease->until = now + PATIENCE + (int64_t) (wait < 3600000 ? wait : 3600000);
    job->holes--;
    self->stats.granted += lease->left;
    self->stats.leases++;
    if (job->holes || job->next < job->until)
        s_queue (self, job);
    return at;
}

uint32_t
fuota_pool_find_lease (const fuota_pool_t *self, uint64_t id)
{
    for (uint32_t i = 0; id && i < self->lease_count; i++)
        if (self->leases [i].id == id)
            return i;
    return NONE;
}

void
fuota_pool_return (fuota_pool_t *self, uint32_t at)
{
    fuota_pool_lease_t *lease = &self->leases [at];
    fuota_pool_job_t *job = &self->jobs [lease->job];
    lease->worker = NONE;
    self->stats.leases--;
    if (!lease->left) {
        lease->id = 0;
        job->leases--;
        s_free_if_over (self, job);
        return;
    }
    self->stats.returned += lease->left;
    lease->id = ++self->serial;  //  Nobody knows this number
    job->holes++;
    if (!job->queued)
        s_queue (self, job);
}

//  ---------------------------------------------------------------------
//  Blocks that are there

//  Mark what this lease waits for. A hole without anything left goes.
static uint32_t
s_mark (fuota_pool_t *self, fuota_pool_lease_t *lease, uint32_t first,
    uint32_t count)
{
    uint32_t news = 0;
    for (uint32_t block = first; block < first + count; block++) {
        uint32_t i = block - lease->first;
        if (block < lease->first || i >= lease->count || s_bit (lease, i))
            continue;
        lease->done [i / 64] |= (uint64_t) 1 << i % 64;
        lease->left--;
        news++;
    }
    self->stats.waiting -= news;
    self->stats.done += news;
    if (!lease->left && lease->worker == NONE) {
        fuota_pool_job_t *job = &self->jobs [lease->job];
        lease->id = 0;
        job->leases--;
        job->holes--;
        s_free_if_over (self, job);
    }
    return news;
}

uint32_t
fuota_pool_done (fuota_pool_t *self, uint32_t at, const fuota_parity_key_t *key,
    uint32_t first, uint32_t count)
{
    uint32_t news = 0;
    if (at != NONE)
        news = s_mark (self, &self->leases [at], first, count);
    if (news == count)
        return news;
    fuota_pool_job_t *job = fuota_pool_find (self, key);
    if (!job)
        return news;
    //  Late: whoever else waits for them need not any more
    uint32_t name = (uint32_t) (job - self->jobs);
    uint64_t serial = job->serial;
    for (uint32_t i = 0; i < self->lease_count; i++)
        if (i != at && self->leases [i].id && self->leases [i].job == name)
            news += s_mark (self, &self->leases [i], first, count);
    job = &self->jobs [name];
    while (job->serial == serial && job->next < job->until &&
           job->next >= first && job->next < first + count) {
        job->next++;
        self->backlog -= s_cost (key, 1);
        self->stats.waiting--;
        self->stats.done++;
        news++;
        s_free_if_over (self, job);
    }
    return news;
}
