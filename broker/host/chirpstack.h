//  SPDX-License-Identifier: MIT
//
//  chirpstack - ChirpStack v4 as a host, without its connections.
//
//  A core like the simulator's: downlinks, publications, answers of calls and
//  time in; events, outcomes, calls and publications out. It has no socket,
//  clock or log. One thread at a time; it owns all its memory.
//
//  Each Downlink is a job of one call or of several, one at a time; many jobs
//  at once. A call is repeated only where that is harmless. Where it is not
//  (a fragment's Enqueue, which the host numbers by itself) and the answer is
//  lost, the host is asked what became of it before anything is said:
//
//      FRAGMENT      Enqueue; lost: Get, and its counter tells
//      UNICAST       command/down with a UUID made of owner and row, so a
//                    repeat is refused while the first waits; or Enqueue;
//                    lost: GetQueue, and the payload tells
//      GROUP_CREATE  List by name; not there: Create; then AddGateway for
//                    each; repeated from the start
//
//  Events and command/down come by MQTT, calls go by gRPC. What becomes of a
//  fragment is known only if gateway topics can be read; else SENT comes when
//  its group's queue is empty (ListQueue): what is put behind another waits
//  for the host's margin, and expires.

#ifndef FUOTA_CHIRPSTACK_H
#define FUOTA_CHIRPSTACK_H

#include <stdbool.h>
#include "schema/record.h"

typedef struct fuota_chirpstack fuota_chirpstack_t;

typedef enum {
    FUOTA_CHIRPSTACK_AUTO,  //  As the last event was
    FUOTA_CHIRPSTACK_JSON,
    FUOTA_CHIRPSTACK_PROTOBUF
} fuota_chirpstack_encoding_t;

//  Texts are copied.
typedef struct {
    char event_topic [160];    //  application/{{application_id}}/device/...
    char command_topic [160];  //  ... /command/{{command}}
    char share [64];           //  "$share/SHARE/" before it; "" for none
    char gateway_prefix [64];  //  Before /gateway/ID/...; "" for not readable
    bool unicast_mqtt;         //  Else by Enqueue
    fuota_chirpstack_encoding_t encoding;
    uint32_t instance;  //  In our UUIDs, so that two engines do not mix up
    int leap_extra;     //  Leap seconds beyond those we know
    int answer_limit;   //  Milliseconds from an uplink to its answer
} fuota_chirpstack_config_t;

//  A call to make. Its bytes last until the next time; they may be keys.
typedef struct {
    uint64_t tag;  //  Comes back with the answer
    const char *path;
    fuota_slice_t message;
    int64_t until;  //  No use after that; INT64_MAX if there is no such time
} fuota_chirpstack_call_t;

//  A message to publish. Lasts until the next time.
typedef struct {
    uint64_t tag;
    const char *topic;
    fuota_slice_t body;
} fuota_chirpstack_publication_t;

typedef struct {
    uint64_t events, malformed, repeated;  //  Publications of the host
    uint64_t calls, failed, lost;          //  Lost: may have been carried out
    uint64_t refused_token;                //  The API does not know our token
    uint64_t jobs, waiting;                //  Now: open, queued at the host
    uint64_t frames, acks;                 //  Of ours, on gateway topics
    uint64_t answers, late, slowest;  //  To AppTimeReq; later than the limit;
                                      //  milliseconds
} fuota_chirpstack_stats_t;

//  How the connections are, for a check. Texts are borrowed.
typedef struct {
    bool mqtt_unused;  //  Events come another way
    bool mqtt_ready, api_ready;
    unsigned filters, granted, refused;  //  Subscriptions
    const char *mqtt_fault, *api_fault;  //  "" while ready, or not known
} fuota_chirpstack_links_t;

void fuota_chirpstack_defaults (fuota_chirpstack_config_t *config);

//  Caller owns it. NULL if there is no memory.
fuota_chirpstack_t *fuota_chirpstack_new (
    const fuota_chirpstack_config_t *config);
void fuota_chirpstack_destroy (fuota_chirpstack_t **self_p);

//  The i-th filter to subscribe to. False past the last.
bool fuota_chirpstack_subscription (const fuota_chirpstack_t *self, unsigned i,
    char *filter, size_t size);

//  The engine wants something. A row that is at work already is not begun
//  again; if something else is wanted of it now (COUNTER), that is answered.
void fuota_chirpstack_take (fuota_chirpstack_t *self,
    const fuota_downlink_t *downlink, int64_t now);

//  Somebody wants to know something. The answer comes in parts, each to be
//  taken before the next call is made. Of many questions at once some get
//  "busy".
void fuota_chirpstack_ask_host (fuota_chirpstack_t *self,
    const fuota_question_t *question, const fuota_chirpstack_links_t *links,
    int64_t now);
bool fuota_chirpstack_told (fuota_chirpstack_t *self, fuota_answer_t *answer);

//  A message of a topic we subscribed to. Whatever it is: counted, used or
//  dropped. Returns 0, FUOTA_ENOTFOUND for a topic that is none of the host's,
//  or FUOTA_EFORMAT.
int fuota_chirpstack_heard (fuota_chirpstack_t *self, const char *topic,
    fuota_slice_t body, int64_t now);

//  An event in our own words.
void fuota_chirpstack_tell (fuota_chirpstack_t *self,
    const fuota_event_t *event);

//  A command is in the device's queue under that UUID, or will be: the fate of
//  the item, when it is heard, is that of the row. Forgotten some time after
//  it has expired. True if its fate was heard before, and is told now.
bool fuota_chirpstack_queued (fuota_chirpstack_t *self,
    const fuota_downlink_t *want, const char *item, int64_t now);

//  Whether the topics are heard from now on; what is said meanwhile is lost.
//  They are at first.
void fuota_chirpstack_hears (fuota_chirpstack_t *self, bool hears);

//  A call is answered: gRPC status, text and message; unprocessed if the host
//  cannot have acted on it. Strange tags are ignored.
void fuota_chirpstack_answer (fuota_chirpstack_t *self, uint64_t tag,
    int status, bool unprocessed, const char *text, fuota_slice_t message,
    int64_t now);

//  A publication was acknowledged by the broker, or could not be made.
void fuota_chirpstack_published (fuota_chirpstack_t *self, uint64_t tag,
    bool done, int64_t now);

//  Time has come. And when: INT64_MAX if nothing waits.
void fuota_chirpstack_tick (fuota_chirpstack_t *self, int64_t now);
int64_t fuota_chirpstack_due (const fuota_chirpstack_t *self);

//  Take the next thing out. False if there is none.
bool fuota_chirpstack_event_out (fuota_chirpstack_t *self,
    fuota_event_t *event);
bool fuota_chirpstack_outcome (fuota_chirpstack_t *self,
    fuota_outcome_t *outcome);
bool fuota_chirpstack_call (fuota_chirpstack_t *self, int64_t now,
    fuota_chirpstack_call_t *call);
bool fuota_chirpstack_publish (fuota_chirpstack_t *self, int64_t now,
    fuota_chirpstack_publication_t *publication);

//  Something an operator should be told, once. False if there is nothing.
bool fuota_chirpstack_words (fuota_chirpstack_t *self, char text [160]);

void fuota_chirpstack_stats (const fuota_chirpstack_t *self,
    fuota_chirpstack_stats_t *stats);

#endif
