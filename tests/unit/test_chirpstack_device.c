//  SPDX-License-Identifier: MIT
//
//  ChirpStack as a host: a device's keys, tags and commands.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "broker/host/grpc_reply.h"
#include "tests/unit/chirpstack_rig.h"

//  LoRaWAN 1.0 has the GenAppKey, 1.1 the AppKey; the profile is asked once.
static void
test_chirpstack_device__root_key_by_profile (void **state)
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
        fuota_chirpstack_t *self = rig_new (true, "");
        fuota_downlink_t want = rig_want (FUOTA_KEYS);
        for (unsigned round = 0; round < 2; round++) {
            fuota_chirpstack_take (self, &want, NOW);
            fuota_chirpstack_call_t call =
                rig_called (self, "DeviceService/Get", NOW);
            rig_answer (self, call, FUOTA_GRPC_OK, "", "device", NOW);
            if (round == 0) {
                call = rig_called (self, "DeviceProfileService/Get", NOW);
                fuota_chirpstack_answer (self, call.tag, FUOTA_GRPC_OK, false,
                    "",
                    fuota_slice (cases [i].lorawan_1_1 ? profile_1_1
                                                       : profile_1_0,
                        4),
                    NOW);
            }
            call = rig_called (self, "DeviceService/GetKeys", NOW);
            rig_answer (self, call, FUOTA_GRPC_OK, "", cases [i].keys, NOW);
            fuota_outcome_t outcome = rig_outcome (self, cases [i].kind);
            if (cases [i].kind != FUOTA_DONE)
                continue;
            assert_int_equal (outcome.root, cases [i].lorawan_1_1);
            assert_int_equal (outcome.root_key.size, 16);
            assert_int_equal (outcome.root_key.bytes [0], cases [i].first);
        }
        rig_over (&self, NOW);
    }
}

//  What we do not know of a device goes back as it came.
static void
test_chirpstack_device__tags_are_merged (void **state)
{
    (void) state;
    fuota_chirpstack_t *self = rig_new (true, "");
    fuota_downlink_t want = rig_want (FUOTA_TAGS);
    want.tags_count = 1;
    strcpy (want.tags [0].key, "fw");
    strcpy (want.tags [0].value, "2");
    fuota_chirpstack_take (self, &want, NOW);
    fuota_chirpstack_call_t call = rig_called (self, "DeviceService/Get", NOW);
    rig_answer (self, call, FUOTA_GRPC_OK, "", "device", NOW);
    call = rig_called (self, "DeviceService/Update", NOW);
    rig_bytes_t expected = rig_vector ("device_tagged");
    assert_int_equal (call.message.size, expected.size);
    //  Fields may stand in any order: ours are at the end
    assert_memory_equal (call.message.data, expected.data, 40);
    rig_answer (self, call, FUOTA_GRPC_OK, "", NULL, NOW);
    rig_outcome (self, FUOTA_DONE);
    rig_over (&self, NOW);
}

//  By command/down: the item is ours by name, and what became of it is told
//  by it, also before the broker has acknowledged.
static void
test_chirpstack_device__command_by_mqtt (void **state)
{
    (void) state;
    for (unsigned early = 0; early < 2; early++) {
        fuota_chirpstack_t *self = rig_new (true, "");
        fuota_chirpstack_publication_t publication;
        fuota_downlink_t want = rig_want (FUOTA_UNICAST);
        want.data.size = 2;
        want.data.bytes [0] = 1;
        fuota_chirpstack_take (self, &want, NOW);
        //  Never heard of: which application?
        assert_false (fuota_chirpstack_publish (self, NOW, &publication));
        fuota_chirpstack_call_t call =
            rig_called (self, "DeviceService/Get", NOW);
        rig_answer (self, call, FUOTA_GRPC_OK, "", "device", NOW);
        assert_true (fuota_chirpstack_publish (self, NOW, &publication));
        assert_string_equal (publication.topic,
            "application/" APP "/device/70b3d5f1c0000a01/command/down");
        rig_bytes_t expected = rig_vector ("command");
        assert_int_equal (publication.body.size, expected.size);
        assert_memory_equal (publication.body.data, expected.data,
            expected.size);
        if (early) {
            fuota_chirpstack_tick (self, NOW + 20000);
            rig_outcome (self, FUOTA_RETRY);
            //  Begun again under the same name
            fuota_chirpstack_take (self, &want, NOW);
            assert_true (fuota_chirpstack_publish (self, NOW, &publication));
            assert_memory_equal (publication.body.data, expected.data,
                expected.size);
        }
        fuota_chirpstack_published (self, publication.tag, true, NOW);
        rig_outcome (self, FUOTA_TAKEN);
        rig_heard (self, "txack", "txack");  //  Of another item
        rig_quiet (self, NOW);
        rig_over (&self, NOW);
    }
}

//  The engine was begun anew, and hears what became of a command of before: it
//  is not put into the device's queue again.
static void
test_chirpstack_device__fate_of_an_earlier_life (void **state)
{
    (void) state;
    char body [512], item [37] = "";
    fuota_chirpstack_t *self = rig_new (true, "");
    fuota_chirpstack_publication_t publication;
    fuota_downlink_t want = rig_want (FUOTA_UNICAST);
    want.data.size = 2;
    want.data.bytes [0] = 1;
    memcpy (item, rig_vector ("command").data + 2, 36);
    snprintf (body, sizeof body,
        "{\"deviceInfo\":{\"applicationId\":\"" APP "\",\"devEui\":"
        "\"70b3d5f1c0000a01\"},\"queueItemId\":\"%s\"}",
        item);
    fuota_chirpstack_heard (self,
        "application/" APP "/device/70b3d5f1c0000a01/event/txack",
        fuota_slice ((const uint8_t *) body, strlen (body)), NOW);
    rig_quiet (self, NOW);
    fuota_chirpstack_take (self, &want, NOW);
    fuota_chirpstack_call_t call = rig_called (self, "DeviceService/Get", NOW);
    rig_answer (self, call, FUOTA_GRPC_OK, "", "device", NOW);
    assert_false (fuota_chirpstack_publish (self, NOW, &publication));
    rig_outcome (self, FUOTA_SENT);
    rig_over (&self, NOW);
}

static void
test_chirpstack_device__command_by_enqueue (void **state)
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
        fuota_chirpstack_t *self = rig_new (false, "");
        fuota_downlink_t want = rig_want (FUOTA_UNICAST);
        want.data.size = 2;
        want.data.bytes [0] = 1;
        fuota_chirpstack_take (self, &want, NOW);
        fuota_chirpstack_call_t call =
            rig_called (self, "DeviceService/Enqueue", NOW);
        rig_bytes_t expected = rig_vector ("ask_unicast");
        assert_memory_equal (call.message.data, expected.data, expected.size);
        if (cases [i].early)
            rig_heard (self, cases [i].type, cases [i].event);
        if (cases [i].lost) {
            rig_answer (self, call, FUOTA_GRPC_UNAVAILABLE, "", NULL, NOW);
            call = rig_called (self, "DeviceService/GetQueue", NOW + 1000);
            rig_answer (self, call, FUOTA_GRPC_OK, "", "queue", NOW + 1000);
        }
        else
            fuota_chirpstack_answer (self, call.tag, FUOTA_GRPC_OK, false, "",
                fuota_slice (id, sizeof id - 1), NOW);
        rig_outcome (self, FUOTA_TAKEN);
        rig_heard (self, "log", "log_gateway");  //  Of no concern
        if (!cases [i].early)
            rig_heard (self, cases [i].type, cases [i].event);
        assert_int_equal (rig_outcome (self, cases [i].kind).dev_eui, EUI);
        rig_heard (self, cases [i].type, cases [i].event);
        rig_over (&self, NOW);
    }
}

//  A command that an earlier life may have put into the device's queue is looked
//  for first. An attempt of before has the same payload and another end.
static void
test_chirpstack_device__command_of_an_earlier_life (void **state)
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
        fuota_chirpstack_t *self = rig_new (false, "");
        fuota_downlink_t want = rig_want (FUOTA_UNICAST);
        want.perhaps = true;
        want.data.size = 2;
        want.data.bytes [0] = 1;
        want.expires_at += cases [i].other_end;
        fuota_chirpstack_take (self, &want, NOW);
        rig_quiet (self, NOW + 999);
        fuota_chirpstack_call_t call =
            rig_called (self, "DeviceService/GetQueue", NOW + 1000);
        rig_bytes_t queue = rig_vector ("queue");
        memcpy (queue.data + queue.size, at, sizeof at);
        queue.size += sizeof at;
        queue.data [3] += sizeof at;
        fuota_chirpstack_answer (self, call.tag, FUOTA_GRPC_OK, false, "",
            fuota_slice (queue.data, cases [i].there ? queue.size : 0),
            NOW + 1000);
        if (!cases [i].there || cases [i].other_end) {
            call = rig_called (self, "DeviceService/Enqueue", NOW + 1000);
            fuota_chirpstack_answer (self, call.tag, FUOTA_GRPC_OK, false, "",
                fuota_slice (id, sizeof id - 1), NOW + 1000);
        }
        rig_outcome (self, FUOTA_TAKEN);
        rig_over (&self, NOW + 1000);
    }
}

//  Neither the answer to Enqueue nor the queue can be read. That is no word on
//  whether the command is there: not put again, a device has one at a time.
static void
test_chirpstack_device__queue_not_understood (void **state)
{
    static const uint8_t nonsense [] = { 0xff, 0xff };
    (void) state;
    fuota_chirpstack_t *self = rig_new (false, "");
    fuota_downlink_t want = rig_want (FUOTA_UNICAST);
    want.data.size = 2;
    want.data.bytes [0] = 1;
    fuota_chirpstack_take (self, &want, NOW);
    fuota_chirpstack_call_t call =
        rig_called (self, "DeviceService/Enqueue", NOW);
    fuota_chirpstack_answer (self, call.tag, FUOTA_GRPC_OK, false, "",
        fuota_slice (nonsense, sizeof nonsense), NOW);
    rig_quiet (self, NOW + 999);
    call = rig_called (self, "DeviceService/GetQueue", NOW + 1000);
    fuota_chirpstack_answer (self, call.tag, FUOTA_GRPC_OK, false, "",
        fuota_slice (nonsense, sizeof nonsense), NOW + 1000);
    rig_quiet (self, NOW + 2999);
    call = rig_called (self, "DeviceService/GetQueue", NOW + 3000);
    rig_answer (self, call, FUOTA_GRPC_OK, "", "queue", NOW + 3000);
    rig_outcome (self, FUOTA_TAKEN);
    rig_over (&self, NOW + 3000);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_chirpstack_device__root_key_by_profile),
        cmocka_unit_test (test_chirpstack_device__tags_are_merged),
        cmocka_unit_test (test_chirpstack_device__command_by_mqtt),
        cmocka_unit_test (test_chirpstack_device__fate_of_an_earlier_life),
        cmocka_unit_test (test_chirpstack_device__command_by_enqueue),
        cmocka_unit_test (test_chirpstack_device__command_of_an_earlier_life),
        cmocka_unit_test (test_chirpstack_device__queue_not_understood),
    };
    return cmocka_run_group_tests_name ("chirpstack_device", tests, rig_load,
        rig_unload);
}
