// SPDX-License-Identifier: MIT
//
// MulticastGroupService.
"use strict";
const api = (name) => require(`@chirpstack/chirpstack-api/api/${name}`);
const { Empty } = require("google-protobuf/google/protobuf/empty_pb");
const { fill, stamp, ms } = require("./common");
const { crud } = require("./api_common");
const { Fault, S, checkEui } = require("./store");
const { checkPort } = require("./api_devices");
const multicast = require("./multicast");
const mc = api("multicast_group_pb");

function members(host) {
  const { store } = host;
  // Added once; of another tenant or application it is as if not there
  const add = (kind, field, words, same) => (request, key) => {
    const group = store.find(key, "groups", request.getMulticastGroupId()), id = checkEui(request[`get${field}`]());
    const object = store[kind].get(id);
    if (!object || !same(object, group))
      throw new Fault(S.NOT_FOUND, `Object does not exist (id: ${id})`);
    if (group[kind].has(id))
      throw new Fault(S.INTERNAL, `duplicate key value violates unique constraint "multicast_group_${words}_pkey"`);
    group[kind].add(id);
    return new Empty();
  };
  const remove = (kind, field, words) => (request, key) => {
    const group = store.find(key, "groups", request.getMulticastGroupId()), id = checkEui(request[`get${field}`]());
    if (!group[kind].delete(id))
      throw new Fault(S.NOT_FOUND, `Object does not exist (id: multicast-group id: ${group.m.getId()}, ${words}_id: ${id})`);
    return new Empty();
  };
  const sameTenant = (o, group) => store.tenantOf("gateways", o) === store.tenantOf("groups", group);
  return {
    addGateway: add("gateways", "GatewayId", "gateway", sameTenant),
    removeGateway: remove("gateways", "GatewayId", "gateway"),
    addDevice: add("devices", "DevEui", "device", (o, group) => o.m.getApplicationId() === group.m.getApplicationId()),
    removeDevice: remove("devices", "DevEui", "device"),
  };
}

function queue(host) {
  const { store } = host;
  return {
    enqueue(request, key) {
      const m = request.getQueueItem();
      if (!m)
        throw new Fault(S.INVALID_ARGUMENT, "queue_item is missing");
      const group = store.find(key, "groups", m.getMulticastGroupId());
      checkPort(m.getFPort());
      return fill(new mc.EnqueueMulticastGroupQueueItemResponse(), { FCnt: multicast.enqueue(host, group, { fPort: m.getFPort() & 255,
        data: Buffer.from(m.getData_asU8()), expiresAt: ms(m.getExpiresAt()) }) });
    },
    flushQueue(request, key) {
      multicast.flush(host, store.find(key, "groups", request.getMulticastGroupId()));
      return new Empty();
    },
    // Each counter once, however many gateways send it
    listQueue(request, key) {
      const group = store.find(key, "groups", request.getMulticastGroupId()), answer = new mc.ListMulticastGroupQueueResponse();
      for (const item of new Set(group.rows.map((row) => row.item)))
        answer.addItems(fill(new mc.MulticastGroupQueueItem(), { MulticastGroupId: group.m.getId(), FCnt: item.fCnt, FPort: item.fPort,
          Data: item.data, ExpiresAt: item.expiresAt && stamp(item.expiresAt) }));
      return answer;
    },
  };
}

function services(host) {
  const base = crud(host, { kind: "groups", name: "MulticastGroup", words: "multicast_group", pb: mc,
    made: (group) => multicast.made(host, group),
    listed: (o, request) => (!request.getApplicationId() || o.m.getApplicationId() === request.getApplicationId()) &&
      (!request.getDevEui() || o.devices.has(checkEui(request.getDevEui()))) });
  const remove = (request, key) => {
    multicast.count(host, host.store.find(key, "groups", request.getId()));
    return base.delete(request, key);
  };
  return [[api("multicast_group_grpc_pb").MulticastGroupServiceService, { ...base, delete: remove, ...members(host), ...queue(host) }]];
}

module.exports = { services };
