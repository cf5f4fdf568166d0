//  SPDX-License-Identifier: MIT
//
//  The client against a server session of nghttp2, both in memory: what a
//  server does that keeps the rules, at once, late, or never. Time is a
//  number.

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "broker/host/grpc.h"
#include "tests/grpc_server.h"

#define MANY 64

typedef struct {
    fuota_grpc_t *client;
    grpc_server_t *server;
    int32_t streams [256];  //  Of requests that came whole
    uint8_t bodies [256][8];
    size_t count;
    grpc_request_t last;
    bool echo;
    int64_t now;
} world_t;

static world_t s_world;
static size_t s_blocks, s_allowed = SIZE_MAX;  //  Allocations until one fails

static void *
s_resize (void *ptr, size_t size)
{
    if (ptr && !size) {
        free (ptr);
        s_blocks--;
        return NULL;
    }
    if (!s_allowed)
        return NULL;
    if (s_allowed != SIZE_MAX)
        s_allowed--;
    s_blocks += ptr == NULL;
    return realloc (ptr, size);
}

static void
s_take (grpc_server_t *server, const grpc_request_t *request, void *arg)
{
    world_t *world = arg;
    world->last = *request;
    world->last.body = NULL;  //  Borrowed
    if (world->count < 256) {
        size_t size = request->size - 5 < 8 ? request->size - 5 : 8;
        memcpy (world->bodies [world->count], request->body + 5, size);
        world->streams [world->count++] = request->stream;
    }
    if (world->echo)
        grpc_server_answer (server, request->stream, "0", "",
            fuota_slice (request->body + 5, request->size - 5));
}

static void
s_connect (world_t *world, int32_t max_streams, int32_t window)
{
    grpc_server_destroy (&world->server);
    world->server = grpc_server_new (max_streams, window, s_take, world);
    world->count = 0;
    assert_int_equal (fuota_grpc_open (world->client, world->now), 0);
}

static world_t *
s_start (void **state, size_t calls)
{
    const fuota_grpc_config_t config = { .resize = s_resize,
        .authority = "host:8080",
        .token = "abc.def",
        .calls = calls,
        .max_message = 8 << 20 };
    int rc;
    world_t *world = *state = &s_world;
    memset (world, 0, sizeof *world);
    world->client = fuota_grpc_new (&config, &rc);
    assert_non_null (world->client);
    return world;
}

static int
s_stop (void **state)
{
    world_t *world = *state;
    fuota_grpc_destroy (&world->client);
    grpc_server_destroy (&world->server);
    return s_blocks ? -1 : 0;
}

//  Until neither has anything to say
static void
s_pump (world_t *world)
{
    static uint8_t bytes [65536];
    size_t size;
    bool any = true;
    while (any) {
        any = false;
        while ((size = fuota_grpc_output (world->client, bytes, sizeof bytes,
                    world->now))) {
            grpc_server_input (world->server, bytes, size);
            any = true;
        }
        while ((size = grpc_server_output (world->server, bytes, 777))) {
            fuota_grpc_input (world->client, fuota_slice (bytes, size),
                world->now);
            any = true;
        }
    }
}

static void
s_call (world_t *world, uint64_t tag, int64_t deadline)
{
    int rc = fuota_grpc_call (world->client, tag, "/api.Test/Call",
        fuota_slice (&tag, sizeof tag), deadline);
    assert_int_equal (rc, 0);
}

static fuota_grpc_answer_t
s_answer (world_t *world)
{
    fuota_grpc_answer_t answer;
    assert_true (fuota_grpc_answer (world->client, &answer));
    return answer;
}

static void
s_no_answer (world_t *world)
{
    fuota_grpc_answer_t answer;
    assert_false (fuota_grpc_answer (world->client, &answer));
}

static void
test_grpc__what_a_request_says (void **state)
{
    world_t *world = s_start (state, 4);
    world->echo = true;
    s_connect (world, -1, -1);
    s_call (world, 5, 15000);
    s_pump (world);
    assert_string_equal (world->last.method, "POST");
    assert_string_equal (world->last.path, "/api.Test/Call");
    assert_string_equal (world->last.te, "trailers");
    assert_string_equal (world->last.type, "application/grpc");
    assert_string_equal (world->last.authorization, "Bearer abc.def");
    assert_string_equal (world->last.timeout, "15000m");
    fuota_grpc_answer_t answer = s_answer (world);
    assert_int_equal (answer.tag, 5);
    assert_int_equal (answer.status, FUOTA_GRPC_OK);
    assert_int_equal (answer.message.size, sizeof answer.tag);
    assert_memory_equal (answer.message.data, &answer.tag, sizeof answer.tag);
    s_call (world, 6, INT64_MAX);
    s_pump (world);
    assert_string_equal (world->last.timeout, "");
    assert_int_equal (s_answer (world).tag, 6);
}

static void
test_grpc__what_it_does_not_take (void **state)
{
    world_t *world = s_start (state, 2);
    static const char *const tokens [] = { "", "a b", "line\n", "\x80",
        "a\r\nx-admin:1" };
    fuota_grpc_config_t config = { .resize = s_resize, .authority = "h" };
    int rc;
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        config.token = tokens [i];
        assert_null (fuota_grpc_new (&config, &rc));
        assert_int_equal (rc, FUOTA_EVALUE);
    }
    config.token = NULL;
    config.authority = "h h";
    assert_null (fuota_grpc_new (&config, &rc));
    char path [200] = "";
    memset (path, '/', sizeof path - 1);
    fuota_slice_t empty = fuota_slice (NULL, 0);
    assert_int_equal (fuota_grpc_call (world->client, 1, path, empty, 9),
        FUOTA_EVALUE);
    assert_int_equal (fuota_grpc_call (world->client, 1, "/a",
                          fuota_slice (path, (8 << 20) + 1), 9),
        FUOTA_EVALUE);
    s_call (world, 1, 9);
    s_call (world, 2, 9);
    assert_int_equal (fuota_grpc_call (world->client, 3, "/a", empty, 9),
        FUOTA_EFULL);
    fuota_grpc_refuse (world->client, "no");
    assert_int_equal (s_answer (world).tag, 1);
    assert_int_equal (s_answer (world).tag, 2);  //  1 may be reused from here
    s_call (world, 3, 9);
}

static void
test_grpc__many_in_any_order (void **state)
{
    world_t *world = s_start (state, MANY);
    s_connect (world, -1, -1);
    for (uint64_t round = 0; round < 20; round++) {
        bool seen [MANY] = { false };
        world->count = 0;
        for (uint64_t i = 0; i < MANY; i++)
            s_call (world, i, 1000);
        s_pump (world);
        assert_int_equal (world->count, MANY);
        for (size_t i = 0, at = 0; i < MANY; i++) {
            at = (at + 37 + round * 2) % MANY;  //  Odd steps meet them all
            grpc_server_answer (world->server, world->streams [at], "0", "",
                fuota_slice (world->bodies [at], 8));
            s_pump (world);
            fuota_grpc_answer_t answer = s_answer (world);
            assert_memory_equal (answer.message.data, &answer.tag, 8);
            assert_memory_equal (world->bodies [at], &answer.tag, 8);
            assert_false (seen [answer.tag]);
            seen [answer.tag] = true;
        }
        s_no_answer (world);
    }
}

static void
test_grpc__peers_limit_of_streams (void **state)
{
    world_t *world = s_start (state, MANY);
    fuota_grpc_stats_t stats;
    s_connect (world, 3, -1);
    for (uint64_t i = 0; i < 10; i++)
        s_call (world, i, 1000);
    s_pump (world);
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal (world->count, i + 3 < 10 ? i + 3 : 10);
        fuota_grpc_stats (world->client, &stats);
        assert_int_equal (stats.flying, world->count - i);
        assert_int_equal (stats.waiting, 10 - world->count);
        grpc_server_refuse (world->server, world->streams [i], "9", "busy");
        s_pump (world);
        fuota_grpc_answer_t answer = s_answer (world);
        assert_int_equal (answer.tag, i);
        assert_int_equal (answer.status, FUOTA_GRPC_FAILED_PRECONDITION);
        assert_string_equal (answer.text, "busy");
    }
}

//  Over the window and over the 4 MiB that other clients stop at
static void
test_grpc__large_messages (void **state)
{
    world_t *world = s_start (state, 4);
    size_t size = 5 << 20;
    uint8_t *big = malloc (size);
    assert_non_null (big);
    for (size_t i = 0; i < size; i++)
        big [i] = (uint8_t) (i * 31 + (i >> 9));
    world->echo = true;
    s_connect (world, -1, -1);
    for (uint64_t i = 0; i < 2; i++)
        assert_int_equal (fuota_grpc_call (world->client, i, "/big",
                              fuota_slice (big, size), 1000),
            0);
    s_pump (world);
    for (uint64_t i = 0; i < 2; i++) {
        fuota_grpc_answer_t answer = s_answer (world);
        assert_int_equal (answer.status, FUOTA_GRPC_OK);
        assert_int_equal (answer.message.size, size);
        assert_memory_equal (answer.message.data, big, size);
    }
    free (big);
}

static void
test_grpc__deadlines (void **state)
{
    world_t *world = s_start (state, 4);
    s_connect (world, 1, -1);
    s_call (world, 1, 100);
    s_call (world, 2, 50);  //  Waits: only one stream is allowed
    s_call (world, 3, 200);
    s_pump (world);
    assert_int_equal (fuota_grpc_due (world->client), 50);
    world->now = 49;
    fuota_grpc_tick (world->client, world->now);
    s_no_answer (world);
    world->now = 50;
    fuota_grpc_tick (world->client, world->now);
    fuota_grpc_answer_t answer = s_answer (world);
    assert_int_equal (answer.tag, 2);
    assert_int_equal (answer.status, FUOTA_GRPC_DEADLINE_EXCEEDED);
    assert_true (answer.unprocessed);
    assert_int_equal (fuota_grpc_due (world->client), 100);
    world->now = 100;
    fuota_grpc_tick (world->client, world->now);
    answer = s_answer (world);
    assert_int_equal (answer.tag, 1);
    assert_int_equal (answer.status, FUOTA_GRPC_DEADLINE_EXCEEDED);
    assert_false (answer.unprocessed);
    //  A late answer crosses our RST_STREAM and changes nothing
    grpc_server_answer (world->server, world->streams [0], "0", "",
        fuota_slice ("late", 4));
    s_pump (world);
    s_no_answer (world);
    assert_int_equal (world->count, 2);  //  3 has the stream now
    grpc_server_answer (world->server, world->streams [1], "0", "",
        fuota_slice ("x", 1));
    s_pump (world);
    assert_int_equal (s_answer (world).tag, 3);
}

//  A peer that gives no window never has the whole request
static void
test_grpc__starved_of_window (void **state)
{
    world_t *world = s_start (state, 4);
    s_connect (world, -1, 0);
    s_call (world, 1, 100);
    s_pump (world);
    assert_int_equal (world->count, 0);
    //  Or an actor would turn without end, waiting to write
    assert_false (fuota_grpc_wants_output (world->client));
    world->now = 100;
    fuota_grpc_tick (world->client, world->now);
    fuota_grpc_answer_t answer = s_answer (world);
    assert_int_equal (answer.status, FUOTA_GRPC_DEADLINE_EXCEEDED);
    assert_true (answer.unprocessed);
    s_call (world, 2, 300);
    s_pump (world);
    nghttp2_submit_window_update (grpc_server_session (world->server), 0, 3,
        4);  //  Less than a prefix
    uint8_t bytes [256];
    size_t size = grpc_server_output (world->server, bytes, sizeof bytes);
    fuota_grpc_input (world->client, fuota_slice (bytes, size), world->now);
    size = fuota_grpc_output (world->client, bytes, sizeof bytes, world->now);
    assert_int_equal (size, 9 + 4);  //  A DATA frame with what is allowed
    fuota_grpc_shut (world->client, "cut");
    answer = s_answer (world);
    assert_int_equal (answer.status, FUOTA_GRPC_UNAVAILABLE);
    assert_true (answer.unprocessed);
}

//  An answer before the whole request is an answer
static void
test_grpc__early_refusal (void **state)
{
    world_t *world = s_start (state, 4);
    s_connect (world, -1, 0);
    s_call (world, 1, 100);
    s_pump (world);
    grpc_server_refuse (world->server, 1, "16", "no");
    s_pump (world);
    fuota_grpc_answer_t answer = s_answer (world);
    assert_int_equal (answer.status, FUOTA_GRPC_UNAUTHENTICATED);
    assert_false (answer.unprocessed);
    assert_false (fuota_grpc_wants_output (world->client));
}

static void
test_grpc__goaway_in_the_middle (void **state)
{
    world_t *world = s_start (state, MANY);
    s_connect (world, 16, -1);
    for (uint64_t i = 0; i < 20; i++)
        s_call (world, i, 1000);
    s_pump (world);
    assert_int_equal (world->count, 16);
    //  Streams are 1, 3, 5 ...: the first ten were begun
    nghttp2_submit_goaway (grpc_server_session (world->server), 0, 19, 0, NULL,
        0);
    s_pump (world);
    assert_int_equal (fuota_grpc_state (world->client), FUOTA_GRPC_DRAINING);
    for (size_t i = 10; i < 16; i++) {
        fuota_grpc_answer_t answer = s_answer (world);
        assert_in_range (answer.tag, 10, 15);
        assert_int_equal (answer.status, FUOTA_GRPC_UNAVAILABLE);
        assert_true (answer.unprocessed);
    }
    s_no_answer (world);
    for (size_t i = 0; i < 10; i++)
        grpc_server_answer (world->server, world->streams [i], "0", "",
            fuota_slice (NULL, 0));
    s_pump (world);
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal (s_answer (world).status, FUOTA_GRPC_OK);
    assert_int_equal (fuota_grpc_state (world->client), FUOTA_GRPC_OVER);
    //  Those that waited did not notice
    fuota_grpc_shut (world->client, "closed");
    s_no_answer (world);
    world->echo = true;
    s_connect (world, -1, -1);
    s_pump (world);
    for (uint64_t i = 16; i < 20; i++) {
        fuota_grpc_answer_t answer = s_answer (world);
        assert_int_equal (answer.tag, i);
        assert_int_equal (answer.status, FUOTA_GRPC_OK);
    }
}

static void
test_grpc__lost_connection (void **state)
{
    world_t *world = s_start (state, MANY);
    s_connect (world, 2, -1);
    for (uint64_t i = 0; i < 3; i++)
        s_call (world, i, 1000);
    s_pump (world);
    fuota_grpc_shut (world->client, "connection lost");
    for (uint64_t i = 0; i < 2; i++) {
        fuota_grpc_answer_t answer = s_answer (world);
        assert_int_equal (answer.tag, i);
        assert_int_equal (answer.status, FUOTA_GRPC_UNAVAILABLE);
        assert_string_equal (answer.text, "connection lost");
        assert_false (answer.unprocessed);  //  Nobody can know
    }
    s_no_answer (world);
    fuota_grpc_refuse (world->client, "no server");
    assert_true (s_answer (world).unprocessed);
}

static void
test_grpc__keepalive (void **state)
{
    world_t *world = s_start (state, 4);
    fuota_grpc_stats_t stats;
    s_connect (world, -1, -1);
    s_pump (world);
    assert_int_equal (fuota_grpc_due (world->client), 30000);
    world->now = 30000;
    fuota_grpc_tick (world->client, world->now);
    s_pump (world);  //  PING and its acknowledgement
    assert_int_equal (fuota_grpc_due (world->client), 60000);
    world->now = 60000;
    fuota_grpc_tick (world->client, world->now);
    assert_int_equal (fuota_grpc_due (world->client), 70000);
    world->now = 69999;
    fuota_grpc_tick (world->client, world->now);
    assert_int_equal (fuota_grpc_state (world->client), FUOTA_GRPC_READY);
    world->now = 70000;
    fuota_grpc_tick (world->client, world->now);
    assert_int_equal (fuota_grpc_state (world->client), FUOTA_GRPC_OVER);
    assert_string_equal (fuota_grpc_fault (world->client), "no sign of life");
    fuota_grpc_stats (world->client, &stats);
    assert_int_equal (stats.pings, 2);
    //  A server that has enough of them is asked half as often
    fuota_grpc_shut (world->client, "dead");
    s_connect (world, -1, -1);
    s_pump (world);
    nghttp2_submit_goaway (grpc_server_session (world->server), 0, 0,
        NGHTTP2_ENHANCE_YOUR_CALM, NULL, 0);
    s_pump (world);
    fuota_grpc_shut (world->client, "calm");
    s_connect (world, -1, -1);
    s_pump (world);
    assert_int_equal (fuota_grpc_due (world->client), 130000);
}

//  The k-th allocation fails, for every k: the connection may end, but each
//  call that was taken is answered once, and nothing is left behind.
static void
test_grpc__without_memory (void **state)
{
    world_t *world = s_start (state, 4);
    size_t refused = 0;
    for (size_t k = 0; k < 400; k++) {
        uint64_t taken = 0;
        fuota_grpc_answer_t answer;
        world->echo = true;
        grpc_server_destroy (&world->server);
        world->server = grpc_server_new (-1, -1, s_take, world);
        s_allowed = k;
        if (fuota_grpc_open (world->client, 0) == 0) {
            for (uint64_t i = 0; i < 3; i++)
                taken += fuota_grpc_call (world->client, i, "/t",
                             fuota_slice ("12345678", 8), 1000) == 0;
            s_pump (world);
        }
        s_allowed = SIZE_MAX;
        if (fuota_grpc_state (world->client) != FUOTA_GRPC_CLOSED)
            fuota_grpc_shut (world->client, "shut");
        fuota_grpc_refuse (world->client, "refused");
        for (; taken; taken--) {
            assert_true (fuota_grpc_answer (world->client, &answer));
            refused += answer.status != FUOTA_GRPC_OK;
        }
        s_no_answer (world);
    }
    assert_true (refused > 10);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_teardown (test_grpc__what_a_request_says, s_stop),
        cmocka_unit_test_teardown (test_grpc__what_it_does_not_take, s_stop),
        cmocka_unit_test_teardown (test_grpc__many_in_any_order, s_stop),
        cmocka_unit_test_teardown (test_grpc__peers_limit_of_streams, s_stop),
        cmocka_unit_test_teardown (test_grpc__large_messages, s_stop),
        cmocka_unit_test_teardown (test_grpc__deadlines, s_stop),
        cmocka_unit_test_teardown (test_grpc__starved_of_window, s_stop),
        cmocka_unit_test_teardown (test_grpc__early_refusal, s_stop),
        cmocka_unit_test_teardown (test_grpc__goaway_in_the_middle, s_stop),
        cmocka_unit_test_teardown (test_grpc__lost_connection, s_stop),
        cmocka_unit_test_teardown (test_grpc__keepalive, s_stop),
        cmocka_unit_test_teardown (test_grpc__without_memory, s_stop),
    };
    return cmocka_run_group_tests_name ("grpc_server", tests, NULL, NULL);
}
