//  SPDX-License-Identifier: MIT
//
//  store - the only writer: group commit of batches.
//
//  It takes what is waiting (at most 256 batches or 4 MiB), applies all in
//  one transaction, syncs once, and answers each. While one commit runs the
//  next group gathers. It waits for nobody, so every chain of waiting ends
//  here. A fault of the disk is final: it says so on its pipe, answers
//  nobody, and the process stops with the last commit on disk.
//
//  inproc://store (ROUTER; clients are REQ or DEALER)
//      client: [batch]             bytes of a fuota_batch_t
//      store:  [rc]                one byte: 0, or 1 = FUOTA_EFORMAT, refused
//  inproc://journal (PUB)
//      store:  [line]              each JournalLine once committed, in order
//  inproc://outbox (PUSH, never waits)
//      store:  ["W"]               rows may have changed; may be lost
//
//  Pipe
//      S: FAULT words              could not write; must stop
//      C: $TERM

#ifndef FUOTA_STORE_H
#define FUOTA_STORE_H

#include <czmq.h>
#include "schema/db.h"

//  args is the fuota_db_t, borrowed.
void fuota_store_actor (zsock_t *pipe, void *args);

//  Commit one batch through sock, a REQ connected to the store, and wait.
//  Returns 0, or -1 if it was refused or we were interrupted.
int fuota_store_commit (zsock_t *sock, const fuota_batch_t *batch);

#endif
