# SPDX-License-Identifier: MIT
"""fuotad with ChirpStack: real Mosquitto, the stand-in for ChirpStack,
fuota-sim as its gateways and LoRaWAN devices. Secrets, TLS, what fuotactl
check finds; and a deployment that sees no gateway topics.
"""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
from chirpstack import FIRST, TENANT_KEY, Network, install
from deployments import Wish, expect, joined, whole
from system import BUILD, Failure, run, until


DEVICES = 20


def refusals():
    """Secrets that others may read, addresses that are none: at start."""
    for name, change in (("a token for all", lambda w: os.chmod(
            os.path.join(w.folder, "fuota.token"), 0o644)),
            ("no token", lambda w: os.remove(
                os.path.join(w.folder, "fuota.token")))):
        world = Network({})
        try:
            change(world)
            with open(os.path.join(world.folder, "log"), "wb") as log:
                got = subprocess.run([os.path.join(BUILD, "broker", "fuotad"),
                                      "-c", world.config], stdout=log,
                                     stderr=log, timeout=60)
            expect(name, got.returncode, 2)
            if "token" not in world.logged():
                raise Failure(f"{name}: {world.logged()}")
        finally:
            world.close()


def tls():
    """MQTT over TLS: with its CA connected, without it never."""
    world = Network({})
    try:
        world.mqtt.listen_tls()
        with open(world.config) as config:
            text = config.read().replace(
                f"tcp://127.0.0.1:{world.mqtt.port}",
                f"ssl://127.0.0.1:{world.mqtt.tls_port}")
        with open(world.config, "w") as config:
            config.write(text)
        world.start()
        until("the certificate is refused",
              lambda: "mqtt: 127.0.0.1" in world.logged(), 30)
        if "connected" in world.logged().split("mqtt: ", 1)[1].split("\n")[0]:
            raise Failure("an unknown CA was accepted")
        expect("exit status", world.stop(), 0)
        with open(world.config, "w") as config:
            config.write(text.replace("mqtt_user", f'mqtt_ca = '
                                      f'"{world.mqtt.cert}"; mqtt_user', 1))
        world.start()
        until("connected over TLS", lambda: f"mqtt: 127.0.0.1:"
              f"{world.mqtt.tls_port}: connected" in world.logged(), 30)
        expect("exit status", world.stop(), 0)
    finally:
        world.close()


def checked():
    """fuotactl check, with all there and with each of them gone."""
    world = Network({1: 2}, gateway_prefix="+")
    application = world.applications[1]
    lines = lambda: {(f["what"], f["level"]): f["words"] for f in json.loads(
        world.ctl("check", "--application", application, "--json",
                  check=False).stdout)["findings"]}
    try:
        world.start()
        until("all is well", lambda: world.ctl(
            "check", "--application", application,
            check=False).returncode == 0 and "2 devices" in
            lines().get(("application", "ok"), ""), 30)
        for what in ("mqtt", "api", "api key", "tenant", "device profile",
                     "built-in FUOTA", "gateways", "state"):
            if (what, "ok") not in lines():
                raise Failure(f"without {what}: {lines()}")
        world.host.tell("api-stop")
        until("the API is missed", lambda: ("api", "wrong") in lines(), 30)
        world.host.tell("api-start")
        until("the API is back", lambda: ("api", "ok") in lines(), 60)
        world.mqtt.stop()
        until("MQTT is missed", lambda: ("mqtt", "wrong") in lines(), 30)
        world.mqtt.start()
        until("MQTT is back", lambda: ("mqtt", "ok") in lines(), 60)
        said = world.ctl("check", "--application", "nonsense", check=False)
        expect("exit status, no such application", said.returncode, 11)
        if TENANT_KEY in f"{lines()} {said.stdout} {world.logged()}":
            raise Failure("the token is told")
        expect("exit status", world.stop(), 0)
    finally:
        world.close()


def conflicts():
    """What ChirpStack does by itself with our devices."""
    busy = f"{FIRST[1] + 2:016x}"
    #  One device profile
    world = Network({1: DEVICES}, own={"ts003": 1, "builtin": busy},
                    lorawan=dict(v11=0))
    ctl = lambda *a: world.ctl(*a, check=False)
    try:
        image = os.path.join(world.folder, "image.bin")
        with open(image, "wb") as out:
            out.write(os.urandom(2000))
        joined(world, DEVICES)
        world.start()
        until("it is said once that the host answers", lambda: world.logged()
              .count("TS003 set: ChirpStack answers") == 1, 30)
        #  Every device asks for the time once in its first uplink interval
        until("all devices were heard",
              lambda: world.host.counts()["uplinks"] >= 4 * DEVICES, 60)
        expect("AppTimeReq answered", world.host.counts()["unicast"], 0)
        expect("said once", world.logged().count("TS003 set: "), 1)
        said = ctl("check", "--application", world.applications[1])
        expect("exit status of check", said.returncode, 11)
        for words in ("TS003 is set", "built-in FUOTA", '1 running'):
            if words not in said.stdout:
                raise Failure(f"without {words}: {said.stdout}")
        wish = ("plan", image, "--dr", "5", "--application", world.applications[1])
        said = ctl(*wish, "--select", "site=north")
        expect("exit status of plan", said.returncode, 2)
        for words in (f"devices: {busy}; allowed devices in no FUOTA "
                      "deployment of the host's own",):
            if words not in said.stderr:
                raise Failure(f"without {words}: {said.stderr}")
        said = ctl(*wish, "--device", f"{FIRST[1]:016x}")
        expect(f"exit status without that device: {said.stderr}",
               said.returncode, 0)
        if "warning: device profile" not in said.stderr:
            raise Failure(f"no warning: {said.stderr}")
        expect("no such device", ctl(*wish, "--device",
                                     "70b3d57ed0ffffff").returncode, 2)
        expect("no such tag", ctl(*wish, "--select",
                                  "site=south").returncode, 2)
        expect("exit status", world.stop(), 0)
    finally:
        world.close()


def test():
    install()
    tls()
    refusals()
    checked()
    conflicts()
    whole({1: DEVICES}, [Wish(1, "c", 0, DEVICES, 3000, chosen=True)],
          host="api-", unicast="grpc", lorawan=dict(reach=1))


if __name__ == "__main__":
    run(test)
