//  SPDX-License-Identifier: MIT
//
//  sim_book - fragments as they were on air, kept once for all devices.
//
//  Ten thousand devices that receive the same block would each need a copy
//  of it until it can be rebuilt. They share a book instead: one for each
//  fragmentation session of a deployment, open as long as some device has
//  such a session. A device that heard other bytes than the book has keeps
//  those itself, so a wrong fragment is wrong for its hearers only.

#ifndef FUOTA_SIM_BOOK_H
#define FUOTA_SIM_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fuota_sim_shelf fuota_sim_shelf_t;  //  All books
typedef struct fuota_sim_book fuota_sim_book_t;

//  Create a shelf. Caller owns it. NULL if there is no memory.
fuota_sim_shelf_t *fuota_sim_shelf_new (void);
void fuota_sim_shelf_destroy (fuota_sim_shelf_t **self_p);

//  Bytes in fragments of all open books.
size_t fuota_sim_shelf_size (const fuota_sim_shelf_t *self);

//  Open the book of that key and fragment size; the shelf owns it. NULL if
//  there is no memory. Each opening needs one fuota_sim_book_close.
fuota_sim_book_t *fuota_sim_book_open (fuota_sim_shelf_t *shelf, uint64_t key,
    uint8_t frag_size);
void fuota_sim_book_close (fuota_sim_shelf_t *shelf, fuota_sim_book_t **book_p);

//  Write fragment N. True if the book has just these bytes now; false if it
//  had others, which stay, or has no room.
bool fuota_sim_book_put (fuota_sim_shelf_t *shelf, fuota_sim_book_t *self,
    uint32_t n, const uint8_t *data);

//  Fragment N, or NULL. Lives as long as the book is open.
const uint8_t *fuota_sim_book_get (const fuota_sim_book_t *self, uint32_t n);

#endif
