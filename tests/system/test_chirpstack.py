# SPDX-License-Identifier: MIT
"""A whole deployment through ChirpStack: real Mosquitto, its API stood in for.

The stand-in (standin/chirpstack.js) has the host's queues, counters and status
codes; behind it are the devices of fuota-sim. In the middle of each deployment
its API is gone for a while, fuotad is killed, and the broker of MQTT is gone
for a while. At the end the stand-in's counts prove that each fragment was
taken exactly once.

Needs mosquitto, node and npm, and a registry npm can reach; says SKIP where
one of them is missing.
"""
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
from chirpstack import HERE, STANDIN, Broker, install
from system import BUILD, FUOTA_SIM, Failure, World, run, until

APPLICATION = "00000000-0000-4000-8000-000000000001"
FIRST = 0x70b3d57ed0000001
DEVICES = 20
GATEWAYS = ["0000000000000001", "0000000000000002"]
SCALE = 25  #  A loaded machine may be late by 100 ms, that is 2.5 s here


class Host:
    """The stand-in's process."""

    def __init__(self, world, mqtt, **settings):
        path = os.path.join(world.folder, "standin.json")
        with open(path, "w") as out:
            json.dump(dict(
                schema=os.path.join(HERE, "..", "..", "schema"),
                air=f"ipc://{world.folder}/air", scale=SCALE,
                origin=world.origin, devices=DEVICES,
                first_eui=f"{FIRST:016x}", application=APPLICATION,
                mqtt=f"mqtt://127.0.0.1:{mqtt.port}", user="chirpstack",
                password="chirpstack-secret", token="a.b.c", gateways=2,
                interval=1000, margin=1000, slow=50, lost=50,
                seed=7, **settings), out)
        self.errors = open(os.path.join(world.folder, "standin.log"), "ab")
        shutil.copy(os.path.join(HERE, "standin", "chirpstack.js"), STANDIN)
        self.process = subprocess.Popen(
            ["node", os.path.join(STANDIN, "chirpstack.js"), path],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.errors, text=True)
        self.port = int(self.said().split()[1])

    def said(self):
        line = self.process.stdout.readline()
        if not line:
            self.errors.flush()
            with open(self.errors.name) as log:
                raise Failure(f"the stand-in ended\n{log.read()[-4000:]}")
        return line

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.said()

    def stats(self):
        return json.loads(self.tell("stats"))


class ChirpStack(World):
    """A broker whose host is the stand-in; its devices are fuota-sim's."""

    def __init__(self, version, refusal=0, own=None, **host):
        super().__init__(scale=SCALE)
        self.origin = int(time.time() * 1000)
        self.broker = self.sim = self.host = None
        self.mqtt = Broker(self.folder)
        time_group = f"time = {{ scale = {SCALE}; origin = {self.origin}L; }};\n"
        sim = os.path.join(self.folder, "sim.cfg")
        with open(sim, "w") as out:
            out.write(f'{time_group}host = {{ type = "sim"; '
                      f'endpoint = "ipc://{self.folder}/air"; sim = {{ '
                      f"devices = {DEVICES}; loss = 100; scheduler = 1; "
                      f"gateways = 2; uplink_interval = 20000; "
                      f"ts003 = {version}; ts004 = {version}; "
                      f"ts005 = {version}; }}; }};\n")
        self.sim = subprocess.Popen([FUOTA_SIM, "-c", sim],
                                    stdout=subprocess.PIPE, text=True)
        self.host = Host(self, self.mqtt, json=host.pop("json"),
                         refusal=refusal, **(own or {}))
        self.configure(time_group, host)

    def secret(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as out:
            out.write(text + "\n")
        os.chmod(path, 0o600)
        return path

    def configure(self, time_group, host):
        token = self.secret("token", "a.b.c")
        password = self.secret("password", "fuota-secret")
        more = "".join(f"{k} = {json.dumps(v)}; " for k, v in host.items())
        with open(self.config, "w") as out:
            out.write(f'state = {{ folder = "{self.folder}/state"; }};\n'
                      f'control = {{ endpoint = "{self.endpoint}"; '
                      f'events = "ipc://{self.folder}/events"; }};\n'
                      f'{time_group}host = {{ type = "chirpstack"; '
                      f'chirpstack = {{ '
                      f'mqtt = "tcp://127.0.0.1:{self.mqtt.port}"; '
                      f'mqtt_user = "fuota"; '
                      f'mqtt_password_file = "{password}"; '
                      f'api = "http://127.0.0.1:{self.host.port}"; '
                      f'token_file = "{token}"; {more}}}; }};\n')

    def close(self):
        for process in (self.host and self.host.process, self.mqtt.process):
            if process:
                process.kill()
                process.wait()
        super().close()


def expect(what, got, want):
    if got != want:
        raise Failure(f"{what}: {got!r}, expected {want!r}")


def deploy(world, version, image, chosen):
    path = os.path.join(world.folder, "image.bin")
    with open(path, "wb") as out:
        out.write(image)
    listed = os.path.join(world.folder, "devices")
    with open(listed, "w") as out:
        out.writelines(f"{FIRST + i:016x}\n" for i in range(DEVICES))
    v = str(version)
    whom = ("--devices", listed) if version == 1 else ("--select", "site=north")
    wish = [path, "--name", "fleet", *whom, "--dr", "5",
            "--frag-size", "100", "--uplink-interval", "20", "--ts003", v,
            "--ts004", v, "--ts005", v, "--application", APPLICATION, "--set-tag",
            "fw=new"]
    if not chosen:
        wish += ["--gateway", GATEWAYS[0], "--gateway", GATEWAYS[1]]
    plan = lambda: world.ctl("plan", *wish, "--json", check=False)
    #  Without a list: refused until enough devices were heard
    until("the plan is made", lambda: plan().returncode == 0, 60)
    made = world.json("deploy", *wish)
    expect("gateways chosen", made["gateways_chosen"], chosen)
    #  One is enough if it heard them all by now
    gateways = sorted(g["gateway"] for g in made["gateways"])
    if not set(gateways) <= set(GATEWAYS) or not (chosen or
                                                  gateways == GATEWAYS):
        raise Failure(f"gateways: {gateways}")
    return gateways


def recorded(world, gateways):
    """What the gateways said of each frame, for the report."""
    told = json.loads(world.ctl("report", "fleet", "--json",
                                check=False).stdout)
    expect("gateways in the report", [g["gateway"] for g in told["gateways"]],
           gateways)
    resent = told["deployment"]["resent"]
    for gateway in told["gateways"]:
        words = gateway["fragments"]
        refused = sum(words.values()) - words.get("OK", 0)
        if words.get("OK", 0) < 40 or refused < resent:
            raise Failure(f"{resent} sent again, and {words}")
        #  116 bytes at SF7 take 0.2 s; the hour is long enough for all
        band, = gateway["bands"]
        expect("the sub-band of RX2", (band["low"], band["high"],
                                       band["duty"]),
               (869400000, 869650000, 100))
        if not 180 * words["OK"] <= band["used"] <= 220 * words["OK"]:
            raise Failure(f"{band} for {words}")
    world.ctl("gateways")


def whole(version, chosen=False, **host):
    image = os.urandom(6000)
    world = ChirpStack(version, **host)
    began = time.monotonic()
    try:
        world.start()
        gateways = deploy(world, version, image, chosen)
        taken = lambda: world.host.stats()["taken"]
        until("a third is taken", lambda: taken() > 20, 120)
        world.host.tell("api-stop")
        time.sleep(1)  #  An outage lasts: this is one, not a wait for a result
        world.host.tell("api-start")
        before = taken()
        until("goes on after the API's restart", lambda: taken() > before + 5,
              120)
        world.kill()
        world.start()
        until("goes on after our own", lambda: taken() > before + 10, 120)
        world.mqtt.stop()
        time.sleep(1)
        world.mqtt.start()
        phase = lambda: world.json("list")["deployments"][0]["phase"]
        until("the deployment is over", lambda: phase() == "done", 240)
        if "gateway_prefix" in host:
            recorded(world, gateways)
        #  Tags are set and the group is deleted
        stats = until("the host is left as it was", lambda: left(world), 10)
        expect("exit status", world.stop(), 0)
        counts, devices = world.end_sim()
        check(world, image, stats, counts, devices)
        print(f"v{version} {host}: {time.monotonic() - began:.1f} s, "
              + ", ".join(f"{k} {v}" for k, v in stats.items()
                          if isinstance(v, int)))
    except Failure as failure:
        seen = world.ctl("show", "fleet", "--devices", check=False)
        seen = seen.stdout + seen.stderr
        raise Failure(f"v{version} {host}: {failure}\n{world.logged()}\n"
                      f"{seen}\n{world.host.stats()}") from failure
    finally:
        world.close()


def left(world):
    stats = world.host.stats()
    tagged = [t for t in stats["tags"].values()
              if t == {"site": "north", "fw": "new"}]
    return stats if stats["groups"] == 0 and len(tagged) == DEVICES else None


def check(world, image, stats, counts, devices):
    expect("fragments taken twice", stats["taken_twice"], 0)
    expect("fragments left out", stats["skipped"], 0)
    expect("groups made", stats["groups_made"], 1)
    expect("variables overwritten", stats["variables"], 0)
    expect("fragments on air twice", counts["taken_twice"], 0)
    sha = hashlib.sha256(image).hexdigest()
    wrong = [d for d, (_, got) in devices.items() if got != sha]
    expect("devices without the image", wrong, [])


def refusals():
    """Secrets that others may read, addresses that are none: at start."""
    for name, change in (("a token for all", lambda w: os.chmod(
            os.path.join(w.folder, "token"), 0o644)),
            ("no token", lambda w: os.remove(
                os.path.join(w.folder, "token")))):
        world = ChirpStack(1, json=True)
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
    world = ChirpStack(1, json=True)
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
    world = ChirpStack(1, json=True, gateway_prefix="+")
    lines = lambda: {(f["what"], f["level"]): f["words"] for f in json.loads(
        world.ctl("check", "--application", APPLICATION, "--json",
                  check=False).stdout)["findings"]}
    try:
        world.start()
        until("all is well", lambda: world.ctl(
            "check", "--application", APPLICATION,
            check=False).returncode == 0 and "20 devices" in
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
        if "a.b.c" in f"{lines()} {said.stdout} {world.logged()}":
            raise Failure("the token is told")
        expect("exit status", world.stop(), 0)
    finally:
        world.close()


def conflicts():
    """What ChirpStack does by itself with our devices."""
    busy = f"{FIRST + 2:016x}"
    world = ChirpStack(1, json=True, own={"ts003": 1, "builtin": busy})
    ctl = lambda *a: world.ctl(*a, check=False)
    try:
        image = os.path.join(world.folder, "image.bin")
        with open(image, "wb") as out:
            out.write(os.urandom(2000))
        world.start()
        until("it is said once that the host answers", lambda: world.logged()
              .count("TS003 set: ChirpStack answers") == 1, 30)
        #  Every device asks for the time once in its first uplink interval
        until("all devices were heard",
              lambda: world.host.stats()["events"] >= 3 * DEVICES, 60)
        expect("AppTimeReq answered", world.host.stats()["unicast"], 0)
        expect("said once", world.logged().count("TS003 set: "), 1)
        said = ctl("check", "--application", APPLICATION)
        expect("exit status of check", said.returncode, 11)
        for words in ("TS003 is set", "built-in FUOTA", '1 running'):
            if words not in said.stdout:
                raise Failure(f"without {words}: {said.stdout}")
        wish = ("plan", image, "--dr", "5", "--application", APPLICATION)
        said = ctl(*wish, "--select", "site=north")
        expect("exit status of plan", said.returncode, 2)
        for words in (f"devices: {busy}; allowed devices in no FUOTA "
                      "deployment of the host's own",):
            if words not in said.stderr:
                raise Failure(f"without {words}: {said.stderr}")
        said = ctl(*wish, "--device", f"{FIRST:016x}")
        expect("exit status without that device", said.returncode, 0)
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
    conflicts()
    checked()
    tls()
    refusals()
    whole(1, chosen=True, json=True, unicast="mqtt",
          multicast_class_c_margin=1000)
    whole(2, json=False, unicast="grpc", gateway_prefix="+", refusal=200,
          multicast_class_c_margin=1000)


if __name__ == "__main__":
    run(test)
