# SPDX-License-Identifier: MIT
"""A whole deployment through a ZeroMQ back end.

The back end is zmq_back_end.py, and behind it are the devices of fuota-sim. In
the middle of the deployment the back end is killed and started again, fuotad is
killed and started again, and the back end once more. At the end fuota-sim's
counts prove that each fragment was taken exactly once.
"""
import glob
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

from system import BUILD, FUOTA_SIM, FUOTACTL, FUOTAD, Failure, World, until

HERE = os.path.dirname(os.path.abspath(__file__))
DOCS = os.path.join(HERE, "..", "..", "docs")
SCHEMA = os.path.join(HERE, "..", "..", "schema")
APPLICATION = "00000000-0000-4000-8000-000000000001"
FIRST = 0x70b3d57ed0000001
DEVICES = 12
SCALE = 20


def expect(what, got, want):
    if got != want:
        raise Failure(f"{what}: {got!r}, expected {want!r}")


def free_ports(count):
    socks = [socket.socket() for _ in range(count)]
    for sock in socks:
        sock.bind(("127.0.0.1", 0))
    ports = [sock.getsockname()[1] for sock in socks]
    for sock in socks:
        sock.close()
    return ports


class BackEnd(World):
    """A broker whose host is a ZeroMQ back end."""

    def __init__(self, version, far=False):
        super().__init__(scale=SCALE)
        self.back_end = None
        self.doors = [f"ipc://{self.folder}/{name}" for name in
                      ("host.downlinks", "host.events", "published")]
        if far:
            self.doors = [f"tcp://127.0.0.1:{port}" for port in free_ports(3)]
            self.make_keys()
        subprocess.run(["protoc", "-I", SCHEMA, "--python_out", self.folder]
                       + [os.path.join(SCHEMA, f"{name}.proto")
                          for name in ("event", "chirpstack")], check=True)
        origin = int(time.time() * 1000)
        clock = f"time = {{ scale = {SCALE}; origin = {origin}L; }};\n"
        sim = os.path.join(self.folder, "sim.cfg")
        with open(sim, "w") as out:
            out.write(f'{clock}host = {{ endpoint = "ipc://{self.folder}/air"; '
                      f"sim = {{ devices = {DEVICES}; loss = 100; "
                      f"scheduler = 1; uplink_interval = 20000; "
                      f"ts003 = {version}; ts004 = {version}; "
                      f"ts005 = {version}; }}; }};\n")
        self.sim = subprocess.Popen([FUOTA_SIM, "-c", sim],
                                    stdout=subprocess.PIPE, text=True)
        keys = f"{self.folder}/keys"
        downlinks, events, published = self.doors
        with open(self.config, "w") as out:
            out.write(f'state = {{ folder = "{self.folder}/state"; }};\n'
                      f'control = {{ endpoint = "{self.endpoint}"; '
                      f'events = "ipc://{self.folder}/events"; }};\n'
                      f'pool = {{ server_key = "{keys}/server_secret"; }};\n'
                      f'{clock}host = {{ type = "zmq"; '
                      f'chirpstack = {{ multicast_class_c_margin = 1000; }}; '
                      f'zmq = {{ events = "{events}"; '
                      f'subscribe = "{published}"; topic = "application/"; '
                      f'downlinks = "{downlinks}"; '
                      f'admitted = "{keys}/hosts"; '
                      f'peer_key = "{keys}/back_end"; }}; }};\n')

    def make_keys(self):
        """As an operator does it; the back end is not admitted yet."""
        keys = os.path.join(self.folder, "keys")
        os.makedirs(os.path.join(keys, "hosts"))
        for name in ("server", "back_end"):
            subprocess.run([FUOTACTL, "keygen", os.path.join(keys, name)],
                           check=True, stdout=subprocess.DEVNULL)

    def admit(self):
        keys = os.path.join(self.folder, "keys")
        shutil.copy(os.path.join(keys, "back_end"),
                    os.path.join(keys, "hosts", "back_end"))

    def start_back_end(self, **more):
        far = self.doors if self.doors[0].startswith("tcp") else []
        self.back_end = subprocess.Popen(
            [sys.executable, "-B", os.path.join(HERE, "zmq_back_end.py"),
             self.folder, self.folder, *far], stdout=subprocess.PIPE, text=True,
            env=dict(os.environ, **more))
        expect("the back end", self.back_end.stdout.readline(), "ready\n")

    def kill_back_end(self):
        self.back_end.send_signal(signal.SIGKILL)
        self.back_end.wait()
        self.back_end = None

    def sent(self):
        return self.json("show", "fleet")["deployment"]["sent"]

    def close(self):
        if self.back_end:
            self.kill_back_end()
        super().close()


def deploy(world, version, image):
    path = os.path.join(world.folder, "image.bin")
    with open(path, "wb") as out:
        out.write(image)
    listed = os.path.join(world.folder, "devices")
    with open(listed, "w") as out:
        out.writelines(f"{FIRST + i:016x}\n" for i in range(DEVICES))
    v = str(version)
    world.ctl("deploy", path, "--name", "fleet", "--devices", listed, "--dr",
              "5", "--frag-size", "100", "--uplink-interval", "20", "--ts003",
              v, "--ts004", v, "--ts005", v, "--application", APPLICATION,
              "--set-tag", "fw=new")


def further(world, what, more):
    """That many fragments more."""
    now = world.sent()
    until(what, lambda: world.sent() >= now + more, 120)


def whole(version, far):
    image = os.urandom(5000)
    began = time.monotonic()
    world = BackEnd(version, far)
    try:
        world.start()
        world.start_back_end(RUBBISH="" if far else "1")
        if far:
            until("a stranger is refused",
                  lambda: "not admitted: door=host" in world.logged(), 30)
            world.kill_back_end()  #  Who was refused does not try again
            world.admit()
            world.start_back_end()
        deploy(world, version, image)
        until("fragments go out", lambda: world.sent() >= 10, 120)
        world.kill_back_end()
        world.start_back_end()
        further(world, "goes on after the back end's restart", 8)
        world.kill()
        world.start()
        further(world, "goes on after our own", 8)
        world.kill_back_end()
        world.kill()
        world.start()
        world.start_back_end()
        further(world, "goes on after both", 8)
        phase = lambda: world.json("list")["deployments"][0]["phase"]
        until("the deployment is over", lambda: phase() == "done", 240)
        expect("exit status", world.stop(), 0)
        counts, devices = world.end_sim()
        check(world, image, counts, devices)
        if not far:
            dropped(world)
        print(f"v{version}: {time.monotonic() - began:.1f} s, "
              + ", ".join(f"{k} {v}" for k, v in counts.items()))
    except Failure as failure:
        seen = world.ctl("show", "fleet", "--devices", check=False)
        raise Failure(f"v{version}: {failure}\n{world.logged()}\n"
                      f"{seen.stdout}{seen.stderr}") from failure
    finally:
        world.close()


def check(world, image, counts, devices):
    for name in ("taken_twice", "out_of_order", "wrong_counter", "groups"):
        expect(name, counts[name], 0)
    sha = hashlib.sha256(image).hexdigest()
    expect("devices without the image",
           [d for d, (_, got) in devices.items() if got != sha], [])


def dropped(world):
    """200 wrong messages of four kinds and 200 of another: a line of each
    cause a second."""
    with open(os.path.join(world.folder, "log")) as log:
        lines = [line for line in log if "zmq: dropped" in line]
    if not 3 <= len(lines) <= 20:
        raise Failure(f"{len(lines)} lines about what was dropped: {lines}")


def shown_in_wire_md():
    """The document shows the file as it is."""
    with open(os.path.join(DOCS, "example_back_end.py")) as file:
        code = file.read()
    with open(os.path.join(DOCS, "wire.md")) as file:
        if code[code.index("# A back end"):].rstrip() not in file.read():
            raise Failure("docs/wire.md does not show the example")


def example(*command):
    """A device of the example asks for the time, and is answered once."""
    world = BackEnd(1)
    process = None
    try:
        world.start()
        eui = "70b3d57ed00000aa"
        process = subprocess.Popen(
            [*command, f"ipc://{world.folder}/host.events",
             f"ipc://{world.folder}/host.downlinks", eui],
            env=dict(os.environ, PYTHONPATH=world.folder),
            stdout=subprocess.PIPE, text=True)
        line = process.stdout.readline()
        #  AppTimeAns, on its port, to that device
        words = line.split()
        if eui not in words or "202" not in words or words[-1][:2] != "01":
            raise Failure(f"{command}: {line!r}")
        #  A group is made and deleted; in between the device has no key
        path = os.path.join(world.folder, "image.bin")
        with open(path, "wb") as out:
            out.write(os.urandom(300))
        world.ctl("deploy", path, "--name", "fleet", "--device", eui, "--dr",
                  "5", "--application", APPLICATION)
        for kind in (("FUOTA_GROUP_CREATE", "kind 2"),
                     ("FUOTA_KEYS", "kind 6"),
                     ("FUOTA_GROUP_DELETE", "kind 3")):
            line = process.stdout.readline()
            if not line.startswith(kind):
                raise Failure(f"{command}: {line!r}, expected {kind[0]}")
        until("the deployment is over", lambda: world.json(
            "show", "fleet")["deployment"]["phase"] == "done", 30)
        seen = world.ctl("show", "fleet", "--devices").stdout
        if "refused(device has no root key)" not in seen:
            raise Failure(f"{command}: {seen}")
        expect("exit status", world.stop(), 0)
        print(f"example {command[-1]}")
    except Failure as failure:
        raise Failure(f"{failure}\n{world.logged()}") from failure
    finally:
        if process:
            process.kill()
            process.wait()
        world.close()


def refusals():
    """What cannot be is told before anything starts."""
    for host, key in (
            ('type = "zmq"; zmq = { downlinks = "/run/x"; };',
             "host.zmq.downlinks"),
            ('type = "zmq"; zmq = { events = "tcp://*"; };',
             "host.zmq.events"),
            ('type = "zmq"; zmq = { events = ""; };', "host.zmq.events"),
            ('type = "zmq"; zmq = { subscribe = ">ipc://x"; };',
             "host.zmq.subscribe"),
            ('type = "chirpstack"; events = "zmq";',
             "host.chirpstack.unicast"),
            ('type = "sim"; events = "mqtt";', "host.events")):
        world = World()
        try:
            with open(world.config, "w") as out:
                out.write(f"host = {{ {host} }};\n")
            got = subprocess.run([FUOTAD, "--check-config", world.config],
                                 capture_output=True, text=True)
            expect(host, got.returncode, 2)
            if f":1: {key}: " not in got.stderr or "allowed" not in got.stderr:
                raise Failure(f"{host}: {got.stderr}")
        finally:
            world.close()


def main():
    try:
        __import__("zmq")
        __import__("google.protobuf")
    except ImportError as lacking:
        print(f"SKIP: {lacking}; ZeroMQ back ends are NOT tested\n"
              "      (Debian: python3-zmq python3-protobuf)")
        return 77
    shown_in_wire_md()
    refusals()
    example(sys.executable, "-B", os.path.join(DOCS, "example_back_end.py"))
    example(os.path.join(BUILD, "tests", "example_back_end"))
    whole(1, far=False)
    whole(2, far=True)
    print("1 passed, 0 failed")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"FAILED: {failure}")
