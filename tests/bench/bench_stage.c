//  SPDX-License-Identifier: MIT
//
//  bench_stage - how fast the stages step, without database or messages.
//
//  One device is walked through its set-up again and again: asked, on air,
//  answered. The other number is of an uplink that concerns nobody.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "workers/stage.h"

static double s_budget = 1.0;  //  Seconds for each measurement, about

typedef struct {
    fuota_deployment_t deployment;
    fuota_group_t group;
    fuota_device_t device;
    fuota_env_t env;
    unsigned long steps;
} walk_t;

static double
s_now (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec * 1e-9;
}

static void
s_step (walk_t *walk, const fuota_happening_t *happening)
{
    fuota_effects_t out = { .row_count = 0 };
    fuota_subject_t subject = { &walk->group, &walk->device };
    fuota_stage_step (subject, happening, &walk->env, &out);
    walk->env.next_row += out.row_count;
    walk->steps++;
}

static void
s_outcome (walk_t *walk, OutcomeKind kind)
{
    fuota_outcome_t outcome = { .kind = kind,
        .row = walk->device.row,
        .root_key = { 16, { 1 } } };
    fuota_happening_t happening = { .kind = FUOTA_OUTCOME,
        .outcome = &outcome };
    s_step (walk, &happening);
}

static void
s_answer (walk_t *walk, fuota_package_t package, fuota_command_id_t id)
{
    fuota_command_t command = { .id = id, .package = package, .version = 1 };
    fuota_happening_t happening = { .kind = FUOTA_COMMAND,
        .command = &command,
        .received_at = walk->env.now };
    s_step (walk, &happening);
}

//  Group, index, fragmentation session: asked, sent, answered.
static void
s_walk (walk_t *walk)
{
    static const fuota_happening_t look = { .kind = FUOTA_TICK };
    walk->device = (fuota_device_t){ .step = FUOTA_STEP_GROUP };
    s_step (walk, &look);
    s_outcome (walk, FUOTA_DONE);
    s_outcome (walk, FUOTA_SENT);
    s_answer (walk, FUOTA_TS005, FUOTA_MC_GROUP_SETUP_ANS);
    s_outcome (walk, FUOTA_SENT);
    s_answer (walk, FUOTA_TS004, FUOTA_FRAG_DELETE_ANS);
    s_outcome (walk, FUOTA_SENT);
    s_answer (walk, FUOTA_TS004, FUOTA_FRAG_SETUP_ANS);
    if (walk->device.step != FUOTA_STEP_SESSION_WAIT)
        abort ();
}

static void
s_idle (walk_t *walk)
{
    s_answer (walk, FUOTA_TS004, FUOTA_FRAG_DELETE_ANS);
}

static void
s_measure (walk_t *walk, const char *name, void (*work) (walk_t *))
{
    double begin = s_now (), took;
    walk->steps = 0;
    do
        for (unsigned i = 0; i < 100; i++)
            work (walk);
    while ((took = s_now () - begin) < s_budget);
    printf ("%s %.0f ns\n", name, took / (double) walk->steps * 1e9);
    printf ("%s_rate %.2f M/s\n", name, (double) walk->steps / took * 1e-6);
}

int
main (int argc, char **argv)
{
    static walk_t walk;
    if (argc > 1 && !strcmp (argv [1], "--smoke"))
        s_budget = 0.01;
    walk.deployment = (fuota_deployment_t){ .nb_frag = 100,
        .frag_size = 48,
        .retries = 3,
        .uplink_interval = 60,
        .has_dialect = true,
        .dialect = { 1, 1, 1, 202, 201, 200, 0, 0, false, false } };
    walk.group = (fuota_group_t){ .phase = FUOTA_SETTING_UP, .total = 1 };
    walk.env = (fuota_env_t){ .now = 1767225600000,
        .deployment = &walk.deployment,
        .dev_eui = 1,
        .next_row = 1 };
    s_measure (&walk, "stage_step", s_walk);
    s_measure (&walk, "stage_step_alien", s_idle);
    return 0;
}
