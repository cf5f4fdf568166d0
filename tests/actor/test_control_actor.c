//  SPDX-License-Identifier: MIT
//
//  The actor between a client and neighbours that the test plays: it is the
//  store (batches in, answers out, journal lines out), the worker, the host.

#include <pb_decode.h>
#include <pb_encode.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "broker/control_actor.h"
#include "broker/control_host.h"
#include "schema/record.h"

#define PATIENCE 5000  //  Milliseconds until a test fails instead of hanging

typedef struct {
    char folder [64];
    fuota_db_t *db;
    fuota_wish_defaults_t defaults;
    fuota_control_table_t table;
    zactor_t *actor;
    zsock_t *store, *deployments, *journal, *host;  //  The neighbours
    zsock_t *client, *events;
    Reply reply;
} world_t;

static world_t s_world;

static zsock_t *
s_patient (zsock_t *sock)
{
    assert_non_null (sock);
    zsock_set_rcvtimeo (sock, PATIENCE);
    zsock_set_linger (sock, 0);
    return sock;
}

static int
s_setup (void **state)
{
    world_t *world = *state = &s_world;
    *world = (world_t){ .folder = "/tmp/fuota-XXXXXX" };
    assert_non_null (mkdtemp (world->folder));
    char error [160], endpoint [2][96];
    int rc;
    world->db = fuota_db_open (world->folder, 64u << 20, FUOTA_DB_NOSYNC, &rc,
        error, sizeof error);
    assert_non_null (world->db);
    fuota_wish_defaults (&world->defaults);
    snprintf (world->defaults.application, 41, "app");
    world->table.defaults = &world->defaults;
    world->store = s_patient (zsock_new_rep ("@inproc://store"));
    world->deployments = s_patient (zsock_new_pull ("@inproc://deployments"));
    world->journal = s_patient (zsock_new_xpub ("@inproc://journal"));
    static fuota_control_args_t args;
    args = (fuota_control_args_t){ .control = fuota_control_new (world->db,
                                       &world->table, "fuotad test") };
    world->host = s_patient (zsock_new_dealer ("@inproc://test-questions"));
    args.host = zsock_new_dealer (">inproc://test-questions");
    for (int i = 0; i < 2; i++)
        snprintf (endpoint [i], sizeof *endpoint, "ipc://%s/%d", world->folder,
            i);
    assert_int_equal (fuota_control_bind (&args, endpoint [0], endpoint [1]),
        0);
    world->actor = zactor_new (fuota_control_actor, &args);
    world->client = s_patient (zsock_new (ZMQ_DEALER));
    assert_int_equal (zsock_connect (world->client, "%s", endpoint [0]), 0);
    world->events = s_patient (zsock_new_sub (endpoint [1], ""));
    //  The actor listens to the journal
    zframe_t *frame = zframe_recv (world->journal);
    assert_non_null (frame);
    zframe_destroy (&frame);
    return 0;
}

static int
s_teardown (void **state)
{
    world_t *world = *state;
    zactor_destroy (&world->actor);
    zsock_destroy (&world->client);
    zsock_destroy (&world->events);
    //  Closing alone frees an inproc name some time later
    zsock_unbind (world->store, "inproc://store");
    zsock_unbind (world->deployments, "inproc://deployments");
    zsock_unbind (world->journal, "inproc://journal");
    zsock_unbind (world->host, "inproc://test-questions");
    zsock_destroy (&world->host);
    zsock_destroy (&world->store);
    zsock_destroy (&world->deployments);
    zsock_destroy (&world->journal);
    fuota_db_close (&world->db);
    zdir_t *dir = zdir_new (world->folder, NULL);
    zdir_remove (dir, true);
    zdir_destroy (&dir);
    return 0;
}

static ReplyStatus
s_reply (world_t *world)
{
    zframe_t *frame = zframe_recv (world->client);
    assert_non_null (frame);
    assert_false (zframe_more (frame));
    pb_istream_t stream =
        pb_istream_from_buffer (zframe_data (frame), zframe_size (frame));
    assert_true (pb_decode (&stream, Reply_fields, &world->reply));
    zframe_destroy (&frame);
    return world->reply.status;
}

//  Encodings written out: command, and a wish with one device, an image of
//  three bytes and DR 5.
static const uint8_t s_deploy [] = { 8, 1, 0x1a, 19, 0x22, 8, 1, 0, 0, 0, 0, 0,
    0, 0, 0x2a, 3, 'a', 'b', 'c', 0x50, 5, 0x58, 1 };
static const uint8_t s_list [] = { 8, 3 };

static void
s_send (world_t *world, const uint8_t *bytes, size_t size)
{
    zsock_send (world->client, "b", bytes, size);
}

//  What the actor asks of the host.
static fuota_question_t
s_asked (world_t *world)
{
    fuota_question_t question;
    zframe_t *frame = zframe_recv (world->host);
    assert_non_null (frame);
    assert_int_equal (fuota_record_decode (Question_fields, &question,
                          fuota_slice (zframe_data (frame),
                              zframe_size (frame))),
        0);
    zframe_destroy (&frame);
    return question;
}

static void
s_answer (world_t *world, const fuota_answer_t *answer)
{
    static uint8_t bytes [Answer_size];
    size_t size =
        fuota_record_encode (Answer_fields, answer, bytes, sizeof bytes);
    zsock_send (world->host, "b", bytes, size);
}

//  Be the host, and know device 1.
static void
s_know (world_t *world)
{
    fuota_question_t question = s_asked (world);
    assert_int_equal (question.kind, FUOTA_QUESTION_DEVICES);
    fuota_answer_t answer = { .serial = question.serial,
        .last = true,
        .kinds_count = 1,
        .devices_count = 1,
        .kind_of_count = 1,
        .devices = { 1 } };
    s_answer (world, &answer);
}

static void
s_send_deploy (world_t *world)
{
    s_send (world, s_deploy, sizeof s_deploy);
    s_know (world);
}

//  Be the store: commit what comes and answer rc. Returns the batch.
static zframe_t *
s_commit (world_t *world, uint8_t rc)
{
    zframe_t *batch = zframe_recv (world->store);
    assert_non_null (batch);
    fuota_slice_t bytes =
        fuota_slice (zframe_data (batch), zframe_size (batch));
    if (!rc)
        assert_int_equal (fuota_db_apply (world->db, &bytes, 1), 0);
    zsock_send (world->store, "b", &rc, (size_t) 1);
    return batch;
}

//  ---------------------------------------------------------------------
//  Tests

static void
test_control_actor__garbage_is_answered_and_counted (void **state)
{
    world_t *world = *state;
    uint8_t noise [64];
    for (size_t i = 0; i < sizeof noise; i++)
        noise [i] = (uint8_t) (i * 37 + 0x0f);  //  Wire type 7
    for (size_t size = 1; size <= sizeof noise; size++) {
        s_send (world, noise, size);
        assert_int_equal (s_reply (world), FUOTA_MALFORMED);
    }
    //  Too many frames; an empty one in front makes it a REQ's
    zsock_send (world->client, "bb", s_list, sizeof s_list, s_list,
        sizeof s_list);
    assert_int_equal (s_reply (world), FUOTA_MALFORMED);
    uint64_t taken, malformed, told;
    zstr_send (world->actor, "STATS");
    char *name;
    zsock_recv (world->actor, "s888", &name, &taken, &malformed, &told);
    zstr_free (&name);
    assert_int_equal (taken, 65);
    assert_int_equal (malformed, 65);
    s_send (world, s_list, sizeof s_list);
    assert_int_equal (s_reply (world), FUOTA_OK);
}

static void
test_control_actor__req_and_dealer_clients (void **state)
{
    world_t *world = *state;
    char endpoint [96];
    snprintf (endpoint, sizeof endpoint, "ipc://%s/0", world->folder);
    zsock_t *req = s_patient (zsock_new_req (endpoint));
    zsock_send (req, "b", s_list, sizeof s_list);
    zframe_t *frame = zframe_recv (req);
    assert_non_null (frame);
    zframe_destroy (&frame);
    zsock_destroy (&req);
    s_send (world, (const uint8_t *) "", 0);  //  Empty: VERSION
    assert_int_equal (s_reply (world), FUOTA_OK);
    assert_string_equal (world->reply.version, "fuotad test");
}

static void
test_control_actor__commits_then_tells_then_answers (void **state)
{
    world_t *world = *state;
    s_send_deploy (world);
    zframe_t *batch = zframe_recv (world->store);
    assert_non_null (batch);
    //  Not told and not answered before it is on disk
    assert_int_equal (zsock_events (world->deployments) & ZMQ_POLLIN, 0);
    assert_int_equal (zsock_events (world->client) & ZMQ_POLLIN, 0);
    zframe_destroy (&batch);
    zsock_send (world->store, "b", "\0", (size_t) 1);
    zmsg_t *word = zmsg_recv (world->deployments);
    assert_non_null (word);
    assert_int_equal (zmsg_size (word), 3);
    assert_true (zframe_streq (zmsg_first (word), "C"));
    assert_int_equal (*zframe_data (zmsg_next (word)), FUOTA_OP_CREATED);
    assert_int_equal (zframe_size (zmsg_next (word)), FUOTA_ID_SIZE);
    assert_int_equal (s_reply (world), FUOTA_OK);
    char id [33];
    for (size_t i = 0; i < FUOTA_ID_SIZE; i++)
        snprintf (id + 2 * i, 3, "%02x", zframe_data (zmsg_last (word)) [i]);
    assert_string_equal (world->reply.summaries [0].id, id);
    zmsg_destroy (&word);
}

static void
test_control_actor__refused_commit_is_told (void **state)
{
    world_t *world = *state;
    s_send_deploy (world);
    zframe_t *batch = s_commit (world, 1);
    zframe_destroy (&batch);
    assert_int_equal (s_reply (world), FUOTA_FAILED);
    assert_int_equal (zsock_events (world->deployments) & ZMQ_POLLIN, 0);
    //  And the next one goes through
    s_send_deploy (world);
    batch = s_commit (world, 0);
    zframe_destroy (&batch);
    assert_int_equal (s_reply (world), FUOTA_OK);
}

static void
test_control_actor__orders_reach_the_worker (void **state)
{
    world_t *world = *state;
    s_send_deploy (world);
    zframe_t *batch = s_commit (world, 0);
    zframe_destroy (&batch);
    assert_int_equal (s_reply (world), FUOTA_OK);
    zmsg_t *word = zmsg_recv (world->deployments);
    zmsg_destroy (&word);
    uint8_t order [40] = { 8, FUOTA_CANCEL, 0x12, 32 };
    memcpy (order + 4, world->reply.summaries [0].id, 32);
    s_send (world, order, 36);
    //  Committed before it is told, so that a crash cannot lose it
    batch = s_commit (world, 0);
    zframe_destroy (&batch);
    assert_int_equal (s_reply (world), FUOTA_OK);
    word = zmsg_recv (world->deployments);
    assert_non_null (word);
    zmsg_first (word);
    assert_int_equal (*zframe_data (zmsg_next (word)), FUOTA_OP_CANCEL);
    zmsg_destroy (&word);
}

//  Until the subscription has arrived a line may be lost: a stream of them,
//  and the first that comes is right.
static void
s_line_is_event (world_t *world, zsock_t *from, const fuota_line_t *line,
    const char *topic)
{
    uint8_t bytes [FUOTA_RECORD_MAX];
    size_t size =
        fuota_record_encode (JournalLine_fields, line, bytes, sizeof bytes);
    zmsg_t *event = NULL;
    zsock_set_rcvtimeo (world->events, 10);
    for (int i = 0; i < 500 && !event; i++) {
        zsock_send (from, "b", bytes, size);
        event = zmsg_recv (world->events);
        if (event && !zframe_streq (zmsg_first (event), topic))
            zmsg_destroy (&event);  //  Of the stream before
    }
    assert_non_null (event);
    assert_int_equal (zmsg_size (event), 2);
    zmsg_first (event);
    zframe_t *body = zmsg_next (event);
    assert_int_equal (zframe_size (body), size);
    assert_memory_equal (zframe_data (body), bytes, size);
    zmsg_destroy (&event);
}

static void
test_control_actor__lines_become_events (void **state)
{
    world_t *world = *state;
    fuota_line_t line = { .seq = 7, .what = "end", .name = "complete" };
    memset (line.deployment, 0xab, sizeof line.deployment);
    s_line_is_event (world, world->journal, &line,
        "deployment/abababababababababababababababab/end");
    //  The pool's are of no deployment
    zsock_t *pool = zsock_new_pub ("@inproc://pool-lines");
    assert_non_null (pool);
    line = (fuota_line_t){ .what = "worker", .words = "silent: worker=far" };
    s_line_is_event (world, pool, &line, "pool/worker");
    zsock_destroy (&pool);
}

static void
test_control_actor__peer_that_left_does_no_harm (void **state)
{
    world_t *world = *state;
    char endpoint [96];
    snprintf (endpoint, sizeof endpoint, "ipc://%s/0", world->folder);
    zsock_t *gone = s_patient (zsock_new_dealer (endpoint));
    zsock_send (gone, "b", s_deploy, sizeof s_deploy);
    s_know (world);
    zframe_t *batch = zframe_recv (world->store);
    assert_non_null (batch);
    zframe_destroy (&batch);
    zsock_destroy (&gone);
    zsock_send (world->store, "b", "\0", (size_t) 1);
    s_send (world, s_list, sizeof s_list);
    assert_int_equal (s_reply (world), FUOTA_OK);
}

static void
test_control_actor__bad_endpoint_is_an_answer (void **state)
{
    world_t *world = *state;
    char endpoint [96];
    fuota_control_args_t args = { .control = NULL };
    snprintf (endpoint, sizeof endpoint, "ipc://%s/2", world->folder);
    assert_int_equal (fuota_control_bind (&args, endpoint, "nonsense"), -1);
    assert_null (args.requests);
    assert_null (args.events);
}

//  ---------------------------------------------------------------------
//  Questions to the host

static const uint8_t s_check [] = { 8, FUOTA_CHECK };

static void
s_tell (world_t *world, uint64_t serial, const char *what, bool last)
{
    fuota_answer_t answer = { .serial = serial, .last = last };
    answer.findings_count = 1;
    answer.findings [0].level = FUOTA_FINDING_WRONG;
    snprintf (answer.findings [0].what, sizeof answer.findings [0].what, "%s",
        what);
    s_answer (world, &answer);
}

static bool
s_found (const world_t *world, const char *what)
{
    for (pb_size_t i = 0; i < world->reply.findings_count; i++)
        if (streq (world->reply.findings [i].what, what))
            return true;
    return false;
}

//  While one client waits for the host others are answered; parts of an answer
//  are put together; what is no answer is dropped.
static void
test_control_actor__a_question_holds_up_nobody (void **state)
{
    world_t *world = *state;
    char endpoint [96];
    snprintf (endpoint, sizeof endpoint, "ipc://%s/0", world->folder);
    s_send (world, s_check, sizeof s_check);
    fuota_question_t question = s_asked (world);
    assert_int_equal (question.kind, FUOTA_QUESTION_CHECK);
    assert_string_equal (question.application, "app");
    zsock_t *other = s_patient (zsock_new_req (endpoint));
    zsock_send (other, "b", s_list, sizeof s_list);
    zframe_t *frame = zframe_recv (other);
    assert_non_null (frame);
    zframe_destroy (&frame);
    zsock_destroy (&other);
    zsock_send (world->host, "b", "nonsense", (size_t) 8);
    zsock_send (world->host, "bb", "", (size_t) 0, "", (size_t) 0);
    s_tell (world, question.serial + 1, "of another", true);
    s_tell (world, question.serial, "first", false);
    s_tell (world, question.serial, "second", true);
    assert_int_equal (s_reply (world), FUOTA_OK);
    assert_true (s_found (world, "fuotad") && s_found (world, "first"));
    assert_true (s_found (world, "second") && s_found (world, "clock"));
    assert_false (s_found (world, "of another"));
    //  Late, and nobody waits for it
    s_tell (world, question.serial, "third", true);
    s_send (world, s_list, sizeof s_list);
    assert_int_equal (s_reply (world), FUOTA_OK);
}

//  Replies of one client come in the order of its requests.
static void
test_control_actor__order_is_kept (void **state)
{
    world_t *world = *state;
    s_send (world, s_check, sizeof s_check);
    fuota_question_t first = s_asked (world);
    s_send (world, s_list, sizeof s_list);
    s_send (world, s_check, sizeof s_check);
    s_send (world, (const uint8_t *) "", 0);
    s_tell (world, first.serial, "first", true);
    assert_int_equal (s_reply (world), FUOTA_OK);
    assert_true (s_found (world, "first"));
    assert_int_equal (s_reply (world), FUOTA_OK);
    assert_int_equal (world->reply.findings_count, 0);
    assert_string_equal (world->reply.version, "");
    fuota_question_t second = s_asked (world);
    assert_true (second.serial != first.serial);
    assert_int_equal (zsock_events (world->client) & ZMQ_POLLIN, 0);
    s_tell (world, second.serial, "second", true);
    assert_int_equal (s_reply (world), FUOTA_OK);
    assert_true (s_found (world, "second"));
    assert_int_equal (s_reply (world), FUOTA_OK);
    assert_string_equal (world->reply.version, "fuotad test");
}

//  More requests than are kept are refused at once, and those that are kept
//  are answered yet.
static void
test_control_actor__too_many_questions (void **state)
{
    world_t *world = *state;
    for (int i = 0; i < FUOTA_CONTROL_HOST_WAITING + 1; i++)
        s_send (world, s_check, sizeof s_check);
    assert_int_equal (s_reply (world), FUOTA_NOT_NOW);
    for (int i = 0; i < FUOTA_CONTROL_HOST_WAITING; i++) {
        s_tell (world, s_asked (world).serial, "told", true);
        assert_int_equal (s_reply (world), FUOTA_OK);
        assert_true (s_found (world, "told"));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (test_control_actor__garbage_is_answered_and_counted),
        TEST (test_control_actor__req_and_dealer_clients),
        TEST (test_control_actor__commits_then_tells_then_answers),
        TEST (test_control_actor__refused_commit_is_told),
        TEST (test_control_actor__orders_reach_the_worker),
        TEST (test_control_actor__lines_become_events),
        TEST (test_control_actor__peer_that_left_does_no_harm),
        TEST (test_control_actor__bad_endpoint_is_an_answer),
        TEST (test_control_actor__a_question_holds_up_nobody),
        TEST (test_control_actor__order_is_kept),
        TEST (test_control_actor__too_many_questions),
    };
    zsys_set_logident ("test");
    int rc = cmocka_run_group_tests_name ("control_actor", tests, NULL, NULL);
    zsys_shutdown ();
    return rc;
}
