//  SPDX-License-Identifier: MIT
//
//  What ChirpStack's API may answer while a question is worked on: a first
//  byte for question and status, then the body of every answer. What is told
//  can be put together as what a host in another process tells is; those bytes
//  are also taken as such an answer themselves.

#include <assert.h>
#include <stdint.h>
#include <string.h>
#include "broker/host/chirpstack.h"
#include "broker/known.h"

#define NOW 1772446530250
#define CALLS 24

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
s_ask (uint8_t door, fuota_slice_t body)
{
    static const fuota_chirpstack_links_t links = { .mqtt_ready = true,
        .api_ready = true,
        .mqtt_fault = "",
        .api_fault = "" };
    fuota_question_t question = { .kind = (QuestionKind) (door & 1),
        .application = "a" };
    fuota_chirpstack_config_t config;
    fuota_chirpstack_call_t call;
    fuota_answer_t answer;
    fuota_known_t known = { .over = false };
    fuota_chirpstack_defaults (&config);
    fuota_chirpstack_t *self = fuota_chirpstack_new (&config);
    assert (self);
    fuota_chirpstack_ask_host (self, &question, &links, NOW);
    for (unsigned n = 0; n < CALLS && !known.over; n++) {
        while (fuota_chirpstack_told (self, &answer))
            fuota_known_take (&known, &answer);
        if (fuota_chirpstack_call (self, NOW, &call))
            fuota_chirpstack_answer (self, call.tag, n ? 0 : door >> 4, false,
                "", body, NOW);
    }
    fuota_known_sort (&known);
    fuota_known_release (&known);
    fuota_chirpstack_destroy (&self);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    fuota_answer_t answer;
    fuota_known_t known = { .over = false };
    if (size < 2)
        return 0;
    fuota_slice_t body = fuota_slice (data + 1, size - 1);
    s_ask (data [0], body);
    for (unsigned i = 0;
         i < 3 && !fuota_record_decode (Answer_fields, &answer, body); i++)
        fuota_known_take (&known, &answer);
    fuota_known_sort (&known);
    for (size_t i = 0; i < known.device_count; i++) {
        assert (known.devices [i].kind < known.kind_count);
        assert (fuota_known_device (&known, known.devices [i].dev_eui));
    }
    fuota_known_release (&known);
    return 0;
}
