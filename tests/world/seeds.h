//  SPDX-License-Identifier: MIT
//
//  seeds - worlds that a seed makes up: the dice, the operator, the run.
//
//  A test draws its plan, and whatever else it has, from the dice: the same
//  seed is the same world.

#ifndef FUOTA_SEEDS_H
#define FUOTA_SEEDS_H

#include "tests/world/world.h"

//  "TEST [FIRST [LAST]]": the seeds to run; 1 to 60 without.
typedef struct {
    uint64_t first, last;
} seeds_t;
seeds_t seeds_of (int argc, char **argv);

//  The dice from here on are that seed's.
void seeds_begin (uint64_t seed);

//  0 to limit - 1.
uint32_t seeds_below (uint32_t limit);

//  Up to most in so many of a hundred worlds, else 0.
uint32_t seeds_some (uint32_t of_hundred, uint32_t most);

//  What every made-up plan has after its devices and image: how it is sent,
//  repaired and cleaned up, and how many gateways there are.
void seeds_plan_sending (world_plan_t *plan);

//  Then when the engine is late, and when it crashes.
void seeds_plan_faults (world_plan_t *plan);

//  Pauses, resumes and cancels in so many of a hundred worlds, and now and then
//  the engine is away, and what is said meanwhile is kept for it, or not. All
//  goes on in the end. True if it was away.
bool seeds_operate (world_t *world, uint32_t of_hundred);

//  Until all is over; it fails if that does not come.
void seeds_run (world_t *world);

#endif
