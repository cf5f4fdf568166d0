//  SPDX-License-Identifier: MIT
//
//  Devices at the host: uplinks, queues, windows (chirpstack-host.md 3.2).

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "broker/host/chirpstack_text.h"
#include "chirpstack.pb.h"
#include "tests/world/chirpstack_model_private.h"

#define WINDOW 99  //  After the event; the device's own is a moment later

enum { LOG_PAYLOAD_SIZE = 1, LOG_GATEWAY = 8, LOG_EXPIRED = 11 };

model_device_t *
model_device (model_t *self, uint64_t dev_eui)
{
    uint64_t i = dev_eui - self->config.first_eui;
    return i < self->config.devices ? &self->devices [i] : NULL;
}

static void
s_tell (model_t *self, const model_device_t *device, const char *event,
    const model_bytes_t *body)
{
    char topic [160], eui [17];
    fuota_chirpstack_eui (device->dev_eui, eui);
    snprintf (topic, sizeof topic, "application/%s/device/%s/event/%s",
        self->config.application, eui, event);
    model_say (self, topic, body);
}

static void
s_info (const model_t *self, const model_device_t *device, unsigned field,
    model_bytes_t *out)
{
    model_bytes_t info = { .size = 0 };
    char eui [17];
    fuota_chirpstack_eui (device->dev_eui, eui);
    model_text (&info, 1, MODEL_TENANT);
    model_text (&info, 3, self->config.application);
    model_text (&info, 5, MODEL_PROFILE);
    model_text (&info, 8, eui);
    model_part (out, field, &info);
}

//  ---------------------------------------------------------------------
//  The queue

//  False if there is an item of that name: the primary key.
bool
model_queue (model_t *self, model_device_t *device,
    const model_command_t *command)
{
    for (unsigned i = 0; i < device->count; i++)
        if (!strcmp (device->queue [i].item, command->item)) {
            self->counts.repeated++;
            return false;
        }
    for (unsigned i = 0; i < device->count; i++)
        if (device->queue [i].expires_at > self->now) {
            self->judge.overlapped++;
            if (getenv ("WORLD_TRACE"))
                printf ("%13lld overlap: device %u, %s behind %s\n",
                    (long long) (self->now % 1000000000),
                    (unsigned) (device->dev_eui & 0xffff), command->item,
                    device->queue [i].item);
            break;
        }
    assert_true (device->count < MODEL_QUEUE);
    device->queue [device->count++] = *command;
    return true;
}

static void
s_remove (model_device_t *device)
{
    memmove (device->queue, device->queue + 1,
        --device->count * sizeof device->queue [0]);
}

//  command/down: what is wrong with it only the host's log says.
void
model_command (model_t *self, const model_message_t *message)
{
    fuota_chirpstack_topic_t topic;
    cs_DownlinkCommand ask;
    model_command_t command = { .heard = false };
    uint64_t eui;
    if (message->mute || !self->up || message->host_life != self->host_life)
        return;
    if (!fuota_chirpstack_match ("application/{{application_id}}/device/"
                                 "{{dev_eui}}/command/"
                                 "{{command}}",
            message->topic, &topic) ||
        strcmp (topic.application, self->config.application) != 0 ||
        fuota_record_decode (cs_DownlinkCommand_fields, &ask,
            fuota_slice (message->body, message->size)) ||
        strcmp (topic.word, "down") != 0 ||
        strcmp (ask.dev_eui, topic.dev_eui) != 0 || !ask.f_port ||
        !ask.has_expires_at || strlen (ask.id) != 36 ||
        !fuota_chirpstack_uneui (ask.dev_eui, &eui) ||
        !model_device (self, eui)) {
        self->judge.strange++;
        return;
    }
    memcpy (command.item, ask.id, 37);
    command.f_port = (uint8_t) ask.f_port;
    command.size = ask.data.size;
    memcpy (command.data, ask.data.bytes, ask.data.size);
    command.expires_at =
        ask.expires_at.seconds * 1000 + ask.expires_at.nanos / 1000000;
    model_queue (self, model_device (self, eui), &command);
}

//  ---------------------------------------------------------------------
//  Uplinks

void
model_uplink (model_t *self, const fuota_event_t *event)
{
    model_device_t *device = model_device (self, event->dev_eui);
    model_bytes_t body = { .size = 0 }, time = { .size = 0 };
    char dedup [37];
    model_uuid (self, dedup);
    model_text (&body, 1, dedup);
    model_uint (&time, 1, (uint64_t) event->received_at / 1000);
    model_uint (&time, 2, (uint64_t) event->received_at % 1000 * 1000000);
    model_part (&body, 2, &time);
    s_info (self, device, 3, &body);
    model_uint (&body, 7, event->f_cnt);
    model_uint (&body, 8, event->f_port);
    model_data (&body, 10, event->data.bytes, event->data.size);
    for (unsigned i = 0; i < event->gateways_count; i++) {
        model_bytes_t info = { .size = 0 };
        char eui [17];
        fuota_chirpstack_eui (event->gateways [i], eui);
        model_text (&info, 1, eui);
        model_part (&body, 12, &info);
    }
    s_tell (self, device, "up", &body);
    model_put (self, self->now + WINDOW, MODEL_WINDOW,
        (uint32_t) (device - self->devices), NULL);
}

static void
s_log (model_t *self, const model_device_t *device,
    const model_command_t *command, uint32_t code)
{
    model_bytes_t body = { .size = 0 }, entry = { .size = 0 };
    s_info (self, device, 2, &body);
    model_uint (&body, 4, code);
    if (code != LOG_GATEWAY) {
        model_text (&entry, 1, "queue_item_id");
        model_text (&entry, 2, command->item);
        model_part (&body, 6, &entry);
    }
    s_tell (self, device, "log", &body);
}

static void
s_txack (model_t *self, const model_device_t *device,
    const model_command_t *command)
{
    model_bytes_t body = { .size = 0 };
    s_info (self, device, 3, &body);
    model_text (&body, 4, command->item);
    model_uint (&body, 5, device->f_cnt_down);
    s_tell (self, device, "txack", &body);
}

//  On air. What it was given already it takes for a replay.
static void
s_send (model_t *self, model_device_t *device, model_command_t *command)
{
    fuota_downlink_t down = { .kind = FUOTA_UNICAST,
        .row = ++self->serial,
        .dev_eui = device->dev_eui,
        .f_port = command->f_port };
    if (command->heard)
        return;
    command->heard = true;
    for (unsigned i = 0; i < 8; i++)
        self->counts.again += !strcmp (device->sent [i], command->item);
    strcpy (device->sent [device->sent_at++ % 8], command->item);
    down.data.size = (pb_size_t) command->size;
    memcpy (down.data.bytes, command->data, command->size);
    fuota_sim_take (self->sim, &down, self->now);
}

//  The oldest item of its queue.
void
model_window (model_t *self, model_device_t *device)
{
    if (!self->up)
        return;
    while (device->count && device->queue [0].expires_at <= self->now) {
        s_log (self, device, &device->queue [0], LOG_EXPIRED);
        s_remove (device);
    }
    if (!device->count)
        return;
    model_command_t *command = &device->queue [0];
    if (model_hits (self, self->config.too_long)) {
        s_log (self, device, command, LOG_PAYLOAD_SIZE);
        s_remove (device);
    }
    else if (model_hits (self, self->config.not_now))
        s_log (self, device, command, LOG_GATEWAY);
    else if (model_hits (self, self->config.silent)) {
        if (model_below (self, 2))
            s_send (self, device, command);
    }
    else {
        s_send (self, device, command);
        device->f_cnt_down++;
        s_txack (self, device, command);
        s_remove (device);
    }
}
