//  SPDX-License-Identifier: MIT

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "broker/host/device_kind.h"

#define PREFIX "fuota_"
#define AT(field) offsetof (fuota_kind_t, field)

typedef enum { VERSION, NUMBER } s_form_t;

static const struct {
    const char *key;  //  After the prefix
    size_t offset;
    s_form_t form;
    uint32_t max;
    const char *allowed;
} s_tags [] = {
    { "ts003", AT (ts003), VERSION, 0, "1.0.0, 2.0.0 or none" },
    { "ts004", AT (ts004), VERSION, 0, "1.0.0 or 2.0.0" },
    { "ts005", AT (ts005), VERSION, 0, "1.0.0 or 2.0.0" },
    { "port003", AT (port003), NUMBER, 223, "1 to 223" },
    { "port004", AT (port004), NUMBER, 223, "1 to 223" },
    { "port005", AT (port005), NUMBER, 223, "1 to 223" },
    { "max_nb_frag", AT (max_nb_frag), NUMBER, 16382, "1 to 16382" },
    { "max_frag_size", AT (max_frag_size), NUMBER, 255, "1 to 255" },
};
#define TAGS (sizeof s_tags / sizeof *s_tags)

static uint32_t *
s_field (fuota_kind_t *self, size_t i)
{
    return (uint32_t *) (void *) ((char *) self + s_tags [i].offset);
}

//  "1", "1.0.0", "v1.0.0" by its first digit. 0 if it is none of ours.
static uint32_t
s_version (const char *text)
{
    text += *text == 'v';
    bool good = (*text == '1' || *text == '2') &&
                (!text [1] || !strcmp (text + 1, ".0.0"));
    return good ? (uint32_t) (*text - '0') : 0;
}

static uint32_t
s_number (const char *text, uint32_t max)
{
    uint32_t number = 0;
    if (!*text || strlen (text) > 5)
        return 0;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return 0;
        number = number * 10 + (uint32_t) (*text - '0');
    }
    return number <= max ? number : 0;
}

void
fuota_device_kind_tag (fuota_kind_t *self, const char *key, const char *value)
{
    size_t prefix = strlen (PREFIX), i = 0;
    if (strncmp (key, PREFIX, prefix) != 0)
        return;
    while (i < TAGS && strcmp (s_tags [i].key, key + prefix) != 0)
        i++;
    if (i == TAGS)
        return;
    if (i == 0 && strcmp (value, "none") == 0) {
        self->no_ts003 = true;
        return;
    }
    uint32_t number = s_tags [i].form == VERSION
                          ? s_version (value)
                          : s_number (value, s_tags [i].max);
    *s_field (self, i) = number;
    if (!number)
        snprintf (self->fault, sizeof self->fault, "tag %s: %.32s; allowed %s",
            key, value, s_tags [i].allowed);
}

void
fuota_device_kind_inherit (fuota_kind_t *self, const fuota_kind_t *profile)
{
    fuota_kind_t from = *profile;
    if (!self->ts003)
        self->no_ts003 = self->no_ts003 || from.no_ts003;
    for (size_t i = 0; i < TAGS; i++)
        if (!*s_field (self, i))
            *s_field (self, i) = *s_field (&from, i);
    if (self->no_ts003)
        self->ts003 = 0;
    if (!*self->fault)
        memcpy (self->fault, from.fault, sizeof self->fault);
    self->host_ts003 = from.host_ts003;
    self->host_ts004 = from.host_ts004;
    self->host_ts005 = from.host_ts005;
}

bool
fuota_device_kind_same (const fuota_kind_t *a, const fuota_kind_t *b)
{
    fuota_kind_t x = *a, y = *b;
    for (size_t i = 0; i < TAGS; i++)
        if (*s_field (&x, i) != *s_field (&y, i))
            return false;
    return x.no_ts003 == y.no_ts003 && strcmp (x.fault, y.fault) == 0;
}
