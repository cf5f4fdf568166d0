//  SPDX-License-Identifier: MIT
//
//  fec_bench - what this machine's kernels do, for an operator who sizes a
//  pool: one line each, "name value unit".

#ifndef FUOTA_FEC_BENCH_H
#define FUOTA_FEC_BENCH_H

#include <stdio.h>

//  Returns 0, or -1 if there is no memory.
int fuota_fec_bench (FILE *out);

#endif
