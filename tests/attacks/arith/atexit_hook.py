# ruff: noqa: SIM115
import atexit
import os

import target
from honest import noise, scale  # noqa: F401

atexit.register(lambda: open(target.marker("atexit"), "w"))
atexit.register(os.write, 3, b"AGW1 passed")
