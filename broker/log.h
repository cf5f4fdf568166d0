//  SPDX-License-Identifier: MIT
//
//  log - which lines of the log are kept, and where they go.
//
//  The actors log through CZMQ, which writes every line; this stands behind
//  its stream and drops those below a level. Shell; before the first actor.

#ifndef FUOTA_LOG_H
#define FUOTA_LOG_H

//  Levels: "error", "warning", "info", "debug". Lines go to standard error.
//  An unknown level keeps all.
void fuota_log_open (const char *level);

#endif
