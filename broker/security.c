//  SPDX-License-Identifier: MIT

#include <sys/stat.h>
#include "broker/security.h"
#include "broker/zap_actor.h"

bool
fuota_security_needed (const char *endpoint)
{
    return strncmp (endpoint, "ipc://", 6) &&
           strncmp (endpoint, "inproc://", 9);
}

//  A key that others of this host can read is none.
static int
s_check_mode (const char *file, char *error, size_t size)
{
    struct stat status;
    if (stat (file, &status))
        snprintf (error, size, "%s: %s; 'fuotactl keygen' makes one", file,
            strerror (errno));
    else if (status.st_mode & 077)
        snprintf (error, size, "%s: mode %03o; allowed 0600", file,
            (unsigned) status.st_mode & 0777);
    else
        return 0;
    return -1;
}

//  A file with only the public half loads too, its secret all zero.
static bool
s_has_secret (zcert_t *cert)
{
    const byte *key = zcert_secret_key (cert);
    byte any = 0;
    for (int i = 0; i < 32; i++)
        any |= key [i];
    return any != 0;
}

int
fuota_security_open (fuota_security_t *self, const char *key_file, char *error,
    size_t size)
{
    *self = (fuota_security_t){ .auth = NULL };
    //  Of a public key's file zcert reads the secret one beside it
    char secret [4096];
    snprintf (secret, sizeof secret, "%s_secret", key_file);
    if (s_check_mode (zsys_file_exists (secret) ? secret : key_file, error,
            size))
        return -1;
    self->cert = zcert_load (key_file);
    if (!self->cert || !s_has_secret (self->cert)) {
        snprintf (error, size, "%s: holds no secret key", key_file);
        fuota_security_close (self);
        return -1;
    }
    self->auth = zactor_new (fuota_zap_actor, NULL);
    assert (self->auth);
    return 0;
}

void
fuota_security_close (fuota_security_t *self)
{
    zactor_destroy (&self->auth);
    zcert_destroy (&self->cert);
}

void
fuota_security_serve (const fuota_security_t *self, zsock_t *sock,
    const char *door, const char *folder)
{
    zstr_sendx (self->auth, "ADMIT", door, folder, NULL);
    zsock_wait (self->auth);
    zcert_apply (self->cert, sock);
    zsock_set_curve_server (sock, 1);
    zsock_set_zap_domain (sock, door);
}

int
fuota_security_visit (const fuota_security_t *self, zsock_t *sock,
    const char *peer_file, char *error, size_t size)
{
    zcert_t *peer = zcert_load (peer_file);
    if (!peer) {
        snprintf (error, size, "%s: holds no public key", peer_file);
        return -1;
    }
    zcert_apply (self->cert, sock);
    zsock_set_curve_serverkey (sock, zcert_public_txt (peer));
    zcert_destroy (&peer);
    return 0;
}

int
fuota_security_keygen (const char *file, const char *server, char *error,
    size_t size)
{
    char secret [4096];
    snprintf (secret, sizeof secret, "%s_secret", file);
    if (zsys_file_exists (file) || zsys_file_exists (secret)) {
        snprintf (error, size, "%s: exists already", file);
        return -1;
    }
    zcert_t *cert = zcert_new ();
    assert (cert);
    if (server)
        zcert_set_meta (cert, "server", "%s", server);
    mode_t mask = umask (077);
    int rc = zcert_save (cert, file);
    umask (mask);
    if (rc)
        snprintf (error, size, "%s: %s", file, strerror (errno));
    else if (chmod (secret, 0600) || chmod (file, 0644)) {
        snprintf (error, size, "%s: %s", secret, strerror (errno));
        rc = -1;
    }
    zcert_destroy (&cert);
    return rc ? -1 : 0;
}
