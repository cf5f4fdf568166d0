//  SPDX-License-Identifier: MIT

//  fopencookie is of the C library's own
#define _GNU_SOURCE
#include <czmq.h>
#include "broker/log.h"

static const char s_letters [] = "EWID";  //  CZMQ's, the gravest first
static size_t s_kept = sizeof s_letters - 1;

//  Called with whole lines: the stream is line buffered.
static ssize_t
s_write (void *cookie, const char *line, size_t size)
{
    (void) cookie;
    const char *level = size ? strchr (s_letters, *line) : NULL;
    bool drop = level && *level && (size_t) (level - s_letters) >= s_kept;
    if (!drop && fwrite (line, 1, size, stderr) != size)
        return 0;
    return (ssize_t) size;
}

void
fuota_log_open (const char *level)
{
    static const char *const levels [] = { "error", "warning", "info",
        "debug" };
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (streq (level, levels [i]))
            s_kept = i + 1;
    cookie_io_functions_t functions = { .write = s_write };
    FILE *stream = fopencookie (NULL, "w", functions);
    assert (stream);
    setvbuf (stream, NULL, _IOLBF, 1024);
    zsys_set_logstream (stream);
}
