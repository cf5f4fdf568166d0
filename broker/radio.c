//  SPDX-License-Identifier: MIT
//
//  Parts: records at work; receptions; gateways and their frames; rows.

#include <stdlib.h>
#include <string.h>
#include "broker/radio.h"

#define SLOTS 1024     //  Power of two
#define MOST 512       //  Records at work
#define GATHER 2000    //  Milliseconds until they are committed
#define SETTLED 8      //  Uplinks of a device after which it is enough to
#define SELDOM 600000  //  count one in so many milliseconds
#define FADE 64        //  Uplinks; then all counts are halved
#define MINUTE 60000
#define HOUR 60  //  Minutes

typedef struct {
    bool used, changed;
    fuota_table_t table;
    fuota_key_t key;
    union {
        fuota_reception_t reception;
        fuota_gateway_t gateway;
        fuota_fate_t fate;
        fuota_air_t air;
    } record;
} slot_t;

struct fuota_radio {
    fuota_read_t *read;
    const fuota_region_t *region;
    slot_t slots [SLOTS];
    size_t count;
    int64_t due;
    fuota_batch_t batch;
};

//  ---------------------------------------------------------------------
//  Records at work

fuota_radio_t *
fuota_radio_new (fuota_db_t *db, const fuota_region_t *region)
{
    fuota_radio_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->region = region;
    self->due = INT64_MAX;
    self->read = fuota_db_read (db);
    if (!self->read)
        fuota_radio_destroy (&self);
    else
        fuota_read_reset (self->read);
    return self;
}

void
fuota_radio_destroy (fuota_radio_t **self_p)
{
    fuota_radio_t *self = *self_p;
    if (!self)
        return;
    fuota_read_end (&self->read);
    fuota_batch_release (&self->batch);
    free (self);
    *self_p = NULL;
}

static const pb_msgdesc_t *
s_fields (fuota_table_t table)
{
    return table == FUOTA_TABLE_RECEPTION ? Reception_fields
           : table == FUOTA_TABLE_GATEWAY ? Gateway_fields
           : table == FUOTA_TABLE_FATE    ? Fate_fields
                                          : Air_fields;
}

static size_t
s_hash (fuota_table_t table, const fuota_key_t *key)
{
    uint64_t hash = 14695981039346656037ull ^ (uint64_t) table;
    for (size_t i = 0; i < key->size; i++)
        hash = (hash ^ key->data [i]) * 1099511628211ull;
    return (size_t) (hash ^ hash >> 29) % SLOTS;
}

//  A record: at work already, from the database, or new. There is room: take
//  has looked.
static slot_t *
s_slot (fuota_radio_t *self, fuota_table_t table, fuota_key_t key)
{
    size_t at = s_hash (table, &key);
    while (self->slots [at].used) {
        slot_t *slot = &self->slots [at];
        if (slot->table == table && slot->key.size == key.size &&
            memcmp (slot->key.data, key.data, key.size) == 0)
            return slot;
        at = (at + 1) % SLOTS;
    }
    slot_t *slot = &self->slots [at];
    *slot = (slot_t){ .used = true, .table = table, .key = key };
    self->count++;
    //  One that cannot be read begins anew
    if (fuota_read_record (self->read, table, &key, s_fields (table),
            &slot->record))
        memset (&slot->record, 0, sizeof slot->record);
    return slot;
}

static void
s_change (fuota_radio_t *self, slot_t *slot, int64_t now)
{
    slot->changed = true;
    if (self->due == INT64_MAX)
        self->due = now + GATHER;
}

//  ---------------------------------------------------------------------
//  Receptions

static void
s_fade (fuota_reception_t *reception)
{
    pb_size_t left = 0;
    reception->uplinks /= 2;
    for (pb_size_t i = 0; i < reception->heard_count; i++) {
        Hearing heard = reception->heard [i];
        heard.count /= 2;
        if (heard.count)
            reception->heard [left++] = heard;
    }
    reception->heard_count = left;
}

//  A gateway that is new takes the place of the one that heard least.
static void
s_count (fuota_reception_t *reception, uint64_t gateway)
{
    size_t room = sizeof reception->heard / sizeof *reception->heard;
    pb_size_t least = 0;
    for (pb_size_t i = 0; i < reception->heard_count; i++) {
        if (reception->heard [i].gateway == gateway) {
            reception->heard [i].count++;
            return;
        }
        if (reception->heard [i].count < reception->heard [least].count)
            least = i;
    }
    if (reception->heard_count < room)
        least = reception->heard_count++;
    reception->heard [least] = (Hearing){ gateway, 1 };
}

//  It was heard, or given a frame, now.
static slot_t *
s_alive (fuota_radio_t *self, uint64_t gateway, bool heard, int64_t now)
{
    slot_t *slot = s_slot (self, FUOTA_TABLE_GATEWAY, fuota_key_eui (gateway));
    fuota_gateway_t *record = &slot->record.gateway;
    int64_t *at = heard ? &record->heard_at : &record->given_at;
    if (now - *at >= MINUTE || now < *at) {
        *at = now;
        s_change (self, slot, now);
    }
    return slot;
}

//  It heard something just now, so it is there. The host goes by statistics
//  only, and is asked seldom.
static void
s_awake (fuota_radio_t *self, slot_t *slot, int64_t now)
{
    fuota_gateway_t *record = &slot->record.gateway;
    if (record->state != FUOTA_GATEWAY_NEVER_SEEN &&
        record->state != FUOTA_GATEWAY_OFFLINE)
        return;
    record->state = FUOTA_GATEWAY_ONLINE;
    record->said_at = now;
    s_change (self, slot, now);
}

static void
s_uplink (fuota_radio_t *self, const fuota_event_t *event, int64_t now)
{
    if (!event->gateways_count)
        return;
    slot_t *slot =
        s_slot (self, FUOTA_TABLE_RECEPTION, fuota_key_eui (event->dev_eui));
    fuota_reception_t *reception = &slot->record.reception;
    if (reception->uplinks >= SETTLED && now >= reception->at &&
        now - reception->at < SELDOM)
        return;
    reception->uplinks++;
    reception->at = now;
    for (pb_size_t i = 0; i < event->gateways_count; i++) {
        bool twice = false;  //  Two antennas of one
        for (pb_size_t k = 0; k < i; k++)
            twice = twice || event->gateways [k] == event->gateways [i];
        if (twice)
            continue;
        s_count (reception, event->gateways [i]);
        slot_t *gateway = s_alive (self, event->gateways [i], true, now);
        if (now - event->received_at < MINUTE)
            s_awake (self, gateway, now);
    }
    if (reception->uplinks >= FADE)
        s_fade (reception);
    s_change (self, slot, now);
}

bool
fuota_radio_covers (const fuota_reception_t *reception, uint32_t count)
{
    uint32_t most = 0;
    for (pb_size_t i = 0; i < reception->heard_count; i++)
        if (reception->heard [i].count > most)
            most = reception->heard [i].count;
    return count && (count * 2 >= reception->uplinks || count == most);
}

//  ---------------------------------------------------------------------
//  Gateways and their frames

static void
s_gateway (fuota_radio_t *self, const GatewayWord *said, int64_t now)
{
    slot_t *slot =
        s_slot (self, FUOTA_TABLE_GATEWAY, fuota_key_eui (said->gateway));
    fuota_gateway_t *gateway = &slot->record.gateway;
    bool same = gateway->state == said->state;
    if (same && strcmp (gateway->name, said->name) == 0)
        return;
    gateway->state = said->state;
    memcpy (gateway->name, said->name, sizeof gateway->name);
    if (!same)
        gateway->said_at = now;
    s_change (self, slot, now);
}

//  Can the newest have been counted, seen from that minute?
static bool
s_within (const fuota_air_t *air, int64_t minute)
{
    return air->minute >= 0 && air->minute < minute + HOUR;
}

//  Minutes between the newest and this one are empty.
static void
s_send (fuota_air_t *air, uint32_t air_time, int64_t now)
{
    int64_t minute = now / MINUTE;
    if (!s_within (air, minute) || minute - air->minute >= HOUR) {
        memset (air->used, 0, sizeof air->used);
        air->minute = minute;
    }
    while (air->minute < minute)
        air->used [++air->minute % HOUR] = 0;
    air->used [minute % HOUR] += (air_time + 999) / 1000;
}

uint32_t
fuota_radio_hour (const fuota_air_t *air, int64_t now)
{
    int64_t minute = now / MINUTE;
    uint64_t sum = 0;
    if (!s_within (air, minute))
        return 0;
    for (int64_t at = minute - HOUR + 1; at <= minute; at++)
        if (at > air->minute - HOUR && at <= air->minute && at >= 0)
            sum += air->used [at % HOUR];
    return sum > UINT32_MAX ? UINT32_MAX : (uint32_t) sum;
}

//  Of one that was removed meanwhile nothing is kept: nobody would ever remove
//  it. Zeros are nobody's.
static bool
s_there (const fuota_radio_t *self, const uint8_t *deployment)
{
    fuota_key_t key = fuota_key_id (deployment);
    fuota_slice_t value;
    return !fuota_read_get (self->read, FUOTA_TABLE_GROUP, &key, &value);
}

static void
s_frame (fuota_radio_t *self, const fuota_frame_t *frame, int64_t now)
{
    unsigned word = frame->word < FUOTA_WORDS ? frame->word : FUOTA_WORDS - 1;
    uint32_t low, high;
    s_alive (self, frame->gateway, false, now);
    if (s_there (self, frame->deployment)) {
        slot_t *slot = s_slot (self, FUOTA_TABLE_FATE,
            fuota_key_device (frame->deployment, frame->gateway));
        slot->record.fate.by_word [word]++;
        s_change (self, slot, now);
    }
    //  Without a word it may have been sent
    if (word > FUOTA_WORD_OK)
        return;
    fuota_region_band (self->region, frame->frequency, &low, &high);
    slot_t *slot =
        s_slot (self, FUOTA_TABLE_AIR, fuota_key_air (frame->gateway, low));
    s_send (&slot->record.air, frame->air_time, now);
    s_change (self, slot, now);
}

int
fuota_radio_take (fuota_radio_t *self, const fuota_event_t *event, int64_t now)
{
    //  An uplink concerns one device and eight gateways
    if (self->count + 10 > MOST)
        return FUOTA_EFULL;
    if (fuota_read_renew (self->read))
        return 0;
    switch (event->kind) {
        case FUOTA_EVENT_UPLINK:
            s_uplink (self, event, now);
            break;
        case FUOTA_EVENT_FRAME:
            if (event->has_frame)
                s_frame (self, &event->frame, now);
            break;
        case FUOTA_EVENT_GATEWAY:
            if (event->has_gateway)
                s_gateway (self, &event->gateway, now);
            break;
        default:
            break;
    }
    fuota_read_reset (self->read);
    return 0;
}

//  ---------------------------------------------------------------------
//  Rows

int64_t
fuota_radio_due (const fuota_radio_t *self)
{
    return self->due;
}

const fuota_batch_t *
fuota_radio_rows (fuota_radio_t *self)
{
    fuota_batch_clear (&self->batch);
    for (size_t i = 0; i < SLOTS; i++) {
        slot_t *slot = &self->slots [i];
        if (slot->used && slot->changed)
            fuota_batch_record (&self->batch, slot->table, &slot->key,
                s_fields (slot->table), &slot->record);
    }
    return &self->batch;
}

void
fuota_radio_committed (fuota_radio_t *self)
{
    memset (self->slots, 0, sizeof self->slots);
    self->count = 0;
    self->due = INT64_MAX;
}
