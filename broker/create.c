//  SPDX-License-Identifier: MIT
//
//  Parts: what the check must know of the world; tokens; the rows of a new
//  deployment, all in one batch.

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include "broker/control_private.h"
#include "broker/summary.h"
#include "workers/package/mckey.h"

#define HASH 32
#define SPARE (1u << 20)  //  Bytes of the map a commit may need besides

//  ---------------------------------------------------------------------
//  Facts

static bool
s_same_dialect (const fuota_dialect_t *a, const fuota_dialect_t *b)
{
    return a->ts003 == b->ts003 && a->ts004 == b->ts004 &&
           a->ts005 == b->ts005 && a->port003 == b->port003 &&
           a->port004 == b->port004 && a->port005 == b->port005;
}

static bool
s_unfinished (fuota_control_t *self, const uint8_t *id)
{
    fuota_group_t group;
    fuota_key_t key = fuota_key_id (id);
    return !fuota_read_record (self->read, FUOTA_TABLE_GROUP, &key,
               Group_fields, &group) &&
           group.phase != FUOTA_OVER;
}

//  A device's routes name the deployments it is in.
static void
s_device (void *arg, uint64_t dev_eui, const fuota_dialect_t *dialect,
    fuota_wish_device_t *out)
{
    fuota_control_t *self = arg;
    fuota_key_t prefix = fuota_key_eui (dev_eui);
    fuota_scan_t scan;
    if (fuota_scan_open (&scan, self->read, FUOTA_TABLE_ROUTE, &prefix, NULL))
        return;
    while (fuota_scan_next (&scan)) {
        fuota_route_t route;
        if (scan.key.size != 8 + FUOTA_ID_SIZE ||
            !s_unfinished (self, scan.key.data + 8) ||
            fuota_record_decode (Route_fields, &route, scan.value))
            continue;
        out->count++;
        out->indexes |= 1u << (route.frag_index & 3);
        if (!s_same_dialect (&route.dialect, dialect))
            out->conflicting = true;
    }
    fuota_scan_close (&scan);
}

static bool
s_hash (const void *data, size_t size, uint8_t out [HASH])
{
    return EVP_Digest (size ? data : "", size, out, NULL, EVP_sha256 (),
               NULL) == 1;
}

static bool
s_facts (fuota_control_t *self, fuota_wish_facts_t *facts)
{
    const fuota_wish_t *wish = &self->request.wish;
    *facts = (fuota_wish_facts_t){ .now = self->now,
        .random = self->random,
        .devices = self->devices,
        .device_count = self->device_count,
        .has_image = self->has_image,
        .image_size = self->image.size,
        .profiles = self->table->profiles,
        .profile_count = self->table->profile_count,
        .defaults = self->table->defaults,
        .device = s_device,
        .arg = self };
    const uint8_t *name = wish->image_sha256.bytes;
    if (self->has_image) {
        if (!s_hash (self->image.data, self->image.size, facts->sha256))
            return false;
        name = facts->sha256;
    }
    else if (wish->image_sha256.size != HASH)
        return true;
    fuota_image_t image;
    fuota_key_t key = fuota_key_bytes (name, HASH);
    facts->image_known = !fuota_read_record (self->read, FUOTA_TABLE_IMAGE,
        &key, Image_fields, &image);
    if (facts->image_known && !self->has_image)
        facts->image_size = image.size;
    return true;
}

//  By whom the devices are heard, once it is known who they are.
static void
s_choose (fuota_control_t *self, fuota_wish_facts_t *facts)
{
    const fuota_wish_t *wish = &self->request.wish;
    if (!self->table->chooses)
        return;
    fuota_choice_make (self->read, self->devices, self->device_count,
        wish->gateways, wish->gateways_count, &self->choice);
    facts->choice = &self->choice;
}

//  ---------------------------------------------------------------------
//  Tokens

//  What makes two wishes the same: every field, the image by its hash and
//  the devices in order, however the request spelt them.
static bool
s_wish_hash (fuota_control_t *self, const fuota_wish_facts_t *facts,
    uint8_t out [HASH])
{
    uint8_t bytes [2048], hashes [2 * HASH];
    fuota_wish_t wish = self->request.wish;
    wish.devices.funcs.encode = NULL;
    wish.image.funcs.encode = NULL;
    if (facts->has_image) {
        memcpy (wish.image_sha256.bytes, facts->sha256, HASH);
        wish.image_sha256.size = HASH;
    }
    size_t size = fuota_record_encode (Wish_fields, &wish, bytes, sizeof bytes);
    return s_hash (bytes, size, hashes) &&
           s_hash (self->devices, self->device_count * sizeof *self->devices,
               hashes + HASH) &&
           s_hash (hashes, sizeof hashes, out);
}

static fuota_key_t
s_token_key (const fuota_wish_t *wish)
{
    return fuota_key_bytes (wish->token, strlen (wish->token));
}

//  Was this token used before? Then the turn is answered: with what it made,
//  or with a fault if the wish is another.
static bool
s_known_token (fuota_control_t *self, const uint8_t hash [HASH],
    fuota_turn_t *turn)
{
    const fuota_wish_t *wish = &self->request.wish;
    fuota_slice_t value;
    fuota_key_t key = s_token_key (wish);
    if (!*wish->token ||
        fuota_read_get (self->read, FUOTA_TABLE_TOKEN, &key, &value) ||
        value.size != FUOTA_ID_SIZE + HASH)
        return false;
    if (memcmp (value.data + FUOTA_ID_SIZE, hash, HASH)) {
        fuota_faults_t faults = { .count = 0 };
        fuota_faults_add (&faults, "token", wish->token,
            "a new token: this one made another deployment");
        fuota_control_say (turn, FUOTA_FAULTS, "the wish was refused");
        turn->reply.faults [turn->reply.faults_count++] = faults.list [0];
        return true;
    }
    int rc =
        fuota_control_summary (self, value.data, &turn->reply.summaries [0]);
    if (rc)
        fuota_control_say (turn, FUOTA_FAILED, "record: %s",
            fuota_error_name (rc));
    else
        turn->reply.summaries_count = 1;
    turn->reply.existed = true;
    return true;
}

//  ---------------------------------------------------------------------
//  Rows

static void
s_put_image (fuota_control_t *self, const fuota_deployment_t *deployment)
{
    fuota_image_t image = { .size = deployment->image_size,
        .created = self->now };
    snprintf (image.label, sizeof image.label, "%s", deployment->name);
    fuota_key_t key = fuota_key_bytes (deployment->image, HASH);
    fuota_batch_record (&self->batch, FUOTA_TABLE_IMAGE, &key, Image_fields,
        &image);
    fuota_batch_put (&self->batch, FUOTA_TABLE_BLOB, &key, self->image);
}

//  Device and route rows are all alike: encoded once, put many times.
static void
s_put_devices (fuota_control_t *self, const fuota_deployment_t *deployment)
{
    uint8_t one [64], two [64];
    fuota_device_t device = { .changed = self->now };
    fuota_route_t route = { .has_dialect = true,
        .dialect = deployment->dialect,
        .frag_index = deployment->frag_index };
    fuota_slice_t device_row = fuota_slice (one,
        fuota_record_encode (Device_fields, &device, one, sizeof one));
    fuota_slice_t route_row = fuota_slice (two,
        fuota_record_encode (Route_fields, &route, two, sizeof two));
    for (size_t i = 0; i < self->device_count; i++) {
        uint64_t eui = self->devices [i];
        fuota_key_t key = fuota_key_device (deployment->id, eui);
        fuota_batch_put (&self->batch, FUOTA_TABLE_DEVICE, &key, device_row);
        key = fuota_key_route (eui, deployment->id);
        fuota_batch_put (&self->batch, FUOTA_TABLE_ROUTE, &key, route_row);
    }
}

//  The worker numbers its lines from the time it started, times 1000: the
//  first line of a deployment is below them all.
static void
s_put_line (fuota_control_t *self, const fuota_deployment_t *deployment)
{
    fuota_line_t line = { .seq = 1,
        .at = self->now,
        .what = "phase",
        .name = "preparing" };
    memcpy (line.deployment, deployment->id, FUOTA_ID_SIZE);
    fuota_key_t key = fuota_key_journal (deployment->id, line.seq);
    fuota_batch_record (&self->batch, FUOTA_TABLE_JOURNAL, &key,
        JournalLine_fields, &line);
}

//  Which gateways were chosen is not in the wish: it is in the journal.
static void
s_put_choice (fuota_control_t *self, const fuota_deployment_t *deployment)
{
    const fuota_choice_t *choice = &self->choice;
    fuota_line_t line = { .seq = 2,
        .at = self->now,
        .what = "note",
        .name = "gateways chosen" };
    size_t at = 0, size = sizeof line.words;
    for (size_t i = 0; i < choice->count && i < 3; i++)
        at += (size_t) snprintf (line.words + at, size - at, "%s%016llx",
            i ? ", " : "", (unsigned long long) choice->gateways [i]);
    if (choice->count > 3)
        at += (size_t) snprintf (line.words + at, size - at, " and %zu more",
            choice->count - 3);
    if (choice->unheard)
        snprintf (line.words + at, size - at, "; %u not heard",
            (unsigned) choice->unheard);
    memcpy (line.deployment, deployment->id, FUOTA_ID_SIZE);
    fuota_key_t key = fuota_key_journal (deployment->id, line.seq);
    fuota_batch_record (&self->batch, FUOTA_TABLE_JOURNAL, &key,
        JournalLine_fields, &line);
}

static void
s_put_token (fuota_control_t *self, const fuota_deployment_t *deployment,
    const uint8_t hash [HASH])
{
    uint8_t value [FUOTA_ID_SIZE + HASH];
    memcpy (value, deployment->id, FUOTA_ID_SIZE);
    memcpy (value + FUOTA_ID_SIZE, hash, HASH);
    fuota_key_t key = s_token_key (&self->request.wish);
    fuota_batch_put (&self->batch, FUOTA_TABLE_TOKEN, &key,
        fuota_slice (value, sizeof value));
}

static void
s_store (fuota_control_t *self, const fuota_deployment_t *deployment,
    const fuota_wish_facts_t *facts, const uint8_t hash [HASH],
    fuota_turn_t *turn)
{
    fuota_group_t group = { .phase = FUOTA_PREPARING,
        .wake_at = self->now,
        .total = (uint32_t) self->device_count };
    group.at_step [FUOTA_STEP_GROUP] = group.ended [FUOTA_END_NONE] =
        group.total;
    fuota_key_t key = fuota_key_id (deployment->id);
    fuota_batch_record (&self->batch, FUOTA_TABLE_DEPLOYMENT, &key,
        Deployment_fields, deployment);
    fuota_batch_record (&self->batch, FUOTA_TABLE_GROUP, &key, Group_fields,
        &group);
    if (!facts->image_known)
        s_put_image (self, deployment);
    s_put_devices (self, deployment);
    if (*deployment->token)
        s_put_token (self, deployment, hash);
    s_put_line (self, deployment);
    if (facts->choice && facts->choice->automatic)
        s_put_choice (self, deployment);
    fuota_summary_make (deployment, &group, self->now,
        &turn->reply.summaries [0]);
    turn->reply.summaries_count = 1;
    memcpy (turn->id, deployment->id, FUOTA_ID_SIZE);
    turn->batch = &self->batch;
    turn->op = FUOTA_OP_CREATED;
}

//  Twice the bytes: pages are not filled to the brim.
static void
s_check_room (fuota_control_t *self, fuota_turn_t *turn)
{
    fuota_db_room_t room = fuota_db_room (self->db);
    size_t need = self->batch.size * 2 + SPARE;
    if (self->batch.failed)
        fuota_control_failed (turn, "out of memory");
    else if (need > room.left || self->batch.size > room.run) {
        //  An image needs pages in a row
        size_t left = room.left < room.run ? room.left : room.run;
        fuota_control_failed (turn, "");
        fuota_control_say (turn, FUOTA_FAILED,
            "state is full: %zu KiB wanted, %zu KiB left, %zu KiB used; make "
            "state.map_mib larger",
            need >> 10, left >> 10, room.used >> 10);
    }
}

static void
s_refuse (const fuota_faults_t *faults, fuota_turn_t *turn)
{
    fuota_control_say (turn, FUOTA_FAULTS, "the wish was refused");
    memcpy (turn->reply.faults, faults->list, sizeof turn->reply.faults);
    turn->reply.faults_count = (pb_size_t) faults->count;
    turn->reply.faults_left_out = faults->left_out;
}

void
fuota_create_take (fuota_control_t *self, bool store, fuota_turn_t *turn)
{
    fuota_wish_facts_t facts;
    fuota_deployment_t deployment;
    fuota_dialect_t dialect;
    fuota_faults_t faults, others;
    uint8_t hash [HASH];
    fuota_wish_sort (self->devices, self->device_count);
    if (!s_facts (self, &facts) || !s_wish_hash (self, &facts, hash)) {
        fuota_control_say (turn, FUOTA_FAILED, "the cipher library failed");
        return;
    }
    //  First: a wish repeated later may have faults it did not have then
    if (store && s_known_token (self, hash, turn))
        return;
    turn->asks = fuota_select_asks (self, &turn->question);
    if (turn->asks ||
        !fuota_select_take (self, &facts, &dialect, &others, turn))
        return;
    s_choose (self, &facts);
    fuota_wish_check (&self->request.wish, &facts, &deployment, &faults);
    for (size_t i = 0; i < others.count; i++)
        fuota_faults_add (&faults, others.list [i].field, others.list [i].value,
            "%s", others.list [i].allowed);
    if (faults.count)
        s_refuse (&faults, turn);
    else if (store) {
        s_store (self, &deployment, &facts, hash, turn);
        s_check_room (self, turn);
    }
    else {
        fuota_summary_plan (&deployment, (uint32_t) self->device_count,
            self->now, &turn->reply.summaries [0]);
        turn->reply.summaries_count = 1;
    }
    if (facts.choice && !faults.count)
        fuota_gateways_chosen (self, turn);
    fuota_mckey_wipe (&deployment, sizeof deployment);
}
