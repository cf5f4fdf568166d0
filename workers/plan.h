//  SPDX-License-Identifier: MIT
//
//  plan - the arithmetic of a deployment: counts, periods, windows.
//
//  Pure functions over numbers; formulas of lorawan-packages.md 6.5, 10.2,
//  10.3 and chirpstack-host.md 4.8. Times in milliseconds unless named.

#ifndef FUOTA_PLAN_H
#define FUOTA_PLAN_H

#include "schema/record.h"

#define FUOTA_PLAN_MAX_N 16383
#define FUOTA_PLAN_AUTO_TIME_OUT 16

//  Largest fragment for an application payload of max_n bytes: 3 less, and at
//  most limit where the device has one (0 = none). 0 if nothing fits.
uint32_t fuota_plan_frag_size (uint32_t max_n, uint32_t limit);

//  The size for a block of that many bytes: the largest, or for version 2 the
//  next below it whose coded fragments bring a block back by themselves. Those
//  of M with an even floor (M / 2) have an even number of members each, and
//  never do (reference 6.5). Not where that costs more than M / 16 further
//  fragments, or exceeds most of them.
uint32_t fuota_plan_frag_size_for (uint32_t size, uint32_t largest,
    uint32_t version, uint32_t most);

//  M and Padding of a block.
uint32_t fuota_plan_nb_frag (uint32_t size, uint32_t frag_size);
uint32_t fuota_plan_padding (uint32_t size, uint32_t frag_size);

//  Coded fragments to send so that a device that lacks missing of them has
//  enough at a loss of permille: the missing, three standard deviations, the
//  code's overhead, and the loss of coded ones. 10 at least.
uint32_t fuota_plan_coded (uint32_t missing, uint32_t permille);

//  Coded fragments to plan for M uncoded ones before anything is known but
//  the expected loss: the same with the spread of the losses themselves.
uint32_t fuota_plan_redundancy (uint32_t nb_frag, uint32_t permille);

//  Milliseconds from one fragment to the next: what the host's jitter, its
//  margin and the duty-cycle share (permille of the gateways' time) need, for
//  each of the gateways, that send one after the other; with GPS time they
//  send at once. Class B: each gateway has a ping slot of its own. The
//  deployment's gateways, margin, air time and group are looked at.
uint32_t fuota_plan_period (const fuota_deployment_t *deployment,
    uint32_t duty_permille);

//  Milliseconds the host keeps a fragment before its last gateway has it, on
//  top of its scheduler's second: 0 for one gateway of class C.
uint32_t fuota_plan_latency (const fuota_deployment_t *deployment);

//  Milliseconds a fragment may stay at the host: the longer of the two.
uint32_t fuota_plan_stay (const fuota_deployment_t *deployment);

//  Seconds a window of that exponent lasts: 2^t, class B 128 * 2^t.
uint64_t fuota_plan_window (uint32_t group_type, uint32_t time_out);

//  Milliseconds of a window that holds one fragment: both guards, and the
//  fragment with its period and latency.
uint64_t fuota_plan_least (const fuota_deployment_t *deployment);

//  Smallest exponent whose window holds count fragments and the guards, at
//  most 15; if wanted is below FUOTA_PLAN_AUTO_TIME_OUT it is taken as it is.
uint32_t fuota_plan_time_out (const fuota_deployment_t *deployment,
    uint32_t count);

//  Milliseconds between the decision on a session and its start: time for
//  everyone's last attempt, and for class B to find the beacon.
int64_t fuota_plan_lead (const fuota_deployment_t *deployment);

//  Default set-up window in seconds: all attempts of all steps.
uint32_t fuota_plan_setup_window (uint32_t retries, uint32_t uplink_interval,
    uint32_t ts004);

//  Smallest BlockAckDelay 0..7 that spreads the answers of that many devices.
uint32_t fuota_plan_ack_delay (uint32_t devices);

//  Longest random delay of such an answer, milliseconds (2^(d+4) s).
int64_t fuota_plan_ack_wait (uint32_t block_ack_delay);

//  How long a command to a device may wait in a queue, and how long to wait
//  for an answer once it was on air.
int64_t fuota_plan_patience (const fuota_deployment_t *deployment);

#endif
