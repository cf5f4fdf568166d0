//  SPDX-License-Identifier: MIT

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "schema/fec_message.h"

static fuota_parity_key_t
s_key (uint32_t size, uint32_t rule, uint32_t frag_size)
{
    fuota_parity_key_t key = { .image_size = size,
        .rule = rule,
        .frag_size = frag_size };
    return key;
}

static void
test_fec_message__sizes (void **state)
{
    static const struct {
        const char *name;
        uint32_t size, rule, frag_size;
        bool valid;
        uint32_t m, rows, blocks, last;
    } cases [] = {
        { "one byte", 1, 1, 1, true, 1, 16382, 256, 62 },
        { "padded", 1001, 2, 10, true, 101, 16282, 255, 26 },
        { "most", 16382 * 255, 1, 255, true, 16382, 1, 1, 1 },
        { "too many", 16383 * 255, 1, 255, false, 16383, 0, 0, 0 },
        { "huge", UINT32_MAX, 1, 1, false, UINT32_MAX, 0, 0, 0 },
        { "no size", 10, 1, 0, false, 0, 16383, 256, 63 },
        { "empty", 0, 1, 10, false, 0, 16383, 256, 63 },
        { "wide", 1000, 1, 256, false, 4, 16379, 256, 59 },
        { "rule", 1000, 3, 10, false, 100, 16283, 255, 27 },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fuota_parity_key_t key =
            s_key (cases [i].size, cases [i].rule, cases [i].frag_size);
        uint32_t blocks = fuota_parity_blocks (&key);
        if (fuota_parity_valid (&key) != cases [i].valid ||
            fuota_parity_nb_frag (&key) != cases [i].m ||
            fuota_parity_rows (&key) != cases [i].rows ||
            blocks != cases [i].blocks ||
            (blocks &&
                fuota_parity_block_rows (&key, blocks - 1) != cases [i].last) ||
            fuota_parity_block_rows (&key, blocks))
            fail_msg ("%s: m %u rows %u blocks %u", cases [i].name,
                fuota_parity_nb_frag (&key), fuota_parity_rows (&key), blocks);
    }
}

//  Encode, and decode with so many frames.
static int
s_pass (const fuota_fec_message_t *message, size_t frames,
    fuota_fec_message_t *out)
{
    uint8_t body [FUOTA_FEC_BODY_MAX], kind = (uint8_t) message->kind;
    size_t size = fuota_fec_message_encode (message, body);
    fuota_slice_t list [3] = { fuota_slice (&kind, 1), fuota_slice (body, size),
        message->data };
    return fuota_fec_message_decode (list, frames, out);
}

static void
test_fec_message__what_is_refused (void **state)
{
    uint8_t rows [640] = { 0 };
    fuota_fec_message_t message, out;
    (void) state;
#define GRANT(parity_, first_, count_)                                         \
    message = (fuota_fec_message_t)                                            \
    {                                                                          \
        .kind = FUOTA_FEC_GRANT, .as.grant = {                                 \
            .lease = 1,                                                        \
            .has_parity = true,                                                \
            .parity = parity_,                                                 \
            .first = first_,                                                   \
            .count = count_                                                    \
        }                                                                      \
    }
    fuota_parity_key_t key = s_key (1000, 1, 10);
    GRANT (key, 0, 255);
    assert_int_equal (s_pass (&message, 2, &out), 0);
    assert_true (fuota_parity_equal (&out.as.grant.parity, &key));
    assert_int_equal (s_pass (&message, 3, &out), FUOTA_EFORMAT);
    assert_int_equal (s_pass (&message, 1, &out), FUOTA_EFORMAT);
    GRANT (key, 0, 256);
    assert_int_equal (s_pass (&message, 2, &out), FUOTA_EVALUE);
    GRANT (key, 255, 1);
    assert_int_equal (s_pass (&message, 2, &out), FUOTA_EVALUE);
    GRANT (key, 2, UINT32_MAX);
    assert_int_equal (s_pass (&message, 2, &out), FUOTA_EVALUE);
    GRANT (key, 0, 0);
    assert_int_equal (s_pass (&message, 2, &out), FUOTA_EVALUE);
    GRANT (s_key (1000, 1, 0), 0, 1);
    assert_int_equal (s_pass (&message, 2, &out), FUOTA_EVALUE);
    message = (fuota_fec_message_t){ .kind = FUOTA_FEC_BLOCK,
        .as.block = { .has_parity = true, .parity = key, .block = 3 },
        .data = fuota_slice (rows, 640) };
    assert_int_equal (s_pass (&message, 3, &out), 0);
    message.data.size = 639;
    assert_int_equal (s_pass (&message, 3, &out), FUOTA_EVALUE);
    message.data.size = 640;
    message.as.block.block = 254;  //  Has 27 rows
    assert_int_equal (s_pass (&message, 3, &out), FUOTA_EVALUE);
    message.as.block.has_parity = false;
    assert_int_equal (s_pass (&message, 3, &out), FUOTA_EVALUE);
}

static void
test_fec_message__garbage (void **state)
{
    fuota_fec_message_t out;
    fuota_slice_t none [2] = { fuota_slice (NULL, 0), fuota_slice (NULL, 0) };
    fuota_slice_t alien [2] = { fuota_slice ("x", 1), fuota_slice ("", 0) };
    fuota_slice_t wide [2] = { fuota_slice ("HH", 2), fuota_slice ("", 0) };
    fuota_slice_t bad [2] = { fuota_slice ("H", 1), fuota_slice ("\xff", 1) };
    (void) state;
    assert_int_equal (fuota_fec_message_decode (none, 0, &out), FUOTA_EFORMAT);
    assert_int_equal (fuota_fec_message_decode (none, 2, &out), FUOTA_EFORMAT);
    assert_int_equal (fuota_fec_message_decode (alien, 2, &out),
        FUOTA_ECOMMAND);
    assert_int_equal (fuota_fec_message_decode (wide, 2, &out), FUOTA_EFORMAT);
    assert_int_equal (fuota_fec_message_decode (bad, 2, &out), FUOTA_EFORMAT);
}

static void
test_fec_message__sum_sees_every_bit (void **state)
{
    uint8_t data [21] = { 1, 2, 3 };
    uint64_t sum = fuota_fec_sum (data, sizeof data);
    (void) state;
    assert_int_not_equal (sum, fuota_fec_sum (data, sizeof data - 1));
    for (size_t i = 0; i < 8 * sizeof data; i++) {
        data [i / 8] ^= (uint8_t) (1u << i % 8);
        assert_int_not_equal (sum, fuota_fec_sum (data, sizeof data));
        data [i / 8] ^= (uint8_t) (1u << i % 8);
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_fec_message__sizes),
        cmocka_unit_test (test_fec_message__what_is_refused),
        cmocka_unit_test (test_fec_message__garbage),
        cmocka_unit_test (test_fec_message__sum_sees_every_bit),
    };
    return cmocka_run_group_tests_name ("fec_message", tests, NULL, NULL);
}
