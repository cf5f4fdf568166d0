//  SPDX-License-Identifier: MIT
//
//  Questions to ChirpStack, without connections: what each answer is taken
//  for. Answers are bytes of the official package.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>
#include "broker/host/chirpstack.h"
#include "broker/host/chirpstack_text.h"
#include "broker/host/grpc_reply.h"

#define NOW 1772446530250  //  2026-03-02T10:15:30.250Z
#define APP "0d6a4c1e-7a54-4d0c-8c8a-3f0f6c2b9d11"

static json_t *s_vectors;

typedef struct {
    uint8_t data [4096];
    size_t size;
} bytes_t;

static bytes_t
s_vector (const char *name)
{
    bytes_t out;
    const char *hex = json_string_value (json_object_get (s_vectors, name));
    assert_non_null (hex);
    out.size = strlen (hex) / 2;
    assert_true (out.size <= sizeof out.data &&
                 fuota_chirpstack_unhex (hex, out.data, out.size));
    return out;
}

static fuota_chirpstack_t *
s_new (void)
{
    fuota_chirpstack_config_t config;
    fuota_chirpstack_defaults (&config);
    fuota_chirpstack_t *self = fuota_chirpstack_new (&config);
    assert_non_null (self);
    return self;
}

static const fuota_chirpstack_links_t s_links = { .mqtt_ready = true,
    .api_ready = true,
    .filters = 3,
    .granted = 3,
    .mqtt_fault = "",
    .api_fault = "" };

//  How one call is answered
typedef struct {
    const char *path, *vector;
    int status;
    const char *text;
} reply_t;

static const reply_t s_well [] = {
    { "ApplicationService/Get", "application", 0, "" },
    { "ApplicationService/List", "applications", 0, "" },
    { "GatewayService/List", "gateways", 0, "" },
    { "DeviceService/List", "devices", 0, "" },
    { "DeviceService/Enqueue", NULL, FUOTA_GRPC_INVALID_ARGUMENT,
        "Validation error: FPort must be between 1 - 255" },
    { "ApplicationService/ListDeviceProfiles", "profiles", 0, "" },
    { "DeviceProfileService/Get", "profile_plain", 0, "" },
    { "FuotaService/ListDeployments", "applications", 0, "" },
};
#define WELL (sizeof s_well / sizeof *s_well)

//  Ask, answer each call as s_well does but for `other`, and gather what is
//  told, a line each: "level what: words".
static void
s_check (const char *application, const fuota_chirpstack_links_t *links,
    const reply_t *other, char *told, size_t size)
{
    fuota_question_t question = { .serial = 5 };
    fuota_answer_t answer = { .last = false };
    fuota_chirpstack_call_t call;
    fuota_chirpstack_t *self = s_new ();
    size_t used = 0;
    strcpy (question.application, application);
    fuota_chirpstack_ask_host (self, &question, links, NOW);
    *told = 0;
    for (unsigned n = 0; n < 100 && !answer.last; n++) {
        while (!answer.last && fuota_chirpstack_told (self, &answer)) {
            assert_int_equal (answer.serial, 5);
            for (pb_size_t i = 0; i < answer.findings_count; i++)
                used += (size_t) snprintf (told + used, size - used,
                    "%d %s: %s\n", (int) answer.findings [i].level,
                    answer.findings [i].what, answer.findings [i].words);
            if (*answer.fault)
                used += (size_t) snprintf (told + used, size - used, "! %s\n",
                    answer.fault);
            assert_true (used < size);
        }
        if (answer.last || !fuota_chirpstack_call (self, NOW, &call))
            break;
        const reply_t *reply = NULL;
        for (size_t i = 0; i < WELL; i++)
            if (strcmp (call.path + 5, s_well [i].path) == 0)
                reply = &s_well [i];
        if (other && strcmp (call.path + 5, other->path) == 0)
            reply = other;
        if (!reply)
            fail_msg ("called %s", call.path);
        bytes_t bytes = { .size = 0 };
        if (reply->vector)
            bytes = s_vector (reply->vector);
        fuota_chirpstack_answer (self, call.tag, reply->status, false,
            reply->text, fuota_slice (bytes.data, bytes.size), NOW);
    }
    assert_true (answer.last);
    assert_false (fuota_chirpstack_call (self, NOW, &call));
    fuota_chirpstack_destroy (&self);
}

static void
test_inquiry__all_is_well (void **state)
{
    char told [4096];
    (void) state;
    s_check (APP, &s_links, NULL, told, sizeof told);
    assert_string_equal (told,
        "0 mqtt: connected; 3 of 3 subscriptions granted, 0 refused\n"
        "1 events: no uplink since fuotad was started\n"
        "0 api: connected\n"
        "0 api key: gives access\n"
        "0 tenant: 5f2e8c4b-1d3a-4b9e-8f60-2a7c9d1e4b33: 3 applications\n"
        "1 gateways: 2 online, 1 offline, 1 never seen\n"
        "0 application: " APP ": \"meters\", 3 devices\n"
        "0 api key: may write\n"
        "0 device profile: \"meter-eu868-a\" "
        "(9c1b7e52-6f08-4a2d-b3c5-7e9f0a1d2c44)\n"
        "0 built-in FUOTA: none is running\n"
        "0 version: ChirpStack 4.12 or newer; an API key cannot ask which\n");
}

//  One call answered otherwise: what is told then.
static void
test_inquiry__by_answer (void **state)
{
    static const struct {
        const char *name;
        reply_t reply;
        const char *told;  //  Is among the lines
    } cases [] = {
        { "token", { "ApplicationService/Get", NULL, 16, "InvalidSignature" },
            "2 api key: refused: InvalidSignature\n" },
        { "no access", { "ApplicationService/Get", NULL, 16, "" },
            "2 application: " APP ": no such application, or no access to "
            "it\n" },
        { "no application",
            { "ApplicationService/Get", NULL, 5, "Object does not exist" },
            "2 application: " APP ": no such application: Object does not "
            "exist\n" },
        { "nonsense", { "ApplicationService/Get", "txack", 0, "" },
            "2 application: " APP ": no such application\n" },
        { "away", { "ApplicationService/List", NULL, 14, "refused" },
            "! API: refused\n" },
        { "busy", { "GatewayService/List", NULL, 13, "pool timed out" },
            "! API: pool timed out\n" },
        { "gateways refused", { "GatewayService/List", NULL, 16, "" },
            "1 gateways: cannot be told" },
        { "no gateways", { "GatewayService/List", "applications", 0, "" },
            "2 gateways: 0 online, 0 offline, 0 never seen\n" },
        { "no devices", { "DeviceService/List", NULL, 0, "" },
            "1 application: " APP ": \"meters\", 0 devices\n" },
        { "read-only", { "DeviceService/Enqueue", NULL, 16, "" },
            "2 api key: read-only\n" },
        { "taken, which cannot be",
            { "DeviceService/Enqueue", "application", 0, "" },
            "1 api key: cannot be told" },
        { "older host",
            { "ApplicationService/ListDeviceProfiles", NULL, 12, "" },
            "1 device profiles: cannot be told" },
        { "TS003", { "DeviceProfileService/Get", "profile_own", 0, "" },
            "2 device profile: \"meter-eu868-a\" "
            "(9c1b7e52-6f08-4a2d-b3c5-7e9f0a1d2c44): TS003 is set: "
            "ChirpStack answers clock synchronisation\n1 device profile: "
            "\"meter-eu868-a\" (9c1b7e52-6f08-4a2d-b3c5-7e9f0a1d2c44): "
            "TS004 is set: ChirpStack reads the answers of devices too\n" },
        { "built-in", { "FuotaService/ListDeployments", "deployments", 0, "" },
            "2 built-in FUOTA: 1 running, the first is \"running\"\n" },
        { "built-in, older host",
            { "FuotaService/ListDeployments", NULL, 12, "unknown service" },
            "1 built-in FUOTA: cannot be told: unknown service\n" },
    };
    char told [4096];
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        s_check (APP, &s_links, &cases [i].reply, told, sizeof told);
        if (!strstr (told, cases [i].told))
            fail_msg ("%s:\n%s", cases [i].name, told);
    }
}

static void
test_inquiry__by_connection (void **state)
{
    fuota_chirpstack_links_t links = s_links;
    char told [4096];
    (void) state;
    //  No application: what can be told without one
    s_check ("", &links, NULL, told, sizeof told);
    assert_non_null (strstr (told, "1 api key: cannot be told"));
    links.granted = 1;
    links.refused = 2;
    links.api_ready = false;
    links.api_fault = "Connection refused";
    s_check (APP, &links, NULL, told, sizeof told);
    assert_string_equal (told,
        "2 mqtt: connected; 1 of 3 subscriptions granted, 2 refused\n"
        "1 events: no uplink since fuotad was started\n"
        "2 api: not connected: Connection refused\n");
    links.mqtt_ready = false;
    links.mqtt_fault = "not authorised";
    s_check (APP, &links, NULL, told, sizeof told);
    assert_non_null (strstr (told, "2 mqtt: not connected: not authorised\n"));
}

//  A lost answer is asked for again; others are taken meanwhile; too many
//  questions, and those nobody knows, are told so.
static void
test_inquiry__lost_and_busy (void **state)
{
    fuota_chirpstack_t *self = s_new ();
    fuota_question_t question = { .serial = 1 };
    fuota_answer_t answer;
    fuota_chirpstack_call_t call;
    (void) state;
    strcpy (question.application, APP);
    for (; question.serial <= 4; question.serial++)
        fuota_chirpstack_ask_host (self, &question, &s_links, NOW);
    for (unsigned i = 0; i < 4; i++)
        assert_true (fuota_chirpstack_told (self, &answer));
    fuota_chirpstack_ask_host (self, &question, &s_links, NOW);
    assert_true (fuota_chirpstack_told (self, &answer));
    assert_int_equal (answer.serial, 5);
    assert_true (answer.last);
    assert_string_equal (answer.fault, "busy with other questions");
    assert_false (fuota_chirpstack_told (self, &answer));
    for (unsigned n = 0; n < 3; n++)
        for (unsigned i = 0; i < 4; i++) {
            assert_true (fuota_chirpstack_call (self, NOW, &call));
            fuota_chirpstack_answer (self, call.tag, 14, false, "reset",
                fuota_slice (NULL, 0), NOW);
            //  A second answer changes nothing
            fuota_chirpstack_answer (self, call.tag, 0, false, "",
                fuota_slice (NULL, 0), NOW);
        }
    for (unsigned i = 0; i < 4; i++) {
        assert_true (fuota_chirpstack_told (self, &answer));
        assert_true (answer.last);
        assert_string_equal (answer.fault, "API: reset");
    }
    assert_false (fuota_chirpstack_call (self, NOW, &call));
    question.kind = (QuestionKind) 77;
    fuota_chirpstack_ask_host (self, &question, &s_links, NOW);
    assert_true (fuota_chirpstack_told (self, &answer));
    assert_true (answer.last && *answer.fault);
    fuota_chirpstack_destroy (&self);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_inquiry__all_is_well),
        cmocka_unit_test (test_inquiry__by_answer),
        cmocka_unit_test (test_inquiry__by_connection),
        cmocka_unit_test (test_inquiry__lost_and_busy),
    };
    s_vectors = json_load_file (FUOTA_VECTORS "/chirpstack.json", 0, NULL);
    int failed = cmocka_run_group_tests_name ("inquiry", tests, NULL, NULL);
    json_decref (s_vectors);
    return failed;
}
