# SPDX-License-Identifier: MIT
"""A ZeroMQ back end (docs/wire.md) whose network is fuota-sim.

    zmq_back_end.py FOLDER SCHEMA [DOWNLINKS EVENTS PUBLISHED]

With the last three (tcp:// endpoints) it has its keys in FOLDER/keys.

To fuotad it is what an operator would write: it feeds events in as ChirpStack
writes them, JSON pushed and protobuf published in turn, and takes the
downlinks out. Every other unicast downlink it names by a queue item, whose
fate it tells by txack and log events. To fuota-sim it is a broker. It
remembers nothing: what it forgets when it is killed, the engine asks again.
"""
import base64
import datetime
import json
import os
import sys
import uuid

import zmq
import zmq.auth

folder, built = sys.argv[1], sys.argv[2]
doors = dict(zip(("host.downlinks", "host.events", "published"),
                 sys.argv[3:]))
sys.path.insert(0, built)
import chirpstack_pb2 as cs    # noqa: E402
import event_pb2 as fuota      # noqa: E402

context = zmq.Context()
TOPIC = "application/{}/device/{:016x}/event/{}"
GARBAGE = 200


def door(kind, name, bind=False):
    """A socket to fuotad, or where fuota-sim or fuotad connects."""
    sock = context.socket(kind)
    sock.linger = 0
    if kind == zmq.DEALER:
        sock.immediate = True
        sock.probe_router = 1
    endpoint = doors.get(name, f"ipc://{folder}/{name}")
    if name in doors:
        ours, theirs = (os.path.join(folder, "keys", key)
                        for key in ("back_end_secret", "server"))
        sock.curve_publickey, sock.curve_secretkey = \
            zmq.auth.load_certificate(ours)
        sock.curve_server = bind
        if not bind:
            sock.curve_serverkey = zmq.auth.load_certificate(theirs)[0]
    if bind:
        sock.bind(endpoint)
    else:
        sock.connect(endpoint)
    return sock


#  To fuotad
downlinks = door(zmq.DEALER, "host.downlinks")
push = door(zmq.PUSH, "host.events")
publish = door(zmq.PUB, "published", bind=True)
#  To fuota-sim
air = door(zmq.ROUTER, "air.downlinks", bind=True)
heard = door(zmq.PULL, "air.events", bind=True)
sim = None
held = []          # Until fuota-sim is there
turn = 0
items = {}         # Row to queue item and device, of this life


def stamp(ms):
    time = datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc)
    return time.isoformat(timespec="milliseconds")


def say(application, dev_eui, kind, as_json, message):
    """One event, in one encoding or the other, by one door or the other."""
    global turn
    topic = TOPIC.format(application, dev_eui, kind).encode()
    turn += 1
    body = json.dumps(as_json).encode() if turn & 1 \
        else message.SerializeToString()
    (push if turn & 2 else publish).send_multipart([topic, body])


def tell(event):
    """What a device said."""
    name = str(uuid.uuid4())
    info = {"applicationId": event.application,
            "devEui": f"{event.dev_eui:016x}"}
    cs_info = cs.DeviceInfo(application_id=event.application,
                            dev_eui=f"{event.dev_eui:016x}")
    at = cs.Timestamp(seconds=event.received_at // 1000,
                      nanos=event.received_at % 1000 * 1000000)
    gateways = [f"{g:016x}" for g in event.gateways]
    as_json = {"deduplicationId": name, "time": stamp(event.received_at),
               "deviceInfo": info}
    if event.kind == fuota.FUOTA_EVENT_JOIN:
        say(event.application, event.dev_eui, "join", as_json,
            cs.JoinEvent(deduplication_id=name, time=at, device_info=cs_info))
        return
    as_json.update(fCnt=event.f_cnt, fPort=event.f_port,
                   data=base64.b64encode(event.data).decode(),
                   rxInfo=[{"gatewayId": g} for g in gateways])
    say(event.application, event.dev_eui, "up", as_json,
        cs.UplinkEvent(deduplication_id=name, time=at, device_info=cs_info,
                       f_cnt=event.f_cnt, f_port=event.f_port,
                       data=event.data,
                       rx_info=[cs.RxInfo(gateway_id=g) for g in gateways]))


def tell_fate(item, dev_eui, kind):
    """What became of a queue item, as ChirpStack tells it."""
    info = {"applicationId": "a", "devEui": f"{dev_eui:016x}"}
    cs_info = cs.DeviceInfo(application_id="a", dev_eui=f"{dev_eui:016x}")
    if kind == fuota.FUOTA_SENT:
        say("a", dev_eui, "txack", {"deviceInfo": info, "queueItemId": item},
            cs.TxAckEvent(device_info=cs_info, queue_item_id=item))
        return
    size = kind == fuota.FUOTA_REFUSED
    say("a", dev_eui, "log",
        {"deviceInfo": info, "context": {"queue_item_id": item},
         "code": "DOWNLINK_PAYLOAD_SIZE" if size else "EXPIRED"},
        cs.LogEvent(device_info=cs_info, code=1 if size else 11, context=[
            cs.MapEntry(key="queue_item_id", value=item)]))


def outcome(body):
    """A word of the network on a row."""
    word = fuota.Outcome.FromString(body)
    key = (word.owner, word.row)
    if word.kind == fuota.FUOTA_TAKEN and word.dev_eui and word.row & 1:
        word.item = str(uuid.uuid4())
        items[key] = word.item
        body = word.SerializeToString()
    elif key in items:
        tell_fate(items.pop(key), word.dev_eui, word.kind)
        return
    downlinks.send(body)  # Waits while fuotad is away


def rubbish():
    """What no back end should send."""
    for i in range(GARBAGE):
        push.send_multipart([[b"{}"], [b"a", b"b"], [b"a", b"b", b"c"],
                             [TOPIC.format("a", 1, "up").encode(), b"{"]]
                            [i % 4])
        downlinks.send(b"\xff")


poller = zmq.Poller()
for sock in (downlinks, air, heard):
    poller.register(sock, zmq.POLLIN)
print("ready", flush=True)
if os.environ.get("RUBBISH"):
    rubbish()
while True:
    ready = dict(poller.poll())
    if downlinks in ready:
        held.append(downlinks.recv())
    if air in ready:
        peer, body = air.recv_multipart()
        if body:
            outcome(body)
        else:
            sim = peer
    if heard in ready:
        tell(fuota.Event.FromString(heard.recv()))
    while sim and held:
        air.send_multipart([sim, held.pop(0)])
