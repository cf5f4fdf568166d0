//  SPDX-License-Identifier: MIT
//
//  stage - what a stage is: record, happening and time in; record and wishes
//  out.
//
//  A stage sends nothing, waits for nothing and calls nobody back. It changes
//  the device and its group in place and writes what it wants in effects; the
//  worker commits all of it or nothing. A device belongs to the stage of its
//  step, a group to the stage of its phase:
//
//      multicast      group setup, session wait, session, ready
//                     preparing, setting up, waiting, finishing
//      clock          resync (and AppTimeReq of every device)
//      fragmentation  frag delete, frag setup, unicast repair, clean up
//                     sending
//      status         report, status, reported
//                     collecting
//
//  Late, repeated and alien happenings change nothing.

#ifndef FUOTA_STAGE_H
#define FUOTA_STAGE_H

#include "schema/key.h"
#include "schema/record.h"
#include "workers/package/package.h"

typedef enum {
    FUOTA_TICK,         //  A deadline, or something around it changed: look
    FUOTA_COMMAND,      //  The device said something
    FUOTA_UPLINK_SEEN,  //  It was on air; all its commands are handled
    FUOTA_OUTCOME,      //  What became of an outbox row
    FUOTA_JOINED,       //  The device has a new session: contexts may be gone
    FUOTA_STARTED,      //  The first look after a start
} fuota_happening_kind_t;

typedef struct {
    fuota_happening_kind_t kind;
    const fuota_command_t *command;  //  COMMAND
    fuota_slice_t raw;               //  COMMAND: the payload it came in
    bool alien;           //  COMMAND: something in raw was not understood
    int64_t received_at;  //  COMMAND, UPLINK_SEEN: at the gateway
    const fuota_outcome_t *outcome;  //  OUTCOME
    int64_t away;  //  STARTED: milliseconds in which nobody listened
} fuota_happening_t;

//  Read-only surroundings of a step.
typedef struct {
    int64_t now;
    int leap_extra;
    bool clock_wrong;  //  Ours has jumped: no session may be decided on it
    const fuota_deployment_t *deployment;
    uint64_t dev_eui;
    uint64_t next_row;     //  Rows of this step are numbered from here
    fuota_slice_t image;   //  Where a MIC may be wanted, else empty
    unsigned used_groups;  //  Mask of the McGroupIDs that other deployments
                           //  have on this device
    uint32_t session_cnt;  //  Next one of this FragIndex
} fuota_env_t;

typedef struct {
    fuota_group_t *group;
    fuota_device_t *device;  //  NULL for the group itself
} fuota_subject_t;

//  Milliseconds for the fate of a fragment that is known to be taken, at least:
//  we may be late ourselves, and it is right behind.
#define FUOTA_STAGE_BEHIND 5000

#define FUOTA_EFFECTS_ROWS 4
#define FUOTA_EFFECTS_LINES 8

//  What a step wants. Bounded: a step that wants more is our own mistake.
typedef struct {
    fuota_row_t rows [FUOTA_EFFECTS_ROWS];  //  To the host
    size_t row_count;
    uint64_t drops [4];  //  Rows no longer wanted
    size_t drop_count;
    struct {
        bool of_device;
        const char *what, *name;
        char words [97];
    } lines [FUOTA_EFFECTS_LINES];  //  For the journal
    size_t line_count;
    bool wake_devices;  //  Step every device of the deployment
    bool wake_group;
    bool session_cnt_used;  //  device->session_cnt was given away
} fuota_effects_t;

typedef struct {
    const char *name;
    void (*device) (fuota_subject_t self, const fuota_happening_t *happening,
        const fuota_env_t *env, fuota_effects_t *out);
    void (*group) (fuota_group_t *group, const fuota_happening_t *happening,
        const fuota_env_t *env, fuota_effects_t *out);
} fuota_stage_t;

extern const fuota_stage_t fuota_stage_clock;
extern const fuota_stage_t fuota_stage_multicast;
extern const fuota_stage_t fuota_stage_fragmentation;
extern const fuota_stage_t fuota_stage_status;

//  What a device says of its block at whatever step, even after it was given
//  up: a later success clears an earlier error.
void fuota_status_hear (fuota_subject_t self,
    const fuota_happening_t *happening, const fuota_env_t *env,
    fuota_effects_t *out);

//  The sender's pen (workers/fragmentation.c), once the engine is back or a
//  pause is over.
void fuota_pen_started (fuota_group_t *group, int64_t now);
void fuota_pen_resumed (fuota_group_t *group, const fuota_env_t *env);

//  The stage that a step, a phase belongs to; NULL at the end.
const fuota_stage_t *fuota_stage_of_step (Step step);
const fuota_stage_t *fuota_stage_of_phase (Phase phase);

//  Let something happen to a device or, if self.device is NULL, to its group.
//  Runs on through as many steps as it opens.
void fuota_stage_step (fuota_subject_t self, const fuota_happening_t *happening,
    const fuota_env_t *env, fuota_effects_t *out);

//  An operator's word. Returns 0, or FUOTA_EBUSY if it has no meaning in this
//  phase; nothing is changed then.
int fuota_stage_pause (fuota_group_t *group, const fuota_env_t *env,
    fuota_effects_t *out);
int fuota_stage_resume (fuota_group_t *group, const fuota_env_t *env,
    fuota_effects_t *out);
int fuota_stage_cancel (fuota_group_t *group, const fuota_env_t *env,
    fuota_effects_t *out);

//  ---------------------------------------------------------------------
//  For the stages: moving on

//  Leave the step for another one; what was asked is settled.
void fuota_stage_enter (fuota_subject_t self, Step step, const fuota_env_t *env,
    fuota_effects_t *out);

//  Leave with a result. Words are for REFUSED, else NULL.
void fuota_stage_end (fuota_subject_t self, End end, const char *words,
    const fuota_env_t *env, fuota_effects_t *out);

void fuota_stage_phase (fuota_group_t *group, Phase phase,
    const fuota_env_t *env, fuota_effects_t *out);

void fuota_effects_line (fuota_effects_t *out, bool of_device, const char *what,
    const char *name, const char *words);

//  A new row, cleared but for its kind and deployment; *id is its number.
fuota_row_t *fuota_effects_row (fuota_effects_t *out, const fuota_env_t *env,
    DownlinkKind kind, uint64_t *id);

//  A row that is no longer wanted, 0 = none: withdrawn unless it is at the
//  host already.
void fuota_effects_drop (fuota_effects_t *out, uint64_t row);

//  ---------------------------------------------------------------------
//  For the stages: asking a device (workers/ask.c)
//
//  One outstanding command per device. It is repeated when the device had
//  its chance: it was on air and an uplink came since without the answer, or
//  it expired in the host's queue; never while it is still queued.

typedef enum {
    FUOTA_ASK_WAIT,     //  Nothing to do
    FUOTA_ASK_BEGIN,    //  Nothing is asked yet: begin
    FUOTA_ASK_KEY,      //  The root key is here, in the outcome
    FUOTA_ASK_GAVE_UP,  //  All attempts are used up
    FUOTA_ASK_NEVER,    //  The host's words say why
} fuota_ask_t;

//  What the happening means for what is asked; repeats by itself. wait is how
//  long an answer may take once the command was on air.
fuota_ask_t fuota_ask_take (fuota_subject_t self,
    const fuota_happening_t *happening, const fuota_env_t *env, int64_t wait,
    fuota_effects_t *out);

//  Send a command to the device on its package's port; first attempt.
void fuota_ask_command (fuota_subject_t self, const fuota_command_t *command,
    const fuota_env_t *env, fuota_effects_t *out);

//  Ask the host for the device's root key first.
void fuota_ask_key (fuota_subject_t self, const fuota_env_t *env,
    fuota_effects_t *out);

//  The answer came, or nothing more is wanted.
void fuota_ask_settle (fuota_device_t *device, fuota_effects_t *out);

//  What is asked was on air, or this is the word that it is.
bool fuota_ask_on_air (const fuota_device_t *device,
    const fuota_happening_t *happening);

//  Nobody listened for so long: time that the device had to answer before is
//  added, what was asked since is not moved.
void fuota_ask_started (fuota_device_t *device, int64_t away, int64_t now);

//  Send a command that is not asked for an answer.
void fuota_ask_tell (const fuota_command_t *command, const fuota_env_t *env,
    fuota_effects_t *out);

//  The usual end of an unanswered question: by FUOTA_ASK_GAVE_UP or _NEVER.
void fuota_ask_failed (fuota_subject_t self, fuota_ask_t ask,
    const fuota_happening_t *happening, const fuota_env_t *env,
    fuota_effects_t *out);

//  A command of this deployment's dialect, cleared but for its head.
fuota_command_t fuota_ask_new (fuota_subject_t self, const fuota_env_t *env,
    fuota_package_t package, fuota_command_id_t id);

#endif
