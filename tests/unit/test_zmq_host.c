//  SPDX-License-Identifier: MIT
//
//  What a ZeroMQ back end may say. Hostile rows first.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "broker/host/zmq_host.h"

#define NOW 1772446531000
#define EUI 0x70b3d5f1c0000a01u
#define TOPIC "application/a/device/70b3d5f1c0000a01/event/"
#define DEVICE                                                                 \
    "\"deviceInfo\":{\"applicationId\":\"a\","                                 \
    "\"devEui\":\"70b3d5f1c0000a01\"}"
#define UP "{" DEVICE ",\"fPort\":202,\"data\":\"AQ==\"}"
#define ITEM "3b9f6a70-7a3c-4c0e-9a52-0f1e2d3c4b5a"
#define ACKED "{" DEVICE ",\"queueItemId\":\"" ITEM "\"}"

static fuota_chirpstack_t *
s_core (void)
{
    fuota_chirpstack_config_t config;
    fuota_chirpstack_defaults (&config);
    fuota_chirpstack_t *core = fuota_chirpstack_new (&config);
    assert_non_null (core);
    return core;
}

static fuota_slice_t
s_text (const char *text)
{
    return fuota_slice (text, strlen (text));
}

static void
test_zmq_host__topic_and_body (void **state)
{
    static const struct {
        const char *name, *topic, *body;
        fuota_zmq_cause_t cause;
        int events;
    } cases [] = {
        { "nothing", "", "", FUOTA_ZMQ_NO_TOPIC, 0 },
        { "no topic", "", UP, FUOTA_ZMQ_NO_TOPIC, 0 },
        { "body first", UP, TOPIC "up", FUOTA_ZMQ_NO_TOPIC, 0 },
        { "another topic", "application/a/device/1/event", UP,
            FUOTA_ZMQ_NO_TOPIC, 0 },
        { "gateway topic", "eu868/gateway/0016c001f1500001/state/conn", UP,
            FUOTA_ZMQ_NO_TOPIC, 0 },
        { "no body", TOPIC "up", "", FUOTA_ZMQ_NO_EVENT, 0 },
        { "cut body", TOPIC "up", "{" DEVICE, FUOTA_ZMQ_NO_EVENT, 0 },
        { "no protobuf", TOPIC "up", "\x0f\xff", FUOTA_ZMQ_NO_EVENT, 0 },
        { "no concern of ours", TOPIC "status", "{" DEVICE "}", 0, 0 },
        { "ack", TOPIC "ack", "{" DEVICE "}", 0, 0 },
        { "log", TOPIC "log", "{" DEVICE ",\"code\":\"OTAA\"}", 0, 0 },
        { "up", TOPIC "up", UP, 0, 1 },
        { "join", TOPIC "join", "{" DEVICE "}", 0, 1 },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fuota_chirpstack_t *core = s_core ();
        fuota_slice_t frames [] = { s_text (cases [i].topic),
            s_text (cases [i].body) };
        fuota_event_t event;
        int events = 0;
        fuota_zmq_cause_t cause = fuota_zmq_host_event (core, frames, 2, NOW);
        while (fuota_chirpstack_event_out (core, &event))
            events += event.dev_eui == EUI;
        if (cause != cases [i].cause || events != cases [i].events)
            fail_msg ("%s: cause %d, %d events", cases [i].name, cause, events);
        fuota_chirpstack_destroy (&core);
    }
}

static void
test_zmq_host__frames (void **state)
{
    fuota_chirpstack_t *core = s_core ();
    fuota_slice_t frames [] = { s_text (TOPIC "up"), s_text (UP) };
    char topic [400];
    (void) state;
    assert_int_equal (fuota_zmq_host_event (core, frames, 0, NOW),
        FUOTA_ZMQ_NO_FRAMES);
    assert_int_equal (fuota_zmq_host_event (core, frames, 3, NOW),
        FUOTA_ZMQ_NO_FRAMES);
    //  Longer than any topic; with a zero in it
    memset (topic, 'a', sizeof topic);
    for (size_t size = 255; size < 258; size++) {
        frames [0] = fuota_slice (topic, size);
        assert_int_equal (fuota_zmq_host_event (core, frames, 2, NOW),
            FUOTA_ZMQ_NO_TOPIC);
    }
    frames [0] = fuota_slice (TOPIC "up\0x", strlen (TOPIC) + 4);
    assert_int_equal (fuota_zmq_host_event (core, frames, 2, NOW),
        FUOTA_ZMQ_NO_TOPIC);
    fuota_chirpstack_destroy (&core);
}

//  One frame: the engine's own Event.
static void
test_zmq_host__own_event (void **state)
{
    static const struct {
        const char *name;
        unsigned kind;
        uint32_t f_port;
        int64_t received_at;
        fuota_zmq_cause_t cause;
        int64_t want;
    } cases [] = {
        { "kind there is not", 4, 200, 1, FUOTA_ZMQ_NO_EVENT, 0 },
        { "port there is not", 0, 256, 1, FUOTA_ZMQ_NO_EVENT, 0 },
        { "when is not said", 0, 200, 0, 0, NOW },
        { "before all time", 0, 200, -5, 0, NOW },
        { "uplink", 0, 200, NOW - 700, 0, NOW - 700 },
        { "join", 1, 0, NOW, 0, NOW },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fuota_chirpstack_t *core = s_core ();
        uint8_t bytes [FUOTA_RECORD_MAX];
        fuota_event_t event = { .kind = (EventKind) cases [i].kind,
            .dev_eui = EUI,
            .f_port = cases [i].f_port,
            .received_at = cases [i].received_at };
        fuota_slice_t frame = fuota_slice (bytes,
            fuota_record_encode (Event_fields, &event, bytes, sizeof bytes));
        fuota_zmq_cause_t cause = fuota_zmq_host_event (core, &frame, 1, NOW);
        bool there = fuota_chirpstack_event_out (core, &event);
        if (cause != cases [i].cause || there != (cause == 0) ||
            (there && event.received_at != cases [i].want))
            fail_msg ("%s: cause %d", cases [i].name, cause);
        for (size_t cut = 0; !cause && cut < frame.size; cut++) {
            fuota_slice_t part = fuota_slice (bytes, cut);
            fuota_zmq_host_event (core, &part, 1, NOW);
            while (fuota_chirpstack_event_out (core, &event))
                assert_true (event.data.size <= sizeof event.data.bytes);
        }
        fuota_chirpstack_destroy (&core);
    }
}

static void
test_zmq_host__outcome (void **state)
{
    static const struct {
        const char *name;
        unsigned kind;
        uint64_t row;
        fuota_zmq_cause_t cause;
    } cases [] = {
        { "of no row", FUOTA_TAKEN, 0, FUOTA_ZMQ_NO_OUTCOME },
        { "the outbox's own", FUOTA_LATE, 1, FUOTA_ZMQ_NO_OUTCOME },
        { "kind there is not", 99, 1, FUOTA_ZMQ_NO_OUTCOME },
        { "never", FUOTA_NEVER, 1, 0 },
        { "sent", FUOTA_SENT, UINT64_MAX, 0 },
    };
    (void) state;
    fuota_chirpstack_t *core = s_core ();
    uint8_t bytes [FUOTA_RECORD_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fuota_outcome_t outcome = { .kind = (OutcomeKind) cases [i].kind,
            .row = cases [i].row };
        fuota_slice_t body =
            fuota_slice (bytes, fuota_record_encode (Outcome_fields, &outcome,
                                    bytes, sizeof bytes));
        fuota_zmq_cause_t cause =
            fuota_zmq_host_outcome (core, body, NOW, &outcome);
        if (cause != cases [i].cause || (!cause && outcome.at != NOW))
            fail_msg ("%s: cause %d", cases [i].name, cause);
    }
    assert_int_equal (fuota_zmq_host_outcome (core, s_text ("\x0f"), NOW,
                          &(fuota_outcome_t){ .row = 1 }),
        FUOTA_ZMQ_NO_OUTCOME);
    fuota_chirpstack_destroy (&core);
}

//  The back end names its queue item; the host's event tells of it, whichever
//  comes first.
static void
test_zmq_host__fate_by_item (void **state)
{
    (void) state;
    for (unsigned early = 0; early < 2; early++) {
        fuota_chirpstack_t *core = s_core ();
        uint8_t bytes [FUOTA_RECORD_MAX];
        fuota_outcome_t outcome = { .kind = FUOTA_TAKEN,
            .row = 77,
            .owner = 2,
            .dev_eui = EUI,
            .deployment = { 9 },
            .item = ITEM };
        fuota_slice_t body =
            fuota_slice (bytes, fuota_record_encode (Outcome_fields, &outcome,
                                    bytes, sizeof bytes));
        fuota_slice_t frames [] = { s_text (TOPIC "txack"), s_text (ACKED) };
        if (early)
            assert_int_equal (fuota_zmq_host_event (core, frames, 2, NOW), 0);
        assert_int_equal (fuota_zmq_host_outcome (core, body, NOW, &outcome),
            0);
        if (!early) {
            assert_false (fuota_chirpstack_outcome (core, &outcome));
            assert_int_equal (fuota_zmq_host_event (core, frames, 2, NOW), 0);
        }
        assert_true (fuota_chirpstack_outcome (core, &outcome));
        assert_int_equal (outcome.kind, FUOTA_SENT);
        assert_int_equal (outcome.row, 77);
        assert_int_equal (outcome.owner, 2);
        assert_int_equal (outcome.dev_eui, EUI);
        assert_int_equal (outcome.deployment [0], 9);
        assert_false (fuota_chirpstack_outcome (core, &outcome));
        fuota_chirpstack_destroy (&core);
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_zmq_host__topic_and_body),
        cmocka_unit_test (test_zmq_host__frames),
        cmocka_unit_test (test_zmq_host__own_event),
        cmocka_unit_test (test_zmq_host__outcome),
        cmocka_unit_test (test_zmq_host__fate_by_item),
    };
    return cmocka_run_group_tests_name ("zmq_host", tests, NULL, NULL);
}
