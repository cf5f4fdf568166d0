// SPDX-License-Identifier: MIT
//
// Create, Get, Update, Delete and List are the same for all kinds of objects.
"use strict";
const { Empty } = require("google-protobuf/google/protobuf/empty_pb");
const { fill, mapOf, stamp, uuid } = require("./common");
const { Fault, S } = require("./store");

// The fields of a list's item that the object has too.
function item(Item, m) {
  const out = new Item();
  for (const name of Object.getOwnPropertyNames(Item.prototype)) {
    const field = name.replace(/^(set|get)/, "");
    if (/^set.*(Map|List)$|AsU8$|AsB64$/.test(name))
      continue;
    if (/^get.*Map$/.test(name) && m[name])
      fill(out, { [field.slice(0, -3)]: mapOf(m[name]()) });
    else if (name.startsWith("set") && m[`get${field}`])
      out[name](m[`get${field}`]());
  }
  return out;
}

// kind: of the store. name: of the message; words: as its field is written.
// id: what names it, given by who makes it if it is an EUI. made (object),
// shown (object, answer or item), listed (object, request, key): what is
// particular to the kind.
function crud(host, { kind, name, words, pb, id = "Id", made = () => {}, shown = () => ({}), listed = () => true }) {
  const { store, clock } = host, plural = `${name}s`;
  const given = id !== "Id";
  const of = (request) => {
    const m = request[`get${name}`]();
    if (!m)
      throw new Fault(S.INVALID_ARGUMENT, `${words} is missing`);
    if (!m.getName())
      throw new Fault(S.INVALID_ARGUMENT, "Validation error: name is not set");
    return m.cloneMessage();
  };
  const owned = (m, key) => {
    if (kind === "tenants")
      store.own(key, null);
    else if (m.getTenantId)
      store.find(key, "tenants", m.getTenantId());
    else
      store.find(key, "applications", m.getApplicationId());
  };
  return {
    create(request, key) {
      const m = of(request), at = clock.now();
      owned(m, key);
      const named = given ? store.check(kind, m[`get${id}`]()) : uuid();
      if (store[kind].has(named))
        throw new Fault(S.INTERNAL, `duplicate key value violates unique constraint "${words}_pkey"`);
      m[`set${id}`](named);
      const object = { m, at, updated: at };
      made(object, key);
      store[kind].set(named, object);
      return given ? new Empty() : fill(new pb[`Create${name}Response`](), { Id: named });
    },
    get(request, key) {
      const object = store.find(key, kind, request[`get${id}`]());
      const answer = fill(new pb[`Get${name}Response`](), { [name]: object.m.cloneMessage(), CreatedAt: stamp(object.at),
        UpdatedAt: stamp(object.updated) });
      return fill(answer, shown(object, answer));
    },
    update(request, key) {
      const m = of(request), object = store.find(key, kind, m[`get${id}`]());
      // A full replacement, as the host's is
      m[`set${id}`](object.m[`get${id}`]());
      object.m = m;
      object.updated = clock.now();
      return new Empty();
    },
    delete(request, key) {
      const object = store.find(key, kind, request[`get${id}`]());
      store.remove(kind, object.m[`get${id}`]());
      return new Empty();
    },
    list(request, key) {
      const answer = new pb[`List${plural}Response`](), from = request.getOffset();
      const mine = (o) => key.admin || store.tenantOf(kind, o) === key.tenant;
      const found = [...store[kind].values()].filter((o) => mine(o) && listed(o, request, key) &&
        (o.m.getName().includes(request.getSearch()) || o.m[`get${id}`]().includes(request.getSearch())));
      found.sort((a, b) => a.m[`get${id}`]() < b.m[`get${id}`]() ? -1 : 1);
      answer.setTotalCount(found.length);
      for (const object of found.slice(from, from + request.getLimit())) {
        const row = fill(item(pb[`${name}ListItem`], object.m), { CreatedAt: stamp(object.at), UpdatedAt: stamp(object.updated) });
        answer.addResult(fill(row, shown(object, row)));
      }
      return answer;
    },
  };
}

module.exports = { crud, item };
