//  SPDX-License-Identifier: MIT

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "broker/known.h"

void
fuota_known_release (fuota_known_t *self)
{
    free (self->devices);
    free (self->busy);
    *self = (fuota_known_t){ .over = false };
}

void
fuota_known_end (fuota_known_t *self, const char *words)
{
    self->over = true;
    if (!*self->fault)
        snprintf (self->fault, sizeof self->fault, "%s", words);
}

void
fuota_known_find (fuota_known_t *self, const char *what, FindingLevel level,
    const char *words, const char *advice)
{
    if (self->finding_count == FUOTA_KNOWN_FINDINGS) {
        self->findings_left_out = true;
        return;
    }
    fuota_finding_t *finding = &self->findings [self->finding_count++];
    *finding = (fuota_finding_t){ .level = level };
    snprintf (finding->what, sizeof finding->what, "%s", what);
    snprintf (finding->words, sizeof finding->words, "%s", words);
    snprintf (finding->advice, sizeof finding->advice, "%s", advice);
}

static const char *
s_take_kinds (fuota_known_t *self, const fuota_answer_t *answer)
{
    for (pb_size_t i = 0; i < answer->kinds_count; i++) {
        if (self->kind_count == FUOTA_KNOWN_KINDS)
            return "more than 64 kinds of devices";
        if (answer->kinds [i].number != self->kind_count)
            return "kinds of devices out of order";
        self->kinds [self->kind_count++] = answer->kinds [i];
    }
    return NULL;
}

static const char *
s_take_devices (fuota_known_t *self, const fuota_answer_t *answer)
{
    size_t count = self->device_count + answer->devices_count;
    if (answer->devices_count != answer->kind_of_count)
        return "devices without a kind";
    if (count > FUOTA_KNOWN_DEVICES)
        return "more than a million devices";
    if (count > self->device_room) {
        size_t room = count * 2;
        fuota_known_device_t *devices =
            realloc (self->devices, room * sizeof *devices);
        if (!devices)
            return "out of memory";
        self->devices = devices;
        self->device_room = room;
    }
    for (pb_size_t i = 0; i < answer->devices_count; i++) {
        if (answer->kind_of [i] >= self->kind_count)
            return "a device of a kind that was not told";
        self->devices [self->device_count++] =
            (fuota_known_device_t){ answer->devices [i], answer->kind_of [i] };
    }
    return NULL;
}

static const char *
s_take_busy (fuota_known_t *self, const fuota_answer_t *answer)
{
    if (!answer->busy_count)
        return NULL;
    size_t count = self->busy_count + answer->busy_count;
    uint64_t *busy = count > FUOTA_KNOWN_BUSY
                         ? NULL
                         : realloc (self->busy, count * sizeof *busy);
    if (!busy)
        return "too many devices in its own FUOTA deployments";
    self->busy = busy;
    memcpy (busy + self->busy_count, answer->busy,
        answer->busy_count * sizeof *busy);
    self->busy_count = count;
    return NULL;
}

//  A host's words come from outside, and end on terminals.
static void
s_plain (char *text)
{
    for (; *text; text++)
        if ((unsigned char) *text < 0x20 || *text == 0x7f)
            *text = '?';
}

void
fuota_known_take (fuota_known_t *self, const fuota_answer_t *answer)
{
    if (self->over)
        return;
    for (pb_size_t i = 0; i < answer->findings_count; i++) {
        fuota_finding_t finding = answer->findings [i];
        s_plain (finding.what);
        s_plain (finding.words);
        s_plain (finding.advice);
        fuota_known_find (self, finding.what, finding.level, finding.words,
            finding.advice);
    }
    const char *fault = s_take_kinds (self, answer);
    if (!fault)
        fault = s_take_devices (self, answer);
    if (!fault)
        fault = s_take_busy (self, answer);
    if (!fault && *answer->fault)
        fault = answer->fault;
    if (fault)
        fuota_known_end (self, fault);
    s_plain (self->fault);
    self->no_application = self->no_application || answer->no_application;
    self->over = self->over || answer->last;
}

//  ---------------------------------------------------------------------
//  Order

static int
s_compare (const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;
    return x < y ? -1 : x > y;
}

static int
s_compare_device (const void *a, const void *b)
{
    const fuota_known_device_t *x = a, *y = b;
    return s_compare (&x->dev_eui, &y->dev_eui);
}

void
fuota_known_sort (fuota_known_t *self)
{
    size_t kept = 0;
    if (self->device_count)
        qsort (self->devices, self->device_count, sizeof *self->devices,
            s_compare_device);
    //  A device added while the host told its pages may be told twice
    for (size_t i = 0; i < self->device_count; i++)
        if (!kept ||
            self->devices [kept - 1].dev_eui != self->devices [i].dev_eui)
            self->devices [kept++] = self->devices [i];
    self->device_count = kept;
    if (self->busy_count)
        qsort (self->busy, self->busy_count, sizeof *self->busy, s_compare);
}

const fuota_known_device_t *
fuota_known_device (const fuota_known_t *self, uint64_t dev_eui)
{
    size_t low = 0, high = self->device_count;
    while (low < high) {
        size_t at = low + (high - low) / 2;
        if (self->devices [at].dev_eui == dev_eui)
            return &self->devices [at];
        if (self->devices [at].dev_eui < dev_eui)
            low = at + 1;
        else
            high = at;
    }
    return NULL;
}
