// SPDX-License-Identifier: MIT
//
// DeviceService: devices, their keys, sessions and queues.
"use strict";
const api = (name) => require(`@chirpstack/chirpstack-api/api/${name}`);
const { Empty } = require("google-protobuf/google/protobuf/empty_pb");
const { fill, mapOf, stamp, ms, uuid } = require("./common");
const { crud } = require("./api_common");
const { Fault, S } = require("./store");
const dev = api("device_pb");
const device = require("./device");

const NONE = "00".repeat(16);

function keyOf(text) {
  if (text.length % 2)
    throw new Fault(S.INTERNAL, "Odd number of digits");
  if (text.length && !/^[0-9a-f]{32}$/i.test(text))
    throw new Fault(S.INTERNAL, "Invalid string length");
  return text.toLowerCase() || NONE;
}

function checkPort(port) {
  if (!(port & 255))
    throw new Fault(S.INVALID_ARGUMENT, "Validation error: FPort must be between 1 - 255");
}

const asked = (o, pairs) => Object.entries(pairs).every(([k, v]) => mapOf(o.m.getTagsMap())[k] === v);

function listed(host) {
  return (o, request, key) => {
    const group = request.getMulticastGroupId();
    if (group && !host.store.find(key, "groups", group).devices.has(o.eui))
      return false;
    return (!request.getApplicationId() || o.m.getApplicationId() === request.getApplicationId()) &&
      (!request.getDeviceProfileId() || o.m.getDeviceProfileId() === request.getDeviceProfileId()) &&
      asked(o, mapOf(request.getTagsMap()));
  };
}

function shown(host) {
  return (o, out) => {
    const profile = host.store.profiles.get(o.m.getDeviceProfileId());
    return { LastSeenAt: o.seen && stamp(o.seen),
      ...(out.setDeviceProfileName ? { DeviceProfileName: profile ? profile.m.getName() : "" } : {}) };
  };
}

function keys(host) {
  const { store } = host;
  const put = (request, key) => {
    const m = request.getDeviceKeys();
    if (!m)
      throw new Fault(S.INVALID_ARGUMENT, "device_keys is missing");
    const o = store.find(key, "devices", m.getDevEui());
    o.keys = { nwk: keyOf(m.getNwkKey()), app: keyOf(m.getAppKey()), gen: keyOf(m.getGenAppKey()) };
    return new Empty();
  };
  return {
    createKeys: put,
    updateKeys: put,
    getKeys(request, key) {
      const o = store.find(key, "devices", request.getDevEui());
      if (!o.keys)
        throw new Fault(S.NOT_FOUND, `Object does not exist (id: ${o.eui})`);
      return fill(new dev.GetDeviceKeysResponse(), { DeviceKeys: fill(new dev.DeviceKeys(),
        { DevEui: o.eui, NwkKey: o.keys.nwk, AppKey: o.keys.app, GenAppKey: o.keys.gen }) });
    },
    deleteKeys(request, key) {
      store.find(key, "devices", request.getDevEui()).keys = null;
      return new Empty();
    },
  };
}

function sessions(host) {
  const { store } = host;
  return {
    activate(request, key) {
      const m = request.getDeviceActivation(), o = store.find(key, "devices", m.getDevEui());
      const bytes = (name) => Buffer.from(keyOf(m[`get${name}`]()), "hex");
      device.activate(host, o, parseInt(m.getDevAddr(), 16), { f: bytes("FNwkSIntKey"), s: bytes("SNwkSIntKey"), e: bytes("NwkSEncKey"),
        a: bytes("AppSKey") }, { fUp: m.getFCntUp(), nDown: m.getNFCntDown(), aDown: m.getAFCntDown(), abp: true });
      return new Empty();
    },
    deactivate(request, key) {
      device.deactivate(host, store.find(key, "devices", request.getDevEui()));
      return new Empty();
    },
    getActivation(request, key) {
      const o = store.find(key, "devices", request.getDevEui()), s = o.session, answer = new dev.GetDeviceActivationResponse();
      if (s)
        answer.setDeviceActivation(fill(new dev.DeviceActivation(), { DevEui: o.eui, DevAddr: device.addr(s.devAddr),
          AppSKey: s.keys.a.toString("hex"), NwkSEncKey: s.keys.e.toString("hex"), SNwkSIntKey: s.keys.s.toString("hex"),
          FNwkSIntKey: s.keys.f.toString("hex"), FCntUp: s.fUp, NFCntDown: s.nDown, AFCntDown: s.aDown }));
      return answer;
    },
    getRandomDevAddr(request, key) {
      if (request.getTenantId())
        store.find(key, "tenants", request.getTenantId());
      else
        store.find(key, "devices", request.getDevEui());
      return fill(new dev.GetRandomDevAddrResponse(), { DevAddr: device.addr(device.randomAddr(host)) });
    },
  };
}

function queues(host) {
  const { store } = host;
  return {
    enqueue(request, key) {
      const m = request.getQueueItem();
      if (!m)
        throw new Fault(S.INVALID_ARGUMENT, "queue_item is missing");
      const o = store.find(key, "devices", m.getDevEui()), id = uuid();
      checkPort(m.getFPort());
      if (request.getFlushQueue())
        o.queue = o.queue.filter((item) => item.pending);
      device.enqueue(host, o, { id, fPort: m.getFPort() & 255, data: Buffer.from(m.getData_asU8()), confirmed: m.getConfirmed(),
        expiresAt: ms(m.getExpiresAt()) });
      return fill(new dev.EnqueueDeviceQueueItemResponse(), { Id: id });
    },
    flushQueue(request, key) {
      store.find(key, "devices", request.getDevEui()).queue = [];
      return new Empty();
    },
    getQueue(request, key) {
      const o = store.find(key, "devices", request.getDevEui()), answer = new dev.GetDeviceQueueItemsResponse();
      answer.setTotalCount(o.queue.length);
      for (const q of request.getCountOnly() ? [] : o.queue)
        answer.addResult(fill(new dev.DeviceQueueItem(), { Id: q.id, DevEui: o.eui, FPort: q.fPort, Data: q.data, Confirmed: q.confirmed,
          IsPending: !!q.pending }));
      return answer;
    },
  };
}

function services(host) {
  const made = (o) => device.made(host, o);
  const base = crud(host, { kind: "devices", name: "Device", words: "device", pb: dev, id: "DevEui", made, listed: listed(host),
    shown: shown(host) });
  const list = (request, key) => {
    if (!request.getApplicationId() && !request.getMulticastGroupId())
      throw new Fault(S.INVALID_ARGUMENT, "Validation error: application_id is not set");
    return base.list(request, key);
  };
  const remove = (request, key) => {
    device.deactivate(host, host.store.find(key, "devices", request.getDevEui()));
    return base.delete(request, key);
  };
  return [[api("device_grpc_pb").DeviceServiceService,
    { ...base, list, delete: remove, ...keys(host), ...sessions(host), ...queues(host) }]];
}

module.exports = { services, checkPort };
