//  SPDX-License-Identifier: MIT
//
//  ChirpStack as a host, without connections: jobs, lost answers, fates. What
//  is read and written is in test_chirpstack_event.c.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>
#include "broker/host/chirpstack.h"
#include "broker/host/chirpstack_text.h"
#include "broker/host/grpc_reply.h"
#include "schema/hex.h"
#include "schema/key.h"

#define NOW 1772446530250  //  2026-03-02T10:15:30.250Z
#define EUI 0x70b3d5f1c0000a01u
#define APP "0d6a4c1e-7a54-4d0c-8c8a-3f0f6c2b9d11"
#define GROUP "22222222-7a3c-4c0e-9a52-0f1e2d3c4b5a"
#define ROW 0x10002u

static json_t *s_vectors;

typedef struct {
    uint8_t data [4096];
    size_t size;
} bytes_t;

static bytes_t
s_vector (const char *name)
{
    bytes_t out;
    const char *hex = json_string_value (json_object_get (s_vectors, name));
    assert_non_null (hex);
    out.size = strlen (hex) / 2;
    assert_true (
        out.size <= sizeof out.data && fuota_unhex (hex, out.data, out.size));
    return out;
}

static fuota_chirpstack_t *
s_new (bool mqtt, const char *gateway_prefix)
{
    fuota_chirpstack_config_t config;
    fuota_chirpstack_defaults (&config);
    config.unicast_mqtt = mqtt;
    config.instance = 9;
    config.encoding = FUOTA_CHIRPSTACK_PROTOBUF;
    snprintf (config.gateway_prefix, sizeof config.gateway_prefix, "%s",
        gateway_prefix);
    fuota_chirpstack_t *self = fuota_chirpstack_new (&config);
    assert_non_null (self);
    return self;
}

static fuota_downlink_t
s_want (DownlinkKind kind)
{
    fuota_downlink_t want = { .kind = kind,
        .row = ROW,
        .owner = 1,
        .deployment = { 7 },
        .f_port = 201,
        .f_cnt = 7,
        .expires_at = NOW };
    strcpy (want.group, GROUP);
    if (kind == FUOTA_UNICAST || kind == FUOTA_KEYS || kind == FUOTA_TAGS)
        want.dev_eui = EUI;
    return want;
}

//  The next call is to that method. Its message is in call.
static fuota_chirpstack_call_t
s_called (fuota_chirpstack_t *self, const char *path, int64_t now)
{
    fuota_chirpstack_call_t call = { .tag = 0 };
    if (!fuota_chirpstack_call (self, now, &call))
        fail_msg ("no call, expected %s", path);
    if (strcmp (call.path + 5, path) != 0)
        fail_msg ("%s, expected %s", call.path, path);
    return call;
}

static void
s_answer (fuota_chirpstack_t *self, fuota_chirpstack_call_t call, int status,
    const char *text, const char *vector, int64_t now)
{
    bytes_t bytes = { .size = 0 };
    if (vector)
        bytes = s_vector (vector);
    fuota_chirpstack_answer (self, call.tag, status, false, text,
        fuota_slice (bytes.data, bytes.size), now);
}

static fuota_outcome_t
s_outcome (fuota_chirpstack_t *self, OutcomeKind kind)
{
    fuota_outcome_t outcome;
    if (!fuota_chirpstack_outcome (self, &outcome))
        fail_msg ("no outcome, expected %d", (int) kind);
    if (outcome.kind != kind)
        fail_msg ("outcome %d (%s), expected %d", (int) outcome.kind,
            outcome.words, (int) kind);
    assert_int_equal (outcome.row, ROW);
    assert_int_equal (outcome.owner, 1);
    assert_int_equal (outcome.deployment [0], 7);
    return outcome;
}

static void
s_quiet (fuota_chirpstack_t *self, int64_t now)
{
    fuota_chirpstack_call_t call;
    fuota_outcome_t outcome;
    assert_false (fuota_chirpstack_call (self, now, &call));
    assert_false (fuota_chirpstack_outcome (self, &outcome));
}

static void
s_over (fuota_chirpstack_t **self, int64_t now)
{
    fuota_chirpstack_stats_t stats;
    s_quiet (*self, now);
    fuota_chirpstack_stats (*self, &stats);
    assert_int_equal (stats.jobs, 0);
    fuota_chirpstack_destroy (self);
}

static void
s_heard (fuota_chirpstack_t *self, const char *type, const char *vector)
{
    char topic [160];
    bytes_t bytes = s_vector (vector);
    snprintf (topic, sizeof topic,
        "application/" APP "/device/70b3d5f1c0000a01/event/%s", type);
    fuota_chirpstack_heard (self, topic, fuota_slice (bytes.data, bytes.size),
        NOW);
}

//  Of the device that was heard; the answer is lost.
static void
s_profile_asked (fuota_chirpstack_t *self)
{
    s_answer (self, s_called (self, "DeviceProfileService/Get", NOW),
        FUOTA_GRPC_UNAVAILABLE, "", NULL, NOW);
}

static void
s_gateway_says (fuota_chirpstack_t *self, const char *what, const char *vector)
{
    char topic [160];
    bytes_t bytes = s_vector (vector);
    snprintf (topic, sizeof topic, "eu868/gateway/0016c001f1500001/%s", what);
    fuota_chirpstack_heard (self, topic, fuota_slice (bytes.data, bytes.size),
        NOW);
}

//  A fragment that was taken at that time is on air: nobody tells, but the
//  group's queue is empty.
static void
s_left (fuota_chirpstack_t *self, int64_t now)
{
    s_quiet (self, now + 999);
    fuota_chirpstack_call_t call =
        s_called (self, "MulticastGroupService/ListQueue", now + 1000);
    s_answer (self, call, FUOTA_GRPC_OK, "", NULL, now + 1000);
    s_outcome (self, FUOTA_SENT);
}

//  ---------------------------------------------------------------------

//  A fragment's Enqueue by what came of it, and the counter when it is asked
//  for: 8 in the vector, 7 expected, so it was taken.
static void
test_chirpstack__fragment_by_answer (void **state)
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
        fuota_chirpstack_t *self = s_new (true, "");
        fuota_downlink_t want = s_want (FUOTA_FRAGMENT);
        want.f_cnt = cases [i].expected;
        fuota_chirpstack_take (self, &want, NOW);
        fuota_chirpstack_take (self, &want, NOW);  //  Out of patience
        fuota_chirpstack_call_t call =
            s_called (self, "MulticastGroupService/Enqueue", NOW);
        assert_int_equal (call.until, want.expires_at);
        fuota_chirpstack_answer (self, call.tag, cases [i].status,
            cases [i].unprocessed, cases [i].text, fuota_slice (NULL, 0), NOW);
        if (cases [i].asks) {
            s_quiet (self, NOW + 999);  //  It may still be on its way
            call = s_called (self, "MulticastGroupService/Get", NOW + 1000);
            //  The counter cannot be read either; nothing may be said of it
            s_answer (self, call, FUOTA_GRPC_UNAVAILABLE, "", NULL, NOW + 1000);
            s_quiet (self, NOW + 2999);
            call = s_called (self, "MulticastGroupService/Get", NOW + 3000);
            s_answer (self, call, FUOTA_GRPC_OK, "", "group", NOW + 3000);
        }
        fuota_outcome_t outcome = s_outcome (self, cases [i].kind);
        if (cases [i].kind == FUOTA_TAKEN) {
            assert_int_equal (outcome.f_cnt, 7);
            s_left (self, NOW + 3000);
        }
        s_over (&self, NOW + 100000);
    }
}

//  The outbox asks for the counter while the fragment's Enqueue hangs: the
//  counter is not read before the call has ended.
static void
test_chirpstack__counter_waits_for_enqueue (void **state)
{
    (void) state;
    fuota_chirpstack_t *self = s_new (true, "");
    fuota_downlink_t want = s_want (FUOTA_FRAGMENT);
    fuota_chirpstack_take (self, &want, NOW);
    fuota_chirpstack_call_t call =
        s_called (self, "MulticastGroupService/Enqueue", NOW);
    want.kind = FUOTA_COUNTER;
    fuota_chirpstack_take (self, &want, NOW + 30000);
    s_quiet (self, NOW + 30000);
    s_answer (self, call, FUOTA_GRPC_OK, "", NULL, NOW + 31000);
    call = s_called (self, "MulticastGroupService/Get", NOW + 31000);
    s_answer (self, call, FUOTA_GRPC_OK, "", "group", NOW + 31000);
    assert_int_equal (s_outcome (self, FUOTA_DONE).f_cnt, 8);
    s_left (self, NOW + 31000);
    s_over (&self, NOW + 31000);
}

//  Without gateway topics a fragment counts as sent once the group's queue is
//  empty, for what is put behind another expires there; or when it must be.
static void
test_chirpstack__queue_is_left_empty (void **state)
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
        fuota_chirpstack_t *self = s_new (true, "");
        fuota_downlink_t want = s_want (FUOTA_FRAGMENT);
        want.expires_at = NOW + 6000;
        fuota_chirpstack_take (self, &want, NOW);
        fuota_chirpstack_call_t call =
            s_called (self, "MulticastGroupService/Enqueue", NOW);
        fuota_chirpstack_answer (self, call.tag, 0, false, "",
            fuota_slice (counter, sizeof counter), NOW);
        s_outcome (self, FUOTA_TAKEN);
        s_quiet (self, NOW + 999);
        for (unsigned n = cases [i].ends ? 1 : 17; n; n--, now += 500) {
            s_quiet (self, now - 1);
            assert_int_equal (fuota_chirpstack_due (self), now);
            call = s_called (self, "MulticastGroupService/ListQueue", now);
            fuota_chirpstack_answer (self, call.tag, cases [i].status, false,
                cases [i].text,
                fuota_slice ((const uint8_t *) cases [i].body,
                    strlen (cases [i].body) + (i == 1)),
                now);
        }
        s_outcome (self, FUOTA_SENT);
        s_over (&self, now);
    }
}

static fuota_downlink_t
s_want_group (void)
{
    fuota_downlink_t want = s_want (FUOTA_GROUP_CREATE);
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

//  Looked for by its whole name; created; its gateways added, one of them
//  there already. A lost Create is begun again, and finds the first.
static void
test_chirpstack__group_is_made_once (void **state)
{
    static const char unique [] =
        "duplicate key value violates unique constraint "
        "\"multicast_group_gateway_pkey\"";
    (void) state;
    fuota_chirpstack_t *self = s_new (true, "");
    fuota_downlink_t want = s_want_group ();
    fuota_chirpstack_take (self, &want, NOW);
    fuota_chirpstack_call_t call =
        s_called (self, "MulticastGroupService/List", NOW);
    s_answer (self, call, FUOTA_GRPC_OK, "", NULL, NOW);
    call = s_called (self, "MulticastGroupService/Create", NOW);
    bytes_t expected = s_vector ("ask_create");
    assert_int_equal (call.message.size, expected.size);
    //  Theirs has its last two fields the other way round
    assert_memory_equal (call.message.data, expected.data, 140);
    assert_memory_equal (call.message.data + 140, expected.data + 142, 2);
    assert_memory_equal (call.message.data + 142, expected.data + 140, 2);
    s_answer (self, call, FUOTA_GRPC_UNAVAILABLE, "", NULL, NOW);
    s_outcome (self, FUOTA_RETRY);

    fuota_chirpstack_take (self, &want, NOW);
    call = s_called (self, "MulticastGroupService/List", NOW);
    s_answer (self, call, FUOTA_GRPC_OK, "", "groups", NOW);
    call = s_called (self, "MulticastGroupService/AddGateway", NOW);
    s_answer (self, call, FUOTA_GRPC_INTERNAL, unique, NULL, NOW);
    call = s_called (self, "MulticastGroupService/AddGateway", NOW);
    s_answer (self, call, FUOTA_GRPC_OK, "", NULL, NOW);
    assert_string_equal (s_outcome (self, FUOTA_DONE).group, GROUP);
    s_over (&self, NOW);
}

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
        fuota_chirpstack_t *self = s_new (true, "");
        fuota_event_t event;
        s_heard (self, "up", "up");
        s_profile_asked (self);
        assert_true (fuota_chirpstack_event_out (self, &event));
        fuota_downlink_t want = s_want (cases [i].kind);
        fuota_chirpstack_take (self, &want, NOW);
        fuota_chirpstack_call_t call = s_called (self, cases [i].path, NOW);
        s_answer (self, call, FUOTA_GRPC_UNAUTHENTICATED, "", NULL, NOW);
        call = s_called (self, "ApplicationService/Get", NOW);
        s_answer (self, call, cases [i].probe, "", NULL, NOW);
        //  There may be access again only now: once more
        if (!cases [i].probe) {
            call = s_called (self, cases [i].path, NOW);
            s_answer (self, call,
                cases [i].back ? FUOTA_GRPC_OK : FUOTA_GRPC_UNAUTHENTICATED, "",
                NULL, NOW);
        }
        s_outcome (self, cases [i].outcome);
        if (cases [i].back)
            s_left (self, NOW);
        s_over (&self, NOW);
    }
}

//  LoRaWAN 1.0 has the GenAppKey, 1.1 the AppKey; the profile is asked once.
static void
test_chirpstack__root_key_by_profile (void **state)
{
    static const struct {
        const char *name, *keys;
        bool lorawan_1_1;
        OutcomeKind kind;
        uint8_t first;
    } cases [] = {
        { "1.0 with GenAppKey", "keys", false, FUOTA_DONE, 0x00 },
        { "1.0 without", "keys_none", false, FUOTA_NEVER, 0 },
        { "1.1", "keys", true, FUOTA_DONE, 0x0f },
        { "1.1, no GenAppKey", "keys_none", true, FUOTA_DONE, 0x0f },
    };
    static const uint8_t profile_1_1 [] = { 0x0a, 0x02, 0x28, 0x05 };
    static const uint8_t profile_1_0 [] = { 0x0a, 0x02, 0x28, 0x03 };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        print_message ("%s\n", cases [i].name);
        fuota_chirpstack_t *self = s_new (true, "");
        fuota_downlink_t want = s_want (FUOTA_KEYS);
        for (unsigned round = 0; round < 2; round++) {
            fuota_chirpstack_take (self, &want, NOW);
            fuota_chirpstack_call_t call =
                s_called (self, "DeviceService/Get", NOW);
            s_answer (self, call, FUOTA_GRPC_OK, "", "device", NOW);
            if (round == 0) {
                call = s_called (self, "DeviceProfileService/Get", NOW);
                fuota_chirpstack_answer (self, call.tag, FUOTA_GRPC_OK, false,
                    "",
                    fuota_slice (cases [i].lorawan_1_1 ? profile_1_1
                                                       : profile_1_0,
                        4),
                    NOW);
            }
            call = s_called (self, "DeviceService/GetKeys", NOW);
            s_answer (self, call, FUOTA_GRPC_OK, "", cases [i].keys, NOW);
            fuota_outcome_t outcome = s_outcome (self, cases [i].kind);
            if (cases [i].kind != FUOTA_DONE)
                continue;
            assert_int_equal (outcome.root, cases [i].lorawan_1_1);
            assert_int_equal (outcome.root_key.size, 16);
            assert_int_equal (outcome.root_key.bytes [0], cases [i].first);
        }
        s_over (&self, NOW);
    }
}

//  What we do not know of a device goes back as it came.
static void
test_chirpstack__tags_are_merged (void **state)
{
    (void) state;
    fuota_chirpstack_t *self = s_new (true, "");
    fuota_downlink_t want = s_want (FUOTA_TAGS);
    want.tags_count = 1;
    strcpy (want.tags [0].key, "fw");
    strcpy (want.tags [0].value, "2");
    fuota_chirpstack_take (self, &want, NOW);
    fuota_chirpstack_call_t call = s_called (self, "DeviceService/Get", NOW);
    s_answer (self, call, FUOTA_GRPC_OK, "", "device", NOW);
    call = s_called (self, "DeviceService/Update", NOW);
    bytes_t expected = s_vector ("device_tagged");
    assert_int_equal (call.message.size, expected.size);
    //  Fields may stand in any order: ours are at the end
    assert_memory_equal (call.message.data, expected.data, 40);
    s_answer (self, call, FUOTA_GRPC_OK, "", NULL, NOW);
    s_outcome (self, FUOTA_DONE);
    s_over (&self, NOW);
}

//  By command/down: the item is ours by name, and what became of it is told
//  by it, also before the broker has acknowledged.
static void
test_chirpstack__command_by_mqtt (void **state)
{
    (void) state;
    for (unsigned early = 0; early < 2; early++) {
        fuota_chirpstack_t *self = s_new (true, "");
        fuota_chirpstack_publication_t publication;
        fuota_downlink_t want = s_want (FUOTA_UNICAST);
        want.data.size = 2;
        want.data.bytes [0] = 1;
        fuota_chirpstack_take (self, &want, NOW);
        //  Never heard of: which application?
        assert_false (fuota_chirpstack_publish (self, NOW, &publication));
        fuota_chirpstack_call_t call =
            s_called (self, "DeviceService/Get", NOW);
        s_answer (self, call, FUOTA_GRPC_OK, "", "device", NOW);
        assert_true (fuota_chirpstack_publish (self, NOW, &publication));
        assert_string_equal (publication.topic,
            "application/" APP "/device/70b3d5f1c0000a01/command/down");
        bytes_t expected = s_vector ("command");
        assert_int_equal (publication.body.size, expected.size);
        assert_memory_equal (publication.body.data, expected.data,
            expected.size);
        if (early) {
            fuota_chirpstack_tick (self, NOW + 20000);
            s_outcome (self, FUOTA_RETRY);
            //  Begun again under the same name
            fuota_chirpstack_take (self, &want, NOW);
            assert_true (fuota_chirpstack_publish (self, NOW, &publication));
            assert_memory_equal (publication.body.data, expected.data,
                expected.size);
        }
        fuota_chirpstack_published (self, publication.tag, true, NOW);
        s_outcome (self, FUOTA_TAKEN);
        s_heard (self, "txack", "txack");  //  Of another item
        s_quiet (self, NOW);
        s_over (&self, NOW);
    }
}

//  The engine was begun anew, and hears what became of a command of before: it
//  is not put into the device's queue again.
static void
test_chirpstack__fate_of_an_earlier_life (void **state)
{
    (void) state;
    char body [512], item [37] = "";
    fuota_chirpstack_t *self = s_new (true, "");
    fuota_chirpstack_publication_t publication;
    fuota_downlink_t want = s_want (FUOTA_UNICAST);
    want.data.size = 2;
    want.data.bytes [0] = 1;
    memcpy (item, s_vector ("command").data + 2, 36);
    snprintf (body, sizeof body,
        "{\"deviceInfo\":{\"applicationId\":\"" APP "\",\"devEui\":"
        "\"70b3d5f1c0000a01\"},\"queueItemId\":\"%s\"}",
        item);
    fuota_chirpstack_heard (self,
        "application/" APP "/device/70b3d5f1c0000a01/event/txack",
        fuota_slice ((const uint8_t *) body, strlen (body)), NOW);
    s_quiet (self, NOW);
    fuota_chirpstack_take (self, &want, NOW);
    fuota_chirpstack_call_t call = s_called (self, "DeviceService/Get", NOW);
    s_answer (self, call, FUOTA_GRPC_OK, "", "device", NOW);
    assert_false (fuota_chirpstack_publish (self, NOW, &publication));
    s_outcome (self, FUOTA_SENT);
    s_over (&self, NOW);
}

static void
test_chirpstack__command_by_enqueue (void **state)
{
    static const struct {
        const char *name, *type, *event;
        bool lost, early;
        OutcomeKind kind;
    } cases [] = {
        { "sent", "txack", "txack", false, false, FUOTA_SENT },
        { "sent before it was answered", "txack", "txack_id_0", false, true,
            FUOTA_SENT },
        { "answer lost", "txack", "txack", true, false, FUOTA_SENT },
        { "too long", "log", "log_size", false, false, FUOTA_REFUSED },
        { "expired", "log", "log_expired", false, false, FUOTA_EXPIRED },
    };
    static const uint8_t id [] = "\x0a\x24"
                                 "3b9f6a70-7a3c-4c0e-9a52-0f1e2d3c4b5a";
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        print_message ("%s\n", cases [i].name);
        fuota_chirpstack_t *self = s_new (false, "");
        fuota_downlink_t want = s_want (FUOTA_UNICAST);
        want.data.size = 2;
        want.data.bytes [0] = 1;
        fuota_chirpstack_take (self, &want, NOW);
        fuota_chirpstack_call_t call =
            s_called (self, "DeviceService/Enqueue", NOW);
        bytes_t expected = s_vector ("ask_unicast");
        assert_memory_equal (call.message.data, expected.data, expected.size);
        if (cases [i].early)
            s_heard (self, cases [i].type, cases [i].event);
        if (cases [i].lost) {
            s_answer (self, call, FUOTA_GRPC_UNAVAILABLE, "", NULL, NOW);
            call = s_called (self, "DeviceService/GetQueue", NOW + 1000);
            s_answer (self, call, FUOTA_GRPC_OK, "", "queue", NOW + 1000);
        }
        else
            fuota_chirpstack_answer (self, call.tag, FUOTA_GRPC_OK, false, "",
                fuota_slice (id, sizeof id - 1), NOW);
        s_outcome (self, FUOTA_TAKEN);
        s_heard (self, "log", "log_gateway");  //  Of no concern
        if (!cases [i].early)
            s_heard (self, cases [i].type, cases [i].event);
        assert_int_equal (s_outcome (self, cases [i].kind).dev_eui, EUI);
        s_heard (self, cases [i].type, cases [i].event);
        s_over (&self, NOW);
    }
}

//  A command that an earlier life may have put into the device's queue is looked
//  for first. An attempt of before has the same payload and another end.
static void
test_chirpstack__command_of_an_earlier_life (void **state)
{
    static const struct {
        const char *name;
        bool there, other_end;
    } cases [] = {
        { "not there", false, false },
        { "the attempt before it", true, true },
        { "there", true, false },
    };
    static const uint8_t id [] = "\x0a\x24"
                                 "3b9f6a70-7a3c-4c0e-9a52-0f1e2d3c4b5a";
    static const uint8_t at [] = { 0x52, 0x0b, 0x08, 0xc2, 0xc6, 0x95, 0xcd,
        0x06, 0x10, 0x80, 0xe5, 0x9a, 0x77 };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        print_message ("%s\n", cases [i].name);
        fuota_chirpstack_t *self = s_new (false, "");
        fuota_downlink_t want = s_want (FUOTA_UNICAST);
        want.perhaps = true;
        want.data.size = 2;
        want.data.bytes [0] = 1;
        want.expires_at += cases [i].other_end;
        fuota_chirpstack_take (self, &want, NOW);
        s_quiet (self, NOW + 999);
        fuota_chirpstack_call_t call =
            s_called (self, "DeviceService/GetQueue", NOW + 1000);
        bytes_t queue = s_vector ("queue");
        memcpy (queue.data + queue.size, at, sizeof at);
        queue.size += sizeof at;
        queue.data [3] += sizeof at;
        fuota_chirpstack_answer (self, call.tag, FUOTA_GRPC_OK, false, "",
            fuota_slice (queue.data, cases [i].there ? queue.size : 0),
            NOW + 1000);
        if (!cases [i].there || cases [i].other_end) {
            call = s_called (self, "DeviceService/Enqueue", NOW + 1000);
            fuota_chirpstack_answer (self, call.tag, FUOTA_GRPC_OK, false, "",
                fuota_slice (id, sizeof id - 1), NOW + 1000);
        }
        s_outcome (self, FUOTA_TAKEN);
        s_over (&self, NOW + 1000);
    }
}

//  Neither the answer to Enqueue nor the queue can be read. That is no word on
//  whether the command is there: not put again, a device has one at a time.
static void
test_chirpstack__queue_not_understood (void **state)
{
    static const uint8_t nonsense [] = { 0xff, 0xff };
    (void) state;
    fuota_chirpstack_t *self = s_new (false, "");
    fuota_downlink_t want = s_want (FUOTA_UNICAST);
    want.data.size = 2;
    want.data.bytes [0] = 1;
    fuota_chirpstack_take (self, &want, NOW);
    fuota_chirpstack_call_t call =
        s_called (self, "DeviceService/Enqueue", NOW);
    fuota_chirpstack_answer (self, call.tag, FUOTA_GRPC_OK, false, "",
        fuota_slice (nonsense, sizeof nonsense), NOW);
    s_quiet (self, NOW + 999);
    call = s_called (self, "DeviceService/GetQueue", NOW + 1000);
    fuota_chirpstack_answer (self, call.tag, FUOTA_GRPC_OK, false, "",
        fuota_slice (nonsense, sizeof nonsense), NOW + 1000);
    s_quiet (self, NOW + 2999);
    call = s_called (self, "DeviceService/GetQueue", NOW + 3000);
    s_answer (self, call, FUOTA_GRPC_OK, "", "queue", NOW + 3000);
    s_outcome (self, FUOTA_TAKEN);
    s_over (&self, NOW + 3000);
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
        fuota_chirpstack_t *self = s_new (false, "");
        fuota_downlink_t want =
            s_want (fragment ? FUOTA_FRAGMENT : FUOTA_UNICAST);
        want.data.size = 2;
        want.data.bytes [0] = 1;
        if (!fragment)
            want.expires_at = NOW + 100000;
        if (cases [i].probe)
            strcpy (want.application, APP);
        fuota_chirpstack_take (self, &want, NOW);
        fuota_chirpstack_call_t call = s_called (self,
            fragment ? "MulticastGroupService/Enqueue"
                     : "DeviceService/Enqueue",
            NOW);
        s_answer (self, call, FUOTA_GRPC_UNAVAILABLE, "", NULL, NOW);
        for (unsigned n = 0; n < 40; n++, now += 2000) {
            call = s_called (self, ask, now);
            s_answer (self, call, FUOTA_GRPC_UNAUTHENTICATED, cases [i].text,
                NULL, now);
            if (cases [i].probe)
                s_answer (self, s_called (self, "ApplicationService/Get", now),
                    cases [i].probe, "", NULL, now);
            s_quiet (self, now + 1999);
        }
        call = s_called (self, ask, now);
        s_answer (self, call, FUOTA_GRPC_OK, "", fragment ? "group" : "queue",
            now);
        s_outcome (self, FUOTA_TAKEN);
        if (fragment)
            s_left (self, now);
        s_over (&self, now);
    }
}

//  With gateway topics a fragment's fate is that of its frames.
static void
test_chirpstack__fate_by_gateways (void **state)
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
        fuota_chirpstack_t *self = s_new (true, "+");
        fuota_downlink_t want = s_want (FUOTA_FRAGMENT);
        fuota_chirpstack_hears (self, strcmp (cases [i].before, "while") != 0);
        fuota_chirpstack_take (self, &want, NOW);
        fuota_chirpstack_call_t call =
            s_called (self, "MulticastGroupService/Get", NOW);
        s_answer (self, call, FUOTA_GRPC_OK, "", "group", NOW);
        call = s_called (self, "GatewayService/List", NOW);
        fuota_chirpstack_answer (self, call.tag, 0, false, "",
            fuota_slice (total, sizeof total), NOW);
        call = s_called (self, "MulticastGroupService/Enqueue", NOW);
        fuota_chirpstack_hears (self, true);
        bool after = strcmp (cases [i].before, "after") == 0;
        bool meanwhile = strcmp (cases [i].before, "while") == 0;
        if (cases [i].before [0] && !after && !meanwhile) {
            //  The one before was on air, and its frame was seen
            s_gateway_says (self, "command/down", "frame");
            s_gateway_says (self, "event/ack", "ack_ok");
            fuota_chirpstack_answer (self, call.tag, 0, false, "",
                fuota_slice (counter, sizeof counter), NOW);
            s_outcome (self, FUOTA_TAKEN);
            fuota_chirpstack_tick (self, NOW);
            s_outcome (self, FUOTA_SENT);
            want.f_cnt = counter [1] = 8;
            fuota_chirpstack_take (self, &want, NOW);
            call = s_called (self, "MulticastGroupService/Enqueue", NOW);
        }
        if (strcmp (cases [i].before, "deaf") == 0)
            fuota_chirpstack_hears (self, false);
        if (cases [i].frame)
            s_gateway_says (self, "command/down", "frame");
        if (cases [i].ack)
            s_gateway_says (self, "event/ack", cases [i].ack);
        if (after)
            fuota_chirpstack_hears (self, false);
        s_quiet (self, NOW);
        fuota_chirpstack_answer (self, call.tag, 0, false, "",
            fuota_slice (counter, sizeof counter), NOW);
        s_outcome (self, FUOTA_TAKEN);
        if (cases [i].at) {
            fuota_chirpstack_tick (self, NOW + cases [i].at - 1);
            s_quiet (self, NOW);
            assert_int_equal (fuota_chirpstack_due (self), NOW + cases [i].at);
        }
        fuota_chirpstack_tick (self, NOW + cases [i].at);
        fuota_outcome_t outcome = s_outcome (self, cases [i].kind);
        if (cases [i].kind == FUOTA_REFUSED)
            assert_string_equal (outcome.words, "gateway: TOO_LATE");
        s_over (&self, NOW);
    }
}

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

//  One gateway sends after the other. The fragment is on air with the first
//  that takes it, and refused when all have refused; it is sent again then,
//  and N has not moved. Each frame is told with its gateway's word, also when
//  the fragment's fate was known before.
static void
test_chirpstack__several_gateways (void **state)
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
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t total [] = { 0x08, 3 }, counter [] = { 0x08, 7 };
        fuota_chirpstack_t *self = s_new (true, "+");
        fuota_downlink_t want = s_want (FUOTA_FRAGMENT);
        print_message ("%s\n", cases [i].name);
        want.expires_at = NOW + 20000;
        fuota_chirpstack_take (self, &want, NOW);
        fuota_chirpstack_call_t call =
            s_called (self, "MulticastGroupService/Get", NOW);
        s_answer (self, call, FUOTA_GRPC_OK, "", "group", NOW);
        call = s_called (self, "GatewayService/List", NOW);
        fuota_chirpstack_answer (self, call.tag, 0, false, "",
            fuota_slice (total, sizeof total), NOW);
        call = s_called (self, "MulticastGroupService/Enqueue", NOW);
        fuota_chirpstack_answer (self, call.tag, 0, false, "",
            fuota_slice (counter, sizeof counter), NOW);
        s_outcome (self, FUOTA_TAKEN);
        for (unsigned n = 1; n <= 3; n++) {
            s_given (self, n, OURS, NOW);
            s_quiet (self, NOW);
            s_says (self, n, cases [i].words [n - 1]);
            if (n == cases [i].after)
                s_outcome (self, cases [i].kind);
            s_quiet (self, NOW);
            fuota_frame_t frame = s_told (self);
            assert_int_equal (frame.gateway, n);
            assert_int_equal (frame.word, cases [i].told [n - 1]);
            assert_int_equal (frame.frequency, 869525000);
            //  SF12, 17 bytes: TS004's reference has 1.155 s for 13 + 4
            assert_in_range (frame.air_time, 1100000, 1400000);
            assert_memory_equal (frame.deployment, want.deployment, 16);
        }
        s_over (&self, NOW);
    }
}

//  The host hands a frame over again whose word it did not hear in time. One
//  gateway that refuses twice is not two, and what is without a word may be on
//  air.
static void
test_chirpstack__given_again (void **state)
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
        uint8_t total [] = { 0x08, 2 }, counter [] = { 0x08, 7 };
        fuota_chirpstack_t *self = s_new (true, "+");
        fuota_downlink_t want = s_want (FUOTA_FRAGMENT);
        print_message ("%s\n", cases [i].name);
        want.expires_at = NOW + 20000;
        fuota_chirpstack_take (self, &want, NOW);
        fuota_chirpstack_call_t call =
            s_called (self, "MulticastGroupService/Get", NOW);
        s_answer (self, call, FUOTA_GRPC_OK, "", "group", NOW);
        call = s_called (self, "GatewayService/List", NOW);
        fuota_chirpstack_answer (self, call.tag, 0, false, "",
            fuota_slice (total, sizeof total), NOW);
        call = s_called (self, "MulticastGroupService/Enqueue", NOW);
        fuota_chirpstack_answer (self, call.tag, 0, false, "",
            fuota_slice (counter, sizeof counter), NOW);
        s_outcome (self, FUOTA_TAKEN);
        for (unsigned n = 0; n < 3 && cases [i].given [n]; n++)
            s_given (self, cases [i].given [n], OURS, NOW);
        for (unsigned n = 0; n < 3 && cases [i].refused [n]; n++) {
            s_quiet (self, NOW);
            s_says (self, cases [i].refused [n], "TOO_LATE");
        }
        if (cases [i].at) {
            fuota_chirpstack_tick (self, NOW + cases [i].at - 1);
            s_quiet (self, NOW);
            fuota_chirpstack_tick (self, NOW + cases [i].at);
        }
        s_outcome (self, cases [i].kind);
        s_over (&self, NOW);
    }
}

//  What was not ours counts for the gateway's time alone. Of two items the one
//  that was sent counts; without a word the first, half a minute later.
static void
test_chirpstack__frames_of_others (void **state)
{
    (void) state;
    static const uint8_t nobody [16];
    fuota_chirpstack_t *self = s_new (true, "+");
    fuota_event_t event;
    s_gateway_says (self, "command/down", "frame_two");
    assert_false (fuota_chirpstack_event_out (self, &event));
    s_gateway_says (self, "event/ack", "ack_second");
    fuota_frame_t frame = s_told (self);
    assert_int_equal (frame.gateway, 0x0016c001f1500002);
    assert_int_equal (frame.word, 1);
    assert_int_equal (frame.frequency, 869525000);
    assert_in_range (frame.air_time, 1400000, 2000000);
    assert_memory_equal (frame.deployment, nobody, 16);
    //  Said twice: once is enough
    s_gateway_says (self, "event/ack", "ack_second");
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

//  How the gateways are is asked of each tenant that was heard of, page by
//  page, and again after two minutes whatever came of it.
static void
test_chirpstack__states_of_gateways (void **state)
{
    (void) state;
    fuota_chirpstack_t *self = s_new (true, "");
    fuota_event_t event;
    fuota_chirpstack_tick (self, NOW);
    s_quiet (self, NOW);
    s_heard (self, "up", "up");
    s_profile_asked (self);
    assert_true (fuota_chirpstack_event_out (self, &event));
    assert_true (fuota_chirpstack_due (self) <= NOW);
    fuota_chirpstack_tick (self, NOW);
    fuota_chirpstack_call_t call = s_called (self, "GatewayService/List", NOW);
    //  Limit 50, and the tenant
    assert_int_equal (call.message.size, 40);
    assert_memory_equal (call.message.data,
        "\x08\x32\x22\x24"
        "5f2e8c4b-1d3a-4b9e-8f60-2a7c9d1e4b33",
        40);
    s_answer (self, call, FUOTA_GRPC_OK, "", "gateway_names", NOW);
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
    call = s_called (self, "GatewayService/List", NOW);
    fuota_chirpstack_answer (self, call.tag, FUOTA_GRPC_UNAVAILABLE, false, "",
        fuota_slice (NULL, 0), NOW);
    s_quiet (self, NOW);
    assert_int_equal (fuota_chirpstack_due (self), NOW + 120000);
    fuota_chirpstack_tick (self, NOW + 120000);
    call = s_called (self, "GatewayService/List", NOW + 120000);
    fuota_chirpstack_answer (self, call.tag, FUOTA_GRPC_OK, false, "",
        fuota_slice ((const uint8_t *) "\x0f", 1), NOW + 120000);
    s_over (&self, NOW + 120000);
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
        fuota_chirpstack_t *self = s_new (cases [i].mqtt, "");
        fuota_chirpstack_publication_t publication;
        fuota_chirpstack_call_t call;
        fuota_chirpstack_stats_t stats;
        fuota_downlink_t want = s_want (FUOTA_UNICAST);
        int64_t then = NOW + cases [i].took;
        want.owner = cases [i].owner;
        want.expires_at = NOW + 3600000;
        want.data.size = 2;
        s_heard (self, "up", "up");
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
    fuota_chirpstack_t *self = s_new (true, "");
    fuota_downlink_t want = s_want (FUOTA_FLUSH);
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
        cmocka_unit_test (test_chirpstack__fragment_by_answer),
        cmocka_unit_test (test_chirpstack__counter_waits_for_enqueue),
        cmocka_unit_test (test_chirpstack__queue_is_left_empty),
        cmocka_unit_test (test_chirpstack__group_is_made_once),
        cmocka_unit_test (test_chirpstack__no_access_or_no_thing),
        cmocka_unit_test (test_chirpstack__root_key_by_profile),
        cmocka_unit_test (test_chirpstack__tags_are_merged),
        cmocka_unit_test (test_chirpstack__command_by_mqtt),
        cmocka_unit_test (test_chirpstack__fate_of_an_earlier_life),
        cmocka_unit_test (test_chirpstack__command_by_enqueue),
        cmocka_unit_test (test_chirpstack__command_of_an_earlier_life),
        cmocka_unit_test (test_chirpstack__queue_not_understood),
        cmocka_unit_test (test_chirpstack__no_access_while_asking),
        cmocka_unit_test (test_chirpstack__fate_by_gateways),
        cmocka_unit_test (test_chirpstack__several_gateways),
        cmocka_unit_test (test_chirpstack__given_again),
        cmocka_unit_test (test_chirpstack__frames_of_others),
        cmocka_unit_test (test_chirpstack__states_of_gateways),
        cmocka_unit_test (test_chirpstack__answers_in_time),
        cmocka_unit_test (test_chirpstack__too_many),
    };
    s_vectors = json_load_file (FUOTA_VECTORS "/chirpstack.json", 0, NULL);
    int failed = cmocka_run_group_tests_name ("chirpstack", tests, NULL, NULL);
    json_decref (s_vectors);
    return failed;
}
