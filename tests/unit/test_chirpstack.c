//  SPDX-License-Identifier: MIT
//
//  ChirpStack as a host, without connections: access, gateways, answers in
//  time, and too much at once. Its groups, devices and fates have tests of their
//  own; what is read and written is in test_chirpstack_event.c.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "broker/host/grpc_reply.h"
#include "schema/key.h"
#include "tests/unit/chirpstack_rig.h"

//  With a tenant's key the same answer means two things; an application that
//  must be there tells them apart.
static void
test_chirpstack__no_access_or_no_thing (void **state)
{
    static const struct {
        const char *name, *path;
        DownlinkKind kind;
        int probe;
        OutcomeKind outcome;
        bool back;  //  There is access by then
    } cases [] = {
        { "key revoked", "DeviceService/Get", FUOTA_KEYS,
            FUOTA_GRPC_UNAUTHENTICATED, FUOTA_RETRY, false },
        { "device gone", "DeviceService/Get", FUOTA_KEYS, FUOTA_GRPC_OK,
            FUOTA_NEVER, false },
        { "group gone", "MulticastGroupService/Enqueue", FUOTA_FRAGMENT,
            FUOTA_GRPC_OK, FUOTA_NEVER, false },
        { "deleted twice", "MulticastGroupService/Delete", FUOTA_GROUP_DELETE,
            FUOTA_GRPC_OK, FUOTA_DONE, false },
        { "flushed away", "MulticastGroupService/FlushQueue", FUOTA_FLUSH,
            FUOTA_GRPC_OK, FUOTA_DONE, false },
        { "API away", "MulticastGroupService/Delete", FUOTA_GROUP_DELETE,
            FUOTA_GRPC_UNAVAILABLE, FUOTA_RETRY, false },
        { "access again", "MulticastGroupService/Enqueue", FUOTA_FRAGMENT,
            FUOTA_GRPC_OK, FUOTA_TAKEN, true },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        print_message ("%s\n", cases [i].name);
        fuota_chirpstack_t *self = rig_new (true, "");
        fuota_event_t event;
        rig_heard (self, "up", "up");
        rig_profile_asked (self);
        assert_true (fuota_chirpstack_event_out (self, &event));
        fuota_downlink_t want = rig_want (cases [i].kind);
        fuota_chirpstack_take (self, &want, NOW);
        fuota_chirpstack_call_t call = rig_called (self, cases [i].path, NOW);
        rig_answer (self, call, FUOTA_GRPC_UNAUTHENTICATED, "", NULL, NOW);
        call = rig_called (self, "ApplicationService/Get", NOW);
        rig_answer (self, call, cases [i].probe, "", NULL, NOW);
        //  There may be access again only now: once more
        if (!cases [i].probe) {
            call = rig_called (self, cases [i].path, NOW);
            rig_answer (self, call,
                cases [i].back ? FUOTA_GRPC_OK : FUOTA_GRPC_UNAUTHENTICATED, "",
                NULL, NOW);
        }
        rig_outcome (self, cases [i].outcome);
        if (cases [i].back)
            rig_left (self, NOW);
        rig_over (&self, NOW);
    }
}

//  A fragment's Enqueue, or a command's, was lost, and then the API gives no
//  access: that is no word on whether it was carried out.
static void
test_chirpstack__no_access_while_asking (void **state)
{
    static const struct {
        const char *name, *text;
        bool fragment;
        int probe;  //  16: an application is known, and is asked for
    } cases [] = {
        { "fragment, token", "InvalidSignature", true, 0 },
        { "fragment, who knows", "", true, 0 },
        { "fragment, who knows, no", "", true, FUOTA_GRPC_UNAUTHENTICATED },
        { "fragment, who knows, away", "", true, FUOTA_GRPC_UNAVAILABLE },
        { "command, token", "InvalidSignature", false, 0 },
        { "command, who knows", "", false, 0 },
        { "command, who knows, no", "", false, FUOTA_GRPC_UNAUTHENTICATED },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool fragment = cases [i].fragment;
        const char *ask =
            fragment ? "MulticastGroupService/Get" : "DeviceService/GetQueue";
        int64_t now = NOW + 1000;
        print_message ("%s\n", cases [i].name);
        fuota_chirpstack_t *self = rig_new (false, "");
        fuota_downlink_t want =
            rig_want (fragment ? FUOTA_FRAGMENT : FUOTA_UNICAST);
        want.data.size = 2;
        want.data.bytes [0] = 1;
        if (!fragment)
            want.expires_at = NOW + 100000;
        if (cases [i].probe)
            strcpy (want.application, APP);
        fuota_chirpstack_take (self, &want, NOW);
        fuota_chirpstack_call_t call = rig_called (self,
            fragment ? "MulticastGroupService/Enqueue"
                     : "DeviceService/Enqueue",
            NOW);
        rig_answer (self, call, FUOTA_GRPC_UNAVAILABLE, "", NULL, NOW);
        for (unsigned n = 0; n < 40; n++, now += 2000) {
            call = rig_called (self, ask, now);
            rig_answer (self, call, FUOTA_GRPC_UNAUTHENTICATED, cases [i].text,
                NULL, now);
            if (cases [i].probe)
                rig_answer (self,
                    rig_called (self, "ApplicationService/Get", now),
                    cases [i].probe, "", NULL, now);
            rig_quiet (self, now + 1999);
        }
        call = rig_called (self, ask, now);
        rig_answer (self, call, FUOTA_GRPC_OK, "", fragment ? "group" : "queue",
            now);
        rig_outcome (self, FUOTA_TAKEN);
        if (fragment)
            rig_left (self, now);
        rig_over (&self, now);
    }
}

//  How the gateways are is asked of each tenant that was heard of, page by
//  page, and again after two minutes whatever came of it.
static void
test_chirpstack__states_of_gateways (void **state)
{
    (void) state;
    fuota_chirpstack_t *self = rig_new (true, "");
    fuota_event_t event;
    fuota_chirpstack_tick (self, NOW);
    rig_quiet (self, NOW);
    rig_heard (self, "up", "up");
    rig_profile_asked (self);
    assert_true (fuota_chirpstack_event_out (self, &event));
    assert_true (fuota_chirpstack_due (self) <= NOW);
    fuota_chirpstack_tick (self, NOW);
    fuota_chirpstack_call_t call =
        rig_called (self, "GatewayService/List", NOW);
    //  Limit 50, and the tenant
    assert_int_equal (call.message.size, 40);
    assert_memory_equal (call.message.data,
        "\x08\x32\x22\x24"
        "5f2e8c4b-1d3a-4b9e-8f60-2a7c9d1e4b33",
        40);
    rig_answer (self, call, FUOTA_GRPC_OK, "", "gateway_names", NOW);
    static const GatewayWord expected [] = {
        { 0x0016c001f1500001, "roof", FUOTA_GATEWAY_ONLINE },
        { 0x0016c001f1500002, "cel?lar", FUOTA_GATEWAY_OFFLINE },
        { 0x0016c001f1500003, "", FUOTA_GATEWAY_NEVER_SEEN },
    };
    for (unsigned i = 0; i < 3; i++) {
        assert_true (fuota_chirpstack_event_out (self, &event));
        assert_int_equal (event.kind, FUOTA_EVENT_GATEWAY);
        assert_int_equal (event.gateway.gateway, expected [i].gateway);
        assert_int_equal (event.gateway.state, expected [i].state);
        if (*expected [i].name)
            assert_string_equal (event.gateway.name, expected [i].name);
    }
    //  Its last letter has two bytes, of which one fits
    assert_int_equal (strlen (event.gateway.name), 63);
    assert_false (fuota_chirpstack_event_out (self, &event));
    //  51 in all: one more page
    call = rig_called (self, "GatewayService/List", NOW);
    fuota_chirpstack_answer (self, call.tag, FUOTA_GRPC_UNAVAILABLE, false, "",
        fuota_slice (NULL, 0), NOW);
    rig_quiet (self, NOW);
    assert_int_equal (fuota_chirpstack_due (self), NOW + 120000);
    fuota_chirpstack_tick (self, NOW + 120000);
    call = rig_called (self, "GatewayService/List", NOW + 120000);
    fuota_chirpstack_answer (self, call.tag, FUOTA_GRPC_OK, false, "",
        fuota_slice ((const uint8_t *) "\x0f", 1), NOW + 120000);
    rig_over (&self, NOW + 120000);
}

//  From an uplink to the command of the clock's worker: each once, whatever
//  else is sent, and not what was not asked for.
static void
test_chirpstack__answers_in_time (void **state)
{
    (void) state;
    static const struct {
        const char *name;
        bool mqtt;
        uint32_t owner;
        int64_t took;
        uint64_t answers, late, slowest;
    } cases [] = {
        { "at once", true, FUOTA_OWNER_CLOCK, 0, 1, 0, 0 },
        { "in time", true, FUOTA_OWNER_CLOCK, 100, 1, 0, 100 },
        { "late", true, FUOTA_OWNER_CLOCK, 101, 1, 1, 101 },
        { "late, by a call", false, FUOTA_OWNER_CLOCK, 5000, 1, 1, 5000 },
        { "the clock went back", true, FUOTA_OWNER_CLOCK, -5, 1, 0, 0 },
        { "of a deployment", true, FUOTA_OWNER_DEPLOYMENT, 500, 0, 0, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fuota_chirpstack_t *self = rig_new (cases [i].mqtt, "");
        fuota_chirpstack_publication_t publication;
        fuota_chirpstack_call_t call;
        fuota_chirpstack_stats_t stats;
        fuota_downlink_t want = rig_want (FUOTA_UNICAST);
        int64_t then = NOW + cases [i].took;
        want.owner = cases [i].owner;
        want.expires_at = NOW + 3600000;
        want.data.size = 2;
        rig_heard (self, "up", "up");
        for (unsigned n = 0; n < 2; n++, want.row++) {
            fuota_chirpstack_take (self, &want, then);
            if (cases [i].mqtt)
                assert_true (
                    fuota_chirpstack_publish (self, then, &publication));
            else
                assert_true (fuota_chirpstack_call (self, then, &call));
        }
        fuota_chirpstack_stats (self, &stats);
        if (stats.answers != cases [i].answers ||
            stats.late != cases [i].late || stats.slowest != cases [i].slowest)
            fail_msg ("%s: %u, %u, %u", cases [i].name,
                (unsigned) stats.answers, (unsigned) stats.late,
                (unsigned) stats.slowest);
        fuota_chirpstack_destroy (&self);
    }
}

//  More at once than there are places: the rest later.
static void
test_chirpstack__too_many (void **state)
{
    (void) state;
    fuota_chirpstack_t *self = rig_new (true, "");
    fuota_downlink_t want = rig_want (FUOTA_FLUSH);
    fuota_chirpstack_call_t call;
    unsigned calls = 0, later = 0;
    for (unsigned i = 0; i < 600; i++, want.row++)
        fuota_chirpstack_take (self, &want, NOW);
    want.kind = (DownlinkKind) 99;
    fuota_chirpstack_take (self, &want, NOW);
    while (fuota_chirpstack_call (self, NOW, &call))
        calls++;
    fuota_outcome_t outcome;
    while (fuota_chirpstack_outcome (self, &outcome))
        later += outcome.kind == FUOTA_RETRY;
    assert_int_equal (calls, 512);
    assert_int_equal (later, 600 - 512);
    fuota_chirpstack_answer (self, 0, 0, false, "", fuota_slice (NULL, 0), NOW);
    fuota_chirpstack_answer (self, UINT64_MAX, 0, false, "",
        fuota_slice (NULL, 0), NOW);
    fuota_chirpstack_destroy (&self);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_chirpstack__no_access_or_no_thing),
        cmocka_unit_test (test_chirpstack__no_access_while_asking),
        cmocka_unit_test (test_chirpstack__states_of_gateways),
        cmocka_unit_test (test_chirpstack__answers_in_time),
        cmocka_unit_test (test_chirpstack__too_many),
    };
    return cmocka_run_group_tests_name ("chirpstack", tests, rig_load,
        rig_unload);
}
