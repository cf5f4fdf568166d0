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
#include "broker/host/chirpstack_text.h"
#include "broker/host/grpc_reply.h"
#include "schema/hex.h"
#include "tests/unit/chirpstack_rig.h"

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
        rig_bytes_t bytes = { .size = 0 };
        if (reply->vector)
            bytes = rig_vector (reply->vector);
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

//  ---------------------------------------------------------------------
//  Devices and their kinds

//  Answer a call with a vector `times` times over, which for lists is a longer
//  list.
static void
s_reply (fuota_chirpstack_t *self, const char *path, const char *vector,
    unsigned times)
{
    static uint8_t data [131072];
    fuota_chirpstack_call_t call = { .path = "     nothing" };
    size_t size = 0;
    if (!fuota_chirpstack_call (self, NOW, &call) ||
        strcmp (call.path + 5, path) != 0)
        fail_msg ("called %s, expected %s", call.path + 5, path);
    rig_bytes_t bytes = rig_vector (vector);
    for (; times; times--, size += bytes.size)
        memcpy (data + size, bytes.data, bytes.size);
    fuota_chirpstack_answer (self, call.tag, 0, false, "",
        fuota_slice (data, size), NOW);
}

static fuota_chirpstack_t *
s_ask_devices (void)
{
    fuota_question_t question = { .serial = 5,
        .kind = FUOTA_QUESTION_DEVICES,
        .application = APP,
        .select_count = 1,
        .select = { { "model", "x" } } };
    fuota_chirpstack_t *self = s_new ();
    fuota_chirpstack_ask_host (self, &question, &s_links, NOW);
    return self;
}

static void
test_inquiry__devices_by_kind (void **state)
{
    fuota_chirpstack_t *self = s_ask_devices ();
    fuota_answer_t answer;
    (void) state;
    assert_false (fuota_chirpstack_told (self, &answer));
    s_reply (self, "DeviceService/List", "devices", 1);
    //  Nothing is told of a device before its profile is known
    assert_false (fuota_chirpstack_told (self, &answer));
    s_reply (self, "DeviceProfileService/Get", "profile_own", 1);
    assert_true (fuota_chirpstack_told (self, &answer));
    assert_int_equal (answer.kinds_count, 3);
    assert_int_equal (answer.devices_count, 3);
    for (pb_size_t i = 0; i < 3; i++) {
        assert_int_equal (answer.kinds [i].number, i);
        assert_int_equal (answer.kind_of [i], i);
        assert_int_equal (answer.devices [i], 0x70b3d5f1c0000a01u + i);
        assert_string_equal (answer.kinds [i].profile_name, "meter-eu868-a");
        assert_int_equal (answer.kinds [i].host_ts003, 1);
        assert_int_equal (answer.kinds [i].host_ts004, 2);
        assert_true (answer.kinds [i].no_ts003);
        assert_int_equal (answer.kinds [i].port004, 60);
    }
    assert_int_equal (answer.kinds [0].ts004, 0);
    assert_int_equal (answer.kinds [1].ts004, 2);
    assert_string_equal (answer.kinds [0].fault, "");
    assert_string_equal (answer.kinds [2].fault,
        "tag fuota_ts004: 9; allowed 1.0.0 or 2.0.0");
    assert_false (answer.last);
    s_reply (self, "FuotaService/ListDeployments", "deployments", 1);
    assert_false (fuota_chirpstack_told (self, &answer));
    s_reply (self, "FuotaService/ListDevices", "members", 1);
    assert_true (fuota_chirpstack_told (self, &answer));
    assert_true (answer.last);
    assert_string_equal (answer.fault, "");
    assert_int_equal (answer.busy_count, 1);
    assert_int_equal (answer.busy [0], 0x70b3d5f1c0000a01u);
    assert_false (fuota_chirpstack_told (self, &answer));
    fuota_chirpstack_destroy (&self);
}

//  Few are asked for one by one: one that is there, one of another application,
//  one that is not.
static void
test_inquiry__devices_by_name (void **state)
{
    fuota_question_t question = { .kind = FUOTA_QUESTION_DEVICES,
        .application = APP,
        .devices_count = 3,
        .devices = { 0x70b3d5f1c0000a01u, 2, 3 } };
    fuota_chirpstack_t *self = s_new ();
    fuota_answer_t answer;
    fuota_chirpstack_call_t call;
    (void) state;
    fuota_chirpstack_ask_host (self, &question, &s_links, NOW);
    s_reply (self, "DeviceService/Get", "device_kind", 1);
    s_reply (self, "DeviceProfileService/Get", "profile_plain", 1);
    assert_true (fuota_chirpstack_told (self, &answer));
    assert_int_equal (answer.devices_count, 1);
    assert_int_equal (answer.devices [0], 0x70b3d5f1c0000a01u);
    assert_int_equal (answer.kinds [0].ts005, 2);
    assert_string_equal (answer.kinds [0].profile_name, "meter-eu868-a");
    s_reply (self, "DeviceService/Get", "device_other", 1);
    assert_true (fuota_chirpstack_call (self, NOW, &call));
    fuota_chirpstack_answer (self, call.tag, 16, false, "",
        fuota_slice (NULL, 0), NOW);
    assert_false (fuota_chirpstack_told (self, &answer));
    s_reply (self, "FuotaService/ListDeployments", "applications", 1);
    assert_true (fuota_chirpstack_told (self, &answer));
    assert_true (answer.last);
    assert_int_equal (answer.devices_count, 0);
    assert_string_equal (answer.fault, "");
    fuota_chirpstack_destroy (&self);
}

//  A page is more than one part; the next call waits until all are taken.
static void
test_inquiry__long_pages (void **state)
{
    fuota_chirpstack_t *self = s_ask_devices ();
    fuota_chirpstack_call_t call;
    fuota_answer_t answer;
    size_t devices = 0, kinds = 0, parts = 0;
    (void) state;
    s_reply (self, "DeviceService/List", "devices", 50);
    s_reply (self, "DeviceProfileService/Get", "profile_plain", 1);
    assert_false (fuota_chirpstack_call (self, NOW, &call));
    while (fuota_chirpstack_told (self, &answer)) {
        devices += answer.devices_count;
        kinds += answer.kinds_count;
        parts++;
        assert_false (answer.last);
    }
    assert_int_equal (devices, 150);
    assert_int_equal (kinds, 3);
    assert_int_equal (parts, 2);
    //  More than was asked for: what has no room is left out
    fuota_chirpstack_destroy (&self);
    self = s_ask_devices ();
    s_reply (self, "DeviceService/List", "devices", 200);
    s_reply (self, "DeviceProfileService/Get", "profile_plain", 1);
    for (devices = 0; fuota_chirpstack_told (self, &answer);)
        devices += answer.devices_count;
    assert_int_equal (devices, 500);
    s_reply (self, "FuotaService/ListDeployments", "applications", 1);
    assert_true (fuota_chirpstack_told (self, &answer));
    assert_true (answer.last);
    fuota_chirpstack_destroy (&self);
}

//  A host that never comes to the end: the question does.
static void
test_inquiry__endless_pages (void **state)
{
    static const uint8_t total [] = { 8, 0xff, 0xff, 0xff, 0xff, 0x0f };
    fuota_chirpstack_t *self = s_ask_devices ();
    fuota_chirpstack_call_t call;
    fuota_answer_t answer = { .last = false };
    rig_bytes_t page = rig_vector ("devices"),
                profile = rig_vector ("profile_plain");
    unsigned calls = 0;
    (void) state;
    memcpy (page.data + page.size, total, sizeof total);
    page.size += sizeof total;
    while (fuota_chirpstack_call (self, NOW, &call)) {
        const rig_bytes_t *bytes =
            strstr (call.path, "Profile") ? &profile : &page;
        fuota_chirpstack_answer (self, call.tag, 0, false, "",
            fuota_slice (bytes->data, bytes->size), NOW);
        while (fuota_chirpstack_told (self, &answer))
            continue;
        assert_true (calls++ < 10000);
    }
    assert_true (answer.last);
    assert_string_equal (answer.fault, "the host comes to no end");
    fuota_chirpstack_destroy (&self);
}

static void
test_inquiry__devices_by_answer (void **state)
{
    static const struct {
        const char *name;
        int status;
        const char *text, *body, *fault;
        bool no_application;
    } cases [] = {
        { "no access", 16, "", "", "", true },
        { "not there", 5, "Object does not exist", "", "", true },
        { "token", 16, "InvalidSignature", "", "refused: InvalidSignature",
            false },
        { "malformed id", 3, "invalid length", "", "invalid length", false },
        { "nonsense", 0, "", "\x12", "answer of the host was not understood",
            false },
    };
    fuota_chirpstack_call_t call;
    fuota_answer_t answer;
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fuota_chirpstack_t *self = s_ask_devices ();
        assert_true (fuota_chirpstack_call (self, NOW, &call));
        fuota_chirpstack_answer (self, call.tag, cases [i].status, false,
            cases [i].text,
            fuota_slice (cases [i].body, strlen (cases [i].body)), NOW);
        assert_true (fuota_chirpstack_told (self, &answer));
        if (!answer.last || strcmp (answer.fault, cases [i].fault) != 0 ||
            answer.no_application != cases [i].no_application)
            fail_msg ("%s: \"%s\"", cases [i].name, answer.fault);
        fuota_chirpstack_destroy (&self);
    }
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
        cmocka_unit_test (test_inquiry__devices_by_kind),
        cmocka_unit_test (test_inquiry__devices_by_name),
        cmocka_unit_test (test_inquiry__long_pages),
        cmocka_unit_test (test_inquiry__endless_pages),
        cmocka_unit_test (test_inquiry__devices_by_answer),
    };
    return cmocka_run_group_tests_name ("inquiry", tests, rig_load, rig_unload);
}
