//  SPDX-License-Identifier: MIT
//
//  chirpstack_model_private - the inside of the model, for its sources:
//  chirpstack_model.c (time, lives, the world's doors), _engine.c (its end of
//  the engine), _api.c and _api_device.c (calls), _group.c (groups, their
//  scheduler, gateways), _device.c (devices), _judge.c (the end).

#ifndef FUOTA_CHIRPSTACK_MODEL_PRIVATE_H
#define FUOTA_CHIRPSTACK_MODEL_PRIVATE_H

#include "broker/host/sim_network.h"
#include "broker/host/sim_radio.h"
#include "tests/world/chirpstack_model.h"

#define MODEL_TENANT "00000000-0000-4000-8000-00000000000a"
#define MODEL_PROFILE "00000000-0000-4000-8000-00000000000b"
#define MODEL_QUEUE 256
#define MODEL_GROUPS 16
#define MODEL_ROWS 4096
#define MODEL_GATEWAYS 4

//  What can be due; thing is a message but where said
enum {
    MODEL_CARRY,      //  A call is carried out
    MODEL_ANSWER,     //  Its answer arrives
    MODEL_HEARD,      //  A publication for the engine
    MODEL_COMMAND,    //  A publication of the engine arrives at the host
    MODEL_PUBLISHED,  //  The broker's word on it
    MODEL_WINDOW,     //  Of device index; no thing
    MODEL_SCHEDULE,   //  No thing
    MODEL_FRAME,      //  At a gateway; thing is a frame
    MODEL_ON_AIR,     //  The same
    MODEL_WORD,       //  The gateway's word arrives; the same
    MODEL_LINK,       //  No thing: the engine's link comes or goes
    MODEL_RESTART,    //  No thing: the host comes or goes
    MODEL_REVOKE,     //  No thing: the token is none for a while
    MODEL_GATEWAY     //  No thing: gateway index comes or goes
};

typedef struct {
    uint64_t tag;
    uint32_t life, host_life;  //  Of the engine, the host: older is lost
    int64_t until;
    bool lose, garble, mute;
    int status;
    bool unprocessed;
    const char *path;
    char text [100];
    char topic [160];
    size_t size;
    uint8_t body [];
} model_message_t;

//  Protobuf, as it grows
typedef struct {
    uint8_t data [4096];
    size_t size;
} model_bytes_t;

typedef struct {
    char item [37];  //  Its UUID
    int64_t expires_at;
    uint8_t f_port;
    size_t size;
    uint8_t data [255];
    bool heard;  //  By the device, though the gateway did not say so
} model_command_t;

typedef struct {
    uint64_t dev_eui;
    model_command_t queue [MODEL_QUEUE];
    unsigned count;
    uint32_t f_cnt_down;
    uint8_t stored [512];  //  The Device of the API, as it was last written
    size_t stored_size;
    char sent [8][37];  //  The last items
    unsigned sent_at;
} model_device_t;

//  One of a group's items, by its counter; its rows are by gateway
typedef struct {
    uint32_t n;
    unsigned rows;  //  Left in the queue
    uint32_t life;  //  Of the engine that handed it over
    bool given;     //  To a gateway
    bool taken;     //  By one
    bool unclear;   //  The engine may not know what became of it
    uint8_t f_port;
    size_t size;
    uint8_t data [255];
    int64_t expires_at;
} model_fragment_t;

typedef struct {
    bool used, deleted, flushed;
    char id [41], name [101];
    fuota_sim_group_t air;  //  As the devices see it
    unsigned gateways [MODEL_GATEWAYS], gateway_count;
    model_fragment_t *fragments;  //  By f_cnt
    uint32_t f_cnt;
    uint32_t last_n;
    bool jumped;      //  A flush since the last fragment: a session begins
    bool proven;      //  The engine has seen a frame of one that it handed over
    uint32_t *taken;  //  By N: counter + 1
} model_group_t;

typedef struct {
    bool used;
    uint32_t group, f_cnt, serial;
    unsigned gateway;
    int64_t run_after, emit_at;
} model_row_t;

typedef struct {
    uint32_t downlink, group, f_cnt, row, serial;
    unsigned gateway;
    int64_t emit_at;
    bool sends, speaks;
    uint32_t word;
} model_frame_t;

struct model {
    model_config_t config;
    fuota_sim_t *sim;
    fuota_chirpstack_t *core;  //  NULL: the engine is not there
    fuota_sim_heap_t heap;
    uint64_t chance;
    int64_t now, turned;
    unsigned turns;
    uint32_t life, host_life;
    uint32_t caller;  //  Whose call is carried out: an earlier life's, perhaps
    bool link, up;
    int64_t last_heard, left_at, revoked_until, unclear_at;
    uint64_t serial;  //  Of UUIDs, downlinks, rows
    model_device_t *devices;
    model_group_t groups [MODEL_GROUPS];
    model_row_t rows [MODEL_ROWS];
    bool scheduled;
    int64_t away_since [MODEL_GATEWAYS];  //  0: there
    model_judge_t judge;
    model_counts_t counts;
};

//  Chance.
uint32_t model_below (model_t *self, uint32_t limit);
bool model_hits (model_t *self, uint32_t permille);

//  Due later; the thing is owned by the heap from then on.
void model_put (model_t *self, int64_t at, uint32_t kind, uint32_t index,
    void *thing);
model_message_t *model_message (const uint8_t *body, size_t size);

//  The engine's end: what the core has to say; calls and publications on their
//  way. They own the message.
void model_pump (model_t *self);
void model_carry (model_t *self, model_message_t *message);
void model_answered (model_t *self, model_message_t *message);
void model_heard (model_t *self, model_message_t *message);
void model_published (model_t *self, model_message_t *message);

//  Publish to the engine.
void model_say (model_t *self, const char *topic, const model_bytes_t *body);

//  What the engine knows of the fragments that are on their way is not what
//  there is to know.
void model_unclear (model_t *self);

//  Text of the next UUID.
void model_uuid (model_t *self, char text [37]);

//  Protobuf: one field more.
void model_uint (model_bytes_t *out, unsigned field, uint64_t value);
void model_data (model_bytes_t *out, unsigned field, const void *data,
    size_t size);
void model_text (model_bytes_t *out, unsigned field, const char *text);
void model_part (model_bytes_t *out, unsigned field, const model_bytes_t *part);

//  Read a request. One that cannot be read is none that should be made.
#define MODEL_READ(type, name, message)                                        \
    cs_##type name = cs_##type##_init_zero;                                    \
    if (fuota_record_decode (cs_##type##_fields, &name, message))              \
    return model_strange (self, text)

//  A method: its status, its text and its answer.
typedef int (model_method_t) (model_t *self, fuota_slice_t message, char *text,
    model_bytes_t *answer);
int model_strange (model_t *self, char *text);
int model_missing (const model_t *self, char *text, const char *id);
model_method_t model_device_get, model_device_update, model_device_keys,
    model_device_enqueue, model_device_queue;

//  Carry out a call: its status, its text and its answer.
int model_api (model_t *self, const char *path, fuota_slice_t message,
    char text [100], model_bytes_t *answer);

//  Devices
model_device_t *model_device (model_t *self, uint64_t dev_eui);
bool model_queue (model_t *self, model_device_t *device,
    const model_command_t *command);
void model_command (model_t *self, const model_message_t *message);
void model_uplink (model_t *self, const fuota_event_t *event);
void model_window (model_t *self, model_device_t *device);

//  Groups
model_group_t *model_group (model_t *self, const char *id);
uint32_t model_enqueue (model_t *self, model_group_t *group, uint8_t f_port,
    fuota_slice_t data, int64_t expires_at);
void model_flush (model_t *self, model_group_t *group);
void model_schedule (model_t *self);
void model_frame (model_t *self, model_frame_t *frame);
void model_on_air (model_t *self, const model_frame_t *frame);
void model_word (model_t *self, const model_frame_t *frame);

#endif
