//  SPDX-License-Identifier: MIT

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/wait.h>
#include <cmocka.h>
#include "schema/parity.h"

typedef struct {
    char folder [64];
    fuota_parity_t *parity;
} fixture_t;

static int
s_setup (void **state)
{
    fixture_t *self = calloc (1, sizeof *self);
    char error [200];
    int rc;
    assert_non_null (self);
    strcpy (self->folder, "/tmp/test-parity-XXXXXX");
    assert_non_null (mkdtemp (self->folder));
    self->parity =
        fuota_parity_open (self->folder, 64 << 20, &rc, error, sizeof error);
    assert_non_null (self->parity);
    *state = self;
    return 0;
}

static int
s_teardown (void **state)
{
    fixture_t *self = *state;
    fuota_parity_close (&self->parity);
    fuota_parity_wipe (self->folder);
    rmdir (self->folder);
    free (self);
    return 0;
}

static fuota_parity_key_t
s_key (uint8_t image)
{
    fuota_parity_key_t key = { .image_size = 1000, .rule = 1, .frag_size = 10 };
    memset (key.image, image, 32);
    return key;
}

static void
s_put_image (fixture_t *self, uint8_t name, int64_t now)
{
    uint8_t image [1000];
    fuota_parity_key_t key = s_key (name);
    memset (image, name, sizeof image);
    assert_int_equal (fuota_parity_put_image (self->parity, key.image,
                          fuota_slice (image, sizeof image), now),
        0);
}

static void
s_put (fixture_t *self, uint8_t name, uint32_t block, uint8_t value)
{
    uint8_t rows [640];
    fuota_parity_key_t key = s_key (name);
    memset (rows, value, sizeof rows);
    fuota_parity_block_t one = { &key, block, fuota_slice (rows, 640) };
    assert_int_equal (fuota_parity_put (self->parity, &one, 1), 0);
}

static void
test_parity__row_of_a_block (void **state)
{
    fixture_t *self = *state;
    uint8_t row [10], want [10];
    fuota_parity_key_t key = s_key (1), other = key;
    other.rule = 2;
    s_put_image (self, 1, 5);
    s_put (self, 1, 2, 7);
    memset (want, 7, sizeof want);
    assert_int_equal (fuota_parity_row (self->parity, &key, 129, row), 0);
    assert_memory_equal (row, want, 10);
    assert_int_equal (fuota_parity_row (self->parity, &key, 192, row), 0);
    assert_int_equal (fuota_parity_row (self->parity, &key, 193, row),
        FUOTA_ENOTFOUND);
    assert_int_equal (fuota_parity_row (self->parity, &other, 129, row),
        FUOTA_ENOTFOUND);
}

static void
test_parity__second_block_of_a_name_stands (void **state)
{
    fixture_t *self = *state;
    uint8_t row [10];
    fuota_parity_key_t key = s_key (1);
    s_put_image (self, 1, 5);
    s_put (self, 1, 0, 7);
    uint64_t used = fuota_parity_used (self->parity);
    s_put (self, 1, 0, 8);
    assert_int_equal (fuota_parity_used (self->parity), used);
    assert_int_equal (fuota_parity_row (self->parity, &key, 1, row), 0);
    assert_int_equal (row [0], 8);
}

static void
test_parity__wrong_blocks_leave (void **state)
{
    fixture_t *self = *state;
    uint8_t row [10];
    fuota_parity_key_t key = s_key (1);
    s_put_image (self, 1, 5);
    uint64_t used = fuota_parity_used (self->parity);
    s_put (self, 1, 0, 7);
    s_put (self, 1, 1, 7);
    assert_int_equal (fuota_parity_drop (self->parity, &key, 0, 5), 0);
    assert_int_equal (fuota_parity_row (self->parity, &key, 1, row),
        FUOTA_ENOTFOUND);
    assert_int_equal (fuota_parity_used (self->parity), used);
}

static void
test_parity__block_without_its_image_is_left_out (void **state)
{
    fixture_t *self = *state;
    uint8_t row [10];
    fuota_parity_key_t key = s_key (1);
    s_put (self, 1, 0, 7);
    assert_int_equal (fuota_parity_row (self->parity, &key, 1, row),
        FUOTA_ENOTFOUND);
    assert_int_equal (fuota_parity_used (self->parity), 0);
}

static void
test_parity__missing_run (void **state)
{
    fixture_t *self = *state;
    fuota_parity_key_t key = s_key (1);
    uint32_t first = 0;
    s_put_image (self, 1, 5);
    assert_int_equal (fuota_parity_missing (self->parity, &key, &first, 8), 8);
    s_put (self, 1, 0, 7);
    s_put (self, 1, 3, 7);
    s_put (self, 1, 7, 7);
    assert_int_equal (fuota_parity_missing (self->parity, &key, &first, 8), 6);
    assert_int_equal (first, 1);
    first = 3;
    assert_int_equal (fuota_parity_missing (self->parity, &key, &first, 1), 0);
}

static void
test_parity__oldest_unused_goes_first (void **state)
{
    fixture_t *self = *state;
    fuota_slice_t image;
    for (uint8_t i = 1; i <= 4; i++) {
        s_put_image (self, i, 100 + i);
        s_put (self, i, 0, i);
    }
    uint64_t one = fuota_parity_used (self->parity) / 4;
    assert_int_equal (fuota_parity_stamp (self->parity, s_key (1).image, 200),
        0);
    assert_int_equal (fuota_parity_evict (self->parity, 2 * one, INT64_MAX), 2);
    static const bool there [] = { true, false, false, true };
    fuota_view_t *view = fuota_parity_view (self->parity);
    for (uint8_t i = 1; i <= 4; i++)
        assert_int_equal (fuota_view_image (view, s_key (i).image, &image) == 0,
            there [i - 1]);
    fuota_view_end (&view);
    //  What is in use stays, whatever the limit
    assert_int_equal (fuota_parity_evict (self->parity, 0, 150), 1);
    assert_int_equal (fuota_parity_used (self->parity), one);
    assert_int_equal (fuota_parity_evict (self->parity, 0, INT64_MAX), 1);
    assert_int_equal (fuota_parity_used (self->parity), 0);
}

static void
test_parity__full_changes_nothing (void **state)
{
    fixture_t *self = *state;
    size_t size = 80 << 20;
    uint8_t name [32] = { 9 }, *image = calloc (1, size);
    assert_non_null (image);
    assert_int_equal (fuota_parity_put_image (self->parity, name,
                          fuota_slice (image, size), 1),
        FUOTA_EFULL);
    assert_int_equal (fuota_parity_used (self->parity), 0);
    free (image);
}

//  Another process writes, and dies while it reads: both have no effect on
//  us but what it committed.
static void
test_parity__other_process (void **state)
{
    fixture_t *self = *state;
    uint8_t row [10];
    char error [200];
    int rc;
    fuota_parity_key_t key = s_key (1);
    s_put_image (self, 1, 5);
    pid_t pid = fork ();
    if (pid == 0) {
        //  A child of a fork must not use our handle; it opens its own
        fuota_parity_t *mine =
            fuota_parity_open (self->folder, 0, &rc, error, sizeof error);
        uint8_t rows [640] = { 3 };
        fuota_parity_block_t one = { &key, 0, fuota_slice (rows, 640) };
        if (!mine || fuota_parity_put (mine, &one, 1) ||
            !fuota_parity_view (mine))
            _exit (1);
        kill (getpid (), SIGKILL);
    }
    int status;
    assert_int_equal (waitpid (pid, &status, 0), pid);
    assert_true (WIFSIGNALED (status));
    assert_int_equal (fuota_parity_row (self->parity, &key, 1, row), 0);
    assert_int_equal (row [0], 3);
    assert_int_equal (fuota_parity_sweep (self->parity), 1);
}

//  What a machine that went down left open may be torn: it goes. What was
//  closed, or left open by a process of this start of the machine, stays.
static void
test_parity__torn_by_a_power_cut_is_wiped (void **state)
{
    fixture_t *self = *state;
    static const struct {
        const char *boot;  //  Found in "open"; NULL: as it was left
        bool stays;
    } cases [] = { { NULL, true }, { "another boot", false }, { "", false } };
    char error [200], path [100];
    int rc;
    snprintf (path, sizeof path, "%s/open", self->folder);
    for (size_t i = 0; i < 3; i++) {
        s_put_image (self, 1, 5);
        fuota_parity_close (&self->parity);
        assert_int_equal (access (path, F_OK), -1);
        if (cases [i].boot) {
            FILE *file = fopen (path, "w");
            assert_true (file && fputs (cases [i].boot, file) >= 0);
            fclose (file);
        }
        self->parity = fuota_parity_open (self->folder, 64 << 20, &rc, error,
            sizeof error);
        assert_non_null (self->parity);
        assert_int_equal (access (path, F_OK), 0);
        assert_int_equal (fuota_parity_used (self->parity) > 0,
            cases [i].stays);
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)
        TEST (test_parity__row_of_a_block),
        TEST (test_parity__second_block_of_a_name_stands),
        TEST (test_parity__wrong_blocks_leave),
        TEST (test_parity__block_without_its_image_is_left_out),
        TEST (test_parity__missing_run),
        TEST (test_parity__oldest_unused_goes_first),
        TEST (test_parity__full_changes_nothing),
        TEST (test_parity__other_process),
        TEST (test_parity__torn_by_a_power_cut_is_wiped),
    };
    return cmocka_run_group_tests_name ("parity", tests, NULL, NULL);
}
