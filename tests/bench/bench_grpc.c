//  SPDX-License-Identifier: MIT
//
//  Unary calls of 32 bytes against a server in a thread of this process, over
//  loopback, one connection: calls a second and the caller's CPU for each, at
//  1, 16 and 64 in flight. Beside it libcurl's multi interface, if
//  libcurl4-openssl-dev was there to build with: same server, TLS, messages.

#include <czmq.h>
#include <poll.h>
#include <time.h>
#include "broker/host/grpc_link.h"
#include "tests/grpc_loopback.h"

#if FUOTA_CURL
#include <curl/curl.h>
#endif

#define MESSAGE 32
#define MANY 64

static int64_t s_duration = 1000000000;  //  Nanoseconds a line

static int64_t
s_clock (clockid_t clock)
{
    struct timespec now;
    clock_gettime (clock, &now);
    return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

typedef struct {
    int64_t wall, cpu;
} s_mark_t;

static s_mark_t
s_mark (void)
{
    s_mark_t mark = { s_clock (CLOCK_MONOTONIC),
        s_clock (CLOCK_THREAD_CPUTIME_ID) };
    return mark;
}

static void
s_print (const char *name, int flying, uint64_t calls, s_mark_t since)
{
    s_mark_t now = s_mark ();
    char line [64];
    snprintf (line, sizeof line, "grpc_%s_%d", name, flying);
    printf ("%-24s %10.0f calls/s\n", line,
        (double) calls * 1e9 / (double) (now.wall - since.wall));
    snprintf (line, sizeof line, "grpc_%s_%d_cpu", name, flying);
    printf ("%-24s %10.2f us/call\n", line,
        (double) (now.cpu - since.cpu) / 1e3 / (double) calls);
}

//  ---------------------------------------------------------------------
//  Ours

static void
s_turn (fuota_grpc_link_t *link)
{
    int fd = fuota_grpc_link_fd (link);
    int64_t now = s_clock (CLOCK_MONOTONIC) / 1000000;
    int64_t due = fuota_grpc_link_due (link);
    struct pollfd item = { .fd = fd, .events = POLLIN };
    poll (&item, 1, due > now ? (int) (due - now) : 0);
    fuota_grpc_link_tick (link, s_clock (CLOCK_MONOTONIC) / 1000000);
}

static void
s_call (fuota_grpc_link_t *link)
{
    static const uint8_t message [MESSAGE] = { 10, 16 };
    int rc = fuota_grpc_link_call (link, 0, "/t/Echo",
        fuota_slice (message, MESSAGE),
        s_clock (CLOCK_MONOTONIC) / 1000000 + 10000);
    assert (rc == 0);
}

//  Calls until it is time, with so many in flight
static uint64_t
s_run (fuota_grpc_link_t *link, int flying, int64_t end)
{
    fuota_grpc_answer_t answer;
    uint64_t calls = 0;
    for (int i = 0; i < flying; i++)
        s_call (link);
    while (flying) {
        s_turn (link);
        bool late = s_clock (CLOCK_MONOTONIC) >= end;
        while (fuota_grpc_link_answer (link, &answer)) {
            assert (answer.status == FUOTA_GRPC_OK);
            calls++;
            if (late)
                flying--;
            else
                s_call (link);
        }
    }
    return calls;
}

static void
s_bench (grpc_loopback_t *server, const char *name, const char *ca_file)
{
    static const int flying [] = { 1, 16, MANY };
    char port [8];
    snprintf (port, sizeof port, "%u", grpc_loopback_port (server));
    const fuota_grpc_link_config_t config = { .host = "127.0.0.1",
        .port = port,
        .tls = ca_file != NULL,
        .ca_file = ca_file,
        .token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.a.b" };
    fuota_grpc_link_t *link = fuota_grpc_link_new (&config);
    assert (link);
    s_run (link, 1, 0);  //  Connect
    for (size_t i = 0; i < sizeof flying / sizeof *flying; i++) {
        s_mark_t since = s_mark ();
        s_print (name, flying [i],
            s_run (link, flying [i], since.wall + s_duration), since);
    }
    fuota_grpc_link_destroy (&link);
}

//  ---------------------------------------------------------------------
//  libcurl

#if FUOTA_CURL

static char s_body [5 + MESSAGE] = { 0, 0, 0, 0, MESSAGE, 10, 16 };

typedef struct {
    CURL *easy;
    size_t size;
    bool good;
} s_easy_t;

static size_t
s_on_body (char *data, size_t size, size_t count, void *arg)
{
    s_easy_t *self = arg;
    (void) data;
    self->size += size * count;
    return size * count;
}

static size_t
s_on_header (char *data, size_t size, size_t count, void *arg)
{
    s_easy_t *self = arg;
    if (size * count > 14 && !strncmp (data, "grpc-status: 0", 14))
        self->good = true;
    return size * count;
}

static void
s_prepare (s_easy_t *self, struct curl_slist *fields, const char *url,
    const char *ca_file)
{
    self->easy = curl_easy_init ();
    assert (self->easy);
    CURL *easy = self->easy;
    curl_easy_setopt (easy, CURLOPT_URL, url);
    curl_easy_setopt (easy, CURLOPT_CAINFO, ca_file);
    curl_easy_setopt (easy, CURLOPT_HTTP_VERSION,
        (long) CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt (easy, CURLOPT_PIPEWAIT, 1L);
    curl_easy_setopt (easy, CURLOPT_POST, 1L);
    curl_easy_setopt (easy, CURLOPT_POSTFIELDS, s_body);
    curl_easy_setopt (easy, CURLOPT_POSTFIELDSIZE, (long) sizeof s_body);
    curl_easy_setopt (easy, CURLOPT_HTTPHEADER, fields);
    curl_easy_setopt (easy, CURLOPT_TIMEOUT_MS, 10000L);
    curl_easy_setopt (easy, CURLOPT_WRITEFUNCTION, s_on_body);
    curl_easy_setopt (easy, CURLOPT_WRITEDATA, self);
    curl_easy_setopt (easy, CURLOPT_HEADERFUNCTION, s_on_header);
    curl_easy_setopt (easy, CURLOPT_HEADERDATA, self);
    curl_easy_setopt (easy, CURLOPT_PRIVATE, self);
}

static void
s_begin (CURLM *multi, s_easy_t *self)
{
    self->size = 0;
    self->good = false;
    curl_multi_add_handle (multi, self->easy);
}

static uint64_t
s_run_curl (CURLM *multi, s_easy_t *easies, int flying, int64_t end)
{
    uint64_t calls = 0;
    for (int i = 0; i < flying; i++)
        s_begin (multi, &easies [i]);
    while (flying) {
        int running, left;
        CURLMsg *msg;
        curl_multi_perform (multi, &running);
        bool late = s_clock (CLOCK_MONOTONIC) >= end, any = false;
        while ((msg = curl_multi_info_read (multi, &left))) {
            s_easy_t *self;
            if (msg->data.result)
                fprintf (stderr, "%s\n", curl_easy_strerror (msg->data.result));
            assert (msg->msg == CURLMSG_DONE && !msg->data.result);
            curl_easy_getinfo (msg->easy_handle, CURLINFO_PRIVATE, &self);
            assert (self->good && self->size == sizeof s_body);
            curl_multi_remove_handle (multi, self->easy);
            calls++;
            any = true;
            if (late)
                flying--;
            else
                s_begin (multi, self);
        }
        if (!any && flying)
            curl_multi_poll (multi, NULL, 0, 1000, NULL);
    }
    return calls;
}

static void
s_bench_curl (grpc_loopback_t *server, const char *ca_file)
{
    static const int flying [] = { 1, 16, MANY };
    s_easy_t easies [MANY];
    char url [64];
    snprintf (url, sizeof url, "https://127.0.0.1:%u/t/Echo",
        grpc_loopback_port (server));
    struct curl_slist *fields =
        curl_slist_append (NULL, "content-type: application/grpc");
    curl_slist_append (fields, "te: trailers");
    curl_slist_append (fields, "expect:");
    curl_slist_append (fields, "grpc-timeout: 10000m");
    curl_slist_append (fields,
        "authorization: Bearer eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.a.b");
    CURLM *multi = curl_multi_init ();
    curl_multi_setopt (multi, CURLMOPT_PIPELINING, (long) CURLPIPE_MULTIPLEX);
    curl_multi_setopt (multi, CURLMOPT_MAX_HOST_CONNECTIONS, 1L);
    for (size_t i = 0; i < MANY; i++)
        s_prepare (&easies [i], fields, url, ca_file);
    s_run_curl (multi, easies, 1, 0);  //  Connect
    for (size_t i = 0; i < sizeof flying / sizeof *flying; i++) {
        s_mark_t since = s_mark ();
        s_print ("libcurl_tls", flying [i],
            s_run_curl (multi, easies, flying [i], since.wall + s_duration),
            since);
    }
    for (size_t i = 0; i < MANY; i++)
        curl_easy_cleanup (easies [i].easy);
    curl_multi_cleanup (multi);
    curl_slist_free_all (fields);
}

#endif

int
main (int argc, char **argv)
{
    if (argc > 1 && streq (argv [1], "--smoke"))
        s_duration = 5000000;
    zsys_set_logstream (stderr);
    grpc_identity_t ca = grpc_identity ("CA", NULL);
    grpc_identity_t identity = grpc_identity ("IP:127.0.0.1", &ca);
    char ca_file [32];
    grpc_identity_save (&ca, ca_file);
    grpc_loopback_t *plain = grpc_loopback_new (0, NULL, GRPC_LOOPBACK_GOOD);
    grpc_loopback_t *secure =
        grpc_loopback_new (0, &identity, GRPC_LOOPBACK_GOOD);
    s_bench (plain, "h2c", NULL);
    s_bench (secure, "tls", ca_file);
#if FUOTA_CURL
    printf ("#  %s\n", curl_version ());
    s_bench_curl (secure, ca_file);
    curl_global_cleanup ();
#endif
    assert (grpc_loopback_accepted (secure) <= 2);  //  One of each client
    grpc_loopback_destroy (&plain);
    grpc_loopback_destroy (&secure);
    grpc_identity_release (&ca);
    grpc_identity_release (&identity);
    unlink (ca_file);
    return 0;
}
