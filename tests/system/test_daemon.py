# SPDX-License-Identifier: MIT
"""The daemon's edges: configuration, signals, lock, full state, full disk."""
import os
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
from system import FUOTAD, Failure, World, run, until

SIM = dict(devices=50, seed=3, loss=50, uplink_interval=20000)
APPLICATION = "00000000-0000-4000-8000-000000000001"


def expect(what, got, want):
    if got != want:
        raise Failure(f"{what}: {got!r}, expected {want!r}")


def deploy(world, name, size, devices=50, first=0, *options, check=True):
    image = os.path.join(world.folder, "image.bin")
    with open(image, "wb") as out:
        out.write(os.urandom(size))
    listed = os.path.join(world.folder, "devices")
    with open(listed, "w") as out:
        out.writelines(f"{0x70b3d57ed0000001 + first + i:016x}\n"
                       for i in range(devices))
    #  Where there is no simulator nobody else says what devices speak
    return world.ctl("deploy", image, "--name", name, "--devices", listed,
                     "--ts003", "1", "--ts004", "1", "--ts005", "1",
                     "--dr", "5", "--uplink-interval", "20", "--application",
                     APPLICATION, *options, check=check)


def configuration():
    """Every fault is told with file, line, key and what is allowed."""
    world = World(sim=dict(devices=-1, loss=2000))
    try:
        with open(world.config, "a") as out:
            out.write('nonsense = 1;\nclock = { threshold_s = "x"; };\n')
        got = subprocess.run([FUOTAD, "--check-config", world.config],
                             capture_output=True, text=True)
        expect("exit status", got.returncode, 2)
        for key in ("host.sim.devices", "host.sim.loss", "nonsense",
                    "clock.threshold_s"):
            if not re.search(rf":\d+: {key}: .*allowed", got.stderr):
                raise Failure(f"{key} is not told of in:\n{got.stderr}")
        missing = subprocess.run([FUOTAD, "-c", world.config + ".not"],
                                 capture_output=True, text=True)
        expect("exit status without the file", missing.returncode, 2)
    finally:
        world.close()


def life():
    """Clean end on SIGTERM; a second one on the same state is refused."""
    world = World(sim=SIM)
    try:
        world.start()
        second = subprocess.run([FUOTAD, "-c", world.config],
                                capture_output=True, text=True, timeout=60)
        expect("exit status of a second broker", second.returncode, 3)
        if "in use" not in second.stderr + second.stdout:
            raise Failure(f"no reason told: {second.stderr}{second.stdout}")
        expect("exit status on SIGTERM", world.stop(), 0)
        world.start()
        expect("exit status again", world.stop(), 0)
    finally:
        world.close()


def full_state():
    """What does not fit is refused at the door, and the daemon lives."""
    world = World(sim=SIM)
    try:
        with open(world.config) as config:
            text = config.read()
        with open(world.config, "w") as out:
            out.write(text.replace('/state";', '/state"; map_mib = 16;'))
        world.start()
        refused = None
        for i in range(20):
            result = deploy(world, f"full-{i}", 3000000, 2, 2 * i, check=False)
            if result.returncode:
                refused = result
                break
        if not refused:
            raise Failure("20 images of 3 MB fitted into 16 MiB")
        expect("exit status", refused.returncode, 6)
        if "state is full" not in refused.stderr + refused.stdout:
            raise Failure(refused.stderr + refused.stdout)
        names = [d["name"] for d in world.json("list")["deployments"]]
        if f"full-{i}" in names:
            raise Failure("the refused deployment was stored")
        expect("exit status", world.stop(), 0)
    finally:
        world.close()


def full_disk():
    """Disk full while running: a status of its own, and nothing lost."""
    world = World(sim=SIM, scale=100)
    state = os.path.join(world.folder, "state")
    os.mkdir(state, 0o700)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "fuota",
                       state], capture_output=True).returncode:
        print("SKIP full disk: mount is not allowed here")
        world.close()
        return
    try:
        world.start_sim()
        world.start()
        deploy(world, "disk", 20000, 50, 0, "--retries", "10")
        filler = os.path.join(state, "filler")

        def over():
            #  Again and again: a tmpfs finds room where it had given more than
            #  was written
            with open(filler, "ab", buffering=0) as out:
                try:
                    while True:
                        out.write(bytes(4096))
                except OSError:
                    pass  #  That was wanted: nothing is left
            return world.broker.poll()

        #  One more than there is room for; nobody lives to answer
        more = os.path.join(world.folder, "more.bin")
        for i in range(20):
            if over() is None:
                with open(more, "wb") as out:
                    out.write(os.urandom(1000000))
                world.ctl("image", "add", more, "--timeout", "2", check=False)
        status = until("the disk is full", over)
        expect("exit status on a full disk", status, 6)
        os.unlink(filler)
        world.start()
        until("the deployment is over", lambda: world.json(
            "show", "disk")["deployment"]["phase"] == "done", 120)
        summary = world.json("show", "disk")["deployment"]
        if summary["ended_as"]["complete"] != 50:
            print(world.ctl("report", "disk", check=False).stdout)
        expect("complete", summary["ended_as"]["complete"], 50)
        world.stop()
        counts, _ = world.end_sim()
        expect("fragments taken twice", counts["taken_twice"], 0)
    except Failure:
        print(world.logged())
        raise
    finally:
        if world.broker:
            world.broker.send_signal(signal.SIGKILL)
            world.broker.wait()
        subprocess.run(["umount", state])
        world.close()


def test():
    configuration()
    life()
    full_state()
    full_disk()


run(test)
