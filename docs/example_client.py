#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# Deploy an image and follow it. First, once:
#     protoc -I schema --python_out=. schema/*.proto
# then: example_client.py CONTROL EVENTS IMAGE DEVEUI [DEVEUI ...]
import sys
import zmq
import control_pb2 as c
import record_pb2 as r

control, events, image, euis = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
context = zmq.Context()
ask = context.socket(zmq.REQ)
ask.connect(control)
told = context.socket(zmq.SUB)
told.connect(events)
told.subscribe("deployment/")       # Before deploying, so that nothing is missed

def call(**fields):
    ask.send(c.Request(**fields).SerializeToString())
    return c.Reply.FromString(ask.recv())

reply = call(command=c.FUOTA_DEPLOY, wish=c.Wish(name="example", dr=5, has_dr=True,
             image=open(image, "rb").read(), devices=[int(eui, 16) for eui in euis]))
if reply.status != c.FUOTA_OK:
    sys.exit("\n".join([reply.words] + [f"{f.field}: {f.value}; allowed {f.allowed}" for f in reply.faults]))
id = reply.summaries[0].id
while call(command=c.FUOTA_SHOW, id=id).summaries[0].phase not in ("done", "cancelled"):
    if told.poll(1000):             # Events may be lost; the reply to SHOW is the truth
        topic, body = told.recv_multipart()
        line = r.JournalLine.FromString(body)
        print(topic.decode(), f"{line.dev_eui:016x}", line.name, line.words)
for device in call(command=c.FUOTA_DEVICES, id=id).devices:
    print(f"{device.dev_eui:016x}", device.end)
