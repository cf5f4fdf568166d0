//  SPDX-License-Identifier: MIT
//
//  The framing of port 225: hostile payloads, then multi-package-access.json.

#include "workers/package/explain.h"
#include "workers/package/ts007.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const uint8_t s_versions [FUOTA_PACKAGES] = {
    [FUOTA_TS003] = 2,
    [FUOTA_TS005] = 2,
    [FUOTA_TS004] = 2,
    [FUOTA_TS006] = 1,
};

static void
test_ts007__hostile (void **state)
{
    static const struct {
        const char *name;
        fuota_direction_t direction;
        uint8_t bytes [12];
        size_t size;
        int rc;
        size_t count;
        int token;
        fuota_command_id_t last;
    } cases [] = {
        { "empty", FUOTA_DOWNLINK, { 0 }, 0, FUOTA_ESHORT, 0, -1, 0 },
        { "only a token", FUOTA_DOWNLINK, { 1 }, 1, 0, 0, 1, 0 },
        { "only a token up", FUOTA_UPLINK, { 0xff }, 1, 0, 0, 3, 0 },
        { "RFU of the token", FUOTA_DOWNLINK, { 0, 0xfe }, 2, 0, 1, 2,
            FUOTA_PACKAGE_VERSION_REQ },
        { "unknown package", FUOTA_DOWNLINK, { 0x8a, 0, 1 }, 3, FUOTA_ECOMMAND,
            0, 1, 0 },
        { "one after the last package", FUOTA_DOWNLINK, { 0, 0x85, 0, 1 }, 4,
            FUOTA_ECOMMAND, 1, 1, FUOTA_PACKAGE_VERSION_REQ },
        { "prefix and no command", FUOTA_DOWNLINK, { 0x83, 1 }, 2, FUOTA_ESHORT,
            0, 1, 0 },
        { "two prefixes", FUOTA_DOWNLINK, { 0x83, 0x84, 1, 1 }, 4,
            FUOTA_ECOMMAND, 0, 1, 0 },
        { "unknown command", FUOTA_DOWNLINK, { 0x83, 0, 9, 1 }, 4,
            FUOTA_ECOMMAND, 1, 1, FUOTA_PACKAGE_VERSION_REQ },
        { "cut by its token", FUOTA_DOWNLINK, { 0x83, 3, 0 }, 3, FUOTA_ESHORT,
            0, 0, 0 },
        { "version of the table", FUOTA_UPLINK, { 0x83, 4, 4, 0 }, 4, 0, 1, 0,
            FUOTA_FRAG_RECEIVED_REQ },
        { "back to package 0", FUOTA_DOWNLINK, { 0x84, 1, 0x80, 1, 3 }, 5, 0, 2,
            3, FUOTA_DEV_PACKAGE_REQ },
        { "no session, then another package", FUOTA_UPLINK,
            { 0x83, 1, 4, 0x82, 0, 2, 2, 1 }, 8, 0, 2, 1,
            FUOTA_PACKAGE_VERSION_ANS },
        //  MultiPackBufferReq: alone, and without a token
        { "request", FUOTA_DOWNLINK, { 2, 0, 127 }, 3, 0, 1, -1,
            FUOTA_MULTI_PACK_BUFFER_REQ },
        { "request with a prefix", FUOTA_DOWNLINK, { 0x80, 2, 0, 127 }, 4, 0, 1,
            -1, FUOTA_MULTI_PACK_BUFFER_REQ },
        { "request with a token", FUOTA_DOWNLINK, { 2, 0, 127, 1 }, 4,
            FUOTA_EVALUE, 0, 1, 0 },
        { "request cut", FUOTA_DOWNLINK, { 2, 0 }, 2, FUOTA_EVALUE, 0, 0, 0 },
        { "request after another", FUOTA_DOWNLINK, { 0, 2, 0, 7 }, 4,
            FUOTA_EVALUE, 0, 3, 0 },
        { "request after another package", FUOTA_DOWNLINK,
            { 0x84, 1, 0x80, 2, 0, 7 }, 6, FUOTA_EVALUE, 0, 3, 0 },
        { "0x02 of another package", FUOTA_DOWNLINK, { 0x83, 2, 0 }, 3,
            FUOTA_ESHORT, 0, 0, 0 },
        //  MultiPackBufferFrag
        { "error", FUOTA_UPLINK, { 2, 0xff }, 2, 0, 1, -1,
            FUOTA_MULTI_PACK_BUFFER_FRAG },
        { "error with a prefix", FUOTA_UPLINK, { 0x80, 2, 0xff }, 3, 0, 1, -1,
            FUOTA_MULTI_PACK_BUFFER_FRAG },
        { "error with a token", FUOTA_UPLINK, { 2, 0xff, 2 }, 3, 0, 1, 2,
            FUOTA_MULTI_PACK_BUFFER_FRAG },
        { "part without bytes", FUOTA_UPLINK, { 2, 8, 1 }, 3, FUOTA_ESHORT, 0,
            1, 0 },
        { "part of one byte", FUOTA_UPLINK, { 2, 8, 9, 1 }, 4, 0, 1, 1,
            FUOTA_MULTI_PACK_BUFFER_FRAG },
        { "packages cut", FUOTA_UPLINK, { 1, 2, 0, 1, 225, 1, 1, 0 }, 8,
            FUOTA_ESHORT, 0, 0, 0 },
        { "more than there is room", FUOTA_DOWNLINK, { 0, 0, 0, 0, 0, 0 }, 6,
            FUOTA_EFULL, 4, 0, FUOTA_PACKAGE_VERSION_REQ },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fuota_ts007_item_t items [4];
        fuota_ts007_t got = { items, 4, 99, 99 };
        int rc = fuota_ts007_decode (&got, s_versions, cases [i].direction,
            cases [i].bytes, cases [i].size);
        if (rc != cases [i].rc || got.count != cases [i].count ||
            got.token != cases [i].token)
            fail_msg ("%s: %d after %zu, token %d", cases [i].name, rc,
                got.count, got.token);
        if (got.count && items [got.count - 1].command.id != cases [i].last)
            fail_msg ("%s: last", cases [i].name);
    }
}

static void
test_ts007__encode (void **state)
{
    static const struct {
        const char *name;
        fuota_ts007_item_t items [2];
        size_t count;
        int token;
        int rc;
        uint8_t bytes [8];
        size_t size;
    } cases [] = {
        { "prefix where the package changes",
            { { { .package = FUOTA_TS004,
                    .version = 2,
                    .id = FUOTA_PACKAGE_VERSION_REQ },
                  false },
                { { .package = FUOTA_TS007,
                      .version = 1,
                      .id = FUOTA_DEV_PACKAGE_REQ },
                    false } },
            2, 1, 0, { 0x83, 0, 0x80, 1, 1 }, 5 },
        { "no token",
            { { { .package = FUOTA_TS007,
                    .version = 1,
                    .id = FUOTA_DEV_PACKAGE_REQ },
                false } },
            1, FUOTA_TS007_NO_TOKEN, FUOTA_EVALUE, { 0 }, 0 },
        { "token 4",
            { { { .package = FUOTA_TS007,
                    .version = 1,
                    .id = FUOTA_DEV_PACKAGE_REQ },
                false } },
            1, 4, FUOTA_EVALUE, { 0 }, 0 },
        { "nothing but a token", { { { .version = 1 }, false } }, 0, 2, 0,
            { 2 }, 1 },
        { "request",
            { { { .package = FUOTA_TS007,
                    .version = 1,
                    .id = FUOTA_MULTI_PACK_BUFFER_REQ,
                    .buffer_req = { 8, 15 } },
                false } },
            1, FUOTA_TS007_NO_TOKEN, 0, { 2, 8, 15 }, 3 },
        { "request with a token",
            { { { .package = FUOTA_TS007,
                    .version = 1,
                    .id = FUOTA_MULTI_PACK_BUFFER_REQ,
                    .buffer_req = { 8, 15 } },
                false } },
            1, 1, FUOTA_EVALUE, { 0 }, 0 },
        { "request with company",
            { { { .package = FUOTA_TS007,
                    .version = 1,
                    .id = FUOTA_DEV_PACKAGE_REQ },
                  false },
                { { .package = FUOTA_TS007,
                      .version = 1,
                      .id = FUOTA_MULTI_PACK_BUFFER_REQ },
                    false } },
            2, FUOTA_TS007_NO_TOKEN, FUOTA_EVALUE, { 0 }, 0 },
        { "request turned round",
            { { { .package = FUOTA_TS007,
                    .version = 1,
                    .id = FUOTA_MULTI_PACK_BUFFER_REQ,
                    .buffer_req = { 9, 8 } },
                false } },
            1, FUOTA_TS007_NO_TOKEN, FUOTA_EVALUE, { 0 }, 0 },
        { "second one out of range",
            { { { .package = FUOTA_TS004,
                    .version = 2,
                    .id = FUOTA_PACKAGE_VERSION_REQ },
                  false },
                { { .package = FUOTA_TS004,
                      .version = 2,
                      .id = FUOTA_FRAG_DELETE_REQ,
                      .frag_index = 4 },
                    false } },
            2, 1, FUOTA_EVALUE, { 0 }, 0 },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fuota_ts007_item_t items [2];
        memcpy (items, cases [i].items, sizeof items);
        fuota_ts007_t set = { items, 2, cases [i].count, cases [i].token };
        uint8_t bytes [8];
        fuota_writer_t out = fuota_writer (bytes, sizeof bytes);
        int rc = fuota_ts007_encode (&set, &out);
        if (rc != cases [i].rc || out.at != cases [i].size || out.rc ||
            memcmp (bytes, cases [i].bytes, out.at))
            fail_msg ("%s: %d, %zu bytes", cases [i].name, rc, out.at);
        for (size_t size = 0; size < cases [i].size; size++) {
            out = fuota_writer (bytes, size);
            assert_int_equal (fuota_ts007_encode (&set, &out), FUOTA_EFULL);
            assert_int_equal (out.at, 0);
        }
    }
}

//  ---------------------------------------------------------------------
//  Vectors

static const char *
s_string (const json_t *object, const char *key)
{
    return json_string_value (json_object_get (object, key));
}

static size_t
s_hex (const char *hex, uint8_t *out)
{
    size_t size = strlen (hex) / 2;
    for (size_t i = 0; i < size; i++) {
        char digits [3] = { hex [2 * i], hex [2 * i + 1], 0 };
        out [i] = (uint8_t) strtoul (digits, NULL, 16);
    }
    return size;
}

//  Packages stand as triples in the file.
static void
s_check_packages (const json_t *triples, const json_t *ours)
{
    static const char *const names [] = { "package_identifier",
        "package_version", "f_port" };
    json_t *triple;
    size_t i;
    assert_int_equal (json_array_size (triples), json_array_size (ours));
    json_array_foreach (triples, i, triple) for (size_t k = 0; k < 3; k++)
        assert_true (json_equal (json_array_get (triple, k),
            json_object_get (json_array_get (ours, i), names [k])));
}

//  An item against what the file says of it.
static void
s_check_item (const fuota_ts007_item_t *item, json_t *fields)
{
    char text [FUOTA_EXPLAIN_MAX];
    const char *key;
    json_t *value;
    assert_int_equal (fuota_command_explain_json (&item->command, text,
                          sizeof text),
        0);
    json_t *ours = json_loads (text, 0, NULL);
    assert_non_null (ours);
    json_object_foreach (fields, key, value)
    {
        if (strcmp (key, "package_id") == 0)
            assert_int_equal (item->command.package,
                json_integer_value (value));
        else if (strcmp (key, "prefix") == 0)
            assert_int_equal (item->prefix, json_is_true (value));
        else if (strcmp (key, "packages") == 0)
            s_check_packages (value, json_object_get (ours, key));
        else if (strcmp (key, "token") &&
                 !json_equal (json_object_get (ours, key), value))
            fail_msg ("%s: %s", text, key);
    }
    json_decref (ours);
}

static void
s_check_vector (json_t *vector)
{
    json_t *fields = json_object_get (vector, "fields");
    json_t *token = json_object_get (fields, "token");
    fuota_direction_t direction =
        strcmp (s_string (vector, "direction"), "uplink") ? FUOTA_DOWNLINK
                                                          : FUOTA_UPLINK;
    json_t *list = json_object_get (fields,
        direction == FUOTA_UPLINK ? "answers" : "commands");
    fuota_ts007_item_t items [8];
    fuota_ts007_t got = { items, 8, 0, 0 };
    uint8_t bytes [300], again [300];
    size_t size = s_hex (s_string (vector, "hex"), bytes);
    int rc = fuota_ts007_decode (&got, s_versions, direction, bytes, size);
    if (rc || got.count != (list ? json_array_size (list) : 1))
        fail_msg ("%s: %d after %zu", s_string (vector, "name"), rc, got.count);
    assert_int_equal (got.token, json_is_null (token)
                                     ? FUOTA_TS007_NO_TOKEN
                                     : json_integer_value (token));
    for (size_t i = 0; i < got.count; i++)
        s_check_item (&items [i], list ? json_array_get (list, i) : fields);
    fuota_writer_t out = fuota_writer (again, sizeof again);
    assert_int_equal (fuota_ts007_encode (&got, &out), 0);
    assert_int_equal (out.at, size);
    assert_memory_equal (again, bytes, size);
}

static void
test_ts007__vectors (void **state)
{
    json_t *file =
        json_load_file (FUOTA_VECTORS "/multi-package-access.json", 0, NULL);
    json_t *vectors = json_object_get (file, "vectors"), *vector;
    size_t i;
    (void) state;
    assert_int_equal (json_array_size (vectors), 15);
    json_array_foreach (vectors, i, vector) s_check_vector (vector);
    json_decref (file);
}

static void
test_ts007__malformed_vectors (void **state)
{
    static const struct {
        const char *name;
        int rc;
    } cases [] = {
        { "MultiPackBufferReq with another command", FUOTA_EVALUE },
        { "unknown package", FUOTA_ECOMMAND },
        { "only a token", 0 },
    };
    json_t *file =
        json_load_file (FUOTA_VECTORS "/multi-package-access.json", 0, NULL);
    json_t *list = json_object_get (file, "malformed"), *item;
    size_t i;
    (void) state;
    assert_int_equal (json_array_size (list), sizeof cases / sizeof *cases);
    json_array_foreach (list, i, item)
    {
        fuota_ts007_item_t items [8];
        fuota_ts007_t got = { items, 8, 99, 0 };
        uint8_t bytes [300];
        size_t size = s_hex (s_string (item, "hex"), bytes);
        assert_string_equal (s_string (item, "name"), cases [i].name);
        assert_int_equal (fuota_ts007_decode (&got, s_versions, FUOTA_DOWNLINK,
                              bytes, size),
            cases [i].rc);
        assert_int_equal (got.count, 0);
    }
    json_decref (file);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_ts007__hostile),
        cmocka_unit_test (test_ts007__encode),
        cmocka_unit_test (test_ts007__vectors),
        cmocka_unit_test (test_ts007__malformed_vectors),
    };
    return cmocka_run_group_tests_name ("ts007", tests, NULL, NULL);
}
