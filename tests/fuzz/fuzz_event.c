//  SPDX-License-Identifier: MIT
//
//  A device's words, from the host's message to what is committed: decode,
//  route, worker or radio, batch. The database is opened once; every input begins at
//  the same moment of a deployment, for its batch is read and thrown away.
//
//  First byte: 0 an Event as it comes, else one is made of the rest: step of
//  the device, port, payload.

#include <stdlib.h>
#include "broker/radio.h"
#include "broker/router.h"
#include "tests/scratch.h"
#include "workers/worker.h"

#define START 1767225600000
#define EUI 0x0102030400000001u

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static scratch_t s_scratch;
static fuota_worker_t *s_worker, *s_clock;
static fuota_radio_t *s_radio;
static fuota_read_t *s_read;
static const char s_all [1][41] = { "*" };

//  Devices EUI + n at step n, asked for what that step asks; versions 1 and 2.
static void
s_deploy (uint8_t version)
{
    static const uint8_t image [480];
    uint8_t id [FUOTA_ID_SIZE] = { version };
    fuota_deployment_t deployment = { .image_size = sizeof image,
        .nb_frag = 10,
        .frag_size = 48,
        .redundancy = 10,
        .quorum = 100,
        .retries = 3,
        .uplink_interval = 60,
        .time_out = 16,
        .period = 2000,
        .frequency = 869525000,
        .guard = 3,
        .clean_up = true,
        .tags_count = 1,
        .has_dialect = true,
        .dialect = { version, version, version, 202, 201, 200, 0, 0, false,
            false } };
    fuota_group_t group = { .phase = FUOTA_COLLECTING,
        .total = FUOTA_STEPS,
        .session = 1,
        .round = 1,
        .next_n = 21,
        .last_n = 20,
        .session_start = START - 600000,
        .session_end = START - 60000 };
    memcpy (deployment.id, id, sizeof id);
    group.ended [FUOTA_END_NONE] = FUOTA_STEPS;
    for (unsigned step = 0; step < FUOTA_STEPS; step++) {
        uint64_t dev_eui = EUI + version * 256u + step;
        fuota_device_t device = { .step = (Step) step,
            .asked = FUOTA_ASKED_SENT,
            .tries = 1,
            .session = 1,
            .has_group = true,
            .sent_at = START - 1000,
            .wake_at = START + 100000 };
        fuota_route_t route = { .has_dialect = true,
            .dialect = deployment.dialect,
            .has_group = true };
        group.at_step [step] = 1;
        scratch_put (&s_scratch, FUOTA_TABLE_DEVICE,
            fuota_key_device (id, dev_eui), Device_fields, &device);
        scratch_put (&s_scratch, FUOTA_TABLE_ROUTE,
            fuota_key_route (dev_eui, id), Route_fields, &route);
    }
    scratch_put (&s_scratch, FUOTA_TABLE_DEPLOYMENT, fuota_key_id (id),
        Deployment_fields, &deployment);
    scratch_put (&s_scratch, FUOTA_TABLE_GROUP, fuota_key_id (id), Group_fields,
        &group);
    scratch_put_bytes (&s_scratch, FUOTA_TABLE_BLOB,
        fuota_key_bytes (deployment.image, 32), image, sizeof image);
}

static void
s_close (void)
{
    fuota_worker_destroy (&s_worker);
    fuota_worker_destroy (&s_clock);
    fuota_radio_destroy (&s_radio);
    fuota_read_end (&s_read);
    scratch_release (&s_scratch);
}

static void
s_open (void)
{
    fuota_worker_config_t config = { .owner = FUOTA_OWNER_DEPLOYMENT };
    fuota_worker_config_t clock = { .owner = FUOTA_OWNER_CLOCK,
        .threshold = 2,
        .applications = s_all,
        .application_count = 1,
        .port003 = 202 };
    scratch_init (&s_scratch, 16u << 20, FUOTA_DB_NOSYNC);
    atexit (s_close);
    s_deploy (1);
    s_deploy (2);
    s_worker = fuota_worker_new (s_scratch.db, &config, START);
    s_clock = fuota_worker_new (s_scratch.db, &clock, START);
    s_read = fuota_db_read (s_scratch.db);
    s_radio = fuota_radio_new (s_scratch.db, fuota_region_find ("EU868"));
    if (!s_worker || !s_clock || !s_radio || !s_read)
        abort ();
}

//  Whatever it was, what is to be committed is a batch.
static void
s_check (const fuota_batch_t *batch)
{
    fuota_batch_row_t row;
    int rc;
    fuota_reader_t bytes = fuota_reader (batch->data, batch->size);
    while ((rc = fuota_batch_next (&bytes, &row)) == 1)
        if (row.put && !row.value.size && row.table == FUOTA_TABLE_GROUP)
            abort ();
    if (rc || batch->failed)
        abort ();
}

static void
s_turn (fuota_worker_t *worker, const fuota_event_t *event)
{
    if (fuota_worker_begin (worker, START))
        abort ();
    fuota_worker_event (worker, event);
    fuota_worker_event (worker, event);  //  Twice is once
    s_check (fuota_worker_end (worker));
}

static void
s_statistics (const fuota_event_t *event)
{
    for (int64_t n = 0; n < 3; n++)
        if (fuota_radio_take (s_radio, event, START + n * 1800000))
            abort ();
    s_check (fuota_radio_rows (s_radio));
    fuota_radio_committed (s_radio);
}

static void
s_make (fuota_event_t *event, const uint8_t *data, size_t size)
{
    fuota_reader_t in = fuota_reader (data, size);
    *event = (fuota_event_t){ .received_at = START - 10 };
    event->dev_eui = EUI + 256u * (fuota_reader_u8 (&in) & 3u);
    event->dev_eui += fuota_reader_u8 (&in);
    event->f_port = 199u + (fuota_reader_u8 (&in) & 3u);
    size_t left = fuota_reader_left (&in);
    if (left > sizeof event->data.bytes)
        left = sizeof event->data.bytes;
    event->data.size = (pb_size_t) left;
    fuota_reader_copy (&in, event->data.bytes, left);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    fuota_event_t event;
    if (!s_worker)
        s_open ();
    if (!size)
        return 0;
    if (data [0])
        s_make (&event, data + 1, size - 1);
    else if (fuota_record_decode (Event_fields, &event,
                 fuota_slice (data + 1, size - 1)))
        return 0;
    if (fuota_read_renew (s_read))
        abort ();
    unsigned mask = fuota_router_take (s_read, &event, 202);
    fuota_read_reset (s_read);
    if (mask & FUOTA_TO_CLOCK)
        s_turn (s_clock, &event);
    if (mask & FUOTA_TO_DEPLOYMENTS)
        s_turn (s_worker, &event);
    if (mask & FUOTA_TO_RADIO)
        s_statistics (&event);
    return 0;
}
