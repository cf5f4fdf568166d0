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
    // The host's Create knows better about the three ports
    made: ({ m }) => {
      const app = m.getAppLayerParams();
      if (app)
        fill(app, { Ts003FPort: 202, Ts004FPort: 201, Ts005FPort: 200 });
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

function services(host) {
  const fuota = api("fuota_pb");
  return [
    [api("tenant_grpc_pb").TenantServiceService,
      crud(host, { kind: "tenants", name: "Tenant", words: "tenant", pb: api("tenant_pb") })],
    [api("application_grpc_pb").ApplicationServiceService,
      crud(host, { kind: "applications", name: "Application", words: "application", pb: api("application_pb"),
        listed: of("TenantId") })],
    [api("device_profile_grpc_pb").DeviceProfileServiceService, profiles(host)],
    [api("gateway_grpc_pb").GatewayServiceService, gateways(host)],
    [api("fuota_grpc_pb").FuotaServiceService,
      { listDeployments: () => new fuota.ListFuotaDeploymentsResponse() }],
  ];
}

module.exports = { services };
