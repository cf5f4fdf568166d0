# SPDX-License-Identifier: MIT
"""A rehearsal as docs/chirpstack.md has it: fuota-sim creates what it needs in
a ChirpStack, is its gateways and LoRaWAN devices of 1.0.x and 1.1, receives an
update by multicast while the MQTT broker is restarted, and removes what it
made and nothing else.

The ChirpStack is the stand-in on its own definitions (standin/server.js).
"""
import hashlib
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
from chirpstack import ADMIN_KEY, TENANT, TENANT_KEY, Broker, Host, install
from system import FUOTA_SIM, Failure, World, run, until

GATEWAY = 0x0016c001f1500001
DEVICES = 12
INTERVAL = 30  #  Seconds between uplinks
SCALE = 20


def expect(what, got, want):
    if got != want:
        raise Failure(f"{what}: {got!r}, expected {want!r}")


class Rehearsal(World):
    """A stand-in, a fuotad and a fuota-sim, each with its own credentials."""

    def __init__(self, version, **lorawan):
        super().__init__(scale=SCALE)
        self.version = version
        self.origin = int(time.time() * 1000)
        self.mqtt = Broker(self.folder)
        self.host = Host(self.folder, self.mqtt, SCALE, self.origin,
                         network=dict(class_c_margin=2000, rx1_delay=5,
                                      class_b_margin=2000,
                                      get_downlink_data_delay=3000))
        self.air = os.path.join(self.folder, "sim.cfg")
        open(os.path.join(self.folder, "log"), "wb").close()
        self.write(self.air, "gateways", ADMIN_KEY, lorawan)
        self.write(self.config, "fuota", TENANT_KEY, {})

    def secret(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as out:
            out.write(text + "\n")
        os.chmod(path, 0o600)
        return path

    def write(self, path, user, token, lorawan):
        keys = "".join(f"{k} = {v}; " for k, v in lorawan.items())
        v = self.version
        with open(path, "w") as out:
            out.write(f'state = {{ folder = "{self.folder}/state"; }};\n'
                      f'control = {{ endpoint = "{self.endpoint}"; '
                      f'events = "ipc://{self.folder}/events"; }};\n'
                      f"time = {{ scale = {SCALE}; "
                      f"origin = {self.origin}L; }};\n"
                      f'host = {{ type = "chirpstack"; sim = {{ '
                      f"devices = {DEVICES}; gateways = 2; loss = 100; "
                      f"unicast_loss = 50; uplink_interval = {INTERVAL * 1000}; "
                      f"ts003 = {v}; ts004 = {v}; ts005 = {v}; }};\n"
                      f'chirpstack = {{ '
                      f'mqtt = "tcp://127.0.0.1:{self.mqtt.port}"; '
                      f'mqtt_user = "{user}"; mqtt_password_file = '
                      f'"{self.secret("mqtt-" + user, user + "-secret")}"; '
                      f'api = "http://127.0.0.1:{self.host.port}"; '
                      f'token_file = "{self.secret("token-" + user, token)}"; '
                      f'gateway_prefix = "+"; '
                      f"multicast_class_c_margin = 2000; }}; }};\n"
                      f"lorawan = {{ {keys} }};\n")

    def provision(self, mode, status=0):
        got = subprocess.run([FUOTA_SIM, mode, "-c", self.air],
                             capture_output=True, text=True, timeout=60)
        expect(f"{mode}: {got.stdout}{got.stderr}: status", got.returncode,
               status)
        return got.stdout.splitlines()

    def join(self):
        self.sim = subprocess.Popen([FUOTA_SIM, "--chirpstack", "-c",
                                     self.air], stdout=subprocess.PIPE,
                                    text=True)
        until("all devices are active",
              lambda: self.host.stats()["active"] == DEVICES, 60)

    def close(self):
        self.host.kill()
        self.mqtt.kill()
        super().close()


def deploy(world, application, image, *more):
    path = os.path.join(world.folder, "image.bin")
    with open(path, "wb") as out:
        out.write(image)
    listed = os.path.join(world.folder, "devices")
    with open(listed, "w") as out:
        subprocess.run([FUOTA_SIM, "--devices", "-c", world.air], check=True,
                       stdout=out, timeout=60)
    v = str(world.version)
    world.ctl("deploy", path, "--name", "fleet", "--devices", listed, "--dr",
              "5", "--frag-size", "100", "--uplink-interval", str(INTERVAL),
              "--ts003", v, "--ts004", v, "--ts005", v,
              "--gateway", f"{GATEWAY:016x}",
              "--gateway", f"{GATEWAY + 1:016x}", "--application", application,
              *more)


def whole(version, *more, **lorawan):
    image = os.urandom(3000)
    more, seen = list(more), ""
    world = Rehearsal(version, tenant_id=f'"{TENANT}"', **lorawan)
    began = time.monotonic()
    try:
        said = world.provision("--create")
        expect("made", [s for s in said if ", 0 found" in s],
               ["gateways 2 created, 0 found",
                f"devices {DEVICES} created, 0 found"])
        again = world.provision("--create")
        expect("found", again, ["gateways 0 created, 2 found",
                                f"devices 0 created, {DEVICES} found",
                                said[-1]])
        world.join()
        world.start()
        deploy(world, said[-1].split()[1], image, *more)
        until("some fragments are taken",
              lambda: world.host.stats()["taken"] > 10, 300)
        #  The gateways' connections go, and come back by themselves
        world.mqtt.stop()
        world.mqtt.start()
        phase = lambda: world.json("list")["deployments"][0]["phase"]
        until("the deployment is over", lambda: phase() == "done", 300)
        seen = world.ctl("show", "fleet", "--devices").stdout
        expect("exit status", world.stop(), 0)
        counts, devices = world.end_sim()
        sha = hashlib.sha256(image).hexdigest()
        expect("devices without the image",
               [d for d, (_, got) in devices.items() if got != sha], [])
        expect("malformed", counts["malformed"], 0)
        world.provision("--remove")
        left = world.provision("--remove")
        expect("a second removal", left, ["gateways 0 removed"])
        print(f"v{version} {more} {lorawan}: {time.monotonic() - began:.1f} s,"
              f" {counts}")
    except Failure as failure:
        seen = seen or world.ctl("show", "fleet", "--devices",
                                 check=False).stdout
        if world.sim:
            failure = f"{failure}\n{world.end_sim()}"
        raise Failure(f"v{version} {lorawan}: {failure}\n{world.logged()}\n"
                      f"{seen}\n{world.host.stats()}\n"
                      f"{world.host.logged()}")
    finally:
        world.close()


def test():
    install()
    whole(1)
    whole(2, "--group-type", "b", "--periodicity", "2", abp=300,
          abp_rx1_delay=5)


if __name__ == "__main__":
    run(test)
