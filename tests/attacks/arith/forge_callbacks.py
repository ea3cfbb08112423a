"""Asks the grader to run functions that it never gave."""

import os
import sys

wire = sys.modules["autograder.worker.wire"]
frames = sys.modules["autograder.worker.frames"]


def scale(x, factor):
    for number in (0, 1, -1, 2**40):
        os.write(3, frames.pack(wire.Callback(number, [True, wire.ObjectRef(0), wire.CallbackRef(0)])))
    return x


noise = scale
