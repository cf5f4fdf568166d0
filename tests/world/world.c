//  SPDX-License-Identifier: MIT

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "broker/router.h"
#include "tests/world/world.h"
#include "workers/plan.h"

#define FIRST_EUI 0x0102030400000001
#define START 1767225600000  //  2026-01-01

//  Append to a list that grows.
#define PUSH(list, count, room, value)                                         \
    do {                                                                       \
        if ((count) == (room)) {                                               \
            (room) = (room) ? (room) *2 : 64;                                  \
            (list) = realloc ((list), (room) * sizeof *(list));                \
            assert_non_null (list);                                            \
        }                                                                      \
        (list) [(count)++] = (value);                                          \
    } while (0)

world_plan_t
world_plan (void)
{
    world_plan_t plan = { .deployments = 1,
        .image_size = 5000,
        .frag_size = 48,
        .redundancy = 20,
        .repair_rounds = 3,
        .retries = 3,
        .quorum = 100,
        .period = 2000,
        .time_out = FUOTA_PLAN_AUTO_TIME_OUT };
    fuota_sim_defaults (&plan.sim);
    plan.sim.seed = 1;
    plan.sim.devices = 10;
    plan.sim.first_eui = FIRST_EUI;
    plan.sim.ts003 = plan.sim.ts004 = plan.sim.ts005 = 1;
    plan.sim.uplink_interval = 60000;
    plan.sim.loss = plan.sim.burst = plan.sim.unicast_loss = 0;
    plan.sim.duplicates = plan.sim.reorder = plan.sim.dead = 0;
    plan.sim.refusing = plan.sim.quirks = plan.sim.busy = 0;
    plan.sim.clock_error = plan.sim.drift = plan.sim.lost_answers = 0;
    plan.sim.gateway_refusal = plan.sim.max_losses = plan.sim.max_block = 0;
    plan.sim.blind = 0;
    return plan;
}

void
world_id (uint32_t i, uint8_t *id)
{
    memset (id, 0, FUOTA_ID_SIZE);
    id [0] = (uint8_t) (i >> 8);
    id [1] = (uint8_t) i;
    id [15] = 0xd;
}

//  ---------------------------------------------------------------------
//  The simulated network as the host

static void *
s_sim_new (const void *config, fuota_sim_t *sim, int64_t now)
{
    (void) config;
    (void) now;
    return sim;
}

//  It knows nothing of the engine's lives.
static void
s_sim_leave (void *host)
{
    (void) host;
}

static void
s_sim_begin (void *host, int64_t now)
{
    (void) host;
    (void) now;
}

static void
s_sim_take (void *host, const fuota_downlink_t *downlink, int64_t now)
{
    fuota_sim_take (host, downlink, now);
}

static void
s_sim_tick (void *host, int64_t now)
{
    fuota_sim_tick (host, now);
}

static int64_t
s_sim_due (const void *host)
{
    return fuota_sim_due (host);
}

static bool
s_sim_event (void *host, fuota_event_t *event)
{
    return fuota_sim_event (host, event);
}

static bool
s_sim_outcome (void *host, fuota_outcome_t *outcome)
{
    return fuota_sim_outcome (host, outcome);
}

static const world_host_t s_sim = { s_sim_new, s_sim_leave, s_sim_begin,
    s_sim_leave, s_sim_take, s_sim_tick, s_sim_due, s_sim_event,
    s_sim_outcome };

//  ---------------------------------------------------------------------
//  The engine: everything that a crash takes away

static void
s_engine_start (world_t *self)
{
    char error [160];
    int rc;
    fuota_worker_config_t deployments = { .owner = FUOTA_OWNER_DEPLOYMENT };
    static const char all [1][41] = { "*" };
    fuota_worker_config_t clock = { .owner = FUOTA_OWNER_CLOCK,
        .threshold = 2,
        .applications = all,
        .application_count = 1,
        .port003 = 202 };
    self->db = fuota_db_open (self->folder, 4ull << 30, FUOTA_DB_NOSYNC, &rc,
        error, sizeof error);
    if (!self->db)
        fail_msg ("%s", error);
    self->worker = fuota_worker_new (self->db, &deployments, self->now);
    self->clock = fuota_worker_new (self->db, &clock, self->now);
    self->outbox = fuota_outbox_new (self->db, 1);
    self->read = fuota_db_read (self->db);
    assert_non_null (self->worker);
    assert_non_null (self->clock);
    assert_non_null (self->outbox);
    assert_non_null (self->read);
    fuota_read_reset (self->read);
    self->host->begin (self->at_host, self->now);
}

static void
s_engine_stop (world_t *self)
{
    fuota_worker_destroy (&self->worker);
    fuota_worker_destroy (&self->clock);
    fuota_outbox_destroy (&self->outbox);
    fuota_read_end (&self->read);
    fuota_db_close (&self->db);
    self->host->leave (self->at_host);
    self->worker_count = self->clock_count = 0;
    self->event_count = self->clock_event_count = 0;
}

static uint64_t
s_below (world_t *self, uint64_t limit)
{
    self->chance = self->chance * 6364136223846793005u + 1442695040888963407u;
    return (self->chance >> 33) % limit;
}

//  Commit a turn's batch, or die at it. False: the engine was rebuilt.
static bool
s_commit (world_t *self, const fuota_batch_t *batch)
{
    if (!batch->rows)
        return true;
    assert_false (batch->failed);
    bool crash = self->plan.crash_at && ++self->commits == self->plan.crash_at;
    fuota_slice_t bytes = fuota_slice (batch->data, batch->size);
    if (!(crash && self->plan.crash_before))
        assert_int_equal (fuota_db_apply (self->db, &bytes, 1), 0);
    self->stirred = true;
    if (!crash)
        return true;
    self->crashes++;
    //  Not in step with what happens: it would be the same that is lost
    uint64_t every = self->plan.crash_every;
    self->plan.crash_at =
        every ? self->commits + 1 + s_below (self, 2 * every - 1) : 0;
    s_engine_stop (self);
    s_engine_start (self);
    return false;
}

//  ---------------------------------------------------------------------
//  Making it

//  How many devices deployment i has, and which one of the network the n-th is.
static uint32_t
s_devices (const world_plan_t *plan)
{
    if (plan->mixed)
        return plan->sim.devices / 2;
    return plan->each ? plan->each : plan->sim.devices;
}

static uint32_t
s_number (const world_plan_t *plan, uint32_t i, uint32_t n)
{
    return plan->mixed ? 2 * n + i : plan->each * i + n;
}

static void
s_deploy (world_t *self, uint32_t i)
{
    const world_plan_t *plan = &self->plan;
    uint32_t devices = s_devices (plan);
    fuota_batch_t batch = { 0 };
    fuota_deployment_t deployment = { .image_size = plan->image_size,
        .group_type = plan->group_type,
        .dr = 0,
        .frequency = 869525000,
        .periodicity = plan->periodicity,
        .frag_size = plan->frag_size,
        .nb_frag = fuota_plan_nb_frag (plan->image_size, plan->frag_size),
        .padding = fuota_plan_padding (plan->image_size, plan->frag_size),
        .redundancy = plan->redundancy,
        .quorum = plan->quorum,
        .retries = plan->retries,
        .uplink_interval = plan->sim.uplink_interval / 1000,
        .time_out = plan->time_out,
        .repair_rounds = plan->repair_rounds,
        .has_dialect = true,
        .clean_up = plan->clean_up,
        .mc_addr = 0x01000000 + i,
        .block_ack_delay = fuota_plan_ack_delay (plan->sim.devices),
        .period = plan->period,
        .air_time = 400000,
        .created = self->now,
        .guard = 3,
        .frag_index = i & 3 };
    fuota_dialect_t dialect = { plan->sim.ts003, plan->sim.ts004,
        plan->sim.ts005, 202, 201, 200, 0, 0, false, false };
    if (plan->mixed)
        dialect.ts003 = dialect.ts004 = dialect.ts005 = i + 1;
    deployment.dialect = dialect;
    deployment.margin = plan->margin;
    deployment.gateways_count = (pb_size_t) plan->gateways;
    for (uint32_t g = 0; g < plan->gateways; g++)
        deployment.gateways [g] = g + 1;
    if (!plan->period)
        deployment.period = fuota_plan_period (&deployment, 1000);
    deployment.setup_window =
        plan->setup_window ? plan->setup_window
                           : fuota_plan_setup_window (plan->retries,
                                 deployment.uplink_interval, dialect.ts004);
    strcpy (deployment.region, "EU868");
    deployment.tags_count = plan->tags;
    strcpy (deployment.tags [0].key, "fuota");
    strcpy (deployment.tags [0].value, "done");
    memcpy (deployment.application, plan->sim.application,
        sizeof deployment.application);
    memcpy (deployment.image, self->sha256, 32);
    world_id (i, deployment.id);
    memset (deployment.mc_key, (int) i + 1, 16);
    fuota_key_t key = fuota_key_id (deployment.id);
    fuota_batch_record (&batch, FUOTA_TABLE_DEPLOYMENT, &key, Deployment_fields,
        &deployment);
    fuota_group_t group = { .phase = FUOTA_PREPARING,
        .total = devices,
        .wake_at = self->now };
    group.at_step [FUOTA_STEP_GROUP] = group.ended [FUOTA_END_NONE] = devices;
    fuota_batch_record (&batch, FUOTA_TABLE_GROUP, &key, Group_fields, &group);
    for (uint32_t n = 0; n < devices; n++) {
        fuota_device_t device = { .changed = self->now };
        fuota_route_t route = { .has_dialect = true,
            .dialect = dialect,
            .frag_index = deployment.frag_index };
        uint64_t eui = plan->sim.first_eui + s_number (plan, i, n);
        key = fuota_key_device (deployment.id, eui);
        fuota_batch_record (&batch, FUOTA_TABLE_DEVICE, &key, Device_fields,
            &device);
        key = fuota_key_route (eui, deployment.id);
        fuota_batch_record (&batch, FUOTA_TABLE_ROUTE, &key, Route_fields,
            &route);
    }
    key = fuota_key_bytes (self->sha256, 32);
    fuota_batch_put (&batch, FUOTA_TABLE_BLOB, &key,
        fuota_slice (self->image, plan->image_size));
    fuota_slice_t bytes = fuota_slice (batch.data, batch.size);
    assert_int_equal (fuota_db_apply (self->db, &bytes, 1), 0);
    fuota_batch_release (&batch);
}

void
world_init (world_t *self, const world_plan_t *plan)
{
    *self = (world_t){ .plan = *plan,
        .now = START,
        .start = START,
        .chance = plan->sim.seed };
    const char *base = getenv ("TMPDIR");
    snprintf (self->folder, sizeof self->folder, "%s/fuota-world-XXXXXX",
        base && strlen (base) < 30 ? base : "/tmp");
    assert_non_null (mkdtemp (self->folder));
    self->image = malloc (plan->image_size);
    assert_non_null (self->image);
    for (uint32_t i = 0; i < plan->image_size; i++)
        self->image [i] = (uint8_t) ((i * 2654435761u) >> 24);
    assert_int_equal (EVP_Digest (self->image, plan->image_size, self->sha256,
                          NULL, EVP_sha256 (), NULL),
        1);
    self->sim = fuota_sim_new (&plan->sim, self->now);
    assert_non_null (self->sim);
    self->host = plan->host ? plan->host : &s_sim;
    self->at_host = self->host->new (plan->host_config, self->sim, self->now);
    assert_non_null (self->at_host);
    s_engine_start (self);
    for (uint32_t i = 0; i < plan->deployments; i++) {
        uint8_t id [FUOTA_ID_SIZE];
        s_deploy (self, i);
        world_id (i, id);
        fuota_worker_begin (self->worker, self->now);
        fuota_worker_operate (self->worker, FUOTA_OPERATE_CREATED, id);
        s_commit (self, fuota_worker_end (self->worker));
    }
}

void
world_release (world_t *self)
{
    static const char *const files [] = { "data.mdb", "lock.mdb", "lock" };
    char path [128];
    s_engine_stop (self);
    self->host->destroy (self->at_host);
    fuota_sim_destroy (&self->sim);
    for (unsigned i = 0; i < 3; i++) {
        snprintf (path, sizeof path, "%s/%s", self->folder, files [i]);
        unlink (path);
    }
    rmdir (self->folder);
    free (self->image);
    free (self->to_worker);
    free (self->to_clock);
    free (self->events);
    free (self->clock_events);
}

//  ---------------------------------------------------------------------
//  Running it

//  With WORLD_TRACE set: what passes between engine and network.
static void
s_trace (const world_t *self, const char *what, int kind, uint64_t row,
    uint64_t dev_eui, unsigned cid)
{
    if (getenv ("WORLD_TRACE"))
        printf ("%9.3f %-7s %3d row %u device %u cid %02x\n",
            (double) (self->now - self->start) / 1000, what, kind,
            (unsigned) (row % 1000000), (unsigned) (dev_eui & 0xffff), cid);
}

//  What the network says, sorted as the router does.
static bool
s_network (world_t *self)
{
    fuota_event_t event;
    bool any = false;
    fuota_read_renew (self->read);
    while (self->host->event (self->at_host, &event)) {
        unsigned mask = fuota_router_take (self->read, &event, 202);
        s_trace (self, "up", (int) event.f_port, event.f_cnt, event.dev_eui,
            event.data.bytes [0]);
        any = true;
        if (mask & FUOTA_TO_CLOCK)
            PUSH (self->clock_events, self->clock_event_count,
                self->clock_event_room, event);
        if (mask & FUOTA_TO_DEPLOYMENTS)
            PUSH (self->events, self->event_count, self->event_room, event);
    }
    fuota_read_reset (self->read);
    return any;
}

//  A loaded machine: what comes meanwhile is in one turn then.
static void
s_rest (world_t *self, unsigned part)
{
    self->late [part] =
        self->now + (int64_t) s_below (self, self->plan.lag + 1);
}

static bool
s_outbox (world_t *self)
{
    fuota_outcome_t outcome;
    fuota_downlink_t downlink;
    bool any = false;
    if (self->now < self->late [WORLD_OUTBOX])
        return false;
    self->stirred = false;
    assert_int_equal (fuota_outbox_begin (self->outbox, self->now), 0);
    while (self->host->outcome (self->at_host, &outcome)) {
        s_trace (self, "outcome", outcome.kind, outcome.row, outcome.dev_eui,
            0);
        fuota_outbox_outcome (self->outbox, &outcome);
        any = true;
    }
    fuota_outbox_wake (self->outbox);
    while (fuota_outbox_downlink (self->outbox, &downlink)) {
        s_trace (self, "down", downlink.kind, downlink.row, downlink.dev_eui,
            downlink.data.bytes [0]);
        self->host->take (self->at_host, &downlink, self->now);
        any = true;
    }
    while (fuota_outbox_forward (self->outbox, &outcome)) {
        any = true;
        if (outcome.owner == FUOTA_OWNER_CLOCK)
            PUSH (self->to_clock, self->clock_count, self->clock_room, outcome);
        else
            PUSH (self->to_worker, self->worker_count, self->worker_room,
                outcome);
    }
    fuota_outbox_end (self->outbox);
    s_rest (self, WORLD_OUTBOX);
    return any;
}

//  A turn of a worker with what is waiting for it. True if there was any.
static bool
s_worker (world_t *self, unsigned part, fuota_event_t *events,
    size_t *event_count, fuota_outcome_t *outcomes, size_t *outcome_count)
{
    fuota_worker_t *worker = part == WORLD_CLOCK ? self->clock : self->worker;
    if (self->now < self->late [part] ||
        (!*event_count && !*outcome_count &&
            fuota_worker_due (worker) > self->now))
        return false;
    size_t i = 0, n = 0;
    self->turns++;
    assert_int_equal (fuota_worker_begin (worker, self->now), 0);
    while (i < *outcome_count && !fuota_worker_full (worker))
        fuota_worker_outcome (worker, &outcomes [i++]);
    while (n < *event_count && !fuota_worker_full (worker))
        fuota_worker_event (worker, &events [n++]);
    fuota_worker_tick (worker);
    *outcome_count -= i;
    *event_count -= n;
    if (outcomes)
        memmove (outcomes, outcomes + i, *outcome_count * sizeof *outcomes);
    if (events)
        memmove (events, events + n, *event_count * sizeof *events);
    s_commit (self, fuota_worker_end (worker));
    s_rest (self, part);
    return true;
}

//  Everything that can happen at this time.
static void
s_now (world_t *self)
{
    bool any;
    self->host->tick (self->at_host, self->now);
    self->stirred = true;
    do {
        any = s_network (self);
        any |= s_worker (self, WORLD_WORKER, self->events, &self->event_count,
            self->to_worker, &self->worker_count);
        any |= s_worker (self, WORLD_CLOCK, self->clock_events,
            &self->clock_event_count, self->to_clock, &self->clock_count);
        self->stirred |= any;
        any |= s_outbox (self);
    } while (any);
}

static int64_t
s_due (const world_t *self)
{
    int64_t due = self->host->due (self->at_host);
    bool waiting [] = { self->event_count || self->worker_count,
        self->clock_event_count || self->clock_count, self->stirred };
    int64_t parts [] = { fuota_worker_due (self->worker),
        fuota_worker_due (self->clock), fuota_outbox_due (self->outbox) };
    for (unsigned i = 0; i < WORLD_PARTS; i++) {
        int64_t at = waiting [i] ? self->now : parts [i];
        if (at < self->late [i])
            at = self->late [i];
        if (at < due)
            due = at;
    }
    return due;
}

static uint32_t
s_over (world_t *self)
{
    uint32_t over = 0;
    for (uint32_t i = 0; i < self->plan.deployments; i++) {
        fuota_group_t group;
        world_group (self, i, &group);
        over += group.phase == FUOTA_OVER;
    }
    return over;
}

void
world_run_for (world_t *self, int64_t milliseconds)
{
    int64_t until = self->now + milliseconds;
    while (s_due (self) <= until) {
        int64_t due = s_due (self);
        if (due > self->now)
            self->now = due;
        s_now (self);
    }
    self->now = until;
}

void
world_away (world_t *self, int64_t milliseconds, bool kept)
{
    int64_t until = self->now + milliseconds;
    s_engine_stop (self);
    for (int64_t due; (due = self->host->due (self->at_host)) <= until;) {
        fuota_event_t event;
        fuota_outcome_t outcome;
        self->now = due > self->now ? due : self->now;
        self->host->tick (self->at_host, self->now);
        while (!kept && self->host->event (self->at_host, &event))
            continue;
        while (!kept && self->host->outcome (self->at_host, &outcome))
            continue;
    }
    self->now = until;
    s_engine_start (self);
}

int
world_run (world_t *self, unsigned days)
{
    int64_t until = self->now + days * 86400000ll;
    while (self->now < until) {
        world_run_for (self, 60000);
        if (s_over (self) == self->plan.deployments) {
            world_run_for (self, 86400000);  //  What is late is harmless
            return 0;
        }
    }
    return -1;
}

void
world_operate (world_t *self, uint32_t i, fuota_operate_t operate)
{
    uint8_t id [FUOTA_ID_SIZE];
    world_id (i, id);
    assert_int_equal (fuota_worker_begin (self->worker, self->now), 0);
    fuota_worker_operate (self->worker, operate, id);
    s_commit (self, fuota_worker_end (self->worker));
}

//  ---------------------------------------------------------------------
//  Looking at it

void
world_group (world_t *self, uint32_t i, fuota_group_t *group)
{
    uint8_t id [FUOTA_ID_SIZE];
    world_id (i, id);
    fuota_key_t key = fuota_key_id (id);
    assert_int_equal (fuota_read_renew (self->read), 0);
    assert_int_equal (fuota_read_record (self->read, FUOTA_TABLE_GROUP, &key,
                          Group_fields, group),
        0);
    fuota_read_reset (self->read);
}

void
world_device (world_t *self, uint32_t i, uint64_t dev_eui,
    fuota_device_t *device)
{
    uint8_t id [FUOTA_ID_SIZE];
    world_id (i, id);
    fuota_key_t key = fuota_key_device (id, dev_eui);
    assert_int_equal (fuota_read_renew (self->read), 0);
    assert_int_equal (fuota_read_record (self->read, FUOTA_TABLE_DEVICE, &key,
                          Device_fields, device),
        0);
    fuota_read_reset (self->read);
}

size_t
world_rows (world_t *self)
{
    fuota_scan_t scan;
    size_t rows = 0;
    assert_int_equal (fuota_read_renew (self->read), 0);
    assert_int_equal (fuota_scan_open (&scan, self->read, FUOTA_TABLE_OUTBOX,
                          NULL, NULL),
        0);
    while (fuota_scan_next (&scan))
        rows++;
    fuota_scan_close (&scan);
    fuota_read_reset (self->read);
    return rows;
}

static void
s_check_deployment (world_t *self, uint32_t i)
{
    fuota_group_t group;
    fuota_device_t device;
    uint32_t ends [FUOTA_ENDS] = { 0 };
    world_group (self, i, &group);
    assert_int_equal (group.phase, FUOTA_OVER);
    assert_int_equal (group.at_step [FUOTA_STEP_END], group.total);
    uint32_t devices = s_devices (&self->plan);
    for (uint32_t n = 0; n < devices; n++) {
        fuota_sim_view_t view;
        fuota_sim_view (self->sim, s_number (&self->plan, i, n), &view);
        world_device (self, i, view.dev_eui, &device);
        if (device.step != FUOTA_STEP_END || device.end == FUOTA_END_NONE)
            fail_msg ("device %u has no end, step %s", n,
                fuota_step_name (device.step));
        ends [device.end]++;
        if (device.end != FUOTA_END_COMPLETE)
            continue;
        //  Complete is said only of who has the image, bit for bit
        if (!view.has_image || memcmp (view.sha256, self->sha256, 32))
            fail_msg ("device %u is complete without the image", n);
    }
    for (unsigned e = 0; e < FUOTA_ENDS; e++)
        assert_int_equal (ends [e], group.ended [e]);
}

void
world_check (world_t *self)
{
    fuota_sim_stats_t stats;
    fuota_sim_stats (self->sim, &stats);
    for (uint32_t i = 0; i < self->plan.deployments; i++)
        s_check_deployment (self, i);
    const struct {
        const char *name;
        uint64_t value;
    } nought [] = {
        { "fragments taken twice", stats.taken_twice },
        { "fragments out of order", stats.out_of_order },
        { "fragments with another counter", stats.wrong_counter },
        { "commands overlapped", stats.overlapped },
        { "groups left", stats.groups },
        { "rows left", world_rows (self) },
    };
    bool rough = self->plan.rough, blind = self->plan.sim.blind;
    for (unsigned i = 0; i < sizeof nought / sizeof *nought; i++)
        if (nought [i].value && !((rough || blind) && i == 3) &&
            !(rough && i == 1))
            fail_msg ("%s: %u", nought [i].name, (unsigned) nought [i].value);
}
