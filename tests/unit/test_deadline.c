//  SPDX-License-Identifier: MIT

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "workers/deadline.h"

static void
s_put (fuota_deadline_t *heap, int64_t at, uint64_t subject)
{
    fuota_deadline_entry_t entry = { .at = at,
        .subject = subject,
        .context = (uint32_t) subject + 1,
        .force = subject & 1 };
    assert_int_equal (fuota_deadline_put (heap, entry), 0);
}

static void
test_deadline__empty (void **state)
{
    (void) state;
    fuota_deadline_t heap = { 0 };
    fuota_deadline_entry_t entry;
    assert_true (fuota_deadline_due (&heap) == INT64_MAX);
    assert_false (fuota_deadline_take (&heap, INT64_MAX, &entry));
    fuota_deadline_release (&heap);
    fuota_deadline_release (&heap);
}

static void
test_deadline__not_before_its_time (void **state)
{
    (void) state;
    fuota_deadline_t heap = { 0 };
    fuota_deadline_entry_t entry;
    s_put (&heap, 100, 1);
    assert_int_equal (fuota_deadline_due (&heap), 100);
    assert_false (fuota_deadline_take (&heap, 99, &entry));
    assert_true (fuota_deadline_take (&heap, 100, &entry));
    assert_int_equal (entry.subject, 1);
    assert_int_equal (entry.context, 2);
    assert_true (entry.force);
    assert_false (fuota_deadline_take (&heap, INT64_MAX, &entry));
    //  Times of any sign
    s_put (&heap, INT64_MAX, 3);
    s_put (&heap, INT64_MIN, 2);
    assert_true (fuota_deadline_due (&heap) == INT64_MIN);
    assert_true (fuota_deadline_take (&heap, INT64_MIN, &entry));
    assert_false (fuota_deadline_take (&heap, 0, &entry));
    fuota_deadline_release (&heap);
}

//  Many times, put in disorder, taken in between: ever rising, and of equal
//  times the first put first.
static void
test_deadline__order (void **state)
{
    (void) state;
    fuota_deadline_t heap = { 0 };
    fuota_deadline_entry_t entry, last = { .at = INT64_MIN };
    uint32_t seed = 1;
    unsigned taken = 0;
    for (uint64_t i = 0; i < 5000; i++) {
        seed = seed * 1664525u + 1013904223u;
        s_put (&heap, (int64_t) (seed >> 24), i);
    }
    for (; fuota_deadline_take (&heap, INT64_MAX, &entry); taken++) {
        bool later = entry.at > last.at ||
                     (entry.at == last.at && entry.subject > last.subject);
        if (!later)
            fail_msg ("entry %u at %d", taken, (int) entry.at);
        last = entry;
    }
    assert_int_equal (taken, 5000);
    fuota_deadline_release (&heap);
}

//  Put and taken in turns, as an engine does: nothing is lost or doubled.
static void
test_deadline__in_turns (void **state)
{
    (void) state;
    static uint8_t seen [3000];
    fuota_deadline_t heap = { 0 };
    fuota_deadline_entry_t entry;
    uint32_t seed = 7;
    int64_t now = 0;
    for (uint64_t i = 0; i < sizeof seen; i++) {
        seed = seed * 1664525u + 1013904223u;
        s_put (&heap, now + (int64_t) (seed >> 22), i);
        for (now += 100; fuota_deadline_take (&heap, now, &entry);) {
            assert_true (entry.at <= now);
            seen [entry.subject]++;
        }
        assert_true (fuota_deadline_due (&heap) > now);
    }
    while (fuota_deadline_take (&heap, INT64_MAX, &entry))
        seen [entry.subject]++;
    for (size_t i = 0; i < sizeof seen; i++)
        assert_int_equal (seen [i], 1);
    fuota_deadline_release (&heap);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_deadline__empty),
        cmocka_unit_test (test_deadline__not_before_its_time),
        cmocka_unit_test (test_deadline__order),
        cmocka_unit_test (test_deadline__in_turns),
    };
    return cmocka_run_group_tests_name ("deadline", tests, NULL, NULL);
}
