// SPDX-License-Identifier: MIT
//
// A device's session and queue, and its class A downlinks.
//
//     session { devAddr, lorawan11, keys { f, s, e, a }, fUp, nDown, aDown,
//               confirmed, abp }    fUp: the next expected
//     queue   [{ id, fPort, data, confirmed, expiresAt, pending }]
//
// The queue's rules are the host's: the oldest first, one a downlink, deleted
// when expired or too long for the data rate; kept when a gateway refuses it
// or does not answer, and then sent again with the same counter.
"use strict";
const lw = require("./lorawan");

const addr = (number) => (number >>> 0).toString(16).padStart(8, "0");

function made(host, o) {
  Object.assign(o, { eui: o.m.getDevEui(), keys: null, session: null, queue: [], info: {}, seen: null, nonces: new Set(), joinNonce: 0 });
}

// Of NetID 0, as the host is set up when it is new
function randomAddr(host) {
  return host.chance.number(1 << 25);
}

const profile = (host, o) => host.store.profiles.get(o.m.getDeviceProfileId());
const lorawan11 = (host, o) => { const p = profile(host, o); return !!p && p.m.getMacVersion() === 5; };

function deactivate(host, o) {
  const same = o.session && host.addresses.get(o.session.devAddr);
  if (same)
    same.delete(o);
  o.session = null;
}

function activate(host, o, devAddr, keys, more) {
  deactivate(host, o);
  o.session = { devAddr, lorawan11: lorawan11(host, o), keys, fUp: 0, nDown: 0, aDown: 0, confirmed: 0, ...more };
  if (!host.addresses.has(devAddr))
    host.addresses.set(devAddr, new Set());
  host.addresses.get(devAddr).add(o);
  const p = profile(host, o);
  if (!more.abp && p && p.m.getFlushQueueOnActivate())
    o.queue = [];
}

// False if an item of that id waits already.
function enqueue(host, o, item) {
  if (o.queue.some((other) => other.id === item.id)) {
    host.stats.repeated_ids++;
    return false;
  }
  o.queue.push(item);
  host.stats.unicast++;
  return true;
}

// The receive windows of that device after this uplink.
function windows(host, o, frames) {
  const { network } = host.settings, p = profile(host, o), abp = o.session && o.session.abp;
  const delay = 1000 * (abp ? (p && p.m.getAbpRx1Delay()) || 1 : network.rx1_delay);
  return { rx1: { frequency: frames.frequency, dr: frames.dr, delay },
           rx2: { frequency: (abp && p && p.m.getAbpRx2Freq()) || lw.RX2.frequency, dr: abp && p ? p.m.getAbpRx2Dr() : lw.RX2.dr,
                  delay: delay + 1000 } };
}

// What is sent now of the queue; deletes what cannot be.
function next(host, o, room) {
  for (;;) {
    const item = o.queue[0];
    if (!item)
      return null;
    if (item.pending) {
      // The uplink came without its ACK: given up
      o.queue.shift();
      host.events.ack(o, item, false);
    } else if (item.expiresAt && item.expiresAt < host.clock.now()) {
      o.queue.shift();
      host.events.log(o, "EXPIRED", "Device queue-item discarded because it has expired", { queue_item_id: item.id });
    } else if (item.data.length > room) {
      o.queue.shift();
      host.stats.too_long++;
      host.events.log(o, "DOWNLINK_PAYLOAD_SIZE", "Device queue-item discarded because it exceeds the max. payload size",
        { queue_item_id: item.id, item_size: String(item.data.length), max_payload_size: String(room) });
    } else
      return item;
  }
}

function frame(o, { item, more, macs, ack, confirmedUp }) {
  const s = o.session, app = item !== null, fCnt = s.lorawan11 && app ? s.aDown : s.nDown;
  const plain = Buffer.concat(macs);
  const fOpts = s.lorawan11 && plain.length ? lw.cryptOptions(s.keys.e, lw.DOWN, app, s.devAddr, fCnt, plain) : plain;
  const message = lw.write({ type: app && item.confirmed ? 5 : 3, devAddr: s.devAddr, fCnt, fOpts, fPort: app ? item.fPort : null,
    ctrl: (ack ? 0x20 : 0) | (more ? 0x10 : 0),
    data: app ? lw.crypt(s.keys.a, lw.DOWN, s.devAddr, fCnt, item.data) : undefined });
  const mic = lw.micDown(s.keys.s, s.devAddr, fCnt, message, s.lorawan11 && ack ? confirmedUp : 0);
  return { fCnt, phy: Buffer.concat([message, mic]) };
}

// A gateway's word on a downlink: only what it took is gone from the queue,
// and only then the counter moves.
function told(host, o, session, item, fCnt, answer) {
  if (o.session !== session)
    return;
  const which = session.lorawan11 && item ? "aDown" : "nDown";
  if (answer.status !== "OK") {
    host.stats.unicast_refused++;
    host.stats[answer.status] = (host.stats[answer.status] || 0) + 1;
    host.events.log(o, "DOWNLINK_GATEWAY", answer.status, {});
    return;
  }
  session[which] = Math.max(session[which], fCnt + 1);
  if (!item)
    return;
  host.stats.unicast_sent++;
  if (item.confirmed) {
    item.pending = true;
    session.confirmed = fCnt;
  } else
    o.queue = o.queue.filter((other) => other !== item);
  host.events.txack(o, item, fCnt, answer);
}

// The class A downlink after an uplink, if there is anything to say.
function answer(host, o, frames, { macs, ack, confirmedUp, must }) {
  const s = o.session;
  if (!s)
    return;
  const { rx1, rx2 } = windows(host, o, frames), size = macs.reduce((sum, m) => sum + m.length, 0);
  const item = next(host, o, lw.RATES[rx1.dr][2] - size);
  if (!item && !size && !ack && !must)
    return;
  const { fCnt, phy } = frame(o, { item, more: o.queue.length > 1, macs, ack, confirmedUp });
  const fits = phy.length - 13 <= lw.RATES[rx2.dr][2];
  send(host, frames, phy, fits ? [rx1, rx2] : [rx1], (word) => told(host, o, s, item, fCnt, word));
}

// By one of the gateways that heard the uplink best.
function send(host, frames, phy, when, what) {
  const best = frames.heard.filter((h) => h.snr >= frames.heard[0].snr - 10);
  const { gateway, context } = best[host.chance.number(best.length)];
  host.backend.down(gateway, when.map((w) => ({ phy, frequency: w.frequency, dr: w.dr, delay: w.delay, context })),
    (status, downlinkId, tx) => what({ status, downlinkId, gateway, tx }));
}

module.exports = { addr, made, randomAddr, lorawan11, profile, activate, deactivate, enqueue, answer, send };
