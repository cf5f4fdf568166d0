//  SPDX-License-Identifier: MIT
//
//  Parts: secrets and addresses; the core; MQTT.

#include <czmq.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "broker/engine_host.h"
#include "workers/package/mckey.h"

//  ---------------------------------------------------------------------
//  Secrets

bool
fuota_engine_secret (const char *path, char *text, size_t size)
{
    struct stat info;
    const char *fault = NULL;
    ssize_t got = -1;
    int file = open (path, O_RDONLY | O_CLOEXEC);
    if (file == -1 || fstat (file, &info) == -1)
        fault = strerror (errno);
    else if (!S_ISREG (info.st_mode) || info.st_mode & 077)
        fault = "others may read it; its mode must be 0600";
    else {
        got = read (file, text, size);
        if (got < 0)
            fault = strerror (errno);
        else if (got == (ssize_t) size)
            fault = "too long";
    }
    if (file != -1)
        close (file);
    if (!fault) {
        text [got] = 0;
        text [strcspn (text, "\r\n")] = 0;
        if (!*text)
            fault = "empty";
    }
    if (fault)
        zsys_error ("host: %s: %s", path, fault);
    return !fault;
}

int
fuota_engine_keys (fuota_engine_t *engine, const fuota_config_t *config,
    const char *endpoint)
{
    char error [512];
    if (engine->security.auth ||
        !fuota_security_open (&engine->security, config->pool_server_key, error,
            sizeof error))
        return 0;
    zsys_error ("security: %s is refused without keys: %s", endpoint, error);
    return -1;
}

bool
fuota_engine_address (const char *text, const char *plain, const char *secure,
    char *host, size_t size, char port [6], bool *tls)
{
    size_t plain_size = strlen (plain), secure_size = strlen (secure);
    *tls = strncmp (text, secure, secure_size) == 0;
    if (!*tls && strncmp (text, plain, plain_size) != 0)
        return false;
    text += *tls ? secure_size : plain_size;
    const char *colon = strrchr (text, ':');
    if (!colon || colon == text)
        return false;
    size_t length = (size_t) (colon - text);
    size_t digits = strspn (colon + 1, "0123456789");
    if (text [0] == '[' && text [length - 1] == ']') {
        text++;
        length -= 2;
    }
    if (length >= size || digits < 1 || digits > 5 ||
        (colon [1 + digits] && strcmp (colon + 1 + digits, "/") != 0))
        return false;
    memcpy (host, text, length);
    host [length] = 0;
    memcpy (port, colon + 1, digits);
    port [digits] = 0;
    return atoi (port) > 0 && atoi (port) < 65536;
}

//  ---------------------------------------------------------------------
//  The core

//  A number of this engine among others at the same ChirpStack.
static uint32_t
s_instance (const char *client_id)
{
    uint32_t hash = 2166136261u;
    for (; *client_id; client_id++)
        hash = (hash ^ (uint8_t) *client_id) * 16777619u;
    return hash;
}

fuota_chirpstack_t *
fuota_engine_core (const fuota_config_t *all)
{
    const fuota_config_chirpstack_t *config = &all->chirpstack;
    fuota_chirpstack_config_t core;
    fuota_chirpstack_defaults (&core);
    memcpy (core.event_topic, config->event_topic, sizeof core.event_topic);
    memcpy (core.command_topic, config->command_topic,
        sizeof core.command_topic);
    memcpy (core.share, config->share, sizeof core.share);
    memcpy (core.gateway_prefix, config->gateway_prefix,
        sizeof core.gateway_prefix);
    core.unicast_mqtt = streq (config->unicast, "mqtt");
    core.encoding = streq (config->encoding, "auto") ? FUOTA_CHIRPSTACK_AUTO
                    : streq (config->encoding, "json")
                        ? FUOTA_CHIRPSTACK_JSON
                        : FUOTA_CHIRPSTACK_PROTOBUF;
    core.instance = s_instance (config->client_id);
    //  The host's patience is in real milliseconds
    core.answer_limit *= (int) all->time_scale;
    core.leap_extra = all->clock_leap_extra;
    return fuota_chirpstack_new (&core);
}

//  ---------------------------------------------------------------------
//  MQTT

#if FUOTA_MQTT
fuota_mqtt_link_t *
fuota_engine_mqtt (const fuota_config_chirpstack_t *config,
    const fuota_engine_mqtt_t *ours)
{
    char host [128], port [6], password [FUOTA_ENGINE_SECRET] = "";
    bool tls;
    fuota_mqtt_link_t *mqtt = NULL;
    if (!fuota_engine_address (config->mqtt, "tcp://", "ssl://", host,
            sizeof host, port, &tls))
        zsys_error ("host: host.chirpstack.mqtt: %s: not an address",
            config->mqtt);
    else if (!config->mqtt_password_file [0] ||
             fuota_engine_secret (config->mqtt_password_file, password,
                 sizeof password)) {
        fuota_mqtt_link_config_t link = { .host = host,
            .port = atoi (port),
            .client_id = ours->client_id,
            .clean = ours->clean,
            .user = config->mqtt_user,
            .password = password,
            .tls = tls,
            .ca_file = config->mqtt_ca,
            .cert_file = config->mqtt_cert,
            .key_file = config->mqtt_key,
            .heard = ours->heard,
            .published = ours->published };
        mqtt = fuota_mqtt_link_new (&link);
    }
    fuota_mckey_wipe (password, sizeof password);
    return mqtt;
}
#endif
