//  SPDX-License-Identifier: MIT
//
//  Parts: what libmosquitto tells us; the connection; the doors.

#include <czmq.h>
#include <mosquitto.h>
#include <sys/epoll.h>
#include "broker/host/mqtt_connect.h"
#include "broker/host/mqtt_link.h"

#define KEEP_ALIVE 30  //  Seconds
#define CHORES 1000    //  Between two looks at the keep-alive
#define BACK_OFF 500   //  After a loss, doubled up to
#define BACK_OFF_MAX 60000
#define CONNECT 15000  //  Until the broker must have said CONNACK
#define FILTERS 32
#define FLYING 512
#define INFLIGHT 100  //  Of them on the wire

struct fuota_mqtt_link {
    struct mosquitto *client;
    fuota_mqtt_link_config_t config;
    fuota_mqtt_link_stats_t stats;
    char host [256];
    char filters [FILTERS][256];
    unsigned filter_count;
    int epoll, sock;
    bool writing;    //  The epoll set waits for room, too
    bool begun;      //  A connection is being made, or there is one
    bool connected;  //  Once: what is next is a reconnection
    fuota_mqtt_connect_t *connecting;  //  There: the client is not ours
    int64_t now, due, limit;
    unsigned failures;
    char refusal [64];  //  Of CONNACK
    struct {
        uint64_t tag;
        int mid;  //  0 = free
    } flying [FLYING];
};

//  ---------------------------------------------------------------------
//  What libmosquitto tells us

static void
s_on_connect (struct mosquitto *client, void *arg, int code)
{
    fuota_mqtt_link_t *self = arg;
    if (code) {
        zsys_error ("mqtt: %s:%d: refused: %s", self->host, self->config.port,
            mosquitto_connack_string (code));
        snprintf (self->refusal, sizeof self->refusal, "%s",
            mosquitto_connack_string (code));
        return;  //  The broker closes the connection
    }
    self->stats.ready = true;
    self->stats.connects++;
    self->failures = 0;
    self->stats.granted = self->stats.refused = 0;
    self->stats.fault [0] = self->refusal [0] = 0;
    zsys_info ("mqtt: %s:%d: connected", self->host, self->config.port);
    for (unsigned i = 0; i < self->filter_count; i++)
        mosquitto_subscribe (client, NULL, self->filters [i], 1);
}

static void
s_on_message (struct mosquitto *client, void *arg,
    const struct mosquitto_message *message)
{
    fuota_mqtt_link_t *self = arg;
    (void) client;
    //  What is retained was said before we were there: no event of now
    if (message->retain || message->payloadlen < 0)
        return;
    self->stats.heard++;
    self->config.heard (self->config.arg, message->topic,
        fuota_slice (message->payload, (size_t) message->payloadlen));
}

static void
s_on_publish (struct mosquitto *client, void *arg, int mid)
{
    fuota_mqtt_link_t *self = arg;
    (void) client;
    for (unsigned i = 0; i < FLYING; i++)
        if (self->flying [i].mid == mid) {
            self->flying [i].mid = 0;
            self->stats.published++;
            self->config.published (self->config.arg, self->flying [i].tag);
            return;
        }
}

//  A broker that does not know a filter grants 128.
static void
s_on_subscribe (struct mosquitto *client, void *arg, int mid, int count,
    const int *granted)
{
    fuota_mqtt_link_t *self = arg;
    (void) client;
    (void) mid;
    for (int i = 0; i < count; i++) {
        self->stats.granted += granted [i] <= 2;
        self->stats.refused += granted [i] > 2;
        if (granted [i] > 2)
            zsys_error ("mqtt: %s:%d: a subscription is refused; look at the "
                        "broker's access list",
                self->host, self->config.port);
    }
}

//  ---------------------------------------------------------------------
//  The connection

//  The socket there is now, in the epoll set, for what is wanted of it.
static void
s_watch (fuota_mqtt_link_t *self)
{
    int sock = mosquitto_socket (self->client);
    bool writing = sock >= 0 && mosquitto_want_write (self->client);
    if (sock == self->sock && writing == self->writing)
        return;
    struct epoll_event event = { .events = EPOLLIN };
    if (writing)
        event.events |= EPOLLOUT;
    //  One that was closed has left the set by itself
    if (sock >= 0 && epoll_ctl (self->epoll, EPOLL_CTL_MOD, sock, &event) == -1)
        epoll_ctl (self->epoll, EPOLL_CTL_ADD, sock, &event);
    self->sock = sock;
    self->writing = writing;
}

static void
s_lost (fuota_mqtt_link_t *self, const char *why)
{
    int64_t wait = BACK_OFF << (self->failures < 8 ? self->failures : 8);
    if (wait > BACK_OFF_MAX)
        wait = BACK_OFF_MAX;
    //  Clients that lost one broker do not come back all at once
    wait += randof ((int) wait / 2);
    self->failures++;
    self->stats.losses += self->stats.ready;
    if (self->stats.ready || self->failures == 1)
        zsys_warning ("mqtt: %s:%d: %s", self->host, self->config.port, why);
    //  The broker's own words before those of the connection it then closed
    snprintf (self->stats.fault, sizeof self->stats.fault, "%s",
        *self->refusal ? self->refusal : why);
    self->stats.ready = self->begun = false;
    self->sock = -1;  //  The next one may have the same number
    self->due = self->now + wait;
}

static void
s_begin (fuota_mqtt_link_t *self)
{
    self->begun = true;
    self->connecting = fuota_mqtt_connect_new (self->client,
        self->connected ? NULL : self->host, self->config.port, KEEP_ALIVE);
    if (!self->connecting) {
        s_lost (self, strerror (errno));
        return;
    }
    struct epoll_event event = { .events = EPOLLIN };
    epoll_ctl (self->epoll, EPOLL_CTL_ADD,
        fuota_mqtt_connect_fd (self->connecting), &event);
    //  It knows host and port from the first time on, whatever came of it
    self->connected = true;
    self->due = INT64_MAX;
}

//  The name is looked up, and the socket connects.
static void
s_begun (fuota_mqtt_link_t *self)
{
    int rc, fd = fuota_mqtt_connect_fd (self->connecting);
    const char *why;
    struct epoll_event event = { .events = EPOLLIN };
    //  Out first: once taken, the number may be another's
    epoll_ctl (self->epoll, EPOLL_CTL_DEL, fd, NULL);
    if (!fuota_mqtt_connect_take (&self->connecting, &rc, &why)) {
        epoll_ctl (self->epoll, EPOLL_CTL_ADD, fd, &event);
        return;
    }
    self->limit = self->now + CONNECT;
    self->due = self->now + CHORES;
    if (rc)
        s_lost (self, why);
}

static void
s_serve (fuota_mqtt_link_t *self)
{
    struct epoll_event event;
    int rc = MOSQ_ERR_SUCCESS;
    int ready = epoll_wait (self->epoll, &event, 1, 0);
    if (ready > 0 && event.events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        rc = mosquitto_loop_read (self->client, INFLIGHT);
    if (!rc && mosquitto_want_write (self->client))
        rc = mosquitto_loop_write (self->client, INFLIGHT);
    if (!rc && self->now >= self->due) {
        rc = mosquitto_loop_misc (self->client);
        self->due = self->now + CHORES;
    }
    if (!rc && !self->stats.ready && self->now >= self->limit) {
        mosquitto_disconnect (self->client);
        rc = MOSQ_ERR_TIMEOUT;
    }
    if (rc)
        s_lost (self,
            rc == MOSQ_ERR_ERRNO ? strerror (errno) : mosquitto_strerror (rc));
}

void
fuota_mqtt_link_tick (fuota_mqtt_link_t *self, int64_t now)
{
    self->now = now;
    if (self->connecting)
        s_begun (self);
    else if (self->begun)
        s_serve (self);
    else if (now >= self->due)
        s_begin (self);
    if (!self->connecting)
        s_watch (self);
}

//  ---------------------------------------------------------------------
//  The doors

static const char *
s_some (const char *text)
{
    return text && *text ? text : NULL;
}

static bool
s_secure (fuota_mqtt_link_t *self)
{
    const fuota_mqtt_link_config_t *config = &self->config;
    const char *ca_file = s_some (config->ca_file);
    int rc = MOSQ_ERR_SUCCESS;
    if (s_some (config->user))
        rc = mosquitto_username_pw_set (self->client, config->user,
            s_some (config->password));
    if (!rc && config->tls)
        rc = mosquitto_tls_set (self->client, ca_file,
            ca_file ? NULL : "/etc/ssl/certs", s_some (config->cert_file),
            s_some (config->key_file), NULL);
    if (rc)
        zsys_error ("mqtt: %s: %s", self->host,
            config->tls ? "files of TLS cannot be read or are none"
                        : mosquitto_strerror (rc));
    return rc == MOSQ_ERR_SUCCESS;
}

fuota_mqtt_link_t *
fuota_mqtt_link_new (const fuota_mqtt_link_config_t *config)
{
    mosquitto_lib_init ();
    fuota_mqtt_link_t *self = zmalloc (sizeof *self);
    self->config = *config;
    self->sock = -1;
    snprintf (self->host, sizeof self->host, "%s", config->host);
    self->epoll = epoll_create1 (EPOLL_CLOEXEC);
    self->client = mosquitto_new (config->client_id, config->clean, self);
    assert (self->epoll >= 0 && self->client);
    if (!s_secure (self)) {
        fuota_mqtt_link_destroy (&self);
        return NULL;
    }
    mosquitto_max_inflight_messages_set (self->client, INFLIGHT);
    //  A command follows the acknowledgement of the event it answers: it would
    //  wait 40 ms for that to be acknowledged by the peer's TCP
    mosquitto_int_option (self->client, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_connect_callback_set (self->client, s_on_connect);
    mosquitto_message_callback_set (self->client, s_on_message);
    mosquitto_publish_callback_set (self->client, s_on_publish);
    mosquitto_subscribe_callback_set (self->client, s_on_subscribe);
    //  The caller's texts are not ours to keep
    self->config.user = self->config.password = NULL;
    return self;
}

void
fuota_mqtt_link_destroy (fuota_mqtt_link_t **self_p)
{
    fuota_mqtt_link_t *self = *self_p;
    if (!self)
        return;
    close (self->epoll);
    if (self->connecting)
        fuota_mqtt_connect_abandon (&self->connecting);
    else {
        mosquitto_disconnect (self->client);
        mosquitto_destroy (self->client);
        mosquitto_lib_cleanup ();
    }
    free (self);
    *self_p = NULL;
}

void
fuota_mqtt_link_bind (fuota_mqtt_link_t *self, void *arg)
{
    self->config.arg = arg;
}

void
fuota_mqtt_link_subscribe (fuota_mqtt_link_t *self, const char *filter)
{
    assert (self->filter_count < FILTERS);
    snprintf (self->filters [self->filter_count++], sizeof self->filters [0],
        "%s", filter);
}

static int
s_publish (fuota_mqtt_link_t *self, uint64_t tag, const char *topic,
    fuota_slice_t body, bool retain)
{
    unsigned at = 0;
    while (at < FLYING && self->flying [at].mid)
        at++;
    if (at == FLYING || !self->stats.ready)
        return FUOTA_EBUSY;
    int mid = 0;
    if (mosquitto_publish (self->client, &mid, topic, (int) body.size,
            body.data, 1, retain))
        return FUOTA_EVALUE;
    self->flying [at].mid = mid;
    self->flying [at].tag = tag;
    s_watch (self);
    return 0;
}

int
fuota_mqtt_link_publish (fuota_mqtt_link_t *self, uint64_t tag,
    const char *topic, fuota_slice_t body)
{
    return s_publish (self, tag, topic, body, false);
}

int
fuota_mqtt_link_retain (fuota_mqtt_link_t *self, uint64_t tag,
    const char *topic, fuota_slice_t body)
{
    return s_publish (self, tag, topic, body, true);
}

int64_t
fuota_mqtt_link_due (const fuota_mqtt_link_t *self)
{
    return self->due;
}

int
fuota_mqtt_link_fd (const fuota_mqtt_link_t *self)
{
    return self->epoll;
}

void
fuota_mqtt_link_stats (const fuota_mqtt_link_t *self,
    fuota_mqtt_link_stats_t *stats)
{
    *stats = self->stats;
    stats->filters = self->filter_count;
}
