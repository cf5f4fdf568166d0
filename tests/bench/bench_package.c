//  SPDX-License-Identifier: MIT
//
//  bench_package - how fast payloads become commands, and back. Best of
//  several runs.
//
//  An answer is one of a usual uplink's, a fragment one of 222 bytes; full is
//  a payload with as many commands as it can hold, the worst for a router.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "workers/package/package.h"

static double s_budget = 0.3;   //  Seconds for each measurement, about
static unsigned s_loop = 1000;  //  Calls between two looks at the clock

typedef struct {
    const char *name;
    fuota_package_t package;
    unsigned version;
    fuota_direction_t direction;
    size_t size;
    uint8_t bytes [242];
} s_case_t;

static double
s_now (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec * 1e-9;
}

static size_t
s_decode (const s_case_t *item, fuota_command_t *out)
{
    size_t count;
    if (fuota_package_decode (item->package, item->version, item->direction,
            item->bytes, item->size, out, FUOTA_COMMANDS_MAX, &count))
        abort ();
    return count;
}

static void
s_encode (const fuota_command_t *commands, size_t count)
{
    uint8_t bytes [242];
    fuota_writer_t out = fuota_writer (bytes, sizeof bytes);
    for (size_t i = 0; i < count; i++)
        if (fuota_package_encode (&commands [i], &out))
            abort ();
}

static void
s_bench (const s_case_t *item)
{
    static fuota_command_t commands [FUOTA_COMMANDS_MAX];
    double decode = 1e9, encode = 1e9, begin = s_now (), middle, end;
    size_t count = 0;
    do {
        double start = s_now ();
        for (unsigned i = 0; i < s_loop; i++)
            count = s_decode (item, commands);
        middle = s_now ();
        for (unsigned i = 0; i < s_loop; i++)
            s_encode (commands, count);
        end = s_now ();
        if (middle - start < decode)
            decode = middle - start;
        if (end - middle < encode)
            encode = end - middle;
    } while (end - begin < s_budget);
    double calls = (double) s_loop;
    printf ("package_decode_%s %.1f ns\n", item->name, decode / calls * 1e9);
    printf ("package_decode_%s_rate %.2f M/s\n", item->name,
        calls * (double) count / decode * 1e-6);
    printf ("package_encode_%s %.1f ns\n", item->name, encode / calls * 1e9);
}

int
main (int argc, char **argv)
{
    static const s_case_t cases [] = {
        { "answer_v1", FUOTA_TS004, 1, FUOTA_UPLINK, 5, { 1, 26, 0, 0, 0 } },
        { "answer_v2", FUOTA_TS004, 2, FUOTA_UPLINK, 5, { 1, 0, 26, 0, 0 } },
        { "three_answers", FUOTA_TS003, 2, FUOTA_UPLINK, 15,
            { 0, 1, 2, 2, 0, 1, 2, 3, 4, 1, 1, 2, 3, 4, 5 } },
        { "group_setup", FUOTA_TS005, 2, FUOTA_DOWNLINK, 30, { 2 } },
        { "fragment", FUOTA_TS004, 1, FUOTA_DOWNLINK, 225, { 8, 1 } },
        { "full", FUOTA_TS003, 2, FUOTA_DOWNLINK, 242, { 0 } },
    };
    if (argc > 1 && strcmp (argv [1], "--smoke") == 0) {
        s_budget = 0;
        s_loop = 10;
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        s_bench (&cases [i]);
    return 0;
}
