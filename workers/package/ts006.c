//  SPDX-License-Identifier: MIT
//
//  TS006 Firmware Management Protocol (reference 7). There is only v1.

#include "workers/package/package_rows.h"

//  7.1: firmware first
static void
s_read_version_ans (fuota_reader_t *in, fuota_command_t *out)
{
    out->dev_version_ans.firmware = fuota_reader_le32 (in);
    out->dev_version_ans.hardware = fuota_reader_le32 (in);
}

static int
s_write_version_ans (const fuota_command_t *in, fuota_writer_t *out)
{
    fuota_writer_le (out, in->dev_version_ans.firmware, 4);
    fuota_writer_le (out, in->dev_version_ans.hardware, 4);
    return 0;
}

//  7.2, request and answer
static void
s_read_time (fuota_reader_t *in, fuota_command_t *out)
{
    out->reboot_time.time = fuota_reader_le32 (in);
}

static int
s_write_time (const fuota_command_t *in, fuota_writer_t *out)
{
    fuota_writer_le (out, in->reboot_time.time, 4);
    return 0;
}

//  7.3, request and answer
static void
s_read_countdown (fuota_reader_t *in, fuota_command_t *out)
{
    out->reboot_countdown.countdown = fuota_reader_le24 (in);
}

static int
s_write_countdown (const fuota_command_t *in, fuota_writer_t *out)
{
    if (in->reboot_countdown.countdown > 0xffffff)
        return FUOTA_EVALUE;
    fuota_writer_le (out, in->reboot_countdown.countdown, 3);
    return 0;
}

//  7.4: a version only with a valid image
static void
s_read_image_ans (fuota_reader_t *in, fuota_command_t *out)
{
    out->upgrade_image_ans.status = fuota_reader_u8 (in) & 3;
    if (out->upgrade_image_ans.status == 3)
        out->upgrade_image_ans.next_firmware = fuota_reader_le32 (in);
}

static int
s_write_image_ans (const fuota_command_t *in, fuota_writer_t *out)
{
    if (in->upgrade_image_ans.status > 3)
        return FUOTA_EVALUE;
    fuota_writer_u8 (out, in->upgrade_image_ans.status);
    if (in->upgrade_image_ans.status == 3)
        fuota_writer_le (out, in->upgrade_image_ans.next_firmware, 4);
    return 0;
}

//  7.5
static void
s_read_delete_req (fuota_reader_t *in, fuota_command_t *out)
{
    out->delete_image_req.firmware = fuota_reader_le32 (in);
}

static int
s_write_delete_req (const fuota_command_t *in, fuota_writer_t *out)
{
    fuota_writer_le (out, in->delete_image_req.firmware, 4);
    return 0;
}

static void
s_read_delete_ans (fuota_reader_t *in, fuota_command_t *out)
{
    uint8_t status = fuota_reader_u8 (in);
    out->delete_image_ans.no_valid_image = status & 0x01;
    out->delete_image_ans.invalid_version = status & 0x02;
}

static int
s_write_delete_ans (const fuota_command_t *in, fuota_writer_t *out)
{
    fuota_writer_u8 (out,
        fuota_package_bit (in->delete_image_ans.no_valid_image, 0) |
            fuota_package_bit (in->delete_image_ans.invalid_version, 1));
    return 0;
}

static const fuota_package_row_t s_v1 [] = {
    { 0x01, 0, FUOTA_DOWNLINK, FUOTA_DEV_VERSION_REQ, "DevVersionReq", NULL,
        NULL },
    { 0x01, 8, FUOTA_UPLINK, FUOTA_DEV_VERSION_ANS, "DevVersionAns",
        s_read_version_ans, s_write_version_ans },
    { 0x02, 4, FUOTA_DOWNLINK, FUOTA_DEV_REBOOT_TIME_REQ, "DevRebootTimeReq",
        s_read_time, s_write_time },
    { 0x02, 4, FUOTA_UPLINK, FUOTA_DEV_REBOOT_TIME_ANS, "DevRebootTimeAns",
        s_read_time, s_write_time },
    { 0x03, 3, FUOTA_DOWNLINK, FUOTA_DEV_REBOOT_COUNTDOWN_REQ,
        "DevRebootCountdownReq", s_read_countdown, s_write_countdown },
    { 0x03, 3, FUOTA_UPLINK, FUOTA_DEV_REBOOT_COUNTDOWN_ANS,
        "DevRebootCountdownAns", s_read_countdown, s_write_countdown },
    { 0x04, 0, FUOTA_DOWNLINK, FUOTA_DEV_UPGRADE_IMAGE_REQ,
        "DevUpgradeImageReq", NULL, NULL },
    { 0x04, 1, FUOTA_UPLINK, FUOTA_DEV_UPGRADE_IMAGE_ANS, "DevUpgradeImageAns",
        s_read_image_ans, s_write_image_ans },
    { 0x05, 4, FUOTA_DOWNLINK, FUOTA_DEV_DELETE_IMAGE_REQ, "DevDeleteImageReq",
        s_read_delete_req, s_write_delete_req },
    { 0x05, 1, FUOTA_UPLINK, FUOTA_DEV_DELETE_IMAGE_ANS, "DevDeleteImageAns",
        s_read_delete_ans, s_write_delete_ans },
};
const fuota_package_table_t fuota_ts006_v1 = { s_v1, sizeof s_v1 / sizeof *s_v1,
    &fuota_package_common };
