# SPDX-License-Identifier: MIT
"""What a test with ChirpStack needs: real Mosquitto, and a stand-in for
ChirpStack (standin/server.js) on its own definitions.

Needs mosquitto, node and npm, and a registry npm can reach; says SKIP where
one of them is missing.
"""
import glob
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

from system import BUILD, FUOTA_SIM, Failure, World, until

HERE = os.path.dirname(os.path.abspath(__file__))
STANDIN = os.path.join(BUILD, "standin")
MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/sbin")

#  Who may do what, as docs/chirpstack.md has it; and the gateways
ACL = """user chirpstack
topic readwrite #

user fuota
topic read application/+/device/+/event/+
topic write application/+/device/+/command/down
topic read +/gateway/+/event/ack
topic read +/gateway/+/event/stats
topic read +/gateway/+/command/down

user gateways
topic write +/gateway/+/event/+
topic write +/gateway/+/state/+
topic read +/gateway/+/command/+
"""
USERS = ("chirpstack", "fuota", "gateways")

#  A loaded machine may be late by 100 ms, that is 4 s here. What must be on
#  time are class A downlinks: a device opens its window so many seconds after
#  an uplink, and the engine has ANSWER_DELAY of that
SCALE = 36
RX1_DELAY = 15
ANSWER_DELAY = 5000
MARGIN = 1500  #  Between gateways: a fragment's air time and 1.2 s

#  By version of the packages
FIRST = {1: 0x70b3d57ed0000001, 2: 0x70b3d57ed0010001}
GATEWAY = {1: 0x0016c001f1500001, 2: 0x0016c001f1510001}

TENANT = "5f2e8c4b-1d3a-4b9e-8f60-2a7c9d1e4b33"
ADMIN_KEY, TENANT_KEY = "admin.a.b", "tenant.a.b"


def skip(why):
    print(f"SKIP {os.path.basename(sys.argv[0])}: {why}")
    sys.exit(77)


def install():
    """The stand-in and its packages, the latter once for a build."""
    if not MOSQUITTO or not shutil.which("mosquitto_passwd"):
        skip("mosquitto is not installed")
    if not shutil.which("node") or not shutil.which("npm"):
        skip("node and npm are not installed")
    os.makedirs(STANDIN, exist_ok=True)
    for source in glob.glob(os.path.join(HERE, "standin", "*.js")):
        shutil.copy(source, STANDIN)
    package = os.path.join(HERE, "standin", "package.json")
    with open(package, "rb") as wanted:
        stamp = hashlib.sha256(wanted.read()).hexdigest()
    done = os.path.join(STANDIN, "installed")
    if os.path.exists(done) and open(done).read() == stamp:
        return
    shutil.copy(package, STANDIN)
    result = subprocess.run(["npm", "install", "--no-audit", "--no-fund"],
                            cwd=STANDIN, capture_output=True, text=True)
    if result.returncode:
        skip(f"npm install: {result.stderr.strip()[-300:]}")
    with open(done, "w") as out:
        out.write(stamp)


def section(value):
    """As libconfig has it; text ending in L after digits is a long number."""
    if isinstance(value, dict):
        return "{ " + "".join(f"{k} = {section(v)}; "
                              for k, v in value.items()) + "}"
    plain = isinstance(value, int) or value[:-1].isdigit() and value[-1] == "L"
    return f"{value}" if plain else json.dumps(value)


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Broker:
    """Mosquitto as docs/chirpstack.md sets it up, on a free port."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.path = os.path.join(folder, "mosquitto.conf")
        passwords = os.path.join(folder, "passwd")
        acl = os.path.join(folder, "acl")
        open(passwords, "w").close()
        os.chmod(passwords, 0o600)
        for user in USERS:
            subprocess.run(["mosquitto_passwd", "-b", passwords, user,
                            f"{user}-secret"], check=True,
                           capture_output=True)
        with open(acl, "w") as out:
            out.write(ACL)
        os.chmod(acl, 0o600)
        with open(self.path, "w") as out:
            out.write(f"listener {self.port} 127.0.0.1\n"
                      "allow_anonymous false\n"
                      f"password_file {passwords}\nacl_file {acl}\n"
                      "max_queued_messages 20000\nset_tcp_nodelay true\n"
                      "persistence true\n"
                      f"persistence_location {folder}/\n"
                      f"user {os.environ.get('USER', 'root')}\n")
        self.start()

    def listen_tls(self):
        """One more listener, with TLS; a certificate made for it."""
        self.tls_port = free_port()
        self.cert = os.path.join(self.folder, "cert.pem")
        key = os.path.join(self.folder, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-nodes", "-newkey", "ec",
                        "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2",
                        "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out",
                        self.cert], check=True, capture_output=True)
        with open(self.path, "a") as out:
            out.write(f"listener {self.tls_port} 127.0.0.1\n"
                      f"certfile {self.cert}\nkeyfile {key}\n")
        self.stop()
        self.start()

    def start(self):
        log = open(os.path.join(self.folder, "mosquitto.log"), "ab")
        self.process = subprocess.Popen([MOSQUITTO, "-c", self.path],
                                        stdout=log, stderr=log)
        until("mosquitto listens", self.listens)

    def listens(self):
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)

    def kill(self):
        self.process.kill()
        self.process.wait()


class Host:
    """The stand-in's process. Its defaults are the host's, where it has one;
    times in milliseconds of the scaled clock."""

    def __init__(self, folder, mqtt, scale, origin, network=None, **settings):
        self.settings = os.path.join(folder, "standin.json")
        wanted = dict(
            scale=scale, origin=origin, mqtt=f"mqtt://127.0.0.1:{mqtt.port}",
            user="chirpstack", password="chirpstack-secret", prefix="eu868",
            json=True, seed=7, slow=0, lost=0,
            tenants=[dict(id=TENANT, name="Water Works")],
            keys=[dict(token=ADMIN_KEY, admin=True),
                  dict(token=TENANT_KEY, tenant="Water Works")],
            network=dict(interval=1000, lock=2000, class_c_margin=5000,
                         class_b_margin=5000, rx1_delay=1,
                         deduplication_delay=200,
                         get_downlink_data_delay=100))
        wanted.update(settings)
        wanted["network"].update(network or {})
        with open(self.settings, "w") as out:
            json.dump(wanted, out)
        self.errors = open(os.path.join(folder, "standin.log"), "ab")
        self.process = subprocess.Popen(
            ["node", os.path.join(STANDIN, "server.js"), self.settings],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.errors, text=True)
        self.port = int(self.said().split()[1])

    def said(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failure(f"the stand-in ended\n{self.logged()}")
        return line

    def logged(self):
        with open(self.errors.name) as log:
            return log.read()[-4000:]

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        said = self.said()
        if said.startswith("unknown"):
            raise Failure(said)
        return said

    def counts(self):
        return json.loads(self.tell("counts"))

    def stats(self):
        """The counts, and what became of its objects."""
        return json.loads(self.tell("stats"))

    def kill(self):
        self.process.kill()
        self.process.wait()


class Network(World):
    """fuotad, ChirpStack, and per version of the packages a fuota-sim: two
    gateways and some devices; what is on air there the others do not hear.

    fleet: devices by version. interval: seconds between uplinks, of which one
    with its windows takes 17. lorawan: of its section in fuota-sim's file;
    own: of the stand-in; host: of host.chirpstack in fuotad's."""

    def __init__(self, fleet, json=True, refusal=0, interval=20, lorawan=None,
                 own=None, **host):
        super().__init__(scale=SCALE)
        self.origin = int(time.time() * 1000)
        self.sims, self.applications, self.host = {}, {}, None
        self.mqtt = Broker(self.folder)
        try:
            self.host = Host(
                self.folder, self.mqtt, SCALE, self.origin, json=json, slow=50,
                lost=50, **(own or {}), network=dict(
                    class_c_margin=MARGIN, rx1_delay=RX1_DELAY,
                    get_downlink_data_delay=ANSWER_DELAY))
            for version, devices in fleet.items():
                self.air(version, devices, refusal, interval, lorawan or {})
            self.configure(dict(host, multicast_class_c_margin=MARGIN))
        except BaseException:
            self.close()
            raise

    def secret(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as out:
            out.write(text + "\n")
        os.chmod(path, 0o600)
        return path

    def chirpstack(self, user, token, **more):
        """Keys of host.chirpstack, for that user and with that token."""
        return dict(
            mqtt=f"tcp://127.0.0.1:{self.mqtt.port}", mqtt_user=user,
            mqtt_password_file=self.secret(user, f"{user}-secret"),
            api=f"http://127.0.0.1:{self.host.port}",
            token_file=self.secret(f"{user}.token", token), **more)

    def write(self, path, **groups):
        groups["time"] = dict(scale=SCALE, origin=f"{self.origin}L")
        with open(path, "w") as out:
            out.write("".join(f"{k} = {section(v)};\n"
                              for k, v in groups.items()))

    def air(self, version, devices, refusal, interval, lorawan):
        path = os.path.join(self.folder, f"sim{version}.cfg")
        sim = dict(seed=version, devices=devices,
                   first_eui=f"{FIRST[version]:016x}", loss=100,
                   unicast_loss=100, gateways=2, gateway_refusal=refusal,
                   answer_delay=500, uplink_interval=1000 * interval,
                   ts003=version, ts004=version, ts005=version)
        self.write(path, host=dict(sim=sim, chirpstack=self.chirpstack(
            "gateways", ADMIN_KEY, client_id=f"sim{version}")),
            lorawan=dict(first_gateway=f"{GATEWAY[version]:016x}",
                         name=f"v{version}", tenant_id=TENANT, **lorawan))
        made = subprocess.run([FUOTA_SIM, "--create", "-c", path],
                              capture_output=True, text=True, timeout=60)
        if made.returncode:
            raise Failure(f"--create: {made.stdout}{made.stderr}")
        self.applications[version] = made.stdout.split()[-1]
        self.sims[version] = subprocess.Popen(
            [FUOTA_SIM, "--chirpstack", "-c", path], text=True,
            stdout=subprocess.PIPE, stderr=open(f"{path}.log", "w"))

    def configure(self, host):
        self.write(self.config, state=dict(folder=f"{self.folder}/state"),
                   control=dict(endpoint=self.endpoint,
                                events=f"ipc://{self.folder}/events"),
                   host=dict(type="chirpstack", chirpstack=self.chirpstack(
                       "fuota", TENANT_KEY, **host)))

    def end_sims(self):
        """Each version's counts; every device's image, by its DevEUI."""
        counts, images = {}, {}
        for version, self.sim in self.sims.items():
            counts[version], devices = self.end_sim()
            images.update({eui: sha for eui, (_, sha) in devices.items()})
        self.sims = {}
        return counts, images

    def close(self):
        for sim in self.sims.values():
            sim.kill()
            sim.wait()
        for process in (self.host, self.mqtt):
            if process:
                process.kill()
        super().close()
