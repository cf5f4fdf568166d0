//  SPDX-License-Identifier: MIT

#include "broker/store.h"
#include "schema/record.h"

#define GROUP_BATCHES 256
#define GROUP_BYTES (4u << 20)

typedef struct {
    fuota_db_t *db;
    zsock_t *pipe, *inbox, *journal, *outbox;
    zframe_t *peers [GROUP_BATCHES];
    zframe_t *batches [GROUP_BATCHES];
    size_t count, bytes;
    bool terminated;
} self_t;

//  Take one batch. Bytes that are no batch are refused at once, so that they
//  cannot spoil the transaction of others.
static void
s_take (self_t *self)
{
    zmsg_t *msg = zmsg_recv (self->inbox);
    if (!msg)
        return;
    zframe_t *peer = zmsg_pop (msg);
    zframe_t *batch = zmsg_last (msg);
    fuota_reader_t bytes = fuota_reader (batch ? zframe_data (batch) : NULL,
        batch ? zframe_size (batch) : 0);
    fuota_batch_row_t row;
    int rc;
    while ((rc = fuota_batch_next (&bytes, &row)) == 1)
        continue;
    if (!batch || rc) {
        zsys_error ("store: refused what is no batch, %zu bytes", bytes.size);
        zframe_send (&peer, self->inbox, ZFRAME_MORE);
        zsock_send (self->inbox, "zb", "\1", (size_t) 1);
    }
    else {
        zmsg_remove (msg, batch);
        self->peers [self->count] = peer;
        self->batches [self->count++] = batch;
        self->bytes += bytes.size;
    }
    zmsg_destroy (&msg);
}

//  What is committed is told: journal lines to who listens, and a hint to the
//  outbox.
static void
s_tell (self_t *self, zframe_t *batch, bool *rows)
{
    fuota_reader_t bytes =
        fuota_reader (zframe_data (batch), zframe_size (batch));
    fuota_batch_row_t row;
    while (fuota_batch_next (&bytes, &row) == 1) {
        if (row.table == FUOTA_TABLE_JOURNAL && row.put)
            zsock_send (self->journal, "b", row.value.data, row.value.size);
        *rows |= row.table == FUOTA_TABLE_OUTBOX;
    }
}

static void
s_forget (self_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        zframe_destroy (&self->peers [i]);
        zframe_destroy (&self->batches [i]);
    }
    self->count = self->bytes = 0;
}

static void
s_commit (self_t *self)
{
    fuota_slice_t slices [GROUP_BATCHES];
    bool rows = false;
    if (!self->count)
        return;
    for (size_t i = 0; i < self->count; i++)
        slices [i] = fuota_slice (zframe_data (self->batches [i]),
            zframe_size (self->batches [i]));
    if (fuota_db_apply (self->db, slices, self->count)) {
        //  Nobody is answered: what was not committed did not happen
        zsys_error ("store: commit: %s", fuota_db_error (self->db));
        zsock_send (self->pipe, "ss", "FAULT", fuota_db_error (self->db));
        self->terminated = true;
        s_forget (self);
        return;
    }
    for (size_t i = 0; i < self->count; i++) {
        s_tell (self, self->batches [i], &rows);
        zframe_send (&self->peers [i], self->inbox, ZFRAME_MORE);
        zsock_send (self->inbox, "zb", "\0", (size_t) 1);
    }
    s_forget (self);
    if (rows)
        zmq_send (zsock_resolve (self->outbox), "W", 1, ZMQ_DONTWAIT);
}

void
fuota_store_actor (zsock_t *pipe, void *args)
{
    self_t self = { .db = args, .pipe = pipe };
    self.inbox = zsock_new (ZMQ_ROUTER);
    self.journal = zsock_new_pub ("@inproc://journal");
    self.outbox = zsock_new_push (">inproc://outbox");
    assert (self.inbox && self.journal && self.outbox);
    zsock_set_sndhwm (self.journal, 100000);
    int rc = zsock_bind (self.inbox, "inproc://store");
    assert (rc == 0);
    zpoller_t *poller = zpoller_new (pipe, self.inbox, NULL);
    assert (poller);
    zsock_signal (pipe, 0);
    while (!self.terminated) {
        void *which = zpoller_wait (poller, -1);
        if (which == pipe) {
            char *command = zstr_recv (pipe);
            self.terminated = !command || streq (command, "$TERM");
            zstr_free (&command);
        }
        else if (!which)
            break;  //  Interrupted
        //  No timer: while one commit runs the next group gathers
        while (self.count < GROUP_BATCHES && self.bytes < GROUP_BYTES &&
               zsock_events (self.inbox) & ZMQ_POLLIN)
            s_take (&self);
        s_commit (&self);
    }
    zpoller_destroy (&poller);
    zsock_destroy (&self.inbox);
    zsock_destroy (&self.journal);
    zsock_destroy (&self.outbox);
}

int
fuota_store_commit (zsock_t *sock, const fuota_batch_t *batch)
{
    if (batch->failed || zsock_send (sock, "b", batch->data, batch->size))
        return -1;
    zframe_t *frame = zframe_recv (sock);
    int rc = frame && zframe_size (frame) == 1 && zframe_data (frame) [0] == 0
                 ? 0
                 : -1;
    zframe_destroy (&frame);
    return rc;
}
