//  SPDX-License-Identifier: MIT
//
//  Parts: messages in; blocks and checks; effects; requests from inside; the
//  pipe and the loop.

#include "broker/clock.h"
#include "broker/pool_actor.h"
#include "broker/pool_want.h"
#include "schema/record.h"
#include "workers/package/mckey.h"

#define TURN 64
#define STRIDE 8
#define LOOK 60000  //  Milliseconds: lines of the journal may be lost
#define WARN_EVERY 1000
#define MONITOR "inproc://pool-strangers"

typedef struct {
    fuota_pool_args_t args;
    fuota_pool_want_t want;
    zsock_t *pipe, *doors [FUOTA_POOL_DOORS], *inbox, *journal, *strangers;
    zsock_t *lines;  //  PUB, for the events socket
    zpoller_t *poller;
    int children;  //  Descriptor of the spawn
    uint64_t malformed, refused;
    int64_t warned, looked;
    //  Far blocks of this turn, in the messages they came in
    zmsg_t *messages [TURN];
    fuota_parity_key_t keys [TURN];
    fuota_parity_block_t blocks [TURN];
    size_t count;
    uint64_t bits [(FUOTA_FEC_LAST_N + 63) / 64];
    bool terminated;
} self_t;

zsock_t *
fuota_pool_door (void)
{
    zsock_t *sock = zsock_new (ZMQ_ROUTER);
    assert (sock);
    zsock_set_linger (sock, 100);
    zsock_set_maxmsgsize (sock, FUOTA_FEC_MESSAGE_MAX);
    return sock;
}

static void
s_warn (self_t *self, const char *what, uint64_t count)
{
    int64_t now = zclock_mono ();
    if (now - self->warned < WARN_EVERY)
        return;
    self->warned = now;
    zsys_warning ("pool: %s=%llu", what, (unsigned long long) count);
}

//  ---------------------------------------------------------------------
//  Blocks and checks

static void
s_commit (self_t *self)
{
    if (self->count &&
        fuota_parity_put (self->args.parity, self->blocks, self->count))
        zsys_error ("pool: %zu blocks lost: %s", self->count,
            fuota_parity_error (self->args.parity));
    self->count = 0;
}

//  Blocks in the environment (a near worker's), or one in the message.
static bool
s_right (self_t *self, const fuota_pool_effect_t *check)
{
    fuota_slice_t image, rows = check->rows;
    fuota_view_t *view = fuota_parity_view (self->args.parity);
    bool good = view && !fuota_view_image (view, check->key.image, &image);
    //  Of a run that a near worker committed, every STRIDEth block, from a
    //  random one on; each block of a far one
    uint32_t stride = check->rows.size ? 1 : STRIDE;
    uint32_t from =
        (uint32_t) (check->salt %
                    (check->count < stride ? check->count : stride));
    for (uint32_t i = from; good && i < check->count; i += stride) {
        uint32_t block = check->first + i;
        good = (check->rows.size ||
                   !fuota_view_block (view, &check->key, block, &rows)) &&
               fuota_pool_check_row (image, &check->key, block, rows,
                   check->salt, self->bits);
    }
    fuota_view_end (&view);
    return good;
}

//  An image that went meanwhile makes nobody a liar.
static bool
s_has_image (self_t *self, const uint8_t *sha256)
{
    fuota_slice_t image;
    fuota_view_t *view = fuota_parity_view (self->args.parity);
    bool has = view && !fuota_view_image (view, sha256, &image);
    fuota_view_end (&view);
    return has;
}

static void
s_check (self_t *self, const fuota_pool_effect_t *check)
{
    bool good = s_right (self, check);
    if (!good && !s_has_image (self, check->key.image))
        fuota_pool_forget (self->args.pool, check->key.image);
    else {
        if (good && check->rows.size) {
            self->keys [self->count] = check->key;
            self->blocks [self->count] =
                (fuota_parity_block_t){ &self->keys [self->count], check->first,
                    check->rows };
            self->count++;
        }
        else if (!good && !check->rows.size)
            //  It stands in the environment already: nobody may send it
            fuota_parity_drop (self->args.parity, &check->key, check->first,
                check->count);
        fuota_pool_checked (self->args.pool, check, good, zclock_mono ());
    }
}

//  ---------------------------------------------------------------------
//  Effects

static void
s_send (self_t *self, const fuota_pool_effect_t *effect)
{
    uint8_t body [FUOTA_FEC_BODY_MAX];
    uint8_t kind = (uint8_t) effect->message.kind;
    size_t size = fuota_fec_message_encode (&effect->message, body);
    zsock_t *door = self->doors [effect->peer.door];
    fuota_view_t *view = NULL;
    fuota_slice_t image, part = { NULL, 0 };
    bool has_part = kind == FUOTA_FEC_PART;
    if (has_part && effect->size) {
        const ImagePart *wanted = &effect->message.as.part;
        view = fuota_parity_view (self->args.parity);
        if (view && !fuota_view_image (view, wanted->image, &image) &&
            wanted->at + effect->size <= image.size)
            part = fuota_slice (image.data + wanted->at, effect->size);
    }
    //  A ROUTER drops what is for a peer that has gone
    void *sock = zsock_resolve (door);
    int flags = ZMQ_DONTWAIT | ZMQ_SNDMORE;
    if (zmq_send (sock, effect->peer.id, effect->peer.size, flags) >= 0 &&
        zmq_send (sock, &kind, 1, flags) >= 0 &&
        zmq_send (sock, body, size, has_part ? flags : ZMQ_DONTWAIT) >= 0 &&
        has_part)
        zmq_send (sock, part.data, part.size, ZMQ_DONTWAIT);
    fuota_view_end (&view);
}

//  For the log, and for who follows events.
static void
s_tell (self_t *self, const char *words)
{
    fuota_line_t line = { .at = fuota_clock_now (), .what = "worker" };
    uint8_t bytes [FUOTA_RECORD_MAX];
    zsys_warning ("pool: %s", words);
    snprintf (line.words, sizeof line.words, "%.96s", words);
    size_t size =
        fuota_record_encode (JournalLine_fields, &line, bytes, sizeof bytes);
    zsock_send (self->lines, "b", bytes, size);
}

//  All that the pool wants done now.
static void
s_carry_out (self_t *self)
{
    fuota_pool_effect_t effect;
    while (fuota_pool_next (self->args.pool, &effect))
        switch (effect.kind) {
            case FUOTA_POOL_SEND:
                s_send (self, &effect);
                break;
            case FUOTA_POOL_CHECK:
                s_check (self, &effect);
                break;
            case FUOTA_POOL_MISSING:
                fuota_pool_want_missing (&self->want, &effect.key,
                    fuota_clock_now ());
                break;
            case FUOTA_POOL_TELL:
                s_tell (self, effect.words);
        }
}

//  ---------------------------------------------------------------------
//  Messages in

//  Frames: peer, kind, body, and perhaps data.
static bool
s_decode (zmsg_t *msg, unsigned door, fuota_peer_t *peer, const char **user,
    fuota_fec_message_t *message)
{
    fuota_slice_t frames [4];
    size_t count = 0;
    zframe_t *id = zmsg_first (msg), *first = zmsg_next (msg);
    for (zframe_t *frame = first; frame && count < 4; frame = zmsg_next (msg))
        frames [count++] =
            fuota_slice (zframe_data (frame), zframe_size (frame));
    if (!id || zframe_size (id) > sizeof peer->id ||
        fuota_fec_message_decode (frames, count, message))
        return false;
    *peer = (fuota_peer_t){ .door = (uint8_t) door,
        .size = (uint8_t) zframe_size (id) };
    memcpy (peer->id, zframe_data (id), zframe_size (id));
    //  The id's own frame has no properties if the socket was looked at before
    *user = door == FUOTA_POOL_FAR ? zframe_meta (first, "User-Id") : NULL;
    //  Only who is on this host can share its memory
    if (message->kind == FUOTA_FEC_HELLO && door == FUOTA_POOL_FAR)
        message->as.hello.near = false;
    return true;
}

static void
s_take (self_t *self, unsigned door, unsigned turn)
{
    fuota_peer_t peer;
    fuota_fec_message_t message;
    const char *user = NULL;
    zmsg_t *msg = zmsg_recv (self->doors [door]);
    self->messages [turn] = msg;  //  Until its blocks are committed
    if (!msg)
        return;
    if (s_decode (msg, door, &peer, &user, &message))
        fuota_pool_take (self->args.pool, &peer, user, &message,
            zclock_mono ());
    else
        s_warn (self, "malformed", ++self->malformed);
    s_carry_out (self);
}

static void
s_turn (self_t *self, unsigned door)
{
    unsigned count = 0;
    if (!self->doors [door])
        return;
    while (count < TURN && zsock_events (self->doors [door]) & ZMQ_POLLIN)
        s_take (self, door, count++);
    s_commit (self);
    for (unsigned i = 0; i < count; i++)
        zmsg_destroy (&self->messages [i]);
}

static void
s_stranger (self_t *self)
{
    zmsg_t *msg = zmsg_recv (self->strangers);
    zmsg_destroy (&msg);
    s_warn (self, "strangers refused", ++self->refused);
}

static void
s_line (self_t *self)
{
    zframe_t *frame = zframe_recv (self->journal);
    if (!frame)
        return;
    fuota_line_t line;
    int rc = fuota_record_decode (JournalLine_fields, &line,
        fuota_slice (zframe_data (frame), zframe_size (frame)));
    assert (rc == 0);  //  From our own store
    if (streq (line.what, "phase") || streq (line.what, "round"))
        fuota_pool_want_deployment (&self->want, line.deployment,
            fuota_clock_now ());
    zframe_destroy (&frame);
}

//  ---------------------------------------------------------------------
//  Requests from inside

static void
s_pool_line (self_t *self, PoolLine *line)
{
    fuota_pool_stats_t stats;
    fuota_pool_stats (self->args.pool, &stats);
    *line = (PoolLine){ .workers = (uint32_t) stats.workers,
        .jobs = (uint32_t) stats.jobs,
        .leases = (uint32_t) stats.leases,
        .waiting = stats.waiting,
        .wanted = stats.wanted,
        .done = stats.done,
        .late = stats.late,
        .returned = stats.returned,
        .wrong = stats.wrong,
        .quarantined = stats.quarantined,
        .malformed = self->malformed,
        .strangers = self->refused,
        .used = fuota_parity_used (self->args.parity),
        .room = self->args.limit,
        .refused = self->want.refused };
}

static void
s_add_record (zmsg_t *msg, const pb_msgdesc_t *fields, const void *record)
{
    uint8_t bytes [FUOTA_RECORD_MAX];
    size_t size = fuota_record_encode (fields, record, bytes, sizeof bytes);
    zmsg_addmem (msg, bytes, size);
}

static void
s_workers (self_t *self, zmsg_t *reply)
{
    fuota_pool_worker_t worker;
    PoolLine pool;
    s_pool_line (self, &pool);
    s_add_record (reply, PoolLine_fields, &pool);
    int64_t now = zclock_mono ();
    for (size_t i = 0; fuota_pool_worker (self->args.pool, i, now, &worker);
         i++) {
        WorkerLine line = { .cores = worker.cores,
            .slots = worker.slots,
            .leases = worker.leases,
            .near = worker.near,
            .draining = worker.draining,
            .blocks = worker.blocks,
            .errors = worker.errors,
            .rate = worker.rate,
            .seen = (uint32_t) worker.seen,
            .left = (uint32_t) worker.left };
        memcpy (line.name, worker.name, sizeof line.name);
        memcpy (line.host, worker.host, sizeof line.host);
        memcpy (line.kernel, worker.kernel, sizeof line.kernel);
        memcpy (line.identity, worker.identity, sizeof line.identity);
        memcpy (line.why, worker.why, sizeof line.why);
        s_add_record (reply, WorkerLine_fields, &line);
    }
}

static uint32_t
s_pop_number (zmsg_t *msg)
{
    char *text = zmsg_popstr (msg);
    uint32_t number = text ? (uint32_t) strtoul (text, NULL, 10) : 0;
    zstr_free (&text);
    return number;
}

static const char *
s_image (self_t *self, zmsg_t *msg)
{
    zframe_t *sha256 = zmsg_pop (msg);
    fuota_image_t image;
    fuota_parity_key_t key = { .image_size = 0 };
    key.frag_size = s_pop_number (msg);
    key.rule = s_pop_number (msg);
    uint32_t rows = s_pop_number (msg);
    assert (sha256 && zframe_size (sha256) == 32);
    memcpy (key.image, zframe_data (sha256), 32);
    zframe_destroy (&sha256);
    fuota_key_t name = fuota_key_bytes (key.image, 32);
    int rc = fuota_read_renew (self->want.read);
    if (!rc)
        rc = fuota_read_record (self->want.read, FUOTA_TABLE_IMAGE, &name,
            Image_fields, &image);
    fuota_read_reset (self->want.read);
    if (rc)
        return "no such image";
    key.image_size = image.size;
    if (!fuota_parity_valid (&key) || !rows || rows > fuota_parity_rows (&key))
        return "these sizes do not fit the image";
    rc = fuota_pool_want_run (&self->want, &key, 0,
        (rows + FUOTA_FEC_BLOCK_ROWS - 1) / FUOTA_FEC_BLOCK_ROWS,
        FUOTA_POOL_LATER, fuota_clock_now ());
    return !rc                 ? ""
           : rc == FUOTA_EFULL ? "no room in the parity environment"
                               : "the parity environment failed";
}

static void
s_request (self_t *self)
{
    zmsg_t *msg = zmsg_recv (self->inbox), *reply = zmsg_new ();
    if (!msg)
        return;
    zframe_t *peer = zmsg_unwrap (msg);
    char *command = zmsg_popstr (msg);
    if (streq (command, "WORKERS"))
        s_workers (self, reply);
    else if (streq (command, "DRAIN")) {
        char *name = zmsg_popstr (msg);
        size_t count = fuota_pool_drain (self->args.pool, name ? name : "");
        zmsg_addstrf (reply, "%zu", count);
        zstr_free (&name);
    }
    else if (streq (command, "IMAGE"))
        zmsg_addstr (reply, s_image (self, msg));
    else
        assert (false);
    zmsg_wrap (reply, peer);
    zmsg_send (&reply, self->inbox);
    zstr_free (&command);
    zmsg_destroy (&msg);
}

//  ---------------------------------------------------------------------
//  The pipe and the loop

static void
s_handle_pipe (self_t *self)
{
    char *command = zstr_recv (self->pipe);
    if (!command)
        return;
    if (streq (command, "STATS")) {
        PoolLine line;
        zmsg_t *reply = zmsg_new ();
        s_pool_line (self, &line);
        zmsg_addstr (reply, "STATS");
        s_add_record (reply, PoolLine_fields, &line);
        zmsg_send (&reply, self->pipe);
    }
    else if (streq (command, "$TERM"))
        self->terminated = true;
    else
        assert (false);
    zstr_free (&command);
}

static void
s_children (self_t *self)
{
    uint32_t pid;
    if (!self->args.spawn)
        return;
    int64_t now = zclock_mono ();
    while ((pid = fuota_spawn_reap (self->args.spawn, now))) {
        fuota_pool_gone (self->args.pool, pid, now);
        fuota_parity_sweep (self->args.parity);
    }
    fuota_spawn_tick (self->args.spawn, now);
}

//  Who is refused at the door is seen by a monitor only.
static void
s_watch_strangers (self_t *self)
{
    int rc = zmq_socket_monitor (zsock_resolve (self->doors [FUOTA_POOL_FAR]),
        MONITOR,
        ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
            ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL);
    assert (rc == 0);
    self->strangers = zsock_new_pair (">" MONITOR);
    assert (self->strangers);
    zpoller_add (self->poller, self->strangers);
}

static void
s_start (self_t *self, zsock_t *pipe, const fuota_pool_args_t *args)
{
    self->args = *args;
    self->pipe = pipe;
    self->doors [FUOTA_POOL_NEAR] = args->near;
    self->doors [FUOTA_POOL_FAR] = args->far;
    self->want = (fuota_pool_want_t){ .pool = args->pool,
        .db = args->db,
        .read = fuota_db_read (args->db),
        .parity = args->parity,
        .limit = args->limit };
    self->inbox = zsock_new_router ("@inproc://pool");
    self->journal = zsock_new_sub (">inproc://journal", "");
    self->lines = zsock_new_pub ("@inproc://pool-lines");
    assert (self->want.read && self->inbox && self->journal && self->lines);
    fuota_read_reset (self->want.read);
    zsock_set_rcvhwm (self->journal, 100000);
    self->poller = zpoller_new (pipe, self->inbox, self->journal, NULL);
    assert (self->poller);
    for (unsigned i = 0; i < FUOTA_POOL_DOORS; i++)
        if (self->doors [i])
            zpoller_add (self->poller, self->doors [i]);
    if (self->doors [FUOTA_POOL_FAR])
        s_watch_strangers (self);
    if (args->spawn) {
        self->children = fuota_spawn_fd (args->spawn);
        zpoller_add (self->poller, &self->children);
    }
}

static void
s_stop (self_t *self)
{
    //  With the doors still open, so that workers can say goodbye
    fuota_spawn_destroy (&self->args.spawn);
    if (self->strangers)
        zmq_socket_monitor (zsock_resolve (self->doors [FUOTA_POOL_FAR]), NULL,
            0);
    zpoller_destroy (&self->poller);
    zsock_destroy (&self->strangers);
    zsock_unbind (self->inbox, "inproc://pool");  //  At once: its name is free
    zsock_destroy (&self->inbox);
    zsock_destroy (&self->journal);
    zsock_unbind (self->lines, "inproc://pool-lines");
    zsock_destroy (&self->lines);
    for (unsigned i = 0; i < FUOTA_POOL_DOORS; i++)
        zsock_destroy (&self->doors [i]);
    fuota_read_end (&self->want.read);
    fuota_pool_destroy (&self->args.pool);
}

static int
s_wait (const self_t *self)
{
    int64_t now = zclock_mono (), due = self->looked + LOOK;
    int64_t pool = fuota_pool_due (self->args.pool);
    int64_t spawn =
        self->args.spawn ? fuota_spawn_due (self->args.spawn) : INT64_MAX;
    due = pool < due ? pool : due;
    due = spawn < due ? spawn : due;
    return due > now ? (int) (due - now) : 0;
}

static void
s_look (self_t *self)
{
    int64_t now = zclock_mono ();
    if (self->looked && now - self->looked < LOOK)
        return;
    self->looked = now;
    fuota_parity_sweep (self->args.parity);
    fuota_pool_want_all (&self->want, fuota_clock_now ());
}

void
fuota_pool_actor (zsock_t *pipe, void *args)
{
    self_t *self = zmalloc (sizeof *self);
    assert (self);
    s_start (self, pipe, args);
    zsock_signal (pipe, 0);
    while (!self->terminated) {
        s_look (self);
        s_children (self);
        fuota_pool_tick (self->args.pool, zclock_mono ());
        s_carry_out (self);
        void *which = zpoller_wait (self->poller, s_wait (self));
        if (which == pipe)
            s_handle_pipe (self);
        else if (!which && zpoller_terminated (self->poller))
            break;
        for (unsigned i = 0;
             i < TURN && zsock_events (self->journal) & ZMQ_POLLIN; i++)
            s_line (self);
        if (zsock_events (self->inbox) & ZMQ_POLLIN)
            s_request (self);
        if (self->strangers && zsock_events (self->strangers) & ZMQ_POLLIN)
            s_stranger (self);
        for (unsigned i = 0; i < FUOTA_POOL_DOORS; i++)
            s_turn (self, i);
    }
    s_stop (self);
    free (self);
    fuota_mckey_thread_end ();
}
