//  SPDX-License-Identifier: MIT
//
//  What an operator asks of the pool, as values: the actor asks, and fills in
//  the answer (control_pool.c).

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include "broker/control_private.h"
#include "broker/summary.h"
#include "schema/hex.h"

#define HASH 32

void
fuota_ask_workers (fuota_control_t *self, fuota_turn_t *turn)
{
    turn->ask.kind = FUOTA_ASK_WORKERS;
    if (self->request.after.size == 4)
        turn->ask.first = (uint32_t) fuota_be (self->request.after.bytes, 4);
}

void
fuota_ask_drain (fuota_control_t *self, fuota_turn_t *turn)
{
    if (!*self->request.id ||
        strlen (self->request.id) >= sizeof turn->ask.name) {
        fuota_control_say (turn, FUOTA_NOT_FOUND,
            "no worker's name; allowed 1 to 40 characters");
        return;
    }
    turn->ask.kind = FUOTA_ASK_DRAIN;
    snprintf (turn->ask.name, sizeof turn->ask.name, "%s", self->request.id);
}

//  ---------------------------------------------------------------------
//  An image

static void
s_fault (fuota_turn_t *turn, const char *field, uint32_t value,
    const char *allowed)
{
    fuota_control_say (turn, FUOTA_FAULTS, "the image was refused");
    Fault *fault = &turn->reply.faults [turn->reply.faults_count++];
    snprintf (fault->field, sizeof fault->field, "%s", field);
    snprintf (fault->value, sizeof fault->value, "%u", (unsigned) value);
    snprintf (fault->allowed, sizeof fault->allowed, "%s", allowed);
}

//  The rows that are asked for; some of all if nothing is said.
static uint32_t
s_rows (const fuota_wish_t *wish, const fuota_parity_key_t *key)
{
    uint32_t m = fuota_parity_nb_frag (key), most = fuota_parity_rows (key);
    uint32_t percent = wish->redundancy_percent ? wish->redundancy_percent : 30;
    if (wish->redundancy)
        return wish->redundancy < most ? wish->redundancy : most;
    uint64_t rows = ((uint64_t) m * percent + 99) / 100;
    return rows < most ? (uint32_t) rows : most;
}

static void
s_parity (fuota_control_t *self, const uint8_t *name, fuota_turn_t *turn)
{
    const fuota_wish_t *wish = &self->request.wish;
    fuota_parity_key_t *key = &turn->ask.parity;
    *key = (fuota_parity_key_t){ .image_size = (uint32_t) self->image.size,
        .rule = wish->ts004 ? wish->ts004 : 1,
        .frag_size = wish->frag_size };
    memcpy (key->image, name, HASH);
    if (key->rule > 2)
        s_fault (turn, "ts004", key->rule, "1 or 2");
    if (wish->frag_size > 242)
        s_fault (turn, "frag_size", wish->frag_size,
            "1 to 242 bytes; 0 to compute nothing");
    else if (wish->frag_size && !fuota_parity_valid (key) && key->rule <= 2)
        s_fault (turn, "frag_size", wish->frag_size,
            "so large that the image is at most 16382 fragments");
    if (turn->reply.status || !wish->frag_size)
        return;
    turn->ask.kind = FUOTA_ASK_IMAGE;
    turn->ask.rows = s_rows (wish, key);
}

static void
s_store (fuota_control_t *self, const uint8_t *name, fuota_turn_t *turn)
{
    fuota_slice_t found;
    fuota_key_t key = fuota_key_bytes (name, HASH);
    fuota_db_room_t room = fuota_db_room (self->db);
    turn->reply.existed =
        !fuota_read_get (self->read, FUOTA_TABLE_BLOB, &key, &found);
    if (turn->reply.existed)
        return;
    if (room.left < self->image.size * 2 + (1u << 20) ||
        room.run < self->image.size) {
        fuota_control_failed (turn, "state is full; make state.map_mib larger");
        return;
    }
    fuota_image_t image = { .size = (uint32_t) self->image.size,
        .created = self->now };
    snprintf (image.label, sizeof image.label, "%s", self->request.wish.name);
    fuota_batch_record (&self->batch, FUOTA_TABLE_IMAGE, &key, Image_fields,
        &image);
    fuota_batch_put (&self->batch, FUOTA_TABLE_BLOB, &key, self->image);
    turn->batch = &self->batch;
}

static void
s_summary (const fuota_control_t *self, const uint8_t *name, fuota_turn_t *turn)
{
    Summary *summary = &turn->reply.summaries [0];
    turn->reply.summaries_count = 1;
    fuota_hex (name, HASH, summary->image_sha256);
    snprintf (summary->name, sizeof summary->name, "%s",
        self->request.wish.name);
    summary->image_size = (uint32_t) self->image.size;
    summary->frag_size = turn->ask.parity.frag_size;
    summary->nb_frag = fuota_parity_nb_frag (&turn->ask.parity);
    summary->redundancy = turn->ask.rows;
}

void
fuota_ask_image (fuota_control_t *self, fuota_turn_t *turn)
{
    uint8_t name [HASH];
    if (!self->has_image || !self->image.size) {
        s_fault (turn, "image", 0, "at least one byte");
        return;
    }
    if (EVP_Digest (self->image.data, self->image.size, name, NULL,
            EVP_sha256 (), NULL) != 1) {
        fuota_control_say (turn, FUOTA_FAILED, "the cipher library failed");
        return;
    }
    s_parity (self, name, turn);
    if (!turn->reply.status)
        s_store (self, name, turn);
    if (!turn->reply.status)
        s_summary (self, name, turn);
}
