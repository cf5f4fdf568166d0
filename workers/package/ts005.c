//  SPDX-License-Identifier: MIT
//
//  TS005 Remote Multicast Setup (reference 4). v1 and v2 have the same
//  layout; what v2 says with bits 7:5 of a session answer v1 devices send too
//  (D3), so one reading serves both.

#include "workers/package/gpstime.h"
#include "workers/package/package_rows.h"

//  ---------------------------------------------------------------------
//  Groups (4.1 to 4.3)

static void
s_read_group (fuota_reader_t *in, fuota_command_t *out)
{
    out->group_id = fuota_reader_u8 (in) & 3;
}

static int
s_write_flag (const fuota_command_t *in, bool flag, fuota_writer_t *out)
{
    if (in->group_id > 3)
        return FUOTA_EVALUE;
    fuota_writer_u8 (out, in->group_id | fuota_package_bit (flag, 2));
    return 0;
}

static int
s_write_group (const fuota_command_t *in, fuota_writer_t *out)
{
    return s_write_flag (in, false, out);
}

static void
s_read_status_req (fuota_reader_t *in, fuota_command_t *out)
{
    out->mc_status_req.mask = fuota_reader_u8 (in) & 0x0f;
}

static int
s_write_status_req (const fuota_command_t *in, fuota_writer_t *out)
{
    if (in->mc_status_req.mask > 15)
        return FUOTA_EVALUE;
    fuota_writer_u8 (out, in->mc_status_req.mask);
    return 0;
}

static unsigned
s_count (unsigned mask)
{
    return (mask & 1) + (mask >> 1 & 1) + (mask >> 2 & 1) + (mask >> 3 & 1);
}

//  As many groups as the mask has bits, in any order
static void
s_read_status_ans (fuota_reader_t *in, fuota_command_t *out)
{
    uint8_t status = fuota_reader_u8 (in);
    out->mc_status_ans.total = status >> 4 & 7;
    out->mc_status_ans.mask = status & 0x0f;
    out->mc_status_ans.count = (uint8_t) s_count (status);
    for (unsigned i = 0; i < out->mc_status_ans.count; i++) {
        out->mc_status_ans.groups [i].group_id = fuota_reader_u8 (in) & 3;
        out->mc_status_ans.groups [i].mc_addr = fuota_reader_le32 (in);
    }
}

static int
s_write_status_ans (const fuota_command_t *in, fuota_writer_t *out)
{
    if (in->mc_status_ans.total > 4 || in->mc_status_ans.mask > 15 ||
        in->mc_status_ans.count != s_count (in->mc_status_ans.mask))
        return FUOTA_EVALUE;
    fuota_writer_u8 (out,
        (unsigned) in->mc_status_ans.total << 4 | in->mc_status_ans.mask);
    for (unsigned i = 0; i < in->mc_status_ans.count; i++) {
        if (in->mc_status_ans.groups [i].group_id > 3)
            return FUOTA_EVALUE;
        fuota_writer_u8 (out, in->mc_status_ans.groups [i].group_id);
        fuota_writer_le (out, in->mc_status_ans.groups [i].mc_addr, 4);
    }
    return 0;
}

static void
s_read_setup_req (fuota_reader_t *in, fuota_command_t *out)
{
    s_read_group (in, out);
    out->mc_setup_req.mc_addr = fuota_reader_le32 (in);
    fuota_reader_copy (in, out->mc_setup_req.mc_key_encrypted, 16);
    out->mc_setup_req.min_f_cnt = fuota_reader_le32 (in);
    out->mc_setup_req.max_f_cnt = fuota_reader_le32 (in);
}

static int
s_write_setup_req (const fuota_command_t *in, fuota_writer_t *out)
{
    if (in->mc_setup_req.min_f_cnt > in->mc_setup_req.max_f_cnt)
        return FUOTA_EVALUE;
    int rc = s_write_group (in, out);
    fuota_writer_le (out, in->mc_setup_req.mc_addr, 4);
    fuota_writer_copy (out, in->mc_setup_req.mc_key_encrypted, 16);
    fuota_writer_le (out, in->mc_setup_req.min_f_cnt, 4);
    fuota_writer_le (out, in->mc_setup_req.max_f_cnt, 4);
    return rc;
}

static void
s_read_setup_ans (fuota_reader_t *in, fuota_command_t *out)
{
    out->mc_setup_ans.id_error = in->data [in->at] & 0x04;
    s_read_group (in, out);
}

static int
s_write_setup_ans (const fuota_command_t *in, fuota_writer_t *out)
{
    return s_write_flag (in, in->mc_setup_ans.id_error, out);
}

static void
s_read_delete_ans (fuota_reader_t *in, fuota_command_t *out)
{
    out->mc_delete_ans.undefined = in->data [in->at] & 0x04;
    s_read_group (in, out);
}

static int
s_write_delete_ans (const fuota_command_t *in, fuota_writer_t *out)
{
    return s_write_flag (in, in->mc_delete_ans.undefined, out);
}

//  ---------------------------------------------------------------------
//  Sessions (4.4 to 4.7)

//  In class C the upper bits of the time-out are RFU
static void
s_read_session_req (fuota_reader_t *in, fuota_command_t *out)
{
    s_read_group (in, out);
    out->session_req.session_time = fuota_reader_le32 (in);
    uint8_t time_out = fuota_reader_u8 (in);
    out->session_req.time_out = time_out & 0x0f;
    if (out->id == FUOTA_MC_CLASS_B_SESSION_REQ)
        out->session_req.periodicity = time_out >> 4 & 7;
    out->session_req.frequency = fuota_frequency_hz (fuota_reader_le24 (in));
    out->session_req.dr = fuota_reader_u8 (in);
}

//  The default channel plan, frequency 0, exists in class B only. Whether
//  SessionTime is a beacon's is for the caller to see to.
static int
s_write_session_req (const fuota_command_t *in, fuota_writer_t *out)
{
    bool class_b = in->id == FUOTA_MC_CLASS_B_SESSION_REQ;
    unsigned periodicity = class_b ? in->session_req.periodicity : 0;
    uint32_t code;
    if (in->session_req.time_out > 15 || periodicity > 7 ||
        in->session_req.dr > 15 ||
        (!class_b && in->session_req.frequency == 0) ||
        !fuota_frequency_code (in->session_req.frequency, &code))
        return FUOTA_EVALUE;
    int rc = s_write_group (in, out);
    fuota_writer_le (out, in->session_req.session_time, 4);
    fuota_writer_u8 (out, periodicity << 4 | in->session_req.time_out);
    fuota_writer_le (out, code, 3);
    fuota_writer_u8 (out, in->session_req.dr);
    return rc;
}

//  Any of bits 7:2 is a refusal and ends the answer, in both versions (D3).
//  If nothing at all follows the CID, or a status without error, that is one
//  too: ZEPHYR sends the first and RENESAS the second (reference 12).
static void
s_read_session_ans (fuota_reader_t *in, fuota_command_t *out)
{
    out->session_ans.cut = fuota_reader_left (in) == 0;
    if (out->session_ans.cut)
        return;
    uint8_t status = fuota_reader_u8 (in);
    out->group_id = status & 3;
    out->session_ans.status = status & 0xfc;
    out->session_ans.dr_error = status & 0x04;
    out->session_ans.freq_error = status & 0x08;
    out->session_ans.undefined = status & 0x10;
    out->session_ans.start_missed = status & 0x20;
    if (out->session_ans.status)
        return;
    out->session_ans.cut = fuota_reader_left (in) == 0;
    if (out->session_ans.cut)
        return;
    out->session_ans.time_to_start = fuota_reader_le24 (in);
    out->session_ans.has_time_to_start = true;
}

static int
s_write_session_ans (const fuota_command_t *in, fuota_writer_t *out)
{
    unsigned status = in->session_ans.status |
                      fuota_package_bit (in->session_ans.dr_error, 2) |
                      fuota_package_bit (in->session_ans.freq_error, 3) |
                      fuota_package_bit (in->session_ans.undefined, 4) |
                      fuota_package_bit (in->session_ans.start_missed, 5);
    bool refused = status || in->session_ans.cut;
    if (in->group_id > 3 || status & 3 ||
        refused == in->session_ans.has_time_to_start ||
        in->session_ans.time_to_start > 0xffffff)
        return FUOTA_EVALUE;
    fuota_writer_u8 (out, in->group_id | status);
    if (!refused)
        fuota_writer_le (out, in->session_ans.time_to_start, 3);
    return 0;
}

static const fuota_package_row_t s_v1 [] = {
    { 0x01, 1, FUOTA_DOWNLINK, FUOTA_MC_GROUP_STATUS_REQ, "McGroupStatusReq",
        s_read_status_req, s_write_status_req },
    { 0x01, 1, FUOTA_UPLINK, FUOTA_MC_GROUP_STATUS_ANS, "McGroupStatusAns",
        s_read_status_ans, s_write_status_ans },
    { 0x02, 29, FUOTA_DOWNLINK, FUOTA_MC_GROUP_SETUP_REQ, "McGroupSetupReq",
        s_read_setup_req, s_write_setup_req },
    { 0x02, 1, FUOTA_UPLINK, FUOTA_MC_GROUP_SETUP_ANS, "McGroupSetupAns",
        s_read_setup_ans, s_write_setup_ans },
    { 0x03, 1, FUOTA_DOWNLINK, FUOTA_MC_GROUP_DELETE_REQ, "McGroupDeleteReq",
        s_read_group, s_write_group },
    { 0x03, 1, FUOTA_UPLINK, FUOTA_MC_GROUP_DELETE_ANS, "McGroupDeleteAns",
        s_read_delete_ans, s_write_delete_ans },
    { 0x04, 10, FUOTA_DOWNLINK, FUOTA_MC_CLASS_C_SESSION_REQ,
        "McClassCSessionReq", s_read_session_req, s_write_session_req },
    { 0x04, 0, FUOTA_UPLINK, FUOTA_MC_CLASS_C_SESSION_ANS, "McClassCSessionAns",
        s_read_session_ans, s_write_session_ans },
    { 0x05, 10, FUOTA_DOWNLINK, FUOTA_MC_CLASS_B_SESSION_REQ,
        "McClassBSessionReq", s_read_session_req, s_write_session_req },
    { 0x05, 0, FUOTA_UPLINK, FUOTA_MC_CLASS_B_SESSION_ANS, "McClassBSessionAns",
        s_read_session_ans, s_write_session_ans },
};
const fuota_package_table_t fuota_ts005_v1 = { s_v1, sizeof s_v1 / sizeof *s_v1,
    &fuota_package_common };
const fuota_package_table_t fuota_ts005_v2 = { NULL, 0, &fuota_ts005_v1 };
