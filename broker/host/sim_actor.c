//  SPDX-License-Identifier: MIT

#include "broker/clock.h"
#include "broker/host/host_actor.h"
#include "broker/host/sim_actor.h"
#include "workers/package/mckey.h"

#define TURN 256
#define GONE 1000  //  Real milliseconds: nobody takes our answer any more
#define MUTE 50    //  Real milliseconds: is the broker back?

typedef struct {
    fuota_sim_args_t args;
    zsock_t *pipe;
    uint64_t malformed;
    bool mute;  //  Outcomes wait for a broker that is away
    bool terminated;
} self_t;

static void
s_downlink (self_t *self)
{
    fuota_downlink_t downlink;
    if (fuota_host_actor_downlink (self->args.inbox, &downlink,
            &self->malformed))
        fuota_sim_take (self->args.sim, &downlink, fuota_clock_now ());
    fuota_mckey_wipe (&downlink, sizeof downlink);
}

//  The world goes on without a broker; what there is to say to it waits.
static bool
s_outcome (self_t *self, fuota_outcome_t *outcome)
{
    self->mute = !self->args.outcomes &&
                 !(zsock_events (self->args.inbox) & ZMQ_POLLOUT);
    return !self->mute && fuota_sim_outcome (self->args.sim, outcome);
}

//  Events wait when the engine is busy: pressure reaches the network here.
static void
s_speak (self_t *self)
{
    fuota_event_t event;
    fuota_outcome_t outcome;
    uint8_t bytes [FUOTA_RECORD_MAX];
    while (s_outcome (self, &outcome)) {
        size_t size =
            fuota_record_encode (Outcome_fields, &outcome, bytes, sizeof bytes);
        if (self->args.outcomes)
            zsock_send (self->args.outcomes, "sb", "O", bytes, size);
        else
            zsock_send (self->args.inbox, "b", bytes, size);
    }
    fuota_mckey_wipe (&outcome, sizeof outcome);
    fuota_mckey_wipe (bytes, sizeof bytes);
    while (fuota_sim_event (self->args.sim, &event)) {
        size_t size =
            fuota_record_encode (Event_fields, &event, bytes, sizeof bytes);
        zsock_send (self->args.events, "b", bytes, size);
    }
}

//  All parts at once: they are made of what is in memory. Who asked may be gone,
//  and then nobody waits for the rest.
static void
s_question (self_t *self)
{
    fuota_question_t question;
    fuota_answer_t answer = { .last = false };
    uint8_t bytes [Answer_size];
    uint32_t at = 0;
    zframe_t *body = zframe_recv (self->args.questions);
    if (!body)
        return;
    if (fuota_record_decode (Question_fields, &question,
            fuota_slice (zframe_data (body), zframe_size (body)))) {
        self->malformed++;
        answer.last = true;
    }
    zframe_destroy (&body);
    while (!answer.last) {
        fuota_sim_answer (self->args.sim, &question, &at, &answer);
        size_t size =
            fuota_record_encode (Answer_fields, &answer, bytes, sizeof bytes);
        if (zsock_send (self->args.questions, "b", bytes, size))
            return;
    }
}

static void
s_handle_pipe (self_t *self)
{
    char command [FUOTA_HOST_COMMAND];
    uint64_t number;
    if (!fuota_host_actor_asked (self->pipe, command, &number,
            &self->terminated))
        return;
    if (streq (command, "VIEW")) {
        fuota_sim_view_t view;
        bool there = number < fuota_sim_count (self->args.sim);
        if (there)
            fuota_sim_view (self->args.sim, (uint32_t) number, &view);
        fuota_host_actor_answer (self->pipe, &view, there ? sizeof view : 0);
    }
    else {
        fuota_sim_stats_t stats;
        fuota_sim_stats (self->args.sim, &stats);
        fuota_host_actor_answer (self->pipe, &stats, sizeof stats);
    }
}

void
fuota_sim_actor (zsock_t *pipe, void *args)
{
    self_t self = { .args = *(fuota_sim_args_t *) args, .pipe = pipe };
    zpoller_t *poller =
        zpoller_new (pipe, self.args.inbox, self.args.questions, NULL);
    assert (poller);
    if (self.args.questions)
        zsock_set_sndtimeo (self.args.questions, GONE);
    zsock_signal (pipe, 0);
    while (!self.terminated) {
        void *which = zpoller_wait (poller,
            fuota_clock_wait (fuota_sim_due (self.args.sim),
                self.mute ? MUTE : 60000));
        if (which == pipe)
            s_handle_pipe (&self);
        else if (!which && zpoller_terminated (poller))
            break;
        for (unsigned n = 0;
             n < TURN && zsock_events (self.args.inbox) & ZMQ_POLLIN; n++)
            s_downlink (&self);
        if (which && which == self.args.questions)
            s_question (&self);
        fuota_sim_tick (self.args.sim, fuota_clock_now ());
        s_speak (&self);
    }
    zpoller_destroy (&poller);
    zsock_destroy (&self.args.inbox);
    zsock_destroy (&self.args.events);
    zsock_destroy (&self.args.outcomes);
    zsock_destroy (&self.args.questions);
    fuota_sim_destroy (&self.args.sim);
    fuota_mckey_thread_end ();
}

bool
fuota_sim_actor_view (zactor_t *actor, uint32_t i, fuota_sim_view_t *view)
{
    return fuota_host_actor_ask (actor, "VIEW", i, view, sizeof *view);
}

bool
fuota_sim_actor_stats (zactor_t *actor, fuota_sim_stats_t *stats)
{
    return fuota_host_actor_ask (actor, "STATS", 0, stats, sizeof *stats);
}
