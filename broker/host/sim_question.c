//  SPDX-License-Identifier: MIT
//
//  What the simulated network answers to questions.

#include <stdio.h>
#include <string.h>
#include "broker/host/sim_network.h"

#define VERSIONS 2  //  Kinds of devices: those of version 1, those of 2

static bool
s_two (const fuota_sim_device_t *device)
{
    return device->ts004 >= 2;
}

static void
s_find (fuota_answer_t *answer, const char *what, const char *words)
{
    fuota_finding_t *finding = &answer->findings [answer->findings_count++];
    snprintf (finding->what, sizeof finding->what, "%s", what);
    snprintf (finding->words, sizeof finding->words, "%s", words);
}

static void
s_check (const fuota_sim_t *self, const char *application,
    fuota_answer_t *answer)
{
    const fuota_sim_config_t *config = &self->world.config;
    char words [128];
    uint32_t two = 0, dead = 0;
    for (uint32_t i = 0; i < config->devices; i++) {
        two += s_two (&self->node [i].device);
        dead += self->node [i].device.dead;
    }
    s_find (answer, "host", "the simulated network");
    if (*application && strcmp (application, config->application) != 0) {
        char none [64];
        snprintf (none, sizeof none, "%.40s: there is none", application);
        s_find (answer, "application", none);
        answer->findings [1].level = FUOTA_FINDING_WRONG;
        snprintf (answer->findings [1].advice,
            sizeof answer->findings [1].advice,
            "the simulated devices are in %s", config->application);
        return;
    }
    snprintf (words, sizeof words, "%s: %u devices, %u of version 2, %u silent",
        config->application, (unsigned) config->devices, (unsigned) two,
        (unsigned) dead);
    s_find (answer, "application", words);
    snprintf (words, sizeof words, "%u online", (unsigned) config->gateways);
    s_find (answer, "gateways", words);
}

static void
s_kinds (const fuota_sim_config_t *config, fuota_answer_t *answer)
{
    for (uint32_t i = 0; i < VERSIONS; i++) {
        fuota_kind_t *kind = &answer->kinds [answer->kinds_count++];
        *kind = (fuota_kind_t){ .number = i,
            .ts003 = i ? 2 : config->ts003,
            .ts004 = i ? 2 : config->ts004,
            .ts005 = i ? 2 : config->ts005,
            .no_ts003 = !config->ts003 };
        if (!config->ts003)
            kind->ts003 = 0;
        snprintf (kind->profile_id, sizeof kind->profile_id, "sim-%u",
            (unsigned) i + 1);
        snprintf (kind->profile_name, sizeof kind->profile_name,
            "simulated device, version %u", (unsigned) i + 1);
    }
}

static bool
s_has (const fuota_sim_device_t *device, uint32_t i, const fuota_tag_t *tag)
{
    char lot [2] = { (char) ('0' + i % 10) };
    if (strcmp (tag->key, "model") == 0)
        return strcmp (tag->value, s_two (device) ? "sim-2" : "sim-1") == 0;
    return strcmp (tag->key, "lot") == 0 && strcmp (tag->value, lot) == 0;
}

static bool
s_selected (const fuota_sim_t *self, uint32_t i,
    const fuota_question_t *question)
{
    bool named = question->devices_count == 0;
    for (pb_size_t k = 0; k < question->devices_count; k++)
        named = named || question->devices [k] == self->node [i].device.dev_eui;
    if (!named)
        return false;
    for (pb_size_t k = 0; k < question->select_count; k++)
        if (!s_has (&self->node [i].device, i, &question->select [k]))
            return false;
    return true;
}

static void
s_devices (const fuota_sim_t *self, const fuota_question_t *question,
    uint32_t *at, fuota_answer_t *answer)
{
    const fuota_sim_config_t *config = &self->world.config;
    const size_t room = sizeof answer->devices / sizeof *answer->devices;
    if (*at == 0)
        s_kinds (config, answer);
    for (; *at < config->devices && answer->devices_count < room; ++*at)
        if (s_selected (self, *at, question)) {
            const fuota_sim_device_t *device = &self->node [*at].device;
            answer->devices [answer->devices_count++] = device->dev_eui;
            answer->kind_of [answer->kind_of_count++] = s_two (device);
        }
    answer->last = *at >= config->devices;
}

void
fuota_sim_answer (const fuota_sim_t *self, const fuota_question_t *question,
    uint32_t *at, fuota_answer_t *answer)
{
    bool ours =
        strcmp (question->application, self->world.config.application) == 0;
    *answer = (fuota_answer_t){ .serial = question->serial, .last = true };
    if (question->kind == FUOTA_QUESTION_CHECK)
        s_check (self, question->application, answer);
    else if (question->kind != FUOTA_QUESTION_DEVICES)
        strcpy (answer->fault, "the host does not know this question");
    else if (!ours)
        answer->no_application = true;
    else
        s_devices (self, question, at, answer);
}
