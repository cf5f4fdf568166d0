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

from system import BUILD, Failure, until

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

    def stats(self):
        return json.loads(self.tell("stats"))

    def kill(self):
        self.process.kill()
        self.process.wait()
