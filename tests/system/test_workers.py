# SPDX-License-Identifier: MIT
"""fuotactl keygen, workers, workers drain and image add as a script sees them:
exit codes, words and JSON.
"""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
from system import FUOTACTL, Failure, run, until
from test_fuotactl import NOWHERE, expect
from test_pool import PoolWorld, free_port


def alone(*arguments):
    """Without a broker."""
    return subprocess.run([FUOTACTL, *arguments], capture_output=True,
                          text=True, timeout=60)


def mode(path):
    return os.stat(path).st_mode & 0o777


def keygen(folder):
    key = os.path.join(folder, "key")
    text = os.path.join(folder, "text")
    with open(text, "w") as out:
        out.write("no key\n")
    expect(alone("keygen", "--help"), 0, "--server", "fuotactl keygen")
    expect(alone("keygen"), 1, "FILE")
    expect(alone("keygen", key, "--frag-size", "4"), 1, "--frag-size")
    expect(alone("keygen", key, "--server", "/nonexistent"), 1,
           "not a file with a public key")
    expect(alone("keygen", key, "--server", text), 1,
           "not a file with a public key")
    expect(alone("keygen", os.path.join(folder, "no", "key")), 6)
    if os.path.exists(key):
        raise Failure("a refused keygen left a file")
    expect(alone("keygen", key), 0, "pool.server_key")
    if (mode(key), mode(key + "_secret")) != (0o644, 0o600):
        raise Failure(f"modes {mode(key):o}, {mode(key + '_secret'):o}")
    with open(key) as public, open(key + "_secret") as secret:
        if "secret-key" in public.read() or "secret-key" not in secret.read():
            raise Failure("the secret key is in the wrong file")
    #  A key that is in use is never written over
    expect(alone("keygen", key), 6, "exists already")
    os.remove(key)
    expect(alone("keygen", key), 6, "exists already")
    other = os.path.join(folder, "other")
    said = json.loads(expect(alone("keygen", other, "--server",
                                   key + "_secret", "--json"), 0).stdout)
    if said != {"status": "ok", "public": other, "secret": other + "_secret"}:
        raise Failure(f"keygen: {said}")


def without_broker():
    for words in (["workers"], ["workers", "drain", "x"],
                  ["image", "add", FUOTACTL]):
        result = expect(alone(*words, "--endpoint", NOWHERE, "--timeout", "1",
                              "--json"), 4, "no answer")
        if json.loads(result.stdout)["status"] != "no answer":
            raise Failure(result.stdout)
    expect(alone("workers", "--help"), 0, "fuotactl workers", "--json")
    expect(alone("workers", "drain", "--help"), 0, "NAME")
    expect(alone("workers", "drain"), 1, "NAME")
    expect(alone("workers", "fly"), 1, "fly")
    expect(alone("image", "add", "--help"), 0, "--redundancy", "--frag-size")
    expect(alone("image", "add"), 1, "FILE")
    expect(alone("image", "add", "/nonexistent"), 1, "No such file")
    expect(alone("image", "add", FUOTACTL, "--frag-size", "many"), 1,
           "--frag-size")


def images(world, ctl):
    path = os.path.join(world.folder, "image")
    empty = os.path.join(world.folder, "empty")
    with open(path, "wb") as out:
        out.write(bytes(range(250)) * 20)
    open(empty, "w").close()
    expect(ctl("image", "add", empty), 2, "image: ")
    expect(ctl("image", "add", path, "--frag-size", "256"), 2, "frag_size: 256")
    expect(ctl("image", "add", path, "--frag-size", "50", "--ts004", "3"), 2,
           "ts004: 3")
    if world.json("image", "list")["images"]:
        raise Failure("a refused image was stored")
    first = world.json("image", "add", path)
    again = world.json("image", "add", path, "--frag-size", "50",
                       "--redundancy", "130")
    if first["existed"] or not again["existed"] or \
            again["image"]["image_size"] != 5000 or \
            again["image"]["redundancy"] != 130:
        raise Failure(f"image add: {first}, {again}")
    expect(ctl("image", "add", path, "--frag-size", "50"), 0,
           again["image"]["image_sha256"], "5000 bytes (stored already)")


def workers(world, ctl, broker):
    #  Nobody is there: what is wanted waits, and nothing is an error
    expect(ctl("workers"), 0, "0 workers; 1 jobs, 3 blocks wait")
    expect(ctl("workers", "drain", "one"), 3, "no worker of that name")
    process = world.worker("one", *broker, "--key", world.admit("one"))
    until("all blocks are there",
          lambda: world.pool()["waiting"] == 0 and world.names() == {"one"})
    expect(ctl("workers"), 0, "one", "far", "1 workers; 0 jobs", "0 wrong",
           "0 quarantined")
    said = world.json("workers")
    line = said["workers"][0]
    if said["status"] != "ok" or said["pool"]["done"] != 3 or \
            line["blocks"] != 3 or line["errors"] or line["near"] or \
            line["quarantined"] or line["why"] or not line["kernel"] or \
            line["cores"] < 1 or len(line["identity"]) != 40:
        raise Failure(f"workers: {said}")
    said = world.json("workers", "drain", "one")
    if said["status"] != "ok":
        raise Failure(f"drain: {said}")
    until("one has gone", lambda: process.poll() is not None)
    if process.returncode or world.names():
        raise Failure(f"a drained worker: {process.returncode}, "
                      f"{world.names()}")


def test():
    without_broker()
    port = free_port()
    world = PoolWorld(workers=0, far=f"tcp://127.0.0.1:{port}")
    try:
        keygen(os.path.join(world.folder))
        world.start()
        ctl = lambda *a: world.ctl(*a, check=False)
        images(world, ctl)
        workers(world, ctl, ["--broker", f"tcp://127.0.0.1:{port}"])
        if world.stop():
            raise Failure("fuotad did not end well")
    except Failure:
        print(world.logged())
        raise
    finally:
        world.close()


if __name__ == "__main__":
    run(test)
