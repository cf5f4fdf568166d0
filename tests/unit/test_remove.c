//  SPDX-License-Identifier: MIT
//
//  What is over is removed, in pieces and whole; what is not over stays.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pb_encode.h>
#include <cmocka.h>
#include "broker/control.h"
#include "tests/scratch.h"

#define DAY 86400000ll
#define NOW 1800000000000
#define MANY 5000  //  Rows of a deployment that does not go in one piece

typedef struct {
    scratch_t scratch;
    fuota_control_t *control;
    fuota_wish_defaults_t defaults;
    fuota_control_table_t table;
    fuota_turn_t turn;
} world_t;

static world_t s_world;

static int
s_setup (void **state)
{
    world_t *world = *state = &s_world;
    *world = (world_t){ .control = NULL };
    scratch_init (&world->scratch, 64u << 20, FUOTA_DB_NOSYNC);
    fuota_wish_defaults (&world->defaults);
    world->table.defaults = &world->defaults;
    world->control =
        fuota_control_new (world->scratch.db, &world->table, "test");
    assert_non_null (world->control);
    return 0;
}

static int
s_teardown (void **state)
{
    world_t *world = *state;
    fuota_control_destroy (&world->control);
    scratch_release (&world->scratch);
    return 0;
}

//  ---------------------------------------------------------------------
//  What is in the database

//  Ids and hashes of one repeated byte.
static fuota_key_t
s_id (uint8_t byte)
{
    uint8_t id [FUOTA_ID_SIZE];
    memset (id, byte, sizeof id);
    return fuota_key_id (id);
}

static fuota_key_t
s_hash (uint8_t byte)
{
    uint8_t hash [32];
    memset (hash, byte, sizeof hash);
    return fuota_key_bytes (hash, sizeof hash);
}

static void
s_put_image (world_t *world, uint8_t hash, int64_t created)
{
    fuota_image_t image = { .size = 3, .created = created, .label = "label" };
    scratch_put (&world->scratch, FUOTA_TABLE_IMAGE, s_hash (hash),
        Image_fields, &image);
    scratch_put_bytes (&world->scratch, FUOTA_TABLE_BLOB, s_hash (hash), "abc",
        3);
}

static void
s_put_deployment (world_t *world, uint8_t id, uint8_t hash, Phase phase,
    int64_t ended_at, unsigned devices)
{
    fuota_batch_t batch = { .data = NULL };
    fuota_key_t key = s_id (id);
    fuota_deployment_t deployment = { .image_size = 3 };
    memset (deployment.image, hash, sizeof deployment.image);
    snprintf (deployment.name, sizeof deployment.name, "deployment-%02x", id);
    snprintf (deployment.token, sizeof deployment.token, "token-%02x", id);
    fuota_group_t group = { .phase = phase, .ended_at = ended_at };
    fuota_device_t device = { .step = FUOTA_STEP_END };
    fuota_line_t line = { .seq = 1 };
    fuota_batch_record (&batch, FUOTA_TABLE_DEPLOYMENT, &key, Deployment_fields,
        &deployment);
    fuota_batch_record (&batch, FUOTA_TABLE_GROUP, &key, Group_fields, &group);
    fuota_key_t token =
        fuota_key_bytes (deployment.token, strlen (deployment.token));
    uint8_t made [FUOTA_ID_SIZE + 32] = { 0 };
    memcpy (made, key.data, FUOTA_ID_SIZE);
    fuota_batch_put (&batch, FUOTA_TABLE_TOKEN, &token,
        fuota_slice (made, sizeof made));
    for (unsigned i = 0; i < devices; i++) {
        fuota_key_t name = fuota_key_device (key.data, i + 1);
        fuota_batch_record (&batch, FUOTA_TABLE_DEVICE, &name, Device_fields,
            &device);
        name = fuota_key_journal (key.data, i + 1);
        fuota_batch_record (&batch, FUOTA_TABLE_JOURNAL, &name,
            JournalLine_fields, &line);
    }
    scratch_commit (&world->scratch, &batch);
}

static void
s_put_downlink (world_t *world, uint8_t id)
{
    fuota_row_t row = { .withdrawn = true };
    memset (row.deployment, id, sizeof row.deployment);
    scratch_put (&world->scratch, FUOTA_TABLE_OUTBOX,
        fuota_key_outbox (FUOTA_OWNER_DEPLOYMENT, 1), OutboxRow_fields, &row);
}

static void
s_apply (world_t *world)
{
    fuota_slice_t bytes =
        fuota_slice (world->turn.batch->data, world->turn.batch->size);
    assert_int_equal (fuota_db_apply (world->scratch.db, &bytes, 1), 0);
}

static unsigned
s_rows (world_t *world, fuota_table_t table)
{
    return (unsigned) scratch_count (&world->scratch, table);
}

static unsigned
s_all_rows (world_t *world)
{
    unsigned count = 0;
    for (int table = FUOTA_TABLE_DEPLOYMENT; table < FUOTA_TABLES; table++)
        count += s_rows (world, (fuota_table_t) table);
    return count;
}

static const fuota_reply_t *
s_ask (world_t *world, RequestCommand command, const char *id)
{
    static const uint8_t random [FUOTA_WISH_RANDOM];
    Request request = { .command = command };
    uint8_t bytes [256];
    snprintf (request.id, sizeof request.id, "%s", id);
    pb_ostream_t stream = pb_ostream_from_buffer (bytes, sizeof bytes);
    assert_true (pb_encode (&stream, Request_fields, &request));
    fuota_control_take (world->control,
        fuota_slice (bytes, stream.bytes_written), NOW, random, &world->turn);
    if (world->turn.batch)
        s_apply (world);
    return &world->turn.reply;
}

//  ---------------------------------------------------------------------
//  Tests

static void
test_refusals (void **state)
{
    world_t *world = *state;
    s_put_image (world, 0x11, NOW);
    s_put_image (world, 0x22, NOW);
    s_put_deployment (world, 0xaa, 0x11, FUOTA_SENDING, 0, 2);
    s_put_deployment (world, 0xab, 0x11, FUOTA_OVER, NOW, 2);
    s_put_downlink (world, 0xab);
    static const struct {
        RequestCommand command;
        const char *id;
        ReplyStatus status;
        const char *words;
    } rows [] = {
        { FUOTA_REMOVE, "", FUOTA_NOT_FOUND, "id: none" },
        { FUOTA_REMOVE, "dead", FUOTA_NOT_FOUND, "id: dead" },
        { FUOTA_REMOVE, "aaaaaaaa", FUOTA_NOT_NOW, "is sending" },
        { FUOTA_REMOVE, "deployment-ab", FUOTA_NOT_NOW, "downlinks" },
        { FUOTA_IMAGE_REMOVE, "", FUOTA_NOT_FOUND, "image: none" },
        { FUOTA_IMAGE_REMOVE, "222", FUOTA_NOT_FOUND, "image: 222" },
        { FUOTA_IMAGE_REMOVE, "no hash", FUOTA_NOT_FOUND, "64 hex digits" },
        { FUOTA_IMAGE_REMOVE, "1111", FUOTA_NOT_NOW, "deployment aaaaaaaa" },
        { FUOTA_IMAGE_REMOVE, "1111", FUOTA_NOT_NOW, "and others" },
    };
    unsigned before = s_all_rows (world);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const fuota_reply_t *reply =
            s_ask (world, rows [i].command, rows [i].id);
        assert_int_equal (reply->status, rows [i].status);
        assert_non_null (strstr (reply->words, rows [i].words));
        assert_null (world->turn.batch);
    }
    assert_int_equal (s_all_rows (world), before);
}

static void
test_images (void **state)
{
    world_t *world = *state;
    s_put_image (world, 0x11, 1);
    s_put_image (world, 0x22, 2);
    s_put_deployment (world, 0xaa, 0x22, FUOTA_OVER, NOW, 1);
    const fuota_reply_t *reply = s_ask (world, FUOTA_IMAGES, "");
    assert_int_equal (reply->images_count, 2);
    assert_memory_equal (reply->images [1].sha256, "2222", 4);
    assert_int_equal (reply->images [0].deployments, 0);
    assert_int_equal (reply->images [1].deployments, 1);
    assert_int_equal (reply->images [1].created, 2);
    assert_int_equal (s_ask (world, FUOTA_IMAGE_REMOVE, "1111")->status, 0);
    assert_int_equal (s_rows (world, FUOTA_TABLE_IMAGE), 1);
    assert_int_equal (s_rows (world, FUOTA_TABLE_BLOB), 1);
}

//  Whatever it is asked by, it goes in pieces, and is there until the last.
static void
test_pieces (void **state)
{
    world_t *world = *state;
    s_put_deployment (world, 0xaa, 0x11, FUOTA_OVER, NOW, MANY);
    s_put_deployment (world, 0xab, 0x11, FUOTA_OVER, NOW, 3);
    unsigned kept = 3 + 2 * 3, pieces = 0;
    do {
        assert_int_equal (s_rows (world, FUOTA_TABLE_DEPLOYMENT), 2);
        assert_int_equal (s_ask (world, FUOTA_REMOVE, "deployment-aa")->status,
            0);
        pieces++;
    } while (world->turn.reply.next.size);
    assert_true (pieces > 1);
    assert_int_equal (s_all_rows (world), kept);
    assert_int_equal (s_ask (world, FUOTA_REMOVE, "deployment-aa")->status,
        FUOTA_NOT_FOUND);
}

static void
test_older (void **state)
{
    world_t *world = *state;
    static const struct {
        uint8_t id, image;
        Phase phase;
        int64_t ended;
    } rows [] = {
        { 1, 0x11, FUOTA_OVER, NOW - 31 * DAY },
        { 2, 0x22, FUOTA_OVER, NOW - 29 * DAY },
        { 3, 0x33, FUOTA_SENDING, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        s_put_image (world, rows [i].image, NOW - 60 * DAY);
        s_put_deployment (world, rows [i].id, rows [i].image, rows [i].phase,
            rows [i].ended, MANY);
    }
    s_put_image (world, 0x44, NOW - DAY);
    unsigned pieces = 0;
    while (
        fuota_control_expire (world->control, NOW - 30 * DAY, &world->turn)) {
        s_apply (world);
        assert_true (++pieces < 100);
    }
    assert_true (pieces > 2);
    assert_int_equal (s_rows (world, FUOTA_TABLE_DEPLOYMENT), 2);
    assert_int_equal (s_rows (world, FUOTA_TABLE_DEVICE), 2 * MANY);
    assert_int_equal (s_rows (world, FUOTA_TABLE_IMAGE), 3);
    assert_int_equal (s_rows (world, FUOTA_TABLE_BLOB), 3);
    assert_null (world->turn.batch);
}

int
main (void)
{
#define ROW(test) cmocka_unit_test_setup_teardown (test, s_setup, s_teardown)
    const struct CMUnitTest tests [] = { ROW (test_refusals), ROW (test_images),
        ROW (test_pieces), ROW (test_older) };
    return cmocka_run_group_tests_name ("remove", tests, NULL, NULL);
}
