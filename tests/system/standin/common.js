// SPDX-License-Identifier: MIT
//
// What the parts of the stand-in share: time, chance, counts, messages.
"use strict";
const { Timestamp } = require("google-protobuf/google/protobuf/timestamp_pb");
const { Duration } = require("google-protobuf/google/protobuf/duration_pb");

// The host's time runs as fuotad's and fuota-sim's does: scale times as fast
// as real time, from an origin on.
class Clock {
  constructor({ scale, origin }) {
    this.scale = scale;
    this.origin = origin;
  }
  now() {
    return this.origin + (Date.now() - this.origin) * this.scale;
  }
  real(ms) {
    return Math.max(1, ms / this.scale);
  }
  after(ms, what) {
    return setTimeout(what, this.real(ms));
  }
}

// The same chances every time
class Chance {
  constructor(seed) {
    this.seed = seed;
  }
  number(below) {
    this.seed = (Math.imul(this.seed, 1103515245) + 12345) >>> 0;
    return Math.floor((this.seed >>> 8) / 0x1000000 * below);
  }
  permille(rate) {
    return this.number(1000) < rate;
  }
  shuffle(list) {
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.number(i + 1);
      [list[i], list[j]] = [list[j], list[i]];
    }
    return list;
  }
}

// fill (new Message(), { Field: value }): setField of each; maps by object.
function fill(message, fields) {
  for (const [name, value] of Object.entries(fields))
    if (value === undefined || value === null)
      continue;
    else if (message[`get${name}Map`])
      for (const [key, of] of Object.entries(value))
        message[`get${name}Map`]().set(key, of);
    else
      (message[`set${name}`] || message[`set${name}List`]).call(message, value);
  return message;
}

const mapOf = (map) => Object.fromEntries(map.toObject());
const stamp = (ms) => fill(new Timestamp(), { Seconds: Math.floor(ms / 1000), Nanos: Math.floor(ms % 1000) * 1e6 });
const span = (ms) => fill(new Duration(), { Seconds: Math.floor(ms / 1000), Nanos: Math.floor(ms % 1000) * 1e6 });
const ms = (time) => time ? time.getSeconds() * 1000 + time.getNanos() / 1e6 : null;
const rfc3339 = (at) => new Date(Math.floor(at)).toISOString().replace("Z", "+00:00");
const uuid = () => require("crypto").randomUUID();

const counts = () => ({ taken: 0, taken_twice: 0, skipped: 0, refused: 0, expired: 0, flushed: 0, sent: 0, unheard: 0, lost_answers: 0,
  calls: 0, unicast: 0, repeated_ids: 0, events: 0, groups_made: 0, joins: 0, uplinks: 0, copies: 0, bad_mic: 0,
  retransmissions: 0, unicast_sent: 0, unicast_refused: 0, too_long: 0 });

module.exports = { Clock, Chance, fill, mapOf, stamp, span, ms, rfc3339, uuid, counts };
