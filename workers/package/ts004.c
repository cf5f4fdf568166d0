//  SPDX-License-Identifier: MIT
//
//  TS004 Fragmented Data Block Transport (reference 5). v2 has another setup
//  request and status answer, one more refusal, and CID 0x04.

#include "workers/package/package_rows.h"

//  ---------------------------------------------------------------------
//  Status (5.7, 5.8)

//  FragIndex is in bits 2:1 here and nowhere else
static void
s_read_status_req (fuota_reader_t *in, fuota_command_t *out)
{
    uint8_t param = fuota_reader_u8 (in);
    out->frag_index = param >> 1 & 3;
    out->frag_status_req.participants = param & 1;
}

static int
s_write_status_req (const fuota_command_t *in, fuota_writer_t *out)
{
    if (in->frag_index > 3)
        return FUOTA_EVALUE;
    fuota_writer_u8 (out,
        (unsigned) in->frag_index << 1 |
            fuota_package_bit (in->frag_status_req.participants, 0));
    return 0;
}

static void
s_read_counts (fuota_reader_t *in, fuota_command_t *out)
{
    uint16_t word = fuota_reader_le16 (in);
    out->frag_status_ans.received = word & 0x3fff;
    out->frag_index = (uint8_t) (word >> 14);
    out->frag_status_ans.missing = fuota_reader_u8 (in);
    out->frag_status_ans.has_counts = true;
}

static int
s_write_counts (const fuota_command_t *in, fuota_writer_t *out)
{
    if (in->frag_index > 3 || in->frag_status_ans.received > 0x3fff)
        return FUOTA_EVALUE;
    unsigned index = in->frag_index;
    fuota_writer_le (out, index << 14 | in->frag_status_ans.received, 2);
    fuota_writer_u8 (out, in->frag_status_ans.missing);
    return 0;
}

static void
s_read_status_ans_v1 (fuota_reader_t *in, fuota_command_t *out)
{
    s_read_counts (in, out);
    out->frag_status_ans.memory_error = fuota_reader_u8 (in) & 1;
}

//  What v1 cannot say must not come out as "complete"
static int
s_write_status_ans_v1 (const fuota_command_t *in, fuota_writer_t *out)
{
    if (in->frag_status_ans.no_session || in->frag_status_ans.mic_error)
        return FUOTA_EVALUE;
    int rc = s_write_counts (in, out);
    fuota_writer_u8 (out, in->frag_status_ans.memory_error);
    return rc;
}

//  Is what is left a run of whole answers? So a device that sends the short
//  form of "no session" can join it with others, though the long form has
//  three more bytes of any value. In TS007 a prefix may follow.
static bool
s_reads_as_answers (fuota_reader_t in)
{
    while (fuota_reader_left (&in)) {
        uint8_t cid = fuota_reader_u8 (&in);
        if (cid >= 0x80 && cid < 0x80 + FUOTA_PACKAGES)
            return true;
        if (cid > 0x04)
            return false;
        uint8_t first = fuota_reader_u8 (&in);
        if (cid == 0x00 && first != FUOTA_TS004)
            return false;
        if (cid == 0x00)
            fuota_reader_u8 (&in);
        if (cid == 0x01 && (first & 0xfc) != 0x04)
            fuota_reader_le24 (&in);  //  Of this version, or of v1
    }
    return in.rc == 0;
}

//  The status moved to the front. Without a session it is 2 bytes, though 5
//  are seen (D7). Some send the layout of v1: bits 7:3 of the status, which
//  are RFU, are then those of a count (D11, reference 12).
static void
s_read_status_ans_v2 (fuota_reader_t *in, fuota_command_t *out)
{
    uint8_t status = in->data [in->at];
    if (status & 0xf8) {
        s_read_status_ans_v1 (in, out);
        return;
    }
    fuota_reader_u8 (in);
    out->frag_status_ans.memory_error = status & 0x01;
    out->frag_status_ans.mic_error = status & 0x02;
    out->frag_status_ans.no_session = status & 0x04;
    if (out->frag_status_ans.no_session &&
        (fuota_reader_left (in) < 3 || s_reads_as_answers (*in)))
        return;
    s_read_counts (in, out);
}

static int
s_write_status_ans_v2 (const fuota_command_t *in, fuota_writer_t *out)
{
    fuota_writer_u8 (out,
        fuota_package_bit (in->frag_status_ans.memory_error, 0) |
            fuota_package_bit (in->frag_status_ans.mic_error, 1) |
            fuota_package_bit (in->frag_status_ans.no_session, 2));
    if (in->frag_status_ans.has_counts)
        return s_write_counts (in, out);
    return in->frag_status_ans.no_session ? 0 : FUOTA_EVALUE;
}

//  ---------------------------------------------------------------------
//  Setup (5.2, 5.3)

static void
s_read_setup_req_v1 (fuota_reader_t *in, fuota_command_t *out)
{
    uint8_t session = fuota_reader_u8 (in);
    out->frag_index = session >> 4 & 3;
    out->frag_setup_req.group_mask = session & 0x0f;
    out->frag_setup_req.nb_frag = fuota_reader_le16 (in);
    out->frag_setup_req.frag_size = fuota_reader_u8 (in);
    uint8_t control = fuota_reader_u8 (in);
    out->frag_setup_req.algo = control >> 3 & 7;
    out->frag_setup_req.block_ack_delay = control & 7;
    out->frag_setup_req.padding = fuota_reader_u8 (in);
    fuota_reader_copy (in, out->frag_setup_req.descriptor, 4);
}

//  Control bit 6, then what was added at the end
static void
s_read_setup_req_v2 (fuota_reader_t *in, fuota_command_t *out)
{
    out->frag_setup_req.ack_reception = in->data [in->at + 4] & 0x40;
    s_read_setup_req_v1 (in, out);
    out->frag_setup_req.session_cnt = fuota_reader_le16 (in);
    fuota_reader_copy (in, out->frag_setup_req.mic, 4);
}

static int
s_write_setup_req (const fuota_command_t *in, fuota_writer_t *out)
{
    if (in->frag_index > 3 || in->frag_setup_req.group_mask > 15 ||
        in->frag_setup_req.nb_frag < 1 || in->frag_setup_req.nb_frag > 0x3fff ||
        in->frag_setup_req.padding >= in->frag_setup_req.frag_size ||
        in->frag_setup_req.algo > 7 || in->frag_setup_req.block_ack_delay > 7)
        return FUOTA_EVALUE;
    bool ack = in->version > 1 && in->frag_setup_req.ack_reception;
    fuota_writer_u8 (out,
        (unsigned) in->frag_index << 4 | in->frag_setup_req.group_mask);
    fuota_writer_le (out, in->frag_setup_req.nb_frag, 2);
    fuota_writer_u8 (out, in->frag_setup_req.frag_size);
    fuota_writer_u8 (out, fuota_package_bit (ack, 6) |
                              (unsigned) in->frag_setup_req.algo << 3 |
                              in->frag_setup_req.block_ack_delay);
    fuota_writer_u8 (out, in->frag_setup_req.padding);
    fuota_writer_copy (out, in->frag_setup_req.descriptor, 4);
    return 0;
}

static int
s_write_setup_req_v2 (const fuota_command_t *in, fuota_writer_t *out)
{
    int rc = s_write_setup_req (in, out);
    fuota_writer_le (out, in->frag_setup_req.session_cnt, 2);
    fuota_writer_copy (out, in->frag_setup_req.mic, 4);
    return rc;
}

static void
s_read_setup_ans (fuota_reader_t *in, fuota_command_t *out)
{
    uint8_t status = fuota_reader_u8 (in);
    out->frag_index = status >> 6;
    status &= out->version > 1 ? 0x1f : 0x0f;
    out->frag_setup_ans.status = status;
    out->frag_setup_ans.algo_unsupported = status & 0x01;
    out->frag_setup_ans.no_memory = status & 0x02;
    out->frag_setup_ans.index_unsupported = status & 0x04;
    out->frag_setup_ans.wrong_descriptor = status & 0x08;
    out->frag_setup_ans.replay = status & 0x10;
}

static int
s_write_setup_ans (const fuota_command_t *in, fuota_writer_t *out)
{
    unsigned status =
        in->frag_setup_ans.status |
        fuota_package_bit (in->frag_setup_ans.algo_unsupported, 0) |
        fuota_package_bit (in->frag_setup_ans.no_memory, 1) |
        fuota_package_bit (in->frag_setup_ans.index_unsupported, 2) |
        fuota_package_bit (in->frag_setup_ans.wrong_descriptor, 3) |
        fuota_package_bit (in->frag_setup_ans.replay, 4);
    if (in->frag_index > 3 || status > (in->version > 1 ? 0x1f : 0x0f))
        return FUOTA_EVALUE;
    fuota_writer_u8 (out, (unsigned) in->frag_index << 6 | status);
    return 0;
}

//  ---------------------------------------------------------------------
//  The others: FragIndex in bits 1:0 and at most a flag in bit 2 (5.5, 5.9)

static void
s_read_index (fuota_reader_t *in, fuota_command_t *out)
{
    out->frag_index = fuota_reader_u8 (in) & 3;
}

static int
s_write_flag (const fuota_command_t *in, bool flag, fuota_writer_t *out)
{
    if (in->frag_index > 3)
        return FUOTA_EVALUE;
    fuota_writer_u8 (out, in->frag_index | fuota_package_bit (flag, 2));
    return 0;
}

static int
s_write_index (const fuota_command_t *in, fuota_writer_t *out)
{
    return s_write_flag (in, false, out);
}

static void
s_read_delete_ans (fuota_reader_t *in, fuota_command_t *out)
{
    out->frag_delete_ans.no_session = in->data [in->at] & 0x04;
    s_read_index (in, out);
}

static int
s_write_delete_ans (const fuota_command_t *in, fuota_writer_t *out)
{
    return s_write_flag (in, in->frag_delete_ans.no_session, out);
}

static void
s_read_received_req (fuota_reader_t *in, fuota_command_t *out)
{
    out->frag_received_req.mic_error = in->data [in->at] & 0x04;
    s_read_index (in, out);
}

static int
s_write_received_req (const fuota_command_t *in, fuota_writer_t *out)
{
    return s_write_flag (in, in->frag_received_req.mic_error, out);
}

//  5.6: to the end of the payload, hence alone in it
static void
s_read_fragment (fuota_reader_t *in, fuota_command_t *out)
{
    uint16_t word = fuota_reader_le16 (in);
    out->frag_index = (uint8_t) (word >> 14);
    out->data_fragment.n = word & 0x3fff;
    size_t size = fuota_reader_left (in);
    out->data_fragment.data = fuota_slice (fuota_reader_take (in, size), size);
}

static int
s_write_fragment (const fuota_command_t *in, fuota_writer_t *out)
{
    if (in->frag_index > 3 || in->data_fragment.n < 1 ||
        in->data_fragment.n > 0x3fff || in->data_fragment.data.size < 1 ||
        in->data_fragment.data.size > 255)
        return FUOTA_EVALUE;
    unsigned index = in->frag_index;
    fuota_writer_le (out, index << 14 | in->data_fragment.n, 2);
    fuota_writer_copy (out, in->data_fragment.data.data,
        in->data_fragment.data.size);
    return 0;
}

static const fuota_package_row_t s_v1 [] = {
    { 0x01, 1, FUOTA_DOWNLINK, FUOTA_FRAG_STATUS_REQ, "FragSessionStatusReq",
        s_read_status_req, s_write_status_req },
    { 0x01, 4, FUOTA_UPLINK, FUOTA_FRAG_STATUS_ANS, "FragSessionStatusAns",
        s_read_status_ans_v1, s_write_status_ans_v1 },
    { 0x02, 10, FUOTA_DOWNLINK, FUOTA_FRAG_SETUP_REQ, "FragSessionSetupReq",
        s_read_setup_req_v1, s_write_setup_req },
    { 0x02, 1, FUOTA_UPLINK, FUOTA_FRAG_SETUP_ANS, "FragSessionSetupAns",
        s_read_setup_ans, s_write_setup_ans },
    { 0x03, 1, FUOTA_DOWNLINK, FUOTA_FRAG_DELETE_REQ, "FragSessionDeleteReq",
        s_read_index, s_write_index },
    { 0x03, 1, FUOTA_UPLINK, FUOTA_FRAG_DELETE_ANS, "FragSessionDeleteAns",
        s_read_delete_ans, s_write_delete_ans },
    { 0x08, 3, FUOTA_DOWNLINK, FUOTA_DATA_FRAGMENT, "DataFragment",
        s_read_fragment, s_write_fragment },
};
const fuota_package_table_t fuota_ts004_v1 = { s_v1, sizeof s_v1 / sizeof *s_v1,
    &fuota_package_common };

static const fuota_package_row_t s_v2 [] = {
    { 0x01, 1, FUOTA_UPLINK, FUOTA_FRAG_STATUS_ANS, "FragSessionStatusAns",
        s_read_status_ans_v2, s_write_status_ans_v2 },
    { 0x02, 16, FUOTA_DOWNLINK, FUOTA_FRAG_SETUP_REQ, "FragSessionSetupReq",
        s_read_setup_req_v2, s_write_setup_req_v2 },
    { 0x04, 1, FUOTA_UPLINK, FUOTA_FRAG_RECEIVED_REQ,
        "FragDataBlockReceivedReq", s_read_received_req, s_write_received_req },
    { 0x04, 1, FUOTA_DOWNLINK, FUOTA_FRAG_RECEIVED_ANS,
        "FragDataBlockReceivedAns", s_read_index, s_write_index },
};
const fuota_package_table_t fuota_ts004_v2 = { s_v2, sizeof s_v2 / sizeof *s_v2,
    &fuota_ts004_v1 };
