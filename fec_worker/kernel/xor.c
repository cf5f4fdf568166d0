//  SPDX-License-Identifier: MIT
#include "fec_worker/kernel/xor.h"

#include <string.h>

//  Through memcpy, so that any alignment is fine and none costs anything.
static void
s_xor_word (uint8_t *into, const uint8_t *from)
{
    uint64_t a, b;
    memcpy (&a, into, sizeof a);
    memcpy (&b, from, sizeof b);
    a ^= b;
    memcpy (into, &a, sizeof a);
}

//  Four words at a time, for of these a compiler makes vectors; then what is
//  left.
void
fuota_xor (uint8_t *restrict into, const uint8_t *restrict from, size_t size)
{
    size_t at = 0;
    for (; at + 32 <= size; at += 32) {
        uint64_t a [4], b [4];
        memcpy (a, into + at, sizeof a);
        memcpy (b, from + at, sizeof b);
        for (int i = 0; i < 4; i++)
            a [i] ^= b [i];
        memcpy (into + at, a, sizeof a);
    }
    for (; at + 8 <= size; at += 8)
        s_xor_word (into + at, from + at);
    for (; at < size; at++)
        into [at] ^= from [at];
}
