//  SPDX-License-Identifier: MIT
//
//  bench_commit - transitions a second to disk, synced: each alone, in groups
//  of 256, and through the store with four clients.
//
//  A transition is what an answered command writes: the device, an outbox row
//  in, one out, a journal line, the sequence. TMPDIR says which disk it is;
//  the ratio is of one run on it.

#include <czmq.h>
#include "broker/store.h"
#include "tests/scratch.h"

#define CLIENTS 4
#define CREDIT 64  //  Batches of a client that are under way

static double s_budget = 3.0;  //  Seconds for each measurement, about

static double
s_now (void)
{
    return (double) zclock_usecs () * 1e-6;
}

static void
s_transition (fuota_batch_t *batch, uint64_t i)
{
    uint8_t id [FUOTA_ID_SIZE] = { (uint8_t) (i % 7) };
    uint64_t dev_eui = 0x0102030400000000 + i % 1000;
    fuota_device_t device = { .step = FUOTA_STEP_SESSION,
        .asked = FUOTA_ASKED_QUEUED,
        .wake_at = 1767225600000,
        .asked_at = 1767225600000,
        .row = i,
        .has_group = true,
        .command = { 11, { 0x04 } } };
    fuota_row_t row = { .dev_eui = dev_eui,
        .f_port = 200,
        .data = { 11, { 0x04 } },
        .created = 1767225600000,
        .expires_at = 1767225600000 };
    fuota_line_t line = { .seq = i,
        .at = 1767225600000,
        .dev_eui = dev_eui,
        .what = "step",
        .name = "session" };
    fuota_key_t key = fuota_key_device (id, dev_eui);
    fuota_batch_record (batch, FUOTA_TABLE_DEVICE, &key, Device_fields,
        &device);
    key = fuota_key_outbox (FUOTA_OWNER_DEPLOYMENT, i);
    fuota_batch_record (batch, FUOTA_TABLE_OUTBOX, &key, OutboxRow_fields,
        &row);
    key = fuota_key_outbox (FUOTA_OWNER_DEPLOYMENT, i > 500 ? i - 500 : 0);
    fuota_batch_del (batch, FUOTA_TABLE_OUTBOX, &key);
    key = fuota_key_journal (id, i);
    fuota_batch_record (batch, FUOTA_TABLE_JOURNAL, &key, JournalLine_fields,
        &line);
    key = fuota_key_bytes ("sequence", 8);
    fuota_batch_put (batch, FUOTA_TABLE_META, &key, fuota_slice (&i, sizeof i));
}

//  Transitions a second with group of them in each commit.
static double
s_direct (size_t group)
{
    scratch_t scratch;
    fuota_batch_t batches [256] = { { 0 } };
    fuota_slice_t slices [256];
    uint64_t count = 0;
    double begin, took;
    scratch_init (&scratch, 4ull << 30, 0);
    begin = s_now ();
    do {
        for (size_t i = 0; i < group; i++) {
            fuota_batch_clear (&batches [i]);
            s_transition (&batches [i], count++);
            slices [i] = fuota_slice (batches [i].data, batches [i].size);
        }
        if (fuota_db_apply (scratch.db, slices, group))
            abort ();
        took = s_now () - begin;
    } while (took < s_budget);
    for (size_t i = 0; i < group; i++)
        fuota_batch_release (&batches [i]);
    scratch_release (&scratch);
    return (double) count / took;
}

static void
s_send (zsock_t *client, uint64_t i)
{
    static fuota_batch_t batch;
    fuota_batch_clear (&batch);
    s_transition (&batch, i);
    zsock_send (client, "b", batch.data, batch.size);
}

static double
s_store (void)
{
    scratch_t scratch;
    zsock_t *clients [CLIENTS];
    uint64_t sent = 0, done = 0;
    double begin, took;
    scratch_init (&scratch, 4ull << 30, 0);
    zsock_t *outbox = zsock_new_pull ("@inproc://outbox");
    zactor_t *store = zactor_new (fuota_store_actor, scratch.db);
    zpoller_t *poller = zpoller_new (NULL, NULL);
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients [i] = zsock_new_dealer (">inproc://store");
        zpoller_add (poller, clients [i]);
        for (unsigned n = 0; n < CREDIT; n++)
            s_send (clients [i], sent++);
    }
    begin = s_now ();
    do {
        zsock_t *client = zpoller_wait (poller, 10000);
        zmsg_t *msg = client ? zmsg_recv (client) : NULL;
        if (!msg || *zframe_data (zmsg_last (msg)))
            abort ();
        zmsg_destroy (&msg);
        done++;
        s_send (client, sent++);
        took = s_now () - begin;
    } while (took < s_budget);
    zpoller_destroy (&poller);
    zactor_destroy (&store);
    for (unsigned i = 0; i < CLIENTS; i++)
        zsock_destroy (&clients [i]);
    zsock_destroy (&outbox);
    scratch_release (&scratch);
    return (double) done / took;
}

int
main (int argc, char **argv)
{
    if (argc > 1 && streq (argv [1], "--smoke"))
        s_budget = 0.05;
    double alone = s_direct (1);
    double grouped = s_direct (256);
    double store = s_store ();
    printf ("commit_alone %.0f transitions/s\n", alone);
    printf ("commit_groups_of_256 %.0f transitions/s\n", grouped);
    printf ("commit_ratio %.1f\n", grouped / alone);
    printf ("commit_store_%d_clients %.0f transitions/s\n", CLIENTS, store);
    return 0;
}
