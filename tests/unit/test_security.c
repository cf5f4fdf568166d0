//  SPDX-License-Identifier: MIT

#include <czmq.h>
#include <setjmp.h>
#include <sys/stat.h>
#include <cmocka.h>
#include "broker/security.h"

typedef struct {
    char folder [64], key [100], secret [120], clients [100], error [300];
} fixture_t;

static int
s_setup (void **state)
{
    static fixture_t self;
    strcpy (self.folder, "/tmp/test-security-XXXXXX");
    assert_non_null (mkdtemp (self.folder));
    snprintf (self.key, sizeof self.key, "%s/server", self.folder);
    snprintf (self.secret, sizeof self.secret, "%s_secret", self.key);
    snprintf (self.clients, sizeof self.clients, "%s/clients", self.folder);
    mkdir (self.clients, 0700);
    zsys_set_logstream (NULL);
    *state = &self;
    return 0;
}

static int
s_teardown (void **state)
{
    fixture_t *self = *state;
    zdir_t *dir = zdir_new (self->folder, "-");
    zdir_remove (dir, true);
    zdir_destroy (&dir);
    return 0;
}

static void
test_security__what_needs_keys (void **state)
{
    (void) state;
    assert_true (fuota_security_needed ("tcp://*:5570"));
    assert_true (fuota_security_needed ("tcp://127.0.0.1:5570"));
    assert_true (fuota_security_needed ("pgm://x"));
    assert_false (fuota_security_needed ("ipc:///run/fuotad/pool"));
    assert_false (fuota_security_needed ("inproc://pool"));
}

static void
test_security__keygen_never_overwrites (void **state)
{
    fixture_t *self = *state;
    struct stat status;
    assert_int_equal (fuota_security_keygen (self->key, NULL, self->error, 300),
        0);
    assert_int_equal (stat (self->secret, &status), 0);
    assert_int_equal (status.st_mode & 0777, 0600);
    assert_int_equal (fuota_security_keygen (self->key, NULL, self->error, 300),
        -1);
    assert_non_null (strstr (self->error, "exists"));
    unlink (self->key);
    assert_int_equal (fuota_security_keygen (self->key, NULL, self->error, 300),
        -1);
}

static void
test_security__a_workers_file_names_the_broker (void **state)
{
    fixture_t *self = *state;
    fuota_security_keygen (self->key, NULL, self->error, 300);
    zcert_t *server = zcert_load (self->key);
    char path [120], secret [140];
    snprintf (path, sizeof path, "%s/one", self->folder);
    snprintf (secret, sizeof secret, "%s_secret", path);
    assert_int_equal (fuota_security_keygen (path, zcert_public_txt (server),
                          self->error, 300),
        0);
    zcert_t *worker = zcert_load (secret);
    assert_string_equal (zcert_meta (worker, "server"),
        zcert_public_txt (server));
    zcert_destroy (&worker);
    zcert_destroy (&server);
}

static void
test_security__keys_that_are_none (void **state)
{
    fixture_t *self = *state;
    fuota_security_t security;
    assert_int_equal (fuota_security_open (&security, self->secret, self->error,
                          300),
        -1);
    fuota_security_keygen (self->key, NULL, self->error, 300);
    chmod (self->secret, 0640);
    assert_int_equal (fuota_security_open (&security, self->secret, self->error,
                          300),
        -1);
    assert_non_null (strstr (self->error, "0600"));
    //  Named by its public half, it is the same file
    assert_int_equal (fuota_security_open (&security, self->key, self->error,
                          300),
        -1);
    assert_non_null (strstr (self->error, "0600"));
    unlink (self->secret);
    chmod (self->key, 0600);
    assert_int_equal (fuota_security_open (&security, self->key, self->error,
                          300),
        -1);
    assert_non_null (strstr (self->error, "no secret key"));
    fuota_security_close (&security);
}

//  Send one message from a client with that key; does it arrive?
static bool
s_reaches (zsock_t *server, int port, const char *server_key, zcert_t *cert)
{
    zsock_t *client = zsock_new (ZMQ_DEALER);
    zsock_set_linger (client, 0);
    if (cert) {
        zcert_apply (cert, client);
        zsock_set_curve_serverkey (client, server_key);
    }
    zsock_connect (client, "tcp://127.0.0.1:%d", port);
    zstr_send (client, "here");
    zsock_set_rcvtimeo (server, cert ? 500 : 300);
    zmsg_t *msg = zmsg_recv (server);
    bool reached = msg != NULL;
    if (msg) {
        //  Who it is, as the transport has proved it
        assert_string_equal (zframe_meta (zmsg_first (msg), "User-Id"),
            zcert_public_txt (cert));
        zmsg_destroy (&msg);
    }
    zsock_destroy (&client);
    return reached;
}

static void
test_security__admitted_revoked_without_restart (void **state)
{
    fixture_t *self = *state;
    fuota_security_t security;
    char path [140];
    fuota_security_keygen (self->key, NULL, self->error, 300);
    assert_int_equal (fuota_security_open (&security, self->secret, self->error,
                          300),
        0);
    zsock_t *server = zsock_new (ZMQ_ROUTER);
    fuota_security_serve (&security, server, "one", self->clients);
    int port = zsock_bind (server, "tcp://127.0.0.1:*");
    const char *key = zcert_public_txt (security.cert);
    zcert_t *one = zcert_new ();
    assert_false (s_reaches (server, port, key, NULL));
    assert_false (s_reaches (server, port, key, one));
    snprintf (path, sizeof path, "%s/one", self->clients);
    assert_int_equal (zcert_save_public (one, path), 0);
    assert_true (s_reaches (server, port, key, one));
    unlink (path);
    assert_false (s_reaches (server, port, key, one));
    zcert_destroy (&one);
    zsock_destroy (&server);
    fuota_security_close (&security);
}

//  A key that opens one door does not open another.
static void
test_security__each_door_has_its_folder (void **state)
{
    fixture_t *self = *state;
    fuota_security_t security;
    char path [200], other [140];
    fuota_security_keygen (self->key, NULL, self->error, 300);
    assert_int_equal (fuota_security_open (&security, self->secret, self->error,
                          300),
        0);
    snprintf (other, sizeof other, "%s/others", self->folder);
    mkdir (other, 0700);
    zsock_t *servers [] = { zsock_new (ZMQ_ROUTER), zsock_new (ZMQ_ROUTER) };
    fuota_security_serve (&security, servers [0], "one", self->clients);
    fuota_security_serve (&security, servers [1], "other", other);
    int ports [] = { zsock_bind (servers [0], "tcp://127.0.0.1:*"),
        zsock_bind (servers [1], "tcp://127.0.0.1:*") };
    const char *key = zcert_public_txt (security.cert);
    zcert_t *certs [] = { zcert_new (), zcert_new () };
    snprintf (path, sizeof path, "%s/one", self->clients);
    assert_int_equal (zcert_save_public (certs [0], path), 0);
    snprintf (path, sizeof path, "%s/one", other);
    assert_int_equal (zcert_save_public (certs [1], path), 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal (s_reaches (servers [i & 1], ports [i & 1], key,
                              certs [i / 2]),
            (i & 1) == i / 2);
    for (unsigned i = 0; i < 2; i++) {
        zcert_destroy (&certs [i]);
        zsock_destroy (&servers [i]);
    }
    fuota_security_close (&security);
}

//  Where we are the client: our key, and theirs from a file.
static void
test_security__visit (void **state)
{
    fixture_t *self = *state;
    fuota_security_t security;
    char path [140];
    fuota_security_keygen (self->key, NULL, self->error, 300);
    assert_int_equal (fuota_security_open (&security, self->secret, self->error,
                          300),
        0);
    snprintf (path, sizeof path, "%s/server", self->clients);
    assert_int_equal (zcert_save_public (security.cert, path), 0);
    zsock_t *server = zsock_new (ZMQ_PUSH);
    zsock_t *client = zsock_new (ZMQ_PULL);
    zsock_set_rcvtimeo (client, 10000);
    fuota_security_serve (&security, server, "one", self->clients);
    int port = zsock_bind (server, "tcp://127.0.0.1:*");
    assert_int_equal (fuota_security_visit (&security, client, "/nowhere",
                          self->error, 300),
        -1);
    assert_non_null (strstr (self->error, "/nowhere"));
    assert_int_equal (fuota_security_visit (&security, client, self->key,
                          self->error, 300),
        0);
    assert_int_equal (zsock_connect (client, "tcp://127.0.0.1:%d", port), 0);
    zstr_send (server, "here");
    char *word = zstr_recv (client);
    assert_string_equal (word, "here");
    zstr_free (&word);
    zsock_destroy (&server);
    zsock_destroy (&client);
    fuota_security_close (&security);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)
    const struct CMUnitTest tests [] = {
        TEST (test_security__what_needs_keys),
        TEST (test_security__keygen_never_overwrites),
        TEST (test_security__a_workers_file_names_the_broker),
        TEST (test_security__keys_that_are_none),
        TEST (test_security__admitted_revoked_without_restart),
        TEST (test_security__each_door_has_its_folder),
        TEST (test_security__visit),
    };
    return cmocka_run_group_tests_name ("security", tests, NULL, NULL);
}
