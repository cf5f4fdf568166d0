//  SPDX-License-Identifier: MIT
//
//  replay - run a fuzz target over files, for compilers without libFuzzer.
//
//  Each argument is a file or a folder of files. Every input is also tried
//  cut at each of its first 64 lengths and with single bits flipped, so a
//  small corpus still reaches the error paths. The bits are those that change
//  a protobuf tag's wire type, its field, and whether another byte follows.

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

//  A copy of its own size, so that a sanitizer sees every over-read.
static void
s_try (const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc (size ? size : 1);
    if (!copy)
        abort ();
    if (size)
        memcpy (copy, data, size);
    LLVMFuzzerTestOneInput (copy, size);
    free (copy);
}

static int
s_file (const char *path)
{
    FILE *file = fopen (path, "rb");
    if (!file)
        return -1;
    static uint8_t data [1 << 20];
    size_t size = fread (data, 1, sizeof data, file);
    fclose (file);
    static const uint8_t flips [] = { 1, 8, 128 };
    s_try (data, size);
    for (size_t cut = 0; cut < size && cut < 64; cut++)
        s_try (data, cut);
    for (size_t at = 0; at < size && at < 256; at++)
        for (size_t i = 0; i < sizeof flips; i++) {
            data [at] ^= flips [i];
            s_try (data, size);
            data [at] ^= flips [i];
        }
    return 0;
}

int
main (int argc, char **argv)
{
    unsigned inputs = 0;
    for (int i = 1; i < argc; i++) {
        struct stat info;
        if (stat (argv [i], &info)) {
            perror (argv [i]);
            return 1;
        }
        if (!S_ISDIR (info.st_mode)) {
            inputs += s_file (argv [i]) == 0;
            continue;
        }
        DIR *dir = opendir (argv [i]);
        for (struct dirent *entry; dir && (entry = readdir (dir));) {
            char path [4096];
            if (entry->d_name [0] == '.')
                continue;
            snprintf (path, sizeof path, "%s/%s", argv [i], entry->d_name);
            inputs += s_file (path) == 0;
        }
        if (dir)
            closedir (dir);
    }
    printf ("%u inputs replayed\n", inputs);
    return inputs ? 0 : 1;
}
