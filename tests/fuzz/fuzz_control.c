//  SPDX-License-Identifier: MIT
//
//  Request bytes as a client sends them, over a database with some
//  deployments in it. Whatever they are there is a reply, it can be encoded
//  and read again, and what is to be committed can be.

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "broker/control.h"
#include "broker/request.h"

#define COMMITS 20  //  Then the database stays as it is, so that runs are quick

static char s_folder [] = "/tmp/fuota-fuzz-XXXXXX";
static fuota_db_t *s_db;
static fuota_control_t *s_control;
static fuota_wish_defaults_t s_defaults;
static fuota_profile_t s_profile = { .name = "profile" };
static fuota_control_table_t s_table = { &s_profile, 1, &s_defaults, true };

static void
s_stop (void)
{
    static const char *const files [] = { "data.mdb", "lock.mdb", "lock" };
    char path [96];
    fuota_control_destroy (&s_control);
    fuota_db_close (&s_db);
    for (size_t i = 0; i < 3; i++) {
        snprintf (path, sizeof path, "%s/%s", s_folder, files [i]);
        unlink (path);
    }
    rmdir (s_folder);
}

static void
s_start (void)
{
    char error [160];
    int rc;
    assert (mkdtemp (s_folder));
    s_db = fuota_db_open (s_folder, 256u << 20, FUOTA_DB_NOSYNC, &rc, error,
        sizeof error);
    assert (s_db);
    fuota_wish_defaults (&s_defaults);
    snprintf (s_defaults.application, sizeof s_defaults.application, "app");
    fuota_wish_dialect (&s_profile.dialect);
    s_control = fuota_control_new (s_db, &s_table, "fuzz");
    assert (s_control);
    atexit (s_stop);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static fuota_turn_t turn;
    static uint8_t bytes [Reply_size];
    static Reply reply;
    static unsigned commits;
    uint8_t random [FUOTA_WISH_RANDOM];
    if (!s_control)
        s_start ();
    for (size_t i = 0; i < sizeof random; i++)
        random [i] = (uint8_t) (commits * 31 + i);
    fuota_control_take (s_control, fuota_slice (data, size), 1800000000000,
        random, &turn);
    if (turn.asks) {
        fuota_known_t known = { .over = true };
        assert (!turn.batch && turn.op == FUOTA_OP_NONE);
        fuota_control_resume (s_control, fuota_slice (data, size), &known,
            1800000000000, random, &turn);
        assert (!turn.asks);
    }
    assert (turn.batch ? turn.op == FUOTA_OP_CREATED : true);
    assert (turn.op == FUOTA_OP_NONE || turn.reply.status == FUOTA_OK);
    size_t coded = fuota_control_encode (&turn.reply, bytes, sizeof bytes);
    int rc = fuota_request_reply (fuota_slice (bytes, coded), &reply);
    assert (rc == 0);
    if (turn.batch && commits < COMMITS) {
        fuota_slice_t batch = fuota_slice (turn.batch->data, turn.batch->size);
        rc = fuota_db_apply (s_db, &batch, 1);
        assert (rc == 0);
        commits++;
    }
    return 0;
}
