//  SPDX-License-Identifier: MIT
//
//  Parts: life; reading a request; the commands, from a table.

#include <pb_decode.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "broker/control_private.h"
#include "broker/summary.h"
#include "workers/package/mckey.h"

//  ---------------------------------------------------------------------
//  Life

fuota_control_t *
fuota_control_new (fuota_db_t *db, const fuota_control_table_t *table,
    const char *version)
{
    fuota_control_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->db = db;
    self->table = table;
    self->version = version;
    self->read = fuota_db_read (db);
    if (!self->read)
        fuota_control_destroy (&self);
    else
        fuota_read_reset (self->read);
    return self;
}

void
fuota_control_destroy (fuota_control_t **self_p)
{
    fuota_control_t *self = *self_p;
    if (!self)
        return;
    fuota_read_end (&self->read);
    //  Rows of a new deployment hold its McKey
    if (self->batch.data)
        fuota_mckey_wipe (self->batch.data, self->batch.room);
    fuota_batch_release (&self->batch);
    free (self->devices);
    free (self);
    *self_p = NULL;
}

void
fuota_control_say (fuota_turn_t *turn, ReplyStatus status, const char *words,
    ...)
{
    turn->reply.status = status;
    va_list args;
    va_start (args, words);
    vsnprintf (turn->reply.words, sizeof turn->reply.words, words, args);
    va_end (args);
}

void
fuota_control_failed (fuota_turn_t *turn, const char *words)
{
    *turn = (fuota_turn_t){ .batch = NULL };
    fuota_control_say (turn, FUOTA_FAILED, "%s", words);
}

size_t
fuota_control_encode (const fuota_reply_t *reply, uint8_t *out, size_t size)
{
    return fuota_record_encode (Reply_fields, reply, out, size);
}

//  ---------------------------------------------------------------------
//  Reading a request

//  DevEUIs: packed, or one a field; nanopb calls once for each piece.
static bool
s_read_devices (pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    fuota_control_t *self = *arg;
    (void) field;
    while (stream->bytes_left) {
        if (self->device_count == self->device_room) {
            size_t room = self->device_room ? self->device_room * 2 : 256;
            uint64_t *devices = realloc (self->devices, room * sizeof *devices);
            if (!devices)
                PB_RETURN_ERROR (stream, "out of memory");
            self->devices = devices;
            self->device_room = room;
        }
        if (!pb_decode_fixed64 (stream, &self->devices [self->device_count]))
            return false;
        self->device_count++;
    }
    return true;
}

//  The image stays where it is, in the request.
static bool
s_read_image (pb_istream_t *stream, const pb_field_t *field, void **arg)
{
    fuota_control_t *self = *arg;
    (void) field;
    self->image = fuota_slice (stream->state, stream->bytes_left);
    self->has_image = true;
    return pb_read (stream, NULL, stream->bytes_left);
}

static bool
s_read_request (fuota_control_t *self, fuota_slice_t bytes, fuota_turn_t *turn)
{
    self->device_count = 0;
    self->has_image = false;
    self->image = fuota_slice (NULL, 0);
    fuota_request_t *request = &self->request;
    *request = (fuota_request_t){ .has_wish = false };
    request->wish.devices.funcs.decode = s_read_devices;
    request->wish.devices.arg = self;
    request->wish.image.funcs.decode = s_read_image;
    request->wish.image.arg = self;
    pb_istream_t stream = pb_istream_from_buffer (bytes.data, bytes.size);
    if (bytes.size > FUOTA_CONTROL_REQUEST_MAX)
        fuota_control_say (turn, FUOTA_MALFORMED,
            "request: %zu bytes; allowed at most %u", bytes.size,
            FUOTA_CONTROL_REQUEST_MAX);
    else if (!pb_decode (&stream, Request_fields, request))
        fuota_control_say (turn, FUOTA_MALFORMED,
            "request: not a Request: %s (texts are at most: name, token, id, "
            "profile 64; application 40; region 16; at most 16 gateways, 4 "
            "tags)",
            PB_GET_ERROR (&stream));
    else
        return true;
    return false;
}

//  ---------------------------------------------------------------------
//  The commands

int
fuota_control_summary (fuota_control_t *self, const uint8_t *id, Summary *out)
{
    fuota_deployment_t deployment;
    fuota_group_t group;
    fuota_key_t key = fuota_key_id (id);
    int rc = fuota_read_record (self->read, FUOTA_TABLE_DEPLOYMENT, &key,
        Deployment_fields, &deployment);
    if (!rc)
        rc = fuota_read_record (self->read, FUOTA_TABLE_GROUP, &key,
            Group_fields, &group);
    if (!rc)
        fuota_summary_make (&deployment, &group, self->now, out);
    fuota_mckey_wipe (deployment.mc_key, sizeof deployment.mc_key);
    return rc;
}

static void
s_version (fuota_control_t *self, fuota_turn_t *turn)
{
    snprintf (turn->reply.version, sizeof turn->reply.version, "%s",
        self->version);
}

static void
s_deploy (fuota_control_t *self, fuota_turn_t *turn)
{
    fuota_create_take (self, true, turn);
}

static void
s_plan (fuota_control_t *self, fuota_turn_t *turn)
{
    fuota_create_take (self, false, turn);
}

static void
s_show (fuota_control_t *self, fuota_turn_t *turn)
{
    int rc = fuota_control_summary (self, turn->id, &turn->reply.summaries [0]);
    if (rc)
        fuota_control_say (turn, FUOTA_FAILED, "record: %s",
            fuota_error_name (rc));
    else
        turn->reply.summaries_count = 1;
}

//  Why an order makes no sense now, NULL if it does. The worker looks again.
static const char *
s_not_now (const fuota_group_t *group, RequestCommand command)
{
    if (group->phase >= FUOTA_FINISHING)
        return fuota_phase_name (group);
    if (group->cancelled)
        return "cancelled already";
    if (command == FUOTA_PAUSE && group->paused)
        return "paused already";
    if (command == FUOTA_RESUME && !group->paused)
        return "not paused";
    return NULL;
}

//  An order is kept until the worker has carried it out: what was answered
//  with OK survives a crash.
static void
s_put_order (fuota_control_t *self, fuota_turn_t *turn)
{
    uint8_t value [1 + FUOTA_ID_SIZE] = { (uint8_t) turn->op };
    fuota_key_t any = { .size = 0 }, key;
    uint64_t seq = 1;
    if (!fuota_read_last (self->read, FUOTA_TABLE_ORDER, &any, &key))
        seq = fuota_be (key.data, 8) + 1;
    key = fuota_key_order (seq);
    memcpy (value + 1, turn->id, FUOTA_ID_SIZE);
    fuota_batch_put (&self->batch, FUOTA_TABLE_ORDER, &key,
        fuota_slice (value, sizeof value));
    turn->batch = &self->batch;
}

static void
s_order (fuota_control_t *self, fuota_turn_t *turn)
{
    RequestCommand command = self->request.command;
    fuota_group_t group;
    fuota_key_t key = fuota_key_id (turn->id);
    int rc = fuota_read_record (self->read, FUOTA_TABLE_GROUP, &key,
        Group_fields, &group);
    const char *why = rc ? NULL : s_not_now (&group, command);
    if (rc)
        fuota_control_say (turn, FUOTA_FAILED, "record: %s",
            fuota_error_name (rc));
    else if (why)
        fuota_control_say (turn, FUOTA_NOT_NOW, "the deployment is %s", why);
    else
        turn->op = command == FUOTA_PAUSE    ? FUOTA_OP_PAUSE
                   : command == FUOTA_RESUME ? FUOTA_OP_RESUME
                                             : FUOTA_OP_CANCEL;
    if (!why && !rc) {
        s_put_order (self, turn);
        s_show (self, turn);
    }
}

static const struct {
    RequestCommand command;
    bool wants_id;
    void (*take) (fuota_control_t *self, fuota_turn_t *turn);
} s_commands [] = {
    { FUOTA_VERSION, false, s_version },
    { FUOTA_DEPLOY, false, s_deploy },
    { FUOTA_PLAN, false, s_plan },
    { FUOTA_LIST, false, fuota_find_list },
    { FUOTA_SHOW, true, s_show },
    { FUOTA_DEVICES, true, fuota_find_devices },
    { FUOTA_JOURNAL, true, fuota_find_journal },
    { FUOTA_PAUSE, true, s_order },
    { FUOTA_RESUME, true, s_order },
    { FUOTA_CANCEL, true, s_order },
    { FUOTA_WORKERS, false, fuota_ask_workers },
    { FUOTA_DRAIN, false, fuota_ask_drain },
    { FUOTA_IMAGE, false, fuota_ask_image },
    { FUOTA_REMOVE, true, fuota_remove_deployment },
    { FUOTA_IMAGES, false, fuota_find_images },
    { FUOTA_IMAGE_REMOVE, false, fuota_remove_image },
    { FUOTA_CHECK, false, fuota_ask_check },
    { FUOTA_GATEWAYS, false, fuota_find_gateways },
};

static void
s_take (fuota_control_t *self, fuota_turn_t *turn)
{
    for (size_t i = 0; i < sizeof s_commands / sizeof *s_commands; i++)
        if (s_commands [i].command == self->request.command) {
            if (!s_commands [i].wants_id ||
                fuota_find_id (self, self->request.id, turn))
                s_commands [i].take (self, turn);
            return;
        }
    fuota_control_say (turn, FUOTA_MALFORMED,
        "command: %d; allowed 0 (version) to 20 (gateways)",
        (int) self->request.command);
}

bool
fuota_control_expire (fuota_control_t *self, int64_t before, fuota_turn_t *turn)
{
    *turn = (fuota_turn_t){ .batch = NULL };
    fuota_batch_clear (&self->batch);
    if (!fuota_read_renew (self->read))
        fuota_remove_older (self, before, turn);
    fuota_read_reset (self->read);
    return turn->batch != NULL;
}

void
fuota_control_take (fuota_control_t *self, fuota_slice_t request, int64_t now,
    const uint8_t *random, fuota_turn_t *turn)
{
    fuota_control_resume (self, request, NULL, now, random, turn);
}

void
fuota_control_resume (fuota_control_t *self, fuota_slice_t request,
    const fuota_known_t *known, int64_t now, const uint8_t *random,
    fuota_turn_t *turn)
{
    *turn = (fuota_turn_t){ .batch = NULL };
    self->now = now;
    self->random = random;
    self->known = known;
    fuota_batch_clear (&self->batch);
    if (!s_read_request (self, request, turn))
        return;
    if (fuota_read_renew (self->read))
        fuota_control_say (turn, FUOTA_FAILED, "the database cannot be read");
    else
        s_take (self, turn);
    fuota_read_reset (self->read);
}
