//  SPDX-License-Identifier: MIT
//
//  fec_cycle_make - walk the cycle once and print fec_cycle.h's table. Runs
//  when the engine is built.

#include <stdio.h>
#include <stdlib.h>
#include "fec_worker/kernel/fec_cycle.h"

int
main (void)
{
    uint32_t x = 1, position = 0, rows = 0;
    puts ("//  Made by fec_cycle_make.c\n"
          "#include \"fec_worker/kernel/fec_cycle.h\"\n\n"
          "const fuota_fec_cycle_t fuota_fec_cycle [FUOTA_FEC_CYCLE_ROWS] = {");
    do {
        uint32_t n = (x - 1) / 1001;
        if (x % 1001 == 1 && n >= 1 && n <= FUOTA_FEC_CYCLE_ROWS) {
            printf ("    { %u, %u },\n", position, n);
            rows++;
        }
        x = x >> 1 | ((x ^ x >> 5) & 1) << 22;
        position++;
    } while (x != 1);
    puts ("};");
    return rows == FUOTA_FEC_CYCLE_ROWS ? EXIT_SUCCESS : EXIT_FAILURE;
}
