//  SPDX-License-Identifier: MIT
//
//  What is known of gateways, from events to rows.

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "broker/radio.h"
#include "tests/scratch.h"

#define NOW 1600000000000
#define MINUTE 60000
#define HOUR (60 * MINUTE)

typedef struct {
    scratch_t scratch;
    fuota_radio_t *radio;
    int64_t now;
} rig_t;

static void
s_open (rig_t *rig)
{
    scratch_init (&rig->scratch, 16u << 20, FUOTA_DB_NOSYNC);
    rig->radio = fuota_radio_new (rig->scratch.db, fuota_region_find ("EU868"));
    assert_non_null (rig->radio);
    rig->now = NOW;
}

//  As the shell does it: the store copies the rows.
static void
s_commit (rig_t *rig)
{
    const fuota_batch_t *rows = fuota_radio_rows (rig->radio);
    fuota_slice_t bytes = fuota_slice (rows->data, rows->size);
    assert_false (rows->failed);
    assert_int_equal (fuota_db_apply (rig->scratch.db, &bytes, 1), 0);
    fuota_radio_committed (rig->radio);
}

static void
s_close (rig_t *rig)
{
    fuota_radio_destroy (&rig->radio);
    scratch_release (&rig->scratch);
}

static void
s_uplink (rig_t *rig, uint64_t dev_eui, const char *gateways)
{
    fuota_event_t event = { .dev_eui = dev_eui, .received_at = rig->now };
    for (; *gateways; gateways++)
        event.gateways [event.gateways_count++] = (uint64_t) *gateways;
    assert_int_equal (fuota_radio_take (rig->radio, &event, rig->now), 0);
}

static fuota_reception_t
s_reception (rig_t *rig, uint64_t dev_eui)
{
    fuota_reception_t reception;
    s_commit (rig);
    assert_int_equal (scratch_get (&rig->scratch, FUOTA_TABLE_RECEPTION,
                          fuota_key_eui (dev_eui), Reception_fields,
                          &reception),
        0);
    return reception;
}

static uint32_t
s_heard (const fuota_reception_t *reception, char gateway)
{
    for (pb_size_t i = 0; i < reception->heard_count; i++)
        if (reception->heard [i].gateway == (uint64_t) gateway)
            return reception->heard [i].count;
    return 0;
}

//  Each row: uplinks ten minutes apart, each by the gateways of a letter.
static void
test_radio__who_hears_a_device (void **state)
{
    (void) state;
    static const struct {
        const char *name, *uplinks [12];
        uint32_t count, a, b, i;
    } cases [] = {
        { "once", { "a" }, 1, 1, 0, 0 },
        { "two antennas of one", { "aa" }, 1, 1, 0, 0 },
        { "two", { "ab", "a", "ba" }, 3, 3, 2, 0 },
        { "a ninth takes the place of the one that heard least",
            { "abcdefgh", "bcdefgh", "i" }, 3, 0, 2, 1 },
        { "eight and more", { "abcdefgh", "abcdefgh", "ai" }, 3, 3, 0, 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rig_t rig;
        s_open (&rig);
        for (size_t n = 0; cases [i].uplinks [n]; n++) {
            s_uplink (&rig, 7, cases [i].uplinks [n]);
            rig.now += 10 * MINUTE;
            if (n & 1)
                s_commit (&rig);  //  It goes on from the rows
        }
        fuota_reception_t got = s_reception (&rig, 7);
        if (got.uplinks != cases [i].count ||
            s_heard (&got, 'a') != cases [i].a ||
            s_heard (&got, 'b') != cases [i].b ||
            s_heard (&got, 'i') != cases [i].i)
            fail_msg ("%s: %u, %u %u %u", cases [i].name, got.uplinks,
                s_heard (&got, 'a'), s_heard (&got, 'b'), s_heard (&got, 'i'));
        s_close (&rig);
    }
}

//  After the first eight one in ten minutes is counted: a device that talks
//  all the time costs no more than others. The old fades.
static void
test_radio__seldom_and_fading (void **state)
{
    (void) state;
    rig_t rig;
    s_open (&rig);
    for (unsigned n = 0; n < 1000; n++, rig.now += 1000)
        s_uplink (&rig, 7, "a");
    fuota_reception_t got = s_reception (&rig, 7);
    assert_int_equal (got.uplinks, 8 + 1);
    for (unsigned n = 0; n < 200; n++, rig.now += 10 * MINUTE)
        s_uplink (&rig, 7, "b");
    got = s_reception (&rig, 7);
    assert_in_range (got.uplinks, 32, 64);
    assert_int_equal (s_heard (&got, 'a'), 0);
    assert_true (fuota_radio_covers (&got, s_heard (&got, 'b')));
    //  A clock that went back does not stop the counting
    rig.now = NOW;
    s_uplink (&rig, 7, "b");
    fuota_reception_t more = s_reception (&rig, 7);
    assert_true (more.uplinks != got.uplinks);
    s_close (&rig);
}

static void
test_radio__covers (void **state)
{
    (void) state;
    fuota_reception_t reception = { .uplinks = 10,
        .heard_count = 3,
        .heard = { { 1, 6 }, { 2, 5 }, { 3, 4 } } };
    assert_true (fuota_radio_covers (&reception, 6));
    assert_true (fuota_radio_covers (&reception, 5));
    assert_false (fuota_radio_covers (&reception, 4));
    assert_false (fuota_radio_covers (&reception, 0));
    //  Nobody hears it well: who hears it best
    reception.uplinks = 20;
    assert_true (fuota_radio_covers (&reception, 6));
    assert_false (fuota_radio_covers (&reception, 5));
}

static void
s_frame (rig_t *rig, uint64_t gateway, uint8_t deployment, uint32_t hz,
    uint32_t air_time, uint32_t word)
{
    fuota_event_t event = { .kind = FUOTA_EVENT_FRAME,
        .has_frame = true,
        .frame = { .gateway = gateway,
            .deployment = { deployment },
            .frequency = hz,
            .air_time = air_time,
            .word = word } };
    assert_int_equal (fuota_radio_take (rig->radio, &event, rig->now), 0);
}

static uint32_t
s_hour (rig_t *rig, uint64_t gateway, uint32_t low)
{
    fuota_air_t air = { .minute = 0 };
    s_commit (rig);
    scratch_get (&rig->scratch, FUOTA_TABLE_AIR, fuota_key_air (gateway, low),
        Air_fields, &air);
    return fuota_radio_hour (&air, rig->now);
}

//  Words of ours are counted by deployment, if it is still there; what was sent,
//  or may have been, counts for the gateway's hour, whoever's it was.
static void
test_radio__frames (void **state)
{
    (void) state;
    rig_t rig;
    fuota_fate_t fate;
    uint8_t id [FUOTA_ID_SIZE] = { 1 }, other [FUOTA_ID_SIZE] = { 2 };
    fuota_group_t group = { .phase = FUOTA_SENDING };
    s_open (&rig);
    scratch_put (&rig.scratch, FUOTA_TABLE_GROUP, fuota_key_id (id),
        Group_fields, &group);
    scratch_put (&rig.scratch, FUOTA_TABLE_GROUP, fuota_key_id (other),
        Group_fields, &group);
    s_frame (&rig, 5, 1, 869525000, 400000, 1);
    s_frame (&rig, 5, 1, 869525000, 400000, 2);
    s_frame (&rig, 5, 1, 869525000, 400000, 0);
    s_frame (&rig, 5, 1, 869525000, 400000, 4000000000u);
    s_frame (&rig, 5, 2, 869525000, 1, 1);
    s_frame (&rig, 5, 3, 869525000, 1, 1);  //  Removed
    s_frame (&rig, 5, 0, 868100000, 50000, 1);
    s_frame (&rig, 5, 0, 0, 7000, 1);
    assert_int_equal (s_hour (&rig, 5, 869400000), 802);
    assert_int_equal (s_hour (&rig, 5, 868000000), 50);
    assert_int_equal (s_hour (&rig, 5, 0), 7);
    assert_int_equal (s_hour (&rig, 6, 869400000), 0);
    assert_int_equal (scratch_get (&rig.scratch, FUOTA_TABLE_FATE,
                          fuota_key_device (id, 5), Fate_fields, &fate),
        0);
    for (unsigned i = 0; i < FUOTA_WORDS; i++)
        assert_int_equal (fate.by_word [i], i <= 2 || i == FUOTA_WORDS - 1);
    assert_int_equal (scratch_count (&rig.scratch, FUOTA_TABLE_FATE), 2);
    s_close (&rig);
}

//  Each row: a millisecond each at those minutes; the hour at the last.
static void
test_radio__rolling_hour (void **state)
{
    (void) state;
    static const struct {
        const char *name;
        int minutes [8];  //  Ends with 0
        int at;
        uint32_t used;
    } cases [] = {
        { "nothing", { 0 }, 1, 0 },
        { "now", { 1 }, 1, 1 },
        { "at its end", { 1 }, 60, 1 },
        { "over", { 1 }, 61, 0 },
        { "some of them", { 1, 2, 30, 61 }, 61, 3 },
        { "a gap of a day", { 1, 1441 }, 1441, 1 },
        { "a gap of an hour", { 1, 61 }, 61, 1 },
        { "the clock went back", { 30, 10, 31 }, 31, 3 },
        { "far back", { 500, 10 }, 10, 1 },
        { "looked at from before", { 100 }, 10, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rig_t rig;
        s_open (&rig);
        for (size_t n = 0; cases [i].minutes [n]; n++) {
            rig.now = NOW + cases [i].minutes [n] * MINUTE;
            s_frame (&rig, 5, 0, 869525000, 1000, 1);
            if (n & 1)
                s_commit (&rig);
        }
        rig.now = NOW + cases [i].at * MINUTE;
        uint32_t used = s_hour (&rig, 5, 869400000);
        if (used != cases [i].used)
            fail_msg ("%s: %u", cases [i].name, used);
        s_close (&rig);
    }
}

//  Rows of noise: minutes that cannot have been.
static void
test_radio__hour_of_noise (void **state)
{
    (void) state;
    static const int64_t minutes [] = { INT64_MIN, -1, INT64_MAX,
        NOW / MINUTE + 60 };
    for (size_t i = 0; i < sizeof minutes / sizeof *minutes; i++) {
        rig_t rig;
        fuota_air_t air = { .minute = minutes [i] };
        memset (air.used, 0xff, sizeof air.used);
        s_open (&rig);
        assert_int_equal (fuota_radio_hour (&air, NOW), 0);
        scratch_put (&rig.scratch, FUOTA_TABLE_AIR,
            fuota_key_air (5, 869400000), Air_fields, &air);
        s_frame (&rig, 5, 0, 869525000, 1000, 1);
        assert_int_equal (s_hour (&rig, 5, 869400000), 1);
        s_close (&rig);
    }
}

static fuota_gateway_t
s_gateway (rig_t *rig, uint64_t gateway)
{
    fuota_gateway_t got;
    s_commit (rig);
    assert_int_equal (scratch_get (&rig->scratch, FUOTA_TABLE_GATEWAY,
                          fuota_key_eui (gateway), Gateway_fields, &got),
        0);
    return got;
}

static void
test_radio__states (void **state)
{
    (void) state;
    rig_t rig;
    fuota_event_t event = { .kind = FUOTA_EVENT_GATEWAY,
        .has_gateway = true,
        .gateway = { .gateway = 'a',
            .name = "roof",
            .state = FUOTA_GATEWAY_ONLINE } };
    s_open (&rig);
    s_uplink (&rig, 7, "a");
    fuota_radio_take (rig.radio, &event, NOW);
    fuota_gateway_t got = s_gateway (&rig, 'a');
    assert_string_equal (got.name, "roof");
    assert_int_equal (got.state, FUOTA_GATEWAY_ONLINE);
    assert_true (got.said_at == NOW && got.heard_at == NOW);
    //  Said again: nothing to write
    fuota_radio_take (rig.radio, &event, NOW + 1000);
    assert_true (fuota_radio_due (rig.radio) == INT64_MAX);
    event.gateway.state = FUOTA_GATEWAY_OFFLINE;
    fuota_radio_take (rig.radio, &event, NOW + 2000);
    got = s_gateway (&rig, 'a');
    assert_true (got.said_at == NOW + 2000 && got.heard_at == NOW);
    assert_int_equal (got.state, FUOTA_GATEWAY_OFFLINE);
    //  An uplink that waited somewhere says nothing of now; a fresh one does
    fuota_event_t uplink = { .dev_eui = 8,
        .received_at = NOW - 3600000,
        .gateways_count = 1,
        .gateways = { 'a' } };
    fuota_radio_take (rig.radio, &uplink, NOW + 3000);
    assert_int_equal (s_gateway (&rig, 'a').state, FUOTA_GATEWAY_OFFLINE);
    uplink.received_at = NOW + 4000;
    fuota_radio_take (rig.radio, &uplink, NOW + 4000);
    assert_int_equal (s_gateway (&rig, 'a').state, FUOTA_GATEWAY_ONLINE);
    s_close (&rig);
}

//  What says nothing of a gateway makes no row. Full means full: nothing is
//  lost, and after the commit it goes on.
static void
test_radio__bounds (void **state)
{
    (void) state;
    rig_t rig;
    fuota_event_t event = { .kind = FUOTA_EVENT_FRAME };
    s_open (&rig);
    fuota_radio_take (rig.radio, &event, NOW);
    event.kind = FUOTA_EVENT_GATEWAY;
    fuota_radio_take (rig.radio, &event, NOW);
    event.kind = FUOTA_EVENT_JOIN;
    fuota_radio_take (rig.radio, &event, NOW);
    event.kind = (EventKind) 77;
    fuota_radio_take (rig.radio, &event, NOW);
    s_uplink (&rig, 7, "");
    assert_true (fuota_radio_due (rig.radio) == INT64_MAX);
    assert_int_equal (fuota_radio_rows (rig.radio)->rows, 0);

    event = (fuota_event_t){ .gateways_count = 1, .gateways = { 1 } };
    unsigned full = 0;
    for (event.dev_eui = 1; event.dev_eui <= 2000; event.dev_eui++)
        while (fuota_radio_take (rig.radio, &event, NOW) == FUOTA_EFULL) {
            assert_true (fuota_radio_due (rig.radio) == NOW + 2000);
            s_commit (&rig);
            full++;
        }
    s_commit (&rig);
    assert_in_range (full, 3, 5);
    assert_int_equal (scratch_count (&rig.scratch, FUOTA_TABLE_RECEPTION),
        2000);
    assert_int_equal (scratch_count (&rig.scratch, FUOTA_TABLE_GATEWAY), 1);
    //  A row of noise begins anew
    scratch_put_bytes (&rig.scratch, FUOTA_TABLE_RECEPTION, fuota_key_eui (7),
        "\x0f", 1);
    s_uplink (&rig, 7, "a");
    fuota_reception_t got = s_reception (&rig, 7);
    assert_int_equal (got.uplinks, 1);
    s_close (&rig);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_radio__who_hears_a_device),
        cmocka_unit_test (test_radio__seldom_and_fading),
        cmocka_unit_test (test_radio__covers),
        cmocka_unit_test (test_radio__frames),
        cmocka_unit_test (test_radio__rolling_hour),
        cmocka_unit_test (test_radio__hour_of_noise),
        cmocka_unit_test (test_radio__states),
        cmocka_unit_test (test_radio__bounds),
    };
    return cmocka_run_group_tests_name ("radio", tests, NULL, NULL);
}
