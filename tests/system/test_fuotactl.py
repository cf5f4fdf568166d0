# SPDX-License-Identifier: MIT
"""fuotactl as a script sees it: exit codes and JSON, against a real broker."""
import json
import os
import subprocess

from system import FUOTACTL, Failure, World, run, until

NOWHERE = "ipc:///nonexistent/fuota/control"


def expect(result, code, *texts):
    """The exit code, and texts in what was printed."""
    said = result.stdout + result.stderr
    missing = [text for text in texts if text not in said]
    if result.returncode != code or missing:
        raise Failure(f"{result.args}: {result.returncode}, not {code}; "
                      f"without {missing}:\n{said}")
    return result


def without_broker():
    """What needs nobody, and nobody there."""
    def ctl(*arguments):
        return subprocess.run([FUOTACTL, *arguments], capture_output=True,
                              text=True, timeout=60)
    expect(ctl(), 1, "--help")
    expect(ctl("--help"), 0, "Exit status", "Examples")
    expect(ctl("deploy", "--help"), 0, "--frequency")
    expect(ctl("help", "watch"), 0, "fuotactl watch")
    expect(ctl("fly"), 1, "fly")
    expect(ctl("decode", "0109000500", "--port", "201"), 0,
           "FragSessionStatusAns")
    expect(ctl("decode", "0g"), 1, "allowed")
    expect(ctl("decode", "7f", "--port", "201"), 3)
    result = expect(ctl("list", "--endpoint", NOWHERE, "--timeout", "1",
                        "--json"), 4, "no answer")
    if json.loads(result.stdout)["status"] != "no answer":
        raise Failure(result.stdout)


def refusals(world, image, devices):
    ctl = lambda *a: world.ctl(*a, check=False)
    expect(ctl("deploy", image), 2, "devices: none; allowed")
    expect(ctl("deploy", "/nonexistent", "--devices", devices), 1,
           "No such file")
    expect(ctl("deploy", image, "--devices", image), 1, ":1: no DevEUI")
    result = expect(ctl("deploy", image, "--devices", devices, "--dr", "14",
                        "--quorum", "101", "--json"), 2)
    faults = {f["field"] for f in json.loads(result.stdout)["faults"]}
    if faults != {"dr", "quorum"}:
        raise Failure(f"faults: {faults}")
    expect(ctl("show", "nobody"), 3, "allowed 32 hex digits")
    if world.json("list")["deployments"] != []:
        raise Failure("a refused wish was stored")


def life(world, image, devices):
    ctl = lambda *a: world.ctl(*a, check=False)
    wish = (image, "--devices", devices, "--dr", "5", "--name", "life",
            "--token", "once")
    plan = world.json("plan", *wish)["deployment"]
    if plan["phase"] != "planned" or plan["last_n"] <= plan["nb_frag"]:
        raise Failure(f"plan: {plan}")
    first = world.json("deploy", *wish)
    again = world.json("deploy", *wish)
    if first["existed"] or not again["existed"] or \
            first["deployment"]["id"] != again["deployment"]["id"]:
        raise Failure("the token was not kept")
    expect(ctl("deploy", *wish, "--quorum", "50"), 2, "token: once; allowed")
    ident = first["deployment"]["id"]
    expect(ctl("resume", ident), 5, "not paused")
    expect(ctl("pause", ident[:8]), 0)
    until("paused", lambda: world.json("show", "life")["deployment"]["paused"])
    expect(ctl("pause", ident), 5, "paused already")
    expect(ctl("report", "life"), 10, "not over yet")
    expect(ctl("resume", "life"), 0)
    expect(ctl("watch", "life", "--timeout", "60"), 0, "complete")
    report = json.loads(expect(ctl("report", "life", "--json"), 0).stdout)
    if [d["end"] for d in report["devices"]] != ["complete"] * 3:
        raise Failure(f"report: {report['devices']}")
    phases = [line["name"] for line in world.json("journal", "life")["lines"]
              if line["what"] == "phase"]
    if phases[0] != "preparing" or phases[-1] != "done":
        raise Failure(f"journal: {phases}")
    expect(ctl("cancel", "life"), 5, "done")
    return ident


def checked(world):
    """What is wrong, by exit status and by line."""
    ctl = lambda *a: world.ctl(*a, check=False)
    expect(ctl("check"), 0, "ok       fuotad", "3 devices")
    said = json.loads(expect(ctl("check", "--application", "none", "--json"),
                             11).stdout)
    wrong = [f["what"] for f in said["findings"] if f["level"] == "wrong"]
    if said["well"] or wrong != ["application"]:
        raise Failure(f"check: {said}")


def cancelled(world, devices, sha256):
    """An image that is stored already, cancelled at once."""
    ctl = lambda *a: world.ctl(*a, check=False)
    expect(ctl("deploy", "--image-sha256", sha256, "--devices", devices,
               "--name", "life", "--dr", "5"), 0)
    expect(ctl("show", "life"), 7, "2 deployments")
    other = next(d["id"] for d in world.json("list")["deployments"]
                 if d["phase"] != "done")
    expect(ctl("cancel", other), 0)
    result = expect(ctl("watch", other, "--json"), 9)
    summary = json.loads(result.stdout)["deployment"]
    if summary["phase"] != "cancelled" or \
            summary["ended_as"]["cancelled"] != 3:
        raise Failure(f"cancelled: {summary}")


def gone(world, ident):
    """One that was cancelled may still have downlinks at the host."""
    result = world.ctl("remove", ident, check=False)
    if result.returncode:
        expect(result, 5, "try again later")
    return result.returncode == 0


def removed(world, ident, sha256):
    """What is over goes, and then its image; what is not known is said."""
    ctl = lambda *a: world.ctl(*a, check=False)
    expect(ctl("image", "remove", sha256), 5, "remove that first")
    images = world.json("image", "list")["images"]
    if [(i["sha256"], i["deployments"]) for i in images] != [(sha256, 2)]:
        raise Failure(f"images: {images}")
    for deployment in world.json("list")["deployments"]:
        until("removed", lambda ident=deployment["id"]: gone(world, ident))
    expect(ctl("show", ident), 3)
    expect(ctl("remove", ident), 3, "allowed 32 hex digits")
    expect(ctl("image", "remove", sha256[:8]), 0, "removed")
    expect(ctl("image", "remove", sha256), 3, "image: ")
    if world.json("image", "list")["images"] or \
            world.json("list")["deployments"]:
        raise Failure("something is left")


def selected():
    """Devices by their tags; and those that do not speak alike."""
    world = World(sim={"devices": 6, "mixed": 500, "loss": 0,
                       "unicast_loss": 0}, scale=300,
                  more='deploy = { uplink_interval = 60; application = '
                       '"00000000-0000-4000-8000-000000000001"; };\n')
    ctl = lambda *a: world.ctl(*a, check=False)
    try:
        image = os.path.join(world.folder, "image")
        with open(image, "wb") as out:
            out.write(os.urandom(1000))
        world.start()
        expect(ctl("plan", image, "--dr", "5", "--all"), 6,
               "the host is not there")
        world.start_sim()
        until("the simulator is there", lambda: ctl("check").returncode == 0)
        wish = ("plan", image, "--dr", "5")
        expect(ctl(*wish, "--all"), 2, "70b3d57ed0000002 and 2 more; allowed "
               "devices that speak alike: here TS003/4/5 2/2/2")
        expect(ctl(*wish, "--all", "--select", "lot=1"), 2, "one of: devices")
        expect(ctl(*wish, "--select", "lot=1", "--device",
                   "70b3d57ed0000001"), 2, "one of: devices")
        expect(ctl(*wish, "--select", "lot=9"), 2, "select: lot=9; allowed")
        expect(ctl(*wish, "--select", "model=sim-1", "--select", "lot=1"), 2,
               "select: model=sim-1; allowed")
        expect(ctl(*wish, "--device", "70b3d57ed0000009"), 2,
               "70b3d57ed0000009; allowed devices of the deployment's")
        expect(ctl(*wish, "--all", "--application", "another"), 2,
               "application: another; allowed")
        expect(ctl(*wish, "--select", "model=sim-1"), 0, "devices   3,")
        result = expect(ctl("deploy", *wish[1:], "--select", "model=sim-2",
                            "--name", "two"), 0, "two  3 devices")
        expect(ctl("deploy", *wish[1:], "--select", "model=sim-1", "--name",
                   "one"), 0, "one  3 devices")
        for name, version in (("one", 1), ("two", 2)):
            expect(ctl("watch", name, "--timeout", "60"), 0, "3 complete")
            summary = world.json("show", name)["deployment"]
            if summary["devices_ts004"] != version:
                raise Failure(f"{name}: {summary}")
        if world.stop():
            raise Failure("fuotad did not end well")
    except Failure:
        print(world.logged())
        raise
    finally:
        world.close()


def test():
    without_broker()
    selected()
    world = World(sim={"devices": 3, "loss": 0, "unicast_loss": 0},
                  scale=300, more="deploy = { uplink_interval = 60; };\n")
    try:
        image = os.path.join(world.folder, "image")
        devices = os.path.join(world.folder, "devices")
        with open(image, "wb") as out:
            out.write(bytes(range(1, 256)) * 4)
        with open(devices, "w") as out:
            out.write("# three of them\n" + "".join(
                f"{0x70b3d57ed0000001 + i:016x}\n" for i in range(3)))
        world.start()
        world.start_sim()
        until("the simulator is there", lambda:
              world.ctl("check", check=False).returncode == 0)
        checked(world)
        refusals(world, image, devices)
        ident = life(world, image, devices)
        sha256 = world.json("show", ident)["deployment"]["image_sha256"]
        cancelled(world, devices, sha256)
        removed(world, ident, sha256)
        if world.stop():
            raise Failure("fuotad did not end well")
    except Failure:
        print(world.logged())
        raise
    finally:
        world.close()


if __name__ == "__main__":
    run(test)
