//  SPDX-License-Identifier: MIT
//
//  error - the one list of codes a pure function can return.
//
//  Zero is success, codes are negative. A function that fails has changed
//  nothing its caller can see, unless its header says otherwise.

#ifndef FUOTA_ERROR_H
#define FUOTA_ERROR_H

enum {
    FUOTA_ESHORT = -1,     //  Input ends early; what was whole before it stands
    FUOTA_ECOMMAND = -2,   //  Unknown command; what came before it stands
    FUOTA_EVALUE = -3,     //  A value is outside its range
    FUOTA_EFULL = -4,      //  No room in the caller's memory or in the database
    FUOTA_ENOTFOUND = -5,  //  There is no such thing
    FUOTA_EFORMAT = -6,    //  A record or message was not understood
    FUOTA_EVERSION = -7,   //  Made by a version we do not know
    FUOTA_EDB = -8,        //  The database failed; nothing was written
    FUOTA_EBUSY = -9,      //  Somebody else has it now; try later
    FUOTA_ECRYPTO = -10,   //  The cipher library failed; output is not written
};

//  Name of a code, such as "ESHORT"; "OK" for 0, "E?" if there is none.
const char *fuota_error_name (int code);

#endif
