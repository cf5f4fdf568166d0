//  SPDX-License-Identifier: MIT
//
//  What is known of gateways, for a fleet: uplinks taken and committed, and
//  the choice of gateways for all of it. Each device is heard by one to eight
//  of the gateways near it.
//
//  bench_radio [DEVICES GATEWAYS] (100000 500)

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include "broker/choice.h"
#include "broker/radio.h"
#include "tests/scratch.h"

#define NOW 1800000000000

static double
s_seconds (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static void
s_commit (scratch_t *scratch, fuota_radio_t *radio)
{
    const fuota_batch_t *rows = fuota_radio_rows (radio);
    fuota_slice_t bytes = fuota_slice (rows->data, rows->size);
    if (fuota_db_apply (scratch->db, &bytes, 1))
        abort ();
    fuota_radio_committed (radio);
}

static void
s_uplink (scratch_t *scratch, fuota_radio_t *radio, uint64_t dev_eui,
    unsigned gateways, int64_t now)
{
    uint64_t chance = dev_eui * 0x9e3779b97f4a7c15u;
    unsigned home = (unsigned) (chance >> 33) % gateways;
    fuota_event_t event = { .dev_eui = dev_eui };
    event.gateways_count = (pb_size_t) (1 + (chance >> 20) % 8);
    for (unsigned i = 0; i < event.gateways_count; i++)
        event.gateways [i] = 1 + (home + i) % gateways;
    if (fuota_radio_take (radio, &event, now) == FUOTA_EFULL) {
        s_commit (scratch, radio);
        fuota_radio_take (radio, &event, now);
    }
}

int
main (int argc, char **argv)
{
    bool smoke = argc > 1 && strcmp (argv [1], "--smoke") == 0;
    unsigned devices = smoke      ? 1000
                       : argc > 1 ? (unsigned) strtoul (argv [1], NULL, 10)
                                  : 100000;
    unsigned gateways =
        argc > 2 ? (unsigned) strtoul (argv [2], NULL, 10) : 500;
    uint64_t *euis = calloc (devices ? devices : 1, sizeof *euis);
    static fuota_choice_t choice;
    struct rusage usage;
    scratch_t scratch;
    scratch_init (&scratch, (size_t) 1 << 30, 0);
    fuota_radio_t *radio =
        fuota_radio_new (scratch.db, fuota_region_find ("EU868"));
    if (!euis || !radio || !gateways)
        abort ();
    double began = s_seconds ();
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < devices; i++) {
            euis [i] = i + 1;
            s_uplink (&scratch, radio, euis [i], gateways,
                NOW + round * 3600000);
        }
    s_commit (&scratch, radio);
    double took = s_seconds () - began;
    printf ("radio_uplinks       %10.0f uplinks/s\n", 3 * devices / took);

    fuota_read_t *read = fuota_db_read (scratch.db);
    began = s_seconds ();
    fuota_choice_make (read, euis, devices, NULL, 0, &choice);
    printf ("radio_choice        %10.1f ms\n", (s_seconds () - began) * 1000);
    printf ("radio_choice_size   %10zu gateways, %u of %u devices left\n",
        choice.count, (unsigned) (choice.missed + choice.unheard), devices);
    fuota_read_end (&read);
    getrusage (RUSAGE_SELF, &usage);
    printf ("radio_disk          %10.1f MiB\n",
        (double) fuota_db_room (scratch.db).used / 1048576);
    printf ("radio_memory        %10.1f MiB\n",
        (double) usage.ru_maxrss / 1024);
    fuota_radio_destroy (&radio);
    scratch_release (&scratch);
    free (euis);
    return 0;
}
