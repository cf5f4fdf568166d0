//  SPDX-License-Identifier: MIT
//
//  Parts: effects; workers come and go; grants; messages; trust; time.

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include "broker/pool_private.h"
#include "fec_worker/kernel/fec.h"

#define NONE FUOTA_POOL_NONE
#define AHEAD 40        //  Milliseconds of work a worker may hold; a far
#define AHEAD_FAR 400   //  one, for which images are under way; and
#define AHEAD_LEASES 2  //  so many leases whatever they cost
#define MISSED 3        //  Beats
#define PATIENCE 10000  //  After progress, for the next
#define BAN 3600000     //  Milliseconds
#define SUMS 8          //  Check sums in a row that may be wrong
#define REST 1000       //  After a failure, doubled up to
#define REST_MAX 60000
#define SPEED_MAX 10000000000  //  Whatever a worker says of itself

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

static fuota_fec_message_t *
s_send (fuota_pool_t *self, const fuota_peer_t *peer, fuota_fec_kind_t kind)
{
    fuota_pool_effect_t *effect = fuota_pool_effect (self, FUOTA_POOL_SEND);
    effect->peer = *peer;
    effect->message.kind = kind;
    return &effect->message;
}

static void
s_tell (fuota_pool_t *self, const fuota_pool_peer_t *worker, const char *words)
{
    fuota_pool_effect_t *effect = fuota_pool_effect (self, FUOTA_POOL_TELL);
    snprintf (effect->words, sizeof effect->words, "%s worker=%s host=%s",
        words, worker->hello.name, worker->hello.host);
}

static void
s_send_drain (fuota_pool_t *self, const fuota_peer_t *peer, const char *words,
    bool at_once)
{
    fuota_fec_message_t *message = s_send (self, peer, FUOTA_FEC_DRAIN);
    message->as.drain.at_once = at_once;
    snprintf (message->as.drain.words, sizeof message->as.drain.words, "%s",
        words);
}

//  ---------------------------------------------------------------------
//  Workers come and go

static bool
s_same_peer (const fuota_peer_t *a, const fuota_peer_t *b)
{
    return a->door == b->door && a->size == b->size &&
           !memcmp (a->id, b->id, a->size);
}

static fuota_pool_peer_t *
s_find (fuota_pool_t *self, const fuota_peer_t *peer)
{
    for (uint32_t i = 0; i < self->worker_count; i++)
        if (self->workers [i].used &&
            s_same_peer (&self->workers [i].peer, peer))
            return &self->workers [i];
    return NULL;
}

static uint32_t
s_index (const fuota_pool_t *self, const fuota_pool_peer_t *worker)
{
    return (uint32_t) (worker - self->workers);
}

//  Grants wait for no worker that is leaving.
static void
s_count_live (fuota_pool_t *self)
{
    self->live = 0;
    self->stats.workers = 0;
    for (uint32_t i = 0; i < self->worker_count; i++) {
        self->stats.workers += self->workers [i].used;
        self->live += self->workers [i].used && !self->workers [i].draining;
    }
}

static void
s_end_lease (fuota_pool_t *self, uint32_t at)
{
    fuota_pool_peer_t *worker = &self->workers [self->leases [at].worker];
    worker->leases--;
    worker->cost -= self->leases [at].cost;
    fuota_pool_return (self, at);
}

static void
s_leave (fuota_pool_t *self, fuota_pool_peer_t *worker)
{
    for (uint32_t i = 0; i < self->lease_count; i++)
        if (self->leases [i].id &&
            self->leases [i].worker == s_index (self, worker))
            s_end_lease (self, i);
    worker->used = false;
    s_count_live (self);
}

static bool
s_banned (const fuota_pool_t *self, const char *identity, int64_t now)
{
    for (size_t i = 0; i < sizeof self->bans / sizeof *self->bans; i++)
        if (self->bans [i].until > now &&
            !strcmp (self->bans [i].worker.identity, identity))
            return true;
    return false;
}

static fuota_pool_worker_t
s_describe (const fuota_pool_peer_t *worker)
{
    fuota_pool_worker_t line = { .cores = worker->hello.cores,
        .pid = worker->hello.pid,
        .slots = worker->hello.slots,
        .leases = worker->leases,
        .near = worker->hello.near,
        .draining = worker->draining,
        .blocks = worker->blocks,
        .errors = worker->errors,
        .rate = worker->rate };
    memcpy (line.name, worker->hello.name, sizeof line.name);
    memcpy (line.host, worker->hello.host, sizeof line.host);
    memcpy (line.kernel, worker->hello.kernel, sizeof line.kernel);
    memcpy (line.identity, worker->identity, sizeof line.identity);
    return line;
}

static void
s_quarantine (fuota_pool_t *self, fuota_pool_peer_t *worker, const char *why,
    int64_t now)
{
    fuota_pool_ban_t *ban =
        &self->bans [self->ban_next++ %
                     (sizeof self->bans / sizeof *self->bans)];
    char words [64];
    *ban = (fuota_pool_ban_t){ .worker = s_describe (worker),
        .since = now,
        .until = now + BAN };
    ban->worker.leases = 0;
    snprintf (ban->worker.why, sizeof ban->worker.why, "%s", why);
    snprintf (words, sizeof words, "quarantined: %s:", why);
    self->stats.quarantined++;
    s_tell (self, worker, words);
    s_send_drain (self, &worker->peer, "quarantined", true);
    s_leave (self, worker);
}

static fuota_pool_peer_t *
s_new_worker (fuota_pool_t *self)
{
    uint32_t at = 0;
    while (at < self->worker_count && self->workers [at].used)
        at++;
    if (at == FUOTA_POOL_WORKERS_MAX)
        return NULL;
    if (at == self->worker_room) {
        self->worker_room = self->worker_room ? self->worker_room * 2 : 16;
        self->workers = fuota_pool_resize (self->workers, self->worker_room,
            sizeof *self->workers);
    }
    if (at == self->worker_count)
        self->worker_count++;
    return &self->workers [at];
}

//  What a stranger calls itself goes into logs and onto terminals.
static void
s_clean (char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            *text = '?';
}

static void
s_admit (fuota_pool_t *self, const fuota_peer_t *peer, const char *user,
    const Hello *hello, int64_t now)
{
    fuota_pool_peer_t *worker = s_new_worker (self);
    if (!worker)
        return;
    *worker = (fuota_pool_peer_t){ .used = true,
        .peer = *peer,
        .hello = *hello,
        .speed = hello->speed < SPEED_MAX ? hello->speed : SPEED_MAX,
        .seen = now,
        .told = now };
    s_clean (worker->hello.name);
    s_clean (worker->hello.host);
    s_clean (worker->hello.kernel);
    snprintf (worker->identity, sizeof worker->identity, "%s",
        user && *user ? user : worker->hello.name);
    s_count_live (self);
}

static bool
s_same_worker (const fuota_pool_peer_t *worker, const fuota_peer_t *peer,
    const char *user, const Hello *hello)
{
    return worker->hello.instance == hello->instance &&
           worker->peer.door == peer->door &&
           !strcmp (worker->identity, user && *user ? user : hello->name);
}

static void
s_hello (fuota_pool_t *self, const fuota_peer_t *peer, const char *user,
    const Hello *hello, int64_t now)
{
    if (hello->version != FUOTA_FEC_VERSION) {
        s_send_drain (self, peer, "this pool speaks version 1 only", true);
        return;
    }
    if (s_banned (self, user && *user ? user : hello->name, now)) {
        s_send_drain (self, peer, "quarantined", true);
        return;
    }
    //  The same one over a new connection: what it had is lost
    for (uint32_t i = 0; i < self->worker_count; i++)
        if (self->workers [i].used &&
            (s_same_peer (&self->workers [i].peer, peer) ||
                s_same_worker (&self->workers [i], peer, user, hello)))
            s_leave (self, &self->workers [i]);
    s_admit (self, peer, user, hello, now);
    Hello *answer = &s_send (self, peer, FUOTA_FEC_HELLO)->as.hello;
    *answer = (Hello){ .version = FUOTA_FEC_VERSION, .beat = self->beat };
}

void
fuota_pool_gone (fuota_pool_t *self, uint32_t pid, int64_t now)
{
    for (uint32_t i = 0; i < self->worker_count; i++)
        if (self->workers [i].used && self->workers [i].hello.near &&
            self->workers [i].hello.pid == pid)
            s_leave (self, &self->workers [i]);
    fuota_pool_tick (self, now);
}

size_t
fuota_pool_drain (fuota_pool_t *self, const char *name)
{
    size_t count = 0;
    for (uint32_t i = 0; i < self->worker_count; i++) {
        fuota_pool_peer_t *worker = &self->workers [i];
        if (!worker->used || strcmp (worker->hello.name, name))
            continue;
        worker->draining = true;
        s_send_drain (self, &worker->peer, "drained", false);
        count++;
    }
    s_count_live (self);
    return count;
}

//  ---------------------------------------------------------------------
//  Grants

static bool
s_has_credit (const fuota_pool_peer_t *worker, int64_t now)
{
    if (!worker->used || worker->draining || worker->rest > now ||
        worker->leases + worker->lost >= worker->hello.slots)
        return false;
    uint64_t ahead = worker->hello.near ? AHEAD : AHEAD_FAR;
    return worker->leases < AHEAD_LEASES ||
           worker->cost < worker->speed * ahead;
}

static bool
s_grant (fuota_pool_t *self, uint32_t at, int64_t now)
{
    uint32_t place = fuota_pool_lease (self, at, now);
    if (place == NONE)
        return false;
    const fuota_pool_lease_t *lease = &self->leases [place];
    fuota_pool_peer_t *worker = &self->workers [at];
    worker->leases++;
    worker->cost += lease->cost;
    Grant *grant = &s_send (self, &worker->peer, FUOTA_FEC_GRANT)->as.grant;
    *grant = (Grant){ .lease = lease->id,
        .has_parity = true,
        .parity = self->jobs [lease->job].key,
        .first = lease->first,
        .count = lease->count };
    worker->told = now;
    return true;
}

//  Milliseconds of work that a worker holds, as far as is known.
static uint64_t
s_burden (const fuota_pool_peer_t *worker)
{
    return worker->speed ? worker->cost / worker->speed : worker->leases;
}

//  Who has credit and holds least, so that none waits while another has a
//  line of leases. NONE if nobody has credit.
static uint32_t
s_next_worker (const fuota_pool_t *self, int64_t now)
{
    uint32_t best = NONE;
    for (uint32_t i = 0; i < self->worker_count; i++) {
        const fuota_pool_peer_t *worker = &self->workers [i];
        if (!s_has_credit (worker, now))
            continue;
        if (best == NONE ||
            s_burden (worker) < s_burden (&self->workers [best]) ||
            (s_burden (worker) == s_burden (&self->workers [best]) &&
                worker->leases < self->workers [best].leases))
            best = i;
    }
    return best;
}

//  Lease by lease, until there is no work or no credit.
static void
s_dispatch (fuota_pool_t *self, int64_t now)
{
    for (;;) {
        uint32_t i = s_next_worker (self, now);
        if (i == NONE || !s_grant (self, i, now))
            return;
    }
}

//  ---------------------------------------------------------------------
//  Messages

//  It gets on: what waits behind in its line is not late either.
static void
s_progress (fuota_pool_t *self, const fuota_pool_peer_t *worker, int64_t now)
{
    for (uint32_t i = 0; i < self->lease_count; i++) {
        fuota_pool_lease_t *lease = &self->leases [i];
        if (lease->id && lease->worker == s_index (self, worker) &&
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
        if (!lease->id || lease->worker != s_index (self, worker))
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
    fuota_fec_message_t *message = s_send (self, &worker->peer, FUOTA_FEC_PART);
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
            s_quarantine (self, worker, "check sums are wrong", now);
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
    bool ours =
        at != NONE && self->leases [at].worker == s_index (self, worker);
    if (!ours) {
        worker->lost -= worker->lost > 0;
        self->stats.late++;
    }
    s_progress (self, worker, now);
    if (done->kind != FUOTA_FEC_DONE) {
        s_fail (self, worker, done, now);
        if (ours)
            s_end_lease (self, at);
        return;
    }
    worker->failures = 0;
    s_measure (worker, done);
    if (worker->hello.near)
        //  Its blocks are in the environment: the lease ends with the check
        s_check (self, &worker->peer, done->lease, &done->parity, done->first,
            done->count, fuota_slice (NULL, 0));
    else if (ours)
        s_end_lease (self, at);
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
    s_send (self, peer, FUOTA_FEC_HELLO)->as.hello =
        (Hello){ .version = FUOTA_FEC_VERSION, .again = true };
}

void
fuota_pool_take (fuota_pool_t *self, const fuota_peer_t *peer, const char *user,
    const fuota_fec_message_t *message, int64_t now)
{
    fuota_pool_peer_t *worker = s_find (self, peer);
    if (message->kind == FUOTA_FEC_HELLO)
        s_hello (self, peer, user, &message->as.hello, now);
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
            s_leave (self, worker);
    }
    s_dispatch (self, now);
}

//  ---------------------------------------------------------------------
//  Trust

void
fuota_pool_checked (fuota_pool_t *self, const fuota_pool_effect_t *check,
    bool good, int64_t now)
{
    fuota_pool_peer_t *worker = s_find (self, &check->peer);
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
            self->leases [at].worker == s_index (self, worker))
            s_end_lease (self, at);
    }
    else {
        self->stats.wrong++;
        if (worker) {
            worker->errors++;
            s_quarantine (self, worker, "a block is wrong", now);
        }
        //  If it had written over what was right, that is gone as well
        if (!check->rows.size)
            fuota_pool_want (self, &check->key, check->first, check->count, 0,
                now);
    }
    s_dispatch (self, now);
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
//  Time

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
fuota_pool_tick (fuota_pool_t *self, int64_t now)
{
    for (uint32_t i = 0; i < self->worker_count; i++) {
        fuota_pool_peer_t *worker = &self->workers [i];
        if (!worker->used)
            continue;
        if (now - worker->seen >= (int64_t) self->beat * MISSED) {
            s_tell (self, worker, "silent:");
            s_leave (self, worker);
        }
        else if (now - worker->told >= (int64_t) self->beat) {
            s_send (self, &worker->peer, FUOTA_FEC_BEAT);
            worker->told = now;
        }
    }
    for (uint32_t i = 0; i < self->lease_count; i++) {
        fuota_pool_lease_t *lease = &self->leases [i];
        if (!lease->id || lease->worker == NONE || lease->until > now)
            continue;
        self->workers [lease->worker].lost++;
        s_end_lease (self, i);
    }
    s_dispatch (self, now);
}

int64_t
fuota_pool_due (const fuota_pool_t *self)
{
    int64_t due = INT64_MAX;
    for (uint32_t i = 0; i < self->worker_count; i++) {
        const fuota_pool_peer_t *worker = &self->workers [i];
        int64_t at = worker->told + self->beat;
        int64_t silent = worker->seen + (int64_t) self->beat * MISSED;
        at = silent < at ? silent : at;
        if (worker->used && at < due)
            due = at;
    }
    for (uint32_t i = 0; i < self->lease_count; i++)
        if (self->leases [i].id && self->leases [i].worker != NONE &&
            self->leases [i].until < due)
            due = self->leases [i].until;
    return due;
}

static bool
s_banned_worker (const fuota_pool_t *self, size_t i, int64_t now,
    fuota_pool_worker_t *out)
{
    for (size_t k = 0; k < sizeof self->bans / sizeof *self->bans; k++) {
        const fuota_pool_ban_t *ban = &self->bans [k];
        if (ban->until <= now || i-- != 0)
            continue;
        *out = ban->worker;
        out->seen = now - ban->since;
        out->left = ban->until - now;
        return true;
    }
    return false;
}

bool
fuota_pool_worker (const fuota_pool_t *self, size_t i, int64_t now,
    fuota_pool_worker_t *out)
{
    for (uint32_t at = 0; at < self->worker_count; at++) {
        const fuota_pool_peer_t *worker = &self->workers [at];
        if (!worker->used || i-- != 0)
            continue;
        *out = s_describe (worker);
        out->seen = now - worker->seen;
        return true;
    }
    return s_banned_worker (self, i, now, out);
}

void
fuota_pool_stats (const fuota_pool_t *self, fuota_pool_stats_t *stats)
{
    *stats = self->stats;
}
