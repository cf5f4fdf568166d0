//  SPDX-License-Identifier: MIT
//
//  LoRaWAN frames. The bytes were computed with the AES and CMAC of Python's
//  cryptography package, from the formulas of the specification, by a script
//  that shares nothing with this code.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "broker/host/lorawan.h"

#define NONCE 0x1234
#define ADDRESS 0x26011bda

static const fuota_lorawan_root_t s_v10 = { false, 0x70b3d57ed0000001,
    0x0102030405060708,
    { 0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88,
        0x09, 0xcf, 0x4f, 0x3c },
    { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 } };

static fuota_lorawan_root_t
s_root (bool v11)
{
    fuota_lorawan_root_t root = s_v10;
    root.v11 = v11;
    return root;
}

static size_t
s_bytes (const char *hex, uint8_t *out)
{
    size_t size = 0;
    unsigned value;
    for (; sscanf (hex, "%2x", &value) == 1 && hex [1]; hex += 2)
        out [size++] = (uint8_t) value;
    return size;
}

static void
s_same (const char *name, const char *hex, const uint8_t *bytes, size_t size)
{
    uint8_t want [300];
    size_t wanted = s_bytes (hex, want);
    if (wanted != size || memcmp (want, bytes, size) != 0)
        fail_msg ("%s: other bytes, %zu of them", name, size);
}

static const char *const s_accept_bytes [] = {
    "20fea4d9c4c1f6cd7bc0efddf75ab57fbf5c99f4bf8658740df865ba0aabc33a18",
    "20910f7f8b19977a143845f8721e3e2778"
};

static fuota_lorawan_accept_t
s_accept (bool v11)
{
    static const uint8_t channels [16] = { 0x18, 0x4f, 0x84, 0xe8, 0x56, 0x84,
        0xb8, 0x5e, 0x84, 0x88, 0x66, 0x84, 0x58, 0x6e, 0x84, 0 };
    fuota_lorawan_accept_t accept = { .join_nonce = 0x0a0b0c,
        .net_id = 0x13,
        .dev_addr = ADDRESS,
        .opt_neg = v11,
        .rx1_dr_offset = 1,
        .rx2_dr = 3,
        .rx1_delay = 5,
        .has_channels = !v11 };
    if (!v11)
        memcpy (accept.channels, channels, 16);
    return accept;
}

static void
test_lorawan__join_request (void **state)
{
    uint8_t frame [FUOTA_LORAWAN_JOIN_REQUEST];
    uint16_t nonce = 0;
    fuota_lorawan_root_t root = s_root (true);
    (void) state;
    assert_int_equal (fuota_lorawan_ask (&root, NONCE, frame), 0);
    s_same ("join-request", "000807060504030201010000d07ed5b370341293019c0c",
        frame, sizeof frame);
    for (size_t size = 0; size < sizeof frame; size++)
        assert_int_not_equal (fuota_lorawan_asked (fuota_slice (frame, size),
                                  &root, &nonce),
            0);
    assert_int_equal (fuota_lorawan_asked (fuota_slice (frame, sizeof frame),
                          &root, &nonce),
        0);
    assert_int_equal (nonce, NONCE);
    frame [17] ^= 1;  //  Another DevNonce with that MIC
    assert_int_equal (fuota_lorawan_asked (fuota_slice (frame, sizeof frame),
                          &root, &nonce),
        FUOTA_EVALUE);
}

static void
test_lorawan__join_accept (void **state)
{
    (void) state;
    for (int v11 = 0; v11 < 2; v11++) {
        uint8_t frame [FUOTA_LORAWAN_JOIN_ACCEPT];
        size_t size = sizeof frame;
        fuota_lorawan_root_t root = s_root (v11);
        fuota_lorawan_accept_t accept = s_accept (v11), got;
        assert_int_equal (fuota_lorawan_accept (&root, NONCE, &accept, frame,
                              &size),
            0);
        s_same ("join-accept", s_accept_bytes [v11], frame, size);
        for (size_t cut = 0; cut < size; cut++)
            assert_int_not_equal (fuota_lorawan_accepted (fuota_slice (frame,
                                                              cut),
                                      &root, NONCE, &got),
                0);
        assert_int_equal (fuota_lorawan_accepted (fuota_slice (frame, size),
                              &root, NONCE, &got),
            0);
        assert_int_equal (got.dev_addr, ADDRESS);
        assert_int_equal (got.join_nonce, accept.join_nonce);
        assert_int_equal (got.rx1_delay, 5);
        assert_int_equal (got.rx1_dr_offset, 1);
        assert_int_equal (got.rx2_dr, 3);
        assert_int_equal (got.opt_neg, v11);
        assert_memory_equal (got.channels, accept.channels, 16);
        //  That of another join-request: 1.1 sees it, 1.0 cannot
        assert_int_equal (fuota_lorawan_accepted (fuota_slice (frame, size),
                              &root, NONCE + 1, &got),
            v11 ? FUOTA_EVALUE : 0);
        frame [size - 1] ^= 1;
        assert_int_equal (fuota_lorawan_accepted (fuota_slice (frame, size),
                              &root, NONCE, &got),
            FUOTA_EVALUE);
    }
}

static fuota_lorawan_keys_t
s_keys (bool v11)
{
    fuota_lorawan_keys_t keys;
    fuota_lorawan_root_t root = s_root (v11);
    fuota_lorawan_accept_t accept = s_accept (v11);
    assert_int_equal (fuota_lorawan_join_keys (&root, NONCE, &accept, &keys),
        0);
    return keys;
}

static void
test_lorawan__session_keys (void **state)
{
    fuota_lorawan_keys_t keys = s_keys (false);
    (void) state;
    s_same ("NwkSKey", "f6acc31a06b72b4d6b0d5e6226aac462", keys.f_nwk_s_int,
        16);
    assert_memory_equal (keys.f_nwk_s_int, keys.s_nwk_s_int, 16);
    assert_memory_equal (keys.f_nwk_s_int, keys.nwk_s_enc, 16);
    s_same ("AppSKey", "be69ef63d9a704ac1f2c26f01274bccb", keys.app_s, 16);
    keys = s_keys (true);
    s_same ("FNwkSIntKey", "198b276be79d2b8a3a4ba4407544a405", keys.f_nwk_s_int,
        16);
    s_same ("SNwkSIntKey", "ef84e387c47e211cc43fe8165afb6142", keys.s_nwk_s_int,
        16);
    s_same ("NwkSEncKey", "3ed76a8f51f37cbb54f005a4c02f0357", keys.nwk_s_enc,
        16);
    s_same ("AppSKey 1.1", "5eebea51e3b72e6fffe2d6f07f4c13fd", keys.app_s, 16);
    //  A device of 1.1 at a server of 1.0
    fuota_lorawan_root_t root = s_root (true);
    fuota_lorawan_accept_t accept = s_accept (false);
    assert_int_equal (fuota_lorawan_join_keys (&root, NONCE, &accept, &keys),
        0);
    assert_false (keys.v11);
    s_same ("AppSKey of 1.0", "be69ef63d9a704ac1f2c26f01274bccb", keys.app_s,
        16);
}

#define COUNT 20
#define PAYLOAD                                                                \
    {                                                                          \
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19   \
    }

static const struct {
    const char *name;
    bool v11;
    fuota_lorawan_data_t data;
    const char *bytes;
} s_frames [] = {
    { "up 1.0", false,
        { FUOTA_LORAWAN_UP, ADDRESS, 0x80, 0x10002, 3, { 6, 200, 20 }, 2, COUNT,
            PAYLOAD, 0, 0, 0 },
        "40da1b012683020006c814029518704593c6c714d0156d8a3e758778a0aaef2f0011d8"
        "80" },
    { "up 1.1, with an ACK", true,
        { FUOTA_LORAWAN_UP, ADDRESS, 0xa0, 0x10002, 3, { 6, 200, 20 }, 2, COUNT,
            PAYLOAD, 0x0203, 5, 7 },
        "40da1b0126a30200df65d902b1f00623761e6a25d2dc76641437b3106c10a5a4178"
        "92e9b" },
    { "up 1.1, FOpts alone", true,
        { FUOTA_LORAWAN_UP, ADDRESS, 0x80, 9, 2, { 0x0b, 1 }, -1, 0, { 0 }, 0,
            5, 0 },
        "40da1b012682090044e248275d2b" },
    { "down 1.0", false,
        { FUOTA_LORAWAN_DOWN, ADDRESS, 0, 0xfffe, 1, { 6 }, 200, COUNT, PAYLOAD,
            0, 0, 0 },
        "60da1b012601feff06c8ef172ce5a36f6f5dee47092b7317f822e5409d992261391"
        "6" },
    { "down 1.1, confirmed, with an ACK", true,
        { FUOTA_LORAWAN_CONFIRMED_DOWN, ADDRESS, 0x20, 0x20001, 3,
            { 6, 0x0b, 1 }, 200, COUNT, PAYLOAD, 0x0405, 0, 0 },
        "a0da1b012623010014450ac894d37c2c13acfde6840ee69f029608e62b2b8685612"
        "2b267" },
    { "port 0, 1.0", false,
        { FUOTA_LORAWAN_DOWN, ADDRESS, 0, 5, 0, { 0 }, 0, 1, { 6 }, 0, 0, 0 },
        "60da1b0126000500000d568f6af2" },
    { "port 0, 1.1", true,
        { FUOTA_LORAWAN_DOWN, ADDRESS, 0, 5, 0, { 0 }, 0, 1, { 6 }, 0, 0, 0 },
        "60da1b012600050000a44f95685c" },
};

//  As it is written, read back the same; cut, flipped or with another counter
//  it is nothing.
static void
test_lorawan__data (void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof s_frames / sizeof *s_frames; i++) {
        const fuota_lorawan_data_t *data = &s_frames [i].data;
        const char *name = s_frames [i].name;
        fuota_lorawan_keys_t keys = s_keys (s_frames [i].v11);
        fuota_lorawan_data_t got, fresh = { .f_cnt = data->f_cnt,
            .acked = data->acked,
            .dr = data->dr,
            .channel = data->channel };
        uint8_t frame [FUOTA_LORAWAN_FRAME];
        size_t size = sizeof frame;
        assert_int_equal (fuota_lorawan_write (&keys, data, frame, &size), 0);
        s_same (name, s_frames [i].bytes, frame, size);
        got = fresh;
        if (fuota_lorawan_read (&keys, fuota_slice (frame, size), &got))
            fail_msg ("%s: not read", name);
        if (got.type != data->type || got.dev_addr != data->dev_addr ||
            got.f_ctrl != data->f_ctrl || got.f_port != data->f_port ||
            got.size != data->size || got.options_size != data->options_size ||
            memcmp (got.data, data->data, data->size) != 0 ||
            memcmp (got.options, data->options, data->options_size) != 0)
            fail_msg ("%s: read otherwise", name);
        for (size_t cut = 0; cut < size; cut++) {
            got = fresh;
            if (!fuota_lorawan_read (&keys, fuota_slice (frame, cut), &got))
                fail_msg ("%s: read when cut at %zu", name, cut);
        }
        for (size_t at = 0; at < size; at++) {
            got = fresh;
            frame [at] ^= 0x40;
            if (!fuota_lorawan_read (&keys, fuota_slice (frame, size), &got))
                fail_msg ("%s: read with byte %zu changed", name, at);
            frame [at] ^= 0x40;
        }
        got = fresh;
        got.f_cnt += 0x10000;
        assert_int_equal (fuota_lorawan_read (&keys, fuota_slice (frame, size),
                              &got),
            FUOTA_EVALUE);
        size--;
        assert_int_equal (fuota_lorawan_write (&keys, data, frame, &size),
            FUOTA_EFULL);
    }
}

static void
test_lorawan__counters (void **state)
{
    static const struct {
        int64_t last;
        uint16_t low;
        uint32_t whole;
    } cases [] = { { -1, 0, 0 }, { -1, 65535, 65535 }, { 0, 0, 0 }, { 0, 1, 1 },
        { 65535, 0, 65536 }, { 65535, 65535, 65535 }, { 65536, 65535, 131071 },
        { 0x1fffe, 1, 0x20001 }, { 0xffffffff, 0, 0 } };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (fuota_lorawan_f_cnt (cases [i].last, cases [i].low) !=
            cases [i].whole)
            fail_msg ("row %zu", i);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_lorawan__join_request),
        cmocka_unit_test (test_lorawan__join_accept),
        cmocka_unit_test (test_lorawan__session_keys),
        cmocka_unit_test (test_lorawan__data),
        cmocka_unit_test (test_lorawan__counters),
    };
    return cmocka_run_group_tests_name ("lorawan", tests, NULL, NULL);
}
