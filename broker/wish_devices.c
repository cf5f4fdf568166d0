//  SPDX-License-Identifier: MIT
//
//  The devices of a wish: how they are named, and what else they are in.

#include <stdlib.h>
#include <string.h>
#include "broker/wish_private.h"

#define DEVICE_FAULTS 8  //  Named one by one; the others are counted

static int
s_compare (const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;
    return x < y ? -1 : x > y;
}

void
fuota_wish_sort (uint64_t *devices, size_t count)
{
    if (count)
        qsort (devices, count, sizeof *devices, s_compare);
}

//  What is wrong with the i-th device, NULL if nothing is. Its FragIndexes
//  are added to indexes.
static const char *
s_device_fault (fuota_wish_check_t *self, size_t i, unsigned *indexes)
{
    const fuota_wish_facts_t *facts = self->facts;
    uint64_t eui = facts->devices [i];
    if (!eui)
        return "a DevEUI other than zero";
    if (i && facts->devices [i - 1] == eui)
        return "each device once";
    if (!facts->device)
        return NULL;
    fuota_wish_device_t other = { 0 };
    facts->device (facts->arg, eui, &self->deployment->dialect, &other);
    *indexes |= other.indexes;
    if (other.count >= FUOTA_WISH_DEVICE_MAX)
        return "devices in less than four unfinished deployments";
    if (other.conflicting)
        return "the versions and ports this device has in its other "
               "unfinished deployment";
    return NULL;
}

//  Every fragment bears the index, so it must be free on all devices.
static void
s_take_index (fuota_wish_check_t *self, unsigned used)
{
    uint32_t index = 0;
    while (index < FUOTA_WISH_DEVICE_MAX && used >> index & 1)
        index++;
    self->deployment->frag_index = index;
    if (index == FUOTA_WISH_DEVICE_MAX)
        fuota_faults_add (self->faults, "devices", "(together)",
            "devices with one of the FragIndexes 0 to 3 free on all of them; "
            "their unfinished deployments take all four");
}

//  By name, or by tags.
static void
s_check_selection (fuota_wish_check_t *self)
{
    const fuota_wish_t *wish = self->wish;
    const fuota_wish_facts_t *facts = self->facts;
    bool selects = wish->select_count || wish->all_devices, odd = false;
    char text [64] = "all_devices";
    for (pb_size_t i = 0; i < wish->select_count; i++)
        odd = odd || !*wish->select [i].key ||
              !fuota_wish_printable (wish->select [i].key) ||
              !fuota_wish_printable (wish->select [i].value);
    if (wish->select_count && !odd)
        snprintf (text, sizeof text, "%.24s=%.32s", wish->select [0].key,
            wish->select [0].value);
    if (odd)
        fuota_faults_add (self->faults, "select",
            "(empty, or control characters)",
            "keys of 1 to 32 characters, values of at most 64");
    else if (selects &&
             (facts->listed || (wish->select_count && wish->all_devices)))
        fuota_faults_add (self->faults, "select", text,
            "one of: devices, select, all_devices");
    else if (selects && !facts->device_count && !facts->no_application)
        fuota_faults_add (self->faults, "select", text,
            "tags that a device of the application has, all of them");
    else if (!selects && !facts->device_count)
        fuota_faults_add (self->faults, "devices", "none",
            "one DevEUI at least, or select, or all_devices");
}

void
fuota_wish_devices (fuota_wish_check_t *self)
{
    size_t wrong = 0;
    unsigned indexes = 0;
    s_check_selection (self);
    for (size_t i = 0; i < self->facts->device_count; i++) {
        const char *allowed = s_device_fault (self, i, &indexes);
        if (allowed && wrong++ < DEVICE_FAULTS)
            fuota_wish_fault_eui (self, "devices", self->facts->devices [i],
                allowed);
    }
    if (wrong > DEVICE_FAULTS)
        fuota_faults_add (self->faults, "devices",
            fuota_wish_number ((int64_t) wrong).text,
            "as above: so many devices are wrong, the first 8 are named");
    if (!wrong)
        s_take_index (self, indexes);
    self->deployment->block_ack_delay =
        fuota_plan_ack_delay ((uint32_t) self->facts->device_count);
}
