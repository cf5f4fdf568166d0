//  SPDX-License-Identifier: MIT
//
//  What a ZeroMQ back end may send: a first byte for the door, the size of the
//  first frame, then the bytes of both frames. Whatever they are, nothing is
//  made of them that is out of bounds.

#include <assert.h>
#include <stdint.h>
#include <string.h>
#include "broker/host/zmq_host.h"

#define NOW 1772446530250

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
s_check_outcome (const fuota_outcome_t *outcome)
{
    assert (outcome->kind <= FUOTA_NEVER);
    assert (strlen (outcome->words) < sizeof outcome->words);
    assert (strlen (outcome->group) < sizeof outcome->group);
    assert (strlen (outcome->item) < sizeof outcome->item);
    assert (outcome->root_key.size <= sizeof outcome->root_key.bytes);
}

static void
s_drain (fuota_chirpstack_t *core)
{
    fuota_event_t event;
    fuota_outcome_t outcome;
    uint8_t bytes [FUOTA_RECORD_MAX];
    while (fuota_chirpstack_event_out (core, &event)) {
        assert (event.data.size <= sizeof event.data.bytes);
        assert (event.gateways_count <= 8 && event.f_port <= 255);
        assert (event.kind <= FUOTA_EVENT_GATEWAY && event.received_at > 0);
        fuota_record_encode (Event_fields, &event, bytes, sizeof bytes);
    }
    while (fuota_chirpstack_outcome (core, &outcome))
        s_check_outcome (&outcome);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static const char item [] = "3b9f6a70-7a3c-4c0e-9a52-0f1e2d3c4b5a";
    fuota_chirpstack_config_t config;
    fuota_outcome_t outcome;
    uint8_t bytes [FUOTA_RECORD_MAX];
    if (size < 2)
        return 0;
    fuota_chirpstack_defaults (&config);
    fuota_chirpstack_t *core = fuota_chirpstack_new (&config);
    assert (core);
    size_t first = data [1] < size - 2 ? data [1] : size - 2;
    fuota_slice_t frames [] = { fuota_slice (data + 2, first),
        fuota_slice (data + 2 + first, size - 2 - first) };
    fuota_slice_t whole = fuota_slice (data + 2, size - 2);
    //  An item is at the host already
    outcome = (fuota_outcome_t){ .kind = FUOTA_TAKEN, .row = 5, .owner = 1 };
    memcpy (outcome.item, item, sizeof item);
    fuota_slice_t taken = fuota_slice (bytes,
        fuota_record_encode (Outcome_fields, &outcome, bytes, sizeof bytes));
    assert (!fuota_zmq_host_outcome (core, taken, NOW, &outcome));
    fuota_zmq_cause_t cause;
    if (data [0] & 1) {
        cause = fuota_zmq_host_outcome (core, whole, NOW, &outcome);
        if (!cause)
            s_check_outcome (&outcome);
    }
    else
        cause = fuota_zmq_host_event (core, data [0] & 2 ? &whole : frames,
            data [0] & 2 ? 1 : 2, NOW);
    assert (cause < FUOTA_ZMQ_CAUSES && fuota_zmq_host_words (cause));
    s_drain (core);
    fuota_chirpstack_destroy (&core);
    return 0;
}
