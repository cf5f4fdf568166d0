//  SPDX-License-Identifier: MIT
//
//  The pool actor between a state database, a parity environment, a journal
//  that the test writes, and a worker that the test plays.

#include <czmq.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <cmocka.h>
#include "broker/clock.h"
#include "broker/pool_actor.h"
#include "fec_worker/rows.h"
#include "schema/record.h"
#include "tests/scratch.h"

#define SIZE 5000
#define FRAG_SIZE 50
#define ROWS 130  //  Three blocks

typedef struct {
    scratch_t state;
    char folder [100], near [24];
    fuota_parity_t *parity;
    zactor_t *pool;
    zsock_t *journal, *ask, *worker, *lines;
    uint8_t image [SIZE], id [FUOTA_ID_SIZE];
    fuota_parity_key_t key;
} fixture_t;

static int
s_setup (void **state)
{
    fixture_t *self = zmalloc (sizeof *self);
    char error [200];
    int rc;
    zsys_set_logstream (NULL);
    scratch_init (&self->state, 64 << 20, FUOTA_DB_NOSYNC);
    snprintf (self->folder, sizeof self->folder, "%s/parity",
        self->state.folder);
    self->parity =
        fuota_parity_open (self->folder, 64 << 20, &rc, error, sizeof error);
    assert_non_null (self->parity);
    for (int i = 0; i < SIZE; i++)
        self->image [i] = (uint8_t) (i * 31 + i / 256);
    self->key = (fuota_parity_key_t){ .image_size = SIZE,
        .rule = 2,
        .frag_size = FRAG_SIZE };
    EVP_Digest (self->image, SIZE, self->key.image, NULL, EVP_sha256 (), NULL);
    fuota_image_t image = { .size = SIZE };
    fuota_key_t name = fuota_key_bytes (self->key.image, 32);
    scratch_put (&self->state, FUOTA_TABLE_IMAGE, name, Image_fields, &image);
    scratch_put_bytes (&self->state, FUOTA_TABLE_BLOB, name, self->image, SIZE);
    self->journal = zsock_new_pub ("@inproc://journal");
    //  Not on this stack: the sanitizer does not see that the actor has read it
    static fuota_pool_args_t args;
    args = (fuota_pool_args_t){ .pool = fuota_pool_new (1, 200),
        .db = self->state.db,
        .parity = self->parity,
        .limit = 32 << 20,
        .near = fuota_pool_door () };
    //  The name of the last one is free some time after it was closed
    static unsigned count;
    snprintf (self->near, sizeof self->near, ">inproc://near-%u", count++);
    rc = zsock_bind (args.near, "%s", self->near + 1);
    assert_int_equal (rc, 0);
    self->pool = zactor_new (fuota_pool_actor, &args);
    self->ask = zsock_new_req (">inproc://pool");
    zsock_set_rcvtimeo (self->ask, 10000);
    self->lines = zsock_new_sub (">inproc://pool-lines", "");
    zsock_set_rcvtimeo (self->lines, 10000);
    self->worker = zsock_new_dealer (self->near);
    zsock_set_rcvtimeo (self->worker, 10000);
    *state = self;
    return 0;
}

static int
s_teardown (void **state)
{
    fixture_t *self = *state;
    zsock_destroy (&self->worker);
    zsock_destroy (&self->lines);
    zsock_destroy (&self->ask);
    zactor_destroy (&self->pool);
    zsock_unbind (self->journal, "inproc://journal");
    zsock_destroy (&self->journal);
    fuota_parity_close (&self->parity);
    zdir_t *dir = zdir_new (self->folder, "-");
    zdir_remove (dir, true);
    zdir_destroy (&dir);
    scratch_release (&self->state);
    free (self);
    return 0;
}

//  ---------------------------------------------------------------------
//  The worker that the test plays

static void
s_say (fixture_t *self, const fuota_fec_message_t *message)
{
    uint8_t body [FUOTA_FEC_BODY_MAX], kind = (uint8_t) message->kind;
    size_t size = fuota_fec_message_encode (message, body);
    zmsg_t *msg = zmsg_new ();
    zmsg_addmem (msg, &kind, 1);
    zmsg_addmem (msg, body, size);
    if (kind == FUOTA_FEC_BLOCK)
        zmsg_addmem (msg, message->data.data, message->data.size);
    zmsg_send (&msg, self->worker);
}

//  The next message of that kind; beats and others are passed over.
static void
s_hear (fixture_t *self, fuota_fec_kind_t kind, fuota_fec_message_t *out)
{
    for (;;) {
        zmsg_t *msg = zmsg_recv (self->worker);
        assert_non_null (msg);
        fuota_slice_t frames [3];
        size_t count = 0;
        for (zframe_t *frame = zmsg_first (msg); frame && count < 3;
             frame = zmsg_next (msg))
            frames [count++] =
                fuota_slice (zframe_data (frame), zframe_size (frame));
        assert_int_equal (fuota_fec_message_decode (frames, count, out), 0);
        bool found = out->kind == kind;
        if (found && kind == FUOTA_FEC_PART)
            assert_memory_equal (out->data.data, self->image, out->data.size);
        out->data.data = NULL;
        zmsg_destroy (&msg);
        if (found)
            return;
    }
}

static void
s_hello (fixture_t *self, bool near)
{
    fuota_fec_message_t message = { .kind = FUOTA_FEC_HELLO,
        .as.hello = { .name = "played",
            .version = 1,
            .slots = 4,
            .near = near,
            .instance = 9,
            .speed = 1000000 } };
    s_say (self, &message);
    s_hear (self, FUOTA_FEC_HELLO, &message);
    assert_int_equal (message.as.hello.beat, 200);
}

static void
s_send_block (fixture_t *self, const Grant *grant, uint32_t i, bool right)
{
    uint8_t rows [FUOTA_FEC_BLOCK_MAX];
    void *scratch = malloc (fuota_rows_scratch (&grant->parity, 1));
    size_t size = fuota_rows (fuota_slice (self->image, SIZE), &grant->parity,
        i, 1, rows, scratch);
    free (scratch);
    for (size_t at = 0; !right && at < size; at++)
        rows [at] ^= 1;
    fuota_fec_message_t message = { .kind = FUOTA_FEC_BLOCK,
        .as.block = { .lease = grant->lease,
            .has_parity = true,
            .parity = grant->parity,
            .block = i,
            .sum = fuota_fec_sum (rows, size) },
        .data = fuota_slice (rows, size) };
    s_say (self, &message);
}

static void
s_done (fixture_t *self, const Grant *grant)
{
    fuota_fec_message_t message = { .kind = FUOTA_FEC_END,
        .as.done = { .lease = grant->lease,
            .has_parity = true,
            .parity = grant->parity,
            .first = grant->first,
            .count = grant->count,
            .work = 1000 } };
    s_say (self, &message);
}

static void
s_report (fixture_t *self, PoolLine *pool)
{
    zstr_send (self->ask, "WORKERS");
    zmsg_t *msg = zmsg_recv (self->ask);
    assert_non_null (msg);
    zframe_t *frame = zmsg_first (msg);
    assert_int_equal (fuota_record_decode (PoolLine_fields, pool,
                          fuota_slice (zframe_data (frame),
                              zframe_size (frame))),
        0);
    zmsg_destroy (&msg);
}

//  The first worker that the pool lists.
static void
s_first_worker (fixture_t *self, WorkerLine *line)
{
    zstr_send (self->ask, "WORKERS");
    zmsg_t *msg = zmsg_recv (self->ask);
    assert_non_null (msg);
    assert_int_equal (zmsg_size (msg), 2);
    zmsg_first (msg);
    zframe_t *frame = zmsg_next (msg);
    assert_int_equal (fuota_record_decode (WorkerLine_fields, line,
                          fuota_slice (zframe_data (frame),
                              zframe_size (frame))),
        0);
    zmsg_destroy (&msg);
}

static char *
s_image (fixture_t *self, const char *frag_size)
{
    zmsg_t *msg = zmsg_new ();
    zmsg_addstr (msg, "IMAGE");
    zmsg_addmem (msg, self->key.image, 32);
    zmsg_addstr (msg, frag_size);
    zmsg_addstr (msg, "2");
    zmsg_addstr (msg, "130");
    zmsg_send (&msg, self->ask);
    return zstr_recv (self->ask);
}

static void
s_ask_image (fixture_t *self)
{
    char *words = s_image (self, "50");
    assert_string_equal (words, "");
    zstr_free (&words);
}

static void
s_deployment (fixture_t *self)
{
    fuota_deployment_t deployment = { .image_size = SIZE,
        .frag_size = FRAG_SIZE,
        .nb_frag = SIZE / FRAG_SIZE,
        .redundancy = ROWS,
        .has_dialect = true,
        .dialect = { .ts004 = 2 } };
    fuota_group_t group = { .phase = FUOTA_SETTING_UP };
    memset (self->id, 7, sizeof self->id);
    memcpy (deployment.id, self->id, sizeof self->id);
    memcpy (deployment.image, self->key.image, 32);
    fuota_key_t key = fuota_key_id (self->id);
    scratch_put (&self->state, FUOTA_TABLE_DEPLOYMENT, key, Deployment_fields,
        &deployment);
    scratch_put (&self->state, FUOTA_TABLE_GROUP, key, Group_fields, &group);
}

static void
s_line (fixture_t *self)
{
    uint8_t bytes [FUOTA_RECORD_MAX];
    fuota_line_t line = { .what = "phase", .name = "setting up" };
    memcpy (line.deployment, self->id, sizeof self->id);
    size_t size =
        fuota_record_encode (JournalLine_fields, &line, bytes, sizeof bytes);
    zsock_send (self->journal, "b", bytes, size);
}

//  ---------------------------------------------------------------------
//  Tests

static void
test_pool_actor__far_worker_fetches_and_sends (void **state)
{
    fixture_t *self = *state;
    fuota_fec_message_t message;
    uint8_t row [FRAG_SIZE];
    s_hello (self, false);
    s_ask_image (self);
    s_hear (self, FUOTA_FEC_GRANT, &message);
    Grant grant = message.as.grant;
    assert_int_equal (grant.count, 3);
    message = (fuota_fec_message_t){ .kind = FUOTA_FEC_WANTED,
        .as.wanted = { .size = 3000 } };
    memcpy (message.as.wanted.image, self->key.image, 32);
    s_say (self, &message);
    s_hear (self, FUOTA_FEC_PART, &message);
    assert_int_equal (message.data.size, 3000);
    for (uint32_t i = 0; i < 3; i++)
        s_send_block (self, &grant, i, true);
    s_done (self, &grant);
    //  The lease outlives its last block until DONE is read
    PoolLine pool = { .waiting = 1 };
    while (pool.waiting || pool.leases)
        s_report (self, &pool);
    assert_int_equal (pool.done, 3);
    for (uint32_t n = 1; n <= 3 * 64; n++)
        assert_int_equal (fuota_parity_row (self->parity, &self->key, n, row),
            0);
}

static void
test_pool_actor__wrong_block_is_not_kept (void **state)
{
    fixture_t *self = *state;
    fuota_fec_message_t message;
    uint8_t row [FRAG_SIZE];
    s_hello (self, false);
    s_ask_image (self);
    s_hear (self, FUOTA_FEC_GRANT, &message);
    Grant grant = message.as.grant;
    s_send_block (self, &grant, 0, false);
    s_hear (self, FUOTA_FEC_DRAIN, &message);
    assert_string_equal (message.as.drain.words, "quarantined");
    assert_int_equal (fuota_parity_row (self->parity, &self->key, 1, row),
        FUOTA_ENOTFOUND);
    PoolLine pool;
    s_report (self, &pool);
    assert_int_equal (pool.quarantined, 1);
    assert_int_equal (pool.workers, 0);
    assert_int_equal (pool.waiting, 3);
    WorkerLine line;
    s_first_worker (self, &line);
    assert_string_equal (line.why, "a block is wrong");
    assert_true (line.left > 3000000 && line.left <= 3600000);
    assert_int_equal (line.errors, 1);
    fuota_line_t told;
    zframe_t *frame = zframe_recv (self->lines);
    assert_non_null (frame);
    assert_int_equal (fuota_record_decode (JournalLine_fields, &told,
                          fuota_slice (zframe_data (frame),
                              zframe_size (frame))),
        0);
    zframe_destroy (&frame);
    assert_string_equal (told.what, "worker");
    assert_non_null (strstr (told.words, "quarantined: a block is wrong"));
}

//  It says done and has written nothing.
static void
test_pool_actor__near_worker_that_lies (void **state)
{
    fixture_t *self = *state;
    fuota_fec_message_t message;
    s_hello (self, true);
    s_ask_image (self);
    s_hear (self, FUOTA_FEC_GRANT, &message);
    Grant grant = message.as.grant;
    s_done (self, &grant);
    s_hear (self, FUOTA_FEC_DRAIN, &message);
    PoolLine pool;
    s_report (self, &pool);
    assert_int_equal (pool.done, 0);
    assert_int_equal (pool.waiting, 3);
}

static void
test_pool_actor__follows_the_journal (void **state)
{
    fixture_t *self = *state;
    fuota_fec_message_t message;
    s_hello (self, false);
    s_deployment (self);
    s_line (self);
    s_hear (self, FUOTA_FEC_GRANT, &message);
    assert_true (fuota_parity_equal (&message.as.grant.parity, &self->key));
    assert_int_equal (message.as.grant.count, 3);
}

static void
test_pool_actor__garbage_is_counted (void **state)
{
    fixture_t *self = *state;
    static const char *const words [] = { "", "H", "\xff", "KKKK" };
    for (int i = 0; i < 40; i++)
        zstr_sendx (self->worker, words [i % 4], words [i / 4 % 4],
            words [i % 3], words [i % 2], NULL);
    s_hello (self, false);
    PoolLine pool;
    s_report (self, &pool);
    assert_int_equal (pool.malformed, 40);
    assert_int_equal (pool.workers, 1);
}

static void
test_pool_actor__answers_what_cannot_be (void **state)
{
    fixture_t *self = *state;
    char *words = s_image (self, "0");
    assert_true (*words);
    zstr_free (&words);
    self->key.image [0] ^= 1;
    words = s_image (self, "50");
    assert_string_equal (words, "no such image");
    zstr_free (&words);
    zstr_sendx (self->ask, "DRAIN", "nobody", NULL);
    words = zstr_recv (self->ask);
    assert_string_equal (words, "0");
    zstr_free (&words);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)
    const struct CMUnitTest tests [] = {
        TEST (test_pool_actor__far_worker_fetches_and_sends),
        TEST (test_pool_actor__wrong_block_is_not_kept),
        TEST (test_pool_actor__near_worker_that_lies),
        TEST (test_pool_actor__follows_the_journal),
        TEST (test_pool_actor__garbage_is_counted),
        TEST (test_pool_actor__answers_what_cannot_be),
    };
    zsys_handler_set (NULL);
    return cmocka_run_group_tests_name ("pool_actor", tests, NULL, NULL);
}
