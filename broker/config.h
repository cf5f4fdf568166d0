//  SPDX-License-Identifier: MIT
//
//  config - the configuration file as one plain struct.
//
//  One table holds every key with its kind, default and bounds; it drives the
//  defaults, the reading, the faults, and the test that etc/fuotad.cfg names
//  them all. Faults are all found, one line each:
//
//      FILE:LINE: key: value; allowed ...
//
//  A key that is not in the table is a fault. Called by main, before any
//  thread.

#ifndef FUOTA_CONFIG_H
#define FUOTA_CONFIG_H

#include <stdio.h>
#include "broker/host/lora.h"
#include "broker/wish.h"

#define FUOTA_CONFIG_PROFILES 64
#define FUOTA_CONFIG_APPLICATIONS 32

//  Where ChirpStack is. Empty texts: not used.
typedef struct {
    char mqtt [128];  //  tcp://HOST:PORT or ssl://HOST:PORT
    char mqtt_ca [256], mqtt_cert [256], mqtt_key [256];
    char mqtt_user [64], mqtt_password_file [256];
    char client_id [64], share [64];
    char event_topic [160], command_topic [160];
    char gateway_prefix [64];
    char encoding [16];  //  "auto", "json", "protobuf"
    char unicast [8];    //  "mqtt", "grpc"
    char api [128];      //  http://HOST:PORT or https://HOST:PORT
    char api_ca [256], token_file [256];
    uint32_t margin_c, margin_b;  //  Its multicast margins, milliseconds
} fuota_config_chirpstack_t;

//  What fuota-sim is to a ChirpStack: gateways and LoRaWAN devices, and the
//  names of what it creates there.
typedef struct {
    fuota_lora_config_t air;
    char topic_prefix [64];
    char name [65];       //  Of tenant, application, profiles, gateways
    char tenant_id [41];  //  Empty: a tenant is created, too
} fuota_config_lorawan_t;

//  A ZeroMQ back end. Empty endpoints: not used.
typedef struct {
    char events [128];     //  PULL: bound, or connected with '>' before it
    char subscribe [128];  //  SUB: connected
    char topic [160];      //  What its topics begin with
    char downlinks [128];  //  ROUTER: bound
    char admitted [256];   //  Keys of those who may connect by tcp
    char peer_key [256];   //  Public key of whom we connect to by tcp
} fuota_config_zmq_t;

typedef struct {
    char state_folder [256];
    uint32_t state_map_mib;    //  Address space, not disk
    uint32_t state_keep_days;  //  Of what is over; 0 = for ever
    char parity_folder [256];  //  Empty: "parity" in the state's folder
    uint32_t parity_max_mib;
    char pool_endpoint [256];  //  Empty: in the parity folder
    char pool_far [128];       //  Empty: no workers of other hosts
    char pool_server_key [256];
    char pool_admitted [256];
    int32_t pool_workers;  //  -1: cores less one, at least one
    char pool_program [256];
    char control_endpoint [128];
    char events_endpoint [128];
    uint32_t time_scale;       //  1 = real time
    int64_t time_origin;       //  UTC milliseconds a scaled clock starts from
    char host_type [16];       //  "sim", "chirpstack" or "zmq"
    char host_events [8];      //  "auto": by MQTT or ZeroMQ, as the type is
    char host_endpoint [128];  //  Empty: the simulator in this process
    fuota_sim_config_t sim;
    fuota_config_chirpstack_t chirpstack;
    fuota_config_lorawan_t lorawan;
    fuota_config_zmq_t zmq;
    fuota_wish_defaults_t deploy;
    fuota_profile_t profiles [FUOTA_CONFIG_PROFILES];
    size_t profile_count;
    char clock_applications [FUOTA_CONFIG_APPLICATIONS][41];  //  "*" = all
    size_t clock_application_count;
    uint32_t clock_threshold;  //  Seconds a device may be off unanswered
    int32_t clock_leap_extra;  //  Leap seconds this build does not know
    char log_level [16];
} fuota_config_t;

//  Every key at its default.
void fuota_config_defaults (fuota_config_t *self);

//  Do events come by ZeroMQ, by MQTT?
bool fuota_config_events_by (const fuota_config_t *self, const char *what);

//  Read a file, or a text that is called name in faults. What it does not say
//  is at its default. Returns 0, or -1 with every fault printed to faults and
//  the struct not to be used.
int fuota_config_load (fuota_config_t *self, const char *path, FILE *faults);
int fuota_config_parse (fuota_config_t *self, const char *text,
    const char *name, FILE *faults);

//  The table, for tests and for --help: the i-th key, its default as it is
//  written in a file, and what is allowed. False past the last.
bool fuota_config_key (size_t i, const char **key, char *preset, size_t size,
    const char **allowed);

#endif
