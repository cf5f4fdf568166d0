//  SPDX-License-Identifier: MIT

#include "broker/clock.h"
#include "broker/host/chirpstack_actor.h"
#include "broker/host/host_actor.h"
#include "workers/package/mckey.h"

#define TURN 256
#define DEADLINE 10000  //  Of a call, real milliseconds
#define WARN 60000      //  Between two lines about one cause
#define WARN_LATE 1000  //  The same, about answers

typedef struct {
    fuota_chirpstack_args_t args;
    zsock_t *pipe;
    int api_fd, mqtt_fd;
    uint64_t malformed;
    uint64_t told_token, told_malformed;  //  Of the core's counts
    uint64_t told_late;
    int64_t warn_at, late_at;
    bool terminated;
} self_t;

static void
s_speak (self_t *self)
{
    fuota_zmq_link_speak (self->args.core, self->args.events,
        self->args.outcomes);
}

void
fuota_chirpstack_actor_heard (void *arg, const char *topic, fuota_slice_t body)
{
    self_t *self = arg;
    fuota_chirpstack_heard (self->args.core, topic, body, fuota_clock_now ());
    s_speak (self);
}

void
fuota_chirpstack_actor_published (void *arg, uint64_t tag)
{
    self_t *self = arg;
    fuota_chirpstack_published (self->args.core, tag, true, fuota_clock_now ());
}

static void
s_downlink (self_t *self)
{
    fuota_downlink_t downlink;
    if (fuota_host_actor_downlink (self->args.inbox, &downlink,
            &self->malformed))
        fuota_chirpstack_take (self->args.core, &downlink, fuota_clock_now ());
    fuota_mckey_wipe (&downlink, sizeof downlink);
}

static void
s_question (self_t *self)
{
    fuota_question_t question;
    fuota_mqtt_link_stats_t mqtt = { .ready = false };
    fuota_grpc_link_stats_t api;
    zframe_t *body = zframe_recv (self->args.questions);
    if (!body)
        return;
    if (self->args.mqtt)
        fuota_mqtt_link_stats (self->args.mqtt, &mqtt);
    fuota_grpc_link_stats (self->args.api, &api);
    fuota_chirpstack_links_t links = { .mqtt_unused = !self->args.mqtt,
        .mqtt_ready = mqtt.ready,
        .filters = mqtt.filters,
        .granted = mqtt.granted,
        .refused = mqtt.refused,
        .mqtt_fault = mqtt.fault,
        .api_ready = api.ready,
        .api_fault = api.fault };
    if (fuota_record_decode (Question_fields, &question,
            fuota_slice (zframe_data (body), zframe_size (body))))
        self->malformed++;
    else
        fuota_chirpstack_ask_host (self->args.core, &question, &links,
            fuota_clock_now ());
    zframe_destroy (&body);
}

//  Who asked may not wait any more: its answers are dropped then.
static void
s_tell (self_t *self)
{
    fuota_answer_t answer;
    uint8_t bytes [Answer_size];
    while (fuota_chirpstack_told (self->args.core, &answer)) {
        size_t size =
            fuota_record_encode (Answer_fields, &answer, bytes, sizeof bytes);
        zmq_send (zsock_resolve (self->args.questions), bytes, size,
            ZMQ_DONTWAIT);
    }
}

static void
s_publish (self_t *self)
{
    fuota_chirpstack_publication_t publication;
    while (self->args.mqtt && fuota_chirpstack_publish (self->args.core,
                                  fuota_clock_now (), &publication))
        if (fuota_mqtt_link_publish (self->args.mqtt, publication.tag,
                publication.topic, publication.body))
            fuota_chirpstack_published (self->args.core, publication.tag, false,
                fuota_clock_now ());
}

static void
s_call (self_t *self)
{
    static const char full [] = "too many calls";
    fuota_chirpstack_call_t call;
    while (fuota_chirpstack_call (self->args.core, fuota_clock_now (), &call))
        if (fuota_grpc_link_call (self->args.api, call.tag, call.path,
                call.message,
                zclock_mono () + fuota_clock_wait (call.until, DEADLINE)))
            fuota_chirpstack_answer (self->args.core, call.tag,
                FUOTA_GRPC_UNAVAILABLE, true, full, fuota_slice (NULL, 0),
                fuota_clock_now ());
}

//  Calls out, answers in, until there is nothing more of either.
static void
s_api (self_t *self)
{
    fuota_grpc_answer_t answer;
    bool some = true;
    while (some) {
        s_tell (self);
        s_call (self);
        fuota_grpc_link_tick (self->args.api, zclock_mono ());
        some = false;
        while (fuota_grpc_link_answer (self->args.api, &answer)) {
            fuota_chirpstack_answer (self->args.core, answer.tag,
                (int) answer.status, answer.unprocessed, answer.text,
                answer.message, fuota_clock_now ());
            some = true;
        }
        s_speak (self);
        s_tell (self);
    }
}

static void
s_warn (self_t *self)
{
    fuota_chirpstack_stats_t stats;
    char words [160];
    while (fuota_chirpstack_words (self->args.core, words))
        zsys_warning ("chirpstack: %s", words);
    fuota_chirpstack_stats (self->args.core, &stats);
    if (zclock_mono () < self->warn_at)
        return;
    if (stats.refused_token > self->told_token)
        zsys_error ("chirpstack: the API gives no access: token revoked, or "
                    "of another tenant, or read-only? calls=%llu",
            (unsigned long long) (stats.refused_token - self->told_token));
    if (stats.malformed > self->told_malformed)
        zsys_warning ("chirpstack: not understood, dropped: messages=%llu",
            (unsigned long long) (stats.malformed - self->told_malformed));
    if (stats.refused_token + stats.malformed >
        self->told_token + self->told_malformed)
        self->warn_at = zclock_mono () + WARN;
    self->told_token = stats.refused_token;
    self->told_malformed = stats.malformed;
}

//  ChirpStack looks for an answer once, some 100 ms after the event.
static void
s_warn_late (self_t *self)
{
    fuota_chirpstack_stats_t stats;
    fuota_chirpstack_stats (self->args.core, &stats);
    if (stats.late == self->told_late || zclock_mono () < self->late_at)
        return;
    zsys_warning ("chirpstack: answers to AppTimeReq too late for the same "
                  "window: late=%llu of=%llu slowest_ms=%llu",
        (unsigned long long) stats.late, (unsigned long long) stats.answers,
        (unsigned long long) stats.slowest);
    self->told_late = stats.late;
    self->late_at = zclock_mono () + WARN_LATE;
}

static void
s_mqtt (self_t *self)
{
    fuota_mqtt_link_stats_t stats;
    if (!self->args.mqtt)
        return;
    fuota_mqtt_link_tick (self->args.mqtt, zclock_mono ());
    fuota_mqtt_link_stats (self->args.mqtt, &stats);
    fuota_chirpstack_hears (self->args.core,
        stats.ready && stats.granted == stats.filters);
}

static void
s_turn (self_t *self)
{
    for (unsigned n = 0;
         n < TURN && zsock_events (self->args.inbox) & ZMQ_POLLIN; n++)
        s_downlink (self);
    if (zsock_events (self->args.questions) & ZMQ_POLLIN) {
        s_question (self);
        s_tell (self);
    }
    s_mqtt (self);
    fuota_zmq_link_take (&self->args.link, self->args.core, self->args.events,
        self->args.outcomes);
    fuota_chirpstack_tick (self->args.core, fuota_clock_now ());
    s_api (self);
    s_publish (self);
    s_mqtt (self);
    s_speak (self);
    s_warn (self);
    s_warn_late (self);
}

static int
s_wait (const self_t *self)
{
    int64_t now = zclock_mono ();
    int64_t due = fuota_grpc_link_due (self->args.api);
    int64_t mqtt =
        self->args.mqtt ? fuota_mqtt_link_due (self->args.mqtt) : INT64_MAX;
    if (mqtt < due)
        due = mqtt;
    int limit = due <= now ? 0 : due - now < 60000 ? (int) (due - now) : 60000;
    return fuota_clock_wait (fuota_chirpstack_due (self->args.core), limit);
}

static void
s_handle_pipe (self_t *self)
{
    char command [FUOTA_HOST_COMMAND];
    uint64_t number;
    if (!fuota_host_actor_asked (self->pipe, command, &number,
            &self->terminated))
        return;
    assert (streq (command, "STATS"));
    fuota_chirpstack_stats_t stats;
    fuota_chirpstack_stats (self->args.core, &stats);
    fuota_host_actor_answer (self->pipe, &stats, sizeof stats);
}

void
fuota_chirpstack_args_release (fuota_chirpstack_args_t *args)
{
    fuota_mqtt_link_destroy (&args->mqtt);
    fuota_zmq_link_close (&args->link);
    fuota_grpc_link_destroy (&args->api);
    zsock_destroy (&args->inbox);
    zsock_destroy (&args->events);
    zsock_destroy (&args->outcomes);
    zsock_destroy (&args->questions);
    fuota_chirpstack_destroy (&args->core);
}

static void
s_listen (self_t *self, zpoller_t *poller)
{
    char filter [256];
    self->mqtt_fd = fuota_mqtt_link_fd (self->args.mqtt);
    fuota_mqtt_link_bind (self->args.mqtt, self);
    for (unsigned i = 0; fuota_chirpstack_subscription (self->args.core, i,
             filter, sizeof filter);
         i++)
        fuota_mqtt_link_subscribe (self->args.mqtt, filter);
    zpoller_add (poller, &self->mqtt_fd);
}

void
fuota_chirpstack_actor (zsock_t *pipe, void *args)
{
    self_t self = { .args = *(fuota_chirpstack_args_t *) args, .pipe = pipe };
    self.api_fd = fuota_grpc_link_fd (self.args.api);
    zpoller_t *poller = zpoller_new (pipe, self.args.inbox, self.args.questions,
        &self.api_fd, NULL);
    assert (poller);
    fuota_zmq_link_watch (&self.args.link, poller);
    if (self.args.mqtt)
        s_listen (&self, poller);
    zsock_signal (pipe, 0);
    while (!self.terminated) {
        void *which = zpoller_wait (poller, s_wait (&self));
        if (which == pipe)
            s_handle_pipe (&self);
        else if (!which && zpoller_terminated (poller))
            break;
        s_turn (&self);
    }
    zpoller_destroy (&poller);
    fuota_chirpstack_args_release (&self.args);
    fuota_mckey_thread_end ();
}

bool
fuota_chirpstack_actor_stats (zactor_t *actor, fuota_chirpstack_stats_t *stats)
{
    return fuota_host_actor_ask (actor, "STATS", 0, stats, sizeof *stats);
}
