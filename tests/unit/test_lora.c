//  SPDX-License-Identifier: MIT
//
//  Devices and gateways against a small server, in virtual time. Hostile rows
//  first, then whole updates in class C and B.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include "fec_worker/kernel/fec.h"
#include "lora_server.h"
#include "workers/package/gpstime.h"
#include "workers/package/mckey.h"

#define MINUTE 60000

static void
s_config (fuota_lora_config_t *config, fuota_sim_config_t *sim,
    unsigned devices, unsigned v11)
{
    fuota_lora_defaults (config);
    fuota_sim_defaults (sim);
    sim->devices = devices;
    sim->uplink_interval = MINUTE;
    sim->loss = sim->unicast_loss = 0;
    sim->gateways = 2;
    config->v11 = v11;
}

//  ---------------------------------------------------------------------
//  Joining and counters

static void
test_lora__joins_and_speaks (void **state)
{
    (void) state;
    for (unsigned v11 = 0; v11 <= 1000; v11 += 1000) {
        server_t server;
        fuota_lora_config_t config;
        fuota_sim_config_t sim;
        fuota_lora_stats_t stats;
        s_config (&config, &sim, 4, v11);
        server_init (&server, &config, &sim);
        server_run (&server, START + 10 * MINUTE);
        fuota_lora_stats (server.lora, &stats);
        assert_int_equal (stats.devices.joined, 4);
        assert_int_equal (stats.devices.join_requests, 4);
        assert_int_equal (server.wrong, 0);
        assert_int_equal (server.stats, 2 * 20);
        for (unsigned i = 0; i < 4; i++)
            assert_true (server.peer [i].heard >= 8);
        server_release (&server);
    }
}

static bool
s_always (server_t *server, unsigned i, const fuota_lorawan_data_t *up,
    fuota_lorawan_data_t *down)
{
    (void) server;
    (void) i;
    (void) up;
    down->f_port = 7;
    down->size = 1;
    return true;
}

//  Both windows, in both kinds of channel plan, narrow and wide.
static void
test_lora__windows (void **state)
{
    static const struct {
        const char *region;
        uint32_t dr;
    } cases [] = { { "EU868", 5 }, { "EU868", 0 }, { "US915", 3 },
        { "US915", 1 }, { "US915", 4 } };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int rx2 = 0; rx2 < 2; rx2++) {
            server_t server;
            fuota_lora_config_t config;
            fuota_sim_config_t sim;
            fuota_lora_stats_t stats;
            s_config (&config, &sim, 2, 0);
            strcpy (config.region, cases [i].region);
            config.dr = cases [i].dr;
            server_init (&server, &config, &sim);
            server.turn = s_always;
            server.rx2 = rx2;
            server_run (&server, START + 10 * MINUTE);
            fuota_lora_stats (server.lora, &stats);
            if (stats.devices.joined != 2 || stats.devices.downlinks < 16 ||
                stats.unheard)
                fail_msg ("%s DR%u RX%d: joined %u, downlinks %u, unheard %u",
                    cases [i].region, (unsigned) cases [i].dr, 1 + rx2,
                    (unsigned) stats.devices.joined,
                    (unsigned) stats.devices.downlinks,
                    (unsigned) stats.unheard);
            server_release (&server);
        }
}

//  The same seed, the same run; another seed, another.
static void
test_lora__deterministic (void **state)
{
    fuota_lora_stats_t stats [3];
    (void) state;
    for (unsigned i = 0; i < 3; i++) {
        server_t server;
        fuota_lora_config_t config;
        fuota_sim_config_t sim;
        s_config (&config, &sim, 12, 500);
        sim.unicast_loss = sim.gateway_refusal = 200;
        sim.seed = i < 2 ? 7 : 8;
        server_init (&server, &config, &sim);
        server.turn = s_always;
        server_run (&server, START + 30 * MINUTE);
        fuota_lora_stats (server.lora, &stats [i]);
        server_release (&server);
    }
    assert_memory_equal (&stats [0], &stats [1], sizeof *stats);
    assert_memory_not_equal (&stats [0], &stats [2], sizeof *stats);
}

//  DevStatusReq, LinkADRReq to DR3, RXTimingSetupReq 2 s, then an unknown one.
static bool
s_mac_turn (server_t *server, unsigned i, const fuota_lorawan_data_t *up,
    fuota_lorawan_data_t *down)
{
    static const uint8_t commands [] = { 0x06, 0x03, 0x51, 0x07, 0x00, 0x01,
        0x08, 0x01, 0x7f, 0x06 };
    static const uint8_t answers [] = { 0x08, 0x06, 200, 20, 0x03, 0x07 };
    if (server->peer [i].heard == 2 && up->options_size == sizeof answers &&
        memcmp (up->options, answers, sizeof answers) == 0)
        server->joins += 100;
    if (server->peer [i].heard != 1)
        return false;
    down->options_size = sizeof commands;
    memcpy (down->options, commands, sizeof commands);
    return true;
}

static void
test_lora__mac_commands (void **state)
{
    server_t server;
    fuota_lora_config_t config;
    fuota_sim_config_t sim;
    fuota_lora_stats_t stats;
    (void) state;
    s_config (&config, &sim, 1, 0);
    server_init (&server, &config, &sim);
    server.turn = s_mac_turn;
    server_run (&server, START + 10 * MINUTE);
    fuota_lora_stats (server.lora, &stats);
    assert_int_equal (stats.devices.mac_commands, 3);
    assert_int_equal (stats.devices.malformed, 1);
    assert_int_equal (server.joins, 101);
    server_release (&server);
}

//  Rows: what the server does wrong with one device, and how it is counted.
static void
test_lora__hostile_downlinks (void **state)
{
    static const struct {
        const char *name;
        bool tamper;
        int32_t skip;  //  What is added to the counter after three minutes
        unsigned wrong_mic, replayed, good;
    } cases [] = { { "nothing", false, 0, 0, 0, 1 },
        { "wrong MIC", true, 0, 1, 0, 0 }, { "replayed", false, -1, 0, 1, 1 },
        { "older", false, -2, 1, 1, 1 },
        { "rolls over 16 bits", false, 65536, 1, 0, 1 },
        { "leaves out some", false, 60000, 0, 0, 1 } };
    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (unsigned v11 = 0; v11 <= 1000; v11 += 1000) {
            server_t server;
            fuota_lora_config_t config;
            fuota_sim_config_t sim;
            fuota_lora_stats_t stats;
            s_config (&config, &sim, 1, v11);
            server_init (&server, &config, &sim);
            server.turn = s_always;
            server.tamper = cases [i].tamper;
            server_run (&server, START + 3 * MINUTE);
            server.peer [0].n_down += (uint32_t) cases [i].skip;
            server.peer [0].a_down += (uint32_t) cases [i].skip;
            server_run (&server, START + 6 * MINUTE);
            fuota_lora_stats (server.lora, &stats);
            if (!stats.devices.wrong_mic == !!cases [i].wrong_mic ||
                stats.devices.replayed != cases [i].replayed ||
                !stats.devices.downlinks == !!cases [i].good)
                fail_msg ("%s: wrong MIC %u, replayed %u, good %u",
                    cases [i].name, (unsigned) stats.devices.wrong_mic,
                    (unsigned) stats.devices.replayed,
                    (unsigned) stats.devices.downlinks);
            server_release (&server);
        }
}

//  Downlinks for another DevAddr, in this one's windows.
static void
test_lora__unknown_address (void **state)
{
    server_t server;
    fuota_lora_config_t config;
    fuota_sim_config_t sim;
    fuota_lora_stats_t before, after;
    (void) state;
    s_config (&config, &sim, 1, 500);
    server_init (&server, &config, &sim);
    server.turn = s_always;
    server_run (&server, START + 3 * MINUTE);
    fuota_lora_stats (server.lora, &before);
    server.peer [0].dev_addr ^= 0x100;
    server_run (&server, START + 9 * MINUTE);
    fuota_lora_stats (server.lora, &after);
    assert_true (before.devices.downlinks > 0);
    assert_int_equal (after.devices.downlinks, before.devices.downlinks);
    assert_int_equal (after.devices.wrong_mic + after.devices.malformed, 0);
    assert_true (after.devices.uplinks > before.devices.uplinks + 4);
    server_release (&server);
}

//  Both counters past 16 bits, down and up.
static void
test_lora__counters_roll_over (void **state)
{
    server_t server;
    fuota_lora_config_t config;
    fuota_sim_config_t sim;
    fuota_lora_stats_t stats;
    (void) state;
    s_config (&config, &sim, 1, 1000);
    server_init (&server, &config, &sim);
    server.turn = s_always;
    server_run (&server, START + 3 * MINUTE);
    for (unsigned jump = 0; jump < 3; jump++) {
        server.peer [0].a_down += 40000;
        server_run (&server, server.now + 2 * MINUTE);
    }
    fuota_lora_stats (server.lora, &stats);
    assert_int_equal (stats.devices.wrong_mic + stats.devices.replayed, 0);
    assert_true (server.peer [0].a_down > 120000);
    assert_true (stats.devices.downlinks >= 8);
    server_release (&server);
}

//  A server that does not know the device: joins go unanswered, and are tried
//  again with a new DevNonce.
static void
test_lora__unknown_device (void **state)
{
    server_t server;
    fuota_lora_config_t config;
    fuota_sim_config_t sim;
    fuota_lora_stats_t stats;
    (void) state;
    s_config (&config, &sim, 1, 0);
    server_init (&server, &config, &sim);
    server.peer [0].root.nwk_key [0] ^= 1;
    server_run (&server, START + 10 * MINUTE);
    fuota_lora_stats (server.lora, &stats);
    assert_int_equal (stats.devices.joined, 0);
    assert_true (stats.devices.join_requests > 5);
    assert_true (fuota_lora_device (server.lora, 0)->dev_nonce > 5);
    server_release (&server);
}

//  ---------------------------------------------------------------------
//  Gateways

static void
test_lora__transmitter (void **state)
{
    server_t server;
    fuota_lora_config_t config;
    fuota_sim_config_t sim;
    uint8_t bytes [20] = { 0x60 };
    (void) state;
    s_config (&config, &sim, 0, 0);
    server_init (&server, &config, &sim);
    server_run (&server, START + MINUTE);
    static const struct {
        const char *name;
        int64_t at;  //  From now; 0 = at once
        unsigned status;
    } cases [] = { { "past", -1000, FUOTA_LORA_TOO_LATE },
        { "now", 31, FUOTA_LORA_TOO_LATE }, { "soon", 32, FUOTA_LORA_OK },
        { "upon it", 40, FUOTA_LORA_COLLISION }, { "queued", 0, FUOTA_LORA_OK },
        { "far", 400000, FUOTA_LORA_TOO_EARLY },
        { "later", 300000, FUOTA_LORA_OK } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned before = server.acked [cases [i].status];
        server_send (&server, 0, bytes, sizeof bytes, 7,
            cases [i].at ? server.now + cases [i].at : 0);
        if (server.acked [cases [i].status] != before + 1)
            fail_msg ("%s", cases [i].name);
    }
    server.frame.items [0].tx_info.frequency = 1000;
    server_again (&server, 0);
    assert_int_equal (server.acked [FUOTA_LORA_TX_FREQ], 1);
    server.frame.items [0].has_tx_info = false;
    server_again (&server, 0);
    assert_int_equal (server.acked [FUOTA_LORA_INTERNAL], 1);
    for (unsigned i = 0; i < 40; i++)
        server_send (&server, 1, bytes, sizeof bytes, 12, 0);
    assert_int_equal (server.acked [FUOTA_LORA_QUEUE_FULL], 40 - 32);
    fuota_lora_hear (server.lora, 9, fuota_slice (bytes, 1), server.now);
    server_release (&server);
}

//  ---------------------------------------------------------------------
//  Whole updates

#define FRAGMENT 50
#define IMAGE 1990
#define M ((IMAGE + FRAGMENT - 1) / FRAGMENT)

typedef struct {
    uint8_t image [M * FRAGMENT];
    uint8_t sha256 [32];
    unsigned step [PEERS];
    uint32_t session;  //  GPS seconds
    bool class_b;
} plan_t;

static plan_t s_plan;

static void
s_group_setup (server_t *server, unsigned i, fuota_lorawan_data_t *down)
{
    const fuota_lora_device_t *device = fuota_lora_device (server->lora, i);
    fuota_writer_t out = fuota_writer (down->data, sizeof down->data);
    uint8_t wrapped [16];
    bool v11 = device->root.v11;
    assert_int_equal (fuota_mckey_wrap (v11 ? FUOTA_ROOT_APP_KEY
                                            : FUOTA_ROOT_GEN_APP_KEY,
                          v11 ? device->root.app_key : device->app.root,
                          server->mc_key, wrapped),
        0);
    fuota_writer_u8 (&out, 2);
    fuota_writer_u8 (&out, 0);
    fuota_writer_le (&out, MC_ADDRESS, 4);
    fuota_writer_copy (&out, wrapped, 16);
    fuota_writer_le (&out, 0, 4);
    fuota_writer_le (&out, 0xffffffff, 4);
    down->f_port = 200;
    down->size = (uint8_t) out.at;
}

static void
s_frag_setup (fuota_lorawan_data_t *down)
{
    fuota_writer_t out = fuota_writer (down->data, sizeof down->data);
    fuota_writer_u8 (&out, 2);
    fuota_writer_u8 (&out, 1);
    fuota_writer_le (&out, M, 2);
    fuota_writer_u8 (&out, FRAGMENT);
    fuota_writer_u8 (&out, 0);
    fuota_writer_u8 (&out, M * FRAGMENT - IMAGE);
    fuota_writer_le (&out, 0, 4);
    down->f_port = 201;
    down->size = (uint8_t) out.at;
}

static void
s_session (fuota_lorawan_data_t *down)
{
    fuota_writer_t out = fuota_writer (down->data, sizeof down->data);
    fuota_writer_u8 (&out, s_plan.class_b ? 5 : 4);
    fuota_writer_u8 (&out, 0);
    fuota_writer_le (&out, s_plan.session, 4);
    fuota_writer_u8 (&out, s_plan.class_b ? 2 << 4 | 3 : 10);
    fuota_writer_le (&out, 8695250, 3);
    fuota_writer_u8 (&out, 5);
    down->f_port = 200;
    down->size = (uint8_t) out.at;
}

//  The command of its step, until it has answered that.
static bool
s_setup_turn (server_t *server, unsigned i, const fuota_lorawan_data_t *up,
    fuota_lorawan_data_t *down)
{
    static const struct {
        int f_port;
        uint8_t cid;
    } answers [] = { { 200, 2 }, { 201, 2 }, { 200, 4 }, { 0, 0 } };
    unsigned *step = &s_plan.step [i];
    uint8_t cid = answers [*step].cid;
    if (*step == 2 && s_plan.class_b)
        cid = 5;
    if (up->f_port == answers [*step].f_port && up->size > 1 &&
        up->data [0] == cid) {
        assert_int_equal (up->data [1] & 0x3c, 0);
        (*step)++;
    }
    if (*step == 0)
        s_group_setup (server, i, down);
    else if (*step == 1)
        s_frag_setup (down);
    else if (*step == 2)
        s_session (down);
    return *step < 3;
}

//  Time of the n-th ping slot after the session's start.
static int64_t
s_slot (const server_t *server, unsigned n)
{
    uint16_t offset;
    uint32_t beacon = s_plan.session + 128 * (n / 32);
    assert_int_equal (fuota_mckey_ping_offset (beacon, MC_ADDRESS, 2, &offset),
        0);
    return (int64_t) beacon * 1000 - server->gps_minus_utc + 2120 +
           30 * (offset + (n % 32) * 128);
}

static void
s_update (unsigned v11, bool class_b, unsigned loss)
{
    server_t server;
    fuota_lora_config_t config;
    fuota_sim_config_t sim;
    fuota_lora_stats_t stats;
    uint64_t bits [FUOTA_FEC_WORDS (M)];
    s_config (&config, &sim, 8, v11);
    sim.loss = loss;
    sim.unicast_loss = loss / 2;
    sim.gateway_refusal = loss / 2;
    server_init (&server, &config, &sim);
    server.turn = s_setup_turn;
    memset (&s_plan, 0, sizeof s_plan);
    s_plan.class_b = class_b;
    for (unsigned i = 0; i < IMAGE; i++)
        s_plan.image [i] = (uint8_t) (i * i + i / 7);
    EVP_Digest (s_plan.image, IMAGE, s_plan.sha256, NULL, EVP_sha256 (), NULL);
    int64_t start =
        fuota_gpstime_beacon (fuota_gpstime_from_utc (START + 40 * MINUTE, 0));
    s_plan.session = (uint32_t) start;
    int64_t at = start * 1000 - server.gps_minus_utc + 5000;
    server_run (&server, at);
    for (unsigned i = 0; i < server.count; i++)
        if (s_plan.step [i] != 3)
            fail_msg ("device %u: step %u", i, s_plan.step [i]);
    fuota_fec_block_t block = { .data = s_plan.image,
        .size = IMAGE,
        .frag_size = FRAGMENT,
        .version = 1 };
    for (unsigned n = 1; n <= 2 * M; n++) {
        uint8_t data [3 + FRAGMENT] = { 8, (uint8_t) n, (uint8_t) (n >> 8) };
        fuota_fec_fragment (&block, n, data + 3, bits);
        int64_t when = class_b ? s_slot (&server, n + 3) : at + 3000 * n;
        server_run (&server, class_b ? when - 2000 : when);
        server_cast (&server, 201, data, sizeof data, 7, class_b ? when : 0);
    }
    server_run (&server, server.now + 10 * MINUTE);
    fuota_lora_stats (server.lora, &stats);
    for (unsigned i = 0; i < server.count; i++) {
        fuota_sim_view_t view;
        fuota_lora_view (server.lora, i, &view);
        if (!view.has_image || memcmp (view.sha256, s_plan.sha256, 32) != 0)
            fail_msg ("device %u has not the image", i);
    }
    assert_int_equal (stats.devices.wrong_mic, 0);
    assert_int_equal (stats.devices.malformed, 0);
    assert_true (loss == 0 || stats.gateways.status [FUOTA_LORA_OK] <
                                  stats.gateways.commands);
    server_release (&server);
}

static void
test_lora__class_c (void **state)
{
    (void) state;
    s_update (0, false, 0);
    s_update (1000, false, 0);
    s_update (500, false, 150);
}

static void
test_lora__class_b (void **state)
{
    (void) state;
    s_update (500, true, 0);
    s_update (500, true, 150);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_lora__joins_and_speaks),
        cmocka_unit_test (test_lora__windows),
        cmocka_unit_test (test_lora__deterministic),
        cmocka_unit_test (test_lora__mac_commands),
        cmocka_unit_test (test_lora__hostile_downlinks),
        cmocka_unit_test (test_lora__unknown_address),
        cmocka_unit_test (test_lora__counters_roll_over),
        cmocka_unit_test (test_lora__unknown_device),
        cmocka_unit_test (test_lora__transmitter),
        cmocka_unit_test (test_lora__class_c),
        cmocka_unit_test (test_lora__class_b),
    };
    return cmocka_run_group_tests_name ("lora", tests, NULL, NULL);
}
