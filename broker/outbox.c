//  SPDX-License-Identifier: MIT
//
//  Parts: the index (entries, targets); building a downlink; handing over;
//  what the host says; turns.

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include "broker/demand.h"
#include "broker/outbox.h"
#include "fec_worker/kernel/fec.h"
#include "workers/deadline.h"
#include "workers/package/mckey.h"
#include "workers/package/package.h"

#define WINDOW 256      //  Downlinks at the host without a first answer
#define STALL 100       //  Look again when the window was full
#define GRACE 2000      //  For what an earlier life had on its way
#define PATIENCE 30000  //  For that answer, before it is asked for again
#define BACK_OFF 1000   //  After a RETRY, doubled up to
#define BACK_OFF_MAX 60000
#define NONE UINT32_MAX

typedef enum {
    FREE,
    WAITING,  //  For its turn, or for its time
    HANDED,   //  The host has not said anything yet
    TAKEN,    //  UNICAST: in the device's queue at the host
    SETTLED,  //  Its worker was told; the row is still in the table
} s_state_t;

typedef struct {
    uint64_t row;
    uint64_t target;
    int64_t due;  //  HANDED, TAKEN: patience ends
    int64_t created, expires_at;
    uint32_t next;    //  In the target's line, or in the free list
    uint32_t bucket;  //  Next with the same hash of its number
    uint8_t owner, kind, state;
    uint8_t tries;
    bool uncertain;  //  FRAGMENT: may have been taken; read the counter
    bool counting;   //  The counter is being read
    bool perhaps;    //  UNICAST: may be in the device's queue at the host
} s_entry_t;

//  A line of rows for one device or one deployment.
typedef struct {
    uint64_t key;
    uint32_t head, tail;
    uint32_t bucket;
} s_target_t;

typedef struct {
    fuota_outcome_t *list;
    size_t count, room, at;
} s_forward_t;

struct fuota_outbox {
    fuota_db_t *db;
    fuota_parity_t *parity;  //  NULL: none
    fuota_read_t *read;
    int64_t now;
    uint64_t seed;
    uint64_t last [FUOTA_OWNER_CLOCK + 1];  //  Rows seen, by owner
    bool started;  //  Rows found from now on were never handed over
    fuota_outbox_stats_t stats;
    uint32_t in_flight;

    s_entry_t *entries;
    uint32_t entry_count, entry_room, entry_free;
    s_target_t *targets;
    uint32_t target_count, target_room, target_free;
    uint32_t *entry_buckets, *target_buckets;  //  Power of two each
    uint32_t entry_mask, target_mask;

    fuota_deadline_t deadlines;  //  Entries: subject = row, context = index
    s_forward_t forward;
    uint32_t *settled;  //  Entries in that state
    size_t settled_count, settled_room;
    uint64_t bits [FUOTA_FEC_WORDS_MAX];
};

//  ---------------------------------------------------------------------
//  The index

static uint32_t
s_mix (uint64_t value)
{
    value *= 0x9e3779b97f4a7c15u;
    return (uint32_t) (value >> 32);
}

//  Memory for the index is the engine's own: without it rows would be
//  forgotten until a restart, so stop here.
static void *
s_resize (void *memory, size_t count, size_t size)
{
    memory = realloc (memory, count * size);
    assert (memory);
    return memory;
}

static uint32_t *
s_buckets (uint32_t *old, uint32_t room)
{
    free (old);
    uint32_t *buckets = s_resize (NULL, room, sizeof *buckets);
    memset (buckets, 0xff, room * sizeof *buckets);
    return buckets;
}

static void
s_grow_entries (fuota_outbox_t *self)
{
    uint32_t room = self->entry_room ? self->entry_room * 2 : 256;
    self->entries = s_resize (self->entries, room, sizeof *self->entries);
    self->entry_room = room;
    self->entry_buckets = s_buckets (self->entry_buckets, room);
    self->entry_mask = room - 1;
    for (uint32_t i = 0; i < self->entry_count; i++)
        if (self->entries [i].state != FREE) {
            uint32_t at = s_mix (self->entries [i].row) & self->entry_mask;
            self->entries [i].bucket = self->entry_buckets [at];
            self->entry_buckets [at] = i;
        }
}

static void
s_grow_targets (fuota_outbox_t *self)
{
    uint32_t room = self->target_room ? self->target_room * 2 : 256;
    self->targets = s_resize (self->targets, room, sizeof *self->targets);
    self->target_room = room;
    self->target_buckets = s_buckets (self->target_buckets, room);
    self->target_mask = room - 1;
    for (uint32_t i = 0; i < self->target_count; i++)
        if (self->targets [i].head != NONE) {
            uint32_t at = s_mix (self->targets [i].key) & self->target_mask;
            self->targets [i].bucket = self->target_buckets [at];
            self->target_buckets [at] = i;
        }
}

static uint32_t
s_find (const fuota_outbox_t *self, unsigned owner, uint64_t row)
{
    if (!self->entry_room)
        return NONE;
    uint32_t at = self->entry_buckets [s_mix (row) & self->entry_mask];
    while (at != NONE &&
           (self->entries [at].row != row || self->entries [at].owner != owner))
        at = self->entries [at].bucket;
    return at;
}

static uint32_t
s_find_target (const fuota_outbox_t *self, uint64_t key)
{
    if (!self->target_room)
        return NONE;
    uint32_t at = self->target_buckets [s_mix (key) & self->target_mask];
    while (at != NONE && self->targets [at].key != key)
        at = self->targets [at].bucket;
    return at;
}

static uint32_t
s_new_target (fuota_outbox_t *self, uint64_t key)
{
    uint32_t at = self->target_free;
    if (at != NONE)
        self->target_free = self->targets [at].tail;
    else {
        if (self->target_count == self->target_room)
            s_grow_targets (self);
        at = self->target_count++;
    }
    uint32_t bucket = s_mix (key) & self->target_mask;
    self->targets [at] = (s_target_t){ .key = key,
        .head = NONE,
        .tail = NONE,
        .bucket = self->target_buckets [bucket] };
    self->target_buckets [bucket] = at;
    return at;
}

static void
s_free_target (fuota_outbox_t *self, uint32_t at)
{
    uint32_t *link = &self->target_buckets [s_mix (self->targets [at].key) &
                                            self->target_mask];
    while (*link != at)
        link = &self->targets [*link].bucket;
    *link = self->targets [at].bucket;
    self->targets [at].tail = self->target_free;
    self->target_free = at;
}

static void
s_wake_at (fuota_outbox_t *self, uint32_t at, int64_t due)
{
    fuota_deadline_entry_t entry = { .at = due,
        .subject = self->entries [at].row,
        .context = at };
    self->entries [at].due = due;
    int rc = fuota_deadline_put (&self->deadlines, entry);
    assert (rc == 0);
    (void) rc;
}

//  In its target's line. Rows of two owners found at start go by their time:
//  the first may be at the host already, the others are not.
static void
s_line_up (fuota_outbox_t *self, uint32_t at)
{
    s_entry_t *entry = &self->entries [at];
    uint32_t place = s_find_target (self, entry->target);
    if (place == NONE)
        place = s_new_target (self, entry->target);
    s_target_t *target = &self->targets [place];
    uint32_t *link = &target->head;
    if (self->started && *link != NONE)
        link = &self->entries [target->tail].next;
    while (*link != NONE && self->entries [*link].created <= entry->created)
        link = &self->entries [*link].next;
    entry->next = *link;
    *link = at;
    if (entry->next == NONE)
        target->tail = at;
    if (target->head == at)
        s_wake_at (self, at, self->now + (entry->uncertain ? GRACE : 0));
}

//  Where a row waits in line. Calls that transmit nothing have a line each.
static uint64_t
s_target_of (const fuota_row_t *row, unsigned owner, uint64_t number)
{
    if (row->kind == FUOTA_UNICAST)
        return row->dev_eui;
    if (row->kind == FUOTA_KEYS || row->kind == FUOTA_TAGS)
        return number << 2 | owner | 1ull << 63;
    uint64_t key =
        fuota_be (row->deployment, 8) ^ fuota_be (row->deployment + 8, 8);
    return key | 3ull << 62;
}

static void
s_add (fuota_outbox_t *self, unsigned owner, uint64_t number,
    const fuota_row_t *row)
{
    uint32_t at = self->entry_free;
    if (at != NONE)
        self->entry_free = self->entries [at].next;
    else {
        if (self->entry_count == self->entry_room)
            s_grow_entries (self);
        at = self->entry_count++;
    }
    uint32_t bucket = s_mix (number) & self->entry_mask;
    self->entries [at] = (s_entry_t){ .row = number,
        .target = s_target_of (row, owner, number),
        .created = row->created,
        .expires_at = row->expires_at,
        .next = NONE,
        .bucket = self->entry_buckets [bucket],
        .owner = (uint8_t) owner,
        .kind = (uint8_t) row->kind,
        //  Withdrawn in an earlier life: it may be in the device's queue
        .state = row->withdrawn ? TAKEN : WAITING,
        .perhaps = !self->started,
        .uncertain = !self->started && row->kind == FUOTA_FRAGMENT };
    self->entry_buckets [bucket] = at;
    self->stats.rows++;
    self->stats.open++;
    s_line_up (self, at);
}

//  The entry is done with; the next in its line may go.
static void
s_remove (fuota_outbox_t *self, uint32_t at)
{
    s_entry_t *entry = &self->entries [at];
    uint32_t place = s_find_target (self, entry->target);
    s_target_t *target = &self->targets [place];
    uint32_t before = NONE;
    for (uint32_t i = target->head; i != at; i = self->entries [i].next)
        before = i;
    if (before == NONE)
        target->head = entry->next;
    else
        self->entries [before].next = entry->next;
    if (target->tail == at)
        target->tail = before;
    if (target->head == NONE)
        s_free_target (self, place);
    else if (before == NONE)
        s_wake_at (self, target->head, self->now);
    uint32_t *link =
        &self->entry_buckets [s_mix (entry->row) & self->entry_mask];
    while (*link != at)
        link = &self->entries [*link].bucket;
    *link = entry->bucket;
    if (entry->state == HANDED)
        self->in_flight--;
    entry->state = FREE;
    entry->next = self->entry_free;
    self->entry_free = at;
    self->stats.open--;
}

//  ---------------------------------------------------------------------
//  Building a downlink

//  A coded fragment that the pool has made.
static bool
s_shared (fuota_outbox_t *self, const fuota_deployment_t *deployment,
    uint32_t n, uint8_t *data)
{
    if (!self->parity || n <= deployment->nb_frag)
        return false;
    fuota_parity_key_t key = fuota_demand_key (deployment);
    return !fuota_parity_row (self->parity, &key, n - deployment->nb_frag,
        data);
}

//  The data of fragment n, made here if it is not there.
static int
s_fragment_data (fuota_outbox_t *self, const fuota_deployment_t *deployment,
    uint32_t n, uint8_t *data)
{
    fuota_slice_t image;
    if (s_shared (self, deployment, n, data)) {
        self->stats.shared++;
        return 0;
    }
    fuota_key_t key = fuota_key_bytes (deployment->image, 32);
    if (fuota_read_get (self->read, FUOTA_TABLE_BLOB, &key, &image))
        return FUOTA_EFORMAT;
    fuota_fec_block_t block = { image.data, image.size,
        (uint8_t) deployment->frag_size, (uint8_t) deployment->dialect.ts004 };
    fuota_fec_fragment (&block, n, data, self->bits);
    self->stats.computed += n > deployment->nb_frag;
    return 0;
}

static int
s_fragment (fuota_outbox_t *self, const fuota_deployment_t *deployment,
    const fuota_row_t *row, fuota_downlink_t *out)
{
    uint8_t data [255];
    //  The parity of a single fragment is zero: it is sent again instead
    uint32_t n = deployment->nb_frag == 1 ? 1 : row->n;
    int rc = s_fragment_data (self, deployment, n, data);
    if (rc)
        return rc;
    fuota_command_t command = { .id = FUOTA_DATA_FRAGMENT,
        .package = FUOTA_TS004,
        .version = (uint8_t) deployment->dialect.ts004,
        .frag_index = (uint8_t) row->frag_index };
    command.data_fragment.n = (uint16_t) n;
    command.data_fragment.data = fuota_slice (data, deployment->frag_size);
    fuota_writer_t writer =
        fuota_writer (out->data.bytes, sizeof out->data.bytes);
    rc = fuota_package_encode (&command, &writer);
    out->data.size = (pb_size_t) writer.at;
    return rc;
}

static int
s_create (const fuota_deployment_t *deployment, fuota_downlink_t *out)
{
    static const char digits [] = "0123456789abcdef";
    strcpy (out->name, "fuota-");
    for (unsigned i = 0; i < FUOTA_ID_SIZE; i++) {
        out->name [6 + 2 * i] = digits [deployment->id [i] >> 4];
        out->name [7 + 2 * i] = digits [deployment->id [i] & 15];
    }
    memcpy (out->application, deployment->application, sizeof out->application);
    memcpy (out->region, deployment->region, sizeof out->region);
    out->mc_addr = deployment->mc_addr;
    out->group_type = deployment->group_type;
    out->dr = deployment->dr;
    out->frequency = deployment->frequency;
    out->periodicity = deployment->periodicity;
    out->scheduling = deployment->scheduling;
    out->gateways_count = deployment->gateways_count;
    memcpy (out->gateways, deployment->gateways, sizeof out->gateways);
    return fuota_mckey_session (deployment->mc_key, deployment->mc_addr,
        out->mc_app_s_key, out->mc_nwk_s_key);
}

//  A row with what it only names. FUOTA_ENOTFOUND if it is gone, FUOTA_EBUSY
//  if it was withdrawn.
static int
s_build (fuota_outbox_t *self, const s_entry_t *entry, fuota_downlink_t *out)
{
    fuota_row_t row;
    fuota_deployment_t deployment;
    fuota_key_t key =
        fuota_key_outbox ((fuota_owner_t) entry->owner, entry->row);
    *out = (fuota_downlink_t){ .row = entry->row, .owner = entry->owner };
    int rc = fuota_read_record (self->read, FUOTA_TABLE_OUTBOX, &key,
        OutboxRow_fields, &row);
    if (rc)
        return rc;
    if (row.withdrawn)
        return FUOTA_EBUSY;
    out->kind = entry->counting ? FUOTA_COUNTER : row.kind;
    memcpy (out->deployment, row.deployment, FUOTA_ID_SIZE);
    memcpy (out->group, row.group, sizeof out->group);
    out->dev_eui = row.dev_eui;
    out->f_port = row.f_port;
    out->expires_at = row.expires_at;
    out->n = row.n;
    out->f_cnt = row.f_cnt;
    out->data.size = row.data.size;
    memcpy (out->data.bytes, row.data.bytes, row.data.size);
    bool plain = (row.kind == FUOTA_UNICAST && !row.n) ||
                 row.kind == FUOTA_KEYS || row.kind == FUOTA_FLUSH ||
                 row.kind == FUOTA_GROUP_DELETE || entry->counting;
    if (plain)
        return 0;
    key = fuota_key_id (row.deployment);
    if (fuota_read_record (self->read, FUOTA_TABLE_DEPLOYMENT, &key,
            Deployment_fields, &deployment))
        return FUOTA_EFORMAT;  //  The row is there and cannot be carried out
    if (row.kind == FUOTA_GROUP_CREATE)
        rc = s_create (&deployment, out);
    else if (row.kind == FUOTA_TAGS) {
        out->tags_count = deployment.tags_count;
        memcpy (out->tags, deployment.tags, sizeof out->tags);
    }
    else
        rc = s_fragment (self, &deployment, &row, out);
    fuota_mckey_wipe (deployment.mc_key, sizeof deployment.mc_key);
    return rc;
}

//  ---------------------------------------------------------------------
//  Handing over

static void
s_forward (fuota_outbox_t *self, const fuota_outcome_t *outcome)
{
    s_forward_t *forward = &self->forward;
    if (forward->count == forward->room) {
        forward->room = forward->room ? forward->room * 2 : 64;
        forward->list =
            s_resize (forward->list, forward->room, sizeof *forward->list);
    }
    forward->list [forward->count++] = *outcome;
}

//  Its worker was told. The next in its line waits until the row has left the
//  table: so of a line only the first row can ever be at the host, also in the
//  eyes of who finds the table after a crash.
static void
s_settle (fuota_outbox_t *self, uint32_t at)
{
    s_entry_t *entry = &self->entries [at];
    if (entry->kind == FUOTA_KEYS || entry->kind == FUOTA_TAGS) {
        s_remove (self, at);
        return;
    }
    if (entry->state == HANDED)
        self->in_flight--;
    entry->state = SETTLED;
    entry->due = 0;
    if (self->settled_count == self->settled_room) {
        self->settled_room = self->settled_room ? self->settled_room * 2 : 64;
        self->settled =
            s_resize (self->settled, self->settled_room, sizeof *self->settled);
    }
    self->settled [self->settled_count++] = at;
}

static void
s_clear_settled (fuota_outbox_t *self)
{
    size_t kept = 0;
    fuota_slice_t value;
    for (size_t i = 0; i < self->settled_count; i++) {
        s_entry_t *entry = &self->entries [self->settled [i]];
        fuota_key_t key =
            fuota_key_outbox ((fuota_owner_t) entry->owner, entry->row);
        if (fuota_read_get (self->read, FUOTA_TABLE_OUTBOX, &key, &value))
            s_remove (self, self->settled [i]);
        else
            self->settled [kept++] = self->settled [i];
    }
    self->settled_count = kept;
}

//  Tell the owner of a row something the host did not say.
static void
s_say (fuota_outbox_t *self, const s_entry_t *entry, OutcomeKind kind,
    const char *words)
{
    fuota_row_t row;
    fuota_key_t key =
        fuota_key_outbox ((fuota_owner_t) entry->owner, entry->row);
    if (fuota_read_record (self->read, FUOTA_TABLE_OUTBOX, &key,
            OutboxRow_fields, &row))
        return;  //  Gone: nobody waits for it
    fuota_outcome_t outcome = { .kind = kind,
        .row = entry->row,
        .owner = entry->owner,
        .dev_eui = row.dev_eui,
        .f_cnt = row.f_cnt,
        .at = self->now };
    memcpy (outcome.deployment, row.deployment, FUOTA_ID_SIZE);
    snprintf (outcome.words, sizeof outcome.words, "%s", words);
    s_forward (self, &outcome);
}

//  Its time has come. False if nothing is to be handed over for it.
static bool
s_hand (fuota_outbox_t *self, uint32_t at, fuota_downlink_t *out)
{
    s_entry_t *entry = &self->entries [at];
    if (entry->state == TAKEN) {
        if (self->now < entry->expires_at + 2 * PATIENCE) {
            s_wake_at (self, at, entry->expires_at + 2 * PATIENCE);
            return false;
        }
        //  The host never said what became of it; it has expired long since
        s_say (self, entry, FUOTA_EXPIRED, "");
        s_settle (self, at);
        return false;
    }
    bool handed = entry->state == HANDED;
    if (handed) {
        self->in_flight--;
        self->stats.retried++;
        entry->state = WAITING;
        entry->uncertain = entry->kind == FUOTA_FRAGMENT;
        entry->perhaps = true;
    }
    entry->counting = entry->uncertain;
    if (entry->expires_at && self->now >= entry->expires_at &&
        !entry->uncertain) {
        self->stats.expired++;
        s_say (self, entry, entry->perhaps ? FUOTA_EXPIRED : FUOTA_LATE, "");
        s_settle (self, at);
        return false;
    }
    int rc = s_build (self, entry, out);
    if (rc == FUOTA_EBUSY && handed) {
        entry->state = TAKEN;
        s_wake_at (self, at, entry->expires_at + 2 * PATIENCE);
        return false;
    }
    if (rc) {
        if (rc == FUOTA_EBUSY)
            s_say (self, entry, FUOTA_EXPIRED, "");
        else if (rc != FUOTA_ENOTFOUND)
            s_say (self, entry, FUOTA_NEVER, "stored row cannot be read");
        s_settle (self, at);
        return false;
    }
    self->stats.counters_read += entry->counting;
    self->stats.handed++;
    self->in_flight++;
    entry->state = HANDED;
    s_wake_at (self, at, self->now + PATIENCE);
    return true;
}

bool
fuota_outbox_downlink (fuota_outbox_t *self, fuota_downlink_t *downlink)
{
    fuota_deadline_entry_t due;
    while (fuota_deadline_take (&self->deadlines, self->now, &due)) {
        s_entry_t *entry = &self->entries [due.context];
        //  Out of date: it is another entry by now, or has another time
        if (entry->state == FREE || entry->row != due.subject ||
            entry->due != due.at)
            continue;
        if (entry->state == WAITING) {
            uint32_t place = s_find_target (self, entry->target);
            if (self->targets [place].head != due.context)
                continue;  //  Somebody went before it
            if (self->in_flight >= WINDOW) {
                s_wake_at (self, due.context, self->now + STALL);
                continue;
            }
        }
        if (s_hand (self, due.context, downlink))
            return true;
    }
    return false;
}

//  ---------------------------------------------------------------------
//  What the host says

static void
s_back_off (fuota_outbox_t *self, uint32_t at)
{
    s_entry_t *entry = &self->entries [at];
    int64_t wait = BACK_OFF << (entry->tries < 6 ? entry->tries : 6);
    if (wait > BACK_OFF_MAX)
        wait = BACK_OFF_MAX;
    self->seed = self->seed * 6364136223846793005u + 1442695040888963407u;
    wait += (int64_t) ((self->seed >> 33) % (uint64_t) wait) / 2;
    if (entry->state == HANDED)
        self->in_flight--;
    entry->state = WAITING;
    if (entry->tries < UINT8_MAX)
        entry->tries++;
    self->stats.retried++;
    s_wake_at (self, at, self->now + wait);
}

//  The group's counter tells whether the fragment was taken.
static void
s_counted (fuota_outbox_t *self, uint32_t at, const fuota_outcome_t *outcome)
{
    s_entry_t *entry = &self->entries [at];
    fuota_row_t row;
    fuota_key_t key =
        fuota_key_outbox ((fuota_owner_t) entry->owner, entry->row);
    entry->counting = false;
    if (fuota_read_record (self->read, FUOTA_TABLE_OUTBOX, &key,
            OutboxRow_fields, &row))
        s_remove (self, at);
    else if (outcome->f_cnt == row.f_cnt) {
        self->in_flight--;
        entry->state = WAITING;
        entry->uncertain = false;
        s_wake_at (self, at, self->now);
    }
    else {
        bool taken = outcome->f_cnt == row.f_cnt + 1;
        s_say (self, entry, taken ? FUOTA_TAKEN : FUOTA_NEVER,
            taken ? "" : "frame counter of the group was changed by another");
        s_settle (self, at);
    }
}

static bool
s_is_fate (OutcomeKind kind)
{
    return kind == FUOTA_SENT || kind == FUOTA_REFUSED || kind == FUOTA_EXPIRED;
}

//  Does that answer mean anything for this entry? A counter that was asked for
//  twice is answered twice; the second answer would settle what waits again.
static bool
s_fits (const s_entry_t *entry, OutcomeKind kind)
{
    if (kind == FUOTA_RETRY || kind == FUOTA_NEVER)
        return true;
    bool queued = entry->kind == FUOTA_UNICAST || entry->kind == FUOTA_FRAGMENT;
    if (kind == FUOTA_DONE)
        return entry->counting || !queued;
    return queued && (kind == FUOTA_TAKEN || s_is_fate (kind));
}

void
fuota_outbox_outcome (fuota_outbox_t *self, const fuota_outcome_t *outcome)
{
    //  The host may speak of an earlier life before we have looked at it: the
    //  fate of a row that is still in the table says that it was taken
    if (!self->started)
        fuota_outbox_wake (self);
    uint32_t at = s_find (self, outcome->owner, outcome->row);
    if (at == NONE) {
        //  A fragment's fate after it was taken; or of before a restart
        if (s_is_fate (outcome->kind))
            s_forward (self, outcome);
        return;
    }
    s_entry_t *entry = &self->entries [at];
    if (entry->state == SETTLED) {
        //  Its fate, after it was taken
        if (entry->kind == FUOTA_FRAGMENT && s_is_fate (outcome->kind))
            s_forward (self, outcome);
        return;
    }
    if (!s_fits (entry, outcome->kind))
        return;
    if (outcome->kind == FUOTA_RETRY) {
        if (entry->state == HANDED)
            s_back_off (self, at);
    }
    else if (outcome->kind == FUOTA_DONE && entry->counting)
        s_counted (self, at, outcome);
    else if (outcome->kind == FUOTA_TAKEN && entry->kind == FUOTA_UNICAST) {
        if (entry->state == HANDED) {
            self->in_flight--;
            entry->state = TAKEN;
            s_wake_at (self, at, entry->expires_at + 2 * PATIENCE);
        }
    }
    else {
        //  A fragment's fate may overtake the word that it was taken
        if (entry->kind == FUOTA_FRAGMENT && s_is_fate (outcome->kind))
            s_say (self, entry, FUOTA_TAKEN, "");
        s_forward (self, outcome);
        s_settle (self, at);
    }
}

bool
fuota_outbox_forward (fuota_outbox_t *self, fuota_outcome_t *outcome)
{
    s_forward_t *forward = &self->forward;
    if (forward->at == forward->count) {
        forward->at = forward->count = 0;
        return false;
    }
    *outcome = forward->list [forward->at];
    //  It may hold a root key: kept no longer than it must be
    fuota_mckey_wipe (&forward->list [forward->at++], sizeof forward->list [0]);
    return true;
}

//  ---------------------------------------------------------------------
//  Turns

fuota_outbox_t *
fuota_outbox_new (fuota_db_t *db, uint64_t seed)
{
    fuota_outbox_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->db = db;
    self->seed = seed;
    self->entry_free = self->target_free = NONE;
    self->read = fuota_db_read (db);
    if (!self->read) {
        free (self);
        return NULL;
    }
    fuota_read_reset (self->read);
    return self;
}

void
fuota_outbox_share (fuota_outbox_t *self, fuota_parity_t *parity)
{
    self->parity = parity;
}

void
fuota_outbox_destroy (fuota_outbox_t **self_p)
{
    fuota_outbox_t *self = *self_p;
    if (!self)
        return;
    fuota_read_end (&self->read);
    fuota_deadline_release (&self->deadlines);
    free (self->entries);
    free (self->targets);
    free (self->entry_buckets);
    free (self->target_buckets);
    free (self->forward.list);
    free (self->settled);
    free (self);
    *self_p = NULL;
}

int
fuota_outbox_begin (fuota_outbox_t *self, int64_t now)
{
    self->now = now;
    return fuota_read_renew (self->read);
}

void
fuota_outbox_end (fuota_outbox_t *self)
{
    fuota_read_reset (self->read);
}

void
fuota_outbox_wake (fuota_outbox_t *self)
{
    s_clear_settled (self);
    for (unsigned owner = FUOTA_OWNER_DEPLOYMENT; owner <= FUOTA_OWNER_CLOCK;
         owner++) {
        fuota_key_t from =
            fuota_key_outbox ((fuota_owner_t) owner, self->last [owner] + 1);
        fuota_key_t prefix = fuota_key_bytes (from.data, 1);
        fuota_scan_t scan;
        fuota_row_t row;
        if (fuota_scan_open (&scan, self->read, FUOTA_TABLE_OUTBOX, &prefix,
                &from))
            continue;
        while (fuota_scan_next (&scan)) {
            uint64_t number = fuota_be (scan.key.data + 1, 8);
            self->last [owner] = number;
            if (!fuota_record_decode (OutboxRow_fields, &row, scan.value))
                s_add (self, owner, number, &row);
        }
        fuota_scan_close (&scan);
    }
    self->started = true;
}

int64_t
fuota_outbox_due (const fuota_outbox_t *self)
{
    return fuota_deadline_due (&self->deadlines);
}

void
fuota_outbox_stats (const fuota_outbox_t *self, fuota_outbox_stats_t *stats)
{
    *stats = self->stats;
}
