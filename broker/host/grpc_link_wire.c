//  SPDX-License-Identifier: MIT
//
//  In two parts: how a connection begins, and what passes over it.

#include <netinet/tcp.h>
#include "broker/host/grpc_link_private.h"

#define READS 16  //  In one turn, so that a fast server starves nobody

//  ---------------------------------------------------------------------
//  Beginnings

static void
s_watch (fuota_grpc_link_t *self, int op, uint32_t events)
{
    struct epoll_event event = { .events = events };
    int rc = epoll_ctl (self->epoll, op, self->sock, &event);
    assert (rc == 0);
}

//  A socket on its way to an address, or -1.
static int
s_dial (const struct addrinfo *address)
{
    int yes = 1;
    int sock = socket (address->ai_family,
        SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (sock < 0)
        return -1;
    setsockopt (sock, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (!connect (sock, address->ai_addr, address->ai_addrlen) ||
        errno == EINPROGRESS)
        return sock;
    int error = errno;
    close (sock);
    errno = error;
    return -1;
}

//  The next address that can be tried; each gets its share of what is left of
//  the attempt's time.
void
fuota_grpc_link_try_next (fuota_grpc_link_t *self, int64_t now, int error)
{
    if (self->sock >= 0)
        close (self->sock);
    self->sock = -1;
    while (self->next && self->sock < 0) {
        int left = 0;
        for (const struct addrinfo *at = self->next; at; at = at->ai_next)
            left++;
        self->sock = s_dial (self->next);
        error = errno;
        self->address_due = now + (self->due - now) / left;
        self->next = self->next->ai_next;
    }
    if (self->sock < 0)
        fuota_grpc_link_lost (self, now, "connect: ", strerror (error));
    else {
        self->phase = FUOTA_LINK_CONNECTING;
        s_watch (self, EPOLL_CTL_ADD, EPOLLOUT);
    }
}

void
fuota_grpc_link_resolved (fuota_grpc_link_t *self, int64_t now)
{
    int rc;
    if (!fuota_grpc_resolve_take (self->resolve, &rc, &self->next))
        return;
    if (self->watched)
        epoll_ctl (self->epoll, EPOLL_CTL_DEL,
            fuota_grpc_resolve_fd (self->resolve), NULL);
    self->watched = false;
    if (rc)
        fuota_grpc_link_lost (self, now, "name: ", gai_strerror (rc));
    else
        fuota_grpc_link_try_next (self, now, EADDRNOTAVAIL);
}

void
fuota_grpc_link_begin (fuota_grpc_link_t *self, int64_t now)
{
    self->stats.attempts++;
    self->phase = FUOTA_LINK_RESOLVING;
    self->due = now + self->connect;
    self->resolve = fuota_grpc_resolve_new (self->host, self->port);
    if (!self->resolve) {
        fuota_grpc_link_lost (self, now, "name: ", strerror (errno));
        return;
    }
    struct epoll_event event = { .events = EPOLLIN };
    int rc = epoll_ctl (self->epoll, EPOLL_CTL_ADD,
        fuota_grpc_resolve_fd (self->resolve), &event);
    assert (rc == 0);
    self->watched = true;
    fuota_grpc_link_resolved (self, now);
}

static void
s_open (fuota_grpc_link_t *self, int64_t now)
{
    fuota_grpc_stats_t stats;
    fuota_grpc_stats (self->grpc, &stats);
    self->replies = stats.replies;
    self->phase = FUOTA_LINK_OPEN;
    if (fuota_grpc_open (self->grpc, now))
        fuota_grpc_link_lost (self, now, "no memory", "");
}

void
fuota_grpc_link_connected (fuota_grpc_link_t *self, int64_t now)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt (self->sock, SOL_SOCKET, SO_ERROR, &error, &size))
        error = errno;
    if (error) {
        fuota_grpc_link_try_next (self, now, error);
        return;
    }
    s_watch (self, EPOLL_CTL_MOD, EPOLLIN);
    self->phase = FUOTA_LINK_SECURING;
    if (!self->tls)
        s_open (self, now);
    else if (fuota_grpc_tls_start (self->tls))
        fuota_grpc_link_lost (self, now,
            "tls: ", fuota_grpc_tls_fault (self->tls));
}

//  ---------------------------------------------------------------------
//  What passes

//  The peer is told why by an alert, as far as the socket takes it.
static void
s_tls_failed (fuota_grpc_link_t *self, int64_t now)
{
    size_t size =
        fuota_grpc_tls_output (self->tls, self->out, sizeof self->out);
    if (size && send (self->sock, self->out, size, MSG_NOSIGNAL) < 0)
        zsys_debug ("grpc: alert not sent");
    fuota_grpc_link_lost (self, now, "tls: ", fuota_grpc_tls_fault (self->tls));
}

static void
s_secure (fuota_grpc_link_t *self, int64_t now, fuota_slice_t bytes)
{
    int rc = fuota_grpc_tls_feed (self->tls, bytes);
    if (!rc && self->phase == FUOTA_LINK_SECURING) {
        rc = fuota_grpc_tls_shake (self->tls);
        if (rc == 1)
            s_open (self, now);
    }
    while (rc >= 0 && self->phase == FUOTA_LINK_OPEN) {
        rc = fuota_grpc_tls_read (self->tls, self->plain, sizeof self->plain);
        if (rc <= 0)
            break;
        fuota_grpc_input (self->grpc, fuota_slice (self->plain, (size_t) rc),
            now);
    }
    if (rc < 0 && self->phase != FUOTA_LINK_IDLE)
        s_tls_failed (self, now);
}

void
fuota_grpc_link_read (fuota_grpc_link_t *self, int64_t now)
{
    for (int i = 0; i < READS && self->phase >= FUOTA_LINK_SECURING; i++) {
        ssize_t size = recv (self->sock, self->in, sizeof self->in, 0);
        if (size < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (size <= 0) {
            fuota_grpc_link_lost (self, now, "connection lost: ",
                size ? strerror (errno) : "closed by the peer");
            return;
        }
        self->stats.bytes_in += (uint64_t) size;
        fuota_slice_t bytes = fuota_slice (self->in, (size_t) size);
        if (self->tls)
            s_secure (self, now, bytes);
        else
            fuota_grpc_input (self->grpc, bytes, now);
        if ((size_t) size < sizeof self->in)
            return;  //  There was no more
    }
}

//  Returns 0, or -1 if TLS failed.
static int
s_fill (fuota_grpc_link_t *self, int64_t now)
{
    self->out_at = 0;
    if (!self->tls) {
        self->out_size =
            fuota_grpc_output (self->grpc, self->out, sizeof self->out, now);
        return 0;
    }
    size_t size = self->phase == FUOTA_LINK_OPEN
                      ? fuota_grpc_output (self->grpc, self->plain,
                            sizeof self->plain, now)
                      : 0;
    if (size &&
        fuota_grpc_tls_write (self->tls, fuota_slice (self->plain, size)))
        return -1;
    self->out_size =
        fuota_grpc_tls_output (self->tls, self->out, sizeof self->out);
    return 0;
}

static void
s_block (fuota_grpc_link_t *self, bool blocked)
{
    if (blocked != self->blocked)
        s_watch (self, EPOLL_CTL_MOD,
            blocked ? (uint32_t) EPOLLIN | (uint32_t) EPOLLOUT
                    : (uint32_t) EPOLLIN);
    self->blocked = blocked;
}

void
fuota_grpc_link_write (fuota_grpc_link_t *self, int64_t now)
{
    while (self->phase >= FUOTA_LINK_SECURING) {
        if (self->out_at == self->out_size) {
            if (s_fill (self, now)) {
                s_tls_failed (self, now);
                return;
            }
            if (!self->out_size)
                break;
        }
        ssize_t size = send (self->sock, self->out + self->out_at,
            self->out_size - self->out_at, MSG_NOSIGNAL);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
            s_block (self, true);
            return;
        }
        if (size < 0) {
            fuota_grpc_link_lost (self, now,
                "connection lost: ", strerror (errno));
            return;
        }
        self->stats.bytes_out += (uint64_t) size;
        self->out_at += (size_t) size;
    }
    s_block (self, false);
}
