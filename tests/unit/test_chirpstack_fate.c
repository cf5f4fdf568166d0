//  SPDX-License-Identifier: MIT
//
//  ChirpStack as a host: what gateways are given and say, and the fate of a
//  fragment by it.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "broker/host/grpc_reply.h"
#include "tests/unit/chirpstack_rig.h"

//  As JSON, which some gateways speak: a frame of the fragment, or another. 11
//  is gateway 1 once more.
static void
s_given (fuota_chirpstack_t *self, unsigned gateway, const char *phy,
    int64_t now)
{
    char body [512];
    snprintf (body, sizeof body,
        "{\"downlinkId\":%u,\"gatewayId\":\"000000000000000%u\",\"items\":[{"
        "\"phyPayload\":\"%s\",\"txInfo\":{\"frequency\":869525000,"
        "\"modulation\":{\"lora\":{\"bandwidth\":125000,"
        "\"spreadingFactor\":12}}}}]}",
        70 + gateway, gateway % 10, phy);
    fuota_chirpstack_heard (self, "eu868/gateway/x/command/down",
        fuota_slice ((const uint8_t *) body, strlen (body)), now);
}

static void
s_says (fuota_chirpstack_t *self, unsigned gateway, const char *word)
{
    char body [256];
    snprintf (body, sizeof body,
        "{\"downlinkId\":%u,\"gatewayId\":\"000000000000000%u\",\"items\":[{"
        "\"status\":\"%s\"}]}",
        70 + gateway, gateway % 10, word);
    fuota_chirpstack_heard (self, "eu868/gateway/x/event/ack",
        fuota_slice ((const uint8_t *) body, strlen (body)), NOW);
}

static fuota_frame_t
s_told (fuota_chirpstack_t *self)
{
    fuota_event_t event;
    assert_true (fuota_chirpstack_event_out (self, &event));
    assert_int_equal (event.kind, FUOTA_EVENT_FRAME);
    assert_true (event.has_frame);
    return event.frame;
}

#define OURS "YAQDAgEABwDJqrvMAQIDBA=="    //  To the group, counter 7
#define THEIRS "YAUFBQUABwDJqrvMAQIDBA=="  //  Another address

//  With gateway topics a fragment's fate is that of its frames.
static void
test_chirpstack_fate__fate_by_gateways (void **state)
{
    static const struct {
        const char *name;
        const char *ack;  //  NULL: none
        bool frame;
        const char *before;  //  What had happened
        uint32_t gateways;
        int64_t at;
        OutcomeKind kind;
    } cases [] = {
        { "acknowledged", "ack_ok", true, "", 1, 0, FUOTA_SENT },
        { "refused", "ack_late", true, "", 1, 0, FUOTA_REFUSED },
        { "refused by one of two", "ack_late", true, "", 2, 4000,
            FUOTA_REFUSED },
        { "refused, and then nothing could be heard", "ack_late", true, "after",
            2, 4000, FUOTA_SENT },
        //  The host may have handed it over before: that was not heard
        { "refused, and nothing was heard before", "ack_late", true, "while", 1,
            4000, FUOTA_SENT },
        { "no word", NULL, true, "", 1, 4000, FUOTA_SENT },
        { "nothing to be seen ever", NULL, false, "", 1, 4000, FUOTA_SENT },
        { "nothing to be seen", NULL, false, "seen", 1, 4000, FUOTA_EXPIRED },
        { "nothing could be seen", NULL, false, "deaf", 1, 4000, FUOTA_SENT },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t total [] = { 0x08, (uint8_t) cases [i].gateways };
        uint8_t counter [] = { 0x08, 7 };
        print_message ("%s\n", cases [i].name);
        fuota_chirpstack_t *self = rig_new (true, "+");
        fuota_downlink_t want = rig_want (FUOTA_FRAGMENT);
        fuota_chirpstack_hears (self, strcmp (cases [i].before, "while") != 0);
        fuota_chirpstack_take (self, &want, NOW);
        fuota_chirpstack_call_t call =
            rig_called (self, "MulticastGroupService/Get", NOW);
        rig_answer (self, call, FUOTA_GRPC_OK, "", "group", NOW);
        call = rig_called (self, "GatewayService/List", NOW);
        fuota_chirpstack_answer (self, call.tag, 0, false, "",
            fuota_slice (total, sizeof total), NOW);
        call = rig_called (self, "MulticastGroupService/Enqueue", NOW);
        fuota_chirpstack_hears (self, true);
        bool after = strcmp (cases [i].before, "after") == 0;
        bool meanwhile = strcmp (cases [i].before, "while") == 0;
        if (cases [i].before [0] && !after && !meanwhile) {
            //  The one before was on air, and its frame was seen
            rig_gateway_says (self, "command/down", "frame");
            rig_gateway_says (self, "event/ack", "ack_ok");
            fuota_chirpstack_answer (self, call.tag, 0, false, "",
                fuota_slice (counter, sizeof counter), NOW);
            rig_outcome (self, FUOTA_TAKEN);
            fuota_chirpstack_tick (self, NOW);
            rig_outcome (self, FUOTA_SENT);
            want.f_cnt = counter [1] = 8;
            fuota_chirpstack_take (self, &want, NOW);
            call = rig_called (self, "MulticastGroupService/Enqueue", NOW);
        }
        if (strcmp (cases [i].before, "deaf") == 0)
            fuota_chirpstack_hears (self, false);
        if (cases [i].frame)
            rig_gateway_says (self, "command/down", "frame");
        if (cases [i].ack)
            rig_gateway_says (self, "event/ack", cases [i].ack);
        if (after)
            fuota_chirpstack_hears (self, false);
        rig_quiet (self, NOW);
        fuota_chirpstack_answer (self, call.tag, 0, false, "",
            fuota_slice (counter, sizeof counter), NOW);
        rig_outcome (self, FUOTA_TAKEN);
        if (cases [i].at) {
            fuota_chirpstack_tick (self, NOW + cases [i].at - 1);
            rig_quiet (self, NOW);
            assert_int_equal (fuota_chirpstack_due (self), NOW + cases [i].at);
        }
        fuota_chirpstack_tick (self, NOW + cases [i].at);
        fuota_outcome_t outcome = rig_outcome (self, cases [i].kind);
        if (cases [i].kind == FUOTA_REFUSED)
            assert_string_equal (outcome.words, "gateway: TOO_LATE");
        rig_over (&self, NOW);
    }
}

//  A core that watches a fragment, taken just now, of a group of so many
//  gateways.
static fuota_chirpstack_t *
s_taken (uint8_t gateways)
{
    uint8_t total [] = { 0x08, gateways }, counter [] = { 0x08, 7 };
    fuota_chirpstack_t *self = rig_new (true, "+");
    fuota_downlink_t want = rig_want (FUOTA_FRAGMENT);
    want.expires_at = NOW + 20000;
    fuota_chirpstack_take (self, &want, NOW);
    fuota_chirpstack_call_t call =
        rig_called (self, "MulticastGroupService/Get", NOW);
    rig_answer (self, call, FUOTA_GRPC_OK, "", "group", NOW);
    call = rig_called (self, "GatewayService/List", NOW);
    fuota_chirpstack_answer (self, call.tag, 0, false, "",
        fuota_slice (total, sizeof total), NOW);
    call = rig_called (self, "MulticastGroupService/Enqueue", NOW);
    fuota_chirpstack_answer (self, call.tag, 0, false, "",
        fuota_slice (counter, sizeof counter), NOW);
    rig_outcome (self, FUOTA_TAKEN);
    return self;
}

//  One gateway sends after the other. The fragment is on air with the first
//  that takes it, and refused when all have refused; it is sent again then,
//  and N has not moved. Each frame is told with its gateway's word, also when
//  the fragment's fate was known before.
static void
test_chirpstack_fate__several_gateways (void **state)
{
    (void) state;
    static const struct {
        const char *name, *words [3];
        unsigned after;  //  Its fate is known with that word
        OutcomeKind kind;
        uint32_t told [3];
    } cases [] = {
        { "all take it", { "OK", "OK", "OK" }, 1, FUOTA_SENT, { 1, 1, 1 } },
        { "the last takes it", { "TOO_LATE", "QUEUE_FULL", "OK" }, 3,
            FUOTA_SENT, { 2, 9, 1 } },
        { "the first takes it", { "OK", "COLLISION_PACKET", "TX_FREQ" }, 1,
            FUOTA_SENT, { 1, 4, 6 } },
        { "none takes it", { "TOO_LATE", "DUTY_CYCLE_OVERFLOW", "NEW_WORD" }, 3,
            FUOTA_REFUSED, { 2, 11, 13 } },
    };
    fuota_downlink_t want = rig_want (FUOTA_FRAGMENT);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        print_message ("%s\n", cases [i].name);
        fuota_chirpstack_t *self = s_taken (3);
        for (unsigned n = 1; n <= 3; n++) {
            s_given (self, n, OURS, NOW);
            rig_quiet (self, NOW);
            s_says (self, n, cases [i].words [n - 1]);
            if (n == cases [i].after)
                rig_outcome (self, cases [i].kind);
            rig_quiet (self, NOW);
            fuota_frame_t frame = s_told (self);
            assert_int_equal (frame.gateway, n);
            assert_int_equal (frame.word, cases [i].told [n - 1]);
            assert_int_equal (frame.frequency, 869525000);
            //  SF12, 17 bytes: TS004's reference has 1.155 s for 13 + 4
            assert_in_range (frame.air_time, 1100000, 1400000);
            assert_memory_equal (frame.deployment, want.deployment, 16);
        }
        rig_over (&self, NOW);
    }
}

//  The host hands a frame over again whose word it did not hear in time. One
//  gateway that refuses twice is not two, and what is without a word may be on
//  air.
static void
test_chirpstack_fate__given_again (void **state)
{
    (void) state;
    static const struct {
        const char *name;
        unsigned given [3], refused [3];
        OutcomeKind kind;
        int64_t at;
    } cases [] = {
        { "one twice", { 1, 11 }, { 1, 11 }, FUOTA_REFUSED, 24000 },
        { "one twice, then the other", { 1, 11, 2 }, { 1, 11, 2 },
            FUOTA_REFUSED, 0 },
        { "the first without a word", { 1, 11, 2 }, { 11, 2 }, FUOTA_SENT,
            24000 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        print_message ("%s\n", cases [i].name);
        fuota_chirpstack_t *self = s_taken (2);
        for (unsigned n = 0; n < 3 && cases [i].given [n]; n++)
            s_given (self, cases [i].given [n], OURS, NOW);
        for (unsigned n = 0; n < 3 && cases [i].refused [n]; n++) {
            rig_quiet (self, NOW);
            s_says (self, cases [i].refused [n], "TOO_LATE");
        }
        if (cases [i].at) {
            fuota_chirpstack_tick (self, NOW + cases [i].at - 1);
            rig_quiet (self, NOW);
            fuota_chirpstack_tick (self, NOW + cases [i].at);
        }
        rig_outcome (self, cases [i].kind);
        rig_over (&self, NOW);
    }
}

//  What was not ours counts for the gateway's time alone. Of two items the one
//  that was sent counts; without a word the first, half a minute later.
static void
test_chirpstack_fate__frames_of_others (void **state)
{
    (void) state;
    static const uint8_t nobody [16];
    fuota_chirpstack_t *self = rig_new (true, "+");
    fuota_event_t event;
    rig_gateway_says (self, "command/down", "frame_two");
    assert_false (fuota_chirpstack_event_out (self, &event));
    rig_gateway_says (self, "event/ack", "ack_second");
    fuota_frame_t frame = s_told (self);
    assert_int_equal (frame.gateway, 0x0016c001f1500002);
    assert_int_equal (frame.word, 1);
    assert_int_equal (frame.frequency, 869525000);
    assert_in_range (frame.air_time, 1400000, 2000000);
    assert_memory_equal (frame.deployment, nobody, 16);
    //  Said twice: once is enough
    rig_gateway_says (self, "event/ack", "ack_second");
    assert_false (fuota_chirpstack_event_out (self, &event));

    s_given (self, 1, THEIRS, NOW);
    s_given (self, 2, "", NOW);   //  Shorter than any frame
    s_given (self, 3, "!", NOW);  //  None at all
    s_says (self, 4, "OK");       //  To what nobody asked
    fuota_chirpstack_tick (self, NOW + 29999);
    assert_false (fuota_chirpstack_event_out (self, &event));
    fuota_chirpstack_tick (self, NOW + 40000);
    for (unsigned n = 1; n <= 2; n++) {
        frame = s_told (self);
        assert_int_equal (frame.gateway, n);
        assert_int_equal (frame.word, 0);
    }
    assert_false (fuota_chirpstack_event_out (self, &event));
    //  More than are remembered: the oldest are told without a word
    for (unsigned n = 0; n < 1024 + 10; n++)
        s_given (self, 5 + 10 * n, THEIRS, NOW);
    for (unsigned n = 0; n < 10; n++)
        assert_int_equal (s_told (self).word, 0);
    assert_false (fuota_chirpstack_event_out (self, &event));
    fuota_chirpstack_destroy (&self);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_chirpstack_fate__fate_by_gateways),
        cmocka_unit_test (test_chirpstack_fate__several_gateways),
        cmocka_unit_test (test_chirpstack_fate__given_again),
        cmocka_unit_test (test_chirpstack_fate__frames_of_others),
    };
    return cmocka_run_group_tests_name ("chirpstack_fate", tests, rig_load,
        rig_unload);
}
