//  SPDX-License-Identifier: MIT
//
//  fec_message - what the pool and a FEC worker say, as values: frames in,
//  one checked struct out.
//
//  Everything that both sides must be able to trust is checked here and only
//  here: sizes within the protocol, a run of blocks within its image. Pure;
//  the third frame is borrowed.

#ifndef FUOTA_FEC_MESSAGE_H
#define FUOTA_FEC_MESSAGE_H

#include <stdbool.h>
#include "fec.pb.h"
#include "schema/bytes.h"

#define FUOTA_FEC_VERSION 1
#define FUOTA_FEC_BLOCK_ROWS 64         //  A block but the last of an image
#define FUOTA_FEC_BLOCK_MAX (64 * 255)  //  Bytes
#define FUOTA_FEC_PART_MAX (256u << 10)
#define FUOTA_FEC_MESSAGE_MAX (512u << 10)  //  Any message, all frames
#define FUOTA_FEC_BODY_MAX 320
#define FUOTA_FEC_LAST_N 16383  //  Of TS004: N has 14 bits

typedef Parity fuota_parity_key_t;

typedef enum {
    FUOTA_FEC_HELLO = 'H',
    FUOTA_FEC_GRANT = 'G',
    FUOTA_FEC_WANTED = 'W',
    FUOTA_FEC_PART = 'I',
    FUOTA_FEC_BLOCK = 'K',
    FUOTA_FEC_END = 'D',
    FUOTA_FEC_BEAT = 'B',
    FUOTA_FEC_DRAIN = 'E'
} fuota_fec_kind_t;

typedef struct {
    fuota_fec_kind_t kind;
    union {
        Hello hello;
        Grant grant;
        ImageWanted wanted;
        ImagePart part;
        Block block;
        Done done;
        Beat beat;
        Drain drain;
    } as;
    fuota_slice_t data;  //  PART, BLOCK: the third frame
} fuota_fec_message_t;

//  Uncoded fragments M of that parity; blocks and rows it can have at most.
uint32_t fuota_parity_nb_frag (const fuota_parity_key_t *key);
uint32_t fuota_parity_rows (const fuota_parity_key_t *key);
uint32_t fuota_parity_blocks (const fuota_parity_key_t *key);

//  Rows of one block: 64, but for the last of an image.
uint32_t fuota_parity_block_rows (const fuota_parity_key_t *key,
    uint32_t block);

//  Is this a parity that TS004 knows?
bool fuota_parity_valid (const fuota_parity_key_t *key);
bool fuota_parity_equal (const fuota_parity_key_t *a,
    const fuota_parity_key_t *b);

//  Decode a message of count frames. Returns 0, FUOTA_ECOMMAND for an unknown
//  kind, FUOTA_EVALUE for a field outside its range, FUOTA_EFORMAT else.
int fuota_fec_message_decode (const fuota_slice_t *frames, size_t count,
    fuota_fec_message_t *out);

//  Encode the body, the second frame. Returns its size; FUOTA_FEC_BODY_MAX is
//  always enough.
size_t fuota_fec_message_encode (const fuota_fec_message_t *message,
    uint8_t out [FUOTA_FEC_BODY_MAX]);

//  Check sum of a block's rows: against faults of memory and wire, not
//  against an enemy.
uint64_t fuota_fec_sum (const uint8_t *data, size_t size);

#endif
