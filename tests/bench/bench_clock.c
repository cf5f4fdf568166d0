//  SPDX-License-Identifier: MIT
//
//  From an uplink with AppTimeReq to the command that answers it, as
//  ChirpStack sees it: a fuotad process, a Mosquitto process, events and
//  commands over loopback. ChirpStack looks for an answer some 100 ms after
//  the event. Alone, and behind a burst of uplinks of other devices.
//
//  bench_clock [--smoke]; the state is under TMPDIR: its disk is measured,
//  too. With FUOTA_NAGLE set the broker is without set_tcp_nodelay, as it is
//  when nobody has said so. Says SKIP where there is no mosquitto.

#include <czmq.h>
#include <mosquitto.h>
#include <signal.h>
#include <sys/wait.h>

#define APPLICATION "00000000-0000-4000-8000-000000000001"
#define BURST 100
#define PATIENCE 30000  //  Milliseconds

typedef struct {
    char folder [64];
    int port;
    pid_t broker, fuotad;
    struct mosquitto *client;
    bool ready, answered;
    unsigned serial;  //  Of events
} self_t;

//  ---------------------------------------------------------------------
//  Processes

static void s_write (const self_t *self, const char *name, mode_t mode,
    const char *format, ...) __attribute__ ((format (printf, 4, 5)));

static void
s_write (const self_t *self, const char *name, mode_t mode, const char *format,
    ...)
{
    char path [128];
    snprintf (path, sizeof path, "%s/%s", self->folder, name);
    FILE *out = fopen (path, "w");
    assert (out);
    va_list args;
    va_start (args, format);
    vfprintf (out, format, args);
    va_end (args);
    fclose (out);
    chmod (path, mode);
}

static int
s_free_port (void)
{
    zsock_t *sock = zsock_new (ZMQ_STREAM);
    assert (sock);
    int port = zsock_bind (sock, "tcp://127.0.0.1:*");
    assert (port > 0);
    zsock_destroy (&sock);
    return port;
}

static pid_t
s_run (const self_t *self, const char *program, const char *config)
{
    char path [128], log [128];
    snprintf (path, sizeof path, "%s/%s", self->folder, config);
    snprintf (log, sizeof log, "%s/%s.log", self->folder, config);
    pid_t child = fork ();
    assert (child >= 0);
    if (child)
        return child;
    int out = open (log, O_CREAT | O_WRONLY, 0600);
    dup2 (out, 1);
    dup2 (out, 2);
    execl (program, program, "-c", path, (char *) NULL);
    _exit (127);
}

static void
s_end (pid_t child)
{
    if (child > 0) {
        kill (child, SIGTERM);
        waitpid (child, NULL, 0);
    }
}

static void
s_start (self_t *self, const char *mosquitto)
{
    const char *tmp = getenv ("TMPDIR");
    snprintf (self->folder, sizeof self->folder, "%s/fuota-XXXXXX",
        tmp && strlen (tmp) < 40 ? tmp : "/tmp");
    assert (mkdtemp (self->folder));
    self->port = s_free_port ();
    s_write (self, "mosquitto.conf", 0600,
        "listener %d 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay %s\n",
        self->port, getenv ("FUOTA_NAGLE") ? "false" : "true");
    s_write (self, "token", 0600, "a.b.c\n");
    s_write (self, "fuotad.cfg", 0600,
        "state = { folder = \"%s/state\"; map_mib = 64; };\n"
        "control = { endpoint = \"ipc://%s/control\"; events = "
        "\"ipc://%s/events\"; };\npool = { workers = 0; };\n"
        "host = { type = \"chirpstack\"; chirpstack = { mqtt = "
        "\"tcp://127.0.0.1:%d\"; api = \"http://127.0.0.1:1\"; token_file = "
        "\"%s/token\"; }; };\n",
        self->folder, self->folder, self->folder, self->port, self->folder);
    self->broker = s_run (self, mosquitto, "mosquitto.conf");
    self->fuotad = s_run (self, FUOTA_PROGRAM, "fuotad.cfg");
}

static void
s_stop (self_t *self)
{
    mosquitto_destroy (self->client);
    s_end (self->fuotad);
    s_end (self->broker);
    zdir_t *folder = zdir_new (self->folder, NULL);
    if (folder)
        zdir_remove (folder, true);
    zdir_destroy (&folder);
}

//  ---------------------------------------------------------------------
//  Events and commands

static void
s_on_connect (struct mosquitto *client, void *arg, int code)
{
    self_t *self = arg;
    self->ready = code == 0;
    mosquitto_subscribe (client, NULL, "application/+/device/+/command/down",
        0);
}

static void
s_on_message (struct mosquitto *client, void *arg,
    const struct mosquitto_message *message)
{
    self_t *self = arg;
    (void) client;
    (void) message;
    self->answered = true;
}

//  Until *done; false if that takes too long.
static bool
s_serve (self_t *self, const bool *done)
{
    int64_t limit = zclock_mono () + PATIENCE;
    while (!*done && zclock_mono () < limit)
        if (mosquitto_loop (self->client, 100, 100))
            mosquitto_reconnect (self->client);  //  It is starting
    return *done;
}

//  AppTimeReq of DeviceTime 0, an answer wanted; or a payload nobody reads.
static void
s_event (self_t *self, unsigned device, bool request)
{
    char topic [128], body [512];
    unsigned serial = ++self->serial;
    snprintf (topic, sizeof topic,
        "application/" APPLICATION "/device/70b3d57ed000%04x/event/up", device);
    int size = snprintf (body, sizeof body,
        "{\"deduplicationId\":\"00000000-0000-4000-8000-%012x\","
        "\"deviceInfo\":{\"applicationId\":\"" APPLICATION "\","
        "\"devEui\":\"70b3d57ed000%04x\"},\"fCnt\":%u,\"fPort\":%u,"
        "\"data\":\"%s\"}",
        serial, device, serial, request ? 202 : 1,
        request ? "AQAAAAAQ" : "AAAA");
    mosquitto_publish (self->client, NULL, topic, size, body, 1, false);
}

static int
s_compare (const void *a, const void *b)
{
    const double *one = a, *two = b;
    return *one < *two ? -1 : *one > *two;
}

//  Answers, each to another device, so that none waits for the one before.
static bool
s_measure (self_t *self, const char *name, unsigned count, unsigned burst)
{
    double *took = zmalloc (count * sizeof *took), sum = 0;
    bool good = true;
    for (unsigned n = 0; good && n < count; n++) {
        for (unsigned b = 0; b < burst; b++)
            s_event (self, 0x8000 + b, false);
        self->answered = false;
        int64_t began = zclock_usecs ();
        s_event (self, self->serial % 0x8000, true);
        good = s_serve (self, &self->answered);
        took [n] = (double) (zclock_usecs () - began) / 1000;
        sum += took [n];
    }
    qsort (took, count, sizeof *took, s_compare);
    if (good)
        printf ("clock_%s_median %10.2f ms\nclock_%s_99th   %10.2f ms\n"
                "clock_%s_max    %10.2f ms\n",
            name, took [count / 2], name, took [count * 99 / 100], name,
            took [count - 1]);
    free (took);
    return good;
}

int
main (int argc, char **argv)
{
    bool smoke = argc > 1 && streq (argv [1], "--smoke");
    static self_t self;
    const char *mosquitto = access ("/usr/sbin/mosquitto", X_OK) == 0
                                ? "/usr/sbin/mosquitto"
                                : "/usr/bin/mosquitto";
    if (access (mosquitto, X_OK)) {
        printf ("SKIP bench_clock: mosquitto is not installed\n");
        return 77;
    }
    mosquitto_lib_init ();
    s_start (&self, mosquitto);
    self.client = mosquitto_new (NULL, true, &self);
    assert (self.client);
    mosquitto_int_option (self.client, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_connect_callback_set (self.client, s_on_connect);
    mosquitto_message_callback_set (self.client, s_on_message);
    mosquitto_connect (self.client, "127.0.0.1", self.port, 30);
    bool good = s_serve (&self, &self.ready);
    //  fuotad is there once it has answered something
    for (unsigned n = 0; good && !self.answered && n < 100; n++) {
        s_event (&self, n, true);
        for (unsigned k = 0; k < 10 && !self.answered; k++)
            mosquitto_loop (self.client, 30, 100);
    }
    good = good && self.answered &&
           s_measure (&self, "alone", smoke ? 5 : 500, 0) &&
           s_measure (&self, "burst", smoke ? 2 : 200, BURST);
    if (!good)
        fprintf (stderr, "bench_clock: no answer; %s\n", self.folder);
    s_stop (&self);
    mosquitto_lib_cleanup ();
    return good ? 0 : 1;
}
