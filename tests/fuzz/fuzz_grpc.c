//  SPDX-License-Identifier: MIT
//
//  Bytes of a gRPC peer. The first says in what steps the others come: any
//  number at a time, 0 for all at once. Whatever they are, each call has one
//  answer in the end, of a known status, with a text that is one line.

#include <assert.h>
#include <stdlib.h>
#include "broker/host/grpc.h"

#define CALLS 3
#define LIMIT 4096

static size_t s_blocks;

static void *
s_resize (void *ptr, size_t size)
{
    if (ptr && !size) {
        free (ptr);
        s_blocks--;
        return NULL;
    }
    s_blocks += ptr == NULL;
    return realloc (ptr, size);
}

static void
s_drain (fuota_grpc_t *client, int64_t now)
{
    static uint8_t out [4096];
    while (fuota_grpc_output (client, out, sizeof out, now) == sizeof out)
        ;
}

static void
s_check (const fuota_grpc_answer_t *answer, bool *answered)
{
    assert (answer->tag < CALLS && !answered [answer->tag]);
    answered [answer->tag] = true;
    assert (answer->status <= FUOTA_GRPC_UNAUTHENTICATED);
    assert (answer->message.size <= LIMIT);
    assert (!answer->message.size || answer->status == FUOTA_GRPC_OK);
    assert (!answer->unprocessed || answer->status != FUOTA_GRPC_OK);
    for (const char *at = answer->text; *at; at++)
        assert ((unsigned char) *at >= ' ' && *at != 0x7f);
    uint8_t sum = 0;
    for (size_t i = 0; i < answer->message.size; i++)
        sum = (uint8_t) (sum + answer->message.data [i]);
    (void) sum;  //  Every byte was read
}

static void
s_feed (fuota_grpc_t *client, const uint8_t *data, size_t size)
{
    size_t step = size && data [0] ? data [0] : size + 1;
    for (size_t at = 1; at < size; at += step) {
        size_t count = size - at < step ? size - at : step;
        if (fuota_grpc_state (client) == FUOTA_GRPC_OVER)
            return;
        fuota_grpc_input (client, fuota_slice (data + at, count), 1);
        s_drain (client, 1);
    }
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    const fuota_grpc_config_t config = { .resize = s_resize,
        .authority = "host",
        .token = "token",
        .calls = CALLS,
        .max_message = LIMIT,
        .max_held = LIMIT + LIMIT / 2 };
    bool answered [CALLS] = { false };
    fuota_grpc_answer_t answer;
    int rc;
    fuota_grpc_t *client = fuota_grpc_new (&config, &rc);
    assert (client && fuota_grpc_open (client, 0) == 0);
    for (uint64_t i = 0; i < CALLS; i++)
        fuota_grpc_call (client, i, "/api.T/M", fuota_slice ("abc", i),
            i ? 100 : INT64_MAX);
    s_drain (client, 0);
    s_feed (client, data, size);
    while (fuota_grpc_answer (client, &answer))
        s_check (&answer, answered);
    fuota_grpc_tick (client, 200);
    s_drain (client, 200);
    fuota_grpc_shut (client, "shut");
    fuota_grpc_refuse (client, "refused");
    while (fuota_grpc_answer (client, &answer))
        s_check (&answer, answered);
    assert (answered [0] && answered [1] && answered [2]);
    fuota_grpc_destroy (&client);
    assert (s_blocks == 0);
    return 0;
}
