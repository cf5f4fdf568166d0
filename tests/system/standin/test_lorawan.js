// SPDX-License-Identifier: MIT
//
// lorawan.js against bytes that others made: RFC 4493, frames that are in
// public documentation and tests of other implementations, ping slots of
// tests/vectors/timing.json.
//
//     node test_lorawan.js VECTORS
"use strict";
const assert = require("assert");
const fs = require("fs");
const path = require("path");
const lw = require("./lorawan");
const hex = (text) => Buffer.from(text, "hex");

// RFC 4493, section 4
const rfc = hex("2b7e151628aed2a6abf7158809cf4f3c");
const long = hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51" +
                 "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710");
for (const [size, mac] of [[0, "bb1d6929e95937287fa37d129b756746"], [16, "070a16b46b4d4144f79bdd9dd04a287c"],
                           [40, "dfa66747de9ae63030ca32611497c827"], [64, "51f0bebf7e3b9d92fc49741779363cfe"]])
  assert.equal(lw.cmac(rfc, long.subarray(0, size)).toString("hex"), mac, `cmac of ${size}`);

// An uplink of 1.0, "test" on port 1
const up = lw.read(hex("40f17dbe4900020001954378762b11ff0d"));
const session = { lorawan11: false, keys: { f: hex("44024241ed4ce9a68c6a8bc055233fd3") } };
assert.equal(up.devAddr, 0x49be7df1);
assert.equal(up.fCnt16, 2);
assert.equal(up.fPort, 1);
assert.equal(lw.crypt(hex("ec925802ae430ca77fd3dd73cb2cc588"), lw.UP, up.devAddr, 2, up.data).toString(), "test");
assert.deepEqual(lw.micUp(session, up.devAddr, 2, up.message), up.mic);

// A join of 1.0 and its answer
const appKey = hex("b6b53f4a168a7a88bdf7ea135ce9cfca");
const phy = hex("00dc0000d07ed5b3701e6fedf57ceeaf0085cc587fe913"), join = lw.read(phy);
assert.equal(join.joinEui, "70b3d57ed00000dc");
assert.equal(join.devEui, "00afee7cf5ed6f1e");
assert.equal(join.devNonce, 0xcc85);
assert.deepEqual(lw.joinMic(appKey, phy), join.mic);
const accept = hex("204dd85ae608b87fc4889970b7d2042c9e72959b0057aed6094b16003df12de145");
const plain = lw.ecb(appKey, accept.subarray(1));
assert.equal(plain.subarray(0, -4).toString("hex"), "3a06e5130000432e01260301184f84e85684b85e84886684586e8400");
assert.deepEqual(lw.cmac(appKey, Buffer.concat([accept.subarray(0, 1), plain.subarray(0, -4)])).subarray(0, 4), plain.subarray(-4));
const ours = lw.joinAccept({ nwkKey: appKey, joinNonce: 0xe5063a, netId: 0x13, devAddr: 0x26012e43, rx1Offset: 0, rx2Dr: 3, rxDelay: 1 });
assert.equal(lw.ecb(appKey, ours.subarray(1)).subarray(0, 12).toString("hex"), "3a06e5130000432e01260301");

// What is no frame
for (const bad of ["", "40", "00", "40f17dbe49", "40f17dbe490f0200112233", "41f17dbe4900020001954378762b11ff0d", "e0112233445566778899aabbcc"])
  assert.equal(lw.read(hex(bad)), null, bad);

// 1.1: two codes in one, of the counter that is acknowledged, rate and channel;
// options are encrypted (brocaar/lorawan's and ChirpStack's tests)
const key = (last) => Buffer.concat([Buffer.alloc(15, 2), Buffer.from([last])]);
const session11 = { lorawan11: true, keys: { s: key(2), f: key(3) } };
for (const [frame, confirmed] of [["4004030201800100" + "01a694642615" + "7612366a", 0], ["4004030201a00100" + "01a694642615" + "f842c4b9", 1]]) {
  const got = lw.read(hex(frame));
  assert.equal(lw.crypt(Buffer.alloc(16, 1), lw.UP, got.devAddr, 1, got.data).toString(), "hello");
  assert.deepEqual(lw.micUp(session11, got.devAddr, 1, got.message, { confirmed, dr: 2, channel: 3 }), got.mic);
}
const down = lw.read(hex("6004030201030000dfb4f1e24f1f9f"));
assert.equal(lw.cryptOptions(key(4), lw.DOWN, false, down.devAddr, 0, down.fOpts).toString("hex"), "020701");
assert.deepEqual(lw.micDown(key(2), down.devAddr, 0, down.message, 0), down.mic);

const slots = JSON.parse(fs.readFileSync(path.join(process.argv[2], "timing.json"))).ping_slots.next_slot;
for (const v of slots)
  assert.equal(lw.pingSlotAfter(parseInt(v.mc_addr, 16), 7 - Math.log2(v.ping_nb), v.after_ms), v.next_slot_ms, JSON.stringify(v));
console.log(`lorawan: ok, ${slots.length} ping slots`);
