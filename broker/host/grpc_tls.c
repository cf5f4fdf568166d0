//  SPDX-License-Identifier: MIT

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include "broker/host/grpc_tls.h"

struct fuota_grpc_tls {
    SSL_CTX *context;
    SSL *ssl;
    BIO *in, *out;  //  Owned by ssl
    bool by_address;
    char name [256], fault [160];
};

static const char *
s_reason (void)
{
    const char *reason = ERR_reason_error_string (ERR_peek_last_error ());
    return reason ? reason : "unknown";
}

static int
s_fault (fuota_grpc_tls_t *self, const char *what)
{
    long verdict = self->ssl ? SSL_get_verify_result (self->ssl) : X509_V_OK;
    if (verdict != X509_V_OK)
        snprintf (self->fault, sizeof self->fault, "certificate: %s",
            X509_verify_cert_error_string (verdict));
    else
        snprintf (self->fault, sizeof self->fault, "%s: %s", what, s_reason ());
    return -1;
}

static bool
s_is_address (const char *name)
{
    struct in6_addr address;
    return inet_pton (AF_INET, name, &address) == 1 ||
           inet_pton (AF_INET6, name, &address) == 1;
}

static bool
s_configure (SSL_CTX *context, const char *ca_file)
{
    static const uint8_t h2 [] = { 2, 'h', '2' };
    SSL_CTX_set_options (context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode (context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify (context, SSL_VERIFY_PEER, NULL);
    int trusted = ca_file ? SSL_CTX_load_verify_file (context, ca_file)
                          : SSL_CTX_set_default_verify_paths (context);
    return trusted == 1 &&
           SSL_CTX_set_min_proto_version (context, TLS1_2_VERSION) == 1 &&
           !SSL_CTX_set_alpn_protos (context, h2, sizeof h2);
}

fuota_grpc_tls_t *
fuota_grpc_tls_new (const char *ca_file, const char *name, char *fault,
    size_t size)
{
    fuota_grpc_tls_t *self = calloc (1, sizeof *self);
    ERR_clear_error ();
    if (self)
        self->context = SSL_CTX_new (TLS_client_method ());
    if (self && self->context && strlen (name) < sizeof self->name &&
        s_configure (self->context, ca_file)) {
        snprintf (self->name, sizeof self->name, "%s", name);
        self->by_address = s_is_address (name);
        return self;
    }
    snprintf (fault, size, "%s: %s", ca_file ? ca_file : "system's CAs",
        s_reason ());
    fuota_grpc_tls_destroy (&self);
    return NULL;
}

void
fuota_grpc_tls_destroy (fuota_grpc_tls_t **self_p)
{
    fuota_grpc_tls_t *self = *self_p;
    if (!self)
        return;
    SSL_free (self->ssl);
    SSL_CTX_free (self->context);
    free (self);
    *self_p = NULL;
}

//  An address has no place in SNI, and is another field of a certificate.
static bool
s_expect_name (fuota_grpc_tls_t *self)
{
    X509_VERIFY_PARAM *param = SSL_get0_param (self->ssl);
    X509_VERIFY_PARAM_set_hostflags (param,
        X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (self->by_address)
        return X509_VERIFY_PARAM_set1_ip_asc (param, self->name) == 1;
    return SSL_set1_host (self->ssl, self->name) == 1 &&
           SSL_set_tlsext_host_name (self->ssl, self->name) == 1;
}

int
fuota_grpc_tls_start (fuota_grpc_tls_t *self)
{
    ERR_clear_error ();
    SSL_free (self->ssl);
    self->ssl = SSL_new (self->context);
    self->in = BIO_new (BIO_s_mem ());
    self->out = BIO_new (BIO_s_mem ());
    if (!self->ssl || !self->in || !self->out) {
        BIO_free (self->in);
        BIO_free (self->out);
        return s_fault (self, "start");
    }
    SSL_set_bio (self->ssl, self->in, self->out);
    SSL_set_connect_state (self->ssl);
    if (!s_expect_name (self))
        return s_fault (self, "server name");
    return fuota_grpc_tls_shake (self) < 0 ? -1 : 0;
}

int
fuota_grpc_tls_feed (fuota_grpc_tls_t *self, fuota_slice_t bytes)
{
    int size = (int) bytes.size;
    return BIO_write (self->in, bytes.data, size) == size
               ? 0
               : s_fault (self, "no memory");
}

//  A server that agreed on nothing would take our HTTP/2 for something else.
static int
s_check_protocol (fuota_grpc_tls_t *self)
{
    const uint8_t *name;
    unsigned size;
    SSL_get0_alpn_selected (self->ssl, &name, &size);
    if (size == 2 && !memcmp (name, "h2", 2))
        return 1;
    snprintf (self->fault, sizeof self->fault,
        "the server does not offer HTTP/2 (ALPN)");
    return -1;
}

int
fuota_grpc_tls_shake (fuota_grpc_tls_t *self)
{
    ERR_clear_error ();
    int rc = SSL_do_handshake (self->ssl);
    if (rc == 1)
        return s_check_protocol (self);
    if (SSL_get_error (self->ssl, rc) == SSL_ERROR_WANT_READ)
        return 0;
    return s_fault (self, "handshake");
}

int
fuota_grpc_tls_read (fuota_grpc_tls_t *self, uint8_t *out, size_t size)
{
    ERR_clear_error ();
    int rc = SSL_read (self->ssl, out, (int) size);
    if (rc > 0)
        return rc;
    int error = SSL_get_error (self->ssl, rc);
    if (error == SSL_ERROR_WANT_READ)
        return 0;
    if (error != SSL_ERROR_ZERO_RETURN)
        return s_fault (self, "read");
    snprintf (self->fault, sizeof self->fault, "closed by the peer");
    return -1;
}

int
fuota_grpc_tls_write (fuota_grpc_tls_t *self, fuota_slice_t bytes)
{
    ERR_clear_error ();
    return SSL_write (self->ssl, bytes.data, (int) bytes.size) > 0
               ? 0
               : s_fault (self, "write");
}

size_t
fuota_grpc_tls_output (fuota_grpc_tls_t *self, uint8_t *out, size_t size)
{
    int rc = self->ssl ? BIO_read (self->out, out, (int) size) : 0;
    return rc > 0 ? (size_t) rc : 0;
}

const char *
fuota_grpc_tls_fault (const fuota_grpc_tls_t *self)
{
    return self->fault;
}
