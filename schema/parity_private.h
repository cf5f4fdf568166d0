//  SPDX-License-Identifier: MIT
//
//  parity_private - what the parts of the parity environment share: its
//  tables and their keys.

#ifndef FUOTA_PARITY_PRIVATE_H
#define FUOTA_PARITY_PRIVATE_H

#include <lmdb.h>
#include "schema/parity.h"

#define FUOTA_PARITY_BLOCK_KEY 38

enum {
    FUOTA_PARITY_META,   //  "format", "bytes" -> 8
    FUOTA_PARITY_IMAGE,  //  SHA-256 -> its bytes
    FUOTA_PARITY_USE,    //  SHA-256 -> stamp (8), bytes (8)
    FUOTA_PARITY_AGE,    //  stamp (8), SHA-256 -> nothing
    FUOTA_PARITY_BLOCK,  //  SHA-256, rule (1), frag_size (1), NbFrag (2),
                         //  block (2) -> rows
    FUOTA_PARITY_TABLES
};

struct fuota_parity {
    MDB_env *env;
    MDB_dbi dbi [FUOTA_PARITY_TABLES];
    char boot [4096];  //  The broker's: file that says it is open
    char error [160];
};

//  Words for a failure of LMDB or the system. Returns FUOTA_EFULL or FUOTA_EDB.
int fuota_parity_fault (fuota_parity_t *self, const char *what, int rc);

MDB_val fuota_parity_block_key (uint8_t data [FUOTA_PARITY_BLOCK_KEY],
    const fuota_parity_key_t *key, uint32_t block);

//  What all images and blocks take, in pages.
uint64_t fuota_parity_bytes (fuota_parity_t *self, MDB_txn *txn);

#endif
