//  SPDX-License-Identifier: MIT
//
//  Event intake, from the socket to the router's decision: uplinks of a device
//  that nobody has a deployment for. Another process sends, so this one's CPU
//  is the receiver's, the library's threads with it. Beside each line the bare
//  library that receives the same messages and only counts them; beside the
//  decoder alone, jansson that only parses and nanopb that only walks.
//
//  MQTT needs mosquitto, and is left out loudly without it.

#include <czmq.h>
#include <jansson.h>
#include <poll.h>
#include <pb_decode.h>
#include <time.h>
#include "broker/host/zmq_actor.h"
#include "broker/router_actor.h"
#include "tests/scratch.h"

#if FUOTA_MQTT
#include <mosquitto.h>
#endif

#define APPLICATION "0d6a4c1e-7a54-4d0c-8c8a-3f0f6c2b9d11"
#define TOPIC "application/" APPLICATION "/device/70b3d5f1c0000a01/event/up"
#define RX(gateway)                                                            \
    "{\"gatewayId\":\"" gateway "\",\"uplinkId\":17357,\"gwTime\":"            \
    "\"2026-03-02T10:15:30.250+00:00\",\"nsTime\":"                            \
    "\"2026-03-02T10:15:30.311+00:00\",\"timeSinceGpsEpoch\":"                 \
    "\"1456481748.250s\",\"rssi\":-87,\"snr\":9.5,\"channel\":2,"              \
    "\"location\":{\"latitude\":52.37,\"longitude\":4.89},\"context\":"        \
    "\"AAECAw==\",\"crcStatus\":\"CRC_OK\"}"

static const char s_json [] =
    "{\"deduplicationId\":\"b7cc1ba4-52f0-4e6b-9a0d-1f3fc8e7a100\",\"time\":"
    "\"2026-03-02T10:15:30.250+00:00\",\"deviceInfo\":{\"tenantId\":"
    "\"5f2e8c4b-1d3a-4b9e-8f60-2a7c9d1e4b33\",\"tenantName\":\"Water Works\","
    "\"applicationId\":\"" APPLICATION "\",\"applicationName\":\"meters\","
    "\"deviceProfileId\":\"9c1b7e52-6f08-4a2d-b3c5-7e9f0a1d2c44\","
    "\"deviceProfileName\":\"water-meter\",\"deviceName\":\"meter-a01\","
    "\"devEui\":\"70b3d5f1c0000a01\",\"deviceClassEnabled\":\"CLASS_C\","
    "\"tags\":{\"fw_branch\":\"3\"}},\"devAddr\":\"01a2b3c4\",\"adr\":true,"
    "\"dr\":5,\"fCnt\":4660,\"fPort\":201,\"confirmed\":false,"
    "\"data\":\"AQBkAAA=\",\"rxInfo\":[" RX ("0016c001f1500001") "," RX (
        "0016c001f1500002") "],\"txInfo\":{\"frequency\":868100000,"
                            "\"modulation\":{\"lora\":{\"bandwidth\":125000,"
                            "\"spreadingFactor\":7,\"codeRate\":\"CR_4_5\"}}},"
                            "\"regionConfigId\":\"eu868\"}";

typedef struct {
    uint8_t data [2048];
    size_t size, dedup;  //  Where eight digits of the deduplication id are
} s_body_t;

//  The size of one line: events.
static uint64_t s_count = 100000, s_mqtt_count = 20000;

static int64_t
s_clock (clockid_t clock)
{
    struct timespec now;
    clock_gettime (clock, &now);
    return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

static void
s_body (s_body_t *self, bool json)
{
    *self = (s_body_t){ .size = 0 };
    if (json) {
        self->size = sizeof s_json - 1;
        memcpy (self->data, s_json, self->size);
        self->dedup = 20;
        return;
    }
    json_t *vectors =
        json_load_file (FUOTA_VECTORS "/chirpstack.json", 0, NULL);
    const char *text = json_string_value (json_object_get (vectors, "up"));
    assert (text && strlen (text) / 2 <= sizeof self->data);
    for (; text [2 * self->size]; self->size++)
        sscanf (text + 2 * self->size, "%2hhx", &self->data [self->size]);
    self->dedup = 2;
    json_decref (vectors);
}

static void
s_number (s_body_t *self, uint64_t n)
{
    char digits [9];
    snprintf (digits, sizeof digits, "%08x", (unsigned) n);
    memcpy (self->data + self->dedup, digits, 8);
}

//  ---------------------------------------------------------------------
//  The process that sends

static int
s_send_zmq (const char *endpoint, bool json, uint64_t count)
{
    s_body_t body;
    s_body (&body, json);
    void *context = zmq_ctx_new ();
    void *push = zmq_socket (context, ZMQ_PUSH);
    int rc = zmq_connect (push, endpoint);
    for (uint64_t i = 0; !rc && i < count; i++) {
        s_number (&body, i);
        zmq_send (push, TOPIC, strlen (TOPIC), ZMQ_SNDMORE);
        zmq_send (push, body.data, body.size, 0);
    }
    zmq_close (push);
    zmq_ctx_term (context);
    return rc;
}

#if FUOTA_MQTT
static void
s_published (struct mosquitto *client, void *arg, int id)
{
    (void) client;
    (void) id;
    --*(uint64_t *) arg;
}

//  QoS 1, as ChirpStack is told to; at most so many on their way.
static int
s_send_mqtt (int port, bool json, uint64_t count, uint64_t first)
{
    s_body_t body;
    uint64_t flying = 0;
    s_body (&body, json);
    mosquitto_lib_init ();
    struct mosquitto *client = mosquitto_new ("bench-send", true, &flying);
    mosquitto_max_inflight_messages_set (client, 200);
    mosquitto_publish_callback_set (client, s_published);
    int rc = mosquitto_connect (client, "127.0.0.1", port, 60);
    for (uint64_t i = 0; !rc && (i < count || flying);) {
        while (i < count && flying < 200 && !rc) {
            s_number (&body, first + i++);
            flying++;
            rc = mosquitto_publish (client, NULL, TOPIC, (int) body.size,
                body.data, 1, false);
        }
        if (!rc)
            rc = mosquitto_loop (client, 10, 1);
    }
    mosquitto_destroy (client);
    return rc;
}
#endif

static int
s_sender (char **argv)
{
    bool json = streq (argv [3], "json");
    uint64_t count = strtoull (argv [4], NULL, 10);
    if (streq (argv [1], "--zmq"))
        return s_send_zmq (argv [2], json, count);
#if FUOTA_MQTT
    return s_send_mqtt (atoi (argv [2]), json, count,
        strtoull (argv [5], NULL, 10));
#else
    return 1;
#endif
}

//  Start it; its end is waited for by who closes the file.
static FILE *
s_start (const char *way, const char *where, bool json, uint64_t count,
    uint64_t first)
{
    char command [300], self [200];
    ssize_t size = readlink ("/proc/self/exe", self, sizeof self - 1);
    assert (size > 0);
    self [size] = 0;
    snprintf (command, sizeof command, "exec %s %s %s %s %llu %llu", self, way,
        where, json ? "json" : "protobuf", (unsigned long long) count,
        (unsigned long long) first);
    FILE *file = popen (command, "r");
    assert (file);
    return file;
}

static void
s_end (FILE *file)
{
    int rc = pclose (file);
    assert (rc == 0);
}

//  ---------------------------------------------------------------------
//  Results

typedef struct {
    double rate, cpu;  //  Events a second, microseconds each
} s_result_t;

static s_result_t
s_result (uint64_t count, int64_t wall, int64_t cpu)
{
    s_result_t result = { (double) count * 1e9 /
                              (double) (s_clock (CLOCK_MONOTONIC) - wall),
        (double) (s_clock (CLOCK_PROCESS_CPUTIME_ID) - cpu) / 1e3 /
            (double) count };
    return result;
}

static void
s_print (const char *way, bool json, s_result_t ours, s_result_t bare)
{
    printf ("intake_%s_%s %.0f events/s %.2f us\n", way,
        json ? "json" : "protobuf", ours.rate, ours.cpu);
    printf ("intake_%s_%s_bare %.0f events/s %.2f us\n", way,
        json ? "json" : "protobuf", bare.rate, bare.cpu);
    printf ("intake_%s_%s_ratio %.2f of its rate, %.2f times its CPU\n", way,
        json ? "json" : "protobuf", ours.rate / bare.rate, ours.cpu / bare.cpu);
}

//  ---------------------------------------------------------------------
//  Ours: the actor and the router

typedef struct {
    scratch_t scratch;
    zactor_t *host, *router;
    zsock_t *sinks [3];
} s_engine_t;

static void
s_engine_start (s_engine_t *self, const char *endpoint, fuota_mqtt_link_t *mqtt)
{
    fuota_chirpstack_config_t config;
    fuota_chirpstack_defaults (&config);
    scratch_init (&self->scratch, 16u << 20, FUOTA_DB_NOSYNC);
    self->sinks [0] = zsock_new_pull ("@inproc://deployments");
    self->sinks [1] = zsock_new_pull ("@inproc://clock");
    self->sinks [2] = zsock_new_pull ("@inproc://outbox");
    fuota_router_args_t router = { .db = self->scratch.db,
        .inbox = zsock_new_pull ("@inproc://router"),
        .port003 = 202 };
    self->router = zactor_new (fuota_router_actor, &router);
    fuota_zmq_args_t args = { .core = fuota_chirpstack_new (&config),
        .link.pull = fuota_zmq_link_socket (ZMQ_PULL),
        .mqtt = mqtt,
        .door = fuota_zmq_link_socket (ZMQ_ROUTER),
        .inbox = zsock_new_pull ("@inproc://host"),
        .events = zsock_new_push (">inproc://router"),
        .outcomes = zsock_new_push (">inproc://outbox") };
    int rc = zsock_bind (args.link.pull, "%s", endpoint);
    assert (rc != -1);
    self->host = zactor_new (fuota_zmq_actor, &args);
}

static void
s_engine_stop (s_engine_t *self)
{
    zactor_destroy (&self->host);
    zactor_destroy (&self->router);
    for (unsigned i = 0; i < 3; i++)
        zsock_destroy (&self->sinks [i]);
    scratch_release (&self->scratch);
}

//  Wait until the router has decided on so many events.
static void
s_decided (s_engine_t *self, uint64_t count)
{
    uint64_t events = 0, dropped, malformed;
    while (events < count) {
        char *word = NULL;
        poll (NULL, 0, 1);
        zstr_send (self->router, "STATS");
        zsock_recv (self->router, "s888", &word, &events, &dropped, &malformed);
        zstr_free (&word);
    }
}

//  ---------------------------------------------------------------------
//  ZeroMQ

static void
s_zmq (bool json)
{
    char endpoint [64];
    s_engine_t engine;
    snprintf (endpoint, sizeof endpoint, "ipc:///tmp/bench-intake-%d",
        (int) getpid ());
    s_engine_start (&engine, endpoint, NULL);
    FILE *sender = s_start ("--zmq", endpoint, json, s_count, 0);
    s_decided (&engine, 1);
    int64_t wall = s_clock (CLOCK_MONOTONIC);
    int64_t cpu = s_clock (CLOCK_PROCESS_CPUTIME_ID);
    s_decided (&engine, s_count);
    s_result_t ours = s_result (s_count, wall, cpu);
    s_end (sender);
    s_engine_stop (&engine);

    void *context = zmq_ctx_new ();
    void *pull = zmq_socket (context, ZMQ_PULL);
    char topic [256];
    static uint8_t body [4096];
    int rc = zmq_bind (pull, endpoint);
    assert (rc == 0);
    sender = s_start ("--zmq", endpoint, json, s_count, 0);
    for (uint64_t i = 0; i < s_count; i++) {
        zmq_recv (pull, topic, sizeof topic, 0);
        zmq_recv (pull, body, sizeof body, 0);
        if (i == 0) {
            wall = s_clock (CLOCK_MONOTONIC);
            cpu = s_clock (CLOCK_PROCESS_CPUTIME_ID);
        }
    }
    s_print ("zmq", json, ours, s_result (s_count, wall, cpu));
    s_end (sender);
    zmq_close (pull);
    zmq_ctx_term (context);
}

//  ---------------------------------------------------------------------
//  MQTT

#if FUOTA_MQTT
static void
s_count_one (struct mosquitto *client, void *arg,
    const struct mosquitto_message *message)
{
    (void) client;
    (void) message;
    ++*(uint64_t *) arg;
}

//  First a few events, until they come: it is subscribed then.
static s_result_t
s_mqtt_ours (int port, const char *where, bool json)
{
    s_engine_t engine;
    fuota_mqtt_link_config_t config = { .host = "127.0.0.1",
        .port = port,
        .client_id = "bench-ours",
        .clean = true,
        .heard = fuota_zmq_actor_heard,
        .published = fuota_zmq_actor_published };
    s_engine_start (&engine, "inproc://nobody", fuota_mqtt_link_new (&config));
    uint64_t warm = 0, events = 0, dropped, malformed;
    while (!events) {
        char *word = NULL;
        s_end (s_start ("--mqtt", where, json, 1, ++warm));
        zstr_send (engine.router, "STATS");
        zsock_recv (engine.router, "s888", &word, &events, &dropped,
            &malformed);
        zstr_free (&word);
    }
    int64_t wall = s_clock (CLOCK_MONOTONIC);
    int64_t cpu = s_clock (CLOCK_PROCESS_CPUTIME_ID);
    FILE *sender = s_start ("--mqtt", where, json, s_mqtt_count, 1000000);
    s_decided (&engine, events + s_mqtt_count);
    s_result_t result = s_result (s_mqtt_count, wall, cpu);
    s_end (sender);
    s_engine_stop (&engine);
    return result;
}

static s_result_t
s_mqtt_bare (int port, const char *where, bool json)
{
    uint64_t got = 0;
    struct mosquitto *client = mosquitto_new ("bench-bare", true, &got);
    mosquitto_message_callback_set (client, s_count_one);
    int rc = mosquitto_connect (client, "127.0.0.1", port, 60);
    assert (rc == 0);
    mosquitto_subscribe (client, NULL, "application/+/device/+/event/+", 1);
    for (uint64_t warm = 0; !got;) {
        s_end (s_start ("--mqtt", where, json, 1, ++warm));
        mosquitto_loop (client, 10, 1);
    }
    uint64_t base = got;
    int64_t wall = s_clock (CLOCK_MONOTONIC);
    int64_t cpu = s_clock (CLOCK_PROCESS_CPUTIME_ID);
    FILE *sender = s_start ("--mqtt", where, json, s_mqtt_count, 1000000);
    while (got < base + s_mqtt_count)
        mosquitto_loop (client, 10, 1);
    s_result_t result = s_result (s_mqtt_count, wall, cpu);
    s_end (sender);
    mosquitto_destroy (client);
    return result;
}

static FILE *
s_mosquitto (int port, char *path, size_t size)
{
    char command [200];
    if (access ("/usr/sbin/mosquitto", X_OK))
        return NULL;
    snprintf (path, size, "/tmp/bench-intake-%d.conf", (int) getpid ());
    FILE *file = fopen (path, "w");
    assert (file);
    fprintf (file,
        "listener %d 127.0.0.1\nallow_anonymous true\n"
        "max_queued_messages 0\nmax_inflight_messages 200\n"
        "log_type none\nuser root\n",
        port);
    fclose (file);
    snprintf (command, sizeof command,
        "echo $$; exec /usr/sbin/mosquitto -c %s 2>/dev/null", path);
    return popen (command, "r");
}

static void
s_mqtt (void)
{
    char path [64], where [8];
    zsock_t *sock = zsock_new (ZMQ_PULL);
    int port = zsock_bind (sock, "tcp://127.0.0.1:*"), pid = 0;
    zsock_destroy (&sock);
    FILE *broker = s_mosquitto (port, path, sizeof path);
    if (!broker) {
        printf ("#  SKIP MQTT: mosquitto is not installed\n");
        return;
    }
    int got = fscanf (broker, "%d", &pid);
    assert (got == 1);
    mosquitto_lib_init ();
    struct mosquitto *knock = mosquitto_new (NULL, true, NULL);
    while (mosquitto_connect (knock, "127.0.0.1", port, 60))
        poll (NULL, 0, 10);
    mosquitto_destroy (knock);
    snprintf (where, sizeof where, "%d", port);
    for (unsigned json = 0; json < 2; json++) {
        s_result_t ours = s_mqtt_ours (port, where, json);
        s_print ("mqtt", json, ours, s_mqtt_bare (port, where, json));
    }
    kill (pid, SIGTERM);
    pclose (broker);
    unlink (path);
}
#else
static void
s_mqtt (void)
{
    printf ("#  SKIP MQTT: this build is without it\n");
}
#endif

//  ---------------------------------------------------------------------
//  The decoder alone

static void
s_parse_only (const s_body_t *body, bool json)
{
    if (json) {
        json_t *root =
            json_loadb ((const char *) body->data, body->size, 0, NULL);
        assert (root);
        json_decref (root);
        return;
    }
    pb_istream_t stream = pb_istream_from_buffer (body->data, body->size);
    pb_wire_type_t type;
    uint32_t tag;
    bool end;
    while (pb_decode_tag (&stream, &type, &tag, &end))
        pb_skip_field (&stream, type);
}

static void
s_decoder (bool json)
{
    fuota_chirpstack_config_t config;
    fuota_event_t event;
    s_body_t body;
    s_body (&body, json);
    fuota_chirpstack_defaults (&config);
    fuota_chirpstack_t *core = fuota_chirpstack_new (&config);
    int64_t took [2];
    for (unsigned way = 0; way < 2; way++) {
        int64_t since = s_clock (CLOCK_THREAD_CPUTIME_ID);
        for (uint64_t i = 0; i < s_count; i++) {
            s_number (&body, i);
            fuota_slice_t frames [] = { fuota_slice (TOPIC, strlen (TOPIC)),
                fuota_slice (body.data, body.size) };
            if (way)
                s_parse_only (&body, json);
            else if (fuota_zmq_host_event (core, frames, 2, 1772446531000) ||
                     !fuota_chirpstack_event_out (core, &event))
                assert (false);
        }
        took [way] = s_clock (CLOCK_THREAD_CPUTIME_ID) - since;
    }
    printf ("decode_%s %.2f us\ndecode_%s_%s %.2f us\ndecode_%s_ratio %.2f\n",
        json ? "json" : "protobuf", (double) took [0] / 1e3 / (double) s_count,
        json ? "json" : "protobuf",
        json ? "jansson_parse_only" : "nanopb_walk_only",
        (double) took [1] / 1e3 / (double) s_count, json ? "json" : "protobuf",
        (double) took [0] / (double) took [1]);
    fuota_chirpstack_destroy (&core);
}

int
main (int argc, char **argv)
{
    if (argc > 4)
        return s_sender (argv);
    if (argc > 1 && streq (argv [1], "--smoke"))
        s_count = s_mqtt_count = 200;
    zsys_set_logstream (NULL);
    for (unsigned json = 0; json < 2; json++)
        s_decoder (json);
    for (unsigned json = 0; json < 2; json++)
        s_zmq (json);
    s_mqtt ();
    return 0;
}
