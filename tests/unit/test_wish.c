//  SPDX-License-Identifier: MIT
//
//  Every row is a good wish with one thing changed: it must give exactly the
//  fault named, or none.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "broker/wish.h"
#include "workers/plan.h"

#define NOW 1800000000000
#define KIB 1024

typedef struct {
    fuota_wish_t wish;
    fuota_wish_facts_t facts;
    fuota_wish_defaults_t defaults;
    fuota_profile_t profiles [2];
    uint64_t devices [3];
    uint8_t random [FUOTA_WISH_RANDOM];
    fuota_wish_device_t other;  //  Of device 2
    fuota_deployment_t deployment;
    fuota_faults_t faults;
} world_t;

static void
s_device (void *arg, uint64_t dev_eui, const fuota_dialect_t *dialect,
    fuota_wish_device_t *out)
{
    world_t *world = arg;
    assert_true (dialect->ts004 > 0);
    if (dev_eui == 2)
        *out = world->other;
}

static void
s_good (world_t *world)
{
    *world = (world_t){ .devices = { 1, 2, 3 } };
    fuota_wish_defaults (&world->defaults);
    snprintf (world->defaults.application, 41, "app");
    for (size_t i = 0; i < 2; i++)
        fuota_wish_dialect (&world->profiles [i].dialect);
    snprintf (world->profiles [0].name, 65, "new");
    world->profiles [0].dialect.ts004 = 2;
    snprintf (world->profiles [1].name, 65, "small");
    world->profiles [1].dialect.max_nb_frag = 100;
    world->profiles [1].dialect.max_frag_size = 40;
    for (size_t i = 0; i < sizeof world->random; i++)
        world->random [i] = (uint8_t) (i + 1);
    world->wish.has_dr = true;
    world->wish.dr = 5;
    world->facts = (fuota_wish_facts_t){ .now = NOW,
        .random = world->random,
        .devices = world->devices,
        .device_count = 3,
        .has_image = true,
        .image_size = 10 * KIB,
        .profiles = world->profiles,
        .profile_count = 2,
        .defaults = &world->defaults,
        .device = s_device,
        .arg = world };
}

static int
s_check (world_t *world)
{
    return fuota_wish_check (&world->wish, &world->facts, &world->deployment,
        &world->faults);
}

//  Each change is one function, so that a row is one line.
#define CHANGE(name, code)                                                     \
    static void s_##name (world_t *w)                                          \
    {                                                                          \
        code;                                                                  \
    }
CHANGE (nothing, (void) w)
CHANGE (no_devices, w->facts.device_count = 0)
CHANGE (zero_device, w->devices [0] = 0)
CHANGE (twice, w->devices [1] = 1)
CHANGE (four, w->other.count = 4)
CHANGE (three, w->other.count = 3; w->other.indexes = 7)
CHANGE (indexes, w->other.count = 2; w->other.indexes = 15)
CHANGE (conflict, w->other.count = 1; w->other.conflicting = true)
CHANGE (no_image, w->facts.has_image = false)
CHANGE (empty_image, w->facts.image_size = 0)
CHANGE (one_byte, w->facts.image_size = 1)
CHANGE (large_image, w->facts.image_size = 3000000)
CHANGE (too_large_image, w->facts.image_size = 3600000)
CHANGE (huge_image, w->facts.image_size = (size_t) 5 << 30)
CHANGE (short_hash, w->wish.image_sha256.size = 31)
CHANGE (other_hash, w->wish.image_sha256.size = 32;
        w->wish.image_sha256.bytes [0] = 1)
CHANGE (unknown_hash, s_other_hash (w); w->facts.has_image = false)
CHANGE (known_hash, s_unknown_hash (w); w->facts.image_known = true)
CHANGE (type, w->wish.group_type = 2)
CHANGE (class_b, w->wish.group_type = 1; w->wish.periodicity = 7)
CHANGE (period, w->wish.periodicity = 8)
CHANGE (schedule, w->wish.scheduling = 2)
CHANGE (region, snprintf (w->wish.region, 17, "XX868"))
CHANGE (region_dash, snprintf (w->wish.region, 17, "as923-2"))
CHANGE (rate, w->wish.dr = 8)
CHANGE (rate_huge, w->wish.dr = UINT32_MAX)
CHANGE (rate_none, w->wish.has_dr = false; w->wish.dr = 0)
CHANGE (freq_low, w->wish.frequency = 862999900)
CHANGE (freq_high, w->wish.frequency = 870000100)
CHANGE (freq_odd, w->wish.frequency = 868100050)
CHANGE (freq_good, w->wish.frequency = 868100000)
CHANGE (freq_24, w->wish.frequency = 2403000100;
        snprintf (w->wish.region, 17, "ISM2400"))
CHANGE (frag_large, w->wish.frag_size = 240)
CHANGE (frag_most, w->wish.frag_size = 239)
CHANGE (frag_tiny, w->wish.frag_size = 1)
CHANGE (frag_too_tiny, w->wish.frag_size = 1; w->facts.image_size = 16383)
CHANGE (percent, w->wish.redundancy_percent = 1001)
CHANGE (percent_sum, w->wish.redundancy_percent = 100;
        w->facts.image_size = 239 * 8192)
CHANGE (percent_good, w->wish.redundancy_percent = 30)
CHANGE (count_most, w->wish.redundancy = 16340)
CHANGE (count_sum, w->wish.redundancy = 16341)
CHANGE (count_huge, w->wish.redundancy = 16383)
CHANGE (loss, w->wish.has_expected_loss = true; w->wish.expected_loss = 91)
CHANGE (loss_none, w->wish.has_expected_loss = true)
CHANGE (past, w->wish.start_at = NOW - 60001)
CHANGE (past_good, w->wish.start_at = NOW - 60000)
CHANGE (far, w->wish.start_at = NOW + 16777215001)
CHANGE (far_good, w->wish.start_at = NOW + 16777215000)
CHANGE (negative, w->wish.start_at = INT64_MIN)
CHANGE (quorum, w->wish.quorum = 101)
CHANGE (window, w->wish.setup_window = 16777216)
CHANGE (retries, w->wish.retries = 21)
CHANGE (interval_low, w->wish.uplink_interval = 9)
CHANGE (interval_high, w->wish.uplink_interval = 604801)
CHANGE (interval_lead, w->wish.uplink_interval = 604800; w->wish.retries = 20)
CHANGE (time_out, w->wish.has_time_out = true; w->wish.time_out = 16)
CHANGE (time_out_short, w->wish.has_time_out = true; w->wish.time_out = 1)
CHANGE (time_out_good, w->wish.has_time_out = true; w->wish.time_out = 9)
CHANGE (rounds, w->wish.repair_rounds = 51)
CHANGE (rounds_none, w->wish.has_repair_rounds = true)
CHANGE (duty, w->wish.duty = 1001)
CHANGE (duty_small, w->wish.duty = 1; w->wish.dr = 0;
        w->wish.gateways_count = 16;
        for (uint64_t i = 0; i < 16; i++) w->wish.gateways [i] = i + 1)
CHANGE (profile, snprintf (w->wish.profile, 65, "old"))
CHANGE (profile_new, snprintf (w->wish.profile, 65, "new"))
CHANGE (profile_small, snprintf (w->wish.profile, 65, "small"))
CHANGE (profile_fits, s_profile_small (w); w->facts.image_size = 4000)
CHANGE (profile_frag, s_profile_fits (w); w->wish.frag_size = 41)
CHANGE (ts003, w->wish.ts003 = 3)
CHANGE (ts004, w->wish.ts004 = 3)
CHANGE (ts005, w->wish.ts005 = 4)
CHANGE (port_high, w->wish.port004 = 224)
CHANGE (port_same, w->wish.port004 = 200)
CHANGE (port_same3, w->wish.port003 = 201)
CHANGE (gateway_zero, w->wish.gateways_count = 1)
CHANGE (gateway_twice, w->wish.gateways_count = 2;
        w->wish.gateways [0] = w->wish.gateways [1] = 5)
CHANGE (tag_empty, w->wish.tags_count = 1)
CHANGE (tag_twice, w->wish.tags_count = 2; w->wish.tags [0].key [0] = 'a';
        w->wish.tags [1].key [0] = 'a')
CHANGE (descriptor, w->wish.descriptor.size = 3)
CHANGE (name_control, snprintf (w->wish.name, 65, "a\nb"))
CHANGE (token_control, snprintf (w->wish.token, 65, "\x1b[2J"))
CHANGE (no_application, w->defaults.application [0] = 0)

static const struct {
    const char *name;
    void (*change) (world_t *world);
    const char *field;  //  NULL: no fault
} s_cases [] = {
    { "good", s_nothing, NULL },
    { "no devices", s_no_devices, "devices" },
    { "DevEUI zero", s_zero_device, "devices" },
    { "device twice", s_twice, "devices" },
    { "in four deployments", s_four, "devices" },
    { "in three deployments", s_three, NULL },
    { "no index free on all", s_indexes, "devices" },
    { "other versions elsewhere", s_conflict, "devices" },
    { "no image", s_no_image, "image" },
    { "empty image", s_empty_image, "image" },
    { "image of one byte", s_one_byte, NULL },
    { "large image", s_large_image, NULL },
    { "image without room for parity", s_too_large_image, "image" },
    { "image beyond 32 bits", s_huge_image, "image" },
    { "short hash", s_short_hash, "image_sha256" },
    { "hash of another image", s_other_hash, "image_sha256" },
    { "hash not stored", s_unknown_hash, "image_sha256" },
    { "hash stored", s_known_hash, NULL },
    { "group type", s_type, "group_type" },
    { "class B", s_class_b, NULL },
    { "periodicity", s_period, "periodicity" },
    { "scheduling", s_schedule, "scheduling" },
    { "region", s_region, "region" },
    { "region with a dash", s_region_dash, NULL },
    { "data rate", s_rate, "dr" },
    { "data rate, huge", s_rate_huge, "dr" },
    { "data rate of RX2", s_rate_none, NULL },
    { "frequency below", s_freq_low, "frequency" },
    { "frequency above", s_freq_high, "frequency" },
    { "frequency in between", s_freq_odd, "frequency" },
    { "frequency", s_freq_good, NULL },
    { "frequency, 2.4 GHz step", s_freq_24, "frequency" },
    { "fragment too large", s_frag_large, "frag_size" },
    { "largest fragment", s_frag_most, NULL },
    { "tiny fragment", s_frag_tiny, NULL },
    { "too many fragments", s_frag_too_tiny, "image" },
    { "per cent", s_percent, "redundancy_percent" },
    { "per cent beyond N", s_percent_sum, "redundancy_percent" },
    { "30 per cent", s_percent_good, NULL },
    { "largest count", s_count_most, NULL },
    { "count beyond N", s_count_sum, "redundancy" },
    { "count, huge", s_count_huge, "redundancy" },
    { "loss", s_loss, "expected_loss" },
    { "no loss", s_loss_none, NULL },
    { "start in the past", s_past, "start_at" },
    { "start a minute ago", s_past_good, NULL },
    { "start in 195 days", s_far, "start_at" },
    { "start in 194 days", s_far_good, NULL },
    { "start before all time", s_negative, "start_at" },
    { "quorum", s_quorum, "quorum" },
    { "set-up window", s_window, "setup_window" },
    { "retries", s_retries, "retries" },
    { "interval, short", s_interval_low, "uplink_interval" },
    { "interval, long", s_interval_high, "uplink_interval" },
    { "interval beyond TimeToStart", s_interval_lead, "uplink_interval" },
    { "time-out", s_time_out, "time_out" },
    { "time-out without a fragment", s_time_out_short, "time_out" },
    { "time-out of 512 s", s_time_out_good, NULL },
    { "rounds", s_rounds, "repair_rounds" },
    { "no rounds", s_rounds_none, NULL },
    { "duty", s_duty, "duty" },
    { "duty without a window", s_duty_small, "duty" },
    { "profile unknown", s_profile, "profile" },
    { "profile with v2", s_profile_new, NULL },
    { "profile too small", s_profile_small, "image" },
    { "profile just large enough", s_profile_fits, NULL },
    { "profile's fragment size", s_profile_frag, "frag_size" },
    { "TS003 version", s_ts003, "ts003" },
    { "TS004 version", s_ts004, "ts004" },
    { "TS005 version", s_ts005, "ts005" },
    { "port", s_port_high, "port004" },
    { "port of two packages", s_port_same, "port005" },
    { "port of two packages", s_port_same3, "port004" },
    { "gateway zero", s_gateway_zero, "gateways" },
    { "gateway twice", s_gateway_twice, "gateways" },
    { "tag without key", s_tag_empty, "tags" },
    { "tag twice", s_tag_twice, "tags" },
    { "descriptor", s_descriptor, "descriptor" },
    { "name with a line end", s_name_control, "name" },
    { "token with an escape", s_token_control, "token" },
    { "no application", s_no_application, "application" },
};

static void
test_wish__one_wrong_field_is_one_fault (void **state)
{
    (void) state;
    static world_t world;
    for (size_t i = 0; i < sizeof s_cases / sizeof *s_cases; i++) {
        s_good (&world);
        s_cases [i].change (&world);
        int rc = s_check (&world);
        size_t want = s_cases [i].field != NULL;
        const fuota_fault_t *fault = &world.faults.list [0];
        if (world.faults.count != want || rc != (want ? FUOTA_EVALUE : 0))
            fail_msg ("%s: %d, %zu faults: %s, %s", s_cases [i].name, rc,
                world.faults.count, fault->field, world.faults.list [1].field);
        if (want && (strcmp (fault->field, s_cases [i].field) ||
                        !*fault->value || !*fault->allowed))
            fail_msg ("%s: %s: %s; allowed %s", s_cases [i].name, fault->field,
                fault->value, fault->allowed);
    }
}

static void
test_wish__all_faults_at_once (void **state)
{
    (void) state;
    static world_t world;
    s_good (&world);
    s_rate (&world);
    s_quorum (&world);
    s_retries (&world);
    s_port_high (&world);
    s_zero_device (&world);
    s_past (&world);
    assert_int_equal (s_check (&world), FUOTA_EVALUE);
    assert_int_equal (world.faults.count, 6);
    assert_false (world.faults.left_out);
}

static void
test_wish__many_wrong_devices_are_counted (void **state)
{
    (void) state;
    static world_t world;
    static uint64_t devices [100];
    s_good (&world);
    world.facts.devices = devices;
    world.facts.device_count = 100;
    assert_int_equal (s_check (&world), FUOTA_EVALUE);
    assert_int_equal (world.faults.count, 9);
    assert_string_equal (world.faults.list [8].value, "100");
}

static void
test_wish__faults_are_bounded (void **state)
{
    (void) state;
    static fuota_faults_t faults;
    char text [400];
    memset (text, 'x', sizeof text);
    text [sizeof text - 1] = 0;
    for (int i = 0; i < FUOTA_FAULTS_MAX + 1; i++)
        fuota_faults_add (&faults, text, text, "%s", text);
    assert_int_equal (faults.count, FUOTA_FAULTS_MAX);
    assert_true (faults.left_out);
    assert_int_equal (strlen (faults.list [31].allowed), 160);
}

static void
test_wish__becomes_a_plan (void **state)
{
    (void) state;
    static world_t world;
    s_good (&world);
    assert_int_equal (s_check (&world), 0);
    const fuota_deployment_t *plan = &world.deployment;
    assert_int_equal (plan->frag_size, 239);
    assert_int_equal (plan->nb_frag, 43);
    assert_int_equal (plan->padding, 43 * 239 - 10 * KIB);
    assert_int_equal (plan->expected_loss, 100);
    assert_int_equal (plan->redundancy, fuota_plan_redundancy (43, 100));
    assert_int_equal (plan->frequency, 869525000);
    assert_int_equal (plan->time_out, FUOTA_PLAN_AUTO_TIME_OUT);
    assert_int_equal (plan->quorum, 100);
    assert_int_equal (plan->guard, 3);
    assert_true (plan->period * 1000ull > plan->air_time);
    assert_int_equal (plan->mc_addr >> 24, 0x01);
    assert_int_equal (plan->mc_addr & 0xffffff, 0x222324);
    assert_memory_equal (plan->id, world.random, 16);
    assert_memory_equal (plan->mc_key, world.random + 16, 16);
    assert_string_equal (plan->name, "fuota-01020304");
    assert_true (plan->has_dialect);
}

static void
test_wish__duty_sets_the_period (void **state)
{
    (void) state;
    static world_t world;
    s_good (&world);
    world.wish.duty = 10;
    assert_int_equal (s_check (&world), 0);
    uint32_t air = (world.deployment.air_time + 999) / 1000;
    assert_int_equal (world.deployment.period, air * 100);
    world.wish.gateways_count = 2;
    world.wish.gateways [0] = 1;
    world.wish.gateways [1] = 2;
    assert_int_equal (s_check (&world), 0);
    assert_int_equal (world.deployment.period, air * 200);
}

static void
test_wish__index_is_free_on_all_devices (void **state)
{
    (void) state;
    static world_t world;
    static const struct {
        unsigned used, index;
    } cases [] = { { 0, 0 }, { 1, 1 }, { 2, 0 }, { 5, 1 }, { 7, 3 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        s_good (&world);
        world.other.count = 1;
        world.other.indexes = cases [i].used;
        assert_int_equal (s_check (&world), 0);
        assert_int_equal (world.deployment.frag_index, cases [i].index);
    }
}

static void
test_wish__address_keeps_the_prefix (void **state)
{
    (void) state;
    static world_t world;
    static const struct {
        uint32_t prefix, bits, address;
    } cases [] = { { 0xffffffff, 0, 0x21222324 },
        { 0xfc00ab00, 24, 0xfc00ab24 }, { 0x26000000, 7, 0x27222324 } };
    for (size_t i = 0; i < 3; i++) {
        s_good (&world);
        world.defaults.mc_addr_prefix = cases [i].prefix;
        world.defaults.mc_addr_bits = cases [i].bits;
        assert_int_equal (s_check (&world), 0);
        assert_int_equal (world.deployment.mc_addr, cases [i].address);
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_wish__one_wrong_field_is_one_fault),
        cmocka_unit_test (test_wish__all_faults_at_once),
        cmocka_unit_test (test_wish__many_wrong_devices_are_counted),
        cmocka_unit_test (test_wish__faults_are_bounded),
        cmocka_unit_test (test_wish__becomes_a_plan),
        cmocka_unit_test (test_wish__duty_sets_the_period),
        cmocka_unit_test (test_wish__index_is_free_on_all_devices),
        cmocka_unit_test (test_wish__address_keeps_the_prefix),
    };
    return cmocka_run_group_tests_name ("wish", tests, NULL, NULL);
}
