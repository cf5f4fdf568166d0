//  SPDX-License-Identifier: MIT

#include "schema/error.h"

const char *
fuota_error_name (int code)
{
    static const char *const names [] = { "OK", "ESHORT", "ECOMMAND", "EVALUE",
        "EFULL", "ENOTFOUND", "EFORMAT", "EVERSION", "EDB", "EBUSY",
        "ECRYPTO" };
    int count = (int) (sizeof names / sizeof *names);
    return code <= 0 && code > -count ? names [-code] : "E?";
}
