//  SPDX-License-Identifier: MIT
//
//  Real processes, but what time it is the test says.

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <czmq.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "broker/spawn.h"

#define PATIENCE 20000

static fuota_spawn_t *
s_new (const char *program, size_t count)
{
    fuota_spawn_t *self =
        fuota_spawn_new (program, "ipc:///nowhere", "/nowhere", count);
    assert_non_null (self);
    return self;
}

//  Has a worker ended, or will one within wait?
static bool
s_ended (const fuota_spawn_t *self, int wait)
{
    zmq_pollitem_t item = { .fd = fuota_spawn_fd (self), .events = ZMQ_POLLIN };
    return zmq_poll (&item, 1, wait) == 1;
}

static size_t
s_running (const fuota_spawn_t *self, uint64_t starts)
{
    uint64_t count;
    size_t running = fuota_spawn_running (self, &count);
    assert_int_equal (count, starts);
    return running;
}

//  A program of its own, for the arguments are those of fuota-fec.
static char *
s_script (char path [64], const char *line)
{
    strcpy (path, "/tmp/fuota-spawn-XXXXXX");
    int fd = mkstemp (path);
    assert_true (fd >= 0);
    assert_true (dprintf (fd, "#!/bin/sh\n%s\n", line) > 0);
    assert_int_equal (fchmod (fd, 0700), 0);
    close (fd);
    return path;
}

static void
test_spawn__find (void **state)
{
    (void) state;
    char path [256];
    assert_int_equal (fuota_spawn_find ("/nonexistent", path, sizeof path), -1);
    assert_int_equal (fuota_spawn_find ("/bin/sh", path, sizeof path), 0);
    assert_string_equal (path, "/bin/sh");
    assert_int_equal (fuota_spawn_find ("", path, 8), -1);
}

static void
test_spawn__cannot_be_run (void **state)
{
    (void) state;
    fuota_spawn_t *self = s_new ("/nonexistent/fuota-fec", 1);
    fuota_spawn_tick (self, 1000);
    assert_int_equal (s_running (self, 0), 0);
    assert_int_equal (fuota_spawn_due (self), 1200);
    assert_int_equal (fuota_spawn_reap (self, 1200), 0);
    fuota_spawn_destroy (&self);
    assert_null (self);
    fuota_spawn_destroy (&self);
}

//  It waits twice as long each time, half a minute at most; ten seconds of
//  life are forgiveness.
static void
test_spawn__back_off (void **state)
{
    (void) state;
    fuota_spawn_t *self = s_new ("/bin/false", 1);
    int64_t now = 1000, wait = 200;
    for (uint64_t i = 1; i <= 11; i++) {
        fuota_spawn_tick (self, now - 1);
        fuota_spawn_tick (self, now);
        assert_int_equal (s_running (self, i), 1);
        assert_true (s_ended (self, PATIENCE));
        if (i == 11)
            now += 10000;
        assert_true (fuota_spawn_reap (self, now) > 0);
        if (i == 11)
            wait = 200;
        assert_int_equal (fuota_spawn_due (self), now + wait);
        assert_int_equal (s_running (self, i), 0);
        now += wait;
        wait = wait < 15000 ? wait * 2 : 30000;
    }
    fuota_spawn_destroy (&self);
}

static void
test_spawn__told_to_go (void **state)
{
    (void) state;
    fuota_spawn_t *self = s_new ("/bin/true", 2);
    fuota_spawn_tick (self, 0);
    for (int i = 0; i < 2; i++) {
        assert_true (s_ended (self, PATIENCE));
        assert_true (fuota_spawn_reap (self, 0) > 0);
    }
    assert_true (fuota_spawn_due (self) == INT64_MAX);
    fuota_spawn_tick (self, 1 << 30);
    assert_int_equal (s_running (self, 2), 0);
    fuota_spawn_destroy (&self);
}

//  What is being started beside it has a copy of the descriptor until its
//  exec. Here it stays: closing ours must be enough all the same.
static void
test_spawn__a_copy_of_the_descriptor (void **state)
{
    (void) state;
    int line [2];
    char byte;
    fuota_spawn_t *self = s_new ("/bin/false", 1);
    fuota_spawn_tick (self, 0);
    assert_int_equal (pipe (line), 0);
    pid_t copy = fork ();
    assert_true (copy >= 0);
    if (copy == 0) {
        close (line [1]);
        _exit (read (line [0], &byte, 1) < 0);
    }
    assert_true (s_ended (self, PATIENCE));
    assert_true (fuota_spawn_reap (self, 0) > 0);
    assert_false (s_ended (self, 0));
    assert_int_equal (fuota_spawn_reap (self, 0), 0);
    close (line [1]);
    close (line [0]);
    assert_int_equal (waitpid (copy, NULL, 0), copy);
    fuota_spawn_destroy (&self);
}

static void
test_spawn__stops_all (void **state)
{
    (void) state;
    static const char *const lines [] = { "exec sleep 1000",
        "trap '' TERM; exec sleep 1000" };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char path [64];
        fuota_spawn_t *self = s_new (s_script (path, lines [i]), 3);
        fuota_spawn_tick (self, 0);
        assert_int_equal (s_running (self, 3), 3);
        fuota_spawn_destroy (&self);
        //  None is left, not even as a zombie
        assert_int_equal (waitpid (-1, NULL, WNOHANG), -1);
        unlink (path);
    }
}

int
main (void)
{
    zsys_set_logstream (NULL);
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_spawn__find),
        cmocka_unit_test (test_spawn__cannot_be_run),
        cmocka_unit_test (test_spawn__back_off),
        cmocka_unit_test (test_spawn__told_to_go),
        cmocka_unit_test (test_spawn__a_copy_of_the_descriptor),
        cmocka_unit_test (test_spawn__stops_all),
    };
    return cmocka_run_group_tests_name ("spawn", tests, NULL, NULL);
}
