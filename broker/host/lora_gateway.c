//  SPDX-License-Identifier: MIT
//
//  Parts: messages; the transmitter; commands; what is heard and reported.

#include "broker/host/lora_gateway.h"

#include <stdio.h>
#include "broker/host/sim_radio.h"
#include "gateway.pb.h"
#include "schema/record.h"

#define LEAD 32         //  A frame that begins sooner is too late
#define ADVANCE 384000  //  Three beacon periods; later ones are too early
#define STATS 30000
#define KEPT 3000  //  The past is remembered as long as an uplink may take
#define CONTEXT 8  //  Bytes: when the uplink was whole

//  ---------------------------------------------------------------------
//  Messages

static void
s_encode (const pb_msgdesc_t *fields, const void *record,
    const fuota_lora_gateway_t *self, fuota_lora_say_t say,
    fuota_lora_message_t *out)
{
    out->gateway = self->number;
    out->say = say;
    out->size =
        fuota_record_encode (fields, record, out->body, sizeof out->body);
}

static void
s_eui (const fuota_lora_gateway_t *self, char text [17])
{
    snprintf (text, 17, "%016llx", (unsigned long long) self->eui);
}

static gw_Timestamp
s_timestamp (int64_t at)
{
    gw_Timestamp timestamp = { at / 1000, (int32_t) (at % 1000 * 1000000) };
    return timestamp;
}

static int64_t
s_duration (const gw_Duration *duration)
{
    //  Beyond a thousand years it is no time of ours
    if (duration->seconds < 0 || duration->seconds > INT64_C (31536000000))
        return -1;
    return duration->seconds * 1000 + duration->nanos / 1000000;
}

const char *
fuota_lora_status_name (unsigned status)
{
    static const char *const names [] = { "IGNORED", "OK", "TOO_LATE",
        "TOO_EARLY", "COLLISION_PACKET", "COLLISION_BEACON", "TX_FREQ",
        "TX_POWER", "GPS_UNLOCKED", "QUEUE_FULL", "INTERNAL_ERROR",
        "DUTY_CYCLE_OVERFLOW" };
    return status < FUOTA_LORA_STATUSES ? names [status] : "?";
}

void
fuota_lora_gateway_init (fuota_lora_gateway_t *self,
    const fuota_lora_world_t *world, uint32_t number, uint64_t eui)
{
    memset (self, 0, sizeof *self);
    self->world = world;
    self->number = number;
    self->eui = eui;
    self->refusal = world->world.config.gateway_refusal;
    self->chance = world->world.config.seed ^ eui * 0xa0761d6478bd642f;
    self->stats_at = world->world.born;
}

//  ---------------------------------------------------------------------
//  The transmitter

static void
s_forget (fuota_lora_gateway_t *self, int64_t now)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < self->slots; i++)
        if (self->slot [i].end + KEPT > now)
            self->slot [kept++] = self->slot [i];
    self->slots = kept;
}

//  End of what is in the way of a frame, or INT64_MIN.
static int64_t
s_collides (const fuota_lora_gateway_t *self, int64_t start, int64_t end)
{
    int64_t last = INT64_MIN;
    for (unsigned i = 0; i < self->slots; i++)
        if (self->slot [i].start < end && start < self->slot [i].end &&
            self->slot [i].end > last)
            last = self->slot [i].end;
    return last;
}

//  When the frame is to begin. Returns OK, or why that cannot be.
static fuota_lora_status_t
s_start (const fuota_lora_gateway_t *self, const gw_DownlinkTxInfo *info,
    int64_t air, int64_t now, int64_t *start)
{
    fuota_reader_t context =
        fuota_reader (info->context.bytes, info->context.size);
    int64_t wait, end;
    switch (info->timing.which_parameters) {
        case gw_Timing_immediately_tag:
            *start = now;
            while ((end = s_collides (self, *start, *start + air)) != INT64_MIN)
                *start = end;
            return FUOTA_LORA_OK;
        case gw_Timing_delay_tag:
            wait = s_duration (&info->timing.parameters.delay.delay);
            *start = (int64_t) (fuota_reader_le (&context, CONTEXT) &
                                INT64_MAX >> 8) +
                     wait;
            if (context.rc || wait < 0)
                return FUOTA_LORA_INTERNAL;
            break;
        case gw_Timing_gps_epoch_tag:
            wait = s_duration (
                &info->timing.parameters.gps_epoch.time_since_gps_epoch);
            *start = wait - self->world->world.gps_minus_utc;
            if (wait < 0)
                return FUOTA_LORA_INTERNAL;
            break;
        default:
            return FUOTA_LORA_INTERNAL;
    }
    if (*start < now + LEAD)
        return FUOTA_LORA_TOO_LATE;
    if (*start > now + ADVANCE)
        return FUOTA_LORA_TOO_EARLY;
    return s_collides (self, *start, *start + air) == INT64_MIN
               ? FUOTA_LORA_OK
               : FUOTA_LORA_COLLISION;
}

static unsigned
s_waiting (const fuota_lora_gateway_t *self, int64_t now)
{
    unsigned waiting = 0;
    for (unsigned i = 0; i < self->slots; i++)
        waiting += self->slot [i].end > now;
    return waiting;
}

//  ---------------------------------------------------------------------
//  Commands

static bool
s_radio (const gw_DownlinkTxInfo *info, fuota_lora_radio_t *radio)
{
    const gw_Modulation *modulation = &info->modulation;
    *radio = (fuota_lora_radio_t){ .frequency = info->frequency };
    if (modulation->which_parameters == gw_Modulation_fsk_tag)
        return true;
    const gw_LoraModulationInfo *lora = &modulation->parameters.lora;
    radio->bandwidth = lora->bandwidth;
    radio->sf = (uint8_t) lora->spreading_factor;
    //  Devices hear only what is inverted, as downlinks are
    return modulation->which_parameters == gw_Modulation_lora_tag &&
           lora->polarization_inversion && lora->spreading_factor >= 5 &&
           lora->spreading_factor <= 12 && lora->bandwidth >= 125000 &&
           lora->bandwidth <= 1625000;
}

//  For no reason: one of the words forwarders have.
static fuota_lora_status_t
s_refuse (fuota_lora_gateway_t *self)
{
    static const fuota_lora_status_t words [] = { FUOTA_LORA_TOO_LATE,
        FUOTA_LORA_COLLISION, FUOTA_LORA_QUEUE_FULL, FUOTA_LORA_DUTY_CYCLE };
    return words [fuota_sim_radio_below (&self->chance,
        sizeof words / sizeof *words)];
}

static fuota_lora_status_t
s_judge (fuota_lora_gateway_t *self, const gw_FrameItem *item, int64_t now,
    fuota_lora_emission_t *emission)
{
    const fuota_region_t *region = fuota_lora_plan_region (self->world->plan);
    if (!item->has_tx_info || !item->phy_payload.size ||
        item->phy_payload.size > sizeof emission->bytes ||
        !s_radio (&item->tx_info, &emission->radio))
        return FUOTA_LORA_INTERNAL;
    if (!fuota_region_has_frequency (region, item->tx_info.frequency, NULL,
            NULL))
        return FUOTA_LORA_TX_FREQ;
    if (s_waiting (self, now) >= FUOTA_LORA_SLOTS ||
        self->slots == 4 * FUOTA_LORA_SLOTS)
        return FUOTA_LORA_QUEUE_FULL;
    emission->size = item->phy_payload.size;
    int64_t air = fuota_lora_plan_air_time (&emission->radio, emission->size);
    fuota_lora_status_t status =
        s_start (self, &item->tx_info, air, now, &emission->start);
    emission->end = emission->start + air;
    if (status == FUOTA_LORA_OK)
        memcpy (emission->bytes, item->phy_payload.bytes, emission->size);
    return status;
}

int
fuota_lora_gateway_command (fuota_lora_gateway_t *self, fuota_slice_t body,
    int64_t now, fuota_lora_message_t *ack, fuota_lora_emission_t *emission,
    bool *queued)
{
    gw_Frame frame;
    gw_Ack said = gw_Ack_init_zero;
    *queued = false;
    if (fuota_record_decode (gw_Frame_fields, &frame, body) ||
        frame.items_count == 0) {
        self->stats.malformed++;
        return FUOTA_EFORMAT;
    }
    s_forget (self, now);
    self->stats.commands++;
    bool refused = fuota_sim_radio_hits (&self->chance, self->refusal);
    for (pb_size_t i = 0; i < frame.items_count; i++) {
        fuota_lora_status_t status = FUOTA_LORA_IGNORED;
        if (refused)
            status = s_refuse (self);
        else if (!*queued)
            status = s_judge (self, &frame.items [i], now, emission);
        *queued = *queued || status == FUOTA_LORA_OK;
        self->stats.status [status]++;
        said.items [i].status = status;
    }
    if (*queued) {
        self->slot [self->slots].start = emission->start;
        self->slot [self->slots++].end = emission->end;
        self->stats.emitted++;
    }
    said.items_count = frame.items_count;
    said.downlink_id = frame.downlink_id;
    s_eui (self, said.gateway_id);
    s_encode (gw_Ack_fields, &said, self, FUOTA_LORA_SAY_ACK, ack);
    return 0;
}

//  ---------------------------------------------------------------------
//  What is heard and reported

bool
fuota_lora_gateway_hear (fuota_lora_gateway_t *self,
    const fuota_lora_uplink_t *frame, fuota_lora_message_t *up)
{
    gw_UplinkFrame heard = gw_UplinkFrame_init_zero;
    if (s_collides (self, frame->start, frame->end) != INT64_MIN)
        return false;
    heard.phy_payload.size = (pb_size_t) frame->size;
    memcpy (heard.phy_payload.bytes, frame->bytes, frame->size);
    heard.has_tx_info = heard.tx_info.has_modulation = heard.has_rx_info = true;
    heard.tx_info.frequency = frame->radio.frequency;
    gw_Modulation *modulation = &heard.tx_info.modulation;
    modulation->which_parameters = gw_Modulation_lora_tag;
    modulation->parameters.lora.bandwidth = frame->radio.bandwidth;
    modulation->parameters.lora.spreading_factor = frame->radio.sf;
    modulation->parameters.lora.code_rate = 1;
    gw_UplinkRxInfo *info = &heard.rx_info;
    s_eui (self, info->gateway_id);
    info->uplink_id = (uint32_t) fuota_sim_radio_next (&self->chance);
    info->has_gw_time = info->has_time_since_gps_epoch = true;
    info->gw_time = s_timestamp (frame->end);
    gw_Timestamp gps =
        s_timestamp (frame->end + self->world->world.gps_minus_utc);
    info->time_since_gps_epoch.seconds = gps.seconds;
    info->time_since_gps_epoch.nanos = gps.nanos;
    info->rssi = -60 - (int32_t) fuota_sim_radio_below (&self->chance, 50);
    info->snr = (float) fuota_sim_radio_either (&self->chance, 80) / 10.0f;
    info->channel = frame->channel;
    info->crc_status = 2;
    fuota_writer_t context =
        fuota_writer (info->context.bytes, sizeof info->context.bytes);
    fuota_writer_le (&context, (uint64_t) frame->end, CONTEXT);
    info->context.size = CONTEXT;
    self->stats.received++;
    s_encode (gw_UplinkFrame_fields, &heard, self, FUOTA_LORA_SAY_UP, up);
    return true;
}

void
fuota_lora_gateway_report (fuota_lora_gateway_t *self, int64_t now,
    fuota_lora_message_t *stats)
{
    gw_Stats report = gw_Stats_init_zero;
    report.has_time = true;
    report.time = s_timestamp (now);
    //  ChirpStack adds up what it is told, so each report begins at zero
    report.rx_packets_received = report.rx_packets_received_ok =
        (uint32_t) (self->stats.received - self->told.received);
    report.tx_packets_received =
        (uint32_t) (self->stats.commands - self->told.commands);
    report.tx_packets_emitted =
        (uint32_t) (self->stats.emitted - self->told.emitted);
    report.metadata_count = 1;
    snprintf (report.metadata [0].key, sizeof report.metadata [0].key, "model");
    snprintf (report.metadata [0].value, sizeof report.metadata [0].value,
        "fuota-sim");
    for (unsigned i = 0; i < FUOTA_LORA_STATUSES; i++) {
        uint64_t count = self->stats.status [i] - self->told.status [i];
        if (!count)
            continue;
        gw_StatusEntry *entry =
            &report
                 .tx_packets_per_status [report.tx_packets_per_status_count++];
        snprintf (entry->key, sizeof entry->key, "%s",
            fuota_lora_status_name (i));
        entry->value = (uint32_t) count;
    }
    self->told = self->stats;
    self->stats_at = now + STATS;
    s_eui (self, report.gateway_id);
    s_encode (gw_Stats_fields, &report, self, FUOTA_LORA_SAY_STATS, stats);
}

void
fuota_lora_gateway_state (const fuota_lora_gateway_t *self, bool online,
    fuota_lora_message_t *state)
{
    gw_ConnState said = gw_ConnState_init_zero;
    said.state = online;
    s_eui (self, said.gateway_id);
    s_encode (gw_ConnState_fields, &said, self, FUOTA_LORA_SAY_CONN, state);
}
