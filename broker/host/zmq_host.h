//  SPDX-License-Identifier: MIT
//
//  zmq_host - what a ZeroMQ back end says, as our values. Pure.
//
//  Its events are ChirpStack's, and so they are read by the core that reads
//  those of MQTT (chirpstack.h). Nothing here trusts a back end: what is not
//  understood is refused as a whole and named by its cause. Frames:
//  docs/wire.md.

#ifndef FUOTA_ZMQ_HOST_H
#define FUOTA_ZMQ_HOST_H

#include "broker/host/chirpstack.h"

#define FUOTA_ZMQ_FRAMES 2  //  Of an event, at most

//  Why a message was dropped.
typedef enum {
    FUOTA_ZMQ_GOOD,
    FUOTA_ZMQ_NO_FRAMES,   //  More or fewer than a message of that door has
    FUOTA_ZMQ_NO_TOPIC,    //  Not of the form of host.chirpstack.event_topic
    FUOTA_ZMQ_NO_EVENT,    //  The body is none of that topic's
    FUOTA_ZMQ_NO_OUTCOME,  //  Not an Outcome, or of a kind that is ours
    FUOTA_ZMQ_CAUSES
} fuota_zmq_cause_t;

//  The cause in words, for logs.
const char *fuota_zmq_host_words (fuota_zmq_cause_t cause);

//  A message of the events' door: a topic and a body, or one Event. Count may
//  be larger than the frames given.
fuota_zmq_cause_t fuota_zmq_host_event (fuota_chirpstack_t *core,
    const fuota_slice_t *frames, size_t count, int64_t now);

//  A message of the downlinks' door. With an item the core will hear what
//  becomes of it. It may hold a root key: wipe it after use.
fuota_zmq_cause_t fuota_zmq_host_outcome (fuota_chirpstack_t *core,
    fuota_slice_t body, int64_t now, fuota_outcome_t *outcome);

#endif
