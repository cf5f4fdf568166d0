// SPDX-License-Identifier: MIT
//
// What ChirpStack keeps in its database, and who may see it. Objects are kept
// as the messages that made them, so a field nobody here looks at comes back.
//
//     tenants, applications, profiles   id -> { m, at }
//     gateways   EUI -> { m, at, seen, region }
//     devices    EUI -> { m, at, keys, session, queue, ... }   (device.js)
//     groups     id -> { m, at, gateways, devices, rows, ... } (multicast.js)
"use strict";
const grpc = require("@grpc/grpc-js");
const S = grpc.status;

class Fault extends Error {
  constructor(code, words) {
    super(words);
    this.code = code;
    this.details = words;
  }
}

// The texts and codes of malformed names are the host's.
function checkEui(text) {
  if (text.length % 2)
    throw new Fault(S.INTERNAL, "Odd number of digits");
  if (!/^[0-9a-f]*$/i.test(text))
    throw new Fault(S.INTERNAL, "Invalid character 'x' at position 0");
  if (text.length && text.length !== 16)
    throw new Fault(S.INTERNAL, "Invalid string length");
  return text.toLowerCase().padStart(16, "0");
}

function checkUuid(text) {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text))
    throw new Fault(S.INVALID_ARGUMENT, "invalid length: expected length 32 for simple format");
  return text.toLowerCase();
}

class Store {
  constructor() {
    for (const kind of ["tenants", "applications", "profiles", "gateways", "devices", "groups"])
      this[kind] = new Map();
  }

  check(kind, text) {
    return kind === "gateways" || kind === "devices" ? checkEui(text) : checkUuid(text);
  }

  // Whose it is; undefined if nobody's.
  tenantOf(kind, object) {
    if (kind === "tenants")
      return object.m.getId();
    if (object.m.getTenantId)
      return object.m.getTenantId();
    const application = this.applications.get(object.m.getApplicationId());
    return application && application.m.getTenantId();
  }

  // What is not there and what is another's look the same to a tenant's key.
  find(key, kind, text) {
    const id = this.check(kind, text), object = this[kind].get(id);
    if (object && (key.admin || this.tenantOf(kind, object) === key.tenant))
      return object;
    if (key.admin)
      throw new Fault(S.NOT_FOUND, `Object does not exist (id: ${id})`);
    throw new Fault(S.UNAUTHENTICATED, "");
  }

  // May this key make something of that tenant?
  own(key, tenant) {
    if (!key.admin && tenant !== key.tenant)
      throw new Fault(S.UNAUTHENTICATED, "");
  }

  // It goes, and all that hangs on it.
  remove(kind, id) {
    const hanging = { tenants: [["applications", "getTenantId"], ["profiles", "getTenantId"], ["gateways", "getTenantId"]],
      applications: [["devices", "getApplicationId"], ["groups", "getApplicationId"]] };
    this[kind].delete(id);
    for (const [other, by] of hanging[kind] || [])
      for (const [key, object] of this[other])
        if (object.m[by]() === id)
          this.remove(other, key);
    if (kind === "devices" || kind === "gateways")
      for (const group of this.groups.values())
        group[kind].delete(id);
  }
}

module.exports = { Store, Fault, S, checkEui, checkUuid };
