//  SPDX-License-Identifier: MIT
//
//  TS003 Application Layer Clock Synchronization (reference 3). The bytes of
//  v2 are those of v1; only a name changed.

#include "workers/package/package_rows.h"

//  3.1
static void
s_read_time_req (fuota_reader_t *in, fuota_command_t *out)
{
    out->app_time_req.device_time = fuota_reader_le32 (in);
    uint8_t param = fuota_reader_u8 (in);
    out->app_time_req.token = param & 0x0f;
    out->app_time_req.ans_required = param & 0x10;
}

static int
s_write_time_req (const fuota_command_t *in, fuota_writer_t *out)
{
    if (in->app_time_req.token > 15)
        return FUOTA_EVALUE;
    fuota_writer_le (out, in->app_time_req.device_time, 4);
    fuota_writer_u8 (out,
        in->app_time_req.token |
            fuota_package_bit (in->app_time_req.ans_required, 4));
    return 0;
}

//  3.2
static void
s_read_time_ans (fuota_reader_t *in, fuota_command_t *out)
{
    out->app_time_ans.correction = (int32_t) fuota_reader_le32 (in);
    out->app_time_ans.token = fuota_reader_u8 (in) & 0x0f;
}

static int
s_write_time_ans (const fuota_command_t *in, fuota_writer_t *out)
{
    if (in->app_time_ans.token > 15)
        return FUOTA_EVALUE;
    fuota_writer_le (out, (uint32_t) in->app_time_ans.correction, 4);
    fuota_writer_u8 (out, in->app_time_ans.token);
    return 0;
}

//  3.3
static void
s_read_periodicity_req (fuota_reader_t *in, fuota_command_t *out)
{
    out->periodicity_req.period = fuota_reader_u8 (in) & 0x0f;
}

static int
s_write_periodicity_req (const fuota_command_t *in, fuota_writer_t *out)
{
    if (in->periodicity_req.period > 15)
        return FUOTA_EVALUE;
    fuota_writer_u8 (out, in->periodicity_req.period);
    return 0;
}

static void
s_read_periodicity_ans (fuota_reader_t *in, fuota_command_t *out)
{
    out->periodicity_ans.not_supported = fuota_reader_u8 (in) & 0x01;
    out->periodicity_ans.device_time = fuota_reader_le32 (in);
}

static int
s_write_periodicity_ans (const fuota_command_t *in, fuota_writer_t *out)
{
    fuota_writer_u8 (out, in->periodicity_ans.not_supported);
    fuota_writer_le (out, in->periodicity_ans.device_time, 4);
    return 0;
}

//  3.4
static void
s_read_resync (fuota_reader_t *in, fuota_command_t *out)
{
    out->resync.transmissions = fuota_reader_u8 (in) & 0x07;
}

static int
s_write_resync (const fuota_command_t *in, fuota_writer_t *out)
{
    if (in->resync.transmissions > 7)
        return FUOTA_EVALUE;
    fuota_writer_u8 (out, in->resync.transmissions);
    return 0;
}

static const fuota_package_row_t s_v1 [] = {
    { 0x01, 5, FUOTA_UPLINK, FUOTA_APP_TIME_REQ, "AppTimeReq", s_read_time_req,
        s_write_time_req },
    { 0x01, 5, FUOTA_DOWNLINK, FUOTA_APP_TIME_ANS, "AppTimeAns",
        s_read_time_ans, s_write_time_ans },
    { 0x02, 1, FUOTA_DOWNLINK, FUOTA_APP_TIME_PERIODICITY_REQ,
        "DeviceAppTimePeriodicityReq", s_read_periodicity_req,
        s_write_periodicity_req },
    { 0x02, 5, FUOTA_UPLINK, FUOTA_APP_TIME_PERIODICITY_ANS,
        "DeviceAppTimePeriodicityAns", s_read_periodicity_ans,
        s_write_periodicity_ans },
    { 0x03, 1, FUOTA_DOWNLINK, FUOTA_FORCE_DEVICE_RESYNC,
        "ForceDeviceResyncReq", s_read_resync, s_write_resync },
};
const fuota_package_table_t fuota_ts003_v1 = { s_v1, sizeof s_v1 / sizeof *s_v1,
    &fuota_package_common };

static const fuota_package_row_t s_v2 [] = {
    { 0x03, 1, FUOTA_DOWNLINK, FUOTA_FORCE_DEVICE_RESYNC,
        "ForceDeviceResyncCmd", s_read_resync, s_write_resync },
};
const fuota_package_table_t fuota_ts003_v2 = { s_v2, sizeof s_v2 / sizeof *s_v2,
    &fuota_ts003_v1 };
