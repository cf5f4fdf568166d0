//  SPDX-License-Identifier: MIT

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "fec_worker/job.h"

static fuota_fec_message_t s_out;

static void
s_start (fuota_job_t *self)
{
    Hello hello = { .name = "one", .instance = 7 };
    fuota_job_init (self, &hello);
    fuota_job_connect (self, 0);
    assert_true (fuota_job_send (self, &s_out, 0));
    assert_int_equal (s_out.kind, FUOTA_FEC_HELLO);
    assert_int_equal (s_out.as.hello.version, FUOTA_FEC_VERSION);
    fuota_fec_message_t welcome = { .kind = FUOTA_FEC_HELLO,
        .as.hello = { .version = 1, .beat = 500 } };
    fuota_job_take (self, &welcome, 0);
}

static void
s_grant (fuota_job_t *self, uint64_t lease)
{
    fuota_fec_message_t grant = { .kind = FUOTA_FEC_GRANT,
        .as.grant = { .lease = lease, .first = 3, .count = 2 } };
    fuota_job_take (self, &grant, 0);
}

static void
test_job__done_only_after_the_flush (void **state)
{
    fuota_job_t self;
    (void) state;
    s_start (&self);
    s_grant (&self, 10);
    s_grant (&self, 11);
    s_grant (&self, 12);
    assert_int_equal (fuota_job_work (&self, 0)->lease, 10);
    assert_int_equal (fuota_job_work (&self, 2)->lease, 12);
    assert_null (fuota_job_work (&self, 3));
    fuota_job_computed (&self, FUOTA_FEC_DONE, 100);
    fuota_job_computed (&self, FUOTA_FEC_GONE, 0);
    assert_int_equal (fuota_job_work (&self, 0)->lease, 12);
    assert_false (fuota_job_send (&self, &s_out, 0));
    fuota_job_flushed (&self, true);
    assert_true (fuota_job_send (&self, &s_out, 0));
    assert_int_equal (s_out.kind, FUOTA_FEC_END);
    assert_int_equal (s_out.as.done.lease, 10);
    assert_int_equal (s_out.as.done.kind, FUOTA_FEC_DONE);
    assert_int_equal (s_out.as.done.work, 100);
    assert_true (fuota_job_send (&self, &s_out, 0));
    assert_int_equal (s_out.as.done.kind, FUOTA_FEC_GONE);
    assert_false (fuota_job_send (&self, &s_out, 0));
    assert_int_equal (fuota_job_work (&self, 0)->lease, 12);
}

static void
test_job__failed_flush_is_no_done (void **state)
{
    fuota_job_t self;
    (void) state;
    s_start (&self);
    s_grant (&self, 10);
    fuota_job_computed (&self, FUOTA_FEC_DONE, 100);
    fuota_job_flushed (&self, false);
    assert_true (fuota_job_send (&self, &s_out, 0));
    assert_int_equal (s_out.as.done.kind, FUOTA_FEC_FAILED);
}

static void
test_job__beats_when_it_has_nothing_to_say (void **state)
{
    fuota_job_t self;
    (void) state;
    s_start (&self);
    assert_int_equal (fuota_job_due (&self), 500);
    assert_false (fuota_job_send (&self, &s_out, 499));
    assert_true (fuota_job_send (&self, &s_out, 500));
    assert_int_equal (s_out.kind, FUOTA_FEC_BEAT);
    assert_int_equal (fuota_job_due (&self), 1000);
    assert_false (fuota_job_lost (&self, 1499));
    assert_true (fuota_job_lost (&self, 1500));
    fuota_fec_message_t beat = { .kind = FUOTA_FEC_BEAT };
    fuota_job_take (&self, &beat, 1400);
    assert_false (fuota_job_lost (&self, 1500));
}

static void
test_job__forgotten_by_the_pool (void **state)
{
    fuota_job_t self;
    fuota_fec_message_t again = { .kind = FUOTA_FEC_HELLO,
        .as.hello = { .version = 1, .again = true } };
    (void) state;
    s_start (&self);
    s_grant (&self, 10);
    fuota_job_computed (&self, FUOTA_FEC_DONE, 1);
    fuota_job_take (&self, &again, 0);
    assert_null (fuota_job_work (&self, 0));
    assert_true (fuota_job_send (&self, &s_out, 0));
    assert_int_equal (s_out.kind, FUOTA_FEC_HELLO);
    assert_false (fuota_job_send (&self, &s_out, 0));
}

static void
test_job__drains (void **state)
{
    fuota_job_t self;
    fuota_fec_message_t drain = { .kind = FUOTA_FEC_DRAIN,
        .as.drain = { "drained" } };
    (void) state;
    s_start (&self);
    s_grant (&self, 10);
    fuota_job_take (&self, &drain, 0);
    s_grant (&self, 11);  //  Too late
    assert_false (fuota_job_send (&self, &s_out, 0));
    assert_false (fuota_job_over (&self));
    fuota_job_computed (&self, FUOTA_FEC_DONE, 1);
    fuota_job_flushed (&self, true);
    assert_true (fuota_job_send (&self, &s_out, 0));
    assert_int_equal (s_out.kind, FUOTA_FEC_END);
    assert_true (fuota_job_send (&self, &s_out, 0));
    assert_int_equal (s_out.kind, FUOTA_FEC_DRAIN);
    assert_true (fuota_job_over (&self));
    assert_false (fuota_job_send (&self, &s_out, 9999));
}

static void
test_job__full_line_takes_no_more (void **state)
{
    fuota_job_t self;
    (void) state;
    s_start (&self);
    for (uint64_t i = 0; i < FUOTA_JOB_SLOTS + 5; i++)
        s_grant (&self, 1 + i);
    assert_non_null (fuota_job_work (&self, FUOTA_JOB_SLOTS - 1));
    assert_null (fuota_job_work (&self, FUOTA_JOB_SLOTS));
}

static void
test_job__back_off_doubles (void **state)
{
    fuota_job_t self;
    (void) state;
    s_start (&self);
    int64_t low = 0;
    for (int i = 0; i < 12; i++) {
        fuota_job_connect (&self, 0);
        int64_t wait = fuota_job_back_off (&self);
        assert_in_range (wait, 100, 45000);
        low = wait > low ? wait : low;
    }
    assert_true (low >= 15000);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_job__done_only_after_the_flush),
        cmocka_unit_test (test_job__failed_flush_is_no_done),
        cmocka_unit_test (test_job__beats_when_it_has_nothing_to_say),
        cmocka_unit_test (test_job__forgotten_by_the_pool),
        cmocka_unit_test (test_job__drains),
        cmocka_unit_test (test_job__full_line_takes_no_more),
        cmocka_unit_test (test_job__back_off_doubles),
    };
    return cmocka_run_group_tests_name ("job", tests, NULL, NULL);
}
