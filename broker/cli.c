//  SPDX-License-Identifier: MIT

#include <string.h>
#include <time.h>
#include "broker/cli.h"
#include "schema/hex.h"

static bool
s_digit (char c)
{
    return c >= '0' && c <= '9';
}

static char
s_lower (char c)
{
    return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

static bool
s_same (const char *text, const char *lower)
{
    while (*text && s_lower (*text) == *lower)
        text++, lower++;
    return *text == 0 && *lower == 0;
}

bool
fuota_cli_number (const char *text, uint64_t max, uint64_t *value)
{
    uint64_t number = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        uint64_t digit = (uint64_t) (*text - '0');
        if (!s_digit (*text) || number > (max - digit) / 10 || digit > max)
            return false;
        number = number * 10 + digit;
    }
    *value = number;
    return true;
}

//  Digits with at most one point as a number of millionths.
static const char *
s_millionths (const char *text, uint64_t *value, bool *point)
{
    unsigned after = 0, digits = 0;
    *value = 0;
    *point = false;
    for (; s_digit (*text) || (*text == '.' && !*point); text++) {
        if (*text == '.') {
            *point = true;
            continue;
        }
        after += *point;
        if (++digits > 16 || after > 6)
            return NULL;
        *value = *value * 10 + (uint64_t) (*text - '0');
    }
    for (; after < 6; after++) {
        if (*value > UINT64_MAX / 10)
            return NULL;
        *value *= 10;
    }
    return digits ? text : NULL;
}

bool
fuota_cli_frequency (const char *text, uint32_t *hz)
{
    static const struct {
        const char *name;
        uint64_t hz;
    } units [] = { { "hz", 1 }, { "khz", 1000 }, { "mhz", 1000000 },
        { "ghz", 1000000000 } };
    uint64_t value, unit = 0;
    bool point;
    text = s_millionths (text, &value, &point);
    if (!text)
        return false;
    while (*text == ' ')
        text++;
    if (!*text)
        unit = point ? 1000000 : 1;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (s_same (text, units [i].name))
            unit = units [i].hz;
    if (!unit || value > UINT64_MAX / unit || value * unit % 1000000 ||
        value * unit / 1000000 > UINT32_MAX)
        return false;
    *hz = (uint32_t) (value * unit / 1000000);
    return true;
}

//  A DevEUI at the start of a text. Returns where it ends, NULL if there is
//  none.
static const char *
s_eui (const char *text, uint64_t *eui)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        uint8_t byte;
        if (i && (*text == ':' || *text == '-'))
            text++;
        if (!fuota_hex_byte (text, &byte))
            return NULL;
        text += 2;
        value = value << 8 | byte;
    }
    *eui = value;
    return text;
}

bool
fuota_cli_eui (const char *text, uint64_t *eui)
{
    uint64_t value;
    const char *end = s_eui (text, &value);
    if (!end || *end)
        return false;
    *eui = value;
    return true;
}

bool
fuota_cli_hex (const char *text, uint8_t *bytes, size_t *size)
{
    size_t count = 0;
    while (*text) {
        if (*text == ' ') {
            text++;
            continue;
        }
        if (count == *size)
            return false;
        if (!fuota_hex_byte (text, &bytes [count++]))
            return false;
        text += 2;
    }
    *size = count;
    return true;
}

//  "2026-01-31T12:00:00Z", digits where 0 stands
static bool
s_calendar (const char *text, int64_t *utc_ms)
{
    static const char form [] = "0000-00-00T00:00:00Z";
    static const uint8_t at [] = { 0, 5, 8, 11, 14, 17 };
    int number [6] = { 0 };
    if (strlen (text) != sizeof form - 1)
        return false;
    for (size_t i = 0; form [i]; i++)
        if (form [i] == '0' ? !s_digit (text [i]) : text [i] != form [i])
            return false;
    for (size_t i = 0; i < 6; i++)
        for (const char *c = text + at [i]; s_digit (*c); c++)
            number [i] = number [i] * 10 + (*c - '0');
    struct tm parts = { .tm_year = number [0] - 1900,
        .tm_mon = number [1] - 1,
        .tm_mday = number [2],
        .tm_hour = number [3],
        .tm_min = number [4],
        .tm_sec = number [5] };
    struct tm given = parts;
    time_t seconds = timegm (&parts);
    //  timegm carries what is too large over: the 31st of February
    if (parts.tm_mon != given.tm_mon || parts.tm_mday != given.tm_mday ||
        parts.tm_hour != given.tm_hour || parts.tm_min != given.tm_min)
        return false;
    *utc_ms = (int64_t) seconds * 1000;
    return true;
}

bool
fuota_cli_time (const char *text, int64_t *utc_ms)
{
    uint64_t number;
    if (strcmp (text, "now") == 0)
        *utc_ms = 0;
    else if (fuota_cli_number (text, INT64_MAX, &number))
        *utc_ms = (int64_t) number;
    else
        return s_calendar (text, utc_ms);
    return true;
}

bool
fuota_cli_redundancy (const char *text, uint32_t *count, uint32_t *percent)
{
    char digits [16];
    uint64_t number;
    size_t size = strlen (text);
    bool share = size && text [size - 1] == '%';
    size -= share;
    if (size >= sizeof digits)
        return false;
    memcpy (digits, text, size);
    digits [size] = 0;
    if (!fuota_cli_number (digits, UINT32_MAX, &number) || !number)
        return false;
    *(share ? percent : count) = (uint32_t) number;
    return true;
}

long
fuota_cli_devices (const char *text, uint64_t *devices, size_t *line)
{
    long count = 0;
    for (size_t number = 1; *text; number++) {
        uint64_t eui;
        text += strspn (text, " \t");
        if (*text && !strchr ("#\r\n", *text)) {
            text = s_eui (text, &eui);
            if (!text || (*text && !strchr (" \t,;#\r\n", *text))) {
                *line = number;
                return -1;
            }
            if (devices)
                devices [count] = eui;
            count++;
        }
        text += strcspn (text, "\n");
        text += *text == '\n';
    }
    return count;
}
