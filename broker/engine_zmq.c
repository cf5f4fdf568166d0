//  SPDX-License-Identifier: MIT

#include "broker/engine_host.h"
#include "broker/engine_zmq.h"

static bool
s_simulated (const fuota_config_t *config)
{
    return streq (config->host_type, "sim");
}

bool
fuota_engine_zmq_wanted (const fuota_config_t *config)
{
    return s_simulated (config) ? *config->host_endpoint != 0
                                : streq (config->host_type, "zmq");
}

//  What leaves this host has keys.
static int
s_secure (fuota_engine_t *engine, zsock_t *sock, bool connect,
    const char *endpoint, const fuota_config_t *config)
{
    char error [512];
    if (!fuota_security_needed (endpoint))
        return 0;
    if (fuota_engine_keys (engine, config, endpoint))
        return -1;
    if (!connect)
        fuota_security_serve (&engine->security, sock, "host",
            config->zmq.admitted);
    else if (fuota_security_visit (&engine->security, sock,
                 config->zmq.peer_key, error, sizeof error)) {
        zsys_error ("host: %s is refused without keys: %s", endpoint, error);
        return -1;
    }
    return 0;
}

//  A socket bound there, or connected.
static int
s_open (fuota_engine_t *engine, zsock_t **sock_p, int type, bool connect,
    const char *endpoint, const fuota_config_t *config)
{
    zsock_t *sock = fuota_zmq_link_socket (type);
    *sock_p = sock;
    if (s_secure (engine, sock, connect, endpoint, config))
        return FUOTA_EXIT_ENDPOINT;
    int rc = connect ? zsock_connect (sock, "%s", endpoint)
                     : zsock_bind (sock, "%s", endpoint);
    if (rc != -1)
        return 0;
    zsys_error ("host: %s: %s", endpoint, zmq_strerror (errno));
    return FUOTA_EXIT_ENDPOINT;
}

int
fuota_engine_zmq_events (fuota_engine_t *engine, fuota_zmq_link_t *link,
    const fuota_config_t *config)
{
    const char *events = config->zmq.events;
    bool connect = *events == '>';
    int rc = 0;
    if (*events)
        rc = s_open (engine, &link->pull, ZMQ_PULL, connect, events + connect,
            config);
    if (!rc && *config->zmq.subscribe)
        rc = s_open (engine, &link->sub, ZMQ_SUB, true, config->zmq.subscribe,
            config);
    if (link->sub)
        zsock_set_subscribe (link->sub, config->zmq.topic);
    return rc;
}

//  fuota-sim is a back end like others, at endpoints made from one.
static int
s_open_doors (fuota_engine_t *engine, fuota_zmq_args_t *args,
    const fuota_config_t *config)
{
    char endpoint [160];
    int rc;
    if (!s_simulated (config)) {
        rc = s_open (engine, &args->door, ZMQ_ROUTER, false,
            config->zmq.downlinks, config);
        if (!rc && fuota_config_events_by (config, "zmq"))
            rc = fuota_engine_zmq_events (engine, &args->link, config);
        return rc;
    }
    snprintf (endpoint, sizeof endpoint, "%s.downlinks", config->host_endpoint);
    rc = s_open (engine, &args->door, ZMQ_ROUTER, false, endpoint, config);
    snprintf (endpoint, sizeof endpoint, "%s.events", config->host_endpoint);
    return rc ? rc
              : s_open (engine, &args->link.pull, ZMQ_PULL, false, endpoint,
                    config);
}

zsock_t *
fuota_engine_zmq_questions (fuota_engine_t *engine,
    const fuota_config_t *config)
{
    char endpoint [160];
    zsock_t *sock = NULL;
    if (!s_simulated (config))
        return NULL;
    snprintf (endpoint, sizeof endpoint, "%s.questions", config->host_endpoint);
    if (s_open (engine, &sock, ZMQ_DEALER, false, endpoint, config))
        zsock_destroy (&sock);
    return sock;
}

static int
s_open_mqtt (fuota_zmq_args_t *args, const fuota_config_t *config)
{
    if (s_simulated (config) || !fuota_config_events_by (config, "mqtt"))
        return 0;
#if FUOTA_MQTT
    fuota_engine_mqtt_t ours = { .client_id = config->chirpstack.client_id,
        .heard = fuota_zmq_actor_heard,
        .published = fuota_zmq_actor_published };
    args->mqtt = fuota_engine_mqtt (&config->chirpstack, &ours);
    return args->mqtt ? 0 : FUOTA_EXIT_USAGE;
#else
    (void) args;
    zsys_error ("host: this build is without FUOTA_MQTT");
    return FUOTA_EXIT_USAGE;
#endif
}

int
fuota_engine_zmq_open (fuota_engine_t *engine, fuota_zmq_args_t *args,
    const fuota_config_t *config)
{
    args->core = fuota_engine_core (config);
    assert (args->core);
    int rc = s_open_doors (engine, args, config);
    if (!rc)
        rc = s_open_mqtt (args, config);
    if (rc)
        return rc;
    //  A peer that is not there is told, not passed over in silence
    zsock_set_router_mandatory (args->door, 1);
    args->inbox = zsock_new_pull ("@inproc://host");
    args->events = zsock_new_push (">inproc://router");
    args->outcomes = zsock_new_push (">inproc://outbox");
    assert (args->inbox && args->events && args->outcomes);
    return 0;
}
