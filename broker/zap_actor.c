//  SPDX-License-Identifier: MIT

#include "broker/zap_actor.h"

#define ENDPOINT "inproc://zeromq.zap.01"
#define DOORS 4
#define FRAMES 7  //  Of a request with CURVE: version to client key
#define TELL 1000

typedef struct {
    char domain [16];
    zcertstore_t *keys;
} s_door_t;

typedef struct {
    zsock_t *pipe, *asked;
    s_door_t doors [DOORS];
    size_t door_count;
    uint64_t refused, told;
    int64_t tell_at;
    bool terminated;
} self_t;

static s_door_t *
s_door (self_t *self, const char *domain)
{
    for (size_t i = 0; i < self->door_count; i++)
        if (streq (self->doors [i].domain, domain))
            return &self->doors [i];
    return NULL;
}

//  The client's key as text, empty if that is none.
static void
s_key (zframe_t *key, char text [41])
{
    *text = 0;
    if (zframe_size (key) == 32)
        zmq_z85_encode (text, zframe_data (key), 32);
}

static void
s_tell (self_t *self, const char *domain, const char *address)
{
    int64_t now = zclock_mono ();
    self->refused++;
    if (now < self->tell_at)
        return;
    zsys_warning ("security: a key that is not admitted: door=%s address=%s "
                  "refused=%llu",
        domain, address, (unsigned long long) (self->refused - self->told));
    self->told = self->refused;
    self->tell_at = now + TELL;
}

//  version, request id, domain, address, identity, mechanism, key
static void
s_request (self_t *self)
{
    char text [41] = "";
    zmsg_t *msg = zmsg_recv (self->asked);
    if (!msg)
        return;
    size_t count = zmsg_size (msg);
    zframe_t *frames [FRAMES] = { NULL };
    for (size_t i = 0; i < FRAMES && i < count; i++)
        frames [i] = i ? zmsg_next (msg) : zmsg_first (msg);
    //  libzmq asks, nobody else can
    assert (count >= FRAMES - 1);
    char *domain = zframe_strdup (frames [2]);
    char *address = zframe_strdup (frames [3]);
    s_door_t *door = s_door (self, domain);
    if (door && count == FRAMES && zframe_streq (frames [5], "CURVE"))
        s_key (frames [6], text);
    bool good = *text && zcertstore_lookup (door->keys, text);
    if (!good)
        s_tell (self, domain, address);
    zsock_send (self->asked, "sfssss", "1.0", frames [1], good ? "200" : "400",
        good ? "OK" : "No access", good ? text : "", "");
    freen (domain);
    freen (address);
    zmsg_destroy (&msg);
}

static void
s_admit (self_t *self, zmsg_t *msg)
{
    char *domain = zmsg_popstr (msg);
    char *folder = zmsg_popstr (msg);
    assert (domain && folder && strlen (domain) < sizeof (self->doors->domain));
    s_door_t *door = s_door (self, domain);
    if (!door) {
        assert (self->door_count < DOORS);
        door = &self->doors [self->door_count++];
        strcpy (door->domain, domain);
    }
    zcertstore_destroy (&door->keys);
    door->keys = zcertstore_new (folder);
    assert (door->keys);
    freen (domain);
    freen (folder);
    zsock_signal (self->pipe, 0);
}

static void
s_handle_pipe (self_t *self)
{
    zmsg_t *msg = zmsg_recv (self->pipe);
    if (!msg)
        return;
    char *command = zmsg_popstr (msg);
    if (streq (command, "ADMIT"))
        s_admit (self, msg);
    else if (streq (command, "$TERM"))
        self->terminated = true;
    else
        assert (false);
    freen (command);
    zmsg_destroy (&msg);
}

void
fuota_zap_actor (zsock_t *pipe, void *args)
{
    (void) args;
    self_t self = { .pipe = pipe, .asked = zsock_new (ZMQ_REP) };
    assert (self.asked);
    int rc = zsock_bind (self.asked, ENDPOINT);
    assert (rc == 0);
    zpoller_t *poller = zpoller_new (pipe, self.asked, NULL);
    assert (poller);
    zsock_signal (pipe, 0);
    while (!self.terminated) {
        void *which = zpoller_wait (poller, -1);
        if (which == pipe)
            s_handle_pipe (&self);
        else if (which == self.asked)
            s_request (&self);
        else if (zpoller_terminated (poller))
            break;
    }
    zpoller_destroy (&poller);
    //  The name is free at once for who comes next
    zsock_unbind (self.asked, ENDPOINT);
    zsock_destroy (&self.asked);
    for (size_t i = 0; i < self.door_count; i++)
        zcertstore_destroy (&self.doors [i].keys);
}
