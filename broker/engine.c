//  SPDX-License-Identifier: MIT

#include "broker/clock.h"
#include "broker/control_actor.h"
#include "broker/engine.h"
#include "broker/host/sim_actor.h"
#include "broker/engine_chirpstack.h"
#include "broker/engine_pool.h"
#include "broker/engine_zmq.h"
#include "broker/outbox_actor.h"
#include "broker/radio_actor.h"
#include "broker/router_actor.h"
#include "broker/store.h"
#include "workers/worker_actor.h"

//  Everything fallible, before the first actor.
typedef struct {
    fuota_router_args_t router;
    fuota_outbox_args_t outbox;
    fuota_control_args_t control;
    fuota_pool_args_t pool;
    fuota_engine_chirpstack_t *chirpstack;
    fuota_zmq_args_t zmq;
    fuota_worker_args_t deployments, clock;
    fuota_radio_t *radio;
    fuota_control_table_t table;
} s_parts_t;

//  A socket connected to an endpoint of a broker: ENDPOINT.SUFFIX.
static zsock_t *
s_host_socket (int type, const char *endpoint, const char *suffix)
{
    zsock_t *sock = zsock_new (type);
    assert (sock);
    //  Nothing waits for a broker that is not there; each connection says so
    if (streq (suffix, "downlinks")) {
        zsock_set_immediate (sock, 1);
        zsock_set_probe_router (sock, 1);
    }
    if (zsock_connect (sock, "%s.%s", endpoint, suffix) == -1) {
        zsys_error ("host: %s.%s: %s", endpoint, suffix, zmq_strerror (errno));
        zsock_destroy (&sock);
    }
    return sock;
}

zactor_t *
fuota_engine_sim (const fuota_config_t *config)
{
    const char *endpoint = config->host_endpoint;
    fuota_sim_args_t args = { .sim = fuota_sim_new (&config->sim,
                                  fuota_clock_now ()) };
    assert (args.sim);
    if (*endpoint) {
        args.inbox = s_host_socket (ZMQ_DEALER, endpoint, "downlinks");
        args.events = s_host_socket (ZMQ_PUSH, endpoint, "events");
        args.questions = s_host_socket (ZMQ_DEALER, endpoint, "questions");
    }
    else {
        args.inbox = zsock_new_pull ("@inproc://host");
        args.events = zsock_new_push (">inproc://router");
        args.outcomes = zsock_new_push (">inproc://outbox");
        args.questions = zsock_new_dealer ("@inproc://questions");
    }
    if (args.inbox && args.events && args.questions)
        return zactor_new (fuota_sim_actor, &args);
    zsock_destroy (&args.inbox);
    zsock_destroy (&args.events);
    zsock_destroy (&args.outcomes);
    zsock_destroy (&args.questions);
    fuota_sim_destroy (&args.sim);
    return NULL;
}

//  Where the host is asked; NULL if it has no such door or, with a line
//  logged, if that cannot be bound.
static zsock_t *
s_questions (fuota_engine_t *self, const fuota_config_t *config)
{
    if (!fuota_engine_zmq_wanted (config))
        return zsock_new_dealer (">inproc://questions");
    return fuota_engine_zmq_questions (self, config);
}

static int
s_open_sockets (s_parts_t *parts, fuota_engine_t *self,
    const fuota_config_t *config)
{
    parts->router.inbox = zsock_new_pull ("@inproc://router");
    parts->outbox.host = zsock_new_push (">inproc://host");
    assert (parts->router.inbox && parts->outbox.host);
    parts->control.host = s_questions (self, config);
    if (fuota_control_bind (&parts->control, config->control_endpoint,
            config->events_endpoint))
        return FUOTA_EXIT_ENDPOINT;
    return 0;
}

static fuota_worker_t *
s_worker (fuota_db_t *db, const fuota_config_t *config, fuota_owner_t owner)
{
    fuota_dialect_t usual;
    fuota_wish_dialect (&usual);
    fuota_worker_config_t worker = { .owner = owner,
        .leap_extra = config->clock_leap_extra,
        .threshold = config->clock_threshold,
        .applications = config->clock_applications,
        .application_count = config->clock_application_count,
        .port003 = usual.port003 };
    return fuota_worker_new (db, &worker, fuota_clock_now ());
}

static fuota_worker_args_t
s_worker_args (fuota_db_t *db, const fuota_config_t *config,
    fuota_owner_t owner)
{
    fuota_worker_args_t args = { .worker = s_worker (db, config, owner),
        .inbox = owner == FUOTA_OWNER_CLOCK ? "inproc://clock"
                                            : "inproc://deployments",
        .now = fuota_clock_now,
        .wait = fuota_clock_wait,
        //  Asked by one thread only, the one that decides sessions
        .trusted = owner == FUOTA_OWNER_DEPLOYMENT ? fuota_clock_trusted : NULL,
        .commit = fuota_store_commit };
    return args;
}

static int
s_open_state (s_parts_t *parts, fuota_engine_t *self,
    const fuota_config_t *config)
{
    static fuota_control_table_t table;
    char error [512];
    int rc;
    self->db = fuota_db_open (config->state_folder,
        (size_t) config->state_map_mib << 20, 0, &rc, error, sizeof error);
    if (!self->db) {
        zsys_error ("state: %s", error);
        return rc == FUOTA_EBUSY ? FUOTA_EXIT_LOCKED : FUOTA_EXIT_STATE;
    }
    table = (fuota_control_table_t){ config->profiles, config->profile_count,
        &config->deploy, streq (config->host_type, "chirpstack") };
    parts->control.control = fuota_control_new (self->db, &table, FUOTA_BUILD);
    parts->control.keep = (int64_t) config->state_keep_days * 86400000;
    parts->deployments =
        s_worker_args (self->db, config, FUOTA_OWNER_DEPLOYMENT);
    parts->clock = s_worker_args (self->db, config, FUOTA_OWNER_CLOCK);
    parts->outbox.outbox =
        fuota_outbox_new (self->db, (uint64_t) fuota_clock_now ());
    parts->radio =
        fuota_radio_new (self->db, fuota_region_find (config->deploy.region));
    parts->router.db = self->db;
    fuota_dialect_t usual;
    fuota_wish_dialect (&usual);
    parts->router.port003 = usual.port003;
    if (parts->control.control && parts->deployments.worker &&
        parts->clock.worker && parts->outbox.outbox && parts->radio)
        return 0;
    zsys_error ("state: %s: records cannot be read", config->state_folder);
    return FUOTA_EXIT_STATE;
}

static void
s_close (s_parts_t *parts, fuota_engine_t *self)
{
    zsock_destroy (&parts->router.inbox);
    zsock_destroy (&parts->outbox.host);
    zsock_destroy (&parts->control.requests);
    zsock_destroy (&parts->control.events);
    zsock_destroy (&parts->control.host);
    fuota_control_destroy (&parts->control.control);
    fuota_worker_destroy (&parts->deployments.worker);
    fuota_worker_destroy (&parts->clock.worker);
    fuota_radio_destroy (&parts->radio);
    fuota_outbox_destroy (&parts->outbox.outbox);
    fuota_engine_chirpstack_close (&parts->chirpstack);
    fuota_zmq_args_release (&parts->zmq);
    fuota_engine_pool_close (self, &parts->pool);
    fuota_db_close (&self->db);
}

int
fuota_engine_start (fuota_engine_t *self, const fuota_config_t *config)
{
    s_parts_t parts = { .table = { 0 } };
    bool chirpstack = streq (config->host_type, "chirpstack");
    bool zmq = fuota_engine_zmq_wanted (config);
    *self = (fuota_engine_t){ 0 };
    int rc = s_open_state (&parts, self, config);
    if (!rc)
        rc = s_open_sockets (&parts, self, config);
    if (!rc && chirpstack)
        rc = fuota_engine_chirpstack_open (self, &parts.chirpstack, config);
    if (!rc && zmq)
        rc = fuota_engine_zmq_open (self, &parts.zmq, config);
    if (!rc)
        rc = fuota_engine_pool_open (self, &parts.pool, config);
    if (rc) {
        s_close (&parts, self);
        return rc;
    }
    self->store = zactor_new (fuota_store_actor, self->db);
    self->deployments = zactor_new (fuota_worker_actor, &parts.deployments);
    self->clock = zactor_new (fuota_worker_actor, &parts.clock);
    self->radio = zactor_new (fuota_radio_actor, parts.radio);
    self->router = zactor_new (fuota_router_actor, &parts.router);
    if (parts.pool.pool)
        self->pool = zactor_new (fuota_pool_actor, &parts.pool);
    fuota_outbox_share (parts.outbox.outbox, self->parity);
    self->outbox = zactor_new (fuota_outbox_actor, &parts.outbox);
    self->control = zactor_new (fuota_control_actor, &parts.control);
    if (chirpstack)
        fuota_engine_chirpstack_start (self, &parts.chirpstack);
    else if (zmq)
        self->zmq = zactor_new (fuota_zmq_actor, &parts.zmq);
    else
        self->sim = fuota_engine_sim (config);
    return 0;
}

void
fuota_engine_stop (fuota_engine_t *self)
{
    zactor_destroy (&self->sim);
    zactor_destroy (&self->chirpstack);
    zactor_destroy (&self->zmq);
    zactor_destroy (&self->control);
    zactor_destroy (&self->outbox);
    zactor_destroy (&self->pool);
    zactor_destroy (&self->router);
    zactor_destroy (&self->radio);
    zactor_destroy (&self->clock);
    zactor_destroy (&self->deployments);
    zactor_destroy (&self->store);
    fuota_parity_close (&self->parity);
    fuota_security_close (&self->security);
    fuota_db_close (&self->db);
}

void
fuota_engine_parity (fuota_engine_t *self, uint64_t *shared, uint64_t *computed)
{
    uint64_t skip;
    char *name = NULL;
    zstr_send (self->outbox, "STATS");
    zsock_recv (self->outbox, "s88888888", &name, &skip, &skip, &skip, &skip,
        &skip, &skip, shared, computed);
    zstr_free (&name);
}

//  The actors without which nothing goes on, and their names.
static zactor_t *
s_actor (fuota_engine_t *self, unsigned i, const char **name)
{
    const struct {
        zactor_t *actor;
        const char *name;
    } actors [] = {
        { self->store, "store" },
        { self->deployments, "deployments" },
        { self->clock, "clock" },
        { self->radio, "radio" },
        { self->router, "router" },
        { self->outbox, "outbox" },
        { self->control, "control" },
        { self->sim, "sim" },
        { self->chirpstack, "chirpstack" },
        { self->zmq, "zmq" },
    };
    if (i >= sizeof actors / sizeof *actors)
        return NULL;
    *name = actors [i].name;
    //  A host that is not here: any other stands in for it
    return actors [i].actor ? actors [i].actor : self->store;
}

void
fuota_engine_watch (fuota_engine_t *self, zpoller_t *poller)
{
    const char *name;
    zactor_t *actor;
    for (unsigned i = 0; (actor = s_actor (self, i, &name)); i++)
        if (i == 0 || actor != self->store)
            zpoller_add (poller, actor);
}

char *
fuota_engine_fault (fuota_engine_t *self, zsock_t *which)
{
    const char *name;
    zactor_t *actor;
    for (unsigned i = 0; (actor = s_actor (self, i, &name)); i++) {
        if ((void *) which != (void *) actor)
            continue;
        zmsg_t *msg = zmsg_recv (actor);
        char *what = msg ? zmsg_popstr (msg) : NULL;
        char *words = what && streq (what, "FAULT") ? zmsg_popstr (msg) : NULL;
        if (!words)
            words = zsys_sprintf ("%s ended by itself", name);
        zstr_free (&what);
        zmsg_destroy (&msg);
        return words;
    }
    return NULL;
}
