//  SPDX-License-Identifier: MIT
//
//  Parts: handing over; what the host says; turns.

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include "broker/outbox_private.h"
#include "workers/package/mckey.h"

#define WINDOW 256      //  Downlinks at the host without a first answer
#define STALL 100       //  Look again when the window was full
#define PATIENCE 30000  //  For that answer, before it is asked for again
#define BACK_OFF 1000   //  After a RETRY, doubled up to
#define BACK_OFF_MAX 60000

//  ---------------------------------------------------------------------
//  Handing over

static void
s_forward (fuota_outbox_t *self, const fuota_outcome_t *outcome)
{
    fuota_outbox_forward_t *forward = &self->forward;
    if (forward->count == forward->room) {
        forward->room = forward->room ? forward->room * 2 : 64;
        forward->list = fuota_outbox_resize (forward->list, forward->room,
            sizeof *forward->list);
    }
    forward->list [forward->count++] = *outcome;
}

//  Its worker was told. The next in its line waits until the row has left the
//  table: so of a line only the first row can ever be at the host, also in the
//  eyes of who finds the table after a crash.
static void
s_settle (fuota_outbox_t *self, uint32_t at)
{
    fuota_outbox_entry_t *entry = &self->entries [at];
    if (entry->kind == FUOTA_KEYS || entry->kind == FUOTA_TAGS) {
        fuota_outbox_remove (self, at);
        return;
    }
    if (entry->state == FUOTA_OUTBOX_HANDED)
        self->in_flight--;
    entry->state = FUOTA_OUTBOX_SETTLED;
    entry->due = 0;
    if (self->settled_count == self->settled_room) {
        self->settled_room = self->settled_room ? self->settled_room * 2 : 64;
        self->settled = fuota_outbox_resize (self->settled, self->settled_room,
            sizeof *self->settled);
    }
    self->settled [self->settled_count++] = at;
}

static void
s_clear_settled (fuota_outbox_t *self)
{
    size_t kept = 0;
    fuota_slice_t value;
    for (size_t i = 0; i < self->settled_count; i++) {
        fuota_outbox_entry_t *entry = &self->entries [self->settled [i]];
        fuota_key_t key =
            fuota_key_outbox ((fuota_owner_t) entry->owner, entry->row);
        if (fuota_read_get (self->read, FUOTA_TABLE_OUTBOX, &key, &value))
            fuota_outbox_remove (self, self->settled [i]);
        else
            self->settled [kept++] = self->settled [i];
    }
    self->settled_count = kept;
}

//  Tell the owner of a row something the host did not say.
static void
s_say (fuota_outbox_t *self, const fuota_outbox_entry_t *entry,
    OutcomeKind kind, const char *words)
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
    fuota_outbox_entry_t *entry = &self->entries [at];
    if (entry->state == FUOTA_OUTBOX_TAKEN) {
        if (self->now < entry->expires_at + 2 * PATIENCE) {
            fuota_outbox_wake_at (self, at, entry->expires_at + 2 * PATIENCE);
            return false;
        }
        //  The host never said what became of it; it has expired long since
        s_say (self, entry, FUOTA_EXPIRED, "");
        s_settle (self, at);
        return false;
    }
    bool handed = entry->state == FUOTA_OUTBOX_HANDED;
    if (handed) {
        self->in_flight--;
        self->stats.retried++;
        entry->state = FUOTA_OUTBOX_WAITING;
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
    int rc = fuota_outbox_build (self, entry, out);
    if (rc == FUOTA_EBUSY && handed) {
        entry->state = FUOTA_OUTBOX_TAKEN;
        fuota_outbox_wake_at (self, at, entry->expires_at + 2 * PATIENCE);
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
    entry->state = FUOTA_OUTBOX_HANDED;
    fuota_outbox_wake_at (self, at, self->now + PATIENCE);
    return true;
}

bool
fuota_outbox_downlink (fuota_outbox_t *self, fuota_downlink_t *downlink)
{
    fuota_deadline_entry_t due;
    while (fuota_deadline_take (&self->deadlines, self->now, &due)) {
        fuota_outbox_entry_t *entry = &self->entries [due.context];
        //  Out of date: it is another entry by now, or has another time. Or it
        //  was settled before it came to the head of its line
        if (entry->state == FUOTA_OUTBOX_FREE ||
            entry->state == FUOTA_OUTBOX_SETTLED || entry->row != due.subject ||
            entry->due != due.at)
            continue;
        if (entry->state == FUOTA_OUTBOX_WAITING) {
            uint32_t place = fuota_outbox_target (self, entry->target);
            if (self->targets [place].head != due.context)
                continue;  //  Somebody went before it
            if (self->in_flight >= WINDOW) {
                fuota_outbox_wake_at (self, due.context, self->now + STALL);
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
    fuota_outbox_entry_t *entry = &self->entries [at];
    int64_t wait = BACK_OFF << (entry->tries < 6 ? entry->tries : 6);
    if (wait > BACK_OFF_MAX)
        wait = BACK_OFF_MAX;
    self->seed = self->seed * 6364136223846793005u + 1442695040888963407u;
    wait += (int64_t) ((self->seed >> 33) % (uint64_t) wait) / 2;
    if (entry->state == FUOTA_OUTBOX_HANDED)
        self->in_flight--;
    entry->state = FUOTA_OUTBOX_WAITING;
    if (entry->tries < UINT8_MAX)
        entry->tries++;
    self->stats.retried++;
    fuota_outbox_wake_at (self, at, self->now + wait);
}

//  The group's counter tells whether the fragment was taken.
static void
s_counted (fuota_outbox_t *self, uint32_t at, const fuota_outcome_t *outcome)
{
    fuota_outbox_entry_t *entry = &self->entries [at];
    fuota_row_t row;
    fuota_key_t key =
        fuota_key_outbox ((fuota_owner_t) entry->owner, entry->row);
    entry->counting = false;
    if (fuota_read_record (self->read, FUOTA_TABLE_OUTBOX, &key,
            OutboxRow_fields, &row))
        fuota_outbox_remove (self, at);
    else if (outcome->f_cnt == row.f_cnt) {
        self->in_flight--;
        entry->state = FUOTA_OUTBOX_WAITING;
        entry->uncertain = false;
        fuota_outbox_wake_at (self, at, self->now);
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
s_fits (const fuota_outbox_entry_t *entry, OutcomeKind kind)
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
    uint32_t at = fuota_outbox_find (self, outcome->owner, outcome->row);
    if (at == FUOTA_OUTBOX_NONE) {
        //  A fragment's fate after it was taken; or of before a restart
        if (s_is_fate (outcome->kind))
            s_forward (self, outcome);
        return;
    }
    fuota_outbox_entry_t *entry = &self->entries [at];
    if (entry->state == FUOTA_OUTBOX_SETTLED) {
        //  Its fate, after it was taken
        if (entry->kind == FUOTA_FRAGMENT && s_is_fate (outcome->kind))
            s_forward (self, outcome);
        return;
    }
    if (!s_fits (entry, outcome->kind))
        return;
    if (outcome->kind == FUOTA_RETRY) {
        if (entry->state == FUOTA_OUTBOX_HANDED)
            s_back_off (self, at);
    }
    else if (outcome->kind == FUOTA_DONE && entry->counting)
        s_counted (self, at, outcome);
    else if (outcome->kind == FUOTA_TAKEN && entry->kind == FUOTA_UNICAST) {
        if (entry->state == FUOTA_OUTBOX_HANDED) {
            self->in_flight--;
            entry->state = FUOTA_OUTBOX_TAKEN;
            fuota_outbox_wake_at (self, at, entry->expires_at + 2 * PATIENCE);
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

void
fuota_outbox_renew (fuota_outbox_t *self)
{
    for (uint32_t at = 0; at < self->entry_count; at++) {
        fuota_outbox_entry_t *entry = &self->entries [at];
        bool late = entry->state == FUOTA_OUTBOX_WAITING && entry->tries;
        if (late)
            entry->tries = 0;
        if (late || entry->state == FUOTA_OUTBOX_HANDED)
            fuota_outbox_wake_at (self, at, self->now);
    }
}

bool
fuota_outbox_forward (fuota_outbox_t *self, fuota_outcome_t *outcome)
{
    fuota_outbox_forward_t *forward = &self->forward;
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
    self->entry_free = self->target_free = FUOTA_OUTBOX_NONE;
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
                fuota_outbox_add (self, owner, number, &row);
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
