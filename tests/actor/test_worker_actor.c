//  SPDX-License-Identifier: MIT
//
//  The worker's shell between its inbox and a store that the test plays. Time
//  is the test's: a word on the pipe makes the actor look at it.

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <cmocka.h>
#include "broker/store.h"
#include "tests/actor/neighbour.h"
#include "tests/scratch.h"
#include "workers/worker_actor.h"

#define START 1767225600000
#define EUI 0x0102030400000001u

static _Atomic int64_t s_time;

static int64_t
s_now (void)
{
    return s_time;
}

static int
s_wait (int64_t at, int limit)
{
    return at <= s_time ? 0 : limit;
}

//  Once armed: an order is committed and told right after a turn has begun, by
//  the only hook there is at that moment.
static _Atomic (scratch_t *) s_armed;
static void s_order (scratch_t *scratch, uint64_t seq);

static bool
s_trusted (void)
{
    scratch_t *scratch = atomic_exchange (&s_armed, NULL);
    if (scratch) {
        zsock_t *push = neighbour_new (ZMQ_PUSH, ">inproc://deployments");
        s_order (scratch, 7);
        zsock_send (push, "sbb", "C", "\2", (size_t) 1, "0123456789abcdef",
            (size_t) FUOTA_ID_SIZE);
        zsock_set_linger (push, -1);
        zsock_destroy (&push);
    }
    return true;
}

typedef struct {
    scratch_t scratch;
    zactor_t *actor;
    zsock_t *store, *push;
} rig_t;

static const uint8_t s_id [FUOTA_ID_SIZE] = { 5, 6, 7 };

//  A deployment with one device that is asked to clear its index.
static void
s_fill (rig_t *rig)
{
    fuota_deployment_t deployment = { .nb_frag = 10,
        .frag_size = 48,
        .retries = 3,
        .uplink_interval = 60,
        .quorum = 100,
        .has_dialect = true,
        .dialect = { 1, 1, 1, 202, 201, 200, 0, 0, false, false } };
    fuota_group_t group = { .phase = FUOTA_SETTING_UP,
        .total = 1,
        .setup_deadline = START + 86400000,
        .wake_at = START + 86400000 };
    fuota_device_t device = { .step = FUOTA_STEP_FRAG_DELETE,
        .has_group = true,
        .asked = FUOTA_ASKED_SENT,
        .tries = 1,
        .sent_at = START - 5000,
        .wake_at = START + 60000,
        .command = { 2, { 0x03, 0x00 } },
        .port = 201 };
    fuota_route_t route = { .has_dialect = true,
        .dialect = deployment.dialect };
    group.at_step [FUOTA_STEP_FRAG_DELETE] = group.ended [0] = 1;
    memcpy (deployment.id, s_id, sizeof s_id);
    scratch_put (&rig->scratch, FUOTA_TABLE_DEPLOYMENT, fuota_key_id (s_id),
        Deployment_fields, &deployment);
    scratch_put (&rig->scratch, FUOTA_TABLE_GROUP, fuota_key_id (s_id),
        Group_fields, &group);
    scratch_put (&rig->scratch, FUOTA_TABLE_DEVICE,
        fuota_key_device (s_id, EUI), Device_fields, &device);
    scratch_put (&rig->scratch, FUOTA_TABLE_ROUTE, fuota_key_route (EUI, s_id),
        Route_fields, &route);
}

//  Be the store once: commit what comes and answer. Rows of the batch.
static size_t
s_commit (rig_t *rig, uint8_t rc)
{
    zframe_t *batch = zframe_recv (rig->store);
    assert_non_null (batch);
    fuota_slice_t bytes =
        fuota_slice (zframe_data (batch), zframe_size (batch));
    fuota_reader_t in = fuota_reader (bytes.data, bytes.size);
    fuota_batch_row_t row;
    size_t rows = 0;
    while (fuota_batch_next (&in, &row) == 1)
        rows++;
    if (!rc)
        assert_int_equal (fuota_db_apply (rig->scratch.db, &bytes, 1), 0);
    zsock_send (rig->store, "b", &rc, (size_t) 1);
    zframe_destroy (&batch);
    return rows;
}

static void
s_order (scratch_t *scratch, uint64_t seq)
{
    uint8_t order [1 + FUOTA_ID_SIZE] = { FUOTA_OPERATE_PAUSE };
    memcpy (order + 1, s_id, sizeof s_id);
    scratch_put_bytes (scratch, FUOTA_TABLE_ORDER, fuota_key_order (seq), order,
        sizeof order);
}

static int
s_setup (void **state)
{
    static rig_t rig;
    rig = (rig_t){ .actor = NULL };
    s_time = START;
    scratch_init (&rig.scratch, 16u << 20, FUOTA_DB_NOSYNC);
    s_fill (&rig);
    fuota_worker_config_t config = { .owner = FUOTA_OWNER_DEPLOYMENT };
    static fuota_worker_args_t args;
    args = (fuota_worker_args_t){ .inbox = "inproc://deployments",
        .now = s_now,
        .wait = s_wait,
        .trusted = s_trusted,
        .commit = fuota_store_commit };
    args.worker = fuota_worker_new (rig.scratch.db, &config, START);
    assert_non_null (args.worker);
    rig.store = neighbour_new (ZMQ_REP, "inproc://store");
    rig.actor = zactor_new (fuota_worker_actor, &args);
    rig.push = neighbour_new (ZMQ_PUSH, ">inproc://deployments");
    *state = &rig;
    return 0;
}

static int
s_teardown (void **state)
{
    rig_t *rig = *state;
    zsock_destroy (&rig->push);
    zactor_destroy (&rig->actor);
    neighbour_freed ("inproc://deployments");
    neighbour_destroy (&rig->store, "inproc://store");
    scratch_release (&rig->scratch);
    return 0;
}

typedef struct {
    uint64_t events, commands, outcomes, deadlines, malformed, steps, refused;
} stats_t;

static stats_t
s_stats (rig_t *rig)
{
    stats_t stats;
    char *word = NULL;
    uint64_t spare;
    zstr_send (rig->actor, "STATS");
    assert_int_equal (zsock_recv (rig->actor, "s88888888", &word, &stats.events,
                          &stats.commands, &stats.outcomes, &stats.deadlines,
                          &stats.malformed, &stats.steps, &stats.refused,
                          &spare),
        0);
    assert_string_equal (word, "STATS");
    zstr_free (&word);
    return stats;
}

static fuota_device_t
s_device (rig_t *rig)
{
    fuota_device_t device;
    assert_int_equal (scratch_get (&rig->scratch, FUOTA_TABLE_DEVICE,
                          fuota_key_device (s_id, EUI), Device_fields, &device),
        0);
    return device;
}

static void
s_event (rig_t *rig, uint32_t port, const char *bytes, size_t size)
{
    uint8_t body [FUOTA_RECORD_MAX];
    fuota_event_t event = { .dev_eui = EUI,
        .f_port = port,
        .received_at = s_time };
    event.data.size = (pb_size_t) size;
    memcpy (event.data.bytes, bytes, size);
    size = fuota_record_encode (Event_fields, &event, body, sizeof body);
    zsock_send (rig->push, "sb", "E", body, size);
}

static void
s_outcome (rig_t *rig, OutcomeKind kind, uint64_t row)
{
    uint8_t body [FUOTA_RECORD_MAX];
    fuota_outcome_t outcome = { .kind = kind,
        .row = row,
        .owner = FUOTA_OWNER_DEPLOYMENT,
        .dev_eui = EUI };
    memcpy (outcome.deployment, s_id, sizeof s_id);
    size_t size =
        fuota_record_encode (Outcome_fields, &outcome, body, sizeof body);
    zsock_send (rig->push, "sb", "O", body, size);
}

//  Frames of every wrong shape: counted, dropped; the next good one works.
static void
test_worker_actor__garbage_is_counted (void **state)
{
    rig_t *rig = *state;
    static const uint8_t noise [40] = { 0x0f, 0xff, 0x0f };
    zsock_send (rig->push, "z");
    zsock_send (rig->push, "s", "E");
    zsock_send (rig->push, "sb", "EE", noise, sizeof noise);
    zsock_send (rig->push, "zb", noise, sizeof noise);
    zsock_send (rig->push, "sb", "X", noise, sizeof noise);
    zsock_send (rig->push, "sb", "E", noise, sizeof noise);
    zsock_send (rig->push, "sb", "O", noise, sizeof noise);
    zsock_send (rig->push, "s", "C");
    zsock_send (rig->push, "sz", "C");
    zsock_send (rig->push, "sb", "C", "\2", (size_t) 1);
    zsock_send (rig->push, "sbb", "C", "\2", (size_t) 1, noise, sizeof noise);
    zsock_send (rig->push, "sbb", "C", "\2\2", (size_t) 2, s_id, sizeof s_id);
    for (size_t size = 1; size < sizeof noise; size++)
        zsock_send (rig->push, "b", noise, size);
    s_event (rig, 201, "\x03\x00", 2);
    assert_true (s_commit (rig, 0) > 0);
    assert_int_equal (s_device (rig).step, FUOTA_STEP_FRAG_SETUP);
    stats_t stats = s_stats (rig);
    assert_int_equal (stats.malformed, 12 + sizeof noise - 1);
    assert_int_equal (stats.events, 1);
}

//  An uplink leads to a row; in the same batch as the device.
static void
test_worker_actor__uplink_to_row (void **state)
{
    rig_t *rig = *state;
    s_event (rig, 201, "\x03\x00", 2);
    s_commit (rig, 0);
    fuota_device_t device = s_device (rig);
    fuota_row_t row;
    assert_int_equal (device.asked, FUOTA_ASKED_QUEUED);
    assert_int_equal (scratch_get (&rig->scratch, FUOTA_TABLE_OUTBOX,
                          fuota_key_outbox (FUOTA_OWNER_DEPLOYMENT, device.row),
                          OutboxRow_fields, &row),
        0);
    assert_int_equal (row.data.bytes [0], 0x02);
    //  And its outcome
    s_outcome (rig, FUOTA_SENT, device.row);
    s_commit (rig, 0);
    assert_int_equal (s_device (rig).asked, FUOTA_ASKED_SENT);
    assert_int_equal (scratch_count (&rig->scratch, FUOTA_TABLE_OUTBOX), 0);
}

//  What changes nothing is not committed; a deadline is, once its time has
//  come and something makes the actor look at the clock.
static void
test_worker_actor__deadlines (void **state)
{
    rig_t *rig = *state;
    zsock_send (rig->push, "s", "nothing");
    s_stats (rig);
    s_time = START + 3600000;
    zsock_send (rig->push, "s", "nothing");
    s_commit (rig, 0);
    //  Asked once more
    assert_int_equal (s_device (rig).tries, 2);
    assert_int_equal (s_device (rig).asked, FUOTA_ASKED_QUEUED);
}

//  The word is a hint; the order is in the database, and goes with what it
//  brought about.
static void
test_worker_actor__operators_word (void **state)
{
    rig_t *rig = *state;
    fuota_group_t group;
    s_order (&rig->scratch, 1);
    scratch_put_bytes (&rig->scratch, FUOTA_TABLE_ORDER, fuota_key_order (2),
        "cut", 3);
    zsock_send (rig->push, "sbb", "C", "\2", (size_t) 1, s_id, sizeof s_id);
    s_commit (rig, 0);
    assert_int_equal (scratch_count (&rig->scratch, FUOTA_TABLE_ORDER), 0);
    assert_int_equal (scratch_get (&rig->scratch, FUOTA_TABLE_GROUP,
                          fuota_key_id (s_id), Group_fields, &group),
        0);
    assert_true (group.paused);
}

//  What is told was committed before: a turn that began earlier must not take
//  the word and miss the order.
static void
test_worker_actor__word_during_a_turn (void **state)
{
    rig_t *rig = *state;
    fuota_group_t group;
    //  The first turn needs no message and must be over: it is not the one
    s_event (rig, 201, "\x03\x00", 2);
    s_commit (rig, 0);
    s_armed = &rig->scratch;
    s_event (rig, 1, "\x01", 1);
    for (;;) {
        assert_int_equal (scratch_get (&rig->scratch, FUOTA_TABLE_GROUP,
                              fuota_key_id (s_id), Group_fields, &group),
            0);
        if (group.paused)
            break;
        s_commit (rig, 0);
    }
    assert_null (s_armed);
    assert_int_equal (scratch_count (&rig->scratch, FUOTA_TABLE_ORDER), 0);
}

//  A turn may take many messages, and ends in one commit.
static void
test_worker_actor__one_commit_a_turn (void **state)
{
    rig_t *rig = *state;
    //  While the first turn waits for the store, the others gather
    s_event (rig, 201, "\x03\x00", 2);
    zframe_t *batch = zframe_recv (rig->store);
    assert_non_null (batch);
    zframe_destroy (&batch);
    for (uint64_t row = 1; row <= 100; row++)
        s_outcome (rig, FUOTA_EXPIRED, row);
    zsock_send (rig->store, "b", "\0", (size_t) 1);
    assert_true (s_commit (rig, 0) > 100);
}

//  A batch that was refused is the end: what it wanted did not happen.
static void
test_worker_actor__ends_without_a_store (void **state)
{
    rig_t *rig = *state;
    s_event (rig, 201, "\x03\x00", 2);
    s_commit (rig, 1);
    assert_true (neighbour_ended (rig->actor));
    assert_int_equal (s_device (rig).step, FUOTA_STEP_FRAG_DELETE);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (test_worker_actor__garbage_is_counted),
        TEST (test_worker_actor__uplink_to_row),
        TEST (test_worker_actor__deadlines),
        TEST (test_worker_actor__operators_word),
        TEST (test_worker_actor__word_during_a_turn),
        TEST (test_worker_actor__one_commit_a_turn),
        TEST (test_worker_actor__ends_without_a_store),
    };
    zsys_set_logident ("test");
    int rc = cmocka_run_group_tests_name ("worker_actor", tests, NULL, NULL);
    zsys_shutdown ();
    return rc;
}
