//  SPDX-License-Identifier: MIT
//
//  ChirpStack's events, in both encodings, and its texts. Hostile rows first.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>
#include "broker/host/chirpstack_event.h"
#include "broker/host/chirpstack_text.h"
#include "schema/hex.h"

#define NOW 1772446531000
#define TIME 1772446530250  //  2026-03-02T10:15:30.250Z, also by GNSS
#define EUI 0x70b3d5f1c0000a01u
#define APP "0d6a4c1e-7a54-4d0c-8c8a-3f0f6c2b9d11"
#define DEVICE                                                                 \
    "\"deviceInfo\":{\"applicationId\":\"" APP                                 \
    "\",\"devEui\":\"70b3d5f1c0000a01\"}"
#define ITEM "3b9f6a70-7a3c-4c0e-9a52-0f1e2d3c4b5a"
#define NONE FUOTA_CHIRPSTACK_NOTHING
#define SAID FUOTA_CHIRPSTACK_SAID
#define FATE FUOTA_CHIRPSTACK_FATE

static void
test_chirpstack_event__json (void **state)
{
    static const struct {
        const char *name, *type, *body;
        int rc;
        fuota_chirpstack_kind_t kind;
        int64_t received;
    } cases [] = {
        { "empty", "up", "", FUOTA_EFORMAT, NONE, 0 },
        { "open", "up", "{", FUOTA_EFORMAT, NONE, 0 },
        { "nothing in it", "up", "{}", FUOTA_EFORMAT, NONE, 0 },
        { "a list", "up", "{\"deviceInfo\":[]}", FUOTA_EFORMAT, NONE, 0 },
        { "no application", "up",
            "{\"deviceInfo\":{\"devEui\":\"70b3d5f1c0000a01\"}}", FUOTA_EFORMAT,
            NONE, 0 },
        { "short EUI", "up",
            "{\"deviceInfo\":{\"applicationId\":\"a\",\"devEui\":\"70b3d5f1\"}"
            "}",
            FUOTA_EFORMAT, NONE, 0 },
        { "no base64", "up", "{" DEVICE ",\"fPort\":1,\"data\":\"A\"}",
            FUOTA_EFORMAT, NONE, 0 },
        { "fPort of text", "up", "{" DEVICE ",\"fPort\":\"201\"}",
            FUOTA_EFORMAT, NONE, 0 },
        { "fPort too large", "up", "{" DEVICE ",\"fPort\":256}", FUOTA_EFORMAT,
            NONE, 0 },
        { "negative counter", "up", "{" DEVICE ",\"fPort\":1,\"fCnt\":-1}",
            FUOTA_EFORMAT, NONE, 0 },
        { "txack without item", "txack", "{" DEVICE "}", FUOTA_EFORMAT, NONE,
            0 },
        { "log without context", "log", "{" DEVICE ",\"code\":\"EXPIRED\"}",
            FUOTA_EFORMAT, NONE, 0 },
        { "no payload, no port", "up", "{" DEVICE "}", 0, NONE, 0 },
        { "not decrypted", "up",
            "{" DEVICE ",\"fPort\":201,\"joinServerContext\":{}}", 0, NONE, 0 },
        { "our clock", "up", "{" DEVICE ",\"fPort\":201,\"data\":\"AgA=\"}", 0,
            SAID, NOW },
        { "no such day", "up",
            "{" DEVICE ",\"fPort\":201,\"data\":\"AgA\","
            "\"time\":\"2026-13-02T10:15:30Z\"}",
            0, SAID, NOW },
        { "the host's", "up",
            "{" DEVICE ",\"fPort\":201,\"data\":\"AgA=\","
            "\"time\":\"2026-03-02T11:15:30.250123+01:00\"}",
            0, SAID, TIME },
        { "GNSS of the second", "up",
            "{" DEVICE ",\"fPort\":201,\"data\":\"AgA=\","
            "\"time\":\"2026-03-02T10:15:31+00:00\",\"rxInfo\":[{},"
            "{\"timeSinceGpsEpoch\":\"1456481748.250s\"}]}",
            0, SAID, TIME },
        { "GNSS gone mad", "up",
            "{" DEVICE ",\"fPort\":201,\"rxInfo\":["
            "{\"timeSinceGpsEpoch\":\"999999999999s\"}]}",
            0, SAID, NOW },
        { "join", "join", "{" DEVICE ",\"time\":\"2026-03-02T10:15:30.25Z\"}",
            0, SAID, TIME },
        { "txack", "txack", "{" DEVICE ",\"queueItemId\":\"" ITEM "\"}", 0,
            FATE, 0 },
        { "expired", "log",
            "{" DEVICE ",\"code\":\"EXPIRED\",\"context\":{\"queue_item_id\":"
            "\"" ITEM "\"}}",
            0, FATE, 0 },
        { "of no concern", "log", "{" DEVICE ",\"code\":\"UPLINK_MIC\"}", 0,
            NONE, 0 },
        { "unknown type", "location", "{}", 0, NONE, 0 },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fuota_chirpstack_said_t said;
        int rc = fuota_chirpstack_event (cases [i].type,
            fuota_slice (cases [i].body, strlen (cases [i].body)), NOW, 0,
            &said);
        if (rc != cases [i].rc || said.kind != cases [i].kind)
            fail_msg ("%s: %d, kind %d", cases [i].name, rc, (int) said.kind);
        if (said.kind == SAID) {
            if (said.event.received_at != cases [i].received)
                fail_msg ("%s: %lld", cases [i].name,
                    (long long) said.event.received_at);
            assert_int_equal (said.event.dev_eui, EUI);
            assert_string_equal (said.event.application, APP);
        }
    }
}

//  The whole sample, as the official package writes it; then cut anywhere,
//  and with each byte changed.
static void
test_chirpstack_event__protobuf (void **state)
{
    static const struct {
        const char *name, *type;
        fuota_chirpstack_kind_t kind;
        OutcomeKind fate;
    } cases [] = {
        { "up", "up", SAID, 0 },
        { "join", "join", SAID, 0 },
        { "txack", "txack", FATE, FUOTA_SENT },
        { "txack_id_0", "txack", FATE, FUOTA_SENT },
        { "log_size", "log", FATE, FUOTA_REFUSED },
        { "log_expired", "log", FATE, FUOTA_EXPIRED },
        { "log_gateway", "log", NONE, 0 },
    };
    uint8_t bytes [4096];
    (void) state;
    json_t *vectors =
        json_load_file (FUOTA_VECTORS "/chirpstack.json", 0, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *hex =
            json_string_value (json_object_get (vectors, cases [i].name));
        size_t size = strlen (hex) / 2;
        fuota_chirpstack_said_t said;
        assert_true (fuota_unhex (hex, bytes, size));
        assert_int_equal (fuota_chirpstack_event (cases [i].type,
                              fuota_slice (bytes, size), NOW, 0, &said),
            0);
        assert_int_equal (said.kind, cases [i].kind);
        assert_false (said.json);
        if (said.kind == FATE)
            assert_int_equal (said.fate, cases [i].fate);
        if (said.kind == SAID)
            assert_int_equal (said.event.received_at, TIME);
        if (i == 0) {
            assert_int_equal (said.event.f_port, 201);
            assert_int_equal (said.event.f_cnt, 412);
            assert_int_equal (said.event.data.size, 2);
            //  Twelve heard it
            assert_int_equal (said.event.gateways_count, 8);
            assert_int_equal (said.event.gateways [0], 0x0016c001f1500001u);
        }
        for (size_t cut = 0; cut < size; cut++)
            fuota_chirpstack_event (cases [i].type, fuota_slice (bytes, cut),
                NOW, 0, &said);
        for (size_t at = 0; at < size; at++) {
            bytes [at] ^= 0xff;
            fuota_chirpstack_event (cases [i].type, fuota_slice (bytes, size),
                NOW, 0, &said);
            bytes [at] ^= 0xff;
        }
    }
    json_decref (vectors);
}

static void
test_chirpstack_event__topics (void **state)
{
    static const char usual [] =
        "application/{{application_id}}/device/{{dev_eui}}/event/{{event}}";
    static const struct {
        const char *pattern, *topic;
        bool matches;
        const char *dev_eui, *word;
    } cases [] = {
        { usual, "", false, NULL, NULL },
        { usual, "application", false, NULL, NULL },
        { usual, "application/a/device/b/event", false, NULL, NULL },
        { usual, "application/a/device/b/event/", false, NULL, NULL },
        { usual, "application/a/device/b/event/up/x", false, NULL, NULL },
        { usual, "application/a/device/b/command/up", false, NULL, NULL },
        { usual, "application/a/device/70b3d5f1c0000a011/event/up", false, NULL,
            NULL },
        { usual, "application/a/device/b/event/up", true, "b", "up" },
        { "{{event}}/d-{{dev_eui}}.x", "up/d-12.x", true, "12", "up" },
        { "{{event}}/d-{{dev_eui}}.x", "up/d-.x", false, NULL, NULL },
    };
    char filter [64];
    fuota_chirpstack_topic_t topic = { "app", "eui", "down" };
    (void) state;
    assert_true (fuota_chirpstack_filter (usual, filter, sizeof filter));
    assert_string_equal (filter, "application/+/device/+/event/+");
    assert_false (fuota_chirpstack_filter (usual, filter, 8));
    assert_true (fuota_chirpstack_fill ("x{{command}}y/{{dev_eui}}", &topic,
        filter, sizeof filter));
    assert_string_equal (filter, "xdowny/eui");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (fuota_chirpstack_match (cases [i].pattern, cases [i].topic,
                &topic) != cases [i].matches)
            fail_msg ("%s", cases [i].topic);
        if (cases [i].matches) {
            assert_string_equal (topic.dev_eui, cases [i].dev_eui);
            assert_string_equal (topic.word, cases [i].word);
        }
    }
}

static void
test_chirpstack_event__texts (void **state)
{
    static const char *const days [] = { "1970-01-01T00:00:00.000Z",
        "2000-02-29T23:59:59.999Z", "2026-03-02T10:15:30.250Z",
        "2099-12-31T00:00:00.001Z" };
    static const char *const wrong [] = { "", "2026", "2026-03-02",
        "2026-03-02T10:15:30", "2026-03-02T10:15:30+1", "2026-03-02 10:15:30Z",
        "2026-03-02T10:15:30Zx", "1969-12-31T00:00:00Z" };
    static const char *const no_base64 [] = { "A", "AA=A",
        "AAA==", "A===", "A A=", "AAAA=", "!!!!" };
    char text [40], coded [40];
    uint8_t bytes [16], back [16];
    int64_t at;
    (void) state;
    for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
        assert_true (fuota_chirpstack_untime (days [i], &at));
        fuota_chirpstack_time (at, text);
        assert_string_equal (text, days [i]);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (fuota_chirpstack_untime (wrong [i], &at))
            fail_msg ("%s", wrong [i]);
    for (size_t i = 0; i < sizeof no_base64 / sizeof *no_base64; i++) {
        size_t size = sizeof back;
        if (fuota_chirpstack_unbase64 (no_base64 [i], back, &size))
            fail_msg ("%s", no_base64 [i]);
    }
    for (size_t size = 0; size <= sizeof bytes; size++) {
        size_t room = size;
        for (size_t i = 0; i < size; i++)
            bytes [i] = (uint8_t) (251 * i + size);
        fuota_chirpstack_base64 (bytes, size, coded);
        assert_true (fuota_chirpstack_unbase64 (coded, back, &room));
        assert_int_equal (room, size);
        assert_memory_equal (bytes, back, size);
        if (!size)
            continue;
        room = size - 1;
        assert_false (fuota_chirpstack_unbase64 (coded, back, &room));
    }
    fuota_chirpstack_uuid (bytes, text);
    assert_true (fuota_chirpstack_unuuid (text, back));
    assert_memory_equal (bytes, back, 16);
    text [13] = 0;
    assert_false (fuota_chirpstack_unuuid (text, back));
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_chirpstack_event__json),
        cmocka_unit_test (test_chirpstack_event__protobuf),
        cmocka_unit_test (test_chirpstack_event__topics),
        cmocka_unit_test (test_chirpstack_event__texts),
    };
    return cmocka_run_group_tests_name ("chirpstack_event", tests, NULL, NULL);
}
