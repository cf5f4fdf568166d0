//  SPDX-License-Identifier: MIT
//
//  Parts: join; blocks and MICs of data; data. Sections are those of the
//  LoRaWAN specification 1.1, of 1.0.3 where it says so.

#include "broker/host/lorawan.h"

#include "workers/package/mckey.h"

#define MIC 4

//  ---------------------------------------------------------------------
//  Join (6.2)

static int
s_mic (const uint8_t key [16], const uint8_t *head, size_t head_size,
    const uint8_t *body, size_t size, uint8_t mic [MIC])
{
    uint8_t cmac [16];
    int rc = fuota_mckey_cmac (key, head, head_size, body, size, cmac);
    if (!rc)
        memcpy (mic, cmac, MIC);
    return rc;
}

int
fuota_lorawan_ask (const fuota_lorawan_root_t *root, uint16_t dev_nonce,
    uint8_t out [FUOTA_LORAWAN_JOIN_REQUEST])
{
    fuota_writer_t frame = fuota_writer (out, FUOTA_LORAWAN_JOIN_REQUEST);
    fuota_writer_u8 (&frame, FUOTA_LORAWAN_JOIN_REQ << 5);
    fuota_writer_le (&frame, root->join_eui, 8);
    fuota_writer_le (&frame, root->dev_eui, 8);
    fuota_writer_le (&frame, dev_nonce, 2);
    return s_mic (root->nwk_key, NULL, 0, out, frame.at, out + frame.at);
}

int
fuota_lorawan_asked (fuota_slice_t frame, const fuota_lorawan_root_t *root,
    uint16_t *dev_nonce)
{
    uint8_t mic [MIC];
    fuota_reader_t in = fuota_reader (frame.data, frame.size);
    if (fuota_reader_u8 (&in) != FUOTA_LORAWAN_JOIN_REQ << 5 ||
        frame.size != FUOTA_LORAWAN_JOIN_REQUEST)
        return FUOTA_EFORMAT;
    uint64_t join_eui = fuota_reader_le (&in, 8);
    uint64_t dev_eui = fuota_reader_le (&in, 8);
    *dev_nonce = fuota_reader_le16 (&in);
    if (join_eui != root->join_eui || dev_eui != root->dev_eui)
        return FUOTA_EFORMAT;
    int rc = s_mic (root->nwk_key, NULL, 0, frame.data, in.at, mic);
    if (!rc && memcmp (mic, frame.data + in.at, MIC) != 0)
        rc = FUOTA_EVALUE;
    return rc;
}

//  One block derived from a root key: first byte, then what follows.
static int
s_derive (const uint8_t key [16], uint8_t first, const uint8_t *rest,
    size_t size, uint8_t out [16])
{
    uint8_t block [16] = { first };
    if (size)
        memcpy (block + 1, rest, size);
    return fuota_mckey_aes (key, block, out);
}

//  MIC of a join-accept, clear and without its MIC (6.2.3; 1.0.3: 6.2.5).
static int
s_accept_mic (const fuota_lorawan_root_t *root, uint16_t dev_nonce,
    bool opt_neg, const uint8_t *clear, size_t size, uint8_t mic [MIC])
{
    uint8_t head [11], key [16], eui [8];
    if (!opt_neg || !root->v11)
        return s_mic (root->nwk_key, NULL, 0, clear, size, mic);
    fuota_writer_t out = fuota_writer (head, sizeof head);
    fuota_writer_u8 (&out, 0xff);  //  JoinReqType of a join-request
    fuota_writer_le (&out, root->join_eui, 8);
    fuota_writer_le (&out, dev_nonce, 2);
    out = fuota_writer (eui, sizeof eui);
    fuota_writer_le (&out, root->dev_eui, 8);
    int rc = s_derive (root->nwk_key, 0x06, eui, sizeof eui, key);
    if (!rc)
        rc = s_mic (key, head, sizeof head, clear, size, mic);
    fuota_mckey_wipe (key, sizeof key);
    return rc;
}

int
fuota_lorawan_accept (const fuota_lorawan_root_t *root, uint16_t dev_nonce,
    const fuota_lorawan_accept_t *accept, uint8_t *out, size_t *size)
{
    uint8_t clear [FUOTA_LORAWAN_JOIN_ACCEPT];
    fuota_writer_t frame = fuota_writer (clear, sizeof clear);
    fuota_writer_u8 (&frame, FUOTA_LORAWAN_JOIN_ACC << 5);
    fuota_writer_le (&frame, accept->join_nonce, 3);
    fuota_writer_le (&frame, accept->net_id, 3);
    fuota_writer_le (&frame, accept->dev_addr, 4);
    fuota_writer_u8 (&frame, (accept->opt_neg ? 0x80u : 0) |
                                 (accept->rx1_dr_offset & 7u) << 4 |
                                 (accept->rx2_dr & 15u));
    fuota_writer_u8 (&frame, accept->rx1_delay);
    if (accept->has_channels)
        fuota_writer_copy (&frame, accept->channels, sizeof accept->channels);
    size_t whole = frame.at + MIC;
    if (*size < whole)
        return FUOTA_EFULL;
    int rc = s_accept_mic (root, dev_nonce, accept->opt_neg, clear, frame.at,
        clear + frame.at);
    out [0] = clear [0];
    //  The server deciphers, so that a device needs to encipher only
    for (size_t at = 1; !rc && at < whole; at += 16)
        rc = fuota_mckey_aes_inverse (root->nwk_key, clear + at, out + at);
    *size = whole;
    return rc;
}

int
fuota_lorawan_accepted (fuota_slice_t frame, const fuota_lorawan_root_t *root,
    uint16_t dev_nonce, fuota_lorawan_accept_t *accept)
{
    uint8_t clear [FUOTA_LORAWAN_JOIN_ACCEPT], mic [MIC];
    if ((frame.size != 17 && frame.size != 33) ||
        frame.data [0] != FUOTA_LORAWAN_JOIN_ACC << 5)
        return FUOTA_EFORMAT;
    clear [0] = frame.data [0];
    for (size_t at = 1; at < frame.size; at += 16)
        if (fuota_mckey_aes (root->nwk_key, frame.data + at, clear + at))
            return FUOTA_ECRYPTO;
    fuota_reader_t in = fuota_reader (clear + 1, frame.size - 1 - MIC);
    *accept = (fuota_lorawan_accept_t){ .has_channels = frame.size == 33 };
    accept->join_nonce = fuota_reader_le24 (&in);
    accept->net_id = fuota_reader_le24 (&in);
    accept->dev_addr = fuota_reader_le32 (&in);
    uint8_t settings = fuota_reader_u8 (&in);
    accept->opt_neg = settings & 0x80;
    accept->rx1_dr_offset = settings >> 4 & 7;
    accept->rx2_dr = settings & 15;
    accept->rx1_delay = fuota_reader_u8 (&in) & 15;
    if (accept->rx1_delay == 0)
        accept->rx1_delay = 1;
    if (accept->has_channels)
        fuota_reader_copy (&in, accept->channels, sizeof accept->channels);
    int rc = s_accept_mic (root, dev_nonce, accept->opt_neg, clear,
        frame.size - MIC, mic);
    if (!rc && memcmp (mic, clear + frame.size - MIC, MIC) != 0)
        rc = FUOTA_EVALUE;
    return rc;
}

int
fuota_lorawan_join_keys (const fuota_lorawan_root_t *root, uint16_t dev_nonce,
    const fuota_lorawan_accept_t *accept, fuota_lorawan_keys_t *keys)
{
    uint8_t rest [13];
    fuota_writer_t out = fuota_writer (rest, sizeof rest);
    bool v11 = root->v11 && accept->opt_neg;
    fuota_writer_le (&out, accept->join_nonce, 3);
    if (v11)
        fuota_writer_le (&out, root->join_eui, 8);
    else
        fuota_writer_le (&out, accept->net_id, 3);
    fuota_writer_le (&out, dev_nonce, 2);
    const uint8_t *nwk = root->nwk_key;
    keys->v11 = v11;
    int rc = s_derive (nwk, 0x01, rest, out.at, keys->f_nwk_s_int);
    if (!rc)
        rc = s_derive (nwk, v11 ? 0x03 : 0x01, rest, out.at, keys->s_nwk_s_int);
    if (!rc)
        rc = s_derive (nwk, v11 ? 0x04 : 0x01, rest, out.at, keys->nwk_s_enc);
    if (!rc)
        rc = s_derive (v11 ? root->app_key : nwk, 0x02, rest, out.at,
            keys->app_s);
    return rc;
}

//  ---------------------------------------------------------------------
//  Blocks and MICs of data (4.3.3, 4.4)

static bool
s_is_up (const fuota_lorawan_data_t *data)
{
    return data->type == FUOTA_LORAWAN_UP ||
           data->type == FUOTA_LORAWAN_CONFIRMED_UP;
}

//  A block: first byte, four of its own, direction, address, counter, 0, last.
static void
s_block (const fuota_lorawan_data_t *data, uint8_t first, uint32_t four,
    uint8_t last, uint8_t out [16])
{
    fuota_writer_t block = fuota_writer (out, 16);
    fuota_writer_u8 (&block, first);
    fuota_writer_le (&block, four, 4);
    fuota_writer_u8 (&block, !s_is_up (data));
    fuota_writer_le (&block, data->dev_addr, 4);
    fuota_writer_le (&block, data->f_cnt, 4);
    fuota_writer_u8 (&block, 0);
    fuota_writer_u8 (&block, last);
}

//  MIC of a frame without it.
static int
s_data_mic (const fuota_lorawan_keys_t *keys, const fuota_lorawan_data_t *data,
    const uint8_t *frame, size_t size, uint8_t mic [MIC])
{
    uint8_t b0 [16], b1 [16], by_server [MIC];
    uint32_t acked =
        keys->v11 && data->f_ctrl & FUOTA_LORAWAN_ACK ? data->acked : 0;
    if (!s_is_up (data)) {
        s_block (data, 0x49, acked, (uint8_t) size, b0);
        return s_mic (keys->s_nwk_s_int, b0, 16, frame, size, mic);
    }
    s_block (data, 0x49, 0, (uint8_t) size, b0);
    int rc = s_mic (keys->f_nwk_s_int, b0, 16, frame, size, mic);
    if (rc || !keys->v11)
        return rc;
    uint32_t four =
        acked | (uint32_t) data->dr << 16 | (uint32_t) data->channel << 24;
    s_block (data, 0x49, four, (uint8_t) size, b1);
    rc = s_mic (keys->s_nwk_s_int, b1, 16, frame, size, by_server);
    memcpy (mic + 2, mic, 2);
    memcpy (mic, by_server, 2);
    return rc;
}

//  Encrypt, and decrypt, a payload in place.
static int
s_crypt (const fuota_lorawan_keys_t *keys, const fuota_lorawan_data_t *data,
    uint8_t *bytes, size_t size)
{
    const uint8_t *key = data->f_port > 0 ? keys->app_s : keys->nwk_s_enc;
    uint8_t block [16];
    for (size_t at = 0; at < size; at += 16) {
        s_block (data, 0x01, 0, (uint8_t) (at / 16 + 1), block);
        if (fuota_mckey_aes (key, block, block))
            return FUOTA_ECRYPTO;
        for (size_t i = 0; i < 16 && at + i < size; i++)
            bytes [at + i] ^= block [i];
    }
    return 0;
}

//  The same for FOpts, in 1.1 alone (4.3.1.6, with the erratum that tells the
//  two downlink counters apart).
static int
s_crypt_options (const fuota_lorawan_keys_t *keys,
    const fuota_lorawan_data_t *data, uint8_t *bytes, size_t size)
{
    uint8_t block [16];
    bool application = !s_is_up (data) && data->f_port > 0;
    if (!keys->v11 || size == 0)
        return 0;
    s_block (data, 0x01, (application ? 2u : 1u) << 24, 1, block);
    int rc = fuota_mckey_aes (keys->nwk_s_enc, block, block);
    for (size_t i = 0; i < size; i++)
        bytes [i] ^= block [i];
    return rc;
}

//  ---------------------------------------------------------------------
//  Data (4)

int
fuota_lorawan_peek (fuota_slice_t frame, fuota_lorawan_data_t *data)
{
    fuota_reader_t in = fuota_reader (frame.data, frame.size);
    uint8_t head = fuota_reader_u8 (&in);
    data->type = (fuota_lorawan_type_t) (head >> 5);
    data->dev_addr = fuota_reader_le32 (&in);
    data->f_ctrl = fuota_reader_u8 (&in);
    data->f_cnt = fuota_reader_le16 (&in);
    if (in.rc)
        return in.rc;
    if (head & 0x1f || data->type < FUOTA_LORAWAN_UP ||
        data->type > FUOTA_LORAWAN_CONFIRMED_DOWN ||
        frame.size > FUOTA_LORAWAN_FRAME)
        return FUOTA_EFORMAT;
    return 0;
}

uint32_t
fuota_lorawan_f_cnt (int64_t last, uint16_t low)
{
    if (last < 0)
        return low;
    return (uint32_t) last + (uint16_t) (low - (uint32_t) last);
}

int
fuota_lorawan_write (const fuota_lorawan_keys_t *keys,
    const fuota_lorawan_data_t *data, uint8_t *out, size_t *size)
{
    if (data->options_size > FUOTA_LORAWAN_OPTIONS ||
        data->size > FUOTA_LORAWAN_PAYLOAD)
        return FUOTA_EFULL;
    fuota_writer_t frame = fuota_writer (out, *size);
    fuota_writer_u8 (&frame, (unsigned) data->type << 5);
    fuota_writer_le (&frame, data->dev_addr, 4);
    fuota_writer_u8 (&frame, (data->f_ctrl & 0xf0u) | data->options_size);
    fuota_writer_le (&frame, data->f_cnt, 2);
    size_t options = frame.at;
    fuota_writer_copy (&frame, data->options, data->options_size);
    if (data->f_port >= 0)
        fuota_writer_u8 (&frame, (unsigned) data->f_port);
    size_t payload = frame.at;
    if (data->f_port >= 0)
        fuota_writer_copy (&frame, data->data, data->size);
    size_t end = frame.at;
    fuota_writer_le (&frame, 0, MIC);
    if (frame.rc || frame.at > FUOTA_LORAWAN_FRAME)
        return FUOTA_EFULL;
    int rc = s_crypt_options (keys, data, out + options, data->options_size);
    if (!rc)
        rc = s_crypt (keys, data, out + payload, end - payload);
    if (!rc)
        rc = s_data_mic (keys, data, out, end, out + end);
    *size = frame.at;
    return rc;
}

int
fuota_lorawan_read (const fuota_lorawan_keys_t *keys, fuota_slice_t frame,
    fuota_lorawan_data_t *data)
{
    uint8_t mic [MIC];
    fuota_lorawan_data_t seen;
    int rc = fuota_lorawan_peek (frame, &seen);
    if (rc)
        return rc;
    if (frame.size < 8 + MIC)
        return FUOTA_ESHORT;
    data->type = seen.type;
    data->dev_addr = seen.dev_addr;
    data->f_ctrl = seen.f_ctrl & 0xf0;
    rc = s_data_mic (keys, data, frame.data, frame.size - MIC, mic);
    if (rc)
        return rc;
    if (memcmp (mic, frame.data + frame.size - MIC, MIC) != 0)
        return FUOTA_EVALUE;
    fuota_reader_t in = fuota_reader (frame.data + 8, frame.size - 8 - MIC);
    data->options_size = seen.f_ctrl & 15;
    fuota_reader_copy (&in, data->options, data->options_size);
    size_t left = fuota_reader_left (&in);
    data->f_port = left ? fuota_reader_u8 (&in) : -1;
    left = fuota_reader_left (&in);
    if (in.rc || left > FUOTA_LORAWAN_PAYLOAD ||
        (data->f_port == 0 && data->options_size))
        return FUOTA_EFORMAT;
    data->size = (uint8_t) left;
    fuota_reader_copy (&in, data->data, left);
    rc = s_crypt_options (keys, data, data->options, data->options_size);
    return rc ? rc : s_crypt (keys, data, data->data, data->size);
}
