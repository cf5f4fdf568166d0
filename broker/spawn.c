//  SPDX-License-Identifier: MIT

#include <czmq.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include "broker/spawn.h"

#define BACK_OFF 200
#define BACK_OFF_MAX 30000
#define STEADY 10000   //  Milliseconds after which it is forgiven
#define PATIENCE 1500  //  From SIGTERM to SIGKILL

extern char **environ;

typedef struct {
    pid_t pid;  //  0: not running
    int fd;
    int64_t due, started;
    uint32_t failures;
    bool retired;  //  Ended by itself with status 0: it was told to go
} s_child_t;

struct fuota_spawn {
    char program [1024], endpoint [256], parity [1024];
    s_child_t *children;
    size_t count;
    int epoll;
    uint64_t starts;
};

int
fuota_spawn_find (const char *given, char *path, size_t size)
{
    if (*given)
        snprintf (path, size, "%s", given);
    else {
        ssize_t length = readlink ("/proc/self/exe", path, size - 1);
        if (length < 0)
            return -1;
        path [length] = 0;
        char *slash = strrchr (path, '/');
        size_t at = slash ? (size_t) (slash + 1 - path) : 0;
        if (at + sizeof "fuota-fec" > size)
            return -1;
        memcpy (path + at, "fuota-fec", sizeof "fuota-fec");
    }
    return access (path, X_OK);
}

fuota_spawn_t *
fuota_spawn_new (const char *program, const char *endpoint, const char *parity,
    size_t count)
{
    fuota_spawn_t *self = zmalloc (sizeof *self);
    if (!self)
        return NULL;
    snprintf (self->program, sizeof self->program, "%s", program);
    snprintf (self->endpoint, sizeof self->endpoint, "%s", endpoint);
    snprintf (self->parity, sizeof self->parity, "%s", parity);
    self->count = count;
    self->epoll = epoll_create1 (EPOLL_CLOEXEC);
    self->children = zmalloc ((count + 1) * sizeof *self->children);
    if (self->epoll >= 0 && self->children)
        return self;
    if (self->epoll >= 0)
        close (self->epoll);
    free (self->children);
    free (self);
    return NULL;
}

static void
s_failed (s_child_t *child, int64_t now)
{
    int64_t wait = (int64_t) BACK_OFF
                   << (child->failures < 10 ? child->failures : 10);
    child->failures++;
    child->due = now + (wait < BACK_OFF_MAX ? wait : BACK_OFF_MAX);
}

//  The signals that we block are for us, not for what we start.
static int
s_run (const fuota_spawn_t *self, size_t i, pid_t *pid)
{
    char name [24], parent [24];
    snprintf (name, sizeof name, "local-%zu", i + 1);
    snprintf (parent, sizeof parent, "%ld", (long) getpid ());
    char *argv [] = { (char *) self->program, "--broker",
        (char *) self->endpoint, "--parity", (char *) self->parity, "--name",
        name, "--parent", parent, NULL };
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    sigemptyset (&none);
    sigemptyset (&defaults);
    sigaddset (&defaults, SIGTERM);
    sigaddset (&defaults, SIGINT);
    sigaddset (&defaults, SIGPIPE);
    posix_spawnattr_init (&attributes);
    posix_spawnattr_setsigmask (&attributes, &none);
    posix_spawnattr_setsigdefault (&attributes, &defaults);
    posix_spawnattr_setflags (&attributes,
        POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int rc = posix_spawn (pid, self->program, NULL, &attributes, argv, environ);
    posix_spawnattr_destroy (&attributes);
    return rc;
}

static void
s_start (fuota_spawn_t *self, size_t i, int64_t now)
{
    s_child_t *child = &self->children [i];
    int rc = s_run (self, i, &child->pid);
    if (!rc) {
        child->fd = pidfd_open (child->pid, 0);
        rc = child->fd < 0 ? errno : 0;
        if (rc) {
            kill (child->pid, SIGKILL);
            waitpid (child->pid, NULL, 0);
        }
    }
    if (rc) {
        zsys_error ("spawn: %s: %s", self->program, strerror (rc));
        child->pid = 0;
        s_failed (child, now);
        return;
    }
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = i };
    rc = epoll_ctl (self->epoll, EPOLL_CTL_ADD, child->fd, &event);
    assert (rc == 0);
    child->started = now;
    self->starts++;
}

void
fuota_spawn_tick (fuota_spawn_t *self, int64_t now)
{
    for (size_t i = 0; i < self->count; i++) {
        const s_child_t *child = &self->children [i];
        if (!child->pid && !child->retired && child->due <= now)
            s_start (self, i, now);
    }
}

int64_t
fuota_spawn_due (const fuota_spawn_t *self)
{
    int64_t due = INT64_MAX;
    for (size_t i = 0; i < self->count; i++) {
        const s_child_t *child = &self->children [i];
        if (!child->pid && !child->retired && child->due < due)
            due = child->due;
    }
    return due;
}

int
fuota_spawn_fd (const fuota_spawn_t *self)
{
    return self->epoll;
}

//  The one that ended within wait milliseconds, or NULL. A close alone does
//  not take a descriptor out of the set: what is being started beside us holds
//  a copy of it until its exec.
static s_child_t *
s_ended (fuota_spawn_t *self, int wait, int *status)
{
    struct epoll_event event;
    if (epoll_wait (self->epoll, &event, 1, wait) != 1)
        return NULL;
    s_child_t *child = &self->children [event.data.u64];
    int rc = epoll_ctl (self->epoll, EPOLL_CTL_DEL, child->fd, NULL);
    assert (rc == 0);
    close (child->fd);
    waitpid (child->pid, status, 0);
    return child;
}

uint32_t
fuota_spawn_reap (fuota_spawn_t *self, int64_t now)
{
    int status = 0;
    s_child_t *child = s_ended (self, 0, &status);
    if (!child)
        return 0;
    uint32_t pid = (uint32_t) child->pid;
    child->pid = 0;
    child->retired = WIFEXITED (status) && !WEXITSTATUS (status);
    if (now - child->started >= STEADY)
        child->failures = 0;
    s_failed (child, now);
    if (!child->retired)
        zsys_warning ("spawn: worker=local-%d ended %s=%d",
            (int) (child - self->children) + 1,
            WIFSIGNALED (status) ? "signal" : "status",
            WIFSIGNALED (status) ? WTERMSIG (status) : WEXITSTATUS (status));
    return pid;
}

size_t
fuota_spawn_running (const fuota_spawn_t *self, uint64_t *starts)
{
    size_t running = 0;
    for (size_t i = 0; i < self->count; i++)
        running += self->children [i].pid != 0;
    *starts = self->starts;
    return running;
}

static void
s_signal (const fuota_spawn_t *self, int signal)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->children [i].pid)
            kill (self->children [i].pid, signal);
}

void
fuota_spawn_destroy (fuota_spawn_t **self_p)
{
    fuota_spawn_t *self = *self_p;
    if (!self)
        return;
    uint64_t starts;
    s_signal (self, SIGTERM);
    int64_t until = zclock_mono () + PATIENCE;
    while (fuota_spawn_running (self, &starts)) {
        int64_t wait = until - zclock_mono ();
        if (wait <= 0) {
            s_signal (self, SIGKILL);
            wait = PATIENCE;
        }
        int status;
        s_child_t *child = s_ended (self, (int) wait, &status);
        if (child)
            child->pid = 0;  //  What ends now was told to
    }
    close (self->epoll);
    free (self->children);
    free (self);
    *self_p = NULL;
}
