//  SPDX-License-Identifier: MIT
//
//  In two parts: identities, and the server.

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/grpc_loopback.h"
#include "tests/grpc_server.h"

#define CONNECTIONS 8
#define HELD 256

//  ---------------------------------------------------------------------
//  Identities

static void
s_extend (X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx (&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension =
        X509V3_EXT_conf_nid (NULL, &context, nid, value);
    assert (extension);
    X509_add_ext (certificate, extension, -1);
    X509_EXTENSION_free (extension);
}

grpc_identity_t
grpc_identity (const char *name, const grpc_identity_t *by)
{
    grpc_identity_t self = { EVP_EC_gen ("P-256"), X509_new () };
    X509 *certificate = self.certificate;
    assert (self.key && certificate);
    X509_set_version (certificate, 2);
    ASN1_INTEGER_set (X509_get_serialNumber (certificate), by ? 2 : 1);
    X509_gmtime_adj (X509_getm_notBefore (certificate), -3600);
    X509_gmtime_adj (X509_getm_notAfter (certificate), 3600);
    X509_set_pubkey (certificate, self.key);
    X509_NAME_add_entry_by_txt (X509_get_subject_name (certificate), "CN",
        MBSTRING_ASC, (const unsigned char *) name, -1, -1, 0);
    X509 *issuer = by ? by->certificate : certificate;
    X509_set_issuer_name (certificate, X509_get_subject_name (issuer));
    s_extend (certificate, issuer, NID_basic_constraints,
        by ? "critical,CA:FALSE" : "critical,CA:TRUE");
    if (by) {
        char names [128];
        snprintf (names, sizeof names, "%s%s",
            strncmp (name, "IP:", 3) ? "DNS:" : "", name);
        s_extend (certificate, issuer, NID_subject_alt_name, names);
    }
    int size = X509_sign (certificate, by ? by->key : self.key, EVP_sha256 ());
    assert (size > 0);
    return self;
}

void
grpc_identity_release (grpc_identity_t *self)
{
    EVP_PKEY_free (self->key);
    X509_free (self->certificate);
    *self = (grpc_identity_t){ NULL, NULL };
}

void
grpc_identity_save (const grpc_identity_t *self, char path [32])
{
    snprintf (path, 32, "/tmp/fuota-ca-XXXXXX");
    int fd = mkstemp (path);
    FILE *file = fd < 0 ? NULL : fdopen (fd, "w");
    assert (file);
    PEM_write_X509 (file, self->certificate);
    fclose (file);
}

//  ---------------------------------------------------------------------
//  The server

typedef struct {
    grpc_loopback_t *owner;
    int fd;
    SSL *ssl;
    grpc_server_t *server;
    bool gone;
    uint8_t out [65536];
    size_t out_at, out_size;
} s_connection_t;

struct grpc_loopback {
    pthread_t thread;
    int listener, wake;
    uint16_t port;
    SSL_CTX *context;
    grpc_loopback_mood_t mood;
    atomic_bool stop, released;
    atomic_uint accepted, requests;
    s_connection_t *connections [CONNECTIONS];
    struct {
        s_connection_t *connection;
        int32_t stream;
        size_t size;
        uint8_t message [64];
    } held [HELD];
    size_t held_count;
};

static void
s_take (grpc_server_t *server, const grpc_request_t *request, void *arg)
{
    s_connection_t *connection = arg;
    grpc_loopback_t *self = connection->owner;
    fuota_slice_t message = fuota_slice (request->body + 5, request->size - 5);
    if (connection->gone)
        return;  //  It was said that this one is not processed
    atomic_fetch_add (&self->requests, 1);
    bool hold = !strcmp (request->path, "/t/Hold");
    if (hold && !atomic_load (&self->released)) {
        assert (self->held_count < HELD && message.size <= 64);
        size_t at = self->held_count++;
        self->held [at].connection = connection;
        self->held [at].stream = request->stream;
        self->held [at].size = message.size;
        memcpy (self->held [at].message, message.data, message.size);
    }
    else if (hold || !strcmp (request->path, "/t/Echo"))
        grpc_server_answer (server, request->stream, "0", "", message);
    else
        grpc_server_refuse (server, request->stream, "12", "what%3F");
    connection->gone = self->mood == GRPC_LOOPBACK_SHORT;
    if (connection->gone)
        nghttp2_submit_goaway (grpc_server_session (server), 0, request->stream,
            0, NULL, 0);
}

static void
s_answer_held (grpc_loopback_t *self)
{
    for (size_t i = 0; i < self->held_count; i++)
        if (self->held [i].connection)
            grpc_server_answer (self->held [i].connection->server,
                self->held [i].stream, "0", "",
                fuota_slice (self->held [i].message, self->held [i].size));
    self->held_count = 0;
}

static void
s_accept (grpc_loopback_t *self)
{
    int yes = 1;
    int fd = accept (self->listener, NULL, NULL);
    size_t i = 0;
    while (i < CONNECTIONS && self->connections [i])
        i++;
    if (fd < 0)
        return;
    assert (i < CONNECTIONS);
    fcntl (fd, F_SETFL, O_NONBLOCK);
    s_connection_t *connection = calloc (1, sizeof *connection);
    assert (connection);
    setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    connection->owner = self;
    connection->fd = fd;
    connection->server = grpc_server_new (200, 1 << 20, s_take, connection);
    if (self->context) {
        connection->ssl = SSL_new (self->context);
        assert (connection->ssl);
        SSL_set_fd (connection->ssl, fd);
        SSL_set_accept_state (connection->ssl);
    }
    self->connections [i] = connection;
    atomic_fetch_add (&self->accepted, 1);
}

static void
s_drop (grpc_loopback_t *self, size_t i)
{
    s_connection_t *connection = self->connections [i];
    for (size_t at = 0; at < self->held_count; at++)
        if (self->held [at].connection == connection)
            self->held [at].connection = NULL;
    SSL_free (connection->ssl);
    grpc_server_destroy (&connection->server);
    close (connection->fd);
    free (connection);
    self->connections [i] = NULL;
}

//  Bytes, or 0 if there are none for now, or -1 at the end.
static ssize_t
s_recv (s_connection_t *connection, uint8_t *data, size_t size)
{
    ssize_t rc;
    if (connection->ssl) {
        rc = SSL_read (connection->ssl, data, (int) size);
        if (rc > 0)
            return rc;
        int error = SSL_get_error (connection->ssl, (int) rc);
        return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE
                   ? 0
                   : -1;
    }
    rc = recv (connection->fd, data, size, 0);
    return rc > 0 ? rc : rc < 0 && errno == EAGAIN ? 0 : -1;
}

static ssize_t
s_send (s_connection_t *connection)
{
    const uint8_t *data = connection->out + connection->out_at;
    size_t size = connection->out_size - connection->out_at;
    if (!connection->ssl)
        return send (connection->fd, data, size, MSG_NOSIGNAL);
    return SSL_write (connection->ssl, data, (int) size);
}

static void
s_write (s_connection_t *connection)
{
    while (true) {
        if (connection->out_at == connection->out_size) {
            connection->out_at = 0;
            connection->out_size = grpc_server_output (connection->server,
                connection->out, sizeof connection->out);
        }
        if (!connection->out_size)
            return;
        ssize_t sent = s_send (connection);
        if (sent <= 0)
            return;  //  Later, or never
        connection->out_at += (size_t) sent;
    }
}

//  Returns false when the connection has ended.
static bool
s_serve (s_connection_t *connection)
{
    static const char http1 [] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    uint8_t data [65536];
    ssize_t size;
    grpc_loopback_mood_t mood = connection->owner->mood;
    while ((size = s_recv (connection, data, sizeof data)) > 0) {
        if (mood == GRPC_LOOPBACK_HTTP1)
            return send (connection->fd, http1, sizeof http1 - 1,
                       MSG_NOSIGNAL) > 0;
        if (mood != GRPC_LOOPBACK_SILENT &&
            grpc_server_input (connection->server, data, (size_t) size))
            return false;
    }
    if (mood == GRPC_LOOPBACK_SILENT)
        return size == 0;
    s_write (connection);
    return size == 0 && grpc_server_open (connection->server);
}

static void *
s_thread (void *arg)
{
    grpc_loopback_t *self = arg;
    sigset_t pipe;  //  OpenSSL writes to sockets as to files
    sigemptyset (&pipe);
    sigaddset (&pipe, SIGPIPE);
    pthread_sigmask (SIG_BLOCK, &pipe, NULL);
    while (!atomic_load (&self->stop)) {
        struct pollfd polls [CONNECTIONS + 2] = {
            { .fd = self->listener, .events = POLLIN },
            { .fd = self->wake, .events = POLLIN },
        };
        for (size_t i = 0; i < CONNECTIONS; i++) {
            const s_connection_t *connection = self->connections [i];
            polls [i + 2].fd = connection ? connection->fd : -1;
            polls [i + 2].events = POLLIN;
            if (connection && connection->out_at < connection->out_size)
                polls [i + 2].events = POLLIN | POLLOUT;
        }
        poll (polls, CONNECTIONS + 2, -1);
        bool woken = polls [1].revents;
        uint64_t count;
        if (woken && read (self->wake, &count, sizeof count) > 0 &&
            atomic_load (&self->released))
            s_answer_held (self);
        for (size_t i = 0; i < CONNECTIONS; i++)
            if (self->connections [i] && (woken || polls [i + 2].revents) &&
                !s_serve (self->connections [i]))
                s_drop (self, i);
        if (polls [0].revents)
            s_accept (self);
    }
    for (size_t i = 0; i < CONNECTIONS; i++)
        if (self->connections [i])
            s_drop (self, i);
    return NULL;
}

static int
s_select_alpn (SSL *ssl, const unsigned char **out, unsigned char *size,
    const unsigned char *in, unsigned in_size, void *arg)
{
    (void) ssl;
    (void) arg;
    for (unsigned at = 0; at < in_size; at += in [at] + 1u)
        if (in [at] == 2 && !memcmp (in + at + 1, "h2", 2)) {
            *out = in + at + 1;
            *size = 2;
            return SSL_TLSEXT_ERR_OK;
        }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void
s_listen (grpc_loopback_t *self, uint16_t port)
{
    int yes = 1;
    struct sockaddr_in address = { .sin_family = AF_INET,
        .sin_port = htons (port),
        .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    self->listener =
        socket (AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt (self->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    int rc =
        bind (self->listener, (struct sockaddr *) &address, sizeof address);
    assert (rc == 0);
    rc = listen (self->listener, 16);
    assert (rc == 0);
    getsockname (self->listener, (struct sockaddr *) &address, &size);
    self->port = ntohs (address.sin_port);
}

grpc_loopback_t *
grpc_loopback_new (uint16_t port, const grpc_identity_t *identity,
    grpc_loopback_mood_t mood)
{
    grpc_loopback_t *self = calloc (1, sizeof *self);
    assert (self);
    self->mood = mood;
    self->wake = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
    s_listen (self, port);
    if (identity) {
        self->context = SSL_CTX_new (TLS_server_method ());
        SSL_CTX_set_mode (self->context,
            SSL_MODE_ENABLE_PARTIAL_WRITE |
                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        SSL_CTX_use_certificate (self->context, identity->certificate);
        SSL_CTX_use_PrivateKey (self->context, identity->key);
        if (mood != GRPC_LOOPBACK_NO_ALPN)
            SSL_CTX_set_alpn_select_cb (self->context, s_select_alpn, NULL);
    }
    int rc = pthread_create (&self->thread, NULL, s_thread, self);
    assert (rc == 0);
    return self;
}

static void
s_wake (grpc_loopback_t *self)
{
    const uint64_t one = 1;
    ssize_t size = write (self->wake, &one, sizeof one);
    assert (size == sizeof one);
}

void
grpc_loopback_destroy (grpc_loopback_t **self_p)
{
    grpc_loopback_t *self = *self_p;
    if (!self)
        return;
    atomic_store (&self->stop, true);
    s_wake (self);
    pthread_join (self->thread, NULL);
    close (self->listener);
    close (self->wake);
    SSL_CTX_free (self->context);
    free (self);
    *self_p = NULL;
}

uint16_t
grpc_loopback_port (const grpc_loopback_t *self)
{
    return self->port;
}

void
grpc_loopback_release (grpc_loopback_t *self)
{
    atomic_store (&self->released, true);
    s_wake (self);
}

unsigned
grpc_loopback_accepted (grpc_loopback_t *self)
{
    return atomic_load (&self->accepted);
}

unsigned
grpc_loopback_requests (grpc_loopback_t *self)
{
    return atomic_load (&self->requests);
}
