//  SPDX-License-Identifier: MIT

#include <stdio.h>
#include <string.h>
#include <pb_decode.h>
#include <pb_encode.h>
#include "schema/record.h"

size_t
fuota_record_encode (const pb_msgdesc_t *fields, const void *record,
    uint8_t *out, size_t size)
{
    pb_ostream_t stream = pb_ostream_from_buffer (out, size);
    return pb_encode (&stream, fields, record) ? stream.bytes_written : 0;
}

int
fuota_record_decode (const pb_msgdesc_t *fields, void *record,
    fuota_slice_t bytes)
{
    pb_istream_t stream = pb_istream_from_buffer (bytes.data, bytes.size);
    return pb_decode (&stream, fields, record) ? 0 : FUOTA_EFORMAT;
}

const char *
fuota_phase_name (const fuota_group_t *group)
{
    static const char *const names [] = { "draft", "preparing", "setting up",
        "waiting", "sending", "collecting", "finishing", "done" };
    if ((unsigned) group->phase >= sizeof names / sizeof *names)
        return "?";
    if (group->phase == FUOTA_OVER && group->cancelled)
        return "cancelled";
    if (group->paused && group->phase < FUOTA_FINISHING)
        return "paused";
    //  A later round is one state to the operator (product: repairing)
    if (group->round > 1 &&
        (group->phase == FUOTA_WAITING || group->phase == FUOTA_SENDING))
        return "repairing";
    return names [group->phase];
}

const char *
fuota_step_name (Step step)
{
    static const char *const names [FUOTA_STEPS] = { "group setup",
        "frag delete", "frag setup", "session wait", "session", "resync",
        "ready", "report", "status", "reported", "unicast repair", "clean frag",
        "clean group", "end" };
    return (unsigned) step < FUOTA_STEPS ? names [step] : "?";
}

const char *
fuota_end_name (End end)
{
    static const char *const names [FUOTA_ENDS] = { "none", "complete",
        "refused", "timed out", "incomplete", "cancelled" };
    return (unsigned) end < FUOTA_ENDS ? names [end] : "?";
}

void
fuota_end_text (const fuota_device_t *device, char *text, size_t size)
{
    const char *name = fuota_end_name (device->end);
    switch (device->end) {
        case FUOTA_END_NONE:
            snprintf (text, size, "%s", fuota_step_name (device->step));
            break;
        case FUOTA_END_REFUSED:
            snprintf (text, size, "%s(%s)", name, device->words);
            break;
        case FUOTA_END_TIMED_OUT:
            snprintf (text, size, "%s(%s)", name,
                fuota_step_name (device->stopped_at));
            break;
        case FUOTA_END_INCOMPLETE:
            snprintf (text, size, "%s(missing %s%u)", name,
                device->missing >= 255 ? ">= " : "",
                (unsigned) device->missing);
            break;
        default:
            snprintf (text, size, "%s", name);
    }
}

const char *
fuota_word_name (unsigned word)
{
    static const char *const names [FUOTA_WORDS] = { "no word", "OK",
        "TOO_LATE", "TOO_EARLY", "COLLISION_PACKET", "COLLISION_BEACON",
        "TX_FREQ", "TX_POWER", "GPS_UNLOCKED", "QUEUE_FULL", "INTERNAL_ERROR",
        "DUTY_CYCLE_OVERFLOW", "other" };
    return word < FUOTA_WORDS ? names [word] : "other";
}

const char *
fuota_gateway_state_name (GatewayState state)
{
    static const char *const names [] = { "unknown", "never seen", "online",
        "offline" };
    return (unsigned) state < sizeof names / sizeof *names ? names [state]
                                                           : "?";
}
