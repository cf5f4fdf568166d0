//  SPDX-License-Identifier: MIT
//
//  A configuration as text. It is taken, or it has faults; and then what was
//  taken is within its bounds.

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "broker/config.h"

//  libconfig 1.5 loses the string it is in when the text ends there. A process
//  reads one file and ends if that is wrong.
const char *__lsan_default_suppressions (void);

const char *
__lsan_default_suppressions (void)
{
    return "leak:libconfig";
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static fuota_config_t config;
    char *text = malloc (size + 1), *faults = NULL;
    assert (text);
    memcpy (text, data, size);
    text [size] = 0;
    //  An include would read files of this machine
    if (strstr (text, "@include")) {
        free (text);
        return 0;
    }
    size_t said;
    FILE *stream = open_memstream (&faults, &said);
    assert (stream);
    int rc = fuota_config_parse (&config, text, "fuzz", stream);
    fclose (stream);
    assert ((rc == 0) == (said == 0));
    if (rc == 0) {
        assert (config.time_scale >= 1);
        assert (config.deploy.quorum >= 1 && config.deploy.quorum <= 100);
        assert (config.profile_count <= FUOTA_CONFIG_PROFILES);
        assert (strlen (config.state_folder) > 0);
    }
    free (faults);
    free (text);
    return 0;
}
