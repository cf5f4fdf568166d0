//  SPDX-License-Identifier: MIT
//
//  world - the whole engine in one thread and in virtual time.
//
//  Worker, clock worker, outbox and router run on a database of their own
//  against the simulated network, without actors and without a clock: time
//  jumps to whatever is due next, so a day lasts a moment and every run can
//  be repeated. The engine can be thrown away at any commit and is rebuilt
//  from the database, as after kill -9; the network goes on meanwhile.

#ifndef FUOTA_WORLD_H
#define FUOTA_WORLD_H

#include "broker/host/sim.h"
#include "broker/outbox.h"
#include "schema/db.h"
#include "workers/worker.h"

//  What stands between the outbox and the simulated devices. Begin: the engine
//  is there, with nothing of an earlier life; leave: it is not there any more.
typedef struct {
    void *(*new) (const void *config, fuota_sim_t *sim, int64_t now);
    void (*destroy) (void *host);
    void (*begin) (void *host, int64_t now);
    void (*leave) (void *host);
    void (*take) (void *host, const fuota_downlink_t *downlink, int64_t now);
    void (*tick) (void *host, int64_t now);
    int64_t (*due) (const void *host);
    bool (*event) (void *host, fuota_event_t *event);
    bool (*outcome) (void *host, fuota_outcome_t *outcome);
} world_host_t;

typedef struct {
    const world_host_t *host;  //  NULL: the simulated network itself
    const void *host_config;   //  For its new
    fuota_sim_config_t sim;
    //  Of every deployment
    uint32_t deployments;  //  Default 1
    uint32_t each;         //  Devices of each, not shared; 0 = all have all
    bool mixed;            //  With sim.mixed 500: deployment 0 has those of
                           //  version 1, the other those of version 2
    uint32_t image_size, frag_size;
    uint32_t group_type, periodicity;
    uint32_t redundancy;  //  Coded fragments of the first round
    uint32_t repair_rounds;
    uint32_t retries;
    uint32_t quorum;
    uint32_t period;    //  Milliseconds; 0 = as the plan has it, with
    uint32_t gateways;  //  so many of the network's named
    uint32_t margin;    //  and that of the host
    uint32_t time_out;  //  16 = auto
    bool clean_up;
    bool tags;              //  Devices are marked once they are complete
    uint32_t setup_window;  //  Seconds, 0 = auto
    //  Faults
    uint32_t lag;       //  Milliseconds that a worker or the outbox may be late
    uint64_t crash_at;  //  Commit after which the engine is thrown away
    uint64_t crash_every;  //  Again after about as many more
    bool rough;            //  More than what is promised: see world_check
    bool crash_before;     //  The commit itself is lost too
} world_plan_t;

enum { WORLD_WORKER, WORLD_CLOCK, WORLD_OUTBOX, WORLD_PARTS };

typedef struct {
    world_plan_t plan;
    char folder [64];
    fuota_db_t *db;
    fuota_worker_t *worker, *clock;
    fuota_outbox_t *outbox;
    fuota_sim_t *sim;
    const world_host_t *host;
    void *at_host;
    fuota_read_t *read;
    int64_t now, start;
    uint64_t commits, crashes, turns;
    //  By part: not before that time. The outbox has something to look at.
    int64_t late [WORLD_PARTS];
    bool stirred;
    uint64_t chance;
    uint8_t *image;
    uint8_t sha256 [32];
    //  In flight between the parts: lost in a crash
    fuota_outcome_t *to_worker, *to_clock;
    size_t worker_count, worker_room, clock_count, clock_room;
    fuota_event_t *events, *clock_events;
    size_t event_count, event_room, clock_event_count, clock_event_room;
    uint32_t over;  //  Deployments that are over
} world_t;

//  Sensible values: ten devices, 5 kB, class C.
world_plan_t world_plan (void);

//  Build a world and create its deployments.
void world_init (world_t *self, const world_plan_t *plan);
void world_release (world_t *self);

//  Run until all deployments are over, at most so many virtual days. Returns
//  0, or -1 if they are not.
int world_run (world_t *self, unsigned days);

//  Run for so long.
void world_run_for (world_t *self, int64_t milliseconds);

//  The engine is not there for so long, and the network goes on. What it says
//  meanwhile waits, or is lost too if nobody keeps it.
void world_away (world_t *self, int64_t milliseconds, bool kept);

//  Operate on deployment i.
void world_operate (world_t *self, uint32_t i, fuota_operate_t operate);

void world_id (uint32_t i, uint8_t *id);
void world_group (world_t *self, uint32_t i, fuota_group_t *group);
void world_device (world_t *self, uint32_t i, uint64_t dev_eui,
    fuota_device_t *device);

//  What has to hold after any run; fails the test that calls it. In a rough
//  world a fragment may be left to the parity whose fate came too late or was
//  lost in a crash, for it counts as sent; and of a device's commands that two
//  workers wrote in one moment the second may overtake the first in a crash.
void world_check (world_t *self);

//  Rows left in the outbox.
size_t world_rows (world_t *self);

#endif
