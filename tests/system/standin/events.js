// SPDX-License-Identifier: MIT
//
// The MQTT integration: events in either encoding, commands.
//
// In JSON the scalars of an event are always written, those of messages
// inside it (gw, common) only if they are not zero: so does the host.
"use strict";
const device = require("./device");
const { fill, mapOf, stamp, ms, rfc3339, uuid } = require("./common");
const pb = require("@chirpstack/chirpstack-api/integration/integration_pb");
const gw = require("@chirpstack/chirpstack-api/gw/gw_pb");
const lw = require("./lorawan");

const word = (of, number) => Object.keys(of).find((name) => of[name] === number);
const given = (object) => Object.fromEntries(Object.entries(object).filter(([, v]) => v && (typeof v !== "object" || Object.keys(v).length)));
const gpsText = (time) => time ? `${time.getSeconds()}.${String(Math.floor(time.getNanos() / 1e6)).padStart(3, "0")}s` : null;

function rxJson(info) {
  return given({ gatewayId: info.getGatewayId(), uplinkId: info.getUplinkId(), gwTime: info.getGwTime() && rfc3339(ms(info.getGwTime())),
    nsTime: rfc3339(ms(info.getNsTime())), timeSinceGpsEpoch: gpsText(info.getTimeSinceGpsEpoch()), rssi: info.getRssi(), snr: info.getSnr(),
    channel: info.getChannel(), rfChain: info.getRfChain(), context: info.getContext_asB64(), metadata: mapOf(info.getMetadataMap()),
    crcStatus: info.getCrcStatus() && word(gw.CRCStatus, info.getCrcStatus()) });
}

class Events {
  constructor(host) {
    this.host = host;
  }

  // What is said of a device in every event, in both forms; tags of
  // application, profile and device, the last wins. Kept until one changes.
  info(o, application = true) {
    const { store } = this.host, a = store.applications.get(o.m.getApplicationId()), p = store.profiles.get(o.m.getDeviceProfileId());
    const from = [o.m, a.m, p && p.m], kept = o.info[application];
    if (!kept || from.some((m, i) => m !== kept.from[i]))
      o.info[application] = { from, ...this.make(o, a, p, application) };
    return o.info[application];
  }

  make(o, a, p, application) {
    const { store } = this.host;
    const t = store.tenants.get(a.m.getTenantId());
    const tags = { ...(application ? mapOf(a.m.getTagsMap()) : {}), ...(p ? mapOf(p.m.getTagsMap()) : {}), ...mapOf(o.m.getTagsMap()) };
    const json = { tenantId: t.m.getId(), tenantName: t.m.getName(), applicationId: a.m.getId(), applicationName: a.m.getName(),
      deviceProfileId: o.m.getDeviceProfileId(), deviceProfileName: p ? p.m.getName() : "", deviceName: o.m.getName(), devEui: o.eui };
    const message = fill(new pb.DeviceInfo(), Object.fromEntries(Object.entries(json).map(([k, v]) => [k[0].toUpperCase() + k.slice(1), v])));
    return { json: { ...json, deviceClassEnabled: "CLASS_A", tags }, message: fill(message, { Tags: tags }) };
  }

  // Made in one form only, the one that is set.
  say(o, type, message, json) {
    const { settings, stats } = this.host;
    stats.events++;
    this.host.publish(`application/${o.m.getApplicationId()}/device/${o.eui}/event/${type}`,
      settings.json ? JSON.stringify(json()) : Buffer.from(message().serializeBinary()), 1);
  }

  up(o, frames, got, fCnt, data) {
    const { json, message } = this.info(o), [sf, khz] = lw.RATES[frames.dr], fPort = got.fPort || 0;
    const same = { adr: got.adr, dr: frames.dr, fCnt, fPort, confirmed: got.confirmed };
    this.say(o, "up", () => fill(new pb.UplinkEvent(), { DeduplicationId: frames.id, Time: stamp(frames.at), DeviceInfo: message,
      DevAddr: device.addr(got.devAddr), Adr: got.adr, Dr: frames.dr, FCnt: fCnt, FPort: fPort, Confirmed: got.confirmed, Data: data,
      RxInfo: frames.heard.map((h) => h.info), TxInfo: frames.tx, RegionConfigId: "eu868" }),
    () => ({ deduplicationId: frames.id, time: rfc3339(frames.at), deviceInfo: json, devAddr: device.addr(got.devAddr), ...same,
      data: data.toString("base64"), rxInfo: frames.heard.map((h) => rxJson(h.info)),
      txInfo: { frequency: frames.frequency, modulation: { lora: { bandwidth: khz * 1000, spreadingFactor: sf, codeRate: "CR_4_5" } } },
      regionConfigId: "eu868" }));
  }

  join(o, frames) {
    const { json, message } = this.info(o), devAddr = device.addr(o.session.devAddr);
    this.say(o, "join", () => fill(new pb.JoinEvent(), { DeduplicationId: frames.id, Time: stamp(frames.at), DeviceInfo: message, DevAddr: devAddr,
      RegionConfigId: "eu868" }), () => ({ deduplicationId: frames.id, time: rfc3339(frames.at), deviceInfo: json, devAddr, regionConfigId: "eu868" }));
  }

  txack(o, item, fCnt, { downlinkId, gateway, tx }) {
    const { json, message } = this.info(o, false), at = this.host.clock.now();
    this.say(o, "txack", () => fill(new pb.TxAckEvent(), { DownlinkId: downlinkId, Time: stamp(at), DeviceInfo: message, QueueItemId: item.id,
      FCntDown: fCnt, GatewayId: gateway, TxInfo: tx }), () => ({ downlinkId, time: rfc3339(at), deviceInfo: json, queueItemId: item.id,
      fCntDown: fCnt, gatewayId: gateway, txInfo: { frequency: tx.getFrequency(), power: tx.getPower() } }));
  }

  ack(o, item, acknowledged) {
    const { json, message } = this.info(o), at = this.host.clock.now(), id = uuid();
    this.say(o, "ack", () => fill(new pb.AckEvent(), { DeduplicationId: id, Time: stamp(at), DeviceInfo: message, QueueItemId: item.id,
      Acknowledged: acknowledged }), () => ({ deduplicationId: id, time: rfc3339(at), deviceInfo: json, queueItemId: item.id, acknowledged,
      fCntDown: 0 }));
  }

  log(o, code, description, context) {
    const { json, message } = this.info(o), at = this.host.clock.now();
    const level = code.startsWith("UPLINK_F_CNT") ? "WARNING" : "ERROR";
    this.say(o, "log", () => fill(new pb.LogEvent(), { Time: stamp(at), DeviceInfo: message, Level: pb.LogLevel[level], Code: pb.LogCode[code],
      Description: description, Context: context }), () => ({ time: rfc3339(at), deviceInfo: json, level, code, description, context }));
  }

  // A message on a command topic. What is wrong with it is the host's log's.
  message(topic, body) {
    const [, application, , eui, , command] = topic.split("/"), o = this.host.store.devices.get(eui);
    if (command !== "down" || !o || o.m.getApplicationId() !== application)
      return;
    let item;
    if (this.host.settings.json) {
      const got = JSON.parse(body.toString());
      item = { devEui: got.devEui, id: got.id, fPort: got.fPort, data: Buffer.from(got.data, "base64"), confirmed: !!got.confirmed,
        expiresAt: got.expiresAt && Date.parse(got.expiresAt) };
    } else {
      const got = pb.DownlinkCommand.deserializeBinary(body);
      item = { devEui: got.getDevEui(), id: got.getId(), fPort: got.getFPort(), data: Buffer.from(got.getData_asU8()),
        confirmed: got.getConfirmed(), expiresAt: ms(got.getExpiresAt()) };
    }
    if (item.devEui === eui && item.fPort & 255)
      device.enqueue(this.host, o, { ...item, fPort: item.fPort & 255, id: item.id || uuid() });
  }
}

module.exports = { Events };
