//  SPDX-License-Identifier: MIT
#include "fec_worker/kernel/xor.h"

#include <string.h>

//  Two words: every 64-bit processor has registers of that size. Wider ones
//  are split through the stack where there are none.
typedef uint64_t s_vector_t __attribute__ ((vector_size (16)));

//  Loads and stores are memcpy: any alignment is fine and none costs anything.
void
fuota_xor (uint8_t *restrict into, const uint8_t *restrict from, size_t size)
{
    size_t at = 0;
    for (; at + sizeof (s_vector_t) <= size; at += sizeof (s_vector_t)) {
        s_vector_t a, b;
        memcpy (&a, into + at, sizeof a);
        memcpy (&b, from + at, sizeof b);
        a ^= b;
        memcpy (into + at, &a, sizeof a);
    }
    for (; at + sizeof (uint64_t) <= size; at += sizeof (uint64_t)) {
        uint64_t a, b;
        memcpy (&a, into + at, sizeof a);
        memcpy (&b, from + at, sizeof b);
        a ^= b;
        memcpy (into + at, &a, sizeof a);
    }
    for (; at < size; at++)
        into [at] ^= from [at];
}
