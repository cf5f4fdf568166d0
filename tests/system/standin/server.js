// SPDX-License-Identifier: MIT
//
// A ChirpStack v4 for the system tests: a small network server with the
// host's API, its MQTT integration, its gateway backend, its queues, counters
// and faults. All messages are by ChirpStack's own definitions
// (@chirpstack/chirpstack-api); nothing here is made from ours.
//
//     node server.js SETTINGS.json
//
// It prints "ready PORT" once it serves. Commands, one a line on stdin, each
// answered by a line: api-stop, api-start; stop, start (API, gateways and
// integration: as if restarted); mark (a tag and a variable on each device);
// counts, stats (JSON).
//
// Left out: classes B and C of single devices, relays, ADR, roaming, the
// choice of gateways for groups that have none, regions other than EU868.
"use strict";
const fs = require("fs");
const readline = require("readline");
const mqtt = require("mqtt");
const { Clock, Chance, fill, mapOf, counts } = require("./common");
const { Store } = require("./store");
const { Api } = require("./faults");
const { Backend } = require("./backend");
const { Events } = require("./events");
const multicast = require("./multicast");
const tenant = require("@chirpstack/chirpstack-api/api/tenant_pb");

const COMMANDS = "$share/chirpstack/application/+/device/+/command/+";

const settings = JSON.parse(fs.readFileSync(process.argv[2]));
const host = { settings, clock: new Clock(settings), chance: new Chance(settings.seed || 1), stats: counts(), store: new Store(),
  addresses: new Map(), running: false };
host.backend = new Backend(host);
host.events = new Events(host);
const api = new Api(host, ["admin", "devices", "groups"].flatMap((part) => require(`./api_${part}`).services(host)));

// ---------------------------------------------------------------------
// The broker

let broker = null;

// What is said in one go is one write.
host.publish = (topic, body, qos) => {
  if (!broker)
    return;
  const { stream } = broker;
  if (stream && !stream.writableCorked) {
    stream.cork();
    setImmediate(() => stream.uncork());
  }
  broker.publish(topic, body, { qos });
};

function hear(topic, body) {
  try {
    if (!host.backend.message(topic, body))
      host.events.message(topic, body);
  } catch (fault) {
    console.error(topic, fault);
  }
}

async function connect() {
  broker = await mqtt.connectAsync(settings.mqtt, { clientId: "chirpstack-1", clean: false, protocolVersion: 5, username: settings.user,
    password: settings.password, reconnectPeriod: 100, resubscribe: false, properties: { sessionExpiryInterval: 3600 } });
  broker.on("error", () => {});
  broker.on("message", hear);
  // At each connection, as the host does it
  const subscribe = () => broker && broker.subscribe([COMMANDS, host.backend.filter()], { qos: 1 });
  broker.on("connect", subscribe);
  subscribe();
}

// ---------------------------------------------------------------------
// Commands

// Nothing is handed to gateways before they can be reached.
async function start() {
  await connect();
  host.running = true;
  await api.start();
}

async function stop() {
  host.running = false;
  api.stop();
  const old = broker;
  broker = null;
  await old.endAsync();
}

// What an engine that sets tags must leave as it is.
function mark() {
  for (const { m } of host.store.devices.values()) {
    m.getTagsMap().set("site", "north");
    m.getVariablesMap().set("secret", "kept");
  }
}

function told() {
  const devices = [...host.store.devices.values()];
  const changed = (d) => mapOf(d.m.getTagsMap()).site !== "north" || mapOf(d.m.getVariablesMap()).secret !== "kept";
  return { ...host.stats, groups: host.store.groups.size, active: devices.filter((d) => d.session).length,
    applications: Object.fromEntries([...host.store.applications].map(([id, a]) => [a.m.getName(), id])),
    tags: Object.fromEntries(devices.map((d) => [d.eui, mapOf(d.m.getTagsMap())])), unmarked: devices.filter(changed).length };
}

const commands = { "api-stop": () => api.stop(), "api-start": async () => { await api.start(); }, stop, start, mark,
  counts: () => JSON.stringify(host.stats), stats: () => JSON.stringify(told()) };

async function command(line) {
  if (!commands[line]) {
    console.log(`unknown command: ${line}`);
    return;
  }
  console.log(await commands[line]() || "ok");
}

// What was there before anybody used the API: tenants with a key of their own.
for (const { id, name } of settings.tenants || [])
  host.store.tenants.set(id, { m: fill(new tenant.Tenant(), { Id: id, Name: name, CanHaveGateways: true }), at: host.clock.now(),
    updated: host.clock.now() });

async function main() {
  await start();
  setInterval(() => host.running && multicast.tick(host), host.clock.real(settings.network.interval));
  console.log(`ready ${api.port}`);
  readline.createInterface({ input: process.stdin }).on("line", command).on("close", () => process.exit(0));
}
main().catch((fault) => { console.error(fault); process.exit(1); });
