//  SPDX-License-Identifier: MIT

#include "broker/engine_lora.h"

#include "broker/clock.h"
#include "broker/engine_chirpstack.h"

#if FUOTA_CHIRPSTACK
#include "broker/host/lora_actor.h"

//  Another process than the engine of the same file: another client.
static fuota_mqtt_link_t *
s_mqtt (const fuota_config_chirpstack_t *config)
{
    char client_id [80];
    snprintf (client_id, sizeof client_id, "%s-sim", config->client_id);
    //  A command that waited for us is too late for any receive window
    fuota_engine_mqtt_t ours = { .client_id = client_id,
        .clean = true,
        .heard = fuota_lora_actor_heard,
        .published = fuota_lora_actor_published };
    return fuota_engine_mqtt (config, &ours);
}

zactor_t *
fuota_engine_lora (const fuota_config_t *config)
{
    fuota_lora_args_t args = { .core = NULL };
    fuota_lora_config_t air = config->lorawan.air;
    //  Another start, other nonces: 18 hours go by before they come again
    air.dev_nonce = (uint32_t) (zclock_time () / 1000 & 0xffff);
    snprintf (args.topic_prefix, sizeof args.topic_prefix, "%s",
        config->lorawan.topic_prefix);
    args.core = fuota_lora_new (&air, &config->sim, fuota_clock_now ());
    if (!args.core) {
        zsys_error ("sim: lorawan.region %s with lorawan.dr %u: not simulated",
            air.region, (unsigned) air.dr);
        return NULL;
    }
    args.mqtt = s_mqtt (&config->chirpstack);
    if (!args.mqtt) {
        fuota_lora_destroy (&args.core);
        return NULL;
    }
    return zactor_new (fuota_lora_actor, &args);
}

bool
fuota_engine_lora_view (zactor_t *actor, uint32_t i, fuota_sim_view_t *view)
{
    return fuota_lora_actor_view (actor, i, view);
}

bool
fuota_engine_lora_stats (zactor_t *actor, fuota_lora_stats_t *stats)
{
    return fuota_lora_actor_stats (actor, stats);
}

#else
zactor_t *
fuota_engine_lora (const fuota_config_t *config)
{
    (void) config;
    zsys_error ("sim: this build is without FUOTA_MQTT or FUOTA_GRPC");
    return NULL;
}

bool
fuota_engine_lora_view (zactor_t *actor, uint32_t i, fuota_sim_view_t *view)
{
    (void) actor;
    (void) i;
    (void) view;
    return false;
}

bool
fuota_engine_lora_stats (zactor_t *actor, fuota_lora_stats_t *stats)
{
    (void) actor;
    (void) stats;
    return false;
}
#endif
