//  SPDX-License-Identifier: MIT
//
//  Parts: workers come and go; grants; time; who there is.

#include <stdio.h>
#include "broker/pool_private.h"

#define NONE FUOTA_POOL_NONE
#define AHEAD 40               //  Milliseconds of work a worker may hold; a far
#define AHEAD_FAR 400          //  one, for which images are under way; and
#define AHEAD_LEASES 2         //  so many leases whatever they cost
#define MISSED 3               //  Beats
#define BAN 3600000            //  Milliseconds
#define SPEED_MAX 10000000000  //  Whatever a worker says of itself

//  ---------------------------------------------------------------------
//  Workers come and go

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
    fuota_fec_message_t *message =
        fuota_pool_send (self, peer, FUOTA_FEC_DRAIN);
    message->as.drain.at_once = at_once;
    snprintf (message->as.drain.words, sizeof message->as.drain.words, "%s",
        words);
}

static bool
s_same_peer (const fuota_peer_t *a, const fuota_peer_t *b)
{
    return a->door == b->door && a->size == b->size &&
           !memcmp (a->id, b->id, a->size);
}

fuota_pool_peer_t *
fuota_pool_peer (fuota_pool_t *self, const fuota_peer_t *peer)
{
    for (uint32_t i = 0; i < self->worker_count; i++)
        if (self->workers [i].used &&
            s_same_peer (&self->workers [i].peer, peer))
            return &self->workers [i];
    return NULL;
}

uint32_t
fuota_pool_index (const fuota_pool_t *self, const fuota_pool_peer_t *worker)
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

void
fuota_pool_end_lease (fuota_pool_t *self, uint32_t at)
{
    fuota_pool_peer_t *worker = &self->workers [self->leases [at].worker];
    worker->leases--;
    worker->cost -= self->leases [at].cost;
    fuota_pool_return (self, at);
}

void
fuota_pool_leave (fuota_pool_t *self, fuota_pool_peer_t *worker)
{
    for (uint32_t i = 0; i < self->lease_count; i++)
        if (self->leases [i].id &&
            self->leases [i].worker == fuota_pool_index (self, worker))
            fuota_pool_end_lease (self, i);
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

void
fuota_pool_quarantine (fuota_pool_t *self, fuota_pool_peer_t *worker,
    const char *why, int64_t now)
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
    fuota_pool_leave (self, worker);
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

void
fuota_pool_hello (fuota_pool_t *self, const fuota_peer_t *peer,
    const char *user, const Hello *hello, int64_t now)
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
            fuota_pool_leave (self, &self->workers [i]);
    s_admit (self, peer, user, hello, now);
    Hello *answer = &fuota_pool_send (self, peer, FUOTA_FEC_HELLO)->as.hello;
    *answer = (Hello){ .version = FUOTA_FEC_VERSION, .beat = self->beat };
}

void
fuota_pool_gone (fuota_pool_t *self, uint32_t pid, int64_t now)
{
    for (uint32_t i = 0; i < self->worker_count; i++)
        if (self->workers [i].used && self->workers [i].hello.near &&
            self->workers [i].hello.pid == pid)
            fuota_pool_leave (self, &self->workers [i]);
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
    Grant *grant =
        &fuota_pool_send (self, &worker->peer, FUOTA_FEC_GRANT)->as.grant;
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
void
fuota_pool_dispatch (fuota_pool_t *self, int64_t now)
{
    for (;;) {
        uint32_t i = s_next_worker (self, now);
        if (i == NONE || !s_grant (self, i, now))
            return;
    }
}

//  ---------------------------------------------------------------------
//  Time

void
fuota_pool_tick (fuota_pool_t *self, int64_t now)
{
    for (uint32_t i = 0; i < self->worker_count; i++) {
        fuota_pool_peer_t *worker = &self->workers [i];
        if (!worker->used)
            continue;
        if (now - worker->seen >= (int64_t) self->beat * MISSED) {
            s_tell (self, worker, "silent:");
            fuota_pool_leave (self, worker);
        }
        else if (now - worker->told >= (int64_t) self->beat) {
            fuota_pool_send (self, &worker->peer, FUOTA_FEC_BEAT);
            worker->told = now;
        }
    }
    for (uint32_t i = 0; i < self->lease_count; i++) {
        fuota_pool_lease_t *lease = &self->leases [i];
        if (!lease->id || lease->worker == NONE || lease->until > now)
            continue;
        self->workers [lease->worker].lost++;
        fuota_pool_end_lease (self, i);
    }
    fuota_pool_dispatch (self, now);
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

//  ---------------------------------------------------------------------
//  Who there is

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
