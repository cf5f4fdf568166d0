//  SPDX-License-Identifier: MIT
//
//  ChirpStack as a host: multicast groups and their fragments, answers lost or
//  not understood.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "broker/host/grpc_reply.h"
#include "tests/unit/chirpstack_rig.h"

//  A fragment's Enqueue by what came of it, and the counter when it is asked
//  for: 8 in the vector, 7 expected, so it was taken.
static void
test_chirpstack_group__fragment_by_answer (void **state)
{
    static const struct {
        const char *name;
        uint32_t expected;
        int status;
        bool unprocessed, asks;
        const char *text;
        OutcomeKind kind;
    } cases [] = {
        { "refused by back-pressure", 7, FUOTA_GRPC_UNAVAILABLE, true, false,
            "", FUOTA_RETRY },
        { "lost, taken", 7, FUOTA_GRPC_UNAVAILABLE, false, true, "",
            FUOTA_TAKEN },
        { "lost, not taken", 8, FUOTA_GRPC_UNAVAILABLE, false, true, "",
            FUOTA_RETRY },
        { "too late, taken", 7, FUOTA_GRPC_DEADLINE_EXCEEDED, false, true, "",
            FUOTA_TAKEN },
        { "database away", 7, FUOTA_GRPC_INTERNAL, false, true,
            "connection closed", FUOTA_TAKEN },
        { "somebody else's counter", 3, FUOTA_GRPC_UNAVAILABLE, false, true, "",
            FUOTA_NEVER },
        { "group gone", 7, FUOTA_GRPC_NOT_FOUND, false, false, "",
            FUOTA_NEVER },
        { "port", 7, FUOTA_GRPC_INVALID_ARGUMENT, false, false, "FPort",
            FUOTA_NEVER },
        { "token", 7, FUOTA_GRPC_UNAUTHENTICATED, false, false,
            "InvalidSignature", FUOTA_RETRY },
        { "who knows", 7, FUOTA_GRPC_UNAUTHENTICATED, false, false, "",
            FUOTA_RETRY },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        print_message ("%s\n", cases [i].name);
        fuota_chirpstack_t *self = rig_new (true, "");
        fuota_downlink_t want = rig_want (FUOTA_FRAGMENT);
        want.f_cnt = cases [i].expected;
        fuota_chirpstack_take (self, &want, NOW);
        fuota_chirpstack_take (self, &want, NOW);  //  Out of patience
        fuota_chirpstack_call_t call =
            rig_called (self, "MulticastGroupService/Enqueue", NOW);
        assert_int_equal (call.until, want.expires_at);
        fuota_chirpstack_answer (self, call.tag, cases [i].status,
            cases [i].unprocessed, cases [i].text, fuota_slice (NULL, 0), NOW);
        if (cases [i].asks) {
            rig_quiet (self, NOW + 999);  //  It may still be on its way
            call = rig_called (self, "MulticastGroupService/Get", NOW + 1000);
            //  The counter cannot be read either; nothing may be said of it
            rig_answer (self, call, FUOTA_GRPC_UNAVAILABLE, "", NULL,
                NOW + 1000);
            rig_quiet (self, NOW + 2999);
            call = rig_called (self, "MulticastGroupService/Get", NOW + 3000);
            rig_answer (self, call, FUOTA_GRPC_OK, "", "group", NOW + 3000);
        }
        fuota_outcome_t outcome = rig_outcome (self, cases [i].kind);
        if (cases [i].kind == FUOTA_TAKEN) {
            assert_int_equal (outcome.f_cnt, 7);
            rig_left (self, NOW + 3000);
        }
        rig_over (&self, NOW + 100000);
    }
}

//  The outbox asks for the counter while the fragment's Enqueue hangs: the
//  counter is not read before the call has ended.
static void
test_chirpstack_group__counter_waits_for_enqueue (void **state)
{
    (void) state;
    fuota_chirpstack_t *self = rig_new (true, "");
    fuota_downlink_t want = rig_want (FUOTA_FRAGMENT);
    fuota_chirpstack_take (self, &want, NOW);
    fuota_chirpstack_call_t call =
        rig_called (self, "MulticastGroupService/Enqueue", NOW);
    want.kind = FUOTA_COUNTER;
    fuota_chirpstack_take (self, &want, NOW + 30000);
    rig_quiet (self, NOW + 30000);
    rig_answer (self, call, FUOTA_GRPC_OK, "", NULL, NOW + 31000);
    call = rig_called (self, "MulticastGroupService/Get", NOW + 31000);
    rig_answer (self, call, FUOTA_GRPC_OK, "", "group", NOW + 31000);
    assert_int_equal (rig_outcome (self, FUOTA_DONE).f_cnt, 8);
    rig_left (self, NOW + 31000);
    rig_over (&self, NOW + 31000);
}

static fuota_downlink_t
s_want_group (void)
{
    fuota_downlink_t want = rig_want (FUOTA_GROUP_CREATE);
    want.group [0] = 0;
    strcpy (want.name, "fuota-1");
    strcpy (want.application, APP);
    strcpy (want.region, "AS923-2");
    want.mc_addr = 0x01020304;
    memset (want.mc_app_s_key, 0x11, 16);
    memset (want.mc_nwk_s_key, 0x22, 16);
    want.group_type = 1;
    want.dr = 3;
    want.frequency = 923400000;
    want.scheduling = 1;
    want.periodicity = 4;
    want.gateways_count = 2;
    want.gateways [0] = 0x0016c001f1500001;
    want.gateways [1] = 0x0016c001f1500002;
    return want;
}

//  Without gateway topics a fragment counts as sent once the group's queue is
//  empty, for what is put behind another expires there; or when it must be.
static void
test_chirpstack_group__queue_is_left_empty (void **state)
{
    static const struct {
        const char *name;
        int status;
        const char *text, *body;
        bool ends;  //  The queue is not asked for again
    } cases [] = {
        { "not understood", 0, "", "\xff\xff", false },
        { "one of them waits", 0, "", "\x0a\x02\x0a\x00", false },
        { "lost", FUOTA_GRPC_UNAVAILABLE, "", "", false },
        { "token", FUOTA_GRPC_UNAUTHENTICATED, "InvalidSignature", "", false },
        { "who knows", FUOTA_GRPC_UNAUTHENTICATED, "", "", false },
        { "group gone", FUOTA_GRPC_NOT_FOUND, "", "", true },
        { "empty", 0, "", "", true },
    };
    static const uint8_t counter [] = { 0x08, 7 };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t now = NOW + 1000;
        print_message ("%s\n", cases [i].name);
        fuota_chirpstack_t *self = rig_new (true, "");
        fuota_downlink_t want = rig_want (FUOTA_FRAGMENT);
        want.expires_at = NOW + 6000;
        fuota_chirpstack_take (self, &want, NOW);
        fuota_chirpstack_call_t call =
            rig_called (self, "MulticastGroupService/Enqueue", NOW);
        fuota_chirpstack_answer (self, call.tag, 0, false, "",
            fuota_slice (counter, sizeof counter), NOW);
        rig_outcome (self, FUOTA_TAKEN);
        rig_quiet (self, NOW + 999);
        for (unsigned n = cases [i].ends ? 1 : 17; n; n--, now += 500) {
            rig_quiet (self, now - 1);
            assert_int_equal (fuota_chirpstack_due (self), now);
            call = rig_called (self, "MulticastGroupService/ListQueue", now);
            fuota_chirpstack_answer (self, call.tag, cases [i].status, false,
                cases [i].text,
                fuota_slice ((const uint8_t *) cases [i].body,
                    strlen (cases [i].body) + (i == 1)),
                now);
        }
        rig_outcome (self, FUOTA_SENT);
        rig_over (&self, now);
    }
}

//  Looked for by its whole name; created; its gateways added, one of them
//  there already. A lost Create is begun again, and finds the first.
static void
test_chirpstack_group__group_is_made_once (void **state)
{
    static const char unique [] =
        "duplicate key value violates unique constraint "
        "\"multicast_group_gateway_pkey\"";
    (void) state;
    fuota_chirpstack_t *self = rig_new (true, "");
    fuota_downlink_t want = s_want_group ();
    fuota_chirpstack_take (self, &want, NOW);
    fuota_chirpstack_call_t call =
        rig_called (self, "MulticastGroupService/List", NOW);
    rig_answer (self, call, FUOTA_GRPC_OK, "", NULL, NOW);
    call = rig_called (self, "MulticastGroupService/Create", NOW);
    rig_bytes_t expected = rig_vector ("ask_create");
    assert_int_equal (call.message.size, expected.size);
    //  Theirs has its last two fields the other way round
    assert_memory_equal (call.message.data, expected.data, 140);
    assert_memory_equal (call.message.data + 140, expected.data + 142, 2);
    assert_memory_equal (call.message.data + 142, expected.data + 140, 2);
    rig_answer (self, call, FUOTA_GRPC_UNAVAILABLE, "", NULL, NOW);
    rig_outcome (self, FUOTA_RETRY);

    fuota_chirpstack_take (self, &want, NOW);
    call = rig_called (self, "MulticastGroupService/List", NOW);
    rig_answer (self, call, FUOTA_GRPC_OK, "", "groups", NOW);
    call = rig_called (self, "MulticastGroupService/AddGateway", NOW);
    rig_answer (self, call, FUOTA_GRPC_INTERNAL, unique, NULL, NOW);
    call = rig_called (self, "MulticastGroupService/AddGateway", NOW);
    rig_answer (self, call, FUOTA_GRPC_OK, "", NULL, NOW);
    assert_string_equal (rig_outcome (self, FUOTA_DONE).group, GROUP);
    rig_over (&self, NOW);
}

//  The Create of an earlier life may be on its way yet: List does not overtake
//  it.
static void
test_chirpstack_group__of_an_earlier_life (void **state)
{
    (void) state;
    fuota_chirpstack_t *self = rig_new (true, "");
    fuota_downlink_t want = s_want_group ();
    want.perhaps = true;
    fuota_chirpstack_take (self, &want, NOW);
    rig_quiet (self, NOW + 999);
    rig_called (self, "MulticastGroupService/List", NOW + 1000);
    fuota_chirpstack_destroy (&self);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_chirpstack_group__fragment_by_answer),
        cmocka_unit_test (test_chirpstack_group__counter_waits_for_enqueue),
        cmocka_unit_test (test_chirpstack_group__queue_is_left_empty),
        cmocka_unit_test (test_chirpstack_group__group_is_made_once),
        cmocka_unit_test (test_chirpstack_group__of_an_earlier_life),
    };
    return cmocka_run_group_tests_name ("chirpstack_group", tests, rig_load,
        rig_unload);
}
