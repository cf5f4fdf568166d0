//  SPDX-License-Identifier: MIT
//
//  security - CURVE: our key, and who may connect where.
//
//  The server's key pair is in one file of mode 0600; who may come to a door
//  has a file with its public key in that door's folder, which is looked at
//  anew at each connection: admit and revoke by adding and removing files.
//  Called by main, before any thread; at most one at a time in a process
//  (there is one ZAP).

#ifndef FUOTA_SECURITY_H
#define FUOTA_SECURITY_H

#include <czmq.h>

typedef struct {
    zactor_t *auth;
    zcert_t *cert;
} fuota_security_t;

//  Must that endpoint have CURVE? All do that leave this host.
bool fuota_security_needed (const char *endpoint);

//  Load the key; nobody is admitted yet. Returns 0, or -1 with words in error.
int fuota_security_open (fuota_security_t *self, const char *key_file,
    char *error, size_t size);
void fuota_security_close (fuota_security_t *self);

//  Make a socket, not yet bound, a CURVE server: a door, of at most 15
//  characters, for those with a file in the folder.
void fuota_security_serve (const fuota_security_t *self, zsock_t *sock,
    const char *door, const char *folder);

//  Make a socket, not yet connected, a CURVE client of whose public key is in
//  that file, with our own key. Returns 0, or -1 with words in error.
int fuota_security_visit (const fuota_security_t *self, zsock_t *sock,
    const char *peer_file, char *error, size_t size);

//  Make a key pair: FILE (public) and FILE_secret (both, mode 0600), neither
//  overwritten. server, if not NULL, is the broker's public key, noted in
//  the secret file so that a worker needs no other. Returns 0, or -1 with
//  words in error.
int fuota_security_keygen (const char *file, const char *server, char *error,
    size_t size);

#endif
