# SPDX-License-Identifier: MIT
"""Deployments through ChirpStack, and what must be true of them at the end.

In the middle of each the host is restarted, fuotad is killed, and the broker
of MQTT is restarted; frames are lost, gateways refuse to send, calls are slow
and their answers lost. The host's counts prove that each fragment was taken
exactly once, and every device has the image.
"""
import hashlib
import json
import os
import time

from chirpstack import FIRST, GATEWAY, Network
from system import Failure, until


def expect(what, got, want):
    if got != want:
        raise Failure(f"{what}: {got!r}, expected {want!r}")


def gateways(version):
    return [f"{GATEWAY[version] + i:016x}" for i in range(2)]


class Wish:
    """One deployment: some devices of one version, in one class. chosen: the
    engine is to find out which gateways it takes."""

    def __init__(self, version, group_type, first, count, size, chosen=False):
        self.name = f"{group_type}{version}"
        self.version, self.group_type = version, group_type
        self.chosen = chosen
        self.devices = [f"{FIRST[version] + first + i:016x}"
                        for i in range(count)]
        self.image = os.urandom(size)
        self.sha = hashlib.sha256(self.image).hexdigest()

    def deploy(self, world):
        path = os.path.join(world.folder, f"{self.name}.bin")
        with open(path, "wb") as out:
            out.write(self.image)
        listed = os.path.join(world.folder, self.name)
        with open(listed, "w") as out:
            out.writelines(f"{eui}\n" for eui in self.devices)
        v = str(self.version)
        #  All of an application, or a list
        whom = ["--select", "site=north"] if self.chosen else ["--devices",
                                                               listed]
        wish = [path, "--name", self.name, *whom, "--group-type",
                self.group_type, "--dr", "5", "--frag-size", "100",
                "--periodicity", "0", "--uplink-interval", "40",
                "--retries", "8", "--ts003", v, "--ts004", v, "--ts005", v,
                "--application", world.applications[self.version], "--set-tag",
                f"fw={self.name}"]
        if self.group_type == "c":
            wish += ["--time-out", "9"]  #  Longer than all outages
        for gateway in () if self.chosen else gateways(self.version):
            wish += ["--gateway", gateway]
        plan = lambda: world.ctl("plan", *wish, "--json", check=False)
        #  Without a list: refused until enough devices were heard
        until("the plan is made", lambda: plan().returncode == 0, 60, 0.2)
        made = json.loads(plan().stdout)
        expect("gateways chosen", made["gateways_chosen"], self.chosen)
        expect("gateways", sorted(g["gateway"] for g in made["gateways"]),
               gateways(self.version))
        world.ctl("deploy", *wish)


def taken_some(world, count):
    before = world.host.counts()["taken"]
    until(f"{count} more fragments are taken",
          lambda: world.host.counts()["taken"] >= before + count, 180, 0.1)


def missed(world, what):
    """Until fuotad itself says that it is gone."""
    until(f"{what} is missed", lambda: any(
        f["what"] == what and f["level"] == "wrong" for f in json.loads(
            world.ctl("check", "--json", check=False).stdout)["findings"]),
        60, 0.1)


def outages(world, host):
    """Each of the three is gone until that was seen. host: "api-" for its API
    alone, or ""."""
    world.host.tell(f"{host}stop")
    missed(world, "api")
    world.host.tell(f"{host}start")
    taken_some(world, 5)
    world.kill()
    world.start()
    taken_some(world, 5)
    world.mqtt.stop()
    missed(world, "mqtt")
    world.mqtt.start()


def phases(world):
    return {d["name"]: d["phase"] for d in world.json("list")["deployments"]}


def recorded(world, wish):
    """What the gateways said of each frame, for the report."""
    told = json.loads(world.ctl("report", wish.name, "--json",
                                check=False).stdout)
    expect("gateways in the report", [g["gateway"] for g in told["gateways"]],
           gateways(wish.version))
    for gateway in told["gateways"]:
        if not gateway["fragments"].get("OK"):
            raise Failure(f"nothing was sent: {gateway}")
        bands = [b for b in gateway["bands"] if b["low"] == 869400000]
        expect("the sub-band of RX2", [(b["high"], b["duty"]) for b in bands],
               [(869650000, 100)])
        if not bands[0]["used"]:
            raise Failure(f"nothing on air: {gateway}")
    return [gateway["fragments"] for gateway in told["gateways"]]


def joined(world, count):
    until("all devices have joined",
          lambda: world.host.stats()["active"] == count, 90, 0.2)
    world.host.tell("mark")


def through(world, wishes, host):
    """From the first uplink to the end, with outages in each class."""
    total = sum(len(w.devices) for w in wishes)
    joined(world, total)
    world.start()
    for wish in wishes:
        wish.deploy(world)
    for group_type in "cb":
        names = [w.name for w in wishes if w.group_type == group_type]
        if names:
            until(f"fragments of class {group_type}", lambda: any(
                phases(world)[name] == "sending" for name in names), 240, 0.2)
            taken_some(world, 5)
            outages(world, host)
    until("all deployments are over",
          lambda: set(phases(world).values()) == {"done"}, 400, 0.2)


def whole(fleet, wishes, host="", **settings):
    world, began = Network(fleet, **settings), time.monotonic()
    try:
        through(world, wishes, host)
        #  Tags are set and the groups are deleted
        stats = until("the host is left as it was",
                      lambda: left(world, wishes), 30, 0.2)
        if "gateway_prefix" in settings:
            words = [w for wish in wishes for w in recorded(world, wish)]
            if settings.get("refusal") and all(len(w) == 1 for w in words):
                raise Failure(f"no refusals: {words}")
            world.ctl("gateways")
        expect("exit status", world.stop(), 0)
        counts, images = world.end_sims()
        check(wishes, stats, images)
        for version, got in counts.items():
            expect(f"fragments that a device of v{version} had already",
                   got["fragments_repeated"], 0)
        print(f"{fleet} {settings}: {time.monotonic() - began:.1f} s, "
              + ", ".join(f"{k} {v}" for k, v in stats.items()
                          if isinstance(v, int)))
        for version, got in counts.items():
            print(f"air of v{version}: " + ", ".join(
                f"{k} {v}" for k, v in got.items()))
    except Failure as failure:
        raise Failure(f"{settings}: {failure}\n{world.logged()}\n"
                      f"{seen(world, wishes)}\n{world.host.counts()}\n"
                      f"{world.host.logged()}") from failure
    finally:
        world.close()


def seen(world, wishes):
    """For people: the deployments, and the devices that have no image."""
    lines = [line for w in wishes for line in world.ctl(
        "show", w.name, "--devices", check=False).stdout.splitlines()]
    return "\n".join(line for line in lines if " complete  " not in line)


def left(world, wishes):
    """Groups gone, tags set beside those that were there; else None."""
    stats = world.host.stats()
    tagged = [stats["tags"][eui].get("fw") == w.name
              for w in wishes for eui in w.devices]
    return stats if stats["groups"] == 0 and all(tagged) else None


def check(wishes, stats, images):
    expect("fragments taken twice", stats["taken_twice"], 0)
    expect("fragments left out", stats["skipped"], 0)
    expect("devices of which more was changed", stats["unmarked"], 0)
    expect("groups made", stats["groups_made"], len(wishes))
    wrong = [eui for w in wishes for eui in w.devices if images[eui] != w.sha]
    expect("devices without the image", wrong, [])
