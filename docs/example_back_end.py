#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# A back end: it feeds one event in and takes the downlinks out. First, once:
#     protoc -I schema --python_out=. schema/event.proto
# then: example_back_end.py EVENTS DOWNLINKS DEVEUI
import base64
import json
import sys
import time
import zmq
import event_pb2 as e

events, downlinks, eui = sys.argv[1], sys.argv[2], sys.argv[3]
context = zmq.Context()
feed = context.socket(zmq.PUSH)
feed.connect(events)
door = context.socket(zmq.DEALER)
door.immediate = True               # Nothing waits for a fuotad that is away
door.probe_router = 1               # Says "I am here" at each connection
door.connect(downlinks)

class Network:
    """Yours: what it takes must survive a restart of this program. This one forgets."""
    groups, counters, queued = {}, {}, set()

    def create_group(self, d):      # A second one of that name finds the first
        group = self.groups.setdefault(d.name, f"group-{len(self.groups) + 1}")
        self.counters.setdefault(group, 0)
        return group

    def enqueue(self, d):           # One entry for a row, however often it comes
        self.queued.add((d.owner, d.row))

    def multicast(self, d):         # Taken, or not, by its number
        if self.counters[d.group] == d.f_cnt:
            self.counters[d.group] += 1
        return self.counters[d.group] == d.f_cnt + 1

network = Network()

def serve(d):
    """Do what a downlink wants, and say what became of it."""
    def say(kind, **more):
        door.send(e.Outcome(kind=kind, row=d.row, owner=d.owner, deployment=d.deployment,
                            dev_eui=d.dev_eui, **more).SerializeToString())
    if d.kind == e.FUOTA_UNICAST:
        network.enqueue(d)
        say(e.FUOTA_TAKEN)
        say(e.FUOTA_SENT)           # When it is on air; also REFUSED, EXPIRED
    elif d.kind == e.FUOTA_GROUP_CREATE:
        say(e.FUOTA_DONE, group=network.create_group(d))
    elif d.kind == e.FUOTA_GROUP_DELETE:
        network.counters.pop(d.group, None)
        say(e.FUOTA_DONE)
    elif d.kind in (e.FUOTA_FRAGMENT, e.FUOTA_COUNTER) and d.group not in network.counters:
        say(e.FUOTA_NEVER, words="no such group")
    elif d.kind == e.FUOTA_COUNTER:
        say(e.FUOTA_DONE, f_cnt=network.counters[d.group])
    elif d.kind == e.FUOTA_FRAGMENT and network.multicast(d):
        say(e.FUOTA_TAKEN, f_cnt=d.f_cnt)
        say(e.FUOTA_SENT)
    elif d.kind == e.FUOTA_FRAGMENT:
        say(e.FUOTA_NEVER, words="frame counter of the group was changed")
    elif d.kind in (e.FUOTA_FLUSH, e.FUOTA_TAGS):
        say(e.FUOTA_DONE)
    elif d.kind == e.FUOTA_KEYS:
        say(e.FUOTA_NEVER, words="device has no root key")
    else:
        say(e.FUOTA_RETRY)

# A device asks what time it is (AppTimeReq, TS003), as ChirpStack would say it
gps = int(time.time()) - 315964800 + 18 - 100
application = "00000000-0000-4000-8000-000000000001"
feed.send_multipart([f"application/{application}/device/{eui}/event/up".encode(), json.dumps(dict(
    deviceInfo=dict(applicationId=application, devEui=eui), fCnt=1, fPort=202,
    data=base64.b64encode(b"\x01" + gps.to_bytes(4, "little") + b"\x10").decode())).encode()])
while True:
    d = e.Downlink.FromString(door.recv())
    print(e.DownlinkKind.Name(d.kind), f"row {d.row}", f"{d.dev_eui:016x}", f"port {d.f_port}", d.data.hex(), flush=True)
    serve(d)
