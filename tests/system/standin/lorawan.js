// SPDX-License-Identifier: MIT
//
// LoRaWAN 1.0.x and 1.1 as bytes: keys, integrity codes, encryption, frames,
// ping slots, EU868's rates. Pure; written from the specifications (LoRaWAN
// 1.0.4 and 1.1 with its errata, RP002), with nothing of ours in it.
//
// Addresses and counters are numbers, keys and frames Buffers, EUIs 16 hex
// digits as people write them (most significant first).
"use strict";
const { createCipheriv, createDecipheriv } = require("crypto");

const ZERO = Buffer.alloc(16);
const UP = 0, DOWN = 1;

// ---------------------------------------------------------------------
// AES

function ecb(key, data) {
  const cipher = createCipheriv("aes-128-ecb", key, null).setAutoPadding(false);
  return Buffer.concat([cipher.update(data), cipher.final()]);
}

function unecb(key, data) {
  const cipher = createDecipheriv("aes-128-ecb", key, null).setAutoPadding(false);
  return Buffer.concat([cipher.update(data), cipher.final()]);
}

function double(block) {
  const out = Buffer.alloc(16);
  for (let i = 0; i < 16; i++)
    out[i] = (block[i] << 1) | (i < 15 ? block[i + 1] >> 7 : 0);
  if (block[0] & 0x80)
    out[15] ^= 0x87;
  return out;
}

// The two subkeys of a key, which sessions keep
const known = new WeakMap();
function subkeys(key) {
  if (!known.has(key)) {
    const k1 = double(ecb(key, ZERO));
    known.set(key, [k1, double(k1)]);
  }
  return known.get(key);
}

// RFC 4493
function cmac(key, data) {
  const whole = data.length > 0 && data.length % 16 === 0;
  const padded = whole ? Buffer.from(data) : Buffer.alloc(16 * (Math.floor(data.length / 16) + 1));
  if (!whole) {
    data.copy(padded);
    padded[data.length] = 0x80;
  }
  const last = subkeys(key)[whole ? 0 : 1];
  for (let i = 0; i < 16; i++)
    padded[padded.length - 16 + i] ^= last[i];
  const cipher = createCipheriv("aes-128-cbc", key, ZERO).setAutoPadding(false);
  return cipher.update(padded).subarray(-16);
}

// ---------------------------------------------------------------------
// EUIs, and keys of a session

const le = (text) => Buffer.from(text, "hex").reverse();
const text = (bytes) => Buffer.from(bytes).reverse().toString("hex");

function derive(key, type, ...parts) {
  const block = Buffer.alloc(16);
  Buffer.concat([Buffer.from([type]), ...parts]).copy(block);
  return ecb(key, block);
}

function le16(value) { const b = Buffer.alloc(2); b.writeUInt16LE(value); return b; }
function le24(value) { const b = Buffer.alloc(3); b.writeUIntLE(value, 0, 3); return b; }
function le32(value) { const b = Buffer.alloc(4); b.writeUInt32LE(value >>> 0); return b; }

// Of 1.0 the AppKey is nwkKey, as ChirpStack keeps it.
function sessionKeys({ lorawan11, nwkKey, appKey, joinNonce, netId, joinEui, devNonce }) {
  if (lorawan11) {
    const of = (key, type) => derive(key, type, le24(joinNonce), le(joinEui), le16(devNonce));
    return { f: of(nwkKey, 1), s: of(nwkKey, 3), e: of(nwkKey, 4), a: of(appKey, 2) };
  }
  const of = (type) => derive(nwkKey, type, le24(joinNonce), le24(netId), le16(devNonce));
  const nwk = of(1);
  return { f: nwk, s: nwk, e: nwk, a: of(2) };
}

// ---------------------------------------------------------------------
// Join

const joinMic = (nwkKey, phy) => cmac(nwkKey, phy.subarray(0, -4)).subarray(0, 4);

// A JoinAccept that answers a JoinRequest, encrypted.
function joinAccept({ lorawan11, nwkKey, devEui, joinEui, devNonce, joinNonce, netId, devAddr, rx1Offset, rx2Dr, rxDelay }) {
  const settings = (lorawan11 ? 0x80 : 0) | rx1Offset << 4 | rx2Dr;
  const head = Buffer.from([0x20]);
  const body = Buffer.concat([le24(joinNonce), le24(netId), le32(devAddr), Buffer.from([settings, rxDelay])]);
  const mic = lorawan11
    ? cmac(derive(nwkKey, 6, le(devEui)), Buffer.concat([Buffer.from([0xff]), le(joinEui), le16(devNonce), head, body]))
    : cmac(nwkKey, Buffer.concat([head, body]));
  return Buffer.concat([head, unecb(nwkKey, Buffer.concat([body, mic.subarray(0, 4)]))]);
}

// ---------------------------------------------------------------------
// Data

function block(kind, dir, devAddr, fCnt, last) {
  const b = Buffer.alloc(16);
  b[0] = kind;
  b[5] = dir;
  b.writeUInt32LE(devAddr >>> 0, 6);
  b.writeUInt32LE(fCnt >>> 0, 10);
  b[15] = last;
  return b;
}

// FRMPayload, both ways.
function crypt(key, dir, devAddr, fCnt, data) {
  const count = Math.ceil(data.length / 16), blocks = [];
  for (let i = 1; i <= count; i++)
    blocks.push(block(0x01, dir, devAddr, fCnt, i));
  const stream = count ? ecb(key, Buffer.concat(blocks)) : ZERO;
  return Buffer.from(data.map((byte, i) => byte ^ stream[i]));
}

// FOpts of 1.1, both ways; app: a downlink that bears application data.
function cryptOptions(key, dir, app, devAddr, fCnt, data) {
  const b = block(0x01, dir, devAddr, fCnt, 1);
  b[4] = app ? 2 : 1;
  const stream = ecb(key, b);
  return Buffer.from(data.map((byte, i) => byte ^ stream[i]));
}

// confirmed: the counter of the confirmed downlink that an ACK of 1.1 is for.
function micUp(session, devAddr, fCnt, message, { confirmed = 0, dr = 0, channel = 0 } = {}) {
  const b0 = block(0x49, UP, devAddr, fCnt, message.length);
  const f = cmac(session.keys.f, Buffer.concat([b0, message]));
  if (!session.lorawan11)
    return f.subarray(0, 4);
  b0.writeUInt16LE(confirmed & 0xffff, 1);
  b0[3] = dr;
  b0[4] = channel;
  const s = cmac(session.keys.s, Buffer.concat([b0, message]));
  return Buffer.concat([s.subarray(0, 2), f.subarray(0, 2)]);
}

function micDown(key, devAddr, fCnt, message, confirmed = 0) {
  const b0 = block(0x49, DOWN, devAddr, fCnt, message.length);
  b0.writeUInt16LE(confirmed & 0xffff, 1);
  return cmac(key, Buffer.concat([b0, message])).subarray(0, 4);
}

// A frame as it came; null if it is none. A data frame's counter has 16 bits.
function read(phy) {
  const type = phy.length && !(phy[0] & 3) ? phy[0] >> 5 : 7;
  if (type === 0 && phy.length === 23)
    return { type, joinEui: text(phy.subarray(1, 9)), devEui: text(phy.subarray(9, 17)), devNonce: phy.readUInt16LE(17),
             mic: phy.subarray(19) };
  if (type < 2 || type > 5 || phy.length < 12)
    return null;
  const ctrl = phy[5], end = phy.length - 4, from = 8 + (ctrl & 15);
  if (from > end)
    return null;
  const port = from < end ? phy[from] : null;
  return { type, devAddr: phy.readUInt32LE(1), adr: !!(ctrl & 0x80), adrAckReq: !!(ctrl & 0x40), ack: !!(ctrl & 0x20),
           bit4: !!(ctrl & 0x10), fCnt16: phy.readUInt16LE(6), fOpts: phy.subarray(8, from), fPort: port,
           data: port === null ? Buffer.alloc(0) : phy.subarray(from + 1, end), mic: phy.subarray(end),
           message: phy.subarray(0, end), confirmed: type === 4 || type === 5 };
}

// A frame without its integrity code; fPort null: none.
function write({ type, devAddr, ctrl = 0, fCnt, fOpts = Buffer.alloc(0), fPort = null, data = Buffer.alloc(0) }) {
  return Buffer.concat([Buffer.from([type << 5]), le32(devAddr), Buffer.from([ctrl | fOpts.length]), le16(fCnt & 0xffff), fOpts,
    fPort === null ? Buffer.alloc(0) : Buffer.concat([Buffer.from([fPort]), data])]);
}

// ---------------------------------------------------------------------
// Class B. Times in milliseconds since the GPS epoch.

const GPS_EPOCH = 315964800000, LEAP = 18000;
const gps = (utc) => utc - GPS_EPOCH + LEAP;

// The first ping slot of that address that begins after a time.
function pingSlotAfter(devAddr, periodicity, after) {
  const count = 1 << (7 - periodicity), period = 4096 / count;
  for (let beacon = Math.max(0, Math.floor(after / 128000)) * 128; ; beacon += 128) {
    const b = Buffer.alloc(16);
    b.writeUInt32LE(beacon >>> 0, 0);
    b.writeUInt32LE(devAddr >>> 0, 4);
    const r = ecb(ZERO, b), offset = (r[0] + 256 * r[1]) % period;
    for (let n = 0; n < count; n++) {
      const at = beacon * 1000 + 2120 + (offset + n * period) * 30;
      if (at > after)
        return at;
    }
  }
}

// ---------------------------------------------------------------------
// EU868: [spreading factor, kHz, unicast N, multicast N] of each rate

const RATES = [[12, 125, 51, 51], [11, 125, 51, 51], [10, 125, 51, 51], [9, 125, 115, 115], [8, 125, 242, 222],
               [7, 125, 242, 242], [7, 250, 242, 242]];
const CHANNELS = [868100000, 868300000, 868500000, 867100000, 867300000, 867500000, 867700000, 867900000];
const RX2 = { frequency: 869525000, dr: 0 };
const rateOf = (sf, hz) => RATES.findIndex((r) => r[0] === sf && r[1] * 1000 === hz);

module.exports = { UP, DOWN, ecb, unecb, cmac, le, text, le24, derive, sessionKeys, joinMic, joinAccept, crypt, cryptOptions, micUp,
  micDown, read, write, gps, pingSlotAfter, RATES, CHANNELS, RX2, rateOf };
