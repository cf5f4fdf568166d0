//  SPDX-License-Identifier: MIT
//
//  sim_package - what the parts of a simulated device share: a table of the
//  commands of each package, and a way to answer.

#ifndef FUOTA_SIM_PACKAGE_H
#define FUOTA_SIM_PACKAGE_H

#include "broker/host/sim_device.h"
#include "schema/bytes.h"

enum { FUOTA_SIM_PORT_TS005 = 200, FUOTA_SIM_PORT_TS004, FUOTA_SIM_PORT_TS003 };

//  Parts of an answer that are known only when it is sent
enum {
    FUOTA_SIM_FILL_NONE,
    FUOTA_SIM_FILL_TIME,    //  Last 4 bytes: the clock
    FUOTA_SIM_FILL_START,   //  Last 3 bytes: time to start
    FUOTA_SIM_FILL_STATUS,  //  All: state of the session bytes [1]
};

//  How a payload came
typedef struct {
    int64_t now;
    int64_t answer_at;
    uint8_t f_port;
    int group_id;  //  -1 = unicast
} fuota_sim_heard_t;

//  One command; the reader stands after the CID and holds what is left.
typedef void (fuota_sim_take_fn) (fuota_sim_device_t *self, fuota_reader_t *in,
    const fuota_sim_heard_t *heard);

typedef struct {
    uint8_t cid;
    uint8_t size;    //  Least size, CID included
    bool multicast;  //  May come by multicast
    fuota_sim_take_fn *take;
} fuota_sim_command_t;

typedef struct {
    uint8_t f_port;
    uint8_t id;        //  PackageIdentifier
    uint32_t version;  //  0 = the device does not have it
    const fuota_sim_command_t *commands;
    size_t count;
} fuota_sim_package_t;

fuota_sim_package_t fuota_sim_clock_package (const fuota_sim_device_t *self);
fuota_sim_package_t fuota_sim_context_package (const fuota_sim_device_t *self);
fuota_sim_package_t fuota_sim_block_package (const fuota_sim_device_t *self);

//  Send these bytes at answer_at; fewer than 24. Forgotten if there is no
//  memory or too many wait.
void fuota_sim_device_answer (fuota_sim_device_t *self,
    const fuota_sim_heard_t *heard, unsigned fill, const uint8_t *bytes,
    size_t size);

//  Write what is known only now into an answer.
void fuota_sim_clock_fill (const fuota_sim_device_t *self, int64_t now,
    fuota_sim_answer_t *answer);
void fuota_sim_context_fill (const fuota_sim_device_t *self, int64_t now,
    fuota_sim_answer_t *answer);
void fuota_sim_block_fill (const fuota_sim_device_t *self,
    fuota_sim_answer_t *answer);

//  Add an AppTimeReq or a FragDataBlockReceivedReq that is due.
void fuota_sim_clock_uplink (fuota_sim_device_t *self, int64_t now,
    fuota_writer_t *out);
void fuota_sim_block_uplink (fuota_sim_device_t *self, int64_t now,
    fuota_writer_t *out);

//  When the next FragDataBlockReceivedReq is due.
int64_t fuota_sim_block_due (const fuota_sim_device_t *self);

//  Forget session or group; both accept what is not there.
void fuota_sim_block_forget (fuota_sim_device_t *self, unsigned index);
void fuota_sim_context_forget (fuota_sim_device_t *self, unsigned group_id);

#endif
