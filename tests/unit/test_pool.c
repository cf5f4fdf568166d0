//  SPDX-License-Identifier: MIT

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "broker/pool.h"
#include "fec_worker/kernel/fec.h"

//  A pool whose effects are gathered after each call.
typedef struct {
    fuota_pool_t *pool;
    fuota_pool_effect_t effects [512];
    size_t count;
    int64_t now;
} table_t;

static void
s_gather (table_t *self)
{
    self->count = 0;
    while (self->count < 512 &&
           fuota_pool_next (self->pool, &self->effects [self->count]))
        self->count++;
}

static int
s_setup (void **state)
{
    static table_t table;
    table = (table_t){ .pool = fuota_pool_new (1, 1000) };
    assert_non_null (table.pool);
    *state = &table;
    return 0;
}

static int
s_teardown (void **state)
{
    table_t *self = *state;
    fuota_pool_destroy (&self->pool);
    return 0;
}

static fuota_peer_t
s_peer (uint8_t i)
{
    fuota_peer_t peer = { .door = 1, .size = 1, .id = { i } };
    return peer;
}

static fuota_parity_key_t
s_key (uint8_t image)
{
    fuota_parity_key_t key = { .image_size = 5000, .rule = 1, .frag_size = 50 };
    memset (key.image, image, 32);
    return key;
}

static void
s_take (table_t *self, uint8_t i, const fuota_fec_message_t *message)
{
    char user [8];
    fuota_peer_t peer = s_peer (i);
    snprintf (user, sizeof user, "key%u", i);
    fuota_pool_take (self->pool, &peer, user, message, self->now);
    s_gather (self);
}

static void
s_hello (table_t *self, uint8_t i, uint32_t slots, bool near)
{
    fuota_fec_message_t message = { .kind = FUOTA_FEC_HELLO,
        .as.hello = { .version = 1,
            .slots = slots,
            .near = near,
            .pid = i,
            .instance = i,
            .speed = 1000000000 } };
    snprintf (message.as.hello.name, sizeof message.as.hello.name, "w%u", i);
    s_take (self, i, &message);
}

static int
s_want (table_t *self, uint8_t image, uint32_t first, uint32_t count,
    int64_t due)
{
    fuota_parity_key_t key = s_key (image);
    int rc = fuota_pool_want (self->pool, &key, first, count, due, self->now);
    s_gather (self);
    return rc;
}

//  The k-th grant among the effects, NULL if there are fewer.
static const Grant *
s_grant (const table_t *self, size_t k, uint8_t *who)
{
    for (size_t i = 0; i < self->count; i++) {
        const fuota_pool_effect_t *effect = &self->effects [i];
        if (effect->kind == FUOTA_POOL_SEND &&
            effect->message.kind == FUOTA_FEC_GRANT && k-- == 0) {
            if (who)
                *who = effect->peer.id [0];
            return &effect->message.as.grant;
        }
    }
    return NULL;
}

static const fuota_pool_effect_t *
s_find (const table_t *self, fuota_pool_effect_kind_t kind, int message)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->effects [i].kind == kind &&
            (!message || (int) self->effects [i].message.kind == message))
            return &self->effects [i];
    return NULL;
}

static void
s_done (table_t *self, uint8_t i, const Grant *grant, DoneKind kind)
{
    fuota_fec_message_t message = { .kind = FUOTA_FEC_END,
        .as.done = { .lease = grant->lease,
            .has_parity = true,
            .parity = grant->parity,
            .first = grant->first,
            .count = grant->count,
            .kind = kind,
            .work = 1000 } };
    s_take (self, i, &message);
}

static fuota_pool_stats_t
s_stats (const table_t *self)
{
    fuota_pool_stats_t stats;
    fuota_pool_stats (self->pool, &stats);
    return stats;
}

//  The checks among the effects are answered.
static void
s_answer (table_t *self, bool good)
{
    fuota_pool_effect_t checks [16];
    size_t count = 0;
    for (size_t i = 0; i < self->count; i++)
        if (self->effects [i].kind == FUOTA_POOL_CHECK)
            checks [count++] = self->effects [i];
    for (size_t i = 0; i < count; i++)
        fuota_pool_checked (self->pool, &checks [i], good, self->now);
    s_gather (self);
}

static void
test_pool__near_worker_from_want_to_done (void **state)
{
    table_t *self = *state;
    s_hello (self, 1, 4, true);
    const fuota_pool_effect_t *welcome =
        s_find (self, FUOTA_POOL_SEND, FUOTA_FEC_HELLO);
    assert_int_equal (welcome->message.as.hello.beat, 1000);
    assert_int_equal (s_want (self, 1, 0, 5, 100), 0);
    const Grant *found = s_grant (self, 0, NULL);
    assert_non_null (found);
    Grant grant = *found;
    assert_int_equal (grant.count, 5);
    s_done (self, 1, &grant, FUOTA_FEC_DONE);
    const fuota_pool_effect_t *check = s_find (self, FUOTA_POOL_CHECK, 0);
    assert_int_equal (check->count, 5);
    assert_int_equal (check->rows.size, 0);
    s_answer (self, true);
    fuota_pool_stats_t stats = s_stats (self);
    assert_int_equal (stats.done, 5);
    assert_int_equal (stats.jobs, 0);
    assert_int_equal (stats.leases, 0);
    assert_int_equal (stats.waiting, 0);
}

static void
test_pool__wants_outside_the_parity_are_refused (void **state)
{
    table_t *self = *state;
    assert_int_equal (s_want (self, 1, 0, 0, 1), FUOTA_EVALUE);
    assert_int_equal (s_want (self, 1, 255, 1, 1), FUOTA_EVALUE);
    assert_int_equal (s_want (self, 1, 250, 6, 1), FUOTA_EVALUE);
    assert_int_equal (s_want (self, 1, 250, 5, 1), 0);
}

static void
test_pool__a_wish_repeated_is_no_more_work (void **state)
{
    table_t *self = *state;
    for (int i = 0; i < 3; i++)
        assert_int_equal (s_want (self, 1, 2, 5, 100), 0);
    assert_int_equal (s_stats (self).waiting, 5);
    s_want (self, 1, 2, 7, 100);
    assert_int_equal (s_stats (self).waiting, 7);
    s_want (self, 1, 0, 3, 100);
    assert_int_equal (s_stats (self).waiting, 9);
    assert_int_equal (s_stats (self).jobs, 1);
}

static void
test_pool__nearest_sending_first_then_by_turns (void **state)
{
    table_t *self = *state;
    static const struct {
        uint8_t image;
        int64_t due;
    } wants [] = {
        { 1, FUOTA_POOL_LATER },
        { 2, 500000 },
        { 3, 500100 },
        { 4, 20000 },
    };
    static const uint8_t order [] = { 4, 2, 3, 1 };
    for (size_t i = 0; i < 4; i++)
        s_want (self, wants [i].image, 0, 1, wants [i].due);
    s_hello (self, 1, 1, true);
    for (size_t i = 0; i < 4; i++) {
        const Grant *found = s_grant (self, 0, NULL);
        assert_non_null (found);
        Grant grant = *found;
        assert_int_equal (grant.parity.image [0], order [i]);
        s_done (self, 1, &grant, FUOTA_FEC_DONE);
        s_answer (self, true);
    }
}

static void
test_pool__more_urgent_later (void **state)
{
    table_t *self = *state;
    s_want (self, 1, 0, 1, 20000);
    s_want (self, 2, 0, 1, FUOTA_POOL_LATER);
    s_want (self, 2, 0, 1, 10000);
    s_hello (self, 1, 1, true);
    assert_int_equal (s_grant (self, 0, NULL)->parity.image [0], 2);
}

static void
test_pool__one_job_is_shared_by_all (void **state)
{
    table_t *self = *state;
    uint8_t who [2];
    s_hello (self, 1, 4, true);
    s_hello (self, 2, 4, false);
    s_want (self, 1, 0, 100, 1);
    assert_int_equal (s_grant (self, 0, &who [0])->count, 50);
    assert_non_null (s_grant (self, 1, &who [1]));
    assert_int_not_equal (who [0], who [1]);
}

//  Idle workers share; once all have something a lease is half a worker's
//  share, so that nobody is left with a long last one, but no crumbs.
static void
test_pool__all_end_together (void **state)
{
    table_t *self = *state;
    static const uint32_t idle [] = { 43, 42 };
    static const uint32_t busy [] = { 50, 37, 32, 32, 32, 17 };
    s_hello (self, 1, 4, true);
    s_hello (self, 2, 4, true);
    s_want (self, 1, 0, 85, 1);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal (s_grant (self, i, NULL)->count, idle [i]);
    s_want (self, 2, 0, 200, 1);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal (s_grant (self, i, NULL)->count, busy [i]);
    //  What nobody wants any more is not counted
    s_want (self, 3, 0, 200, 1);
    fuota_pool_forget (self->pool, s_key (3).image);
    s_hello (self, 3, 1, true);
    s_hello (self, 4, 1, true);
    s_want (self, 4, 0, 10, 1);
    assert_int_equal (s_grant (self, 0, NULL)->count, 5);
}

//  Jobs that come one by one, as requests do.
static void
test_pool__no_worker_waits_while_another_has_a_line (void **state)
{
    table_t *self = *state;
    unsigned leases [3] = { 0 };
    s_hello (self, 1, 32, true);
    s_hello (self, 2, 32, true);
    for (uint8_t i = 1; i <= 10; i++) {
        uint8_t who = 0;
        s_want (self, i, 0, 1, 1);
        assert_non_null (s_grant (self, 0, &who));
        leases [who]++;
    }
    assert_int_equal (leases [1], 5);
    assert_int_equal (leases [2], 5);
}

static void
test_pool__silent_worker_loses_its_leases (void **state)
{
    table_t *self = *state;
    s_hello (self, 1, 4, true);
    s_want (self, 1, 0, 5, 1);
    self->now = 2900;
    fuota_pool_tick (self->pool, self->now);
    s_gather (self);
    s_hello (self, 2, 4, true);
    assert_null (s_grant (self, 0, NULL));
    assert_int_equal (fuota_pool_due (self->pool), 3000);
    self->now = 3000;
    fuota_pool_tick (self->pool, self->now);
    s_gather (self);
    uint8_t who = 0;
    assert_int_equal (s_grant (self, 0, &who)->count, 5);
    assert_int_equal (who, 2);
    assert_non_null (s_find (self, FUOTA_POOL_TELL, 0));
    assert_int_equal (s_stats (self).workers, 1);
}

static void
test_pool__dead_process_loses_them_at_once (void **state)
{
    table_t *self = *state;
    s_hello (self, 1, 4, true);
    s_want (self, 1, 0, 5, 1);
    s_hello (self, 2, 4, true);
    fuota_pool_gone (self->pool, 1, self->now);
    s_gather (self);
    uint8_t who = 0;
    assert_non_null (s_grant (self, 0, &who));
    assert_int_equal (who, 2);
}

static void
test_pool__late_block_is_kept (void **state)
{
    table_t *self = *state;
    s_hello (self, 1, 4, true);
    s_want (self, 1, 0, 5, 1);
    Grant grant = *s_grant (self, 0, NULL);
    //  It beats, but does not get on
    for (self->now = 1000; self->now <= 12000; self->now += 1000) {
        fuota_fec_message_t beat = { .kind = FUOTA_FEC_BEAT };
        s_take (self, 1, &beat);
        fuota_pool_tick (self->pool, self->now);
    }
    assert_int_equal (s_stats (self).returned, 5);
    s_gather (self);
    s_done (self, 1, &grant, FUOTA_FEC_DONE);
    s_answer (self, true);
    assert_int_equal (s_stats (self).done, 5);
    assert_int_equal (s_stats (self).waiting, 0);
    assert_true (s_stats (self).late > 0);
}

static void
test_pool__wrong_block_means_quarantine (void **state)
{
    table_t *self = *state;
    s_hello (self, 1, 4, true);
    s_hello (self, 2, 4, true);
    s_want (self, 1, 0, 4, 1);
    uint8_t who;
    Grant grant = *s_grant (self, 0, &who);
    s_done (self, who, &grant, FUOTA_FEC_DONE);
    s_answer (self, false);
    assert_non_null (s_find (self, FUOTA_POOL_TELL, 0));
    const fuota_pool_effect_t *drain =
        s_find (self, FUOTA_POOL_SEND, FUOTA_FEC_DRAIN);
    assert_int_equal (drain->peer.id [0], who);
    uint8_t other = 0;
    assert_non_null (s_grant (self, 0, &other));
    assert_int_not_equal (other, who);
    assert_int_equal (s_stats (self).done, 0);
    assert_int_equal (s_stats (self).quarantined, 1);
    s_hello (self, who, 4, true);
    assert_null (s_find (self, FUOTA_POOL_SEND, FUOTA_FEC_HELLO));
    assert_int_equal (s_stats (self).workers, 1);
    //  An operator sees it, after those that work, until its hour is over
    fuota_pool_worker_t line;
    assert_true (fuota_pool_worker (self->pool, 0, self->now, &line));
    assert_string_equal (line.why, "");
    assert_true (fuota_pool_worker (self->pool, 1, self->now + 1000, &line));
    assert_string_equal (line.why, "a block is wrong");
    assert_int_equal (line.errors, 1);
    assert_int_equal (line.seen, 1000);
    assert_int_equal (line.left, 3600000 - 1000);
    assert_false (fuota_pool_worker (self->pool, 2, self->now, &line));
    assert_false (
        fuota_pool_worker (self->pool, 1, self->now + 3600000, &line));
}

static void
test_pool__failing_worker_rests (void **state)
{
    table_t *self = *state;
    s_hello (self, 1, 1, true);
    s_want (self, 1, 0, 4, 1);
    Grant grant = *s_grant (self, 0, NULL);
    s_done (self, 1, &grant, FUOTA_FEC_GONE);
    assert_non_null (s_find (self, FUOTA_POOL_MISSING, 0));
    assert_null (s_grant (self, 0, NULL));
    fuota_fec_message_t beat = { .kind = FUOTA_FEC_BEAT };
    self->now = 1000;
    s_take (self, 1, &beat);
    assert_non_null (s_grant (self, 0, NULL));
}

static void
test_pool__drained_worker_finishes_and_goes (void **state)
{
    table_t *self = *state;
    s_hello (self, 1, 4, true);
    s_want (self, 1, 0, 4, 1);
    Grant grant = *s_grant (self, 0, NULL);
    assert_int_equal (fuota_pool_drain (self->pool, "w9"), 0);
    assert_int_equal (fuota_pool_drain (self->pool, "w1"), 1);
    s_want (self, 2, 0, 4, 1);
    assert_null (s_grant (self, 0, NULL));
    s_done (self, 1, &grant, FUOTA_FEC_DONE);
    s_answer (self, true);
    assert_int_equal (s_stats (self).done, 4);
    fuota_fec_message_t go = { .kind = FUOTA_FEC_DRAIN };
    s_take (self, 1, &go);
    assert_int_equal (s_stats (self).workers, 0);
}

static void
test_pool__strangers_are_asked_who_they_are (void **state)
{
    table_t *self = *state;
    fuota_fec_message_t beat = { .kind = FUOTA_FEC_BEAT };
    s_take (self, 1, &beat);
    const fuota_pool_effect_t *hello =
        s_find (self, FUOTA_POOL_SEND, FUOTA_FEC_HELLO);
    assert_true (hello->message.as.hello.again);
    assert_int_equal (s_stats (self).workers, 0);
}

static void
test_pool__other_version_is_sent_away (void **state)
{
    table_t *self = *state;
    fuota_fec_message_t hello = { .kind = FUOTA_FEC_HELLO,
        .as.hello = { .version = 2 } };
    s_take (self, 1, &hello);
    assert_non_null (s_find (self, FUOTA_POOL_SEND, FUOTA_FEC_DRAIN));
    assert_int_equal (s_stats (self).workers, 0);
}

static void
test_pool__images_only_for_who_has_a_lease (void **state)
{
    table_t *self = *state;
    fuota_fec_message_t wanted = { .kind = FUOTA_FEC_WANTED,
        .as.wanted = { .at = 4000, .size = 4000 } };
    memset (wanted.as.wanted.image, 1, 32);
    s_hello (self, 1, 4, false);
    s_take (self, 1, &wanted);
    assert_int_equal (s_find (self, FUOTA_POOL_SEND, FUOTA_FEC_PART)->size, 0);
    s_want (self, 1, 0, 1, 1);
    s_take (self, 1, &wanted);
    assert_int_equal (s_find (self, FUOTA_POOL_SEND, FUOTA_FEC_PART)->size,
        1000);
    wanted.as.wanted.at = 5000;
    s_take (self, 1, &wanted);
    assert_int_equal (s_find (self, FUOTA_POOL_SEND, FUOTA_FEC_PART)->size, 0);
}

static void
test_pool__reconnected_worker_starts_anew (void **state)
{
    table_t *self = *state;
    s_hello (self, 1, 1, true);
    s_want (self, 1, 0, 4, 1);
    s_hello (self, 1, 1, true);
    assert_int_equal (s_stats (self).workers, 1);
    assert_int_equal (s_stats (self).returned, 4);
    assert_non_null (s_grant (self, 0, NULL));
}

static void
test_pool__forgotten_image_is_no_work (void **state)
{
    table_t *self = *state;
    s_want (self, 1, 0, 4, 1);
    s_want (self, 2, 0, 4, 1);
    fuota_pool_forget (self->pool, s_key (1).image);
    assert_int_equal (s_stats (self).jobs, 1);
    assert_int_equal (s_stats (self).waiting, 4);
    assert_false (fuota_pool_uses (self->pool, s_key (1).image));
    assert_true (fuota_pool_uses (self->pool, s_key (2).image));
}

static void
test_pool__thousands_of_jobs (void **state)
{
    table_t *self = *state;
    s_hello (self, 1, 32, true);
    for (uint32_t i = 0; i < 5000; i++) {
        fuota_parity_key_t key = s_key (0);
        memcpy (key.image, &i, sizeof i);
        assert_int_equal (fuota_pool_want (self->pool, &key, 0, 2, i,
                              self->now),
            0);
        s_gather (self);
    }
    fuota_pool_stats_t stats = s_stats (self);
    assert_int_equal (stats.jobs, 5000);
    assert_int_equal (stats.waiting, 10000);
    fuota_pool_gone (self->pool, 1, self->now);
    assert_int_equal (s_stats (self).leases, 0);
}

static void
test_pool__check_row_sees_a_wrong_one (void **state)
{
    uint8_t image [5000], rows [64 * 50];
    uint64_t bits [FUOTA_FEC_WORDS_MAX];
    fuota_parity_key_t key = s_key (1);
    fuota_slice_t slice = fuota_slice (image, sizeof image);
    (void) state;
    for (size_t i = 0; i < sizeof image; i++)
        image [i] = (uint8_t) (i * 7 + i / 256);
    fuota_fec_block_t block = { image, sizeof image, 50, 1 };
    for (uint32_t i = 0; i < 64; i++)
        fuota_fec_fragment (&block, 100 + 64 * 2 + i + 1, rows + i * 50, bits);
    fuota_slice_t data = fuota_slice (rows, sizeof rows);
    unsigned seen = 0;
    for (uint64_t salt = 0; salt < 200; salt++) {
        assert_true (fuota_pool_check_row (slice, &key, 2, data, salt, bits));
        assert_false (fuota_pool_check_row (slice, &key, 3, data, salt, bits));
        rows [10 * 50] ^= 1;
        seen += !fuota_pool_check_row (slice, &key, 2, data, salt, bits);
        rows [10 * 50] ^= 1;
    }
    assert_in_range (seen, 1, 20);
    data.size--;
    assert_false (fuota_pool_check_row (slice, &key, 2, data, 1, bits));
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)
    const struct CMUnitTest tests [] = {
        TEST (test_pool__near_worker_from_want_to_done),
        TEST (test_pool__wants_outside_the_parity_are_refused),
        TEST (test_pool__a_wish_repeated_is_no_more_work),
        TEST (test_pool__nearest_sending_first_then_by_turns),
        TEST (test_pool__more_urgent_later),
        TEST (test_pool__one_job_is_shared_by_all),
        TEST (test_pool__all_end_together),
        TEST (test_pool__no_worker_waits_while_another_has_a_line),
        TEST (test_pool__silent_worker_loses_its_leases),
        TEST (test_pool__dead_process_loses_them_at_once),
        TEST (test_pool__late_block_is_kept),
        TEST (test_pool__wrong_block_means_quarantine),
        TEST (test_pool__failing_worker_rests),
        TEST (test_pool__drained_worker_finishes_and_goes),
        TEST (test_pool__strangers_are_asked_who_they_are),
        TEST (test_pool__other_version_is_sent_away),
        TEST (test_pool__images_only_for_who_has_a_lease),
        TEST (test_pool__reconnected_worker_starts_anew),
        TEST (test_pool__forgotten_image_is_no_work),
        TEST (test_pool__thousands_of_jobs),
        TEST (test_pool__check_row_sees_a_wrong_one),
    };
    return cmocka_run_group_tests_name ("pool", tests, NULL, NULL);
}
