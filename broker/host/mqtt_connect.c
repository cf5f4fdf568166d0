//  SPDX-License-Identifier: MIT

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "broker/host/mqtt_connect.h"

struct fuota_mqtt_connect {
    atomic_int holders;     //  Who began, and the thread
    atomic_bool abandoned;  //  The last of them destroys the client
    atomic_bool done;       //  What follows is written
    int rc, error;
    struct mosquitto *client;
    char host [256];  //  "": again
    int port, keep_alive;
    int pair [2];
};

static void
s_release (fuota_mqtt_connect_t *self)
{
    if (atomic_fetch_sub (&self->holders, 1) > 1)
        return;
    if (atomic_load (&self->abandoned)) {
        mosquitto_destroy (self->client);
        mosquitto_lib_cleanup ();
    }
    close (self->pair [0]);
    close (self->pair [1]);
    free (self);
}

static void *
s_thread (void *arg)
{
    fuota_mqtt_connect_t *self = arg;
    self->rc = *self->host ? mosquitto_connect_async (self->client, self->host,
                                 self->port, self->keep_alive)
                           : mosquitto_reconnect_async (self->client);
    self->error = errno;
    atomic_store (&self->done, true);
    //  One byte into an empty pair, both ends of which we hold: it cannot fail
    ssize_t sent = send (self->pair [1], "", 1, MSG_NOSIGNAL);
    (void) sent;
    s_release (self);
    return NULL;
}

//  Signals are for the main thread.
static int
s_spawn (fuota_mqtt_connect_t *self)
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

fuota_mqtt_connect_t *
fuota_mqtt_connect_new (struct mosquitto *client, const char *host, int port,
    int keep_alive)
{
    fuota_mqtt_connect_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
            self->pair)) {
        free (self);
        return NULL;
    }
    atomic_init (&self->holders, 2);
    self->client = client;
    snprintf (self->host, sizeof self->host, "%s", host ? host : "");
    self->port = port;
    self->keep_alive = keep_alive;
    if (s_spawn (self) == 0)
        return self;
    atomic_store (&self->holders, 1);  //  There is no thread
    s_release (self);
    return NULL;
}

int
fuota_mqtt_connect_fd (const fuota_mqtt_connect_t *self)
{
    return self->pair [0];
}

bool
fuota_mqtt_connect_take (fuota_mqtt_connect_t **self_p, int *rc,
    const char **why)
{
    fuota_mqtt_connect_t *self = *self_p;
    if (!atomic_load (&self->done))
        return false;
    *rc = self->rc;
    *why = self->rc == MOSQ_ERR_ERRNO ? strerror (self->error)
                                      : mosquitto_strerror (self->rc);
    s_release (self);
    *self_p = NULL;
    return true;
}

void
fuota_mqtt_connect_abandon (fuota_mqtt_connect_t **self_p)
{
    atomic_store (&(*self_p)->abandoned, true);
    s_release (*self_p);
    *self_p = NULL;
}
