# SPDX-License-Identifier: MIT
"""The stand-in for ChirpStack against what ChirpStack does: its bytes against
vectors of others, its API, queues and counters against a device and gateways
of its own. What other tests prove with it is worth what this proves of it.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(__file__))
from chirpstack import HERE, STANDIN, Broker, Host, install
from system import Failure, run

SCALE = 25
VECTORS = os.path.join(HERE, "..", "vectors")


def node(script, *arguments):
    got = subprocess.run(["node", os.path.join(STANDIN, script), *arguments],
                         capture_output=True, text=True, timeout=30)
    if got.returncode:
        raise Failure(f"{script}: {got.stdout}{got.stderr}")
    print(got.stdout.strip())


def test():
    install()
    node("test_lorawan.js", VECTORS)
    folder = tempfile.mkdtemp(prefix="fuota-")
    mqtt = host = None
    try:
        mqtt = Broker(folder)
        host = Host(folder, mqtt, SCALE, int(time.time() * 1000),
                    network=dict(class_c_margin=3000, rx1_delay=5,
                                 deduplication_delay=2000,
                                 get_downlink_data_delay=3000))
        node("test_server.js", host.settings, str(host.port))
        stats = host.stats()
        #  The last of its tests is an engine that errs
        if (stats["taken_twice"], stats["skipped"]) != (1, 1) or \
                host.logged().count("\n") != 1:
            raise Failure(f"{stats}\n{host.logged()}")
    finally:
        for process in (host, mqtt):
            if process:
                process.kill()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    run(test)
