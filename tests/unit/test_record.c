//  SPDX-License-Identifier: MIT

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "schema/record.h"

static void
test_record__names (void **state)
{
    (void) state;
    for (int step = 0; step < FUOTA_STEPS; step++)
        for (int other = 0; other < step; other++)
            assert_string_not_equal (fuota_step_name ((Step) step),
                fuota_step_name ((Step) other));
    assert_string_equal (fuota_step_name ((Step) FUOTA_STEPS), "?");
    assert_string_equal (fuota_step_name ((Step) -1), "?");
    assert_string_equal (fuota_step_name (FUOTA_STEP_FRAG_SETUP), "frag setup");
    assert_string_equal (fuota_end_name ((End) FUOTA_ENDS), "?");
    assert_string_equal (fuota_end_name ((End) -1), "?");
    assert_string_equal (fuota_end_name (FUOTA_END_TIMED_OUT), "timed out");
}

static void
test_record__phase_names (void **state)
{
    (void) state;
    static const struct {
        fuota_group_t group;
        const char *name;
    } cases [] = {
        { { .phase = (Phase) 99 }, "?" },
        { { .phase = (Phase) 99, .paused = true }, "?" },
        { { .phase = FUOTA_DRAFT }, "draft" },
        { { .phase = FUOTA_PREPARING }, "preparing" },
        { { .phase = FUOTA_SETTING_UP }, "setting up" },
        { { .phase = FUOTA_WAITING, .round = 1 }, "waiting" },
        { { .phase = FUOTA_SENDING, .round = 1 }, "sending" },
        { { .phase = FUOTA_WAITING, .round = 2 }, "repairing" },
        { { .phase = FUOTA_SENDING, .round = 2 }, "repairing" },
        { { .phase = FUOTA_COLLECTING, .round = 2 }, "collecting" },
        { { .phase = FUOTA_SENDING, .paused = true }, "paused" },
        { { .phase = FUOTA_FINISHING, .paused = true }, "finishing" },
        { { .phase = FUOTA_FINISHING, .cancelled = true }, "finishing" },
        { { .phase = FUOTA_OVER }, "done" },
        { { .phase = FUOTA_OVER, .cancelled = true }, "cancelled" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal (fuota_phase_name (&cases [i].group),
            cases [i].name);
}

static void
test_record__end_texts (void **state)
{
    (void) state;
    static const struct {
        fuota_device_t device;
        const char *text;
    } cases [] = {
        { { .end = (End) 77 }, "?" },
        { { .step = FUOTA_STEP_READY }, "ready" },
        { { .end = FUOTA_END_COMPLETE, .step = FUOTA_STEP_END }, "complete" },
        { { .end = FUOTA_END_REFUSED, .words = "wrong descriptor" },
            "refused(wrong descriptor)" },
        { { .end = FUOTA_END_TIMED_OUT, .stopped_at = FUOTA_STEP_SESSION },
            "timed out(session)" },
        { { .end = FUOTA_END_INCOMPLETE, .missing = 12 },
            "incomplete(missing 12)" },
        { { .end = FUOTA_END_INCOMPLETE, .missing = 255 },
            "incomplete(missing >= 255)" },
        { { .end = FUOTA_END_CANCELLED }, "cancelled" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text [128], cut [4] = "???";
        fuota_end_text (&cases [i].device, text, sizeof text);
        assert_string_equal (text, cases [i].text);
        fuota_end_text (&cases [i].device, cut, sizeof cut);
        assert_int_equal (strncmp (cut, text, 3), 0);
        assert_true (strlen (cut) < sizeof cut);
    }
    //  Every byte of the words is kept
    fuota_device_t device = { .end = FUOTA_END_REFUSED };
    char text [128];
    memset (device.words, 'x', sizeof device.words - 1);
    fuota_end_text (&device, text, sizeof text);
    assert_int_equal (strlen (text), strlen ("refused()") + 96);
}

//  All kinds, as large as they can be.
static const struct {
    const char *name;
    const pb_msgdesc_t *fields;
    size_t size, encoded;
} s_kinds [] = {
    { "Event", Event_fields, sizeof (fuota_event_t), Event_size },
    { "Downlink", Downlink_fields, sizeof (fuota_downlink_t), Downlink_size },
    { "Outcome", Outcome_fields, sizeof (fuota_outcome_t), Outcome_size },
    { "Deployment", Deployment_fields, sizeof (fuota_deployment_t),
        Deployment_size },
    { "Group", Group_fields, sizeof (fuota_group_t), Group_size },
    { "Device", Device_fields, sizeof (fuota_device_t), Device_size },
    { "Route", Route_fields, sizeof (fuota_route_t), Route_size },
    { "Clock", Clock_fields, sizeof (fuota_clock_t), Clock_size },
    { "OutboxRow", OutboxRow_fields, sizeof (fuota_row_t), OutboxRow_size },
    { "Image", Image_fields, sizeof (fuota_image_t), Image_size },
    { "JournalLine", JournalLine_fields, sizeof (fuota_line_t),
        JournalLine_size },
};

static void
test_record__the_largest_fits (void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof s_kinds / sizeof *s_kinds; i++)
        if (s_kinds [i].encoded > FUOTA_RECORD_MAX)
            fail_msg ("%s: %zu bytes", s_kinds [i].name, s_kinds [i].encoded);
}

//  No bytes are a record of zeros; alien bytes are none.
static void
test_record__empty_and_alien (void **state)
{
    (void) state;
    static const struct {
        const char *name;
        uint8_t bytes [12];
        size_t size;
        int rc;
    } cases [] = {
        { "empty", { 0 }, 0, 0 },
        { "tag 0", { 0, 0 }, 2, FUOTA_EFORMAT },
        { "wire type 7", { 0x0f }, 1, FUOTA_EFORMAT },
        { "endless varint",
            { 0xf8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 }, 12,
            FUOTA_EFORMAT },
        { "a field of later versions", { 0xfa, 0x7f, 1, 0xab }, 4, 0 },
        { "the same, cut", { 0xfa, 0x7f, 1 }, 3, FUOTA_EFORMAT },
    };
    for (size_t k = 0; k < sizeof s_kinds / sizeof *s_kinds; k++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            uint8_t *record = malloc (s_kinds [k].size);
            assert_non_null (record);
            memset (record, 0xff, s_kinds [k].size);
            int rc = fuota_record_decode (s_kinds [k].fields, record,
                fuota_slice (cases [i].bytes, cases [i].size));
            if (rc != cases [i].rc)
                fail_msg ("%s, %s: %s", s_kinds [k].name, cases [i].name,
                    fuota_error_name (rc));
            free (record);
        }
}

static fuota_device_t
s_full_device (void)
{
    fuota_device_t device = { .step = FUOTA_STEP_SESSION,
        .wake_at = 1767225600000,
        .asked = FUOTA_ASKED_SENT,
        .tries = 3,
        .row = UINT64_MAX,
        .group_id = 3,
        .clock_error = INT32_MIN,
        .has_group = true };
    memset (device.words, 'w', sizeof device.words - 1);
    device.command.size = sizeof device.command.bytes;
    memset (device.command.bytes, 0xee, sizeof device.command.bytes);
    return device;
}

static void
test_record__round_trip_and_cut_bytes (void **state)
{
    (void) state;
    fuota_device_t device = s_full_device (), got;
    uint8_t bytes [FUOTA_RECORD_MAX], again [FUOTA_RECORD_MAX];
    size_t size =
        fuota_record_encode (Device_fields, &device, bytes, sizeof bytes);
    assert_true (size > 0);
    memset (&got, 0xff, sizeof got);
    assert_int_equal (fuota_record_decode (Device_fields, &got,
                          fuota_slice (bytes, size)),
        0);
    assert_int_equal (got.clock_error, INT32_MIN);
    assert_true (got.row == UINT64_MAX);
    assert_string_equal (got.words, device.words);
    assert_int_equal (fuota_record_encode (Device_fields, &got, again,
                          sizeof again),
        size);
    assert_memory_equal (bytes, again, size);
    //  Cut: no record, or one without its last fields; never out of bounds
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *copy = malloc (cut ? cut : 1);
        assert_non_null (copy);
        memcpy (copy, bytes, cut);
        fuota_record_decode (Device_fields, &got, fuota_slice (copy, cut));
        free (copy);
    }
    //  No room: nothing, at any size
    for (size_t room = 0; room < size; room++)
        assert_int_equal (fuota_record_encode (Device_fields, &device, again,
                              room),
            0);
}

//  More than the struct can hold is refused, not cut.
static void
test_record__bounds_of_fields (void **state)
{
    (void) state;
    uint8_t bytes [600] = { 0x2a };  //  OutboxRow.data
    fuota_row_t row;
    for (unsigned size = 242; size <= 243; size++) {
        bytes [1] = (uint8_t) (size & 127) | 128;
        bytes [2] = (uint8_t) (size >> 7);
        int rc = fuota_record_decode (OutboxRow_fields, &row,
            fuota_slice (bytes, 3 + size));
        assert_int_equal (rc, size > 242 ? FUOTA_EFORMAT : 0);
    }
    //  A fixed-length one of another length
    static const uint8_t id [] = { 0x12, 3, 1, 2, 3 };
    assert_int_equal (fuota_record_decode (OutboxRow_fields, &row,
                          fuota_slice (id, sizeof id)),
        FUOTA_EFORMAT);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_record__names),
        cmocka_unit_test (test_record__phase_names),
        cmocka_unit_test (test_record__end_texts),
        cmocka_unit_test (test_record__the_largest_fits),
        cmocka_unit_test (test_record__empty_and_alien),
        cmocka_unit_test (test_record__round_trip_and_cut_bytes),
        cmocka_unit_test (test_record__bounds_of_fields),
    };
    return cmocka_run_group_tests_name ("record", tests, NULL, NULL);
}
