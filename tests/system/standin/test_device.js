// SPDX-License-Identifier: MIT
//
// A LoRaWAN device and the gateways around it, as little as the stand-in's own
// test needs: one frame in, one frame out, all by ChirpStack's definitions.
"use strict";
const lw = require("./lorawan");
const { fill, stamp, span, ms } = require("./common");
const gw = require("@chirpstack/chirpstack-api/gw/gw_pb");

class Air {
  constructor(broker, clock, ids) {
    Object.assign(this, { broker, clock, ids, downs: [], waiting: [], refuse: () => "OK" });
    broker.on("message", (topic, body) => topic.endsWith("/command/down") && topic.startsWith("eu868/") && this.message(topic, body));
  }

  async open() {
    await this.broker.subscribeAsync("eu868/gateway/+/command/down");
    this.stats();
  }

  event(id, type, message) {
    this.broker.publish(`eu868/gateway/${id}/event/${type}`, Buffer.from(message.serializeBinary()));
  }

  stats(ids = this.ids) {
    for (const id of ids)
      this.event(id, "stats", fill(new gw.GatewayStats(), { GatewayId: id, Time: stamp(this.clock.now()) }));
  }

  up(phy, { dr = 5, frequency = 868100000, ids = this.ids } = {}) {
    const [sf, khz] = lw.RATES[dr], at = this.clock.now();
    const lora = fill(new gw.LoraModulationInfo(), { Bandwidth: khz * 1000, SpreadingFactor: sf, CodeRate: gw.CodeRate.CR_4_5 });
    const tx = fill(new gw.UplinkTxInfo(), { Frequency: frequency, Modulation: fill(new gw.Modulation(), { Lora: lora }) });
    ids.forEach((id, i) => this.event(id, "up", fill(new gw.UplinkFrame(), { PhyPayload: phy, TxInfo: tx,
      RxInfo: fill(new gw.UplinkRxInfo(), { GatewayId: id, UplinkId: 1, GwTime: stamp(at), TimeSinceGpsEpoch: span(lw.gps(at)), Rssi: -80,
        Snr: 9 - i, Context: Buffer.from([i, 2, 3, 4]), CrcStatus: gw.CRCStatus.CRC_OK }) })));
  }

  // What a gateway is told; it says OK, or what refuse (id) says, or nothing.
  message(topic, body) {
    const id = topic.split("/")[2], frame = gw.DownlinkFrame.deserializeBinary(body), items = frame.getItemsList();
    const word = this.refuse(id), item = items[0], timing = item.getTxInfo().getTiming();
    const down = { id, phy: Buffer.from(item.getPhyPayload_asU8()), count: items.length, frequency: item.getTxInfo().getFrequency(),
      context: Buffer.from(item.getTxInfo().getContext_asU8()), delay: timing.hasDelay() ? ms(timing.getDelay().getDelay()) : null,
      gps: timing.hasGpsEpoch() ? ms(timing.getGpsEpoch().getTimeSinceGpsEpoch()) : null, at: this.clock.now() };
    if (word)
      this.event(id, "ack", fill(new gw.DownlinkTxAck(), { GatewayId: id, DownlinkId: frame.getDownlinkId(),
        Items: items.map((_, i) => fill(new gw.DownlinkTxAckItem(), { Status: i ? 0 : gw.TxAckStatus[word] })) }));
    this.downs.push(down);
    this.waiting.splice(0).forEach((go) => go());
  }

  // The next downlink, in the order they came.
  async down() {
    while (!this.downs.length)
      await new Promise((go) => this.waiting.push(go));
    return this.downs.shift();
  }
}

// So many downlinks, each of a gateway and counter of its own: what is sent
// again because our word came late counts once.
Air.prototype.several = async function (count) {
  const found = new Map();
  while (found.size < count) {
    const down = await this.down(), name = `${down.id} ${lw.read(down.phy).fCnt16}`;
    if (!found.has(name))
      found.set(name, down);
  }
  return [...found.values()];
};

class Device {
  constructor(air, { devEui, joinEui = "0102030405060708", lorawan11 = false, nwkKey, appKey }) {
    Object.assign(this, { air, devEui, joinEui, lorawan11, nwkKey, appKey, devNonce: 0, fUp: 0, session: null });
  }

  joinRequest() {
    const nonce = Buffer.alloc(2);
    nonce.writeUInt16LE(++this.devNonce);
    const body = Buffer.concat([Buffer.from([0]), lw.le(this.joinEui), lw.le(this.devEui), nonce]);
    return Buffer.concat([body, lw.joinMic(this.nwkKey, Buffer.concat([body, Buffer.alloc(4)]))]);
  }

  accept(phy) {
    const plain = lw.ecb(this.nwkKey, phy.subarray(1)), joinNonce = plain.readUIntLE(0, 3), netId = plain.readUIntLE(3, 3);
    const keys = lw.sessionKeys({ ...this, joinNonce, netId });
    this.session = { lorawan11: this.lorawan11, keys, devAddr: plain.readUInt32LE(6) };
    this.rxDelay = plain[11];
    this.fUp = 0;
    const same = Buffer.concat([Buffer.from([0x20]), plain.subarray(0, -4)]);
    const nonce = Buffer.alloc(2);
    nonce.writeUInt16LE(this.devNonce);
    const mic = this.lorawan11
      ? lw.cmac(lw.derive(this.nwkKey, 6, lw.le(this.devEui)), Buffer.concat([Buffer.from([0xff]), lw.le(this.joinEui), nonce, same]))
      : lw.cmac(this.nwkKey, same);
    return mic.subarray(0, 4).equals(plain.subarray(-4)) && !!(plain[10] & 0x80) === this.lorawan11;
  }

  uplink(fPort, data, { fOpts = Buffer.alloc(0), confirmed = false, ack = false, conf = 0, dr = 5, fCnt = this.fUp++ } = {}) {
    const s = this.session, { devAddr } = s;
    const options = s.lorawan11 && fOpts.length ? lw.cryptOptions(s.keys.e, lw.UP, false, devAddr, fCnt, fOpts) : fOpts;
    const message = lw.write({ type: confirmed ? 4 : 2, devAddr, ctrl: ack ? 0x20 : 0, fCnt, fOpts: options, fPort,
      data: lw.crypt(s.keys.a, lw.UP, devAddr, fCnt, data) });
    return Buffer.concat([message, lw.micUp(s, devAddr, fCnt, message, { confirmed: conf, dr, channel: 0 })]);
  }

  // A downlink's contents; null if it is not for us or its code is wrong.
  read(phy, confirmedUp = 0) {
    const s = this.session, got = lw.read(phy), app = got.fPort !== null && got.fPort > 0;
    const mic = lw.micDown(s.keys.s, s.devAddr, got.fCnt16, got.message, s.lorawan11 && got.ack ? confirmedUp : 0);
    if (got.devAddr !== s.devAddr || !mic.equals(got.mic))
      return null;
    const macs = s.lorawan11 && got.fOpts.length ? lw.cryptOptions(s.keys.e, lw.DOWN, app, s.devAddr, got.fCnt16, got.fOpts) : got.fOpts;
    return { fCnt: got.fCnt16, fPort: got.fPort, ack: got.ack, more: got.bit4, confirmed: got.confirmed, macs: macs.toString("hex"),
      data: lw.crypt(s.keys.a, lw.DOWN, s.devAddr, got.fCnt16, got.data).toString("hex") };
  }
}

module.exports = { Air, Device };
