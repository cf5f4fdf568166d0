//  SPDX-License-Identifier: MIT
//
//  chirpstack_inquiry - a question to ChirpStack: the calls that answer it, one
//  at a time, and what each answer means. Inside the core (chirpstack.h).
//
//  All of its calls are harmless, so a lost answer is asked for again, three
//  times in all. It ends by itself: who asked may have given up long before.
//
//      chirpstack_inquiry.c   its life, its calls
//      chirpstack_check.c     a check: what is known without a call
//      chirpstack_check_api.c its calls
//      chirpstack_kinds.c     devices and their kinds

#ifndef FUOTA_CHIRPSTACK_INQUIRY_H
#define FUOTA_CHIRPSTACK_INQUIRY_H

#include "broker/host/chirpstack.h"
#include "broker/host/chirpstack_call.h"

#define FUOTA_INQUIRIES 4  //  At once
#define FUOTA_INQUIRY_APPLICATIONS 8
#define FUOTA_INQUIRY_PROFILES 64
#define FUOTA_INQUIRY_KINDS 64
#define FUOTA_INQUIRY_PAGE 500    //  Devices of a call
#define FUOTA_INQUIRY_RUNNING 16  //  Of the host's own deployments

typedef enum {
    FUOTA_INQUIRE_APPLICATION,  //  CHECK, each of them: its name and tenant
    FUOTA_INQUIRE_APPLICATIONS,
    FUOTA_INQUIRE_GATEWAYS,
    FUOTA_INQUIRE_SAMPLE,  //  One device, and how many
    FUOTA_INQUIRE_WRITE,   //  A call that is refused, by the key or by its
                           //  nonsense: nothing is changed in either case
    FUOTA_INQUIRE_PROFILES,
    FUOTA_INQUIRE_PROFILE,  //  Each of them
    FUOTA_INQUIRE_BUILTIN,  //  The host's own deployments
    FUOTA_INQUIRE_DEVICES,  //  DEVICES: each page of them,
    FUOTA_INQUIRE_DEVICE,   //  or each that is named
    FUOTA_INQUIRE_KIND,     //  Each profile of theirs
    FUOTA_INQUIRE_RUNNING,  //  The host's own deployments
    FUOTA_INQUIRE_MEMBERS,  //  Each page of the devices of each
    FUOTA_INQUIRE_STEPS,
    FUOTA_INQUIRE_OVER
} fuota_inquire_t;

typedef struct {
    bool flying;
    bool ready;  //  out is to be taken before the next call
    uint32_t serial;
    fuota_inquire_t step;
    unsigned tries, calls;
    fuota_question_t question;
    fuota_answer_t out;
    //  CHECK
    char applications [FUOTA_INQUIRY_APPLICATIONS][41];
    unsigned application_count, application_at;
    char tenant [41];  //  Looked at already
    char name [101];   //  Of the application
    uint32_t offset, gateways [3];
    uint64_t sample;
    bool written;
    struct {
        char id [41], name [65];
        bool known;
        fuota_kind_t tags;  //  And what the host itself speaks with them
    } profiles [FUOTA_INQUIRY_PROFILES];
    unsigned profile_count, profile_at;
    unsigned running, running_at;
    char running_name [65];
    //  DEVICES
    struct {
        unsigned profile;
        fuota_kind_t tags;
    } kinds [FUOTA_INQUIRY_KINDS];
    unsigned kind_count, kind_at;  //  kind_at: the next to be told
    struct {
        uint64_t dev_eui;
        uint8_t kind;
    } page [FUOTA_INQUIRY_PAGE];
    unsigned page_count, page_at;
    bool more, crowded;  //  Pages; than there is room for
    char deployments [FUOTA_INQUIRY_RUNNING][41];
} fuota_chirpstack_inquiry_t;

//  A call of an inquiry, as fuota_chirpstack_call. The tag is its own.
bool fuota_chirpstack_inquiry_call (fuota_chirpstack_t *self,
    fuota_chirpstack_call_t *call);
void fuota_chirpstack_inquiry_answer (fuota_chirpstack_t *self, unsigned i,
    uint32_t serial, fuota_chirpstack_answer_t answer, const char *text,
    fuota_slice_t message);

//  There will be no more, for that reason.
void fuota_inquiry_end (fuota_chirpstack_inquiry_t *self, const char *fault);

//  A finding, cut where it is too long. A part is never full: it has room for
//  those of one step.
void fuota_inquiry_ok (fuota_chirpstack_inquiry_t *self, const char *what,
    const char *words);
void fuota_inquiry_warn (fuota_chirpstack_inquiry_t *self, const char *what,
    const char *words, const char *advice);
void fuota_inquiry_wrong (fuota_chirpstack_inquiry_t *self, const char *what,
    const char *words, const char *advice);

//  ---------------------------------------------------------------------
//  Steps

typedef struct {
    const char *path;
    size_t (*ask) (fuota_chirpstack_inquiry_t *self, uint8_t *out, size_t size);
    void (*got) (fuota_chirpstack_inquiry_t *self,
        fuota_chirpstack_answer_t answer, const char *text,
        fuota_slice_t message);
} fuota_inquire_step_t;

extern const fuota_inquire_step_t fuota_inquire_steps [FUOTA_INQUIRE_STEPS];

//  What is known without a call; then the first step.
void fuota_inquiry_check (const fuota_chirpstack_t *self,
    fuota_chirpstack_inquiry_t *inquiry, const fuota_chirpstack_links_t *links,
    int64_t now);

//  The calls of DEVICES (chirpstack_kinds.c)
#define FUOTA_INQUIRY_CALL(name)                                               \
    size_t fuota_inquiry_ask_##name (fuota_chirpstack_inquiry_t *self,         \
        uint8_t *out, size_t size);                                            \
    void fuota_inquiry_got_##name (fuota_chirpstack_inquiry_t *self,           \
        fuota_chirpstack_answer_t answer, const char *text,                    \
        fuota_slice_t message)
FUOTA_INQUIRY_CALL (page);
FUOTA_INQUIRY_CALL (device);
FUOTA_INQUIRY_CALL (kind);
FUOTA_INQUIRY_CALL (running);
FUOTA_INQUIRY_CALL (members);

//  The next part of what they gave, into out.
void fuota_inquiry_fill (fuota_chirpstack_inquiry_t *self);

#endif
