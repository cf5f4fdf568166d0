# SPDX-License-Identifier: MIT
"""What the system tests share: real processes on sockets of their own.

A test waits for a condition, never for a time; every wait has a limit after
which it fails and says what it saw.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

BUILD = os.environ["FUOTA_BUILD"]
FUOTAD = os.path.join(BUILD, "broker", "fuotad")
FUOTACTL = os.path.join(BUILD, "broker", "fuotactl")
FUOTA_SIM = os.path.join(BUILD, "broker", "fuota-sim")


class Failure(Exception):
    """A test failed; its text says what was seen."""


def until(what, check, limit=60.0, every=0.01):
    """Call check until it gives something true, and return that. every: a
    check that starts a process is not for each 10 ms."""
    end = time.monotonic() + limit
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {limit} s")
        #  Not a wait for a time: only how often we look
        os.sched_yield()
        time.sleep(every)


class World:
    """A folder, a configuration, an outside simulator, a broker, a client."""

    def __init__(self, **settings):
        self.folder = tempfile.mkdtemp(prefix="fuota-")
        self.config = os.path.join(self.folder, "fuotad.cfg")
        self.endpoint = f"ipc://{self.folder}/control"
        self.sim = self.broker = None
        sim = settings.pop("sim", {})
        scale = settings.pop("scale", 200)
        lines = "".join(f"        {k} = {v};\n" for k, v in sim.items())
        with open(self.config, "w") as out:
            out.write(f'state = {{ folder = "{self.folder}/state"; }};\n'
                      f'control = {{ endpoint = "{self.endpoint}";\n'
                      f'            events = "ipc://{self.folder}/events"; }};\n'
                      f"time = {{ scale = {scale}; "
                      f"origin = {int(time.time() * 1000)}L; }};\n"
                      f'host = {{ type = "sim"; '
                      f'endpoint = "ipc://{self.folder}/host";\n'
                      f"    sim = {{\n{lines}    }};\n}};\n")
            out.write(settings.pop("more", ""))

    def start(self):
        """Start the broker and wait until it answers."""
        self.log = open(os.path.join(self.folder, "log"), "ab")
        self.broker = subprocess.Popen([FUOTAD, "-c", self.config],
                                       stdout=self.log, stderr=self.log)
        until("fuotad answers", self.answers)

    def answers(self):
        if self.broker.poll() is not None:
            raise Failure(f"fuotad ended with {self.broker.returncode}\n"
                          + self.logged())
        return self.ctl("version", check=False).returncode == 0

    def logged(self):
        with open(os.path.join(self.folder, "log"), errors="replace") as log:
            return log.read()[-4000:]

    def start_sim(self):
        self.sim = subprocess.Popen([FUOTA_SIM, "-c", self.config],
                                    stdout=subprocess.PIPE, text=True)

    def kill(self):
        """Power cut."""
        self.broker.send_signal(signal.SIGKILL)
        self.broker.wait()
        self.broker = None

    def stop(self):
        """SIGTERM; its exit status."""
        self.broker.send_signal(signal.SIGTERM)
        status = self.broker.wait(timeout=60)
        self.broker = None
        return status

    def end_sim(self):
        """End the simulator: its counts, and its devices' images."""
        self.sim.send_signal(signal.SIGTERM)
        out, _ = self.sim.communicate(timeout=60)
        self.sim = None
        counts, devices = {}, {}
        for line in out.splitlines():
            words = line.split()
            if words[0] == "device":
                devices[words[1]] = (words[2], words[3])
            else:
                counts[words[0]] = int(words[1])
        return counts, devices

    def ctl(self, *arguments, check=True):
        result = subprocess.run(
            [FUOTACTL, *arguments, "--endpoint", self.endpoint],
            capture_output=True, text=True, timeout=60)
        if check and result.returncode:
            raise Failure(f"fuotactl {' '.join(arguments)}: "
                          f"{result.returncode}\n{result.stdout}"
                          f"{result.stderr}")
        return result

    def json(self, *arguments):
        return json.loads(self.ctl(*arguments, "--json").stdout)

    def close(self):
        for process in (self.broker, self.sim):
            if process:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def run(test):
    """Run a test function; its exit status is the script's."""
    try:
        test()
    except Failure as failure:
        print(f"FAILED: {failure}")
        sys.exit(1)
    print("1 passed, 0 failed")
