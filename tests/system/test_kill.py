# SPDX-License-Identifier: MIT
"""kill -9 of the broker at random moments, 50 times during one deployment.

The network lives on in another process. In the end every device that can be
reached is complete, and the network has counted each fragment taken once.
"""
import hashlib
import os
import random
import sys

sys.path.insert(0, os.path.dirname(__file__))
from system import Failure, World, run, until

KILLS = int(os.environ.get("FUOTA_KILLS", "50"))
SIM = dict(devices=20, seed=7, loss=100, dead=100, refusing=100, ts003=2,
           ts004=2, ts005=2, uplink_interval=20000, unicast_loss=0)


def test():
    chance = random.Random(7)
    world = World(sim=SIM, scale=20)
    try:
        image = os.path.join(world.folder, "image.bin")
        content = bytes((i * 2654435761 >> 24) & 255 for i in range(20000))
        with open(image, "wb") as out:
            out.write(content)
        first = 0x70b3d57ed0000001
        with open(os.path.join(world.folder, "devices"), "w") as out:
            out.writelines(f"{first + i:016x}\n" for i in range(20))
        world.start_sim()
        world.start()
        world.ctl("deploy", image, "--name", "kill", "--devices",
                  os.path.join(world.folder, "devices"), "--group-type", "c",
                  "--dr", "5", "--ts003", "2", "--ts004", "2", "--ts005", "2",
                  "--uplink-interval", "20", "--retries", "5", "--quorum", "60",
                  "--repair-rounds", "5", "--expected-loss", "10",
                  "--application", "00000000-0000-4000-8000-000000000001")
        phases = set()
        for kill in range(KILLS):
            #  A random moment of its life: of the deployment's own time
            end = world.json("show", "kill")["deployment"]["now"]
            end += chance.randrange(1000, 45000)
            until("time passes", lambda: passed(world, end, phases))
            world.kill()
            world.start()
        print(f"killed {KILLS} times, in the phases {sorted(phases)}")
        summary = until("the deployment is over", lambda: over(world), 240)
        sha = hashlib.sha256(content).hexdigest()
        ends = {}
        for line in devices(world):
            ends[line["dev_eui"]] = line["end"] or line["step"]
        if world.stop() != 0:
            raise Failure("fuotad did not end cleanly")
        counts, seen = world.end_sim()
        print(summary["phase"], counts)
        for eui, (kind, image_sha) in seen.items():
            end = ends[eui]
            want = {"dead": "timed out", "refusing": "refused",
                    "alive": "complete"}[kind]
            if not end.startswith(want):
                raise Failure(f"device {eui} is {kind} and ended as {end}")
            if kind == "alive" and image_sha != sha:
                raise Failure(f"device {eui} holds another image")
        for name in ("taken_twice", "out_of_order", "wrong_counter",
                     "groups"):
            if counts[name]:
                raise Failure(f"{name}: {counts[name]}")
    except Failure:
        print(world.logged())
        print(world.ctl("show", "kill", "--json", check=False).stdout)
        print(world.ctl("journal", "kill", check=False).stdout[-2000:])
        raise
    finally:
        world.close()


def passed(world, end, phases):
    summary = world.json("show", "kill")["deployment"]
    phases.add(summary["phase"])
    return summary["now"] >= end


def over(world):
    summary = world.json("show", "kill")["deployment"]
    return summary if summary["phase"] in ("done", "cancelled") else None


def devices(world):
    return world.json("show", "kill", "--devices")["devices"]


run(test)
