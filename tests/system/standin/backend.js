// SPDX-License-Identifier: MIT
//
// The gateways' side: frames, acknowledgements and statistics over MQTT, one
// PHYPayload of all gateways made one.
//
//     frames { id, phy, frequency, dr, tx (gw.UplinkTxInfo), at, gps, heard }
//     heard  { gateway, rssi, snr, context, info (gw.UplinkRxInfo) }, best first
"use strict";
const lw = require("./lorawan");
const uplink = require("./uplink");
const { fill, stamp, span, ms, uuid } = require("./common");
const gw = require("@chirpstack/chirpstack-api/gw/gw_pb");
const { TxAckStatus, CodeRate } = gw;

const KEPT = 30000;  // How long a gateway's word on a downlink is waited for
const DRIFT = 30000;
const WORDS = Object.fromEntries(Object.entries(TxAckStatus).map(([name, number]) => [number, name]));

class Backend {
  constructor(host) {
    this.host = host;
    this.prefix = host.settings.prefix;
    this.collecting = new Map();
    this.done = new Map();
    this.waiting = new Map();
    Object.assign(this, { NEVER_SEEN: 0, ONLINE: 1, OFFLINE: 2 });
  }

  filter() {
    return `${this.prefix}/gateway/+/event/+`;
  }

  state(gateway) {
    if (!gateway.seen)
      return this.NEVER_SEEN;
    return this.host.clock.now() - gateway.seen > 2000 * gateway.m.getStatsInterval() ? this.OFFLINE : this.ONLINE;
  }

  // A message on one of their topics; false if it is none.
  message(topic, body) {
    const parts = topic.split("/");
    if (parts[0] !== this.prefix || parts[1] !== "gateway" || parts[3] !== "event")
      return false;
    const gateway = this.host.store.gateways.get(parts[2]);
    if (!gateway)
      return true;
    if (parts[4] === "up")
      this.up(parts[2], gw.UplinkFrame.deserializeBinary(body));
    else if (parts[4] === "ack")
      this.ack(parts[2], gw.DownlinkTxAck.deserializeBinary(body));
    else if (parts[4] === "stats")
      this.stats(gateway, gw.GatewayStats.deserializeBinary(body));
    return true;
  }

  stats(gateway, stats) {
    gateway.seen = this.host.clock.now();
    const metadata = gateway.m.getMetadataMap();
    for (const [key, value] of stats.getMetadataMap().toObject())
      metadata.set(key, value);
    metadata.set("region_config_id", this.prefix);
    metadata.set("region_common_name", "EU868");
  }

  // -------------------------------------------------------------------
  // Up

  up(id, frame) {
    const tx = frame.getTxInfo(), info = frame.getRxInfo(), lora = tx && tx.getModulation() && tx.getModulation().getLora();
    if (!info || !lora || info.getCrcStatus() === gw.CRCStatus.BAD_CRC)
      return;
    const phy = Buffer.from(frame.getPhyPayload_asU8()), frequency = tx.getFrequency();
    const dr = lw.rateOf(lora.getSpreadingFactor(), lora.getBandwidth()), name = `${frequency} ${phy.toString("hex")}`;
    if (dr < 0)
      return;
    info.setNsTime(stamp(this.host.clock.now()));
    info.getMetadataMap().set("region_config_id", this.prefix);
    const heard = { gateway: id, rssi: info.getRssi(), snr: info.getSnr(), context: info.getContext_asU8(), info };
    const known = this.collecting.get(name);
    if (known) {
      this.host.stats.copies++;
      known.heard.push(heard);
      return;
    }
    const frames = { id: uuid(), phy, frequency, dr, tx, heard: [heard] };
    this.collecting.set(name, frames);
    this.host.clock.after(this.host.settings.network.deduplication_delay, () => {
      this.collecting.delete(name);
      if (this.host.running)
        this.collected(frames);
    });
  }

  collected(frames) {
    const { clock } = this.host, now = clock.now();
    frames.heard.sort((a, b) => b.snr - a.snr || b.rssi - a.rssi);
    const gps = frames.heard.map((h) => ms(h.info.getTimeSinceGpsEpoch())).find((t) => t !== null);
    const own = ms(frames.heard[0].info.getGwTime());
    frames.at = gps !== undefined ? gps - lw.gps(0) : own !== null && Math.abs(own - now) < DRIFT ? own : now;
    frames.gps = lw.gps(frames.at);
    uplink.heard(this.host, frames);
  }

  // -------------------------------------------------------------------
  // Down

  txInfo({ frequency, dr, delay, timing, context }) {
    const [sf, khz] = lw.RATES[dr], lora = fill(new gw.LoraModulationInfo(), { Bandwidth: khz * 1000, SpreadingFactor: sf,
      CodeRate: CodeRate.CR_4_5, PolarizationInversion: true });
    const when = timing || fill(new gw.Timing(), { Delay: fill(new gw.DelayTimingInfo(), { Delay: span(delay) }) });
    return fill(new gw.DownlinkTxInfo(), { Frequency: frequency, Power: frequency === lw.RX2.frequency ? 29 : 16,
      Modulation: fill(new gw.Modulation(), { Lora: lora }), Timing: when, Context: context });
  }

  // items: alternatives. told (status, downlink id, DownlinkTxInfo): "OK" if
  // the gateway took one of them, else its word; never, if it says nothing.
  down(gateway, items, told) {
    const { clock, chance } = this.host, id = chance.number(0xffffffff) + 1;
    const parts = items.map((item) => fill(new gw.DownlinkFrameItem(), { PhyPayload: item.phy, TxInfo: this.txInfo(item) }));
    const frame = fill(new gw.DownlinkFrame(), { DownlinkId: id, GatewayId: gateway, Items: parts });
    this.waiting.set(id, { gateway, told, parts });
    clock.after(KEPT, () => this.waiting.delete(id));
    this.host.publish(`${this.prefix}/gateway/${gateway}/command/down`, Buffer.from(frame.serializeBinary()), 0);
  }

  ack(gateway, ack) {
    const id = ack.getDownlinkId(), waiting = this.waiting.get(id), items = ack.getItemsList().map((item) => item.getStatus());
    if (!waiting || waiting.gateway !== gateway)
      return;
    this.waiting.delete(id);
    const at = items.indexOf(TxAckStatus.OK), word = items.find((status) => status !== TxAckStatus.IGNORED) || TxAckStatus.INTERNAL_ERROR;
    waiting.told(at >= 0 ? "OK" : WORDS[word], id, waiting.parts[Math.max(at, 0)].getTxInfo());
  }
}

module.exports = { Backend };
