//  SPDX-License-Identifier: MIT
//
//  Parts: EUIs and UUIDs, times, base64, topics.

#include <stdio.h>
#include <string.h>
#include "broker/host/chirpstack_text.h"
#include "schema/hex.h"

//  ---------------------------------------------------------------------
//  EUIs and UUIDs

void
fuota_chirpstack_eui (uint64_t eui, char out [17])
{
    uint8_t bytes [8];
    for (unsigned i = 0; i < 8; i++)
        bytes [i] = (uint8_t) (eui >> (56 - 8 * i));
    fuota_hex (bytes, 8, out);
}

bool
fuota_chirpstack_uneui (const char *text, uint64_t *eui)
{
    uint8_t bytes [8];
    if (!fuota_unhex (text, bytes, 8))
        return false;
    *eui = fuota_be (bytes, 8);
    return true;
}

//  Does a hyphen stand before byte i of a UUID?
static bool
s_hyphen (unsigned i)
{
    return i == 4 || i == 6 || i == 8 || i == 10;
}

void
fuota_chirpstack_uuid (const uint8_t bytes [16], char out [37])
{
    for (unsigned i = 0; i < 16; i++, out += 2) {
        if (s_hyphen (i))
            *out++ = '-';
        fuota_hex (bytes + i, 1, out);
    }
}

bool
fuota_chirpstack_unuuid (const char *text, uint8_t bytes [16])
{
    for (unsigned i = 0; i < 16; i++, text += 2) {
        if (s_hyphen (i) && *text++ != '-')
            return false;
        if (!fuota_hex_byte (text, &bytes [i]))
            return false;
    }
    return *text == 0;
}

//  ---------------------------------------------------------------------
//  Times

//  Days since 1970 of a date of the Gregorian calendar, and back.
static int64_t
s_days (int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t shifted = month > 2 ? month - 3 : month + 9;
    int64_t of_year = (153 * shifted + 2) / 5 + day - 1;
    return year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719468;
}

//  Days since 0000-03-01 in, year, month and day out.
static void
s_date (int64_t days, int *year, int *month, int *day)
{
    int64_t era = days / 146097;
    int64_t rest = days % 146097;
    int64_t y = (rest - rest / 1460 + rest / 36524 - rest / 146096) / 365;
    int64_t of_year = rest - (365 * y + y / 4 - y / 100);
    int64_t shifted = (5 * of_year + 2) / 153;
    *day = (int) (of_year - (153 * shifted + 2) / 5 + 1);
    *month = (int) (shifted < 10 ? shifted + 3 : shifted - 9);
    *year = (int) (y + era * 400 + (*month <= 2));
}

void
fuota_chirpstack_time (int64_t at, char out [32])
{
    int year, month, day;
    unsigned seconds = (unsigned) (at / 1000 % 86400);
    s_date (at / 86400000 + 719468, &year, &month, &day);
    snprintf (out, 32, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
        (unsigned) year % 10000u, (unsigned) month % 100u,
        (unsigned) day % 100u, seconds / 3600 % 100u, seconds / 60 % 60,
        seconds % 60, (unsigned) (at % 1000) % 1000u);
}

//  A number of exactly so many digits, then that character.
static bool
s_number (const char **text, unsigned digits, char after, int64_t *number)
{
    *number = 0;
    for (unsigned i = 0; i < digits; i++, ++*text) {
        if (**text < '0' || **text > '9')
            return false;
        *number = *number * 10 + (**text - '0');
    }
    if (after && **text != after)
        return false;
    *text += after != 0;
    return true;
}

//  ".250" and any number of digits more; nothing is 0.
static int64_t
s_millis (const char **text)
{
    int64_t millis = 0, weight = 100;
    if (**text != '.')
        return 0;
    for (++*text; **text >= '0' && **text <= '9'; ++*text, weight /= 10)
        millis += (**text - '0') * weight;
    return millis;
}

//  "Z" or "+01:00" at the end, in milliseconds.
static bool
s_offset (const char *text, int64_t *offset)
{
    int64_t hours, minutes;
    char sign = *text;
    *offset = 0;
    if (sign == 'Z' || sign == 'z')
        return text [1] == 0;
    if (sign != '+' && sign != '-')
        return false;
    text++;
    if (!s_number (&text, 2, ':', &hours) ||
        !s_number (&text, 2, 0, &minutes) || *text)
        return false;
    *offset = (hours * 60 + minutes) * 60000;
    if (sign == '-')
        *offset = -*offset;
    return true;
}

bool
fuota_chirpstack_untime (const char *text, int64_t *at)
{
    int64_t year, month, day, hour, minute, second, offset;
    if (!s_number (&text, 4, '-', &year) || !s_number (&text, 2, '-', &month) ||
        !s_number (&text, 2, 0, &day) || (*text != 'T' && *text != 't'))
        return false;
    text++;
    if (!s_number (&text, 2, ':', &hour) ||
        !s_number (&text, 2, ':', &minute) || !s_number (&text, 2, 0, &second))
        return false;
    int64_t millis = s_millis (&text);
    if (!s_offset (text, &offset) || year < 1970 || month < 1 || month > 12 ||
        day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
        return false;
    *at = (s_days (year, month, day) * 86400 + hour * 3600 + minute * 60 +
              second) *
              1000 +
          millis - offset;
    return true;
}

bool
fuota_chirpstack_unduration (const char *text, int64_t *ms)
{
    int64_t seconds = 0;
    unsigned digits = 0;
    for (; *text >= '0' && *text <= '9' && digits < 12; text++, digits++)
        seconds = seconds * 10 + (*text - '0');
    *ms = seconds * 1000 + s_millis (&text);
    return digits && text [0] == 's' && text [1] == 0;
}

//  ---------------------------------------------------------------------
//  Base64

static int
s_sextet (char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

bool
fuota_chirpstack_unbase64 (const char *text, uint8_t *bytes, size_t *size)
{
    size_t at = 0, digits = 0, padding = 0;
    uint32_t bits = 0;
    int value;
    for (; (value = s_sextet (*text)) >= 0; text++) {
        bits = bits << 6 | (uint32_t) value;
        if (++digits % 4 == 1)
            continue;  //  Six bits are no byte yet
        if (at == *size)
            return false;
        bytes [at++] = (uint8_t) (bits >> (6 - 2 * ((digits - 1) % 4)));
    }
    for (; *text == '='; text++)
        padding++;
    if (*text || digits % 4 == 1 || (padding && (digits + padding) % 4) ||
        padding > 2)
        return false;
    *size = at;
    return true;
}

void
fuota_chirpstack_base64 (const uint8_t *bytes, size_t size, char *out)
{
    static const char digits [] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t bits = (uint32_t) bytes [i] << 16;
        if (left > 1)
            bits |= (uint32_t) bytes [i + 1] << 8;
        if (left > 2)
            bits |= bytes [i + 2];
        *out++ = digits [bits >> 18];
        *out++ = digits [bits >> 12 & 63];
        *out++ = left > 1 ? digits [bits >> 6 & 63] : '=';
        *out++ = left > 2 ? digits [bits & 63] : '=';
    }
    *out = 0;
}

//  ---------------------------------------------------------------------
//  Topics

//  Where a level's placeholder puts its value; NULL if there is none. The
//  level is text up to size; before and after are the bytes around it.
static char *
s_place (const char *level, size_t size, fuota_chirpstack_topic_t *values,
    size_t *room, size_t *before, size_t *after)
{
    static const struct {
        const char *name;
        size_t at, room;
    } places [] = {
        { "{{application_id}}",
            offsetof (fuota_chirpstack_topic_t, application), 40 },
        { "{{dev_eui}}", offsetof (fuota_chirpstack_topic_t, dev_eui), 16 },
        { "{{event}}", offsetof (fuota_chirpstack_topic_t, word), 16 },
        { "{{command}}", offsetof (fuota_chirpstack_topic_t, word), 16 },
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *at = strstr (level, places [i].name);
        if (!at || at >= level + size)
            continue;
        *before = (size_t) (at - level);
        *after = size - *before - strlen (places [i].name);
        *room = places [i].room;
        return (char *) values + places [i].at;
    }
    return NULL;
}

typedef enum { FILTER, FILL } s_write_t;

static bool
s_write (const char *pattern, s_write_t what, fuota_chirpstack_topic_t *values,
    char *out, size_t size)
{
    fuota_writer_t writer = fuota_writer (out, size);
    for (;;) {
        size_t level = strcspn (pattern, "/"), room, before, after;
        char *place = s_place (pattern, level, values, &room, &before, &after);
        if (!place)
            fuota_writer_copy (&writer, pattern, level);
        else if (what == FILTER)
            fuota_writer_u8 (&writer, '+');
        else {
            fuota_writer_copy (&writer, pattern, before);
            fuota_writer_copy (&writer, place, strlen (place));
            fuota_writer_copy (&writer, pattern + level - after, after);
        }
        pattern += level;
        if (!*pattern)
            break;
        fuota_writer_u8 (&writer, '/');
        pattern++;
    }
    fuota_writer_u8 (&writer, 0);
    return writer.rc == 0;
}

bool
fuota_chirpstack_filter (const char *pattern, char *out, size_t size)
{
    fuota_chirpstack_topic_t unused = { { 0 }, { 0 }, { 0 } };
    return s_write (pattern, FILTER, &unused, out, size);
}

bool
fuota_chirpstack_fill (const char *pattern,
    const fuota_chirpstack_topic_t *values, char *out, size_t size)
{
    fuota_chirpstack_topic_t copy = *values;
    return s_write (pattern, FILL, &copy, out, size);
}

static bool
s_level (const char *pattern, size_t level, const char *topic, size_t size,
    fuota_chirpstack_topic_t *out)
{
    size_t room, before, after;
    char *place = s_place (pattern, level, out, &room, &before, &after);
    if (!place)
        return level == size && memcmp (pattern, topic, size) == 0;
    if (size <= before + after || size - before - after > room ||
        memcmp (pattern, topic, before) ||
        memcmp (pattern + level - after, topic + size - after, after))
        return false;
    memcpy (place, topic + before, size - before - after);
    place [size - before - after] = 0;
    return true;
}

bool
fuota_chirpstack_match (const char *pattern, const char *topic,
    fuota_chirpstack_topic_t *out)
{
    *out = (fuota_chirpstack_topic_t){ { 0 }, { 0 }, { 0 } };
    for (;;) {
        size_t level = strcspn (pattern, "/");
        size_t size = strcspn (topic, "/");
        if (!s_level (pattern, level, topic, size, out))
            return false;
        pattern += level;
        topic += size;
        if (!*pattern || !*topic)
            return *pattern == *topic;
        pattern++;
        topic++;
    }
}
