//  SPDX-License-Identifier: MIT
//
//  ts007 - the framing of Multi-Package Access: commands of several packages
//  in one payload on port 225.
//
//      [PackageID] CID body  [PackageID] CID body ...  CommandToken
//
//  PackageID is 0x80 + PackageIdentifier. Commands without one belong to the
//  access package at the start, later to the last one named. Commands are
//  read and written with the tables of package.h, where fuota_package_decode
//  knows the access package's own commands without this framing. Pure.

#ifndef FUOTA_TS007_H
#define FUOTA_TS007_H

#include "workers/package/package.h"

//  MultiPackBufferReq and the error form of MultiPackBufferFrag have none.
#define FUOTA_TS007_NO_TOKEN (-1)

typedef struct {
    fuota_command_t command;
    bool prefix;  //  Its PackageID stands before it
} fuota_ts007_item_t;

//  A payload taken apart. The caller owns items, and sets max to decode and
//  count to encode.
typedef struct {
    fuota_ts007_item_t *items;
    size_t max, count;
    int token;  //  0..3, or FUOTA_TS007_NO_TOKEN
} fuota_ts007_t;

//  Decode a payload of port 225. versions has the version of each package of
//  this device, by PackageIdentifier; that of the access package is 1
//  whatever stands there. Returns as fuota_package_decode does: what is whole
//  before an unknown package, an unknown or a cut command is kept. A
//  MultiPackBufferReq that is not alone is FUOTA_EVALUE with count 0, as a
//  device discards the whole set. Slices point into payload.
int fuota_ts007_decode (fuota_ts007_t *self,
    const uint8_t versions [FUOTA_PACKAGES], fuota_direction_t direction,
    const uint8_t *payload, size_t size);

//  Encode items and token. A prefix is written where an item asks for it, and
//  where the package changes. Returns 0; FUOTA_EVALUE if the token does not
//  fit the items or is out of range; or what fuota_package_encode returns. On
//  failure the writer is where it was.
int fuota_ts007_encode (const fuota_ts007_t *self, fuota_writer_t *out);

#endif
