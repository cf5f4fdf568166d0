// SPDX-License-Identifier: MIT
//
// A ChirpStack v4 for the system tests: its API, its MQTT integration, its
// queues and counters, as an engine from outside sees them. API and events
// are made by ChirpStack's own definitions (@chirpstack/chirpstack-api).
//
// What it keeps from the original: a counter given to a group's item at
// Enqueue, one row a gateway, the scheduler's tick, refused rows gone without
// a word, expiry, irregular status codes, a second item of a known id dropped,
// the order of things at an uplink. Calls may be slow, their answers lost.
//
// Radio and devices are those of fuota-sim, which is connected as it would be
// to a fuotad (schema/event.proto): that side is ours and is not the host's.
//
//     node chirpstack.js SETTINGS.json
//
// It prints "ready" once it serves. Commands, one a line on stdin, each
// answered by a line: api-stop, api-start, stats (JSON).
"use strict";
const fs = require("fs");
const readline = require("readline");
const path = require("path");
const grpc = require("@grpc/grpc-js");
const mqtt = require("mqtt");
const zmq = require("zeromq");
const protobuf = require("protobufjs");
const api = (name) => require(`@chirpstack/chirpstack-api/api/${name}`);
const integration = require("@chirpstack/chirpstack-api/integration/integration_pb");
const gw = require("@chirpstack/chirpstack-api/gw/gw_pb");
const mc = api("multicast_group_pb"), dev = api("device_pb");
const profile = api("device_profile_pb"), application = api("application_pb"), gateway = api("gateway_pb"), fuota = api("fuota_pb");
const { Empty } = require("google-protobuf/google/protobuf/empty_pb");
const { Timestamp } = require("google-protobuf/google/protobuf/timestamp_pb");

const settings = JSON.parse(fs.readFileSync(process.argv[2]));
const stats = { taken: 0, taken_twice: 0, skipped: 0, refused: 0, expired: 0, flushed: 0, sent: 0, lost_answers: 0, calls: 0,
                unicast: 0, repeated_ids: 0, events: 0, groups: 0, groups_made: 0, late: 0 };
const TENANT_PROFILE = ["9c1b7e52-6f08-4a2d-b3c5-000000000010", "9c1b7e52-6f08-4a2d-b3c5-000000000011"];
const now = () => settings.origin + (Date.now() - settings.origin) * settings.scale;
const real = (ms) => Math.max(1, ms / settings.scale);
const uuid = () => require("crypto").randomUUID();

// The same chances every time
let seed = settings.seed || 1;
function chance(permille) {
  seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
  return (seed >>> 8) % 1000 < permille;
}

// ---------------------------------------------------------------------
// Devices and the air: fuota-sim

const Air = protobuf.loadSync(path.join(settings.schema, "event.proto")).root;
const AirEvent = Air.lookupType("fuota.Event"), AirDownlink = Air.lookupType("fuota.Downlink"), AirOutcome = Air.lookupType("fuota.Outcome");
const airDoor = new zmq.Router(), airEvents = new zmq.Pull();
const asked = new Map();  // Row to whom it concerns
let row = 1, sim, greeted;
let pushing = new Promise((resolve) => { greeted = resolve; });

function air(downlink, told) {
  asked.set(row, told);
  const bytes = AirDownlink.encode(AirDownlink.fromObject({ ...downlink, row, owner: 1, deployment: Buffer.alloc(16) })).finish();
  row++;
  pushing = pushing.then(() => airDoor.send([sim, bytes]));
}

function airAsk(downlink) {
  return new Promise((resolve) => air(downlink, (outcome) => { resolve(outcome); return true; }));
}

async function hearOutcomes() {
  for await (const [peer, body] of airDoor) {
    if (!body.length) {
      sim = peer;
      greeted();
      continue;
    }
    const outcome = AirOutcome.decode(body);
    const number = Number(outcome.row), told = asked.get(number);
    if (told && told(outcome))
      asked.delete(number);
  }
}

const devices = new Map();  // By DevEUI, 16 digits
const groups = new Map();   // By id
const eui = (value) => BigInt(value.toString()).toString(16).padStart(16, "0");

async function learnDevices() {
  for (let i = 0; i < settings.devices; i++) {
    const text = (BigInt("0x" + settings.first_eui) + BigInt(i)).toString(16).padStart(16, "0");
    const got = await airAsk({ kind: 6, devEui: protobuf.util.Long.fromString(text, true, 16) });
    const key = Buffer.from(got.rootKey).toString("hex");
    devices.set(text, { eui: text, key, lorawan11: got.root === 1, queue: [], tags: { site: "north" }, variables: { secret: "kept" }, fCnt: 0 });
  }
}

// ---------------------------------------------------------------------
// Events by MQTT

let broker;
const stamp = (ms) => { const t = new Timestamp(); t.setSeconds(Math.floor(ms / 1000)); t.setNanos(Math.round(ms % 1000) * 1e6); return t; };
const rfc = (ms) => new Date(Math.round(ms)).toISOString().replace("Z", "+00:00");

function deviceInfo(device) {
  const info = new integration.DeviceInfo();
  info.setTenantId("5f2e8c4b-1d3a-4b9e-8f60-2a7c9d1e4b33");
  info.setTenantName("Water Works");
  info.setApplicationId(settings.application);
  info.setApplicationName("meters");
  info.setDeviceProfileId(TENANT_PROFILE[Number(device.lorawan11)]);
  info.setDeviceName(`meter-${device.eui}`);
  info.setDevEui(device.eui);
  for (const key of Object.keys(device.tags))
    info.getTagsMap().set(key, device.tags[key]);
  return info;
}

const infoJson = (device) => ({ tenantId: "5f2e8c4b-1d3a-4b9e-8f60-2a7c9d1e4b33", tenantName: "Water Works", applicationId: settings.application,
  applicationName: "meters", deviceProfileId: TENANT_PROFILE[Number(device.lorawan11)], deviceProfileName: "p", deviceName: `meter-${device.eui}`,
  devEui: device.eui, deviceClassEnabled: "CLASS_A", tags: device.tags });

function publish(device, type, message, json) {
  stats.events++;
  broker.publish(`application/${settings.application}/device/${device.eui}/event/${type}`,
    settings.json ? JSON.stringify(json) : Buffer.from(message.serializeBinary()), { qos: 1 });
}

function sayUp(device, event) {
  const up = new integration.UplinkEvent(), id = uuid(), at = Number(event.receivedAt), rx = [];
  up.setDeduplicationId(id);
  up.setTime(stamp(at));
  up.setDeviceInfo(deviceInfo(device));
  up.setFCnt(event.fCnt);
  up.setFPort(event.fPort);
  up.setData(event.data);
  for (const g of event.gateways) {
    const info = new gw.UplinkRxInfo();
    info.setGatewayId(eui(g));
    info.setNsTime(stamp(at + 60));
    info.getMetadataMap().set("region_config_id", "eu868");
    info.setCrcStatus(2);
    up.addRxInfo(info);
    rx.push({ gatewayId: eui(g), nsTime: rfc(at + 60), crcStatus: "CRC_OK", metadata: { region_config_id: "eu868" } });
  }
  publish(device, "up", up, { deduplicationId: id, time: rfc(at), deviceInfo: infoJson(device), devAddr: "01020304", adr: false, dr: 5, fCnt: event.fCnt,
    fPort: event.fPort, confirmed: false, data: Buffer.from(event.data).toString("base64"), rxInfo: rx,
    txInfo: { frequency: 868500000, modulation: { lora: { bandwidth: 125000, spreadingFactor: 7, codeRate: "CR_4_5" } } }, regionConfigId: "eu868" });
}

function sayTxAck(device, item) {
  const ack = new integration.TxAckEvent();
  ack.setDownlinkId(stats.unicast);
  ack.setTime(stamp(now()));
  ack.setDeviceInfo(deviceInfo(device));
  ack.setQueueItemId(item.id);
  ack.setFCntDown(device.fCnt);
  publish(device, "txack", ack, { downlinkId: stats.unicast, time: rfc(now()), deviceInfo: infoJson(device), queueItemId: item.id, fCntDown: device.fCnt++,
    gatewayId: "0000000000000001", txInfo: { frequency: 868500000, timing: { delay: { delay: "1s" } } } });
}

function sayLog(device, item, code, name) {
  const log = new integration.LogEvent();
  log.setTime(stamp(now()));
  log.setDeviceInfo(deviceInfo(device));
  log.setLevel(2);
  log.setCode(code);
  log.setDescription("Device queue-item discarded");
  log.getContextMap().set("queue_item_id", item.id);
  publish(device, "log", log, { time: rfc(now()), deviceInfo: infoJson(device), level: "ERROR", code: name, description: "Device queue-item discarded",
    context: { queue_item_id: item.id } });
}

async function hearEvents() {
  for await (const [body] of airEvents) {
    const event = AirEvent.decode(body), device = devices.get(eui(event.devEui));
    if (device && event.kind === 0)
      sayUp(device, event);
  }
}

// ---------------------------------------------------------------------
// Device queues

// False if an item of that id waits already.
function enqueueDevice(device, item) {
  if (device.queue.some((other) => other.id === item.id)) {
    stats.repeated_ids++;
    return false;
  }
  device.queue.push(item);
  stats.unicast++;
  air({ kind: 0, devEui: protobuf.util.Long.fromString(device.eui, true, 16), fPort: item.fPort, data: item.data,
        expiresAt: item.expiresAt || Math.round(now() + 86400000) }, (outcome) => {
    if (outcome.kind === 0)
      return false;
    device.queue = device.queue.filter((other) => other !== item);
    if (outcome.kind === 1)
      sayTxAck(device, item);
    else if (outcome.kind === 2)
      sayLog(device, item, 1, "DOWNLINK_PAYLOAD_SIZE");
    else
      sayLog(device, item, 11, "EXPIRED");
    return true;
  });
  return true;
}

function hearCommand(topic, body) {
  const parts = topic.split("/"), device = devices.get(parts[3]);
  if (parts[5] !== "down" || !device || parts[1] !== settings.application)
    return;
  let item;
  if (settings.json) {
    const got = JSON.parse(body.toString());
    item = { devEui: got.devEui, id: got.id, fPort: got.fPort, data: Buffer.from(got.data, "base64"), expiresAt: got.expiresAt && Date.parse(got.expiresAt) };
  } else {
    const got = integration.DownlinkCommand.deserializeBinary(body), until = got.getExpiresAt();
    item = { devEui: got.getDevEui(), id: got.getId(), fPort: got.getFPort(), data: Buffer.from(got.getData_asU8()),
             expiresAt: until && until.getSeconds() * 1000 + until.getNanos() / 1e6 };
  }
  if (item.devEui === parts[3] && item.fPort & 255)
    enqueueDevice(device, { ...item, id: item.id || uuid() });
}

// ---------------------------------------------------------------------
// Group queues: rows of (counter, gateway), a scheduler's tick, gateways

let downlinkId = 1;

// The frame as a gateway gets it; what is encrypted nobody here looks at.
function frame(group, item) {
  const head = Buffer.alloc(9);
  head[0] = 0x60;
  head.writeUInt32LE(parseInt(group.mcAddr, 16), 1);
  head.writeUInt16LE(item.fCnt & 0xffff, 6);
  head[8] = item.fPort;
  return Buffer.concat([head, item.data, Buffer.alloc(4)]);
}

function transmit(group, item, g) {
  const down = new gw.DownlinkFrame(), part = new gw.DownlinkFrameItem(), ack = new gw.DownlinkTxAck(), word = new gw.DownlinkTxAckItem();
  const refused = chance(settings.refusal);
  down.setDownlinkId(downlinkId);
  down.setGatewayId(g);
  part.setPhyPayload(frame(group, item));
  // EU868: SF12 at DR0, SF7 at DR5
  const lora = new gw.LoraModulationInfo(), modulation = new gw.Modulation(), tx = new gw.DownlinkTxInfo();
  lora.setBandwidth(125000);
  lora.setSpreadingFactor(12 - group.dr);
  modulation.setLora(lora);
  tx.setFrequency(group.frequency);
  tx.setModulation(modulation);
  part.setTxInfo(tx);
  down.addItems(part);
  ack.setDownlinkId(downlinkId++);
  ack.setGatewayId(g);
  word.setStatus(refused ? 2 : 1);
  ack.addItems(word);
  broker.publish(`eu868/gateway/${g}/command/down`, Buffer.from(down.serializeBinary()));
  broker.publish(`eu868/gateway/${g}/event/ack`, Buffer.from(ack.serializeBinary()));
  if (refused) {
    item.refusals++;
    if (item.refusals === item.gateways) {
      stats.refused++;
      group.on_air.delete(item.n);
    }
    return;
  }
  if (item.sent)
    return;  // The devices have heard it, and drop repetitions
  item.sent = true;
  stats.sent++;
  air({ kind: 1, group: group.air, fPort: item.fPort, fCnt: item.fCnt, data: item.data, expiresAt: Math.round(now() + 60000) },
      (outcome) => outcome.kind !== 0);
}

function tick() {
  for (const group of groups.values()) {
    const due = group.rows.filter((r) => r.runAt <= now());
    group.rows = group.rows.filter((r) => r.runAt > now());
    for (const r of due)
      if (r.item.expiresAt && r.item.expiresAt < now()) {
        stats.expired++;
        if (!r.item.sent)
          group.on_air.delete(r.item.n);
      } else
        transmit(group, r.item, r.gateway);
  }
}

// Each N is to be taken once, and none left out, unless what was taken before
// never was on air.
function count(group, item) {
  stats.taken++;
  if (item.data[0] !== 8)
    return;
  item.n = item.data.readUInt16LE(1);
  if (group.on_air.has(item.n))
    stats.taken_twice++;
  group.on_air.add(item.n);
  group.all.add(item.n);
}

// ---------------------------------------------------------------------
// The API

class Fault extends Error {
  constructor(code, words) { super(words); this.code = code; this.details = words; }
}
const S = grpc.status;
const unseen = () => new Fault(S.UNAUTHENTICATED, "");  // As a tenant's key sees what is not there

function checkEui(text) {
  if (text.length % 2)
    throw new Fault(S.INTERNAL, "Odd number of digits");
  if (text.length !== 16)
    throw new Fault(S.INTERNAL, "Invalid string length");
  return text.toLowerCase();
}
function checkUuid(text) {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text))
    throw new Fault(S.INVALID_ARGUMENT, "invalid length: expected length 32 for simple format");
  return text.toLowerCase();
}
function findDevice(text) {
  const device = devices.get(checkEui(text));
  if (!device)
    throw unseen();
  return device;
}
function findGroup(text) {
  const group = groups.get(checkUuid(text));
  if (!group)
    throw unseen();
  return group;
}
function checkPort(port) {
  if (!(port & 255))
    throw new Fault(S.INVALID_ARGUMENT, "Validation error: FPort must be between 1 - 255");
}
const until = (item) => item.getExpiresAt() && item.getExpiresAt().getSeconds() * 1000 + item.getExpiresAt().getNanos() / 1e6;

function groupMessage(group) {
  const m = new mc.MulticastGroup();
  m.setId(group.id);
  m.setName(group.name);
  m.setApplicationId(group.applicationId);
  m.setMcAddr(group.mcAddr);
  m.setMcNwkSKey(group.nwk);
  m.setMcAppSKey(group.app);
  m.setFCnt(group.fCnt);
  m.setGroupType(group.type);
  m.setDr(group.dr);
  m.setFrequency(group.frequency);
  m.setClassCSchedulingType(group.scheduling);
  m.setClassBPingSlotPeriodicity(group.periodicity);
  return m;
}

const multicast = {
  async create(request) {
    const m = request.getMulticastGroup();
    if (!m)
      throw new Fault(S.INVALID_ARGUMENT, "multicast_group is missing");
    if (!m.getName())
      throw new Fault(S.INVALID_ARGUMENT, "Validation error: name is not set");
    if (checkUuid(m.getApplicationId()) !== settings.application)
      throw unseen();
    const group = { id: uuid(), name: m.getName(), applicationId: m.getApplicationId(), mcAddr: m.getMcAddr(), nwk: m.getMcNwkSKey(),
      app: m.getMcAppSKey(), fCnt: m.getFCnt(), type: m.getGroupType(), dr: m.getDr(), frequency: m.getFrequency(),
      scheduling: m.getClassCSchedulingType(), periodicity: m.getClassBPingSlotPeriodicity(), gateways: [], rows: [], on_air: new Set(), all: new Set() };
    // In the air it is known to all gateways there are; which send it is ours
    group.air = (await airAsk({ kind: 2, name: group.id, application: group.applicationId, region: "EU868", mcAddr: parseInt(group.mcAddr, 16),
      mcAppSKey: Buffer.from(group.app, "hex"), mcNwkSKey: Buffer.from(group.nwk, "hex"), groupType: group.type, dr: group.dr, frequency: group.frequency,
      periodicity: group.periodicity, scheduling: group.scheduling })).group;
    groups.set(group.id, group);
    stats.groups_made++;
    const answer = new mc.CreateMulticastGroupResponse();
    answer.setId(group.id);
    return answer;
  },
  get(request) {
    const answer = new mc.GetMulticastGroupResponse();
    answer.setMulticastGroup(groupMessage(findGroup(request.getId())));
    answer.setCreatedAt(stamp(now()));
    return answer;
  },
  delete(request) {
    const group = findGroup(request.getId());
    for (const n of group.all)
      if (!group.all.has(n - 1) && n > 1)
        stats.skipped++;
    groups.delete(group.id);
    air({ kind: 3, group: group.air }, () => true);
    return new Empty();
  },
  list(request) {
    const answer = new mc.ListMulticastGroupsResponse();
    const found = [...groups.values()].filter((g) => g.name.includes(request.getSearch()) && (!request.getApplicationId() || g.applicationId === request.getApplicationId()));
    answer.setTotalCount(found.length);
    for (const g of found.slice(request.getOffset(), request.getOffset() + request.getLimit())) {
      const item = new mc.MulticastGroupListItem();
      item.setId(g.id);
      item.setName(g.name);
      item.setApplicationId(g.applicationId);
      item.setApplicationName("meters");
      answer.addResult(item);
    }
    return answer;
  },
  addGateway(request) {
    const group = findGroup(request.getMulticastGroupId()), id = checkEui(request.getGatewayId());
    if (Number("0x" + id) > settings.gateways || !Number("0x" + id))
      throw new Fault(S.NOT_FOUND, `Object does not exist (id: ${id})`);
    if (group.gateways.includes(id))
      throw new Fault(S.INTERNAL, 'duplicate key value violates unique constraint "multicast_group_gateway_pkey"');
    group.gateways.push(id);
    return new Empty();
  },
  enqueue(request) {
    const m = request.getQueueItem();
    if (!m)
      throw new Fault(S.INVALID_ARGUMENT, "queue_item is missing");
    const group = findGroup(m.getMulticastGroupId());
    checkPort(m.getFPort());
    // Without gateways of its own it takes those that heard the devices
    const sending = group.gateways.length ? group.gateways : ["0000000000000001"];
    const item = { fCnt: group.fCnt++, fPort: m.getFPort(), data: Buffer.from(m.getData_asU8()), expiresAt: until(m), refusals: 0, gateways: sending.length };
    let at = now();
    for (const r of group.rows)
      at = Math.max(at, r.runAt + settings.margin);
    count(group, item);
    for (const g of sending) {
      group.rows.push({ item, gateway: g, runAt: at });
      at += settings.margin;
    }
    const answer = new mc.EnqueueMulticastGroupQueueItemResponse();
    answer.setFCnt(item.fCnt);
    return answer;
  },
  flushQueue(request) {
    const group = findGroup(request.getMulticastGroupId());
    for (const r of group.rows) {
      stats.flushed++;
      if (!r.item.sent)
        group.on_air.delete(r.item.n);
    }
    group.rows = [];
    return new Empty();
  },
};

const deviceService = {
  get(request) {
    const device = findDevice(request.getDevEui()), answer = new dev.GetDeviceResponse(), m = new dev.Device();
    m.setDevEui(device.eui);
    m.setName(`meter-${device.eui}`);
    m.setApplicationId(settings.application);
    m.setDeviceProfileId(TENANT_PROFILE[Number(device.lorawan11)]);
    m.setJoinEui("0102030405060708");
    for (const [key, value] of Object.entries(device.tags))
      m.getTagsMap().set(key, value);
    for (const [key, value] of Object.entries(device.variables))
      m.getVariablesMap().set(key, value);
    answer.setDevice(m);
    answer.setLastSeenAt(stamp(now()));
    return answer;
  },
  list(request) {
    const wanted = request.getTagsMap().toObject(), answer = new dev.ListDevicesResponse();
    const found = [...devices.values()].filter((d) => wanted.every(([k, v]) => d.tags[k] === v));
    if (checkUuid(request.getApplicationId()) !== settings.application)
      throw unseen();
    answer.setTotalCount(found.length);
    for (const device of found.slice(request.getOffset(), request.getOffset() + request.getLimit())) {
      const item = new dev.DeviceListItem();
      item.setDevEui(device.eui);
      item.setDeviceProfileId(TENANT_PROFILE[Number(device.lorawan11)]);
      item.setDeviceProfileName("meter");
      for (const [key, value] of Object.entries(device.tags))
        item.getTagsMap().set(key, value);
      answer.addResult(item);
    }
    return answer;
  },
  update(request) {
    const m = request.getDevice(), device = findDevice(m.getDevEui());
    device.tags = Object.fromEntries(m.getTagsMap().toObject());
    device.variables = Object.fromEntries(m.getVariablesMap().toObject());
    device.joinEui = m.getJoinEui();
    return new Empty();
  },
  getKeys(request) {
    const device = findDevice(request.getDevEui()), answer = new dev.GetDeviceKeysResponse(), keys = new dev.DeviceKeys();
    keys.setDevEui(device.eui);
    keys.setNwkKey("ff".repeat(16));
    keys.setAppKey(device.lorawan11 ? device.key : "00".repeat(16));
    keys.setGenAppKey(device.lorawan11 ? "00".repeat(16) : device.key);
    answer.setDeviceKeys(keys);
    return answer;
  },
  enqueue(request) {
    const m = request.getQueueItem(), device = findDevice(m.getDevEui()), id = uuid();
    checkPort(m.getFPort());
    enqueueDevice(device, { id, fPort: m.getFPort(), data: Buffer.from(m.getData_asU8()), expiresAt: until(m) });
    const answer = new dev.EnqueueDeviceQueueItemResponse();
    answer.setId(id);
    return answer;
  },
  getQueue(request) {
    const device = findDevice(request.getDevEui()), answer = new dev.GetDeviceQueueItemsResponse();
    answer.setTotalCount(device.queue.length);
    for (const item of device.queue) {
      const m = new dev.DeviceQueueItem();
      m.setId(item.id);
      m.setDevEui(device.eui);
      m.setFPort(item.fPort);
      m.setData(item.data);
      answer.addResult(m);
    }
    return answer;
  },
};

const profileService = {
  get(request) {
    const at = TENANT_PROFILE.indexOf(request.getId()), answer = new profile.GetDeviceProfileResponse(), m = new profile.DeviceProfile();
    if (at < 0)
      throw unseen();
    m.setId(request.getId());
    m.setName("meter");
    m.setMacVersion(at ? 5 : 3);
    const own = new profile.AppLayerParams();
    own.setTs003Version(settings.ts003 || 0);
    m.setAppLayerParams(own);
    answer.setDeviceProfile(m);
    return answer;
  },
};

const applicationService = {
  get(request) {
    const answer = new application.GetApplicationResponse(), m = new application.Application();
    if (request.getId() !== settings.application)
      throw unseen();
    m.setId(request.getId());
    m.setName("meters");
    m.setTenantId("5f2e8c4b-1d3a-4b9e-8f60-2a7c9d1e4b33");
    answer.setApplication(m);
    return answer;
  },
  list() {
    const answer = new application.ListApplicationsResponse();
    answer.setTotalCount(1);
    return answer;
  },
  listDeviceProfiles() {
    const answer = new application.ListApplicationDeviceProfilesResponse();
    for (const id of new Set([...devices.values()].map((d) => TENANT_PROFILE[Number(d.lorawan11)]))) {
      const item = new application.ApplicationDeviceProfileListItem();
      item.setId(id);
      item.setName("meter");
      answer.addResult(item);
    }
    return answer;
  },
};

// The host's own deployments: one that runs, if the settings say so
const fuotaService = {
  listDeployments() {
    const answer = new fuota.ListFuotaDeploymentsResponse();
    for (const name of settings.builtin ? ["built-in"] : []) {
      const item = new fuota.FuotaDeploymentListItem();
      item.setId("9c1b7e52-6f08-4a2d-b3c5-000000000020");
      item.setName(name);
      item.setStartedAt(stamp(now()));
      answer.addResult(item);
    }
    return answer;
  },
  listDevices() {
    const answer = new fuota.ListFuotaDeploymentDevicesResponse(), item = new fuota.FuotaDeploymentDeviceListItem();
    item.setDevEui(settings.builtin);
    answer.setTotalCount(1);
    answer.addResult(item);
    return answer;
  },
};

const gatewayService = {
  list(request) {
    const answer = new gateway.ListGatewaysResponse(), id = request.getMulticastGroupId();
    answer.setTotalCount(id ? findGroup(id).gateways.length : settings.gateways);
    for (let i = 1; i <= settings.gateways && request.getLimit() && !id; i++) {
      const item = new gateway.GatewayListItem();
      item.setGatewayId(i.toString(16).padStart(16, "0"));
      item.setState(1);
      answer.addResult(item);
    }
    return answer;
  },
};

// Right token, slow or not; carried out, and the answer lost or not.
const lost = new Set();
function served(name, method) {
  return async (call, done) => {
    const [bearer] = call.metadata.get("authorization");
    stats.calls++;
    try {
      if (!bearer)
        throw new Fault(S.UNAUTHENTICATED, "no authorization provided");
      if (bearer !== `Bearer ${settings.token}`)
        throw new Fault(S.UNAUTHENTICATED, "InvalidSignature");
      if (chance(settings.slow))
        await new Promise((go) => setTimeout(go, 100));
      if (call.cancelled)
        return;  // The host drops what it has not begun
      const answer = await method(call.request);
      // The first answer of each kind, and some more
      const fresh = !lost.has(name);
      lost.add(name);
      if (fresh || chance(settings.lost)) {
        stats.lost_answers++;
        throw new Fault(S.UNAVAILABLE, "connection reset");
      }
      done(null, answer);
    } catch (fault) {
      if (!(fault instanceof Fault))
        console.error(name, fault);
      done({ code: fault.code || S.INTERNAL, details: fault instanceof Fault ? fault.details : String(fault) });
    }
  };
}

let server, port = 0;
function start() {
  server = new grpc.Server();
  const add = (service, methods) => server.addService(service,
    Object.fromEntries(Object.entries(methods).map(([name, method]) => [name, served(service[name].path, method)])));
  add(api("multicast_group_grpc_pb").MulticastGroupServiceService, multicast);
  add(api("device_grpc_pb").DeviceServiceService, deviceService);
  add(api("device_profile_grpc_pb").DeviceProfileServiceService, profileService);
  add(api("application_grpc_pb").ApplicationServiceService, applicationService);
  add(api("gateway_grpc_pb").GatewayServiceService, gatewayService);
  add(api("fuota_grpc_pb").FuotaServiceService, fuotaService);
  return new Promise((resolve, reject) => server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(),
    (fault, bound) => { if (fault) reject(fault); port = bound; resolve(bound); }));
}

async function command(line) {
  if (line === "api-stop")
    server.forceShutdown();
  else if (line === "api-start")
    await start();
  console.log(line === "stats"
    ? JSON.stringify({ ...stats, groups: groups.size, tags: Object.fromEntries([...devices].map(([k, d]) => [k, d.tags])),
                       variables: [...devices.values()].filter((d) => d.variables.secret !== "kept").length,
                       queued: [...devices.values()].reduce((sum, d) => sum + d.queue.length, 0) })
    : "ok");
}

async function main() {
  await airDoor.bind(`${settings.air}.downlinks`);
  await airEvents.bind(`${settings.air}.events`);
  hearOutcomes();
  await learnDevices();
  broker = await mqtt.connectAsync(settings.mqtt, { clientId: "chirpstack-1", clean: false, protocolVersion: 5, username: settings.user,
    password: settings.password, reconnectPeriod: 100, resubscribe: false, properties: { sessionExpiryInterval: 3600 } });
  broker.on("error", () => {});
  broker.on("message", (topic, body) => { try { hearCommand(topic, body); } catch (fault) { console.error(fault); } });
  // At each connection, as the host does it
  const subscribe = () => broker.subscribe("$share/chirpstack/application/+/device/+/command/+", { qos: 1 });
  broker.on("connect", subscribe);
  subscribe();
  hearEvents();
  setInterval(tick, real(settings.interval));
  await start();
  console.log(`ready ${port}`);
  readline.createInterface({ input: process.stdin }).on("line", command).on("close", () => process.exit(0));
}
main().catch((fault) => { console.error(fault); process.exit(1); });
