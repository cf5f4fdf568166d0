//  SPDX-License-Identifier: MIT
//
//  Parts: gateways and devices on the air; what they need in the ChirpStack;
//  or, where this build has no MQTT or no gRPC, saying so.

#include "broker/engine_lora.h"

#include "broker/clock.h"
#include "broker/engine_chirpstack.h"
#include "broker/engine_host.h"

#if FUOTA_CHIRPSTACK
#include "broker/host/grpc_link.h"
#include "broker/host/lora_actor.h"
#include "broker/host/provision.h"
#include "workers/package/mckey.h"

#define DEADLINE 15000  //  Of a call, milliseconds

//  ---------------------------------------------------------------------
//  On the air

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

static fuota_lora_t *
s_core (const fuota_config_t *config)
{
    fuota_lora_config_t air = config->lorawan.air;
    //  Another start, other nonces: 18 hours go by before they come again
    air.dev_nonce = (uint32_t) (zclock_time () / 1000 & 0xffff);
    const fuota_lora_plan_t *plan = fuota_lora_plan_find (air.region);
    fuota_lora_radio_t radio;
    uint8_t max_n;
    if (!plan)
        zsys_error ("sim: lorawan.region: %s; allowed all but CN470",
            air.region);
    else if (!fuota_lora_plan_up (plan, air.dr, &radio, &max_n))
        zsys_error ("sim: lorawan.dr: %u; allowed a LoRa uplink rate of %s",
            (unsigned) air.dr, air.region);
    else
        return fuota_lora_new (&air, &config->sim, fuota_clock_now ());
    return NULL;
}

zactor_t *
fuota_engine_lora (const fuota_config_t *config)
{
    fuota_lora_args_t args = { .core = s_core (config) };
    snprintf (args.topic_prefix, sizeof args.topic_prefix, "%s",
        config->lorawan.topic_prefix);
    if (!args.core)
        return NULL;
    if (config->time_scale != 1)
        zsys_warning ("sim: time.scale=%u: a ChirpStack keeps real time, and "
                      "will be too late for every window",
            (unsigned) config->time_scale);
    args.mqtt = s_mqtt (&config->chirpstack);
    if (!args.mqtt) {
        fuota_lora_destroy (&args.core);
        return NULL;
    }
    zsys_info ("sim: devices=%u gateways=%u first_gateway=%016llx "
               "topic_prefix=%s",
        (unsigned) fuota_lora_count (args.core),
        (unsigned) fuota_lora_gateways (args.core),
        (unsigned long long) fuota_lora_gateway_eui (args.core, 0),
        args.topic_prefix);
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

//  ---------------------------------------------------------------------
//  In the ChirpStack

typedef struct {
    fuota_grpc_link_t *api;
    zpoller_t *poller;
    uint64_t tag;
    uint8_t *message;  //  Of the last answer
    size_t size;
} s_api_t;

static void
s_forget (s_api_t *self)
{
    if (self->message)
        fuota_mckey_wipe (self->message, self->size);
    freen (self->message);
    self->size = 0;
}

static void
s_keep (s_api_t *self, const fuota_grpc_answer_t *got,
    fuota_provision_answer_t *answer)
{
    answer->kind = fuota_chirpstack_classify ((int) got->status,
        got->unprocessed, got->text);
    snprintf (answer->text, sizeof answer->text, "%s", got->text);
    self->message = zmalloc (got->message.size + 1);
    self->size = got->message.size;
    if (self->size)
        memcpy (self->message, got->message.data, self->size);
    answer->message = fuota_slice (self->message, self->size);
}

//  One call, waited for.
static void
s_call (void *arg, const char *path, fuota_slice_t request,
    fuota_provision_answer_t *answer)
{
    s_api_t *self = arg;
    fuota_grpc_answer_t got;
    char whole [80];
    snprintf (whole, sizeof whole, "/api.%s", path);
    s_forget (self);
    *answer = (fuota_provision_answer_t){ .kind = FUOTA_ANSWER_NEVER };
    if (fuota_grpc_link_call (self->api, ++self->tag, whole, request,
            zclock_mono () + DEADLINE))
        return;
    for (;;) {
        fuota_grpc_link_tick (self->api, zclock_mono ());
        if (fuota_grpc_link_answer (self->api, &got))
            break;
        int64_t wait = fuota_grpc_link_due (self->api) - zclock_mono ();
        zpoller_wait (self->poller, wait < 0       ? 0
                                    : wait > 60000 ? 60000
                                                   : (int) wait);
    }
    s_keep (self, &got, answer);
}

static void
s_said (void *arg, const char *line)
{
    (void) arg;
    puts (line);
}

int
fuota_engine_lora_provision (const fuota_config_t *config, bool create)
{
    s_api_t api = { .api = fuota_engine_api (&config->chirpstack) };
    fuota_lora_t *core = api.api ? s_core (config) : NULL;
    int rc = FUOTA_EXIT_USAGE;
    if (core) {
        int fd = fuota_grpc_link_fd (api.api);
        fuota_provision_t with = { .call = s_call,
            .said = s_said,
            .arg = &api,
            .air = core,
            .region = config->lorawan.air.region,
            .uplink_interval = (config->sim.uplink_interval + 999) / 1000,
            .abp_rx1_delay = config->lorawan.air.abp_rx1_delay,
            .name = config->lorawan.name,
            .tenant_id = config->lorawan.tenant_id };
        api.poller = zpoller_new (&fd, NULL);
        assert (api.poller);
        rc = create ? fuota_provision_create (&with)
                    : fuota_provision_remove (&with);
        rc = rc ? FUOTA_EXIT_FAILED : FUOTA_EXIT_OK;
        zpoller_destroy (&api.poller);
    }
    s_forget (&api);
    fuota_lora_destroy (&core);
    fuota_grpc_link_destroy (&api.api);
    return rc;
}

#else
int
fuota_engine_lora_provision (const fuota_config_t *config, bool create)
{
    (void) config;
    (void) create;
    zsys_error ("sim: this build is without FUOTA_MQTT or FUOTA_GRPC");
    return FUOTA_EXIT_USAGE;
}

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
