//  SPDX-License-Identifier: MIT
//
//  Parts: opening; or, where this build has no MQTT or no gRPC, saying so.

#include "broker/engine_chirpstack.h"
#include "broker/engine_host.h"
#include "broker/engine_zmq.h"
#include "workers/package/mckey.h"

#if FUOTA_CHIRPSTACK
#include "broker/host/chirpstack_actor.h"

struct fuota_engine_chirpstack {
    fuota_chirpstack_args_t args;
};

static const char *
s_some (const char *text)
{
    return *text ? text : NULL;
}

fuota_grpc_link_t *
fuota_engine_api (const fuota_config_chirpstack_t *config)
{
    char host [128], port [6], token [FUOTA_ENGINE_SECRET];
    bool tls;
    fuota_grpc_link_t *api = NULL;
    if (!fuota_engine_address (config->api, "http://", "https://", host,
            sizeof host, port, &tls))
        zsys_error ("host: host.chirpstack.api: %s: not an address",
            config->api);
    else if (fuota_engine_secret (config->token_file, token, sizeof token)) {
        fuota_grpc_link_config_t link = { .host = host,
            .port = port,
            .tls = tls,
            .ca_file = s_some (config->api_ca),
            .token = token };
        api = fuota_grpc_link_new (&link);
    }
    fuota_mckey_wipe (token, sizeof token);
    return api;
}

int
fuota_engine_chirpstack_open (fuota_engine_t *engine,
    fuota_engine_chirpstack_t **self_p, const fuota_config_t *config)
{
    fuota_engine_chirpstack_t *self = zmalloc (sizeof *self);
    *self_p = self;
    self->args.core = fuota_engine_core (config);
    assert (self->args.core);
    self->args.api = fuota_engine_api (&config->chirpstack);
    fuota_engine_mqtt_t ours = { .client_id = config->chirpstack.client_id,
        .heard = fuota_chirpstack_actor_heard,
        .published = fuota_chirpstack_actor_published };
    if (!self->args.api)
        return FUOTA_EXIT_USAGE;
    if (fuota_config_events_by (config, "zmq")) {
        int rc = fuota_engine_zmq_events (engine, &self->args.link, config);
        if (rc)
            return rc;
    }
    else {
        self->args.mqtt = fuota_engine_mqtt (&config->chirpstack, &ours);
        if (!self->args.mqtt)
            return FUOTA_EXIT_USAGE;
    }
    self->args.inbox = zsock_new_pull ("@inproc://host");
    self->args.events = zsock_new_push (">inproc://router");
    self->args.outcomes = zsock_new_push (">inproc://outbox");
    self->args.questions = zsock_new_dealer ("@inproc://questions");
    assert (self->args.inbox && self->args.events && self->args.outcomes &&
            self->args.questions);
    return 0;
}

void
fuota_engine_chirpstack_start (fuota_engine_t *engine,
    fuota_engine_chirpstack_t **self_p)
{
    //  As with the other actors: what it reads first is on our stack
    fuota_chirpstack_args_t args = (*self_p)->args;
    freen (*self_p);
    engine->chirpstack = zactor_new (fuota_chirpstack_actor, &args);
}

void
fuota_engine_chirpstack_close (fuota_engine_chirpstack_t **self_p)
{
    if (*self_p)
        fuota_chirpstack_args_release (&(*self_p)->args);
    freen (*self_p);
}

#else
int
fuota_engine_chirpstack_open (fuota_engine_t *engine,
    fuota_engine_chirpstack_t **self_p, const fuota_config_t *config)
{
    (void) engine;
    (void) config;
    *self_p = NULL;
    zsys_error ("host: this build is without FUOTA_MQTT or FUOTA_GRPC");
    return FUOTA_EXIT_USAGE;
}

void
fuota_engine_chirpstack_start (fuota_engine_t *engine,
    fuota_engine_chirpstack_t **self_p)
{
    (void) engine;
    (void) self_p;
}

void
fuota_engine_chirpstack_close (fuota_engine_chirpstack_t **self_p)
{
    (void) self_p;
}
#endif
