//  SPDX-License-Identifier: MIT
//
//  In three parts: what an end of a connection means, the turn, life. Sockets
//  and what passes over them are in grpc_link_wire.c.

#include <sys/random.h>
#include "broker/host/grpc_link_private.h"

#define STEADY 10000  //  A connection that lasts so long was a good one

//  ---------------------------------------------------------------------
//  Ends

static void
s_close (fuota_grpc_link_t *self)
{
    if (self->resolve && self->watched)
        epoll_ctl (self->epoll, EPOLL_CTL_DEL,
            fuota_grpc_resolve_fd (self->resolve), NULL);
    self->watched = false;
    fuota_grpc_resolve_destroy (&self->resolve);
    if (self->sock >= 0)
        close (self->sock);  //  Leaves the epoll set, too
    self->sock = -1;
    self->next = NULL;
    self->out_at = self->out_size = 0;
    self->blocked = self->ready = false;
    self->phase = FUOTA_LINK_IDLE;
}

//  Whether this connection brought anything: a server that only accepts is
//  not worth hurrying for.
static bool
s_useful (const fuota_grpc_link_t *self)
{
    fuota_grpc_stats_t stats;
    fuota_grpc_stats (self->grpc, &stats);
    return stats.replies > self->replies;
}

//  Doubling, with a fifth more or less: clients that lost one server do not
//  come back all at once.
static int64_t
s_back_off (fuota_grpc_link_t *self)
{
    int64_t wait = self->back_off;
    for (uint32_t i = 0; i < self->failures && wait < self->back_off_max; i++)
        wait *= 2;
    if (wait > self->back_off_max)
        wait = self->back_off_max;
    self->failures++;
    self->random ^= self->random << 13;
    self->random ^= self->random >> 7;
    self->random ^= self->random << 17;
    return wait - wait / 5 +
           (int64_t) (self->random % (uint64_t) (wait / 5 * 2 + 1));
}

//  Once for each cause, not for each attempt.
static void
s_log (fuota_grpc_link_t *self)
{
    if (streq (self->logged, self->stats.fault))
        return;
    memcpy (self->logged, self->stats.fault, sizeof self->logged);
    zsys_warning ("grpc: host=%s port=%s fault=\"%s\"", self->host, self->port,
        self->logged);
}

void
fuota_grpc_link_lost (fuota_grpc_link_t *self, int64_t now, const char *what,
    const char *why)
{
    snprintf (self->stats.fault, sizeof self->stats.fault, "%s%s", what, why);
    bool good =
        self->ready && (s_useful (self) || now - self->ready_at >= STEADY);
    self->stats.losses += self->ready;
    if (good)
        self->failures = 0;
    fuota_grpc_shut (self->grpc, self->stats.fault);
    if (!self->ready)
        fuota_grpc_refuse (self->grpc, self->stats.fault);
    s_close (self);
    self->due = now + s_back_off (self);
    s_log (self);
}

//  The server asked for it, between calls: nothing is wrong.
static void
s_drained (fuota_grpc_link_t *self, int64_t now)
{
    bool good = self->ready && s_useful (self);
    fuota_grpc_shut (self->grpc, "drained");
    s_close (self);
    self->due = good ? now : now + s_back_off (self);
}

//  ---------------------------------------------------------------------
//  The turn

static void
s_look (fuota_grpc_link_t *self, int64_t now)
{
    fuota_grpc_state_t state = fuota_grpc_state (self->grpc);
    if (state == FUOTA_GRPC_READY && !self->ready) {
        self->ready = true;
        self->ready_at = now;
        self->stats.connects++;
        self->stats.fault [0] = self->logged [0] = 0;
        zsys_info ("grpc: host=%s port=%s connected tls=%d", self->host,
            self->port, self->tls != NULL);
    }
    if (state != FUOTA_GRPC_OVER)
        return;
    const char *fault = fuota_grpc_fault (self->grpc);
    if (streq (fault, "drained"))
        s_drained (self, now);
    else
        fuota_grpc_link_lost (self, now, "connection lost: ", fault);
}

static void
s_times (fuota_grpc_link_t *self, int64_t now)
{
    if (self->phase == FUOTA_LINK_IDLE && now >= self->due)
        fuota_grpc_link_begin (self, now);
    else if (self->phase == FUOTA_LINK_CONNECTING && now >= self->address_due)
        fuota_grpc_link_try_next (self, now, ETIMEDOUT);
    else if (self->phase != FUOTA_LINK_IDLE && !self->ready && now >= self->due)
        fuota_grpc_link_lost (self, now, "no connection in time", "");
}

static void
s_events (fuota_grpc_link_t *self, int64_t now)
{
    struct epoll_event event;
    if (epoll_wait (self->epoll, &event, 1, 0) != 1)
        return;
    if (self->phase == FUOTA_LINK_RESOLVING)
        fuota_grpc_link_resolved (self, now);
    else if (self->phase == FUOTA_LINK_CONNECTING)
        fuota_grpc_link_connected (self, now);
    else if (self->phase != FUOTA_LINK_IDLE)
        fuota_grpc_link_read (self, now);
}

void
fuota_grpc_link_tick (fuota_grpc_link_t *self, int64_t now)
{
    s_events (self, now);
    if (self->phase == FUOTA_LINK_OPEN)
        s_look (self, now);
    s_times (self, now);
    fuota_grpc_tick (self->grpc, now);
    if (self->phase < FUOTA_LINK_SECURING)
        return;
    fuota_grpc_link_write (self, now);
    if (self->phase == FUOTA_LINK_OPEN)
        s_look (self, now);
}

int64_t
fuota_grpc_link_due (const fuota_grpc_link_t *self)
{
    if (self->phase == FUOTA_LINK_OPEN && !self->blocked &&
        fuota_grpc_wants_output (self->grpc))
        return 0;
    int64_t due = fuota_grpc_due (self->grpc);
    if (!self->ready && self->due < due)
        due = self->due;
    if (self->phase == FUOTA_LINK_CONNECTING && self->address_due < due)
        due = self->address_due;
    return due;
}

int
fuota_grpc_link_call (fuota_grpc_link_t *self, uint64_t tag, const char *path,
    fuota_slice_t message, int64_t deadline)
{
    return fuota_grpc_call (self->grpc, tag, path, message, deadline);
}

bool
fuota_grpc_link_answer (fuota_grpc_link_t *self, fuota_grpc_answer_t *answer)
{
    return fuota_grpc_answer (self->grpc, answer);
}

int
fuota_grpc_link_fd (const fuota_grpc_link_t *self)
{
    return self->epoll;
}

void
fuota_grpc_link_stats (const fuota_grpc_link_t *self,
    fuota_grpc_link_stats_t *stats)
{
    *stats = self->stats;
    stats->ready = self->ready;
    fuota_grpc_stats (self->grpc, &stats->grpc);
}

//  ---------------------------------------------------------------------
//  Life

static void *
s_resize (void *ptr, size_t size)
{
    if (size)
        return realloc (ptr, size);
    free (ptr);
    return NULL;
}

static int64_t
s_or (int64_t value, int64_t otherwise)
{
    return value ? value : otherwise;
}

//  An IPv6 address stands in brackets before a port.
static int
s_new_grpc (fuota_grpc_link_t *self, const fuota_grpc_link_config_t *config)
{
    const char *name = config->server_name ? config->server_name : config->host;
    bool six = strchr (name, ':') != NULL;
    char authority [280];
    int rc;
    snprintf (authority, sizeof authority, "%s%s%s:%s", six ? "[" : "", name,
        six ? "]" : "", config->port);
    const fuota_grpc_config_t grpc = { .resize = s_resize,
        .authority = authority,
        .token = config->token,
        .secure = config->tls,
        .calls = config->calls,
        .streams = config->streams,
        .max_message = config->max_message,
        .keepalive = config->keepalive,
        .keepalive_timeout = config->keepalive_timeout };
    rc = FUOTA_EVALUE;
    if (strlen (config->host) < sizeof self->host &&
        strlen (config->port) < sizeof self->port)
        self->grpc = fuota_grpc_new (&grpc, &rc);
    if (rc)
        zsys_error ("grpc: host=%s: %s", config->host,
            rc == FUOTA_EVALUE ? "host or token is not fit for a header"
                               : "no memory");
    return rc;
}

static int
s_new_tls (fuota_grpc_link_t *self, const fuota_grpc_link_config_t *config)
{
    char fault [200];
    if (!config->tls)
        return 0;
    self->tls = fuota_grpc_tls_new (config->ca_file,
        config->server_name ? config->server_name : config->host, fault,
        sizeof fault);
    if (self->tls)
        return 0;
    zsys_error ("grpc: host=%s tls: %s", config->host, fault);
    return -1;
}

fuota_grpc_link_t *
fuota_grpc_link_new (const fuota_grpc_link_config_t *config)
{
    fuota_grpc_link_t *self = zmalloc (sizeof *self);
    assert (self);
    snprintf (self->host, sizeof self->host, "%s", config->host);
    snprintf (self->port, sizeof self->port, "%s", config->port);
    self->sock = -1;
    self->connect = s_or (config->connect, 10000);
    self->back_off = s_or (config->back_off, 500);
    self->back_off_max = s_or (config->back_off_max, 60000);
    self->random = config->seed;
    while (!self->random)
        if (getrandom (&self->random, sizeof self->random, 0) < 0)
            self->random = (uint64_t) getpid ();
    self->epoll = epoll_create1 (EPOLL_CLOEXEC);
    if (self->epoll < 0)
        zsys_error ("grpc: epoll: %s", strerror (errno));
    if (self->epoll < 0 || s_new_grpc (self, config) ||
        s_new_tls (self, config))
        fuota_grpc_link_destroy (&self);
    return self;
}

void
fuota_grpc_link_destroy (fuota_grpc_link_t **self_p)
{
    fuota_grpc_link_t *self = *self_p;
    if (!self)
        return;
    s_close (self);
    fuota_grpc_destroy (&self->grpc);
    fuota_grpc_tls_destroy (&self->tls);
    if (self->epoll >= 0)
        close (self->epoll);
    //  Requests and answers passed through its buffers, keys among them
    fuota_grpc_wipe (self, sizeof *self);
    freen (*self_p);
}
