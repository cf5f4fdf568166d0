// SPDX-License-Identifier: MIT
//
// What a frame from the air is: a join, or data of a known session. The order
// of things is the host's: counter and integrity, the up event, the ack event,
// then a pause in which the engine may answer, then the downlink.
"use strict";
const lw = require("./lorawan");
const device = require("./device");

const NET_ID = 0, JOIN_DELAY = 5000;

// MAC commands a device may send: size of each, and the answer to it.
// frames: the uplink that bore it.
const MACS = {
  0x01: [1, ([version]) => [0x01, Math.min(version, 1)]],                     // ResetInd
  0x02: [0, (_, host, frames) => [0x02, 20, frames.heard.length]],            // LinkCheckReq
  0x03: [1, null], 0x04: [0, null], 0x05: [1, null], 0x06: [2, null], 0x07: [1, null], 0x08: [0, null], 0x09: [0, null],
  0x0a: [1, null], 0x0c: [0, null],
  0x0b: [1, ([version]) => [0x0b, Math.min(version, 1)]],                     // RekeyInd
  0x0d: [0, (_, host, frames) => [0x0d, ...deviceTime(frames.gps)]],          // DeviceTimeReq
  0x0f: [1, null],
  0x10: [1, () => [0x10]],                                                    // PingSlotInfoReq
  0x11: [1, null], 0x13: [1, null],
  0x20: [1, ([mode]) => [0x20, mode]],                                        // DeviceModeInd
};

// The end of the uplink in GPS time: seconds, and 256ths
function deviceTime(gps) {
  const b = Buffer.alloc(5);
  b.writeUInt32LE(Math.floor(gps / 1000) >>> 0);
  b[4] = Math.floor(gps % 1000 * 256 / 1000);
  return b;
}

function macAnswers(host, frames, bytes) {
  const answers = [];
  let size = 0;
  for (let i = 0; i < bytes.length;) {
    const known = MACS[bytes[i]];
    if (!known || i + 1 + known[0] > bytes.length)
      break;
    const answer = known[1] && known[1](bytes.subarray(i + 1), host, frames);
    if (answer && size + answer.length <= 15) {
      answers.push(Buffer.from(answer));
      size += answer.length;
    }
    i += 1 + known[0];
  }
  return answers;
}

// ---------------------------------------------------------------------
// Join

function join(host, frames, got) {
  const o = host.store.devices.get(got.devEui), p = o && device.profile(host, o);
  if (!o || !o.keys || !p || !p.m.getSupportsOtaa() || o.m.getIsDisabled())
    return;
  const lorawan11 = device.lorawan11(host, o), nwkKey = Buffer.from(o.keys.nwk, "hex"), { joinEui, devEui, devNonce } = got;
  const context = { join_eui: joinEui, dev_nonce: String(devNonce) };
  if (!lw.joinMic(nwkKey, frames.phy).equals(got.mic)) {
    host.stats.bad_mic++;
    host.events.log(o, "UPLINK_MIC", "MIC of join-request is invalid, make sure keys are correct", context);
    return;
  }
  if (o.nonces.has(devNonce)) {
    host.events.log(o, "OTAA", "DevNonce has already been used", context);
    return;
  }
  o.nonces.add(devNonce);
  const devAddr = device.randomAddr(host), joinNonce = ++o.joinNonce;
  const keys = lw.sessionKeys({ lorawan11, nwkKey, appKey: Buffer.from(o.keys.app, "hex"), joinNonce, netId: NET_ID, joinEui, devNonce });
  device.activate(host, o, devAddr, keys, {});
  host.stats.joins++;
  const accept = lw.joinAccept({ lorawan11, nwkKey, devEui, joinEui, devNonce, joinNonce, netId: NET_ID, devAddr, rx1Offset: 0,
    rx2Dr: lw.RX2.dr, rxDelay: host.settings.network.rx1_delay });
  device.send(host, frames, accept, [{ frequency: frames.frequency, dr: frames.dr, delay: JOIN_DELAY },
    { ...lw.RX2, delay: JOIN_DELAY + 1000 }], () => {});
  host.events.join(o, frames);
}

// ---------------------------------------------------------------------
// Data

// The session it is of, and its whole counter; again: a repetition.
function session(host, frames, got) {
  const channel = lw.CHANNELS.indexOf(frames.frequency);
  for (const o of host.addresses.get(got.devAddr) || []) {
    const s = o.session, gap = (got.fCnt16 - s.fUp) & 0xffff, again = gap === 0xffff && s.fUp > 0;
    const fCnt = again ? s.fUp - 1 : s.fUp + gap;
    const mic = lw.micUp(s, got.devAddr, fCnt, got.message, { confirmed: got.ack ? s.confirmed : 0, dr: frames.dr, channel });
    if (mic.equals(got.mic))
      return { o, fCnt, again };
    // A device that began at 0 without a join
    if (lw.micUp(s, got.devAddr, got.fCnt16, got.message, { dr: frames.dr, channel }).equals(got.mic))
      host.events.log(o, "UPLINK_F_CNT_RESET", "Frame-counter reset or rollover detected",
        { deduplication_id: frames.id, f_cnt_up: String(got.fCnt16) });
  }
  return null;
}

function acknowledged(host, o, got) {
  const item = o.queue[0];
  if (!got.ack || !item || !item.pending)
    return;
  o.queue.shift();
  host.events.ack(o, item, true);
}

function data(host, frames, got) {
  const { settings, stats, clock, events } = host, found = session(host, frames, got);
  if (!found) {
    stats.bad_mic++;
    return;
  }
  const { o, fCnt, again } = found, s = o.session;
  if (again) {
    stats.retransmissions++;
    events.log(o, "UPLINK_F_CNT_RETRANSMISSION", "Uplink was flagged as re-transmission / frame-counter did not increment",
      { deduplication_id: frames.id, f_cnt_up: String(fCnt) });
    return;
  }
  if (o.m.getIsDisabled())
    return;
  stats.uplinks++;
  s.fUp = fCnt + 1;
  o.seen = clock.now();
  const mac = got.fPort === 0;
  const plain = lw.crypt(mac ? s.keys.e : s.keys.a, lw.UP, got.devAddr, fCnt, got.data);
  const options = s.lorawan11 && got.fOpts.length ? lw.cryptOptions(s.keys.e, lw.UP, false, got.devAddr, fCnt, got.fOpts) : got.fOpts;
  const macs = macAnswers(host, frames, mac ? plain : options);
  events.up(o, frames, got, fCnt, mac ? Buffer.alloc(0) : plain);
  acknowledged(host, o, got);
  clock.after(settings.network.get_downlink_data_delay, () => {
    if (host.running && o.session === s)
      device.answer(host, o, frames, { macs, ack: got.confirmed, confirmedUp: fCnt, must: got.adrAckReq });
  });
}

// frames: one PHYPayload as all gateways heard it (backend.js).
function heard(host, frames) {
  const got = lw.read(frames.phy);
  if (got && got.type === 0)
    join(host, frames, got);
  else if (got && (got.type === 2 || got.type === 4))
    data(host, frames, got);
}

module.exports = { heard, macAnswers };
