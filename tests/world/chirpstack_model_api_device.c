//  SPDX-License-Identifier: MIT
//
//  Calls about devices, as the host carries them out.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "broker/host/chirpstack_text.h"
#include "broker/host/grpc_reply.h"
#include "chirpstack.pb.h"
#include "schema/hex.h"
#include "tests/world/chirpstack_model_private.h"

//  Is that in it? Keys and values are short.
static bool
s_has (const uint8_t *data, size_t size, const char *text)
{
    size_t length = strlen (text);
    for (size_t at = 0; at + length <= size; at++)
        if (memcmp (data + at, text, length) == 0)
            return true;
    return false;
}

bool
model_tagged (model_t *self, uint64_t dev_eui, const char *key)
{
    const model_device_t *device = model_device (self, dev_eui);
    return s_has (device->stored, device->stored_size, key);
}

//  With a tag of somebody else, and a field that is newer than we are.
static void
s_store (model_t *self, model_device_t *device, const char *eui)
{
    model_bytes_t part = { .size = 0 }, tag = { .size = 0 };
    if (device->stored_size)
        return;
    model_text (&part, 1, eui);
    model_text (&part, 2, "sensor");
    model_text (&part, 4, self->config.application);
    model_text (&part, 5, MODEL_PROFILE);
    model_text (&tag, 1, "site");
    model_text (&tag, 2, "roof");
    model_part (&part, 9, &tag);
    model_text (&part, 77, "newer");
    memcpy (device->stored, part.data, part.size);
    device->stored_size = part.size;
}

//  It replaces the device as a whole: nothing may be lost, nor be there twice.
int
model_device_update (model_t *self, fuota_slice_t message, char *text,
    model_bytes_t *answer)
{
    static const char *const kept [] = { "sensor", "site", "roof", "newer",
        MODEL_PROFILE };
    MODEL_READ (DeviceBox, box, message);
    const uint8_t *part = message.data;
    uint64_t eui;
    char id [17] = "";
    (void) answer;
    (void) box;
    //  A field of less than 128 bytes, or of less than 16384
    size_t size = message.size, head = size > 2 && part [1] & 0x80 ? 3 : 2;
    if (size < head + 18 || part [0] != 0x0a)
        return model_strange (self, text);
    memcpy (id, part + head + 2, 16);
    if (!fuota_chirpstack_uneui (id, &eui) || !model_device (self, eui))
        return model_strange (self, text);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (!s_has (part, size, kept [i]))
            return model_strange (self, text);
    model_device_t *device = model_device (self, eui);
    if (size - head > sizeof device->stored / 2)
        return model_strange (self, text);
    memcpy (device->stored, part + head, size - head);
    device->stored_size = size - head;
    return FUOTA_GRPC_OK;
}

int
model_device_get (model_t *self, fuota_slice_t message, char *text,
    model_bytes_t *answer)
{
    MODEL_READ (Id, ask, message);
    uint64_t eui;
    if (!fuota_chirpstack_uneui (ask.id, &eui))
        return model_strange (self, text);
    if (!model_device (self, eui))
        return model_missing (self, text, ask.id);
    model_device_t *device = model_device (self, eui);
    s_store (self, device, ask.id);
    model_data (answer, 1, device->stored, device->stored_size);
    return FUOTA_GRPC_OK;
}

int
model_device_keys (model_t *self, fuota_slice_t message, char *text,
    model_bytes_t *answer)
{
    MODEL_READ (Id, ask, message);
    model_bytes_t part = { .size = 0 };
    fuota_outcome_t outcome;
    fuota_downlink_t want = { .kind = FUOTA_KEYS };
    char key [33];
    if (!fuota_chirpstack_uneui (ask.id, &want.dev_eui))
        return model_strange (self, text);
    if (!model_device (self, want.dev_eui))
        return model_missing (self, text, ask.id);
    while (fuota_sim_outcome (self->sim, &outcome))
        continue;
    fuota_sim_take (self->sim, &want, self->now);
    assert_true (fuota_sim_outcome (self->sim, &outcome));
    fuota_hex (outcome.root_key.bytes, 16, key);
    model_text (&part, 1, ask.id);
    model_text (&part, 4, key);
    model_part (answer, 1, &part);
    return FUOTA_GRPC_OK;
}

int
model_device_enqueue (model_t *self, fuota_slice_t message, char *text,
    model_bytes_t *answer)
{
    MODEL_READ (DeviceItemBox, box, message);
    const cs_DeviceItem *item = &box.queue_item;
    model_command_t command = { .f_port = (uint8_t) item->f_port,
        .size = item->data.size,
        .expires_at = item->expires_at.seconds * 1000 +
                      item->expires_at.nanos / 1000000 };
    uint64_t eui;
    if (!fuota_chirpstack_uneui (item->dev_eui, &eui) || !item->f_port ||
        item->f_port > 255 || !item->has_expires_at ||
        item->data.size > sizeof command.data)
        return model_strange (self, text);
    if (!model_device (self, eui))
        return model_missing (self, text, item->dev_eui);
    memcpy (command.data, item->data.bytes, item->data.size);
    model_uuid (self, command.item);
    model_queue (self, model_device (self, eui), &command);
    model_text (answer, 1, command.item);
    return FUOTA_GRPC_OK;
}

int
model_device_queue (model_t *self, fuota_slice_t message, char *text,
    model_bytes_t *answer)
{
    MODEL_READ (Id, ask, message);
    uint64_t eui;
    if (!fuota_chirpstack_uneui (ask.id, &eui))
        return model_strange (self, text);
    const model_device_t *device = model_device (self, eui);
    if (!device)
        return model_missing (self, text, ask.id);
    model_uint (answer, 1, device->count);
    //  A device that is never heard keeps all; the last are enough
    unsigned first = device->count > 8 ? device->count - 8 : 0;
    for (unsigned i = first; i < device->count; i++) {
        model_bytes_t item = { .size = 0 };
        model_text (&item, 1, device->queue [i].item);
        model_text (&item, 2, ask.id);
        model_uint (&item, 4, device->queue [i].f_port);
        model_data (&item, 5, device->queue [i].data, device->queue [i].size);
        model_bytes_t end = { .size = 0 };
        uint64_t at = (uint64_t) device->queue [i].expires_at;
        model_uint (&end, 1, at / 1000);
        model_uint (&end, 2, at % 1000 * 1000000);
        model_part (&item, 10, &end);
        model_part (answer, 2, &item);
    }
    return FUOTA_GRPC_OK;
}
