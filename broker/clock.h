//  SPDX-License-Identifier: MIT
//
//  clock - the engine's time: UTC milliseconds, or faster in a simulation.
//
//  The one place that reads the clock. With a scale other than 1 time runs
//  from origin on at that many times its speed; since origin is a setting, a
//  restarted process goes on in the same time. Shells only.

#ifndef FUOTA_CLOCK_SHELL_H
#define FUOTA_CLOCK_SHELL_H

#include <stdbool.h>
#include <stdint.h>

//  Set once, before the first actor starts.
void fuota_clock_set (uint32_t scale, int64_t origin);

int64_t fuota_clock_now (void);

//  False for five minutes after the clock has jumped by more than two seconds
//  against the time since boot. For one thread. A scaled clock never jumps.
bool fuota_clock_trusted (void);

//  Does a time service keep the system's clock, as the kernel has it? With
//  words for people. Any thread.
bool fuota_clock_synchronised (const char **words);

//  Real milliseconds to wait until that engine time, for a poller: 0 if it
//  has come, at most limit.
int fuota_clock_wait (int64_t at, int limit);

#endif
