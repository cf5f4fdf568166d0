//  SPDX-License-Identifier: MIT
//
//  The MQTT link while the broker's name is looked up. The test is the
//  resolver: it answers when it is told to.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <czmq.h>
#include <netdb.h>
#include <semaphore.h>
#include "broker/host/mqtt_link.h"

static sem_t s_asked, s_answer;
static _Atomic int s_answer_is;

//  In place of the C library's, for libmosquitto too.
int
getaddrinfo (const char *node, const char *service,
    const struct addrinfo *hints, struct addrinfo **result)
{
    (void) node;
    (void) service;
    sem_post (&s_asked);
    sem_wait (&s_answer);
    int rc = s_answer_is;
    if (rc)
        return rc;
    struct addrinfo *info =
        calloc (1, sizeof *info + sizeof (struct sockaddr_in));
    assert_non_null (info);
    struct sockaddr_in *address = (struct sockaddr_in *) (void *) (info + 1);
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl (INADDR_LOOPBACK);
    info->ai_family = AF_INET;
    info->ai_socktype = hints ? hints->ai_socktype : SOCK_STREAM;
    info->ai_addr = (struct sockaddr *) address;
    info->ai_addrlen = sizeof *address;
    *result = info;
    return 0;
}

void
freeaddrinfo (struct addrinfo *info)
{
    free (info);
}

static void
s_heard (void *arg, const char *topic, fuota_slice_t body)
{
    (void) arg;
    (void) topic;
    (void) body;
}

static void
s_published (void *arg, uint64_t tag)
{
    (void) arg;
    (void) tag;
}

//  A socket that listens, and its port.
static int
s_listen (int *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
        .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int sock = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true (sock >= 0);
    assert_int_equal (bind (sock, (struct sockaddr *) &address, size), 0);
    assert_int_equal (listen (sock, 4), 0);
    getsockname (sock, (struct sockaddr *) &address, &size);
    *port = ntohs (address.sin_port);
    return sock;
}

static fuota_mqtt_link_t *
s_link (int port)
{
    fuota_mqtt_link_config_t config = { .host = "broker.example",
        .port = port,
        .client_id = "fuota-test",
        .heard = s_heard,
        .published = s_published };
    fuota_mqtt_link_t *link = fuota_mqtt_link_new (&config);
    assert_non_null (link);
    return link;
}

//  Its descriptor is readable in time.
static void
s_wait (fuota_mqtt_link_t *link)
{
    zmq_pollitem_t item = { .fd = fuota_mqtt_link_fd (link),
        .events = ZMQ_POLLIN };
    assert_int_equal (zmq_poll (&item, 1, 10000), 1);
}

//  Ticks do not wait for the answer, and nothing can be published; when it is
//  there a connection is made.
static void
test_mqtt_link__nothing_blocks (void **state)
{
    (void) state;
    int port, server = s_listen (&port);
    fuota_mqtt_link_stats_t stats;
    fuota_mqtt_link_t *link = s_link (port);
    fuota_mqtt_link_tick (link, 0);
    sem_wait (&s_asked);
    for (int64_t now = 1; now < 100000; now += 1000) {
        fuota_mqtt_link_tick (link, now);
        assert_int_equal (fuota_mqtt_link_publish (link, 1, "t",
                              fuota_slice (NULL, 0)),
            FUOTA_EBUSY);
    }
    s_answer_is = 0;
    sem_post (&s_answer);
    int client = accept (server, NULL, NULL);
    assert_true (client >= 0);
    //  CONNECT comes once the link has heard of it
    uint8_t first = 0;
    struct timeval patience = { 10, 0 };
    setsockopt (client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    for (int64_t now = 100000; first != 0x10; now += 10) {
        s_wait (link);
        fuota_mqtt_link_tick (link, now);
        ssize_t got = recv (client, &first, 1, MSG_DONTWAIT | MSG_PEEK);
        assert_true (got == 1 || errno == EAGAIN);
    }
    fuota_mqtt_link_stats (link, &stats);
    assert_false (stats.ready);
    close (client);
    close (server);
    fuota_mqtt_link_destroy (&link);
}

//  A name that is none: said, and asked again later.
static void
test_mqtt_link__no_such_name (void **state)
{
    (void) state;
    fuota_mqtt_link_stats_t stats = { .ready = true };
    fuota_mqtt_link_t *link = s_link (1);
    for (unsigned n = 0; n < 3; n++) {
        int64_t now = 1000000 * (n + 1);
        fuota_mqtt_link_tick (link, now);
        sem_wait (&s_asked);
        assert_true (fuota_mqtt_link_due (link) == INT64_MAX);
        s_answer_is = EAI_NONAME;
        sem_post (&s_answer);
        while (fuota_mqtt_link_due (link) == INT64_MAX) {
            s_wait (link);
            fuota_mqtt_link_tick (link, now);
        }
        assert_true (fuota_mqtt_link_due (link) > now);
        fuota_mqtt_link_stats (link, &stats);
        assert_string_not_equal (stats.fault, "");
    }
    fuota_mqtt_link_destroy (&link);
}

//  Given up while it is asked: the answer comes to nobody, and frees the rest.
static void
test_mqtt_link__given_up (void **state)
{
    (void) state;
    int port, server = s_listen (&port);
    fuota_mqtt_link_t *link = s_link (port);
    fuota_mqtt_link_tick (link, 0);
    sem_wait (&s_asked);
    fuota_mqtt_link_destroy (&link);
    assert_null (link);
    s_answer_is = 0;
    sem_post (&s_answer);
    //  Its thread makes the connection, and ends it
    int client = accept (server, NULL, NULL);
    uint8_t byte;
    while (recv (client, &byte, 1, 0) > 0)
        continue;
    close (client);
    close (server);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_mqtt_link__nothing_blocks),
        cmocka_unit_test (test_mqtt_link__no_such_name),
        cmocka_unit_test (test_mqtt_link__given_up),
    };
    zsys_set_logstream (NULL);
    sem_init (&s_asked, 0, 0);
    sem_init (&s_answer, 0, 0);
    return cmocka_run_group_tests_name ("mqtt_link", tests, NULL, NULL);
}
