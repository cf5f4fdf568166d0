//  SPDX-License-Identifier: MIT
//
//  Parts: binding; a request; what waits for the host; what is old; a
//  journal line; the pipe and the loop.

#include <openssl/rand.h>
#include "broker/clock.h"
#include "broker/control_actor.h"
#include "broker/control_host.h"
#include "broker/control_pool.h"
#include "broker/store.h"
#include "broker/summary.h"
#include "schema/hex.h"
#include "schema/record.h"
#include "workers/package/mckey.h"

#define TURN_MESSAGES 64
#define STORE_PATIENCE 30000  //  Milliseconds
#define EVENTS_KEPT 10000     //  For a subscriber that is slow
#define TIDY_EVERY 60000      //  Milliseconds between looks for what is old
#define WARN_EVERY 1000       //  At most one line in so many milliseconds

typedef struct {
    zsock_t *pipe;
    fuota_control_t *control;
    zsock_t *requests, *events;  //  Outer
    zsock_t *store, *deployments, *journal;
    fuota_control_host_t *host;
    uint64_t taken, malformed, told;
    int64_t warned, keep, tidied;
    bool terminated;
    fuota_turn_t turn;
    uint8_t reply [Reply_size];
} self_t;

//  ---------------------------------------------------------------------
//  Binding

static zsock_t *
s_bind (int type, const char *endpoint)
{
    zsock_t *sock = zsock_new (type);
    assert (sock);
    zsock_set_linger (sock, 100);
    zsock_set_maxmsgsize (sock, FUOTA_CONTROL_REQUEST_MAX);
    if (type == ZMQ_PUB)
        zsock_set_sndhwm (sock, EVENTS_KEPT);
    if (zsock_bind (sock, "%s", endpoint) < 0) {
        zsys_error ("control: bind %s: %s", endpoint, zmq_strerror (errno));
        zsock_destroy (&sock);
    }
    return sock;
}

int
fuota_control_bind (fuota_control_args_t *args, const char *control,
    const char *events)
{
    args->requests = s_bind (ZMQ_ROUTER, control);
    args->events = args->requests ? s_bind (ZMQ_PUB, events) : NULL;
    if (args->events)
        return 0;
    zsock_destroy (&args->requests);
    return -1;
}

//  ---------------------------------------------------------------------
//  A request

//  A REQ that was not answered can never send again: make another.
static void
s_connect_store (self_t *self)
{
    zsock_destroy (&self->store);
    self->store = zsock_new_req (">inproc://store");
    assert (self->store);
    zsock_set_linger (self->store, 0);
    zsock_set_rcvtimeo (self->store, STORE_PATIENCE);
}

//  Commit first, then tell, and only then answer.
static void
s_carry_out (self_t *self)
{
    fuota_turn_t *turn = &self->turn;
    if (turn->batch && fuota_store_commit (self->store, turn->batch)) {
        zsys_error ("control: commit: the store refused or did not answer");
        s_connect_store (self);
        fuota_control_failed (turn,
            "the store refused or did not answer; ask again with the same "
            "token");
        return;
    }
    fuota_control_pool_ask (turn);
    if (turn->op == FUOTA_OP_NONE)
        return;
    uint8_t op = (uint8_t) turn->op;
    zsock_send (self->deployments, "bbb", "C", (size_t) 1, &op, (size_t) 1,
        turn->id, (size_t) FUOTA_ID_SIZE);
    char id [2 * FUOTA_ID_SIZE + 1];
    fuota_hex (turn->id, FUOTA_ID_SIZE, id);
    static const char *const names [] = { "none", "created", "pause", "resume",
        "cancel" };
    zsys_info ("control: deployment=%s op=%s", id, names [op]);
}

static void
s_warn (self_t *self, int64_t now, const char *words)
{
    self->malformed++;
    if (now - self->warned < WARN_EVERY && now >= self->warned)
        return;
    self->warned = now;
    zsys_warning ("control: malformed=%llu %s",
        (unsigned long long) self->malformed, words);
}

//  Look at a request, for the first time or with what the host answered. What
//  it came to is in self->turn, carried out unless the host is asked first.
static void
s_decide (self_t *self, zframe_t *body, const fuota_known_t *known, int64_t now)
{
    uint8_t random [FUOTA_WISH_RANDOM];
    if (RAND_bytes (random, sizeof random) != 1)
        fuota_control_failed (&self->turn, "no random numbers to be had");
    else
        fuota_control_resume (self->control,
            fuota_slice (zframe_data (body), zframe_size (body)), known, now,
            random, &self->turn);
    fuota_mckey_wipe (random, sizeof random);
    if (self->turn.reply.status == FUOTA_MALFORMED)
        s_warn (self, now, self->turn.reply.words);
    if (!self->turn.asks)
        s_carry_out (self);
}

static void
s_refuse (self_t *self, ReplyStatus status, const char *words)
{
    fuota_control_failed (&self->turn, words);
    self->turn.reply.status = status;
}

static void
s_reply (self_t *self, zframe_t **peer_p, bool req)
{
    size_t size = fuota_control_encode (&self->turn.reply, self->reply,
        sizeof self->reply);
    zframe_send (peer_p, self->requests, ZFRAME_MORE);
    if (req)
        zsock_send (self->requests, "zb", self->reply, size);
    else
        zsock_send (self->requests, "b", self->reply, size);
}

//  A request alone in its message: answered now, unless the host is asked, or
//  an earlier one of its client still waits.
static void
s_request (self_t *self, zframe_t **peer_p, zframe_t **body_p, bool req,
    int64_t now)
{
    bool held = fuota_control_host_holds (self->host, *peer_p);
    self->taken++;
    if (!held)
        s_decide (self, *body_p, NULL, now);
    if (held || self->turn.asks) {
        fuota_control_wait_t *wait =
            fuota_control_host_keep (self->host, peer_p, body_p, req);
        if (wait && !held)
            fuota_control_host_ask (self->host, wait, &self->turn.question);
        if (wait)
            return;
        s_refuse (self, FUOTA_NOT_NOW,
            "too many requests wait for the host already");
    }
    s_reply (self, peer_p, req);
}

//  Frames: peer, an empty one if the client is a REQ, the Request.
static void
s_handle_request (self_t *self, int64_t now)
{
    zmsg_t *msg = zmsg_recv (self->requests);
    if (!msg)
        return;  //  Interrupted
    zframe_t *peer = zmsg_pop (msg), *body = zmsg_pop (msg);
    bool req = body && zframe_size (body) == 0 && zmsg_size (msg) > 0;
    if (req) {
        zframe_destroy (&body);
        body = zmsg_pop (msg);
    }
    if (body && zmsg_size (msg) == 0)
        s_request (self, &peer, &body, req, now);
    else if (body) {
        self->taken++;
        s_refuse (self, FUOTA_MALFORMED,
            "message: several frames; allowed one, a Request");
        s_warn (self, now, self->turn.reply.words);
        s_reply (self, &peer, req);
    }
    zframe_destroy (&peer);
    zframe_destroy (&body);
    zmsg_destroy (&msg);
}

//  ---------------------------------------------------------------------
//  What waits for the host

//  Go on with a request that was kept.
static void
s_go_on (self_t *self, fuota_control_wait_t *wait, int64_t now)
{
    s_decide (self, wait->body, wait->held ? NULL : &wait->known, now);
    if (self->turn.asks)
        fuota_control_host_ask (self->host, wait, &self->turn.question);
    else {
        s_reply (self, &wait->peer, wait->req);
        fuota_control_host_done (self->host, wait);
    }
}

static bool
s_handle_answer (self_t *self, int64_t now)
{
    unsigned malformed = 0;
    bool some = fuota_control_host_hear (self->host, &malformed);
    if (malformed)
        s_warn (self, now, "answer of the host");
    fuota_control_wait_t *wait = fuota_control_host_next (self->host);
    if (wait)
        s_go_on (self, wait, now);
    return some || wait;
}

//  ---------------------------------------------------------------------
//  What is old

static int
s_until_tidy (const self_t *self)
{
    int64_t wait = self->tidied + TIDY_EVERY - zclock_mono ();
    return !self->keep ? -1 : wait > 0 ? (int) wait : 0;
}

//  One piece a turn: nobody who asks meanwhile waits long.
static void
s_tidy (self_t *self, int64_t now)
{
    if (s_until_tidy (self))
        return;
    if (!fuota_control_expire (self->control, now - self->keep, &self->turn))
        self->tidied = zclock_mono ();
    else if (fuota_store_commit (self->store, self->turn.batch)) {
        zsys_error ("control: tidying: the store refused or did not answer");
        s_connect_store (self);
        self->tidied = zclock_mono ();
    }
}

//  ---------------------------------------------------------------------
//  A journal line, or one of the pool's, which is of no deployment

static void
s_handle_line (self_t *self)
{
    zframe_t *frame = zframe_recv (self->journal);
    if (!frame)
        return;
    fuota_slice_t bytes =
        fuota_slice (zframe_data (frame), zframe_size (frame));
    fuota_line_t line;
    //  From our own store: what it commits can be read
    int rc = fuota_record_decode (JournalLine_fields, &line, bytes);
    assert (rc == 0);
    static const uint8_t nobody [FUOTA_ID_SIZE];
    bool pool = !memcmp (line.deployment, nobody, FUOTA_ID_SIZE);
    char id [2 * FUOTA_ID_SIZE + 1], topic [80];
    fuota_hex (line.deployment, FUOTA_ID_SIZE, id);
    if (pool)
        snprintf (topic, sizeof topic, "pool/%s", line.what);
    else
        snprintf (topic, sizeof topic, "deployment/%s/%s", id, line.what);
    zsock_send (self->events, "sb", topic, bytes.data, bytes.size);
    if (!line.dev_eui && !pool)
        zsys_info ("control: deployment=%s %s=%s%s%s", id, line.what, line.name,
            *line.words ? " words=" : "", line.words);
    self->told++;
    zframe_destroy (&frame);
}

//  ---------------------------------------------------------------------
//  The pipe and the loop

static int
s_wait (const self_t *self)
{
    int host = fuota_control_host_wait (self->host);
    int tidy = s_until_tidy (self);
    return host < 0 || (tidy >= 0 && tidy < host) ? tidy : host;
}

static void
s_handle_pipe (self_t *self)
{
    char *command = zstr_recv (self->pipe);
    if (!command)
        return;  //  Interrupted
    if (streq (command, "STATS"))
        zsock_send (self->pipe, "s888", "STATS", self->taken, self->malformed,
            self->told);
    else if (streq (command, "$TERM"))
        self->terminated = true;
    else
        assert (false);
    zstr_free (&command);
}

static void
s_start (self_t *self, zsock_t *pipe, const fuota_control_args_t *args)
{
    self->pipe = pipe;
    self->control = args->control;
    self->requests = args->requests;
    self->events = args->events;
    self->keep = args->keep;
    self->tidied = zclock_mono () - TIDY_EVERY;
    self->deployments = zsock_new_push (">inproc://deployments");
    self->journal =
        zsock_new_sub (">inproc://journal,>inproc://pool-lines", "");
    assert (self->deployments && self->journal);
    zsock_set_linger (self->deployments, 0);
    zsock_set_rcvhwm (self->journal, 100000);
    self->host = fuota_control_host_new (args->host);
    s_connect_store (self);
}

static void
s_stop (self_t *self)
{
    zsock_destroy (&self->requests);
    zsock_destroy (&self->events);
    zsock_destroy (&self->deployments);
    zsock_destroy (&self->journal);
    zsock_destroy (&self->store);
    fuota_control_host_destroy (&self->host);
    fuota_control_destroy (&self->control);
}

//  Some of each, so that neither side starves the other or the pipe.
static void
s_turn (self_t *self)
{
    int64_t now = fuota_clock_now ();
    for (int i = 0; i < TURN_MESSAGES; i++) {
        bool idle = true;
        if (zsock_events (self->journal) & ZMQ_POLLIN) {
            s_handle_line (self);
            idle = false;
        }
        if (zsock_events (self->requests) & ZMQ_POLLIN) {
            s_handle_request (self, now);
            idle = false;
        }
        if (s_handle_answer (self, now))
            idle = false;
        if (idle)
            break;
    }
}

void
fuota_control_actor (zsock_t *pipe, void *args)
{
    self_t *self = zmalloc (sizeof *self);
    assert (self);
    s_start (self, pipe, args);
    zsock_t *host = fuota_control_host_sock (self->host);
    zpoller_t *poller =
        zpoller_new (pipe, self->requests, self->journal, host, NULL);
    assert (poller);
    zsock_signal (pipe, 0);  //  Ready: zactor_new returns now
    while (!self->terminated) {
        void *which = zpoller_wait (poller, s_wait (self));
        if (which == pipe)
            s_handle_pipe (self);
        else if (zpoller_terminated (poller))
            break;  //  Interrupted
        s_turn (self);
        s_tidy (self, fuota_clock_now ());
    }
    zpoller_destroy (&poller);
    s_stop (self);
    free (self);
    fuota_mckey_thread_end ();
}
