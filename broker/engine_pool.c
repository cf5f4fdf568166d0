//  SPDX-License-Identifier: MIT

#include "broker/clock.h"
#include "broker/engine_host.h"
#include "broker/engine_pool.h"

#define MAP_SPARE (256u << 20)  //  Pages that wait to be used again

//  The environment can be made again: one of another version goes.
static fuota_parity_t *
s_open_parity (const fuota_config_t *config, const char *folder)
{
    char error [512];
    int rc;
    size_t map = ((size_t) config->parity_max_mib << 21) + MAP_SPARE;
    fuota_parity_t *parity =
        fuota_parity_open (folder, map, &rc, error, sizeof error);
    if (!parity && rc == FUOTA_EVERSION) {
        fuota_parity_wipe (folder);
        parity = fuota_parity_open (folder, map, &rc, error, sizeof error);
    }
    if (!parity)
        zsys_warning ("pool: %s; fragments are computed as they are sent",
            error);
    return parity;
}

static zsock_t *
s_bind (const char *endpoint, const fuota_security_t *security,
    const char *admitted)
{
    zsock_t *door = fuota_pool_door ();
    if (security)
        fuota_security_serve (security, door, "pool", admitted);
    if (zsock_bind (door, "%s", endpoint) != -1)
        return door;
    zsys_error ("pool: bind %s: %s", endpoint, zmq_strerror (errno));
    zsock_destroy (&door);
    return NULL;
}

static int
s_open_far (fuota_engine_t *self, fuota_pool_args_t *args,
    const fuota_config_t *config)
{
    const char *endpoint = config->pool_far;
    if (!*endpoint)
        return 0;
    if (!fuota_security_needed (endpoint)) {
        zsys_error ("pool: far: %s; allowed tcp://ADDRESS:PORT", endpoint);
        return FUOTA_EXIT_ENDPOINT;
    }
    if (fuota_engine_keys (self, config, endpoint))
        return FUOTA_EXIT_ENDPOINT;
    args->far = s_bind (endpoint, &self->security, config->pool_admitted);
    return args->far ? 0 : FUOTA_EXIT_ENDPOINT;
}

static size_t
s_workers (const fuota_config_t *config)
{
    if (config->pool_workers >= 0)
        return (size_t) config->pool_workers;
    long cores = sysconf (_SC_NPROCESSORS_ONLN);
    return cores > 1 ? (size_t) cores - 1 : 1;
}

//  Workers of this host share the folder: who may not open it may not connect.
static int
s_open_near (fuota_pool_args_t *args, const fuota_config_t *config,
    const char *folder)
{
    char endpoint [600], program [1024];
    size_t workers = s_workers (config);
    snprintf (endpoint, sizeof endpoint, "ipc://%s/pool", folder);
    bool given = *config->pool_endpoint != 0;
    if (given) {
        snprintf (endpoint, sizeof endpoint, "%s", config->pool_endpoint);
        if (strncmp (endpoint, "ipc://", 6)) {
            zsys_error ("pool: endpoint: %s; allowed ipc://PATH", endpoint);
            return FUOTA_EXIT_ENDPOINT;
        }
    }
    args->near = s_bind (endpoint, NULL, NULL);
    if (!args->near)
        return given ? FUOTA_EXIT_ENDPOINT : 0;
    if (!workers)
        return 0;
    if (fuota_spawn_find (config->pool_program, program, sizeof program)) {
        if (*config->pool_program) {
            zsys_error ("pool: program: %s: %s", program, strerror (errno));
            return FUOTA_EXIT_USAGE;
        }
        zsys_warning ("pool: no fuota-fec beside fuotad: no local workers");
        return 0;
    }
    args->spawn = fuota_spawn_new (program, endpoint, folder, workers);
    return 0;
}

int
fuota_engine_pool_open (fuota_engine_t *self, fuota_pool_args_t *args,
    const fuota_config_t *config)
{
    char folder [512];
    snprintf (folder, sizeof folder, "%s/parity", config->state_folder);
    if (*config->parity_folder)
        snprintf (folder, sizeof folder, "%s", config->parity_folder);
    self->parity = s_open_parity (config, folder);
    args->db = self->db;
    args->parity = self->parity;
    args->limit = (uint64_t) config->parity_max_mib << 20;
    int rc = s_open_far (self, args, config);
    if (rc || !self->parity)
        return rc;
    rc = s_open_near (args, config, folder);
    if (!rc) {
        args->pool =
            fuota_pool_new ((uint64_t) zclock_usecs (), FUOTA_POOL_BEAT);
        assert (args->pool);
    }
    return rc;
}

void
fuota_engine_pool_close (fuota_engine_t *self, fuota_pool_args_t *args)
{
    fuota_spawn_destroy (&args->spawn);
    zsock_destroy (&args->near);
    zsock_destroy (&args->far);
    fuota_pool_destroy (&args->pool);
    fuota_parity_close (&self->parity);
    fuota_security_close (&self->security);
}
