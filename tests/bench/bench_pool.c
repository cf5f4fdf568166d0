//  SPDX-License-Identifier: MIT
//
//  What the pool costs beside the kernel: from the request to the last block
//  in LMDB, with 1 and 2 workers of this host, with one over loopback TCP
//  with CURVE, for the largest case; and many small jobs. "kernel" is the
//  time for the same rows of as many threads as there are workers, of the same
//  run: two of them share what the machine's cores share. "broker" is what
//  this process spent on processors meanwhile: the pool's thread, ZeroMQ's,
//  and the bench's own requests.
//
//      bench_pool FUOTA-FEC [--smoke]
//
//  Parts: a pool; requests; cases.

#include <czmq.h>
#include <openssl/evp.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "broker/pool_actor.h"
#include "broker/security.h"
#include "fec_worker/rows.h"
#include "schema/record.h"
#include "tests/scratch.h"

#define PATIENCE 120000
#define LOOK 5

typedef struct {
    const char *program;
    scratch_t state;
    fuota_parity_t *parity;
    fuota_security_t security;
    zactor_t *pool;
    zsock_t *ask;
    pid_t far;
    int writes;  //  Inotify of the parity environment
    char folder [96];
} self_t;

extern char **environ;

static double
s_now (void)
{
    return (double) zclock_usecs () / 1e3;
}

//  ---------------------------------------------------------------------
//  A pool

//  Keys, a door and a worker that comes by it.
static void
s_start_far (self_t *self, fuota_pool_args_t *args, char *command, size_t size)
{
    char path [128], error [200];
    snprintf (path, sizeof path, "%s/server", self->folder);
    int rc = fuota_security_keygen (path, NULL, error, sizeof error);
    zcert_t *cert = zcert_load (path);
    assert (!rc && cert);
    snprintf (path, sizeof path, "%s/keys", self->folder);
    mkdir (path, 0700);
    snprintf (path, sizeof path, "%s/keys/far", self->folder);
    rc = fuota_security_keygen (path, zcert_public_txt (cert), error,
        sizeof error);
    assert (rc == 0);
    zcert_destroy (&cert);
    char key [128];
    snprintf (key, sizeof key, "%s/server_secret", self->folder);
    snprintf (path, sizeof path, "%s/keys", self->folder);
    rc = fuota_security_open (&self->security, key, error, sizeof error);
    assert (rc == 0);
    args->far = fuota_pool_door ();
    fuota_security_serve (&self->security, args->far, "pool", path);
    int port = zsock_bind (args->far, "tcp://127.0.0.1:*");
    assert (port > 0);
    snprintf (command, size,
        "exec %s --broker tcp://127.0.0.1:%d --key "
        "%s/keys/far_secret --name far 2>/dev/null",
        self->program, port, self->folder);
}

static size_t
s_connected (self_t *self)
{
    zstr_send (self->ask, "WORKERS");
    zmsg_t *msg = zmsg_recv (self->ask);
    assert (msg);
    size_t count = zmsg_size (msg) - 1;
    zmsg_destroy (&msg);
    return count;
}

//  A commit writes the file, whoever makes it.
static void
s_watch (self_t *self)
{
    char path [128];
    snprintf (path, sizeof path, "%s/data.mdb", self->folder);
    self->writes = inotify_init1 (IN_NONBLOCK | IN_CLOEXEC);
    int rc = inotify_add_watch (self->writes, path, IN_MODIFY);
    assert (self->writes >= 0 && rc >= 0);
}

static void
s_start (self_t *self, size_t near, bool far)
{
    char endpoint [160], error [200], command [600];
    int rc;
    scratch_init (&self->state, 1u << 30, FUOTA_DB_NOSYNC);
    snprintf (self->folder, sizeof self->folder, "%s/parity",
        self->state.folder);
    self->parity = fuota_parity_open (self->folder, (size_t) 2 << 30, &rc,
        error, sizeof error);
    assert (self->parity);
    fuota_pool_args_t args = { .pool = fuota_pool_new (1, FUOTA_POOL_BEAT),
        .db = self->state.db,
        .parity = self->parity,
        .limit = 1u << 30,
        .near = fuota_pool_door () };
    snprintf (endpoint, sizeof endpoint, "ipc://%s/pool", self->folder);
    rc = zsock_bind (args.near, "%s", endpoint);
    assert (rc == 0);
    if (near)
        args.spawn =
            fuota_spawn_new (self->program, endpoint, self->folder, near);
    if (far)
        s_start_far (self, &args, command, sizeof command);
    self->pool = zactor_new (fuota_pool_actor, &args);
    self->ask = zsock_new_req (">inproc://pool");
    assert (self->pool && self->ask);
    if (far) {
        char *argv [] = { "sh", "-c", command, NULL };
        rc = posix_spawn (&self->far, "/bin/sh", NULL, NULL, argv, environ);
        assert (rc == 0);
    }
    //  Each question waits for an answer of the pool
    double until = s_now () + PATIENCE;
    while (s_connected (self) < near + far)
        assert (s_now () < until);
    s_watch (self);
}

static void
s_stop (self_t *self)
{
    if (self->far) {
        kill (self->far, SIGKILL);
        waitpid (self->far, NULL, 0);
        self->far = 0;
    }
    close (self->writes);
    zsock_destroy (&self->ask);
    zactor_destroy (&self->pool);
    fuota_security_close (&self->security);
    fuota_parity_close (&self->parity);
    zdir_t *dir = zdir_new (self->folder, "-");
    if (dir)
        zdir_remove (dir, true);
    zdir_destroy (&dir);
    scratch_release (&self->state);
}

//  ---------------------------------------------------------------------
//  Requests

//  An image of that size into the state.
static void
s_put_image (self_t *self, fuota_parity_key_t *key, uint8_t *image,
    uint32_t seed)
{
    for (uint32_t i = 0; i < key->image_size; i++)
        image [i] = (uint8_t) ((i + seed) * 2654435761u >> 24);
    EVP_Digest (image, key->image_size, key->image, NULL, EVP_sha256 (), NULL);
    fuota_image_t record = { .size = key->image_size };
    fuota_key_t name = fuota_key_bytes (key->image, 32);
    scratch_put (&self->state, FUOTA_TABLE_IMAGE, name, Image_fields, &record);
    scratch_put_bytes (&self->state, FUOTA_TABLE_BLOB, name, image,
        key->image_size);
}

static void
s_request (self_t *self, const fuota_parity_key_t *key, uint32_t rows)
{
    zmsg_t *msg = zmsg_new ();
    zmsg_addstr (msg, "IMAGE");
    zmsg_addmem (msg, key->image, 32);
    zmsg_addstrf (msg, "%u", (unsigned) key->frag_size);
    zmsg_addstrf (msg, "%u", (unsigned) key->rule);
    zmsg_addstrf (msg, "%u", (unsigned) rows);
    zmsg_send (&msg, self->ask);
    char *words = zstr_recv (self->ask);
    assert (words && !*words);
    zstr_free (&words);
}

//  Until the next commit after the last time. The last thing a commit does,
//  showing itself to readers, is no write: so not for long.
static void
s_next_write (const self_t *self)
{
    char events [4096];
    struct pollfd writes = { .fd = self->writes, .events = POLLIN };
    int rc = poll (&writes, 1, LOOK);
    assert (rc >= 0);
    while (read (self->writes, events, sizeof events) > 0)
        ;
}

static void
s_wait (self_t *self, const fuota_parity_key_t *key, uint32_t rows)
{
    uint32_t first = 0, count = (rows + 63) / 64;
    double until = s_now () + PATIENCE;
    while (fuota_parity_missing (self->parity, key, &first, count - first)) {
        assert (s_now () < until);
        s_next_write (self);
    }
}

//  ---------------------------------------------------------------------
//  Cases

typedef struct {
    const char *name;
    uint32_t images, size, frag_size, rows;
} s_case_t;

//  The kernel's share of one of several threads.
typedef struct {
    const s_case_t *c;
    const uint8_t *image;
    uint32_t first, blocks, images;
    pthread_t thread;
} s_share_t;

static void *
s_compute (void *arg)
{
    const s_share_t *share = arg;
    fuota_parity_key_t key = { .image_size = share->c->size,
        .rule = 1,
        .frag_size = share->c->frag_size };
    uint8_t *out = malloc ((size_t) share->blocks * FUOTA_FEC_BLOCK_MAX);
    void *scratch = malloc (fuota_rows_scratch (&key, share->blocks));
    assert (out && scratch);
    for (uint32_t i = 0; i < share->images; i++)
        fuota_rows (fuota_slice (share->image, share->c->size), &key,
            share->first, share->blocks, out, scratch);
    free (out);
    free (scratch);
    return NULL;
}

//  Whole images are divided among the threads, or the blocks of a single one.
static double
s_kernel (const s_case_t *c, const uint8_t *image, size_t threads)
{
    s_share_t shares [2];
    uint32_t blocks = (c->rows + 63) / 64;
    uint32_t cut = c->images == 1 ? blocks / (uint32_t) threads : blocks;
    assert (threads == 1 || threads == 2);
    double start = s_now ();
    for (uint32_t i = 0; i < threads; i++) {
        shares [i] = (s_share_t){ c, image, 0, cut,
            c->images == 1 ? 1 : c->images / (uint32_t) threads, 0 };
        if (c->images == 1 && i) {
            shares [i].first = cut;
            shares [i].blocks = blocks - cut;
        }
        int rc =
            pthread_create (&shares [i].thread, NULL, s_compute, &shares [i]);
        assert (rc == 0);
    }
    for (size_t i = 0; i < threads; i++)
        pthread_join (shares [i].thread, NULL);
    return s_now () - start;
}

//  Milliseconds of this process on processors.
static double
s_cpu (void)
{
    struct rusage use;
    getrusage (RUSAGE_SELF, &use);
    return (double) (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1e3 +
           (double) (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e3;
}

static double
s_once (self_t *self, const s_case_t *c, uint8_t *image, uint32_t seed,
    double *cpu)
{
    fuota_parity_key_t *keys = calloc (c->images, sizeof *keys);
    assert (keys);
    for (uint32_t i = 0; i < c->images; i++) {
        keys [i] = (fuota_parity_key_t){ .image_size = c->size,
            .rule = 1,
            .frag_size = c->frag_size };
        s_put_image (self, &keys [i], image, seed + i);
    }
    double start = s_now (), cpu_start = s_cpu ();
    for (uint32_t i = 0; i < c->images; i++)
        s_request (self, &keys [i], c->rows);
    for (uint32_t i = 0; i < c->images; i++)
        s_wait (self, &keys [i], c->rows);
    double time = s_now () - start;
    *cpu = s_cpu () - cpu_start;
    free (keys);
    return time;
}

static void
s_case (self_t *self, const s_case_t *c, size_t near, bool far, unsigned runs)
{
    uint8_t *image = malloc (c->size);
    assert (image);
    double best = 1e9, kernel = 1e9, broker = 1e9, cpu;
    s_start (self, near, far);
    for (unsigned i = 0; i < runs; i++) {
        double time = s_once (self, c, image, (i + 1) << 20, &cpu);
        broker = cpu < broker ? cpu : broker;
        best = time < best ? time : best;
        time = s_kernel (c, image, near + far);
        kernel = time < kernel ? time : kernel;
    }
    s_stop (self);
    printf ("pool_%s_%zu%s %.2f ms  kernel %.2f ms, ratio %.2f, "
            "broker %.2f ms\n",
        c->name, near + far, far ? "_tcp_curve" : "_near", best, kernel,
        best / kernel, broker);
    fflush (stdout);
    free (image);
}

int
main (int argc, char **argv)
{
    static const s_case_t cases [] = {
        { "8192_239_8191", 1, 8192 * 239, 239, 8191 },
        { "8_of_8192_239_8191", 8, 8192 * 239, 239, 8191 },
        { "1000_of_100kB", 1000, 100000, 200, 150 },
    };
    static const s_case_t tiny = { "smoke", 3, 5000, 50, 130 };
    bool smoke = argc > 2 && streq (argv [2], "--smoke");
    static self_t self;
    if (argc < 2) {
        fprintf (stderr, "Usage: bench_pool FUOTA-FEC [--smoke]\n");
        return 2;
    }
    self.program = argv [1];
    zsys_handler_set (NULL);
    if (smoke) {
        s_case (&self, &tiny, 1, false, 1);
        s_case (&self, &tiny, 0, true, 1);
        return 0;
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        s_case (&self, &cases [i], 1, false, 5);
        s_case (&self, &cases [i], 2, false, 5);
        s_case (&self, &cases [i], 0, true, 5);
    }
    return 0;
}
