//  SPDX-License-Identifier: MIT
//
//  Few gateways for many devices.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "broker/cover.h"

//  Devices by letters of their gateways, one word each.
static size_t
s_read (const char *text, fuota_cover_device_t *devices)
{
    size_t count = 0;
    memset (devices, 0, 64 * sizeof *devices);
    for (; *text; text++)
        if (*text == ' ')
            count++;
        else if (*text != '-')
            devices [count].at [devices [count].count++] =
                (uint16_t) (*text - 'a');
    return count + 1;
}

static void
test_cover__chosen (void **state)
{
    (void) state;
    static const struct {
        const char *name, *devices, *chosen;
        size_t left;
    } cases [] = {
        { "nobody anywhere", "- - -", "", 0 },
        { "one", "a a a", "a", 0 },
        { "some with nobody", "- a -", "a", 0 },
        { "the larger one", "ab b b", "b", 0 },
        { "two of three", "ab bc c a", "ac", 0 },
        { "alike: the lower", "ba ba", "a", 0 },
        { "apart", "a b c", "abc", 0 },
        //  a is taken first, for it reaches four; b and c make it needless
        { "the first is needless", "ab ab ac ac b c", "bc", 0 },
        { "seventeen apart", "a b c d e f g h i j k l m n o p q",
            "abcdefghijklmnop", 1 },
        { "eight each", "abcdefgh ijklmnop abcdefgh", "ai", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fuota_cover_device_t devices [64];
        uint16_t chosen [FUOTA_COVER_MOST];
        char text [FUOTA_COVER_MOST + 1] = "";
        size_t left, count = s_read (cases [i].devices, devices);
        size_t size = fuota_cover (devices, count, chosen, &left);
        for (size_t n = 0; n < size; n++)
            text [n] = (char) ('a' + chosen [n]);
        if (strcmp (text, cases [i].chosen) != 0 || left != cases [i].left)
            fail_msg ("%s: %s, %zu left", cases [i].name, text, left);
    }
    size_t left = 1;
    uint16_t chosen [FUOTA_COVER_MOST];
    assert_int_equal (fuota_cover (NULL, 0, chosen, &left), 0);
    assert_int_equal (left, 0);
}

//  Against all sets there are, on small worlds: never more than the greedy
//  bound, and never one that could be left out.
static void
test_cover__near_the_smallest (void **state)
{
    (void) state;
    uint32_t chance = 1;
    size_t more = 0;
    for (unsigned world = 0; world < 400; world++) {
        fuota_cover_device_t devices [12] = { { .count = 0 } };
        unsigned masks [12], least = 9;
        for (unsigned d = 0; d < 12; d++) {
            chance = chance * 1103515245u + 12345u;
            masks [d] = (chance >> 16 & 255) & (chance >> 8 & 255);
            for (uint16_t g = 0; g < 8; g++)
                if (masks [d] >> g & 1)
                    devices [d].at [devices [d].count++] = g;
        }
        for (unsigned set = 0; set < 256; set++) {
            bool all = true;
            for (unsigned d = 0; d < 12; d++)
                all = all && (!masks [d] || masks [d] & set);
            unsigned size = (unsigned) __builtin_popcount (set);
            least = all && size < least ? size : least;
        }
        uint16_t chosen [FUOTA_COVER_MOST];
        size_t left, size = fuota_cover (devices, 12, chosen, &left);
        assert_int_equal (left, 0);
        assert_in_range (size, least, least + 1);
        more += size > least;
    }
    assert_true (more < 40);  //  Mostly it is the smallest
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_cover__chosen),
        cmocka_unit_test (test_cover__near_the_smallest),
    };
    return cmocka_run_group_tests_name ("cover", tests, NULL, NULL);
}
