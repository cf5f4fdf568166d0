//  SPDX-License-Identifier: MIT
//
//  The back end of example_back_end.py in C, with libzmq and nanopb:
//      nanopb_generator -I schema -D . event.proto     (in schema/)
//      cc example_back_end.c event.pb.c -lzmq -lprotobuf-nanopb
//  then: example_back_end EVENTS DOWNLINKS DEVEUI

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>
#include <pb_decode.h>
#include <pb_encode.h>
#include "event.pb.h"

#define GROUPS 16

//  Yours: what it takes must survive a restart of this program. This one
//  forgets, and its devices' queues are always sent at once.
static struct {
    char name [65];
    uint32_t counter;
    bool there;
} s_groups [GROUPS];

static void *s_door;

static void
s_say (const Downlink *want, Outcome outcome)
{
    uint8_t bytes [Outcome_size];
    pb_ostream_t stream = pb_ostream_from_buffer (bytes, sizeof bytes);
    outcome.row = want->row;
    outcome.owner = want->owner;
    outcome.dev_eui = want->dev_eui;
    memcpy (outcome.deployment, want->deployment, sizeof outcome.deployment);
    if (pb_encode (&stream, Outcome_fields, &outcome))
        zmq_send (s_door, bytes, stream.bytes_written, 0);
}

static void
s_never (const Downlink *want, const char *words)
{
    Outcome outcome = { .kind = FUOTA_NEVER };
    snprintf (outcome.words, sizeof outcome.words, "%s", words);
    s_say (want, outcome);
}

static void
s_sent (const Downlink *want)
{
    s_say (want, (Outcome){ .kind = FUOTA_TAKEN, .f_cnt = want->f_cnt });
    //  When it is on air; also FUOTA_REFUSED, FUOTA_EXPIRED
    s_say (want, (Outcome){ .kind = FUOTA_SENT, .f_cnt = want->f_cnt });
}

//  A second one of that name finds the first.
static void
s_create (const Downlink *want)
{
    Outcome outcome = { .kind = FUOTA_DONE };
    for (unsigned i = 0; i < GROUPS; i++) {
        if (s_groups [i].there && strcmp (s_groups [i].name, want->name))
            continue;
        if (!s_groups [i].there)
            s_groups [i].counter = 0;
        s_groups [i].there = true;
        strcpy (s_groups [i].name, want->name);
        snprintf (outcome.group, sizeof outcome.group, "%u", i);
        s_say (want, outcome);
        return;
    }
    s_say (want, (Outcome){ .kind = FUOTA_RETRY });
}

//  Taken, or not, by its number.
static void
s_fragment (const Downlink *want, uint32_t *counter)
{
    if (*counter == want->f_cnt)
        (*counter)++;
    if (*counter == want->f_cnt + 1)
        s_sent (want);
    else
        s_never (want, "frame counter of the group was changed");
}

static void
s_serve (const Downlink *want)
{
    unsigned long group = strtoul (want->group, NULL, 10);
    bool there = *want->group && group < GROUPS && s_groups [group].there;
    switch (want->kind) {
        case FUOTA_UNICAST:
            s_sent (want);
            break;
        case FUOTA_GROUP_CREATE:
            s_create (want);
            break;
        case FUOTA_FRAGMENT:
            if (there)
                s_fragment (want, &s_groups [group].counter);
            else
                s_never (want, "no such group");
            break;
        case FUOTA_COUNTER:
            if (there)
                s_say (want, (Outcome){ .kind = FUOTA_DONE,
                                 .f_cnt = s_groups [group].counter });
            else
                s_never (want, "no such group");
            break;
        case FUOTA_GROUP_DELETE:
            if (there)
                s_groups [group].there = false;
            s_say (want, (Outcome){ .kind = FUOTA_DONE });
            break;
        case FUOTA_FLUSH:
        case FUOTA_TAGS:
            s_say (want, (Outcome){ .kind = FUOTA_DONE });
            break;
        case FUOTA_KEYS:
            s_never (want, "device has no root key");
            break;
        default:
            s_say (want, (Outcome){ .kind = FUOTA_RETRY });
    }
}

//  A device asks what time it is (AppTimeReq, TS003), as ChirpStack would say
//  it: 100 s behind.
static void
s_feed (void *context, const char *endpoint, const char *eui)
{
    static const char application [] = "00000000-0000-4000-8000-000000000001";
    static const char digits [] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t gps = (uint32_t) (time (NULL) - 315964800 + 18 - 100);
    uint8_t data [6] = { 1, (uint8_t) gps, (uint8_t) (gps >> 8),
        (uint8_t) (gps >> 16), (uint8_t) (gps >> 24), 0x10 };
    char base64 [9] = "", topic [128], body [512];
    for (unsigned i = 0; i < 2; i++) {
        uint32_t word = (uint32_t) data [3 * i] << 16 |
                        (uint32_t) data [3 * i + 1] << 8 | data [3 * i + 2];
        for (unsigned k = 0; k < 4; k++)
            base64 [4 * i + k] = digits [word >> (18 - 6 * k) & 63];
    }
    snprintf (topic, sizeof topic, "application/%s/device/%s/event/up",
        application, eui);
    snprintf (body, sizeof body,
        "{\"deviceInfo\":{\"applicationId\":\"%s\",\"devEui\":\"%s\"},"
        "\"fCnt\":1,\"fPort\":202,\"data\":\"%s\"}",
        application, eui, base64);
    void *feed = zmq_socket (context, ZMQ_PUSH);
    zmq_connect (feed, endpoint);
    zmq_send (feed, topic, strlen (topic), ZMQ_SNDMORE);
    zmq_send (feed, body, strlen (body), 0);
    zmq_close (feed);
}

int
main (int argc, char **argv)
{
    if (argc != 4)
        return 1;
    int on = 1;
    void *context = zmq_ctx_new ();
    s_door = zmq_socket (context, ZMQ_DEALER);
    //  Nothing waits for a fuotad that is away; "I am here" at each connection
    zmq_setsockopt (s_door, ZMQ_IMMEDIATE, &on, sizeof on);
    zmq_setsockopt (s_door, ZMQ_PROBE_ROUTER, &on, sizeof on);
    if (zmq_connect (s_door, argv [2]))
        return 1;
    s_feed (context, argv [1], argv [3]);
    for (;;) {
        uint8_t bytes [Downlink_size];
        Downlink want = Downlink_init_zero;
        int size = zmq_recv (s_door, bytes, sizeof bytes, 0);
        if (size < 0)
            break;
        pb_istream_t stream = pb_istream_from_buffer (bytes, (size_t) size);
        if ((size_t) size > sizeof bytes ||
            !pb_decode (&stream, Downlink_fields, &want))
            continue;
        printf ("kind %d row %" PRIu64 " %016" PRIx64 " port %u",
            (int) want.kind, want.row, want.dev_eui, (unsigned) want.f_port);
        for (unsigned i = 0; i < want.data.size; i++)
            printf ("%s%02x", i ? "" : " ", want.data.bytes [i]);
        printf ("\n");
        fflush (stdout);
        s_serve (&want);
    }
    zmq_close (s_door);
    zmq_ctx_term (context);
    return 0;
}
