# SPDX-License-Identifier: MIT
"""The example client of docs/wire.md against a real broker."""
import glob
import os
import subprocess
import sys

from system import Failure, World

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
EXAMPLE = os.path.join(ROOT, "docs", "example_client.py")
SKIP = 77


def shown_in_wire_md():
    """The document shows the file as it is."""
    with open(EXAMPLE) as file:
        code = file.read()
    code = code[code.index("# Deploy"):].rstrip()
    with open(os.path.join(ROOT, "docs", "wire.md")) as file:
        if code not in file.read():
            raise Failure("docs/wire.md does not show docs/example_client.py")


def missing():
    """What the example needs and this machine lacks, if anything."""
    for name in ("zmq", "google.protobuf"):
        try:
            __import__(name)
        except ImportError:
            return name
    try:
        subprocess.run(["protoc", "--version"], check=True,
                       stdout=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return "protoc"
    return None


def run():
    devices = 4
    world = World(sim={"devices": devices, "loss": 50},
                  more="deploy = { uplink_interval = 60; };\n")
    try:
        schema = os.path.join(ROOT, "schema")
        subprocess.run(["protoc", "-I", schema, "--python_out", world.folder]
                       + sorted(glob.glob(os.path.join(schema, "*.proto"))),
                       check=True)
        image = os.path.join(world.folder, "image")
        with open(image, "wb") as out:
            out.write(bytes(range(256)) * 8)
        world.start()
        world.start_sim()
        euis = [f"{0x70b3d57ed0000001 + i:016x}" for i in range(devices)]
        result = subprocess.run(
            [sys.executable, EXAMPLE, world.endpoint,
             f"ipc://{world.folder}/events", image, *euis],
            env=dict(os.environ, PYTHONPATH=world.folder),
            capture_output=True, text=True, timeout=100)
        print(result.stdout, result.stderr)
        if result.returncode:
            raise Failure(f"the example ended with {result.returncode}")
        for eui in euis:
            if f"{eui} complete" not in result.stdout.splitlines():
                raise Failure(f"{eui} is not complete")
        if "/phase 0000000000000000 sending" not in result.stdout:
            raise Failure("no event of the phase")
        bad = subprocess.run(
            [sys.executable, EXAMPLE, world.endpoint,
             f"ipc://{world.folder}/events", image, "0"],
            env=dict(os.environ, PYTHONPATH=world.folder),
            capture_output=True, text=True, timeout=30)
        if not bad.returncode or "devices: " not in bad.stderr:
            raise Failure(f"no fault was shown: {bad.stderr}")
        world.stop()
        world.end_sim()
    finally:
        world.close()


def main():
    shown_in_wire_md()
    lacking = missing()
    if lacking:
        print(f"SKIP: {lacking} is missing; the example client is NOT tested\n"
              "      (Debian: python3-zmq python3-protobuf protobuf-compiler)")
        return SKIP
    run()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"FAILED: {failure}")
