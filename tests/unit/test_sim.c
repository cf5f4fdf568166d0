//  SPDX-License-Identifier: MIT
//
//  The simulated network: queues, counters, gateways, and whole sessions
//  driven by hand.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "tests/unit/sim_driver.h"

#define HOUR 3600000

//  A perfect network of that many devices
static fuota_sim_config_t
s_perfect (uint32_t devices, uint32_t version)
{
    fuota_sim_config_t config = { .seed = 7,
        .devices = devices,
        .first_eui = 0x1000,
        .application = "app",
        .ts003 = version,
        .ts004 = version,
        .ts005 = version,
        .uplink_interval = 60000,
        .gateways = 1 };
    return config;
}

static fuota_downlink_t
s_unicast (uint64_t row, int64_t expires)
{
    fuota_downlink_t downlink = { .kind = FUOTA_UNICAST,
        .row = row,
        .owner = 5,
        .deployment = { 1, 2, 3 },
        .dev_eui = 0x1000,
        .f_port = 201,
        .data = { 1, { 0 } },
        .expires_at = expires };
    return downlink;
}

//  Time passes; returns how many outcomes of that kind came.
static unsigned
s_pass (fuota_sim_t *sim, int64_t until, OutcomeKind kind)
{
    fuota_outcome_t outcome;
    unsigned count = 0;
    while (fuota_sim_due (sim) <= until)
        fuota_sim_tick (sim, fuota_sim_due (sim));
    while (fuota_sim_outcome (sim, &outcome))
        count += outcome.kind == kind;
    return count;
}

//  Time passes until a device says something.
static fuota_event_t
s_event (fuota_sim_t *sim)
{
    fuota_event_t event;
    while (!fuota_sim_event (sim, &event))
        fuota_sim_tick (sim, fuota_sim_due (sim));
    return event;
}

//  One call, and its first outcome; the others are left.
static fuota_outcome_t
s_take (fuota_sim_t *sim, const fuota_downlink_t *downlink, int64_t now)
{
    fuota_outcome_t outcome = { .kind = 99 };
    fuota_sim_take (sim, downlink, now);
    fuota_sim_outcome (sim, &outcome);
    return outcome;
}

static void
test_sim__no_devices (void **state)
{
    fuota_sim_config_t config = { 0 };
    fuota_sim_t *sim = fuota_sim_new (&config, 0);
    fuota_downlink_t downlink = s_unicast (1, 0);
    fuota_event_t event;
    (void) state;
    assert_non_null (sim);
    assert_true (fuota_sim_due (sim) == INT64_MAX);
    fuota_sim_tick (sim, INT64_MAX);
    assert_false (fuota_sim_event (sim, &event));
    assert_int_equal (s_take (sim, &downlink, 5).kind, FUOTA_NEVER);
    fuota_sim_destroy (&sim);
    fuota_sim_destroy (&sim);
}

//  Calls about things that do not exist, and hostile ones
static void
test_sim__never (void **state)
{
    static const struct {
        const char *name;
        fuota_downlink_t downlink;
        OutcomeKind kind;
    } cases [] = {
        { "no device",
            { .kind = FUOTA_UNICAST, .dev_eui = 0x1001, .f_port = 1 },
            FUOTA_NEVER },
        { "port 0", { .kind = FUOTA_UNICAST, .dev_eui = 0x1000 }, FUOTA_NEVER },
        { "no keys", { .kind = FUOTA_KEYS, .dev_eui = 1 }, FUOTA_NEVER },
        { "no tags", { .kind = FUOTA_TAGS, .dev_eui = 1 }, FUOTA_NEVER },
        { "no group", { .kind = FUOTA_FRAGMENT, .group = "sim-0", .f_port = 1 },
            FUOTA_NEVER },
        { "not a group", { .kind = FUOTA_FLUSH, .group = "sim-" },
            FUOTA_NEVER },
        { "nor this", { .kind = FUOTA_COUNTER, .group = "sim-0x" },
            FUOTA_NEVER },
        { "large",
            { .kind = FUOTA_COUNTER,
                .group = "sim-99999999999999999999999999999999999" },
            FUOTA_NEVER },
        { "gone", { .kind = FUOTA_GROUP_DELETE, .group = "sim-7" },
            FUOTA_DONE },
        { "no such gateway",
            { .kind = FUOTA_GROUP_CREATE,
                .gateways_count = 1,
                .gateways = { 2 } },
            FUOTA_NEVER },
        { "no such call", { .kind = 77 }, FUOTA_NEVER },
    };
    fuota_sim_config_t config = s_perfect (1, 1);
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fuota_sim_t *sim = fuota_sim_new (&config, 0);
        fuota_outcome_t outcome = s_take (sim, &cases [i].downlink, 0);
        if (outcome.kind != cases [i].kind ||
            (outcome.kind == FUOTA_NEVER && !outcome.words [0]))
            fail_msg ("%s: %d", cases [i].name, (int) outcome.kind);
        fuota_sim_destroy (&sim);
    }
}

static void
test_sim__downlink_in_the_window_of_an_uplink (void **state)
{
    static const struct {
        const char *name;
        int64_t delay;
        unsigned sent;
    } cases [] = { { "at once", 0, 1 }, { "just", 100, 1 },
        { "too late", 101, 0 } };
    fuota_sim_config_t config = s_perfect (1, 1);
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fuota_sim_t *sim = fuota_sim_new (&config, 0);
        int64_t now = s_event (sim).received_at + cases [i].delay;
        fuota_downlink_t downlink = s_unicast (1, 0);
        fuota_outcome_t outcome = s_take (sim, &downlink, now);
        assert_int_equal (outcome.kind, FUOTA_TAKEN);
        assert_int_equal (outcome.row, 1);
        assert_int_equal (outcome.owner, 5);
        assert_memory_equal (outcome.deployment, downlink.deployment, 16);
        unsigned sent = s_pass (sim, now + 100, FUOTA_SENT);
        if (sent != cases [i].sent)
            fail_msg ("%s: %u sent", cases [i].name, sent);
        fuota_sim_destroy (&sim);
    }
}

static void
test_sim__a_device_answers (void **state)
{
    fuota_sim_config_t config = s_perfect (1, 1);
    fuota_sim_t *sim = fuota_sim_new (&config, 0);
    fuota_event_t event = s_event (sim);
    fuota_downlink_t downlink = s_unicast (1, 0);
    (void) state;
    assert_string_equal (event.application, "app");
    assert_int_equal (event.gateways_count, 1);
    assert_int_equal (event.gateways [0], 1);
    int64_t asked = event.received_at;
    s_take (sim, &downlink, asked);
    while (event.f_port != 201)
        event = s_event (sim);
    assert_in_range (event.received_at - asked, 1000, 14000);
    assert_int_equal (event.data.size, 3);
    assert_memory_equal (event.data.bytes, "\x00\x03\x01", 3);
    fuota_sim_destroy (&sim);
}

//  The same row again while it waits is the same item; another is one more.
static void
test_sim__row_is_queued_once (void **state)
{
    fuota_sim_config_t config = s_perfect (1, 1);
    fuota_sim_t *sim = fuota_sim_new (&config, 0);
    fuota_sim_stats_t stats;
    (void) state;
    fuota_downlink_t downlink = s_unicast (1, 0);
    assert_int_equal (s_take (sim, &downlink, 0).kind, FUOTA_TAKEN);
    assert_int_equal (s_take (sim, &downlink, 0).kind, FUOTA_TAKEN);
    fuota_sim_stats (sim, &stats);
    assert_int_equal (stats.overlapped, 0);
    downlink.row = 2;
    assert_int_equal (s_take (sim, &downlink, 0).kind, FUOTA_TAKEN);
    assert_int_equal (s_take (sim, &downlink, 0).kind, FUOTA_TAKEN);
    fuota_sim_stats (sim, &stats);
    assert_int_equal (stats.overlapped, 1);
    assert_int_equal (s_pass (sim, HOUR, FUOTA_SENT), 2);
    downlink.row = 1;
    assert_int_equal (s_take (sim, &downlink, HOUR).kind, FUOTA_TAKEN);
    assert_int_equal (s_pass (sim, 2 * HOUR, FUOTA_SENT), 1);
    fuota_sim_destroy (&sim);
}

static void
test_sim__expiry (void **state)
{
    fuota_sim_config_t config = s_perfect (1, 1);
    (void) state;
    for (uint32_t blind = 0; blind < 2; blind++) {
        config.dead = 1000;
        config.blind = blind;
        fuota_sim_t *sim = fuota_sim_new (&config, 0);
        fuota_downlink_t downlink = s_unicast (1, 5000);
        assert_int_equal (s_take (sim, &downlink, 0).kind, FUOTA_TAKEN);
        assert_int_equal (s_pass (sim, 4999, FUOTA_SENT), blind);
        assert_int_equal (s_pass (sim, HOUR, FUOTA_EXPIRED), !blind);
        assert_true (fuota_sim_due (sim) == INT64_MAX);
        fuota_sim_destroy (&sim);
    }
}

static void
test_sim__busy_and_lost (void **state)
{
    fuota_sim_config_t config = s_perfect (1, 1);
    fuota_downlink_t downlink = s_unicast (1, 0);
    fuota_outcome_t outcome;
    (void) state;
    config.busy = 1000;
    fuota_sim_t *sim = fuota_sim_new (&config, 0);
    assert_int_equal (s_take (sim, &downlink, 0).kind, FUOTA_RETRY);
    assert_int_equal (s_pass (sim, HOUR, FUOTA_SENT), 0);
    fuota_sim_destroy (&sim);
    config.busy = 0;
    config.lost_answers = 1000;
    sim = fuota_sim_new (&config, 0);
    fuota_sim_take (sim, &downlink, 0);
    assert_false (fuota_sim_outcome (sim, &outcome));
    assert_int_equal (s_pass (sim, HOUR, FUOTA_SENT), 1);
    fuota_sim_destroy (&sim);
}

//  Events late and twice lose nothing and add nothing.
static void
test_sim__duplicates_and_order (void **state)
{
    fuota_sim_config_t config = s_perfect (20, 1);
    unsigned uplinks = 0, backwards = 0;
    int64_t last = 0;
    (void) state;
    config.duplicates = 1000;
    config.reorder = 500;
    fuota_sim_t *sim = fuota_sim_new (&config, 0);
    while (fuota_sim_due (sim) < HOUR)
        fuota_sim_tick (sim, fuota_sim_due (sim));
    for (fuota_event_t event; fuota_sim_event (sim, &event); uplinks++) {
        backwards += event.received_at < last;
        last = event.received_at;
    }
    fuota_sim_stats_t stats;
    fuota_sim_stats (sim, &stats);
    assert_true (uplinks >= 2 * stats.uplinks - 10);
    assert_true (uplinks <= 2 * stats.uplinks);
    assert_true (backwards > 100);
    fuota_sim_destroy (&sim);
}

static void
test_sim__gateways (void **state)
{
    fuota_sim_config_t config = s_perfect (9, 1);
    unsigned seen [4] = { 0 };
    (void) state;
    config.gateways = 3;
    fuota_sim_t *sim = fuota_sim_new (&config, 0);
    while (fuota_sim_due (sim) < HOUR)
        fuota_sim_tick (sim, fuota_sim_due (sim));
    for (fuota_event_t event; fuota_sim_event (sim, &event);)
        for (size_t i = 0; i < event.gateways_count; i++) {
            assert_in_range (event.gateways [i], 1, 3);
            seen [event.gateways [i]]++;
        }
    assert_true (seen [1] && seen [2] && seen [3]);
    fuota_sim_destroy (&sim);
}

//  Groups

static driver_t
s_group (fuota_sim_config_t config)
{
    driver_t driver;
    driver_init (&driver, &config, 1000, 48);
    driver_set_up (&driver, 0);
    return driver;
}

static void
test_sim__group_by_name (void **state)
{
    driver_t driver = s_group (s_perfect (0, 1));
    fuota_downlink_t downlink = { .kind = FUOTA_GROUP_CREATE,
        .name = "hand-driven" };
    fuota_sim_stats_t stats;
    (void) state;
    assert_string_equal (driver.group, "sim-0");
    fuota_outcome_t outcome = driver_call (&driver, &downlink);
    assert_string_equal (outcome.group, "sim-0");
    memcpy (downlink.name, "other", 6);
    outcome = driver_call (&driver, &downlink);
    assert_string_equal (outcome.group, "sim-1");
    assert_int_equal (driver_group (&driver, FUOTA_GROUP_DELETE).kind,
        FUOTA_DONE);
    assert_int_equal (driver_group (&driver, FUOTA_GROUP_DELETE).kind,
        FUOTA_DONE);
    assert_int_equal (driver_group (&driver, FUOTA_COUNTER).kind, FUOTA_NEVER);
    memcpy (downlink.name, "hand-driven", 12);
    outcome = driver_call (&driver, &downlink);
    assert_string_equal (outcome.group, "sim-2");
    fuota_sim_stats (driver.sim, &stats);
    assert_int_equal (stats.groups, 2);
    driver_release (&driver);
}

//  What an observer counts, for one run of fragments each
static void
test_sim__fragments_are_counted (void **state)
{
    static const struct {
        const char *name;
        uint32_t n [6];
        unsigned twice, order;
    } cases [] = {
        { "in order", { 1, 2, 3 }, 0, 0 },
        { "begins later", { 7, 8 }, 0, 0 },
        { "twice", { 1, 2, 2, 3 }, 1, 0 },
        { "an older one again", { 1, 2, 1 }, 1, 0 },
        { "gap", { 1, 2, 4, 5 }, 0, 1 },
        { "back", { 5, 3, 4 }, 0, 1 },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        driver_t driver = s_group (s_perfect (0, 1));
        fuota_sim_stats_t stats;
        uint32_t count = 0;
        for (; cases [i].n [count]; count++) {
            fuota_outcome_t outcome =
                driver_fragment (&driver, cases [i].n [count], 0);
            assert_int_equal (outcome.kind, FUOTA_TAKEN);
            assert_int_equal (outcome.f_cnt, count);
            driver_run (&driver, driver.now + 2000);
        }
        fuota_sim_stats (driver.sim, &stats);
        if (stats.taken_twice != cases [i].twice ||
            stats.out_of_order != cases [i].order)
            fail_msg ("%s: %u twice, %u out of order", cases [i].name,
                (unsigned) stats.taken_twice, (unsigned) stats.out_of_order);
        assert_int_equal (stats.taken, count);
        assert_int_equal (stats.on_air, count);
        assert_int_equal (stats.outside, count);
        assert_int_equal (stats.wrong_counter, 0);
        driver_release (&driver);
    }
}

//  An answer that is lost: the counter tells that the fragment was taken.
static void
test_sim__lost_answer_of_a_fragment (void **state)
{
    driver_t driver = s_group (s_perfect (0, 1));
    fuota_sim_stats_t stats;
    (void) state;
    driver_fragment (&driver, 1, 0);
    driver.f_cnt = 0;
    driver_fragment (&driver, 1, 0);
    assert_int_equal (driver_group (&driver, FUOTA_COUNTER).f_cnt, 2);
    fuota_sim_stats (driver.sim, &stats);
    assert_int_equal (stats.taken_twice, 1);
    assert_int_equal (stats.wrong_counter, 1);
    driver_release (&driver);
}

static void
test_sim__refused_fragment_may_come_again (void **state)
{
    fuota_sim_config_t config = s_perfect (0, 1);
    fuota_sim_stats_t stats;
    (void) state;
    config.gateway_refusal = 500;
    driver_t driver = s_group (config);
    driver_send (&driver, 1, 50);
    fuota_sim_stats (driver.sim, &stats);
    assert_int_equal (stats.on_air, 50);
    assert_int_equal (stats.refused, driver.refused);
    assert_int_equal (stats.taken, 50 + stats.refused);
    assert_true (stats.refused > 20);
    assert_int_equal (stats.taken_twice, 0);
    assert_int_equal (stats.out_of_order, 0);
    driver_release (&driver);
}

//  Expired and flushed fragments were never on air either.
static void
test_sim__flush_and_expiry_of_fragments (void **state)
{
    driver_t driver = s_group (s_perfect (0, 1));
    fuota_sim_stats_t stats;
    (void) state;
    driver_fragment (&driver, 1, driver.now);
    assert_int_equal (s_pass (driver.sim, driver.now += 2000, FUOTA_EXPIRED),
        1);
    for (uint32_t n = 1; n <= 3; n++)
        driver_fragment (&driver, n, 0);
    fuota_downlink_t flush = { .kind = FUOTA_FLUSH, .group = "sim-0" };
    fuota_sim_take (driver.sim, &flush, driver.now);
    assert_int_equal (s_pass (driver.sim, driver.now, FUOTA_EXPIRED), 3);
    for (uint32_t n = 1; n <= 3; n++)
        driver_fragment (&driver, n, 0);
    driver_run (&driver, driver.now + 60000);
    fuota_sim_stats (driver.sim, &stats);
    assert_int_equal (stats.on_air, 3);
    assert_int_equal (stats.taken_twice, 0);
    assert_int_equal (stats.out_of_order, 0);
    driver_release (&driver);
}

//  Several in the queue leave at ChirpStack's distance, in order.
static void
test_sim__queued_fragments_keep_their_distance (void **state)
{
    driver_t driver = s_group (s_perfect (0, 1));
    (void) state;
    for (uint32_t n = 1; n <= 3; n++)
        driver_fragment (&driver, n, 0);
    assert_int_equal (s_pass (driver.sim, driver.now + 1000, FUOTA_SENT), 1);
    assert_int_equal (s_pass (driver.sim, driver.now + 4900, FUOTA_SENT), 0);
    assert_int_equal (s_pass (driver.sim, driver.now + 6000, FUOTA_SENT), 1);
    assert_int_equal (s_pass (driver.sim, driver.now + 12000, FUOTA_SENT), 1);
    driver_release (&driver);
}

//  Fragments leave when the host's scheduler runs; a blind host says so at
//  once.
static void
test_sim__scheduler (void **state)
{
    fuota_sim_config_t config = s_perfect (0, 1);
    fuota_outcome_t outcome;
    (void) state;
    for (uint32_t blind = 0; blind < 2; blind++) {
        config.scheduler = 3000;
        config.blind = blind;
        driver_t driver = s_group (config);
        int64_t run = driver.now - driver.now % 3000;
        assert_int_equal (driver_fragment (&driver, 1, 0).kind,
            blind ? FUOTA_SENT : FUOTA_TAKEN);
        assert_int_equal (fuota_sim_due (driver.sim), run + 3000);
        fuota_sim_tick (driver.sim, run + 3000);
        assert_int_equal (fuota_sim_outcome (driver.sim, &outcome), !blind);
        assert_true (blind || outcome.kind == FUOTA_SENT);
        driver_release (&driver);
    }
}

//  Whole sessions

static const struct {
    const char *name;
    uint32_t version;
    uint8_t type;
    uint32_t loss, burst, unicast_loss, refusal, reorder;
} worlds [] = {
    { "perfect v1", 1, 0, 0, 0, 0, 0, 0 },
    { "perfect v2", 2, 0, 0, 0, 0, 0, 0 },
    { "loss v1", 1, 0, 100, 1, 0, 0, 0 },
    { "loss v2", 2, 0, 100, 1, 0, 0, 0 },
    { "bursts v2", 2, 0, 100, 4, 0, 0, 0 },
    { "unicast loss v1", 1, 0, 50, 1, 200, 0, 0 },
    { "all of it v2", 2, 0, 100, 3, 100, 100, 100 },
    { "class B v1", 1, 1, 50, 1, 0, 0, 0 },
    { "class B v2", 2, 1, 50, 1, 0, 0, 0 },
};

static void
s_whole (driver_t *driver, size_t i)
{
    fuota_sim_config_t config = s_perfect (10, worlds [i].version);
    config.loss = worlds [i].loss;
    config.burst = worlds [i].burst;
    config.unicast_loss = worlds [i].unicast_loss;
    config.gateway_refusal = worlds [i].refusal;
    config.reorder = config.duplicates = worlds [i].reorder;
    config.clock_error = 3600000;
    config.drift = 50;
    driver_init (driver, &config, 2000, 48);
    driver->type = worlds [i].type;
    driver_set_up (driver, 2 * HOUR);
    driver_send (driver, 1, driver->m + 40);
    driver_collect (driver, 2 * HOUR);
}

static void
test_sim__whole_sessions (void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof worlds / sizeof *worlds; i++) {
        driver_t driver;
        fuota_sim_stats_t stats;
        s_whole (&driver, i);
        if (driver_complete (&driver) != 10)
            fail_msg ("%s: %u complete", worlds [i].name,
                driver_complete (&driver));
        for (unsigned k = 0; k < 10; k++)
            if (driver.device [k].step != DRIVER_COMPLETE)
                fail_msg ("%s: device %u says %d", worlds [i].name, k,
                    (int) driver.device [k].step);
        fuota_sim_stats (driver.sim, &stats);
        assert_int_equal (stats.outside, 0);
        assert_int_equal (stats.taken_twice, 0);
        assert_int_equal (stats.out_of_order, 0);
        driver_release (&driver);
    }
}

//  The same seed gives the same world, another one another.
static void
test_sim__same_seed_same_world (void **state)
{
    uint64_t digest [9];
    (void) state;
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < 9; i++) {
            driver_t driver;
            s_whole (&driver, i);
            if (round == 1)
                assert_true (digest [i] == driver.digest);
            digest [i] = driver.digest;
            driver_release (&driver);
        }
    assert_true (digest [0] != digest [1]);
}

static void
test_sim__dead_and_refusing (void **state)
{
    fuota_sim_config_t config = s_perfect (40, 2);
    driver_t driver;
    unsigned dead = 0, refusing = 0;
    (void) state;
    config.dead = config.refusing = 300;
    driver_init (&driver, &config, 1000, 48);
    driver_set_up (&driver, HOUR);
    driver_send (&driver, 1, driver.m + 5);
    driver_collect (&driver, HOUR);
    for (uint32_t i = 0; i < 40; i++) {
        fuota_sim_view_t view;
        fuota_sim_view (driver.sim, i, &view);
        driver_step_t step = driver.device [i].step;
        dead += view.dead;
        refusing += !view.dead && view.refusing;
        assert_int_equal (view.dead, step == DRIVER_GROUP);
        assert_int_equal (!view.dead && view.refusing, step == DRIVER_REFUSED);
        assert_int_equal (view.has_image, step == DRIVER_COMPLETE);
    }
    assert_true (dead > 3 && refusing > 3);
    driver_release (&driver);
}

//  Every kind of odd device still ends with the right image, except those
//  that cannot take FragIndex 0: all fragments have that.
static void
test_sim__quirks (void **state)
{
    fuota_sim_config_t config = s_perfect (60, 2);
    driver_t driver;
    (void) state;
    config.quirks = 1000;
    config.loss = 50;
    driver_init (&driver, &config, 1000, 48);
    driver_set_up (&driver, 2 * HOUR);
    driver_send (&driver, 1, driver.m + 30);
    driver_collect (&driver, HOUR);
    unsigned odd = 0;
    for (uint32_t i = 0; i < 60; i++)
        odd += driver.device [i].frag_index > 0;
    assert_in_range (odd, 10, 50);
    assert_int_equal (driver_complete (&driver), 60 - odd);
    driver_release (&driver);
}

static void
test_sim__gateways_must_reach (void **state)
{
    fuota_sim_config_t config = s_perfect (12, 1);
    (void) state;
    config.gateways = 4;
    driver_t driver;
    driver_init (&driver, &config, 1000, 48);
    fuota_downlink_t downlink = { .kind = FUOTA_GROUP_CREATE,
        .name = "hand-driven",
        .gateways_count = 1,
        .gateways = { 1 } };
    driver_describe (&driver, &downlink);
    driver_call (&driver, &downlink);
    driver_set_up (&driver, HOUR);
    driver_send (&driver, 1, driver.m + 1);
    assert_int_equal (driver_complete (&driver), 6);
    driver_release (&driver);
}

//  Fragments by unicast only: each to one device, in its windows.
static void
test_sim__repair_by_unicast (void **state)
{
    driver_t driver;
    fuota_sim_config_t config = s_perfect (2, 1);
    (void) state;
    driver_init (&driver, &config, 400, 48);
    driver_set_up (&driver, HOUR);
    driver_send (&driver, 1, driver.m - 1);
    assert_int_equal (driver_complete (&driver), 0);
    for (uint32_t n = 1; n <= 12; n++)
        driver_unicast (&driver, 0, driver.m + n);
    driver_unicast (&driver, 1, driver.m);
    driver_run (&driver, driver.now + HOUR);
    assert_int_equal (driver_complete (&driver), 2);
    driver_release (&driver);
}

//  Devices that delete the group hear it no more; another one does not help.
static void
test_sim__deleted_group_is_not_heard (void **state)
{
    driver_t driver;
    fuota_sim_config_t config = s_perfect (2, 1);
    fuota_sim_stats_t stats;
    (void) state;
    driver_init (&driver, &config, 400, 48);
    driver_set_up (&driver, HOUR);
    driver_send (&driver, 1, 1);
    for (uint32_t i = 0; i < 2; i++) {
        fuota_downlink_t downlink = { .kind = FUOTA_UNICAST,
            .dev_eui = config.first_eui + i,
            .f_port = 200,
            .data = { 32, { 3, 0, 2, 1, 9, 9, 9, 9 } } };
        driver_call (&driver, &downlink);
    }
    driver_run (&driver, driver.now + HOUR);
    fuota_sim_stats (driver.sim, &stats);
    assert_int_equal (stats.outside, 0);
    driver_send (&driver, 2, 2);
    fuota_sim_stats (driver.sim, &stats);
    assert_int_equal (stats.outside, 1);
    driver_release (&driver);
}

static void
test_sim__defaults (void **state)
{
    fuota_sim_config_t config;
    driver_t driver;
    (void) state;
    fuota_sim_defaults (&config);
    driver_init (&driver, &config, 1000, 48);
    driver_set_up (&driver, HOUR);
    driver_send (&driver, 1, driver.m + 20);
    assert_int_equal (driver_complete (&driver), config.devices);
    driver_release (&driver);
}

static void
test_sim__keys_and_tags (void **state)
{
    fuota_sim_config_t config = s_perfect (2, 1);
    fuota_sim_t *sim = fuota_sim_new (&config, 0);
    fuota_downlink_t downlink = { .kind = FUOTA_KEYS, .dev_eui = 0x1001 };
    fuota_sim_view_t view;
    (void) state;
    fuota_outcome_t first = s_take (sim, &downlink, 0);
    fuota_outcome_t again = s_take (sim, &downlink, 0);
    downlink.dev_eui = 0x1000;
    fuota_outcome_t other = s_take (sim, &downlink, 0);
    assert_int_equal (first.kind, FUOTA_DONE);
    assert_int_equal (first.root_key.size, 16);
    assert_int_equal (first.root, 0);
    assert_memory_equal (first.root_key.bytes, again.root_key.bytes, 16);
    assert_memory_not_equal (first.root_key.bytes, other.root_key.bytes, 16);
    downlink.kind = FUOTA_TAGS;
    downlink.tags_count = 2;
    assert_int_equal (s_take (sim, &downlink, 0).kind, FUOTA_DONE);
    fuota_sim_view (sim, 0, &view);
    assert_int_equal (view.tags, 2);
    fuota_sim_destroy (&sim);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_sim__no_devices),
        cmocka_unit_test (test_sim__never),
        cmocka_unit_test (test_sim__downlink_in_the_window_of_an_uplink),
        cmocka_unit_test (test_sim__a_device_answers),
        cmocka_unit_test (test_sim__row_is_queued_once),
        cmocka_unit_test (test_sim__expiry),
        cmocka_unit_test (test_sim__busy_and_lost),
        cmocka_unit_test (test_sim__duplicates_and_order),
        cmocka_unit_test (test_sim__gateways),
        cmocka_unit_test (test_sim__group_by_name),
        cmocka_unit_test (test_sim__fragments_are_counted),
        cmocka_unit_test (test_sim__lost_answer_of_a_fragment),
        cmocka_unit_test (test_sim__refused_fragment_may_come_again),
        cmocka_unit_test (test_sim__flush_and_expiry_of_fragments),
        cmocka_unit_test (test_sim__queued_fragments_keep_their_distance),
        cmocka_unit_test (test_sim__scheduler),
        cmocka_unit_test (test_sim__whole_sessions),
        cmocka_unit_test (test_sim__same_seed_same_world),
        cmocka_unit_test (test_sim__dead_and_refusing),
        cmocka_unit_test (test_sim__quirks),
        cmocka_unit_test (test_sim__gateways_must_reach),
        cmocka_unit_test (test_sim__repair_by_unicast),
        cmocka_unit_test (test_sim__deleted_group_is_not_heard),
        cmocka_unit_test (test_sim__defaults),
        cmocka_unit_test (test_sim__keys_and_tags),
    };
    return cmocka_run_group_tests_name ("sim", tests, NULL, NULL);
}
