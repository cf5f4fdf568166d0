//  SPDX-License-Identifier: MIT
//
//  Parts: a bounded text; the table of fields; one field; one command. This
//  is the one file of the folder that formats text.

#include <stdarg.h>
#include <stdio.h>
#include "workers/package/explain.h"
#include "workers/package/package_rows.h"

//  ---------------------------------------------------------------------
//  Text

typedef struct {
    char *text;
    size_t size, at;
    bool json;
    bool full;
} s_text_t;

static void s_put (s_text_t *self, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));

static void
s_put (s_text_t *self, const char *format, ...)
{
    if (self->full)
        return;
    va_list args;
    va_start (args, format);
    size_t left = self->size - self->at;
    int made = vsnprintf (self->text + self->at, left, format, args);
    va_end (args);
    self->full = made < 0 || (size_t) made >= left;
    self->at = self->full ? self->size : self->at + (size_t) made;
}

static void
s_put_hex (s_text_t *self, const uint8_t *data, size_t size)
{
    const char *quote = self->json ? "\"" : "";
    s_put (self, "%s", quote);
    for (size_t i = 0; i < size; i++)
        s_put (self, "%02x", data [i]);
    s_put (self, "%s", quote);
}

//  As a DevAddr is printed
static void
s_put_addr (s_text_t *self, uint32_t addr)
{
    s_put (self, self->json ? "\"%08lx\"" : "%08lx", (unsigned long) addr);
}

//  ---------------------------------------------------------------------
//  Fields

typedef enum {
    S_U8,
    S_U16,
    S_U32,
    S_I32,
    S_BOOL,
    S_BITS,     //  u8; hexadecimal in text
    S_VERSION,  //  u32; hexadecimal in text
    S_ADDR,
    S_BYTES_4,
    S_BYTES_16,
    S_SLICE,
    S_GROUPS,
    S_PACKAGES,
} s_kind_t;

//  A field of a command, from a version on; if "is" is not 0, only where the
//  byte at "when" has that value. Flags that a status byte already has are
//  shown only when set.
typedef struct {
    fuota_command_id_t id;
    const char *name;
    s_kind_t kind;
    size_t at;
    unsigned since;
    size_t when;
    uint8_t is;
} s_field_t;

#define S_AT(member) offsetof (fuota_command_t, member)
#define S_ROW(id, name, kind, member)                                          \
    {                                                                          \
        FUOTA_##id, name, kind, S_AT (member), 1, 0, 0                         \
    }
#define S_IF(id, name, kind, member, when, is)                                 \
    {                                                                          \
        FUOTA_##id, name, kind, S_AT (member), 1, S_AT (when), is              \
    }
#define S_FLAG(id, name, member) S_IF (id, name, S_BOOL, member, member, 1)
#define S_V2(id, name, kind, member)                                           \
    {                                                                          \
        FUOTA_##id, name, kind, S_AT (member), 2, 0, 0                         \
    }
#define S_SESSION_REQ(id)                                                      \
    S_ROW (id, "group_id", S_U8, group_id),                                    \
        S_ROW (id, "session_time", S_U32, session_req.session_time),           \
        S_ROW (id, "time_out", S_U8, session_req.time_out),                    \
        S_ROW (id, "dl_frequency_hz", S_U32, session_req.frequency),           \
        S_ROW (id, "dr", S_U8, session_req.dr)
#define S_SESSION_ANS(id)                                                      \
    S_ROW (id, "group_id", S_U8, group_id),                                    \
        S_ROW (id, "status", S_BITS, session_ans.status),                      \
        S_FLAG (id, "dr_error", session_ans.dr_error),                         \
        S_FLAG (id, "freq_error", session_ans.freq_error),                     \
        S_FLAG (id, "mc_group_undefined", session_ans.undefined),              \
        S_FLAG (id, "start_missed", session_ans.start_missed),                 \
        S_FLAG (id, "cut", session_ans.cut),                                   \
        S_IF (id, "time_to_start", S_U32, session_ans.time_to_start,           \
            session_ans.has_time_to_start, 1)

static const s_field_t s_fields [] = {
    S_ROW (PACKAGE_VERSION_ANS, "package_identifier", S_U8,
        package_version.package),
    S_ROW (PACKAGE_VERSION_ANS, "package_version", S_U8,
        package_version.version),

    S_ROW (APP_TIME_REQ, "device_time", S_U32, app_time_req.device_time),
    S_ROW (APP_TIME_REQ, "token_req", S_U8, app_time_req.token),
    S_ROW (APP_TIME_REQ, "ans_required", S_BOOL, app_time_req.ans_required),
    S_ROW (APP_TIME_ANS, "time_correction", S_I32, app_time_ans.correction),
    S_ROW (APP_TIME_ANS, "token_ans", S_U8, app_time_ans.token),
    S_ROW (APP_TIME_PERIODICITY_REQ, "period", S_U8, periodicity_req.period),
    S_ROW (APP_TIME_PERIODICITY_ANS, "not_supported", S_BOOL,
        periodicity_ans.not_supported),
    S_ROW (APP_TIME_PERIODICITY_ANS, "device_time", S_U32,
        periodicity_ans.device_time),
    S_ROW (FORCE_DEVICE_RESYNC, "nb_transmissions", S_U8, resync.transmissions),

    S_ROW (MC_GROUP_STATUS_REQ, "req_group_mask", S_BITS, mc_status_req.mask),
    S_ROW (MC_GROUP_STATUS_ANS, "nb_total_groups", S_U8, mc_status_ans.total),
    S_ROW (MC_GROUP_STATUS_ANS, "ans_group_mask", S_BITS, mc_status_ans.mask),
    S_ROW (MC_GROUP_STATUS_ANS, "groups", S_GROUPS, mc_status_ans.groups),
    S_ROW (MC_GROUP_SETUP_REQ, "group_id", S_U8, group_id),
    S_ROW (MC_GROUP_SETUP_REQ, "mc_addr", S_ADDR, mc_setup_req.mc_addr),
    S_ROW (MC_GROUP_SETUP_REQ, "mc_key_encrypted", S_BYTES_16,
        mc_setup_req.mc_key_encrypted),
    S_ROW (MC_GROUP_SETUP_REQ, "min_mc_f_count", S_U32, mc_setup_req.min_f_cnt),
    S_ROW (MC_GROUP_SETUP_REQ, "max_mc_f_count", S_U32, mc_setup_req.max_f_cnt),
    S_ROW (MC_GROUP_SETUP_ANS, "group_id", S_U8, group_id),
    S_ROW (MC_GROUP_SETUP_ANS, "id_error", S_BOOL, mc_setup_ans.id_error),
    S_ROW (MC_GROUP_DELETE_REQ, "group_id", S_U8, group_id),
    S_ROW (MC_GROUP_DELETE_ANS, "group_id", S_U8, group_id),
    S_ROW (MC_GROUP_DELETE_ANS, "mc_group_undefined", S_BOOL,
        mc_delete_ans.undefined),
    S_SESSION_REQ (MC_CLASS_C_SESSION_REQ),
    S_SESSION_ANS (MC_CLASS_C_SESSION_ANS),
    S_SESSION_REQ (MC_CLASS_B_SESSION_REQ),
    S_ROW (MC_CLASS_B_SESSION_REQ, "periodicity", S_U8,
        session_req.periodicity),
    S_SESSION_ANS (MC_CLASS_B_SESSION_ANS),

    S_ROW (FRAG_STATUS_REQ, "frag_index", S_U8, frag_index),
    S_ROW (FRAG_STATUS_REQ, "participants", S_BOOL,
        frag_status_req.participants),
    S_IF (FRAG_STATUS_ANS, "frag_index", S_U8, frag_index,
        frag_status_ans.has_counts, 1),
    S_IF (FRAG_STATUS_ANS, "nb_frag_received", S_U16, frag_status_ans.received,
        frag_status_ans.has_counts, 1),
    S_IF (FRAG_STATUS_ANS, "missing_frag", S_U8, frag_status_ans.missing,
        frag_status_ans.has_counts, 1),
    S_ROW (FRAG_STATUS_ANS, "memory_error", S_BOOL,
        frag_status_ans.memory_error),
    S_V2 (FRAG_STATUS_ANS, "mic_error", S_BOOL, frag_status_ans.mic_error),
    S_V2 (FRAG_STATUS_ANS, "session_does_not_exist", S_BOOL,
        frag_status_ans.no_session),
    S_ROW (FRAG_SETUP_REQ, "frag_index", S_U8, frag_index),
    S_ROW (FRAG_SETUP_REQ, "mc_group_bit_mask", S_BITS,
        frag_setup_req.group_mask),
    S_ROW (FRAG_SETUP_REQ, "nb_frag", S_U16, frag_setup_req.nb_frag),
    S_ROW (FRAG_SETUP_REQ, "frag_size", S_U8, frag_setup_req.frag_size),
    S_ROW (FRAG_SETUP_REQ, "frag_algo", S_U8, frag_setup_req.algo),
    S_ROW (FRAG_SETUP_REQ, "block_ack_delay", S_U8,
        frag_setup_req.block_ack_delay),
    S_ROW (FRAG_SETUP_REQ, "padding", S_U8, frag_setup_req.padding),
    S_ROW (FRAG_SETUP_REQ, "descriptor", S_BYTES_4, frag_setup_req.descriptor),
    S_V2 (FRAG_SETUP_REQ, "ack_reception", S_BOOL,
        frag_setup_req.ack_reception),
    S_V2 (FRAG_SETUP_REQ, "session_cnt", S_U16, frag_setup_req.session_cnt),
    S_V2 (FRAG_SETUP_REQ, "mic", S_BYTES_4, frag_setup_req.mic),
    S_ROW (FRAG_SETUP_ANS, "frag_index", S_U8, frag_index),
    S_ROW (FRAG_SETUP_ANS, "status", S_BITS, frag_setup_ans.status),
    S_FLAG (FRAG_SETUP_ANS, "frag_algo_unsupported",
        frag_setup_ans.algo_unsupported),
    S_FLAG (FRAG_SETUP_ANS, "not_enough_memory", frag_setup_ans.no_memory),
    S_FLAG (FRAG_SETUP_ANS, "frag_index_unsupported",
        frag_setup_ans.index_unsupported),
    S_FLAG (FRAG_SETUP_ANS, "wrong_descriptor",
        frag_setup_ans.wrong_descriptor),
    S_FLAG (FRAG_SETUP_ANS, "session_cnt_replay", frag_setup_ans.replay),
    S_ROW (FRAG_DELETE_REQ, "frag_index", S_U8, frag_index),
    S_ROW (FRAG_DELETE_ANS, "frag_index", S_U8, frag_index),
    S_ROW (FRAG_DELETE_ANS, "session_does_not_exist", S_BOOL,
        frag_delete_ans.no_session),
    S_ROW (FRAG_RECEIVED_REQ, "frag_index", S_U8, frag_index),
    S_ROW (FRAG_RECEIVED_REQ, "mic_error", S_BOOL, frag_received_req.mic_error),
    S_ROW (FRAG_RECEIVED_ANS, "frag_index", S_U8, frag_index),
    S_ROW (DATA_FRAGMENT, "frag_index", S_U8, frag_index),
    S_ROW (DATA_FRAGMENT, "n", S_U16, data_fragment.n),
    S_ROW (DATA_FRAGMENT, "data", S_SLICE, data_fragment.data),

    S_ROW (DEV_VERSION_ANS, "fw_version", S_VERSION, dev_version_ans.firmware),
    S_ROW (DEV_VERSION_ANS, "hw_version", S_VERSION, dev_version_ans.hardware),
    S_ROW (DEV_REBOOT_TIME_REQ, "reboot_time", S_U32, reboot_time.time),
    S_ROW (DEV_REBOOT_TIME_ANS, "reboot_time", S_U32, reboot_time.time),
    S_ROW (DEV_REBOOT_COUNTDOWN_REQ, "countdown", S_U32,
        reboot_countdown.countdown),
    S_ROW (DEV_REBOOT_COUNTDOWN_ANS, "countdown", S_U32,
        reboot_countdown.countdown),
    S_ROW (DEV_UPGRADE_IMAGE_ANS, "up_image_status", S_U8,
        upgrade_image_ans.status),
    S_IF (DEV_UPGRADE_IMAGE_ANS, "next_firmware_version", S_VERSION,
        upgrade_image_ans.next_firmware, upgrade_image_ans.status, 3),
    S_ROW (DEV_DELETE_IMAGE_REQ, "firmware_to_delete_version", S_VERSION,
        delete_image_req.firmware),
    S_ROW (DEV_DELETE_IMAGE_ANS, "error_no_valid_image", S_BOOL,
        delete_image_ans.no_valid_image),
    S_ROW (DEV_DELETE_IMAGE_ANS, "error_invalid_version", S_BOOL,
        delete_image_ans.invalid_version),

    S_ROW (DEV_PACKAGE_ANS, "packages", S_PACKAGES, dev_package_ans.packages),
    S_ROW (MULTI_PACK_BUFFER_REQ, "start_byte", S_U8, buffer_req.start),
    S_ROW (MULTI_PACK_BUFFER_REQ, "stop_byte", S_U8, buffer_req.stop),
    S_FLAG (MULTI_PACK_BUFFER_FRAG, "error", buffer_frag.error),
    S_ROW (MULTI_PACK_BUFFER_FRAG, "base_byte", S_U8, buffer_frag.base),
    S_ROW (MULTI_PACK_BUFFER_FRAG, "buffer_bytes", S_SLICE, buffer_frag.data),
};

//  ---------------------------------------------------------------------
//  One field

static uint32_t
s_number (s_kind_t kind, const uint8_t *at)
{
    uint16_t u16 = 0;
    uint32_t u32 = 0;
    if (kind == S_U8 || kind == S_BITS)
        return *at;
    if (kind == S_U16) {
        memcpy (&u16, at, sizeof u16);
        return u16;
    }
    memcpy (&u32, at, sizeof u32);
    return u32;
}

static void
s_put_number (s_text_t *self, s_kind_t kind, const uint8_t *at)
{
    unsigned long value = s_number (kind, at);
    if (kind == S_I32)
        s_put (self, "%ld", (long) (int32_t) s_number (kind, at));
    else if (kind == S_BITS && !self->json)
        s_put (self, "0x%02lx", value);
    else if (kind == S_VERSION && !self->json)
        s_put (self, "0x%08lx", value);
    else
        s_put (self, "%lu", value);
}

//  0:01020304,1:02020304 or an array of objects
static void
s_put_groups (s_text_t *self, const fuota_command_t *command)
{
    unsigned count = command->mc_status_ans.count;
    s_put (self, "%s", self->json ? "[" : "");
    for (unsigned i = 0; i < count && i < 4; i++) {
        s_put (self, "%s", i ? "," : "");
        s_put (self, self->json ? "{\"group_id\":%u,\"mc_addr\":" : "%u:",
            command->mc_status_ans.groups [i].group_id);
        s_put_addr (self, command->mc_status_ans.groups [i].mc_addr);
        s_put (self, "%s", self->json ? "}" : "");
    }
    s_put (self, "%s", self->json ? "]" : "");
}

//  1/2:202 for TS003 v2 on port 202, or an array of objects
static void
s_put_packages (s_text_t *self, const fuota_command_t *command)
{
    static const char json [] = "{\"package_identifier\":%u,"
                                "\"package_version\":%u,\"f_port\":%u}";
    unsigned count = command->dev_package_ans.count;
    s_put (self, "%s", self->json ? "[" : "");
    for (unsigned i = 0; i < count && i < 15; i++) {
        s_put (self, "%s", i ? "," : "");
        s_put (self, self->json ? json : "%u/%u:%u",
            command->dev_package_ans.packages [i].package,
            command->dev_package_ans.packages [i].version,
            command->dev_package_ans.packages [i].port);
    }
    s_put (self, "%s", self->json ? "]" : "");
}

static void
s_put_field (s_text_t *self, const s_field_t *field,
    const fuota_command_t *command)
{
    const uint8_t *at = (const uint8_t *) command + field->at;
    fuota_slice_t slice;
    s_put (self, self->json ? ",\"%s\":" : " %s=", field->name);
    switch (field->kind) {
        case S_BOOL:
            s_put (self, "%s", *at ? "true" : "false");
            break;
        case S_ADDR:
            s_put_addr (self, s_number (field->kind, at));
            break;
        case S_BYTES_4:
            s_put_hex (self, at, 4);
            break;
        case S_BYTES_16:
            s_put_hex (self, at, 16);
            break;
        case S_SLICE:
            memcpy (&slice, at, sizeof slice);
            s_put_hex (self, slice.data, slice.size);
            break;
        case S_GROUPS:
            s_put_groups (self, command);
            break;
        case S_PACKAGES:
            s_put_packages (self, command);
            break;
        default:
            s_put_number (self, field->kind, at);
    }
}

//  ---------------------------------------------------------------------
//  One command

static int
s_explain (s_text_t *self, const fuota_command_t *command)
{
    const fuota_package_row_t *row =
        fuota_package_row_of (fuota_package_table (command->package,
                                  command->version),
            command->id);
    if (!row)
        return FUOTA_ECOMMAND;
    if (self->json)
        s_put (self, "{\"package\":\"%s\",\"version\":%u,\"command\":\"%s\"",
            fuota_package_name (command->package), command->version, row->name);
    else
        s_put (self, "%s", row->name);
    for (size_t i = 0; i < sizeof s_fields / sizeof *s_fields; i++) {
        const s_field_t *field = &s_fields [i];
        if (field->id == command->id && field->since <= command->version &&
            (!field->is ||
                ((const uint8_t *) command) [field->when] == field->is))
            s_put_field (self, field, command);
    }
    s_put (self, "%s", self->json ? "}" : "");
    return self->full ? FUOTA_EFULL : 0;
}

int
fuota_command_explain (const fuota_command_t *command, char *text, size_t size)
{
    s_text_t self = { text, size, 0, false, false };
    if (size)
        text [0] = '\0';
    return s_explain (&self, command);
}

int
fuota_command_explain_json (const fuota_command_t *command, char *text,
    size_t size)
{
    s_text_t self = { text, size, 0, true, false };
    if (size)
        text [0] = '\0';
    int rc = s_explain (&self, command);
    if (rc && size)
        text [0] = '\0';
    return rc;
}
