//  SPDX-License-Identifier: MIT

#include <stdarg.h>
#include <stdio.h>
#include "broker/faults.h"

void
fuota_faults_add (fuota_faults_t *self, const char *field, const char *value,
    const char *allowed, ...)
{
    if (self->count == FUOTA_FAULTS_MAX) {
        self->left_out = true;
        return;
    }
    fuota_fault_t *fault = &self->list [self->count++];
    snprintf (fault->field, sizeof fault->field, "%s", field);
    snprintf (fault->value, sizeof fault->value, "%s", value);
    va_list args;
    va_start (args, allowed);
    vsnprintf (fault->allowed, sizeof fault->allowed, allowed, args);
    va_end (args);
}
