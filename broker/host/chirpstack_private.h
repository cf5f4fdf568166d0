//  SPDX-License-Identifier: MIT
//
//  chirpstack_private - a job and its steps, for chirpstack.c (jobs, doors),
//  chirpstack_step.c (any step), chirpstack_group.c and chirpstack_device.c
//  (what each call asks and what its answer means).

#ifndef FUOTA_CHIRPSTACK_PRIVATE_H
#define FUOTA_CHIRPSTACK_PRIVATE_H

#include "broker/host/chirpstack.h"
#include "broker/host/chirpstack_air.h"
#include "broker/host/chirpstack_book.h"
#include "broker/host/chirpstack_call.h"
#include "broker/host/chirpstack_inquiry.h"
#include "broker/host/chirpstack_watch.h"

#define FUOTA_CHIRPSTACK_JOBS 512  //  More than the outbox hands over
#define FUOTA_CHIRPSTACK_OUTCOMES 2048
#define FUOTA_CHIRPSTACK_EVENTS 256
#define FUOTA_CHIRPSTACK_PROFILES 32
#define FUOTA_CHIRPSTACK_TENANTS 8
#define FUOTA_CHIRPSTACK_ARRIVALS 1024
#define FUOTA_CHIRPSTACK_REQUEST 1024  //  Largest but that of TAGS

//  Milliseconds: for a call whose answer is lost; until it is asked again what
//  became of it.
#define FUOTA_CHIRPSTACK_GRACE 1000
#define FUOTA_CHIRPSTACK_AGAIN 2000

typedef enum {
    FUOTA_CALL_FIND,  //  GROUP_CREATE: a group of that name?
    FUOTA_CALL_CREATE,
    FUOTA_CALL_GATEWAY,  //  Each of them
    FUOTA_CALL_DELETE,
    FUOTA_CALL_FLUSH,
    FUOTA_CALL_COUNTER,
    FUOTA_CALL_GROUP,  //  FRAGMENT: its address, to know its frames
    FUOTA_CALL_SIZE,   //  How many gateways it has
    FUOTA_CALL_ENQUEUE,
    FUOTA_CALL_CHECK,    //  Was it taken?
    FUOTA_CALL_QUEUE,    //  Is it still in the queue?
    FUOTA_CALL_STATES,   //  Of our own accord: how the gateways are
    FUOTA_CALL_DEVICE,   //  Application and profile of a device
    FUOTA_CALL_PROFILE,  //  KEYS: which LoRaWAN
    FUOTA_CALL_KEYS,
    FUOTA_CALL_PUT,     //  UNICAST by Enqueue
    FUOTA_CALL_LOOK,    //  Was it put there, or is it there of before?
    FUOTA_CALL_TAGS,    //  Read them
    FUOTA_CALL_UPDATE,  //  and write them
    FUOTA_CALL_PROBE,   //  Is it the token, or is there no such thing?
    FUOTA_CALLS,
    FUOTA_PUBLISH  //  UNICAST by command/down: no call
} fuota_chirpstack_step_t;

typedef struct {
    bool used;
    bool own;      //  Nobody waits for its outcome
    bool flying;   //  Asked, and not answered yet
    bool changed;  //  Something else is wanted once it is answered
    bool probed;   //  The token is good: asked once more after PROBE
    uint32_t serial;
    fuota_chirpstack_step_t step, before;  //  Before: PROBE
    int64_t wake_at;                       //  Not flying: ask then
    int64_t give_up;                       //  LOOK, QUEUE
    fuota_downlink_t want;
    char id [41];  //  Of the group created; of STATES the tenant
    char profile [41];
    char item [37];
    bool lorawan_1_1;
    uint32_t gateway;  //  The next; of STATES, too
    uint8_t *update;   //  UPDATE: its message
    size_t update_size;
} fuota_chirpstack_job_t;

typedef struct {
    char id [41];
    bool lorawan_1_1;
    int64_t until;
} fuota_chirpstack_profile_t;

//  The last uplink of a device.
typedef struct {
    uint64_t dev_eui;
    int64_t at;
} fuota_chirpstack_arrival_t;

struct fuota_chirpstack {
    fuota_chirpstack_config_t config;
    fuota_chirpstack_stats_t stats;
    fuota_chirpstack_book_t book;
    fuota_chirpstack_air_t air;
    fuota_chirpstack_job_t jobs [FUOTA_CHIRPSTACK_JOBS];
    unsigned job_at;
    uint32_t serial;
    fuota_chirpstack_watch_t watch;
    fuota_chirpstack_inquiry_t *inquiries [FUOTA_INQUIRIES];  //  NULL: free
    bool busy;  //  A question more than there is room for
    fuota_answer_t refusal;
    int64_t event_at, event_time;  //  Last event: by our clock, by the host's
    bool json;                     //  The last event was
    int64_t sweep_at;
    fuota_chirpstack_profile_t profiles [FUOTA_CHIRPSTACK_PROFILES];
    unsigned profile_at;
    char tenants [FUOTA_CHIRPSTACK_TENANTS][41];  //  Of the events
    unsigned tenant_count, tenant_at;
    fuota_chirpstack_arrival_t arrivals [FUOTA_CHIRPSTACK_ARRIVALS];
    int64_t states_at;  //  Ask again how their gateways are
    fuota_outcome_t outcomes [FUOTA_CHIRPSTACK_OUTCOMES];
    unsigned outcome_first, outcome_count;
    fuota_event_t events [FUOTA_CHIRPSTACK_EVENTS];
    unsigned event_first, event_count;
    uint8_t request [FUOTA_CHIRPSTACK_REQUEST];
    char topic [256];
};

//  What is particular to a call.
typedef struct {
    const char *path;
    size_t (*ask) (fuota_chirpstack_t *self, fuota_chirpstack_job_t *job);
    void (*got) (fuota_chirpstack_t *self, fuota_chirpstack_job_t *job,
        fuota_slice_t message, int64_t now);
    const char *gone;  //  Said if there is no such thing; NULL: as if done
} fuota_chirpstack_row_t;

//  The row of a call about a group, or about a device. NULL if it is none.
const fuota_chirpstack_row_t *fuota_chirpstack_group_row (
    fuota_chirpstack_step_t step);
const fuota_chirpstack_row_t *fuota_chirpstack_device_row (
    fuota_chirpstack_step_t step);

//  FRAGMENT: what must be known to see its frames; then the fragment.
void fuota_chirpstack_fragment (fuota_chirpstack_t *self,
    fuota_chirpstack_job_t *job);

//  Any good answer is the last; or no answer could be made sense of.
void fuota_chirpstack_done (fuota_chirpstack_t *self,
    fuota_chirpstack_job_t *job, fuota_slice_t message, int64_t now);
void fuota_chirpstack_nonsense (fuota_chirpstack_t *self,
    fuota_chirpstack_job_t *job, int64_t now);

//  UNICAST by Enqueue: look for it in the device's queue, or put it there.
void fuota_chirpstack_look (fuota_chirpstack_job_t *job, int64_t now);
void fuota_chirpstack_put (fuota_chirpstack_job_t *job, int64_t now);

//  Ask for the queue again, if it is time yet; else the fragment is said to be
//  on air.
void fuota_chirpstack_queue_again (fuota_chirpstack_t *self,
    fuota_chirpstack_job_t *job, int64_t now);

//  An answer is lost: what became of the call is asked where that matters.
void fuota_chirpstack_lost (fuota_chirpstack_t *self,
    fuota_chirpstack_job_t *job, const char *text, int64_t now);

//  A job's first step, by what is wanted.
void fuota_chirpstack_begin (fuota_chirpstack_t *self,
    fuota_chirpstack_job_t *job, int64_t now);

//  The request of a job's step: its path and its message.
void fuota_chirpstack_request (fuota_chirpstack_t *self,
    fuota_chirpstack_job_t *job, fuota_chirpstack_call_t *call);

//  Its answer.
void fuota_chirpstack_step (fuota_chirpstack_t *self,
    fuota_chirpstack_job_t *job, fuota_chirpstack_answer_t answer,
    const char *text, fuota_slice_t message, int64_t now);

//  How the gateways are (chirpstack_states.c): a tenant was named by an event;
//  begin to ask if it is time; the row of that call.
void fuota_chirpstack_states_tenant (fuota_chirpstack_t *self,
    const char *tenant);
void fuota_chirpstack_states_begin (fuota_chirpstack_t *self, int64_t now);
extern const fuota_chirpstack_row_t fuota_chirpstack_states_row;

//  A job that is free: used now. NULL if there is none.
fuota_chirpstack_job_t *fuota_chirpstack_job (fuota_chirpstack_t *self);

//  A place for an outcome.
fuota_outcome_t *fuota_chirpstack_add (fuota_chirpstack_t *self);

//  Tell what is known by now of fragments, and of frames.
void fuota_chirpstack_air (fuota_chirpstack_t *self, int64_t now);

//  A command leaves: if it answers AppTimeReq, how long did that take?
void fuota_chirpstack_answered (fuota_chirpstack_t *self,
    const fuota_downlink_t *want, int64_t now);

//  An outcome of a downlink, to be completed by the caller.
fuota_outcome_t *fuota_chirpstack_say (fuota_chirpstack_t *self,
    const fuota_downlink_t *want, OutcomeKind kind, int64_t now);

//  A job is over: what it knew is wiped.
void fuota_chirpstack_free (fuota_chirpstack_t *self,
    fuota_chirpstack_job_t *job);

//  The last word on a job, which is free then.
void fuota_chirpstack_finish (fuota_chirpstack_t *self,
    fuota_chirpstack_job_t *job, OutcomeKind kind, const char *words,
    int64_t now);

//  Calls for profiles that are watched (chirpstack_watch.c), by their tags.
#define FUOTA_CHIRPSTACK_WATCHED (FUOTA_CHIRPSTACK_JOBS + FUOTA_INQUIRIES)
bool fuota_chirpstack_watched_call (fuota_chirpstack_t *self, int64_t now,
    fuota_chirpstack_call_t *call);
void fuota_chirpstack_watched_answer (fuota_chirpstack_t *self, uint64_t tag,
    fuota_chirpstack_answer_t answer, fuota_slice_t message, int64_t now);

#endif
