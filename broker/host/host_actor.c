//  SPDX-License-Identifier: MIT

#include "broker/host/host_actor.h"
#include "workers/package/mckey.h"

bool
fuota_host_actor_asked (zsock_t *pipe, char command [FUOTA_HOST_COMMAND],
    uint64_t *number, bool *terminated)
{
    zmsg_t *msg = zmsg_recv (pipe);
    if (!msg)
        return false;
    char *word = zmsg_popstr (msg);
    zframe_t *argument = zmsg_first (msg);
    *number = 0;
    if (argument && zframe_size (argument) == sizeof *number)
        memcpy (number, zframe_data (argument), sizeof *number);
    //  Both are said by ourselves
    bool asked = streq (word, "STATS") || streq (word, "VIEW");
    *terminated = streq (word, "$TERM");
    assert (asked || *terminated);
    if (asked)
        strcpy (command, word);
    zstr_free (&word);
    zmsg_destroy (&msg);
    return asked;
}

void
fuota_host_actor_answer (zsock_t *pipe, const void *answer, size_t size)
{
    zsock_send (pipe, "b", answer, size);
}

bool
fuota_host_actor_ask (zactor_t *actor, const char *command, uint64_t number,
    void *answer, size_t size)
{
    zsock_send (actor, "sb", command, &number, sizeof number);
    zframe_t *frame = zframe_recv (actor);
    bool there = frame && zframe_size (frame) == size;
    if (there)
        memcpy (answer, zframe_data (frame), size);
    zframe_destroy (&frame);
    return there;
}

bool
fuota_host_actor_downlink (zsock_t *inbox, fuota_downlink_t *downlink,
    uint64_t *malformed)
{
    zframe_t *body = zframe_recv (inbox);
    if (!body)
        return false;
    bool good = !fuota_record_decode (Downlink_fields, downlink,
        fuota_slice (zframe_data (body), zframe_size (body)));
    *malformed += !good;
    fuota_mckey_wipe (zframe_data (body), zframe_size (body));
    zframe_destroy (&body);
    return good;
}
