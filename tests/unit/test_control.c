//  SPDX-License-Identifier: MIT
//
//  Every command over a database in a temporary folder. Replies go through
//  their encoding, as a client sees them.

#include <pb_encode.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "broker/control.h"
#include "broker/summary.h"
#include "schema/hex.h"

#define NOW 1800000000000

typedef struct {
    char folder [64];
    fuota_db_t *db;
    fuota_control_t *control;
    fuota_wish_defaults_t defaults;
    fuota_control_table_t table;
    int64_t now;
    uint8_t random [FUOTA_WISH_RANDOM];
    //  Of the next request
    fuota_request_t request;
    const uint64_t *devices;
    size_t device_count;
    fuota_slice_t image;
    fuota_known_t known;  //  What the host answers, if it is asked
    fuota_turn_t turn;
} world_t;

static world_t s_world;

static int
s_setup (void **state)
{
    world_t *world = *state = &s_world;
    *world = (world_t){ .now = NOW };
    snprintf (world->folder, sizeof world->folder, "/tmp/fuota-XXXXXX");
    assert_non_null (mkdtemp (world->folder));
    char error [160];
    int rc;
    world->db = fuota_db_open (world->folder, 128u << 20, FUOTA_DB_NOSYNC, &rc,
        error, sizeof error);
    assert_non_null (world->db);
    fuota_wish_defaults (&world->defaults);
    snprintf (world->defaults.application, 41, "app");
    world->table.defaults = &world->defaults;
    world->known.deaf = world->known.over = true;
    strcpy (world->known.fault, "a host of this type is not asked");
    world->control =
        fuota_control_new (world->db, &world->table, "fuotad test");
    assert_non_null (world->control);
    return 0;
}

static int
s_teardown (void **state)
{
    world_t *world = *state;
    fuota_control_destroy (&world->control);
    fuota_control_destroy (&world->control);
    fuota_db_close (&world->db);
    char path [96];
    static const char *const files [] = { "data.mdb", "lock.mdb", "lock" };
    for (size_t i = 0; i < 3; i++) {
        snprintf (path, sizeof path, "%s/%s", world->folder, files [i]);
        unlink (path);
    }
    return rmdir (world->folder);
}

//  ---------------------------------------------------------------------
//  A request as a client makes it

static bool
s_put_devices (pb_ostream_t *stream, const pb_field_t *field, void *const *arg)
{
    const world_t *world = *arg;
    if (!world->device_count)
        return true;
    if (!pb_encode_tag (stream, PB_WT_STRING, field->tag) ||
        !pb_encode_varint (stream, world->device_count * 8))
        return false;
    for (size_t i = 0; i < world->device_count; i++)
        if (!pb_encode_fixed64 (stream, &world->devices [i]))
            return false;
    return true;
}

static bool
s_put_image (pb_ostream_t *stream, const pb_field_t *field, void *const *arg)
{
    const world_t *world = *arg;
    return !world->image.data ||
           (pb_encode_tag_for_field (stream, field) &&
               pb_encode_string (stream, world->image.data, world->image.size));
}

//  Send the request; commit what it wants committed; check that the reply
//  fits its bound.
static const fuota_reply_t *
s_send (world_t *world, RequestCommand command)
{
    world->request.command = command;
    fuota_wish_t *wish = &world->request.wish;
    wish->devices.funcs.encode = s_put_devices;
    wish->image.funcs.encode = s_put_image;
    wish->devices.arg = wish->image.arg = world;
    size_t size;
    assert_true (pb_get_encoded_size (&size, Request_fields, &world->request));
    uint8_t *bytes = malloc (size + 1);
    pb_ostream_t stream = pb_ostream_from_buffer (bytes, size);
    assert_true (pb_encode (&stream, Request_fields, &world->request));
    world->random [0]++;
    fuota_control_take (world->control, fuota_slice (bytes, size), world->now,
        world->random, &world->turn);
    if (world->turn.asks)
        fuota_control_resume (world->control, fuota_slice (bytes, size),
            &world->known, world->now, world->random, &world->turn);
    free (bytes);
    if (world->turn.batch) {
        fuota_slice_t batch =
            fuota_slice (world->turn.batch->data, world->turn.batch->size);
        assert_int_equal (fuota_db_apply (world->db, &batch, 1), 0);
    }
    static uint8_t reply [Reply_size];
    //  A reply that says nothing but OK has no bytes
    size_t coded =
        fuota_control_encode (&world->turn.reply, reply, sizeof reply);
    assert_true (coded || (!world->turn.reply.status && command));
    return &world->turn.reply;
}

static const fuota_reply_t *
s_ask (world_t *world, RequestCommand command, const char *id)
{
    world->request = (fuota_request_t){ .has_wish = false };
    snprintf (world->request.id, sizeof world->request.id, "%s", id);
    return s_send (world, command);
}

static void
s_wish (world_t *world, const char *name)
{
    static const uint64_t devices [] = { 3, 1, 2 };
    static const uint8_t image [] = "a firmware image";
    world->request = (fuota_request_t){ .has_wish = true };
    world->request.wish.has_dr = true;
    world->request.wish.dr = 5;
    snprintf (world->request.wish.name, 65, "%s", name);
    world->devices = devices;
    world->device_count = 3;
    world->image = fuota_slice (image, sizeof image);
}

static const fuota_reply_t *
s_deploy (world_t *world, const char *name)
{
    s_wish (world, name);
    const fuota_reply_t *reply = s_send (world, FUOTA_DEPLOY);
    assert_int_equal (reply->status, FUOTA_OK);
    assert_int_equal (reply->summaries_count, 1);
    return reply;
}

//  ---------------------------------------------------------------------
//  Tests

static void
test_control__hostile_bytes_are_malformed (void **state)
{
    world_t *world = *state;
    static const struct {
        const char *name;
        uint8_t bytes [12];
        size_t size;
        ReplyStatus status;
    } cases [] = {
        { "empty is VERSION", { 0 }, 0, FUOTA_OK },
        { "no field", { 0 }, 1, FUOTA_MALFORMED },
        { "unknown command", { 8, 99 }, 2, FUOTA_MALFORMED },
        { "negative command",
            { 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1 }, 11,
            FUOTA_MALFORMED },
        { "cut varint", { 8, 0x80 }, 2, FUOTA_MALFORMED },
        { "cut text", { 0x12, 5, 'a' }, 3, FUOTA_MALFORMED },
        { "devices of 7 bytes", { 0x1a, 9, 0x22, 7, 1, 2, 3, 4, 5, 6, 7 }, 11,
            FUOTA_MALFORMED },
        { "image of 5 bytes, cut", { 0x1a, 3, 0x2a, 5, 1 }, 5,
            FUOTA_MALFORMED },
        { "deploy nothing", { 8, 1 }, 2, FUOTA_FAULTS },
        { "show nothing", { 8, 4 }, 2, FUOTA_NOT_FOUND },
        { "drain nobody", { 8, 11 }, 2, FUOTA_NOT_FOUND },
        { "image of nothing", { 8, 12 }, 2, FUOTA_FAULTS },
        { "unknown field", { 0x78, 1 }, 2, FUOTA_OK },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fuota_control_take (world->control,
            fuota_slice (cases [i].bytes, cases [i].size), NOW, world->random,
            &world->turn);
        if (world->turn.reply.status != cases [i].status || world->turn.batch)
            fail_msg ("%s: %d %s", cases [i].name, world->turn.reply.status,
                world->turn.reply.words);
    }
}

static void
test_control__too_large_is_malformed (void **state)
{
    world_t *world = *state;
    size_t size = FUOTA_CONTROL_REQUEST_MAX + 1;
    uint8_t *bytes = calloc (1, size);
    fuota_control_take (world->control, fuota_slice (bytes, size), NOW,
        world->random, &world->turn);
    free (bytes);
    assert_int_equal (world->turn.reply.status, FUOTA_MALFORMED);
}

static void
test_control__version (void **state)
{
    const fuota_reply_t *reply = s_ask (*state, FUOTA_VERSION, "");
    assert_int_equal (reply->status, FUOTA_OK);
    assert_string_equal (reply->version, "fuotad test");
}

static void
test_control__deploy_writes_every_row (void **state)
{
    world_t *world = *state;
    const fuota_reply_t *reply = s_deploy (world, "first");
    assert_false (reply->existed);
    assert_string_equal (reply->summaries [0].phase, "preparing");
    assert_int_equal (reply->summaries [0].total, 3);
    assert_int_equal (world->turn.op, FUOTA_OP_CREATED);
    //  Deployment, group, image, its bytes, three devices and routes, a line
    assert_int_equal (world->turn.batch->rows, 11);
    fuota_read_t *read = fuota_db_read (world->db);
    fuota_key_t key = fuota_key_id (world->turn.id);
    fuota_deployment_t deployment;
    fuota_group_t group;
    fuota_device_t device;
    fuota_route_t route;
    assert_int_equal (fuota_read_record (read, FUOTA_TABLE_DEPLOYMENT, &key,
                          Deployment_fields, &deployment),
        0);
    assert_int_equal (fuota_read_record (read, FUOTA_TABLE_GROUP, &key,
                          Group_fields, &group),
        0);
    assert_int_equal (group.phase, FUOTA_PREPARING);
    assert_int_equal (group.wake_at, NOW);
    assert_int_equal (group.at_step [FUOTA_STEP_GROUP], 3);
    for (uint64_t eui = 1; eui <= 3; eui++) {
        key = fuota_key_device (world->turn.id, eui);
        assert_int_equal (fuota_read_record (read, FUOTA_TABLE_DEVICE, &key,
                              Device_fields, &device),
            0);
        assert_int_equal (device.changed, NOW);
        key = fuota_key_route (eui, world->turn.id);
        assert_int_equal (fuota_read_record (read, FUOTA_TABLE_ROUTE, &key,
                              Route_fields, &route),
            0);
        assert_int_equal (route.dialect.port004, 201);
    }
    fuota_slice_t blob;
    key = fuota_key_bytes (deployment.image, 32);
    assert_int_equal (fuota_read_get (read, FUOTA_TABLE_BLOB, &key, &blob), 0);
    assert_int_equal (blob.size, world->image.size);
    assert_memory_equal (blob.data, world->image.data, blob.size);
    fuota_read_end (&read);
}

static bool
s_holds (const uint8_t *bytes, size_t size, const uint8_t key [16])
{
    for (size_t i = 0; i + 16 <= size; i++)
        if (memcmp (bytes + i, key, 16) == 0)
            return true;
    return false;
}

static void
test_control__key_is_never_answered (void **state)
{
    world_t *world = *state;
    memset (world->random, 0xa7, sizeof world->random);
    const fuota_reply_t *reply = s_deploy (world, "secret");
    static uint8_t bytes [Reply_size];
    size_t size = fuota_control_encode (reply, bytes, sizeof bytes);
    uint8_t key [16];
    memset (key, 0xa7, sizeof key);
    assert_false (s_holds (bytes, size, key));
    assert_true (
        s_holds (world->turn.batch->data, world->turn.batch->size, key));
}

static void
test_control__plan_stores_nothing (void **state)
{
    world_t *world = *state;
    s_wish (world, "plan");
    const fuota_reply_t *reply = s_send (world, FUOTA_PLAN);
    assert_int_equal (reply->status, FUOTA_OK);
    assert_null (world->turn.batch);
    assert_int_equal (world->turn.op, FUOTA_OP_NONE);
    const Summary *plan = &reply->summaries [0];
    assert_string_equal (plan->phase, "planned");
    assert_int_equal (plan->nb_frag, 1);
    assert_true (plan->redundancy >= 1);
    assert_int_equal (plan->last_n, plan->nb_frag + plan->redundancy);
    assert_true (plan->air_time > 0);
    assert_true (plan->session_start > NOW);
    assert_true (plan->eta <= plan->session_end);
    assert_int_equal (s_ask (world, FUOTA_LIST, "")->summaries_count, 0);
}

static void
test_control__faults_are_answered (void **state)
{
    world_t *world = *state;
    s_wish (world, "bad");
    world->request.wish.dr = 9;
    world->device_count = 0;
    const fuota_reply_t *reply = s_send (world, FUOTA_DEPLOY);
    assert_int_equal (reply->status, FUOTA_FAULTS);
    assert_int_equal (reply->faults_count, 2);
    assert_null (world->turn.batch);
}

static void
test_control__stored_image_is_named_by_its_hash (void **state)
{
    world_t *world = *state;
    s_deploy (world, "one");
    fuota_read_t *read = fuota_db_read (world->db);
    fuota_key_t key = fuota_key_id (world->turn.id);
    fuota_deployment_t first;
    fuota_read_record (read, FUOTA_TABLE_DEPLOYMENT, &key, Deployment_fields,
        &first);
    fuota_read_end (&read);
    s_wish (world, "two");
    world->image.data = NULL;
    memcpy (world->request.wish.image_sha256.bytes, first.image, 32);
    world->request.wish.image_sha256.size = 32;
    const fuota_reply_t *reply = s_send (world, FUOTA_DEPLOY);
    assert_int_equal (reply->status, FUOTA_OK);
    assert_int_equal (reply->summaries [0].image_size, world->image.size);
    assert_int_equal (world->turn.batch->rows, 9);
}

static void
test_control__token_makes_it_idempotent (void **state)
{
    world_t *world = *state;
    s_wish (world, "once");
    snprintf (world->request.wish.token, 65, "key-1");
    assert_int_equal (s_send (world, FUOTA_DEPLOY)->status, FUOTA_OK);
    uint8_t id [FUOTA_ID_SIZE];
    memcpy (id, world->turn.id, sizeof id);
    //  Again, later, the devices in another order
    static const uint64_t turned [] = { 2, 3, 1 };
    s_wish (world, "once");
    snprintf (world->request.wish.token, 65, "key-1");
    world->devices = turned;
    world->now += 100000000;
    const fuota_reply_t *reply = s_send (world, FUOTA_DEPLOY);
    assert_int_equal (reply->status, FUOTA_OK);
    assert_true (reply->existed);
    assert_null (world->turn.batch);
    assert_int_equal (world->turn.op, FUOTA_OP_NONE);
    char text [33];
    fuota_hex (id, sizeof id, text);
    assert_string_equal (reply->summaries [0].id, text);
    //  Another wish under the same token
    world->request.wish.quorum = 50;
    reply = s_send (world, FUOTA_DEPLOY);
    assert_int_equal (reply->status, FUOTA_FAULTS);
    assert_string_equal (reply->faults [0].field, "token");
}

//  FragIndex in the route of a device, for the last deployment.
static uint32_t
s_route_index (world_t *world, uint64_t dev_eui)
{
    fuota_read_t *read = fuota_db_read (world->db);
    fuota_key_t key = fuota_key_route (dev_eui, world->turn.id);
    fuota_route_t route;
    assert_int_equal (fuota_read_record (read, FUOTA_TABLE_ROUTE, &key,
                          Route_fields, &route),
        0);
    fuota_read_end (&read);
    return route.frag_index;
}

static void
test_control__device_in_four_deployments (void **state)
{
    world_t *world = *state;
    for (uint32_t i = 0; i < 4; i++) {
        s_deploy (world, "many");
        assert_int_equal (s_route_index (world, 1), i);
    }
    s_wish (world, "fifth");
    const fuota_reply_t *reply = s_send (world, FUOTA_DEPLOY);
    assert_int_equal (reply->status, FUOTA_FAULTS);
    assert_int_equal (reply->faults_count, 3);
    assert_string_equal (reply->faults [0].value, "0000000000000001");
}

static void
test_control__id_prefix_and_name (void **state)
{
    world_t *world = *state;
    memset (world->random, 0xab, sizeof world->random);
    world->random [0] = 0x10;
    s_deploy (world, "alpha");  //  11abab...
    s_deploy (world, "twin");   //  12abab...
    s_deploy (world, "twin");
    static const struct {
        const char *id;
        ReplyStatus status;
    } cases [] = { { "11abababababababababababababababab", FUOTA_NOT_FOUND },
        { "11abababababababababababababab", FUOTA_OK },
        { "11abababababababababababababababa", FUOTA_NOT_FOUND },
        { "11ABab", FUOTA_OK }, { "11aba", FUOTA_OK }, { "11ab", FUOTA_OK },
        { "11a", FUOTA_NOT_FOUND }, { "11ac", FUOTA_NOT_FOUND },
        { "alpha", FUOTA_OK }, { "alph", FUOTA_NOT_FOUND },
        { "twin", FUOTA_AMBIGUOUS }, { "", FUOTA_NOT_FOUND },
        { "11ab/..", FUOTA_NOT_FOUND } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const fuota_reply_t *reply = s_ask (world, FUOTA_SHOW, cases [i].id);
        if (reply->status != cases [i].status ||
            (!reply->status && strcmp (reply->summaries [0].name, "alpha")))
            fail_msg ("%s: %d %s", cases [i].id, reply->status, reply->words);
    }
}

static void
test_control__name_wins_over_prefix (void **state)
{
    world_t *world = *state;
    memset (world->random, 0xbe, sizeof world->random);
    s_deploy (world, "one");   //  bfbebe...
    s_deploy (world, "bfbe");  //  c0bebe...
    const fuota_reply_t *reply = s_ask (world, FUOTA_SHOW, "bfbe");
    assert_int_equal (reply->status, FUOTA_OK);
    assert_string_equal (reply->summaries [0].name, "bfbe");
    assert_int_equal (s_ask (world, FUOTA_SHOW, "bfbeb")->status, FUOTA_OK);
}

static void
test_control__list_is_paged (void **state)
{
    world_t *world = *state;
    static uint64_t device;
    for (int i = 0; i < 45; i++) {
        s_wish (world, "page");
        device = (uint64_t) i + 1;
        world->devices = &device;
        world->device_count = 1;
        assert_int_equal (s_send (world, FUOTA_DEPLOY)->status, FUOTA_OK);
    }
    static const size_t pages [] = { 20, 20, 5 };
    const fuota_reply_t *reply = s_ask (world, FUOTA_LIST, "");
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal (reply->summaries_count, pages [i]);
        assert_int_equal (reply->next.size > 0, i < 2);
        world->request = (fuota_request_t){ .limit = 100 };
        memcpy (world->request.after.bytes, reply->next.bytes,
            reply->next.size);
        world->request.after.size = reply->next.size;
        if (i < 2)
            reply = s_send (world, FUOTA_LIST);
    }
    world->request = (fuota_request_t){ .limit = 7 };
    assert_int_equal (s_send (world, FUOTA_LIST)->summaries_count, 7);
    world->request.after.size = 3;
    assert_int_equal (s_send (world, FUOTA_LIST)->status, FUOTA_MALFORMED);
}

static void
test_control__hundred_thousand_devices (void **state)
{
    world_t *world = *state;
    size_t count = 100000;
    uint64_t *devices = malloc (count * sizeof *devices);
    for (size_t i = 0; i < count; i++)
        devices [i] = 0x70b3d57ed0000000 + count - i;
    s_wish (world, "large");
    world->devices = devices;
    world->device_count = count;
    const fuota_reply_t *reply = s_send (world, FUOTA_DEPLOY);
    free (devices);
    assert_int_equal (reply->status, FUOTA_OK);
    assert_int_equal (reply->summaries [0].total, count);
    assert_int_equal (world->turn.batch->rows, 2 * count + 5);
    size_t seen = 0;
    reply = s_ask (world, FUOTA_DEVICES, "large");
    while (reply->next.size) {
        seen += reply->devices_count;
        memcpy (world->request.after.bytes, reply->next.bytes, 24);
        world->request.after.size = 24;
        reply = s_send (world, FUOTA_DEVICES);
    }
    assert_int_equal (seen + reply->devices_count, count);
    //  A page of another deployment is refused
    world->request.after.bytes [0] ^= 1;
    world->request.after.size = 24;
    assert_int_equal (s_send (world, FUOTA_DEVICES)->status, FUOTA_MALFORMED);
}

static void
test_control__full_state_is_refused (void **state)
{
    world_t *world = *state;
    size_t count = 900000;  //  Two rows each: more than the map has left
    uint64_t *devices = malloc (count * sizeof *devices);
    for (size_t i = 0; i < count; i++)
        devices [i] = i + 1;
    s_wish (world, "full");
    world->devices = devices;
    world->device_count = count;
    const fuota_reply_t *reply = s_send (world, FUOTA_DEPLOY);
    free (devices);
    if (reply->status == FUOTA_OK)
        fail_msg ("%zu bytes fitted", world->turn.batch->size);
    assert_int_equal (reply->status, FUOTA_FAILED);
    assert_non_null (strstr (reply->words, "state is full"));
    assert_null (world->turn.batch);
    assert_int_equal (world->turn.op, FUOTA_OP_NONE);
    assert_int_equal (reply->summaries_count, 0);
}

static void
test_control__journal (void **state)
{
    world_t *world = *state;
    s_deploy (world, "first");
    s_deploy (world, "second");
    const fuota_reply_t *reply = s_ask (world, FUOTA_JOURNAL, "second");
    assert_int_equal (reply->lines_count, 1);
    assert_string_equal (reply->lines [0].what, "phase");
    assert_string_equal (reply->lines [0].name, "preparing");
    //  Below all that a worker will write
    assert_int_equal (reply->lines [0].seq, 1);
}

//  Put the group of the last deployment into a state.
static void
s_set_group (world_t *world, const uint8_t *id, Phase phase, bool paused,
    bool cancelled)
{
    fuota_group_t group = { .phase = phase,
        .paused = paused,
        .cancelled = cancelled };
    fuota_batch_t batch = { 0 };
    fuota_key_t key = fuota_key_id (id);
    fuota_batch_record (&batch, FUOTA_TABLE_GROUP, &key, Group_fields, &group);
    fuota_slice_t bytes = fuota_slice (batch.data, batch.size);
    assert_int_equal (fuota_db_apply (world->db, &bytes, 1), 0);
    fuota_batch_release (&batch);
}

static void
test_control__orders_by_phase (void **state)
{
    world_t *world = *state;
    s_deploy (world, "order");
    uint8_t id [FUOTA_ID_SIZE];
    memcpy (id, world->turn.id, sizeof id);
    static const struct {
        Phase phase;
        bool paused, cancelled;
        RequestCommand command;
        fuota_op_t op;  //  NONE: not now
    } cases [] = {
        { FUOTA_PREPARING, false, false, FUOTA_PAUSE, FUOTA_OP_PAUSE },
        { FUOTA_SENDING, true, false, FUOTA_PAUSE, FUOTA_OP_NONE },
        { FUOTA_SENDING, true, false, FUOTA_RESUME, FUOTA_OP_RESUME },
        { FUOTA_SENDING, false, false, FUOTA_RESUME, FUOTA_OP_NONE },
        { FUOTA_SENDING, true, false, FUOTA_CANCEL, FUOTA_OP_CANCEL },
        { FUOTA_SENDING, false, true, FUOTA_CANCEL, FUOTA_OP_NONE },
        { FUOTA_FINISHING, false, false, FUOTA_PAUSE, FUOTA_OP_NONE },
        { FUOTA_FINISHING, false, false, FUOTA_CANCEL, FUOTA_OP_NONE },
        { FUOTA_OVER, false, false, FUOTA_CANCEL, FUOTA_OP_NONE },
        { FUOTA_OVER, true, false, FUOTA_RESUME, FUOTA_OP_NONE },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        s_set_group (world, id, cases [i].phase, cases [i].paused,
            cases [i].cancelled);
        const fuota_reply_t *reply = s_ask (world, cases [i].command, "order");
        ReplyStatus want = cases [i].op ? FUOTA_OK : FUOTA_NOT_NOW;
        if (reply->status != want || world->turn.op != cases [i].op)
            fail_msg ("case %zu: %d op %d %s", i, reply->status, world->turn.op,
                reply->words);
        assert_memory_equal (world->turn.id, id, sizeof id);
    }
    assert_int_equal (s_ask (world, FUOTA_PAUSE, "none")->status,
        FUOTA_NOT_FOUND);
}

static void
test_control__finished_deployments_free_their_devices (void **state)
{
    world_t *world = *state;
    for (int i = 0; i < 4; i++)
        s_deploy (world, "many");
    s_set_group (world, world->turn.id, FUOTA_OVER, false, false);
    s_deploy (world, "fifth");
}

static void
test_control__failed_commit_is_a_refusal (void **state)
{
    world_t *world = *state;
    s_deploy (world, "lost");
    fuota_control_failed (&world->turn, "the store is away");
    assert_int_equal (world->turn.reply.status, FUOTA_FAILED);
    assert_string_equal (world->turn.reply.words, "the store is away");
    assert_int_equal (world->turn.op, FUOTA_OP_NONE);
}

//  The host is asked first; then its findings come after our own.
static void
test_control__check_asks_the_host (void **state)
{
    static const uint8_t request [] = { 8, FUOTA_CHECK };
    world_t *world = *state;
    fuota_slice_t bytes = fuota_slice (request, sizeof request);
    fuota_control_take (world->control, bytes, NOW, world->random,
        &world->turn);
    assert_true (world->turn.asks);
    assert_int_equal (world->turn.question.kind, FUOTA_QUESTION_CHECK);
    assert_string_equal (world->turn.question.application, "app");
    assert_null (world->turn.batch);
    fuota_known_t known = { .over = false };
    for (int i = 0; i < 30; i++)
        fuota_known_find (&known, i == 3 ? "api key" : "device profile",
            i == 3 ? FUOTA_FINDING_WRONG : FUOTA_FINDING_OK, "", "");
    fuota_known_find (&known, "gateways", FUOTA_FINDING_WARNING, "", "");
    fuota_known_end (&known, "the host is not there");
    fuota_control_resume (world->control, bytes, &known, NOW, world->random,
        &world->turn);
    const fuota_reply_t *reply = &world->turn.reply;
    assert_false (world->turn.asks);
    assert_int_equal (reply->status, FUOTA_OK);
    assert_string_equal (reply->findings [0].what, "fuotad");
    assert_string_equal (reply->findings [0].words, "fuotad test");
    assert_string_equal (reply->findings [1].what, "state");
    assert_string_equal (reply->findings [2].what, "device profile");
    //  What is well gives way to what is not
    assert_int_equal (reply->findings_count, 20);
    assert_true (reply->findings_left_out);
    assert_string_equal (reply->findings [5].what, "api key");
    assert_string_equal (reply->findings [17].what, "device profile");
    assert_string_equal (reply->findings [18].what, "gateways");
    assert_string_equal (reply->findings [19].what, "host");
    //  The host's fault is a finding
    fuota_known_release (&known);
    fuota_known_end (&known, "the host is not there");
    fuota_control_resume (world->control, bytes, &known, NOW, world->random,
        &world->turn);
    assert_int_equal (reply->findings_count, 3);
    assert_int_equal (reply->findings [2].level, FUOTA_FINDING_WRONG);
    assert_string_equal (reply->findings [2].words, "the host is not there");
    static uint8_t coded [Reply_size];
    assert_true (fuota_control_encode (reply, coded, sizeof coded));
    //  One that is never asked is not wrong
    known.deaf = true;
    fuota_control_resume (world->control, bytes, &known, NOW, world->random,
        &world->turn);
    assert_int_equal (reply->findings [2].level, FUOTA_FINDING_OK);
    fuota_known_release (&known);
}

//  Who a wish is for, by what the host answers.
static void
test_control__devices_of_the_host (void **state)
{
    static const struct {
        const char *name;
        const char *fault;  //  Of the host
        bool select, deaf, listed, no_application, versions;
        size_t told;  //  Devices
        ReplyStatus status;
        const char *field;  //  Of the first fault
        uint32_t total;
    } cases [] = {
        { "selected", "", true, false, false, false, false, 3, FUOTA_OK, "",
            3 },
        { "nobody has that tag", "", true, false, false, false, false, 0,
            FUOTA_FAULTS, "select", 0 },
        { "tag and list", "", true, false, true, false, false, 3, FUOTA_FAULTS,
            "select", 0 },
        { "neither", "", false, false, false, false, false, 3, FUOTA_FAULTS,
            "devices", 0 },
        { "no application", "", true, false, false, true, false, 0,
            FUOTA_FAULTS, "application", 0 },
        { "selected, host away", "away", true, false, false, false, true, 0,
            FUOTA_FAILED, "", 0 },
        { "selected, host deaf", "deaf", true, true, false, false, true, 0,
            FUOTA_FAILED, "", 0 },
        { "listed", "", false, false, true, false, false, 3, FUOTA_OK, "", 3 },
        { "listed, one is not there", "", false, false, true, false, false, 2,
            FUOTA_FAULTS, "devices", 0 },
        { "listed, host away", "away", false, false, true, false, false, 0,
            FUOTA_FAILED, "", 0 },
        { "listed, host away, versions known", "away", false, false, true,
            false, true, 0, FUOTA_OK, "", 3 },
        { "listed, host deaf", "deaf", false, true, true, false, false, 0,
            FUOTA_OK, "", 3 },
    };
    static fuota_known_device_t devices [] = { { 1, 0 }, { 2, 0 }, { 3, 0 } };
    world_t *world = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        s_wish (world, cases [i].name);
        fuota_wish_t *wish = &world->request.wish;
        if (!cases [i].listed)
            world->device_count = 0;
        if (cases [i].select) {
            wish->select_count = 1;
            strcpy (wish->select [0].key, "model");
            strcpy (wish->select [0].value, "x");
        }
        if (cases [i].versions)
            wish->ts003 = wish->ts004 = wish->ts005 = 1;
        world->known = (fuota_known_t){ .over = true,
            .deaf = cases [i].deaf,
            .no_application = cases [i].no_application,
            .kind_count = 1,
            .devices = devices,
            .device_count = cases [i].told };
        strcpy (world->known.fault, cases [i].fault);
        const fuota_reply_t *reply = s_send (world, FUOTA_PLAN);
        const char *field = reply->faults_count ? reply->faults [0].field : "";
        uint32_t total =
            reply->summaries_count ? reply->summaries [0].total : 0;
        if (reply->status != cases [i].status ||
            strcmp (field, cases [i].field) != 0 || total != cases [i].total)
            fail_msg ("%s: %d %s: %s, %u devices", cases [i].name,
                (int) reply->status, field, reply->words, (unsigned) total);
    }
}

//  A token that is known is answered without the host.
static void
test_control__token_before_the_host (void **state)
{
    static fuota_known_device_t devices [] = { { 1, 0 }, { 2, 0 } };
    world_t *world = *state;
    world->known = (fuota_known_t){ .over = true,
        .kind_count = 1,
        .devices = devices,
        .device_count = 2 };
    for (int i = 0; i < 2; i++) {
        s_wish (world, "all");
        world->device_count = 0;
        world->request.wish.all_devices = true;
        strcpy (world->request.wish.token, "once");
        const fuota_reply_t *reply = s_send (world, FUOTA_DEPLOY);
        assert_int_equal (reply->status, FUOTA_OK);
        assert_int_equal (reply->summaries [0].total, 2);
        assert_int_equal (reply->existed, i);
        strcpy (world->known.fault, "away");
    }
}

//  ---------------------------------------------------------------------
//  Gateways

static void
s_record (world_t *world, fuota_table_t table, fuota_key_t key,
    const pb_msgdesc_t *fields, const void *record)
{
    fuota_batch_t batch = { 0 };
    fuota_batch_record (&batch, table, &key, fields, record);
    fuota_slice_t bytes = fuota_slice (batch.data, batch.size);
    assert_int_equal (fuota_db_apply (world->db, &bytes, 1), 0);
    fuota_batch_release (&batch);
}

static void
s_heard (world_t *world, uint64_t dev_eui, uint64_t gateway)
{
    fuota_reception_t reception = { .uplinks = 4,
        .heard_count = 1,
        .heard = { { gateway, 4 } } };
    s_record (world, FUOTA_TABLE_RECEPTION, fuota_key_eui (dev_eui),
        Reception_fields, &reception);
}

//  Where the host has gateways those that were heard are taken, and told; with
//  too little known the wish is refused, and a list helps.
static void
test_control__gateways_are_chosen (void **state)
{
    world_t *world = *state;
    fuota_deployment_t deployment;
    fuota_gateway_t roof = { .name = "roof", .state = FUOTA_GATEWAY_ONLINE };
    world->table.chooses = true;
    s_heard (world, 1, 5);
    s_wish (world, "one");
    const fuota_reply_t *reply = s_send (world, FUOTA_DEPLOY);
    assert_int_equal (reply->status, FUOTA_FAULTS);
    assert_int_equal (reply->faults_count, 1);
    assert_string_equal (reply->faults [0].field, "gateways");
    assert_string_equal (reply->faults [0].value, "auto");
    assert_non_null (strstr (reply->faults [0].allowed,
        "2 of 3 devices not heard (0000000000000002, 0000000000000003)"));

    world->request.wish.gateways_count = 1;
    world->request.wish.gateways [0] = 5;
    reply = s_send (world, FUOTA_PLAN);
    assert_int_equal (reply->status, FUOTA_OK);
    assert_int_equal (reply->gateways_count, 1);
    assert_false (reply->gateways_chosen);
    assert_int_equal (reply->unheard, 2);

    s_heard (world, 2, 5);
    s_heard (world, 3, 6);
    s_record (world, FUOTA_TABLE_GATEWAY, fuota_key_eui (5), Gateway_fields,
        &roof);
    s_record (world, FUOTA_TABLE_GATEWAY, fuota_key_eui (6), Gateway_fields,
        &roof);
    s_wish (world, "one");
    reply = s_send (world, FUOTA_DEPLOY);
    assert_int_equal (reply->status, FUOTA_OK);
    assert_true (reply->gateways_chosen);
    assert_int_equal (reply->gateways_count, 2);
    assert_int_equal (reply->gateways [0].gateway, 5);
    assert_int_equal (reply->gateways [0].devices, 2);
    assert_string_equal (reply->gateways [0].name, "roof");
    assert_string_equal (reply->gateways [0].state, "online");
    assert_int_equal (reply->unheard, 0);
    assert_int_equal (reply->summaries [0].gateways, 2);
    fuota_key_t key = fuota_key_id (world->turn.id);
    fuota_read_t *read = fuota_db_read (world->db);
    assert_int_equal (fuota_read_record (read, FUOTA_TABLE_DEPLOYMENT, &key,
                          Deployment_fields, &deployment),
        0);
    fuota_read_end (&read);
    assert_int_equal (deployment.gateways_count, 2);
    assert_int_equal (deployment.gateways [1], 6);
    reply = s_ask (world, FUOTA_JOURNAL, "one");
    assert_int_equal (reply->lines_count, 2);
    assert_string_equal (reply->lines [1].name, "gateways chosen");
    assert_string_equal (reply->lines [1].words,
        "0000000000000005, 0000000000000006");
    //  The same wish with the same token later: what was made, whatever is
    //  heard by now. And a host that finds them by itself is told none
    world->table.chooses = false;
    s_wish (world, "two");
    reply = s_send (world, FUOTA_PLAN);
    assert_int_equal (reply->summaries [0].gateways, 0);
    assert_int_equal (reply->gateways_count, 0);
}

//  All gateways with their hour, page by page; one deployment's with the fate
//  of its fragments, which is forgotten with it.
static void
test_control__gateways_are_told (void **state)
{
    world_t *world = *state;
    fuota_air_t air = { .minute = NOW / 60000 };
    fuota_fate_t fate = { .by_word = { 1, 40, 2 } };
    fuota_gateway_t roof = { .name = "roof", .heard_at = NOW };
    air.used [NOW / 60000 % 60] = 1234;
    for (uint64_t eui = 1; eui <= 20; eui++)
        s_record (world, FUOTA_TABLE_GATEWAY, fuota_key_eui (eui),
            Gateway_fields, &roof);
    s_record (world, FUOTA_TABLE_AIR, fuota_key_air (3, 869400000), Air_fields,
        &air);
    s_record (world, FUOTA_TABLE_AIR, fuota_key_air (3, 0), Air_fields, &air);
    s_record (world, FUOTA_TABLE_AIR, fuota_key_air (3, 7), Air_fields, &air);
    const fuota_reply_t *reply = s_ask (world, FUOTA_GATEWAYS, "");
    assert_int_equal (reply->gateways_count, 16);
    const GatewayLine *line = &reply->gateways [2];
    assert_int_equal (line->bands_count, 3);
    assert_int_equal (line->bands [0].low, 0);
    assert_int_equal (line->bands [1].low, 0);  //  No band of ours
    assert_int_equal (line->bands [2].low, 869400000);
    assert_int_equal (line->bands [2].high, 869650000);
    assert_int_equal (line->bands [2].duty, 100);
    assert_int_equal (line->bands [2].used, 1234);
    world->request.after.size = reply->next.size;
    memcpy (world->request.after.bytes, reply->next.bytes, reply->next.size);
    reply = s_send (world, FUOTA_GATEWAYS);
    assert_int_equal (reply->gateways_count, 4);
    assert_int_equal (reply->next.size, 0);

    s_deploy (world, "mine");
    uint8_t id [FUOTA_ID_SIZE];
    memcpy (id, world->turn.id, sizeof id);
    s_record (world, FUOTA_TABLE_FATE, fuota_key_device (id, 3), Fate_fields,
        &fate);
    id [0] ^= 1;
    s_record (world, FUOTA_TABLE_FATE, fuota_key_device (id, 4), Fate_fields,
        &fate);
    reply = s_ask (world, FUOTA_GATEWAYS, "mine");
    assert_int_equal (reply->gateways_count, 1);
    assert_int_equal (reply->gateways [0].gateway, 3);
    assert_int_equal (reply->gateways [0].by_word_count, FUOTA_WORDS);
    assert_int_equal (reply->gateways [0].by_word [FUOTA_WORD_OK], 40);
    reply = s_ask (world, FUOTA_GATEWAYS, "nobody's");
    assert_int_equal (reply->status, FUOTA_NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (test_control__hostile_bytes_are_malformed),
        TEST (test_control__too_large_is_malformed),
        TEST (test_control__version),
        TEST (test_control__deploy_writes_every_row),
        TEST (test_control__key_is_never_answered),
        TEST (test_control__plan_stores_nothing),
        TEST (test_control__faults_are_answered),
        TEST (test_control__stored_image_is_named_by_its_hash),
        TEST (test_control__token_makes_it_idempotent),
        TEST (test_control__device_in_four_deployments),
        TEST (test_control__id_prefix_and_name),
        TEST (test_control__name_wins_over_prefix),
        TEST (test_control__list_is_paged),
        TEST (test_control__hundred_thousand_devices),
        TEST (test_control__full_state_is_refused),
        TEST (test_control__journal),
        TEST (test_control__orders_by_phase),
        TEST (test_control__finished_deployments_free_their_devices),
        TEST (test_control__failed_commit_is_a_refusal),
        TEST (test_control__check_asks_the_host),
        TEST (test_control__devices_of_the_host),
        TEST (test_control__token_before_the_host),
        TEST (test_control__gateways_are_chosen),
        TEST (test_control__gateways_are_told),
    };
    return cmocka_run_group_tests_name ("control", tests, NULL, NULL);
}
