//  SPDX-License-Identifier: MIT
//
//  What is created in a ChirpStack for a rehearsal and removed again, against
//  a host of some lines that keeps objects by kind.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "broker/host/provision.h"
#include "provision.pb.h"

#define NOW 1767225600000
#define OBJECTS 40
#define MARK "made by fuota-sim: test"

typedef struct {
    char kind;  //  'T'enant, 'A'pplication, device 'P'rofile, 'G', 'D'; 0 free
    char id [41], name [101], description [101];
    char tenant [41], application [41], profile [41];
    bool keys, active;
} object_t;

typedef struct {
    object_t object [OBJECTS];
    unsigned ids, calls, updates;
    uint8_t out [16384];
    char said [2048];
    int stop_at;            //  Call that is refused; -1: none
    fuota_slice_t garbage;  //  Instead of each answer
} host_t;

static object_t *
s_object (host_t *host, char kind, const char *id)
{
    for (unsigned i = 0; i < OBJECTS; i++)
        if (host->object [i].kind == kind &&
            (!id || strcmp (host->object [i].id, id) == 0))
            return &host->object [i];
    return NULL;
}

static object_t *
s_put (host_t *host, char kind, const char *id, const char *name,
    const char *description)
{
    object_t *object = s_object (host, 0, NULL);
    assert_non_null (object);
    object->kind = kind;
    if (id)
        snprintf (object->id, sizeof object->id, "%s", id);
    else
        snprintf (object->id, sizeof object->id, "id-%u", ++host->ids);
    snprintf (object->name, sizeof object->name, "%s", name);
    snprintf (object->description, sizeof object->description, "%s",
        description);
    return object;
}

#define DECODE(type, value, bytes)                                             \
    assert_int_equal (fuota_record_decode (type##_fields, value, bytes), 0)

static const char *
s_create (host_t *host, char kind, fuota_slice_t request)
{
    pv_TenantBox t;
    pv_ApplicationBox a;
    pv_ProfileBox p;
    pv_GatewayBox g;
    pv_DeviceBox d;
    object_t *made;
    switch (kind) {
        case 'T':
            DECODE (pv_TenantBox, &t, request);
            assert_true (t.tenant.can_have_gateways);
            return s_put (host, kind, NULL, t.tenant.name, t.tenant.description)
                ->id;
        case 'A':
            DECODE (pv_ApplicationBox, &a, request);
            made = s_put (host, kind, NULL, a.application.name,
                a.application.description);
            memcpy (made->tenant, a.application.tenant_id, 41);
            return made->id;
        case 'P':
            DECODE (pv_ProfileBox, &p, request);
            made = s_put (host, kind, NULL, p.device_profile.name,
                p.device_profile.description);
            memcpy (made->tenant, p.device_profile.tenant_id, 41);
            return made->id;
        case 'G':
            DECODE (pv_GatewayBox, &g, request);
            made = s_put (host, kind, g.gateway.gateway_id, g.gateway.name,
                g.gateway.description);
            memcpy (made->tenant, g.gateway.tenant_id, 41);
            return "";
        default:
            DECODE (pv_DeviceBox, &d, request);
            made = s_put (host, kind, d.device.dev_eui, d.device.name,
                d.device.description);
            memcpy (made->application, d.device.application_id, 41);
            memcpy (made->profile, d.device.device_profile_id, 41);
            return "";
    }
}

static size_t
s_got (host_t *host, const object_t *object)
{
    pv_TenantBox t = { .has_tenant = true };
    pv_ApplicationBox a = { .has_application = true };
    pv_ProfileBox p = { .has_device_profile = true };
    pv_GatewayBox g = { .has_gateway = true };
    pv_DeviceBox d = { .has_device = true };
    const void *box = &t;
    const pb_msgdesc_t *fields = pv_TenantBox_fields;
    memcpy (t.tenant.description, object->description, 101);
    memcpy (a.application.description, object->description, 101);
    memcpy (p.device_profile.description, object->description, 101);
    memcpy (g.gateway.description, object->description, 101);
    memcpy (g.gateway.tenant_id, object->tenant, 41);
    memcpy (d.device.description, object->description, 101);
    memcpy (d.device.application_id, object->application, 41);
    if (object->kind == 'A') {
        box = &a;
        fields = pv_ApplicationBox_fields;
    }
    else if (object->kind == 'P') {
        box = &p;
        fields = pv_ProfileBox_fields;
    }
    else if (object->kind == 'G') {
        box = &g;
        fields = pv_GatewayBox_fields;
    }
    else if (object->kind == 'D') {
        box = &d;
        fields = pv_DeviceBox_fields;
    }
    return fuota_record_encode (fields, box, host->out, sizeof host->out);
}

//  total_count = 1, and each row as result = 2.
static size_t
s_listed (host_t *host, char kind, fuota_slice_t request)
{
    pv_List list = pv_List_init_zero;
    pv_ListDevices devices = pv_ListDevices_init_zero;
    uint8_t rows [8192], row [512];
    size_t at = 0;
    unsigned total = 0, shown = 0;
    if (kind == 'D')
        DECODE (pv_ListDevices, &devices, request);
    else
        DECODE (pv_List, &list, request);
    uint32_t limit = kind == 'D' ? devices.limit : list.limit;
    uint32_t offset = kind == 'D' ? devices.offset : list.offset;
    for (unsigned i = 0; i < OBJECTS; i++) {
        const object_t *o = &host->object [i];
        if (o->kind != kind || !strstr (o->name, list.search) ||
            strcmp (o->tenant, list.tenant_id) != 0 ||
            strcmp (o->application, devices.application_id) != 0 ||
            (*devices.device_profile_id &&
                strcmp (o->profile, devices.device_profile_id) != 0))
            continue;
        total++;
        if (total <= offset || shown >= limit)
            continue;
        shown++;
        pv_Row plain = pv_Row_init_zero;
        pv_ApplicationRow application = pv_ApplicationRow_init_zero;
        pv_GatewayRow gateway = pv_GatewayRow_init_zero;
        pv_DeviceRow device = pv_DeviceRow_init_zero;
        memcpy (plain.id, o->id, 41);
        memcpy (plain.name, o->name, 101);
        memcpy (application.id, o->id, 41);
        memcpy (application.name, o->name, 101);
        memcpy (application.description, o->description, 101);
        memcpy (gateway.id, o->id, 41);
        memcpy (gateway.description, o->description, 101);
        memcpy (device.id, o->id, 41);
        memcpy (device.description, o->description, 101);
        size_t size =
            kind == 'A'   ? fuota_record_encode (pv_ApplicationRow_fields,
                                &application, row, sizeof row)
            : kind == 'G' ? fuota_record_encode (pv_GatewayRow_fields, &gateway,
                                row, sizeof row)
            : kind == 'D'
                ? fuota_record_encode (pv_DeviceRow_fields, &device, row,
                      sizeof row)
                : fuota_record_encode (pv_Row_fields, &plain, row, sizeof row);
        rows [at++] = 2 << 3 | 2;
        if (size > 127)
            rows [at++] = (uint8_t) (size | 0x80);
        rows [at++] = (uint8_t) (size > 127 ? size >> 7 : size);
        memcpy (rows + at, row, size);
        at += size;
    }
    host->out [0] = 1 << 3;
    host->out [1] = (uint8_t) total;
    memcpy (host->out + 2, rows, at);
    return at + 2;
}

static void
s_call (void *arg, const char *path, fuota_slice_t request,
    fuota_provision_answer_t *answer)
{
    host_t *host = arg;
    pv_Id id;
    const char *method = strchr (path, '/') + 1;
    //  "DeviceProfileService" and "DeviceService"
    char kind = strncmp (path, "DeviceP", 7) == 0 ? 'P' : *path;
    size_t size = 0;
    *answer = (fuota_provision_answer_t){ .kind = FUOTA_ANSWER_GOOD };
    if ((int) host->calls++ == host->stop_at) {
        answer->kind = FUOTA_ANSWER_TOKEN;
        strcpy (answer->text, "InvalidSignature");
        return;
    }
    if (strcmp (method, "Create") == 0) {
        pv_Id made = pv_Id_init_zero;
        snprintf (made.id, sizeof made.id, "%s",
            s_create (host, kind, request));
        size = fuota_record_encode (pv_Id_fields, &made, host->out,
            sizeof host->out);
    }
    else if (strcmp (method, "List") == 0)
        size = s_listed (host, kind, request);
    else if (strstr (method, "Keys")) {
        pv_KeysBox box;
        DECODE (pv_KeysBox, &box, request);
        object_t *device = s_object (host, 'D', box.device_keys.dev_eui);
        assert_non_null (device);
        assert_int_equal (strlen (box.device_keys.nwk_key), 32);
        if (device->keys && *method == 'C')
            answer->kind = FUOTA_ANSWER_ALREADY;
        host->updates += *method == 'U';
        device->keys = true;
    }
    else if (strcmp (method, "Activate") == 0) {
        pv_ActivationBox box;
        DECODE (pv_ActivationBox, &box, request);
        s_object (host, 'D', box.device_activation.dev_eui)->active = true;
    }
    else {
        DECODE (pv_Id, &id, request);
        object_t *object = s_object (host, kind, id.id);
        if (!object)
            answer->kind = FUOTA_ANSWER_GONE;
        else if (*method == 'G')
            size = s_got (host, object);
        else
            memset (object, 0, sizeof *object);
    }
    answer->message = fuota_slice (host->out, size);
    if (host->garbage.data)
        answer->message = host->garbage;
}

static void
s_said (void *arg, const char *line)
{
    host_t *host = arg;
    size_t at = strlen (host->said);
    snprintf (host->said + at, sizeof host->said - at, "%s\n", line);
}

typedef struct {
    host_t host;
    fuota_provision_t with;
    fuota_lora_t *air;
} world_t;

static world_t s_world;

static void
s_init (uint32_t abp)
{
    fuota_lora_config_t config;
    fuota_sim_config_t sim;
    memset (&s_world, 0, sizeof s_world);
    fuota_lora_defaults (&config);
    fuota_sim_defaults (&sim);
    sim.devices = 5;
    sim.gateways = 2;
    config.abp = abp;
    s_world.air = fuota_lora_new (&config, &sim, NOW);
    s_world.host.stop_at = -1;
    s_world.with = (fuota_provision_t){ .call = s_call,
        .said = s_said,
        .arg = &s_world.host,
        .air = s_world.air,
        .region = "EU868",
        .uplink_interval = 60,
        .abp_rx1_delay = 1,
        .name = "test",
        .tenant_id = "" };
}

static unsigned
s_count (char kind)
{
    unsigned count = 0;
    for (unsigned i = 0; i < OBJECTS; i++)
        count += kind ? s_world.host.object [i].kind == kind
                      : s_world.host.object [i].kind != 0;
    return count;
}

static void
s_has (const char *text)
{
    if (!strstr (s_world.host.said, text))
        fail_msg ("\"%s\" is not in:\n%s", text, s_world.host.said);
}

static void
test_provision__made_found_and_removed (void **state)
{
    (void) state;
    for (uint32_t abp = 0; abp <= 1000; abp += 1000) {
        s_init (abp);
        assert_int_equal (fuota_provision_create (&s_world.with), 0);
        assert_int_equal (s_count ('T') + s_count ('A'), 2);
        assert_int_equal (s_count ('G'), 2);
        assert_int_equal (s_count ('D'), 5);
        unsigned all = s_count (0);
        for (unsigned i = 0; i < OBJECTS; i++)
            if (s_world.host.object [i].kind == 'D') {
                assert_true (s_world.host.object [i].keys);
                assert_int_equal (s_world.host.object [i].active, abp == 1000);
            }
        assert_int_equal (fuota_provision_create (&s_world.with), 0);
        assert_int_equal (s_count (0), all);
        assert_int_equal (s_world.host.updates, 5);
        s_has ("devices 0 created, 5 found");
        assert_int_equal (fuota_provision_remove (&s_world.with), 0);
        assert_int_equal (s_count (0), 0);
        assert_int_equal (fuota_provision_remove (&s_world.with), 0);
        s_has ("tenant test is not there");
        fuota_lora_destroy (&s_world.air);
    }
}

//  What others made stays, and what holds it.
static void
test_provision__others_are_left_alone (void **state)
{
    (void) state;
    s_init (0);
    assert_int_equal (fuota_provision_create (&s_world.with), 0);
    object_t *application = s_object (&s_world.host, 'A', NULL);
    object_t *profile = s_object (&s_world.host, 'P', NULL);
    object_t *device =
        s_put (&s_world.host, 'D', "00000000000000aa", "theirs", "");
    memcpy (device->application, application->id, 41);
    memcpy (device->profile, profile->id, 41);
    object_t *gateway =
        s_put (&s_world.host, 'G', "00000000000000bb", "theirs", "");
    memcpy (gateway->tenant, application->tenant, 41);
    object_t *other = s_put (&s_world.host, 'A', NULL, "test", MARK);
    memcpy (other->tenant, "elsewhere", 10);
    assert_int_equal (fuota_provision_remove (&s_world.with), 0);
    s_has ("devices 5 removed");
    s_has ("gateways 2 removed");
    //  Tenant, application, one profile; device, gateway, another's
    //  application
    assert_int_equal (s_count (0), 6);
    assert_int_equal (s_count ('P'), 1);
    fuota_lora_destroy (&s_world.air);
}

static void
test_provision__taken_by_others (void **state)
{
    static const struct {
        char kind;
        const char *id, *says;
    } cases [] = { { 'G', "0016c001f1500002",
                       "gateway 0016c001f1500002 is there already and not" },
        { 'D', "70b3d57ed0000003",
            "device 70b3d57ed0000003 is there already and not" } };
    (void) state;
    for (size_t i = 0; i < 2; i++) {
        s_init (0);
        s_put (&s_world.host, cases [i].kind, cases [i].id, "theirs", "");
        assert_int_not_equal (fuota_provision_create (&s_world.with), 0);
        s_has (cases [i].says);
        assert_int_equal (fuota_provision_remove (&s_world.with), 0);
        assert_int_equal (s_count (0), 1);
        fuota_lora_destroy (&s_world.air);
    }
}

//  Refused at each call in turn, both ways: said, and the next attempt goes
//  on.
static void
test_provision__each_call_refused (void **state)
{
    (void) state;
    s_init (500);
    for (int stop = 0, done = 0; !done; stop++) {
        s_world.host.calls = 0;
        s_world.host.stop_at = stop;
        s_world.host.said [0] = 0;
        done = fuota_provision_create (&s_world.with) == 0;
        if (!done)
            s_has ("InvalidSignature");
    }
    assert_int_equal (s_count ('D'), 5);
    for (int stop = 0, done = 0; !done; stop++) {
        s_world.host.calls = 0;
        s_world.host.stop_at = stop;
        s_world.host.said [0] = 0;
        done = fuota_provision_remove (&s_world.with) == 0;
    }
    assert_int_equal (s_count ('D'), 0);
    fuota_lora_destroy (&s_world.air);
}

static void
test_provision__garbage (void **state)
{
    static const uint8_t cases [][8] = { { 0 }, { 0xff, 0xff, 0xff },
        { 0x0a, 0x7f, 1 }, { 0x12, 2, 0x0a, 9 }, { 0x08, 5, 0x12, 1, 0xff } };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        s_init (0);
        s_world.host.garbage = fuota_slice (cases [i], sizeof *cases);
        assert_int_not_equal (fuota_provision_create (&s_world.with), 0);
        fuota_provision_remove (&s_world.with);
        fuota_lora_destroy (&s_world.air);
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_provision__made_found_and_removed),
        cmocka_unit_test (test_provision__others_are_left_alone),
        cmocka_unit_test (test_provision__taken_by_others),
        cmocka_unit_test (test_provision__each_call_refused),
        cmocka_unit_test (test_provision__garbage),
    };
    return cmocka_run_group_tests_name ("provision", tests, NULL, NULL);
}
