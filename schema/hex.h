//  SPDX-License-Identifier: MIT
//
//  hex - bytes as text and back. Lower case out, either case in.

#ifndef FUOTA_HEX_H
#define FUOTA_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

//  Ended by 0: out holds 2 * size + 1.
static inline void
fuota_hex (const uint8_t *bytes, size_t size, char *out)
{
    static const char digits [] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        *out++ = digits [bytes [i] >> 4];
        *out++ = digits [bytes [i] & 15];
    }
    *out = 0;
}

//  -1 if it is none.
static inline int
fuota_hex_digit (char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

//  The two digits that begin a text. False if they are none.
static inline bool
fuota_hex_byte (const char *text, uint8_t *byte)
{
    int high = fuota_hex_digit (text [0]);
    int low = high < 0 ? -1 : fuota_hex_digit (text [1]);
    if (low >= 0)
        *byte = (uint8_t) (high << 4 | low);
    return low >= 0;
}

//  Exactly size bytes, and nothing after them.
static inline bool
fuota_unhex (const char *text, uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++, text += 2)
        if (!fuota_hex_byte (text, &bytes [i]))
            return false;
    return *text == 0;
}

#endif
