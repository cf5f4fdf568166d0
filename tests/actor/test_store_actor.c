//  SPDX-License-Identifier: MIT
//
//  The store between clients, the outbox and who listens to the journal, all
//  played by the test.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "broker/store.h"
#include "tests/actor/neighbour.h"
#include "tests/scratch.h"

typedef struct {
    scratch_t scratch;
    zactor_t *actor;
    zsock_t *outbox, *client;
} rig_t;

static int
s_setup_map (void **state, size_t map_size)
{
    static rig_t rig;
    rig = (rig_t){ .actor = NULL };
    scratch_init (&rig.scratch, map_size, FUOTA_DB_NOSYNC);
    rig.outbox = neighbour_new (ZMQ_PULL, "inproc://outbox");
    rig.actor = zactor_new (fuota_store_actor, rig.scratch.db);
    rig.client = neighbour_new (ZMQ_DEALER, ">inproc://store");
    *state = &rig;
    return 0;
}

static int
s_setup (void **state)
{
    return s_setup_map (state, 64u << 20);
}

static int
s_setup_tiny (void **state)
{
    return s_setup_map (state, 256u << 10);
}

static int
s_teardown (void **state)
{
    rig_t *rig = *state;
    zsock_destroy (&rig->client);
    zactor_destroy (&rig->actor);
    neighbour_freed ("inproc://store");
    neighbour_freed ("inproc://journal");
    neighbour_destroy (&rig->outbox, "inproc://outbox");
    scratch_release (&rig->scratch);
    return 0;
}

//  One row of a table, its key a number.
static void
s_send (zsock_t *client, fuota_table_t table, uint64_t number, size_t size)
{
    static const uint8_t value [4000];
    fuota_batch_t batch = { 0 };
    fuota_key_t key = fuota_key_eui (number);
    fuota_batch_put (&batch, table, &key, fuota_slice (value, size));
    zsock_send (client, "b", batch.data, batch.size);
    fuota_batch_release (&batch);
}

//  The store's answer to a DEALER: an empty frame, one byte.
static int
s_answer (zsock_t *client)
{
    zmsg_t *msg = zmsg_recv (client);
    assert_non_null (msg);
    assert_int_equal (zmsg_size (msg), 2);
    zframe_t *frame = zmsg_last (msg);
    assert_int_equal (zframe_size (frame), 1);
    int rc = zframe_data (frame) [0];
    zmsg_destroy (&msg);
    return rc;
}

//  Many clients at once: each is answered for each batch, and what was
//  answered can be read.
static void
test_store_actor__groups_of_many_clients (void **state)
{
    enum { CLIENTS = 4, BATCHES = 300 };
    rig_t *rig = *state;
    zsock_t *clients [CLIENTS];
    for (unsigned i = 0; i < CLIENTS; i++)
        clients [i] = neighbour_new (ZMQ_DEALER, ">inproc://store");
    for (uint64_t n = 0; n < BATCHES; n++)
        for (uint64_t i = 0; i < CLIENTS; i++)
            s_send (clients [i], FUOTA_TABLE_TOKEN, i << 32 | n, 10);
    for (uint64_t i = 0; i < CLIENTS; i++) {
        fuota_read_t *read = fuota_db_read (rig->scratch.db);
        for (uint64_t n = 0; n < BATCHES; n++) {
            fuota_slice_t value;
            fuota_key_t key = fuota_key_eui (i << 32 | n);
            assert_int_equal (s_answer (clients [i]), 0);
            assert_int_equal (fuota_read_renew (read), 0);
            assert_int_equal (fuota_read_get (read, FUOTA_TABLE_TOKEN, &key,
                                  &value),
                0);
        }
        fuota_read_end (&read);
    }
    for (unsigned i = 0; i < CLIENTS; i++)
        zsock_destroy (&clients [i]);
    assert_int_equal (scratch_count (&rig->scratch, FUOTA_TABLE_TOKEN),
        CLIENTS * BATCHES);
}

//  Bytes that are no batch are refused; their neighbours in the group do not
//  notice.
static void
test_store_actor__bad_batches_are_refused (void **state)
{
    rig_t *rig = *state;
    uint8_t noise [40];
    memset (noise, 0xa5, sizeof noise);
    for (size_t size = 1; size <= sizeof noise; size++) {
        s_send (rig->client, FUOTA_TABLE_TOKEN, size, 10);
        zsock_send (rig->client, "b", noise, size);
    }
    //  Answers may overtake each other, but there is one for each
    unsigned refused = 0;
    for (size_t i = 0; i < 2 * sizeof noise; i++)
        refused += s_answer (rig->client) == 1;
    assert_int_equal (refused, sizeof noise);
    assert_int_equal (scratch_count (&rig->scratch, FUOTA_TABLE_TOKEN),
        sizeof noise);
    //  No rows at all is a batch too
    zsock_send (rig->client, "z");
    assert_int_equal (s_answer (rig->client), 0);
}

static void
test_store_actor__commit_of_a_worker (void **state)
{
    (void) state;
    zsock_t *req = neighbour_new (ZMQ_REQ, ">inproc://store");
    fuota_batch_t batch = { 0 };
    fuota_key_t key = fuota_key_eui (1);
    fuota_batch_put (&batch, FUOTA_TABLE_TOKEN, &key, fuota_slice ("x", 1));
    assert_int_equal (fuota_store_commit (req, &batch), 0);
    batch.failed = true;  //  For lack of memory: it must not be committed
    assert_int_equal (fuota_store_commit (req, &batch), -1);
    batch.failed = false;
    batch.data [0] = FUOTA_TABLES;
    assert_int_equal (fuota_store_commit (req, &batch), -1);
    fuota_batch_release (&batch);
    zsock_destroy (&req);
}

//  The outbox is told of its own rows only.
static void
test_store_actor__wakes_the_outbox (void **state)
{
    rig_t *rig = *state;
    s_send (rig->client, FUOTA_TABLE_TOKEN, 1, 10);
    assert_int_equal (s_answer (rig->client), 0);
    s_send (rig->client, FUOTA_TABLE_OUTBOX, 1, 10);
    assert_int_equal (s_answer (rig->client), 0);
    char *word = zstr_recv (rig->outbox);
    assert_non_null (word);
    assert_string_equal (word, "W");
    zstr_free (&word);
    assert_true (neighbour_quiet (rig->outbox));
}

static void
s_lines (zsock_t *client, uint64_t seq, unsigned count)
{
    fuota_batch_t batch = { 0 };
    uint8_t id [FUOTA_ID_SIZE] = { 1 };
    for (unsigned i = 0; i < count; i++) {
        fuota_line_t line = { .seq = seq + i, .what = "note" };
        fuota_key_t key = fuota_key_journal (id, line.seq);
        fuota_batch_record (&batch, FUOTA_TABLE_JOURNAL, &key,
            JournalLine_fields, &line);
        fuota_batch_del (&batch, FUOTA_TABLE_TOKEN, &key);
    }
    zsock_send (client, "b", batch.data, batch.size);
    fuota_batch_release (&batch);
}

static uint64_t
s_line (zsock_t *journal)
{
    zframe_t *frame = zframe_recv (journal);
    if (!frame)
        return 0;
    fuota_line_t line;
    assert_int_equal (fuota_record_decode (JournalLine_fields, &line,
                          fuota_slice (zframe_data (frame),
                              zframe_size (frame))),
        0);
    zframe_destroy (&frame);
    return line.seq;
}

//  Each line once, in the order of the commits, once it is committed.
static void
test_store_actor__journal_in_order (void **state)
{
    rig_t *rig = *state;
    zsock_t *journal = neighbour_new (ZMQ_SUB, ">inproc://journal");
    zsock_set_subscribe (journal, "");
    //  Until the subscription has arrived lines are lost
    uint64_t seq = 1;
    while (neighbour_quiet (journal)) {
        s_lines (rig->client, seq++, 1);
        assert_int_equal (s_answer (rig->client), 0);
    }
    uint64_t first = s_line (journal);
    for (uint64_t last = first; last < seq - 1; last++)
        assert_true (s_line (journal) == last + 1);
    for (unsigned i = 0; i < 100; i++, seq += 3)
        s_lines (rig->client, seq, 3);
    for (uint64_t expected = seq - 300; expected < seq; expected++)
        assert_true (s_line (journal) == expected);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal (s_answer (rig->client), 0);
    assert_int_equal (scratch_count (&rig->scratch, FUOTA_TABLE_JOURNAL),
        seq - 1);
    zsock_destroy (&journal);
}

//  What cannot be written is told once, answered to nobody, and is the end;
//  the last commit is on disk.
static void
test_store_actor__full_map_is_a_fault (void **state)
{
    rig_t *rig = *state;
    zpoller_t *poller = zpoller_new (rig->actor, rig->client, NULL);
    uint64_t answered = 0;
    for (;;) {
        s_send (rig->client, FUOTA_TABLE_BLOB, answered, 4000);
        void *which = zpoller_wait (poller, NEIGHBOUR_PATIENCE);
        assert_non_null (which);
        if (which == rig->actor)
            break;
        assert_int_equal (s_answer (rig->client), 0);
        answered++;
    }
    char *fault = NULL, *words = NULL;
    assert_int_equal (zsock_recv (rig->actor, "ss", &fault, &words), 0);
    assert_string_equal (fault, "FAULT");
    assert_true (*words != '\0');
    zstr_free (&fault);
    zstr_free (&words);
    assert_true (neighbour_ended (rig->actor));
    assert_true (neighbour_quiet (rig->client));
    assert_true (answered > 10);
    assert_int_equal (scratch_count (&rig->scratch, FUOTA_TABLE_BLOB),
        answered);
    zpoller_destroy (&poller);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (test_store_actor__groups_of_many_clients),
        TEST (test_store_actor__bad_batches_are_refused),
        TEST (test_store_actor__commit_of_a_worker),
        TEST (test_store_actor__wakes_the_outbox),
        TEST (test_store_actor__journal_in_order),
        cmocka_unit_test_setup_teardown (test_store_actor__full_map_is_a_fault,
            s_setup_tiny, s_teardown),
    };
    zsys_set_logstream (NULL);  //  It complains of each refusal
    int rc = cmocka_run_group_tests_name ("store_actor", tests, NULL, NULL);
    zsys_shutdown ();
    return rc;
}
