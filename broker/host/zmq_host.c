//  SPDX-License-Identifier: MIT

#include <string.h>
#include "broker/host/zmq_host.h"

#define TOPIC 256       //  Longest, with its end
#define DAY 86400000ll  //  Longer an item's fate is not waited for

const char *
fuota_zmq_host_words (fuota_zmq_cause_t cause)
{
    static const char *const words [FUOTA_ZMQ_CAUSES] = { "",
        "not [topic][body] or [Event], or not one frame",
        "topic is not as host.chirpstack.event_topic says", "body is no event",
        "not an Outcome of a host" };
    return words [cause];
}

static fuota_zmq_cause_t
s_event (fuota_chirpstack_t *core, fuota_slice_t body, int64_t now)
{
    fuota_event_t event;
    if (!body.size || fuota_record_decode (Event_fields, &event, body) ||
        event.kind > FUOTA_EVENT_GATEWAY || event.f_port > 255)
        return FUOTA_ZMQ_NO_EVENT;
    if (event.received_at <= 0)
        event.received_at = now;
    fuota_chirpstack_tell (core, &event);
    return FUOTA_ZMQ_GOOD;
}

fuota_zmq_cause_t
fuota_zmq_host_event (fuota_chirpstack_t *core, const fuota_slice_t *frames,
    size_t count, int64_t now)
{
    char topic [TOPIC];
    if (count == 1)
        return s_event (core, frames [0], now);
    if (count != 2)
        return FUOTA_ZMQ_NO_FRAMES;
    size_t size = frames [0].size;
    if (size >= sizeof topic || memchr (frames [0].data, 0, size))
        return FUOTA_ZMQ_NO_TOPIC;
    memcpy (topic, frames [0].data, size);
    topic [size] = 0;
    int rc = fuota_chirpstack_heard (core, topic, frames [1], now);
    return !rc                     ? FUOTA_ZMQ_GOOD
           : rc == FUOTA_ENOTFOUND ? FUOTA_ZMQ_NO_TOPIC
                                   : FUOTA_ZMQ_NO_EVENT;
}

fuota_zmq_cause_t
fuota_zmq_host_outcome (fuota_chirpstack_t *core, fuota_slice_t body,
    int64_t now, fuota_outcome_t *outcome)
{
    if (fuota_record_decode (Outcome_fields, outcome, body) || !outcome->row ||
        outcome->kind > FUOTA_NEVER)
        return FUOTA_ZMQ_NO_OUTCOME;
    if (!outcome->at)
        outcome->at = now;
    if (outcome->kind != FUOTA_TAKEN || !outcome->item [0])
        return FUOTA_ZMQ_GOOD;
    fuota_downlink_t want = { .row = outcome->row,
        .dev_eui = outcome->dev_eui,
        .owner = outcome->owner,
        .expires_at = now + DAY };
    memcpy (want.deployment, outcome->deployment, sizeof want.deployment);
    fuota_chirpstack_queued (core, &want, outcome->item, now);
    return FUOTA_ZMQ_GOOD;
}
