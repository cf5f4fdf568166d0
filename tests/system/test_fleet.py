# SPDX-License-Identifier: MIT
"""What it must show: 200 LoRaWAN devices through ChirpStack in one go, class C
and class B, packages of version 1 and 2, two gateways each, a tenth of all
frames lost, gateways that refuse, and everything restarted in the middle.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from chirpstack import install
from deployments import Wish, whole
from system import run


def test():
    install()
    whole({1: 100, 2: 100}, [Wish(v, t, 50 * (t == "b"), 50, 3000)
                             for v in (1, 2) for t in "cb"], json=False,
          interval=60, refusal=50, lorawan=dict(abp=500, abp_rx1_delay=15),
          unicast="mqtt", gateway_prefix="+")


if __name__ == "__main__":
    run(test)
