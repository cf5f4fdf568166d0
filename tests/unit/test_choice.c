//  SPDX-License-Identifier: MIT
//
//  Gateways of a deployment, from the records of who heard whom.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "broker/choice.h"
#include "tests/scratch.h"

//  Devices 1, 2, ... by words: a letter a gateway that hears it always, a
//  capital one that hears it now and then; "-" for one that nobody heard.
static size_t
s_devices (scratch_t *scratch, const char *text, uint64_t *euis)
{
    size_t count = 0;
    while (*text) {
        fuota_reception_t reception = { .uplinks = 10 };
        bool heard = *text != '-';
        for (; *text && *text != ' '; text++)
            if (*text != '-')
                reception.heard [reception.heard_count++] =
                    (Hearing){ (uint64_t) (*text | 0x20),
                        *text & 0x20 ? 9u : 2u };
        text += *text == ' ';
        euis [count] = count + 1;
        count++;
        if (heard)
            scratch_put (scratch, FUOTA_TABLE_RECEPTION,
                fuota_key_eui (euis [count - 1]), Reception_fields, &reception);
    }
    return count;
}

//  "aFbN": a and b by their states; + online, - offline, 0 never seen.
static void
s_states (scratch_t *scratch, const char *text)
{
    for (; *text; text += 2) {
        fuota_gateway_t gateway = { .heard_at = 1,
            .state = text [1] == '+'   ? FUOTA_GATEWAY_ONLINE
                     : text [1] == '-' ? FUOTA_GATEWAY_OFFLINE
                     : text [1] == '0' ? FUOTA_GATEWAY_NEVER_SEEN
                                       : FUOTA_GATEWAY_UNKNOWN };
        scratch_put (scratch, FUOTA_TABLE_GATEWAY,
            fuota_key_eui ((uint64_t) text [0]), Gateway_fields, &gateway);
    }
}

static void
test_choice__gateways (void **state)
{
    (void) state;
    static const struct {
        const char *name, *devices, *states, *named, *chosen;
        uint32_t reach, unheard, missed;  //  Reach of the first
        const char *wrong;
    } cases [] = {
        { "no devices", "", "", "", "", 0, 0, 0, NULL },
        { "nobody heard", "- - -", "", "", "", 0, 3, 0, "any of these" },
        { "one gateway", "a a a", "", "", "a", 3, 0, 0, NULL },
        { "two places", "a a b", "", "", "ab", 2, 0, 0, NULL },
        { "now and then is no cover", "aB aB b", "", "", "ab", 2, 0, 0, NULL },
        { "but better than nothing", "B B", "", "", "b", 2, 0, 0, NULL },
        { "one in ten not heard", "a a a a a a a a a -", "", "", "a", 9, 1, 0,
            NULL },
        { "one in nine not heard", "a a a a a a a a -", "", "", "a", 8, 1, 0,
            "1 of 9 devices not heard (0000000000000009)" },
        { "states not told", "a", "a?", "", "a", 1, 0, 0, NULL },
        { "online", "a", "a+", "", "a", 1, 0, 0, NULL },
        { "offline", "ab", "a-b+", "", "b", 1, 0, 0, NULL },
        { "never seen", "ab", "a0b+", "", "b", 1, 0, 0, NULL },
        { "all offline", "a a", "a-", "", "", 0, 2, 0, "any of these" },
        { "not of the tenant", "ab b", "a+", "", "a", 1, 1, 0,
            "1 of 2 devices not heard (0000000000000002)" },
        { "too many places", "a b c d e f g h i j k l m n o p q", "", "",
            "abcdefghijklmnop", 1, 0, 1,
            "1 of 17 are out of reach of the best 16" },
        { "named", "ab b c", "", "b", "b", 2, 0, 1, NULL },
        { "named, nobody hears it", "a", "", "z", "z", 0, 0, 1, NULL },
        { "named, offline", "a", "a-", "a", "a", 0, 1, 0, NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scratch_t scratch;
        uint64_t euis [32], named [16];
        fuota_choice_t choice;
        char text [FUOTA_COVER_MOST + 1] = "", words [160] = "";
        size_t named_count = strlen (cases [i].named);
        scratch_init (&scratch, 16u << 20, FUOTA_DB_NOSYNC);
        size_t count = s_devices (&scratch, cases [i].devices, euis);
        s_states (&scratch, cases [i].states);
        for (size_t n = 0; n < named_count; n++)
            named [n] = (uint64_t) cases [i].named [n];
        fuota_read_t *read = fuota_db_read (scratch.db);
        fuota_choice_make (read, euis, count, named, named_count, &choice);
        for (size_t n = 0; n < choice.count; n++)
            text [n] = (char) choice.gateways [n];
        if (strcmp (text, cases [i].chosen) != 0 ||
            choice.unheard != cases [i].unheard ||
            choice.missed != cases [i].missed ||
            (choice.count && choice.devices [0] != cases [i].reach) ||
            choice.automatic != (named_count == 0))
            fail_msg ("%s: %s, %u unheard, %u missed, reach %u", cases [i].name,
                text, choice.unheard, choice.missed, choice.devices [0]);
        bool wrong =
            !named_count && fuota_choice_wrong (&choice, words, sizeof words);
        if (wrong != (cases [i].wrong != NULL) ||
            (wrong && !strstr (words, cases [i].wrong)))
            fail_msg ("%s: %s", cases [i].name, words);
        fuota_read_end (&read);
        scratch_release (&scratch);
    }
}

//  A device named twice counts once; one whose row is noise is not heard.
static void
test_choice__hostile (void **state)
{
    (void) state;
    scratch_t scratch;
    fuota_choice_t choice;
    uint64_t euis [40];
    scratch_init (&scratch, 16u << 20, FUOTA_DB_NOSYNC);
    s_devices (&scratch, "a a", euis);
    scratch_put_bytes (&scratch, FUOTA_TABLE_RECEPTION, fuota_key_eui (3),
        "\x0f", 1);
    scratch_put_bytes (&scratch, FUOTA_TABLE_GATEWAY, fuota_key_eui ('a'),
        "\x0f", 1);
    const uint64_t twice [] = { 1, 1, 2, 2, 3, 3 };
    fuota_read_t *read = fuota_db_read (scratch.db);
    fuota_choice_make (read, twice, 6, NULL, 0, &choice);
    assert_int_equal (choice.total, 3);
    assert_int_equal (choice.unheard, 1);
    assert_int_equal (choice.names [0], 3);
    assert_int_equal (choice.count, 1);
    assert_int_equal (choice.devices [0], 2);
    for (unsigned i = 0; i < 40; i++)
        euis [i] = 100 + i;
    fuota_choice_make (read, euis, 40, NULL, 0, &choice);
    assert_int_equal (choice.unheard, 40);
    assert_int_equal (choice.named, FUOTA_CHOICE_NAMED);
    fuota_read_end (&read);
    scratch_release (&scratch);
}

//  More gateways than can be told apart: those that come first are chosen from.
static void
test_choice__many (void **state)
{
    (void) state;
    enum { DEVICES = 6000 };
    scratch_t scratch;
    fuota_choice_t choice;
    static uint64_t euis [DEVICES];
    fuota_batch_t batch = { 0 };
    scratch_init (&scratch, 64u << 20, FUOTA_DB_NOSYNC);
    for (unsigned i = 0; i < DEVICES; i++) {
        fuota_reception_t reception = { .uplinks = 1,
            .heard_count = 2,
            .heard = { { 1000 + i, 1 }, { 7, 1 } } };
        euis [i] = i + 1;
        fuota_key_t key = fuota_key_eui (euis [i]);
        fuota_batch_record (&batch, FUOTA_TABLE_RECEPTION, &key,
            Reception_fields, &reception);
    }
    scratch_commit (&scratch, &batch);
    fuota_read_t *read = fuota_db_read (scratch.db);
    fuota_choice_make (read, euis, DEVICES, NULL, 0, &choice);
    assert_int_equal (choice.count, 1);
    assert_int_equal (choice.gateways [0], 7);
    assert_int_equal (choice.devices [0], DEVICES);
    fuota_read_end (&read);
    scratch_release (&scratch);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_choice__gateways),
        cmocka_unit_test (test_choice__hostile),
        cmocka_unit_test (test_choice__many),
    };
    return cmocka_run_group_tests_name ("choice", tests, NULL, NULL);
}
