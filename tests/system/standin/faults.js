// SPDX-License-Identifier: MIT
//
// How calls are served: the right token; slow or not; carried out, and the
// answer lost or not; an API that goes away and comes back.
"use strict";
const grpc = require("@grpc/grpc-js");
const { Fault, S } = require("./store");

// settings: keys [{ token, admin | tenant }], slow and lost in permille.
// A tenant may be named or given by its id.
class Api {
  constructor(host, services) {
    this.host = host;
    this.services = services;
    this.port = host.settings.port || 0;
    this.lost = new Set();
  }

  key(metadata) {
    const [bearer] = metadata.get("authorization");
    if (!bearer)
      throw new Fault(S.UNAUTHENTICATED, "no authorization provided");
    if (!String(bearer).startsWith("Bearer "))
      throw new Fault(S.UNAUTHENTICATED, "authorization must be of the form Bearer");
    const known = this.host.settings.keys.find((k) => bearer === `Bearer ${k.token}`);
    if (!known)
      throw new Fault(S.UNAUTHENTICATED, "InvalidSignature");
    for (const [id, tenant] of this.host.store.tenants)
      if (tenant.m.getName() === known.tenant)
        return { tenant: id };
    return known;
  }

  served(name, method) {
    const { settings, stats, chance } = this.host;
    return async (call, done) => {
      stats.calls++;
      try {
        const key = this.key(call.metadata), mine = !key.admin;
        if (mine && chance.permille(settings.slow))
          await new Promise((go) => setTimeout(go, 100));
        if (call.cancelled)
          return;  // The host drops what it has not begun
        const answer = method(call.request, key);
        // The first answer of each kind, and some more; whoever prepares the
        // host with the administrator's key is spared
        const fresh = !this.lost.has(name);
        if (mine)
          this.lost.add(name);
        if (mine && settings.lost && (fresh || chance.permille(settings.lost))) {
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

  start() {
    this.server = new grpc.Server();
    for (const [service, methods] of this.services)
      this.server.addService(service, Object.fromEntries(
        Object.entries(methods).map(([name, method]) => [name, this.served(service[name].path, method)])));
    return new Promise((resolve, reject) => this.server.bindAsync(`127.0.0.1:${this.port}`, grpc.ServerCredentials.createInsecure(),
      (fault, bound) => {
        if (fault)
          return reject(fault);
        this.port = bound;
        resolve(bound);
      }));
  }

  stop() {
    this.server.forceShutdown();
  }
}

module.exports = { Api };
