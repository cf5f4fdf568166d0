//  SPDX-License-Identifier: MIT
//
//  package - the LoRa Alliance packages as tables: split, decode, encode.
//
//  One table per package and version; a row is one command in one direction.
//  v2 shares the rows of v1 and swaps those that changed. Pure: no memory,
//  no clock. Works in both directions, for the server and for `decode`.
//
//  A payload holds several commands without count or separators. Decoding
//  stops at the first command that is unknown or cut; what was whole before
//  it is kept and counted (reference: "One payload, several commands").
//
//  Decoding is lenient: bits that are RFU are not looked at, numbers may lie
//  outside what the specification allows, and known deviations of real stacks
//  are read as what they mean. Encoding is strict: only what a conforming
//  side would send. So not all that was decoded can be encoded again.

#ifndef FUOTA_PACKAGE_H
#define FUOTA_PACKAGE_H

#include <stdbool.h>
#include "schema/bytes.h"

//  PackageIdentifier as on air.
typedef enum {
    FUOTA_TS007 = 0,  //  Multi-package access, port 225
    FUOTA_TS003 = 1,  //  Clock synchronisation, port 202
    FUOTA_TS005 = 2,  //  Remote multicast setup, port 200
    FUOTA_TS004 = 3,  //  Fragmented data block transport, port 201
    FUOTA_TS006 = 4,  //  Firmware management, port 203
    FUOTA_PACKAGES
} fuota_package_t;

typedef enum { FUOTA_DOWNLINK, FUOTA_UPLINK } fuota_direction_t;

//  What a command is, in both versions and directions.
typedef enum {
    FUOTA_NO_COMMAND,
    //  Every package
    FUOTA_PACKAGE_VERSION_REQ,
    FUOTA_PACKAGE_VERSION_ANS,
    //  TS003
    FUOTA_APP_TIME_REQ,
    FUOTA_APP_TIME_ANS,
    FUOTA_APP_TIME_PERIODICITY_REQ,
    FUOTA_APP_TIME_PERIODICITY_ANS,
    FUOTA_FORCE_DEVICE_RESYNC,
    //  TS005
    FUOTA_MC_GROUP_STATUS_REQ,
    FUOTA_MC_GROUP_STATUS_ANS,
    FUOTA_MC_GROUP_SETUP_REQ,
    FUOTA_MC_GROUP_SETUP_ANS,
    FUOTA_MC_GROUP_DELETE_REQ,
    FUOTA_MC_GROUP_DELETE_ANS,
    FUOTA_MC_CLASS_C_SESSION_REQ,
    FUOTA_MC_CLASS_C_SESSION_ANS,
    FUOTA_MC_CLASS_B_SESSION_REQ,
    FUOTA_MC_CLASS_B_SESSION_ANS,
    //  TS004
    FUOTA_FRAG_STATUS_REQ,
    FUOTA_FRAG_STATUS_ANS,
    FUOTA_FRAG_SETUP_REQ,
    FUOTA_FRAG_SETUP_ANS,
    FUOTA_FRAG_DELETE_REQ,
    FUOTA_FRAG_DELETE_ANS,
    FUOTA_FRAG_RECEIVED_REQ,  //  v2, sent by the device
    FUOTA_FRAG_RECEIVED_ANS,  //  v2, sent by the server
    FUOTA_DATA_FRAGMENT,
    //  TS006
    FUOTA_DEV_VERSION_REQ,
    FUOTA_DEV_VERSION_ANS,
    FUOTA_DEV_REBOOT_TIME_REQ,
    FUOTA_DEV_REBOOT_TIME_ANS,
    FUOTA_DEV_REBOOT_COUNTDOWN_REQ,
    FUOTA_DEV_REBOOT_COUNTDOWN_ANS,
    FUOTA_DEV_UPGRADE_IMAGE_REQ,
    FUOTA_DEV_UPGRADE_IMAGE_ANS,
    FUOTA_DEV_DELETE_IMAGE_REQ,
    FUOTA_DEV_DELETE_IMAGE_ANS,
    //  TS007
    FUOTA_DEV_PACKAGE_REQ,
    FUOTA_DEV_PACKAGE_ANS,
    FUOTA_MULTI_PACK_BUFFER_REQ,
    FUOTA_MULTI_PACK_BUFFER_FRAG,
    FUOTA_COMMANDS
} fuota_command_id_t;

//  A decoded command: the union of the newest version's fields. A decoder
//  fills those its version has and leaves the rest zero. Numbers are host
//  numbers; byte strings are in on-air order.
typedef struct {
    fuota_command_id_t id;
    fuota_package_t package;
    uint8_t version;     //  Of the table it was read with: 1 or 2
    uint8_t group_id;    //  McGroupID 0..3
    uint8_t frag_index;  //  FragIndex 0..3
    union {
        struct {
            uint8_t package, version;
        } package_version;
        struct {
            uint32_t device_time;  //  GPS seconds mod 2^32
            uint8_t token;         //  0..15
            bool ans_required;
        } app_time_req;
        struct {
            int32_t correction;  //  Seconds to add to the device clock
            uint8_t token;
        } app_time_ans;
        struct {
            uint8_t period;  //  Every 128 * 2^period seconds
        } periodicity_req;
        struct {
            bool not_supported;
            uint32_t device_time;
        } periodicity_ans;
        struct {
            uint8_t transmissions;  //  0..7
        } resync;
        struct {
            uint8_t mask;  //  Groups asked for, bit X = group X
        } mc_status_req;
        struct {
            uint8_t total, mask, count;
            struct {
                uint8_t group_id;
                uint32_t mc_addr;
            } groups [4];
        } mc_status_ans;
        struct {
            uint32_t mc_addr;
            uint8_t mc_key_encrypted [16];
            uint32_t min_f_cnt, max_f_cnt;
        } mc_setup_req;
        struct {
            bool id_error;
        } mc_setup_ans;
        struct {
            bool undefined;
        } mc_delete_ans;
        struct {
            uint32_t session_time;  //  GPS seconds mod 2^32
            uint8_t time_out;       //  0..15
            uint8_t periodicity;    //  0..7, class B only
            uint32_t frequency;     //  Hz; 0 = default plan, class B only
            uint8_t dr;
        } session_req;
        struct {
            //  Bits 7:2 as on air; any set: refused, whatever the version.
            //  To encode, the four flags are added to it. If undefined is
            //  set the other flags may be wrong: it wins.
            uint8_t status;
            bool dr_error, freq_error, undefined, start_missed;
            bool has_time_to_start;
            uint32_t time_to_start;  //  Seconds; 0xffffff: not in sync
            //  Nothing followed the CID (group_id is 0 then) or a status
            //  without error: a refusal by a deviating stack
            bool cut;
        } session_ans;
        struct {
            bool participants;  //  All answer, else only the incomplete
        } frag_status_req;
        struct {
            uint16_t received;  //  NbFragReceived: a hint only
            uint8_t missing;    //  255 = 255 or more
            bool memory_error, mic_error, no_session;
            bool has_counts;  //  received and missing were in the answer
        } frag_status_ans;
        struct {
            uint8_t group_mask;
            uint16_t nb_frag;
            uint8_t frag_size, algo, block_ack_delay, padding;
            uint8_t descriptor [4];
            bool ack_reception;    //  v2
            uint16_t session_cnt;  //  v2
            uint8_t mic [4];       //  v2
        } frag_setup_req;
        struct {
            //  Bits 4:0 (v1: 3:0) as on air; 0 = accepted. To encode, the
            //  flags are added to it.
            uint8_t status;
            bool algo_unsupported, no_memory, index_unsupported;
            bool wrong_descriptor, replay;
        } frag_setup_ans;
        struct {
            bool no_session;
        } frag_delete_ans;
        struct {
            bool mic_error;
        } frag_received_req;
        struct {
            uint16_t n;          //  1..16383
            fuota_slice_t data;  //  Borrowed from the payload
        } data_fragment;
        struct {
            uint32_t firmware, hardware;
        } dev_version_ans;
        struct {
            uint32_t time;  //  GPS seconds, or as the specification says
        } reboot_time;
        struct {
            uint32_t countdown;  //  Seconds, 24 bits
        } reboot_countdown;
        struct {
            uint8_t status;          //  0..3
            uint32_t next_firmware;  //  If status is 3
        } upgrade_image_ans;
        struct {
            uint32_t firmware;
        } delete_image_req;
        struct {
            bool invalid_version, no_valid_image;
        } delete_image_ans;
        struct {
            uint8_t count;  //  At most 15
            struct {
                uint8_t package, version, port;
            } packages [15];
        } dev_package_ans;
        struct {
            uint8_t start, stop;  //  Both included
        } buffer_req;
        struct {
            bool error;
            uint8_t base;
            fuota_slice_t data;
        } buffer_frag;
    };
} fuota_command_t;

//  A payload of 242 bytes holds at most this many commands.
#define FUOTA_COMMANDS_MAX 242

//  Decode payload as commands of one package, version (1 or 2) and direction
//  into out [max]. *count is always set. Returns 0 if all was read;
//  FUOTA_ECOMMAND or FUOTA_ESHORT if an unknown or cut command ended it, and
//  FUOTA_EFULL if out was too small: in each case the *count commands before
//  it are whole. FUOTA_EVALUE (count 0) if there is no such package or
//  version. Slices in out point into payload. For port 225 see ts007.h.
int fuota_package_decode (fuota_package_t package, unsigned version,
    fuota_direction_t direction, const uint8_t *payload, size_t size,
    fuota_command_t *out, size_t max, size_t *count);

//  Encode one command (its package, version and id name the row) at the
//  writer. Returns 0; FUOTA_ECOMMAND if that version has no such command;
//  FUOTA_EVALUE if a field is outside its range; FUOTA_EFULL if there is no
//  room. On failure the writer is where it was. FUOTA_EVALUE too for what a
//  version cannot say if leaving it out would change the sense; other fields
//  a version does not have are not looked at.
int fuota_package_encode (const fuota_command_t *command, fuota_writer_t *out);

//  Default port of a package, and the package of a default port (or
//  FUOTA_PACKAGES if none has it).
uint8_t fuota_package_port (fuota_package_t package);
fuota_package_t fuota_package_by_port (uint8_t port);

//  "TS004", and "FragSessionSetupReq" as the specification spells it, the
//  first version's name where they differ. "?" if there is none.
const char *fuota_package_name (fuota_package_t package);
const char *fuota_command_name (fuota_command_id_t id);

#endif
