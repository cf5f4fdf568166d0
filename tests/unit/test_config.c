//  SPDX-License-Identifier: MIT
//
//  Faults are compared to the letter: an operator reads nothing else.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "broker/config.h"

static fuota_config_t s_config;

//  Parse a text; its faults are in a string the caller frees.
static char *
s_parse (const char *text, int *rc)
{
    char *faults = NULL;
    size_t size;
    FILE *stream = open_memstream (&faults, &size);
    *rc = fuota_config_parse (&s_config, text, "t.cfg", stream);
    fclose (stream);
    return faults;
}

static void
test_config__each_kind_of_fault (void **state)
{
    (void) state;
    static const struct {
        const char *text, *faults;
    } cases [] = {
        { "log = { level = \"loud\"; };",
            "t.cfg:1: log.level: \"loud\"; allowed error, warning, info, "
            "debug\n" },
        { "log = { level = \"warn\"; };",
            "t.cfg:1: log.level: \"warn\"; allowed error, warning, info, "
            "debug\n" },
        { "log = { level = \"\"; };",
            "t.cfg:1: log.level: \"\"; allowed error, warning, info, debug\n" },
        { "\n\ntime = { scale = 0; };",
            "t.cfg:3: time.scale: 0; allowed 1 to 100000 times real time; 1 "
            "but in a simulation\n" },
        { "time = {\n scale = \"1\";\n};",
            "t.cfg:2: time.scale: \"1\"; allowed 1 to 100000 times real time; "
            "1 but in a simulation\n" },
        { "time = { scale = 1.5; };",
            "t.cfg:1: time.scale: 1.5; allowed 1 to 100000 times real time; 1 "
            "but in a simulation\n" },
        { "time = { scale = true; };",
            "t.cfg:1: time.scale: true; allowed 1 to 100000 times real time; 1 "
            "but in a simulation\n" },
        { "time = { scale = 5000000000L; };",
            "t.cfg:1: time.scale: 5000000000; allowed 1 to 100000 times real "
            "time; 1 but in a simulation\n" },
        { "time = { scale = { }; };",
            "t.cfg:1: time.scale: (a group or list); allowed 1 to 100000 times "
            "real time; 1 but in a simulation\n" },
        { "time = { speed = 1; };",
            "t.cfg:1: time.speed: unknown key; allowed scale, origin\n" },
        { "tme = { };",
            "t.cfg:1: tme: unknown key; allowed profiles, state, parity, "
            "pool, control, time, host, lorawan, deploy, clock, log\n" },
        { "host = 5;",
            "t.cfg:1: host: unknown key; allowed profiles, state, parity, "
            "pool, control, time, host, lorawan, deploy, clock, log\n" },
        { "host = { sim = { first_eui = \"70b3d57ed000000\"; }; };",
            "t.cfg:1: host.sim.first_eui: \"70b3d57ed000000\"; allowed 16 hex "
            "digits in quotes\n" },
        { "host = { sim = { first_eui = \"70b3d57ed000000g\"; }; };",
            "t.cfg:1: host.sim.first_eui: \"70b3d57ed000000g\"; allowed 16 hex "
            "digits in quotes\n" },
        { "deploy = { mc_addr = \"01000000/25\"; };",
            "t.cfg:1: deploy.mc_addr: \"01000000/25\"; allowed 8 hex digits / "
            "0 to 24 bits, in quotes\n" },
        { "deploy = { mc_addr = \"01/8\"; };",
            "t.cfg:1: deploy.mc_addr: \"01/8\"; allowed 8 hex digits / 0 to 24 "
            "bits, in quotes\n" },
        { "state = { folder = \"\"; };",
            "t.cfg:1: state.folder: \"\"; allowed a folder's path\n" },
        { "clock = { threshold = 9; };\ndeploy = { guard = 4; };",
            "t.cfg:1: clock.threshold: 9; allowed at most deploy.guard\n" },
        { "deploy = { guard = 1; };",
            "t.cfg:1: clock.threshold: 2; allowed at most deploy.guard\n" },
        { "clock = { applications = [ 1 ]; };",
            "t.cfg:1: clock.applications: (not such a list); allowed a list of "
            "at most 32 application ids, or [ \"*\" ]\n" },
        { "clock = { applications = \"*\"; };",
            "t.cfg:1: clock.applications: (not such a list); allowed a list of "
            "at most 32 application ids, or [ \"*\" ]\n" },
        { "profiles = 1;",
            "t.cfg:1: profiles: (not such a list); allowed ( { name = ...; }, "
            "... ), at most 64\n" },
        { "profiles = ( 1 );",
            "t.cfg:1: profiles[0]: (no group); allowed { name = ...; }\n" },
        { "profiles = ( { ts004 = 2; } );",
            "t.cfg:1: profiles[0]: without a name; allowed 1 to 64 "
            "characters\n" },
        { "profiles = ( { name = \"a\"; },\n { name = \"a\"; } );",
            "t.cfg:2: profiles[1]: a; allowed each name once\n" },
        { "profiles = ( { name = \"a\"; port004 = 202; } );",
            "t.cfg:1: profiles[0]: ports 202, 202, 200; allowed ports that "
            "differ\n" },
        { "profiles = ( { name = \"a\"; ts004 = 3; } );",
            "t.cfg:1: profiles[0].ts004: 3; allowed 1 or 2\n" },
        { "profiles = ( { name = \"a\"; missing_one = 1; } );",
            "t.cfg:1: profiles[0].missing_one: 1; allowed true or false\n" },
        { "log = {\n level = ;\n};", "t.cfg:2: syntax error\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int rc;
        char *faults = s_parse (cases [i].text, &rc);
        if (rc != -1 || strcmp (faults, cases [i].faults))
            fail_msg ("%s\ngave %d %s", cases [i].text, rc, faults);
        free (faults);
    }
}

static void
test_config__all_faults_are_listed (void **state)
{
    (void) state;
    int rc;
    char *faults = s_parse ("time = { scale = 0; origin = -1; };\n"
                            "log = { level = 1; };\nx = 1;\n",
        &rc);
    size_t lines = 0;
    for (const char *at = faults; (at = strchr (at, '\n')); at++)
        lines++;
    assert_int_equal (rc, -1);
    assert_int_equal (lines, 4);
    free (faults);
}

static void
test_config__values_are_taken (void **state)
{
    (void) state;
    int rc;
    char *faults = s_parse (
        "time = { scale = 60; origin = 1800000000000L; };\n"
        "host = { sim = { first_eui = \"70B3D57ED00000FF\"; seed = 7; }; };\n"
        "deploy = { region = \"us915\"; dr = 10; mc_addr = \"ab000000/7\"; };\n"
        "clock = { applications = [ \"a\", \"b\" ]; leap_extra = -1; };\n"
        "profiles = ( { name = \"p\"; ts003 = 0; ts004 = 2; port004 = 9;\n"
        "    max_nb_frag = 100; missing_one = true; } );\n",
        &rc);
    assert_string_equal (faults, "");
    assert_int_equal (rc, 0);
    free (faults);
    assert_int_equal (s_config.time_scale, 60);
    assert_int_equal (s_config.time_origin, 1800000000000);
    assert_int_equal (s_config.sim.first_eui, 0x70b3d57ed00000ff);
    assert_int_equal (s_config.sim.seed, 7);
    assert_int_equal (s_config.deploy.dr, 10);
    assert_int_equal (s_config.deploy.mc_addr_prefix, 0xab000000);
    assert_int_equal (s_config.deploy.mc_addr_bits, 7);
    assert_int_equal (s_config.clock_application_count, 2);
    assert_string_equal (s_config.clock_applications [1], "b");
    assert_int_equal (s_config.clock_leap_extra, -1);
    assert_int_equal (s_config.profile_count, 1);
    const fuota_dialect_t *dialect = &s_config.profiles [0].dialect;
    assert_int_equal (dialect->ts003, 0);
    assert_int_equal (dialect->ts004, 2);
    assert_int_equal (dialect->ts005, 1);
    assert_int_equal (dialect->port004, 9);
    assert_int_equal (dialect->port005, 200);
    assert_int_equal (dialect->max_nb_frag, 100);
    assert_true (dialect->missing_one);
    assert_false (dialect->keep_session);
}

//  Two homes of the same defaults would drift apart.
static void
test_config__defaults_are_those_of_the_parts (void **state)
{
    (void) state;
    fuota_sim_config_t sim;
    fuota_wish_defaults_t deploy;
    fuota_config_defaults (&s_config);
    fuota_sim_defaults (&sim);
    fuota_wish_defaults (&deploy);
    assert_memory_equal (&s_config.sim, &sim, sizeof sim);
    assert_memory_equal (&s_config.deploy, &deploy, sizeof deploy);
    assert_int_equal (s_config.clock_application_count, 1);
}

static void
test_config__simulator_names_the_application (void **state)
{
    (void) state;
    int rc;
    free (s_parse ("", &rc));
    assert_int_equal (rc, 0);
    assert_string_equal (s_config.deploy.application, s_config.sim.application);
}

static void
test_config__missing_file (void **state)
{
    (void) state;
    char faults [256] = "";
    FILE *stream = fmemopen (faults, sizeof faults, "w");
    assert_int_equal (fuota_config_load (&s_config, "/nowhere/x.cfg", stream),
        -1);
    fclose (stream);
    assert_string_equal (faults, "/nowhere/x.cfg: cannot be read\n");
}

static void
test_config__shipped_file_is_good (void **state)
{
    (void) state;
    assert_int_equal (fuota_config_load (&s_config, FUOTA_ETC "/fuotad.cfg",
                          stderr),
        0);
    static fuota_config_t plain;
    int rc;
    char *faults = s_parse ("", &rc);
    plain = s_config;
    free (faults);
    fuota_config_load (&s_config, FUOTA_ETC "/fuotad.cfg", stderr);
    assert_memory_equal (&s_config, &plain, sizeof plain);
}

//  Its last word in the file, with its default: "    scale = 1;"
static void
test_config__shipped_file_has_every_key (void **state)
{
    (void) state;
    static char text [65536];
    FILE *file = fopen (FUOTA_ETC "/fuotad.cfg", "r");
    assert_non_null (file);
    text [fread (text, 1, sizeof text - 1, file)] = 0;
    fclose (file);
    const char *key, *allowed;
    char preset [300], line [400];
    size_t i = 0;
    for (; fuota_config_key (i, &key, preset, sizeof preset, &allowed); i++) {
        snprintf (line, sizeof line, " %s = %s;", strrchr (key, '.') + 1,
            preset);
        if (!strstr (text, line))
            fail_msg ("%s: \"%s\" is not in etc/fuotad.cfg", key, line);
    }
    assert_true (i > 40);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_config__each_kind_of_fault),
        cmocka_unit_test (test_config__all_faults_are_listed),
        cmocka_unit_test (test_config__values_are_taken),
        cmocka_unit_test (test_config__defaults_are_those_of_the_parts),
        cmocka_unit_test (test_config__simulator_names_the_application),
        cmocka_unit_test (test_config__missing_file),
        cmocka_unit_test (test_config__shipped_file_is_good),
        cmocka_unit_test (test_config__shipped_file_has_every_key),
    };
    return cmocka_run_group_tests_name ("config", tests, NULL, NULL);
}
