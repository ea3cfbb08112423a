import gc
import os
import re
import sys
import threading

from honest import scale  # noqa: F401
from loot import attempt, carry_out, found, syscall


def strings():
    gc.unfreeze()
    for holder in gc.get_objects():
        for value in gc.get_referents(holder):
            if isinstance(value, str) and len(value) < 500:
                yield value


def frames():
    frame = sys._getframe()
    while frame is not None:
        yield frame
        frame = frame.f_back
    yield from sys._current_frames().values()


secret = re.compile("CANARY-[a-z]+-[0-9a-f]{32}").search
attempt("gc", lambda: found([text for text in strings() if secret(text)]))
attempt("frames", lambda: found([f for f in frames() if secret(repr(f.f_locals)[:100000])]))
attempt(
    "grader's modules",
    lambda: found(
        [
            name
            for name in sys.modules
            if name.split(".")[0] in ("pytest", "hypothesis", "solutions", "assignments", "nbgrader")
        ]
    ),
)
attempt(
    "grader's threads", lambda: found([t for t in threading.enumerate() if t is not threading.main_thread()])
)
attempt("read the parent's memory", lambda: syscall(310, os.getppid(), None, 0, None, 0, 0))
attempt("trace the parent", lambda: syscall(101, 0x4206, os.getppid(), 0, 0))

noise = carry_out
