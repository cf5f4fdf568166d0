//  SPDX-License-Identifier: MIT

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "broker/router.h"
#include "tests/scratch.h"

#define BOTH (FUOTA_TO_DEPLOYMENTS | FUOTA_TO_CLOCK)

//  Devices: 1 in one deployment; 2 in two, clock on port 77; 3 without TS003;
//  4 with a route of noise. Neighbours in key order must not count.
static void
s_fill (scratch_t *scratch)
{
    static const struct {
        uint64_t dev_eui;
        uint8_t id;
        uint32_t port003;
    } routes [] = { { 1, 1, 202 }, { 2, 1, 77 }, { 2, 2, 77 }, { 3, 1, 0 } };
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        uint8_t id [FUOTA_ID_SIZE] = { routes [i].id };
        fuota_route_t route = { .has_dialect = true,
            .dialect = { .ts003 = routes [i].port003 != 0,
                .port003 = routes [i].port003 } };
        scratch_put (scratch, FUOTA_TABLE_ROUTE,
            fuota_key_route (routes [i].dev_eui, id), Route_fields, &route);
    }
    uint8_t id [FUOTA_ID_SIZE] = { 1 };
    scratch_put_bytes (scratch, FUOTA_TABLE_ROUTE, fuota_key_route (4, id),
        "\x0f", 1);
}

static void
test_router__who_has_to_see_it (void **state)
{
    (void) state;
    static const struct {
        const char *name;
        uint64_t dev_eui;
        EventKind kind;
        uint32_t port;
        unsigned mask;
        bool host_clock;
    } cases [] = {
        { "nobody's, port 0", 0, FUOTA_EVENT_UPLINK, 0, 0, false },
        { "nobody's", 9, FUOTA_EVENT_UPLINK, 1, 0, false },
        { "nobody's, a package's port", 9, FUOTA_EVENT_UPLINK, 200, 0, false },
        { "nobody's join", 9, FUOTA_EVENT_JOIN, 0, 0, false },
        { "nobody's, the clock's port", 9, FUOTA_EVENT_UPLINK, 202,
            FUOTA_TO_CLOCK, false },
        { "largest EUI", UINT64_MAX, FUOTA_EVENT_UPLINK, 1, 0, false },
        { "ours, any port", 1, FUOTA_EVENT_UPLINK, 1, FUOTA_TO_DEPLOYMENTS,
            false },
        { "ours, the clock's port", 1, FUOTA_EVENT_UPLINK, 202, BOTH, false },
        { "ours, a join", 1, FUOTA_EVENT_JOIN, 0, FUOTA_TO_DEPLOYMENTS, false },
        { "its clock's port is another", 2, FUOTA_EVENT_UPLINK, 77, BOTH,
            false },
        { "and no longer the usual", 2, FUOTA_EVENT_UPLINK, 202,
            FUOTA_TO_DEPLOYMENTS, false },
        { "no clock, port 0", 3, FUOTA_EVENT_UPLINK, 0, FUOTA_TO_DEPLOYMENTS,
            false },
        { "no clock, the usual port", 3, FUOTA_EVENT_UPLINK, 202,
            FUOTA_TO_DEPLOYMENTS, false },
        { "a route of noise", 4, FUOTA_EVENT_UPLINK, 202, BOTH, false },
        { "the host answers its clock", 1, FUOTA_EVENT_UPLINK, 202,
            FUOTA_TO_DEPLOYMENTS, true },
        { "the host answers nobody's", 9, FUOTA_EVENT_UPLINK, 202, 0, true },
        { "a gateway's frame", 1, FUOTA_EVENT_FRAME, 202, FUOTA_TO_RADIO,
            false },
        { "a gateway's state", 0, FUOTA_EVENT_GATEWAY, 0, FUOTA_TO_RADIO,
            false },
    };
    scratch_t scratch;
    scratch_init (&scratch, 16u << 20, FUOTA_DB_NOSYNC);
    s_fill (&scratch);
    fuota_read_t *read = fuota_db_read (scratch.db);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fuota_event_t event = { .kind = cases [i].kind,
            .dev_eui = cases [i].dev_eui,
            .f_port = cases [i].port,
            .host_clock = cases [i].host_clock };
        unsigned mask = fuota_router_take (read, &event, 202);
        if (mask != cases [i].mask)
            fail_msg ("%s: %u", cases [i].name, mask);
    }
    //  Who was heard by gateways concerns the radio, whoever it is
    fuota_event_t heard = { .dev_eui = 9, .f_port = 202, .gateways_count = 1 };
    assert_int_equal (fuota_router_take (read, &heard, 202),
        FUOTA_TO_CLOCK | FUOTA_TO_RADIO);
    //  A configuration without the clock's port: port 0 is no port
    fuota_event_t event = { .dev_eui = 9 };
    assert_int_equal (fuota_router_take (read, &event, 0), 0);
    fuota_read_end (&read);
    scratch_release (&scratch);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_router__who_has_to_see_it),
    };
    return cmocka_run_group_tests_name ("router", tests, NULL, NULL);
}
