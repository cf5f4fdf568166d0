// SPDX-License-Identifier: MIT
//
// The stand-in's own test: a device and two gateways (test_device.js), an
// administrator and a tenant at its API, against what server.js does.
//
//     node test_server.js SETTINGS.json PORT    (the running stand-in's)
"use strict";
const assert = require("assert");
const fs = require("fs");
const grpc = require("@grpc/grpc-js");
const mqtt = require("mqtt");
const lw = require("./lorawan");
const { Clock, fill, stamp } = require("./common");
const { Air, Device } = require("./test_device");
const api = (name) => require(`@chirpstack/chirpstack-api/api/${name}`);
const pb = Object.assign({}, ...["tenant", "application", "device_profile", "gateway", "device", "multicast_group"].map((n) => api(`${n}_pb`)));

const settings = JSON.parse(fs.readFileSync(process.argv[2])), clock = new Clock(settings);
const GATEWAYS = ["00000000000000a1", "00000000000000a2"];
const TENANT = settings.tenants[0].id, OTHER = "aaaaaaaa-0000-4000-8000-000000000009";
const clients = {};

function call(service, method, request, token = "tenant.a.b") {
  const file = service.replace(/[A-Z]/g, (c, i) => (i ? "_" : "") + c.toLowerCase());
  const client = clients[service] = clients[service] ||
    new (api(`${file}_grpc_pb`)[`${service}ServiceClient`])(`127.0.0.1:${process.argv[3]}`, grpc.credentials.createInsecure());
  const metadata = new grpc.Metadata();
  if (token)
    metadata.set("authorization", `Bearer ${token}`);
  return new Promise((resolve, reject) => client[method](request, metadata, (fault, answer) => fault ? reject(fault) : resolve(answer)));
}

async function refused(code, words, ...what) {
  const fault = await call(...what).then(() => null, (f) => f);
  assert.ok(fault, `${what[0]}.${what[1]} should have been refused`);
  assert.equal(fault.code, code, `${what[0]}.${what[1]}: ${fault.details}`);
  assert.ok(fault.details.includes(words), fault.details);
}

const asked = (Type, id) => fill(new Type(), id);

// ---------------------------------------------------------------------
// What is set up

async function prepare() {
  const made = {};
  for (const id of GATEWAYS)
    await call("Gateway", "create", fill(new pb.CreateGatewayRequest(), { Gateway: fill(new pb.Gateway(), { GatewayId: id, Name: id,
      TenantId: TENANT, StatsInterval: 30 }) }));
  made.application = (await call("Application", "create", fill(new pb.CreateApplicationRequest(), { Application:
    fill(new pb.Application(), { Name: "meters", TenantId: TENANT, Tags: { site: "north" } }) }))).getId();
  for (const [name, version] of [["old", 3], ["new", 5]])
    made[name] = (await call("DeviceProfile", "create", fill(new pb.CreateDeviceProfileRequest(), { DeviceProfile:
      fill(new pb.DeviceProfile(), { Name: name, TenantId: TENANT, MacVersion: version, SupportsOtaa: true, AbpRx1Delay: 2 }) }))).getId();
  return made;
}

async function newDevice(made, eui, lorawan11, nwkKey, appKey) {
  await call("Device", "create", fill(new pb.CreateDeviceRequest(), { Device: fill(new pb.Device(), { DevEui: eui, Name: eui,
    ApplicationId: made.application, DeviceProfileId: lorawan11 ? made.new : made.old, JoinEui: "0102030405060708", Tags: { model: "x" } }) }));
  await call("Device", "createKeys", fill(new pb.CreateDeviceKeysRequest(), { DeviceKeys: fill(new pb.DeviceKeys(), { DevEui: eui,
    NwkKey: nwkKey.toString("hex"), AppKey: appKey.toString("hex"), GenAppKey: "22".repeat(16) }) }));
}

// ---------------------------------------------------------------------
// Events

class Events {
  constructor(broker) {
    this.list = [];
    this.waiting = [];
    broker.on("message", (topic, body) => {
      if (!topic.startsWith("application/"))
        return;
      this.list.push({ type: topic.split("/")[5], body: JSON.parse(body) });
      this.waiting.splice(0).forEach((go) => go());
    });
  }
  async next(type) {
    for (;;) {
      const at = this.list.findIndex((e) => e.type === type);
      if (at >= 0)
        return this.list.splice(at, 1)[0].body;
      await new Promise((go) => this.waiting.push(go));
    }
  }
}

// ---------------------------------------------------------------------
// The tests

async function statusCodes(made) {
  const group = (id) => asked(pb.GetMulticastGroupRequest, { Id: id });
  await refused(16, "no authorization", "Application", "get", asked(pb.GetApplicationRequest, { Id: made.application }), null);
  await refused(16, "InvalidSignature", "Application", "get", asked(pb.GetApplicationRequest, { Id: made.application }), "else");
  await refused(16, "", "MulticastGroup", "get", group(OTHER));
  await refused(5, "Object does not exist", "MulticastGroup", "get", group(OTHER), "admin.a.b");
  await refused(3, "invalid length", "MulticastGroup", "get", group("x"));
  await refused(13, "Odd number", "Device", "get", asked(pb.GetDeviceRequest, { DevEui: "123" }));
  await refused(13, "Invalid string length", "Device", "get", asked(pb.GetDeviceRequest, { DevEui: "1234" }));
  await refused(13, "gateway_pkey", "Gateway", "create", fill(new pb.CreateGatewayRequest(), { Gateway: fill(new pb.Gateway(),
    { GatewayId: GATEWAYS[0], Name: "again", TenantId: TENANT }) }));
  await refused(16, "", "Tenant", "create", fill(new pb.CreateTenantRequest(), { Tenant: fill(new pb.Tenant(), { Name: "mine" }) }));
  await refused(3, "application_id", "Device", "list", asked(pb.ListDevicesRequest, { Limit: 1 }));
  const list = await call("Device", "list", fill(new pb.ListDevicesRequest(), { ApplicationId: made.application, Tags: { model: "x" } }));
  assert.equal(list.getTotalCount(), 2);
  assert.equal(list.getResultList().length, 0);  // Limit 0: only the count
}

async function joins(air, events, device) {
  air.up(device.joinRequest());
  const down = await air.down();
  assert.equal(down.delay, 5000);
  assert.equal(GATEWAYS[down.context[0]], down.id);  // By one that heard it, with its own word
  assert.ok(device.accept(down.phy), "join-accept");
  assert.equal(device.rxDelay, settings.network.rx1_delay);
  const said = await events.next("join");
  assert.equal(said.deviceInfo.devEui, device.devEui);
  assert.deepEqual(said.deviceInfo.tags, { site: "north", model: "x" });
}

async function unicast(air, events, broker, made, device) {
  const rekey = device.lorawan11 ? Buffer.from([0x0b, 1, 0x0d]) : Buffer.from([0x0d]);
  air.up(device.uplink(201, Buffer.from("0102", "hex"), { fOpts: rekey, confirmed: true }));
  const up = await events.next("up");
  assert.equal(up.data, "AQI=");
  assert.equal(up.rxInfo.length, 2);  // Two gateways, one event
  // Within the pause: the same windows
  const id = "3b9f6a70-7a3c-4c0e-9a52-0f1e2d3c4b5a";
  for (let i = 0; i < 2; i++)
    broker.publish(`application/${made.application}/device/${device.devEui}/command/down`, JSON.stringify({ id, devEui: device.devEui,
      fPort: 201, data: "qrs=" }));
  let down = await air.down();
  const got = device.read(down.phy, 0);
  assert.equal(down.delay, 1000 * device.rxDelay);
  assert.equal(down.count, 2);
  assert.ok(got && got.ack, "acknowledged");
  assert.equal(got.data, "aabb");
  assert.equal(got.macs.slice(0, device.lorawan11 ? 4 : 2), device.lorawan11 ? "0b01" : "0d");
  const sent = await events.next("txack");
  assert.equal(sent.queueItemId, id);
  assert.equal(sent.fCntDown, got.fCnt);

  // Nothing but an acknowledgement: of 1.1 the network's counter, of 1.0 the
  // one there is
  for (const n of [0, 1]) {
    air.up(device.uplink(1, Buffer.from([1]), { confirmed: true }));
    assert.deepEqual({ ...device.read((await air.down()).phy, device.fUp - 1), macs: "" },
      { fCnt: device.lorawan11 ? n : n + 1, fPort: null, ack: true, more: false, confirmed: false, macs: "", data: "" });
  }

  // Refused: told of, kept, and sent with the same counter
  await call("Device", "enqueue", fill(new pb.EnqueueDeviceQueueItemRequest(), { QueueItem: fill(new pb.DeviceQueueItem(),
    { DevEui: device.devEui, FPort: 200, Data: Buffer.from([9]) }) }));
  air.refuse = () => "TOO_LATE";
  air.up(device.uplink(1, Buffer.from([1])));
  const first = device.read((await air.down()).phy);
  assert.equal(first.fCnt, device.lorawan11 ? 1 : 3);
  const log = await events.next("log");
  assert.equal(log.code, "DOWNLINK_GATEWAY");
  assert.equal(log.description, "TOO_LATE");
  air.refuse = () => "OK";
  air.up(device.uplink(1, Buffer.from([1])));
  assert.deepEqual(device.read((await air.down()).phy), first);
  await events.next("txack");

  // Too long for a low rate, expired: deleted with a log event each
  await call("Device", "enqueue", fill(new pb.EnqueueDeviceQueueItemRequest(), { QueueItem: fill(new pb.DeviceQueueItem(),
    { DevEui: device.devEui, FPort: 200, Data: Buffer.alloc(52) }) }));
  await call("Device", "enqueue", fill(new pb.EnqueueDeviceQueueItemRequest(), { QueueItem: fill(new pb.DeviceQueueItem(),
    { DevEui: device.devEui, FPort: 200, Data: Buffer.alloc(1), ExpiresAt: stamp(clock.now() - 1000) }) }));
  air.up(device.uplink(1, Buffer.from([1]), { dr: 0 }), { dr: 0 });
  assert.equal((await events.next("log")).code, "DOWNLINK_PAYLOAD_SIZE");
  assert.equal((await events.next("log")).code, "EXPIRED");

  // A repetition is no event; a wrong code is nothing at all
  const again = device.uplink(1, Buffer.from([7])), wrong = Buffer.from(again);
  wrong[wrong.length - 1] ^= 1;
  air.up(wrong);
  air.up(again);
  while ((await events.next("up")).data !== "Bw==");
  air.up(again, { ids: [GATEWAYS[0]] });
  assert.equal((await events.next("log")).code, "UPLINK_F_CNT_RETRANSMISSION");
}

async function newGroup(made, name, more) {
  const id = (await call("MulticastGroup", "create", fill(new pb.CreateMulticastGroupRequest(), { MulticastGroup:
    fill(new pb.MulticastGroup(), { Name: name, ApplicationId: made.application, McAddr: "01aabbcc", McNwkSKey: "11".repeat(16),
      McAppSKey: "22".repeat(16), Dr: 5, Frequency: 869525000, ...more }) }))).getId();
  for (const gateway of GATEWAYS)
    await call("MulticastGroup", "addGateway", fill(new pb.AddGatewayToMulticastGroupRequest(), { MulticastGroupId: id, GatewayId: gateway }));
  await refused(13, "multicast_group_gateway_pkey", "MulticastGroup", "addGateway", fill(new pb.AddGatewayToMulticastGroupRequest(),
    { MulticastGroupId: id, GatewayId: GATEWAYS[0] }));
  return id;
}

const fragment = async (id, n, more = {}) => (await call("MulticastGroup", "enqueue", fill(new pb.EnqueueMulticastGroupQueueItemRequest(),
  { QueueItem: fill(new pb.MulticastGroupQueueItem(), { MulticastGroupId: id, FPort: 201, Data: Buffer.from([8, n, 0, 1, 2]), ...more }) })))
  .getFCnt();
const queued = async (id) => (await call("MulticastGroup", "listQueue", fill(new pb.ListMulticastGroupQueueRequest(), { MulticastGroupId: id })))
  .getItemsList().length;

function readGroup(phy) {
  const got = lw.read(phy), key = (byte) => Buffer.alloc(16, byte);
  assert.deepEqual(lw.micDown(key(0x11), got.devAddr, got.fCnt16, got.message), got.mic);
  assert.equal(got.devAddr, 0x01aabbcc);
  return lw.crypt(key(0x22), lw.DOWN, got.devAddr, got.fCnt16, got.data).toString("hex");
}

// The queue is empty once the gateways' words have come.
async function emptied(id) {
  while (await queued(id))
    await new Promise((go) => setImmediate(go));
}

async function classC(air, made) {
  const id = await newGroup(made, "c");
  assert.equal(await fragment(id, 1), 0);
  const [one, two] = await air.several(2);
  assert.equal(readGroup(one.phy), "0801000102");
  assert.deepEqual(one.phy, two.phy);
  assert.ok(two.at - one.at >= settings.network.class_c_margin - 2 * settings.network.interval, "the margin between gateways");
  assert.ok(one.delay === null && one.gps === null);  // At once
  await emptied(id);
  air.downs.length = 0;
  // Refused by both: gone without a word, and not on air
  air.refuse = () => "COLLISION_PACKET";
  assert.equal(await fragment(id, 2), 1);
  await air.several(2);
  await emptied(id);
  air.downs.length = 0;
  // No word: again with the same counter, until it is flushed
  air.refuse = () => null;
  assert.equal(await fragment(id, 2), 2);
  const first = lw.read((await air.down()).phy).fCnt16;
  assert.equal(first, 2);
  for (let i = 0; i < 3; i++)
    assert.equal(lw.read((await air.down()).phy).fCnt16, 2);
  air.refuse = () => "OK";
  await call("MulticastGroup", "flushQueue", fill(new pb.FlushMulticastGroupQueueRequest(), { MulticastGroupId: id }));
  assert.equal(await queued(id), 0);
  air.downs.length = 0;
  await call("MulticastGroup", "delete", fill(new pb.DeleteMulticastGroupRequest(), { Id: id }));
}

async function classB(air, made) {
  const id = await newGroup(made, "b", { GroupType: 1, ClassBPingSlotPeriodicity: 1 }), began = lw.gps(clock.now());
  await fragment(id, 1);
  await fragment(id, 2);
  const downs = await air.several(4);
  const slots = [...new Set(downs.map((d) => d.gps))].sort();
  assert.equal(slots.length, 2);  // Both gateways in the same slot
  assert.equal(slots[1], lw.pingSlotAfter(0x01aabbcc, 1, slots[0]));
  assert.equal(slots[0], lw.pingSlotAfter(0x01aabbcc, 1, slots[0] - 1));
  assert.ok(slots[0] > began + settings.network.class_b_margin);
  assert.ok(downs[0].at < slots[0] - lw.gps(0), "before its slot");
  await emptied(id);
  air.downs.length = 0;
  // Expired before its slot: nothing is sent
  await fragment(id, 3, { ExpiresAt: stamp(clock.now() + 10) });
  await emptied(id);
  assert.equal(air.downs.length, 0);
}

// An engine's faults are counted: what is taken twice, what is left out.
async function counted(air, made) {
  const id = await newGroup(made, "faulty");
  for (const n of [1, 1, 3]) {
    await fragment(id, n);
    await emptied(id);
  }
  await call("MulticastGroup", "delete", fill(new pb.DeleteMulticastGroupRequest(), { Id: id }));
}

async function main() {
  const broker = await mqtt.connectAsync(settings.mqtt, { username: settings.user, password: settings.password });
  const air = new Air(broker, clock, GATEWAYS), events = new Events(broker), made = await prepare();
  await broker.subscribeAsync("application/+/device/+/event/+", { qos: 1 });
  await air.open();
  const key = (byte) => Buffer.alloc(16, byte);
  const old = new Device(air, { devEui: "70b3d57ed0000001", nwkKey: key(1), appKey: key(0) });
  const fresh = new Device(air, { devEui: "70b3d57ed0000002", nwkKey: key(3), appKey: key(4), lorawan11: true });
  await newDevice(made, old.devEui, false, old.nwkKey, old.appKey);
  await newDevice(made, fresh.devEui, true, fresh.nwkKey, fresh.appKey);
  await statusCodes(made);
  for (const device of [old, fresh]) {
    await joins(air, events, device);
    await unicast(air, events, broker, made, device);
  }
  setInterval(() => air.stats(), clock.real(20000)).unref();
  air.stats();
  await classC(air, made);
  await classB(air, made);
  await counted(air, made);
  console.log("server: ok");
  process.exit(0);
}
process.on("unhandledRejection", (fault) => { console.error(fault); process.exit(1); });
main();
