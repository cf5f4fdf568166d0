//  SPDX-License-Identifier: MIT
//
//  The outbox on a small database; the test is host, worker and clock.
//
//  Parts: the rig; lines; the host's answers; fragments; expiry and rows
//  withdrawn; what a downlink holds; sizes.

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "broker/outbox.h"
#include "tests/scratch.h"
#include "workers/package/mckey.h"

#define START 1767225600000
#define PATIENCE 30000
#define GRACE 2000  //  A fragment found at start
#define HOUR 3600000

#define D FUOTA_OWNER_DEPLOYMENT
#define C FUOTA_OWNER_CLOCK

typedef struct {
    scratch_t scratch;
    fuota_outbox_t *outbox;
    int64_t now;
    //  Of the last turn
    fuota_downlink_t down [600];
    size_t down_count;
    fuota_outcome_t told [64];
    size_t told_count;
} rig_t;

static const uint8_t s_id [FUOTA_ID_SIZE] = { 1, 2, 3 };
static uint8_t s_image [100];

static int
s_setup (void **state)
{
    static rig_t rig;
    rig = (rig_t){ .now = START };
    scratch_init (&rig.scratch, 16u << 20, FUOTA_DB_NOSYNC);
    fuota_deployment_t deployment = { .nb_frag = 3,
        .frag_size = 40,
        .padding = 20,
        .image_size = sizeof s_image,
        .has_dialect = true,
        .dialect = { .ts004 = 1, .port004 = 201 },
        .mc_addr = 0x01020304,
        .tags_count = 1 };
    memcpy (deployment.id, s_id, sizeof s_id);
    memset (deployment.mc_key, 9, sizeof deployment.mc_key);
    strcpy (deployment.tags [0].key, "firmware");
    scratch_put (&rig.scratch, FUOTA_TABLE_DEPLOYMENT, fuota_key_id (s_id),
        Deployment_fields, &deployment);
    for (size_t i = 0; i < sizeof s_image; i++)
        s_image [i] = (uint8_t) (i + 1);
    scratch_put_bytes (&rig.scratch, FUOTA_TABLE_BLOB,
        fuota_key_bytes (deployment.image, 32), s_image, sizeof s_image);
    rig.outbox = fuota_outbox_new (rig.scratch.db, 1);
    assert_non_null (rig.outbox);
    *state = &rig;
    return 0;
}

static int
s_teardown (void **state)
{
    rig_t *rig = *state;
    fuota_outbox_destroy (&rig->outbox);
    fuota_outbox_destroy (&rig->outbox);
    scratch_release (&rig->scratch);
    return 0;
}

static void
s_restart (rig_t *rig)
{
    fuota_outbox_destroy (&rig->outbox);
    scratch_reopen (&rig->scratch);
    rig->outbox = fuota_outbox_new (rig->scratch.db, 1);
}

static fuota_row_t
s_row (DownlinkKind kind, uint64_t dev_eui)
{
    fuota_row_t row = { .kind = kind,
        .dev_eui = dev_eui,
        .f_port = 200,
        .expires_at = START + HOUR,
        .created = START };
    memcpy (row.deployment, s_id, sizeof s_id);
    return row;
}

static void
s_put (rig_t *rig, unsigned owner, uint64_t number, const fuota_row_t *row)
{
    scratch_put (&rig->scratch, FUOTA_TABLE_OUTBOX,
        fuota_key_outbox ((fuota_owner_t) owner, number), OutboxRow_fields,
        row);
}

static void
s_add (rig_t *rig, unsigned owner, uint64_t number, DownlinkKind kind,
    uint64_t dev_eui)
{
    fuota_row_t row = s_row (kind, dev_eui);
    s_put (rig, owner, number, &row);
}

static void
s_add_fragment (rig_t *rig, uint64_t number, uint32_t n, uint32_t f_cnt)
{
    fuota_row_t row = s_row (FUOTA_FRAGMENT, 0);
    row.n = n;
    row.f_cnt = f_cnt;
    row.f_port = 201;
    s_put (rig, D, number, &row);
}

//  The worker's part: the row leaves the table.
static void
s_del (rig_t *rig, unsigned owner, uint64_t number)
{
    fuota_batch_t batch = { 0 };
    fuota_key_t key = fuota_key_outbox ((fuota_owner_t) owner, number);
    fuota_batch_del (&batch, FUOTA_TABLE_OUTBOX, &key);
    scratch_commit (&rig->scratch, &batch);
}

//  A turn with at most one word of the host.
static void
s_turn (rig_t *rig, const fuota_outcome_t *outcome)
{
    rig->down_count = rig->told_count = 0;
    assert_int_equal (fuota_outbox_begin (rig->outbox, rig->now), 0);
    if (outcome)
        fuota_outbox_outcome (rig->outbox, outcome);
    fuota_outbox_wake (rig->outbox);
    while (fuota_outbox_downlink (rig->outbox, &rig->down [rig->down_count]))
        assert_true (++rig->down_count < 600);
    while (fuota_outbox_forward (rig->outbox, &rig->told [rig->told_count]))
        assert_true (++rig->told_count < 64);
    fuota_outbox_end (rig->outbox);
}

static void
s_say (rig_t *rig, OutcomeKind kind, unsigned owner, uint64_t row,
    uint32_t f_cnt)
{
    fuota_outcome_t outcome = { .kind = kind,
        .row = row,
        .owner = owner,
        .f_cnt = f_cnt,
        .words = "words" };
    s_turn (rig, &outcome);
}

//  On to a time at which something is due.
static void
s_until (rig_t *rig, int64_t at)
{
    if (fuota_outbox_due (rig->outbox) > at)
        fail_msg ("nothing due until then");
    rig->now = at;
    s_turn (rig, NULL);
}

static void
s_handed (rig_t *rig, size_t count, const uint64_t *rows)
{
    if (rig->down_count != count)
        fail_msg ("%zu handed over", rig->down_count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal (rig->down [i].row, rows [i]);
}

static void
s_nothing (rig_t *rig)
{
    assert_int_equal (rig->down_count, 0);
    assert_int_equal (rig->told_count, 0);
}

static void
s_told (rig_t *rig, OutcomeKind kind, uint64_t row)
{
    assert_int_equal (rig->told_count, 1);
    assert_int_equal (rig->told [0].kind, kind);
    assert_int_equal (rig->told [0].row, row);
}

static fuota_outbox_stats_t
s_stats (rig_t *rig)
{
    fuota_outbox_stats_t stats;
    fuota_outbox_stats (rig->outbox, &stats);
    return stats;
}

//  ---------------------------------------------------------------------
//  Lines

static void
test_outbox__empty_is_quiet (void **state)
{
    rig_t *rig = *state;
    s_turn (rig, NULL);
    s_nothing (rig);
    assert_true (fuota_outbox_due (rig->outbox) == INT64_MAX);
    //  Rows that cannot be read are passed over
    scratch_put_bytes (&rig->scratch, FUOTA_TABLE_OUTBOX,
        fuota_key_outbox (D, 1), "\x0f", 1);
    s_turn (rig, NULL);
    s_nothing (rig);
    //  Words of rows nobody knows: only a fate is passed on
    static const struct {
        OutcomeKind kind;
        size_t told;
    } cases [] = { { FUOTA_TAKEN, 0 }, { FUOTA_DONE, 0 }, { FUOTA_RETRY, 0 },
        { FUOTA_NEVER, 0 }, { FUOTA_SENT, 1 }, { FUOTA_REFUSED, 1 },
        { FUOTA_EXPIRED, 1 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        s_say (rig, cases [i].kind, D, 7, 0);
        assert_int_equal (rig->told_count, cases [i].told);
        assert_int_equal (rig->down_count, 0);
    }
}

static void
test_outbox__one_for_a_device_at_a_time (void **state)
{
    rig_t *rig = *state;
    s_turn (rig, NULL);
    s_add (rig, D, 1, FUOTA_UNICAST, 0xa);
    s_add (rig, D, 2, FUOTA_UNICAST, 0xa);
    s_add (rig, D, 3, FUOTA_UNICAST, 0xb);
    s_add (rig, C, 9, FUOTA_UNICAST, 0xa);
    s_turn (rig, NULL);
    s_handed (rig, 2, (uint64_t []){ 1, 3 });
    s_say (rig, FUOTA_TAKEN, D, 1, 5);
    s_nothing (rig);
    s_say (rig, FUOTA_SENT, D, 1, 0);
    s_told (rig, FUOTA_SENT, 1);
    //  Told, but still in the table: nobody passes it
    assert_int_equal (rig->down_count, 0);
    s_say (rig, FUOTA_SENT, D, 1, 0);
    s_nothing (rig);
    s_del (rig, D, 1);
    s_turn (rig, NULL);
    s_handed (rig, 1, (uint64_t []){ 2 });
    //  A row that is gone before its turn is passed over
    s_del (rig, C, 9);
    s_say (rig, FUOTA_NEVER, D, 2, 0);
    s_told (rig, FUOTA_NEVER, 2);
    s_del (rig, D, 2);
    s_turn (rig, NULL);
    s_turn (rig, NULL);
    s_nothing (rig);
    assert_int_equal (s_stats (rig).open, 1);
}

//  Found at start: by their time, whatever their owners and numbers.
static void
test_outbox__order_found_at_start (void **state)
{
    rig_t *rig = *state;
    static const struct {
        unsigned owner;
        uint64_t number;
        int64_t created;
    } rows [] = { { D, 10, 300 }, { D, 11, 301 }, { C, 5, 200 }, { C, 6, 301 },
        { C, 7, 400 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fuota_row_t row = s_row (FUOTA_UNICAST, 0xa);
        row.created = START - 1000 + rows [i].created;
        s_put (rig, rows [i].owner, rows [i].number, &row);
    }
    static const struct {
        unsigned owner;
        uint64_t number;
    } order [] = { { C, 5 }, { D, 10 }, { D, 11 }, { C, 6 }, { C, 7 } };
    s_turn (rig, NULL);
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        s_handed (rig, 1, &order [i].number);
        assert_int_equal (rig->down [0].owner, order [i].owner);
        assert_true (rig->down [0].perhaps);  //  Of an earlier life
        s_say (rig, FUOTA_SENT, order [i].owner, order [i].number, 0);
        s_del (rig, order [i].owner, order [i].number);
        s_turn (rig, NULL);
    }
    s_nothing (rig);
}

static void
test_outbox__calls_do_not_wait_group_rows_do (void **state)
{
    rig_t *rig = *state;
    s_turn (rig, NULL);
    s_add (rig, D, 1, FUOTA_UNICAST, 0xa);
    s_add (rig, D, 2, FUOTA_KEYS, 0xa);
    s_add (rig, D, 3, FUOTA_TAGS, 0xa);
    s_add (rig, D, 4, FUOTA_FLUSH, 0);
    s_add (rig, D, 5, FUOTA_GROUP_DELETE, 0);
    s_turn (rig, NULL);
    s_handed (rig, 4, (uint64_t []){ 1, 2, 3, 4 });
    s_say (rig, FUOTA_DONE, D, 4, 0);
    s_told (rig, FUOTA_DONE, 4);
    s_del (rig, D, 4);
    s_turn (rig, NULL);
    s_handed (rig, 1, (uint64_t []){ 5 });
    //  A key is passed on once and leaves no trace in the index
    s_say (rig, FUOTA_DONE, D, 2, 0);
    s_told (rig, FUOTA_DONE, 2);
    s_say (rig, FUOTA_DONE, D, 2, 0);
    s_nothing (rig);
}

//  ---------------------------------------------------------------------
//  The host's answers

static void
test_outbox__retry_backs_off (void **state)
{
    rig_t *rig = *state;
    s_turn (rig, NULL);
    s_add (rig, D, 1, FUOTA_KEYS, 0xa);
    s_turn (rig, NULL);
    for (unsigned i = 0; i < 12; i++) {
        s_handed (rig, 1, (uint64_t []){ 1 });
        s_say (rig, FUOTA_RETRY, D, 1, 0);
        s_nothing (rig);
        s_say (rig, FUOTA_RETRY, D, 1, 0);  //  Said twice: once is enough
        int64_t least = i < 6 ? 1000ll << i : 60000;
        int64_t said = rig->now;
        while (!rig->down_count)
            s_until (rig, fuota_outbox_due (rig->outbox));
        int64_t wait = rig->now - said;
        if (wait < least || wait > least * 3 / 2)
            fail_msg ("retry %u after %d ms", i, (int) wait);
    }
    assert_int_equal (s_stats (rig).retried, 12);
}

static void
test_outbox__no_answer_is_given_again (void **state)
{
    rig_t *rig = *state;
    s_turn (rig, NULL);
    s_add (rig, D, 1, FUOTA_UNICAST, 0xa);
    s_turn (rig, NULL);
    s_handed (rig, 1, (uint64_t []){ 1 });
    assert_false (rig->down [0].perhaps);
    rig->now += PATIENCE - 1;
    s_turn (rig, NULL);
    s_nothing (rig);
    s_until (rig, rig->now + 1);
    s_handed (rig, 1, (uint64_t []){ 1 });
    assert_true (rig->down [0].perhaps);
    //  Both answers come
    s_say (rig, FUOTA_TAKEN, D, 1, 0);
    s_say (rig, FUOTA_TAKEN, D, 1, 0);
    s_nothing (rig);
    s_say (rig, FUOTA_RETRY, D, 1, 0);  //  Late: it was taken
    rig->now += 10 * PATIENCE;
    s_turn (rig, NULL);
    s_nothing (rig);
}

//  The host began anew: what it had not answered comes at once, what it had in
//  a queue does not, and a fragment only after its counter was read.
static void
test_outbox__host_began_anew (void **state)
{
    rig_t *rig = *state;
    s_turn (rig, NULL);
    s_add (rig, D, 1, FUOTA_UNICAST, 0xa);
    s_add (rig, D, 2, FUOTA_UNICAST, 0xb);
    s_add (rig, D, 3, FUOTA_KEYS, 0xc);
    s_add_fragment (rig, 4, 1, 40);
    s_turn (rig, NULL);
    s_handed (rig, 4, (uint64_t []){ 1, 2, 3, 4 });
    s_say (rig, FUOTA_TAKEN, D, 2, 0);
    for (unsigned i = 0; i < 5; i++) {
        s_say (rig, FUOTA_RETRY, D, 3, 0);
        if (i < 4)
            s_until (rig, fuota_outbox_due (rig->outbox));
    }
    s_nothing (rig);
    assert_int_equal (fuota_outbox_begin (rig->outbox, rig->now), 0);
    fuota_outbox_renew (rig->outbox);
    fuota_outbox_end (rig->outbox);
    s_turn (rig, NULL);
    s_handed (rig, 3, (uint64_t []){ 1, 3, 4 });
    assert_int_equal (rig->down [0].kind, FUOTA_UNICAST);
    assert_int_equal (rig->down [2].kind, FUOTA_COUNTER);
    s_say (rig, FUOTA_DONE, D, 4, 40);
    s_handed (rig, 1, (uint64_t []){ 4 });
    assert_int_equal (rig->down [0].kind, FUOTA_FRAGMENT);
}

//  What makes no sense for a row of that kind has no effect.
static void
test_outbox__senseless_answers (void **state)
{
    rig_t *rig = *state;
    static const struct {
        DownlinkKind kind;
        OutcomeKind answer;
    } cases [] = {
        { FUOTA_UNICAST, FUOTA_DONE },
        { FUOTA_FRAGMENT, FUOTA_DONE },
        { FUOTA_KEYS, FUOTA_TAKEN },
        { FUOTA_KEYS, FUOTA_SENT },
        { FUOTA_FLUSH, FUOTA_EXPIRED },
        { FUOTA_GROUP_CREATE, FUOTA_REFUSED },
        { FUOTA_GROUP_DELETE, FUOTA_TAKEN },
        { FUOTA_UNICAST, (OutcomeKind) 77 },
        { FUOTA_FLUSH, (OutcomeKind) -1 },
    };
    s_turn (rig, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fuota_row_t row = s_row (cases [i].kind, 0xa);
        row.n = cases [i].kind == FUOTA_FRAGMENT;
        s_put (rig, D, i + 1, &row);
        s_turn (rig, NULL);
        s_handed (rig, 1, (uint64_t []){ i + 1 });
        s_say (rig, cases [i].answer, D, i + 1, 0);
        if (rig->told_count || rig->down_count)
            fail_msg ("kind %d got %d", cases [i].kind, cases [i].answer);
        s_say (rig, FUOTA_NEVER, D, i + 1, 0);
        s_told (rig, FUOTA_NEVER, i + 1);
        s_del (rig, D, i + 1);
        s_turn (rig, NULL);
    }
}

//  ---------------------------------------------------------------------
//  Fragments

//  After it, the row was handed over and the host's counter is to be read.
static void
s_lost_answer (rig_t *rig, bool restart)
{
    if (restart) {
        s_add_fragment (rig, 1, 2, 40);
        s_restart (rig);
        s_turn (rig, NULL);
        s_nothing (rig);  //  What an earlier life sent may be on its way
        s_until (rig, rig->now + GRACE);
    }
    else {
        s_turn (rig, NULL);
        s_add_fragment (rig, 1, 2, 40);
        s_turn (rig, NULL);
        s_handed (rig, 1, (uint64_t []){ 1 });
        assert_int_equal (rig->down [0].kind, FUOTA_FRAGMENT);
        s_until (rig, rig->now + PATIENCE);
    }
    s_handed (rig, 1, (uint64_t []){ 1 });
    assert_int_equal (rig->down [0].kind, FUOTA_COUNTER);
}

static void
test_outbox__counter_tells_the_fate (void **state)
{
    static const struct {
        const char *name;
        uint32_t counter;
        bool again;
        OutcomeKind told;
    } cases [] = {
        { "not taken", 40, true, FUOTA_RETRY },
        { "taken", 41, false, FUOTA_TAKEN },
        { "changed by another", 42, false, FUOTA_NEVER },
        { "gone back", 39, false, FUOTA_NEVER },
        { "reset", 0, false, FUOTA_NEVER },
    };
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        size_t c = i / 2;
        rig_t *rig;
        s_setup (state);
        rig = *state;
        s_lost_answer (rig, i & 1);
        s_say (rig, FUOTA_DONE, D, 1, cases [c].counter);
        bool again = rig->down_count == 1 &&
                     rig->down [0].kind == FUOTA_FRAGMENT &&
                     rig->down [0].f_cnt == 40 && !rig->told_count;
        bool told = !rig->down_count && rig->told_count == 1 &&
                    rig->told [0].kind == cases [c].told &&
                    rig->told [0].f_cnt == 40;
        if (cases [c].again ? !again : !told)
            fail_msg ("%s, %s", cases [c].name, i & 1 ? "restart" : "silence");
        s_teardown (state);
    }
    s_setup (state);
}

//  Asked twice, answered twice: the second answer is of no row that waits.
static void
test_outbox__late_counters_have_no_effect (void **state)
{
    rig_t *rig = *state;
    s_lost_answer (rig, false);
    s_until (rig, rig->now + PATIENCE);
    assert_int_equal (rig->down [0].kind, FUOTA_COUNTER);
    s_say (rig, FUOTA_DONE, D, 1, 40);
    s_handed (rig, 1, (uint64_t []){ 1 });
    assert_int_equal (rig->down [0].kind, FUOTA_FRAGMENT);
    s_say (rig, FUOTA_DONE, D, 1, 40);
    s_nothing (rig);
    s_say (rig, FUOTA_TAKEN, D, 1, 40);
    s_told (rig, FUOTA_TAKEN, 1);
    s_say (rig, FUOTA_DONE, D, 1, 41);
    s_nothing (rig);
    s_say (rig, FUOTA_SENT, D, 1, 0);
    s_told (rig, FUOTA_SENT, 1);
}

//  The word that it was taken may come while the counter is being read.
static void
test_outbox__taken_during_the_count (void **state)
{
    rig_t *rig = *state;
    s_lost_answer (rig, false);
    s_say (rig, FUOTA_TAKEN, D, 1, 40);
    s_told (rig, FUOTA_TAKEN, 1);
    s_say (rig, FUOTA_DONE, D, 1, 41);
    s_nothing (rig);
    s_say (rig, FUOTA_RETRY, D, 1, 0);
    s_nothing (rig);
}

static void
test_outbox__counter_itself_is_retried (void **state)
{
    rig_t *rig = *state;
    s_lost_answer (rig, true);
    s_say (rig, FUOTA_RETRY, D, 1, 0);
    s_nothing (rig);
    s_until (rig, fuota_outbox_due (rig->outbox));
    s_handed (rig, 1, (uint64_t []){ 1 });
    assert_int_equal (rig->down [0].kind, FUOTA_COUNTER);
    s_say (rig, FUOTA_NEVER, D, 1, 0);
    s_told (rig, FUOTA_NEVER, 1);
}

//  Told in the order in which it happened, whatever order it came in.
static void
test_outbox__fate_overtakes_taken (void **state)
{
    rig_t *rig = *state;
    static const OutcomeKind fates [] = { FUOTA_SENT, FUOTA_REFUSED,
        FUOTA_EXPIRED };
    s_turn (rig, NULL);
    for (uint64_t i = 0; i < 3; i++) {
        s_add_fragment (rig, i + 1, 1, 40);
        s_turn (rig, NULL);
        s_handed (rig, 1, (uint64_t []){ i + 1 });
        s_say (rig, fates [i], D, i + 1, 0);
        assert_int_equal (rig->told_count, 2);
        assert_int_equal (rig->told [0].kind, FUOTA_TAKEN);
        assert_int_equal (rig->told [0].f_cnt, 40);
        assert_int_equal (rig->told [1].kind, fates [i]);
        s_del (rig, D, i + 1);
        s_turn (rig, NULL);
        s_say (rig, FUOTA_TAKEN, D, i + 1, 40);
        s_nothing (rig);
    }
}

//  The host's word of an earlier life, before the table was looked at.
static void
test_outbox__fate_before_the_first_look (void **state)
{
    rig_t *rig = *state;
    s_turn (rig, NULL);
    s_add_fragment (rig, 1, 1, 40);
    s_turn (rig, NULL);
    s_handed (rig, 1, (uint64_t []){ 1 });
    s_restart (rig);
    s_say (rig, FUOTA_SENT, D, 1, 0);
    assert_int_equal (rig->told_count, 2);
    assert_int_equal (rig->told [0].kind, FUOTA_TAKEN);
    assert_int_equal (rig->told [0].f_cnt, 40);
    assert_int_equal (rig->told [1].kind, FUOTA_SENT);
}

//  In one deployment one at a time; its fate comes after the row is gone.
static void
test_outbox__fragments_in_order (void **state)
{
    rig_t *rig = *state;
    s_turn (rig, NULL);
    s_add_fragment (rig, 1, 1, 40);
    s_add_fragment (rig, 2, 2, 41);
    s_turn (rig, NULL);
    s_handed (rig, 1, (uint64_t []){ 1 });
    s_say (rig, FUOTA_TAKEN, D, 1, 40);
    s_told (rig, FUOTA_TAKEN, 1);
    assert_int_equal (rig->down_count, 0);
    s_del (rig, D, 1);
    s_say (rig, FUOTA_SENT, D, 1, 0);
    s_told (rig, FUOTA_SENT, 1);
    s_handed (rig, 1, (uint64_t []){ 2 });
    assert_int_equal (s_stats (rig).counters_read, 0);
}

//  ---------------------------------------------------------------------
//  Expiry, and rows withdrawn

static void
test_outbox__expiry (void **state)
{
    rig_t *rig = *state;
    s_turn (rig, NULL);
    s_add (rig, D, 1, FUOTA_UNICAST, 0xa);
    s_add (rig, D, 2, FUOTA_UNICAST, 0xa);
    s_turn (rig, NULL);
    s_say (rig, FUOTA_TAKEN, D, 1, 0);
    //  The host never says what became of it
    rig->now = START + HOUR + 2 * PATIENCE - 1;
    s_turn (rig, NULL);
    s_nothing (rig);
    s_until (rig, rig->now + 1);
    s_told (rig, FUOTA_EXPIRED, 1);
    assert_int_equal (rig->down_count, 0);
    s_del (rig, D, 1);
    //  The one behind it is too old by now: not handed over at all
    s_turn (rig, NULL);
    s_told (rig, FUOTA_LATE, 2);
    assert_int_equal (rig->down_count, 0);
    assert_int_equal (s_stats (rig).expired, 1);
    //  A fragment that may have been taken is not given up by the clock alone
    s_add_fragment (rig, 3, 1, 40);
    s_restart (rig);
    s_turn (rig, NULL);
    s_until (rig, rig->now + GRACE);
    assert_int_equal (rig->down [0].kind, FUOTA_COUNTER);
    s_say (rig, FUOTA_DONE, D, 3, 40);
    s_told (rig, FUOTA_EXPIRED, 3);
}

static void
test_outbox__withdrawn_rows (void **state)
{
    rig_t *rig = *state;
    fuota_row_t row = s_row (FUOTA_UNICAST, 0xa);
    row.withdrawn = true;
    s_turn (rig, NULL);
    s_add (rig, D, 1, FUOTA_UNICAST, 0xa);
    s_add (rig, D, 2, FUOTA_UNICAST, 0xa);
    s_add (rig, D, 3, FUOTA_UNICAST, 0xa);
    s_turn (rig, NULL);
    s_put (rig, D, 1, &row);
    s_put (rig, D, 2, &row);
    //  At the host, unanswered: it may be in the queue, so nobody passes it,
    //  but it is not given again
    s_until (rig, rig->now + PATIENCE);
    s_nothing (rig);
    s_say (rig, FUOTA_SENT, D, 1, 0);
    s_told (rig, FUOTA_SENT, 1);
    s_del (rig, D, 1);
    //  Not handed over yet: it never is
    s_turn (rig, NULL);
    s_told (rig, FUOTA_EXPIRED, 2);
    assert_int_equal (rig->down_count, 0);
    s_del (rig, D, 2);
    s_turn (rig, NULL);
    s_handed (rig, 1, (uint64_t []){ 3 });
}

//  After a restart it may still be in the device's queue.
static void
test_outbox__withdrawn_in_an_earlier_life (void **state)
{
    rig_t *rig = *state;
    fuota_row_t row = s_row (FUOTA_UNICAST, 0xa);
    row.withdrawn = true;
    s_put (rig, D, 1, &row);
    s_add (rig, D, 2, FUOTA_UNICAST, 0xa);
    s_restart (rig);
    s_turn (rig, NULL);
    s_nothing (rig);
    s_until (rig, START + HOUR + 2 * PATIENCE);
    s_told (rig, FUOTA_EXPIRED, 1);
}

//  The second of a line is settled before the first, and its row outlives that
//  one's: it is not looked at again.
static void
test_outbox__settled_behind_another (void **state)
{
    rig_t *rig = *state;
    fuota_row_t row = s_row (FUOTA_UNICAST, 0xa);
    row.withdrawn = true;
    s_add (rig, D, 1, FUOTA_UNICAST, 0xa);
    s_put (rig, D, 2, &row);
    s_restart (rig);
    s_turn (rig, NULL);
    s_handed (rig, 1, (uint64_t []){ 1 });
    s_say (rig, FUOTA_SENT, D, 2, 0);
    s_told (rig, FUOTA_SENT, 2);
    s_say (rig, FUOTA_SENT, D, 1, 0);
    s_told (rig, FUOTA_SENT, 1);
    s_del (rig, D, 1);
    rig->now = START + HOUR + 2 * PATIENCE;
    s_turn (rig, NULL);
    s_nothing (rig);
    s_del (rig, D, 2);
    s_turn (rig, NULL);
    s_nothing (rig);
    row = s_row (FUOTA_UNICAST, 0xa);
    row.expires_at = rig->now + HOUR;
    s_put (rig, D, 3, &row);
    s_turn (rig, NULL);
    s_handed (rig, 1, (uint64_t []){ 3 });
    assert_int_equal (s_stats (rig).open, 1);
}

//  ---------------------------------------------------------------------
//  What a downlink holds

static void
test_outbox__fragment_bytes (void **state)
{
    rig_t *rig = *state;
    s_turn (rig, NULL);
    for (uint32_t n = 1; n <= 3; n++) {
        s_add_fragment (rig, n, n, 40 + n);
        s_turn (rig, NULL);
        const fuota_downlink_t *down = &rig->down [0];
        uint8_t expected [43] = { 0x08, (uint8_t) n };
        size_t size = n < 3 ? 40 : 20;
        memcpy (expected + 3, s_image + (n - 1) * 40, size);
        assert_int_equal (down->data.size, sizeof expected);
        assert_memory_equal (down->data.bytes, expected, sizeof expected);
        assert_int_equal (down->f_cnt, 40 + n);
        assert_int_equal (down->f_port, 201);
        s_say (rig, FUOTA_TAKEN, D, n, 0);
        s_del (rig, D, n);
    }
    //  To one device alone it is the same fragment
    fuota_row_t row = s_row (FUOTA_UNICAST, 0xa);
    row.n = 1;
    row.frag_index = 2;
    s_put (rig, D, 9, &row);
    s_turn (rig, NULL);
    assert_int_equal (rig->down [0].kind, FUOTA_UNICAST);
    assert_int_equal (rig->down [0].data.bytes [2], 2 << 6);
    assert_memory_equal (rig->down [0].data.bytes + 3, s_image, 40);
}

static void
test_outbox__create_and_tags (void **state)
{
    rig_t *rig = *state;
    uint8_t mc_key [16], app [16], nwk [16];
    memset (mc_key, 9, sizeof mc_key);
    s_turn (rig, NULL);
    s_add (rig, D, 1, FUOTA_GROUP_CREATE, 0);
    s_add (rig, D, 2, FUOTA_TAGS, 0xa);
    s_turn (rig, NULL);
    s_handed (rig, 2, (uint64_t []){ 1, 2 });
    assert_string_equal (rig->down [0].name,
        "fuota-01020300000000000000000000000000");
    assert_int_equal (fuota_mckey_session (mc_key, 0x01020304, app, nwk), 0);
    assert_memory_equal (rig->down [0].mc_app_s_key, app, 16);
    assert_memory_equal (rig->down [0].mc_nwk_s_key, nwk, 16);
    assert_int_equal (rig->down [1].tags_count, 1);
    assert_string_equal (rig->down [1].tags [0].key, "firmware");
}

//  A row whose deployment or image cannot be read ends, with words.
static void
test_outbox__what_it_names_is_not_there (void **state)
{
    rig_t *rig = *state;
    fuota_batch_t batch = { 0 };
    uint8_t image [32] = { 0 };
    fuota_key_t key = fuota_key_bytes (image, sizeof image);
    fuota_batch_del (&batch, FUOTA_TABLE_BLOB, &key);
    scratch_commit (&rig->scratch, &batch);
    s_turn (rig, NULL);
    s_add_fragment (rig, 1, 1, 40);
    s_turn (rig, NULL);
    assert_int_equal (rig->down_count, 0);
    s_told (rig, FUOTA_NEVER, 1);
    fuota_row_t row = s_row (FUOTA_GROUP_CREATE, 0);
    memset (row.deployment, 0xee, sizeof row.deployment);
    s_put (rig, D, 2, &row);
    s_turn (rig, NULL);
    s_told (rig, FUOTA_NEVER, 2);
    assert_memory_equal (rig->told [0].deployment, row.deployment, 16);
}

//  ---------------------------------------------------------------------
//  Sizes

static void
test_outbox__window_of_the_host (void **state)
{
    rig_t *rig = *state;
    fuota_batch_t batch = { 0 };
    s_turn (rig, NULL);
    for (uint64_t i = 1; i <= 300; i++) {
        fuota_row_t row = s_row (FUOTA_UNICAST, i);
        fuota_key_t key = fuota_key_outbox (FUOTA_OWNER_DEPLOYMENT, i);
        fuota_batch_record (&batch, FUOTA_TABLE_OUTBOX, &key, OutboxRow_fields,
            &row);
    }
    scratch_commit (&rig->scratch, &batch);
    s_turn (rig, NULL);
    assert_int_equal (rig->down_count, 256);
    for (uint64_t i = 1; i <= 10; i++)
        s_say (rig, i & 1 ? FUOTA_TAKEN : FUOTA_RETRY, D, i, 0);
    s_until (rig, rig->now + 100);
    assert_int_equal (rig->down_count, 10);
    //  All of them, in the end, and the window is as wide as before
    for (unsigned n = 0; n < 100 && s_stats (rig).open; n++) {
        for (uint64_t i = 1; i <= 300; i++) {
            s_say (rig, FUOTA_SENT, D, i, 0);
            s_del (rig, D, i);
        }
        rig->now += 100;
        s_turn (rig, NULL);
    }
    assert_int_equal (s_stats (rig).open, 0);
    assert_int_equal (s_stats (rig).rows, 300);
}

//  Three for each of many devices: every one, in its order.
static void
test_outbox__index_grows (void **state)
{
    rig_t *rig = *state;
    enum { DEVICES = 500 };
    fuota_batch_t batch = { 0 };
    uint64_t last [DEVICES] = { 0 };
    size_t handed = 0;
    for (uint64_t i = 0; i < 3 * DEVICES; i++) {
        fuota_row_t row = s_row (FUOTA_UNICAST, i % DEVICES);
        fuota_key_t key = fuota_key_outbox (FUOTA_OWNER_DEPLOYMENT, i + 1);
        row.created = START + (int64_t) i;
        fuota_batch_record (&batch, FUOTA_TABLE_OUTBOX, &key, OutboxRow_fields,
            &row);
    }
    scratch_commit (&rig->scratch, &batch);
    s_turn (rig, NULL);
    for (unsigned n = 0; n < 100 && handed < 3 * DEVICES; n++) {
        size_t count = rig->down_count;
        assert_int_equal (fuota_outbox_begin (rig->outbox, rig->now), 0);
        for (size_t i = 0; i < count; i++) {
            const fuota_downlink_t *down = &rig->down [i];
            fuota_key_t key =
                fuota_key_outbox (FUOTA_OWNER_DEPLOYMENT, down->row);
            fuota_outcome_t outcome = { .kind = FUOTA_SENT,
                .row = down->row,
                .owner = D };
            assert_true (down->row > last [down->dev_eui]);
            last [down->dev_eui] = down->row;
            fuota_outbox_outcome (rig->outbox, &outcome);
            fuota_batch_del (&batch, FUOTA_TABLE_OUTBOX, &key);
            assert_true (fuota_outbox_forward (rig->outbox, &outcome));
        }
        fuota_outbox_end (rig->outbox);
        handed += count;
        scratch_commit (&rig->scratch, &batch);
        rig->now += 100;
        s_turn (rig, NULL);
    }
    assert_int_equal (handed, 3 * DEVICES);
    assert_int_equal (s_stats (rig).open, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (test_outbox__empty_is_quiet),
        TEST (test_outbox__one_for_a_device_at_a_time),
        TEST (test_outbox__order_found_at_start),
        TEST (test_outbox__calls_do_not_wait_group_rows_do),
        TEST (test_outbox__retry_backs_off),
        TEST (test_outbox__no_answer_is_given_again),
        TEST (test_outbox__host_began_anew),
        TEST (test_outbox__senseless_answers),
        cmocka_unit_test_teardown (test_outbox__counter_tells_the_fate,
            s_teardown),
        TEST (test_outbox__late_counters_have_no_effect),
        TEST (test_outbox__taken_during_the_count),
        TEST (test_outbox__counter_itself_is_retried),
        TEST (test_outbox__fate_overtakes_taken),
        TEST (test_outbox__fate_before_the_first_look),
        TEST (test_outbox__fragments_in_order),
        TEST (test_outbox__expiry),
        TEST (test_outbox__withdrawn_rows),
        TEST (test_outbox__withdrawn_in_an_earlier_life),
        TEST (test_outbox__settled_behind_another),
        TEST (test_outbox__fragment_bytes),
        TEST (test_outbox__create_and_tags),
        TEST (test_outbox__what_it_names_is_not_there),
        TEST (test_outbox__window_of_the_host),
        TEST (test_outbox__index_grows),
    };
    return cmocka_run_group_tests_name ("outbox", tests, NULL, NULL);
}
