//  SPDX-License-Identifier: MIT
//
//  What becomes of fragments, by themselves: what the whole core makes of it
//  is in test_chirpstack.c.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "broker/host/chirpstack_air.h"

#define NOW 1772446530250  //  2026-03-02T10:15:30.250Z
#define UNTIL (NOW + 20000)
#define ADDR 0x01020304u

static fuota_chirpstack_air_t *
s_new (unsigned gateways)
{
    fuota_chirpstack_air_t *self = calloc (1, sizeof *self);
    assert_non_null (self);
    fuota_chirpstack_group_t *group = fuota_chirpstack_air_new (self, "group");
    group->mc_addr = ADDR;
    group->gateways = gateways;
    group->has_gateways = true;
    return self;
}

static bool
s_watch (fuota_chirpstack_air_t *self, uint64_t row)
{
    fuota_downlink_t want = { .row = row,
        .owner = 1,
        .f_cnt = 7,
        .expires_at = UNTIL };
    return fuota_chirpstack_air_watch (self, &want,
        fuota_chirpstack_air_group (self, "group"));
}

//  A frame of counter 7 to the group.
static void
s_down (fuota_chirpstack_air_t *self, uint64_t gateway, uint32_t downlink)
{
    fuota_chirpstack_down_t down = { .gateway = gateway,
        .downlink = downlink,
        .items = 1,
        .size = 20,
        .phy = { 0x60, 4, 3, 2, 1, 0, 7, 0, 201 } };
    fuota_chirpstack_air_down (self, &down, NOW);
}

static void
s_word (fuota_chirpstack_air_t *self, uint64_t gateway, uint32_t downlink,
    uint32_t word, int64_t now)
{
    fuota_chirpstack_ack_t ack = { .gateway = gateway,
        .downlink = downlink,
        .word = word };
    fuota_chirpstack_air_ack (self, &ack, now);
}

static void
s_told (fuota_chirpstack_air_t *self, int64_t now, int kind)
{
    fuota_outcome_t outcome = { .kind = FUOTA_TAKEN };
    bool any = fuota_chirpstack_air_outcome (self, now, &outcome);
    assert_int_equal (any ? (int) outcome.kind : -1, kind);
}

//  The broker delivers each message twice: the gateway refused it once, and
//  nobody has it.
static void
test_chirpstack_air__delivered_twice (void **state)
{
    (void) state;
    fuota_chirpstack_air_t *self = s_new (1);
    fuota_frame_t frame;
    assert_true (s_watch (self, 1));
    fuota_chirpstack_air_taken (self, 1, 1, 7);
    for (unsigned n = 0; n < 2; n++)
        s_down (self, 1, 70);
    for (unsigned n = 0; n < 2; n++)
        s_word (self, 1, 70, 2, NOW);
    s_told (self, NOW, FUOTA_REFUSED);
    assert_true (fuota_chirpstack_air_frame (self, NOW, &frame));
    assert_false (fuota_chirpstack_air_frame (self, NOW + 60000, &frame));
    free (self);
}

//  A gateway refuses so late that the host has handed the frame over again by
//  then; the refusal overtakes that. What takes it then is no second sending.
static void
test_chirpstack_air__refusal_overtakes (void **state)
{
    static const struct {
        uint32_t second;  //  The word on what was handed over again
        int at_once, kind;
    } cases [] = { { 2, -1, FUOTA_REFUSED }, { 1, FUOTA_SENT, -1 },
        { 0, -1, FUOTA_SENT } };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fuota_chirpstack_air_t *self = s_new (1);
        assert_true (s_watch (self, 1));
        fuota_chirpstack_air_taken (self, 1, 1, 7);
        s_down (self, 1, 70);
        s_word (self, 1, 70, 2, NOW + 2200);
        s_told (self, NOW + 2200, -1);
        s_down (self, 1, 71);
        if (cases [i].second)
            s_word (self, 1, 71, cases [i].second, NOW + 2300);
        s_told (self, NOW + 2300, cases [i].at_once);
        s_told (self, UNTIL + 4000, cases [i].kind);
        free (self);
    }
}

//  Rows that were watched, and of which it was never said that they were taken:
//  the outbox let them expire. They do not take the places of others for ever.
static void
test_chirpstack_air__never_taken (void **state)
{
    (void) state;
    fuota_chirpstack_air_t *self = s_new (1);
    uint64_t row = 0;
    while (s_watch (self, row + 1))
        row++;
    assert_int_equal (row, FUOTA_CHIRPSTACK_FATES);
    s_told (self, UNTIL + 300000, -1);  //  It may be told yet
    assert_false (s_watch (self, row + 1));
    s_told (self, UNTIL + 3600000, -1);
    assert_true (s_watch (self, row + 1));
    free (self);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_chirpstack_air__delivered_twice),
        cmocka_unit_test (test_chirpstack_air__refusal_overtakes),
        cmocka_unit_test (test_chirpstack_air__never_taken),
    };
    return cmocka_run_group_tests_name ("chirpstack_air", tests, NULL, NULL);
}
