//  SPDX-License-Identifier: MIT
//
//  fec_decode - the receiving side: which fragments are known, which coded
//  ones bring something, and the block once enough have come.
//
//  It keeps bits, not data: the caller keeps the fragments it received (a
//  device: its flash; the simulator: one copy for a whole group) and lends
//  them at the end. Gaussian elimination over GF(2) on the missing fragments
//  only, so it finishes at exactly the coded fragment at which the rank is
//  full, as the decoders in the field do (reference 6.6).

#ifndef FUOTA_FEC_DECODE_H
#define FUOTA_FEC_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fuota_fec_decode fuota_fec_decode_t;

typedef enum {
    FUOTA_FEC_RECEIVING,
    FUOTA_FEC_COMPLETE,
    FUOTA_FEC_OVERLOADED  //  More losses than max_losses, or no memory for
                          //  them: given up
} fuota_fec_state_t;

//  Create a decoder for M fragments by parity rule version (1 or 2) that can
//  repair at most max_losses uncoded fragments. Memory for the matrix is
//  taken when the first coded fragment comes. NULL if there is no memory or
//  M is not 1 .. 16383. Caller owns it.
fuota_fec_decode_t *fuota_fec_decode_new (uint32_t m, unsigned version,
    uint32_t max_losses);
void fuota_fec_decode_destroy (fuota_fec_decode_t **self_p);

//  Fragment N has arrived, in any order, possibly again. Uncoded fragments
//  that come after the first coded one are still used. An N that is not
//  1 .. 16383 changes nothing, nor does any once the state is COMPLETE or
//  OVERLOADED: a device ignores fragments then. Returns the state.
fuota_fec_state_t fuota_fec_decode_take (fuota_fec_decode_t *self,
    uint32_t big_n);

fuota_fec_state_t fuota_fec_decode_state (const fuota_fec_decode_t *self);

//  Fragments taken so far, all kinds, repeated ones not counted; uncoded
//  fragments neither received nor recovered (0 once complete); those not
//  sent yet are missing too.
uint32_t fuota_fec_decode_received (const fuota_fec_decode_t *self);
uint32_t fuota_fec_decode_missing (const fuota_fec_decode_t *self);

//  Give back the data of fragment N that was taken, frag_size bytes.
typedef const uint8_t *(fuota_fec_fetch_fn) (void *arg, uint32_t big_n);

//  Rebuild the block of a complete decoder into out: M * frag_size bytes,
//  padding included; out is not where fetch's data is. Each fragment the
//  decoder uses is fetched once, in no special order, and is needed only
//  until the next. Returns 0, or -1 if not complete or out of memory.
int fuota_fec_decode_block (fuota_fec_decode_t *self, uint8_t frag_size,
    fuota_fec_fetch_fn *fetch, void *arg, uint8_t *out);

#endif
