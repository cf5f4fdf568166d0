//  SPDX-License-Identifier: MIT
//
//  request - a client's request as bytes, and a reply from bytes. Pure.

#ifndef FUOTA_REQUEST_H
#define FUOTA_REQUEST_H

#include "control.pb.h"
#include "schema/bytes.h"

//  A request with the two parts that have no bound. All borrowed.
typedef struct {
    Request request;
    const uint64_t *devices;
    size_t device_count;
    fuota_slice_t image;  //  data NULL: none
} fuota_request_parts_t;

//  Encode into new memory, which the caller frees. NULL if there is none.
uint8_t *fuota_request_encode (const fuota_request_parts_t *parts,
    size_t *size);

//  Returns 0 or FUOTA_EFORMAT.
int fuota_request_reply (fuota_slice_t bytes, Reply *reply);

#endif
