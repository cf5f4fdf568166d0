//  SPDX-License-Identifier: MIT
//
//  pool_private - what the parts of the pool share: pool.c messages and trust,
//  pool_workers.c workers and grants, pool_jobs.c jobs and leases.

#ifndef FUOTA_POOL_PRIVATE_H
#define FUOTA_POOL_PRIVATE_H

#include "broker/pool.h"
#include "workers/deadline.h"

#define FUOTA_POOL_NONE UINT32_MAX
#define FUOTA_POOL_LEASE_BLOCKS 256  //  As many as an image can have

typedef struct {
    fuota_parity_key_t key;
    uint64_t serial;  //  0: free
    int64_t due;
    uint32_t next, until;    //  next .. until - 1 was never granted
    uint32_t leases, holes;  //  Of it; holes wait for a worker
    uint32_t bucket;         //  Next with the same hash, or next free
    bool queued;             //  In the heap, at due
} fuota_pool_job_t;

//  Blocks given to a worker; without a worker a hole, to be given again.
typedef struct {
    uint64_t id;  //  0: free
    uint32_t job, worker;
    uint32_t first, count, left;  //  left: without an answer
    int64_t until;
    uint64_t cost;
    uint64_t done [FUOTA_POOL_LEASE_BLOCKS / 64];
} fuota_pool_lease_t;

typedef struct {
    bool used, draining;
    fuota_peer_t peer;
    Hello hello;
    char identity [41];
    int64_t seen, told, rest;  //  rest: no grants before
    uint32_t leases, lost;     //  lost: expired, its end not yet heard of
    uint32_t failures;         //  In a row
    uint64_t cost;             //  Of its leases
    uint64_t speed;            //  Cost a millisecond, lately
    uint64_t rate, blocks, errors;
} fuota_pool_peer_t;

//  What the worker was when it was caught.
typedef struct {
    fuota_pool_worker_t worker;
    int64_t until, since;
} fuota_pool_ban_t;

struct fuota_pool {
    uint64_t seed;
    uint32_t beat;
    uint64_t serial;  //  Of jobs and leases
    fuota_pool_stats_t stats;
    fuota_pool_peer_t *workers;
    uint32_t worker_count, worker_room;
    uint32_t live;  //  Workers that take grants
    fuota_pool_job_t *jobs;
    uint32_t job_count, job_room, job_free;
    uint64_t backlog;  //  Cost of what was never granted
    uint32_t *buckets, bucket_mask;
    fuota_deadline_t queue;  //  Jobs with something to grant: at = due slot
    fuota_pool_lease_t *leases;
    uint32_t lease_count, lease_room;
    fuota_pool_ban_t bans [64];
    uint32_t ban_next;
    fuota_pool_effect_t *effects;
    size_t effect_count, effect_room, effect_at;
};

//  Memory is the engine's own: without it work would be forgotten, so it
//  stops.
void *fuota_pool_resize (void *memory, size_t count, size_t size);

//  A new effect, cleared.
fuota_pool_effect_t *fuota_pool_effect (fuota_pool_t *self,
    fuota_pool_effect_kind_t kind);

//  A message to a peer, to be filled in.
fuota_fec_message_t *fuota_pool_send (fuota_pool_t *self,
    const fuota_peer_t *peer, fuota_fec_kind_t kind);

//  The worker that is there, NULL if it is not known; its index.
fuota_pool_peer_t *fuota_pool_peer (fuota_pool_t *self,
    const fuota_peer_t *peer);
uint32_t fuota_pool_index (const fuota_pool_t *self,
    const fuota_pool_peer_t *worker);

//  A peer introduces itself; it leaves, its leases return; it is sent away for
//  an hour. One lease of it ends.
void fuota_pool_hello (fuota_pool_t *self, const fuota_peer_t *peer,
    const char *user, const Hello *hello, int64_t now);
void fuota_pool_leave (fuota_pool_t *self, fuota_pool_peer_t *worker);
void fuota_pool_quarantine (fuota_pool_t *self, fuota_pool_peer_t *worker,
    const char *why, int64_t now);
void fuota_pool_end_lease (fuota_pool_t *self, uint32_t at);

//  Grant lease by lease, until there is no work or no credit.
void fuota_pool_dispatch (fuota_pool_t *self, int64_t now);

fuota_pool_job_t *fuota_pool_find (fuota_pool_t *self,
    const fuota_parity_key_t *key);

//  The next lease for a worker, made of the most urgent job: its index, or
//  NONE if nothing waits.
uint32_t fuota_pool_lease (fuota_pool_t *self, uint32_t worker, int64_t now);
uint32_t fuota_pool_find_lease (const fuota_pool_t *self, uint64_t id);

//  A lease's worker will not answer any more: what is left becomes a hole.
void fuota_pool_return (fuota_pool_t *self, uint32_t lease);

//  Blocks are there: mark them wherever they are waited for. lease is a hint
//  (NONE: unknown). Returns how many were news.
uint32_t fuota_pool_done (fuota_pool_t *self, uint32_t lease,
    const fuota_parity_key_t *key, uint32_t first, uint32_t count);

#endif
