//  SPDX-License-Identifier: MIT
//
//  Fields and bytes of one answer, without HTTP/2 around them.

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "broker/host/grpc_reply.h"

static size_t s_blocks;  //  Allocated now

static void *
s_resize (void *ptr, size_t size)
{
    if (ptr && !size) {
        free (ptr);
        s_blocks--;
        return NULL;
    }
    s_blocks += ptr == NULL;
    return realloc (ptr, size);
}

static fuota_grpc_memory_t
s_memory (void)
{
    fuota_grpc_memory_t memory = { s_resize, 100, 150, 0 };
    return memory;
}

static fuota_slice_t
s_slice (const char *text)
{
    return fuota_slice (text, strlen (text));
}

static void
s_fields (fuota_grpc_reply_t *reply, const char *const *fields)
{
    for (; fields [0]; fields += 2)
        fuota_grpc_reply_header (reply, s_slice (fields [0]),
            s_slice (fields [1]));
}

static void
test_grpc_reply__fields_to_status (void **state)
{
    static const struct {
        const char *name;
        const char *fields [12];
        fuota_grpc_status_t status;
        const char *text;
    } cases [] = {
        { "nothing", { NULL }, FUOTA_GRPC_UNKNOWN, "HTTP status 000" },
        { "a page", { ":status", "200", "content-type", "text/html" },
            FUOTA_GRPC_UNKNOWN, "not a gRPC answer" },
        { "grpc-web",
            { ":status", "200", "content-type", "application/grpc-web",
                "grpc-status", "0" },
            FUOTA_GRPC_UNKNOWN, "not a gRPC answer" },
        { "no status", { ":status", "200", "content-type", "application/grpc" },
            FUOTA_GRPC_UNKNOWN, "no status in the answer" },
        { "400", { ":status", "400" }, FUOTA_GRPC_INTERNAL, "HTTP status 400" },
        { "401", { ":status", "401" }, FUOTA_GRPC_UNAUTHENTICATED,
            "HTTP status 401" },
        { "403", { ":status", "403" }, FUOTA_GRPC_PERMISSION_DENIED,
            "HTTP status 403" },
        { "404", { ":status", "404" }, FUOTA_GRPC_UNIMPLEMENTED,
            "HTTP status 404" },
        { "429", { ":status", "429" }, FUOTA_GRPC_UNAVAILABLE,
            "HTTP status 429" },
        { "502", { ":status", "502", "content-type", "text/html" },
            FUOTA_GRPC_UNAVAILABLE, "HTTP status 502" },
        { "503 and a status",
            { ":status", "503", "content-type", "application/grpc",
                "grpc-status", "8" },
            FUOTA_GRPC_RESOURCE_EXHAUSTED, "" },
        { "500", { ":status", "500" }, FUOTA_GRPC_UNKNOWN, "HTTP status 500" },
        { "status too long", { ":status", "2000" }, FUOTA_GRPC_UNKNOWN,
            "HTTP status 000" },
        { "with parameters",
            { ":status", "200", "content-type", "application/grpc; a=b",
                "grpc-status", "16" },
            FUOTA_GRPC_UNAUTHENTICATED, "" },
        { "proto",
            { ":status", "200", "content-type", "application/grpc+proto",
                "grpc-status", "5", "grpc-message", "Object%20does not exist" },
            FUOTA_GRPC_NOT_FOUND, "Object does not exist" },
        { "status 17",
            { ":status", "200", "content-type", "application/grpc",
                "grpc-status", "17" },
            FUOTA_GRPC_UNKNOWN, "" },
        { "status -1",
            { ":status", "200", "content-type", "application/grpc",
                "grpc-status", "-1" },
            FUOTA_GRPC_UNKNOWN, "" },
        { "empty status",
            { ":status", "200", "content-type", "application/grpc",
                "grpc-status", "" },
            FUOTA_GRPC_UNKNOWN, "" },
        { "huge status",
            { ":status", "200", "content-type", "application/grpc",
                "grpc-status", "99999999999999999999" },
            FUOTA_GRPC_UNKNOWN, "" },
        { "OK but no message",
            { ":status", "200", "content-type", "application/grpc",
                "grpc-status", "0" },
            FUOTA_GRPC_INTERNAL, "no message in the answer" },
        { "interim forgotten",
            { ":status", "103", "content-type", "application/grpc",
                "grpc-status", "3", ":status", "502" },
            FUOTA_GRPC_UNAVAILABLE, "HTTP status 502" },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fuota_grpc_reply_t reply;
        fuota_grpc_reply_init (&reply);
        s_fields (&reply, cases [i].fields);
        fuota_grpc_status_t status = fuota_grpc_reply_end (&reply);
        if (status != cases [i].status || strcmp (reply.text, cases [i].text))
            fail_msg ("%s: %s \"%s\"", cases [i].name,
                fuota_grpc_status_name (status), reply.text);
    }
}

static void
test_grpc_reply__text_is_one_clean_line (void **state)
{
    static const struct {
        const char *sent, *text;
    } cases [] = {
        { "", "" },
        { "plain", "plain" },
        { "a%20b", "a b" },
        { "a%2fb%2F", "a/b/" },
        { "100%", "100%" },
        { "100%2", "100%2" },
        { "%zz%4", "%zz%4" },
        { "%c3%bc", "\xc3\xbc" },
        { "%e2%82%ac %f0%9f%98%80", "\xe2\x82\xac \xf0\x9f\x98\x80" },
        { "%00x%0a%1b[2J%7f", "?x??[2J?" },
        { "%c3", "?" },
        { "%c3(", "?(" },
        { "%c0%af", "??" },
        { "%e0%80%af", "???" },
        { "%ed%a0%80", "???" },
        { "%f4%90%80%80", "????" },
        { "%ff%fe", "??" },
        { "%c2%9b2J", "??2J" },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fuota_grpc_reply_t reply;
        fuota_grpc_reply_init (&reply);
        fuota_grpc_reply_header (&reply, s_slice ("grpc-message"),
            s_slice (cases [i].sent));
        if (strcmp (reply.text, cases [i].text))
            fail_msg ("%s: \"%s\"", cases [i].sent, reply.text);
    }
}

//  A character that does not fit is not cut in the middle
static void
test_grpc_reply__long_text_is_cut (void **state)
{
    (void) state;
    for (size_t length = FUOTA_GRPC_TEXT - 4; length < 1000; length += 3) {
        char text [1000];
        memset (text, 'a', sizeof text);
        memcpy (text + FUOTA_GRPC_TEXT - 3, "\xe2\x82\xac", 3);
        fuota_grpc_reply_t reply;
        fuota_grpc_reply_init (&reply);
        fuota_grpc_reply_header (&reply, s_slice ("grpc-message"),
            fuota_slice (text, length));
        assert_true (strlen (reply.text) < FUOTA_GRPC_TEXT);
        assert_null (strchr (reply.text, '\xe2'));
    }
}

static void
test_grpc_reply__bodies (void **state)
{
    static const struct {
        const char *name;
        uint8_t bytes [16];
        size_t size;
        fuota_grpc_status_t status;
        size_t message;
        const char *text;
    } cases [] = {
        { "empty", { 0 }, 0, FUOTA_GRPC_INTERNAL, 0,
            "no message in the answer" },
        { "prefix cut", { 0, 0, 0, 0 }, 4, FUOTA_GRPC_INTERNAL, 0,
            "message cut short" },
        { "nothing in it", { 0, 0, 0, 0, 0 }, 5, FUOTA_GRPC_OK, 0, "" },
        { "one byte", { 0, 0, 0, 0, 1, 7 }, 6, FUOTA_GRPC_OK, 1, "" },
        { "three", { 0, 0, 0, 0, 3, 7, 8, 9 }, 8, FUOTA_GRPC_OK, 3, "" },
        { "cut", { 0, 0, 0, 0, 3, 7, 8 }, 7, FUOTA_GRPC_INTERNAL, 0,
            "message cut short" },
        { "too much", { 0, 0, 0, 0, 1, 7, 8 }, 7, FUOTA_GRPC_INTERNAL, 0,
            "more than one message" },
        { "two", { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, 10, FUOTA_GRPC_INTERNAL, 0,
            "more than one message" },
        { "compressed", { 1, 0, 0, 0, 1, 7 }, 6, FUOTA_GRPC_INTERNAL, 0,
            "compressed message" },
        { "flag 255", { 255, 0, 0, 0, 1, 7 }, 6, FUOTA_GRPC_INTERNAL, 0,
            "compressed message" },
        { "limit and one", { 0, 0, 0, 0, 101 }, 5,
            FUOTA_GRPC_RESOURCE_EXHAUSTED, 0, "message larger than our limit" },
        { "huge", { 0, 255, 255, 255, 255, 7 }, 6,
            FUOTA_GRPC_RESOURCE_EXHAUSTED, 0, "message larger than our limit" },
    };
    static const char *const fields [] = { ":status", "200", "content-type",
        "application/grpc", "grpc-status", "0", NULL };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t step = 1; step <= 16; step++) {
            fuota_grpc_memory_t memory = s_memory ();
            fuota_grpc_reply_t reply;
            fuota_grpc_reply_init (&reply);
            s_fields (&reply, fields);
            for (size_t at = 0; at < cases [i].size; at += step)
                fuota_grpc_reply_data (&reply, &memory,
                    fuota_slice (cases [i].bytes + at,
                        cases [i].size - at < step ? cases [i].size - at
                                                   : step));
            fuota_grpc_status_t status = fuota_grpc_reply_end (&reply);
            if (status != cases [i].status ||
                strcmp (reply.text, cases [i].text) ||
                (status == FUOTA_GRPC_OK && reply.size != cases [i].message))
                fail_msg ("%s by %zu: %s \"%s\"", cases [i].name, step,
                    fuota_grpc_status_name (status), reply.text);
            if (status == FUOTA_GRPC_OK && reply.size)
                assert_memory_equal (reply.data, cases [i].bytes + 5,
                    reply.size);
            fuota_grpc_reply_release (&reply, &memory);
            assert_int_equal (memory.held, 0);
        }
    assert_int_equal (s_blocks, 0);
}

static void
test_grpc_reply__answers_together_are_bounded (void **state)
{
    static const char *const fields [] = { ":status", "200", "content-type",
        "application/grpc", "grpc-status", "0", NULL };
    static const uint8_t bytes [105] = { 0, 0, 0, 0, 100 };
    (void) state;
    fuota_grpc_memory_t memory = s_memory ();
    fuota_grpc_reply_t replies [2];
    for (size_t i = 0; i < 2; i++) {
        fuota_grpc_reply_init (&replies [i]);
        s_fields (&replies [i], fields);
        fuota_grpc_reply_data (&replies [i], &memory,
            fuota_slice (bytes, sizeof bytes));
    }
    assert_int_equal (memory.held, 100);
    assert_int_equal (fuota_grpc_reply_end (&replies [0]), FUOTA_GRPC_OK);
    assert_int_equal (fuota_grpc_reply_end (&replies [1]),
        FUOTA_GRPC_RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < 2; i++)
        fuota_grpc_reply_release (&replies [i], &memory);
    assert_int_equal (memory.held, 0);
}

static void
test_grpc_reply__names (void **state)
{
    (void) state;
    assert_string_equal (fuota_grpc_status_name (FUOTA_GRPC_OK), "OK");
    assert_string_equal (fuota_grpc_status_name (FUOTA_GRPC_UNAVAILABLE),
        "UNAVAILABLE");
    assert_string_equal (fuota_grpc_status_name ((fuota_grpc_status_t) 99),
        "UNKNOWN");
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_grpc_reply__fields_to_status),
        cmocka_unit_test (test_grpc_reply__text_is_one_clean_line),
        cmocka_unit_test (test_grpc_reply__long_text_is_cut),
        cmocka_unit_test (test_grpc_reply__bodies),
        cmocka_unit_test (test_grpc_reply__answers_together_are_bounded),
        cmocka_unit_test (test_grpc_reply__names),
    };
    return cmocka_run_group_tests_name ("grpc_reply", tests, NULL, NULL);
}
