//  SPDX-License-Identifier: MIT
//
//  rows - the kernel as a worker uses it: runs of blocks of an image.

#ifndef FUOTA_ROWS_H
#define FUOTA_ROWS_H

#include "schema/fec_message.h"

//  Name of the kernel in use on this machine, for operators.
const char *fuota_rows_kernel (void);

//  Use another one. Returns 0, or -1 if this processor has none of that name.
int fuota_rows_choose (const char *kernel);

//  Bytes of scratch that a run of count blocks of that parity needs.
size_t fuota_rows_scratch (const fuota_parity_key_t *key, uint32_t count);

//  Blocks first .. first + count - 1 of key, one after the other, into out.
//  The run lies within the parity and the image is of its size. Returns the
//  bytes written.
size_t fuota_rows (fuota_slice_t image, const fuota_parity_key_t *key,
    uint32_t first, uint32_t count, uint8_t *out, void *scratch);

#endif
