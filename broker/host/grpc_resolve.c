//  SPDX-License-Identifier: MIT

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "broker/host/grpc_resolve.h"

struct fuota_grpc_resolve {
    atomic_int holders;  //  Who asked, and the thread
    atomic_bool done;    //  What follows is written
    int rc;
    struct addrinfo *addresses;
    int pair [2];
    char host [256], port [16];
};

static void
s_release (fuota_grpc_resolve_t *self)
{
    if (atomic_fetch_sub (&self->holders, 1) > 1)
        return;
    if (self->addresses)
        freeaddrinfo (self->addresses);
    close (self->pair [0]);
    close (self->pair [1]);
    free (self);
}

static int
s_ask (fuota_grpc_resolve_t *self, int flags)
{
    const struct addrinfo hints = { .ai_flags = AI_NUMERICSERV | flags,
        .ai_socktype = SOCK_STREAM };
    return getaddrinfo (self->host, self->port, &hints, &self->addresses);
}

static void
s_done (fuota_grpc_resolve_t *self, int rc)
{
    self->rc = rc;
    atomic_store (&self->done, true);
    //  One byte into an empty pair, both ends of which we hold: it cannot fail
    ssize_t sent = send (self->pair [1], "", 1, MSG_NOSIGNAL);
    (void) sent;
}

static void *
s_thread (void *arg)
{
    fuota_grpc_resolve_t *self = arg;
    s_done (self, s_ask (self, 0));
    s_release (self);
    return NULL;
}

//  Signals are for the main thread.
static int
s_spawn (fuota_grpc_resolve_t *self)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    sigfillset (&all);
    pthread_attr_init (&attributes);
    pthread_attr_setdetachstate (&attributes, PTHREAD_CREATE_DETACHED);
    pthread_sigmask (SIG_SETMASK, &all, &before);
    int rc = pthread_create (&thread, &attributes, s_thread, self);
    pthread_sigmask (SIG_SETMASK, &before, NULL);
    pthread_attr_destroy (&attributes);
    return rc;
}

fuota_grpc_resolve_t *
fuota_grpc_resolve_new (const char *host, const char *port)
{
    fuota_grpc_resolve_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
            self->pair)) {
        free (self);
        return NULL;
    }
    atomic_init (&self->holders, 2);
    snprintf (self->host, sizeof self->host, "%s", host);
    snprintf (self->port, sizeof self->port, "%s", port);
    int rc = s_ask (self, AI_NUMERICHOST);
    if (rc == EAI_NONAME && !s_spawn (self))
        return self;
    s_release (self);  //  There is no thread
    if (rc != EAI_NONAME)
        s_done (self, rc);
    else
        fuota_grpc_resolve_destroy (&self);
    return self;
}

void
fuota_grpc_resolve_destroy (fuota_grpc_resolve_t **self_p)
{
    if (*self_p)
        s_release (*self_p);
    *self_p = NULL;
}

int
fuota_grpc_resolve_fd (const fuota_grpc_resolve_t *self)
{
    return self->pair [0];
}

bool
fuota_grpc_resolve_take (fuota_grpc_resolve_t *self, int *rc,
    const struct addrinfo **addresses)
{
    if (!atomic_load (&self->done))
        return false;
    *rc = self->rc;
    *addresses = self->addresses;
    return true;
}
