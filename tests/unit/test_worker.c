//  SPDX-License-Identifier: MIT
//
//  The worker on a small database; the test commits what a turn wants and
//  checks after every commit that a group's counts are those of its devices.
//
//  Parts: the rig; turns; several deployments; numbers; what cannot be read;
//  operators; the clock's worker.

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "tests/scratch.h"
#include "workers/worker.h"

#define START 1767225600000
#define EUI 0x0102030400000001u

typedef struct {
    scratch_t scratch;
    fuota_worker_t *worker;
    fuota_worker_config_t config;
    int64_t now;
    unsigned deployments;
    size_t rows;  //  Of the last batch
} rig_t;

static const char s_applications [1][41] = { "app" };

static void
s_start (rig_t *rig)
{
    fuota_worker_destroy (&rig->worker);
    rig->worker = fuota_worker_new (rig->scratch.db, &rig->config, rig->now);
    assert_non_null (rig->worker);
}

static int
s_setup_owner (void **state, fuota_owner_t owner)
{
    static rig_t rig;
    rig = (rig_t){ .now = START,
        .config = { .owner = owner,
            .threshold = 2,
            .applications = s_applications,
            .application_count = 1,
            .port003 = 202 } };
    scratch_init (&rig.scratch, 64u << 20, FUOTA_DB_NOSYNC);
    s_start (&rig);
    *state = &rig;
    return 0;
}

static int
s_setup (void **state)
{
    return s_setup_owner (state, FUOTA_OWNER_DEPLOYMENT);
}

static int
s_setup_clock (void **state)
{
    return s_setup_owner (state, FUOTA_OWNER_CLOCK);
}

static int
s_teardown (void **state)
{
    rig_t *rig = *state;
    fuota_worker_destroy (&rig->worker);
    fuota_worker_destroy (&rig->worker);
    scratch_release (&rig->scratch);
    return 0;
}

static void
s_id (unsigned i, uint8_t *id)
{
    memset (id, 0, FUOTA_ID_SIZE);
    id [0] = (uint8_t) i;
    id [15] = 0xd;
}

//  A deployment of devices EUI, EUI + 1, ...
static void
s_deploy (rig_t *rig, unsigned i, unsigned devices, unsigned version)
{
    static const uint8_t image [480];
    fuota_deployment_t deployment = { .image_size = sizeof image,
        .nb_frag = 10,
        .frag_size = 48,
        .redundancy = 10,
        .quorum = 100,
        .retries = 3,
        .uplink_interval = 60,
        .setup_window = 3600,
        .time_out = 16,
        .period = 2000,
        .air_time = 400000,
        .frequency = 869525000,
        .guard = 3,
        .frag_index = i & 3,
        .has_dialect = true,
        .dialect = { version, version, version, 202, 201, 200, 0, 0, false,
            false } };
    fuota_batch_t batch = { 0 };
    fuota_group_t group = { .phase = FUOTA_PREPARING, .total = devices };
    s_id (i, deployment.id);
    fuota_key_t key = fuota_key_id (deployment.id);
    group.at_step [FUOTA_STEP_GROUP] = group.ended [FUOTA_END_NONE] = devices;
    fuota_batch_record (&batch, FUOTA_TABLE_DEPLOYMENT, &key, Deployment_fields,
        &deployment);
    fuota_batch_record (&batch, FUOTA_TABLE_GROUP, &key, Group_fields, &group);
    for (unsigned n = 0; n < devices; n++) {
        fuota_device_t device = { .step = FUOTA_STEP_GROUP };
        fuota_route_t route = { .has_dialect = true,
            .dialect = deployment.dialect,
            .frag_index = deployment.frag_index };
        key = fuota_key_device (deployment.id, EUI + n);
        fuota_batch_record (&batch, FUOTA_TABLE_DEVICE, &key, Device_fields,
            &device);
        key = fuota_key_route (EUI + n, deployment.id);
        fuota_batch_record (&batch, FUOTA_TABLE_ROUTE, &key, Route_fields,
            &route);
    }
    key = fuota_key_bytes (deployment.image, 32);
    fuota_batch_put (&batch, FUOTA_TABLE_BLOB, &key,
        fuota_slice (image, sizeof image));
    scratch_commit (&rig->scratch, &batch);
    rig->deployments++;
}

static fuota_group_t
s_group (rig_t *rig, unsigned i)
{
    uint8_t id [FUOTA_ID_SIZE];
    fuota_group_t group;
    s_id (i, id);
    assert_int_equal (scratch_get (&rig->scratch, FUOTA_TABLE_GROUP,
                          fuota_key_id (id), Group_fields, &group),
        0);
    return group;
}

static fuota_device_t
s_device (rig_t *rig, unsigned i, unsigned n)
{
    uint8_t id [FUOTA_ID_SIZE];
    fuota_device_t device;
    s_id (i, id);
    assert_int_equal (scratch_get (&rig->scratch, FUOTA_TABLE_DEVICE,
                          fuota_key_device (id, EUI + n), Device_fields,
                          &device),
        0);
    return device;
}

static void
s_check_counts (rig_t *rig)
{
    for (unsigned i = 0; i < rig->deployments; i++) {
        fuota_group_t group = s_group (rig, i);
        uint32_t steps [FUOTA_STEPS] = { 0 }, ends [FUOTA_ENDS] = { 0 };
        for (unsigned n = 0; n < group.total; n++) {
            fuota_device_t device = s_device (rig, i, n);
            steps [device.step]++;
            ends [device.end]++;
        }
        assert_memory_equal (steps, group.at_step, sizeof steps);
        assert_memory_equal (ends, group.ended, sizeof ends);
    }
}

static void
s_begin (rig_t *rig)
{
    assert_int_equal (fuota_worker_begin (rig->worker, rig->now), 0);
}

static void
s_commit (rig_t *rig)
{
    const fuota_batch_t *batch = fuota_worker_end (rig->worker);
    fuota_slice_t bytes = fuota_slice (batch->data, batch->size);
    assert_false (batch->failed);
    rig->rows = batch->rows;
    assert_int_equal (fuota_db_apply (rig->scratch.db, &bytes, 1), 0);
    s_check_counts (rig);
}

static void
s_event (rig_t *rig, unsigned n, unsigned port, const char *bytes, size_t size)
{
    fuota_event_t event = { .dev_eui = EUI + n,
        .application = "app",
        .f_port = port,
        .received_at = rig->now };
    event.data.size = (pb_size_t) size;
    memcpy (event.data.bytes, bytes, size);
    fuota_worker_event (rig->worker, &event);
}
#define EVENT(rig, n, port, bytes)                                             \
    s_event ((rig), (n), (port), (bytes), sizeof (bytes) - 1)

static void
s_outcome (rig_t *rig, OutcomeKind kind, unsigned i, uint64_t dev_eui,
    uint64_t row)
{
    fuota_outcome_t outcome = { .kind = kind,
        .row = row,
        .dev_eui = dev_eui,
        .owner = rig->config.owner,
        .group = "group",
        .root_key = { 16, { 7 } },
        .words = "words" };
    s_id (i, outcome.deployment);
    fuota_worker_outcome (rig->worker, &outcome);
}

static void
s_ticks (rig_t *rig)
{
    while (fuota_worker_due (rig->worker) <= rig->now) {
        s_begin (rig);
        fuota_worker_tick (rig->worker);
        s_commit (rig);
    }
}

//  The host has created the groups; each device has been asked for its key.
static void
s_set_up (rig_t *rig)
{
    s_start (rig);
    s_ticks (rig);
    for (unsigned i = 0; i < rig->deployments; i++) {
        s_begin (rig);
        s_outcome (rig, FUOTA_DONE, i, 0, s_group (rig, i).row);
        s_commit (rig);
    }
    s_ticks (rig);
}

//  What a device waits for in a deployment is on air.
static void
s_on_air (rig_t *rig, unsigned i, unsigned n)
{
    fuota_device_t device = s_device (rig, i, n);
    if (device.asked == FUOTA_ASKED_KEY) {
        s_begin (rig);
        s_outcome (rig, FUOTA_DONE, i, EUI + n, device.row);
        s_commit (rig);
        device = s_device (rig, i, n);
    }
    assert_int_equal (device.asked, FUOTA_ASKED_QUEUED);
    s_begin (rig);
    s_outcome (rig, FUOTA_SENT, i, EUI + n, device.row);
    s_commit (rig);
    rig->now += 1000;
}

static fuota_worker_stats_t
s_stats (rig_t *rig)
{
    fuota_worker_stats_t stats;
    fuota_worker_stats (rig->worker, &stats);
    return stats;
}

//  ---------------------------------------------------------------------
//  Turns

static void
test_worker__empty_is_quiet (void **state)
{
    rig_t *rig = *state;
    assert_true (fuota_worker_due (rig->worker) == INT64_MAX);
    s_begin (rig);
    fuota_worker_tick (rig->worker);
    EVENT (rig, 0, 200, "\x02\x00");
    s_commit (rig);
    assert_int_equal (rig->rows, 0);
    assert_int_equal (s_stats (rig).events, 1);
}

static void
test_worker__a_row_is_committed_with_its_cause (void **state)
{
    rig_t *rig = *state;
    fuota_row_t row;
    s_deploy (rig, 0, 1, 1);
    s_start (rig);
    s_ticks (rig);
    fuota_group_t group = s_group (rig, 0);
    assert_int_equal (scratch_get (&rig->scratch, FUOTA_TABLE_OUTBOX,
                          fuota_key_outbox (FUOTA_OWNER_DEPLOYMENT, group.row),
                          OutboxRow_fields, &row),
        0);
    assert_int_equal (row.kind, FUOTA_GROUP_CREATE);
    assert_true (row.created == rig->now);
    //  Settled: it leaves in the batch of what its outcome brought about
    s_begin (rig);
    s_outcome (rig, FUOTA_DONE, 0, 0, group.row);
    s_commit (rig);
    assert_int_equal (scratch_count (&rig->scratch, FUOTA_TABLE_OUTBOX), 0);
    assert_int_equal (s_group (rig, 0).phase, FUOTA_SETTING_UP);
    //  The same word once more
    s_begin (rig);
    s_outcome (rig, FUOTA_DONE, 0, 0, group.row);
    s_commit (rig);
    assert_int_equal (s_group (rig, 0).phase, FUOTA_SETTING_UP);
}

//  Two answers in one turn: the second sees what the first one did.
static void
test_worker__later_messages_see_earlier_ones (void **state)
{
    rig_t *rig = *state;
    s_deploy (rig, 0, 1, 1);
    s_set_up (rig);
    s_on_air (rig, 0, 0);
    size_t rows = scratch_count (&rig->scratch, FUOTA_TABLE_OUTBOX);
    s_begin (rig);
    EVENT (rig, 0, 200, "\x02\x00");
    EVENT (rig, 0, 201, "\x03\x00");
    EVENT (rig, 0, 201, "\x02\x00");
    s_commit (rig);
    assert_int_equal (s_device (rig, 0, 0).step, FUOTA_STEP_SESSION_WAIT);
    //  Rows made and dropped in the same turn never were
    assert_int_equal (scratch_count (&rig->scratch, FUOTA_TABLE_OUTBOX), rows);
    assert_int_equal (s_group (rig, 0).phase, FUOTA_WAITING);
}

//  Is that row in the outbox?
static bool
s_row (rig_t *rig, uint64_t number, fuota_row_t *row)
{
    int rc = scratch_get (&rig->scratch, FUOTA_TABLE_OUTBOX,
        fuota_key_outbox (FUOTA_OWNER_DEPLOYMENT, number), OutboxRow_fields,
        row);
    assert_true (rc == 0 || rc == FUOTA_ENOTFOUND);
    return rc == 0;
}

//  Cancelled while the first device's command is queued at the host.
static uint64_t
s_cancel_queued (rig_t *rig)
{
    uint8_t id [FUOTA_ID_SIZE];
    s_deploy (rig, 0, 2, 1);
    s_set_up (rig);
    s_begin (rig);
    s_outcome (rig, FUOTA_DONE, 0, EUI, s_device (rig, 0, 0).row);
    s_commit (rig);
    s_id (0, id);
    s_begin (rig);
    fuota_worker_operate (rig->worker, FUOTA_OPERATE_CANCEL, id);
    s_commit (rig);
    return s_device (rig, 0, 0).row;
}

//  A command that may be in a queue stays, marked; a call is just gone.
static void
test_worker__withdrawn_or_dropped (void **state)
{
    rig_t *rig = *state;
    fuota_row_t row;
    uint64_t queued = s_cancel_queued (rig);
    uint64_t key = s_device (rig, 0, 1).row;
    s_ticks (rig);
    assert_true (s_row (rig, queued, &row));
    assert_true (row.withdrawn);
    assert_false (s_row (rig, key, &row));
    s_begin (rig);
    s_outcome (rig, FUOTA_SENT, 0, EUI, queued);
    s_commit (rig);
    assert_false (s_row (rig, queued, &row));
}

//  Its fate is the first that the device hears after that.
static void
test_worker__withdrawn_and_settled (void **state)
{
    rig_t *rig = *state;
    fuota_row_t row;
    uint64_t queued = s_cancel_queued (rig);
    s_begin (rig);
    s_outcome (rig, FUOTA_SENT, 0, EUI, queued);
    fuota_worker_tick (rig->worker);
    s_commit (rig);
    assert_int_equal (s_device (rig, 0, 0).end, FUOTA_END_CANCELLED);
    assert_false (s_row (rig, queued, &row));
}

//  Removed: what was due for it is nobody's fault.
static void
test_worker__removed (void **state)
{
    rig_t *rig = *state;
    uint8_t id [FUOTA_ID_SIZE];
    fuota_batch_t batch = { 0 };
    s_deploy (rig, 0, 1, 1);
    s_set_up (rig);
    s_on_air (rig, 0, 0);
    s_id (0, id);
    fuota_key_t key = fuota_key_id (id);
    fuota_batch_del (&batch, FUOTA_TABLE_GROUP, &key);
    fuota_batch_del (&batch, FUOTA_TABLE_DEPLOYMENT, &key);
    scratch_commit (&rig->scratch, &batch);
    rig->deployments = 0;
    assert_true (fuota_worker_due (rig->worker) != INT64_MAX);
    rig->now = fuota_worker_due (rig->worker);
    s_ticks (rig);
    assert_int_equal (s_stats (rig).refused, 0);
}

//  More than a turn has room for: all of them, over several turns.
static void
test_worker__many_devices (void **state)
{
    rig_t *rig = *state;
    unsigned turns = 0;
    s_deploy (rig, 0, 2500, 1);
    s_start (rig);
    s_begin (rig);
    fuota_worker_tick (rig->worker);
    s_commit (rig);
    s_begin (rig);
    s_outcome (rig, FUOTA_DONE, 0, 0, s_group (rig, 0).row);
    s_commit (rig);
    for (; fuota_worker_due (rig->worker) <= rig->now; turns++) {
        s_begin (rig);
        fuota_worker_tick (rig->worker);
        s_commit (rig);
    }
    assert_true (turns >= 3 && turns < 10);
    assert_int_equal (scratch_count (&rig->scratch, FUOTA_TABLE_OUTBOX), 2500);
}

//  ---------------------------------------------------------------------
//  Several deployments of one device

static void
test_worker__four_groups_on_one_device (void **state)
{
    rig_t *rig = *state;
    unsigned taken = 0;
    for (unsigned i = 0; i < 5; i++)
        s_deploy (rig, i, 1, 1);
    s_set_up (rig);
    for (unsigned i = 0; i < 5; i++) {
        fuota_device_t device = s_device (rig, i, 0);
        if (device.end == FUOTA_END_REFUSED) {
            assert_string_equal (device.words, "no McGroupID left");
            continue;
        }
        assert_true (device.has_group);
        assert_false (taken & 1u << device.group_id);
        taken |= 1u << device.group_id;
        //  The router's table has it
        uint8_t id [FUOTA_ID_SIZE];
        fuota_route_t route;
        s_id (i, id);
        assert_int_equal (scratch_get (&rig->scratch, FUOTA_TABLE_ROUTE,
                              fuota_key_route (EUI, id), Route_fields, &route),
            0);
        assert_true (route.has_group);
        assert_int_equal (route.group_id, device.group_id);
    }
    assert_int_equal (taken, 15);
}

//  One uplink concerns all of them: each takes what is its own.
static void
test_worker__answers_find_their_deployment (void **state)
{
    rig_t *rig = *state;
    for (unsigned i = 0; i < 4; i++)
        s_deploy (rig, i, 1, 1);
    s_set_up (rig);
    for (unsigned i = 0; i < 4; i++)
        s_on_air (rig, i, 0);
    unsigned group = s_device (rig, 2, 0).group_id;
    char answer [2] = { 0x02, (char) group };
    s_begin (rig);
    s_event (rig, 0, 200, answer, 2);
    s_commit (rig);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal (s_device (rig, i, 0).step,
            i == 2 ? FUOTA_STEP_FRAG_DELETE : FUOTA_STEP_GROUP);
}

//  ---------------------------------------------------------------------
//  Numbers

static uint64_t
s_last_row (rig_t *rig)
{
    fuota_read_t *read = fuota_db_read (rig->scratch.db);
    fuota_key_t prefix = fuota_key_bytes ("\1", 1), key;
    assert_int_equal (fuota_read_last (read, FUOTA_TABLE_OUTBOX, &prefix, &key),
        0);
    fuota_read_end (&read);
    return fuota_be (key.data + 1, 8);
}

//  Over restarts, also with a clock that went back.
static void
test_worker__numbers_rise_over_restarts (void **state)
{
    rig_t *rig = *state;
    static const int64_t jumps [] = { 0, 1, -86400000, -1, 86400000 };
    uint64_t last = 0;
    s_deploy (rig, 0, 10, 1);
    s_set_up (rig);
    for (unsigned i = 0; i < 5; i++) {
        rig->now += jumps [i];
        s_start (rig);
        s_begin (rig);
        s_outcome (rig, FUOTA_DONE, 0, EUI + i, s_device (rig, 0, i).row);
        s_commit (rig);
        uint64_t row = s_device (rig, 0, i).row;
        assert_true (row > last);
        assert_true (row == s_last_row (rig) || row > last);
        last = row;
    }
    //  The journal's too: unique and in order
    uint8_t id [FUOTA_ID_SIZE];
    s_id (0, id);
    fuota_key_t prefix = fuota_key_id (id);
    fuota_read_t *read = fuota_db_read (rig->scratch.db);
    fuota_scan_t scan;
    fuota_line_t line;
    uint64_t seq = 0;
    assert_int_equal (fuota_scan_open (&scan, read, FUOTA_TABLE_JOURNAL,
                          &prefix, NULL),
        0);
    while (fuota_scan_next (&scan)) {
        assert_int_equal (fuota_record_decode (JournalLine_fields, &line,
                              scan.value),
            0);
        assert_true (line.seq > seq);
        assert_true (line.seq == fuota_be (scan.key.data + 16, 8));
        seq = line.seq;
    }
    assert_true (seq > 0);
    fuota_scan_close (&scan);
    fuota_read_end (&read);
}

static uint32_t
s_counter (rig_t *rig)
{
    fuota_read_t *read = fuota_db_read (rig->scratch.db);
    fuota_key_t key = fuota_key_counter (EUI, 0);
    fuota_slice_t value;
    uint32_t counter = UINT32_MAX;
    if (!fuota_read_get (read, FUOTA_TABLE_COUNTER, &key, &value))
        counter = (uint32_t) fuota_be (value.data, 4);
    fuota_read_end (&read);
    return counter;
}

//  v2: a SessionCnt is given away once, whatever happens then.
static void
test_worker__session_counts_are_kept (void **state)
{
    rig_t *rig = *state;
    s_deploy (rig, 0, 1, 2);
    s_set_up (rig);
    s_on_air (rig, 0, 0);
    s_begin (rig);
    EVENT (rig, 0, 200, "\x02\x00");
    s_commit (rig);
    assert_int_equal (s_counter (rig), UINT32_MAX);
    s_on_air (rig, 0, 0);
    assert_int_equal (s_device (rig, 0, 0).session_cnt, 0);
    assert_int_equal (s_counter (rig), 1);
    s_begin (rig);
    EVENT (rig, 0, 201, "\x02\x10");  //  Replay
    s_commit (rig);
    assert_int_equal (s_counter (rig), 256);
    s_start (rig);
    s_on_air (rig, 0, 0);
    assert_int_equal (s_device (rig, 0, 0).session_cnt, 256);
    assert_int_equal (s_counter (rig), 257);
}

//  ---------------------------------------------------------------------
//  What cannot be read

static void
test_worker__alien_records_are_passed_over (void **state)
{
    rig_t *rig = *state;
    uint8_t alien [FUOTA_ID_SIZE], no_device [FUOTA_ID_SIZE];
    s_id (200, alien);
    s_id (0, no_device);
    s_deploy (rig, 0, 2, 1);
    //  A group of noise, a key of another length, a group without deployment
    scratch_put_bytes (&rig->scratch, FUOTA_TABLE_GROUP, fuota_key_id (alien),
        "\x0f", 1);
    scratch_put_bytes (&rig->scratch, FUOTA_TABLE_GROUP,
        fuota_key_bytes ("short", 5), "", 0);
    s_id (201, alien);
    scratch_put_bytes (&rig->scratch, FUOTA_TABLE_GROUP, fuota_key_id (alien),
        "\x08\x01", 2);
    s_start (rig);
    assert_int_equal (s_stats (rig).refused, 2);
    s_ticks (rig);
    assert_int_equal (s_stats (rig).refused, 3);
    assert_int_equal (scratch_count (&rig->scratch, FUOTA_TABLE_OUTBOX), 1);
    //  A device of noise: its neighbour does not notice
    scratch_put_bytes (&rig->scratch, FUOTA_TABLE_DEVICE,
        fuota_key_device (no_device, EUI), "\x0f", 1);
    rig->deployments = 0;  //  Counts cannot be checked any more
    s_begin (rig);
    s_outcome (rig, FUOTA_DONE, 0, 0, s_group (rig, 0).row);
    s_commit (rig);
    s_ticks (rig);
    assert_int_equal (s_device (rig, 0, 1).asked, FUOTA_ASKED_KEY);
    s_begin (rig);
    EVENT (rig, 0, 200, "\x02\x00");
    s_outcome (rig, FUOTA_SENT, 0, EUI, 5);
    s_commit (rig);
    assert_int_equal (s_stats (rig).refused, 5);
}

static void
test_worker__alien_messages (void **state)
{
    rig_t *rig = *state;
    uint8_t nobody [FUOTA_ID_SIZE] = { 0xff };
    s_deploy (rig, 0, 1, 1);
    s_set_up (rig);
    s_on_air (rig, 0, 0);
    fuota_device_t before = s_device (rig, 0, 0);
    s_begin (rig);
    s_outcome (rig, FUOTA_SENT, 99, EUI, 5);      //  No such deployment
    s_outcome (rig, FUOTA_SENT, 0, EUI + 77, 5);  //  No such device
    fuota_worker_operate (rig->worker, FUOTA_OPERATE_PAUSE, nobody);
    s_commit (rig);
    assert_int_equal (s_stats (rig).refused, 3);
    //  Payloads that cannot be read, to the end of the longest
    char noise [242];
    memset (noise, 0x7f, sizeof noise);
    s_begin (rig);
    for (unsigned port = 199; port < 206; port++)
        for (size_t size = 0; size <= sizeof noise; size += 11)
            s_event (rig, 0, port, noise, size);
    s_commit (rig);
    fuota_device_t after = s_device (rig, 0, 0);
    assert_int_equal (after.step, before.step);
    assert_int_equal (after.tries, before.tries);
    assert_true (s_stats (rig).malformed >= 3 * 22);
    //  Whole commands before the fault are used
    s_begin (rig);
    EVENT (rig, 0, 200, "\x02\x00\x7f\x7f");
    s_commit (rig);
    assert_int_equal (s_device (rig, 0, 0).step, FUOTA_STEP_FRAG_DELETE);
}

//  ---------------------------------------------------------------------
//  Operators

static void
test_worker__operators_words (void **state)
{
    rig_t *rig = *state;
    uint8_t id [FUOTA_ID_SIZE];
    static const struct {
        int operate;
        bool refused, paused;
    } cases [] = {
        { 0, true, false },
        { 99, true, false },
        { FUOTA_OPERATE_RESUME, true, false },
        { FUOTA_OPERATE_PAUSE, false, true },
        { FUOTA_OPERATE_PAUSE, true, true },
        { FUOTA_OPERATE_CREATED, false, true },
        { FUOTA_OPERATE_RESUME, false, false },
        { FUOTA_OPERATE_CANCEL, false, false },
        { FUOTA_OPERATE_CANCEL, true, false },
        { FUOTA_OPERATE_PAUSE, true, false },
    };
    s_id (0, id);
    s_deploy (rig, 0, 3, 1);
    s_set_up (rig);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t refused = s_stats (rig).refused;
        s_begin (rig);
        fuota_worker_operate (rig->worker, (fuota_operate_t) cases [i].operate,
            id);
        s_commit (rig);
        if (s_stats (rig).refused - refused != cases [i].refused ||
            s_group (rig, 0).paused != cases [i].paused)
            fail_msg ("word %d, row %zu", cases [i].operate, i);
    }
    //  Cancelled: everybody ends, the group goes, routes with it
    s_ticks (rig);
    assert_int_equal (s_group (rig, 0).ended [FUOTA_END_CANCELLED], 3);
    s_begin (rig);
    fuota_outcome_t gone = { .kind = FUOTA_DONE, .row = s_group (rig, 0).row };
    s_id (0, gone.deployment);
    fuota_worker_outcome (rig->worker, &gone);
    s_commit (rig);
    assert_int_equal (s_group (rig, 0).phase, FUOTA_OVER);
    assert_int_equal (scratch_count (&rig->scratch, FUOTA_TABLE_ROUTE), 0);
    //  Over: not looked at again at the next start
    s_start (rig);
    assert_true (fuota_worker_due (rig->worker) == INT64_MAX);
}

static void
s_order (rig_t *rig, uint64_t seq, fuota_operate_t operate, size_t size)
{
    uint8_t order [1 + FUOTA_ID_SIZE] = { (uint8_t) operate };
    s_id (0, order + 1);
    scratch_put_bytes (&rig->scratch, FUOTA_TABLE_ORDER, fuota_key_order (seq),
        order, size);
}

//  Orders are rows: carried out in their order, at the next start too, and
//  gone with what they brought about. Alien ones are just gone.
static void
test_worker__orders_survive (void **state)
{
    rig_t *rig = *state;
    s_deploy (rig, 0, 1, 1);
    s_set_up (rig);
    s_order (rig, 1, FUOTA_OPERATE_PAUSE, 1 + FUOTA_ID_SIZE);
    s_order (rig, 2, FUOTA_OPERATE_CANCEL, FUOTA_ID_SIZE);
    s_order (rig, 3, FUOTA_OPERATE_CANCEL, 0);
    s_start (rig);
    assert_true (fuota_worker_due (rig->worker) <= rig->now);
    s_begin (rig);
    fuota_worker_tick (rig->worker);
    s_commit (rig);
    assert_true (s_group (rig, 0).paused);
    assert_int_equal (scratch_count (&rig->scratch, FUOTA_TABLE_ORDER), 0);
    s_ticks (rig);
    s_order (rig, 4, FUOTA_OPERATE_RESUME, 1 + FUOTA_ID_SIZE);
    s_order (rig, 5, FUOTA_OPERATE_PAUSE, 1 + FUOTA_ID_SIZE);
    s_order (rig, 6, FUOTA_OPERATE_RESUME, 1 + FUOTA_ID_SIZE);
    fuota_worker_orders (rig->worker);
    s_ticks (rig);
    assert_false (s_group (rig, 0).paused);
    assert_int_equal (scratch_count (&rig->scratch, FUOTA_TABLE_ORDER), 0);
}

//  ---------------------------------------------------------------------
//  The clock's worker

static void
s_time_req (rig_t *rig, const char *application, unsigned port, uint32_t time)
{
    fuota_event_t event = { .dev_eui = EUI,
        .f_port = port,
        .received_at = rig->now,
        .data = { 6,
            { 0x01, (uint8_t) time, (uint8_t) (time >> 8),
                (uint8_t) (time >> 16), (uint8_t) (time >> 24), 0x10 } } };
    snprintf (event.application, sizeof event.application, "%s", application);
    s_begin (rig);
    fuota_worker_event (rig->worker, &event);
    s_commit (rig);
}

static void
test_worker__clock_answers (void **state)
{
    rig_t *rig = *state;
    fuota_row_t row;
    fuota_clock_t clock;
    s_time_req (rig, "other", 202, 1000);
    s_time_req (rig, "app", 203, 1000);
    assert_int_equal (scratch_count (&rig->scratch, FUOTA_TABLE_OUTBOX), 0);
    s_time_req (rig, "app", 202, 1000);
    assert_int_equal (scratch_get (&rig->scratch, FUOTA_TABLE_CLOCK,
                          fuota_key_eui (EUI), Clock_fields, &clock),
        0);
    assert_int_equal (clock.correction, 1451260818 - 1000);
    assert_int_equal (scratch_get (&rig->scratch, FUOTA_TABLE_OUTBOX,
                          fuota_key_outbox (FUOTA_OWNER_CLOCK, clock.row),
                          OutboxRow_fields, &row),
        0);
    assert_int_equal (row.f_port, 202);
    assert_int_equal (row.data.size, 6);
    assert_int_equal (row.data.bytes [0], 0x01);
    //  A second copy: nothing; a new request: the old answer is dropped
    s_time_req (rig, "app", 202, 1000);
    assert_int_equal (scratch_count (&rig->scratch, FUOTA_TABLE_OUTBOX), 1);
    uint64_t first = clock.row;
    s_time_req (rig, "app", 202, 1001);
    assert_int_equal (scratch_count (&rig->scratch, FUOTA_TABLE_OUTBOX), 1);
    scratch_get (&rig->scratch, FUOTA_TABLE_CLOCK, fuota_key_eui (EUI),
        Clock_fields, &clock);
    assert_true (clock.row > first);
    //  On air
    s_begin (rig);
    s_outcome (rig, FUOTA_SENT, 0, EUI, clock.row);
    s_commit (rig);
    scratch_get (&rig->scratch, FUOTA_TABLE_CLOCK, fuota_key_eui (EUI),
        Clock_fields, &clock);
    assert_int_equal (clock.row, 0);
    assert_int_equal (scratch_count (&rig->scratch, FUOTA_TABLE_OUTBOX), 0);
}

//  Port and version as its deployment says.
static void
test_worker__clock_dialect (void **state)
{
    rig_t *rig = *state;
    uint8_t id [FUOTA_ID_SIZE];
    s_id (0, id);
    fuota_route_t route = { .has_dialect = true,
        .dialect = { .ts003 = 1, .port003 = 77 } };
    scratch_put (&rig->scratch, FUOTA_TABLE_ROUTE, fuota_key_route (EUI, id),
        Route_fields, &route);
    s_time_req (rig, "app", 202, 1000);
    assert_int_equal (scratch_count (&rig->scratch, FUOTA_TABLE_OUTBOX), 0);
    s_time_req (rig, "app", 77, 1000);
    assert_int_equal (scratch_count (&rig->scratch, FUOTA_TABLE_OUTBOX), 1);
    //  Has none
    route.dialect.ts003 = 0;
    scratch_put (&rig->scratch, FUOTA_TABLE_ROUTE, fuota_key_route (EUI, id),
        Route_fields, &route);
    s_time_req (rig, "app", 77, 2000);
    assert_int_equal (scratch_count (&rig->scratch, FUOTA_TABLE_OUTBOX), 1);
    //  A record of noise is begun anew
    scratch_put_bytes (&rig->scratch, FUOTA_TABLE_CLOCK,
        fuota_key_eui (EUI + 1), "\x0f", 1);
    fuota_event_t event = { .dev_eui = EUI + 1,
        .application = "app",
        .f_port = 202,
        .received_at = rig->now,
        .data = { 6, { 0x01, 1, 2, 3, 4, 0x11 } } };
    s_begin (rig);
    fuota_worker_event (rig->worker, &event);
    s_commit (rig);
    assert_int_equal (scratch_count (&rig->scratch, FUOTA_TABLE_OUTBOX), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)
#define CLOCK(name)                                                            \
    cmocka_unit_test_setup_teardown (name, s_setup_clock, s_teardown)

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (test_worker__empty_is_quiet),
        TEST (test_worker__a_row_is_committed_with_its_cause),
        TEST (test_worker__later_messages_see_earlier_ones),
        TEST (test_worker__withdrawn_or_dropped),
        TEST (test_worker__withdrawn_and_settled),
        TEST (test_worker__removed),
        TEST (test_worker__many_devices),
        TEST (test_worker__four_groups_on_one_device),
        TEST (test_worker__answers_find_their_deployment),
        TEST (test_worker__numbers_rise_over_restarts),
        TEST (test_worker__session_counts_are_kept),
        TEST (test_worker__alien_records_are_passed_over),
        TEST (test_worker__alien_messages),
        TEST (test_worker__operators_words),
        TEST (test_worker__orders_survive),
        CLOCK (test_worker__clock_answers),
        CLOCK (test_worker__clock_dialect),
    };
    return cmocka_run_group_tests_name ("worker", tests, NULL, NULL);
}
