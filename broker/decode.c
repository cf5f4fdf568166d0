//  SPDX-License-Identifier: MIT

#include <string.h>
#include "broker/decode.h"
#include "workers/package/explain.h"
#include "workers/package/ts007.h"

typedef struct {
    const uint8_t *payload;
    size_t size;
    bool whole;  //  Tell of what read to the end, else of what did not
    fuota_decode_fn *take;
    void *arg;
    unsigned told;
} self_t;

//  Port 225: commands of several packages, each with its own version.
static int
s_read_access (const self_t *self, fuota_reading_t *reading,
    fuota_command_t *commands)
{
    uint8_t versions [FUOTA_PACKAGES];
    fuota_ts007_item_t items [FUOTA_COMMANDS_MAX];
    fuota_ts007_t access = { .items = items, .max = FUOTA_COMMANDS_MAX };
    memset (versions, (int) reading->version, sizeof versions);
    int rc = fuota_ts007_decode (&access, versions, reading->direction,
        self->payload, self->size);
    for (size_t i = 0; i < access.count; i++)
        commands [i] = items [i].command;
    reading->count = access.count;
    reading->token = access.token;
    return rc;
}

static void
s_read (const self_t *self, fuota_reading_t *reading, fuota_command_t *commands)
{
    reading->commands = commands;
    reading->token = FUOTA_TS007_NO_TOKEN;
    reading->count = 0;
    reading->rc =
        reading->package == FUOTA_TS007
            ? s_read_access (self, reading, commands)
            : fuota_package_decode (reading->package, reading->version,
                  reading->direction, self->payload, self->size, commands,
                  FUOTA_COMMANDS_MAX, &reading->count);
}

//  Do both give the same words?
static bool
s_same (const fuota_reading_t *a, const fuota_reading_t *b)
{
    bool same = a->count == b->count && a->rc == b->rc;
    for (size_t i = 0; same && i < a->count; i++) {
        char x [FUOTA_EXPLAIN_MAX], y [FUOTA_EXPLAIN_MAX];
        fuota_command_explain (&a->commands [i], x, sizeof x);
        fuota_command_explain (&b->commands [i], y, sizeof y);
        same = strcmp (x, y) == 0;
    }
    return same;
}

static bool
s_worth (const self_t *self, const fuota_reading_t *reading)
{
    return reading->count &&
           (self->whole ? reading->rc == 0 : reading->rc != 0);
}

static void
s_try (self_t *self, fuota_package_t package, unsigned wanted,
    fuota_direction_t direction)
{
    fuota_command_t one [FUOTA_COMMANDS_MAX], two [FUOTA_COMMANDS_MAX];
    fuota_reading_t first = { package, 1, direction, 0, NULL, 0, 0 };
    fuota_reading_t second = { package, 2, direction, 0, NULL, 0, 0 };
    s_read (self, &first, one);
    s_read (self, &second, two);
    bool take1 = wanted != 2 && s_worth (self, &first);
    bool take2 = wanted != 1 && s_worth (self, &second);
    if (take1 && take2 && s_same (&first, &second)) {
        first.version = 0;  //  Either
        take2 = false;
    }
    if (take1)
        self->take (self->arg, &first);
    if (take2)
        self->take (self->arg, &second);
    self->told += take1 + take2;
}

static void
s_try_all (self_t *self, unsigned port, unsigned version, int direction)
{
    fuota_package_t only = port && port < 256
                               ? fuota_package_by_port ((uint8_t) port)
                               : FUOTA_PACKAGES;
    for (int package = 0; package < (int) FUOTA_PACKAGES; package++)
        for (int way = FUOTA_DOWNLINK; way <= (int) FUOTA_UPLINK; way++)
            if ((only == FUOTA_PACKAGES || only == (fuota_package_t) package) &&
                (direction < 0 || direction == way))
                s_try (self, (fuota_package_t) package, version,
                    (fuota_direction_t) way);
}

unsigned
fuota_decode_run (const uint8_t *payload, size_t size, unsigned port,
    unsigned version, int direction, fuota_decode_fn *take, void *arg)
{
    self_t self = { payload, size, true, take, arg, 0 };
    s_try_all (&self, port, version, direction);
    self.whole = false;
    if (!self.told)
        s_try_all (&self, port, version, direction);
    return self.told;
}
