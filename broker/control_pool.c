//  SPDX-License-Identifier: MIT

#include <czmq.h>
#include "broker/control_pool.h"
#include "schema/record.h"

#define PATIENCE 5000  //  Its disk may be slow; less than a client's

static zmsg_t *
s_request (const fuota_ask_pool_t *ask)
{
    zmsg_t *msg = zmsg_new ();
    assert (msg);
    if (ask->kind == FUOTA_ASK_WORKERS)
        zmsg_addstr (msg, "WORKERS");
    else if (ask->kind == FUOTA_ASK_DRAIN) {
        zmsg_addstr (msg, "DRAIN");
        zmsg_addstr (msg, ask->name);
    }
    else {
        zmsg_addstr (msg, "IMAGE");
        zmsg_addmem (msg, ask->parity.image, sizeof ask->parity.image);
        zmsg_addstrf (msg, "%u", (unsigned) ask->parity.frag_size);
        zmsg_addstrf (msg, "%u", (unsigned) ask->parity.rule);
        zmsg_addstrf (msg, "%u", (unsigned) ask->rows);
    }
    return msg;
}

static bool
s_record (zframe_t *frame, const pb_msgdesc_t *fields, void *record)
{
    return frame && !fuota_record_decode (fields, record,
                        fuota_slice (zframe_data (frame), zframe_size (frame)));
}

static void
s_take_workers (fuota_turn_t *turn, zmsg_t *msg)
{
    Reply *reply = &turn->reply;
    reply->has_pool =
        s_record (zmsg_first (msg), PoolLine_fields, &reply->pool);
    assert (reply->has_pool);
    uint32_t i = 0;
    for (zframe_t *frame = zmsg_next (msg); frame; frame = zmsg_next (msg)) {
        if (i++ < turn->ask.first)
            continue;
        if (reply->workers_count ==
            sizeof reply->workers / sizeof *reply->workers) {
            fuota_writer_t writer = fuota_writer (reply->next.bytes, 4);
            fuota_writer_be (&writer, i - 1, 4);
            reply->next.size = 4;
            return;
        }
        bool good = s_record (frame, WorkerLine_fields,
            &reply->workers [reply->workers_count++]);
        assert (good);
    }
}

static void
s_refuse (fuota_turn_t *turn, ReplyStatus status, const char *words)
{
    turn->reply.status = status;
    snprintf (turn->reply.words, sizeof turn->reply.words, "%s", words);
}

static void
s_take (fuota_turn_t *turn, zmsg_t *msg)
{
    if (turn->ask.kind == FUOTA_ASK_WORKERS) {
        s_take_workers (turn, msg);
        return;
    }
    char *words = zmsg_popstr (msg);
    if (turn->ask.kind == FUOTA_ASK_DRAIN) {
        if (streq (words, "0"))
            s_refuse (turn, FUOTA_NOT_FOUND, "no worker of that name");
    }
    else if (*words)
        s_refuse (turn, FUOTA_FAILED, words);
    zstr_free (&words);
}

void
fuota_control_pool_ask (fuota_turn_t *turn)
{
    if (turn->ask.kind == FUOTA_ASK_NOBODY)
        return;
    //  One for each question: a REQ that was not answered can never send again
    zsock_t *pool = zsock_new_req (">inproc://pool");
    assert (pool);
    zsock_set_linger (pool, 0);
    zsock_set_rcvtimeo (pool, PATIENCE);
    zmsg_t *msg = s_request (&turn->ask);
    zmsg_send (&msg, pool);
    msg = zmsg_recv (pool);
    if (msg)
        s_take (turn, msg);
    else
        s_refuse (turn, FUOTA_FAILED, "there is no pool, or it is too busy");
    zmsg_destroy (&msg);
    zsock_destroy (&pool);
}
