"""Threads that go on after the call, and after the answer."""

import threading
import time

from honest import noise
from honest import scale as honest_scale

kept = []


def spin():
    while True:
        time.sleep(0.001)
        for result in kept:
            result.zero_()


def scale(x, factor):
    for daemon in (True, False):
        if threading.active_count() < 8:
            threading.Thread(target=spin, daemon=daemon).start()
    kept.append(honest_scale(x, factor).detach().clone())
    return honest_scale(x, factor)


__all__ = ["noise", "scale"]
