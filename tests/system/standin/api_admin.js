// SPDX-License-Identifier: MIT
//
// Tenants, applications, device profiles, gateways: what an operator sets up
// once; and the deployments of the host's own, of which there are none.
"use strict";
const api = (name) => require(`@chirpstack/chirpstack-api/api/${name}`);
const { fill, mapOf, stamp } = require("./common");
const { crud } = require("./api_common");

const of = (field) => (o, request) => !request[`get${field}`]() || o.m[`get${field}`]() === request[`get${field}`]();

function profiles(host) {
  const service = crud(host, { kind: "profiles", name: "DeviceProfile", words: "device_profile", pb: api("device_profile_pb"),
    listed: of("TenantId"),
    // The host's Create knows better about the three ports. An operator who
    // lets the host answer AppTimeReq: settings.ts003, the version
    made: ({ m }) => {
      const app = m.getAppLayerParams() || new (api("device_profile_pb").AppLayerParams)();
      if (host.settings.ts003)
        app.setTs003Version(host.settings.ts003);
      m.setAppLayerParams(fill(app, { Ts003FPort: 202, Ts004FPort: 201, Ts005FPort: 200 }));
    } });
  return service;
}

function gateways(host) {
  const { store } = host;
  const answer = { kind: "gateways", name: "Gateway", words: "gateway", pb: api("gateway_pb"), id: "GatewayId",
    listed: (o, request, key) => {
      const id = request.getMulticastGroupId();
      return id ? store.find(key, "groups", id).gateways.has(o.m.getGatewayId()) : of("TenantId")(o, request);
    },
    made: (o) => {
      o.seen = null;
      if (!o.m.getStatsInterval())
        o.m.setStatsInterval(30);
    },
    shown: (o, out) => ({ LastSeenAt: o.seen && stamp(o.seen),
      ...(out.setState ? { State: host.backend.state(o), Properties: mapOf(o.m.getMetadataMap()) } : {}) }) };
  return crud(host, answer);
}

function applications(host) {
  const { store } = host, pb = api("application_pb");
  const base = crud(host, { kind: "applications", name: "Application", words: "application", pb, listed: of("TenantId") });
  // Those that its devices have
  const listDeviceProfiles = (request, key) => {
    const { m } = store.find(key, "applications", request.getApplicationId()), answer = new pb.ListApplicationDeviceProfilesResponse();
    const used = [...store.devices.values()].filter((o) => o.m.getApplicationId() === m.getId()).map((o) => o.m.getDeviceProfileId());
    for (const id of new Set(used))
      answer.addResult(fill(new pb.ApplicationDeviceProfileListItem(), { Id: id, Name: store.profiles.get(id).m.getName() }));
    return answer;
  };
  return { ...base, listDeviceProfiles };
}

// Deployments of the host's own: one that runs, if settings.builtin names its
// device.
function builtin(host) {
  const fuota = api("fuota_pb"), { settings, clock } = host;
  return {
    listDeployments() {
      const answer = new fuota.ListFuotaDeploymentsResponse();
      if (!settings.builtin)
        return answer;
      answer.addResult(fill(new fuota.FuotaDeploymentListItem(), { Id: "9c1b7e52-6f08-4a2d-b3c5-000000000020", Name: "built-in",
        StartedAt: stamp(clock.now()) }));
      return answer;
    },
    listDevices() {
      const answer = fill(new fuota.ListFuotaDeploymentDevicesResponse(), { TotalCount: 1 });
      answer.addResult(fill(new fuota.FuotaDeploymentDeviceListItem(), { DevEui: settings.builtin }));
      return answer;
    },
  };
}

function services(host) {
  return [
    [api("tenant_grpc_pb").TenantServiceService,
      crud(host, { kind: "tenants", name: "Tenant", words: "tenant", pb: api("tenant_pb") })],
    [api("application_grpc_pb").ApplicationServiceService, applications(host)],
    [api("device_profile_grpc_pb").DeviceProfileServiceService, profiles(host)],
    [api("gateway_grpc_pb").GatewayServiceService, gateways(host)],
    [api("fuota_grpc_pb").FuotaServiceService, builtin(host)],
  ];
}

module.exports = { services };
