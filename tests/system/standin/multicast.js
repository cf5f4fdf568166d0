// SPDX-License-Identifier: MIT
//
// Queues of multicast groups: a counter given at Enqueue, one row a gateway,
// the scheduler's tick. What a gateway refuses is gone without a word; what it
// does not answer is sent again with the same counter; what waits for an
// absent gateway leaves when it is back, unless it has expired.
//
// settings.network: interval, lock, class_c_margin, class_b_margin (ms).
"use strict";
const lw = require("./lorawan");
const { span, fill } = require("./common");
const gw = require("@chirpstack/chirpstack-api/gw/gw_pb");

const BATCH = 100;
const FRAGMENT = 8;  // Command id of TS004's DataFragment, what is counted

const CLASS_B = 1, GPS_TIME = 1;

function made(host, group) {
  Object.assign(group, { gateways: new Set(), devices: new Set(), rows: [], takes: new Map() });
  host.stats.groups_made++;
}

// When each gateway's row is due, and when it is to be on air (GPS) if that
// is not "now".
function times(host, group, gateways) {
  const { clock } = host, { network } = host.settings, waiting = group.rows.length > 0;
  const latest = (of) => Math.max(...group.rows.map(of));
  if (group.m.getGroupType() === CLASS_B) {
    const after = waiting ? latest((r) => r.emitAt) : lw.gps(clock.now()) + network.class_b_margin;
    const emitAt = lw.pingSlotAfter(parseInt(group.m.getMcAddr(), 16), group.m.getClassBPingSlotPeriodicity(), after);
    const runAt = emitAt - lw.gps(0) - 2 * network.interval;
    return gateways.map((gateway) => ({ gateway, runAt, emitAt }));
  }
  let runAt = waiting ? latest((r) => r.runAt) + network.class_c_margin : clock.now();
  if (group.m.getClassCSchedulingType() === GPS_TIME) {
    runAt += network.class_c_margin;
    return gateways.map((gateway) => ({ gateway, runAt, emitAt: lw.gps(runAt) }));
  }
  return gateways.map((gateway, i) => ({ gateway, runAt: runAt + i * network.class_c_margin }));
}

function enqueue(host, group, item) {
  item.fCnt = group.m.getFCnt();
  group.m.setFCnt(item.fCnt + 1);
  // Without gateways of its own it looks at its devices' last uplinks; that
  // selection is not copied. None: taken, numbered, nothing queued
  const gateways = [...group.gateways];
  taken(host, group, item);
  for (const when of times(host, group, gateways))
    group.rows.push({ ...when, item });
  return item.fCnt;
}

// What became of an item, for whoever looks for a fault.
function tell(host, item, what) {
  if (item.story)
    item.story.push(`${what} at ${Math.round(host.clock.now() - host.settings.origin)}`);
}

// Each N is to be taken once, and none left out; unless what was taken before
// never was on air. The engine reads the gateways' words too, and may hear one
// that we do not: so what was handed to gateways is judged at the end, and only
// by what they said to us. The devices know the rest: fragments_repeated.
function taken(host, group, item) {
  host.stats.taken++;
  if (item.data[0] !== FRAGMENT)
    return;
  item.n = item.data.readUInt16LE(1) & 0x3fff;
  item.story = [];
  tell(host, item, "taken");
  const waits = (row) => row.item.n === item.n && !row.tries && !(row.item.expiresAt < host.clock.now());
  group.takes.set(item.n, [...group.takes.get(item.n) || [], item]);
  if (group.rows.some(waits))
    twice(host, group, item.n);
}

function twice(host, group, n) {
  host.stats.taken_twice++;
  console.error(`${group.m.getName()}: N=${n} taken twice: ${group.takes.get(n).map((item) => item.story.join(", ")).join("; again ")}`);
}

// When the group goes.
function count(host, group) {
  for (const [n, items] of group.takes) {
    if (items.filter((item) => item.sent).length > 1)
      twice(host, group, n);
    if (n > 1 && !group.takes.has(n - 1))
      host.stats.skipped++;
  }
}

// A row is over, and why.
function over(host, group, row, why) {
  group.rows = group.rows.filter((r) => r !== row);
  host.stats[why]++;
  tell(host, row.item, `${why} ${row.gateway}`);
}

function flush(host, group) {
  for (const row of group.rows)
    over(host, group, row, "flushed");
}

// The frame, and how it is to be sent.
function frame(group, item) {
  const devAddr = parseInt(group.m.getMcAddr(), 16), app = Buffer.from(group.m.getMcAppSKey(), "hex");
  const message = lw.write({ type: 3, devAddr, fCnt: item.fCnt, fPort: item.fPort,
    data: lw.crypt(app, lw.DOWN, devAddr, item.fCnt, item.data) });
  return Buffer.concat([message, lw.micDown(Buffer.from(group.m.getMcNwkSKey(), "hex"), devAddr, item.fCnt, message)]);
}

function transmit(host, group, row) {
  const { item } = row, timing = new gw.Timing();
  if (row.emitAt)
    timing.setGpsEpoch(fill(new gw.GPSEpochTimingInfo(), { TimeSinceGpsEpoch: span(row.emitAt) }));
  else
    timing.setImmediately(new gw.ImmediatelyTimingInfo());
  tell(host, item, `to ${row.gateway}`);
  row.tries = (row.tries || 0) + 1;
  host.backend.down(row.gateway, [{ phy: frame(group, item), frequency: group.m.getFrequency(), dr: group.m.getDr(), timing }], (status) => {
    tell(host, item, `${status} ${row.gateway}`);
    item.sent = item.sent || status === "OK";
    if (group.rows.includes(row))
      over(host, group, row, status === "OK" ? "sent" : "refused");
  });
}

function due(host, group, row) {
  const { clock, stats, backend, store } = host, { item } = row, now = clock.now();
  const gateway = store.gateways.get(row.gateway), rate = lw.RATES[group.m.getDr()];
  if (!gateway)
    over(host, group, row, "expired");
  else if (backend.state(gateway) !== backend.ONLINE && !(item.expiresAt && item.expiresAt < now))
    return;  // Held back, and looked at again
  else if (item.expiresAt && item.expiresAt < now)
    over(host, group, row, "expired");
  else if (!rate)
    console.error(`group ${group.m.getName()}: no such data rate`);
  else if (item.data.length > rate[3])
    over(host, group, row, "too_long");
  else
    transmit(host, group, row);
  if (row.tries > 1)
    stats.unheard++;
}

// Rows that are due in the same tick leave in any order.
function tick(host) {
  const now = host.clock.now(), ready = [];
  for (const group of host.store.groups.values())
    for (const row of group.rows)
      if (row.runAt <= now)
        ready.push([group, row]);
  const some = ready.slice(0, BATCH);
  for (const [, row] of some)
    row.runAt = now + host.settings.network.lock;
  for (const [group, row] of host.chance.shuffle(some))
    due(host, group, row);
}

module.exports = { made, enqueue, flush, count, tick, frame };
