//  SPDX-License-Identifier: MIT
//
//  spawn - local FEC workers: started, started again with back-off, stopped.
//
//  Shell; belongs to one thread. Time is steady milliseconds. One file
//  descriptor becomes readable when a worker has ended.

#ifndef FUOTA_SPAWN_H
#define FUOTA_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fuota_spawn fuota_spawn_t;

//  The program to run: the one given, or if that is empty fuota-fec beside
//  our own executable. Returns 0, or -1 if it cannot be run.
int fuota_spawn_find (const char *given, char *path, size_t size);

//  So many workers of program, to connect to endpoint and share the parity
//  environment in folder. Nothing runs before the first tick. NULL if there
//  is no memory or no descriptor. Caller owns it; destroying stops them all.
fuota_spawn_t *fuota_spawn_new (const char *program, const char *endpoint,
    const char *parity, size_t count);
void fuota_spawn_destroy (fuota_spawn_t **self_p);

//  Start what is due. Faults are logged, and tried again later.
void fuota_spawn_tick (fuota_spawn_t *self, int64_t now);
int64_t fuota_spawn_due (const fuota_spawn_t *self);

int fuota_spawn_fd (const fuota_spawn_t *self);

//  A worker that has ended, its process id, or 0 if there is none. It is
//  started again after a while, unless it ended by being told to.
uint32_t fuota_spawn_reap (fuota_spawn_t *self, int64_t now);

//  Workers running, and starts so far.
size_t fuota_spawn_running (const fuota_spawn_t *self, uint64_t *starts);

#endif
