//  SPDX-License-Identifier: MIT
//
//  fuota-fec - one core that computes coded fragments: one socket, one loop.
//
//  Parts: the socket and its keys; messages; computing; the loop; the bench.

#include <czmq.h>
#include <openssl/rand.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/utsname.h>
#include "fec_worker/fec_bench.h"
#include "fec_worker/fec_options.h"
#include "fec_worker/job.h"
#include "fec_worker/rows.h"
#include "fec_worker/source.h"

#define TURN 64
#define BUFFER (8u << 20)  //  Rows computed and not yet flushed
#define FAR_BLOCKS 32      //  Of a far one, computed before they are sent
#define GATHER 20          //  Milliseconds of computing before a flush
#define PREFETCH 4         //  Leases whose images are asked for ahead
#define SEND_PATIENCE 2000

enum { EXIT_GONE = 0, EXIT_FAULT = 1, EXIT_USAGE = 2 };

typedef struct {
    fuota_fec_options_t options;
    fuota_job_t job;
    fuota_source_t *source;
    zsock_t *sock;
    zcert_t *cert;
    char server_key [41];
    uint8_t *rows, *scratch;
    size_t rows_used, scratch_size;
    uint32_t partial;   //  Blocks of the first lease delivered already
    uint64_t work;      //  Microseconds they took
    int64_t unflushed;  //  Since when rows wait; 0: none
    uint64_t malformed;
    int64_t warned;
} self_t;

//  ---------------------------------------------------------------------
//  The socket and its keys

static int
s_server_key (self_t *self)
{
    const char *given = self->options.server_key;
    if (!*given && self->cert)
        given = zcert_meta (self->cert, "server");
    if (!given || !*given) {
        zsys_error ("fec: no server key: --server-key, or \"server\" in the "
                    "metadata of our key's file");
        return -1;
    }
    zcert_t *server = zsys_file_exists (given) ? zcert_load (given) : NULL;
    const char *text = server ? zcert_public_txt (server) : given;
    int rc = strlen (text) == 40 ? 0 : -1;
    if (rc)
        zsys_error ("fec: server key: neither a file of keys nor 40 letters");
    else
        memcpy (self->server_key, text, 41);
    zcert_destroy (&server);
    return rc;
}

//  A tcp endpoint without keys would be refused by any broker; ours too, so
//  that nobody wonders.
static int
s_keys (self_t *self)
{
    bool far = !strncmp (self->options.broker, "tcp://", 6);
    if (!far)
        return 0;
    if (!*self->options.key) {
        zsys_error ("fec: --key is needed for %s", self->options.broker);
        return -1;
    }
    self->cert = zcert_load (self->options.key);
    if (!self->cert || !strncmp (zcert_secret_txt (self->cert), "00000", 5)) {
        zsys_error ("fec: %s: not a file with a secret key", self->options.key);
        return -1;
    }
    return s_server_key (self);
}

static int
s_connect (self_t *self)
{
    zsock_destroy (&self->sock);
    self->sock = zsock_new (ZMQ_DEALER);
    assert (self->sock);
    zsock_set_linger (self->sock, 0);
    zsock_set_sndtimeo (self->sock, SEND_PATIENCE);
    zsock_set_maxmsgsize (self->sock, FUOTA_FEC_MESSAGE_MAX);
    //  We connect anew ourselves, with back-off; this is for a first one
    zsock_set_reconnect_ivl (self->sock, 200);
    zsock_set_reconnect_ivl_max (self->sock, 5000);
    if (self->cert) {
        zcert_apply (self->cert, self->sock);
        zsock_set_curve_serverkey (self->sock, self->server_key);
    }
    if (zsock_connect (self->sock, "%s", self->options.broker)) {
        zsys_error ("fec: %s: %s", self->options.broker, zmq_strerror (errno));
        return -1;
    }
    fuota_job_connect (&self->job, zclock_mono ());
    self->source->connect (self->source);
    self->rows_used = self->partial = 0;
    self->work = 0;
    self->unflushed = 0;
    return 0;
}

//  ---------------------------------------------------------------------
//  Messages

static int
s_send (void *arg, const fuota_fec_message_t *message)
{
    self_t *self = arg;
    uint8_t body [FUOTA_FEC_BODY_MAX], kind = (uint8_t) message->kind;
    size_t size = fuota_fec_message_encode (message, body);
    bool data = message->kind == FUOTA_FEC_BLOCK;
    void *sock = zsock_resolve (self->sock);
    if (zmq_send (sock, &kind, 1, ZMQ_SNDMORE) < 0 ||
        zmq_send (sock, body, size, data ? ZMQ_SNDMORE : 0) < 0)
        return -1;
    return data && zmq_send (sock, message->data.data, message->data.size, 0) <
                       0
               ? -1
               : 0;
}

static void
s_take (self_t *self, int64_t now)
{
    zmsg_t *msg = zmsg_recv (self->sock);
    if (!msg)
        return;
    fuota_slice_t frames [4];
    size_t count = 0;
    for (zframe_t *frame = zmsg_first (msg); frame && count < 4;
         frame = zmsg_next (msg))
        frames [count++] =
            fuota_slice (zframe_data (frame), zframe_size (frame));
    fuota_fec_message_t message;
    if (fuota_fec_message_decode (frames, count, &message)) {
        self->malformed++;
        if (now - self->warned >= 1000)
            zsys_warning ("fec: malformed=%llu",
                (unsigned long long) self->malformed);
        self->warned = now;
    }
    else {
        uint32_t line = self->job.count;
        fuota_job_take (&self->job, &message, now);
        if (line && !self->job.count) {
            //  The pool has forgotten our leases: so do we
            self->source->connect (self->source);
            self->rows_used = self->partial = 0;
        }
        if (message.kind == FUOTA_FEC_PART)
            self->source->part (self->source, &message, now);
    }
    zmsg_destroy (&msg);
}

static void
s_say (self_t *self, int64_t now)
{
    fuota_fec_message_t message;
    while (fuota_job_send (&self->job, &message, now))
        if (s_send (self, &message))
            return;  //  Its lease runs out
}

//  ---------------------------------------------------------------------
//  Computing

static void
s_flush (self_t *self)
{
    int rc = self->source->flush (self->source);
    if (rc)
        zsys_error ("fec: blocks are lost: %s",
            self->source->error (self->source));
    fuota_job_flushed (&self->job, !rc);
    self->rows_used = 0;
    self->unflushed = 0;
}

static void
s_finish (self_t *self, DoneKind kind)
{
    fuota_job_computed (&self->job, kind, self->work);
    self->partial = 0;
    self->work = 0;
}

//  As much of the first lease as fits the buffer.
static int
s_compute (self_t *self, const Grant *grant, fuota_slice_t image)
{
    const fuota_parity_key_t *key = &grant->parity;
    size_t block = (size_t) FUOTA_FEC_BLOCK_ROWS * key->frag_size;
    uint32_t left = grant->count - self->partial;
    size_t room = (BUFFER - self->rows_used) / block;
    uint32_t count = room < left ? (uint32_t) room : left;
    //  What is sent is encrypted and checked while we compute what follows
    if (!self->source->near && count > FAR_BLOCKS)
        count = FAR_BLOCKS;
    uint32_t first = grant->first + self->partial;
    if (!count) {
        s_flush (self);
        return 0;
    }
    size_t need = fuota_rows_scratch (key, count);
    if (need > self->scratch_size) {
        free (self->scratch);
        self->scratch = malloc (need);
        assert (self->scratch);
        self->scratch_size = need;
    }
    uint8_t *out = self->rows + self->rows_used;
    int64_t start = zclock_usecs ();
    size_t size = fuota_rows (image, key, first, count, out, self->scratch);
    self->work += (uint64_t) (zclock_usecs () - start);
    int rc = self->source->deliver (self->source, grant, first, count,
        fuota_slice (out, size));
    if (rc == FUOTA_EFULL) {
        s_flush (self);
        return 0;  //  Computed once more: many tiny leases, so cheap
    }
    self->rows_used += size;
    self->partial += count;
    return rc;
}

//  One step. Returns whether there is more to do at once.
static bool
s_work (self_t *self, int64_t now)
{
    fuota_slice_t image;
    const Grant *grant = fuota_job_work (&self->job, 0);
    if (!grant)
        return false;
    for (uint32_t i = PREFETCH; i > 0; i--) {
        const Grant *ahead = fuota_job_work (&self->job, i);
        if (ahead && !self->source->near)
            self->source->image (self->source, &ahead->parity, now, &image);
    }
    int rc = self->source->image (self->source, &grant->parity, now, &image);
    if (rc == FUOTA_EBUSY)
        return false;
    if (!self->unflushed)
        self->unflushed = now;
    if (!rc)
        rc = s_compute (self, grant, image);
    if (rc) {
        if (rc != FUOTA_ENOTFOUND)
            zsys_error ("fec: lease given up: %s",
                self->source->error (self->source));
        s_finish (self,
            rc == FUOTA_ENOTFOUND ? FUOTA_FEC_GONE : FUOTA_FEC_FAILED);
    }
    else if (self->partial == grant->count)
        s_finish (self, FUOTA_FEC_DONE);
    return true;
}

//  ---------------------------------------------------------------------
//  The loop

//  Wait for the pool, a signal, or a deadline; returns false at a signal.
static bool
s_wait (self_t *self, int signals, int64_t wait)
{
    zmq_pollitem_t items [] = {
        { self->sock ? zsock_resolve (self->sock) : NULL, 0, ZMQ_POLLIN, 0 },
        { NULL, signals, ZMQ_POLLIN, 0 },
    };
    if (self->sock)
        zmq_poll (items, 2, (long) wait);
    else
        zmq_poll (items + 1, 1, (long) wait);
    if (items [1].revents & ZMQ_POLLIN) {
        struct signalfd_siginfo info;
        return read (signals, &info, sizeof info) < 0;
    }
    return true;
}

static void
s_turn (self_t *self, bool *busy)
{
    int64_t now = zclock_mono ();
    for (unsigned i = 0; i < TURN && zsock_events (self->sock) & ZMQ_POLLIN;
         i++)
        s_take (self, now);
    *busy = s_work (self, now);
    now = zclock_mono ();
    if (self->unflushed && (!*busy || !fuota_job_work (&self->job, 0) ||
                               now - self->unflushed >= GATHER))
        s_flush (self);
    s_say (self, now);
}

static int
s_run (self_t *self, int signals)
{
    bool busy = false;
    int64_t again = 0;  //  Connect then
    while (!fuota_job_over (&self->job)) {
        int64_t now = zclock_mono ();
        if (!self->sock && now >= again && s_connect (self))
            return EXIT_USAGE;
        int64_t wait =
            self->sock ? fuota_job_due (&self->job) - now : again - now;
        if (fuota_job_work (&self->job, 0) && wait > 500)
            wait = 500;  //  A part of an image may have to be asked for again
        if (!s_wait (self, signals, busy ? 0 : wait > 0 ? wait : 0)) {
            if (!self->job.welcome || self->job.draining)
                break;  //  Nobody to say goodbye to, or told twice
            fuota_job_drain (&self->job, "stopped");
        }
        if (self->sock)
            s_turn (self, &busy);
        if (self->sock && fuota_job_lost (&self->job, zclock_mono ())) {
            if (self->job.welcome)
                zsys_warning ("fec: pool is silent endpoint=%s",
                    self->options.broker);
            again = zclock_mono () + fuota_job_back_off (&self->job);
            zsock_destroy (&self->sock);
            self->job.welcome = busy = false;
            if (self->job.draining)
                break;
        }
    }
    //  What we said last is still on its way
    if (self->sock) {
        zsock_set_linger (self->sock, 1000);
        zsock_destroy (&self->sock);
    }
    if (*self->job.words && !self->options.parent)
        zsys_info ("fec: ends: %s", self->job.words);
    return EXIT_GONE;
}

//  Speed on a small case, in the pool's measure, so that the first leases
//  are neither crumbs nor a minute long.
static uint64_t
s_speed (self_t *self)
{
    fuota_parity_key_t key = { .image_size = 200000,
        .rule = 1,
        .frag_size = 200 };
    uint8_t *image = zmalloc (key.image_size);
    self->scratch_size = fuota_rows_scratch (&key, 4);
    self->scratch = malloc (self->scratch_size);
    assert (image && self->scratch);
    int64_t best = INT64_MAX;
    for (int i = 0; i < 3; i++) {
        int64_t start = zclock_usecs ();
        fuota_rows (fuota_slice (image, key.image_size), &key, 0, 4, self->rows,
            self->scratch);
        int64_t time = zclock_usecs () - start + 1;
        best = time < best ? time : best;
    }
    free (image);
    return (uint64_t) key.image_size * 4 * FUOTA_FEC_BLOCK_ROWS * 1000 /
           (uint64_t) best;
}

static int
s_open (self_t *self)
{
    char error [512];
    const fuota_fec_options_t *options = &self->options;
    if (s_keys (self))
        return EXIT_USAGE;
    self->source = *options->parity ? fuota_source_near (options->parity, error,
                                          sizeof error)
                                    : fuota_source_far (options->cache,
                                          (uint64_t) options->cache_mib << 20,
                                          s_send, self, error, sizeof error);
    if (!self->source) {
        zsys_error ("fec: %s", error);
        return EXIT_FAULT;
    }
    self->rows = malloc (BUFFER);
    assert (self->rows);
    Hello hello = { .cores = (uint32_t) sysconf (_SC_NPROCESSORS_ONLN),
        .near = self->source->near,
        .pid = (uint32_t) getpid (),
        .speed = s_speed (self) };
    struct utsname host;
    uname (&host);
    snprintf (hello.name, sizeof hello.name, "%s", options->name);
    snprintf (hello.host, sizeof hello.host, "%.40s", host.nodename);
    snprintf (hello.kernel, sizeof hello.kernel, "%s", fuota_rows_kernel ());
    RAND_bytes ((unsigned char *) &hello.instance, sizeof hello.instance);
    fuota_job_init (&self->job, &hello);
    //  Of a local one the broker tells
    if (!self->source->near)
        zsys_info ("fec: name=%s broker=%s kernel=%s %s", options->name,
            options->broker, hello.kernel, self->source->near ? "near" : "far");
    return EXIT_GONE;
}

static void
s_close (self_t *self)
{
    if (self->source)
        self->source->destroy (&self->source);
    zcert_destroy (&self->cert);
    free (self->rows);
    free (self->scratch);
}

int
main (int argc, char **argv)
{
    static self_t self;
    int rc = fuota_fec_options_read (&self.options, argc, argv);
    if (rc)
        return rc < 0 ? EXIT_USAGE : EXIT_GONE;
    if (*self.options.kernel && fuota_rows_choose (self.options.kernel)) {
        fprintf (stderr, "fuota-fec: --kernel: this processor has no %s\n",
            self.options.kernel);
        return EXIT_USAGE;
    }
    if (self.options.bench)
        return fuota_fec_bench (stdout) ? EXIT_FAULT : EXIT_GONE;
    if (self.options.parent) {
        prctl (PR_SET_PDEATHSIG, SIGTERM);
        if (getppid () != (pid_t) self.options.parent)
            return EXIT_FAULT;  //  It was faster
    }
    zsys_handler_set (NULL);
    zsys_set_logident ("fuota-fec");
    sigset_t set;
    sigemptyset (&set);
    sigaddset (&set, SIGTERM);
    sigaddset (&set, SIGINT);
    pthread_sigmask (SIG_BLOCK, &set, NULL);
    int signals = signalfd (-1, &set, SFD_CLOEXEC);
    assert (signals >= 0);
    rc = s_open (&self);
    if (!rc)
        rc = s_run (&self, signals);
    s_close (&self);
    close (signals);
    return rc;
}
