//  SPDX-License-Identifier: MIT
//
//  The outbox's shell: the test is the store that wakes it, the host, and
//  both workers.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "broker/clock.h"
#include "broker/outbox_actor.h"
#include "tests/actor/neighbour.h"
#include "tests/scratch.h"

typedef struct {
    scratch_t scratch;
    zactor_t *actor;
    zsock_t *host, *deployments, *clock, *push;
} rig_t;

static int
s_setup (void **state)
{
    static rig_t rig;
    rig = (rig_t){ .actor = NULL };
    scratch_init (&rig.scratch, 16u << 20, FUOTA_DB_NOSYNC);
    rig.host = neighbour_new (ZMQ_PULL, "inproc://host");
    rig.deployments = neighbour_new (ZMQ_PULL, "inproc://deployments");
    rig.clock = neighbour_new (ZMQ_PULL, "inproc://clock");
    static fuota_outbox_args_t args;
    args =
        (fuota_outbox_args_t){ .outbox = fuota_outbox_new (rig.scratch.db, 1),
            .host = zsock_new_push (">inproc://host") };
    assert_non_null (args.outbox);
    rig.actor = zactor_new (fuota_outbox_actor, &args);
    rig.push = neighbour_new (ZMQ_PUSH, ">inproc://outbox");
    *state = &rig;
    return 0;
}

static int
s_teardown (void **state)
{
    rig_t *rig = *state;
    zsock_destroy (&rig->push);
    zactor_destroy (&rig->actor);
    neighbour_freed ("inproc://outbox");
    neighbour_destroy (&rig->host, "inproc://host");
    neighbour_destroy (&rig->deployments, "inproc://deployments");
    neighbour_destroy (&rig->clock, "inproc://clock");
    scratch_release (&rig->scratch);
    return 0;
}

static void
s_add (rig_t *rig, fuota_owner_t owner, uint64_t number, uint64_t dev_eui)
{
    fuota_row_t row = { .kind = FUOTA_UNICAST,
        .dev_eui = dev_eui,
        .f_port = 200,
        .data = { 2, { 0x03, 0x01 } },
        .created = fuota_clock_now (),
        .expires_at = fuota_clock_now () + 3600000 };
    scratch_put (&rig->scratch, FUOTA_TABLE_OUTBOX,
        fuota_key_outbox (owner, number), OutboxRow_fields, &row);
}

static fuota_downlink_t
s_downlink (rig_t *rig)
{
    fuota_downlink_t downlink;
    zframe_t *frame = zframe_recv (rig->host);
    assert_non_null (frame);
    assert_false (zframe_more (frame));
    assert_int_equal (fuota_record_decode (Downlink_fields, &downlink,
                          fuota_slice (zframe_data (frame),
                              zframe_size (frame))),
        0);
    zframe_destroy (&frame);
    return downlink;
}

static void
s_say (rig_t *rig, OutcomeKind kind, uint32_t owner, uint64_t row)
{
    uint8_t body [FUOTA_RECORD_MAX];
    fuota_outcome_t outcome = { .kind = kind, .row = row, .owner = owner };
    size_t size =
        fuota_record_encode (Outcome_fields, &outcome, body, sizeof body);
    zsock_send (rig->push, "sb", "O", body, size);
}

static uint64_t
s_told (zsock_t *worker, OutcomeKind kind)
{
    fuota_outcome_t outcome;
    zmsg_t *msg = zmsg_recv (worker);
    assert_non_null (msg);
    assert_int_equal (zmsg_size (msg), 2);
    assert_true (zframe_streq (zmsg_first (msg), "O"));
    zframe_t *body = zmsg_next (msg);
    assert_int_equal (fuota_record_decode (Outcome_fields, &outcome,
                          fuota_slice (zframe_data (body), zframe_size (body))),
        0);
    assert_int_equal (outcome.kind, kind);
    zmsg_destroy (&msg);
    return outcome.row;
}

typedef struct {
    uint64_t rows, handed, retried, counters_read, expired, open;
} stats_t;

static stats_t
s_stats (rig_t *rig)
{
    stats_t stats;
    char *word = NULL;
    zstr_send (rig->actor, "STATS");
    assert_int_equal (zsock_recv (rig->actor, "s888888", &word, &stats.rows,
                          &stats.handed, &stats.retried, &stats.counters_read,
                          &stats.expired, &stats.open),
        0);
    zstr_free (&word);
    return stats;
}

//  Rows to the host, outcomes to the worker that owns the row.
static void
test_outbox_actor__there_and_back (void **state)
{
    rig_t *rig = *state;
    s_add (rig, FUOTA_OWNER_DEPLOYMENT, 1, 0xa);
    s_add (rig, FUOTA_OWNER_CLOCK, 1, 0xb);
    zstr_send (rig->push, "W");
    for (unsigned i = 0; i < 2; i++) {
        fuota_downlink_t downlink = s_downlink (rig);
        assert_int_equal (downlink.row, 1);
        assert_int_equal (downlink.owner, downlink.dev_eui == 0xa
                                              ? FUOTA_OWNER_DEPLOYMENT
                                              : FUOTA_OWNER_CLOCK);
        assert_int_equal (downlink.data.size, 2);
    }
    s_say (rig, FUOTA_TAKEN, FUOTA_OWNER_CLOCK, 1);
    s_say (rig, FUOTA_SENT, FUOTA_OWNER_CLOCK, 1);
    s_say (rig, FUOTA_NEVER, FUOTA_OWNER_DEPLOYMENT, 1);
    assert_int_equal (s_told (rig->clock, FUOTA_SENT), 1);
    assert_int_equal (s_told (rig->deployments, FUOTA_NEVER), 1);
    assert_true (neighbour_quiet (rig->clock));
    assert_int_equal (s_stats (rig).handed, 2);
}

//  A host whose other end began anew is told where the second giving begins:
//  what came before that is of the first, and would be doubled.
static void
test_outbox_actor__begins_anew (void **state)
{
    rig_t *rig = *state;
    s_add (rig, FUOTA_OWNER_DEPLOYMENT, 1, 0xa);
    zstr_send (rig->push, "W");
    assert_int_equal (s_downlink (rig).row, 1);
    zstr_send (rig->push, "R");
    zframe_t *frame = zframe_recv (rig->host);
    assert_non_null (frame);
    assert_int_equal (zframe_size (frame), 0);
    zframe_destroy (&frame);
    assert_int_equal (s_downlink (rig).row, 1);
}

//  The store's word may be lost: it looks by itself.
static void
test_outbox_actor__looks_by_itself (void **state)
{
    rig_t *rig = *state;
    s_add (rig, FUOTA_OWNER_DEPLOYMENT, 1, 0xa);
    assert_int_equal (s_downlink (rig).row, 1);
}

static void
test_outbox_actor__garbage_has_no_effect (void **state)
{
    rig_t *rig = *state;
    static const uint8_t noise [40] = { 0x0f, 0xff, 0x0f };
    s_add (rig, FUOTA_OWNER_DEPLOYMENT, 1, 0xa);
    zstr_send (rig->push, "W");
    assert_int_equal (s_downlink (rig).row, 1);
    zsock_send (rig->push, "z");
    zsock_send (rig->push, "s", "O");
    zsock_send (rig->push, "sz", "X");
    zsock_send (rig->push, "sb", "O", noise, sizeof noise);
    for (size_t size = 1; size < sizeof noise; size++)
        zsock_send (rig->push, "b", noise, size);
    //  Owners there are not
    static const uint32_t owners [] = { 0, 3, UINT32_MAX };
    for (size_t i = 0; i < 3; i++)
        s_say (rig, FUOTA_SENT, owners [i], 1);
    s_say (rig, FUOTA_SENT, FUOTA_OWNER_DEPLOYMENT, 1);
    assert_int_equal (s_told (rig->deployments, FUOTA_SENT), 1);
    assert_true (neighbour_quiet (rig->deployments));
    assert_true (neighbour_quiet (rig->clock));
}

//  A line of a device moves on when the worker's commit has taken its head
//  from the table.
static void
test_outbox_actor__next_in_line (void **state)
{
    rig_t *rig = *state;
    fuota_batch_t batch = { 0 };
    fuota_key_t key = fuota_key_outbox (FUOTA_OWNER_DEPLOYMENT, 1);
    s_add (rig, FUOTA_OWNER_DEPLOYMENT, 1, 0xa);
    s_add (rig, FUOTA_OWNER_DEPLOYMENT, 2, 0xa);
    zstr_send (rig->push, "W");
    assert_int_equal (s_downlink (rig).row, 1);
    s_say (rig, FUOTA_SENT, FUOTA_OWNER_DEPLOYMENT, 1);
    s_told (rig->deployments, FUOTA_SENT);
    assert_true (neighbour_quiet (rig->host));
    fuota_batch_del (&batch, FUOTA_TABLE_OUTBOX, &key);
    scratch_commit (&rig->scratch, &batch);
    zstr_send (rig->push, "W");
    assert_int_equal (s_downlink (rig).row, 2);
}

//  The host is busy: given again after a while, by the clock.
static void
test_outbox_actor__retry_comes_again (void **state)
{
    rig_t *rig = *state;
    s_add (rig, FUOTA_OWNER_DEPLOYMENT, 1, 0xa);
    zstr_send (rig->push, "W");
    assert_int_equal (s_downlink (rig).row, 1);
    s_say (rig, FUOTA_RETRY, FUOTA_OWNER_DEPLOYMENT, 1);
    assert_int_equal (s_downlink (rig).row, 1);
    assert_int_equal (s_stats (rig).retried, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (test_outbox_actor__there_and_back),
        TEST (test_outbox_actor__begins_anew),
        TEST (test_outbox_actor__looks_by_itself),
        TEST (test_outbox_actor__garbage_has_no_effect),
        TEST (test_outbox_actor__next_in_line),
        TEST (test_outbox_actor__retry_comes_again),
    };
    //  Ten times as fast: waits are of the engine's time
    fuota_clock_set (10, 1767225600000);
    zsys_set_logident ("test");
    int rc = cmocka_run_group_tests_name ("outbox_actor", tests, NULL, NULL);
    zsys_shutdown ();
    return rc;
}
