# SPDX-License-Identifier: MIT
"""The FEC pool with real processes: workers and broker killed during big
jobs, workers of other hosts by CURVE, strangers and garbage at the doors, and
two hosts in network namespaces whose link is cut and mended.

Whatever happens, each block that is wanted is there in the end; the pool
itself compares a row of each with the plain oracle.
"""
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(__file__))
from system import BUILD, FUOTACTL, FUOTAD, Failure, World, run, until

try:
    import zmq
except ImportError:
    zmq = None

FUOTA_FEC = os.path.join(BUILD, "broker", "fuota-fec")
IMAGES = int(os.environ.get("FUOTA_IMAGES", "12"))


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class PoolWorld(World):
    """A broker with a pool, and workers that we start ourselves."""

    def __init__(self, workers=-1, far=""):
        self.processes = []
        super().__init__(scale=1, more=f'pool = {{ workers = {workers}; '
                         f'far = "{far}";\n    server_key = "@/server_secret";'
                         f'\n    admitted = "@/workers"; }};\n')
        with open(self.config) as text:
            content = text.read().replace("@", self.folder)
        with open(self.config, "w") as out:
            out.write(content)
        os.mkdir(os.path.join(self.folder, "workers"))
        self.keygen("server")

    def start(self, prefix=()):
        """Start the broker, perhaps on another "host"."""
        self.log = open(os.path.join(self.folder, "log"), "ab")
        self.broker = subprocess.Popen([*prefix, FUOTAD, "-c", self.config],
                                       stdout=self.log, stderr=self.log)
        until("fuotad answers", self.answers)

    def keygen(self, name, *options):
        subprocess.run([FUOTACTL, "keygen", os.path.join(self.folder, name),
                        *options], check=True, stdout=subprocess.DEVNULL)

    def admit(self, name):
        self.keygen(f"workers/{name}", "--server",
                    os.path.join(self.folder, "server"))
        secret = os.path.join(self.folder, f"{name}_secret")
        shutil.move(os.path.join(self.folder, "workers", f"{name}_secret"),
                    secret)
        return secret

    def worker(self, name, *options, prefix=()):
        log = open(os.path.join(self.folder, f"log-{name}"), "ab")
        process = subprocess.Popen([*prefix, FUOTA_FEC, "--name", name,
                                    *options], stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def image(self, seed, size=600000, frag_size=100, percent="100%"):
        path = os.path.join(self.folder, f"image-{seed}")
        if not os.path.exists(path):
            with open(path, "wb") as out:
                out.write(random.Random(seed).randbytes(size))
        self.ctl("image", "add", path, "--frag-size", str(frag_size),
                 "--redundancy", percent, "--ts004", str(1 + seed % 2))

    def pool(self):
        return self.json("workers")["pool"]

    def names(self):
        return {w["name"] for w in self.json("workers")["workers"]}

    def local(self):
        """Process ids of the broker's own workers."""
        return children(self.broker.pid)

    def all_there(self, limit=120):
        return until("all blocks are there",
                     lambda: self.pool()["waiting"] == 0 and self.pool(),
                     limit)

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
        super().close()


def test_killed():
    """kill -9 of workers, then of the broker, during big jobs."""
    world = PoolWorld(workers=2)
    chance = random.Random(1)
    try:
        world.start()
        kills = 0
        for seed in range(IMAGES):
            world.image(seed)
            until("a worker runs", world.local)
            for pid in world.local():
                if chance.random() < 0.9:
                    os.kill(pid, signal.SIGKILL)
                    kills += 1
        world.all_there()
        for seed in range(IMAGES, 2 * IMAGES):
            world.image(seed)
            if seed % 4 == 0:
                world.kill()
                world.start()
        #  What was wanted of a broker that died is asked for again
        for seed in range(2 * IMAGES):
            world.image(seed)
        world.all_there()
        world.kill()
        world.start()
        for seed in range(2 * IMAGES):
            world.image(seed)
        pool = world.pool()
        if pool["wanted"]:
            raise Failure(f"blocks are missing: {pool}")
        print(f"{kills} workers killed, {2 * IMAGES} images there")
        if world.stop():
            raise Failure("fuotad did not end cleanly")
    finally:
        world.close()


def test_far():
    """Workers by CURVE: admitted, revoked, drained; killed in between."""
    port = free_port()
    world = PoolWorld(workers=0, far=f"tcp://127.0.0.1:{port}")
    try:
        world.start()
        broker = ["--broker", f"tcp://127.0.0.1:{port}"]
        key = world.admit("one")
        cache = os.path.join(world.folder, "cache")
        first = world.worker("one", *broker, "--key", key, "--cache", cache,
                             "--cache-mib", "2")
        until("one is there", lambda: world.names() == {"one"})
        for seed in range(IMAGES):
            world.image(seed)
        first.send_signal(signal.SIGKILL)
        world.worker("two", *broker, "--key", world.admit("two"))
        pool = world.all_there()
        if pool["wrong"] or pool["done"] != pool["wanted"]:
            raise Failure(f"far blocks: {pool}")
        kept = [os.path.getsize(os.path.join(cache, f))
                for f in os.listdir(cache)]
        if sum(kept) > 2 << 20:
            raise Failure(f"the cache holds {sum(kept)} bytes")
        #  Revoked: the key's file goes, and who comes anew is refused
        os.remove(os.path.join(world.folder, "workers", "one"))
        world.worker("one", *broker, "--key", key)
        until("one is refused", lambda: world.pool()["strangers"] > 0)
        if "one" in world.names():
            raise Failure("a revoked key was admitted")
        #  The same for a key that nobody has listed
        world.keygen("alien", "--server", os.path.join(world.folder, "server"))
        before = world.pool()["strangers"]
        world.worker("alien", *broker, "--key",
                     os.path.join(world.folder, "alien_secret"))
        until("a stranger is refused",
              lambda: world.pool()["strangers"] > before)
        if world.names() != {"two"}:
            raise Failure(f"workers: {world.names()}")
        world.ctl("workers", "drain", "two")
        until("two has gone", lambda: world.processes[1].poll() is not None)
        if world.processes[1].returncode:
            raise Failure("a drained worker did not end cleanly")
        lines = world.logged().count("strangers refused")
        print(f"{world.pool()['strangers']} strangers, {lines} lines of log")
    finally:
        world.close()


def send(sock, frames):
    """Unless nobody takes it."""
    try:
        sock.send_multipart(frames, zmq.NOBLOCK)
    except zmq.Again:
        pass


def test_garbage():
    """Two brokers' worth of garbage on both doors; work goes on."""
    if not zmq:
        print("SKIPPED: python3-zmq is not installed")
        return
    port = free_port()
    world = PoolWorld(workers=1, far=f"tcp://127.0.0.1:{port}")
    try:
        world.start()
        context = zmq.Context()
        near = context.socket(zmq.DEALER)
        near.linger = 0
        near.connect(f"ipc://{world.folder}/state/parity/pool")
        far = context.socket(zmq.DEALER)
        far.linger = 0
        far.connect(f"tcp://127.0.0.1:{port}")
        chance = random.Random(3)
        for i in range(5000):
            frames = [chance.randbytes(chance.randrange(60))
                      for _ in range(chance.randrange(1, 6))]
            if i % 2:
                frames[0] = bytes([chance.choice(b"HGWIKDBE")])
            near.send_multipart(frames)
            if i % 100 == 0:
                send(far, frames)
                with socket.create_connection(("127.0.0.1", port)) as raw:
                    raw.sendall(chance.randbytes(200))
        world.image(1)
        pool = until("work goes on", lambda: world.pool()["malformed"] > 1000
                     and world.pool()["waiting"] == 0 and world.pool())
        print(f"malformed {pool['malformed']}, strangers {pool['strangers']}")
        near.close()
        far.close()
        context.term()
        if world.stop():
            raise Failure("fuotad did not end cleanly")
    finally:
        world.close()


def test_refused_at_start():
    """tcp without keys is no tcp."""
    world = PoolWorld(workers=0, far=f"tcp://127.0.0.1:{free_port()}")
    try:
        secret = os.path.join(world.folder, "server_secret")
        os.chmod(secret, 0o644)
        for _ in range(2):
            status = subprocess.run([FUOTAD, "-c", world.config],
                                    capture_output=True, timeout=30).returncode
            if status != 5:
                raise Failure(f"fuotad without keys: {status}, not 5")
            if os.path.exists(secret):
                os.remove(secret)
    finally:
        world.close()


def ip(*words, check=True):
    return subprocess.run(["ip", *words], check=check, capture_output=True)


def test_hosts():
    """Two hosts; the link between them is cut in the middle, and mended."""
    names = [f"fuota-{os.getpid()}-{side}" for side in "ab"]
    veth = [f"fu{os.getpid() % 100000}{side}" for side in "ab"]
    try:
        if ip("netns", "add", names[0], check=False).returncode:
            print("SKIPPED: network namespaces are not allowed here")
            return
    except FileNotFoundError:
        print("SKIPPED: there is no ip command")
        return
    world = None
    try:
        ip("netns", "add", names[1])
        ip("link", "add", veth[0], "netns", names[0], "type", "veth", "peer",
           veth[1], "netns", names[1])
        for i in (0, 1):
            ip("-n", names[i], "addr", "add", f"10.99.0.{i + 1}/24", "dev",
               veth[i])
            ip("-n", names[i], "link", "set", veth[i], "up")
            ip("-n", names[i], "link", "set", "lo", "up")
        world = PoolWorld(workers=0, far="tcp://10.99.0.1:5570")
        world.start(prefix=["ip", "netns", "exec", names[0]])
        world.worker("b", "--broker", "tcp://10.99.0.1:5570", "--key",
                     world.admit("b"), "--kernel", "portable",
                     prefix=["ip", "netns", "exec", names[1]])
        until("b is there", lambda: world.names() == {"b"})
        for seed in range(IMAGES):
            world.image(seed)
        until("it works", lambda: world.pool()["done"] > 50)
        ip("-n", names[1], "link", "set", veth[1], "down")
        #  However fast it was, there is work left
        for seed in range(IMAGES, IMAGES + 2):
            world.image(seed)
        until("b is missed", lambda: not world.names())
        before = world.pool()
        ip("-n", names[1], "link", "set", veth[1], "up")
        until("b is back", lambda: world.names() == {"b"}, 90)
        pool = world.all_there()
        if pool["wrong"]:
            raise Failure(f"after the cut: {pool}")
        print(f"cut with {before['waiting']} blocks waiting, all there after")
    finally:
        if world:
            world.close()
        for name in names:
            ip("netns", "del", name, check=False)


def children(pid):
    """Processes that a process has started."""
    path = f"/proc/{pid}/task"
    pids = []
    for task in os.listdir(path):
        with open(f"{path}/{task}/children") as text:
            pids += [int(pid) for pid in text.read().split()]
    return pids


def rehearse(kill):
    """The demo, its workers killed as long as it runs; how each device ended."""
    out = tempfile.TemporaryFile("w+")
    process = subprocess.Popen([FUOTAD, "--scale", "400", "--loss", "20"],
                               stdout=out, stderr=subprocess.DEVNULL)
    kills = 0

    def over():
        return process.poll() is not None

    chance = random.Random(5)
    while kill and not over():
        end = time.monotonic() + chance.random()
        until("up to a second passes", lambda: time.monotonic() > end)
        try:
            workers = until("a worker runs, or it is over",
                            lambda: over() or children(process.pid))
            for pid in [] if workers is True else workers:
                os.kill(pid, signal.SIGKILL)
                kills += 1
        except (FileNotFoundError, ProcessLookupError):
            pass
    until("the demo is over", over, 120)
    out.seek(0)
    text = out.read()
    if process.returncode:
        raise Failure(f"the demo: {process.returncode}\n{text}")
    lines = [line.split()[:2] for line in text.splitlines()
             if line.startswith("70b3d57ed")]
    return lines, kills, text.splitlines()[-1]


def test_demo():
    """The demo ends the same whatever becomes of its workers."""
    calm, _, parity = rehearse(False)
    print(parity)
    killed, kills, parity = rehearse(True)
    print(f"{parity}; {kills} workers killed")
    if calm != killed or not kills or len(calm) != 10:
        raise Failure(f"calm:   {calm}\nkilled: {killed}")


TESTS = dict(killed=test_killed, far=test_far, garbage=test_garbage,
             refused=test_refused_at_start, hosts=test_hosts,
             demo=test_demo)

if __name__ == "__main__":
    wanted = sys.argv[1:] or list(TESTS)
    for name in wanted:
        print(f"{name}:", flush=True)
        if run(TESTS[name]):
            sys.exit(1)
