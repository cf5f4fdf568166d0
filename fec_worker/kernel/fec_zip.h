//  SPDX-License-Identifier: MIT
//
//  fec_zip - turn blocks of bytes over: 8 x 16 to 16 x 8 and back.

#ifndef FUOTA_FEC_ZIP_H
#define FUOTA_FEC_ZIP_H

#include <stdint.h>
#include <string.h>

typedef uint8_t fuota_fec_v16_t __attribute__ ((vector_size (16)));

//  A byte of the eight vectors has an index of 7 bits, 3 for the vector and
//  4 for the place in it. Interleaving the first four vectors with the last
//  four turns this number left by one bit.
static inline void
fuota_fec_zip (fuota_fec_v16_t v [8])
{
    fuota_fec_v16_t out [8];
    for (int i = 0; i < 4; i++) {
        out [2 * i] = __builtin_shufflevector (v [i], v [i + 4], 0, 16, 1, 17,
            2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        out [2 * i + 1] = __builtin_shufflevector (v [i], v [i + 4], 8, 24, 9,
            25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
    for (int i = 0; i < 8; i++)
        v [i] = out [i];
}

//  8 rows of 16 bytes to 16 rows of 8: by 3 bits.
static inline void
fuota_fec_zip_8_rows (fuota_fec_v16_t v [8])
{
    for (int i = 0; i < 3; i++)
        fuota_fec_zip (v);
}

//  16 rows of 8 bytes to 8 rows of 16: by 4 bits.
static inline void
fuota_fec_zip_16_rows (fuota_fec_v16_t v [8])
{
    for (int i = 0; i < 4; i++)
        fuota_fec_zip (v);
}

//  A word of each row in a tile to groups [8][tile].
static inline void
fuota_fec_turn (const uint64_t *bits, uint8_t *groups, uint32_t tile)
{
    for (uint32_t i = 0; i < tile; i += 16) {
        fuota_fec_v16_t v [8];
        memcpy (v, bits + i, sizeof v);
        fuota_fec_zip_16_rows (v);
        for (uint32_t g = 0; g < 8; g++)
            memcpy (groups + g * tile + i, &v [g], sizeof v [g]);
    }
}

#endif
