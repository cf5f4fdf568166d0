//  SPDX-License-Identifier: MIT
//
//  The client with its sockets against a server in a thread, over loopback.
//  Nothing sleeps: a turn waits for the link's descriptor or its deadline.

#include <czmq.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "broker/host/grpc_link.h"
#include "tests/grpc_loopback.h"

#define PATIENCE 10000  //  Milliseconds until a test fails instead of hanging
#define TOKEN "tell.nobody.this"

typedef struct {
    uint64_t tag;
    fuota_grpc_status_t status;
    bool unprocessed;
    size_t size;
    char text [FUOTA_GRPC_TEXT];
} answer_t;

typedef struct {
    grpc_identity_t ca, other_ca, by_name, by_address;
    char ca_file [32], other_file [32];
    FILE *log;
} world_t;

static world_t s_world;

static int
s_setup (void **state)
{
    (void) state;
    world_t *world = &s_world;
    world->ca = grpc_identity ("our CA", NULL);
    world->other_ca = grpc_identity ("another CA", NULL);
    world->by_name = grpc_identity ("localhost", &world->ca);
    world->by_address = grpc_identity ("IP:127.0.0.1", &world->ca);
    grpc_identity_save (&world->ca, world->ca_file);
    grpc_identity_save (&world->other_ca, world->other_file);
    world->log = tmpfile ();
    assert_non_null (world->log);
    zsys_set_logstream (world->log);
    return 0;
}

//  In all that was logged there is no token.
static int
s_teardown (void **state)
{
    (void) state;
    static char text [1 << 20];
    rewind (s_world.log);
    size_t size = fread (text, 1, sizeof text - 1, s_world.log);
    zsys_set_logstream (stderr);
    fclose (s_world.log);
    unlink (s_world.ca_file);
    unlink (s_world.other_file);
    grpc_identity_release (&s_world.ca);
    grpc_identity_release (&s_world.other_ca);
    grpc_identity_release (&s_world.by_name);
    grpc_identity_release (&s_world.by_address);
    return size && !strstr (text, TOKEN) && strstr (text, "connected") ? 0 : -1;
}

static fuota_grpc_link_t *
s_link (const char *host, uint16_t port, const char *ca_file,
    const char *server_name)
{
    char digits [8];
    snprintf (digits, sizeof digits, "%u", port);
    const fuota_grpc_link_config_t config = { .host = host,
        .port = digits,
        .tls = ca_file != NULL,
        .ca_file = ca_file,
        .server_name = server_name,
        .token = TOKEN,
        .back_off = 10,
        .back_off_max = 50,
        .seed = 1 };
    fuota_grpc_link_t *link = fuota_grpc_link_new (&config);
    assert_non_null (link);
    return link;
}

static void
s_turn (fuota_grpc_link_t *link, int64_t end)
{
    int fd = fuota_grpc_link_fd (link);
    zpoller_t *poller = zpoller_new (&fd, NULL);
    assert_non_null (poller);
    int64_t now = zclock_mono (), due = fuota_grpc_link_due (link);
    if (now >= end)
        fail_msg ("nothing happened");
    due = due < end ? due : end;
    zpoller_wait (poller, due > now ? (int) (due - now) : 0);
    zpoller_destroy (&poller);
    fuota_grpc_link_tick (link, zclock_mono ());
}

static answer_t
s_answer (fuota_grpc_link_t *link)
{
    int64_t end = zclock_mono () + PATIENCE;
    fuota_grpc_answer_t answer;
    while (!fuota_grpc_link_answer (link, &answer))
        s_turn (link, end);
    answer_t copy = { answer.tag, answer.status, answer.unprocessed,
        answer.message.size, "" };
    snprintf (copy.text, sizeof copy.text, "%s", answer.text);
    return copy;
}

static void
s_call (fuota_grpc_link_t *link, uint64_t tag, const char *path, int64_t wait)
{
    int rc = fuota_grpc_link_call (link, tag, path, fuota_slice (&tag, 8),
        zclock_mono () + wait);
    assert_int_equal (rc, 0);
}

static void
s_good (answer_t answer, uint64_t tag)
{
    if (answer.status != FUOTA_GRPC_OK || answer.tag != tag)
        fail_msg ("%d: %s %s", (int) answer.tag,
            fuota_grpc_status_name (answer.status), answer.text);
    assert_int_equal (answer.size, 8);
}

//  The only call fails, and nobody can have seen it.
static void
s_refused (fuota_grpc_link_t *link, const char *text)
{
    s_call (link, 9, "/t/Echo", PATIENCE);
    answer_t answer = s_answer (link);
    if (answer.status != FUOTA_GRPC_UNAVAILABLE || !answer.unprocessed ||
        !strstr (answer.text, text))
        fail_msg ("%s %d \"%s\", not \"%s\"",
            fuota_grpc_status_name (answer.status), answer.unprocessed,
            answer.text, text);
    fuota_grpc_link_stats_t stats;
    fuota_grpc_link_stats (link, &stats);
    assert_false (stats.ready);
    assert_non_null (strstr (stats.fault, text));
}

static void
test_grpc_link__plain (void **state)
{
    (void) state;
    grpc_loopback_t *server = grpc_loopback_new (0, NULL, GRPC_LOOPBACK_GOOD);
    fuota_grpc_link_t *link =
        s_link ("127.0.0.1", grpc_loopback_port (server), NULL, NULL);
    fuota_grpc_link_stats_t stats;
    for (uint64_t i = 0; i < 300; i++)
        s_call (link, i, "/t/Echo", PATIENCE);
    for (uint64_t i = 0; i < 300; i++)
        s_good (s_answer (link), i);
    s_call (link, 7, "/t/None", PATIENCE);
    answer_t answer = s_answer (link);
    assert_int_equal (answer.status, FUOTA_GRPC_UNIMPLEMENTED);
    assert_string_equal (answer.text, "what?");
    fuota_grpc_link_stats (link, &stats);
    assert_true (stats.ready);
    assert_int_equal (stats.connects, 1);
    assert_int_equal (stats.grpc.answers [FUOTA_GRPC_OK], 300);
    assert_int_equal (grpc_loopback_accepted (server), 1);
    fuota_grpc_link_destroy (&link);
    grpc_loopback_destroy (&server);
}

//  A bare root without /etc/hosts cannot name itself.
static bool
s_named (void)
{
    struct addrinfo *found = NULL;
    bool named = getaddrinfo ("localhost", NULL, NULL, &found) == 0;
    if (named)
        freeaddrinfo (found);
    else
        print_message ("SKIP: \"localhost\" has no address here\n");
    return named;
}

//  Which identity the server has, what the client calls it and whom it trusts
static void
test_grpc_link__tls (void **state)
{
    const struct {
        const char *what;
        const grpc_identity_t *identity;
        const char *host, *ca_file, *server_name, *fault;  //  NULL: good
    } cases [] = {
        { "name", &s_world.by_name, "localhost", s_world.ca_file, NULL, NULL },
        { "address", &s_world.by_address, "127.0.0.1", s_world.ca_file, NULL,
            NULL },
        { "another name given", &s_world.by_name, "127.0.0.1", s_world.ca_file,
            "localhost", NULL },
        { "wrong CA", &s_world.by_name, "localhost", s_world.other_file, NULL,
            "certificate: unable to get local issuer" },
        { "wrong name", &s_world.by_name, "localhost", s_world.ca_file,
            "example.org", "certificate: hostname mismatch" },
        { "wrong address", &s_world.by_name, "127.0.0.1", s_world.ca_file, NULL,
            "certificate: IP address mismatch" },
        { "no TLS there", NULL, "127.0.0.1", s_world.ca_file, NULL, "tls: " },
    };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (streq (cases [i].host, "localhost") && !s_named ())
            continue;
        grpc_loopback_t *server = grpc_loopback_new (0, cases [i].identity,
            cases [i].identity ? GRPC_LOOPBACK_GOOD : GRPC_LOOPBACK_HTTP1);
        fuota_grpc_link_t *link =
            s_link (cases [i].host, grpc_loopback_port (server),
                cases [i].ca_file, cases [i].server_name);
        print_message ("%s\n", cases [i].what);
        if (cases [i].fault)
            s_refused (link, cases [i].fault);
        else {
            s_call (link, 1, "/t/Echo", PATIENCE);
            s_good (s_answer (link), 1);
        }
        fuota_grpc_link_destroy (&link);
        assert_int_equal (grpc_loopback_requests (server), !cases [i].fault);
        grpc_loopback_destroy (&server);
    }
}

static void
test_grpc_link__not_our_protocol (void **state)
{
    (void) state;
    grpc_loopback_t *server =
        grpc_loopback_new (0, &s_world.by_name, GRPC_LOOPBACK_NO_ALPN);
    //  By address, but asked for by the certificate's name
    fuota_grpc_link_t *link = s_link ("127.0.0.1", grpc_loopback_port (server),
        s_world.ca_file, "localhost");
    s_refused (link, "does not offer HTTP/2");
    fuota_grpc_link_destroy (&link);
    grpc_loopback_destroy (&server);
    server = grpc_loopback_new (0, NULL, GRPC_LOOPBACK_HTTP1);
    link = s_link ("127.0.0.1", grpc_loopback_port (server), NULL, NULL);
    s_refused (link, "does not speak HTTP/2");
    fuota_grpc_link_destroy (&link);
    grpc_loopback_destroy (&server);
}

//  The name is one that no resolver can ask for: a part of it is too long
static void
test_grpc_link__no_such_name (void **state)
{
    char host [100];
    (void) state;
    memset (host, 'a', sizeof host);
    snprintf (host + 80, 20, ".invalid");
    fuota_grpc_link_t *link = s_link (host, 1, NULL, NULL);
    s_refused (link, "name: ");
    fuota_grpc_link_destroy (&link);
    //  Given up while the thread may still ask
    link = s_link ("fuota.invalid", 1, NULL, NULL);
    fuota_grpc_link_tick (link, zclock_mono ());
    fuota_grpc_link_destroy (&link);
}

static void
test_grpc_link__silence (void **state)
{
    (void) state;
    grpc_loopback_t *server = grpc_loopback_new (0, NULL, GRPC_LOOPBACK_SILENT);
    char port [8];
    snprintf (port, sizeof port, "%u", grpc_loopback_port (server));
    const fuota_grpc_link_config_t config = { .host = "127.0.0.1",
        .port = port,
        .connect = 30 };
    fuota_grpc_link_t *link = fuota_grpc_link_new (&config);
    s_refused (link, "no connection in time");
    fuota_grpc_link_destroy (&link);
    grpc_loopback_destroy (&server);
}

//  Time is ours: attempts against a closed port, each after twice the time
static void
test_grpc_link__back_off (void **state)
{
    (void) state;
    grpc_loopback_t *server = grpc_loopback_new (0, NULL, GRPC_LOOPBACK_GOOD);
    uint16_t port = grpc_loopback_port (server);
    grpc_loopback_destroy (&server);
    char digits [8];
    snprintf (digits, sizeof digits, "%u", port);
    const fuota_grpc_link_config_t config = { .host = "127.0.0.1",
        .port = digits,
        .connect = 100000,
        .back_off = 1000,
        .back_off_max = 6000,
        .seed = 7 };
    fuota_grpc_link_t *link = fuota_grpc_link_new (&config);
    fuota_grpc_link_stats_t stats;
    int64_t now = 1000, before = 0;
    for (unsigned attempt = 1; attempt <= 6; attempt++) {
        fuota_grpc_link_tick (link, now);
        fuota_grpc_link_stats (link, &stats);
        assert_int_equal (stats.attempts, attempt);
        if (before) {
            int64_t wait = now - before, about = 1000 << (attempt - 2);
            about = about < 6000 ? about : 6000;
            assert_in_range (wait, about * 8 / 10, about * 12 / 10);
        }
        before = now;
        while (fuota_grpc_link_due (link) == now + 100000)
            fuota_grpc_link_tick (link, now);
        fuota_grpc_link_stats (link, &stats);
        assert_non_null (strstr (stats.fault, "refused"));
        now = fuota_grpc_link_due (link);
        //  Not before its time
        fuota_grpc_link_tick (link, now - 1);
    }
    fuota_grpc_link_destroy (&link);
}

static void
test_grpc_link__restart (void **state)
{
    (void) state;
    for (int tls = 0; tls < 2; tls++) {
        const grpc_identity_t *identity = tls ? &s_world.by_address : NULL;
        grpc_loopback_t *server =
            grpc_loopback_new (0, identity, GRPC_LOOPBACK_GOOD);
        uint16_t port = grpc_loopback_port (server);
        fuota_grpc_link_t *link =
            s_link ("127.0.0.1", port, tls ? s_world.ca_file : NULL, NULL);
        s_call (link, 1, "/t/Hold", PATIENCE);
        s_call (link, 2, "/t/Echo", PATIENCE);
        s_good (s_answer (link), 2);
        grpc_loopback_destroy (&server);
        answer_t answer = s_answer (link);
        assert_int_equal (answer.tag, 1);
        assert_int_equal (answer.status, FUOTA_GRPC_UNAVAILABLE);
        assert_false (answer.unprocessed);  //  It was: the server had it
        s_call (link, 3, "/t/Echo", PATIENCE);
        answer = s_answer (link);
        assert_int_equal (answer.status, FUOTA_GRPC_UNAVAILABLE);
        assert_true (answer.unprocessed);
        server = grpc_loopback_new (port, identity, GRPC_LOOPBACK_GOOD);
        do {
            s_call (link, 4, "/t/Echo", PATIENCE);
            answer = s_answer (link);
        } while (answer.unprocessed);
        s_good (answer, 4);
        fuota_grpc_link_stats_t stats;
        fuota_grpc_link_stats (link, &stats);
        assert_int_equal (stats.connects, 2);
        assert_int_equal (stats.losses, 1);
        assert_string_equal (stats.fault, "");
        fuota_grpc_link_destroy (&link);
        grpc_loopback_destroy (&server);
    }
}

static void
test_grpc_link__slow_answers (void **state)
{
    (void) state;
    grpc_loopback_t *server =
        grpc_loopback_new (0, &s_world.by_address, GRPC_LOOPBACK_GOOD);
    fuota_grpc_link_t *link = s_link ("127.0.0.1", grpc_loopback_port (server),
        s_world.ca_file, NULL);
    s_call (link, 1, "/t/Hold", PATIENCE);
    s_call (link, 2, "/t/Echo", PATIENCE);  //  Overtakes
    s_good (s_answer (link), 2);
    s_call (link, 3, "/t/Hold", 20);
    answer_t answer = s_answer (link);
    assert_int_equal (answer.tag, 3);
    assert_int_equal (answer.status, FUOTA_GRPC_DEADLINE_EXCEEDED);
    s_call (link, 4, "/t/Echo", PATIENCE);
    s_good (s_answer (link), 4);
    grpc_loopback_release (server);
    s_good (s_answer (link), 1);
    fuota_grpc_link_destroy (&link);
    grpc_loopback_destroy (&server);
}

//  A server that goes away after one request: what was not processed is
//  repeated, and in the end each was processed exactly once.
static void
test_grpc_link__goaway_and_once_only (void **state)
{
    (void) state;
    grpc_loopback_t *server = grpc_loopback_new (0, NULL, GRPC_LOOPBACK_SHORT);
    fuota_grpc_link_t *link =
        s_link ("127.0.0.1", grpc_loopback_port (server), NULL, NULL);
    for (uint64_t i = 0; i < 20; i++)
        s_call (link, i, "/t/Echo", PATIENCE);
    for (unsigned good = 0; good < 20;) {
        answer_t answer = s_answer (link);
        if (answer.unprocessed)
            s_call (link, answer.tag, "/t/Echo", PATIENCE);
        else {
            s_good (answer, answer.tag);
            good++;
        }
    }
    assert_int_equal (grpc_loopback_requests (server), 20);
    fuota_grpc_link_destroy (&link);
    grpc_loopback_destroy (&server);
}

//  More than sockets, windows and records hold
static void
test_grpc_link__large (void **state)
{
    (void) state;
    size_t size = 9 << 20;
    uint8_t *big = malloc (size);
    assert_non_null (big);
    for (size_t i = 0; i < size; i++)
        big [i] = (uint8_t) (i * 7 + (i >> 11));
    for (int tls = 0; tls < 2; tls++) {
        grpc_loopback_t *server = grpc_loopback_new (0,
            tls ? &s_world.by_address : NULL, GRPC_LOOPBACK_GOOD);
        fuota_grpc_link_t *link = s_link ("127.0.0.1",
            grpc_loopback_port (server), tls ? s_world.ca_file : NULL, NULL);
        fuota_grpc_answer_t answer;
        int64_t end = zclock_mono () + PATIENCE;
        fuota_grpc_link_call (link, 1, "/t/Echo", fuota_slice (big, size), end);
        while (!fuota_grpc_link_answer (link, &answer))
            s_turn (link, end);
        assert_int_equal (answer.status, FUOTA_GRPC_OK);
        assert_int_equal (answer.message.size, size);
        assert_memory_equal (answer.message.data, big, size);
        fuota_grpc_link_destroy (&link);
        grpc_loopback_destroy (&server);
    }
    free (big);
}

static void
test_grpc_link__what_it_does_not_take (void **state)
{
    (void) state;
    fuota_grpc_link_config_t config = { .host = "h",
        .port = "1",
        .tls = true,
        .ca_file = "/nowhere" };
    assert_null (fuota_grpc_link_new (&config));
    config.tls = false;
    config.token = "two\nlines";
    assert_null (fuota_grpc_link_new (&config));
    char host [300];
    memset (host, 'h', sizeof host - 1);
    host [sizeof host - 1] = 0;
    config.token = NULL;
    config.host = host;
    assert_null (fuota_grpc_link_new (&config));
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_grpc_link__plain),
        cmocka_unit_test (test_grpc_link__tls),
        cmocka_unit_test (test_grpc_link__not_our_protocol),
        cmocka_unit_test (test_grpc_link__no_such_name),
        cmocka_unit_test (test_grpc_link__silence),
        cmocka_unit_test (test_grpc_link__back_off),
        cmocka_unit_test (test_grpc_link__restart),
        cmocka_unit_test (test_grpc_link__slow_answers),
        cmocka_unit_test (test_grpc_link__goaway_and_once_only),
        cmocka_unit_test (test_grpc_link__large),
        cmocka_unit_test (test_grpc_link__what_it_does_not_take),
    };
    return cmocka_run_group_tests_name ("grpc_link", tests, s_setup,
        s_teardown);
}
