//  SPDX-License-Identifier: MIT
//
//  Parts: options; the image; the engine's configuration; the run.

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "broker/clock.h"
#include "broker/demo.h"
#include "broker/engine.h"
#include "broker/host/sim_actor.h"
#include "broker/log.h"
#include "broker/rehearsal.h"

#define IMAGE_MAX (4u << 20)

//  ---------------------------------------------------------------------
//  Options

typedef struct {
    int option;
    const char *name;
    size_t at;
    uint32_t low, high;
} s_number_t;

static const s_number_t s_numbers [] = {
    { FUOTA_REHEARSAL_DEVICES, "devices", offsetof (fuota_rehearsal_t, devices),
        1, 100000 },
    { FUOTA_REHEARSAL_LOSS, "loss", offsetof (fuota_rehearsal_t, loss), 0, 90 },
    { FUOTA_REHEARSAL_PARITY, "parity", offsetof (fuota_rehearsal_t, parity), 1,
        1000 },
    { FUOTA_REHEARSAL_VERSION, "version-of",
        offsetof (fuota_rehearsal_t, version), 1, 2 },
    { FUOTA_REHEARSAL_DEAD, "dead", offsetof (fuota_rehearsal_t, dead), 0,
        100 },
    { FUOTA_REHEARSAL_REFUSING, "refusing",
        offsetof (fuota_rehearsal_t, refusing), 0, 100 },
    { FUOTA_REHEARSAL_SIZE, "size", offsetof (fuota_rehearsal_t, size), 1,
        IMAGE_MAX },
    { FUOTA_REHEARSAL_SCALE, "scale", offsetof (fuota_rehearsal_t, scale), 1,
        10000 },
};

void
fuota_rehearsal_defaults (fuota_rehearsal_t *self)
{
    *self = (fuota_rehearsal_t){ .size = 20000,
        .devices = 10,
        .loss = 10,
        .version = 2,
        .dead = 10,
        .refusing = 10,
        .scale = 100,
        .seed = 1 };
}

static int
s_number (const char *value, uint64_t low, uint64_t high, uint64_t *number)
{
    char *end;
    errno = 0;
    unsigned long long parsed = strtoull (value, &end, 10);
    if (errno || end == value || *end || *value == '-' || parsed < low ||
        parsed > high)
        return -1;
    *number = parsed;
    return 0;
}

int
fuota_rehearsal_option (fuota_rehearsal_t *self, int option, const char *value,
    char *fault, size_t size)
{
    uint64_t number;
    if (option == FUOTA_REHEARSAL_GROUP_TYPE) {
        if (streq (value, "b") || streq (value, "c")) {
            self->group_type = streq (value, "b");
            return 0;
        }
        snprintf (fault, size, "--group-type: %.40s; allowed: b, c", value);
        return -1;
    }
    if (option == FUOTA_REHEARSAL_SEED) {
        if (!s_number (value, 0, UINT64_MAX, &self->seed))
            return 0;
        snprintf (fault, size, "--seed: %.40s; allowed: a number", value);
        return -1;
    }
    for (size_t i = 0; i < sizeof s_numbers / sizeof *s_numbers; i++) {
        const s_number_t *row = &s_numbers [i];
        if (row->option != option)
            continue;
        if (!s_number (value, row->low, row->high, &number)) {
            *(uint32_t *) (void *) ((char *) self + row->at) =
                (uint32_t) number;
            return 0;
        }
        snprintf (fault, size, "--%s: %.40s; allowed: %u to %u", row->name,
            value, (unsigned) row->low, (unsigned) row->high);
        return -1;
    }
    snprintf (fault, size, "unknown option");
    return -1;
}

//  ---------------------------------------------------------------------
//  The image

static zchunk_t *
s_read_image (const char *path)
{
    FILE *file = fopen (path, "rb");
    if (!file) {
        fprintf (stderr, "fuotad: %s: %s\n", path, strerror (errno));
        return NULL;
    }
    zchunk_t *image = zchunk_read (file, IMAGE_MAX + 1);
    bool failed = ferror (file) != 0;
    fclose (file);
    if (image && !failed && zchunk_size (image) > 0 &&
        zchunk_size (image) <= IMAGE_MAX)
        return image;
    fprintf (stderr, "fuotad: %s: %s; allowed: 1 to %u bytes\n", path,
        failed                         ? "cannot be read"
        : image && zchunk_size (image) ? "too large"
                                       : "empty",
        IMAGE_MAX);
    zchunk_destroy (&image);
    return NULL;
}

//  An image of our own: bytes that no two fragments share.
static zchunk_t *
s_make_image (uint32_t size)
{
    zchunk_t *image = zchunk_new (NULL, size);
    assert (image);
    for (uint32_t i = 0; i < size; i++) {
        byte value = (byte) ((i * 2654435761u) >> 24);
        zchunk_append (image, &value, 1);
    }
    return image;
}

//  ---------------------------------------------------------------------
//  The run

typedef struct {
    const fuota_rehearsal_t *options;
    fuota_config_t config;
    fuota_engine_t engine;
    char folder [64];
    zchunk_t *image;
    uint8_t sha256 [32];
    uint64_t *devices;
} s_run_t;

static void
s_configure (s_run_t *self)
{
    const fuota_rehearsal_t *options = self->options;
    fuota_config_t *config = &self->config;
    fuota_sim_config_t *sim = &config->sim;
    fuota_config_defaults (config);
    snprintf (config->state_folder, sizeof config->state_folder, "%s/state",
        self->folder);
    snprintf (config->control_endpoint, sizeof config->control_endpoint,
        "ipc://%s/control", self->folder);
    snprintf (config->events_endpoint, sizeof config->events_endpoint,
        "ipc://%s/events", self->folder);
    config->time_scale = options->scale;
    config->time_origin = zclock_time ();
    sim->seed = options->seed;
    sim->devices = options->devices;
    sim->ts003 = sim->ts004 = sim->ts005 = options->version;
    sim->uplink_interval = 60000;
    sim->loss = options->loss * 10;
    sim->dead = options->dead * 10;
    sim->refusing = options->refusing * 10;
}

static void
s_wish (const s_run_t *self, Wish *wish)
{
    const fuota_rehearsal_t *options = self->options;
    *wish = (Wish){ .group_type = options->group_type,
        .dr = options->group_type ? 3 : 5,
        .has_dr = true,
        .redundancy_percent = options->parity,
        .expected_loss = options->loss,
        .has_expected_loss = true,
        .uplink_interval = self->config.sim.uplink_interval / 1000,
        .repair_rounds = 5,
        .has_repair_rounds = true,
        .retries = 4,
        .ts003 = options->version,
        .ts004 = options->version,
        .ts005 = options->version };
    snprintf (wish->name, sizeof wish->name, "rehearsal");
    snprintf (wish->application, sizeof wish->application, "%s",
        self->config.sim.application);
}

static int
s_verify (void *arg, uint64_t dev_eui, bool *reachable, bool *same)
{
    s_run_t *self = arg;
    fuota_sim_view_t view;
    uint64_t i = dev_eui - self->config.sim.first_eui;
    if (i >= self->options->devices ||
        !fuota_sim_actor_view (self->engine.sim, (uint32_t) i, &view))
        return -1;
    *reachable = !view.dead && !view.refusing;
    *same = view.has_image && !memcmp (view.sha256, self->sha256, 32);
    return 0;
}

static int
s_run (s_run_t *self)
{
    fuota_log_open ("warning");  //  The screen is for the fleet
    fuota_clock_set (self->config.time_scale, self->config.time_origin);
    int rc = fuota_engine_start (&self->engine, &self->config);
    if (rc)
        return rc;
    Wish wish;
    s_wish (self, &wish);
    fuota_demo_t demo = { .control = self->config.control_endpoint,
        .events = self->config.events_endpoint,
        .wish = &wish,
        .devices = self->devices,
        .device_count = self->options->devices,
        .image =
            fuota_slice (zchunk_data (self->image), zchunk_size (self->image)),
        .out = stdout,
        .verify = s_verify,
        .arg = self };
    printf ("%u simulated devices, package version %u, an image of %zu bytes, "
            "%u %% loss, %u times real time\n",
        (unsigned) self->options->devices, (unsigned) self->options->version,
        zchunk_size (self->image), (unsigned) self->options->loss,
        (unsigned) self->options->scale);
    rc = fuota_demo_run (&demo, NULL) ? FUOTA_EXIT_FAILED : FUOTA_EXIT_OK;
    uint64_t shared, computed;
    fuota_engine_parity (&self->engine, &shared, &computed);
    printf ("parity    %llu coded fragments computed ahead by the pool, %llu "
            "as they were sent\n",
        (unsigned long long) shared, (unsigned long long) computed);
    fuota_engine_stop (&self->engine);
    return rc;
}

//  Everything of ours in the folder, and the folder.
static void
s_clean (const char *folder)
{
    zdir_t *dir = zdir_new (folder, "-");
    if (dir)
        zdir_remove (dir, true);
    zdir_destroy (&dir);
}

int
fuota_rehearsal_run (const fuota_rehearsal_t *options)
{
    s_run_t *self = zmalloc (sizeof *self);
    assert (self);
    self->options = options;
    const char *base = getenv ("TMPDIR");
    snprintf (self->folder, sizeof self->folder, "%s/fuotad-XXXXXX",
        base && strlen (base) < 40 ? base : "/tmp");
    self->image = options->image ? s_read_image (options->image)
                                 : s_make_image (options->size);
    int rc = FUOTA_EXIT_USAGE;
    if (self->image) {
        EVP_Digest (zchunk_data (self->image), zchunk_size (self->image),
            self->sha256, NULL, EVP_sha256 (), NULL);
        if (mkdtemp (self->folder)) {
            self->devices = zmalloc (options->devices * sizeof (uint64_t));
            assert (self->devices);
            s_configure (self);
            for (uint32_t i = 0; i < options->devices; i++)
                self->devices [i] = self->config.sim.first_eui + i;
            rc = s_run (self);
            s_clean (self->folder);
        }
        else
            fprintf (stderr, "fuotad: %s: %s\n", self->folder,
                strerror (errno));
    }
    zchunk_destroy (&self->image);
    free (self->devices);
    free (self);
    return rc;
}
